package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"golang.org/x/oauth2"

	"xsoar-defender/params"
)

// loginLife is how long a login URL is stored.
const loginLife = 24 * time.Hour

// login holds what the exchange of a code needs from its login URL.
type login struct {
	Verifier string `json:"verifier"`
	State    string `json:"state"`
}

// LoginURL makes the URL at which a user logs in for an instance in the authorization code mode. Its PKCE verifier and
// state go in the integration context, sealed; they replace those of an earlier URL, so only the newest URL works.
func LoginURL(ctx context.Context, instance params.Instance, env Environment) (string, error) {
	s, err := loginSettings(instance, env)
	if err != nil {
		return "", err
	}
	sealed, err := newSealedRecords(s)
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
	place := sealed.key(loginRecord)
	made, err := sealed.record(place, plain, env.Now().Add(loginLife))
	if err != nil {
		return "", err
	}
	err = sealed.update(ctx, func(newest contents) (bool, error) {
		newest.set(place, made)
		return true, nil
	})
	if err != nil {
		return "", err
	}
	return s.config(s.scope).AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), nil
}

// loginSettings returns the settings of an instance that users log in to.
func loginSettings(instance params.Instance, env Environment) (settings, error) {
	s := settings{instance: instance, scope: instance.Cloud.Scope, env: env}
	if instance.Mode != params.AuthorizationCode {
		return settings{}, s.fail(CodeConfiguration, "this Authentication Type has no login of a user",
			"choose Authorization Code as Authentication Type of the instance", nil)
	}
	return s, nil
}

// LogIn completes a login at once, while its user waits: it redeems the Grant of the instance, which came from the LoginURL
// made with the same integration context, stores the login there, and returns its refresh token. An instance that holds
// that token continues the login, for as long as RefreshLife without use. The error is an *Error.
func LogIn(ctx context.Context, instance params.Instance, env Environment) (params.Secret, error) {
	s, err := loginSettings(instance, env)
	if err != nil {
		return "", err
	}
	c, err := makeAuthorizationCode(s)
	if err != nil {
		return "", err
	}
	if _, err := c.redeemer.sign(ctx); err != nil {
		return "", atLogin(err)
	}
	stored, err := c.load(ctx)
	if err != nil {
		return "", err
	}
	token := c.refreshToken(stored)
	if token == "" {
		return "", c.fail(CodeInvalidAnswer, "the login came without a refresh token, so nothing can continue it", remedyConsent, nil)
	}
	return params.Secret(token), nil
}

// RefusedLogin returns the error of a login from which the authority sent the user back without a code.
func RefusedLogin(refused *params.RefusedLoginError) *Error {
	e := &Error{Mode: params.AuthorizationCode, Code: entraCode(refused.Message), Message: brief(refused.Message), Err: refused}
	if e.Code == "" && isPlainCode(refused.Code) {
		e.Code = refused.Code
	}
	e.Code = cmp.Or(e.Code, CodeLoginRequired)
	e.Message = cmp.Or(e.Message, "the login was refused")
	e.Remedy = whileLoggingIn(cmp.Or(remedyFor(e.Mode, e.Code), fallbackRemedies[e.Mode]))
	return e
}

// atLogin makes the remedy of an error fit a user who is logging in at this moment.
func atLogin(err error) error {
	own, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	fitting := *own
	fitting.Remedy = whileLoggingIn(own.Remedy)
	return &fitting
}

func randomText(random io.Reader, size int) (string, error) {
	raw := make([]byte, size)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Reset removes everything that signing in stores in the integration context, by this implementation and by the earlier
// one, and the tokens of the instance in the process. Other values of the context stay. Tokens that were handed out stay
// valid until they expire.
func Reset(ctx context.Context, env Environment) error {
	env.Process.clear(env.InstanceName)
	return env.IntegrationContext.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		before := len(values)
		maps.DeleteFunc(values, func(key string, _ json.RawMessage) bool { return key == contextKey || isLegacy(key) })
		return len(values) != before, nil
	})
}
