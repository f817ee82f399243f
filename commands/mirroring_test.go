package commands_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// mirrored is an instance that mirrors in both directions, with an alert.
type mirrored struct {
	*commandstest.Instance

	t     *testing.T
	alert string
	since string
}

func mirror(t *testing.T) *mirrored {
	t.Helper()
	m := &mirrored{Instance: commandstest.New(t), t: t}
	maps.Copy(m.Params, map[string]any{"mirror_direction": "Incoming And Outgoing", "close_incident": true, "close_out": true})
	m.Tenant.AddAlerts(1, m.Clock.Now().Add(-time.Hour), 0)
	ids := m.Tenant.AlertIDs()
	m.alert = ids[len(ids)-1]
	m.Clock.Advance(time.Minute)
	m.now()
	return m
}

// now takes the time from which the platform asks next.
func (m *mirrored) now() { m.since = m.Clock.Now().Format(time.RFC3339Nano) }

// modified returns the ids that a round reports, and saves it.
func (m *mirrored) modified() []string {
	m.t.Helper()
	m.Clock.Advance(time.Minute)
	result := m.Run("get-modified-remote-data", map[string]any{"lastUpdate": m.since})
	ids := []string{}
	for _, one := range result.Entry().Raw().Array() {
		ids = append(ids, one.String())
	}
	if err := result.Commit(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	return ids
}

// look returns the object and the entries of the alert, and takes them as received.
func (m *mirrored) look() (gjson.Result, []commandstest.Entry) {
	m.t.Helper()
	result := m.Run("get-remote-data", map[string]any{"id": m.alert, "lastUpdate": m.since})
	entries := result.All()
	if result.Commit != nil {
		m.t.Error("get-remote-data leaves something to do after its entries")
	}
	m.now()
	return gjson.Parse(entries[0].Raw().Str), entries[1:]
}

func (m *mirrored) change(change simulator.Change) {
	m.Clock.Advance(time.Second)
	m.Tenant.ChangeAlert(m.alert, change)
}

func TestAnInstanceThatMirrorsNothingAddsNothing(t *testing.T) {
	i := commandstest.New(t)
	plain := i.Run("fetch-incidents", nil).Entry().Raw().Str
	if strings.Contains(plain, "irror_") || strings.Contains(plain, "dbotMirrorDirection") || strings.Contains(plain, "dbotMirrorInstance") || strings.Contains(plain, "dbotMirrorTags") {
		t.Errorf("got %.300s, want no key of mirroring", plain)
	}
	i.Params["mirror_direction"] = "Incoming"
	i.Params["first_fetch_timestamp"] = "20 days"
	if err := i.Host.SetLastRun(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	first := gjson.Parse(i.Run("fetch-incidents", nil).Entry().Raw().Str).Get("0")
	raw := gjson.Parse(first.Get("rawJSON").Str)
	for got, want := range map[string]string{
		first.Get("dbotMirrorDirection").Str: "In", first.Get("dbotMirrorInstance").Str: "instance", first.Get("dbotMirrorTags.0").Str: "DefenderComment",
		raw.Get("mirror_direction").Str: "In", raw.Get("mirror_instance").Str: "instance", raw.Get("mirror_tags.0").Str: "DefenderComment",
		first.Get("dbotMirrorId").Str: raw.Get("id").Str,
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestARoundReportsEachChangeOnceAndCostsOneRequest(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.change(simulator.Change{Status: "InProgress"})
	m.Tenant.ResetRequests()
	if got := m.modified(); !slices.Equal(got, []string{m.alert}) {
		t.Errorf("got %q, want the alert that changed", got)
	}
	object, entries := m.look()
	if object.Get("status").Str != "InProgress" || len(entries) != 0 {
		t.Errorf("got %s with %d entries, want the alert in progress and no more", object.Get("status"), len(entries))
	}
	asked := 0
	for _, request := range m.Tenant.Requests() {
		if request.Kind == simulator.KindAPI {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the round and the look cost %d requests, want one", asked)
	}
	if got := m.modified(); len(got) != 0 {
		t.Errorf("got %q in the next round, want nothing", got)
	}
}

func TestLateChangesAreReported(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.Tenant.SetLateness(4 * time.Minute)
	m.change(simulator.Change{Comment: "late"})
	m.Tenant.SetLateness(0)
	m.Tenant.AddAlerts(1, m.Clock.Now(), 0)
	var got []string
	for range 6 {
		got = m.modified()
		m.now()
		if slices.Contains(got, m.alert) {
			break
		}
	}
	if !slices.Contains(got, m.alert) {
		t.Fatalf("the change was lost")
	}
	m.since = m.Clock.Now().Add(-time.Minute).Format(time.RFC3339Nano)
	if _, entries := m.look(); len(entries) != 1 || !strings.Contains(entries[0].Literal, "late") {
		t.Errorf("got %d entries, want the comment that appeared late", len(entries))
	}
}

func TestCloseAndReopen(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.change(simulator.Change{Status: "Resolved", Classification: "FalsePositive", Determination: "NotMalicious", AssignedTo: "nora@contoso.example", Comment: "harmless"})
	m.modified()
	_, entries := m.look()
	if len(entries) != 2 {
		t.Fatalf("got %d entries, want a close and a comment", len(entries))
	}
	for path, want := range map[string]string{
		"dbotIncidentClose": "true", "closeReason": "False Positive", "closeNotes": "harmless\nFalsePositive - NotMalicious, by nora@contoso.example",
	} {
		if got := entries[0].Raw().Get(path).String(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	m.change(simulator.Change{Comment: "more"})
	m.modified()
	if _, entries = m.look(); len(entries) != 1 || entries[0].Literal == "" {
		t.Errorf("got %d entries after a comment on what is closed, want the comment alone", len(entries))
	}
	m.change(simulator.Change{Status: "InProgress"})
	m.modified()
	if _, entries = m.look(); len(entries) != 1 || !entries[0].Raw().Get("dbotIncidentReopen").Bool() {
		t.Errorf("got %d entries after a reopening, want one that reopens", len(entries))
	}
	m.change(simulator.Change{AssignedTo: "alex@contoso.example"})
	m.modified()
	if _, entries = m.look(); len(entries) != 0 {
		t.Errorf("got %d entries after another change, want none that reopens again", len(entries))
	}
}

func TestACloseThatWasNotReceivedComesAgain(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.change(simulator.Change{Status: "Resolved", Comment: "done"})
	m.modified()
	asked := m.since
	m.look()
	m.since = asked // the answer was lost: the platform asks from the same time
	if _, entries := m.look(); len(entries) != 2 {
		t.Errorf("got %d entries, want the close and the comment again", len(entries))
	}
	if _, entries := m.look(); len(entries) != 0 {
		t.Errorf("got %d entries once they were received, want none", len(entries))
	}
}

func TestAReopeningThatNobodyChoseReopensNothing(t *testing.T) {
	m := mirror(t)
	m.Params["reopen_statuses"] = "New"
	m.modified()
	m.change(simulator.Change{Status: "Resolved"})
	m.modified()
	m.look()
	m.change(simulator.Change{Status: "InProgress"})
	m.modified()
	if _, entries := m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want none", len(entries))
	}
}

// send runs update-remote-system and returns its entries after the first, which must be the id.
func (m *mirrored) send(args map[string]any) []commandstest.Entry {
	m.t.Helper()
	m.Clock.Advance(time.Second)
	args["remoteId"] = m.alert
	entries := m.Run("update-remote-system", args).All()
	if entries[0].Literal != m.alert {
		m.t.Errorf("got the answer %q, want the id", entries[0].Literal)
	}
	return entries[1:]
}

func closing(reason, notes string) map[string]any {
	return map[string]any{
		"data": map[string]any{"id": "12"}, "status": 2, "incidentChanged": true,
		"delta": map[string]any{"closeReason": reason, "closeNotes": notes, "closingUserId": "nora"},
	}
}

func TestClosingAnIncidentResolvesTheAlert(t *testing.T) {
	for _, test := range []struct {
		reason, classification, determination string
	}{
		{"Resolved", "TruePositive", "Other"},
		{"False Positive", "FalsePositive", "Other"},
		{"FalsePositive", "FalsePositive", "Other"},
		{"Resolved - False Positive", "FalsePositive", "Other"},
		{"Duplicate", "", ""},
		{"Other", "", ""},
	} {
		t.Run(test.reason, func(t *testing.T) {
			m := mirror(t)
			m.modified()
			m.send(closing(test.reason, "cleaned"))
			got := m.Tenant.AlertState(m.alert)
			want := simulator.State{Status: "Resolved", Classification: test.classification, Determination: test.determination, Comments: []string{"cleaned\n[Cortex XSOAR 12/close]"}}
			got.Updated, got.AssignedTo = want.Updated, want.AssignedTo
			if got.Status != want.Status || got.Classification != want.Classification || got.Determination != want.Determination || !slices.Equal(got.Comments, want.Comments) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if ids := m.modified(); !slices.Equal(ids, []string{m.alert}) {
				t.Errorf("got %q, want the alert", ids)
			}
			if _, entries := m.look(); len(entries) != 0 {
				t.Errorf("got %d entries, want neither the close nor the comment to come back", len(entries))
			}
			m.Tenant.ResetRequests()
			m.send(closing(test.reason, "cleaned"))
			if slices.ContainsFunc(m.Tenant.Requests(), func(r simulator.Request) bool { return r.Method == http.MethodPatch }) {
				t.Error("what is so already was sent again")
			}
			m.send(map[string]any{"delta": map[string]any{"closeReason": "", "closeNotes": "", "closingUserId": ""}, "status": 1, "incidentChanged": true})
			if got := m.Tenant.AlertState(m.alert); got.Status != "InProgress" || got.Classification != test.classification {
				t.Errorf("got %+v after the incident was reopened, want it in progress with the same classification", got)
			}
			m.modified()
			if _, entries := m.look(); len(entries) != 0 {
				t.Errorf("got %d entries, want the reopening not to come back", len(entries))
			}
		})
	}
}

func TestCommentsGoOutOnceWhateverIsLost(t *testing.T) {
	entry := map[string]any{"id": "34@12", "type": 1, "contents": "see [ticket]", "user": "nora", "tags": []string{"DefenderComment"}}
	other := map[string]any{"id": "35@12", "type": 3, "file": "a.zip", "fileMetadata": map[string]any{"sha256": "abc"}, "tags": []string{"defendercomment", "x"}}
	back := map[string]any{"id": "36@12", "type": 1, "contents": "from Defender", "tags": []string{"DefenderComment", "DefenderCommentIn"}}
	untagged := map[string]any{"id": "37@12", "type": 1, "contents": "internal", "tags": []string{"note"}}
	args := func() map[string]any {
		return map[string]any{"data": map[string]any{"id": "12"}, "entries": []any{entry, other, back, untagged}, "incidentChanged": false, "status": 1}
	}
	want := []string{"(nora): see [ticket]\n[Cortex XSOAR 12/34@12]", "file a.zip, SHA-256 abc, is in Cortex XSOAR\n[Cortex XSOAR 12/35@12]"}
	for name, lost := range lostAnswers() {
		t.Run(name, func(t *testing.T) {
			m := mirror(t)
			lost.fault.Kind, lost.fault.Method, lost.fault.Times = simulator.KindAPI, "PATCH", 1
			m.Tenant.Script(lost.fault)
			for range 2 {
				m.send(args())
			}
			if got := m.Tenant.AlertState(m.alert).Comments; !slices.Equal(got, want) {
				t.Errorf("got the comments %q, want each once: %q", got, want)
			}
		})
	}
}

func TestWhatCannotBeSentIsTold(t *testing.T) {
	m := mirror(t)
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "PATCH", Status: 403})
	entries := m.send(closing("Resolved", "x"))
	if len(entries) != 1 {
		t.Fatalf("got %d entries, want a warning", len(entries))
	}
	entries[0].WantReadable("Mirroring to", "HTTP 403", "It is tried again in the next rounds of mirroring.")
	m.Tenant.ClearFaults()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "PATCH", Status: 429, RetryAfter: time.Hour})
	args := closing("Resolved", "x")
	args["remoteId"] = m.alert
	m.Run("update-remote-system", args).WantFailure("API rate limit")
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "GET", Status: 429, RetryAfter: time.Hour})
	m.Run("get-modified-remote-data", nil).WantFailure("API rate limit")
	m.Run("get-remote-data", map[string]any{"id": m.alert}).WantFailure("API rate limit")
	m.Tenant.ClearFaults()
	m.Clock.Advance(2 * time.Hour) // the quota that was refused is there again
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "GET", Status: 500})
	m.Run("get-modified-remote-data", nil).WantFailure("skip update")
}

func TestOtherNamesOfADeterminationAreTried(t *testing.T) {
	m := mirror(t)
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "PATCH", Status: 400, Times: 1})
	m.send(map[string]any{"delta": map[string]any{"classification": "falsePositive", "determination": "clean"}, "status": 1})
	if got := m.Tenant.AlertState(m.alert); got.Classification != "FalsePositive" || got.Determination != "Clean" {
		t.Errorf("got %+v, want the second name after the first was refused", got)
	}
	if entries := m.send(map[string]any{"delta": map[string]any{"determination": "Phishing"}, "status": 1}); len(entries) != 1 {
		t.Errorf("got %d entries, want a warning about a determination that does not fit", len(entries))
	}
}

func TestOwnersAreKeptTheSame(t *testing.T) {
	m := mirror(t)
	m.Params["sync_owners"] = true
	m.Host.AddUser("nora", "nora@contoso.example")
	m.change(simulator.Change{AssignedTo: "nora@contoso.example"})
	if object, _ := m.look(); object.Get("owner").Str != "nora" {
		t.Errorf("got the owner %q, want nora", object.Get("owner"))
	}
	for _, unknown := range []string{"API-Action:x", "Automation", "other@contoso.example"} {
		m.change(simulator.Change{AssignedTo: unknown})
		if object, _ := m.look(); object.Get("owner").Exists() {
			t.Errorf("%s: got the owner %q, want none", unknown, object.Get("owner"))
		}
	}
	m.send(map[string]any{"delta": map[string]any{"owner": "nora"}, "status": 1})
	if got := m.Tenant.AlertState(m.alert).AssignedTo; got != "nora@contoso.example" {
		t.Errorf("got the assignee %q, want nora's address", got)
	}
	m.send(map[string]any{"delta": map[string]any{"owner": "nobody"}, "status": 1})
	if got := m.Tenant.AlertState(m.alert).AssignedTo; got != "nora@contoso.example" {
		t.Errorf("got the assignee %q, want it to stay for an unknown user", got)
	}
}

func TestAnAlertThatIsGoneIsToldOnceADay(t *testing.T) {
	m := mirror(t)
	m.Tenant.RemoveAlert(m.alert)
	object, entries := m.look()
	if object.Get("id").Str != m.alert || object.Get("mirror_error").Str == "" || len(entries) != 0 {
		t.Errorf("got %s with %d entries, want the error in the object alone", object, len(entries))
	}
	if object, _ := m.look(); object.Raw != "{}" {
		t.Errorf("got %s, want nothing on the same day", object)
	}
	m.Clock.Advance(24 * time.Hour)
	if object, _ := m.look(); object.Get("mirror_error").Str == "" {
		t.Errorf("got %s, want the error on the next day", object)
	}
}

func TestMappingFieldsNameWhatIsSent(t *testing.T) {
	i := commandstest.New(t)
	schema := gjson.Parse(i.Run("get-mapping-fields", nil).Entry().Raw().Str)
	for _, path := range []string{
		"Microsoft Defender For Endpoint.status", "Microsoft Defender For Endpoint.determination", "Microsoft Defender XDR Incident.customTags", "Microsoft Defender XDR Incident.assignedTo",
	} {
		if schema.Get(path).Str == "" {
			t.Errorf("got no description of %s, want one", path)
		}
	}
}

func TestNamesAreReadAsThePortalAndAnalystsWriteThem(t *testing.T) {
	for _, test := range []struct{ classification, determination, wantClassification, wantDetermination string }{
		{"False positive", "Not malicious", "FalsePositive", "NotMalicious"},
		{"true_positive", "Multi-staged attack", "TruePositive", "MultiStagedAttack"},
		{"Informational, expected activity", "Line of business application", "InformationalExpectedActivity", "LineOfBusinessApplication"},
	} {
		m := mirror(t)
		entries := m.send(map[string]any{"delta": map[string]any{"classification": test.classification, "determination": test.determination, "status": "In progress"}, "status": 1})
		got := m.Tenant.AlertState(m.alert)
		if len(entries) != 0 || got.Status != "InProgress" || got.Classification != test.wantClassification || got.Determination != test.wantDetermination {
			t.Errorf("%s, %s: got %+v and %d warnings, want %s and %s", test.classification, test.determination, got, len(entries), test.wantClassification, test.wantDetermination)
		}
	}
}

func TestWhatMirroringDoesNotSendIsReported(t *testing.T) {
	for _, test := range []struct {
		delta map[string]any
		want  string
	}{
		{map[string]any{"status": "Pending"}, "The status Pending was not sent"},
		{map[string]any{"classification": "Harmless"}, "The classification Harmless was not sent"},
		{map[string]any{"determination": "Apt"}, "The determination Apt was not sent"},
		{map[string]any{"owner": "ghost"}, "The owner ghost was not sent"},
		{map[string]any{"assignedTo": ""}, "The assignee nora@contoso.example of"},
		{map[string]any{"classification": "Unknown", "determination": "NotAvailable", "status": "Redirected"}, ""},
	} {
		m := mirror(t)
		m.Params["sync_owners"] = true
		m.Tenant.ChangeAlert(m.alert, simulator.Change{AssignedTo: "nora@contoso.example"})
		m.modified()
		m.look()
		entries := m.send(map[string]any{"delta": test.delta, "status": 1})
		m.modified()
		_, notes := m.look()
		if test.want == "" {
			if len(entries) != 0 || len(notes) != 0 {
				t.Errorf("%v: got %d warnings and %d notes, want none", test.delta, len(entries), len(notes))
			}
			continue
		}
		if len(entries) != 1 || len(notes) != 1 || !strings.HasPrefix(notes[0].Literal, test.want) {
			t.Errorf("%v: got %d warnings and %d notes, want one that begins with %q", test.delta, len(entries), len(notes), test.want)
			continue
		}
		entries[0].WantReadable(test.want)
	}
}

func TestTheTimeOfARoundMayBeASpan(t *testing.T) {
	m := mirror(t)
	m.Clock.Advance(3 * time.Hour)
	m.since = "10 minutes"
	if got := m.modified(); len(got) != 0 {
		t.Errorf("got %q, want no change in 10 minutes", got)
	}
	if err := m.Host.SetMirrorRun(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	m.since = "5 hours ago"
	if got := m.modified(); !slices.Contains(got, m.alert) {
		t.Errorf("got %q, want the alert that changed within 5 hours", got)
	}
}

func TestTheStateOfAClosedIncidentMayBeMissing(t *testing.T) {
	for _, status := range []any{nil, "2", 2.0, "Done", 3} {
		m := mirror(t)
		args := closing("Resolved", "n")
		if args["status"] = status; status == nil {
			delete(args, "status")
		}
		m.send(args)
		if got := m.Tenant.AlertState(m.alert).Status; got != "Resolved" {
			t.Errorf("state %v: got %s, want the alert resolved", status, got)
		}
	}
}

func TestAnAlertThatCouldNotBeReadIsReportedAgain(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.look()
	m.change(simulator.Change{Comment: "first"})
	m.Clock.Advance(time.Minute)
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/alerts/", Status: 500})
	for range 2 { // the time of the first failure counts
		m.Run("get-remote-data", map[string]any{"id": m.alert, "lastUpdate": m.since}).WantFailure("HTTP 500")
		m.Clock.Advance(30 * time.Minute)
		m.now()
	}
	m.Tenant.ClearFaults()
	for range 10 { // longer than the look-back, and the platform asks from a later time
		m.now()
		if got := m.modified(); !slices.Contains(got, m.alert) {
			t.Fatalf("got %q, want the alert until it is read", got)
		}
	}
	if _, entries := m.look(); len(entries) != 1 || !strings.HasSuffix(entries[0].Literal, "first") {
		t.Errorf("got %d entries, want the comment that could not be read at first", len(entries))
	}
	if got := m.modified(); len(got) != 0 {
		t.Errorf("got %q, want no more reports", got)
	}
}

func TestALongCommentIsCut(t *testing.T) {
	const signature = "\n[Cortex XSOAR 12/1@12]"
	fits := strings.Repeat("ü", 1000-len(signature))
	const hint = " … (cut; the whole text is in Cortex XSOAR)"
	for text, want := range map[string]string{
		fits:       fits + signature,
		fits + "ü": strings.Repeat("ü", 1000-len(signature)-utf8.RuneCountInString(hint)) + hint + signature,
	} {
		m := mirror(t)
		m.send(comment("1@12", text))
		got := m.Tenant.AlertState(m.alert).Comments
		if last := got[len(got)-1]; last != want {
			t.Errorf("got a comment of %d characters that ends with %q, want %d", utf8.RuneCountInString(last), last[len(last)-80:], utf8.RuneCountInString(want))
		}
	}
}

func TestWithoutAnAlertNothingIsSent(t *testing.T) {
	m := mirror(t)
	result := m.Run("update-remote-system", assign("nora@contoso.example"))
	result.WantAsked()
	if entries := result.All(); len(entries) != 2 || entries[0].Literal != "" {
		t.Errorf("got %d entries, want an empty answer and why", len(entries))
	} else {
		entries[1].WantReadable("mirroring creates none")
	}
}

// TestAMirroredAlertHasEvidenceIfItIsWanted reads an alert with what the service adds for its own protocol.
func TestAMirroredAlertHasEvidenceIfItIsWanted(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		m := mirror(t)
		m.Params["fetch_evidence"] = wanted
		m.Answer("GET", "/api/alerts/"+m.alert, 200, `{"@odata.context":"c","id":"`+m.alert+`","status":"New","lastUpdateTime":"2026-11-20T10:00:00Z","evidence":[{"sha1":"a"}]}`)
		result := m.Run("get-remote-data", map[string]any{"id": m.alert, "lastUpdate": m.since})
		object := gjson.Parse(result.All()[0].Raw().Str)
		if got := object.Get("evidence").Exists(); got != wanted {
			t.Errorf("evidence wanted: %t: got it: %t", wanted, got)
		}
		if object.Get("id").Str != m.alert || object.Get("alertWebUrl").Str == "" || strings.Contains(object.Raw, "odata") {
			t.Errorf("got %s, want the alert with its page, without what is of the protocol", object)
		}
	}
}

// TestOnlyAReopeningReopens sends changes of an incident whose alert is resolved.
func TestOnlyAReopeningReopens(t *testing.T) {
	for name, test := range map[string]struct {
		delta   map[string]any
		status  any
		reopens bool
	}{
		"the reason is removed":               {map[string]any{"closeReason": ""}, 1, true},
		"the notes are removed":               {map[string]any{"closeNotes": ""}, "1", true},
		"the user is removed":                 {map[string]any{"closingUserId": ""}, "active", true},
		"without a state":                     {map[string]any{"closeReason": ""}, nil, true},
		"a status of its own":                 {map[string]any{"status": "In Progress"}, 1, true},
		"another field of an active incident": {map[string]any{"assignedTo": "nora@contoso.example"}, 1, false},
		"notes while it is active":            {map[string]any{"closeNotes": "soon"}, 1, false},
		"another reason of a closed incident": {map[string]any{"closeReason": "Other", "closeNotes": ""}, 2, false},
		"no notes of a closed incident":       {map[string]any{"closeNotes": ""}, "closed", false},
		"no change at all":                    {map[string]any{}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := mirror(t)
			m.modified()
			m.change(simulator.Change{Status: "Resolved"})
			m.modified()
			m.look()
			args := map[string]any{"data": map[string]any{"id": "12"}, "delta": test.delta, "incidentChanged": true}
			if test.status != nil {
				args["status"] = test.status
			}
			m.send(args)
			if got := m.Tenant.AlertState(m.alert).Status; (got != "Resolved") != test.reopens {
				t.Errorf("got the alert %s, want it reopened: %t", got, test.reopens)
			}
		})
	}
	m := mirror(t)
	m.Params["close_out"] = false
	m.change(simulator.Change{Status: "Resolved"})
	m.send(map[string]any{"delta": map[string]any{"closeReason": ""}, "status": 1, "incidentChanged": true})
	if got := m.Tenant.AlertState(m.alert).Status; got != "Resolved" {
		t.Errorf("got the alert %s of an instance that does not close alerts, want it to stay resolved", got)
	}
}

// TestOwnersAreSentOnlyIfThatIsSelected sends the owners of incidents with and without the selection.
func TestOwnersAreSentOnlyIfThatIsSelected(t *testing.T) {
	for name, test := range map[string]struct {
		selected bool
		delta    map[string]any
		assignee string
		notes    int
	}{
		"an owner":                      {true, map[string]any{"owner": "nora"}, "nora@contoso.example", 0},
		"an owner without an address":   {true, map[string]any{"owner": "ghost"}, "", 1},
		"the owner removed":             {true, map[string]any{"owner": ""}, "", 0},
		"no owner, and an assignee":     {true, map[string]any{"assignedTo": "alex@contoso.example"}, "alex@contoso.example", 0},
		"an owner, not selected":        {false, map[string]any{"owner": "nora"}, "", 0},
		"an unknown one, not selected":  {false, map[string]any{"owner": "ghost"}, "", 0},
		"an assignee, with the unknown": {true, map[string]any{"owner": "ghost", "assignedTo": "alex@contoso.example"}, "alex@contoso.example", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := mirror(t)
			m.Params["sync_owners"] = test.selected
			m.Host.AddUser("nora", "nora@contoso.example")
			entries := m.send(map[string]any{"data": map[string]any{"id": "12"}, "delta": test.delta, "status": 1, "incidentChanged": true})
			if got := m.Tenant.AlertState(m.alert).AssignedTo; got != test.assignee || len(entries) != test.notes {
				t.Errorf("got the assignee %q and %d notes, want %q and %d", got, len(entries), test.assignee, test.notes)
			}
		})
	}
}

// TestAnUnchangedAlertThatCouldNotBeReadIsReportedUntilItIsRead fails to read an alert that has nothing new.
func TestAnUnchangedAlertThatCouldNotBeReadIsReportedUntilItIsRead(t *testing.T) {
	m := mirror(t)
	m.modified()
	m.look()
	m.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/alerts/", Status: 500})
	m.Clock.Advance(10 * time.Minute)
	m.modified()
	m.Run("get-remote-data", map[string]any{"id": m.alert, "lastUpdate": m.since}).WantFailure("HTTP 500")
	m.Tenant.ClearFaults()
	if got := m.modified(); !slices.Equal(got, []string{m.alert}) {
		t.Errorf("got %q, want the alert that could not be read", got)
	}
	if _, entries := m.look(); len(entries) != 0 {
		t.Errorf("got %d entries, want none of an alert that has nothing new", len(entries))
	}
	m.Instance = m.Another() // which has only what was saved
	if got := m.modified(); len(got) != 0 {
		t.Errorf("got %q once it was read, want no more reports", got)
	}
}

// TestAnAssigneeIsNotRemoved removes the assignee of an incident, which Defender cannot do.
func TestAnAssigneeIsNotRemoved(t *testing.T) {
	for name, test := range map[string]struct {
		there string
		delta map[string]any
		notes int
	}{
		"from an alert with one":    {"nora@contoso.example", map[string]any{"assignedTo": ""}, 1},
		"from an alert without one": {"", map[string]any{"assignedTo": ""}, 0},
		"in favor of another one":   {"nora@contoso.example", map[string]any{"assignedTo": "alex@contoso.example"}, 0},
		"with another change":       {"nora@contoso.example", map[string]any{"status": "InProgress"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := mirror(t)
			if test.there != "" {
				m.change(simulator.Change{AssignedTo: test.there})
			}
			entries := m.send(map[string]any{"data": map[string]any{"id": "12"}, "delta": test.delta, "status": 1, "incidentChanged": true})
			if len(entries) != test.notes {
				t.Fatalf("got %d notes, want %d", len(entries), test.notes)
			}
			if test.notes > 0 {
				entries[0].WantReadable("The assignee nora@contoso.example of " + m.alert + " stays in Defender: mirroring removes none.")
			}
		})
	}
}

// TestTheReasonOfACloseKeepsAnExactDetermination closes incidents whose alerts have a verdict already.
func TestTheReasonOfACloseKeepsAnExactDetermination(t *testing.T) {
	for name, test := range map[string]struct{ there, want simulator.Change }{
		"no verdict":       {simulator.Change{}, simulator.Change{Classification: "FalsePositive", Determination: "Other"}},
		"the same verdict": {simulator.Change{Classification: "FalsePositive", Determination: "NotMalicious"}, simulator.Change{Classification: "FalsePositive", Determination: "NotMalicious"}},
		"half of it":       {simulator.Change{Classification: "FalsePositive"}, simulator.Change{Classification: "FalsePositive", Determination: "Other"}},
		"another verdict":  {simulator.Change{Classification: "TruePositive", Determination: "Malware"}, simulator.Change{Classification: "FalsePositive", Determination: "Other"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := mirror(t)
			if test.there.Classification != "" {
				m.change(test.there)
			}
			m.send(closing("False Positive", "a test"))
			if got := m.Tenant.AlertState(m.alert); got.Status != "Resolved" || got.Classification != test.want.Classification || got.Determination != test.want.Determination {
				t.Errorf("got %+v, want it resolved as %s and %s", got, test.want.Classification, test.want.Determination)
			}
		})
	}
}
