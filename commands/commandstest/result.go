package commandstest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/warroom"
)

// Result is the result of running a command.
type Result struct {
	execution.Result
	Command string
	// Requests lists the requests of this run to the API, to Microsoft Graph and for downloads, in order.
	Requests []simulator.Request

	t testing.TB
}

// Asked returns the requests as "METHOD target", with the target unescaped and without query.
func (r Result) Asked() []string {
	asked := make([]string, len(r.Requests))
	for i, request := range r.Requests {
		asked[i] = request.Method + " " + request.Path
	}
	return asked
}

// WantAsked checks which requests were made, in order.
func (r Result) WantAsked(want ...string) {
	r.t.Helper()
	if got := r.Asked(); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		r.t.Errorf("%s: got %q, want the requests %q", r.Command, got, want)
	}
}

// Body returns the body of the only request.
func (r Result) Body() string {
	r.t.Helper()
	if len(r.Requests) != 1 {
		r.t.Fatalf("%s: got %q, want one request", r.Command, r.Asked())
	}
	return string(r.Requests[0].Body)
}

// Entry returns the only entry of a run that succeeded.
func (r Result) Entry() Entry {
	r.t.Helper()
	all := r.All()
	if len(all) != 1 {
		r.t.Fatalf("%s: got %d, want one entry", r.Command, len(all))
	}
	return all[0]
}

// All returns the entries of a run that succeeded.
func (r Result) All() []Entry {
	r.t.Helper()
	if r.Err != nil {
		r.t.Fatalf("%s: got the error %v, want success", r.Command, r.Err)
	}
	entries := make([]Entry, len(r.Entries))
	for i, entry := range r.Entries {
		entries[i] = Entry{entry, r.t}
	}
	return entries
}

// Failure returns the error text of a run that failed and has no entries.
func (r Result) Failure() string {
	r.t.Helper()
	if r.Err == nil || len(r.Entries) > 0 {
		r.t.Fatalf("%s: got %d entries and the error %v, want an error alone", r.Command, len(r.Entries), r.Err)
	}
	return r.Err.Error()
}

// WantFailure checks that a run ended with an error that holds each of the texts.
func (r Result) WantFailure(texts ...string) {
	r.t.Helper()
	got := r.Failure()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			r.t.Errorf("%s: got %q, want an error with %q", r.Command, got, text)
		}
	}
}

// Entry is an entry as the platform receives it.
type Entry struct {
	warroom.Entry

	t testing.TB
}

// Readable returns the text that the War Room shows.
func (e Entry) Readable() string { return warroom.Markdown(e.Blocks) }

// WantReadable checks that the War Room shows each of the texts.
func (e Entry) WantReadable(texts ...string) {
	e.t.Helper()
	got := e.Readable()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			e.t.Errorf("got\n%s\nwant the entry to say %q", got, text)
		}
	}
}

// Columns returns the columns of the entry's first table as the War Room shows it.
func (e Entry) Columns() []string {
	for _, block := range e.Blocks {
		if table, ok := block.(warroom.Table); ok {
			return table.Grid().Columns
		}
	}
	return nil
}

// WantColumns checks that the entry's first table has these columns, among others and in any order. What comes first is the
// matter of one rule for each kind of object, with a test of its own.
func (e Entry) WantColumns(want ...string) {
	e.t.Helper()
	got := e.Columns()
	for _, column := range want {
		if !slices.Contains(got, column) {
			e.t.Errorf("got %q, want the column %q among them", got, column)
		}
	}
}

// Raw returns the entry's contents as the platform receives them.
func (e Entry) Raw() gjson.Result {
	e.t.Helper()
	if e.Contents == nil {
		return gjson.Result{}
	}
	return e.parsed(e.Contents)
}

// At returns the value at a context path, which is given with its key part.
func (e Entry) At(path string) gjson.Result {
	e.t.Helper()
	for _, one := range e.Context {
		if one.Path == path {
			return e.parsed(one.Value)
		}
	}
	return gjson.Result{}
}

// Paths returns the context paths of the entry, with their key parts.
func (e Entry) Paths() []string {
	var paths []string
	for _, one := range e.Context {
		paths = append(paths, one.Path)
	}
	return paths
}

// WantAt checks the whole value at a context path against JSON.
func (e Entry) WantAt(path, want string) {
	e.t.Helper()
	got := e.At(path)
	if !got.Exists() {
		e.t.Errorf("got %q, want the context path %s", e.Paths(), path)
		return
	}
	WantJSON(e.t, path, got.Raw, want)
}

// WantRaw checks the whole contents against JSON.
func (e Entry) WantRaw(want string) {
	e.t.Helper()
	WantJSON(e.t, "contents", e.Raw().Raw, want)
}

func (e Entry) parsed(value warroom.Value) gjson.Result {
	e.t.Helper()
	text := string(warroom.JSON(value))
	if !gjson.Valid(text) {
		e.t.Fatalf("a value is not JSON: %s", text)
	}
	return gjson.Parse(text)
}

// WantJSON compares two JSON values, whatever the order of keys and the space between tokens.
func WantJSON(t testing.TB, what, got, want string) {
	t.Helper()
	if !reflect.DeepEqual(decoded(t, got), decoded(t, want)) {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func decoded(t testing.TB, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	return value
}
