package simulator

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// shelf is a resource with a property of every kind.
type shelf struct {
	Name    string   `json:"name"`
	Label   optional `json:"label"`
	Boxes   int64    `json:"boxes"`
	Weight  float64  `json:"weight"`
	Spare   *int64   `json:"spare"`
	Open    bool     `json:"open"`
	Filled  moment   `json:"filled"`
	Tags    []string `json:"tags"`
	Place   *place   `json:"place"`
	Visits  []place  `json:"visits"`
	private string
}

type place struct {
	Row string `json:"row"`
}

var shelves = []*shelf{
	{Name: "A'1", Label: "x", Boxes: 9007199254740993, Weight: 1.5, Spare: new(int64(2)), Open: true, Filled: at(time.Date(2026, 6, 1, 12, 0, 0, 123456700, time.UTC)), Tags: []string{"cold", "new"}, Place: &place{"north"}, Visits: []place{{"r1"}, {"r2"}}},
	{Name: "B2", Boxes: 9007199254740992, Weight: -2, Filled: at(time.Date(2026, 6, 1, 12, 0, 0, 123456800, time.UTC)), Tags: []string{}, Visits: []place{}},
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
		{"open", "A'1"},
		{"open eq true", "A'1"},
		{"open ne false", "A'1"},
		{"boxes eq 9007199254740993", "A'1"},
		{"boxes ge 9007199254740992", "A'1 B2"},
		{"weight lt 0", "B2"},
		{"weight eq 7", "b3"},
		{"weight ge -2.0", "A'1 B2 b3"},
		{"weight gt 1e0", "A'1 b3"},
		{"filled gt 2026-06-01T12:00:00.1234567Z", "B2"},
		{"filled ge 2026-06-01T12:00:00.1234567Z", "A'1 B2"},
		{"filled eq 2026-06-01T14:00:00.1234567+02:00", "A'1"},
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

func TestListsAreOrdered(t *testing.T) {
	w := newWorld(t)
	names := w.list("/api/machines", "$orderby", "riskScore desc, computerDnsName").all("value.#.computerDnsName")
	risks := w.list("/api/machines", "$orderby", "riskScore desc, computerDnsName").all("value.#.riskScore")
	for i := 1; i < len(names); i++ {
		if risks[i] > risks[i-1] || risks[i] == risks[i-1] && names[i] < names[i-1] {
			t.Errorf("%s %s comes after %s %s", risks[i], names[i], risks[i-1], names[i-1])
		}
	}
	builds := w.list("/api/machines", "$orderby", "osBuild asc").all("value.#.osBuild")
	w.same("the first build, of a machine without one", builds[0], "")
}

func TestListsAreCutByTopAndSkip(t *testing.T) {
	w := newWorld(t)
	ids := w.tenant.MachineIDs()
	for _, c := range []struct {
		options []string
		want    []string
	}{
		{[]string{"$top", "3"}, ids[:3]},
		{[]string{"$top", "3", "$skip", "2"}, ids[2:5]},
		{[]string{"$skip", "38"}, ids[38:]},
		{[]string{"$skip", "100"}, nil},
		{[]string{"$top", "0"}, nil},
		{[]string{"$top", "10000"}, ids},
	} {
		answer := w.list("/api/machines", c.options...)
		if got := answer.all("value.#.id"); strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%v gives %d machines, want %d", c.options, len(got), len(c.want))
		}
		if answer.get(`@odata\.nextLink`).Exists() {
			t.Errorf("%v gives a nextLink", c.options)
		}
	}
}

func TestALongListIsGivenInPages(t *testing.T) {
	w := newWorld(t)
	w.tenant.PageSize(15)
	for _, c := range []struct {
		options []string
		pages   []int
	}{
		{nil, []int{15, 15, 10}},
		{[]string{"$top", "20"}, []int{15, 5}},
		{[]string{"$top", "15"}, []int{15}},
		{[]string{"$filter", "osPlatform eq 'Windows11'"}, []int{15, 4}},
		{[]string{"$skip", "30"}, []int{10}},
	} {
		answer := w.list("/api/machines", c.options...)
		var ids []string
		for i, size := range c.pages {
			got := answer.all("value.#.id")
			if len(got) != size {
				t.Errorf("page %d of %v has %d machines, want %d", i+1, c.options, len(got), size)
			}
			ids = append(ids, got...)
			next := answer.get(`@odata\.nextLink`).String()
			if i == len(c.pages)-1 {
				w.same("the nextLink of the last page", next, "")
				break
			}
			path, found := strings.CutPrefix(next, testBase)
			if !found {
				t.Fatalf("the nextLink is %q, want one of %s", next, testBase)
			}
			answer = w.get(path)
		}
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] {
				t.Errorf("%v gives machine %s twice", c.options, id)
			}
			seen[id] = true
		}
	}
}

func TestCountSelectAndExpand(t *testing.T) {
	w := newWorld(t)
	counted := w.list("/api/alerts", "$count", "true", "$top", "1", "$filter", "severity eq 'High'")
	if n := counted.get(`@odata\.count`).Int(); n < 10 || n >= 120 || len(counted.all("value")) != 1 {
		t.Errorf("$count says %d for %d alerts, want the number before $top", n, len(counted.all("value")))
	}
	w.same("the count without $count", w.list("/api/alerts", "$top", "1").get(`@odata\.count`).Exists(), false)
	w.same("the selected properties", w.list("/api/machines", "$select", "id,riskScore", "$top", "1").get("value.0.@keys").String(), `["id","riskScore"]`)
	w.same("evidence without $expand", w.list("/api/alerts", "$top", "1").get("value.0.evidence.#"), 0)
	if n := w.list("/api/alerts", "$top", "1", "$expand", "evidence").get("value.0.evidence.#").Int(); n == 0 {
		t.Error("$expand=evidence shows no evidence")
	}
}

func TestQueryOptionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/api/machines?$top=10001", "/api/vulnerabilities?$top=8001", "/api/machines?$top=-1", "/api/machines?$top=x",
		"/api/machines?$skip=-1", "/api/machines?$orderby=nothing", "/api/machines?$orderby=id+down", "/api/machines?$orderby=machineTags",
		"/api/machines?$select=nothing", "/api/machines?$expand=evidence", "/api/alerts?$expand=comments", "/api/alerts?$count=maybe",
		"/api/alerts?$search=x", "/api/alerts?$filter=computerDnsName+eq+'x'", "/api/machines?$filter=osPlatform+eq",
	} {
		w.refused("GET", path, nil, 400, "BadRequest")
	}
}

func TestHowTimesAreWritten(t *testing.T) {
	for _, c := range []struct {
		time moment
		want string
	}{
		{at(time.Date(2026, 6, 1, 12, 0, 0, 123456789, time.UTC)), `"2026-06-01T12:00:00.1234567Z"`},
		{at(time.Date(2026, 6, 1, 12, 0, 0, 500000000, time.FixedZone("", 7200))), `"2026-06-01T10:00:00.5Z"`},
		{at(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)), `"2026-06-01T12:00:00Z"`},
		{moment{}, "null"},
	} {
		got, err := c.time.MarshalJSON()
		if err != nil || string(got) != c.want {
			t.Errorf("%v is written %s (%v), want %s", c.time.Time, got, err, c.want)
		}
	}
}
