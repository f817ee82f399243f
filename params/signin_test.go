package params_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"xsoar-defender/params"
)

func TestMode(t *testing.T) {
	certificate := fields{"identifier": testKeys().thumbprint, "password": testKeys().pkcs8}
	for _, test := range []struct {
		name  string
		given fields
		want  params.Mode
	}{
		{"client credentials", cortexApplication().with(fields{"auth_type": "Client Credentials", "self_deployed": false}), params.CortexApplication},
		{"own application with a secret", ownApplication(), params.ClientSecret},
		{"own application with a certificate", ownApplication().with(fields{"credentials": nil, "creds_certificate": certificate}), params.ClientCertificate},
		{"a certificate takes precedence over a secret", ownApplication().with(fields{"creds_certificate": certificate}), params.ClientCertificate},
		{"authorization code", userLogin(), params.AuthorizationCode},
		{"managed identities", fields{"auth_type": "Azure Managed Identities"}, params.ManagedIdentity},
		{"workload identity", fields{"auth_type": "Azure Workload Identity"}, params.WorkloadIdentity},
		{"use_managed_identities", fields{"use_managed_identities": "true"}, params.ManagedIdentity},
		{"use_managed_identities takes precedence over auth_type", userLogin().with(fields{"use_managed_identities": true}), params.ManagedIdentity},
		{"filled fields decide nothing", cortexApplication().with(fields{"managed_identities_client_id": password(clientID), "redirect_uri": "https://localhost", "auth_code": password("code"), "creds_certificate": certificate}), params.CortexApplication},
	} {
		if got := decode(t, test.given).Mode; got != test.want {
			t.Errorf("%s: want %v, got %v", test.name, test.want, got)
		}
	}
}

func TestModeHasWordsForTheUser(t *testing.T) {
	seen := map[string]bool{}
	for mode := params.CortexApplication; mode <= params.WorkloadIdentity+1; mode++ {
		if words := mode.String(); words == "" || seen[words] {
			t.Errorf("mode %d: want words of its own, got %q", int(mode), words)
		}
		seen[mode.String()] = true
	}
}

func TestWhatAModeHasNoUseForIsEmpty(t *testing.T) {
	everything := fields{
		"_auth_id": clientID, "_tenant_id": "not a tenant", "credentials": password("s3cret"), "creds_certificate": fields{"identifier": "bad"},
		"redirect_uri": "bad", "auth_code": password("error=x"), "managed_identities_client_id": password(clientID),
	}
	system := decode(t, fields{"auth_type": "Azure Managed Identities", "_auth_id": clientID, "_tenant_id": tenantID})
	user := decode(t, everything.with(fields{"use_managed_identities": true}))
	if system.ClientID != "" || system.TenantID != "" || system.ManagedIdentityClientID != "" {
		t.Errorf("system-assigned: want no IDs, got %+v", system)
	}
	if user.ClientID != clientID || user.ManagedIdentityClientID != clientID || user.TenantID != "" || user.ClientSecret != "" || user.Certificate != nil {
		t.Errorf("user-assigned: want its client ID only, got %+v", user)
	}
	if cortex := decode(t, cortexApplication()); cortex.ClientID != "" || cortex.TenantID != "" || cortex.ClientSecret != "" {
		t.Errorf("Cortex XSOAR application: want the registration only, got %+v", cortex)
	}
	if got := decode(t, ownApplication()); got.Proxy.ID != "" || got.Proxy.URL != "" || got.RedirectURI != "" {
		t.Errorf("own application: want no token proxy and no redirect URI, got %+v", got)
	}
}

func TestOwnApplication(t *testing.T) {
	for _, tenant := range []string{tenantID, strings.ToUpper(tenantID), "contoso.com", "a-b.contoso.onmicrosoft.com", "xn--bcher-kva.example"} {
		got := decode(t, ownApplication().with(fields{"_tenant_id": tenant}))
		if got.TenantID != tenant || got.ClientID != clientID || got.ClientSecret.Reveal() != "s3cret~value" || got.Certificate != nil {
			t.Errorf("tenant %q: want it with the client ID and the secret, got %+v", tenant, got)
		}
	}
}

func TestOldNames(t *testing.T) {
	old := decode(t, fields{"self_deployed": true, "auth_id": clientID, "tenant_id": tenantID, "enc_key": "older", "credentials": fields{"identifier": nil, "password": nil}})
	if old.ClientID != clientID || old.TenantID != tenantID || old.ClientSecret.Reveal() != "older" {
		t.Errorf("want what the old fields hold, got %+v", old)
	}
	both := decode(t, ownApplication().with(fields{"auth_id": "old", "tenant_id": "old", "enc_key": "old"}))
	if both.ClientID != clientID || both.TenantID != tenantID || both.ClientSecret.Reveal() != "s3cret~value" {
		t.Errorf("want the new fields before the old ones, got %+v", both)
	}
	keys := testKeys()
	certificate := decode(t, ownApplication().with(fields{"credentials": nil, "certificate_thumbprint": keys.thumbprint, "private_key": keys.pkcs1}))
	if certificate.Mode != params.ClientCertificate || !certificate.Certificate.Key.Equal(keys.key) {
		t.Errorf("want the certificate of the old fields, got %+v", certificate)
	}
	cortex := decode(t, fields{"auth_id": "id@https://proxy.test/x", "tenant_id": "token", "enc_key": "MDEyMzQ1Njc4OWFiY2RlZg=="})
	if cortex.Proxy.ID != "id" || cortex.Proxy.URL != "https://proxy.test/x" || cortex.Proxy.Token.Reveal() != "token" || len(cortex.Proxy.KeyBytes) != 16 {
		t.Errorf("want the registration of the old fields, got %+v", cortex.Proxy)
	}
}

func TestCortexApplication(t *testing.T) {
	for _, test := range []struct{ given, id, url string }{
		{"registration", "registration", "https://oproxy.demisto.ninja/obtain-token"},
		{"registration@", "registration", "https://oproxy.demisto.ninja/obtain-token"},
		{" registration @ https://proxy.test/obtain?x=y ", "registration", "https://proxy.test/obtain?x=y"},
		{"registration@http://127.0.0.1:8080/obtain", "registration", "http://127.0.0.1:8080/obtain"},
	} {
		got := decode(t, cortexApplication().with(fields{"_auth_id": test.given})).Proxy
		if got.ID != test.id || got.URL != test.url || got.Token.Reveal() != "t0ken-text" || got.Key.Reveal() != "MDEyMzQ1Njc4OWFiY2RlZg==" || string(got.KeyBytes) != "0123456789abcdef" {
			t.Errorf("%q: want %q at %q, got %q at %q", test.given, test.id, test.url, got.ID, got.URL)
		}
	}
	for _, size := range []int{16, 24, 32} {
		key := base64.StdEncoding.EncodeToString(make([]byte, size))
		if got := decode(t, cortexApplication().with(fields{"credentials": password(key)})).Proxy; len(got.KeyBytes) != size {
			t.Errorf("a key of %d bytes: got %d", size, len(got.KeyBytes))
		}
	}
}

func TestWorkloadIdentity(t *testing.T) {
	got := decode(t, fields{"auth_type": "Azure Workload Identity", "_auth_id": clientID, "_tenant_id": tenantID})
	if got.ClientID != clientID || got.TenantID != tenantID {
		t.Errorf("want the IDs that were given, got %+v", got)
	}
	if got = decode(t, fields{"auth_type": "Azure Workload Identity"}); got.ClientID != "" || got.TenantID != "" {
		t.Errorf("want the IDs left to the environment, got %+v", got)
	}
}

func TestAuthorizationCodeKeepsTheRedirectURIAsItIsRegistered(t *testing.T) {
	for _, uri := range []string{"https://localhost/myapp", "http://localhost", "https://XSOAR.contoso.com:8443/callback/?x=y"} {
		if got := decode(t, userLogin().with(fields{"redirect_uri": " " + uri})); got.RedirectURI != uri || got.ClientSecret.Reveal() != "s3cret~value" || got.Grant != (params.Grant{}) {
			t.Errorf("want %q with the secret and nothing pasted, got %+v", uri, got)
		}
	}
	keys := testKeys()
	got := decode(t, userLogin().with(fields{"credentials": nil, "creds_certificate": fields{"password": keys.pkcs8 + keys.certificate}}))
	if got.Mode != params.AuthorizationCode || got.Certificate == nil {
		t.Errorf("want a login that is proven by the certificate, got %+v", got)
	}
}

func TestDomainsOfTenants(t *testing.T) {
	for _, domain := range []string{"contoso.com", "0az9.AZ", "a-b.c", strings.Repeat("a", 63) + ".com", strings.Repeat("a.", 125) + "com"} {
		if got := decode(t, ownApplication().with(fields{"_tenant_id": domain})); got.TenantID != domain {
			t.Errorf("got the tenant %q, want %q", got.TenantID, domain)
		}
	}
}

func TestSignInProblems(t *testing.T) {
	const id, tenant, secret = "ID", "Token", "Key"
	for _, test := range []struct {
		name  string
		given fields
		want  string
	}{
		{"own application with nothing", fields{"self_deployed": true}, id + "|" + tenant + "|" + secret},
		{"no client ID", ownApplication().with(fields{"_auth_id": nil}), id},
		{"no tenant", ownApplication().with(fields{"_tenant_id": " "}), tenant},
		{"no secret", ownApplication().with(fields{"credentials": fields{"identifier": "user", "password": ""}}), secret},
		{"no password", ownApplication().with(fields{"credentials": fields{}}), secret},
		{"tenant common", ownApplication().with(fields{"_tenant_id": "common"}), tenant},
		{"tenant with a path", ownApplication().with(fields{"_tenant_id": "contoso.com/../x"}), tenant},
		{"tenant in braces", ownApplication().with(fields{"_tenant_id": "{" + tenantID + "}"}), tenant},
		{"tenant with a short GUID", ownApplication().with(fields{"_tenant_id": tenantID[1:]}), tenant},
		{"tenant with another character", ownApplication().with(fields{"_tenant_id": "contoso_x.com"}), tenant},
		{"tenant with a label of 64 characters", ownApplication().with(fields{"_tenant_id": strings.Repeat("a", 64) + ".com"}), tenant},
		{"tenant of one label", ownApplication().with(fields{"_tenant_id": "contoso"}), tenant},
		{"tenant with an empty label", ownApplication().with(fields{"_tenant_id": "contoso..com"}), tenant},
		{"tenant with a hyphen at an end", ownApplication().with(fields{"_tenant_id": "-contoso.com"}), tenant},
		{"tenant that is an address", ownApplication().with(fields{"_tenant_id": "10.0.0.1"}), tenant},
		{"tenant beyond the length of a domain", ownApplication().with(fields{"_tenant_id": strings.Repeat("a.", 130) + "com"}), tenant},
		{"workload identity with a bad tenant", fields{"auth_type": "Azure Workload Identity", "_tenant_id": "x"}, tenant},
		{"login without an own application", userLogin().with(fields{"self_deployed": false}), "Use a self-deployed Azure Application"},
		{"login without redirect URI", userLogin().with(fields{"redirect_uri": nil}), "Application redirect URI"},
		{"login with a relative redirect URI", userLogin().with(fields{"redirect_uri": "/myapp"}), "Application redirect URI"},
		{"login with a redirect URI over http", userLogin().with(fields{"redirect_uri": "http://xsoar.test/"}), "Application redirect URI"},
		{"login with nothing", fields{"auth_type": "Authorization Code"}, "Use a self-deployed Azure Application|" + id + "|" + tenant + "|" + secret + "|Application redirect URI"},
		{"Cortex XSOAR application with an address only", cortexApplication().with(fields{"_auth_id": "@https://proxy.test"}), id},
		{"Cortex XSOAR application over http", cortexApplication().with(fields{"_auth_id": "id@http://proxy.test"}), id},
		{"Cortex XSOAR application with two addresses", cortexApplication().with(fields{"_auth_id": "id@https://a.test@b.test"}), id},
		{"Cortex XSOAR application without a token", cortexApplication().with(fields{"_tenant_id": nil}), tenant},
		{"Cortex XSOAR application without a key", cortexApplication().with(fields{"credentials": nil}), secret},
		{"a key that is not base64", cortexApplication().with(fields{"credentials": password("s3cret~value")}), secret},
		{"a key of 15 bytes", cortexApplication().with(fields{"credentials": password("MDEyMzQ1Njc4OWFiY2Rl")}), secret},
		{"a mode that cannot be told", fields{"auth_type": "Password"}, "Authentication Type"},
		{"a checkbox that decides the mode", fields{"self_deployed": "perhaps"}, "Use a self-deployed Azure Application"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := decodeWith(t, test.given, noEnvironment)
			if fieldsOf(problems) != test.want {
				t.Errorf("want problems of %q, got %v", test.want, problems)
			}
			if got.Cloud.API != nil || got.ClientSecret != "" {
				t.Errorf("want no instance next to the problems, got %+v", got)
			}
		})
	}
}
