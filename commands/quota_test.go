package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
)

// sharedContext is the integration context of an instance, which all its processes share.
type sharedContext struct {
	Host
	mu      sync.Mutex
	values  map[string]json.RawMessage
	writes  int
	lastRun json.RawMessage
}

func (h *sharedContext) Load(context.Context) (map[string]json.RawMessage, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.values), nil
}

func (h *sharedContext) Update(_ context.Context, change func(map[string]json.RawMessage) (bool, error)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed, err := change(h.values)
	if changed {
		h.writes++
	}
	return err
}

func (h *sharedContext) LastRun(context.Context) (json.RawMessage, error) { return h.lastRun, nil }

func (h *sharedContext) SetLastRun(_ context.Context, value json.RawMessage) error {
	h.lastRun = value
	return nil
}

// process is one process that runs a command again as it schedules itself.
type process struct {
	name     string
	command  Command
	args     map[string]any // nil once it has ended
	next     time.Time
	every    time.Duration // of a fetch
	runs     int
	finished time.Time
}

// TestEightProcessesShareOneQuota runs commands in eight processes, and a fetch, on one application's quota: all of them
// get on, hardly a request is refused, and together they take little longer than the quota allows.
func TestEightProcessesShareOneQuota(t *testing.T) {
	for _, test := range []struct {
		name  string
		sizes [8]int
	}{
		{"equal work", [8]int{300, 300, 300, 300, 300, 300, 300, 300}},
		{"unequal work", [8]int{1000, 600, 300, 200, 100, 50, 20, 130}},
	} {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(8, 20261125))
			s := newService()
			s.quota = &quota{perMinute: 100, perHour: 1500}
			begin := s.clock.Now()
			host := &sharedContext{values: map[string]json.RawMessage{}}
			var all []*process
			work := 0
			for i, size := range test.sizes {
				work += size
				ids := numbered(fmt.Sprintf("%02d%%038x", i), size)
				all = append(all, &process{
					name: fmt.Sprintf("process %d", i), command: isolateMachine(), next: begin.Add(time.Duration(i) * time.Second),
					args: map[string]any{"machine_id": strings.Join(ids, ","), "comment": "drill", "isolation_type": "Full"},
				})
			}
			fetch := &process{name: "fetch", command: fetchIncidents(), next: begin, every: time.Minute, args: map[string]any{}}
			all = append(all, fetch)
			fetched, longestPause, lastFetch := 0, time.Duration(0), begin
			for {
				var now *process
				for _, one := range all {
					if one.args != nil && one != fetch && (now == nil || one.next.Before(now.next)) {
						now = one
					}
				}
				if now == nil {
					break
				}
				if fetch.next.Before(now.next) {
					now = fetch
				}
				if wait := now.next.Sub(s.clock.Now()); wait > 0 {
					if err := s.clock.Sleep(t.Context(), wait); err != nil {
						t.Fatal(err)
					}
				}
				now.runs++
				done, err := now.run(t.Context(), s, host, random)
				if now == fetch {
					if err == nil {
						fetched++
						longestPause = max(longestPause, s.clock.Now().Sub(lastFetch))
						lastFetch = s.clock.Now()
						if err := done.Commit(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					now.next = later(now.next.Add(now.every), s.clock.Now())
					continue
				}
				if err != nil {
					t.Fatalf("%s, run %d: %v", now.name, now.runs, err)
				}
				now.args, now.finished = nil, s.clock.Now()
				for _, entry := range done.Entries {
					if entry.Poll != nil {
						now.args, now.next = passed(t, entry.Poll.Args), s.clock.Now().Add(max(entry.Poll.After, 10*time.Second))
					}
				}
			}
			for machine, times := range s.started {
				if times != 1 {
					t.Errorf("%s was isolated %d times, want once", machine, times)
				}
			}
			if len(s.started) != work {
				t.Errorf("got %d machines isolated, want %d", len(s.started), work)
			}
			took, allowed := s.clock.Now().Sub(begin), atQuota(work, 100, 1500)
			if took > allowed*13/10 {
				t.Errorf("got all done after %s, want at most 1.3 times the %s that the quota allows", took, allowed)
			}
			if share := float64(s.refused) / float64(len(s.asked)); share >= 0.02 {
				t.Errorf("got %d of %d requests refused (%.1f %%), want less than 2 %%", s.refused, len(s.asked), 100*share)
			}
			if host.writes > s.refused {
				t.Errorf("got %d writes of the note for %d refusals, want no more", host.writes, s.refused)
			}
			if fetched == 0 || longestPause > time.Hour+2*time.Minute {
				t.Errorf("got %d fetches with a pause of %s, want none to starve", fetched, longestPause)
			}
			t.Logf("%d requests for %d machines, %d refused (%.2f %%), %d writes; %s, %.2f times what the quota allows; %d of %d fetches, longest pause %s",
				len(s.asked), work, s.refused, 100*float64(s.refused)/float64(len(s.asked)), host.writes, took.Round(time.Second), float64(took)/float64(allowed), fetched, fetch.runs, longestPause.Round(time.Second))
		})
	}
}

// TestSharesOfTheQuota computes what commands are left with. Each minute that is over, those that had work shared 94 requests
// equally.
func TestSharesOfTheQuota(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(id string, from time.Duration, left int) quotaShare {
		return quotaShare{ID: id, From: now.Add(from), Left: left}
	}
	for name, test := range map[string]struct {
		waiting []quotaShare
		left    map[string]int
		active  int
	}{
		"nobody":                    {nil, map[string]int{}, 0},
		"one that begins":           {[]quotaShare{at("a", 0, 300)}, map[string]int{"a": 300}, 1},
		"within the first minute":   {[]quotaShare{at("a", -59*time.Second, 300)}, map[string]int{"a": 300}, 1},
		"after a minute":            {[]quotaShare{at("a", -time.Minute, 300)}, map[string]int{"a": 206}, 1},
		"done":                      {[]quotaShare{at("a", -time.Minute, 94)}, map[string]int{}, 0},
		"one request short of done": {[]quotaShare{at("a", -time.Minute, 95)}, map[string]int{"a": 1}, 1},
		"one that begins later":     {[]quotaShare{at("a", time.Hour, 300)}, map[string]int{"a": 300}, 1},
		"two":                       {[]quotaShare{at("a", -2*time.Minute, 300), at("b", -2*time.Minute, 100)}, map[string]int{"a": 206, "b": 6}, 2},
		"a second that came later":  {[]quotaShare{at("a", -2*time.Minute, 300), at("b", -time.Minute, 100)}, map[string]int{"a": 159, "b": 53}, 2},
		"one that is done for both": {[]quotaShare{at("a", -2*time.Minute, 300), at("b", -2*time.Minute, 40)}, map[string]int{"a": 159}, 1},
		"more than requests a minute": {func() (many []quotaShare) {
			for _, id := range numbered("%d", 100) {
				many = append(many, at(id, -time.Minute, 1))
			}
			return many
		}(), map[string]int{}, 0},
	} {
		left, active := quotaNote{Waiting: test.waiting}.shares(now)
		if !maps.Equal(left, test.left) || active != test.active {
			t.Errorf("%s: got %v left for %d commands, want %v for %d", name, left, active, test.left, test.active)
		}
	}
}

// TestARefusedCommandNotesWhatItIsLeftWith isolates 300 machines, of which the service accepts 60 a minute.
func TestARefusedCommandNotesWhatItIsLeftWith(t *testing.T) {
	s := newService()
	s.quota = &quota{perMinute: 60}
	host := &sharedContext{values: map[string]json.RawMessage{}}
	one := &process{command: isolateMachine(), args: map[string]any{"machine_id": strings.Join(numbered("m%d", 300), ","), "comment": "drill", "isolation_type": "Full"}}
	first := ""
	for _, left := range []int{240, 180} {
		done, err := one.run(t.Context(), s, host, rand.New(rand.NewPCG(uint64(left), 1)))
		entry := only(t, done, err)
		note := readQuotaNote(host.values)
		if len(note.Waiting) != 1 || entry.Poll == nil {
			t.Fatalf("got %+v, want the command in the note, and scheduled again", note)
		}
		if got := note.Waiting[0]; got.Left < left || got.Left > left+8 || got.ID == "" || !got.From.Equal(note.Until) || first != "" && got.ID != first {
			t.Errorf("got %+v until %s, want %d requests, or those under way in addition, under one ID", got, note.Until, left)
		}
		first = note.Waiting[0].ID
		one.args = passed(t, entry.Poll.Args)
		s.clock.Advance(entry.Poll.After)
	}
}

func TestTheNoteOfTheQuotaKeepsTheOthers(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	until := now.Add(30 * time.Second)
	place := func(command string) *Quota {
		q := NewQuota(command, nil, func() time.Time { return now }, nil)
		q.id = "own"
		q.pending.Store(70)
		return q
	}
	own := quotaShare{ID: "own", From: until, Left: 70}
	working, done := quotaShare{ID: "a", From: now, Left: 5}, quotaShare{ID: "b", From: now.Add(-time.Minute), Left: 5}
	for name, test := range map[string]struct {
		place  *Quota
		before quotaNote
		until  time.Time
		want   quotaNote
	}{
		"the first":            {place(ActionsCommand), quotaNote{}, until, quotaNote{until, []quotaShare{own}}},
		"one more":             {place(ActionsCommand), quotaNote{now, []quotaShare{working}}, until, quotaNote{until, []quotaShare{working, own}}},
		"the same again":       {place(ActionsCommand), quotaNote{now, []quotaShare{{"own", now, 164}}}, until, quotaNote{until, []quotaShare{own}}},
		"without those done":   {place(ActionsCommand), quotaNote{now, []quotaShare{done, working}}, until, quotaNote{until, []quotaShare{working, own}}},
		"without one for long": {place(ActionsCommand), quotaNote{now, []quotaShare{{"a", now.Add(-3 * time.Hour), 1 << 20}}}, until, quotaNote{until, []quotaShare{own}}},
		"a fetch":              {place(FetchCommand), quotaNote{now, []quotaShare{working}}, until, quotaNote{until, []quotaShare{working}}},
		// Of two times within a minute the nearer one is the newer: the other is of a window that has ended. The quota of an hour is longer.
		"a nearer time":             {place(FetchCommand), quotaNote{Until: now.Add(59 * time.Second)}, until, quotaNote{Until: until}},
		"within a longer wait":      {place(FetchCommand), quotaNote{Until: now.Add(time.Hour)}, until, quotaNote{Until: now.Add(time.Hour)}},
		"within a wait of a minute": {place(FetchCommand), quotaNote{Until: now.Add(time.Minute)}, until, quotaNote{Until: now.Add(time.Minute)}},
	} {
		if got := test.place.noteOf(test.before, test.until); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

// TestACommandsPartOfTheQuota reads the note of other processes.
func TestACommandsPartOfTheQuota(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	host := &sharedContext{values: map[string]json.RawMessage{}}
	working := func(id string) quotaShare { return quotaShare{ID: id, From: now, Left: 1000} }
	for _, test := range []struct {
		name, command, id string
		waiting           []quotaShare
		want              int
	}{
		{"nobody waits", ActionsCommand, "", nil, 0},
		{"one that was not refused yet", ActionsCommand, "", []quotaShare{working("a")}, 47},
		{"one of two", ActionsCommand, "a", []quotaShare{working("a"), working("b")}, 47},
		{"the only one", ActionsCommand, "a", []quotaShare{working("a")}, 94},
		{"a fetch, while others wait", FetchCommand, "", []quotaShare{working("a")}, 4},
		{"a fetch, while nobody waits", FetchCommand, "", nil, 0},
	} {
		host.values[quotaKey] = rawMessage(quotaNote{now.Add(time.Second), test.waiting})
		place := NewQuota(test.command, host, func() time.Time { return now }, nil)
		place.id = test.id
		if until, got := place.Share(t.Context()); got != test.want || !until.Equal(now.Add(time.Second)) {
			t.Errorf("%s: got %d requests a minute from %s, want %d from %s", test.name, got, until, test.want, now.Add(time.Second))
		}
	}
}

// TestARefusalIsNotedOnce refuses several requests that were under way, as the service does when the quota ends.
func TestARefusalIsNotedOnce(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	host := &sharedContext{values: map[string]json.RawMessage{}}
	place := NewQuota(ActionsCommand, host, func() time.Time { return now }, randomReader{rand.New(rand.NewPCG(1, 1))})
	until := now.Add(30 * time.Second)
	for _, test := range []struct {
		until  time.Time
		writes int
	}{{until, 1}, {until, 1}, {until.Add(4 * time.Second), 1}, {until.Add(-4 * time.Second), 1}, {until.Add(5 * time.Second), 2}, {until.Add(time.Minute), 3}} {
		if share := place.Refused(t.Context(), test.until); share != 94 || host.writes != test.writes {
			t.Errorf("refused until %s: got %d requests a minute and %d writes, want all 94 and %d", test.until, share, host.writes, test.writes)
		}
	}
}

func TestTheTestAndTheDiagnosisShareNoQuota(t *testing.T) {
	for command, shares := range map[string]bool{TestCommand: false, DiagnosisCommand: false, FetchCommand: true, ActionsCommand: true} {
		if got := NewQuota(command, nil, time.Now, nil); (got != nil) != shares {
			t.Errorf("%s: got the place %+v in the quota, want one: %t", command, got, shares)
		}
	}
}

// atQuota returns the time that a number of requests take at a quota, with windows that begin at the first one.
func atQuota(requests, perMinute, perHour int) time.Duration {
	hours := (requests - 1) / perHour
	rest := requests - hours*perHour
	return time.Duration(hours)*time.Hour + time.Duration(max(1, (rest-1)/perMinute))*time.Minute
}

// run runs the command in a process of its own.
func (p *process) run(ctx context.Context, s *service, host *sharedContext, random *rand.Rand) (Report, error) {
	raw := map[string]json.RawMessage{}
	for name, value := range p.args {
		raw[name] = json.RawMessage(rawjson.Make(value))
	}
	place := NewQuota(p.command.Name, host, s.clock.Now, randomReader{random})
	run := &Run{
		Now: s.clock.Now, Host: host, Quota: place,
		Instance: params.Instance{Fetch: params.Fetch{Max: 50, First: time.Hour, LookBack: time.Minute}},
		API: defender.New(defender.Options{
			Clock: s.clock.Clock(), API: &url.URL{Scheme: "https", Host: "127.0.0.1"}, Tokens: staticToken{}, Transport: s, Quota: place,
		}),
	}
	return p.command.Execute(ctx, run, raw)
}

type randomReader struct{ *rand.Rand }

func (r randomReader) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = byte(r.Uint32())
	}
	return len(into), nil
}
