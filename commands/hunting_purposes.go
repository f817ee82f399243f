package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/kql"
	"xsoar-defender/warroom"
)

// Each command of this file answers a question of an analyst with a query of package kql. The commands share groups
// of arguments.

// onDevices holds the arguments that name devices.
type onDevices struct {
	DeviceNames []string `arg:"device_name" list:"false" help:"Names of devices."`
	DeviceIDs   []string `arg:"device_id" list:"false" help:"IDs of devices."`
}

// onFiles holds the arguments that name files.
type onFiles struct {
	FileNames []string `arg:"file_name" list:"false" help:"Names of files."`
	SHA1      []string `arg:"sha1" list:"false" help:"SHA-1 hashes of files."`
	SHA256    []string `arg:"sha256" list:"false" help:"SHA-256 hashes of files. The service records them for fewer events than SHA-1 hashes."`
	MD5       []string `arg:"md5" list:"false" help:"MD5 hashes of files."`
}

// scope holds the arguments that set how conditions are combined and which rows are returned.
type scope struct {
	Operation string        `arg:"query_operation" default:"or" values:"or,and" help:"Whether an event must match one of the conditions (or) or all of them (and). Several values of one condition are always alternatives."`
	Limit     int           `arg:"limit" default:"50" min:"1" max:"100000" help:"The number of rows in a page."`
	Range     time.Duration `arg:"time_range" help:"Only events within this time span back from now, such as 3 days; the service keeps 30 days."`
	Timeout   int           `arg:"timeout" default:"10" min:"0" max:"604800" help:"The number of seconds that the query may take; the service's own limit is 200."`
	Page      int           `arg:"page" default:"1" min:"1" max:"10000" help:"The page to show; the first is 1."`
	Show      bool          `arg:"show_query" default:"false" values:"false,true" help:"Whether to show the query as well as its results."`
}

// conditions combines the groups of arguments.
func conditions(d onDevices, f onFiles, s scope) kql.Conditions {
	return kql.Conditions{
		DeviceNames: d.DeviceNames, DeviceIDs: d.DeviceIDs,
		FileNames: f.FileNames, SHA1: f.SHA1, SHA256: f.SHA256, MD5: f.MD5,
		And: s.Operation == "and", Limit: s.Limit, Page: s.Page, TimeRange: s.Range,
	}
}

// purposeArgs holds the arguments that commands with purposes share.
type purposeArgs struct {
	Purpose string `arg:"query_purpose" required:"true" help:"What to look for."`
	onDevices
	onFiles
	scope
}

func (in purposeArgs) ask() (string, kql.Conditions, scope) {
	return in.Purpose, conditions(in.onDevices, in.onFiles, in.scope), in.scope
}

// purposeCommand holds the differences between the commands of this file.
type purposeCommand struct {
	family kql.Family
	// path is the context path, which the purpose is appended to.
	path, help, example string
}

// asks is an argument struct of a purpose command.
type asks interface {
	ask() (purpose string, conditions kql.Conditions, s scope)
}

// declarePurposes declares a command whose arguments are A.
func declarePurposes[A asks](p purposeCommand) Command {
	outputs := map[string]Output{}
	purposes := p.family.Purposes()
	command := Command{
		Name: "microsoft-atp-advanced-hunting-" + string(p.family), Area: Hunting, Help: p.help, Example: p.example,
		Uses: []defender.Operation{defender.RunHuntingQuery, defender.RunGraphHuntingQuery},
	}
	if purposes == nil {
		outputs[""] = purposeOutput(p.path, "")
		command.Outputs = append(command.Outputs, outputs[""])
	}
	for _, purpose := range purposes {
		outputs[purpose] = purposeOutput(p.path, purpose)
		command.Outputs = append(command.Outputs, outputs[purpose])
	}
	command = declare(command, func(ctx context.Context, run *Run, in A) (Report, error) {
		purpose, conditions, s := in.ask()
		if at := slices.IndexFunc(purposes, func(one string) bool { return strings.EqualFold(one, purpose) }); at >= 0 {
			purpose = purposes[at]
		}
		query, err := p.family.Build(purpose, conditions)
		if err != nil {
			return Report{}, wrong(run, "%s", err)
		}
		rows, whole, err := huntRows(ctx, run, hunt{Query: query, Timeout: time.Duration(s.Timeout) * time.Second})
		if err != nil {
			return Report{}, err
		}
		out := outputs[purpose]
		out.Columns = huntColumns(query, whole, rows)
		entry := warroom.Entry{
			Blocks:   []warroom.Block{out.table(rows)},
			Context:  []warroom.Context{out.context(rows)},
			Contents: out.records(rows),
		}
		ignored, err := p.family.Ignored(purpose, conditions)
		if err != nil {
			return Report{}, err
		}
		if len(ignored) > 0 {
			entry.Blocks = append(entry.Blocks, warroom.Paragraph(fmt.Sprintf("%s makes no use of %s.", purpose, join(ignored))))
		}
		if s.Show {
			entry.Blocks = append(entry.Blocks, warroom.Code{Language: "kusto", Text: query})
		}
		return report(entry), nil
	})
	declared := command.arguments
	command.arguments = sync.OnceValue(func() []Argument {
		arguments := slices.Clone(declared())
		for i := range arguments {
			if arguments[i].Name == "query_purpose" {
				arguments[i].Values = purposes
			}
		}
		return arguments
	})
	return command
}

// join lists conditions, separated by commas.
func join(conditions []kql.Condition) string {
	names := make([]string, len(conditions))
	for i, condition := range conditions {
		names[i] = string(condition)
	}
	return strings.Join(names, ", ")
}

func purposeOutput(path, purpose string) Output {
	out := Output{Path: path + ".Result", Title: "Hunting results", Empty: "The query found nothing.", Fields: huntFields(), Events: true}
	if purpose != "" {
		out.Path += "." + purpose
		out.Title += ": " + purpose
	}
	return out
}

type lateralMovementArgs struct {
	purposeArgs
	RemoteIPs *int `arg:"remote_ip_count" min:"0" help:"For the purpose smb_connections: only processes that connected to more different remote addresses than this."`
}

func (in lateralMovementArgs) ask() (string, kql.Conditions, scope) {
	purpose, conditions, s := in.purposeArgs.ask()
	conditions.RemoteIPCount = in.RemoteIPs
	return purpose, conditions, s
}

func huntLateralMovement() Command {
	return declarePurposes[lateralMovementArgs](purposeCommand{
		family: kql.LateralMovementEvidence, path: "MicrosoftATP.HuntLateralMovementEvidence",
		help:    "Looks for signs of an attacker moving from machine to machine. It needs a device or a file.",
		example: `query_purpose=smb_connections device_name=ws-001 time_range="3 days"`,
	})
}

type persistenceArgs struct {
	purposeArgs
	ProcessCommand string `arg:"process_cmd" help:"A part of the command lines of processes, taken as it is, commas included. Required by the purpose registry_entry."`
}

func (in persistenceArgs) ask() (string, kql.Conditions, scope) {
	purpose, conditions, s := in.purposeArgs.ask()
	conditions.ProcessCommands = given(in.ProcessCommand)
	return purpose, conditions, s
}

func huntPersistence() Command {
	return declarePurposes[persistenceArgs](purposeCommand{
		family: kql.PersistenceEvidence, path: "MicrosoftATP.HuntPersistenceEvidence",
		help:    "Looks for signs of an attacker trying to stay on a machine. It needs a device or a file.",
		example: `query_purpose=scheduled_job device_name=ws-001`,
	})
}

type fileOriginArgs struct {
	onDevices
	onFiles
	scope
}

func (in fileOriginArgs) ask() (string, kql.Conditions, scope) {
	return "", conditions(in.onDevices, in.onFiles, in.scope), in.scope
}

func huntFileOrigin() Command {
	return declarePurposes[fileOriginArgs](purposeCommand{
		family: kql.FileOrigin, path: "MicrosoftATP.HuntFileOrigin",
		help:    "Shows where a file came from. It needs a device or a file.",
		example: `file_name=evil.exe`,
	})
}

func huntProcessDetails() Command {
	return declarePurposes[purposeArgs](purposeCommand{
		family: kql.ProcessDetails, path: "MicrosoftATP.HuntProcessDetails",
		help: "Shows what processes did and what started them. The purpose process_excecution_powershell needs a file name or hash, and a device. " +
			"powershell_execution_unsigned_files needs nothing; every other purpose needs a device or a file.",
		example: `query_purpose=parent_process device_name=ws-001 file_name=evil.exe query_operation=and`,
	})
}

func huntNetworkConnections() Command {
	return declarePurposes[purposeArgs](purposeCommand{
		family: kql.NetworkConnections, path: "MicrosoftATP.HuntNetworkConnections",
		help:    "Looks for external connections and the processes that opened them. The purpose encoded_commands needs a device; the others need a device or a file.",
		example: `query_purpose=external_addresses device_name=ws-001`,
	})
}

// deviceArgs holds the arguments of the commands that look only at devices.
type deviceArgs struct {
	onDevices
	scope
}

func (in deviceArgs) ask() (string, kql.Conditions, scope) {
	return "", conditions(in.onDevices, onFiles{}, in.scope), in.scope
}

func huntPrivilegeEscalation() Command {
	return declarePurposes[deviceArgs](purposeCommand{
		family: kql.PrivilegeEscalation, path: "MicrosoftATP.HuntPrivilegeEscalation",
		help:    "Looks for signs of privilege escalation on devices, logons as a local administrator among them. It needs a device.",
		example: `device_name=ws-001`,
	})
}

func huntTampering() Command {
	return declarePurposes[deviceArgs](purposeCommand{
		family: kql.Tampering, path: "MicrosoftATP.HuntTampering",
		help:    "Looks for attempts to disable or weaken the protection of a machine.",
		example: `device_name=ws-001`,
	})
}

type coverUpArgs struct {
	purposeArgs
	Usernames []string `arg:"username" list:"false" help:"Names of users."`
}

func (in coverUpArgs) ask() (string, kql.Conditions, scope) {
	purpose, conditions, s := in.purposeArgs.ask()
	conditions.Usernames = in.Usernames
	return purpose, conditions, s
}

func huntCoverUp() Command {
	return declarePurposes[coverUpArgs](purposeCommand{
		family: kql.CoverUp, path: "MicrosoftATP.HuntCoverUp",
		help: "Looks for attempts to hide an attack, and for what an account did. The purpose file_deleted needs a device or a file, " +
			"event_log_cleared a device, and every other purpose a username.",
		example: `query_purpose=event_log_cleared device_name=ws-001`,
	})
}
