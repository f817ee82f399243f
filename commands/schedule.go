package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/warroom"
)

// The arguments that a command sets itself for its next run, apart from what is left to do.
const (
	// ranOnceArgument marks a run that the command scheduled itself. Existing playbook tasks know it by this name.
	ranOnceArgument = "ran_once_flag"
	// resumeArgument names the file with what an earlier run left of an export.
	resumeArgument = "resume"
	// untilArgument is the time, set by the first run, at which a command stops scheduling itself.
	untilArgument = "run_until"
	// wholeArgument is the number of things that the first run was for, of which the next ones do the rest.
	wholeArgument = "whole_number"
	// failedArgument is how many of these have failed so far.
	failedArgument = "failed_number"
)

// longestRetry is how long a command schedules itself because the service accepts no more requests, if the command has no
// time limit of its own. No quota that Microsoft documents is counted over more
// than a day (https://learn.microsoft.com/graph/throttling-limits).
const longestRetry = 24 * time.Hour

// longestWait is the maximum of timeout_in_seconds.
const longestWait = 7 * 24 * time.Hour

// ownArguments returns the arguments of every command that may schedule itself.
func ownArguments() []Argument {
	return []Argument{
		{Name: ranOnceArgument, Help: "Set by the command itself when it schedules another run.", Hidden: true},
		{Name: untilArgument, Help: "When the command stops running again. Set by the command itself.", Hidden: true},
		{Name: ticketArgument, Help: "The command's place in the quota. Set by the command itself.", Hidden: true},
		{Name: wholeArgument, Help: "How many things the first run was for. Set by the command itself.", Hidden: true},
		{Name: failedArgument, Help: "How many of these have failed. Set by the command itself.", Hidden: true},
	}
}

// carried reads what earlier runs have set.
func (r *Run) carried(raw map[string]json.RawMessage, now time.Time) {
	r.raw, r.began, r.until = raw, now, time.Time{}
	if until, err := time.Parse(time.RFC3339, gjson.Parse(string(raw[untilArgument])).String()); err == nil && until.Before(now.Add(longestWait+time.Hour)) {
		r.until = until
	}
	r.whole = max(0, int(gjson.Parse(string(raw[wholeArgument])).Int()))
	r.failed = max(0, int(gjson.Parse(string(raw[failedArgument])).Int()))
}

// deadline returns the time at which the command stops scheduling itself: what its first run has set, or limit from now.
func (r *Run) deadline(limit time.Duration) time.Time {
	if r.until.IsZero() {
		return r.began.Add(limit)
	}
	return r.until
}

// wholeOf returns the number of things that the first run was for, at least the number of those known now.
func (r *Run) wholeOf(known int) int { return max(r.whole, known) }

// scheduled describes a command's next run.
type scheduled struct {
	// changes replace arguments of this run; a nil value removes one.
	changes map[string]any
	after   time.Duration
	until   time.Time
	// done of whole things are done.
	done, whole int
}

// again schedules the command with the arguments of this run and the changes. A span back from now becomes the time that it
// stood for: two hours back is another time when the next run begins.
func (r *Run) again(s scheduled) *warroom.Poll {
	args := map[string]any{}
	for name, value := range r.raw {
		args[name] = value
	}
	for _, argument := range r.command.Arguments() {
		var at Moment
		if argument.IsMoment && r.raw[argument.Name] != nil && setMoment(&at, textOf(gjson.ParseBytes(r.raw[argument.Name])), r.began) == nil {
			args[argument.Name] = at.Format(time.RFC3339Nano)
		}
	}
	maps.Copy(args, s.changes)
	maps.DeleteFunc(args, func(_ string, value any) bool { return value == nil })
	args[untilArgument] = s.until.UTC().Format(time.RFC3339)
	if s.whole > 0 {
		args[wholeArgument] = s.whole
	}
	if r.failed > 0 {
		args[failedArgument] = r.failed
	}
	if r.Quota != nil && r.Quota.id != "" {
		args[ticketArgument] = r.Quota.id
	}
	return &warroom.Poll{
		Command: r.command.Name, Args: args, After: min(s.after, max(0, s.until.Sub(r.began))), Limit: s.until.Sub(r.began), Done: s.done, All: s.whole,
	}
}

// scheduleRest schedules what is left of a report. If the service accepts no requests before the command's deadline, it is
// given up instead.
func (r *Run) scheduleRest(result Report) (Report, error) {
	until := result.Until
	if until.IsZero() {
		until = r.deadline(longestRetry)
	}
	if left := result.Whole - result.Done; result.Whole > 0 {
		result.Whole = r.wholeOf(result.Whole)
		result.Done = result.Whole - left
	}
	waits := result.Waits
	switch {
	case waits == "" && result.Whole > 0:
		waits = fmt.Sprintf("%d of %d are done; the service accepts no more requests at the moment", result.Done, result.Whole)
	case waits == "":
		waits = "The service accepts no more requests at the moment"
	}
	if r.began.Add(result.After).After(until) && !r.until.IsZero() {
		err := &GivenUpError{Until: until, Waits: waits}
		if len(result.Entries) == 0 {
			return Report{}, err
		}
		result.Entries = append(result.Entries, warroom.Entry{Kind: warroom.Warning, Blocks: []warroom.Block{warroom.Paragraph(err.Error())}})
		return result, nil
	}
	changes := maps.Clone(result.Left)
	changes[ranOnceArgument] = true
	poll := r.again(scheduled{changes: changes, after: result.After, until: until, done: result.Done, whole: result.Whole})
	line := warroom.Paragraph(fmt.Sprintf("%s. The next attempt is in %s; the last one will be at %s.", waits, defender.Seconds(max(result.After, warroom.LeastWait)), minute(until)))
	for i := range result.Entries {
		if entry := &result.Entries[i]; entry.Poll == nil && entry.File == nil {
			entry.Poll, entry.Blocks = poll, append(entry.Blocks, line)
			return result, nil
		}
	}
	result.Entries = append(result.Entries, warroom.Entry{Kind: warroom.Note, Blocks: []warroom.Block{line}, Poll: poll})
	return result, nil
}

// GivenUpError reports that a command stopped scheduling itself before all was done.
type GivenUpError struct {
	Until time.Time
	// Waits says how far the work is, as the beginning of a sentence.
	Waits string
}

func (e *GivenUpError) Error() string {
	return e.Waits + ". The command gave up at " + minute(e.Until) + ": run it again later for the rest."
}

func minute(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// transient reports whether an error of a request that only reads says nothing about what was asked for: the network
// failed, or the service was in trouble or out of quota. The same request may succeed later.
func transient(err error) bool {
	var throttled *defender.ThrottledError
	var broken *defender.ConnectionError
	if errors.As(err, &throttled) || errors.As(err, &broken) {
		return true
	}
	if signIn, ok := errors.AsType[*defender.SignInError](err); ok {
		return auth.Passes(signIn)
	}
	if answer, ok := errors.AsType[*defender.GatewayError](err); ok { // such as that of the gateway in front of the service
		return answer.Status >= http.StatusInternalServerError
	}
	status := defender.StatusOf(err)
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented || status == http.StatusTooManyRequests
}

// afterOf returns the wait that the service asked for, or 0.
func afterOf(err error) time.Duration {
	if throttled, ok := errors.AsType[*defender.ThrottledError](err); ok {
		return throttled.After
	}
	return 0
}

// putOff moves the ids whose errors pass to those that are left, for another run after a wait.
func (o *outcome[T]) putOff(after time.Duration, passes func(error) bool) {
	var failed []failure
	for _, one := range o.Failed {
		if passes(one.Err) {
			o.Left, o.After = append(o.Left, one.ID), max(o.After, after, afterOf(one.Err))
			continue
		}
		failed = append(failed, one)
	}
	o.Failed = failed
}

// inOneLine turns a sentence that quotes the service into one line without hidden characters.
func inOneLine(text string) string {
	return strings.Join(strings.Fields(warroom.Visible(text)), " ")
}
