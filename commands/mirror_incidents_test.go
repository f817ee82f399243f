package commands_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// mirrorIncidents is an instance that mirrors Defender XDR incidents in both directions, with one of them.
func mirrorIncidents(t *testing.T) *mirrored {
	t.Helper()
	m := &mirrored{Instance: commandstest.New(t), t: t}
	maps.Copy(m.Params, map[string]any{
		"mirror_direction": "Incoming And Outgoing", "close_incident": true, "close_out": true, "fetch_type": "XDR incidents", "first_fetch_timestamp": "1 hour",
	})
	m.alert = m.Tenant.OpenIncidents(1, "Medium", m.Clock.Now().Add(-30*time.Minute), 0)[0]
	m.Clock.Advance(time.Minute)
	m.now()
	return m
}

// fetchedIncident returns the incident that a fetch makes, and what is in it.
func (m *mirrored) fetchedIncident() (incident, raw gjson.Result) {
	m.t.Helper()
	incident = gjson.Parse(m.Run("fetch-incidents", nil).Entry().Raw().Str).Get("0")
	return incident, gjson.Parse(incident.Get("rawJSON").Str)
}

func TestFetchedIncidentsHoldWhatTheirLayoutNeeds(t *testing.T) {
	m := mirrorIncidents(t)
	incident, raw := m.fetchedIncident()
	for got, want := range map[string]string{
		incident.Get("dbotMirrorId").Str: m.alert, incident.Get("severity").Raw: "2", incident.Get("dbotMirrorDirection").Str: "Both",
		raw.Get("incident_type").Str: "XDR incident", raw.Get("summary_status").Str: "New", raw.Get("summary_alertsTotal").Raw: "1",
		raw.Get("summary_alerts.0.severity").Str: "medium", raw.Get("mirror_instance").Str: "instance",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if raw.Get("summary_devices.0.machineid").Str == "" || raw.Get("summary_users.0.upn").Str == "" {
		t.Errorf("got the devices %s and the users %s, want one of each", raw.Get("summary_devices"), raw.Get("summary_users"))
	}
	if raw.Get("alerts.0.evidence").Exists() {
		t.Error("got evidence, want none unless it is asked for")
	}
	m.Params["fetch_evidence"] = true
	if err := m.Host.SetLastRun(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, raw := m.fetchedIncident(); !raw.Get("alerts.0.evidence.0").Exists() {
		t.Error("got no evidence, want it when it is asked for")
	}
}

func TestLargeIncidentsAreCutWithANote(t *testing.T) {
	m := mirrorIncidents(t)
	m.Params["fetch_evidence"] = true
	alert := strings.Replace(fullGraphAlert, `"evidence":[`, `"evidence":[{"@odata.type":"#microsoft.graph.security.fileEvidence","fileDetails":{"fileName":"`+strings.Repeat("x", 50_000)+`"}},`, 1)
	low := strings.Replace(alert, `"severity":"high"`, `"severity":"low"`, 1)
	whole := strings.Replace(fullIncident, `"redirectIncidentId":"7"`, `"redirectIncidentId":null`, 1)
	whole = strings.Replace(whole, fullGraphAlert, strings.Repeat(low+",", 100)+strings.Repeat(alert+",", 50)+alert, 1)
	m.Answer("GET", "/v1.0/security/incidents/"+m.alert, 200, whole)
	_, raw := m.fetchedIncident()
	if len(raw.Raw) > 5<<20 || raw.Get("alerts.#").Int() != 100 || !raw.Get("alertsCut").Bool() || raw.Get("alertsCutNote").Str == "" || raw.Get("summary_alertsTotal").Int() != 151 {
		t.Errorf("got %d bytes with %s alerts of %s, cut %s, want the 100 most severe ones with a note", len(raw.Raw), raw.Get("alerts.#"), raw.Get("summary_alertsTotal"), raw.Get("alertsCut"))
	}
	if raw.Get("alerts.50.severity").Str != "high" || raw.Get("alerts.51.severity").Str != "low" {
		t.Errorf("got %q and %q, want the most severe alerts first", raw.Get("alerts.50.severity"), raw.Get("alerts.51.severity"))
	}
}

func TestNewAlertsArriveInTheOpenIncident(t *testing.T) {
	m := mirrorIncidents(t)
	m.modified()
	m.Clock.Advance(time.Second)
	m.Tenant.JoinIncident(m.alert, "High")
	m.modified()
	object, entries := m.look()
	if object.Get("summary_alerts.#").Int() != 2 || len(entries) != 1 || !strings.HasPrefix(entries[0].Literal, "1 new alert: ") {
		t.Errorf("got %s alerts and %d entries, want both alerts and a note", object.Get("summary_alerts.#"), len(entries))
	}
	m.Tenant.JoinIncident(m.alert, "Low")
	m.Tenant.JoinIncident(m.alert, "Low")
	m.modified()
	if _, entries = m.look(); len(entries) != 1 || !strings.HasPrefix(entries[0].Literal, "2 new alerts: ") {
		t.Errorf("got %d entries, want one about the two new ones", len(entries))
	}
	m.Tenant.ChangeIncident(m.alert, simulator.Change{AssignedTo: "nora"})
	m.modified()
	if _, entries = m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want none about alerts that are known", len(entries))
	}
}

func TestAMergedIncidentIsClosedAndNeverReopened(t *testing.T) {
	m := mirrorIncidents(t)
	target := m.Tenant.OpenIncidents(1, "High", m.Clock.Now(), 0)[0]
	m.modified()
	m.Clock.Advance(time.Second)
	m.Tenant.MergeIncident(m.alert, target)
	m.modified()
	_, entries := m.look()
	notes := entries[0].Raw().Get("closeNotes").Str
	if len(entries) != 1 || entries[0].Raw().Get("closeReason").Str != "Duplicate" {
		t.Fatalf("got %d entries, want a close as a duplicate", len(entries))
	}
	for _, want := range []string{"Merged into Defender XDR incident " + target, "/incidents/" + target, "dbotMirrorId:" + target, "!microsoft-atp-incident-get incident_id=" + target} {
		if !strings.Contains(notes, want) {
			t.Errorf("got the notes %q, want them to have %q", notes, want)
		}
	}
	m.Tenant.ResetRequests()
	if warnings := m.send(closing("Duplicate", notes)); len(warnings) != 0 {
		t.Errorf("got %d warnings, want none when the platform sends the close back", len(warnings))
	}
	m.Tenant.ChangeIncident(m.alert, simulator.Change{Comment: "x"})
	m.modified()
	if _, entries = m.look(); len(entries) != 1 || entries[0].Literal == "" {
		t.Errorf("got %d entries, want the comment and no reopening", len(entries))
	}
	if warnings := m.send(assign("nora@contoso.example")); len(warnings) != 1 {
		t.Errorf("got %d warnings, want one: nothing changes a merged incident", len(warnings))
	}
	if slices.ContainsFunc(m.Tenant.Requests(), func(r simulator.Request) bool { return r.Method != http.MethodGet }) {
		t.Error("the merged incident was changed")
	}
	m.modified()
	if _, entries = m.look(); len(entries) != 1 || !strings.Contains(entries[0].Literal, "was merged into Defender XDR incident "+target) {
		t.Errorf("got %d entries, want a note about what was not sent", len(entries))
	}
}

func TestAMergeIsToldIfItClosesNothing(t *testing.T) {
	m := mirrorIncidents(t)
	m.Params["close_incident"] = false
	target := m.Tenant.OpenIncidents(1, "High", m.Clock.Now(), 0)[0]
	m.modified()
	m.Clock.Advance(time.Second)
	m.Tenant.MergeIncident(m.alert, target)
	m.modified()
	if _, entries := m.look(); len(entries) != 1 || !strings.HasPrefix(entries[0].Literal, "Merged into Defender XDR incident "+target) {
		t.Errorf("got %d entries, want a note about the merge", len(entries))
	}
	if _, entries := m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want the note once", len(entries))
	}
}

func TestChangesGoOutToAnIncident(t *testing.T) {
	m := mirrorIncidents(t)
	m.Params["close_alerts"] = true
	args := closing("False Positive", "a test")
	maps.Copy(args["delta"].(map[string]any), map[string]any{"customTags": []string{"a", "b"}, "assignedTo": "nora@contoso.example"})
	args["entries"] = []any{map[string]any{"id": "3@12", "contents": "hello", "tags": []string{"DefenderComment"}, "user": "nora"}}
	m.send(args)
	got := m.Tenant.IncidentState(m.alert)
	if got.Status != "Resolved" || got.Classification != "FalsePositive" || got.Determination != "Other" || got.AssignedTo != "nora@contoso.example" || !slices.Equal(got.Tags, []string{"a", "b"}) {
		t.Errorf("got %+v, want everything that was set", got)
	}
	if want := []string{"a test\n[Cortex XSOAR 12/close]", "(nora): hello\n[Cortex XSOAR 12/3@12]"}; !slices.Equal(got.Comments, want) {
		t.Errorf("got the comments %q, want %q", got.Comments, want)
	}
	alerts := m.Run("microsoft-atp-incident-get", map[string]any{"incident_id": m.alert}).Entry().Raw().Get("0.alerts.0")
	if alerts.Get("status").Str != "resolved" || alerts.Get("classification").Str != "falsePositive" {
		t.Errorf("got an alert that is %s as %s, want it resolved with the verdict", alerts.Get("status"), alerts.Get("classification"))
	}
	m.Tenant.ResetRequests()
	m.send(args)
	if slices.ContainsFunc(m.Tenant.Requests(), func(r simulator.Request) bool { return r.Method != http.MethodGet }) {
		t.Error("what is so already was sent again")
	}
}

func TestIncidentCommandsCheckBeforeTheySend(t *testing.T) {
	i := commandstest.New(t)
	for name, args := range map[string]map[string]any{
		"microsoft-atp-incident-update":      {"incident_id": "7", "classification": "truePositive", "determination": "notMalicious"},
		"microsoft-atp-incident-alerts-move": {"alert_id": "da1", "comment": "c"},
		"microsoft-atp-incident-merge":       {"incident_id": "7,7", "comment": "c"},
	} {
		result := i.Run(name, args)
		result.WantFailure("Invalid arguments")
		result.WantAsked()
	}
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": "7", "assigned_to": "nora", "unassign": true}).WantFailure("exclude each other")
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": "7", "tags": "a", "add_tags": "b"}).WantFailure("excludes")
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": "7"}).WantFailure("at least one change")
}

func TestTagsAreAddedAndRemovedOneByOne(t *testing.T) {
	i := commandstest.New(t)
	id := i.Tenant.OpenIncidents(1, "Low", i.Clock.Now(), 0)[0]
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": id, "tags": "a,b"})
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": id, "add_tags": "c", "remove_tags": "a", "comment": "x", "assigned_to": "nora"})
	if got := i.Tenant.IncidentState(id); !slices.Equal(got.Tags, []string{"b", "c"}) || !slices.Equal(got.Comments, []string{"x"}) || got.AssignedTo != "nora" {
		t.Errorf("got %+v, want the tags b and c, the comment and the owner", got)
	}
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": id, "unassign": true, "close_alerts": true, "status": "resolved", "classification": "truePositive", "determination": "malware"})
	if got := i.Tenant.IncidentState(id); got.AssignedTo != "" || got.Status != "Resolved" {
		t.Errorf("got %+v, want no owner and resolved", got)
	}
}

func TestAMergeIsFollowed(t *testing.T) {
	i := commandstest.New(t)
	ids := i.Tenant.OpenIncidents(2, "Low", i.Clock.Now(), 0)
	i.Tenant.MergeIncident(ids[1], ids[0])
	entry := i.Run("microsoft-atp-incident-get", map[string]any{"incident_id": ids[1]}).Entry()
	entry.WantReadable("Incident " + ids[1] + " was merged into " + ids[0])
	if got := entry.Raw().Get("0.id").Str; got != ids[0] {
		t.Errorf("got %q, want the incident that is left", got)
	}
	if got := i.Run("microsoft-atp-incident-get", map[string]any{"incident_id": ids[1], "follow_merge": false}).Entry().Raw().Get("0.id").Str; got != ids[1] {
		t.Errorf("got %q, want the incident itself", got)
	}
}

func TestTheTestButtonReadsWhatTheInstanceFetches(t *testing.T) {
	i := commandstest.New(t)
	i.Params["fetch_type"] = "XDR incidents"
	i.Run("test-module", nil).Entry().WantReadable("ok")
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindGraph, Status: 403})
	i.Run("test-module", nil).WantFailure("SecurityIncident.Read.All", "Microsoft Graph", "not of WindowsDefenderATP")
}

func TestTheTestButtonReportsThatAlertsAreHidden(t *testing.T) {
	i := commandstest.New(t)
	i.Params["fetch_type"] = "XDR incidents"
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindGraph, Path: "/v1.0/security/incidents/", Status: 403})
	i.Run("test-module", nil).WantFailure("not read with their alerts", "SecurityAlert.Read.All")
}

func TestTheDiagnosisReadsWhatTheInstanceFetches(t *testing.T) {
	i := commandstest.New(t)
	i.Params["fetch_type"] = "XDR incidents"
	i.Run("microsoft-atp-test", nil).Entry().WantReadable("The sign-in works and the API answers.")
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindGraph, Status: 403, Times: 1})
	i.Run("microsoft-atp-test", nil).Entry().WantReadable("list Defender XDR incidents", "SecurityIncident.Read.All", "not of WindowsDefenderATP")
	i.Tenant.Script(simulator.Fault{Path: "/api/alerts", Status: 403})
	i.Run("microsoft-atp-test", nil).Entry().WantReadable("The sign-in works and the API answers.")
}

func TestAnIncidentFillsTheStandardContext(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", "/v1.0/security/incidents/7", 200, `{"id":"7","alerts":[{"id":"a","evidence":[
		{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1","deviceDnsName":"ws-1","osPlatform":"Windows11","healthStatus":"active","lastIpAddress":"10.0.0.5"},
		{"@odata.type":"#microsoft.graph.security.userEvidence","userAccount":{"userPrincipalName":"nora@contoso.com","azureAdUserId":"u1","domainName":"CONTOSO"}},
		{"@odata.type":"#microsoft.graph.security.fileEvidence","verdict":"malicious","fileDetails":{"fileName":"a.exe","sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}},
		{"@odata.type":"#microsoft.graph.security.fileEvidence","verdict":"malicious","fileDetails":{"fileName":"nothing-else.exe"}},
		{"@odata.type":"#microsoft.graph.security.ipEvidence","verdict":"suspicious","ipAddress":"203.0.113.9"},
		{"@odata.type":"#microsoft.graph.security.urlEvidence","verdict":"unknown","url":"https://Bad.example/x"},
		{"@odata.type":"#microsoft.graph.security.urlEvidence","url":"http://203.0.113.9/y"}]}]}`)
	entry := i.Run("microsoft-atp-incident-get", map[string]any{"incident_id": "7"}).Entry()
	for path, want := range map[string]string{
		"File.0.SHA1": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "File.0.Name": "a.exe", "File.#": "1",
		"IP.0.Address": "203.0.113.9", "Domain.0.Name": "bad.example", "Domain.#": "1", "URL.#": "2",
		"Account.0.ID": "u1", "Account.0.Username": "nora@contoso.com", "Account.0.Domain": "CONTOSO",
		"Endpoint.0.ID": "m1", "Endpoint.0.Hostname": "ws-1", "Endpoint.0.Status": "Online", "Host.0.Hostname": "ws-1", "Host.0.IPAddress": "10.0.0.5",
		"DBotScore.#.Score": "[3,2,0,0]",
	} {
		name, rest, _ := strings.Cut(path, ".")
		got := ""
		for _, at := range entry.Paths() {
			if strings.HasPrefix(at, name+"(") {
				got = entry.At(at).Get(rest).String()
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestAnIncidentThatAwaitsActionIsReopenedOnceItIsOpen(t *testing.T) {
	m := mirrorIncidents(t)
	steps := []struct {
		status string
		want   string
	}{{"Resolved", "dbotIncidentClose"}, {"AwaitingAction", ""}, {"Active", "dbotIncidentReopen"}}
	m.modified()
	for _, step := range steps {
		m.Clock.Advance(time.Second)
		m.Tenant.ChangeIncident(m.alert, simulator.Change{Status: step.status})
		m.modified()
		_, entries := m.look()
		switch {
		case step.want == "" && len(entries) != 0:
			t.Errorf("%s: got %d entries, want none", step.status, len(entries))
		case step.want != "" && (len(entries) != 1 || !entries[0].Raw().Get(step.want).Bool()):
			t.Errorf("%s: got %d entries, want %s", step.status, len(entries), step.want)
		}
	}
}

func TestAMergeIntoAnIncidentThatIsNotShownIsReported(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", "/v1.0/security/incidents/7", 200, `{"id":"7","displayName":"n","redirectIncidentId":"9"}`)
	entry := i.Run("microsoft-atp-incident-get", map[string]any{"incident_id": "7"}).Entry()
	entry.WantReadable("Incident 7 was merged into 9, which the service does not show.")
	if got := entry.Raw().Get("0.id").Str; got != "7" {
		t.Errorf("got %q, want what is left of the incident", got)
	}
}

func TestAnIncidentWhoseAlertsStayOpenIsChangedAndReported(t *testing.T) {
	i := commandstest.New(t)
	id := i.Tenant.OpenIncidents(1, "Low", i.Clock.Now(), 0)[0]
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindGraph, Method: "PATCH", Path: "/v1.0/security/alerts_v2/", Status: 403})
	i.Run("microsoft-atp-incident-update", map[string]any{"incident_id": id, "status": "resolved", "close_alerts": true, "comment": "done"}).
		WantFailure("The incident was changed, but some of its alerts are still open", "HTTP 403")
	if got := i.Tenant.IncidentState(id); got.Status != "Resolved" || !slices.Equal(got.Comments, []string{"done"}) {
		t.Errorf("got %+v, want it resolved with the comment", got)
	}
}
