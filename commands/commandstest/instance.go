// Package commandstest runs commands end to end in tests, with an integration instance whose sign-in and API are a
// simulated tenant, and a platform that keeps everything in memory. Time passes only when a command waits.
package commandstest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/defender"
	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// Instance is an integration instance with a simulated tenant of its own.
type Instance struct {
	Tenant *simulator.Tenant
	// Params are the instance's parameters, as the platform hands them over; a test may change them.
	Params map[string]any
	Host   *Host
	Clock  *testclock.Clock
	// Limits bound the requests of the runs that follow; zero values stand for the client's defaults.
	Limits defender.Limits
	// Progress, if set, receives the progress of long requests.
	Progress defender.Progress
	// Environment are the variables that the runs that follow see.
	Environment map[string]string

	t      testing.TB
	runner *execution.Runner
	held   *atomic.Bool
	errors *bytes.Buffer
}

// registry is the same for all instances: it takes longer to make than a command to run.
var registry = sync.OnceValue(commands.NewRegistry)

// New starts a tenant and an instance that signs in to it with a client secret. Both end with the test.
func New(t testing.TB) *Instance {
	t.Helper()
	clock := NewClock()
	held := &atomic.Bool{}
	tenant, err := simulator.Start(simulator.Options{Seed: 1, Clock: system.Clock{Now: clock.Now, Sleep: func(ctx context.Context, wait time.Duration) error {
		if held.Load() {
			<-ctx.Done()
		}
		return clock.Sleep(ctx, wait)
	}}})
	if err != nil {
		t.Fatalf("starting the simulated tenant: %v", err)
	}
	t.Cleanup(func() {
		if err := tenant.Close(); err != nil {
			t.Errorf("ending the simulated tenant: %v", err)
		}
	})
	i := &Instance{Tenant: tenant, Params: tenant.Instance("client-secret"), Host: NewHost(t.TempDir()), Clock: clock, held: held, t: t, errors: &bytes.Buffer{}}
	transports := execution.NewTransports()
	transports.DialDirect = i.dialIdentity
	i.runner = &execution.Runner{
		System:   system.System{Clock: clock.Clock(), Random: NewRandom(), Getenv: func(name string) string { return i.Environment[name] }},
		Commands: registry(), Version: "1.0.0", Errors: i.errors,
		Transports: transports, Process: &auth.ProcessTokens{}, Mirrored: &commands.MirrorMemories{},
	}
	return i
}

// dialIdentity leads connections to the managed identity endpoint to the one of the instance's environment, or else to the
// tenant's: no test may ask the instance metadata service of the machine it runs on.
func (i *Instance) dialIdentity(ctx context.Context, network, _ string) (net.Conn, error) {
	endpoint, err := url.Parse(cmp.Or(i.Environment["IDENTITY_ENDPOINT"], i.Tenant.IdentityURL()))
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, endpoint.Host)
}

// OfflineTransports returns transports that reach no managed identity endpoint, for tests without a simulated one.
func OfflineTransports() *execution.Transports {
	transports := execution.NewTransports()
	transports.DialDirect = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no managed identity endpoint in this test")
	}
	return transports
}

// In returns the same instance for a part of the test, such as one input of a fuzz test.
func (i *Instance) In(t testing.TB) *Instance {
	part := *i
	part.t = t
	return &part
}

// CloseIdleConnections closes the connections that commands left open for those after them.
func (i *Instance) CloseIdleConnections() {
	i.runner.Transports.Direct().CloseIdleConnections()
	instance, err := params.Decode(rawJSON(i.t, i.Params), i.runner.Getenv)
	if err != nil {
		i.t.Fatal(err)
	}
	i.runner.Transports.For(instance, i.runner.Getenv).CloseIdleConnections()
}

// Answer scripts the answer of the API, or of Microsoft Graph, to every request of a method and a path from now on.
func (i *Instance) Answer(method, path string, status int, body string) {
	kind := simulator.KindAPI
	if strings.HasPrefix(path, "/v1.0/") {
		kind = simulator.KindGraph
	}
	i.Tenant.Script(simulator.Fault{Kind: kind, Method: method, Path: path, Status: status, Body: body})
}

// Hold reports whether the tenant's delays last until the client gives up, instead of passing at once.
func (i *Instance) Hold(held bool) { i.held.Store(held) }

// Run runs a command with its arguments, as the platform would.
func (i *Instance) Run(command string, args map[string]any) Result {
	i.t.Helper()
	before := len(i.Tenant.Requests())
	request := execution.Request{
		Command: command, Args: rawArguments(i.t, args), Params: rawJSON(i.t, i.Params), Instance: "instance", Brand: Brand,
	}
	i.runner.Limits, i.runner.Progress = i.Limits, i.Progress
	ran := i.runner.Run(context.Background(), request, i.Host)
	if i.errors.Len() > 0 {
		i.t.Fatalf("%s wrote to the operator: %s", command, i.errors.String())
	}
	result := Result{Result: ran, Command: command, t: i.t}
	for _, request := range i.Tenant.Requests()[before:] {
		if request.Kind == simulator.KindAPI || request.Kind == simulator.KindGraph || request.Kind == simulator.KindDownload {
			result.Requests = append(result.Requests, request)
		}
	}
	return result
}

// Again runs what an entry scheduled, after the wait that it asked for.
func (i *Instance) Again(entry Entry) Result {
	i.t.Helper()
	if entry.Poll == nil {
		i.t.Fatalf("the entry schedules nothing: %s", entry.Readable())
	}
	i.Clock.Advance(max(entry.Poll.After, warroom.LeastWait))
	return i.Run(entry.Poll.Command, entry.Poll.Args)
}

func rawArguments(t testing.TB, args map[string]any) map[string]json.RawMessage {
	raw := make(map[string]json.RawMessage, len(args))
	for name, value := range args {
		raw[name] = rawJSON(t, value)
	}
	return raw
}

func rawJSON(t testing.TB, value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("encoding %v: %v", value, err)
	}
	return raw
}
