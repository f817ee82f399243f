package defender

import (
	"context"
	"sync"
	"time"

	"xsoar-defender/internal/system"
)

// patience is the wait that all requests of one client share. The service counts requests of an application,
// so when it sends one request away for ten seconds the others wait as well; and when it names a time that is
// too far, no other request is sent before it.
type patience struct {
	clock system.Clock

	mu     sync.Mutex
	left   time.Duration
	until  time.Time // nothing is sent before
	closed bool      // until is too far for this execution
}

func newPatience(budget time.Duration, clock system.Clock) *patience {
	return &patience{clock: clock, left: budget}
}

// ready waits until a request may be sent. A positive duration means that it may no longer be sent in this
// execution, and how long it would have to wait.
func (p *patience) ready(ctx context.Context) (time.Duration, error) {
	for {
		p.mu.Lock()
		wait, closed := p.until.Sub(p.clock.Now()), p.closed
		p.mu.Unlock()
		if wait <= 0 {
			return 0, nil
		}
		if closed {
			return wait, nil
		}
		if err := p.clock.Sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
}

// shared takes a pause of all requests from the budget; false means that the budget does not have it, and that
// nothing is sent until the pause has passed.
func (p *patience) shared(pause time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if !p.until.After(now) {
		p.until, p.closed = now, false
	}
	until := now.Add(pause)
	if more := until.Sub(p.until); more > 0 {
		p.until = until
		if p.closed = p.closed || more > p.left; !p.closed {
			p.left -= more
		}
	}
	return !p.closed
}

// alone takes a pause of one request from the budget and waits; false means that the budget does not have it
// or that ctx ended.
func (p *patience) alone(ctx context.Context, pause time.Duration) bool {
	p.mu.Lock()
	enough := pause <= p.left
	if enough {
		p.left -= pause
	}
	p.mu.Unlock()
	return enough && p.clock.Sleep(ctx, pause) == nil
}
