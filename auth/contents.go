package auth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// contextKey is the one key of the integration context that this package writes.
const contextKey = "xsoar_defender_auth"

// Keys that the earlier implementation stored in plain text.
const (
	legacyAccessToken  = "access_token"
	legacyValidUntil   = "valid_until"
	legacyRefreshToken = "current_refresh_token"
	legacyCode         = "auth_code"
)

// legacyKeys are those of a login.
func legacyKeys() []string {
	return []string{legacyAccessToken, legacyValidUntil, legacyRefreshToken, legacyCode}
}

// isLegacy reports whether the earlier implementation may have stored the key when it signed in: those of a login, those of
// tokens for further scopes, which have the scope in front, and those of its back-off.
func isLegacy(key string) bool {
	switch key {
	case "next_request_time", "delay_request_counter":
		return true
	}
	return slices.Contains(legacyKeys(), key) ||
		strings.HasSuffix(key, "_"+legacyAccessToken) || strings.HasSuffix(key, "_"+legacyValidUntil)
}

// pruneAfter is how long an expired record stays: processes on several machines share the context, and their clocks differ.
const pruneAfter = time.Hour

// Kinds of records.
const (
	accessRecord  = "access"  // an access token, by everything it depends on
	refreshRecord = "refresh" // the refresh token of a login, by the configuration without the scope: it serves every scope
	loginRecord   = "login"   // PKCE verifier and state of the newest login URL
	backoffRecord = "backoff" // failures of the token proxy in a row
	scopeRecord   = "scope"   // the scope that works where none is documented, by the configuration without the scope
)

// contents is the integration context with this package's part of it parsed.
//
// That part is one flat object of records, and several processes change it at once, some of them perhaps for an older
// configuration of the instance or by another version of this program. A process reads the newest contents, changes them
// and writes them back only if nobody has written in between (IntegrationContext.Update). The rules of the merge:
//
//   - A record's key is its kind and a fingerprint of the configuration it belongs to. A process changes only records of
//     its own configuration; of others it removes those that expired more than an hour ago, and nothing else.
//   - Records that this version cannot read stay as they are, byte for byte.
//   - Access records: the last one written stays. Each of them is valid.
//   - Refresh records: one that was redeemed is replaced only while it is still there, or while the record there still opens
//     to the token that was redeemed. Otherwise it has been rotated, replaced by a new login or reset in the meantime, and
//     that state is newer: nothing is written (see redeemer.save). So a reset is not undone by a refresh in progress, and no
//     token is blanked or put back. An answer without a refresh token writes the old one again.
//   - Login records: the newest login URL wins; the exchange that used one removes it, unless there is a newer one.
//   - Scope records: the last one written stays, as for access records.
//   - Back-off records: the first failure of an outage adds one to the newest count, a success removes the record.
type contents struct {
	values  map[string]json.RawMessage
	records map[string]json.RawMessage
}

// record is one value of this package's object.
type record struct {
	// Expires, in seconds since 1970, is when any process may remove the record.
	Expires int64  `json:"expires"`
	Sealed  string `json:"sealed,omitempty"`
	// Origin is a fingerprint of the code or token in the instance that a login began with. A code works only once.
	Origin string `json:"origin,omitempty"`
	// Failures counts the token proxy's failures in a row; it is left alone until Until, in milliseconds since 1970.
	Failures int   `json:"failures,omitempty"`
	Until    int64 `json:"until,omitempty"`
	// Scope is the one whose resource the tenant knows.
	Scope string `json:"scope,omitempty"`
}

// readContents parses this package's part of values. Anything there but an object can only be damage and counts as nothing.
func readContents(values map[string]json.RawMessage) contents {
	c := contents{values: values}
	if err := json.Unmarshal(values[contextKey], &c.records); err != nil || c.records == nil {
		c.records = make(map[string]json.RawMessage)
	}
	return c
}

// write puts this package's part back into the values, without the records that have expired; spared is the key of one
// that stays.
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

// get returns the record at key, or an empty one without a record that this version can read.
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

// legacy returns the text that the earlier implementation stored under key, or "" without one.
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

// used reports whether a login ever began with the code or token of this fingerprint, under any configuration.
func (c contents) used(origin string) bool {
	for key := range c.records {
		if origin != "" && c.get(key).Origin == origin {
			return true
		}
	}
	return false
}
