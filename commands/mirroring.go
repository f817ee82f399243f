package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// The commands with which the platform mirrors incidents, as
// https://xsoar.pan.dev/docs/integrations/mirroring_integration describes them.
func mirroringCommands() []func() Command {
	return []func() Command{
		getMappingFields,
		getModifiedRemoteData,
		getRemoteData,
		updateRemoteSystem,
	}
}

// MirrorPatience is how long one round of mirroring waits because the service asks for it.
const MirrorPatience = 20 * time.Second

// MirrorError is a failure in the words that the platform understands. Those are exact: "API rate limit" makes it continue
// later, and "skip update" makes it leave out the round.
type MirrorError struct {
	Word string
	Err  error
}

const (
	wordRateLimit = "API rate limit"
	wordSkip      = "skip update"
)

func (e *MirrorError) Error() string { return e.Word + ": " + e.Err.Error() }

func (e *MirrorError) Unwrap() error { return e.Err }

// rateLimited returns an error in the platform's words if the service is out of quota, and else the error itself.
func rateLimited(err error) error {
	if _, throttled := errors.AsType[*defender.ThrottledError](err); throttled || defender.StatusOf(err) == http.StatusTooManyRequests {
		return &MirrorError{wordRateLimit, err}
	}
	return err
}

func getMappingFields() Command {
	return declare(Command{
		Name: "get-mapping-fields", Area: Mirroring, Mirrors: true,
		Help: "Lists the fields that mirroring sends to Defender, for the editor of outgoing mappers.",
	}, func(context.Context, *Run, noArguments) (Report, error) {
		// The order of the keys does not matter to the platform.
		schema := map[string]map[string]string{}
		for _, kind := range []remote{alertRemote{}, incidentRemote{}} {
			fields := map[string]string{}
			for _, field := range kind.fields() {
				fields[field.name] = field.help
			}
			schema[kind.incidentType()] = fields
		}
		return report(warroom.Entry{Contents: warroom.Text(rawjson.Make(schema))}), nil
	})
}

// mirroredField is a field that mirroring sends.
type mirroredField struct{ name, help string }

// mirroredFields returns the fields that alerts and incidents have in common.
func mirroredFields(what, statuses string) []mirroredField {
	return []mirroredField{
		{"status", "The status of the " + what + ": " + statuses + "."},
		{"assignedTo", "The user to whom the " + what + " is assigned."},
		{"classification", "TruePositive, InformationalExpectedActivity or FalsePositive."},
		{"determination", "What was behind the " + what + ". It must fit the classification."},
		{"comment", "A comment to add when the field changes."},
	}
}

func (alertRemote) fields() []mirroredField {
	return mirroredFields("alert", "New, InProgress or Resolved")
}

// firstLookBack is how far the first round goes back if the platform names no time.
const firstLookBack = 15 * time.Minute

func getModifiedRemoteData() Command {
	type args struct {
		Since string `arg:"lastUpdate" help:"The time of the last round. Without it, and before the first round has been saved, changes of the last 15 minutes are reported."`
	}
	return declare(Command{
		Name: "get-modified-remote-data", Area: Mirroring, Mirrors: true,
		Help: "Lists the IDs of the alerts, or of the XDR incidents, that changed since the last round of mirroring, which costs one request. It also sends what update-remote-system could not send.",
		// What is sent again needs the permissions of update-remote-system, without which nothing is.
		Uses:    []defender.Operation{defender.ListAlerts, defender.ListIncidents},
		Example: `lastUpdate=2026-11-20T10:00:00Z`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		result, err := modified(ctx, run, in.Since)
		if err != nil {
			if err = rateLimited(err); !isMirrorError(err) {
				err = &MirrorError{wordSkip, err}
			}
			return Report{}, err
		}
		return result, nil
	})
}

func isMirrorError(err error) bool {
	_, is := errors.AsType[*MirrorError](err)
	return is
}

// modified reports what changed since the last round.
func modified(ctx context.Context, run *Run, since string) (Report, error) {
	if problems := run.Instance.Fetch.Problems; problems != nil {
		return Report{}, problems
	}
	unsent := resend(ctx, run)
	state, known := loadMirrorState(ctx, run)
	now, lookBack := run.Now().UTC(), run.Instance.Mirror.LookBack
	start := parseTime(state.Cursor)
	if start.IsZero() {
		start = platformTime(since, now)
	}
	if start.Year() <= 1 {
		start = now.Add(-firstLookBack)
	}
	if start.After(now) {
		start = now
	}
	kind := fetchedRemote(run)
	objects, until, err := changedSince(ctx, run, kind, start.Add(-lookBack), start, now)
	if err != nil {
		return Report{}, err
	}
	ids, remembered := state.unreceived(since), make(map[string]rawjson.Value, len(objects))
	listed := make(map[string]bool, len(objects)+len(ids))
	for _, id := range ids {
		listed[id] = true
	}
	newest := start
	if until.Before(now) { // a first part, which may hold nothing
		newest = later(newest, until)
	}
	for _, object := range objects {
		seen := kind.read(object)
		if seen.ID == "" {
			continue
		}
		remembered[seen.ID] = object
		newest = later(newest, parseTime(seen.Updated))
		state.observe(seen)
		if state.reports(seen) && !listed[seen.ID] {
			ids, listed[seen.ID] = append(ids, seen.ID), true
		}
	}
	for id := range state.Again {
		ids = once(ids, id)
	}
	state.Unsent = slices.Sorted(maps.Keys(unsent))
	for id, kept := range unsent {
		if kept.open() {
			ids = once(ids, id) // so that its analyst is told
		}
	}
	slices.Sort(ids)
	result := report(warroom.Entry{Contents: warroom.Texts(ids)})
	if !known {
		return result, nil
	}
	state.Cursor = newest.Format(time.RFC3339Nano)
	state.Fresh, state.Since = ids[:min(len(ids), maxFresh)], since
	state.forget(lookBack)
	state.newRound(run.Random)
	if kind.whole() {
		run.Mirrored.keep(state.Round, now, remembered)
	}
	// What was reported is saved once it has been handed over: a process that ends before reports it again.
	result.Commit = func(ctx context.Context) error { return state.save(ctx, run) }
	return result, nil
}

// changedSince reads everything that changed from since until now, and returns the end of what it read. One request is enough
// unless more changed than a list holds. Then what is new, from start on, is read first, however much there is before it: a
// round that read the look-back first would come no further as long as that holds more than a round reads. What it does not
// read of the look-back is logged.
func changedSince(ctx context.Context, run *Run, kind remote, since, start, now time.Time) (changed []rawjson.Value, end time.Time, err error) {
	list, err := kind.changed(ctx, since, now)
	if err != nil || !list.More {
		return list.Items, now, err
	}
	changed, end, err = changedBetween(ctx, kind, start, now)
	if err != nil {
		return nil, now, err
	}
	late, reached, err := changedBetween(ctx, kind, since, start)
	if _, tooMany := errors.AsType[*FeedError](err); err != nil && !tooMany {
		return nil, now, err
	}
	if reached.Before(start) {
		run.Host.Log(ctx, fmt.Sprintf("More changed than a round of mirroring reads: of its look-back from %s to %s it read only what is before %s. Changes after that which appeared late may be missed.",
			since.Format(time.RFC3339), start.Format(time.RFC3339), reached.Format(time.RFC3339)))
	}
	return append(late, changed...), end, nil
}

// maxMirrorRequests bounds the requests for each of the two spans of a round that changed more than a list holds.
const maxMirrorRequests = 16

// changedBetween reads what changed from since on, in parts that a list holds, until a time or as far as the requests suffice. It
// returns the end of the last part: the next round continues from there.
func changedBetween(ctx context.Context, kind remote, since, until time.Time) (changed []rawjson.Value, end time.Time, err error) {
	end = since
	span := until.Sub(since)
	for range maxMirrorRequests {
		if !end.Before(until) {
			break
		}
		next := until
		if end.Add(span).Before(until) {
			next = end.Add(span)
		}
		list, err := kind.changed(ctx, end, next)
		if err != nil {
			return nil, end, err
		}
		if list.More {
			span = max(next.Sub(end)/4, serviceTick).Truncate(serviceTick)
			continue
		}
		changed, end, span = append(changed, list.Items...), next, 2*span
	}
	if end.Equal(since) && since.Before(until) {
		return nil, end, &FeedError{Requests: maxMirrorRequests}
	}
	return changed, end, nil
}

func getRemoteData() Command {
	type args struct {
		ID    string `arg:"id" required:"true" help:"The ID of the alert, or of the XDR incident."`
		Since string `arg:"lastUpdate" help:"The time up to which changes were received."`
	}
	outputs := remoteOutputs()
	return declare(Command{
		Name: "get-remote-data", Area: Mirroring, Mirrors: true,
		Help:    "Shows the current state of a mirrored alert or XDR incident, with new comments, and with what closes or reopens its incident.",
		Uses:    []defender.Operation{defender.GetAlert, defender.GetIncident},
		Outputs: outputs[:],
		Example: `id=` + exampleAlert + ` lastUpdate=2026-11-20T10:00:00Z`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if problems := run.Instance.Fetch.Problems; problems != nil {
			return Report{}, problems
		}
		m := &incoming{run: run, kind: remoteOf(run, in.ID), since: platformTime(in.Since, run.Now())}
		m.state, m.known = loadMirrorState(ctx, run)
		m.from = m.since
		if failed, again := m.state.Again[in.ID]; again && parseTime(failed).Before(m.since) {
			m.from = parseTime(failed)
		}
		result, err := m.look(ctx, in.ID)
		if err = rateLimited(err); err != nil && !isMirrorError(err) {
			m.again(ctx, in.ID)
		}
		return result, err
	})
}

// remoteOutputs declares the context of mirrored comments: of alerts, and of incidents.
func remoteOutputs() [2]Output {
	return [2]Output{
		{Path: "MicrosoftATP.Alert", Key: "val.ID === obj.ID", View: alertView().Only("ID", "Comments")},
		{Path: "MicrosoftATP.Incident", Key: "val.id === obj.id", View: incidentView().Only("id", "comments")},
	}
}

// incoming brings the changes of one alert or incident to the platform.
type incoming struct {
	run  *Run
	kind remote
	// since is the time from which the platform asks. from is the time since which nothing was handed over; it is earlier if
	// the last answer was a failure.
	since, from time.Time
	state       *mirrorState
	known       bool
}

// again takes note that an object could not be read, for another reason than the quota, after which the platform continues by
// itself.
func (m *incoming) again(ctx context.Context, id string) {
	if _, noted := m.state.Again[id]; !m.known || noted {
		return
	}
	m.state.Again[id] = m.since.Format(time.RFC3339Nano)
	m.saveState(ctx)
}

func (m *incoming) saveState(ctx context.Context) {
	if err := m.state.save(ctx, m.run); err != nil {
		m.run.Host.Log(ctx, "The state of mirroring could not be saved: "+err.Error())
	}
}

// look reads the object and returns it with the entries that belong to its changes.
func (m *incoming) look(ctx context.Context, id string) (Report, error) {
	object, remembered := rawjson.Value(""), false
	if m.known {
		object, remembered = m.run.Mirrored.recall(m.state.Round, id, m.run.Now())
	}
	if !remembered {
		var err error
		if object, err = m.kind.get(ctx, id); defender.NotFound(err) {
			return m.missing(ctx, id, err)
		} else if err != nil {
			return Report{}, err
		}
	}
	seen := m.kind.read(object)
	if seen.ID == "" {
		return Report{}, &defender.AnswerError{Operation: defender.GetAlert, Status: http.StatusOK, Problem: "not that of " + id}
	}
	changed := m.state.observe(seen)
	if _, failed := m.state.Again[seen.ID]; failed {
		delete(m.state.Again, seen.ID)
		changed = true
	}
	before, unreceived := m.before(seen.ID)
	next := before
	problem, told := m.told(ctx, id)
	entries := []warroom.Entry{m.object(ctx, object, seen, problem)}
	if next.Turn = m.state.Turned[seen.ID]; next.Turn == "" {
		next.Turn = unreceived.Turn
	}
	if turned := m.turned(seen, next.Turn); len(turned) > 0 {
		m.overtake(ctx, seen.ID)
		entries = append(entries, turned...)
	}
	entries = append(entries, m.arrived(seen, &next)...)
	entries = append(entries, m.comments(object, seen, &next)...)
	// Newer than what was reported, and handed over now. In the very moment of the change another one may follow.
	over := parseTime(seen.Updated).Before(m.run.Now().Add(-time.Second))
	if !remembered && over && m.state.Reported[seen.ID] != "" && m.state.Reported[seen.ID] != seen.Updated {
		m.state.Reported[seen.ID], changed = seen.Updated, true
	}
	if m.known && (changed || len(entries) > 1 || next != before) {
		m.save(ctx, seen.ID, before, next)
	} else if m.known {
		m.run.Mirrored.putState(m.state) // as it was read
	}
	return report(append(entries, told...)...), nil
}

// before returns what the platform has received of an object; its Since is empty if nothing is known about that.
// unreceived records the last hand-over if the platform did not receive it.
func (m *incoming) before(id string) (received, unreceived look) {
	last := m.state.lookAt(id)
	if m.from.After(parseTime(last.Since)) {
		last.Before = nil
		return last, look{}
	}
	if last.Before != nil {
		received = *last.Before
	}
	return received, last
}

// save keeps what is handed over now. It is saved before, together with the time from which the platform asked: if the
// platform asks again from the same time, it did not receive it. So nothing comes twice, and nothing is lost.
func (m *incoming) save(ctx context.Context, id string, before, next look) {
	next.Since = m.since.Format(time.RFC3339Nano)
	next.Before = &before
	m.state.Looks[id] = json.RawMessage(rawjson.Make(next))
	delete(m.state.Turned, id)
	m.saveState(ctx)
}

// missing reports once a day that something no longer exists: Defender keeps alerts for 180 days.
func (m *incoming) missing(ctx context.Context, id string, err error) (Report, error) {
	_, told := m.told(ctx, id)
	today := m.run.Now().UTC().Format(time.DateOnly)
	if m.known && m.state.Missing[id] == today && m.state.Again[id] == "" {
		return report(append([]warroom.Entry{{Contents: warroom.Text("{}")}}, told...)...), nil
	}
	if m.known {
		m.state.Missing[id] = today
		delete(m.state.Again, id)
		m.saveState(ctx)
	}
	object := rawjson.Make(struct {
		ID    string `json:"id"`
		Error string `json:"mirror_error"`
	}{id, m.run.Instance.Redact(err.Error())})
	return report(append([]warroom.Entry{{Contents: warroom.Text(object)}}, told...)...), nil
}

// object returns the entry from which the platform takes the fields. problem is what keeps changes from being sent, or empty.
func (m *incoming) object(ctx context.Context, object rawjson.Value, seen remoteState, problem string) warroom.Entry {
	added := append(mirrorKeys(m.run), keyValue{"mirror_error", nil})
	if problem != "" {
		added[len(added)-1].value = problem
	}
	if m.run.Instance.Mirror.Owners {
		if owner := m.owner(ctx, seen.AssignedTo); owner != "" {
			added = append(added, keyValue{"owner", owner})
		}
	}
	none := func(string) bool { return false }
	return warroom.Entry{Contents: warroom.Text(extended(m.kind.show(object), none, added...))}
}

// owner returns the platform's user with an address. An assignee without one is an application or a rule.
func (m *incoming) owner(ctx context.Context, address string) string {
	if !strings.Contains(address, "@") {
		return ""
	}
	found, err := m.run.Host.FindUser(ctx, "", address)
	if err != nil {
		return ""
	}
	return found.Text("username", "id")
}

// mirrorKeys returns what a mapper can take the fields of mirroring from. An instance that mirrors nothing adds nothing.
func mirrorKeys(run *Run) []keyValue {
	if run.Instance.Mirror.Direction == "" {
		return nil
	}
	return []keyValue{
		{"mirror_direction", run.Instance.Mirror.Direction},
		{"mirror_instance", run.InstanceName},
		{"mirror_tags", []string{run.Instance.Mirror.TagTo}},
	}
}

// turned returns the entry that closes or reopens the incident. An analyst's close is undone only by a reopening.
func (m *incoming) turned(seen remoteState, turned turn) []warroom.Entry {
	settings := m.run.Instance.Mirror
	closes := turned == closed || (turned == "" && !m.from.IsZero() && seen.ResolvedAt.After(m.from))
	switch {
	case seen.Status == statusRedirected && closes && !settings.CloseIncident:
		return []warroom.Entry{m.say(mergedText(seen))}
	case !settings.CloseIncident || turned == ours:
		return nil
	case seen.resolved() && closes:
		return []warroom.Entry{closing(settings, seen)}
	case turned == reopened && slices.Contains(settings.Reopen, seen.Status):
		return []warroom.Entry{{Contents: warroom.Raw(`{"dbotIncidentReopen":true}`)}}
	}
	return nil
}

// closing returns the entry that closes an incident.
func closing(settings params.Mirror, seen remoteState) warroom.Entry {
	reason, notes := settings.ReasonsIn[params.Unclassified], closeNotes(seen)
	if known := settings.ReasonsIn[seen.Classification]; known != "" {
		reason = known
	}
	if seen.Status == statusRedirected {
		reason, notes = "Duplicate", mergedText(seen)
	}
	return warroom.Entry{Contents: warroom.Raw(rawjson.Make(struct {
		Close  bool   `json:"dbotIncidentClose"`
		Reason string `json:"closeReason"`
		Notes  string `json:"closeNotes"`
	}{true, reason, notes}))}
}

// mergedPrefix begins the notes of an incident that was closed because it was merged.
const mergedPrefix = "Merged into Defender XDR incident "

// mergedText says which incident is left of two that were merged. The platform lets an integration search no incidents, so
// the analyst is told how to find the other one.
func mergedText(seen remoteState) string {
	return mergedPrefix + seen.MergedInto + ": " + seen.Link + " . To find its incident in Cortex XSOAR, if it was fetched, search for dbotMirrorId:" +
		seen.MergedInto + " ; !microsoft-atp-incident-get incident_id=" + seen.MergedInto + " shows it."
}

// closeNotes returns why something was resolved, or else its newest comment, and the verdict.
func closeNotes(seen remoteState) string {
	notes := ""
	for _, one := range seen.Comments {
		if !isOwn(one.Text) {
			notes = one.Text + "\n"
		}
	}
	if strings.TrimSpace(seen.Resolving) != "" {
		notes = seen.Resolving + "\n"
	}
	return notes + closingVerdict(seen)
}

const (
	noVerdict  = "no classification"
	verdictOwn = ", by "
)

func closingVerdict(seen remoteState) string {
	verdict := cmp.Or(seen.Classification, noVerdict)
	if seen.Classification != "" && seen.Determination != "" {
		verdict += " - " + seen.Determination
	}
	return verdict + verdictOwn + cmp.Or(seen.AssignedTo, "nobody")
}

// isEcho reports whether the notes of a closed incident are those with which a change in Defender closed it. Some releases of
// the platform send back what has just come in; as a comment it would say nothing new.
func isEcho(notes string, now remoteState) bool {
	if now.Status == statusRedirected {
		return strings.HasPrefix(notes, mergedPrefix)
	}
	comment, verdict := cutLast(notes)
	verdict, _, found := strings.Cut(verdict, verdictOwn)
	classification, _, _ := strings.Cut(verdict, " - ")
	ours := found && (classification == noVerdict || canonicalClassification(classification) == classification && classification != "")
	known := comment == "" || sameComment(now.Resolving, comment) || slices.ContainsFunc(now.Comments, func(one remoteComment) bool { return sameComment(one.Text, comment) })
	return ours && known
}

// arrived describes the alerts that an incident did not have before.
func (m *incoming) arrived(seen remoteState, next *look) []warroom.Entry {
	var titles []string
	known := next.Alerts
	for _, alert := range seen.Alerts {
		own := mark(alert.Text("id"))
		fresh := !marked(known, own)
		if known == "" {
			// Nothing is known about the alerts of this incident: those are new that were created since.
			fresh = fresh && !m.from.IsZero() && parseTime(alert.Text("createdDateTime")).After(m.from)
		}
		if fresh {
			titles = append(titles, alert.Text("title"))
		}
		if !marked(next.Alerts, own) {
			next.Alerts += own
		}
	}
	if over := len(next.Alerts) - maxAlertMarks*markLength; over > 0 {
		next.Alerts = next.Alerts[over:]
	}
	if len(titles) == 0 {
		return nil
	}
	const most = 10
	text := fmt.Sprintf("%d new alerts: ", len(titles))
	if len(titles) == 1 {
		text = "1 new alert: "
	}
	shown := strings.Join(titles[:min(len(titles), most)], ", ")
	if len(titles) > most {
		shown += fmt.Sprintf(" and %d more", len(titles)-most)
	}
	return []warroom.Entry{m.say(text + shown)}
}

// say returns a note of the incident, with the tag that keeps it from going back.
func (m *incoming) say(text string) warroom.Entry {
	return warroom.Entry{Literal: text, Blocks: []warroom.Block{warroom.Paragraph(text)}, Pinned: true, Tags: []string{m.run.Instance.Mirror.TagFrom}}
}

// maxAlertMarks is how many alerts of an incident are remembered, which is how many Defender puts in one.
const maxAlertMarks = 150

// comments returns an entry for each comment that the platform does not have yet, the oldest first.
func (m *incoming) comments(object rawjson.Value, seen remoteState, next *look) []warroom.Entry {
	lookBack := m.run.Instance.Mirror.LookBack
	from := m.from
	if m.state.Cursor != "" && !from.IsZero() {
		// The platform has received no comment of this object so far, so that one which appeared late is new as well.
		from = from.Add(-lookBack)
	}
	if next.Newest != "" {
		from = parseTime(next.Newest).Add(-lookBack - time.Nanosecond)
	}
	var entries []warroom.Entry
	newest := parseTime(next.Newest)
	known := next.Comments
	for _, one := range seen.Comments {
		if at := parseTime(one.At); at.After(from) && !marked(known, commentMark(one)) && !isOwn(one.Text) {
			entries = append(entries, m.note(object, one))
			newest = later(newest, at)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	next.Newest, next.Comments = newest.Format(time.RFC3339Nano), ""
	for _, one := range seen.Comments {
		if !parseTime(one.At).Before(newest.Add(-lookBack)) {
			next.Comments += commentMark(one)
		}
	}
	return entries
}

// commentMark stands for a comment.
func commentMark(one remoteComment) string { return mark(one.At + "\x00" + one.By + "\x00" + one.Text) }

// note returns the entry for a comment.
func (m *incoming) note(object rawjson.Value, one remoteComment) warroom.Entry {
	text := one.By + ", " + one.At + ": " + one.Text
	outputs := remoteOutputs()
	out := outputs[0]
	if _, incident := m.kind.(incidentRemote); incident {
		out = outputs[1]
	}
	entry := m.say(text)
	entry.Context = []warroom.Context{out.context([]rawjson.Value{object})}
	return entry
}

// ownMark matches the end of a comment that came from the platform.
const ownMark = `\[Cortex XSOAR [^\[\]]*\]\s*$`

// isOwn reports whether a comment came from the platform.
func isOwn(text string) bool {
	return strings.Contains(text, "[Cortex XSOAR ") && regexp.MustCompile(ownMark).MatchString(text)
}
