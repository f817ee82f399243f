package simulator

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How long grants live: an authorization code (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow), and a
// refresh token that is not used (https://learn.microsoft.com/entra/identity-platform/refresh-tokens).
const (
	codeLifetime    = 10 * time.Minute
	refreshIdleTime = 90 * 24 * time.Hour
)

// grants are the codes and refresh tokens given, and the assertions taken.
type grants struct {
	codes      map[string]*codeGrant
	refresh    map[string]*refreshGrant
	assertions map[string]time.Time // identifiers of client assertions, with their end
}

func newGrants() grants {
	return grants{
		codes: map[string]*codeGrant{}, refresh: map[string]*refreshGrant{}, assertions: map[string]time.Time{},
	}
}

// codeGrant is the meaning of an authorization code.
type codeGrant struct {
	who       holder
	scope     scope
	redirect  string
	challenge string
	method    string
	given     time.Time
	used      bool
}

// refreshGrant is the meaning of a refresh token.
type refreshGrant struct {
	who   holder
	scope scope
	given time.Time
	ended int // the AADSTS code with which it is refused, 0 while it lives
}

// scope holds the permissions of one resource that a token is requested for.
type scope struct {
	audience string
	names    []string // permissions by name, or .default for all that there are
	offline  bool     // a refresh token is wanted
	openID   []string // the scopes of OpenID Connect that are wanted
	all      bool     // the permissions were asked for by .default
	nonce    string   // of the sign-in, for the ID token
}

// defaultScope means every permission that the application has been given.
const defaultScope = ".default"

// parseScope reads the scope parameter of a request.
func (t *Tenant) parseScope(text string) (scope, *refusal) {
	var s scope
	for part := range strings.FieldsSeq(text) {
		switch part {
		case "offline_access":
			s.offline = true
			continue
		case "openid", "profile", "email":
			s.openID = append(s.openID, part)
			continue
		}
		slash := strings.LastIndex(part, "/")
		if slash < 0 {
			return scope{}, refuse(70011, "The scope %q names no resource.", part)
		}
		audience, known := t.resource(part[:slash])
		if !known {
			return scope{}, refuse(500011, "The resource %q is not known in this tenant.", part[:slash])
		}
		if s.audience != "" && s.audience != audience {
			return scope{}, refuse(28000, "The scope names more than one resource.")
		}
		s.audience, s.names = audience, append(s.names, part[slash+1:])
	}
	if s.audience == "" && len(s.openID) == 0 {
		return scope{}, refuse(70011, "The scope %q names no resource.", text)
	}
	return s, nil
}

// delegated resolves the scope to the permissions that the user has consented to.
func (t *Tenant) delegated(s scope) (scope, *refusal) {
	if s.audience == "" { // only who the user is
		s.audience = graphAudience
		return s, nil
	}
	given := permissionsFor(s.audience, t.settings.scopes)
	if slices.Contains(s.names, defaultScope) {
		s.names, s.all = given, true
		return s, nil
	}
	for _, name := range s.names {
		if !slices.Contains(given, name) {
			return scope{}, refuse(65001, "Nobody has consented to the permission %q.", name)
		}
	}
	return s, nil
}

// tokenRequest is a request to the token endpoint.
type tokenRequest struct {
	form     url.Values
	endpoint string // its URL, as the request named it
	v1       bool   // the older endpoint, which takes a resource instead of a scope
}

// tokenAnswer holds the tokens that a request is granted.
type tokenAnswer struct {
	audience string
	scopes   []string // of a user's token, as the answer names them
	access   string
	refresh  string
	identity string // ID token
	info     string // client_info, of a user's token
}

// serveToken is the token endpoint; the older one answers numbers as strings.
func (t *Tenant) serveToken(v1 bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		describeAnswer(w, r)
		tenant := r.PathValue("tenant")
		if !t.signsIn(tenant) {
			t.answerRefusal(w, r, unknownTenant(tenant))
			return
		}
		if err := r.ParseForm(); err != nil {
			t.answerRefusal(w, r, refuse(900144, "The request's body is not a form."))
			return
		}
		if !t.isTenant(tenant) && r.PostForm.Get("grant_type") == "client_credentials" {
			t.answerRefusal(w, r, refuse(50059, "An application must name its tenant, which nothing in the request does."))
			return
		}
		if id, secret, found := r.BasicAuth(); found {
			r.PostForm.Set("client_id", unescaped(id))
			r.PostForm.Set("client_secret", unescaped(secret))
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		answer, no := t.grant(tokenRequest{form: r.PostForm, endpoint: t.base + r.URL.EscapedPath(), v1: v1})
		if no != nil {
			t.answerRefusal(w, r, no)
			return
		}
		t.answerToken(w, answer, v1)
	}
}

// unescaped undoes the form encoding that RFC 6749 wants within basic authentication.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// answerToken answers with the tokens. The lock is held.
func (t *Tenant) answerToken(w http.ResponseWriter, a tokenAnswer, v1 bool) {
	seconds := int(t.settings.tokenLifetime.Seconds())
	body := map[string]any{"token_type": "Bearer", "access_token": a.access}
	for name, value := range map[string]string{"refresh_token": a.refresh, "id_token": a.identity, "client_info": a.info} {
		if value != "" {
			body[name] = value
		}
	}
	if v1 {
		body["resource"] = a.audience
		body["expires_in"], body["ext_expires_in"] = strconv.Itoa(seconds), strconv.Itoa(seconds)
		body["not_before"] = unixText(t.now())
		body["expires_on"] = unixText(t.now().Add(t.settings.tokenLifetime))
		answerJSON(w, http.StatusOK, body)
		return
	}
	body["expires_in"], body["ext_expires_in"] = seconds, seconds
	if len(a.scopes) > 0 {
		body["scope"] = strings.Join(a.scopes, " ")
	}
	answerJSON(w, http.StatusOK, body)
}

func unixText(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// grant checks who asks and returns the tokens of the grant. The lock is held, by everything it calls too.
func (t *Tenant) grant(q tokenRequest) (tokenAnswer, *refusal) {
	if no := required(q.form, "grant_type", "client_id"); no != nil {
		return tokenAnswer{}, no
	}
	if no := t.checkClientID(q.form.Get("client_id")); no != nil {
		return tokenAnswer{}, no
	}
	var redeem func(tokenRequest) (tokenAnswer, *refusal)
	switch kind := q.form.Get("grant_type"); kind {
	case "client_credentials":
		redeem = t.redeemCredentials
	case "authorization_code":
		redeem = t.redeemCode
	case "refresh_token":
		redeem = t.redeemRefreshToken
	default:
		return tokenAnswer{}, refuse(70003, "The grant type %q is not supported.", kind)
	}
	if no := t.checkClient(q); no != nil {
		return tokenAnswer{}, no
	}
	return redeem(q)
}

// required checks that the parameters are there.
func required(form url.Values, names ...string) *refusal {
	for _, name := range names {
		if form.Get(name) == "" {
			return refuse(900144, "The request lacks the parameter %q.", name)
		}
	}
	return nil
}

func (t *Tenant) checkClientID(id string) *refusal {
	if strings.EqualFold(id, t.registration.clientID) {
		return nil
	}
	return refuse(700016, "The application %q is not known in this tenant.", id)
}

// checkClient checks the application's own credentials: a secret or an assertion.
func (t *Tenant) checkClient(q tokenRequest) *refusal {
	switch {
	case q.form.Get("client_assertion") != "":
		return t.checkAssertion(q)
	case q.form.Get("client_secret") == "":
		return refuse(7000218, "The request lacks a client_secret or client_assertion.")
	case !sameText(q.form.Get("client_secret"), t.settings.secret):
		return refuse(7000215, "The client secret is not one of the application's. Its value is needed, not its identifier.")
	case t.settings.secretExpired:
		return refuse(7000222, "The client secret has expired.")
	}
	return nil
}

// wanted is the scope of a request; ok is false when it names none.
func (t *Tenant) wanted(q tokenRequest) (s scope, ok bool, no *refusal) {
	if !q.v1 {
		if text := q.form.Get("scope"); text != "" {
			s, no = t.parseScope(text)
			return s, true, no
		}
		return scope{}, false, nil
	}
	name := q.form.Get("resource")
	if name == "" {
		return scope{}, false, nil
	}
	audience, known := t.resource(name)
	if !known {
		return scope{}, true, refuse(500011, "The resource %q is not known in this tenant.", name)
	}
	return scope{audience: audience, names: []string{defaultScope}, offline: true}, true, nil
}

// redeemCredentials returns a token for the application itself.
func (t *Tenant) redeemCredentials(q tokenRequest) (tokenAnswer, *refusal) {
	s, named, no := t.wanted(q)
	if no != nil {
		return tokenAnswer{}, no
	}
	if !named {
		return tokenAnswer{}, refuse(900144, "The request lacks the parameter %q.", scopeParameter(q.v1))
	}
	if len(s.names) != 1 || s.names[0] != defaultScope {
		return tokenAnswer{}, refuse(70011, "An application signs in with a scope that ends in /.default.")
	}
	who := holder{clientID: t.registration.clientID}
	return tokenAnswer{audience: s.audience, access: t.accessToken(s.audience, who, nil)}, nil
}

func scopeParameter(v1 bool) string {
	if v1 {
		return "resource"
	}
	return "scope"
}

// redeemCode returns the tokens for an authorization code, once.
func (t *Tenant) redeemCode(q tokenRequest) (tokenAnswer, *refusal) {
	if no := required(q.form, "code", "redirect_uri"); no != nil {
		return tokenAnswer{}, no
	}
	code, found := t.grants.codes[q.form.Get("code")]
	switch {
	case !found:
		return tokenAnswer{}, refuse(70000, "The authorization code is not valid.")
	case code.used:
		return tokenAnswer{}, refuse(54005, "The authorization code was used before. Sign in again for another one.")
	case t.now().Sub(code.given) >= codeLifetime:
		return tokenAnswer{}, refuse(70008, "The authorization code has expired. Sign in again for another one.")
	case code.redirect != q.form.Get("redirect_uri"):
		return tokenAnswer{}, refuse(500112, "The redirect URI is not the one that the code was asked with.")
	case !code.verifies(q.form.Get("code_verifier")):
		return tokenAnswer{}, refuse(501481, "The code verifier does not fit the code challenge of the sign-in.")
	}
	s, no := t.redeemed(q, code.scope)
	if no != nil {
		return tokenAnswer{}, no
	}
	code.used = true
	return t.userTokens(q, code.who, s), nil
}

// redeemed returns what a code of the scope is redeemed for. Microsoft's libraries ask for the scopes of OpenID Connect and
// for a refresh token only when they redeem it.
func (t *Tenant) redeemed(q tokenRequest, given scope) (scope, *refusal) {
	asked, named, no := t.wanted(q)
	if no != nil || !named {
		return given, no
	}
	given.offline = given.offline || asked.offline
	for _, name := range asked.openID {
		if !slices.Contains(given.openID, name) {
			given.openID = append(slices.Clip(given.openID), name)
		}
	}
	return given, nil
}

// verifies reports whether the verifier of PKCE belongs to the challenge that the code was asked with.
func (c *codeGrant) verifies(verifier string) bool {
	if c.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return c.challenge == "" || sameText(verifier, c.challenge)
}

// redeemRefreshToken returns fresh tokens for a refresh token, for the resource it was made with or another one
// that the user has consented to.
func (t *Tenant) redeemRefreshToken(q tokenRequest) (tokenAnswer, *refusal) {
	if no := required(q.form, "refresh_token"); no != nil {
		return tokenAnswer{}, no
	}
	given, no := t.takeRefreshToken(q.form.Get("refresh_token"))
	if no != nil {
		return tokenAnswer{}, no
	}
	s, named, no := t.wanted(q)
	if no != nil {
		return tokenAnswer{}, no
	}
	if !named {
		s = given.scope
	}
	if s, no = t.delegated(s); no != nil {
		return tokenAnswer{}, no
	}
	s.offline = true // a new refresh token comes with every refresh, asked for or not
	t.spend(given)
	return t.userTokens(q, given.who, s), nil
}

// takeRefreshToken finds what a refresh token means, unless it is dead.
func (t *Tenant) takeRefreshToken(token string) (*refreshGrant, *refusal) {
	given, found := t.grants.refresh[token]
	switch {
	case !found:
		return nil, refuse(70000, "The refresh token is not valid.")
	case given.ended != 0:
		return nil, refuse(given.ended, "The refresh token has ended. Sign in again.")
	case t.now().Sub(given.given) >= refreshIdleTime:
		return nil, refuse(700082, "The refresh token was not used for 90 days and has expired. Sign in again.")
	}
	return given, nil
}

// spend ends a refresh token that has just been used, when they work once only.
func (t *Tenant) spend(given *refreshGrant) {
	if t.settings.strictRotation {
		given.ended = 70008
	}
}

// userTokens makes a user's access token and, if asked for, refresh token, ID token and client_info.
func (t *Tenant) userTokens(q tokenRequest, who holder, s scope) tokenAnswer {
	answer := tokenAnswer{audience: s.audience, scopes: s.granted(), access: t.accessToken(s.audience, who, s.names)}
	if s.offline {
		answer.refresh = t.refreshToken(who, s)
	}
	if slices.Contains(s.openID, "openid") {
		answer.identity = t.identityToken(who, s)
	}
	if q.form.Get("client_info") == "1" {
		answer.info = t.clientInfo()
	}
	return answer
}

// granted returns the scopes as an answer names them: a client that asked for .default looks for it there.
func (s scope) granted() []string {
	granted := each(s.names, func(name string) string { return s.audience + "/" + name })
	if s.all {
		granted = append(granted, s.audience+"/"+defaultScope)
	}
	return append(granted, s.openID...)
}

// refreshToken makes a refresh token.
func (t *Tenant) refreshToken(who holder, s scope) string {
	token, now := t.opaque(), t.now()
	t.grants.refresh[token] = &refreshGrant{who: who, scope: s, given: now}
	t.journal(stateLine{At: now, Do: "token", Token: &keptToken{token, who.clientID, who.user, s.audience, s.names, s.openID}})
	return token
}

// sameText reports whether secrets are equal, without revealing how much of them matches.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
