package cli

import (
	"errors"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/warroom"
)

// put is a value that is put at a path.
type put struct{ path, value string }

// entryWith is an entry that puts values at paths.
func entryWith(all ...put) warroom.Entry {
	var entry warroom.Entry
	for _, one := range all {
		entry.Context = append(entry.Context, warroom.Context{Path: one.path, Value: warroom.Raw(one.value)})
	}
	return entry
}

// contextOf is the context after all that was put.
func contextOf(t *testing.T, all ...put) string {
	t.Helper()
	var got incidentContext
	for _, one := range all {
		if err := got.add([]warroom.Entry{entryWith(one)}); err != nil {
			t.Fatalf("putting %s at %s: %v", one.value, one.path, err)
		}
	}
	return string(got.root.value())
}

func TestContextIsMergedAsThePlatformMergesIt(t *testing.T) {
	t.Parallel()
	const (
		byID    = "A.B(val.ID === obj.ID)"
		heldID  = "A.B(val.ID && val.ID == obj.ID)"
		byHash  = "File(val.MD5 && val.MD5 == obj.MD5 || val.SHA1 && val.SHA1 == obj.SHA1)"
		byBoth  = "Score(val.Indicator && val.Indicator == obj.Indicator && val.Type == obj.Type)"
		another = "A.B(val.Name && val.Name == obj.Name)"
	)
	for _, test := range []struct {
		name string
		put  []put
		want string
	}{
		{"nothing", nil, `{}`},
		{"a single object", []put{{byID, `{"ID":"1"}`}}, `{"A":{"B":{"ID":"1"}}}`},
		{"the same object again", []put{{byID, `{"ID":"1","X":1,"Y":[1]}`}, {byID, `{"Z":3,"ID":"1","Y":[2]}`}}, `{"A":{"B":{"ID":"1","X":1,"Y":[2],"Z":3}}}`},
		{"another object", []put{{byID, `{"ID":"1"}`}, {byID, `{"ID":"2"}`}}, `{"A":{"B":[{"ID":"1"},{"ID":"2"}]}}`},
		{"a list of one", []put{{byID, `[{"ID":"1"}]`}}, `{"A":{"B":[{"ID":"1"}]}}`},
		{
			"a list in which one is known",
			[]put{{byID, `[{"ID":"1"},{"ID":"2","X":1}]`}, {byID, `[{"ID":"2","X":2},{"ID":"3"}]`}},
			`{"A":{"B":[{"ID":"1"},{"ID":"2","X":2},{"ID":"3"}]}}`,
		},
		{"one list with the same object twice", []put{{byID, `[{"ID":"1","X":1},{"ID":"1","Y":2}]`}}, `{"A":{"B":[{"ID":"1","X":1,"Y":2}]}}`},
		{"no key part", []put{{"A.B", `[1,2]`}, {"A.B", `{"X":1}`}}, `{"A":{"B":{"X":1}}}`},
		{"a value that is strictly another", []put{{byID, `{"ID":"1"}`}, {byID, `{"ID":1}`}}, `{"A":{"B":[{"ID":"1"},{"ID":1}]}}`},
		{"a value that reads the same", []put{{heldID, `{"ID":"1"}`}, {heldID, `{"ID":1}`}}, `{"A":{"B":{"ID":1}}}`},
		{"keys that both lack, strictly", []put{{byID, `{"X":1}`}, {byID, `{"Y":2}`}}, `{"A":{"B":{"X":1,"Y":2}}}`},
		{"keys that both have to hold", []put{{heldID, `{"X":1}`}, {heldID, `{"Y":2}`}}, `{"A":{"B":[{"X":1},{"Y":2}]}}`},
		{"empty keys that both have to hold", []put{{heldID, `{"ID":""}`}, {heldID, `{"ID":""}`}}, `{"A":{"B":[{"ID":""},{"ID":""}]}}`},
		{"null keys that both have to hold", []put{{heldID, `{"ID":null}`}, {heldID, `{"ID":null}`}}, `{"A":{"B":[{"ID":null},{"ID":null}]}}`},
		{"keys that are false and have to hold", []put{{heldID, `{"ID":false}`}, {heldID, `{"ID":false}`}}, `{"A":{"B":[{"ID":false},{"ID":false}]}}`},
		{"keys that are zero and have to hold", []put{{heldID, `{"ID":0}`}, {heldID, `{"ID":0}`}}, `{"A":{"B":[{"ID":0},{"ID":0}]}}`},
		{"a text that lacks the key, too", []put{{byID, `{"X":1}`}, {byID, `"text"`}}, `{"A":{"B":"text"}}`},
		{"keys of two names", []put{{"A.B(val.ID == obj.Of)", `{"ID":"1","Of":"2"}`}, {"A.B(val.ID == obj.Of)", `{"Of":"1","X":1}`}}, `{"A":{"B":{"ID":"1","Of":"1","X":1}}}`},
		{"the second alternative", []put{{byHash, `{"SHA1":"a"}`}, {byHash, `{"MD5":"m","SHA1":"a"}`}}, `{"File":{"SHA1":"a","MD5":"m"}}`},
		{
			"values learned by merging",
			[]put{{byHash, `{"SHA1":"a"}`}, {byHash, `{"MD5":"m","SHA1":"a"}`}, {byHash, `{"MD5":"m","Size":1}`}},
			`{"File":{"SHA1":"a","MD5":"m","Size":1}}`,
		},
		{
			"all terms of an alternative",
			[]put{{byBoth, `{"Indicator":"i","Type":"ip"}`}, {byBoth, `{"Indicator":"i","Type":"url"}`}, {byBoth, `{"Indicator":"i","Type":"ip","Score":3}`}},
			`{"Score":[{"Indicator":"i","Type":"ip","Score":3},{"Indicator":"i","Type":"url"}]}`,
		},
		{"two key parts of one path", []put{{byID, `{"ID":"1","Name":"n"}`}, {another, `{"Name":"n","X":1}`}}, `{"A":{"B":{"ID":"1","Name":"n","X":1}}}`},
		{"a key part after none", []put{{"A.B", `{"ID":"1"}`}, {byID, `{"ID":"1","X":1}`}}, `{"A":{"B":{"ID":"1","X":1}}}`},
		{"a path below another", []put{{"A", `{"X":1}`}, {"A.B", `2`}}, `{"A":{"X":1,"B":2}}`},
		{"paths in the order of their coming", []put{{"B", `1`}, {"A", `2`}, {"B", `3`}}, `{"B":3,"A":2}`},
		{"keys that need quoting", []put{{"A.B(val.x.y == obj.x.y)", `{"x.y":"a\"b"}`}, {"A.B(val.x.y == obj.x.y)", `{"x.y":"a\"b","z":1}`}}, `{"A":{"B":{"x.y":"a\"b","z":1}}}`},
	} {
		if got := contextOf(t, test.put...); got != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, got, test.want)
		}
		var together incidentContext
		if err := together.add([]warroom.Entry{{}, entryWith(test.put...), {}}); err != nil || string(together.root.value()) != test.want {
			t.Errorf("%s, by one entry: got %v and\n%s\nwant\n%s", test.name, err, together.root.value(), test.want)
		}
	}
}

func TestKeyPartThatIsNotUnderstoodIsAnError(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "val", "val.ID > obj.ID", "val.ID == val.ID", "val.ID == obj.", "obj.ID == val.ID", "val.ID == 'x'"} {
		if _, err := parseCondition(key); err == nil {
			t.Errorf("%q is understood", key)
		} else if _, ok := errors.AsType[*ConditionError](err); !ok {
			t.Errorf("%q: got %v, want a ConditionError", key, err)
		}
	}
}

func TestEveryDeclaredKeyPartIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, command := range commands.NewRegistry().All() {
		for _, output := range command.Outputs {
			if output.Key == "" {
				continue
			}
			if _, err := parseCondition(output.Key); err != nil {
				t.Errorf("%s, %s: %v", command.Name, output.Path, err)
			}
		}
	}
}
