package simulator

import "encoding/base64"

// The ways of signing in that Instance knows.
const (
	modeClientSecret         = "client-secret"
	modeCertificate          = "certificate"
	modeCertificateWithChain = "certificate-with-chain"
	modeAuthorizationCode    = "authorization-code"
	modeManagedIdentity      = "managed-identity"
	modeManagedIdentityUser  = "managed-identity-user"
	modeCortex               = "cortex"
	modeWorkloadIdentity     = "workload-identity"
)

// modeRenewedCertificate is certificate-with-chain after a renewal.
const modeRenewedCertificate = "certificate-renewed"

// Situations names further instances: another situation of a way of signing in that Modes names. At certificate-renewed the
// Private Key holds two certificates of one key, and the renewal is the chosen one.
func Situations() []string { return []string{modeRenewedCertificate} }

// Modes names the ways of signing in that Instance and Environment know.
func Modes() []string {
	return []string{
		modeClientSecret, modeCertificate, modeCertificateWithChain, modeAuthorizationCode,
		modeManagedIdentity, modeManagedIdentityUser, modeCortex, modeWorkloadIdentity,
	}
}

// redirectURI is where the authorization code instance sends the browser. Entra lets the port of a loopback
// redirect vary (https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions), and so does the tenant.
const redirectURI = "http://localhost:8400/callback"

// The scopes that stand for all permissions at the Defender API and at Microsoft Graph.
const (
	DefenderScope = "https://api.securitycenter.microsoft.com/" + defaultScope
	GraphScope    = graphAudience + "/" + defaultScope
)

// RedirectURI returns the redirect URI that is registered for the application.
func (t *Tenant) RedirectURI() string { return redirectURI }

// ApplicationCertificate returns the private key and the certificate with which the application signs in, as PEM, or
// nothing if it has no certificate.
func (t *Tenant) ApplicationCertificate() string {
	certificate, err := t.application()
	if err != nil {
		return ""
	}
	return certificate.keyPEM + string(certificatePEM(certificate.first))
}

// Instance returns the parameters of an integration instance that signs in to this tenant in the given mode, as
// the platform hands them over, or nil for a mode that neither Modes nor Situations names. The secret is the one of the
// moment. A managed or a workload identity also needs the variables of Environment.
func (t *Tenant) Instance(mode string) map[string]any {
	params := map[string]any{
		"endpoint_type":     "Custom",
		"url":               t.base,
		"azure_ad_endpoint": t.base,
		"insecure":          true,
		"proxy":             false,
	}
	own := func(authType string) {
		params["auth_type"] = authType
		params["self_deployed"] = true
		params["_auth_id"] = t.registration.clientID
		params["_tenant_id"] = t.registration.tenantID
	}
	switch mode {
	case modeClientSecret:
		own("Client Credentials")
		params["credentials"] = password(t.Secret())
	case modeCertificate, modeCertificateWithChain, modeRenewedCertificate:
		certificate, err := t.application()
		if err != nil {
			return nil
		}
		own("Client Credentials")
		key, chosen := certificate.keyPEM, certificate.first
		switch mode {
		case modeCertificateWithChain:
			key += string(certificatePEM(certificate.first)) + certificate.issuerPEM
		case modeRenewedCertificate:
			chosen = certificate.renewal
			key += string(certificatePEM(certificate.first)) + string(certificatePEM(certificate.renewal)) + certificate.issuerPEM
		}
		params["creds_certificate"] = map[string]any{"identifier": thumbprintOf(chosen), "password": key}
	case modeAuthorizationCode:
		own("Authorization Code")
		params["credentials"] = password(t.Secret())
		params["redirect_uri"] = redirectURI
		params["auth_code"] = password("")
	case modeManagedIdentity:
		params["auth_type"] = "Azure Managed Identities"
	case modeManagedIdentityUser:
		params["auth_type"] = "Azure Managed Identities"
		params["managed_identities_client_id"] = password(t.registration.userIdentity)
	case modeCortex:
		params["auth_type"] = "Client Credentials"
		params["self_deployed"] = false
		params["_auth_id"] = t.registration.cortexID + "@" + t.base + tokenProxyPath
		params["_tenant_id"] = t.fixed.cortexToken
		params["credentials"] = password(base64.StdEncoding.EncodeToString(t.fixed.cortexKey))
	case modeWorkloadIdentity:
		own("Azure Workload Identity")
	default:
		return nil
	}
	return params
}

// password is a credentials parameter of which only the password is used.
func password(secret string) map[string]any {
	return map[string]any{"identifier": "", "password": secret}
}

// Environment returns the variables that a process needs to sign in with Instance of the same mode; most modes
// need none. A workload identity needs AZURE_FEDERATED_TOKEN_FILE besides: the path of a file that the caller
// fills with WorkloadToken.
func (t *Tenant) Environment(mode string) map[string]string {
	switch mode {
	case modeManagedIdentity, modeManagedIdentityUser:
		return map[string]string{"IDENTITY_ENDPOINT": t.identityURL, "IDENTITY_HEADER": t.fixed.identityHeader}
	case modeWorkloadIdentity:
		return map[string]string{
			"AZURE_AUTHORITY_HOST": t.base + "/",
			"AZURE_CLIENT_ID":      t.registration.clientID,
			"AZURE_TENANT_ID":      t.registration.tenantID,
		}
	}
	return map[string]string{}
}
