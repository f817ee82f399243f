package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// troubledService adds troubles to a service: lost looks, a list that lags, and requests at which a run is stopped.
type troubledService struct {
	*service
	random *rand.Rand
	// stopAt, if positive, is the number of requests after which stop is called.
	stopAt int
	stop   func()
}

func (s *troubledService) Do(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.stopAt--
	stopped := s.stopAt == 0
	trouble := -1
	if request.Method == http.MethodGet {
		trouble = s.random.IntN(12)
	}
	s.clock.Advance(20 * time.Millisecond)
	s.mu.Unlock()
	if stopped {
		s.stop()
	}
	if err := context.Cause(request.Context()); err != nil {
		return nil, &url.Error{Op: request.Method, URL: "service", Err: err}
	}
	switch trouble {
	case 0:
		return respond(request, http.StatusServiceUnavailable, `{"error":{"code":"ServiceUnavailable","message":"try later"}}`, http.Header{}), nil
	case 1:
		return nil, &url.Error{Op: "Get", URL: "service", Err: errors.New("connection reset by peer")}
	}
	if trace := httptrace.ContextClientTrace(request.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	return s.service.Do(request)
}

// TestEveryActionIsStartedAndReportedOnce isolates machines and waits for the end, while looks get lost, the quota is
// exhausted, new actions are not found, and runs are stopped or lose their result at every step.
func TestEveryActionIsStartedAndReportedOnce(t *testing.T) {
	for _, machines := range []int{1, 100, 101, 300, 1000} {
		t.Run(fmt.Sprintf("%d machines", machines), func(t *testing.T) {
			seed := uint64(machines)
			random := rand.New(rand.NewPCG(seed, 20261122))
			s := &troubledService{service: newService(), random: random}
			s.quota = &quota{perMinute: 100, perHour: 1500}
			s.lasts = func(machine string) (time.Duration, string) {
				n := int(machine[len(machine)-1])
				return time.Duration(n%7) * 4 * time.Minute, []string{"Succeeded", "Succeeded", "Failed", "Cancelled"}[n%4]
			}
			s.known = func(id string) bool { return s.clock.Now().Sub(s.actions[id].at) >= 20*time.Second }
			s.refuse = func(request *http.Request) (int, string) {
				id := strings.TrimPrefix(request.URL.Path, "/api/machineactions/")
				if action, found := s.actions[id]; found && request.Method == http.MethodGet && s.clock.Now().Sub(action.at) < 15*time.Second {
					return http.StatusNotFound, `{"error":{"code":"ResourceNotFound","message":"not yet"}}`
				}
				return 0, ""
			}
			ids, idIn := numbered("%040x", machines), regexp.MustCompile("[0-9a-f]{40}")
			args := map[string]any{
				"machine_id": strings.Join(ids, ","), "comment": "drill", "isolation_type": "Full", "polling": true, "timeout_in_seconds": 4 * 3600, "interval_in_seconds": 60,
			}
			reported := map[string]int{}
			runs, stopped, lost := 0, 0, 0
			for args != nil {
				if runs++; runs > 2000 {
					t.Fatal("got no end after 2000 runs")
				}
				ctx, stop := context.WithCancelCause(t.Context())
				s.stopAt, s.stop = 0, func() { stop(errors.New("the platform stopped the integration")) }
				following := args["machine_action_id"] != nil && args["left_to_start"] == nil
				kill := random.IntN(4)
				if kill == 0 && random.IntN(3) > 0 {
					s.stopAt = 1 + random.IntN(1+random.IntN(60))
				}
				done, err := execute(ctx, isolateMachine(), s, s.clock, args)
				if ctx.Err() != nil {
					stopped++
				}
				if kill == 1 && following {
					lost++ // the process ended before its result arrived: the same run is repeated
					stop(nil)
					continue
				}
				stop(nil)
				if err != nil {
					if machines > 1 {
						t.Fatalf("run %d: %v", runs, err)
					}
					reported[err.Error()]++
					break
				}
				args = nil
				for _, entry := range done.Entries {
					text := warroom.Plain(entry.Blocks)
					for _, context := range entry.Context {
						for _, row := range context.Value.(warroom.Records).Rows {
							if status := row.Text("status"); status != "Pending" {
								reported[row.Text("machineId")]++
							}
						}
					}
					for line := range strings.Lines(text) {
						if id, _, found := strings.Cut(line, "may have acted"); found { // a start whose answer a stop has cut off
							reported[idIn.FindString(id)]++
						}
					}
					if entry.Poll == nil {
						continue
					}
					if args != nil {
						t.Fatal("got two entries that schedule a run, want one")
					}
					if !strings.Contains(text, " of ") || !strings.Contains(text, " UTC") {
						t.Fatalf("got the scheduled entry\n%s\nwant how much is done, and until when", text)
					}
					if entry.Poll.Limit <= 0 || entry.Poll.Limit > 4*time.Hour {
						t.Fatalf("got the limit %s, want what is left of four hours", entry.Poll.Limit)
					}
					args = passed(t, entry.Poll.Args)
					if err := s.clock.Sleep(t.Context(), max(entry.Poll.After, 10*time.Second)); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, id := range ids {
				if s.started[id] != 1 {
					t.Errorf("%s was isolated %d times, want once", id, s.started[id])
				}
				if machines > 1 && reported[id] != 1 {
					t.Errorf("the end of the action on %s was reported %d times, want once", id, reported[id])
				}
			}
			t.Logf("seed %d: %d runs, %d stopped, %d lost, %d requests, %s", seed, runs, stopped, lost, len(s.asked), s.clock.Now().Sub(newService().clock.Now()).Round(time.Minute))
		})
	}
}

// passed returns arguments as the next run receives them.
func passed(t *testing.T, args map[string]any) map[string]any {
	t.Helper()
	var next map[string]any
	if err := json.Unmarshal([]byte(rawjson.Make(args)), &next); err != nil {
		t.Fatal(err)
	}
	return next
}
