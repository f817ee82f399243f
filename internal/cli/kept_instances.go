package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/renameio/v2/maybe"

	"xsoar-defender/internal/cli/local"
)

// keptInstances are the instances that the user keeps by name, a file each in a folder of the user's configuration, for
// its owner only.
type keptInstances struct {
	folder string // "" if the system has no folder for it
	errors io.Writer
}

const (
	ownFile   = 0o600
	ownFolder = 0o700
	// othersRights are the rights of everyone but the owner.
	othersRights = 0o077
)

func (p *program) keptInstances() (*keptInstances, error) {
	folder, err := p.ConfigDir()
	if err != nil {
		return &keptInstances{}, failed(fmt.Errorf("finding the folder for instances: %w", err))
	}
	return &keptInstances{filepath.Join(folder, programName), p.Errors}, nil
}

func (k *keptInstances) path(name string) string {
	return filepath.Join(k.folder, "instances", name+".json")
}

func (k *keptInstances) defaultPath() string { return filepath.Join(k.folder, "default-instance") }

// longestInstanceName is the length of the longest name of an instance.
const longestInstanceName = 64

// isInstanceName reports whether a text can be the name of an instance, which is that of a file on every system.
func isInstanceName(name string) bool {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	return name != "" && len(name) <= longestInstanceName && !strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) &&
		!strings.ContainsRune("._-", rune(name[0])) && !strings.HasSuffix(name, ".") && !strings.HasSuffix(strings.ToLower(name), ".json") &&
		!local.Reserved(name)
}

func checkInstanceName(name string) error {
	if isInstanceName(name) {
		return nil
	}
	return usage("%q cannot be the name of an instance: use up to %d letters, digits, dots, underscores and dashes, and begin with a letter or a digit",
		name, longestInstanceName)
}

func (k *keptInstances) has(name string) bool {
	if k.folder == "" || !isInstanceName(name) {
		return false
	}
	_, err := os.Stat(k.path(name))
	return err == nil
}

// names returns the names of all instances in alphabetical order.
func (k *keptInstances) names() []string {
	if k.folder == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(k.folder, "instances"))
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		if name, is := strings.CutSuffix(entry.Name(), ".json"); is && isInstanceName(name) {
			names = append(names, name)
		}
	}
	return names
}

// read reads an instance. Rights of others to its file are taken away first, with a warning.
func (k *keptInstances) read(name string) ([]byte, error) {
	path := k.path(name)
	about, err := os.Stat(path)
	if err != nil {
		return nil, failed(fmt.Errorf("reading the instance %s: %w", name, err))
	}
	if runtime.GOOS != "windows" && about.Mode().Perm()&othersRights != 0 {
		if err := os.Chmod(path, ownFile); err != nil {
			return nil, failed(fmt.Errorf("others may read %s, which holds secrets, and that could not be changed: %w", path, err))
		}
		fmt.Fprintf(k.errors, "%s: warning: others could read %s, which holds secrets; now only you can. Replace the secrets if somebody may have read them.\n", programName, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, failed(fmt.Errorf("reading the instance %s: %w", name, err))
	}
	return content, nil
}

func (k *keptInstances) write(name string, values parameterValues) error {
	path := k.path(name)
	if err := os.MkdirAll(filepath.Dir(path), ownFolder); err != nil {
		return failed(fmt.Errorf("creating the folder for instances: %w", err))
	}
	text, err := json.MarshalIndent(map[string]any{"name": name, "params": values}, "", "  ")
	if err != nil {
		return failed(fmt.Errorf("encoding the instance: %w", err))
	}
	if err := maybe.WriteFile(path, append(text, '\n'), ownFile); err != nil {
		return failed(fmt.Errorf("writing the instance: %w", err))
	}
	return nil
}

// defaultName returns the name of the default instance: the one that was chosen, or else the only one there is.
func (k *keptInstances) defaultName() (string, error) {
	text, err := os.ReadFile(k.defaultPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", failed(fmt.Errorf("reading the default instance: %w", err))
	}
	if name := strings.TrimSpace(string(text)); k.has(name) {
		return name, nil
	}
	if names := k.names(); len(names) == 1 {
		return names[0], nil
	}
	return "", nil
}

func (k *keptInstances) setDefault(name string) error {
	if err := os.MkdirAll(k.folder, ownFolder); err != nil {
		return failed(fmt.Errorf("creating the folder for instances: %w", err))
	}
	if err := maybe.WriteFile(k.defaultPath(), []byte(name+"\n"), ownFile); err != nil {
		return failed(fmt.Errorf("writing the default instance: %w", err))
	}
	return nil
}

// noInstance reports that a command has no instance to work with.
func (k *keptInstances) noInstance() error {
	hint := "Run 'xsoar-defender instances add NAME' to set one up, or 'xsoar-defender demo' to try without one."
	if names := k.names(); len(names) > 0 {
		hint = "The instances are " + strings.Join(names, ", ") + ". Run 'xsoar-defender instances default NAME' to choose one permanently."
	}
	return &usageError{err: fmt.Errorf("no instance is named: give --instance NAME or FILE, or set %s", instanceVariable), hint: hint}
}

// unknown reports that a name is neither that of an instance nor that of a file.
func (k *keptInstances) unknown(name string) error {
	return &usageError{
		err:  fmt.Errorf("there is no instance and no file %q%s", name, orMeant(nearest(name, k.names()))),
		hint: fmt.Sprintf("Run '%s instances list' to list the instances.", programName),
	}
}
