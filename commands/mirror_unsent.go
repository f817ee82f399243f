package commands

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The platform takes a change for sent once update-remote-system has answered, and whether it repeats one that failed is not
// documented. So what could not be sent is kept in the integration context, whose writes are versioned, until a later round
// of mirroring has sent it, or until the analyst was told that it will not be sent.

// unsent holds the changes of one incident that could not be sent, and the message about them for its analyst.
type unsent struct {
	Change   remoteChange `json:"change,omitzero"`
	Comments []string     `json:"comments,omitempty"`
	// Alerts reports whether the alerts of a resolved incident are still to be resolved.
	Alerts bool `json:"alerts,omitempty"`
	// Reopens and Keeps are those of the outgoing change.
	Reopens bool `json:"reopens,omitempty"`
	Keeps   bool `json:"keeps,omitempty"`
	// Before holds the fields in Defender when the change failed, or is nil if they could not be read. Resolved reports whether it
	// was resolved then, or else when it was last read.
	Before   *remoteChange `json:"before,omitempty"`
	Resolved bool          `json:"resolved,omitempty"`
	// Problem tells the analyst what happened. Told is the time from which the platform asked when it was told, or empty.
	Problem string `json:"problem,omitempty"`
	Told    string `json:"told,omitempty"`
	// Quiet reports whether the failure need not be told yet, because the next round tries again first.
	Quiet bool `json:"quiet,omitempty"`
	// Since is the time of the first failure, Next that of the next try, and Tries how many there were.
	Since time.Time `json:"since"`
	Next  time.Time `json:"next,omitzero"`
	Tries int       `json:"tries,omitempty"`
}

const unsentKey = "xsoar_defender_mirror_unsent"

// The bounds of what is kept, and of the tries to send it.
const (
	maxUnsent         = 100
	maxUnsentComments = 50
	unsentFor         = 24 * time.Hour
	longestUnsentWait = 5 * time.Minute
	resentInRound     = 10
)

// left reports whether anything is still to be sent.
func (u unsent) left() bool { return !u.Change.empty() || len(u.Comments) > 0 || u.Alerts }

// open reports whether the analyst must be told something that the platform has not received yet, as far as is known.
func (u unsent) open() bool { return u.Problem != "" && !u.Quiet && u.Told == "" }

func readUnsent(values map[string]json.RawMessage) map[string]unsent {
	kept := map[string]unsent{}
	// What is not readable counts as nothing.
	if json.Unmarshal(values[unsentKey], &kept) != nil || kept == nil {
		return map[string]unsent{}
	}
	return kept
}

// loadUnsent returns what was not sent, by the ID of the alert or the incident in Defender.
func loadUnsent(ctx context.Context, run *Run) map[string]unsent {
	if !mirrorsOut(run) {
		return nil
	}
	values, err := run.Host.Load(ctx)
	if err != nil {
		run.Host.Log(ctx, "What mirroring has not sent yet could not be read: "+err.Error())
	}
	return readUnsent(values)
}

// changeUnsent lets change edit what was not sent of one object; an empty one is removed.
func changeUnsent(ctx context.Context, run *Run, id string, change func(kept unsent, found bool) unsent) {
	err := run.Host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		all := readUnsent(values)
		before, found := all[id]
		if all[id] = change(before, found); !all[id].left() && all[id].Problem == "" {
			delete(all, id)
		}
		maps.DeleteFunc(all, func(_ string, kept unsent) bool { return run.Now().Sub(kept.Since) > 2*unsentFor })
		bound(all, maxUnsent, func(a, b unsent) int { return a.Since.Compare(b.Since) })
		if len(all) == 0 {
			_, written := values[unsentKey]
			delete(values, unsentKey)
			return written, nil
		}
		values[unsentKey] = json.RawMessage(rawjson.Make(all))
		return true, nil
	})
	if err != nil {
		run.Host.Log(ctx, "What mirroring has not sent to "+id+" could not be kept: "+err.Error())
	}
}

// mirrorsOut reports whether changes of the platform go to Defender.
func mirrorsOut(run *Run) bool {
	return slices.Contains([]string{"Out", "Both"}, run.Instance.Mirror.Direction)
}

// keep keeps what a run could not send, and drops what it has sent, or asked for again, of what an earlier one could not.
func (o *outgoing) keep(ctx context.Context) {
	if !mirrorsOut(o.run) {
		return
	}
	if _, known := loadUnsent(ctx, o.run)[o.id]; !known && !o.left() && len(o.notes) == 0 && len(o.refused) == 0 {
		return
	}
	resolved := o.wasResolved(ctx)
	changeUnsent(ctx, o.run, o.id, func(kept unsent, _ bool) unsent {
		next := o.unsent()
		next.Resolved = resolved
		if kept.left() && !o.left() {
			next.Since = kept.Since // nothing new has failed
		}
		next.Change = next.Change.over(kept.Change.without(o.asked))
		for _, text := range kept.Comments {
			if !isAmong(text, o.askedComments) && !isAmong(text, next.Comments) {
				next.Comments = append(next.Comments, text)
			}
		}
		next.Comments = next.Comments[:min(len(next.Comments), maxUnsentComments)]
		next.Alerts = next.Alerts || kept.Alerts
		if next.Before == nil {
			next.Before = kept.Before
		}
		switch {
		case next.Problem != "":
		case kept.left() && !next.left():
			next.Problem = kept.resolved(o.id)
		default:
			next.Problem, next.Told, next.Quiet = kept.Problem, kept.Told, kept.Quiet
		}
		return next
	})
}

// resolved tells an analyst who was told of a failure that nothing is left of it; it is empty for one who was not.
func (u unsent) resolved(id string) string {
	if u.Problem == "" || u.Told == "" {
		return ""
	}
	return "What mirroring could not send to " + id + " since " + u.Since.Format(time.RFC3339) + " is now in Defender."
}

// wasResolved reports whether the object was resolved before the change, as far as is known.
func (o *outgoing) wasResolved(ctx context.Context) bool {
	if o.before != nil {
		return o.before.Status == statusResolved
	}
	state, known := loadMirrorState(ctx, o.run)
	if known {
		o.run.Mirrored.putState(state) // as it was read
	}
	return marked(state.Resolved, mark(o.id))
}

// left reports whether something of the change could not be sent and may be tried again.
func (o *outgoing) left() bool { return !o.change.empty() || len(o.comments) > 0 || o.alerts }

// unsent returns what is left after a run.
func (o *outgoing) unsent() unsent {
	now := o.run.Now().UTC()
	next := unsent{Since: now, Problem: o.problem(now.Add(unsentFor))}
	if o.left() {
		next.Change, next.Comments, next.Alerts, next.Reopens, next.Keeps, next.Before = o.change, o.comments, o.alerts, o.reopens, o.keeps, o.before
		next.Next, next.Quiet = now, len(o.refused) == 0 && len(o.notes) == 0
	}
	return next
}

// expired reports whether the time until which a change is tried again is over.
func (o *outgoing) expired(until time.Time) bool { return o.run.Now().After(until) }

// problem tells the analyst what was not sent, and until when it is or was tried again.
func (o *outgoing) problem(until time.Time) string {
	ending := " It is tried again until " + until.Format(time.RFC3339) + "."
	if o.expired(until) {
		ending = " It was tried until " + until.Format(time.RFC3339) + ". It is not tried again."
	}
	texts := slices.Clone(o.notes)
	for _, one := range o.refused {
		texts = append(texts, o.failureText(one)+" It is not tried again.")
	}
	for _, one := range o.failed {
		texts = append(texts, o.failureText(one)+ending)
	}
	return strings.Join(texts, "\n")
}

// failureText describes a failure. It is kept and logged, so whatever a service wrote into it, it has no secret of the instance.
func (o *outgoing) failureText(one failure) string {
	return "Mirroring to " + o.id + " failed for " + one.ID + ". " + o.run.Instance.Redact(one.Err.Error())
}

// final reports whether the service would refuse a change in the same way again.
func final(err error) bool {
	return defender.NotFound(err) || slices.Contains([]int{http.StatusBadRequest, http.StatusGone, http.StatusUnprocessableEntity}, defender.StatusOf(err))
}

// resend sends what earlier runs could not, as much as is due, and returns what is kept after that. It ends at the first
// failure, so that a service that does not answer does not hold up the round.
func resend(ctx context.Context, run *Run) map[string]unsent {
	all := loadUnsent(ctx, run)
	due := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return all[a].Next.Compare(all[b].Next) })
	due = slices.DeleteFunc(due, func(id string) bool { return !all[id].left() || all[id].Next.After(run.Now()) })
	if len(due) == 0 {
		return all
	}
	for _, id := range due[:min(len(due), resentInRound)] {
		if !resendOne(ctx, run, id) {
			break
		}
	}
	return loadUnsent(ctx, run)
}

// resendOne reports whether nothing is left to be tried again.
func resendOne(ctx context.Context, run *Run, id string) bool {
	var kept unsent
	claimed := false
	changeUnsent(ctx, run, id, func(newest unsent, _ bool) unsent {
		kept, claimed = newest, newest.left() && !newest.Next.After(run.Now())
		if claimed { // no other process may send it meanwhile
			newest.Tries++
			newest.Next = run.Now().UTC().Add(min(time.Minute<<min(newest.Tries-1, 10), longestUnsentWait))
		}
		return newest
	})
	if !claimed {
		return true
	}
	o := &outgoing{run: run, kind: remoteOf(run, id), id: id, change: kept.Change, comments: slices.Clone(kept.Comments), alerts: kept.Alerts, reopens: kept.Reopens, keeps: kept.Keeps}
	o.earlier = &kept
	if err := o.send(ctx); err != nil {
		o.failed = append(o.failed, failure{"what was left", err})
	}
	for _, one := range slices.Concat(o.refused, o.failed) {
		run.Host.Log(ctx, o.failureText(one))
	}
	changeUnsent(ctx, run, id, func(newest unsent, _ bool) unsent { return o.afterResend(newest) })
	return !o.left()
}

// afterResend returns what is kept after a try to send it again. newest is what is kept now, to which another run may have
// added.
func (o *outgoing) afterResend(newest unsent) unsent {
	next := newest
	next.Change, next.Alerts, next.Quiet = newest.Change.without(o.earlier.Change).over(o.change), o.alerts, false
	next.Comments = slices.Clone(o.comments)
	for _, text := range newest.Comments {
		if !isAmong(text, o.earlier.Comments) && !isAmong(text, o.comments) {
			next.Comments = append(next.Comments, text)
		}
	}
	if next.Before == nil {
		next.Before = o.before
	}
	until := newest.Since.Add(unsentFor)
	problem := o.problem(until)
	switch {
	case next.left() && o.expired(until):
		next.Change, next.Comments, next.Alerts = remoteChange{}, nil, false
		next.Problem, next.Told = problem, ""
	case len(o.refused) > 0 || len(o.notes) > 0 || next.left() && newest.Told == "":
		next.Problem, next.Told = problem, ""
	case !next.left():
		next.Problem, next.Told = newest.resolved(o.id), ""
	}
	return next
}

// without returns the change without the fields that another change has.
func (c remoteChange) without(other remoteChange) remoteChange {
	drop := func(text *string, set string) {
		if set != "" {
			*text = ""
		}
	}
	drop(&c.Status, other.Status)
	drop(&c.AssignedTo, other.AssignedTo)
	drop(&c.Comment, other.Comment)
	if other.Classification != "" || other.Determination != "" { // belong together
		c.Classification, c.Determination = "", ""
	}
	if other.Tags != nil {
		c.Tags = nil
	}
	return c
}

// over returns the change with the fields of another one where it has none itself.
func (c remoteChange) over(other remoteChange) remoteChange {
	other = other.without(c)
	take := func(text *string, from string) {
		if *text == "" {
			*text = from
		}
	}
	take(&c.Status, other.Status)
	take(&c.AssignedTo, other.AssignedTo)
	take(&c.Comment, other.Comment)
	take(&c.Classification, other.Classification)
	take(&c.Determination, other.Determination)
	if c.Tags == nil {
		c.Tags = other.Tags
	}
	return c
}

// isAmong reports whether a comment is one of several that are to be sent.
func isAmong(text string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return sameSent(text, other) })
}

// fields returns the fields that mirroring changes.
func (s remoteState) fields() remoteChange {
	return remoteChange{Status: s.Status, AssignedTo: s.AssignedTo, Classification: s.Classification, Determination: s.Determination, Tags: s.Tags}
}

// outdated drops of a change that is sent late what somebody has changed in Defender since, and says so. A reopening stays, which
// is only sent to something that is still resolved, and so does a close, unless what was resolved already was reopened.
func (o *outgoing) outdated(now remoteState) {
	if o.earlier == nil {
		return
	}
	same := func(field func(remoteChange) string) bool {
		if o.earlier.Before == nil {
			return !parseTime(now.Updated).After(o.earlier.Since)
		}
		return field(*o.earlier.Before) == field(now.fields())
	}
	dropped := []string{}
	drop := func(name string, text *string, field func(remoteChange) string) {
		if *text != "" && *text != field(now.fields()) && !same(field) {
			dropped = append(dropped, name+" "+*text)
			*text = ""
		}
	}
	if o.change.Status == statusResolved && o.earlier.Resolved && now.Status != statusResolved {
		dropped, o.change.Status = append(dropped, "the status Resolved"), ""
	}
	if !o.reopens && o.change.Status != statusResolved {
		drop("the status", &o.change.Status, func(c remoteChange) string { return c.Status })
	}
	drop("the assignee", &o.change.AssignedTo, func(c remoteChange) string { return c.AssignedTo })
	drop("the classification", &o.change.Classification, func(c remoteChange) string { return c.Classification })
	drop("the determination", &o.change.Determination, func(c remoteChange) string { return c.Determination })
	if o.change.Tags != nil && !slices.Equal(o.change.Tags, now.Tags) && !same(func(c remoteChange) string { return strings.Join(c.Tags, "\x00") }) {
		dropped = append(dropped, "the tags "+strings.Join(o.change.Tags, ", "))
		o.change.Tags = nil
	}
	if len(dropped) > 0 {
		o.notes = append(o.notes, "Not sent to "+o.id+", because it was changed in Defender since: "+strings.Join(dropped, ", ")+".")
	}
}

// overtake drops a status that was not sent, because the platform takes over that of Defender.
func (m *incoming) overtake(ctx context.Context, id string) {
	if kept, known := loadUnsent(ctx, m.run)[id]; !known || kept.Change.Status == "" {
		return
	}
	changeUnsent(ctx, m.run, id, func(newest unsent, _ bool) unsent {
		newest.Change.Status, newest.Reopens = "", false
		return newest
	})
}

// told returns what the analyst must know of changes that were not sent, and the entry with it. The entry comes once; if the
// platform asks from the same time again, it did not receive it.
func (m *incoming) told(ctx context.Context, id string) (problem string, entries []warroom.Entry) {
	if m.known && !slices.Contains(m.state.Unsent, id) {
		return "", nil
	}
	kept, known := loadUnsent(ctx, m.run)[id]
	if !known || kept.Problem == "" || kept.Quiet {
		return "", nil
	}
	since := m.since.Format(time.RFC3339Nano)
	if kept.left() {
		problem = kept.Problem
	}
	if kept.Told != "" && m.from.After(parseTime(kept.Told)) {
		if !kept.left() { // was received
			changeUnsent(ctx, m.run, id, func(newest unsent, _ bool) unsent {
				if newest.Told == kept.Told {
					newest.Problem, newest.Told = "", ""
				}
				return newest
			})
		}
		return problem, nil
	}
	if kept.Told == "" && !m.since.IsZero() { // else a person asks
		changeUnsent(ctx, m.run, id, func(newest unsent, found bool) unsent {
			if found && newest.Problem == kept.Problem {
				newest.Told = since
			}
			return newest
		})
	}
	return problem, []warroom.Entry{m.say(kept.Problem)}
}
