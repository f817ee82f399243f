package defender_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
)

func TestHuntGivesTheAnswerAsReceived(t *testing.T) {
	text := `{"Stats":{"n":1.0},"Schema":[{"Name":"A","Type":"Int64"}],"Results":[{"A":12345678901234567890}]}`
	api := serve(t, body(text))
	got, err := at(t, api).client().Hunt(t.Context(), "T | where a == \"<b>\"\n", time.Minute)
	if err != nil || string(got) != text {
		t.Errorf("got %s and %v, want %s", got, err, text)
	}
	if want := `{"Query":"T | where a == \"<b>\"\n"}` + "\n"; api.requests()[0].Body != want {
		t.Errorf("got %q, want the body %q", api.requests()[0].Body, want)
	}
}

// withGraph makes a client of two services, and tells how often Graph's tokens were asked for.
func withGraph(t *testing.T, api, graph *service) (*world, *tokens, func() int) {
	t.Helper()
	w := at(t, api)
	base, err := url.Parse(graph.URL)
	if err != nil {
		t.Fatal(err)
	}
	graphTokens := &tokens{number: 100}
	var mu sync.Mutex
	made := 0
	w.Graph, w.GraphTokens = base, func() (defender.TokenSource, error) {
		mu.Lock()
		defer mu.Unlock()
		made++
		return graphTokens, nil
	}
	return w, graphTokens, func() int {
		mu.Lock()
		defer mu.Unlock()
		return made
	}
}

func TestGraphHuntHasTheShapeOfHunt(t *testing.T) {
	rows := []struct{ name, answer, want string }{
		{
			"as documented", `{"@odata.context":"c","schema":[{"name":"A","type":"Int64"},{"name":"B\"","type":"String"}],"results":[{"A":1.0,"B\"":null},{"A":2}]}`,
			`{"Schema":[{"Name":"A","Type":"Int64"},{"Name":"B\"","Type":"String"}],"Results":[{"A":1.0,"B\"":null},{"A":2}]}`,
		},
		{"in the other spelling", `{"schema":[{"Name":"A","Type":"Int64"}],"results":[]}`, `{"Schema":[{"Name":"A","Type":"Int64"}],"Results":[]}`},
		{"without a schema", `{"results":[]}`, `{"Schema":[],"Results":[]}`},
		{"after a byte order mark", "\uFEFF" + `{"schema":[],"results":[]}`, `{"Schema":[],"Results":[]}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			api, graph := serve(t, nil), serve(t, body(row.answer))
			w, graphTokens, _ := withGraph(t, api, graph)
			got, err := w.client().GraphHunt(t.Context(), "T", time.Minute)
			if err != nil || string(got) != row.want {
				t.Errorf("got %s and %v, want %s", got, err, row.want)
			}
			graph.wantRequests(t, "POST /v1.0/security/runHuntingQuery")
			api.wantRequests(t)
			sent := graph.requests()[0]
			if want := "Bearer " + graphTokens.current(); sent.Header.Get("Authorization") != want || sent.Body != `{"Query":"T"}`+"\n" {
				t.Errorf("got %q with %q, want the query with Graph's token", sent.Body, sent.Header.Get("Authorization"))
			}
		})
	}
}

func TestGraphSignsInWhenItIsFirstAsked(t *testing.T) {
	w, _, made := withGraph(t, serve(t, nil), serve(t, nil))
	client := w.client()
	if err := reads(t.Context(), client); err != nil || made() != 0 {
		t.Errorf("the Defender API: got %d and %v, want no sign-in to Graph", made(), err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := client.GraphHunt(t.Context(), "T", time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if made() != 1 {
		t.Errorf("Graph: got %d, want one sign-in for all requests", made())
	}
	if got, want := counted(client.Metrics()), "Successful 5"; got != want {
		t.Errorf("got %q, want the counts %q", got, want)
	}
}

func TestGraphWithoutASignIn(t *testing.T) {
	failure := errors.New("no sign-in")
	w := at(t, serve(t, nil))
	w.GraphTokens = func() (defender.TokenSource, error) { return nil, failure }
	if _, err := w.client().GraphHunt(t.Context(), "T", time.Minute); !errors.Is(err, failure) {
		t.Errorf("got %v, want the error of the sign-in", err)
	}
}

func TestAHuntIsReadWhateverTheCaseOfItsKeys(t *testing.T) {
	for _, body := range []string{`{"Schema":[{"Name":"A","Type":"String"}],"Results":[{"A":"1"}]}`, `{"schema":[{"name":"A","type":"String"}],"results":[{"A":"1"}]}`} {
		answers := func(w http.ResponseWriter, _ *http.Request) { answerWith(w, http.StatusOK, body) }
		w, _, _ := withGraph(t, serve(t, answers), serve(t, answers))
		for name, hunt := range map[string]func(context.Context, string, time.Duration) (rawjson.Value, error){"Defender": w.client().Hunt, "Graph": w.client().GraphHunt} {
			got, err := hunt(t.Context(), "T", time.Minute)
			if want := `{"Schema":[{"Name":"A","Type":"String"}],"Results":[{"A":"1"}]}`; err != nil || string(got) != want {
				t.Errorf("%s, %s: got %s and %v, want %s", name, body, got, err, want)
			}
		}
	}
}

func TestHuntingIsRetiredWhenItSaysSo(t *testing.T) {
	const html = "<html><title>Gone</title></html>"
	for _, row := range []struct {
		status int
		body   string
		want   bool
	}{
		{404, `{"error":{"code":"NotFound","message":"No such function."}}`, true},
		{404, ``, true},
		{404, html, false}, // a gateway, or a wrong address
		{410, `{"error":{"code":"Gone"}}`, true},
		{410, ``, true},
		{410, html, true},
		{400, `{"error":{"code":"ApiRetired","message":"Use Microsoft Graph."}}`, true},
		{403, `{"error":{"code":"Forbidden","message":"This API is deprecated and no longer available."}}`, true},
		{501, `{"error":{"code":"X","message":"The endpoint was retired."}}`, true},
		{200, `{"error":{"code":"EndpointRetired","message":"Use Microsoft Graph."}}`, true},
		{400, `{"error":{"code":"BadRequest","message":"It doesn't work: the API has reached its end of life."}}`, true},
		{400, `{"error":{"code":"BadRequest","message":"Syntax error."}}`, false},
		{400, `{"error":{"code":"BadRequest","message":"Failed to resolve scalar expression named 'retired' (\"deprecated\")."}}`, false},
		{403, `{"error":{"code":"Forbidden","message":"Missing application roles"}}`, false},
		{501, ``, false},
	} {
		_, err := at(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, row.status, row.body) })).client().Hunt(t.Context(), "T", time.Minute)
		if defender.HuntingRetired(err) != row.want {
			t.Errorf("HTTP %d %s: got %v, want retired %t", row.status, row.body, err, row.want)
		}
	}
}
