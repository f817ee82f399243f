package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/system"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// feed is a service with alerts that causes every kind of trouble while it returns them.
type feed struct {
	random *rand.Rand
	now    time.Time
	// skew is how far the service's clock is ahead.
	skew   time.Duration
	alerts []feedAlert
	// most is the largest page.
	most     int
	troubles bool
	requests int
	// order is the order in which alerts are returned: ascending, descending or random; "" for one that changes.
	order string
	// expand holds the $expand of the last request.
	expand string
}

type feedAlert struct {
	id               string
	created, visible time.Time
}

var comparison = regexp.MustCompile(`alertCreationTime (ge|lt) (\S+Z)`)

// Do answers a request as the service would.
func (f *feed) Do(request *http.Request) (*http.Response, error) {
	f.requests++
	if f.troubles && f.random.IntN(40) == 0 {
		if f.random.IntN(2) == 0 {
			return respond(request, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`, http.Header{"Retry-After": {"60"}}), nil
		}
		return nil, &url.Error{Op: "Get", URL: "feed", Err: io.ErrUnexpectedEOF}
	}
	query := request.URL.Query()
	f.expand = query.Get("$expand")
	since, before := time.Time{}, time.Time{}
	for _, found := range comparison.FindAllStringSubmatch(query.Get("$filter"), -1) {
		at, err := time.Parse(time.RFC3339Nano, found[2])
		if err != nil {
			return nil, err
		}
		if found[1] == "ge" {
			since = at
		} else {
			before = at
		}
	}
	from, _ := slices.BinarySearchFunc(f.alerts, since, func(a feedAlert, at time.Time) int { return a.created.Compare(at) })
	var fitting []feedAlert
	for _, alert := range f.alerts[from:] {
		if !before.IsZero() && !alert.created.Before(before) {
			break
		}
		if !alert.visible.After(f.now) {
			fitting = append(fitting, alert)
		}
	}
	skip, _ := strconv.Atoi(query.Get("$skip"))
	top, _ := strconv.Atoi(query.Get("$top"))
	// The order differs between queries, and is the same for all pages of one query.
	order := rand.New(rand.NewPCG(uint64(since.UnixNano()), uint64(before.UnixNano())))
	switch {
	case f.order == "descending":
		slices.Reverse(fitting)
	case f.order == "random", f.order == "" && order.IntN(2) == 0:
		order.Shuffle(len(fitting), func(i, j int) { fitting[i], fitting[j] = fitting[j], fitting[i] })
	}
	page := fitting[min(skip, len(fitting)):]
	size := min(top, f.most)
	var next string
	if len(page) > size {
		page = page[:size]
		link := *request.URL
		query.Set("$skip", strconv.Itoa(skip+size))
		query.Set("$top", strconv.Itoa(top-size))
		if top > size {
			link.RawQuery = query.Encode()
			next = fmt.Sprintf(`"@odata.nextLink":%q,`, link.String())
		}
	}
	body := []byte(`{` + next + `"value":[`)
	for i, alert := range page {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(body, `{"id":"`...), alert.id...)
		body = alert.created.AppendFormat(append(body, `","alertCreationTime":"`...), "2006-01-02T15:04:05.0000000Z")
		body = append(body, `","severity":"High","title":"t"}`...)
	}
	return respond(request, http.StatusOK, string(body)+`]}`, http.Header{}), nil
}

func respond(request *http.Request, status int, body string, header http.Header) *http.Response {
	return &http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: request,
	}
}

// staticToken is a fixed token.
type staticToken struct{}

func (staticToken) Token(context.Context, *url.URL) (string, error) { return "token-of-the-test", nil }

func (staticToken) Renew(context.Context, *url.URL, string) (string, error) {
	return "token-of-the-test", nil
}

// lastRunHost keeps a last run. A fetch needs nothing else of a host.
type lastRunHost struct {
	Host
	lastRun json.RawMessage
}

func (h *lastRunHost) LastRun(context.Context) (json.RawMessage, error) { return h.lastRun, nil }

func (*lastRunHost) Log(context.Context, string) {}

func (h *lastRunHost) SetLastRun(_ context.Context, value json.RawMessage) error {
	h.lastRun = value
	return nil
}

// fetch runs fetch-incidents once by a clock that the service's is ahead of by skew.
func (f *feed) fetch(t *testing.T, host *lastRunHost, settings params.Fetch) (ids []string, commit func() error, err error) {
	t.Helper()
	return fetchOnce(t, f, func() time.Time { return f.now.Add(-f.skew) }, host, settings)
}

// tally counts what a fetch that must not fail handed over, and saves how far it came.
func tally(t *testing.T, times map[string]int, ids []string, commit func() error, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		times[id]++
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
}

// newRun returns a run of an instance with these settings of the fetch, whose requests service answers.
func newRun(t *testing.T, service policy.Transporter, now func() time.Time, host Host, settings params.Fetch) *Run {
	t.Helper()
	api, err := url.Parse("https://127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &Run{
		Instance: params.Instance{Fetch: settings}, Host: host, Now: now, Random: rand.NewChaCha8([32]byte{}),
		API: defender.New(defender.Options{
			Clock: system.Clock{Now: now, Sleep: func(context.Context, time.Duration) error { return nil }}, API: api, Tokens: staticToken{}, Graph: api,
			GraphTokens: func() (defender.TokenSource, error) { return staticToken{}, nil }, Transport: service,
		}),
	}
}

// fetchOnce runs fetch-incidents once and returns the ids that were handed over and the function that saves the progress.
func fetchOnce(t *testing.T, service policy.Transporter, now func() time.Time, host *lastRunHost, settings params.Fetch) (ids []string, commit func() error, err error) {
	t.Helper()
	done, err := fetchIncidents().Execute(t.Context(), newRun(t, service, now, host, settings), nil)
	if err != nil {
		return nil, nil, err
	}
	for _, incident := range gjson.Parse(gjson.Parse(string(warroom.JSON(done.Entries[0].Contents))).String()).Array() {
		ids = append(ids, incident.Get("dbotMirrorId").String())
	}
	return ids, func() error { return done.Commit(t.Context()) }, nil
}

// TestFetchLosesNothingAndRepeatsNothing fetches a feed of many alerts with every trouble in thousands of fetches:
// each alert is handed over exactly once, except those of a batch whose process ended between handing over and saving,
// which may be repeated.
func TestFetchLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	alerts := SampleOf(100_000, 20_000)
	seed := uint64(20261122)
	t.Logf("seed %d, %d alerts", seed, alerts)
	random := rand.New(rand.NewPCG(seed, 1))
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := &feed{random: random, now: begin, most: 700, troubles: true}
	settings := params.Fetch{Max: 200, First: 3 * 24 * time.Hour, LookBack: 15 * time.Minute}
	created := begin
	for i := range alerts {
		switch random.IntN(10) {
		case 0: // the same instant as the one before
		case 1:
			created = created.Add(100 * time.Nanosecond)
		default:
			created = created.Add(time.Duration(random.Int64N(int64(4*time.Second))) / 100 * 100)
		}
		alert := feedAlert{id: "a" + strconv.Itoa(i), created: created, visible: created}
		if random.IntN(20) == 0 {
			alert.visible = created.Add(time.Duration(random.Int64N(int64(14 * time.Minute))))
		}
		f.alerts = append(f.alerts, alert)
	}
	end := created.Add(time.Hour)
	host := &lastRunHost{}
	seen := map[string]int{}
	var repeatable map[string]bool
	fetches, ended, failed, largest := 0, 0, 0, 0
	for idle := 0; idle < 5; {
		fetches++
		switch fetches % 500 {
		case 0: // another clock, and another page size
			f.skew = []time.Duration{-5 * time.Minute, 0, 5 * time.Minute}[random.IntN(3)]
			settings.Max = []int{1, 37}[random.IntN(2)]
		case 20:
			settings.Max = 200
		}
		ids, commit, err := f.fetch(t, host, settings)
		if err != nil {
			var throttled *defender.ThrottledError
			var broken *defender.ConnectionError
			if !errors.As(err, &throttled) && !errors.As(err, &broken) {
				t.Fatalf("fetch %d: %v", fetches, err)
			}
			failed++
			continue
		}
		if len(ids) > settings.Max {
			t.Fatalf("fetch %d: got %d alerts, want at most %d", fetches, len(ids), settings.Max)
		}
		killed := random.IntN(50) == 0
		if killed && random.IntN(2) == 0 {
			continue // ended before anything was handed over
		}
		for _, id := range ids {
			seen[id]++
			if seen[id] > 1 && !repeatable[id] {
				t.Fatalf("fetch %d handed %s over again", fetches, id)
			}
		}
		if killed {
			ended++
			repeatable = map[string]bool{}
			for _, id := range ids {
				repeatable[id] = true
				seen[id]--
			}
			continue
		}
		for _, id := range ids {
			seen[id] = 1
		}
		repeatable = nil
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(host.lastRun))
		f.now = f.now.Add(time.Duration(random.Int64N(int64(3 * time.Minute))))
		if f.now.After(end) && len(ids) == 0 {
			idle++
		}
	}
	t.Logf("%d fetches, %d requests, %d ended before saving, %d failed, largest last run %d bytes", fetches, f.requests, ended, failed, largest)
	for _, alert := range f.alerts {
		if seen[alert.id] == 0 {
			t.Fatalf("%s, created %s, visible %s, was lost", alert.id, alert.created, alert.visible)
		}
	}
}

// TestLateAlertsAreHandedOverHoweverFewAtATime fetches one alert a minute while 40 appear late, behind the one that was handed
// over: none is lost, although the last of them comes long after the look-back.
// TestAlertsWithoutATimeAreHandedOverOnce returns them in every fetch, while a newer alert moves the cursor on.
func TestAlertsWithoutATimeAreHandedOverOnce(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	service := doer(func(request *http.Request) (*http.Response, error) {
		return respond(request, http.StatusOK, fmt.Sprintf(`{"value":[{"id":"no time"},{"id":"odd","alertCreationTime":"soon"},
			{"id":"no zone %[1]d","alertCreationTime":"%[2]s"},{"id":"at %[1]d","alertCreationTime":"%[2]sZ"}]}`,
			now.Unix(), now.Format("2006-01-02T15:04:05.5")), nil), nil
	})
	host, times := &lastRunHost{}, map[string]int{}
	for range 60 {
		ids, commit, err := fetchOnce(t, service, func() time.Time { return now }, host, params.Fetch{Max: 50, First: time.Hour, LookBack: 15 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			times[id]++
		}
		now = now.Add(time.Minute)
	}
	for id, handed := range times {
		if handed != 1 {
			t.Errorf("the alert %q was handed over %d times, want once", id, handed)
		}
	}
	if want := 2 + 2*60; len(times) != want {
		t.Errorf("got %d alerts, want %d", len(times), want)
	}
}

// doer is a service in a function.
type doer func(request *http.Request) (*http.Response, error)

func (d doer) Do(request *http.Request) (*http.Response, error) { return d(request) }

func TestLateAlertsAreHandedOverHoweverFewAtATime(t *testing.T) {
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f := &feed{now: begin, most: 1000, order: "ascending"}
	add := func(id string, created, visible time.Time) {
		f.alerts = append(f.alerts, feedAlert{id: id, created: created, visible: visible})
	}
	for i := range 40 {
		add(fmt.Sprintf("late%d", i), begin.Add(time.Duration(i-50)*time.Second), begin.Add(5*time.Minute))
	}
	add("first", begin.Add(-time.Second), begin)
	host, settings := &lastRunHost{}, params.Fetch{Max: 1, First: time.Hour, LookBack: 15 * time.Minute}
	seen := map[string]int{}
	for range 60 {
		ids, commit, err := f.fetch(t, host, settings)
		tally(t, seen, ids, commit, err)
		f.now = f.now.Add(time.Minute)
	}
	for _, alert := range f.alerts {
		if seen[alert.id] != 1 {
			t.Errorf("%s was handed over %d times, want once", alert.id, seen[alert.id])
		}
	}
}

// TestAFeedInTheOrderOfTimeTakesOneRequestForEachFetch catches up with many alerts of a service that returns the oldest first, as
// it does: a page is complete but for its end.
func TestAFeedInTheOrderOfTimeTakesOneRequestForEachFetch(t *testing.T) {
	f := &feed{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), most: 10_000, order: "ascending"}
	const alerts, fetches = 6_000, 30
	for i := range alerts {
		at := f.now.Add(time.Duration(i-alerts) * 200 * time.Millisecond)
		f.alerts = append(f.alerts, feedAlert{id: strconv.Itoa(i), created: at, visible: at})
	}
	host, settings := &lastRunHost{}, params.Fetch{Max: alerts / fetches, First: time.Hour, LookBack: 5 * time.Minute}
	for range fetches {
		ids, commit, err := f.fetch(t, host, settings)
		if err != nil || len(ids) != alerts/fetches {
			t.Fatalf("got %d alerts and %v, want %d", len(ids), err, alerts/fetches)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
	}
	if most := fetches + 2; f.requests > most { // the first fetch does not know where the feed begins
		t.Errorf("got %d requests for %d fetches, want at most %d", f.requests, fetches, most)
	}
}

// TestOnlyWhatNoFetchReadsAgainIsForgotten has alerts in the seconds around the beginning of the look-back, which begins within one.
func TestOnlyWhatNoFetchReadsAgainIsForgotten(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 500_000_000, time.UTC)
	const lookBack = 15 * time.Minute
	p := &progress{cursor: now, seen: map[int64]*marks{}}
	start := now.Add(-lookBack)
	before, within, after := dated{id: "before", at: start.Add(-time.Second)}, dated{id: "within", at: start.Add(time.Millisecond)}, dated{id: "after", at: start.Add(time.Second)}
	for _, one := range []dated{before, within, after} {
		p.hand(one)
	}
	p.forget(lookBack)
	if p.handedOver(before) || !p.handedOver(within) || !p.handedOver(after) {
		t.Errorf("got %t, %t and %t for the alerts before, at and after the beginning, want only the first to be forgotten",
			p.handedOver(before), p.handedOver(within), p.handedOver(after))
	}
	if got := p.start(lookBack); !got.Equal(start) {
		t.Errorf("got %s as the beginning of the next fetch, want %s: others may appear late", got, start)
	}
}

// TestAFeedLargerThanAPageIsReadFromItsBeginning has more alerts than the service returns at once, the newest first.
func TestAFeedLargerThanAPageIsReadFromItsBeginning(t *testing.T) {
	f := &feed{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), most: largestPage, order: "descending"}
	const alerts = largestPage + 2_000
	for i := range alerts {
		at := f.now.Add(time.Duration(i-alerts) * 200 * time.Millisecond)
		f.alerts = append(f.alerts, feedAlert{id: strconv.Itoa(i), created: at, visible: at})
	}
	host, settings := &lastRunHost{}, params.Fetch{Max: 200, First: time.Hour, LookBack: time.Minute}
	for number := range 3 {
		f.requests = 0
		ids, commit, err := f.fetch(t, host, settings)
		if err != nil || len(ids) != 200 || ids[0] != strconv.Itoa(200*number) || ids[199] != strconv.Itoa(200*number+199) {
			t.Fatalf("fetch %d: got %d alerts and %v, want the 200 oldest that were not handed over", number, len(ids), err)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		if number > 0 && f.requests > 2 { // a small page, and the largest
			t.Errorf("fetch %d: got %d requests, want two: the last fetch knows how much of the feed a page holds", number, f.requests)
		}
	}
}

// TestTheSpanOfAPageFollowsTheDensity notes how many alerts a span held: it is doubled while they are few.
func TestTheSpanOfAPageFollowsTheDensity(t *testing.T) {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	end := start.Add(time.Minute)
	for _, test := range []struct {
		end    time.Time
		alerts int
		want   time.Duration
	}{{end, 9_000, time.Minute}, {end, 2_500, time.Minute}, {end, 2_499, 2 * time.Minute}, {end, 0, 2 * time.Minute}, {time.Time{}, 9_000, 0}} {
		p := &progress{span: time.Second}
		if p.widen(start, test.end, test.alerts); p.span != test.want {
			t.Errorf("%d alerts until %s: got a span of %s, want %s", test.alerts, test.end, p.span, test.want)
		}
	}
}

func TestALastRunThatCannotBeReadIsTold(t *testing.T) {
	const ending = " Reset the last run of the instance to fetch again from its first fetch time."
	for text, want := range map[string]string{
		`[]`: "The last run of the instance cannot be read." + ending,
		`{"xsoar_defender_cursor":"x","xsoar_defender_floor":"2026-11-01T00:00:00Z"}`:                                                   "The last run of the instance has no valid value for xsoar_defender_cursor." + ending,
		`{"xsoar_defender_cursor":"2026-11-01T00:00:00Z"}`:                                                                              "The last run of the instance has no valid value for xsoar_defender_floor." + ending,
		`{"xsoar_defender_cursor":"2026-11-01T00:00:00Z","xsoar_defender_floor":"2026-11-01T00:00:00Z","xsoar_defender_seen":{"x":""}}`: "The last run of the instance has no valid value for xsoar_defender_seen." + ending,
		`{"last_alert_fetched_time":"x"}`:                                                                                               "The last run of the instance has no valid value for last_alert_fetched_time." + ending,
	} {
		_, _, err := (&feed{}).fetch(t, &lastRunHost{lastRun: json.RawMessage(text)}, params.Fetch{Max: 50, First: time.Hour})
		if _, is := errors.AsType[*ProgressError](err); !is || err.Error() != want {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestTheProgressOfAFetchIsReadAsItWasWritten(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	want := &progress{
		cursor: now.Add(-time.Second), floor: now.Add(-time.Hour), settled: now.Add(-time.Minute), span: 90 * time.Second,
		seen: map[int64]*marks{now.Unix(): {saved: mark("a") + mark("b")}}, incidents: json.RawMessage(`{"cursor":"x"}`),
	}
	got, err := readProgress(want.encode(), now, params.Fetch{First: time.Hour})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	if first, err := readProgress(json.RawMessage(` null`), now, params.Fetch{First: time.Hour}); err != nil || !first.cursor.Equal(now.Add(-time.Hour)) || !first.floor.Equal(first.cursor) {
		t.Errorf("got %+v and %v without a last run, want one that begins an hour ago", first, err)
	}
}

func TestEvidenceIsAskedForIfItIsWanted(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		f := &feed{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
		if _, _, err := f.fetch(t, &lastRunHost{}, params.Fetch{Max: 50, First: time.Hour, Evidence: wanted}); err != nil {
			t.Fatal(err)
		}
		if got := f.expand == "evidence"; got != wanted {
			t.Errorf("evidence wanted: %t: got $expand=%q", wanted, f.expand)
		}
	}
}

// TestWhatIsSettledIsNotReadAgain computes up to when no alert can appear late any longer.
func TestWhatIsSettledIsNotReadAgain(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	const lookBack = 15 * time.Minute
	ago := func(minutes time.Duration) time.Time { return now.Add(-minutes * time.Minute) }
	for name, test := range map[string]struct {
		cursor, before, left time.Time
		lookBack             time.Duration
		want                 time.Time
	}{
		"a fetch that is up to date":               {ago(1), time.Time{}, time.Time{}, lookBack, ago(25)}, // the clocks may differ by 5 minutes in either direction
		"one that lags behind":                     {ago(60), time.Time{}, time.Time{}, lookBack, ago(60)},
		"one that lags behind a little":            {ago(26), time.Time{}, time.Time{}, lookBack, ago(26)},
		"without a look-back":                      {ago(1), time.Time{}, time.Time{}, 0, ago(1)},
		"one that left alerts behind":              {ago(1), time.Time{}, ago(40), lookBack, ago(40)},
		"one that left alerts of the look-back":    {ago(1), time.Time{}, ago(10), lookBack, ago(25)},
		"one that left alerts, without look-back":  {ago(1), time.Time{}, ago(10), 0, ago(10)},
		"one that left alerts beyond the cursor":   {ago(60), time.Time{}, ago(10), lookBack, ago(60)},
		"what was settled before, by a clock":      {ago(1), ago(20), time.Time{}, lookBack, ago(20)},
		"what was settled before, and left behind": {ago(1), ago(20), ago(40), lookBack, ago(20)},
	} {
		p := &progress{cursor: test.cursor, settled: test.before}
		if p.settle(now, test.lookBack, test.left); !p.settled.Equal(test.want) {
			t.Errorf("%s: got %s, want %s", name, p.settled, test.want)
		}
	}
}
