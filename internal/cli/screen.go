package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/tidwall/gjson"

	"xsoar-defender/warroom"
)

// screen writes entries as text.
type screen struct {
	out, errors io.Writer
	// width is the width of the terminal in columns, or 0 if the output is not a terminal and nothing is fitted to it.
	width int
	// styled makes headings bold and colours states.
	styled bool
	// ascii draws with ASCII characters alone.
	ascii bool
	// files is the folder with the files of entries.
	files string
	// columns are the columns of the tables that the user selected, if any.
	columns []string
	// compact shows a list as one line per row, with the columns for which there is room.
	compact bool
}

func (p *program) screen(files string) screen {
	width := p.Width()
	return screen{
		out: p.Out, errors: p.Errors, width: width, styled: width > 0 && p.Getenv("NO_COLOR") == "" && !p.dumb(),
		ascii: p.ascii(), files: files,
	}
}

// dumb reports whether the terminal can only be written to from left to right.
func (p *program) dumb() bool { return p.Getenv("TERM") == "dumb" }

// ascii reports whether the locale names no character set beyond ASCII.
func (p *program) ascii() bool {
	locale := cmp.Or(p.Getenv("LC_ALL"), p.Getenv("LC_CTYPE"), p.Getenv("LANG"))
	return locale == "C" || locale == "POSIX"
}

// ellipsis stands for what is cut.
func (s screen) ellipsis() string {
	if s.ascii {
		return "..."
	}
	return "…"
}

func (s screen) entries(entries []warroom.Entry) {
	for _, entry := range joined(entries) {
		s.entry(entry)
	}
}

// joined joins entries that follow one another and show nothing but a table of the same kind, such as one machine each,
// so that they become one table.
func joined(entries []warroom.Entry) []warroom.Entry {
	var all []warroom.Entry
	for _, entry := range entries {
		if table, ok := onlyTable(entry); ok && len(all) > 0 {
			if last, ok := onlyTable(all[len(all)-1]); ok && sameKind(last, table) {
				last.Records.Rows = append(slices.Clone(last.Records.Rows), table.Records.Rows...)
				all[len(all)-1].Blocks = []warroom.Block{last}
				continue
			}
		}
		all = append(all, entry)
	}
	return all
}

// onlyTable returns the table of an entry that shows nothing else.
func onlyTable(entry warroom.Entry) (warroom.Table, bool) {
	if entry.Kind != warroom.Note || entry.File != nil || len(entry.Blocks) != 1 {
		return warroom.Table{}, false
	}
	table, ok := entry.Blocks[0].(warroom.Table)
	return table, ok && len(table.Records.Rows) > 0
}

func sameKind(a, b warroom.Table) bool {
	return a.Title == b.Title && a.KeepEmpty == b.KeepEmpty && slices.Equal(a.Columns, b.Columns) &&
		slices.Equal(a.Records.View.Names(), b.Records.View.Names())
}

// withColumns is a table with the columns that the user selected, where it has any of them.
func (s screen) withColumns(shown warroom.Table) warroom.Table {
	known := shown.Records.View.Names()
	if shown.Records.View == nil {
		known = shown.Grid().Columns
	}
	var columns []string
	for _, column := range s.columns {
		if at := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, column) }); at >= 0 {
			columns = append(columns, known[at])
		}
	}
	if len(columns) > 0 {
		shown.Columns, shown.KeepEmpty = columns, true
	}
	return shown
}

// entry shows an entry followed by an empty line, or nothing if the entry is empty.
func (s screen) entry(entry warroom.Entry) {
	switch entry.Kind {
	case warroom.Failure:
		sayFailure(s.errors, warroom.Plain(entry.Blocks))
		return
	case warroom.Warning:
		s.line(s.strong("Warning"))
	}
	for _, block := range entry.Blocks {
		s.block(block)
		s.line("")
	}
	if text := literal(entry); text != "" {
		s.line(warroom.Visible(text))
		s.line("")
	}
	if file := entry.File; file != nil {
		s.line(warroom.Visible(fmt.Sprintf("Saved %s (%d bytes, SHA-256 %s).", filepath.Join(s.files, file.Name), file.Size, file.SHA256)))
		s.line("")
	}
}

// literal returns the text of an entry that has only one for the platform: the answers of the commands of mirroring. JSON is
// indented.
func literal(entry warroom.Entry) string {
	if len(entry.Blocks) > 0 || entry.Contents == nil && entry.Literal == "" {
		return ""
	}
	if entry.Literal != "" {
		return entry.Literal
	}
	contents := string(warroom.JSON(entry.Contents))
	if quoted := gjson.Parse(contents); quoted.Type == gjson.String {
		contents = quoted.Str
	}
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(contents), "", "  ") != nil {
		return contents
	}
	return indented.String()
}

func (s screen) block(block warroom.Block) {
	switch block := block.(type) {
	case warroom.Heading:
		s.line(s.strong(string(block)))
	case warroom.Paragraph:
		s.paragraph(string(block))
	case warroom.Code:
		s.line(warroom.Visible(block.Text))
	case warroom.Link:
		s.paragraph(block.Text + ":")
		// On a line of its own and unbroken, so that it can be copied.
		s.line(warroom.Visible(block.Address))
	case warroom.Table:
		s.table(block)
	}
}

func (s screen) table(shown warroom.Table) {
	if shown.Title != "" {
		s.line(s.strong(shown.Title))
	}
	if len(s.columns) > 0 {
		shown = s.withColumns(shown)
	}
	grid := shown.Grid()
	if len(grid.Rows) == 0 {
		s.paragraph(shown.EmptyText())
		return
	}
	// The rows of a query are evidence, of which nothing is cut; those of a view can be asked for in full.
	if !s.compact || shown.Records.View == nil || !s.list(grid.Columns, grid.Rows) {
		s.grid(grid.Columns, grid.Rows)
	}
	if grid.Left > 0 {
		s.paragraph(fmt.Sprintf("These are the first %d rows of %d. Use --output csv, json or jsonl for all of them.", len(grid.Rows), len(grid.Rows)+grid.Left))
	}
}

// leastName is the width to which the name in a list may be cut, in columns.
const leastName = 16

// list shows several rows as one line each where not all of their columns fit: its ID, its name or title, its states,
// and what else there is room for. It is false, and shows nothing, where that is not needed or does
// not work.
func (s screen) list(columns []string, rows [][]string) bool {
	if s.width == 0 || len(rows) < 2 || len(columns) < 2 {
		return false
	}
	widths := make([]int, len(columns))
	all := 0
	for i, column := range columns {
		widths[i] = text.StringWidthWithoutEscSequences(column)
		for _, row := range rows {
			if strings.Contains(row[i], "\n") {
				row[i] = strings.Join(strings.Fields(row[i]), " ")
			}
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(warroom.Visible(row[i])))
		}
		all += widths[i] + columnGap
	}
	// The next command takes the ID.
	id := max(0, slices.Index(columns, "ID"))
	left := s.width - widths[id] - columnGap
	if all-columnGap <= s.width || left < leastName {
		return false
	}
	kept := []int{id}
	name := slices.Index(columns, "Title")
	if name < 0 {
		name = slices.IndexFunc(columns, func(column string) bool { return strings.HasSuffix(strings.ToLower(column), "name") })
	}
	if name >= 0 && name != id {
		kept = append(kept, name)
		left -= min(widths[name], leastName) + columnGap
	}
	take := func(wanted func(column string) bool) {
		for i, column := range columns {
			if !slices.Contains(kept, i) && wanted(column) && widths[i]+columnGap <= left {
				kept = append(kept, i)
				left -= widths[i] + columnGap
			}
		}
	}
	for _, word := range []string{"severity", "risk", "status", ""} {
		take(func(column string) bool { return holdsState(column) && strings.Contains(strings.ToLower(column), word) })
	}
	if name >= 0 && name != id && widths[name] > leastName {
		grown := min(widths[name], leastName+max(0, left))
		left -= grown - leastName
		widths[name] = grown
	}
	take(func(string) bool { return true })
	slices.Sort(kept)
	s.writeList(columns, rows, kept, widths)
	return true
}

// writeList shows the columns that are kept of a list, and names the others below it.
func (s screen) writeList(columns []string, rows [][]string, kept, widths []int) {
	names := make([]string, len(kept))
	shown := make([][]string, len(rows))
	for i, at := range kept {
		names[i] = columns[at]
		for j, row := range rows {
			cell := warroom.Visible(row[at])
			if text.StringWidthWithoutEscSequences(cell) > widths[at] {
				cell = text.Snip(cell, widths[at], s.ellipsis())
			}
			shown[j] = append(shown[j], cell)
		}
	}
	if s.styled {
		colourStates(names, shown)
	}
	s.write(names, shown, make([]int, len(kept)))
	var left []string
	for i, column := range columns {
		if !slices.Contains(kept, i) {
			left = append(left, column)
		}
	}
	if len(left) > 0 {
		s.paragraph("Not shown at this width: " + strings.Join(left, ", ") + ". Select with --columns, or use --output json.")
	}
}

// paragraph shows text in lines that fit the terminal.
func (s screen) paragraph(content string) {
	content = warroom.Visible(content)
	if s.width > 0 {
		content = text.WrapSoft(content, s.width)
	}
	lines := strings.Split(content, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	s.line(strings.Join(lines, "\n"))
}

// grid shows rows under columns. Where the columns would get so narrow that they cannot be read, or that an ID in them
// would be broken, each row becomes a block of its own with a line for every column.
func (s screen) grid(columns []string, rows [][]string) {
	shown := make([][]string, len(rows))
	spans := make([]span, len(columns))
	for i, column := range columns {
		spans[i].add(column)
	}
	for i, row := range rows {
		shown[i] = make([]string, len(row))
		for j, cell := range row {
			shown[i][j] = warroom.Visible(cell)
			spans[j].add(shown[i][j])
		}
	}
	if s.styled {
		colourStates(columns, shown)
	}
	widths, fits := s.columnWidths(spans)
	if fits {
		s.write(columns, shown, widths)
		return
	}
	for i, row := range shown {
		if i > 0 {
			s.line("")
		}
		s.record(columns, row)
	}
}

const (
	// columnGap is the space between columns.
	columnGap = 2
	// narrowest is the width in characters of the narrowest readable column.
	narrowest = 12
	// longestWord is the length of the longest word that is never broken: that of a machine ID and of a SHA-1 hash.
	longestWord = 40
)

// span is the width of a column: the most that it can use and the least that it needs.
type span struct{ most, least int }

// add makes room for a cell.
func (s *span) add(cell string) {
	s.most = max(s.most, text.LongestLineLen(cell))
	longest := 0
	for word := range strings.FieldsSeq(cell) {
		longest = max(longest, text.StringWidthWithoutEscSequences(word))
	}
	s.least = max(s.least, min(longest, longestWord), min(s.most, narrowest))
}

// columnWidths returns the largest width of each column so that all of them fit, or zeros if nothing limits them.
// Columns that need less than their share leave the rest to others. fit is false if some would not get what they need.
func (s screen) columnWidths(spans []span) (widths []int, fit bool) {
	widths = make([]int, len(spans))
	if s.width == 0 {
		return widths, true
	}
	left := s.width - columnGap*len(spans)
	order := make([]int, len(spans))
	for i, one := range spans {
		widths[i], order[i] = one.least, i
		left -= one.least
	}
	if left < 0 {
		return nil, false
	}
	wish := func(i int) int { return spans[i].most - spans[i].least }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(wish(a), wish(b)) })
	for done, i := range order {
		more := min(wish(i), left/(len(order)-done))
		widths[i] += more
		left -= more
	}
	return widths, true
}

// record shows one row as a list of names and values, a line for each.
func (s screen) record(columns, row []string) {
	names := make([]string, len(columns))
	longest := 0
	for i, column := range columns {
		names[i] = column + ":"
		longest = max(longest, text.LongestLineLen(names[i]))
	}
	var pairs [][]string
	for i, cell := range row {
		if cell != "" {
			pairs = append(pairs, []string{names[i], cell})
		}
	}
	s.write(nil, pairs, []int{longest, max(narrowest, s.width-longest-columnGap)})
}

// write shows cells in columns of at most the given widths; 0 means any width.
func (s screen) write(columns []string, rows [][]string, widths []int) {
	writer := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Options.SeparateHeader = len(columns) > 0
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", columnGap)
	style.Format.Header = text.FormatDefault
	if s.ascii {
		style.Box.MiddleHorizontal = "-"
	}
	writer.SetStyle(style)
	writer.SuppressTrailingSpaces()
	if len(columns) > 0 {
		writer.AppendHeader(tableRow(columns))
	}
	configs := make([]table.ColumnConfig, len(widths))
	for i, width := range widths {
		configs[i] = table.ColumnConfig{Number: i + 1, WidthMax: width, WidthMaxEnforcer: text.WrapSoft, Align: text.AlignLeft, AlignHeader: text.AlignLeft}
	}
	writer.SetColumnConfigs(configs)
	for _, row := range rows {
		writer.AppendRow(tableRow(row))
	}
	s.line(writer.Render())
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		row[i] = cell
	}
	return row
}

// colourStates colours severities, results and other states.
func colourStates(columns []string, rows [][]string) {
	for at, column := range columns {
		if !holdsState(column) {
			continue
		}
		for _, row := range rows {
			if colour := stateColour(row[at]); colour != text.Reset {
				row[at] = text.Escape(row[at], colour.EscapeSeq())
			}
		}
	}
}

// holdsState reports whether a column holds states, by its name: elsewhere the same words mean other things.
func holdsState(column string) bool {
	column = strings.ToLower(column)
	return slices.ContainsFunc([]string{"severity", "status", "state", "risk", "exposure", "verdict", "result"}, func(word string) bool {
		return strings.Contains(column, word)
	})
}

// stateColour returns the colour of a state in the service's words, or Reset if it needs none.
func stateColour(state string) text.Color {
	switch strings.ToLower(state) {
	case "critical", "high", "failed", "timeout", "malicious", "offline":
		return text.FgRed
	case "medium", "pending", "inprogress", "warning", "suspicious", "inactive", "impairedcommunication", "nosensordata", "nosensordataimpairedcommunication":
		return text.FgYellow
	case "succeeded", "active", "resolved", "benign", "online", "ok":
		return text.FgGreen
	}
	return text.Reset
}

// strong makes a text bold on a terminal.
func (s screen) strong(content string) string {
	content = warroom.Visible(content)
	if !s.styled {
		return content
	}
	return "\x1b[1m" + content + "\x1b[0m"
}

// line writes a line. The writer keeps its first error, which is checked at the end of the program.
func (s screen) line(content string) { fmt.Fprintln(s.out, content) }
