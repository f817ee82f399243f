package program_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/platform/platformtest"
)

// way is a way to sign in, with what the tests have to know about it.
type way struct {
	mode string
	// kept reports whether the integration context keeps its tokens; one without a secret to seal them with keeps nothing.
	kept bool
	// systemClock reports whether the proof it signs in with is dated by the system's clock, by a library.
	systemClock bool
	// needsLogin reports whether a user must log in first.
	needsLogin bool
	// spoil makes the instance's proof wrong, and refused is the text that the failure must then have.
	spoil   func(e *engine)
	refused string
	// cutOff leads to an address where nothing listens.
	cutOff func(e *engine)
}

func ways() []way {
	authority := func(e *engine) { e.params["azure_ad_endpoint"] = nowhere("https") }
	identity := func(e *engine) { e.environment["IDENTITY_ENDPOINT"] = nowhere("http") + "/msi/token" }
	// Another authority would be another login.
	tokenEndpoint := func(e *engine) {
		e.tenant.ExpireTokens()
		e.tenant.Script(simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Cut: simulator.CutBefore})
	}
	secret := func(e *engine) { e.params["credentials"] = password("wrong-secret-of-the-test") }
	header := func(e *engine) { e.environment["IDENTITY_HEADER"] = "wrong-header-of-the-test" }
	thumbprint := func(e *engine) {
		e.params["creds_certificate"].(map[string]any)["identifier"] = strings.Repeat("0", 40)
	}
	return []way{
		{mode: "client-secret", kept: true, spoil: secret, refused: "AADSTS7000215", cutOff: authority},
		{mode: "certificate", kept: true, spoil: thumbprint, refused: "AADSTS700027", cutOff: authority},
		{mode: "certificate-with-chain", kept: true, spoil: thumbprint, refused: "Thumbprint", cutOff: authority},
		{mode: "authorization-code", kept: true, needsLogin: true, spoil: secret, refused: "AADSTS7000215", cutOff: tokenEndpoint},
		{mode: "managed-identity", spoil: header, refused: "HTTP 401", cutOff: identity},
		{mode: "managed-identity-user", spoil: header, refused: "HTTP 401", cutOff: identity},
		{
			mode: "cortex", kept: true, refused: "The Token is wrong",
			spoil:  func(e *engine) { e.params["_tenant_id"] = "wrong-token-of-the-test" },
			cutOff: func(e *engine) { e.params["_auth_id"] = "registration@" + nowhere("https") + "/obtain-token" },
		},
		{
			mode: "workload-identity", systemClock: true, refused: "AADSTS", cutOff: authority,
			spoil: func(e *engine) { e.writeWorkloadToken("wrong.token.ofthetest") },
		},
	}
}

// eachWay runs a test for the ways to sign in that a condition admits.
func eachWay(t *testing.T, admits func(way) bool, test func(t *testing.T, e *engine)) {
	t.Parallel()
	for _, way := range ways() {
		if admits(way) {
			t.Run(way.mode, func(t *testing.T) {
				t.Parallel()
				test(t, newEngine(t, way))
			})
		}
	}
}

func every(way) bool    { return true }
func kept(w way) bool   { return w.kept }
func logsIn(w way) bool { return w.needsLogin }

// engine is an installation: a tenant, what the platform keeps, and the instance with which processes sign in.
// At the end of the test it looks for secrets in everything that any of its processes has said.
type engine struct {
	way

	t           *testing.T
	tenant      *simulator.Tenant
	platform    *platformtest.Platform
	params      map[string]any
	environment map[string]string
	tokenFile   string // of the workload
	home        string // of the processes, with their folder for temporary files
	// canaries are further secrets: those of answers, which nothing sends.
	canaries []string
	ahead    atomic.Int64

	mu      sync.Mutex
	plugins []*platformtest.Plugin
}

func newEngine(t *testing.T, way way) *engine {
	t.Helper()
	e := &engine{way: way, t: t, platform: platformtest.New()}
	e.tenant = startTenant(t, simulator.Options{Clock: system.Clock{Now: func() time.Time { return time.Now().Add(time.Duration(e.ahead.Load())) }}})
	if way.systemClock {
		e.tenant.SetAssertionClock(time.Now)
	}
	e.params, e.environment = e.tenant.Instance(way.mode), e.tenant.Environment(way.mode)
	e.home = t.TempDir()
	e.environment["HOME"], e.environment["TMPDIR"] = e.home, e.home
	e.tokenFile = filepath.Join(t.TempDir(), "token")
	e.writeWorkloadToken(e.tenant.WorkloadToken())
	e.environment["AZURE_FEDERATED_TOKEN_FILE"] = e.tokenFile
	t.Cleanup(e.checkNothingLeaks)
	return e
}

// ready is an engine at which a user has logged in, where one must.
func (e *engine) ready() *engine {
	e.t.Helper()
	if e.needsLogin {
		e.logIn()
	}
	return e
}

// logIn goes through the login as a user does.
func (e *engine) logIn() {
	e.t.Helper()
	e.params["auth_code"] = password("")
	outcome := e.succeed(platformtest.Request{Command: "microsoft-atp-generate-login-url", Params: e.params})
	redirect, err := e.tenant.SignIn(outcome.Entries[0].Text())
	if err != nil {
		e.t.Fatal(err)
	}
	e.params["auth_code"] = password(redirect)
}

// passes lets time pass, for the tenant and for processes started from then on.
func (e *engine) passes(time time.Duration) { e.ahead.Add(int64(time)) }

func (e *engine) writeWorkloadToken(token string) {
	e.t.Helper()
	if err := os.WriteFile(e.tokenFile, []byte(token), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// start starts a process.
func (e *engine) start() *platformtest.Plugin {
	e.t.Helper()
	e.environment[aheadVariable] = time.Duration(e.ahead.Load()).String()
	plugin := e.platform.Start(e.t, laterProgram(e.t, e.environment))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plugins = append(e.plugins, plugin)
	return plugin
}

// run runs an execution in a process of its own.
func (e *engine) run(request platformtest.Request) platformtest.Outcome {
	e.t.Helper()
	plugin := e.start()
	outcome, err := plugin.Run(request)
	if err != nil {
		e.t.Fatalf("running %s: %v; the process said %q", request.Command, err, plugin.Errors())
	}
	if err := plugin.Close(); err != nil {
		e.t.Errorf("the process ended with %v", err)
	}
	return outcome
}

func (e *engine) succeed(request platformtest.Request) platformtest.Outcome {
	e.t.Helper()
	outcome := e.run(request)
	if failure := outcome.Failure(); failure != "" {
		e.t.Fatalf("%s failed: %s", request.Command, failure)
	}
	return outcome
}

// work has a new process do something that needs a token, and wants it to ask for this number of tokens.
func (e *engine) work(what string, tokens int) {
	e.t.Helper()
	before := countTokenRequests(e.tenant)
	e.succeed(getMachines(e.params))
	if got := countTokenRequests(e.tenant) - before; got != tokens {
		e.t.Errorf("%s asked for %d tokens, want %d", what, got, tokens)
	}
}

// fail has a new process try something that needs a token, and wants one error that says certain things.
func (e *engine) fail(what string, wants ...string) {
	e.t.Helper()
	outcome := e.run(getMachines(e.params))
	failure := outcome.Failure()
	if failure == "" || len(outcome.Shown()) != 1 {
		e.t.Errorf("%s: got %+v, want one error", what, outcome.Entries)
	}
	for _, want := range wants {
		if !strings.Contains(failure, want) {
			e.t.Errorf("%s: the error says %q, want %q in it", what, failure, want)
		}
	}
}

// tokenRequests are the requests for tokens that a tenant has had.
func tokenRequests(tenant *simulator.Tenant) []simulator.Request {
	return slices.DeleteFunc(tenant.Requests(), func(r simulator.Request) bool {
		switch r.Kind {
		case simulator.KindProxy, simulator.KindIdentity:
			return false
		case simulator.KindAuthority:
			return r.Method != http.MethodPost || !strings.HasSuffix(r.Path, "/token")
		}
		return true
	})
}

func countTokenRequests(tenant *simulator.Tenant) int { return len(tokenRequests(tenant)) }

func password(secret string) map[string]any {
	return map[string]any{"identifier": "", "password": secret}
}

// nowhere is an address where nothing listens. A port that was free a moment ago may be that of another test's tenant by now.
func nowhere(scheme string) string { return scheme + "://127.0.0.1:1" }

func TestEveryWayIsCovered(t *testing.T) {
	t.Parallel()
	var covered []string
	for _, way := range ways() {
		covered = append(covered, way.mode)
	}
	if want := simulator.Modes(); !slices.Equal(covered, want) {
		t.Errorf("the tests cover %q, want %q", covered, want)
	}
}

func TestTokenIsAskedForOnceAndKept(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		e.ready()
		before := countTokenRequests(e.tenant)
		plugin := e.start()
		for range 2 {
			outcome, err := plugin.Run(getMachines(e.params))
			if err != nil || outcome.Failure() != "" {
				t.Fatalf("got %v %s", err, outcome.Failure())
			}
			if got := countTokenRequests(e.tenant) - before; got != 1 {
				t.Errorf("the first process has asked for %d tokens, want 1", got)
			}
		}
		if e.kept {
			e.work("a second process", 0)
			return
		}
		e.work("a second process, of a way that keeps nothing,", 1)
		if got := e.platform.History(); len(got) != 0 {
			t.Errorf("the integration context was written: %s", got)
		}
	})
}

func TestTokenIsReplacedBeforeItsEnd(t *testing.T) {
	eachWay(t, kept, func(t *testing.T, e *engine) {
		e.ready().work("the first process", 1)
		e.passes(54 * time.Minute)
		e.work("a process after 54 minutes", 0)
		e.passes(2 * time.Minute)
		e.work("a process after 56 minutes", 1)
		e.work("the one after it", 0)
		if !e.needsLogin {
			return
		}
		requests := tokenRequests(e.tenant)
		form, err := url.ParseQuery(string(requests[len(requests)-1].Body))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := form.Get("grant_type"), "refresh_token"; got != want {
			t.Errorf("the second token was asked for with the grant %q, want %q", got, want)
		}
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		e.ready()
		plugin := e.start()
		for round := range 2 {
			e.tenant.ResetRequests()
			outcome, err := plugin.Run(getMachines(e.params))
			if err != nil || outcome.Failure() != "" {
				t.Fatalf("got %v %s", err, outcome.Failure())
			}
			var statuses []int
			for _, request := range e.tenant.Requests() {
				if request.Kind == simulator.KindAPI {
					statuses = append(statuses, request.Status)
				}
			}
			want := [][]int{{http.StatusOK}, {http.StatusUnauthorized, http.StatusOK}}[round]
			if !slices.Equal(statuses, want) || countTokenRequests(e.tenant) != 1 {
				t.Errorf("round %d: the API answered %v after %d tokens, want %v after 1", round, statuses, countTokenRequests(e.tenant), want)
			}
			e.tenant.ExpireTokens()
		}
		e.work("a process that finds a refused token", 1)
	})
}

func TestProcessesAtOnceRotateTokensSafely(t *testing.T) {
	const processes, rounds = 4, 3
	eachWay(t, kept, func(t *testing.T, e *engine) {
		e.tenant.StrictRotation(true)
		e.ready().work("the first process", 1)
		var plugins []*platformtest.Plugin
		for range processes {
			plugins = append(plugins, e.start())
		}
		for range rounds {
			e.tenant.ExpireTokens()
			var group sync.WaitGroup
			for _, plugin := range plugins {
				group.Go(func() {
					outcome, err := plugin.Run(getMachines(e.params))
					if err != nil || outcome.Failure() != "" {
						t.Errorf("got %v %s", err, outcome.Failure())
					}
				})
			}
			group.Wait()
		}
		e.work("a process after them", 0)
		e.tenant.ExpireTokens()
		e.work("a process that continues with what they left", 1)
	})
}

func TestNewSecretNeverMeetsAnOldToken(t *testing.T) {
	isSecret := func(w way) bool { return w.mode == "client-secret" }
	eachWay(t, isSecret, func(_ *testing.T, e *engine) {
		e.work("the first process", 1)
		e.tenant.SetSecret("the-second-secret-of-the-test")
		e.params["credentials"] = password("the-second-secret-of-the-test")
		e.work("a process with the new secret", 1)
		e.work("the one after it", 0)
		e.params["_auth_id"] = e.tenant.TenantID()
		e.fail("another application", "AADSTS700016")
	})
}

func TestNewSecretNeedsANewLogin(t *testing.T) {
	eachWay(t, logsIn, func(_ *testing.T, e *engine) {
		e.ready().work("the first process", 1)
		e.tenant.SetSecret("the-second-secret-of-the-test")
		e.params["credentials"] = password("the-second-secret-of-the-test")
		e.fail("the old login", "login_required", "!microsoft-atp-auth-reset", "!microsoft-atp-generate-login-url")
		e.logIn()
		e.work("the new login", 1)
	})
}

func TestNobodyHasLoggedIn(t *testing.T) {
	eachWay(t, logsIn, func(t *testing.T, e *engine) {
		e.fail("before the login", "login_required", "!microsoft-atp-generate-login-url")
		if got := countTokenRequests(e.tenant); got != 0 {
			t.Errorf("%d tokens were asked for, want none", got)
		}
	})
}

func TestDeadRefreshTokenSaysWhatToDo(t *testing.T) {
	for _, death := range []struct {
		name string
		end  func(*simulator.Tenant)
		code string
	}{
		{"by age", (*simulator.Tenant).ExpireRefreshTokens, "AADSTS70008"},
		{"revoked", (*simulator.Tenant).RevokeRefreshTokens, "AADSTS50173"},
	} {
		t.Run(death.name, func(t *testing.T) {
			eachWay(t, logsIn, func(_ *testing.T, e *engine) {
				e.ready().work("the first process", 1)
				death.end(e.tenant)
				e.tenant.ExpireTokens()
				e.fail("with the dead token", death.code, "!microsoft-atp-auth-reset")
				e.succeed(platformtest.Request{Command: "microsoft-atp-auth-reset", Params: e.params})
				e.logIn()
				e.work("after another login", 1)
			})
		})
	}
}

func TestRefreshTokenOfTheOlderImplementationIsUsed(t *testing.T) {
	eachWay(t, logsIn, func(t *testing.T, e *engine) {
		// The context of the older implementation is made of a login of this one.
		e.ready().work("the first process", 1)
		e.tenant.ExpireTokens()
		e.work("one that refreshes", 1)
		requests := tokenRequests(e.tenant)
		form, err := url.ParseQuery(string(requests[len(requests)-1].Body))
		if err != nil {
			t.Fatal(err)
		}
		legacy, err := json.Marshal(map[string]any{
			"access_token": "an-access-token-of-before", "valid_until": 1, "current_refresh_token": form.Get("refresh_token"), "other": 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		e.platform.SetContext(legacy)
		e.params["auth_code"] = password("")
		e.work("a process that finds it", 1)
		e.work("the one after it", 0)
		context := string(e.platform.Context())
		if gjson.Get(context, "current_refresh_token").Exists() || gjson.Get(context, "other").Int() != 1 {
			t.Errorf("the integration context is %s, want the old token replaced and the rest left alone", context)
		}
	})
}

func TestWrongProofIsOneErrorThatSaysWhatToDo(t *testing.T) {
	eachWay(t, every, func(_ *testing.T, e *engine) {
		e.spoil(e)
		e.ready().fail("with a wrong proof", e.refused)
	})
}

func TestUnreachableEndpointIsOneError(t *testing.T) {
	eachWay(t, every, func(_ *testing.T, e *engine) {
		if e.needsLogin {
			e.ready().work("the login", 1)
		}
		e.cutOff(e)
		e.fail("without a connection", "Sign-in", "(unreachable)")
	})
}

// TestASealOfAnotherVersionIsLeftAlone has the context hold what a later version of the program has sealed: it reads as
// nothing, and nothing but a new token takes its place.
func TestASealOfAnotherVersionIsLeftAlone(t *testing.T) {
	withoutLogin := func(w way) bool { return w.kept && !w.needsLogin }
	eachWay(t, withoutLogin, func(t *testing.T, e *engine) {
		e.work("the first process", 1)
		later := bytes.ReplaceAll(e.platform.Context(), []byte(`"v1.`), []byte(`"v2.`))
		if bytes.Equal(later, e.platform.Context()) {
			t.Fatal("the context holds no seal: the test shows nothing")
		}
		e.platform.SetContext(later)
		e.tenant.Script(simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Status: http.StatusBadRequest})
		e.tenant.Script(simulator.Fault{Kind: simulator.KindProxy, Status: http.StatusBadRequest})
		e.fail("without a new token", "Sign-in")
		for _, seal := range regexp.MustCompile(`"v2\.[^"]*"`).FindAll(later, -1) {
			if !bytes.Contains(e.platform.Context(), seal) {
				t.Errorf("a seal of the later version is gone: the context is %s", e.platform.Context())
			}
		}
		e.tenant.ClearFaults()
		e.passes(time.Hour) // the token proxy is left alone for a while
		e.work("the next process", 1)
		e.work("the one after it", 0)
	})
}

// checkNothingLeaks looks for every secret that was used in everything that a process has said or has put into the
// integration context.
func (e *engine) checkNothingLeaks() {
	said := map[string]string{"the integration context": string(e.platform.Context())}
	for i, context := range e.platform.History() {
		said[fmt.Sprintf("version %d of the integration context", i+1)] = string(context)
	}
	e.addFiles(said, e.home)
	for i, plugin := range e.plugins {
		e.addFiles(said, plugin.Files)
		said[fmt.Sprintf("the output of process %d", i+1)] = plugin.Output()
		said[fmt.Sprintf("the errors of process %d", i+1)] = plugin.Errors()
	}
	for name, secret := range e.secrets() {
		for where, text := range said {
			if strings.Contains(text, secret) {
				e.t.Errorf("%s holds %s", where, name)
			}
		}
	}
}

// secretsOfForms are the fields of a request for a token that are secret.
func secretsOfForms() []string {
	return []string{"client_secret", "client_assertion", "code", "code_verifier", "refresh_token"}
}

// addFiles adds the files of a folder to what was said.
func (e *engine) addFiles(said map[string]string, folder string) {
	e.t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		said["the file "+filepath.Base(path)] = string(content)
		return err
	})
	if err != nil {
		e.t.Error(err)
	}
}

// secrets are the instance's secrets and those that were sent to the tenant.
func (e *engine) secrets() map[string]string {
	secrets := map[string]string{}
	add := func(name, secret string) {
		// Anything shorter is not a secret.
		if len(secret) >= 16 {
			secrets[name+" "+secret[:4]+"..."] = secret
		}
	}
	for _, name := range []string{"credentials", "creds_certificate", "auth_code"} {
		if value, ok := e.params[name].(map[string]any); ok {
			add(name, fmt.Sprint(value["password"]))
			for line := range strings.Lines(fmt.Sprint(value["password"])) {
				add("a line of "+name, strings.TrimSpace(line))
			}
		}
	}
	if e.mode == "cortex" {
		add("the Token", fmt.Sprint(e.params["_tenant_id"]))
	}
	for _, canary := range e.canaries {
		add("a canary", canary)
	}
	add("the identity header", e.environment["IDENTITY_HEADER"])
	for _, request := range e.tenant.Requests() {
		add("an access token", strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
		add("an encrypted token", gjson.GetBytes(request.Body, "encrypted_token").String())
		if form, err := url.ParseQuery(string(request.Body)); err == nil {
			for _, name := range secretsOfForms() {
				add(name, form.Get(name))
			}
		}
	}
	return secrets
}

// TestAProcessWithoutAnIntegrationContext runs as the Test button does for an instance that has not been saved.
func TestAProcessWithoutAnIntegrationContext(t *testing.T) {
	t.Parallel()
	e := newEngine(t, ways()[0])
	for name, use := range map[string]platformtest.ContextUse{
		"ignored": platformtest.ContextIgnored, "refused": platformtest.ContextRefused, "read only": platformtest.ContextReadOnly,
	} {
		e.platform.UseContext(use)
		if outcome := e.succeed(platformtest.Request{Command: "test-module", Params: e.params}); outcome.Entries[0].Text() != "ok" {
			t.Errorf("%s: got %q, want ok", name, outcome.Entries[0].Text())
		}
		e.work(name, 1)
	}
	e.platform.UseContext(platformtest.ContextKept)
	e.work("with a context again", 1)
	e.work("with the token in it", 0)
}
