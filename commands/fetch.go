package commands

import (
	"cmp"
	"context"
	"encoding/json"
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
	done time.Time
}

// dated is an alert with its creation time.
type dated struct {
	alert rawjson.Value
	id    string
	at    time.Time
}

// The limits of one fetch. The service does not document an order of alerts, so a part of the feed is used only if all
// of it was read: if it is larger than a page, a shorter span of time is requested.
const (
	fetchPage     = 1000
	fetchRequests = 60
)

// FeedError reports that the feed could not be read in complete parts.
type FeedError struct{ Requests int }

func (e *FeedError) Error() string {
	return fmt.Sprintf("The fetch gave up after %d requests: the service truncates every answer. Try again later.", e.Requests)
}

// next returns the oldest alerts that have not been handed over, at most as many as the instance fetches at once.
func (f *fetcher) next(ctx context.Context) ([]dated, error) {
	var taken []dated
	for requests := 0; requests < fetchRequests; {
		alerts, end, used, err := f.window(ctx)
		if err != nil {
			return nil, err
		}
		requests += used
		if taken = f.take(taken, alerts, end); end.IsZero() || len(taken) >= f.settings.Max {
			return taken, nil
		}
	}
	if len(taken) == 0 {
		return nil, &FeedError{fetchRequests}
	}
	return taken, nil
}

// take advances over alerts that are complete up to end, or complete altogether if end is zero.
func (f *fetcher) take(taken, alerts []dated, end time.Time) []dated {
	reached := end
	for _, one := range alerts {
		if !f.progress.handedOver(one) {
			if len(taken) >= f.settings.Max {
				reached = time.Time{}
				break
			}
			taken = append(taken, one)
			f.progress.hand(one)
		}
		f.progress.reach(one.at, f.now)
	}
	f.done = end
	f.progress.reach(reached, f.now)
	f.progress.forget(f.settings.LookBack)
	return taken
}

// window reads a complete part of the feed: from the look-back of the progress to end, or to the newest alert if end
// is zero. It is sorted by time.
func (f *fetcher) window(ctx context.Context) (alerts []dated, end time.Time, requests int, err error) {
	start := later(f.progress.start(f.settings.LookBack), f.done)
	for limit := fetchPage; ; {
		alerts, more, err := f.read(ctx, start, end, limit)
		requests++
		if err != nil || !more || limit > fetchPage || requests >= fetchRequests {
			return alerts, end, requests, err
		}
		narrower := shorten(alerts, start)
		if !narrower.After(start) || (!end.IsZero() && !narrower.Before(end)) {
			// A single instant has more alerts than a page: it is read as far as the service allows.
			narrower, limit = start.Add(serviceTick), defender.Everything
			if len(alerts) > 0 {
				narrower = alerts[0].at.Add(serviceTick)
			}
		}
		end = narrower
	}
}

// serviceTick is the precision of the service's times.
const serviceTick = 100 * time.Nanosecond

// shorten chooses an end before which a page should hold everything. When the page is sorted as it would be if
// the service gave the oldest first, that is its last instant; else the page is a sample of the feed, or its
// newest part, and a tenth of it, or half the time before it, is a guess that is right soon.
func shorten(alerts []dated, start time.Time) time.Time {
	if len(alerts) == 0 {
		return start
	}
	last := alerts[len(alerts)-1].at
	first := alerts[0].at
	tenth := alerts[len(alerts)/10].at
	if half := start.Add(first.Sub(start) / 2); first.Sub(start) > last.Sub(first) {
		return half.Truncate(serviceTick)
	}
	return tenth
}

// read requests the alerts from start until before end, sorted by time; more reports whether there are others.
func (f *fetcher) read(ctx context.Context, start, end time.Time, limit int) (alerts []dated, more bool, err error) {
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
		return nil, false, err
	}
	for _, alert := range list.Items {
		alerts = append(alerts, f.date(alert))
	}
	slices.SortStableFunc(alerts, func(a, b dated) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	})
	return alerts, list.More, nil
}

// date reads the creation time of an alert. An alert without a readable time counts as created at the cursor of the
// progress, so that it is handed over once and not lost.
func (f *fetcher) date(alert rawjson.Value) dated {
	one := dated{alert: alert, id: alert.Text("id"), at: f.progress.cursor}
	if at, err := time.Parse(time.RFC3339Nano, alert.Text("alertCreationTime")); err == nil {
		one.at = at.UTC()
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

// incidentsOf returns alerts as the platform expects them.
func incidentsOf(run *Run, alerts []dated) []incident {
	incidents := make([]incident, len(alerts))
	for i, one := range alerts {
		incidents[i] = incident{
			Name:     "Microsoft Defender alert: " + one.alert.Text("title") + " (" + one.id + ")",
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
