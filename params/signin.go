package params

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

// TokenProxyURL is the address of the token proxy of the Cortex XSOAR application, unless the ID names another one.
const TokenProxyURL = "https://oproxy.demisto.ninja/obtain-token"

// signIn decides the mode and reads the fields that it needs. If a choice is refused, the mode is unknown, and nothing is
// said about fields that only some modes need.
func (f *form) signIn(instance *Instance) {
	before := len(f.findings)
	authType := f.oneOf(fieldAuthType)
	selfDeployed := f.checkbox(fieldSelfDeployed)
	managed := f.checkbox(fieldUseManagedIdentities)
	if len(f.findings) > before {
		return
	}
	switch {
	case managed || authType == managedIdentities:
		f.managedIdentity(instance)
	case authType == azureWorkloadLogin:
		f.workloadIdentity(instance)
	case authType == authorizationCode:
		f.authorizationCode(instance, selfDeployed)
	case selfDeployed:
		f.clientCredentials(instance)
	default:
		f.cortexApplication(instance)
	}
}

func (f *form) managedIdentity(instance *Instance) {
	_, clientID := f.credentials(fieldManagedIdentityClientID)
	instance.Mode = ManagedIdentity
	instance.ClientID, instance.ManagedIdentityClientID = clientID, clientID
}

// workloadIdentity needs neither a client ID nor a tenant: the webhook of Azure Workload Identity puts both in the
// environment of the process.
func (f *form) workloadIdentity(instance *Instance) {
	instance.Mode = WorkloadIdentity
	instance.ClientID = f.id()
	if instance.TenantID = f.token(); instance.TenantID != "" {
		f.checkTenant(instance.TenantID)
	}
}

func (f *form) clientCredentials(instance *Instance) {
	f.application(instance)
	instance.TenantID = f.token()
	f.checkTenant(instance.TenantID)
	instance.Mode = ClientSecret
	if instance.Certificate != nil {
		instance.Mode = ClientCertificate
	}
}

func (f *form) authorizationCode(instance *Instance, selfDeployed bool) {
	instance.Mode = AuthorizationCode
	if !selfDeployed {
		f.refuse(fieldSelfDeployed, "select it, because a user can log in only to an application of your own, or choose another authentication type")
	}
	f.application(instance)
	instance.TenantID = f.loginTenant(instance)
	instance.RedirectURI = f.text(fieldRedirectURI)
	if _, ok := parseAddress(instance.RedirectURI); !ok {
		f.refuse(fieldRedirectURI, "put a redirect URI of the application there, exactly as it is registered, for example https://localhost/myapp")
	}
	_, pasted := f.credentials(fieldAuthCode)
	grant, err := ParseGrant(pasted)
	if err != nil {
		f.refuse(fieldAuthCode, grantFix(err))
	}
	instance.Grant = grant
}

// application reads the client ID of a self-deployed application and its proof. A certificate takes precedence over a
// client secret: it is the stronger proof, and next to it the secret is often a placeholder, because earlier
// implementations required one. If the certificate is refused, the secret is not used instead.
func (f *form) application(instance *Instance) {
	if instance.ClientID = f.id(); instance.ClientID == "" {
		f.refuse(fieldID, "put the application (client) ID of your Azure application there")
	}
	secret := Secret(f.passwordOr(fieldCredentials, fieldOldKey))
	certificate, filled := f.certificate()
	switch {
	case filled:
		instance.Certificate = certificate
	case secret == "":
		f.refuse(fieldCredentials, "put a client secret of your Azure application there, or fill in the certificate instead")
	default:
		instance.ClientSecret = secret
	}
}

func (f *form) cortexApplication(instance *Instance) {
	orOwn := " that the Cortex XSOAR application issued there; for an Azure application of your own, select " + parameters[fieldSelfDeployed].Display
	id, address, _ := strings.Cut(f.id(), "@")
	proxy := TokenProxy{
		ID:    strings.TrimSpace(id),
		URL:   strings.TrimSpace(address),
		Token: Secret(f.token()),
		Key:   Secret(f.passwordOr(fieldCredentials, fieldOldKey)),
	}
	if proxy.ID == "" {
		f.refuse(fieldID, "put the ID"+orOwn)
	}
	if proxy.URL == "" {
		proxy.URL = TokenProxyURL
	} else if _, ok := parseAddress(proxy.URL); !ok {
		f.refuse(fieldID, "put the ID there as it was issued; the part after its @ must be a whole https:// address")
	}
	if proxy.Token == "" {
		f.refuse(fieldToken, "put the token"+orOwn)
	}
	switch key, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(proxy.Key.Reveal()), "")); {
	case proxy.Key == "":
		f.refuse(fieldCredentials, "put the key"+orOwn)
	case err != nil || len(key) != 16 && len(key) != 24 && len(key) != 32:
		f.refuse(fieldCredentials, "put the key there exactly as it was issued: it is base64 text of 16, 24 or 32 bytes; for a client secret of an Azure application of your own, select "+
			parameters[fieldSelfDeployed].Display)
	default:
		proxy.KeyBytes = key
	}
	instance.Mode = CortexApplication
	instance.Proxy = proxy
}

// id returns the client ID, or the ID of the Cortex XSOAR application: the visible field first, then its predecessors,
// the newest first.
func (f *form) id() string { return f.passwordOr(fieldID, fieldPlainID, fieldOldID) }

// token returns the tenant, or the Token of the Cortex XSOAR application, in the same way.
func (f *form) token() string { return f.passwordOr(fieldToken, fieldPlainToken, fieldOldToken) }

const tenantFix = "put the directory (tenant) ID there, or a domain of the tenant such as contoso.onmicrosoft.com"

// checkTenant refuses a text that is neither a tenant ID nor a domain. The tenant becomes part of the authority's
// addresses, so nothing else may pass.
func (f *form) checkTenant(tenant string) {
	if !isTenant(tenant) {
		f.refuse(fieldToken, tenantFix)
	}
}

func isTenant(text string) bool {
	return len(text) == len(uuid.Nil.String()) && uuid.Validate(text) == nil || isDomain(text)
}

// AnyOrganization is the authority's name for the tenants of all organizations, in which a user's own one is found.
// See https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols#endpoints.
const AnyOrganization = "organizations"

// loginTenant returns the tenant in which users log in. The implementation that existing instances come from redeemed
// codes at AnyOrganization whatever Token held. So an instance that names no tenant there continues that way, with a
// warning.
func (f *form) loginTenant(instance *Instance) string {
	given := f.token()
	text := strings.ToLower(given)
	if given == "" || isTenant(given) {
		f.checkTenant(given)
		return given
	}
	warning := Problem{Field: parameters[fieldToken].Display, Fix: tenantFix + "; it names none, so users of any organization can log in."}
	if text != "common" {
		text = AnyOrganization
	}
	instance.Warnings = append(instance.Warnings, warning)
	return text
}

// isDomain reports whether name has at least two labels of ASCII letters, digits and inner hyphens, the last of which is
// not a number.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.ContainsFunc(label, notOfDomain) {
			return false
		}
	}
	return len(labels) > 1 && len(name) <= 253 && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func notOfDomain(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
