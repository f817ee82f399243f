package simulator_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/internal/testclock"
)

// The resources that tokens are asked for.
const (
	defenderScope = "https://api.securitycenter.microsoft.com/.default"
	graphScope    = "https://graph.microsoft.com/.default"
	xdrScope      = "https://api.security.microsoft.com/.default"
)

func newClock() *testclock.Clock {
	return testclock.New(time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC))
}

// tenant is a running tenant with its clock and a client that trusts it.
type tenant struct {
	*simulator.Tenant
	*testclock.Clock
	t      *testing.T
	client *http.Client
}

// start runs a tenant until the end of the test. A delay passes at once, by moving the clock.
func start(t *testing.T, seed uint64) tenant {
	t.Helper()
	return startWith(t, newClock(), simulator.Options{Seed: seed})
}

// startWith runs a tenant of the options until the end of the test, by a clock that is moved by hand.
func startWith(t *testing.T, clock *testclock.Clock, o simulator.Options) tenant {
	t.Helper()
	o.Clock = clock.Clock()
	return running(t, clock, o)
}

// running runs a tenant of the options until the end of the test.
func running(t *testing.T, clock *testclock.Clock, o simulator.Options) tenant {
	t.Helper()
	sim, err := simulator.Start(o)
	if err != nil {
		t.Fatalf("starting the tenant: %v", err)
	}
	client := sim.Client()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := sim.Close(); err != nil {
			t.Errorf("closing the tenant: %v", err)
		}
	})
	return tenant{Tenant: sim, Clock: clock, t: t, client: client}
}

// answer is an answer of the tenant: the status, the headers and the body as a JSON object, where it is one.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

// code is the AADSTS code or the code of the API's error.
func (a answer) code() any {
	if codes, ok := a.json["error_codes"].([]any); ok && len(codes) == 1 {
		return int(codes[0].(float64))
	}
	if problem, ok := a.json["error"].(map[string]any); ok {
		return problem["code"]
	}
	return nil
}

// do sends a request and reads the answer.
func (s tenant) do(req *http.Request) answer {
	s.t.Helper()
	got, err := s.try(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return got
}

func (s tenant) try(req *http.Request) (answer, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{status: res.StatusCode, header: res.Header, text: string(body)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		// A body that is not a JSON object stays text.
		_ = json.Unmarshal(body, &got.json)
	}
	return got, nil
}

// request builds a request to the tenant; target is a path or a whole URL.
func (s tenant) request(method, target, body string, header ...string) *http.Request {
	s.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = s.URL() + target
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	return req
}

func (s tenant) get(target string, header ...string) answer {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, target, "", header...))
}

// call asks the API with a token.
func (s tenant) call(method, path, token string) answer {
	s.t.Helper()
	return s.do(s.request(method, path, "{}", "Authorization", "Bearer "+token, "Content-Type", "application/json"))
}

// post sends a form, given as names and values; an empty value takes the name away.
func (s tenant) post(path string, form url.Values, changes ...string) answer {
	s.t.Helper()
	all := url.Values{}
	maps.Copy(all, form)
	for pair := range slices.Chunk(changes, 2) {
		all.Set(pair[0], pair[1])
		if pair[1] == "" {
			all.Del(pair[0])
		}
	}
	return s.do(s.request(http.MethodPost, path, all.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
}

func (s tenant) tokenPath() string { return "/" + s.TenantID() + "/oauth2/v2.0/token" }

// withSecret is the form by which the application signs in with its secret.
func (s tenant) withSecret() url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {s.ClientID()}, "client_secret": {s.Secret()}, "scope": {defenderScope},
	}
}

// token signs the application in.
func (s tenant) token(scope string) string {
	s.t.Helper()
	got := s.post(s.tokenPath(), s.withSecret(), "scope", scope)
	token, ok := got.json["access_token"].(string)
	if !ok {
		s.t.Fatalf("a token for %s: got %d %s", scope, got.status, got.text)
	}
	return token
}

func TestATenantShowsACertificateThatVerifies(t *testing.T) {
	s := start(t, 1)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.Certificate()) {
		t.Fatalf("Certificate is not PEM: %s", s.Certificate())
	}
	for _, name := range []string{"127.0.0.1", "::1", "localhost"} {
		config := &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL(), "https://"), config)
		if err != nil {
			t.Errorf("a client that verifies %s: %v", name, err)
			continue
		}
		if err := conn.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}

// TestAnswersTellTheTenantsTime is for clients that compare clocks.
func TestAnswersTellTheTenantsTime(t *testing.T) {
	s := start(t, 1)
	for range 2 {
		for _, path := range []string{"/api/alerts", "/nowhere"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.do(req).header.Get("Date"), s.Now().Format(http.TimeFormat); got != want {
				t.Errorf("%s: got the date %q, want %q", path, got, want)
			}
		}
		s.Advance(time.Hour)
	}
}

func TestASeedDecidesIdentifiersAndSecrets(t *testing.T) {
	a, b, c := start(t, 7), start(t, 7), start(t, 8)
	params := func(s tenant) string {
		text, err := json.Marshal(s.Instance("client-secret"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), s.URL(), "URL")
	}
	if params(a) != params(b) {
		t.Errorf("the same seed gave %s and %s", params(a), params(b))
	}
	if params(a) == params(c) {
		t.Errorf("two seeds gave the same instance, %s", params(a))
	}
}

func TestRandomnessDecidesSecretsOnly(t *testing.T) {
	launch := func(random string) *simulator.Tenant {
		sim, err := simulator.Start(simulator.Options{Seed: 3, Random: strings.NewReader(random)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sim.Close() })
		return sim
	}
	a, b := launch(strings.Repeat("a", 32)), launch(strings.Repeat("b", 32))
	if a.ClientID() != b.ClientID() || a.TenantID() != b.TenantID() {
		t.Errorf("identifiers differ although the seed is the same: %s/%s, %s/%s", a.TenantID(), a.ClientID(), b.TenantID(), b.ClientID())
	}
	if a.Secret() == b.Secret() {
		t.Errorf("the secret is %q for different randomness", a.Secret())
	}
	if _, err := simulator.Start(simulator.Options{Random: strings.NewReader("short")}); err == nil {
		t.Error("a source of randomness that ends early was accepted")
	}
}

func TestStartFailsOnAnAddressThatCannotBeListenedOn(t *testing.T) {
	s := start(t, 1)
	taken := strings.TrimPrefix(s.URL(), "https://")
	if _, err := simulator.Start(simulator.Options{Listen: taken}); err == nil {
		t.Errorf("a second tenant started on %s", taken)
	}
}

func TestTheTenantListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		sim, err := simulator.Start(simulator.Options{Listen: address})
		if err == nil {
			_ = sim.Close()
			t.Errorf("a tenant started on %q", address)
		}
		if _, ok := errors.AsType[*simulator.AddressError](err); !ok {
			t.Errorf("%q: got %v, want an *AddressError", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0"} {
		sim, err := simulator.Start(simulator.Options{Listen: address})
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorsAreInTheFormOfTheirAPI(t *testing.T) {
	s := start(t, 1)
	for path, graph := range map[string]bool{"/api/machines/none": false, "/v1.0/security/incidents/none": true} {
		scope := defenderScope
		if graph {
			scope = graphScope
		}
		for what, fault := range map[string]*simulator.Fault{"its own": nil, "scripted": {Path: path, Status: 503, Message: "No."}} {
			s.ClearFaults()
			if fault != nil {
				s.Script(*fault)
			}
			got := s.do(s.request(http.MethodGet, path, "", "Authorization", "Bearer "+s.token(scope), "Client-Request-Id", "mine"))
			problem, _ := got.json["error"].(map[string]any)
			inner, _ := problem["innerError"].(map[string]any)
			if graph != (inner["client-request-id"] == "mine" && inner["request-id"] != "" && inner["date"] != "") || graph == (problem["target"] != nil) {
				t.Errorf("%s, %s: got %d %s, want the error in the form of Microsoft Graph: %t", path, what, got.status, got.text, graph)
			}
		}
	}
}

func TestTheAPIChecksTheToken(t *testing.T) {
	s := start(t, 1)
	stale := s.token(defenderScope)
	s.ExpireTokens()
	late := s.token(defenderScope)
	s.Advance(3599 * time.Second)
	good := s.token(defenderScope)

	for _, c := range []struct {
		name, path, token string
		status            int
		code              any
	}{
		{"a good token", "/api/machines", good, 200, nil},
		{"a token for the tenant's own address", "/api/machines", s.token(s.URL() + "/.default"), 200, nil},
		{"no token", "/api/machines", "", 401, "Unauthorized"},
		{"no JWT", "/api/machines", "abc", 401, "Unauthorized"},
		{"a token with another signature", "/api/machines", good[:len(good)-4] + "AAAA", 401, "Unauthorized"},
		{"a token that ExpireTokens ended", "/api/machines", stale, 401, "Unauthorized"},
		{"a token past its time", "/api/machines", late, 401, "Unauthorized"},
		{"a token for Graph at the API", "/api/machines", s.token(graphScope), 403, "Forbidden"},
		{"a token for the newer API host", "/api/machines", s.token(xdrScope), 403, "Forbidden"},
		{"a token for the API at Graph", "/v1.0/security/runHuntingQuery", good, 401, "InvalidAuthenticationToken"},
	} {
		method := http.MethodGet
		if strings.HasPrefix(c.path, "/v1.0") {
			method = http.MethodPost
		}
		got := s.call(method, c.path, c.token)
		if got.status != c.status || got.code() != c.code {
			t.Errorf("%s: got %d %v, want %d %v", c.name, got.status, got.code(), c.status, c.code)
		}
		if challenge := got.header.Get("WWW-Authenticate"); (c.status == 401) != (challenge != "") {
			t.Errorf("%s: WWW-Authenticate is %q with status %d", c.name, challenge, got.status)
		}
	}
}

func TestTheAPIChecksThePermission(t *testing.T) {
	s := start(t, 1)
	s.SetPermissions("Alert.Read.All")
	got := s.call(http.MethodGet, "/api/machines", s.token(defenderScope))
	problem, _ := got.json["error"].(map[string]any)
	message, _ := problem["message"].(string)
	if got.status != 403 || problem["code"] != "Forbidden" || problem["target"] == "" {
		t.Errorf("without the permission: got %d %s", got.status, got.text)
	}
	for _, name := range []string{"Machine.Read.All", "Machine.ReadWrite.All", "Alert.Read.All"} {
		if !strings.Contains(message, name) {
			t.Errorf("the message %q does not name %s", message, name)
		}
	}
	if got := s.call(http.MethodPost, "/v1.0/security/runHuntingQuery", s.token(graphScope)); got.status != 403 {
		t.Errorf("hunting with Graph without the permission: got %d %s", got.status, got.text)
	}
	s.SetPermissions("Machine.Read.All")
	if got := s.call(http.MethodGet, "/api/machines", s.token(defenderScope)); got.status != 200 {
		t.Errorf("with the permission: got %d %s", got.status, got.text)
	}
}

func TestHuntingQueriesOfTheDefenderAPICanBeRetired(t *testing.T) {
	s := start(t, 1)
	s.SetHuntingRetired(true)
	if got := s.call(http.MethodPost, "/api/advancedqueries/run", s.token(defenderScope)); got.status != http.StatusGone {
		t.Errorf("after the retirement: got %d %s", got.status, got.text)
	}
	s.SetHuntingRetired(false)
	if got := s.call(http.MethodPost, "/api/advancedqueries/run", s.token(defenderScope)); got.status == http.StatusGone {
		t.Errorf("before the retirement: got %d %s", got.status, got.text)
	}
}

func TestADownloadLinkRefusesAToken(t *testing.T) {
	s := start(t, 1)
	if got := s.call(http.MethodGet, "/download/anything", s.token(defenderScope)); got.status != 400 || got.code() != "TokenLeak" {
		t.Errorf("a download with a token: got %d %s", got.status, got.text)
	}
	if got := s.get("/download/anything"); got.code() == "TokenLeak" {
		t.Errorf("a download without a token: got %d %s", got.status, got.text)
	}
}

func TestRatesAreCountedPerOperationByTheClock(t *testing.T) {
	s := start(t, 1)
	token := s.token(defenderScope)
	s.SetRates(true)
	for i := range 100 {
		if got := s.call(http.MethodGet, "/api/machines?$top=1", token); got.status != 200 {
			t.Fatalf("call %d of the minute: got %d %s", i+1, got.status, got.text)
		}
		s.Advance(100 * time.Millisecond)
	}
	got := s.call(http.MethodGet, "/api/machines?$top=1", token)
	if got.status != 429 || got.code() != "TooManyRequests" || got.header.Get("Retry-After") != "50" {
		t.Errorf("call 101 after 10 s: got %d %v, Retry-After %q, want 429 TooManyRequests 50", got.status, got.code(), got.header.Get("Retry-After"))
	}
	if got := s.call(http.MethodGet, "/api/alerts", token); got.status != 200 {
		t.Errorf("another operation: got %d %s", got.status, got.text)
	}
	s.Advance(49 * time.Second)
	if got := s.call(http.MethodGet, "/api/machines?$top=1", token); got.status != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("sent again a second early: got %d, Retry-After %q, want 429 and 1", got.status, got.header.Get("Retry-After"))
	}
	s.Advance(time.Second)
	if got := s.call(http.MethodGet, "/api/machines?$top=1", token); got.status != 200 {
		t.Errorf("sent again in time: got %d %s", got.status, got.text)
	}
	for i := range 11 {
		path := "/api/machines/" + strconv.Itoa(i) + "/runliveresponse"
		if got := s.call(http.MethodPost, path, token); (got.status == 429) != (i == 10) {
			t.Errorf("call %d of live response, each for another machine: got %d %s", i+1, got.status, got.text)
		}
	}
	s.SetRates(false)
	for range 101 {
		if got := s.call(http.MethodGet, "/api/machines?$top=1", token); got.status != 200 {
			t.Fatalf("with rates off: got %d %s", got.status, got.text)
		}
	}
}

func TestRequestsAreRememberedInOrder(t *testing.T) {
	s := start(t, 1)
	token := s.token(defenderScope)
	s.do(s.request(http.MethodGet, "/api/machines?$filter=id%20eq%20'1'", "", "Authorization", "Bearer "+token))
	s.post("/obtain-token", nil)
	s.get(s.IdentityURL())
	s.get("/download/x")
	s.call(http.MethodPost, "/v1.0/security/runHuntingQuery", s.token(graphScope))

	var kinds []string
	requests := s.Requests()
	for _, r := range requests {
		kinds = append(kinds, string(r.Kind))
		if r.Status == 0 || !r.At.Equal(s.Now()) {
			t.Errorf("%s %s: status %d at %s", r.Method, r.Path, r.Status, r.At)
		}
	}
	wanted := []string{"authority", "api", "proxy", "identity", "download", "authority", "graph"}
	if !slices.Equal(kinds, wanted) {
		t.Fatalf("got requests of the kinds %v, want %v", kinds, wanted)
	}
	asked := requests[1]
	if asked.Path != "/api/machines" || asked.Query.Get("$filter") != "id eq '1'" ||
		asked.URI != "/api/machines?$filter=id%20eq%20'1'" || asked.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("the request to the API was remembered as %+v", asked)
	}
	if !bytes.Contains(requests[0].Body, []byte("grant_type=client_credentials")) {
		t.Errorf("the body of the token request was remembered as %q", requests[0].Body)
	}
	s.ResetRequests()
	if left := s.Requests(); len(left) != 0 {
		t.Errorf("after ResetRequests %d requests are left", len(left))
	}
}

func TestARequestTooLargeIsRefused(t *testing.T) {
	s := start(t, 1)
	got, err := s.try(s.request(http.MethodPost, "/api/libraryfiles", strings.Repeat("x", 33<<20)))
	if err == nil && got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("33 MiB: got %d %.100s", got.status, got.text)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	s := start(t, 1)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				form := s.withSecret()
				signIn, err := s.try(s.request(http.MethodPost, s.tokenPath(), form.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
				if err != nil || signIn.status != 200 {
					t.Errorf("signing in: %d %v", signIn.status, err)
					return
				}
				token, _ := signIn.json["access_token"].(string)
				got, err := s.try(s.request(http.MethodGet, "/api/machines", "", "Authorization", "Bearer "+token))
				if err != nil || got.status != 200 {
					t.Errorf("listing machines: %d %v", got.status, err)
					return
				}
			}
		})
	}
	group.Wait()
	if got := len(s.Requests()); got != 160 {
		t.Errorf("%d requests were remembered, want 160", got)
	}
}

func TestCloseEndsWhatIsStillWaiting(t *testing.T) {
	asked := make(chan struct{}, 1)
	c := newClock()
	sim, err := simulator.Start(simulator.Options{Clock: system.Clock{Now: func() time.Time {
		select {
		case asked <- struct{}{}:
		default:
		}
		return c.Now()
	}}})
	if err != nil {
		t.Fatal(err)
	}
	sim.SetIdentitySilent(true)
	select { // forget that the start asked for the time
	case <-asked:
	default:
	}
	ended := make(chan error)
	go func() {
		res, err := http.Get(sim.IdentityURL())
		if err == nil {
			err = res.Body.Close()
		}
		ended <- err
	}()
	<-asked
	if err := sim.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("a silent endpoint answered")
	}
}
