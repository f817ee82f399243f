package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The arguments with which a waiting command passes its state to its next run.
const (
	actionArgument   = "machine_action_id"
	leftArgument     = "left_to_start"
	pollingArgument  = "polling"
	intervalArgument = "interval_in_seconds"
)

// The default waits of commands that follow a machine action.
const (
	defaultInterval = 10 * time.Second
	defaultLimit    = 10 * time.Minute
)

// pause holds the arguments that set how often and for how long a command checks. By default it checks every ten
// seconds for ten minutes.
type pause struct {
	Interval int `arg:"interval_in_seconds" min:"0" max:"86400" help:"The number of seconds between two checks of the status; 10 by default, which is also the minimum."`
	Timeout  int `arg:"timeout_in_seconds" min:"0" max:"604800" help:"The number of seconds after which the command stops waiting; 600 by default."`
}

// interval returns the time between two checks. Existing playbooks ask for less than the platform grants, and get that.
func (p pause) interval() time.Duration {
	if p.Interval == 0 {
		return defaultInterval
	}
	return max(time.Duration(p.Interval)*time.Second, warroom.LeastWait)
}

func (p pause) limit() time.Duration {
	if p.Timeout == 0 {
		return defaultLimit
	}
	return max(time.Duration(p.Timeout)*time.Second, warroom.LeastWait)
}

// startLimit is how long a command may take to start its actions. Without a limit of the user's, the quota of the service
// decides, and the time to wait for their end begins when all are started.
func (p pause) startLimit() time.Duration {
	if p.Timeout > 0 {
		return p.limit()
	}
	return longestRetry
}

// passedOn returns the ids of actions as an argument of the next run: as a list, except for the argument that all but one
// of the commands share.
func passedOn(argument string, actions []string) any {
	if argument == actionArgument {
		return strings.Join(actions, ",")
	}
	return actions
}

// EndedError reports that a machine action ended without success.
type EndedError struct{ Action defender.MachineAction }

func (e *EndedError) Error() string {
	a := e.Action
	text := fmt.Sprintf("The machine action %s (%s) on machine %s ended as %s", a.ID(), a.Text("type"), a.Text("machineId"), a.Status())
	if told := troubles(a); told != "" {
		text += ": " + told
	}
	switch {
	case strings.EqualFold(a.Status(), "TimeOut"):
		text += ". The machine did not take the action in time: check that it is on and reaches the service"
	case strings.EqualFold(a.Status(), "Cancelled"):
		if by := a.Text("cancellationRequestor"); by != "" {
			text += ", by " + by
		}
		if why := a.Text("cancellationComment"); why != "" {
			text += ": " + why
		}
	}
	return inOneLine(text) + "."
}

// troubles returns the errors that the service reports for an action, by command.
func troubles(action defender.MachineAction) string {
	var told []string
	if info := action.Text("troubleshootInfo"); info != "" {
		told = append(told, info)
	}
	for _, command := range action.Items("commands") {
		for _, problem := range command.Items("errors") {
			told = append(told, "command "+command.Text("index")+": "+problem.String())
		}
	}
	return strings.Join(told, "; ")
}

// waiting holds the arguments of commands that start actions on several machines and can wait until they end.
type waiting struct {
	Polling   bool `arg:"polling" default:"false" help:"Whether to wait until the actions have ended."`
	ForActive bool `arg:"wait_for_active" default:"false" help:"Whether to wait until the action can start when a machine is busy with another action of the same type."`
	pause
	Actions []string `arg:"machine_action_id" list:"false" hidden:"true" help:"The actions that the command is waiting for. Set by the command itself."`
	Left    []string `arg:"left_to_start" list:"false" hidden:"true" help:"The targets that remain to be started. Set by the command itself."`
}

// launch describes what a command starts: one action for every target.
type launch struct {
	out Output
	// operation starts the actions.
	operation defender.Operation
	targets   []string
	// argument is the command's argument that holds the targets, or empty if they come from several arguments.
	argument string
	// machine returns the machine of a target.
	machine func(string) string
	start   func(ctx context.Context, target string) (defender.MachineAction, error)
	// fits reports whether an action is for a target on its machine; nil accepts every action.
	fits func(target string, action defender.MachineAction) bool
	// following names the argument that holds the actions that the command waits for, if it is not machine_action_id.
	following string
	// unstarted returns an object to show for a target whose action was not started; nil shows none. With it the command shows all
	// its actions in one list, whatever became of them, and what the service refused is no error, even if it refused everything.
	unstarted func(target string) rawjson.Value
}

// drive starts the actions that have not been started and follows those that have.
func (w waiting) drive(ctx context.Context, run *Run, l launch) (Report, error) {
	if len(w.Left) == 0 && len(w.Actions) > 0 {
		return w.follow(ctx, run, l)
	}
	if len(w.Left) > 0 {
		l.targets = w.Left
	}
	whole := run.wholeOf(len(l.targets))
	until := run.deadline(w.startLimit())
	began := run.Now()
	actions := forEachInLanes(ctx, l.targets, l.machine, func(ctx context.Context, target string) (rawjson.Value, error) {
		one := actionStart{machine: l.machine(target), kind: l.operation.Starts, began: began}
		if l.fits != nil {
			one.fits = func(action defender.MachineAction) bool { return l.fits(target, action) }
		}
		action, err := one.try(ctx, run, func(ctx context.Context) (defender.MachineAction, error) { return l.start(ctx, target) })
		return action.Value, err
	})
	waits := "the service accepts no more requests at the moment"
	if w.ForActive {
		before := len(actions.Left)
		actions.putOff(w.interval(), isBusy)
		if before == 0 && len(actions.Left) > 0 {
			waits = "the rest waits for machines that are busy with another action"
		}
	}
	// A run that is stopped passes on what it did not get to.
	actions.putOff(w.interval(), func(err error) bool {
		return ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) && !defender.MayHaveActed(err)
	})
	if !run.began.Before(until) {
		// Nothing more is started after the deadline. What was started before is still looked at.
		for _, target := range actions.Left {
			actions.Failed = append(actions.Failed, failure{target, &NotStartedError{until}})
		}
		actions.Left = nil
	}
	run.failed += len(actions.Failed)
	listed := l.unstarted != nil && allRefused(actions.Failed)
	if !listed && (run.failed >= whole || len(actions.Done)+len(actions.Left)+len(w.Actions) == 0) {
		if err := failuresError(actions.Failed); err != nil {
			return Report{}, err
		}
	}
	started := values(actions.Done)
	var entries []warroom.Entry
	if shown := l.shown(actions); len(shown) > 0 {
		entries = l.entries(shown)
	}
	result := actions.report(leftArgument, entries...)
	if result.Left == nil {
		w.keep(run, l, &result, started, until, whole)
		return result, nil
	}
	result.Until, result.Whole = until, whole
	result.Done = whole - len(actions.Left)
	result.Waits = fmt.Sprintf("%d of %d actions (%s) were started; %s", result.Done, whole, l.operation.Starts, waits)
	if l.argument != "" {
		result.Left[l.argument] = result.Left[leftArgument]
	}
	if w.Polling {
		result.Left[l.followed()], result.Left[pollingArgument] = passedOn(l.followed(), append(w.Actions, runningOf(started)...)), true
	}
	return result, nil
}

// allRefused reports whether the service refused everything that failed, so that it certainly did none of it.
func allRefused(failed []failure) bool {
	return !slices.ContainsFunc(failed, func(one failure) bool {
		return defender.StatusOf(one.Err) == 0 || defender.MayHaveActed(one.Err)
	})
}

// NotStartedError reports that an action was not started before the command's deadline.
type NotStartedError struct{ Until time.Time }

func (e *NotStartedError) Error() string {
	return "The action was not started before " + minute(e.Until) + ", when the command gave up. Run the command again for it, with a longer timeout_in_seconds."
}

// runningOf returns the ids of the actions that have not ended.
func runningOf(actions []rawjson.Value) []string {
	var ids []string
	for _, action := range actions {
		if action := (defender.MachineAction{Value: action}); action.Running() {
			ids = append(ids, action.ID())
		}
	}
	return ids
}

// shown returns the actions that were started and, in the order of the targets, what stands for those that were not.
func (l launch) shown(actions outcome[rawjson.Value]) []rawjson.Value {
	byTarget := map[string]rawjson.Value{}
	for _, one := range actions.Done {
		byTarget[one.ID] = one.Value
	}
	if l.unstarted != nil {
		for _, one := range actions.Failed {
			byTarget[one.ID] = l.unstarted(one.ID)
		}
	}
	var shown []rawjson.Value
	for _, target := range l.targets {
		if object, known := byTarget[target]; known {
			shown = append(shown, object)
		}
	}
	return shown
}

// keep schedules the wait for the actions that have not ended, in the first entry of a report.
func (w waiting) keep(run *Run, l launch, result *Report, started []rawjson.Value, until time.Time, whole int) {
	actions := slices.Concat(w.Actions, runningOf(started))
	if !w.Polling || len(actions) == 0 {
		return
	}
	if w.Timeout == 0 {
		until = run.began.Add(w.limit())
	}
	poll, line := w.nextLook(run, l.followed(), l.operation.Starts, actions, len(actions), until, whole, 0)
	entry := &result.Entries[0]
	entry.Poll, entry.Blocks = poll, append(entry.Blocks, line)
}

// nextLook schedules the next look at actions, of which open have not ended, and returns the line that says so. It carries
// the ids of actions, in argument, and nothing that would start them again.
func (p pause) nextLook(run *Run, argument, kind string, actions []string, open int, until time.Time, whole int, after time.Duration) (*warroom.Poll, warroom.Block) {
	changes := map[string]any{argument: passedOn(argument, actions), pollingArgument: true, leftArgument: nil}
	if p.Interval == 0 {
		changes[intervalArgument] = int(defaultInterval / time.Second)
	}
	whole = max(whole, len(actions))
	poll := run.again(scheduled{changes: changes, after: max(p.interval(), after), until: until, done: whole - open, whole: whole})
	return poll, warroom.Paragraph(fmt.Sprintf("Waiting for %s until %s: %d of %d ended.", actionsOf(kind, whole), minute(until), whole-open, whole))
}

func actionsOf(kind string, number int) string {
	if number == 1 {
		return "the machine action (" + kind + ")"
	}
	return fmt.Sprintf("%d machine actions (%s)", number, kind)
}

// followed names the argument that holds the actions that the command waits for.
func (l launch) followed() string { return cmp.Or(l.following, actionArgument) }

// entries shows actions.
func (l launch) entries(actions []rawjson.Value) []warroom.Entry {
	if l.out.Single && len(actions) == 1 {
		return []warroom.Entry{l.out.objectEntry(actions[0])}
	}
	return []warroom.Entry{l.out.rowsEntry(actions, rawjson.Join(actions))}
}

// looked is the result of a look at actions.
type looked struct {
	ended []defender.MachineAction
	// failed are the actions that cannot be read for a reason that does not pass.
	failed []failure
	// open are the ids of actions that have not ended, as far as is known.
	open  []string
	after time.Duration
	// read are the actions as they are, ended or not, without those that could not be read.
	read []defender.MachineAction
}

// unlistedActions is the number of actions that one look asks for on their own because the list does not have them yet.
const unlistedActions = 20

// settling is how long after the first run of a command an action may be missing from the service.
const settling = 2 * time.Minute

// lookAt reads actions that are waited for. It takes one request for about 40 actions. A look that fails because the
// network or the service does, or because an action does not exist yet shortly after the first run of the command, has seen
// nothing.
func lookAt(ctx context.Context, run *Run, ids []string, first time.Time) looked {
	fresh := run.began.Before(first.Add(settling))
	read := run.API.MachineAction
	if len(ids) >= leastListed {
		read = run.API.MachineActionOnce
	}
	list := func(ctx context.Context, ids []string) (map[string]defender.MachineAction, error) {
		found, err := run.API.MachineActionsByID(ctx, ids)
		actions := make(map[string]defender.MachineAction, len(found))
		for id, action := range found {
			actions[id] = defender.MachineAction{Value: action}
		}
		return actions, err
	}
	actions := someListed(ctx, ids, unlistedActions, list, read)
	actions.putOff(0, func(err error) bool {
		return errors.Is(err, errNotAsked) || transient(err) || ctx.Err() != nil || fresh && defender.NotFound(err)
	})
	// Those that were not asked for are the first of the next look, so that all have their turn.
	result := looked{failed: actions.Failed, open: actions.Left, after: actions.After}
	for _, one := range actions.Done {
		result.read = append(result.read, one.Value)
		if one.Value.Running() {
			result.open = append(result.open, one.ID)
		} else {
			result.ended = append(result.ended, one.Value)
		}
	}
	return result
}

// UnfinishedError reports that an action had not ended at the command's deadline.
type UnfinishedError struct {
	Action string
	Until  time.Time
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("The machine action %s had not ended at %s, when the command stopped waiting. It continues: see !%s id=%s.", e.Action, minute(e.Until), ActionsCommand, e.Action)
}

// follow checks whether the actions have ended, shows those that have and schedules the next check of the others until the
// deadline.
func (w waiting) follow(ctx context.Context, run *Run, l launch) (Report, error) {
	whole := run.wholeOf(len(w.Actions))
	until := run.deadline(w.limit())
	seen := lookAt(ctx, run, w.Actions, until.Add(-w.limit()))
	over := !run.began.Before(until)
	failed := seen.failed
	ended := make([]rawjson.Value, len(seen.ended))
	for i, action := range seen.ended {
		if ended[i] = action.Value; !action.Succeeded() {
			failed = append(failed, failure{action.ID(), &EndedError{action}})
		}
	}
	if over {
		for _, id := range seen.open {
			failed = append(failed, failure{id, &UnfinishedError{id, until}})
		}
	}
	if l.unstarted != nil && len(seen.open) > 0 && !over {
		poll, line := w.nextLook(run, l.followed(), l.operation.Starts, w.Actions, len(seen.open), until, whole, seen.after)
		return report(warroom.Entry{Blocks: []warroom.Block{line}, Poll: poll}), nil
	}
	run.failed += len(failed)
	if len(failed) > 0 && run.failed >= whole && (l.unstarted == nil || len(ended) == 0) {
		return Report{}, failuresError(failed) // earlier looks have shown the other failures
	}
	var entries []warroom.Entry
	if len(ended) > 0 {
		entries = l.entries(ended)
	}
	if len(failed) > 0 {
		entries = withFailures(entries, failed)
	}
	if len(seen.open) > 0 && !over {
		poll, line := w.nextLook(run, l.followed(), l.operation.Starts, seen.open, len(seen.open), until, whole, seen.after)
		if len(entries) == 0 {
			entries = []warroom.Entry{{}}
		}
		entries[0].Poll, entries[0].Blocks = poll, append(entries[0].Blocks, line)
	}
	return report(entries...), nil
}
