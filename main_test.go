package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xsoar-defender/platform"
)

func TestNameOfAnInterpreterServesThePlatform(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"python", "python2", "python3", "/usr/bin/python3", "python.exe", "Python3.EXE"} {
		for _, terminal := range []bool{false, true} {
			if !servesPlatform([]string{name, "-c", "import sys"}, terminal) {
				t.Errorf("started as %s (terminal %t) it does not serve the platform", name, terminal)
			}
		}
	}
	for _, name := range []string{"xsoar-defender", "/usr/local/bin/xsoar-defender", "python4", "pythonic", "my-python"} {
		if servesPlatform([]string{name, "version"}, false) {
			t.Errorf("started as %s with an argument it serves the platform", name)
		}
	}
}

func TestWithoutArgumentsAPipeIsThePlatformAndATerminalAUser(t *testing.T) {
	t.Parallel()
	for terminal, want := range map[bool]bool{false: true, true: false} {
		if got := servesPlatform([]string{"xsoar-defender"}, terminal); got != want {
			t.Errorf("on a terminal (%t): got %t that it serves the platform, want %t", terminal, got, want)
		}
	}
}

// closed is an output that nobody reads.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("the other side is gone") }

// held is an output that nobody reads, and that is not closed before its end.
type held chan struct{}

func (h held) Write(text []byte) (int, error) {
	<-h
	return len(text), nil
}

func TestAnErrorOfThePlatformsSideIsSaidAndEndsWithOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out, said bytes.Buffer
		if code := serve(t.Context(), platform.Options{In: strings.NewReader("ping\n"), Out: &out, Errors: &said}); code != 0 || said.Len() > 0 {
			t.Errorf("got %d and %q when the input ends, want 0 and nothing", code, &said)
		}
		began := time.Now()
		code := serve(t.Context(), platform.Options{In: strings.NewReader("ping\n"), Out: closed{}, Errors: &said})
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s, want no wait once the error is said", took)
		}
		if got, want := said.String(), "xsoar-defender: "; code != 1 || !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "the other side is gone\n") {
			t.Errorf("got %d and %q, want 1 and the error", code, got)
		}
	})
}

func TestAnErrorThatNobodyReadsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errs := make(held)
		defer close(errs)
		began := time.Now()
		if code := serve(t.Context(), platform.Options{In: strings.NewReader("ping\n"), Out: closed{}, Errors: errs}); code != 1 || time.Since(began) != time.Second {
			t.Errorf("got %d after %s, want 1 after a second", code, time.Since(began))
		}
	})
}
