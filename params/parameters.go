package params

import "slices"

// Parameter declares one instance parameter: the manifest, the README and the reading of an instance follow from it.
type Parameter struct {
	Name            string // as the platform and existing instances spell it
	Display         string // what the user sees; of credentials, the name of the identifier
	DisplayPassword string // of credentials, the name of the password
	Type            int    // the platform's number: one of the Type constants
	Default         string // of TypeSeveralOf, separated by commas
	Options         []string
	Section         string // SectionConnect or SectionCollect
	Help            string
	Required        bool
	Advanced        bool // shown in the section's advanced part
	Hidden          bool // kept for existing instances, not shown
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

// field is the place of a parameter in the table below. Reading takes a field, so nothing undeclared can be read.
type field int

const (
	fieldEndpointType field = iota
	fieldURL
	fieldAuthority
	fieldTokenScope
	fieldAuthType
	fieldSelfDeployed
	fieldAuthID
	fieldTenantID
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
	fieldIsFetch
	fieldIncidentType
	fieldFetchStatus
	fieldFetchSeverity
	fieldFetchDetectionSource
	fieldFetchEvidence
	fieldMaxFetch
	fieldFirstFetch
	fieldLookBack
	fieldIsGCC
	fieldOldAuthID
	fieldOldTenantID
	fieldOldKey
	fieldOldThumbprint
	fieldOldPrivateKey
	fieldCount
)

var parameters = [fieldCount]Parameter{
	fieldEndpointType: {
		Name: "endpoint_type", Display: "Endpoint Type", Type: TypeOneOf, Default: worldwide, Section: SectionConnect,
		Options: []string{
			worldwide, "EU Geo Proximity", "UK Geo Proximity", "US Geo Proximity", "AU Geo Proximity",
			usGCC, "US GCC-High", "DoD", customCloud,
		},
		Help: "The Microsoft cloud that the tenant is in. The Geo Proximity types reach the same tenants as Worldwide through servers of that region. Custom takes the addresses from the fields below.",
	},
	fieldURL: {
		Name: "url", Display: "API URL", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "Needed for the endpoint type Custom. For the other types it replaces the address of the API; leave it empty to use theirs.",
	},
	fieldAuthority: {
		Name: "azure_ad_endpoint", Display: "Authority URL", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "Where sign-ins go for the endpoint type Custom, for example https://login.microsoftonline.us. When it is empty, the environment variable AZURE_AUTHORITY_HOST counts, then https://login.microsoftonline.com. The other types have their own.",
	},
	fieldTokenScope: {
		Name: "token_scope", Display: "Token Scope", Type: TypeText, Section: SectionConnect, Advanced: true,
		Help: "The scope that tokens are asked for, for example https://api.securitycenter.microsoft.com/.default. Leave it empty unless the sign-in or the API says that the resource or the audience is wrong.",
	},
	fieldAuthType: {
		Name: "auth_type", Display: "Authentication Type", Type: TypeOneOf, Default: clientCredentials, Section: SectionConnect,
		Options: []string{clientCredentials, authorizationCode, managedIdentities, azureWorkloadLogin},
		Help:    "Client Credentials acts as an application. Authorization Code acts as a user who logs in once. The managed and workload identities need no secret and work where Azure or Kubernetes provides them.",
	},
	fieldSelfDeployed: {
		Name: "self_deployed", Display: "Use my own Azure application", Type: TypeCheckbox, Default: "false", Section: SectionConnect,
		Help: "Select it when you registered an application of your own in Microsoft Entra ID. Otherwise Client Credentials signs in through the Cortex XSOAR application.",
	},
	fieldAuthID: {
		Name: "_auth_id", Display: "ID / Client ID", Type: TypeText, Section: SectionConnect,
		Help: "The application (client) ID of your own application; or the ID that the Cortex XSOAR application gave you.",
	},
	fieldTenantID: {
		Name: "_tenant_id", Display: "Token / Tenant ID", Type: TypeText, Section: SectionConnect,
		Help: "The directory (tenant) ID or a domain of the tenant; or the token that the Cortex XSOAR application gave you.",
	},
	fieldCredentials: {
		Name: "credentials", Display: "Key / Client Secret", DisplayPassword: "Key / Client Secret", Type: TypeCredentials,
		Section: SectionConnect, HiddenUsername: true,
		Help: "The value of a client secret of your own application, not its ID; or the key that the Cortex XSOAR application gave you. Not needed with a certificate.",
	},
	fieldCertificate: {
		Name: "creds_certificate", Display: "Certificate Thumbprint", DisplayPassword: "Private Key", Type: TypeCredentials,
		Section: SectionConnect,
		Help:    "Replaces the client secret of your own application. The thumbprint is the SHA-1 one that Microsoft Entra ID shows; it can stay empty when the private key comes with its certificate. The private key is an unencrypted RSA key in PEM form.",
	},
	fieldRedirectURI: {
		Name: "redirect_uri", Display: "Application Redirect URI", Type: TypeText, Section: SectionConnect,
		Help: "For Authorization Code: a redirect URI of the application, exactly as it is registered.",
	},
	fieldAuthCode: {
		Name: "auth_code", Display: "Authorization Code", DisplayPassword: "Authorization Code", Type: TypeCredentials,
		Section: SectionConnect, HiddenUsername: true,
		Help: "For Authorization Code: run !microsoft-atp-generate-login-url, log in, and paste the address that the browser ends at. The code alone will do, too.",
	},
	fieldUseManagedIdentities: {
		Name: "use_managed_identities", Display: "Use Azure Managed Identities", Type: TypeCheckbox, Default: "false",
		Section: SectionConnect, Advanced: true,
		Help: "Does the same as the authentication type Azure Managed Identities, and goes before the one that is chosen.",
	},
	fieldManagedIdentityClientID: {
		Name: "managed_identities_client_id", Display: "Managed Identity Client ID", DisplayPassword: "Managed Identity Client ID",
		Type: TypeCredentials, Section: SectionConnect, Advanced: true, HiddenUsername: true,
		Help: "The client ID of a user-assigned managed identity. Leave it empty for the system-assigned one.",
	},
	fieldHuntingAPI: {
		Name: "hunting_api", Display: "Hunting API", Type: TypeOneOf, Default: string(HuntingAuto), Section: SectionConnect, Advanced: true,
		Options: []string{string(HuntingAuto), string(HuntingDefender), string(HuntingGraph)},
		Help:    "Where hunting queries run: the Defender API, Microsoft Graph, or whichever of them the application may use. Microsoft is retiring hunting in the Defender API.",
	},
	fieldReliability: {
		Name: "Reliability", Display: "Source Reliability", Type: TypeOneOf, Default: "B - Usually reliable", Section: SectionConnect, Advanced: true,
		Options: []string{
			"A+ - 3rd party enrichment", "A - Completely reliable", "B - Usually reliable", "C - Fairly reliable",
			"D - Not usually reliable", "E - Unreliable", "F - Reliability cannot be judged",
		},
		Help: "How far the verdicts of this instance are to be trusted.",
	},
	fieldInsecure: {
		Name: "insecure", Display: "Trust any certificate (not secure)", Type: TypeCheckbox, Default: "false", Section: SectionConnect, Advanced: true,
		Help: "Accepts whatever certificate a server shows. Anyone on the way can then read the tokens.",
	},
	fieldProxy: {
		Name: "proxy", Display: "Use system proxy settings", Type: TypeCheckbox, Default: "false", Section: SectionConnect, Advanced: true,
		Help: "Uses the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment name. Otherwise no proxy is used, even if they are set. Managed identities are always reached directly.",
	},
	fieldIsFetch: {
		Name: "isFetch", Display: "Fetch incidents", Type: TypeCheckbox, Default: "false", Section: SectionCollect,
		Help: "Makes an incident of every new alert that matches the choices below.",
	},
	fieldIncidentType: {
		Name: "incidentType", Display: "Incident type", Type: TypeIncidentType, Section: SectionCollect,
		Help: "The type of the incidents that are fetched, when no classifier decides it.",
	},
	fieldFetchStatus: {
		Name: "fetch_status", Display: "Alert statuses to fetch", Type: TypeSeveralOf, Default: "New", Section: SectionCollect,
		Options: []string{"New", "InProgress", "Resolved"},
		Help:    "Only alerts in one of these statuses are fetched; with none chosen, all.",
	},
	fieldFetchSeverity: {
		Name: "fetch_severity", Display: "Alert severities to fetch", Type: TypeSeveralOf, Default: "Informational,Low,Medium,High", Section: SectionCollect,
		Options: []string{"Informational", "Low", "Medium", "High"},
		Help:    "Only alerts of these severities are fetched; with none chosen, all.",
	},
	fieldFetchDetectionSource: {
		Name: "fetch_detection_source", Display: "Alert detection sources to fetch", Type: TypeSeveralOf, Section: SectionCollect,
		Options: []string{"Antivirus", "CustomDetection", "CustomTI", "EDR", "MDO"},
		Help:    "Only alerts that come from these detections are fetched; with none chosen, all. CustomTI is custom threat intelligence, MDO is Microsoft Defender for Office 365.",
	},
	fieldFetchEvidence: {
		Name: "fetch_evidence", Display: "Fetch alert evidence", Type: TypeCheckbox, Default: "false", Section: SectionCollect,
		Help: "Adds the files, processes, addresses and accounts involved to each incident.",
	},
	fieldMaxFetch: {
		Name: "max_fetch", Display: "Maximum alerts per fetch", Type: TypeText, Default: "50", Section: SectionCollect,
		Help: "From 1 to 200. What is left over comes with the next fetch.",
	},
	fieldFirstFetch: {
		Name: "first_fetch_timestamp", Display: "First fetch time span", Type: TypeText, Default: "3 days", Section: SectionCollect,
		Help: "How far the first fetch reaches back: a number and a unit, for example 12 hours, 3 days or 1 month.",
	},
	fieldLookBack: {
		Name: "look_back", Display: "Look back (minutes)", Type: TypeText, Default: "15", Section: SectionCollect, Advanced: true,
		Help: "How many minutes each fetch looks back behind the newest alert it knows, for alerts that appear late. No alert is fetched twice.",
	},
	fieldIsGCC: {
		Name: "is_gcc", Display: "GCC endpoint (replaced by Endpoint Type)", Type: TypeCheckbox, Default: "false", Section: SectionConnect, Hidden: true,
		Help: "The earlier way to say that the endpoint type is US GCC.",
	},
	fieldOldAuthID: {
		Name: "auth_id", Display: "ID (replaced by ID / Client ID)", Type: TypeEncryptedText, Section: SectionConnect, Hidden: true,
		Help: "The earlier field for the ID or the client ID.",
	},
	fieldOldTenantID: {
		Name: "tenant_id", Display: "Token (replaced by Token / Tenant ID)", Type: TypeEncryptedText, Section: SectionConnect, Hidden: true,
		Help: "The earlier field for the token or the tenant ID.",
	},
	fieldOldKey: {
		Name: "enc_key", Display: "Key (replaced by Key / Client Secret)", Type: TypeEncryptedText, Section: SectionConnect, Hidden: true,
		Help: "The earlier field for the key or the client secret.",
	},
	fieldOldThumbprint: {
		Name: "certificate_thumbprint", Display: "Thumbprint (replaced by Certificate Thumbprint)", Type: TypeEncryptedText, Section: SectionConnect, Hidden: true,
		Help: "The earlier field for the thumbprint of the certificate.",
	},
	fieldOldPrivateKey: {
		Name: "private_key", Display: "Key of the certificate (replaced by Private Key)", Type: TypeEncryptedMultiLine, Section: SectionConnect, Hidden: true,
		Help: "The earlier field for the private key of the certificate.",
	},
}

// Parameters gives the declaration of every instance parameter, in the order in which an instance shows them.
func Parameters() []Parameter {
	declared := slices.Clone(parameters[:])
	for i := range declared {
		declared[i].Options = slices.Clone(declared[i].Options)
	}
	return declared
}

// fieldNamed finds the field that a key of a params object belongs to.
func fieldNamed(name string) (field, bool) {
	for at := range parameters {
		if parameters[at].Name == name {
			return field(at), true
		}
	}
	return 0, false
}
