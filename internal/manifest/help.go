package manifest

import (
	"slices"
	"strings"

	"xsoar-defender/commands"
	"xsoar-defender/params"
)

// help writes what the platform shows beside the settings of an instance: how to sign in, what the application may
// have to be granted, how to fetch, and every field. It links to no page of the repository, which is not there.
func help(declared []commands.Command, parameters []params.Parameter) string {
	page := &page{}
	page.line("Choose one way to sign in, fill in its fields, save, and run `!microsoft-atp-test`. It says what the sign-in may do and " +
		"which commands that leaves out.")
	page.line("### Ways to sign in")
	page.table([]string{"Way", "What to fill in"}, waysToSignIn(parameters))
	page.line("The Cortex XSOAR application answers with an ID, a token and a key when an administrator of the tenant consents to it. " +
		"For your own application, register one in the Microsoft Entra admin center, add the permissions below under API permissions, " +
		"and grant admin consent. For Authorization Code, add the redirect URI under Authentication, platform Web.")
	page.line("### Permissions")
	page.line("A command needs one of each line of its area. Those of a user who logs in are in parentheses.")
	page.table([]string{"Area", "Permissions"}, permissionsOfAreas(declared))
	page.line("### Fetching alerts")
	page.line("An incident holds an alert as the service gives it. Alerts that are fetched already are not fetched again, and none is lost " +
		"when a fetch fails. Choose the classifier and the mapper of the pack, or those that the instance has had.")
	for _, section := range []string{params.SectionConnect, params.SectionCollect} {
		page.line("### Fields: %s", section)
		page.table([]string{"Field", "Name", "Default", "What it is"}, parameterRows(parameters, func(one params.Parameter) bool {
			return one.Section == section && !one.Hidden
		}))
	}
	return string(page.bytes())
}

// waysToSignIn names the fields of each way by what the platform shows.
func waysToSignIn(parameters []params.Parameter) [][]string {
	field := func(name string) string {
		at := slices.IndexFunc(parameters, func(one params.Parameter) bool { return one.Name == name })
		if at < 0 {
			return code(name)
		}
		return "*" + fieldNames(parameters[at]) + "*"
	}
	application := field("_auth_id") + ", " + field("_tenant_id") + " and "
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

// permissionsOfAreas lists what the commands of every area need. Commands that are deprecated count for nothing: those
// that take their place need the same or less.
func permissionsOfAreas(declared []commands.Command) [][]string {
	var rows [][]string
	for _, area := range areasOf(declared) {
		var sets []string
		for _, one := range area.commands {
			for _, needed := range one.PermissionSets() {
				if set := permissionSet(needed); one.Deprecated == "" && !slices.Contains(sets, set) {
					sets = append(sets, set)
				}
			}
		}
		if len(sets) > 0 {
			rows = append(rows, []string{string(area.name), strings.Join(sets, "; ")})
		}
	}
	return rows
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
