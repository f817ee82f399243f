package loopback_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"xsoar-defender/internal/cli/loopback"
	"xsoar-defender/internal/cli/loopback/loopbacktest"
)

// state is that of the login that is waited for.
const state = "the-state"

func listen(t *testing.T, uri string) *loopback.Receiver {
	t.Helper()
	receiver, err := loopback.Listen(t.Context(), uri, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := receiver.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return receiver
}

// shown is an answer as a browser gets it.
type shown struct {
	status int
	header http.Header
	page   string
	err    error
}

func request(t *testing.T, method, address string) shown {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return shown{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return shown{response.StatusCode, response.Header, string(text), err}
}

// finish has the browser bring the answer, and shows it a page.
func finish(t *testing.T, receiver *loopback.Receiver, address string, page loopback.Page) (query string, got shown) {
	t.Helper()
	come := make(chan shown, 1)
	go func() { come <- request(t, http.MethodGet, address) }()
	answer, err := receiver.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer.Show(page)
	return answer.Query, <-come
}

func TestTheAnswerIsTakenAndShownAPage(t *testing.T) {
	t.Parallel()
	done := loopback.Page{Title: "Done", Text: "You have logged in."}
	for name, path := range map[string]string{
		"a path": "/callback", "no path": "", "an escaped path": "/my%2Fapp", "a query of its own": "/callback?x=y",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri := strings.TrimSuffix(loopbacktest.URI(t), "/callback") + path
			receiver := listen(t, uri)
			between := "?"
			if strings.Contains(uri, "?") {
				between = "&"
			}
			query, got := finish(t, receiver, uri+between+"code=1.A%2Fb&state="+state, done)
			if want := "code=1.A%2Fb&state=" + state; !strings.HasSuffix(query, want) {
				t.Errorf("the query is %q, want %q", query, want)
			}
			if got.err != nil || got.status != http.StatusOK || !strings.Contains(got.page, done.Text) {
				t.Errorf("the browser gets %d %q, %v, want the page", got.status, got.page, got.err)
			}
		})
	}
}

func TestTheAddressesOfLocalhostAreBothListenedAt(t *testing.T) {
	t.Parallel()
	uri := loopbacktest.URI(t)
	listen(t, uri)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		if probe, err := net.Listen("tcp", host+":0"); err != nil {
			t.Logf("this machine has no %s", host)
			continue
		} else if err := probe.Close(); err != nil {
			t.Fatal(err)
		}
		got := request(t, http.MethodGet, strings.Replace(uri, "localhost", host, 1))
		if got.err != nil || got.status != http.StatusBadRequest {
			t.Errorf("at %s the browser gets %d, %v, want 400", host, got.status, got.err)
		}
	}
}

// TestAPortThatIsHalfTakenIsGivenBack has a program at one address of localhost: the other must not stay taken.
func TestAPortThatIsHalfTakenIsGivenBack(t *testing.T) {
	t.Parallel()
	uri := loopbacktest.URI(t)
	address, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", net.JoinHostPort("::1", address.Port()))
	if err != nil {
		t.Logf("this machine has no ::1: %v", err)
		return
	}
	defer other.Close()
	if _, err := loopback.Listen(t.Context(), uri, state); err == nil {
		t.Errorf("got a receiver at %s, want an error", uri)
	}
	again, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", address.Port()))
	if err != nil {
		t.Fatalf("got %v, want 127.0.0.1 free again", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestOnlyTheAnswerOfTheLoginEndsIt sends what others could, and then the answer.
func TestOnlyTheAnswerOfTheLoginEndsIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		status             int
	}{
		{"no state", http.MethodGet, "/callback?code=1", http.StatusBadRequest},
		{"an empty state", http.MethodGet, "/callback?code=1&state=", http.StatusBadRequest},
		{"the state of another login", http.MethodGet, "/callback?code=1&state=other", http.StatusBadRequest},
		{"the beginning of the state", http.MethodGet, "/callback?code=1&state=the", http.StatusBadRequest},
		{"the state as the second one", http.MethodGet, "/callback?code=1&state=other&state=" + state, http.StatusBadRequest},
		{"an error of another login", http.MethodGet, "/callback?error=access_denied&state=other", http.StatusBadRequest},
		{"neither code nor error", http.MethodGet, "/callback?state=" + state, http.StatusBadRequest},
		{"an empty code", http.MethodGet, "/callback?code=&state=" + state, http.StatusBadRequest},
		{"nothing", http.MethodGet, "/callback", http.StatusBadRequest},
		{"a POST", http.MethodPost, "/callback?code=1&state=" + state, http.StatusNotFound},
		{"a HEAD", http.MethodHead, "/callback?code=1&state=" + state, http.StatusNotFound},
		{"another path", http.MethodGet, "/favicon.ico", http.StatusNotFound},
		{"another path with the answer", http.MethodGet, "/?code=1&state=" + state, http.StatusNotFound},
		{"a longer path", http.MethodGet, "/callback/?code=1&state=" + state, http.StatusNotFound},
		{"a path in other letters", http.MethodGet, "/Callback?code=1&state=" + state, http.StatusNotFound},
		{"a path that leads back", http.MethodGet, "/x/../callback?code=1&state=" + state, http.StatusNotFound},
		{"a huge query", http.MethodGet, "/callback?state=" + state + "&code=" + strings.Repeat("x", 1<<20), http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			uri := loopbacktest.URI(t)
			receiver := listen(t, uri)
			base := strings.TrimSuffix(uri, "/callback")
			got := request(t, test.method, base+test.path)
			// The server may have hung up before the whole of a huge request was sent.
			if huge := test.status == http.StatusRequestHeaderFieldsTooLarge; got.status != test.status && (!huge || got.err == nil) {
				t.Errorf("the browser gets %d, %v, want %d", got.status, got.err, test.status)
			}
			query, last := finish(t, receiver, uri+"?code=right&state="+state, loopback.Page{})
			if want := "code=right&state=" + state; query != want || last.status != http.StatusOK {
				t.Errorf("afterwards the answer is %q with %d, want %q with 200", query, last.status, want)
			}
		})
	}
}

func TestASecondAnswerIsNotTaken(t *testing.T) {
	t.Parallel()
	uri := loopbacktest.URI(t)
	receiver := listen(t, uri)
	finish(t, receiver, uri+"?code=first&state="+state, loopback.Page{})
	if got := request(t, http.MethodGet, uri+"?code=second&state="+state); got.status != http.StatusBadRequest {
		t.Errorf("the second answer gets %d, want 400", got.status)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("nothing came"))
	if answer, err := receiver.Receive(ended); err == nil {
		t.Errorf("a second answer came: %q", answer.Query)
	}
}

// TestPagesShowTextsAsTexts looks at a page whose texts come from somewhere else.
func TestPagesShowTextsAsTexts(t *testing.T) {
	t.Parallel()
	uri := loopbacktest.URI(t)
	receiver := listen(t, uri)
	const hostile = `</p><script>alert(1)</script><img src=x onerror="alert(2)">'`
	_, got := finish(t, receiver, uri+"?error=x&state="+state, loopback.Page{Title: hostile, Text: hostile, Failed: true})
	if got.status != http.StatusBadRequest {
		t.Errorf("the status is %d, want 400", got.status)
	}
	if strings.Contains(got.page, "<script") || strings.Contains(got.page, "<img") || strings.Contains(got.page, state) {
		t.Errorf("the page is\n%s\nwant the texts escaped, and nothing of the request", got.page)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
}

func TestABrowserThatLeavesKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	uri := loopbacktest.URI(t)
	receiver := listen(t, uri)
	address, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	browser, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := browser.Write([]byte("GET /callback?code=1&state=" + state + " HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := receiver.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := browser.Close(); err != nil {
		t.Fatal(err)
	}
	answer.Show(loopback.Page{})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	receiver := listen(t, loopbacktest.URI(t))
	enough := errors.New("enough")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	if _, err := receiver.Receive(ended); !errors.Is(err, enough) {
		t.Errorf("got %v, want the reason of the end", err)
	}
}

func TestWhereNobodyCanWait(t *testing.T) {
	t.Parallel()
	taken := loopbacktest.URI(t)
	listen(t, taken)
	for _, test := range []struct {
		name, uri string
		want      error
	}{
		{"another machine", "http://contoso.example/callback", loopback.ErrElsewhere},
		{"another machine with https", "https://contoso.example/callback", loopback.ErrElsewhere},
		{"a name that only begins like this machine", "http://localhost.contoso.example/", loopback.ErrElsewhere},
		{"every address of this machine", "http://0.0.0.0:8400/", loopback.ErrElsewhere},
		{"this machine with https", "https://localhost/myapp", loopback.ErrNeedsTLS},
		{"this machine's address with https", "https://127.0.0.1:8400/", loopback.ErrNeedsTLS},
		{"a scheme of its own", "xsoar://localhost/", loopback.ErrNeedsTLS},
		{"no address", "http://%zz/", loopback.ErrElsewhere},
		{"any port", "http://localhost:0/", nil},
		{"a port that is taken", taken, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := loopback.Listen(t.Context(), test.uri, state)
			own, ok := errors.AsType[*loopback.Error](err)
			if !ok || own.URI != test.uri || !strings.Contains(own.Error(), test.uri) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want an Error of %s because of %v", err, test.uri, test.want)
			}
		})
	}
}
