package defender_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/system"
)

// slowNote is a quota whose note takes a while to write. Meanwhile another request of the same client begins.
type slowNote struct{ meanwhile func() }

func (slowNote) Share(context.Context) (time.Time, int) { return time.Time{}, 0 }

func (n slowNote) Refused(ctx context.Context, _ time.Time) int {
	go n.meanwhile()
	_ = system.Sleep(ctx, time.Second)
	return 0
}

// share is a quota of which a number of requests a minute are the client's.
type share int

func (s share) Share(context.Context) (time.Time, int) { return time.Time{}, int(s) }

func (s share) Refused(context.Context, time.Time) int { return int(s) }

// TestTwoRequestsAtOnceOfASharedQuota reads eight machines at once, and then one with a run that was stopped.
func TestTwoRequestsAtOnceOfASharedQuota(t *testing.T) {
	for quota, want := range map[share]int{0: 8, 94: 2} {
		synctest.Test(t, func(t *testing.T) {
			underWay, most := 0, 0
			var mu sync.Mutex
			count := func(more int) {
				mu.Lock()
				defer mu.Unlock()
				underWay += more
				most = max(most, underWay)
			}
			client := defender.New(defender.Options{
				Clock: bubble(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{}, Quota: quota,
				Transport: transport(func(r *http.Request) (*http.Response, error) {
					if err := r.Context().Err(); err != nil {
						return nil, err
					}
					count(1)
					defer count(-1)
					if err := system.Sleep(r.Context(), time.Second); err != nil {
						return nil, err
					}
					return response(r, http.StatusOK, `{"id":"1"}`), nil
				}),
			})
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					if _, err := client.Machine(t.Context(), "1"); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			stopped, stop := context.WithCancelCause(t.Context())
			reason := errors.New("stopped")
			stop(reason)
			if _, err := client.Machine(stopped, "1"); !errors.Is(err, reason) {
				t.Errorf("a share of %d: got %v for a stopped run, want the reason of the stop", quota, err)
			}
			group.Wait()
			if most != want {
				t.Errorf("a share of %d: got %d requests under way, want %d", quota, most, want)
			}
		})
	}
}

// noted is a quota that was refused until a time, and keeps until when it is refused.
type noted struct{ until time.Time }

func (n *noted) Share(context.Context) (time.Time, int) { return n.until, 0 }

func (n *noted) Refused(_ context.Context, until time.Time) int {
	n.until = until
	return 0
}

// TestAnAbsurdWaitIsNotSharedForLong notes a refusal for others, and reads that of another client.
func TestAnAbsurdWaitIsNotSharedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, asked := time.Now(), 0
		read := func(quota *noted) *defender.ThrottledError {
			client := defender.New(defender.Options{
				Clock: bubble(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{}, Quota: quota,
				Transport: transport(func(r *http.Request) (*http.Response, error) {
					asked++
					answer := response(r, http.StatusTooManyRequests, `{}`)
					answer.Header.Set("Retry-After", "99999999")
					return answer, nil
				}),
			})
			_, err := client.Machine(t.Context(), "1")
			return as[*defender.ThrottledError](t, err)
		}
		own := &noted{}
		read(own)
		if want := begin.Add(time.Hour); !own.until.Equal(want) {
			t.Errorf("got a refusal noted until %s, want %s", own.until, want)
		}
		if got := read(&noted{begin.Add(time.Hour)}); got.After != time.Hour || asked != 1 {
			t.Errorf("got a wait of %s after %d requests, want an hour and no second request", got.After, asked)
		}
		read(&noted{begin.Add(24 * time.Hour)})
		if asked != 2 {
			t.Errorf("got %d requests, want a second one: nothing is refused for a day", asked)
		}
	})
}

// TestNothingIsSentWhileARefusalIsNoted refuses a request for five seconds: another one waits for them, although the note of
// the refusal is not written yet.
func TestNothingIsSentWhileARefusalIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, refused := time.Now(), false
		var sent time.Duration
		var client *defender.Client
		client = defender.New(defender.Options{
			Clock: bubble(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{},
			Quota: slowNote{func() { _, _ = client.Machine(t.Context(), "other") }},
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/api/machines/other" {
					sent = time.Since(begin)
				} else if !refused {
					refused = true
					answer := response(r, http.StatusTooManyRequests, `{}`)
					answer.Header = http.Header{"Retry-After": {"5"}}
					return answer, nil
				}
				return response(r, http.StatusOK, `{"id":"1"}`), nil
			}),
		})
		if _, err := client.Machine(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if sent < 5*time.Second {
			t.Errorf("got the other request sent after %s, want it to wait for the 5 seconds", sent)
		}
	})
}
