package defender

import (
	"sync"
	"time"
)

// pace keeps an execution within the calls a minute that the service states for an operation: what it would
// refuse is not sent. Calls of other executions are not known here; the service tells of them with 429.
type pace struct {
	now func() time.Time

	mu   sync.Mutex
	sent map[string][]time.Time // by operation, of the last minute, oldest first
}

func newPace(now func() time.Time) *pace { return &pace{now: now, sent: map[string][]time.Time{}} }

// take counts a call that is about to be sent, or gives how long it has to wait until the service takes it.
func (p *pace) take(operation Operation) time.Duration {
	if operation.PerMinute == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	key := operation.Method + operation.Path
	sent := p.sent[key]
	for len(sent) > 0 && now.Sub(sent[0]) >= time.Minute {
		sent = sent[1:]
	}
	if len(sent) >= operation.PerMinute {
		p.sent[key] = sent
		return sent[0].Add(time.Minute).Sub(now)
	}
	p.sent[key] = append(sent, now)
	return 0
}
