package pages_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/cli/pages"
	"xsoar-defender/internal/manifest"
)

// root is the folder of the repository.
var root = filepath.Join("..", "..", "..")

func written(t *testing.T) []manifest.File {
	t.Helper()
	files, err := pages.Files()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGeneratedPagesAreUpToDate(t *testing.T) {
	for _, file := range manifest.Compare(os.DirFS(root), written(t)) {
		if !file.Current {
			t.Errorf("%s is not up to date: run go generate ./internal/manifest", file.Path)
		}
	}
}

// TestNoPageIsLeftOver looks for pages of commands that are gone.
func TestNoPageIsLeftOver(t *testing.T) {
	var want []string
	for _, file := range written(t) {
		want = append(want, file.Path)
	}
	for _, folder := range []string{pages.ManualFolder, pages.CompletionFolder} {
		entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(folder)))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if found := path.Join(folder, entry.Name()); !slices.Contains(want, found) {
				t.Errorf("%s is written by nothing", found)
			}
		}
	}
}

func TestEveryCommandHasAManualPage(t *testing.T) {
	pagesOf := map[string]string{}
	for _, file := range written(t) {
		pagesOf[file.Path] = string(file.Content)
	}
	for _, command := range cli.Tree().Commands() {
		page := pagesOf[pages.ManualFolder+"/xsoar-defender-"+command.Name()+".1"]
		for _, want := range []string{command.Short, ".SH SYNOPSIS", ".SH EXIT STATUS", ".SH ENVIRONMENT", ".SH FILES", "xsoar-defender(1)"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s has no %q", command.Name(), want)
			}
		}
	}
}

func TestScriptsLetTheProgramSayWhichValuesFit(t *testing.T) {
	for shell, wants := range map[string][]string{
		"bash":       {`&& $comp == "${cur%%=*}="* )`},
		"zsh":        {`behind+=("$word")`, "compstate[insert]= compstate[list]='list force'"},
		"fish":       {"string escape -- (commandline -opc)", "set -l before (string match -r -- '^[^=]*=(?:.*,)?' $typed)[1]"},
		"powershell": {"$CommandAst.Extent.Text -match"},
	} {
		script, err := cli.Completion(cli.Tree(), shell)
		for _, want := range wants {
			if err != nil || !strings.Contains(string(script), want) {
				t.Errorf("the script of %s has no %s (%v)", shell, want, err)
			}
		}
	}
	if _, err := cli.Completion(cli.Tree(), "tcsh"); err == nil {
		t.Error("there is a script for a shell that has none")
	}
}
