package execution_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/internal/simulator"
)

// rows are the checks of a diagnosis as "result: found", by their names.
func rows(d *diagnosis.Diagnosis) map[string]string {
	found := map[string]string{}
	for _, check := range gjson.Get(string(d.JSON()), "Checks").Array() {
		found[check.Get("Check").Str] = check.Get("Result").Str + ": " + check.Get("Found").Str
	}
	return found
}

func wantRows(t *testing.T, d *diagnosis.Diagnosis, want map[string]string) {
	t.Helper()
	got := rows(d)
	for check, text := range want {
		if !strings.Contains(got[check], text) {
			t.Errorf("%s: got %q, want %q", check, got[check], text)
		}
	}
}

// diagnose returns the diagnosis of an instance with these parameters.
func (w *world) diagnose(ctx context.Context, t *testing.T, params map[string]any) *diagnosis.Diagnosis {
	t.Helper()
	found, err := w.Diagnose(ctx, execution.Request{Params: encode(t, params), Instance: "instance"}, w.host())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// shownOf returns everything that users see of a diagnosis.
func shownOf(d *diagnosis.Diagnosis) string {
	return fmt.Sprint(d.Err(), d.JSON(), commands.DiagnosisEntry(d))
}

// withNames returns the world with name servers.
func (w *world) withNames(hosts map[string]string) {
	w.Transports.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		switch addresses, known := hosts[host]; {
		case !known:
			return nil, &net.DNSError{Name: host, Err: "no such host", IsNotFound: true}
		case addresses == "":
			return nil, context.DeadlineExceeded
		default:
			var all []netip.Addr
			for text := range strings.SplitSeq(addresses, " ") {
				all = append(all, netip.MustParseAddr(text))
			}
			return all, nil
		}
	}
}

func TestDiagnosisBehindAProxy(t *testing.T) {
	const credentials = "proxy-user:proxy-password-of-the-test"
	w := newWorld(t)
	w.withNames(nil)
	proxy := newProxy(t, w.tenant, credentials)
	address := strings.TrimPrefix(proxy.URL, "http://")
	w.environment["HTTPS_PROXY"] = "http://" + credentials + "@" + address
	found := w.diagnose(t.Context(), t, behindProxy(w.tenant, "cortex"))
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, found, map[string]string{
		"DNS: token proxy":   "not checked: the proxy resolves tenant.example",
		"DNS: API":           "not checked: the proxy resolves tenant.example",
		"DNS: proxy":         "ok: 127.0.0.1 is already an address",
		"Proxy: token proxy": "ok: http://" + address,
		"Proxy: API":         "ok: http://" + address,
		"TLS: API":           "warning: TLS 1.3, certificate of Simulated tenant, valid until 2090-01-01, not verified",
		"Token proxy":        "ok: tenant.example answers",
		"API":                "ok: tenant.example answers",
	})
	for _, setting := range []string{w.environment["HTTPS_PROXY"], "http://proxy-user:wrong-password-of-the-test@" + address, credentials + "@" + address, "http://" + credentials + "%zz@" + address} {
		w.environment["HTTPS_PROXY"] = setting
		shown := shownOf(w.diagnose(t.Context(), t, behindProxy(w.tenant, "cortex")))
		for _, secret := range []string{"password-of-the-test", "proxy-user"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s: got %s, want nothing of the proxy's credentials", setting, shown)
			}
		}
	}
}

func TestDiagnosisOfTheWayToTheHosts(t *testing.T) {
	elsewhere := map[string]any{"proxy": true, "azure_ad_endpoint": "https://login.example:8443"}
	for _, test := range []struct {
		name        string
		changes     map[string]any
		environment map[string]string
		names       map[string]string
		want        map[string]string
	}{
		{
			"a host that is known", elsewhere,
			map[string]string{"NO_PROXY": "login.example", "HTTPS_PROXY": "http://proxy.example"},
			map[string]string{"login.example": "::ffff:127.0.0.2 127.0.0.1 127.0.0.1"},
			map[string]string{"DNS: authority": "ok: login.example is 127.0.0.1, 127.0.0.2", "Proxy: authority": "ok: none: NO_PROXY exempts login.example"},
		},
		{
			"a host that is not known", elsewhere, nil, nil,
			map[string]string{"DNS: authority": "failed: login.example has no address", "Proxy: authority": "warning: none: HTTPS_PROXY in the environment is empty"},
		},
		{
			"a proxy for http alone", elsewhere,
			map[string]string{"HTTP_PROXY": "http://proxy.example"},
			nil,
			map[string]string{"DNS: authority": "failed: login.example has no address", "Proxy: authority": "warning: none: HTTPS_PROXY in the environment is empty"},
		},
		{
			"name servers that are silent", elsewhere, nil,
			map[string]string{"login.example": ""},
			map[string]string{"DNS: authority": "failed: no name server answered for login.example"},
		},
		{
			"a proxy that is not known", elsewhere,
			map[string]string{"https_proxy": "http://proxy.example"},
			nil,
			map[string]string{"DNS: authority": "not checked", "DNS: proxy": "failed: proxy.example has no address", "Proxy: authority": "ok: http://proxy.example"},
		},
		{
			"a proxy that is not an address", elsewhere,
			map[string]string{"https_proxy": "http://[::1"},
			nil,
			map[string]string{"DNS: authority": "not checked: the proxy is not known", "Proxy: authority": "failed: HTTPS_PROXY"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.withNames(test.names)
			w.environment = test.environment
			// The sign-in itself looks for the host on its own: it is not let out of this machine.
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errNobodyIsAsked)
			found := w.diagnose(ctx, t, with(w.tenant.Instance("client-secret"), test.changes))
			if found.Err() == nil {
				t.Error("got no error, want the sign-in to have failed")
			}
			wantRows(t, found, test.want)
		})
	}
}

var errNobodyIsAsked = errors.New("nobody is asked")

func TestDiagnosisWithEveryWayToSignIn(t *testing.T) {
	for _, test := range []struct {
		mode, role string
	}{
		{"client-secret", "authority"},
		{"certificate", "authority"},
		{"certificate-with-chain", "authority"},
		{"cortex", "token proxy"},
		{"managed-identity", "managed identity endpoint"},
		{"managed-identity-user", "managed identity endpoint"},
	} {
		t.Run(test.mode, func(t *testing.T) {
			w := newWorld(t)
			found := w.diagnose(t.Context(), t, w.tenant.Instance(test.mode))
			if err := found.Err(); err != nil || found.Failed() {
				t.Errorf("got %v and %v, want nothing to have failed", err, rows(found))
			}
			proxy, tls := "ok: none: Use system proxy settings is not selected", "warning: TLS 1.3"
			if test.role == "managed identity endpoint" {
				proxy, tls = "ok: none: it is always contacted directly", "not checked: 169.254.169.254 is contacted over plain HTTP"
			}
			wantRows(t, found, map[string]string{
				"Configuration": "; " + test.role + " ", "DNS: " + test.role: "is already an address", "Proxy: " + test.role: proxy, "TLS: " + test.role: tls,
				strings.ToUpper(test.role[:1]) + test.role[1:]: "ok: ", "Token": "ok: signed in again; application ", "Clock": "ok: agrees with the clock of the API",
				"Tenant": "ok: " + w.tenant.TenantID(), "Audience": "ok: https://api.securitycenter.microsoft.com, which matches the cloud",
			})
			shown := shownOf(found)
			for _, token := range bearers(w.tenant) {
				if slices.ContainsFunc(strings.Split(token, "."), func(part string) bool { return strings.Contains(shown, part) }) {
					t.Error("wanted no part of the token to be shown")
				}
			}
		})
	}
}

func TestDiagnosisOfASignInThatCannotBePrepared(t *testing.T) {
	w := newWorld(t)
	result := w.run(commands.DiagnosisCommand, nil, w.tenant.Instance("workload-identity"), w.host())
	if result.Err == nil || !strings.Contains(result.Err.Error(), "AZURE_FEDERATED_TOKEN_FILE") || len(result.Entries) > 0 {
		t.Errorf("got %v, want one error that names the variable", result.Err)
	}
	w.tenant.ResetRequests()
	wantRows(t, w.diagnose(t.Context(), t, w.tenant.Instance("workload-identity")), map[string]string{
		"Configuration": "ok: signs in with workload identity", "DNS: authority": "ok: ", "Authority": "not checked: ",
		"Token": "failed: the environment has no AZURE_FEDERATED_TOKEN_FILE", "API": "not checked: there is no token",
	})
	if got := w.tenant.Requests(); len(got) > 0 {
		t.Errorf("got %d requests, want nothing to be asked", len(got))
	}
}

func TestDiagnosisOfACertificateThatIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	found := w.diagnose(t.Context(), t, with(w.tenant.Instance("client-secret"), map[string]any{"insecure": false}))
	if found.Err() == nil {
		t.Error("got no error, want one")
	}
	wantRows(t, found, map[string]string{
		"TLS: authority": "failed: the certificate of Simulated tenant, valid until 2090-01-01, is not trusted",
		"TLS: API":       "not checked: 127.0.0.1 was not contacted", "Authority": "failed: 127.0.0.1 did not answer", "Token": "failed: the TLS certificate of",
	})
}

// TestDiagnosisMakesNoRequestOfItsOwn counts the requests in addition to those of the Test button.
func TestDiagnosisMakesNoRequestOfItsOwn(t *testing.T) {
	w := newWorld(t)
	count := func(command string) map[simulator.Kind]int {
		w.tenant.ResetRequests()
		if result := w.run(command, nil, w.tenant.Instance("client-secret"), w.host()); result.Err != nil {
			t.Fatal(result.Err)
		}
		kinds := map[simulator.Kind]int{}
		for _, request := range w.tenant.Requests() {
			kinds[request.Kind]++
		}
		return kinds
	}
	test, examined := count(commands.TestCommand), count(commands.DiagnosisCommand)
	if fmt.Sprint(test) != fmt.Sprint(examined) {
		t.Errorf("got %v, want the requests %v", examined, test)
	}
}
