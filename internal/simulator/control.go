package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// controlPath is where the tenant itself is steered. No service has such a path.
const controlPath = "/simulator/"

// ControlURL returns the address of the control endpoint, which docs/simulator.md describes.
func (t *Tenant) ControlURL() string { return t.base + controlPath }

// ControlKey returns the bearer token that the control endpoint wants.
func (t *Tenant) ControlKey() string { return t.fixed.controlKey }

// newControl routes the control endpoint.
func (t *Tenant) newControl() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /simulator/{$}", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, t.overview()) })
	mux.HandleFunc("POST /simulator/scenes", t.controlled(func(b controlBody) error {
		if b.Speed == 0 {
			b.Speed = 1
		}
		return t.StartScene(b.Name, b.Speed)
	}))
	mux.HandleFunc("POST /simulator/conditions", t.controlled(func(b controlBody) error {
		lasting, err := b.span(b.For)
		if err != nil {
			return err
		}
		return t.Switch(b.Name, b.On == nil || *b.On, lasting)
	}))
	mux.HandleFunc("POST /simulator/clock", t.controlled(func(b controlBody) error {
		ahead, err := b.span(b.Advance)
		if err != nil {
			return err
		}
		t.AdvanceClock(ahead)
		return nil
	}))
	mux.HandleFunc("POST /simulator/alerts", t.controlled(func(b controlBody) error {
		const most = 1000
		if b.Count < 0 || b.Count > most {
			return fmt.Errorf("count must be from 1 to %d; got %d", most, b.Count)
		}
		count, now := max(1, b.Count), t.now()
		t.journal(stateLine{At: now, Do: "alerts", Count: count})
		t.AddAlerts(count, now, time.Second)
		return nil
	}))
	mux.HandleFunc("GET /simulator/case", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, t.Case("recorded")) })
	mux.HandleFunc("DELETE /simulator/case", func(w http.ResponseWriter, _ *http.Request) {
		t.ResetRequests()
		answerJSON(w, http.StatusOK, t.overview())
	})
	return mux
}

// controlBody is the body of a request to the control endpoint.
type controlBody struct {
	Name    string  `json:"name"`
	Speed   float64 `json:"speed"`
	On      *bool   `json:"on"`
	For     string  `json:"for"`
	Advance string  `json:"advance"`
	Count   int     `json:"count"`
}

// span reads a time span; none is 0.
func (controlBody) span(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	span, err := time.ParseDuration(text)
	if err == nil && span < 0 {
		return 0, fmt.Errorf("a time span must not be negative; got %q", text)
	}
	return span, err
}

// controlled answers a command with the state after it, or with what is wrong with it.
func (t *Tenant) controlled(do func(controlBody) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var b controlBody
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&b); err != nil {
			writeError(w, http.StatusBadRequest, "BadRequest", "The body is not an object of known properties: "+err.Error()+".")
			return
		}
		if err := do(b); err != nil {
			writeError(w, http.StatusBadRequest, "BadRequest", strings.TrimPrefix(err.Error(), "simulator: ")+".")
			return
		}
		answerJSON(w, http.StatusOK, t.overview())
	}
}

// serveControl answers anyone who holds the key.
func (t *Tenant) serveControl(w http.ResponseWriter, r *http.Request) {
	if !sameText(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), t.fixed.controlKey) {
		writeError(w, http.StatusUnauthorized, "Unauthorized", "The control endpoint wants the control key as bearer token.")
		return
	}
	t.control.ServeHTTP(w, r)
}

// overview is the state of the tenant, for anyone who steers it.
func (t *Tenant) overview() map[string]any {
	t.mu.Lock()
	on := slices.Sorted(maps.Keys(t.settings.conditions))
	t.mu.Unlock()
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.populate()
	c.advance(now)
	running := each(c.scenes, func(r *runningScene) map[string]any {
		next := any(nil)
		if r.done < len(r.steps) {
			step := r.steps[r.done]
			next = map[string]any{"what": step.what, "at": at(r.started.Add(time.Duration(float64(step.after) / r.speed)))}
		}
		past := each(r.steps[:r.done], func(s sceneStep) string { return s.what })
		return map[string]any{"name": r.name, "speed": r.speed, "started": at(r.started), "done": past, "next": next}
	})
	return map[string]any{
		"time": at(now), "machines": len(c.machines), "alerts": len(c.alerts), "actions": len(c.actions), "conditions": on, "scenes": running,
		"canStart": Scenes(), "canSwitch": Conditions(),
	}
}

// AdvanceClock moves the tenant's clock forward, beyond the one that it was given.
func (t *Tenant) AdvanceClock(ahead time.Duration) {
	if ahead > 0 {
		t.journal(stateLine{At: t.now(), Do: "clock", Ahead: ahead})
		t.ahead.Add(int64(ahead))
	}
}
