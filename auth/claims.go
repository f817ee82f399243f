package auth

import (
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
	var body struct {
		jwt.RegisteredClaims

		Roles           jwt.ClaimStrings `json:"roles"`
		Scope           string           `json:"scp"`
		Tenant          string           `json:"tid"`
		AppID           string           `json:"appid"` // in tokens of version 1
		AuthorizedParty string           `json:"azp"`   // in tokens of version 2
	}
	// A token that is signed or typed in a way unknown here is readable all the same.
	_, _, err := jwt.NewParser(jwt.WithPaddingAllowed()).ParseUnverified(token, &body)
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) {
		return Claims{}, false
	}
	claims := Claims{Roles: body.Roles, Scopes: strings.Fields(body.Scope), Tenant: body.Tenant, AppID: body.AppID}
	if claims.AppID == "" {
		claims.AppID = body.AuthorizedParty
	}
	if len(body.Audience) > 0 {
		claims.Audience = body.Audience[0]
	}
	if body.NotBefore != nil {
		claims.NotBefore = body.NotBefore.Time
	}
	if body.ExpiresAt != nil {
		claims.Expires = body.ExpiresAt.Time
	}
	return claims, true
}
