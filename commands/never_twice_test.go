package commands_test

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/warroom"
)

// lostAnswers lists the ways in which the answer to a change can get lost. acted reports whether the tenant carried out
// the change.
func lostAnswers() map[string]struct {
	fault simulator.Fault
	acted bool
} {
	page := "<html><body>Bad gateway</body></html>"
	return map[string]struct {
		fault simulator.Fault
		acted bool
	}{
		"cut before it began":             {simulator.Fault{Act: true, Cut: simulator.CutBefore}, true},
		"cut in the middle":               {simulator.Fault{Act: true, Body: `{"id":"1","status":"Pending"}`, Cut: simulator.CutMiddle}, true},
		"a page instead of it":            {simulator.Fault{Act: true, Body: page, ContentType: "text/html"}, true},
		"half of it":                      {simulator.Fault{Act: true, Body: `{"id":"`}, true},
		"408 of a gateway after the act":  {simulator.Fault{Act: true, Status: http.StatusRequestTimeout}, true},
		"500 after the act":               {simulator.Fault{Act: true, Status: http.StatusInternalServerError}, true},
		"502 of a gateway after the act":  {simulator.Fault{Act: true, Status: http.StatusBadGateway, Body: page, ContentType: "text/html"}, true},
		"503 of a gateway after the act":  {simulator.Fault{Act: true, Status: http.StatusServiceUnavailable, RetryAfter: time.Second}, true},
		"504 of a gateway, not passed on": {simulator.Fault{Status: http.StatusGatewayTimeout}, false},
		"a switch to another protocol":    {simulator.Fault{Act: true, Status: http.StatusSwitchingProtocols}, true},
		"cut before the service read":     {simulator.Fault{Cut: simulator.CutBefore}, false},
	}
}

// TestNoChangeIsSentTwice loses the answer to every change. The change is sent once, and the error says that the service may
// have acted; for a machine action it includes what a check of the machine found.
func TestNoChangeIsSentTwice(t *testing.T) {
	for _, command := range triedCommands() {
		changes := slices.ContainsFunc(command.Uses, func(operation defender.Operation) bool { return !operation.Repeatable() })
		if !changes || command.Mirrors { // mirroring has tests of its own
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(lostAnswers())) {
			t.Run(command.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				lost := lostAnswers()[name]
				i := commandstest.New(t)
				args := onARealMachine(i, trialsOf(command)[0].args)
				lost.fault.Kind = simulator.KindAPI
				if command.Uses[0].Graph {
					lost.fault.Kind = simulator.KindGraph
				}
				for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
					lost.fault.Method = method
					i.Tenant.Script(lost.fault)
				}
				if strings.Contains(command.Name, "-indicator-update") {
					i.Answer("GET", "/api/indicators/1", 200, everyIndicator()[0])
				}
				result := i.Run(command.Name, args)
				result.WantFailure("The service may have acted on it: look before you try again.")
				sent, looks := 0, 0
				for _, request := range result.Requests {
					if request.Method != http.MethodGet {
						sent++
					} else if request.Path == "/api/machineactions" {
						looks++
					}
				}
				if sent != 1 {
					t.Errorf("the change was sent %d times: %q", sent, result.Asked())
				}
				if !startsAction(command) {
					return
				}
				if looks != 1 {
					t.Errorf("the machine's actions were looked at %d times: %q", looks, result.Asked())
				}
				wantOutcomeTold(t, i, result, lost.acted)
			})
		}
	}
}

// unshownChanges holds the commands that do not fail when a change is answered with an object that shows nothing of it, with
// what they say instead.
func unshownChanges() map[string]string {
	return map[string]string{
		// Microsoft documents these successes without a body that would show the change.
		"microsoft-atp-batch-update-alerts":    "0 of 1 that were read back show it so far",
		"microsoft-atp-bulk-machine-tag":       "accepted the change without showing these machines",
		"microsoft-atp-set-device-value":       "accepted the change without showing these machines",
		"microsoft-atp-indicator-batch-delete": "1 indicator deleted", // 204 No Content, as for a DELETE
		// The library itself shows the file.
		"microsoft-atp-live-response-library-upload": "new.ps1",
		// The platform gets the ID of the alert whatever happens, with a warning.
		"update-remote-system": "may have acted",
	}
}

// TestAnEmptySuccessIsNoChange answers every change with HTTP 200 and an object that shows nothing of it.
func TestAnEmptySuccessIsNoChange(t *testing.T) {
	for _, command := range triedCommands() {
		changes := slices.ContainsFunc(command.Uses, func(operation defender.Operation) bool {
			return !operation.Repeatable() && operation.Method != http.MethodDelete // that answers with nothing
		})
		if !changes {
			continue
		}
		for _, body := range []string{`{}`, `{"@odata.context":"https://api.securitycenter.microsoft.com/api/$metadata"}`} {
			t.Run(command.Name+"/"+body, func(t *testing.T) {
				t.Parallel()
				i := commandstest.New(t)
				for _, kind := range []simulator.Kind{simulator.KindAPI, simulator.KindGraph} {
					for _, method := range []string{http.MethodPost, http.MethodPatch} {
						i.Tenant.Script(simulator.Fault{Kind: kind, Method: method, Act: true, Body: body})
					}
				}
				switch {
				case strings.Contains(command.Name, "-indicator-update"):
					i.Answer("GET", "/api/indicators/1", 200, everyIndicator()[0])
				case command.Mirrors:
					i.Answer("GET", "/api/alerts/da1", 200, fullAlert)
				}
				result := i.Run(command.Name, onARealMachine(i, trialsOf(command)[0].args))
				want, unshown := unshownChanges()[command.Name]
				if !unshown {
					result.WantFailure("may have acted")
					return
				}
				if result.Err != nil {
					t.Fatalf("got the error %v, want entries", result.Err)
				}
				readable := ""
				for _, entry := range result.Entries {
					readable += warroom.Markdown(entry.Blocks)
				}
				if !strings.Contains(readable, want) {
					t.Errorf("got %q, want %q", readable, want)
				}
			})
		}
	}
}

// TestAnUploadThatNothingShows answers an upload with an empty object, and leaves the library as it was.
func TestAnUploadThatNothingShows(t *testing.T) {
	for name, library := range map[string]string{"no file": `{"value":[]}`, "another file": list(fullLibraryFile), "no list": ""} {
		t.Run(name, func(t *testing.T) {
			i := commandstest.New(t)
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: http.MethodPost, Body: `{}`})
			if library != "" {
				i.Answer("GET", "/api/libraryfiles", 200, library)
			} else {
				i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: http.MethodGet, After: 1, Status: http.StatusForbidden})
			}
			i.Run("microsoft-atp-live-response-library-upload", map[string]any{"content": "Get-Process", "file_name": "triage.ps1", "override": true}).
				WantFailure("The service may have acted on it: list the library before you try again.")
		})
	}
}

// startsAction reports whether a command starts a machine action, so that it may list existing ones.
func startsAction(command commands.Command) bool {
	changes := len(command.Uses) > 0 && command.Uses[0].Method == http.MethodPost
	return changes && slices.ContainsFunc(command.Uses, func(operation defender.Operation) bool {
		return operation.Path == defender.ListMachineActions.Path
	})
}

// onARealMachine returns arguments with a machine that the tenant knows.
func onARealMachine(i *commandstest.Instance, args map[string]any) map[string]any {
	args = resolve(i, args)
	if args["machine_id"] == aMachine {
		args["machine_id"] = i.Tenant.MachineIDs()[0]
	}
	return args
}

func wantOutcomeTold(t *testing.T, i *commandstest.Instance, result commandstest.Result, acted bool) {
	t.Helper()
	i.Tenant.ClearFaults()
	newest := i.Run("microsoft-atp-list-machine-actions-details", map[string]any{"machine_id": i.Tenant.MachineIDs()[0], "limit": 1}).Entry().Raw()
	if !acted {
		result.WantFailure("found no such machine action")
		return
	}
	if id := newest.Get("value.0.id").String(); id == "" {
		t.Error("the tenant has started no machine action: the test shows nothing")
	} else {
		result.WantFailure("most likely", id)
	}
}

// TestALookThatFailsLeavesTheErrorAsItIs loses the answer to a change, and that of the check after it.
func TestALookThatFailsLeavesTheErrorAsItIs(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Cut: simulator.CutBefore})
	result := i.Run("microsoft-atp-isolate-machine", on(i.Tenant.MachineIDs()[0], "isolation_type", "Full"))
	result.WantFailure("The service may have acted on it: look before you try again.")
	if strings.Contains(result.Failure(), "A check of") || strings.Contains(result.Failure(), "most likely") {
		t.Errorf("a look that failed is reported as one that found something: %s", result.Failure())
	}
}

// TestALookTellsFilesApart loses the answer to the second of two files that are put in quarantine on a machine.
func TestALookTellsFilesApart(t *testing.T) {
	i := commandstest.New(t)
	machine, other := i.Tenant.MachineIDs()[0], strings.Repeat("a", 40)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: http.MethodPost, After: 1, Cut: simulator.CutBefore})
	result := i.Run("microsoft-atp-stop-and-quarantine-file", on(machine, "file_hash", aSHA1+","+other))
	result.Entry().WantReadable("StopAndQuarantineFile", other, "found no such machine action")
}

// TestAnAnswerWithoutAnActionIsNoStart answers a start with something that a poll cannot follow: a command that
// waited for it would start it again.
func TestAnAnswerWithoutAnActionIsNoStart(t *testing.T) {
	for _, command := range triedCommands() {
		if !startsAction(command) {
			continue
		}
		for name, fault := range map[string]simulator.Fault{
			"nothing": {Act: true, Empty: true}, "no content": {Act: true, Status: http.StatusNoContent},
			"an empty object": {Act: true, Body: `{}`}, "an ID that is null": {Act: true, Body: `{"id":null,"status":"Pending"}`},
		} {
			t.Run(command.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				i := commandstest.New(t)
				fault.Kind, fault.Method = simulator.KindAPI, http.MethodPost
				i.Tenant.Script(fault)
				args := onARealMachine(i, trialsOf(command)[0].args)
				args["polling"] = true
				result := i.Run(command.Name, args)
				result.WantFailure("not a machine action", "may have acted")
				wantOutcomeTold(t, i, result, true)
			})
		}
	}
}

func TestAnActionWithoutDetailsIsNamedWithoutThem(t *testing.T) {
	for action, want := range map[string]string{
		`{"id":"a1","type":"Isolate","requestor":"eve","creationDateTimeUtc":"2026-11-25T00:00:00Z","status":"Pending"}`: "the machine action a1 (Isolate), requested by eve at 2026-11-25T00:00:00Z, which is Pending.",
		`{"id":"a1","type":null,"status":"Pending"}`: "the machine action a1, which is Pending.",
		`{"id":"a1"}`: "the machine action a1.",
	} {
		err := &commands.UnknownOutcomeError{Machine: "m1", Found: &defender.MachineAction{Value: rawjson.Value(action)}, Err: errors.New("It broke.")}
		if got := err.Error(); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end with %q", got, want)
		}
	}
}
