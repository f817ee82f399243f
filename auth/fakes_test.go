package auth_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"xsoar-defender/auth"
	"xsoar-defender/internal/system"
	"xsoar-defender/params"
)

// Every secret holds this word, so that one search finds whichever of them got out.
const canary = "CANARY"

const (
	tenant       = "0f0f0f0f-1111-2222-3333-444444444444"
	client       = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	secretText   = canary + "~client+secret/of=the app"
	redirect     = "https://localhost/myapp"
	authority    = "https://login.microsoftonline.com"
	apiScope     = "https://api.securitycenter.microsoft.com/.default"
	graphScope   = "https://graph.microsoft.com/.default"
	proxyAddress = "https://oproxy.example.com/obtain-token"
	proxyID      = "registration-1"
	proxyToken   = canary + "-proxy-token"
	loginAgain   = "!microsoft-atp-auth-reset"
	loginURL     = "!microsoft-atp-generate-login-url"
)

var target = &url.URL{Scheme: "https", Host: "api.security.microsoft.com", Path: "/api/machines"}

// The key and its certificate are made once: that takes a moment.
var application = sync.OnceValue(func() *params.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "application"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum(raw)
	return &params.Certificate{Key: key, Thumbprint: sum[:], Chain: []*x509.Certificate{certificate}}
})

// keyAlone is the certificate as an instance has it when only the key and the thumbprint were given.
func keyAlone() *params.Certificate {
	whole := application()
	return &params.Certificate{Key: whole.Key, Thumbprint: whole.Thumbprint}
}

// instance returns an instance of a mode; a test changes the part that it is about.
func instance(mode params.Mode, changes ...func(*params.Instance)) params.Instance {
	i := params.Instance{Mode: mode, TenantID: tenant, ClientID: client, Cloud: params.Cloud{
		Name: "Worldwide", Authority: authority, Scope: apiScope, GraphScope: graphScope,
		API:   &url.URL{Scheme: "https", Host: "api.security.microsoft.com"},
		Graph: &url.URL{Scheme: "https", Host: "graph.microsoft.com"},
	}}
	switch mode {
	case params.ClientSecret:
		i.ClientSecret = secretText
	case params.ClientCertificate:
		i.Certificate = keyAlone()
	case params.AuthorizationCode:
		i.ClientSecret, i.RedirectURI = secretText, redirect
	case params.CortexApplication:
		i.ClientID, i.TenantID = "", ""
		key := []byte(canary + "-key-of-32-bytes-0123456789")[:32]
		i.Proxy = params.TokenProxy{
			ID: proxyID, URL: proxyAddress, Token: proxyToken, KeyBytes: key,
			Key: params.Secret(base64.StdEncoding.EncodeToString(key)),
		}
	case params.ManagedIdentity:
		i.ClientID, i.TenantID = "", ""
	}
	for _, change := range changes {
		change(&i)
	}
	return i
}

func withCode(code, state string) func(*params.Instance) {
	return func(i *params.Instance) { i.Grant = params.Grant{Code: params.Secret(code), State: state} }
}

func withRefreshToken(token string) func(*params.Instance) {
	return func(i *params.Instance) { i.Grant = params.Grant{RefreshToken: params.Secret(token)} }
}

// world surrounds the signers of a test: time that only passes when everybody waits, an integration context, and
// Microsoft.
type world struct {
	*testing.T

	store    *store
	entra    *entra
	memory   *auth.ProcessTokens
	environ  map[string]string
	warnings []error
	name     string
}

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&world{
			T: t, store: newStore(), entra: newEntra(), memory: new(auth.ProcessTokens), environ: map[string]string{}, name: "instance",
		})
	})
}

func (w *world) env() auth.Environment {
	return auth.Environment{
		System: system.System{
			Clock: system.Clock{Now: time.Now, Sleep: system.Sleep}, Random: rand.Reader, Getenv: func(name string) string { return w.environ[name] },
		},
		IntegrationContext: w.store,
		Transport:          w.entra,
		Direct:             (*metadata)(w.entra),
		Process:            w.memory,
		InstanceName:       w.name,
		Warn:               func(err error) { w.warnings = append(w.warnings, err) },
	}
}

// signer returns the signer of a new process.
func (w *world) signer(i params.Instance) *auth.Signer { return w.scoped(i, "") }

func (w *world) scoped(i params.Instance, scope string) *auth.Signer {
	w.Helper()
	signer, err := auth.New(i, scope, []string{target.Hostname(), "graph.microsoft.com"}, w.env())
	if err != nil {
		w.Fatalf("New(%s) = %v, want a signer", i.Mode, err)
	}
	return signer
}

// token signs in as a new process does.
func (w *world) token(i params.Instance) string {
	w.Helper()
	return w.ask(w.signer(i))
}

func (w *world) ask(signer *auth.Signer) string {
	w.Helper()
	token, err := signer.Token(w.Context(), target)
	if err != nil {
		w.Fatalf("Token() = %v, want a token", err)
	}
	return token
}

// refusal signs in as a new process does and returns the error.
func (w *world) refusal(i params.Instance) *auth.Error {
	w.Helper()
	return w.refusalOf(w.signer(i))
}

func (w *world) refusalOf(signer *auth.Signer) *auth.Error {
	w.Helper()
	token, err := signer.Token(w.Context(), target)
	var own *auth.Error
	if !errors.As(err, &own) {
		w.Fatalf("Token() = %q, %v, want an *auth.Error", token, err)
	}
	w.checkSentence(err)
	return own
}

// checkSentence looks at the text of an error, and at those of all that it wraps.
func (w *world) checkSentence(err error) {
	w.Helper()
	if text := err.Error(); strings.Contains(strings.TrimSuffix(text, "."), ". ") || strings.Contains(text, "\n") || !strings.HasSuffix(text, ".") {
		w.Errorf("the error is not one sentence: %q", text)
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, canary) {
			w.Errorf("the error shows a secret: %s", text)
		}
	}
}

// checkStore looks for secrets in the integration context.
func (w *world) checkStore() {
	w.Helper()
	if text := w.store.text(); strings.Contains(text, canary) {
		w.Errorf("the integration context shows a secret: %s", text)
	}
}

// store is an integration context in memory, versioned as the platform's is.
type store struct {
	mu      sync.Mutex
	values  map[string]json.RawMessage
	version int
	writes  int
	// latency passes between reading and writing, in which others may write.
	latency time.Duration
	// before runs once, between reading and writing.
	before func(values map[string]json.RawMessage)
	broken error
}

func newStore() *store { return &store{values: map[string]json.RawMessage{}} }

func (s *store) Load(context.Context) (map[string]json.RawMessage, error) {
	values, _, err := s.read()
	return values, err
}

func (s *store) read() (map[string]json.RawMessage, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values), s.version, s.broken
}

func (s *store) Update(ctx context.Context, change func(map[string]json.RawMessage) (bool, error)) error {
	for range 100 {
		values, version, err := s.read()
		if err != nil {
			return err
		}
		changed, err := change(values)
		if err != nil || !changed {
			return err
		}
		if err := system.Sleep(ctx, s.latency); err != nil {
			return err
		}
		s.mu.Lock()
		if meddle := s.before; meddle != nil {
			s.before = nil
			meddle(s.values)
			s.version++
		}
		if s.version == version {
			s.values = values
			s.version++
			s.writes++
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
	}
	return errors.New("too many conflicts")
}

func (s *store) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := json.Marshal(s.values)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (s *store) put(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key], _ = json.Marshal(value)
	s.version++
}

func (s *store) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.values[key]
	return found
}

// records returns the kinds of the stored records, sorted.
func (s *store) records() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept map[string]json.RawMessage
	if raw := s.values["xsoar_defender_auth"]; raw != nil {
		if err := json.Unmarshal(raw, &kept); err != nil {
			panic(err)
		}
	}
	var kinds []string
	for key := range kept {
		kind, _, _ := strings.Cut(key, ":")
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// request is a request that came to one of Microsoft's or the platform's services.
type request struct {
	method, url string
	header      http.Header
	form        url.Values
	body        string
}

// entra is the authority, the token proxy and the managed identity endpoint, as strict as the real ones: codes and rotated
// refresh tokens work once.
type entra struct {
	mu       sync.Mutex
	requests []request // for tokens; what is asked about the tenant is not counted
	secrets  []string  // of the application that are valid
	codes    map[string]*code
	refresh  map[string]bool // refresh tokens that are alive
	rotates  bool            // whether redeeming a refresh token gives another one and ends the old one
	life     time.Duration
	latency  time.Duration // from when a request has taken effect until it is answered
	made     int
	hosts    map[string]bool // that were asked for anything
	// answer, when set, answers requests for tokens; a status of 0 leaves them to the authority.
	answer func(request) (int, string)
	// retryAfter, when set, is the header Retry-After of every answer.
	retryAfter string
	// fail, when set, fails requests.
	fail func(*http.Request) error
}

type code struct {
	used      bool
	challenge string
}

func newEntra() *entra {
	return &entra{secrets: []string{secretText}, codes: map[string]*code{}, refresh: map[string]bool{}, hosts: map[string]bool{}, rotates: true, life: time.Hour}
}

// metadata is the managed identity endpoint, which only Direct reaches.
type metadata entra

func (m *metadata) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() != "169.254.169.254" {
		return nil, fmt.Errorf("%s is asked without the proxy settings", r.URL.Host)
	}
	return (*entra)(m).serve(r, (*entra).identity)
}

func (e *entra) Do(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.hosts[r.URL.Host] = true
	e.mu.Unlock()
	switch {
	case r.URL.Hostname() == "oproxy.example.com":
		return e.serve(r, (*entra).proxy)
	case strings.HasSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration"):
		if e.fail != nil {
			if err := e.fail(r); err != nil {
				return nil, err
			}
		}
		base := "https://" + r.URL.Host + "/" + strings.Split(r.URL.Path, "/")[1]
		return response(r, http.StatusOK, fmt.Sprintf(`{"authorization_endpoint":"%[1]s/oauth2/v2.0/authorize",
			"token_endpoint":"%[1]s/oauth2/v2.0/token","issuer":"%[1]s/v2.0"}`, base)), nil
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		return e.serve(r, (*entra).token)
	}
	return nil, fmt.Errorf("nobody expects a request to %s", r.URL)
}

func (e *entra) serve(r *http.Request, handle func(*entra, request) (int, string)) (*http.Response, error) {
	seen := request{method: r.Method, url: r.URL.String(), header: r.Header}
	if r.Body != nil {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		seen.body = string(raw)
		seen.form, _ = url.ParseQuery(seen.body)
	}
	e.mu.Lock()
	e.requests = append(e.requests, seen)
	if e.fail != nil {
		if err := e.fail(r); err != nil {
			e.mu.Unlock()
			return nil, err
		}
	}
	status, body := 0, ""
	if e.answer != nil {
		status, body = e.answer(seen)
	}
	if status == 0 {
		status, body = handle(e, seen)
	}
	latency, retryAfter := e.latency, e.retryAfter
	e.mu.Unlock()
	if err := system.Sleep(r.Context(), latency); err != nil {
		return nil, err
	}
	answer := response(r, status, body)
	if retryAfter != "" {
		answer.Header.Set("Retry-After", retryAfter)
	}
	return answer, nil
}

func response(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

// count returns the number of requests for tokens so far.
func (e *entra) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

func (e *entra) last() request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests[len(e.requests)-1]
}

func (e *entra) fresh(kind, scope string) string {
	e.made++
	return fmt.Sprintf("%s-%s-%d-for-%s", canary, kind, e.made, scope)
}

func (e *entra) token(r request) (int, string) {
	if status, body := e.authenticate(r); status != 0 {
		return status, body
	}
	scope := ""
	for word := range strings.FieldsSeq(r.form.Get("scope")) {
		if strings.HasPrefix(word, "https://") {
			scope = word
		}
	}
	switch r.form.Get("grant_type") {
	case "client_credentials":
		return e.give(scope, "")
	case "authorization_code":
		known := e.codes[r.form.Get("code")]
		switch {
		case known == nil:
			return refused("invalid_grant", 70000, "The code is unknown.")
		case known.used:
			return refused("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed.")
		case r.form.Get("redirect_uri") != redirect:
			return refused("invalid_request", 50011, "The redirect URI does not match.")
		case known.challenge != "" && known.challenge != challenge(r.form.Get("code_verifier")):
			return refused("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")
		}
		known.used = true
		next := ""
		if strings.Contains(r.form.Get("scope"), "offline_access") {
			next = e.fresh("refresh", "")
			e.refresh[next] = true
		}
		return e.give(scope, next)
	case "refresh_token":
		old := r.form.Get("refresh_token")
		if !e.refresh[old] {
			return refused("invalid_grant", 70000, "The refresh token "+old+" is not valid.")
		}
		next := ""
		if e.rotates {
			delete(e.refresh, old)
			next = e.fresh("refresh", "")
			e.refresh[next] = true
		}
		return e.give(scope, next)
	}
	return refused("unsupported_grant_type", 70003, "The grant type is unknown.")
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (e *entra) give(scope, refresh string) (int, string) {
	given := map[string]any{"access_token": e.fresh("access", scope), "token_type": "Bearer", "expires_in": int(e.life.Seconds())}
	if refresh != "" {
		given["refresh_token"] = refresh
	}
	raw, _ := json.Marshal(given)
	return http.StatusOK, string(raw)
}

// refused returns a refusal in the form of the authority.
func refused(kind string, number int, message string) (int, string) {
	raw, _ := json.Marshal(map[string]any{
		"error": kind, "error_codes": []int{number}, "timestamp": "2026-01-01 00:00:00Z", "trace_id": "t", "correlation_id": "c",
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: t Correlation ID: c Timestamp: 2026-01-01 00:00:00Z", number, message),
	})
	return http.StatusBadRequest, string(raw)
}

// authenticate checks the proof of the application: its secret, an assertion of its certificate, or one of Kubernetes.
func (e *entra) authenticate(r request) (int, string) {
	assertion := r.form.Get("client_assertion")
	switch {
	case r.form.Get("client_id") != client:
		return refused("unauthorized_client", 700016, "Application was not found.")
	case assertion == "pod-"+canary:
		return 0, ""
	case assertion == "" && slices.Contains(e.secrets, r.form.Get("client_secret")):
		return 0, ""
	case assertion == "":
		return refused("invalid_client", 7000215, "Invalid client secret provided. Ensure that "+r.form.Get("client_secret")+" is a value.")
	case r.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return refused("invalid_request", 900144, "The assertion has no type.")
	}
	if err := checkAssertion(assertion); err != nil {
		return refused("invalid_client", 700027, err.Error())
	}
	return 0, ""
}

func checkAssertion(text string) error {
	whole := application()
	var claims jwt.MapClaims
	token, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return &whole.Key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithExpirationRequired(), jwt.WithIssuer(client), jwt.WithSubject(client))
	if err != nil {
		return err
	}
	if audience, ok := claims["aud"].(string); !ok || audience != authority+"/"+tenant+"/oauth2/v2.0/token" {
		return fmt.Errorf("the audience is %v", claims["aud"])
	}
	if id, ok := claims["jti"].(string); !ok || len(id) != 36 {
		return fmt.Errorf("the id is %v", claims["jti"])
	}
	name, want := "x5t", whole.Thumbprint
	if token.Method.Alg() == "PS256" {
		sum := sha256.Sum256(whole.Chain[0].Raw)
		name, want = "x5t#S256", sum[:]
	}
	text, _ = token.Header[name].(string)
	if text != base64.RawURLEncoding.EncodeToString(want) {
		return fmt.Errorf("the thumbprint %s is %q", name, text)
	}
	return nil
}

// identity is the managed identity endpoint.
func (e *entra) identity(r request) (int, string) {
	asked, err := url.Parse(r.url)
	if err != nil || r.header.Get("Metadata") != "true" || asked.Path != "/metadata/identity/oauth2/token" {
		return http.StatusBadRequest, `{"error":"invalid_request","error_description":"Required metadata header not specified"}`
	}
	given := map[string]string{
		"access_token": e.fresh("identity", asked.Query().Get("resource")+"-"+asked.Query().Get("client_id")), "token_type": "Bearer",
		"expires_in": strconv.Itoa(int(e.life.Seconds())), "resource": asked.Query().Get("resource"),
	}
	raw, _ := json.Marshal(given)
	return http.StatusOK, string(raw)
}

// proxy is the token proxy of Cortex XSOAR.
func (e *entra) proxy(r request) (int, string) {
	var asked map[string]string
	if err := json.Unmarshal([]byte(r.body), &asked); err != nil {
		return http.StatusBadRequest, `{"title":"Bad request","detail":"The body is no JSON."}`
	}
	if asked["app_name"] != "ms-defender-atp" || asked["registration_id"] != proxyID || asked["resource"] != strings.TrimSuffix(asked["scope"], "/.default") {
		return http.StatusForbidden, `{"title":"Forbidden","detail":"The registration is unknown."}`
	}
	when, content, err := decrypt(asked["encrypted_token"])
	if err != nil || when != time.Now().Unix() {
		return http.StatusUnauthorized, `{"title":"Unauthorized","detail":"The proof cannot be read."}`
	}
	if content != proxyToken && !e.refresh[content] {
		return http.StatusUnauthorized, `{"title":"Unauthorized","detail":"The token ` + content + ` is not known."}`
	}
	next := ""
	if e.rotates {
		delete(e.refresh, content)
		next = e.fresh("refresh", "")
		e.refresh[next] = true
	}
	return e.give(cmp.Or(asked["scope"], apiScope), next)
}

func decrypt(text string) (int64, string, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 12 {
		return 0, "", errors.New("no nonce")
	}
	block, err := aes.NewCipher(instance(params.CortexApplication).Proxy.KeyBytes)
	if err != nil {
		return 0, "", err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return 0, "", err
	}
	plain, err := aead.Open(nil, raw[:12], raw[12:], nil)
	if err != nil {
		return 0, "", err
	}
	when, content, found := bytes.Cut(plain, []byte(":"))
	seconds, err := strconv.ParseInt(string(when), 10, 64)
	if err != nil || !found {
		return 0, "", errors.New("no time")
	}
	return seconds, string(content), nil
}
