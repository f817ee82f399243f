package defender_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
)

// page is an answer of the numbered items from first on, with a next link unless that is empty.
func page(first, count int, link string) string {
	items := make([]string, count)
	for i := range items {
		items[i] = `{"n":` + strconv.Itoa(first+i) + `}`
	}
	text := `{"value":[` + strings.Join(items, ",") + `]`
	if link != "" {
		text += `,"@odata.nextLink":` + string(rawjson.Make(link))
	}
	return text + `}`
}

// numbers are the numbers of the items of a list, as "0 1 2".
func numbers(list defender.List) string {
	parts := make([]string, len(list.Items))
	for i, item := range list.Items {
		parts[i] = item.Text("n")
	}
	return strings.Join(parts, " ")
}

func TestPaging(t *testing.T) {
	// SELF is replaced by the address of the service.
	rows := []struct {
		name  string
		limit int
		skip  int
		pages []string
		want  string
		more  bool
		asked []string
	}{
		{"without a limit the page that the service returns", 0, 0, []string{page(0, 3, "")}, "0 1 2", false, []string{""}},
		{"without a limit the links to the end", 0, 0, []string{page(0, 2, "SELF/api/machines?p=2"), page(2, 2, "SELF/api/machines?p=3"), page(4, 1, "")}, "0 1 2 3 4", false, []string{"", "?p=2", "?p=3"}},
		{"less than the limit", 5, 0, []string{page(0, 3, "")}, "0 1 2", false, []string{"?$top=5"}},
		{"a full page may have more behind it", 3, 0, []string{page(0, 3, "")}, "0 1 2", true, []string{"?$top=3"}},
		{"more than was asked for is cut", 2, 0, []string{page(0, 5, "")}, "0 1", true, []string{"?$top=2"}},
		{"a link is followed up to the limit", 3, 0, []string{page(0, 2, "SELF/api/machines?p=2"), page(2, 2, "SELF/api/machines?p=3")}, "0 1 2", true, []string{"?$top=3", "?p=2"}},
		{"a link is not followed beyond the limit", 2, 0, []string{page(0, 2, "SELF/api/machines?p=2")}, "0 1", true, []string{"?$top=2"}},
		{"no items", 5, 0, []string{page(0, 0, "")}, "", false, []string{"?$top=5"}},
		{"a page without items ends it", 5, 0, []string{page(0, 1, "SELF/api/machines?p=2"), page(0, 0, "SELF/api/machines?p=3")}, "0", true, []string{"?$top=5", "?p=2"}},
		{"the same page again ends it", 5, 0, []string{page(0, 2, "SELF/api/machines?p=2"), page(0, 2, "SELF/api/machines?p=3")}, "0 1", false, []string{"?$top=5", "?p=2"}},
		{
			"a link that repeats is counted past", 6, 0,
			[]string{page(0, 2, "SELF/api/machines?p=2"), page(2, 2, "SELF/api/machines?p=2"), page(4, 1, "")},
			"0 1 2 3 4", false,
			[]string{"?$top=6", "?p=2", "?$top=2&$skip=4"},
		},
		{
			"a link to another host is counted past", 4, 0,
			[]string{page(0, 2, "https://attacker.example/api/machines?p=2"), page(2, 1, "")},
			"0 1 2", false,
			[]string{"?$top=4", "?$top=2&$skip=2"},
		},
		{"so is one with a name and password", 4, 0, []string{page(0, 2, "https://a:b@HOST/api/machines?p=2"), page(2, 1, "")}, "0 1 2", false, []string{"?$top=4", "?$top=2&$skip=2"}},
		{"so is one over http", 4, 0, []string{page(0, 2, "http://HOST/api/machines?p=2"), page(2, 1, "")}, "0 1 2", false, []string{"?$top=4", "?$top=2&$skip=2"}},
		{"so is one that is not an address", 4, 0, []string{page(0, 2, "%zz"), page(2, 1, "")}, "0 1 2", false, []string{"?$top=4", "?$top=2&$skip=2"}},
		{"so is one without a host", 4, 0, []string{page(0, 2, "/api/machines?p=2"), page(2, 1, "")}, "0 1 2", false, []string{"?$top=4", "?$top=2&$skip=2"}},
		{"without a limit there is no other way than the link", 0, 0, []string{page(0, 2, "https://attacker.example/x")}, "0 1", true, []string{""}},
		{"counting starts after the skipped items", 4, 7, []string{page(0, 2, "https://attacker.example/x"), page(2, 1, "")}, "0 1 2", false, []string{"?$top=4&$skip=7", "?$top=2&$skip=9"}},
		{"spaces in a link", 4, 0, []string{page(0, 2, "SELF/api/machines?$filter=a eq 'b c'"), page(2, 1, "")}, "0 1 2", false, []string{"?$top=4", "?$filter=a%20eq%20'b%20c'"}},
		{"a number where the link was", 4, 0, []string{`{"value":[{"n":0}],"@odata.nextLink":7}`, page(1, 1, "")}, "0 1", false, []string{"?$top=4", "?$top=3&$skip=1"}},
		{"null where the link was", 4, 0, []string{`{"value":[{"n":0}],"@odata.nextLink":null}`}, "0", false, []string{"?$top=4"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var api *service
			handlers := make([]http.HandlerFunc, len(row.pages))
			for i, text := range row.pages {
				handlers[i] = func(w http.ResponseWriter, _ *http.Request) {
					self := strings.ReplaceAll(text, "SELF", api.URL)
					answerWith(w, http.StatusOK, strings.ReplaceAll(self, "HOST", strings.TrimPrefix(api.URL, "https://")))
				}
			}
			api = serve(t, following(handlers...))
			w := at(t, api)
			got, err := w.client().Machines(t.Context(), defender.Query{Limit: row.limit, Skip: row.skip})
			if err != nil {
				t.Fatal(err)
			}
			if numbers(got) != row.want || got.More != row.more {
				t.Errorf("got %q and %t, want the items %q and more %t", numbers(got), got.More, row.want, row.more)
			}
			want := make([]string, len(row.asked))
			for i, query := range row.asked {
				want[i] = "GET /api/machines" + query
			}
			api.wantRequests(t, want...)
			for _, host := range w.tokens.targets {
				if host != w.API.Host {
					t.Errorf("got one for %s, want tokens for %s only", host, w.API.Host)
				}
			}
		})
	}
}

func TestPagesAreNoLargerThanTheServiceTakes(t *testing.T) {
	asked := 0
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		top, err := strconv.Atoi(r.URL.Query().Get("$top"))
		if err != nil {
			t.Errorf("got %q, want a page size", r.RequestURI)
		}
		answerWith(w, http.StatusOK, page(asked, top, ""))
		asked += top
	})
	got, err := at(t, api).client().Vulnerabilities(t.Context(), defender.Query{Limit: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 20_000 || !got.More {
		t.Errorf("got %d and %t, want 20000 items and more", len(got.Items), got.More)
	}
	api.wantRequests(t, "GET /api/vulnerabilities?$top=8000", "GET /api/vulnerabilities?$top=8000&$skip=8000", "GET /api/vulnerabilities?$top=4000&$skip=16000")
}

func TestListsWithoutALimitEndAtEverything(t *testing.T) {
	const size = 3000
	pages := 0
	var api *service
	api = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		pages++
		answerWith(w, http.StatusOK, page(pages*size, size, fmt.Sprintf("%s/api/machines?p=%d", api.URL, pages)))
	})
	got, err := at(t, api).client().Machines(t.Context(), defender.Query{})
	if err != nil || len(got.Items) != defender.Everything || !got.More || pages != 4 {
		t.Errorf("got %d of %d, %t and %v, want %d items of 4 pages and more", len(got.Items), pages, got.More, err, defender.Everything)
	}
}

func TestOperationsWithoutPagesAreCut(t *testing.T) {
	api := serve(t, body(page(0, 3, "")))
	got, err := at(t, api).client().MachinesByIP(t.Context(), "10.0.0.1", newClock().Now(), 2)
	if err != nil || numbers(got) != "0 1" || !got.More {
		t.Errorf("got %q, %t and %v, want the items 0 1 and more", numbers(got), got.More, err)
	}
}

func TestWholeIsTheAnswerAsReceived(t *testing.T) {
	one := `{ "@odata.context":"c", "value":[ {"n":1.0} ] }`
	got, err := at(t, serve(t, body(one))).client().Machines(t.Context(), defender.Query{Limit: 5})
	if err != nil || string(got.Whole) != one {
		t.Errorf("one page: got %s and %v, want %s", got.Whole, err, one)
	}
	api := serve(t, following(body(page(0, 2, "https://attacker.example/")), body(page(2, 1, ""))))
	got, err = at(t, api).client().Machines(t.Context(), defender.Query{Limit: 5})
	if want := `{"value":[{"n":0},{"n":1},{"n":2}]}`; err != nil || string(got.Joined()) != want {
		t.Errorf("two pages: got %s and %v, want %s", got.Joined(), err, want)
	}
}

func TestAPageThatFailsFailsTheList(t *testing.T) {
	api := serve(t, following(body(page(0, 2, "https://attacker.example/")), status(http.StatusBadRequest, "")))
	got, err := at(t, api).client().Machines(t.Context(), defender.Query{Limit: 5})
	if defender.StatusOf(err) != http.StatusBadRequest || len(got.Items) > 0 {
		t.Errorf("got %v and %q, want the refusal and no items", err, numbers(got))
	}
}

func TestNoMachinesIsAnEmptyList(t *testing.T) {
	client := at(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answerWith(w, http.StatusNotFound, `{"error":{"code":"ResourceNotFound","message":"None."}}`)
	})).client()
	got, err := client.Machines(t.Context(), defender.Query{Limit: 5})
	if err != nil || len(got.Items) > 0 || got.Whole != `{"value":[]}` {
		t.Errorf("machines: got %+v and %v, want an empty list", got, err)
	}
	if _, err := client.Alerts(t.Context(), defender.Query{Limit: 5}); !defender.NotFound(err) {
		t.Errorf("alerts: got %v, want the refusal", err)
	}
}
