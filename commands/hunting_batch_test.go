package commands

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// brokenContext is a host whose integration context can be neither read nor saved.
type brokenContext struct {
	Host

	logged *[]string
}

func (brokenContext) Load(context.Context) (map[string]json.RawMessage, error) {
	return nil, errors.New("no integration context")
}

func (brokenContext) Update(context.Context, func(map[string]json.RawMessage) (bool, error)) error {
	return errors.New("no integration context")
}

func (b brokenContext) Log(_ context.Context, text string) { *b.logged = append(*b.logged, text) }

// hunter answers queries by their text.
type hunter struct {
	*service
	answer func(query string) (status int, body string)
	ran    []string
	logged []string
}

func (h *hunter) Do(request *http.Request) (*http.Response, error) {
	var body struct{ Query string }
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		return nil, err
	}
	status, text := h.answer(body.Query)
	if status == http.StatusOK {
		h.ran = append(h.ran, body.Query)
	}
	header := http.Header{}
	if status == http.StatusTooManyRequests {
		header.Set("Retry-After", "600")
	}
	return respond(request, status, text, header), nil
}

func (h *hunter) run(t *testing.T, args map[string]any) (Report, error) {
	t.Helper()
	base := &url.URL{Scheme: "https", Host: "127.0.0.1"}
	run := &Run{
		Now: h.clock.Now, Host: brokenContext{logged: &h.logged}, Instance: params.Instance{},
		API: defender.New(defender.Options{
			Clock: h.clock.Clock(), API: base, Graph: base, Tokens: staticToken{}, Transport: h,
			GraphTokens: func() (defender.TokenSource, error) { return staticToken{}, nil },
		}),
	}
	raw := map[string]json.RawMessage{}
	for name, value := range args {
		raw[name] = json.RawMessage(rawjson.Make(value))
	}
	return advancedHunting().Execute(t.Context(), run, raw)
}

const oneRow = `{"Results":[{"A":1}]}`

func batchOf(queries ...string) []map[string]string {
	batch := make([]map[string]string, len(queries))
	for i, query := range queries {
		batch[i] = map[string]string{"query": query}
	}
	return batch
}

func TestABatchKeepsWhatItHasFound(t *testing.T) {
	throttled := true
	h := &hunter{service: newService(), answer: func(query string) (int, string) {
		switch {
		case strings.HasPrefix(query, "C") && throttled:
			return http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests","message":"quota"}}`
		case strings.HasPrefix(query, "B"):
			return http.StatusBadRequest, `{"error":{"code":"BadRequest","message":"semantic error"}}`
		}
		return http.StatusOK, oneRow
	}}
	done, err := h.run(t, map[string]any{"query_batch": batchOf("A", "B", "C", "D")})
	if err != nil {
		t.Fatal(err)
	}
	first := done.Entries[0]
	text := warroom.Plain(first.Blocks)
	for _, want := range []string{"Hunting results", "Failed: 1", "Query 2: ", "2 of 4 queries were run"} {
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant the text %q", text, want)
		}
	}
	if rest := gjson.ParseBytes(first.Poll.Args["query_batch"].(json.RawMessage)).Get("#.query").String(); rest != `["C","D"]` {
		t.Errorf("got the rest %s, want only the queries that were not run", rest)
	}
	throttled = false
	if done, err = h.run(t, passed(t, first.Poll.Args)); err != nil || done.Entries[0].Poll != nil {
		t.Errorf("got %v and %v, want the end", done.Entries, err)
	}
	if !slices.Equal(h.ran, []string{"A", "C", "D"}) {
		t.Errorf("got the queries %q run, want each once", h.ran)
	}
}

// TestAHuntIsNotLostForANote hunts on Microsoft Graph when the integration context is broken.
func TestAHuntIsNotLostForANote(t *testing.T) {
	h := &hunter{service: newService()}
	asked := 0
	h.answer = func(string) (int, string) {
		if asked++; asked == 1 {
			return http.StatusGone, `{"error":{"code":"Gone","message":"retired"}}`
		}
		return http.StatusOK, `{"results":[{"A":1}]}`
	}
	done, err := h.run(t, map[string]any{"query": "DeviceInfo"})
	if err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(done); got != 1 {
		t.Errorf("got %d rows, want the row that Graph returned", got)
	}
	if len(h.logged) != 1 || !strings.Contains(h.logged[0], "this could not be saved: no integration context") {
		t.Errorf("got %q in the log, want that the move to Graph could not be saved", h.logged)
	}
}
