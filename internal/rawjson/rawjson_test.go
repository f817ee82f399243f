package rawjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"xsoar-defender/internal/rawjson"
)

func parse(t *testing.T, text string) rawjson.Value {
	t.Helper()
	object, err := rawjson.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): got %v, want it to be accepted", text, err)
	}
	return object
}

func TestParseTakesEveryJSONValueAsReceived(t *testing.T) {
	for _, text := range []string{
		`{}`, `[]`, `null`, `true`, `"text"`, `12345678901234567890.10`, "{\r\n\t\"a\" : 1 }\n",
		`{"a":1,"a":2}`, `{"":0}`, `"\ud800"`, `1e999`,
	} {
		if got := parse(t, text); string(got) != text {
			t.Errorf("Parse(%q): got %q, want the same text", text, got)
		}
	}
}

func TestParseRefusesWhatIsNotJSON(t *testing.T) {
	for _, text := range []string{
		``, ` `, `<html></html>`, `{"value":[1,2`, `{"value":[1,2}`, `{"a":1}{"b":2}`, `{'a':1}`, `{"a":01}`, `nul`, `"open`,
		"{\"a\":\"line\nbreak\"}", `{"a":NaN}`, `{"a":"\x"}`, `[1,]`, `"\`, "\x00", strings.Repeat("[", 500),
	} {
		object, err := rawjson.Parse(text)
		if !errors.Is(err, rawjson.ErrNotJSON) || object != "" {
			t.Errorf("Parse(%q): got %v and %q, want ErrNotJSON and nothing", text, err, object)
		}
	}
}

func TestParseReplacesBytesThatAreNotUTF8(t *testing.T) {
	got := parse(t, "{\"name\":\"a\xff\xfeb\"}")
	if want := "a\uFFFDb"; got.Text("name") != want {
		t.Errorf("got %q, want the text %q", got.Text("name"), want)
	}
	if !utf8.ValidString(string(got)) {
		t.Errorf("got %q, want valid UTF-8", got)
	}
}

func nested(open, middle, closed string, levels int) string {
	return strings.Repeat(open, levels) + middle + strings.Repeat(closed, levels)
}

func TestParseBoundsTheDepth(t *testing.T) {
	rows := []struct {
		name, text string
		want       error
	}{
		{"as deep as allowed", nested(`[`, ``, `]`, rawjson.MaxDepth), nil},
		{"objects as deep as allowed", nested(`{"a":`, `1`, `}`, rawjson.MaxDepth), nil},
		{"a list of items as deep as allowed", `{"value":[` + nested(`[`, ``, `]`, rawjson.MaxDepth-2) + `]}`, nil},
		{"a list of items that are too deep", `{"value":[` + nested(`[`, ``, `]`, rawjson.MaxDepth-1) + `]}`, rawjson.ErrTooDeep},
		{"next to a list as deep as allowed", `{"a":` + nested(`{"a":`, `1`, `}`, rawjson.MaxDepth-1) + `}`, nil},
		{"too deep next to a list", `{"a":` + nested(`[`, ``, `]`, rawjson.MaxDepth) + `}`, rawjson.ErrTooDeep},
		{"lists", nested(`[`, ``, `]`, rawjson.MaxDepth+1), rawjson.ErrTooDeep},
		{"objects", nested(`{"a":`, `1`, `}`, rawjson.MaxDepth+1), rawjson.ErrTooDeep},
		{"lists in objects", nested(`{"a":[`, `1`, `]}`, rawjson.MaxDepth/2+1), rawjson.ErrTooDeep},
		{"10 MB of brackets", strings.Repeat(`[`, 10<<20), rawjson.ErrTooDeep},
		{"many next to one another", `[` + strings.Repeat(`{},`, 5*rawjson.MaxDepth) + `{}]`, nil},
		{"brackets in a text", `["` + strings.Repeat(`[{`, rawjson.MaxDepth) + `"]`, nil},
		{"brackets in a text behind an escaped quote", `["\"` + strings.Repeat(`[`, 2*rawjson.MaxDepth) + `"]`, nil},
		{"brackets behind a text that ends in a backslash", `["\\",` + strings.Repeat(`[`, 2*rawjson.MaxDepth), rawjson.ErrTooDeep},
		{"brackets behind an empty text", `["",` + strings.Repeat(`[`, 2*rawjson.MaxDepth), rawjson.ErrTooDeep},
		{"an open text", `["` + strings.Repeat(`[`, 2*rawjson.MaxDepth), rawjson.ErrNotJSON},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := rawjson.Parse(row.text)
			if _, ofPage := rawjson.ParsePage(row.text); !errors.Is(err, row.want) || !errors.Is(ofPage, row.want) {
				t.Errorf("got %v, and %v for a page, want the error %v", err, ofPage, row.want)
			}
		})
	}
}

func TestKeyFindsAnyName(t *testing.T) {
	for _, name := range []string{
		"", "a", "@odata.nextLink", "@this", "a.b", "..", "..a", "*", "a*", "?", "#", "#.x", "|", "!x", "[0]", "{a}", `\`, `a\b`, `a\.b`,
		`"`, "\n", "\x00", "é", "日本", "\u2028", "0", "-1", "%", "=", ":", "<b>", `\u0041`, "value", "👩\u200d💻",
	} {
		object := rawjson.Make(map[string]any{name: "found", "other": map[string]any{name: "deeper"}})
		if got := object.Text(name); got != "found" {
			t.Errorf("key %q of %s: got %q, want found", name, object, got)
		}
		if !object.Has(name) {
			t.Errorf("key %q of %s: wanted Has to say so", name, object)
		}
	}
}

func TestKeyIsNoPath(t *testing.T) {
	object := parse(t, `{"a":{"b":1},"list":[{"c":2}]}`)
	for _, name := range []string{"a.b", "list.0", "list.#", "list.0.c", "*", "@this", "a|b", "{a}", ""} {
		if got := object.Key(name); got.Exists() {
			t.Errorf("key %q: got %s, want none", name, got.Raw)
		}
	}
}

func TestTextTakesTheFirstKeyThatHoldsAValue(t *testing.T) {
	object := parse(t, `{"none":null,"empty":"","text":"a\u0062\"c","number":12345678901234567890.50,"huge":1e999,"yes":true,"list":[1, 2],"twice":1,"twice":2}`)
	rows := []struct {
		keys []string
		want string
	}{
		{[]string{"text"}, `ab"c`},
		{[]string{"none", "text"}, `ab"c`},
		{[]string{"missing", "none", "text"}, `ab"c`},
		{[]string{"empty", "text"}, ""},
		{[]string{"number"}, "12345678901234567890.50"},
		{[]string{"huge"}, "1e999"},
		{[]string{"yes"}, "true"},
		{[]string{"list"}, "[1, 2]"},
		{[]string{"twice"}, "1"},
		{[]string{"missing"}, ""},
		{nil, ""},
	}
	for _, row := range rows {
		if got := object.Text(row.keys...); got != row.want {
			t.Errorf("Text(%q): got %q, want %q", row.keys, got, row.want)
		}
	}
}

func TestHasTellsNullFromAValue(t *testing.T) {
	object := parse(t, `{"null":null,"false":false,"zero":0,"empty":""}`)
	for key, want := range map[string]bool{"null": false, "missing": false, "false": true, "zero": true, "empty": true} {
		if got := object.Has(key); got != want {
			t.Errorf("Has(%q): got %t, want %t", key, got, want)
		}
	}
}

func TestStringIsTheReadableForm(t *testing.T) {
	for text, want := range map[string]string{
		`"a\tb"`: "a\tb", `1.50`: "1.50", `-0`: "-0", `true`: "true", `null`: "", `{"a":1}`: `{"a":1}`, `[1]`: "[1]", ``: "",
	} {
		if got := rawjson.Value(text).String(); got != want {
			t.Errorf("String of %q: got %q, want %q", text, got, want)
		}
	}
}

func TestItemsAreTheElementsOfAList(t *testing.T) {
	rows := []struct {
		name, text, path string
		want             []rawjson.Value
	}{
		{"a list under a key", `{"value":[{"a":1}, 2 ,"x",null,[3]]}`, "value", []rawjson.Value{`{"a":1}`, `2`, `"x"`, `null`, `[3]`}},
		{"the value itself", `[1,{"a":[2]}]`, "", []rawjson.Value{`1`, `{"a":[2]}`}},
		{"an empty list", `{"value":[]}`, "value", []rawjson.Value{}},
		{"an object where a list was", `{"value":{"0":1}}`, "value", nil},
		{"a text where a list was", `{"value":"[1]"}`, "value", nil},
		{"null where a list was", `{"value":null}`, "value", nil},
		{"nothing", `{}`, "value", nil},
		{"no answer", ``, "", nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := rawjson.Value(row.text).Items(row.path)
			if !slices.Equal(got, row.want) || (got == nil) != (row.want == nil) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestEachKeepsTheOrderReceived(t *testing.T) {
	var got []string
	parse(t, `{"b":1,"a":{"x":null},"":"t","b":2}`).Each(func(key string, value rawjson.Value) {
		got = append(got, key+"="+string(value))
	})
	if want := []string{"b=1", `a={"x":null}`, `="t"`, "b=2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// members returns the keys and values of an object.
func members(shape *rawjson.Shape, object rawjson.Value) string {
	var all []string
	shape.Members(object, func(m rawjson.Member) { all = append(all, string(m.Key+" "+m.Value)) })
	return strings.Join(all, ", ")
}

// TestMembersAreAsReceived reads each object alone, and behind every other one as if they were in a list.
func TestMembersAreAsReceived(t *testing.T) {
	long, manyKeys := `"`+strings.Repeat("x", 100)+`"`, make([]string, 100)
	for i := range manyKeys {
		manyKeys[i] = fmt.Sprintf(`"%d":[%d]`, i, i)
	}
	rows := []struct{ text, want string }{
		{`{"b":1,"a":null}`, `"b" 1, "a" null`},
		{`{"b":  1,"a":  "null"}`, `"b" 1, "a" "null"`},
		{`{"b":"x","a":"y","c":2}`, `"b" "x", "a" "y", "c" 2`},
		{`{"b":{},"c":[]}`, `"b" {}, "c" []`},
		{`{"b": 1, "a": null}`, `"b" 1, "a" null`},
		{" {\n \"b\" :\t[1, {\"]\": \"}\"}]\r,\"a\":-1e5 } ", `"b" [1, {"]": "}"}], "a" -1e5`},
		{`{"a\"\\":"\\","\u0061":"\"}"}`, `"a\"\\" "\\", "\u0061" "\"}"`},
		{`{"a":{"b":{"c":[]}},"d":{},"e":""}`, `"a" {"b":{"c":[]}}, "d" {}, "e" ""`},
		{`{"a":["[","]"],"b":["\"]"],"c":[[],"\\"],"d":{"}":"{"}}`, `"a" ["[","]"], "b" ["\"]"], "c" [[],"\\"], "d" {"}":"{"}`},
		{`{"a":` + long + `,` + long + `:[` + long + `]}`, `"a" ` + long + `, ` + long + ` [` + long + `]`},
		{`{"a":["x","]"],"b":["x","y"],"c":{"}":{}}}`, `"a" ["x","]"], "b" ["x","y"], "c" {"}":{}}`},
		{`{"a":[[1],2],"b":[[]],"c":{"d":{},"e":1},"f":1}`, `"a" [[1],2], "b" [[]], "c" {"d":{},"e":1}, "f" 1`},
		{`{"a":true,"a":false}`, `"a" true, "a" false`},
		{"{" + strings.Join(manyKeys, ",") + "}", strings.ReplaceAll(strings.Join(manyKeys, ", "), ":", " ")},
		{`{ }`, ""},
		{`{}`, ""},
		{`["a"]`, ""},
		{`"a"`, ""},
		{``, ""},
	}
	for _, row := range rows {
		for _, before := range rows {
			shape := &rawjson.Shape{}
			members(shape, rawjson.Value(before.text))
			for _, shape := range []*rawjson.Shape{nil, {}, shape, shape} {
				if got := members(shape, rawjson.Value(row.text)); got != row.want {
					t.Errorf("%s behind %s: got %s, want %s", row.text, before.text, got, row.want)
				}
			}
		}
	}
}

// TestShapeTellsWhichKeysAreTheSame reads objects of a list.
func TestShapeTellsWhichKeysAreTheSame(t *testing.T) {
	var shape rawjson.Shape
	for _, row := range []struct{ text, want string }{
		{`{"a":1,"b":2}`, "0 1"},
		{`{"a":3,"b":4}`, "0= 1="},
		{`{"a":3,"c":4,"b":5}`, "0= 1 2"},
		{`{"a":3,"c":4,"b":5}`, "0= 1= 2="},
		{`{"a": 3,"c":4}`, "0= 1="}, // the space counts to the value
		{`{"a":3 ,"c":4,"b":5}`, "0= 1 2"},
		{`{"A":3,"c":4,"b":5}`, "0 1 2="},
	} {
		got := []string{}
		shape.Members(rawjson.Value(row.text), func(m rawjson.Member) {
			got = append(got, strconv.Itoa(m.Number)+map[bool]string{true: "="}[m.Same])
		})
		if strings.Join(got, " ") != row.want {
			t.Errorf("%s: got %s, want %s", row.text, strings.Join(got, " "), row.want)
		}
	}
}

func TestParsePageTakesTheListApart(t *testing.T) {
	for _, row := range []struct {
		text  string
		items []rawjson.Value
		next  string
	}{
		{`{"@odata.context":"c","value":[{"a":[1]}, 2 ,"x]",null,[3]],"@odata.nextLink":"https://x?a=1\u0026b=2"}`, []rawjson.Value{`{"a":[1]}`, `2`, `"x]"`, `null`, `[3]`}, "https://x?a=1&b=2"},
		{" { \"value\" : [ ] } ", []rawjson.Value{}, ""},
		{`{"other":{"value":[1],"@odata.nextLink":"x"},"value":[[2]]}`, []rawjson.Value{`[2]`}, ""},
		{`{"value":[1],"value":[2],"@odata.nextLink":"a","@odata.nextLink":"b"}`, []rawjson.Value{`1`}, "a"},
		{`{"value":7,"value":[2],"@odata.nextLink":null}`, nil, ""},
		{`{"Value":[1]}`, nil, ""},
		{`{"value":{"0":1}}`, nil, ""},
		{`[{"value":[1]}]`, nil, ""},
		{`7`, nil, ""},
		{"\uFEFF{\"value\":[\"a\xff\"]}", []rawjson.Value{"\"a\uFFFD\""}, ""},
	} {
		got, err := rawjson.ParsePage(row.text)
		if whole := parse(t, row.text); err != nil || got.Whole != whole || !slices.Equal(got.Items, row.items) || (got.Items == nil) != (row.items == nil) || got.Next != row.next {
			t.Errorf("%s: got %q and %v, want the items %q and the link %q", row.text, got, err, row.items, row.next)
		}
	}
}

// TestParseTakesWhatEveryReaderTakes changes texts in one place after the other, in every way: alone, and as the last of
// a long list, whose check remembers how those before were written.
func TestParseTakesWhatEveryReaderTakes(t *testing.T) {
	for _, text := range []string{
		`{"a":[1,2.5e+3,-0,true,false,null,"x\u00e9\n\"/"],"b":{}}`, `{"a":"a text","b": {"c":1,"d":"twelve bytes"} ,"e":[{"c":1}]}`, ` [ [ ] , { } ] `, `-10.01E-20`, `{"value":[{"a":0},[]],"@odata.nextLink":"\ud800"}`,
	} {
		before := `{"value":[` + strings.Repeat(text+",", (32<<10)/len(text))
		for i := range len(text) {
			changed := []string{text[:i], text[:i] + text[i+1:]}
			for _, other := range "{}[],:\"\\/uxe019-+.trnalsE \n\x00\x1f\x7f" {
				changed = append(changed, text[:i]+string(other)+text[i:], text[:i]+string(other)+text[i+1:])
			}
			for _, changed := range changed {
				_, err := rawjson.Parse(changed)
				_, ofPage := rawjson.ParsePage(changed)
				_, asLast := rawjson.ParsePage(before + changed + "]}")
				if want := json.Valid([]byte(changed)); (err == nil) != want || (ofPage == nil) != want || !want && !errors.Is(err, rawjson.ErrNotJSON) {
					t.Errorf("%q: got %v, and %v for a page, want it to be taken: %t", changed, err, ofPage, want)
				}
				if want := json.Valid([]byte("[0," + changed + "]")); (asLast == nil) != want {
					t.Errorf("%q as the last of a list: got %v, want it to be taken: %t", changed, asLast, want)
				}
			}
		}
	}
}

func TestBareLeavesTheAnnotationsOut(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"an answer", `{"@odata.context":"c","id":"1","a\"":{"@odata.type":"t"},"@odata.etag":2}`, `{"id":"1","a\"":{"@odata.type":"t"}}`},
		{"nothing else", `{"@odata.context":"c"}`, `{}`},
		{"without any", `{ "id": "1" }`, `{ "id": "1" }`},
		{"a key with the same beginning", `{"@odata":1,"x@odatay":2,"@odata.z":3}`, `{"@odata":1,"x@odatay":2}`},
		{"annotations of properties", `{"severity@odata.type":"#T","severity":"High"}`, `{"severity":"High"}`},
		{"repeated keys", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{"a text that looks like one", `{"a":"\"@odata.x\""}`, `{"a":"\"@odata.x\""}`},
		{"a list", `[{"@odata.type":"t"}]`, `[{"@odata.type":"t"}]`},
		{"a text", `"@odata.x"`, `"@odata.x"`},
		{"nothing", ``, ``},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := rawjson.Value(row.text).Bare(); string(got) != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestJoinMakesOneList(t *testing.T) {
	for want, items := range map[rawjson.Value][]rawjson.Value{
		`[]`:                nil,
		`[{"a":1}]`:         {`{"a":1}`},
		`[1,"x",{"a":[2]}]`: {`1`, `"x"`, `{"a":[2]}`},
	} {
		got := rawjson.Join(items)
		if got != want {
			t.Errorf("Join(%q): got %s, want %s", items, got, want)
		}
		if back := got.Items(""); !slices.Equal(back, items) && len(items) > 0 {
			t.Errorf("Items of %s: got %q, want %q", got, back, items)
		}
	}
}

func TestMakeEncodesPlainValues(t *testing.T) {
	type pair struct {
		Name string `json:"name"`
		Rest []any  `json:"rest"`
	}
	got := rawjson.Make(pair{"<a&b>\n\u2028\xff", []any{1, nil, true, map[string]int{"b": 2, "a": 1}}})
	want := rawjson.Value(`{"name":"<a&b>\n\u2028\ufffd","rest":[1,null,true,{"a":1,"b":2}]}`)
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMakePanicsOnWhatJSONCannotHold(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("wanted a panic, for it is a mistake in the calling code")
		}
	}()
	rawjson.Make(math.NaN())
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var short bytes.Buffer
	if err := json.Compact(&short, []byte(text)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return short.String()
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"value":[{"id":"1","n":1.0}],"@odata.nextLink":"https://x"}`, `[[[[]]]]`, `"\ud83d\ude00"`, "\"\xff\"", `{"a":1,"a":2}`,
		`-0.0e-1`, `{"a":`, strings.Repeat("[", 1500), `["\\"]`, `["\\\""]`, ` null `, `[{"@odata.type":1}]`, `{"@odata.type":1}`, `{"a`, `{"a":"\`,
	} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		new(rawjson.Shape).Members(rawjson.Value(text), func(rawjson.Member) {}) // ends, whatever it is given
		object, err := rawjson.Parse(text)
		if err != nil {
			if object != "" {
				t.Errorf("got %q, want only the error %v", object, err)
			}
			if json.Valid([]byte(text)) && !errors.Is(err, rawjson.ErrTooDeep) {
				t.Errorf("got %v, want the valid %q to be accepted", err, text)
			}
			return
		}
		if page, err := rawjson.ParsePage(text); err != nil || page.Whole != object {
			t.Errorf("got %q as a page and %v, want %q", page.Whole, err, object)
		}
		if !json.Valid([]byte(object)) || !utf8.ValidString(string(object)) {
			t.Fatalf("got %q, want valid JSON in UTF-8", object)
		}
		object.Text(key)
		if bare := object.Bare(); !json.Valid([]byte(bare)) {
			t.Errorf("got %q, want JSON without annotations", bare)
		}
		if items := object.Items(""); items != nil && !json.Valid([]byte(rawjson.Join(items))) {
			t.Errorf("got %q, want the joined items to be JSON", rawjson.Join(items))
		}
		var shape rawjson.Shape
		for range 2 { // the second time, all keys are the same
			var members []string
			shape.Members(object, func(m rawjson.Member) { members = append(members, string(m.Key+":"+m.Value)) })
			if again := "{" + strings.Join(members, ",") + "}"; object.Get("@this").IsObject() && compact(t, again) != compact(t, string(object)) {
				t.Errorf("got the members %q, want those of %q", again, object)
			}
		}
	})
}
