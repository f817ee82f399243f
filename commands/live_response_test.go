package commands_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// TestActionsThatAreAlwaysWaitedForMayFail starts a session or the collection of a package, whose action does not succeed: each
// reason is an error of its own.
func TestActionsThatAreAlwaysWaitedForMayFail(t *testing.T) {
	const fetched = `[{"type":"GetFile","params":[{"key":"Path","value":"a"}]}]`
	commands := map[string]map[string]any{
		"microsoft-atp-live-response-run-script":                   on("m1", "scriptName", "a.ps1"),
		"microsoft-atp-live-response-get-file":                     on("m1", "path", "a"),
		"microsoft-atp-live-response-put-file":                     on("m1", "file_name", "a"),
		"microsoft-atp-live-response-run":                          on("m1", "commands", fetched, "polling", "true", "results", "links"),
		"microsoft-atp-request-and-download-investigation-package": on("m1"),
	}
	ended := func(status string) string {
		command := `{"index":0,"commandStatus":"Created","errors":[]}`
		if status == "Failed" {
			command = `{"index":0,"commandStatus":"Failed","errors":["access denied"]}`
		}
		return `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"` + status + `","commands":[` + command + `]}`
	}
	for _, test := range []struct {
		name   string
		wait   time.Duration
		status int
		body   string
		want   []string // in the error, or nothing if the command waits on
	}{
		{"runs", time.Minute, 200, ended("InProgress"), nil},
		{"still runs at the end", 10 * time.Minute, 200, ended("Pending"), []string{"The machine action a1 had not ended at ", "It continues: see !microsoft-atp-list-machine-actions-details id=a1."}},
		{"failed", time.Minute, 200, ended("Failed"), []string{"The machine action a1 (LiveResponse) on machine m1 ended as Failed: command 0: access denied."}},
		{"does not exist yet", time.Minute, 404, `{"error":{"code":"ResourceNotFound","message":"no such action"}}`, nil},
		{"does not exist", 3 * time.Minute, 404, `{"error":{"code":"ResourceNotFound","message":"no such action"}}`, []string{"no such action"}},
		{"may not be read", time.Minute, 403, `{"error":{"code":"Forbidden","message":"missing role"}}`, []string{"missing role"}},
		{"cannot be read for now", time.Minute, 503, `{}`, nil},
	} {
		for command, args := range commands {
			t.Run(test.name+" "+strings.TrimPrefix(command, "microsoft-atp-"), func(t *testing.T) {
				i := commandstest.New(t)
				for _, path := range []string{"runliveresponse", "collectInvestigationPackage"} {
					i.Answer("POST", "/api/machines/m1/"+path, http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
				}
				first := i.Run(command, args).All()
				i.Answer("GET", "/api/machineactions/a1", test.status, test.body)
				i.Clock.Advance(test.wait)
				next := i.Again(first[0])
				if test.want != nil {
					next.WantFailure(test.want...)
					return
				}
				if entry := next.Entry(); entry.Poll == nil || entry.Poll.Args["machine_action_id"] == nil {
					t.Errorf("got %q, want the command to wait on", entry.Readable())
				}
			})
		}
	}
}

// TestTheCommandOfASessionDecides has sessions whose status and whose only command disagree.
func TestTheCommandOfASessionDecides(t *testing.T) {
	commands := map[string]map[string]any{
		"microsoft-atp-live-response-run-script": on("m1", "scriptName", "a.ps1"),
		"microsoft-atp-live-response-get-file":   on("m1", "path", "a"),
		"microsoft-atp-live-response-put-file":   on("m1", "file_name", "a"),
	}
	for _, test := range []struct {
		status, command string
		wait            time.Duration
		want            string // in the error, or "" if the command waits on
	}{
		{"InProgress", "Failed", time.Minute, "A command of the machine action a1 (LiveResponse) on machine m1 failed: command 0: access denied."},
		{"Succeeded", "Failed", time.Minute, "A command of the machine action a1 (LiveResponse) on machine m1 failed: command 0: access denied."},
		{"Cancelled", "Failed", time.Minute, "ended as Cancelled: command 0: access denied."},
		{"Succeeded", "Created", time.Minute, ""},
		{"Succeeded", "Created", 10 * time.Hour, "had not ended at "},
		{"InProgress", "Completed", time.Minute, ""},
		{"Failed", "Created", time.Minute, "ended as Failed"},
	} {
		for command, args := range commands {
			t.Run(test.status+" and "+test.command+" "+strings.TrimPrefix(command, "microsoft-atp-"), func(t *testing.T) {
				i := commandstest.New(t)
				i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
				first := i.Run(command, args).All()[0]
				i.Answer("GET", "/api/machineactions/a1", 200,
					`{"id":"a1","type":"LiveResponse","machineId":"m1","status":"`+test.status+`","commands":[{"index":0,"commandStatus":"`+test.command+`","errors":["access denied"]}]}`)
				i.Clock.Advance(test.wait)
				next := i.Again(first)
				if test.want != "" {
					next.WantFailure(test.want)
					return
				}
				if entry := next.Entry(); entry.Poll == nil || entry.Poll.Args["machine_action_id"] != "a1" {
					t.Errorf("got %q, want the command to wait on", entry.Readable())
				}
			})
		}
	}
}

// TestAnActionThatEndedIsReportedHoweverLate looks for the end of a session after the time for it is over.
func TestAnActionThatEndedIsReportedHoweverLate(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
	started := i.Run("microsoft-atp-live-response-put-file", on("m1", "file_name", "a")).All()[0]
	i.Answer("GET", "/api/machineactions/a1", 200, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Succeeded"}`)
	i.Clock.Advance(10 * time.Hour)
	i.Again(started).Entry().WantReadable("a1", "Succeeded")
}

// TestAResultThatCannotBeHadForNowIsWaitedFor asks for the result of a script again while there is time, and only when it may be
// had later.
func TestAResultThatCannotBeHadForNowIsWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		after  time.Duration
		waits  bool
	}{
		"for now":               {http.StatusServiceUnavailable, time.Minute, true},
		"for now, but too late": {http.StatusServiceUnavailable, 10 * time.Hour, false},
		"never":                 {http.StatusForbidden, time.Minute, false},
	} {
		i := commandstest.New(t)
		i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
		started := i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1")).All()[0]
		i.Answer("GET", "/api/machineactions/a1", 200, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Succeeded","commands":[{"index":0,"commandStatus":"Completed"}]}`)
		i.Answer("GET", "/api/machineactions/a1/*", test.status, `{"error":{"code":"Refused","message":"no result"}}`)
		i.Clock.Advance(test.after)
		result := i.Again(started)
		if !test.waits {
			result.WantFailure("no result")
			continue
		}
		if entry := result.Entry(); entry.Poll == nil || entry.Poll.Args["machine_action_id"] != "a1" {
			t.Errorf("%s: got %q, want the command to wait on", name, entry.Readable())
		}
	}
}

// TestAResultIsShownIfItIsOneOfAScript keeps any other file as it is.
func TestAResultIsShownIfItIsOneOfAScript(t *testing.T) {
	for content, entries := range map[string]int{`{"script_name":"a.ps1","exit_code":0,"script_output":"found it","script_errors":""}`: 2, "MZ": 1} {
		i := commandstest.New(t)
		i.Answer("GET", "/api/machineactions/", 200, `{"value":"`+i.Tenant.URL()+`/download/result"}`)
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Status: 200, Body: content, ContentType: "application/octet-stream"})
		all := i.Run("microsoft-atp-live-response-result", map[string]any{"machine_action_id": "a1", "command_index": 0}).All()
		if len(all) != entries || all[entries-1].File == nil {
			t.Fatalf("%s: got %d entries, want %d, of which the last is the file", content, len(all), entries)
		}
		if entries == 2 {
			all[0].WantReadable("Result", "found it", "script_errors")
		}
	}
}

// TestAScriptWithoutAResultInJSONShowsItsAction puts the action in the context, where playbooks look for one or the other.
func TestAScriptWithoutAResultInJSONShowsItsAction(t *testing.T) {
	t.Parallel()
	i := commandstest.New(t)
	i.Answer("GET", "/api/machineactions/a1", 200, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Succeeded","commands":[{"index":0,"commandStatus":"Completed"}]}`)
	i.Answer("GET", "/api/machineactions/a1/", 200, `{"value":"`+i.Tenant.URL()+`/download/result"}`)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Status: 200, Body: "not JSON", ContentType: "application/octet-stream"})
	all := i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1", "machine_action_id", "a1")).All()
	if len(all) != 2 || all[1].File == nil {
		t.Fatalf("got %d entries, want the action and the file", len(all))
	}
	all[0].WantReadable("a1", "Succeeded", "it is not JSON")
	if got := all[0].At("MicrosoftATP.LiveResponseAction"); got.Get("status").String() != "Succeeded" {
		t.Errorf("got the context %s, want the action", got.Raw)
	}
}

func TestASessionWaitsForABusyMachineIfItIsToldTo(t *testing.T) {
	i := commandstest.New(t)
	busy := func() {
		i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusBadRequest, `{"error":{"code":"ActiveRequestAlreadyExists","message":"busy"}}`)
		i.Answer("GET", "/api/machineactions", 200, list(`{"id":"other","type":"LiveResponse","machineId":"m1","status":"InProgress","requestor":"nora"}`))
	}
	busy()
	i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1")).WantFailure("Machine m1 is busy", "other", "nora", "wait_for_active=true, or cancel it.")
	waits := i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1", "wait_for_active", "true")).Entry()
	waits.WantReadable("Machine m1 is busy", "is InProgress. The next attempt is in 10 seconds") // and nothing about how to wait
	if waits.Poll == nil || waits.Poll.Args["machine_action_id"] != nil {
		t.Fatalf("got the next run %+v, want one that starts the session", waits.Poll)
	}
	i.Tenant.ClearFaults()
	i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
	i.Again(waits).Entry().WantReadable("The machine action a1 was started.")
	i.Tenant.ClearFaults()
	busy()
	i.Clock.Advance(10 * time.Minute)
	i.Again(waits).WantFailure("Machine m1 is busy")
}

// TestALongWaitEnds follows a session of a machine that stays off for as long as the command may wait.
func TestALongWaitEnds(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	for _, days := range []int{2, 7} {
		i := commandstest.New(t)
		i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
		i.Answer("GET", "/api/machineactions/a1", 200, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
		args := on("m1", "scriptName", "a.ps1")
		args["interval_in_seconds"], args["timeout_in_seconds"] = day, days*day
		waits := i.Run("microsoft-atp-live-response-run-script", args).Entry()
		for range days - 1 {
			waits = i.Again(waits).Entry()
		}
		i.Again(waits).WantFailure("The machine action a1 had not ended at", "when the command stopped waiting")
	}
}

// TestASessionOfThePortalIsWaitedFor has one that is not in the list of machine actions, and a list that cannot be read.
func TestASessionOfThePortalIsWaitedFor(t *testing.T) {
	for name, answer := range map[string]func(*commandstest.Instance){
		"not listed": func(i *commandstest.Instance) { i.Answer("GET", "/api/machineactions", 200, list()) },
		"no list": func(i *commandstest.Instance) {
			i.Answer("GET", "/api/machineactions", 403, `{"error":{"code":"Forbidden","message":"missing role"}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := commandstest.New(t)
			answer(i)
			i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusBadRequest, `{"error":{"code":"ActiveRequestAlreadyExists","message":"busy"}}`)
			i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1")).WantFailure("Machine m1 is busy with another live response session", "begun in the portal. Wait until it has ended, which the command does with wait_for_active=true.")
			waits := i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1", "wait_for_active", "true")).Entry()
			waits.WantReadable("Machine m1 is busy", "The next attempt is in 10 seconds")
			if waits.Poll == nil || waits.Poll.Args["machine_action_id"] != nil {
				t.Errorf("got the next run %+v, want one that starts the session", waits.Poll)
			}
		})
	}
}

// sessionOn starts a session of two commands on machines, of which each has its own end.
func sessionOn(i *commandstest.Instance, results string, ends map[string]string) commandstest.Entry {
	var machines []string
	for machine, action := range ends {
		machines = append(machines, machine)
		id := "a-" + machine
		i.Answer("POST", "/api/machines/"+machine+"/runliveresponse", http.StatusCreated, `{"id":"`+id+`","type":"LiveResponse","machineId":"`+machine+`","status":"Pending"}`)
		i.Answer("GET", "/api/machineactions/"+id, 200, strings.NewReplacer("ID", id, "MACHINE", machine).Replace(action))
		for _, index := range []string{"0", "1"} {
			i.Answer("GET", "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index="+index+")", 200, `{"value":"`+i.Tenant.URL()+`/download/`+id+"-"+index+`?sig=1"}`)
		}
	}
	i.Tenant.Script(simulator.Fault{
		Kind: simulator.KindDownload, Path: "/download/", Status: 200, ContentType: "application/octet-stream", Body: `{"script_name":"triage.ps1","exit_code":3,"script_output":"o","script_errors":"e"}`,
	})
	slices.Sort(machines)
	args := on(strings.Join(machines, ","), "commands", `[{"type":"RunScript","params":[{"key":"ScriptName","value":"triage.ps1"}]},{"type":"GetFile","params":[{"key":"Path","value":"c:\\temp\\evidence.log"}]}]`)
	args["polling"], args["results"] = true, results
	return i.Run("microsoft-atp-live-response-run", args).All()[0]
}

const (
	sessionEnded = `{"id":"ID","type":"LiveResponse","machineId":"MACHINE","computerDnsName":"MACHINE.contoso.example","status":"Succeeded","commands":[` +
		`{"index":0,"commandStatus":"Completed","command":{"type":"RunScript","params":[{"key":"ScriptName","value":"triage.ps1"}]}},` +
		`{"index":1,"commandStatus":"Completed","command":{"type":"GetFile","params":[{"key":"Path","value":"c:\\temp\\evidence.log"}]}}]}`
	sessionFailed = `{"id":"ID","type":"LiveResponse","machineId":"MACHINE","status":"Failed","commands":[` +
		`{"index":0,"commandStatus":"Completed","command":{"type":"RunScript","params":[{"key":"ScriptName","value":"triage.ps1"}]}},` +
		`{"index":1,"commandStatus":"Failed","errors":["no such file"],"command":{"type":"GetFile","params":[{"key":"Path","value":"c:\\temp\\evidence.log"}]}}]}`
)

// TestASessionThatSucceededTellsOfItsCommandThatDidNot has a session that the service reports as a success.
func TestASessionThatSucceededTellsOfItsCommandThatDidNot(t *testing.T) {
	i := commandstest.New(t)
	half := strings.Replace(sessionFailed, `"status":"Failed"`, `"status":"Succeeded"`, 1)
	i.Again(sessionOn(i, "files", map[string]string{"m1": half})).All()[0].WantReadable("Failed: 1", "A command of the machine action a-m1", "command 1: no such file")
}

// TestResultsOfSessions has a session that succeeded, and one of which only the first command did.
func TestResultsOfSessions(t *testing.T) {
	i := commandstest.New(t)
	entries := i.Again(sessionOn(i, "files", map[string]string{"m1": sessionEnded, "m2": sessionFailed})).All()
	entries[0].WantReadable("Failed: 1", "ended as Failed: command 1: no such file.")
	var files []string
	scripts := 0
	for _, entry := range entries {
		if entry.File != nil {
			files = append(files, entry.File.Name)
		}
		if strings.Contains(entry.Readable(), "result of command 0 (RunScript)") {
			scripts++
			entry.WantReadable("triage.ps1", "3")
		}
		if strings.Contains(entry.Readable(), "(GetFile)") && strings.Contains(entry.Readable(), "script_output") {
			t.Errorf("got\n%s\nfor a file, want it not to be taken for the result of a script", entry.Readable())
		}
	}
	slices.Sort(files)
	if want := []string{"m1.contoso.example 0 triage.ps1.json", "m1.contoso.example 1 evidence.log.gz", "m2 0 triage.ps1.json"}; !slices.Equal(files, want) || scripts != 2 {
		t.Errorf("got the files %q and %d results of scripts, want %q and 2", files, scripts, want)
	}
	if got := entries[len(entries)-1].Poll; got != nil {
		t.Errorf("got the next run %+v, want none", got)
	}
}

func TestResultsOfSessionsAsLinks(t *testing.T) {
	i := commandstest.New(t)
	result := i.Again(sessionOn(i, "links", map[string]string{"m1": sessionEnded}))
	links := 0
	for _, entry := range result.All() {
		if strings.Contains(entry.Readable(), i.Tenant.URL()+"/download/a-m1-") {
			links++
		}
		if entry.File != nil {
			t.Errorf("got the file %s, want links alone", entry.File.Name)
		}
	}
	if links != 2 {
		t.Errorf("got %d links, want one for each command", links)
	}
	for _, request := range result.Requests {
		if request.Kind == simulator.KindDownload {
			t.Errorf("got the download %s, want none", request.Path)
		}
	}
}

// resultLinks are the links of all results of a session. They are asked for at once, so that no test knows which comes first.
const resultLinks = "/api/machineactions/a-m1/GetLiveResponseResultDownloadLink(index=*)"

// TestResultsThatCannotBeFetchedYetAreFetchedLater is refused the second link for a while.
func TestResultsThatCannotBeFetchedYetAreFetchedLater(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "GET", Path: resultLinks, Status: 429, RetryAfter: 5 * time.Minute, After: 1, Times: 1})
	results := []string{"m1.contoso.example 0 triage.ps1.json", "m1.contoso.example 1 evidence.log.gz"}
	entries := i.Again(sessionOn(i, "files", map[string]string{"m1": sessionEnded})).All()
	names := func(entries []commandstest.Entry) (names []string, next *commandstest.Entry) {
		for _, entry := range entries {
			if entry.File != nil {
				names = append(names, entry.File.Name)
			}
			if entry.Poll != nil {
				next = &entry
			}
		}
		return names, next
	}
	first, next := names(entries)
	if next == nil || len(first) != 1 || !slices.Contains(results, first[0]) {
		t.Fatalf("got %q and the next run %+v, want one of %q, and the other one later", first, next, results)
	}
	other := 1 - slices.Index(results, first[0])
	if got, want := next.Poll.Args["left_to_fetch"], fmt.Sprintf("a-m1/%d", other); got != want {
		t.Errorf("got %v for the next run, want %s", got, want)
	}
	if second, next := names(i.Again(*next).All()); next != nil || !slices.Equal(second, results[other:other+1]) {
		t.Errorf("got %q and the next run %+v, want the other result alone", second, next)
	}
}

// TestASessionIsReportedWithoutItsResults cannot get the results of a session that succeeded: what ran is reported all the same,
// once, with what failed and what will be fetched later.
func TestASessionIsReportedWithoutItsResults(t *testing.T) {
	for name, test := range map[string]struct {
		first, second int // the status of the link that is asked for first, and of all that follow; 0 returns one
		files, fails  int
		left          int // the results that the next run fetches
		// until is when the runs end: ten minutes after the first, or after the one that fetched something.
		until string
	}{
		"none":                     {403, 403, 0, 2, 0, ""},
		"none yet":                 {429, 429, 0, 0, 2, "2026-11-20T10:25:00Z"},
		"none for now":             {503, 503, 0, 0, 2, "2026-11-20T10:25:00Z"},
		"one never, and one later": {403, 429, 0, 1, 1, "2026-11-20T10:25:00Z"},
		"one, and one later":       {0, 429, 1, 0, 1, "2026-11-20T10:25:10Z"},
		"one never":                {0, 403, 1, 1, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			first := simulator.Fault{Kind: simulator.KindAPI, Path: resultLinks, Status: test.first, RetryAfter: 5 * time.Minute, Times: 1}
			second := simulator.Fault{Kind: simulator.KindAPI, Path: resultLinks, Status: test.second, RetryAfter: 5 * time.Minute}
			if test.first == 0 {
				second.After = 1
				i.Tenant.Script(second)
			} else {
				i.Tenant.Script(first, second)
			}
			entries := i.Again(sessionOn(i, "files", map[string]string{"m1": sessionEnded})).All()
			var until any
			text, next, files := "", "", 0
			for _, entry := range entries {
				text += entry.Readable() + "\n"
				if entry.File != nil {
					files++
				}
				if entry.Poll != nil {
					next, until = entry.Poll.Args["left_to_fetch"].(string), entry.Poll.Args["run_until"]
				}
			}
			if got := strings.Count(text, "Live response sessions"); got != 1 || files != test.files {
				t.Errorf("got %d files and\n%s\nwant %d and the session once", files, text, test.files)
			}
			if next != "" && until != test.until {
				t.Errorf("got %v as the end of the runs, want %s", until, test.until)
			}
			left, failed := 0, 0
			for _, result := range []string{"a-m1/0", "a-m1/1"} {
				left += strings.Count(next, result)
				failed += strings.Count(text, result)
				if strings.Contains(next, result) && strings.Contains(text, result) {
					t.Errorf("got %s for the next run, and\n%s\nwant it once", result, text)
				}
			}
			if left != test.left || failed != test.fails || strings.Contains(text, "Failed: ") != (test.fails > 0) {
				t.Errorf("got %q for the next run, and\n%s\nwant %d results later, and %d that failed", next, text, test.left, test.fails)
			}
		})
	}
}

// TestResultsAreFetchedUntilTheyFailOrTheTimeIsOver cannot fetch the results of a session in later runs, either.
func TestResultsAreFetchedUntilTheyFailOrTheTimeIsOver(t *testing.T) {
	for name, test := range map[string]struct {
		path   string // of what fails later
		status int
		want   string
	}{
		"refused":                {"/api/machineactions/a-m1/*", http.StatusForbidden, "All 2 failed"},
		"a session that is gone": {"/api/machineactions/a-m1", http.StatusNotFound, "All 2 failed"},
		"always throttled":       {"/api/machineactions/a-m1/*", http.StatusTooManyRequests, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			throttled := simulator.Fault{Kind: simulator.KindAPI, Path: "/api/machineactions/a-m1/*", Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Minute}
			i.Tenant.Script(throttled)
			next := i.Again(sessionOn(i, "files", map[string]string{"m1": sessionEnded})).All()
			i.Tenant.ClearFaults()
			i.Tenant.Script(simulator.Fault{
				Kind: simulator.KindAPI, Path: test.path, Status: test.status, Body: `{"error":{"code":"Refused","message":"no"}}`, RetryAfter: 5 * time.Hour,
			})
			began := i.Clock.Now()
			result := i.Again(next[len(next)-1])
			for result.Err == nil && i.Clock.Now().Sub(began) < 48*time.Hour {
				entries := result.All()
				result = i.Again(entries[len(entries)-1])
			}
			if got := i.Clock.Now().Sub(began); got > 25*time.Hour {
				t.Errorf("got the end after %s, want it within a day", got)
			}
			result.WantFailure(test.want)
		})
	}
}

// TestASessionThatDoesNotEndHidesNoOther reports the session that ended, and that the other one has not.
func TestASessionThatDoesNotEndHidesNoOther(t *testing.T) {
	i := commandstest.New(t)
	next := sessionOn(i, "none", map[string]string{"m1": sessionEnded, "m2": strings.Replace(sessionEnded, "Succeeded", "InProgress", 1)})
	i.Clock.Advance(2 * 24 * time.Hour)
	i.Again(next).All()[0].WantReadable("a-m1", "Failed: 1", "a-m2", "had not ended at")
}

func TestSessionsThatAllFailAreAnError(t *testing.T) {
	i := commandstest.New(t)
	const failed = `{"id":"ID","type":"LiveResponse","machineId":"MACHINE","status":"Failed","commands":[{"index":0,"commandStatus":"Failed","errors":["no such script"]}]}`
	i.Again(sessionOn(i, "files", map[string]string{"m1": failed, "m2": failed})).WantFailure("All 2 failed", "a-m1: ", "a-m2: ", "no such script")
}

func TestTheArgumentsOfAScriptAreSent(t *testing.T) {
	for given, want := range map[string]string{
		"":              `[{"key":"ScriptName","value":"a.ps1"}]`,
		"-Days 3 'x y'": `[{"key":"ScriptName","value":"a.ps1"},{"key":"Args","value":"-Days 3 'x y'"}]`,
	} {
		i := commandstest.New(t)
		i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusCreated, `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"Pending"}`)
		body := i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1", "arguments", given)).Body()
		commandstest.WantJSON(t, "params", gjson.Get(body, "Commands.0.params").Raw, want)
	}
}
