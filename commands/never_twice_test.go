package commands_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/defender"
	"xsoar-defender/internal/simulator"
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
	for _, command := range commands.NewRegistry().All() {
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

// TestAnEmptySuccessIsNoChange answers every change with HTTP 200 and an object that shows nothing of it.
func TestAnEmptySuccessIsNoChange(t *testing.T) {
	for _, command := range commands.NewRegistry().All() {
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
				for _, method := range []string{http.MethodPost, http.MethodPatch} {
					i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: method, Act: true, Body: body})
				}
				if strings.Contains(command.Name, "-indicator-update") {
					i.Answer("GET", "/api/indicators/1", 200, everyIndicator()[0])
				}
				i.Run(command.Name, onARealMachine(i, trialsOf(command)[0].args)).WantFailure("may have acted")
			})
		}
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
		t.Errorf("a look that failed is told as one that found something: %s", result.Failure())
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
	for _, command := range commands.NewRegistry().All() {
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
