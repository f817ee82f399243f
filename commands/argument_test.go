package commands_test

import (
	"slices"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
)

// TestAnArgumentIsCheckedAsTheCommandReadsIt has a value of every form that an argument has.
func TestAnArgumentIsCheckedAsTheCommandReadsIt(t *testing.T) {
	t.Parallel()
	registry := commands.NewRegistry()
	for _, test := range []struct{ command, argument, value, want string }{
		{"microsoft-atp-get-machines", "os_platform", "Anything", ""},
		{"microsoft-atp-get-machines", "risk_score", "low, High", ""},
		{"microsoft-atp-get-machines", "risk_score", `["Low"]`, ""},
		{"microsoft-atp-get-machines", "risk_score", "Low,Huge", "must be one of Low, Medium, High"},
		{"microsoft-atp-get-machines", "page_size", "20", ""},
		{"microsoft-atp-get-machines", "page_size", "", ""},
		{"microsoft-atp-get-machines", "page_size", "0", "must be"},
		{"microsoft-atp-get-machines", "page_size", "many", "must be"},
		{"microsoft-atp-get-machines", "ran_once_flag", "whatever", ""},
		{"microsoft-atp-isolate-machine", "wait_for_active", "yes", ""},
		{"microsoft-atp-isolate-machine", "wait_for_active", "perhaps", "must be"},
		{"microsoft-atp-indicator-update", "expiration_time", "7 days", ""},
		{"microsoft-atp-indicator-update", "expiration_time", "soon", "must be a time span"},
		{"microsoft-atp-indicator-update", "expiration_time", "0 days", "must be longer than 0"},
		{"microsoft-atp-advanced-hunting", "time_range", "0 days", "must be longer than 0"},
		{"microsoft-atp-advanced-hunting-tampering", "time_range", "0m", "must be longer than 0"},
		{"microsoft-atp-list-alerts", "creation_time", "2026-11-20T03:12:45Z", ""},
		{"microsoft-atp-list-alerts", "creation_time", "3 days", ""},
		{"microsoft-atp-list-alerts", "creation_time", "lately", "must be a date"},
		{"microsoft-atp-advanced-hunting", "query_batch", `[{"query": "DeviceInfo"}]`, ""},
		{"microsoft-atp-advanced-hunting", "query_batch", "DeviceInfo", "must be a JSON list"},
	} {
		command, known := registry.Find(test.command)
		at := slices.IndexFunc(command.Arguments(), func(one commands.Argument) bool { return one.Name == test.argument })
		if !known || at < 0 {
			t.Fatalf("%s has no argument %s", test.command, test.argument)
		}
		got := ""
		if err := command.Arguments()[at].Check(test.value); err != nil {
			got = err.Error()
		}
		if (got == "") != (test.want == "") || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s %s=%s: got %q, want %q", test.command, test.argument, test.value, got, test.want)
		}
	}
}

// TestAnEmptyListIsNoValue runs commands with lists in which nothing is, as automations do for what they did not find.
func TestAnEmptyListIsNoValue(t *testing.T) {
	t.Parallel()
	for _, nothing := range []any{[]any{}, []any{nil}, []any{"", " "}} {
		i := commandstest.New(t)
		result := i.Run("microsoft-atp-get-machines", map[string]any{"page_size": nothing, "hostname": nothing, "risk_score": nothing})
		if len(result.Requests) != 1 || result.Requests[0].Query.Get("$top") != "50" || result.Requests[0].Query.Has("$filter") {
			t.Errorf("%v: got the requests %q, want all machines, 50 a page", nothing, result.Asked())
		}
		i.Run("microsoft-atp-isolate-machine", map[string]any{"machine_id": nothing, "comment": nothing, "isolation_type": nothing}).
			WantFailure("machine_id is missing; comment is missing; isolation_type is missing")
	}
}

// TestADateMayHaveEveryUsualForm sends one filter for each way of writing a date, among them those of our own tables and of automations.
func TestADateMayHaveEveryUsualForm(t *testing.T) {
	t.Parallel()
	for _, given := range []any{
		"2026-11-19T10:15:00Z", "2026-11-19 10:15:00 UTC", "2026-11-19 10:15:00", "2026-11-19 10:15", "2026-11-19T12:15:00+02:00", "2026-11-19T12:15:00+0200",
		"2026-11-19 10:15:00.000000+00:00", "1795083300", "1795083300000", 1795083300, int64(1795083300000),
	} {
		i := commandstest.New(t)
		result := i.Run("microsoft-atp-list-alerts", map[string]any{"creation_time": given})
		const want = "alertCreationTime gt 2026-11-19T10:15:00Z"
		if len(result.Requests) != 1 || result.Requests[0].Query.Get("$filter") != want {
			t.Errorf("%v: got the requests %q, want one with the filter %s", given, result.Asked(), want)
		}
	}
	for _, given := range []any{"20261119", 2026, "179508330", "-1795083300", "1795083300.5", "2026-11-19 10:15:00 CET"} {
		commandstest.New(t).Run("microsoft-atp-list-alerts", map[string]any{"creation_time": given}).WantFailure("must be a date")
	}
}

// TestAnItemOfAListMayBeInQuotes sends one filter for each way of writing a list.
func TestAnItemOfAListMayBeInQuotes(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`"adobe","google"`:         "vendor eq 'adobe' or vendor eq 'google'",
		`"adobe" , google `:        "vendor eq 'adobe' or vendor eq 'google'",
		`"Adobe, Inc.", google`:    "vendor eq 'Adobe, Inc.' or vendor eq 'google'",
		`5" disk,google`:           `vendor eq '5" disk' or vendor eq 'google'`,
		`"a"b,c`:                   `vendor eq '"a"b' or vendor eq 'c'`,
		`"a,b`:                     `vendor eq '"a' or vendor eq 'b'`,
		`"", google`:               "vendor eq 'google'",
		`["Adobe, Inc.","google"]`: "vendor eq 'Adobe, Inc.' or vendor eq 'google'",
	} {
		i := commandstest.New(t)
		i.Answer("GET", "/api/Software", 200, `{"value":[]}`)
		result := i.Run("microsoft-atp-list-software", map[string]any{"vendor": given})
		if got := result.Requests[0].Query.Get("$filter"); got != want {
			t.Errorf("%s: got the filter %s, want %s", given, got, want)
		}
	}
}
