package simulator

import (
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestTokensOfOtherWorkloadsAreRefused signs with the key of the workload, and changes what the token says.
func TestTokensOfOtherWorkloadsAreRefused(t *testing.T) {
	now := time.Date(2026, time.June, 10, 8, 30, 0, 0, time.UTC)
	tenant := &Tenant{}
	tenant.fixed.workloadKey = []byte("the key of the workload")
	tenant.settings.assertionClock = func() time.Time { return now }
	for name, c := range map[string]struct {
		claim string
		value any
		want  int
	}{
		"its own":           {"sub", workloadSubject, 0},
		"another issuer":    {"iss", "https://elsewhere.example", 700211},
		"another audience":  {"aud", "api://elsewhere", 700212},
		"another subject":   {"sub", "system:serviceaccount:other:other", 700213},
		"expired":           {"exp", now.Add(-clockSkew).Unix(), 700024},
		"not valid yet":     {"nbf", now.Add(clockSkew + time.Second).Unix(), 700024},
		"nothing of an end": {"exp", nil, 700027},
	} {
		claims := jwt.MapClaims{"iss": workloadIssuer, "sub": workloadSubject, "aud": workloadAudience, "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		if claims[c.claim] = c.value; c.value == nil {
			delete(claims, c.claim)
		}
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(tenant.fixed.workloadKey)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if no := tenant.checkAssertion(tokenRequest{form: url.Values{"client_assertion_type": {assertionType}, "client_assertion": {text}}}); no != nil {
			got = no.code
		}
		if got != c.want {
			t.Errorf("%s: got the error %d, want %d", name, got, c.want)
		}
	}
}
