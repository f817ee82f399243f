package local_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"xsoar-defender/commands"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

var _ commands.Host = (*local.Host)(nil)

// newHost makes a host of the instance with this key over a state file.
func newHost(state, key, files string) *local.Host {
	return local.New(local.Options{State: state, Key: key, Name: key, Files: files, Errors: io.Discard, Random: rand.Reader})
}

func set(t *testing.T, host *local.Host, key, value string) {
	t.Helper()
	err := host.Update(context.Background(), func(values map[string]json.RawMessage) (bool, error) {
		values[key] = json.RawMessage(value)
		return true, nil
	})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func load(t *testing.T, host *local.Host) map[string]string {
	t.Helper()
	values, err := host.Load(context.Background())
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	got := map[string]string{}
	for key, value := range values {
		got[key] = string(value)
	}
	return got
}

func TestContextOutlivesTheHost(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "new", "state.json")
	if got := load(t, newHost(state, "a", "")); len(got) != 0 {
		t.Errorf("before anything was kept: got %v, want nothing", got)
	}
	if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the state file: %v", err)
	}
	set(t, newHost(state, "a", ""), "token", `{"n":12345678901234567890}`)
	want := map[string]string{"token": `{"n":12345678901234567890}`}
	if got := load(t, newHost(state, "a", "")); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestInstancesShareNothing(t *testing.T) {
	t.Parallel()
	ctx, state := context.Background(), filepath.Join(t.TempDir(), "state.json")
	a, b := newHost(state, "a", ""), newHost(state, "b", "")
	set(t, a, "key", `"of a"`)
	set(t, b, "key", `"of b"`)
	if err := b.SetLastRun(ctx, json.RawMessage(`{"seen":1}`)); err != nil {
		t.Fatalf("SetLastRun: %v", err)
	}
	if got, want := load(t, a), map[string]string{"key": `"of a"`}; !maps.Equal(got, want) {
		t.Errorf("context of a: got %v, want %v", got, want)
	}
	if got, err := a.LastRun(ctx); err != nil || string(got) != `{}` {
		t.Errorf("last run of a: got %s, %v, want {}", got, err)
	}
	if err := a.Forget(ctx); err != nil {
		t.Fatalf("Forget: %v", err)
	}
	if got := load(t, a); len(got) != 0 {
		t.Errorf("context of a after Forget: got %v, want nothing", got)
	}
	if got, want := load(t, b), map[string]string{"key": `"of b"`}; !maps.Equal(got, want) {
		t.Errorf("context of b after a was forgotten: got %v, want %v", got, want)
	}
	if got, err := b.LastRun(ctx); err != nil || string(got) != `{"seen":1}` {
		t.Errorf(`last run of b: got %s, %v, want {"seen":1}`, got, err)
	}
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("of a")) {
		t.Errorf("the file still holds what was forgotten: %s", text)
	}
}

func TestForgettingWhatWasNeverKeptMakesNoFile(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	if err := newHost(state, "a", "").Forget(context.Background()); err != nil {
		t.Fatalf("Forget: %v", err)
	}
	if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a state file: %v", err)
	}
}

func TestUpdateWritesOnlyWhatIsMeant(t *testing.T) {
	t.Parallel()
	ctx, host := context.Background(), newHost(filepath.Join(t.TempDir(), "state.json"), "a", "")
	set(t, host, "key", `1`)
	failure := errors.New("refused")
	for _, test := range []struct {
		name    string
		changed bool
		err     error
	}{{"nothing changed", false, nil}, {"a failure", true, failure}} {
		err := host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
			values["key"] = json.RawMessage(`2`)
			return test.changed, test.err
		})
		if !errors.Is(err, test.err) {
			t.Errorf("%s: got the error %v, want %v", test.name, err, test.err)
		}
		if got, want := load(t, host), map[string]string{"key": `1`}; !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", test.name, got, want)
		}
	}
}

func TestUpdatesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 20
	ctx, state := context.Background(), filepath.Join(t.TempDir(), "state.json")
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			// Two instances, so that writes of one must not lose those of the other.
			host := newHost(state, "instance "+strconv.Itoa(writer%2), "")
			for range each {
				err := host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
					count, _ := strconv.Atoi(string(values["count"]))
					values["count"] = json.RawMessage(strconv.Itoa(count + 1))
					return true, nil
				})
				if err != nil {
					t.Errorf("Update: %v", err)
				}
				if _, err := host.Load(ctx); err != nil {
					t.Errorf("Load: %v", err)
				}
			}
		})
	}
	group.Wait()
	for _, key := range []string{"instance 0", "instance 1"} {
		want := map[string]string{"count": strconv.Itoa(writers / 2 * each)}
		if got := load(t, newHost(state, key, "")); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
}

func TestUpdateStopsWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	host := newHost(state, "a", "")
	ctx, cancel := context.WithCancel(context.Background())
	err := host.Update(context.Background(), func(map[string]json.RawMessage) (bool, error) {
		cancel()
		err := newHost(state, "a", "").Update(ctx, func(map[string]json.RawMessage) (bool, error) { return false, nil })
		return false, err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestDamagedFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	ctx, state := context.Background(), filepath.Join(t.TempDir(), "state.json")
	const damaged = `{"instances":`
	if err := os.WriteFile(state, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	host := newHost(state, "a", "")
	_, loadErr := host.Load(ctx)
	updateErr := host.Update(ctx, func(map[string]json.RawMessage) (bool, error) { return true, nil })
	for name, err := range map[string]error{"Load": loadErr, "Update": updateErr} {
		if _, ok := errors.AsType[*local.DamagedError](err); !ok {
			t.Errorf("%s: got %v, want a *DamagedError", name, err)
		}
	}
	if text, err := os.ReadFile(state); err != nil || string(text) != damaged {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestKeyTellsInstancesApart(t *testing.T) {
	t.Parallel()
	instance := func(change func(*params.Instance)) params.Instance {
		of := params.Instance{TenantID: "tenant", ClientID: "client", ClientSecret: "one"}
		of.Cloud.Authority = "https://login.example"
		of.Cloud.API = &url.URL{Scheme: "https", Host: "api.example"}
		change(&of)
		return of
	}
	same := func(*params.Instance) {}
	first := local.Key("prod", instance(same))
	// Another key would cut an instance off from its state when the program is updated.
	if want := "095965096dd6cc4d279ef0fe8b7f9135"; first != want {
		t.Errorf("got the key %s, want %s as before", first, want)
	}
	for _, test := range []struct {
		what   string
		name   string
		change func(*params.Instance)
		want   bool
	}{
		{"the same", "prod", same, true},
		{"a new secret", "prod", func(i *params.Instance) { i.ClientSecret = "two" }, true},
		{"a pasted code", "prod", func(i *params.Instance) { i.Grant.Code = "code" }, true},
		{"another name", "test", same, false},
		{"another tenant", "prod", func(i *params.Instance) { i.TenantID = "other" }, false},
		{"another application", "prod", func(i *params.Instance) { i.ClientID = "other" }, false},
		{"another registration at the proxy", "prod", func(i *params.Instance) { i.Proxy.ID = "other" }, false},
		{"another authority", "prod", func(i *params.Instance) { i.Cloud.Authority = "https://other.example" }, false},
		{"another API", "prod", func(i *params.Instance) { i.Cloud.API = &url.URL{Scheme: "https", Host: "other.example"} }, false},
		{"parts that move", "prodtenant", func(i *params.Instance) { i.TenantID = "" }, false},
	} {
		if got := local.Key(test.name, instance(test.change)) == first; got != test.want {
			t.Errorf("%s: the same key is %t, want %t", test.what, got, test.want)
		}
	}
}

func TestLogSpellsHiddenCharactersOut(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	local.New(local.Options{Errors: &log}).Log(context.Background(), "GET /\x1b[2J")
	if got, want := log.String(), "GET /U+001B[2J\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// save makes a file of an entry with some content and keeps it under a name.
func save(t *testing.T, host *local.Host, name, content string) string {
	t.Helper()
	id, file, err := host.Create()
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if _, err := io.WriteString(file, content); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := host.Keep(warroom.File{Name: name, ID: id})
	if err != nil {
		t.Fatalf("Keep(%q): %v", name, err)
	}
	return kept
}

func TestFilesStayInTheirFolderAndOverwriteNothing(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	folder := filepath.Join(parent, "files")
	host := newHost("", "", folder)
	want := map[string]string{}
	for _, test := range []struct{ name, want string }{
		{"package.zip", "package.zip"},
		{"package.zip", "package (2).zip"},
		{"package.zip", "package (3).zip"},
		{"../../escape.txt", "escape.txt"},
		{`C:\Users\x\evil.exe`, "evil.exe"},
		{"/etc/passwd", "passwd"},
		{"..", "file"},
		{"", "file (2)"},
		{".bashrc", "bashrc"},
		{"a\u202efdp.exe", "a_fdp.exe"},
		{"line\nbreak\x1b", "line_break_"},
		{"what?*.txt. ", "what__.txt"},
		{"dir/", "file (3)"},
		{strings.Repeat("ä", 300) + ".gz", strings.Repeat("ä", 98) + ".gz"},
	} {
		content := "content of " + test.name
		if got := save(t, host, test.name, content); got != test.want {
			t.Errorf("the file %.20q was saved as %q, want %q", test.name, got, test.want)
		}
		want[test.want] = content
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[entry.Name()] = string(content)
	}
	if !maps.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if outside, err := os.ReadDir(parent); err != nil || len(outside) != 1 {
		t.Errorf("next to the folder there is %v, %v", outside, err)
	}
}

func TestFilesSavedAtOnceGetNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const files = 20
	folder := t.TempDir()
	var group sync.WaitGroup
	for i := range files {
		group.Go(func() { save(t, newHost("", "", folder), "same.txt", fmt.Sprint(i)) })
	}
	group.Wait()
	contents := map[string]bool{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		contents[string(content)] = true
	}
	if len(entries) != files || len(contents) != files {
		t.Errorf("got %d files with %d contents, want %d of each", len(entries), len(contents), files)
	}
}

func TestDiscardRemovesAFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	host := newHost("", "", folder)
	id, file, err := host.Create()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Close(), host.Discard(id)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

func FuzzFileNames(f *testing.F) {
	for _, seed := range []string{"a.txt", "../x", `\\host\share`, "", ".", "...", "a\x00b", "\xff\xfe", strings.Repeat("long.", 100), "x." + strings.Repeat("e", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		folder := t.TempDir()
		host := newHost("", "", folder)
		for range 2 {
			kept := save(t, host, name, "content")
			if !filepath.IsLocal(kept) || filepath.Base(kept) != kept || strings.HasPrefix(kept, ".") {
				t.Errorf("%q was saved as %q, which is not a plain file name", name, kept)
			}
			if !utf8.ValidString(kept) || strings.ContainsFunc(kept, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q was saved as %q, which hides something", name, kept)
			}
			if _, err := os.Stat(filepath.Join(folder, kept)); err != nil {
				t.Errorf("%q was saved as %q, but does not exist: %v", name, kept, err)
			}
		}
	})
}

func TestAHostWithoutAFileKeepsNothing(t *testing.T) {
	host := newHost("", "one", t.TempDir())
	set(t, host, "a", "1")
	if err := host.SetLastRun(t.Context(), json.RawMessage(`{"a":1}`)); err != nil {
		t.Error(err)
	}
	if err := host.Forget(t.Context()); err != nil {
		t.Error(err)
	}
	lastRun, err := host.LastRun(t.Context())
	if got := load(t, host); len(got) > 0 || string(lastRun) != "{}" || err != nil {
		t.Errorf("got the context %v, the last run %s and %v, want nothing", got, lastRun, err)
	}
}
