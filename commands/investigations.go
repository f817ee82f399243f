package commands

import (
	"context"
	"fmt"
	"net/http"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func investigationCommands() []func() Command {
	return []func() Command{
		listInvestigations,
		startInvestigation,
	}
}

// investigationOutput shows automated investigations. The manifest has always declared the key State, while the
// key that was filled is InvestigationState: both are filled.
func investigationOutput(title string) Output {
	return Output{
		Path: "MicrosoftATP.Investigation", Key: "val.ID === obj.ID", Title: title, Empty: "No automated investigation was found.",
		Columns: []string{"StartTime", "InvestigationState", "ComputerDNSName", "EndTime", "CancelledBy", "StatusDetails", "ID", "MachineID", "TriggeringAlertID"},
		Pages:   machineActionPages(),
		View: warroom.NewView(
			warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The investigation's ID."},
			warroom.Field{Name: "StartTime", From: "startTime", Type: warroom.Date, Help: "When it began."},
			warroom.Field{Name: "EndTime", From: "endTime", Type: warroom.Date, Help: "When it ended."},
			warroom.Field{Name: "InvestigationState", From: "state", Type: warroom.String, Help: "Its state."},
			warroom.Field{Name: "State", From: "state", Type: warroom.String, Help: "Its state."},
			warroom.Field{Name: "CancelledBy", From: "cancelledBy", Type: warroom.Unknown, Help: "Who cancelled it."},
			warroom.Field{Name: "StatusDetails", From: "statusDetails", Type: warroom.Unknown, Help: "More about its state."},
			warroom.Field{Name: "MachineID", From: "machineId", Type: warroom.String, Help: "The ID of the machine."},
			warroom.Field{Name: "ComputerDNSName", From: "computerDnsName", Type: warroom.String, Help: "The name of the machine."},
			warroom.Field{Name: "TriggeringAlertID", From: "triggeringAlertId", Type: warroom.String, Help: "The ID of the alert that started it."},
		),
	}
}

func listInvestigations() Command {
	type args struct {
		ID     string `arg:"id" help:"The ID of a single investigation."`
		Limit  int    `arg:"limit" default:"50" min:"1" help:"The maximum number of investigations to return."`
		Offset int    `arg:"offset" default:"0" min:"0" help:"The number of investigations to skip."`
	}
	out := investigationOutput("Automated investigations")
	return declare(Command{
		Name: "microsoft-atp-list-investigations", Area: Investigations,
		Help:    "Lists automated investigations, or shows one by its ID.",
		Uses:    []defender.Operation{defender.ListInvestigations, defender.GetInvestigation},
		Outputs: []Output{out},
		Example: `limit=10`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if in.ID != "" {
			return out.objectReport(run.API.Investigation(ctx, in.ID))
		}
		// The page is cut here and not by the service, so that the contents hold what playbooks have always found
		// there: the list from its beginning.
		all, err := run.API.Investigations(ctx, defender.Query{})
		if err != nil {
			return Report{}, err
		}
		return report(out.partEntry(all, in.Offset, in.Limit)), nil
	})
}

// partEntry returns the entry for a part of a list that the service returns whole. Its contents are all items.
func (o Output) partEntry(list defender.List, offset, limit int) warroom.Entry {
	all := list.Items
	list.Items = all[min(offset, len(all)):min(offset+limit, len(all))]
	list.More, list.Limited, list.Skipped = list.More || offset+limit < len(all), true, offset
	list.Whole = rawjson.Join(all)
	return o.listEntry(list)
}

// RetiredError reports that Microsoft has retired an operation.
type RetiredError struct {
	What, Instead string
	Err           error
}

func (e *RetiredError) Error() string {
	problem, _ := defender.Explain(e.Err) // its remedy is for an operation that exists
	return fmt.Sprintf("%s %s (%s.)", e.What, e.Instead, problem)
}

func (e *RetiredError) Unwrap() error { return e.Err }

func startInvestigation() Command {
	type args struct {
		onMachine
		Timeout int `arg:"timeout" default:"50" min:"1" help:"No longer has any effect."`
	}
	out := investigationOutput("Automated investigation")
	return declare(Command{
		Name: "microsoft-atp-start-investigation", Area: Investigations,
		Help:    "Starts an automated investigation on a machine. Microsoft retired the manual start in September 2026; use microsoft-atp-run-antivirus-scan instead.",
		Uses:    []defender.Operation{defender.StartInvestigation},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		investigation, err := run.API.StartInvestigation(ctx, in.Machine, in.Comment)
		switch defender.StatusOf(err) {
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
			err = &RetiredError{
				What:    "Automated investigations can no longer be started: Microsoft retired this operation in September 2026.",
				Instead: "Use !microsoft-atp-run-antivirus-scan with scan_type=Full.", Err: err,
			}
		}
		return out.objectReport(investigation, err)
	})
}
