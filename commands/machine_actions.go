package commands

import (
	"context"
	"net/http"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func machineActionCommands() []func() Command {
	return []func() Command{
		isolateMachine,
		unisolateMachine,
		runAntivirusScan,
		restrictExecution,
		unrestrictExecution,
		stopAndQuarantine,
		collectPackage,
		getPackageURI,
		downloadPackage,
		offboardMachine,
		listMachineActions,
	}
}

// The platform's generic policies, whose playbooks find their providers by these names.
const (
	isolationPolicy  = "EndPoint Isolation"
	quarantinePolicy = "Quarantine File"
)

// machineActionOutput shows machine actions.
func machineActionOutput(title string) Output {
	return Output{
		Path: "MicrosoftATP.MachineAction", Key: "val.ID === obj.ID", View: machineActionView(),
		Title: title, Columns: machineActionColumns(), Pages: machineActionPages(), Empty: "No machine action matches.",
	}
}

// exampleMachine is the machine ID of examples.
const exampleMachine = "4899036531e374137f63289c3267bad772c13fef"

// onMachines holds the arguments that name the machines of an action and explain it.
type onMachines struct {
	Machines []string `arg:"machine_id" required:"true" help:"The IDs of the machines."`
	Comment  string   `arg:"comment" required:"true" help:"A comment for the action, shown in Microsoft's action center."`
}

func (m onMachines) machines() []string { return m.Machines }

// onMachine holds the arguments that name the only machine of an action and explain it.
type onMachine struct {
	Machine string `arg:"machine_id" required:"true" help:"The ID of the machine."`
	Comment string `arg:"comment" required:"true" help:"A comment for the action, shown in Microsoft's action center."`
}

func (m onMachine) machines() []string { return []string{m.Machine} }

// acting is an argument struct of a command that starts an action on each of its machines.
type acting interface {
	machines() []string
	drive(ctx context.Context, run *Run, l launch) (Report, error)
}

// actsOn declares a command that starts the action of an operation on each of its machines, and can wait until all have
// ended.
func actsOn[A acting](
	command Command, operation defender.Operation, out Output,
	start func(ctx context.Context, api *defender.Client, machine string, in A) (defender.MachineAction, error),
) Command {
	command.Outputs = []Output{out}
	return declare(startsAction(command, operation), func(ctx context.Context, run *Run, in A) (Report, error) {
		return in.drive(ctx, run, launch{
			out: out, operation: operation, targets: in.machines(), argument: "machine_id",
			machine: func(target string) string { return target },
			start: func(ctx context.Context, target string) (defender.MachineAction, error) {
				return start(ctx, run.API, target, in)
			},
		})
	})
}

// startsAction completes the declaration of a command that starts machine actions with operation.
func startsAction(command Command, operation defender.Operation) Command {
	command.Area, command.Polls = MachineActions, true
	command.Uses = []defender.Operation{operation, defender.GetMachineAction, defender.ListMachineActions}
	return command
}

func isolateMachine() Command {
	type args struct {
		onMachines
		Kind string `arg:"isolation_type" required:"true" values:"Full,Selective,UnManagedDevice" help:"Full blocks every connection except the one to the service; Selective keeps Outlook, Teams and Skype connected; UnManagedDevice contains a device that is not onboarded: onboarded devices block it."`
		waiting
	}
	return actsOn(Command{
		Name: "microsoft-atp-isolate-machine", Policies: []string{isolationPolicy}, Unnamed: "machine_id", Executes: true,
		Help:    "Isolates machines from the network. They stay connected to the service.",
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711" isolation_type=Full`,
	}, defender.Isolate, machineActionOutput("Isolation"),
		func(ctx context.Context, api *defender.Client, machine string, in args) (defender.MachineAction, error) {
			action, err := api.Isolate(ctx, machine, in.Comment, in.Kind)
			if in.Kind != unmanagedDevice && mayBeUnmanaged(err) {
				err = &IsolationError{Err: err}
			}
			return action, err
		})
}

// unmanagedDevice is the kind of isolation for devices that are not onboarded.
const unmanagedDevice = "UnManagedDevice"

// mayBeUnmanaged reports whether a machine may have been refused because it is not onboarded. The codes with a meaning of their own
// are those of https://learn.microsoft.com/defender-endpoint/api/common-errors.
func mayBeUnmanaged(err error) bool {
	switch defender.Code(err) {
	case defender.ActiveRequestExists, "OsPlatformNotSupported", "ClientVersionNotSupported":
		return false
	}
	return defender.StatusOf(err) == http.StatusBadRequest
}

// IsolationError is the refusal to isolate a machine that may not be of a kind that can be isolated this way.
type IsolationError struct{ Err error }

func (e *IsolationError) Error() string {
	return e.Err.Error() + " If the machine is not onboarded, use isolation_type=" + unmanagedDevice + ", which contains it."
}

func (e *IsolationError) Unwrap() error { return e.Err }

func unisolateMachine() Command {
	type args struct {
		onMachines
		Kind string `arg:"isolation_type" values:"Full,Selective,UnManagedDevice" help:"How the machines were isolated. Required only for devices that were contained with UnManagedDevice."`
		waiting
	}
	return actsOn(Command{
		Name: "microsoft-atp-unisolate-machine", Policies: []string{isolationPolicy},
		Help:    "Releases machines from isolation.",
		Example: `machine_id=` + exampleMachine + ` comment="clean again"`,
	}, defender.Unisolate, machineActionOutput("Release from isolation"),
		func(ctx context.Context, api *defender.Client, machine string, in args) (defender.MachineAction, error) {
			return api.Unisolate(ctx, machine, in.Comment, in.Kind)
		})
}

func runAntivirusScan() Command {
	type args struct {
		onMachines
		Kind string `arg:"scan_type" required:"true" values:"Quick,Full" help:"Quick scans the places where malware usually starts; Full scans the whole machine."`
		waiting
	}
	return actsOn(Command{
		Name:    "microsoft-atp-run-antivirus-scan",
		Help:    "Scans machines with Microsoft Defender Antivirus, which can run next to another antivirus product.",
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711" scan_type=Quick`,
	}, defender.RunAntivirusScan, machineActionOutput("Antivirus scan"),
		func(ctx context.Context, api *defender.Client, machine string, in args) (defender.MachineAction, error) {
			return api.RunAntivirusScan(ctx, machine, in.Comment, in.Kind)
		})
}

// restrictArgs holds the arguments of the restriction, whose comment has a default.
type restrictArgs struct {
	Machine string `arg:"machine_id" required:"true" help:"The ID of the machine."`
	Comment string `arg:"comment" default:"Restricted by Cortex XSOAR." help:"A comment for the action, shown in Microsoft's action center."`
	waiting
}

func (a restrictArgs) machines() []string { return []string{a.Machine} }

func restrictExecution() Command {
	out := machineActionOutput("Restriction of code execution")
	out.Single = true
	return actsOn(Command{
		Name:    "microsoft-atp-restrict-app-execution",
		Help:    "Restricts a machine to programs signed by Microsoft.",
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711"`,
	}, defender.RestrictExecution, out,
		func(ctx context.Context, api *defender.Client, machine string, in restrictArgs) (defender.MachineAction, error) {
			return api.RestrictExecution(ctx, machine, in.Comment)
		})
}

func unrestrictExecution() Command {
	type args struct {
		onMachine
		waiting
	}
	out := machineActionOutput("End of the restriction of code execution")
	out.Single = true
	return actsOn(Command{
		Name:    "microsoft-atp-remove-app-restriction",
		Help:    "Removes the restriction to programs signed by Microsoft from a machine.",
		Example: `machine_id=` + exampleMachine + ` comment="clean again"`,
	}, defender.UnrestrictExecution, out,
		func(ctx context.Context, api *defender.Client, machine string, in args) (defender.MachineAction, error) {
			return api.UnrestrictExecution(ctx, machine, in.Comment)
		})
}

func stopAndQuarantine() Command {
	type args struct {
		Machines []string `arg:"machine_id" required:"true" help:"IDs of machines."`
		Hashes   []string `arg:"file_hash" required:"true" help:"The SHA-1 hashes of the files."`
		Comment  string   `arg:"comment" required:"true" help:"A comment for the action, shown in Microsoft's action center."`
		Started  []string `arg:"action_ids" list:"false" deprecated:"true" help:"The actions that the command is waiting for. Set by the command itself."`
		waiting
	}
	out := machineActionOutput("Stop and quarantine")
	out.Key = keyedByCapitalID
	return declare(startsAction(Command{
		Name: "microsoft-atp-stop-and-quarantine-file", Policies: []string{quarantinePolicy},
		Help:    "Stops the processes of files and quarantines the files: every file on every machine.",
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` file_hash=87662bc3d60e4200ceaf7aae249d1c343f4b83c9 comment="ticket 4711"`,
	}, defender.StopAndQuarantine), func(ctx context.Context, run *Run, in args) (Report, error) {
		in.Actions = append(in.Actions, in.Started...)
		return in.drive(ctx, run, launch{
			out: out, operation: defender.StopAndQuarantine, following: "action_ids", targets: pairs(in.Machines, in.Hashes),
			machine: func(target string) string { machine, _ := splitPair(target); return machine },
			fits: func(target string, action defender.MachineAction) bool {
				_, hash := splitPair(target)
				return strings.EqualFold(action.Get("relatedFileInfo.fileIdentifier").String(), hash)
			},
			start: func(ctx context.Context, target string) (defender.MachineAction, error) {
				machine, hash := splitPair(target)
				if err := checkHash(run, "file_hash", hash, sha1Hash); err != nil {
					return defender.MachineAction{}, err
				}
				action, err := run.API.StopAndQuarantine(ctx, machine, hash, in.Comment)
				if err == nil && !strings.EqualFold(action.Text("machineId"), machine) {
					// Playbooks find the action by the machine that they asked for.
					action.Value = with(action.Value, "machineId", machine)
				}
				return action, err
			},
			unstarted: func(target string) rawjson.Value {
				machine, hash := splitPair(target)
				return rawjson.Make(map[string]any{
					"status": "Failed", "machineId": machine, "requestorComment": in.Comment,
					"relatedFileInfo": map[string]string{"fileIdentifier": hash},
				})
			},
		})
	})
}

// pairs combines every machine with every file, as "machine/hash".
func pairs(machines, hashes []string) []string {
	var all []string
	for _, machine := range machines {
		for _, hash := range hashes {
			all = append(all, machine+"/"+hash)
		}
	}
	return all
}

func splitPair(target string) (machine, hash string) {
	at := strings.LastIndexByte(target, '/')
	if at < 0 {
		return target, ""
	}
	return target[:at], target[at+1:]
}

func collectPackage() Command {
	type args struct {
		onMachine
		waiting
	}
	out := machineActionOutput("Investigation package")
	out.Single = true
	return actsOn(Command{
		Name:    "microsoft-atp-collect-investigation-package",
		Help:    "Collects a package of forensic data from a machine.",
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711"`,
	}, defender.CollectPackage, out,
		func(ctx context.Context, api *defender.Client, machine string, in args) (defender.MachineAction, error) {
			return api.CollectPackage(ctx, machine, in.Comment)
		})
}

func getPackageURI() Command {
	type args struct {
		Action string `arg:"action_id" required:"true" help:"The ID of the machine action that collected the package."`
	}
	out := Output{
		Path: "MicrosoftATP.InvestigationURI", Key: "val.Link === obj.Link",
		Fields: []warroom.Field{{Name: "Link", Type: warroom.String, Help: "The link to the package. It is valid for a short time, and anyone who has it can download the package."}},
	}
	return declare(Command{
		Name: "microsoft-atp-get-investigation-package-sas-uri", Area: MachineActions,
		Help:    "Returns the download link of an investigation package that has been collected.",
		Uses:    []defender.Operation{defender.GetPackageURI},
		Outputs: []Output{out},
		Example: `action_id=7327b54fd718525cbca07dacde913b5ac3c85673`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		link, whole, err := run.API.PackageURI(ctx, in.Action)
		if err != nil {
			return Report{}, err
		}
		return report(warroom.Entry{
			Blocks:   []warroom.Block{warroom.Heading("Investigation package"), warroom.Link{Text: "Download the package", Address: link}},
			Context:  []warroom.Context{{Path: out.path(), Value: warroom.Group{{Key: "Link", Value: warroom.Text(link)}}}},
			Contents: warroom.Raw(whole),
		}), nil
	})
}

func downloadPackage() Command {
	type args struct {
		onMachine
		alwaysWaiting
		fileSize
	}
	// The context has the service's own keys in addition to the mapped ones, as for live response, which is followed
	// in the same way.
	out := machineActionOutput("Investigation package")
	out.Key, out.Single, out.View = "", true, machineActionView().With(liveResponseFields()...)
	return declare(Command{
		Name: "microsoft-atp-request-and-download-investigation-package", Area: MachineActions, Polls: true, Saves: true,
		Help:    "Collects a package of forensic data from a machine and downloads it.",
		Uses:    []defender.Operation{defender.CollectPackage, defender.GetMachineAction, defender.GetPackageURI, defender.ListMachineActions},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` comment="ticket 4711"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return in.drive(ctx, run, single{
			machine: in.Machine, operation: defender.CollectPackage, path: out.Path,
			start: func(ctx context.Context) (defender.MachineAction, error) {
				return run.API.CollectPackage(ctx, in.Machine, in.Comment)
			},
			finish: func(action defender.MachineAction) (Report, error) {
				link, _, err := run.API.PackageURI(ctx, action.ID())
				return in.fileReport(ctx, run, out, action, link, err)
			},
		})
	})
}

func offboardMachine() Command {
	type args struct {
		onMachines
		waiting
	}
	out := Output{
		Path: "MicrosoftATP.OffboardMachine", Key: "val.ID === obj.ID",
		View: machineActionView().With(
			warroom.Field{Name: "cancellationDateTimeUtc", From: "cancellationDateTimeUtc", Type: warroom.Date, Help: "When it was cancelled."},
			warroom.Field{Name: "troubleshootInfo", From: "troubleshootInfo", Type: warroom.String, Help: "What the service reports about a failure."},
		),
		Title: "Offboarding", Columns: machineActionColumns(), Pages: machineActionPages(),
	}
	return actsOn(Command{
		Name: "microsoft-atp-offboard-machine", Unnamed: "machine_id", Executes: true,
		Help:    "Offboards machines from Microsoft Defender for Endpoint, so that they stop sending data.",
		Example: `machine_id=` + exampleMachine + ` comment="decommissioned"`,
	}, defender.Offboard, out,
		func(ctx context.Context, api *defender.Client, machine string, in args) (defender.MachineAction, error) {
			return api.Offboard(ctx, machine, in.Comment)
		})
}

func listMachineActions() Command {
	type args struct {
		ID        string   `arg:"id" help:"The ID of a single machine action; the other conditions are then ignored."`
		Status    string   `arg:"status" values:"Pending,InProgress,Succeeded,Failed,TimeOut,Cancelled" help:"The status of the actions."`
		Machines  []string `arg:"machine_id" help:"IDs of machines."`
		Type      string   `arg:"type" values:"RunAntiVirusScan,Offboard,CollectInvestigationPackage,Isolate,Unisolate,StopAndQuarantineFile,RestrictCodeExecution,UnrestrictCodeExecution,LiveResponse" help:"The type of the actions."`
		Requestor string   `arg:"requestor" help:"The user or application that requested the actions."`
		Filters   string   `arg:"filters" help:"A filter in OData, sent as it is, for example: status eq 'Failed' and type eq 'Isolate'. The other conditions are then ignored."`
		Limit     int      `arg:"limit" default:"50" min:"1" max:"10000" help:"The maximum number of actions to return."`
	}
	out := machineActionOutput("Machine actions")
	return declare(Command{
		Name: ActionsCommand, Area: MachineActions,
		Help:    "Lists machine actions that match all the given conditions, or shows one by its ID.",
		Uses:    []defender.Operation{defender.ListMachineActions, defender.GetMachineAction},
		Outputs: []Output{out},
		Example: `status=Pending limit=10`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if in.ID != "" {
			action, err := run.API.MachineAction(ctx, in.ID)
			return out.objectReport(action.Value, err)
		}
		filter := defender.And(
			defender.EqualAny("status", given(in.Status)),
			defender.EqualAny("machineId", in.Machines),
			defender.EqualAny("type", given(in.Type)),
			defender.EqualAny("requestor", given(in.Requestor)),
		)
		if in.Filters != "" {
			filter = defender.Condition(in.Filters)
		}
		return out.listReport(run.API.MachineActions(ctx, defender.Query{Filter: filter, Limit: in.Limit}))
	})
}
