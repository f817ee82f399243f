package commands_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/defender"
	"xsoar-defender/internal/simulator"
)

// ending is an expected result of a command while something goes wrong.
type ending int

const (
	// fails is one error.
	fails ending = iota
	// refused is one error that names the status, or an entry of a command for which the refusal is a result.
	refused
	// waits means that the command runs again later, or an error for a command that the platform calls.
	waits
	// makesSense is one error, or entries that show what is available.
	makesSense
)

// trouble is one fault and the result that it must lead to.
type trouble struct {
	name  string
	fault simulator.Fault
	// breaks, if set, changes the instance instead of the tenant. It returns the function that undoes the change.
	breaks func(t *testing.T, i *commandstest.Instance) (mend func())
	ending ending
	// says lists parts of the error, separated by "|", one of which must be present.
	says string
}

// attemptOfTrickles is the time limit in real time of a request whose answer trickles.
const attemptOfTrickles = 60 * time.Millisecond

// troubles returns what can go wrong with any answer.
func troubles() []trouble {
	var all []trouble
	add := func(name string, ending ending, says string, fault simulator.Fault) {
		all = append(all, trouble{name: name, fault: fault, ending: ending, says: says})
	}
	for _, status := range []int{400, 401, 403, 404, 405, 408, 409, 410, 413, 418, 500, 501, 502, 503, 504, 507, 599} {
		add(fmt.Sprint(status), refused, fmt.Sprintf("HTTP %d|Not found", status), simulator.Fault{Status: status})
	}
	for _, seconds := range []time.Duration{0, time.Second, time.Minute, 100 * time.Hour} {
		add(fmt.Sprintf("429 for %s", seconds), waits, "", simulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: seconds})
		add(fmt.Sprintf("503 for %s", seconds), fails, "HTTP 503", simulator.Fault{Status: http.StatusServiceUnavailable, RetryAfter: seconds})
	}
	for _, retry := range []string{"soon", "-1", "Mon, 01 Jan 1990 00:00:00 GMT", "99999999999999999999999"} {
		add("429 for "+retry, waits, "", simulator.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {retry}}})
	}
	page := "<html><body>Sign in to the <b>proxy</b></body></html>"
	add("a page instead of JSON", fails, "came from a gateway", simulator.Fault{Body: page, ContentType: "text/html"})
	add("a page with a refusal", fails, "HTTP 502", simulator.Fault{Status: http.StatusBadGateway, Body: page, ContentType: "text/html"})
	add("a refusal of another shape", refused, "HTTP 500", simulator.Fault{Status: http.StatusInternalServerError, Body: `{"error":[{"code":{}}],"message":7}`})
	add("half of an answer", fails, "not valid JSON", simulator.Fault{Body: `{"value":[{"id":"m1","comp`})
	add("an endlessly nested answer", fails, "nested deeper", simulator.Fault{Body: strings.Repeat(`{"value":[`, 100_000)})
	add("a redirect to another host", fails, "redirect", simulator.Fault{Location: "https://attacker.example/api"})
	add("a permanent redirect", fails, "redirect", simulator.Fault{Status: http.StatusPermanentRedirect, Location: "http://127.0.0.1:1/"})
	add("reset before the answer", fails, "the connection broke", simulator.Fault{Cut: simulator.CutBefore})
	add("reset in the middle of the answer", fails, "the connection broke", simulator.Fault{Body: `{"value":[]}`, Cut: simulator.CutMiddle})
	add("reset in the middle of a refusal", fails, "HTTP 500", simulator.Fault{Status: http.StatusInternalServerError, Cut: simulator.CutMiddle})
	add("no content", makesSense, "", simulator.Fault{Status: http.StatusNoContent})
	add("an empty answer", makesSense, "", simulator.Fault{Empty: true})
	for _, body := range []string{`null`, `[]`, `[null]`, `true`, `12`, `"text"`, `{}`, `{"value":null}`, `{"value":{}}`, `{"value":"text"}`, `{"value":[null]}`, `{"value":[[]]}`, `{"value":[1,"text",{}]}`, `{"error":null}`} {
		add("the answer "+body, makesSense, "", simulator.Fault{Body: body})
	}
	all = append(all, trouble{
		name: "an answer that trickles", ending: fails, fault: simulator.Fault{Body: `{"value":[]}`, Cut: simulator.CutTrickle},
		breaks: func(_ *testing.T, i *commandstest.Instance) func() {
			i.Hold(true)
			i.Limits.Attempt = attemptOfTrickles
			return func() { i.Hold(false); i.Limits = defender.Limits{} }
		},
	})
	return all
}

// misshapen returns the troubles with an answer that has the right keys with the wrong types.
func misshapen(whole string) []trouble {
	shapes := map[string]func(leaf any) any{
		"null where something was":     func(any) any { return nil },
		"numbers where texts were":     func(any) any { return json.Number("123456789012345678901234567890") },
		"texts where numbers were":     func(any) any { return "text" },
		"lists where texts were":       func(any) any { return []any{"text", nil} },
		"objects where texts were":     func(any) any { return map[string]any{"id": "text"} },
		"booleans where texts were":    func(any) any { return true },
		"values that are not known":    func(leaf any) any { return ifText(leaf, "SomethingNew") },
		"texts that are not printable": func(leaf any) any { return ifText(leaf, "\x00\u202e\n|`*[x](javascript:y)") },
	}
	var all []trouble
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		all = append(all, trouble{name: name, ending: makesSense, fault: simulator.Fault{Body: reshape(whole, shapes[name])}})
	}
	swapped := regexp.MustCompile(`\[[^\[\]]*\]`).ReplaceAllString(whole, `{"0":null}`)
	return append(all, trouble{name: "objects where lists were", ending: makesSense, fault: simulator.Fault{Body: swapped}})
}

func ifText(leaf any, text string) any {
	if _, is := leaf.(string); is {
		return text
	}
	return leaf
}

// reshape replaces the values of a JSON text that are neither objects nor lists.
func reshape(text string, change func(any) any) string {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic(err) // a mistake in the test
	}
	var walk func(any) any
	walk = func(value any) any {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				value[key] = walk(inner)
			}
			return value
		case []any:
			for at, inner := range value {
				value[at] = walk(inner)
			}
			return value
		}
		return change(value)
	}
	changed, err := json.Marshal(walk(value))
	if err != nil {
		panic(err)
	}
	return string(changed)
}

// ofDownload adapts a trouble to the download of a file, which may contain anything.
func (b trouble) ofDownload() trouble {
	fault := b.fault
	cut := fault.Cut != ""
	switch whole := !cut && (fault.Status == 0 || fault.Status == http.StatusOK) && fault.Location == ""; {
	case whole:
		b.ending = makesSense
	case b.ending != refused || b.says == "":
		b.ending = fails
	}
	b.says = ""
	return b
}

// unreachable returns the troubles in which no request reaches the service.
func unreachable() []trouble {
	address := func(address func(t *testing.T) string) func(*testing.T, *commandstest.Instance) func() {
		return func(t *testing.T, i *commandstest.Instance) func() {
			t.Helper()
			before := i.Params["url"]
			i.Params["url"] = address(t)
			return func() { i.Params["url"] = before }
		}
	}
	return []trouble{
		{name: "a port where nothing listens", ending: fails, says: "no connection", breaks: address(func(*testing.T) string { return "https://127.0.0.1:1" })},
		// Go does not send a name with an empty label to a resolver, and fails as if the name were unknown.
		{name: "a name that nobody knows", ending: fails, says: "no such host", breaks: address(func(*testing.T) string { return "https://api..example" })},
		{name: "a certificate that is not trusted", ending: fails, says: "certificate", breaks: func(_ *testing.T, i *commandstest.Instance) func() {
			i.Params["insecure"] = false
			return func() { i.Params["insecure"] = true }
		}},
	}
}

// anything is an answer with the keys of many objects, for requests whose trial leaves the answer to the tenant.
var anything = `{"id":"a1","status":"Pending","type":"LiveResponse","creationDateTimeUtc":"2026-11-20T10:00:00Z",
	"value":[` + fullAlert + `],"Schema":[{"Name":"DeviceName","Type":"String"}],"Results":[{"DeviceName":"ws-001"}],
	"schema":[{"name":"DeviceName","type":"String"}],"results":[{"DeviceName":"ws-001"}]}`

// matrix counts the cells that were tried.
type matrix struct {
	mu      sync.Mutex
	cells   int
	slowest time.Duration
	where   string
}

func (m *matrix) count(where string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cells++; took > m.slowest {
		m.slowest, m.where = took, where
	}
}

// TestEveryCommandUnderEveryFault runs every command with every fault, at each of its requests. Whatever happens, the
// command ends in time, with one error that explains the fault or with entries that make sense, leaves no file behind,
// and works when it is run again.
func TestEveryCommandUnderEveryFault(t *testing.T) {
	t.Parallel()
	counted, began := &matrix{}, time.Now()
	t.Run("commands", func(t *testing.T) {
		for at, command := range triedCommands() {
			t.Run(command.Name, func(t *testing.T) {
				t.Parallel()
				tries := trialsOf(command)
				for number, try := range tries {
					// Further trials of a command differ only in the service's answers, except those with a state of their own.
					if number == 0 || try.prepare != nil {
						eachService(command, func(service string) {
							f := &faulty{command: command, at: at, try: try, matrix: counted, Instance: commandstest.New(t)}
							f.Params["hunting_api"] = service
							f.all(t)
						})
					}
				}
			})
		}
	})
	t.Logf("%d cells in %s; the slowest took %s: %s", counted.cells, time.Since(began).Round(time.Millisecond), counted.slowest.Round(time.Millisecond), counted.where)
}

// eachService runs a command against every service that it may use.
func eachService(command commands.Command, try func(huntingAPI string)) {
	try("Defender")
	if command.Area == commands.Hunting {
		try("Graph")
	}
}

// faulty is a command that is run with faults.
type faulty struct {
	*commandstest.Instance

	command commands.Command
	at      int // of the command in the list of all
	try     trial
	matrix  *matrix
	// sent is how many requests of each method and path the command makes while nothing is wrong.
	sent map[string]int
}

func (f *faulty) all(t *testing.T) {
	t.Helper()
	f.Tenant.SetTokenLifetime(1_000_000 * time.Hour)
	healthy := f.healthy(t)
	if len(healthy) == 0 {
		return
	}
	f.sent = map[string]int{}
	for _, request := range healthy {
		f.sent[request.Method+" "+request.Path]++
	}
	for row, request := range healthy {
		all := slices.Concat(troubles(), misshapen(f.answerOf(request)))
		for number, trouble := range all {
			if !commands.InSample(number+row+f.at, 16) {
				continue
			}
			if request.Kind == simulator.KindDownload {
				trouble = trouble.ofDownload()
			}
			if slices.Contains(f.try.survives, request.Method+" "+request.Path) {
				trouble.ending, trouble.says = makesSense, ""
			}
			trouble.fault.Kind, trouble.fault.Method = request.Kind, request.Method
			trouble.fault.Path = moment.ReplaceAllString(request.Path, "*")
			f.cell(t, request, trouble)
		}
	}
	for number, trouble := range unreachable() {
		if !commands.InSample(number+f.at, 5) {
			continue
		}
		if slices.Contains(f.try.survives, healthy[0].Method+" "+healthy[0].Path) {
			trouble.ending, trouble.says = makesSense, ""
		}
		f.cell(t, healthy[0], trouble)
	}
}

// moment matches a time in a path, which differs in every run.
var moment = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)

// answerOf returns an answer with which the request succeeds.
func (f *faulty) answerOf(request simulator.Request) string {
	for methodPath, body := range f.try.answers {
		if method, _, _ := strings.Cut(methodPath, " "); method == request.Method && gjson.Valid(body) {
			return body
		}
	}
	return anything
}

// healthy runs the command without faults, and returns its requests.
func (f *faulty) healthy(t *testing.T) []simulator.Request {
	t.Helper()
	f.Tenant.ClearFaults()
	f.try.script(f.Instance)
	// Earlier actions end, and the tenant's rate limits start again.
	// The longest refusal that is believed is over, of which the processes of the application tell each other.
	f.Clock.Advance(25 * time.Hour)
	f.Tenant.ResetRequests()
	result := f.Run(f.command.Name, resolve(f.Instance, f.try.args))
	if result.Err != nil || len(result.Requests) != f.try.requests {
		t.Fatalf("got the error %v with %q, want success with %d requests", result.Err, result.Asked(), f.try.requests)
	}
	return result.Requests
}

// changes reports whether the request changes something.
func (f *faulty) changes(request simulator.Request) bool {
	// Mirroring checks whether a change whose answer was lost was made before it sends it again; it has tests of its own.
	return request.Method != http.MethodGet && f.command.Area != commands.Hunting && !f.command.Mirrors
}

// patience is the longest that a command waits, by its own clock.
const patience = 30 * time.Second

func (f *faulty) cell(t *testing.T, request simulator.Request, trouble trouble) {
	t.Helper()
	where := request.Method + " " + request.Path + " with " + trouble.name
	f.Tenant.ClearFaults()
	f.Clock.Advance(10 * time.Minute)
	mend := func() {}
	// Hunts wait longer for an answer than a test can, so their answer ends at once.
	if trickles := trouble.fault.Cut == simulator.CutTrickle; trouble.breaks != nil && !(trickles && f.command.Area == commands.Hunting) {
		mend = trouble.breaks(t, f.Instance)
	}
	if trouble.fault.Kind != "" {
		f.Tenant.Script(trouble.fault)
	}
	f.try.script(f.Instance)
	files, err := f.Host.Files()
	if err != nil {
		t.Fatal(err)
	}
	clock, began := f.Clock.Now(), time.Now()
	result := f.Run(f.command.Name, resolve(f.Instance, f.try.args))
	f.matrix.count(f.command.Name+": "+where, time.Since(began))
	if waited := f.Clock.Now().Sub(clock); waited > patience && trouble.fault.Cut != simulator.CutTrickle {
		t.Errorf("%s: the command waited for %s", where, waited)
	}
	mend()
	wantSound(t, where, result.Result)
	wantNothingToClick(t, where, result)
	for _, problem := range f.judge(trouble, result) {
		t.Errorf("%s: %s", where, problem)
	}
	asksToWait := strings.HasPrefix(trouble.name, "429 for") || strings.HasPrefix(trouble.name, "503 for")
	if f.changes(request) && !asksToWait {
		others := func(r simulator.Request) bool { return r.Method != request.Method || r.Path != request.Path }
		if sent := slices.DeleteFunc(result.Requests, others); len(sent) > f.sent[request.Method+" "+request.Path] && trouble.name != "401" {
			t.Errorf("%s: the change was sent %d times", where, len(sent))
		}
	}
	if after, err := f.Host.Files(); err != nil || result.Err != nil && after != files {
		t.Errorf("%s: %d files were left behind (%v)", where, after-files, err)
	}
	f.healthy(t)
}

// judge returns the problems with the result of a command.
func (f *faulty) judge(trouble trouble, result commandstest.Result) []string {
	if result.Err == nil {
		return f.judgeEntries(trouble, result)
	}
	text := result.Err.Error()
	var problems []string
	add := func(format string, values ...any) { problems = append(problems, fmt.Sprintf(format, values...)) }
	if len(result.Entries) > 0 {
		add("there are %d entries in addition to the error", len(result.Entries))
	}
	if trouble.ending == waits && !f.command.Platform && !f.command.Mirrors {
		add("got %q, want that the command runs again", text)
	}
	if !slices.ContainsFunc(strings.Split(trouble.says, "|"), func(part string) bool { return strings.Contains(text, part) }) {
		add("got %q, want an error with %q", text, trouble.says)
	}
	if !clearSentence.MatchString(text) || len(text) > longestError || strings.Contains(text, "%!") {
		add("the error is not clear: %q", text)
	}
	return problems
}

// clear checks that an analyst can read an error: a few sentences in one line, after the words for the platform.
var clearSentence = regexp.MustCompile(`^(?:skip update: |[\w-]+: )?[A-Z][^\n\r\x00]{20,}[.)]$`)

const longestError = 1200

func (f *faulty) judgeEntries(trouble trouble, result commandstest.Result) []string {
	entries := result.All()
	if len(entries) == 0 {
		return []string{"there is neither an error nor an entry"}
	}
	var problems []string
	scheduled := false
	for _, entry := range entries {
		if entry.Poll != nil {
			scheduled = true
			if strings.TrimSpace(entry.Readable()) == "" {
				problems = append(problems, "an entry runs the command again and does not say why")
			}
			continue
		}
		// Both fail the test if they are not JSON.
		contents := entry.Raw()
		for _, path := range entry.Paths() {
			entry.At(path)
		}
		if strings.TrimSpace(entry.Readable()+entry.Literal) == "" && !contents.Exists() {
			problems = append(problems, "an entry says nothing")
		}
	}
	// A command that follows an action looks again: a look that failed has seen nothing.
	follows := f.try.args["machine_action_id"] != nil && scheduled
	wanted := trouble.ending == makesSense || trouble.ending == waits && scheduled || trouble.ending == refused || follows
	if !wanted {
		problems = append(problems, fmt.Sprintf("got the entry\n%s, want an error", entries[0].Readable()))
	}
	return problems
}

// signInTroubles returns what can go wrong while an instance signs in.
func signInTroubles() map[string]func(i *commandstest.Instance) {
	scripted := func(faults ...simulator.Fault) func(*commandstest.Instance) {
		return func(i *commandstest.Instance) {
			for _, fault := range faults {
				fault.Kind, fault.Method = simulator.KindAuthority, http.MethodPost
				i.Tenant.Script(fault)
			}
		}
	}
	identity := func(i *commandstest.Instance) {
		i.Params, i.Environment = i.Tenant.Instance("managed-identity"), i.Tenant.Environment("managed-identity")
	}
	return map[string]func(*commandstest.Instance){
		"reset before the answer":           scripted(simulator.Fault{Cut: simulator.CutBefore}),
		"reset in the middle of the answer": scripted(simulator.Fault{Cut: simulator.CutMiddle}),
		"an answer that trickles":           scripted(simulator.Fault{Cut: simulator.CutTrickle}),
		"429":                               scripted(simulator.Fault{Status: http.StatusTooManyRequests}),
		"429 for an hour":                   scripted(simulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Hour}),
		"500":                               scripted(simulator.Fault{Status: http.StatusInternalServerError}),
		"503":                               scripted(simulator.Fault{Status: http.StatusServiceUnavailable}),
		"a refusal":                         scripted(simulator.Fault{Code: "AADSTS7000215"}),
		"a refusal that nobody knows":       scripted(simulator.Fault{Code: "AADSTS999999"}),
		"a page instead of JSON":            scripted(simulator.Fault{Body: "<html>Sign in</html>", ContentType: "text/html"}),
		"a page with a refusal":             scripted(simulator.Fault{Status: http.StatusBadGateway, Body: "<html>", ContentType: "text/html"}),
		"half of an answer":                 scripted(simulator.Fault{Truncate: true}),
		"an empty answer":                   scripted(simulator.Fault{Empty: true}),
		"no content":                        scripted(simulator.Fault{Status: http.StatusNoContent}),
		"null":                              scripted(simulator.Fault{Body: `null`}),
		"a list":                            scripted(simulator.Fault{Body: `[]`}),
		"an object without a token":         scripted(simulator.Fault{Body: `{"token_type":"Bearer","expires_in":3599}`}),
		"a token that is null":              scripted(simulator.Fault{Body: `{"token_type":"Bearer","expires_in":3599,"access_token":null}`}),
		"a token that is a number":          scripted(simulator.Fault{Body: `{"token_type":"Bearer","expires_in":3599,"access_token":7}`}),
		"a redirect to another host":        scripted(simulator.Fault{Location: "https://attacker.example/token"}),
		"an authority nobody listens for":   func(i *commandstest.Instance) { i.Params["azure_ad_endpoint"] = "https://127.0.0.1:1" },
		"a managed identity that breaks off": func(i *commandstest.Instance) {
			identity(i)
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindIdentity, Cut: simulator.CutBefore})
		},
		"a managed identity that is not one": func(i *commandstest.Instance) {
			identity(i)
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindIdentity, Status: http.StatusBadRequest})
		},
		"a managed identity nobody listens for": func(i *commandstest.Instance) {
			identity(i)
			i.Environment["IDENTITY_ENDPOINT"] = "http://127.0.0.1:1/msi/token"
		},
	}
}

// TestCommandsWhenTheSignInFails runs commands with faults of the sign-in. The sign-in precedes everything else, so a few
// commands represent all. The service receives no request, and the command works once the sign-in does.
func TestCommandsWhenTheSignInFails(t *testing.T) {
	t.Parallel()
	tried := []string{"microsoft-atp-isolate-machine", "microsoft-atp-get-machines", "fetch-incidents", "test-module", "microsoft-atp-test", "microsoft-atp-advanced-hunting"}
	registry := commands.NewRegistry()
	cells, began := 0, time.Now()
	var group sync.WaitGroup
	for number, name := range slices.Sorted(maps.Keys(signInTroubles())) {
		command, known := registry.Find(tried[number%len(tried)])
		if !known {
			t.Fatalf("there is no command %s", tried[number%len(tried)])
		}
		i := commandstest.New(t)
		params, environment := maps.Clone(i.Params), i.Environment
		signInTroubles()[name](i)
		cells++
		// The sign-in waits in real time before it tries again, so all of them wait at the same time.
		group.Go(func() {
			args := onARealMachine(i, trialsOf(command)[0].args)
			result := i.Run(command.Name, args)
			where := command.Name + " with " + name
			if result.Err == nil || len(result.Entries) > 0 || len(result.Requests) > 0 {
				t.Errorf("%s: got %v, %d entries and %q, want one error and no request", where, result.Err, len(result.Entries), result.Asked())
				return
			}
			if text := result.Err.Error(); !clearSentence.MatchString(text) || !strings.HasPrefix(text, "Sign-in") {
				t.Errorf("%s: the error is not clear: %q", where, text)
			}
			i.Tenant.ClearFaults()
			i.Params, i.Environment = params, environment
			if again := i.Run(command.Name, args); again.Err != nil {
				t.Errorf("%s: the next run failed: %v", where, again.Err)
			}
		})
	}
	group.Wait()
	t.Logf("%d cells in %s", cells, time.Since(began).Round(time.Millisecond))
}
