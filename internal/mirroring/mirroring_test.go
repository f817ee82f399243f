package mirroring_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/mirroring"
	"xsoar-defender/warroom"
)

// start is when the clock of every test starts. It moves on by a second whenever it is read.
func start() time.Time { return time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC) }

func at(second int) time.Time { return start().Add(time.Duration(second) * time.Second) }

func stamp(second int) string { return at(second).Format(time.RFC3339Nano) }

// call is a command with the arguments that a plugin received.
type call struct {
	command string
	args    map[string]any
}

type answer struct {
	entries []mirroring.Entry
	err     error
}

// plugin returns the answers of each command in their order, and keeps every call. Without an answer left it returns no
// entries.
type plugin struct {
	answers map[string][]answer
	calls   []call
}

func (p *plugin) Execute(_ context.Context, command string, args map[string]any) ([]mirroring.Entry, error) {
	p.calls = append(p.calls, call{command, args})
	left := p.answers[command]
	if len(left) == 0 {
		return nil, nil
	}
	p.answers[command] = left[1:]
	return left[0].entries, left[0].err
}

func (p *plugin) answer(command string, contents ...string) {
	p.answers[command] = append(p.answers[command], answer{entries: texts(contents...)})
}

func (p *plugin) fail(command string, err error) {
	p.answers[command] = append(p.answers[command], answer{err: err})
}

// asked returns what a command was called with as one of its arguments.
func (p *plugin) asked(command, argument string) []any {
	var asked []any
	for _, one := range p.calls {
		if one.command == command {
			asked = append(asked, one.args[argument])
		}
	}
	return asked
}

func texts(contents ...string) []mirroring.Entry {
	entries := make([]mirroring.Entry, len(contents))
	for i, text := range contents {
		entries[i].Contents = text
	}
	return entries
}

// platform is a server with its plugin, and what the server told.
type platform struct {
	*mirroring.Server
	plugin *plugin
	told   []mirroring.Event
}

func newPlatform(incidents ...*mirroring.Incident) *platform {
	p := &platform{plugin: &plugin{answers: map[string][]answer{}}}
	seconds := -1
	now := func() time.Time { seconds++; return at(seconds) }
	p.Server = &mirroring.Server{Plugin: p.plugin, Now: now, Tell: func(event mirroring.Event) { p.told = append(p.told, event) }, Incidents: incidents}
	return p
}

// incident returns an open incident of an alert in Defender, mirrored in both directions and without changes.
func incident(id, remoteID string) *mirroring.Incident {
	return &mirroring.Incident{
		ID: id, RemoteID: remoteID, Name: "alert " + remoteID, Direction: "Both", State: mirroring.Active,
		Fields: map[string]string{}, Delta: map[string]any{}, Synced: start().Add(-time.Hour),
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// equal compares two values as JSON, which is what the server is kept as.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if got, want := encoded(t, got), encoded(t, want); got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func succeed(t *testing.T, do func(context.Context) error) {
	t.Helper()
	if err := do(t.Context()); err != nil {
		t.Fatalf("got the error %v, want none", err)
	}
}

// fetched is an incident as fetch-incidents returns it.
func fetched(t *testing.T, remoteID, raw string) map[string]any {
	t.Helper()
	return map[string]any{"name": "alert " + remoteID, "dbotMirrorId": remoteID, "dbotMirrorDirection": "Both", "dbotMirrorTags": []string{"comments", "work"}, "rawJSON": raw}
}

func TestFetchMakesTheMirroredIncidents(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.plugin.answer("fetch-incidents", encoded(t, []any{
		fetched(t, "a1", `{"id":"a1","status":"New","assignedTo":"ann","mirror_error":"forbidden"}`),
		map[string]any{"name": "not mirrored", "rawJSON": `{"id":"a2"}`},
		fetched(t, "a3", `{"id":"a3"}`),
	}))
	succeed(t, p.Fetch)
	equal(t, "the incidents", p.Incidents, []*mirroring.Incident{
		{
			ID: "1", RemoteID: "a1", Name: "alert a1", Direction: "Both", State: 1, Tags: []string{"comments", "work"}, Synced: at(0),
			Fields: map[string]string{"status": "New", "assignedTo": "ann"}, Delta: map[string]any{}, Problem: "forbidden",
		},
		{
			ID: "2", RemoteID: "a3", Name: "alert a3", Direction: "Both", State: 1, Tags: []string{"comments", "work"}, Synced: at(1),
			Fields: map[string]string{}, Delta: map[string]any{},
		},
	})
	equal(t, "told", p.told, []mirroring.Event{{Where: "Cortex XSOAR", ID: "1", What: "new incident alert a1"}, {Where: "Cortex XSOAR", ID: "2", What: "new incident alert a3"}})
}

func TestFetchReadsEveryEntryAlsoIfItIsATextOfJSON(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	list := func(remoteID string) string { return encoded(t, []any{fetched(t, remoteID, `{}`)}) }
	p.plugin.answer("fetch-incidents", encoded(t, list("a1")), list("a2"))
	succeed(t, p.Fetch)
	if p.Find("a1") == nil || p.Find("a2") == nil {
		t.Errorf("got the incidents %s, want those of a1 and a2", encoded(t, p.Incidents))
	}
}

func TestFetchLeavesAnIncidentThatIsThere(t *testing.T) {
	t.Parallel()
	p := newPlatform(incident("1", "a1"))
	p.plugin.answer("fetch-incidents", encoded(t, []any{fetched(t, "a1", `{"id":"a1","status":"Resolved"}`), fetched(t, "a2", `{"id":"a2"}`)}))
	succeed(t, p.Fetch)
	if len(p.Incidents) != 2 || p.Incidents[0].Fields["status"] != "" {
		t.Errorf("got %s, want the incident of a1 as it was, and that of a2", encoded(t, p.Incidents))
	}
}

func TestWhatIsFetchedIsNoChangeToSend(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.Echo = true
	p.plugin.answer("fetch-incidents", encoded(t, []any{fetched(t, "a1", `{"id":"a1","status":"New"}`)}))
	succeed(t, p.Fetch)
	if p.Incidents[0].Pending() {
		t.Errorf("got the changes %v, want none", p.Incidents[0].Delta)
	}
}

func TestFetchReturnsTheErrorOfThePlugin(t *testing.T) {
	t.Parallel()
	p, failure := newPlatform(), errors.New("no token")
	p.plugin.fail("fetch-incidents", failure)
	if err := p.Fetch(t.Context()); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
}

func TestFindKnowsOnlyWhatIsMirrored(t *testing.T) {
	t.Parallel()
	first, second := incident("1", "a1"), incident("2", "a2")
	p := newPlatform(first, second)
	for id, want := range map[string]*mirroring.Incident{"a1": first, "a2": second, "a3": nil, "": nil} {
		if got := p.Find(id); got != want {
			t.Errorf("Find(%q): got %v, want %v", id, got, want)
		}
	}
}

// receive has a platform bring one answer of get-remote-data for the alert a1.
func receive(t *testing.T, p *platform, entries ...mirroring.Entry) {
	t.Helper()
	p.plugin.answer("get-modified-remote-data", `["a1"]`)
	p.plugin.answers["get-remote-data"] = []answer{{entries: entries}}
	succeed(t, p.Incoming)
}

func TestFieldsOfAnAlertAndOfAnIncidentAreMapped(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]map[string]string{
		`{"id":"a1","status":"New","assignedTo":"ann","classification":"TruePositive","determination":"Malware"}`: {
			"status": "New", "assignedTo": "ann", "classification": "TruePositive", "determination": "Malware",
		},
		`{"id":"a1","summary_status":"Active","assignedTo":"ann","summary_classification":"FalsePositive","summary_determination":"Clean"}`: {
			"status": "Active", "assignedTo": "ann", "classification": "FalsePositive", "determination": "Clean",
		},
		`{"id":"a1","status":"New","summary_status":"Active"}`: {"status": "Active"},
		`{"status":"New"}`: {},
	} {
		p := newPlatform(incident("1", "a1"))
		receive(t, p, mirroring.Entry{Contents: object})
		equal(t, "the fields of "+object, p.Incidents[0].Fields, want)
		if p.Incidents[0].Pending() {
			t.Errorf("%s: got the changes %v, want none to send", object, p.Incidents[0].Delta)
		}
	}
}

func TestIncomingTellsEveryFieldThatChanges(t *testing.T) {
	t.Parallel()
	one := incident("1", "a1")
	one.Fields = map[string]string{"status": "New", "assignedTo": "ann", "classification": "TruePositive"}
	p := newPlatform(one)
	receive(t, p, mirroring.Entry{Contents: encoded(t, `{"id":"a1","status":"InProgress","assignedTo":"ann"}`)})
	equal(t, "told", p.told, []mirroring.Event{
		{Where: "Cortex XSOAR", ID: "1", What: `classification: "TruePositive" becomes ""`},
		{Where: "Cortex XSOAR", ID: "1", What: `status: "New" becomes "InProgress"`},
	})
	equal(t, "the fields", one.Fields, map[string]string{"status": "InProgress", "assignedTo": "ann", "classification": ""})
}

func TestWhatAnAnalystChangedMeanwhileStays(t *testing.T) {
	t.Parallel()
	one := incident("1", "a1")
	p := newPlatform(one)
	p.Set(one, "status", "Resolved")
	receive(t, p, mirroring.Entry{Contents: `{"id":"a1","status":"New","assignedTo":"ann"}`})
	equal(t, "the fields", one.Fields, map[string]string{"status": "Resolved", "assignedTo": "ann"})
	equal(t, "the changes to send", one.Delta, map[string]any{"status": "Resolved"})
}

func TestAProblemIsShownUntilItIsGone(t *testing.T) {
	t.Parallel()
	one := incident("1", "a1")
	p := newPlatform(one)
	for _, test := range []struct{ object, want string }{{`{"mirror_error":"forbidden"}`, "forbidden"}, {`{"id":"a1"}`, ""}} {
		receive(t, p, mirroring.Entry{Contents: test.object})
		if one.Problem != test.want {
			t.Errorf("after %s: got the problem %q, want %q", test.object, one.Problem, test.want)
		}
	}
}

func TestRoundsAskForTheChangesSinceTheLast(t *testing.T) {
	t.Parallel()
	p, failure := newPlatform(), errors.New("busy")
	p.plugin.answer("get-modified-remote-data", `[]`)
	p.plugin.fail("get-modified-remote-data", failure)
	for round, want := range []error{nil, failure, nil} {
		if err := p.Incoming(t.Context()); !errors.Is(err, want) {
			t.Errorf("round %d: got %v, want %v", round+1, err, want)
		}
	}
	// The first round asks from its own beginning, the third again from that of the first, because the second failed.
	equal(t, "asked since", p.plugin.asked("get-modified-remote-data", "lastUpdate"), []any{stamp(0), stamp(0), stamp(0)})
	if want := at(2); p.Round != want {
		t.Errorf("got %v as the time of the last round, want %v", p.Round, want)
	}
}

func TestOnlyWhatIsMirroredInIsBrought(t *testing.T) {
	t.Parallel()
	for direction, want := range map[string]bool{"In": true, "Both": true, "Out": false, "": false} {
		one := incident("1", "a1")
		one.Direction = direction
		p := newPlatform(one)
		receive(t, p, mirroring.Entry{Contents: `{"id":"a1","status":"New"}`})
		if got := one.Fields["status"] == "New"; got != want {
			t.Errorf("direction %q: got %t for a change that was brought, want %t", direction, got, want)
		}
	}
}

func TestEveryIncidentIsBroughtOnce(t *testing.T) {
	t.Parallel()
	p := newPlatform(incident("1", "a1"), incident("2", "a2"), incident("3", "a3"))
	p.Queue = []string{"a3"}
	p.plugin.answer("get-modified-remote-data", `["a1","unknown","a1"]`, `["a2","a1","a3"]`)
	succeed(t, p.Incoming)
	equal(t, "brought", p.plugin.asked("get-remote-data", "id"), []any{"a3", "a1", "a2"})
	if len(p.Queue) != 0 {
		t.Errorf("got the queue %v, want it empty", p.Queue)
	}
}

func TestAnIncidentIsAskedSinceItsLastAnswer(t *testing.T) {
	t.Parallel()
	one := incident("1", "a1")
	p := newPlatform(one)
	before := one.Synced.Format(time.RFC3339Nano)
	receive(t, p) // an answer without entries says nothing
	receive(t, p, mirroring.Entry{Contents: `{"id":"a1"}`})
	receive(t, p, mirroring.Entry{Contents: `{"id":"a1"}`})
	// A round reads the clock at its beginning, before an incident, and when it asks: the second round at 3, 4 and 5 seconds.
	equal(t, "asked since", p.plugin.asked("get-remote-data", "lastUpdate"), []any{before, before, stamp(5)})
}

func TestAnErrorSkipsAnIncident(t *testing.T) {
	t.Parallel()
	first, second := incident("1", "a1"), incident("2", "a2")
	p, failure := newPlatform(first, second), errors.New("the alert is gone")
	p.plugin.answer("get-modified-remote-data", `["a1","a2"]`)
	p.plugin.fail("get-remote-data", failure)
	p.plugin.answer("get-remote-data", `{"id":"a2","status":"New"}`)
	if err := p.Incoming(t.Context()); !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	if second.Fields["status"] != "New" || len(p.Queue) != 0 {
		t.Errorf("got the fields %v and the queue %v, want the second incident brought and nothing left", second.Fields, p.Queue)
	}
	if want := at(1); first.Synced != want {
		t.Errorf("the first is asked from %v, want %v: the platform does not ask for the same changes again", first.Synced, want)
	}
}

func TestTheNextRoundContinuesWhereNoAnswerCame(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{fmt.Errorf("the process ended: %w", mirroring.ErrNoAnswer), errors.New("API rate limit reached")} {
		first, second := incident("1", "a1"), incident("2", "a2")
		p, before := newPlatform(first, second), first.Synced
		p.plugin.answer("get-modified-remote-data", `["a1","a2"]`)
		p.plugin.fail("get-remote-data", failure)
		if err := p.Incoming(t.Context()); !errors.Is(err, failure) {
			t.Errorf("got %v, want %v", err, failure)
		}
		if want := []string{"a1", "a2"}; !slices.Equal(p.Queue, want) || first.Synced != before {
			t.Errorf("after %v: got the queue %v and %v, want %v and %v", failure, p.Queue, first.Synced, want, before)
		}
		succeed(t, p.Incoming)
		equal(t, "asked for", p.plugin.asked("get-remote-data", "id"), []any{"a1", "a1", "a2"})
	}
}

func TestEntriesCloseReopenAndComment(t *testing.T) {
	t.Parallel()
	closing := mirroring.Entry{Contents: `{"dbotIncidentClose":true,"closeReason":"Resolved","closeNotes":"one\ntwo"}`, IsJSON: true}
	reopening := mirroring.Entry{Contents: `{"dbotIncidentReopen":true}`, IsJSON: true}
	again := mirroring.Entry{Contents: `{"dbotIncidentClose":true,"closeReason":"Other"}`, IsJSON: true}
	closed := func(one *mirroring.Incident) {
		one.State, one.CloseReason, one.CloseNotes = mirroring.Closed, "Duplicate", "as 7"
	}
	for _, test := range []struct {
		name   string
		before func(*mirroring.Incident)
		entry  mirroring.Entry
		state  int
		reason string
		notes  string
		coming []string
		told   string
		echoed map[string]any
	}{
		{"an open incident closes", nil, closing, 2, "Resolved", "one\ntwo", nil, "closed as Resolved: one / two", map[string]any{"closeReason": "Resolved", "closeNotes": "one\ntwo", "closingUserId": "DBot"}},
		{"a closed incident keeps its reason", closed, again, 2, "Duplicate", "as 7", nil, "", nil},
		{"a closed incident reopens", closed, reopening, 1, "Duplicate", "as 7", nil, "reopened", map[string]any{"closeReason": "", "closeNotes": "", "closingUserId": ""}},
		{"an open incident stays open", nil, reopening, 1, "", "", nil, "", nil},
		{"a comment becomes a note", nil, mirroring.Entry{Contents: "seen"}, 1, "", "", []string{"seen"}, "note: seen", nil},
		{"a comment that looks like a closing entry is a note", nil, mirroring.Entry{Contents: closing.Contents}, 1, "", "", []string{closing.Contents}, "note: " + closing.Contents, nil},
		{"a comment that looks like a reopening entry is a note", closed, mirroring.Entry{Contents: reopening.Contents}, 2, "Duplicate", "as 7", []string{reopening.Contents}, "note: " + reopening.Contents, nil},
		{"other JSON is a note", nil, mirroring.Entry{Contents: `{"a":1}`, IsJSON: true}, 1, "", "", []string{`{"a":1}`}, `note: {"a":1}`, nil},
	} {
		for _, echo := range []bool{false, true} {
			one := incident("1", "a1")
			if test.before != nil {
				test.before(one)
			}
			p := newPlatform(one)
			p.Echo = echo
			receive(t, p, mirroring.Entry{Contents: `{"id":"a1"}`}, test.entry)
			got := []any{one.State, one.CloseReason, one.CloseNotes, one.Notes}
			equal(t, test.name, got, []any{test.state, test.reason, test.notes, test.coming})
			var told []mirroring.Event
			if test.told != "" {
				told = []mirroring.Event{{Where: "Cortex XSOAR", ID: "1", What: test.told}}
			}
			equal(t, test.name+": told", p.told, told)
			changes := map[string]any{}
			if echo && test.echoed != nil {
				changes = test.echoed
			}
			equal(t, fmt.Sprintf("%s: the changes to send, echo %t", test.name, echo), one.Delta, changes)
		}
	}
}

func TestAPlatformThatEchoesSendsFieldsBack(t *testing.T) {
	t.Parallel()
	one := incident("1", "a1")
	p := newPlatform(one)
	p.Echo = true
	receive(t, p, mirroring.Entry{Contents: `{"id":"a1","status":"New"}`})
	equal(t, "the changes to send", one.Delta, map[string]any{"status": "New"})
}

func TestAnalystsChangeIncidents(t *testing.T) {
	t.Parallel()
	one := incident("7", "a1")
	p := newPlatform(one)
	if one.Pending() {
		t.Error("an incident that nobody changed has changes to send")
	}
	p.Close(one, "Resolved", "done")
	equal(t, "closed", []any{one.State, one.CloseReason, one.CloseNotes}, []any{2, "Resolved", "done"})
	equal(t, "the changes of closing", one.Delta, map[string]any{"closeReason": "Resolved", "closeNotes": "done", "closingUserId": "analyst"})
	p.Reopen(one)
	equal(t, "reopened", []any{one.State, one.CloseReason, one.CloseNotes}, []any{1, "", ""})
	equal(t, "the changes of reopening", one.Delta, map[string]any{"closeReason": "", "closeNotes": "", "closingUserId": ""})
	other := incident("8", "a2")
	p.Comment(one, "first")
	p.Comment(other, "second")
	equal(t, "the entries", [][]mirroring.Note{one.Entries, other.Entries}, [][]mirroring.Note{{{ID: "1@7", Text: "first"}}, {{ID: "2@8", Text: "second"}}})
	if !other.Pending() {
		t.Error("an incident with a comment has nothing to send")
	}
}

func TestChangesAreSentOnceWithWhatThePlatformKnows(t *testing.T) {
	t.Parallel()
	one := incident("7", "a1")
	one.Fields["assignedTo"], one.Tags = "ann", []string{"comments"}
	p := newPlatform(one)
	p.Close(one, "Resolved", "done")
	p.Set(one, "status", "Resolved")
	p.Comment(one, "first")
	p.Comment(one, "second")
	p.plugin.answer("update-remote-system", "a1")
	succeed(t, p.Outgoing)
	succeed(t, p.Outgoing)
	if len(p.plugin.calls) != 1 {
		t.Fatalf("got %d calls, want 1: what was sent is not sent again", len(p.plugin.calls))
	}
	entry := func(id, text string) map[string]any {
		return map[string]any{"id": id, "type": 1, "format": "text", "contents": text, "tags": []string{"comments"}, "user": "analyst"}
	}
	equal(t, "the arguments", p.plugin.calls[0].args, map[string]any{
		"data":    map[string]any{"id": "7", "assignedTo": "ann", "status": "Resolved"},
		"delta":   map[string]any{"closeReason": "Resolved", "closeNotes": "done", "closingUserId": "analyst", "status": "Resolved"},
		"entries": []any{entry("1@7", "first"), entry("2@7", "second")}, "incidentChanged": true, "remoteId": "a1", "status": 2,
	})
	var told []string
	for _, event := range p.told {
		told = append(told, event.Where+" "+event.ID+" "+event.What)
	}
	equal(t, "told", told, []string{
		`Defender a1 closeNotes: "done"`, `Defender a1 closeReason: "Resolved"`, `Defender a1 closingUserId: "analyst"`, `Defender a1 status: "Resolved"`,
		`Defender a1 comment: first`, `Defender a1 comment: second`,
	})
}

func TestACommentDoesNotChangeTheIncidentButAFieldDoes(t *testing.T) {
	t.Parallel()
	one := incident("7", "a1")
	p := newPlatform(one)
	p.plugin.answer("update-remote-system", "a1")
	p.plugin.answer("update-remote-system", "a1")
	p.Comment(one, "seen")
	succeed(t, p.Outgoing)
	p.Set(one, "status", "Resolved")
	succeed(t, p.Outgoing)
	equal(t, "incidentChanged of both calls", p.plugin.asked("update-remote-system", "incidentChanged"), []any{false, true})
	if one.Pending() || len(one.Entries) != 1 {
		t.Errorf("got the unsent comments %v and the entries %v, want the comment sent and kept", one.Unsent, one.Entries)
	}
}

func TestOnlyWhatIsMirroredOutIsSent(t *testing.T) {
	t.Parallel()
	var incidents []*mirroring.Incident
	for i, direction := range []string{"In", "", "Out", "Both"} {
		one := incident(fmt.Sprint(i), direction+" alert")
		one.Direction = direction
		incidents = append(incidents, one)
	}
	p := newPlatform(incidents...)
	for _, one := range incidents {
		p.Set(one, "status", "Resolved")
		if one.Direction == "Out" || one.Direction == "Both" {
			p.plugin.answer("update-remote-system", one.RemoteID)
		}
	}
	succeed(t, p.Outgoing)
	equal(t, "sent", p.plugin.asked("update-remote-system", "remoteId"), []any{"Out alert", "Both alert"})
}

func TestWhatWasNotAnsweredIsSentAgain(t *testing.T) {
	t.Parallel()
	failure := errors.New("busy")
	for name, given := range map[string]answer{
		"an error": {err: failure}, "no entry": {}, "another ID": {entries: texts("a2")}, "another ID before its own": {entries: texts("a2", "a1")},
	} {
		one := incident("7", "a1")
		p := newPlatform(one)
		p.Set(one, "status", "Resolved")
		p.plugin.answers["update-remote-system"] = []answer{given}
		err := p.Outgoing(t.Context())
		if err == nil || errors.Is(err, failure) != (given.err != nil) {
			t.Errorf("%s: got the error %v", name, err)
		}
		if given.err == nil && !strings.Contains(err.Error(), "a1") {
			t.Errorf("%s: got %q, want the ID that was expected", name, err)
		}
		p.plugin.answer("update-remote-system", "a1")
		succeed(t, p.Outgoing)
		equal(t, name+": the changes of both calls", p.plugin.asked("update-remote-system", "delta"), []any{map[string]any{"status": "Resolved"}, map[string]any{"status": "Resolved"}})
	}
}

func TestAWarningIsAnAnswer(t *testing.T) {
	t.Parallel()
	first, second := incident("7", "a1"), incident("8", "a2")
	p := newPlatform(first, second)
	for _, one := range p.Incidents {
		p.Set(one, "status", "Resolved")
		p.Comment(one, "seen")
	}
	p.plugin.answer("update-remote-system", "a1", "the service refused it")
	p.plugin.answer("update-remote-system", "a2")
	succeed(t, p.Outgoing)
	if first.Problem != "the service refused it" || first.Pending() {
		t.Errorf("got the problem %q and changes to send: %t, want the warning and none", first.Problem, first.Pending())
	}
	if want := (mirroring.Event{Where: "Defender", ID: "a1", What: "failed: the service refused it"}); len(p.told) == 0 || p.told[0] != want {
		t.Errorf("told: got %v, want %v first", p.told, want)
	}
	for _, event := range p.told[1:] {
		if event.ID != "a2" {
			t.Errorf("told: got %v after the failure, want nothing more of it", event)
		}
	}
	if second.Pending() {
		t.Error("the incident after the one with a warning was not sent")
	}
	p.Set(first, "status", "New")
	p.plugin.answer("update-remote-system", "a1")
	succeed(t, p.Outgoing)
	if first.Problem != "" {
		t.Errorf("after what was sent: got the problem %q, want none", first.Problem)
	}
}

func TestAServerNeedNotTell(t *testing.T) {
	t.Parallel()
	p := newPlatform(incident("1", "a1"))
	p.Tell = nil
	receive(t, p, mirroring.Entry{Contents: `{"id":"a1","status":"New"}`}, mirroring.Entry{Contents: "seen"})
	if got := p.Incidents[0].Fields["status"]; got != "New" {
		t.Errorf("got the status %q, want New", got)
	}
}

func TestReadTakesEntriesAsThePlatformDoes(t *testing.T) {
	t.Parallel()
	shown := []warroom.Block{warroom.Paragraph("shown")}
	got := mirroring.Read([]warroom.Entry{
		{Literal: "a1", Contents: warroom.Raw(`{"a":1}`), Blocks: shown, Tags: []string{"comments"}},
		{Contents: warroom.Raw(`{"a":1}`), Blocks: shown},
		{Kind: warroom.Warning, Blocks: shown},
		{Literal: "a2", Blocks: shown},
	})
	want := []mirroring.Entry{
		{Contents: "a1", Tags: []string{"comments"}},
		{Contents: `{"a":1}`, IsJSON: true},
		{Contents: "shown", Warning: true},
		{Contents: "a2"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
