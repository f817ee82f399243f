package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// condition is a state of the outside world that can be switched on and off while the tenant runs.
type condition struct {
	description string
	// fault is the fault that requests meet, if any.
	fault *Fault
	// set switches what is no fault of single requests.
	set func(t *Tenant, on bool)
}

func conditions() map[string]condition {
	return map[string]condition{
		"throttled-hour": {
			"Everything but the sign-in answers 429, with Retry-After, for an hour.",
			&Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "The rate of requests is exceeded.", RetryAfter: 30 * time.Second}, nil,
		},
		"revoked-secret": {
			"The client secret has expired (AADSTS7000222), and tokens given before are refused.", nil,
			func(t *Tenant, on bool) {
				t.change(func(s *settings) { s.secretExpired = on })
				if on {
					t.ExpireTokens()
				}
			},
		},
		"proxy-page": {
			"A proxy answers instead of the service, with its own page.",
			&Fault{Status: http.StatusForbidden, Body: "<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>Access denied</h1><p>The web gateway has blocked this request.</p></body></html>", ContentType: "text/html; charset=utf-8"}, nil,
		},
		"graph-only": {
			"The hunting API of Defender for Endpoint is retired; only Microsoft Graph runs queries.", nil,
			func(t *Tenant, on bool) { t.SetHuntingRetired(on) },
		},
	}
}

// Conditions returns the names of what can be switched with Switch, and what each means.
func Conditions() map[string]string {
	all := map[string]string{}
	for name, c := range conditions() {
		all[name] = c.description
	}
	return all
}

// Switch switches a condition on for a time, or until it is switched off if the time is 0. A throttled hour lasts an hour unless
// told otherwise. The error says if there is no such condition.
func (t *Tenant) Switch(name string, on bool, lasting time.Duration) error {
	c, known := conditions()[name]
	if !known {
		return fmt.Errorf("simulator: there is no condition %q; there are %v", name, slices.Sorted(maps.Keys(conditions())))
	}
	if name == "throttled-hour" && lasting == 0 {
		lasting = time.Hour
	}
	if c.set != nil {
		c.set(t, on)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.settings.conditions, name)
	if on {
		end := time.Time{}
		if lasting > 0 {
			end = t.now().Add(lasting)
		}
		t.settings.conditions[name] = end
	}
	return nil
}

// met returns the fault of the conditions that a request meets, if any. A condition whose time has passed ends.
func (t *Tenant) met(kind Kind) (Fault, bool) {
	t.mu.Lock()
	var ended []string
	var fault *Fault
	for name, end := range t.settings.conditions {
		if !end.IsZero() && !t.now().Before(end) {
			ended = append(ended, name)
			continue
		}
		if f := conditions()[name].fault; f != nil && (kind == KindAPI || kind == KindGraph || name == "proxy-page") {
			fault = f
		}
	}
	t.mu.Unlock()
	for _, name := range ended {
		// The name is one of the conditions, so there is no error.
		_ = t.Switch(name, false, 0)
	}
	if fault == nil {
		return Fault{}, false
	}
	return *fault, true
}
