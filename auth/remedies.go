package auth

import "xsoar-defender/params"

const (
	remedyLater = "try again in a few minutes"
	// remedyLogin is for a login that has not happened or whose code cannot be used.
	remedyLogin = "run `!microsoft-atp-generate-login-url`, log in there and put the address" + remedyPaste
	// remedyLoginAgain is for a login whose refresh token no longer works.
	remedyLoginAgain = "run `!microsoft-atp-auth-reset`, then log in again with `!microsoft-atp-generate-login-url`" +
		" and put the address" + remedyPaste
	remedyPaste = " that the browser ends at into Authorization Code of the instance"

	remedyNewSecret   = "create a new client secret and put its value into Key / Client Secret of the instance"
	remedySecret      = "put the value of the client secret, not its ID, into Key / Client Secret of the instance"
	remedyProof       = "fill in Key / Client Secret, or the certificate, of the instance"
	remedyClient      = "check ID / Client ID and Token / Tenant ID of the instance"
	remedyTenant      = "check Token / Tenant ID of the instance, and that its Endpoint Type is the tenant's cloud"
	remedyScope       = "check Endpoint Type and Token Scope of the instance"
	remedyProduct     = remedyScope + ", and that the tenant has Microsoft Defender for Endpoint"
	remedyRedirect    = "register exactly the Application Redirect URI of the instance with the application, for platform Web"
	remedyRegister    = "check the registration of the application in Microsoft Entra ID"
	remedyEnable      = "let an administrator of the tenant enable the application"
	remedyConsent     = "let an administrator of the tenant grant consent to the permissions of the application"
	remedyPolicy      = "let an administrator of the tenant look into its conditional access and cross-tenant policies"
	remedyUser        = "log in as another user, or let an administrator of the tenant look into the account"
	remedyAssign      = "let an administrator of the tenant assign the user to the application"
	remedyCertificate = "upload the certificate to the application, and check Certificate Thumbprint and Private Key of the instance"
	remedyFederation  = "check issuer, subject and audience of the federated credential of the application"
	remedyAddress     = "check Endpoint Type and Authority URL of the instance, and the name service of the engine's machine"
	remedyClock       = "set the clock of the engine's machine"
)

// remedies says what to do about each error code. The numbers are those that Microsoft documents for Microsoft Entra ID
// (those of assertions, 7000xx and 7002xx, in its pages about certificate and federated credentials); the words are of
// RFC 6749.
var remedies = map[string]string{
	// The application and how it proves itself.
	"AADSTS70001":   remedyClient,
	"AADSTS700011":  remedyClient,
	"AADSTS700016":  remedyClient,
	"AADSTS7000112": remedyEnable,
	"AADSTS70002":   remedySecret,
	"AADSTS7000215": remedySecret,
	"AADSTS7000218": remedyProof,
	"AADSTS7000222": remedyNewSecret,
	"AADSTS700025":  remedyRegister,
	"AADSTS50011":   remedyRedirect,
	"AADSTS70004":   remedyRedirect,
	"AADSTS900971":  remedyRedirect,
	"AADSTS50003":   remedyCertificate,
	"AADSTS50012":   remedyCertificate,
	"AADSTS50013":   remedyCertificate,
	"AADSTS50027":   remedyCertificate,
	"AADSTS700027":  remedyCertificate,
	"AADSTS700030":  remedyCertificate,
	"AADSTS500133":  remedyClock,
	"AADSTS700024":  remedyClock,
	"AADSTS70021":   remedyFederation,
	"AADSTS700211":  remedyFederation,
	"AADSTS700212":  remedyFederation,
	"AADSTS700213":  remedyFederation,

	// The tenant and the resource.
	"AADSTS50059":   remedyTenant,
	"AADSTS50128":   remedyTenant,
	"AADSTS50194":   remedyTenant,
	"AADSTS90002":   remedyTenant,
	"AADSTS90019":   remedyTenant,
	"AADSTS90038":   remedyTenant,
	"AADSTS900382":  remedyTenant,
	"AADSTS900432":  remedyTenant,
	"AADSTS50001":   remedyProduct,
	"AADSTS500011":  remedyProduct,
	"AADSTS650052":  remedyProduct,
	"AADSTS28002":   remedyScope,
	"AADSTS28003":   remedyScope,
	"AADSTS70011":   remedyScope,
	"AADSTS700022":  remedyScope,
	"AADSTS700023":  remedyScope,
	"AADSTS1002012": remedyScope,

	// Permissions and policies.
	"AADSTS65001":  remedyConsent,
	"AADSTS65005":  remedyConsent,
	"AADSTS650056": remedyConsent,
	"AADSTS650057": remedyConsent,
	"AADSTS90094":  remedyConsent,
	"AADSTS90095":  remedyConsent,
	"AADSTS90099":  remedyConsent,
	"AADSTS50105":  remedyAssign,
	"AADSTS500021": remedyPolicy,
	"AADSTS500022": remedyPolicy,
	"AADSTS500212": remedyPolicy,
	"AADSTS500213": remedyPolicy,
	"AADSTS50131":  remedyPolicy,
	"AADSTS53000":  remedyPolicy,
	"AADSTS53001":  remedyPolicy,
	"AADSTS53002":  remedyPolicy,
	"AADSTS53003":  remedyPolicy,
	"AADSTS53011":  remedyPolicy,
	"AADSTS530032": remedyPolicy,
	"AADSTS530034": remedyPolicy,
	"AADSTS530035": remedyPolicy,

	// The user and the login.
	"AADSTS50020":  remedyUser,
	"AADSTS50034":  remedyUser,
	"AADSTS50053":  remedyUser,
	"AADSTS50055":  remedyUser,
	"AADSTS50057":  remedyUser,
	"AADSTS90072":  remedyUser,
	"AADSTS50147":  remedyLogin,
	"AADSTS501481": remedyLogin,
	"AADSTS700005": remedyLogin,
	"AADSTS65004":  remedyLogin,
	"AADSTS50072":  remedyLoginAgain,
	"AADSTS50074":  remedyLoginAgain,
	"AADSTS50076":  remedyLoginAgain,
	"AADSTS50078":  remedyLoginAgain,
	"AADSTS50079":  remedyLoginAgain,
	"AADSTS50089":  remedyLoginAgain,
	"AADSTS50132":  remedyLoginAgain,
	"AADSTS50133":  remedyLoginAgain,
	"AADSTS50158":  remedyLoginAgain,
	"AADSTS50173":  remedyLoginAgain,
	"AADSTS53004":  remedyLoginAgain,
	"AADSTS54005":  remedyLoginAgain,
	"AADSTS70000":  remedyLoginAgain,
	"AADSTS70008":  remedyLoginAgain,
	"AADSTS70043":  remedyLoginAgain,
	"AADSTS700082": remedyLoginAgain,
	"AADSTS700084": remedyLoginAgain,

	// The service.
	"AADSTS50033":             remedyLater,
	"AADSTS50196":             remedyLater,
	"AADSTS90006":             remedyLater,
	"AADSTS90012":             remedyLater,
	"AADSTS90024":             remedyLater,
	"AADSTS90033":             remedyLater,
	"AADSTS90055":             remedyLater,
	"server_error":            remedyLater,
	"temporarily_unavailable": remedyLater,
}

// loginRemedies goes before remedies where a user has logged in: there the login does not survive these codes either.
var loginRemedies = map[string]string{
	"AADSTS7000222": remedyNewSecret + ", and then " + remedyLoginAgain,
}

// fallbackRemedies says what to check when the code says nothing, by mode.
var fallbackRemedies = map[params.Mode]string{
	params.CortexApplication: "check ID / Client ID, Token / Tenant ID and Key / Client Secret of the instance against what the" +
		" Cortex XSOAR application gave you",
	params.ClientSecret: "check ID / Client ID, Token / Tenant ID and Key / Client Secret of the instance",
	params.ClientCertificate: "check ID / Client ID, Token / Tenant ID, Certificate Thumbprint and Private Key" +
		" of the instance",
	params.AuthorizationCode: remedyLoginAgain,
	params.ManagedIdentity: "check that the engine runs on an Azure machine with a managed identity, and that" +
		" Managed Identity Client ID of the instance is that of a user-assigned one or empty",
	params.WorkloadIdentity: "check that the engine runs in a pod that Azure Workload Identity has set up, and that the" +
		" application has a federated credential for its service account",
}
