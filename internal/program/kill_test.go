package program_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/platform/platformtest"
)

// death is how a process is ended in the middle of an execution: at its nth callback, which the platform has
// carried out or not.
type death struct {
	callback int
	done     bool
}

// isInSample reports whether a death is tried: every other one, unless all are.
func (d death) isInSample() bool { return *whole || (d.callback%2 == 0) == d.done }

// die runs an execution in a process that is killed; alive says that the execution had fewer callbacks and was
// completed.
func (e *engine) die(request platformtest.Request, d death) (outcome platformtest.Outcome, alive bool) {
	e.t.Helper()
	plugin := e.start()
	seen := 0
	strike := func() bool { seen++; return seen == d.callback }
	if d.done {
		plugin.Kill = func(string) bool { return strike() }
	} else {
		plugin.Hook = func(string) (string, bool) {
			if !strike() {
				return "", false
			}
			if err := plugin.Signal(os.Kill); err != nil {
				e.t.Errorf("killing the process: %v", err)
			}
			return "", true
		}
	}
	outcome, err := plugin.Run(request)
	switch {
	case err == nil:
		return outcome, true
	case !errors.Is(err, platformtest.ErrKilled) && !errors.Is(err, platformtest.ErrEnded):
		e.t.Fatalf("callback %d: %v", d.callback, err)
	}
	return outcome, false
}

// fetched are the ids of the alerts that a fetch handed over.
func fetched(t *testing.T, outcome platformtest.Outcome) []string {
	t.Helper()
	var ids []string
	for _, entry := range outcome.Shown() {
		for _, incident := range gjson.Parse(entry.Text()).Array() {
			ids = append(ids, gjson.Get(incident.Get("rawJSON").String(), "id").String())
		}
	}
	return ids
}

// TestFetchSurvivesDeathAtEveryCallback kills the process of a fetch at each of its callbacks, under two readings of the
// protocol. If the platform takes every line as it comes, the fetches after it hand over every alert, and only those of the
// fetch that was killed may come twice. If it takes all of an execution when that is completed, every alert comes once.
func TestFetchSurvivesDeathAtEveryCallback(t *testing.T) {
	t.Parallel()
	for _, whenCompleted := range []bool{false, true} {
		t.Run(fmt.Sprintf("taken when completed %t", whenCompleted), func(t *testing.T) {
			t.Parallel()
			surviveDeath(t, whenCompleted)
		})
	}
}

func surviveDeath(t *testing.T, whenCompleted bool) {
	t.Helper()
	for _, done := range []bool{false, true} {
		for callback, alive := 1, false; !alive; callback++ {
			if !(death{callback, done}).isInSample() {
				continue
			}
			e := newEngine(t, ways()[0])
			e.params["max_fetch"], e.params["fetch_severity"], e.params["fetch_status"] = "9", "", ""
			request := platformtest.Request{Command: "fetch-incidents", Params: e.params}
			first := fetched(t, e.succeed(request))
			before := e.platform.LastRun()
			var outcome platformtest.Outcome
			outcome, alive = e.die(request, death{callback, done})
			killed := fetched(t, outcome)
			if whenCompleted && !alive {
				killed = nil
				e.platform.SetLastRun(before)
			}
			times := map[string]int{}
			for _, id := range append(first, killed...) {
				times[id]++
			}
			for more := true; more; {
				ids := fetched(t, e.succeed(request))
				for _, id := range ids {
					times[id]++
				}
				more = len(ids) > 0
			}
			want := wanted(t, e, request)
			for _, id := range want {
				switch n := times[id]; {
				case n == 0:
					t.Errorf("callback %d (done %t): %s was lost", callback, done, id)
				case n > 2 || n == 2 && !slices.Contains(killed, id):
					t.Errorf("callback %d (done %t): %s was handed over %d times", callback, done, id, n)
				}
			}
			if got := len(slices.Collect(maps.Keys(times))); got != len(want) || got < 20 {
				t.Errorf("callback %d (done %t): got %d alerts handed over, want %d, and at least 20", callback, done, got, len(want))
			}
			if alive && callback < 5 {
				t.Errorf("a fetch makes %d callbacks: too few for this test to mean something", callback-1)
			}
		}
	}
}

// wanted are the alerts that the feed has, asked for at once by an instance that has fetched nothing yet.
func wanted(t *testing.T, e *engine, request platformtest.Request) []string {
	t.Helper()
	other := platformtest.New()
	plugin := other.Start(t, laterProgram(t, e.environment))
	params := maps.Clone(request.Params)
	params["max_fetch"] = "200"
	outcome, err := plugin.Run(platformtest.Request{Command: request.Command, Params: params})
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.Close(); err != nil {
		t.Fatal(err)
	}
	return fetched(t, outcome)
}

// TestPollingSurvivesDeathAtEveryCallback kills the process that looks at a machine action at each of its
// callbacks. The next look continues from the arguments of the poll, and the action is started once.
func TestPollingSurvivesDeathAtEveryCallback(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{false, true} {
		for callback, alive := 1, false; !alive; callback++ {
			if !(death{callback, done}).isInSample() {
				continue
			}
			e := newEngine(t, ways()[0])
			machine := e.tenant.MachineIDs()[0]
			args := map[string]any{"machine_id": machine, "comment": "drill", "isolation_type": "Full", "polling": true}
			poll := e.succeed(platformtest.Request{Command: "microsoft-atp-isolate-machine", Args: args, Params: e.params}).Shown()[0]
			look := func() platformtest.Request {
				return platformtest.Request{Command: poll.PollingCommand, Args: poll.PollingArgs, Params: e.params}
			}
			_, alive = e.die(look(), death{callback, done})
			for looks := 0; poll.PollingCommand != ""; looks++ {
				if looks == 30 {
					t.Fatalf("callback %d (done %t): the command does not end", callback, done)
				}
				e.passes(time.Minute)
				poll = e.succeed(look()).Shown()[0]
			}
			var actions []map[string]any
			for _, value := range poll.EntryContext {
				if err := json.Unmarshal(value, &actions); err != nil {
					t.Fatal(err)
				}
			}
			if len(actions) != 1 || actions[0]["Status"] != "Succeeded" {
				t.Errorf("callback %d (done %t): the command ended with %v, wanted the action as it succeeded", callback, done, actions)
			}
			if started := countStarted(e.tenant, machine); started != 1 {
				t.Errorf("callback %d (done %t): the action was started %d times", callback, done, started)
			}
		}
	}
}

func countStarted(tenant *simulator.Tenant, machine string) int {
	started := 0
	for _, request := range tenant.Requests() {
		if request.Method == http.MethodPost && request.Path == "/api/machines/"+machine+"/isolate" {
			started++
		}
	}
	return started
}
