// Package local is the host of commands that run without the platform. It keeps the state of instances in a file and
// saves the files of entries in a folder.
package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// Options configure a host.
type Options struct {
	// State is the file in which the state of every instance is kept. It is made with its folder when something
	// is written, and both are readable by their owner only. Without it nothing is kept.
	State string
	// Key is the instance's place in it, as returned by Key; Name is for people who look into the file.
	Key, Name string
	// Files is the folder for the files of entries; "" is the working directory.
	Files string
	// Errors is where lines for an operator go.
	Errors io.Writer
	Random io.Reader
}

// Host keeps the state of one instance. Hosts of several processes may share a file, and the methods of one may
// be called from several goroutines at once.
type Host struct{ options Options }

// New returns a host. Nothing is read or written before a method is called.
func New(o Options) *Host { return &Host{o} }

// Key returns the place of an instance's state. The name alone is not enough: two instances can have the same one. So
// it also depends on where the instance signs in and as whom, but not on values that change during the life of an
// instance: with a new secret or authorization code it finds its earlier state.
func Key(name string, instance params.Instance) string {
	identity := []string{name, instance.Cloud.Authority, instance.TenantID, instance.ClientID, instance.Proxy.ID}
	if instance.Cloud.API != nil {
		identity = append(identity, instance.Cloud.API.String())
	}
	text, err := json.Marshal(identity)
	if err != nil {
		panic(err) // a list of texts can always be encoded
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:keyBytes])
}

// keyBytes of a hash are plenty to tell the instances of one user apart.
const keyBytes = 16

// DefaultState returns the default state file: in the state folder of the XDG base directory specification, or on
// systems that do not follow it, in the folder for the user's configuration.
func DefaultState(getenv func(string) string, configDir func() (string, error)) (string, error) {
	const name, file = "xsoar-defender", "state.json"
	switch runtime.GOOS {
	case "windows", "darwin", "ios", "plan9":
		folder, err := configDir()
		if err != nil {
			return "", fmt.Errorf("finding the folder for the state of instances: %w", err)
		}
		return filepath.Join(folder, name, file), nil
	}
	// The specification says to ignore a relative path.
	if folder := getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, name, file), nil
	}
	home := getenv("HOME")
	if home == "" {
		return "", errNoHome
	}
	return filepath.Join(home, ".local", "state", name, file), nil
}

// Load reads the integration context.
func (h *Host) Load(ctx context.Context) (map[string]json.RawMessage, error) {
	kept, err := h.read(ctx)
	return kept.Context, err
}

// Update changes the integration context. Other processes wait meanwhile.
func (h *Host) Update(ctx context.Context, change func(values map[string]json.RawMessage) (bool, error)) error {
	return h.update(ctx, func(kept *instanceState) (bool, error) { return change(kept.Context) })
}

// LastRun returns the last run of the previous fetch, or an empty object before the first.
func (h *Host) LastRun(ctx context.Context) (json.RawMessage, error) {
	kept, err := h.read(ctx)
	if kept.LastRun == nil {
		return json.RawMessage(`{}`), err
	}
	return kept.LastRun, err
}

// SetLastRun stores the last run for the next fetch.
func (h *Host) SetLastRun(ctx context.Context, value json.RawMessage) error {
	return h.update(ctx, func(kept *instanceState) (bool, error) {
		kept.LastRun = value
		return true, nil
	})
}

// MirrorRun returns the state of the previous round of mirroring, or an empty object before the first.
func (h *Host) MirrorRun(ctx context.Context) (json.RawMessage, error) {
	kept, err := h.read(ctx)
	if kept.MirrorRun == nil {
		return json.RawMessage(`{}`), err
	}
	return kept.MirrorRun, err
}

// SetMirrorRun stores the state for the next round of mirroring.
func (h *Host) SetMirrorRun(ctx context.Context, value json.RawMessage) error {
	return h.update(ctx, func(kept *instanceState) (bool, error) {
		kept.MirrorRun = value
		return true, nil
	})
}

// Mirrored returns the incidents that the command line mirrors instead of the platform, or nothing before the first.
func (h *Host) Mirrored(ctx context.Context) (json.RawMessage, error) {
	kept, err := h.read(ctx)
	return kept.Mirrored, err
}

// SetMirrored stores the incidents that the command line mirrors.
func (h *Host) SetMirrored(ctx context.Context, value json.RawMessage) error {
	return h.update(ctx, func(kept *instanceState) (bool, error) {
		kept.Mirrored = value
		return true, nil
	})
}

// FindUser knows no users: only the platform does.
func (*Host) FindUser(context.Context, string, string) (rawjson.Value, error) { return "{}", nil }

// Forget removes the state of the instance.
func (h *Host) Forget(ctx context.Context) error {
	// Without a file there is nothing to forget.
	if _, err := os.Stat(h.options.State); h.options.State == "" || os.IsNotExist(err) {
		return nil
	}
	return h.update(ctx, func(kept *instanceState) (bool, error) {
		*kept = instanceState{}
		return true, nil
	})
}

// Log writes a line for an operator.
func (h *Host) Log(_ context.Context, text string) {
	fmt.Fprintln(h.options.Errors, warroom.Visible(text))
}
