package auth

import "xsoar-defender/params"

// newSource makes the sign-in mode of the instance. It is the only place that tells the modes apart.
func newSource(s settings) (source, error) {
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
	return source{}, s.fail(CodeConfiguration, "the instance names no sign-in mode", "choose its Authentication Type", nil)
}
