package commands

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"xsoar-defender/defender"
)

// BusyError says that a machine does not take an action because another one of the kind has not ended.
type BusyError struct {
	Machine string
	Running defender.MachineAction
	Err     error
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("Machine %s is busy: the machine action %s (%s), asked for by %s at %s, is %s. Wait for its end, or cancel it.",
		e.Machine, e.Running.ID(), e.Running.Text("type"), e.Running.Text("requestor"), e.Running.Text("creationDateTimeUtc"), e.Running.Status())
}

func (e *BusyError) Unwrap() error { return e.Err }

// explainBusy looks for the action that stands in the way when the service refused to start one. The service
// has a code for it only for live response; other kinds are refused as a bad request, so the machine's actions
// tell.
func explainBusy(ctx context.Context, run *Run, machine, kind string, err error) error {
	var refused *defender.APIError
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		return err
	}
	if refused.Code != defender.ActiveRequestExists && refused.Code != "BadRequest" {
		return err
	}
	actions, lookErr := run.API.MachineActions(ctx, defender.Query{
		Filter: defender.And(
			defender.Equal("machineId", machine), defender.Equal("type", kind),
			defender.EqualAny("status", []string{"Pending", "InProgress"}),
		),
		Limit: 1,
	})
	if lookErr != nil || len(actions.Items) == 0 {
		return err
	}
	return &BusyError{Machine: machine, Running: defender.MachineAction{Object: actions.Items[0]}, Err: err}
}

func isBusy(err error) bool {
	var busy *BusyError
	return errors.As(err, &busy)
}
