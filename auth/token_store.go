package auth

import (
	"context"
	"encoding/json"
	"sync/atomic"
)

// tokenStore is where access tokens outlive the Signer.
type tokenStore interface {
	// find returns the stored token, or an empty one. It never returns a rejected one.
	find(ctx context.Context) (accessToken, error)
	put(ctx context.Context, token accessToken) error
	// reject records that the API has refused this token.
	reject(token string)
}

// contextStore stores the access token of one configuration in the integration context, for every process that runs the
// instance.
type contextStore struct {
	*sealedRecords

	place    string // key of the record: a fingerprint of everything that the token depends on
	rejected atomic.Pointer[string]
}

// newContextStore stores the access token of the login with this origin, which is empty in modes without a login.
func newContextStore(sealed *sealedRecords, origin string) *contextStore {
	return &contextStore{sealedRecords: sealed, place: accessRecord + ":" + sealed.fingerprint(sealed.scope, origin)}
}

func (s *contextStore) find(ctx context.Context) (accessToken, error) {
	stored, err := s.load(ctx)
	if err != nil {
		return accessToken{}, err
	}
	return s.usableIn(stored), nil
}

// usableIn returns the token in stored if it may be used, else an empty one.
func (s *contextStore) usableIn(stored contents) accessToken {
	token := s.tokenIn(stored)
	if !token.usable(s.env.Now()) {
		return accessToken{}
	}
	if rejected := s.rejected.Load(); rejected != nil && *rejected == token.Value {
		return accessToken{}
	}
	return token
}

// tokenIn returns the token in stored, whether it may be used or not; it is empty without one.
func (s *contextStore) tokenIn(stored contents) accessToken {
	plain, ok := s.open(stored, s.place)
	var token accessToken
	if !ok || json.Unmarshal(plain, &token) != nil {
		return accessToken{}
	}
	return token
}

func (s *contextStore) put(ctx context.Context, token accessToken) error {
	sealed, err := s.seal(token)
	if err != nil {
		return err
	}
	return s.update(ctx, func(newest contents) (bool, error) {
		// The earlier implementation's access token is never used: nothing tells which configuration it was issued for.
		newest.dropLegacy(legacyAccessToken, legacyValidUntil)
		newest.set(s.place, sealed)
		return true, nil
	})
}

func (s *contextStore) seal(token accessToken) (record, error) {
	plain, err := json.Marshal(token)
	if err != nil {
		return record{}, err
	}
	return s.record(s.place, plain, token.Expires)
}

func (s *contextStore) reject(token string) { s.rejected.Store(&token) }

// processStore stores an access token in the process. It serves the modes without a secret of their own, managed identity
// and workload identity: a key to seal their tokens with would be next to the tokens, so the integration context holds
// neither. A new process asks again, which costs these modes little.
type processStore struct {
	settings

	key processKey
}

// newProcessStore takes what its tokens depend on in addition to the instance itself.
func newProcessStore(s settings, more ...string) *processStore {
	fingerprint := s.fingerprint(append(more, s.scope)...)
	return &processStore{settings: s, key: processKey{instance: s.env.InstanceName, fingerprint: fingerprint}}
}

func (s *processStore) find(context.Context) (accessToken, error) {
	token := s.env.Process.find(s.key)
	if !token.usable(s.env.Now()) {
		return accessToken{}, nil
	}
	return token, nil
}

func (s *processStore) put(_ context.Context, token accessToken) error {
	s.env.Process.put(s.key, token, s.env.Now())
	return nil
}

func (s *processStore) reject(token string) { s.env.Process.drop(s.key, token) }
