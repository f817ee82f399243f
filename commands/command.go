// Package commands declares the War Room commands: a file per area, and for every command one declaration and
// one handler. The platform's manifest, the documentation, validation, tables and scheduling are all derived from
// the declarations.
package commands

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/warroom"
)

// Command declares one command.
type Command struct {
	// Name is the command's name in the War Room.
	Name string
	// Area is the heading under which the documentation lists it.
	Area Area
	// Help describes the command in a sentence or two.
	Help string
	// Uses lists the operations that the command may call. Its permissions follow from them.
	Uses []defender.Operation
	// Outputs lists the context paths that the command fills.
	Outputs []Output
	// Example holds the arguments of the example in the documentation.
	Example string
	// Executes reports whether the command acts on machines or files in a way that an analyst may not want repeated.
	Executes bool
	// Saves reports whether the command saves files. Then it fails before it asks for anything if that is not possible.
	Saves bool
	// Polls reports whether the command may schedule itself until it has its result.
	Polls bool
	// Deprecated names the command to use instead, or is empty if the command is not deprecated.
	Deprecated string
	// Unnamed is the argument that a value without a name is for, as in !endpoint 10.0.0.1; empty without one.
	Unnamed string
	// Policies are the platform's generic policies that the command is a provider for.
	Policies []string
	// Platform reports whether only the platform calls the command, so that no analyst sees it.
	Platform bool
	// Mirrors reports whether the platform calls the command to mirror incidents. It never schedules itself, and analysts
	// see it all the same, to find out what mirroring does.
	Mirrors bool

	arguments func() []Argument
	run       func(ctx context.Context, run *Run, raw map[string]json.RawMessage) (Report, error)
}

// Brand is the vendor name of scores, by which existing playbooks know the integration.
const Brand = "Microsoft Defender Advanced Threat Protection"

// The commands that other packages run or treat in a special way.
const (
	// FetchCommand is the command with which the platform fetches incidents.
	FetchCommand = "fetch-incidents"
	// TestCommand is the command of the platform's Test button.
	TestCommand = "test-module"
	// DiagnosisCommand is the command that examines the whole connection of an instance.
	DiagnosisCommand = "microsoft-atp-test"
	// LoginCommand is the command that makes the address at which a user logs in.
	LoginCommand = "microsoft-atp-generate-login-url"
	// ActionsCommand is the command that looks at machine actions.
	ActionsCommand = "microsoft-atp-list-machine-actions-details"
)

// Area groups commands in the documentation.
type Area string

// The areas, in the order of the documentation.
const (
	Connection     Area = "Connection"
	Machines       Area = "Machines"
	MachineActions Area = "Machine actions"
	LiveResponse   Area = "Live response"
	Alerts         Area = "Alerts"
	Incidents      Area = "Defender XDR incidents"
	Files          Area = "Files"
	Network        Area = "Domains and IP addresses"
	Users          Area = "Users"
	Indicators     Area = "Indicators"
	Investigations Area = "Investigations"
	Hunting        Area = "Advanced hunting"
	Software       Area = "Software and vulnerabilities"
	Exports        Area = "Exports"
	Mirroring      Area = "Mirroring"
)

// Report is the result of one run of a command.
type Report struct {
	Entries []warroom.Entry
	// Left holds the arguments that replace those of this run in the next one, for the work that the service no
	// longer accepted; nil if nothing is left. After is how long to wait before that run.
	Left  map[string]any
	After time.Duration
	// Waits says how far the work is and what it waits for, as the beginning of a sentence; "" if only the quota is
	// exhausted. Done of Whole things are done; both are 0 if they are not counted.
	Waits       string
	Done, Whole int
	// Until is when the command stops scheduling itself; zero for a day after its first run.
	Until time.Time
	// Commit, if set, is called once the entries have been handed over.
	Commit func(ctx context.Context) error
}

func report(entries ...warroom.Entry) Report { return Report{Entries: entries} }

// declare joins a declaration with its handler. The arguments are the fields of the handler's argument struct.
func declare[A any](command Command, handle func(ctx context.Context, run *Run, in A) (Report, error)) Command {
	platform := command.Platform || command.Mirrors
	command.arguments = sync.OnceValue(func() []Argument { return argumentsOf(reflect.TypeFor[A](), platform) })
	command.run = func(ctx context.Context, run *Run, raw map[string]json.RawMessage) (Report, error) {
		var in A
		if err := bind(reflect.ValueOf(&in).Elem(), command.Name, command.arguments(), raw, run.Now()); err != nil {
			return Report{}, err
		}
		return handle(ctx, run, in)
	}
	return command
}

// Schedules reports whether the command may run again by itself: to follow what it started, or because the service accepts
// no more requests for a while.
func (c Command) Schedules() bool {
	return !c.Platform && slices.ContainsFunc(c.Arguments(), func(one Argument) bool { return one.Name == ranOnceArgument })
}

// Arguments returns the command's arguments in the order of the declaration.
func (c Command) Arguments() []Argument { return c.arguments() }

// PermissionSet is a set of permissions of which a sign-in needs any one.
type PermissionSet struct {
	// Application lists the permissions of an application, Delegated those of a user who signs in.
	Application, Delegated []string
	// Graph reports whether the permissions belong to Microsoft Graph instead of the Defender API.
	Graph bool
}

// Equal reports whether two sets are the same.
func (s PermissionSet) Equal(other PermissionSet) bool {
	return s.Graph == other.Graph && slices.Equal(s.Application, other.Application) && slices.Equal(s.Delegated, other.Delegated)
}

// PermissionSets returns the permissions that the command needs: one of each set.
func (c Command) PermissionSets() []PermissionSet {
	var needed []PermissionSet
	for _, operation := range c.Uses {
		set := PermissionSet{operation.Application, operation.Delegated, operation.Graph}
		if len(set.Application) > 0 && !slices.ContainsFunc(needed, set.Equal) {
			needed = append(needed, set)
		}
	}
	return needed
}

// Execute runs the command. If the service accepts no more requests for a while, the command is scheduled again
// with the rest of its work. The caller needs Entries and Commit of the report.
func (c Command) Execute(ctx context.Context, run *Run, raw map[string]json.RawMessage) (Report, error) {
	run.command = c
	run.carried(raw, run.Now())
	if run.Quota != nil {
		run.Quota.id = gjson.ParseBytes(raw[ticketArgument]).String()
		ctx = context.WithValue(ctx, ticketKey{}, run.Quota)
	}
	if c.Saves && raw[resumeArgument] == nil { // an export that continues has a file, which it removes itself where it fails
		if err := warroom.ProbeFolder(run.Host); err != nil {
			return Report{}, err
		}
	}
	result, err := c.run(ctx, run, raw)
	var throttled *defender.ThrottledError
	if errors.As(err, &throttled) && !c.Platform && !c.Mirrors {
		result, err = Report{Left: map[string]any{}, After: throttled.After}, nil
	}
	if only, ok := errors.AsType[*singleError](err); ok && raw[ranOnceArgument] != nil {
		err = &restError{only.failure}
	}
	if err != nil {
		return Report{}, err
	}
	linkedTo(portalOf(run.Instance.Cloud), result.Entries)
	if result.Left != nil {
		return run.scheduleRest(result)
	}
	return result, nil
}
