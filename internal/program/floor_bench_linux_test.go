package program_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"xsoar-defender/internal/repository"
	"xsoar-defender/platform/platformtest"
)

// BenchmarkFloor runs the program and the least that could do its work in turns. It reports the medians of their CPU time and
// of the time that the platform waits: for a process that starts, signs in and answers the Test button, and for one small
// command more in a process that runs.
func BenchmarkFloor(b *testing.B) {
	tenant := newLargeTenant(b, 1)
	floor := filepath.Join(b.TempDir(), "floor")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", floor, "./internal/program/floor")
	build.Dir, build.Env = repository.Root(b), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	const small = 300 // commands in a process
	life := func(command *exec.Cmd, commands int) (first, each, cpu time.Duration) {
		begin := time.Now()
		plugin := platformtest.New().Start(b, command)
		run := func(request platformtest.Request) time.Duration {
			start := time.Now()
			if outcome, err := plugin.Run(request); err != nil || outcome.Failure() != "" {
				b.Fatalf("got %v and the error entry %q", err, outcome.Failure())
			}
			return time.Since(start)
		}
		run(platformtest.Request{Command: "test-module", Args: map[string]any{}, Params: tenant.instance()})
		first = time.Since(begin)
		var waits []time.Duration
		for range commands {
			waits = append(waits, run(getMachines(tenant.instance())))
		}
		if err := plugin.Close(); err != nil {
			b.Fatal(err)
		}
		return first, median(waits), command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	measured := map[string][]time.Duration{}
	for b.Loop() {
		for _, name := range []string{"xsoar-defender", "floor"} {
			start := func() *exec.Cmd {
				command := program(b, "xsoar-defender", nil)
				if name == "floor" {
					command.Path = floor
				}
				return command
			}
			first, _, cold := life(start(), 0)
			_, each, warm := life(start(), small)
			for what, took := range map[string]time.Duration{"cold": first, "cold-cpu": cold, "warm": each, "warm-cpu": (warm - cold) / small} {
				measured[name+" "+what] = append(measured[name+" "+what], took)
			}
		}
	}
	for _, what := range []string{"cold", "cold-cpu", "warm", "warm-cpu"} {
		own, least := median(measured["xsoar-defender "+what]), median(measured["floor "+what])
		b.ReportMetric(float64(own.Microseconds())/1000, what+"-ms")
		b.ReportMetric(float64(own)/float64(least), what+"-x")
	}
}

// median returns the middle of several times, or 0 of none.
func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[len(times)/2]
}
