package commands

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"xsoar-defender/defender"
)

// BusyError reports that a machine refused an action because another one of the same type has not ended. Running is empty if
// that one was not found.
type BusyError struct {
	Machine string
	// Kind is the type of the machine action that was refused.
	Kind    string
	Running defender.MachineAction
	Err     error
}

func (e *BusyError) Error() string {
	remedy := "Wait until it has ended, which the command does with wait_for_active=true"
	if e.Running.ID() != "" {
		remedy += ", or cancel it"
	}
	return e.state() + ". " + remedy + "."
}

// state says what keeps the machine busy, as a sentence without its end.
func (e *BusyError) state() string {
	switch {
	case e.Running.ID() != "":
	case e.Kind == defender.RunLiveResponse.Starts:
		return fmt.Sprintf("Machine %s is busy with another live response session, which is not in the list of machine actions: it may have been begun in the portal", e.Machine)
	default:
		return fmt.Sprintf("Machine %s is busy with another action, which is not in the list of machine actions of the same type", e.Machine)
	}
	requested := ""
	if by := e.Running.Text("requestor"); by != "" {
		requested += " by " + by
	}
	if at := e.Running.Text("creationDateTimeUtc"); at != "" {
		requested += " at " + at
	}
	if requested != "" {
		requested = ", requested" + requested + ","
	}
	return inOneLine(fmt.Sprintf("Machine %s is busy: the machine action %s (%s)%s is %s", e.Machine, e.Running.ID(), e.Running.Text("type"), requested, e.Running.Status()))
}

func (e *BusyError) Unwrap() error { return e.Err }

// UnknownActionError reports that the service does not know a machine action.
type UnknownActionError struct {
	ID  string
	Err error
}

func (e *UnknownActionError) Error() string {
	return fmt.Sprintf("There is no machine action %s. %s", e.ID, e.Err)
}

func (e *UnknownActionError) Unwrap() error { return e.Err }

// NoActionError reports that the service answered the start of an action with something other than a machine action.
// Without its ID an action cannot be followed, and a command that waits for its end would start it again.
type NoActionError struct {
	Kind string
	// Said holds what the answer says instead, or "".
	Said string
}

func (e *NoActionError) Error() string {
	what := "is not a machine action"
	if said := strings.TrimRight(e.Said, ". "); said != "" {
		what += " and says: " + said
	}
	return fmt.Sprintf("The service accepted the request (%s), but its answer %s. The service may have acted on it: check the machine before you try again.", e.Kind, what)
}

// UnknownOutcomeError reports that the answer to the start of an action is missing, and what the machine's list of
// actions showed afterwards.
type UnknownOutcomeError struct {
	Machine string
	// Found is the action that was most likely started, or nil without one.
	Found *defender.MachineAction
	Err   error
}

func (e *UnknownOutcomeError) Error() string {
	if e.Found == nil {
		return fmt.Sprintf("%s A check of machine %s right afterwards found no such machine action, but one may still appear.", e.Err, e.Machine)
	}
	found := *e.Found
	var text strings.Builder
	fmt.Fprintf(&text, "%s It most likely did: machine %s has the machine action %s", e.Err, e.Machine, found.ID())
	for _, detail := range []struct{ format, value string }{
		{" (%s)", found.Text("type")},
		{", requested by %s", found.Text("requestor")},
		{" at %s", found.Text("creationDateTimeUtc")},
		{", which is %s", found.Status()},
	} {
		if detail.value != "" {
			fmt.Fprintf(&text, detail.format, detail.value)
		}
	}
	return inOneLine(text.String() + ".")
}

func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// actionStart is the start of one action on a machine.
type actionStart struct {
	machine, kind string
	began         time.Time
	// fits reports whether an action may be the one that was started; nil accepts every action of the kind on
	// the machine.
	fits func(defender.MachineAction) bool
}

// try starts the action. An error explains why that failed.
func (a actionStart) try(ctx context.Context, run *Run, start func(context.Context) (defender.MachineAction, error)) (defender.MachineAction, error) {
	action, err := start(ctx)
	switch {
	case err == nil && (action.ID() == "" || action.Status() == ""):
		err = a.explainUnknown(ctx, run, &NoActionError{a.kind, defender.Says(action.Value)})
	case defender.MayHaveActed(err):
		err = a.explainUnknown(ctx, run, err)
	case err != nil:
		err = a.explainBusy(ctx, run, err)
	}
	return action, err
}

// clockDifference is how far the service's clock may be behind ours. Naming an earlier action does less harm than
// denying that there is one.
const clockDifference = time.Minute

// mostActions is the number of recent actions that are checked: quarantine starts one for every file.
const mostActions = 100

// explainUnknown checks whether the service acted on a start whose answer is missing.
func (a actionStart) explainUnknown(ctx context.Context, run *Run, err error) error {
	actions, lookErr := run.API.MachineActions(ctx, defender.Query{
		Filter: defender.And(
			defender.Equal("machineId", a.machine), defender.Equal("type", a.kind),
			defender.Since("creationDateTimeUtc", a.began.Add(-clockDifference)),
		),
		Limit: mostActions,
	})
	if lookErr != nil {
		return err
	}
	unknown := &UnknownOutcomeError{Machine: a.machine, Err: err}
	for _, item := range actions.Items {
		if action := (defender.MachineAction{Value: item}); a.fits == nil || a.fits(action) {
			unknown.Found = &action
			break
		}
	}
	return unknown
}

// explainBusy looks for the action that is in the way after the service refused to start one. Only live response has
// an error code for it; other kinds are refused as a bad request, so the machine's list of actions decides. It does not
// have the sessions that were begun in the portal.
func (a actionStart) explainBusy(ctx context.Context, run *Run, err error) error {
	var refused *defender.APIError
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		return err
	}
	if refused.Code != defender.ActiveRequestExists && refused.Code != "BadRequest" {
		return err
	}
	actions, lookErr := run.API.MachineActions(ctx, defender.Query{
		Filter: defender.And(
			defender.Equal("machineId", a.machine), defender.Equal("type", a.kind),
			defender.EqualAny("status", []string{"Pending", "InProgress"}),
		),
		Limit: 1,
	})
	busy := &BusyError{Machine: a.machine, Kind: a.kind, Err: err}
	if lookErr == nil && len(actions.Items) > 0 {
		busy.Running = defender.MachineAction{Value: actions.Items[0]}
	} else if refused.Code != defender.ActiveRequestExists {
		return err
	}
	return busy
}

func isBusy(err error) bool {
	var busy *BusyError
	return errors.As(err, &busy)
}
