package execution_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"xsoar-defender/execution"
	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/simulator"
)

// basic is an instance of the public cloud.
func basic() map[string]any {
	return map[string]any{
		"auth_type": "Client Credentials", "self_deployed": true, "_auth_id": "8b7e1f4e-0000-4000-8000-000000000001",
		"_tenant_id": "contoso.example", "credentials": map[string]any{"password": "s3cret-value"},
	}
}

func noEnvironment(string) string { return "" }

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestInstancesThatReachTheNetworkAlikeShareConnections(t *testing.T) {
	transports := execution.NewTransports()
	client := func(changes map[string]any, variables map[string]string) *http.Client {
		return transports.For(decode(t, with(basic(), changes)), environment(variables))
	}
	proxied := map[string]any{"proxy": true}
	first := client(nil, nil)
	same := map[string]*http.Client{
		"the same again":                         client(nil, nil),
		"another tenant of the cloud":            client(map[string]any{"_tenant_id": "fabrikam.example"}, nil),
		"a proxy in the environment but no wish": client(nil, map[string]string{"HTTPS_PROXY": "http://proxy:1"}),
	}
	for name, got := range same {
		if got != first {
			t.Errorf("%s: wanted the same client", name)
		}
	}
	different := map[string]*http.Client{
		"another cloud":            client(map[string]any{"endpoint_type": "US GCC"}, nil),
		"any certificate":          client(map[string]any{"insecure": true}, nil),
		"a proxy":                  client(proxied, map[string]string{"HTTPS_PROXY": "http://proxy:1"}),
		"another proxy":            client(proxied, map[string]string{"HTTPS_PROXY": "http://proxy:2"}),
		"a proxy not for all":      client(proxied, map[string]string{"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "a"}),
		"the managed identity's":   transports.Direct(),
		"the first":                first,
		"any certificate, a proxy": client(map[string]any{"insecure": true, "proxy": true}, map[string]string{"HTTPS_PROXY": "http://proxy:1"}),
	}
	seen := map[*http.Client]string{}
	for name, got := range different {
		if other, known := seen[got]; known {
			t.Errorf("%s: wanted another client than %s", name, other)
		}
		seen[got] = name
		if got.Jar != nil {
			t.Errorf("%s: wanted no cookies", name)
		}
		if !errors.Is(got.CheckRedirect(nil, nil), http.ErrUseLastResponse) {
			t.Errorf("%s: wanted no redirects to be followed", name)
		}
	}
	if direct := transports.Direct(); direct != transports.Direct() {
		t.Error("the managed identity's: wanted the same client again")
	}
}

func TestInsecureIsForTheInstanceThatSaysSo(t *testing.T) {
	tenant := newWorld(t).tenant
	for _, insecure := range []bool{false, true, false} {
		instance := with(tenant.Instance("client-secret"), map[string]any{"insecure": insecure})
		client := execution.NewTransports().For(decode(t, instance), noEnvironment)
		response, err := client.Get(tenant.URL())
		if err == nil {
			response.Body.Close()
		}
		client.CloseIdleConnections()
		if (err == nil) != insecure {
			t.Errorf("insecure %t: got %v", insecure, err)
		}
	}
	if response, err := execution.NewTransports().Direct().Get(tenant.URL()); err == nil {
		response.Body.Close()
		t.Error("the managed identity's: got an answer, want certificates to be checked")
	}
}

// TestATLSSessionGoesOnWithThoseWhoReachTheNetworkAlike opens two connections one after another, and then one that
// must be checked where those before were not.
func TestATLSSessionGoesOnWithThoseWhoReachTheNetworkAlike(t *testing.T) {
	tenant := newWorld(t).tenant
	transports := execution.NewTransports()
	trusting := decode(t, with(tenant.Instance("client-secret"), map[string]any{"insecure": true}))
	for connection, want := range []bool{false, true} {
		client := transports.For(trusting, noEnvironment)
		response, err := client.Get(tenant.URL())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		client.CloseIdleConnections()
		if got := response.TLS.DidResume; got != want {
			t.Errorf("connection %d: continued with a session: %t, want %t", connection+1, got, want)
		}
	}
	careful := decode(t, with(tenant.Instance("client-secret"), map[string]any{"insecure": false}))
	if response, err := transports.For(careful, noEnvironment).Get(tenant.URL()); err == nil {
		response.Body.Close()
		t.Error("an instance that checks certificates continued with the session of one that does not")
	}
}

func TestProxies(t *testing.T) {
	const target = "https://api.security.microsoft.com/api/machines"
	rows := []struct {
		name        string
		proxy       bool
		environment map[string]string
		target      string
		want        string
	}{
		{"not wanted", false, map[string]string{"HTTPS_PROXY": "http://proxy:8080", "HTTP_PROXY": "http://proxy:8080"}, target, ""},
		{"wanted but not there", true, nil, target, ""},
		{"for https", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080"}, target, "http://proxy:8080"},
		{"in small letters", true, map[string]string{"https_proxy": "http://proxy:8080"}, target, "http://proxy:8080"},
		{"small letters go first", true, map[string]string{"https_proxy": "http://small:8080", "HTTPS_PROXY": "http://large:8080"}, target, "http://small:8080"},
		{"for http alone", true, map[string]string{"HTTP_PROXY": "http://proxy:8080"}, target, ""},
		{"without a scheme", true, map[string]string{"HTTPS_PROXY": "proxy:8080"}, target, "http://proxy:8080"},
		{"over TLS", true, map[string]string{"HTTPS_PROXY": "https://proxy:8443"}, target, "https://proxy:8443"},
		{"of another kind", true, map[string]string{"HTTPS_PROXY": "socks5://proxy:1080"}, target, "socks5://proxy:1080"},
		{"with a name and password", true, map[string]string{"HTTPS_PROXY": "http://user:p%40ss@proxy:8080"}, target, "http://user:p%40ss@proxy:8080"},
		{"not for this host", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "api.security.microsoft.com"}, target, ""},
		{"not for its domain", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080", "no_proxy": "a.example, .microsoft.com"}, target, ""},
		{"not for another host", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "login.microsoftonline.com"}, target, "http://proxy:8080"},
		{"not for any", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "*"}, target, ""},
		{"not for a network", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3/", ""},
		{"not for this machine", true, map[string]string{"HTTPS_PROXY": "http://proxy:8080"}, "https://127.0.0.1:8443/", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			client := execution.NewTransports().For(decode(t, with(basic(), map[string]any{"proxy": row.proxy})), environment(row.environment))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, row.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if find := execution.TransportOf(client).Proxy; find != nil {
				found, err := find(request)
				if err != nil {
					t.Fatal(err)
				}
				if found != nil {
					got = found.String()
				}
			}
			if got != row.want {
				t.Errorf("got %q, want the proxy %q", got, row.want)
			}
		})
	}
}

func TestAProxyThatCannotBeReachedIsNamed(t *testing.T) {
	const nothing = "127.0.0.1:0"
	client := execution.NewTransports().For(decode(t, with(basic(), map[string]any{"proxy": true})), environment(map[string]string{"HTTPS_PROXY": "http://user:hidden-password@" + nothing}))
	response, err := client.Get("https://api.example")
	if err == nil {
		response.Body.Close()
	}
	failed, ok := errors.AsType[*gateway.UnusableProxyError](err)
	if !ok || failed.Proxy != nothing || errors.Unwrap(failed) == nil {
		t.Fatalf("got %v, want an error of the proxy %s", err, nothing)
	}
	if got := failed.Error(); !strings.Contains(got, nothing) || strings.Contains(got, "hidden") {
		t.Errorf("got %q, want the address without the password", got)
	}
}

// TestAProxyThatDoesNotAnswerIsATimeout has what net/http and the metrics of the platform ask: whether the time ran out.
func TestAProxyThatDoesNotAnswerIsATimeout(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{{os.ErrDeadlineExceeded, true}, {syscall.ECONNREFUSED, false}} {
		failed := &gateway.UnusableProxyError{Proxy: "proxy.test:3128", Err: &net.OpError{Op: "proxyconnect", Err: &net.OpError{Op: "dial", Err: test.err}}}
		if got := (&url.Error{Op: "Get", URL: "https://api.example", Err: failed}).Timeout(); got != test.want {
			t.Errorf("%v: got timeout %t, want %t", test.err, got, test.want)
		}
	}
}

func TestAProxyThatIsNoAddressIsAnError(t *testing.T) {
	for _, address := range []string{"http://user:hidden-password%zz@proxy:8080", "http://[::1", "http://proxy\x7f:8080"} {
		client := execution.NewTransports().For(decode(t, with(basic(), map[string]any{"proxy": true})), environment(map[string]string{"HTTPS_PROXY": address}))
		response, err := client.Get("https://api.example")
		if err == nil {
			response.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "HTTPS_PROXY") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: got %v, want an error that names the variable and not its value", address, err)
		}
	}
}

func TestTheManagedIdentityEndpointIsReachedDirectly(t *testing.T) {
	w := newWorld(t)
	proxy := newProxy(t, w.tenant, "")
	w.environment["HTTP_PROXY"], w.environment["HTTPS_PROXY"] = proxy.URL, proxy.URL
	if execution.TransportOf(w.Transports.Direct()).Proxy != nil {
		t.Error("wanted no proxy for the endpoint")
	}
	if result := w.run(listMachines, nil, behindProxy(w.tenant, "managed-identity"), w.host()); result.Err != nil {
		t.Errorf("got %v, want success", result.Err)
	}
	if got, want := proxy.connected(), []string{"tenant.example:443"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want the proxy to be asked for %q alone", got, want)
	}
	if !slices.ContainsFunc(w.tenant.Requests(), func(r simulator.Request) bool { return r.Kind == simulator.KindIdentity }) {
		t.Error("wanted the endpoint to be asked")
	}
}

// proxy leads every host to a tenant, and lets through only those who give its credentials, when it has some.
type proxy struct {
	*httptest.Server

	mu    sync.Mutex
	hosts []string
}

func (p *proxy) connected() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.hosts)
	return slices.Compact(slices.Clone(p.hosts))
}

func newProxy(t *testing.T, tenant *simulator.Tenant, credentials string) *proxy {
	t.Helper()
	want := ""
	if credentials != "" {
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
	}
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.hosts = append(p.hosts, r.Host)
		p.mu.Unlock()
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			w.Header().Set("Proxy-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		there, err := net.Dial("tcp", strings.TrimPrefix(tenant.URL(), "https://"))
		if err != nil {
			t.Error(err)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			defer here.Close()
			_, _ = io.Copy(here, there)
		}()
		go func() {
			defer there.Close()
			_, _ = io.Copy(there, here)
		}()
	}))
	t.Cleanup(p.Close)
	return p
}

// behindProxy is an instance of a tenant that only the proxy knows the way to.
func behindProxy(tenant *simulator.Tenant, mode string) map[string]any {
	instance := with(tenant.Instance(mode), map[string]any{"proxy": true})
	for name, value := range instance {
		if text, ok := value.(string); ok {
			instance[name] = strings.ReplaceAll(text, tenant.URL(), "https://tenant.example")
		}
	}
	return instance
}

func TestAProxyThatWantsCredentials(t *testing.T) {
	w := newWorld(t)
	proxy := newProxy(t, w.tenant, "user:p@ss word")
	address := strings.TrimPrefix(proxy.URL, "http://")
	rows := []struct {
		name, variable string
		fine           bool
	}{
		{"with the right ones", "http://user:p%40ss%20word@" + address, true},
		{"with wrong ones", "http://user:hidden-wrong-password@" + address, false},
		{"without any", proxy.URL, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w.environment["HTTPS_PROXY"] = row.variable
			before := len(w.tenant.Requests())
			result := w.run(listMachines, nil, behindProxy(w.tenant, "cortex"), w.host())
			if (result.Err == nil) != row.fine {
				t.Errorf("got %v, want success %t", result.Err, row.fine)
			}
			if asked := len(w.tenant.Requests()) > before; asked != row.fine {
				t.Errorf("got %t, want the tenant to be asked %t", asked, row.fine)
			}
			if shown := fmt.Sprint(result.Err); strings.Contains(shown, "password") || strings.Contains(shown, "p%40ss") {
				t.Errorf("got %s, want an error without the proxy's password", shown)
			}
		})
	}
	if got, want := proxy.connected(), []string{"tenant.example:443"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want the proxy to be asked for %q", got, want)
	}
}

// A process of its own shows that nothing of the environment is read elsewhere than where it is passed in.
func TestTheEnvironmentOfAProcessNamesTheProxy(t *testing.T) {
	w := newWorld(t)
	proxy := newProxy(t, w.tenant, "user:p@ss word")
	address := strings.TrimPrefix(proxy.URL, "http://")
	const host = "tenant..example" // of which Go asks no resolver
	rows := []struct {
		name      string
		variables []string
		wanted    bool
		says      string
	}{
		{"with its credentials", []string{"HTTPS_PROXY=http://user:p%40ss%20word@" + address}, true, "ok"},
		{"with wrong ones", []string{"HTTPS_PROXY=http://user:hidden-wrong-password@" + address}, true, "HTTP 407: Proxy Authentication Required) (gateway)"},
		{"that cannot be reached", []string{"HTTPS_PROXY=http://127.0.0.1:0"}, true, "the proxy 127.0.0.1:0 could not be reached (gateway)"},
		{"not for the host", []string{"HTTPS_PROXY=http://user:p%40ss%20word@" + address, "NO_PROXY=" + host}, true, "(unknown_host)"},
		{"for another host only", []string{"HTTPS_PROXY=http://user:p%40ss%20word@" + address, "NO_PROXY=other.example"}, true, "ok"},
		{"not wanted", []string{"HTTPS_PROXY=http://user:p%40ss%20word@" + address}, false, "(unknown_host)"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			instance := behindProxy(w.tenant, "cortex")
			for name, value := range instance {
				if text, ok := value.(string); ok {
					instance[name] = strings.ReplaceAll(text, "tenant.example", host)
				}
			}
			instance["proxy"] = row.wanted
			got := inProcess(t, w, instance, row.variables...)
			if !strings.Contains(got, row.says) || strings.Contains(got, "password") || strings.Contains(got, "p%40ss") {
				t.Errorf("got %s, want %q and no password", got, row.says)
			}
		})
	}
}

// inProcess lists machines in a process of its own, with an environment of its own, and returns "ok" or the error.
func inProcess(t *testing.T, w *world, instance map[string]any, variables ...string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), program)
	process.Env = slices.Concat(variables, []string{childVariable + "=" + listMachines, "TMPDIR=" + t.TempDir()})
	process.Stdin = bytes.NewReader(encode(t, instance))
	process.Stderr = w.log
	shown, err := process.Output()
	if err != nil {
		t.Fatalf("the process: %v: %s", err, w.log.take())
	}
	return strings.TrimSpace(string(shown))
}

// Go reads SSL_CERT_FILE once in the life of a process, so that each row is a process.
func TestACustomAuthorityIsTrusted(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, w.tenant.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name, file string
		insecure   bool
		fine       bool
	}{
		{"named by SSL_CERT_FILE", file, false, true},
		{"not named", filepath.Join(t.TempDir(), "empty.pem"), false, false},
		{"not needed", filepath.Join(t.TempDir(), "empty.pem"), true, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			instance := with(w.tenant.Instance("client-secret"), map[string]any{"insecure": row.insecure})
			got := inProcess(t, w, instance, "SSL_CERT_FILE="+row.file, "SSL_CERT_DIR="+t.TempDir())
			switch {
			case row.fine && got != "ok":
				t.Errorf("got %s, want ok", got)
			case !row.fine && !strings.Contains(got, "is not trusted"):
				t.Errorf("got %s, want an error that says that the certificate is not trusted", got)
			}
		})
	}
}

// TestNobodySwitchesToAnotherProtocol has a server answer with 101 and then hold the connection, as long as it likes.
func TestNobodySwitchesToAnotherProtocol(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		if _, err := io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n{"); err != nil {
			t.Error(err)
		}
		<-held
	}))
	defer server.Close()
	defer close(held)
	response, err := execution.NewTransports().Direct().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); len(text) > 0 || err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %d, %q and %v, want the status alone", response.StatusCode, text, err)
	}
}

// TestAHostThatAgreesOnNoTLSIsSaidToBeOne plays authorities that offer too little and ask for too much. With TLS 1.3 a host asks for
// a certificate after the handshake, and the alert may get lost with the connection: no test can count on it.
func TestAHostThatAgreesOnNoTLSIsSaidToBeOne(t *testing.T) {
	for name, config := range map[string]*tls.Config{
		"TLS 1.1 only":                       {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"a certificate of the client, 1.2":   {MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert},
		"no cipher suite that is still good": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the sign-in waits in real time before it tries again
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			server.TLS, server.Config.ErrorLog = config, stdlog.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			w := newWorld(t)
			params := with(w.tenant.Instance("client-secret"), map[string]any{"azure_ad_endpoint": server.URL})
			result := w.run("microsoft-atp-get-machines", nil, params, w.host())
			if text := fmt.Sprint(result.Err); !strings.Contains(text, "could not agree on a TLS connection (tls)") || !strings.Contains(text, "TLS 1.2 or later") {
				t.Errorf("got %s, want that it is a matter of TLS, and what to do", text)
			}
			params = with(w.tenant.Instance("client-secret"), map[string]any{"url": server.URL})
			result = w.run("microsoft-atp-get-machines", nil, params, w.host())
			if text := fmt.Sprint(result.Err); !strings.Contains(text, "TLS 1.2 or later") {
				t.Errorf("got %s, want what to do", text)
			}
		})
	}
}
