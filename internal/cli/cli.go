// Package cli is the program as it is started: without arguments, or under the name of a Python interpreter, it
// serves the platform; with arguments it is a command line over the same commands.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/platform"
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
	// Args are the arguments of the process; the first is the name under which it was started.
	Args        []string
	In          io.Reader
	Out, Errors io.Writer
	// Width gives the width in columns of the terminal that Out is, and 0 when it is none.
	Width func() int
	// ErrorsWidth does the same for Errors; nil stands for no terminal.
	ErrorsWidth func() int
	Now         func() time.Time
	Sleep       func(ctx context.Context, wait time.Duration) error
	Random      io.Reader
	Getenv      func(name string) string
	// ConfigDir gives the folder of user configuration.
	ConfigDir func() (string, error)
	// OpenBrowser shows a page in the user's browser. It may return only when the browser has ended.
	OpenBrowser func(address string) error
	// Version is the program's version.
	Version string
	// Manifest is that of the integration, as the package manifest writes it.
	Manifest string
}

// Execute runs the program until it is done or ctx ends, and gives its exit code.
func Execute(ctx context.Context, world World) int {
	if len(world.Args) < 2 || isInterpreter(world.Args[0]) {
		return servePlatform(ctx, world)
	}
	out := &checkedWriter{to: world.Out}
	world.Out = out
	err := newRoot(world).ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = failed(fmt.Errorf("writing the output: %w", out.err))
	}
	return report(world.Errors, err)
}

// isInterpreter tells whether the program was started in place of a Python interpreter, as the platform starts
// what is in a container. The arguments then mean nothing to it.
func isInterpreter(name string) bool {
	switch strings.TrimSuffix(strings.ToLower(filepath.Base(name)), ".exe") {
	case "python", "python2", "python3":
		return true
	}
	return false
}

func servePlatform(ctx context.Context, world World) int {
	err := platform.Serve(ctx, platform.Options{
		In: world.In, Out: world.Out, Errors: world.Errors, Runner: world.runner(), Random: world.Random, Sleep: world.Sleep,
	})
	if err != nil {
		err = failed(err)
	}
	return report(world.Errors, err)
}

// runner is what carries commands out, for the platform and for the command line alike.
func (w World) runner() *execution.Runner {
	return &execution.Runner{
		Commands: commands.NewRegistry(), Version: w.Version, Now: w.Now, Sleep: w.Sleep, Random: w.Random,
		Getenv: w.Getenv, Errors: w.Errors, Transports: execution.NewTransports(), Memory: &auth.Memory{},
	}
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

Without arguments the program serves the platform: it reads executions from its standard input and writes
entries to its standard output, one JSON message a line.

The exit code is 0 when all went well, 1 when something did not work, and 2 when the program was called wrongly.
Nothing is coloured when NO_COLOR is set or the output is no terminal.`

// Tree is the command line as a tree, for what is generated from it. Its commands are not to be run.
func Tree() *cobra.Command { return newRoot(World{Args: []string{programName}}) }

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
