package manifest

import (
	"bytes"
	"fmt"
	"strings"

	"xsoar-defender/commands"
)

// MarkerError reports that a page lacks the markers between which a table is written.
type MarkerError struct{ Section string }

func (e *MarkerError) Error() string {
	return fmt.Sprintf("the page has no markers %q and %q, in this order", beginOf(e.Section), endOf(e.Section))
}

func beginOf(section string) string {
	return "<!-- " + section + ": written by go generate ./internal/manifest -->"
}
func endOf(section string) string { return "<!-- " + section + ": end -->" }

// Readme writes the table of README.md between its markers. The rest of the page stays as it is.
func Readme(text []byte, declared []commands.Command) ([]byte, error) {
	return fill(text, "commands", overview(declared))
}

// fill replaces the text between the markers of a section.
func fill(text []byte, section, content string) ([]byte, error) {
	before, rest, begun := bytes.Cut(text, []byte(beginOf(section)))
	_, after, ended := bytes.Cut(rest, []byte(endOf(section)))
	if !begun || !ended {
		return nil, &MarkerError{section}
	}
	return bytes.Join([][]byte{before, []byte(beginOf(section) + "\n\n" + content + "\n" + endOf(section)), after}, nil), nil
}

// overview names the commands of every area.
func overview(declared []commands.Command) string {
	page := &page{}
	var rows [][]string
	for _, area := range areasOf(declared) {
		var links []string
		for _, one := range area.commands {
			shown := linkFrom(one.Name, commandsPath)
			if one.Deprecated != "" {
				shown += " (deprecated)"
			}
			links = append(links, shown)
		}
		rows = append(rows, []string{string(area.name), strings.Join(links, ", ")})
	}
	page.table([]string{"Area", "Commands"}, rows)
	return strings.TrimSpace(page.String()) + "\n"
}
