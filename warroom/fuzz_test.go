package warroom_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
	"xsoar-defender/warroom/warroomtest"
)

// FuzzView shows any object of the service through a view with every sort of field: the context is one line of JSON
// with no key that the view does not name, and the table keeps to its cells.
func FuzzView(f *testing.F) {
	for _, seed := range []string{
		`{"id":"1","name":"a|b","of":{"id":2,"name":"x"},"all":[{"id":3},null,{"name":"y\nz"}],"raw":[1,{"deep":["|"]}]}`,
		`{"id":null,"other":"from the second name","of":[],"all":{},"raw":"\u202e"}`,
		`{"of":"a text","all":7,"raw":{"a|":"\\"}}`,
		`[{"id":{"id":"a"}},{"id":["b"]},[],1]`,
		`{"value":[{"id":"\\|"},{"id":"` + "\xff" + `"}]}`,
		`{"id":1e999,"id":2}`,
	} {
		f.Add(seed, "name")
	}
	f.Add(`{"a|b":1,"":2}`, "a|b")
	inner := warroom.NewView(warroom.Field{Name: "ID", From: "id"}, warroom.Field{Name: "Name", From: "name"})
	f.Fuzz(func(t *testing.T, text, key string) {
		whole, err := rawjson.Parse(text)
		if err != nil {
			return
		}
		view := warroom.NewView(
			warroom.Field{Name: "ID", From: "id|other"}, warroom.Field{Name: "Key", From: key},
			warroom.Field{Name: "Of", From: "of", Of: inner}, warroom.Field{Name: "All", From: "all|of", Of: inner},
			warroom.Field{Name: "Raw", From: "raw"}, warroom.Field{Name: "Made", Make: func(o rawjson.Value) warroom.Value {
				if made := o.Text("name"); made != "" {
					return warroom.Texts{made, key}
				}
				return nil
			}},
		)
		rows := append(whole.Items(""), whole.Items("value")...)
		for _, records := range []warroom.Records{{View: view, Rows: rows}, {View: view, Rows: rows, Single: true}, {Rows: rows}} {
			encoded := encoded(t, records)
			if strings.ContainsAny(encoded, "\r\n") || !utf8.ValidString(encoded) || !json.Valid([]byte(encoded)) {
				t.Fatalf("got %q, want one line of JSON", encoded)
			}
			if records.View != nil && !records.Single {
				wantKeysOf(t, encoded, "ID", "Key", "Of", "All", "Raw", "Made")
			}
			warroomtest.WantTable(t, warroom.Table{Title: key, Records: records})
			warroomtest.WantTable(t, warroom.Table{Records: records, KeepEmpty: true})
		}
	})
}

// wantKeysOf wants a list of objects that have no other keys, and each of them once.
func wantKeysOf(t *testing.T, list string, keys ...string) {
	t.Helper()
	var objects []json.RawMessage
	if err := json.Unmarshal([]byte(list), &objects); err != nil {
		t.Fatalf("got %s: %v, want a list of objects", list, err)
	}
	for _, object := range objects {
		left := map[string]bool{}
		for _, key := range keys {
			left[key] = true
		}
		rawjson.Value(object).Each(func(key string, _ rawjson.Value) {
			if !left[key] {
				t.Errorf("got %s, want each of the keys %q at most once", object, keys)
			}
			delete(left, key)
		})
	}
}
