package auth

import (
	"context"
	"encoding/json"
	"time"
)

// vault keeps records of one configuration in the integration context, sealed.
type vault struct {
	settings

	sealer        sealer
	configuration string // fingerprint without the scope
}

func newVault(s settings) (*vault, error) {
	secret := s.secret()
	if len(secret) == 0 {
		return nil, s.fail(CodeConfiguration, "the instance has no secret to sign in with", fallbackRemedies[s.instance.Mode], nil)
	}
	return &vault{
		settings:      s,
		sealer:        sealer{secret: secret, random: s.env.Random},
		configuration: s.fingerprint(),
	}, nil
}

// key gives the place of the configuration's record of a kind.
func (v *vault) key(kind string) string { return kind + ":" + v.configuration }

func (v *vault) load(ctx context.Context) (contents, error) {
	values, err := v.env.Store.Load(ctx)
	if err != nil {
		return contents{}, v.storeError("could not be read", err)
	}
	return readContents(values), nil
}

// update changes the newest contents, with a change that may run several times.
func (v *vault) update(ctx context.Context, change func(contents) (bool, error)) error {
	err := v.env.Store.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		newest := readContents(values)
		changed, err := change(newest)
		if err != nil || !changed {
			return false, err
		}
		// Of the configuration's own records only the login itself must not fall away when it rests for long.
		return true, newest.write(v.env.Now(), v.key(refreshRecord))
	})
	if err != nil {
		return v.storeError("could not be written", err)
	}
	return nil
}

func (v *vault) storeError(what string, err error) error {
	return v.fail(CodeContext, "the integration context "+what,
		"run the command again, and look into the server's log if that does not help", err)
}

// record seals plain into a record for the place key that ends at expires.
func (v *vault) record(key string, plain []byte, expires time.Time) (record, error) {
	sealed, err := v.sealer.seal(plain, key)
	if err != nil {
		return record{}, unprepared(v.instance.Mode, err)
	}
	return record{Expires: expires.Unix(), Sealed: sealed}, nil
}

// refreshToken gives the refresh token that is kept, empty when there is none.
func (v *vault) refreshToken(c contents) string {
	token, _ := v.open(c, v.key(refreshRecord))
	return string(token)
}

// open gives what the record at key holds. A record that does not open counts as absent: it was sealed with a secret that
// the instance no longer has or by another version of this program, or it was tampered with.
func (v *vault) open(c contents, key string) ([]byte, bool) {
	plain, err := v.sealer.open(c.get(key).Sealed, key)
	return plain, err == nil
}
