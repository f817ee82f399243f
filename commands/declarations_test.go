package commands

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
)

// TestACommandForOneMachineShowsOneAction compares the arguments of commands that start actions with the shape of their context:
// playbooks read an object of one action, and a list of several.
func TestACommandForOneMachineShowsOneAction(t *testing.T) {
	found := 0
	for _, command := range NewRegistry().All() {
		at := slices.IndexFunc(command.Arguments(), func(one Argument) bool { return one.Name == "machine_id" })
		starts := slices.ContainsFunc(command.Uses, func(one defender.Operation) bool { return one.Starts != "" })
		if at < 0 || !starts {
			continue
		}
		found++
		if list := command.Arguments()[at].List; command.Outputs[0].Single == list {
			t.Errorf("%s: got the list of machines %t and a single action %t, want one or the other", command.Name, list, command.Outputs[0].Single)
		}
	}
	if found < 10 {
		t.Errorf("got %d commands that start actions, want all of them", found)
	}
}

// TestPermissionsOfCommands compares commands with the claims of an access token.
func TestPermissionsOfCommands(t *testing.T) {
	command := Command{Uses: []defender.Operation{
		{Application: []string{"Machine.Isolate"}, Delegated: []string{"Machine.Isolate.User"}},
		{Application: []string{"Machine.Read.All", "Machine.ReadWrite.All"}, Delegated: []string{"Machine.Read"}},
		{Application: []string{"Machine.Read.All", "Machine.ReadWrite.All"}, Delegated: []string{"Machine.Read"}},
		{Application: []string{"SecurityIncident.Read.All"}, Graph: true},
		{},
	}}
	for _, test := range []struct {
		name   string
		claims auth.Claims
		want   []string
	}{
		{"none", auth.Claims{}, []string{"Machine.Isolate", "Machine.Read.All or Machine.ReadWrite.All"}},
		{"of an application", auth.Claims{Roles: []string{"Machine.ReadWrite.All"}}, []string{"Machine.Isolate"}},
		{"all", auth.Claims{Roles: []string{"Machine.Read.All", "Machine.Isolate"}}, nil},
		{"of a user", auth.Claims{Scopes: []string{"Machine.Read"}}, []string{"Machine.Isolate.User"}},
		{"of a user who has those of an application", auth.Claims{Scopes: []string{"Machine.Isolate"}}, []string{"Machine.Isolate.User", "Machine.Read"}},
		{"of both", auth.Claims{Roles: []string{"Machine.Isolate"}, Scopes: []string{"Machine.Read"}}, []string{"Machine.Read.All or Machine.ReadWrite.All"}},
	} {
		if got := command.missing(test.claims); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q missing, want %q", test.name, got, test.want)
		}
	}
	want := []PermissionSet{
		{Application: []string{"Machine.Isolate"}, Delegated: []string{"Machine.Isolate.User"}},
		{Application: []string{"Machine.Read.All", "Machine.ReadWrite.All"}, Delegated: []string{"Machine.Read"}},
		{Application: []string{"SecurityIncident.Read.All"}, Graph: true},
	}
	if got := command.PermissionSets(); !slices.EqualFunc(got, want, PermissionSet.Equal) {
		t.Errorf("got %+v, want each set once: %+v", got, want)
	}
}

// TestCommandsThatScheduleThemselves compares the arguments that a command sets itself with what the platform is told.
func TestCommandsThatScheduleThemselves(t *testing.T) {
	registry := NewRegistry()
	for name, want := range map[string]bool{
		FetchCommand: false, TestCommand: false, "get-modified-remote-data": false, "microsoft-atp-isolate-machine": true, ActionsCommand: true,
	} {
		command, found := registry.Find(name)
		if got := command.Schedules(); !found || got != want {
			t.Errorf("%s: got %t, want it to schedule itself: %t", name, got, want)
		}
	}
}

// TestLimitsOfArgumentsAreThoseDeclared checks the values at and beyond the limits of every number, and every value of a choice.
func TestLimitsOfArgumentsAreThoseDeclared(t *testing.T) {
	limits, choices := 0, 0
	for _, command := range NewRegistry().All() {
		for _, argument := range command.Arguments() {
			if argument.field == nil { // the command sets it itself
				continue
			}
			what := command.Name + " " + argument.Name
			accepts := func(value string, want bool) {
				t.Helper()
				if err := argument.Check(value); (err == nil) != want {
					t.Errorf("%s=%s: got %v, want it accepted: %t", what, value, err, want)
				}
			}
			number := func(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }
			if !math.IsInf(argument.min, 0) {
				limits++
				accepts(number(argument.min), true)
				accepts(number(argument.min-1), false)
			}
			if !math.IsInf(argument.max, 0) {
				limits++
				accepts(number(argument.max), true)
				accepts(number(argument.max+1), false)
			}
			for _, value := range argument.Values {
				choices++
				accepts(strings.ToUpper(value), true)
				accepts(value+"x", false)
			}
			if argument.Default != "" {
				accepts(argument.Default, true)
			}
		}
	}
	if limits < 50 || choices < 100 {
		t.Errorf("got %d limits and %d choices, want those of every command", limits, choices)
	}
}

// TestArgumentsAreReadByTheirType reads every form in which the platform, a playbook or an analyst gives a value.
func TestArgumentsAreReadByTheirType(t *testing.T) {
	type shared struct {
		Text string `arg:"text"`
	}
	type args struct {
		shared
		List    []string        `arg:"list" values:"One,Two"`
		Number  int             `arg:"number" default:"7" min:"1"`
		Part    *float64        `arg:"part"`
		Yes     bool            `arg:"yes"`
		Maybe   *bool           `arg:"maybe"`
		Span    *time.Duration  `arg:"span"`
		At      Moment          `arg:"at"`
		Objects []rawjson.Value `arg:"objects"`
	}
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	arguments := argumentsOf(reflect.TypeFor[args](), true)
	read := func(raw map[string]string) (in args, err error) {
		given := map[string]json.RawMessage{}
		for name, value := range raw {
			given[name] = json.RawMessage(value)
		}
		return in, bind(reflect.ValueOf(&in).Elem(), "test", arguments, given, now)
	}
	half, yes, span := 0.5, true, 36*time.Hour
	empty := args{Number: 7}
	for name, test := range map[string]struct {
		raw  map[string]string
		want args
	}{
		"nothing":            {nil, empty},
		"empty texts":        {map[string]string{"text": `""`, "list": `" "`, "number": `""`, "part": `null`, "yes": `""`, "span": `""`, "at": `""`, "objects": `[]`}, empty},
		"a text":             {map[string]string{"text": `" a "`}, args{shared: shared{"a"}, Number: 7}},
		"a number as text":   {map[string]string{"text": `5`}, args{shared: shared{"5"}, Number: 7}},
		"lists as text":      {map[string]string{"text": `["a","b"]`}, args{shared: shared{"a,b"}, Number: 7}},
		"a list":             {map[string]string{"list": `["one","TWO","one"]`}, args{List: []string{"One", "Two"}, Number: 7}},
		"a list in text":     {map[string]string{"list": `"one, two,,"`}, args{List: []string{"One", "Two"}, Number: 7}},
		"a list in JSON":     {map[string]string{"list": `"[\"two\"]"`}, args{List: []string{"Two"}, Number: 7}},
		"numbers":            {map[string]string{"number": `"12"`, "part": `0.5`}, args{Number: 12, Part: &half}},
		"a whole number":     {map[string]string{"number": `12.0`}, args{Number: 12}},
		"booleans":           {map[string]string{"yes": `"Yes"`, "maybe": `true`}, args{Number: 7, Yes: true, Maybe: &yes}},
		"other booleans":     {map[string]string{"yes": `"on"`, "maybe": `"Y"`}, args{Number: 7, Yes: true, Maybe: &yes}},
		"a span":             {map[string]string{"span": `"36 hours"`}, args{Number: 7, Span: &span}},
		"a moment":           {map[string]string{"at": `"2026-11-20"`}, args{Number: 7, At: Moment{now.Truncate(24 * time.Hour)}}},
		"a moment back":      {map[string]string{"at": `"36 hours ago"`}, args{Number: 7, At: Moment{now.Add(-span)}}},
		"a moment in a zone": {map[string]string{"at": `"2026-11-20T12:00:00+02:00"`}, args{Number: 7, At: Moment{now}}},
		"objects":            {map[string]string{"objects": `[{"a":1}]`}, args{Number: 7, Objects: []rawjson.Value{`{"a":1}`}}},
		"objects in text":    {map[string]string{"objects": `"{\"a\":1}"`}, args{Number: 7, Objects: []rawjson.Value{`{"a":1}`}}},
		"an unknown one":     {map[string]string{"other": `1`}, empty},
	} {
		if got, err := read(test.raw); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v and %v, want %+v", name, got, err, test.want)
		}
	}
	for value, want := range map[string]string{
		`{"number":"1.5"}`:                 `number must be a number; got "1.5"`,
		`{"number":"NaN"}`:                 `number must be a number; got "NaN"`,
		`{"number":"9007199254740993000"}`: `number must be a number; got "9007199254740993000"`,
		`{"number":0}`:                     `number must be 1 or more`,
		`{"yes":"perhaps"}`:                `yes must be true or false; got "perhaps"`,
		`{"list":"three"}`:                 `list must be one of One, Two; got "three"`,
		`{"span":"soon"}`:                  `span must be a time span such as "3 days" or "12 hours"`,
		`{"objects":"[1]"}`:                `objects must be a JSON list of objects`,
		`{"at":"+10000-01-01"}`:            `at must be a date such as 2026-11-20T10:15:00Z or a time span such as "3 days"; got "+10000-01-01"`,
		`{"number":0,"yes":"perhaps"}`:     `number must be 1 or more; yes must be true or false; got "perhaps"`,
	} {
		raw := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(value), &raw); err != nil {
			t.Fatal(err)
		}
		var in args
		err := bind(reflect.ValueOf(&in).Elem(), "test", arguments, raw, now)
		if text := "Invalid arguments for test: " + want + "."; err == nil || err.Error() != text {
			t.Errorf("%s: got %v, want %q", value, err, text)
		}
	}
}
