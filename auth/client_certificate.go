package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"xsoar-defender/params"
)

// assertionLife is how long an assertion is valid; five to ten minutes are recommended
// (https://learn.microsoft.com/entra/identity-platform/certificate-credentials).
const assertionLife = 10 * time.Minute

// clientCertificate signs an application in with its certificate.
type clientCertificate struct{ settings }

var _ azcore.TokenCredential = (*clientCertificate)(nil)

func newClientCertificate(s settings) (method, error) {
	sealed, err := newSealedRecords(s)
	if err != nil {
		return method{}, err
	}
	return method{credential: &clientCertificate{s}, store: newContextStore(sealed, "")}, nil
}

// GetToken asks the authority for a token.
func (c *clientCertificate) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c.signIn(ctx, c.tokenWire(), options, c.withAssertion)
}

// withAssertion signs the assertion itself: azidentity's certificate credential takes no bare thumbprint, and writes that of
// a certificate in the alphabet of plain base64, which only a lenient authority reads.
func (c *clientCertificate) withAssertion(x *exchange) (azcore.TokenCredential, error) {
	assertion, err := c.assertion()
	if err != nil {
		return nil, err
	}
	return azidentity.NewClientAssertionCredential(c.instance.TenantID, c.instance.ClientID,
		func(context.Context) (string, error) { return assertion, nil },
		&azidentity.ClientAssertionCredentialOptions{
			ClientOptions:            x.options(c.instance.Cloud.Authority),
			DisableInstanceDiscovery: true,
		})
}

// assertion proves to the token endpoint that the application holds the key of its certificate. Its form is the current one
// if the certificate itself is known, and the one before it, with the SHA-1 thumbprint, if nothing else is.
func (s settings) assertion() (string, error) {
	id, err := uuid.NewRandomFromReader(s.env.Random)
	if err != nil {
		return "", fmt.Errorf("random id: %w", err)
	}
	method, name, digest := signature(s.instance.Certificate)
	now := s.env.Now()
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		// A single string, as documented at
		// https://learn.microsoft.com/entra/identity-platform/certificate-credentials: jwt.ClaimStrings would be a list.
		"aud": s.endpoint("token"),
		"iss": s.instance.ClientID,
		"sub": s.instance.ClientID,
		"jti": id.String(),
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
	})
	token.Header[name] = base64.RawURLEncoding.EncodeToString(digest)
	return token.SignedString(s.instance.Certificate.Key)
}

// signature returns how an assertion is signed, and the header that names the certificate, with its value.
func signature(certificate *params.Certificate) (method jwt.SigningMethod, header string, digest []byte) {
	if len(certificate.Chain) == 0 {
		return jwt.SigningMethodRS256, "x5t", certificate.Thumbprint
	}
	sum := sha256.Sum256(certificate.Chain[0].Raw)
	return jwt.SigningMethodPS256, "x5t#S256", sum[:]
}
