package commands

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// Output declares a context path, the objects there and their table in the War Room.
type Output struct {
	// Path is the context path and Key the condition by which the platform merges values there.
	Path, Key string
	// View maps the fields. If it is nil, objects are shown as the service returns them, and Fields declares them.
	View *warroom.View
	// Fields declares the fields of objects that are shown as received.
	Fields []warroom.Field
	// Single puts one object at the path instead of a list.
	Single bool
	// About and Under put the objects in a group that also names what they belong to, such as the alerts of a domain
	// under the key "Alerts" next to "Domain".
	About, Under string
	// Title, Columns and Empty describe the table; Empty is its text if it has no rows.
	Title   string
	Columns []string
	Empty   string
	// Pages are the pages of the portal about the values of columns (see warroom.Style).
	Pages map[string]string
	// Events reports whether the rows are events, of which the order within a second matters.
	Events bool
}

// The conditions by which objects with an ID are merged: spelled as the service does, and as the platform does.
const (
	keyedByID        = "val.id && val.id == obj.id"
	keyedByCapitalID = "val.ID && val.ID == obj.ID"
)

// longestCell is how many characters of a value a table shows. The context has the whole value.
const longestCell = 400

// sizes are the columns of all tables that are numbers of bytes.
func sizes() []string { return []string{"Size", "SizeInBytes", "size", "sizeInBytes", "FileSize"} }

func (o Output) style() warroom.Style {
	return warroom.Style{Times: true, Fractions: o.Events, Most: longestCell, Bytes: sizes(), Pages: o.Pages}
}

// portalOf returns the base of the portal of a cloud, or "" if the instance has an address of its own that is not
// Microsoft's.
func portalOf(cloud params.Cloud) string {
	if cloud.API == nil {
		return ""
	}
	host := cloud.API.Hostname()
	if strings.HasSuffix(host, ".microsoft.com") || strings.HasSuffix(host, ".microsoft.us") {
		return cloud.Portal()
	}
	return ""
}

// linkedTo sets the portal of a cloud in the tables of entries whose values have pages there.
func linkedTo(portal string, entries []warroom.Entry) {
	for _, entry := range entries {
		for i, block := range entry.Blocks {
			if table, ok := block.(warroom.Table); ok && len(table.Style.Pages) > 0 {
				table.Style.Portal = portal
				entry.Blocks[i] = table
			}
		}
	}
}

// path is the context path with its key part.
func (o Output) path() string {
	if o.Key == "" {
		return o.Path
	}
	return o.Path + "(" + o.Key + ")"
}

// titled returns the output with a different title.
func (o Output) titled(format string, values ...any) Output {
	o.Title = fmt.Sprintf(format, values...)
	return o
}

func (o Output) records(rows []rawjson.Value) warroom.Records {
	if o.View == nil {
		bare := make([]rawjson.Value, len(rows))
		for i, row := range rows {
			bare[i] = row.Bare()
		}
		rows = bare
	}
	return warroom.Records{View: o.View, Rows: rows, Single: o.Single}
}

func (o Output) table(rows []rawjson.Value) warroom.Table {
	return warroom.Table{Title: o.Title, Columns: o.Columns, Records: warroom.Records{View: o.View, Rows: o.records(rows).Rows}, Empty: o.Empty, Style: o.style()}
}

func (o Output) context(rows []rawjson.Value) warroom.Context {
	return warroom.Context{Path: o.path(), Value: o.records(rows)}
}

// rowsEntry returns the entry that shows objects and puts them in the context. Without objects it has no context.
func (o Output) rowsEntry(rows []rawjson.Value, contents rawjson.Value) warroom.Entry {
	entry := warroom.Entry{Blocks: []warroom.Block{o.table(rows)}, Contents: warroom.Raw(contents)}
	if len(rows) > 0 {
		entry.Context = []warroom.Context{o.context(rows)}
	}
	return entry
}

// listEntry returns the entry for a list of the service, with a note if there was more.
func (o Output) listEntry(list defender.List) warroom.Entry {
	entry := o.rowsEntry(list.Items, list.Whole)
	if list.Whole == "" {
		entry.Contents = warroom.Group{{Key: "value", Value: warroom.Records{Rows: list.Items}}}
	}
	return noteMore(entry, list)
}

// listReport returns the report for a list that was requested.
func (o Output) listReport(list defender.List, err error) (Report, error) {
	if err != nil {
		return Report{}, err
	}
	return report(o.listEntry(list)), nil
}

// objectReport returns the report for an object that was requested.
func (o Output) objectReport(object rawjson.Value, err error) (Report, error) {
	if err != nil {
		return Report{}, err
	}
	return report(o.objectEntry(object)), nil
}

// eachReport returns the report for the objects that ask returns, one for each ID; argument is the one that holds the IDs.
// Of an ID whose object is not wanted, ask returns "".
func (o Output) eachReport(ctx context.Context, argument string, ids []string, ask func(ctx context.Context, id string) (rawjson.Value, error)) (Report, error) {
	return o.askedReport(argument, forEach(ctx, ids, ask))
}

// byIDsReport is eachReport for objects that a list of the service has (see forEachListed).
func (o Output) byIDsReport(
	ctx context.Context, argument string, ids []string,
	list func(ctx context.Context, ids []string) (map[string]rawjson.Value, error), ask func(ctx context.Context, id string) (rawjson.Value, error),
) (Report, error) {
	return o.askedReport(argument, forEachListed(ctx, ids, list, ask))
}

func (o Output) askedReport(argument string, asked outcome[rawjson.Value]) (Report, error) {
	found := slices.DeleteFunc(values(asked.Done), func(one rawjson.Value) bool { return one == "" })
	return asked.finish(argument, o.rowsEntry(found, rawjson.Join(found)))
}

// aboutEntry returns the entry for the objects that belong to the one named by id. It puts the id in the context even if
// there are no objects.
func (o Output) aboutEntry(id string, list defender.List) warroom.Entry {
	entry := o.listEntry(list)
	entry.Context = []warroom.Context{{Path: o.path(), Value: o.group(id, list.Items)}}
	return entry
}

func (o Output) group(id string, rows []rawjson.Value) warroom.Group {
	return warroom.Group{{Key: o.About, Value: warroom.Text(id)}, {Key: o.Under, Value: o.records(rows)}}
}

// objectEntry returns the entry for a single object.
func (o Output) objectEntry(object rawjson.Value) warroom.Entry {
	o.Single = true
	return o.rowsEntry([]rawjson.Value{object}, object)
}

// objectEntries returns an entry for each object of a list. A note about the whole list is in the last entry.
func (o Output) objectEntries(list defender.List, show func(rawjson.Value) warroom.Entry) []warroom.Entry {
	if len(list.Items) == 0 {
		return []warroom.Entry{o.listEntry(list)}
	}
	entries := make([]warroom.Entry, len(list.Items))
	for i, object := range list.Items {
		entries[i] = show(object)
	}
	last := &entries[len(entries)-1]
	*last = noteMore(*last, list)
	return entries
}

// noteMore adds that the service may have more, and what to do about it: a limit is raised only where one was given, and a
// later page is followed by the next.
func noteMore(entry warroom.Entry, list defender.List) warroom.Entry {
	if list.Lost && !list.More {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph("The service's link to the next page had lost the filter of this command: it leads to other items and was not followed, so there may be more. Narrow the filter to see them."))
	}
	if !list.More {
		return entry
	}
	note := fmt.Sprintf("These are the first %d; the service may have more.", len(list.Items))
	switch {
	case list.Skipped > 0:
		note = fmt.Sprintf("These are numbers %d to %d; the service may have more. Ask for the next page to see them.",
			list.Skipped+1, list.Skipped+len(list.Items))
	case list.Limited && len(list.Items) < defender.Everything: // beyond that most limits cannot be raised
		note += " Raise the limit or narrow the filter to see them."
	default:
		note += " Narrow the filter to see them."
	}
	entry.Blocks = append(entry.Blocks, warroom.Paragraph(note))
	return entry
}

// Declared returns the context paths of the output, as the manifest lists them.
func (o Output) Declared() []Declared {
	var declared []Declared
	prefix := o.Path
	if o.Under != "" {
		declared = append(declared, Declared{Path: o.Path + "." + o.About, Type: warroom.String, Help: "What the objects below belong to."})
		prefix += "." + o.Under
	}
	fields := o.Fields
	if o.View != nil {
		fields = o.View.Fields
	}
	return append(declared, declaredFields(prefix, fields)...)
}

// Declared returns the context paths of the command, each once, in the order of the declaration: two outputs of a command can
// fill the same path.
func (c Command) Declared() []Declared {
	var paths []Declared
	seen := map[string]bool{}
	for _, output := range c.Outputs {
		for _, one := range output.Declared() {
			if !seen[one.Path] {
				seen[one.Path], paths = true, append(paths, one)
			}
		}
	}
	return paths
}

// Declared is one context path of the manifest.
type Declared struct {
	Path string
	Type warroom.Type
	Help string
	// Gone reports whether the path is no longer filled.
	Gone bool
}

func declaredFields(prefix string, fields []warroom.Field) []Declared {
	var declared []Declared
	for _, field := range fields {
		path := strings.TrimSuffix(prefix+"."+field.Name, ".")
		if field.Of != nil {
			declared = append(declared, declaredFields(path, field.Of.Fields)...)
			continue
		}
		declared = append(declared, Declared{Path: path, Type: cmp.Or(field.Type, warroom.Unknown), Help: field.Help, Gone: field.Gone})
	}
	return declared
}
