package commands

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// Host is what the platform does for a command while it runs.
type Host interface {
	auth.Store
	warroom.FileStore
	// LastRun gives what the previous fetch left behind; an empty object when there was none.
	LastRun(ctx context.Context) (json.RawMessage, error)
	// SetLastRun leaves something behind for the next fetch.
	SetLastRun(ctx context.Context, value json.RawMessage) error
	// Log writes a line for an operator.
	Log(ctx context.Context, text string)
}

// SignIn is what commands about the connection itself need of the sign-in.
type SignIn interface {
	// Forget makes the next request sign in anew.
	Forget()
	// Claims reads the access token; ok is false when it is not readable.
	Claims(ctx context.Context) (claims auth.Claims, ok bool, err error)
	// LoginURL prepares a user's sign-in and gives the address to open.
	LoginURL(ctx context.Context) (string, error)
}

// Prober is what commands about the connection itself need to know of the way to the instance's hosts.
type Prober interface {
	// Resolve gives the addresses of a host, in order.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	// Route gives the way on which the instance asks a target.
	Route(target *url.URL) (Route, error)
	// SignIn is what requests for tokens have shown so far in this execution, and API what those to the API have.
	SignIn() Contact
	API() Contact
}

// Route is the way to a target.
type Route struct {
	// Proxy is the address of the proxy without its credentials; nil when the target is asked directly.
	Proxy *url.URL
	// Exempt says that there is a proxy, but not for this target.
	Exempt bool
}

// Contact is what the requests of an execution to one service have shown.
type Contact struct {
	// Target is where the newest request went; nil when there was none.
	Target *url.URL
	// Err is why the newest request got no answer; nil when it got one.
	Err error
	// Header is of the newest answer, and At is when it came by the clock of this machine; nil when there was none.
	Header http.Header
	At     time.Time
	// TLS is the connection of the newest answer; nil when there was none, or over plain http.
	TLS *tls.ConnectionState
}

// Run is one execution as a handler sees it.
type Run struct {
	Instance params.Instance
	API      *defender.Client
	SignIn   SignIn
	Network  Prober
	Host     Host
	Now      func() time.Time
	Random   io.Reader
	// Brand is the vendor under which scores are given.
	Brand string
	// All are all commands there are, for those that report on them.
	All func() []Command

	command Command
	raw     map[string]json.RawMessage
}
