package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// outputFormat is the form in which run writes results.
type outputFormat string

const (
	outputTable outputFormat = "table" // for people
	outputJSON  outputFormat = "json"  // one array of objects
	outputYAML  outputFormat = "yaml"  // the same
	outputCSV   outputFormat = "csv"   // with a line of column names
	outputJSONL outputFormat = "jsonl" // one object per line
)

func outputFormats() []string {
	return []string{string(outputTable), string(outputJSON), string(outputYAML), string(outputCSV), string(outputJSONL)}
}

// String returns the format as it is typed.
func (f *outputFormat) String() string { return string(*f) }

// Set reads the format of a flag.
func (f *outputFormat) Set(typed string) error {
	if !slices.Contains(outputFormats(), typed) {
		return fmt.Errorf("one of %s", strings.Join(outputFormats(), ", "))
	}
	*f = outputFormat(typed)
	return nil
}

// Type names the values in the help.
func (*outputFormat) Type() string { return "format" }

// flag adds the flag of the format to a command.
func (f *outputFormat) flag(command *cobra.Command) {
	*f = outputTable
	command.Flags().VarP(f, "output", "o", "write the results as table, json, yaml, csv or jsonl")
	completeFlag(command, "output", outputFormats())
}

// checkColumns refuses columns that no table of a command has. The rows of a hunting query can have any.
func checkColumns(command commands.Command, columns []string) error {
	if len(columns) == 0 {
		return nil
	}
	var known []string
	for _, output := range command.Outputs {
		if output.View == nil {
			return nil
		}
		known = append(known, output.View.Names()...)
	}
	if len(known) == 0 {
		return usage("--columns: %s shows no table", command.Name)
	}
	for _, column := range columns {
		first, _, _ := strings.Cut(column, ".")
		if !slices.ContainsFunc(known, func(name string) bool { return strings.EqualFold(name, first) }) {
			meant := nearest(first, known)
			if len(meant) == 0 {
				return usage("--columns: %s has no column %q; its columns are %s", command.Name, column, strings.Join(slices.Compact(known), ", "))
			}
			return usage("--columns: %s has no column %q%s", command.Name, column, orMeant(meant))
		}
	}
	return nil
}

// dataResults collects the rows of all tables and writes them as data at the end. Other text goes to
// the standard error.
type dataResults struct {
	*program

	options runOptions
	rows    []rawjson.Value
	// columns are those of the tables in their order, for csv.
	columns []string
}

func (r *dataResults) show(result execution.Result) {
	for _, entry := range result.Entries {
		if entry.Kind != warroom.Failure {
			r.add(entry)
		}
	}
	r.sayFailures(result)
}

// add takes the rows of an entry: those of its tables, or else the objects that it puts into the context, or else its text.
func (r *dataResults) add(entry warroom.Entry) {
	tables, texts := 0, []warroom.Block{}
	for _, block := range entry.Blocks {
		table, ok := block.(warroom.Table)
		if !ok {
			texts = append(texts, block)
			continue
		}
		tables++
		r.addColumns(table.Grid().Columns)
		r.rows = append(r.rows, warroom.JSON(warroom.Records{View: table.Records.View, Rows: table.Records.Rows}).Items("")...)
	}
	text := warroom.Plain(texts)
	if file := entry.File; file != nil {
		r.addRow(warroom.Group{
			{Key: "File", Value: warroom.Text(filepath.Join(r.options.where.files, file.Name))},
			{Key: "Size", Value: warroom.Raw(rawjson.Make(file.Size))},
			{Key: "SHA256", Value: warroom.Text(file.SHA256)},
		})
		return
	}
	switch {
	case tables > 0:
		if text != "" {
			fmt.Fprintln(r.Errors, warroom.Visible(text))
		}
	case len(entry.Context) > 0:
		for _, put := range entry.Context {
			value := warroom.JSON(put.Value)
			items := []rawjson.Value{value}
			if gjson.Parse(string(value)).IsArray() {
				items = value.Items("")
			}
			for _, item := range items {
				r.addColumns(keysOf(item))
				r.rows = append(r.rows, item)
			}
		}
	case text != "":
		r.addRow(warroom.Group{{Key: "Text", Value: warroom.Text(text)}})
	}
}

func (r *dataResults) addRow(row warroom.Group) {
	for _, pair := range row {
		r.addColumns([]string{pair.Key})
	}
	r.rows = append(r.rows, warroom.JSON(row))
}

func (r *dataResults) addColumns(columns []string) {
	for _, column := range columns {
		if !slices.Contains(r.columns, column) {
			r.columns = append(r.columns, column)
		}
	}
}

func keysOf(object rawjson.Value) []string {
	var keys []string
	object.Each(func(key string, _ rawjson.Value) { keys = append(keys, key) })
	return keys
}

func (r *dataResults) end() error {
	columns := r.columns
	if len(r.options.columns) > 0 {
		columns = r.options.columns
		for i, row := range r.rows {
			r.rows[i] = selected(row, columns)
		}
	}
	document := rawjson.Join(r.rows)
	if r.options.query == "" {
		return r.write(r.rows, columns)
	}
	if r.options.output == outputTable {
		return r.writeQueried(string(document), r.options.query)
	}
	found := gjson.Get(string(document), r.options.query)
	switch {
	case !found.Exists():
		return queryError(r.options.query)
	case r.options.output == outputJSON:
		return r.writeDocument(rawjson.Value(found.Raw))
	case r.options.output == outputYAML:
		return r.writeYAML(found)
	}
	// csv and jsonl have rows.
	rows := []rawjson.Value{rawjson.Value(found.Raw)}
	if found.IsArray() {
		rows = rawjson.Value(found.Raw).Items("")
	}
	columns = nil
	for i, row := range rows {
		if !gjson.Parse(string(row)).IsObject() && r.options.output == outputCSV {
			rows[i] = warroom.JSON(warroom.Group{{Key: "Value", Value: warroom.Raw(row)}})
		}
		for _, key := range keysOf(rows[i]) {
			if !slices.Contains(columns, key) {
				columns = append(columns, key)
			}
		}
	}
	return r.write(rows, columns)
}

// write writes rows in the format.
func (r *dataResults) write(rows []rawjson.Value, columns []string) error {
	switch r.options.output {
	case outputJSON:
		return r.writeDocument(rawjson.Join(rows))
	case outputJSONL:
		out := &visibleJSON{to: r.Out}
		for _, row := range rows {
			if _, err := fmt.Fprintln(out, string(row)); err != nil {
				return err
			}
		}
		return nil
	case outputYAML:
		return r.writeYAML(gjson.Parse(string(rawjson.Join(rows))))
	case outputCSV:
		return r.writeCSV(rows, columns)
	}
	return nil
}

// writeCSV writes rows with a line of column names. A value that is an object or a list is written as JSON.
func (r *dataResults) writeCSV(rows []rawjson.Value, columns []string) error {
	writer := csv.NewWriter(r.plainOut())
	if len(columns) > 0 {
		if err := writer.Write(columns); err != nil {
			return fmt.Errorf("writing the rows: %w", err)
		}
	}
	for _, row := range rows {
		cells := make([]string, len(columns))
		object := gjson.Parse(string(row))
		for i, column := range columns {
			cells[i] = cellText(lookUp(object, column))
		}
		if err := writer.Write(cells); err != nil {
			return fmt.Errorf("writing the rows: %w", err)
		}
	}
	writer.Flush()
	return writer.Error()
}

// plainOut is where text that is not JSON goes: on a terminal, hidden characters are spelled out.
func (p *program) plainOut() io.Writer {
	if p.Width() > 0 {
		return &visibleText{to: p.Out}
	}
	return p.Out
}

// cellText is a value in a cell: a list of plain values is separated by commas.
func cellText(value gjson.Result) string {
	if !value.IsArray() {
		return value.String()
	}
	var parts []string
	for _, item := range value.Array() {
		if item.IsObject() || item.IsArray() {
			return value.Raw
		}
		parts = append(parts, item.String())
	}
	return strings.Join(parts, ", ")
}

// lookUp finds a column of an object: a key, whatever its case, or a GJSON path.
func lookUp(object gjson.Result, column string) gjson.Result {
	var found gjson.Result
	object.ForEach(func(key, value gjson.Result) bool {
		if strings.EqualFold(key.String(), column) {
			found = value
			return false
		}
		return true
	})
	if found.Exists() {
		return found
	}
	first, rest, nested := strings.Cut(column, ".")
	if !nested {
		return gjson.Result{}
	}
	below := lookUp(object, first)
	if at := gjson.Get(below.Raw, rest); at.Exists() {
		return at
	}
	return gjson.Result{}
}

// selected is an object with some columns alone. One that it does not have is left out.
func selected(object rawjson.Value, columns []string) rawjson.Value {
	parsed := gjson.Parse(string(object))
	if !parsed.IsObject() {
		return object
	}
	kept := warroom.Group{}
	for _, column := range columns {
		if value := lookUp(parsed, column); value.Exists() {
			kept = append(kept, warroom.Pair{Key: column, Value: warroom.Raw(value.Raw)})
		}
	}
	return warroom.JSON(kept)
}

func queryError(query string) error {
	return fmt.Errorf("--query: nothing is at %q", query)
}

// writeQueried writes what a path finds in a document: text as it is, plain values of a list one per line, and
// everything else as JSON.
func (p *program) writeQueried(document, query string) error {
	found := gjson.Get(document, query)
	switch {
	case !found.Exists():
		return queryError(query)
	case found.IsArray() && !slices.ContainsFunc(found.Array(), func(item gjson.Result) bool { return item.IsObject() || item.IsArray() }):
		var err error
		for _, item := range found.Array() {
			_, lineErr := fmt.Fprintln(p.plainOut(), item.String())
			err = errors.Join(err, lineErr)
		}
		return err
	case found.IsObject() || found.IsArray():
		return p.writeDocument(rawjson.Value(found.Raw))
	}
	_, err := fmt.Fprintln(p.plainOut(), found.String())
	return err
}

// visibleText spells out hidden characters, which a terminal would obey.
type visibleText struct{ to io.Writer }

func (v *visibleText) Write(text []byte) (int, error) {
	if _, err := io.WriteString(v.to, warroom.Visible(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// visibleJSON escapes in JSON what a terminal would obey: control and bidirectional characters. The document stays the
// same, so this is done wherever it goes: it may be shown on a terminal later.
type visibleJSON struct {
	to io.Writer
	// rest is the beginning of a character whose other bytes come with the next write.
	rest []byte
}

func (v *visibleJSON) Write(part []byte) (int, error) {
	text := part
	if len(v.rest) > 0 {
		text = slices.Concat(v.rest, part)
	}
	v.rest = nil
	shown := make([]byte, 0, len(text))
	for len(text) > 0 {
		if c := text[0]; c < utf8.RuneSelf {
			if c == 0x7f {
				shown = append(shown, `\u007f`...)
			} else {
				shown = append(shown, c)
			}
			text = text[1:]
			continue
		}
		if !utf8.FullRune(text) {
			v.rest = append([]byte(nil), text...)
			break
		}
		r, size := utf8.DecodeRune(text)
		switch one := string(text[:size]); {
		case r == utf8.RuneError && size == 1:
			shown = append(shown, `\ufffd`...)
		case warroom.Visible(one) != one && r <= 0xffff:
			shown = fmt.Appendf(shown, `\u%04x`, r)
		case warroom.Visible(one) != one:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			shown = fmt.Appendf(shown, `\u%04x\u%04x`, high, low)
		default:
			shown = append(shown, one...)
		}
		text = text[size:]
	}
	if _, err := v.to.Write(shown); err != nil {
		return 0, err
	}
	return len(part), nil
}
