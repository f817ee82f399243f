package defender_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/defender"
)

func TestFiltersAreOData(t *testing.T) {
	at := time.Date(2026, time.November, 20, 10, 15, 30, 123456789, time.FixedZone("", 3600))
	a, b, c := defender.Equal("a", "1"), defender.Equal("b", "2"), defender.Equal("c", "3")
	var everything defender.Filter
	rows := []struct {
		name   string
		filter defender.Filter
		want   string
	}{
		{"a text", defender.Equal("severity", "High"), "severity eq 'High'"},
		{"a quote is doubled", defender.Equal("name", "O'Brien's"), "name eq 'O''Brien''s'"},
		{"nothing but quotes", defender.Equal("name", "''"), "name eq ''''''"},
		{"an attempt to leave the literal", defender.Equal("name", "x' or true or 'a' eq 'a"), "name eq 'x'' or true or ''a'' eq ''a'"},
		{"other characters stay", defender.Equal("name", "a\\b\"c%27+&\n"), "name eq 'a\\b\"c%27+&\n'"},
		{"an empty text", defender.Equal("name", ""), "name eq ''"},
		{"one of several", defender.EqualAny("status", []string{"New", "In'Progress"}), "status eq 'New' or status eq 'In''Progress'"},
		{"one of one", defender.EqualAny("status", []string{"New"}), "status eq 'New'"},
		{"one of none lets everything through", defender.EqualAny("status", nil), ""},
		{"inside a text", defender.Contains("name", "x')"), "contains(name,'x'')')"},
		{"at the beginning of a text", defender.StartsWith("name", "x')"), "startswith(name,'x'')')"},
		{"a whole number", defender.Number("osBuild", "ge", 26100), "osBuild ge 26100"},
		{"a broken number", defender.Number("score", "lt", 7.25), "score lt 7.25"},
		{"a large number", defender.Number("n", "eq", 1e21), "n eq 1000000000000000000000"},
		{"after a time", defender.After("t", at), "t gt 2026-11-20T09:15:30.1234567Z"},
		{"since a time", defender.Since("t", at), "t ge 2026-11-20T09:15:30.1234567Z"},
		{"before a time", defender.Before("t", at), "t lt 2026-11-20T09:15:30.1234567Z"},
		{"both", defender.And(a, b), "a eq '1' and b eq '2'"},
		{"either", defender.Or(a, b, c), "a eq '1' or b eq '2' or c eq '3'"},
		{"either inside of both", defender.And(defender.Or(a, b), c), "(a eq '1' or b eq '2') and c eq '3'"},
		{"both inside of either", defender.Or(a, defender.And(b, c)), "a eq '1' or (b eq '2' and c eq '3')"},
		{"several levels", defender.And(a, defender.Or(b, defender.And(a, c))), "a eq '1' and (b eq '2' or (a eq '1' and c eq '3'))"},
		{"what lets everything through is left out", defender.And(everything, a, everything, b), "a eq '1' and b eq '2'"},
		{"one of a combination that is left", defender.And(everything, defender.Or(a, b)), "a eq '1' or b eq '2'"},
		{"and gets its parentheses in the next one", defender.And(defender.And(everything, defender.Or(a, b)), c), "(a eq '1' or b eq '2') and c eq '3'"},
		{"nothing", defender.And(everything, defender.Or()), ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := row.filter.String(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestQueriesAreEscapedOnce(t *testing.T) {
	rows := []struct {
		name  string
		query defender.Query
		want  string
	}{
		{"nothing", defender.Query{}, ""},
		{"a limit becomes a page size", defender.Query{Limit: 5}, "?$top=5"},
		{"spaces are %20 and a plus stays one", defender.Query{Filter: defender.Equal("name", "a +b")}, "?$filter=name%20eq%20'a%20%2Bb'"},
		{"what would end the value", defender.Query{Filter: defender.Equal("name", "&$top=1#%41")}, "?$filter=name%20eq%20'%26%24top%3D1%23%2541'"},
		{"all parts", defender.Query{Filter: defender.Equal("a", "b"), Limit: 3, Skip: 2, Expand: "evidence", OrderBy: "alertCreationTime desc"}, "?$filter=a%20eq%20'b'&$top=3&$skip=2&$expand=evidence&$orderby=alertCreationTime%20desc"},
		{"the start when wanted", defender.Query{FromStart: true}, "?$skip=0"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			api := serve(t, body(`{"value":[]}`))
			if _, err := at(t, api).client().Alerts(t.Context(), row.query); err != nil {
				t.Fatal(err)
			}
			api.wantRequests(t, "GET /api/alerts"+row.want)
		})
	}
}

// token is a word, a sign or a literal of a filter.
type token struct{ kind, text string }

// tokenize takes a filter apart as OData does: a literal ends at the first quote that is not doubled.
func tokenize(t *testing.T, text string) []token {
	t.Helper()
	var found []token
	for text != "" {
		switch {
		case text[0] == ' ' || text[0] == ',':
			text = text[1:]
		case text[0] == '(' || text[0] == ')':
			found = append(found, token{"sign", text[:1]})
			text = text[1:]
		case text[0] == '\'':
			var value strings.Builder
			for text = text[1:]; ; {
				before, after, ok := strings.Cut(text, "'")
				if !ok {
					t.Fatalf("a literal does not end: %q", text)
				}
				value.WriteString(before)
				text = after
				if !strings.HasPrefix(text, "'") {
					break
				}
				value.WriteString("'")
				text = text[1:]
			}
			found = append(found, token{"literal", value.String()})
		default:
			end := strings.IndexAny(text, " ,()'")
			if end < 0 {
				end = len(text)
			}
			found = append(found, token{"word", text[:end]})
			text = text[end:]
		}
	}
	return found
}

// transport is a Transport made of a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

func response(r *http.Request, status int, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range [][2]string{
		{"plain", "x"}, {"O'Brien", "''"}, {"' or true or 'a' eq 'a", ")"}, {"&$top=1#%27+", "\x00\n\xff"}, {"", "\u2019\u02bc"}, {`\'`, "')) or (("},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		filter := defender.And(
			defender.Equal("p", first), defender.Or(defender.Contains("q", second), defender.EqualAny("r", []string{second, first})),
		)
		word := func(text string) token { return token{"word", text} }
		sign := func(text string) token { return token{"sign", text} }
		literal := func(text string) token { return token{"literal", text} }
		want := []token{
			word("p"), word("eq"), literal(first), word("and"),
			sign("("), word("contains"), sign("("), word("q"), literal(second), sign(")"), word("or"),
			sign("("), word("r"), word("eq"), literal(second), word("or"), word("r"), word("eq"), literal(first), sign(")"), sign(")"),
		}
		if got := tokenize(t, filter.String()); !slices.Equal(got, want) {
			t.Errorf("got %q of %q, want the parts %q", got, filter, want)
		}
		var sent url.Values
		clock := newClock()
		client := defender.New(defender.Options{
			Clock: clock.Clock(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{},
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				values, err := url.ParseQuery(r.URL.RawQuery)
				if err != nil {
					t.Errorf("got %q: %v, want a query", r.URL.RawQuery, err)
				}
				sent = values
				return response(r, http.StatusOK, anyAnswer), nil
			}),
		})
		if _, err := client.Alerts(context.Background(), defender.Query{Filter: filter, Limit: 7}); err != nil {
			t.Fatal(err)
		}
		if got := sent.Get("$filter"); got != filter.String() || len(sent) != 2 || sent.Get("$top") != "7" {
			t.Errorf("got %q, want the filter %q and a page size alone", sent, filter)
		}
	})
}
