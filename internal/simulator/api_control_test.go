package simulator

import (
	"testing"
	"time"
)

func TestAlertsAreAdded(t *testing.T) {
	w := newWorld(t)
	from := w.Now().Add(-time.Minute).Add(1234567 * tick)
	w.tenant.AddAlerts(3, from, 10*time.Second)
	w.tenant.AddAlerts(4, w.Now(), 0)
	ids := w.tenant.AlertIDs()
	w.same("the number of alerts", len(ids), 127)
	listed := w.list("/api/alerts", "$top", "7")
	for i, id := range listed.all("value.#.id") {
		w.same("the alert in the list", id, ids[len(ids)-1-i])
	}
	w.same("the times", listed.all("value.#.alertCreationTime"), []string{
		"2026-06-10T08:30:00Z", "2026-06-10T08:30:00Z", "2026-06-10T08:30:00Z", "2026-06-10T08:30:00Z",
		"2026-06-10T08:29:20.1234567Z", "2026-06-10T08:29:10.1234567Z", "2026-06-10T08:29:00.1234567Z",
	})
	for _, status := range listed.all("value.#.status") {
		w.same("the status", status, "New")
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("there are two alerts %s", id)
		}
		seen[id] = true
	}
	w.tenant.AddAlerts(1, w.Now().Add(-20*day), 0)
	w.same("the oldest alert", w.get("/api/alerts/"+w.tenant.AlertIDs()[0]).get("alertCreationTime"), "2026-05-21T08:30:00Z")
}

func TestMachinesAreAddedForLoad(t *testing.T) {
	w := newWorld(t)
	w.tenant.BulkMachines(10_000)
	w.same("the number of machines", len(w.tenant.MachineIDs()), 10_040)
	first := w.get("/api/machines")
	w.same("the machines of a page", first.get("value.#"), 10_000)
	w.same("whether there are more", first.get(`@odata\.nextLink`).Exists(), true)
	w.same("the filtered ones", w.list("/api/machines", "$filter", "startswith(computerDnsName,'bulk-') and healthStatus eq 'Active'", "$count", "true", "$top", "1").get(`@odata\.count`), 10_000)
}
