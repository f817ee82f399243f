package auth

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are the claims of an access token that are shown to users
// (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type Claims struct {
	Roles    []string // application permissions
	Scopes   []string // delegated permissions
	Audience string
	Tenant   string
	AppID    string
	// The token is valid from NotBefore until Expires; zero if it does not say.
	NotBefore, Expires time.Time
}

// ReadClaims reads the claims of an access token without verifying it: only the API trusts it, and the claims are only
// shown. It returns false if the token is not a readable JWT, which Microsoft reserves the right to issue
// (https://learn.microsoft.com/entra/identity-platform/access-tokens).
func ReadClaims(token string) (Claims, bool) {
	body := jwt.MapClaims{}
	// A token that is signed or typed in a way unknown here is readable all the same.
	_, _, err := jwt.NewParser(jwt.WithPaddingAllowed()).ParseUnverified(token, body)
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) {
		return Claims{}, false
	}
	claims := Claims{
		Roles: textsIn(body["roles"]), Scopes: strings.Fields(strings.Join(textsIn(body["scp"]), " ")),
		Tenant: firstText(body["tid"]), Audience: firstText(body["aud"]),
		// Tokens of version 1 say appid, those of version 2 azp.
		AppID: cmp.Or(firstText(body["appid"]), firstText(body["azp"])),
	}
	// A claim that is not a time does not make the others unreadable.
	if from, err := body.GetNotBefore(); err == nil && from != nil {
		claims.NotBefore = from.Time
	}
	if until, err := body.GetExpirationTime(); err == nil && until != nil {
		claims.Expires = until.Time
	}
	return claims, true
}

// textsIn returns the text that a claim is, or the texts of the list that it is. Whatever else is there cannot be shown.
func textsIn(claim any) []string {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []any:
		var texts []string
		for _, item := range claim {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}

// firstText returns the first text of a claim, or "" if it has none.
func firstText(claim any) string {
	if texts := textsIn(claim); len(texts) > 0 {
		return texts[0]
	}
	return ""
}
