package auth_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/params"
)

const (
	hostScope    = "https://api-gov.securitycenter.microsoft.us/.default"
	earlierScope = "https://securitycenter.onmicrosoft.us/windowsatpservice/.default"
)

// inGovernmentCloud is an instance whose scope is not documented.
func inGovernmentCloud(i *params.Instance) {
	i.Cloud.Scope, i.Cloud.OtherScopes = hostScope, []string{earlierScope, apiScope}
}

// knows makes the tenant know the resource of one scope only.
func (w *world) knows(scope string) {
	w.entra.answer = func(r request) (int, string) {
		if slices.Contains(scopesOf(r), scope) {
			return 0, ""
		}
		return refused("invalid_resource", 500011, "The resource principal was not found in the tenant.")
	}
}

// scopesOf returns the scopes or the resource that a request for a token is for.
func scopesOf(r request) []string {
	var body map[string]string
	if json.Unmarshal([]byte(r.body), &body) == nil {
		return []string{body["scope"]}
	}
	if at, err := url.Parse(r.url); err == nil && at.Query().Has("resource") {
		return []string{at.Query().Get("resource") + "/.default"}
	}
	return strings.Fields(r.form.Get("scope"))
}

func TestTheScopeThatTheTenantKnowsIsFoundOnce(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		if i.Mode == params.CortexApplication {
			return // its token proxy chooses the scope
		}
		inGovernmentCloud(&i)
		if i.Mode == params.AuthorizationCode {
			w.entra.refresh["pasted"] = true
			withRefreshToken("pasted")(&i)
		}
		w.knows(earlierScope)
		w.token(i)
		if got := w.entra.count(); got != 2 {
			t.Fatalf("got %d requests for the first token, want one for each of the first two scopes", got)
		}
		w.token(i)
		if got := w.entra.count(); got != 2 {
			t.Errorf("got %d requests, want no more while the token of the scope is kept", got)
		}
		expire()
		w.token(i)
		if got := w.entra.count(); got != 3 {
			t.Errorf("got %d requests in all, want one more, for the scope that is remembered", got)
		}
		if got := scopesOf(w.entra.last()); !slices.Contains(got, earlierScope) {
			t.Errorf("got a request for %v, want %s", got, earlierScope)
		}
	})
}

func TestTheFirstScopeIsNotWrittenDown(t *testing.T) {
	inWorld(t, func(w *world) {
		w.knows(hostScope)
		w.token(instance(params.ClientSecret, inGovernmentCloud))
		if got, want := w.store.records(), []string{"access"}; !slices.Equal(got, want) {
			t.Errorf("got the records %v, want %v", got, want)
		}
	})
}

func TestARememberedScopeGivesWay(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.ClientSecret, inGovernmentCloud)
		w.knows(earlierScope)
		w.token(i)
		expire()
		w.knows(hostScope)
		w.token(i)
		expire()
		before := w.entra.count()
		w.token(i)
		if got := w.entra.count() - before; got != 1 {
			t.Errorf("got %d requests, want one for the scope that works now", got)
		}
	})
}

func TestWithoutAnyKnownScopeTheFirstRefusalIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.knows("none")
		failed := w.refusal(instance(params.ClientSecret, inGovernmentCloud))
		if failed.Code != "AADSTS500011" || !strings.Contains(failed.Remedy, "Token Scope") {
			t.Errorf("got %v, want AADSTS500011 and what to do about it", failed)
		}
		if got := w.entra.count(); got != 3 {
			t.Errorf("got %d requests, want one for each scope", got)
		}
	})
}

func TestOtherRefusalsEndTheSearch(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.answer = func(request) (int, string) { return refused("invalid_client", 7000215, "Invalid client secret.") }
		if failed := w.refusal(instance(params.ClientSecret, inGovernmentCloud)); failed.Code != "AADSTS7000215" || w.entra.count() != 1 {
			t.Errorf("got %v after %d requests, want AADSTS7000215 after one", failed, w.entra.count())
		}
	})
}

func TestALoginWithAWrongTenantGoesOn(t *testing.T) {
	for _, number := range []int{90002, 700016, 700005} {
		inWorld(t, func(w *world) {
			w.entra.answer = func(r request) (int, string) {
				if strings.Contains(r.url, "/organizations/") {
					return 0, ""
				}
				return refused("invalid_request", number, "The tenant is the wrong one.")
			}
			w.entra.refresh["pasted"] = true
			i := instance(params.AuthorizationCode, withRefreshToken("pasted"))
			w.token(i)
			time.Sleep(2 * time.Hour)
			withRefreshToken("")(&i)
			w.token(i)
			if got := w.entra.last(); !strings.Contains(got.url, "/organizations/") {
				t.Errorf("%d: got the last request to %s, want it at organizations", number, got.url)
			}
		})
	}
}

func TestARefusalInTheRightTenantIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.answer = func(r request) (int, string) {
			if strings.Contains(r.url, "/organizations/") {
				return refused("invalid_request", 50194, "The application is not configured as a multi-tenant application.")
			}
			return refused("unauthorized_client", 700016, "The application was not found in the directory.")
		}
		failed := w.refusal(instance(params.AuthorizationCode, withRefreshToken("pasted")))
		if failed.Code != "AADSTS700016" {
			t.Errorf("got %v, want the refusal of the instance's own tenant", failed)
		}
	})
}

func TestNobodyElseSignsInToAnyOrganization(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.answer = func(request) (int, string) { return refused("invalid_request", 90002, "The tenant was not found.") }
		w.refusal(instance(params.ClientSecret))
		if got := w.entra.last().url; strings.Contains(got, "organizations") || w.entra.count() != 1 {
			t.Errorf("got %d requests, the last to %s, want one to the tenant", w.entra.count(), got)
		}
	})
}
