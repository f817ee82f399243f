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

// runOptions are the flags and arguments of run.
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
		Long: `Runs a War Room command with an integration instance from a file, and shows its entries.

FILE is a JSON object of instance parameters, or {"name": "...", "params": {...}}. The state file
keeps what the platform would keep for the instance, such as its sign-in. A command that asks to be run again later, such as one
that waits for a machine action, is run again until it is done.

--context writes the context that a playbook would find instead of the entries: objects at a path with a key part
are merged if they match, and a path without one holds the newest value.

The exit code is 0 on success, 1 if there is an error entry, and 2 for a usage error.`,
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
	flags.BoolVar(&options.asContext, "context", false, "write the context that the entries leave, as one JSON document")
	command.MarkFlagsMutuallyExclusive("json", "context")
	options.progress.flag(command)
	flags.BoolVar(&options.debug, "debug", false, "log every request on the standard error")
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
	// From here on all output goes through the progress, so that its line is erased first.
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

// results collects and shows the results of all runs of a command.
type results interface {
	// show receives the result of every run; end is called after the last one.
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

// textResults shows the entries of every run at once.
type textResults struct {
	*program

	screen screen
}

func (r *textResults) show(result execution.Result) {
	r.screen.entries(result.Entries)
	r.sayError(result.Err)
}

func (*textResults) end() error { return nil }

// jsonResults collects the entries of all runs and writes them as one document at the end.
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

// sayFailures shows what failed where entries are not shown.
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
	// The remedy of the error is for the War Room; in a terminal a user logs in differently.
	if refused, ok := errors.AsType[*auth.Error](err); ok && refused.Code == auth.CodeLoginRequired {
		fmt.Fprintf(p.Errors, "In a terminal, %s login --instance FILE logs a user in.\n", programName)
	}
}

func sayFailure(to io.Writer, text string) {
	fmt.Fprintf(to, "%s: %s\n", programName, warroom.Visible(text))
}
