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

// assertionLife is how long an assertion is good for; Microsoft recommends five to ten minutes.
const assertionLife = 10 * time.Minute

// clientCertificate signs an application in with its certificate.
type clientCertificate struct{ settings }

var _ azcore.TokenCredential = (*clientCertificate)(nil)

func newClientCertificate(s settings) (source, error) {
	vault, err := newVault(s)
	if err != nil {
		return source{}, err
	}
	return source{credential: &clientCertificate{s}, keep: newContextKeep(vault, "")}, nil
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
		certificate.Chain, certificate.Key,
		&azidentity.ClientCertificateCredentialOptions{
			ClientOptions:            x.options(c.instance.Cloud.Authority),
			DisableInstanceDiscovery: true,
		})
}

// withAssertion signs the assertion itself: azidentity's certificate credential takes no bare thumbprint.
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

// assertion proves to the token endpoint that the application holds the key of its certificate. It is of the form with
// the SHA-1 thumbprint, because that may be all that is known of the certificate.
func (s settings) assertion() (string, error) {
	id, err := uuid.NewRandomFromReader(s.env.Random)
	if err != nil {
		return "", fmt.Errorf("random id: %w", err)
	}
	now := s.env.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		// A single string, as Microsoft documents it: jwt.ClaimStrings would be written as a list.
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

// thumbprint gives the SHA-1 thumbprint of the certificate, computed when only the certificate itself is known.
func thumbprint(certificate *params.Certificate) []byte {
	if len(certificate.Chain) == 0 {
		return certificate.Thumbprint
	}
	sum := sha1.Sum(certificate.Chain[0].Raw)
	return sum[:]
}
