package commands_test

import (
	"fmt"
	"net/http"
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
