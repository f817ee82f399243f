package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
)

// told tells the control endpoint something, and returns the state of the tenant.
func (s tenant) told(method, path, body string) answer {
	s.t.Helper()
	return s.do(s.request(method, strings.TrimSuffix(s.ControlURL(), "/")+path, body, "Authorization", "Bearer "+s.ControlKey()))
}

// asked asks the API with a fresh token.
func (s tenant) asked(path string) answer {
	s.t.Helper()
	return s.call(http.MethodGet, path, s.token(defenderScope))
}

func (a answer) values(t *testing.T) []map[string]any {
	t.Helper()
	var list struct{ Value []map[string]any }
	if err := json.Unmarshal([]byte(a.text), &list); err != nil {
		t.Fatalf("%d %.200s: %v", a.status, a.text, err)
	}
	return list.Value
}

func TestALargeCompany(t *testing.T) {
	s := startWith(t, newClock(), simulator.Options{Seed: 1, Size: 3000})
	page := s.asked("/api/machines?$top=5000").values(t)
	names, platforms := map[any]bool{}, map[any]int{}
	for _, m := range page {
		names[m["computerDnsName"]] = true
		platforms[m["osPlatform"]]++
	}
	if len(page) != 3000 || len(names) != 3000 || platforms["Windows11"] < 1000 || platforms["macOS"] < 100 || platforms["Linux"] < 100 {
		t.Errorf("got %d machines, %d names, platforms %v", len(page), len(names), platforms)
	}
	last, _ := page[len(page)-1]["id"].(string)
	if got := s.asked("/api/machines/" + last + "/software"); len(got.values(t)) == 0 {
		t.Error("the last machine has no software")
	}
	// The page of an export is larger than that of a list.
	if got := len(s.asked("/api/machines/SoftwareInventoryByMachine").values(t)); got <= 10_000 {
		t.Errorf("got %d records of software on a page of an export, want more than 10,000", got)
	}
	small := startWith(t, newClock(), simulator.Options{Seed: 1})
	if a, b := fmt.Sprint(small.AlertIDs()), fmt.Sprint(s.AlertIDs()); a != b {
		t.Error("the alerts of a larger company are others")
	}
	again := startWith(t, newClock(), simulator.Options{Seed: 1, Size: 3000})
	if a, b := fmt.Sprint(again.MachineIDs()), fmt.Sprint(s.MachineIDs()); a != b {
		t.Error("the machines of the same seed are others")
	}
}

func TestARansomwareDay(t *testing.T) {
	s := startWith(t, newClock(), simulator.Options{Seed: 1})
	before := len(s.AlertIDs())
	if got := s.told("POST", "/scenes", `{"name":"ransomware-day","speed":60}`); got.status != 200 {
		t.Fatalf("starting the scene: %d %s", got.status, got.text)
	}
	since := s.Now().UTC().Format(time.RFC3339)
	alerts := func() []map[string]any {
		return s.asked("/api/alerts?$filter=alertCreationTime%20ge%20" + since).values(t)
	}
	if got := len(alerts()); got != 1 {
		t.Errorf("at the start: got %d alerts, want 1", got)
	}
	s.Advance(5 * time.Minute) // five hours of the scene
	if got := len(alerts()); got != 8 {
		t.Errorf("after five hours: got %d alerts, want 8", got)
	}
	incidents := func() int {
		seen := map[any]bool{}
		for _, a := range alerts() {
			seen[a["incidentId"]] = true
		}
		return len(seen)
	}
	if got := incidents(); got < 2 {
		t.Errorf("after five hours: got %d incidents, want several", got)
	}
	s.Advance(140 * time.Second)
	isolated := s.asked("/api/machineactions?$filter=type%20eq%20'Isolate'").values(t)
	ours := 0
	for _, a := range isolated {
		if comment, _ := a["requestorComment"].(string); comment == "Scene ransomware-day" {
			ours++
		}
	}
	if ours != 5 {
		t.Errorf("after seven hours: got %d machines isolated, want 5", ours)
	}
	s.Advance(time.Minute)
	if got := incidents(); got != 1 {
		t.Errorf("after eight hours: got %d incidents, want one", got)
	}
	s.Advance(20 * time.Minute)
	for _, a := range alerts() {
		if a["status"] != "Resolved" || a["classification"] != "TruePositive" {
			t.Errorf("at the end: the alert %v is %v, %v", a["title"], a["status"], a["classification"])
		}
	}
	if got := len(s.AlertIDs()) - before; got != 12 {
		t.Errorf("got %d alerts in all, want 12", got)
	}
	again := startWith(t, newClock(), simulator.Options{Seed: 1})
	if err := again.StartScene("ransomware-day", 60); err != nil {
		t.Fatal(err)
	}
	again.Advance(5 * time.Minute)
	again.asked("/api/machines?$top=1")
	if a, b := again.AlertIDs()[before:], s.AlertIDs()[before:before+8]; fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("got %v and %v, want the same alerts of the same seed", a, b)
	}
	for _, wrong := range []string{`{"name":"nothing"}`, `{"name":"ransomware-day","speed":-1}`, `{"nome":"x"}`, `[`} {
		if got := s.told("POST", "/scenes", wrong); got.status != 400 {
			t.Errorf("%s: got %d, want 400", wrong, got.status)
		}
	}
}

func TestConditionsAreSwitchedWhileTheTenantRuns(t *testing.T) {
	s := startWith(t, newClock(), simulator.Options{Seed: 1})
	token := s.token(defenderScope)
	machines := func() answer { return s.call(http.MethodGet, "/api/machines?$top=1", token) }
	turn := func(body string) {
		t.Helper()
		if got := s.told("POST", "/conditions", body); got.status != 200 {
			t.Fatalf("%s: %d %s", body, got.status, got.text)
		}
	}
	turn(`{"name":"throttled-hour"}`)
	if got := machines(); got.status != 429 || got.header.Get("Retry-After") != "30" {
		t.Errorf("in the throttled hour: got %d with Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	if got := s.post(s.tokenPath(), s.withSecret()); got.status != 200 {
		t.Errorf("a sign-in in the throttled hour: got %d", got.status)
	}
	s.Advance(time.Hour)
	token = s.token(defenderScope)
	if got := machines(); got.status != 200 {
		t.Errorf("after the throttled hour: got %d", got.status)
	}
	turn(`{"name":"proxy-page"}`)
	if got := machines(); got.status != 403 || !strings.Contains(got.text, "web gateway") || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Errorf("behind the proxy: got %d %s", got.status, got.text)
	}
	turn(`{"name":"proxy-page","on":false}`)
	turn(`{"name":"token-service-down"}`)
	if got := machines(); got.status != 200 {
		t.Errorf("an earlier token: got %d, want 200", got.status)
	}
	refused(t, "the token service that is down", s.post(s.tokenPath(), s.withSecret()), 503, "temporarily_unavailable", 90033)
	turn(`{"name":"token-service-down","on":false}`)
	for name, status := range map[string]int{"proxy-sign-in": 407, "bad-gateway": 502} {
		turn(`{"name":"` + name + `"}`)
		if got := machines(); got.status != status || !strings.HasPrefix(got.text, "<html>") {
			t.Errorf("%s: got %d %s, want a page with %d", name, got.status, got.text, status)
		}
		turn(`{"name":"` + name + `","on":false}`)
	}
	turn(`{"name":"revoked-secret"}`)
	if got := machines(); got.status != 401 {
		t.Errorf("a token before the secret was revoked: got %d, want 401", got.status)
	}
	refused(t, "the revoked secret", s.post(s.tokenPath(), s.withSecret()), 401, "invalid_client", 7000222)
	turn(`{"name":"revoked-secret","on":false}`)
	token = s.token(defenderScope)
	turn(`{"name":"graph-only"}`)
	query := func(path, scope string) answer {
		return s.do(s.request(http.MethodPost, path, `{"Query":"DeviceInfo | take 1"}`, "Authorization", "Bearer "+s.token(scope)))
	}
	if got := query("/api/advancedqueries/run", defenderScope); got.status != 410 {
		t.Errorf("the retired hunting API: got %d, want 410", got.status)
	}
	if got := query("/v1.0/security/runHuntingQuery", graphScope); got.status != 200 {
		t.Errorf("Microsoft Graph: got %d", got.status)
	}
	before, now := len(s.AlertIDs()), s.Now()
	for _, c := range []struct{ path, body string }{
		{"/conditions", `{"name":"nothing"}`},
		{"/conditions", `{"name":"proxy-page","for":"soon"}`},
		{"/conditions", `{"name":"proxy-page","for":"-1h"}`},
		{"/clock", `{"advance":"-1h"}`},
		{"/alerts", `{"count":-3}`},
		{"/alerts", `{"count":1001}`},
	} {
		if got := s.told("POST", c.path, c.body); got.status != 400 {
			t.Errorf("%s: got %d, want 400", c.body, got.status)
		}
	}
	if got := len(s.AlertIDs()); got != before || !s.Now().Equal(now) {
		t.Errorf("got %d alerts and the time %s after what was refused, want %d and %s", got, s.Now(), before, now)
	}
	if got := s.do(s.request(http.MethodGet, s.ControlURL(), "", "Authorization", "Bearer x")); got.status != 401 {
		t.Errorf("without the key: got %d, want 401", got.status)
	}
}

func TestTheTenantComesBackWithItsState(t *testing.T) {
	var kept bytes.Buffer
	clock := newClock()
	first := startWith(t, clock, simulator.Options{Seed: 5, Random: strings.NewReader(strings.Repeat("r", 32)), Size: 100, State: &kept})
	refresh := first.userToken()
	first.told("POST", "/scenes", `{"name":"ransomware-day","speed":60}`)
	clock.Advance(time.Minute)
	machine := first.MachineIDs()[60]
	write := func(s tenant, method, path, body string) answer {
		return s.do(s.request(method, path, body, "Authorization", "Bearer "+s.token(defenderScope), "Content-Type", "application/json"))
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/machines/" + machine + "/tags", `{"Value":"kept","Action":"Add"}`},
		{"PATCH", "/api/alerts/" + first.AlertIDs()[3], `{"status":"Resolved","classification":"FalsePositive","determination":"Other"}`},
		{"POST", "/api/machines/" + machine + "/runAntiVirusScan", `{"Comment":"x","ScanType":"Quick"}`},
		{"POST", "/api/indicators", `{"indicatorValue":"192.0.2.77","indicatorType":"IpAddress","action":"Audit","generateAlert":true,"title":"t","description":"d"}`},
	} {
		if got := write(first, c.method, c.path, c.body); got.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", c.method, c.path, got.status, got.text)
		}
		clock.Advance(time.Second)
	}
	clock.Advance(3 * time.Minute)
	seen := func(s tenant) string {
		var all strings.Builder
		for _, path := range []string{"/api/machines", "/api/alerts", "/api/machineactions", "/api/indicators"} {
			all.WriteString(strings.ReplaceAll(s.asked(path).text, s.URL(), ""))
		}
		return all.String()
	}
	before, address, secret := seen(first), first.URL(), first.Secret()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second restart finds the same
		state := bytes.NewBuffer(bytes.Clone(kept.Bytes()))
		second, err := simulator.Start(simulator.Options{Clock: clock.Clock(), State: struct {
			io.Reader
			io.Writer
		}{state, &kept}})
		if err != nil {
			t.Fatal(err)
		}
		s := tenant{Tenant: second, Clock: clock, t: t, client: second.Client()}
		if s.URL() != address || s.Secret() != secret {
			t.Errorf("the tenant is at %s, want %s with the same secret", s.URL(), address)
		}
		if got := seen(s); got != before {
			t.Error("the tenant shows something else after its restart")
		}
		if got := s.refresh(refresh); got.status != 200 {
			t.Errorf("a refresh token from before the restart: got %d %s", got.status, got.text)
		}
		s.client.CloseIdleConnections()
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := simulator.Start(simulator.Options{State: bytes.NewBufferString("no state\n")}); err == nil {
		t.Error("a file that is not a state was accepted")
	}
}

// TestTheSameAlertsComeBackWithTheState uses a clock that moves with each look at it, as every real one does, and a state of an earlier
// version, which kept the scenes that were refused as well.
func TestTheSameAlertsComeBackWithTheState(t *testing.T) {
	var kept bytes.Buffer
	var looks atomic.Int64
	begin := newClock().Now()
	moving := system.Clock{Now: func() time.Time { return begin.Add(time.Duration(looks.Add(1)) * time.Microsecond) }}
	first := running(t, newClock(), simulator.Options{Clock: moving, Seed: 5, State: &kept})
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/scenes", `{"name":"no such scene"}`, 400},
		{"/scenes", `{"name":"ransomware-day"}`, 200},
		{"/alerts", `{"count":2}`, 200},
	} {
		if got := first.told("POST", c.path, c.body); got.status != c.status {
			t.Fatalf("%s: got %d %s, want %d", c.body, got.status, got.text, c.status)
		}
	}
	before := first.AlertIDs()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&kept, `{"at":%q,"do":"scene","name":"no such scene","speed":1}`+"\n", moving.Now().Format(time.RFC3339Nano))
	second := running(t, newClock(), simulator.Options{Clock: moving, State: bytes.NewBuffer(kept.Bytes())})
	if after := second.AlertIDs(); !slices.Equal(after, before) {
		t.Errorf("got the alerts\n%q\nafter the restart, want\n%q", after[:3], before[:3])
	}
}

func TestWhatWasAskedBecomesACase(t *testing.T) {
	s := startWith(t, newClock(), simulator.Options{Seed: 1, Record: true})
	s.asked("/api/machines?$top=1")
	s.asked("/api/machines?$top=2")
	s.asked("/api/machines/unknown")
	got := s.told("GET", "/case", "")
	var made struct {
		API []struct {
			Method, Path string
			Responses    []struct {
				Status int
				JSON   map[string]any
			}
		}
		Expect struct{ Requests []map[string]any }
	}
	if err := json.Unmarshal([]byte(got.text), &made); err != nil {
		t.Fatal(err)
	}
	if len(made.API) != 2 || len(made.API[0].Responses) != 2 || made.API[1].Responses[0].Status != 404 || len(made.Expect.Requests) != 3 {
		t.Fatalf("the case is %s", got.text)
	}
	if value, _ := made.API[0].Responses[1].JSON["value"].([]any); len(value) != 2 || made.API[0].Path != "/api/machines" {
		t.Errorf("the answers are %+v", made.API[0])
	}
	if strings.Contains(got.text, s.Secret()) || strings.Contains(got.text, "Bearer") {
		t.Error("the case has a secret in it")
	}
}

func TestTheControlEndpoint(t *testing.T) {
	s := startWith(t, newClock(), simulator.Options{Seed: 1})
	before := len(s.AlertIDs())
	if got := s.told("POST", "/alerts", `{"count":3}`); got.json["alerts"] != float64(before+3) {
		t.Errorf("three more alerts: got %s", got.text)
	}
	then := s.told("GET", "/", "").json["time"]
	if got := s.told("POST", "/clock", `{"advance":"24h"}`); got.json["time"] == then {
		t.Errorf("the clock stands still: %s", got.text)
	}
	if got := s.told("GET", "/nothing", ""); got.status != 404 {
		t.Errorf("an unknown path: got %d, want 404", got.status)
	}
	for _, r := range s.Requests() {
		if r.Kind == simulator.KindControl {
			t.Error("a request to the control endpoint was recorded")
		}
	}
}
