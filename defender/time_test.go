package defender_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/system"
)

// The tests of this file run in bubbles of package synctest, in which time passes at once when everybody waits. Nothing
// in them takes real time, so the service is a function and not a server.

// bubble is the clock of a bubble.
func bubble() system.Clock { return system.Clock{Now: time.Now, Sleep: system.Sleep} }

// within makes a client of a service that is a function.
func within(limits defender.Limits, answer transport) *defender.Client {
	return signedWithin(limits, &tokens{}, answer)
}

// signedWithin is within for a client that gets its tokens elsewhere.
func signedWithin(limits defender.Limits, source defender.TokenSource, answer transport) *defender.Client {
	return defender.New(defender.Options{
		Clock: bubble(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: source, Limits: limits,
		GraphTokens: func() (defender.TokenSource, error) { return &tokens{}, nil }, Graph: &url.URL{Scheme: "https", Host: "graph.example"},
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
				trace.WroteHeaders()
			}
			response, err := answer(r)
			if err != nil {
				return nil, &url.Error{Op: r.Method, URL: r.URL.String(), Err: err}
			}
			return response, nil
		}),
	})
}

// silent answers nothing until the client gives up.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// after answers after a while.
func after(wait time.Duration, code int, header http.Header, text string) transport {
	return func(r *http.Request) (*http.Response, error) {
		if err := system.Sleep(r.Context(), wait); err != nil {
			return nil, err
		}
		answered := response(r, code, text)
		answered.Header = header
		return answered, nil
	}
}

// trickle is a body of which a piece comes every so often.
type trickle struct {
	ctx   context.Context
	piece string
	left  int
	every time.Duration
}

func (b *trickle) Read(into []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if err := system.Sleep(b.ctx, b.every); err != nil {
		return 0, err
	}
	b.left--
	return copy(into, b.piece), nil
}

func (b *trickle) Close() error { return nil }

// early is a body that ends as if it were whole when the client gives up, as a server that notices it may end it.
type early struct {
	ctx  context.Context
	text string
}

func (b *early) Read(into []byte) (int, error) {
	if b.text != "" {
		n := copy(into, b.text)
		b.text = b.text[n:]
		return n, nil
	}
	<-b.ctx.Done()
	return 0, io.EOF
}

func (b *early) Close() error { return nil }

func ending(text string) transport {
	return func(r *http.Request) (*http.Response, error) {
		answered := response(r, http.StatusOK, "")
		answered.Body, answered.ContentLength = &early{r.Context(), text}, -1
		return answered, nil
	}
}

func trickling(code int, piece string, pieces int, every time.Duration) transport {
	return func(r *http.Request) (*http.Response, error) {
		answered := response(r, code, "")
		answered.Body, answered.ContentLength = &trickle{r.Context(), piece, pieces, every}, -1
		return answered, nil
	}
}

// draining is a body whose beginning comes at once, and the rest in pieces.
func draining(beginning int, piece string, every time.Duration) transport {
	return func(r *http.Request) (*http.Response, error) {
		answered := response(r, http.StatusOK, "")
		rest := &trickle{r.Context(), piece, 1_000_000, every}
		answered.Body, answered.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat(" ", beginning)), rest)), -1
		return answered, nil
	}
}

// took runs a call and returns how long it took in the time of the bubble.
func took(call func() error) (time.Duration, error) {
	began := time.Now()
	err := call()
	return time.Since(began), err
}

func TestSlowServicesAreGivenUp(t *testing.T) {
	rows := []struct {
		name   string
		limits defender.Limits
		answer transport
		want   time.Duration
	}{
		{"no answer", defender.Limits{}, silent, 25 * time.Second},
		{"no answer within a limit of its own", defender.Limits{Attempt: 3 * time.Second}, silent, 3 * time.Second},
		{"a body that never comes", defender.Limits{}, trickling(200, "x", 1, time.Hour), 25 * time.Second},
		{"a body that trickles", defender.Limits{}, trickling(200, " ", 1_000_000, time.Second), 25 * time.Second},
		{"an answer that ends before it began because the client gave up", defender.Limits{}, ending(""), 25 * time.Second},
		{"an answer that ends in the middle because the client gave up", defender.Limits{}, ending(`{"value":[`), 25 * time.Second},
		{"a body that becomes slow", defender.Limits{}, trickling(200, strings.Repeat(" ", 10<<10), 1_000_000, 2*time.Second), 25 * time.Second},
		{"a body of which only the beginning comes soon", defender.Limits{}, draining(600<<10, " ", 20*time.Second), 25 * time.Second},
	}
	for _, row := range rows {
		for name, call := range calls() {
			if name == "hunt" {
				continue
			}
			t.Run(row.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := 0
					client := within(row.limits, func(r *http.Request) (*http.Response, error) {
						sent++
						return row.answer(r)
					})
					elapsed, err := took(func() error { return call(t.Context(), client) })
					if got := as[*defender.ConnectionError](t, err); !got.Slow || !got.Sent {
						t.Errorf("got %+v, want an error that says that the request was sent and the answer did not come in time", got)
					}
					if elapsed != row.want || sent != 1 {
						t.Errorf("got %d and %s, want one request and %s", sent, elapsed, row.want)
					}
				})
			})
		}
	}
}

func TestARefusalWhoseBodyTricklesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := within(defender.Limits{}, trickling(http.StatusBadRequest, " ", 1_000_000, time.Second))
		elapsed, err := took(func() error { return changes(t.Context(), client) })
		if got := as[*defender.ConnectionError](t, err); !got.Slow || elapsed != 25*time.Second {
			t.Errorf("got %v after %s, want to give up after 25 s", err, elapsed)
		}
	})
}

func TestALargeBodyMayTakeLongerAsLongAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 500
		// 24 KiB a second: a share of 512 KiB comes in 22 of 25 s.
		client := within(defender.Limits{}, trickling(http.StatusOK, strings.Repeat(" ", 24<<10), pieces, time.Second))
		elapsed, err := took(func() error { return changes(t.Context(), client) })
		if err != nil || elapsed != pieces*time.Second {
			t.Errorf("got %v after %s, want the answer after %d s", err, elapsed, pieces)
		}
	})
}

// TestADripIsGivenUp has an answer and a file come at 12 kB a second, which would take 28 hours for a gigabyte.
func TestADripIsGivenUp(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *defender.Client) error{
		"an answer": reads,
		"a file": func(ctx context.Context, client *defender.Client) error {
			_, err := client.Download(ctx, "https://store.example/a", io.Discard, 1<<30)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := within(defender.Limits{}, trickling(http.StatusOK, strings.Repeat(" ", 12_000), 1_000_000, time.Second))
				elapsed, err := took(func() error { return ask(t.Context(), client) })
				if err == nil || elapsed > 50*time.Second {
					t.Errorf("got %v after %s, want it to be given up within two attempts", err, elapsed)
				}
			})
		})
	}
}

// slowTokens takes a while for each token.
type slowTokens struct{ takes time.Duration }

func (s slowTokens) Token(ctx context.Context, _ *url.URL) (string, error) {
	select {
	case <-time.After(s.takes):
		return "token-of-the-test", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (s slowTokens) Renew(ctx context.Context, target *url.URL, _ string) (string, error) {
	token, err := s.Token(ctx, target)
	return token + "-renewed", err
}

func TestASignInIsNoPartOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		client := signedWithin(defender.Limits{}, slowTokens{90 * time.Second}, func(r *http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				return after(20*time.Second, http.StatusUnauthorized, nil, "")(r)
			}
			return after(20*time.Second, http.StatusOK, nil, `{"id":"1"}`)(r)
		})
		elapsed, err := took(func() error { return reads(t.Context(), client) })
		if err != nil || elapsed != 2*(90+20)*time.Second {
			t.Errorf("got %v after %s, want success after two sign-ins of 90 s and two answers of 20 s", err, elapsed)
		}
	})
}

func TestWaitingIsNoPartOfAnAttempt(t *testing.T) {
	rows := []struct {
		name string
		code int
	}{{"for a service in trouble", http.StatusServiceUnavailable}, {"for quota", http.StatusTooManyRequests}}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				client := within(defender.Limits{}, func(r *http.Request) (*http.Response, error) {
					if first {
						first = false
						return after(20*time.Second, row.code, http.Header{"Retry-After": {"20"}}, "")(r)
					}
					return after(20*time.Second, http.StatusOK, nil, `{"id":"1"}`)(r)
				})
				elapsed, err := took(func() error { return reads(t.Context(), client) })
				if err != nil || elapsed != time.Minute {
					t.Errorf("got %v after %s, want success after a wait of 20 s between two attempts of 20 s", err, elapsed)
				}
			})
		})
	}
}

func TestAServiceInTroubleIsAskedForABoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := within(defender.Limits{}, after(20*time.Second, http.StatusBadGateway, nil, ""))
		elapsed, err := took(func() error { return reads(t.Context(), client) })
		if want := 4*20*time.Second + 3500*time.Millisecond; defender.StatusOf(err) != http.StatusBadGateway || elapsed != want {
			t.Errorf("got %v after %s, want the refusal after four attempts, %s", err, elapsed, want)
		}
	})
}

func TestHuntsAreWaitedForAsLongAsAsked(t *testing.T) {
	rows := []struct {
		name    string
		timeout time.Duration
		want    time.Duration
	}{
		{"as long as asked and the time of the answer", time.Minute, 75 * time.Second},
		{"no longer than the service lets a query run", time.Hour, defender.LongestHunt + 15*time.Second},
		{"not at all", 0, 15 * time.Second},
		{"less than that", -time.Minute, 15 * time.Second},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := within(defender.Limits{}, silent)
				elapsed, err := took(func() error {
					_, err := client.Hunt(t.Context(), "T", row.timeout)
					return err
				})
				if got := as[*defender.ConnectionError](t, err); !got.Slow || elapsed != row.want {
					t.Errorf("the Defender API: got %v after %s, want to give up after %s", err, elapsed, row.want)
				}
				elapsed, err = took(func() error {
					_, err := client.GraphHunt(t.Context(), "T", row.timeout)
					return err
				})
				if got := as[*defender.ConnectionError](t, err); !got.Slow || elapsed != row.want {
					t.Errorf("Graph: got %v after %s, want to give up after %s", err, elapsed, row.want)
				}
			})
		})
	}
}

func TestSlowRequestsAreCountedAsTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := within(defender.Limits{}, silent)
		if err := reads(t.Context(), client); err == nil {
			t.Error("got no error, want one")
		}
		if got, want := counted(client.Metrics()), "TimeoutError 1"; got != want {
			t.Errorf("got %q, want the counts %q", got, want)
		}
	})
}

func TestSlowDownloadsAreGivenUp(t *testing.T) {
	rows := []struct {
		name   string
		answer transport
	}{
		{"no answer", silent},
		{"a file that trickles", trickling(http.StatusOK, "x", 1_000_000, time.Second)},
		{"a file that ends early because the client gave up", ending("half")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := within(defender.Limits{}, row.answer)
				elapsed, err := took(func() error {
					_, err := client.Download(t.Context(), "https://store.example/a?sig=hidden", io.Discard, 1<<20)
					return err
				})
				as[*defender.DownloadError](t, err)
				if elapsed != 25*time.Second {
					t.Errorf("got %s, want to give up after 25 s", elapsed)
				}
			})
		})
	}
}

func TestALargeDownloadMayTakeLongerAsLongAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 500
		client := within(defender.Limits{}, trickling(http.StatusOK, strings.Repeat("x", 24<<10), pieces, time.Second))
		elapsed, err := took(func() error {
			_, err := client.Download(t.Context(), "https://store.example/a", io.Discard, 1<<30)
			return err
		})
		if err != nil || elapsed != pieces*time.Second {
			t.Errorf("got %v after %s, want the file after %d s", err, elapsed, pieces)
		}
	})
}

// One attempt in real time, so that a connection over TLS is known to be given up as well. It was opened before, because
// a busy machine may take longer for that than the attempt.
func TestASilentConnectionIsGivenUp(t *testing.T) {
	gone := make(chan struct{})
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{"value":[]}`)
			return
		}
		<-r.Context().Done()
		close(gone)
	})
	w := at(t, api)
	if _, err := w.client().Alerts(t.Context(), defender.Query{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	w.Limits.Attempt = 250 * time.Millisecond
	got := as[*defender.ConnectionError](t, changes(t.Context(), w.client()))
	if !got.Slow || !got.Sent {
		t.Fatalf("got %+v, want an error that says that the request was sent and the answer did not come in time", got)
	}
	<-gone
	api.wantRequests(t, "GET /api/alerts?$top=1", "POST /api/machines/1/isolate")
}

func TestHeadroomIsWhatThisClientHasLeftOfTheMinute(t *testing.T) {
	api := serve(t, body(`{"value":[]}`))
	w := at(t, api)
	client := w.client()
	want := func(when string, calls int) {
		t.Helper()
		if left, stated := client.Headroom(defender.ListAlerts); left != calls || !stated {
			t.Errorf("%s: got %d and stated %t, want %d calls", when, left, stated, calls)
		}
	}
	want("before the first call", 100)
	for range 3 {
		if _, err := client.Alerts(t.Context(), defender.Query{Limit: 1}); err != nil {
			t.Fatal(err)
		}
	}
	want("after three", 97)
	if left, _ := client.Headroom(defender.ListMachines); left != 100 {
		t.Errorf("got %d, want another operation to have all of its own", left)
	}
	w.clock.Advance(time.Minute)
	want("a minute later", 100)
	if left, stated := client.Headroom(defender.ListSoftware); stated {
		t.Errorf("got %d, want no rate where the service states none", left)
	}
}
