package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
)

// world is a world in which nobody waits: Sleep moves the clock.
type world struct {
	cli.World

	out, errs bytes.Buffer
	ahead     atomic.Int64
}

func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	home := t.TempDir()
	w := &world{}
	w.World = cli.World{
		Args: append([]string{"xsoar-defender"}, args...), In: strings.NewReader(""), Out: &w.out, Errors: &w.errs,
		Width: func() int { return 0 }, ConfigDir: func() (string, error) { return home, nil }, CompletionTime: time.Hour,
	}
	w.Runner = &execution.Runner{
		System: system.System{
			Clock: system.Clock{
				Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
				Sleep: func(ctx context.Context, wait time.Duration) error {
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					w.ahead.Add(int64(wait))
					return nil
				},
			},
			Random: rand.Reader, Getenv: func(name string) string { return map[string]string{"HOME": home}[name] },
		},
		Commands: commands.NewRegistry(), Version: "1.2.3", Transports: commandstest.OfflineTransports(), Process: &auth.ProcessTokens{},
	}
	return w
}

// run runs the program and wants an exit code.
func (w *world) run(t *testing.T, want int) {
	t.Helper()
	if got := cli.Execute(t.Context(), w.World); got != want {
		t.Fatalf("%q ended with the exit code %d, want %d\n%s%s", w.Args[1:], got, want, &w.out, &w.errs)
	}
}

// tenant starts a tenant that lives by the world's clock.
func (w *world) tenant(t *testing.T) *simulator.Tenant {
	t.Helper()
	tenant, err := simulator.Start(simulator.Options{Clock: w.Clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tenant.Close(); err != nil {
			t.Errorf("closing the tenant: %v", err)
		}
	})
	return tenant
}

// instance writes an instance file with which the tenant is signed in to.
func instance(t *testing.T, tenant *simulator.Tenant) string {
	t.Helper()
	return instanceOf(t, tenant, "client-secret")
}

// instanceOf writes an instance file for a way to sign in.
func instanceOf(t *testing.T, tenant *simulator.Tenant, mode string) string {
	t.Helper()
	return instanceWith(t, tenant.Instance(mode))
}

// instanceWith writes an instance file.
func instanceWith(t *testing.T, params map[string]any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"name": "lab", "params": params})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "instance.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOutputGoesOnlyToTheWritersPassedIn(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"version"}, {"--version"}, {"commands"}, {"run", "--help"}, {"completion", "zsh"}, {"__complete", "run", ""}} {
		w := newWorld(t, args...)
		w.run(t, 0)
		if w.out.Len() == 0 {
			t.Errorf("%q wrote nothing", args)
		}
	}
}

// brokenWriter takes nothing.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "commands")
	w.Out = brokenWriter{}
	w.run(t, 1)
	if got := w.errs.String(); !strings.Contains(got, "the disk is full") {
		t.Errorf("the standard error says %q, want the reason", got)
	}
}

func TestRunFollowsACommandUntilItIsDone(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		folder := t.TempDir()
		w := newWorld(t)
		tenant := w.tenant(t)
		w.Args = append(w.Args, "run", "microsoft-atp-request-and-download-investigation-package", "machine_id="+firstMachine(t, w, tenant),
			"comment=test", "--instance", instance(t, tenant), "--files", folder)
		if asJSON {
			w.Args = append(w.Args, "--json")
		}
		w.run(t, 0)
		if w.ahead.Load() == 0 || !strings.Contains(w.errs.String(), "asking again in") {
			t.Errorf("after %s the standard error says %q, want that it waits", time.Duration(w.ahead.Load()), &w.errs)
		}
		saved, err := os.ReadDir(folder)
		if err != nil || len(saved) != 1 || strings.HasPrefix(saved[0].Name(), ".") {
			t.Fatalf("the folder holds %v, %v, want one file", saved, err)
		}
		if !asJSON {
			if want := "Saved " + filepath.Join(folder, saved[0].Name()); !strings.Contains(w.out.String(), want) {
				t.Errorf("the output is\n%s\nwant %q in it", &w.out, want)
			}
			continue
		}
		var document struct {
			Results []struct{ File, PollingCommand string }
		}
		if err := json.Unmarshal(w.out.Bytes(), &document); err != nil {
			t.Fatalf("the output is no JSON document: %v", err)
		}
		var files []string
		for _, entry := range document.Results {
			if entry.PollingCommand != "" {
				t.Errorf("an entry still asks for %s to be run", entry.PollingCommand)
			}
			if entry.File != "" {
				files = append(files, entry.File)
			}
		}
		if want := []string{saved[0].Name()}; !slices.Equal(files, want) {
			t.Errorf("the entries have the files %q, want %q", files, want)
		}
	}
}

// firstMachine returns the ID of a machine of the tenant.
func firstMachine(t *testing.T, w *world, tenant *simulator.Tenant) string {
	t.Helper()
	list := newWorld(t, "run", "microsoft-atp-get-machines", "page_size=1", "health_status=Active", "--json", "--instance", instance(t, tenant))
	list.Now = w.Now
	list.run(t, 0)
	var document struct {
		Results []struct {
			Contents struct{ Value []struct{ ID string } }
		}
	}
	if err := json.Unmarshal(list.out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	return document.Results[0].Contents.Value[0].ID
}

func TestProgressOfARunIsGoneWhenItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	w.ErrorsWidth = func() int { return 100 }
	w.Args = append(w.Args, "run", "microsoft-atp-isolate-machine", "machine_id="+firstMachine(t, w, tenant), "comment=test", "isolation_type=Full",
		"polling=true", "--instance", instance(t, tenant))
	w.run(t, 0)
	said := w.errs.String()
	if !strings.Contains(said, "\rNot done yet; asking again in 10s, giving up in 10m0s") {
		t.Errorf("the standard error says %q, want the reason of the wait", said)
	}
	if last := said[strings.LastIndex(strings.TrimSuffix(said, "\r"), "\r")+1:]; strings.TrimSpace(last) != "" || strings.Contains(said, "\n") {
		t.Errorf("the standard error says %q, want one line that is erased at the end", said)
	}
}

func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := instance(t, w.tenant(t))
	for _, width := range []int{40, 80, 132, 250} {
		w.out.Reset()
		w.Args = []string{"xsoar-defender", "run", "microsoft-atp-get-machines", "page_size=3", "--instance", path}
		w.Width = func() int { return width }
		w.run(t, 0)
		if !strings.Contains(w.out.String(), "ComputerDNSName") {
			t.Errorf("at %d columns the output is\n%s\nwant the machines' names in it", width, &w.out)
		}
		for line := range strings.Lines(w.out.String()) {
			shown := escapes().ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
			if got := utf8.RuneCountInString(shown); got > width {
				t.Errorf("at %d columns there is a line of %d: %q", width, got, shown)
			}
		}
	}
}

// escapes are the control sequences of a terminal.
func escapes() *regexp.Regexp { return regexp.MustCompile("\x1b\\[[0-9;]*m") }

func TestOnlyATerminalIsColoured(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		width   int
		noColor string
		want    bool
	}{{0, "", false}, {120, "", true}, {120, "1", false}} {
		w := newWorld(t)
		home := w.Getenv("HOME")
		w.Width = func() int { return test.width }
		w.Getenv = func(name string) string { return map[string]string{"NO_COLOR": test.noColor, "HOME": home}[name] }
		for marked, args := range map[string][]string{
			"\x1b[1mMachine actions\x1b[0m": {"commands"},
			"\x1b[32mActive\x1b[0m":         {"run", "microsoft-atp-get-machines", "health_status=Active", "--instance", instance(t, w.tenant(t))},
		} {
			w.out.Reset()
			w.Args = append([]string{"xsoar-defender"}, args...)
			w.run(t, 0)
			if got := strings.Contains(w.out.String(), marked); got != test.want {
				t.Errorf("%q at a width of %d with NO_COLOR=%q has %q: %t, want %t", args, test.width, test.noColor, marked, got, test.want)
			}
			if !test.want && escapes().Match(w.out.Bytes()) {
				t.Errorf("%q at a width of %d with NO_COLOR=%q is coloured", args, test.width, test.noColor)
			}
		}
	}
}

func TestTerminalObeysNothingThatTheServiceSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Body: `{"value":[{"id":"1","computerDnsName":"\u001b[2Jgone\u202e"}]}`})
	w.Args = append(w.Args, "run", "microsoft-atp-get-machines", "--instance", instance(t, tenant))
	w.run(t, 0)
	if got := w.out.String(); !strings.Contains(got, "U+001B[2JgoneU+202E") || strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("the output is %q, want the hidden characters spelled out", got)
	}
}

func TestStateFolderThatCannotBeFoundIsAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Args = append(w.Args, "run", "microsoft-atp-get-machines", "--instance", instance(t, w.tenant(t)))
	w.Getenv = func(string) string { return "" }
	w.ConfigDir = func() (string, error) { return "", errors.New("none") }
	w.run(t, 1)
	if got := w.errs.String(); !strings.Contains(got, "state") {
		t.Errorf("the standard error says %q, want that there is no place for the state", got)
	}
}

func TestExecTakesOneExecutionOnly(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]io.Reader{
		"two executions":    strings.NewReader(`{"command":"x"}{"command":"y"}`),
		"an endless one":    endless{},
		"one with an array": strings.NewReader(`[{"command":"x"}]`),
	} {
		w := newWorld(t, "exec")
		w.In = in
		w.run(t, 2)
		var document struct{ Results []struct{ Type int } }
		if err := json.Unmarshal(w.out.Bytes(), &document); err != nil || len(document.Results) != 1 || document.Results[0].Type != 4 {
			t.Errorf("%s gave %q, want one error entry", name, &w.out)
		}
	}
}

// brokenPipe takes nothing.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestAFetchGoesOnWhereTheLastOneThatWasWrittenOutEnded fetches with both commands that run others.
func TestAFetchGoesOnWhereTheLastOneThatWasWrittenOutEnded(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"exec", "run"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			params := w.tenant(t).Instance("client-secret")
			params["max_fetch"], params["first_fetch_timestamp"] = "3", "12 hours"
			input, err := json.Marshal(map[string]any{"command": "fetch-incidents", "params": params, "instance": "lab"})
			args := []string{"exec"}
			if command == "run" {
				input, err = json.Marshal(map[string]any{"name": "lab", "params": params})
				args = []string{"run", "fetch-incidents", "--json", "--instance", "-"}
			}
			if err != nil {
				t.Fatal(err)
			}
			fetch := func(out io.Writer, want int) {
				t.Helper()
				w.Args, w.In, w.Out = append([]string{"xsoar-defender"}, args...), bytes.NewReader(input), out
				w.run(t, want)
			}
			fetch(brokenPipe{}, 1)
			var first, second bytes.Buffer
			fetch(&first, 0)
			fetch(&second, 0)
			name := regexp.MustCompile(`Microsoft Defender ATP Alert [\w-]+`)
			if got := name.FindAllString(first.String(), -1); len(got) != 3 {
				t.Fatalf("the first fetch gave %q, want three alerts", &first)
			}
			for _, one := range name.FindAllString(first.String(), -1) {
				if strings.Contains(second.String(), one) {
					t.Errorf("%s was fetched twice", one)
				}
			}
		})
	}
}

// endless is input without an end.
type endless struct{}

func (endless) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	return len(into), nil
}

func TestDemoSaysWhatDidNotWork(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the user interrupts"))
	w := newWorld(t, "demo")
	if got, want := cli.Execute(ctx, w.World), 130; got != want {
		t.Errorf("the exit code is %d, want %d", got, want)
	}
	if got, want := w.errs.String(), "xsoar-defender: the demonstration was interrupted: the user interrupts\n"; got != want {
		t.Errorf("the standard error: got %q, want %q", got, want)
	}
	if got := w.out.String(); strings.Contains(got, "Everything worked") {
		t.Errorf("the output says that all of it worked")
	}
}

func TestSimulateRenewsTheWorkloadsToken(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(context.Background())
	folder := t.TempDir()
	w := newWorld(t, "simulate", "--out", folder)
	token := func() string {
		text, err := os.ReadFile(filepath.Join(folder, "workload-token"))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	var tokens []string
	pass := w.Sleep
	w.Sleep = func(ctx context.Context, wait time.Duration) error {
		tokens = append(tokens, token())
		if len(tokens) == 3 {
			end()
		}
		return pass(ctx, wait)
	}
	if got := cli.Execute(ctx, w.World); got != 0 {
		t.Fatalf("the exit code is %d, want 0: %s", got, &w.errs)
	}
	if len(tokens) != 3 || slices.Contains(tokens, "") || tokens[0] == tokens[1] || tokens[1] == tokens[2] {
		t.Errorf("the tokens are %q, want three different ones", tokens)
	}
}

// TestSimulateWritesAnInstanceForEveryMode looks into the folder while the tenant runs, and again when it has ended.
func TestSimulateWritesAnInstanceForEveryMode(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(context.Background())
	folder := t.TempDir()
	mine := filepath.Join(folder, "mine.json")
	if err := os.WriteFile(mine, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := func() map[string]bool {
		got := map[string]bool{}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Error(err)
		}
		for _, entry := range entries {
			got[entry.Name()] = true
			if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: got the mode %v (%v), want 600", entry.Name(), info.Mode(), err)
			}
		}
		return got
	}
	want := map[string]bool{"mine.json": true, "workload-token": true, "certificate.pem": true, "authorization-code-signed-in.json": true}
	for _, mode := range slices.Concat(simulator.Modes(), simulator.Situations()) {
		want[mode+".json"] = true
	}
	w := newWorld(t, "simulate", "--out", folder)
	var once sync.Once
	w.Sleep = func(ctx context.Context, _ time.Duration) error {
		once.Do(func() {
			got := list()
			if !maps.Equal(got, want) {
				t.Errorf("the folder holds %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
		})
		end()
		return context.Cause(ctx)
	}
	if got := cli.Execute(ctx, w.World); got != 0 {
		t.Fatalf("the exit code is %d, want 0: %s", got, &w.errs)
	}
	for name := range want {
		if said := filepath.Join(folder, name); name != "mine.json" && !strings.Contains(w.out.String(), said) {
			t.Errorf("the output does not name %s:\n%s", said, &w.out)
		}
	}
	if got := list(); len(got) != 1 || !got["mine.json"] {
		t.Errorf("got %q after the end, want nothing left but the user's own file", slices.Sorted(maps.Keys(got)))
	}
}

// TestSimulateOverwritesNoFileOfTheUser holds for an instance file that has the name of one of its own, and not for what a tenant left
// behind that was killed.
func TestSimulateOverwritesNoFileOfTheUser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       int
	}{
		{"client-secret.json", `{"name":"prod","params":{"url":"https://api.securitycenter.microsoft.com"}}`, 1},
		{"cortex.json", `not JSON`, 1},
		{"workload-token", `token`, 1},
		{"client-secret.json", `{"name":"client-secret","params":{"url":"https://127.0.0.1:1"}}`, 0},
	} {
		folder := t.TempDir()
		file := filepath.Join(folder, test.name)
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(context.Background())
		w := newWorld(t, "simulate", "--out", folder)
		w.Sleep = func(ctx context.Context, _ time.Duration) error { end(); return context.Cause(ctx) }
		got := cli.Execute(ctx, w.World)
		end()
		kept, err := os.ReadFile(file)
		if got != test.want || (got == 1) != (err == nil && string(kept) == test.text) || (got == 1) != strings.Contains(w.errs.String(), file) {
			t.Errorf("%s with %s: got the exit code %d, %q and the file %q (%v), want %d", test.name, test.text, got, &w.errs, kept, err, test.want)
		}
	}
}

func TestSimulateRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ flag, value, says string }{
		{"--size", "10", "from 40 to 100000"},
		{"--speed", "0", "above 0"},
		{"--speed", "nan", "above 0"},
		{"--scene", "flood", "ransomware-day"},
		{"--condition", "flood", "throttled-hour"},
	} {
		w := newWorld(t, "simulate", one.flag, one.value)
		if got := cli.Execute(t.Context(), w.World); got != 2 || !strings.Contains(w.errs.String(), one.says) {
			t.Errorf("%s %s: got the exit code %d and %q, want 2 and %q", one.flag, one.value, got, &w.errs, one.says)
		}
	}
}

func TestATenantRunsWhereNothingIsKept(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	w := newWorld(t, "simulate", "--json", "--state", "none", "--out", t.TempDir())
	w.Sleep = func(ctx context.Context, _ time.Duration) error { end(); return context.Cause(ctx) }
	if got := cli.Execute(ctx, w.World); got != 0 {
		t.Fatalf("the exit code is %d, want 0: %s", got, &w.errs)
	}
	for name, want := range map[string]bool{"client-secret": true, "authorization-code": true, "authorization-code-signed-in": false} {
		if got := gjson.Get(w.out.String(), "instances."+name).Exists(); got != want {
			t.Errorf("the instance %s: got %t, want %t", name, got, want)
		}
	}
}

// TestAConditionOfTheSignInCanBeOnFromTheStart tries those under which no user could log in.
func TestAConditionOfTheSignInCanBeOnFromTheStart(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{"proxy-sign-in", "token-service-down"} {
		ctx, end := context.WithCancel(context.Background())
		w := newWorld(t, "simulate", "--json", "--out", t.TempDir(), "--condition", condition)
		var state string
		var once sync.Once
		w.Sleep = func(ctx context.Context, _ time.Duration) error {
			once.Do(func() { state = controlled(t, w.out.String()) })
			end()
			return context.Cause(ctx)
		}
		if got := cli.Execute(ctx, w.World); got != 0 {
			t.Errorf("%s: the exit code is %d, want 0: %s", condition, got, &w.errs)
		}
		if got := gjson.Get(state, "conditions").Raw; got != `["`+condition+`"]` {
			t.Errorf("%s: got the conditions %s, want it alone to be on", condition, got)
		}
		end()
	}
}

// controlled asks the control endpoint of a tenant for its state, given what simulate says about it.
func controlled(t *testing.T, facts string) string {
	t.Helper()
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(gjson.Get(facts, "certificate").Str))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gjson.Get(facts, "control.url").Str, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	request.Header.Set("Authorization", "Bearer "+gjson.Get(facts, "control.key").Str)
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	state, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return string(state)
}

func TestSimulateSaysWhatAClientNeeds(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(context.Background())
	w := newWorld(t, "simulate", "--json", "--out", t.TempDir())
	w.Sleep = func(ctx context.Context, _ time.Duration) error { end(); return context.Cause(ctx) }
	if got := cli.Execute(ctx, w.World); got != 0 {
		t.Fatalf("the exit code is %d, want 0: %s", got, &w.errs)
	}
	said := w.out.String()
	if strings.Count(said, "\n") != 1 || !gjson.Valid(said) {
		t.Fatalf("the output is not one line of JSON: %s", said)
	}
	for _, name := range []string{
		"url", "certificate", "certificateFile", "tenantId", "authority", "tokenEndpoint", "clientId", "clientSecret",
		"clientCertificate", "redirectUri", "user", "scopes.defender", "scopes.graph", "workloadTokenFile", "identityEndpoint",
		"identityHeader", "instances.client-secret.file", "instances.managed-identity.environment.IDENTITY_ENDPOINT",
	} {
		if gjson.Get(said, name).String() == "" {
			t.Errorf("the output lacks %s", name)
		}
	}
}

// TestCompletionOffersWhatAFlagOrAListAccepts completes the values of flags, and those of a list that are not in it yet.
func TestCompletionOffersWhatAFlagOrAListAccepts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		typed []string
		want  string
	}{
		{[]string{"simulate", "--scene", ""}, "phishing-wave\nransomware-day\n:4\n"},
		{[]string{"simulate", "--condition", ""}, "bad-gateway\ndocumented-rates\ngraph-only\nproxy-page\nproxy-sign-in\nrenewed-certificate\nrevoked-secret\n" +
			"slow-identity\nthrottled-hour\ntoken-service-down\n:4\n"},
		{[]string{"run", "microsoft-atp-list-alerts", "severity=High,medium,"}, "severity=High,medium,Low\nseverity=High,medium,Informational\n:4\n"},
	} {
		w := newWorld(t, append([]string{"__complete"}, test.typed...)...)
		w.run(t, 0)
		if got := w.out.String(); got != test.want {
			t.Errorf("%q: got %q, want %q", test.typed, got, test.want)
		}
	}
}

func TestCompletionWaitsForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	w.Args = append(w.Args, "__complete", "run", "microsoft-atp-isolate-machine", "--instance", instance(t, tenant), "machine_id=")
	for _, test := range []struct {
		fault simulator.Fault
		want  bool
	}{
		{simulator.Fault{}, true},
		{simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusTooManyRequests, RetryAfter: 7 * time.Second, Times: 1}, false},
		{simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusBadGateway, Times: 1}, false},
		{simulator.Fault{Kind: simulator.KindAPI, Body: `{"value":[{"id":"a b"},{"id":"a\u202eb"},{"computerDnsName":"nameless"}]}`, Times: 1}, false},
	} {
		w.out.Reset()
		w.errs.Reset()
		before := w.ahead.Load()
		if test.fault.Kind != "" {
			tenant.Script(test.fault)
		}
		w.run(t, 0)
		if got := strings.Contains(w.out.String(), "machine_id="); got != test.want {
			t.Errorf("with %+v it offers %q, want machines: %t", test.fault, &w.out, test.want)
		}
		if got, want := w.errs.String(), "Completion ended with directive: ShellCompDirectiveNoFileComp\n"; got != want {
			t.Errorf("with %+v it says %q, want %q", test.fault, got, want)
		}
		if w.ahead.Load() != before {
			t.Errorf("with %+v it waits", test.fault)
		}
	}
}

func TestAnUnknownFlagIsNamedAsItWasTyped(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"-Z", "--contxt"} {
		w := newWorld(t, "run", "microsoft-atp-get-machines", flag)
		w.run(t, 2)
		if got := w.errs.String(); !strings.Contains(got, " "+flag) || strings.Contains(got, "-"+flag) {
			t.Errorf("got %q, want it to name %s", got, flag)
		}
	}
}

func TestContextOfAFailureIsEmptyAndTheErrorIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: 403})
	w.Args = append(w.Args, "run", "microsoft-atp-get-machines", "--context", "--instance", instance(t, tenant))
	w.run(t, 1)
	if got, said := w.out.String(), w.errs.String(); got != "{}\n" || !strings.Contains(said, "HTTP 403") {
		t.Errorf("got %q and %q on the standard error, want no context, and the error there", got, said)
	}
}

func TestContextIsIndentedOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	w.Args = append(w.Args, "run", "microsoft-atp-get-machines", "--context", "--instance", instance(t, tenant))
	for width, want := range map[int]string{
		0: `{"MicrosoftATP":{"Machine":[{"ID":"1","ComputerDNSName":"\u202egone\u001b"}]}}` + "\n",
		80: `{
  "MicrosoftATP": {
    "Machine": [
      {
        "ID": "1",
        "ComputerDNSName": "\u202egone\u001b"
      }
    ]
  }
}
`,
	} {
		tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Body: "{\"value\":[{\"id\":\"1\",\"computerDnsName\":\"\u202egone\\u001b\"}]}", Times: 1})
		w.out.Reset()
		w.Width = func() int { return width }
		w.run(t, 0)
		if got := w.out.String(); got != want {
			t.Errorf("at a width of %d got\n%q\nwant\n%q", width, got, want)
		}
	}
}

// TestDebugLinesStandOnLinesOfTheirOwn waits for a machine action while requests are logged: the line of the progress
// gets out of their way.
func TestDebugLinesStandOnLinesOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	w.Args = append(w.Args, "run", "microsoft-atp-isolate-machine", "machine_id="+tenant.MachineIDs()[0], "comment=test", "isolation_type=Full",
		"polling=true", "--debug", "--progress", "always", "--instance", instanceOf(t, tenant, "client-secret"))
	w.run(t, 0)
	debugged := 0
	for line := range strings.Lines(w.errs.String()) {
		before, _, is := strings.Cut(line, "GET 127.0.0.1:")
		if !is {
			continue
		}
		debugged++
		if before != "" && !strings.HasSuffix(before, "\r") && !strings.HasSuffix(before, "\x1b[K") {
			t.Errorf("a debug line follows %q", before)
		}
	}
	if debugged == 0 {
		t.Errorf("no request was told of:\n%s", &w.errs)
	}
}
