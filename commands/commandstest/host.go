package commandstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"xsoar-defender/commands"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// Host is a platform that keeps the integration context in memory, with versions as the real one has them, and
// files in a folder.
type Host struct {
	// NoFiles, if set, is why no file can be created, and Full reports whether the disk is full.
	NoFiles error
	Full    bool
	// NoContext, if set, is why the integration context can be neither read nor written, and Forgetful reports whether nothing
	// that is written to it is kept, as while an instance is tested that is not saved.
	NoContext error
	Forgetful bool
	// FullAfter, if set, is the number of files after which the disk is full.
	FullAfter int
	// Stuck, if set, is why no file can be removed.
	Stuck error
	// Wrap, if set, returns what stands for a file that is created or opened again, such as one that fails. The first file of a
	// run is the one that shows whether files can be saved.
	Wrap func(id string, file warroom.OutputFile) warroom.OutputFile

	folder string

	mu        sync.Mutex
	values    map[string]json.RawMessage
	version   int
	lastRun   json.RawMessage
	mirrorRun json.RawMessage
	users     map[string]string
	files     int
	logged    []string
	given     map[string]given
}

// NewHost makes a host with an empty integration context that keeps files in folder.
func NewHost(folder string) *Host {
	return &Host{folder: folder, values: map[string]json.RawMessage{}, lastRun: json.RawMessage("{}"), given: map[string]given{}}
}

// Load reads the integration context.
func (h *Host) Load(context.Context) (map[string]json.RawMessage, error) {
	if h.NoContext != nil {
		return nil, h.NoContext
	}
	values, _ := h.read()
	return values, nil
}

func (h *Host) read() (map[string]json.RawMessage, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.values), h.version
}

// Update changes the integration context. When another writer was faster, change runs again with newer values.
func (h *Host) Update(_ context.Context, change func(values map[string]json.RawMessage) (bool, error)) error {
	if h.NoContext != nil {
		return h.NoContext
	}
	for {
		values, version := h.read()
		changed, err := change(values)
		if err != nil || !changed {
			return err
		}
		if h.write(values, version) {
			return nil
		}
	}
}

func (h *Host) write(values map[string]json.RawMessage, version int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.version != version {
		return false
	}
	h.version = version + 1
	if !h.Forgetful {
		h.values = values
	}
	return true
}

// LastRun returns what the previous fetch saved.
func (h *Host) LastRun(context.Context) (json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lastRun, nil
}

// SetLastRun saves the state for the next fetch.
func (h *Host) SetLastRun(_ context.Context, value json.RawMessage) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastRun = value
	return nil
}

// MirrorRun returns the state of the previous round of mirroring.
func (h *Host) MirrorRun(context.Context) (json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mirrorRun == nil {
		return json.RawMessage(`{}`), nil
	}
	return h.mirrorRun, nil
}

// SetMirrorRun saves the state for the next round of mirroring.
func (h *Host) SetMirrorRun(_ context.Context, value json.RawMessage) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mirrorRun = value
	return nil
}

// AddUser adds a user of the platform.
func (h *Host) AddUser(username, email string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users == nil {
		h.users = map[string]string{}
	}
	h.users[username] = email
}

// FindUser returns a user of the platform by name or by email address.
func (h *Host) FindUser(_ context.Context, username, email string) (rawjson.Value, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, address := range h.users {
		if (username != "" && name == username) || (email != "" && address == email) {
			return rawjson.Make(map[string]string{"username": name, "email": address}), nil
		}
	}
	return "{}", nil
}

// Log keeps a line for Logged.
func (h *Host) Log(_ context.Context, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.logged = append(h.logged, text)
}

// Logged returns the lines that were logged.
func (h *Host) Logged() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.logged...)
}

// Create opens a new file.
func (h *Host) Create() (string, warroom.OutputFile, error) {
	h.mu.Lock()
	h.files++
	id := "file-" + strconv.Itoa(h.files)
	h.mu.Unlock()
	if h.NoFiles != nil {
		return "", nil, fmt.Errorf("creating a file: %w", &os.PathError{Op: "open", Path: h.path(id), Err: h.NoFiles})
	}
	file, err := os.OpenFile(h.path(id), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("creating a file: %w", err)
	}
	return id, h.wrapped(id, file), nil
}

func (h *Host) wrapped(id string, file *os.File) warroom.OutputFile {
	number, err := strconv.Atoi(strings.TrimPrefix(id, "file-"))
	switch {
	case h.Full, h.FullAfter > 0 && err == nil && number > h.FullAfter:
		return fullFile{file}
	case h.Wrap != nil:
		return h.Wrap(id, file)
	}
	return file
}

// fullFile is a file on a full disk.
type fullFile struct{ *os.File }

// Write takes nothing.
func (f fullFile) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

// Discard removes a file that was not completed.
func (h *Host) Discard(id string) error {
	if h.Stuck != nil {
		return h.Stuck
	}
	return os.Remove(h.path(id))
}

// Reopen opens a file that a command created earlier.
func (h *Host) Reopen(id string) (warroom.OutputFile, error) {
	file, err := os.OpenFile(h.path(id), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a file: %w", err)
	}
	return h.wrapped(id, file), nil
}

// Put puts a file in the War Room, where commands find it under the ID of an entry.
func (h *Host) Put(entry, name, content string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.given[entry] = given{name, content}
}

// given is a file that a test put in the War Room.
type given struct{ name, content string }

// Close has nothing to close.
func (givenFile) Close() error { return nil }

// givenFile is a file that is read.
type givenFile struct{ *strings.Reader }

// Open opens a file that a test put in the War Room.
func (h *Host) Open(_ context.Context, entry string) (string, warroom.InputFile, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	file, found := h.given[entry]
	if !found {
		return "", nil, &warroom.FileError{Entry: entry, Err: fs.ErrNotExist}
	}
	return file.name, givenFile{strings.NewReader(file.content)}, nil
}

// File reads a file that a command saved.
func (h *Host) File(id string) ([]byte, error) { return os.ReadFile(h.path(id)) }

// Files returns the number of saved files.
func (h *Host) Files() (int, error) {
	entries, err := os.ReadDir(h.folder)
	return len(entries), err
}

// Lose removes all files, as when the next execution runs on another machine.
func (h *Host) Lose() error {
	entries, err := os.ReadDir(h.folder)
	for _, entry := range entries {
		err = errors.Join(err, os.Remove(h.path(entry.Name())))
	}
	return err
}

func (h *Host) path(id string) string { return filepath.Join(h.folder, filepath.Base(id)) }

var _ commands.Host = (*Host)(nil)
