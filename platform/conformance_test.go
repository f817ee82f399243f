package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/execution"
	"xsoar-defender/internal/system"
	"xsoar-defender/platform"
	"xsoar-defender/platform/platformtest"
)

// TestConformance replays what was recorded of a widely deployed implementation of the same commands: what it
// asked of the API for given arguments and answers, and what it reported. That is what existing playbooks rely
// on. A case says only what matters; anything further that we report is fine.
func TestConformance(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "conformance", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d and the error %v, want recorded cases", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			recorded := readCase(t, file)
			api := newRecordedAPI(t, recorded)
			conversation := converse(t, recorded, api)
			for _, difference := range recorded.differences(api, conversation) {
				t.Error(difference)
			}
		})
	}
}

// recordedCase is one file of recorded behaviour.
type recordedCase struct {
	Command string          `json:"command"`
	Args    map[string]any  `json:"args"`
	Params  map[string]any  `json:"params"`
	LastRun map[string]any  `json:"lastRun"`
	API     []recordedRoute `json:"api"`
	// Token is the answer of the authority, if it is not a token.
	Token  *recordedAnswer `json:"token"`
	Expect struct {
		// Requests and Entries may be missing: whatever is asked or reported then is fine.
		Requests []wantedRequest  `json:"requests"`
		Entries  []map[string]any `json:"entries"`
		// Says and SaysNot are regular expressions over everything that is reported.
		Says      []string        `json:"says"`
		SaysNot   []string        `json:"says_not"`
		Metrics   map[string]int  `json:"metrics"`
		Ignore    []string        `json:"ignore"`
		AnyOrder  bool            `json:"any_order"`
		Error     bool            `json:"error"`
		FileBytes json.RawMessage `json:"file_bytes"`
		Incidents []struct {
			Occurred string `json:"occurred"`
			Alert    any    `json:"alert"`
		} `json:"incidents"`
	} `json:"expect"`
}

// recordedRoute is how the API answers one operation: with each of the responses in turn, the last one forever.
type recordedRoute struct {
	Method    string            `json:"method"`
	Path      string            `json:"path"`
	Query     map[string]string `json:"query"`
	Responses []recordedAnswer  `json:"responses"`
}

type recordedAnswer struct {
	Status  int               `json:"status"`
	JSON    json.RawMessage   `json:"json"`
	Raw     string            `json:"raw"` // the body as it is, instead of JSON
	Headers map[string]string `json:"headers"`
}

func (a recordedAnswer) body() string {
	if a.Raw != "" {
		return a.Raw
	}
	return string(a.JSON)
}

type wantedRequest struct {
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Query  map[string]string `json:"query"`
	// Filter are the comparisons of the $filter, whatever way they are joined and ordered.
	Filter  []string          `json:"filter"`
	Body    map[string]any    `json:"body"`
	Headers map[string]string `json:"headers"` // what a header must contain
	// Loose lets the $filter have further comparisons.
	Loose bool `json:"loose_filter"`
	// Contains are texts that the body must mention.
	Contains []string `json:"query_contains"`
}

func readCase(t *testing.T, file string) recordedCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recorded recordedCase
	if err := decodeNumbers(string(text), &recorded); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return recorded
}

// decodeNumbers decodes JSON with numbers as they are written.
func decodeNumbers(text string, into any) error {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// The sign-in of the recorded instance.
const (
	recordedTenant = "8b7e1f4e-0000-4000-8000-0000000000aa"
	recordedClient = "8b7e1f4e-0000-4000-8000-000000000001"
	recordedSecret = "s3cret~value.9"
	recordedToken  = "conformance-access-token"
)

// recordedAPI is the token authority and the API in one server.
type recordedAPI struct {
	*httptest.Server

	mu     sync.Mutex
	token  *recordedAnswer
	routes []recordedRoute
	asked  []int // per route, how often
	seen   []seenRequest
}

type seenRequest struct {
	Method, Path string
	Query        url.Values
	Body         string
	Header       http.Header
}

func newRecordedAPI(t *testing.T, recorded recordedCase) *recordedAPI {
	api := &recordedAPI{token: recorded.Token, routes: recorded.API, asked: make([]int, len(recorded.API))}
	api.Server = httptest.NewTLSServer(http.HandlerFunc(api.answer))
	t.Cleanup(api.Close)
	return api
}

func (a *recordedAPI) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	write := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprint(w, strings.ReplaceAll(text, "{{BASE}}", a.URL))
	}
	tenant := "{{BASE}}/" + recordedTenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/token") && a.token != nil:
		write(a.token.Status, a.token.body())
		return
	case strings.HasSuffix(r.URL.Path, "/token"):
		write(http.StatusOK, `{"token_type":"Bearer","expires_in":3599,"access_token":"`+recordedToken+`"}`)
		return
	case strings.Contains(r.URL.Path, "openid-configuration"):
		write(http.StatusOK, `{"issuer":"`+tenant+`/v2.0","authorization_endpoint":"`+tenant+`/oauth2/v2.0/authorize","token_endpoint":"`+tenant+`/oauth2/v2.0/token"}`)
		return
	}
	download := strings.HasPrefix(r.URL.Path, "/download/")
	if signed := r.Header.Get("Authorization") == "Bearer "+recordedToken; signed == download {
		write(http.StatusUnauthorized, `{"error":{"code":"Unauthorized","message":"a missing token, or one where there should be none"}}`)
		return
	}
	route, turn := a.record(seenRequest{r.Method, r.URL.Path, r.URL.Query(), string(body), r.Header})
	if route == nil {
		write(http.StatusNotFound, `{"error":{"code":"ResourceNotFound","message":"Resource not found"}}`)
		return
	}
	response := route.Responses[min(turn, len(route.Responses)-1)]
	for name, value := range response.Headers {
		w.Header().Set(name, value)
	}
	write(response.Status, response.body())
}

// record keeps the request and finds the route that answers it, and how often that one answered before.
func (a *recordedAPI) record(request seenRequest) (*recordedRoute, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, request)
	for i, route := range a.routes {
		if route.Method == request.Method && strings.EqualFold(route.Path, request.Path) && hasQuery(request, route.Query) {
			a.asked[i]++
			return &a.routes[i], a.asked[i] - 1
		}
	}
	return nil, 0
}

func hasQuery(request seenRequest, want map[string]string) bool {
	for key, value := range want {
		if !request.Query.Has(key) || request.Query.Get(key) != value {
			return false
		}
	}
	return true
}

// conversation holds everything that the plugin told the platform in one execution.
type conversation struct {
	entries []map[string]any
	metrics map[string]int
	// keptLastRun reports whether the execution left something behind for the next fetch.
	keptLastRun bool
	folder      string
	// said is everything that was reported.
	said string
}

// converse runs the case's command as the platform does.
func converse(t *testing.T, recorded recordedCase, api *recordedAPI) conversation {
	t.Helper()
	world := platformtest.New()
	machine := system.System{Clock: commandstest.NewClock().Clock(), Random: commandstest.NewRandom(), Getenv: func(string) string { return "" }}
	if recorded.LastRun != nil {
		world.SetLastRun(json.RawMessage(encoded(recorded.LastRun)))
	}
	plugin := world.Serve(t, func(in io.Reader, out, errs io.Writer, files string) error {
		return platform.Serve(context.Background(), platform.Options{
			System: machine, In: in, Out: out, Errors: errs, Files: files,
			Runner: &execution.Runner{
				System: machine, Commands: commands.NewRegistry(), Version: "1.0.0", Errors: errs,
				Transports: commandstest.OfflineTransports(), Process: &auth.ProcessTokens{},
			},
		})
	})
	outcome, err := plugin.Run(platformtest.Request{Command: recorded.Command, Args: recorded.Args, Params: recordedInstance(recorded, api.URL)})
	if err := errors.Join(err, plugin.Close()); err != nil {
		t.Fatalf("%v, and to the operator it said %q", err, plugin.Errors())
	}
	heard := conversation{metrics: map[string]int{}, keptLastRun: slices.Contains(outcome.Callbacks, "setLastRun"), folder: plugin.Files}
	if outcome.Exception != nil {
		heard.said += strings.Join(outcome.Exception, "")
		heard.entries = append(heard.entries, map[string]any{"Type": json.Number(typeError), "Contents": strings.Join(outcome.Exception, "")})
	}
	for line := range strings.Lines(plugin.Output()) {
		var message struct{ Results []map[string]any }
		if err := decodeNumbers(line, &message); err != nil {
			t.Fatalf("got the error %v in %.200s, want lines of JSON", err, line)
		}
		heard.said += encoded(message.Results)
		heard.take(t, message.Results)
	}
	return heard
}

// recordedInstance are the parameters of the instance: a client secret, and the recording's own.
func recordedInstance(recorded recordedCase, base string) map[string]any {
	params := map[string]any{
		"endpoint_type": "Custom", "url": base, "azure_ad_endpoint": base, "_auth_id": recordedClient, "_tenant_id": recordedTenant,
		"credentials": map[string]string{"password": recordedSecret}, "auth_type": "Client Credentials", "self_deployed": true,
		"insecure": true, "proxy": false,
	}
	maps.Copy(params, recorded.Params)
	return params
}

// The types of entries that a case speaks of by other words.
const (
	typeError   = "4"
	typeMetrics = "19"
)

// take sorts entries from metrics.
func (c *conversation) take(t *testing.T, results []map[string]any) {
	t.Helper()
	for _, entry := range results {
		if fmt.Sprint(entry["Type"]) != typeMetrics {
			c.entries = append(c.entries, entry)
			continue
		}
		var counts []struct {
			Type          string
			APICallsCount int
		}
		if err := json.Unmarshal([]byte(encoded(entry["APIExecutionMetrics"])), &counts); err != nil || entry["ContentsFormat"] != "text" {
			t.Errorf("the metrics entry: got %v and the format %v, want counts, and a text", err, entry["ContentsFormat"])
		}
		for _, count := range counts {
			c.metrics[count.Type] += count.APICallsCount
		}
	}
}

// differences says in what the conversation is not what was recorded.
func (c recordedCase) differences(api *recordedAPI, heard conversation) []string {
	found := c.requestDifferences(api.seen)
	if c.Expect.Metrics != nil && !reflect.DeepEqual(c.Expect.Metrics, heard.metrics) {
		found = append(found, fmt.Sprintf("metrics: got %v, want %v", heard.metrics, c.Expect.Metrics))
	}
	for _, text := range c.Expect.Says {
		if !regexp.MustCompile(text).MatchString(heard.said) {
			found = append(found, fmt.Sprintf("got %.500s, want %q in it", heard.said, text))
		}
	}
	for _, text := range c.Expect.SaysNot {
		if regexp.MustCompile(text).MatchString(heard.said) {
			found = append(found, fmt.Sprintf("got %.500s, want nothing like %q in it", heard.said, text))
		}
	}
	switch {
	case c.Expect.Error:
		return append(found, errorDifferences(heard.entries)...)
	case c.Expect.Incidents != nil:
		return append(found, c.incidentDifferences(heard)...)
	case c.Expect.Entries == nil:
		return found
	case len(c.Expect.Entries) != len(heard.entries):
		return append(found, fmt.Sprintf("got %d: %.500s, want %d entries", len(heard.entries), encoded(heard.entries), len(c.Expect.Entries)))
	}
	for i, want := range c.Expect.Entries {
		for _, difference := range c.entryDifferences(want, heard.entries[i], heard.folder) {
			found = append(found, fmt.Sprintf("entry %d: %s", i, difference))
		}
	}
	return found
}

func errorDifferences(entries []map[string]any) []string {
	if len(entries) != 1 || fmt.Sprint(entries[0]["Type"]) != typeError {
		return []string{fmt.Sprintf("got %.500s, want one error entry", encoded(entries))}
	}
	if text, _ := entries[0]["Contents"].(string); strings.TrimSpace(text) == "" {
		return []string{"got an empty error entry, want one with a text"}
	}
	return nil
}

func (c recordedCase) requestDifferences(seen []seenRequest) []string {
	if c.Expect.Requests == nil {
		return nil
	}
	var found []string
	left := slices.DeleteFunc(slices.Clone(seen), func(request seenRequest) bool { return strings.HasPrefix(request.Path, "/download/") })
	if len(left) != len(c.Expect.Requests) {
		found = append(found, fmt.Sprintf("got %d: %v, want %d requests", len(left), left, len(c.Expect.Requests)))
	}
	for _, want := range c.Expect.Requests {
		why := []string{"it was not made"}
		at := slices.IndexFunc(left, func(request seenRequest) bool {
			if request.Method != want.Method || !strings.EqualFold(request.Path, want.Path) {
				return false
			}
			why = want.differences(request, c.Command == commands.FetchCommand)
			return why == nil
		})
		if at < 0 {
			found = append(found, fmt.Sprintf("request %s %s: %s", want.Method, want.Path, strings.Join(why, "; ")))
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	return found
}

// differences compares a request with one that was made. A loose filter may have further comparisons.
func (w wantedRequest) differences(request seenRequest, loose bool) []string {
	var found []string
	if w.Filter != nil {
		want, got := slices.Compact(slices.Sorted(slices.Values(w.Filter))), comparisons(strings.ReplaceAll(request.Query.Get("$filter"), "+", " "))
		extra := slices.DeleteFunc(slices.Clone(got), func(one string) bool { return slices.Contains(want, one) })
		if len(got)-len(extra) != len(want) || (len(extra) > 0 && !loose && !w.Loose) {
			found = append(found, fmt.Sprintf("got %q, want the $filter %q", request.Query.Get("$filter"), want))
		}
	}
	for name, value := range w.Headers {
		if got := request.Header.Get(name); !strings.Contains(got, value) {
			found = append(found, fmt.Sprintf("got the header %s: %s, want %q in it", name, got, value))
		}
	}
	for key, value := range w.Query {
		if got := request.Query.Get(key); got != value {
			found = append(found, fmt.Sprintf("got %q, want %s=%q", got, key, value))
		}
	}
	if w.Body != nil {
		var got map[string]any
		if err := decodeNumbers(request.Body, &got); err != nil {
			found = append(found, "the body is not JSON: "+request.Body)
		}
		found = append(found, comparison{anyOrder: true}.missing("body", lowered(w.Body), lowered(got))...)
	}
	for _, text := range w.Contains {
		if !strings.Contains(request.Body, text) && !strings.Contains(request.Body, strings.Trim(encoded(text), `"`)) {
			found = append(found, fmt.Sprintf("got %s, want a query that mentions %q", request.Body, text))
		}
	}
	return found
}

// The comparisons of OData: one, several values of one property, and the value in them.
var (
	oneComparison     = regexp.MustCompile(`([A-Za-z][A-Za-z0-9/]*)\s+(eq|gt|ge|lt|le)\s+('(?:[^']|'')*'|[^\s(),]+)`)
	severalComparison = regexp.MustCompile(`([A-Za-z][A-Za-z0-9/]*)\s+in\s*\(((?:[^()']|'(?:[^']|'')*')*)\)`)
	oneValue          = regexp.MustCompile(`'(?:[^']|'')*'|[^\s(),]+`)
)

// comparisons returns the comparisons of a filter, sorted and each once. One with in is that of each value with eq.
func comparisons(filter string) []string {
	var found []string
	for _, parts := range severalComparison.FindAllStringSubmatch(filter, -1) {
		for _, value := range oneValue.FindAllString(parts[2], -1) {
			found = append(found, parts[1]+" eq "+value)
		}
	}
	for _, parts := range oneComparison.FindAllStringSubmatch(filter, -1) {
		found = append(found, strings.Join(parts[1:], " "))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// lowered has the keys in lower case, as the service does not tell case apart.
func lowered(object map[string]any) any {
	lower := make(map[string]any, len(object))
	for key, value := range object {
		lower[strings.ToLower(key)] = value
	}
	return lower
}

func (c recordedCase) incidentDifferences(heard conversation) []string {
	if len(heard.entries) == 0 || fmt.Sprint(heard.entries[0]["Type"]) == typeError {
		return []string{"got " + encoded(heard.entries) + ", want incidents"}
	}
	var got []struct {
		Name     string `json:"name"`
		Occurred string `json:"occurred"`
		RawJSON  string `json:"rawJSON"`
	}
	text, _ := heard.entries[0]["Contents"].(string)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return []string{"got " + text + ", want a list of incidents as text"}
	}
	if len(got) != len(c.Expect.Incidents) {
		return []string{fmt.Sprintf("got %d, want %d incidents", len(got), len(c.Expect.Incidents))}
	}
	var found []string
	if !heard.keptLastRun {
		found = append(found, "got none, want a last run for the next fetch")
	}
	const toTheSecond = len("2006-01-02T15:04:05")
	for i, want := range c.Expect.Incidents {
		var alert any
		if err := decodeNumbers(got[i].RawJSON, &alert); err != nil {
			found = append(found, "rawJSON is not JSON: "+got[i].RawJSON)
		}
		found = append(found, comparison{}.missing("rawJSON", want.Alert, alert)...)
		if len(got[i].Occurred) < toTheSecond || got[i].Occurred[:toTheSecond] != want.Occurred[:toTheSecond] || got[i].Name == "" {
			found = append(found, fmt.Sprintf("incident %d: got %q and %s, want a name and the time %s", i, got[i].Name, got[i].Occurred, want.Occurred))
		}
	}
	return found
}

func (c recordedCase) entryDifferences(want, got map[string]any, folder string) []string {
	if kind := fmt.Sprint(got["Type"]); kind != fmt.Sprint(want["Type"]) {
		return []string{fmt.Sprintf("got %s: %.300v, want Type %v", kind, got["Contents"], want["Type"])}
	}
	if want["has_file"] == true {
		return c.fileDifferences(got, folder)
	}
	var found []string
	compare := comparison{ignore: c.Expect.Ignore, anyOrder: c.Expect.AnyOrder}
	for _, key := range []string{"PollingCommand", "NextRun", "Timeout", "PollingArgs"} {
		if value, given := want[key]; given {
			found = append(found, comparison{loose: true}.missing(key, value, got[key])...)
		}
	}
	if _, polls := got["PollingCommand"]; polls && want["PollingCommand"] == nil {
		found = append(found, fmt.Sprintf("got %v, want no PollingCommand", got["PollingCommand"]))
	}
	if context, given := want["EntryContext"]; given {
		found = append(found, compare.missing("EntryContext", context, got["EntryContext"])...)
	}
	if contents, given := want["Contents"]; given {
		compare.ignore = nil
		found = append(found, compare.missing("Contents", contents, contentsLike(contents, got["Contents"]))...)
	}
	if columns, given := want["columns"]; given {
		header := headerRow(got["HumanReadable"])
		for _, column := range columns.([]any) {
			if !slices.Contains(header, column) {
				found = append(found, fmt.Sprintf("got the columns %v, want %v among them", header, columns))
			}
		}
	}
	return found
}

// contentsLike reads contents that are JSON inside a text when something other than a text is wanted.
func contentsLike(want, got any) any {
	text, isText := got.(string)
	if _, wantsText := want.(string); wantsText || !isText {
		return got
	}
	var inside any
	if decodeNumbers(text, &inside) != nil {
		return got
	}
	return inside
}

// tableHeader is the first table's header row, which the row of dashes follows.
var tableHeader = regexp.MustCompile(`(?m)^\|(.+)\|\s*\n\|(?:\s*:?-+:?\s*\|)+`)

func headerRow(readable any) []any {
	text, _ := readable.(string)
	header := tableHeader.FindStringSubmatch(text)
	if header == nil {
		return nil
	}
	var columns []any
	for column := range strings.SplitSeq(header[1], "|") {
		columns = append(columns, strings.TrimSpace(column))
	}
	return columns
}

// fileDifferences compares the bytes of the file that an entry names.
func (c recordedCase) fileDifferences(got map[string]any, folder string) []string {
	id, _ := got["FileID"].(string)
	if name, _ := got["File"].(string); name == "" || id == "" {
		return []string{fmt.Sprintf("got %v and %v, want File and FileID", got["File"], got["FileID"])}
	}
	saved, err := os.ReadFile(filepath.Join(folder, platformtest.Investigation+"_"+id))
	if err != nil {
		return []string{"got the error " + err.Error() + ", want a saved file"}
	}
	var want, inside any
	if err := decodeNumbers(string(c.Expect.FileBytes), &want); err != nil {
		return []string{"the case does not say what the file holds: " + err.Error()}
	}
	if text, isText := want.(string); isText {
		inside, want = string(saved), text
	} else if decodeNumbers(string(saved), &inside) != nil {
		inside = string(saved)
	}
	if !reflect.DeepEqual(inside, want) {
		return []string{fmt.Sprintf("got %.300s, want a file with %v", saved, want)}
	}
	return nil
}

// comparison is how a wanted value is looked for in one that came.
type comparison struct {
	// ignore are keys that are not compared.
	ignore []string
	// anyOrder compares lists as sets.
	anyOrder bool
	// loose does not tell texts from other scalars, nor upper from lower case.
	loose bool
}

// missing says what of want is not in got. Objects may have further keys, and null is as good as no key.
func (c comparison) missing(path string, want, got any) []string {
	if slices.Contains(c.ignore, path[strings.LastIndexByte(path, '.')+1:]) {
		return nil
	}
	switch want := want.(type) {
	case nil:
		if got == nil || c.loose {
			return nil
		}
	case map[string]any:
		if object, ok := got.(map[string]any); ok {
			return c.missingKeys(path, want, object)
		}
	case []any:
		return c.missingItems(path, want, got)
	default:
		if sameScalar(want, got) || (c.loose && strings.EqualFold(fmt.Sprint(want), fmt.Sprint(got))) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: got %.200s, want %.200s", path, encoded(got), encoded(want))}
}

func (c comparison) missingKeys(path string, want, got map[string]any) []string {
	var found []string
	for key, value := range want {
		if bare, free := strings.CutPrefix(key, "~"); free {
			key = withKeyPart(bare, got)
		}
		if empty(value) && empty(got[key]) {
			continue
		}
		found = append(found, c.missing(path+"."+key, value, got[key])...)
	}
	return found
}

// withKeyPart finds the context path that a case names without its key part.
func withKeyPart(path string, got map[string]any) string {
	for key := range got {
		if bare, _, _ := strings.Cut(key, "("); bare == path {
			return key
		}
	}
	return path
}

func (c comparison) missingItems(path string, want []any, got any) []string {
	if object, single := got.(map[string]any); single && len(want) == 1 {
		got = []any{object}
	}
	items, isList := got.([]any)
	if !isList || len(items) != len(want) {
		return []string{fmt.Sprintf("%s: got %.200s, want %d items", path, encoded(got), len(want))}
	}
	var found []string
	left := slices.Clone(items)
	for i, value := range want {
		if !c.anyOrder {
			found = append(found, c.missing(fmt.Sprintf("%s.%d", path, i), value, items[i])...)
			continue
		}
		at := slices.IndexFunc(left, func(item any) bool { return c.missing(path, value, item) == nil })
		if at < 0 {
			found = append(found, fmt.Sprintf("%s: wanted an item like %.300s", path, encoded(value)))
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	return found
}

func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

// sameScalar compares numbers by their value, however they are written.
func sameScalar(want, got any) bool {
	wanted, isNumber := want.(json.Number)
	if !isNumber {
		return want == got
	}
	came, isNumber := got.(json.Number)
	if !isNumber {
		return false
	}
	a, readA := new(big.Rat).SetString(wanted.String())
	b, readB := new(big.Rat).SetString(came.String())
	return readA && readB && a.Cmp(b) == 0
}

func encoded(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(text.String(), "\n")
}

func TestComparisonFindsWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name, want, got string
		how             comparison
		same            bool
	}{
		{"further keys are fine", `{"a":1}`, `{"a":1,"b":2}`, comparison{}, true},
		{"a missing key is not", `{"a":1,"b":2}`, `{"a":1}`, comparison{}, false},
		{"null is not a key", `{"a":null}`, `{}`, comparison{}, true},
		{"null is not a value", `{"a":null}`, `{"a":1}`, comparison{}, false},
		{"an empty list is not a key", `{"a":[]}`, `{}`, comparison{}, true},
		{"false is a value", `{"a":false}`, `{}`, comparison{}, false},
		{"numbers by value", `{"a":1.0}`, `{"a":1}`, comparison{}, true},
		{"digits count", `{"a":9007199254740993}`, `{"a":9007199254740992}`, comparison{}, false},
		{"a number is not text", `{"a":1}`, `{"a":"1"}`, comparison{}, false},
		{"unless loose", `{"a":1,"b":true}`, `{"a":"1","b":"True"}`, comparison{loose: true}, true},
		{"lists in order", `[1,2]`, `[2,1]`, comparison{}, false},
		{"lists as sets", `[1,2]`, `[2,1]`, comparison{anyOrder: true}, true},
		{"a set counts twins", `[1,1]`, `[1,2]`, comparison{anyOrder: true}, false},
		{"a longer list differs", `[1]`, `[1,2]`, comparison{}, false},
		{"one object is a list of one", `[{"a":1}]`, `{"a":1}`, comparison{}, true},
		{"ignored keys differ", `{"a":1,"b":2}`, `{"a":2,"b":2}`, comparison{ignore: []string{"a"}}, true},
		{"a free key part", `{"~A.B":1}`, `{"A.B(val.ID == obj.ID)":1}`, comparison{}, true},
		{"a free key part of another path", `{"~A.B":1}`, `{"A.BC(val.ID == obj.ID)":1}`, comparison{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var want, got any
			if err := decodeNumbers(test.want, &want); err != nil {
				t.Fatal(err)
			}
			if err := decodeNumbers(test.got, &got); err != nil {
				t.Fatal(err)
			}
			if found := test.how.missing("value", want, got); (found == nil) != test.same {
				t.Errorf("got the differences %q, want same=%v", found, test.same)
			}
		})
	}
}
