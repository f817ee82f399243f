package commandstest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Brand is the vendor under which the instance gives scores.
const Brand = "Microsoft Defender Advanced Threat Protection"

// Start is the time at which every test begins.
func Start() time.Time { return time.Date(2026, time.November, 20, 10, 15, 0, 0, time.UTC) }

// Clock is a clock that stands still but for Sleep and Advance.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that shows Start.
func NewClock() *Clock { return &Clock{now: Start()} }

// Now is the time.
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

// Sleep lets the time pass at once.
func (c *Clock) Sleep(ctx context.Context, wait time.Duration) error {
	c.Advance(wait)
	return context.Cause(ctx)
}

// Random is a source of randomness that several goroutines may read and that gives the same in every run.
type Random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// NewRandom makes a source.
func NewRandom() *Random { return &Random{source: rand.NewChaCha8([32]byte{})} }

// Read fills into.
func (r *Random) Read(into []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(into)
}
