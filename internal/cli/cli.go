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
	exitFailed = 1 // something did not work; it was said what
	exitUsage  = 2 // the program was called wrongly, or what it was given to read was malformed
)

// programName is what the program calls itself in messages.
const programName = "xsoar-defender"

// World is everything outside the program that it works with.
type World struct {
	// Runner carries commands out, with the clock, the randomness and the environment that the command line uses too.
	*execution.Runner

	// Args are the arguments of the process; the first is the name under which it was started.
	Args        []string
	In          io.Reader
	Out, Errors io.Writer
	// Width gives the width in columns of the terminal that Out is, and 0 when it is none.
	Width func() int
	// ErrorsWidth does the same for Errors; nil stands for no terminal.
	ErrorsWidth func() int
	// ConfigDir gives the folder of user configuration.
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

// exitError ends the program with a code. Without an error nothing is left to say.
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

// failed marks an error as one of the work itself. All others are errors of usage.
func failed(err error) error { return &exitError{code: exitFailed, err: err} }

// report says what went wrong and gives the exit code.
func report(errs io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	exit, ok := errors.AsType[*exitError](err)
	switch {
	case !ok:
		fmt.Fprintf(errs, "%s: %v\nRun '%s --help' for what there is.\n", programName, err, programName)
		return exitUsage
	case exit.err != nil:
		fmt.Fprintf(errs, "%s: %v\n", programName, exit.err)
	}
	return exit.code
}

// checkedWriter keeps the first error of a writer, which is looked at once, at the end.
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

The exit code is 0 when all went well, 1 when something did not work, and 2 when the program was called wrongly.
Nothing is coloured when NO_COLOR is set or the output is no terminal.`

// Tree is the command line as a tree, for what is generated from it. Its commands are not to be run.
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
	version := root.Flags().Bool("version", false, "say which version this is")
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
		p.demoCommand(), p.simulateCommand(), p.execCommand(), p.completionCommand(), p.versionCommand(),
	)
	return root
}

// program is the command line.
type program struct{ World }

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.sayVersion() },
	}
}

func (p *program) sayVersion() error {
	_, err := fmt.Fprintln(p.Out, programName, p.Version)
	return err
}
