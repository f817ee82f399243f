package simulator

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tokenProxyPath is where the token proxy of the Cortex XSOAR application answers.
const tokenProxyPath = "/obtain-token"

// proxyApplication is the name under which this integration asks the token proxy.
const proxyApplication = "ms-defender-atp"

// proxyPatience is how far the time within a request to the token proxy may lie from the tenant's.
const proxyPatience = 10 * time.Minute

// proxyRequest is the body of a request to the token proxy.
type proxyRequest struct {
	Application  string `json:"app_name"`
	Registration string `json:"registration_id"`
	Encrypted    string `json:"encrypted_token"`
	Scope        string `json:"scope"`
	Resource     string `json:"resource"`
}

// proxyProblem is an error answer of the token proxy.
type proxyProblem struct {
	status        int
	title, detail string
}

// serveTokenProxy returns a token of the Cortex XSOAR application to anyone who holds its key and token.
func (t *Tenant) serveTokenProxy(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method != http.MethodPost {
		answerProxyProblem(w, &proxyProblem{http.StatusMethodNotAllowed, "Method not allowed", "Tokens are asked for with POST."})
		return
	}
	var q proxyRequest
	if err := json.Unmarshal(body, &q); err != nil {
		answerProxyProblem(w, &proxyProblem{http.StatusBadRequest, "Bad request", "The body is no JSON object of texts."})
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	answer, problem := t.proxyToken(q)
	if problem != nil {
		answerProxyProblem(w, problem)
		return
	}
	answerJSON(w, http.StatusOK, answer)
}

func answerProxyProblem(w http.ResponseWriter, p *proxyProblem) {
	answerJSON(w, p.status, map[string]any{"status": p.status, "title": p.title, "detail": p.detail})
}

// proxyToken checks a request and returns the answer. The lock is held.
func (t *Tenant) proxyToken(q proxyRequest) (map[string]any, *proxyProblem) {
	if q.Application != proxyApplication {
		return nil, &proxyProblem{http.StatusBadRequest, "Unknown application", "There is no application of this name."}
	}
	if q.Registration != t.registration.cortexID {
		return nil, &proxyProblem{http.StatusUnauthorized, "Unknown registration", "The ID is not registered. Authorize the application again."}
	}
	content, problem := t.proxyContent(q.Encrypted)
	if problem != nil {
		return nil, problem
	}
	who := holder{clientID: t.registration.cortexID}
	if !sameText(content, t.fixed.cortexToken) {
		given, no := t.takeRefreshToken(content)
		if no != nil || given.who != who {
			return nil, &proxyProblem{http.StatusUnauthorized, "Invalid token", "The Token is wrong or has ended. Authorize the application again."}
		}
		t.spend(given)
	}
	s, known := t.proxyScope(q)
	if !known {
		return nil, &proxyProblem{http.StatusBadRequest, "Unknown resource", "Neither scope nor resource names a resource of this tenant."}
	}
	return map[string]any{
		"access_token":  t.accessToken(s.audience, who, nil),
		"expires_in":    int(t.settings.tokenLifetime.Seconds()),
		"refresh_token": t.refreshToken(who, s),
	}, nil
}

// proxyScope returns the scope of a token: the one requested, or without one the resource. With neither, which is what the working
// client sends, it is the API of the application.
func (t *Tenant) proxyScope(q proxyRequest) (scope, bool) {
	if q.Scope != "" {
		s, no := t.parseScope(q.Scope)
		return s, no == nil
	}
	audience, known := t.resource(cmp.Or(q.Resource, defenderAudiences[0]))
	return scope{audience: audience, names: []string{defaultScope}}, known
}

// proxyContent decrypts "<unix seconds>:<content>" and checks its time.
func (t *Tenant) proxyContent(encrypted string) (string, *proxyProblem) {
	plain, err := decrypt(t.fixed.cortexKey, encrypted)
	if err != nil {
		return "", &proxyProblem{http.StatusUnauthorized, "Decryption failed", "The Key does not fit the ID, or the encrypted token is damaged."}
	}
	stamp, content, found := strings.Cut(plain, ":")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if !found || err != nil {
		return "", &proxyProblem{http.StatusBadRequest, "Bad request", "The encrypted token does not begin with a time."}
	}
	if t.now().Sub(time.Unix(seconds, 0)).Abs() > proxyPatience {
		return "", &proxyProblem{http.StatusUnauthorized, "Wrong time", "The encrypted token's time is too far from the present. Check the clock."}
	}
	return content, nil
}

// decrypt undoes base64(nonce followed by AES-GCM).
func decrypt(key []byte, encoded string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	if len(sealed) < gcm.NonceSize() {
		return "", errors.New("shorter than its nonce")
	}
	plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
	return string(plain), err
}
