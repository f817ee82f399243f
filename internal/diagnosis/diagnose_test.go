package diagnosis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/params"
)

const (
	tenantID = "8b7e1f4e-0000-4000-8000-0000000000aa"
	clientID = "8b7e1f4e-0000-4000-8000-0000000000cc"
)

// scene is an instance, its sign-in and the network that it is in. Unless a test changes it, everything works.
type scene struct {
	instance params.Instance

	claims  auth.Claims
	opaque  bool // the claims cannot be read
	noToken error
	forgot  int // how often the stored token was forgotten

	// answers come in turn, the last one again and again.
	answers  []func() (*http.Response, error)
	requests []string
	noGraph  error // why there is no token for Microsoft Graph

	signIn, api Contact
	route       func(target *url.URL) (Route, error)
	resolve     func(ctx context.Context, host string) ([]netip.Addr, error)

	gaps  []Gap
	files error
}

func aScene() *scene {
	return &scene{
		instance: params.Instance{
			Mode: params.ClientSecret, Cloud: params.Clouds()[0], ClientID: clientID, TenantID: tenantID, ClientSecret: "the secret of the test",
			Fetch: params.Fetch{Type: params.FetchAlerts},
		},
		claims: auth.Claims{
			Roles: []string{"Machine.Read.All", "Alert.Read.All"}, Audience: "https://api.securitycenter.microsoft.com", Tenant: tenantID, AppID: clientID,
			NotBefore: aDay(), Expires: aDay().Add(time.Hour),
		},
		answers: []func() (*http.Response, error){answers(200, `{"value":[]}`)},
		signIn:  aContact("https://login.microsoftonline.com/token"),
		route:   func(*url.URL) (Route, error) { return Route{}, nil },
		resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
		},
	}
}

// aContact is a contact that was answered over TLS.
func aContact(target string) Contact {
	return Contact{
		Target: address(target), Header: http.Header{"Date": {aDay().Format(http.TimeFormat)}}, At: aDay(),
		TLS: &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{aCertificate(90 * 24 * time.Hour)}},
	}
}

// answers returns an answer of the API; header has names and values in turn.
func answers(status int, body string, header ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		response := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
		for pair := range slices.Chunk(header, 2) {
			response.Header.Set(pair[0], pair[1])
		}
		return response, nil
	}
}

// Do answers a request to the API as the network of an execution sees it.
func (s *scene) Do(request *http.Request) (*http.Response, error) {
	s.requests = append(s.requests, request.URL.String())
	response, err := s.answers[0]()
	s.answers = s.answers[min(1, len(s.answers)-1):]
	s.api.Target, s.api.Err = request.URL, err
	if err == nil {
		response.Request = request
		s.api.Header, s.api.At = response.Header, aDay()
		s.api.TLS = aContact("").TLS
	}
	return response, err
}

func (s *scene) Forget() { s.forgot++ }

func (s *scene) Claims(context.Context) (auth.Claims, bool, error) {
	return s.claims, !s.opaque && s.noToken == nil, s.noToken
}

func (s *scene) Token(context.Context, *url.URL) (string, error) { return "token", s.noToken }

func (s *scene) Renew(context.Context, *url.URL, string) (string, error) { return "renewed", s.noToken }

// sceneNetwork is the network of a scene.
type sceneNetwork struct{ *scene }

func (n sceneNetwork) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return n.resolve(ctx, host)
}
func (n sceneNetwork) Route(target *url.URL) (Route, error) { return n.route(target) }
func (n sceneNetwork) SignIn() Contact                      { return n.signIn }
func (n sceneNetwork) API() Contact                         { return n.api }

func (s *scene) subject() Subject {
	clock := testclock.New(aDay())
	return Subject{
		Instance: s.instance, SignIn: s, Network: sceneNetwork{s}, Now: clock.Now,
		API: defender.New(defender.Options{
			Clock: clock.Clock(), API: s.instance.Cloud.API, Tokens: s, Transport: s,
			Graph: s.instance.Cloud.Graph, GraphTokens: func() (defender.TokenSource, error) { return s, s.noGraph },
		}),
		Gaps:  func(auth.Claims) []Gap { return s.gaps },
		Files: func() error { return s.files },
	}
}

// row is a check as a line of text.
func row(check Check) string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s: %s. %s", check.Check, check.Result, check.Found, check.Remedy))
}

func rows(d *Diagnosis) []string {
	var all []string
	for _, check := range d.Checks {
		all = append(all, row(check))
	}
	return all
}

func TestDiagnosisOfAnInstanceThatWorks(t *testing.T) {
	s := aScene()
	s.answers = []func() (*http.Response, error){answers(200, `{"value":[]}`, "Date", aDay().Format(http.TimeFormat), "RateLimit-Remaining", "7", "X-RateLimit-Limit", strings.Repeat("9", 200))}
	d := Diagnose(t.Context(), s.subject())
	want := []string{
		"Configuration: ok: signs in with client secret; cloud Worldwide; authority login.microsoftonline.com; API api.security.microsoft.com.",
		"DNS: authority: ok: login.microsoftonline.com is 192.0.2.1, 2001:db8::1.",
		"DNS: API: ok: api.security.microsoft.com is 192.0.2.1, 2001:db8::1.",
		"Proxy: authority: ok: none: Use system proxy settings is not selected.",
		"Proxy: API: ok: none: Use system proxy settings is not selected.",
		"TLS: authority: ok: TLS 1.3, certificate of An authority, valid until 2027-02-18.",
		"TLS: API: ok: TLS 1.3, certificate of An authority, valid until 2027-02-18.",
		"Authority: ok: login.microsoftonline.com answers.",
		"Token: ok: signed in again; application " + clientID + ", 2 application permissions.",
		"Audience: ok: https://api.securitycenter.microsoft.com, which matches the cloud.",
		"Tenant: ok: " + tenantID + ", the tenant of the instance.",
		"API: ok: api.security.microsoft.com answers.",
		"Permissions: ok: cover every command.",
		"Clock: ok: agrees with the clock of the API.",
		"Token times: ok: valid until 2026-11-20 11:00:00 UTC.",
		"Rate: ok: by its own count this run may list alerts 99 more times within the minute, out of 100; the API says Ratelimit-Remaining 7; the API says X-Ratelimit-Limit " +
			strings.Repeat("9", 120) + "…; other users of the application count as well.",
		"Files: ok: files for the War Room can be saved.",
	}
	got := rows(d)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("row %d: got\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if d.Verdict != "The sign-in works and the API answers." || d.Err() != nil || d.Failed() || d.Unreadable || !d.Known {
		t.Errorf("got %+v, want a diagnosis of what works", d)
	}
	if want := []string{"Alert.Read.All", "Machine.Read.All"}; !slices.Equal(d.Held, want) {
		t.Errorf("got the permissions %q, want %q", d.Held, want)
	}
	if want := []string{"https://api.security.microsoft.com/api/alerts?$top=1"}; !slices.Equal(s.requests, want) || s.forgot != 1 {
		t.Errorf("got the requests %q and %d forgotten tokens, want %q after a stored token was forgotten", s.requests, s.forgot, want)
	}
	if got, want := string(d.JSON()), `],"Gaps":[]}`; !strings.HasSuffix(got, want) || !strings.HasPrefix(got, `{"Checks":[{"Check":"Configuration","Result":"ok"`) {
		t.Errorf("got %s, want the checks and %s", got, want)
	}
}

// refusedSignIn is a sign-in with a secret that is no longer valid.
func refusedSignIn() error {
	return &auth.Error{Mode: params.ClientSecret, Code: "AADSTS7000222", Message: "the client secret has expired", Remedy: "create a new one"}
}

func TestFindingsOfADiagnosis(t *testing.T) {
	refuses := func(status int, code string) func() (*http.Response, error) {
		return answers(status, `{"error":{"code":"`+code+`","message":"No."}}`)
	}
	unreachable := func() (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: "https://api.example", Err: &net.OpError{Op: "dial", Err: errors.New("no route to host")}}
	}
	through := func(*url.URL) (Route, error) { return Route{Proxy: address("http://proxy.example:3128")}, nil }
	graph := func(s *scene) { s.instance.Fetch.Type = params.FetchXDRIncidents }
	for _, test := range []struct {
		name   string
		change func(s *scene)
		want   []string // some of the rows
	}{
		{"incidents are fetched from Microsoft Graph", graph, []string{
			"Configuration: ok: signs in with client secret; cloud Worldwide; authority login.microsoftonline.com; API api.security.microsoft.com; fetches Defender XDR incidents from graph.microsoft.com.",
			"DNS: API: ok: graph.microsoft.com is 192.0.2.1, 2001:db8::1.",
			"API: ok: graph.microsoft.com answers.",
			"Rate: not checked: Microsoft states no limit for reading incidents.",
		}},
		{"that Microsoft Graph answers says nothing about the audience of the API", func(s *scene) { graph(s); s.claims.Audience = "https://graph.microsoft.com" }, []string{
			"Audience: failed: https://graph.microsoft.com, which belongs to another API or another cloud. " + remedyAudience,
		}},
		{"the API accepts a token for another audience", func(s *scene) { s.claims.Audience = "https://graph.microsoft.com" }, []string{
			"Audience: warning: https://graph.microsoft.com, which belongs to another API or another cloud, but was accepted. " + remedyAudience,
		}},
		{"the API refuses a token for another audience", func(s *scene) {
			s.claims.Audience = "https://graph.microsoft.com"
			s.answers = []func() (*http.Response, error){refuses(401, "Unauthorized")}
		}, []string{
			"Audience: failed: https://graph.microsoft.com, which belongs to another API or another cloud. " + remedyAudience,
			"API: failed: The attempt to list alerts failed: Unauthorized: No (HTTP 401). " + remedyAudience,
		}},
		{"there is no token for Microsoft Graph", func(s *scene) { graph(s); s.noGraph = refusedSignIn() }, []string{
			"API: failed: there is no token for graph.microsoft.com: the client secret has expired (AADSTS7000222). Create a new one.",
			"Rate: not checked: the API was not contacted.",
			"TLS: API: not checked: graph.microsoft.com was not contacted.",
		}},
		{"the sign-in is refused", func(s *scene) { s.noToken = refusedSignIn() }, []string{
			"Authority: ok: login.microsoftonline.com answers.",
			"Token: failed: the client secret has expired (AADSTS7000222). Create a new one.",
			"Audience: not checked: there is no token.",
			"Tenant: not checked: there is no token.",
			"API: not checked: there is no token.",
			"Permissions: not checked: there is no token.",
			"Clock: ok: agrees with the clock of the authority.",
			"Token times: not checked: there is no token.",
			"Rate: not checked: the API was not contacted.",
		}},
		{"the token may not go to the API", func(s *scene) { s.noToken = errors.New("A token may not go to other.example.") }, []string{
			"Token: failed: A token may not go to other.example. Check the address of the API in the instance.",
		}},
		{"a sign-in that does not reach the authority", func(s *scene) {
			s.noToken = &auth.Error{Code: auth.CodeUnreachable, Message: "no connection", Remedy: "open the firewall"}
			s.signIn = Contact{Target: address("https://login.microsoftonline.com"), Err: errors.New("no route to host")}
		}, []string{
			"Authority: failed: login.microsoftonline.com did not answer. Open the firewall.",
			"TLS: authority: not checked: login.microsoftonline.com did not answer.",
			"Clock: not checked: no answer contained the time.",
		}},
		{"an authority that does not answer, for no reason that is known", func(s *scene) {
			s.signIn = Contact{Target: address("https://login.microsoftonline.com"), Err: errors.New("no route to host")}
		}, []string{
			"Authority: failed: login.microsoftonline.com did not answer. Check that the engine can reach this host.",
		}},
		{"a sign-in that fails before any request", func(s *scene) { s.noToken, s.signIn = refusedSignIn(), Contact{} }, []string{
			"Authority: not checked: login.microsoftonline.com was not contacted.",
		}},
		{"a token of an earlier run", func(s *scene) { s.signIn = Contact{} }, []string{
			"Authority: not checked: login.microsoftonline.com was not contacted: a stored token is used.",
			"Token: ok: stored by an earlier run; application " + clientID + ", 2 application permissions.",
			"Clock: not checked: no answer contained the time.",
		}},
		{"a token that cannot be read", func(s *scene) { s.opaque = true }, []string{
			"Token: ok: signed in again; the contents of the token cannot be read.",
			"Audience: not checked: the contents of the token cannot be read.",
			"Tenant: not checked: the contents of the token cannot be read.",
			"Permissions: not checked: the contents of the token cannot be read.",
			"Token times: not checked: the contents of the token cannot be read.",
			"API: ok: api.security.microsoft.com answers.",
		}},
		{"one delegated permission, and no name of the application", func(s *scene) {
			s.claims.Roles, s.claims.Scopes, s.claims.AppID = nil, []string{"Alert.Read"}, ""
		}, []string{
			"Token: ok: signed in again; application unknown, 1 delegated permissions.",
		}},
		{"one application permission besides delegated ones", func(s *scene) {
			s.claims.Roles, s.claims.Scopes = s.claims.Roles[:1], []string{"Alert.Read", "Machine.Read"}
		}, []string{
			"Token: ok: signed in again; application " + clientID + ", 1 application permissions.",
		}},
		{"no permissions", func(s *scene) { s.claims.Roles = nil }, []string{
			"Token: warning: signed in again; application " + clientID + ", 0 application permissions. Add permissions of WindowsDefenderATP to the application, and grant admin consent.",
		}},
		{"commands that lack permissions", func(s *scene) { s.gaps = []Gap{{"a", "A"}, {"b", "B"}} }, []string{
			"Permissions: warning: do not cover 2 commands. Grant the permissions that these commands lack, with admin consent, if the commands are needed.",
		}},
		{"a command that lacks permissions", func(s *scene) { s.gaps = []Gap{{"a", "A"}} }, []string{
			"Permissions: warning: do not cover 1 commands. Grant the permissions that these commands lack, with admin consent, if the commands are needed.",
		}},
		{"another tenant", func(s *scene) { s.instance.TenantID = "another" }, []string{
			"Tenant: failed: " + tenantID + ", but the instance names another. Check Token of the instance.",
		}},
		{"another tenant, of the user who logged in", func(s *scene) { s.instance.TenantID, s.instance.Mode = "another", params.AuthorizationCode }, []string{
			"Tenant: warning: " + tenantID + ", but the instance names another. Check Token of the instance.",
		}},
		{"the tenant of the user who logged in", func(s *scene) { s.instance.Mode = params.AuthorizationCode }, []string{
			"Tenant: ok: " + tenantID + ", the tenant of the instance.",
		}},
		{"users of any organization", func(s *scene) { s.instance.TenantID = "common" }, []string{
			"Tenant: warning: " + tenantID + "; the instance lets users of any organization log in. Put this ID in Token of the instance.",
		}},
		{"an API that is busy for longer than a run may last", func(s *scene) {
			s.answers = []func() (*http.Response, error){answers(429, ``, "Retry-After", "3600")}
		}, []string{
			"API: warning: api.security.microsoft.com answers, but does not accept requests at the moment. Try again in 3600 seconds.",
			"Rate: warning: the API refused 1 requests of this run because the application exceeded its quota; by its own count this run may list alerts 99 more times within the minute, out of 100. " +
				"Reduce the requests of whatever else uses the same application, or give it an application of its own.",
		}},
		{"an API that fails", func(s *scene) { s.answers = []func() (*http.Response, error){refuses(400, "BadRequest")} }, []string{
			"API: failed: The attempt to list alerts failed: BadRequest: No (HTTP 400).",
		}},
		{"an API that cannot be reached", func(s *scene) { s.answers = []func() (*http.Response, error){unreachable} }, []string{
			"TLS: API: not checked: api.security.microsoft.com did not answer.",
			"Clock: ok: agrees with the clock of the authority.",
		}},
		{"a clock that differs by the whole seconds that a header can tell", func(s *scene) {
			s.noToken, s.signIn.At = refusedSignIn(), aDay().Add(2900*time.Millisecond)
		}, []string{
			"Clock: ok: 2s ahead of the clock of the authority.",
		}},
		{"a host that a proxy contacts", func(s *scene) { s.instance.UseProxy, s.route = true, through }, []string{
			"DNS: authority: not checked: the proxy resolves login.microsoftonline.com.",
			"DNS: API: not checked: the proxy resolves api.security.microsoft.com.",
			"DNS: proxy: ok: proxy.example is 192.0.2.1, 2001:db8::1.",
			"Proxy: API: ok: http://proxy.example:3128.",
		}},
		{"a proxy that is an address", func(s *scene) {
			s.route = func(*url.URL) (Route, error) { return Route{Proxy: address("http://192.0.2.9:3128")}, nil }
		}, []string{
			"DNS: proxy: ok: 192.0.2.9 is already an address.",
		}},
		{"a proxy that is not known", func(s *scene) {
			s.instance.UseProxy, s.route = true, func(*url.URL) (Route, error) { return Route{}, errors.New("invalid port") }
		}, []string{
			"DNS: authority: not checked: the proxy is not known.",
			"DNS: API: not checked: the proxy is not known.",
			"Proxy: API: failed: HTTPS_PROXY in the environment is not the address of a proxy. Set it to the address of the proxy, or clear Use system proxy settings in the instance.",
		}},
		{"a host without an address", func(s *scene) {
			s.resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, &net.DNSError{IsNotFound: true} }
		}, []string{
			"DNS: API: failed: api.security.microsoft.com has no address. Check the spelling of the host in the instance, and the name servers of the engine.",
		}},
		{"a proxy that refuses the way to the API", func(s *scene) {
			s.instance.UseProxy, s.route = true, through
			s.answers = []func() (*http.Response, error){func() (*http.Response, error) {
				return nil, &gateway.ConnectError{Answer: gateway.Answer{Status: 407}, Proxy: "proxy.example:3128"}
			}}
		}, []string{
			"Proxy: authority: ok: http://proxy.example:3128.",
			"Proxy: API: failed: the proxy proxy.example:3128 refused the connection (HTTP 407: Proxy Authentication Required). Enter the credentials that the proxy expects in HTTPS_PROXY of the engine, or name the host in NO_PROXY.",
		}},
		{"a gateway that answers instead of the API", func(s *scene) {
			s.answers = []func() (*http.Response, error){answers(403, "<html><title>Blocked</title></html>", "Content-Type", "text/html")}
		}, []string{
			"Proxy: authority: ok: none: Use system proxy settings is not selected.",
			"Proxy: API: failed: none: Use system proxy settings is not selected; the answer came from a gateway on the way (HTTP 403: Blocked). " +
				"Let the administrator of the gateway allow the engine to reach the host, and check Use system proxy settings of the instance.",
		}},
		{"a gateway that answers instead of the authority", func(s *scene) {
			s.noToken = &auth.Error{Code: auth.CodeGateway, Message: "a gateway answered", Remedy: "ask its administrator"}
		}, []string{
			"Proxy: authority: failed: none: Use system proxy settings is not selected; a gateway answered. Ask its administrator.",
			"Proxy: API: ok: none: Use system proxy settings is not selected.",
			"Authority: failed: a gateway answered instead of login.microsoftonline.com. Ask its administrator.",
		}},
		{"the application of Cortex XSOAR", func(s *scene) {
			s.instance.Mode, s.instance.Proxy.URL = params.CortexApplication, "https://tokens.example"
		}, []string{
			"DNS: token proxy: ok: tokens.example is 192.0.2.1, 2001:db8::1.",
			"Token proxy: ok: tokens.example answers.",
		}},
		{"a managed identity, at its usual address", func(s *scene) { s.instance.Mode, s.signIn, s.route = params.ManagedIdentity, Contact{}, through }, []string{
			"DNS: managed identity endpoint: ok: 169.254.169.254 is already an address.",
			"Proxy: managed identity endpoint: ok: none: it is always contacted directly.",
			"TLS: managed identity endpoint: not checked: 169.254.169.254 is contacted over plain HTTP, which does not leave this machine or its host.",
		}},
		{"a managed identity, at the address of its Azure service", func(s *scene) {
			s.instance.Mode, s.signIn = params.ManagedIdentity, Contact{Target: address("http://localhost:4141/token")}
		}, []string{
			"Managed identity endpoint: ok: localhost answers.",
		}},
		{"a host and a program that cannot agree on TLS", func(s *scene) {
			s.signIn = Contact{Target: address("https://login.microsoftonline.com"), Err: &gateway.HandshakeError{Err: tls.AlertError(70)}}
		}, []string{
			"TLS: authority: failed: login.microsoftonline.com and this program could not agree on a TLS connection. " + upperFirst(gateway.HandshakeRemedy) + ".",
		}},
		{"a certificate that nobody verifies", func(s *scene) { s.instance.Insecure = true }, []string{
			"TLS: API: warning: TLS 1.3, certificate of An authority, valid until 2027-02-18, not verified. " +
				"Clear Trust any certificate (not secure) in the instance, and make the engine trust the authority that issued the certificate.",
		}},
		{"a connection without a certificate", func(s *scene) { s.signIn.TLS.PeerCertificates = nil }, []string{
			"TLS: authority: not checked: login.microsoftonline.com did not answer.",
		}},
		{"a certificate of the application that ends", func(s *scene) {
			s.instance.Certificate = &params.Certificate{Chain: []*x509.Certificate{aCertificate(0)}}
		}, []string{
			"Configuration: failed: signs in with client secret; cloud Worldwide; authority login.microsoftonline.com; API api.security.microsoft.com; the application's certificate is valid until 2026-11-20. " +
				"Create a new certificate, upload it to the application, and enter its Certificate Thumbprint and Private Key in the instance.",
		}},
		{"fields that stop a part of the instance, or work but should change", func(s *scene) {
			s.instance.Fetch.Problems = &params.Problems{List: []params.Problem{{Field: "Max", Fix: "enter a number."}}}
			s.instance.Warnings = []params.Problem{{Field: "Server URL", Fix: "leave it empty."}}
		}, []string{
			"Max: failed: no alerts are fetched, because the field needs a change. Enter a number.",
			"Server URL: warning: works, but should be changed. Leave it empty.",
		}},
		{"a folder for files that is full", func(s *scene) { s.files = errors.New("The file cannot be saved. Free some space. Or ask.") }, []string{
			"Files: failed: The file cannot be saved. Free some space. Or ask.",
		}},
		{"a secret that a service repeats", func(s *scene) {
			s.noToken = &auth.Error{Code: "X", Message: "got the secret of the test", Remedy: "replace the secret of the test"}
		}, []string{
			"Token: failed: got [redacted] (X). Replace [redacted].",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := aScene()
			test.change(s)
			got := rows(Diagnose(t.Context(), s.subject()))
			for _, want := range test.want {
				if !slices.Contains(got, want) {
					t.Errorf("got the rows\n%s\nwant one of them to be\n%s", strings.Join(got, "\n"), want)
				}
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	refuses := func(s *scene, status int) {
		s.answers = []func() (*http.Response, error){answers(status, `{"error":{"code":"Refused","message":"No."}}`)}
	}
	for _, test := range []struct {
		name              string
		change            func(s *scene)
		want              string // begins the verdict
		usable            bool
		known, unreadable bool
	}{
		{"without a token", func(s *scene) { s.noToken = refusedSignIn() }, refusedSignIn().Error(), false, false, false},
		{"without a permission for the request", func(s *scene) { refuses(s, 403) }, "The sign-in works. The attempt to list alerts failed", true, true, false},
		{"refused, with a token that cannot be read", func(s *scene) { s.opaque = true; refuses(s, 403) }, "The attempt to list alerts failed", false, false, true},
		{"refused for another reason", func(s *scene) { refuses(s, 400) }, "The attempt to list alerts failed", false, true, false},
		{"with a token that cannot be read", func(s *scene) { s.opaque = true }, "The sign-in works and the API answers.", true, false, true},
		{"with a secret in it", func(s *scene) { s.noToken = errors.New("got the secret of the test") }, "got [redacted]", false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := aScene()
			s.gaps = []Gap{{"a", "A"}}
			test.change(s)
			d := Diagnose(t.Context(), s.subject())
			if !strings.HasPrefix(d.Verdict, test.want) {
				t.Errorf("got the verdict %q, want %q", d.Verdict, test.want)
			}
			if usable := d.Err() == nil; usable != test.usable {
				t.Errorf("got the error %v, want one: %t", d.Err(), !test.usable)
			}
			if d.Known != test.known || d.Unreadable != test.unreadable || (len(d.Held) > 0) != test.known || (len(d.Gaps) > 0) != test.known {
				t.Errorf("got known %t, unreadable %t, the permissions %q and the gaps %v, want known %t, unreadable %t",
					d.Known, d.Unreadable, d.Held, d.Gaps, test.known, test.unreadable)
			}
		})
	}
}

func TestAnAttemptReadsWhatTheInstanceFetches(t *testing.T) {
	const incidents = "https://graph.microsoft.com/v1.0/security/incidents"
	for _, test := range []struct {
		name     string
		answers  []func() (*http.Response, error)
		requests []string
		hidden   bool // the alerts of an incident cannot be read
		failed   bool
	}{
		{"no incidents", []func() (*http.Response, error){answers(200, `{"value":[]}`)}, []string{incidents + "?$top=1"}, false, false},
		{
			"an incident",
			[]func() (*http.Response, error){answers(200, `{"value":[{"id":"7"}]}`), answers(200, `{"id":"7"}`)},
			[]string{incidents + "?$top=1", incidents + "/7?$expand=alerts"},
			false, false,
		},
		{
			"an incident without its alerts",
			[]func() (*http.Response, error){answers(200, `{"value":[{"id":"7"}]}`), answers(403, `{"error":{"code":"Forbidden"}}`)},
			[]string{incidents + "?$top=1", incidents + "/7?$expand=alerts"},
			true, true,
		},
		{"no permission for incidents", []func() (*http.Response, error){answers(403, `{"error":{"code":"Forbidden"}}`)}, []string{incidents + "?$top=1"}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := aScene()
			s.answers = test.answers
			err := Try(t.Context(), s, s.subject().API, params.FetchXDRIncidents)
			hidden, ok := errors.AsType[*HiddenAlertsError](err)
			if (err != nil) != test.failed || ok != test.hidden || !slices.Equal(s.requests, test.requests) || s.forgot != 1 {
				t.Errorf("got %v after the requests %q, want hidden alerts %t after %q", err, s.requests, test.hidden, test.requests)
			}
			if ok && (defender.StatusOf(hidden) != http.StatusForbidden || !strings.HasSuffix(hidden.Error(), hidden.Err.Error()) || !strings.Contains(hidden.Error(), "SecurityAlert.Read.All")) {
				t.Errorf("got %v, want the permission that is missing and the service's answer", hidden)
			}
		})
	}
}

// TestNamesAreLookedUpAtOnce has name servers that never answer: all lookups together end after one time limit.
func TestNamesAreLookedUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := aScene()
		var mu sync.Mutex
		var asked []string
		s.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			mu.Lock()
			asked = append(asked, host)
			mu.Unlock()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		// The API is contacted through a proxy, whose name is the third of the instance.
		s.route = func(target *url.URL) (Route, error) {
			if target.Hostname() == "api.security.microsoft.com" {
				return Route{Proxy: address("http://proxy.example")}, nil
			}
			return Route{}, nil
		}
		began := time.Now()
		got := rows(Diagnose(t.Context(), s.subject()))
		if took := time.Since(began); took != lookupPatience {
			t.Errorf("got an answer after %s, want one after %s", took, lookupPatience)
		}
		slices.Sort(asked)
		if want := []string{"login.microsoftonline.com", "proxy.example"}; !slices.Equal(asked, want) {
			t.Errorf("got lookups of %q, want %q", asked, want)
		}
		for _, host := range []string{"authority: failed: no name server answered for login.microsoftonline.com", "proxy: failed: no name server answered for proxy.example"} {
			if want := "DNS: " + host + ". Check that the engine can reach its name servers."; !slices.Contains(got, want) {
				t.Errorf("got %q, want %q in it", got, want)
			}
		}
	})
}
