package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xsoar-defender/internal/cli/local"
	"xsoar-defender/warroom"
)

// TestEveryPartOfTheStateOutlivesTheHost keeps each part alone: an instance with any of them stays in the file.
func TestEveryPartOfTheStateOutlivesTheHost(t *testing.T) {
	t.Parallel()
	all := func(host *local.Host) string {
		return strings.Join([]string{part(host.LastRun), part(host.MirrorRun), part(host.Mirrored)}, " ")
	}
	for _, test := range []struct {
		name, before, file string
		set                func(*local.Host, context.Context, json.RawMessage) error
		get                func(*local.Host, context.Context) (json.RawMessage, error)
	}{
		{"the last run", "{}", "lastRun", (*local.Host).SetLastRun, (*local.Host).LastRun},
		{"the state of mirroring", "{}", "mirrorRun", (*local.Host).SetMirrorRun, (*local.Host).MirrorRun},
		{"the mirrored incidents", "", "mirrored", (*local.Host).SetMirrored, (*local.Host).Mirrored},
	} {
		state := filepath.Join(t.TempDir(), "state.json")
		host := newHost(state, "a", "")
		if got, err := test.get(host, t.Context()); string(got) != test.before || err != nil {
			t.Errorf("%s before anything was kept: got %s, %v, want %q", test.name, got, err, test.before)
		}
		for _, value := range []string{`1`, `{"n":1}`} {
			if err := test.set(host, t.Context(), json.RawMessage(value)); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			if got, err := test.get(newHost(state, "a", ""), t.Context()); string(got) != value || err != nil {
				t.Errorf("%s: got %s, %v, want %s", test.name, got, err, value)
			}
			holds(t, state, `{"instances":{"a":{"name":"a","`+test.file+`":`+value+"}}}\n")
		}
		if err := host.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		holds(t, state, `{"instances":{}}`+"\n")
		if got, want := all(host), "{} {} "; got != want {
			t.Errorf("%s was forgotten: got %q, want %q", test.name, got, want)
		}
	}
}

func TestTheIntegrationContextAloneKeepsAnInstance(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	set(t, newHost(state, "a", ""), "key", `1`)
	holds(t, state, `{"instances":{"a":{"name":"a","context":{"key":1}}}}`+"\n")
}

func part(get func(context.Context) (json.RawMessage, error)) string {
	value, err := get(context.Background())
	if err != nil {
		return err.Error()
	}
	return string(value)
}

// holds compares the whole state file.
func holds(t *testing.T, state, want string) {
	t.Helper()
	if text, err := os.ReadFile(state); string(text) != want || err != nil {
		t.Errorf("the state file: got %q, %v, want %q", text, err, want)
	}
}

func TestAStateThatCannotBeWrittenOrReadIsReported(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	value := json.RawMessage(`{}`)
	if err := newHost(filepath.Join(file, "state.json"), "a", "").SetLastRun(t.Context(), value); err == nil || !strings.HasPrefix(err.Error(), "creating the folder for the state of instances: ") {
		t.Errorf("a folder that is a file: got %v, want the error of creating the folder", err)
	}
	host := newHost(parent, "a", "")
	if _, err := host.Load(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "reading the state of instances: ") {
		t.Errorf("a state file that is a folder: got %v, want the error of reading it", err)
	}
	broken := newHost(filepath.Join(parent, "state.json"), "a", "")
	if err := broken.SetLastRun(t.Context(), json.RawMessage(`{`)); err == nil || !strings.HasPrefix(err.Error(), "encoding the state of instances: ") {
		t.Errorf("a last run that is not JSON: got %v, want the error of encoding it", err)
	}
}

// create makes a file of an entry with some content, and leaves it uncompleted.
func create(t *testing.T, host *local.Host, content string) string {
	t.Helper()
	id, file, err := host.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.WriteString(file, content); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAFileContinuesWhereItStopped(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	host := newHost("", "", folder)
	id := create(t, host, "first ")
	file, err := host.Reopen(id)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil || string(text) != "first " {
		t.Errorf("got %q, %v, want what was written before", text, err)
	}
	if _, err := io.WriteString(file, "second"); err != nil {
		t.Fatal(err)
	}
	name, err := host.Keep(warroom.File{Name: "a.txt", ID: id})
	if err != nil || name != "a.txt" {
		t.Fatalf("Keep: got %q, %v, want a.txt", name, err)
	}
	opened, input, err := host.Open(t.Context(), filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	if text, err := io.ReadAll(input); opened != "a.txt" || string(text) != "first second" || err != nil {
		t.Errorf("got the file %q with %q, %v, want a.txt with both parts", opened, text, err)
	}
	if _, err := host.Reopen(id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a completed file: got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestOnlyFilesThatWereCreatedAreReopened(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	// A file that is there under an id that Create would not draw.
	if err := os.WriteFile(filepath.Join(folder, ".xsoar-defender-mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"mine", "../mine", "", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"} {
		if _, err := newHost("", "", folder).Reopen(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Reopen(%q): got %v, want %v", id, err, fs.ErrNotExist)
		}
	}
}

func TestFilesThatCannotBeMadeAreReported(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	folder, file := filepath.Join(parent, "files"), filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
	create := func(host *local.Host) error { _, _, err := host.Create(); return err }
	reopen := func(host *local.Host) error { _, err := host.Reopen(id); return err }
	keep := func(host *local.Host) error { _, err := host.Keep(warroom.File{Name: "a", ID: id}); return err }
	for _, test := range []struct {
		name string
		do   func(*local.Host) error
		host *local.Host
		want string
	}{
		{"no randomness", create, local.New(local.Options{Files: folder, Errors: io.Discard, Random: strings.NewReader("")}), "naming a file: "},
		{"a folder that is a file", create, newHost("", "", file), "creating the folder for files: "},
		{"no folder to reopen from", reopen, newHost("", "", folder), "opening the folder for files: "},
		{"no folder to discard from", func(host *local.Host) error { return host.Discard(id) }, newHost("", "", folder), "opening the folder for files: "},
		{"no folder to keep in", keep, newHost("", "", folder), "opening the folder for files: "},
		{"no file to keep", keep, newHost("", "", parent), "saving a: "},
	} {
		if err := test.do(test.host); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error that begins with %q", test.name, err, test.want)
		}
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.ps1")
	_, _, err := newHost("", "", "").Open(t.Context(), missing)
	if failure, ok := errors.AsType[*warroom.FileError](err); !ok || failure.Entry != missing || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want a *warroom.FileError that names %s", err, missing)
	}
}

func TestLongNamesKeepShortExtensions(t *testing.T) {
	t.Parallel()
	host, long := newHost("", "", t.TempDir()), strings.Repeat("n", 300)
	for _, test := range []struct{ name, want string }{
		{long[:200], long[:200]},
		{long[:201], long[:200] + " (2)"},
		{long + "." + strings.Repeat("e", 19), long[:180] + "." + strings.Repeat("e", 19)},
		{long + "." + strings.Repeat("e", 20), long[:200] + " (3)"},
	} {
		if got := save(t, host, test.name, ""); got != test.want {
			t.Errorf("a name of %d bytes: got %q, want %q", len(test.name), got, test.want)
		}
	}
}

func TestNamesOfDevicesAreReserved(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"CON": true, "prn": true, "Aux.txt": true, "nul.tar.gz": true, "CONIN$": true, "conout$.log": true, "nul .txt": true,
		"COM0": true, "com1": true, "COM9.log": true, "COM¹": true, "LPT0": true, "lpt3.txt": true, "LPT²": true, "LPT³": true,
		"COM": false, "LPT": false, "COM10": false, "COMx": false, "LPT10": false, "1": false, "CONSOLE": false, "file.con": false, "": false,
	} {
		if got := local.Reserved(name); got != want {
			t.Errorf("Reserved(%q): got %t, want %t", name, got, want)
		}
	}
	if got, want := save(t, newHost("", "", t.TempDir()), "nul.txt", ""), "_nul.txt"; got != want {
		t.Errorf("the file nul.txt was saved as %q, want %q", got, want)
	}
}

func TestFilesGoToTheWorkingDirectoryIfNoFolderIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, want := save(t, newHost("", "", ""), "a.txt", "content"), "a.txt"; got != want {
		t.Fatalf("saved as %q, want %q", got, want)
	}
	if text, err := os.ReadFile("a.txt"); string(text) != "content" || err != nil {
		t.Errorf("got %q, %v, want the content in the working directory", text, err)
	}
}

func TestAHostFindsNoUsers(t *testing.T) {
	t.Parallel()
	if got, err := newHost("", "", "").FindUser(t.Context(), "email", "ann@contoso.example"); got != "{}" || err != nil {
		t.Errorf("got %s, %v, want {}", got, err)
	}
}
