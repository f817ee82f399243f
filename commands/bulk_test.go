package commands_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// alertsOf are alerts of one rule, of which every third is of another.
func alertsOf(count int) string {
	all := make([]string, count)
	for i := range all {
		title := "Noisy rule"
		if i%3 == 2 {
			title = "Another rule"
		}
		all[i] = fmt.Sprintf(`{"id":"da%d","title":%q,"machineId":"m%d","status":"Resolved"}`, i, title, i%2)
	}
	return list(all...)
}

func TestTwoHundredAlertsTakeFourRequests(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/alerts/batchUpdate", 200, "")
	i.Answer("GET", "/api/alerts", 200, alertsOf(300))
	result := i.Run("microsoft-atp-batch-update-alerts", map[string]any{"title": "noisy rule", "status": "Resolved", "expect": "200"})
	if got, most := len(result.Requests), 4; got > most {
		t.Errorf("got %d requests, want at most %d: %q", got, most, result.Asked())
	}
	sent := map[string]bool{}
	for _, request := range result.Requests {
		for _, id := range gjson.GetBytes(request.Body, "alertIds").Array() {
			sent[id.Str] = true
		}
	}
	if len(sent) != 200 || sent["da2"] {
		t.Errorf("got %d alerts updated, da2 of the other rule among them: %t; want 200 of one rule", len(sent), sent["da2"])
	}
	result.Entry().WantReadable("The service accepted the update of 200 alerts.")
	if got := result.Entry().At("MicrosoftATP.AlertBatch").Get("updated").Int(); got != 200 {
		t.Errorf("got %d updated, want 200", got)
	}
}

func TestSelectionsNeedTheirCount(t *testing.T) {
	for name, test := range map[string]struct {
		command string
		args    map[string]any
		want    string
	}{
		"alerts":                 {"microsoft-atp-batch-update-alerts", map[string]any{"title": "Noisy rule", "status": "Resolved"}, "would act on 8 alerts. Run it again with expect=8"},
		"alerts, wrong":          {"microsoft-atp-batch-update-alerts", map[string]any{"title": "Noisy rule", "status": "Resolved", "expect": "7"}, "would act on 8 alerts, and expect is 7"},
		"named alerts, wrong":    {"microsoft-atp-batch-update-alerts", map[string]any{"alert_id": "a,b", "status": "Resolved", "expect": "3"}, "would act on 2 alerts, and expect is 3"},
		"many named alerts":      {"microsoft-atp-batch-update-alerts", map[string]any{"alert_id": many("a", 501), "status": "Resolved"}, "would act on 501 alerts"},
		"many named machines":    {"microsoft-atp-bulk-machine-tag", map[string]any{"machine_id": many("m", 501), "tag": "t", "action": "Add"}, "would act on 501 machines"},
		"many named indicators":  {"microsoft-atp-indicator-batch-delete", map[string]any{"indicator_id": many("", 501)}, "would act on 501 indicators"},
		"indicators by title":    {"microsoft-atp-indicator-batch-delete", map[string]any{"title": "t"}, "would act on 2 indicators"},
		"actions of a kind":      {"microsoft-atp-cancel-machine-action", map[string]any{"type": "Isolate", "comment": "c"}, "would act on 3 machine actions"},
		"actions of a machine":   {"microsoft-atp-cancel-machine-action", map[string]any{"machine_id": "m1", "comment": "c", "expect": 4}, "would act on 3 machine actions, and expect is 4"},
		"alerts of a machine":    {"microsoft-atp-batch-update-alerts", map[string]any{"machine_id": "m1", "status": "Resolved"}, "would act on 6 alerts"},
		"a rule on a machine":    {"microsoft-atp-batch-update-alerts", map[string]any{"title": "Noisy rule", "machine_id": "m1", "status": "Resolved"}, "would act on 4 alerts"},
		"a selection of nothing": {"microsoft-atp-batch-update-alerts", map[string]any{"title": "no such title", "status": "Resolved"}, "would act on 0 alerts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			i.Answer("GET", "/api/alerts", 200, alertsOf(12))
			i.Answer("GET", "/api/indicators", 200, list(`{"id":"1","indicatorValue":"a"}`, `{"id":"2","indicatorValue":"b"}`))
			i.Answer("GET", "/api/machineactions", 200, list(`{"id":"1"}`, `{"id":"2"}`, `{"id":"3"}`))
			result := i.Run(test.command, test.args)
			result.WantFailure("Nothing was changed", test.want)
			for _, request := range result.Requests {
				if request.Method != http.MethodGet {
					t.Errorf("got the request %s %s, want none that changes something", request.Method, request.Path)
				}
			}
		})
	}
}

// TestASelectionIsLookedAtAgain has a service whose answers hold more than was asked for, as when a filter gets lost on the way.
func TestASelectionIsLookedAtAgain(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", "/api/alerts", 200, list(
		`{"id":"a1","incidentId":7,"alertCreationTime":"2026-11-18T23:59:59.9Z"}`, `{"id":"a2","incidentId":8,"alertCreationTime":"2026-11-19T00:00:00Z"}`,
		`{"id":"a3","incidentId":null,"alertCreationTime":null}`))
	i.Answer("GET", "/api/indicators", 200, list(
		`{"id":"1","indicatorValue":"Bad.example","title":"t","application":"a"}`, `{"id":"2","indicatorValue":"good.example","title":"other","application":"b"}`,
		`{"id":"3","indicatorValue":"other.example","title":"t","application":null}`))
	i.Answer("GET", "/api/machineactions", 200, list(
		`{"id":"1","machineId":"m1","type":"Isolate","status":"Pending"}`, `{"id":"2","machineId":"m2","type":"Isolate","status":"Pending"}`,
		`{"id":"3","machineId":"m1","type":"Unisolate","status":"Pending"}`, `{"id":"4","machineId":"m1","type":"Isolate","status":"InProgress"}`))
	i.Answer("POST", "/api/indicators/BatchDelete", 204, "")
	result := i.Run("microsoft-atp-indicator-batch-delete", map[string]any{"indicator_value": "bad.example"})
	commandstest.WantJSON(t, "what is deleted", string(result.Requests[len(result.Requests)-1].Body), `{"IndicatorIds":["1"]}`)
	i.Run("microsoft-atp-batch-update-alerts", map[string]any{"created_after": "2026-11-19", "status": "Resolved"}).WantFailure("would act on 1 ", "expect=1")
	for command, args := range map[string]map[string]any{
		"microsoft-atp-batch-update-alerts":    {"incident_id": "7", "status": "Resolved"},
		"microsoft-atp-cancel-machine-action":  {"machine_id": "M1", "type": "isolate", "comment": "c"},
		"microsoft-atp-indicator-batch-delete": {"title": "T", "created_by_application": "a"},
	} {
		i.Run(command, args).WantFailure("would act on 1 ", "expect=1")
	}
}

// TestAnIncidentSelectsItsAlerts compares the number of the incident, which the service does not take as a text.
func TestAnIncidentSelectsItsAlerts(t *testing.T) {
	i := commandstest.New(t)
	incident := i.Run("microsoft-atp-list-alerts", map[string]any{"limit": 1}).Entry().Raw().Get("value.0.incidentId").String()
	result := i.Run("microsoft-atp-batch-update-alerts", map[string]any{"incident_id": incident, "status": "Resolved"})
	if got := result.Failure(); !strings.Contains(got, "would act on ") || strings.Contains(got, "would act on 0 ") {
		t.Errorf("got %q, want the number of alerts of incident %s", got, incident)
	}
	i.Run("microsoft-atp-batch-update-alerts", map[string]any{"incident_id": "x", "status": "Resolved"}).WantFailure("incident_id must be a number")
}

func TestATagOnThreeHundredMachinesTakesOneRequest(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/machines/AddOrRemoveTagForMultipleMachines", 200, list(`{"id":"m1"}`, `{"id":"M2"}`))
	i.Host.Put("12@34", "machines.txt", strings.ReplaceAll(many("m", 300), ",", "\r\n")+"\n")
	result := i.Run("microsoft-atp-bulk-machine-tag", map[string]any{"machine_id": "m1, m2", "entry_id": "12@34", "tag": "campaign", "action": "add"})
	result.WantAsked("POST /api/machines/AddOrRemoveTagForMultipleMachines")
	if got := len(gjson.Get(result.Body(), "MachineIds").Array()); got != 300 {
		t.Errorf("got %d machines, want each of 300 once", got)
	}
	result.Entry().WantReadable("The service did not return these machines, which are most likely unchanged: m3, m4,")
}

// TestAFileOfMachinesMayBeAList reads the IDs of a file in all of its forms.
func TestAFileOfMachinesMayBeAList(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"m1\r\nm2\r\n", "m1,m2", `"m1"; "m2"`, "\ufeffm1\tm2", `["m1", "m2"]`, "[\n  \"m1\",\n  \"m2\"\n]\n"} {
		i := commandstest.New(t)
		i.Answer("POST", "/api/machines/AddOrRemoveTagForMultipleMachines", 200, list(`{"id":"m1"}`, `{"id":"m2"}`))
		i.Host.Put("12@34", "machines.txt", text)
		result := i.Run("microsoft-atp-bulk-machine-tag", map[string]any{"entry_id": "12@34", "tag": "campaign", "action": "Add"})
		if got := gjson.Get(result.Body(), "MachineIds").Raw; got != `["m1","m2"]` {
			t.Errorf("%q: got the machines %s, want m1 and m2", text, got)
		}
	}
}

func TestTwoHundredIndicatorsTakeOneRequest(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/indicators/BatchDelete", 204, "")
	result := i.Run("microsoft-atp-indicator-batch-delete", map[string]any{"indicator_id": many("", 200)})
	result.WantAsked("POST /api/indicators/BatchDelete")
	if got := len(gjson.Get(result.Body(), "IndicatorIds").Array()); got != 200 {
		t.Errorf("got %d indicators, want 200", got)
	}
}

// TestIndicatorsThatAreGoneDoNotKeepTheOthers deletes indicators of which the service does not know one: it refuses all.
func TestIndicatorsThatAreGoneDoNotKeepTheOthers(t *testing.T) {
	i := commandstest.New(t)
	var ids []string
	for _, value := range []string{"198.51.100.1", "198.51.100.2"} {
		made := i.Run("microsoft-atp-sc-indicator-create", map[string]any{
			"indicator_value": value, "indicator_type": "IpAddress", "action": "Audit", "indicator_title": "t", "indicator_description": "d",
		}).Entry().Raw()
		ids = append(ids, made.Get("id").String())
	}
	result := i.Run("microsoft-atp-indicator-batch-delete", map[string]any{"indicator_id": ids[0] + ",999999," + ids[1]})
	got := result.Entry().At("MicrosoftATP.IndicatorBatch")
	if want := fmt.Sprintf(`{"deleted":[%q,%q],"notFound":["999999"]}`, ids[0], ids[1]); got.Raw != want {
		t.Errorf("got %s, want %s", got.Raw, want)
	}
	again := i.Run("microsoft-atp-indicator-batch-delete", map[string]any{"indicator_value": "198.51.100.1,198.51.100.2"})
	if got, want := again.Entry().At("MicrosoftATP.IndicatorBatch").Raw, `{"notFound":["198.51.100.1","198.51.100.2"]}`; got != want {
		t.Errorf("after the deletion: got %s, want %s", got, want)
	}
}

func TestAListOfIndicatorsThatFailsIsTold(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/indicators/BatchDelete", 404, `{"error":{"code":"NotFound","message":"an indicator is gone"}}`)
	i.Answer("GET", "/api/indicators", 403, `{"error":{"code":"Forbidden","message":"no list for you"}}`)
	result := i.Run("microsoft-atp-indicator-batch-delete", map[string]any{"indicator_id": "1,2"})
	result.WantFailure("no list for you")
}

func TestABulkUpdateIsReadBack(t *testing.T) {
	for answer, want := range map[string]string{
		list(`{"id":"a","status":"Resolved"}`, `{"id":"b","status":"Resolved"}`): "The service accepted the update of 2 alerts. All 2 that were read back show it.",
		list(`{"id":"a","status":"Resolved"}`, `{"id":"b","status":"New"}`):      "1 of 2 that were read back show it so far; list them again in a minute.",
	} {
		i := commandstest.New(t)
		i.Answer("POST", "/api/alerts/batchUpdate", 200, "{}")
		i.Answer("GET", "/api/alerts", 200, answer)
		i.Run("microsoft-atp-batch-update-alerts", map[string]any{"alert_id": "a,b", "status": "Resolved"}).Entry().WantReadable(want)
	}
}

// TestABulkUpdateGoesOnAfterThrottling updates alerts while the service refuses the second of three requests.
// TestAChunkThatFailsNamesItsAlerts refuses one request of two: each of its alerts has failed, and the others have not.
func TestAChunkThatFailsNamesItsAlerts(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "POST", Path: "/api/alerts/batchUpdate", Status: 403, Code: "Forbidden", Message: "missing role", Times: 1})
	i.Answer("POST", "/api/alerts/batchUpdate", 200, "")
	i.Answer("GET", "/api/alerts", 200, alertsOf(3))
	entry := i.Run("microsoft-atp-batch-update-alerts", map[string]any{"alert_id": many("a", 130), "status": "Resolved"}).Entry()
	told := entry.At("MicrosoftATP.AlertBatch")
	updated, failed := told.Get("alertIds.#").Int(), told.Get("failed.#").Int()
	if updated+failed != 130 || updated != 100 && updated != 30 || told.Get("updated").Int() != updated {
		t.Errorf("got %d updated and %d failed, want 100 of the one and 30 of the other: %s", updated, failed, told)
	}
	entry.WantReadable("missing role", told.Get("failed.29").Str)
}

func TestABulkUpdateGoesOnAfterThrottling(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", "/api/alerts", 200, alertsOf(3))
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "POST", Path: "/api/alerts/batchUpdate", Status: 429, RetryAfter: 300e9, After: 1, Times: 1})
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "POST", Path: "/api/alerts/batchUpdate", Empty: true})
	sent := map[string]int{}
	count := func(result commandstest.Result) {
		for _, request := range result.Requests {
			if request.Status == http.StatusOK {
				for _, id := range gjson.GetBytes(request.Body, "alertIds").Array() {
					sent[id.Str]++
				}
			}
		}
	}
	result := i.Run("microsoft-atp-batch-update-alerts", map[string]any{"alert_id": many("a", 250), "comment": "c", "expect": 250})
	count(result)
	for range 5 {
		entries := result.All()
		if entries[0].Poll == nil {
			break
		}
		result = i.Again(entries[0])
		count(result)
	}
	for id := range strings.SplitSeq(many("a", 250), ",") {
		if sent[id] != 1 {
			t.Fatalf("%s was updated %d times, want once", id, sent[id])
		}
	}
}

func TestCancelTellsWhatHadEnded(t *testing.T) {
	i := commandstest.New(t)
	machine := i.Tenant.MachineIDs()[0]
	scan := i.Run("microsoft-atp-run-antivirus-scan", on(machine, "scan_type", "Full")).Entry().Raw().Get("0.id").String()
	isolation := i.Run("microsoft-atp-isolate-machine", on(machine, "isolation_type", "Full")).Entry().Raw().Get("0.id").String()
	if result := i.Run("microsoft-atp-cancel-machine-action", map[string]any{"machine_action_id": scan, "comment": "c"}); result.Entry().Raw().Get("0.status").String() != "Cancelled" {
		t.Errorf("got %s, want a cancelled action", result.Entry().Raw())
	}
	result := i.Run("microsoft-atp-cancel-machine-action", map[string]any{"machine_action_id": scan + "," + isolation, "comment": "c"})
	result.Entry().WantReadable("Cancelled", "Failed: 1", "its status is Cancelled")
}
