package simulator

import (
	"strings"
	"testing"
)

func TestListsAreOrdered(t *testing.T) {
	w := newWorld(t)
	names := w.list("/api/machines", "$orderby", "riskScore desc, computerDnsName").all("value.#.computerDnsName")
	risks := w.list("/api/machines", "$orderby", "riskScore desc, computerDnsName").all("value.#.riskScore")
	for i := 1; i < len(names); i++ {
		if risks[i] > risks[i-1] || risks[i] == risks[i-1] && names[i] < names[i-1] {
			t.Errorf("%s %s comes after %s %s", risks[i], names[i], risks[i-1], names[i-1])
		}
	}
	builds := w.list("/api/machines", "$orderby", "osBuild asc").all("value.#.osBuild")
	w.same("the first build, of a machine without one", builds[0], "")
}

func TestListsAreCutByTopAndSkip(t *testing.T) {
	w := newWorld(t)
	ids := w.tenant.MachineIDs()
	for _, c := range []struct {
		options []string
		want    []string
	}{
		{[]string{"$top", "3"}, ids[:3]},
		{[]string{"$top", "3", "$skip", "2"}, ids[2:5]},
		{[]string{"$skip", "38"}, ids[38:]},
		{[]string{"$skip", "100"}, nil},
		{[]string{"$top", "0"}, nil},
		{[]string{"$top", "10000"}, ids},
	} {
		answer := w.list("/api/machines", c.options...)
		if got := answer.all("value.#.id"); strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%v: got %d machines, want %d", c.options, len(got), len(c.want))
		}
		if answer.get(`@odata\.nextLink`).Exists() {
			t.Errorf("%v: got a nextLink, want none", c.options)
		}
	}
}

func TestALongListIsGivenInPages(t *testing.T) {
	w := newWorld(t)
	w.tenant.PageSize(15)
	for _, c := range []struct {
		options []string
		pages   []int
	}{
		{nil, []int{15, 15, 10}},
		{[]string{"$top", "20"}, []int{15, 5}},
		{[]string{"$top", "15"}, []int{15}},
		{[]string{"$filter", "osPlatform eq 'Windows11'"}, []int{15, 4}},
		{[]string{"$skip", "30"}, []int{10}},
	} {
		answer := w.list("/api/machines", c.options...)
		var ids []string
		for i, size := range c.pages {
			got := answer.all("value.#.id")
			if len(got) != size {
				t.Errorf("page %d of %v has %d machines, want %d", i+1, c.options, len(got), size)
			}
			ids = append(ids, got...)
			next := answer.get(`@odata\.nextLink`).String()
			if i == len(c.pages)-1 {
				w.same("the nextLink of the last page", next, "")
				break
			}
			path, found := strings.CutPrefix(next, testBase)
			if !found {
				t.Fatalf("the nextLink is %q, want one of %s", next, testBase)
			}
			answer = w.get(path)
		}
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] {
				t.Errorf("%v: got machine %s twice, want it once", c.options, id)
			}
			seen[id] = true
		}
	}
}

func TestCountSelectAndExpand(t *testing.T) {
	w := newWorld(t)
	counted := w.list("/api/alerts", "$count", "true", "$top", "1", "$filter", "severity eq 'High'")
	if n := counted.get(`@odata\.count`).Int(); n < 10 || n >= 120 || len(counted.all("value")) != 1 {
		t.Errorf("$count says %d for %d alerts, want the number before $top", n, len(counted.all("value")))
	}
	w.same("the count without $count", w.list("/api/alerts", "$top", "1").get(`@odata\.count`).Exists(), false)
	w.same("the selected properties", w.list("/api/machines", "$select", "id,riskScore", "$top", "1").get("value.0.@keys").String(), `["id","riskScore"]`)
	w.same("evidence without $expand", w.list("/api/alerts", "$top", "1").get("value.0.evidence.#"), 0)
	if n := w.list("/api/alerts", "$top", "1", "$expand", "evidence").get("value.0.evidence.#").Int(); n == 0 {
		t.Error("$expand=evidence shows no evidence")
	}
}

func TestQueryOptionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/api/machines?$top=10001", "/api/vulnerabilities?$top=8001", "/api/machines?$top=-1", "/api/machines?$top=x",
		"/api/machines?$skip=-1", "/api/machines?$orderby=nothing", "/api/machines?$orderby=id+down", "/api/machines?$orderby=machineTags",
		"/api/machines?$select=nothing", "/api/machines?$expand=evidence", "/api/alerts?$expand=comments", "/api/alerts?$count=maybe",
		"/api/alerts?$search=x", "/api/alerts?$filter=computerDnsName+eq+'x'", "/api/machines?$filter=osPlatform+eq",
	} {
		w.refused("GET", path, nil, 400, "BadRequest")
	}
}

// TestPlusSignsForSpaces asks as an older client does, which writes plus signs for spaces and then encodes them.
func TestPlusSignsForSpaces(t *testing.T) {
	w := newWorld(t)
	plain := w.get("/api/alerts?$filter=severity%20eq%20%27High%27%20and%20status%20ne%20%27Resolved%27&$orderby=alertCreationTime%20asc").all("value.#.id")
	w.same("alerts by a filter encoded twice", w.get("/api/alerts?$filter=severity%2Beq%2B%27High%27%2Band%2Bstatus%2Bne%2B%27Resolved%27&$orderby=alertCreationTime%2Basc").all("value.#.id"), plain)
	if len(plain) == 0 {
		t.Error("got no alerts")
	}
}

func TestOperationsThatAreNotCarriedOut(t *testing.T) {
	w := newWorld(t)
	for _, op := range operationsElsewhere {
		if _, carriedOut := findOnly(operations, op.method, op.path); carriedOut {
			continue
		}
		refused := w.refused(op.method, "/api"+strings.NewReplacer("{id}", "1", "{time}", "1", "{ip}", "1").Replace(op.path), map[string]string{}, 501, "NotSimulated")
		if message := refused.get("error.message").String(); !strings.Contains(message, string(op.handle.(notSimulated))) {
			t.Errorf("%s %s: the message %q does not name the operation", op.method, op.path, message)
		}
	}
}

func findOnly(table []operation, method, path string) (operation, bool) {
	for _, op := range table {
		if op.method == method && strings.EqualFold(op.path, path) {
			return op, true
		}
	}
	return operation{}, false
}
