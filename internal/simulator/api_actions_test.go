package simulator

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const ghost = "/api/machines/0000000000000000000000000000000000000000"

// linux is the path of a machine that runs Linux, laptop that of one that runs Windows.
func (w *world) linux() string  { return "/api/machines/" + w.company.hostNamed("web-01").ID }
func (w *world) laptop() string { return "/api/machines/" + w.company.machines[0].ID }

func TestEveryKindOfActionGoesFromPendingToSucceeded(t *testing.T) {
	comment := map[string]string{"Comment": "ticket 4711"}
	for _, c := range []struct {
		operation, kind, scope string
		body                   map[string]string
		status                 int
	}{
		{"isolate", "Isolate", "Full", comment, 201},
		{"isolate", "Isolate", "Selective", map[string]string{"Comment": "c", "IsolationType": "Selective"}, 201},
		{"unisolate", "Unisolate", "", comment, 201},
		{"restrictCodeExecution", "RestrictCodeExecution", "", comment, 201},
		{"unrestrictCodeExecution", "UnrestrictCodeExecution", "", comment, 201},
		{"runAntiVirusScan", "RunAntiVirusScan", "Quick", map[string]string{"Comment": "c", "ScanType": "Quick"}, 201},
		{"collectInvestigationPackage", "CollectInvestigationPackage", "", comment, 201},
		{"StopAndQuarantineFile", "StopAndQuarantineFile", "", map[string]string{"Comment": "c", "Sha1": strings.Repeat("ab", 20)}, 201},
		{"offboard", "Offboard", "", comment, 200},
	} {
		w := newWorld(t)
		made := w.post(w.laptop()+"/"+c.operation, c.body, c.status)
		w.same("the type", made.get("type"), c.kind)
		w.same("the scope of "+c.kind, made.get("scope"), c.scope)
		w.same("the requestor", made.get("requestor"), w.app.ID)
		w.same("the time", made.get("creationDateTimeUtc"), "2026-06-10T08:30:00Z")
		path := "/api/machineactions/" + made.get("id").String()
		w.same("the status at first", w.get(path).get("status"), "Pending")
		w.Advance(actionDelay)
		w.same("the status when the machine has it", w.get(path).get("status"), "InProgress")
		w.Advance(actionKinds()[c.kind].running)
		done := w.get(path)
		w.same("the status in the end", done.get("status"), "Succeeded")
		w.same("the last update", done.get("lastUpdateDateTimeUtc"), w.Now().Format(time.RFC3339Nano))
	}
}

func TestActionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	comment := map[string]string{"Comment": "c"}
	for _, operation := range []string{"isolate", "unisolate", "restrictCodeExecution", "unrestrictCodeExecution", "collectInvestigationPackage", "offboard"} {
		w.refused("POST", ghost+"/"+operation, comment, 404, "ResourceNotFound")
		w.refused("POST", w.laptop()+"/"+operation, map[string]string{}, 400, "MissingRequiredParameter")
	}
	w.refused("POST", w.laptop()+"/runAntiVirusScan", comment, 400, "MissingRequiredParameter")
	w.refused("POST", w.laptop()+"/runAntiVirusScan", map[string]string{"Comment": "c", "ScanType": "Deep"}, 400, "InvalidInput")
	w.refused("POST", w.laptop()+"/StopAndQuarantineFile", comment, 400, "MissingRequiredParameter")
	w.refused("POST", w.laptop()+"/StopAndQuarantineFile", map[string]string{"Comment": "c", "Sha1": strings.Repeat("a", 64)}, 400, "InvalidHashValue")
	for _, operation := range []string{"restrictCodeExecution", "collectInvestigationPackage"} {
		w.refused("POST", w.linux()+"/"+operation, comment, 400, "OsPlatformNotSupported")
	}
	w.refused("POST", w.linux()+"/isolate", map[string]string{"Comment": "c", "IsolationType": "Selective"}, 400, "OsPlatformNotSupported")
	kiosk := "/api/machines/kiosk-01." + domain
	w.refused("POST", kiosk+"/isolate", comment, 400, "BadRequest")
	w.same("the number of actions", len(w.tenant.Actions()), 6)
}

func TestTheSameActionTwice(t *testing.T) {
	w := newWorld(t)
	comment := map[string]string{"Comment": "c"}
	first := w.post(w.laptop()+"/isolate", comment, 201).get("id").String()
	refused := w.refused("POST", w.laptop()+"/isolate", comment, 400, "BadRequest")
	if message := refused.get("error.message").String(); !strings.Contains(message, first) || !strings.Contains(message, "already in progress") {
		t.Errorf("the error says %q, want one that names the action %s", message, first)
	}
	w.post("/api/machines/"+w.tenant.MachineIDs()[1]+"/isolate", comment, 201)
	w.post(w.laptop()+"/restrictCodeExecution", comment, 201)
	w.Advance(time.Minute)
	w.post(w.laptop()+"/isolate", comment, 201)
}

func TestFilesAreQuarantinedSideBySide(t *testing.T) {
	w := newWorld(t)
	file := func(sha1 string) map[string]string { return map[string]string{"Comment": "c", "Sha1": sha1} }
	first, second := strings.Repeat("AB", 20), strings.Repeat("cd", 20)
	made := w.post(w.laptop()+"/StopAndQuarantineFile", file(first), 201)
	w.same("the file", made.get("relatedFileInfo").Raw, `{"fileIdentifier":"`+strings.ToLower(first)+`","fileIdentifierType":"Sha1"}`)
	w.post(w.laptop()+"/StopAndQuarantineFile", file(second), 201)
	w.refused("POST", w.laptop()+"/StopAndQuarantineFile", file(strings.ToLower(first)), 400, "BadRequest")
	signed := w.post(w.laptop()+"/StopAndQuarantineFile", file(w.company.fileNamed("cmd.exe").SHA1), 201).get("id").String()
	w.Advance(time.Minute)
	w.same("the end of quarantining a file of Microsoft's", w.get("/api/machineactions/"+signed).get("status"), "Failed")
}

func TestActionsOnAMachineThatDoesNotReport(t *testing.T) {
	w := newWorld(t)
	spare := "/api/machines/spare-nb-01." + domain
	isolation := w.post(spare+"/isolate", map[string]string{"Comment": "c"}, 201).get("id").String()
	session := w.post(spare+"/runliveresponse", runScript("triage.ps1"), 201).get("id").String()
	w.Advance(sessionPatience - time.Second)
	w.same("a waiting session", w.get("/api/machineactions/"+session).get("status"), "Pending")
	w.Advance(time.Second)
	w.same("a session after two hours", w.get("/api/machineactions/"+session).get("status"), "TimeOut")
	w.same("a waiting isolation", w.get("/api/machineactions/"+isolation).get("status"), "Pending")
	w.Advance(actionPatience)
	w.same("an isolation after three days", w.get("/api/machineactions/"+isolation).get("status"), "TimeOut")
}

func TestActionsFailOnDemand(t *testing.T) {
	w := newWorld(t)
	comment := map[string]string{"Comment": "c"}
	failing := w.post(w.laptop()+"/isolate", comment, 201).get("id").String()
	w.tenant.FailActions("Isolate")
	fine := w.post(w.laptop()+"/unisolate", comment, 201).get("id").String()
	w.Advance(time.Minute)
	w.same("the action that fails", w.get("/api/machineactions/"+failing).get("status"), "Failed")
	w.same("one of another type", w.get("/api/machineactions/"+fine).get("status"), "Succeeded")
	w.tenant.FailActions()
	after := w.post(w.laptop()+"/isolate", comment, 201).get("id").String()
	w.Advance(time.Minute)
	w.same("one after that", w.get("/api/machineactions/"+after).get("status"), "Succeeded")
}

func TestActionsHaltOnDemand(t *testing.T) {
	w := newWorld(t)
	comment := map[string]string{"Comment": "c"}
	before := w.post(w.laptop()+"/isolate", comment, 201).get("id").String()
	w.Advance(actionDelay)
	w.tenant.HaltActions(true)
	w.tenant.HaltActions(true)
	w.Advance(time.Hour)
	during := w.post(w.laptop()+"/restrictCodeExecution", comment, 201).get("id").String()
	w.Advance(time.Hour)
	w.same("an action under way", w.get("/api/machineactions/"+before).get("status"), "InProgress")
	w.same("a new action", w.get("/api/machineactions/"+during).get("status"), "Pending")
	w.tenant.HaltActions(false)
	w.same("the action under way, continued", w.get("/api/machineactions/"+before).get("status"), "InProgress")
	w.Advance(actionKinds()["Isolate"].running)
	w.same("the action under way, in the end", w.get("/api/machineactions/"+before).get("status"), "Succeeded")
	w.same("the new action, in the end", w.get("/api/machineactions/"+during).get("status"), "Succeeded")
}

func TestActionsAreListedAndFiltered(t *testing.T) {
	w := newWorld(t)
	made := w.post(w.laptop()+"/isolate", map[string]string{"Comment": "c"}, 201).get("id").String()
	all := w.get("/api/machineactions").all("value.#.id")
	w.same("the newest action", all[0], made)
	views := w.tenant.Actions()
	last := views[len(views)-1]
	w.same("the last action of the test's view", last, ActionView{made, "Isolate", w.company.machines[0].ID, "Pending", w.Now()})
	got := w.list("/api/machineactions", "$filter", "type eq 'Isolate' and machineId eq '"+w.company.machines[0].ID+"' and status eq 'Pending'").all("value.#.id")
	w.same("the filtered actions", got, []string{made})
	if got := w.list("/api/machineactions", "$filter", "creationDateTimeUtc lt 2026-06-10T00:00:00Z").all("value.#.id"); len(got) != 6 || slices.Contains(got, made) {
		t.Errorf("%d actions are older than today, want the six of the last week", len(got))
	}
	w.refused("GET", "/api/machineactions/x", nil, 404, "ResourceNotFound")
}

func TestAnActionIsCancelled(t *testing.T) {
	w := newWorld(t)
	path := "/api/machineactions/" + w.post(w.laptop()+"/isolate", map[string]string{"Comment": "c"}, 201).get("id").String()
	all := w.app
	w.app.Roles = []string{"Machine.Scan"}
	w.refused("POST", path+"/cancel", map[string]string{"Comment": "stop"}, 403, "Forbidden")
	w.app = all
	w.Advance(time.Second)
	cancelled := w.post(path+"/cancel", map[string]string{"Comment": "stop"}, 200)
	w.same("the status", cancelled.get("status"), "Cancelled")
	w.same("the comment", cancelled.get("cancellationComment"), "stop")
	w.same("who", cancelled.get("cancellationRequestor"), w.app.ID)
	w.same("when", cancelled.get("cancellationDateTimeUtc"), w.Now().Format(time.RFC3339Nano))
	w.Advance(time.Minute)
	w.same("the status later", w.get(path).get("status"), "Cancelled")
	w.refused("POST", path+"/cancel", map[string]string{"Comment": "stop"}, 400, "BadRequest")
	w.refused("POST", "/api/machineactions/x/cancel", map[string]string{}, 404, "ResourceNotFound")
}

func TestAnOffboardedMachineReportsNoMore(t *testing.T) {
	w := newWorld(t)
	w.post(w.laptop()+"/offboard", map[string]string{"Comment": "sold"}, 200)
	w.same("its health before", w.get(w.laptop()).get("healthStatus"), "Active")
	w.Advance(time.Minute)
	w.same("its health after", w.get(w.laptop()).get("healthStatus"), "Inactive")
	w.refused("POST", w.laptop()+"/isolate", map[string]string{"Comment": "c"}, 400, "BadRequest")
}

func TestTheInvestigationPackageIsReadyWhenTheActionEnds(t *testing.T) {
	w := newWorld(t)
	id := w.post(w.laptop()+"/collectInvestigationPackage", map[string]string{"Comment": "c"}, 201).get("id").String()
	path := "/api/machineactions/" + id + "/getPackageUri"
	w.refused("GET", path, nil, 404, "ResourceNotFound")
	w.Advance(time.Minute)
	value := w.get(path).get("value").String()
	link, found := strings.CutPrefix(value, `"`+testBase)
	if !found || !strings.HasSuffix(link, `"`) {
		t.Fatalf("the value is %s, want a link in a pair of quotes", value)
	}
	link = strings.TrimSuffix(link, `"`)
	first := w.download(link)
	if first.status != http.StatusOK || !strings.HasPrefix(first.body, "PK") {
		t.Errorf("the package answers %d %.20q, want a zip file", first.status, first.body)
	}
	w.same("the package when it is asked for again", w.download(link).body == first.body, true)
	other := w.post(w.laptop()+"/isolate", map[string]string{"Comment": "c"}, 201).get("id").String()
	w.refused("GET", "/api/machineactions/"+other+"/getPackageUri", nil, 400, "BadRequest")
	w.refused("GET", "/api/machineactions/x/getPackageUri", nil, 404, "ResourceNotFound")
}
