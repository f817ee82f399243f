package auth

import (
	"context"
	"encoding/json"
	"time"
)

// sealedRecords reads and writes the records of one configuration in the integration context, sealed.
type sealedRecords struct {
	settings

	sealer        sealer
	configuration string // fingerprint without the scope
}

func newSealedRecords(s settings) (*sealedRecords, error) {
	secret := s.secret()
	if len(secret) == 0 {
		return nil, s.fail(CodeConfiguration, "the instance has no secret to sign in with", fallbackRemedies[s.instance.Mode], nil)
	}
	return &sealedRecords{
		settings:      s,
		sealer:        sealer{secret: secret, random: s.env.Random},
		configuration: s.fingerprint(),
	}, nil
}

// key returns the key of the configuration's record of a kind.
func (r *sealedRecords) key(kind string) string { return kind + ":" + r.configuration }

func (r *sealedRecords) load(ctx context.Context) (contents, error) {
	values, err := r.env.IntegrationContext.Load(ctx)
	if err != nil {
		return contents{}, r.contextError("could not be read", err)
	}
	return readContents(values), nil
}

// update changes the newest contents, with a change that may run several times.
func (r *sealedRecords) update(ctx context.Context, change func(contents) (bool, error)) error {
	err := r.env.IntegrationContext.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		newest := readContents(values)
		changed, err := change(newest)
		if err != nil || !changed {
			return false, err
		}
		// Of the configuration's own records only the login itself must survive a long time without use.
		return true, newest.write(r.env.Now(), r.key(refreshRecord))
	})
	if err != nil {
		return r.contextError("could not be written", err)
	}
	return nil
}

func (r *sealedRecords) contextError(what string, err error) error {
	return r.fail(CodeContext, "the integration context "+what,
		"run the command again, and check the server's log if that does not help", err)
}

// record seals plain into a record for the place key that expires at expires.
func (r *sealedRecords) record(key string, plain []byte, expires time.Time) (record, error) {
	sealed, err := r.sealer.seal(plain, key)
	if err != nil {
		return record{}, unprepared(r.instance.Mode, err)
	}
	return record{Expires: expires.Unix(), Sealed: sealed}, nil
}

// refreshToken returns the stored refresh token, or "" without one.
func (r *sealedRecords) refreshToken(c contents) string {
	token, _ := r.open(c, r.key(refreshRecord))
	return string(token)
}

// open returns what the record at key holds. A record that does not open counts as absent: it was sealed with a secret that
// the instance no longer has or by another version of this program, or it was tampered with.
func (r *sealedRecords) open(c contents, key string) ([]byte, bool) {
	plain, err := r.sealer.open(c.get(key).Sealed, key)
	return plain, err == nil
}
