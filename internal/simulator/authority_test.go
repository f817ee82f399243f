package simulator_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func TestDiscovery(t *testing.T) {
	s := start(t, 1)
	tenant := s.URL() + "/" + s.TenantID()
	for _, c := range []struct {
		path   string
		status int
		field  string
		want   any
	}{
		{"/common/discovery/instance?api-version=1.1&authorization_endpoint=" + url.QueryEscape(tenant+"/oauth2/v2.0/authorize"), 200, "tenant_discovery_endpoint", tenant + "/v2.0/.well-known/openid-configuration"},
		{"/common/discovery/instance?authorization_endpoint=https%3A%2F%2Felsewhere.example%2Fx", 400, "error", "invalid_instance"},
		{"/" + s.TenantID() + "/v2.0/.well-known/openid-configuration", 200, "token_endpoint", tenant + "/oauth2/v2.0/token"},
		{"/" + s.TenantID() + "/v2.0/.well-known/openid-configuration", 200, "issuer", tenant + "/v2.0"},
		{"/" + s.TenantID() + "/.well-known/openid-configuration", 200, "token_endpoint", tenant + "/oauth2/token"},
		{"/" + s.Domain() + "/v2.0/.well-known/openid-configuration", 200, "authorization_endpoint", s.URL() + "/" + s.Domain() + "/oauth2/v2.0/authorize"},
		{"/elsewhere.example/v2.0/.well-known/openid-configuration", 400, "error", "invalid_request"},
		{"/nothing/here", 404, "error", nil},
	} {
		got := s.get(c.path)
		if got.status != c.status || got.json[c.field] != c.want {
			t.Errorf("%s: got %d with %s %v, want %d with %v", c.path, got.status, c.field, got.json[c.field], c.status, c.want)
		}
	}
}

// refused checks for an error answer of the authority.
func refused(t *testing.T, name string, got answer, status int, problem string, code int) {
	t.Helper()
	if got.status != status || got.json["error"] != problem || got.code() != code {
		t.Errorf("%s: got %d %v %v, want %d %s %d", name, got.status, got.json["error"], got.code(), status, problem, code)
		return
	}
	description, _ := got.json["error_description"].(string)
	if !strings.HasPrefix(description, fmt.Sprintf("AADSTS%d: ", code)) {
		t.Errorf("%s: the description is %q", name, description)
	}
	for _, field := range []string{"trace_id", "correlation_id", "timestamp"} {
		if text, _ := got.json[field].(string); text == "" {
			t.Errorf("%s: the answer has no %s", name, field)
		}
	}
}

func TestSigningInWithAClientSecret(t *testing.T) {
	s := start(t, 1)
	got := s.post(s.tokenPath(), s.withSecret(), "scope", "openid profile "+defenderScope)
	if got.status != 200 || got.json["token_type"] != "Bearer" || got.json["expires_in"] != 3599.0 || got.json["refresh_token"] != nil {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(got.json["access_token"].(string), &claims); err != nil {
		t.Fatalf("the access token is no JWT: %v", err)
	}
	for name, want := range map[string]any{
		"aud": "https://api.securitycenter.microsoft.com", "tid": s.TenantID(), "appid": s.ClientID(), "scp": nil,
		"exp": float64(s.Now().Add(3599 * time.Second).Unix()),
	} {
		if claims[name] != want {
			t.Errorf("the token's %s is %v, want %v", name, claims[name], want)
		}
	}
	if roles, _ := claims["roles"].([]any); len(roles) != 25 {
		t.Errorf("the token has the roles %v, want the 25 of the Defender API", claims["roles"])
	}

	s.SetTokenLifetime(time.Minute)
	old := s.post("/"+s.Domain()+"/oauth2/token", s.withSecret(), "scope", "", "resource", "https://api.securitycenter.microsoft.com")
	if old.status != 200 || old.json["expires_in"] != "60" || old.json["resource"] != "https://api.securitycenter.microsoft.com" {
		t.Errorf("the older endpoint: got %d %s", old.status, old.text)
	}

	form := s.withSecret()
	secret := form.Get("client_secret")
	form.Del("client_id")
	form.Del("client_secret")
	req := s.request(http.MethodPost, s.tokenPath(), form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(s.ClientID(), url.QueryEscape(secret))
	if got := s.do(req); got.status != 200 {
		t.Errorf("basic authentication: got %d %s", got.status, got.text)
	}
}

func TestWhatTheTokenEndpointRefuses(t *testing.T) {
	s := start(t, 1)
	for _, c := range []struct {
		name    string
		changes []string
		status  int
		problem string
		code    int
	}{
		{"no grant type", []string{"grant_type", ""}, 400, "invalid_request", 900144},
		{"another grant type", []string{"grant_type", "password"}, 400, "unsupported_grant_type", 70003},
		{"no client id", []string{"client_id", ""}, 400, "invalid_request", 900144},
		{"another client id", []string{"client_id", "6f9619ff-8b86-d011-b42d-00c04fc964ff"}, 400, "unauthorized_client", 700016},
		{"no secret", []string{"client_secret", ""}, 401, "invalid_client", 7000218},
		{"a wrong secret", []string{"client_secret", "wrong"}, 401, "invalid_client", 7000215},
		{"no scope", []string{"scope", ""}, 400, "invalid_request", 900144},
		{"a scope without resource", []string{"scope", "Machine.Read"}, 400, "invalid_scope", 70011},
		{"only the scopes of OpenID", []string{"scope", "openid profile"}, 400, "invalid_scope", 70011},
		{"a single permission", []string{"scope", "https://api.securitycenter.microsoft.com/Machine.Read.All"}, 400, "invalid_scope", 70011},
		{"two resources", []string{"scope", defenderScope + " " + graphScope}, 400, "invalid_request", 28000},
		{"an unknown resource", []string{"scope", "https://elsewhere.example/.default"}, 400, "invalid_resource", 500011},
		{"an unknown code", []string{"grant_type", "authorization_code", "code", "x", "redirect_uri", "http://localhost"}, 400, "invalid_grant", 70000},
		{"no code", []string{"grant_type", "authorization_code"}, 400, "invalid_request", 900144},
		{"an unknown refresh token", []string{"grant_type", "refresh_token", "refresh_token", "x"}, 400, "invalid_grant", 70000},
		{"no refresh token", []string{"grant_type", "refresh_token"}, 400, "invalid_request", 900144},
	} {
		refused(t, c.name, s.post(s.tokenPath(), s.withSecret(), c.changes...), c.status, c.problem, c.code)
	}
	refused(t, "another tenant", s.post("/elsewhere.example/oauth2/v2.0/token", s.withSecret()), 400, "invalid_request", 90002)
	refused(t, "an unknown resource at the older endpoint",
		s.post("/"+s.TenantID()+"/oauth2/token", s.withSecret(), "resource", "https://elsewhere.example"), 400, "invalid_resource", 500011)
	refused(t, "no resource at the older endpoint", s.post("/"+s.TenantID()+"/oauth2/token", s.withSecret()), 400, "invalid_request", 900144)

	old := s.withSecret()
	s.SetSecret("another")
	refused(t, "the secret before", s.post(s.tokenPath(), old), 401, "invalid_client", 7000215)
	if got := s.post(s.tokenPath(), s.withSecret()); got.status != 200 {
		t.Errorf("the new secret: got %d %s", got.status, got.text)
	}
	s.ExpireSecret()
	refused(t, "an expired secret", s.post(s.tokenPath(), s.withSecret()), 401, "invalid_client", 7000222)
}

// certificate is the application's, as the instance has it.
type certificate struct {
	key        *rsa.PrivateKey
	thumbprint []byte
	leaf       *x509.Certificate
}

func (s tenant) certificate() certificate {
	s.t.Helper()
	params := s.Instance("certificate-with-chain")["creds_certificate"].(map[string]any)
	thumbprint, err := hex.DecodeString(params["identifier"].(string))
	if err != nil {
		s.t.Fatalf("the thumbprint: %v", err)
	}
	block, rest := pem.Decode([]byte(params["password"].(string)))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		s.t.Fatalf("the key: %v", err)
	}
	block, rest = pem.Decode(rest)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.t.Fatalf("the certificate: %v", err)
	}
	block, _ = pem.Decode(rest)
	issuer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.t.Fatalf("the issuer: %v", err)
	}
	if err := leaf.CheckSignatureFrom(issuer); err != nil {
		s.t.Fatalf("the chain: %v", err)
	}
	return certificate{key.(*rsa.PrivateKey), thumbprint, leaf}
}

func TestSigningInWithACertificate(t *testing.T) {
	s := start(t, 1)
	cert := s.certificate()
	if sum := sha1.Sum(cert.leaf.Raw); string(sum[:]) != string(cert.thumbprint) {
		t.Fatalf("the thumbprint is %x, want %x", cert.thumbprint, sum)
	}
	sum := sha256.Sum256(cert.leaf.Raw)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	x5t := map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(cert.thumbprint)}
	now := s.Now()
	claims := func(changes ...any) jwt.MapClaims {
		all := jwt.MapClaims{
			"iss": s.ClientID(), "sub": s.ClientID(), "aud": s.URL() + s.tokenPath(), "jti": rand.Text(),
			"nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
		}
		for i := 0; i < len(changes); i += 2 {
			all[changes[i].(string)] = changes[i+1]
			if changes[i+1] == nil {
				delete(all, changes[i].(string))
			}
		}
		return all
	}
	sign := func(method jwt.SigningMethod, key crypto.PrivateKey, header map[string]any, claims jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, claims)
		maps.Copy(token.Header, header)
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	send := func(assertion string, changes ...string) answer {
		return s.post(s.tokenPath(), s.withSecret(), append([]string{
			"client_secret", "", "client_assertion_type", assertionType, "client_assertion", assertion,
		}, changes...)...)
	}

	s256 := map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(sum[:])}
	issuer := s.URL() + "/" + s.TenantID() + "/v2.0"
	for _, c := range []struct{ name, assertion string }{
		{"x5t, RS256", sign(jwt.SigningMethodRS256, cert.key, x5t, claims())},
		{"x5t#S256, PS256", sign(jwt.SigningMethodPS256, cert.key, s256, claims())},
		{"by a clock that is ahead", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("nbf", now.Add(clockSkew-time.Second).Unix()))},
		{"by a clock that is behind", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("exp", now.Add(time.Second-clockSkew).Unix()))},
		{"the tenant's issuer as audience", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("aud", issuer))},
	} {
		if got := send(c.assertion); got.status != 200 {
			t.Errorf("%s: got %d %s", c.name, got.status, got.text)
		}
	}

	used := sign(jwt.SigningMethodRS256, cert.key, x5t, claims())
	if got := send(used); got.status != 200 {
		t.Fatalf("an assertion for the first time: got %d %s", got.status, got.text)
	}
	wrong := map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(make([]byte, 20))}
	for _, c := range []struct {
		name, assertion string
		code            int
	}{
		{"no JWT", "abc", 50027},
		{"used before", used, 700027},
		{"without identifier", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("jti", nil)), 700027},
		{"another thumbprint", sign(jwt.SigningMethodRS256, cert.key, wrong, claims()), 700027},
		{"no thumbprint", sign(jwt.SigningMethodRS256, cert.key, nil, claims()), 700027},
		{"another key", sign(jwt.SigningMethodRS256, other, x5t, claims()), 700027},
		{"a shared secret as key", sign(jwt.SigningMethodHS256, []byte("secret"), x5t, claims()), 700027},
		{"expired", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("exp", now.Add(-clockSkew).Unix())), 700024},
		{"without end", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("exp", nil)), 700027},
		{"not valid yet", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("nbf", now.Add(clockSkew+time.Second).Unix())), 700024},
		{"another audience", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("aud", "https://elsewhere.example")), 700023},
		{"another subject", sign(jwt.SigningMethodRS256, cert.key, x5t, claims("sub", "x")), 700021},
	} {
		refused(t, c.name, send(c.assertion), 401, "invalid_client", c.code)
	}
	refused(t, "no assertion type", send(sign(jwt.SigningMethodRS256, cert.key, x5t, claims()), "client_assertion_type", ""), 401, "invalid_client", 50027)

	s.SetAssertionClock(func() time.Time { return now.Add(time.Hour) })
	refused(t, "a clock of its own", send(sign(jwt.SigningMethodRS256, cert.key, x5t, claims())), 401, "invalid_client", 700024)
}

// clockSkew is the difference that the authority forgives a clock.
const clockSkew = 5 * time.Minute

func TestSigningInAsAWorkload(t *testing.T) {
	s := start(t, 1)
	other := start(t, 2)
	send := func(assertion string) answer {
		return s.post(s.tokenPath(), s.withSecret(), "client_secret", "", "client_assertion_type", assertionType, "client_assertion", assertion)
	}
	token := s.WorkloadToken()
	for range 2 { // a file keeps its token for a while
		if got := send(token); got.status != 200 {
			t.Fatalf("the workload's token: got %d %s", got.status, got.text)
		}
	}
	foreign := func(claims jwt.MapClaims) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("another key"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	refused(t, "a token of another cluster", send(other.WorkloadToken()), 401, "invalid_client", 700027)
	refused(t, "a token of an unknown issuer", send(foreign(jwt.MapClaims{"iss": "https://elsewhere.example"})), 401, "invalid_client", 700027)
	s.Advance(time.Hour + clockSkew)
	refused(t, "an expired token", send(token), 401, "invalid_client", 700024)
	if got := send(s.WorkloadToken()); got.status != 200 {
		t.Errorf("the workload's next token: got %d %s", got.status, got.text)
	}
}

// challenge is the S256 challenge of a verifier.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const verifier = "a-verifier-of-at-least-forty-three-characters"

// loginURL is the address that a user opens to sign in; changes are names and values.
func (s tenant) loginURL(changes ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {s.ClientID()}, "redirect_uri": {s.redirectURI()},
		"scope": {"offline_access " + defenderScope}, "state": {"the state"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(changes); i += 2 {
		q.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			q.Del(changes[i])
		}
	}
	return s.URL() + "/" + s.TenantID() + "/oauth2/v2.0/authorize?" + q.Encode()
}

func (s tenant) redirectURI() string {
	return s.Instance("authorization-code")["redirect_uri"].(string)
}

// code signs the user in.
func (s tenant) code(changes ...string) string {
	s.t.Helper()
	redirect, err := s.SignIn(s.loginURL(changes...))
	if err != nil {
		s.t.Fatalf("signing in: %v", err)
	}
	target, err := url.Parse(redirect)
	if err != nil {
		s.t.Fatalf("the redirect: %v", err)
	}
	return target.Query().Get("code")
}

// redeem exchanges a code.
func (s tenant) redeem(code string, changes ...string) answer {
	s.t.Helper()
	return s.post(s.tokenPath(), s.withSecret(), append([]string{
		"grant_type", "authorization_code", "code", code, "redirect_uri", s.redirectURI(), "code_verifier", verifier, "scope", "",
	}, changes...)...)
}

// refresh exchanges a refresh token.
func (s tenant) refresh(token string, changes ...string) answer {
	s.t.Helper()
	return s.post(s.tokenPath(), s.withSecret(), append([]string{
		"grant_type", "refresh_token", "refresh_token", token, "scope", "",
	}, changes...)...)
}

// userToken is the refresh token of a user who has just signed in.
func (s tenant) userToken() string {
	s.t.Helper()
	got := s.redeem(s.code())
	token, ok := got.json["refresh_token"].(string)
	if !ok {
		s.t.Fatalf("redeeming a code: got %d %s", got.status, got.text)
	}
	return token
}

func TestAUserSignsIn(t *testing.T) {
	s := start(t, 1)
	redirect, err := s.SignIn(s.loginURL())
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	target, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(redirect, s.redirectURI()+"?") || target.Query().Get("state") != "the state" {
		t.Errorf("the redirect is %s", redirect)
	}
	got := s.redeem(target.Query().Get("code"))
	if got.status != 200 || got.json["refresh_token"] == nil {
		t.Fatalf("redeeming the code: got %d %s", got.status, got.text)
	}
	var claims jwt.MapClaims
	token := got.json["access_token"].(string)
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["upn"] != s.User() || claims["roles"] != nil || !strings.Contains(claims["scp"].(string), "Machine.Read ") {
		t.Errorf("the user's token says %v", claims)
	}
	if got := s.call(http.MethodGet, "/api/machines", token); got.status != 200 {
		t.Errorf("the API: got %d %s", got.status, got.text)
	}
	if got := s.redeem(s.code("scope", defenderScope)); got.json["refresh_token"] != nil {
		t.Errorf("without offline_access a refresh token came: %s", got.text)
	}
	if got := s.redeem(s.code("redirect_uri", "http://localhost:1/callback"), "redirect_uri", "http://localhost:1/callback"); got.status != 200 {
		t.Errorf("another port of loopback: got %d %s", got.status, got.text)
	}
	s.AddRedirectURI("https://xsoar.example/redirect?a=b")
	redirect, err = s.SignIn(s.loginURL("redirect_uri", "https://xsoar.example/redirect?a=b", "state", ""))
	if err != nil || !strings.HasPrefix(redirect, "https://xsoar.example/redirect?a=b&code=") || strings.Contains(redirect, "&state=") {
		t.Errorf("a redirect URI added later: got %q, %v", redirect, err)
	}
	old := strings.Replace(s.loginURL("scope", "", "resource", "https://api.securitycenter.microsoft.com"), "/v2.0/", "/", 1)
	if _, err = s.SignIn(old); err != nil {
		t.Errorf("the older endpoint: %v", err)
	}
}

// TestAUserSignsInWithoutATenant does so under the names for the tenants of all organizations, as older instances are configured.
func TestAUserSignsInWithoutATenant(t *testing.T) {
	s := start(t, 1)
	for _, name := range []string{"organizations", "common", "Organizations"} {
		inTenant := "/" + s.TenantID() + "/"
		redirect, err := s.SignIn(strings.Replace(s.loginURL(), inTenant, "/"+name+"/", 1))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		target, err := url.Parse(redirect)
		if err != nil {
			t.Fatal(err)
		}
		path := strings.Replace(s.tokenPath(), inTenant, "/"+name+"/", 1)
		got := s.post(path, s.withSecret(), "grant_type", "authorization_code", "code", target.Query().Get("code"),
			"redirect_uri", s.redirectURI(), "code_verifier", verifier, "scope", "")
		if got.status != 200 || got.json["refresh_token"] == nil {
			t.Fatalf("%s: redeeming the code: got %d %s", name, got.status, got.text)
		}
		got = s.post(path, s.withSecret(), "grant_type", "refresh_token", "refresh_token", got.json["refresh_token"].(string), "scope", "")
		if got.status != 200 {
			t.Errorf("%s: the refresh token: got %d %s", name, got.status, got.text)
		}
		refused(t, name+": an application", s.post(path, s.withSecret(), "scope", defenderScope), 400, "invalid_request", 50059)
		if got := s.get("/" + name + "/v2.0/.well-known/openid-configuration"); got.json["issuer"] != s.URL()+"/{tenantid}/v2.0" {
			t.Errorf("%s: got the issuer %v, want one without a tenant", name, got.json["issuer"])
		}
	}
}

func TestASingleDelegatedPermission(t *testing.T) {
	s := start(t, 1)
	got := s.redeem(s.code("scope", "https://api.securitycenter.microsoft.com/Alert.Read"))
	if got.json["scope"] != "https://api.securitycenter.microsoft.com/Alert.Read" {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	refusal := s.call(http.MethodGet, "/api/machines", got.json["access_token"].(string))
	if refusal.status != 403 || !strings.Contains(refusal.text, "Machine.Read") || !strings.Contains(refusal.text, "delegated") {
		t.Errorf("machines with Alert.Read: got %d %s", refusal.status, refusal.text)
	}
}

func TestWhatTheAuthorizeEndpointRefuses(t *testing.T) {
	s := start(t, 1)
	for _, c := range []struct {
		name    string
		changes []string
		back    bool // whether the browser is sent back
		want    string
	}{
		{"no client id", []string{"client_id", ""}, false, "AADSTS900144"},
		{"another client id", []string{"client_id", "x<script>"}, false, "AADSTS700016"},
		{"no redirect URI", []string{"redirect_uri", ""}, false, "AADSTS900144"},
		{"another redirect URI", []string{"redirect_uri", "https://elsewhere.example/"}, false, "AADSTS50011"},
		{"another path of loopback", []string{"redirect_uri", "http://localhost/elsewhere"}, false, "AADSTS50011"},
		{"no response type", []string{"response_type", ""}, true, "AADSTS900144"},
		{"another response type", []string{"response_type", "token"}, true, "AADSTS70005"},
		{"another response mode", []string{"response_mode", "fragment"}, true, "AADSTS70007"},
		{"no scope", []string{"scope", ""}, true, "AADSTS900144"},
		{"a scope without resource", []string{"scope", "Machine.Read"}, true, "AADSTS70011"},
		{"an unknown resource", []string{"scope", "https://elsewhere.example/.default"}, true, "AADSTS500011"},
		{"a permission without consent", []string{"scope", "https://graph.microsoft.com/Mail.Read"}, true, "AADSTS65001"},
		{"a short challenge", []string{"code_challenge", "abc"}, true, "AADSTS501491"},
		{"another challenge method", []string{"code_challenge_method", "S512"}, true, "AADSTS501491"},
	} {
		redirect, err := s.SignIn(s.loginURL(c.changes...))
		if err == nil || !strings.Contains(err.Error(), c.want+": ") || strings.Contains(err.Error(), "<script>") {
			t.Errorf("%s: got the error %v, want %s", c.name, err, c.want)
		}
		if (redirect != "") != c.back || c.back && !strings.Contains(redirect, "state=the+state") {
			t.Errorf("%s: the browser was sent to %q", c.name, redirect)
		}
	}
	if _, err := s.SignIn(s.URL() + "/elsewhere.example/oauth2/v2.0/authorize"); err == nil || !strings.Contains(err.Error(), "AADSTS90002") {
		t.Errorf("another tenant: got the error %v", err)
	}
	if _, err := s.SignIn("https://elsewhere.example/"); err == nil {
		t.Error("SignIn opened a page of another host")
	}
	s.SetConsent(false)
	if redirect, err := s.SignIn(s.loginURL()); err == nil || !strings.Contains(redirect, "error=access_denied") {
		t.Errorf("a user who does not agree: got %q, %v", redirect, err)
	}
}

func TestWhatBreaksACode(t *testing.T) {
	s := start(t, 1)
	used := s.code()
	if got := s.redeem(used); got.status != 200 {
		t.Fatalf("a code for the first time: got %d %s", got.status, got.text)
	}
	refused(t, "used twice", s.redeem(used), 400, "invalid_grant", 54005)
	refused(t, "another redirect URI", s.redeem(s.code(), "redirect_uri", "http://localhost"), 400, "invalid_grant", 500112)
	refused(t, "another verifier", s.redeem(s.code(), "code_verifier", strings.ToUpper(verifier)), 400, "invalid_grant", 501481)
	refused(t, "no verifier", s.redeem(s.code(), "code_verifier", ""), 400, "invalid_grant", 501481)
	code := s.code()
	refused(t, "a wrong secret", s.redeem(code, "client_secret", "wrong"), 401, "invalid_client", 7000215)
	if got := s.redeem(code); got.status != 200 {
		t.Errorf("the code after that: got %d %s", got.status, got.text)
	}
	if got := s.redeem(s.code("code_challenge_method", "plain", "code_challenge", verifier)); got.status != 200 {
		t.Errorf("a plain challenge: got %d %s", got.status, got.text)
	}
	if got := s.redeem(s.code("code_challenge_method", "", "code_challenge", ""), "code_verifier", ""); got.status != 200 {
		t.Errorf("no challenge: got %d %s", got.status, got.text)
	}
	late := s.code()
	s.Advance(10 * time.Minute)
	refused(t, "after ten minutes", s.redeem(late), 400, "invalid_grant", 70008)
}

func TestRefreshTokens(t *testing.T) {
	s := start(t, 1)
	first := s.userToken()
	got := s.refresh(first)
	second, _ := got.json["refresh_token"].(string)
	if got.status != 200 || second == "" || second == first {
		t.Fatalf("a refresh: got %d %s", got.status, got.text)
	}
	if got := s.refresh(first); got.status != 200 {
		t.Errorf("the refresh token before: got %d %s", got.status, got.text)
	}
	graph := s.refresh(second, "scope", "offline_access "+graphScope)
	var granted []string
	for _, permission := range permissionsOfGraph() {
		granted = append(granted, "https://graph.microsoft.com/"+permission)
	}
	if graph.json["scope"] != strings.Join(append(granted, graphScope), " ") {
		t.Errorf("a refresh for Graph: got %d %s", graph.status, graph.text)
	}
	refused(t, "without secret", s.refresh(second, "client_secret", ""), 401, "invalid_client", 7000218)
	refused(t, "for an unknown resource", s.refresh(second, "scope", "https://elsewhere.example/.default"), 400, "invalid_resource", 500011)

	s.StrictRotation(true)
	got = s.refresh(second)
	third, _ := got.json["refresh_token"].(string)
	if got.status != 200 {
		t.Fatalf("a refresh that works once: got %d %s", got.status, got.text)
	}
	refused(t, "used a second time", s.refresh(second), 400, "invalid_grant", 70008)
	if got := s.refresh(third); got.status != 200 {
		t.Errorf("the refresh token after that: got %d %s", got.status, got.text)
	}

	for _, c := range []struct {
		name string
		end  func()
		code int
	}{
		{"revoked", s.RevokeRefreshTokens, 50173},
		{"expired", s.ExpireRefreshTokens, 70008},
		{"unused for 90 days", func() { s.Advance(90 * 24 * time.Hour) }, 700082},
	} {
		token := s.userToken()
		c.end()
		refused(t, c.name, s.refresh(token), 400, "invalid_grant", c.code)
	}
}

// permissionsOfGraph are those of Microsoft Graph that a tenant grants unless it is told otherwise.
func permissionsOfGraph() []string {
	return []string{
		"ThreatHunting.Read.All", "SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All", "SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All",
		"SecurityData.Manage.All",
	}
}
