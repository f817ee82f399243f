package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// guard lets one browser in, and nothing that any other page or program sends.
//
// A page elsewhere can make the user's browser send requests to loopback addresses, so a request must name this server
// as its host (which a name that was rebound to 127.0.0.1 does not), must come from the page itself, and must carry a
// cookie that only the browser has which opened the address with the token. Another user of the machine has neither.
type guard struct {
	hosts       []string // that a request may be for
	cookie      string   // its name
	session     string   // its value
	crossOrigin *http.CrossOriginProtection

	mu    sync.Mutex
	token [sha256.Size]byte // hash of the token
	used  bool
}

// secretBytes is how long the token and the cookie are before they are encoded.
const secretBytes = 32

// newGuard returns a guard for a server at address, with the token that lets the first browser in.
func newGuard(address string, random io.Reader) (*guard, string, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", fmt.Errorf("reading the address of the page: %w", err)
	}
	secrets := make([]byte, 2*secretBytes)
	if _, err := io.ReadFull(random, secrets); err != nil {
		return nil, "", fmt.Errorf("drawing the token of the page: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(secrets[:secretBytes])
	return &guard{
		hosts: []string{address, "localhost:" + port},
		// Browsers keep cookies by host and not by port: two pages must not take each other's.
		cookie:      "xsoar-defender-" + port,
		session:     base64.RawURLEncoding.EncodeToString(secrets[secretBytes:]),
		crossOrigin: http.NewCrossOriginProtection(),
		token:       sha256.Sum256([]byte(token)),
	}, token, nil
}

// policy lets the page load its own files and ask its own server, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// over guards a handler.
func (g *guard) over(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Cache-Control":                "no-store",
			"Content-Security-Policy":      policy,
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy":              "no-referrer",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
		} {
			w.Header().Set(name, value)
		}
		switch {
		case !g.knows(r.Host):
			refuse(w, http.StatusMisdirectedRequest, "This server is not for the host that was asked for.")
		case g.crossOrigin.Check(r) != nil || !g.fromHere(r):
			refuse(w, http.StatusForbidden, "Only the page itself may ask this server.")
		case r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.Query().Has("token"):
			g.admit(w, r)
		case !g.admitted(r):
			refuse(w, http.StatusUnauthorized, "Open the address that the terminal shows. It works in one browser: run the command again for another.")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knows reports whether a host is one of this server.
func (g *guard) knows(host string) bool {
	for _, known := range g.hosts {
		if strings.EqualFold(host, known) {
			return true
		}
	}
	return false
}

// fromHere reports whether a request can be one of the page itself, or the user's own. The protection against
// cross-origin requests leaves safe methods alone, since they change nothing; here they also must not be read or
// embedded elsewhere.
func (g *guard) fromHere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		// A link in another page or program leads here with the token, and carries no cookie.
		return r.URL.Path == "/" && r.URL.Query().Has("token") && r.Method == http.MethodGet
	}
	origin := r.Header.Get("Origin")
	return origin == "" || g.knows(strings.TrimPrefix(origin, "http://"))
}

// admit exchanges the token for the cookie. It does so once: the address remains in the browser's history.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) {
	given := sha256.Sum256([]byte(r.URL.Query().Get("token")))
	g.mu.Lock()
	right := subtle.ConstantTimeCompare(given[:], g.token[:]) == 1
	first := right && !g.used
	g.used = g.used || right
	g.mu.Unlock()
	switch {
	case first:
		//nolint:gosec // it cannot be Secure: the page is on loopback, without TLS
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	case right && g.admitted(r): // the same browser, by its history
	default:
		refuse(w, http.StatusUnauthorized, "This address was used already, or is not the one that the terminal shows: run the command again.")
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// admitted reports whether a request carries the cookie.
func (g *guard) admitted(r *http.Request) bool {
	cookie, err := r.Cookie(g.cookie)
	return err == nil && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(g.session)) == 1
}
