package simulator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFilesByEveryHash(t *testing.T) {
	w := newWorld(t)
	f := w.company.fileNamed("updater_helper.exe")
	for _, hash := range []string{f.SHA1, f.SHA256, strings.ToUpper(f.SHA1)} {
		w.same("the file of "+hash, w.get("/api/files/"+hash).get("sha256"), f.SHA256)
	}
	w.same("its determination", w.get("/api/files/"+f.SHA1).get("determinationType"), "Malware")
	w.same("whether an unsigned file has a valid certificate", w.get("/api/files/"+f.SHA1).get("isValidCertificate").Raw, "null")
	w.same("the signer of a signed one", w.get("/api/files/"+w.company.fileNamed("cmd.exe").SHA1).get("signer"), "Microsoft Corporation")
	unseen := strings.Repeat("0", 40)
	w.refused("GET", "/api/files/"+unseen, nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/files/"+unseen+"/stats", nil, 404, "ResourceNotFound")
	for _, path := range []string{"/api/files/" + f.MD5, "/api/files/" + f.MD5 + "/stats", "/api/files/evil.exe", "/api/files/evil.exe/stats", "/api/files/evil.exe/alerts", "/api/files/evil.exe/machines"} {
		w.refused("GET", path, nil, 400, "InvalidHashValue")
	}
}

func TestAlertsAndMachinesOfAFileTakeASHA1(t *testing.T) {
	w := newWorld(t)
	f := w.company.fileNamed("updater_helper.exe")
	alerts := w.list("/api/files/"+f.SHA1+"/alerts", "$expand", "evidence")
	if len(alerts.all("value")) == 0 {
		t.Error("the file has no alerts")
	}
	machines := w.get("/api/files/" + f.SHA1 + "/machines").all("value.#.id")
	for _, a := range alerts.get("value").Array() {
		if !a.Get(`evidence.#(sha1=="` + f.SHA1 + `")`).Exists() {
			t.Errorf("alert %s does not mention the file", a.Get("id"))
		}
		if !slices.Contains(machines, a.Get("machineId").String()) {
			t.Errorf("machine %s of an alert is not among those of the file", a.Get("machineId"))
		}
	}
	for _, list := range []string{"alerts", "machines"} {
		w.refused("GET", "/api/files/"+f.SHA256+"/"+list, nil, 400, "InvalidHashValue")
		w.same(list+" of an unseen file", len(w.get("/api/files/"+strings.Repeat("0", 40)+"/"+list).all("value")), 0)
	}
}

func TestStatisticsCountTheMachinesOfTheTime(t *testing.T) {
	w := newWorld(t)
	f := w.company.fileNamed("cmd.exe")
	all := w.get("/api/files/" + f.SHA1 + "/stats")
	recent := w.list("/api/files/"+f.SHA1+"/stats", "lookBackHours", "200")
	count := all.get("organizationPrevalence").Int()
	w.same("the prevalence as text", all.get("orgPrevalence").Raw, `"`+all.get("organizationPrevalence").Raw+`"`)
	w.same("the machines with the file in 30 days", count, len(w.get("/api/files/"+f.SHA1+"/machines").all("value")))
	w.same("the machines with the file in the last days, without the two in the drawer", recent.get("organizationPrevalence").Int(), count-2)
	w.same("its names", all.get("topFileNames").Raw, `["cmd.exe"]`)

	domainPath := "/api/domains/" + controlHost
	w.same("the machines that talked to a domain", w.get(domainPath+"/stats").get("organizationPrevalence").Int(), len(w.get(domainPath+"/machines").all("value")))
	w.same("the host", w.get(domainPath+"/stats").get("host"), controlHost)
	w.same("the address", w.get("/api/ips/"+controlIP+"/stats").get("ipAddress"), controlIP)
	w.Advance(29 * day)
	if before, now := count, w.get("/api/files/"+f.SHA1+"/stats").get("organizationPrevalence").Int(); now >= before {
		t.Errorf("a month later %d of %d machines count, want fewer", now, before)
	}
	for _, hours := range []string{"0", "721", "-5", "all"} {
		w.refused("GET", "/api/files/"+f.SHA1+"/stats?lookBackHours="+hours, nil, 400, "InvalidInput")
		w.refused("GET", domainPath+"/stats?lookBackHours="+hours, nil, 400, "InvalidInput")
		w.refused("GET", "/api/ips/"+controlIP+"/stats?lookBackHours="+hours, nil, 400, "InvalidInput")
	}
}

func TestDomainsAndAddresses(t *testing.T) {
	w := newWorld(t)
	for _, a := range w.list("/api/domains/"+strings.ToUpper(controlHost)+"/alerts", "$expand", "evidence").get("value").Array() {
		if !strings.Contains(a.Get("evidence").Raw, controlHost) {
			t.Errorf("alert %s does not name the domain", a.Get("id"))
		}
	}
	if len(w.get("/api/domains/"+controlHost+"/alerts").all("value")) == 0 || len(w.get("/api/ips/"+controlIP+"/alerts").all("value")) == 0 {
		t.Error("the server that controls malware has no alerts")
	}
	for _, path := range []string{"/api/domains/unseen.example/alerts", "/api/domains/unseen.example/machines", "/api/ips/192.0.2.1/alerts", "/api/ips/2001:db8::1/alerts"} {
		w.same(path, len(w.get(path).all("value")), 0)
	}
	w.refused("GET", "/api/domains/unseen.example/stats", nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/ips/192.0.2.1/stats", nil, 404, "ResourceNotFound")
	for _, name := range []string{"localhost", "a_b", "-x.example", "x..example", "x.example'", "10.0.0.1"} {
		for _, list := range []string{"alerts", "machines", "stats"} {
			w.refused("GET", "/api/domains/"+name+"/"+list, nil, 400, "InvalidDomainName")
		}
	}
	for _, ip := range []string{"10.0.0", "10.0.0.256", "x", "10.0.0.0%2F8"} {
		w.refused("GET", "/api/ips/"+ip+"/alerts", nil, 400, "InvalidIpAddress")
		w.refused("GET", "/api/ips/"+ip+"/stats", nil, 400, "InvalidIpAddress")
	}
}

func TestInvestigations(t *testing.T) {
	w := newWorld(t)
	list := w.get("/api/investigations").get("value").Array()
	if len(list) < 10 {
		t.Fatalf("there are %d investigations, want more", len(list))
	}
	one := list[3]
	w.same("the investigation by its id", w.get("/api/investigations/"+one.Get("id").String()).get("startTime"), one.Get("startTime"))
	w.same("the investigation by its alert", w.get("/api/investigations/"+one.Get("triggeringAlertId").String()).get("id"), one.Get("id"))
	w.same("the investigation of that alert", w.get("/api/alerts/"+one.Get("triggeringAlertId").String()).get("investigationId"), one.Get("id"))
	for _, i := range w.list("/api/investigations", "$filter", "state eq 'Running'").get("value").Array() {
		w.same("the end of a running investigation", i.Get("endTime").Raw, "null")
	}
	w.refused("GET", "/api/investigations/1", nil, 404, "ResourceNotFound")
}

func TestInvestigationsAreStartedByHandUntilThatEnded(t *testing.T) {
	w := newWorld(t)
	comment := map[string]string{"Comment": "c"}
	w.refused("POST", ghost+"/startInvestigation", comment, 404, "ResourceNotFound")
	w.refused("POST", w.laptop()+"/startInvestigation", map[string]string{}, 400, "MissingRequiredParameter")
	made := w.post(w.laptop()+"/startInvestigation", comment, 201)
	w.same("its state", made.get("state"), "Running")
	w.refused("POST", w.laptop()+"/startInvestigation", comment, 400, "BadRequest")
	w.Advance(investigationTime)
	ended := w.get("/api/investigations/" + made.get("id").String())
	w.same("its state later", ended.get("state"), "SuccessfullyRemediated")
	w.same("its end", ended.get("endTime"), w.Now().Format(time.RFC3339))
	w.Advance(investigationsEnd().Add(-time.Second).Sub(w.Now()))
	w.post(w.laptop()+"/startInvestigation", comment, 201)
	w.Advance(investigationsEnd().Sub(w.Now()))
	refused := w.refused("POST", "/api/machines/"+w.tenant.MachineIDs()[1]+"/startInvestigation", comment, 403, "DisabledFeature")
	if message := refused.get("error.message").String(); !strings.Contains(message, "retired") {
		t.Errorf("the error says %q, want that it was retired", message)
	}
}
