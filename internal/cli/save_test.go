package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileIsSavedInAFolderThatExists(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "pack.zip")
	if err := save(file, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "x" {
		t.Errorf("got %q (%v), want what was saved", got, err)
	}
	missing := filepath.Join(folder, "missing")
	if err := save(filepath.Join(missing, "pack.zip"), nil); err == nil || !strings.Contains(err.Error(), "the folder "+missing+" does not exist: create it") {
		t.Errorf("got %v, want what to do about the folder", err)
	}
	if err := save(folder, nil); err == nil || !strings.Contains(err.Error(), "writing "+folder) {
		t.Errorf("got %v, want which file could not be written", err)
	}
}
