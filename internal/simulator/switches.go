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
	// fault happens to requests to the parts of the tenant in meets, unless it is nil.
	fault *Fault
	meets []Kind
	// set switches what is not a fault of single requests.
	set func(t *Tenant, on bool)
}

func conditions() map[string]condition {
	services := []Kind{KindAPI, KindGraph}
	// A managed identity is on the machine, so no proxy is before it.
	beyondProxy := []Kind{KindAPI, KindGraph, KindAuthority, KindProxy, KindDownload}
	return map[string]condition{
		"throttled-hour": {
			description: "Everything but the sign-in answers 429, with Retry-After, for an hour.", meets: services,
			fault: &Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "The rate of requests is exceeded.", RetryAfter: 30 * time.Second},
		},
		"documented-rates": {
			description: "Each operation of the API answers 429, with Retry-After, beyond its documented rate.",
			set:         func(t *Tenant, on bool) { t.SetRates(on) },
		},
		"revoked-secret": {
			description: "The client secret has expired (AADSTS7000222), and tokens given before are refused.",
			set: func(t *Tenant, on bool) {
				t.change(func(s *settings) { s.secretExpired = on })
				if on {
					t.ExpireTokens()
				}
			},
		},
		"renewed-certificate": {
			description: "The application's certificate was renewed with its key, and the first one is no longer registered (AADSTS700027).",
			set: func(t *Tenant, on bool) {
				t.SetCertificates(!on, true)
				if on {
					t.ExpireTokens()
				}
			},
		},
		"token-service-down": {
			description: "Nobody gives tokens: the authority answers 503 (AADSTS90033), the token proxy and the managed identity 503; tokens given before are good.",
			meets:       []Kind{KindAuthority, KindProxy, KindIdentity},
			fault:       &Fault{Status: http.StatusServiceUnavailable, Message: "A transient error has occurred. Please try again."},
		},
		"slow-identity": {
			description: "The managed identity endpoint takes 20 seconds for an answer.",
			set: func(t *Tenant, on bool) {
				delay := time.Duration(0)
				if on {
					delay = slowIdentity
				}
				t.SetIdentityDelay(delay)
			},
		},
		"proxy-page": {
			description: "A proxy answers instead of the service, with its own page.", meets: beyondProxy,
			fault: &Fault{
				Status: http.StatusForbidden, ContentType: "text/html; charset=utf-8",
				Body: "<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>Access denied</h1><p>The web gateway has blocked this request.</p></body></html>",
			},
		},
		"proxy-sign-in": {
			description: "A proxy wants credentials before it lets anything through (407).", meets: beyondProxy,
			fault: &Fault{
				Status: http.StatusProxyAuthRequired, ContentType: "text/html", Header: http.Header{"Proxy-Authenticate": {`Basic realm="proxy.contoso.example"`}},
				Body: "<html><head><title>Authentication required</title></head><body>Sign in to the proxy.</body></html>",
			},
		},
		"bad-gateway": {
			description: "A gateway does not reach the services, and says so on a page (502).", meets: beyondProxy,
			fault: &Fault{
				Status: http.StatusBadGateway, ContentType: "text/html", Header: http.Header{"Via": {"1.1 gateway.contoso.example"}},
				Body: "<html><head><title>Bad gateway</title></head><body>The upstream server did not answer.</body></html>",
			},
		},
		"graph-only": {
			description: "The hunting API of Defender for Endpoint is retired; only Microsoft Graph runs queries.",
			set:         func(t *Tenant, on bool) { t.SetHuntingRetired(on) },
		},
	}
}

// slowIdentity is how long a slow managed identity takes: longer than any service on the machine should, and less than the
// time that a client is advised to wait.
const slowIdentity = 20 * time.Second

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
	var all map[string]condition
	if len(t.settings.conditions) > 0 { // else every request would make them
		all = conditions()
	}
	for name, end := range t.settings.conditions {
		if !end.IsZero() && !t.now().Before(end) {
			ended = append(ended, name)
			continue
		}
		if c := all[name]; c.fault != nil && slices.Contains(c.meets, kind) {
			fault = c.fault
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
