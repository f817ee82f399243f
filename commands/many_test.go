package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// listing is a service that has lists of what it knows, which may lag behind, and refuses what the test says.
type listing struct {
	mu       sync.Mutex
	unlisted []string         // are known, but not in a list yet
	unknown  []string         // are not known
	lists    map[string]error // why a list that begins with an ID is refused
	ones     map[string]error // why an ID is refused
	asked    []string         // on their own
	listed   int              // requests for lists
}

func (l *listing) list(_ context.Context, ids []string) (map[string]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed++
	if err := l.lists[ids[0]]; err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, id := range ids {
		if !slices.Contains(l.unlisted, id) && !slices.Contains(l.unknown, id) {
			found[strings.ToLower(id)] = "object " + id
		}
	}
	return found, nil
}

func (l *listing) ask(_ context.Context, id string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, id)
	switch {
	case l.ones[id] != nil:
		return "", l.ones[id]
	case slices.Contains(l.unknown, id):
		return "", &defender.APIError{Status: http.StatusNotFound}
	}
	return "object " + id, nil
}

func TestManyObjectsAreReadFromLists(t *testing.T) {
	ids := append(numbered("%040x", 70), "ID-Large") // two lists
	second := defender.SplitIDs(ids)[1][0]
	refusal, throttled := &defender.APIError{Status: http.StatusForbidden}, &defender.ThrottledError{After: 3 * time.Second}
	for _, test := range []struct {
		name    string
		service *listing // nil knows and lists everything
		ids     []string
		// what is asked for on its own, how many lists are, and what comes of it
		asked        []string
		lists        int
		failed, left []string
	}{
		{name: "all are listed", ids: ids, lists: 2},
		{name: "too few for a list", ids: ids[:4], asked: ids[:4]},
		{name: "as few as a list is worth", ids: ids[:5], lists: 1},
		{name: "one is not listed yet", service: &listing{unlisted: []string{ids[3]}}, ids: ids, asked: []string{ids[3]}, lists: 2},
		{name: "one is not known", service: &listing{unknown: []string{ids[3]}}, ids: ids, asked: []string{ids[3]}, lists: 2, failed: []string{ids[3]}},
		{
			name: "one that is not listed must wait", service: &listing{unlisted: []string{ids[3]}, ones: map[string]error{ids[3]: throttled}}, ids: ids,
			asked: []string{ids[3]}, lists: 2, left: []string{ids[3]},
		},
		{name: "a list is refused", service: &listing{lists: map[string]error{second: refusal}}, ids: ids, lists: 2, failed: defender.SplitIDs(ids)[1]},
		{name: "a list must wait", service: &listing{lists: map[string]error{second: throttled}}, ids: ids, lists: 2, left: defender.SplitIDs(ids)[1]},
		{
			name: "lists are not filtered like this", service: &listing{lists: map[string]error{ids[0]: &defender.APIError{Status: http.StatusBadRequest}}}, ids: ids,
			asked: ids, lists: 1,
		},
	} {
		if test.service == nil {
			test.service = &listing{}
		}
		got := forEachListed(t.Context(), test.ids, test.service.list, test.service.ask)
		var failed, done []string
		for _, one := range got.Failed {
			failed = append(failed, one.ID)
		}
		for _, one := range got.Done {
			if done = append(done, one.ID); one.Value != "object "+one.ID {
				t.Errorf("%s: got %q as %s", test.name, one.Value, one.ID)
			}
		}
		want := slices.DeleteFunc(slices.Clone(test.ids), func(id string) bool { return slices.Contains(test.failed, id) || slices.Contains(test.left, id) })
		if !slices.Equal(done, want) || !slices.Equal(failed, test.failed) || !slices.Equal(got.Left, test.left) {
			t.Errorf("%s: got %d done, %q failed and %q left, want %d, %q and %q", test.name, len(done), failed, got.Left, len(want), test.failed, test.left)
		}
		if wait := got.After > 0; wait != (len(test.left) > 0) {
			t.Errorf("%s: got a wait of %s, want one only for what is left", test.name, got.After)
		}
		slices.Sort(test.service.asked)
		if asked := slices.Sorted(slices.Values(test.asked)); !slices.Equal(test.service.asked, asked) || test.service.listed != test.lists {
			t.Errorf("%s: got %d lists and requests for %q, want %d and %q", test.name, test.service.listed, test.service.asked, test.lists, asked)
		}
	}
}

func TestAPanicForOneOfManyFailsThatOne(t *testing.T) {
	got := forEach(t.Context(), []string{"a", "b", "c"}, func(_ context.Context, id string) (string, error) {
		if id == "b" {
			panic("out of range")
		}
		return id, nil
	})
	if len(got.Done) != 2 || len(got.Failed) != 1 || got.Failed[0].ID != "b" {
		t.Fatalf("got %+v, want only b to fail", got)
	}
	caught, is := errors.AsType[*PanicError](got.Failed[0].Err)
	if !is || caught.Value != "out of range" || !strings.Contains(string(caught.Stack), "TestAPanicForOneOfMany") || strings.Contains(caught.Error(), "range") {
		t.Errorf("got %v, want an error that keeps the value and the stack for the log, and does not tell them", got.Failed[0].Err)
	}
}

// TestIDsOfOneLaneAreAskedForOneAfterAnother has several files on each of two machines.
func TestIDsOfOneLaneAreAskedForOneAfterAnother(t *testing.T) {
	var mu sync.Mutex
	running, order := map[string]int{}, map[string][]string{}
	lane := func(id string) string { return id[:1] }
	ids := []string{"a1", "b1", "a2", "b2", "a3", "b3"}
	got := forEachInLanes(t.Context(), ids, lane, func(_ context.Context, id string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if running[lane(id)]++; running[lane(id)] > 1 {
			t.Errorf("%s is asked for while another of its lane is", id)
		}
		order[lane(id)] = append(order[lane(id)], id)
		mu.Unlock()
		mu.Lock()
		running[lane(id)]--
		return id, nil
	})
	if !slices.Equal(order["a"], []string{"a1", "a2", "a3"}) || !slices.Equal(order["b"], []string{"b1", "b2", "b3"}) || len(got.Done) != len(ids) {
		t.Errorf("got %v, want each lane in the order of its IDs", order)
	}
	for i, one := range got.Done {
		if one.ID != ids[i] || one.Value != ids[i] {
			t.Errorf("got %+v as number %d, want %s", one, i, ids[i])
		}
	}
}

func TestNoMoreRequestsAtOnceThanTheQuotaIsWorth(t *testing.T) {
	for number, want := range map[int]int{1: 8, 50: 8, 51: 4, 1000: 4} {
		if got := atOnce(number); got != want {
			t.Errorf("%d IDs: got %d requests at once, want %d", number, got, want)
		}
	}
}

func TestFailuresAreShownWithTheResults(t *testing.T) {
	failed := []failure{{"a", &defender.APIError{Status: http.StatusForbidden, Code: "Forbidden"}}, {"b", errors.New("lost")}}
	shown := func() warroom.Entry {
		return warroom.Entry{Blocks: []warroom.Block{warroom.Paragraph("shown")}}
	}
	for _, test := range []struct {
		name    string
		outcome outcome[rawjson.Value]
		entries []warroom.Entry
		want    int
		table   int // the entry with the table of the failures, or -1
	}{
		{"all succeed", outcome[rawjson.Value]{Done: []done[rawjson.Value]{{ID: "c"}}}, []warroom.Entry{shown()}, 1, -1},
		{"some fail", outcome[rawjson.Value]{Done: []done[rawjson.Value]{{ID: "c"}}, Failed: failed}, []warroom.Entry{shown()}, 1, 0},
		{"some fail of several entries", outcome[rawjson.Value]{Done: []done[rawjson.Value]{{ID: "c"}}, Failed: failed}, []warroom.Entry{shown(), shown()}, 3, 2},
		{"some fail and the rest waits", outcome[rawjson.Value]{Failed: failed, Left: []string{"d"}}, []warroom.Entry{shown()}, 1, 0},
		{"all wait", outcome[rawjson.Value]{Left: []string{"d", "e"}}, []warroom.Entry{shown()}, 0, -1},
	} {
		got, err := test.outcome.finish("ids", test.entries...)
		if err != nil || len(got.Entries) != test.want {
			t.Fatalf("%s: got %d entries and %v, want %d", test.name, len(got.Entries), err, test.want)
		}
		for i, entry := range got.Entries {
			if has := strings.Contains(warroom.Plain(entry.Blocks), "Failed: 2"); has != (i == test.table) {
				t.Errorf("%s: entry %d: got a table of failures %t, want it in entry %d", test.name, i, has, test.table)
			}
		}
		if left := test.outcome.Left; (got.Left != nil) != (left != nil) || left != nil && got.Left["ids"] != strings.Join(left, ",") {
			t.Errorf("%s: got the arguments %v of the next run, want %q", test.name, got.Left, left)
		} else if left != nil && (got.Done != len(test.outcome.Failed) || got.Whole != len(test.outcome.Failed)+len(left)) {
			t.Errorf("%s: got %d of %d done", test.name, got.Done, got.Whole)
		}
	}
	_, err := outcome[rawjson.Value]{Failed: failed}.finish("ids", shown())
	if want := fmt.Sprintf("All 2 failed:\na: %s\nb: lost", failed[0].Err); err == nil || err.Error() != want || !errors.Is(err, failed[1].Err) {
		t.Errorf("got %v, want %q", err, want)
	}
	_, err = outcome[rawjson.Value]{Failed: failed[1:]}.finish("ids", shown())
	if err == nil || err.Error() != "lost" || !errors.Is(err, failed[1].Err) {
		t.Errorf("got %v, want the only failure without the ID, which the analyst has just given", err)
	}
}

func TestErrorsThatPass(t *testing.T) {
	network := &url.Error{Op: "Post", URL: "https://127.0.0.1", Err: io.ErrUnexpectedEOF}
	signIn := func(code string, cause error) error {
		return &defender.SignInError{Err: &auth.Error{Code: code, Err: cause}}
	}
	page := func(status int) error {
		err := &defender.GatewayError{}
		err.Status = status
		return err
	}
	for err, want := range map[error]bool{
		&defender.ThrottledError{}:                                                               true,
		&defender.ConnectionError{Err: io.EOF}:                                                   true,
		&defender.SignInError{Err: network}:                                                      true,
		&defender.SignInError{Err: errors.New("secret")}:                                         false,
		signIn("AADSTS90055", &auth.ServiceError{Status: 429}):                                   true,
		signIn("HTTP 503", &auth.ServiceError{Status: 503}):                                      true,
		signIn("AADSTS90033", &auth.ServiceError{Status: 400, OAuth: "temporarily_unavailable"}): true,
		signIn("server_error", &auth.ServiceError{Status: 400, OAuth: "server_error"}):           true,
		signIn(auth.CodeTimeout, context.DeadlineExceeded):                                       true,
		signIn(auth.CodeBackOff, nil):                                                            true,
		signIn("AADSTS7000222", &auth.ServiceError{Status: 401, OAuth: "invalid_client"}):        false,
		signIn(auth.CodeConfiguration, nil):                                                      false,
		page(502):                                                                                true,
		page(403):                                                                                false,
		&defender.APIError{Status: 429}:                                                          true,
		&defender.APIError{Status: 500}:                                                          true,
		&defender.APIError{Status: 503}:                                                          true,
		&defender.APIError{Status: 501}:                                                          false,
		&defender.APIError{Status: 499}:                                                          false,
		&defender.APIError{Status: 404}:                                                          false,
		errors.New("another"):                                                                    false,
	} {
		if got := transient(fmt.Errorf("reading: %w", err)); got != want {
			t.Errorf("%T %v: got %t, want %t", err, err, got, want)
		}
	}
}
