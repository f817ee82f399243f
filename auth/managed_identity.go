package auth

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// managedIdentity signs in as the identity that Azure gives to the machine, system-assigned or user-assigned. There is no
// secret, so its tokens are kept in the process only (see memoryKeep).
type managedIdentity struct{ settings }

var _ azcore.TokenCredential = (*managedIdentity)(nil)

func newManagedIdentity(s settings) source {
	return source{credential: &managedIdentity{s}, keep: newMemoryKeep(s)}
}

// MetadataEndpoint is where Azure virtual machines have it; azidentity finds the endpoints of other Azure services in the
// environment. None of them is ever behind a proxy.
const MetadataEndpoint = "http://169.254.169.254"

// wire gives the endpoint 5 s at most: it is on the machine itself or next to it, and where there is none, nothing answers.
func (c *managedIdentity) wire() wire {
	return wire{
		mode:      c.instance.Mode,
		transport: c.env.Direct,
		address:   MetadataEndpoint,
		patience:  5 * time.Second,
		retry: policy.RetryOptions{
			MaxRetries: 1, TryTimeout: 2 * time.Second, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: time.Second,
		},
		plain: true,
	}
}

// GetToken asks the machine's managed identity endpoint for a token.
func (c *managedIdentity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	// The library below azidentity caches these tokens by identity and resource, for the whole process, and gives them to
	// every instance, refused by the API or not. It skips its cache for a request that answers a claims challenge, and
	// sends the endpoint nothing of the claims. Our own keep is by instance and drops refused tokens.
	options.Claims = "{}"
	return c.signIn(ctx, c.wire(), options, func(x *exchange) (azcore.TokenCredential, error) {
		with := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: x.options(c.instance.Cloud.Authority)}
		// The ID of a system-assigned identity is no ID at all: an empty ClientID is refused.
		if id := c.instance.ManagedIdentityClientID; id != "" {
			with.ID = azidentity.ClientID(id)
		}
		return azidentity.NewManagedIdentityCredential(with)
	})
}
