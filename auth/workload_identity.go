package auth

import (
	"cmp"
	"context"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// What the Azure workload identity webhook sets in the environment of a pod.
const (
	clientIDVariable  = "AZURE_CLIENT_ID"
	tenantIDVariable  = "AZURE_TENANT_ID"
	tokenFileVariable = "AZURE_FEDERATED_TOKEN_FILE"
)

// workloadIdentity signs in as the application that trusts the Kubernetes service account of the pod. The proof is a token
// that Kubernetes puts into a file and renews; it is no secret of the instance, so access tokens are kept in the process
// only (see memoryKeep).
type workloadIdentity struct {
	settings

	tokenFile string
}

var _ azcore.TokenCredential = (*workloadIdentity)(nil)

// newWorkloadIdentity takes client and tenant from the instance, and from the environment where the instance has none.
func newWorkloadIdentity(s settings) (source, error) {
	s.instance.ClientID = cmp.Or(s.instance.ClientID, s.env.Getenv(clientIDVariable))
	s.instance.TenantID = cmp.Or(s.instance.TenantID, s.env.Getenv(tenantIDVariable))
	file := s.env.Getenv(tokenFileVariable)
	for _, needed := range []struct{ value, name string }{
		{s.instance.ClientID, clientIDVariable}, {s.instance.TenantID, tenantIDVariable}, {file, tokenFileVariable},
	} {
		if needed.value == "" {
			return source{}, s.fail(CodeConfiguration, "the environment has no "+needed.name, fallbackRemedies[s.instance.Mode], nil)
		}
	}
	return source{credential: &workloadIdentity{settings: s, tokenFile: file}, keep: newMemoryKeep(s, file)}, nil
}

// GetToken exchanges the pod's token for an access token.
func (c *workloadIdentity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	// azidentity reads the file as well, but its error cannot be told from a refusal of the authority.
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
