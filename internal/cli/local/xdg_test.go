//go:build unix && !darwin && !ios

package local_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"xsoar-defender/internal/cli/local"
)

func TestOnlyTheOwnerMayRead(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "state")
	host := newHost(filepath.Join(folder, "state.json"), "a", "")
	set(t, host, "key", `1`)
	for path, want := range map[string]fs.FileMode{
		folder: 0o700, filepath.Join(folder, "state.json"): 0o600, filepath.Join(folder, "state.json.lock"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("rights of %s: got %o, want %o", filepath.Base(path), got, want)
		}
	}
}

func TestDefaultState(t *testing.T) {
	t.Parallel()
	home, xdg := filepath.FromSlash("/home/analyst"), filepath.FromSlash("/var/state")
	for _, test := range []struct {
		name        string
		environment map[string]string
		want        string
	}{
		{"XDG_STATE_HOME", map[string]string{"XDG_STATE_HOME": xdg, "HOME": home}, filepath.Join(xdg, "xsoar-defender", "state.json")},
		{"HOME", map[string]string{"HOME": home}, filepath.Join(home, ".local", "state", "xsoar-defender", "state.json")},
		{"a relative XDG_STATE_HOME", map[string]string{"XDG_STATE_HOME": "state", "HOME": home}, filepath.Join(home, ".local", "state", "xsoar-defender", "state.json")},
		{"neither", nil, ""},
	} {
		got, err := local.DefaultState(func(name string) string { return test.environment[name] }, os.UserConfigDir)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
	}
}
