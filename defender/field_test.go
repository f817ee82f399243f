package defender_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"xsoar-defender/defender"
)

// The tests of this file are answers from the field: what services, and the gateways in front of them, really send.

// anAnswer serves one answer to everything.
func anAnswer(status int, header map[string]string, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

func TestASuccessWithoutWhatItMustHaveIsAnError(t *testing.T) {
	for _, row := range []struct {
		name, body, says string
		status           int
	}{
		{"an error in a list", `{"error":{"code":"X","message":"boom"}}`, "X: boom", 200},
		{"an error next to a list", `{"value":[],"error":{"code":"X","message":"boom"}}`, "X: boom", 200},
		{"an error of OData 3", `{"odata.error":{"code":"X","message":{"value":"boom"}}}`, "X: boom", 200},
		{"an error in capitals", `{"Error":{"Code":"X","Message":"boom"}}`, "X: boom", 200},
		{"an error that is a word", `{"error":"X","error_description":"boom"}`, "X: boom", 200},
		{"an error that is a word next to a list", `{"value":[],"Results":[],"results":[],"error":"boom"}`, "boom", 200},
		{"a message", `{"Message":"boom"}`, "without", 200},
		{"a message, which is quoted", `{"statusCode":200,"message":"boom"}`, "and says: boom", 200},
		{"several errors", `{"errors":[{"message":"boom"}]}`, "and says: boom", 200},
		{"text", `boom`, "not valid JSON, and says: boom", 200},
		{"a list of errors", `[{"error":{"code":"X","message":"boom"}}]`, "no JSON object, and says: X: boom", 200},
		{"no list", `{}`, "without", 200},
		{"an object instead of a list", `{"value":{"n":1}}`, "without", 200},
		{"null instead of a list", `{"value":null,"Results":null,"results":null}`, "without", 200},
		{"nothing", ``, "empty", 200},
		{"no content", ``, "empty", 204},
		{"spaces", " \r\n", "empty", 200},
		{"a byte order mark alone", "\uFEFF", "not valid JSON", 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, call := range map[string]func(*defender.Client) error{
				"machines": func(c *defender.Client) error {
					_, err := c.Machines(t.Context(), defender.Query{Limit: 5})
					return err
				},
				"alerts": func(c *defender.Client) error { _, err := c.Alerts(t.Context(), defender.Query{}); return err },
				"hunt":   func(c *defender.Client) error { _, err := c.Hunt(t.Context(), "T", time.Minute); return err },
			} {
				err := call(at(t, serve(t, anAnswer(row.status, nil, row.body))).client())
				if err == nil || !strings.Contains(err.Error(), row.says) {
					t.Errorf("%s: got %v, want an error that says %q", name, err, row.says)
				}
			}
			w, _, _ := withGraph(t, serve(t, nil), serve(t, anAnswer(row.status, nil, row.body)))
			if _, err := w.client().GraphHunt(t.Context(), "T", time.Minute); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("a hunt on Graph: got %v, want an error that says %q", err, row.says)
			}
		})
	}
}

func TestASuccessWithoutAnObjectIsAnError(t *testing.T) {
	for body, says := range map[string]string{
		`{}`: "without the object", `{"@odata.context":"x"}`: "without the object", `{"Message":"boom"}`: "and says: boom",
		`{"error":"boom"}`: "boom (HTTP 200)", `{"code":"X","message":"boom","innerError":{"date":"d"}}`: "and says: X: boom",
	} {
		for name, call := range map[string]func(*defender.Client) error{
			"machine":   func(c *defender.Client) error { return reads(t.Context(), c) },
			"file":      func(c *defender.Client) error { _, err := c.File(t.Context(), "1"); return err },
			"indicator": func(c *defender.Client) error { _, err := c.Indicator(t.Context(), "1"); return err },
			"incident": func(*defender.Client) error {
				w, _, _ := withGraph(t, serve(t, nil), serve(t, anAnswer(200, nil, body)))
				_, err := w.client().Incident(t.Context(), "1")
				return err
			},
			"link": func(c *defender.Client) error { _, _, err := c.PackageURI(t.Context(), "1"); return err },
			"export": func(c *defender.Client) error {
				_, err := c.StreamPage(t.Context(), defender.ExportPage{Operation: defender.ExportSoftware}, func() error { return nil }, func([]byte) error { return nil })
				return err
			},
		} {
			err := call(at(t, serve(t, anAnswer(200, nil, body))).client())
			if want := strings.Replace(says, "without the object", "without the ", 1); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: got %v, want an error that says %q", name, body, err, want)
			}
		}
	}
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	client := at(t, serve(t, anAnswer(200, nil, "\uFEFF"+`{"id":"1","value":[{"n":7}]}`))).client()
	if got, err := client.Machine(t.Context(), "1"); err != nil || got.Text("id") != "1" {
		t.Errorf("got %q and %v, want the object", got, err)
	}
	if got, err := client.Machines(t.Context(), defender.Query{}); err != nil || numbers(got) != "7" {
		t.Errorf("got %q and %v, want the list", numbers(got), err)
	}
}

func TestAGatewayIsNamed(t *testing.T) {
	page := "<html><head><title>Access denied by the web gateway</title></head></html>"
	for _, row := range []struct {
		status int
		header map[string]string
		says   []string
	}{
		{200, map[string]string{"Server": "Captive/1"}, []string{"Captive/1", "HTTP 200", "Access denied by the web gateway"}},
		{403, map[string]string{"Server": "Zscaler/6.2"}, []string{"Zscaler/6.2", "HTTP 403", "allow the engine"}},
		{404, nil, []string{"HTTP 404", "Check the addresses"}},
		{407, map[string]string{"Via": "1.1 proxy.corp.test (squid)"}, []string{"proxy.corp.test", "HTTP 407", "credentials"}},
		{502, map[string]string{"Via": "1.1 proxy.corp.test"}, []string{"proxy.corp.test", "HTTP 502"}},
	} {
		for name, call := range map[string]func(*defender.Client) error{
			"list": func(c *defender.Client) error {
				_, err := c.Machines(t.Context(), defender.Query{Limit: 5})
				return err
			},
			"read": func(c *defender.Client) error { return reads(t.Context(), c) },
			"hunt": func(c *defender.Client) error { return hunts(t.Context(), c) },
		} {
			err := call(at(t, serve(t, anAnswer(row.status, row.header, page))).client())
			as[*defender.GatewayError](t, err)
			for _, part := range row.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s, HTTP %d: got %v, want it to say %q", name, row.status, err, part)
				}
			}
			if strings.Contains(err.Error(), "Grant") || defender.NotFound(err) {
				t.Errorf("%s, HTTP %d: got %v, want nothing about permissions or missing objects", name, row.status, err)
			}
		}
	}
}

func TestAPageInAnswerToAChangeMayHideThatItWasMade(t *testing.T) {
	for status, want := range map[int]bool{200: true, 502: true, 504: true, 403: false, 407: false} {
		err := changes(t.Context(), at(t, serve(t, anAnswer(status, nil, "<html></html>"))).client())
		if defender.MayHaveActed(err) != want {
			t.Errorf("HTTP %d: got %v, want that it may have acted: %t", status, err, want)
		}
	}
}

func TestAdviceFollowsWhatWasRefused(t *testing.T) {
	for _, row := range []struct {
		status        int
		code          string
		says, saysNot string
	}{
		{403, "Forbidden", "Grant the application Machine.Read.All", ""},
		{403, "Authorization_RequestDenied", "Grant the application", ""},
		{403, "", "Grant the application", ""},
		{403, "DisabledFeature", "Advanced features", "Grant"},
		{403, "DisallowedOperation", "does not allow this operation", "Grant"},
		{403, "LicenseExpired", "not a missing permission", "Grant"},
		{404, "ResourceNotFound", "does not know it", "Server URL"},
		{404, "", "Server URL", "does not know it"},
		{410, "Gone", "retired this function", "Grant"},
	} {
		text := fmt.Sprintf(`{"error":{"code":%q,"message":"No."}}`, row.code)
		err := reads(t.Context(), at(t, serve(t, anAnswer(row.status, nil, text))).client())
		if err == nil || !strings.Contains(err.Error(), row.says) || row.saysNot != "" && strings.Contains(err.Error(), row.saysNot) {
			t.Errorf("HTTP %d %s: got %v, want %q and not %q", row.status, row.code, err, row.says, row.saysNot)
		}
	}
}

func TestARefusalInTextAdvisesNoPermission(t *testing.T) {
	for _, body := range []string{"Blocked by the web filter", "<error><message>Blocked by the web filter</message></error>", ""} {
		err := reads(t.Context(), at(t, serve(t, anAnswer(403, nil, body))).client())
		if err == nil || strings.Contains(err.Error(), "Grant") || !strings.Contains(err.Error(), "no gateway on the way") || body != "" && !strings.Contains(err.Error(), "Blocked by the web filter") {
			t.Errorf("%q: got %v, want it quoted, and a gateway to be looked for first", body, err)
		}
	}
}

func TestALinkThatLostTheOptionsIsNotFollowed(t *testing.T) {
	for _, row := range []struct {
		name, link string
		query      defender.Query
		follows    bool
		lost       bool
	}{
		{"names gone", "SELF/api/machines?=a%20eq%20'x'&=10000&$skip=2", defender.Query{Filter: defender.Equal("a", "x"), Limit: 9}, false, true},
		{"filter gone", "SELF/api/machines?$skip=2", defender.Query{Filter: defender.Equal("a", "x"), Limit: 9}, false, true},
		{"expand gone", "SELF/api/machines?$filter=a&$skip=2", defender.Query{Filter: defender.Equal("a", "x"), Expand: "evidence", Limit: 9}, false, true},
		{"a link beyond the end", "SELF/api/machines?=a%20eq%20'x'&=10000&$skip=10000", defender.Query{Filter: defender.Equal("a", "x"), Limit: 9}, false, false},
		{"a token", "SELF/api/machines?$skiptoken=t", defender.Query{Filter: defender.Equal("a", "x"), Limit: 9}, false, true},
		{"both there", "SELF/api/machines?$skip=2&$expand=evidence&$filter=a", defender.Query{Filter: defender.Equal("a", "x"), Expand: "evidence", Limit: 9}, true, false},
		{"escaped", "SELF/api/machines?%24filter=a&%24skip=2", defender.Query{Filter: defender.Equal("a", "x"), Limit: 9}, true, false},
		{"none wanted", "SELF/api/machines?$skip=2", defender.Query{Limit: 9}, true, false},
	} {
		var api *service
		api = serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if len(api.requests()) > 1 {
				answerWith(w, http.StatusOK, page(7, 1, ""))
				return
			}
			answerWith(w, http.StatusOK, page(0, 2, strings.ReplaceAll(row.link, "SELF", api.URL)))
		})
		got, err := at(t, api).client().Machines(t.Context(), row.query)
		if err != nil {
			t.Fatal(err)
		}
		if followed := numbers(got) == "0 1 7"; followed != row.follows {
			t.Errorf("%s: got the items %q, want the link followed: %t", row.name, numbers(got), row.follows)
		}
		if got.Lost != row.lost {
			t.Errorf("%s: got that a page was lost: %t, want %t", row.name, got.Lost, row.lost)
		}
	}
}

func TestALinkThatLostTheOptionsOfAFullPageIsCountedPast(t *testing.T) {
	var api *service
	api = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		first := len(api.requests()) == 1
		if first {
			answerWith(w, http.StatusOK, page(0, 2, api.URL+"/api/machines?=x"))
			return
		}
		answerWith(w, http.StatusOK, page(2, 1, ""))
	})
	w := at(t, api)
	got, err := w.client().Machines(t.Context(), defender.Query{Filter: defender.Equal("a", "x"), Limit: 2})
	if err != nil || numbers(got) != "0 1" || !got.More {
		t.Errorf("got %q, more %t and %v, want the limit and that there is more", numbers(got), got.More, err)
	}
}

func TestGraphIsToldTheCharacterSet(t *testing.T) {
	graph := serve(t, nil)
	w, _, _ := withGraph(t, serve(t, nil), graph)
	if _, err := w.client().GraphHunt(t.Context(), "T", time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, want := graph.requests()[0].Header.Get("Content-Type"), "application/json; charset=utf-8"; got != want {
		t.Errorf("got the content type %q, want %q", got, want)
	}
}
