package program_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xsoar-defender/internal/cli/terminal/terminaltest"
)

func TestBareStartOnATerminalPrintsTheHelp(t *testing.T) {
	t.Parallel()
	command := program(t, "xsoar-defender", nil)
	command.Stdin = terminaltest.Open(t)
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Usage:") || !strings.Contains(string(out), "check-playbook") {
		t.Errorf("got %v and\n%s\nwant the help", err, out)
	}
}

// TestSecondSignalEndsAProcessThatNobodyReads fills the pipe to the platform, which does not read, and signals twice.
// It signals when no thread runs any more: between two lines the first signal would be enough.
func TestSecondSignalEndsAProcessThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		command := program(t, "xsoar-defender", nil)
		input := filepath.Join(t.TempDir(), "input") // a file, for which the process never waits
		if err := os.WriteFile(input, []byte(strings.Repeat("ping\n", 20_000)), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(input)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		command.Stdin = in
		unread, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer unread.Close()
		command.Stdout = out
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		out.Close()
		ticker := time.NewTicker(10 * time.Millisecond)
		for {
			<-ticker.C
			waiting, err := unix.IoctlGetInt(int(unread.Fd()), unix.TIOCINQ)
			if err != nil {
				t.Fatal(err)
			}
			if waiting > 60<<10 && sleeps(t, command.Process.Pid) { // nothing more fits in
				break
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		// The first signal is the loop's, and the second the system's: how long the first takes to arrive is not known.
		for len(ended) == 0 {
			_ = command.Process.Signal(signal) // it may have ended
			<-ticker.C
		}
		failed, ok := errors.AsType[*exec.ExitError](<-ended)
		if !ok || failed.Sys().(syscall.WaitStatus).Signal() != signal {
			t.Errorf("%s: the process ended with %v, want by the second signal", signal, failed)
		}
	}
}

// sleeps reports whether no thread of a process has anything to do.
func sleeps(t *testing.T, process int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", process))
	if err != nil || len(threads) == 0 {
		t.Fatalf("the process shows no threads (%v)", err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil || !strings.Contains(string(text), "\nState:\tS") {
			return false
		}
	}
	return true
}
