package auth

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// unusableToken reports a token that cannot be sent in a header, such as one with a line break in it. Asking again brings
// the same one.
type unusableToken struct{}

func (unusableToken) Error() string { return "the token holds a character that cannot be sent" }

// NonRetriable keeps the pipeline from asking again.
func (unusableToken) NonRetriable() {}

// readableAnswer returns an answer that has a token in the one form that every library reads. Services and proxies on the way
// were seen to write the life of a token as a number, as text, with a fraction or not at all, and other fields in ways at
// which a library gives up, although the token is good. Any other answer is returned as it is.
func readableAnswer(body []byte, now time.Time) ([]byte, error) {
	if !gjson.ValidBytes(body) {
		return body, nil
	}
	answer := gjson.ParseBytes(body)
	token := answer.Get("access_token")
	if token.Type != gjson.String || token.Str == "" {
		return body, nil
	}
	if reason := answer.Get("error"); saysError(reason) {
		// Not every library looks at it when there is a token as well.
		return json.Marshal(map[string]json.RawMessage{"error": json.RawMessage(reason.Raw)})
	}
	value := strings.TrimSpace(token.Str)
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, unusableToken{}
	}
	readable := map[string]any{
		"token_type":   "Bearer",
		"access_token": value,
		"expires_in":   int64(lifeIn(answer, value, now) / time.Second),
	}
	if refresh := answer.Get("refresh_token"); refresh.Type == gjson.String && refresh.Str != "" {
		readable["refresh_token"] = refresh.Str
	}
	return json.Marshal(readable)
}

// saysError reports whether the error of an answer is one.
func saysError(value gjson.Result) bool {
	return value.IsObject() || value.Type == gjson.String && value.Str != ""
}

// lifeIn returns how long the token of an answer lives, at least a second: as the answer says in seconds or as a time, as the
// token itself says, or as tokens usually do. ext_expires_in comes last: it is for an authority that is out of order
// (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#successful-response-1 has the fields).
func lifeIn(answer gjson.Result, token string, now time.Time) time.Duration {
	if life, ok := spanIn(answer.Get("expires_in")); ok {
		return life
	}
	if expires, ok := timeIn(answer.Get("expires_on")); ok && expires.After(now) {
		return inSeconds(expires.Sub(now).Seconds())
	}
	if claims, ok := ReadClaims(token); ok && claims.Expires.After(now) {
		return inSeconds(claims.Expires.Sub(now).Seconds())
	}
	if life, ok := spanIn(answer.Get("ext_expires_in")); ok {
		return life
	}
	return defaultLife
}

// spanIn reads a number of seconds, or text that is one.
func spanIn(value gjson.Result) (time.Duration, bool) {
	seconds, ok := numberIn(value)
	if !ok || seconds <= 0 {
		return 0, false
	}
	return inSeconds(seconds), true
}

// inSeconds returns a life in whole seconds, at least one and at most longestLife.
func inSeconds(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 1), longestLife.Seconds())) * time.Second
}

// numberIn reads a number, or text that is one.
func numberIn(value gjson.Result) (float64, bool) {
	switch value.Type {
	case gjson.Number:
		return value.Num, true
	case gjson.String:
		number, err := strconv.ParseFloat(strings.TrimSpace(value.Str), 64)
		// Too large a number is infinite, which is as good as any other large one.
		return number, (err == nil || errors.Is(err, strconv.ErrRange)) && number == number
	case gjson.Null, gjson.False, gjson.True, gjson.JSON:
	}
	return 0, false
}

// timeIn reads seconds since 1970, as a number or as text, or a date in one of the forms of Azure's managed identity
// endpoints: App Service used them in api-version 2017-09-01
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity).
func timeIn(value gjson.Result) (time.Time, bool) {
	if seconds, ok := numberIn(value); ok {
		const latest = 1 << 40 // beyond any date that a token may name, and far from overflowing
		return time.Unix(int64(min(max(seconds, 0), latest)), 0), true
	}
	for _, layout := range []string{time.RFC3339, "01/02/2006 15:04:05 -07:00", "01/02/2006 15:04:05", "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, value.Str); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
