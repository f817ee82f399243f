package auth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/params"
)

// signingModes are the modes that ask a service for their tokens, each of which reads its answers with another library.
var signingModes = []params.Mode{
	params.ClientSecret, params.ClientCertificate, params.AuthorizationCode, params.CortexApplication, params.ManagedIdentity,
}

// ready returns an instance of a mode that can sign in.
func (w *world) ready(mode params.Mode) params.Instance {
	if mode == params.AuthorizationCode {
		return instance(mode, withRefreshToken(canary+"-pasted"))
	}
	return instance(mode)
}

func TestTheLifeOfATokenIsReadInEveryForm(t *testing.T) {
	const ten = 10 * time.Minute
	for _, test := range []struct {
		name, fields string
		want         time.Duration
	}{
		{"a number", `"expires_in":600`, ten},
		{"text", `"expires_in":"600"`, ten},
		{"text between spaces", `"expires_in":" 600 "`, ten},
		{"a fraction", `"expires_in":600.75`, ten},
		{"a fraction as text", `"expires_in":"600.0"`, ten},
		{"an exponent", `"expires_in":6e2`, ten},
		{"only the time", `"expires_on":%[1]d`, ten},
		{"only the time, as text", `"expires_on":"%[1]d"`, ten},
		{"only the time, as a date", `"expires_on":"%[2]s"`, ten},
		{"only the time, as App Service wrote it", `"expires_on":"%[3]s"`, ten},
		{"both, by clocks that differ", `"expires_in":600,"expires_on":"1"`, ten},
		{"null", `"expires_in":null,"expires_on":"%[1]d"`, ten},
		{"empty text", `"expires_in":"","expires_on":"%[1]d"`, ten},
		{"nonsense", `"expires_in":"soon","expires_on":{},"ext_expires_in":"600"`, ten},
		{"only the extended life", `"ext_expires_in":600`, ten},
		{"nothing", `"resource":"x"`, time.Hour},
		{"zero", `"expires_in":0`, time.Hour},
		{"less than nothing", `"expires_in":-1`, time.Hour},
		{"not a number", `"expires_in":"NaN"`, time.Hour},
		{"other fields in ways that no library reads", `"expires_in":600,"scope":["a"],"refresh_in":"","ext_expires_in":1.5,"client_info":7,"id_token":{}`, ten},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, mode := range signingModes {
				inWorld(t, func(w *world) {
					end := time.Now().Add(ten)
					made := 0
					w.entra.answer = func(request) (int, string) {
						made++
						fields := test.fields
						if strings.Contains(fields, "%") {
							fields = fmt.Sprintf(fields+`,"formats":"%[1]d %[2]s %[3]s"`, end.Unix(), end.UTC().Format(time.RFC3339), end.UTC().Format("01/02/2006 15:04:05 -07:00"))
						}
						return http.StatusOK, fmt.Sprintf(`{"access_token":"%s-%d",%s}`, canary, made, fields)
					}
					signer := w.signer(w.ready(mode))
					first := w.ask(signer)
					// It is replaced early: five minutes, or at half its life.
					early := min(5*time.Minute, test.want/2)
					time.Sleep(test.want - early - 2*time.Second)
					if got := w.ask(signer); got != first {
						t.Errorf("%s: got another token before %s have passed, want the same", mode, test.want-early)
					}
					time.Sleep(2 * time.Second)
					if got := w.ask(signer); got == first {
						t.Errorf("%s: got the same token after %s, want another one", mode, test.want-early)
					}
				})
			}
		})
	}
}

func TestATokenSaysItselfWhenItExpires(t *testing.T) {
	for _, mode := range signingModes {
		inWorld(t, func(w *world) {
			w.entra.answer = func(request) (int, string) {
				return http.StatusOK, fmt.Sprintf(`{"access_token":%q}`, jwtOf(fmt.Sprintf(`{"exp":%d}`, time.Now().Add(20*time.Minute).Unix())))
			}
			signer := w.signer(w.ready(mode))
			first := w.ask(signer)
			time.Sleep(16 * time.Minute)
			if got := w.ask(signer); got == first {
				t.Errorf("%s: got the same token four minutes before it expires, want another one", mode)
			}
		})
	}
}

func TestATokenThatCannotBeSentIsOneSentenceAtOnce(t *testing.T) {
	for name, token := range map[string]string{
		"a line break":         `one\ntwo`,
		"a carriage return":    `one\r\ntwo`,
		"a space":              `one two`,
		"a control character":  `one\u0000two`,
		"a letter beyond them": `onétwo`,
		"only line breaks":     `\n\n`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range signingModes {
				inWorld(t, func(w *world) {
					began := time.Now()
					w.entra.answer = func(request) (int, string) {
						return http.StatusOK, `{"access_token":"` + token + `","expires_in":3599}`
					}
					failure := w.refusal(w.ready(mode))
					if failure.Code != auth.CodeInvalidAnswer || !strings.Contains(failure.Message, "token in the answer") || !strings.Contains(failure.Message, "line break") {
						t.Errorf("%s: got %v, want a sentence about the token", mode, failure)
					}
					if got := w.entra.count(); got != 1 || time.Since(began) > time.Second {
						t.Errorf("%s: got %d requests in %s, want one at once", mode, got, time.Since(began))
					}
				})
			}
		})
	}
}

func TestSpaceAroundATokenIsNoPartOfIt(t *testing.T) {
	for _, mode := range signingModes {
		inWorld(t, func(w *world) {
			w.entra.answer = func(request) (int, string) {
				return http.StatusOK, `{"access_token":" good-token\r\n","expires_in":3599}`
			}
			if got := w.token(w.ready(mode)); got != "good-token" {
				t.Errorf("%s: got the token %q, want it without the space around it", mode, got)
			}
		})
	}
}

func TestAnySuccessBringsAToken(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNonAuthoritativeInfo} {
		for _, mode := range signingModes {
			inWorld(t, func(w *world) {
				w.entra.answer = func(request) (int, string) { return status, `{"access_token":"good-token","expires_in":3599}` }
				if got := w.token(w.ready(mode)); got != "good-token" {
					t.Errorf("%s, HTTP %d: got %q, want the token", mode, status, got)
				}
			})
		}
	}
}

func TestAnAnswerWithATokenAndAnErrorIsARefusal(t *testing.T) {
	for _, mode := range signingModes {
		inWorld(t, func(w *world) {
			w.entra.answer = func(request) (int, string) {
				return http.StatusOK, `{"access_token":"half-made","expires_in":3599,"error":"server_error","error_description":"It broke."}`
			}
			if failure := w.refusal(w.ready(mode)); failure.Code != "server_error" {
				t.Errorf("%s: got %v, want server_error", mode, failure)
			}
		})
	}
}
