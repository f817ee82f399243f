// Package testclock is the clock of the tests: it stands still except for Advance and Sleep, so that no test needs real
// time.
package testclock

import (
	"context"
	"slices"
	"sync"
	"time"

	"xsoar-defender/internal/system"
)

// Clock may be used from several goroutines at once.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

// New returns a clock that shows start.
func New(start time.Time) *Clock { return &Clock{now: start} }

// Clock returns c as the program takes it.
func (c *Clock) Clock() system.Clock { return system.Clock{Now: c.Now, Sleep: c.Sleep} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// Sleep lets the time pass at once and remembers it for Waits, unless the context has ended: then no time passes, and
// Sleep returns the context's cause.
func (c *Clock) Sleep(ctx context.Context, wait time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(wait)
	c.waits = append(c.waits, wait)
	return nil
}

// Waits returns the durations that Sleep was called with, in order.
func (c *Clock) Waits() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.waits)
}
