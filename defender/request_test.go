package defender_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
)

func TestIDsStayInTheirSegment(t *testing.T) {
	rows := []struct{ name, id, want string }{
		{"an ordinary id", "1e5bc9d7e413ddd7902c2932e418702b84d0cc07", "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"},
		{"a DNS name", "host-1.contoso.example", "host-1.contoso.example"},
		{"a way up", "../alerts", "..%2Falerts"},
		{"a way up with backslashes", `..\alerts`, `..%5Calerts`},
		{"a further segment", "id/isolate", "id%2Fisolate"},
		{"a query", "id?$top=1", "id%3F$top=1"},
		{"a fragment", "id#x", "id%23x"},
		{"an escape", "id%2e%2e", "id%252e%252e"},
		{"a parameter", "id;v=1", "id%3Bv=1"},
		{"another host", "@attacker.example/", "@attacker.example%2F"},
		{"two slashes", "//attacker.example", "%2F%2Fattacker.example"},
		{"spaces and line breaks", "a b\r\nc", "a%20b%0D%0Ac"},
		{"other scripts", "пользователь", "%D0%BF%D0%BE%D0%BB%D1%8C%D0%B7%D0%BE%D0%B2%D0%B0%D1%82%D0%B5%D0%BB%D1%8C"},
		{"invalid UTF-8", "a\xffb", "a%FFb"},
		{"a quote outside of a function", "o'brien", "o%27brien"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			api := serve(t, nil)
			client := at(t, api).client()
			if _, err := client.Isolate(t.Context(), row.id, "c", "Full"); err != nil {
				t.Fatal(err)
			}
			api.wantRequests(t, "POST /api/machines/"+row.want+"/isolate")
			if back, err := url.PathUnescape(row.want); err != nil || back != row.id {
				t.Errorf("got one of %q, want an escape of %q", back, row.id)
			}
		})
	}
}

func TestWhatIsNoIDIsNotAsked(t *testing.T) {
	for _, id := range []string{"", ".", "..", "..."} {
		api := serve(t, nil)
		client := at(t, api).client()
		_, err := client.Isolate(t.Context(), id, "c", "Full")
		if got := as[*defender.ArgumentError](t, err); got.Value != id || !strings.Contains(err.Error(), "isolate the machine") {
			t.Errorf("id %q: got %v, want an error that names it and the operation", id, err)
		}
		if _, err := client.FileMachines(t.Context(), id); err == nil {
			t.Errorf("got a list for the id %q, want none", id)
		}
		api.wantRequests(t)
	}
}

func TestQuotesAreDoubledInFunctionArguments(t *testing.T) {
	api := serve(t, body(`{"value":[]}`))
	when := time.Date(2026, time.November, 20, 10, 15, 0, 999, time.FixedZone("", -3600))
	if _, err := at(t, api).client().MachinesByIP(t.Context(), "10.0.0.1') or ('1", when, 5); err != nil {
		t.Fatal(err)
	}
	api.wantRequests(t, "GET /api/machines/findbyip(ip='10.0.0.1%27%27%29%20or%20%28%27%271',timestamp=2026-11-20T11:15:00Z)")
}

func TestRequestsSayWhoAsks(t *testing.T) {
	api := serve(t, nil)
	w := at(t, api)
	client := w.client()
	if _, err := client.Machine(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.TagMachine(t.Context(), "1", "Add", "<a&b>"); err != nil {
		t.Fatal(err)
	}
	seen := api.requests()
	for _, request := range seen {
		for name, want := range map[string]string{"Authorization": "Bearer token-1", "User-Agent": "xsoar-defender/9.8.7", "Accept": "application/json"} {
			if got := request.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %s %q", request.asked(), got, name, want)
			}
		}
	}
	if got := seen[0].Header.Get("Content-Type"); got != "" {
		t.Errorf("got %q, want no content type without a body", got)
	}
	if got := seen[1].Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("got %q, want JSON", got)
	}
	if want := `{"Action":"Add","Value":"<a&b>"}` + "\n"; seen[1].Body != want {
		t.Errorf("got %q, want the body %q", seen[1].Body, want)
	}
}

// TestEveryMethodAsksItsOperation is the list of all requests that the client can make.
func TestEveryMethodAsksItsOperation(t *testing.T) {
	yes := true
	when := time.Date(2026, time.November, 20, 10, 15, 0, 0, time.UTC)
	query := defender.Query{Limit: 2}
	type call = func(c *defender.Client) error
	list := func(_ defender.List, err error) error { return err }
	object := func(_ rawjson.Value, err error) error { return err }
	action := func(_ defender.MachineAction, err error) error { return err }
	link := func(_ string, _ rawjson.Value, err error) error { return err }
	ctx := t.Context()
	rows := []struct {
		call        call
		asked, body string
	}{
		{func(c *defender.Client) error { return list(c.Alerts(ctx, query)) }, "GET /api/alerts?$top=2", ""},
		{func(c *defender.Client) error { return object(c.Alert(ctx, "a")) }, "GET /api/alerts/a", ""},
		{
			func(c *defender.Client) error {
				return object(c.UpdateAlert(ctx, "a", defender.AlertUpdate{Status: "Resolved", Comment: "done"}))
			},
			"PATCH /api/alerts/a", `{"status":"Resolved","comment":"done"}`,
		},
		{
			func(c *defender.Client) error {
				return object(c.CreateAlert(ctx, defender.NewAlert{MachineID: "m", Severity: "Low", Title: "t", Description: "d", RecommendedAction: "r", EventTime: "e", ReportID: "1", Category: "General"}))
			},
			"POST /api/alerts/CreateAlertByReference",
			`{"machineId":"m","severity":"Low","title":"t","description":"d","recommendedAction":"r","eventTime":"e","reportId":"1","category":"General"}`,
		},
		{func(c *defender.Client) error { return object(c.AlertUser(ctx, "a")) }, "GET /api/alerts/a/user", ""},
		{func(c *defender.Client) error { return list(c.AlertFiles(ctx, "a")) }, "GET /api/alerts/a/files", ""},
		{func(c *defender.Client) error { return list(c.AlertIPs(ctx, "a")) }, "GET /api/alerts/a/ips", ""},
		{func(c *defender.Client) error { return list(c.AlertDomains(ctx, "a")) }, "GET /api/alerts/a/domains", ""},
		{func(c *defender.Client) error { return object(c.File(ctx, "f")) }, "GET /api/files/f", ""},
		{func(c *defender.Client) error { return object(c.FileStatistics(ctx, "f")) }, "GET /api/files/f/stats", ""},
		{func(c *defender.Client) error { return list(c.FileAlerts(ctx, "f")) }, "GET /api/files/f/alerts", ""},
		{func(c *defender.Client) error { return list(c.FileMachines(ctx, "f")) }, "GET /api/files/f/machines", ""},
		{func(c *defender.Client) error { return object(c.DomainStatistics(ctx, "d")) }, "GET /api/domains/d/stats", ""},
		{func(c *defender.Client) error { return list(c.DomainAlerts(ctx, "d")) }, "GET /api/domains/d/alerts", ""},
		{func(c *defender.Client) error { return list(c.DomainMachines(ctx, "d")) }, "GET /api/domains/d/machines", ""},
		{func(c *defender.Client) error { return object(c.IPStatistics(ctx, "fe80::1")) }, "GET /api/ips/fe80::1/stats", ""},
		{func(c *defender.Client) error { return list(c.IPAlerts(ctx, "10.0.0.1")) }, "GET /api/ips/10.0.0.1/alerts", ""},
		{func(c *defender.Client) error { return list(c.UserAlerts(ctx, "u")) }, "GET /api/users/u/alerts", ""},
		{func(c *defender.Client) error { return list(c.UserMachines(ctx, "u")) }, "GET /api/users/u/machines", ""},
		{func(c *defender.Client) error { return list(c.Indicators(ctx, query)) }, "GET /api/indicators?$top=2", ""},
		{func(c *defender.Client) error { return object(c.Indicator(ctx, "i")) }, "GET /api/indicators/i?$top=50", ""},
		{
			func(c *defender.Client) error {
				return object(c.SubmitIndicator(ctx, defender.Indicator{Value: "v", Type: "Url", Action: "Audit", Title: "t", GenerateAlert: &yes, RBACGroupNames: []string{"g"}}))
			},
			"POST /api/indicators", `{"indicatorValue":"v","indicatorType":"Url","action":"Audit","title":"t","rbacGroupNames":["g"],"generateAlert":true}`,
		},
		{
			func(c *defender.Client) error { return list(c.ImportIndicators(ctx, []rawjson.Value{`{"n":1.0}`})) },
			"POST /api/indicators/import", `{"Indicators":[{"n":1.0}]}`,
		},
		{func(c *defender.Client) error { return c.DeleteIndicator(ctx, "i") }, "DELETE /api/indicators/i", ""},
		{func(c *defender.Client) error { return list(c.MachineActions(ctx, query)) }, "GET /api/machineactions?$top=2", ""},
		{func(c *defender.Client) error { return action(c.MachineAction(ctx, "x")) }, "GET /api/machineactions/x", ""},
		{func(c *defender.Client) error { return action(c.CancelMachineAction(ctx, "x", "c")) }, "POST /api/machineactions/x/cancel", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return action(c.Isolate(ctx, "m", "c", "Full")) }, "POST /api/machines/m/isolate", `{"Comment":"c","IsolationType":"Full"}`},
		{func(c *defender.Client) error { return action(c.Unisolate(ctx, "m", "c", "")) }, "POST /api/machines/m/unisolate", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return action(c.RunAntivirusScan(ctx, "m", "c", "Quick")) }, "POST /api/machines/m/runAntiVirusScan", `{"Comment":"c","ScanType":"Quick"}`},
		{func(c *defender.Client) error { return action(c.RestrictExecution(ctx, "m", "c")) }, "POST /api/machines/m/restrictCodeExecution", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return action(c.UnrestrictExecution(ctx, "m", "c")) }, "POST /api/machines/m/unrestrictCodeExecution", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return action(c.StopAndQuarantine(ctx, "m", "h", "c")) }, "POST /api/machines/m/StopAndQuarantineFile", `{"Comment":"c","Sha1":"h"}`},
		{func(c *defender.Client) error { return action(c.CollectPackage(ctx, "m", "c")) }, "POST /api/machines/m/collectInvestigationPackage", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return link(c.PackageURI(ctx, "x")) }, "GET /api/machineactions/x/getPackageUri", ""},
		{func(c *defender.Client) error { return action(c.Offboard(ctx, "m", "c")) }, "POST /api/machines/m/offboard", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return object(c.StartInvestigation(ctx, "m", "c")) }, "POST /api/machines/m/startInvestigation", `{"Comment":"c"}`},
		{func(c *defender.Client) error { return list(c.Investigations(ctx, query)) }, "GET /api/investigations?$top=2", ""},
		{func(c *defender.Client) error { return object(c.Investigation(ctx, "v")) }, "GET /api/investigations/v", ""},
		{
			func(c *defender.Client) error {
				return action(c.RunLiveResponse(ctx, "m", "c", []defender.LiveResponseCommand{{Type: "GetFile", Params: []defender.LiveResponseParameter{{Key: "Path", Value: `C:\x`}}}}))
			},
			"POST /api/machines/m/runliveresponse", `{"Commands":[{"type":"GetFile","params":[{"key":"Path","value":"C:\\x"}]}],"Comment":"c"}`,
		},
		{func(c *defender.Client) error { return link(c.LiveResponseLink(ctx, "x", 1)) }, "GET /api/machineactions/x/GetLiveResponseResultDownloadLink(index=1)", ""},
		{func(c *defender.Client) error { return list(c.Machines(ctx, query)) }, "GET /api/machines?$top=2", ""},
		{func(c *defender.Client) error { return object(c.Machine(ctx, "m")) }, "GET /api/machines/m", ""},
		{func(c *defender.Client) error { return list(c.MachineUsers(ctx, "m")) }, "GET /api/machines/m/logonusers", ""},
		{func(c *defender.Client) error { return list(c.MachineAlerts(ctx, "m")) }, "GET /api/machines/m/alerts", ""},
		{func(c *defender.Client) error { return object(c.TagMachine(ctx, "m", "Remove", "t")) }, "POST /api/machines/m/tags", `{"Action":"Remove","Value":"t"}`},
		{func(c *defender.Client) error { return list(c.MachinesByIP(ctx, "10.0.0.1", when, 2)) }, "GET /api/machines/findbyip(ip='10.0.0.1',timestamp=2026-11-20T10:15:00Z)", ""},
		{func(c *defender.Client) error { return list(c.Software(ctx, query)) }, "GET /api/Software?$top=2", ""},
		{func(c *defender.Client) error { return list(c.SoftwareVersions(ctx, "a-_-b")) }, "GET /api/Software/a-_-b/distributions", ""},
		{func(c *defender.Client) error { return list(c.SoftwareMachines(ctx, "s")) }, "GET /api/Software/s/machineReferences", ""},
		{func(c *defender.Client) error { return list(c.SoftwareVulnerabilities(ctx, "s")) }, "GET /api/Software/s/vulnerabilities", ""},
		{func(c *defender.Client) error { return list(c.SoftwareMissingKBs(ctx, "s")) }, "GET /api/Software/s/getmissingkbs", ""},
		{func(c *defender.Client) error { return list(c.Vulnerabilities(ctx, query)) }, "GET /api/vulnerabilities?$top=2", ""},
		{func(c *defender.Client) error { return list(c.VulnerabilityMachines(ctx, "CVE-2026-1")) }, "GET /api/vulnerabilities/CVE-2026-1/machineReferences", ""},
		{func(c *defender.Client) error { return list(c.MachineVulnerabilities(ctx, query)) }, "GET /api/vulnerabilities/machinesVulnerabilities?$top=2", ""},
		{func(c *defender.Client) error { return object(c.Hunt(ctx, "DeviceInfo | take 1", time.Minute)) }, "POST /api/advancedqueries/run", `{"Query":"DeviceInfo | take 1"}`},
	}
	for _, row := range rows {
		t.Run(row.asked, func(t *testing.T) {
			api := serve(t, nil)
			if err := row.call(at(t, api).client()); err != nil {
				t.Fatalf("got %v, want success", err)
			}
			api.wantRequests(t, row.asked)
			if got := strings.TrimSuffix(api.requests()[0].Body, "\n"); got != row.body {
				t.Errorf("got %s, want the body %s", got, row.body)
			}
		})
	}
}

func TestAnswersThatAreOneLink(t *testing.T) {
	for name, text := range map[string]string{
		"as documented":       `{"value":"https://store.example/a?sig=%2B"}`,
		"in a pair of quotes": `{"value":"\"https://store.example/a?sig=%2B\""}`,
	} {
		t.Run(name, func(t *testing.T) {
			client := at(t, serve(t, body(text))).client()
			got, whole, err := client.PackageURI(t.Context(), "x")
			if want := "https://store.example/a?sig=%2B"; err != nil || got != want || string(whole) != text {
				t.Errorf("got %q, %q and %v, want the link %q and the answer as received", got, whole, err, want)
			}
		})
	}
}

func TestMachineActionsTellTheirState(t *testing.T) {
	rows := []struct {
		status             string
		running, succeeded bool
	}{
		{"Pending", true, false},
		{"InProgress", true, false},
		{"pending", true, false},
		{"Succeeded", false, true},
		{"Failed", false, false},
		{"TimeOut", false, false},
		{"Cancelled", false, false},
		{"Novel", true, false},
		{"", true, false},
	}
	for _, row := range rows {
		got := defender.MachineAction{Value: rawjson.Make(map[string]string{"id": "7", "status": row.status})}
		if got.ID() != "7" || got.Status() != row.status || got.Running() != row.running || got.Succeeded() != row.succeeded {
			t.Errorf("status %q: got %t and %t, want running %t and succeeded %t", row.status, got.Running(), got.Succeeded(), row.running, row.succeeded)
		}
	}
}

func TestAnswersWithoutABody(t *testing.T) {
	rows := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"200 without a body", body("")},
		{"200 with spaces", body(" \r\n")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			client := at(t, serve(t, row.handler)).client()
			_, err := client.Machine(t.Context(), "1")
			if got := as[*defender.AnswerError](t, err); got.Problem != "empty" {
				t.Errorf("an object: got %v, want an error that the answer is empty", err)
			}
			_, err = client.Alerts(t.Context(), defender.Query{Limit: 5})
			if got := as[*defender.AnswerError](t, err); got.Problem != "empty" {
				t.Errorf("a list: got %v, want an error that the answer is empty", err)
			}
			if got, err := client.Isolate(t.Context(), "1", "c", "Full"); got.ID() != "" || err != nil {
				t.Errorf("an action: got %q and %v, want no id and no error", got.ID(), err)
			}
			if err := client.DeleteIndicator(t.Context(), "1"); err != nil {
				t.Errorf("a deletion: got %v, want no error", err)
			}
		})
	}
}
