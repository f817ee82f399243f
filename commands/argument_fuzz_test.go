package commands

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
)

// everyArgument has an argument of every type, and with every tag.
type everyArgument struct {
	Text     string          `arg:"text"`
	Chosen   string          `arg:"chosen" values:"Full,Selective"`
	List     []string        `arg:"list"`
	Choices  []string        `arg:"choices" values:"New,InProgress"`
	Needed   []string        `arg:"needed" required:"true"`
	Whole    int             `arg:"whole" default:"7" min:"1" max:"100"`
	Real     float64         `arg:"real" min:"-1.5"`
	Yes      bool            `arg:"yes" default:"true"`
	MayYes   *bool           `arg:"may_yes"`
	MayWhole *int            `arg:"may_whole" min:"0"`
	MayReal  *float64        `arg:"may_real" max:"10"`
	Span     time.Duration   `arg:"span"`
	When     Moment          `arg:"when"`
	Objects  []rawjson.Value `arg:"objects"`
}

func today() time.Time { return time.Date(2026, time.November, 20, 10, 15, 0, 0, time.UTC) }

// FuzzArguments tries any value on an argument of every type: each is bound to a value that its declaration allows, or
// the error names it. The value of one argument does not depend on the others.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`"text"`, `" padded "`, `""`, `null`, `true`, `"yes"`, `0`, `100`, `1e2`, `-1.5`, `9223372036854775808`, `1e999`, `"NaN"`, `"0x10"`,
		`"a,,b, a"`, `",,"`, `["a",["b"],{"c":1},null,""]`, `"[\"a\",\"b\"]"`, `"[broken"`, `"full"`, `"new,INPROGRESS"`, `"3 days"`, `"2026-11-20"`,
		`"2026-11-20T10:15:00+14:00"`, `"7 days ago"`, `{"a":1}`, `[{"a":1},2]`, `"[{\"a\":1,\"a\":2}]"`, `"\ud800\u0000\u202e"`, "\"\xff\"", `"` + strings.Repeat("[", 2000) + `"`,
	} {
		f.Add([]byte(seed))
	}
	arguments := argumentsOf(reflect.TypeFor[everyArgument](), true)
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) { // the platform's line is valid JSON
			value = []byte(rawjson.Make(string(value)))
		}
		raw := map[string]json.RawMessage{"needed": json.RawMessage(`"x"`)}
		for _, argument := range arguments {
			raw[argument.Name] = value
		}
		var all everyArgument
		err := bind(reflect.ValueOf(&all).Elem(), "a-command", arguments, raw, today())
		problems := argumentProblems(t, err)
		for _, argument := range arguments {
			refused := slices.ContainsFunc(problems, func(problem string) bool { return strings.HasPrefix(problem, argument.Name+" ") })
			var one everyArgument
			alone := argumentProblems(t, bind(reflect.ValueOf(&one).Elem(), "a-command", []Argument{argument}, raw, today()))
			if refused != (len(alone) > 0) {
				t.Errorf("%s of %s: got %q alone and %q among others", argument.Name, value, alone, problems)
			}
			if !refused {
				wantAsDeclared(t, argument, reflect.ValueOf(all).FieldByIndex(argument.field))
			}
		}
	})
}

func argumentProblems(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[*ArgumentError](err)
	if !ok {
		t.Fatalf("got the error %v, want an ArgumentError", err)
	}
	return wrong.Problems
}

// wantAsDeclared compares the bound value with the declaration of the argument.
func wantAsDeclared(t *testing.T, argument Argument, bound reflect.Value) {
	t.Helper()
	fine := true
	text := func(text string) bool {
		return text == strings.TrimSpace(text) && (argument.Values == nil || text == "" || slices.Contains(argument.Values, text))
	}
	number := func(number float64) bool {
		return number >= argument.min && number <= argument.max && math.Abs(number) <= 1<<53 || !argument.Required && number == 0
	}
	switch value := bound.Interface().(type) {
	case string:
		fine = text(value)
	case []string:
		sorted := slices.Sorted(slices.Values(value))
		fine = len(slices.Compact(sorted)) == len(value) && !slices.Contains(value, "") && !slices.ContainsFunc(value, func(one string) bool { return !text(one) }) &&
			(!argument.Required || len(value) > 0)
	case int:
		fine = number(float64(value))
	case float64:
		fine = number(value)
	case *int:
		fine = value == nil || number(float64(*value))
	case *float64:
		fine = value == nil || number(*value)
	case time.Duration:
		fine = value >= 0
	case []rawjson.Value:
		fine = !slices.ContainsFunc(value, func(one rawjson.Value) bool { return !json.Valid([]byte(one)) || !gjson.Parse(string(one)).IsObject() })
	}
	if !fine {
		t.Errorf("%s became %v, which its declaration does not admit", argument.Name, bound)
	}
}

// FuzzMoment reads any text as a point in time: what is read is in UTC and the same after a way through the form in which
// it is sent, and a time span leads back from now.
func FuzzMoment(f *testing.F) {
	for _, seed := range []string{
		"2026-11-20T10:15:00Z", "2026-11-20T10:15:00.1234567+14:00", "2026-11-20 10:15", "2026-11-20", "0000-01-01", "9999-12-31T23:59:59.999999999-23:59", "0000-01-01T00:00:00+23:59",
		"3 days", "3 DAYS AGO", "292 years", "9223372036854775807 seconds", "now", "", " ago", "1 day ago ago", "2026-02-30", "2026-11-20T24:00:00Z", "2026-11-20T10:15:00,5Z",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var read Moment
		if err := setMoment(&read, text, today()); err != nil {
			if !read.IsZero() {
				t.Errorf("%q was refused, and became %s", text, read)
			}
			return
		}
		if read.Location() != time.UTC {
			t.Errorf("%q became %s, want UTC", text, read)
		}
		var again Moment
		if err := setMoment(&again, read.Format(time.RFC3339Nano), today()); err != nil || !again.Equal(read.Time) {
			t.Errorf("%q became %s, which is read as %s (%v)", text, read, again, err)
		}
		if strings.HasSuffix(strings.ToLower(text), "ago") && read.After(today()) {
			t.Errorf("%q became %s, want a time before now", text, read)
		}
	})
}
