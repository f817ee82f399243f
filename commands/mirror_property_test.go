package commands_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/mirroring"
	"xsoar-defender/internal/simulator"
)

// processes takes one of several processes of the same instance for every command, as the platform does.
type processes struct {
	random *rand.Rand
	all    []*commandstest.Instance
	// lost is how many answers in a hundred the platform loses after the process has given them.
	lost int
}

var errLost = fmt.Errorf("the answer was lost: %w", mirroring.ErrNoAnswer)

func (p *processes) Execute(ctx context.Context, command string, args map[string]any) ([]mirroring.Entry, error) {
	at := p.random.IntN(len(p.all))
	entries, err := p.all[at].Execute(ctx, command, args)
	if p.random.IntN(50) == 0 {
		p.all[at] = p.all[at].Another() // the process ends, and another takes its place
	}
	if p.random.IntN(100) < p.lost {
		return nil, errLost
	}
	return entries, err
}

// twoSides is an instance with the platform on one side and Defender on the other, on both of which people work.
type twoSides struct {
	*mirroring.Server

	t        *testing.T
	random   *rand.Rand
	instance *commandstest.Instance
	plugin   *processes
	state    func(id string) simulator.State
	change   func(id string, change simulator.Change) bool
	said     map[string][]string // comments in Defender, by id
	number   int
}

func newTwoSides(t *testing.T, seed uint64, xdr bool, things int) *twoSides {
	t.Helper()
	i := commandstest.New(t)
	i.Tenant.SetTokenLifetime(10_000 * time.Hour)
	maps.Copy(i.Params, map[string]any{
		"mirror_direction": "Incoming And Outgoing", "close_incident": true, "close_out": true, "max_fetch": "200", "first_fetch_timestamp": "1 hour",
		"fetch_incident_status": "",
	})
	i.Clock.Advance(2 * time.Hour)
	random := rand.New(rand.NewPCG(seed, 1))
	plugin := &processes{random: random, all: []*commandstest.Instance{i, i.Another()}}
	w := &twoSides{
		Server: &mirroring.Server{Plugin: plugin, Now: i.Clock.Now}, t: t, random: random, instance: i, plugin: plugin, said: map[string][]string{},
		state: i.Tenant.AlertState, change: i.Tenant.ChangeAlert,
	}
	if xdr {
		i.Params["fetch_type"] = "XDR incidents"
		w.state, w.change = i.Tenant.IncidentState, i.Tenant.ChangeIncident
		i.Tenant.OpenIncidents(things, "Medium", i.Clock.Now().Add(-30*time.Minute), time.Minute)
	} else {
		i.Tenant.AddAlerts(things, i.Clock.Now().Add(-30*time.Minute), time.Minute)
	}
	if err := w.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.Incidents) != things {
		t.Fatalf("got %d incidents, want %d", len(w.Incidents), things)
	}
	return w
}

// act lets somebody on one of the two sides do something.
func (w *twoSides) act() {
	one := w.Incidents[w.random.IntN(len(w.Incidents))]
	w.number++
	text := "text " + strconv.Itoa(w.number)
	pick := func(from ...string) string { return from[w.random.IntN(len(from))] }
	switch w.random.IntN(11) {
	case 0:
		w.change(one.RemoteID, simulator.Change{Status: pick("InProgress", "Resolved"), Comment: text})
		w.said[one.RemoteID] = append(w.said[one.RemoteID], text)
	case 1, 2:
		w.change(one.RemoteID, simulator.Change{Comment: text})
		w.said[one.RemoteID] = append(w.said[one.RemoteID], text)
	case 3:
		w.change(one.RemoteID, simulator.Change{Classification: "TruePositive", Determination: pick("Malware", "Phishing")})
	case 4:
		w.change(one.RemoteID, simulator.Change{Status: pick("New", "InProgress", "Resolved"), AssignedTo: pick("nora@contoso.example", "alex@contoso.example")})
	case 5:
		w.Comment(one, text)
	case 6:
		w.Comment(one, text)
		w.Comment(one, text+" and more")
	case 7:
		if one.State == mirroring.Active {
			w.Close(one, pick("Resolved", "False Positive", "Duplicate"), text)
		}
	case 8:
		if one.State == mirroring.Closed {
			w.Reopen(one)
		}
	case 9:
		w.Set(one, "assignedTo", pick("nora@contoso.example", "alex@contoso.example"))
	case 10:
		w.Set(one, "classification", "FalsePositive")
		w.Set(one, "determination", pick("NotMalicious", "InsufficientData"))
	}
}

// trouble makes the next requests fail in some way.
func (w *twoSides) trouble() {
	w.instance.Tenant.ClearFaults()
	kind, things := simulator.KindAPI, "/api/alerts/"
	if w.instance.Params["fetch_type"] != nil {
		kind, things = simulator.KindGraph, "/v1.0/security/incidents/"
	}
	fault := simulator.Fault{Kind: kind, Times: 1 + w.random.IntN(3)}
	switch w.random.IntN(10) {
	case 0:
		fault.Status, fault.RetryAfter = http.StatusTooManyRequests, time.Minute
	case 1:
		fault.Act, fault.Cut = true, simulator.CutBefore
	case 2:
		fault.Cut = simulator.CutBefore
	case 3:
		fault.Status = http.StatusServiceUnavailable
	case 4, 5:
		fault.Status, fault.Times = http.StatusInternalServerError, 0 // until the next trouble
		fault.Method, fault.Path = []string{http.MethodGet, http.MethodPatch, http.MethodPost}[w.random.IntN(3)], things
	default:
		return
	}
	w.instance.Tenant.Script(fault)
}

// round is a minute of the platform. Only the troubles that the test makes may make it fail.
func (w *twoSides) round() {
	w.instance.Clock.Advance(time.Minute)
	for _, step := range []func(context.Context) error{w.Incoming, w.Outgoing} {
		err := step(w.t.Context())
		if err != nil && !errors.Is(err, errLost) && !strings.HasPrefix(err.Error(), "skip update") && !strings.HasPrefix(err.Error(), "API rate limit") &&
			!strings.HasPrefix(err.Error(), "The attempt to read the ") {
			w.t.Errorf("got %v, want words that the platform knows", err)
		}
	}
}

// quiet lets everything settle, and then wants no more changes.
func (w *twoSides) quiet() {
	w.instance.Tenant.ClearFaults()
	w.instance.Tenant.SetLateness(0)
	w.plugin.lost = 0
	for range 12 {
		w.round()
	}
	w.instance.Tenant.ResetRequests()
	for range 3 {
		w.round()
	}
	for _, request := range w.instance.Tenant.Requests() {
		if request.Method == http.MethodPatch {
			w.t.Errorf("got %s %s although nobody does anything, want no change", request.Method, request.Path)
		}
	}
}

// wantEqual wants both sides equal, and every comment once on the other side.
func (w *twoSides) wantEqual() {
	for _, one := range w.Incidents {
		remote := w.state(one.RemoteID)
		if one.Pending() {
			w.t.Errorf("%s: got changes that were never sent: %s", one.RemoteID, one.Problem)
		}
		if (one.State == mirroring.Closed) != (remote.Status == "Resolved") {
			w.t.Errorf("%s: got the state %d and the status %s, want both closed or both open", one.RemoteID, one.State, remote.Status)
		}
		for field, want := range map[string]string{"status": remote.Status, "assignedTo": remote.AssignedTo, "classification": remote.Classification, "determination": remote.Determination} {
			if got := one.Fields[field]; !strings.EqualFold(known(got), known(want)) && !sameName(got, want) {
				w.t.Errorf("%s: got %s %q, want that of Defender, %q", one.RemoteID, field, got, want)
			}
		}
		for _, text := range w.said[one.RemoteID] {
			if n := count(one.Notes, func(note string) bool { return strings.HasSuffix(note, ": "+text) }); n != 1 {
				w.t.Errorf("%s: the comment %q came %d times, want once", one.RemoteID, text, n)
			}
			if n := count(remote.Comments, func(there string) bool { return there == text || strings.HasPrefix(there, text+"\n") }); n != 1 {
				w.t.Errorf("%s: the comment %q is there %d times, want it not to come back: %q", one.RemoteID, text, n, remote.Comments)
			}
		}
		comments := slices.DeleteFunc(slices.Clone(one.Notes), isProblem)
		if len(comments) != len(w.said[one.RemoteID]) {
			w.t.Errorf("%s: got %d notes, want %d: %q", one.RemoteID, len(comments), len(w.said[one.RemoteID]), one.Notes)
		}
		for _, note := range one.Entries {
			mark := fmt.Sprintf("[Cortex XSOAR %s/%s]", one.ID, note.ID)
			if n := count(remote.Comments, func(text string) bool { return strings.HasSuffix(text, mark) }); n != 1 {
				w.t.Errorf("%s: the entry %s was sent %d times, want once: %q", one.RemoteID, note.ID, n, remote.Comments)
			}
		}
	}
}

// isProblem reports whether a note is about changes that were not sent, or that they were sent later.
func isProblem(note string) bool {
	return strings.HasPrefix(note, "Mirroring to ") || strings.HasPrefix(note, "What mirroring could not send to ") || strings.HasPrefix(note, "Not sent to ") ||
		strings.HasPrefix(note, "The determination ")
}

// sameName reports whether two determinations are the same one with the names of two APIs.
func sameName(a, b string) bool {
	names := strings.NewReplacer("NotEnoughDataToValidate", "InsufficientData")
	return names.Replace(a) == names.Replace(b)
}

// known returns a value, or nothing for those that stand for nothing.
func known(text string) string {
	if strings.EqualFold(text, "unknown") {
		return ""
	}
	return text
}

func count(texts []string, is func(string) bool) int {
	found := 0
	for _, text := range texts {
		if is(text) {
			found++
		}
	}
	return found
}

// TestBothSidesEndEqual lets people work on both sides in any order, with refusals, lost answers, late changes, processes
// that end, and two of them at a time: both sides end equal, no comment comes twice or is lost in either direction, and
// nothing goes back and forth.
func TestBothSidesEndEqual(t *testing.T) {
	for _, xdr := range []bool{false, true} {
		for seed := range uint64(commands.SampleOf(60, 3)) {
			t.Run(fmt.Sprintf("incidents %t, seed %d", xdr, seed), func(t *testing.T) {
				t.Parallel()
				w := newTwoSides(t, seed+100, xdr, 5)
				w.Echo = seed%2 == 1
				for range commands.SampleOf(120, 40) {
					for range w.random.IntN(4) {
						w.act()
						w.instance.Clock.Advance(time.Duration(w.random.IntN(15)) * time.Second)
					}
					w.instance.Tenant.SetLateness(time.Duration(w.random.IntN(4)) * time.Minute * time.Duration(w.random.IntN(2)))
					w.plugin.lost = 5 * w.random.IntN(3)
					w.trouble()
					w.round()
				}
				w.quiet()
				w.wantEqual()
			})
		}
	}
}

// TestMirroringThousandsCostsLittle mirrors 5,000 alerts for an hour in which 50 of them change on both sides.
func TestMirroringThousandsCostsLittle(t *testing.T) {
	w := newTwoSides(t, 1, false, 5)
	w.plugin.all = w.plugin.all[:1]
	alerts := commands.SampleOf(5000, 400)
	w.instance.Tenant.AddAlerts(alerts, w.instance.Clock.Now(), 100*time.Millisecond)
	w.instance.Clock.Advance(15 * time.Minute)
	for range alerts/200 + 1 {
		if err := w.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.Incidents) != alerts+5 {
		t.Fatalf("got %d incidents, want %d", len(w.Incidents), alerts+5)
	}
	w.round()
	w.instance.Tenant.ResetRequests()
	for minute := range 60 {
		if minute < 50 {
			one := w.Incidents[minute*3]
			w.change(one.RemoteID, simulator.Change{Comment: "c"})
			w.Set(one, "assignedTo", "nora@contoso.example")
		}
		w.round()
	}
	asked := count(each(w.instance.Tenant.Requests(), func(r simulator.Request) string { return string(r.Kind) }), func(kind string) bool { return kind == string(simulator.KindAPI) })
	if asked >= 200 {
		t.Errorf("an hour costs %d requests, want fewer than 200", asked)
	}
	if got := count(each(w.Incidents, func(one *mirroring.Incident) string { return one.Fields["assignedTo"] }), func(to string) bool { return to == "nora@contoso.example" }); got < 50 {
		t.Errorf("%d incidents have the assignee, want 50", got)
	}
}

func each[T any](list []T, of func(T) string) []string {
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = of(one)
	}
	return slices.Clip(texts)
}
