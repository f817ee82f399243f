package commands_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// refusing makes every change of an alert fail with a status until the faults are cleared.
func (m *mirrored) refusing(status int) {
	m.Tenant.ClearFaults()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: http.MethodPatch, Status: status})
}

// changes returns how many changes were sent to Defender since the requests were reset.
func (m *mirrored) changes() int {
	return len(slices.DeleteFunc(m.Tenant.Requests(), func(r simulator.Request) bool { return r.Method != http.MethodPatch }))
}

// wantNoPromise checks that the only entry warns of a failure, and does not promise another try.
func (m *mirrored) wantNoPromise(entries []commandstest.Entry) {
	m.t.Helper()
	if len(entries) != 1 || strings.Contains(entries[0].Readable(), "tried again in the next rounds") {
		m.t.Errorf("got %v, want a warning that promises nothing", entries)
	}
}

// assign returns the arguments with which the platform sends a new assignee.
func assign(to string) map[string]any {
	return map[string]any{"data": map[string]any{"id": "12"}, "delta": map[string]any{"assignedTo": to}, "status": 1, "incidentChanged": true}
}

func TestAChangeThatFailedIsSentByTheNextRound(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.refusing(http.StatusInternalServerError)
	args := closing("False Positive", "a test")
	args["entries"] = []any{map[string]any{"id": "34@12", "contents": "hello", "tags": []string{"DefenderComment"}}}
	if entries := m.send(args); len(entries) != 1 {
		t.Fatalf("got %d entries, want a warning", len(entries))
	}
	m.Tenant.ClearFaults()
	m.modified()
	if ids := m.modified(); !slices.Equal(ids, []string{m.alert}) {
		t.Errorf("got %q, want the alert that was changed", ids)
	}
	got, want := m.Tenant.AlertState(m.alert), []string{"a test\n[Cortex XSOAR 12/close]", "hello\n[Cortex XSOAR 12/34@12]"}
	if got.Status != "Resolved" || got.Classification != "FalsePositive" || !slices.Equal(got.Comments, want) {
		t.Errorf("got %+v, want it resolved as a false positive with the comments %q", got, want)
	}
	object, entries := m.look()
	if len(entries) != 0 || object.Get("mirror_error").Raw != "null" {
		t.Errorf("got %d entries and the error %s, want none: the analyst need not know", len(entries), object.Get("mirror_error"))
	}
	m.Tenant.ResetRequests()
	m.modified()
	m.modified()
	if n := m.changes(); n != 0 {
		t.Errorf("got %d changes, want none once everything is sent", n)
	}
}

func TestAChangeThatStaysUnsentIsToldOnceUntilItIsSent(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.refusing(http.StatusForbidden)
	m.send(assign("nora@contoso.example"))
	if ids := m.modified(); !slices.Equal(ids, []string{m.alert}) {
		t.Fatalf("got %q, want the alert, so that its analyst is told", ids)
	}
	asked := m.since
	object, entries := m.look()
	if len(entries) != 1 || !strings.Contains(entries[0].Literal, "failed for its fields") || !strings.Contains(entries[0].Literal, "It is tried again until") {
		t.Fatalf("got %d entries, want one that reports the failure", len(entries))
	}
	if !strings.Contains(object.Get("mirror_error").Str, "HTTP 403") {
		t.Errorf("got the error %q in the object, want the refusal", object.Get("mirror_error"))
	}
	m.since = asked // the answer was lost
	if _, entries = m.look(); len(entries) != 1 {
		t.Errorf("got %d entries after the answer was lost, want the failure again", len(entries))
	}
	for range 10 {
		if ids := m.modified(); len(ids) != 0 {
			t.Errorf("got %q, want nothing to be told again", ids)
		}
		if object, entries = m.look(); len(entries) != 0 || object.Get("mirror_error").Str == "" {
			t.Errorf("got %d entries and the error %s, want the error in the object alone", len(entries), object.Get("mirror_error"))
		}
	}
	m.Tenant.ClearFaults()
	for range 6 { // the next try comes within 5 minutes
		m.modified()
	}
	if got := m.Tenant.AlertState(m.alert).AssignedTo; got != "nora@contoso.example" {
		t.Errorf("got the assignee %q, want the one that was not sent at first", got)
	}
	object, entries = m.look()
	if len(entries) != 1 || !strings.Contains(entries[0].Literal, "is now in Defender") || object.Get("mirror_error").Raw != "null" {
		t.Errorf("got %d entries and the error %s, want one that tells that it was sent", len(entries), object.Get("mirror_error"))
	}
	if _, entries = m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want no more", len(entries))
	}
}

func TestWhatTheServiceRefusesForGoodIsToldAndNotTriedAgain(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.refusing(http.StatusBadRequest)
	m.wantNoPromise(m.send(assign("nora@contoso.example")))
	m.Tenant.ResetRequests()
	m.modified()
	_, entries := m.look()
	if len(entries) != 1 || !strings.Contains(entries[0].Literal, "It is not tried again.") {
		t.Errorf("got %d entries, want one that reports the refusal", len(entries))
	}
	m.modified()
	if n := m.changes(); n != 0 {
		t.Errorf("got %d changes, want none: the service would refuse them again", n)
	}
	if _, entries = m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want no more", len(entries))
	}
}

func TestAChangeIsTriedForADay(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.refusing(http.StatusInternalServerError)
	m.send(assign("nora@contoso.example"))
	failed := m.Clock.Now()
	m.modified()
	until := failed.Add(24 * time.Hour)
	want := " It is tried again until " + until.Format(time.RFC3339) + "."
	if _, entries := m.look(); len(entries) != 1 || !strings.HasSuffix(entries[0].Literal, want) {
		t.Errorf("got %v, want one entry that ends with %q", entries, want)
	}
	m.Clock.Advance(until.Sub(m.Clock.Now()) - time.Minute)
	m.modified() // the last try within the day
	if _, entries := m.look(); len(entries) != 0 {
		t.Errorf("got %v within the day, want no more", entries)
	}
	m.Clock.Advance(10 * time.Minute)
	m.modified()
	want = " It was tried until " + until.Format(time.RFC3339) + ". It is not tried again."
	if _, entries := m.look(); len(entries) != 1 || !strings.HasSuffix(entries[0].Literal, want) {
		t.Errorf("got %v, want one entry that ends with %q", entries, want)
	}
	m.Tenant.ClearFaults()
	m.Tenant.ResetRequests()
	m.modified()
	if n := m.changes(); n != 0 {
		t.Errorf("got %d changes after a day, want none", n)
	}
}

func TestAChangeThatIsSentLateUndoesNothingNewer(t *testing.T) {
	t.Run("in Defender", func(t *testing.T) {
		m := mirror(t)
		m.modified()
		m.refusing(http.StatusInternalServerError)
		m.send(assign("nora@contoso.example"))
		m.change(simulator.Change{AssignedTo: "alex@contoso.example"})
		m.Tenant.ClearFaults()
		m.modified()
		object, entries := m.look()
		if got := m.Tenant.AlertState(m.alert).AssignedTo; got != "alex@contoso.example" || object.Get("assignedTo").Str != got {
			t.Errorf("got the assignee %q in Defender and %q here, want the newer one", got, object.Get("assignedTo"))
		}
		if len(entries) != 1 || !strings.Contains(entries[0].Literal, "the assignee nora@contoso.example") {
			t.Errorf("got %d entries, want one that tells what was not sent", len(entries))
		}
	})
	t.Run("in Cortex XSOAR", func(t *testing.T) {
		m := mirror(t)
		m.modified()
		m.refusing(http.StatusInternalServerError)
		m.send(assign("nora@contoso.example"))
		m.Tenant.ClearFaults()
		m.send(assign("alex@contoso.example"))
		m.modified()
		if got := m.Tenant.AlertState(m.alert).AssignedTo; got != "alex@contoso.example" {
			t.Errorf("got the assignee %q, want the newer one", got)
		}
	})
}

func TestACloseThatIsSentLateUndoesNoReopening(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.send(closing("Resolved", "done"))
	m.modified()
	m.look()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/alerts/", Status: http.StatusInternalServerError})
	m.send(map[string]any{"delta": map[string]any{"assignedTo": "nora@contoso.example"}, "status": 2}) // of the closed incident
	m.change(simulator.Change{Status: "InProgress"})
	m.Tenant.ClearFaults()
	m.modified()
	m.modified()
	if got := m.Tenant.AlertState(m.alert); got.Status != "InProgress" {
		t.Errorf("got %+v, want the reopened alert to stay open", got)
	}
	if _, entries := m.look(); len(entries) == 0 || !entries[0].Raw().Get("dbotIncidentReopen").Bool() {
		t.Errorf("got %d entries, want the incident reopened", len(entries))
	}
}

func TestAReopeningThatIsSentLateUndoesNoClose(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.send(closing("Resolved", "done"))
	m.modified()
	m.look()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/alerts/", Status: http.StatusInternalServerError})
	m.send(map[string]any{"delta": map[string]any{"closeReason": "", "closeNotes": "", "closingUserId": ""}, "status": 1, "incidentChanged": true})
	m.change(simulator.Change{Status: "InProgress"})
	m.modified()
	m.Tenant.ClearFaults()
	if _, entries := m.look(); len(entries) == 0 || !entries[0].Raw().Get("dbotIncidentReopen").Bool() {
		t.Fatalf("got %d entries, want the reopening in Defender, which overtakes the one that was not sent", len(entries))
	}
	m.change(simulator.Change{Status: "Resolved"})
	for range 6 { // the next try comes within 5 minutes
		m.modified()
	}
	if got := m.Tenant.AlertState(m.alert); got.Status != "Resolved" {
		t.Errorf("got %+v, want the alert to stay resolved", got)
	}
}

// toldUnsent mirrors an alert whose assignee Defender refuses, until its analyst is told. It returns when that was sent.
func toldUnsent(t *testing.T) (*mirrored, time.Time) {
	t.Helper()
	m := mirror(t)
	m.modified()
	m.refusing(http.StatusForbidden)
	m.send(assign("nora@contoso.example"))
	failed := m.Clock.Now()
	m.modified()
	m.look()
	return m, failed
}

// TestAChangeThatIsSentAgainByHandIsToldAsSent sends another assignee after a failure of which the analyst was told.
func TestAChangeThatIsSentAgainByHandIsToldAsSent(t *testing.T) {
	m, failed := toldUnsent(t)
	m.Tenant.ClearFaults()
	m.send(assign("alex@contoso.example"))
	if ids := m.modified(); !slices.Equal(ids, []string{m.alert}) {
		t.Errorf("got %q, want the alert, so that its analyst is told", ids)
	}
	object, entries := m.look()
	want := "What mirroring could not send to " + m.alert + " since " + failed.Format(time.RFC3339) + " is now in Defender."
	if len(entries) != 1 || entries[0].Literal != want || object.Get("mirror_error").Raw != "null" {
		t.Errorf("got %v and the error %s, want %q", entries, object.Get("mirror_error"), want)
	}
}

// TestWhatIsSentMeanwhileDoesNotProlongTheTries sends tags after an assignee that could not be sent.
func TestWhatIsSentMeanwhileDoesNotProlongTheTries(t *testing.T) {
	m, failed := toldUnsent(t)
	m.Clock.Advance(12 * time.Hour)
	m.Tenant.ClearFaults()
	m.send(map[string]any{"delta": map[string]any{"comment": "a comment"}, "status": 1})
	m.refusing(http.StatusForbidden)
	m.Clock.Advance(12*time.Hour + time.Minute)
	m.modified()
	want := " It was tried until " + failed.Add(24*time.Hour).Format(time.RFC3339) + ". It is not tried again."
	if _, entries := m.look(); len(entries) != 1 || !strings.HasSuffix(entries[0].Literal, want) {
		t.Errorf("got %v, want one entry that ends with %q", entries, want)
	}
}

func TestAChangeForWhichThereIsNoQuotaIsSentLater(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: http.MethodPatch, Status: http.StatusTooManyRequests, RetryAfter: time.Hour})
	args := assign("nora@contoso.example")
	args["remoteId"] = m.alert
	m.Run("update-remote-system", args).WantFailure("API rate limit")
	m.Tenant.ClearFaults()
	m.Clock.Advance(2 * time.Hour)
	m.modified()
	if got := m.Tenant.AlertState(m.alert).AssignedTo; got != "nora@contoso.example" {
		t.Errorf("got the assignee %q, want the one for which there was no quota", got)
	}
	if _, entries := m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want none", len(entries))
	}
}

func TestAnInstanceThatDoesNotMirrorOutKeepsNothing(t *testing.T) {
	m := mirror(t)
	m.Params["mirror_direction"] = "Incoming"
	m.refusing(http.StatusInternalServerError)
	m.wantNoPromise(m.send(assign("nora@contoso.example")))
	m.Tenant.ClearFaults()
	m.modified()
	if got := m.Tenant.AlertState(m.alert).AssignedTo; got == "nora@contoso.example" {
		t.Error("a round sent a change, want none from an instance that only mirrors in")
	}
}

// TestAlertsThatStayOpenAreResolvedByTheNextRound closes an incident whose alerts cannot be resolved at first.
func TestAlertsThatStayOpenAreResolvedByTheNextRound(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		want   string
	}{
		{"for a while", http.StatusInternalServerError, "resolved"},
		{"for good", http.StatusBadRequest, "new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := mirrorIncidents(t)
			m.Params["close_alerts"] = true
			m.modified()
			m.Tenant.Script(simulator.Fault{Kind: simulator.KindGraph, Method: http.MethodPatch, Path: "/v1.0/security/alerts_v2/", Status: test.status})
			entries := m.send(closing("Resolved", "done"))
			switch {
			case test.want == "new":
				m.wantNoPromise(entries)
			case len(entries) != 1:
				t.Fatalf("got %d entries, want a warning", len(entries))
			default:
				entries[0].WantReadable("failed for alert ", "HTTP 500", "It is tried again in the next rounds of mirroring.")
			}
			m.Tenant.ClearFaults()
			m.modified()
			m.modified()
			for _, alert := range m.Run("microsoft-atp-incident-get", map[string]any{"incident_id": m.alert}).Entry().Raw().Get("0.alerts").Array() {
				if got := alert.Get("status").Str; got != test.want {
					t.Errorf("got an alert that is %s after the next round, want it %s", got, test.want)
				}
			}
			if got := m.Tenant.IncidentState(m.alert); got.Status != "Resolved" {
				t.Errorf("got the incident %+v, want it resolved", got)
			}
		})
	}
}

func TestWhatIsGoneIsToldAndNotTriedAgain(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/alerts/", Status: http.StatusNotFound})
	entries := m.send(assign("nora@contoso.example"))
	m.wantNoPromise(entries)
	entries[0].WantReadable("failed for reading it")
	m.Tenant.ClearFaults()
	m.Tenant.ResetRequests()
	m.modified()
	if n := m.changes(); n != 0 {
		t.Errorf("got %d changes, want none of what was told to be gone", n)
	}
}

// comment returns the arguments with which the platform sends an entry as a comment.
func comment(id, text string) map[string]any {
	return map[string]any{"data": map[string]any{"id": "12"}, "status": 1, "incidentChanged": false, "entries": []any{
		map[string]any{"id": id, "contents": text, "tags": []string{"DefenderComment"}},
	}}
}

// TestCommentsThatCouldNotBeSentAreSentOnce fails to send two comments, the first of them twice, and sends them with a third.
func TestCommentsThatCouldNotBeSentAreSentOnce(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.refusing(http.StatusInternalServerError)
	m.send(comment("1@12", "first"))
	m.send(comment("2@12", "second"))
	m.send(comment("1@12", "first"))
	m.Tenant.ClearFaults()
	m.send(comment("3@12", "third"))
	for range 3 {
		m.modified()
	}
	got := m.Tenant.AlertState(m.alert).Comments
	slices.Sort(got)
	if want := []string{"first\n[Cortex XSOAR 12/1@12]", "second\n[Cortex XSOAR 12/2@12]", "third\n[Cortex XSOAR 12/3@12]"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want each once: %q", got, want)
	}
}

// TestAStatusOrTagsThatAreSentLateUndoNothingNewer changes in Defender what an incident of the platform could not change before.
func TestAStatusOrTagsThatAreSentLateUndoNothingNewer(t *testing.T) {
	for _, test := range []struct {
		name  string
		delta map[string]any
		newer simulator.Change
		want  string // what the analyst is told was not sent; "" if it was sent
	}{
		{"a newer status", map[string]any{"status": "In Progress"}, simulator.Change{Status: "Resolved"}, "the status InProgress"},
		{"another newer field", map[string]any{"status": "In Progress"}, simulator.Change{AssignedTo: "alex@contoso.example"}, ""},
		{"newer tags", map[string]any{"customTags": []string{"a", "b"}}, simulator.Change{Tags: []string{"c"}}, "the tags a, b"},
		{"tags and another newer field", map[string]any{"customTags": []string{"a", "b"}}, simulator.Change{AssignedTo: "alex@contoso.example"}, ""},
		{"a newer classification", map[string]any{"classification": "FalsePositive"}, simulator.Change{Classification: "TruePositive"}, "the classification FalsePositive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := mirrorIncidents(t)
			m.modified()
			m.Tenant.Script(simulator.Fault{Kind: simulator.KindGraph, Method: http.MethodPatch, Status: http.StatusInternalServerError})
			m.send(map[string]any{"data": map[string]any{"id": "12"}, "delta": test.delta, "status": 1, "incidentChanged": true})
			m.Clock.Advance(time.Second)
			m.Tenant.ChangeIncident(m.alert, test.newer)
			m.Tenant.ClearFaults()
			m.modified()
			m.modified()
			_, entries := m.look()
			told := ""
			for _, entry := range entries {
				if _, what, found := strings.Cut(entry.Literal, "because it was changed in Defender since: "); found {
					told = strings.TrimSuffix(what, ".")
				}
			}
			if told != test.want {
				t.Errorf("got %q as what was not sent, want %q", told, test.want)
			}
			got := m.Tenant.IncidentState(m.alert)
			if sent := got.Status == "InProgress" || slices.Equal(got.Tags, []string{"a", "b"}) || got.Classification == "FalsePositive"; sent != (test.want == "") {
				t.Errorf("got %+v, want the change sent: %t", got, test.want == "")
			}
		})
	}
}
