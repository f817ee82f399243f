package defender_test

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/rawjson"
)

func TestErrorBodiesOfEveryShape(t *testing.T) {
	long := strings.Repeat("é", 400)
	rows := []struct {
		name, body            string
		code, message, target string
	}{
		{"as documented", `{"error":{"code":"InvalidInput","message":"No.","target":"guid"}}`, "InvalidInput", "No.", "guid"},
		{"without a message", `{"error":{"code":"InternalServerError"}}`, "InternalServerError", "", ""},
		{"with nulls", `{"error":{"code":"X","message":null,"target":null}}`, "X", "", ""},
		{"without the object around it", `{"code":"X","message":"m"}`, "X", "m", ""},
		{"in capitals", `{"Code":"X","Message":"m"}`, "X", "m", ""},
		{"a message alone", `{"Message":"An error has occurred."}`, "", "An error has occurred.", ""},
		{"a gateway's", `{"statusCode":401,"message":"Access denied"}`, "", "Access denied", ""},
		{"of OAuth", `{"error":"invalid_token","error_description":"expired"}`, "invalid_token", "expired", ""},
		{"null", `{"error":null}`, "", "", ""},
		{"numbers", `{"error":{"code":7,"message":8,"target":9}}`, "7", "8", "9"},
		{"objects", `{"error":{"code":{"a":1},"message":["x"]}}`, `{"a":1}`, `["x"]`, ""},
		{"a list", `[{"error":{"code":"X"}}]`, "X", "", ""},
		{"empty objects", `{"error":{"code":{},"message":[]}}`, "", "", ""},
		{"an empty list", `[]`, "", "", ""},
		{"an error in capitals", `{"Error":{"Code":"X","Message":"m"}}`, "X", "m", ""},
		{"inner of Graph", `{"error":{"code":"","message":"","innerError":{"code":"X","message":"m","date":"d","request-id":"r"}}}`, "X", "m", ""},
		{"inner of inner", `{"error":{"innerError":{"innerError":{"code":"X","message":"m"}}}}`, "X", "m", ""},
		{"details", `{"error":{"code":"X","message":"","details":[{"code":"D","message":"m"},{"message":"n"}]}}`, "X", "D: m; n", ""},
		{"what is wrong with properties", `{"title":"One or more errors.","status":409,"errors":{"$.Value":["m","n"]}}`, "", "One or more errors: $.Value: m; $.Value: n", ""},
		{"several errors", `{"errors":[{"code":"X","message":"m"},"n"]}`, "", "X: m; n", ""},
		{"text", "upstream connect error\r\n", "", "upstream connect error", ""},
		{"XML", "\uFEFF" + `<?xml version="1.0"?><Error><Code>X</Code><Message>m` + "\n" + `RequestId:1</Message></Error>`, "", "X: m RequestId:1", ""},
		{"bytes", "\x1f\x8b\x00", "", "", ""},
		{"a text", `"no"`, "", "", ""},
		{"after a byte order mark", "\uFEFF" + `{"error":{"code":"X","message":"m"}}`, "X", "m", ""},
		{"of OData 3", `{"odata.error":{"code":"Request_X","message":{"lang":"en","value":"m"}}}`, "Request_X", "m", ""},
		{"inside only", `{"error":{"innererror":{"code":"X","message":"m"}}}`, "X", "m", ""},
		{"inner alone", `{"innererror":{"code":"X","message":"m"}}`, "X", "m", ""},
		{"a code outside, and more inside", `{"error":{"code":"Y","innererror":{"code":"X","message":"m"}}}`, "Y", "", ""},
		{"a message outside, and more inside", `{"error":{"message":"n","innererror":{"code":"X","message":"m"}}}`, "", "n", ""},
		{"problem details", `{"type":"about:blank","title":"Blocked","detail":"By a rule."}`, "", "Blocked: By a rule.", ""},
		{"cut off", `{"error":{"code":"X","mess`, "", "", ""},
		{"nothing", ``, "", "", ""},
		{"several lines", "{\"error\":{\"code\":\"X\",\"message\":\"a\\r\\n  b\\tc\"}}", "X", "a b c", ""},
		{"a long message", `{"error":{"code":"X","message":"` + long + `"}}`, "X", strings.Repeat("é", 300) + "…", ""},
		{"brackets", strings.Repeat("[", 60_000), "", "", ""},
		{"more than is read", `{"error":{"code":"X","message":"` + strings.Repeat("m", 100_000) + `"}}`, "", "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			api := serve(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, http.StatusConflict, row.body) })
			_, err := at(t, api).client().Machine(t.Context(), "1")
			got := as[*defender.APIError](t, err)
			if got.Status != http.StatusConflict || got.Code != row.code || got.Message != row.message || got.Target != row.target {
				t.Errorf("got %q, %q and %q with status %d, want code %q, message %q and target %q",
					got.Code, got.Message, got.Target, got.Status, row.code, row.message, row.target)
			}
			if defender.Code(err) != row.code || defender.StatusOf(err) != http.StatusConflict || defender.NotFound(err) {
				t.Errorf("got %q, %d and %t, want the helpers to tell the same", defender.Code(err), defender.StatusOf(err), defender.NotFound(err))
			}
			if text := err.Error(); strings.ContainsAny(text, "\r\n") || !strings.HasPrefix(text, "The attempt to read the machine failed: ") {
				t.Errorf("got %q, want one line that says what failed", text)
			}
		})
	}
}

func TestRefusalsAreToldByTheirStatusWhateverTheirBody(t *testing.T) {
	rows := []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"a body that breaks off", cut("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n{\"error\":{\"code\":\"X\"")},
		{"a body without an end", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 10_000)); err != nil {
					return
				}
			}
		}},
		{"no body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }},
	}
	for _, row := range rows {
		for name, call := range calls() {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				api := serve(t, row.answer)
				err := call(t.Context(), at(t, api).client())
				if got := as[*defender.APIError](t, err); got.Status != http.StatusForbidden || got.Code != "" || len(api.requests()) != 1 {
					t.Errorf("got %d and %+v, want one request and a refusal with 403", len(api.requests()), got)
				}
			})
		}
	}
}

func TestErrorsSayWhatFailedAndWhatToDo(t *testing.T) {
	machine, isolate, deletion := defender.GetMachine, defender.Isolate, defender.DeleteIndicator
	refused := io.ErrUnexpectedEOF
	rows := []struct {
		name string
		err  error
		want string
	}{
		{
			"400", &defender.APIError{Operation: isolate, Status: 400, Code: "BadRequest", Message: "Already in progress."},
			"The attempt to isolate the machine failed: BadRequest: Already in progress (HTTP 400).",
		},
		{
			"401", &defender.APIError{Operation: machine, Status: 401, Code: "Unauthorized"},
			"The attempt to read the machine failed: Unauthorized (HTTP 401). Microsoft does not accept the token: run !microsoft-atp-test, and check the tenant and the cloud of the instance.",
		},
		{
			"403", &defender.APIError{Operation: machine, Status: 403, Code: "Forbidden"},
			"The attempt to read the machine failed: Forbidden (HTTP 403). Grant the application Machine.Read.All or Machine.ReadWrite.All and admin consent (for a user's sign-in Machine.Read or Machine.ReadWrite), and check the device groups it may reach.",
		},
		{
			"403 where no user may", &defender.APIError{Operation: deletion, Status: 403, Message: "No."},
			"The attempt to delete the indicator failed: No (HTTP 403). Grant the application Ti.ReadWrite or Ti.ReadWrite.All and admin consent, and check the device groups it may reach.",
		},
		{
			"403 without a reason", &defender.APIError{Operation: deletion, Status: 403},
			"The attempt to delete the indicator failed: Forbidden (HTTP 403). The service gives its reasons in another form: check that no gateway on the way refuses the request, and that the application has Ti.ReadWrite or Ti.ReadWrite.All with admin consent.",
		},
		{
			"an answer that says something else", &defender.AnswerError{Operation: machine, Status: 200, Problem: "without the list that it must have", Said: "Boom."},
			"The attempt to read the machine failed: the answer (HTTP 200) is without the list that it must have, and says: Boom. Check that Server URL of the instance is the address of the Defender API and not that of a proxy.",
		},
		{
			"404", &defender.APIError{Operation: machine, Status: 404, Code: "ResourceNotFound", Message: "Machine 1 was not found"},
			"The attempt to read the machine failed: ResourceNotFound: Machine 1 was not found (HTTP 404). Check the value: the service does not know it, or the application may not see it.",
		},
		{
			"500", &defender.APIError{Operation: machine, Status: 500, Target: "guid"},
			"The attempt to read the machine failed: Internal Server Error (HTTP 500), correlation guid. The service has trouble: try again later.",
		},
		{"a status without a name", &defender.APIError{Operation: machine, Status: 499}, "The attempt to read the machine failed: refused (HTTP 499)."},
		{
			"throttled", &defender.ThrottledError{Operation: machine, After: 89600e6},
			"The attempt to read the machine must wait: the service accepts no more requests for 90 seconds.",
		},
		{
			"throttled for a moment", &defender.ThrottledError{Operation: machine, After: 1},
			"The attempt to read the machine must wait: the service accepts no more requests for 1 second.",
		},
		{
			"no connection", &defender.ConnectionError{Operation: isolate, Err: syscall.ECONNREFUSED},
			"The attempt to isolate the machine failed: no connection to the service (connection refused). Check the URL, the proxy and the certificate settings of the instance.",
		},
		{
			"no proxy", &defender.ConnectionError{Operation: isolate, Err: &gateway.UnusableProxyError{Proxy: "proxy.test:3128", Err: syscall.ECONNREFUSED}},
			"The attempt to isolate the machine failed: the proxy proxy.test:3128 could not be reached. Check HTTPS_PROXY of the engine, or clear Use system proxy settings in the instance.",
		},
		{
			"no address of a proxy", &defender.ConnectionError{Operation: machine, Err: &gateway.UnusableProxyError{}},
			"The attempt to read the machine failed: HTTPS_PROXY is not the address of a proxy. Check HTTPS_PROXY of the engine, or clear Use system proxy settings in the instance.",
		},
		{
			"a lost answer", &defender.ConnectionError{Operation: machine, Sent: true, Err: refused},
			"The attempt to read the machine failed: the connection broke before the answer was complete (unexpected EOF). Try again.",
		},
		{
			"a lost answer to a change", &defender.ConnectionError{Operation: isolate, Sent: true, Err: refused},
			"The attempt to isolate the machine failed: the connection broke before the answer was complete (unexpected EOF). The service may have acted on it: look before you try again.",
		},
		{
			"no answer in time", &defender.ConnectionError{Operation: machine, Sent: true, Slow: true, Err: refused},
			"The attempt to read the machine failed: the service did not answer in time. Try again later.",
		},
		{
			"an invalid answer", &defender.AnswerError{Operation: machine, Status: 200, Problem: "not valid JSON"},
			"The attempt to read the machine failed: the answer (HTTP 200) is not valid JSON. Check that Server URL of the instance is the address of the Defender API and not that of a proxy.",
		},
		{
			"an invalid answer to a change", &defender.AnswerError{Operation: isolate, Status: 201, Problem: "not valid JSON"},
			"The attempt to isolate the machine failed: the answer (HTTP 201) is not valid JSON. The service may have acted on it: look before you try again.",
		},
		{
			"a redirect of a change", &defender.AnswerError{Operation: isolate, Status: 302, Problem: "a redirect"},
			"The attempt to isolate the machine failed: the answer (HTTP 302) is a redirect. Check that Server URL of the instance is the address of the Defender API and not that of a proxy.",
		},
		{"no id", &defender.ArgumentError{Operation: machine, Value: ".."}, `The attempt to read the machine failed: ".." is not an ID. Check the value.`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := row.err.Error(); got != row.want {
				t.Errorf("wanted\n%s, got\n%s", row.want, got)
			}
			problem, remedy := defender.Explain(fmt.Errorf("wrapped: %w", row.err))
			if text := strings.TrimSuffix(problem+". "+remedy, " "); text != row.want && text != "wrapped: "+row.want {
				t.Errorf("taken apart, got the problem %q and the remedy %q, want the same text", problem, remedy)
			}
		})
	}
}

func TestWhetherTheServiceMayHaveActed(t *testing.T) {
	read, change := defender.GetMachine, defender.Isolate
	rows := []struct {
		name string
		err  error
		want bool
	}{
		{"a lost answer to a change", &defender.ConnectionError{Operation: change, Sent: true}, true},
		{"the same inside of another error", errors.Join(io.EOF, &defender.ConnectionError{Operation: change, Sent: true}), true},
		{"a change that was not sent", &defender.ConnectionError{Operation: change}, false},
		{"a lost answer to a question", &defender.ConnectionError{Operation: read, Sent: true}, false},
		{"a lost answer to a hunt", &defender.ConnectionError{Operation: defender.RunHuntingQuery, Sent: true}, false},
		{"an invalid answer to a change", &defender.AnswerError{Operation: change, Status: 200}, true},
		{"an invalid answer to a question", &defender.AnswerError{Operation: read, Status: 200}, false},
		{"a redirect of a change", &defender.AnswerError{Operation: change, Status: 302}, false},
		{"a refusal", &defender.APIError{Operation: change, Status: 400}, false},
		{"a refusal for quota", &defender.APIError{Operation: change, Status: 429}, false},
		{"a change that the service does not know", &defender.APIError{Operation: change, Status: 501}, false},
		{"a gateway that gave up waiting for the request", &defender.APIError{Operation: change, Status: 408}, true},
		{"a service that failed", &defender.APIError{Operation: change, Status: 500}, true},
		{"a gateway that got no sense", &defender.APIError{Operation: change, Status: 502}, true},
		{"a gateway that sends away", &defender.APIError{Operation: change, Status: 503, RetryAfter: time.Second}, true},
		{"a gateway that gave up waiting", &defender.APIError{Operation: change, Status: 504}, true},
		{"a gateway of its own kind", &defender.APIError{Operation: change, Status: 524}, true},
		{"a gateway that gave up waiting for a question", &defender.APIError{Operation: read, Status: 504}, false},
		{"another error", io.EOF, false},
		{"no error", nil, false},
	}
	for _, row := range rows {
		if got := defender.MayHaveActed(row.err); got != row.want {
			t.Errorf("%s: got %t, want %t", row.name, got, row.want)
		}
	}
}

func TestOtherErrorsHaveNoStatusAndNoCode(t *testing.T) {
	for _, err := range []error{nil, io.EOF, &defender.ConnectionError{Err: io.EOF}} {
		if defender.StatusOf(err) != 0 || defender.Code(err) != "" || defender.NotFound(err) || defender.HuntingRetired(err) {
			t.Errorf("%v: wanted no status and no code", err)
		}
	}
}

func TestAnswersThatAreNotTheAPIs(t *testing.T) {
	rows := []struct {
		name    string
		handler http.HandlerFunc
		limit   int64
		problem string
		cause   error
	}{
		{"plain text", body("OK"), 0, "not valid JSON", rawjson.ErrNotJSON},
		{"JSON that is cut off but whole by its length", body(`{"value":[{"id":"1"}`), 0, "not valid JSON", rawjson.ErrNotJSON},
		{"a list where an object was", body(`[{"id":"1"}]`), 0, "no JSON object", nil},
		{"null where an object was", body(`null`), 0, "no JSON object", nil},
		{"a text where an object was", body(`"id"`), 0, "no JSON object", nil},
		{"JSON that is too deep", body(strings.Repeat("[", 100_000)), 0, "JSON that is nested deeper than 1000 levels", rawjson.ErrTooDeep},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			api := serve(t, row.handler)
			w := at(t, api)
			w.Limits.Body = row.limit
			_, err := w.client().Machine(t.Context(), "1")
			got := as[*defender.AnswerError](t, err)
			if got.Status != http.StatusOK || got.Problem != row.problem || row.cause != nil && !errors.Is(err, row.cause) {
				t.Errorf("got %q because of %v with status %d, want the problem %q because of %v", got.Problem, got.Err, got.Status, row.problem, row.cause)
			}
			api.wantRequests(t, "GET /api/machines/1")
		})
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	compressed := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		bomb := gzip.NewWriter(w)
		_, _ = io.WriteString(bomb, strings.Repeat(" ", 8<<20))
		_ = bomb.Close()
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
				return // the client has seen enough
			}
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"with its length": body(`{"a":"` + strings.Repeat("x", 3<<20) + `"}`), "compressed": compressed, "without an end": endless,
	} {
		t.Run(name, func(t *testing.T) {
			w := at(t, serve(t, handler))
			w.Limits.Body = 3 << 20
			_, err := w.client().Machine(t.Context(), "1")
			got := as[*defender.TooLargeError](t, err)
			if want := "larger than 3 MB"; got.Most != 3<<20 || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Ask for less") {
				t.Errorf("got %v, want %q and what to do", err, want)
			}
		})
	}
}

// TestMemoryIsAskedForWithLargeAnswersAlone reads answers and lists on both sides of a megabyte, with memory for two.
func TestMemoryIsAskedForWithLargeAnswersAlone(t *testing.T) {
	of := func(size int) string { return `{"value":[{"id":"` + strings.Repeat("x", size) + `"}]}` }
	paged := func(w http.ResponseWriter, r *http.Request) {
		pages := `{"value":[{"id":"%s","x":"` + strings.Repeat("x", 400<<10) + `"}],"@odata.nextLink":"https://%s/api/machines?$skip=%s1"}`
		skip := r.URL.Query().Get("$skip")
		answerWith(w, http.StatusOK, fmt.Sprintf(pages, "m"+skip, r.Host, skip))
	}
	for name, test := range map[string]struct {
		handler        http.HandlerFunc
		limit          int
		asked, refused bool
	}{
		"a small answer":                         {body(of(900 << 10)), 1, false, false},
		"a large one":                            {body(of(1100 << 10)), 1, true, false},
		"a larger one":                           {body(of(2100 << 10)), 1, true, true},
		"a small one without a length":           {bodyWithoutLength(of(400 << 10)), 1, false, false},
		"a large one without a length":           {bodyWithoutLength(of(1100 << 10)), 1, true, false},
		"a larger one without a length":          {bodyWithoutLength(of(2100 << 10)), 1, true, true},
		"a small list of small answers":          {paged, 2, false, false},
		"a large list of small answers":          {paged, 4, true, false},
		"a list of small answers without an end": {paged, 100, true, true},
	} {
		w := at(t, serve(t, test.handler))
		asked := false
		w.Large = func() int64 { asked = true; return 2 << 20 }
		_, err := w.client().Machines(t.Context(), defender.Query{Limit: test.limit})
		got, refused := errors.AsType[*defender.TooLargeError](err)
		if asked != test.asked || refused != test.refused || refused && got.Most != 2<<20 || !refused && err != nil {
			t.Errorf("%s: got %v, and asked: %t, want a refusal: %t, and asked: %t", name, err, asked, test.refused, test.asked)
		}
	}
}

func TestErrorsSayWhatToDoAboutTheMachineAndTheWay(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"too few file descriptors":              {&defender.ConnectionError{Operation: defender.GetMachine, Err: &net.OpError{Op: "socket", Err: syscall.EMFILE}}, "Raise the limit of open files of the container (nofile)."},
		"too few file descriptors of a machine": {&defender.ConnectionError{Operation: defender.GetMachine, Err: &net.OpError{Op: "socket", Err: syscall.ENFILE}}, "Raise the limit of open files"},
		"too few for a download":                {&defender.DownloadError{Err: &net.OpError{Op: "socket", Err: syscall.EMFILE}}, "Raise the limit of open files of the container (nofile)."},
		"an answer of a cache":                  {&defender.APIError{Operation: defender.GetMachine, Status: http.StatusNotModified}, "exempt it there"},
		"a request that came too slowly":        {&defender.APIError{Operation: defender.GetMachine, Status: http.StatusRequestTimeout}, "try again later"},
		"no agreement on TLS":                   {&defender.ConnectionError{Operation: defender.GetMachine, Err: &net.OpError{Op: "remote error", Err: io.EOF}}, "offer TLS 1.2 or later"},
	} {
		if got := row.err.Error(); !strings.Contains(got, row.want) {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

func TestAListThatIsTooLargeTogetherIsRefused(t *testing.T) {
	page := `{"value":[{"id":"%d","x":"` + strings.Repeat("x", 1<<20) + `"}],"@odata.nextLink":"https://%s/api/machines?$skip=%d"}`
	pages := 0
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		pages++
		answerWith(w, http.StatusOK, fmt.Sprintf(page, pages, r.Host, pages))
	})
	w := at(t, api)
	w.Limits.Body = 3 << 20
	_, err := w.client().Machines(t.Context(), defender.Query{Limit: 100})
	as[*defender.TooLargeError](t, err)
	if pages != 3 {
		t.Errorf("got %d requests, want no more than fit", pages)
	}
}

// TestALargeBodyIsTheSameHoweverItComes reads bodies around the sizes of the parts that they are gathered in.
func TestALargeBodyIsTheSameHoweverItComes(t *testing.T) {
	for _, size := range []int{1, 32<<10 - 1, 32 << 10, 32<<10 + 1, 1 << 20, 5<<20 + 17} {
		text := `{"id":"` + strings.Repeat("x", size) + `"}`
		inParts := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for part := range slices.Chunk([]byte(text), 70_000) {
				_, _ = w.Write(part)
				w.(http.Flusher).Flush() // so that it has no length
			}
		}
		for name, handler := range map[string]http.HandlerFunc{"with its length": body(text), "without it": inParts} {
			if got, err := at(t, serve(t, handler)).client().Machine(t.Context(), "1"); err != nil || string(got) != text {
				t.Errorf("%d bytes %s: got %d bytes and %v, want the same", size, name, len(got), err)
			}
		}
	}
}

// TestAnAnswerAsLargeAsTheLimitIsRead reads answers as large as the first part that a body is gathered in.
func TestAnAnswerAsLargeAsTheLimitIsRead(t *testing.T) {
	const limit = 32 << 10
	text := `{"a":"` + strings.Repeat("x", limit-len(`{"a":""}`)) + `"}`
	for name, handlers := range map[string][2]http.HandlerFunc{
		"with its length": {body(text), body(text + " ")}, "without it": {bodyWithoutLength(text), bodyWithoutLength(text + " ")},
	} {
		w := at(t, serve(t, following(handlers[0], handlers[1])))
		w.Limits.Body = limit
		if got, err := w.client().Machine(t.Context(), "1"); string(got) != text || err != nil {
			t.Errorf("%s: got %d bytes and %v, want the answer", name, len(got), err)
		}
		_, err := w.client().Machine(t.Context(), "1")
		as[*defender.TooLargeError](t, err)
	}
}

// longToken is a token as long as those of the service.
type longToken struct{ tokens }

const secretToken = "a-token-that-nobody-may-see"

func (*longToken) Token(context.Context, *url.URL) (string, error) { return secretToken, nil }

func TestNoErrorRepeatsTheToken(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a refusal": func(w http.ResponseWriter, r *http.Request) {
			answerWith(w, http.StatusBadRequest, `{"error":{"code":"BadRequest","message":"Wrong header `+r.Header.Get("Authorization")+`"}}`)
		},
		"an error with success": func(w http.ResponseWriter, r *http.Request) {
			answerWith(w, http.StatusOK, `{"error":{"code":"`+r.Header.Get("Authorization")+`","message":"Wrong header","target":"`+r.Header.Get("Authorization")+`"}}`)
		},
		"one that is long": func(w http.ResponseWriter, r *http.Request) {
			answerWith(w, http.StatusOK, `{"error":{"code":"`+r.Header.Get("Authorization")+`","message":"Wrong header"},"more":"`+strings.Repeat("x", 10<<10)+`"}`)
		},
		"a page": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<html><title>"+r.Header.Get("Authorization")+"</title></html>")
		},
		"no JSON": func(w http.ResponseWriter, r *http.Request) {
			answerWith(w, http.StatusOK, r.Header.Get("Authorization"))
		},
	} {
		w := at(t, serve(t, handler))
		w.Tokens = &longToken{}
		_, err := w.client().Machine(t.Context(), "1")
		if got := fmt.Sprint(err); strings.Contains(got, secretToken) || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s: got %q, want an error that repeats the header without the token", name, got)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		other := serve(t, nil)
		api := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/api/machines/1", code) })
		w := at(t, api)
		client := w.client()
		_, err := client.Machine(t.Context(), "1")
		if got := as[*defender.AnswerError](t, err); got.Status != code {
			t.Errorf("got %d, want the status %d", got.Status, code)
		}
		if _, err = client.Isolate(t.Context(), "1", "c", "Full"); err == nil {
			t.Errorf("%d: wanted an error for a change", code)
		}
		api.wantRequests(t, "GET /api/machines/1", "POST /api/machines/1/isolate")
		other.wantRequests(t)
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	api := serve(t, nil)
	w := at(t, api)
	w.Transport = &http.Client{Transport: &http.Transport{}}
	_, err := w.client().Machine(t.Context(), "1")
	got := as[*defender.ConnectionError](t, err)
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) || got.Sent || got.Slow {
		t.Errorf("got %+v, want an unknown authority before anything was sent", got)
	}
	api.wantRequests(t)
}
