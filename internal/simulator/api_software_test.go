package simulator

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSoftwareAgreesWithTheMachines(t *testing.T) {
	w := newWorld(t)
	for _, s := range w.get("/api/Software").get("value").Array() {
		id := s.Get("id").String()
		path := "/api/software/" + id
		w.same(id+" alone", w.get(path).get("impactScore"), s.Get("impactScore"))
		machines := w.get(path + "/machineReferences")
		w.same("machines with "+id, s.Get("installedMachines"), len(machines.all("value")))
		w.same("weaknesses of "+id, s.Get("weaknesses"), len(w.get(path+"/vulnerabilities").all("value")))
		installations := 0
		for _, n := range w.get(path + "/distributions").get("value.#.installations").Array() {
			installations += int(n.Int())
		}
		w.same("installations of "+id, installations, len(machines.all("value")))
		if s.Get("exposedMachines").Int() > s.Get("installedMachines").Int() {
			t.Errorf("%s exposes more machines than it is on", id)
		}
	}
	for _, part := range []string{"", "/distributions", "/machineReferences", "/vulnerabilities", "/getmissingkbs"} {
		w.refused("GET", "/api/Software/contoso-_-none"+part, nil, 404, "ResourceNotFound")
	}
	w.same("the software of a vendor", w.list("/api/Software", "$filter", "vendor eq 'contoso'").all("value.#.id"), []string{"contoso-_-vpn"})
}

func TestVulnerabilitiesAgreeWithTheMachines(t *testing.T) {
	w := newWorld(t)
	pairs := w.get("/api/vulnerabilities/machinesVulnerabilities").get("value").Array()
	exposed := map[string]int{}
	for _, p := range pairs {
		exposed[p.Get("cveId").String()]++
		w.same("the parts of the id", strings.Split(p.Get("id").String(), "-_-")[:2], []string{p.Get("machineId").String(), p.Get("cveId").String()})
	}
	for _, v := range w.get("/api/vulnerabilities").get("value").Array() {
		id := v.Get("id").String()
		w.same("machines exposed by "+id, v.Get("exposedMachines"), exposed[id])
		w.same("machines listed for "+id, len(w.get("/api/vulnerabilities/"+id+"/machineReferences").all("value")), exposed[id])
		w.same(id+" alone", w.get("/api/vulnerabilities/"+id).get("cvssV3"), v.Get("cvssV3"))
	}
	w.refused("GET", "/api/vulnerabilities/CVE-1999-0001", nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/vulnerabilities/CVE-1999-0001/machineReferences", nil, 404, "ResourceNotFound")
	for _, c := range []struct{ path, filter, property, want string }{
		{"/api/vulnerabilities", "severity eq 'Critical'", "severity", "Critical"},
		{"/api/vulnerabilities/machinesVulnerabilities", "severity in ('Critical') and productVendor eq 'google'", "productName", "chrome"},
	} {
		got := w.list(c.path, "$filter", c.filter).all("value.#." + c.property)
		if len(got) == 0 || slices.ContainsFunc(got, func(s string) bool { return s != c.want }) {
			t.Errorf("%s: got %v, want only %s", c.filter, got, c.want)
		}
	}
	for _, score := range w.list("/api/vulnerabilities", "$filter", "cvssV3 gt 8.9 and publishedOn lt 2026-06-01T00:00:00Z").get("value.#.cvssV3").Array() {
		if score.Float() <= 8.9 {
			t.Errorf("a score of %v is not above 8.9", score)
		}
	}
}

func TestVulnerabilitiesOfAMachine(t *testing.T) {
	w := newWorld(t)
	id := w.tenant.MachineIDs()[0]
	path := "/api/machines/" + id
	pairs := w.list("/api/vulnerabilities/machinesVulnerabilities", "$filter", "machineId eq '"+id+"'").all("value.#.cveId")
	if got := w.get(path + "/vulnerabilities").all("value.#.id"); len(got) == 0 || !slices.Equal(got, pairs) {
		t.Errorf("the machine has %v, want %v", got, pairs)
	}
	w.same("its software", w.get(path+"/software").get("value.0.id"), "microsoft-_-windows_11")
	for _, kb := range w.get(path + "/getmissingkbs").get("value").Array() {
		w.same("the machines that lack an update of one machine's", kb.Get("machineMissedOn"), 1)
	}
	for _, r := range w.get(path + "/recommendations").all("value.#.id") {
		if !strings.HasPrefix(r, recommendationPrefix) {
			t.Errorf("the recommendation %s is not about software", r)
		}
	}
	for _, part := range []string{"vulnerabilities", "software", "getmissingkbs", "recommendations"} {
		w.refused("GET", ghost+"/"+part, nil, 404, "ResourceNotFound")
	}
	if len(w.get("/api/Software/microsoft-_-windows_11/getmissingkbs").all("value")) != 1 {
		t.Error("no Windows 11 machine lacks an update")
	}
	w.same("missing updates of what has none", len(w.get("/api/Software/google-_-chrome/getmissingkbs").all("value")), 0)
}

func TestRecommendations(t *testing.T) {
	w := newWorld(t)
	for _, r := range w.get("/api/recommendations").get("value").Array() {
		path := "/api/recommendations/" + r.Get("id").String()
		w.same("the recommendation", w.get(path).get("recommendationName"), r.Get("recommendationName"))
		w.same("the machines of "+path, len(w.get(path+"/machineReferences").all("value")), r.Get("exposedMachinesCount"))
		w.same("the weaknesses of "+path, len(w.get(path+"/vulnerabilities").all("value")), r.Get("weaknesses"))
		w.same("the software of "+path, w.get(path+"/software").get("name"), r.Get("productName"))
	}
	for _, id := range []string{"va-_-contoso-_-none", "contoso-_-vpn", "va-_-microsoft-_-teams"} {
		for _, part := range []string{"", "/machineReferences", "/vulnerabilities", "/software"} {
			w.refused("GET", "/api/recommendations/"+id+part, nil, 404, "ResourceNotFound")
		}
	}
}

func TestScores(t *testing.T) {
	w := newWorld(t)
	w.Advance(40 * time.Minute)
	total := w.get("/api/exposureScore")
	w.same("the time of the score", total.get("time"), "2026-06-10T09:00:00Z")
	if s := total.get("score").Float(); s <= 0 || s > 100 {
		t.Errorf("the exposure score is %v, want one up to 100", s)
	}
	w.same("the groups", w.get("/api/exposureScore/ByMachineGroups").all("value.#.rbacGroupName"), []string{"Workstations", "Servers", "Tier 0", "Mac and Linux"})
	w.same("the configuration score", w.get("/api/configurationScore").get("score"), 340)
}

func TestRemediationTasks(t *testing.T) {
	w := newWorld(t)
	tasks := w.get("/api/remediationTasks").get("value").Array()
	w.same("the number of tasks", len(tasks), 4)
	path := "/api/remediationTasks/" + tasks[0].Get("id").String()
	w.same("the task alone", w.get(path).get("title"), tasks[0].Get("title"))
	w.same("its machines", len(w.get(path+"/machineReferences").all("value")), tasks[0].Get("targetDevices").Int()-2)
	w.same("the completed tasks", len(w.list("/api/remediationTasks", "$filter", "status eq 'Completed'").all("value")), 1)
	w.refused("GET", "/api/remediationTasks/x", nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/remediationTasks/x/machineReferences", nil, 404, "ResourceNotFound")
}

func TestAntivirusHealthIsGivenInPages(t *testing.T) {
	w := newWorld(t)
	first := w.get("/api/deviceavinfo")
	w.same("the machines of a page", len(first.all("value")), antivirusPageSize)
	second := w.get(strings.TrimPrefix(first.get(`@odata\.nextLink`).String(), testBase))
	w.same("the rest", len(second.all("value")), 39-antivirusPageSize)
	kinds := append(first.all("value.#.osKind"), second.all("value.#.osKind")...)
	slices.Sort(kinds)
	w.same("the kinds of system", slices.Compact(kinds), []string{"linux", "mac", "windows"})
	large := w.get("/api/deviceavinfo?pageSize=30")
	w.same("the machines of a larger page", len(large.all("value")), 30)
	large = w.get(strings.TrimPrefix(large.get(`@odata\.nextLink`).String(), testBase))
	w.same("the rest of it", len(large.all("value")), 39-30)
	w.same("a page for all", w.get("/api/deviceavinfo?pageSize=200000").get(`@odata\.nextLink`).Exists(), false)
	top := w.get("/api/deviceavinfo?$top=30")
	w.same("as many as $top says", len(top.all("value")), 30)
	w.same("a page after $top", top.get(`@odata\.nextLink`).Exists(), false)
	for _, size := range []string{"0", "200001", "many"} {
		w.refused("GET", "/api/deviceavinfo?pageSize="+size, nil, 400, "BadRequest")
	}
	w.same("macOS alone", len(w.list("/api/deviceavinfo", "$filter", "osKind eq 'mac'").all("value")), 3)
}

func TestLibraryFiles(t *testing.T) {
	w := newWorld(t)
	before := w.get("/api/libraryfiles").all("value.#.fileName")
	upload := func(fields ...string) told {
		var body strings.Builder
		for i := 0; i+1 < len(fields); i += 2 {
			disposition := fmt.Sprintf("form-data; name=%q", fields[i])
			if fields[i] == "File" {
				disposition += `; filename="new.ps1"`
			}
			fmt.Fprintf(&body, "--b\r\nContent-Disposition: %s\r\n\r\n%s\r\n", disposition, fields[i+1])
		}
		body.WriteString("--b--\r\n")
		return w.upload(body.String(), "multipart/form-data; boundary=b")
	}
	made := upload("File", "Get-Process", "Description", "lists", "ParametersDescription", "-Name")
	w.same("status, name and parameters", fmt.Sprint(made.status, made.get("fileName"), made.get("hasParameters")), "200 new.ps1 true")
	w.same("by whom", made.get("createdBy"), w.app.ID)
	w.same("the library", w.get("/api/libraryfiles").all("value.#.fileName"), append(before, "new.ps1"))
	w.same("the same file again", upload("File", "x").status, 400)
	replaced := upload("File", "x", "OverrideIfExists", "true")
	w.same("the same file, to be replaced", replaced.status, 200)
	if replaced.get("sha256").String() == made.get("sha256").String() {
		t.Error("the file is the old one still")
	}
	w.same("what is neither true nor false", upload("File", "x", "OverrideIfExists", "perhaps").status, 400)
	w.same("an upload without a file", upload("Description", "x").status, 400)
	w.same("an upload of another type", w.upload("{}", "application/json").status, 400)
	w.same("an upload that ends too early", w.upload("--b\r\nContent", "multipart/form-data; boundary=b").status, 400)
	w.same("a file over the limit", upload("File", strings.Repeat("x", maxLibraryFile+1)).status, 400)

	id := w.post(w.laptop()+"/runliveresponse", runScript("NEW.ps1"), 201).get("id").String()
	w.Advance(time.Minute)
	w.same("a session with the new script", w.get("/api/machineactions/"+id).get("status"), "Succeeded")
	w.same("deleting it", w.ask("DELETE", "/api/libraryfiles/new.ps1", nil).status, 204)
	w.refused("DELETE", "/api/libraryfiles/new.ps1", nil, 404, "ResourceNotFound")
	w.same("the library in the end", w.get("/api/libraryfiles").all("value.#.fileName"), before)
}

// TestLinksOfExportsWorkForAWhile wants the lifetimes that the page of each export states.
func TestLinksOfExportsWorkForAWhile(t *testing.T) {
	w := newWorld(t)
	for path, hours := range map[string]time.Duration{
		"SoftwareVulnerabilitiesExport":                  1,
		"SoftwareVulnerabilitiesExport?sasValidHours=6":  6,
		"certificateAssessmentExport":                    3,
		"SoftwareInventoryNonCpeExport?sasValidHours=24": 24,
	} {
		link, err := url.Parse(w.get("/api/machines/" + path).get("exportFiles.0").String())
		if err != nil {
			t.Fatal(err)
		}
		w.same(path, link.Query().Get("se"), w.Now().UTC().Add(hours*time.Hour).Format(time.RFC3339))
	}
	for _, path := range []string{"SoftwareVulnerabilitiesExport?sasValidHours=7", "certificateAssessmentExport?sasValidHours=25"} {
		w.refused("GET", "/api/machines/"+path, nil, 400, "BadRequest")
	}
}

// TestFilesOfExportsAreKeptAsLongAsTheirLinksWork looks at what is held: a large company has hundreds of megabytes of them a day.
func TestFilesOfExportsAreKeptAsLongAsTheirLinksWork(t *testing.T) {
	w := newWorld(t)
	long := w.get("/api/machines/SoftwareInventoryExport?sasValidHours=6").all("exportFiles")
	w.Advance(time.Hour)
	w.get("/api/machines/SoftwareInventoryExport") // of the same snapshot, for an hour
	w.Advance(3 * time.Hour)
	short := w.get("/api/machines/SoftwareVulnerabilitiesExport").all("exportFiles")
	for _, link := range slices.Concat(long, short) {
		w.same("the status of a link that works", w.download(link).status, 200)
	}
	w.Advance(12 * time.Hour)
	last := w.get("/api/machines/SoftwareVulnerabilitiesExport").all("exportFiles")
	w.same("files in the end", len(w.company.blobs), len(last))
}

func TestExpiredLinksAreNotMadeAgain(t *testing.T) {
	now := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line stateLine
		age  time.Duration
		want bool
	}{
		{stateLine{Do: "api", Method: "GET", URI: "/api/machines/SoftwareInventoryExport"}, 2 * time.Hour, false},
		{stateLine{Do: "api", Method: "GET", URI: "/api/machines/SoftwareInventoryExport"}, 4 * time.Hour, true},
		{stateLine{Do: "api", Method: "GET", URI: "/api/machines/InfoGatheringExport?sasValidHours=24"}, 23 * time.Hour, false},
		{stateLine{Do: "api", Method: "GET", URI: "/api/machines/InfoGatheringExport?sasValidHours=24"}, 25 * time.Hour, true},
		{stateLine{Do: "api", Method: "POST", URI: "/api/machines/1/isolate"}, 1000 * time.Hour, false},
		{stateLine{Do: "scene", Name: "phishing-wave"}, 1000 * time.Hour, false},
	} {
		c.line.At = now.Add(-c.age)
		if got := c.line.expired(now); got != c.want {
			t.Errorf("%s %s of %s ago: got %t, want %t", c.line.Method, c.line.URI, c.age, got, c.want)
		}
	}
}
