package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/warroom"
)

// actionService starts machine actions whose status the test sets.
type actionService struct {
	mu    sync.Mutex
	clock *testclock.Clock
	// status is the status of an action by machine; started counts the starts.
	status  map[string]string
	started map[string]int
	// busy lists machines that refuse because another action is running, and unknown those that the service does not have.
	busy, unknown map[string]bool
}

func newActionService() *actionService {
	return &actionService{
		clock:  testclock.New(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)),
		status: map[string]string{}, started: map[string]int{}, busy: map[string]bool{}, unknown: map[string]bool{},
	}
}

// Do answers a request as the service would.
func (s *actionService) Do(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case request.Method == http.MethodPost:
		machine := path.Base(path.Dir(request.URL.Path))
		if s.unknown[machine] {
			return respond(request, http.StatusNotFound, `{"error":{"code":"ResourceNotFound","message":"not found"}}`, http.Header{}), nil
		}
		if s.busy[machine] {
			return respond(request, http.StatusBadRequest, `{"error":{"code":"ActiveRequestAlreadyExists","message":"busy"}}`, http.Header{}), nil
		}
		s.started[machine]++
		s.status[machine] = "Pending"
		return respond(request, http.StatusCreated, s.action(machine), http.Header{}), nil
	case strings.HasSuffix(request.URL.Path, "/machineactions"):
		return respond(request, http.StatusOK, `{"value":[{"id":"other","type":"Isolate","status":"Pending","requestor":"nora","creationDateTimeUtc":"2026-11-22T10:00:00Z"}]}`, http.Header{}), nil
	}
	machine := strings.TrimPrefix(path.Base(request.URL.Path), "action-")
	return respond(request, http.StatusOK, s.action(machine), http.Header{}), nil
}

func (s *actionService) action(machine string) string {
	return fmt.Sprintf(`{"id":"action-%s","type":"Isolate","status":%q,"machineId":%q,"troubleshootInfo":"no answer from the sensor"}`, machine, s.status[machine], machine)
}

// again runs a command with the arguments of its poll, as another process would, which has only the arguments.
func (s *actionService) again(t *testing.T, entry warroom.Entry) (Report, error) {
	t.Helper()
	if entry.Poll == nil {
		t.Fatal("the entry does not schedule the command again")
	}
	text, err := json.Marshal(entry.Poll.Args)
	if err != nil {
		t.Fatal(err)
	}
	var args map[string]any
	if err := json.Unmarshal(text, &args); err != nil {
		t.Fatal(err)
	}
	return s.run(t, args)
}

func (s *actionService) run(t *testing.T, args map[string]any) (Report, error) {
	t.Helper()
	return execute(t.Context(), isolateMachine(), s, s.clock, args)
}

func isolation(machines string, more map[string]any) map[string]any {
	args := map[string]any{"machine_id": machines, "comment": "drill", "isolation_type": "Full"}
	maps.Copy(args, more)
	return args
}

func only(t *testing.T, done Report, err error) warroom.Entry {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Entries) != 1 {
		t.Fatalf("got %d entries, want one", len(done.Entries))
	}
	return done.Entries[0]
}

func TestWithoutPollingACommandDoesNotWait(t *testing.T) {
	service := newActionService()
	done, err := service.run(t, isolation("a", nil))
	if entry := only(t, done, err); entry.Poll != nil {
		t.Errorf("the command is scheduled again: %v", entry.Poll.Args)
	}
}

// TestShorterWaitsThanThePlatformGrants has the numbers of existing playbooks, which the deployed integration takes.
func TestShorterWaitsThanThePlatformGrants(t *testing.T) {
	for _, seconds := range []any{"0", "1", 5, "9"} {
		service := newActionService()
		done, err := service.run(t, isolation("a", map[string]any{"polling": "true", "interval_in_seconds": seconds, "timeout_in_seconds": 60}))
		if first := only(t, done, err); first.Poll == nil || first.Poll.After != 10*time.Second {
			t.Errorf("interval_in_seconds %v: got %v, want a check after 10s", seconds, first.Poll)
		}
	}
	service := newActionService()
	done, err := service.run(t, isolation("a", map[string]any{"polling": "true", "timeout_in_seconds": "5"}))
	if first := only(t, done, err); first.Poll == nil || first.Poll.Limit != 10*time.Second {
		t.Errorf("timeout_in_seconds 5: got %v, want one check", first.Poll)
	}
}

func TestPollingFollowsActionsAndStartsNoneAgain(t *testing.T) {
	service := newActionService()
	done, err := service.run(t, isolation("a,b", map[string]any{"polling": "true", "interval_in_seconds": "30", "timeout_in_seconds": 900}))
	first := only(t, done, err)
	if len(first.Context) == 0 {
		t.Error("the first entry does not report the actions that were started")
	}
	if first.Poll.After != 30*time.Second || first.Poll.Limit != 15*time.Minute {
		t.Errorf("got the next check after %s for %s, want 30s for 15m", first.Poll.After, first.Poll.Limit)
	}
	if got := first.Poll.Args["machine_action_id"]; got != "action-a,action-b" {
		t.Errorf("got a poll for %v, want both actions", got)
	}
	service.status["a"] = "Succeeded"
	done, err = service.again(t, first)
	second := only(t, done, err)
	if first.Poll.Done != 0 || first.Poll.All != 2 || second.Poll.Done != 1 || second.Poll.All != 2 {
		t.Errorf("got polls with %d of %d and %d of %d, want 0 of 2 and 1 of 2", first.Poll.Done, first.Poll.All, second.Poll.Done, second.Poll.All)
	}
	if got := second.Poll.Args["machine_action_id"]; got != "action-b" {
		t.Errorf("got a poll for %v, want only the action that has not ended", got)
	}
	if rows := second.Context[0].Value.(warroom.Records).Rows; len(rows) != 1 || rows[0].Text("id") != "action-a" {
		t.Errorf("got %v in the second entry, want the action that has ended", rows)
	}
	if text, want := warroom.Plain(second.Blocks), "Waiting for 2 machine actions (Isolate) until 2026-11-22 12:15:00 UTC: 1 of 2 ended."; !strings.Contains(text, want) {
		t.Errorf("got\n%s\nwant the line %q", text, want)
	}
	service.status["b"] = "Succeeded"
	done, err = service.again(t, second)
	last := only(t, done, err)
	if last.Poll != nil {
		t.Error("the command continues after all actions have ended")
	}
	if rows := last.Context[0].Value.(warroom.Records).Rows; len(rows) != 1 || rows[0].Text("id") != "action-b" || rows[0].Text("status") != "Succeeded" {
		t.Errorf("got %v in the last entry, want the other action as it ended", rows)
	}
	for machine, times := range service.started {
		if times != 1 {
			t.Errorf("the action on %s was started %d times", machine, times)
		}
	}
}

func TestByDefaultACommandLooksEveryTenSecondsForTenMinutes(t *testing.T) {
	done, err := newActionService().run(t, isolation("a", map[string]any{"polling": true}))
	if poll := only(t, done, err).Poll; poll.After != 10*time.Second || poll.Limit != 10*time.Minute || poll.Args["interval_in_seconds"] != 10 {
		t.Errorf("got a poll every %s for %s with the interval %v, want 10s for 10m", poll.After, poll.Limit, poll.Args["interval_in_seconds"])
	}
}

func TestActionsThatEndBadlyAreToldApart(t *testing.T) {
	for _, status := range []string{"Failed", "TimeOut", "Cancelled"} {
		t.Run(status, func(t *testing.T) {
			service := newActionService()
			done, err := service.run(t, isolation("a,b", map[string]any{"polling": true}))
			first := only(t, done, err)
			service.status["a"], service.status["b"] = "Succeeded", status
			done, err = service.again(t, first)
			text := warroom.Plain(only(t, done, err).Blocks)
			for _, want := range []string{"action-b", status, "no answer from the sensor"} {
				if !strings.Contains(text, want) {
					t.Errorf("the entry does not say %q:\n%s", want, text)
				}
			}
			service.status["a"] = status
			_, err = service.again(t, first)
			var many *ManyError
			var ended *EndedError
			if !errors.As(err, &many) || !errors.As(err, &ended) {
				t.Errorf("got the error %v without success, want how each ended", err)
			}
		})
	}
}

func TestACancelledActionNamesOnlyWhatIsKnown(t *testing.T) {
	for body, want := range map[string]string{
		`{"id":"a","type":"Isolate","machineId":"m","status":"Cancelled"}`:                                                                      "ended as Cancelled.",
		`{"id":"a","type":"Isolate","machineId":"m","status":"Cancelled","cancellationRequestor":"nora"}`:                                       "ended as Cancelled, by nora.",
		`{"id":"a","type":"Isolate","machineId":"m","status":"Cancelled","cancellationRequestor":"nora","cancellationComment":"wrong machine"}`: "ended as Cancelled, by nora: wrong machine.",
	} {
		if got := (&EndedError{Action: defender.MachineAction{Value: rawjson.Value(body)}}).Error(); !strings.HasSuffix(got, want) {
			t.Errorf("got %q, want it to end with %q", got, want)
		}
	}
}

func TestActionsThatAllFailInDifferentLooksAreAnError(t *testing.T) {
	for name, others := range map[string]string{"all failed": "Failed", "one succeeded": "Succeeded"} {
		t.Run(name, func(t *testing.T) {
			service := newActionService()
			done, err := service.run(t, isolation("a,b,c", map[string]any{"polling": true}))
			first := only(t, done, err)
			service.status["a"] = others
			done, err = service.again(t, first)
			second := only(t, done, err)
			service.status["b"] = "Failed"
			done, err = service.again(t, second)
			third := only(t, done, err)
			service.status["c"] = "TimeOut"
			done, err = service.again(t, third)
			if others == "Succeeded" {
				only(t, done, err)
				return
			}
			if _, ended := errors.AsType[*EndedError](err); !ended || len(done.Entries) > 0 {
				t.Errorf("got %d entries and the error %v, want an error entry, as every action has failed", len(done.Entries), err)
			}
		})
	}
}

func TestABusyMachineNamesWhatItIsBusyWith(t *testing.T) {
	service := newActionService()
	service.busy["a"] = true
	_, err := service.run(t, isolation("a", nil))
	var busy *BusyError
	if !errors.As(err, &busy) || busy.Running.ID() != "other" || !strings.Contains(err.Error(), "2026-11-22T10:00:00Z") {
		t.Errorf("got %v, want an error that names the action and since when it runs", err)
	}
}

func TestABusyMachineIsToldWithWhatIsKnownOfItsAction(t *testing.T) {
	for action, want := range map[string]string{
		`{"id":"1","type":"Isolate","status":"Pending","requestor":"nora","creationDateTimeUtc":"2026-11-22T10:00:00Z"}`: "the machine action 1 (Isolate), requested by nora at 2026-11-22T10:00:00Z, is Pending.",
		`{"id":"1","type":"Isolate","status":"Pending","requestor":"nora"}`:                                              "the machine action 1 (Isolate), requested by nora, is Pending.",
		`{"id":"1","type":"Isolate","status":"Pending","creationDateTimeUtc":"2026-11-22T10:00:00Z"}`:                    "the machine action 1 (Isolate), requested at 2026-11-22T10:00:00Z, is Pending.",
		`{"id":"1","type":"Isolate","status":"Pending"}`:                                                                 "the machine action 1 (Isolate) is Pending.",
	} {
		if got := (&BusyError{Machine: "a", Running: defender.MachineAction{Value: rawjson.Value(action)}}).Error(); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func TestWaitForActiveStartsOnceTheMachineIsFree(t *testing.T) {
	service := newActionService()
	service.busy["a"] = true
	done, err := service.run(t, isolation("a,b", map[string]any{"wait_for_active": true}))
	first := only(t, done, err)
	if service.started["b"] != 1 {
		t.Error("the machine that is free was not isolated at once")
	}
	if got := first.Poll.Args["machine_id"]; got != "a" {
		t.Errorf("got the next run for %v, want only the busy machine", got)
	}
	const line = "1 of 2 actions (Isolate) were started; the rest waits for machines that are busy with another action. The next attempt is in 10 seconds; " +
		"the last one will be at 2026-11-23 12:00:00 UTC."
	if got := warroom.Plain(first.Blocks); !strings.Contains(got, line) || first.Poll.Done != 1 || first.Poll.All != 2 {
		t.Errorf("got %d of %d and\n%s\nwant 1 of 2 and the line %q", first.Poll.Done, first.Poll.All, got, line)
	}
	service.busy["a"] = false
	done, err = service.again(t, first)
	if entry := only(t, done, err); entry.Poll != nil {
		t.Error("the command continues after the last machine")
	}
	if service.started["a"] != 1 || service.started["b"] != 1 {
		t.Errorf("got actions started %v times, want once each", service.started)
	}
}

func TestWaitForActiveAndPollingTogether(t *testing.T) {
	service := newActionService()
	service.busy["a"] = true
	done, err := service.run(t, isolation("a,b", map[string]any{"wait_for_active": true, "polling": true}))
	entry := only(t, done, err)
	service.busy["a"] = false
	done, err = service.again(t, entry)
	entry = only(t, done, err)
	if got := entry.Poll.Args["machine_action_id"]; got != "action-b,action-a" {
		t.Errorf("got a poll for %v, want the actions of both runs", got)
	}
	service.status["a"], service.status["b"] = "Succeeded", "Succeeded"
	done, err = service.again(t, entry)
	if entry = only(t, done, err); entry.Poll != nil || service.started["a"] != 1 || service.started["b"] != 1 {
		t.Errorf("got poll %v and %v, want an end with each action started once", entry.Poll, service.started)
	}
}

func TestACommandStopsWaitingAtItsDeadline(t *testing.T) {
	service := newActionService()
	done, err := service.run(t, isolation("a,b", map[string]any{"polling": true, "timeout_in_seconds": 60}))
	first := only(t, done, err)
	service.clock.Advance(59 * time.Second)
	done, err = service.again(t, first)
	second := only(t, done, err)
	if second.Poll == nil || second.Poll.After != time.Second {
		t.Fatalf("got the next look %+v, want the last one at the deadline", second.Poll)
	}
	service.clock.Advance(time.Second)
	service.status["a"] = "Succeeded"
	const want = "The machine action action-b had not ended at 2026-11-22 12:01:00 UTC, when the command stopped waiting. It continues: see !"
	done, err = service.again(t, second)
	if last := only(t, done, err); last.Poll != nil || !strings.Contains(warroom.Plain(last.Blocks), want) || len(last.Context) != 1 {
		t.Errorf("got %+v and\n%s\nwant the action that has ended, no next look, and %q", last.Poll, warroom.Plain(last.Blocks), want)
	}
	service.status["a"] = "Pending"
	_, err = service.again(t, second)
	if unfinished, is := errors.AsType[*UnfinishedError](err); !is || unfinished.Action != "action-a" {
		t.Errorf("got %v, want an error if neither has ended", err)
	}
}

func TestNoActionIsStartedAfterTheDeadline(t *testing.T) {
	service := newActionService()
	service.busy["a"] = true
	done, err := service.run(t, isolation("a,b", map[string]any{"wait_for_active": true, "polling": true, "timeout_in_seconds": 60}))
	first := only(t, done, err)
	service.clock.Advance(time.Minute)
	done, err = service.again(t, first)
	last := only(t, done, err)
	const want = "The action was not started before 2026-11-22 12:01:00 UTC, when the command gave up. Run the command again for it, with a longer timeout_in_seconds."
	if text := warroom.Plain(last.Blocks); !strings.Contains(text, want) || service.started["a"] != 0 {
		t.Errorf("got %d starts and\n%s\nwant none and %q", service.started["a"], text, want)
	}
	if last.Poll == nil || last.Poll.Args["machine_action_id"] != "action-b" || last.Poll.Args["left_to_start"] != nil {
		t.Errorf("got the next run %+v, want a last look at the action that was started", last.Poll)
	}
	service.busy["b"] = true
	done, err = service.run(t, isolation("a,b", map[string]any{"wait_for_active": true, "timeout_in_seconds": 60}))
	first = only(t, done, err)
	service.clock.Advance(time.Minute)
	_, err = service.again(t, first)
	if late, is := errors.AsType[*NotStartedError](err); !is || late.Until != service.clock.Now() {
		t.Errorf("got %v, want an error if none was started", err)
	}
}

func TestEveryActionThatWasNotStartedIsInOneTable(t *testing.T) {
	service := newActionService()
	service.busy["b"], service.busy["c"], service.busy["d"] = true, true, true
	done, err := service.run(t, isolation("a,b,c,d", map[string]any{"wait_for_active": true, "polling": true, "timeout_in_seconds": 60}))
	first := only(t, done, err)
	service.clock.Advance(time.Minute)
	service.unknown["d"] = true
	done, err = service.again(t, first)
	last := only(t, done, err)
	text := warroom.Plain(last.Blocks)
	if !strings.Contains(text, "Failed: 3") || strings.Count(text, "Failed: ") != 1 || strings.Count(text, "was not started before") != 2 {
		t.Errorf("got\n%s\nwant one table of three failures, two of them late", text)
	}
}

func TestActionsAreFollowedIfTheRestCannotBeStarted(t *testing.T) {
	service := newActionService()
	service.busy["b"] = true
	done, err := service.run(t, isolation("a,b", map[string]any{"wait_for_active": true, "polling": true}))
	first := only(t, done, err)
	delete(service.busy, "b")
	service.unknown["b"] = true
	done, err = service.again(t, first)
	second := only(t, done, err)
	if second.Poll == nil || second.Poll.Args["machine_action_id"] != "action-a" {
		t.Errorf("got the next run %+v, want a look at the action that was started", second.Poll)
	}
	if text := warroom.Plain(second.Blocks); !strings.Contains(text, "ResourceNotFound") {
		t.Errorf("got\n%s\nwant the failure in it", text)
	}
	service.status["a"] = "Succeeded"
	done, err = service.again(t, second)
	if last := only(t, done, err); last.Poll != nil || len(last.Context) == 0 {
		t.Errorf("got %+v, want the action that has ended, and no next look", last)
	}
}

// TestActionsThatTheListLacksAreAskedForByTurns waits for actions that the list of the service does not have.
func TestActionsThatTheListLacksAreAskedForByTurns(t *testing.T) {
	s := newService()
	s.known = func(string) bool { return false }
	ids := make([]string, 30)
	for i := range ids {
		ids[i] = fmt.Sprintf("action%02d", i)
		s.actions[ids[i]] = runningAction{machine: "m", kind: "Isolate", end: "Succeeded", at: s.clock.Now(), ends: s.clock.Now().Add(time.Hour)}
	}
	api := defender.New(defender.Options{Clock: s.clock.Clock(), API: &url.URL{Scheme: "https", Host: "127.0.0.1"}, Tokens: staticToken{}, Transport: s})
	run := &Run{Now: s.clock.Now, API: api, began: s.clock.Now()}
	asked := map[string]int{}
	for look := range 3 {
		s.asked = nil
		seen := lookAt(t.Context(), run, ids, s.clock.Now())
		if len(seen.open) != len(ids) || len(seen.failed)+len(seen.ended) > 0 {
			t.Fatalf("look %d: got %d open, %d failed and %d ended, want all open", look, len(seen.open), len(seen.failed), len(seen.ended))
		}
		if got := s.count("GET /api/machineactions/"); got != unlistedActions {
			t.Errorf("look %d: got %d requests for one action, want %d", look, got, unlistedActions)
		}
		for _, one := range s.asked {
			if id := path.Base(one); id != "machineactions" {
				asked[id]++
			}
		}
		ids = seen.open
	}
	for _, id := range ids {
		if asked[id] == 0 {
			t.Errorf("%s was not asked for in three looks, want each to have its turn", id)
		}
	}
}

func TestASmallNumberOfActionsIsAskedForWithoutAList(t *testing.T) {
	s := newService()
	api := defender.New(defender.Options{Clock: s.clock.Clock(), API: &url.URL{Scheme: "https", Host: "127.0.0.1"}, Tokens: staticToken{}, Transport: s})
	first := s.clock.Now()
	run := &Run{Now: s.clock.Now, API: api, began: first}
	s.actions["a"] = runningAction{machine: "m", kind: "Isolate", end: "Succeeded", at: first, ends: first}
	for _, test := range []struct {
		after        time.Duration
		open, failed int
	}{{0, 1, 0}, {settling - time.Second, 1, 0}, {settling, 0, 1}} {
		run.began = first.Add(test.after)
		seen := lookAt(t.Context(), run, []string{"a", "unknown"}, first)
		if len(seen.ended) != 1 || len(seen.open) != test.open || len(seen.failed) != test.failed {
			t.Errorf("%s after the start: got %d ended, %d open and %d failed, want an unknown action to be waited for at first",
				test.after, len(seen.ended), len(seen.open), len(seen.failed))
		}
	}
	if got := s.count("GET /api/machineactions?"); got != 0 {
		t.Errorf("got %d lists, want none", got)
	}
}

// TestTroublesOfAnActionAreTold has what the service reports for an action, and for the commands of a session.
func TestTroublesOfAnActionAreTold(t *testing.T) {
	for body, want := range map[string]string{
		`{}`: "", `{"troubleshootInfo":"off"}`: "off",
		`{"commands":[{"index":0,"errors":[]},{"index":1,"errors":["a","b"]}]}`:          "command 1: a; command 1: b",
		`{"troubleshootInfo":"off","commands":[{"index":2,"errors":["a"]},{"index":3}]}`: "off; command 2: a",
	} {
		if got := troubles(defender.MachineAction{Value: rawjson.Value(body)}); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}
