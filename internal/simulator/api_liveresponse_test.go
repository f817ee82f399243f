package simulator

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// download follows a link, given without the base.
func (w *world) download(link string) told {
	recorder := httptest.NewRecorder()
	w.company.serveDownload(recorder, httptest.NewRequest(http.MethodGet, link, nil))
	return told{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// command is a command of a session, its parameters as name and value.
func command(kind string, parameters ...string) map[string]any {
	list := []map[string]string{}
	for i := 0; i+1 < len(parameters); i += 2 {
		list = append(list, map[string]string{"key": parameters[i], "value": parameters[i+1]})
	}
	return map[string]any{"type": kind, "params": list}
}

func session(commands ...map[string]any) map[string]any {
	return map[string]any{"Comment": "why", "Commands": commands}
}

func runScript(name string) map[string]any {
	return session(command("RunScript", "ScriptName", name))
}

// result reads the result of one command of an action.
func (w *world) result(action, index string) told {
	w.Helper()
	value := w.get("/api/machineactions/" + action + "/GetLiveResponseResultDownloadLink(index=" + index + ")").get("value").String()
	link, found := strings.CutPrefix(value, testBase)
	if !found {
		w.Fatalf("the value is %s, want a link", value)
	}
	return w.download(link)
}

func TestALiveResponseSessionRunsItsCommandsInTurn(t *testing.T) {
	w := newWorld(t)
	made := w.post(w.laptop()+"/runliveresponse", session(
		command("PutFile", "FileName", "cleanup-tool.exe"),
		command("RunScript", "ScriptName", "triage.ps1", "Args", "-Days 3"),
		command("GetFile", "Path", `C:\Users\Public\evil.exe`),
	), 201)
	id := made.get("id").String()
	w.same("type, status and comment", made.get("[type,status,requestorComment]").Raw, `["LiveResponse","Pending","why"]`)
	w.same("the first command", made.get("commands.1").Raw, `{"index":1,"startTime":null,"endTime":null,"commandStatus":"Created","errors":[],"command":{"type":"RunScript","params":[{"key":"ScriptName","value":"triage.ps1"},{"key":"Args","value":"-Days 3"}]}}`)
	states := func() string {
		action := w.get("/api/machineactions/" + id)
		return action.get("status").String() + " " + strings.Join(action.all("commands.#.commandStatus"), " ")
	}
	w.Advance(actionDelay)
	w.same("the states at the start", states(), "InProgress Created Created Created")
	w.Advance(commandTime)
	w.same("the states after a command", states(), "InProgress Completed Created Created")
	w.refused("GET", "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=1)", nil, 404, "ResourceNotFound")
	w.Advance(2 * commandTime)
	w.same("the states in the end", states(), "Succeeded Completed Completed Completed")
	ended := w.get("/api/machineactions/" + id)
	w.same("the start of the second command", ended.get("commands.1.startTime"), "2026-06-10T08:30:03Z")
	w.same("the end of the second command", ended.get("commands.1.endTime"), "2026-06-10T08:30:05Z")

	output := w.result(id, "1")
	w.same("the script", output.get("script_name"), "triage.ps1")
	w.same("its exit code", output.get("exit_code").Raw, "0")
	if text := output.get("script_output").String(); !strings.HasPrefix(text, "Arguments: -Days 3\n") {
		t.Errorf("the output is %q, want the arguments in it", text)
	}
	file := w.result(id, "2")
	reader, err := gzip.NewReader(strings.NewReader(file.body))
	if err != nil {
		t.Fatalf("the file is not compressed: %v", err)
	}
	text, err := io.ReadAll(reader)
	if err != nil || reader.Name != "evil.exe" || !bytes.Contains(text, []byte(`C:\Users\Public\evil.exe`)) {
		t.Errorf("the file is %q %q (%v), want evil.exe", reader.Name, text, err)
	}
	w.refused("GET", "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=0)", nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=3)", nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=x)", nil, 400, "InvalidInput")
}

func TestAScriptWithErrorsHasCompleted(t *testing.T) {
	w := newWorld(t)
	id := w.post(w.laptop()+"/runliveresponse", runScript("check-compliance.ps1"), 201).get("id").String()
	w.Advance(time.Minute)
	output := w.result(id, "0")
	w.same("its exit code", output.get("exit_code"), 1)
	if output.get("script_errors").String() == "" {
		t.Error("the script has no errors")
	}
}

func TestAFailingCommandEndsTheSession(t *testing.T) {
	for _, c := range []struct {
		name    string
		machine func(*world) string
		command map[string]any
	}{
		{"a script that is not in the library", (*world).laptop, command("RunScript", "ScriptName", "unknown.ps1")},
		{"a file that is not in the library", (*world).laptop, command("PutFile", "FileName", "unknown.exe")},
		{"a path of another system", (*world).linux, command("GetFile", "Path", `C:\Windows\win.ini`)},
		{"a path that is not absolute", (*world).laptop, command("GetFile", "Path", "evil.exe")},
	} {
		w := newWorld(t)
		id := w.post(c.machine(w)+"/runliveresponse", session(c.command, command("GetFile", "Path", "/etc/hosts")), 201).get("id").String()
		w.Advance(time.Minute)
		action := w.get("/api/machineactions/" + id)
		w.same("the status after "+c.name, action.get("status"), "Failed")
		w.same("the commands after "+c.name, action.all("commands.#.commandStatus"), []string{"Failed", "Created"})
		if action.get("commands.0.errors.0").String() == "" {
			t.Errorf("%s: the command says nothing of its error", c.name)
		}
		w.refused("GET", "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=0)", nil, 404, "ResourceNotFound")
	}
}

func TestSessionsFailOnDemand(t *testing.T) {
	w := newWorld(t)
	w.tenant.FailActions("LiveResponse")
	id := w.post(w.laptop()+"/runliveresponse", runScript("triage.ps1"), 201).get("id").String()
	w.Advance(time.Minute)
	action := w.get("/api/machineactions/" + id)
	w.same("the states", action.get("status").String()+" "+action.get("commands.0.commandStatus").String(), "Failed Failed")
}

func TestOneSessionPerMachine(t *testing.T) {
	w := newWorld(t)
	first := w.post(w.laptop()+"/runliveresponse", runScript("triage.ps1"), 201).get("id").String()
	w.refused("POST", w.laptop()+"/runliveresponse", runScript("triage.ps1"), 400, "ActiveRequestAlreadyExists")
	w.post("/api/machineactions/"+first+"/cancel", map[string]string{"Comment": "stop"}, 200)
	w.same("the command of a cancelled session", w.get("/api/machineactions/"+first).get("commands.0.commandStatus"), "Cancelled")
	w.post(w.laptop()+"/runliveresponse", runScript("triage.ps1"), 201)
}

func TestFiftySessionsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.tenant.BulkMachines(maxSessions + 1)
	ids := w.tenant.MachineIDs()[40:]
	for _, id := range ids[:maxSessions] {
		w.post("/api/machines/"+id+"/runliveresponse", runScript("triage.ps1"), 201)
	}
	w.refused("POST", "/api/machines/"+ids[maxSessions]+"/runliveresponse", runScript("triage.ps1"), 429, "TooManyRequests")
}

func TestSessionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		body any
		code string
	}{
		{map[string]any{"Comment": "c"}, "MissingRequiredParameter"},
		{session(), "MissingRequiredParameter"},
		{map[string]any{"commands": []any{command("GetFile", "Path", "/a")}}, "MissingRequiredParameter"},
		{session(command("RunScript")), "MissingRequiredParameter"},
		{session(command("GetFile", "path", "/a")), "InvalidInput"},
		{session(command("Reboot")), "InvalidInput"},
		{session(command("GetFile", "Path", "/a"), command("RunScript", "ScriptName", "triage.ps1")), "InvalidInput"},
		{session(command("RunScript", "ScriptName", "triage.ps1", "Shell", "sh")), "InvalidInput"},
		{map[string]any{"Commands": "RunScript"}, "InvalidRequestBody"},
	} {
		w.refused("POST", w.laptop()+"/runliveresponse", c.body, 400, c.code)
	}
	w.refused("POST", ghost+"/runliveresponse", runScript("triage.ps1"), 404, "ResourceNotFound")
}

func TestLinksExpire(t *testing.T) {
	w := newWorld(t)
	id := w.post(w.laptop()+"/runliveresponse", runScript("triage.ps1"), 201).get("id").String()
	w.Advance(time.Minute)
	path := "/api/machineactions/" + id + "/GetLiveResponseResultDownloadLink(index=0)"
	link := strings.TrimPrefix(w.get(path).get("value").String(), testBase)
	if !strings.HasPrefix(link, "/download/") || !strings.Contains(link, "sig=") {
		t.Fatalf("the link is %s, want a signed one outside the API", link)
	}
	w.Advance(linkLifetime)
	w.same("the status after 30 minutes", w.download(link).status, 200)
	w.Advance(time.Second)
	late := w.download(link)
	w.same("the status after that", late.status, 403)
	if !strings.Contains(late.body, "<Code>AuthenticationFailed</Code>") {
		t.Errorf("the answer after that is %s, want an error of the storage", late.body)
	}
	link = strings.TrimPrefix(w.get(path).get("value").String(), testBase)
	w.same("the status of a new link", w.download(link).status, 200)
	w.same("the status of a link with another signature", w.download(strings.Replace(link, "sig=", "sig=A", 1)).status, 403)
	w.same("the status of a link with another file", w.download(strings.Replace(link, "script-output", "other", 1)).status, 403)
	w.same("the status without a signature", w.download("/download/x").status, 403)
	where := "/download/investigation-actions-data/x/0/y"
	expiry := w.Now().Format(time.RFC3339)
	signed := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(w.company.signature(where, expiry))
	w.same("the status of a missing file", w.download(where+"?se="+expiry+"&sig="+signed).status, 404)
}
