// Package cli is the command line: it runs the same commands as the platform does, from a terminal.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"xsoar-defender/execution"
)

// The exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1 // the work failed; the error was shown
	exitUsage  = 2 // a usage error, or malformed input
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
	// ConfigDir returns the folder for the user's configuration.
	ConfigDir func() (string, error)
	// OpenBrowser shows a page in the user's browser. It may return only when the browser has ended.
	OpenBrowser func(address string) error
	// Manifest is that of the integration, as the package manifest writes it.
	Manifest string
}

// Execute runs the program until it is done or ctx ends, and gives its exit code.
func Execute(ctx context.Context, world World) int {
	out := &checkedWriter{to: world.Out}
	world.Out = out
	err := newRoot(world).ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = failed(fmt.Errorf("writing the output: %w", out.err))
	}
	return report(world.Errors, err)
}

// runner returns a runner of its own, which says what it has to say where the command line does.
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

// failed marks an error as a failure of the work itself (exit code 1). All other errors are usage errors.
func failed(err error) error { return &exitError{code: exitFailed, err: err} }

// report says what went wrong and gives the exit code.
func report(errs io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	exit, ok := errors.AsType[*exitError](err)
	switch {
	case !ok:
		fmt.Fprintf(errs, "%s: %v\nRun '%s --help' for usage.\n", programName, err, programName)
		return exitUsage
	case exit.err != nil:
		fmt.Fprintf(errs, "%s: %v\n", programName, exit.err)
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

const rootHelp = `Commands for Microsoft Defender for Endpoint, for the War Room of Cortex XSOAR and for a terminal.

Without arguments, and with something other than a terminal as its standard input, the program serves the platform: it
reads executions from its standard input and writes entries to its standard output, one JSON message a line.

The exit code is 0 on success, 1 if something failed, and 2 for a usage error. Output is coloured only on a
terminal, and not if NO_COLOR is set.`

// Tree returns the command line as a tree for the generators of manual pages and completion scripts. Its commands must
// not be run.
func Tree() *cobra.Command {
	return newRoot(World{Runner: &execution.Runner{}, Args: []string{programName}})
}

func newRoot(world World) *cobra.Command {
	p := &program{World: world}
	root := &cobra.Command{
		Use: programName, Short: "Commands for Microsoft Defender for Endpoint", Long: rootHelp,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
	}
	// The flag is our own: cobra's prints through a template, and with one template the linker has to keep every
	// method of every type, which makes the program 4 MB larger and each idle process of it 3 MB.
	version := root.Flags().Bool("version", false, "show the version")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			return p.sayVersion()
		}
		return cmd.Help()
	}
	root.SetIn(world.In)
	root.SetOut(world.Out)
	root.SetErr(world.Errors)
	root.SetArgs(world.Args[1:])
	root.AddCommand(
		p.runCommand(), p.commandsCommand(), p.loginCommand(), p.doctorCommand(), p.checkPlaybookCommand(), p.packCommand(),
		p.demoCommand(), p.simulateCommand(), p.execCommand(), p.completionCommand(), p.warroomCommand(), p.versionCommand(),
	)
	return root
}

// program is the command line.
type program struct{ World }

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.sayVersion() },
	}
}

func (p *program) sayVersion() error {
	_, err := fmt.Fprintln(p.Out, programName, p.Version)
	return err
}
