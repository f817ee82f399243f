package program_test

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"

	"xsoar-defender/internal/cli/loopback/loopbacktest"
	"xsoar-defender/internal/repository"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/platform"
	"xsoar-defender/platform/platformtest"
)

// The variables that say what the time is for the program at another time.
const (
	aheadVariable = "TEST_AHEAD"
	nowVariable   = "TEST_NOW"
	widthVariable = "TEST_WIDTH"
)

// TestScripts runs the program as its users do.
func TestScripts(t *testing.T) {
	path := strings.Join([]string{folderOfProgram(t), folderOfLaterProgram(t)}, string(filepath.ListSeparator))
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "scripts"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("PATH", path+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("PLAYBOOKS", repository.Path(t, "test_data/playbooks"))
			env.Vars = append(env.Vars, noPauseAtExit)
			env.Values[tenantKey{}] = &scriptedTenant{needs: map[string][]string{}}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": scriptExits, "tenant": scriptTenant, "interrupt": scriptInterrupt, "needs": scriptNeeds, "json": scriptJSON,
			"execution": scriptExecution, "parameters": scriptParameters, "unzip": scriptUnzip, "sed": scriptSed,
			"login": scriptLogin, "redirects": scriptRedirects, "pastes": scriptPastes,
		},
	})
}

// scriptExits runs a program that must end with an exit code: exits CODE PROGRAM [ARGUMENT ...].
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT ...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("the exit code is %s, want %s", got, args[0])
	}
}

// scriptedTenant is the simulated tenant of a script: a process of the program next to those of the script.
type scriptedTenant struct {
	command *exec.Cmd
	// needs are the environment variables that the program says an instance needs, by its file.
	needs map[string][]string
}

// tenantKey is where a script keeps its tenant.
type tenantKey struct{}

func tenantOf(ts *testscript.TestScript) *scriptedTenant {
	return ts.Value(tenantKey{}).(*scriptedTenant)
}

// scriptTenant starts the simulated tenant with its instances in a folder, and continues when it is ready:
// tenant FOLDER.
func scriptTenant(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tenant FOLDER")
	}
	command := exec.Command(scriptedProgram(ts), "simulate", "--out", args[0])
	command.Dir = ts.Getenv("WORK")
	command.Env = []string{"HOME=" + ts.Getenv("HOME"), noPauseAtExit}
	ts.Defer(func() {
		if command.Process != nil {
			// It may have been interrupted already.
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	tenant := tenantOf(ts)
	tenant.command = command
	ts.Check(startSimulation(command, tenant))
}

// scriptedProgram is the program of a script.
func scriptedProgram(ts *testscript.TestScript) string {
	folder, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	return filepath.Join(folder, "xsoar-defender")
}

// startSimulation starts a simulated tenant, and comes back when it is ready.
func startSimulation(command *exec.Cmd, tenant *scriptedTenant) error {
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	return tenant.await(bufio.NewScanner(out))
}

// await reads what the tenant says until it has said all.
func (s *scriptedTenant) await(lines *bufio.Scanner) error {
	file := ""
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "    "):
			s.needs[file] = append(s.needs[file], strings.TrimSpace(line))
		case strings.HasSuffix(line, ".json"):
			file = line
		case strings.HasPrefix(line, "Interrupt"):
			return nil
		}
	}
	return errors.Join(errors.New("the tenant did not start"), lines.Err())
}

// scriptInterrupt ends the tenant as a user does, which it takes for no failure.
func scriptInterrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: interrupt")
	}
	command := tenantOf(ts).command
	ts.Check(command.Process.Signal(os.Interrupt))
	ts.Check(command.Wait())
}

// scriptNeeds sets the environment variables that the program says an instance needs: needs FILE.
func scriptNeeds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: needs FILE")
	}
	variables := tenantOf(ts).needs[args[0]]
	if len(variables) == 0 {
		ts.Fatalf("%s needs no environment variables", args[0])
	}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if name == "AZURE_FEDERATED_TOKEN_FILE" {
			value = ts.MkAbs(value)
		}
		ts.Setenv(name, value)
	}
}

// scriptJSON compares a value in a JSON file, or in stdout, with a text: json FILE PATH [WANT]. Without WANT, and
// with "!" before it, the value is missing.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	const present, absent = 3, 2
	if len(args) != map[bool]int{false: present, true: absent}[neg] {
		ts.Fatalf("usage: json FILE PATH WANT, or ! json FILE PATH")
	}
	text := ts.ReadFile(args[0])
	if !gjson.Valid(text) {
		ts.Fatalf("%s is no JSON document: %s", args[0], text)
	}
	got := gjson.Get(text, args[1])
	switch {
	case neg && got.Exists():
		ts.Fatalf("%s is %s, want none", args[1], got)
	case !neg && (!got.Exists() || got.String() != args[2]):
		ts.Fatalf("%s is %q, want %q", args[1], got, args[2])
	}
}

// scriptExecution writes what the platform would send: execution INSTANCE COMMAND ARGUMENTS FILE.
func scriptExecution(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: execution INSTANCE COMMAND ARGUMENTS FILE")
	}
	request := platformtest.Request{Command: args[1], Instance: args[0]}
	ts.Check(json.Unmarshal([]byte(parametersOf(ts, args[0])), &request.Params))
	ts.Check(json.Unmarshal([]byte(args[2]), &request.Args))
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(request.Line()), 0o600))
}

// scriptParameters writes an instance file that has no name: parameters INSTANCE FILE.
func scriptParameters(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: parameters INSTANCE FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(parametersOf(ts, args[0])), 0o600))
}

// scriptUnzip unpacks an archive into a new folder, and says on stdout what is in it: unzip ARCHIVE FOLDER.
func scriptUnzip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unzip ARCHIVE FOLDER")
	}
	archive, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer archive.Close()
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), archive))
	for _, file := range archive.File {
		fmt.Fprintln(ts.Stdout(), file.Name)
	}
}

func parametersOf(ts *testscript.TestScript, file string) string {
	return gjson.Get(ts.ReadFile(file), "params").Raw
}

// scriptLogin logs a user in with the program, and wants it to end well: login browser|paste [ARGUMENT ...]. The user
// opens the login page that the program shows, and either follows it to its end, which is written to login.page, or
// pastes where it leads to. What the program writes goes to login.out and login.err.
func scriptLogin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || args[0] != "browser" && args[0] != "paste" {
		ts.Fatalf("usage: login browser|paste [ARGUMENT ...]")
	}
	command := exec.Command(scriptedProgram(ts), append([]string{"login"}, args[1:]...)...)
	command.Dir, command.Env = ts.Getenv("WORK"), []string{"HOME=" + ts.Getenv("HOME"), noPauseAtExit}
	var out strings.Builder
	command.Stdout = &out
	errs, err := command.StderrPipe()
	ts.Check(err)
	in, err := command.StdinPipe()
	ts.Check(err)
	ts.Check(command.Start())
	ts.Defer(func() {
		// It has ended, unless something failed.
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	var said strings.Builder
	page := ""
	for lines := bufio.NewScanner(errs); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if strings.HasPrefix(lines.Text(), "https://") {
			status, back, text, err := openPage(lines.Text(), args[0] == "browser")
			ts.Check(err)
			page = fmt.Sprintln(status) + text
			if args[0] == "paste" {
				_, err := fmt.Fprintln(in, back)
				ts.Check(err)
			}
		}
	}
	err = command.Wait()
	for name, text := range map[string]string{"login.out": out.String(), "login.err": said.String(), "login.page": page} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
	if err != nil {
		ts.Fatalf("login: %v\n%s", err, said.String())
	}
}

// openPage opens a page as a browser does, to its end or only to see where it leads.
func openPage(address string, follow bool) (status int, leads, text string, err error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the tenant's is its own
	}}
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	response, err := client.Get(address)
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Get("Location"), string(page), err
}

// scriptRedirects sets an instance a redirect URI with a port that is free: redirects FILE.
func scriptRedirects(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: redirects FILE")
	}
	uri, err := loopbacktest.FreeURI()
	ts.Check(err)
	changeInstance(ts, args[0], args[0], "redirect_uri", uri)
}

// scriptPastes puts the text of a file into Authorization code of an instance: pastes TEXT FILE NEW-FILE.
func scriptPastes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: pastes TEXT FILE NEW-FILE")
	}
	changeInstance(ts, args[1], args[2], "auth_code", map[string]any{"identifier": "", "password": ts.ReadFile(args[0])})
}

// changeInstance writes an instance file with one parameter changed. The new one has no name.
func changeInstance(ts *testscript.TestScript, from, to, name string, value any) {
	var params map[string]any
	ts.Check(json.Unmarshal([]byte(parametersOf(ts, from)), &params))
	params[name] = value
	text, err := json.Marshal(map[string]any{"params": params})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(to), text, 0o600))
}

// scriptSed writes a file with what an expression matches replaced: sed FROM TO EXPRESSION REPLACEMENT. It matches.
func scriptSed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: sed FROM TO EXPRESSION REPLACEMENT")
	}
	expression, err := regexp.Compile(args[2])
	ts.Check(err)
	before := ts.ReadFile(args[0])
	after := expression.ReplaceAllString(before, args[3])
	if after == before {
		ts.Fatalf("%s does not match %s", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(after), 0o600))
}

// noPauseAtExit is for the race detector, which otherwise has every process wait a second before it ends.
const noPauseAtExit = "GORACE=atexit_sleep_ms=0"

// program returns the program under a name that it is started by, as a command with an environment of its own.
func program(t testing.TB, name string, environment map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	return commandIn(t, folderOfProgram(t), name, environment, args...)
}

// laterProgram returns the program at another time, which aheadVariable in the environment says.
func laterProgram(t testing.TB, environment map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	return commandIn(t, folderOfLaterProgram(t), "xsoar-defender", environment, args...)
}

func commandIn(t testing.TB, folder, name string, environment map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(filepath.Join(folder, name), args...)
	command.Env = []string{"HOME=" + t.TempDir(), noPauseAtExit}
	for _, variable := range slices.Sorted(maps.Keys(environment)) {
		command.Env = append(command.Env, variable+"="+environment[variable])
	}
	return command
}

// startTenant starts a simulated tenant for a test.
func startTenant(t *testing.T, options simulator.Options) *simulator.Tenant {
	t.Helper()
	tenant, err := simulator.Start(options)
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

// getMachines is an execution that needs a token.
func getMachines(params map[string]any) platformtest.Request {
	return platformtest.Request{Command: "microsoft-atp-get-machines", Args: map[string]any{"page_size": "1"}, Params: params}
}

func TestLineOverTheCapIsOneErrorAndTheLoopGoesOn(t *testing.T) {
	t.Parallel()
	plugin := platformtest.New().Start(t, program(t, "xsoar-defender", nil))
	if err := plugin.Send(strings.Repeat("x", platform.MaxLine+1)); err != nil {
		t.Fatal(err)
	}
	outcome, err := plugin.Complete()
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome.Failure(); len(outcome.Entries) != 1 || !strings.Contains(got, "64 MiB") {
		t.Errorf("got the entries %+v, want one error that names the limit", outcome.Entries)
	}
	if err := errors.Join(plugin.Ping(), plugin.Close()); err != nil {
		t.Errorf("after the line: %v", err)
	}
}

func TestInputThatEndsInACallbackEndsTheProcess(t *testing.T) {
	t.Parallel()
	tenant := startTenant(t, simulator.Options{})
	plugin := platformtest.New().Start(t, program(t, "xsoar-defender", nil))
	plugin.Hook = func(string) (string, bool) { return "", plugin.CloseInput() == nil }
	if _, err := plugin.Run(getMachines(tenant.Instance("client-secret"))); !errors.Is(err, platformtest.ErrEnded) {
		t.Errorf("got %v, want the end of the output", err)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the process ended with %v, want exit code 0", err)
	}
	if got := plugin.Errors(); !strings.Contains(got, "in the middle of an execution") {
		t.Errorf("the standard error says %q, want what happened", got)
	}
}

// TestInputThatEndsInARequestEndsTheProcess closes the input while the service does not answer.
func TestInputThatEndsInARequestEndsTheProcess(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	defer close(answer)
	tenant := startTenant(t, simulator.Options{Clock: system.Clock{Sleep: func(ctx context.Context, _ time.Duration) error {
		close(asked)
		select {
		case <-answer:
		case <-ctx.Done():
		}
		return nil
	}}})
	tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Delay: time.Hour, Times: 1})
	plugin := platformtest.New().Start(t, program(t, "xsoar-defender", nil))
	go func() {
		<-asked
		if err := plugin.CloseInput(); err != nil {
			t.Errorf("closing the input: %v", err)
		}
	}()
	outcome, err := plugin.Run(getMachines(tenant.Instance("client-secret")))
	if err != nil || !strings.Contains(outcome.Failure(), "closed the input") {
		t.Errorf("got %v and %q, want an error entry that says why it ended", err, outcome.Failure())
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the process ended with %v, want exit code 0", err)
	}
}

func TestTerminationLetsAnExecutionEnd(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	tenant := startTenant(t, simulator.Options{Clock: system.Clock{Sleep: func(context.Context, time.Duration) error {
		close(asked)
		<-answer
		return nil
	}}})
	tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Delay: time.Second, Times: 1})
	plugin := platformtest.New().Start(t, program(t, "xsoar-defender", nil))
	if err := plugin.Ping(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(answer)
		<-asked
		if err := plugin.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("signalling: %v", err)
		}
	}()
	outcome, err := plugin.Run(getMachines(tenant.Instance("client-secret")))
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome.Shown(); outcome.Failure() != "" || len(got) != 1 {
		t.Errorf("got %+v, want the machines", got)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the process ended with %v, want exit code 0", err)
	}
}

func TestOneProcessServesInstancesThatShareNothing(t *testing.T) {
	t.Parallel()
	first, second := startTenant(t, simulator.Options{Seed: 1}), startTenant(t, simulator.Options{Seed: 2})
	plugin := platformtest.New().Start(t, program(t, "python3", nil, "-S", "loop.py"))
	// A context that is wrongly shared is the worst that can happen.
	for range 2 {
		for _, tenant := range []*simulator.Tenant{first, second} {
			outcome, err := plugin.Run(getMachines(tenant.Instance("client-secret")))
			if err != nil || outcome.Failure() != "" {
				t.Fatalf("got %v %s", err, outcome.Failure())
			}
		}
	}
	for _, tenant := range []*simulator.Tenant{first, second} {
		for _, request := range tenant.Requests() {
			if request.Status >= http.StatusBadRequest {
				t.Errorf("%s was asked %s %s and answered %d", tenant.TenantID(), request.Method, request.URI, request.Status)
			}
		}
		if got := countTokenRequests(tenant); got != 1 {
			t.Errorf("%s was asked for %d tokens, want 1", tenant.TenantID(), got)
		}
	}
	if err := plugin.Close(); err != nil {
		t.Errorf("the process ended with %v, want exit code 0", err)
	}
}
