package commands

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/rawjson"
)

func TestTheStateOfMirroringIsReadAsItWasWritten(t *testing.T) {
	want := &mirrorState{
		Again: map[string]string{"a": "2026-11-20T10:00:00Z"}, Cursor: "2026-11-20T10:01:00Z", Looks: map[string]json.RawMessage{"b": json.RawMessage(`{"l":"2026-11-20T10:02:00Z"}`)},
		Missing: map[string]string{"c": "2026-11-20"}, Reported: map[string]string{"d": "2026-11-20T10:03:00Z"}, Fresh: []string{"d"}, Resolved: mark("e") + mark("f"),
		Round: "round", Since: "2026-11-20T10:04:00Z", Turned: map[string]turn{"g": reopened}, Unsent: []string{"h"},
	}
	text := want.encode()
	if got := readMirrorState(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	broken := strings.Replace(string(text), mark("f"), mark("f")[1:], 1)
	if got := readMirrorState(json.RawMessage(broken)); got.Resolved != "" || got.Cursor != want.Cursor {
		t.Errorf("got the marks %q and the cursor %q of a state with half a mark, want no marks, and the cursor", got.Resolved, got.Cursor)
	}
	for _, text := range []string{``, `null`, `[]`, `{"again":3}`, `{"looks":null}`} {
		got := readMirrorState(json.RawMessage(text))
		if got.Again == nil || got.Looks == nil || got.Missing == nil || got.Reported == nil || got.Turned == nil || got.Cursor != "" {
			t.Errorf("%s: got %+v, want an empty state that can be written to", text, got)
		}
	}
}

// TestTheStateOfMirroringIsBounded has more of everything than a state holds: the oldest is dropped.
func TestTheStateOfMirroringIsBounded(t *testing.T) {
	s := readMirrorState(nil)
	at := func(i int) string { return time.Date(2026, 11, 20, 10, 0, i, 0, time.UTC).Format(time.RFC3339) }
	id := func(i int) string { return fmt.Sprintf("%05d", i) }
	for i := range maxResolved + 1 {
		s.Resolved += mark(id(i))
	}
	for i := range maxLooks + maxLooks/10 + 1 {
		s.Looks[id(i)] = rawMessage(look{Since: at(i)})
	}
	for i := range 1001 {
		s.Turned[id(i)], s.Again[id(i)] = closed, at(i)
	}
	for i := range 501 {
		s.Missing[id(i)] = at(i)
	}
	got := readMirrorState(s.encode())
	if len(got.Resolved) != maxResolved*markLength || marked(got.Resolved, mark(id(0))) || !marked(got.Resolved, mark(id(1))) {
		t.Errorf("got %d marks, want the %d newest", len(got.Resolved)/markLength, maxResolved)
	}
	for name, test := range map[string]struct {
		number, want int
		oldest       bool // is still there
	}{
		"looks":   {len(got.Looks), 1000, got.Looks[id(100)] != nil},
		"turned":  {len(got.Turned), 1000, got.Turned[id(0)] != ""},
		"again":   {len(got.Again), 1000, got.Again[id(0)] != ""},
		"missing": {len(got.Missing), 500, got.Missing[id(0)] != ""},
	} {
		if test.number != test.want || test.oldest {
			t.Errorf("%s: got %d and the oldest %t, want %d without it", name, test.number, test.oldest, test.want)
		}
	}
	few := readMirrorState(nil)
	for i := range maxLooks + maxLooks/10 {
		few.Looks[id(i)] = rawMessage(look{Since: at(i)})
	}
	if got := len(readMirrorState(few.encode()).Looks); got != maxLooks+maxLooks/10 {
		t.Errorf("got %d looks of %d, want all: a tenth more is kept until the next are dropped together", got, maxLooks+maxLooks/10)
	}
}

func rawMessage(value any) json.RawMessage { return json.RawMessage(rawjson.Make(value)) }

func TestMarksAreFoundOnlyWhereTheyBegin(t *testing.T) {
	first, second := strings.Repeat("a", markLength-1)+"b", "b"+strings.Repeat("a", markLength-1)
	marks := first + second + first
	if got := markAt(marks, second); got != markLength {
		t.Errorf("got the second mark at %d, want it at %d", got, markLength)
	}
	if across := marks[1 : markLength+1]; marked(marks, across) {
		t.Errorf("%s is found across two marks, want it not found", across)
	}
}

// TestTheRoundIsRememberedForThreeMinutes recalls what was read for a round, which saves the request for each change of it.
func TestTheRoundIsRememberedForThreeMinutes(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	m := new(MirrorMemories).Of("instance", json.RawMessage(`{}`))
	m.keep("round", now, map[string]rawjson.Value{"a": `{"id":"a"}`, "b": `{"id":"b"}`})
	recalls := func(m *MirrorMemory, round, id string, at time.Time) bool {
		object, found := m.recall(round, id, at)
		return found && object.Text("id") == id
	}
	m.forget("b")
	for name, test := range map[string]struct{ got, want bool }{
		"in time":                   {recalls(m, "round", "a", now.Add(3*time.Minute)), true},
		"of another round":          {recalls(m, "later", "a", now), false},
		"of a round without a name": {recalls(m, "", "a", now), false},
		"another object":            {recalls(m, "round", "c", now), false},
		"one that has changed":      {recalls(m, "round", "b", now), false},
		"without a memory":          {recalls(nil, "round", "a", now), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %t, want %t", name, test.got, test.want)
		}
	}
	if recalls(m, "round", "a", now.Add(3*time.Minute+time.Nanosecond)) || recalls(m, "round", "a", now) {
		t.Error("an object is recalled after three minutes, want it gone from then on")
	}
}

func TestTheMemoryOfARoundIsBounded(t *testing.T) {
	m := &MirrorMemory{}
	objects := map[string]rawjson.Value{}
	for _, id := range numbered("%d", 5001) {
		objects[id] = `{}`
	}
	m.keep("round", time.Now(), objects)
	if got := len(m.objects); got != 5000 {
		t.Errorf("got %d objects, want at most 5,000", got)
	}
	large := rawjson.Value(`"` + strings.Repeat("x", 8<<20) + `"`)
	m.keep("round", time.Now(), map[string]rawjson.Value{"a": large, "b": large, "c": large, "d": large})
	if got := len(m.objects); got != 3 {
		t.Errorf("got %d objects of 8 MiB, want the 3 that 32 MiB hold", got)
	}
}

func TestAMemoryServesOneInstanceWithOneConfiguration(t *testing.T) {
	all := &MirrorMemories{}
	first := all.Of("a", json.RawMessage(`{}`))
	if all.Of("a", json.RawMessage(`{}`)) != first {
		t.Error("got another memory for the same instance, want the same one")
	}
	others := []*MirrorMemory{all.Of("b", json.RawMessage(`{}`)), all.Of("a", json.RawMessage(`{"x":1}`)), (*MirrorMemories)(nil).Of("a", json.RawMessage(`{}`))}
	if slices.Contains(others, first) {
		t.Error("another instance or configuration gets the memory, want its own")
	}
	if got := len(all.entries); got != 2 {
		t.Errorf("got %d memories, want one of each instance: the earlier configuration is forgotten", got)
	}
}

// TestWhatMirroringCouldNotSendMayBeUnreadable reads what is not what this version writes: it counts as nothing, and can be written to.
func TestWhatMirroringCouldNotSendMayBeUnreadable(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `{"a":{"comments":"x"}}`, `{"a":{"comments":["x"]},"b":3}`} {
		kept := readUnsent(map[string]json.RawMessage{unsentKey: json.RawMessage(text)})
		if kept == nil || len(kept) > 0 {
			t.Errorf("%s: got %v, want nothing", text, kept)
		}
	}
	if kept := readUnsent(map[string]json.RawMessage{unsentKey: json.RawMessage(`{"a":{"comments":["x"]}}`)}); !kept["a"].left() {
		t.Errorf("got %v, want the comment", kept)
	}
}

// TestTheStateIsDecodedOnce loads the state as get-remote-data does, once for each changed object.
func TestTheStateIsDecodedOnce(t *testing.T) {
	host := &mirrorRunHost{kept: (&mirrorState{Cursor: "2026-11-20T10:00:00Z"}).encode()}
	run := &Run{Host: host, Mirrored: &MirrorMemory{}}
	load := func() *mirrorState {
		t.Helper()
		state, known := loadMirrorState(t.Context(), run)
		if !known {
			t.Fatal("the state is not known, want it read")
		}
		return state
	}
	first := load()
	run.Mirrored.putState(first)
	if load() != first {
		t.Error("a state that was put back as it was read is decoded again")
	}
	first.Cursor = "2026-11-20T11:00:00Z"
	if err := first.save(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if load() != first {
		t.Error("a state that was saved is decoded again")
	}
	if load() == first {
		t.Error("a state is given to two executions, want the second to read its own")
	}
	run.Mirrored.putState(first)
	host.kept = (&mirrorState{Cursor: "2026-11-20T12:00:00Z"}).encode() // by another process
	if got := load(); got == first || got.Cursor != "2026-11-20T12:00:00Z" {
		t.Errorf("got the cursor %s, want that of the newest state", got.Cursor)
	}
}

func TestWhatAnAnalystIsStillToBeTold(t *testing.T) {
	for name, test := range map[string]struct {
		kept unsent
		want bool
	}{
		"a failure":                             {unsent{Problem: "failed"}, true},
		"one that the next round tries first":   {unsent{Problem: "failed", Quiet: true}, false},
		"one that was told":                     {unsent{Problem: "failed", Told: "2026-11-20T10:00:00Z"}, false},
		"nothing":                               {unsent{Change: remoteChange{Status: "New"}}, false},
		"nothing, of what the next round sends": {unsent{Change: remoteChange{Status: "New"}, Quiet: true}, false},
	} {
		if got := test.kept.open(); got != test.want {
			t.Errorf("%s: got %t, want %t", name, got, test.want)
		}
	}
}

func TestWhatIsStillToBeSent(t *testing.T) {
	for name, kept := range map[string]unsent{
		"a field": {Change: remoteChange{AssignedTo: "nora"}}, "the last tag removed": {Change: remoteChange{Tags: []string{}}}, "a comment": {Comments: []string{"c"}}, "its alerts": {Alerts: true},
	} {
		if !kept.left() {
			t.Errorf("%s: got nothing left, want it sent", name)
		}
	}
	if (unsent{Problem: "failed", Comments: []string{}}).left() {
		t.Error("got something left of what was only told, want nothing")
	}
}

// TestWhatCouldNotBeSentIsBounded keeps the changes of many objects: the oldest are dropped, and those of two days ago.
func TestWhatCouldNotBeSentIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	host := &sharedContext{values: map[string]json.RawMessage{}}
	run := &Run{Host: host, Now: func() time.Time { return now }}
	run.Instance.Mirror.Direction = "Both"
	keep := func(id string, since time.Time) {
		changeUnsent(t.Context(), run, id, func(unsent, bool) unsent { return unsent{Comments: []string{"c"}, Since: since} })
	}
	keep("old", now.Add(-48*time.Hour))
	keep("older", now.Add(-48*time.Hour-time.Second))
	if kept := loadUnsent(t.Context(), run); !kept["old"].left() || kept["older"].left() {
		t.Errorf("got %v, want what is two days old, and nothing older", kept)
	}
	for i := range maxUnsent {
		keep(fmt.Sprintf("%03d", i), now.Add(-time.Hour).Add(time.Duration(i)*time.Second))
	}
	kept := loadUnsent(t.Context(), run)
	if len(kept) != maxUnsent || kept["old"].left() || !kept["000"].left() {
		t.Errorf("got %d, the oldest among them: %t, want the %d newest", len(kept), kept["old"].left(), maxUnsent)
	}
	for id := range kept {
		changeUnsent(t.Context(), run, id, func(unsent, bool) unsent { return unsent{} })
	}
	if text, written := host.values[unsentKey]; written {
		t.Errorf("got %s in the integration context, want no key once all is sent", text)
	}
	run.Instance.Mirror.Direction = "In"
	if keep("a", now); len(loadUnsent(t.Context(), run)) > 0 {
		t.Error("got changes to send from an instance that only mirrors in, want none")
	}
}

// TestNewAlertsOfAnIncidentAreNamed compares the alerts of an incident with those that were handed over before.
func TestNewAlertsOfAnIncidentAreNamed(t *testing.T) {
	asked := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	alerts := func(from, to int, created time.Time) (all []rawjson.Value) {
		for i := from; i < to; i++ {
			all = append(all, rawjson.Make(map[string]string{"id": fmt.Sprint(i), "title": fmt.Sprintf("title %d", i), "createdDateTime": created.Format(time.RFC3339)}))
		}
		return all
	}
	marksOf := func(from, to int) (marks string) {
		for i := from; i < to; i++ {
			marks += mark(fmt.Sprint(i))
		}
		return marks
	}
	for _, test := range []struct {
		name   string
		known  string
		alerts []rawjson.Value
		from   time.Time
		want   string
	}{
		{"none new", marksOf(0, 2), alerts(0, 2, asked), asked, ""},
		{"one new", marksOf(0, 2), alerts(0, 3, asked.Add(-time.Hour)), asked, "1 new alert: title 2"},
		{"several new", marksOf(0, 1), alerts(0, 3, asked), asked, "2 new alerts: title 1, title 2"},
		{"as many as are named", marksOf(0, 1), alerts(1, 11, asked), asked, "10 new alerts: title 1, title 2, title 3, title 4, title 5, title 6, title 7, title 8, title 9, title 10"},
		{"more than are named", marksOf(0, 1), alerts(1, 14, asked), asked, "13 new alerts: title 1, title 2, title 3, title 4, title 5, title 6, title 7, title 8, title 9, title 10 and 3 more"},
		{"nothing known, created since", "", alerts(0, 1, asked.Add(time.Second)), asked, "1 new alert: title 0"},
		{"nothing known, created before", "", alerts(0, 1, asked), asked, ""},
		{"nothing known, and nobody asked before", "", alerts(0, 1, asked), time.Time{}, ""},
	} {
		m := &incoming{run: &Run{}, from: test.from}
		next := look{Alerts: test.known}
		got := ""
		if entries := m.arrived(remoteState{Alerts: test.alerts}, &next); len(entries) > 0 {
			got = entries[0].Literal
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		for _, alert := range test.alerts {
			if !marked(next.Alerts, mark(alert.Text("id"))) {
				t.Errorf("%s: alert %s is not marked as handed over", test.name, alert.Text("id"))
			}
		}
	}
	next := look{Alerts: marksOf(0, maxAlertMarks)}
	if (&incoming{run: &Run{}}).arrived(remoteState{Alerts: alerts(maxAlertMarks, maxAlertMarks+1, asked)}, &next); len(next.Alerts) != maxAlertMarks*markLength || marked(next.Alerts, mark("0")) {
		t.Errorf("got %d marks, want the %d newest", len(next.Alerts)/markLength, maxAlertMarks)
	}
}

// TestNotesOfACloseAreNotEchoed has the notes with which a change in Defender closes an incident, and recognizes them when they come back.
func TestNotesOfACloseAreNotEchoed(t *testing.T) {
	own := remoteComment{Text: "ours\n[Cortex XSOAR 12/1@12]"}
	for name, test := range map[string]struct {
		seen remoteState
		want string
	}{
		"nothing known":     {remoteState{}, "no classification, by nobody"},
		"a verdict":         {remoteState{Classification: "FalsePositive", Determination: "NotMalicious", AssignedTo: "nora"}, "FalsePositive - NotMalicious, by nora"},
		"half a verdict":    {remoteState{Classification: "FalsePositive"}, "FalsePositive, by nobody"},
		"without its half":  {remoteState{Determination: "NotMalicious"}, "no classification, by nobody"},
		"the last comment":  {remoteState{Comments: []remoteComment{{Text: "first"}, {Text: "last"}, own}}, "last\nno classification, by nobody"},
		"a reason":          {remoteState{Comments: []remoteComment{{Text: "last"}}, Resolving: "harmless"}, "harmless\nno classification, by nobody"},
		"a reason of space": {remoteState{Comments: []remoteComment{{Text: "last"}}, Resolving: " "}, "last\nno classification, by nobody"},
	} {
		got := closeNotes(test.seen)
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if !isEcho(got, test.seen) {
			t.Errorf("%s: %q is not recognized when it comes back", name, got)
		}
	}
	now := remoteState{Comments: []remoteComment{{Text: "last"}}}
	for _, notes := range []string{"", "done", "done, by nora", "Unknown, by nora", "another comment\nFalsePositive, by nora", ", by nora"} {
		if isEcho(notes, now) {
			t.Errorf("%q counts as an echo, want it sent", notes)
		}
	}
	merged := remoteState{Status: statusRedirected, MergedInto: "7", Link: "https://portal.example/7"}
	if !isEcho(mergedText(merged), merged) || isEcho("no classification, by nobody", merged) {
		t.Error("the notes of a merge are not told apart from others")
	}
}
