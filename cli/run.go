package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/platform"
	"xsoar-defender/warroom"
)

// runOptions is what a call of run asks for.
type runOptions struct {
	command   string
	arguments map[string]json.RawMessage
	instance  string // the file
	asJSON    bool
	debug     bool
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
		ValidArgsFunction: func(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			registry := commands.NewRegistry()
			if len(args) == 0 {
				return completeCommand(registry)
			}
			chosen, known := registry.Find(args[0])
			if !known {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeArgument(chosen, args[1:], typed)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.instance, "instance", "", "file with the instance's parameters")
	flags.BoolVar(&options.asJSON, "json", false, "write the entries as one JSON document")
	flags.BoolVar(&options.debug, "debug", false, "say on the standard error which requests are made")
	options.where.flags(command)
	for _, err := range []error{command.MarkFlagRequired("instance"), command.MarkFlagFilename("instance", "json")} {
		if err != nil {
			panic(err) // only for a flag that is not there
		}
	}
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
	of, err := readInstance(options.instance)
	if err != nil {
		return err
	}
	host, err := p.host(options.where, of)
	if err != nil {
		return err
	}
	s := newSession(p.runner(), host, of, p.Errors)
	s.debug = options.debug
	if options.asJSON {
		return p.runJSON(ctx, s, options)
	}
	screen := p.screen(options.where.files)
	s.show = func(result execution.Result) {
		screen.entries(result.Entries)
		if result.Err != nil {
			fmt.Fprintf(p.Errors, "%s: %s\n", programName, warroom.Visible(result.Err.Error()))
		}
	}
	if s.run(ctx, options.command, options.arguments) != nil {
		return &exitError{code: exitFailed}
	}
	return nil
}

// runJSON writes the entries of all runs as one document.
func (p *program) runJSON(ctx context.Context, s *session, options runOptions) error {
	var all execution.Result
	s.show = func(result execution.Result) {
		all.Entries = append(all.Entries, result.Entries...)
		if result.Err != nil {
			all.Entries = append(all.Entries, warroom.Fail(result.Err.Error()))
		}
	}
	failures := s.run(ctx, options.command, options.arguments)
	if err := platform.EncodeResults(p.Out, all); err != nil {
		return failed(fmt.Errorf("writing the results: %w", err))
	}
	if failures != nil {
		return &exitError{code: exitFailed}
	}
	return nil
}
