package defender_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/testclock"
)

// The three ways in which a request may be repeated.
func reads(ctx context.Context, c *defender.Client) error {
	_, err := c.Machine(ctx, "1")
	return err
}

func changes(ctx context.Context, c *defender.Client) error {
	_, err := c.Isolate(ctx, "1", "c", "Full")
	return err
}

func hunts(ctx context.Context, c *defender.Client) error {
	_, err := c.Hunt(ctx, "T", time.Minute)
	return err
}

// calls are the requests that tests make, by what they do.
func calls() map[string]func(context.Context, *defender.Client) error {
	return map[string]func(context.Context, *defender.Client) error{
		"read": reads, "change": changes, "hunt": hunts,
		"update": func(ctx context.Context, c *defender.Client) error {
			_, err := c.UpdateAlert(ctx, "1", defender.AlertUpdate{Status: "New"})
			return err
		},
		"delete": func(ctx context.Context, c *defender.Client) error { return c.DeleteIndicator(ctx, "1") },
	}
}

func TestWhatIsSentAgain(t *testing.T) {
	const second = time.Second
	rows := []struct {
		name   string
		answer http.HandlerFunc
		// waits are those before the second and later attempts; nil means that there is one attempt.
		read, change []time.Duration
	}{
		{"400", status(400, ""), nil, nil},
		{"403", status(403, ""), nil, nil},
		{"404", status(404, ""), nil, nil},
		{"408", status(408, ""), nil, nil},
		{"409", status(409, ""), nil, nil},
		{"500", status(500, ""), []time.Duration{second / 2, second, 2 * second}, nil},
		{"502", status(502, ""), []time.Duration{second / 2, second, 2 * second}, nil},
		{"503", status(503, ""), []time.Duration{second / 2, second, 2 * second}, nil},
		{"503 with a time", status(503, "3"), []time.Duration{3 * second, 3 * second, 3 * second}, nil},
		{"503 with no wait", status(503, "0"), []time.Duration{second / 2, second, 2 * second}, nil},
		{"503 with an invalid time", status(503, "soon"), []time.Duration{second / 2, second, 2 * second}, nil},
		{"503 with a time beyond the patience", status(503, "31"), nil, nil},
		{"504", status(504, ""), []time.Duration{second / 2, second, 2 * second}, nil},
		{"504 with a time", status(504, "3"), []time.Duration{3 * second, 3 * second, 3 * second}, nil},
		{"429", status(429, ""), []time.Duration{second / 2, second, 2 * second}, []time.Duration{second / 2, second, 2 * second}},
		{"429 with a time", status(429, "2.5"), []time.Duration{5 * second / 2, 5 * second / 2, 5 * second / 2}, []time.Duration{5 * second / 2, 5 * second / 2, 5 * second / 2}},
		{"429 with a time beyond the patience", status(429, "31"), nil, nil},
		{"the connection cut before the answer", cut(""), []time.Duration{second / 2, second, 2 * second}, nil},
		{"the connection cut in the middle of the header", cut("HTTP/1.1 200 OK\r\nContent-"), []time.Duration{second / 2, second, 2 * second}, nil},
		{"the connection cut in the middle of the body", cut(halfAnswer), []time.Duration{second / 2, second, 2 * second}, nil},
		{"no HTTP at all", cut("SSH-2.0-server\r\n"), []time.Duration{second / 2, second, 2 * second}, nil},
		{"an answer that is no JSON", body("<html>"), nil, nil},
		{"an answer that is larger than read", body(strings.Repeat(" ", 100_001)), nil, nil},
	}
	for _, row := range rows {
		for name, call := range calls() {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				api := serve(t, row.answer)
				w := at(t, api)
				w.Limits.Body = 100_000
				err := call(t.Context(), w.client())
				if err == nil {
					t.Fatal("got none, want an error")
				}
				want := row.change
				if name == "read" || name == "hunt" {
					want = row.read
				}
				if got := w.clock.Waits(); !slices.Equal(got, want) {
					t.Errorf("got %v, want the waits %v", got, want)
				}
				if got := len(api.requests()); got != len(want)+1 {
					t.Errorf("got %d, want %d requests", got, len(want)+1)
				}
			})
		}
	}
}

func TestRequestsGetThroughInTheEnd(t *testing.T) {
	rows := []struct {
		name    string
		trouble []http.HandlerFunc
		changes bool
		counted string
	}{
		{"after 429", []http.HandlerFunc{status(429, "1")}, true, "Successful 1, QuotaError 1"},
		{"after 503 with a time", []http.HandlerFunc{status(503, "1")}, false, "Successful 1, ServiceError 1"},
		{"after 502 and 504", []http.HandlerFunc{status(502, ""), status(504, "")}, false, "Successful 1, TimeoutError 1, ServiceError 1"},
		{"after a cut connection", []http.HandlerFunc{cut("")}, false, "Successful 1, ConnectionError 1"},
		{"after three different troubles", []http.HandlerFunc{cut(""), status(429, ""), status(503, "")}, false, "Successful 1, QuotaError 1, ConnectionError 1, ServiceError 1"},
	}
	for _, row := range rows {
		for name, call := range calls() {
			if !row.changes && name != "read" && name != "hunt" {
				continue
			}
			t.Run(row.name+"/"+name, func(t *testing.T) {
				api := serve(t, following(append(row.trouble, body(anyAnswer))...))
				client := at(t, api).client()
				if err := call(t.Context(), client); err != nil {
					t.Fatalf("got %v, want success", err)
				}
				if got := counted(client.Metrics()); got != row.counted {
					t.Errorf("got %q, want the counts %q", got, row.counted)
				}
				seen := api.requests()
				for _, request := range seen {
					if request.asked() != seen[0].asked() || request.Body != seen[0].Body {
						t.Errorf("got %s %q after %s %q, want the same request again", request.asked(), request.Body, seen[0].asked(), seen[0].Body)
					}
				}
			})
		}
	}
}

func TestAnAnswerThatBrokeOffIsReadAgain(t *testing.T) {
	api := serve(t, following(cut(halfAnswer), body(`{"id":"1"}`)))
	if got, err := at(t, api).client().Machine(t.Context(), "1"); err != nil || got != `{"id":"1"}` {
		t.Errorf("got %q and %v, want the second answer alone", got, err)
	}
}

// A service may answer before it has read the request, and net/http then keeps sending it next to the following one.
func TestEveryAttemptHasABodyOfItsOwn(t *testing.T) {
	codes := []int{429, 401, 200}
	var bodies []io.Reader
	clock := newClock()
	client := defender.New(defender.Options{
		Clock: clock.Clock(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{},
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			again, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			bodies = append(bodies, r.Body, again)
			answered := response(r, codes[len(bodies)/2-1], "{}")
			answered.Header.Set("Retry-After", "0")
			return answered, nil
		}),
	})
	if err := changes(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 2*len(codes) {
		t.Errorf("got %d, want %d attempts", len(bodies)/2, len(codes))
	}
	for i, body := range bodies {
		got, err := io.ReadAll(body)
		if want := `{"Comment":"c","IsolationType":"Full"}` + "\n"; err != nil || string(got) != want {
			t.Errorf("body %d: got %q and %v, want %q", i, got, err, want)
		}
	}
}

func TestAChangeIsSentAgainWhenNothingWasSent(t *testing.T) {
	for name, call := range calls() {
		t.Run(name, func(t *testing.T) {
			api := serve(t, nil)
			w := at(t, api)
			w.Transport = plainClient(api, refusing(2))
			client := w.client()
			if err := call(t.Context(), client); err != nil {
				t.Fatalf("got %v, want success", err)
			}
			if got := len(api.requests()); got != 1 {
				t.Errorf("got %d, want one request to arrive", got)
			}
			if got, want := counted(client.Metrics()), "Successful 1, ConnectionError 2"; got != want {
				t.Errorf("got %q, want the counts %q", got, want)
			}
		})
	}
}

func TestConnectionErrorsSayWhetherTheServiceMayHaveActed(t *testing.T) {
	rows := []struct {
		name   string
		dial   func(ctx context.Context, network, address string) (net.Conn, error)
		answer http.HandlerFunc
		sent   bool
		cause  error
	}{
		{"connection refused", refusing(100), nil, false, syscall.ECONNREFUSED},
		{
			"unknown host", func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "api.example", IsNotFound: true}
			}, nil, false, nil,
		},
		{"the TLS handshake broken", func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			return client, server.Close()
		}, nil, false, nil},
		{"cut before the answer", nil, cut(""), true, io.EOF},
		{"cut in the middle of the answer", nil, cut(halfAnswer), true, io.ErrUnexpectedEOF},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			api := serve(t, row.answer)
			w := at(t, api)
			w.Transport = plainClient(api, row.dial)
			err := changes(t.Context(), w.client())
			got := as[*defender.ConnectionError](t, err)
			if got.Sent != row.sent || got.Slow || row.cause != nil && !errors.Is(err, row.cause) {
				t.Errorf("got %t because of %v, want sent %t because of %v", got.Sent, got.Err, row.sent, row.cause)
			}
			if want := map[bool]int{true: 1, false: 0}[row.sent]; len(api.requests()) != want {
				t.Errorf("got %d, want %d requests to arrive", len(api.requests()), want)
			}
			if strings.Contains(err.Error(), api.URL) || strings.Contains(err.Error(), "token") {
				t.Errorf("got %q, want neither address nor token in the sentence", err)
			}
		})
	}
}

// signingIn makes a request of its own before it returns a token, as a sign-in does, with the context that it is given.
type signingIn struct {
	tokens
	client *http.Client
	url    string
}

func (s *signingIn) Token(ctx context.Context, target *url.URL) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, nil)
	if err != nil {
		return "", err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	return s.tokens.Token(ctx, target)
}

func TestTheSignInsRequestsAreNotTheServices(t *testing.T) {
	authority, api := serve(t, nil), serve(t, nil)
	w := at(t, api)
	w.Tokens = &signingIn{client: plainClient(authority, nil), url: authority.URL}
	w.Transport = plainClient(api, refusing(1))
	client := w.client()
	if err := changes(t.Context(), client); err != nil {
		t.Errorf("got %v, want the change to be sent once the service can be reached", err)
	}
	w.Transport = plainClient(api, refusing(100))
	if got := as[*defender.ConnectionError](t, changes(t.Context(), w.client())); got.Sent {
		t.Error("wanted an error that says that nothing was sent")
	}
	if got, want := counted(client.Metrics()), "Successful 1, ConnectionError 1"; got != want {
		t.Errorf("got %q, want only requests to the service to be counted, %q", got, want)
	}
}

// signInFailed is an error of a sign-in as it is: typed, with a failure of the network behind it.
type signInFailed struct{ err error }

func (e *signInFailed) Error() string { return "Sign-in failed." }

func (e *signInFailed) Unwrap() error { return e.err }

func TestSignInErrorsComeThroughUnchanged(t *testing.T) {
	network := &url.Error{Op: "Post", URL: "https://login.example", Err: syscall.ECONNREFUSED}
	for name, failure := range map[string]*signInFailed{"a refusal": {errors.New("no")}, "a failure of the network": {network}} {
		for _, renewing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/renewing %t", name, renewing), func(t *testing.T) {
				api := serve(t, status(401, ""))
				w := at(t, api)
				want, counts := 0, ""
				if renewing {
					w.tokens.renewErr = failure
					want, counts = 1, "AuthError 1"
				} else {
					w.tokens.err = failure
				}
				client := w.client()
				err := reads(t.Context(), client)
				if as[*defender.SignInError](t, err); !errors.Is(err, failure) || err.Error() != failure.Error() {
					t.Errorf("got %v, want the sign-in's own error", err)
				}
				if len(api.requests()) != want || len(w.clock.Waits()) > 0 {
					t.Errorf("got %d and %v, want %d requests and no waits", len(api.requests()), w.clock.Waits(), want)
				}
				if got := counted(client.Metrics()); got != counts {
					t.Errorf("got %q, want the counts %q", got, counts)
				}
			})
		}
	}
}

func TestARejectedTokenIsRenewedOnce(t *testing.T) {
	rows := []struct {
		name     string
		answers  []http.HandlerFunc
		stubborn bool
		tokens   []string
		status   int
		counted  string
	}{
		{"a fresh token is taken", []http.HandlerFunc{status(401, ""), body(anyAnswer)}, false, []string{"Bearer token-1", "Bearer token-2"}, 0, "Successful 1, AuthError 1"},
		{"a fresh token is rejected too", []http.HandlerFunc{status(401, "")}, false, []string{"Bearer token-1", "Bearer token-2"}, 401, "AuthError 2"},
		{"there is no other token", []http.HandlerFunc{status(401, "")}, true, []string{"Bearer token-1"}, 401, "AuthError 1"},
	}
	for _, row := range rows {
		for name, call := range calls() {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				api := serve(t, following(row.answers...))
				w := at(t, api)
				w.tokens.stubborn = row.stubborn
				client := w.client()
				err := call(t.Context(), client)
				if defender.StatusOf(err) != row.status || (err == nil) != (row.status == 0) {
					t.Errorf("got %v, want status %d", err, row.status)
				}
				var got []string
				for _, request := range api.requests() {
					got = append(got, request.Header.Get("Authorization"))
				}
				if !slices.Equal(got, row.tokens) {
					t.Errorf("got %q, want the tokens %q", got, row.tokens)
				}
				if want := []string{"token-1"}; !slices.Equal(w.tokens.rejected, want) {
					t.Errorf("got %q, want %q to be renewed", w.tokens.rejected, want)
				}
				if got := counted(client.Metrics()); got != row.counted {
					t.Errorf("got %q, want the counts %q", got, row.counted)
				}
				if seen := api.requests(); seen[0].Body != seen[len(seen)-1].Body {
					t.Errorf("got %q and %q, want the same body with every token", seen[0].Body, seen[len(seen)-1].Body)
				}
			})
		}
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := newClock().Now()
	day := 24 * time.Hour
	rows := []struct {
		header string
		want   time.Duration
	}{
		{"45", 45 * time.Second},
		{" 45 ", 45 * time.Second},
		{"45.5", 45500 * time.Millisecond},
		{now.Add(2 * time.Minute).Format(http.TimeFormat), 2 * time.Minute},
		{"1e300", day},
		{"99999999999999999999", day},
		{now.AddDate(100, 0, 0).Format(http.TimeFormat), day},
		{"+Inf", day},
		// What says nothing is answered by a minute, and so is a time that has passed.
		{now.Add(-time.Hour).Format(http.TimeFormat), time.Minute},
		{"-5", time.Minute},
		{"NaN", time.Minute},
		{"in a while", time.Minute},
	}
	for _, row := range rows {
		t.Run(row.header, func(t *testing.T) {
			w := at(t, serve(t, status(429, row.header)))
			w.Limits.Patience = time.Nanosecond
			got := as[*defender.ThrottledError](t, reads(t.Context(), w.client()))
			if got.After != row.want {
				t.Errorf("got %s, want a wait of %s", got.After, row.want)
			}
			if got.Err == nil || got.Err.Status != 429 || got.Err.Code != "Code429" {
				t.Errorf("got %v, want the refusal", got.Err)
			}
		})
	}
}

func TestNothingIsSentBeforeATimeThatIsTooFar(t *testing.T) {
	api := serve(t, following(status(429, "90"), body(`{"id":"1"}`)))
	w := at(t, api)
	client := w.client()
	first := as[*defender.ThrottledError](t, reads(t.Context(), client))
	if first.After != 90*time.Second || first.Err == nil {
		t.Errorf("got %+v, want the refusal with 90 s", first)
	}
	w.clock.Advance(30 * time.Second)
	for name, call := range calls() {
		next := as[*defender.ThrottledError](t, call(t.Context(), client))
		if next.After != 60*time.Second || next.Err != nil {
			t.Errorf("%s: got %+v, want to be sent away for the other 60 s", name, next)
		}
	}
	if got := len(api.requests()); got != 1 {
		t.Errorf("got %d, want one request", got)
	}
	w.clock.Advance(60 * time.Second)
	if err := reads(t.Context(), client); err != nil {
		t.Errorf("got %v, want the service to be asked again after the time", err)
	}
}

func TestAfterATimeThatWasTooFarThereIsPatienceAgain(t *testing.T) {
	w := at(t, serve(t, following(status(429, "90"), status(429, "5"), body(`{"id":"1"}`))))
	client := w.client()
	if err := reads(t.Context(), client); err == nil {
		t.Fatal("wanted to be sent away")
	}
	w.clock.Advance(90 * time.Second)
	if err := reads(t.Context(), client); err != nil {
		t.Errorf("got %v, want a wait of 5 s and success", err)
	}
	if got, want := w.clock.Waits(), []time.Duration{5 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("got %v, want the waits %v", got, want)
	}
}

func TestPatienceIsSharedByAllRequests(t *testing.T) {
	t.Run("for quota", func(t *testing.T) {
		w := at(t, serve(t, following(status(429, "20"), body(`{"id":"1"}`), status(429, "11"))))
		client := w.client()
		if err := reads(t.Context(), client); err != nil {
			t.Fatalf("got %v, want 20 of 30 s to be waited", err)
		}
		if got := as[*defender.ThrottledError](t, reads(t.Context(), client)); got.After != 11*time.Second {
			t.Errorf("got %+v, want 11 s more to be too much", got)
		}
	})
	t.Run("for a service in trouble", func(t *testing.T) {
		w := at(t, serve(t, following(status(503, "20"), body(`{"id":"1"}`), status(503, "11"))))
		client := w.client()
		if err := reads(t.Context(), client); err != nil {
			t.Fatalf("got %v, want 20 of 30 s to be waited", err)
		}
		if err := reads(t.Context(), client); defender.StatusOf(err) != 503 {
			t.Errorf("got %v, want the refusal, for 11 s more are too much", err)
		}
	})
}

// gate is a Sleep that reports every wait and ends it when it is opened.
type gate struct {
	*testclock.Clock
	waiting chan time.Duration
	open    chan struct{}
}

func (g gate) Sleep(ctx context.Context, wait time.Duration) error {
	g.waiting <- wait
	<-g.open
	return ctx.Err()
}

func TestAPauseIsSharedByRequestsAtOnce(t *testing.T) {
	const others = 5
	api := serve(t, following(status(429, "10"), body(`{"id":"1"}`)))
	w := at(t, api)
	gate := gate{w.clock, make(chan time.Duration), make(chan struct{})}
	w.Sleep = gate.Sleep
	client := w.client()
	failed := make(chan error, others+1)
	var group sync.WaitGroup
	ask := func() { failed <- reads(t.Context(), client) }
	group.Go(ask)
	waits := []time.Duration{<-gate.waiting}
	for range others {
		group.Go(ask)
		waits = append(waits, <-gate.waiting)
	}
	if want := slices.Repeat([]time.Duration{10 * time.Second}, others+1); !slices.Equal(waits, want) {
		t.Errorf("got %v, want all to wait for 10 s", waits)
	}
	if got := len(api.requests()); got != 1 {
		t.Errorf("got %d, want one request before the pause has passed", got)
	}
	w.clock.Advance(10 * time.Second)
	close(gate.open)
	group.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Errorf("got %v, want success after the pause", err)
		}
	}
	if got := len(api.requests()); got != others+2 {
		t.Errorf("got %d, want %d requests in all", got, others+2)
	}
}

func TestAPauseOfManyIsTakenFromThePatienceOnce(t *testing.T) {
	const atOnce = 8
	var arrived sync.WaitGroup
	arrived.Add(atOnce)
	first := func(w http.ResponseWriter, r *http.Request) {
		arrived.Done()
		arrived.Wait()
		status(429, "20")(w, r)
	}
	handlers := append(slices.Repeat([]http.HandlerFunc{first}, atOnce), body(`{"id":"1"}`))
	api := serve(t, following(handlers...))
	w := at(t, api)
	gate := gate{w.clock, make(chan time.Duration), make(chan struct{})}
	w.Sleep = gate.Sleep
	client := w.client()
	ended := make(chan error, atOnce)
	for range atOnce {
		go func() { ended <- reads(t.Context(), client) }()
	}
	early := 0
	for range atOnce {
		select {
		case wait := <-gate.waiting:
			if wait != 20*time.Second {
				t.Errorf("got %s, want a wait of 20 s", wait)
			}
		case err := <-ended:
			early++
			t.Errorf("got %v, want one pause of 20 s to do for all", err)
		}
	}
	w.clock.Advance(20 * time.Second)
	close(gate.open)
	for range atOnce - early {
		if err := <-ended; err != nil {
			t.Errorf("got %v, want success after the pause", err)
		}
	}
}

// overtaken are the answers to two requests at once: one is refused, and while it waits the other one is.
type overtaken struct {
	arrived sync.WaitGroup
	waiting chan struct{} // closed when the first one waits
}

func (o *overtaken) answers(first, second http.HandlerFunc) []http.HandlerFunc {
	o.arrived.Add(2)
	o.waiting = make(chan struct{})
	return []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) {
			o.arrived.Done()
			o.arrived.Wait()
			first(w, r)
		},
		func(w http.ResponseWriter, r *http.Request) {
			o.arrived.Done()
			<-o.waiting
			second(w, r)
		},
	}
}

func TestALongerPauseCostsWhatItAdds(t *testing.T) {
	var both overtaken
	answers := both.answers(status(429, "20"), status(429, "25"))
	api := serve(t, following(append(answers, body(`{"id":"1"}`), body(`{"id":"1"}`), status(429, "5"), body(`{"id":"1"}`))...))
	w := at(t, api)
	gate := gate{w.clock, make(chan time.Duration), make(chan struct{})}
	w.Sleep = gate.Sleep
	client := w.client()
	ended := make(chan error)
	ask := func() { ended <- reads(t.Context(), client) }
	go ask()
	go ask()
	if got := <-gate.waiting; got != 20*time.Second {
		t.Errorf("got %s, want a wait of 20 s", got)
	}
	close(both.waiting)
	if got := <-gate.waiting; got != 25*time.Second {
		t.Errorf("got %s, want a wait of 25 s", got)
	}
	w.clock.Advance(25 * time.Second)
	for range 2 {
		gate.open <- struct{}{}
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("got %v, want success after the pause", err)
		}
	}
	go ask()
	select {
	case got := <-gate.waiting:
		w.clock.Advance(got)
		gate.open <- struct{}{}
		if err := <-ended; err != nil {
			t.Errorf("got %v, want success after a wait", err)
		}
	case err := <-ended:
		t.Errorf("got %v, want 5 s more to be waited, for 25 of 30 s were", err)
	}
}

func TestAWaitThatBecomesTooLongIsGivenUp(t *testing.T) {
	rows := []struct {
		name    string
		trouble http.HandlerFunc
		want    func(error) bool
	}{
		{"for quota", status(429, "5"), func(err error) bool {
			throttled, ok := errors.AsType[*defender.ThrottledError](err)
			return ok && throttled.After == 115*time.Second
		}},
		{"for a service in trouble, which says more than that there is no time", status(503, "5"), func(err error) bool {
			return defender.StatusOf(err) == 503
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var both overtaken
			api := serve(t, following(both.answers(row.trouble, status(429, "120"))...))
			w := at(t, api)
			gate := gate{w.clock, make(chan time.Duration), make(chan struct{})}
			w.Sleep = gate.Sleep
			client := w.client()
			ended := make(chan error)
			for range 2 {
				go func() { ended <- reads(t.Context(), client) }()
			}
			<-gate.waiting
			close(both.waiting)
			if got := as[*defender.ThrottledError](t, <-ended); got.After != 120*time.Second {
				t.Errorf("the second: got %+v, want to be sent away for 120 s", got)
			}
			w.clock.Advance(5 * time.Second)
			gate.open <- struct{}{}
			if err := <-ended; !row.want(err) {
				t.Errorf("the first: got %v", err)
			}
			if got := len(api.requests()); got != 2 {
				t.Errorf("got %d requests, want nothing more to be sent", got)
			}
		})
	}
}

func TestWhatWasSentBeforeIsNotWhatIsLost(t *testing.T) {
	for _, answered := range []int{429, 401} {
		asked := 0
		clock := newClock()
		client := defender.New(defender.Options{
			Clock: clock.Clock(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{},
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				if asked++; asked > 1 {
					return nil, &url.Error{Op: "Post", URL: "https://api.example", Err: syscall.ECONNREFUSED}
				}
				httptrace.ContextClientTrace(r.Context()).WroteHeaders()
				refused := response(r, answered, "{}")
				refused.Header.Set("Retry-After", "1")
				return refused, nil
			}),
		})
		if got := as[*defender.ConnectionError](t, changes(t.Context(), client)); got.Sent {
			t.Errorf("no connection after HTTP %d: wanted an error that says that nothing was sent", answered)
		}
	}
}

func TestNoMoreIsSentThanTheServiceTakesAMinute(t *testing.T) {
	const rate = 45 // hunts a minute
	api := serve(t, nil)
	w := at(t, api)
	client := w.client()
	for range rate {
		if err := hunts(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	got := as[*defender.ThrottledError](t, hunts(t.Context(), client))
	if got.After != time.Minute || got.Err != nil || len(api.requests()) != rate {
		t.Errorf("got %d and %+v, want %d requests and the next one to wait for a minute", len(api.requests()), got, rate)
	}
	w.clock.Advance(time.Minute)
	if err := hunts(t.Context(), client); err != nil {
		t.Errorf("got %v, want the service to be asked after a minute", err)
	}
}

func TestAShortWaitForTheNextMinuteIsWaited(t *testing.T) {
	w := at(t, serve(t, nil))
	client := w.client()
	for range 2 {
		if _, _, err := client.PackageURI(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(20 * time.Second)
	}
	if _, _, err := client.PackageURI(t.Context(), "x"); err != nil {
		t.Errorf("got %v, want the third of two a minute after a wait", err)
	}
	if got, want := w.clock.Waits(), []time.Duration{20 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("got %v, want the waits %v", got, want)
	}
}

func TestACallerThatGivesUpGetsItsOwnReason(t *testing.T) {
	stopped := errors.New("the platform stopped")
	t.Run("while the service is silent", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		api := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel(stopped)
			<-r.Context().Done()
		})
		if err := changes(ctx, at(t, api).client()); !errors.Is(err, stopped) || !defender.MayHaveActed(err) {
			t.Errorf("got %v, want %v, and that the service may have acted", err, stopped)
		}
	})
	t.Run("while an answer comes", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		api := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"value":[`)
			w.(http.Flusher).Flush()
			cancel(stopped)
			<-r.Context().Done()
		})
		if err := reads(ctx, at(t, api).client()); !errors.Is(err, stopped) || defender.MayHaveActed(err) {
			t.Errorf("got %v, want %v alone", err, stopped)
		}
	})
	t.Run("when the service has failed", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		api := serve(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, http.StatusInternalServerError, `{}`) })
		w := at(t, api)
		w.Transport = transport(func(r *http.Request) (*http.Response, error) {
			defer cancel(stopped)
			return plainClient(api, nil).Do(r)
		})
		if err := changes(ctx, w.client()); !defender.MayHaveActed(err) {
			t.Errorf("got %v, want that the service may have acted", err)
		}
	})
	t.Run("before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stopped)
		if err := changes(ctx, at(t, serve(t, nil)).client()); !errors.Is(err, stopped) || defender.MayHaveActed(err) {
			t.Errorf("got %v, want %v alone", err, stopped)
		}
	})
	t.Run("while it waits", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := at(t, serve(t, status(429, "5")))
		w.Sleep = func(ctx context.Context, _ time.Duration) error {
			cancel(stopped)
			return context.Cause(ctx)
		}
		if err := changes(ctx, w.client()); !errors.Is(err, stopped) || defender.MayHaveActed(err) {
			t.Errorf("got %v, want %v alone: the service has refused the change", err, stopped)
		}
	})
}

func TestOutcomesAreCountedByStatus(t *testing.T) {
	rows := []struct {
		status int
		want   string
	}{
		{200, "Successful 1"},
		{204, "Successful 1"},
		{302, "GeneralError 1"},
		{400, "GeneralError 1"},
		{401, "AuthError 2"},
		{403, "GeneralError 1"},
		{404, "GeneralError 1"},
		{408, "TimeoutError 1"},
		{429, "QuotaError 4"},
		{500, "ServiceError 4"},
		{502, "ServiceError 4"},
		{504, "TimeoutError 4"},
	}
	for _, row := range rows {
		client := at(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(row.status) })).client()
		if err := reads(t.Context(), client); err == nil {
			t.Errorf("%d: got no error, want one: there is no object in the answer", row.status)
		}
		if got := counted(client.Metrics()); got != row.want {
			t.Errorf("%d: got %q, want the counts %q", row.status, got, row.want)
		}
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	troubles := []http.HandlerFunc{
		status(429, "31"), status(503, ""), cut(""), cut(halfAnswer), body("<html>"), body(strings.Repeat("x", 200_000)), body(`{"id":"1"}`),
	}
	before := runtime.NumGoroutine()
	for _, trouble := range troubles {
		api := serve(t, trouble)
		w := at(t, api)
		w.Limits.Body = 100_000
		transport := plainClient(api, nil)
		w.Transport = transport
		client := w.client()
		for _, call := range calls() {
			_ = call(t.Context(), client)
		}
		transport.CloseIdleConnections()
		api.Close()
	}
	// Connections end a moment after they were closed.
	left := 0
	for range 1_000_000 {
		if left = runtime.NumGoroutine(); left <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("got %d, want %d goroutines as before", left, before)
}
