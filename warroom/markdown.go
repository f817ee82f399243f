package warroom

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
)

// MaxTableRows is the maximum number of rows of a table that are shown. Context and contents always hold all of them; a
// browser that shows the War Room cannot render a table of many thousand rows.
const MaxTableRows = 1000

// Block is one part of the readable text. All texts in blocks are plain: the renderer quotes them.
type Block interface{ appendMarkdown(dst []byte) []byte }

// Heading is a heading of the blocks after it.
type Heading string

// Paragraph is one paragraph of plain text.
type Paragraph string

// Code is a block of preformatted text, such as a query.
type Code struct{ Language, Text string }

// Table shows records under a title. Columns are names of fields of the view; without any, all fields
// are shown, or all keys in alphabetical order if the records have no view. A column without any value
// is left out, and so is a table without rows, instead of which Empty is shown.
type Table struct {
	Title   string
	Columns []string
	Records Records
	Empty   string
	// KeepEmpty shows columns without a value as well.
	KeepEmpty bool
	// Style is how values are shown. The zero Style shows them as the service returned them.
	Style Style
}

// Markdown renders blocks for the War Room.
func Markdown(blocks []Block) string {
	var text []byte
	for i, block := range blocks {
		if i > 0 {
			text = append(text, "\n\n"...)
		}
		text = block.appendMarkdown(text)
	}
	return string(text)
}

func (h Heading) appendMarkdown(dst []byte) []byte {
	return appendQuoted(append(dst, "### "...), string(h), inHeading)
}

func (p Paragraph) appendMarkdown(dst []byte) []byte {
	lines := strings.Split(string(p), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, " \t")
	}
	return appendQuoted(dst, strings.Join(lines, "\n"), inParagraph)
}

func (c Code) appendMarkdown(dst []byte) []byte {
	text := Visible(c.Text)
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fmt.Appendf(dst, "%s%s\n%s\n%s", fence, c.Language, text, fence)
}

func (t Table) appendMarkdown(dst []byte) []byte {
	if t.Title != "" {
		dst = append(Heading(t.Title).appendMarkdown(dst), '\n')
	}
	grid := t.Grid()
	if len(grid.Rows) == 0 || len(grid.Columns) == 0 {
		return Paragraph(t.EmptyText()).appendMarkdown(dst)
	}
	dst = appendLine(dst, grid.Columns)
	dst = append(dst, '|')
	for range grid.Columns {
		dst = append(dst, " --- |"...)
	}
	dst = append(dst, '\n')
	for _, cells := range grid.Rows {
		dst = t.appendCells(dst, grid.Columns, cells)
	}
	if grid.Left > 0 {
		dst = append(append(dst, '\n'), Paragraph(grid.Note()).appendMarkdown(nil)...)
	}
	return dst
}

// EmptyText returns the text shown instead of a table without rows.
func (t Table) EmptyText() string { return cmp.Or(t.Empty, "Nothing was found.") }

func appendLine(dst []byte, cells []string) []byte {
	dst = append(dst, '|')
	for _, cell := range cells {
		dst = append(dst, ' ')
		dst = appendQuoted(dst, cell, inCell)
		dst = append(dst, " |"...)
	}
	return append(dst, '\n')
}

// appendCells writes a row of values, with links where the style has pages for them.
func (t Table) appendCells(dst []byte, columns, cells []string) []byte {
	if t.Style.Portal == "" || len(t.Style.Pages) == 0 {
		return appendLine(dst, cells)
	}
	dst = append(dst, '|')
	for i, cell := range cells {
		dst = append(dst, ' ')
		if address := t.Style.address(columns[i], cell); address != "" {
			dst = append(append(appendQuoted(append(dst, '['), cell, inLink), "]("...), address+")"...)
		} else {
			dst = appendQuoted(dst, cell, inCell)
		}
		dst = append(dst, " |"...)
	}
	return append(dst, '\n')
}

// Grid is a table of texts.
type Grid struct {
	Columns []string
	Rows    [][]string
	// Left is the number of rows that were cut.
	Left int
}

// Note returns how much of a table is not shown, or "" if all of it is shown.
func (g Grid) Note() string {
	if g.Left == 0 {
		return ""
	}
	return fmt.Sprintf("The first %d rows are shown; the context holds the other %d as well.", len(g.Rows), g.Left)
}

// Grid returns the table for a renderer: at most MaxTableRows rows, without empty columns.
func (t Table) Grid() Grid {
	rows := t.Records.Rows
	grid := Grid{Left: max(0, len(rows)-MaxTableRows)}
	rows = rows[:len(rows)-grid.Left]
	grid.Columns = t.columns(rows)
	fill := t.filler(grid.Columns)
	filled := make([]bool, len(grid.Columns))
	t.Records.each(rows, func(_ int, row *row, object rawjson.Value) {
		cells := make([]string, len(grid.Columns))
		fill(cells, row, object)
		for i, text := range cells {
			cells[i] = t.Style.shown(grid.Columns[i], text)
			filled[i] = filled[i] || text != ""
		}
		grid.Rows = append(grid.Rows, cells)
	})
	if !t.KeepEmpty {
		grid.drop(filled)
	}
	return grid
}

// filler returns a function that fills the cells of a row: from the fields of the view, or from the keys of the object if
// there is no view.
func (t Table) filler(columns []string) func(cells []string, row *row, object rawjson.Value) {
	if t.Records.View == nil {
		return keyFiller(columns)
	}
	positions := t.positions(columns)
	return func(cells []string, row *row, _ rawjson.Value) {
		for i, position := range positions {
			if value := row.field(position); value != nil {
				cells[i] = valueCell(value)
			}
		}
	}
}

// keyFiller reads an object in one pass, which is several times faster than looking for one key after another.
func keyFiller(columns []string) func(cells []string, row *row, object rawjson.Value) {
	at := make(map[string]int, len(columns))
	for i, column := range columns {
		at[column] = i
	}
	return func(cells []string, _ *row, object rawjson.Value) {
		gjson.Parse(string(object)).ForEach(func(key, value gjson.Result) bool {
			if i, wanted := at[key.Str]; wanted && key.Type == gjson.String { // the last of equal keys counts, as in the context
				cells[i] = cell(value, 0)
			}
			return true
		})
	}
}

func (t Table) columns(rows []rawjson.Value) []string {
	if len(t.Columns) > 0 {
		return slices.Clone(t.Columns)
	}
	if view := t.Records.View; view != nil {
		return view.Names()
	}
	seen := map[string]bool{}
	for _, object := range rows {
		object.Each(func(key string, _ rawjson.Value) { seen[key] = true })
	}
	columns := make([]string, 0, len(seen))
	for column := range seen {
		columns = append(columns, column)
	}
	slices.Sort(columns)
	return columns
}

func (t Table) positions(columns []string) []int {
	positions := make([]int, len(columns))
	for i, column := range columns {
		positions[i] = slices.IndexFunc(t.Records.View.Fields, func(f Field) bool { return f.Name == column })
		if positions[i] < 0 {
			panic("warroom: the view has no field " + column)
		}
	}
	return positions
}

func (g *Grid) drop(filled []bool) {
	keep := func(cells []string) []string {
		kept := cells[:0]
		for i, text := range cells {
			if filled[i] {
				kept = append(kept, text)
			}
		}
		return kept
	}
	for i := range g.Rows {
		g.Rows[i] = keep(g.Rows[i])
	}
	g.Columns = keep(g.Columns)
}

func valueCell(v Value) string {
	switch v := v.(type) {
	case Text:
		return string(v)
	case Texts:
		return strings.Join(v, ", ")
	case Raw:
		return cell(gjson.Parse(string(v)), 0)
	}
	var text strings.Builder
	encoder := newEncoder(&text, cellBuffer)
	v.EncodeJSON(encoder)
	if encoder.Flush() != nil {
		return ""
	}
	return cell(gjson.Parse(text.String()), 0)
}

// deepestCell is how many levels of a value are taken apart for reading; deeper levels are shown as JSON. Every
// level reads the whole value again.
const deepestCell = 8

// cell returns the readable form of a JSON value: text as it is, lists separated by commas, objects as "key: value" pairs.
func cell(v gjson.Result, depth int) string {
	if !v.IsArray() && !v.IsObject() || depth == deepestCell {
		return rawjson.Plain(v)
	}
	separator := ", "
	var parts []string
	v.ForEach(func(key, item gjson.Result) bool {
		text := cell(item, depth+1)
		switch {
		case text == "":
			return true
		case v.IsObject():
			text = key.Str + ": " + text
		case item.IsObject():
			separator = "; "
		}
		parts = append(parts, text)
		return true
	})
	return strings.Join(parts, separator)
}

// Plain renders blocks as plain text, for an error and for a log.
func Plain(blocks []Block) string {
	var lines []string
	for _, block := range blocks {
		switch block := block.(type) {
		case Heading:
			lines = append(lines, string(block))
		case Paragraph:
			lines = append(lines, string(block))
		case Code:
			lines = append(lines, block.Text)
		case Link:
			lines = append(lines, block.Text+": "+block.Address)
		case Table:
			grid := block.Grid()
			lines = append(lines, block.Title, strings.Join(grid.Columns, "\t"))
			for _, cells := range grid.Rows {
				lines = append(lines, strings.Join(cells, "\t"))
			}
		}
	}
	return strings.Join(lines, "\n")
}

// Link is a paragraph that is a link. Only https addresses, and http ones, become links.
type Link struct{ Text, Address string }

func (l Link) appendMarkdown(dst []byte) []byte {
	address, err := url.Parse(l.Address)
	if err != nil || (address.Scheme != "https" && address.Scheme != "http") {
		return Paragraph(l.Text + ": " + l.Address).appendMarkdown(dst)
	}
	quoted := strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E", "\n", "").Replace(address.String())
	return append(append(appendQuoted(append(dst, '['), l.Text, inLink), "]("...), quoted+")"...)
}
