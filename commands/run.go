package commands

import (
	"context"
	"encoding/json"
	"io"
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

// Run is one execution as a handler sees it.
type Run struct {
	Instance params.Instance
	API      *defender.Client
	SignIn   SignIn
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
