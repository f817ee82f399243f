// Command xsoar-defender gives Cortex XSOAR its commands for Microsoft Defender for Endpoint.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/pkg/browser"
	"golang.org/x/term"

	"xsoar-defender/internal/cli"
)

// version is set by the linker in a release: -ldflags "-X main.version=1.2.3".
var version string

// manifest is that of the integration. It is embedded as it was generated: to write it from the declarations takes a
// YAML library, which would be in the memory of every process that serves the platform.
//
//go:embed integration.yml
var manifest string

func main() { os.Exit(run(time.Now, widthOf(os.Stdout))) }

// heapGrowth is how many percent the heap may grow between collections. The platform keeps thousands of these
// processes, nearly all of them idle: at a quarter of Go's default each holds 3 MB less (19.5 to 16.5 MB after seventy
// small commands), and ten thousand machines cost the same time.
const heapGrowth = 25

// run runs the program by a clock, for a terminal of a width, and gives its exit code.
func run(now func() time.Time, width func() int) int {
	debug.SetGCPercent(heapGrowth)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Execute(ctx, cli.World{
		Args: os.Args, In: os.Stdin, Out: os.Stdout, Errors: os.Stderr, Width: width, ErrorsWidth: widthOf(os.Stderr),
		Now: now, Sleep: sleep, Random: rand.Reader, Getenv: os.Getenv, ConfigDir: os.UserConfigDir, OpenBrowser: openBrowser,
		Version: buildVersion(), Manifest: manifest,
	})
}

// openBrowser shows a page in the user's browser, which may go on running after this program. So what it prints goes
// nowhere.
func openBrowser(address string) error {
	browser.Stdout, browser.Stderr = nil, nil
	return browser.OpenURL(address)
}

// buildVersion is the version that the linker set, else the one that the build recorded.
func buildVersion() string {
	recorded := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		recorded = strings.TrimPrefix(info.Main.Version, "v")
	}
	return cmp.Or(version, recorded)
}

// widthOf gives the width of the terminal that a stream is, in columns; 0 when it is none. One that does not know its
// width has the usual one.
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

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
