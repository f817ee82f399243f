package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// managedIdentity signs in as the identity that Azure assigns to the machine, system-assigned or user-assigned. There is no
// secret, so its tokens are stored in the process only (see processStore).
type managedIdentity struct{ settings }

var _ azcore.TokenCredential = (*managedIdentity)(nil)

func newManagedIdentity(s settings) method {
	return method{credential: &managedIdentity{s}, store: newProcessStore(s)}
}

// MetadataEndpoint is the instance metadata service of Azure virtual machines
// (https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service); azidentity finds the endpoints of other
// Azure services in the environment. None of them is ever behind a proxy.
const MetadataEndpoint = "http://169.254.169.254"

// ConnectTimeout is how long a connection to the managed identity endpoint may take to open. The endpoint is on the machine
// or next to it: where it does not answer by then, it does not exist.
const ConnectTimeout = 2 * time.Second

// wire allows 30 s for each answer. A status that Microsoft advises to try again is tried again five times, which covers the
// 70 s that an update of the endpoint may take
// (https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling). A
// request without an answer is not repeated: there is no endpoint.
func (c *managedIdentity) wire() wire {
	return wire{
		mode:      c.instance.Mode,
		transport: c.env.Direct,
		address:   MetadataEndpoint,
		patience:  100 * time.Second,
		now:       c.env.Now,
		retry: policy.RetryOptions{
			MaxRetries: 5, TryTimeout: 30 * time.Second, RetryDelay: 2 * time.Second, MaxRetryDelay: 30 * time.Second,
			ShouldRetry: func(response *http.Response, err error) bool {
				return err == nil && identityMayRecover(response.StatusCode)
			},
		},
		plain: true,
	}
}

// identityMayRecover reports whether Microsoft advises to ask the endpoint again after this status.
func identityMayRecover(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusGone, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// GetToken asks the machine's managed identity endpoint for a token.
func (c *managedIdentity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	// The library below azidentity caches these tokens by identity and resource, for the whole process, and returns them to
	// every instance, refused by the API or not. It skips its cache for a request that answers a claims challenge, and
	// does not send the claims to the endpoint. Our own store is by instance and drops refused tokens.
	options.Claims = "{}"
	return c.signIn(ctx, c.wire(), options, func(x *exchange) (azcore.TokenCredential, error) {
		with := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: x.options(c.instance.Cloud.Authority)}
		// A system-assigned identity has no ID: an empty ClientID is refused.
		if id := c.instance.ManagedIdentityClientID; id != "" {
			with.ID = azidentity.ClientID(id)
		}
		return azidentity.NewManagedIdentityCredential(with)
	})
}
