package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2/maybe"
)

// The modes of files and folders: only the owner may read them.
const (
	ownFile   = 0o600
	ownFolder = 0o700
)

var errNoHome = errors.New("neither XDG_STATE_HOME nor HOME is set, so there is no place for the state of instances")

// DamagedError reports that the state file cannot be parsed. The file is left as it is.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("The file %s with the state of instances cannot be read (%v): delete it to start again, or name another file with --state.", e.Path, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// state is the whole file.
type state struct {
	Instances map[string]instanceState `json:"instances"`
}

// instanceState is the state of one instance.
type instanceState struct {
	Name    string                     `json:"name,omitempty"`
	Context map[string]json.RawMessage `json:"context,omitempty"`
	LastRun json.RawMessage            `json:"lastRun,omitempty"`
	// MirrorRun is the state that the platform keeps for mirroring.
	MirrorRun json.RawMessage `json:"mirrorRun,omitempty"`
	// Mirrored holds the incidents that are mirrored.
	Mirrored json.RawMessage `json:"mirrored,omitempty"`
}

func (s instanceState) empty() bool {
	return len(s.Context) == 0 && len(s.LastRun) == 0 && len(s.MirrorRun) == 0 && len(s.Mirrored) == 0
}

// of returns the state of an instance, ready to be changed.
func (s state) of(key string) instanceState {
	kept := s.Instances[key]
	if kept.Context == nil {
		kept.Context = map[string]json.RawMessage{}
	}
	return kept
}

// read returns the state of the instance. The lock is for systems on which a file cannot be replaced atomically.
func (h *Host) read(ctx context.Context) (instanceState, error) {
	if _, err := os.Stat(h.options.State); h.options.State == "" || errors.Is(err, fs.ErrNotExist) {
		return state{}.of(h.options.Key), nil
	}
	lock := h.lock()
	if err := h.acquire(ctx, lock.TryRLockContext); err != nil {
		return instanceState{}, err
	}
	defer lock.Close()
	all, err := h.readAll()
	return all.of(h.options.Key), err
}

// update changes the state of the instance with every other process locked out.
func (h *Host) update(ctx context.Context, change func(*instanceState) (bool, error)) error {
	if h.options.State == "" {
		nothing := state{}.of(h.options.Key)
		_, err := change(&nothing)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(h.options.State), ownFolder); err != nil {
		return fmt.Errorf("creating the folder for the state of instances: %w", err)
	}
	lock := h.lock()
	if err := h.acquire(ctx, lock.TryLockContext); err != nil {
		return err
	}
	defer lock.Close()
	all, err := h.readAll()
	if err != nil {
		return err
	}
	kept := all.of(h.options.Key)
	changed, err := change(&kept)
	if err != nil || !changed {
		return err
	}
	return h.writeAll(all, kept)
}

// lockRetry is the time between two attempts to get a lock, which others hold only as long as writing a small file takes.
const lockRetry = 2 * time.Millisecond

// How long another process may hold the lock: a while without a word, and then until waiting is given up.
const (
	quietLock = 2 * time.Second
	longLock  = 30 * time.Second
)

// LockedError reports that another process has held the lock of the state file for too long.
type LockedError struct {
	Path string
	For  time.Duration
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("Another process has used the state file %s for %s: end it, or name another state file with --state.", e.Path, e.For)
}

// acquire waits for the lock, and after a while says so.
func (h *Host) acquire(ctx context.Context, try func(context.Context, time.Duration) (bool, error)) error {
	for _, wait := range []time.Duration{quietLock, longLock - quietLock} {
		limited, end := context.WithTimeout(ctx, wait)
		_, err := try(limited, lockRetry)
		end()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("locking the state of instances: %w", context.Cause(ctx))
		case !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("locking the state of instances: %w", err)
		}
		if wait == quietLock {
			fmt.Fprintf(h.options.Errors, "Waiting for another process that uses the state file %s.\n", h.options.State)
		}
	}
	return &LockedError{h.options.State, longLock}
}

// lock is a separate file, because every write replaces the state file. It is never removed: another process could be
// waiting for it.
func (h *Host) lock() *flock.Flock {
	return flock.New(h.options.State+".lock", flock.SetPermissions(ownFile))
}

func (h *Host) readAll() (state, error) {
	var all state
	text, err := os.ReadFile(h.options.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return all, nil
	case err != nil:
		return all, fmt.Errorf("reading the state of instances: %w", err)
	}
	h.closeToOthers()
	if err := json.Unmarshal(text, &all); err != nil {
		return state{}, &DamagedError{Path: h.options.State, Err: err}
	}
	return all, nil
}

// closeToOthers takes away the rights that others have to the state file, which holds sign-ins, and says so.
func (h *Host) closeToOthers() {
	const others = 0o077
	about, err := os.Stat(h.options.State)
	if err != nil || runtime.GOOS == "windows" || about.Mode().Perm()&others == 0 {
		return
	}
	if err := os.Chmod(h.options.State, ownFile); err != nil {
		fmt.Fprintf(h.options.Errors, "Warning: others may read the state file %s, and that could not be changed: %v\n", h.options.State, err)
		return
	}
	fmt.Fprintf(h.options.Errors, "Warning: others could read the state file %s, which holds sign-ins. Now only you can.\n", h.options.State)
}

func (h *Host) writeAll(all state, kept instanceState) error {
	if all.Instances == nil {
		all.Instances = map[string]instanceState{}
	}
	kept.Name = h.options.Name
	all.Instances[h.options.Key] = kept
	if kept.empty() {
		delete(all.Instances, h.options.Key)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encoding the state of instances: %w", err)
	}
	if err := maybe.WriteFile(h.options.State, append(text, '\n'), ownFile); err != nil {
		return fmt.Errorf("writing the state of instances: %w", err)
	}
	return nil
}
