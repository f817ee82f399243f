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

// TestTheRestOfATimeOutOfReachIsRefused asks who had an address 31 days ago, of which the service has 30. The run that was put off must not
// answer for another time.
func TestTheRestOfATimeOutOfReachIsRefused(t *testing.T) {
	t.Parallel()
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusTooManyRequests, RetryAfter: time.Hour})
	first := i.Run("microsoft-atp-get-machine-by-ip", map[string]any{"ip": "10.2.0.17", "timestamp": "31 days"}).Entry()
	i.Tenant.ClearFaults()
	i.Again(first).WantFailure("The timestamp must not be older than 30 days")
}

// TestTheRestOfALongExportIsWithinReach begins an export of two weeks of changes, which may take a week itself.
func TestTheRestOfALongExportIsWithinReach(t *testing.T) {
	t.Parallel()
	const path = "/api/machines/SoftwareVulnerabilityChangesByMachine"
	i := commandstest.New(t)
	next := `{"@odata.nextLink":"` + i.Tenant.URL() + path + `?$skiptoken=a","value":[{"deviceId":"m1"}]}`
	i.Tenant.Script(
		simulator.Fault{Kind: simulator.KindAPI, Path: path, Status: http.StatusOK, Body: next, Times: 1},
		simulator.Fault{Kind: simulator.KindAPI, Path: path, Status: http.StatusTooManyRequests, RetryAfter: time.Hour, Times: 1},
		simulator.Fault{Kind: simulator.KindAPI, Path: path, Status: http.StatusOK, Body: list(`{"deviceId":"m2"}`)},
	)
	first := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerability_changes", "since": "14 days", "timeout_in_seconds": 7 * 24 * 60 * 60}).Entry()
	first.WantReadable("1 record exported so far")
	i.Again(first).All()[0].WantReadable("| 2 | 2 | 2 | true |")
}

// TestTheRestOfTasksMeetsTheConditions has the service accept too few requests for the tasks that were asked for by their IDs, of which
// none was judged yet, and for the machines of those that a list selected, which are overdue no more when the next run reads them.
func TestTheRestOfTasksMeetsTheConditions(t *testing.T) {
	t.Parallel()
	const (
		command   = "microsoft-atp-list-remediation-tasks"
		overdue   = `{"id":"t1","status":"Active","createdOn":"2026-01-02T00:00:00Z","dueOn":"2026-02-01T00:00:00Z"}`
		completed = `{"id":"t2","status":"Completed","createdOn":"2026-01-02T00:00:00Z","dueOn":"2026-02-01T00:00:00Z"}`
	)
	for name, test := range map[string]struct {
		args       map[string]any
		refused    string
		times      int
		want, lack string
	}{
		"by their IDs":  {map[string]any{"task_id": "t1,t2", "overdue_only": true}, "/api/remediationTasks/*", 2, "t1", "t2"},
		"of a list":     {map[string]any{"overdue_only": true, "include_machines": true}, "/api/remediationTasks/t3/machineReferences", 1, "t3", ""},
		"of their time": {map[string]any{"created_after": "1 hour", "include_machines": true}, "/api/remediationTasks/t3/machineReferences", 1, "t3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: test.refused, Status: http.StatusTooManyRequests, RetryAfter: 2 * time.Hour, Times: test.times})
			i.Answer("GET", "/api/remediationTasks", 200, list(`{"id":"t3","status":"Active","dueOn":"2026-02-01T00:00:00Z"}`))
			i.Answer("GET", "/api/remediationTasks/t1", 200, overdue)
			i.Answer("GET", "/api/remediationTasks/t2", 200, completed)
			i.Answer("GET", "/api/remediationTasks/t3", 200, `{"id":"t3","status":"Completed","createdOn":"2026-01-02T00:00:00Z"}`)
			i.Answer("GET", "/api/remediationTasks/t3/machineReferences", 200, list())
			entry := i.Again(i.Run(command, test.args).Entry()).Entry()
			entry.WantReadable(test.want)
			if test.lack != "" && strings.Contains(entry.Readable(), test.lack) {
				t.Errorf("got %s, want it without %s", entry.Readable(), test.lack)
			}
		})
	}
}
