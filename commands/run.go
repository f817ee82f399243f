package commands

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// Host is the platform's service to a command while it runs.
type Host interface {
	auth.IntegrationContext
	warroom.FileStore
	// LastRun returns what the previous fetch saved, or an empty object without one.
	LastRun(ctx context.Context) (json.RawMessage, error)
	// SetLastRun saves the state for the next fetch.
	SetLastRun(ctx context.Context, value json.RawMessage) error
	// MirrorRun returns the state that the previous round of mirroring saved, or an empty object before the first.
	MirrorRun(ctx context.Context) (json.RawMessage, error)
	// SetMirrorRun saves the state for the next round of mirroring.
	SetMirrorRun(ctx context.Context, value json.RawMessage) error
	// FindUser returns a user of the platform by name or by email address, or an empty object if it knows no such user.
	FindUser(ctx context.Context, username, email string) (rawjson.Value, error)
	// Log writes a line for an operator.
	Log(ctx context.Context, text string)
}

// SignIn is the part of the sign-in that commands about the connection need.
type SignIn interface {
	// Forget makes the next request sign in again.
	Forget()
	// Claims reads the access token. It returns false if the token cannot be read.
	Claims(ctx context.Context) (auth.Claims, bool, error)
	// LoginURL prepares a user's sign-in and returns the address to open.
	LoginURL(ctx context.Context) (string, error)
	// Reset deletes everything that is stored about the sign-in.
	Reset(ctx context.Context) error
}

// Run is one execution as a handler sees it.
type Run struct {
	Instance params.Instance
	API      *defender.Client
	SignIn   SignIn
	Host     Host
	Now      func() time.Time
	Random   io.Reader
	// Brand is the vendor name of scores.
	Brand string
	// Diagnose examines the connection of the instance.
	Diagnose func(ctx context.Context) *diagnosis.Diagnosis
	// InstanceName is the name of the instance on the platform, and Investigation the ID of the incident that the command
	// runs in.
	InstanceName, Investigation string
	// Mirrored keeps what the process has read for mirroring; nil keeps nothing.
	Mirrored *MirrorMemory

	// Quota is the command's place in the quota that it shares with other processes; nil without one.
	Quota *Quota

	command Command
	raw     map[string]json.RawMessage
	// began is when this run began; until and whole were set by earlier runs, or are zero (see deadline, wholeOf).
	began, until time.Time
	whole        int
	// failed is how many of the whole have failed in earlier runs. What fails in this one is added before it is scheduled again.
	failed int
}
