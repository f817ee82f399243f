package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"

	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// TestJSONNeverMovesATerminal writes every kind of dangerous character, in pieces that cut characters apart.
func TestJSONNeverMovesATerminal(t *testing.T) {
	t.Parallel()
	text := "plain é 漢 😀 \u009b31m \u202e gone \u2066 \u200b \ufeff \x7f \U000e0041"
	document := `{"name":"` + text + `"}`
	for size := 1; size <= len(document); size++ {
		var out bytes.Buffer
		writer := &visibleJSON{to: &out}
		for rest := []byte(document); len(rest) > 0; {
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			if written, err := writer.Write(part); err != nil || written != len(part) {
				t.Fatalf("in pieces of %d: got %d, %v, want %d", size, written, err, len(part))
			}
		}
		if got := gjson.Get(out.String(), "name").String(); got != text {
			t.Fatalf("in pieces of %d: got the text %q, want %q", size, got, text)
		}
		if strings.ContainsAny(out.String(), "\u009b\u202e\u2066\u200b\ufeff\x7f\U000e0041") {
			t.Fatalf("in pieces of %d: got %q, want the dangerous characters escaped", size, &out)
		}
		if !strings.Contains(out.String(), "plain é 漢 😀") {
			t.Fatalf("in pieces of %d: got %q, want the others as they are", size, &out)
		}
	}
}

// TestYAMLReadsAsTheJSON compares what a library reads out of both.
func TestYAMLReadsAsTheJSON(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`[]`, `{}`, `"x"`, `1.5`, `null`,
		`[{"ID":"1e3","Name":"a: b","On":"yes","Nothing":null,"Tags":["#x","- y",""],"Empty":[],"Of":{}}]`,
		`{"a":{"b":[{"c":[1,[2,{"d":true}]]},{"e":"two\nlines"}]},"key with: colon":"\u001b[31m","0":"0x10","~":"null"}`,
		`{"date":"2026-01-01","time":"10:30:00","tilde":"~","percent":"%x","at":"@x","bang":"!x","star":"*x","and":"&x","bar":"|","fold":">"}`,
	} {
		var want, got any
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		text := string(appendYAML(nil, gjson.Parse(document), 0))
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s became\n%s\n%v", document, text, err)
			continue
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var read any
		if err := json.Unmarshal(again, &read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, want) {
			t.Errorf("%s became\n%s\nwhich reads as %s", document, text, again)
		}
	}
}

func TestTypedLinesAreWhole(t *testing.T) {
	t.Parallel()
	long := "https://localhost/?code=" + strings.Repeat("x", 20_000) + "&state=s"
	for typed, want := range map[string]string{
		long + "\r":                long,
		"abc\x7f\x7fx\n":           "ax",
		"wrong\x15right\n":         "right",
		"é\x7fe\n":                 "e",
		"\x7f\x7fno line before\n": "no line before",
		"the input ends":           "the input ends",
	} {
		var echo bytes.Buffer
		lines := &typedLines{in: bufio.NewReader(strings.NewReader(typed)), echo: &echo}
		if got, err := lines.line(); got != want || err != nil {
			t.Errorf("of %.40q: got %.40q, %v, want %.40q", typed, got, err, want)
		}
	}
}

// TestWordsNextToATableAreNoData writes what an entry says in addition to its table where it is in nobody's way.
func TestWordsNextToATableAreNoData(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	r := &dataResults{program: &program{World: World{Errors: &said}}}
	r.add(warroom.Entry{Blocks: []warroom.Block{
		warroom.Paragraph("Two of three were found.\u202e"),
		warroom.Table{Columns: []string{"ID"}, Records: warroom.Records{Rows: []rawjson.Value{`{"ID":"1"}`, `{"ID":"2"}`}}},
	}})
	if len(r.rows) != 2 || said.String() != "Two of three were found.U+202E\n" {
		t.Errorf("got the rows %q and %q on the standard error, want two, and the words", r.rows, said.String())
	}
}

func TestProgressIsShownAsItIsChosen(t *testing.T) {
	t.Parallel()
	mode := progressAuto
	for _, typed := range []string{"always", "never", "auto"} {
		if err := mode.Set(typed); err != nil || mode.String() != typed {
			t.Errorf("got %s (%v), want %s", mode, err, typed)
		}
	}
	if err := mode.Set("often"); err == nil || mode != progressAuto {
		t.Errorf("got %v and %s, want a refusal that changes nothing", err, mode)
	}
}

// TestValuesOfAContextPath finds what a step of the demonstration takes from the result of the one before.
func TestValuesOfAContextPath(t *testing.T) {
	t.Parallel()
	result := execution.Result{Entries: []warroom.Entry{
		entryWith(put{"B", `{"ID":"b"}`}),
		entryWith(put{"A(val.ID === obj.ID)", `[{"ID":"1"},{"ID":"2"}]`}, put{"A.C", `{"ID":"c"}`}),
	}}
	for path, want := range map[string]string{"A": "1", "B": "b", "A.C": "c", "D": ""} {
		if got := contextText(result, path, "ID"); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}
