package defender_test

import (
	"context"
	"net/http"
	"net/url"
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
