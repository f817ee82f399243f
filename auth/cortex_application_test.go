package auth_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/params"
)

func unavailable(request) (int, string) {
	return http.StatusServiceUnavailable, `{"title":"Down","detail":"The proxy is being repaired."}`
}

func TestTheProxyIsLeftAloneAfterFailures(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.CortexApplication)
		w.entra.answer = unavailable
		for failures, pause := range []time.Duration{2, 4, 8, 16, 32, 64, 64, 64} {
			pause *= time.Second
			asked := w.entra.count()
			begin := time.Now()
			failure := w.refusal(i)
			if failure.Code != "HTTP 503" || !strings.Contains(failure.Message, "is being repaired") || w.entra.count() != asked+1 {
				t.Errorf("failure %d: Token() = %v after %d requests, want the proxy's reason after one", failures+1, failure, w.entra.count()-asked)
			}
			if until := begin.Add(pause); !failure.Until.Equal(until) || !strings.Contains(failure.Remedy, until.UTC().Format("15:04:05")) {
				t.Errorf("failure %d: Token() = %v until %s, want until %s", failures+1, failure, failure.Until, until)
			}
			time.Sleep(pause - time.Second)
			// This is another process, and a Test of the instance does not get around it either.
			for _, forget := range []bool{false, true} {
				signer := w.signer(i)
				if forget {
					signer.Forget()
				}
				waiting := w.refusalOf(signer)
				if waiting.Code != auth.CodeBackOff || w.entra.count() != asked+1 || !strings.Contains(waiting.Message, "is being repaired") {
					t.Errorf("failure %d: Token() = %v, want %s for the same reason and no request", failures+1, waiting, auth.CodeBackOff)
				}
				if !waiting.Until.Equal(failure.Until) || !strings.Contains(waiting.Remedy, failure.Until.UTC().Format("15:04:05")) {
					t.Errorf("failure %d: Token() = %v, want the time it lasts to", failures+1, waiting)
				}
			}
			w.checkStore()
			time.Sleep(2 * time.Second)
		}
		w.entra.answer = nil
		w.token(i)
		expire()
		w.entra.answer = unavailable
		if again := w.refusal(i); !again.Until.Equal(time.Now().Add(2 * time.Second)) {
			t.Errorf("after a success the first failure lasts until %s, want two seconds", again.Until)
		}
	})
}

func TestWithinOneExecutionTheProxyIsAskedAgainWhenTheBackOffIsOver(t *testing.T) {
	inWorld(t, func(w *world) {
		signer := w.signer(instance(params.CortexApplication))
		w.entra.answer = unavailable
		w.refusalOf(signer)
		w.entra.answer = nil
		time.Sleep(3 * time.Second)
		w.ask(signer)
	})
}

func TestAnotherRegistrationIsNotLeftAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		wrong := instance(params.CortexApplication, func(i *params.Instance) { i.Proxy.ID = "wrong" })
		begin := time.Now()
		if err := w.refusal(wrong); err.Code != "HTTP 403" || !strings.Contains(err.Remedy, "ID") {
			t.Errorf("Token() = %v, want HTTP 403 and the fields to check", err)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("it took %s, want no wait: the Token is never used up", waited)
		}
		w.token(instance(params.CortexApplication))
	})
}

func TestABackOffOfAWrongClockDoesNotLast(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.CortexApplication)
		w.entra.answer = unavailable
		env := w.env()
		env.Now = func() time.Time { return time.Now().Add(24 * time.Hour) }
		ahead, err := auth.New(i, "", []string{target.Hostname()}, env)
		if err != nil {
			t.Fatal(err)
		}
		w.refusalOf(ahead)
		w.entra.answer = nil
		w.token(i)
	})
}

// sentToTheProxy decrypts the token in a request to the proxy.
func (w *world) sentToTheProxy(r request) string {
	w.Helper()
	var asked map[string]string
	if err := json.Unmarshal([]byte(r.body), &asked); err != nil {
		w.Fatal(err)
	}
	_, content, err := decrypt(asked["encrypted_token"])
	if err != nil {
		w.Fatal(err)
	}
	return content
}

func TestARefusedTokenGivesWayToTheRefreshTokenOfTheProxy(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusBadGateway} {
		inWorld(t, func(w *world) {
			i := instance(params.CortexApplication)
			w.token(i)
			expire()
			w.entra.answer = func(r request) (int, string) {
				if w.sentToTheProxy(r) == proxyToken {
					return status, `{"detail":"The token was used."}`
				}
				return 0, ""
			}
			begin := time.Now()
			w.token(i)
			if waited := time.Since(begin); waited != 0 {
				t.Errorf("HTTP %d: it took %s, want no wait", status, waited)
			}
		})
	}
}

func TestAnyStatusOfSuccessOfTheProxyIsAnAnswer(t *testing.T) {
	for _, status := range []int{200, 201, 202, 206} {
		inWorld(t, func(w *world) {
			w.entra.answer = func(request) (int, string) { return status, `{"access_token":"` + canary + `","expires_in":3600}` }
			w.token(instance(params.CortexApplication))
		})
	}
}

func TestOneOutageCountsOneFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.CortexApplication)
		w.entra.answer, w.entra.latency, w.store.latency = unavailable, 100*time.Millisecond, 10*time.Millisecond
		var all sync.WaitGroup
		for range 8 {
			signer := w.signer(i)
			all.Go(func() { w.refusalOf(signer) })
		}
		all.Wait()
		if waiting := w.refusal(i); !strings.Contains(waiting.Message, "has just failed") || time.Until(waiting.Until) > 2*time.Second {
			t.Errorf("got %v until %s, want one failure and its two seconds", waiting, waiting.Until)
		}
	})
}

// TestWhatOtherProcessesFoundMeanwhileCounts writes what another process has found just before a failure is counted.
func TestWhatOtherProcessesFoundMeanwhileCounts(t *testing.T) {
	t.Run("a failure is the same outage", func(t *testing.T) {
		inWorld(t, func(w *world) {
			i := instance(params.CortexApplication)
			w.entra.answer = unavailable
			other := w.refusal(i)
			counted := w.store.values
			w.store.values = map[string]json.RawMessage{}
			time.Sleep(time.Second)
			w.store.before = func(values map[string]json.RawMessage) { maps.Copy(values, counted) }
			if failure := w.refusal(i); failure.Code != "HTTP 503" || !failure.Until.Equal(other.Until) {
				t.Errorf("got %v until %s, want HTTP 503 until %s, as in the other process", failure, failure.Until, other.Until)
			}
			if waiting := w.refusal(i); !strings.Contains(waiting.Message, "has just failed") {
				t.Errorf("got %v, want one failure", waiting)
			}
		})
	})
	t.Run("after a success the failure is the first", func(t *testing.T) {
		inWorld(t, func(w *world) {
			i := instance(params.CortexApplication)
			w.entra.answer = unavailable
			w.refusal(i)
			time.Sleep(3 * time.Second)
			w.store.before = func(values map[string]json.RawMessage) { clear(values) }
			if failure := w.refusal(i); !failure.Until.Equal(time.Now().Add(2 * time.Second)) {
				t.Errorf("got %v until %s, want two seconds", failure, failure.Until)
			}
		})
	})
}

func TestWithoutAnIntegrationContextTheProxyIsAskedWithAWarning(t *testing.T) {
	broken := errors.New("the server refuses")
	inWorld(t, func(w *world) {
		w.store.broken = broken
		w.token(instance(params.CortexApplication))
		if len(w.warnings) == 0 || !errors.Is(w.warnings[len(w.warnings)-1], broken) {
			t.Errorf("got the warnings %v, want one that the context could not be written", w.warnings)
		}
	})
}

func TestRemediesOfTheProxyAreNotOfAnotherMode(t *testing.T) {
	for _, number := range []int{700082, 7000222, 50011, 700027, 70021, 50020, 700016, 90002} {
		inWorld(t, func(w *world) {
			w.entra.answer = func(request) (int, string) { return refused("invalid_grant", number, "No.") }
			failure := w.refusal(instance(params.CortexApplication))
			if !strings.Contains(failure.Remedy, "check ID, Token and Key") || strings.Contains(failure.Remedy, "log in") {
				t.Errorf("AADSTS%d: got the remedy %q, want the one of the Cortex XSOAR application", number, failure.Remedy)
			}
		})
	}
}

func TestWhatTheProxyDecryptsIsNotShown(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.CortexApplication)
		w.token(i)
		expire()
		w.entra.answer = func(r request) (int, string) {
			var asked map[string]string
			if err := json.Unmarshal([]byte(r.body), &asked); err != nil {
				t.Error(err)
			}
			_, content, err := decrypt(asked["encrypted_token"])
			if err != nil {
				t.Error(err)
			}
			return http.StatusBadGateway, `{"detail":"Cannot use ` + content + ` now."}`
		}
		if err := w.refusal(i); !strings.Contains(err.Message, "Cannot use [redacted] now") {
			t.Errorf("Token() = %v, want the proxy's message without the token", err)
		}
	})
}

func TestAProxyWithoutRefreshTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.rotates = false
		i := instance(params.CortexApplication)
		for range 3 {
			asked := w.entra.count()
			w.token(i)
			if w.entra.count() != asked+1 {
				t.Errorf("%d requests, want 1 with the Token", w.entra.count()-asked)
			}
			expire()
		}
	})
}

func TestAFailureOfTheUsersDoesNotCount(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.CortexApplication)
		w.canceledSignIn(i)
		w.token(i)
	})
}

func TestAnswersOfTheProxy(t *testing.T) {
	for _, test := range []struct {
		name, body string
		life       time.Duration // 0 means that it is not a token
	}{
		{"number", `{"access_token":"` + canary + `1","expires_in":1200}`, 1200 * time.Second},
		{"text", `{"access_token":"` + canary + `2","expires_in":"1200"}`, 1200 * time.Second},
		{"no life", `{"access_token":"` + canary + `3"}`, time.Hour},
		{"negative life", `{"access_token":"` + canary + `4","expires_in":-5}`, time.Hour},
		{"endless life", `{"access_token":"` + canary + `5","expires_in":1e300}`, 24 * time.Hour},
		{"no token", `{"expires_in":1200}`, 0},
		{"empty token", `{"access_token":"","expires_in":1200}`, 0},
		{"token of another type", `{"access_token":{"a":1},"expires_in":1200}`, 0},
		{"cut off", `{"access_token":"` + canary, 0},
		{"no JSON", `OK ` + canary, 0},
		{"with a byte order mark", "\uFEFF" + `{"access_token":"` + canary + `6","expires_in":1200}`, 1200 * time.Second},
		{"nothing", ``, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.entra.answer = func(request) (int, string) { return http.StatusOK, test.body }
				i := instance(params.CortexApplication)
				if test.life == 0 {
					if err := w.refusal(i); err.Code != auth.CodeInvalidAnswer {
						t.Errorf("Token() = %v, want %s", err, auth.CodeInvalidAnswer)
					}
					return
				}
				w.token(i)
				time.Sleep(test.life - 5*time.Minute - time.Second)
				w.token(i)
				if w.entra.count() != 1 {
					t.Errorf("the token was renewed before %s", test.life-5*time.Minute)
				}
				time.Sleep(2 * time.Second)
				w.token(i)
				if w.entra.count() != 2 {
					t.Errorf("the token was not renewed after %s", test.life-5*time.Minute)
				}
			})
		})
	}
}
