package auth

import (
	"context"
	"encoding/json"
	"sync/atomic"
)

// keep is where access tokens outlive the Signer.
type keep interface {
	// find gives the kept token, or an empty one. It never gives a rejected one.
	find(ctx context.Context) (accessToken, error)
	put(ctx context.Context, token accessToken) error
	// reject says that the API has refused this token.
	reject(token string)
}

// contextKeep keeps the access token of one key in the integration context, for every process that runs the instance.
type contextKeep struct {
	*vault

	place    string // of the record: everything the token is made from
	rejected atomic.Pointer[string]
}

// newContextKeep keeps the access token of the login with this origin, which is empty where nobody logs in.
func newContextKeep(v *vault, origin string) *contextKeep {
	return &contextKeep{vault: v, place: accessRecord + ":" + v.fingerprint(v.scope, origin)}
}

func (k *contextKeep) find(ctx context.Context) (accessToken, error) {
	kept, err := k.load(ctx)
	if err != nil {
		return accessToken{}, err
	}
	return k.in(kept), nil
}

// in gives the usable token that the contents hold, or an empty one.
func (k *contextKeep) in(kept contents) accessToken {
	plain, ok := k.open(kept, k.place)
	var token accessToken
	if !ok || json.Unmarshal(plain, &token) != nil || !token.usable(k.env.Now()) {
		return accessToken{}
	}
	if rejected := k.rejected.Load(); rejected != nil && *rejected == token.Value {
		return accessToken{}
	}
	return token
}

func (k *contextKeep) put(ctx context.Context, token accessToken) error {
	sealed, err := k.seal(token)
	if err != nil {
		return err
	}
	return k.update(ctx, func(newest contents) (bool, error) {
		// The older implementation's access token is never used: nothing tells what configuration it was made from.
		newest.dropLegacy(legacyAccessToken, legacyValidUntil)
		newest.set(k.place, sealed)
		return true, nil
	})
}

func (k *contextKeep) seal(token accessToken) (record, error) {
	plain, err := json.Marshal(token)
	if err != nil {
		return record{}, err
	}
	return k.record(k.place, plain, token.Expires)
}

func (k *contextKeep) reject(token string) { k.rejected.Store(&token) }

// memoryKeep keeps an access token in the process. It serves the modes without a secret of their own, managed identity
// and workload identity: whatever key their tokens were sealed with would lie beside them, so the integration context
// keeps nothing of them. A new process asks again, which costs these modes little.
type memoryKeep struct {
	settings

	key memoryKey
}

// newMemoryKeep takes what, beside the instance itself, its tokens are made from.
func newMemoryKeep(s settings, more ...string) *memoryKeep {
	fingerprint := s.fingerprint(append(more, s.scope)...)
	return &memoryKeep{settings: s, key: memoryKey{instance: s.env.InstanceName, fingerprint: fingerprint}}
}

func (k *memoryKeep) find(context.Context) (accessToken, error) {
	token := k.env.Memory.find(k.key)
	if !token.usable(k.env.Now()) {
		return accessToken{}, nil
	}
	return token, nil
}

func (k *memoryKeep) put(_ context.Context, token accessToken) error {
	k.env.Memory.put(k.key, token, k.env.Now())
	return nil
}

func (k *memoryKeep) reject(token string) { k.env.Memory.drop(k.key, token) }
