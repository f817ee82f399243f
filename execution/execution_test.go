package execution_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/defender"
	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/params"
)

const listMachines = "microsoft-atp-get-machines"

func TestAnUnknownCommandIsAnError(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"microsoft-atp-no-such", "", "get-machines\n", "microsoft-atp-get-machines "} {
		result := w.run(name, nil, w.tenant.Instance("client-secret"), w.host())
		var unknown *execution.UnknownCommandError
		if !errors.As(result.Err, &unknown) || unknown.Name != name || len(result.Entries) > 0 {
			t.Errorf("%q: got %v, want an error that names it", name, result.Err)
		}
	}
	if got := w.tenant.Requests(); len(got) > 0 {
		t.Errorf("got %d requests, want nothing to be asked", len(got))
	}
}

func TestAllThatIsWrongWithAnInstanceIsSaidAtOnce(t *testing.T) {
	w := newWorld(t)
	wrong := with(w.tenant.Instance("client-secret"), map[string]any{"_tenant_id": "", "_auth_id": "", "credentials": nil, "url": "ftp://x"})
	result := w.run(listMachines, nil, wrong, w.host())
	var problems *params.Problems
	if !errors.As(result.Err, &problems) || len(problems.List) != 4 {
		t.Errorf("got %v, want four problems", result.Err)
	}
	for _, raw := range []string{``, `null`, `[]`, `"x"`, `{`} {
		result := w.Run(t.Context(), execution.Request{Command: listMachines, Params: json.RawMessage(raw)}, w.host())
		if !errors.As(result.Err, &problems) {
			t.Errorf("params %q: got %v, want the problems", raw, result.Err)
		}
	}
	if got := w.tenant.Requests(); len(got) > 0 {
		t.Errorf("got %d requests, want nothing to be asked", len(got))
	}
}

func TestASuccessfulExecution(t *testing.T) {
	w := newWorld(t)
	result := w.run(listMachines, nil, w.tenant.Instance("client-secret"), w.host())
	if result.Err != nil || len(result.Entries) == 0 || !result.Counted() {
		t.Errorf("got %d, %t and %v, want entries and requests to count", len(result.Entries), result.Counted(), result.Err)
	}
}

// counting is a platform that counts how often the integration context is read.
type counting struct {
	*commandstest.Host

	early, reads int
	asked, after func() // are called with every early question, and with every reading
}

func (c *counting) Prefetch() {
	c.early++
	c.asked()
}

func (c *counting) Load(ctx context.Context) (map[string]json.RawMessage, error) {
	c.reads++
	c.after()
	return c.Host.Load(ctx)
}

func TestACommandReadsTheIntegrationContextOnce(t *testing.T) {
	w := newWorld(t)
	host := &counting{Host: w.host(), asked: func() {}, after: func() {}}
	instance := w.tenant.Instance("client-secret")
	instance["mirror_direction"] = "Incoming And Outgoing"
	reads := func(name, command string, want int) {
		t.Helper()
		host.early, host.reads = 0, 0
		if result := w.run(command, nil, instance, host); result.Err != nil {
			t.Fatalf("%s: %v", name, result.Err)
		}
		early := min(want, 1)
		if command == commands.TestCommand {
			early = 0
		}
		if host.reads != want || host.early != early {
			t.Errorf("%s: got %d readings, asked for early %d times, want %d and %d", name, host.reads, host.early, want, early)
		}
	}
	reads("a command that signs in", listMachines, 1)
	reads("one with a stored token", listMachines, 1)
	reads("a round of mirroring, which looks for what was not sent", "get-modified-remote-data", 1)
	reads("the Test button, which signs in again", commands.TestCommand, 0)
	reads("a command without requests", "get-mapping-fields", 0)
	host.after = func() { w.clock.Advance(time.Second) }
	reads("one whose first reading is old when it needs the token", listMachines, 2)
	host.asked, host.after = host.after, func() {}
	reads("one whose first reading was asked for early, and is old", listMachines, 2)
}

func TestNobodyGetsAnOldIntegrationContext(t *testing.T) {
	clock := testclock.New(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	host := commandstest.NewHost(t.TempDir())
	command, part := execution.ContextOf(host, clock.Now)
	write := func(through commands.Host, value string) {
		t.Helper()
		if err := through.Update(t.Context(), func(values map[string]json.RawMessage) (bool, error) {
			values["key"] = json.RawMessage(value)
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	load := func(from commands.Host, want string) {
		t.Helper()
		values, err := from.Load(t.Context())
		if got := string(values["key"]); got != want || err != nil {
			t.Errorf("got %s and %v, want %s", got, err, want)
		}
		clear(values) // is the caller's
	}
	write(host, "1")
	load(command, "1")
	write(host, "2") // by another process
	load(part, "1")  // the reading of a moment ago
	load(part, "2")
	load(command, "2")
	write(command, "3")
	load(part, "3")
	load(command, "3")
	write(part, "4")
	load(part, "4")
	host.NoContext = errors.New("the server is away")
	if _, err := part.Load(t.Context()); !errors.Is(err, host.NoContext) {
		t.Errorf("got %v, want %v", err, host.NoContext)
	}
}

func TestThePlatformsOwnCommandsAreNotCounted(t *testing.T) {
	w := newWorld(t)
	for _, command := range []string{commands.TestCommand, commands.FetchCommand} {
		if result := w.run(command, nil, w.tenant.Instance("client-secret"), w.host()); result.Err != nil || result.Counted() {
			t.Errorf("%s: got %v and %t, want success and nothing to count", command, result.Err, result.Counted())
		}
	}
	if result := execution.Failed(errors.ErrUnsupported); !errors.Is(result.Err, errors.ErrUnsupported) || result.Counted() {
		t.Errorf("an execution that could not begin: got %+v, want its error and nothing to count", result)
	}
}

// panicking is a platform that panics when the integration context is read, with a secret in its last words.
type panicking struct {
	*commandstest.Host
	words string
}

func (p panicking) Load(context.Context) (map[string]json.RawMessage, error) { panic(p.words) }

func TestAPanicIsOneErrorAndTheNextExecutionWorks(t *testing.T) {
	rows := []struct {
		name, command string
		args          map[string]any
	}{
		{"in the handler", listMachines, nil},
		{"in one of its goroutines", "microsoft-atp-get-machine-details", map[string]any{"machine_id": "one"}},
		{"in all of its goroutines", "microsoft-atp-get-machine-details", map[string]any{"machine_id": "one,two,three"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			secret := w.tenant.Secret()
			instance := w.tenant.Instance("client-secret")
			host := w.host()
			result := w.run(row.command, row.args, instance, panicking{host, "lost my head over " + secret})
			var mistake *commands.PanicError
			if !errors.As(result.Err, &mistake) || len(result.Entries) > 0 {
				t.Fatalf("got %v and %d entries, want one error that says so", result.Err, len(result.Entries))
			}
			if text := result.Err.Error(); strings.Contains(text, "lost my head") || strings.Contains(text, secret) {
				t.Errorf("got %q, want a sentence without details", text)
			}
			details := w.log.take()
			if !strings.Contains(details, "lost my head over [redacted]") || !strings.Contains(details, "panicking") || strings.Contains(details, secret) {
				t.Errorf("got %s, want the details and where it was for the operator, without the secret", details)
			}
			if again := w.run(listMachines, nil, instance, host); again.Err != nil {
				t.Errorf("got %v, want the next execution to work", again.Err)
			}
		})
	}
}

func TestAnErrorShowsNoSecretWhoeverWroteIt(t *testing.T) {
	w := newWorld(t)
	secret := w.tenant.Secret()
	w.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusBadRequest, Code: "Echo", Message: "You sent " + secret})
	result := w.run(listMachines, nil, w.tenant.Instance("client-secret"), w.host())
	if refused, ok := errors.AsType[*defender.APIError](result.Err); !ok || refused.Code != "Echo" {
		t.Fatalf("got %v, want the refusal", result.Err)
	}
	if text := result.Err.Error(); strings.Contains(text, secret) || !strings.Contains(text, "You sent [redacted]") {
		t.Errorf("got %q, want the refusal without the secret", text)
	}
}

func TestAnExecutionThatIsEndedSaysWhy(t *testing.T) {
	w := newWorld(t)
	stopped := errors.New("the platform stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	request := execution.Request{Command: listMachines, Params: encode(t, w.tenant.Instance("client-secret"))}
	if result := w.Run(ctx, request, w.host()); !errors.Is(result.Err, stopped) {
		t.Errorf("got %v, want %v", result.Err, stopped)
	}
}

func TestAnExecutionThatIsEndedInTheMiddleOfAChangeSaysThatItMayBeMade(t *testing.T) {
	w := newWorld(t)
	stopped := errors.New("the platform stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	service := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel(stopped)
		<-r.Context().Done()
	}))
	defer service.Close()
	instance := with(w.tenant.Instance("client-secret"), map[string]any{"url": service.URL})
	request := execution.Request{
		Command: "microsoft-atp-isolate-machine", Params: encode(t, instance),
		Args: map[string]json.RawMessage{"machine_id": []byte(`"1"`), "comment": []byte(`"c"`), "isolation_type": []byte(`"Full"`)},
	}
	result := w.Run(ctx, request, w.host())
	if got := fmt.Sprint(result.Err); !errors.Is(result.Err, stopped) || !strings.Contains(got, "may have acted") {
		t.Errorf("got %q, want why it ended, and that the machine may be isolated", got)
	}
}

func TestDebuggingLogsRequestsWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	host := w.host()
	request := execution.Request{Command: listMachines, Params: encode(t, w.tenant.Instance("client-secret")), Debug: true}
	if result := w.Run(t.Context(), request, host); result.Err != nil {
		t.Fatal(result.Err)
	}
	logged := strings.Join(host.Logged(), "\n")
	for _, want := range []string{`(?m)^GET 127\.0\.0\.1:\d+/api/machines: 200 OK in \d+ ms$`, `(?m)^POST 127\.0\.0\.1:\d+/.*/oauth2/v2\.0/token: 200 OK in \d+ ms$`, `(?m)^` + listMachines + ` spent 1 of the application's requests: 1 \S+$`} {
		if !regexp.MustCompile(want).MatchString(logged) {
			t.Errorf("got %q, want a line like %s", logged, want)
		}
	}
	for _, secret := range append(bearers(w.tenant), w.tenant.Secret(), "$top") {
		if strings.Contains(logged, secret) {
			t.Errorf("got %q, want no %q in the log", logged, secret)
		}
	}
}

func TestDebuggingCountsAttempts(t *testing.T) {
	w := newWorld(t)
	host := w.host()
	w.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusServiceUnavailable, Times: 1})
	request := execution.Request{Command: listMachines, Params: encode(t, w.tenant.Instance("client-secret")), Debug: true}
	if result := w.Run(t.Context(), request, host); result.Err != nil {
		t.Fatal(result.Err)
	}
	logged := strings.Join(host.Logged(), "\n")
	for _, want := range []string{`(?m)/api/machines: 503 Service Unavailable in \d+ ms$`, `(?m)/api/machines: 200 OK in \d+ ms, attempt 2$`} {
		if !regexp.MustCompile(want).MatchString(logged) {
			t.Errorf("got %q, want a line like %s", logged, want)
		}
	}
}

func TestDebuggingLogsWhyThereIsNoAnswer(t *testing.T) {
	w := newWorld(t)
	host, instance := w.host(), w.tenant.Instance("client-secret")
	instance["url"] = "https://127.0.0.1:1"
	if result := w.Run(t.Context(), execution.Request{Command: listMachines, Params: encode(t, instance), Debug: true}, host); result.Err == nil {
		t.Fatal("got an answer of a port where nothing listens")
	}
	logged, want := strings.Join(host.Logged(), "\n"), `(?m)^GET 127\.0\.0\.1:1/api/machines: no answer: .*refused.* in \d+ ms$`
	if !regexp.MustCompile(want).MatchString(logged) {
		t.Errorf("got %q, want a line like %s", logged, want)
	}
}

// TestInstancesShareNothing lets instances of two tenants, with every kind of keeping tokens, take turns in one process.
func TestInstancesShareNothing(t *testing.T) {
	w := newWorld(t)
	second := w.newTenant(2)
	type instance struct {
		name   string
		tenant *simulator.Tenant
		params map[string]any
		host   *commandstest.Host
	}
	var instances []instance
	for _, mode := range []string{"client-secret", "certificate", "cortex"} {
		for _, tenant := range []*simulator.Tenant{w.tenant, second} {
			instances = append(instances, instance{fmt.Sprintf("%s at %s", mode, tenant.URL()), tenant, tenant.Instance(mode), w.host()})
		}
	}
	// These have no secret, and their tokens are kept in the process: only their names tell the two apart.
	for _, name := range []string{"first identity", "second identity"} {
		instances = append(instances, instance{name, w.tenant, w.tenant.Instance("managed-identity"), w.host()})
	}
	for _, tenant := range []*simulator.Tenant{w.tenant, second} {
		tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Header: http.Header{"Set-Cookie": {"session=1; Path=/"}}})
	}
	owner := map[string]string{}
	for range 3 {
		for _, one := range instances {
			before := len(bearers(one.tenant))
			request := execution.Request{Command: listMachines, Params: encode(t, one.params), Instance: one.name}
			if result := w.Run(t.Context(), request, one.host); result.Err != nil {
				t.Fatalf("%s: got %v, want success", one.name, result.Err)
			}
			for _, token := range bearers(one.tenant)[before:] {
				if known, seen := owner[token]; seen && known != one.name {
					t.Errorf("%s: got that of %s, want a token of its own", one.name, known)
				}
				owner[token] = one.name
			}
		}
	}
	count := map[string]int{}
	for _, name := range owner {
		count[name]++
	}
	for _, one := range instances {
		// The tokens of managed identities carry an absolute end, which the library reads by the machine's own clock.
		if got := count[one.name]; got == 0 || got > 1 && one.params["auth_type"] != "Azure Managed Identities" {
			t.Errorf("%s: got %d, want one token to be kept", one.name, got)
		}
	}
	for _, tenant := range []*simulator.Tenant{w.tenant, second} {
		if slices.ContainsFunc(tenant.Requests(), func(r simulator.Request) bool { return r.Header.Get("Cookie") != "" }) {
			t.Error("got some, want no cookies")
		}
	}
}

func TestMetricsAreOfOneExecution(t *testing.T) {
	w := newWorld(t)
	w.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusBadRequest, Times: 1})
	instance, host := w.tenant.Instance("client-secret"), w.host()
	for _, want := range []string{"GeneralError 1", "Successful 1"} {
		var got []string
		w.run(listMachines, nil, instance, host).Metrics.Each(func(outcome defender.Outcome, requests int) {
			got = append(got, fmt.Sprint(outcome, " ", requests))
		})
		if strings.Join(got, ", ") != want {
			t.Errorf("got %q, want the counts %q", got, want)
		}
	}
}

func TestAnErrorIsReadableWhoeverWroteIt(t *testing.T) {
	w := newWorld(t)
	w.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusBadRequest, Message: "a\x00b\u202ec\x1b[31m"})
	const longest = 1100
	for name, row := range map[string]struct {
		args map[string]any
		want []string
	}{
		"hidden characters of the service": {nil, []string{"aU+0000bU+202EcU+001B[31m (HTTP 400)."}},
		"a value of many bytes":            {map[string]any{"page_size": strings.Repeat("x", 1<<20)}, []string{`page_size must be a number; got "xxx`, " […] ", `xxx".`}},
	} {
		result := w.run(listMachines, row.args, w.tenant.Instance("client-secret"), w.host())
		if result.Err == nil {
			t.Fatalf("%s: wanted an error", name)
		}
		got := result.Err.Error()
		for _, want := range row.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got %q, want %q in the error", name, got, want)
			}
		}
		if len(got) > longest {
			t.Errorf("%s: got %d bytes, want a line that a person can read", name, len(got))
		}
	}
}

// TestAnInstanceThatChangesIsDecodedAnew runs one process with parameters that change from one execution to the next.
func TestAnInstanceThatChangesIsDecodedAnew(t *testing.T) {
	w := newWorld(t)
	w.Decoded = &execution.Instances{}
	right := w.tenant.Instance("client-secret")
	wrong := with(right, map[string]any{"_tenant_id": ""})
	for i, instance := range []map[string]any{right, right, wrong, wrong, right} {
		result := w.run(listMachines, nil, instance, w.host())
		_, refused := errors.AsType[*params.Problems](result.Err)
		if want := i == 2 || i == 3; refused != want || !want && result.Err != nil {
			t.Errorf("execution %d: got %v, want problems: %t", i, result.Err, want)
		}
	}
}

// TestTheMemoryOfTheProcessLimitsLargeAnswers asks for an answer of five megabytes.
func TestTheMemoryOfTheProcessLimitsLargeAnswers(t *testing.T) {
	w := newWorld(t)
	w.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Body: `{"value":[{"id":"m1","more":"` + strings.Repeat("x", 5<<20) + `"}]}`})
	for _, test := range []struct {
		memory  int64
		limit   string
		refused bool
	}{{0, "", false}, {30 << 20, "", true}, {30 << 20, "8", false}, {64 << 20, "", false}, {64 << 20, "4", true}} {
		w.Large = func() int64 { return test.memory }
		result := w.run(listMachines, nil, with(w.tenant.Instance("client-secret"), map[string]any{"largest_answer": test.limit}), w.host())
		if _, refused := errors.AsType[*defender.TooLargeError](result.Err); refused != test.refused || !refused && result.Err != nil {
			t.Errorf("with %d bytes of memory and the limit %q: got %v, want a refusal: %t", test.memory, test.limit, result.Err, test.refused)
		}
	}
}

// TestTheLimitOfAnswersIsThatOfTheInstance asks for an answer of more than a megabyte.
func TestTheLimitOfAnswersIsThatOfTheInstance(t *testing.T) {
	w := newWorld(t)
	w.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Body: `{"value":[{"id":"m1","more":"` + strings.Repeat("x", 2<<20) + `"}]}`})
	for limit, refused := range map[string]bool{"": false, "1": true, "3": false} {
		instance := w.tenant.Instance("client-secret")
		instance["largest_answer"] = limit
		result := w.Run(t.Context(), execution.Request{Command: listMachines, Params: encode(t, instance)}, w.host())
		if (result.Err != nil) != refused || refused && !strings.Contains(result.Err.Error(), "larger than") {
			t.Errorf("got %v with the limit %q, want a refusal: %t", result.Err, limit, refused)
		}
	}
}
