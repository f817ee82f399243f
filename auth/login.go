package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"golang.org/x/oauth2"

	"xsoar-defender/params"
)

// loginLife is how long a login URL is remembered.
const loginLife = 24 * time.Hour

// login is what the exchange of a code needs of the login URL that it came from.
type login struct {
	Verifier string `json:"verifier"`
	State    string `json:"state"`
}

// LoginURL makes the URL at which a user logs in for an instance in the authorization code mode. Its PKCE verifier and
// state go into the Store, sealed; those of an earlier URL are replaced, so only the newest one leads to a login.
func LoginURL(ctx context.Context, instance params.Instance, env Environment) (string, error) {
	s := settings{instance: instance, scope: instance.Cloud.Scope, env: env}
	if instance.Mode != params.AuthorizationCode {
		return "", s.fail(CodeConfiguration, "users do not log in with this Authentication Type",
			"choose Authorization Code as Authentication Type of the instance", nil)
	}
	vault, err := newVault(s)
	if err != nil {
		return "", err
	}
	// 32 bytes make the verifier that RFC 7636 recommends.
	verifier, err := randomText(env.Random, 32)
	if err != nil {
		return "", unprepared(instance.Mode, err)
	}
	state, err := randomText(env.Random, 16)
	if err != nil {
		return "", unprepared(instance.Mode, err)
	}
	plain, err := json.Marshal(login{Verifier: verifier, State: state})
	if err != nil {
		return "", unprepared(instance.Mode, err)
	}
	place := vault.key(loginRecord)
	made, err := vault.record(place, plain, env.Now().Add(loginLife))
	if err != nil {
		return "", err
	}
	err = vault.update(ctx, func(newest contents) (bool, error) {
		newest.set(place, made)
		return true, nil
	})
	if err != nil {
		return "", err
	}
	return s.config(s.scope).AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), nil
}

func randomText(random io.Reader, size int) (string, error) {
	raw := make([]byte, size)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Reset removes everything that signing in keeps in the Store, of this implementation and of the one before it, and
// leaves what others keep there alone. Tokens that were handed out stay good until they end.
func Reset(ctx context.Context, store Store) error {
	return store.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		before := len(values)
		for _, key := range []string{contextKey, legacyAccessToken, legacyValidUntil, legacyRefreshToken, legacyCode} {
			delete(values, key)
		}
		return len(values) != before, nil
	})
}
