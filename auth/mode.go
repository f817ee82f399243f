package auth

import (
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"xsoar-defender/params"
)

// method is the sign-in mode of an instance made ready: what signs in, and where its access tokens are stored.
type method struct {
	credential azcore.TokenCredential
	store      tokenStore
}

// newMethod makes the sign-in mode of the instance ready. Only this function tells the modes apart.
func newMethod(s settings) (method, error) {
	switch s.instance.Mode {
	case params.CortexApplication:
		return newCortexApplication(s)
	case params.ClientSecret:
		return newClientSecret(s)
	case params.ClientCertificate:
		return newClientCertificate(s)
	case params.AuthorizationCode:
		return newAuthorizationCode(s)
	case params.ManagedIdentity:
		return newManagedIdentity(s), nil
	case params.WorkloadIdentity:
		return newWorkloadIdentity(s)
	}
	return method{}, s.fail(CodeConfiguration, "the instance names no sign-in mode", "choose its Authentication Type", nil)
}
