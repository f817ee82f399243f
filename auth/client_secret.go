package auth

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// clientSecret signs an application in with its client secret.
type clientSecret struct{ settings }

var _ azcore.TokenCredential = (*clientSecret)(nil)

func newClientSecret(s settings) (method, error) {
	sealed, err := newSealedRecords(s)
	if err != nil {
		return method{}, err
	}
	return method{credential: &clientSecret{s}, store: newContextStore(sealed, "")}, nil
}

// GetToken asks the authority for a token.
func (c *clientSecret) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c.signIn(ctx, c.tokenWire(), options, func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(c.instance.TenantID, c.instance.ClientID, c.instance.ClientSecret.Reveal(),
			&azidentity.ClientSecretCredentialOptions{
				ClientOptions:            x.options(c.instance.Cloud.Authority),
				DisableInstanceDiscovery: true,
			})
	})
}
