package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/params"
)

func TestATokenGoesToTheHostsOfTheCloudOnly(t *testing.T) {
	for _, test := range []struct {
		target  string
		allowed bool
	}{
		{"https://api.security.microsoft.com/api/machines", true},
		{"https://API.Security.Microsoft.com:443/api/machines", true},
		{"https://graph.microsoft.com/v1.0", true},
		{"http://localhost:8443/api", true},
		{"https://localhost/api", true},
		{"http://api.security.microsoft.com/api", false},
		{"https://api.security.microsoft.com.example.com/api", false},
		{"https://example.com/?api.security.microsoft.com", false},
		{"https://storage.example.com/download", false},
		{"//api.security.microsoft.com/api", false},
		{"/api/machines", false},
	} {
		t.Run(test.target, func(t *testing.T) {
			inWorld(t, func(w *world) {
				hosts := []string{"api.security.microsoft.com", "graph.microsoft.com", "localhost"}
				signer, err := auth.New(instance(params.ClientSecret), "", hosts, w.env())
				if err != nil {
					t.Fatal(err)
				}
				to, err := url.Parse(test.target)
				if err != nil {
					t.Fatal(err)
				}
				token, err := signer.Token(w.Context(), to)
				var refusal *auth.HostError
				if test.allowed && (err != nil || token == "") || !test.allowed && (!errors.As(err, &refusal) || token != "") {
					t.Errorf("Token() = %q, %v, want a token: %t", token, err, test.allowed)
				}
				if !test.allowed {
					w.checkSentence(err)
					if w.entra.count() != 0 {
						t.Error("somebody was asked for a token all the same")
					}
				}
			})
		})
	}
}

func TestWithoutATargetThereIsNoToken(t *testing.T) {
	inWorld(t, func(w *world) {
		token, err := w.signer(instance(params.ClientSecret)).Token(w.Context(), nil)
		var refusal *auth.HostError
		if token != "" || !errors.As(err, &refusal) {
			t.Errorf("Token() = %q, %v, want a *HostError", token, err)
		}
	})
}

func TestHostsMustBeNamed(t *testing.T) {
	for _, hosts := range [][]string{nil, {}, {"https://api.security.microsoft.com"}} {
		inWorld(t, func(w *world) {
			if _, err := auth.New(instance(params.ClientSecret), "", hosts, w.env()); err == nil {
				t.Errorf("New(hosts %q) = nil, want an error", hosts)
			}
		})
	}
}

func TestRenewGivesANewToken(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		signer := w.signer(i)
		first := w.ask(signer)
		second, err := signer.Renew(w.Context(), target, first)
		if err != nil || second == first {
			t := w.T
			t.Fatalf("Renew() = %q, %v, want another token than %q", second, err, first)
		}
		if got := w.ask(signer); got != second {
			w.Errorf("Token() = %q, want the renewed one", got)
		}
		if got := w.token(i); got != second {
			w.Errorf("the next process got %q, want the renewed token", got)
		}
	})
}

func TestRenewTakesWhatAnotherProcessHasGot(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		here, there := w.signer(i), w.signer(i)
		rejected := w.ask(here)
		w.ask(there)
		theirs, err := there.Renew(w.Context(), target, rejected)
		if err != nil {
			w.Fatal(err)
		}
		requests := w.entra.count()
		ours, err := here.Renew(w.Context(), target, rejected)
		if err != nil || ours != theirs || w.entra.count() != requests {
			w.Errorf("Renew() = %q, %v after %d requests, want %q after none", ours, err, w.entra.count()-requests, theirs)
		}
	})
}

func TestRenewByManyMakesOneRequest(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		signer := w.signer(i)
		rejected := w.ask(signer)
		requests := w.entra.count()
		w.entra.latency = time.Second
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if got, err := signer.Renew(w.Context(), target, rejected); err != nil || got == rejected {
					w.Errorf("Renew() = %q, %v, want a new token", got, err)
				}
			})
		}
		all.Wait()
		if got := w.entra.count() - requests; got != 1 {
			w.Errorf("%d requests, want 1", got)
		}
	})
}

func TestTheSameTokenAgainIsAnError(t *testing.T) {
	for _, mode := range []params.Mode{params.ClientSecret, params.ManagedIdentity} {
		t.Run(mode.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.entra.answer = func(request) (int, string) {
					return http.StatusOK, `{"access_token":"` + canary + `-same","expires_in":3600,"token_type":"Bearer"}`
				}
				signer := w.signer(instance(mode))
				rejected := w.ask(signer)
				_, err := signer.Renew(w.Context(), target, rejected)
				if !errors.Is(err, auth.ErrSameToken) {
					t.Fatalf("Renew() = %v, want ErrSameToken", err)
				}
				w.checkSentence(err)
			})
		})
	}
}

func TestForgetSignsInAnew(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		first := w.token(i)
		signer := w.signer(i)
		w.ask(signer)
		signer.Forget()
		second := w.ask(signer)
		if second == first {
			w.Error("after Forget the kept token was given, want a new one")
		}
		if third := w.ask(signer); third != second {
			w.Error("the token after Forget was given once only")
		}
		if fourth := w.token(i); fourth != second {
			w.Error("the token after Forget was not kept")
		}
	})
}

func TestForgetCountsOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		i := instance(params.ClientSecret)
		signer := w.signer(i)
		signer.Forget()
		w.ask(signer)
		expire()
		kept := w.token(i)
		if got := w.ask(signer); got != kept {
			t.Errorf("Token() = %q, want what another process has kept", got)
		}
	})
}

func TestForgetForgetsAFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.secrets = nil
		signer := w.signer(instance(params.ClientSecret))
		w.refusalOf(signer)
		w.entra.secrets = []string{secretText}
		signer.Forget()
		w.ask(signer)
	})
}

func TestManyGoroutinesMakeOneRequest(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		w.entra.latency = time.Second
		signer := w.signer(i)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := signer.Token(w.Context(), target); err != nil {
					w.Error(err)
				}
			})
		}
		all.Wait()
		if got := w.entra.count(); got != 1 {
			w.Errorf("%d requests, want 1", got)
		}
	})
}

func TestAFailureIsNotRepeatedByEveryGoroutine(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.latency = time.Minute // so long that every try ends in a timeout
		signer := w.signer(instance(params.ClientSecret))
		begin := time.Now()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 3 {
					if _, err := signer.Token(w.Context(), target); err == nil {
						t.Error("Token() = nil, want the failure")
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("it took %s until all had failed, want the 20s of one", took)
		}
		w.entra.latency = 0
		time.Sleep(time.Minute)
		w.ask(signer)
	})
}

// canceledSignIn begins to sign in and gives up.
func (w *world) canceledSignIn(i params.Instance) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	latency := w.entra.latency
	w.entra.latency = 10 * time.Second
	time.AfterFunc(time.Second, cancel)
	begin := time.Now()
	_, err := w.signer(i).Token(ctx, target)
	if !errors.Is(err, context.Canceled) || time.Since(begin) != time.Second {
		w.Errorf("Token() = %v after %s, want context.Canceled at once", err, time.Since(begin))
	}
	w.checkSentence(err)
	w.entra.latency = latency
}

func TestGivingUpStaysRecognisable(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) { w.canceledSignIn(i) })
}

func TestGivingUpIsNotRememberedAsAFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.latency = 5 * time.Second
		signer := w.signer(instance(params.ClientSecret))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		var waiting sync.WaitGroup
		waiting.Go(func() {
			time.Sleep(time.Millisecond)
			w.ask(signer) // waits for its turn, and then asks for itself
		})
		if _, err := signer.Token(ctx, target); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Token() = %v, want context.DeadlineExceeded", err)
		}
		waiting.Wait()
		if _, err := signer.Renew(ctx, target, "any"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Renew() = %v, want context.DeadlineExceeded", err)
		}
	})
}

func TestABrokenIntegrationContext(t *testing.T) {
	broken := errors.New("the server refuses")
	t.Run("costs a mode without a login its kept tokens", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.store.broken = broken
			w.token(instance(params.ClientSecret))
			if len(w.warnings) != 2 || !errors.Is(w.warnings[0], broken) || !errors.Is(w.warnings[1], broken) {
				t.Errorf("warnings: %v, want one for reading and one for writing", w.warnings)
			}
		})
	})
	t.Run("ends the sign-in by authorization code", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.store.broken = broken
			if err := w.refusal(instance(params.AuthorizationCode)); err.Code != auth.CodeContext || !errors.Is(err, broken) {
				t.Errorf("Token() = %v, want %s with its cause", err, auth.CodeContext)
			}
			if w.entra.count() != 0 {
				t.Error("a token was requested that could not have been stored")
			}
		})
	})
}

func TestWithoutRandomnessNothingIsMadeUp(t *testing.T) {
	empty := errors.New("no randomness")
	for _, mode := range everyMode {
		t.Run(mode.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if mode.prepare != nil {
					mode.prepare(w)
				}
				env := w.env()
				env.Random = iotest.ErrReader(empty)
				signer, err := auth.New(mode.instance(), "", []string{target.Hostname()}, env)
				if err != nil {
					t.Fatal(err)
				}
				_, err = signer.Token(w.Context(), target)
				if err != nil && !errors.Is(err, empty) {
					t.Errorf("Token() = %v, want the cause in it", err)
				}
				if got := w.store.records(); got != nil {
					t.Errorf("kept are %v, want nothing", got)
				}
			})
		})
	}
	inWorld(t, func(w *world) {
		env := w.env()
		env.Random = iotest.ErrReader(empty)
		if _, err := auth.LoginURL(w.Context(), instance(params.AuthorizationCode), env); !errors.Is(err, empty) {
			t.Errorf("LoginURL() = %v, want the cause in it", err)
		}
	})
}

func TestWithoutMemoryATokenLastsAsLongAsItsSigner(t *testing.T) {
	inWorld(t, func(w *world) {
		w.memory = nil
		signer := w.signer(instance(params.ManagedIdentity))
		first := w.ask(signer)
		if w.ask(signer) != first {
			t.Error("the signer did not keep its token")
		}
		next, err := signer.Renew(w.Context(), target, first)
		if err != nil || next == first {
			t.Errorf("Renew() = %q, %v, want a new token", next, err)
		}
		if again, err := signer.Renew(w.Context(), target, first); err != nil || again != next {
			t.Errorf("second Renew() of the first token = %q, %v, want %q that has come since", again, err, next)
		}
	})
}

func TestTheUserAgentNamesTheProgram(t *testing.T) {
	inWorld(t, func(w *world) {
		w.token(instance(params.ClientSecret))
		if got := w.entra.last().header.Get("User-Agent"); !strings.HasPrefix(got, "xsoar-defender ") {
			t.Errorf("User-Agent = %q, want it to begin with the program", got)
		}
	})
}
