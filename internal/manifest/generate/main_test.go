package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xsoar-defender/internal/manifest"
)

func files() []manifest.File {
	return []manifest.File{
		{Path: "docs/old.md", Content: []byte("newer\n")},
		{Path: "same.md", Content: []byte("not written\n"), Current: true},
		{Path: "docs/man/new.1", Content: []byte("new\n")},
	}
}

func TestFilesThatAreNotUpToDateAreNamedAndWritten(t *testing.T) {
	folder := t.TempDir()
	var named bytes.Buffer
	if err := update(folder, files(), false, &named); err != nil {
		t.Fatal(err)
	}
	if want := "docs/old.md\ndocs/man/new.1\n"; named.String() != want {
		t.Errorf("got %q, want %q", &named, want)
	}
	for _, file := range files() {
		content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(file.Path)))
		if written := err == nil && bytes.Equal(content, file.Content); written == file.Current {
			t.Errorf("%s: got %q, %v; want it written if it was not up to date", file.Path, content, err)
		}
	}
	if err := update(folder, files()[1:2], false, &named); err != nil {
		t.Errorf("got %v when all are up to date, want no error", err)
	}
}

func TestACheckNamesFilesAndWritesNone(t *testing.T) {
	folder := t.TempDir()
	var named bytes.Buffer
	err := update(folder, files(), true, &named)
	if want := "2 of 3 generated files are not up to date: run go generate ./internal/manifest"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if want := "docs/old.md\ndocs/man/new.1\n"; named.String() != want {
		t.Errorf("got %q, want %q", &named, want)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("got %v, %v; want an empty folder", entries, err)
	}
	if err := update(folder, files()[:1], true, &named); err == nil {
		t.Error("got no error of one file that is not up to date, want one")
	}
	if err := update(folder, files()[1:2], true, &named); err != nil {
		t.Errorf("got %v when all are up to date, want no error", err)
	}
}

func TestFilesThatCannotBeWrittenAreErrors(t *testing.T) {
	for taken, want := range map[string]string{"docs/old.md/folder": "writing a generated file: ", "docs": "making the folder of a generated file: "} {
		folder := t.TempDir()
		path := filepath.Join(folder, filepath.FromSlash(taken))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := update(folder, files(), false, &bytes.Buffer{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v where %s is in the way, want an error that begins with %q", err, taken, want)
		}
	}
}

// TestEverythingIsGenerated has a folder with nothing but the page in which a table is written, and then without it.
func TestEverythingIsGenerated(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var named bytes.Buffer
	if err := run(folder, true, &named); err == nil || !strings.HasPrefix(err.Error(), "reading the page with the table: ") || named.Len() > 0 {
		t.Errorf("got %q and %v without README.md, want that it could not be read", &named, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "README.md"), page, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(folder, true, &named); err == nil {
		t.Error("got no error, want that files are not up to date")
	}
	for _, want := range []string{"integration.yml", "docs/commands.md", "docs/man/xsoar-defender.1", "docs/completions/_xsoar-defender"} {
		if !strings.Contains("\n"+named.String(), "\n"+want+"\n") {
			t.Errorf("got\n%swant %s among them", &named, want)
		}
	}
}
