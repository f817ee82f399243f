package main

import "testing"

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
