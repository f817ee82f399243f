// Package warroomtest looks at what the War Room would show, for tests.
package warroomtest

import (
	"strings"
	"testing"

	"xsoar-defender/warroom"
)

// WantTable renders a table without its title, and wants a header, a rule and a line for every row, each with as many
// cells as the table has columns: nothing in a cell gets out of it.
func WantTable(t testing.TB, table warroom.Table) {
	t.Helper()
	table.Title = ""
	grid := table.Grid()
	if len(grid.Rows) == 0 || len(grid.Columns) == 0 {
		return
	}
	text := warroom.Markdown([]warroom.Block{table})
	if note := grid.Note(); note != "" {
		text = strings.TrimSuffix(text, "\n"+note)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if want := len(grid.Rows) + 2; len(lines) != want {
		t.Errorf("got %d lines: %q, want a header, a rule and %d rows", len(lines), text, len(grid.Rows))
		return
	}
	for _, line := range lines {
		odd, single := cells(line, oddBackslashes), cells(line, anyBackslash)
		if odd != len(grid.Columns) || single != len(grid.Columns) {
			t.Errorf("got %d and %d: %q, want %d cells however a pipe is escaped", odd, single, line, len(grid.Columns))
		}
	}
}

// cells takes a line of a table apart. Renderers differ in what escapes a pipe: for some it is an odd number of
// backslashes, for others any backslash right before it.
func cells(line string, escaped func(before string) bool) int {
	count := 0
	for i, r := range line {
		if r == '|' && !escaped(line[:i]) {
			count++
		}
	}
	return count - 1
}

func oddBackslashes(before string) bool {
	return (len(before)-len(strings.TrimRight(before, `\`)))%2 == 1
}

func anyBackslash(before string) bool { return strings.HasSuffix(before, `\`) }
