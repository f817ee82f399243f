package auth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/params"
)

const someCode = canary + "-code"

// loggedIn returns an instance whose user has logged in with someCode, which is spent by then.
func (w *world) loggedIn() params.Instance {
	w.Helper()
	w.entra.codes[someCode] = &code{}
	i := instance(params.AuthorizationCode, withCode(someCode, ""))
	w.token(i)
	return i
}

// expire lets the earlier access tokens expire.
func expire() { time.Sleep(2 * time.Hour) }

func TestLoginURL(t *testing.T) {
	inWorld(t, func(w *world) {
		text, err := auth.LoginURL(w.Context(), instance(params.AuthorizationCode), w.env())
		if err != nil {
			t.Fatal(err)
		}
		made, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		query := made.Query()
		for name, want := range map[string]string{
			"response_type": "code", "client_id": client, "redirect_uri": redirect, "scope": "offline_access " + apiScope,
			"code_challenge_method": "S256",
		} {
			if got := query.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
			query.Del(name)
		}
		if state, challenge := query.Get("state"), query.Get("code_challenge"); len(state) != 22 || len(challenge) != 43 {
			t.Errorf("state = %q and code_challenge = %q, want 16 random bytes and a hash", state, challenge)
		}
		if query.Del("state"); len(query) != 1 {
			t.Errorf("the URL also asks for %v", query)
		}
		if want := authority + "/" + tenant + "/oauth2/v2.0/authorize?"; !strings.HasPrefix(text, want) {
			t.Errorf("the URL is %s, want it to begin with %s", text, want)
		}
		if got := w.store.records(); !slices.Equal(got, []string{"login"}) {
			t.Errorf("kept are %v, want the login", got)
		}
	})
}

func TestLoginURLIsForUsersOnly(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := auth.LoginURL(w.Context(), instance(params.ClientSecret), w.env())
		var own *auth.Error
		if !errors.As(err, &own) || own.Code != auth.CodeConfiguration {
			t.Fatalf("LoginURL() = %v, want a configuration error", err)
		}
		w.checkSentence(err)
	})
}

// visit logs a user in at a login URL and returns the state that the browser comes back with.
func (w *world) visit(text, code string) string {
	w.Helper()
	made, err := url.Parse(text)
	if err != nil {
		w.Fatal(err)
	}
	w.entra.codes[code] = newCode(made.Query().Get("code_challenge"))
	return made.Query().Get("state")
}

func newCode(challenge string) *code { return &code{challenge: challenge} }

func (w *world) loginURL() string {
	w.Helper()
	text, err := auth.LoginURL(w.Context(), instance(params.AuthorizationCode), w.env())
	if err != nil {
		w.Fatal(err)
	}
	return text
}

func TestALoginFromItsURLOn(t *testing.T) {
	for _, pasted := range []string{"code and state", "code alone"} {
		t.Run(pasted, func(t *testing.T) {
			inWorld(t, func(w *world) {
				state := w.visit(w.loginURL(), someCode)
				if pasted == "code alone" {
					state = ""
				}
				w.token(instance(params.AuthorizationCode, withCode(someCode, state)))
				if got := w.store.records(); !slices.Equal(got, []string{"access", "refresh"}) {
					t.Errorf("kept are %v, want the tokens and no login any more", got)
				}
				if w.entra.last().form.Get("code_verifier") == "" {
					t.Error("no code_verifier was sent")
				}
				w.checkStore()
			})
		})
	}
}

func TestAStateOfAnotherLoginIsRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		state func(*world) string
	}{
		{"made up", func(w *world) string { w.visit(w.loginURL(), someCode); return "made-up" }},
		{"of the URL before", func(w *world) string {
			state := w.visit(w.loginURL(), someCode)
			w.loginURL()
			return state
		}},
		{"without a login URL", func(w *world) string { w.entra.codes[someCode] = newCode(""); return "some" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				err := w.refusal(instance(params.AuthorizationCode, withCode(someCode, test.state(w))))
				if err.Code != auth.CodeState || !strings.Contains(err.Error(), loginURL) {
					t.Errorf("Token() = %v, want %s and the way to a new login", err, auth.CodeState)
				}
				if w.entra.count() != 0 {
					t.Error("the code was sent all the same")
				}
			})
		})
	}
}

func TestACodeOfAnEarlierURLFailsByItsVerifier(t *testing.T) {
	inWorld(t, func(w *world) {
		w.visit(w.loginURL(), someCode)
		w.loginURL()
		err := w.refusal(instance(params.AuthorizationCode, withCode(someCode, "")))
		if err.Code != "AADSTS501481" || !strings.Contains(err.Remedy, loginURL) {
			t.Errorf("Token() = %v, want AADSTS501481 and the way to a new login", err)
		}
	})
}

func TestBeforeTheFirstLogin(t *testing.T) {
	inWorld(t, func(w *world) {
		err := w.refusal(instance(params.AuthorizationCode))
		if err.Code != auth.CodeLoginRequired || !strings.Contains(err.Remedy, loginURL) {
			t.Errorf("Token() = %v, want %s and the command for the login", err, auth.CodeLoginRequired)
		}
		if w.entra.count() != 0 {
			t.Error("the authority was asked without anything to show it")
		}
	})
}

func TestACodeIsUsedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		for range 3 {
			expire()
			w.token(i)
			if got := w.entra.last().form.Get("grant_type"); got != "refresh_token" {
				t.Errorf("grant_type = %q, want refresh_token", got)
			}
		}
		if got := w.entra.last().form.Get("scope"); got != "offline_access "+apiScope {
			t.Errorf("the scope of a refresh is %q, want it to be sent", got)
		}
	})
}

func TestANewCodeReplacesTheLogin(t *testing.T) {
	inWorld(t, func(w *world) {
		first := w.loggedIn()
		w.entra.codes[someCode+"-2"] = newCode("")
		second := instance(params.AuthorizationCode, withCode(someCode+"-2", ""))
		w.token(second)
		if got := w.entra.last().form.Get("code"); got != someCode+"-2" {
			t.Errorf("the code sent is %q, want the new one", got)
		}
		expire()
		w.token(second)
		// The login of the first code is gone, and the code with it.
		if err := w.refusal(first); !strings.Contains(err.Remedy, loginAgain) {
			t.Errorf("with the first code Token() = %v, want the way to a new login", err)
		}
	})
}

func TestTheLoginGoesOnWithoutTheCode(t *testing.T) {
	inWorld(t, func(w *world) {
		w.loggedIn()
		w.token(instance(params.AuthorizationCode))
		if got := w.entra.last().form.Get("grant_type"); got != "refresh_token" {
			t.Errorf("grant_type = %q, want refresh_token", got)
		}
	})
}

func TestAnotherSecretMakesTheLoginUnreadable(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		requests := w.entra.count()
		i.ClientSecret = canary + "-another"
		err := w.refusal(i)
		if err.Code != auth.CodeLoginRequired || !strings.Contains(err.Remedy, loginAgain) {
			t.Errorf("Token() = %v, want %s and the way to a new login", err, auth.CodeLoginRequired)
		}
		if w.entra.count() != requests {
			t.Error("the spent code was sent again")
		}
	})
}

func TestOneLoginServesEveryScope(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		token := w.ask(w.scoped(i, graphScope))
		if !strings.Contains(token, "graph") {
			t.Errorf("Token() = %q, want one for Microsoft Graph", token)
		}
		if again := w.ask(w.scoped(i, graphScope)); again != token {
			t.Error("the token for Microsoft Graph was not kept")
		}
		if other := w.token(i); strings.Contains(other, "graph") {
			t.Error("the token for Microsoft Graph was given to the API")
		}
	})
}

func TestACodeIsAlwaysRedeemedForTheScopeOfTheLogin(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.codes[someCode] = newCode("")
		i := instance(params.AuthorizationCode, withCode(someCode, ""))
		if token := w.ask(w.scoped(i, graphScope)); !strings.Contains(token, "graph") {
			t.Errorf("Token() = %q, want one for Microsoft Graph", token)
		}
		var scopes []string
		for _, r := range w.entra.requests {
			scopes = append(scopes, r.form.Get("grant_type")+" "+r.form.Get("scope"))
		}
		want := []string{"authorization_code offline_access " + apiScope, "refresh_token offline_access " + graphScope}
		if !slices.Equal(scopes, want) {
			t.Errorf("asked for %q, want %q", scopes, want)
		}
	})
}

func TestALoginOutlivesAScopeWithoutConsent(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.codes[someCode] = newCode("")
		w.entra.answer = func(r request) (int, string) {
			if r.form.Get("grant_type") == "refresh_token" && strings.Contains(r.form.Get("scope"), "graph") {
				return refused("invalid_grant", 65001, "No consent.")
			}
			return 0, ""
		}
		i := instance(params.AuthorizationCode, withCode(someCode, ""))
		if err := w.refusalOf(w.scoped(i, graphScope)); err.Code != "AADSTS65001" || !strings.Contains(err.Remedy, "consent") {
			t.Errorf("Token() = %v, want AADSTS65001 and its remedy", err)
		}
		if got := w.store.records(); !slices.Equal(got, []string{"refresh"}) {
			t.Errorf("kept are %v, want the login", got)
		}
		w.token(i)
	})
}

func TestAPastedRefreshToken(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.refresh[canary+"-pasted"] = true
		i := instance(params.AuthorizationCode, withRefreshToken(canary+"-pasted"))
		for range 3 {
			w.token(i)
			expire()
		}
		w.checkStore()
		if !slices.ContainsFunc(w.entra.requests, func(r request) bool { return r.form.Get("refresh_token") == canary+"-pasted" }) {
			t.Error("the pasted token was never sent")
		}
	})
}

func TestAnAnswerWithoutARefreshTokenKeepsTheOldOne(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		w.token(i)
		w.entra.rotates = false
		for range 3 {
			expire()
			w.token(i)
		}
		w.entra.rotates = true
		expire()
		w.token(i)
		w.checkRefreshed()
	})
}

// checkRefreshed checks that the last request redeemed a refresh token.
func (w *world) checkRefreshed() {
	w.Helper()
	if last := w.entra.last(); last.form.Get("grant_type") != "refresh_token" {
		w.Errorf("got the last request %v, want a refresh", last.form)
	}
}

func TestALoginWithoutARefreshToken(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.answer = func(request) (int, string) { return 200, `{"access_token":"` + canary + `-only","expires_in":3600}` }
		i := instance(params.AuthorizationCode, withCode(someCode, ""))
		first := w.token(i)
		if again := w.token(i); again != first {
			t.Error("the access token was not kept")
		}
		expire()
		if err := w.refusal(i); err.Code != auth.CodeLoginRequired || w.entra.count() != 1 {
			t.Errorf("Token() = %v after %d requests, want a login to be required without another request", err, w.entra.count())
		}
	})
}

func TestLoggingInGivesTheRefreshToken(t *testing.T) {
	proofs := map[string]func(*params.Instance){
		"client secret": func(*params.Instance) {},
		"certificate":   func(i *params.Instance) { i.ClientSecret, i.Certificate = "", keyAlone() },
	}
	for proof, change := range proofs {
		for _, goesOnWith := range []string{"what is kept", "the token"} {
			t.Run(proof+", "+goesOnWith, func(t *testing.T) {
				inWorld(t, func(w *world) {
					text, err := auth.LoginURL(w.Context(), instance(params.AuthorizationCode, change), w.env())
					if err != nil {
						t.Fatal(err)
					}
					back := withCode(someCode, w.visit(text, someCode))
					token, err := auth.LogIn(w.Context(), instance(params.AuthorizationCode, change, back), w.env())
					if err != nil {
						t.Fatal(err)
					}
					w.checkStore()
					later := instance(params.AuthorizationCode, change)
					if goesOnWith == "the token" {
						w.store, later.Grant.RefreshToken = newStore(), token
					}
					w.token(later)
				})
			})
		}
	}
}

// TestALoginThatFailsFitsWhoeverLogsIn looks at the messages for somebody who is logging in: they advise neither to reset
// what is kept nor to paste anything into an instance.
func TestALoginThatFailsFitsWhoeverLogsIn(t *testing.T) {
	refuse := func(number int, oauth string) func(request) (int, string) {
		return func(request) (int, string) {
			return 400, fmt.Sprintf(`{"error":%q,"error_codes":[%d],"error_description":"AADSTS%d: It went wrong. Trace ID: 1"}`, oauth, number, number)
		}
	}
	for _, test := range []struct {
		name         string
		change       func(*params.Instance)
		answer       func(request) (int, string)
		code, remedy string
	}{
		{"a code that is used up", withCode(someCode, ""), refuse(54005, "invalid_grant"), "AADSTS54005", "log in again"},
		{"a secret that has expired", withCode(someCode, ""), refuse(7000222, "invalid_client"), "AADSTS7000222", "create a new client secret"},
		{"a state of another login", withCode(someCode, "other"), nil, auth.CodeState, "log in again"},
		{
			"no refresh token", withCode(someCode, ""),
			func(request) (int, string) {
				return 200, `{"access_token":"` + canary + `-only","expires_in":3600}`
			}, auth.CodeInvalidAnswer, "consent",
		},
		{"another mode", func(i *params.Instance) { i.Mode = params.ClientSecret }, nil, auth.CodeConfiguration, "choose Authorization Code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.entra.answer = test.answer
				token, err := auth.LogIn(w.Context(), instance(params.AuthorizationCode, test.change), w.env())
				own, ok := errors.AsType[*auth.Error](err)
				if !ok || own.Code != test.code || !strings.Contains(own.Remedy, test.remedy) || token != "" {
					t.Fatalf("LogIn() = %v, want the code %s and the remedy %q", err, test.code, test.remedy)
				}
				if strings.Contains(own.Remedy, loginAgain) || strings.Contains(own.Remedy, loginURL) {
					t.Errorf("the remedy %q is for somebody with an instance", own.Remedy)
				}
				w.checkSentence(err)
			})
		})
	}
}

func TestARefusedLoginIsExplained(t *testing.T) {
	for _, test := range []struct{ name, oauth, message, want string }{
		{
			"the user declines", "access_denied", "AADSTS65004: User declined to consent to access the app",
			"Sign-in (authorization code) failed: User declined to consent to access the app (AADSTS65004); log in again.",
		},
		{
			"nobody may consent", "consent_required", "AADSTS65001: Nobody has consented. Send an interactive request",
			"Sign-in (authorization code) failed: Nobody has consented (AADSTS65001);" +
				" let an administrator of the tenant grant consent to the permissions of the application.",
		},
		{
			"only a code of RFC 6749", "access_denied", "",
			"Sign-in (authorization code) failed: the login was refused (access_denied); log in again.",
		},
		{
			"nothing that is a code", "<b>no</b>", "",
			"Sign-in (authorization code) failed: the login was refused (login_required); log in again.",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := auth.RefusedLogin(&params.RefusedLoginError{Code: test.oauth, Message: test.message}).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestADeadRefreshTokenAsksForANewLogin(t *testing.T) {
	for _, number := range []int{70008, 70043, 50173, 54005, 700082, 7000222} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.loggedIn()
				expire()
				kind := "invalid_grant"
				if number == 7000222 {
					kind = "invalid_client"
				}
				w.entra.answer = func(request) (int, string) { return refused(kind, number, "The token has ended.") }
				begin := time.Now()
				err := w.refusal(i)
				if err.Code != fmt.Sprintf("AADSTS%d", number) || !strings.Contains(err.Remedy, loginAgain) || !strings.Contains(err.Remedy, "log in again") {
					t.Errorf("Token() = %v, want AADSTS%d and the way to a new login", err, number)
				}
				if waited := time.Since(begin); waited > 4*time.Second {
					t.Errorf("it took %s to say so, want 4s at most", waited)
				}
				w.checkStore()
				w.entra.answer = nil
				w.token(i) // nothing of the login was thrown away
			})
		})
	}
}

func TestARefreshTokenRotatedMeanwhileIsUsed(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		expire()
		// Another process is faster: it has redeemed the token, and writes its successor half a second later.
		slow := w.signer(i)
		w.store.latency = 500 * time.Millisecond
		var other sync.WaitGroup
		other.Go(func() { w.token(i) })
		time.Sleep(time.Millisecond)
		w.ask(slow)
		other.Wait()
		expire()
		w.token(i)
	})
}

func TestManyProcessesRotateOneRefreshToken(t *testing.T) {
	for _, mode := range []params.Mode{params.AuthorizationCode, params.CortexApplication} {
		t.Run(mode.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := instance(mode)
				if mode == params.AuthorizationCode {
					i = w.loggedIn()
				}
				w.token(i)
				w.entra.latency, w.store.latency = 30*time.Millisecond, 20*time.Millisecond
				for round := range 5 {
					expire()
					w.together(4, i, apiScope)
					if t.Failed() {
						t.Fatalf("in round %d", round)
					}
				}
				w.checkStore()
			})
		})
	}
}

// together signs in by several processes at once.
func (w *world) together(processes int, i params.Instance, scopes ...string) {
	var all sync.WaitGroup
	for _, scope := range scopes {
		for range processes {
			signer := w.scoped(i, scope)
			all.Go(func() {
				if _, err := signer.Token(w.Context(), target); err != nil {
					w.Errorf("Token() = %v, want every process to get one", err)
				}
			})
		}
	}
	all.Wait()
}

func TestManyProcessesRotateForTwoScopes(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		w.entra.latency, w.store.latency = 30*time.Millisecond, 20*time.Millisecond
		for range 5 {
			expire()
			w.together(4, i, apiScope, graphScope)
		}
	})
}

func TestManyProcessesRedeemOneCode(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.latency, w.store.latency = 30*time.Millisecond, 20*time.Millisecond
		state := w.visit(w.loginURL(), someCode)
		w.together(4, instance(params.AuthorizationCode, withCode(someCode, state)), apiScope)
	})
}

func TestAResetIsNotUndoneByARefreshUnderWay(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		expire()
		w.store.before = func(values map[string]json.RawMessage) { clear(values) }
		w.token(i)
		if got := w.store.records(); got != nil {
			t.Errorf("kept are %v, want nothing after the reset", got)
		}
	})
}

func TestAResetIsNotUndoneByTakingALegacyContextOver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.legacy(canary + "-refresh-of-before")
		w.store.before = func(values map[string]json.RawMessage) { clear(values) }
		w.token(instance(params.AuthorizationCode))
		if got := w.store.text(); got != "{}" {
			t.Errorf("the integration context is %s, want nothing after the reset", got)
		}
	})
}

func TestALoginURLMadeMeanwhileStays(t *testing.T) {
	inWorld(t, func(w *world) {
		state := w.visit(w.loginURL(), someCode)
		w.entra.latency = time.Second
		var exchange sync.WaitGroup
		exchange.Go(func() { w.token(instance(params.AuthorizationCode, withCode(someCode, state))) })
		time.Sleep(500 * time.Millisecond)
		w.loginURL()
		exchange.Wait()
		if got := w.store.records(); !slices.Contains(got, "login") {
			t.Errorf("kept are %v, want the newer login still there", got)
		}
	})
}

// One process gets no new refresh token and keeps the old one; the other has got one for the same old one.
func TestARotationReplacesTheSameTokenKeptAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		expire()
		w.entra.rotates = false
		w.entra.latency = 20 * time.Millisecond
		var all sync.WaitGroup
		all.Go(func() { w.token(i) })
		time.Sleep(10 * time.Millisecond)
		w.entra.mu.Lock()
		w.entra.rotates, w.entra.latency = true, 100*time.Millisecond
		w.entra.mu.Unlock()
		w.token(i)
		all.Wait()
		expire()
		w.token(i)
	})
}

func TestANewerLoginIsNotOverwrittenByARefreshUnderWay(t *testing.T) {
	inWorld(t, func(w *world) {
		first := w.loggedIn()
		expire()
		w.entra.codes[someCode+"-2"] = newCode("")
		second := instance(params.AuthorizationCode, withCode(someCode+"-2", ""))
		w.entra.latency = 100 * time.Millisecond
		var refresh sync.WaitGroup
		refresh.Go(func() { w.token(first) })
		time.Sleep(50 * time.Millisecond)
		w.entra.mu.Lock()
		w.entra.latency = 0
		w.entra.mu.Unlock()
		w.token(second)
		refresh.Wait()
		expire()
		w.token(second)
		if got := w.entra.last().form.Get("grant_type"); got != "refresh_token" {
			t.Errorf("grant_type = %q, want the login of the second code to continue", got)
		}
	})
}

func TestWhatOthersKeepIsLeftAlone(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		w.store.put("last_fetch", "theirs")
		w.store.values["xsoar_defender_auth"] = json.RawMessage(
			`{"refresh:of another configuration":{"expires":99999999999,"sealed":"theirs"},"later:version":[1],"later:kind":{"x":1}}`)
		w.token(i)
		expire()
		w.token(i)
		for _, want := range []string{`"last_fetch":"theirs"`, `"refresh:of another configuration":{"expires":99999999999,"sealed":"theirs"}`, `"later:version":[1]`, `"later:kind":{"x":1}`} {
			if !strings.Contains(w.store.text(), want) {
				t.Errorf("the integration context is %s, want still %s in it", w.store.text(), want)
			}
		}
	})
}

func TestEndedRecordsOfOtherConfigurationsAreRemoved(t *testing.T) {
	inWorld(t, func(w *world) {
		w.token(instance(params.ClientSecret))
		w.token(instance(params.ClientCertificate))
		if got := w.store.records(); len(got) != 2 {
			t.Fatalf("kept are %v, want a token for each configuration", got)
		}
		time.Sleep(90 * time.Minute) // clocks may differ by an hour
		w.token(instance(params.ClientSecret))
		if got := w.store.records(); len(got) != 2 {
			t.Errorf("kept are %v, want what has ended half an hour ago as well", got)
		}
		time.Sleep(time.Hour)
		w.token(instance(params.ClientSecret))
		if got := w.store.records(); !slices.Equal(got, []string{"access"}) {
			t.Errorf("kept are %v, want the new token only", got)
		}
	})
}

func TestALoginThatRestsIsNotRemovedByItself(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		time.Sleep(100 * 24 * time.Hour)
		w.loginURL() // writes, and so tidies up
		w.token(i)
	})
}

func TestDamageInTheIntegrationContextIsOverwritten(t *testing.T) {
	for _, damage := range []string{`[]`, `"text"`, `null`, `7`, `{"access:x":null}`} {
		t.Run(damage, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.store.values["xsoar_defender_auth"] = json.RawMessage(damage)
				i := instance(params.ClientSecret)
				first := w.token(i)
				if again := w.token(i); again != first {
					t.Error("the token was not kept")
				}
			})
		})
	}
}

func TestReset(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		w.store.put("last_fetch", "theirs")
		for _, key := range []string{"access_token", "valid_until", "current_refresh_token", "auth_code"} {
			w.store.put(key, "old")
		}
		if err := auth.Reset(w.Context(), w.env()); err != nil {
			t.Fatal(err)
		}
		if got, want := w.store.text(), `{"last_fetch":"theirs"}`; got != want {
			t.Errorf("after Reset the integration context is %s, want %s", got, want)
		}
		writes := w.store.writes
		if err := auth.Reset(w.Context(), w.env()); err != nil || w.store.writes != writes {
			t.Errorf("a second Reset gave %v and wrote, want neither", err)
		}
		// The code was used before the reset, which the authority knows.
		if err := w.refusal(i); !strings.Contains(err.Remedy, loginAgain) {
			t.Errorf("Token() = %v, want the way to a new login", err)
		}
	})
}

// The integration contexts of the implementation before this one.

func (w *world) legacy(token string) {
	w.entra.refresh[token] = true
	w.store.put("current_refresh_token", token)
	w.store.put("access_token", canary+"-of-before")
	w.store.put("valid_until", "99999999999")
}

func TestALegacyRefreshTokenIsUsedAndReplaced(t *testing.T) {
	for _, test := range []struct {
		name     string
		instance params.Instance
		code     string // kept by the older implementation
	}{
		{"code pasted", instance(params.AuthorizationCode, withCode(someCode, "")), ""},
		{"same code kept", instance(params.AuthorizationCode, withCode(someCode, "")), someCode},
		{"nothing pasted", instance(params.AuthorizationCode), ""},
		{"token proxy", instance(params.CortexApplication), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.legacy(canary + "-refresh-of-before")
				if test.code != "" {
					w.store.put("auth_code", test.code)
				}
				if token := w.token(test.instance); token == canary+"-of-before" {
					t.Error("the older implementation's access token was used")
				}
				if test.instance.Mode == params.AuthorizationCode {
					w.checkRefreshed()
				}
				for _, key := range []string{"access_token", "valid_until", "current_refresh_token", "auth_code"} {
					if w.store.has(key) {
						t.Errorf("%s is still kept in plain text", key)
					}
				}
				w.checkStore()
				expire()
				w.token(test.instance)
				if test.instance.Mode == params.AuthorizationCode {
					w.checkRefreshed()
				}
			})
		})
	}
}

func TestANewCodeGoesBeforeALegacyRefreshToken(t *testing.T) {
	for _, test := range []struct {
		name string
		i    params.Instance
		sent string
	}{
		{"another code", instance(params.AuthorizationCode, withCode(someCode, "")), someCode},
		{"refresh token", instance(params.AuthorizationCode, withRefreshToken(canary+"-pasted")), canary + "-pasted"},
		{"refresh token, no code kept", instance(params.AuthorizationCode, withRefreshToken(canary+"-pasted")), canary + "-pasted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.legacy(canary + "-refresh-of-before")
				if !strings.Contains(test.name, "no code kept") {
					w.store.put("auth_code", "an earlier code")
				}
				w.entra.codes[someCode], w.entra.refresh[canary+"-pasted"] = newCode(""), true
				w.token(test.i)
				first := w.entra.requests[0].form
				if got := first.Get("code") + first.Get("refresh_token"); got != test.sent {
					t.Errorf("sent was %q, want %q", got, test.sent)
				}
			})
		})
	}
}

func TestADeadLegacyRefreshTokenGivesWay(t *testing.T) {
	t.Run("to the code", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.store.put("current_refresh_token", canary+"-dead")
			w.entra.codes[someCode] = newCode("")
			w.token(instance(params.AuthorizationCode, withCode(someCode, "")))
		})
	})
	t.Run("to the Token", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.store.put("current_refresh_token", canary+"-dead")
			w.token(instance(params.CortexApplication))
		})
	})
	t.Run("to a new login", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.store.put("current_refresh_token", canary+"-dead")
			if err := w.refusal(instance(params.AuthorizationCode)); !strings.Contains(err.Remedy, loginAgain) {
				t.Errorf("Token() = %v, want the way to a new login", err)
			}
			if !w.store.has("current_refresh_token") {
				t.Error("the token was thrown away, want that left to the reset")
			}
		})
	})
}

func TestALegacyRefreshTokenBesideADeadLoginIsUsed(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		expire()
		clear(w.entra.refresh)
		w.legacy(canary + "-refresh-of-before")
		w.token(i)
		expire()
		w.token(i)
		if w.store.has("current_refresh_token") {
			t.Error("the older implementation's token is still there")
		}
	})
}

func TestANewCodeGoesBeforeALegacyRefreshTokenBesideALogin(t *testing.T) {
	inWorld(t, func(w *world) {
		w.loggedIn()
		w.legacy(canary + "-refresh-of-before")
		w.entra.codes[someCode+"-2"] = newCode("")
		requests := w.entra.count()
		w.token(instance(params.AuthorizationCode, withCode(someCode+"-2", "")))
		if got := w.entra.requests[requests].form.Get("code"); got != someCode+"-2" {
			t.Errorf("the code sent is %q, want the new one", got)
		}
	})
}

func TestALegacyRefreshTokenContinuesTheLoginOfTheCode(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.loggedIn()
		expire()
		clear(w.entra.refresh)
		w.legacy(canary + "-refresh-of-before")
		w.token(instance(params.AuthorizationCode)) // the code was taken out of the instance
		expire()
		w.token(i) // and put back
	})
}

func TestALegacyRefreshTokenThatIsNotRotatedIsKept(t *testing.T) {
	inWorld(t, func(w *world) {
		w.legacy(canary + "-refresh-of-before")
		w.entra.rotates = false
		for range 3 {
			w.token(instance(params.AuthorizationCode))
			w.checkRefreshed()
			expire()
		}
		w.checkStore()
	})
}

func TestManyProcessesTakeALegacyContextOver(t *testing.T) {
	for _, i := range []params.Instance{
		instance(params.AuthorizationCode, withCode(someCode, "")), instance(params.CortexApplication),
	} {
		t.Run(i.Mode.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.legacy(canary + "-refresh-of-before")
				w.entra.latency, w.store.latency = 30*time.Millisecond, 20*time.Millisecond
				w.together(4, i, apiScope)
				expire()
				w.together(4, i, apiScope)
			})
		})
	}
}

func TestOtherModesLeaveALegacyRefreshTokenAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.legacy(canary + "-refresh-of-before")
		w.token(instance(params.ClientSecret))
		if w.store.has("access_token") || w.store.has("valid_until") || !w.store.has("current_refresh_token") {
			t.Errorf("the integration context is %s, want only the dead access token gone", w.store.text())
		}
	})
}
