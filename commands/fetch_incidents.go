package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
)

// incidentProgress records how far fetches of Defender XDR incidents have come. The cursor is on the time of the last
// update, because an incident that begins harmless and rises in severity later must not be missed.
type incidentProgress struct {
	// cursor is the time of the last update up to which incidents were read.
	cursor time.Time
	// since is the time of creation before which no incident is fetched.
	since time.Time
	// handed holds the ids that were handed over, in ascending order: Microsoft counts incidents up. Below floor all are
	// taken to be handed over.
	handed []uint64
	floor  uint64
	// resume is the time of the last update from which the next fetch reads, or zero if it begins with the look-back: more
	// changed at once than the last fetch could read.
	resume time.Time
	// passed holds the times of the last update of incidents that were read and do not match, by id.
	passed map[string]string
	// unread holds the same of incidents that could not be read although others could: each fetch tries them again, and does
	// not stop there.
	unread map[string]string
}

// maxHanded is how many ids a last run holds: about 80 kB.
const maxHanded = 20_000

// savedIncidentProgress is its form in the last run.
type savedIncidentProgress struct {
	Cursor string            `json:"cursor"`
	Since  string            `json:"since"`
	Floor  uint64            `json:"floor,omitempty"`
	Handed string            `json:"handed,omitempty"` // the distances from one id to the next, to the base 36
	Passed map[string]string `json:"passed,omitempty"`
	Unread map[string]string `json:"unread,omitempty"`
	Resume string            `json:"resume,omitempty"`
}

const incidentProgressKey = "xsoar_defender_incidents"

func readIncidentProgress(kept json.RawMessage, now time.Time, settings params.Fetch) (*incidentProgress, error) {
	whole := map[string]json.RawMessage{}
	if text := strings.TrimSpace(string(kept)); text != "" && text != "null" {
		if err := json.Unmarshal(kept, &whole); err != nil {
			return nil, &ProgressError{}
		}
	}
	p := &incidentProgress{cursor: now.Add(-settings.First).UTC(), since: now.Add(-settings.First).UTC(), passed: map[string]string{}, unread: map[string]string{}}
	text, found := whole[incidentProgressKey]
	if !found {
		return p, nil
	}
	var saved savedIncidentProgress
	err := json.Unmarshal(text, &saved)
	if err == nil {
		p.cursor, err = time.Parse(time.RFC3339Nano, saved.Cursor)
	}
	if err == nil {
		p.since, err = time.Parse(time.RFC3339Nano, saved.Since)
	}
	if err == nil {
		p.handed, err = readDistances(saved.Handed)
	}
	if err != nil {
		return nil, &ProgressError{incidentProgressKey}
	}
	if latest := now.Add(clockSkew); p.cursor.After(latest) || p.since.After(latest) { // of a clock that was wrong
		p.cursor = now.UTC()
		if p.since.After(now) {
			p.since = now.UTC()
		}
	}
	if resume := parseTime(saved.Resume); !resume.After(now) {
		p.resume = resume
	}
	p.floor = saved.Floor
	if saved.Passed != nil {
		p.passed = saved.Passed
	}
	if saved.Unread != nil {
		p.unread = saved.Unread
	}
	return p, nil
}

func readDistances(text string) ([]uint64, error) {
	var ids []uint64
	last := uint64(0)
	for part := range strings.FieldsSeq(text) {
		distance, err := strconv.ParseUint(part, 36, 64)
		if err != nil {
			return nil, err
		}
		last += distance
		ids = append(ids, last)
	}
	return ids, nil
}

// encode writes the progress into the last run, whose other keys stay.
func (p *incidentProgress) encode(kept json.RawMessage) json.RawMessage {
	var distances strings.Builder
	last := uint64(0)
	for i, id := range p.handed {
		if i > 0 {
			distances.WriteByte(' ')
		}
		distances.WriteString(strconv.FormatUint(id-last, 36))
		last = id
	}
	whole := map[string]json.RawMessage{}
	// An unreadable value was refused when the progress was read.
	_ = json.Unmarshal(kept, &whole)
	if whole == nil {
		whole = map[string]json.RawMessage{}
	}
	saved := savedIncidentProgress{
		Cursor: p.cursor.Format(time.RFC3339Nano), Since: p.since.Format(time.RFC3339Nano), Floor: p.floor, Handed: distances.String(), Passed: p.passed, Unread: p.unread,
	}
	if !p.resume.IsZero() {
		saved.Resume = p.resume.Format(time.RFC3339Nano)
	}
	whole[incidentProgressKey] = json.RawMessage(rawjson.Make(saved))
	return json.RawMessage(rawjson.Make(whole))
}

// handedOver reports whether an incident was handed over. One whose id is not a number, which Microsoft does not document,
// is known by the number of its mark.
func (p *incidentProgress) handedOver(id string) bool {
	number := incidentNumber(id)
	_, found := slices.BinarySearch(p.handed, number)
	return found || number < p.floor
}

func (p *incidentProgress) hand(id string) {
	number := incidentNumber(id)
	at, found := slices.BinarySearch(p.handed, number)
	if !found {
		p.handed = slices.Insert(p.handed, at, number)
	}
	if over := len(p.handed) - maxHanded; over > 0 {
		p.floor = p.handed[over-1] + 1
		p.handed = slices.Delete(p.handed, 0, over)
	}
}

func incidentNumber(id string) uint64 {
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		for _, character := range []byte(mark(id)) {
			number = number*31 + uint64(character)
		}
		number |= 1 << 63 // above every counted id, so that no floor passes it
	}
	return number
}

// incidentFetcher reads the incidents that earlier fetches have not handed over.
type incidentFetcher struct {
	run      *Run
	settings params.Fetch
	now      time.Time
	progress *incidentProgress
	requests int
	// span is twice the length of the last part that was read; zero before the first one.
	span time.Duration
}

// listedIncident is an incident of the list with the times that decide about it.
type listedIncident struct {
	id               string
	text             string // the time of the last update as received
	changed, created time.Time
	redirected       bool
}

// maxIncidentReads is how many times one fetch reads a part of the feed, or a part that turns out to be too large.
const maxIncidentReads = 40

// incidentPart is how many incidents a part of the feed may hold: 4 pages. Until all of them are handed over, every fetch
// reads the part again.
const incidentPart = 200

// next returns the incidents to hand over, the oldest first. If a request fails after others have advanced the fetch, that
// is kept; the next fetch meets the error again. A fetch whose requests do not suffice is continued by the next one: if that
// began with the look-back again, it would come no further.
func (f *incidentFetcher) next(ctx context.Context) ([]rawjson.Value, error) {
	taken := f.retry(ctx)
	begun := f.progress.cursor
	first := later(begun.Add(-f.settings.LookBack).Truncate(serviceTick), f.progress.resume)
	f.progress.resume = time.Time{}
	for start := first; ; {
		part, err := f.part(ctx, start)
		rest := false
		for again := false; err == nil; again = true {
			var found []rawjson.Value
			found, rest, err = f.take(ctx, part.incidents, f.settings.Max-len(taken))
			taken = append(taken, found...)
			if err != nil || rest || again || !f.readsOnce(part) {
				break
			}
			part, err = f.again(ctx, part)
		}
		told, tooMany := errors.AsType[*FeedError](err)
		switch {
		case tooMany && told.Requests > 0 && start.After(first):
			f.progress.resume = start
			f.run.Host.Log(ctx, fmt.Sprintf("More incidents changed at once than a fetch can read. This one came to %s, where the next one continues.", start.Format(time.RFC3339Nano)))
			return taken, nil
		case err != nil && len(taken) == 0 && !f.progress.cursor.After(begun):
			return nil, err
		case err != nil || rest:
			return taken, nil //nolint:nilerr // a part of which some are left is read again
		}
		f.advance(part)
		if part.end.Equal(f.now) || len(taken) >= f.settings.Max {
			return taken, nil
		}
		start = part.end
	}
}

// incidentsPart is a part of the feed that was read whole: the incidents that changed from start until end.
type incidentsPart struct {
	start, end time.Time
	incidents  []listedIncident
	list       defender.List
}

// reached returns the cursor behind a part.
func (f *incidentFetcher) reached(part incidentsPart) time.Time {
	newest := f.progress.cursor
	for _, one := range part.incidents {
		newest = later(newest, one.changed)
	}
	if newest.After(f.now) {
		newest = f.now
	}
	// A part that is over may have changes that appear late, by a clock that differs from that of this machine.
	if past := f.now.Add(-2 * clockSkew); part.end.Before(past) {
		return later(newest, part.end).UTC()
	}
	return newest.UTC()
}

// readsOnce reports whether the look-back of the next fetch will not cover all of a part of several pages.
func (f *incidentFetcher) readsOnce(part incidentsPart) bool {
	return part.list.Whole == "" && f.reached(part).Add(-f.settings.LookBack).After(f.progress.cursor)
}

// advance moves the cursor behind a part.
func (f *incidentFetcher) advance(part incidentsPart) {
	f.progress.cursor = f.reached(part)
	oldest := f.progress.cursor.Add(-f.settings.LookBack)
	for id, text := range f.progress.passed {
		if parseTime(text).Before(oldest) {
			delete(f.progress.passed, id)
		}
	}
}

// part reads all incidents that changed since start, until as late as a part is not too large. After a part it begins with twice
// its length: many changes at once would else take the requests of the fetch to find that length again for each part.
func (f *incidentFetcher) part(ctx context.Context, start time.Time) (incidentsPart, error) {
	end := f.now
	if f.span > 0 && start.Add(f.span).Before(f.now) {
		end = start.Add(f.span)
	}
	for f.requests < maxIncidentReads {
		list, err := f.read(ctx, start, end, incidentPart)
		if err != nil {
			return incidentsPart{}, err
		}
		half := end.Sub(start) / 2
		switch {
		case !list.More:
			f.span = 2 * end.Sub(start)
			return incidentsPart{start, end, datedIncidents(list.Items), list}, nil
		case half < serviceTick:
			return incidentsPart{}, &FeedError{At: start, Incidents: true}
		}
		end = start.Add(half.Truncate(serviceTick))
	}
	return incidentsPart{}, &FeedError{Requests: maxIncidentReads}
}

// again reads a part again, as readAgain does.
func (f *incidentFetcher) again(ctx context.Context, part incidentsPart) (incidentsPart, error) {
	items, err := readAgain(part.list, func() (defender.List, error) { return f.read(ctx, part.start, part.end, incidentPart) })
	part.incidents = datedIncidents(items)
	return part, err
}

// read requests the incidents that changed from start until end.
func (f *incidentFetcher) read(ctx context.Context, start, end time.Time, limit int) (defender.List, error) {
	f.requests++
	return f.run.API.Incidents(ctx, defender.Query{Filter: f.filter(start, end), Limit: limit})
}

// readings is how many times a list is read again at most.
const readings = 5

// readAgain reads a list of several pages again until that brings nothing new, and no incident is on two pages. An incident
// that changes meanwhile leaves the list, and those behind it move up, so that one may move to a page that was read before; and
// incidents of the same time may change places.
func readAgain(first defender.List, read func() (defender.List, error)) ([]rawjson.Value, error) {
	items, known := first.Items, map[string]bool{}
	for _, item := range items {
		known[item.Text("id")] = true
	}
	for range readings {
		list, err := read()
		if err != nil {
			return nil, err
		}
		before := len(items)
		for _, item := range list.Items {
			if id := item.Text("id"); !known[id] {
				known[id] = true
				items = append(items, item)
			}
		}
		if len(items) == before && !list.Repeated {
			break
		}
	}
	return items, nil
}

func (f *incidentFetcher) filter(start, end time.Time) defender.Filter {
	return defender.And(
		defender.Since("lastUpdateDateTime", start), defender.Before("lastUpdateDateTime", end),
		defender.Since("createdDateTime", f.progress.since.Truncate(serviceTick)),
		defender.EqualAny("status", f.settings.Incidents.Statuses), defender.EqualAny("severity", f.settings.Incidents.Severities),
		defender.Condition(f.settings.Incidents.OData),
	)
}

func datedIncidents(items []rawjson.Value) []listedIncident {
	var part []listedIncident
	for _, item := range items {
		one := listedIncident{id: item.Text("id"), text: item.Text("lastUpdateDateTime"), created: parseTime(item.Text("createdDateTime"))}
		one.changed = parseTime(one.text)
		one.redirected = canonicalStatus(item.Text("status")) == statusRedirected || item.Text("redirectIncidentId") != ""
		if one.id != "" {
			part = append(part, one)
		}
	}
	slices.SortStableFunc(part, func(a, b listedIncident) int { return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id)) })
	return part
}

// readAtOnce is how many incidents are read with their alerts before the next ones are chosen.
const readAtOnce = 25

// wanted returns the incidents of a part that may be handed over, once they are read.
func (f *incidentFetcher) wanted(part []listedIncident) []listedIncident {
	var wanted []listedIncident
	for _, one := range part {
		_, unread := f.progress.unread[one.id]
		fresh := !f.progress.handedOver(one.id) && !unread && !one.created.Before(f.progress.since) && !one.redirected
		if fresh && (f.progress.passed[one.id] == "" || f.progress.passed[one.id] != one.text) {
			wanted = append(wanted, one)
		}
	}
	return wanted
}

// retry reads the incidents that earlier fetches could not read, and returns those to hand over. It asks for all of them, however
// few are fetched at once: those that still cannot be read must not keep the others waiting.
func (f *incidentFetcher) retry(ctx context.Context) (taken []rawjson.Value) {
	ids := slices.Sorted(maps.Keys(f.progress.unread))
	for len(ids) > 0 && len(taken) < f.settings.Max {
		some := ids[:min(len(ids), f.settings.Max-len(taken))]
		ids = ids[len(some):]
		read := forEach(ctx, some, f.run.API.Incident)
		taken = append(taken, f.receive(read.Done, f.progress.unread)...)
		for _, one := range read.Failed {
			if defender.NotFound(one.Err) {
				delete(f.progress.unread, one.ID)
				continue
			}
			f.run.Host.Log(ctx, "The incident "+one.ID+" cannot be fetched yet: "+one.Err.Error())
		}
		if len(read.Left) > 0 { // the service accepts no more requests for now
			break
		}
	}
	return taken
}

// receive returns those of the incidents that match, as handed over. Of the others it remembers the time of the last update,
// which texts has by id.
func (f *incidentFetcher) receive(read []done[rawjson.Value], texts map[string]string) (matching []rawjson.Value) {
	for _, one := range read {
		if f.matches(one.Value) {
			f.progress.hand(one.ID)
			matching = append(matching, one.Value)
		} else {
			f.progress.passed[one.ID] = texts[one.ID]
		}
		delete(f.progress.unread, one.ID)
	}
	return matching
}

// take reads the incidents of a part that were not handed over, at most most of them; rest reports whether others are left.
func (f *incidentFetcher) take(ctx context.Context, part []listedIncident, most int) (taken []rawjson.Value, rest bool, err error) {
	var refused unreadIncidents
	for wanted := f.wanted(part); len(wanted) > 0; {
		if len(taken) == most {
			return taken, true, nil
		}
		some := wanted[:min(len(wanted), most-len(taken), readAtOnce)]
		wanted = wanted[len(some):]
		ids, texts := make([]string, len(some)), map[string]string{}
		for i, one := range some {
			ids[i], texts[one.id] = one.id, one.text
		}
		read := forEach(ctx, ids, f.run.API.Incident)
		taken = append(taken, f.receive(read.Done, texts)...)
		refused.add(read.Failed, texts)
		refused.others = refused.others || len(read.Done) > 0
		if refused.others || len(wanted) == 0 || len(refused.failed) >= maxRefused || ctx.Err() != nil {
			err = refused.setAside(ctx, f.progress)
		}
		if len(read.Left) > 0 {
			err = errors.Join(err, &defender.ThrottledError{Operation: defender.GetIncident, After: read.After})
		}
		// What could not be read is left for the next fetch; only if nothing could be read is that a failure.
		if err != nil && len(taken) > 0 {
			return taken, true, nil
		} else if err != nil {
			return nil, false, oneOf(err)
		}
	}
	return taken, false, nil
}

// maxRefused is after how many incidents that cannot be read, and none that can, a fetch fails: then it is not because of them.
const maxRefused = 5

// unreadIncidents are those of a part that could not be read.
type unreadIncidents struct {
	failed []failure
	// texts holds the times of their last updates.
	texts map[string]string
	// others reports whether other incidents of the part could be read.
	others bool
}

func (u *unreadIncidents) add(failed []failure, texts map[string]string) {
	for _, one := range failed {
		if !defender.NotFound(one.Err) {
			u.failed = append(u.failed, one)
		}
	}
	if u.texts == nil {
		u.texts = map[string]string{}
	}
	maps.Copy(u.texts, texts)
}

// setAside leaves the incidents to later fetches if others could be read, and returns the errors of those that it may not leave.
func (u *unreadIncidents) setAside(ctx context.Context, progress *incidentProgress) (err error) {
	for _, one := range u.failed {
		if u.others && ctx.Err() == nil && len(progress.unread) < readAtOnce {
			progress.unread[one.ID] = u.texts[one.ID]
		} else {
			err = errors.Join(err, &incidentError{one})
		}
	}
	u.failed = nil
	return err
}

// incidentError is the failure to read an incident that nobody named, so that it must say which.
type incidentError struct{ failure }

func (e *incidentError) Error() string { return "Incident " + e.ID + ": " + e.Err.Error() }

func (e *incidentError) Unwrap() error { return e.Err }

// oneOf returns the first of several joined errors: what keeps one incident from being read keeps all.
func oneOf(err error) error {
	if joined, several := err.(interface{ Unwrap() []error }); several && len(joined.Unwrap()) > 0 {
		return oneOf(joined.Unwrap()[0])
	}
	return err
}

// matches reports whether an incident is one to hand over, now that its alerts are known.
func (f *incidentFetcher) matches(incident rawjson.Value) bool {
	if incident.Text("redirectIncidentId") != "" {
		return false
	}
	sources := f.settings.Incidents.ServiceSources
	return len(sources) == 0 || slices.ContainsFunc(incident.Items("alerts"), func(alert rawjson.Value) bool {
		return slices.Contains(sources, alert.Text("serviceSource"))
	})
}

// xdrIncident returns an incident as the platform expects it.
func xdrIncident(run *Run, found rawjson.Value) incident {
	made := incident{
		Name:     fmt.Sprintf("Defender incident: %s (%s)", found.Text("displayName"), found.Text("id")),
		Severity: graphSeverity(found.Text("severity")),
		MirrorID: found.Text("id"),
	}
	if at := parseTime(found.Text("createdDateTime")); !at.IsZero() {
		made.Occurred = at.Format(time.RFC3339Nano)
	}
	shown := incidentShown(found, run.Instance.Fetch.Evidence)
	made.mirror(run, extended(shown, func(string) bool { return false }, mirrorKeys(run)...))
	return made
}

// fetchXDRIncidents fetches incidents of Defender XDR.
func fetchXDRIncidents(ctx context.Context, run *Run, kept json.RawMessage) (Report, error) {
	fetch := &incidentFetcher{run: run, settings: run.Instance.Fetch, now: run.Now().UTC()}
	var err error
	if fetch.progress, err = readIncidentProgress(kept, fetch.now, fetch.settings); err != nil {
		return Report{}, err
	}
	begun := fetch.progress.encode(kept)
	found, err := fetch.next(ctx)
	if err != nil {
		return Report{}, err
	}
	incidents := make([]incident, len(found))
	for i, one := range found {
		incidents[i] = xdrIncident(run, one)
	}
	return handOver(ctx, run, incidents, begun, func() json.RawMessage { return fetch.progress.encode(kept) })
}
