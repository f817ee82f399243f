package program_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/platform/platformtest"
)

// TestEightProcessesShareOneContext has eight processes of an instance change its integration context at once:
// each rotates the refresh token, keeps tokens for two services, and remembers that hunting has moved. What another
// integration keeps there stays, and everything that was remembered is used afterwards.
func TestEightProcessesShareOneContext(t *testing.T) {
	t.Parallel()
	const processes = 8
	e := newEngine(t, ways()[slices.IndexFunc(ways(), logsIn)]).ready()
	e.tenant.SetHuntingRetired(true)
	e.tenant.StrictRotation(true)
	e.work("the first sign-in", 1)
	var context map[string]json.RawMessage
	if err := json.Unmarshal(e.platform.Context(), &context); err != nil {
		t.Fatal(err)
	}
	context["somebody_else"] = json.RawMessage(`"was here"`)
	changed, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	e.platform.SetContext(changed)
	e.tenant.ExpireTokens()

	hunt := platformtest.Request{Command: "microsoft-atp-advanced-hunting", Args: map[string]any{"query": "DeviceInfo | take 1"}, Params: e.params}
	failures := make([]string, processes)
	var group sync.WaitGroup
	for i := range processes {
		plugin := e.start()
		group.Go(func() {
			outcome, err := plugin.Run(hunt)
			switch {
			case err != nil:
				failures[i] = fmt.Sprintf("%v; it said %q", err, plugin.Errors())
			case outcome.Failure() != "":
				failures[i] = outcome.Failure()
			default:
				if err := plugin.Close(); err != nil {
					failures[i] = err.Error()
				}
			}
		})
	}
	group.Wait()
	for i, failure := range failures {
		if failure != "" {
			t.Errorf("process %d: %s", i+1, failure)
		}
	}
	left := gjson.ParseBytes(e.platform.Context())
	if got := left.Get("somebody_else").String(); got != "was here" {
		t.Errorf("what another integration keeps became %q", got)
	}
	t.Logf("%d writes were refused because of a conflict", e.platform.Conflicts())
	e.tenant.ResetRequests()
	e.succeed(hunt)
	for _, request := range e.tenant.Requests() {
		if request.Kind != simulator.KindGraph {
			t.Errorf("afterwards a process asks for %s %s: its tokens or the switch of hunting were lost", request.Method, request.Path)
		}
	}
}
