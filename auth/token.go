package auth

import "time"

const (
	// renewEarly is how long before it expires an access token is replaced, so that none expires on its way.
	renewEarly = 5 * time.Minute
	// longestLife bounds what an answer may claim. Managed identities have the longest tokens, of up to a day
	// (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identity-best-practice-recommendations).
	longestLife = 24 * time.Hour
)

// accessToken is an access token with its times by the clock of the Environment.
type accessToken struct {
	Value   string    `json:"token"`
	Renew   time.Time `json:"renew"`
	Expires time.Time `json:"expires"`
}

// newAccessToken dates a token that was issued now. One that lives ten minutes or less is renewed at half its life: five
// minutes early would be at once, on every request.
func newAccessToken(value string, now, expires time.Time) accessToken {
	life := min(expires.Sub(now), longestLife)
	return accessToken{Value: value, Renew: now.Add(life - min(renewEarly, life/2)), Expires: now.Add(life)}
}

func (t accessToken) usable(now time.Time) bool { return t.Value != "" && now.Before(t.Renew) }
