package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/system"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// mirrorRunHost keeps a mirror run. A round needs nothing else of a host.
type mirrorRunHost struct {
	Host
	kept   json.RawMessage
	logged []string
}

func (h *mirrorRunHost) Log(_ context.Context, text string) { h.logged = append(h.logged, text) }

func (h *mirrorRunHost) MirrorRun(context.Context) (json.RawMessage, error) {
	// The platform's callback is checked as it is here.
	value, err := rawjson.Parse(string(h.kept))
	return json.RawMessage(value), err
}

func (h *mirrorRunHost) Load(context.Context) (map[string]json.RawMessage, error) {
	return map[string]json.RawMessage{}, nil
}

func (h *mirrorRunHost) SetMirrorRun(_ context.Context, value json.RawMessage) error {
	h.kept = value
	return nil
}

// BenchmarkRound is a minute of mirroring in which 50 of 5,000 mirrored alerts changed, half of them with a comment: the list,
// a look at each, and what the platform gets. It is to take no more than 60 ms of CPU time.
func BenchmarkRound(b *testing.B) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	alerts := make([]string, 50)
	state := readMirrorState(nil)
	state.Cursor = now.Add(-time.Minute).Format(time.RFC3339Nano)
	for i := range 5000 {
		id := fmt.Sprintf("da637472900382838869_%d", 1_000_000_000+i)
		if i%2 == 0 {
			state.Resolved += mark(id)
		}
		if i%5 == 0 {
			state.Looks[id] = json.RawMessage(rawjson.Make(look{Since: state.Cursor, Newest: state.Cursor, Comments: mark(id)}))
		}
		if i < len(alerts) {
			comments := ""
			if i%2 == 0 {
				comments = fmt.Sprintf(`{"comment":"c %d","createdBy":"nora@contoso.example","createdTime":%q}`, i, now.Add(-30*time.Second).Format(time.RFC3339Nano))
			}
			alerts[i] = fmt.Sprintf(`{"id":%q,"status":"New","severity":"High","title":"t","description":%q,"lastUpdateTime":%q,"comments":[%s]}`,
				id, strings.Repeat("d", 2000), now.Add(-30*time.Second).Format(time.RFC3339Nano), comments)
		}
	}
	api, err := url.Parse("https://127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	body := prepared(`{"value":[` + strings.Join(alerts, ",") + `]}`)
	kept := state.encode()
	b.ReportAllocs()
	for b.Loop() {
		host := &mirrorRunHost{kept: kept}
		run := &Run{
			Instance: params.Instance{Mirror: params.Mirror{Direction: "Both", CloseIncident: true, LookBack: 5 * time.Minute, TagFrom: "in"}}, Host: host,
			Now: func() time.Time { return now }, Random: rand.NewChaCha8([32]byte{}), Mirrored: &MirrorMemory{},
			API: defender.New(defender.Options{Clock: system.Clock{Now: time.Now}, API: api, Tokens: staticToken{}, Transport: body}),
		}
		round, err := getModifiedRemoteData().Execute(b.Context(), run, map[string]json.RawMessage{"lastUpdate": json.RawMessage(`"2026-11-22T09:59:00Z"`)})
		if err != nil {
			b.Fatal(err)
		}
		ids := gjson.Parse(string(warroom.JSON(round.Entries[0].Contents))).Array()
		if err := round.Commit(b.Context()); err != nil || len(ids) != len(alerts) {
			b.Fatalf("got %d ids and %v, want %d", len(ids), err, len(alerts))
		}
		for _, id := range ids {
			looked, err := getRemoteData().Execute(b.Context(), run, map[string]json.RawMessage{"id": json.RawMessage(id.Raw), "lastUpdate": json.RawMessage(`"2026-11-22T09:59:00Z"`)})
			if err != nil {
				b.Fatal(err)
			}
			for _, entry := range looked.Entries {
				if entry.Contents != nil {
					warroom.JSON(entry.Contents)
				}
			}
		}
	}
}
