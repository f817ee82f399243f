package odata

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// shelf is a resource with a property of every kind.
type shelf struct {
	Name    string   `json:"name"`
	Label   Text     `json:"label"`
	Boxes   int64    `json:"boxes"`
	Weight  float64  `json:"weight"`
	Spare   *int64   `json:"spare"`
	Open    bool     `json:"open"`
	Filled  Time     `json:"filled"`
	Tags    []string `json:"tags"`
	Place   *place   `json:"place"`
	Visits  []place  `json:"visits"`
	private string
}

type place struct {
	Row string `json:"row"`
}

var shelves = []*shelf{
	{Name: "A'1", Label: "x", Boxes: 9007199254740993, Weight: 1.5, Spare: new(int64(2)), Open: true, Filled: At(time.Date(2026, 6, 1, 12, 0, 0, 123456700, time.UTC)), Tags: []string{"cold", "new"}, Place: &place{"north"}, Visits: []place{{"r1"}, {"r2"}}},
	{Name: "B2", Boxes: 9007199254740992, Weight: -2, Filled: At(time.Date(2026, 6, 1, 12, 0, 0, 123456800, time.UTC)), Tags: []string{}, Visits: []place{}},
	{Name: "b3", Label: "y", Boxes: 3, Weight: 7, Spare: new(int64(0)), private: "x"},
}

func TestFilters(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"name eq 'A''1'", "A'1"},
		{"name ne 'A''1'", "B2 b3"},
		{"NAME eq 'B2'", "B2"},
		{"name gt 'B' and name lt 'C'", "B2"},
		{"name eq 'B2' or name eq 'b3'", "B2 b3"},
		{"name eq 'x' or name eq 'B2' and boxes gt 3", "B2"},
		{"(name eq 'B2' or name eq 'b3') and boxes le 3", "b3"},
		{"not (name eq 'B2')", "A'1 b3"},
		{"not open", "B2 b3"},
		{"not not open", "A'1"},
		{strings.Repeat("not open and ", 100) + "not open", "B2 b3"}, // next to one another, not within
		{strings.Repeat("(open) and ", 100) + "open", "A'1"},
		{"open", "A'1"},
		{"open eq true", "A'1"},
		{"open ne false", "A'1"},
		{"boxes eq 9007199254740993", "A'1"},
		{"boxes ge 9007199254740992", "A'1 B2"},
		{"weight lt 0", "B2"},
		{"weight eq 7", "b3"},
		{"weight eq 7 and weight ge 7 and weight le 7", "b3"},
		{"weight eq 7 and (weight gt 7 or weight lt 7 or weight ne 7)", ""},
		{"weight ge -2.0", "A'1 B2 b3"},
		{"weight gt 1e0", "A'1 b3"},
		{"filled gt 2026-06-01T12:00:00.1234567Z", "B2"},
		{"filled ge 2026-06-01T12:00:00.1234567Z", "A'1 B2"},
		{"filled eq 2026-06-01T14:00:00.1234567+02:00", "A'1"},
		{"filled+ge+2026-06-01", "A'1 B2"},
		{"filled+ge+2026-06-01T14:00:00.1234567+02:00+and+not+(name+eq+'B2')", "A'1"},
		{"filled+lt+2026-06-01T12:00:00Z+or+name+in+('b3',+'B2')", "B2 b3"},
		{"name eq 'a+b'", ""},
		{"weight gt 1.0e+0", "A'1 b3"},
		{"filled ge 2026-06-01", "A'1 B2"},
		{"filled lt 2026-06-01", ""},
		{"filled eq null", "b3"},
		{"label eq null", "B2"},
		{"label ne null", "A'1 b3"},
		{"null eq label", "B2"},
		{"spare gt -1", "A'1 b3"},
		{"spare eq null", "B2"},
		{"name in ('B2', 'b3')", "B2 b3"},
		{"boxes in (3)", "b3"},
		{"label in ('x', null)", "A'1 B2"},
		{"contains(name, '1')", "A'1"},
		{"startswith(name,'B')", "B2"},
		{"startswith(tolower(name),'b')", "B2 b3"},
		{"endswith(toupper(name),'3')", "b3"},
		{"contains(label,'x') eq true", "A'1"},
		{"not contains(label,'x')", "B2 b3"},
		{"tags/any(t: t eq 'cold')", "A'1"},
		{"tags/any(t: startswith(t,'n') and name eq 'A''1')", "A'1"},
		{"visits/any(v: v/row eq 'r2')", "A'1"},
		{"visits/any(v: tags/any(t: t eq 'new' and v/row eq 'r1'))", "A'1"},
		{"place/row eq 'north'", "A'1"},
		{"place/row eq null", "B2 b3"},
	} {
		fits, err := parseFilter(c.filter, reflect.TypeFor[shelf](), nil)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		var names []string
		for _, s := range shelves {
			if fits(reflect.ValueOf(s).Elem()) {
				names = append(names, s.Name)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s keeps %q, want %q", c.filter, got, c.want)
		}
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	for _, filter := range []string{
		"name", "'x'", "name eq", "eq 'x'", "name eq 'x", "name == 'x'", "name eq 'x' and", "(name eq 'x'", "name eq 'x')",
		"name eq x", "nothing eq 'x'", "private eq 'x'", "name eq 3", "boxes eq '3'", "filled gt '2026-06-01T00:00:00Z'",
		"filled gt 2026-13-01", "boxes eq 3x", "open gt true", "name in ()", "name in 'x'", "name in ('x', 3)", "frob(name)",
		"contains(name)", "contains(boxes,'3')", "tags eq 'cold'", "tags/all(t: t eq 'x')", "tags/any(t eq 'x')",
		"tags/any(t: t)", "name/row eq 'x'", "place eq 'north'", "not name", "name eq 'x' or boxes", "name and open", "null gt name",
		strings.Repeat("(", 200) + "open" + strings.Repeat(")", 200), strings.Repeat("not ", 200) + "open",
	} {
		if _, err := parseFilter(filter, reflect.TypeFor[shelf](), nil); err == nil {
			t.Errorf("%q is accepted", filter)
		}
	}
	if _, err := parseFilter("weight gt 1", reflect.TypeFor[shelf](), []string{"name"}); err == nil {
		t.Error("a property that is not filterable is accepted")
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"name eq 'A''1' and not (boxes gt 3 or open)", "tags/any(t: contains(t,'x'))", "filled ge 2026-06-01T12:00:00.1Z",
		"name in ('a','b')", "place/row ne null", "((((", "'", "any(", "-", "0x", "not", "weight lt -1.5e3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fits, err := parseFilter(text, reflect.TypeFor[shelf](), nil)
		if err != nil {
			return
		}
		for _, s := range shelves {
			once := fits(reflect.ValueOf(s).Elem())
			if again := fits(reflect.ValueOf(s).Elem()); again != once {
				t.Errorf("%q keeps %s or not, as it likes", text, s.Name)
			}
		}
		negated, err := parseFilter("not ("+text+")", reflect.TypeFor[shelf](), nil)
		if err != nil {
			return // nested one level too deep
		}
		for _, s := range shelves {
			if negated(reflect.ValueOf(s).Elem()) == fits(reflect.ValueOf(s).Elem()) {
				t.Errorf("%q and its negation agree about %s", text, s.Name)
			}
		}
	})
}

func TestHowTimesAreWritten(t *testing.T) {
	for _, c := range []struct {
		time Time
		want string
	}{
		{At(time.Date(2026, 6, 1, 12, 0, 0, 123456789, time.UTC)), `"2026-06-01T12:00:00.1234567Z"`},
		{At(time.Date(2026, 6, 1, 12, 0, 0, 500000000, time.FixedZone("", 7200))), `"2026-06-01T10:00:00.5Z"`},
		{At(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)), `"2026-06-01T12:00:00Z"`},
		{Time{}, "null"},
	} {
		got, err := c.time.MarshalJSON()
		if err != nil || string(got) != c.want {
			t.Errorf("%v is written %s (%v), want %s", c.time.Time, got, err, c.want)
		}
	}
}
