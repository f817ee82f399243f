// Package system has the things that the program takes from the machine that it runs on, besides its streams. main makes it once,
// and every part that needs some of it is passed it whole.
package system

import (
	"context"
	"io"
	"time"
)

// Clock shows the time and lets it pass.
type Clock struct {
	Now func() time.Time
	// Sleep waits, and returns nil, or the cause of the context's end if that comes first.
	Sleep func(ctx context.Context, wait time.Duration) error
}

// System is the machine's clock, randomness and environment.
type System struct {
	Clock

	Random io.Reader
	// Getenv returns the value of an environment variable, or "" if it is not set.
	Getenv func(name string) string
}

// Sleep waits in real time, as a Clock does.
func Sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
