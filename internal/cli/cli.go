// Package cli is the command line: it runs the same commands as the platform does, from a terminal.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/warroom"
)

// The exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1 // the work failed; the error was shown
	exitUsage  = 2 // a usage error, an unusable instance or malformed input: nothing was asked of the service
	// exitInterrupted is the code that shells report for a program that Ctrl-C ended.
	exitInterrupted = 130
)

// programName is the name of the program in messages.
const programName = "xsoar-defender"

// World is everything outside the program that it works with.
type World struct {
	// Runner carries commands out, with the clock, the randomness and the environment that the command line uses too.
	*execution.Runner

	// Args are the arguments of the process; the first is the name under which it was started.
	Args        []string
	In          io.Reader
	Out, Errors io.Writer
	// Width returns the width in columns of the terminal behind Out, or 0 if Out is not a terminal.
	Width func() int
	// ErrorsWidth does the same for Errors; nil means that Errors is not a terminal.
	ErrorsWidth func() int
	// Height returns the height in lines of the terminal behind Out; nil means that Out is not a terminal.
	Height func() int
	// Page shows text on the terminal in a pager, a program with its arguments; nil means that no text is paged.
	Page func(pager []string, text string) error
	// ReadSecret asks on the terminal for a secret, and does not show it; nil means that nobody can be asked.
	ReadSecret func(prompt string) (string, error)
	// WithoutLines lets In be read as it is typed, without echo, until restore is called; nil means that In is not a
	// terminal. A terminal cuts lines of more than a few thousand characters.
	WithoutLines func() (restore func() error, err error)
	// ConfigDir returns the folder for the user's configuration.
	ConfigDir func() (string, error)
	// OpenBrowser shows a page in the user's browser. It may return only when the browser has ended.
	OpenBrowser func(address string) error
	// CompletionTime is how long a completion may take to look up machines; zero means 2 s.
	CompletionTime time.Duration
	// Manifest is that of the integration, as the package manifest writes it.
	Manifest string
}

// Execute runs the program until it is done or ctx ends, and returns its exit code.
func Execute(ctx context.Context, world World) int {
	out := &checkedWriter{to: world.Out}
	world.Out = out
	p := &program{World: world}
	command, err := p.root().ExecuteContextC(ctx)
	err = errors.Join(err, p.helpFailed)
	if err == nil && out.err != nil {
		err = failed(fmt.Errorf("writing the output: %w", out.err))
	}
	code := report(world.Errors, err, command)
	if code == exitFailed && ctx.Err() != nil {
		return exitInterrupted
	}
	return code
}

// runner returns a copy of the runner that writes its messages to the standard error of the command line.
func (w World) runner() *execution.Runner {
	runner := *w.Runner
	runner.Errors = w.Errors
	return &runner
}

// exitError ends the program with an exit code. If err is nil, the failure was already shown.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failed marks an error as a failure of the work itself (exit code 1), unless it has an exit code already. All other
// errors are usage errors.
func failed(err error) error {
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	return &exitError{code: exitFailed, err: err}
}

// invalid marks an error as one that was found before anything was asked (exit code 2), where the help of the program
// would not help.
func invalid(err error) error { return &exitError{code: exitUsage, err: err} }

// report writes what went wrong and returns the exit code.
func report(errs io.Writer, err error, command *cobra.Command) int {
	if err == nil {
		return exitDone
	}
	exit, ok := errors.AsType[*exitError](err)
	switch {
	case !ok:
		hint := fmt.Sprintf("Run '%s --help' for usage.", command.CommandPath())
		if wrong, ok := errors.AsType[*usageError](err); ok && wrong.hint != "" {
			hint = wrong.hint
		}
		fmt.Fprintf(errs, "%s: %s\n%s\n", programName, warroom.Visible(err.Error()), warroom.Visible(hint))
		return exitUsage
	case exit.err != nil:
		fmt.Fprintf(errs, "%s: %s\n", programName, warroom.Visible(exit.err.Error()))
	}
	return exit.code
}

// checkedWriter keeps the first error of a writer, so that it can be checked once, at the end.
type checkedWriter struct {
	to  io.Writer
	err error
}

func (w *checkedWriter) Write(text []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	written, err := w.to.Write(text)
	w.err = err
	return written, err
}

const rootHelp = `Microsoft Defender for Endpoint in a terminal: the commands that Cortex XSOAR has in its War Room, with the same
arguments and results.

Without arguments, and with something other than a terminal as its standard input, the program serves the platform: it
reads executions from its standard input and writes entries to its standard output, one JSON message a line.

The exit code is 0 on success, 1 if something failed, 2 for a mistake that was found before any request, such as
a misspelled argument, and 130 after Ctrl-C.`

const rootExample = `  xsoar-defender demo
  xsoar-defender instances add prod auth_type="Client Credentials" self_deployed=true
  xsoar-defender doctor --instance prod
  xsoar-defender run microsoft-atp-get-machines risk_score=High --instance prod
  xsoar-defender commands --search "isolate machine"`

// Tree returns the command line as a tree for the generators of manual pages and completion scripts. Its commands must
// not be run.
func Tree() *cobra.Command {
	p := &program{World: World{Runner: &execution.Runner{}, Args: []string{programName}}}
	return p.root()
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use: programName, Short: "Commands for Microsoft Defender for Endpoint", Long: rootHelp, Example: rootExample,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(root *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownSubcommand(root, args[0], commands.NewRegistry())
			}
			return nil
		},
	}
	// The flag is our own: cobra's prints through a template, and with one template the linker must keep every method of
	// every type, which makes the program 4 MB larger and each idle process of it 3 MB.
	version := root.Flags().Bool("version", false, "show the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			return p.sayVersion()
		}
		return cmd.Help()
	}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Errors)
	root.SetArgs(p.Args[1:])
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(command *cobra.Command, _ []string) { p.helpFailed = p.helpOf(command) })
	root.SetHelpCommand(p.helpCommand())
	root.AddGroup(groups()...)
	root.AddCommand(
		p.runCommand(), p.commandsCommand(), p.warroomCommand(), p.checkPlaybookCommand(),
		p.instancesCommand(), p.loginCommand(), p.doctorCommand(),
		p.packCommand(), p.execCommand(),
		p.mirrorCommand(), p.demoCommand(), p.simulateCommand(),
		p.completionCommand(), p.versionCommand(),
	)
	return root
}

// program is the command line.
type program struct {
	World

	// helpFailed is why the help that was asked for could not be shown: cobra takes no error of it.
	helpFailed error
}
