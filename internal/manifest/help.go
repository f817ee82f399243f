package manifest

import (
	"slices"

	"xsoar-defender/commands"
	"xsoar-defender/params"
)

// help writes the page that the platform shows next to the settings of an instance: how to sign in, what to grant to the
// application, and how to fetch. The settings themselves have their own help. It links to no page of the repository,
// which the platform does not have.
func help(declared []commands.Command, parameters []params.Parameter) string {
	page := &page{}
	page.line("Choose one way to sign in, fill in its fields, save, and run `!microsoft-atp-test`. It says what the sign-in may do and " +
		"which commands that leaves out.")
	page.line("### Ways to sign in")
	page.table([]string{"Way", "What to fill in"}, waysToSignIn(parameters))
	page.line("### Cortex XSOAR application")
	page.line("Palo Alto Networks registered this application; an administrator of your tenant only consents to it.")
	page.line("1. Log in at [%s](%s) as an administrator who may consent for the tenant, and accept.\n"+
		"2. The page shows an ID, a token and a key. Put them in *%s*, *%s* and *%s*.", consentPage, consentPage,
		labelOf(parameters, "_auth_id_encrypted"), labelOf(parameters, "_tenant_id_encrypted"), labelOf(parameters, "credentials"))
	page.line("### An application of your own")
	page.line("1. In the [Microsoft Entra admin center](https://entra.microsoft.com) go to App registrations, New registration, and register " +
		"an application for this directory only. Its Overview shows the application (client) ID and the directory (tenant) ID.\n" +
		"2. Go to API permissions, Add a permission, APIs my organization uses, and type `WindowsDefenderATP`. Choose Application " +
		"permissions, or for Authorization Code Delegated permissions, and select the set below that covers what the instance is for.\n" +
		"3. Select Grant admin consent. A permission has no effect until then.\n" +
		"4. Go to Certificates & secrets, and add a client secret, whose Value is shown once, or upload a certificate. For Authorization " +
		"Code also add the redirect URI under Authentication, platform Web.")
	page.line("### Smallest sets of permissions")
	var sets [][]string
	for _, one := range purposes() {
		for _, row := range smallestSets(declared, one.covers) {
			sets = append(sets, append([]string{one.name}, row...))
		}
	}
	page.table([]string{"For", "API", "Application permissions", "Delegated permissions"}, sets)
	page.line("The help of every command, `xsoar-defender commands` and `!microsoft-atp-test` show which permissions a command needs.")
	page.line("### Fetching alerts")
	page.line("An incident holds an alert as the service returns it. Alerts that were fetched before are not fetched again, and none is lost " +
		"when a fetch fails. Choose the classifier and the mapper of the pack, or those that the instance had before.")
	return string(page.bytes())
}

// waysToSignIn names the fields of each way by what the platform shows.
func waysToSignIn(parameters []params.Parameter) [][]string {
	field := func(name string) string { return "*" + labelOf(parameters, name) + "*" }
	application := field("_auth_id_encrypted") + ", " + field("_tenant_id_encrypted") + " and "
	own := field("auth_type") + " Client Credentials, " + field("self_deployed") + ", " + application
	return [][]string{
		{"Cortex XSOAR application", field("auth_type") + " Client Credentials, " + application + field("credentials")},
		{"Client secret", own + field("credentials")},
		{"Client certificate", own + field("creds_certificate")},
		{"Authorization code", field("auth_type") + " Authorization Code, " + field("self_deployed") + ", " + application + "the secret or the " +
			"certificate, and " + field("redirect_uri") + ". Save, run `!microsoft-atp-generate-login-url`, log in, and fill in " + field("auth_code") + "."},
		{"Managed identity", field("auth_type") + " Azure Managed Identities; for one that you made, " + field("managed_identities_client_id")},
		{"Workload identity", field("auth_type") + " Azure Workload Identity"},
	}
}

// consentPage is where an administrator consents to the Cortex XSOAR application. The deployed integration's help names
// the same page (https://xsoar.pan.dev/docs/reference/integrations/microsoft-defender-advanced-threat-protection).
const consentPage = "https://oproxy.demisto.ninja/ms-defender-atp"

// labelOf returns what the platform shows for a parameter.
func labelOf(parameters []params.Parameter, name string) string {
	at := slices.IndexFunc(parameters, func(one params.Parameter) bool { return one.Name == name })
	if at < 0 {
		return name
	}
	return fieldNames(parameters[at])
}

// permissionSet names the permissions of which a command needs one, with those of a user in parentheses when a user can
// have one.
func permissionSet(needed commands.PermissionSet) string {
	set := codes(needed.Application, " or ")
	if len(needed.Delegated) > 0 {
		set += " (" + codes(needed.Delegated, " or ") + ")"
	}
	if needed.Graph {
		set += " of Microsoft Graph"
	}
	return set
}
