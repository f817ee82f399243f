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
	// The date of a page, of which the month and the year are shown, is fixed: generated files do not change by themselves.
	date := time.Date(2026, time.November, 24, 0, 0, 0, 0, time.UTC)
	name := strings.ReplaceAll(command.CommandPath(), " ", "-")
	var page bytes.Buffer
	err := doc.GenMan(command, &doc.GenManHeader{
		Title: strings.ToUpper(name), Section: "1", Date: &date, Source: command.Root().Name(), Manual: "User Commands",
	}, &page)
	if err != nil {
		return nil, fmt.Errorf("writing the manual page of %s: %w", name, err)
	}
	// The sections that people look for at the end of a page, before the one that refers to others: every command has some.
	const others = "\n.SH SEE ALSO"
	before, after, _ := strings.Cut(page.String(), others)
	text := before + reference() + others + after
	files := []manifest.File{{Path: ManualFolder + "/" + name + ".1", Content: []byte(text)}}
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

// reference writes the sections of a manual page about what all commands share.
func reference() string {
	var text strings.Builder
	section := func(title string, rows [][2]string) {
		text.WriteString("\n.SH " + title + "\n")
		for _, row := range rows {
			fmt.Fprintf(&text, ".TP\n\\fB%s\\fP\n%s\n", strings.ReplaceAll(row[0], "-", "\\-"), row[1])
		}
	}
	section("EXIT STATUS", [][2]string{
		{"0", "Success."},
		{"1", "Something failed, or an entry is an error."},
		{"2", "A mistake that was found before any request."},
		{"130", "Ctrl-C, or another signal that ends the program. What runs until it is interrupted, such as simulate, ends with 0."},
	})
	section("ENVIRONMENT", [][2]string{
		{"XSOAR_DEFENDER_INSTANCE", "The instance of commands without --instance."},
		{"XSOAR_DEFENDER_PAGER, PAGER", "The pager for long output; cat turns it off."},
		{"NO_COLOR", "If it is set, nothing is coloured."},
		{"TERM", "With dumb, nothing is coloured, paged or rewritten."},
		{"LC_ALL, LC_CTYPE, LANG", "If the first that is set is C or POSIX, tables are drawn in ASCII."},
		{"COLUMNS", "The width of help and of the diagnosis if the output is not a terminal."},
		{"HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "The proxy of instances that use the system's proxy settings."},
		{"AZURE_AUTHORITY_HOST", "The sign-in service of instances with the endpoint type Custom that name none."},
		{"AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, IDENTITY_ENDPOINT, IDENTITY_HEADER", "What Azure sets for workload and managed identities."},
	})
	section("FILES", [][2]string{
		{"$XDG_CONFIG_HOME/xsoar-defender/instances/NAME.json", "The named instances, readable by their owner only. The folder is ~/.config by default; ~/Library/Application Support on macOS, %AppData% on Windows."},
		{"$XDG_STATE_HOME/xsoar-defender/state.json", "The stored sign-ins, encrypted, readable by their owner only. The folder is ~/.local/state by default; the one for the configuration on macOS and Windows."},
	})
	return text.String()
}
