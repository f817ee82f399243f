package local_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"xsoar-defender/internal/cli/local"
)

// timedWriter keeps what is written, and after how long.
type timedWriter struct {
	text  strings.Builder
	began time.Time
	after []time.Duration
}

func (w *timedWriter) Write(text []byte) (int, error) {
	w.after = append(w.after, time.Since(w.began))
	return w.text.Write(text)
}

// hold locks a state file as another process does.
func hold(t *testing.T, state string) *flock.Flock {
	t.Helper()
	other := flock.New(state + ".lock")
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return other
}

func TestALockThatIsHeldForTooLongIsReported(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(context.Context, *local.Host) error{
		"Load":       func(ctx context.Context, host *local.Host) error { _, err := host.Load(ctx); return err },
		"SetLastRun": func(ctx context.Context, host *local.Host) error { return host.SetLastRun(ctx, json.RawMessage(`{}`)) },
	} {
		state := filepath.Join(t.TempDir(), "state.json")
		set(t, newHost(state, "a", ""), "key", `1`)
		hold(t, state)
		synctest.Test(t, func(t *testing.T) {
			errorLines := &timedWriter{began: time.Now()}
			host := local.New(local.Options{State: state, Key: "a", Errors: errorLines, Random: rand.Reader})
			err := use(t.Context(), host)
			locked, ok := errors.AsType[*local.LockedError](err)
			if !ok || locked.Path != state || locked.For != 30*time.Second {
				t.Errorf("%s: got %v, want a *LockedError with the path and 30s", name, err)
			}
			if got, want := time.Since(errorLines.began), 30*time.Second; got != want {
				t.Errorf("%s: gave up after %v, want %v", name, got, want)
			}
			if got, want := errorLines.text.String(), "Waiting for another process that uses the state file "+state+".\n"; got != want {
				t.Errorf("%s: got the lines %q, want %q", name, got, want)
			}
			if want := []time.Duration{2 * time.Second}; !slices.Equal(errorLines.after, want) {
				t.Errorf("%s: said so after %v, want %v", name, errorLines.after, want)
			}
		})
	}
}

func TestAHostContinuesWhenTheLockIsFree(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	other := hold(t, state)
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(5*time.Second, func() { other.Close() })
		began, host := time.Now(), newHost(state, "a", "")
		set(t, host, "key", `1`)
		if got, most := time.Since(began), 5*time.Second+10*time.Millisecond; got > most {
			t.Errorf("waited %v for a lock that was free after 5s, want at most %v", got, most)
		}
		if got := load(t, host)["key"]; got != "1" {
			t.Errorf("got %q, want 1", got)
		}
	})
}

func TestALockThatCannotBeMadeIsReported(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	if err := os.Mkdir(state+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	err := newHost(state, "a", "").SetLastRun(t.Context(), json.RawMessage(`{}`))
	if _, ok := errors.AsType[*fs.PathError](err); !ok || !strings.HasPrefix(err.Error(), "locking the state of instances: ") {
		t.Errorf("got %v, want the error of the system about the lock", err)
	}
	if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the state was written without a lock: %v", err)
	}
}
