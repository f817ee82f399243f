package auth

import (
	"slices"

	"xsoar-defender/params"
)

const (
	remedyLater = "try again in a few minutes"
	// remedyLogin is for a login that has not happened or whose code cannot be used.
	remedyLogin = "run `!microsoft-atp-generate-login-url`, log in there and put the address" + remedyPaste
	// remedyLoginAgain is for a login whose refresh token no longer works.
	remedyLoginAgain = "run `!microsoft-atp-auth-reset`, then log in again with `!microsoft-atp-generate-login-url`" +
		" and put the address" + remedyPaste
	remedyPaste = " at which the browser ends in the field Authorization code of the instance"
	// remedyLogInAgain is for a login that a user is making at this moment.
	remedyLogInAgain        = "log in again"
	remedyNewSecretAndLogin = remedyNewSecret + ", and then " + remedyLoginAgain

	remedyNewSecret   = "create a new client secret and put its value into Key of the instance"
	remedySecret      = "put the value of the client secret, not its ID, into Key of the instance"
	remedyProof       = "fill in Key, or the certificate, of the instance"
	remedyClient      = "check ID and Token of the instance"
	remedyTenant      = "check Token of the instance, and that its Endpoint Type is the tenant's cloud"
	remedyScope       = "check Endpoint Type and Token Scope of the instance"
	remedyProduct     = remedyScope + ", and that the tenant has Microsoft Defender for Endpoint"
	remedyRedirect    = "register exactly the Application redirect URI of the instance with the application, for platform Web"
	remedyRegister    = "check the registration of the application in Microsoft Entra ID"
	remedyEnable      = "let an administrator of the tenant enable the application"
	remedyConsent     = "let an administrator of the tenant grant consent to the permissions of the application"
	remedyPolicy      = "let an administrator of the tenant look into its conditional access and cross-tenant policies"
	remedyUser        = "log in as another user, or let an administrator of the tenant look into the account"
	remedyAssign      = "let an administrator of the tenant assign the user to the application"
	remedyCertificate = "upload the certificate to the application, and check Certificate Thumbprint and Private Key of the instance"
	remedyFederation  = "check issuer, subject and audience of the federated credential of the application"
	remedyAddress     = "check Endpoint Type and Authority URL of the instance, and the name service of the engine's machine"
	remedyElsewhere   = "check Endpoint Type and Authority URL of the instance, and the proxy on the way, because this answer is not from Microsoft's sign-in service"
	remedyClock       = "set the clock of the engine's machine"
)

// cure is the remedy for some error codes.
type cure struct {
	remedy string
	codes  []string
}

// remedies says what to do about each error code. The numbers are those of Microsoft Entra ID
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes; those of assertions, 7000xx and 7002xx, at
// https://learn.microsoft.com/entra/workload-id/workload-identity-federation); the words are those of RFC 6749.
var remedies = []cure{
	// The application and how it proves itself.
	{remedyClient, []string{"AADSTS70001", "AADSTS700011", "AADSTS700016", "AADSTS700038"}},
	{remedyEnable, []string{"AADSTS7000112"}},
	{remedySecret, []string{"AADSTS70002", "AADSTS7000215"}},
	{remedyProof, []string{"AADSTS7000218"}},
	{remedyNewSecret, []string{"AADSTS7000222"}},
	{remedyRegister, []string{"AADSTS700025"}},
	{remedyRedirect, []string{"AADSTS50011", "AADSTS70004", "AADSTS900971"}},
	{remedyCertificate, []string{"AADSTS50003", "AADSTS50012", "AADSTS50013", "AADSTS50027", "AADSTS700027", "AADSTS700030"}},
	{remedyClock, []string{"AADSTS500133", "AADSTS700024"}},
	{remedyFederation, []string{"AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213"}},

	// The tenant and the resource.
	{remedyTenant, []string{
		"AADSTS50059", "AADSTS50128", "AADSTS50194", "AADSTS90002", "AADSTS90019", "AADSTS90038", "AADSTS900023", "AADSTS900382",
		"AADSTS900432",
	}},
	{remedyProduct, []string{"AADSTS50001", "AADSTS500011", "AADSTS650052"}},
	{remedyScope, []string{"AADSTS28002", "AADSTS28003", "AADSTS70011", "AADSTS700022", "AADSTS700023", "AADSTS1002012"}},

	// Permissions and policies.
	{remedyConsent, []string{
		"AADSTS65001", "AADSTS65005", "AADSTS650056", "AADSTS650057", "AADSTS90094", "AADSTS90095", "AADSTS90099",
		"AADSTS7000229",
	}},
	{remedyAssign, []string{"AADSTS50105"}},
	{remedyPolicy, []string{
		"AADSTS500021", "AADSTS500022", "AADSTS500212", "AADSTS500213", "AADSTS50131", "AADSTS53000", "AADSTS53001",
		"AADSTS53002", "AADSTS53003", "AADSTS530003", "AADSTS530031", "AADSTS53011", "AADSTS530032", "AADSTS530034", "AADSTS530035",
	}},

	// The user and the login.
	{remedyUser, []string{"AADSTS50020", "AADSTS50034", "AADSTS50053", "AADSTS50055", "AADSTS50057", "AADSTS500341", "AADSTS90072"}},
	{remedyLogin, []string{"AADSTS50147", "AADSTS501481", "AADSTS700005", "AADSTS65004"}},
	{remedyLoginAgain, []string{
		"AADSTS50072", "AADSTS50074", "AADSTS50076", "AADSTS50078", "AADSTS50079", "AADSTS50089", "AADSTS50132",
		"AADSTS50133", "AADSTS50158", "AADSTS50173", "AADSTS53004", "AADSTS54005", "AADSTS70000", "AADSTS70008",
		"AADSTS70043", "AADSTS700082", "AADSTS700084",
	}},

	// The service.
	{remedyLater, []string{
		"AADSTS50033", "AADSTS50196", "AADSTS90006", "AADSTS90012", "AADSTS90024", "AADSTS90033", "AADSTS90055",
		"server_error", "temporarily_unavailable",
	}},
}

// loginRemedies takes precedence over remedies in the mode where a user logs in: the login does not survive these codes.
var loginRemedies = []cure{{remedyNewSecretAndLogin, []string{"AADSTS7000222"}}}

// remedyFor returns what to do about an error code in a mode, or "" if the code says nothing that its user could act on.
func remedyFor(mode params.Mode, code string) string {
	table := remedies
	if mode == params.AuthorizationCode {
		table = slices.Concat(loginRemedies, remedies)
	}
	for _, row := range table {
		if slices.Contains(row.codes, code) && suits(mode, row.remedy) {
			return row.remedy
		}
	}
	return ""
}

// suits reports whether a remedy is about something that instances of the mode have. The application of Cortex XSOAR and
// the one behind a managed identity are not the user's own: their secrets, logins and certificates are out of reach.
func suits(mode params.Mode, remedy string) bool {
	switch remedy {
	case remedyLogin, remedyLoginAgain, remedyRedirect, remedyUser, remedyAssign:
		return mode == params.AuthorizationCode
	case remedySecret, remedyNewSecret, remedyProof, remedyCertificate, remedyFederation,
		remedyClient, remedyTenant, remedyRegister, remedyScope:
		return mode != params.CortexApplication && mode != params.ManagedIdentity
	}
	return true
}

// whileLoggingIn returns the remedy for a user who is logging in at this moment: nothing is stored yet that must be reset,
// and nothing is pasted.
func whileLoggingIn(remedy string) string {
	switch remedy {
	case remedyLogin, remedyLoginAgain:
		return remedyLogInAgain
	case remedyNewSecretAndLogin:
		return remedyNewSecret + ", and then " + remedyLogInAgain
	}
	return remedy
}

// fallbackRemedies say what to check if the code says nothing, by mode.
var fallbackRemedies = [...]string{
	params.CortexApplication: "check ID, Token and Key of the instance against those of the Cortex XSOAR application," +
		" and register with it again if they are the same",
	params.ClientSecret: "check ID, Token and Key of the instance",
	params.ClientCertificate: "check ID, Token, Certificate Thumbprint and Private Key" +
		" of the instance",
	params.AuthorizationCode: remedyLoginAgain,
	params.ManagedIdentity: "check that the engine runs on an Azure machine with a managed identity, and that" +
		" Azure Managed Identities Client ID of the instance is that of a user-assigned one or empty",
	params.WorkloadIdentity: "check that the engine runs in a pod that Azure Workload Identity has set up, and that the" +
		" application has a federated credential for its service account",
}
