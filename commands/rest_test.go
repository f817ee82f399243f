package commands_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// TestTheRestOfAListNamesItsMachine has the service take one of two machines, ask to come back for the other, and then
// refuse it: of the two that the analyst gave, the error names the one.
func TestTheRestOfAListNamesItsMachine(t *testing.T) {
	t.Parallel()
	for command, path := range map[string]string{
		"microsoft-atp-isolate-machine":     "/isolate",
		"microsoft-atp-get-machine-details": "",
	} {
		i := commandstest.New(t)
		machines := i.Tenant.MachineIDs()
		refused := simulator.Fault{Kind: simulator.KindAPI, Path: "/api/machines/" + machines[1] + path}
		busy := refused
		busy.Status, busy.RetryAfter = http.StatusTooManyRequests, 100*time.Second
		i.Tenant.Script(busy)
		args := on(machines[0]+","+machines[1], "isolation_type", "Full")
		if path == "" {
			args = map[string]any{"machine_id": args["machine_id"]}
		}
		scheduled := func(entries []commandstest.Entry) commandstest.Entry {
			at := slices.IndexFunc(entries, func(entry commandstest.Entry) bool { return entry.Poll != nil })
			return entries[max(0, at)]
		}
		last := scheduled(i.Run(command, args).All())
		for strings.Contains(fmt.Sprint(last.Poll.Args["machine_id"]), ",") { // the refusal came before the other request was sent
			last = scheduled(i.Again(last).All())
		}
		i.Tenant.ClearFaults()
		refused.Status = http.StatusForbidden
		i.Tenant.Script(refused)
		i.Again(last).WantFailure(machines[1]+": ", "HTTP 403")
	}
}

// TestTheRestOfAListKeepsItsItems has the service delete none of two files for a while, of which one has a comma in its name:
// the next run deletes these two, and not the three that the commas separate.
func TestTheRestOfAListKeepsItsItems(t *testing.T) {
	t.Parallel()
	for given, want := range map[string][]string{
		`"a,b.ps1",say "hi".ps1`:   {"/api/libraryfiles/a,b.ps1", `/api/libraryfiles/say "hi".ps1`},
		`["a,b.ps1", "[c].ps1"]`:   {"/api/libraryfiles/[c].ps1", "/api/libraryfiles/a,b.ps1"},
		`a.ps1, "a , b , c.ps1" ,`: {"/api/libraryfiles/a , b , c.ps1", "/api/libraryfiles/a.ps1"},
	} {
		i := commandstest.New(t)
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/libraryfiles/*", Status: http.StatusTooManyRequests, RetryAfter: 100 * time.Second})
		first := i.Run("microsoft-atp-live-response-library-delete", map[string]any{"file_name": given}).Entry()
		i.Tenant.ClearFaults()
		if got := pathsOf(i.Again(first)); !slices.Equal(got, want) {
			t.Errorf("%s: the second run deleted %q, want %q", given, got, want)
		}
	}
}

// pathsOf are the paths that a run asked for, sorted.
func pathsOf(result commandstest.Result) []string {
	paths := make([]string, len(result.Requests))
	for i, one := range result.Requests {
		paths[i] = one.Path
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// TestTheRestOfABatchCountsWhatItChanges has the service take 500 of 1,000 machines: what is told are machines, not requests.
func TestTheRestOfABatchCountsWhatItChanges(t *testing.T) {
	t.Parallel()
	i := commandstest.New(t)
	const path = "/api/machines/AddOrRemoveTagForMultipleMachines"
	i.Tenant.Script(
		simulator.Fault{Kind: simulator.KindAPI, Path: path, Status: http.StatusOK, Body: `{"value":[]}`, Times: 1},
		simulator.Fault{Kind: simulator.KindAPI, Path: path, Status: http.StatusTooManyRequests, RetryAfter: 100 * time.Second},
	)
	ids := make([]string, 1000)
	for n := range ids {
		ids[n] = fmt.Sprintf("m%d", n)
	}
	entry := i.Run("microsoft-atp-bulk-machine-tag", map[string]any{"machine_id": strings.Join(ids, ","), "tag": "t", "action": "Add", "expect": len(ids)}).Entry()
	entry.WantReadable("500 of 1000 are done")
	if left := strings.Split(fmt.Sprint(entry.Poll.Args["left_to_tag"]), ","); len(left) != 500 {
		t.Errorf("%d machines are left, want 500", len(left))
	}
}

// TestTheRestOfASpanKeepsItsTime has the service accept nothing for an hour: who had an address two hours ago is then asked of
// the same time, and changes of two weeks lack no hour at their beginning, except for what the service no longer has.
func TestTheRestOfASpanKeepsItsTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		command string
		args    map[string]any
		want    func(began time.Time) time.Time
	}{
		{"microsoft-atp-get-machine-by-ip", map[string]any{"ip": "10.2.0.17", "timestamp": "2 hours"}, func(began time.Time) time.Time { return began.Add(-2 * time.Hour) }},
		{"microsoft-atp-list-vulnerability-changes", map[string]any{"since": "1 day"}, func(began time.Time) time.Time { return began.Add(-24 * time.Hour) }},
		{"microsoft-atp-list-vulnerability-changes", map[string]any{"since": "14 days"}, func(began time.Time) time.Time { return began.Add(time.Hour + time.Minute - 14*24*time.Hour) }},
	} {
		i := commandstest.New(t)
		began := i.Clock.Now()
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusTooManyRequests, RetryAfter: time.Hour})
		first := i.Run(test.command, test.args).Entry()
		i.Tenant.ClearFaults()
		rest := i.Again(first)
		want := test.want(began).UTC().Format("2006-01-02T15:04")
		if got, err := url.QueryUnescape(rest.Requests[0].URI); err != nil || rest.Err != nil || !strings.Contains(got, want) {
			t.Errorf("%s %v: got %s and the error %v, want it to ask from %s", test.command, test.args, got, rest.Err, want)
		}
	}
}
