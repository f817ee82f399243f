package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/warroom"
)

// quotaService isolates machines, and refuses requests beyond its quota per minute as the real service does, with the
// time until the minute is over. Its clock moves only when a command waits.
type quotaService struct {
	mu        sync.Mutex
	clock     *testclock.Clock
	perMinute int
	began     time.Time
	count     int
	refused   int
	isolated  map[string]int
}

// Do answers a request as the service would.
func (s *quotaService) Do(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if now.Sub(s.began) >= time.Minute {
		s.began, s.count = now, 0
	}
	if s.count++; s.count > s.perMinute {
		s.refused++
		left := s.began.Add(time.Minute).Sub(now)
		return respond(request, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests","message":"quota"}}`,
			http.Header{"Retry-After": {fmt.Sprint(int(left.Seconds()) + 1)}}), nil
	}
	machine := path.Base(path.Dir(request.URL.Path))
	s.isolated[machine]++
	return respond(request, http.StatusCreated, fmt.Sprintf(`{"id":"action-%s","type":"Isolate","status":"Pending","machineId":%q}`, machine, machine), http.Header{}), nil
}

// execute runs a command against a transport with a clock.
func execute(ctx context.Context, command Command, transport policy.Transporter, clock *testclock.Clock, args map[string]any) (Report, error) {
	raw := map[string]json.RawMessage{}
	for name, value := range args {
		raw[name] = json.RawMessage(rawjson.Make(value))
	}
	api := &url.URL{Scheme: "https", Host: "127.0.0.1"}
	run := &Run{Now: clock.Now, API: defender.New(defender.Options{Clock: clock.Clock(), API: api, Tokens: staticToken{}, Transport: transport})}
	return command.Execute(ctx, run, raw)
}

// TestThreeHundredMachinesAreIsolatedOnceEach isolates 300 machines with 100 requests a minute: every machine exactly
// once, each action is reported by the run that started it, and only the rest is scheduled again.
func TestThreeHundredMachinesAreIsolatedOnceEach(t *testing.T) {
	const machines = 300
	for _, usedByOthers := range []int{0, 40} {
		t.Run(fmt.Sprintf("%d requests of the first minute are used", usedByOthers), func(t *testing.T) {
			begin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			service := &quotaService{clock: testclock.New(begin), began: begin, perMinute: 100, count: usedByOthers, isolated: map[string]int{}}
			ids := make([]string, machines)
			for i := range ids {
				ids[i] = fmt.Sprintf("machine%03d", i)
			}
			args := map[string]any{"machine_id": strings.Join(ids, ","), "comment": "drill", "isolation_type": "Full"}
			reported, runs := 0, 0
			for args != nil {
				runs++
				done, err := execute(t.Context(), isolateMachine(), service, service.clock, args)
				if err != nil {
					t.Fatalf("run %d: %v", runs, err)
				}
				args = nil
				for _, entry := range done.Entries {
					for _, context := range entry.Context {
						reported += len(context.Value.(warroom.Records).Rows)
					}
					if entry.Poll != nil {
						args = entry.Poll.Args
						if err := service.clock.Sleep(t.Context(), max(entry.Poll.After, 10*time.Second)); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			for _, id := range ids {
				if service.isolated[id] != 1 {
					t.Errorf("%s was isolated %d times, want once", id, service.isolated[id])
				}
			}
			if reported != machines {
				t.Errorf("got %d reported machine actions, want %d", reported, machines)
			}
			if most := (machines+usedByOthers)/service.perMinute + 1; runs > most {
				t.Errorf("got %d runs, want at most %d", runs, most)
			}
			t.Logf("%d runs, %d requests refused, %s by the service's clock", runs, service.refused, service.clock.Now().Sub(begin))
		})
	}
}
