package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The permissions of the Defender API for applications and for users, which the page of each operation names
// (https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list), and those of Microsoft Graph, which have the same
// names for both.
var (
	applicationPermissions = []string{
		"AdvancedQuery.Read.All", "Alert.Read.All", "Alert.ReadWrite.All", "File.Read.All", "Ip.Read.All",
		"Library.Manage", "Machine.CollectForensics", "Machine.Isolate", "Machine.LiveResponse", "Machine.Offboard",
		"Machine.Read.All", "Machine.ReadWrite.All", "Machine.RestrictExecution", "Machine.Scan",
		"Machine.StopAndQuarantine", "RemediationTasks.Read.All", "Score.Read.All",
		"SecurityBaselinesAssessment.Read.All", "SecurityRecommendation.Read.All", "Software.Read.All",
		"Ti.ReadWrite", "Ti.ReadWrite.All", "URL.Read.All", "User.Read.All", "Vulnerability.Read.All",
	}
	delegatedPermissions = []string{
		"AdvancedQuery.Read", "Alert.Read", "Alert.ReadWrite", "File.Read.All", "Ip.Read.All", "Library.Manage",
		"Machine.CollectForensics", "Machine.Isolate", "Machine.LiveResponse", "Machine.Offboard", "Machine.Read",
		"Machine.Read.All", "Machine.ReadWrite", "Machine.RestrictExecution", "Machine.Scan",
		"Machine.StopAndQuarantine", "RemediationTask.Read", "Score.Read", "SecurityBaselinesAssessment.Read",
		"SecurityRecommendation.Read", "Software.Read", "Ti.ReadWrite", "URL.Read.All", "User.Read.All",
		"Vulnerability.Read",
	}
	graphPermissions = []string{
		"ThreatHunting.Read.All", "SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All", "SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All",
		"SecurityData.Manage.All",
	}
)

// defenderAudiences are the resources whose tokens the Defender API takes, besides the tenant's own address.
// The last two are those that others were seen to use in the government clouds; Microsoft
// documents none for them (https://learn.microsoft.com/defender-endpoint/gov).
var defenderAudiences = []string{
	"https://api.securitycenter.microsoft.com",
	"https://securitycenter.onmicrosoft.com/windowsatpservice",
	"https://api-gcc.securitycenter.microsoft.us",
	"https://api-gov.securitycenter.microsoft.us",
}

// graphAudience is the resource of Microsoft Graph. xdrAudience is the resource of the newer API host: a token
// for it can be had, but the Defender for Endpoint API refuses it with 403
// (https://learn.microsoft.com/defender-endpoint/api/exposed-apis-create-app-webapp).
const (
	graphAudience = "https://graph.microsoft.com"
	xdrAudience   = "https://api.security.microsoft.com"
)

// holder is whom a token speaks for: an application, or a user through it.
type holder struct {
	clientID string
	user     string
}

// accessClaims is the content of an access token of version 1.0, which the Defender API and Microsoft Graph ask for.
//
// https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
type accessClaims struct {
	jwt.RegisteredClaims
	Audience        string   `json:"aud"` // one text, as in Entra's tokens, and not a list
	TenantID        string   `json:"tid"`
	ApplicationID   string   `json:"appid"`
	ApplicationName string   `json:"app_displayname"`
	IdentityOf      string   `json:"idp"`
	ObjectID        string   `json:"oid"`
	Roles           []string `json:"roles,omitempty"`
	Scopes          string   `json:"scp,omitempty"`
	Name            string   `json:"name,omitempty"`
	User            string   `json:"upn,omitempty"`
	UniqueName      string   `json:"unique_name,omitempty"`
	TokenID         string   `json:"uti"`
	Version         string   `json:"ver"`
}

// accessToken makes an access token for a resource; scopes are those of a user's token. The lock is held.
func (t *Tenant) accessToken(audience string, who holder, scopes []string) string {
	now := t.now()
	claims := accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    t.issuer(""),
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(t.settings.tokenLifetime)),
			Subject:   t.registration.objectID,
		},
		Audience:        audience,
		TenantID:        t.registration.tenantID,
		ApplicationID:   who.clientID,
		ApplicationName: applicationName,
		IdentityOf:      t.issuer(""),
		ObjectID:        t.registration.objectID,
		User:            who.user,
		UniqueName:      who.user,
		TokenID:         t.opaque(),
		Version:         "1.0",
	}
	if who.user == "" {
		claims.Roles = permissionsFor(audience, t.settings.roles)
	} else {
		claims.Scopes = strings.Join(scopes, " ")
		claims.Name, claims.ObjectID, claims.Subject = testUserName, t.registration.userID, t.subject(who.clientID)
	}
	return t.signingKey().sign(claims)
}

// applicationName is the name of the application's registration.
const applicationName = "xsoar-defender"

// identityClaims is the content of an ID token.
//
// https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference
type identityClaims struct {
	jwt.RegisteredClaims
	Audience string `json:"aud"`
	TenantID string `json:"tid"`
	ObjectID string `json:"oid"`
	Name     string `json:"name,omitempty"`
	Username string `json:"preferred_username,omitempty"`
	Email    string `json:"email,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	TokenID  string `json:"uti"`
	Version  string `json:"ver"`
}

// identityToken returns the ID token of a user for the application. The lock is held.
func (t *Tenant) identityToken(who holder, s scope) string {
	now := t.now()
	claims := identityClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    t.issuer("v2.0"),
			Subject:   t.subject(who.clientID),
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(t.settings.tokenLifetime)),
		},
		Audience: who.clientID,
		TenantID: t.registration.tenantID,
		ObjectID: t.registration.userID,
		Nonce:    s.nonce,
		TokenID:  t.opaque(),
		Version:  "2.0",
	}
	if slices.Contains(s.openID, "profile") {
		claims.Name, claims.Username = testUserName, who.user
	}
	if slices.Contains(s.openID, "email") {
		claims.Email = who.user
	}
	return t.signingKey().sign(claims)
}

// subject returns the identifier of the user towards an application: another one for each application.
func (t *Tenant) subject(clientID string) string {
	sum := sha256.Sum256([]byte(t.registration.userID + clientID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// clientInfo returns the identifiers by which Microsoft's client libraries keep the accounts of users apart.
func (t *Tenant) clientInfo() string {
	info := must(json.Marshal(map[string]string{"uid": t.registration.userID, "utid": t.registration.tenantID}))
	return base64.RawURLEncoding.EncodeToString(info)
}

// permissionsFor keeps the permissions that belong to the resource.
func permissionsFor(audience string, all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return slices.Contains(graphPermissions, name) != (audience == graphAudience)
	})
}

// resource finds the audience that a resource or the resource part of a scope means.
func (t *Tenant) resource(name string) (audience string, known bool) {
	name = strings.TrimRight(name, "/")
	known = name == t.base || name == graphAudience || name == xdrAudience || slices.Contains(defenderAudiences, name)
	return name, known
}

// authorize checks the access token of a request to the API or to Microsoft Graph: signature, time and
// audience.
func (t *Tenant) authorize(r *http.Request) (application, *apiError) {
	unauthorized := &apiError{http.StatusUnauthorized, "Unauthorized", "The access token is missing, malformed or expired."}
	bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return application{}, unauthorized
	}
	t.mu.Lock()
	key := t.signingKey()
	t.mu.Unlock()
	var claims accessClaims
	if err := key.verify(bearer, &claims, jwt.WithTimeFunc(t.now)); err != nil {
		return application{}, unauthorized
	}
	if refused := t.checkAudience(kindOf(r.URL.Path), claims.Audience); refused != nil {
		return application{}, refused
	}
	return application{
		ID: claims.ApplicationID, Roles: claims.Roles, Scopes: strings.Fields(claims.Scopes), User: claims.User,
	}, nil
}

// checkAudience reports whether a token for the resource is one for this part of the tenant.
func (t *Tenant) checkAudience(kind Kind, audience string) *apiError {
	if kind == KindGraph {
		if audience == graphAudience {
			return nil
		}
		return &apiError{http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token was made for another audience."}
	}
	if audience == t.base || slices.Contains(defenderAudiences, audience) {
		return nil
	}
	return &apiError{http.StatusForbidden, "Forbidden", "The access token was made for another audience than this API."}
}

// permit checks that the application, or the user through it, holds one of the permissions of the operation.
// Where the page of the operation names none, none is asked for.
func permit(app application, r *http.Request) *apiError {
	forApplication, delegated := permissionsOf(r.Method, r.URL.EscapedPath())
	what, needed, held := "application", forApplication, app.Roles
	if app.User != "" {
		what, needed, held = "delegated", delegated, app.Scopes
	}
	if len(needed) == 0 || slices.ContainsFunc(needed, func(name string) bool { return slices.Contains(held, name) }) {
		return nil
	}
	return &apiError{
		Status: http.StatusForbidden, Code: "Forbidden",
		Message: fmt.Sprintf("Missing %s permissions. The operation needs one of: %s. The token carries: %s.",
			what, strings.Join(needed, ", "), listed(held)),
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// The federated identity of the workload, as a cluster's issuer would describe it
// (https://learn.microsoft.com/entra/workload-id/workload-identity-federation).
const (
	workloadIssuer   = "https://cluster." + domain
	workloadSubject  = "system:serviceaccount:xsoar:engine"
	workloadAudience = "api://AzureADTokenExchange"
	workloadLifetime = time.Hour
)

// WorkloadToken is a token of the workload's own issuer that the authority accepts as client assertion for an
// hour, by the clock that checks assertions: what a cluster puts into the file that AZURE_FEDERATED_TOKEN_FILE
// names.
func (t *Tenant) WorkloadToken() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.settings.assertionClock()
	return must(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    workloadIssuer,
		Subject:   workloadSubject,
		Audience:  jwt.ClaimStrings{workloadAudience},
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(workloadLifetime)),
	}).SignedString(t.fixed.workloadKey))
}
