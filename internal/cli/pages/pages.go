// Package pages writes the manual pages and the completion scripts. It is not part of the program: the templates of the
// library that writes manual pages would make it 4 MB larger.
package pages

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/manifest"
)

// The folders of the pages and the scripts, from the root of the repository.
const (
	ManualFolder     = "docs/man"
	CompletionFolder = "docs/completions"
)

// Files returns the manual pages of all commands, and a completion script for every shell that reads them from a folder.
func Files() ([]manifest.File, error) {
	root := cli.Tree()
	root.DisableAutoGenTag = true
	files, err := manual(root)
	if err != nil {
		return nil, err
	}
	for _, script := range []struct{ shell, name string }{
		{"bash", root.Name() + ".bash"}, {"zsh", "_" + root.Name()}, {"fish", root.Name() + ".fish"},
	} {
		content, err := cli.Completion(root, script.shell)
		if err != nil {
			return nil, err
		}
		files = append(files, manifest.File{Path: CompletionFolder + "/" + script.name, Content: content})
	}
	return files, nil
}

// manual returns the page of a command and those of its subcommands.
func manual(command *cobra.Command) ([]manifest.File, error) {
	// The date of a page is fixed, so that generated files do not change by themselves.
	date := time.Date(2026, time.November, 24, 0, 0, 0, 0, time.UTC)
	name := strings.ReplaceAll(command.CommandPath(), " ", "-")
	var page bytes.Buffer
	err := doc.GenMan(command, &doc.GenManHeader{
		Title: strings.ToUpper(name), Section: "1", Date: &date, Source: command.Root().Name(), Manual: "User Commands",
	}, &page)
	if err != nil {
		return nil, fmt.Errorf("writing the manual page of %s: %w", name, err)
	}
	files := []manifest.File{{Path: ManualFolder + "/" + name + ".1", Content: page.Bytes()}}
	for _, below := range command.Commands() {
		if !below.IsAvailableCommand() {
			continue
		}
		more, err := manual(below)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}
