package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// incidentFeed is Microsoft Graph with incidents that change, and with every kind of trouble.
type incidentFeed struct {
	mu   sync.Mutex // a fetch reads several incidents at once
	seed uint64
	now  time.Time
	// skew is how far the service's clock is ahead.
	skew      time.Duration
	incidents []*feedIncident
	troubles  bool
	// asked counts the requests for one thing, so that each has its own troubles whatever comes first.
	asked    map[string]uint64
	requests int
	// refuseAfter is how many requests are answered before all others are refused, or 0 for no end.
	refuseAfter int
	// refused, if set, is the id of an incident whose request is refused once all others were read.
	refused string
	// broken are the ids of incidents that the service cannot return alone.
	broken []string
	// moves, if set, is called before a page that continues a list: the list moves while it is read.
	moves func(random *rand.Rand)
}

type feedIncident struct {
	id               string
	created, updated time.Time
	// visible is when lists show the last change, and severity is that of the last change.
	visible  time.Time
	severity string
	merged   bool
	// source is the product that its alert comes from, or "" for none.
	source string
	// gone reports whether it no longer exists, although the list still has it.
	gone bool
}

func (i *feedIncident) json() string {
	status, redirect := "active", "null"
	if i.merged {
		status, redirect = "redirected", `"1"`
	}
	return fmt.Sprintf(`{"id":%q,"displayName":"n","status":%q,"severity":%q,"redirectIncidentId":%s,"createdDateTime":%q,"lastUpdateDateTime":%q,"alerts":[{"serviceSource":%q}]}`,
		i.id, status, i.severity, redirect, i.created.Format(time.RFC3339Nano), i.updated.Format(time.RFC3339Nano), i.source)
}

// find returns the incident with an id, or nil.
func (f *incidentFeed) find(id string) *feedIncident {
	at := slices.IndexFunc(f.incidents, func(one *feedIncident) bool { return one.id == id })
	if at < 0 {
		return nil
	}
	return f.incidents[at]
}

// chance returns the randomness of the next request for a path.
func (f *incidentFeed) chance(path string) *rand.Rand {
	if f.asked == nil {
		f.asked = map[string]uint64{}
	}
	f.asked[path]++
	named := fnv.New64a()
	named.Write([]byte(path))
	return rand.New(rand.NewPCG(f.seed^named.Sum64(), f.asked[path]))
}

// Do answers a request as Microsoft Graph would: one incident, or a page of those that match.
func (f *incidentFeed) Do(request *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.HasSuffix(request.URL.Path, "/incidents/"+f.refused) && f.refused != "" {
		for f.requests < len(f.incidents) { // the list, and each of the others
			f.mu.Unlock()
			runtime.Gosched()
			f.mu.Lock()
		}
		return respond(request, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`, http.Header{"Retry-After": {"60"}}), nil
	}
	f.requests++
	random := f.chance(request.URL.Path)
	trouble := random.IntN(80)
	switch {
	case f.refuseAfter > 0 && f.requests > f.refuseAfter, f.troubles && trouble == 0:
		return respond(request, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`, http.Header{"Retry-After": {"60"}}), nil
	case f.troubles && trouble == 1:
		return nil, &url.Error{Op: "Get", URL: "feed", Err: io.ErrUnexpectedEOF}
	}
	if _, id, one := strings.Cut(request.URL.Path, "/security/incidents/"); one {
		if slices.Contains(f.broken, id) {
			return respond(request, http.StatusBadRequest, `{"error":{"code":"BadRequest"}}`, http.Header{}), nil
		}
		if f.find(id).gone {
			return respond(request, http.StatusNotFound, `{"error":{"code":"ResourceNotFound"}}`, http.Header{}), nil
		}
		return respond(request, http.StatusOK, f.find(id).json(), http.Header{}), nil
	}
	query := request.URL.Query()
	skip, _ := strconv.Atoi(query.Get("$skip"))
	top, _ := strconv.Atoi(query.Get("$top"))
	if skip > 0 && f.moves != nil {
		f.moves(random)
	}
	matches, err := readGraphFilter(query.Get("$filter"))
	if err != nil {
		return nil, err
	}
	var fitting []*feedIncident
	for _, one := range f.incidents {
		if !one.visible.After(f.now) && matches(one) {
			fitting = append(fitting, one)
		}
	}
	// Those of the same time are in an order that differs from page to page.
	random.Shuffle(len(fitting), func(i, j int) { fitting[i], fitting[j] = fitting[j], fitting[i] })
	slices.SortStableFunc(fitting, func(a, b *feedIncident) int { return b.updated.Compare(a.updated) })
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

var graphComparison = regexp.MustCompile(`(lastUpdateDateTime|createdDateTime) (ge|lt) (\S+Z)`)

// readGraphFilter reads a filter on times, and on the severity high.
func readGraphFilter(filter string) (matches func(*feedIncident) bool, err error) {
	earliest, end, created := time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}
	for _, found := range graphComparison.FindAllStringSubmatch(filter, -1) {
		at, err := time.Parse(time.RFC3339Nano, found[3])
		if err != nil {
			return nil, err
		}
		switch found[1] + " " + found[2] {
		case "lastUpdateDateTime ge":
			earliest = at
		case "lastUpdateDateTime lt":
			end = at
		case "createdDateTime ge":
			created = at
		default:
			return nil, fmt.Errorf("the model has no filter like %s", found[0])
		}
	}
	onlyHigh := strings.Contains(filter, "severity eq 'high'")
	return func(one *feedIncident) bool {
		return !one.updated.Before(earliest) && one.updated.Before(end) && !one.created.Before(created) && (!onlyHigh || one.severity == "high")
	}, nil
}

// fetch runs fetch-incidents once by a clock that the service's is ahead of by skew.
func (f *incidentFeed) fetch(t *testing.T, host *lastRunHost, settings params.Fetch) (ids []string, commit func() error, err error) {
	t.Helper()
	return fetchOnce(t, f, func() time.Time { return f.now.Add(-f.skew) }, host, settings)
}

// TestFetchOfIncidentsLosesNothingAndRepeatsNothing fetches incidents that change, also while their list is read, appear late
// and are merged, with refusals, lost answers, clocks that differ, hours without a fetch, and processes that end: each that
// rises to high is handed over exactly once, however late that is, except those of a fetch whose process ended before its
// progress was saved. Once merged, none is handed over.
func TestFetchOfIncidentsLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	seed := uint64(20261125)
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	f := &incidentFeed{seed: seed, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), troubles: true}
	settings := params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: time.Hour, LookBack: 15 * time.Minute, Incidents: params.IncidentFilter{Severities: []string{"high"}}}
	host := &lastRunHost{lastRun: json.RawMessage(`{"other":1}`)}
	times, killed, wanted := map[string]int{}, map[string]bool{}, map[string]bool{}
	total := SampleOf(6000, 900)
	change := func(random *rand.Rand, one *feedIncident, severity string) {
		one.updated, one.visible, one.severity = f.now, f.now, severity
		if random.IntN(10) == 0 {
			one.visible = f.now.Add(time.Duration(random.Int64N(int64(14 * time.Minute))))
		}
		wanted[one.id] = wanted[one.id] || severity == "high"
	}
	changeAny := func(random *rand.Rand) {
		if len(f.incidents) == 0 || len(f.incidents) == total {
			return
		}
		if one := f.incidents[random.IntN(len(f.incidents))]; !one.merged {
			change(random, one, "high")
		}
	}
	f.moves = func(random *rand.Rand) {
		if random.IntN(2) == 0 {
			changeAny(random)
		}
	}
	merge := func(one *feedIncident) {
		one.merged, one.updated = true, f.now
		if times[one.id] == 0 {
			wanted[one.id] = false
		}
	}
	work := func(most int) {
		for range random.IntN(most) {
			if len(f.incidents) < total {
				f.now = f.now.Add(time.Duration(random.IntN(3)) * 100 * time.Nanosecond)
				f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + len(f.incidents)), created: f.now})
				change(random, f.incidents[len(f.incidents)-1], []string{"low", "high", "high"}[random.IntN(3)])
			}
		}
		for range random.IntN(3) {
			changeAny(random)
		}
		if len(f.incidents) > 0 && len(f.incidents) < total && random.IntN(10) == 0 {
			merge(f.incidents[random.IntN(len(f.incidents))])
		}
		f.now = f.now.Add(time.Duration(random.Int64N(int64(3 * time.Minute))))
	}
	for idle := 0; idle < 30; {
		work(12)
		if random.IntN(100) == 0 {
			f.skew = []time.Duration{-5 * time.Minute, 0, 5 * time.Minute}[random.IntN(3)]
		}
		if len(times) > 0 && random.IntN(60) == 0 {
			for range 60 { // about an hour and a half without a fetch
				work(6)
			}
		}
		ids, commit, err := f.fetch(t, host, settings)
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
			if f.find(id).merged {
				t.Errorf("%s was handed over although it was merged", id)
			}
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
	for _, one := range f.incidents {
		switch n := times[one.id]; {
		case wanted[one.id] && n == 0:
			t.Errorf("%s was lost", one.id)
		case n > 1 && !killed[one.id]:
			t.Errorf("%s was handed over %d times", one.id, n)
		case !wanted[one.id] && n > 0:
			t.Errorf("%s was handed over although it never matched", one.id)
		}
	}
	if gjson.GetBytes(host.lastRun, "other").Int() != 1 {
		t.Errorf("got the last run %.100s, want what else was in it to stay", host.lastRun)
	}
	t.Logf("%d incidents, %d requests, last run %d bytes", len(f.incidents), f.requests, len(host.lastRun))
}

// TestIncidentsThatMoveWhileTheirListIsReadAreHandedOverOnce reads a list of several pages in which an incident changes after
// the first page: it leaves the list, and the first one of the second page moves to the page that was read. Once everything
// was read, the look-back covers none of it any longer.
func TestIncidentsThatMoveWhileTheirListIsReadAreHandedOverOnce(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin}
	want := map[string]bool{}
	for i := range 120 {
		one := &feedIncident{id: strconv.Itoa(1000 + i), created: begin.Add(-time.Duration(i+1) * time.Minute), severity: "high"}
		one.updated = one.created
		f.incidents, want[one.id] = append(f.incidents, one), true
	}
	moved := 0
	f.moves = func(*rand.Rand) {
		if moved == 0 {
			f.incidents[10].updated = f.now
		}
		moved++
	}
	host, settings := &lastRunHost{}, params.Fetch{Type: params.FetchXDRIncidents, Max: 200, First: 3 * time.Hour, LookBack: 5 * time.Minute}
	for range 3 {
		ids, commit, err := f.fetch(t, host, settings)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if !want[id] {
				t.Errorf("got %s twice, want it once", id)
			}
			delete(want, id)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Minute)
	}
	if len(want) > 0 {
		t.Errorf("%v are lost", want)
	}
	if moved == 0 {
		t.Error("the list has one page, want several")
	}
}

// TestAFetchThatReadsMuchAndFindsNothingGoesOn reads many parts whose incidents all come from another product, until a refusal
// ends it: what was read is not read again.
func TestAFetchThatReadsMuchAndFindsNothingGoesOn(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin}
	for i := range 500 {
		at := begin.Add(-time.Duration(i+1) * time.Minute)
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at, severity: "high"})
	}
	host := &lastRunHost{}
	settings := params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: 10 * time.Hour, Incidents: params.IncidentFilter{ServiceSources: []string{"microsoftDefenderForEndpoint"}}}
	f.refuseAfter = 400
	ids, commit, err := f.fetch(t, host, settings)
	if err != nil || len(ids) > 0 {
		t.Fatalf("got %q and %v, want no incidents and a fetch that continued", ids, err)
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	f.requests = 0
	if ids, commit, err = f.fetch(t, host, settings); err != nil || len(ids) > 0 || f.requests > 400 {
		t.Fatalf("got %q and %v after %d requests, want the rest of the feed to be read", ids, err, f.requests)
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	f.requests = 0
	if _, _, err = f.fetch(t, host, settings); err != nil || f.requests > 2 {
		t.Errorf("got %v after %d requests, want nothing to be read again", err, f.requests)
	}
}

// TestAnIncidentThatCouldNotBeReadIsFetchedNext refuses the request for one of three incidents, the one that changed first.
func TestAnIncidentThatCouldNotBeReadIsFetchedNext(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f, host := &incidentFeed{now: begin, refused: "1000"}, &lastRunHost{}
	for i := range 3 {
		at := begin.Add(time.Duration(i-10) * time.Minute)
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at})
	}
	settings := params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: time.Hour}
	for _, want := range [][]string{{"1001", "1002"}, {"1000"}, nil} {
		ids, commit, err := f.fetch(t, host, settings)
		if err != nil || !slices.Equal(ids, want) {
			t.Fatalf("got %q and %v, want %q", ids, err, want)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		f.refused = ""
	}
}

// TestAnIncidentThatCannotBeReadStopsNoOther has one that is among the oldest of more than a fetch reads at once.
func TestAnIncidentThatCannotBeReadStopsNoOther(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f, host := &incidentFeed{now: begin, broken: []string{"1001"}}, &lastRunHost{}
	for i := range 3 * incidentPart {
		at := begin.Add(time.Duration(i-4*incidentPart) * time.Minute)
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at})
	}
	times := map[string]int{}
	fetch := func() {
		t.Helper()
		ids, commit, err := f.fetch(t, host, params.Fetch{Type: params.FetchXDRIncidents, Max: 100, First: 24 * time.Hour, LookBack: 15 * time.Minute})
		tally(t, times, ids, commit, err)
		f.now = f.now.Add(time.Minute)
	}
	for range 10 {
		fetch()
	}
	if len(times) != len(f.incidents)-1 || times["1001"] != 0 {
		t.Errorf("got %d incidents, want all %d but the one that cannot be read", len(times), len(f.incidents))
	}
	f.broken = nil
	fetch()
	fetch()
	for _, one := range f.incidents {
		if times[one.id] != 1 {
			t.Errorf("the incident %s was handed over %d times, want once", one.id, times[one.id])
		}
	}
}

// TestAStormOfChangesIsFetchedWhole has more changes within a second than the requests of a fetch suffice for. Each fetch begins in
// the look-back, which has them all, and yet comes further than the one before.
func TestAStormOfChangesIsFetchedWhole(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		incidents, fetches int
		apart              time.Duration
	}{
		"within ten minutes":   {2500, 5, 200 * time.Millisecond},
		"within seconds":       {2000, 5, time.Millisecond},
		"within a millisecond": {1500, 8, serviceTick},
	} {
		t.Run(name, func(t *testing.T) {
			f, host, times := &incidentFeed{now: begin}, &lastRunHost{}, map[string]int{}
			for i := range test.incidents {
				f.incidents = append(f.incidents, &feedIncident{
					id: strconv.Itoa(1000 + i), created: begin.Add(-time.Hour), updated: begin.Add(-11*time.Minute + time.Duration(i)*test.apart),
				})
			}
			for range test.fetches {
				f.now = f.now.Add(time.Second)
				ids, commit, err := f.fetch(t, host, params.Fetch{Type: params.FetchXDRIncidents, Max: 1000, First: 24 * time.Hour, LookBack: 15 * time.Minute})
				tally(t, times, ids, commit, err)
			}
			if len(times) != len(f.incidents) {
				t.Errorf("got %d incidents in %d fetches, want all %d", len(times), test.fetches, len(f.incidents))
			}
			for id, number := range times {
				if number != 1 {
					t.Errorf("the incident %s was handed over %d times, want once", id, number)
				}
			}
		})
	}
}

// TestAFailedReadSaysWhichIncident has one incident only, which cannot be read.
func TestAFailedReadSaysWhichIncident(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin, broken: []string{"1000"}, incidents: []*feedIncident{{id: "1000", created: begin.Add(-time.Minute), updated: begin.Add(-time.Minute)}}}
	_, _, err := f.fetch(t, &lastRunHost{}, params.Fetch{Type: params.FetchXDRIncidents, Max: 1, First: time.Hour})
	if err == nil || !strings.HasPrefix(err.Error(), "Incident 1000: The attempt to read the Defender XDR incident failed: ") || defender.StatusOf(err) != http.StatusBadRequest {
		t.Errorf("got %v, want an error of the service that names the incident", err)
	}
}

// TestIncidentsThatCannotBeReadDoNotWaitForEachOther fetches one incident at a time, of which the oldest two cannot be read, and the
// second of them can later.
func TestIncidentsThatCannotBeReadDoNotWaitForEachOther(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f, host := &incidentFeed{now: begin, broken: []string{"1000", "1001"}}, &lastRunHost{}
	for i := range 6 {
		at := begin.Add(time.Duration(i-10) * time.Minute)
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at})
	}
	var fetched []string
	for round := range 8 {
		if round == 5 {
			f.broken = []string{"1000"}
		}
		ids, commit, err := f.fetch(t, host, params.Fetch{Type: params.FetchXDRIncidents, Max: 1, First: 24 * time.Hour, LookBack: 15 * time.Minute})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		fetched = append(fetched, ids...)
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Minute)
	}
	if want := []string{"1002", "1003", "1004", "1005", "1001"}; !slices.Equal(fetched, want) {
		t.Errorf("got %q, want %q", fetched, want)
	}
}

// TestIncidentsAreFetchedByTheProductOfTheirAlerts has an incident of another product, which gets an alert of the wanted one later, and
// one that is gone when it is read.
func TestIncidentsAreFetchedByTheProductOfTheirAlerts(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f, host := &incidentFeed{now: begin}, &lastRunHost{}
	for i, source := range []string{"microsoftDefenderForEndpoint", "microsoftDefenderForIdentity", "microsoftDefenderForEndpoint", ""} {
		at := begin.Add(time.Duration(i-10) * time.Minute)
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at, source: source, gone: i == 2})
	}
	settings := params.Fetch{
		Type: params.FetchXDRIncidents, Max: 20, First: time.Hour, LookBack: 30 * time.Minute,
		Incidents: params.IncidentFilter{ServiceSources: []string{"microsoftDefenderForEndpoint", "microsoftDefenderForCloudApps"}},
	}
	fetch := func(requests int, want ...string) {
		t.Helper()
		f.requests = 0
		ids, commit, err := f.fetch(t, host, settings)
		if err != nil || !slices.Equal(ids, want) {
			t.Fatalf("got %q and %v, want %q", ids, err, want)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		if f.requests != requests {
			t.Errorf("got %d requests, want %d: the list, and what was not read as it is", f.requests, requests)
		}
		f.now = f.now.Add(time.Minute)
	}
	fetch(5, "1000")
	fetch(2) // the one that is gone
	f.incidents[1].source, f.incidents[1].updated = "microsoftDefenderForCloudApps", f.now.Add(-time.Second)
	fetch(3, "1001")
}

// TestIncidentsWhoseIDsAreNotNumbersAreKnownAgain hands over more numbered incidents than a last run holds in between.
func TestIncidentsWhoseIDsAreNotNumbersAreKnownAgain(t *testing.T) {
	p := &incidentProgress{}
	for _, id := range numbered("id-%d", 500) {
		if p.handedOver(id) {
			t.Errorf("%s counts as handed over, want it new", id)
		}
		p.hand(id)
	}
	p = &incidentProgress{}
	p.hand("b6f1-x")
	for id := range maxHanded + 1 {
		p.hand(strconv.Itoa(1000 + id))
	}
	if !p.handedOver("b6f1-x") || p.handedOver("b6f1-y") || p.handedOver(strconv.Itoa(1000+maxHanded+1)) {
		t.Errorf("got %t, %t and %t, want the first handed over, and neither the next one nor the next number",
			p.handedOver("b6f1-x"), p.handedOver("b6f1-y"), p.handedOver(strconv.Itoa(1000+maxHanded+1)))
	}
}

func TestAFetchOfWhichNoIncidentCouldBeReadFails(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin, refuseAfter: 1} // the list
	for i := range 3 {
		at := begin.Add(time.Duration(i-10) * time.Minute)
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at})
	}
	_, _, err := f.fetch(t, &lastRunHost{}, params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: time.Hour})
	if throttled, is := errors.AsType[*defender.ThrottledError](err); !is || throttled.After != time.Minute {
		t.Errorf("got %v, want the refusal, with a wait of a minute", err)
	}
}

func TestAFeedThatCannotBeReadInPartsIsTold(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	crowd := func(number int, at time.Time) *incidentFeed {
		f := &incidentFeed{now: begin}
		for i := range number {
			f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(1000 + i), created: at, updated: at})
		}
		return f
	}
	at := begin.Add(-time.Hour)
	for name, test := range map[string]struct {
		read func() error
		want FeedError
	}{
		"more alerts of an instant than a page holds": {func() error {
			f := &feed{now: begin, most: largestPage, order: "ascending"}
			for i := range largestPage + 1 {
				f.alerts = append(f.alerts, feedAlert{id: strconv.Itoa(i), created: at, visible: at})
			}
			_, _, err := f.fetch(t, &lastRunHost{}, params.Fetch{Max: 50, First: time.Hour})
			return err
		}, FeedError{At: at}},
		"more incidents of an instant than a part holds": {func() error {
			_, _, err := crowd(incidentPart+1, at).fetch(t, &lastRunHost{}, params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: time.Hour})
			return err
		}, FeedError{At: at, Incidents: true}},
		"the same at the beginning of years": {func() error {
			_, _, err := crowd(incidentPart+1, begin.AddDate(-5, 0, 0)).fetch(t, &lastRunHost{},
				params.Fetch{Type: params.FetchXDRIncidents, Max: 20, First: begin.Sub(begin.AddDate(-5, 0, 0))})
			return err
		}, FeedError{Requests: 40}},
		"more changes within a second, at the beginning of years, than a round of mirroring reads": {func() error {
			at := begin.AddDate(-5, 0, 0)
			f := crowd(maxIncidents+1, at)
			for i, one := range f.incidents {
				one.updated = at.Add(time.Duration(i) * serviceTick)
			}
			run := newRun(t, f, func() time.Time { return f.now }, &mirrorRunHost{kept: json.RawMessage(`{}`)}, params.Fetch{Type: params.FetchXDRIncidents})
			_, err := getModifiedRemoteData().Execute(t.Context(), run, map[string]json.RawMessage{"lastUpdate": json.RawMessage(`"` + at.Format(time.RFC3339) + `"`)})
			return err
		}, FeedError{Requests: maxMirrorRequests}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.read()
			told, is := errors.AsType[*FeedError](err)
			if !is || *told != test.want {
				t.Errorf("got %v, want %v", err, &test.want)
			}
		})
	}
}

// TestARoundAfterAnOutageGoesOnWhereTheFirstPartEnds mirrors more changes than a list holds, all of them at the end of a long
// time: the rounds come to them although the first part holds nothing, and report each once.
func TestARoundAfterAnOutageGoesOnWhereTheFirstPartEnds(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin.Add(24 * time.Hour)}
	want := map[string]bool{}
	for i := range maxIncidents + 200 {
		at := f.now.Add(-20 * time.Minute).Add(time.Duration(i) * time.Second)
		one := &feedIncident{id: strconv.Itoa(1000 + i), created: begin, updated: at, severity: "low"}
		f.incidents, want[one.id] = append(f.incidents, one), true
	}
	host := &mirrorRunHost{kept: json.RawMessage(`{}`)}
	asked := begin
	for round := 0; len(want) > 0; round++ {
		if round == 20 {
			t.Fatalf("%d of %d were not reported in 20 rounds", len(want), len(f.incidents))
		}
		run := newRun(t, f, func() time.Time { return f.now }, host, params.Fetch{Type: params.FetchXDRIncidents})
		run.Instance.Mirror.LookBack = 5 * time.Minute
		done, err := getModifiedRemoteData().Execute(t.Context(), run, map[string]json.RawMessage{"lastUpdate": json.RawMessage(`"` + asked.Format(time.RFC3339Nano) + `"`)})
		if err != nil {
			t.Fatal(err)
		}
		asked, f.now = f.now, f.now.Add(time.Minute)
		for _, id := range gjson.Parse(string(warroom.JSON(done.Entries[0].Contents))).Array() {
			if !want[id.Str] {
				t.Errorf("%s was reported again", id)
			}
			delete(want, id.Str)
		}
		if err := done.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARoundIsNotHeldUpByManyChangesAtOnce has more changes within 15 seconds than a list holds, which the look-back of the rounds after
// them covers: what changes later is reported by the next round.
func TestARoundIsNotHeldUpByManyChangesAtOnce(t *testing.T) {
	f := &incidentFeed{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	change := func(id int) {
		f.incidents = append(f.incidents, &feedIncident{id: strconv.Itoa(id), created: f.now.Add(-time.Hour), updated: f.now.Add(-time.Duration(id) * 5 * time.Millisecond), severity: "low"})
	}
	for id := range 3 * maxIncidents {
		change(1000 + id)
	}
	host, reported := &mirrorRunHost{kept: json.RawMessage(`{}`)}, map[string]int{}
	for round := range 10 {
		change(10 + round)
		run := newRun(t, f, func() time.Time { return f.now.Add(time.Second) }, host, params.Fetch{Type: params.FetchXDRIncidents})
		run.Instance.Mirror.LookBack = 5 * time.Minute
		since := rawMessage(f.now.Add(-time.Minute).Format(time.RFC3339Nano))
		done, err := getModifiedRemoteData().Execute(t.Context(), run, map[string]json.RawMessage{"lastUpdate": since})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range gjson.Parse(string(warroom.JSON(done.Entries[0].Contents))).Array() {
			reported[id.Str]++
		}
		if reported[strconv.Itoa(10+round)] == 0 {
			t.Errorf("round %d did not report the change of its minute", round)
		}
		if err := done.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Minute)
	}
	if len(reported) != len(f.incidents) {
		t.Errorf("got %d changes, want all %d", len(reported), len(f.incidents))
	}
}

// TestALookBackThatIsNotReadWholeIsLogged has more changes within a moment of the look-back than a list holds.
func TestALookBackThatIsNotReadWholeIsLogged(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		changes int
		apart   time.Duration
		want    string
	}{
		"almost at once":      {maxIncidents + 1, serviceTick, "from 2026-11-01T11:53:00Z to 2026-11-01T11:58:00Z it read only what is before 2026-11-01T11:53:"},
		"that a round reads":  {maxIncidents + 1, time.Millisecond, ""},
		"that one list holds": {maxIncidents, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &incidentFeed{now: now}
			for id := range test.changes {
				f.incidents = append(f.incidents, &feedIncident{
					id: strconv.Itoa(1000 + id), created: now.Add(-time.Hour), updated: now.Add(-400*time.Second + time.Duration(id)*test.apart), severity: "low",
				})
			}
			host := &mirrorRunHost{kept: (&mirrorState{Cursor: now.Add(-2 * time.Minute).Format(time.RFC3339)}).encode()}
			run := newRun(t, f, func() time.Time { return now }, host, params.Fetch{Type: params.FetchXDRIncidents})
			run.Instance.Mirror.LookBack = 5 * time.Minute
			if _, err := getModifiedRemoteData().Execute(t.Context(), run, map[string]json.RawMessage{"lastUpdate": rawMessage(now.Format(time.RFC3339))}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(host.logged, "\n"); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("got the log %q, want %q in it", got, test.want)
			}
		})
	}
}

// TestARoundBeginsWhereTheLastOneEnded asks for the changes since several times, with and without the state of an earlier round.
func TestARoundBeginsWhereTheLastOneEnded(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: now}
	for id, ago := range map[string]time.Duration{"14": 14 * time.Minute, "16": 16 * time.Minute, "60": time.Hour, "119": 119 * time.Minute} {
		f.incidents = append(f.incidents, &feedIncident{id: id, created: now.Add(-3 * time.Hour), updated: now.Add(-ago)})
	}
	before := func(ago time.Duration) string { return now.Add(-ago).Format(time.RFC3339) }
	for name, test := range map[string]struct {
		since, cursor string
		lookBack      time.Duration
		want          []string
	}{
		"the first round of all":               {"", "", 0, []string{"14"}},
		"the first round, with a look-back":    {"", "", 2 * time.Minute, []string{"14", "16"}},
		"the first round, which names a time":  {before(time.Hour), "", 0, []string{"14", "16", "60"}},
		"a person who names a span":            {"2 hours", "", 0, []string{"119", "14", "16", "60"}},
		"a later round":                        {before(2 * time.Hour), before(30 * time.Minute), 0, []string{"14", "16"}},
		"a later round, with a look-back":      {before(2 * time.Hour), before(30 * time.Minute), 30 * time.Minute, []string{"14", "16", "60"}},
		"the zero time":                        {"0001-01-01T00:00:00Z", "", 0, []string{"14"}},
		"a clock that was ahead":               {"", before(-time.Hour), 20 * time.Minute, []string{"14", "16"}},
		"a time that is ahead, without a past": {before(-time.Hour), "", 0, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			run := newRun(t, f, func() time.Time { return now }, &mirrorRunHost{kept: (&mirrorState{Cursor: test.cursor}).encode()}, params.Fetch{Type: params.FetchXDRIncidents})
			run.Instance.Mirror.LookBack = test.lookBack
			done, err := getModifiedRemoteData().Execute(t.Context(), run, map[string]json.RawMessage{"lastUpdate": rawMessage(test.since)})
			if err != nil {
				t.Fatal(err)
			}
			ids := []string{}
			for _, id := range gjson.Parse(string(warroom.JSON(done.Entries[0].Contents))).Array() {
				ids = append(ids, id.Str)
			}
			if !slices.Equal(ids, test.want) {
				t.Errorf("got %q, want %q", ids, test.want)
			}
		})
	}
}

// TestChangesThatMoveWhileTheirListIsReadAreReported mirrors a list of several pages in which an incident changes after the first page,
// so that the first one of the second page moves to the page that was read.
func TestChangesThatMoveWhileTheirListIsReadAreReported(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin.Add(3 * time.Hour)}
	want := map[string]bool{}
	for i := range 120 {
		at := f.now.Add(-time.Duration(i+1) * time.Minute)
		one := &feedIncident{id: strconv.Itoa(1000 + i), created: begin, updated: at, severity: "low"}
		f.incidents, want[one.id] = append(f.incidents, one), true
	}
	moved := false
	f.moves = func(*rand.Rand) {
		if !moved {
			f.incidents[10].updated = f.now
		}
		moved = true
	}
	run := newRun(t, f, func() time.Time { return f.now }, &mirrorRunHost{kept: json.RawMessage(`{}`)}, params.Fetch{Type: params.FetchXDRIncidents})
	run.Instance.Mirror.LookBack = 5 * time.Minute
	done, err := getModifiedRemoteData().Execute(t.Context(), run, map[string]json.RawMessage{"lastUpdate": json.RawMessage(`"` + begin.Format(time.RFC3339Nano) + `"`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range gjson.Parse(string(warroom.JSON(done.Entries[0].Contents))).Array() {
		delete(want, id.Str)
	}
	delete(want, f.incidents[10].id) // changed at the very end, which the next round reads
	if len(want) > 0 || !moved {
		t.Errorf("%v are lost, moved: %t", want, moved)
	}
}

func TestMergedAndOlderIncidentsAreNotFetched(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &incidentFeed{now: begin}
	add := func(id string, created time.Time, merged bool) {
		f.incidents = append(f.incidents, &feedIncident{id: id, created: created, updated: begin.Add(-time.Minute), severity: "high", merged: merged})
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
	if len(p.handed) > maxHanded {
		t.Errorf("got %d ids, want at most %d", len(p.handed), maxHanded)
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

func TestAnXDRIncidentAsThePlatformExpectsIt(t *testing.T) {
	run := &Run{}
	for text, want := range map[string]incident{
		`{"id":"7","displayName":"n","severity":"high","createdDateTime":"2026-11-20T10:00:00.25Z"}`: {Name: "Defender incident: n (7)", Severity: 3, MirrorID: "7", Occurred: "2026-11-20T10:00:00.25Z"},
		`{"id":"8","displayName":"n","severity":"other"}`:                                            {Name: "Defender incident: n (8)", MirrorID: "8"},
	} {
		got := xdrIncident(run, rawjson.Value(text))
		if got.RawJSON == "" {
			t.Errorf("%s: got no raw JSON", text)
		}
		if got.RawJSON = ""; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}
