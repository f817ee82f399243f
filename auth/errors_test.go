package auth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/internal/gateway"
	"xsoar-defender/params"
)

func TestErrorsOfTheAuthority(t *testing.T) {
	for _, test := range []struct {
		mode    params.Mode
		status  int
		kind    string
		number  int
		text    string
		message string
		remedy  string
	}{
		{params.ClientSecret, 401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret is the value.", "Invalid client secret provided", "not its ID"},
		{params.ClientSecret, 401, "invalid_client", 7000222, "The provided client secret keys for app 'x' are expired. Visit the portal.", "The provided client secret keys for app 'x' are expired", "create a new client secret"},
		{params.ClientSecret, 400, "unauthorized_client", 700016, "Application with identifier 'x' was not found in the directory 'y'. This can happen.", "Application with identifier 'x' was not found in the directory 'y'", "ID"},
		{params.ClientSecret, 401, "unauthorized_client", 7000112, "Application is disabled.", "Application is disabled", "enable"},
		{params.ClientSecret, 400, "invalid_request", 90002, "Tenant 'x' not found. Check the tenant.", "Tenant 'x' not found", "Token"},
		{params.ClientSecret, 400, "invalid_resource", 500011, "The resource principal named x was not found in the tenant named y.", "The resource principal named x was not found in the tenant named y", "Token Scope"},
		{params.ClientSecret, 400, "invalid_scope", 70011, "The provided request must include a 'scope' input parameter.", "The provided request must include a 'scope' input parameter", "Token Scope"},
		{params.ClientSecret, 400, "invalid_scope", 1002012, "The provided value for scope x is not valid.", "The provided value for scope x is not valid", "Token Scope"},
		{params.ClientSecret, 400, "access_denied", 53003, "Access has been blocked by Conditional Access policies.", "Access has been blocked by Conditional Access policies", "conditional access"},
		{params.ClientCertificate, 401, "invalid_client", 700027, "Client assertion failed signature validation.", "Client assertion failed signature validation", "Certificate Thumbprint"},
		{params.ClientCertificate, 401, "invalid_client", 700024, "Client assertion is not within its valid time range.", "Client assertion is not within its valid time range", "clock"},
		{params.WorkloadIdentity, 401, "invalid_client", 70021, "No matching federated identity record found.", "No matching federated identity record found", "federated credential"},
		{params.AuthorizationCode, 400, "invalid_grant", 65001, "The user or administrator has not consented.", "The user or administrator has not consented", "consent"},
		{params.AuthorizationCode, 400, "invalid_grant", 50076, "You must use multi-factor authentication.", "You must use multi-factor authentication", "log in again"},
		{params.AuthorizationCode, 400, "invalid_request", 50011, "The redirect URI does not match.", "The redirect URI does not match", "Application redirect URI"},
		{params.AuthorizationCode, 401, "invalid_client", 7000222, "The secret is expired.", "The secret is expired", "create a new client secret"},
		{params.AuthorizationCode, 400, "invalid_grant", 999999, "Nobody knows.", "Nobody knows", "log in again"},
		{params.ClientSecret, 400, "invalid_request", 999999, "Nobody knows.", "Nobody knows", "Key"},
		{params.ClientSecret, 500, "server_error", 90033, "A transient error has occurred.", "A transient error has occurred", "try again"},
	} {
		t.Run(fmt.Sprintf("%s %d", test.mode, test.number), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.pod()
				w.entra.answer = func(request) (int, string) {
					_, body := refused(test.kind, test.number, test.text)
					return test.status, body
				}
				err := w.refusal(instance(test.mode, withCode(someCode, "")))
				if want := fmt.Sprintf("AADSTS%d", test.number); err.Code != want {
					t.Errorf("Code = %q, want %q", err.Code, want)
				}
				if err.Message != test.message {
					t.Errorf("Message = %q, want %q", err.Message, test.message)
				}
				if !strings.Contains(err.Remedy, test.remedy) {
					t.Errorf("Remedy = %q, want %q in it", err.Remedy, test.remedy)
				}
				if err.Mode != test.mode || !strings.Contains(err.Error(), test.mode.String()) {
					t.Errorf("the error is %v, want it to name the mode %q", err, test.mode)
				}
				var cause *auth.ServiceError
				if !errors.As(err, &cause) || cause.Status != test.status || cause.OAuth != test.kind {
					t.Errorf("the cause is %v, want HTTP %d %s", err.Err, test.status, test.kind)
				}
			})
		})
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		code   string
		remedy string
	}{
		{"throttled", 429, `{}`, "HTTP 429", "try again"},
		{"unavailable", 503, `<html>` + canary + `</html>`, auth.CodeGateway, "try again"},
		{"redirected", 302, ``, "HTTP 302", "proxy on the way"},
		{"text", 400, `Bad gateway rule`, "HTTP 400", "proxy on the way"},
		{"nothing", 400, ``, "HTTP 400", "proxy on the way"},
		{"an error of another service", 400, `{"Message":"No."}`, "HTTP 400", "proxy on the way"},
		{"an error of OData", 400, `{"odata.error":{"code":"X","message":{"value":"No."}}}`, "X", "proxy on the way"},
		{"an inner error alone", 400, `{"error":{"innererror":{"code":"X","message":"No."}}}`, "X", "proxy on the way"},
		{"a tenant in another form", 400, "\uFEFF" + `{"error":"invalid_request","error_description":"AADSTS900023: No."}`, "AADSTS900023", "Token"},
		{"unknown address", 404, `<html></html>`, auth.CodeGateway, "check the addresses"},
		{"proxy", 407, ``, auth.CodeGateway, "the credentials"},
		{"policy", 403, `<!DOCTYPE html><title>Blocked by policy</title>`, auth.CodeGateway, "administrator of the gateway"},
		{"code only", 400, `{"error":"invalid_client"}`, "invalid_client", "ID"},
		{"code that is not a code", 400, `{"error":"` + strings.Repeat("x", 65) + `"}`, "HTTP 400", "ID"},
		{"code in the text", 400, `{"error":"invalid_client","error_description":"AADSTS7000215: No."}`, "AADSTS7000215", "not its ID"},
		{"refusal with status 200", 200, `{"error":"invalid_client","error_description":"AADSTS7000215: No."}`, "AADSTS7000215", "not its ID"},
		{"no token", 200, `{"expires_in":3600}`, auth.CodeInvalidAnswer, "proxy on the way"},
		{"a page", 200, `<html>` + canary + `</html>`, auth.CodeGateway, "administrator of the gateway"},
		{"no JSON", 200, `OK ` + canary, auth.CodeInvalidAnswer, "proxy on the way"},
		{"cut off", 200, `{"access_token":"` + canary, auth.CodeInvalidAnswer, "proxy on the way"},
		{"too large", 200, `{"access_token":"` + strings.Repeat("x", 2<<20) + `"}`, auth.CodeInvalidAnswer, "proxy on the way"},
	} {
		for _, mode := range []params.Mode{params.ClientSecret, params.AuthorizationCode} {
			t.Run(mode.String()+" "+test.name, func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.entra.answer = func(request) (int, string) { return test.status, test.body }
					remedy := test.remedy
					if mode == params.AuthorizationCode && remedy == "ID" {
						remedy = "log in again"
					}
					err := w.refusal(instance(mode, withCode(someCode, "")))
					if err.Code != test.code || !strings.Contains(err.Remedy, remedy) {
						t.Errorf("Token() = %v, want code %q and a remedy with %q", err, test.code, remedy)
					}
				})
			})
		}
	}
}

func TestARefusalSaysWhenTheServiceIsBack(t *testing.T) {
	for retryAfter, wait := range map[string]time.Duration{
		"7200": 2 * time.Hour, "30": 30 * time.Second, "999999999999": 24 * time.Hour,
		"": 0, "-5": 0, "soon": 0, "Sat, 01 Jan 2000 00:00:00 GMT": 0,
	} {
		for _, mode := range []params.Mode{params.ClientSecret, params.AuthorizationCode, params.WorkloadIdentity} {
			inWorld(t, func(w *world) {
				w.pod()
				w.entra.retryAfter = retryAfter
				w.entra.answer = func(request) (int, string) {
					return refused("temporarily_unavailable", 90033, "A transient error has occurred.")
				}
				want := "try again in a few minutes"
				err := w.refusal(instance(mode, withCode(someCode, "")))
				switch back := time.Now().Add(wait).UTC(); {
				case wait >= 24*time.Hour: // the time of day alone would be the present one
					want = "try again after " + back.Format(time.DateTime) + " UTC"
				case wait > 0:
					want = "try again after " + back.Format(time.TimeOnly) + " UTC"
				}
				if err.Remedy != want {
					t.Errorf("%s, Retry-After %q: got the remedy %q, want %q", mode, retryAfter, err.Remedy, want)
				}
			})
		}
	}
}

func TestErrorsOfTheManagedIdentityEndpoint(t *testing.T) {
	for _, test := range []struct {
		name           string
		status         int
		body           string
		code, contains string
	}{
		{"not assigned", 400, `{"error":"invalid_request","error_description":"Identity not found"}`, "invalid_request", "Identity not found"},
		{"app service", 400, `{"statusCode":400,"message":"Unable to load the proper Managed Identity.","correlationId":"1"}`, "HTTP 400", "Unable to load"},
		{"azure style", 403, `{"error":{"code":"Forbidden","message":"No identity here."}}`, "Forbidden", "No identity here"},
		{"container without metadata", 403, `connecting to 169.254.169.254:80: network is unreachable`, "HTTP 403", "network is unreachable"},
		{"throttled", 429, `{"error":"too_many_requests","error_description":"Slow down."}`, "too_many_requests", "Slow down"},
	} {
		for _, id := range []string{"", client} {
			t.Run(test.name+" "+id, func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.entra.answer = func(request) (int, string) { return test.status, test.body }
					err := w.refusal(instance(params.ManagedIdentity, func(i *params.Instance) { i.ManagedIdentityClientID = id }))
					if err.Code != test.code || !strings.Contains(err.Message, test.contains) {
						t.Errorf("Token() = %v, want code %q and %q", err, test.code, test.contains)
					}
				})
			})
		}
	}
}

func TestErrorsOfTheNetwork(t *testing.T) {
	verification := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for _, test := range []struct {
		name         string
		cause        error
		code, remedy string
	}{
		{"no such name", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, auth.CodeUnknownHost, "name service"},
		{"name service down", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "x"}}, auth.CodeUnreachable, ""},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, auth.CodeUnreachable, ""},
		{"cut", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, auth.CodeUnreachable, ""},
		{"proxy", &gateway.UnusableProxyError{Proxy: "proxy.test:3128", Err: syscall.ECONNREFUSED}, auth.CodeGateway, "HTTPS_PROXY of the engine"},
		{"network timeout", &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}, auth.CodeTimeout, ""},
		{"unknown authority", verification, auth.CodeTLS, "trust the authority that signed it"},
		{"other host", &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: new(x509.Certificate)}}, auth.CodeTLS, "trust the authority that signed it"},
		{"no TLS", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, auth.CodeTLS, "Endpoint Type"},
		{"no agreement", &gateway.HandshakeError{Err: errors.New("tls: protocol version not supported")}, auth.CodeTLS, "TLS 1.2"},
	} {
		forEveryMode(t, func(w *world, i params.Instance, _ bool) {
			w.entra.fail = func(r *http.Request) error { return &url.Error{Op: "Post", URL: r.URL.String(), Err: test.cause} }
			err := w.refusal(i)
			if err.Code != test.code || err.Remedy == "" || !strings.Contains(err.Remedy, test.remedy) {
				w.Errorf("%s: Token() = %v with the remedy %q, want the code %q and %q", test.name, err, err.Remedy, test.code, test.remedy)
			}
			if !errors.Is(err, test.cause) {
				w.Errorf("%s: the cause of %v is lost", test.name, err)
			}
			if host, _, _ := strings.Cut(err.Message, " could"); err.Code == auth.CodeUnreachable && !strings.Contains(host, ".") {
				w.Errorf("%s: Token() = %v, want it to name the host", test.name, err)
			}
		})
	}
}

// The same with a real server and a real client.
func TestErrorsOfARealNetwork(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it says that its certificate was refused
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	gone := httptest.NewTLSServer(http.NotFoundHandler())
	gone.Close()
	for _, test := range []struct{ name, authority, code string }{
		{"certificate not trusted", server.URL, auth.CodeTLS},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), auth.CodeTLS},
		{"nobody listens", gone.URL, auth.CodeUnreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &world{T: t, store: newStore(), entra: newEntra()}
			env := w.env()
			env.Transport = &http.Client{Transport: &http.Transport{}}
			i := instance(params.CortexApplication, func(i *params.Instance) { i.Proxy.URL = test.authority })
			signer, err := auth.New(i, "", []string{target.Hostname()}, env)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.refusalOf(signer); got.Code != test.code {
				t.Errorf("Token() = %v, want code %q", got, test.code)
			}
		})
	}
}

// Over real connections, with the kind of client that the program has.
func TestOverARealNetwork(t *testing.T) {
	for _, mode := range []params.Mode{params.ClientSecret, params.AuthorizationCode, params.CortexApplication} {
		t.Run(mode.String(), func(t *testing.T) {
			w := &world{T: t, store: newStore(), entra: newEntra()}
			w.entra.codes[someCode] = newCode("")
			redirected := false
			server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if redirected {
					http.Redirect(rw, r, "https://login.example.com/elsewhere", http.StatusTemporaryRedirect)
					return
				}
				r.URL.Scheme, r.URL.Host = "https", r.Host
				if strings.HasPrefix(r.URL.Path, "/obtain-token") {
					r.URL.Host = "oproxy.example.com"
				}
				answer, err := w.entra.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(answer.StatusCode)
				if _, err := io.Copy(rw, answer.Body); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			env := w.env()
			web := server.Client()
			web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			env.Transport = web
			i := instance(mode, withCode(someCode, ""), func(i *params.Instance) {
				i.Cloud.Authority, i.Proxy.URL = server.URL, server.URL+"/obtain-token"
			})
			signer, err := auth.New(i, "", []string{target.Hostname()}, env)
			if err != nil {
				t.Fatal(err)
			}
			rejected := w.ask(signer)
			if _, err := signer.Renew(t.Context(), target, rejected); err != nil {
				t.Errorf("Renew() = %v, want a token", err)
			}
			redirected = true
			signer.Forget()
			if err := w.refusalOf(signer); err.Code != "HTTP 307" {
				t.Errorf("Token() = %v, want the redirect refused", err)
			}
		})
	}
}

func TestEveryWaitIsBounded(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		limit := 20 * time.Second
		if i.Mode == params.ManagedIdentity {
			limit = 30 * time.Second
		}
		w.entra.latency = time.Hour
		begin := time.Now()
		err := w.refusal(i)
		if took := time.Since(begin); took > limit {
			w.Errorf("it took %s, want %s at most", took, limit)
		}
		if err.Code != auth.CodeTimeout {
			w.Errorf("Token() = %v, want code %q", err, auth.CodeTimeout)
		}
	})
}

func TestAServiceThatRefusesForAWhileIsBounded(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		limit := 20 * time.Second
		if i.Mode == params.ManagedIdentity {
			limit = 100 * time.Second
		}
		w.entra.answer = unavailable
		begin := time.Now()
		w.refusal(i)
		if took := time.Since(begin); took > limit {
			w.Errorf("it took %s, want %s at most", took, limit)
		}
	})
}

func TestAPassingFaultIsTriedAgain(t *testing.T) {
	forEveryMode(t, func(w *world, i params.Instance, _ bool) {
		if i.Mode == params.CortexApplication {
			return // its back-off says when
		}
		w.entra.answer = func(request) (int, string) {
			w.entra.answer = nil
			return http.StatusServiceUnavailable, ``
		}
		w.token(i)
	})
}

// A service that echoes whatever it was sent must not make us show it.
func TestNothingThatIsEchoedIsShown(t *testing.T) {
	echo := func(r request) string {
		sent := []string{r.body, r.url, fmt.Sprint(r.header)}
		for _, name := range slices.Sorted(maps.Keys(r.form)) {
			sent = append(sent, r.form.Get(name), url.QueryEscape(r.form.Get(name)))
		}
		return strings.Join(sent, " ")
	}
	for _, form := range []string{
		`{"error":"invalid_client","error_description":%q,"error_codes":[7000215]}`,
		`{"error":%q,"error_description":%[1]q}`,
		`{"error":{"code":%q,"message":%[1]q}}`,
		`{"title":%q,"detail":%[1]q}`,
		`{"message":%q}`,
		`{"access_token":"` + canary + `-token","refresh_token":"` + canary + `-refresh","error":"x","error_description":"` + canary + `-token ` + canary + `-refresh %s"}`,
		`%s`,
	} {
		forEveryMode(t, func(w *world, i params.Instance, _ bool) {
			w.entra.answer = func(r request) (int, string) {
				text := echo(r)
				if i.Mode == params.WorkloadIdentity || strings.Contains(form, "-token") {
					text = strings.ReplaceAll(text, `"`, "")
				}
				return http.StatusBadRequest, fmt.Sprintf(form, strings.ReplaceAll(text, "\n", " "))
			}
			w.refusal(i)
			w.checkStore()
		})
	}
}

func TestALongMessageIsCut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.entra.answer = func(request) (int, string) {
			text, _ := json.Marshal("AADSTS1: " + strings.Repeat("é\n\x00", 400) + "Trace ID: 1")
			return 400, `{"error":"x","error_description":` + string(text) + `}`
		}
		if err := w.refusal(instance(params.ClientSecret)); len([]rune(err.Message)) > 241 {
			t.Errorf("the message has %d characters, want 240 and a mark", len([]rune(err.Message)))
		}
	})
}

func TestSecretsAreSentOverHTTPSOnly(t *testing.T) {
	for _, test := range []struct {
		mode    params.Mode
		address string
		refused bool
	}{
		{params.CortexApplication, "http://oproxy.example.com/obtain-token", true},
		{params.AuthorizationCode, "http://login.example.com", true},
		{params.ClientSecret, "http://login.example.com", true},
		{params.AuthorizationCode, "http://127.0.0.1:9", false},
		{params.AuthorizationCode, "http://localhost:9", false},
	} {
		t.Run(test.mode.String()+" "+test.address, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.entra.codes[someCode] = newCode("")
				i := instance(test.mode, withCode(someCode, ""), func(i *params.Instance) { i.Proxy.URL, i.Cloud.Authority = test.address, test.address })
				_, err := w.signer(i).Token(w.Context(), target)
				var own *auth.Error
				if refused := errors.As(err, &own) && own.Code == auth.CodeConfiguration; refused != test.refused {
					t.Errorf("Token() = %v, want it refused: %t", err, test.refused)
				}
				if test.refused && w.entra.count() != 0 {
					t.Error("the secret was sent")
				}
			})
		})
	}
}
