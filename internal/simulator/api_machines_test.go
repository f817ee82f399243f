package simulator

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMachinesAreFiltered(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		filter string
		want   int
	}{
		{"osPlatform eq 'macOS'", 3},
		{"healthStatus ne 'Active'", 5},
		{"startswith(computerDnsName,'dc-')", 2},
		{"computerDnsName in ('web-01.contoso.example','git-01.contoso.example')", 2},
		{"machineTags/any(tag: tag eq 'Internet facing')", 2},
		{"onboardingStatus eq 'CanBeOnboarded'", 1},
		{"rbacGroupId eq 142", 2},
		{"lastSeen lt 2026-06-01T00:00:00Z", 2},
		{"computerDnsName eq 'x'' or ''1'' eq ''1'", 0},
	} {
		w.same(c.filter, len(w.list("/api/machines", "$filter", c.filter).all("value")), c.want)
	}
}

func TestAMachineIsFoundByIDOrName(t *testing.T) {
	w := newWorld(t)
	id := w.tenant.MachineIDs()[0]
	for _, name := range []string{id, strings.ToUpper(id), "fin-nb-01.contoso.example"} {
		w.same("the id of "+name, w.get("/api/machines/"+name).get("id"), id)
	}
	w.refused("GET", "/api/machines/ghost", nil, 404, "ResourceNotFound")
}

func TestMachinesAreFoundByAddressAndTime(t *testing.T) {
	w := newWorld(t)
	m := w.company.machines[0]
	find := func(ip string, when time.Time) []string {
		return w.get("/api/machines/findbyip(ip='" + ip + "',timestamp=" + when.Format(time.RFC3339Nano) + ")").all("value.#.id")
	}
	seen := m.LastSeen.Time
	w.same("the machine at that time", find(m.LastIPAddress, seen), []string{m.ID})
	w.same("the machine 15 minutes later", find(m.LastIPAddress, seen.Add(15*time.Minute)), []string{m.ID})
	w.same("the machine 15 minutes before", find(m.LastIPAddress, seen.Add(-15*time.Minute)), []string{m.ID})
	w.same("the machine 16 minutes later", find(m.LastIPAddress, seen.Add(16*time.Minute)), []string{})
	w.same("no machine at another address", find("10.99.0.1", seen), []string{})
	w.refused("GET", "/api/machines/findbyip(ip='10.99.0.x',timestamp=2026-06-10T08:00:00Z)", nil, 400, "InvalidIpAddress")
	w.refused("GET", "/api/machines/findbyip(ip='10.99.0.1',timestamp=today)", nil, 400, "InvalidInput")
	w.refused("GET", "/api/machines/findbyip(ip='10.99.0.1',timestamp=2026-05-01T08:00:00Z)", nil, 400, "InvalidInput")
}

func TestMachinesAreFoundByTag(t *testing.T) {
	w := newWorld(t)
	w.same("machines with the tag", len(w.list("/api/machines/findbytag", "tag", "Finance").all("value")), 4)
	w.same("machines with a part of it", len(w.list("/api/machines/findbytag", "tag", "Fin").all("value")), 0)
	w.same("machines with a tag that starts so", len(w.list("/api/machines/findbytag", "tag", "Fin", "useStartsWithFilter", "true").all("value")), 4)
	w.refused("GET", "/api/machines/findbytag", nil, 400, "MissingRequiredParameter")
	w.refused("GET", "/api/machines/findbytag?tag=a&useStartsWithFilter=perhaps", nil, 400, "InvalidInput")
}

func TestTagsAreAddedAndRemoved(t *testing.T) {
	w := newWorld(t)
	path := "/api/machines/" + w.tenant.MachineIDs()[0]
	tag := func(action, value string) string {
		return w.post(path+"/tags", map[string]string{"Value": value, "Action": action}, 200).get("machineTags").Raw
	}
	w.same("tags", tag("Add", "seen | 'once'"), `["Finance","seen | 'once'"]`)
	w.same("tags after adding one again", tag("Add", "Finance"), `["seen | 'once'","Finance"]`)
	w.same("tags after removing one", tag("Remove", "seen | 'once'"), `["Finance"]`)
	w.same("tags after removing a missing one", tag("Remove", "other"), `["Finance"]`)
	w.same("the machine's tags", w.get(path).get("machineTags").Raw, `["Finance"]`)
	w.refused("POST", path+"/tags", map[string]string{"Value": "a", "Action": "Toggle"}, 400, "InvalidInput")
	w.refused("POST", path+"/tags", map[string]string{"Action": "Add"}, 400, "MissingRequiredParameter")
	w.refused("POST", "/api/machines/ghost/tags", map[string]string{"Value": "a", "Action": "Add"}, 404, "ResourceNotFound")
}

func TestManyMachinesAreTagged(t *testing.T) {
	w := newWorld(t)
	const path = "/api/machines/AddOrRemoveTagForMultipleMachines"
	ids := w.tenant.MachineIDs()[:3]
	w.post(path, map[string]any{"Value": "batch", "Action": "Add", "MachineIds": ids}, 200)
	w.same("machines with the tag", w.list("/api/machines/findbytag", "tag", "batch").all("value.#.id"), ids)
	w.refused("POST", path, map[string]any{"Value": "batch2", "Action": "Add", "MachineIds": []string{ids[0], "ghost"}}, 404, "ResourceNotFound")
	w.same("machines tagged by a batch with an unknown one", len(w.list("/api/machines/findbytag", "tag", "batch2").all("value")), 0)
	w.refused("POST", path, map[string]any{"Value": "a", "Action": "Add", "MachineIds": slices.Repeat(ids, 200)}, 400, "MaximumBatchSizeExceeded")
	w.refused("POST", path, map[string]any{"Value": "a", "Action": "Add", "MachineIds": []string{}}, 400, "MissingRequiredParameter")
}

func TestMachinesAreChanged(t *testing.T) {
	w := newWorld(t)
	path := "/api/machines/" + w.tenant.MachineIDs()[1]
	changed := w.ask("PATCH", path, map[string]any{"deviceValue": "Low", "machineTags": []string{"only"}})
	w.same("status, value and tags", []string{strconv.Itoa(changed.status), changed.get("deviceValue").String(), changed.get("machineTags").Raw}, []string{"200", "Low", `["only"]`})
	w.same("the tags when none are given", w.ask("PATCH", path, map[string]any{"machineTags": nil}).get("machineTags").Raw, `["only"]`)
	w.same("the value", w.post(path+"/setDeviceValue", map[string]string{"DeviceValue": "High"}, 200).get("deviceValue"), "High")
	w.refused("POST", path+"/setDeviceValue", map[string]string{"DeviceValue": "Huge"}, 400, "InvalidInput")
	w.refused("POST", path+"/setDeviceValue", map[string]string{}, 400, "MissingRequiredParameter")
}

func TestUsersOfAMachineAndMachinesOfAUser(t *testing.T) {
	w := newWorld(t)
	id := w.tenant.MachineIDs()[0]
	users := w.get("/api/machines/" + id + "/logonusers")
	w.same("who works on it", users.get("value.0.accountName"), "nlindqvist")
	w.same("how", users.get("value.0.logonTypes"), "Interactive")
	if got := w.get("/api/users/nlindqvist/machines").all("value.#.id"); !slices.Equal(got, []string{id}) {
		t.Errorf("the user's machines are %v, want %s", got, id)
	}
	w.same("machines of a user principal name", len(w.get("/api/users/nlindqvist@contoso.example/machines").all("value")), 0)
	w.same("machines of an unknown user", len(w.get("/api/users/ghost/machines").all("value")), 0)
	w.refused("GET", "/api/machines/ghost/logonusers", nil, 404, "ResourceNotFound")
	for _, name := range w.get("/api/alerts").all("value.#.relatedUser.userName") {
		for _, other := range w.get("/api/users/" + name + "/alerts").all("value.#.relatedUser.userName") {
			w.same("the user of an alert of "+name, other, name)
		}
	}
	w.same("alerts of a user principal name", len(w.get("/api/users/nlindqvist@contoso.example/alerts").all("value")), 0)
}
