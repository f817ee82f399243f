package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func fetchCommands() []func() Command {
	return []func() Command{
		fetchIncidents,
	}
}

func fetchIncidents() Command {
	return declare(Command{
		Name: FetchCommand, Area: Connection, Platform: true,
		Help: "Fetches alerts, or Defender XDR incidents, as incidents. The platform calls it at a regular interval.",
		Uses: []defender.Operation{defender.ListAlerts, defender.ListIncidents, defender.GetIncident},
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if problems := run.Instance.Fetch.Problems; problems != nil {
			return Report{}, problems
		}
		kept, err := run.Host.LastRun(ctx)
		if err != nil {
			return Report{}, err
		}
		if run.Instance.Fetch.Type == params.FetchXDRIncidents {
			return fetchXDRIncidents(ctx, run, kept)
		}
		fetch := &fetcher{run: run, settings: run.Instance.Fetch, now: run.Now()}
		if fetch.progress, err = readProgress(kept, fetch.now, fetch.settings); err != nil {
			return Report{}, err
		}
		begun := fetch.progress.encode()
		alerts, err := fetch.next(ctx)
		if throttled, ok := errors.AsType[*defender.ThrottledError](err); ok && throttled.Err == nil {
			return handOver(ctx, run, incidentsOf(run, nil), begun, fetch.progress.encode) // the quota is somebody else's now
		}
		if err != nil {
			return Report{}, err
		}
		return handOver(ctx, run, incidentsOf(run, alerts), begun, fetch.progress.encode)
	})
}

// handOver reports incidents. The progress of the fetch is saved once they have been handed over: a process that ends in
// between hands the same ones over again and loses none. Until then the saved progress is where this fetch began.
func handOver(ctx context.Context, run *Run, incidents []incident, begun json.RawMessage, ended func() json.RawMessage) (Report, error) {
	text, err := json.Marshal(incidents)
	if err != nil {
		return Report{}, err
	}
	if err := run.Host.SetLastRun(ctx, begun); err != nil {
		return Report{}, err
	}
	return Report{
		Entries: []warroom.Entry{{Contents: warroom.Text(text)}},
		Commit:  func(ctx context.Context) error { return run.Host.SetLastRun(ctx, ended()) },
	}, nil
}

// fetcher reads the alerts that earlier fetches have not handed over.
type fetcher struct {
	run      *Run
	settings params.Fetch
	now      time.Time
	progress *progress
	// done is the end of the part that this fetch has already read.
	done     time.Time
	requests int
}

// dated is an alert with its creation time.
type dated struct {
	alert rawjson.Value
	id    string
	at    time.Time
	// found is set if the time could not be read, to that of the fetch: at is then the cursor of the progress.
	found time.Time
}

// The limits of one fetch. The service does not document an order of alerts, so a part of the feed is used only if all
// of it was read: if it is larger than a page, a shorter span of time is requested.
const (
	// smallestPage and largestPage are the sizes of pages. A fetch asks for as many alerts as it expects.
	smallestPage = 1_000
	largestPage  = 10_000
	// fetchRequests is the maximum number of requests of one fetch. A fetch a minute then leaves most of the 1,500
	// requests an hour to others, whatever the feed does.
	fetchRequests = 8
)

// FeedError reports that the feed could not be read in complete parts.
type FeedError struct {
	// Requests is the number of requests after which a fetch gave up, or 0 if an instant has too many alerts: At.
	Requests int
	At       time.Time
	// Incidents reports whether it is the feed of Defender XDR incidents.
	Incidents bool
}

func (e *FeedError) Error() string {
	if e.Requests > 0 {
		return fmt.Sprintf("The program gave up after %d requests: the service truncates every answer. Try again later.", e.Requests)
	}
	things, most, filters := "alerts", largestPage, "severity, status or detection source"
	if e.Incidents {
		things, most, filters = "incidents", incidentPart, "severity or status"
	}
	return fmt.Sprintf("The fetch cannot continue after %s: the service has more than %d %s of that instant and returns only some of them. Restrict the fetch by %s.",
		e.At.UTC().Format(time.RFC3339Nano), most, things, filters)
}

// next returns the oldest alerts that have not been handed over, at most as many as the instance fetches at once. If a
// request fails after others have brought alerts, those are returned.
func (f *fetcher) next(ctx context.Context) ([]dated, error) {
	var taken []dated
	for f.requests < fetchRequests {
		alerts, end, complete, err := f.window(ctx)
		if err != nil && len(taken) == 0 {
			return nil, err
		}
		if err != nil || !complete {
			return taken, nil //nolint:nilerr // what was read is handed over; the next fetch meets the error again
		}
		if taken = f.take(taken, alerts, end); end.IsZero() || len(taken) >= f.settings.Max {
			return taken, nil
		}
	}
	return taken, nil
}

// take advances over alerts that are complete up to end, or complete altogether if end is zero.
func (f *fetcher) take(taken, alerts []dated, end time.Time) []dated {
	reached, left := end, time.Time{}
	for _, one := range alerts {
		if !f.progress.handedOver(one) {
			if len(taken) >= f.settings.Max {
				reached, left = time.Time{}, one.at
				break
			}
			taken = append(taken, one)
			f.progress.hand(one)
		}
		f.progress.reach(one.at, f.now)
	}
	f.done = end
	f.progress.reach(reached, f.now)
	f.progress.settle(f.now, f.settings.LookBack, left)
	f.progress.forget(f.settings.LookBack)
	return taken
}

// window reads a complete part of the feed, sorted by time: from what must be read again to end, or to the newest alert if
// end is zero. It is not complete if the requests of the fetch do not suffice; the next fetch then asks for less.
func (f *fetcher) window(ctx context.Context) (alerts []dated, end time.Time, complete bool, err error) {
	start := later(f.progress.start(f.settings.LookBack), f.done)
	if span := f.progress.span; span > 0 && start.Add(span).Before(f.now) {
		end = start.Add(span)
	}
	size := f.progress.expected(start) + f.settings.Max
	for size = min(largestPage, max(smallestPage, size+size/4)); f.requests < fetchRequests; {
		page, err := f.read(ctx, start, end, size)
		if err != nil {
			return nil, end, false, err
		}
		if !page.more {
			f.progress.widen(start, end, len(page.alerts))
			return page.alerts, end, true, nil
		}
		if last, ok := page.oldest(f.progress, start); ok {
			return page.before(last), last, true, nil
		}
		narrower := page.shorten(start)
		switch tick := start.Add(serviceTick); {
		case size < largestPage:
			size = largestPage
			continue // a larger page may hold everything
		case narrower.Before(tick):
			narrower = tick
		}
		if !end.IsZero() && !narrower.Before(end) {
			return nil, end, false, &FeedError{At: start}
		}
		end = narrower
		f.progress.span = end.Sub(start)
	}
	return nil, end, false, nil
}

// page is an answer of the feed, sorted by time.
type page struct {
	alerts []dated
	// more reports whether the service has more alerts in the same span, and ascending whether it returned the oldest first.
	more, ascending bool
}

// oldest returns the time before which a page holds everything, if it holds the oldest alerts of its span: the service has
// returned them in the order of time, and either from an alert on that was handed over before, or from the beginning.
func (p page) oldest(progress *progress, start time.Time) (time.Time, bool) {
	if !p.ascending || len(p.alerts) == 0 {
		return time.Time{}, false
	}
	first, last := p.alerts[0], p.alerts[len(p.alerts)-1].at
	return last, last.After(first.at) && (first.at.Equal(start) || progress.isOldest(first, start))
}

// before returns the alerts of a page before a time.
func (p page) before(end time.Time) []dated {
	n, _ := slices.BinarySearchFunc(p.alerts, end, func(one dated, at time.Time) int { return one.at.Compare(at) })
	return p.alerts[:n]
}

// serviceTick is the precision of the service's times.
const serviceTick = 100 * time.Nanosecond

// shorten chooses an end before which a page should hold everything. A page that begins long after the start of its span
// has the newest alerts: the time before it is taken to be as dense as the page. Any other page is a sample of the span, of
// which a tenth is taken.
func (p page) shorten(start time.Time) time.Time {
	if len(p.alerts) == 0 {
		return start
	}
	first, last := p.alerts[0].at, p.alerts[len(p.alerts)-1].at
	tenth := p.alerts[len(p.alerts)/10].at
	if before := first.Sub(start); before > last.Sub(first) {
		// half of what the page spans, and never more than a quarter of what is before it
		return start.Add(min(max(last.Sub(first)/2, serviceTick), max(before/4, serviceTick))).Truncate(serviceTick)
	}
	return tenth.Truncate(serviceTick)
}

// read requests the alerts from start until before end.
func (f *fetcher) read(ctx context.Context, start, end time.Time, limit int) (page, error) {
	f.requests++
	filters := []defender.Filter{
		defender.Since("alertCreationTime", start),
		defender.EqualAny("status", f.settings.Statuses),
		defender.EqualAny("severity", f.settings.Severities),
		defender.EqualAny("detectionSource", f.settings.DetectionSources),
	}
	if !end.IsZero() {
		filters = append(filters, defender.Before("alertCreationTime", end))
	}
	query := defender.Query{Filter: defender.And(filters...), Limit: limit}
	if f.settings.Evidence {
		query.Expand = "evidence"
	}
	list, err := f.run.API.Alerts(ctx, query)
	if err != nil {
		return page{}, err
	}
	read := page{alerts: make([]dated, len(list.Items)), more: list.More}
	for i, alert := range list.Items {
		read.alerts[i] = f.date(alert)
	}
	// Something on the way that drops the filter must not bring back what the integration before this one has handed over.
	read.alerts = slices.DeleteFunc(read.alerts, func(one dated) bool { return one.at.Before(start) })
	byTime := func(a, b dated) int { return a.at.Compare(b.at) }
	read.ascending = slices.IsSortedFunc(read.alerts, byTime)
	slices.SortStableFunc(read.alerts, func(a, b dated) int { return cmp.Or(byTime(a, b), cmp.Compare(a.id, b.id)) })
	return read, nil
}

// date reads the creation time of an alert. An alert without a readable time counts as created at the cursor of the
// progress, and is remembered as of now, so that it is handed over once and not lost.
func (f *fetcher) date(alert rawjson.Value) dated {
	one := dated{alert: alert, id: alert.Text("id"), at: parseTime(alert.Text("alertCreationTime"))}
	if one.at.IsZero() {
		one.at, one.found = f.progress.cursor, f.now
	}
	return one
}

// incident is an incident as the platform expects it. The last three are only there if the incident is mirrored.
type incident struct {
	Name      string   `json:"name"`
	Occurred  string   `json:"occurred,omitempty"`
	Severity  int      `json:"severity"`
	RawJSON   string   `json:"rawJSON"`
	MirrorID  string   `json:"dbotMirrorId"`
	Direction string   `json:"dbotMirrorDirection,omitempty"`
	Instance  string   `json:"dbotMirrorInstance,omitempty"`
	Tags      []string `json:"dbotMirrorTags,omitempty"`
}

// mirror adds the raw text of an incident, and what makes the platform mirror it if the instance says so.
func (i *incident) mirror(run *Run, raw rawjson.Value) {
	i.RawJSON = string(raw)
	if direction := run.Instance.Mirror.Direction; direction != "" {
		i.Direction, i.Instance, i.Tags = direction, run.InstanceName, []string{run.Instance.Mirror.TagTo}
	}
}

// incidentName begins as the names of the existing integration do: rules and classifiers of the platform match them.
func incidentName(one dated) string {
	name := "Microsoft Defender ATP Alert " + one.id
	if title := one.alert.Text("title"); title != "" {
		name += ": " + title
	}
	return name
}

// incidentsOf returns alerts as the platform expects them.
func incidentsOf(run *Run, alerts []dated) []incident {
	incidents := make([]incident, len(alerts))
	for i, one := range alerts {
		incidents[i] = incident{
			Name:     incidentName(one),
			Occurred: one.at.Format(time.RFC3339Nano),
			Severity: incidentSeverity(one.alert.Text("severity")),
			MirrorID: one.id,
		}
		raw := one.alert
		if run.Instance.Mirror.Direction != "" {
			raw = extended(alertRemote{run}.show(raw), func(string) bool { return false }, mirrorKeys(run)...)
		}
		incidents[i].mirror(run, raw)
	}
	return incidents
}

// incidentSeverity maps an alert's severity to the platform's scale of 0, unknown, to 4, critical. The platform's
// scale has no other whole number for an informational alert than 0.
func incidentSeverity(severity string) int {
	switch severity {
	case "Low":
		return 1
	case "Medium":
		return 2
	case "High":
		return 3
	}
	return 0
}
