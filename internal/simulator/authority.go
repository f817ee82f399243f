package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// refusal is an error answer of the authority: an AADSTS code and what it means here.
type refusal struct {
	code    int
	message string
}

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// The OAuth errors of the authority.
const (
	invalidRequest = "invalid_request"
	invalidClient  = "invalid_client"
	invalidGrant   = "invalid_grant"
	invalidScope   = "invalid_scope"
)

// refusals returns for each AADSTS code (https://learn.microsoft.com/entra/identity-platform/reference-error-codes) the OAuth error that
// Entra answers with; the HTTP status follows from it.
func refusals() map[int]string {
	return map[int]string{
		28000:   invalidRequest, // scopes of several resources
		50011:   invalidRequest, // redirect URI not registered
		50027:   invalidClient,  // assertion is no JWT
		50049:   "invalid_instance",
		50059:   invalidRequest, // no tenant is named
		50173:   invalidGrant,   // grant revoked
		54005:   invalidGrant,   // code used before
		65001:   invalidGrant,   // permission without consent
		65004:   "access_denied",
		70000:   invalidGrant, // grant not valid
		70003:   "unsupported_grant_type",
		70005:   "unsupported_response_type",
		70007:   invalidRequest, // response mode
		70008:   invalidGrant,   // grant expired
		70011:   invalidScope,
		90002:   invalidRequest, // no such tenant
		90033:   "temporarily_unavailable",
		500011:  "invalid_resource",
		500112:  invalidGrant, // redirect URI differs from the code's
		501481:  invalidGrant, // verifier does not fit
		501491:  invalidRequest,
		700016:  "unauthorized_client",
		700021:  invalidClient, // assertion of another application
		700023:  invalidClient, // assertion for another audience
		700024:  invalidClient, // assertion outside its time
		700027:  invalidClient, // assertion's signature or thumbprint
		700082:  invalidGrant,  // refresh token unused for too long
		700211:  invalidClient, // federated: issuer
		700212:  invalidClient, // federated: audience
		700213:  invalidClient, // federated: subject
		900144:  invalidRequest,
		7000215: invalidClient,
		7000218: invalidClient,
		7000222: invalidClient,
	}
}

// oauthError is the OAuth error of a code; one that the table lacks is taken for a matter of the grant, as the
// many codes are by which Entra wants the user back.
func oauthError(code int) string {
	if known, found := refusals()[code]; found {
		return known
	}
	return invalidGrant
}

// newAuthority routes the authority's endpoints.
func (t *Tenant) newAuthority() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /common/discovery/instance", t.serveDiscovery)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", t.serveConfiguration("v2.0"))
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", t.serveConfiguration(""))
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", t.serveKeys)
	mux.HandleFunc("GET /{tenant}/discovery/keys", t.serveKeys)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", t.serveAuthorize(false))
	mux.HandleFunc("GET /{tenant}/oauth2/authorize", t.serveAuthorize(true))
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", t.serveToken(false))
	mux.HandleFunc("POST /{tenant}/oauth2/token", t.serveToken(true))
	return mux
}

// isTenant reports whether the authority knows the tenant by this name.
func (t *Tenant) isTenant(name string) bool {
	return strings.EqualFold(name, t.registration.tenantID) || strings.EqualFold(name, domain)
}

// signsIn reports whether users sign in under this name: that of the tenant, or one for the tenants of all organizations
// (https://learn.microsoft.com/entra/identity-platform/v2-protocols#endpoints).
func (t *Tenant) signsIn(name string) bool {
	return t.isTenant(name) || strings.EqualFold(name, commonTenant) || strings.EqualFold(name, organizations)
}

// serveDiscovery tells a client that it may trust this authority, and where its tenant is described.
func (t *Tenant) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	endpoint, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if host := strings.TrimPrefix(t.base, "https://"); err != nil || endpoint.Host != host {
		t.answerRefusal(w, r, refuse(50049, "The instance is unknown or not valid."))
		return
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(endpoint.Path, "/"), "/")
	answerJSON(w, http.StatusOK, map[string]any{
		"api-version":               "1.1",
		"tenant_discovery_endpoint": t.base + "/" + url.PathEscape(name) + "/v2.0/.well-known/openid-configuration",
		"metadata": []any{map[string]any{
			"preferred_network": endpoint.Host, "preferred_cache": endpoint.Host, "aliases": []string{endpoint.Host},
		}},
	})
}

// The names under which Entra serves what does not depend on a tenant, and finds that of a user.
const (
	commonTenant  = "common"
	organizations = "organizations"
)

// serveConfiguration describes the endpoints of a tenant: of a version, or without one the older ones.
//
// https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc#find-your-apps-openid-configuration-document-uri
func (t *Tenant) serveConfiguration(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("tenant")
		if !t.signsIn(name) {
			t.answerRefusal(w, r, unknownTenant(name))
			return
		}
		issuer := t.issuer(version)
		if !t.isTenant(name) { // a client puts the tenant of the user there
			issuer = strings.Replace(issuer, t.registration.tenantID, "{tenantid}", 1)
		}
		tenant := t.base + "/" + url.PathEscape(name)
		answerJSON(w, http.StatusOK, map[string]any{
			"issuer":                                issuer,
			"authorization_endpoint":                tenant + path.Join("/oauth2", version, "authorize"),
			"token_endpoint":                        tenant + path.Join("/oauth2", version, "token"),
			"jwks_uri":                              tenant + path.Join("/discovery", version, "keys"),
			"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
			"response_types_supported":              []string{"code"},
			"response_modes_supported":              []string{"query"},
			"grant_types_supported":                 []string{"authorization_code", "client_credentials", "refresh_token"},
			"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
			"subject_types_supported":               []string{"pairwise"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"code_challenge_methods_supported":      []string{"plain", "S256"},
			"request_uri_parameter_supported":       false,
			"claims_supported": []string{
				"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email",
			},
			"tenant_region_scope": "NA",
			"cloud_instance_name": strings.TrimPrefix(t.base, "https://"),
			"msgraph_host":        strings.TrimPrefix(t.base, "https://"),
		})
	}
}

// describeAnswer sets the headers that Entra's token endpoint sends with every answer.
func describeAnswer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("x-ms-request-id", h.Get(requestIDHeader))
	h.Del(requestIDHeader) // a header of the API
	if id := r.Header.Get("client-request-id"); id != "" && strings.EqualFold(r.Header.Get("return-client-request-id"), "true") {
		h.Set("client-request-id", id)
	}
	if r.Header.Get("x-client-SKU") != "" {
		h.Set("x-ms-clitelem", "1,0,0,,")
	}
}

func unknownTenant(name string) *refusal {
	return refuse(90002, "The tenant %q is not known here.", name)
}

// answerRefusal answers with an error as the token endpoint does.
func (t *Tenant) answerRefusal(w http.ResponseWriter, r *http.Request, no *refusal) {
	status := http.StatusBadRequest
	if oauthError(no.code) == invalidClient {
		status = http.StatusUnauthorized
	}
	answerJSON(w, status, t.refusalBody(r, no))
}

// refusalBody is the body of an error answer of the authority.
func (t *Tenant) refusalBody(r *http.Request, no *refusal) map[string]any {
	trace, correlation := t.guid(), r.Header.Get("client-request-id")
	if correlation == "" {
		correlation = t.guid()
	}
	now := t.now().UTC().Format("2006-01-02 15:04:05Z")
	body := map[string]any{
		"error": oauthError(no.code),
		"error_description": fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s",
			no.text(), trace, correlation, now),
		"error_codes":    []int{no.code},
		"timestamp":      now,
		"trace_id":       trace,
		"correlation_id": correlation,
		"error_uri":      fmt.Sprintf("%s/error?code=%d", t.base, no.code),
	}
	if no.code == 65001 {
		body["suberror"] = "consent_required"
	}
	return body
}

func (no *refusal) text() string { return fmt.Sprintf("AADSTS%d: %s", no.code, no.message) }
