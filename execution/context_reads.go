package execution

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"xsoar-defender/commands"
)

// readLife is how long a reading of the integration context may be handed on. Between the questions of the parts of an
// execution there is no more than the building of a request, unless the quota has made the command wait.
const readLife = time.Second

// contextReads is the platform as a command sees it, whose integration context the quota and the sign-in need as well. Every
// reading is a question to the server, and takes it longer than all that a small command does. So what one of them has
// read is handed on to the others, which ask a moment later.
type contextReads struct {
	commands.Host

	now func() time.Time

	mu    sync.Mutex
	early time.Time // when the platform was asked before anybody needed the answer; zero once somebody has read it
	// number counts the readings. begun is when the newest was asked for, and values what it brought; nil if there is
	// nothing to hand on.
	number int64
	begun  time.Time
	values map[string]json.RawMessage
}

func newContextReads(host commands.Host, now func() time.Time) *contextReads {
	return &contextReads{Host: host, now: now}
}

// Load reads the integration context.
func (r *contextReads) Load(ctx context.Context) (map[string]json.RawMessage, error) {
	values, _, err := r.read(ctx)
	return values, err
}

// prefetcher is a platform that can be asked for the integration context before it is needed, and looks it up meanwhile.
type prefetcher interface{ Prefetch() }

// prefetch asks a platform that can be asked early. The first reading is as old as this question then.
func (r *contextReads) prefetch() {
	if platform, ok := r.Host.(prefetcher); ok {
		r.early = r.now()
		platform.Prefetch()
	}
}

func (r *contextReads) read(ctx context.Context) (values map[string]json.RawMessage, number int64, err error) {
	begun := r.begin()
	values, err = r.Host.Load(ctx)
	if err != nil {
		return nil, 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	r.begun, r.values = begun, maps.Clone(values)
	return values, r.number, nil
}

// begin returns since when the answer to a question asked now may be known.
func (r *contextReads) begin() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun := r.now()
	if !r.early.IsZero() {
		begun, r.early = r.early, time.Time{}
	}
	return begun
}

// Update changes the integration context. What was read before is not handed on after that.
func (r *contextReads) Update(ctx context.Context, change func(values map[string]json.RawMessage) (bool, error)) error {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.values = nil
	}()
	return r.Host.Update(ctx, change)
}

// contextShare is the platform as the quota or the sign-in sees it. Neither gets the same reading twice: one that asks again
// wants to know what is new.
type contextShare struct {
	*contextReads

	last atomic.Int64
}

// Load returns what another part of the execution has just read, or reads the integration context.
func (s *contextShare) Load(ctx context.Context) (map[string]json.RawMessage, error) {
	values, number := s.recent()
	if values == nil {
		var err error
		if values, number, err = s.read(ctx); err != nil {
			return nil, err
		}
	}
	s.last.Store(number)
	return values, nil
}

// recent returns what was read a moment ago, if this part has not had it.
func (s *contextShare) recent() (values map[string]json.RawMessage, number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number == s.last.Load() || s.now().Sub(s.begun) >= readLife {
		return nil, 0
	}
	return maps.Clone(s.values), s.number
}
