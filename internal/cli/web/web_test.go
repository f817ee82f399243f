package web_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"xsoar-defender/internal/cli/web"
)

// desk is a desk with one command that echoes, one that executes, and one that waits until it is stopped.
type desk struct {
	simulated bool
	ran       chan string
	incidents []web.Incident
	opened    *opened
}

func (d *desk) About() web.About {
	return web.About{Instance: "prod", Tenant: "api.contoso.example", Simulated: d.simulated}
}

func (d *desk) Commands() []web.Command {
	return []web.Command{{Name: "echo", Arguments: []web.Argument{}}}
}

func (d *desk) Understand(line string) (web.Call, error) {
	if line == "nonsense" {
		return web.Call{}, errors.New("there is no command nonsense")
	}
	return web.Call{Line: line, Executes: line == "isolate", Run: func(ctx context.Context, told *web.Telling) {
		d.ran <- line
		if line == "wait" {
			told.Waiting("wait", time.Unix(1_000_000_000, 0), 1, 3)
			<-ctx.Done()
			return
		}
		told.Entries([]web.Entry{
			{Kind: "note", Markdown: "| <b> |"},
			{Kind: "file", File: &web.File{Name: "../a b.gz", Open: d.open}},
		})
		told.ContextChanged()
	}}, nil
}

// open opens the file of an entry once; then it is gone.
func (d *desk) open() (io.ReadCloser, error) {
	if d.opened != nil {
		return nil, errors.New("no such file")
	}
	d.opened = &opened{Reader: strings.NewReader("bytes")}
	return d.opened, nil
}

type opened struct {
	io.Reader

	closed atomic.Bool
}

func (o *opened) Close() error {
	o.closed.Store(true)
	return nil
}

func (d *desk) Complete(_ context.Context, command, argument, typed string) []web.Completion {
	return []web.Completion{{Value: command + " " + argument + " " + typed}}
}

func (d *desk) Fetch(_ context.Context, told *web.Telling) {
	d.incidents = []web.Incident{{ID: "a/1", Name: "Alert", Fields: json.RawMessage(`{"id":"a/1"}`)}}
	told.IncidentsChanged()
}

func (d *desk) Mirror(_ context.Context, told *web.Telling) { told.Mirrored("%d changes", 2) }

func (d *desk) CloseIncident(_ context.Context, id string, _ *web.Telling) error {
	return fmt.Errorf("closed %s", id)
}

func (d *desk) Incidents() []web.Incident { return d.incidents }

func (d *desk) Context() json.RawMessage { return json.RawMessage(`{"a":1}`) }

func (d *desk) Portal() json.RawMessage { return nil }

// counting is a source of randomness in which each byte has a value of its own.
type counting struct{ next byte }

func (c *counting) Read(into []byte) (int, error) {
	for i := range into {
		c.next++
		into[i] = c.next
	}
	return len(into), nil
}

// visitor is a browser, or whatever else asks the page.
type visitor struct {
	t       *testing.T
	address *url.URL // that opens the page
	client  *http.Client
	end     func() // ends the server
}

// serve serves a page for the time of the test.
func serve(t *testing.T, of *desk) *visitor {
	t.Helper()
	of.ran = make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- web.Serve(ctx, web.Options{
			Desk: of, Now: func() time.Time { return time.Unix(1_000_000_000, 0) }, Random: &counting{}, Ready: func(address string) { ready <- address },
		})
	}()
	end := func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v, want no error", err)
		}
	}
	t.Cleanup(end)
	select {
	case address := <-ready:
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		browser := newVisitor(t, parsed)
		browser.end = end
		return browser
	case err := <-ended:
		t.Fatalf("the server did not start: %v", err)
		return nil
	}
}

func newVisitor(t *testing.T, address *url.URL) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, address: address, client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout: 10 * time.Second, // an event that never comes fails the test that waits for it
	}}
}

// ask sends a request, changed by the functions, and returns the answer with its body read.
func (v *visitor) ask(method, path, body string, change ...func(*http.Request)) (*http.Response, string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.address.Host+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, one := range change {
		one(request)
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response, string(text)
}

// enter opens the page with the address that the terminal shows.
func (v *visitor) enter() *visitor {
	v.t.Helper()
	if response, body := v.ask(http.MethodGet, "/?"+v.address.RawQuery, ""); response.StatusCode != http.StatusSeeOther {
		v.t.Fatalf("got %d %s for the address of the terminal, want a redirect", response.StatusCode, body)
	}
	return v
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// TestThePageIsForOneBrowserOfThisMachine sends what other pages, programs and users of the machine could send.
func TestThePageIsForOneBrowserOfThisMachine(t *testing.T) {
	d := &desk{}
	browser := serve(t, d)
	if response, _ := browser.ask(http.MethodGet, "/api/about", ""); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d before the address was opened, want 401", response.StatusCode)
	}
	if response, _ := browser.ask(http.MethodGet, "/?token=wrong", ""); response.StatusCode != http.StatusUnauthorized || response.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %d and cookie %q for a wrong token, want 401 and none", response.StatusCode, response.Header.Get("Set-Cookie"))
	}
	response, _ := browser.ask(http.MethodGet, "/?"+browser.address.RawQuery, "")
	cookie := response.Header.Get("Set-Cookie")
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "/" {
		t.Errorf("got %d to %q for the token, want 303 to /", response.StatusCode, response.Header.Get("Location"))
	}
	drawn := make([]byte, 64) // the token, and then the value of the cookie
	if _, err := new(counting).Read(drawn); err != nil {
		t.Fatal(err)
	}
	session := "xsoar-defender-" + browser.address.Port() + "=" + base64.RawURLEncoding.EncodeToString(drawn[32:]) + ";"
	for _, want := range []string{"HttpOnly", "SameSite=Strict", session} {
		if !strings.Contains(cookie, want) {
			t.Errorf("got the cookie %q, want it to hold %q", cookie, want)
		}
	}
	if token := browser.address.Query().Get("token"); strings.Contains(cookie, token) {
		t.Errorf("the cookie %q holds the token, which remains in the history of the browser", cookie)
	}
	other := newVisitor(t, browser.address)
	if response, _ := other.ask(http.MethodGet, "/?"+browser.address.RawQuery, ""); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d for the token a second time, want 401", response.StatusCode)
	}
	if response, _ := browser.ask(http.MethodGet, "/?"+browser.address.RawQuery, ""); response.StatusCode != http.StatusSeeOther {
		t.Errorf("got %d for the token from the browser's own history, want 303", response.StatusCode)
	}
	const run = `{"line":"isolate","confirmed":true}`
	for name, test := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		want               int
	}{
		"a name that was rebound to this machine": {http.MethodPost, "/api/run", run, func(r *http.Request) { r.Host = "evil.example:" + browser.address.Port() }, http.StatusMisdirectedRequest},
		"the host without its port":               {http.MethodPost, "/api/run", run, func(r *http.Request) { r.Host = "127.0.0.1" }, http.StatusMisdirectedRequest},
		"a form of another page":                  {http.MethodPost, "/api/run", run, header("Origin", "https://evil.example"), http.StatusForbidden},
		"a page on another port":                  {http.MethodPost, "/api/run", run, header("Origin", "http://127.0.0.1:1"), http.StatusForbidden},
		"a page without an origin":                {http.MethodPost, "/api/run", run, header("Origin", "null"), http.StatusForbidden},
		"a request from another site":             {http.MethodPost, "/api/run", run, header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		"a request from the same site":            {http.MethodPost, "/api/run", run, header("Sec-Fetch-Site", "same-site"), http.StatusForbidden},
		"reading by another site":                 {http.MethodGet, "/api/context", "", header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		"embedding by another site":               {http.MethodGet, "/room.js", "", header("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		"reading with another origin":             {http.MethodGet, "/api/context", "", header("Origin", "http://evil.example"), http.StatusForbidden},
		"a form's content type":                   {http.MethodPost, "/api/run", run, header("Content-Type", "text/plain"), http.StatusUnsupportedMediaType},
		"no cookie":                               {http.MethodPost, "/api/run", run, header("Cookie", ""), http.StatusUnauthorized},
		"another method":                          {http.MethodGet, "/api/run", "", header("Accept", "*/*"), http.StatusMethodNotAllowed},
		"a body that is too large":                {http.MethodPost, "/api/run", `{"line":"` + strings.Repeat("a", 2<<20) + `"}`, header("Accept", "*/*"), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			from := browser
			if name == "no cookie" {
				from = other
			}
			if response, body := from.ask(test.method, test.path, test.body, test.change); response.StatusCode != test.want {
				t.Errorf("got %d %s, want %d", response.StatusCode, body, test.want)
			}
		})
	}
	select {
	case line := <-d.ran:
		t.Errorf("%s was run, want nothing", line)
	default:
	}
}

// TestTheScriptIsAScriptWhateverTheSystemThinks has a system that takes scripts for text, as some registries of Windows do.
func TestTheScriptIsAScriptWhateverTheSystemThinks(t *testing.T) {
	usual := mime.TypeByExtension(".js")
	t.Cleanup(func() {
		if err := mime.AddExtensionType(".js", usual); err != nil {
			t.Error(err)
		}
	})
	if err := mime.AddExtensionType(".js", "text/plain"); err != nil {
		t.Fatal(err)
	}
	response, _ := serve(t, &desk{}).enter().ask(http.MethodGet, "/room.js", "")
	if got, want := response.Header.Get("Content-Type"), "text/javascript; charset=utf-8"; got != want {
		t.Errorf("got the type %q, want %q", got, want)
	}
}

// TestThePageLoadsNothingFromElsewhere looks at the policy that browsers are given, and at what the page names.
func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	browser := serve(t, &desk{}).enter()
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/room.css": "text/css; charset=utf-8", "/room.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml",
		"/markdown-it/markdown-it.umd.min.js": "text/javascript; charset=utf-8", "/api/about": "application/json",
	} {
		response, body := browser.ask(http.MethodGet, path, "")
		if response.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: got %d with %d bytes, want 200 and some", path, response.StatusCode, len(body))
		}
		if got := response.Header.Get("Content-Type"); got != kind { // which the browser must not guess
			t.Errorf("%s: got the type %q, want %q", path, got, kind)
		}
		policy := response.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: got the policy %q, want %s in it", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: got the policy %q, want nothing unsafe in it", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", path, name, got, want)
			}
		}
	}
	_, body := browser.ask(http.MethodGet, "/", "")
	for _, inline := range []string{"<script>", "style=", "onclick", "http://", "https://"} {
		if strings.Contains(body, inline) {
			t.Errorf("the page has %q, which its policy forbids", inline)
		}
	}
}

// TestWhatExecutesIsConfirmedOnARealTenant holds whatever the page itself does.
func TestWhatExecutesIsConfirmedOnARealTenant(t *testing.T) {
	for _, test := range []struct {
		name      string
		simulated bool
		line      string
		confirmed bool
		want      int
	}{
		{"a real tenant asks", false, "isolate", false, http.StatusConflict},
		{"and runs what was confirmed", false, "isolate", true, http.StatusAccepted},
		{"a command that only reads runs", false, "echo", false, http.StatusAccepted},
		{"a simulated tenant does not ask", true, "isolate", false, http.StatusAccepted},
		{"a line that is not understood is refused", false, "nonsense", true, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &desk{simulated: test.simulated}
			browser := serve(t, d).enter()
			response, body := browser.ask(http.MethodPost, "/api/run", fmt.Sprintf(`{"line":%q,"confirmed":%t}`, test.line, test.confirmed))
			if response.StatusCode != test.want {
				t.Fatalf("got %d %s, want %d", response.StatusCode, body, test.want)
			}
			if test.want == http.StatusConflict && !strings.Contains(body, "api.contoso.example") {
				t.Errorf("got %s, want it to name the tenant", body)
			}
			if test.want == http.StatusAccepted {
				if got := <-d.ran; got != test.line {
					t.Errorf("got %q run, want %q", got, test.line)
				}
			}
		})
	}
}

// follow reads events until one of a kind comes, and returns all.
func (v *visitor) follow(kind, since string) []string {
	v.t.Helper()
	return v.events(since)(kind)
}

// events asks for the events after one. What it returns reads on until one of a kind comes.
func (v *visitor) events(since string) (follow func(kind string) []string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, "http://"+v.address.Host+"/api/events", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", since)
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { response.Body.Close() })
	if got, want := response.Header.Get("Content-Type"), "text/event-stream"; got != want { // a browser takes no other
		v.t.Errorf("got events of the type %q, want %q", got, want)
	}
	lines := bufio.NewScanner(response.Body)
	return func(kind string) (events []string) {
		v.t.Helper()
		for lines.Scan() {
			name, is := strings.CutPrefix(lines.Text(), "event: ")
			if !is {
				continue
			}
			lines.Scan()
			events = append(events, name+" "+strings.TrimPrefix(lines.Text(), "data: "))
			if name == kind {
				return events
			}
		}
		v.t.Fatalf("the events ended with %q before %s came", events, kind)
		return nil
	}
}

// TestThePageIsToldEverythingInOrder follows a call, again after a reload, and from where a connection was lost.
func TestThePageIsToldEverythingInOrder(t *testing.T) {
	browser := serve(t, &desk{simulated: true}).enter()
	browser.ask(http.MethodPost, "/api/run", `{"line":"echo"}`)
	const at = `"at":"2001-09-09T01:46:40Z"`
	want := []string{
		`call {` + at + `,"call":1,"line":"echo"}`,
		`entries {` + at + `,"call":1,"entries":[{"kind":"note","markdown":"| \u003cb\u003e |"},{"kind":"file","file":{"name":"../a b.gz","size":0,"sha256":"","id":"1"}}]}`,
		`context {"call":1}`,
		`ended {` + at + `,"call":1}`,
	}
	for _, since := range []string{"", "0", "1", "3"} {
		from := 0
		if since != "" {
			from = int(since[0] - '0')
		}
		if got := browser.follow("ended", since); strings.Join(got, "\n") != strings.Join(want[from:], "\n") {
			t.Errorf("since %q: got\n%s\nwant\n%s", since, strings.Join(got, "\n"), strings.Join(want[from:], "\n"))
		}
	}
}

// TestThePageIsToldWhatHappensLater reads on in one answer: a browser asks for another only after some seconds.
func TestThePageIsToldWhatHappensLater(t *testing.T) {
	browser := serve(t, &desk{simulated: true}).enter()
	follow := browser.events("")
	for call := 1; call <= 2; call++ {
		browser.ask(http.MethodPost, "/api/run", `{"line":"echo"}`)
		events := follow("ended")
		if want := fmt.Sprintf(`ended {"at":"2001-09-09T01:46:40Z","call":%d}`, call); events[len(events)-1] != want {
			t.Errorf("got %s, want %s", events[len(events)-1], want)
		}
	}
}

func TestTheEventsEndWithTheServer(t *testing.T) {
	browser := serve(t, &desk{simulated: true}).enter()
	response, err := browser.client.Get("http://" + browser.address.Host + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	browser.end()
	if text, err := io.ReadAll(response.Body); err != nil || len(text) > 0 {
		t.Errorf("got %q, %v; want the events to end, and not to be cut off", text, err)
	}
}

func TestADownloadIsSavedAndNotShown(t *testing.T) {
	d := &desk{simulated: true}
	browser := serve(t, d).enter()
	browser.ask(http.MethodPost, "/api/run", `{"line":"echo"}`)
	browser.follow("ended", "")
	response, body := browser.ask(http.MethodGet, "/files/1", "")
	if body != "bytes" || response.Header.Get("Content-Type") != "application/octet-stream" || response.Header.Get("Content-Disposition") != `attachment; filename="a b.gz"` {
		t.Errorf("got %q as %q with %q, want the bytes to save as a b.gz", body, response.Header.Get("Content-Type"), response.Header.Get("Content-Disposition"))
	}
	if got, want := response.Header.Get("Content-Security-Policy"), "default-src 'none'; sandbox"; got != want {
		t.Errorf("got the policy %q for a file, want %q", got, want)
	}
	if !d.opened.closed.Load() {
		t.Error("the file is open after it was sent, want it closed")
	}
	if response, body := browser.ask(http.MethodGet, "/files/1", ""); response.StatusCode != http.StatusNotFound || body != `{"error":"The file is no longer where it was saved."}` {
		t.Errorf("got %d %s for a file that is gone, want 404 and why", response.StatusCode, body)
	}
	for _, path := range []string{"/files/2", "/files/..%2f..%2fetc", "/files/"} {
		if response, _ := browser.ask(http.MethodGet, path, ""); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, response.StatusCode)
		}
	}
}

func TestAWaitCanBeStopped(t *testing.T) {
	browser := serve(t, &desk{simulated: true}).enter()
	browser.ask(http.MethodPost, "/api/run", `{"line":"wait"}`)
	events := browser.follow("waiting", "")
	if want := `waiting {"all":3,"call":1,"command":"wait","done":1,"due":"2001-09-09T01:46:40Z"}`; events[len(events)-1] != want {
		t.Errorf("got %s, want %s", events[len(events)-1], want)
	}
	if response, body := browser.ask(http.MethodPost, "/api/stop", `{"call":1}`); response.StatusCode != http.StatusOK || body != "{}" {
		t.Errorf("got %d %s, want 200 and {}", response.StatusCode, body)
	}
	browser.follow("ended", "")
	if response, _ := browser.ask(http.MethodPost, "/api/stop", `{"call":1}`); response.StatusCode != http.StatusNotFound {
		t.Errorf("got %d for a call that has ended, want 404", response.StatusCode)
	}
}

func TestIncidentsArriveMirrorAndClose(t *testing.T) {
	browser := serve(t, &desk{simulated: true}).enter()
	browser.ask(http.MethodPost, "/api/fetch", `{}`)
	if events := browser.follow("ended", ""); !slices.Contains(events, `incidents {"call":1}`) {
		t.Errorf("got %q, want that there are other incidents", events)
	}
	if _, body := browser.ask(http.MethodGet, "/api/incidents", ""); !strings.Contains(body, `"id":"a/1"`) {
		t.Errorf("got the incidents %s, want a/1", body)
	}
	browser.ask(http.MethodPost, "/api/mirror", `{}`)
	if events := browser.follow("mirrored", ""); !strings.Contains(events[len(events)-1], `"text":"2 changes"`) {
		t.Errorf("got %s, want 2 changes", events[len(events)-1])
	}
	browser.ask(http.MethodPost, "/api/incidents/a%2f1/close", `{}`)
	if events := browser.follow("entries", ""); !strings.Contains(events[len(events)-1], `closed a/1`) {
		t.Errorf("got %s, want the answer of the desk for a/1", events[len(events)-1])
	}
}

// TestAnIncidentOfARealTenantIsClosedOnceConfirmed holds because mirroring takes the close to the tenant.
func TestAnIncidentOfARealTenantIsClosedOnceConfirmed(t *testing.T) {
	browser := serve(t, &desk{}).enter()
	if response, body := browser.ask(http.MethodPost, "/api/incidents/1/close", `{}`); response.StatusCode != http.StatusConflict {
		t.Errorf("got %d %s, want it to be confirmed first", response.StatusCode, body)
	}
	if response, body := browser.ask(http.MethodPost, "/api/incidents/1/close", `{"confirmed":true}`); response.StatusCode != http.StatusAccepted {
		t.Errorf("got %d %s, want it to begin", response.StatusCode, body)
	}
}

func TestCompletionAsksTheDesk(t *testing.T) {
	_, body := serve(t, &desk{}).enter().ask(http.MethodPost, "/api/complete", `{"command":"c","argument":"a","typed":"t"}`)
	if want := `[{"value":"c a t","help":""}]`; body != want {
		t.Errorf("got %s, want %s", body, want)
	}
}

// TestThePageOpensFromWhereverItsAddressIsClicked has the ways in which a browser comes to the page.
func TestThePageOpensFromWhereverItsAddressIsClicked(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"typed":                        header("Sec-Fetch-Site", "none"),
		"a link in another page":       header("Sec-Fetch-Site", "cross-site"),
		"by the other name":            func(r *http.Request) { r.Host = "LOCALHOST:" + r.URL.Port() },
		"from the page":                header("Sec-Fetch-Site", "same-origin"),
		"with the origin of the page":  func(r *http.Request) { r.Header.Set("Origin", "http://"+r.URL.Host) },
		"with the origin by its other": func(r *http.Request) { r.Header.Set("Origin", "http://localhost:"+r.URL.Port()) },
	} {
		browser := serve(t, &desk{})
		response, body := browser.ask(http.MethodGet, "/?"+browser.address.RawQuery, "", change)
		if response.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: got %d %s, want a redirect", name, response.StatusCode, body)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if got := response.Header.Get(header); got != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
	}
}

// TestALinkWithTheTokenLeadsToThePageAlone has requests of another site that carry the token and ask for more.
func TestALinkWithTheTokenLeadsToThePageAlone(t *testing.T) {
	browser := serve(t, &desk{})
	for _, test := range []struct{ method, path string }{{http.MethodPost, "/"}, {http.MethodHead, "/"}, {http.MethodGet, "/api/context"}} {
		response, _ := browser.ask(test.method, test.path+"?"+browser.address.RawQuery, "", header("Sec-Fetch-Site", "cross-site"))
		if response.StatusCode != http.StatusForbidden || response.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: got %d, want 403", test.method, test.path, response.StatusCode)
		}
	}
	if response, _ := browser.ask(http.MethodGet, "/api/context?"+browser.address.RawQuery, ""); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d for the token with another path, want 401", response.StatusCode)
	}
}

func TestRefusalsOfThePage(t *testing.T) {
	browser := serve(t, &desk{simulated: true}).enter()
	for _, test := range []struct {
		path, body, want string
		status           int
	}{
		{"/api/run", `{"line":"nonsense"}`, `{"error":"there is no command nonsense"}`, http.StatusBadRequest},
		{"/api/run", `{`, `{"error":"the body is not the JSON that is expected"}`, http.StatusBadRequest},
		{"/api/stop", `{"call":7}`, `{"error":"This command has ended already."}`, http.StatusNotFound},
		{"/api/stop", `[]`, `{"error":"the body is not the JSON that is expected"}`, http.StatusBadRequest},
		{"/api/complete", `[]`, `{"error":"the body is not the JSON that is expected"}`, http.StatusBadRequest},
		{"/api/incidents/1/close", `[]`, `{"error":"the body is not the JSON that is expected"}`, http.StatusBadRequest},
	} {
		if response, body := browser.ask(http.MethodPost, test.path, test.body); response.StatusCode != test.status || body != test.want {
			t.Errorf("%s %s: got %d %s, want %d %s", test.path, test.body, response.StatusCode, body, test.status, test.want)
		}
	}
}

func TestThePageShowsWhatTheDeskHas(t *testing.T) {
	browser := serve(t, &desk{}).enter()
	for path, want := range map[string]string{
		"/api/about":   `{"instance":"prod","tenant":"api.contoso.example","simulated":false,"commands":[{"name":"echo","help":"","arguments":[]}]}`,
		"/api/context": `{"a":1}`, "/api/portal": "null", "/api/incidents": "null",
	} {
		response, body := browser.ask(http.MethodGet, path, "")
		if body != want || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %s %s, want %s as JSON", path, response.Header.Get("Content-Type"), body, want)
		}
	}
}

// TestAPageThatCannotBeServedSaysWhy has a port that is taken, and a machine without randomness.
func TestAPageThatCannotBeServedSaysWhy(t *testing.T) {
	taken, err := strconv.Atoi(serve(t, &desk{}).address.Port())
	if err != nil {
		t.Fatal(err)
	}
	for want, options := range map[string]web.Options{
		"listening for the browser: ":    {Port: taken, Random: &counting{}},
		"drawing the token of the page:": {Random: strings.NewReader("too short")},
	} {
		options.Desk, options.Ready = &desk{}, func(address string) { t.Errorf("got the address %s, want none", address) }
		if err := web.Serve(t.Context(), options); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want an error that begins with %q", err, want)
		}
	}
}
