package commands

import (
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

func liveResponseCommands() []func() Command {
	return []func() Command{
		runScript,
		getFile,
		putFile,
		liveResponseResult,
		cancelAction,
	}
}

// resultFile is the name under which existing playbooks expect the file of a result.
const resultFile = "Response Result"

// alwaysWaiting holds the arguments of commands that start one action and always wait until it ends.
type alwaysWaiting struct {
	pause
	ForActive bool   `arg:"wait_for_active" default:"false" help:"Whether to wait until the action can start when the machine is busy with another action of the same type."`
	Action    string `arg:"machine_action_id" deprecated:"true" help:"The action that the command is waiting for. Set by the command itself."`
}

// single describes the only action that a command starts.
type single struct {
	machine   string
	operation defender.Operation
	// path is where the context has the action's id until the action has ended.
	path  string
	start func(ctx context.Context) (defender.MachineAction, error)
	// finish makes the report of the action when it has succeeded.
	finish func(defender.MachineAction) (Report, error)
}

// drive starts the action, or checks the one that a previous run started.
func (w alwaysWaiting) drive(ctx context.Context, run *Run, s single) (Report, error) {
	until := run.deadline(w.limit())
	over := !run.began.Before(until)
	if w.Action == "" {
		return w.begin(ctx, run, s, until)
	}
	seen := lookAt(ctx, run, []string{w.Action}, until.Add(-w.limit()))
	open := len(seen.open) > 0
	if len(seen.read) > 0 {
		switch session := seen.read[0]; {
		case (open || session.Succeeded()) && hasCommand(session, isFailed):
			return Report{}, &CommandError{session}
		case session.Succeeded() && hasCommand(session, isOpen):
			open = true // it has no result yet
		}
	}
	switch {
	case len(seen.failed) > 0:
		return Report{}, seen.failed[0].Err
	case open && over:
		return Report{}, &UnfinishedError{w.Action, until}
	case open:
		return w.waitOn(run, s, w.Action, until, seen.after), nil
	case !seen.ended[0].Succeeded():
		return Report{}, &EndedError{seen.ended[0]}
	}
	done, err := s.finish(seen.ended[0])
	if err != nil && transient(err) && !over { // the result is still there
		return w.waitOn(run, s, w.Action, until, afterOf(err)), nil
	}
	return done, err
}

// hasCommand reports whether a live response session has a command of a status. A session may go on after a command has failed,
// and end as succeeded all the same.
func hasCommand(session defender.MachineAction, of func(status string) bool) bool {
	return slices.ContainsFunc(session.Items("commands"), func(command rawjson.Value) bool { return of(command.Text("commandStatus")) })
}

func isFailed(status string) bool { return strings.EqualFold(status, "Failed") }

// isOpen reports whether a command has not ended: its status is Created, or one that is not known.
func isOpen(status string) bool {
	return status != "" && !isFailed(status) && !strings.EqualFold(status, "Completed")
}

// CommandError reports that a command of a live response session failed.
type CommandError struct{ Session defender.MachineAction }

func (e *CommandError) Error() string {
	s := e.Session
	text := fmt.Sprintf("A command of the machine action %s (%s) on machine %s failed", s.ID(), s.Text("type"), s.Text("machineId"))
	if told := troubles(s); told != "" {
		text += ": " + told
	}
	return inOneLine(text) + "."
}

// waitOn returns the report of an action that has not ended.
func (w alwaysWaiting) waitOn(run *Run, s single, action string, until time.Time, after time.Duration) Report {
	poll, line := w.nextLook(run, actionArgument, s.operation.Starts, []string{action}, 1, until, 1, after)
	return report(warroom.Entry{Blocks: []warroom.Block{line}, Poll: poll})
}

func (w alwaysWaiting) begin(ctx context.Context, run *Run, s single, until time.Time) (Report, error) {
	action, err := actionStart{machine: s.machine, kind: s.operation.Starts, began: run.Now()}.try(ctx, run, s.start)
	if busy, ok := errors.AsType[*BusyError](err); ok && w.ForActive && run.began.Before(until) {
		return Report{Left: map[string]any{pollingArgument: true}, After: w.interval(), Until: until, Waits: busy.state()}, nil
	}
	if throttled := afterOf(err); throttled > 0 && run.began.Before(until) {
		return Report{Left: map[string]any{}, After: throttled, Until: until}, nil
	}
	if err != nil {
		return Report{}, err
	}
	waits := w.waitOn(run, s, action.ID(), until, 0)
	entry := &waits.Entries[0]
	entry.Blocks = append([]warroom.Block{warroom.Paragraph(fmt.Sprintf("The machine action %s was started. Its result follows when it has ended.", action.ID()))}, entry.Blocks...)
	entry.Context = []warroom.Context{{Path: s.path, Value: warroom.Group{{Key: "action_id", Value: warroom.Text(action.ID())}}}}
	return waits, nil
}

// liveResponseOutput shows a live response session with the keys of the service.
func liveResponseOutput() Output {
	return Output{Path: "MicrosoftATP.LiveResponseAction", Title: "Live response", Single: true, Fields: liveResponseFields()}
}

func liveResponseFields() []warroom.Field {
	text := func(name, help string) warroom.Field { return asGiven(name, warroom.String, help) }
	date := func(name, help string) warroom.Field { return asGiven(name, warroom.Date, help) }
	return []warroom.Field{
		text("action_id", "The machine action's ID, available as soon as it has started."),
		text("id", "The machine action's ID."),
		text("type", "Always LiveResponse."),
		text("title", "The action's title."),
		text("requestor", "Who requested it."),
		text("requestorComment", "Why."),
		text("status", "The state of the action."),
		text("machineId", "The ID of the machine."),
		text("computerDnsName", "The name of the machine."),
		date("creationDateTimeUtc", "When it was requested."),
		date("lastUpdateDateTimeUtc", "When its status last changed."),
		text("cancellationRequestor", "Who cancelled it."),
		text("cancellationComment", "Why it was cancelled."),
		date("cancellationDateTimeUtc", "When it was cancelled."),
		text("errorHResult", "The error code of the action."),
		text("scope", "The action's scope."),
		text("externalId", "An ID given by the requestor."),
		text("requestSource", "Where it was requested from."),
		text("relatedFileInfo", "The file that the action is about."),
		{Name: "commands", From: "commands", Of: warroom.NewView(
			text("index", "The position of the command in the session."),
			date("startTime", "When the command began."),
			date("endTime", "When the command ended."),
			text("commandStatus", "Created, Completed or Failed."),
			text("errors", "What went wrong."),
			warroom.Field{Name: "command", From: "command", Of: warroom.NewView(
				text("type", "What the command does."),
				warroom.Field{Name: "params", From: "params", Of: warroom.NewView(text("key", "A parameter's name."), text("value", "Its value."))},
			)},
		)},
		text("troubleshootInfo", "What the service reports about a failure."),
	}
}

// sessionTable shows an action under the column headers that existing playbooks know.
func sessionTable(action rawjson.Value) warroom.Table {
	view := warroom.NewView(
		warroom.Field{Name: "Commands", From: "commands"},
		warroom.Field{Name: "Creation time", From: "creationDateTimeUtc"},
		warroom.Field{Name: "Hostname", From: "computerDnsName"},
		warroom.Field{Name: "Machine Action Id", From: "id"},
		warroom.Field{Name: "MachineId", From: "machineId"},
		warroom.Field{Name: "Status", From: "status"},
	)
	return warroom.Table{Title: "Machine action", Records: warroom.Records{View: view, Rows: []rawjson.Value{action}}}
}

// sessionEntry shows a session that has ended.
func sessionEntry(out Output, action defender.MachineAction) warroom.Entry {
	entry := out.objectEntry(action.Value)
	entry.Blocks = []warroom.Block{sessionTable(action.Value)}
	return entry
}

// startsSession completes the declaration of a command that runs live response.
func startsSession(command Command, more ...defender.Operation) Command {
	command.Area, command.Executes, command.Polls = LiveResponse, true, true
	command.Uses = append([]defender.Operation{defender.RunLiveResponse, defender.GetMachineAction, defender.GetLiveResponseLink, defender.ListMachineActions}, more...)
	return command
}

// liveResponse returns the start of a session of one command with its parameters, as the service names them.
func (m onMachine) liveResponse(run *Run, kind string, params ...defender.LiveResponseParameter) func(context.Context) (defender.MachineAction, error) {
	commands := []defender.LiveResponseCommand{{Type: kind, Params: params}}
	return func(ctx context.Context) (defender.MachineAction, error) {
		return run.API.RunLiveResponse(ctx, m.Machine, m.Comment, commands)
	}
}

func runScript() Command {
	type args struct {
		onMachine
		Script    string `arg:"scriptName" required:"true" help:"The name of a script in the live response library."`
		Arguments string `arg:"arguments" help:"The arguments of the script."`
		alwaysWaiting
	}
	out := liveResponseOutput()
	out.Fields = append([]warroom.Field{}, scriptFields()...)
	out.Fields = append(out.Fields, warroom.Field{Name: "action_id", Type: warroom.String, Help: "The machine action's ID, available as soon as it has started."})
	return declare(startsSession(Command{
		Name: "microsoft-atp-live-response-run-script", Unnamed: "machine_id",
		Help:    "Runs a script from the live response library on a machine and returns its output.",
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711" scriptName=triage.ps1`,
	}), func(ctx context.Context, run *Run, in args) (Report, error) {
		params := []defender.LiveResponseParameter{{Key: "ScriptName", Value: in.Script}}
		if in.Arguments != "" {
			params = append(params, defender.LiveResponseParameter{Key: "Args", Value: in.Arguments})
		}
		return in.drive(ctx, run, single{
			machine: in.Machine, operation: defender.RunLiveResponse, path: out.Path,
			start: in.liveResponse(run, runScriptCommand, params...),
			finish: func(action defender.MachineAction) (Report, error) {
				result, err := scriptReport(ctx, run, action.ID(), 0, out, warroom.Info)
				if err != nil || len(result.Entries) > 1 {
					return result, err
				}
				// Existing playbooks find the action where the script has no result in JSON.
				entry := sessionEntry(out, action)
				entry.Blocks = append(entry.Blocks, warroom.Paragraph("The result of the script is in the file: it is not JSON, or too large for the context."))
				return report(append([]warroom.Entry{entry}, result.Entries...)...), nil
			},
		})
	})
}

func scriptFields() []warroom.Field {
	return []warroom.Field{
		{Name: "script_name", Type: warroom.String, Help: "The script's name."},
		{Name: "exit_code", Type: warroom.String, Help: "The script's exit code."},
		{Name: "script_output", Type: warroom.String, Help: "What the script wrote."},
		{Name: "script_errors", Type: warroom.String, Help: "What the script wrote to its error output."},
	}
}

// largestResult is the maximum size in bytes of a script's result in the context.
const largestResult = 16 << 20

// scriptReport downloads the result of a command. A JSON result, such as a script's, is put in the context as well.
func scriptReport(ctx context.Context, run *Run, action string, index int, out Output, kind warroom.Kind) (Report, error) {
	link, _, err := run.API.LiveResponseLink(ctx, action, index)
	if err != nil {
		return Report{}, err
	}
	kept := &document{most: largestResult}
	file, err := download(ctx, run, link, resultFile, kind, defaultLargestFile, kept)
	if err != nil {
		return Report{}, err
	}
	result, err := rawjson.Parse(kept.text.String())
	if err != nil {
		return report(file), nil
	}
	entry := out.objectEntry(result)
	entry.Blocks = []warroom.Block{warroom.Table{Title: "Result", Records: warroom.Records{Rows: []rawjson.Value{result}}, KeepEmpty: true}}
	return report(entry, file), nil
}

func getFile() Command {
	type args struct {
		onMachine
		Path string `arg:"path" required:"true" help:"The path of the file on the machine."`
		alwaysWaiting
		fileSize
	}
	out := liveResponseOutput()
	return declare(startsSession(Command{
		Name: "microsoft-atp-live-response-get-file", Unnamed: "machine_id", Saves: true,
		Help:    "Downloads a file from a machine, compressed with gzip.",
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711" path="C:\Users\nora\evil.exe"`,
	}), func(ctx context.Context, run *Run, in args) (Report, error) {
		return in.drive(ctx, run, single{
			machine: in.Machine, operation: defender.RunLiveResponse, path: out.Path,
			start: in.liveResponse(run, getFileCommand, defender.LiveResponseParameter{Key: "Path", Value: in.Path}),
			finish: func(action defender.MachineAction) (Report, error) {
				link, _, err := run.API.LiveResponseLink(ctx, action.ID(), 0)
				return in.fileReport(ctx, run, out, action, link, err)
			},
		})
	})
}

func putFile() Command {
	type args struct {
		onMachine
		File string `arg:"file_name" required:"true" help:"The name of a file in the live response library."`
		alwaysWaiting
	}
	out := liveResponseOutput()
	return declare(startsSession(Command{
		Name: "microsoft-atp-live-response-put-file", Unnamed: "machine_id",
		Help:    "Copies a file from the live response library to a machine.",
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711" file_name=tool.exe`,
	}), func(ctx context.Context, run *Run, in args) (Report, error) {
		return in.drive(ctx, run, single{
			machine: in.Machine, operation: defender.RunLiveResponse, path: out.Path,
			start: in.liveResponse(run, putFileCommand, defender.LiveResponseParameter{Key: "FileName", Value: in.File}),
			finish: func(action defender.MachineAction) (Report, error) {
				return report(sessionEntry(out, action)), nil
			},
		})
	})
}

func liveResponseResult() Command {
	type args struct {
		Action string `arg:"machine_action_id" required:"true" help:"The ID of the machine action."`
		Index  int    `arg:"command_index" required:"true" min:"0" max:"1000" help:"The position of the command in the session; the first is 0."`
	}
	out := Output{Path: "MicrosoftATP.LiveResponseResult", Title: "Result", Single: true, Fields: scriptFields()}
	promised := Output{Path: "MicrosoftATP.LiveResponseAction", Fields: []warroom.Field{{Type: warroom.String, Help: "The result, at the path that older manifests declare."}}}
	return declare(Command{
		Name: "microsoft-atp-live-response-result", Unnamed: "machine_action_id", Area: LiveResponse, Executes: true, Saves: true,
		Help:    "Downloads the result of one command of a live response session that has ended.",
		Uses:    []defender.Operation{defender.GetLiveResponseLink},
		Outputs: []Output{out, promised},
		Example: `machine_action_id=5382f7ea-7557-4ab7-9782-d50480024a4e command_index=0`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		result, err := scriptReport(ctx, run, in.Action, in.Index, out, warroom.Download)
		if err != nil || len(result.Entries) < 2 {
			return result, err
		}
		entry := &result.Entries[0]
		entry.Context = append(entry.Context, warroom.Context{Path: promised.Path, Value: entry.Context[0].Value})
		return result, nil
	})
}

func cancelAction() Command {
	type args struct {
		Action  string `arg:"machine_action_id" required:"true" help:"The ID of the machine action."`
		Comment string `arg:"comment" required:"true" help:"A comment for the action, shown in Microsoft's action center."`
	}
	return declare(Command{
		Name: "microsoft-atp-live-response-cancel-action", Unnamed: "machine_action_id", Area: LiveResponse, Executes: true,
		Help:    "Cancels a live response session, or another machine action, that has not ended.",
		Uses:    []defender.Operation{defender.CancelMachineAction},
		Example: `machine_action_id=5382f7ea-7557-4ab7-9782-d50480024a4e comment="no longer needed"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		action, err := run.API.CancelMachineAction(ctx, in.Action, in.Comment)
		if defender.NotFound(err) {
			return Report{}, &UnknownActionError{ID: in.Action, Err: err}
		}
		if err != nil {
			return Report{}, err
		}
		return report(warroom.Entry{
			Blocks:   []warroom.Block{warroom.Paragraph(fmt.Sprintf("The machine action %s is %s.", in.Action, action.Status()))},
			Contents: warroom.Raw(action.Value),
		}), nil
	})
}
