package params

import "slices"

// Parameter declares one instance parameter. The manifest, the reference and the decoding of an instance follow from it.
type Parameter struct {
	Name            string // as the platform and existing instances spell it
	Display         string // the label that users see; of credentials, the label of the identifier
	DisplayPassword string // of credentials, the label of the password
	Type            int    // the platform's number: one of the Type constants
	Default         string // of TypeSeveralOf, separated by commas
	Options         []string
	Section         string // SectionConnect or SectionCollect
	Help            string
	Required        bool
	Advanced        bool // shown in the section's advanced part
	Hidden          bool // read from existing instances, but not shown
	HiddenUsername  bool // of credentials, only the password is asked for
}

// The platform's parameter types.
const (
	TypeText               = 0
	TypeEncryptedText      = 4
	TypeCheckbox           = 8
	TypeCredentials        = 9
	TypeIncidentType       = 13
	TypeEncryptedMultiLine = 14
	TypeOneOf              = 15
	TypeSeveralOf          = 16
)

// The sections that the parameters of an instance are shown in.
const (
	SectionConnect = "Connect"
	SectionCollect = "Collect"
)

// The options of auth_type.
const (
	clientCredentials  = "Client Credentials"
	authorizationCode  = "Authorization Code"
	managedIdentities  = "Azure Managed Identities"
	azureWorkloadLogin = "Azure Workload Identity"
)

// field is the index of a parameter in the table below. Reading takes a field, so nothing undeclared can be read.
type field int

const (
	fieldEndpointType field = iota
	fieldURL
	fieldAuthority
	fieldTokenScope
	fieldAuthType
	fieldSelfDeployed
	fieldID
	fieldToken
	fieldCredentials
	fieldCertificate
	fieldRedirectURI
	fieldAuthCode
	fieldUseManagedIdentities
	fieldManagedIdentityClientID
	fieldHuntingAPI
	fieldReliability
	fieldInsecure
	fieldProxy
	fieldLargestAnswer
	fieldIsFetch
	fieldIncidentType
	fieldFetchStatus
	fieldFetchSeverity
	fieldFetchSource
	fieldFetchEvidence
	fieldMaxFetch
	fieldFirstFetch
	fieldLookBack
	fieldFetchType
	fieldFetchIncidentStatus
	fieldFetchIncidentSeverity
	fieldFetchServiceSource
	fieldFetchIncidentFilter
	fieldMirrorDirection
	fieldCloseIncident
	fieldCloseOut
	fieldCloseAlerts
	fieldReopenStatuses
	fieldCommentTagTo
	fieldCommentTagFrom
	fieldSyncOwners
	fieldCloseReasonIn
	fieldCloseReasonOut
	fieldMirrorLookBack
	fieldIsGCC
	fieldPlainID
	fieldPlainToken
	fieldOldID
	fieldOldToken
	fieldOldKey
	fieldOldThumbprint
	fieldOldPrivateKey
	fieldOldFetchSource
	fieldCount
)

var parameters = [fieldCount]Parameter{
	fieldEndpointType: {
		Name: "endpoint_type", Display: "Endpoint Type", Type: TypeOneOf, Default: worldwide, Section: SectionConnect,
		Options: endpointTypes(),
		Help: "The Microsoft cloud of the tenant. The Geo Proximity types reach the same tenants as Worldwide through servers in that region. " +
			"Custom takes its addresses from the fields below.",
	},
	fieldURL: {
		Name: "url", Display: "Server URL", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "The address of the API. Required for the endpoint type Custom. For the other types it replaces their address; leave it empty to use theirs.",
	},
	fieldAuthority: {
		Name: "azure_ad_endpoint", Display: "Authority URL", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "The address of the sign-in service for the endpoint type Custom, for example https://login.microsoftonline.us. " +
			"If it is empty, the environment variable AZURE_AUTHORITY_HOST is used, then https://login.microsoftonline.com. The other types have their own.",
	},
	fieldTokenScope: {
		Name: "token_scope", Display: "Token Scope", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "The scope to request tokens for, for example https://api.securitycenter.microsoft.com/.default. " +
			"Leave it empty unless the sign-in or the API reports a wrong resource or audience.",
	},
	fieldAuthType: {
		Name: "auth_type", Display: "Authentication Type", Type: TypeOneOf, Default: clientCredentials, Section: SectionConnect,
		Options: []string{clientCredentials, authorizationCode, managedIdentities, azureWorkloadLogin},
		Help: "Client Credentials acts as an application. Authorization Code acts as a user who logs in once. " +
			"Managed and workload identities need no secret and are available where Azure or Kubernetes provides them.",
	},
	fieldSelfDeployed: {
		Name: "self_deployed", Display: "Use a self-deployed Azure Application", Type: TypeCheckbox, Default: "false", Section: SectionConnect,
		Help: "Select it if you registered your own application in Microsoft Entra ID. Otherwise Client Credentials signs in through the Cortex XSOAR application.",
	},
	fieldID: {
		Name: "_auth_id_encrypted", Display: "ID", DisplayPassword: "ID", Type: TypeCredentials, Section: SectionConnect, HiddenUsername: true,
		Help: "The application (client) ID of your own application, or the ID that the Cortex XSOAR application issued.",
	},
	fieldToken: {
		Name: "_tenant_id_encrypted", Display: "Token", DisplayPassword: "Token", Type: TypeCredentials, Section: SectionConnect, HiddenUsername: true,
		Help: "The directory (tenant) ID or a domain of the tenant, or the token that the Cortex XSOAR application issued.",
	},
	fieldCredentials: {
		Name: "credentials", Display: "Key", DisplayPassword: "Key", Type: TypeCredentials, Section: SectionConnect, HiddenUsername: true,
		Help: "The value (not the ID) of a client secret of your own application, or the key that the Cortex XSOAR application issued. Not needed with a certificate.",
	},
	fieldCertificate: {
		Name: "creds_certificate", Display: "Certificate Thumbprint", DisplayPassword: "Private Key", Type: TypeCredentials, Section: SectionConnect,
		Help: "Replaces the client secret of your own application. The thumbprint is the SHA-1 thumbprint that Microsoft Entra ID shows; " +
			"it can be empty if the private key comes with its certificate. The private key is an unencrypted RSA key in PEM format.",
	},
	fieldRedirectURI: {
		Name: "redirect_uri", Display: "Application redirect URI", Type: TypeText, Section: SectionConnect,
		Help: "For Authorization Code: a redirect URI of the application, exactly as registered.",
	},
	fieldAuthCode: {
		Name: "auth_code", Display: "Authorization code", DisplayPassword: "Authorization code", Type: TypeCredentials,
		Section: SectionConnect, HiddenUsername: true,
		Help: "For Authorization Code: run !microsoft-atp-generate-login-url, log in, and paste the address that the browser ends at, or the code alone.",
	},
	fieldUseManagedIdentities: {
		Name: "use_managed_identities", Display: "Use Azure Managed Identities", Type: TypeCheckbox, Default: "false",
		Section: SectionConnect, Advanced: true,
		Help: "Equivalent to the authentication type Azure Managed Identities, and takes precedence over the selected type.",
	},
	fieldManagedIdentityClientID: {
		Name: "managed_identities_client_id", Display: "Azure Managed Identities Client ID", DisplayPassword: "Azure Managed Identities Client ID",
		Type: TypeCredentials, Section: SectionConnect, Advanced: true, HiddenUsername: true,
		Help: "The client ID of a user-assigned managed identity. Leave it empty for the system-assigned identity.",
	},
	fieldHuntingAPI: {
		Name: "hunting_api", Display: "Hunting API", Type: TypeOneOf, Default: string(HuntingAuto), Section: SectionConnect, Advanced: true,
		Options: []string{string(HuntingAuto), string(HuntingDefender), string(HuntingGraph)},
		Help:    "Where hunting queries run: in the Defender API, in Microsoft Graph, or in whichever of them is available to the application. Microsoft is retiring hunting in the Defender API.",
	},
	fieldReliability: {
		Name: "Reliability", Display: "Source Reliability", Type: TypeOneOf, Default: "B - Usually reliable", Section: SectionConnect, Advanced: true,
		Options: []string{
			"A+ - 3rd party enrichment", "A - Completely reliable", "B - Usually reliable", "C - Fairly reliable",
			"D - Not usually reliable", "E - Unreliable", "F - Reliability cannot be judged",
		},
		Help: "The reliability of this instance's verdicts.",
	},
	fieldInsecure: {
		Name: "insecure", Display: "Trust any certificate (not secure)", Type: TypeCheckbox, Default: "false", Section: SectionConnect, Advanced: true,
		Help: "Accepts any server certificate. Anyone between the engine and the server can then read the tokens.",
	},
	fieldProxy: {
		Name: "proxy", Display: "Use system proxy settings", Type: TypeCheckbox, Default: "false", Section: SectionConnect, Advanced: true,
		Help: "Uses the proxy that the environment variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. Otherwise no proxy is used, even if they are set. " +
			"Managed identities are always reached directly.",
	},
	fieldLargestAnswer: {
		Name: "largest_answer", Display: "Largest answer (MB)", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "The largest answer of the API that is held in memory, in megabytes, from 1 to 2048. If it is empty, 128, or less where the container has less memory. " +
			"A larger answer is refused. Downloads do not count: they go straight to the file.",
	},
	fieldIsFetch: {
		Name: "isFetch", Display: "Fetch incidents", Type: TypeCheckbox, Default: "false", Section: SectionCollect,
		Help: "Creates an incident for every new alert that matches the filters below.",
	},
	fieldIncidentType: {
		Name: "incidentType", Display: "Incident type", Type: TypeIncidentType, Section: SectionCollect,
		Help: "The type of fetched incidents, unless a classifier decides it.",
	},
	fieldFetchStatus: {
		Name: "fetch_status", Display: "Alert statuses to fetch", Type: TypeSeveralOf, Default: "New", Section: SectionCollect,
		Options: []string{"New", "InProgress", "Resolved"},
		Help:    "Fetches only alerts in these statuses. If none is selected, alerts in all statuses are fetched.",
	},
	fieldFetchSeverity: {
		Name: "fetch_severity", Display: "Alert severities to fetch", Type: TypeSeveralOf, Default: "Informational,Low,Medium,High", Section: SectionCollect,
		Options: []string{"Informational", "Low", "Medium", "High"},
		Help:    "Fetches only alerts of these severities. If none is selected, alerts of all severities are fetched.",
	},
	fieldFetchSource: {
		Name: "fetch_detectionsource", Display: "Alert detection sources to fetch", Type: TypeSeveralOf, Section: SectionCollect,
		Options: detectionSources.labels(),
		Help:    "Fetches only alerts from these detection sources. If none is selected, alerts from all sources are fetched. Custom TI is custom threat intelligence, EDR is Microsoft Defender for Endpoint itself.",
	},
	fieldFetchEvidence: {
		Name: "fetch_evidence", Display: "Fetch alert evidence", Type: TypeCheckbox, Default: "false", Section: SectionCollect,
		Help: "Adds the files, processes, addresses and accounts involved to each incident.",
	},
	fieldMaxFetch: {
		Name: "max_fetch", Display: "Maximum alerts per fetch", Type: TypeText, Default: "50", Section: SectionCollect,
		Help: "A number from 1 to 200. Further alerts come with the next fetch.",
	},
	fieldFirstFetch: {
		Name: "first_fetch_timestamp", Display: "First fetch time span", Type: TypeText, Default: "3 days", Section: SectionCollect,
		Help: "How far back the first fetch goes: a number and a unit, for example 12 hours, 3 days or 1 month.",
	},
	fieldLookBack: {
		Name: "look_back", Display: "Look back (minutes)", Type: TypeText, Default: "15", Section: SectionCollect, Advanced: true,
		Help: "The number of minutes that each fetch goes back before the newest alert it knows, to find alerts that appear late. No alert is fetched twice.",
	},
	fieldFetchType: {
		Name: "fetch_type", Display: "Fetch type", Type: TypeOneOf, Default: string(FetchAlerts), Section: SectionCollect,
		Options: []string{string(FetchAlerts), string(FetchXDRIncidents)},
		Help:    "What becomes an incident: every alert of Defender for Endpoint, or every incident of Defender XDR, which bundles the alerts of one attack. XDR incidents come from Microsoft Graph and need its SecurityIncident.Read.All permission. To have both, use two instances.",
	},
	fieldFetchIncidentStatus: {
		Name: "fetch_incident_status", Display: "XDR incident statuses to fetch", Type: TypeSeveralOf, Default: "active,inProgress", Section: SectionCollect,
		Options: []string{"active", "inProgress", "resolved", "awaitingAction"},
		Help:    "Only XDR incidents in one of these statuses are fetched; with none selected, all. Incidents that were merged into others are never fetched.",
	},
	fieldFetchIncidentSeverity: {
		Name: "fetch_incident_severity", Display: "XDR incident severities to fetch", Type: TypeSeveralOf, Section: SectionCollect,
		Options: []string{"informational", "low", "medium", "high"},
		Help:    "Only XDR incidents of these severities are fetched; with none selected, all. An incident that rises to one of them later is fetched then.",
	},
	fieldFetchServiceSource: {
		Name: "fetch_service_source", Display: "XDR incident service sources to fetch", Type: TypeSeveralOf, Section: SectionCollect, Advanced: true,
		Options: []string{
			"microsoftDefenderForEndpoint", "microsoftDefenderForIdentity", "microsoftDefenderForCloudApps", "microsoftDefenderForOffice365",
			"microsoft365Defender", "azureAdIdentityProtection", "microsoftAppGovernance", "dataLossPrevention",
			"microsoftDefenderForCloud", "microsoftSentinel", "microsoftInsiderRiskManagement",
		},
		Help: "Only XDR incidents with an alert of one of these services are fetched; with none selected, all.",
	},
	fieldFetchIncidentFilter: {
		Name: "fetch_incident_filter", Display: "XDR incident filter", Type: TypeText, Section: SectionCollect, Advanced: true,
		Help: "An OData condition that XDR incidents must also meet, for example assignedTo eq 'soc@contoso.com'. Microsoft Graph can filter by assignedTo, classification, createdDateTime, determination, severity and status.",
	},
	fieldMirrorDirection: {
		Name: "mirror_direction", Display: "Incident Mirroring Direction", Type: TypeOneOf, Default: string(mirrorNone), Section: SectionCollect,
		Options: []string{string(mirrorNone), string(mirrorIncoming), string(mirrorOutgoing), string(mirrorBoth)},
		Help:    "Incoming brings changes in Defender to Cortex XSOAR, Outgoing takes changes in Cortex XSOAR to Defender. Applies to incidents that are fetched from now on. Needs Cortex XSOAR 6.1; with 6.6 or later, changes that appear late are not missed.",
	},
	fieldCloseIncident: {
		Name: "close_incident", Display: "Close Mirrored Cortex XSOAR Incident", Type: TypeCheckbox, Default: "false", Section: SectionCollect,
		Help: "Closes the incident in Cortex XSOAR when it is resolved in Defender, and reopens it as selected below.",
	},
	fieldCloseOut: {
		Name: "close_out", Display: "Close Mirrored Defender Alert or Incident", Type: TypeCheckbox, Default: "false", Section: SectionCollect,
		Help: "Resolves the alert or incident in Defender when its incident is closed in Cortex XSOAR, and sets it to in progress when that is reopened.",
	},
	fieldCloseAlerts: {
		Name: "close_alerts", Display: "Close Alerts of a Mirrored XDR Incident", Type: TypeCheckbox, Default: "false", Section: SectionCollect, Advanced: true,
		Help: "When an XDR incident is resolved from Cortex XSOAR, also resolves those of its alerts that are still open, with the same verdict. Needs SecurityAlert.ReadWrite.All of Microsoft Graph.",
	},
	fieldReopenStatuses: {
		Name: "reopen_statuses", Display: "Reopen Statuses", Type: TypeSeveralOf, Default: "New,InProgress", Section: SectionCollect, Advanced: true,
		Options: []string{"New", "InProgress"},
		Help:    "A closed incident is reopened when what was resolved in Defender gets one of these statuses. New also stands for active XDR incidents. No other change reopens an incident.",
	},
	fieldCommentTagTo: {
		Name: "comment_tag_to", Display: "Tag for Comments to Defender", Type: TypeText, Default: "DefenderComment", Section: SectionCollect, Advanced: true,
		Help: "War Room entries with this tag become comments in Defender.",
	},
	fieldCommentTagFrom: {
		Name: "comment_tag_from", Display: "Tag for Comments from Defender", Type: TypeText, Default: "DefenderCommentIn", Section: SectionCollect, Advanced: true,
		Help: "The tag of the War Room notes that comments in Defender become. It must differ from the tag for comments to Defender.",
	},
	fieldSyncOwners: {
		Name: "sync_owners", Display: "Sync Incident Owners", Type: TypeCheckbox, Default: "false", Section: SectionCollect, Advanced: true,
		Help: "Keeps the owner of the incident and the assignee in Defender the same, for users whose email address is the same in both. A user who is known in one of them only changes nothing.",
	},
	fieldCloseReasonIn: {
		Name: "close_reason_in", Display: "Close Reasons by Classification", Type: TypeText, Section: SectionCollect, Advanced: true,
		Help: "The reason with which an incident is closed, by its classification in Defender: CLASSIFICATION=REASON, separated by commas. The default is TruePositive=Resolved,InformationalExpectedActivity=Resolved,FalsePositive=False Positive,Unknown=Other.",
	},
	fieldCloseReasonOut: {
		Name: "close_reason_out", Display: "Verdicts by Close Reason", Type: TypeText, Section: SectionCollect, Advanced: true,
		Help: "The verdict that is set in Defender when an incident is closed with a reason, unless the analyst has set one: REASON=CLASSIFICATION or REASON=CLASSIFICATION/DETERMINATION, separated by commas. The default is Resolved=TruePositive/Other,False Positive=FalsePositive/Other; any other reason sets none.",
	},
	fieldMirrorLookBack: {
		Name: "mirror_look_back", Display: "Mirroring look back (minutes)", Type: TypeText, Default: "5", Section: SectionCollect, Advanced: true,
		Help: "How many minutes, from 0 to 60, each round of mirroring looks back behind the last one, for changes that appear late. No change is reported twice.",
	},
	fieldIsGCC: {
		Name: "is_gcc", Display: "GCC endpoint (replaced by Endpoint Type)", Type: TypeCheckbox, Default: "false", Section: SectionConnect, Hidden: true,
		Help: "The earlier way to choose the endpoint type US GCC.",
	},
	fieldPlainID:       hidden("_auth_id", "ID (not encrypted, replaced by ID)", TypeText, "The earlier field for the ID."),
	fieldPlainToken:    hidden("_tenant_id", "Token (not encrypted, replaced by Token)", TypeText, "The earlier field for the token."),
	fieldOldID:         hidden("auth_id", "ID (replaced by ID)", TypeEncryptedText, "The oldest field for the ID."),
	fieldOldToken:      hidden("tenant_id", "Token (replaced by Token)", TypeEncryptedText, "The oldest field for the token."),
	fieldOldKey:        hidden("enc_key", "Key (replaced by Key)", TypeEncryptedText, "The earlier field for the key."),
	fieldOldThumbprint: hidden("certificate_thumbprint", "Thumbprint (replaced by Certificate Thumbprint)", TypeEncryptedText, "The earlier field for the thumbprint of the certificate."),
	fieldOldPrivateKey: hidden("private_key", "Key of the certificate (replaced by Private Key)", TypeEncryptedMultiLine, "The earlier field for the private key of the certificate."),
	fieldOldFetchSource: {
		Name: "fetch_detection_source", Display: "Detection sources (replaced by Alert detection sources to fetch)", Type: TypeSeveralOf, Section: SectionCollect, Hidden: true,
		Options: earlierDetectionSources.labels(),
		Help:    "An earlier name of the field for detection sources.",
	},
}

// hidden declares a field that existing instances may still hold, although another one has replaced it.
func hidden(name, display string, kind int, help string) Parameter {
	return Parameter{Name: name, Display: display, Type: kind, Section: SectionConnect, Hidden: true, Help: help}
}

// Parameters returns the declaration of every instance parameter, in the order in which an instance shows them.
func Parameters() []Parameter {
	declared := slices.Clone(parameters[:])
	for i := range declared {
		declared[i].Options = slices.Clone(declared[i].Options)
	}
	return declared
}

// fieldNamed returns the field of a key of the params object.
func fieldNamed(name string) (field, bool) {
	for at := range parameters {
		if parameters[at].Name == name {
			return field(at), true
		}
	}
	return 0, false
}
