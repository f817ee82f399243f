package commands

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"xsoar-defender/defender"
)

// BusyError says that a machine does not take an action because another one of the kind has not ended.
type BusyError struct {
	Machine string
	Running defender.MachineAction
	Err     error
}

func (e *BusyError) Error() string {
	return inOneLine(fmt.Sprintf("Machine %s is busy: the machine action %s (%s), asked for by %s at %s, is %s. Wait for its end, or cancel it.",
		e.Machine, e.Running.ID(), e.Running.Text("type"), e.Running.Text("requestor"), e.Running.Text("creationDateTimeUtc"), e.Running.Status()))
}

func (e *BusyError) Unwrap() error { return e.Err }

// NoActionError says that the service answered a start with something that is no machine action. Without its ID nobody
// can follow an action, and what waits for its end would start it again.
type NoActionError struct{ Kind string }

func (e *NoActionError) Error() string {
	return fmt.Sprintf("The service took the request (%s) but its answer is no machine action. The service may have acted on it: look before you try again.", e.Kind)
}

// UnknownOutcomeError says that a start was sent whose answer is missing, and what a look at the machine's actions
// found.
type UnknownOutcomeError struct {
	Machine string
	// Found is the action that the start has most likely made; nil when there was none.
	Found *defender.MachineAction
	Err   error
}

func (e *UnknownOutcomeError) Error() string {
	if e.Found == nil {
		return fmt.Sprintf("%s A look at machine %s right after it found no such machine action, but one may still show up.", e.Err, e.Machine)
	}
	found := *e.Found
	return inOneLine(fmt.Sprintf("%s A look found that it most likely did: machine %s has the machine action %s (%s), asked for by %s at %s, which is %s.",
		e.Err, e.Machine, found.ID(), found.Text("type"), found.Text("requestor"), found.Text("creationDateTimeUtc"), found.Status()))
}

func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// attempt is the start of one action on a machine, for which an explanation may be needed.
type attempt struct {
	machine, kind string
	began         time.Time
	// fits says whether an action is one that the attempt may have made; nil: all of the kind on the machine are.
	fits func(defender.MachineAction) bool
}

// try starts an action and explains why that failed.
func (a attempt) try(ctx context.Context, run *Run, start func() (defender.MachineAction, error)) (defender.MachineAction, error) {
	action, err := start()
	switch {
	case err == nil && (action.ID() == "" || action.Status() == ""):
		err = a.explainUnknown(ctx, run, &NoActionError{a.kind})
	case defender.MayHaveActed(err):
		err = a.explainUnknown(ctx, run, err)
	case err != nil:
		err = a.explainBusy(ctx, run, err)
	}
	return action, err
}

// clockDifference is how far the service's clock may be behind: to name an action that was there before does less harm
// than to say that there is none.
const clockDifference = time.Minute

// mostActions is how many actions a look takes in: quarantine starts one for every file.
const mostActions = 100

// explainUnknown looks whether the service has acted on a start whose answer is missing.
func (a attempt) explainUnknown(ctx context.Context, run *Run, err error) error {
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

// explainBusy looks for the action that stands in the way when the service refused to start one. The service
// has a code for it only for live response; other kinds are refused as a bad request, so the machine's actions
// tell.
func (a attempt) explainBusy(ctx context.Context, run *Run, err error) error {
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
	if lookErr != nil || len(actions.Items) == 0 {
		return err
	}
	return &BusyError{Machine: a.machine, Running: defender.MachineAction{Value: actions.Items[0]}, Err: err}
}

func isBusy(err error) bool {
	var busy *BusyError
	return errors.As(err, &busy)
}
