package simulator

import (
	"net/http"
	"sync"
	"time"
)

// rateWindows counts calls per operation over the last minute and the last hour of the tenant's clock.
// The page of each operation has its rates (https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list); that
// they are counted over sliding windows is an assumption.
type rateWindows struct {
	mu      sync.Mutex
	enforce bool
	calls   map[string][]time.Time // per operation, oldest first, none older than an hour
}

// SetRates turns the documented rates per operation on or off; they are off at the start. A call too many is
// answered with 429 and, in Retry-After, the seconds until the next one is admitted; it does not count itself.
// Switching starts the count again.
func (t *Tenant) SetRates(enforce bool) {
	t.rates.mu.Lock()
	defer t.rates.mu.Unlock()
	t.rates.enforce, t.rates.calls = enforce, map[string][]time.Time{}
}

// admit counts the call and returns 0, or returns how long to wait until there is room for it.
func (x *rateWindows) admit(r *http.Request, now time.Time) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.enforce {
		return 0
	}
	path := r.URL.EscapedPath()
	perMinute, perHour := rateOf(r.Method, path)
	operation, _, _ := findOperation(r.Method, path)
	key := operation.method + " " + operation.path
	calls := x.calls[key]
	for len(calls) > 0 && now.Sub(calls[0]) >= time.Hour {
		calls = calls[1:]
	}
	wait := max(room(calls, perMinute, time.Minute, now), room(calls, perHour, time.Hour, now))
	if wait == 0 {
		calls = append(calls, now)
	}
	x.calls[key] = calls
	return wait
}

// room is how long it takes until fewer than limit of the calls lie within the window; 0 means no limit.
func room(calls []time.Time, limit int, window time.Duration, now time.Time) time.Duration {
	if limit == 0 || len(calls) < limit {
		return 0
	}
	return max(0, window-now.Sub(calls[len(calls)-limit]))
}
