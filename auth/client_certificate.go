package auth

import (
	"context"
	"crypto/sha1"
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
	if len(c.instance.Certificate.Chain) == 0 {
		return c.signIn(ctx, c.tokenWire(), options, c.withAssertion)
	}
	return c.signIn(ctx, c.tokenWire(), options, c.withCertificate)
}

func (c *clientCertificate) withCertificate(x *exchange) (azcore.TokenCredential, error) {
	certificate := c.instance.Certificate
	return azidentity.NewClientCertificateCredential(c.instance.TenantID, c.instance.ClientID,
		// Only the chosen one: a renewed certificate may have the same key, and of several the library signs with the last.
		certificate.Chain[:1], certificate.Key,
		&azidentity.ClientCertificateCredentialOptions{
			ClientOptions:            x.options(c.instance.Cloud.Authority),
			DisableInstanceDiscovery: true,
		})
}

// withAssertion signs the assertion itself: azidentity's certificate credential does not accept a bare thumbprint.
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

// assertion proves to the token endpoint that the application holds the key of its certificate. Its form is the one with
// the SHA-1 thumbprint, because nothing else of the certificate may be known.
func (s settings) assertion() (string, error) {
	id, err := uuid.NewRandomFromReader(s.env.Random)
	if err != nil {
		return "", fmt.Errorf("random id: %w", err)
	}
	now := s.env.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
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
	token.Header["x5t"] = base64.RawURLEncoding.EncodeToString(thumbprint(s.instance.Certificate))
	return token.SignedString(s.instance.Certificate.Key)
}

// thumbprint returns the SHA-1 thumbprint of the certificate, computed if only the certificate itself is known.
func thumbprint(certificate *params.Certificate) []byte {
	if len(certificate.Chain) == 0 {
		return certificate.Thumbprint
	}
	sum := sha1.Sum(certificate.Chain[0].Raw)
	return sum[:]
}
