package defender

import (
	"context"
	"sync"
	"time"
)

// Quota is the quota of an application, as several clients share it.
type Quota interface {
	// Share returns until when the service refuses requests, and how many requests a minute are the client's; 0 if only the
	// service's own limits count.
	Share(ctx context.Context) (until time.Time, perMinute int)
	// Refused notes that the service refuses requests until a time, and returns the client's share after it.
	Refused(ctx context.Context, until time.Time) (perMinute int)
}

// pace keeps an execution within the calls a minute that the service states for an operation: what it would
// refuse is not sent. Calls of other executions are not known here; the service answers 429 for them.
type pace struct {
	now func() time.Time

	mu sync.Mutex
	// share is the number of requests a minute that are this client's of the application's quota; 0 for no limit.
	share int
	sent  map[string][]time.Time // by operation, of the last minute, oldest first

	places chan struct{} // of requests under way while others share the quota
}

// sharedAtOnce is how many requests are under way at most while others share the quota. When it ends, the service refuses
// each of them; and two at once are more than anyone's share of it, unless the service takes over a second for each.
const sharedAtOnce = 2

func newPace(now func() time.Time) *pace {
	return &pace{now: now, sent: map[string][]time.Time{}, places: make(chan struct{}, sharedAtOnce)}
}

// enter waits for a place among the requests under way, which leave returns, if others share the quota of the operation.
func (p *pace) enter(ctx context.Context, operation Operation) (leave func(), err error) {
	p.mu.Lock()
	alone := p.share == 0
	p.mu.Unlock()
	if alone || operation.Rate != usualRate {
		return func() {}, nil
	}
	select {
	case p.places <- struct{}{}:
		return func() { <-p.places }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// take counts a call that is about to be sent, or returns how long it must wait until the service accepts it.
func (p *pace) take(operation Operation) time.Duration {
	if operation.PerMinute == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	sent := p.lastMinute(operation, now)
	if len(sent) >= operation.PerMinute {
		return sent[0].Add(time.Minute).Sub(now)
	}
	if operation.Rate == usualRate {
		all := p.lastMinute(Operation{}, now) // of all operations with this rate
		if p.share > 0 && len(all) >= p.share {
			return all[len(all)-p.share].Add(time.Minute).Sub(now)
		}
		p.sent[Operation{}.key()] = append(all, now)
	}
	p.sent[operation.key()] = append(sent, now)
	return 0
}

// lastMinute returns when calls of an operation were sent, and forgets those that are over a minute old. The lock is held.
func (p *pace) lastMinute(operation Operation, now time.Time) []time.Time {
	sent := p.sent[operation.key()]
	for len(sent) > 0 && now.Sub(sent[0]) >= time.Minute {
		sent = sent[1:]
	}
	p.sent[operation.key()] = sent
	return sent
}

// key identifies an operation.
func (o Operation) key() string { return o.Method + o.Path }

// Headroom is how many more calls of an operation this client would send within the minute, of those that the service
// states for it. Calls of other executions, which count as well, are not known here. False means that the service
// states no rate for it.
func (c *Client) Headroom(operation Operation) (left int, stated bool) {
	c.pace.mu.Lock()
	defer c.pace.mu.Unlock()
	return operation.PerMinute - len(c.pace.lastMinute(operation, c.pace.now())), operation.PerMinute > 0
}

// limit sets the client's share of the application's quota.
func (p *pace) limit(share int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share = share
}
