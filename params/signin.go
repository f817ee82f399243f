package params

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

// tokenProxyURL is where the Cortex XSOAR application hands out tokens, unless the ID names another place.
const tokenProxyURL = "https://oproxy.demisto.ninja/obtain-token"

// signIn decides the mode and reads what it needs. A choice that is refused leaves the mode unknown: nothing is said then
// about fields that another mode would not need.
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

// workloadIdentity needs neither client ID nor tenant: the webhook of Azure Workload Identity puts both into the
// environment of the process.
func (f *form) workloadIdentity(instance *Instance) {
	instance.Mode = WorkloadIdentity
	instance.ClientID = f.textOr(fieldAuthID, fieldOldAuthID)
	if instance.TenantID = f.textOr(fieldTenantID, fieldOldTenantID); instance.TenantID != "" {
		f.checkTenant(instance.TenantID)
	}
}

func (f *form) clientCredentials(instance *Instance) {
	f.application(instance)
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
	instance.RedirectURI = f.text(fieldRedirectURI)
	if _, ok := parseAddress(instance.RedirectURI); !ok {
		f.refuse(fieldRedirectURI, "put a redirect URI of the application there, exactly as it is registered, for example https://localhost/myapp")
	}
	_, pasted := f.credentials(fieldAuthCode)
	grant, err := ParseGrant(pasted)
	if err != nil {
		f.refusePart(fieldAuthCode, passwordPart, grantFix(err))
	}
	instance.Grant = grant
}

// application reads who an own application is and what proves it. A certificate goes before a client secret: it is the
// stronger proof, and where both are filled the secret is often a placeholder, because earlier implementations demanded
// one even beside a certificate. A certificate that is refused does not fall back to the secret.
func (f *form) application(instance *Instance) {
	if instance.ClientID = f.textOr(fieldAuthID, fieldOldAuthID); instance.ClientID == "" {
		f.refuse(fieldAuthID, "put the application (client) ID of your Azure application there")
	}
	instance.TenantID = f.textOr(fieldTenantID, fieldOldTenantID)
	f.checkTenant(instance.TenantID)
	secret := f.passwordOr(fieldCredentials, fieldOldKey)
	certificate, filled := f.certificate()
	switch {
	case filled:
		instance.Certificate = certificate
	case secret == "":
		f.refusePart(fieldCredentials, passwordPart, "put a client secret of your Azure application there, or fill in the certificate instead")
	default:
		instance.ClientSecret = secret
	}
}

func (f *form) cortexApplication(instance *Instance) {
	const orOwn = " that you got when you registered with the Cortex XSOAR application there; for an Azure application of your own, select the checkbox for it"
	id, address, _ := strings.Cut(f.textOr(fieldAuthID, fieldOldAuthID), "@")
	proxy := TokenProxy{
		ID:    strings.TrimSpace(id),
		URL:   strings.TrimSpace(address),
		Token: Secret(f.textOr(fieldTenantID, fieldOldTenantID)),
		Key:   f.passwordOr(fieldCredentials, fieldOldKey),
	}
	if proxy.ID == "" {
		f.refuse(fieldAuthID, "put the ID"+orOwn)
	}
	if proxy.URL == "" {
		proxy.URL = tokenProxyURL
	} else if _, ok := parseAddress(proxy.URL); !ok {
		f.refuse(fieldAuthID, "put the ID there as you got it; what follows its @ has to be a whole https:// address")
	}
	if proxy.Token == "" {
		f.refuse(fieldTenantID, "put the token"+orOwn)
	}
	switch key, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(proxy.Key.Reveal()), "")); {
	case proxy.Key == "":
		f.refusePart(fieldCredentials, passwordPart, "put the key"+orOwn)
	case err != nil || len(key) != 16 && len(key) != 24 && len(key) != 32:
		f.refusePart(fieldCredentials, passwordPart, "put the key there exactly as you got it: it is base64 text of 16, 24 or 32 bytes; for a client secret of an Azure application of your own, select the checkbox for it")
	default:
		proxy.KeyBytes = key
	}
	instance.Mode = CortexApplication
	instance.Proxy = proxy
}

// checkTenant refuses what is neither a tenant ID nor a domain. The tenant becomes part of the authority's addresses, so
// nothing else may pass.
func (f *form) checkTenant(tenant string) {
	if len(tenant) == len(uuid.Nil.String()) && uuid.Validate(tenant) == nil || isDomain(tenant) {
		return
	}
	f.refuse(fieldTenantID, "put the directory (tenant) ID there, or a domain of the tenant such as contoso.onmicrosoft.com")
}

// isDomain tells names with at least two labels of ASCII letters, digits and inner hyphens, the last not a number.
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
