package cli

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// pagedProgram writes its output into a pager if it is longer than the terminal is high.
type pagedProgram struct {
	*program

	finish func() error
}

// paged returns a program whose output is shown at the end, in a pager if it does not fit the terminal. Without a
// terminal and without a pager it writes at once.
func (p *program) paged(off bool) pagedProgram {
	pager := strings.Fields(cmp.Or(p.Getenv("XSOAR_DEFENDER_PAGER"), p.Getenv("PAGER"), "less"))
	if off || p.Width() == 0 || p.Height == nil || p.Page == nil || p.dumb() || len(pager) == 0 || pager[0] == "cat" {
		return pagedProgram{p, func() error { return nil }}
	}
	var held bytes.Buffer
	told := *p
	told.Out = &held
	return pagedProgram{&told, func() error {
		if linesOn(held.String(), p.Width()) >= p.Height() && p.Page(pager, held.String()) == nil {
			return nil
		}
		_, err := p.Out.Write(held.Bytes())
		return err
	}}
}

// linesOn counts the lines that a text takes on a terminal.
func linesOn(shown string, width int) int {
	lines := 0
	for line := range strings.Lines(shown) {
		lines += max(1, (text.StringWidthWithoutEscSequences(strings.TrimRight(line, "\n"))+width-1)/width)
	}
	return lines
}
