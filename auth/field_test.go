package auth_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"xsoar-defender/auth"
	"xsoar-defender/params"
)

// The tests of this file are situations from the field, and from reports about other clients of Microsoft Entra ID.

func TestARefusedSignInNeverFallsBackToTheStoredToken(t *testing.T) {
	for _, test := range []struct {
		name   string
		mode   params.Mode
		refuse func() (int, string)
	}{
		{"a revoked login", params.AuthorizationCode, func() (int, string) { return refused("invalid_grant", 50173, "The grant is revoked.") }},
		{"an expired login", params.AuthorizationCode, func() (int, string) { return refused("invalid_grant", 700082, "It is expired.") }},
		{"a removed registration", params.CortexApplication, func() (int, string) {
			return http.StatusForbidden, `{"title":"Forbidden","detail":"The registration is unknown."}`
		}},
		{"a failing proxy", params.CortexApplication, func() (int, string) { return http.StatusInternalServerError, `{}` }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := instance(test.mode)
				if test.mode == params.AuthorizationCode {
					i = w.loggedIn()
				}
				w.token(i) // it is stored now, and valid for an hour
				w.entra.answer = func(request) (int, string) { return test.refuse() }
				asTest := w.signer(i)
				asTest.Forget()
				w.refusalOf(asTest)
			})
		})
	}
}

func TestAfterARefusalATokenOfAnotherProcessIsUsed(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		w.token(i)
		asTest := w.signer(i)
		asTest.Forget()
		first := true
		w.entra.answer = func(request) (int, string) {
			if !first {
				return 0, ""
			}
			first = false
			// While this one is refused, another process signs in.
			go func() {
				again := w.signer(i)
				again.Forget()
				_, _ = again.Token(w.Context(), target)
			}()
			return refused("invalid_grant", 70000, "The token was used.")
		}
		w.ask(asTest)
	})
}

func TestOfTwoCertificatesWithOneKeyTheChosenOneSigns(t *testing.T) {
	chosen := application()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "renewed"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &chosen.Key.PublicKey, chosen.Key)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(chosen.Chain[0].Raw)
	inWorld(t, func(w *world) {
		w.token(instance(params.ClientCertificate, func(i *params.Instance) {
			i.Certificate = &params.Certificate{
				Key: chosen.Key, Thumbprint: chosen.Thumbprint, Chain: []*x509.Certificate{chosen.Chain[0], renewed},
			}
		}))
		assertion, _, err := jwt.NewParser().ParseUnverified(w.entra.last().form.Get("client_assertion"), jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		got := assertion.Header["x5t#S256"]
		if want := base64.RawURLEncoding.EncodeToString(sum[:]); got != want {
			t.Errorf("got the thumbprint %v, want that of the chosen certificate, %s", got, want)
		}
	})
}

func TestTheSecretGoesToTheHostOfTheAuthorityOnly(t *testing.T) {
	t.Setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westeurope")
	for _, change := range []func(*params.Instance){
		func(*params.Instance) {},
		func(i *params.Instance) {
			i.Certificate, i.ClientSecret, i.Mode = application(), "", params.ClientCertificate
		},
	} {
		inWorld(t, func(w *world) {
			token, err := w.signer(instance(params.ClientSecret, change)).Token(w.Context(), target)
			if err == nil && token == "" {
				t.Error("got neither a token nor an error")
			}
			for host := range w.entra.hosts {
				if "https://"+host != authority {
					t.Errorf("got a request to %s, want none to another host than %s", host, authority)
				}
			}
		})
	}
}

func TestARefusalThatNoOtherTokenMendsIsReportedAtOnce(t *testing.T) {
	for number, want := range map[int]string{65001: "consent", 53003: "conditional access", 50105: "assign", 50076: "log in again"} {
		inWorld(t, func(w *world) {
			i := w.loggedIn()
			expire()
			asked := w.entra.count()
			w.entra.answer = func(request) (int, string) { return refused("invalid_grant", number, "No.") }
			begin := time.Now()
			failure := w.refusal(i)
			if took := time.Since(begin); took != 0 || w.entra.count() != asked+1 {
				t.Errorf("AADSTS%d: got %d requests in %s, want one and no wait", number, w.entra.count()-asked, took)
			}
			if !strings.Contains(failure.Remedy, want) {
				t.Errorf("AADSTS%d: got the remedy %q, want one that says %q", number, failure.Remedy, want)
			}
		})
	}
}

func TestAResetDropsTheTokensOfTheProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.ManagedIdentity)
		first := w.token(i)
		other := w.env()
		other.InstanceName = "another instance"
		if err := auth.Reset(w.Context(), other); err != nil {
			t.Fatal(err)
		}
		if again := w.token(i); again != first {
			t.Error("got a new token after the reset of another instance, want the stored one")
		}
		if err := auth.Reset(w.Context(), w.env()); err != nil {
			t.Fatal(err)
		}
		if again := w.token(i); again == first {
			t.Error("got the same token after a reset, want a new one")
		}
	})
}

func TestAResetRemovesEveryKeyOfTheEarlierImplementation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.put("machines", "theirs")
		for _, key := range []string{
			"access_token", "valid_until", "current_refresh_token", "auth_code", "next_request_time", "delay_request_counter",
			"https://api.securitycenter.microsoft.com/.default_access_token", "https://graph.microsoft.com_valid_until",
		} {
			w.store.put(key, "old")
		}
		if err := auth.Reset(w.Context(), w.env()); err != nil {
			t.Fatal(err)
		}
		if got, want := w.store.text(), `{"machines":"theirs"}`; got != want {
			t.Errorf("got the integration context %s, want %s", got, want)
		}
	})
}

func TestARefreshTokenOfTheInstanceIsTriedAgainAfterTheSecretChanged(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.rotates = false
		w.entra.refresh[canary+"-pasted"] = true
		i := instance(params.AuthorizationCode, withRefreshToken(canary+"-pasted"))
		w.token(i)
		i.ClientSecret = canary + "-new secret"
		w.entra.answer = func(r request) (int, string) {
			if r.form.Get("refresh_token") != canary+"-pasted" {
				return refused("invalid_grant", 70000, "Another token.")
			}
			return http.StatusOK, `{"access_token":"` + canary + `","expires_in":3600,"token_type":"Bearer"}`
		}
		w.token(i)
	})
}

func TestTheIdentityEndpointIsAskedAgainAsMicrosoftAdvises(t *testing.T) {
	for _, status := range []int{404, 410, 429, 500, 503} {
		inWorld(t, func(w *world) {
			failures := 3
			w.entra.answer = func(request) (int, string) {
				if failures--; failures >= 0 {
					return status, `{"error":"x","error_description":"Later."}`
				}
				return 0, ""
			}
			w.token(instance(params.ManagedIdentity))
		})
	}
}

func TestASlowIdentityEndpointHasTimeToAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.latency = 25 * time.Second
		w.token(instance(params.ManagedIdentity))
	})
}

func TestAnAbsentIdentityEndpointIsAskedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.fail = func(*http.Request) error { return fmt.Errorf("connection refused") }
		begin := time.Now()
		failure := w.refusal(instance(params.ManagedIdentity))
		if failure.Code != auth.CodeUnreachable || w.entra.count() != 1 || time.Since(begin) > time.Second {
			t.Errorf("got %v after %d requests and %s, want one request and no wait", failure, w.entra.count(), time.Since(begin))
		}
	})
}
