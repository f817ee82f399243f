package defender_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/testclock"
)

// received is a request as the service saw it.
type received struct {
	Method, URI string
	Header      http.Header
	Body        string
}

// asked is the request as "METHOD target".
func (r received) asked() string { return r.Method + " " + r.URI }

// service is an API over TLS on loopback.
type service struct {
	*httptest.Server

	mu   sync.Mutex
	seen []received
}

// serve starts a service that notes every request and answers with handler. A nil handler answers with what every operation can do with.
// anyAnswer has what every operation must have.
const anyAnswer = `{"id":"1","value":[],"Results":[],"results":[]}`

func serve(t testing.TB, handler http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		s.mu.Lock()
		s.seen = append(s.seen, received{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		s.mu.Unlock()
		if handler == nil {
			answerWith(w, http.StatusOK, anyAnswer)
			return
		}
		handler(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that break a connection are part of the tests
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func answerWith(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// requests are the requests so far.
func (s *service) requests() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.seen...)
}

func (s *service) wantRequests(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	for _, request := range s.requests() {
		got = append(got, request.asked())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want the requests %q", got, want)
	}
}

// following are handlers that answer one request after another; the last one answers all that come later.
func following(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		handler := handlers[next]
		next = min(next+1, len(handlers)-1)
		mu.Unlock()
		handler(w, r)
	}
}

// status answers with an error body of the service, and with Retry-After unless that is empty.
func status(code int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		answerWith(w, code, `{"error":{"code":"Code`+strconv.Itoa(code)+`","message":"Said so.","target":"t-1"}}`)
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answerWith(w, http.StatusOK, text) }
}

// bodyWithoutLength is body without the header that says how long it is.
func bodyWithoutLength(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, text)
	}
}

// cut breaks the connection after a part of the answer.
func cut(part string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		_, _ = io.WriteString(connection, part)
	}
}

const halfAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"value\":["

func newClock() *testclock.Clock {
	return testclock.New(time.Date(2026, time.November, 20, 10, 0, 0, 0, time.UTC))
}

// tokens hands out token-1 until it is rejected, then token-2 and so on.
type tokens struct {
	mu       sync.Mutex
	number   int
	targets  []string
	rejected []string
	err      error // of Token
	renewErr error
	stubborn bool // Renew returns the rejected token again
}

func (s *tokens) Token(_ context.Context, target *url.URL) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets = append(s.targets, target.Host)
	return s.current(), s.err
}

func (s *tokens) Renew(_ context.Context, _ *url.URL, rejected string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = append(s.rejected, rejected)
	if !s.stubborn {
		s.number++
	}
	return s.current(), s.renewErr
}

func (s *tokens) current() string { return "token-" + strconv.Itoa(s.number+1) }

// world holds the options of a test's clients, with its clock and tokens.
type world struct {
	clock  *testclock.Clock
	tokens *tokens
	defender.Options
}

// at makes the options of a client of a service. A test may change them before it calls client.
func at(t testing.TB, s *service) *world {
	t.Helper()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{clock: newClock(), tokens: &tokens{}}
	w.Options = defender.Options{
		Clock: w.clock.Clock(), API: base, Tokens: w.tokens, Transport: plainClient(s, nil), Version: "9.8.7",
	}
	return w
}

func (w *world) client() *defender.Client { return defender.New(w.Options) }

// plainClient trusts the service and follows no redirect. dial, when set, makes the connections.
func plainClient(s *service, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	transport := s.Client().Transport.(*http.Transport).Clone()
	if dial != nil {
		transport.DialContext = dial
	}
	s.Config.RegisterOnShutdown(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// refusing refuses the first connections and makes the others.
func refusing(first int) func(ctx context.Context, network, address string) (net.Conn, error) {
	var mu sync.Mutex
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		first--
		refused := first >= 0
		mu.Unlock()
		if refused {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// counted are the requests by outcome, such as "Successful 1, QuotaError 2".
func counted(metrics *defender.Metrics) string {
	var parts []string
	metrics.Each(func(outcome defender.Outcome, requests int) {
		parts = append(parts, outcome.String()+" "+strconv.Itoa(requests))
	})
	return strings.Join(parts, ", ")
}

// as finds an error of a type, or ends the test.
func as[E error](t testing.TB, err error) E {
	t.Helper()
	found, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %T: %v, want a %T", err, err, found)
	}
	return found
}
