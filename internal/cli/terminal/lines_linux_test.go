package terminal_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"xsoar-defender/internal/cli/terminal"
	"xsoar-defender/internal/cli/terminal/terminaltest"
)

func mode(t *testing.T, side *os.File) unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(side.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *mode
}

func TestWithoutLinesReadsEveryCharacterAsItComes(t *testing.T) {
	side := terminaltest.Open(t)
	before := mode(t, side)
	before.Cc[unix.VMIN], before.Cc[unix.VTIME] = 4, 7 // as a program before it may have left them
	if err := unix.IoctlSetTermios(int(side.Fd()), unix.TCSETS, &before); err != nil {
		t.Fatal(err)
	}
	restore, err := terminal.WithoutLines(side)
	if err != nil {
		t.Fatal(err)
	}
	during := mode(t, side)
	if got := during.Lflag & (unix.ICANON | unix.ECHO); got != 0 {
		t.Errorf("got the flags %#x, want neither lines nor echo", got)
	}
	if during.Lflag&unix.ISIG == 0 {
		t.Error("Ctrl-C no longer works")
	}
	if least, wait := during.Cc[unix.VMIN], during.Cc[unix.VTIME]; least != 1 || wait != 0 {
		t.Errorf("got at least %d characters and a limit of %d, want 1 and none", least, wait)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, side); got != before {
		t.Errorf("got the mode %+v, want %+v again", got, before)
	}
}

func TestAFileIsNotATerminal(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if restore, err := terminal.WithoutLines(file); err == nil || restore != nil {
		t.Errorf("got %v, want an error", err)
	}
}
