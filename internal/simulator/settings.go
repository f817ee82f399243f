package simulator

import (
	"encoding/base64"
	"slices"
	"time"
)

// The test user, and the domain that is another name of the tenant.
const (
	domain   = "contoso.example"
	testUser = "analyst@" + domain

	testUserName = "Alex Analyst"
)

// registration holds the identifiers of the tenant and its applications, which follow from the seed.
type registration struct {
	tenantID       string
	clientID       string // the self-deployed application
	systemIdentity string // client id of the system assigned managed identity
	userIdentity   string // client id of the user assigned managed identity
	cortexID       string // the registration at the token proxy
	userID         string // object id of the test user
	objectID       string // of the application's service principal
}

func (t *Tenant) newRegistration() registration {
	return registration{
		tenantID: t.guid(), clientID: t.guid(), systemIdentity: t.guid(), userIdentity: t.guid(), cortexID: t.guid(),
		userID: t.guid(), objectID: t.guid(),
	}
}

// secrets are drawn at the start and stay.
type secrets struct {
	identityHeader string
	cortexToken    string
	cortexKey      []byte
	workloadKey    []byte // signs the tokens of the workload
	controlKey     string // opens the control endpoint
}

func (t *Tenant) newSecrets() secrets {
	return secrets{identityHeader: t.guid(), cortexToken: t.opaque(), cortexKey: t.draw(), workloadKey: t.draw(), controlKey: t.opaque()}
}

// settings hold everything that may change while the tenant runs.
type settings struct {
	secret         string
	secretExpired  bool
	signing        *signingKey // nil until it is first needed
	keyNumber      int64       // of the signing key, counted from 1
	tokenLifetime  time.Duration
	roles, scopes  []string
	redirects      []string
	consent        bool
	strictRotation bool
	identitySilent bool
	identityDelay  time.Duration
	// firstCertificate and renewedCertificate report which certificates of the application are registered.
	firstCertificate, renewedCertificate bool
	huntingRetired                       bool
	assertionClock                       func() time.Time
	conditions                           map[string]time.Time // that are on, with their ends; zero means no end
}

// defaultTokenLifetime is the life of an access token, about an hour
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response-1).
const defaultTokenLifetime = 3599 * time.Second

func (t *Tenant) newSettings() settings {
	return settings{
		secret:         t.opaque(),
		keyNumber:      1,
		tokenLifetime:  defaultTokenLifetime,
		roles:          slices.Concat(applicationPermissions, graphPermissions),
		scopes:         slices.Concat(delegatedPermissions, graphPermissions),
		redirects:      []string{redirectURI, "http://localhost"},
		consent:        true,
		assertionClock: t.now,

		firstCertificate: true, renewedCertificate: true,
		conditions: map[string]time.Time{},
	}
}

// draw takes as many bytes as a key has from the tenant's random source.
func (t *Tenant) draw() []byte {
	b := make([]byte, 32)
	t.read(b)
	return b
}

// opaque draws a value that means nothing to its holder: a secret, a code, a refresh token.
func (t *Tenant) opaque() string { return base64.RawURLEncoding.EncodeToString(t.draw()) }

func (t *Tenant) change(set func(*settings)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	set(&t.settings)
}

// TenantID is the tenant's identifier; the authority also knows the tenant as Domain.
func (t *Tenant) TenantID() string { return t.registration.tenantID }

// Domain is the tenant's domain.
func (t *Tenant) Domain() string { return domain }

// ClientID is the application that client secret, certificate, authorization code and workload identity sign in.
func (t *Tenant) ClientID() string { return t.registration.clientID }

// User is the user principal name of whom the authorize endpoint signs in.
func (t *Tenant) User() string { return testUser }

// Secret is the application's client secret.
func (t *Tenant) Secret() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settings.secret
}

// SetSecret replaces the application's client secret; the old one is refused from then on (AADSTS7000215).
func (t *Tenant) SetSecret(secret string) {
	t.change(func(s *settings) { s.secret, s.secretExpired = secret, false })
}

// ExpireSecret lets the client secret end (AADSTS7000222), until SetSecret sets another.
func (t *Tenant) ExpireSecret() {
	t.change(func(s *settings) { s.secretExpired = true })
}

// ExpireTokens makes every access token given so far worthless, by signing with another key: the API answers 401.
func (t *Tenant) ExpireTokens() {
	t.change(func(s *settings) { s.signing, s.keyNumber = nil, s.keyNumber+1 })
}

// SetTokenLifetime sets how long access tokens live that are given from now on; they start with 3599 s.
func (t *Tenant) SetTokenLifetime(d time.Duration) {
	t.change(func(s *settings) { s.tokenLifetime = d })
}

// SetPermissions sets the application permissions, of the Defender API and of Microsoft Graph together, that
// access tokens carry from now on; at the start they are all that there are.
func (t *Tenant) SetPermissions(roles ...string) {
	t.change(func(s *settings) { s.roles = slices.Clone(roles) })
}

// SetConsent reports whether the test user agrees to what the application asks for. One who does not is sent back
// with access_denied (AADSTS65004).
func (t *Tenant) SetConsent(given bool) {
	t.change(func(s *settings) { s.consent = given })
}

// AddRedirectURI registers another redirect URI of the application.
func (t *Tenant) AddRedirectURI(uri string) {
	t.change(func(s *settings) { s.redirects = append(s.redirects, uri) })
}

// StrictRotation reports whether a refresh token works once only. At the start it works until it is revoked, as
// Entra's refresh tokens do (https://learn.microsoft.com/entra/identity-platform/refresh-tokens), although each use gives
// a new one.
func (t *Tenant) StrictRotation(once bool) {
	t.change(func(s *settings) { s.strictRotation = once })
}

// RevokeRefreshTokens revokes the refresh tokens given so far, as a password change does (AADSTS50173).
func (t *Tenant) RevokeRefreshTokens() { t.endRefreshTokens(50173) }

// ExpireRefreshTokens ends the refresh tokens given so far by age (AADSTS70008).
func (t *Tenant) ExpireRefreshTokens() { t.endRefreshTokens(70008) }

func (t *Tenant) endRefreshTokens(code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.grants.refresh {
		g.ended = code
	}
}

// SetIdentitySilent makes the managed identity endpoint accept requests and never answer them.
func (t *Tenant) SetIdentitySilent(silent bool) {
	t.change(func(s *settings) { s.identitySilent = silent })
}

// SetIdentityDelay makes the managed identity endpoint answer only after a time.
func (t *Tenant) SetIdentityDelay(d time.Duration) {
	t.change(func(s *settings) { s.identityDelay = d })
}

// SetCertificates registers the application's certificates or removes them: the first one, and its renewal, which has the same
// key. At the start both are there. One that is not is refused (AADSTS700027).
func (t *Tenant) SetCertificates(first, renewal bool) {
	t.change(func(s *settings) { s.firstCertificate, s.renewedCertificate = first, renewal })
}

// SetHuntingRetired lets the Defender API refuse hunting queries with 410 Gone, so that only Microsoft Graph
// runs them.
func (t *Tenant) SetHuntingRetired(retired bool) {
	t.change(func(s *settings) { s.huntingRetired = retired })
}

// SetAssertionClock sets the clock by which the times in client assertions are checked, at the start the
// tenant's. The Azure identity library dates its assertions by the system's clock, so a tenant that lives at
// another time must be given that one to accept them.
func (t *Tenant) SetAssertionClock(now func() time.Time) {
	t.change(func(s *settings) { s.assertionClock = now })
}
