// Package commands declares the War Room commands: a file per area, and for every command one declaration and
// one handler. What the platform's manifest, the documentation, validation, tables and scheduling need follows
// from the declarations.
package commands

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/warroom"
)

// Command declares one command.
type Command struct {
	// Name is what the War Room calls it by.
	Name string
	// Area is the heading under which the documentation lists it.
	Area Area
	// Help says in a sentence or two what it does.
	Help string
	// Uses are the operations that it may call, from which its permissions follow.
	Uses []defender.Operation
	// Outputs are the context paths that it fills.
	Outputs []Output
	// Example are arguments of an example in the documentation.
	Example string
	// Executes says that it does something to machines or files that an analyst may not want done twice.
	Executes bool
	// Polls says that it may schedule itself until it has its result.
	Polls bool
	// Deprecated names what to use in its place; empty when the command is not deprecated.
	Deprecated string
	// Platform says that the platform itself calls it, so that no analyst sees it.
	Platform bool

	arguments []Argument
	run       func(ctx context.Context, run *Run, raw map[string]json.RawMessage) (Report, error)
}

// Area groups commands in the documentation.
type Area string

// The areas, in the order of the documentation.
const (
	Connection     Area = "Connection"
	Machines       Area = "Machines"
	MachineActions Area = "Machine actions"
	LiveResponse   Area = "Live response"
	Alerts         Area = "Alerts"
	Files          Area = "Files"
	Network        Area = "Domains and IP addresses"
	Users          Area = "Users"
	Indicators     Area = "Indicators"
	Investigations Area = "Investigations"
	Hunting        Area = "Advanced hunting"
	Software       Area = "Software and vulnerabilities"
)

// Report is what a run of a command gives.
type Report struct {
	Entries []warroom.Entry
	// Left are arguments that replace those of this run in the next one, for what the service did not take
	// any more; nil when all is done. After is how long to wait for that.
	Left  map[string]any
	After time.Duration
	// Commit, when set, is called once the entries were handed over.
	Commit func(ctx context.Context) error
	// Diagnosis is what a command about the connection has found, also when it gives an error; nil for all others.
	Diagnosis *Diagnosis
}

func report(entries ...warroom.Entry) Report { return Report{Entries: entries} }

// declare joins a declaration with its handler. The arguments are the fields of the handler's argument struct.
func declare[A any](command Command, handle func(ctx context.Context, run *Run, in A) (Report, error)) Command {
	command.arguments = argumentsOf(reflect.TypeFor[A](), command.Platform)
	command.run = func(ctx context.Context, run *Run, raw map[string]json.RawMessage) (Report, error) {
		var in A
		if err := bind(reflect.ValueOf(&in).Elem(), command.Name, command.arguments, raw, run.Now()); err != nil {
			return Report{}, err
		}
		return handle(ctx, run, in)
	}
	return command
}

// Arguments are the command's arguments in the order of the declaration.
func (c Command) Arguments() []Argument { return c.arguments }

// PermissionSet are permissions of which a sign-in needs one.
type PermissionSet struct {
	// Application are those of an application, Delegated those of a user who signs in.
	Application, Delegated []string
	// Graph says that they are Microsoft Graph's and not the Defender API's.
	Graph bool
}

// Equal says that two sets are the same.
func (s PermissionSet) Equal(other PermissionSet) bool {
	return s.Graph == other.Graph && slices.Equal(s.Application, other.Application) && slices.Equal(s.Delegated, other.Delegated)
}

// PermissionSets are all permissions that the command needs, one of every set.
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

// Execute runs the command. When the service accepts no more requests for a while, the command is scheduled
// again with what is left to do. Of the report that it gives, Entries, Commit and Diagnosis matter to the caller; beside an
// error there is only the last.
func (c Command) Execute(ctx context.Context, run *Run, raw map[string]json.RawMessage) (Report, error) {
	run.command, run.raw = c, raw
	result, err := c.run(ctx, run, raw)
	var throttled *defender.ThrottledError
	if errors.As(err, &throttled) && !c.Platform {
		result, err = Report{Left: map[string]any{}, After: throttled.After, Diagnosis: result.Diagnosis}, nil
	}
	if err != nil {
		return Report{Diagnosis: result.Diagnosis}, err
	}
	if result.Left != nil {
		result.Entries = c.scheduleRest(result, raw)
	}
	return result, nil
}

// ranOnceArgument marks a run that the command scheduled itself, as existing playbook tasks know it.
const ranOnceArgument = "ran_once_flag"

func (c Command) scheduleRest(result Report, raw map[string]json.RawMessage) []warroom.Entry {
	args := map[string]any{}
	for name, value := range raw {
		args[name] = value
	}
	maps.Copy(args, result.Left)
	args[ranOnceArgument] = true
	poll := &warroom.Poll{Command: c.Name, Args: args, After: result.After}
	for i := range result.Entries {
		if result.Entries[i].Poll == nil {
			result.Entries[i].Poll = poll
			return result.Entries
		}
	}
	return append(result.Entries, warroom.Entry{Kind: warroom.Note, Poll: poll})
}
