package simulator_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cortex is an instance of the Cortex XSOAR application, with its tenant.
type cortex struct {
	tenant
	id, path, token string
	key             []byte
}

func (s tenant) cortex() cortex {
	s.t.Helper()
	params := s.Instance("cortex")
	id, path, _ := strings.Cut(params["_auth_id"].(string), "@")
	key, err := base64.StdEncoding.DecodeString(params["credentials"].(map[string]any)["password"].(string))
	if err != nil {
		s.t.Fatalf("the key: %v", err)
	}
	return cortex{s, id, path, params["_tenant_id"].(string), key}
}

// seal encrypts text as the token proxy wants it.
func (c cortex) seal(key []byte, text string) string {
	c.t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		c.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		c.t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, []byte(text), nil))
}

// at is a content with its time.
func (c cortex) at(offset time.Duration, content string) string {
	return strconv.FormatInt(c.Now().Add(offset).Unix(), 10) + ":" + content
}

// ask sends a request with some of its fields changed.
func (c cortex) ask(changes map[string]any) answer {
	c.t.Helper()
	fields := map[string]any{
		"app_name": "ms-defender-atp", "registration_id": c.id, "encrypted_token": c.seal(c.key, c.at(0, c.token)),
		"scope": defenderScope, "resource": "https://api.securitycenter.microsoft.com",
	}
	maps.Copy(fields, changes)
	body, err := json.Marshal(fields)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(c.request(http.MethodPost, c.path, string(body), "Content-Type", "application/json"))
}

func TestTheTokenProxy(t *testing.T) {
	s := start(t, 1)
	c := s.cortex()
	if c.path != s.URL()+"/obtain-token" {
		t.Fatalf("the token proxy is at %s", c.path)
	}
	got := c.ask(nil)
	refresh, _ := got.json["refresh_token"].(string)
	if got.status != 200 || got.json["expires_in"] != 3599.0 || refresh == "" {
		t.Fatalf("with the Token: got %d %s", got.status, got.text)
	}
	if used := s.call(http.MethodGet, "/api/machines", got.json["access_token"].(string)); used.status != 200 {
		t.Errorf("the token at the API: got %d %s", used.status, used.text)
	}
	got = c.ask(map[string]any{"encrypted_token": c.seal(c.key, c.at(0, refresh)), "scope": nil})
	if got.status != 200 || got.json["refresh_token"] == refresh {
		t.Errorf("with the refresh token, by resource: got %d %s", got.status, got.text)
	}
	got = c.ask(map[string]any{"scope": nil, "resource": ""})
	if used := s.call(http.MethodGet, "/api/machines", got.json["access_token"].(string)); used.status != 200 {
		t.Errorf("without scope and resource: got %d %s", used.status, used.text)
	}
	if got := c.ask(map[string]any{"encrypted_token": c.seal(c.key, c.at(-10*time.Minute, c.token))}); got.status != 200 {
		t.Errorf("ten minutes late: got %d %s", got.status, got.text)
	}
	s.RevokeRefreshTokens()
	if got := c.ask(map[string]any{"encrypted_token": c.seal(c.key, c.at(0, refresh))}); got.status != 401 {
		t.Errorf("with a revoked refresh token: got %d %s", got.status, got.text)
	}
	s.StrictRotation(true)
	refresh, _ = c.ask(nil).json["refresh_token"].(string)
	sealed := map[string]any{"encrypted_token": c.seal(c.key, c.at(0, refresh))}
	if first, second := c.ask(sealed), c.ask(sealed); first.status != 200 || second.status != 401 {
		t.Errorf("a refresh token that works once: got %d, then %d", first.status, second.status)
	}
}

func TestWhatTheTokenProxyRefuses(t *testing.T) {
	s := start(t, 1)
	c := s.cortex()
	for _, x := range []struct {
		name    string
		changes map[string]any
		status  int
		title   string
	}{
		{"another application", map[string]any{"app_name": "ms-graph"}, 400, "Unknown application"},
		{"another ID", map[string]any{"registration_id": "x"}, 401, "Unknown registration"},
		{"another key", map[string]any{"encrypted_token": c.seal(make([]byte, 32), c.at(0, c.token))}, 401, "Decryption failed"},
		{"no base64", map[string]any{"encrypted_token": "!"}, 401, "Decryption failed"},
		{"too short", map[string]any{"encrypted_token": "AAAA"}, 401, "Decryption failed"},
		{"no time", map[string]any{"encrypted_token": c.seal(c.key, c.token)}, 400, "Bad request"},
		{"too late", map[string]any{"encrypted_token": c.seal(c.key, c.at(-601*time.Second, c.token))}, 401, "Wrong time"},
		{"too early", map[string]any{"encrypted_token": c.seal(c.key, c.at(601*time.Second, c.token))}, 401, "Wrong time"},
		{"another Token", map[string]any{"encrypted_token": c.seal(c.key, c.at(0, "x"))}, 401, "Invalid token"},
		{"a user's refresh token", map[string]any{"encrypted_token": c.seal(c.key, c.at(0, s.userToken()))}, 401, "Invalid token"},
		{"an unknown resource", map[string]any{"scope": "https://elsewhere.example/.default"}, 400, "Unknown resource"},
		{"a number for the ID", map[string]any{"registration_id": 1}, 400, "Bad request"},
	} {
		got := c.ask(x.changes)
		if got.status != x.status || got.json["title"] != x.title || got.json["detail"] == "" {
			t.Errorf("%s: got %d %s, want %d %s", x.name, got.status, got.text, x.status, x.title)
		}
	}
	if got := s.get(c.path); got.status != 405 {
		t.Errorf("GET: got %d %s", got.status, got.text)
	}
}
