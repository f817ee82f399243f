package warroom_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func TestValuesBecomeJSON(t *testing.T) {
	rows := []struct {
		name  string
		value warroom.Value
		want  string
	}{
		{"a text", warroom.Text("a\"b\\c\td"), `"a\"b\\c\td"`},
		{"a text of several lines", warroom.Text("a\nb\r\n"), `"a\nb\r\n"`},
		{"texts", warroom.Texts{"a", "b"}, `["a","b"]`},
		{"no texts", warroom.Texts(nil), `[]`},
		{"values", warroom.Values{warroom.Text("a"), warroom.Raw("1"), warroom.Values{}}, `["a",1,[]]`},
		{"a group in its order", warroom.Group{{Key: "b", Value: warroom.Raw("1")}, {Key: "a\"", Value: warroom.Text("x")}}, `{"b":1,"a\"":"x"}`},
		{"an empty group", warroom.Group{}, `{}`},
		{"an answer as received", warroom.Raw(`{"b": 1.0, "a":[ ]}`), `{"b": 1.0, "a":[ ]}`},
		{"an answer without a body", warroom.Raw(""), `null`},
		{"an answer of several lines", warroom.Raw("{\n\t\"a\":\r\n1\r}\n"), "{ \t\"a\":  1 } "},
		{"escapes in an answer stay", warroom.Raw(`"a\nb"`), `"a\nb"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := encoded(t, row.value); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestEncoderReplacesInvalidUTF8(t *testing.T) {
	got := encoded(t, warroom.Text("a\xffb\xc3"))
	var back string
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatalf("got %q: %v, want JSON", got, err)
	}
	if want := "a\uFFFDb\uFFFD"; back != want || !utf8.ValidString(got) {
		t.Errorf("got %q, want %q in valid UTF-8", got, want)
	}
}

func TestEncoderWritesHugeValuesWhole(t *testing.T) {
	const size = 2 << 20
	text := strings.Repeat("a\n", size/2)
	if got := encoded(t, warroom.Text(text)); len(got) != size+size/2+2 {
		t.Errorf("a text: got %d, want %d bytes", len(got), size+size/2+2)
	}
	for name, gap := range map[string]string{"line feeds": "\n", "carriage returns": "\r", "both": "\r\n", "both the other way around": "\n\r"} {
		raw := "[" + strings.Repeat(gap, size/len(gap)) + "]"
		if got, want := encoded(t, warroom.Raw(raw)), "["+strings.Repeat(" ", size)+"]"; got != want {
			t.Errorf("%s: got %d bytes that begin %q, want %d spaces", name, len(got), got[:10], size)
		}
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left -= len(p); d.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestEncoderKeepsTheFirstWriteError(t *testing.T) {
	encoder := warroom.NewEncoder(&fullDisk{left: 100_000})
	for range 100 {
		encoder.Text(strings.Repeat("x", 10_000))
	}
	encoder.Line()
	if err := encoder.Flush(); !errors.Is(err, errFull) {
		t.Errorf("got %v, want the error of the output", err)
	}
}

func TestEncoderWritesPlainGoValues(t *testing.T) {
	var text strings.Builder
	encoder := warroom.NewEncoder(&text)
	encoder.JSON(map[string]any{"b": "<&>", "a": []int{1}})
	encoder.Line()
	if err := encoder.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "{\"a\":[1],\"b\":\"<&>\"}\n"; text.String() != want {
		t.Errorf("got %q, want %q", text.String(), want)
	}
}

func TestWhatIsPassedOnBecomesUTF8(t *testing.T) {
	var text strings.Builder
	encoder := warroom.NewEncoder(&text)
	encoder.JSON(map[string]any{"given": json.RawMessage("\"a\xff\xc3\"")})
	if err := encoder.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := text.String(), `{"given":"a`+"\uFFFD"+`"}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzEncoder(f *testing.F) {
	for _, seed := range []struct{ text, key, raw string }{
		{"plain", "key", `{"a":1}`},
		{"a\nb\r\u2028\u202e\x00\x7f", "\"\\", "{\n\"a\"\r\n:\r1}"},
		{"\xff\xed\xa0\x80", "\xc3", "\"\xff\""},
		{"</script>&", "@odata.id", `[{"a":[{"b":null}]},"x",null]`},
		{"0", "&>\xe1", "\n1e999\n\n"},
	} {
		f.Add(seed.text, seed.key, seed.raw)
	}
	inner := warroom.NewView(warroom.Field{Name: "B", From: "b|a"})
	f.Fuzz(func(t *testing.T, text, key, raw string) {
		object, err := rawjson.Parse(raw)
		if err != nil {
			object = ""
		}
		view := warroom.NewView(warroom.Field{Name: key, From: key + "|a"}, warroom.Field{Name: "nested", From: "a|" + key, Of: inner})
		rows := append(object.Items(""), object)
		got := encoded(t, warroom.Group{
			{Key: key, Value: warroom.Text(text)},
			{Key: "texts", Value: warroom.Texts{key, text}},
			{Key: "raw", Value: warroom.Raw(object)},
			{Key: "seen", Value: warroom.Records{View: view, Rows: rows}},
			{Key: "received", Value: warroom.Values{warroom.Records{Rows: rows}, one(view, string(object))}},
		})
		if strings.ContainsAny(got, "\r\n") || !utf8.ValidString(got) {
			t.Fatalf("got %q, want one line of UTF-8", got)
		}
		var back struct {
			Texts []string
		}
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Fatalf("got %q: %v, want JSON", got, err)
		}
		if want := []string{asText(t, key), asText(t, text)}; !strings.EqualFold(key, "texts") && !reflect.DeepEqual(back.Texts, want) {
			t.Errorf("got %q, want the texts %q", back.Texts, want)
		}
	})
}

// asText returns a text as it is after a way through JSON, which has no place for invalid UTF-8.
func asText(t *testing.T, text string) string {
	t.Helper()
	raw, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var back string
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
}
