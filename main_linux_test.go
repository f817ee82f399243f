package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"xsoar-defender/internal/cli/terminal/terminaltest"
)

// file returns a file that is not a terminal, and what was written to it.
func file(t *testing.T) (opened *os.File, written func() string) {
	t.Helper()
	opened, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened, func() string {
		text, err := os.ReadFile(opened.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestTheSizeIsThatOfTheTerminal(t *testing.T) {
	t.Parallel()
	side := terminaltest.Open(t)
	width, height := widthOf(side), heightOf(side)
	check := func(of string, wantWidth, wantHeight int) {
		t.Helper()
		if gotWidth, gotHeight := width(), height(); gotWidth != wantWidth || gotHeight != wantHeight {
			t.Errorf("%s: got %d columns and %d lines, want %d and %d", of, gotWidth, gotHeight, wantWidth, wantHeight)
		}
	}
	check("a terminal that does not know its size", 80, 24)
	if err := unix.IoctlSetWinsize(int(side.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 133, Row: 47}); err != nil {
		t.Fatal(err)
	}
	check("a terminal that does", 133, 47)
	if err := side.Close(); err != nil {
		t.Fatal(err)
	}
	check("a terminal that is gone", 0, 24)
}

func TestAFileIsNoTerminal(t *testing.T) {
	t.Parallel()
	opened, _ := file(t)
	if got := widthOf(opened)(); got != 0 {
		t.Errorf("got %d columns, want 0", got)
	}
	if heightOf(opened) != nil || withoutLines(opened) != nil || secretReader(opened, opened) != nil {
		t.Error("got what only a terminal has, want nil")
	}
}

func TestASecretIsReadFromTheTerminal(t *testing.T) {
	t.Parallel()
	window, side := terminaltest.OpenWindow(t)
	out, written := file(t)
	if _, err := window.WriteString("the secret\r"); err != nil {
		t.Fatal(err)
	}
	secret, err := secretReader(side, out)("Secret: ")
	if secret != "the secret" || err != nil {
		t.Errorf("got %q, %v, want the secret", secret, err)
	}
	if got, want := written(), "Secret: \n"; got != want {
		t.Errorf("got %q on the screen, want %q", got, want)
	}
}

func TestATerminalReadsWithoutLines(t *testing.T) {
	t.Parallel()
	side := terminaltest.Open(t)
	restore, err := withoutLines(side)()
	if err != nil {
		t.Fatal(err)
	}
	if mode, err := unix.IoctlGetTermios(int(side.Fd()), unix.TCGETS); err != nil || mode.Lflag&unix.ICANON != 0 {
		t.Errorf("got the mode %+v, %v, want it without lines", mode, err)
	}
	if err := restore(); err != nil {
		t.Error(err)
	}
}

// TestAPagerIsGivenTheText has a pager that writes down what it is given.
func TestAPagerIsGivenTheText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	t.Setenv("SEEN_BY_THE_PAGER", path)
	for set, want := range map[string]string{"": "FRX utf-8 the text", "MX": "MX utf-8 the text"} {
		t.Setenv("LESS", set)
		if err := page([]string{"sh", "-c", `{ printf '%s %s ' "$LESS" "$LESSCHARSET"; cat; } >"$SEEN_BY_THE_PAGER"`}, "the text"); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("LESS is %q: got %q, %v, want %q", set, got, err, want)
		}
	}
}

// TestAClosedTerminalEndsWhatNohupDoesNotProtect looks at the signals that end the program in order.
func TestAClosedTerminalEndsWhatNohupDoesNotProtect(t *testing.T) {
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	if got, want := endings(), []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	signal.Ignore(syscall.SIGHUP)
	if got, want := endings(), []os.Signal{os.Interrupt, syscall.SIGTERM}; !slices.Equal(got, want) {
		t.Errorf("got %v when SIGHUP is ignored, want %v", got, want)
	}
}
