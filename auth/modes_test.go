package auth_test

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/params"
)

// pod sets up what the webhook adds to a pod.
func (w *world) pod() {
	file := filepath.Join(w.TempDir(), "token")
	if err := os.WriteFile(file, []byte("pod-"+canary), 0o600); err != nil {
		w.Fatal(err)
	}
	w.environ = map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant, "AZURE_FEDERATED_TOKEN_FILE": file}
}

// everyMode lists an instance for every sign-in mode and every variety of one, ready to sign in.
var everyMode = []struct {
	name     string
	instance func() params.Instance
	prepare  func(*world)
	// memory is where tokens are kept, instead of in the integration context.
	memory bool
}{
	{name: "Cortex XSOAR application", instance: func() params.Instance { return instance(params.CortexApplication) }},
	{name: "client secret", instance: func() params.Instance { return instance(params.ClientSecret) }},
	{name: "key and thumbprint", instance: func() params.Instance { return instance(params.ClientCertificate) }},
	{name: "key and certificate", instance: func() params.Instance {
		return instance(params.ClientCertificate, func(i *params.Instance) { i.Certificate = application() })
	}},
	{name: "code and secret", instance: func() params.Instance {
		return instance(params.AuthorizationCode, withCode(canary+"-code", ""))
	}, prepare: func(w *world) { w.entra.codes[canary+"-code"] = &code{} }},
	{name: "code and key", instance: func() params.Instance {
		return instance(params.AuthorizationCode, withCode(canary+"-code", ""), func(i *params.Instance) { i.ClientSecret, i.Certificate = "", keyAlone() })
	}, prepare: func(w *world) { w.entra.codes[canary+"-code"] = &code{} }},
	{name: "code and certificate", instance: func() params.Instance {
		return instance(params.AuthorizationCode, withCode(canary+"-code", ""), func(i *params.Instance) { i.ClientSecret, i.Certificate = "", application() })
	}, prepare: func(w *world) { w.entra.codes[canary+"-code"] = &code{} }},
	{name: "pasted refresh token", instance: func() params.Instance {
		return instance(params.AuthorizationCode, withRefreshToken(canary+"-pasted"))
	}, prepare: func(w *world) { w.entra.refresh[canary+"-pasted"] = true }},
	{name: "system-assigned identity", instance: func() params.Instance { return instance(params.ManagedIdentity) }, memory: true},
	{name: "user-assigned identity", instance: func() params.Instance {
		return instance(params.ManagedIdentity, func(i *params.Instance) { i.ManagedIdentityClientID = client })
	}, memory: true},
	{name: "workload identity", instance: func() params.Instance {
		return instance(params.WorkloadIdentity, func(i *params.Instance) { i.ClientID, i.TenantID = "", "" })
	}, prepare: (*world).pod, memory: true},
}

// forEveryMode runs a test with an instance of each mode that can sign in.
func forEveryMode(t *testing.T, test func(w *world, i params.Instance, inMemory bool)) {
	for _, mode := range everyMode {
		t.Run(mode.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if mode.prepare != nil {
					mode.prepare(w)
				}
				test(w, mode.instance(), mode.memory)
			})
		})
	}
}

func TestEveryModeSignsIn(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		token := w.token(i)
		if !strings.HasPrefix(token, canary) || !strings.Contains(token, strings.TrimSuffix(apiScope, "/.default")) {
			w.Errorf("Token() = %q, want one of the authority's for %s", token, apiScope)
		}
		if got := w.entra.count(); got != 1 {
			w.Errorf("%d requests were made for a token, want 1", got)
		}
		w.checkStore()
		if len(w.warnings) != 0 {
			w.Errorf("warnings: %v, want none", w.warnings)
		}
	})
}

func TestATokenIsKeptForTheNextProcess(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, inMemory bool) {
		first := w.token(i)
		requests, writes := w.entra.count(), w.store.writes
		if second := w.token(i); second != first {
			w.Errorf("the second process got %q, want the kept %q", second, first)
		}
		if w.entra.count() != requests || w.store.writes != writes {
			w.Errorf("the second process made %d requests and %d writes, want none", w.entra.count()-requests, w.store.writes-writes)
		}
		if kept := len(w.store.records()) > 0; kept == inMemory {
			w.Errorf("the integration context is %s, want tokens in it: %t", w.store.text(), !inMemory)
		}
		if !inMemory {
			return
		}
		w.memory = new(auth.ProcessTokens)
		if other := w.token(i); other == first {
			w.Error("a process with a memory of its own got the same token, want a new one")
		}
	})
}

func TestATokenIsRenewedFiveMinutesBeforeItsEnd(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		signer := w.signer(i)
		first := w.ask(signer)
		time.Sleep(55*time.Minute - time.Second)
		if again := w.ask(signer); again != first {
			w.Error("the token was renewed more than five minutes early")
		}
		if kept := w.token(i); kept != first {
			w.Error("the kept token was renewed more than five minutes early")
		}
		time.Sleep(2 * time.Second)
		second := w.ask(signer)
		if second == first {
			w.Error("the token was not renewed five minutes before its end")
		}
		if kept := w.token(i); kept != second {
			w.Error("the renewed token was not kept")
		}
		w.checkStore()
	})
}

func TestAShortLivedTokenIsRenewedAtHalfItsLife(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.life = 4 * time.Minute
		i := instance(params.ClientSecret)
		first := w.token(i)
		time.Sleep(2*time.Minute - time.Second)
		if w.token(i) != first {
			t.Error("the token was renewed in the first half of its life")
		}
		time.Sleep(2 * time.Second)
		if w.token(i) == first {
			t.Error("the token was not renewed in the second half of its life")
		}
	})
}

func TestAChangedConfigurationNeverMeetsATokenOfBefore(t *testing.T) {
	otherKey := func(i *params.Instance) {
		other := *i.Certificate
		other.Thumbprint = slices.Repeat([]byte{1}, 20)
		i.Certificate = &other
	}
	for _, test := range []struct {
		name   string
		mode   params.Mode
		change func(*params.Instance)
	}{
		{"secret", params.ClientSecret, func(i *params.Instance) { i.ClientSecret = canary + "another" }},
		{"tenant", params.ClientSecret, func(i *params.Instance) { i.TenantID = "contoso.onmicrosoft.com" }},
		{"client", params.ClientSecret, func(i *params.Instance) { i.ClientID = tenant }},
		{"scope", params.ClientSecret, func(i *params.Instance) { i.Cloud.Scope = graphScope }},
		{"authority", params.ClientSecret, func(i *params.Instance) { i.Cloud.Authority = "https://login.microsoftonline.us" }},
		{"mode", params.ClientSecret, func(i *params.Instance) { *i = instance(params.ClientCertificate) }},
		{"thumbprint", params.ClientCertificate, otherKey},
		{"redirect URI", params.AuthorizationCode, func(i *params.Instance) { i.RedirectURI = "https://localhost/other" }},
		{"login", params.AuthorizationCode, withCode(canary+"-code-2", "")},
		{"Token", params.CortexApplication, func(i *params.Instance) { i.Proxy.Token = canary + "another" }},
		{"token URL", params.CortexApplication, func(i *params.Instance) { i.Proxy.URL += "/" }},
		{"ID", params.CortexApplication, func(i *params.Instance) { i.Proxy.ID = "registration-2" }},
		{"Key", params.CortexApplication, func(i *params.Instance) { i.Proxy.KeyBytes = []byte("0123456789abcdef") }},
		{"identity", params.ManagedIdentity, func(i *params.Instance) { i.ManagedIdentityClientID = client }},
		{"scope of an identity", params.ManagedIdentity, func(i *params.Instance) { i.Cloud.Scope = graphScope }},
		{"workload", params.WorkloadIdentity, func(i *params.Instance) { i.TenantID = "contoso.onmicrosoft.com" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.pod()
				w.entra.codes[canary+"-code"] = &code{}
				before := instance(test.mode)
				if test.mode == params.AuthorizationCode {
					withCode(canary+"-code", "")(&before)
				}
				first := w.token(before)
				requests := w.entra.count()
				after := before
				test.change(&after)
				token, err := w.signer(after).Token(w.Context(), target)
				if token == first {
					t.Error("the earlier token was used")
				}
				if err != nil {
					w.checkSentence(err)
				}
				asked := w.entra.count() > requests
				if !asked && test.name != "redirect URI" {
					t.Error("nobody was asked for a token")
				}
				if again := w.token(before); again != first {
					t.Error("the token of the earlier configuration was lost")
				}
			})
		})
	}
}

func TestInstancesShareNoMemory(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.ManagedIdentity)
		first := w.token(i)
		w.name = "another instance"
		if second := w.token(i); second == first {
			t.Error("another instance got the token of the first one")
		}
	})
}

func TestManagedIdentityNamesAUserAssignedOneOnly(t *testing.T) {
	for _, id := range []string{"", client} {
		inWorld(t, func(w *world) {
			w.token(instance(params.ManagedIdentity, func(i *params.Instance) { i.ManagedIdentityClientID = id }))
			asked, err := url.Parse(w.entra.last().url)
			if err != nil {
				t.Fatal(err)
			}
			query := asked.Query()
			if query.Get("client_id") != id || query.Has("client_id") != (id != "") {
				t.Errorf("the client ID asked for is %q, want %q", query.Get("client_id"), id)
			}
			if got := query.Get("resource"); got != "https://api.securitycenter.microsoft.com" {
				t.Errorf("the resource asked for is %q, want the scope without /.default", got)
			}
		})
	}
}

func TestWorkloadIdentityPrefersTheInstance(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pod()
		w.environ["AZURE_CLIENT_ID"], w.environ["AZURE_TENANT_ID"] = "wrong", "wrong"
		w.token(instance(params.WorkloadIdentity))
		if got := w.entra.last().url; !strings.Contains(got, tenant) {
			t.Errorf("the token was asked for at %s, want the tenant of the instance", got)
		}
	})
}

func TestWorkloadIdentityOfAnotherFile(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pod()
		first := w.token(instance(params.WorkloadIdentity))
		w.pod()
		if second := w.token(instance(params.WorkloadIdentity)); second == first {
			t.Error("the token of another service account was used")
		}
	})
}

func TestACustomAuthorityIsAskedAlone(t *testing.T) {
	for _, mode := range []params.Mode{params.ClientSecret, params.ClientCertificate, params.AuthorizationCode, params.WorkloadIdentity} {
		for _, certificate := range []*params.Certificate{nil, keyAlone(), application()} {
			inWorld(t, func(w *world) {
				w.pod()
				w.entra.codes[someCode] = newCode("")
				i := instance(mode, withCode(someCode, ""), func(i *params.Instance) {
					i.Cloud.Authority = "https://login.example.com:8443"
					if certificate != nil && i.Certificate != nil {
						i.Certificate = certificate
					}
				})
				w.entra.answer = func(request) (int, string) { return 200, `{"access_token":"` + canary + `","expires_in":3600}` }
				w.token(i)
				if len(w.entra.hosts) != 1 || !w.entra.hosts["login.example.com:8443"] {
					t.Errorf("%s: asked were %v, want only the authority", mode, w.entra.hosts)
				}
			})
		}
	}
}

func TestALifeThatIsTooLongIsNotBelieved(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.life = 1000 * time.Hour
		first := w.token(instance(params.ClientSecret))
		time.Sleep(24 * time.Hour)
		if w.token(instance(params.ClientSecret)) == first {
			t.Error("a token was used for more than a day")
		}
	})
}

func TestWorkloadIdentitySaysWhatTheEnvironmentLacks(t *testing.T) {
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.pod()
				delete(w.environ, name)
				bare := instance(params.WorkloadIdentity, func(i *params.Instance) { i.ClientID, i.TenantID = "", "" })
				_, err := auth.New(bare, "", []string{target.Hostname()}, w.env())
				if err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("New() = %v, want an error that names %s", err, name)
				}
			})
		})
	}
}

func TestWorkloadIdentityWithoutItsFile(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pod()
		w.environ["AZURE_FEDERATED_TOKEN_FILE"] += ".gone"
		if err := w.refusal(instance(params.WorkloadIdentity)); err.Code != auth.CodeConfiguration || !os.IsNotExist(err.Err) {
			t.Errorf("Token() = %v (cause %v), want a configuration error that wraps the file's", err, err.Err)
		}
	})
}

func TestAnInstanceWithoutASecretIsRefused(t *testing.T) {
	for _, mode := range []params.Mode{params.CortexApplication, params.ClientSecret, params.ClientCertificate, params.AuthorizationCode} {
		inWorld(t, func(w *world) {
			bare := instance(mode, func(i *params.Instance) {
				i.ClientSecret, i.Certificate, i.Proxy.KeyBytes = "", nil, nil
			})
			if _, err := auth.New(bare, "", []string{target.Hostname()}, w.env()); err == nil {
				t.Errorf("New(%s without a secret) = nil, want an error", mode)
			}
		})
	}
}

func TestAnUnknownModeIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		if _, err := auth.New(params.Instance{Mode: 99}, "", []string{target.Hostname()}, w.env()); err == nil {
			t.Error("New() = nil, want an error")
		}
	})
}

func TestTheProxyIsSentWhatTheWorkingClientSends(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.CortexApplication)
		for range 3 {
			w.token(i)
			last := w.entra.last()
			if !strings.Contains(last.body, `"scope":null`) || !strings.Contains(last.body, `"resource":""`) {
				t.Errorf("got the request %s, want no scope and no resource", last.body)
			}
			if content := w.sentToTheProxy(last); content != proxyToken {
				t.Errorf("got the token %q, want the Token of the registration", content)
			}
			expire()
		}
	})
}

func TestTheProxyIsAskedForGraphByItsScope(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		inWorld(t, func(w *world) {
			key := instance(params.CortexApplication).Proxy.KeyBytes[:size]
			w.entra.answer = func(r request) (int, string) {
				if !strings.Contains(r.body, `"scope":"`+graphScope+`"`) || !strings.Contains(r.body, `"resource":"https://graph.microsoft.com"`) {
					t.Errorf("the proxy was sent %s, want the scope and its resource", r.body)
				}
				if r.method != "POST" || r.header.Get("Content-Type") != "application/json" {
					t.Errorf("the proxy was sent a %s of %s, want a POST of JSON", r.method, r.header.Get("Content-Type"))
				}
				return 200, `{"access_token":"` + canary + `","expires_in":3600}`
			}
			w.ask(w.scoped(instance(params.CortexApplication, func(i *params.Instance) {
				i.Proxy.KeyBytes, i.Proxy.Key = key, params.Secret(base64.StdEncoding.EncodeToString(key))
			}), graphScope))
		})
	}
}
