package local_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"xsoar-defender/internal/cli/local"
	"xsoar-defender/warroom"
)

func TestTheRightsOfOthersAreTakenAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode os.FileMode
		warn bool
	}{{0o600, false}, {0o400, false}, {0o644, true}, {0o660, true}, {0o601, true}, {0o604, true}} {
		state := filepath.Join(t.TempDir(), "state.json")
		if err := errors.Join(os.WriteFile(state, []byte(`{}`), 0o600), os.Chmod(state, test.mode)); err != nil {
			t.Fatal(err)
		}
		var errorLines strings.Builder
		load(t, local.New(local.Options{State: state, Key: "a", Errors: &errorLines, Random: rand.Reader}))
		want, mode := "", test.mode
		if test.warn {
			want, mode = fmt.Sprintf("Warning: others could read the state file %s, which holds sign-ins. Now only you can.\n", state), 0o600
		}
		if got := errorLines.String(); got != want {
			t.Errorf("rights %o: got the lines %q, want %q", test.mode, got, want)
		}
		if about, err := os.Stat(state); err != nil || about.Mode().Perm() != mode {
			t.Errorf("rights %o: got %v, %v afterwards, want %o", test.mode, about.Mode().Perm(), err, mode)
		}
	}
}

// TestRightsThatCannotBeTakenAwayAreReported has a state file whose rights nobody may change, not even an administrator: one of the
// kernel about this process.
func TestRightsThatCannotBeTakenAwayAreReported(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	if err := os.Symlink("/proc/self/statm", state); err != nil {
		t.Fatal(err)
	}
	var errorLines strings.Builder
	host := local.New(local.Options{State: state, Key: "a", Errors: &errorLines, Random: rand.Reader})
	_, err := host.Load(t.Context())
	if _, ok := errors.AsType[*local.DamagedError](err); !ok {
		t.Errorf("got %v, want a *DamagedError: the file holds no state", err)
	}
	if got, want := errorLines.String(), "Warning: others may read the state file "+state+", and that could not be changed: "; !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("got the lines %q, want one that begins with %q", got, want)
	}
}

// TestAHostLeavesNoFilesOpen runs alone, because it counts the open files of the process, and without the garbage collector,
// which closes some that were forgotten.
func TestAHostLeavesNoFilesOpen(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	folder := t.TempDir()
	host := newHost(filepath.Join(folder, "state.json"), "a", folder)
	before := open()
	for range 10 {
		set(t, host, "key", `1`)
		load(t, host)
		id := create(t, host, "content")
		file, err := host.Reopen(id)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		if _, err := host.Keep(warroom.File{Name: "a.txt", ID: id}); err != nil {
			t.Fatal(err)
		}
		if err := host.Discard(create(t, host, "")); err != nil {
			t.Fatal(err)
		}
	}
	if got := open(); got != before {
		t.Errorf("got %d open files, want %d as before", got, before)
	}
}
