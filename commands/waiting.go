package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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

// again schedules the command with the arguments of this run and the changes.
func (r *Run) again(changes map[string]any, after, limit time.Duration) *warroom.Poll {
	args := map[string]any{}
	for name, value := range r.raw {
		args[name] = value
	}
	maps.Copy(args, changes)
	return &warroom.Poll{Command: r.command.Name, Args: args, After: after, Limit: limit}
}

// pause holds the arguments that set how often and for how long a command checks. By default it checks every ten
// seconds for ten minutes.
type pause struct {
	Interval int `arg:"interval_in_seconds" min:"10" max:"86400" help:"The number of seconds between two checks of the status; at least 10, which is the default."`
	Timeout  int `arg:"timeout_in_seconds" min:"10" max:"604800" help:"The number of seconds after which the command stops waiting; 600 by default."`
}

func (p pause) interval() time.Duration {
	if p.Interval == 0 {
		return defaultInterval
	}
	return time.Duration(p.Interval) * time.Second
}

func (p pause) limit() time.Duration {
	if p.Timeout == 0 {
		return defaultLimit
	}
	return time.Duration(p.Timeout) * time.Second
}

// look schedules the next check of actions. It holds their ids, in argument, and nothing that would start them again.
func (p pause) look(run *Run, argument string, actions ...string) *warroom.Poll {
	changes := map[string]any{argument: passedOn(argument, actions), pollingArgument: true}
	if p.Interval == 0 {
		changes[intervalArgument] = int(defaultInterval / time.Second)
	}
	poll := run.again(changes, p.interval(), p.limit())
	poll.All = len(actions)
	return poll
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
		text += ", by " + a.Text("cancellationRequestor") + ": " + a.Text("cancellationComment")
	}
	return inOneLine(text) + "."
}

// inOneLine turns a sentence that quotes the service into one line without hidden characters.
func inOneLine(text string) string {
	return strings.Join(strings.Fields(warroom.Visible(text)), " ")
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
	// unstarted returns an object to show for a target whose action was not started; nil shows none.
	unstarted func(target string) rawjson.Value
}

// launch starts the actions that have not been started and follows those that have.
func (w waiting) launch(ctx context.Context, run *Run, l launch) (Report, error) {
	switch {
	case len(w.Left) > 0:
		l.targets = w.Left
	case len(w.Actions) > 0:
		return w.follow(ctx, run, l)
	}
	began := run.Now()
	actions := forEachInLanes(ctx, l.targets, l.machine, func(ctx context.Context, target string) (rawjson.Value, error) {
		one := attempt{machine: l.machine(target), kind: l.operation.Starts, began: began}
		if l.fits != nil {
			one.fits = func(action defender.MachineAction) bool { return l.fits(target, action) }
		}
		action, err := one.try(ctx, run, func() (defender.MachineAction, error) { return l.start(ctx, target) })
		return action.Value, err
	})
	if w.ForActive {
		actions.wait(w.interval())
	}
	started := values(actions.Done)
	result, err := actions.finish(leftArgument, l.entries(l.shown(actions))...)
	if err != nil {
		return Report{}, err
	}
	if result.Left != nil && l.argument != "" {
		result.Left[l.argument] = result.Left[leftArgument]
	}
	if !w.Polling {
		return result, nil
	}
	return w.keep(run, l, result, started), nil
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
			delete(byTarget, target)
		}
	}
	return shown
}

// keep schedules the wait for the actions that were started. Without any there is nothing to wait for.
func (w waiting) keep(run *Run, l launch, result Report, started []rawjson.Value) Report {
	actions := w.Actions
	for _, action := range started {
		actions = append(actions, action.Text("id"))
	}
	if result.Left != nil {
		result.Left[l.followed()], result.Left[pollingArgument] = passedOn(l.followed(), actions), true
		return result
	}
	poll := w.look(run, l.followed(), actions...)
	delete(poll.Args, leftArgument)
	result.Entries[0].Poll = poll
	return result
}

// wait moves the targets that failed because their machine was busy to those that are left.
func (o *outcome[T]) wait(after time.Duration) {
	var failed []failure
	for _, one := range o.Failed {
		if _, ok := errors.AsType[*BusyError](one.Err); ok {
			o.Left, o.After = append(o.Left, one.ID), max(o.After, after)
			continue
		}
		failed = append(failed, one)
	}
	o.Failed = failed
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

// follow checks whether the actions have ended. While one has not, it schedules the next check and shows nothing.
func (w waiting) follow(ctx context.Context, run *Run, l launch) (Report, error) {
	looked := forEach(ctx, w.Actions, func(ctx context.Context, id string) (defender.MachineAction, error) {
		return run.API.MachineAction(ctx, id)
	})
	var ended []rawjson.Value
	failed, running := looked.Failed, 0
	for _, one := range looked.Done {
		switch {
		case one.Value.Running():
			running++
			continue
		case !one.Value.Succeeded():
			failed = append(failed, failure{one.ID, &EndedError{one.Value}})
		}
		ended = append(ended, one.Value.Value)
	}
	if running+len(looked.Left) > 0 {
		poll := w.look(run, l.followed(), w.Actions...)
		poll.Done = poll.All - running - len(looked.Left)
		poll.After = max(poll.After, looked.After)
		return report(warroom.Entry{Poll: poll}), nil
	}
	if len(failed) == len(w.Actions) {
		return Report{}, failuresError(failed)
	}
	entries := l.entries(ended)
	if len(failed) > 0 {
		entries = withFailures(entries, failed)
	}
	return report(entries...), nil
}
