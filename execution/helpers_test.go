package execution_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/params"
)

// childVariable makes the test binary carry one execution out instead of the tests: some things are read from the
// environment once in the life of a process.
const childVariable = "EXECUTION_TEST_CHILD"

func TestMain(m *testing.M) {
	if command := os.Getenv(childVariable); command != "" {
		os.Exit(child(command))
	}
	os.Exit(m.Run())
}

// child runs a command for the instance on stdin and writes "ok" or the error to stdout.
func child(command string) int {
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(folder)
	runner := newRunner(commandstest.NewClock(), os.Stderr, os.Getenv)
	result := runner.Run(context.Background(), execution.Request{Command: command, Params: raw, Instance: "child"}, commandstest.NewHost(folder))
	if result.Err != nil {
		fmt.Println(result.Err)
		return 0
	}
	fmt.Println("ok")
	return 0
}

func newRunner(clock *testclock.Clock, errors io.Writer, getenv func(string) string) *execution.Runner {
	return &execution.Runner{
		System:   system.System{Clock: clock.Clock(), Random: commandstest.NewRandom(), Getenv: getenv},
		Commands: commands.NewRegistry(), Version: "1.0.0", Errors: errors, Transports: execution.NewTransports(), Process: &auth.ProcessTokens{},
	}
}

// log is where the details of mistakes go; several goroutines may write.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was written, and forgets it.
func (l *log) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// world is a runner, as a process has one, and a tenant.
type world struct {
	*execution.Runner

	t      *testing.T
	clock  *testclock.Clock
	tenant *simulator.Tenant
	log    *log
	// environment are the variables that the runner sees.
	environment map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: commandstest.NewClock(), log: &log{}, environment: map[string]string{}}
	w.tenant = w.newTenant(1)
	w.Runner = newRunner(w.clock, w.log, func(name string) string { return w.environment[name] })
	identity, err := url.Parse(w.tenant.IdentityURL())
	if err != nil {
		t.Fatal(err)
	}
	w.Transports.DialDirect = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, identity.Host)
	}
	t.Cleanup(func() {
		w.Transports.Direct().CloseIdleConnections()
		if left := w.log.take(); left != "" {
			t.Errorf("got %s, want nothing for the operator", left)
		}
	})
	return w
}

func (w *world) newTenant(seed uint64) *simulator.Tenant {
	w.t.Helper()
	tenant, err := simulator.Start(simulator.Options{Clock: w.clock.Clock(), Seed: seed})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := tenant.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return tenant
}

// host is a platform for one instance.
func (w *world) host() *commandstest.Host { return commandstest.NewHost(w.t.TempDir()) }

// run runs a command for an instance.
func (w *world) run(command string, args map[string]any, instance map[string]any, host commands.Host) execution.Result {
	w.t.Helper()
	request := execution.Request{Command: command, Args: map[string]json.RawMessage{}, Params: encode(w.t, instance), Instance: "instance", Brand: "brand"}
	for name, value := range args {
		request.Args[name] = encode(w.t, value)
	}
	return w.Run(w.t.Context(), request, host)
}

func encode(t *testing.T, value any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// with returns the parameters with changes.
func with(instance map[string]any, changes map[string]any) map[string]any {
	changed := maps.Clone(instance)
	maps.Copy(changed, changes)
	return changed
}

// decode returns the instance that parameters describe.
func decode(t *testing.T, instance map[string]any) params.Instance {
	t.Helper()
	decoded, err := params.Decode(encode(t, instance), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// bearers are the tokens that a tenant's API was sent.
func bearers(tenant *simulator.Tenant) []string {
	var tokens []string
	for _, request := range tenant.Requests() {
		if request.Kind == simulator.KindAPI {
			tokens = append(tokens, strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
		}
	}
	return tokens
}
