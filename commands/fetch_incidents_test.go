package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/params"
)

// incidentFeed is Microsoft Graph with incidents that change, and with every kind of trouble.
type incidentFeed struct {
	mu        sync.Mutex // a fetch reads several incidents at once
	random    *rand.Rand
	now       time.Time
	incidents map[string]*feedIncident
	troubles  bool
	requests  int
}

type feedIncident struct {
	id               string
	created, updated time.Time
	// visible is when lists show the last change, and severity is that of the last change.
	visible  time.Time
	severity string
	merged   bool
}

func (i *feedIncident) json() string {
	status, redirect := "active", "null"
	if i.merged {
		status, redirect = "redirected", `"1"`
	}
	return fmt.Sprintf(`{"id":%q,"displayName":"n","status":%q,"severity":%q,"redirectIncidentId":%s,"createdDateTime":%q,"lastUpdateDateTime":%q}`,
		i.id, status, i.severity, redirect, i.created.Format(time.RFC3339Nano), i.updated.Format(time.RFC3339Nano))
}

var graphComparison = regexp.MustCompile(`(lastUpdateDateTime|createdDateTime) (ge|lt) (\S+Z)`)

// Do answers a request as Microsoft Graph would: one incident, or a page of those that match.
func (f *incidentFeed) Do(request *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if f.troubles && f.random.IntN(40) == 0 {
		if f.random.IntN(2) == 0 {
			return respond(request, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`, http.Header{"Retry-After": {"60"}}), nil
		}
		return nil, &url.Error{Op: "Get", URL: "feed", Err: io.ErrUnexpectedEOF}
	}
	if _, id, one := strings.Cut(request.URL.Path, "/security/incidents/"); one {
		return respond(request, http.StatusOK, f.incidents[id].json(), http.Header{}), nil
	}
	query := request.URL.Query()
	var fitting []*feedIncident
	for _, one := range f.incidents {
		if !one.visible.After(f.now) && f.fits(one, query.Get("$filter")) {
			fitting = append(fitting, one)
		}
	}
	slices.SortFunc(fitting, func(a, b *feedIncident) int { return b.updated.Compare(a.updated) })
	skip, _ := strconv.Atoi(query.Get("$skip"))
	top, _ := strconv.Atoi(query.Get("$top"))
	page := fitting[min(skip, len(fitting)):]
	next := ""
	if len(page) > top {
		page = page[:top]
		link := *request.URL
		query.Set("$skip", strconv.Itoa(skip+top))
		link.RawQuery = query.Encode()
		next = fmt.Sprintf(`"@odata.nextLink":%q,`, link.String())
	}
	texts := make([]string, len(page))
	for i, one := range page {
		texts[i] = one.json()
	}
	return respond(request, http.StatusOK, `{`+next+`"value":[`+strings.Join(texts, ",")+`]}`, http.Header{}), nil
}

func (f *incidentFeed) fits(one *feedIncident, filter string) bool {
	for _, found := range graphComparison.FindAllStringSubmatch(filter, -1) {
		at, err := time.Parse(time.RFC3339Nano, found[3])
		if err != nil {
			return false
		}
		value := one.updated
		if found[1] == "createdDateTime" {
			value = one.created
		}
		if (found[2] == "ge" && value.Before(at)) || (found[2] == "lt" && !value.Before(at)) {
			return false
		}
	}
	return !strings.Contains(filter, "severity eq 'high'") || one.severity == "high"
}

// fetch runs fetch-incidents once.
func (f *incidentFeed) fetch(t *testing.T, host *lastRunHost, settings params.Fetch) (ids []string, commit func() error, err error) {
	t.Helper()
	return fetchOnce(t, f, func() time.Time { return f.now }, host, settings)
}

// TestFetchOfIncidentsLosesNothingAndRepeatsNothing fetches incidents that change, appear late and are merged, with refusals,
// lost answers and processes that end: each that rises to high is handed over exactly once, however late that is, except
// those of a fetch whose process ended before its progress was saved.
func TestFetchOfIncidentsLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	seed := uint64(20261125)
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	f := &incidentFeed{random: random, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), incidents: map[string]*feedIncident{}, troubles: true}
	settings := params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: time.Hour, LookBack: 15 * time.Minute, Incidents: params.IncidentFilter{Severities: []string{"high"}}}
	host := &lastRunHost{lastRun: json.RawMessage(`{"other":1}`)}
	times, killed, wanted := map[string]int{}, map[string]bool{}, map[string]bool{}
	total := SampleOf(6000, 900)
	change := func(one *feedIncident, severity string) {
		one.updated, one.visible, one.severity = f.now, f.now, severity
		if random.IntN(10) == 0 {
			one.visible = f.now.Add(time.Duration(random.Int64N(int64(14 * time.Minute))))
		}
	}
	for idle := 0; idle < 30; {
		for range random.IntN(12) {
			if len(f.incidents) < total {
				f.now = f.now.Add(time.Duration(random.IntN(3)) * 100 * time.Nanosecond)
				one := &feedIncident{id: strconv.Itoa(1000 + len(f.incidents)), created: f.now}
				f.incidents[one.id] = one
				change(one, []string{"low", "high", "high"}[random.IntN(3)])
				wanted[one.id] = one.severity == "high"
			}
		}
		for range random.IntN(3) {
			id := strconv.Itoa(1000 + random.IntN(max(1, len(f.incidents))))
			if one := f.incidents[id]; one != nil && !one.merged && len(f.incidents) < total {
				change(one, "high")
				wanted[id] = true
			}
		}
		ids, commit, err := f.fetch(t, host, settings)
		f.now = f.now.Add(time.Duration(random.Int64N(int64(3 * time.Minute))))
		if err != nil {
			var throttled *defender.ThrottledError
			var broken *defender.ConnectionError
			if !errors.As(err, &throttled) && !errors.As(err, &broken) {
				t.Fatal(err)
			}
			continue
		}
		if len(ids) > settings.Max {
			t.Fatalf("got %d incidents, want at most %d", len(ids), settings.Max)
		}
		for _, id := range ids {
			times[id]++
		}
		if random.IntN(40) == 0 {
			for _, id := range ids {
				killed[id] = true
			}
			continue
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		if idle++; len(ids) > 0 || len(f.incidents) < total {
			idle = 0
		}
	}
	for id := range f.incidents {
		switch n := times[id]; {
		case wanted[id] && n == 0:
			t.Errorf("%s was lost", id)
		case n > 1 && !killed[id]:
			t.Errorf("%s was handed over %d times", id, n)
		case !wanted[id] && n > 0:
			t.Errorf("%s was handed over although it never matched", id)
		}
	}
	if gjson.GetBytes(host.lastRun, "other").Int() != 1 {
		t.Errorf("got the last run %.100s, want what else was in it to stay", host.lastRun)
	}
	t.Logf("%d incidents, %d requests, last run %d bytes", len(f.incidents), f.requests, len(host.lastRun))
}

func TestMergedAndOlderIncidentsAreNotFetched(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{random: rand.New(rand.NewPCG(1, 1)), now: begin, incidents: map[string]*feedIncident{}}
	add := func(id string, created time.Time, merged bool) {
		f.incidents[id] = &feedIncident{id: id, created: created, updated: begin.Add(-time.Minute), severity: "high", merged: merged}
	}
	add("1", begin.Add(-10*time.Minute), false)
	add("2", begin.Add(-10*time.Minute), true)
	add("3", begin.Add(-2*time.Hour), false)
	ids, _, err := f.fetch(t, &lastRunHost{}, params.Fetch{Type: params.FetchXDRIncidents, Max: 50, First: time.Hour})
	if err != nil || !slices.Equal(ids, []string{"1"}) {
		t.Errorf("got %q and %v, want the one that is neither merged nor older than the first fetch", ids, err)
	}
}

func TestAProgressThatIsNotReadableIsTold(t *testing.T) {
	for _, text := range []string{
		`[]`, `{"xsoar_defender_incidents":{}}`, `{"xsoar_defender_incidents":{"cursor":"2026-11-01T00:00:00Z","since":"x"}}`,
		`{"xsoar_defender_incidents":{"cursor":"2026-11-01T00:00:00Z","since":"2026-11-01T00:00:00Z","handed":"?"}}`,
	} {
		_, err := readIncidentProgress(json.RawMessage(text), time.Now(), params.Fetch{})
		if _, is := errors.AsType[*ProgressError](err); !is {
			t.Errorf("%s: got %v, want a progress that cannot be read", text, err)
		}
	}
}

// TestAProgressOfAWrongClockDoesNotSilenceTheFetch reads what was saved while the clock was years ahead.
func TestAProgressOfAWrongClockDoesNotSilenceTheFetch(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		`{"last_alert_fetched_time":"2099-01-01T00:00:00Z"}`,
		`{"xsoar_defender_cursor":"2099-01-01T00:00:00Z","xsoar_defender_floor":"2098-12-29T00:00:00Z","xsoar_defender_settled":"2098-12-31T23:40:00Z"}`,
		`{"xsoar_defender_cursor":"2026-11-22T11:00:00Z","xsoar_defender_floor":"2026-11-22T10:00:00Z","xsoar_defender_settled":"2098-12-31T23:40:00Z"}`,
	} {
		p, err := readProgress(json.RawMessage(text), now, params.Fetch{})
		if err != nil || p.cursor.After(now) || p.start(15*time.Minute).After(now) {
			t.Errorf("%s: got the progress %+v and %v, want one that reads from %s at the latest", text, p, err, now)
		}
	}
	p, err := readIncidentProgress(json.RawMessage(`{"xsoar_defender_incidents":{"cursor":"2099-01-01T00:00:00Z","since":"2098-12-29T00:00:00Z","handed":""}}`),
		now, params.Fetch{})
	if err != nil || p.cursor.After(now) || p.since.After(now) {
		t.Errorf("got the progress %+v of incidents and %v, want one that reads from %s at the latest", p, err, now)
	}
}

// TestTheHandedIncidentsAreBounded hands over more than a last run holds: the oldest are taken to be handed over.
func TestTheHandedIncidentsAreBounded(t *testing.T) {
	p, err := readIncidentProgress(nil, time.Now(), params.Fetch{})
	if err != nil {
		t.Fatal(err)
	}
	for id := range maxHanded + 500 {
		p.hand(strconv.Itoa(1_000_000 + id))
	}
	kept := p.encode(nil)
	if len(kept) > 100_000 {
		t.Errorf("got a last run of %d bytes, want at most 100,000", len(kept))
	}
	again, err := readIncidentProgress(kept, time.Now(), params.Fetch{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1000000", "1000499", "1000500", strconv.Itoa(1_000_000 + maxHanded + 499)} {
		if !again.handedOver(id) {
			t.Errorf("%s counts as new, want it handed over", id)
		}
	}
	if again.handedOver(strconv.Itoa(1_000_000 + maxHanded + 500)) {
		t.Error("the next incident counts as handed over, want it new")
	}
}
