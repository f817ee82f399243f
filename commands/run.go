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

// Host is the platform's service to a command while it runs.
type Host interface {
	auth.Store
	warroom.FileStore
	// LastRun returns what the previous fetch saved, or an empty object if there was none.
	LastRun(ctx context.Context) (json.RawMessage, error)
	// SetLastRun saves the state for the next fetch.
	SetLastRun(ctx context.Context, value json.RawMessage) error
	// Log writes a line for an operator.
	Log(ctx context.Context, text string)
}

// SignIn is the part of the sign-in that commands about the connection need.
type SignIn interface {
	// Forget makes the next request sign in again.
	Forget()
	// Claims reads the access token; ok is false if it is not readable.
	Claims(ctx context.Context) (claims auth.Claims, ok bool, err error)
	// LoginURL prepares a user's sign-in and returns the address to open.
	LoginURL(ctx context.Context) (string, error)
}

// Prober examines the network route to the instance's hosts for commands about the connection.
type Prober interface {
	// Resolve returns the addresses of a host, in order.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	// Route returns the route on which the instance contacts a target.
	Route(target *url.URL) (Route, error)
	// SignIn returns what the token requests of this execution have shown so far, and API what the API requests have.
	SignIn() Contact
	API() Contact
}

// Route is the route to a target.
type Route struct {
	// Proxy is the address of the proxy without its credentials, or nil if the target is contacted directly.
	Proxy *url.URL
	// Exempt reports whether a proxy is configured but not used for this target.
	Exempt bool
}

// Contact is what the requests of an execution to one service have shown.
type Contact struct {
	// Target is the URL of the latest request, or nil if there was none.
	Target *url.URL
	// Err is why the latest request was not answered, or nil if it was.
	Err error
	// Header is the header of the latest answer, or nil if there was none, and At the time of its arrival by the clock
	// of this machine.
	Header http.Header
	At     time.Time
	// TLS is the connection of the latest answer, or nil if there was none or the connection was plain HTTP.
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
	// Brand is the vendor name of scores.
	Brand string
	// All returns every command, for commands that report on them.
	All func() []Command

	command Command
	raw     map[string]json.RawMessage
}
