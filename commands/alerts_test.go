package commands_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
)

const alertPath = "MicrosoftATP.Alert(val.ID === obj.ID)"

// newAlert returns arguments that create an alert.
func newAlert(more ...string) map[string]any {
	args := map[string]any{
		"machine_id": "m1", "severity": "Low", "title": "t", "description": "d", "recommended_action": "r",
		"event_time": "2026-11-20T09:00:00.0000", "report_id": "20776",
	}
	for i := 0; i < len(more); i += 2 {
		args[more[i]] = more[i+1]
	}
	return args
}

func TestUpdateAlertChangesTheAlert(t *testing.T) {
	i := commandstest.New(t)
	id := i.Tenant.AlertIDs()[0]
	entry := i.Run("microsoft-atp-update-alert", map[string]any{
		"alert_id": id, "status": "resolved", "assigned_to": "nora@contoso.example", "classification": "TruePositive", "determination": "Malware", "comment": "cleaned",
	}).Entry()
	entry.WantColumns("ID", "Status", "AssignedTo", "Classification", "Determination", "Comment")
	told := entry.At(alertPath)
	kept := i.Run("microsoft-atp-get-alert-by-id", map[string]any{"alert_ids": id}).Entry().At("MicrosoftATP.Alert(val.ID && val.ID == obj.ID)").Get("0")
	for _, key := range []string{"ID", "IncidentID", "Status", "AssignedTo", "Classification", "Determination", "ResolvedTime", "Title", "Comments"} {
		if !told.Get(key).Exists() || told.Get(key).Raw != kept.Get(key).Raw {
			t.Errorf("%s: the update tells %s, and the alert says %s", key, told.Get(key).Raw, kept.Get(key).Raw)
		}
	}
	if got := kept.Get("Comments.@reverse.0.Comment").Str; got != "cleaned" {
		t.Errorf("got %q, want the new comment last", got)
	}
}

// The answer may show the alert before the change.
func TestUpdateAlertTellsOfTheChangeWhateverTheAnswerSays(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodPatch, "/api/alerts/da1", http.StatusOK, `{"id":"da0","title":"t","status":"New","assignedTo":null,"severity":"Low"}`)
	result := i.Run("microsoft-atp-update-alert", map[string]any{"alert_id": "da1", "status": "Resolved", "comment": `"done" | <b>`})
	commandstest.WantJSON(t, "body", result.Body(), `{"status":"Resolved","comment":"\"done\" | <b>"}`)
	entry := result.Entry()
	entry.WantAt(alertPath, `{"ID":"da1","Title":"t","Status":"Resolved","Severity":"Low","Comment":"\"done\" | <b>"}`)
	entry.WantRaw(`{"id":"da0","title":"t","status":"New","assignedTo":null,"severity":"Low"}`)
}

func TestUpdateAlertValues(t *testing.T) {
	for _, test := range []struct{ argument, given, sent, note string }{
		{"determination", "Apt", "MultiStagedAttack", "no longer accepts the determination Apt; MultiStagedAttack was sent instead"},
		{"determination", "SecurityPersonnel", "SecurityTesting", "no longer accepts the determination SecurityPersonnel; SecurityTesting was sent instead"},
		{"determination", "malware", "Malware", ""},
		{"determination", "NotAvailable", "NotAvailable", ""},
		{"determination", "Clean", "Clean", ""},
		{"determination", "NotMalicious", "NotMalicious", ""},
		{"determination", "ConfirmedActivity", "ConfirmedActivity", ""},
		{"classification", "Unknown", "Unknown", ""},
		{"classification", "informationalexpectedactivity", "InformationalExpectedActivity", ""},
		{"status", "inprogress", "InProgress", ""},
	} {
		t.Run(test.given, func(t *testing.T) {
			i := commandstest.New(t)
			i.Answer(http.MethodPatch, "/api/alerts/da1", http.StatusOK, `{"id":"da1"}`)
			result := i.Run("microsoft-atp-update-alert", map[string]any{"alert_id": "da1", test.argument: test.given})
			commandstest.WantJSON(t, "body", result.Body(), fmt.Sprintf(`{%q:%q}`, test.argument, test.sent))
			entry := result.Entry()
			key := strings.ToUpper(test.argument[:1]) + test.argument[1:]
			entry.WantAt(alertPath, fmt.Sprintf(`{"ID":"da1",%q:%q}`, key, test.sent))
			if said := strings.Contains(entry.Readable(), "no longer accepts"); said != (test.note != "") {
				t.Errorf("got\n%s\nwant the note %q", entry.Readable(), test.note)
			}
			entry.WantReadable(test.note)
		})
	}
}

func TestAlertsRefusedBeforeAnyRequest(t *testing.T) {
	for _, test := range []struct {
		name, command string
		args          map[string]any
		want          string
	}{
		{"nothing to change", "microsoft-atp-update-alert", map[string]any{"alert_id": "da1"}, "one of status, assigned_to, classification, determination and comment"},
		{"an unknown status", "microsoft-atp-update-alert", map[string]any{"alert_id": "da1", "status": "Closed"}, "must be one of New, InProgress, Resolved"},
		{"an unknown severity", "microsoft-atp-create-alert", newAlert("severity", "Informational"), "must be one of Low, Medium, High"},
		{"an unknown category", "microsoft-atp-create-alert", newAlert("category", "Nonsense"), `got "Nonsense"`},
		{"no title", "microsoft-atp-create-alert", newAlert("title", " "), "title is missing"},
		{"a negative limit of files", "microsoft-atp-get-alert-related-files", map[string]any{"id": "da1", "limit": "-3"}, "limit must be 1 or more"},
		{"no addresses", "microsoft-atp-get-alert-related-ips", map[string]any{"id": "da1", "limit": "0"}, "limit must be 1 or more"},
		{"no domains", "microsoft-atp-get-alert-related-domains", map[string]any{"id": "da1", "limit": 0}, "limit must be 1 or more"},
		{"a negative offset of addresses", "microsoft-atp-get-alert-related-ips", map[string]any{"id": "da1", "offset": -1}, "offset must be 0 or more"},
		{"a limit of domains that is not a number", "microsoft-atp-get-alert-related-domains", map[string]any{"id": "da1", "limit": "all"}, "limit must be a number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := commandstest.New(t).Run(test.command, test.args)
			result.WantFailure(test.want)
			result.WantAsked()
		})
	}
}

func TestCreateAlertOfAnEvent(t *testing.T) {
	i := commandstest.New(t)
	rows := i.Run("microsoft-atp-advanced-hunting", map[string]any{"query": "DeviceProcessEvents | project Timestamp, DeviceId, ReportId | take 1"}).Entry()
	event := rows.At("MicrosoftATP.Hunt.Result").Get("0")
	args := newAlert("machine_id", event.Get("DeviceId").Str, "event_time", event.Get("Timestamp").Str, "report_id", event.Get("ReportId").String(), "title", "Odd <process>")
	entry := i.Run("microsoft-atp-create-alert", args).Entry()
	alert := entry.At(alertPath)
	for key, want := range map[string]string{"Title": "Odd <process>", "Severity": "Low", "Category": "General", "MachineID": event.Get("DeviceId").Str, "Status": "New"} {
		if got := alert.Get(key).Str; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	entry.WantReadable("no longer accepts the category None; General was sent instead", "Odd &lt;process>")
	if !slices.Contains(i.Tenant.AlertIDs(), alert.Get("ID").Str) {
		t.Errorf("the tenant does not have the alert %s", alert.Get("ID").Str)
	}
}

func TestCreateAlertSendsEveryField(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodPost, "/api/alerts/CreateAlertByReference", http.StatusOK, fullAlert)
	result := i.Run("microsoft-atp-create-alert", newAlert("category", "Execution"))
	commandstest.WantJSON(t, "body", result.Body(), `{"machineId":"m1","severity":"Low","title":"t","description":"d","recommendedAction":"r",
		"eventTime":"2026-11-20T09:00:00.0000","reportId":"20776","category":"Execution"}`)
	result.Entry().WantColumns("ID", "Title", "Description", "IncidentID", "Severity", "Status", "Classification", "Category", "ThreatFamilyName", "MachineID")
}

// Every accepted category is sent as one that Microsoft documents for the operation, and a documented one is sent
// unchanged.
func TestCreateAlertCategories(t *testing.T) {
	documented := []string{
		"General", "CommandAndControl", "Collection", "CredentialAccess", "DefenseEvasion", "Discovery", "Exfiltration", "Exploit", "Execution",
		"InitialAccess", "LateralMovement", "Malware", "Persistence", "PrivilegeEscalation", "Ransomware", "SuspiciousActivity",
	}
	command, known := commands.NewRegistry().Find("microsoft-atp-create-alert")
	if !known {
		t.Fatal("got none, want the command")
	}
	arguments := command.Arguments()
	categories := arguments[slices.IndexFunc(arguments, func(a commands.Argument) bool { return a.Name == "category" })].Values
	for _, category := range documented {
		if !slices.Contains(categories, category) {
			t.Errorf("the category %s cannot be given", category)
		}
	}
	i := commandstest.New(t)
	i.Answer(http.MethodPost, "/api/alerts/CreateAlertByReference", http.StatusOK, fullAlert)
	for _, category := range categories {
		result := i.Run("microsoft-atp-create-alert", newAlert("category", category))
		sent := gjson.Get(result.Body(), "category").Str
		if !slices.Contains(documented, sent) || (slices.Contains(documented, category) && sent != category) {
			t.Errorf("the category %s was sent as %s", category, sent)
		}
		if said := strings.Contains(result.Entry().Readable(), "no longer accepts"); said != (sent != category) {
			t.Errorf("the category %s was sent as %s, and the entry says\n%s", category, sent, result.Entry().Readable())
		}
	}
}

func TestUserOfAnAlert(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/alerts/da1/user", http.StatusOK, fullUser)
	result := i.Run("microsoft-atp-get-alert-related-user", map[string]any{"id": "da1"})
	result.WantAsked("GET /api/alerts/da1/user")
	entry := result.Entry()
	entry.WantAt("MicrosoftATP.AlertUser(val.AlertID === obj.AlertID)", `{"AlertID":"da1","User":{"ID":"contoso\\nora","AccountName":"nora",
		"AccountDomain":"CONTOSO","AccountSID":"S-1-5-21-1","FirstSeen":"2026-01-18T08:02:54Z","LastSeen":"2026-11-20T08:01:48Z","MostPrevalentMachineID":"m1",
		"LeastPrevalentMachineID":"m2","LogonTypes":"Interactive","LogonCount":2,"DomainAdmin":false,"NetworkUser":true}}`)
	entry.WantRaw(fullUser)
	entry.WantColumns("AccountDomain", "AccountName", "AccountSID", "DomainAdmin", "FirstSeen", "ID", "LastSeen", "LeastPrevalentMachineID",
		"LogonCount", "LogonTypes", "MostPrevalentMachineID", "NetworkUser")
}

func TestPartsOfAnAlert(t *testing.T) {
	const (
		files   = "microsoft-atp-get-alert-related-files"
		ips     = "microsoft-atp-get-alert-related-ips"
		domains = "microsoft-atp-get-alert-related-domains"
	)
	answers := map[string]string{
		"files":   `{"value":[{"sha1":"a","size":1},{"sha1":"b","size":2},{"sha1":"c","size":3}]}`,
		"ips":     `{"value":[{"id":"198.51.100.1"},{"id":"198.51.100.2"},{"id":"198.51.100.3"}]}`,
		"domains": `{"value":[{"host":"a.example"},{"host":"b.example"},{"host":"c.example"}]}`,
	}
	const cut = "the service may have more"
	for _, test := range []struct {
		name, command, part string
		args                map[string]any
		path, want, said    string
	}{
		{"all files", files, "files", nil, "AlertFile", `"Files":[{"Sha1":"a","Size":1,"SizeInBytes":1},{"Sha1":"b","Size":2,"SizeInBytes":2},{"Sha1":"c","Size":3,"SizeInBytes":3}]`, ""},
		{"one file", files, "files", map[string]any{"limit": 1, "offset": "1"}, "AlertFile", `"Files":[{"Sha1":"b","Size":2,"SizeInBytes":2}]`, cut},
		{"the last files", files, "files", map[string]any{"limit": "2", "offset": 1}, "AlertFile", `"Files":[{"Sha1":"b","Size":2,"SizeInBytes":2},{"Sha1":"c","Size":3,"SizeInBytes":3}]`, ""},
		{"no file beyond the end", files, "files", map[string]any{"offset": "9"}, "AlertFile", `"Files":[]`, "No file belongs to the alert"},
		{"all addresses", ips, "ips", nil, "AlertIP", `"IPs":["198.51.100.1","198.51.100.2","198.51.100.3"]`, ""},
		{"two addresses", ips, "ips", map[string]any{"limit": "2"}, "AlertIP", `"IPs":["198.51.100.1","198.51.100.2"]`, cut},
		{"all domains", domains, "domains", nil, "AlertDomain", `"Domains":["a.example","b.example","c.example"]`, ""},
		{"the last domain", domains, "domains", map[string]any{"offset": "2"}, "AlertDomain", `"Domains":["c.example"]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := commandstest.New(t)
			i.Answer(http.MethodGet, "/api/alerts/da1/"+test.part, http.StatusOK, answers[test.part])
			args := map[string]any{"id": "da1"}
			maps.Copy(args, test.args)
			result := i.Run(test.command, args)
			result.WantAsked("GET /api/alerts/da1/" + test.part)
			entry := result.Entry()
			entry.WantAt("MicrosoftATP."+test.path+"(val.AlertID === obj.AlertID)", `{"AlertID":"da1",`+test.want+`}`)
			entry.WantRaw(gjson.Get(answers[test.part], "value").Raw)
			entry.WantReadable(test.said)
			if test.said != cut && strings.Contains(entry.Readable(), cut) {
				t.Errorf("got\n%s\nwant no note of more", entry.Readable())
			}
		})
	}
}

func TestColumnsOfPartsOfAnAlert(t *testing.T) {
	for command, test := range map[string]struct {
		part, object string
		columns      []string
	}{
		"microsoft-atp-get-alert-related-files":   {"files", fullFile, []string{"Sha1", "Sha256", "SizeInBytes", "FileType", "FilePublisher", "FileProductName"}},
		"microsoft-atp-get-alert-related-ips":     {"ips", `{"id":"198.51.100.1"}`, []string{"IpAddress"}},
		"microsoft-atp-get-alert-related-domains": {"domains", `{"host":"bad.example"}`, []string{"Domain"}},
	} {
		t.Run(command, func(t *testing.T) {
			i := commandstest.New(t)
			i.Answer(http.MethodGet, "/api/alerts/da1/"+test.part, http.StatusOK, list(test.object))
			i.Run(command, map[string]any{"id": "da1"}).Entry().WantColumns(test.columns...)
		})
	}
}

// An alert's evidence leads to the same files, addresses, domains and users as its lists.
func TestPartsOfTheTenantsAlerts(t *testing.T) {
	i := commandstest.New(t)
	parts := map[string]int{}
	for _, id := range i.Tenant.AlertIDs() {
		for command, under := range map[string]string{
			"microsoft-atp-get-alert-related-files": "AlertFile.Files", "microsoft-atp-get-alert-related-ips": "AlertIP.IPs",
			"microsoft-atp-get-alert-related-domains": "AlertDomain.Domains",
		} {
			path, key, _ := strings.Cut(under, ".")
			parts[command] += int(i.Run(command, map[string]any{"id": id}).Entry().At("MicrosoftATP." + path + "(val.AlertID === obj.AlertID)").Get(key + ".#").Int())
		}
	}
	for command, count := range parts {
		if count == 0 {
			t.Errorf("%s: got nothing, want something of the tenant's alerts", command)
		}
	}
}

func TestAlertsThatTheServiceDoesNotKnow(t *testing.T) {
	for command, args := range map[string]map[string]any{
		"microsoft-atp-update-alert":              {"alert_id": "da0", "comment": "c"},
		"microsoft-atp-get-alert-related-user":    {"id": "da0"},
		"microsoft-atp-get-alert-related-files":   {"id": "da0"},
		"microsoft-atp-get-alert-related-ips":     {"id": "da0"},
		"microsoft-atp-get-alert-related-domains": {"id": "da0"},
	} {
		t.Run(command, func(t *testing.T) {
			commandstest.New(t).Run(command, args).WantFailure("the alert failed", "HTTP 404", "Check the value")
		})
	}
}

func TestALinkThatLostTheFilterIsTold(t *testing.T) {
	for command, args := range map[string]map[string]any{
		"microsoft-atp-list-alerts":  {"severity": "High", "limit": "9"},
		"microsoft-atp-get-machines": {"risk_score": "High", "page_size": "9"},
	} {
		i := commandstest.New(t)
		path := map[string]string{"microsoft-atp-list-alerts": "/api/alerts", "microsoft-atp-get-machines": "/api/machines"}[command]
		i.Answer(http.MethodGet, path, http.StatusOK, `{"value":[{"id":"1"}],"@odata.nextLink":"`+i.Tenant.URL()+path+`?$skip=1"}`)
		result := i.Run(command, args)
		result.WantAsked("GET " + path)
		result.Entry().WantReadable("lost the filter of this command", "there may be more")
	}
}

func TestALimitThatCannotBeRaisedIsNotAdvised(t *testing.T) {
	rows := make([]string, 10_000)
	for n := range rows {
		rows[n] = `{"id":"` + strconv.Itoa(n) + `"}`
	}
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/machineactions", http.StatusOK, list(rows...))
	entry := i.Run("microsoft-atp-list-machine-actions-details", map[string]any{"limit": "10000"}).Entry()
	entry.WantReadable("These are the first 10000; the service may have more. Narrow the filter to see them.")
}
