package auth

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// contextKey is the one key of the integration context that this package writes.
const contextKey = "xsoar_defender_auth"

// Keys that the implementation before this one kept in plain text.
const (
	legacyAccessToken  = "access_token"
	legacyValidUntil   = "valid_until"
	legacyRefreshToken = "current_refresh_token"
	legacyCode         = "auth_code"
)

// pruneAfter is how long an ended record stays: processes on several machines share the context, and their clocks differ.
const pruneAfter = time.Hour

// Kinds of records.
const (
	accessRecord  = "access"  // an access token, by everything it was made from
	refreshRecord = "refresh" // the refresh token of a login, by the configuration without the scope: it serves every scope
	loginRecord   = "login"   // PKCE verifier and state of the login URL made last
	backoffRecord = "backoff" // failures of the token proxy in a row
	scopeRecord   = "scope"   // the scope that works where none is documented, by the configuration without the scope
)

// contents is the integration context with this package's part of it taken apart.
//
// That part is one flat object of records, and several processes change it at once, some of them perhaps for an older
// configuration of the instance or by another version of this program. A process reads the newest contents, changes them
// and writes them back only if nobody has written in between (Store.Update). For the merge to be right as well:
//
//   - A record's key is its kind and a fingerprint of the configuration it belongs to. A process changes only records of
//     its own configuration; of others it removes those that ended more than an hour ago, and nothing else.
//   - Records that this version cannot read stay as they are, byte for byte.
//   - Access records: the last one written stays. Any of them is good.
//   - Refresh records: one that was redeemed is replaced only while it is still there, or while what is there still opens to
//     the token that was redeemed. Otherwise somebody else has rotated it, logged in anew or reset it in the meantime, and
//     theirs is the newer state: nothing is written (see session.save). So a reset is not undone by a refresh under way,
//     and no token is blanked or put back. An answer without a refresh token writes the old one again.
//   - Login records: the login URL made last wins; the exchange that used one removes it, unless a newer one has come.
//   - Scope records: the last one written stays, as for access records.
//   - Back-off records: a failure adds one to the newest count, a success removes the record.
type contents struct {
	values  map[string]json.RawMessage
	records map[string]json.RawMessage
}

// record is one entry of ours.
type record struct {
	// Expires, in seconds since 1970, is from when on anybody may remove the record.
	Expires int64  `json:"expires"`
	Sealed  string `json:"sealed,omitempty"`
	// Origin is a fingerprint of the code or token that was pasted to get a refresh token. A code works only once.
	Origin string `json:"origin,omitempty"`
	// Failures in a row of the token proxy, and until when, in milliseconds since 1970, it is left alone.
	Failures int   `json:"failures,omitempty"`
	Until    int64 `json:"until,omitempty"`
	// Scope is the one whose resource the tenant knows.
	Scope string `json:"scope,omitempty"`
}

// readContents takes our part out of values. What is there but is no object can only be damage and counts as nothing.
func readContents(values map[string]json.RawMessage) contents {
	c := contents{values: values}
	if err := json.Unmarshal(values[contextKey], &c.records); err != nil || c.records == nil {
		c.records = make(map[string]json.RawMessage)
	}
	return c
}

// write puts our part back into the values, without the records that have ended; spared is the key of one that stays.
func (c contents) write(now time.Time, spared string) error {
	maps.DeleteFunc(c.records, func(key string, raw json.RawMessage) bool {
		var r record
		if key == spared || json.Unmarshal(raw, &r) != nil || r.Expires == 0 {
			return false
		}
		return time.Unix(r.Expires, 0).Add(pruneAfter).Before(now)
	})
	raw, err := json.Marshal(c.records)
	if err != nil {
		return fmt.Errorf("encode the integration context: %w", err)
	}
	c.values[contextKey] = raw
	return nil
}

// get gives the record at key, or an empty one when there is none that this version can read.
func (c contents) get(key string) record {
	var r record
	if json.Unmarshal(c.records[key], &r) != nil {
		return record{}
	}
	return r
}

func (c contents) set(key string, r record) {
	c.records[key], _ = json.Marshal(r) // numbers and strings: nothing that cannot be encoded
}

func (c contents) remove(key string) { delete(c.records, key) }

// legacy gives the text that the older implementation kept under key, empty when there is none.
func (c contents) legacy(key string) string {
	var text string
	if json.Unmarshal(c.values[key], &text) != nil {
		return ""
	}
	return text
}

func (c contents) dropLegacy(keys ...string) {
	for _, key := range keys {
		delete(c.values, key)
	}
}

// used tells whether a refresh token was ever got with the paste of this fingerprint, under whatever configuration.
func (c contents) used(origin string) bool {
	for key := range c.records {
		if origin != "" && c.get(key).Origin == origin {
			return true
		}
	}
	return false
}
