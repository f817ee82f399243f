package execution

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
)

// readLife is how long the sign-in may use what the quota has read of the integration context. Between the two there is no
// more than the building of a request, unless the quota has made the command wait.
const readLife = time.Second

// quotaHost is the platform as the quota sees it. What the quota reads of the integration context it hands on to the
// sign-in, which looks there for a token a moment later: every reading is a question to the server, and takes it longer
// than all that a small command does.
type quotaHost struct {
	commands.Host

	now func() time.Time

	mu     sync.Mutex
	values map[string]json.RawMessage // nil once they were handed on
	read   time.Time
}

// Load reads the integration context.
func (h *quotaHost) Load(ctx context.Context) (map[string]json.RawMessage, error) {
	begin := h.now()
	values, err := h.Host.Load(ctx)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.values, h.read = values, begin
	}
	return values, err
}

// take returns what was read a moment ago, once.
func (h *quotaHost) take() map[string]json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	values := h.values
	h.values = nil
	if h.now().Sub(h.read) >= readLife {
		return nil
	}
	return values
}

// signInContext is the integration context as the sign-in sees it.
type signInContext struct {
	auth.IntegrationContext

	quota *quotaHost
}

// Load returns what the quota has just read, or reads the integration context.
func (c signInContext) Load(ctx context.Context) (map[string]json.RawMessage, error) {
	if values := c.quota.take(); values != nil {
		return values, nil
	}
	return c.IntegrationContext.Load(ctx)
}
