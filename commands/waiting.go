package commands

import (
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

// The names under which a command that waits passes on what it waits for.
const (
	actionArgument   = "machine_action_id"
	leftArgument     = "left_to_start"
	pollingArgument  = "polling"
	intervalArgument = "interval_in_seconds"
)

// The waits of commands that follow a machine action, where the arguments name none.
const (
	defaultInterval = 10 * time.Second
	defaultLimit    = 10 * time.Minute
)

// again schedules the command once more with the arguments of this run and the changes.
func (r *Run) again(changes map[string]any, after, limit time.Duration) *warroom.Poll {
	args := map[string]any{}
	for name, value := range r.raw {
		args[name] = value
	}
	maps.Copy(args, changes)
	return &warroom.Poll{Command: r.command.Name, Args: args, After: after, Limit: limit}
}

// pause are the arguments that say how often to look and for how long. Without them a command looks every ten
// seconds for ten minutes.
type pause struct {
	Interval int `arg:"interval_in_seconds" min:"10" max:"86400" help:"How many seconds to wait before looking again; at least 10, which is the default."`
	Timeout  int `arg:"timeout_in_seconds" min:"10" max:"604800" help:"For how many seconds to go on looking; 600 by default."`
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

// look schedules the next look at actions. It holds their ids and nothing that would start them again.
func (p pause) look(run *Run, actions ...string) *warroom.Poll {
	changes := map[string]any{actionArgument: strings.Join(actions, ","), pollingArgument: true}
	if p.Interval == 0 {
		changes[intervalArgument] = int(defaultInterval / time.Second)
	}
	poll := run.again(changes, p.interval(), p.limit())
	poll.All = len(actions)
	return poll
}

// EndedError says that a machine action ended without success.
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

// inOneLine makes one line of a sentence with words of the service, in which nothing is hidden.
func inOneLine(text string) string {
	return strings.Join(strings.Fields(warroom.Visible(text)), " ")
}

// troubles are the errors that the service tells of an action, by command.
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

// waiting are the arguments of commands that start actions on several machines and can wait for their end.
type waiting struct {
	Polling   bool `arg:"polling" default:"false" help:"Whether to wait for the end of the actions."`
	ForActive bool `arg:"wait_for_active" default:"false" help:"Whether to wait, where a machine is busy with another action of the kind, until it can start."`
	pause
	Actions []string `arg:"machine_action_id" list:"false" hidden:"true" help:"The actions that the command waits for; set by the command itself."`
	Left    []string `arg:"left_to_start" list:"false" hidden:"true" help:"What is still to be started; set by the command itself."`
}

// launch is what a command starts: one action for every target.
type launch struct {
	out Output
	// kind is the type of the actions, by which one that stands in the way is found.
	kind    string
	targets []id
	// argument is the command's argument that holds the targets; empty when none does alone.
	argument string
	// machine gives the machine of a target.
	machine func(id) string
	start   func(ctx context.Context, target id) (defender.MachineAction, error)
	// fits says whether an action is one for a target on its machine; nil: every one is.
	fits func(target id, action defender.MachineAction) bool
	// apart gives every action an entry of its own.
	apart bool
}

// machinesOf are the machines of a launch whose targets are machines.
func machinesOf(target id) string { return string(target) }

// launch starts what is to be started and follows what was started before.
func (w waiting) launch(ctx context.Context, run *Run, l launch) (Report, error) {
	switch {
	case len(w.Left) > 0:
		l.targets = idsOf(w.Left)
	case len(w.Actions) > 0:
		return w.follow(ctx, run, l)
	}
	began := run.Now()
	actions := forEachInLanes(ctx, l.targets, l.machine, func(ctx context.Context, target id) (rawjson.Value, error) {
		one := attempt{machine: l.machine(target), kind: l.kind, began: began}
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
	result, err := actions.finish(leftArgument, l.entries(started)...)
	if err != nil {
		return Report{}, err
	}
	if result.Left != nil && l.argument != "" {
		result.Left[l.argument] = result.Left[leftArgument]
	}
	if !w.Polling {
		return result, nil
	}
	return w.keep(run, result, started), nil
}

// keep makes a report of actions that were started wait for their end.
func (w waiting) keep(run *Run, result Report, started []rawjson.Value) Report {
	actions := w.Actions
	for _, action := range started {
		actions = append(actions, action.Text("id"))
	}
	if result.Left != nil {
		result.Left[actionArgument], result.Left[pollingArgument] = strings.Join(actions, ","), true
		return result
	}
	poll := w.look(run, actions...)
	delete(poll.Args, leftArgument)
	result.Entries[0].Poll = poll
	return result
}

// wait moves what failed because a machine was busy to what is left.
func (o *outcome[I, T]) wait(after time.Duration) {
	var failed []failure
	for _, one := range o.Failed {
		if _, ok := errors.AsType[*BusyError](one.Err); ok {
			if target, ok := any(id(one.ID)).(I); ok {
				o.Left, o.After = append(o.Left, target), max(o.After, after)
				continue
			}
		}
		failed = append(failed, one)
	}
	o.Failed = failed
}

// entries shows actions, together or apart.
func (l launch) entries(actions []rawjson.Value) []warroom.Entry {
	if !l.apart {
		if l.out.Single && len(actions) == 1 {
			return []warroom.Entry{l.out.one(actions[0])}
		}
		return []warroom.Entry{l.out.rows(actions, rawjson.Join(actions))}
	}
	entries := make([]warroom.Entry, len(actions))
	for i, action := range actions {
		entries[i] = l.out.one(action)
	}
	return entries
}

// follow looks whether the actions have ended. While one has not, it schedules the next look and says nothing.
func (w waiting) follow(ctx context.Context, run *Run, l launch) (Report, error) {
	looked := forEach(ctx, idsOf(w.Actions), func(ctx context.Context, id id) (defender.MachineAction, error) {
		return run.API.MachineAction(ctx, string(id))
	})
	var ended []rawjson.Value
	failed, running := looked.Failed, 0
	for _, one := range looked.Done {
		switch {
		case one.Value.Running():
			running++
			continue
		case !one.Value.Succeeded():
			failed = append(failed, failure{string(one.ID), &EndedError{one.Value}})
		}
		ended = append(ended, one.Value.Value)
	}
	if running+len(looked.Left) > 0 {
		poll := w.look(run, w.Actions...)
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
