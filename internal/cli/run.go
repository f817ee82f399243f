package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/platform"
	"xsoar-defender/warroom"
)

// runOptions is what a call of run asks for.
type runOptions struct {
	command   string
	arguments map[string]json.RawMessage
	instance  string // the file
	asJSON    bool
	asContext bool
	debug     bool
	progress  progressMode
	where     storage
}

func (p *program) runCommand() *cobra.Command {
	var options runOptions
	command := &cobra.Command{
		Use: "run COMMAND [NAME=VALUE ...] --instance FILE", Short: "Run a War Room command from a terminal",
		Long: `Runs a War Room command with an integration instance out of a file, and shows its entries.

FILE is a JSON object of instance parameters, or {"name": "...", "params": {...}}. What the platform keeps for an
instance, such as its sign-in, is kept in the state file. A command that asks to be run again later, such as one
that waits for a machine action, is run again until it is done.

With --context the context that a playbook would find is written in place of the entries: objects at a path with a
key part are merged where they fit one another, and a path without one holds what came last.

The exit code is 0, 1 when there is an error entry, and 2 when the program was called wrongly.`,
		Example: `  xsoar-defender run microsoft-atp-get-machines os_platform=Windows11 --instance prod.json
  xsoar-defender run microsoft-atp-list-alerts severity=High,Medium --instance prod.json --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := options.parse(args); err != nil {
				return err
			}
			return p.run(cmd.Context(), options)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			registry := commands.NewRegistry()
			if len(args) == 0 {
				return completeCommand(registry)
			}
			chosen, known := registry.Find(args[0])
			if !known {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeArgument(chosen, args[1:], typed, func(beginning string) []rawjson.Value {
				return p.machines(cmd.Context(), options, beginning)
			})
		},
	}
	flags := command.Flags()
	instanceFlag(command, &options.instance)
	flags.BoolVar(&options.asJSON, "json", false, "write the entries as one JSON document")
	flags.BoolVar(&options.asContext, "context", false, "write what the entries leave in the context, as one JSON document")
	command.MarkFlagsMutuallyExclusive("json", "context")
	options.progress.flag(command)
	flags.BoolVar(&options.debug, "debug", false, "say on the standard error which requests are made")
	options.where.flags(command)
	return command
}

// parse reads the command and its arguments.
func (o *runOptions) parse(args []string) error {
	command, err := findCommand(commands.NewRegistry(), args[0])
	if err != nil {
		return err
	}
	o.command = command.Name
	o.arguments, err = parseArguments(command, args[1:])
	return err
}

func (p *program) run(ctx context.Context, options runOptions) error {
	// From here on everything is written through the progress, so that its line gets out of the way.
	told, progress := p.withProgress(options.progress)
	defer progress.clear()
	of, host, err := told.open(options.instance, options.where)
	if err != nil {
		return err
	}
	s := newSession(told.progressRunner(progress), host, of, progress)
	s.debug = options.debug
	results := told.results(options)
	s.show = results.show
	failures := s.run(ctx, options.command, options.arguments)
	if err := results.end(); err != nil {
		return failed(fmt.Errorf("writing the results: %w", err))
	}
	if failures != nil {
		return &exitError{code: exitFailed}
	}
	return nil
}

// results are what becomes of the results of all runs of a command.
type results interface {
	// show is given the result of every run, and end is called after the last.
	show(result execution.Result)
	end() error
}

func (p *program) results(options runOptions) results {
	switch {
	case options.asJSON:
		return &jsonResults{program: p}
	case options.asContext:
		return &contextResults{program: p}
	}
	return &textResults{program: p, screen: p.screen(options.where.files)}
}

// textResults shows entries as they come.
type textResults struct {
	*program

	screen screen
}

func (r *textResults) show(result execution.Result) {
	r.screen.entries(result.Entries)
	r.sayError(result.Err)
}

func (*textResults) end() error { return nil }

// jsonResults gathers the entries of all runs, and writes them as one document at the end.
type jsonResults struct {
	*program

	all execution.Result
}

func (r *jsonResults) show(result execution.Result) {
	r.all.Entries = append(r.all.Entries, result.Entries...)
	if result.Err != nil {
		r.all.Entries = append(r.all.Entries, warroom.Fail(result.Err.Error()))
	}
}

func (r *jsonResults) end() error { return platform.EncodeResults(r.Out, r.all) }

// sayFailures says what failed where no entry is shown.
func (p *program) sayFailures(result execution.Result) {
	for _, entry := range result.Entries {
		if entry.Kind == warroom.Failure {
			sayFailure(p.Errors, warroom.Plain(entry.Blocks))
		}
	}
	p.sayError(result.Err)
}

func (p *program) sayError(err error) {
	if err == nil {
		return
	}
	sayFailure(p.Errors, err.Error())
	// The error is about the War Room, as its remedy is; here a user logs in another way.
	if refused, ok := errors.AsType[*auth.Error](err); ok && refused.Code == auth.CodeLoginRequired {
		fmt.Fprintf(p.Errors, "In a terminal, %s login --instance FILE logs a user in.\n", programName)
	}
}

func sayFailure(to io.Writer, text string) {
	fmt.Fprintf(to, "%s: %s\n", programName, warroom.Visible(text))
}
