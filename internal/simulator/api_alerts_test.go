package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

func TestAlertsAreFiltered(t *testing.T) {
	w := newWorld(t)
	all := w.get("/api/alerts").get("value").Array()
	since := all[40].Get("alertCreationTime").String()
	for _, c := range []struct {
		filter string
		want   func(a gjson.Result) bool
	}{
		{"severity eq 'High'", func(a gjson.Result) bool { return a.Get("severity").String() == "High" }},
		{"(status eq 'New' or status eq 'InProgress') and detectionSource eq 'WindowsDefenderAv'", func(a gjson.Result) bool {
			return a.Get("status").String() != "Resolved" && a.Get("detectionSource").String() == "WindowsDefenderAv"
		}},
		{"alertCreationTime ge " + since, func(a gjson.Result) bool {
			at, err := time.Parse(time.RFC3339Nano, a.Get("alertCreationTime").String())
			from, _ := time.Parse(time.RFC3339Nano, since)
			return err == nil && !at.Before(from)
		}},
		{"assignedTo eq null", func(a gjson.Result) bool { return a.Get("assignedTo").Type == gjson.Null }},
	} {
		var want []string
		for _, a := range all {
			if c.want(a) {
				want = append(want, a.Get("id").String())
			}
		}
		got := w.list("/api/alerts", "$filter", c.filter).all("value.#.id")
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: got %d alerts, want %d of 120", c.filter, len(got), len(want))
		}
	}
}

func TestEvidenceIsOfEveryKind(t *testing.T) {
	w := newWorld(t)
	kinds := map[string]string{"User": "userPrincipalName", "Process": "processCommandLine", "File": "sha1", "Ip": "ipAddress", "Url": "url", "Registry": "registryKey"}
	found := map[string]bool{}
	for _, e := range gjson.Get(w.list("/api/alerts", "$expand", "evidence").body, "value.#.evidence|@flatten").Array() {
		kind := e.Get("entityType").String()
		found[kind] = true
		if e.Get(kinds[kind]).String() == "" {
			t.Errorf("evidence of the kind %q has no %q", kind, kinds[kind])
		}
	}
	w.same("the number of kinds of evidence", len(found), len(kinds))
}

func TestAnAlertAlone(t *testing.T) {
	w := newWorld(t)
	id := w.tenant.AlertIDs()[0]
	a := w.get("/api/alerts/" + id)
	w.same("the id", a.get("id"), id)
	w.same("the context", a.get(`@odata\.context`), testBase+"/api/$metadata#Alerts/$entity")
	if a.get("evidence.#").Int() == 0 {
		t.Error("an alert alone has no evidence")
	}
	for _, path := range []string{"", "/user", "/files", "/ips", "/domains", "/machine"} {
		w.refused("GET", "/api/alerts/da1"+path, nil, 404, "ResourceNotFound")
	}
}

func TestWhatIsRelatedToAnAlert(t *testing.T) {
	w := newWorld(t)
	alerts := w.list("/api/alerts", "$expand", "evidence")
	checked := 0
	for _, a := range alerts.get("value").Array()[:40] {
		path := "/api/alerts/" + a.Get("id").String()
		w.same("the account of the user", w.get(path+"/user").get("accountName"), a.Get("relatedUser.userName"))
		w.same("the machine", w.get(path+"/machine").get("id"), a.Get("machineId"))
		for _, c := range []struct{ list, detail, evidence string }{
			{"/files", "value.#.sha1", "evidence.#.sha1"}, {"/ips", "value.#.id", "evidence.#.ipAddress"},
		} {
			var want []string
			for _, v := range a.Get(c.evidence).Array() {
				if v.String() != "" && !slices.Contains(want, v.String()) {
					want = append(want, v.String())
				}
			}
			got := w.get(path + c.list).all(c.detail)
			slices.Sort(want)
			slices.Sort(got)
			w.same(path+c.list, got, want)
			checked += len(got)
		}
		for _, host := range w.get(path + "/domains").all("value.#.host") {
			if !strings.Contains(a.Get("evidence").Raw, host) {
				t.Errorf("%s has the domain %s, which its evidence does not name", path, host)
			}
			checked++
		}
	}
	if checked < 40 {
		t.Errorf("only %d related entities were found", checked)
	}
}

func TestAnAlertIsUpdated(t *testing.T) {
	w := newWorld(t)
	w.app.User = "analyst@contoso.example"
	path := "/api/alerts/" + w.tenant.AlertIDs()[119]
	w.Advance(time.Hour)
	answer := w.ask("PATCH", path, map[string]string{
		"status": "Resolved", "assignedTo": "soc@contoso.example", "classification": "FalsePositive", "determination": "Clean", "comment": "Nothing | to see",
	})
	w.same("the status of the answer", answer.status, 200)
	again := w.get(path)
	for _, a := range []told{answer, again} {
		w.same("status", a.get("status"), "Resolved")
		w.same("assignedTo", a.get("assignedTo"), "soc@contoso.example")
		w.same("classification", a.get("classification"), "FalsePositive")
		w.same("determination", a.get("determination"), "Clean")
		w.same("resolvedTime", a.get("resolvedTime"), "2026-06-10T09:30:00Z")
		w.same("lastUpdateTime", a.get("lastUpdateTime"), "2026-06-10T09:30:00Z")
		w.same("comments", a.get("comments").Raw, `[{"comment":"Nothing | to see","createdBy":"analyst@contoso.example","createdTime":"2026-06-10T09:30:00Z"}]`)
	}
	w.ask("PATCH", path, map[string]string{"comment": "more"})
	w.same("the number of comments", w.get(path).get("comments.#"), 2)
	w.ask("PATCH", path, map[string]string{"status": "InProgress"})
	w.same("resolvedTime of an alert that was opened again", w.get(path).get("resolvedTime").Type, gjson.Null)
	w.same("the comments after an update without one", w.get(path).get("comments.#"), 2)
}

func TestAlertUpdatesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	path := "/api/alerts/" + w.tenant.AlertIDs()[0]
	before := w.get(path).body
	for _, c := range []struct {
		body any
		code string
	}{
		{map[string]string{"status": "Done"}, "InvalidInput"},
		{map[string]string{"status": "resolved"}, "InvalidInput"},
		{map[string]string{"classification": "Unknown"}, "InvalidInput"},
		{map[string]string{"status": "Resolved", "determination": "Apt"}, "InvalidInput"},
		{map[string]string{}, "InvalidRequestBody"},
		{map[string]string{"Status": "Resolved"}, "InvalidRequestBody"},
		{map[string]int{"status": 3}, "InvalidRequestBody"},
	} {
		w.refused("PATCH", path, c.body, 400, c.code)
	}
	w.refused("PATCH", "/api/alerts/da1", map[string]string{"status": "New"}, 404, "ResourceNotFound")
	w.same("the alert after refused updates", w.get(path).body, before)
}

func TestSeveralAlertsAreUpdatedAtOnce(t *testing.T) {
	w := newWorld(t)
	ids := w.tenant.AlertIDs()[100:102]
	answer := w.post("/api/alerts/batchUpdate", map[string]any{"alertIds": ids, "status": "InProgress", "comment": "mine"}, 200)
	w.same("the body of the answer", answer.body, "")
	for _, id := range ids {
		w.same("the status", w.get("/api/alerts/"+id).get("status"), "InProgress")
	}
	w.refused("POST", "/api/alerts/batchUpdate", map[string]any{"alertIds": []string{ids[0], "da1"}, "status": "New"}, 404, "ResourceNotFound")
	w.same("the status after a batch with an unknown id", w.get("/api/alerts/"+ids[0]).get("status"), "InProgress")
	w.refused("POST", "/api/alerts/batchUpdate", map[string]any{"status": "New"}, 400, "MissingRequiredParameter")
}

func TestAnAlertIsCreatedFromAnEvent(t *testing.T) {
	w := newWorld(t)
	event := w.post("/api/advancedqueries/run", map[string]string{"Query": "DeviceProcessEvents | where FileName == 'procdump64.exe' | take 1"}, 200).get("Results.0")
	body := map[string]string{
		"machineId": event.Get("DeviceId").String(), "severity": "Low", "title": "Found by hunting", "description": "d",
		"recommendedAction": "r", "eventTime": event.Get("Timestamp").String(), "reportId": event.Get("ReportId").String(), "category": "Exploit",
	}
	const path = "/api/alerts/CreateAlertByReference"
	made := w.post(path, body, 200)
	w.same("the title", made.get("title"), "Found by hunting")
	w.same("the time of the event", made.get("lastEventTime"), event.Get("Timestamp"))
	w.same("the newest alert", w.list("/api/alerts", "$top", "1").get("value.0.id"), made.get("id"))
	w.same("the alert that takes up the same event", w.post(path, body, 200).get("id"), made.get("id"))
	w.same("the number of alerts", len(w.tenant.AlertIDs()), 121)

	change := func(name, value string) map[string]string {
		changed := maps.Clone(body)
		changed[name] = value
		return changed
	}
	w.refused("POST", path, change("reportId", "1"), 404, "ResourceNotFound")
	w.refused("POST", path, change("reportId", "x"), 404, "ResourceNotFound")
	w.refused("POST", path, change("eventTime", "2026-06-01T00:00:00Z"), 404, "ResourceNotFound")
	w.refused("POST", path, change("machineId", w.tenant.MachineIDs()[9]), 404, "ResourceNotFound")
	w.refused("POST", path, change("machineId", "ghost"), 404, "ResourceNotFound")
	w.refused("POST", path, change("severity", "Informational"), 400, "InvalidInput")
	w.refused("POST", path, change("category", "Other"), 400, "InvalidInput")
	w.refused("POST", path, change("eventTime", "yesterday"), 400, "InvalidInput")
	w.refused("POST", path, change("title", ""), 400, "MissingRequiredParameter")
}

func TestAlertsOfAMachineAreCounted(t *testing.T) {
	w := newWorld(t)
	id := w.get("/api/alerts").get("value.0.machineId").String()
	path := "/api/machines/" + id + "/alerts"
	open := w.list(path, "$filter", "status ne 'Resolved'").all("value.#.id")
	w.same("the count", w.list(path+"/$count", "$filter", "status ne 'Resolved'").body, fmt.Sprintf("%d\n", len(open)))
	w.refused("GET", path+"/$count?$filter=x", nil, 400, "BadRequest")
	w.refused("GET", "/api/machines/ghost/alerts/$count", nil, 404, "ResourceNotFound")
}

func TestAlertsNameTheirTenant(t *testing.T) {
	running, err := Start(Options{Seed: 41})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	for _, a := range running.company.alerts {
		if a.AADTenantID != running.TenantID() {
			t.Fatalf("an alert is of the tenant %s, want %s", a.AADTenantID, running.TenantID())
		}
	}
}
