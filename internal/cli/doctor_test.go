package cli_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/simulator"
)

// mostPermissions are those of everything but machine actions, hunting and indicators.
func mostPermissions() []string {
	return []string{"Alert.ReadWrite.All", "File.Read.All", "Ip.Read.All", "Machine.ReadWrite.All", "Software.Read.All", "URL.Read.All", "User.Read.All", "Vulnerability.Read.All"}
}

func TestDoctorTellsWhatTheTenantDoes(t *testing.T) {
	t.Parallel()
	refuse := func(fault simulator.Fault) func(*simulator.Tenant) {
		fault.Kind = simulator.KindAPI
		return func(tenant *simulator.Tenant) { tenant.Script(fault) }
	}
	for _, test := range []struct {
		name    string
		trouble func(*simulator.Tenant)
		exit    int
		want    map[string]string // by check, "result: found: remedy"
	}{
		{"nothing", func(*simulator.Tenant) {}, 0, map[string]string{"API": "^ok: .* answers", "Permissions": "^ok: cover every command"}},
		{"an expired secret", (*simulator.Tenant).ExpireSecret, 1, map[string]string{
			"Authority": "^ok: ", "Token": `^failed: .*\(AADSTS7000222\): .*secret`, "API": "^not checked: there is no token",
		}},
		{"a few missing permissions", func(tenant *simulator.Tenant) { tenant.SetPermissions(mostPermissions()...) }, 0, map[string]string{
			"API": "^ok: ", "Permissions": `^warning: do not cover \d+ commands: Grant `,
		}},
		{"no permission for the test", func(tenant *simulator.Tenant) { tenant.SetPermissions("Machine.Read.All") }, 1, map[string]string{
			"Token": "1 application permissions", "API": `^failed: .*\(HTTP 403\): Grant the application Alert\.Read\.All`, "Permissions": "^warning: ",
		}},
		{"no permission at all", func(tenant *simulator.Tenant) { tenant.SetPermissions() }, 1, map[string]string{"Token": "^warning: .* 0 application permissions: Add "}},
		{"a token that is not taken", refuse(simulator.Fault{Status: http.StatusUnauthorized}), 1, map[string]string{
			"Token": "^ok: ", "API": `^failed: .*\(HTTP 401\): Check Endpoint Type`, "TLS: API": "^warning: TLS", "Clock": "^ok: ",
		}},
		{"an API in trouble", refuse(simulator.Fault{Status: http.StatusInternalServerError, Message: "no"}), 1, map[string]string{
			"Token": "^ok: ", "API": `^failed: .*\(HTTP 500\), correlation .*: The service has trouble`, "Permissions": "^ok: ",
		}},
		{"a connection that breaks", refuse(simulator.Fault{Cut: simulator.CutBefore}), 1, map[string]string{
			"API": "^failed: .* the connection broke .*: Try again", "TLS: API": "did not answer", "Clock": "^ok: agrees with the clock of the authority",
		}},
		{"another service", refuse(simulator.Fault{Body: "<html>", ContentType: "text/html"}), 1, map[string]string{"API": `^failed: .*the answer came from a gateway on the way`}},
		{"too many requests for long", refuse(simulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Minute}), 0, map[string]string{
			"API": "^warning: .* does not accept requests at the moment: Try again in 300 seconds", "Rate": "^warning: the API refused 1 requests of this run.* 99 more times",
		}},
		{"too many requests for a moment", refuse(simulator.Fault{Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Second, Times: 1}), 0, map[string]string{
			"API": "^ok: ", "Rate": "^warning: the API refused 1 requests of this run.* 98 more times",
		}},
		{"limits in the answer", refuse(simulator.Fault{Header: http.Header{"Ratelimit-Remaining": {"7"}}}), 0, map[string]string{
			"Rate": "^ok: .*; the API says Ratelimit-Remaining 7",
		}},
		{"a clock that is wrong", refuse(simulator.Fault{Header: http.Header{"Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}}), 1, map[string]string{
			"API": "^ok: ", "Clock": "^failed: .* behind the clock of the API: Set ",
		}},
		{"no time in the answer", refuse(simulator.Fault{Header: http.Header{"Date": {"soon"}}}), 0, map[string]string{
			"Clock": "^ok: agrees with the clock of the authority",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tenant := w.tenant(t)
			test.trouble(tenant)
			w.Args = append(w.Args, "doctor", "--json", "--instance", instance(t, tenant))
			w.run(t, test.exit)
			rows := map[string]string{}
			for _, check := range gjson.Get(w.out.String(), "Checks").Array() {
				rows[check.Get("Check").Str] = check.Get("Result").Str + ": " + check.Get("Found").Str + ": " + check.Get("Remedy").Str
			}
			for check, want := range test.want {
				if got := rows[check]; !regexp.MustCompile(want).MatchString(got) {
					t.Errorf("%s: got %q, want a match of %s", check, got, want)
				}
			}
			gaps := len(gjson.Get(w.out.String(), "Gaps").Array())
			if some := strings.HasPrefix(rows["Permissions"], "warning"); some != (gaps > 0) {
				t.Errorf("got %d commands that the permissions do not cover, and the check %q", gaps, rows["Permissions"])
			}
			if w.errs.Len() > 0 {
				t.Errorf("the standard error says %q, want only the rows", &w.errs)
			}
		})
	}
}

// TestEveryCheckIsExplained looks for the checks in the page that explains them.
func TestEveryCheckIsExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	tenant := w.tenant(t)
	checks := []string{"Managed identity endpoint"} // which is not asked here: it would be that of this machine
	for _, mode := range []string{"client-secret", "cortex"} {
		w.out.Reset()
		w.Args = []string{"xsoar-defender", "doctor", "--json", "--instance", instanceOf(t, tenant, mode)}
		w.run(t, 0)
		for _, check := range gjson.Get(w.out.String(), "Checks.#.Check").Array() {
			name, _, _ := strings.Cut(check.Str, ":")
			checks = append(checks, name)
		}
	}
	for _, name := range checks {
		if !regexp.MustCompile(`(?m)^\| ([^|]*, )?` + regexp.QuoteMeta(name) + `(, [^|]*)? \|`).Match(page) {
			t.Errorf("the page does not explain the check %s", name)
		}
	}
}

// TestDoctorChecksTheSame checks that the rows are the same ones, in the same order, whatever happens.
func TestDoctorChecksTheSame(t *testing.T) {
	t.Parallel()
	checks := func(trouble func(*simulator.Tenant)) []string {
		w := newWorld(t)
		tenant := w.tenant(t)
		trouble(tenant)
		w.Args = append(w.Args, "doctor", "--json", "--instance", instance(t, tenant))
		cli.Execute(t.Context(), w.World)
		var names []string
		for _, check := range gjson.Get(w.out.String(), "Checks.#.Check").Array() {
			names = append(names, check.Str)
		}
		return names
	}
	well := checks(func(*simulator.Tenant) {})
	if len(well) != 17 {
		t.Errorf("got the checks %q, want seventeen", well)
	}
	for name, trouble := range map[string]func(*simulator.Tenant){
		"no token": (*simulator.Tenant).ExpireSecret,
		"no API": func(tenant *simulator.Tenant) {
			tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Cut: simulator.CutBefore})
		},
	} {
		if got := checks(trouble); !slices.Equal(got, well) {
			t.Errorf("with %s: got the checks %q, want %q", name, got, well)
		}
	}
}

func TestDoctorFitsTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	tenant.SetPermissions(mostPermissions()...)
	path := instance(t, tenant)
	for _, width := range []int{40, 80, 132, 250} {
		w.out.Reset()
		w.Args = []string{"xsoar-defender", "doctor", "--instance", path}
		w.Width = func() int { return width }
		w.run(t, 0)
		if got := w.out.String(); !strings.HasSuffix(got, "\n\x1b[1mVerdict: works, with 3 warnings\x1b[0m\n") || !strings.Contains(got, "Commands that need more") {
			t.Errorf("at %d columns the output is\n%s\nwant the commands that need more, and the verdict in bold at the end", width, got)
		}
		for line := range strings.Lines(w.out.String()) {
			shown := escapes().ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
			if got := utf8.RuneCountInString(shown); got > width {
				t.Errorf("at %d columns there is a line of %d: %q", width, got, shown)
			}
		}
	}
}

func TestDoctorObeysNothingThatTheServiceSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusForbidden, Message: "\x1b[2Jgone\u202e|<b>"})
	w.Args = append(w.Args, "doctor", "--instance", instance(t, tenant))
	w.run(t, 1)
	if got := w.out.String(); !strings.Contains(got, "U+001B[2JgoneU+202E|<b>") || strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("the output is %q, want the hidden characters spelled out", got)
	}
}

func TestDoctorThatIsInterruptedSaysSo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user interrupts"))
	for _, format := range []string{"--json=false", "--json"} {
		w := newWorld(t)
		w.Args = append(w.Args, "doctor", format, "--instance", instance(t, w.tenant(t)))
		if got := cli.Execute(ctx, w.World); got != 130 {
			t.Errorf("the exit code is %d, want 130", got)
		}
		if w.out.Len() > 0 || !strings.Contains(w.errs.String(), "the user interrupts") {
			t.Errorf("got %q and the error %q, want the reason alone", &w.out, &w.errs)
		}
	}
}
