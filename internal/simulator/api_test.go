package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/internal/testclock"
)

// world is a company with a clock that is moved by hand, and an application that may do everything.
type world struct {
	*testing.T
	*testclock.Clock
	company *company
	tenant  *Tenant
	app     application
}

const testBase = "https://tenant.example"

func newWorld(t *testing.T) *world {
	w := &world{T: t, Clock: testclock.New(time.Date(2026, time.June, 10, 8, 30, 0, 0, time.UTC))}
	w.app = application{ID: "7c1d2c36-7a4f-4b8e-9a50-000000000001", Roles: append(slices.Clone(mayActAnyhow), "Ti.ReadWrite.All")}
	w.company = newCompany(7, w.Now, testBase)
	w.tenant = &Tenant{company: w.company}
	return w
}

// told is an answer of the company.
type told struct {
	status int
	header http.Header
	body   string
}

// get is a value of the answer's JSON.
func (a told) get(path string) gjson.Result { return gjson.Get(a.body, path) }

// all are the values of a list in the answer as texts.
func (a told) all(path string) []string {
	return each(a.get(path).Array(), gjson.Result.String)
}

// ask makes a request; a body that is not text is sent as JSON.
func (w *world) ask(method, path string, body any) told {
	w.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.Fatal(err)
		}
		text = string(raw)
	}
	return w.send(httptest.NewRequest(method, path, nil), text)
}

func (w *world) send(r *http.Request, body string) told {
	w.Helper()
	recorder := httptest.NewRecorder()
	w.company.serve(recorder, r, []byte(body), w.app)
	answer := told{recorder.Code, recorder.Header(), recorder.Body.String()}
	if answer.body != "" && !gjson.Valid(answer.body) {
		w.Fatalf("%s %s answered what is not JSON: %.200s", r.Method, r.URL, answer.body)
	}
	return answer
}

// upload sends a file to the live response library.
func (w *world) upload(body, contentType string) told {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/libraryfiles", nil)
	r.Header.Set("Content-Type", contentType)
	return w.send(r, body)
}

// get asks for something that must be there.
func (w *world) get(path string) told {
	w.Helper()
	answer := w.ask(http.MethodGet, path, nil)
	if answer.status != http.StatusOK {
		w.Fatalf("GET %s answered %d %s, want 200", path, answer.status, answer.body)
	}
	return answer
}

// list asks with query options.
func (w *world) list(path string, options ...string) told {
	w.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(options); i += 2 {
		query.Set(options[i], options[i+1])
	}
	return w.get(path + "?" + query.Encode())
}

// post sends something that must succeed with the status.
func (w *world) post(path string, body any, status int) told {
	w.Helper()
	answer := w.ask(http.MethodPost, path, body)
	if answer.status != status {
		w.Fatalf("POST %s answered %d %s, want %d", path, answer.status, answer.body, status)
	}
	return answer
}

// refused checks that a request is answered with the error.
func (w *world) refused(method, path string, body any, status int, code string) told {
	w.Helper()
	answer := w.ask(method, path, body)
	if answer.status != status || answer.get("error.code").String() != code {
		w.Errorf("%s %s answered %d %s, want %d with the code %s", method, path, answer.status, answer.body, status, code)
	}
	if answer.get("error.message").String() == "" {
		w.Errorf("%s %s answered an error without a message: %s", method, path, answer.body)
	}
	return answer
}

// same checks a value.
func (w *world) same(what string, got, want any) {
	w.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestTheSameSeedGivesTheSameCompany(t *testing.T) {
	lists := []string{
		"/api/machines", "/api/alerts?$expand=evidence", "/api/indicators", "/api/investigations", "/api/machineactions",
		"/api/Software", "/api/vulnerabilities", "/api/vulnerabilities/machinesVulnerabilities", "/api/recommendations",
		"/api/remediationTasks", "/api/libraryfiles", "/api/exposureScore/ByMachineGroups", "/api/baselineProfiles",
		"/api/baselineConfigurations", "/api/deviceavinfo",
	}
	first, second := newWorld(t), newWorld(t)
	other := newCompany(8, first.Now, testBase)
	for _, path := range lists {
		a, b := first.get(path), second.get(path)
		if a.body != b.body {
			t.Errorf("%s differs between two companies of one seed", path)
		}
		if len(a.all("value")) == 0 {
			t.Errorf("%s is empty", path)
		}
	}
	query := map[string]string{"Query": "DeviceProcessEvents | sort by Timestamp asc | take 20"}
	if a, b := first.post("/api/advancedqueries/run", query, 200), second.post("/api/advancedqueries/run", query, 200); a.body != b.body {
		t.Error("the events differ between two companies of one seed")
	}
	if other.machines[0].ID == first.company.machines[0].ID {
		t.Error("two seeds make the same machine")
	}
}

func TestTheCompanyIsOfTheSizePromised(t *testing.T) {
	w := newWorld(t)
	w.same("the number of machines", len(w.get("/api/machines").all("value")), 40)
	alerts := w.get("/api/alerts")
	w.same("the number of alerts", len(alerts.all("value")), 120)
	times := alerts.all("value.#.alertCreationTime")
	shared := 0
	for i := 1; i < len(times); i++ {
		if times[i] == times[i-1] {
			shared++
		}
		if times[i] > times[i-1] && len(times[i]) == len(times[i-1]) {
			t.Errorf("alert %d of %s comes after one of %s, want the newest first", i, times[i], times[i-1])
		}
	}
	if shared < 10 {
		t.Errorf("%d alerts share their time of creation with another, want several", shared)
	}
	if !slices.ContainsFunc(times, func(s string) bool { return len(s) == len("2026-06-10T08:30:00.1234567Z") }) {
		t.Error("no alert has a time with seven digits of a second")
	}
}

func TestEveryOperationIsFoundByItsPath(t *testing.T) {
	samples := strings.NewReplacer("{id}", "x-1", "{ip}", "10.0.0.1", "{time}", "2026-06-10T08:00:00Z", "{domain}", "a.example", "{name}", "tool.exe", "{index}", "0")
	for prefix, table := range map[string][]operation{"/api": operations, "/API/v1.0": operations, "/v1.0": graphOperations} {
		for _, op := range table {
			path := prefix + samples.Replace(op.path)
			for _, spelling := range []string{path, strings.ToLower(path), url.PathEscape("") + path} {
				found, _, failure := findOperation(op.method, spelling)
				if failure != nil || found.path != op.path {
					t.Errorf("%s %s leads to %q (%v), want %s", op.method, spelling, found.path, failure, op.path)
				}
			}
		}
	}
}

func TestPermissionsAndRatesOfOperations(t *testing.T) {
	for _, c := range []struct {
		method, path      string
		application, user []string
		minute, hour      int
	}{
		{"GET", "/api/alerts", []string{"Alert.Read.All", "Alert.ReadWrite.All"}, []string{"Alert.Read", "Alert.ReadWrite"}, 100, 1500},
		{"PATCH", "/api/alerts/da1_2", []string{"Alert.ReadWrite.All"}, []string{"Alert.ReadWrite"}, 100, 1500},
		{"POST", "/api/v1.0/MACHINES/x/Isolate", []string{"Machine.Isolate"}, []string{"Machine.Isolate"}, 100, 1500},
		{"POST", "/api/machines/x/runLiveResponse", []string{"Machine.LiveResponse"}, []string{"Machine.LiveResponse"}, 10, 0},
		{"GET", "/api/machineactions/x/getPackageUri", []string{"Machine.Read.All", "Machine.ReadWrite.All"}, []string{"Machine.CollectForensics"}, 2, 120},
		{"GET", "/api/machines/findbyip(ip='10.0.0.1',timestamp=2026-06-10T08:00:00Z)", []string{"Machine.Read.All", "Machine.ReadWrite.All"}, []string{"Machine.Read", "Machine.ReadWrite"}, 100, 1500},
		{"POST", "/api/advancedqueries/run", []string{"AdvancedQuery.Read.All"}, []string{"AdvancedQuery.Read"}, 45, 1500},
		{"DELETE", "/api/indicators/7", []string{"Ti.ReadWrite", "Ti.ReadWrite.All"}, nil, 100, 1500},
		{"GET", "/api/vulnerabilities/machinesVulnerabilities", []string{"Vulnerability.Read.All"}, []string{"Vulnerability.Read"}, 0, 0},
		{"POST", "/v1.0/security/runHuntingQuery", []string{"ThreatHunting.Read.All"}, []string{"ThreatHunting.Read.All"}, 45, 0},
		{"GET", "/api/unheard/of", nil, nil, 0, 0},
	} {
		application, user := permissionsOf(c.method, c.path)
		if !slices.Equal(application, c.application) || !slices.Equal(user, c.user) {
			t.Errorf("%s %s needs %v or %v, want %v or %v", c.method, c.path, application, user, c.application, c.user)
		}
		if minute, hour := rateOf(c.method, c.path); minute != c.minute || hour != c.hour {
			t.Errorf("%s %s may be called %d a minute and %d an hour, want %d and %d", c.method, c.path, minute, hour, c.minute, c.hour)
		}
	}
}

// TestOperationsAreThoseThatTheProgramDeclares compares permissions and rates with the declarations, which are compared with
// the documentation.
func TestOperationsAreThoseThatTheProgramDeclares(t *testing.T) {
	for _, command := range commands.NewRegistry().All() {
		for _, operation := range command.Uses {
			path := strings.ReplaceAll(operation.Path, "{}", "x")
			if minute, hour := rateOf(operation.Method, path); minute != operation.PerMinute || hour != operation.PerHour {
				t.Errorf("%s %s may be called %d a minute and %d an hour, want %d and %d", operation.Method, operation.Path, minute, hour, operation.PerMinute, operation.PerHour)
			}
			application, user := permissionsOf(operation.Method, path)
			if operation.Starts == "StopAndQuarantineFile" {
				application = application[:1] // the others, which one edition lists, are not declared: they let nobody stop a file
			}
			if !slices.Equal(application, operation.Application) || !slices.Equal(user, operation.Delegated) {
				t.Errorf("%s %s needs %v or %v, want %v or %v", operation.Method, operation.Path, application, user, operation.Application, operation.Delegated)
			}
		}
	}
}

func TestCallsAreForgottenAfterAnHour(t *testing.T) {
	rates := rateWindows{enforce: true, calls: map[string][]time.Time{}}
	now := time.Date(2026, time.June, 10, 8, 0, 0, 0, time.UTC)
	request := httptest.NewRequest(http.MethodGet, "/api/machineactions/x/getPackageUri", nil) // 2 a minute, 120 an hour
	for call := range 120 {
		if wait := rates.admit(request, now.Add(time.Duration(call)*30*time.Second)); wait != 0 {
			t.Fatalf("call %d waits %s, want none", call+1, wait)
		}
	}
	if wait := rates.admit(request, now.Add(59*time.Minute+59*time.Second)); wait != time.Second {
		t.Errorf("a call too many in the hour waits %s, want a second", wait)
	}
	if wait := rates.admit(request, now.Add(3*time.Hour)); wait != 0 {
		t.Errorf("hours later a call waits %s, want none", wait)
	}
	for _, calls := range rates.calls {
		if len(calls) != 1 {
			t.Errorf("got %d calls kept, want the last one", len(calls))
		}
	}
}

func TestWhatIsNoOperation(t *testing.T) {
	w := newWorld(t)
	w.refused("GET", "/api/unheard/of", nil, 404, "NotFound")
	w.refused("GET", "/other/alerts", nil, 404, "NotFound")
	w.refused("PUT", "/api/alerts", nil, 405, "MethodNotAllowed")
	w.refused("GET", "/api/machines/findbyip(ip='10.0.0.1')/x/y", nil, 404, "NotFound")
}

func TestBodiesAreReadAsDocumented(t *testing.T) {
	w := newWorld(t)
	isolate := "/api/machines/" + w.company.machines[0].ID + "/isolate"
	w.refused("POST", isolate, "", 400, "InvalidRequestBody")
	w.refused("POST", isolate, "[1]", 400, "InvalidRequestBody")
	w.refused("POST", isolate, "null", 400, "InvalidRequestBody")
	w.refused("POST", isolate, `{"Comment": 4}`, 400, "InvalidRequestBody")
	w.refused("POST", isolate, `{"Comment": " "}`, 400, "MissingRequiredParameter")
	// Microsoft documents that parameter names are case-sensitive.
	w.refused("POST", isolate, `{"comment": "why"}`, 400, "MissingRequiredParameter")
	w.refused("POST", isolate, `{"Comment": "why", "IsolationType": "Partial"}`, 400, "InvalidInput")
}
