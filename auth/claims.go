package auth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims is what an access token says about itself.
type Claims struct {
	Roles    []string // application permissions
	Scopes   []string // delegated permissions
	Audience string
	Tenant   string
	AppID    string
	// From when until when it is valid; zero when the token does not say.
	NotBefore, Expires time.Time
}

// ReadClaims reads the claims of an access token, without verifying it: it is the API's to trust, and what is read here
// is only shown. False means that it is no readable JWT, which Microsoft leaves itself free to issue.
func ReadClaims(token string) (Claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, false
	}
	var body struct {
		jwt.RegisteredClaims

		Roles           jwt.ClaimStrings `json:"roles"`
		Scope           string           `json:"scp"`
		Tenant          string           `json:"tid"`
		AppID           string           `json:"appid"` // in tokens of version 1
		AuthorizedParty string           `json:"azp"`   // in tokens of version 2
	}
	if json.Unmarshal(raw, &body) != nil {
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
