package odata

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// crate is a resource with a part that is only shown when it is asked for.
type crate struct {
	ID    string   `json:"id"`
	Kilos *int64   `json:"kilos"`
	Aisle string   `json:"aisle"`
	Notes []string `json:"notes,omitempty"`
}

func (*crate) Expansion() string { return "notes" }

func (c *crate) Collapsed() any {
	bare := *c
	bare.Notes = nil
	return bare
}

var crates = []*crate{
	{"c1", new(int64(7)), "south", []string{"fragile"}},
	{"c2", new(int64(3)), "north", nil},
	{"c3", nil, "south", nil},
	{"c4", new(int64(7)), "north", nil},
	{"c5", new(int64(9)), "east", nil},
}

// TestLists asks for pages of at most three crates.
func TestLists(t *testing.T) {
	for _, test := range []struct{ query, want string }{
		{"", "c1 c2 c3, next $skip=3"},
		{"$skip=3", "c4 c5"},
		{"$skip=7", ""},
		{"$top=2", "c1 c2"},
		{"$top=3", "c1 c2 c3"},
		{"$top=4", "c1 c2 c3, next $skip=3&$top=1"},
		{"$top=1&$skip=3", "c4"},
		{"$top=4&$skip=1", "c2 c3 c4, next $skip=4&$top=1"},
		{"$top=0", ""},
		{"$orderby=kilos", "c3 c2 c1, next $orderby=kilos&$skip=3"},
		{"$orderby=kilos asc", "c3 c2 c1, next $orderby=kilos asc&$skip=3"},
		{"$orderby=kilos desc", "c5 c1 c4, next $orderby=kilos desc&$skip=3"},
		{"$orderby=aisle,id desc&$top=3", "c5 c4 c2"},
		{"$orderby=kilos desc, aisle&$top=3", "c5 c4 c1"},
		{"$filter=aisle eq 'north'", "c2 c4"},
		{"$filter=kilos gt 3&$orderby=id desc&$count=true", "c5 c4 c1, of 3"},
		{"$count=true&$top=1", "c1, of 5"},
		{"$count=false&$top=1", "c1"},
		{"$select=id,aisle&$top=1", `{"id":"c1","aisle":"south"}`},
		{"$select=id,notes&$top=1", `{"id":"c1"}`},
		{"$select=id,notes&$expand=notes&$top=1", `{"id":"c1","notes":["fragile"]}`},
		{"$select= ID , kilos &$skip=2&$top=1", `{"id":"c3","kilos":null}`},
		{"$expand=notes&$top=1", `{"id":"c1","kilos":7,"aisle":"south","notes":["fragile"]}`},
		{"$top=5", "c1 c2 c3, next $skip=3&$top=2"},
		{"$top=6", "refused: the limit of 5 for $top has been exceeded: it is 6"},
		{"$top=-1", "refused: "},
		{"$skip=x", "refused: "},
		{"$orderby=kilos up", "refused: syntax error in $orderby"},
		{"$orderby=kilos desc asc", "refused: syntax error in $orderby"},
		{"$orderby=,", "refused: syntax error in $orderby"},
		{"$orderby=price", "refused: "},
		{"$select=price", "refused: "},
		{"$expand=price", `refused: the property "price"`},
		{"$count=often", "refused: $count is true or false"},
		{"$search=x", `refused: the query option "$search" is not known`},
		{"search=x&$top=1", "c1"},
	} {
		query := url.Values{}
		for pair := range strings.SplitSeq(test.query, "&") {
			if name, value, found := strings.Cut(pair, "="); found {
				query.Set(name, value)
			}
		}
		got := asked(t, query)
		if refused := strings.HasPrefix(test.want, "refused: "); got != test.want && !(refused && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: got\n%s\nwant\n%s", test.query, got, test.want)
		}
	}
}

// asked returns a page as a text: the IDs of its resources, or all of the only one if it was asked for in another form.
func asked(t *testing.T, query url.Values) string {
	t.Helper()
	page, err := List(query, crates, Collection{MaxTop: 5}, 3)
	if err != nil {
		return "refused: " + err.Error()
	}
	var items []string
	for _, item := range page.Items {
		text, err := json.Marshal(item)
		if err != nil {
			t.Fatal(err)
		}
		if query.Has("$select") || query.Has("$expand") {
			items = append(items, string(text))
			continue
		}
		var read crate
		if err := json.Unmarshal(text, &read); err != nil || read.Notes != nil {
			t.Fatalf("got %s (%v), want a crate without its notes", text, err)
		}
		items = append(items, read.ID)
	}
	text := strings.Join(items, " ")
	if page.Count != nil {
		encoded, err := json.Marshal(page.Count)
		if err != nil {
			t.Fatal(err)
		}
		text += ", of " + string(encoded)
	}
	if page.Next != nil {
		next, err := url.QueryUnescape(page.Next.Encode())
		if err != nil {
			t.Fatal(err)
		}
		text += ", next " + next
	}
	return text
}
