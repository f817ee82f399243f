package warroom_test

import (
	"encoding/json"
	"strings"
	"testing"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// encoded is a value as it goes to the platform.
func encoded(t testing.TB, value warroom.Value) string {
	t.Helper()
	var text strings.Builder
	encoder := warroom.NewEncoder(&text)
	value.EncodeJSON(encoder)
	if err := encoder.Flush(); err != nil {
		t.Fatalf("encoding: %v", err)
	}
	if !json.Valid([]byte(text.String())) {
		t.Fatalf("got %q, want valid JSON", text.String())
	}
	return text.String()
}

func one(view *warroom.View, object string) warroom.Records {
	return warroom.Records{View: view, Rows: []rawjson.Value{rawjson.Value(object)}, Single: true}
}

func TestViewTakesFieldsFromObjects(t *testing.T) {
	user := warroom.NewView(warroom.Field{Name: "Name", From: "accountName"}, warroom.Field{Name: "Domain", From: "domainName"})
	shout := func(o rawjson.Value) warroom.Value {
		if o.Text("name") == "" {
			return nil
		}
		return warroom.Text(strings.ToUpper(o.Text("name")))
	}
	rows := []struct {
		name   string
		fields []warroom.Field
		object string
		want   string
	}{
		{"a key under another name", []warroom.Field{{Name: "ID", From: "id"}}, `{"id":"1","other":2}`, `{"ID":"1"}`},
		{
			"fields in the order of the view, not of the object",
			[]warroom.Field{{Name: "B", From: "b"}, {Name: "A", From: "a"}},
			`{"a":1,"b":2}`, `{"B":2,"A":1}`,
		},
		{"one key under two names", []warroom.Field{{Name: "A", From: "x"}, {Name: "B", From: "x"}}, `{"x":1}`, `{"A":1,"B":1}`},
		{"the first of several keys", []warroom.Field{{Name: "A", From: "new|old"}}, `{"old":1,"new":2}`, `{"A":2}`},
		{"another key when the first is missing", []warroom.Field{{Name: "A", From: "new|old"}}, `{"old":1}`, `{"A":1}`},
		{"another key when the first is null", []warroom.Field{{Name: "A", From: "new|old"}}, `{"new":null,"old":1}`, `{"A":1}`},
		{"an empty text is a value", []warroom.Field{{Name: "A", From: "new|old"}}, `{"new":"","old":1}`, `{"A":""}`},
		{"null is left out", []warroom.Field{{Name: "A", From: "a"}, {Name: "B", From: "b"}}, `{"a":null,"b":0}`, `{"B":0}`},
		{"false, zero and empty lists stay", []warroom.Field{{Name: "A", From: "a"}, {Name: "B", From: "b"}, {Name: "C", From: "c"}}, `{"a":false,"b":0,"c":[]}`, `{"A":false,"B":0,"C":[]}`},
		{"numbers keep their digits", []warroom.Field{{Name: "A", From: "a"}}, `{"a":12345678901234567890.10}`, `{"A":12345678901234567890.10}`},
		{"nothing at all", []warroom.Field{{Name: "A", From: "a"}}, `{}`, `{}`},
		{"of a key that comes twice the first", []warroom.Field{{Name: "A", From: "a"}}, `{"a":1,"a":2}`, `{"A":1}`},
		{"a key spelled with escapes", []warroom.Field{{Name: "A", From: "ab"}}, `{"a\u0062":1}`, `{"A":1}`},
		{"a name that JSON must quote", []warroom.Field{{Name: "A\"\n", From: "a"}}, `{"a":1}`, `{"A\"\n":1}`},
		{"a computed value", []warroom.Field{{Name: "A", Make: shout}}, `{"name":"x"}`, `{"A":"X"}`},
		{"no computed value", []warroom.Field{{Name: "A", Make: shout}, {Name: "B", From: "b"}}, `{"b":1}`, `{"B":1}`},
		{"a computed answer without a body", []warroom.Field{{Name: "A", Make: func(rawjson.Value) warroom.Value { return warroom.Raw("") }}}, `{}`, `{"A":null}`},
		{"a field that is gone", []warroom.Field{{Name: "A", Gone: true}, {Name: "B", From: "b"}}, `{"A":1,"b":2}`, `{"B":2}`},
		{"a nested object", []warroom.Field{{Name: "User", From: "user", Of: user}}, `{"user":{"accountName":"eve","domainName":null,"sid":"S"}}`, `{"User":{"Name":"eve"}}`},
		{
			"a nested list",
			[]warroom.Field{{Name: "Users", From: "users", Of: user}},
			`{"users":[{"accountName":"eve"},{"domainName":"d"}]}`, `{"Users":[{"Name":"eve"},{"Domain":"d"}]}`,
		},
		{"a nested list with other things in it", []warroom.Field{{Name: "Users", From: "users", Of: user}}, `{"users":["x",{"accountName":"eve"},null,[]]}`, `{"Users":[{"Name":"eve"}]}`},
		{"an empty nested list is left out", []warroom.Field{{Name: "Users", From: "users", Of: user}}, `{"users":[]}`, `{}`},
		{"a text where an object was", []warroom.Field{{Name: "User", From: "user", Of: user}}, `{"user":"eve"}`, `{"User":"eve"}`},
		{"an object without a view", []warroom.Field{{Name: "User", From: "user"}}, `{"user":{"b":1,"a":null}}`, `{"User":{"b":1,"a":null}}`},
		{"line breaks in a list, which would end the line", []warroom.Field{{Name: "A", From: "a"}, {Name: "B", From: "b"}}, "{\"a\":[1,\n2],\n\"b\":3}", `{"A":[1, 2],"B":3}`},
		{"line breaks in an object", []warroom.Field{{Name: "A", From: "a"}}, "{\"a\":{\r\n\"x\":1}}", `{"A":{  "x":1}}`},
		{"a list where an object was", []warroom.Field{{Name: "A", From: "a"}}, `[{"a":1}]`, `{}`},
		{"no object", []warroom.Field{{Name: "A", From: "a"}}, `"a"`, `{}`},
		{"no answer", []warroom.Field{{Name: "A", From: "a"}}, ``, `{}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := encoded(t, one(warroom.NewView(row.fields...), row.object)); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestViewsNestDeeply(t *testing.T) {
	inner := warroom.NewView(warroom.Field{Name: "C", From: "c"})
	middle := warroom.NewView(warroom.Field{Name: "B", From: "b", Of: inner})
	outer := warroom.NewView(warroom.Field{Name: "A", From: "a", Of: middle}, warroom.Field{Name: "Z", From: "z"})
	records := warroom.Records{View: outer, Rows: []rawjson.Value{`{"z":1,"a":[{"b":{"c":1,"d":2}},{"b":[{"c":2},{"c":3}]}]}`, `{"z":2}`}}
	want := `[{"A":[{"B":{"C":1}},{"B":[{"C":2},{"C":3}]}],"Z":1},{"Z":2}]`
	if got := encoded(t, records); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestViewWithAndOnly(t *testing.T) {
	base := warroom.NewView(warroom.Field{Name: "A", From: "a"}, warroom.Field{Name: "B", From: "b"})
	object := `{"a":1,"b":2,"c":3,"d":4}`
	rows := []struct {
		name string
		view *warroom.View
		want string
	}{
		{"with further fields", base.With(warroom.Field{Name: "C", From: "c"}), `{"A":1,"B":2,"C":3}`},
		{"with others, which leaves the first ones alone", base.With(warroom.Field{Name: "D", From: "d"}), `{"A":1,"B":2,"D":4}`},
		{"only some, in the order named", base.Only("B", "A"), `{"B":2,"A":1}`},
		{"only one", base.Only("B"), `{"B":2}`},
		{"unchanged", base, `{"A":1,"B":2}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := encoded(t, one(row.view, object)); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	view := warroom.NewView(warroom.Field{Name: "ID", From: "id"})
	objects := []rawjson.Value{`{"id":"1","x":null}`, `{"id":"2"}`}
	rows := []struct {
		name    string
		records warroom.Records
		want    string
	}{
		{"a list", warroom.Records{View: view, Rows: objects}, `[{"ID":"1"},{"ID":"2"}]`},
		{"one object alone", warroom.Records{View: view, Rows: objects, Single: true}, `{"ID":"1"}`},
		{"without a view as received", warroom.Records{Rows: objects}, `[{"id":"1","x":null},{"id":"2"}]`},
		{"one object as received", warroom.Records{Rows: objects, Single: true}, `{"id":"1","x":null}`},
		{"no objects", warroom.Records{View: view}, `[]`},
		{"no object where a single one is shown", warroom.Records{View: view, Single: true}, `{}`},
		{"an answer without a body", warroom.Records{Rows: []rawjson.Value{""}}, `[null]`},
		{"no value of one object gets into the next", warroom.Records{View: view, Rows: []rawjson.Value{`{"id":"1","n":1}`, `{"id":"2"}`}}, `[{"ID":"1"},{"ID":"2"}]`},
		{"no object of nulls alone", warroom.Records{View: view, Rows: []rawjson.Value{`{"id":null}`, `{"id":"1"}`, `{}`, `null`, `{"id":"2"}`}}, `[{"ID":"1"},{"ID":"2"}]`},
		{"nothing but nulls", warroom.Records{View: view, Rows: []rawjson.Value{`{"id":null}`}}, `[]`},
		{"a single object of nulls", warroom.Records{View: view, Rows: []rawjson.Value{`{"id":null}`}, Single: true}, `{}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := encoded(t, row.records); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestAFilledViewLeavesOutWhatIsEmpty(t *testing.T) {
	fields := []warroom.Field{{Name: "A", From: "a|b"}, {Name: "L", From: "l"}, {Name: "N", From: "n"}, {Name: "F", From: "f"}, {Name: "S", From: "s"}}
	for object, want := range map[string]string{
		`{"a":"","b":"x","l":[ ],"n":0,"f":false,"s":null}`: `{"A":"x","N":0,"F":false}`,
		`{"a":"","l":[""],"s":" x "}`:                       `{"L":[""],"S":" x "}`,
		`{"a":"","l":[],"s":{}}`:                            `{"S":{}}`,
	} {
		if got := encoded(t, one(warroom.NewView(fields...).Filled(), object)); got != want {
			t.Errorf("%s: got %s, want %s", object, got, want)
		}
	}
}
