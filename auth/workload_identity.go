package auth

import (
	"cmp"
	"context"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Variables that the Azure workload identity webhook sets in a pod
// (https://azure.github.io/azure-workload-identity/docs/installation/mutating-admission-webhook.html).
const (
	clientIDVariable  = "AZURE_CLIENT_ID"
	tenantIDVariable  = "AZURE_TENANT_ID"
	tokenFileVariable = "AZURE_FEDERATED_TOKEN_FILE"
)

// workloadIdentity signs in as the application that trusts the Kubernetes service account of the pod. The proof is a token
// that Kubernetes writes to a file and renews; it is not a secret of the instance, so access tokens are stored in the
// process only (see processStore).
type workloadIdentity struct {
	settings

	tokenFile string
}

var _ azcore.TokenCredential = (*workloadIdentity)(nil)

// newWorkloadIdentity takes client and tenant from the instance, or from the environment if the instance has none.
func newWorkloadIdentity(s settings) (method, error) {
	s.instance.ClientID = cmp.Or(s.instance.ClientID, s.env.Getenv(clientIDVariable))
	s.instance.TenantID = cmp.Or(s.instance.TenantID, s.env.Getenv(tenantIDVariable))
	file := s.env.Getenv(tokenFileVariable)
	for _, needed := range []struct{ value, name string }{
		{s.instance.ClientID, clientIDVariable}, {s.instance.TenantID, tenantIDVariable}, {file, tokenFileVariable},
	} {
		if needed.value == "" {
			return method{}, s.fail(CodeConfiguration, "the environment has no "+needed.name, fallbackRemedies[s.instance.Mode], nil)
		}
	}
	return method{credential: &workloadIdentity{settings: s, tokenFile: file}, store: newProcessStore(s, file)}, nil
}

// GetToken exchanges the pod's token for an access token.
func (c *workloadIdentity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	// azidentity reads the file as well, but its error is indistinguishable from a refusal of the authority.
	if _, err := os.ReadFile(c.tokenFile); err != nil {
		return azcore.AccessToken{}, c.fail(CodeConfiguration, "the token of the pod's service account cannot be read",
			fallbackRemedies[c.instance.Mode], err)
	}
	return c.signIn(ctx, c.tokenWire(), options, func(x *exchange) (azcore.TokenCredential, error) {
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions:            x.options(c.instance.Cloud.Authority),
			DisableInstanceDiscovery: true,
			ClientID:                 c.instance.ClientID,
			TenantID:                 c.instance.TenantID,
			TokenFilePath:            c.tokenFile,
		})
	})
}
