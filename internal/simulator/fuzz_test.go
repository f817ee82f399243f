package simulator

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fuzzTenant is a tenant for requests that do not come over the network.
func fuzzTenant(f *testing.F) *Tenant {
	f.Helper()
	tenant, err := Start(Options{Seed: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := tenant.Close(); err != nil {
			f.Error(err)
		}
	})
	return tenant
}

// ask passes a request to the tenant and returns the status of the answer.
func ask(tenant *Tenant, method, target, contentType, body string) int {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	tenant.handle(w, r)
	tenant.ResetRequests()
	return w.Code
}

func FuzzTokenEndpoint(f *testing.F) {
	tenant := fuzzTenant(f)
	signIn := "grant_type=client_credentials&client_id=" + tenant.ClientID()
	f.Add(signIn + "&client_secret=x&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default")
	f.Add(signIn + "&client_assertion=a.b.c&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")
	f.Add("grant_type=refresh_token&refresh_token=%zz")
	f.Add("scope=/&scope=%2F%2F&;")
	f.Fuzz(func(t *testing.T, form string) {
		status := ask(tenant, http.MethodPost, "/"+tenant.TenantID()+"/oauth2/v2.0/token", "application/x-www-form-urlencoded", form)
		if status != http.StatusBadRequest && status != http.StatusUnauthorized && !strings.Contains(form, tenant.Secret()) {
			t.Errorf("without the secret: got %d, want 400 or 401", status)
		}
	})
}

func FuzzScope(f *testing.F) {
	tenant := fuzzTenant(f)
	for _, text := range []string{
		"https://graph.microsoft.com/.default", "offline_access", "/", "https://graph.microsoft.com//.default",
		"https://graph.microsoft.com/A https://api.securitycenter.microsoft.com/B", "\x00/ \u2028/",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, no := tenant.parseScope(text)
		if no != nil {
			return
		}
		if _, known := tenant.resource(s.audience); !known || len(s.names) == 0 {
			t.Errorf("%q was read as %+v", text, s)
		}
	})
}

func FuzzTokenProxy(f *testing.F) {
	tenant := fuzzTenant(f)
	f.Add(`{"app_name":"ms-defender-atp","registration_id":"` + tenant.registration.cortexID + `","encrypted_token":"AAAAAAAAAAAAAAAAAAAAAA=="}`)
	f.Add(`{"app_name":7}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, body string) {
		if status := ask(tenant, http.MethodPost, tokenProxyPath, "application/json", body); status != http.StatusBadRequest && status != http.StatusUnauthorized {
			t.Errorf("without the key: got %d, want 400 or 401", status)
		}
	})
}

func FuzzBearer(f *testing.F) {
	tenant := fuzzTenant(f)
	f.Add("Bearer ")
	f.Add("Bearer eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL2FwaS5zZWN1cml0eWNlbnRlci5taWNyb3NvZnQuY29tIiwiZXhwIjo5OTk5OTk5OTk5fQ.")
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/api/machines", nil)
		r.Header.Set("Authorization", header)
		if app, refused := tenant.authorize(r); refused == nil {
			t.Errorf("%q was accepted as a token of %+v", header, app)
		}
	})
}
