package commands_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
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
		return `{"id":"a1","type":"LiveResponse","machineId":"m1","status":"` + status + `","commands":[{"index":0,"commandStatus":"Failed","errors":["access denied"]}]}`
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

func TestASessionWaitsForABusyMachineIfItIsToldTo(t *testing.T) {
	i := commandstest.New(t)
	busy := func() {
		i.Answer("POST", "/api/machines/m1/runliveresponse", http.StatusBadRequest, `{"error":{"code":"ActiveRequestAlreadyExists","message":"busy"}}`)
		i.Answer("GET", "/api/machineactions", 200, list(`{"id":"other","type":"LiveResponse","machineId":"m1","status":"InProgress","requestor":"nora"}`))
	}
	busy()
	i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1")).WantFailure("Machine m1 is busy", "other", "nora")
	waits := i.Run("microsoft-atp-live-response-run-script", on("m1", "scriptName", "a.ps1", "wait_for_active", "true")).Entry()
	waits.WantReadable("Machine m1 is busy", "The next attempt is in 10 seconds")
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
