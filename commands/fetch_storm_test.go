package commands

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"xsoar-defender/params"
)

// TestFetchAtEveryDensity fetches feeds from an alert an hour to 50 a second, in every order, with bursts in one instant
// and late alerts: each alert is handed over once, with fewer than 4 requests for 200 alerts.
func TestFetchAtEveryDensity(t *testing.T) {
	number := 0
	for _, density := range []struct {
		name   string
		gap    time.Duration // between two alerts
		alerts int
	}{
		{"one an hour", time.Hour, 100},
		{"one a minute", time.Minute, 600},
		{"30 a minute", 2 * time.Second, 6_000},
		{"5 a second", 200 * time.Millisecond, SampleOf(15_000, 8_000)},
		{"50 a second", 20 * time.Millisecond, SampleOf(20_000, 8_000)},
	} {
		for _, order := range []string{"ascending", "descending", "random"} {
			for _, burst := range []int{0, 3_000} {
				if number++; !InSample(number, 5) {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s, bursts of %d", density.name, order, burst), func(t *testing.T) {
					t.Parallel()
					seed := uint64(len(density.name) + len(order) + burst)
					random := rand.New(rand.NewPCG(seed, 20261125))
					begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
					f := &feed{random: random, now: begin.Add(time.Minute), most: 10_000, order: order}
					created := begin
					for i := range density.alerts {
						alert := feedAlert{id: "a" + strconv.Itoa(i), created: created, visible: created}
						if random.IntN(20) == 0 {
							alert.visible = created.Add(time.Duration(random.Int64N(int64(14 * time.Minute))))
						}
						f.alerts = append(f.alerts, alert)
						if inBurst := burst > 0 && i >= density.alerts/2 && i < density.alerts/2+burst; !inBurst {
							created = created.Add(density.gap/2 + time.Duration(random.Int64N(int64(density.gap)))/100*100)
						}
					}
					settings := params.Fetch{Max: 200, First: 3 * 24 * time.Hour, LookBack: 15 * time.Minute}
					every := max(time.Minute, density.gap/2)
					host, seen := &lastRunHost{}, map[string]bool{}
					fetches, empty, most, end := 0, 0, 0, created.Add(time.Hour)
					for len(seen) < len(f.alerts) {
						if fetches++; fetches > 20*(len(f.alerts)/200+1)+2*int(end.Sub(begin)/every) {
							t.Fatalf("seed %d: got %d of %d alerts after %d fetches", seed, len(seen), len(f.alerts), fetches)
						}
						before := f.requests
						ids, commit, err := f.fetch(t, host, settings)
						if err != nil {
							t.Fatalf("seed %d, fetch %d: %v", seed, fetches, err)
						}
						if most = max(most, f.requests-before); len(ids) == 0 {
							empty++
						}
						for _, id := range ids {
							if seen[id] {
								t.Fatalf("seed %d, fetch %d handed %s over again", seed, fetches, id)
							}
							seen[id] = true
						}
						if err := commit(); err != nil {
							t.Fatal(err)
						}
						f.now = f.now.Add(every)
					}
					if most > fetchRequests {
						t.Errorf("got a fetch of %d requests, want at most %d", most, fetchRequests)
					}
					// A fetch that finds nothing new, or only a few alerts, takes a request as well.
					if allowed := max(4*len(f.alerts)/200, fetches*5/4); f.requests > allowed {
						t.Errorf("seed %d: got %d requests for %d alerts in %d fetches, want at most %d", seed, f.requests, len(f.alerts), fetches, allowed)
					}
					t.Logf("%d alerts, %d fetches (%d empty), %d requests, at most %d in a fetch, last run %d bytes", len(f.alerts), fetches, empty, f.requests, most, len(host.lastRun))
				})
			}
		}
	}
}
