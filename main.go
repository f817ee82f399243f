// Command xsoar-defender gives Cortex XSOAR its commands for Microsoft Defender for Endpoint.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
	"github.com/pkg/browser"
	"golang.org/x/term"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/cli/terminal"
	"xsoar-defender/internal/system"
	"xsoar-defender/platform"
)

// version is set by the linker in a release: -ldflags "-X main.version=1.2.3".
var version string

// manifest is that of the integration. It is embedded as it was generated: to write it from the declarations takes a
// YAML library, which would be in the memory of every process that serves the platform.
//
//go:embed integration.yml
var manifest string

func main() { os.Exit(run()) }

// run runs the program and returns its exit code. What belongs to the outside is taken here, and passed in from here on.
func run() int {
	memory := sync.OnceValue(func() int64 { return platform.LimitMemory(os.DirFS("/")) })
	var resources *platform.Resources
	serving := servesPlatform(os.Args, term.IsTerminal(int(os.Stdin.Fd())))
	if serving {
		resources = platform.NewResources(memory) // before anything else hands over between processors
	}
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	log.SetFlags(0)
	log.SetOutput(execution.LibraryLog(os.Stderr))
	azlog.SetListener(nil) // AZURE_SDK_GO_LOGGING would have it print requests
	// The variable makes azidentity send the secret of an instance to another host than its authority, or ask the instance
	// metadata service for the region. See https://learn.microsoft.com/entra/msal/dotnet/advanced/regional-authorities.
	_ = os.Unsetenv("AZURE_REGIONAL_AUTHORITY_NAME")
	machine := system.System{Clock: system.Clock{Now: time.Now, Sleep: system.Sleep}, Random: rand.Reader, Getenv: os.Getenv}
	runner := &execution.Runner{
		System: machine, Commands: commands.NewRegistry(), Version: buildVersion(), Errors: os.Stderr,
		Transports: execution.NewTransports(), Process: &auth.ProcessTokens{}, Mirrored: &commands.MirrorMemories{}, Decoded: &execution.Instances{},
	}
	if serving {
		runner.Large = resources.Grow
		return serve(ctx, platform.Options{
			System: machine, In: platform.Polled(os.Stdin), Out: os.Stdout, Errors: os.Stderr, Runner: runner, Resources: resources,
		})
	}
	memory()
	runner.Large = memory
	return cli.Execute(ctx, cli.World{
		Runner: runner, Args: os.Args, In: os.Stdin, Out: os.Stdout, Errors: os.Stderr, Width: widthOf(os.Stdout), ErrorsWidth: widthOf(os.Stderr),
		Height: heightOf(os.Stdout), Page: page, ReadSecret: secretReader(os.Stdin, os.Stderr), WithoutLines: withoutLines(os.Stdin),
		ConfigDir: os.UserConfigDir, OpenBrowser: openBrowser, Manifest: manifest,
	})
}

// endings lists the signals that end the program in order. A terminal that closes sends SIGHUP, which nohup makes the
// program ignore.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// servesPlatform reports whether the program was started to serve the platform: under the name of a Python interpreter,
// as the platform starts what is in a container, whatever the arguments then are, or without arguments and with something
// other than a terminal to read from.
func servesPlatform(args []string, terminal bool) bool {
	switch strings.TrimSuffix(strings.ToLower(filepath.Base(args[0])), ".exe") {
	case "python", "python2", "python3":
		return true
	}
	return len(args) == 1 && !terminal
}

// serve serves the platform until it closes the input, and returns the exit code: 0, or 1 after an error, which it
// writes to the standard error.
func serve(ctx context.Context, options platform.Options) int {
	err := platform.Serve(ctx, options)
	if err == nil {
		return 0
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		fmt.Fprintln(options.Errors, "xsoar-defender:", err)
	}()
	waiting, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	select {
	case <-said:
	case <-waiting.Done(): // nobody reads the standard error either
	}
	return 1
}

// openBrowser shows a page in the user's browser. What the browser prints is discarded: it may outlive this program.
func openBrowser(address string) error {
	browser.Stdout, browser.Stderr = nil, nil
	return browser.OpenURL(address)
}

// buildVersion returns the version that the linker set, or else the one that the build recorded.
func buildVersion() string {
	recorded := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		recorded = strings.TrimPrefix(info.Main.Version, "v")
	}
	return cmp.Or(version, recorded)
}

// widthOf returns what measures the width in columns of the terminal behind stream: 0 if stream is not a terminal, and 80
// if the terminal does not know its width.
func widthOf(stream *os.File) func() int {
	const usual = 80
	return func() int {
		width, _, err := term.GetSize(int(stream.Fd()))
		if err != nil {
			return 0
		}
		return cmp.Or(width, usual)
	}
}

// heightOf returns what measures the height in lines of the terminal behind stream; nil if stream is not a terminal.
func heightOf(stream *os.File) func() int {
	const usual = 24
	if !term.IsTerminal(int(stream.Fd())) {
		return nil
	}
	return func() int {
		_, height, err := term.GetSize(int(stream.Fd()))
		if err != nil {
			return usual
		}
		return cmp.Or(height, usual)
	}
}

// page shows text in a pager. Unless the user says otherwise, less ends by itself where the text fits, and keeps colours.
func page(pager []string, text string) error {
	command := exec.Command(pager[0], pager[1:]...) //nolint:gosec,noctx // the pager is the one that the user has set, and outlives an interruption
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(text), os.Stdout, os.Stderr
	command.Env = append(os.Environ(), "LESSCHARSET=utf-8")
	if os.Getenv("LESS") == "" {
		command.Env = append(command.Env, "LESS=FRX")
	}
	return command.Run()
}

// withoutLines returns what stops the terminal behind in from collecting lines; nil if in is not a terminal.
func withoutLines(in *os.File) func() (func() error, error) {
	if !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return func() (func() error, error) { return terminal.WithoutLines(in) }
}

// secretReader returns what asks for a secret on the terminal behind in, without showing it; nil if in is not a terminal.
func secretReader(in, out *os.File) func(prompt string) (string, error) {
	if !term.IsTerminal(int(in.Fd())) {
		return nil
	}
	return func(prompt string) (string, error) {
		fmt.Fprint(out, prompt)
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(out)
		return string(secret), err
	}
}
