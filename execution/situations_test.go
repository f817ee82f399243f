package execution_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
)

// The tests of this file put the simulated tenant into situations from the field, and sign in as the program does.

// signInModes are the ways to sign in that need no user.
func signInModes() []string {
	return []string{"client-secret", "certificate", "certificate-with-chain", "managed-identity", "managed-identity-user", "cortex"}
}

// in puts the tenant into a situation.
func (w *world) in(condition string) {
	w.t.Helper()
	if err := w.tenant.Switch(condition, true, 0); err != nil {
		w.t.Fatal(err)
	}
}

// ask runs a command that needs a token, and checks that it fails with words, or works without any.
func (w *world) ask(what, command string, instance map[string]any, host *commandstest.Host, words ...string) execution.Result {
	w.t.Helper()
	result := w.run(command, nil, instance, host)
	if len(words) == 0 {
		if result.Err != nil {
			w.t.Errorf("%s: %s: got %v, want it to work", what, command, result.Err)
		}
		return result
	}
	if result.Err == nil {
		w.t.Errorf("%s: %s: got no error, want one that says %q", what, command, words)
		return result
	}
	for _, word := range words {
		if text := result.Err.Error(); !strings.Contains(text, word) {
			w.t.Errorf("%s: %s: got %q, want %q in it", what, command, text, word)
		}
	}
	return result
}

func TestATokenServiceThatFailsIsToldAsSuch(t *testing.T) {
	for _, mode := range signInModes() {
		w := newWorld(t)
		// As the condition token-service-down does, but the pauses between the tries are real ones.
		soon := http.Header{"Retry-After-Ms": {"1"}}
		for _, kind := range []simulator.Kind{simulator.KindAuthority, simulator.KindProxy, simulator.KindIdentity} {
			w.tenant.Script(simulator.Fault{Kind: kind, Status: http.StatusServiceUnavailable, Message: "A transient error has occurred.", Header: soon})
		}
		instance := w.tenant.Instance(mode)
		for _, command := range []string{"microsoft-atp-get-machines", "test-module"} {
			result := w.ask(mode, command, instance, w.host(), "Sign-in", "transient error")
			for _, blamed := range []string{"Key of the instance", "Private Key", "Grant", "permission"} {
				if mode != "cortex" && result.Err != nil && strings.Contains(result.Err.Error(), blamed) {
					t.Errorf("%s: %s: got %q, want nothing about the %s", mode, command, result.Err, blamed)
				}
			}
		}
		w.tenant.ClearFaults()
		w.ask(mode+" afterwards", "microsoft-atp-get-machines", instance, w.host())
	}
}

func TestAnEarlierTokenServesWhileTheTokenServiceIsDown(t *testing.T) {
	w := newWorld(t)
	host, instance := w.host(), w.tenant.Instance("cortex")
	w.ask("before", "microsoft-atp-get-machines", instance, host)
	w.in("token-service-down")
	w.ask("with the earlier token", "microsoft-atp-get-machines", instance, host)
	w.ask("the test, which signs in again", "test-module", instance, host, "Sign-in", "transient error")
}

func TestAPageOfAProxyIsToldAsSuch(t *testing.T) {
	for condition, words := range map[string][]string{
		"proxy-page":    {"HTTP 403", "Access denied", "gateway"},
		"proxy-sign-in": {"HTTP 407", "proxy.contoso.example", "credentials that the proxy expects"},
		"bad-gateway":   {"HTTP 502", "gateway.contoso.example", "ry again in a few minutes"},
	} {
		w := newWorld(t)
		kept, signedIn := w.host(), w.tenant.Instance("client-secret")
		w.ask("before", "microsoft-atp-get-machines", signedIn, kept)
		w.in(condition)
		commands := []string{"microsoft-atp-get-machines", "microsoft-atp-list-alerts", "microsoft-atp-incident-list"}
		if condition == "bad-gateway" { // a sign-in for Microsoft Graph is tried again after real pauses
			commands = commands[:2]
		}
		for _, command := range commands {
			w.ask(condition+" at the API", command, signedIn, kept, words...)
		}
		modes := []string{"client-secret", "certificate", "certificate-with-chain", "cortex"}
		if condition == "bad-gateway" { // which is tried again after real pauses
			modes = []string{"cortex"}
		}
		for _, mode := range modes {
			w.ask(condition+" at the sign-in of "+mode, "test-module", w.tenant.Instance(mode), w.host(), slices.Concat(words, []string{"Sign-in"})...)
		}
		// It is on the machine, before any proxy.
		result := w.ask(condition+" with a managed identity", "test-module", w.tenant.Instance("managed-identity"), w.host(), words...)
		if result.Err != nil && strings.Contains(result.Err.Error(), "Sign-in") {
			t.Errorf("%s: got %v, want the identity to have answered", condition, result.Err)
		}
	}
}

func TestASlowIdentityIsWaitedFor(t *testing.T) {
	for _, mode := range []string{"managed-identity", "managed-identity-user"} {
		w := newWorld(t)
		w.in("slow-identity")
		began := w.clock.Now()
		w.ask(mode, "microsoft-atp-get-machines", w.tenant.Instance(mode), w.host())
		if took := w.clock.Now().Sub(began); took < 20*time.Second {
			t.Errorf("%s: it took %s, want the 20 s of the endpoint: the test shows nothing", mode, took)
		}
	}
}

// namedInAssertion returns the thumbprint that the newest assertion named.
func (w *world) namedInAssertion() string {
	w.t.Helper()
	requests := w.tenant.Requests()
	for _, request := range slices.Backward(requests) {
		// A body in another form is that of another request.
		form, _ := url.ParseQuery(string(request.Body))
		header, _, found := strings.Cut(form.Get("client_assertion"), ".")
		if !found {
			continue
		}
		text, err := base64.RawURLEncoding.DecodeString(header)
		if err != nil {
			w.t.Fatal(err)
		}
		named := gjson.GetBytes(text, "x5t").Str + gjson.GetBytes(text, "x5t#S256").Str
		return named
	}
	w.t.Fatal("no assertion was sent")
	return ""
}

func TestOfTwoCertificatesOfOneKeyTheChosenOneSigns(t *testing.T) {
	w := newWorld(t)
	renewed, chain := w.tenant.Instance("certificate-renewed"), w.tenant.Instance("certificate-with-chain")
	both := renewed["creds_certificate"].(map[string]any)["password"]
	first := chain["creds_certificate"].(map[string]any)["identifier"]
	// An instance whose Private Key was given both certificates, and which still chooses the first one.
	before := with(renewed, map[string]any{"creds_certificate": map[string]any{"identifier": first, "password": both}})
	for _, test := range []struct {
		name            string
		first, renewal  bool
		renewed, before []string
	}{
		{"both are registered", true, true, nil, nil},
		{"only the renewal is registered", false, true, nil, []string{"AADSTS700027", "upload the certificate"}},
		{"only the first one is registered", true, false, []string{"AADSTS700027", "upload the certificate"}, nil},
	} {
		w.tenant.SetCertificates(test.first, test.renewal)
		w.ask(test.name+", the renewal is chosen", "microsoft-atp-get-machines", renewed, w.host(), test.renewed...)
		one := w.namedInAssertion()
		w.ask(test.name+", the first one is chosen", "microsoft-atp-get-machines", before, w.host(), test.before...)
		if other := w.namedInAssertion(); one == "" || other == one {
			t.Errorf("%s: both choices named the certificate %q, want each its own", test.name, one)
		}
	}
	// As a condition, which also ends earlier tokens.
	w.in("renewed-certificate")
	w.ask("after the renewal", "microsoft-atp-get-machines", renewed, w.host())
	w.ask("after the renewal, the old chain", "microsoft-atp-get-machines", chain, w.host(), "AADSTS700027")
	w.ask("after the renewal, the old thumbprint alone", "microsoft-atp-get-machines", w.tenant.Instance("certificate"), w.host(), "AADSTS700027")
}

func TestATestWithoutAnIntegrationContext(t *testing.T) {
	for _, mode := range signInModes() {
		for name, spoil := range map[string]func(*commandstest.Host){
			"nothing is kept": func(h *commandstest.Host) { h.Forgetful = true },
			"it is refused":   func(h *commandstest.Host) { h.NoContext = errors.New("the context is not available") },
		} {
			w := newWorld(t)
			host := w.host()
			spoil(host)
			for _, command := range []string{"test-module", "microsoft-atp-test", "microsoft-atp-get-machines"} {
				w.ask(mode+", "+name, command, w.tenant.Instance(mode), host)
			}
			if warned := w.log.take(); (warned != "") != (host.NoContext != nil && !strings.HasPrefix(mode, "managed")) {
				t.Errorf("%s, %s: got the warnings %q, want one if nothing can be kept", mode, name, warned)
			}
		}
	}
}

func TestALoginNeedsAnIntegrationContext(t *testing.T) {
	w := newWorld(t)
	instance := w.tenant.Instance("authorization-code")
	host := w.host()
	host.NoContext = errors.New("the context is not available")
	w.ask("a login that cannot be kept", "microsoft-atp-get-machines", instance, host, "integration context could not be read")
	w.ask("the Test button", "test-module", instance, host, "!microsoft-atp-test")
	if got := countSignIns(w.tenant); got != 0 {
		t.Errorf("got %d requests for tokens, want the login not to be used up", got)
	}
	w.log.take()
}

// countSignIns returns how many tokens were asked for.
func countSignIns(tenant *simulator.Tenant) int {
	count := 0
	for _, request := range tenant.Requests() {
		if strings.HasSuffix(request.Path, "/token") {
			count++
		}
	}
	return count
}

func TestTheDiagnosisNamesAProxyThatNobodyConfigured(t *testing.T) {
	w := newWorld(t)
	w.in("proxy-sign-in")
	wantRows(t, w.diagnose(t.Context(), t, w.tenant.Instance("client-secret")), map[string]string{
		"Proxy: authority": "failed: none: Use system proxy settings is not selected; the answer to the request to", "Authority": "failed: a gateway answered instead of 127.0.0.1",
		"Token": "failed: the answer to the request to", "API": "not checked: there is no token",
	})
	// A managed identity is on the machine, so only the API is behind the proxy.
	wantRows(t, w.diagnose(t.Context(), t, w.tenant.Instance("managed-identity")), map[string]string{
		"Proxy: managed identity endpoint": "ok: none: it is always contacted directly",
		"Proxy: API":                       "failed: none: Use system proxy settings is not selected; the answer came from a gateway on the way, proxy.contoso.example (HTTP 407",
		"Token":                            "ok: ", "API": "failed: ",
	})
}
