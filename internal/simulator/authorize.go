package simulator

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serveAuthorize signs the test user in and sends the browser back with a code. What puts the redirect itself
// in doubt is shown on a page instead; every other refusal goes back to the application. The older endpoint
// takes a resource instead of a scope.
func (t *Tenant) serveAuthorize(v1 bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if v1 && q.Has("resource") {
			q.Set("scope", q.Get("resource")+"/"+defaultScope+" offline_access")
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		target, no := t.redirectTarget(r.PathValue("tenant"), q)
		if no != nil {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusBadRequest)
			// A browser that is gone needs no page.
			_, _ = fmt.Fprintf(w, "<!DOCTYPE html><title>Sign in</title><p>%s</p>", html.EscapeString(no.text()))
			return
		}
		target.RawQuery = t.signInAnswer(target, q).Encode()
		w.Header().Set("Location", target.String())
		w.WriteHeader(http.StatusFound)
	}
}

// signInAnswer is the query with which the browser is sent back: what the redirect URI has of its own, and
// state with either code or error.
func (t *Tenant) signInAnswer(target *url.URL, q url.Values) url.Values {
	answer := target.Query()
	if q.Has("state") {
		answer.Set("state", q.Get("state"))
	}
	code, no := t.authorizationCode(q)
	if no != nil {
		answer.Set("error", oauthError(no.code))
		answer.Set("error_description", no.text())
		return answer
	}
	answer.Set("code", code)
	answer.Set("session_state", t.guid())
	if q.Get("client_info") == "1" {
		answer.Set("client_info", t.clientInfo())
	}
	return answer
}

// redirectTarget checks tenant, application and redirect URI.
func (t *Tenant) redirectTarget(tenant string, q url.Values) (*url.URL, *refusal) {
	if !t.signsIn(tenant) {
		return nil, unknownTenant(tenant)
	}
	if no := required(q, "client_id", "redirect_uri"); no != nil {
		return nil, no
	}
	if no := t.checkClientID(q.Get("client_id")); no != nil {
		return nil, no
	}
	target, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !slices.ContainsFunc(t.settings.redirects, func(known string) bool { return sameRedirect(known, target) }) {
		return nil, refuse(50011, "The redirect URI %q is not registered for the application.", q.Get("redirect_uri"))
	}
	return target, nil
}

// sameRedirect reports whether a registered redirect URI is the one of a request. The port does not count
// when the redirect is to http on the user's own machine
// (https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions).
func sameRedirect(registered string, got *url.URL) bool {
	known, err := url.Parse(registered)
	if err != nil {
		return false
	}
	sameHost := known.Host == got.Host || known.Scheme == "http" && isLoopback(known) && known.Hostname() == got.Hostname()
	return known.Scheme == got.Scheme && sameHost &&
		strings.TrimPrefix(known.Path, "/") == strings.TrimPrefix(got.Path, "/") && known.RawQuery == got.RawQuery
}

// isLoopback reports whether a redirect goes to the user's own machine.
func isLoopback(u *url.URL) bool {
	switch u.Hostname() {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// authorizationCode checks the rest of the request and returns the user's code for it.
func (t *Tenant) authorizationCode(q url.Values) (string, *refusal) {
	if no := required(q, "response_type", "scope"); no != nil {
		return "", no
	}
	if kind := q.Get("response_type"); kind != "code" {
		return "", refuse(70005, "The response type %q is not enabled for the application.", kind)
	}
	if mode := q.Get("response_mode"); mode != "" && mode != "query" {
		return "", refuse(70007, "The response mode %q does not fit the response type.", mode)
	}
	method := q.Get("code_challenge_method")
	if no := checkChallenge(q.Get("code_challenge"), method); no != nil {
		return "", no
	}
	wanted, no := t.parseScope(q.Get("scope"))
	if no != nil {
		return "", no
	}
	if wanted, no = t.delegated(wanted); no != nil {
		return "", no
	}
	wanted.nonce = q.Get("nonce")
	if !t.settings.consent {
		return "", refuse(65004, "The user did not agree to what the application asks for.")
	}
	code := t.opaque()
	t.grants.codes[code] = &codeGrant{
		who:       holder{clientID: q.Get("client_id"), user: testUser},
		scope:     wanted,
		redirect:  q.Get("redirect_uri"),
		challenge: q.Get("code_challenge"),
		method:    method,
		given:     t.now(),
	}
	return code, nil
}

// checkChallenge checks the challenge of PKCE, which RFC 7636 has at 43 to 128 characters. A request may come
// without one.
func checkChallenge(challenge, method string) *refusal {
	switch {
	case challenge == "" && method == "":
		return nil
	case method != "" && method != "plain" && method != "S256":
		return refuse(501491, "The code challenge method %q is not known.", method)
	case len(challenge) < 43 || len(challenge) > 128:
		return refuse(501491, "A code challenge has 43 to 128 characters.")
	}
	return nil
}

// SignIn does what a user's browser would: it opens the login URL, signs the test user in and returns the
// redirect with code and state. When the authority refuses, the error says why; the redirect is then the one
// that carries the refusal, or empty when there was only a page.
func (t *Tenant) SignIn(loginURL string) (redirect string, err error) {
	if !strings.HasPrefix(loginURL, t.base+"/") {
		return "", fmt.Errorf("simulator: %.100q is not a login URL of %s", loginURL, t.base)
	}
	client := t.Client()
	defer client.CloseIdleConnections()
	res, err := client.Get(loginURL)
	if err != nil {
		return "", fmt.Errorf("simulator: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusFound {
		page, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return "", fmt.Errorf("simulator: the authority showed no sign-in: %s %s", res.Status, bytes.TrimSpace(page))
	}
	redirect = res.Header.Get("Location")
	target, err := url.Parse(redirect)
	if err != nil {
		return "", fmt.Errorf("simulator: %w", err)
	}
	if q := target.Query(); q.Has("error") {
		return redirect, fmt.Errorf("simulator: %s: %s", q.Get("error"), q.Get("error_description"))
	}
	return redirect, nil
}
