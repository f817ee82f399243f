package simulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The paths of the managed identity endpoints: the one that App Service announces in IDENTITY_ENDPOINT and the
// one that Azure's instance metadata service has at 169.254.169.254. See
// https://learn.microsoft.com/azure/app-service/overview-managed-identity and
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token.
const (
	appServicePath = "/msi/token"
	metadataPath   = "/metadata/identity/oauth2/token"
)

// IdentityURL is the address of the managed identity endpoint in the form of App Service, for
// IDENTITY_ENDPOINT. The same host and port answer in the form of the instance metadata service, for a client
// whose connections to 169.254.169.254 are led there. It is plain http, as the real ones are.
func (t *Tenant) IdentityURL() string { return t.identityURL }

// IdentityHeader is the value for IDENTITY_HEADER, which proves that a caller runs on the machine.
func (t *Tenant) IdentityHeader() string { return t.fixed.identityHeader }

// identityForm describes one form of the managed identity endpoint: what it asks for, and how it refuses.
type identityForm struct {
	version       string // of the API, which every request names
	header, value string // what keeps requests out that somebody was tricked into
	unproven      int    // status without that header
	refusal       func(status int, message string) any
}

func (t *Tenant) newIdentityEndpoint() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+appServicePath, t.serveIdentity(identityForm{
		version: "2019-08-01",
		header:  "X-IDENTITY-HEADER", value: t.fixed.identityHeader, unproven: http.StatusUnauthorized,
		refusal: func(status int, message string) any {
			return map[string]any{"statusCode": status, "message": message}
		},
	}))
	mux.HandleFunc("GET "+metadataPath, t.serveIdentity(identityForm{
		version: "2018-02-01",
		header:  "Metadata", value: "true", unproven: http.StatusBadRequest,
		refusal: func(_ int, message string) any {
			return map[string]any{"error": invalidRequest, "error_description": message}
		},
	}))
	return mux
}

func (t *Tenant) serveIdentity(form identityForm) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		silent, delay := t.settings.identitySilent, t.settings.identityDelay
		t.mu.Unlock()
		if silent {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		if t.sleep(r.Context(), delay) != nil {
			panic(http.ErrAbortHandler)
		}
		if status, message := form.check(r); status != 0 {
			answerJSON(w, status, form.refusal(status, message))
			return
		}
		token, message := t.managedToken(r.URL.Query())
		if message != "" {
			answerJSON(w, http.StatusBadRequest, form.refusal(http.StatusBadRequest, message))
			return
		}
		answerJSON(w, http.StatusOK, token)
	}
}

// check returns the status and the reason to refuse a request for its form, or 0.
func (f identityForm) check(r *http.Request) (int, string) {
	switch {
	case !sameText(strings.ToLower(r.Header.Get(f.header)), f.value):
		return f.unproven, "The header " + f.header + " is missing or wrong."
	case r.URL.Query().Get("api-version") != f.version:
		return http.StatusBadRequest, "The api-version must be " + f.version + "."
	}
	return 0, ""
}

// managedToken returns the answer for a managed identity, in which even the numbers are strings
// (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token). Without an identifier it
// is the system assigned one.
func (t *Tenant) managedToken(q url.Values) (token map[string]string, problem string) {
	id := t.registration.systemIdentity
	switch {
	case q.Has("object_id") || q.Has("principal_id") || q.Has("msi_res_id") || q.Has("mi_res_id"):
		return nil, "Identity not found."
	case q.Has("client_id"):
		if id = q.Get("client_id"); !strings.EqualFold(id, t.registration.userIdentity) {
			return nil, "Identity not found."
		}
	}
	audience, known := t.resource(q.Get("resource"))
	if !known {
		return nil, "The resource is missing or not known in this tenant."
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now, seconds := t.now(), strconv.Itoa(int(t.settings.tokenLifetime.Seconds()))
	return map[string]string{
		"access_token":   t.accessToken(audience, holder{clientID: id}, nil),
		"client_id":      id,
		"expires_in":     seconds,
		"ext_expires_in": seconds,
		"expires_on":     unixText(now.Add(t.settings.tokenLifetime)),
		"not_before":     unixText(now),
		"resource":       audience,
		"token_type":     "Bearer",
	}, ""
}
