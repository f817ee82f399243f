package simulator

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestIncidentsBundleAlerts(t *testing.T) {
	w := newWorld(t)
	whole := w.list("/v1.0/security/incidents", "$expand", "alerts")
	alerts := 0
	for page := whole; ; page = w.get(page.get("@odata\\.nextLink").String()[len(testBase):]) {
		alerts += len(page.all("value.#.alerts.#.id|@flatten"))
		if !page.get("@odata\\.nextLink").Exists() {
			break
		}
	}
	if alerts != alertCount {
		t.Errorf("got %d alerts in all incidents, want %d", alerts, alertCount)
	}
	bare := w.list("/v1.0/security/incidents", "$top", "1")
	if bare.get("value.0.alerts").Exists() || !bare.get("value.0.displayName").Exists() {
		t.Errorf("got %s, want an incident without its alerts", bare.body)
	}
	for selected, want := range map[string]string{"id,severity": `["id","severity"]`, "id,alerts": `["id"]`} {
		w.same("the keys with "+selected, w.list("/v1.0/security/incidents", "$select", selected, "$top", "1").get("value.0.@keys").String(), want)
	}
	w.same("the expanded keys", w.list("/v1.0/security/incidents", "$select", "id,alerts", "$expand", "alerts", "$top", "1").get("value.0.@keys").String(), `["id","alerts"]`)
	all := w.list("/v1.0/security/incidents", "$count", "true").get("@odata\\.count").Int()
	var ids []string
	for page := w.list("/v1.0/security/incidents", "$top", "2", "$orderby", "createdDateTime"); ; page = w.get(page.get("@odata\\.nextLink").String()[len(testBase):]) {
		found := page.all("value.#.id")
		if ids = append(ids, found...); !page.get("@odata\\.nextLink").Exists() {
			break
		}
		if len(found) != 2 {
			t.Fatalf("got a page of %d incidents, want 2", len(found))
		}
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); int64(len(ids)) != all || all < 3 {
		t.Errorf("got %d incidents on pages of two, want %d", len(ids), all)
	}
	if got := whole.get("value.0.alerts.0.evidence.0.mdeDeviceId").String(); got == "" {
		t.Error("got no device in the evidence of an alert, want one")
	}
	w.refused(http.MethodGet, "/v1.0/security/incidents?$filter=displayName%20eq%20'x'", nil, 400, "BadRequest")
	w.refused(http.MethodGet, "/v1.0/security/incidents?$top=51", nil, 400, "BadRequest")
	w.refused(http.MethodGet, "/v1.0/security/incidents/1", nil, 404, "ResourceNotFound")
}

func TestChangesOfIncidentsMoveTheirLastUpdate(t *testing.T) {
	w := newWorld(t)
	id := w.tenant.OpenIncidents(1, "Low", w.Now(), 0)[0]
	for _, step := range []struct {
		name string
		act  func()
		want func(State) bool
	}{
		{"a status", func() {
			w.ask(http.MethodPatch, "/v1.0/security/incidents/"+id, map[string]any{"status": "inProgress", "customTags": []string{"a"}, "assignedTo": "nora"})
		}, func(s State) bool { return s.Status == "InProgress" && s.AssignedTo == "nora" && len(s.Tags) == 1 }},
		{"a comment", func() {
			w.post("/v1.0/security/incidents/"+id+"/comments", map[string]string{"comment": "c"}, 200)
		}, func(s State) bool { return len(s.Comments) == 1 }},
		{"an alert that joins", func() { w.tenant.JoinIncident(id, "High") }, func(State) bool {
			return w.get("/v1.0/security/incidents/"+id).get("severity").String() == "high"
		}},
		{"an analyst in the portal", func() { w.tenant.ChangeIncident(id, Change{Status: "Resolved", Classification: "TruePositive"}) }, func(s State) bool {
			return s.Status == "Resolved" && s.Classification == "TruePositive"
		}},
		{"nobody any more", func() { w.ask(http.MethodPatch, "/v1.0/security/incidents/"+id, `{"assignedTo":null}`) }, func(s State) bool { return s.AssignedTo == "" }},
	} {
		w.Advance(time.Minute)
		step.act()
		got := w.tenant.IncidentState(id)
		if !step.want(got) || !got.Updated.Equal(w.Now()) {
			t.Errorf("%s: got %+v at %s, want the change and its time", step.name, got, w.Now())
		}
	}
}

func TestMergedIncidentsLeadToTheOneThatIsLeft(t *testing.T) {
	w := newWorld(t)
	ids := w.tenant.OpenIncidents(3, "Medium", w.Now().Add(-time.Hour), time.Minute)
	answer := w.post("/v1.0/security/incidents/mergeIncidents", map[string]any{"incidentIds": []string{ids[1], ids[0]}, "incidentComment": "one attack"}, 200)
	w.same("the target", answer.get("targetIncidentId").String(), ids[0])
	if got := w.tenant.IncidentState(ids[1]); got.Status != "Redirected" || got.MergedInto != ids[0] {
		t.Errorf("got %+v, want an incident that was merged into %s", got, ids[0])
	}
	whole := w.list("/v1.0/security/incidents/"+ids[0], "$expand", "alerts")
	w.same("the alerts of both", whole.get("alerts.#").Int(), int64(2))
	moved := w.post("/v1.0/security/alerts_v2/moveAlerts", map[string]any{"alertIds": []string{whole.get("alerts.1.id").String()}, "incidentId": ids[2], "alertComment": "c"}, 200)
	w.same("the target of a move", moved.get("targetIncidentId").String(), ids[2])
	w.same("the alerts after it", w.list("/v1.0/security/incidents/"+ids[2], "$expand", "alerts").get("alerts.#").Int(), int64(2))
}

func TestLateChangesAppearLater(t *testing.T) {
	w := newWorld(t)
	id := w.tenant.OpenIncidents(1, "Medium", w.Now(), 0)[0]
	w.tenant.SetLateness(4 * time.Minute)
	w.tenant.ChangeIncident(id, Change{Comment: "late"})
	there := func() bool {
		return slices.Contains(w.list("/v1.0/security/incidents").all("value.#.id"), id)
	}
	if there() {
		t.Error("the change is in the list at once")
	}
	w.Advance(4 * time.Minute)
	if !there() {
		t.Error("the change is not in the list after its time")
	}
}
