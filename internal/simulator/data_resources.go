package simulator

import (
	"time"

	"xsoar-defender/internal/simulator/odata"
)

// moment is an instant in an answer, and optional a text that is null if it is empty.
type (
	moment   = odata.Time
	optional = odata.Text
)

// tick is the finest step of time in the API.
const tick = odata.Tick

func at(t time.Time) moment { return odata.At(t) }

// alert, and the resources after it, have the properties on their pages, such as
// https://learn.microsoft.com/defender-endpoint/api/alerts, and a few that the service is known to answer beyond its documentation.
type alert struct {
	ID                 string         `json:"id"`
	IncidentID         int64          `json:"incidentId"`
	InvestigationID    *int64         `json:"investigationId"`
	AssignedTo         optional       `json:"assignedTo"`
	Severity           string         `json:"severity"`
	Status             string         `json:"status"`
	Classification     optional       `json:"classification"`
	Determination      optional       `json:"determination"`
	InvestigationState string         `json:"investigationState"`
	DetectionSource    string         `json:"detectionSource"`
	DetectorID         string         `json:"detectorId"`
	Category           string         `json:"category"`
	ThreatFamilyName   optional       `json:"threatFamilyName"`
	Title              string         `json:"title"`
	Description        string         `json:"description"`
	AlertCreationTime  moment         `json:"alertCreationTime"`
	FirstEventTime     moment         `json:"firstEventTime"`
	LastEventTime      moment         `json:"lastEventTime"`
	LastUpdateTime     moment         `json:"lastUpdateTime"`
	ResolvedTime       moment         `json:"resolvedTime"`
	MachineID          string         `json:"machineId"`
	ComputerDNSName    string         `json:"computerDnsName"`
	RBACGroupName      optional       `json:"rbacGroupName"`
	AADTenantID        string         `json:"aadTenantId"`
	ThreatName         optional       `json:"threatName"`
	MITRETechniques    []string       `json:"mitreTechniques"`
	RelatedUser        *relatedUser   `json:"relatedUser"`
	LoggedOnUsers      []loggedOnUser `json:"loggedOnUsers"`
	Comments           []alertComment `json:"comments"`
	Evidence           []evidence     `json:"evidence"`
	Behaviors          []string       `json:"behaviors"` // not documented; empty for the alerts of Defender for Endpoint
}

func (*alert) Expansion() string { return "evidence" }

func (a *alert) Collapsed() any {
	bare := *a
	bare.Evidence = []evidence{}
	return bare
}

type relatedUser struct {
	UserName   string `json:"userName"`
	DomainName string `json:"domainName"`
}

type loggedOnUser struct {
	AccountName string `json:"accountName"`
	DomainName  string `json:"domainName"`
}

type alertComment struct {
	Comment     string `json:"comment"`
	CreatedBy   string `json:"createdBy"`
	CreatedTime moment `json:"createdTime"`
}

type evidence struct {
	EntityType                string   `json:"entityType"`
	EvidenceCreationTime      moment   `json:"evidenceCreationTime"`
	SHA1                      optional `json:"sha1"`
	SHA256                    optional `json:"sha256"`
	FileName                  optional `json:"fileName"`
	FilePath                  optional `json:"filePath"`
	ProcessID                 *int64   `json:"processId"`
	ProcessCommandLine        optional `json:"processCommandLine"`
	ProcessCreationTime       moment   `json:"processCreationTime"`
	ParentProcessID           *int64   `json:"parentProcessId"`
	ParentProcessCreationTime moment   `json:"parentProcessCreationTime"`
	ParentProcessFileName     optional `json:"parentProcessFileName"`
	ParentProcessFilePath     optional `json:"parentProcessFilePath"`
	IPAddress                 optional `json:"ipAddress"`
	URL                       optional `json:"url"`
	RegistryKey               optional `json:"registryKey"`
	RegistryHive              optional `json:"registryHive"`
	RegistryValueType         optional `json:"registryValueType"`
	RegistryValue             optional `json:"registryValue"`
	AccountName               optional `json:"accountName"`
	DomainName                optional `json:"domainName"`
	UserSID                   optional `json:"userSid"`
	AADUserID                 optional `json:"aadUserId"`
	UserPrincipalName         optional `json:"userPrincipalName"`
	DetectionStatus           optional `json:"detectionStatus"`
}

type machine struct {
	ID                     string      `json:"id"`
	MergedIntoMachineID    optional    `json:"mergedIntoMachineId"`
	IsPotentialDuplication bool        `json:"isPotentialDuplication"`
	IsExcluded             bool        `json:"isExcluded"`
	ExclusionReason        optional    `json:"exclusionReason"`
	ComputerDNSName        string      `json:"computerDnsName"`
	FirstSeen              moment      `json:"firstSeen"`
	LastSeen               moment      `json:"lastSeen"`
	OSPlatform             string      `json:"osPlatform"`
	OSVersion              optional    `json:"osVersion"`
	OSProcessor            string      `json:"osProcessor"`
	Version                string      `json:"version"`
	LastIPAddress          string      `json:"lastIpAddress"`
	LastExternalIPAddress  optional    `json:"lastExternalIpAddress"`
	AgentVersion           optional    `json:"agentVersion"`
	OSBuild                *int64      `json:"osBuild"`
	HealthStatus           string      `json:"healthStatus"`
	DeviceValue            string      `json:"deviceValue"`
	RBACGroupID            int64       `json:"rbacGroupId"`
	RBACGroupName          optional    `json:"rbacGroupName"`
	RiskScore              string      `json:"riskScore"`
	ExposureLevel          string      `json:"exposureLevel"`
	IsAADJoined            bool        `json:"isAadJoined"`
	AADDeviceID            optional    `json:"aadDeviceId"`
	MachineTags            []string    `json:"machineTags"`
	OnboardingStatus       string      `json:"onboardingStatus"`
	OSArchitecture         string      `json:"osArchitecture"`
	ManagedBy              string      `json:"managedBy"`
	ManagedByStatus        string      `json:"managedByStatus"`
	IPAddresses            []ipAddress `json:"ipAddresses"`

	// owner is who works on the machine, nobody's for a server.
	owner *user
	// installed is the software on it.
	installed []installation
}

type ipAddress struct {
	IPAddress         string   `json:"ipAddress"`
	MACAddress        optional `json:"macAddress"`
	Type              string   `json:"type"`
	OperationalStatus string   `json:"operationalStatus"`
}

// machineReference is how the vulnerability operations name a machine.
type machineReference struct {
	ID              string   `json:"id"`
	ComputerDNSName string   `json:"computerDnsName"`
	OSPlatform      string   `json:"osPlatform"`
	RBACGroupName   optional `json:"rbacGroupName"`
	RBACGroupID     int64    `json:"rbacGroupId"`
}

type user struct {
	ID                     string `json:"id"`
	AccountName            string `json:"accountName"`
	AccountDomain          string `json:"accountDomain"`
	AccountSID             string `json:"accountSid"`
	FirstSeen              moment `json:"firstSeen"`
	LastSeen               moment `json:"lastSeen"`
	MostPrevalentMachineID string `json:"mostPrevalentMachineId"`
	LeastPrevalentMachine  string `json:"leastPrevalentMachineId"`
	LogonTypes             string `json:"logonTypes"`
	LogOnMachinesCount     int    `json:"logOnMachinesCount"`
	IsDomainAdmin          bool   `json:"isDomainAdmin"`
	IsOnlyNetworkUser      bool   `json:"isOnlyNetworkUser"`

	principalName string
	objectID      string // in Entra
}

type file struct {
	SHA1                string   `json:"sha1"`
	SHA256              string   `json:"sha256"`
	MD5                 string   `json:"md5"`
	GlobalPrevalence    int64    `json:"globalPrevalence"`
	GlobalFirstObserved moment   `json:"globalFirstObserved"`
	GlobalLastObserved  moment   `json:"globalLastObserved"`
	Size                int64    `json:"size"`
	FileType            optional `json:"fileType"`
	IsPEFile            bool     `json:"isPeFile"`
	FilePublisher       optional `json:"filePublisher"`
	FileProductName     optional `json:"fileProductName"`
	Signer              optional `json:"signer"`
	Issuer              optional `json:"issuer"`
	SignerHash          optional `json:"signerHash"`
	IsValidCertificate  *bool    `json:"isValidCertificate"`
	DeterminationType   string   `json:"determinationType"`
	DeterminationValue  optional `json:"determinationValue"`

	name, folder string
	platforms    []string
}

// fileStatistics has organizationPrevalence as a number and, in its older spelling, as text: the service returns both.
type fileStatistics struct {
	Context                string   `json:"@odata.context"`
	SHA1                   string   `json:"sha1"`
	OrgPrevalence          string   `json:"orgPrevalence"`
	OrganizationPrevalence int      `json:"organizationPrevalence"`
	OrgFirstSeen           moment   `json:"orgFirstSeen"`
	OrgLastSeen            moment   `json:"orgLastSeen"`
	GlobalPrevalence       string   `json:"globalPrevalence"`
	GloballyPrevalence     int64    `json:"globallyPrevalence"`
	GlobalFirstObserved    moment   `json:"globalFirstObserved"`
	GlobalLastObserved     moment   `json:"globalLastObserved"`
	TopFileNames           []string `json:"topFileNames"`
}

// destinationStatistics is of a domain (host) or of an IP address.
type destinationStatistics struct {
	Context                string `json:"@odata.context"`
	Host                   string `json:"host,omitempty"`
	IPAddress              string `json:"ipAddress,omitempty"`
	OrgPrevalence          string `json:"orgPrevalence"`
	OrganizationPrevalence int    `json:"organizationPrevalence"`
	OrgFirstSeen           moment `json:"orgFirstSeen"`
	OrgLastSeen            moment `json:"orgLastSeen"`
}

type domainName struct {
	Host string `json:"host"`
}

type remoteAddress struct {
	ID string `json:"id"`
}

type indicator struct {
	ID                      string   `json:"id"`
	IndicatorValue          string   `json:"indicatorValue"`
	IndicatorType           string   `json:"indicatorType"`
	Action                  string   `json:"action"`
	Application             optional `json:"application"`
	Source                  string   `json:"source"`
	SourceType              string   `json:"sourceType"`
	Title                   string   `json:"title"`
	CreationTimeDateTimeUTC moment   `json:"creationTimeDateTimeUtc"`
	CreatedBy               string   `json:"createdBy"`
	CreatedBySource         string   `json:"createdBySource"`
	CreatedByDisplayName    optional `json:"createdByDisplayName"`
	ExpirationTime          moment   `json:"expirationTime"`
	LastUpdateTime          moment   `json:"lastUpdateTime"`
	LastUpdatedBy           optional `json:"lastUpdatedBy"`
	Severity                string   `json:"severity"`
	Description             string   `json:"description"`
	RecommendedActions      optional `json:"recommendedActions"`
	RBACGroupNames          []string `json:"rbacGroupNames"`
	RBACGroupIDs            []string `json:"rbacGroupIds"`
	MITRETechniques         []string `json:"mitreTechniques"`
	GenerateAlert           bool     `json:"generateAlert"`
	EducateURL              optional `json:"educateUrl"`
	NotificationID          optional `json:"notificationId"`
	ExternalID              optional `json:"externalId"`
	Category                int      `json:"category"`
}

// importResult is the outcome for one indicator of an import.
type importResult struct {
	ID            optional `json:"id"`
	Indicator     string   `json:"indicator"`
	IsFailed      bool     `json:"isFailed"`
	FailureReason optional `json:"failureReason"`
}

type investigation struct {
	ID                string   `json:"id"`
	StartTime         moment   `json:"startTime"`
	EndTime           moment   `json:"endTime"`
	State             string   `json:"state"`
	CancelledBy       optional `json:"cancelledBy"`
	StatusDetails     optional `json:"statusDetails"`
	MachineID         string   `json:"machineId"`
	ComputerDNSName   string   `json:"computerDnsName"`
	TriggeringAlertID optional `json:"triggeringAlertId"`

	ends time.Time // when it ends by itself; zero if it waits for someone
}

type machineAction struct {
	ID                      string                 `json:"id"`
	Type                    string                 `json:"type"`
	Title                   optional               `json:"title"`
	Requestor               string                 `json:"requestor"`
	RequestorComment        string                 `json:"requestorComment"`
	Status                  string                 `json:"status"`
	MachineID               string                 `json:"machineId"`
	ComputerDNSName         string                 `json:"computerDnsName"`
	CreationDateTimeUTC     moment                 `json:"creationDateTimeUtc"`
	LastUpdateDateTimeUTC   moment                 `json:"lastUpdateDateTimeUtc"`
	CancellationRequestor   optional               `json:"cancellationRequestor"`
	CancellationComment     optional               `json:"cancellationComment"`
	CancellationDateTimeUTC moment                 `json:"cancellationDateTimeUtc"`
	ErrorHResult            int                    `json:"errorHResult"`
	Scope                   optional               `json:"scope"`
	ExternalID              optional               `json:"externalId"`
	RequestSource           string                 `json:"requestSource"`
	RelatedFileInfo         *relatedFile           `json:"relatedFileInfo"`
	Commands                []*liveResponseCommand `json:"commands"`
	TroubleshootInfo        optional               `json:"troubleshootInfo"`

	plan plan
}

type relatedFile struct {
	FileIdentifier     string `json:"fileIdentifier"`
	FileIdentifierType string `json:"fileIdentifierType"`
}

type liveResponseCommand struct {
	Index         int              `json:"index"`
	StartTime     moment           `json:"startTime"`
	EndTime       moment           `json:"endTime"`
	CommandStatus string           `json:"commandStatus"`
	Errors        []string         `json:"errors"`
	Command       commandOfSession `json:"command"`

	failure string   // why it will fail; empty when it will not
	result  *content // what GetLiveResponseResultDownloadLink leads to; nil for PutFile
}

type commandOfSession struct {
	Type   string             `json:"type"`
	Params []commandParameter `json:"params"`
}

type commandParameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type libraryFile struct {
	FileName              string   `json:"fileName"`
	SHA256                string   `json:"sha256"`
	Description           optional `json:"description"`
	CreationTime          moment   `json:"creationTime"`
	LastUpdatedTime       moment   `json:"lastUpdatedTime"`
	CreatedBy             string   `json:"createdBy"`
	HasParameters         bool     `json:"hasParameters"`
	ParametersDescription string   `json:"parametersDescription,omitempty"`
}

type software struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	Vendor            string   `json:"vendor"`
	Weaknesses        int      `json:"weaknesses"`
	PublicExploit     bool     `json:"publicExploit"`
	ActiveAlert       bool     `json:"activeAlert"`
	ExposedMachines   int      `json:"exposedMachines"`
	InstalledMachines int      `json:"installedMachines"`
	ImpactScore       float64  `json:"impactScore"`
	IsNormalized      bool     `json:"isNormalized"`
	Category          string   `json:"category"`
	Distributions     []string `json:"distributions"`
}

type softwareDistribution struct {
	Version         string `json:"version"`
	Installations   int    `json:"installations"`
	Vulnerabilities int    `json:"vulnerabilities"`
}

type missingKB struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	ProductsNames   []string `json:"productsNames"`
	URL             string   `json:"url"`
	MachineMissedOn int      `json:"machineMissedOn"`
	CVEAddressed    int      `json:"cveAddressed"`
}

type vulnerability struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	Description       string   `json:"description"`
	Severity          string   `json:"severity"`
	CVSSV3            float64  `json:"cvssV3"`
	CVSSVector        string   `json:"cvssVector"`
	ExposedMachines   int      `json:"exposedMachines"`
	PublishedOn       moment   `json:"publishedOn"`
	UpdatedOn         moment   `json:"updatedOn"`
	FirstDetected     moment   `json:"firstDetected"`
	PublicExploit     bool     `json:"publicExploit"`
	ExploitVerified   bool     `json:"exploitVerified"`
	ExploitInKit      bool     `json:"exploitInKit"`
	ExploitTypes      []string `json:"exploitTypes"`
	ExploitURIs       []string `json:"exploitUris"`
	CVESupportability string   `json:"cveSupportability"`
	EPSS              float64  `json:"epss"`
	Tags              []string `json:"tags"`
	Status            string   `json:"status"`
}

type machineVulnerability struct {
	ID             string   `json:"id"`
	CVEID          string   `json:"cveId"`
	MachineID      string   `json:"machineId"`
	FixingKBID     optional `json:"fixingKbId"`
	ProductName    string   `json:"productName"`
	ProductVendor  string   `json:"productVendor"`
	ProductVersion string   `json:"productVersion"`
	Severity       string   `json:"severity"`
}

type recommendation struct {
	ID                            string   `json:"id"`
	ProductName                   string   `json:"productName"`
	RecommendationName            string   `json:"recommendationName"`
	Weaknesses                    int      `json:"weaknesses"`
	Vendor                        string   `json:"vendor"`
	RecommendedVersion            string   `json:"recommendedVersion"`
	RecommendedProgram            string   `json:"recommendedProgram"`
	RecommendedVendor             string   `json:"recommendedVendor"`
	RecommendationCategory        string   `json:"recommendationCategory"`
	SubCategory                   string   `json:"subCategory"`
	SeverityScore                 float64  `json:"severityScore"`
	PublicExploit                 bool     `json:"publicExploit"`
	ActiveAlert                   bool     `json:"activeAlert"`
	AssociatedThreats             []string `json:"associatedThreats"`
	RemediationType               string   `json:"remediationType"`
	Status                        string   `json:"status"`
	ConfigScoreImpact             float64  `json:"configScoreImpact"`
	ExposureImpact                float64  `json:"exposureImpact"`
	TotalMachineCount             int      `json:"totalMachineCount"`
	ExposedMachinesCount          int      `json:"exposedMachinesCount"`
	NonProductivityImpactedAssets int      `json:"nonProductivityImpactedAssets"`
	RelatedComponent              string   `json:"relatedComponent"`
	ExposedCriticalDevices        int      `json:"exposedCriticalDevices"`
	Tags                          []string `json:"tags"`
}

type score struct {
	Time          moment  `json:"time"`
	Score         float64 `json:"score"`
	RBACGroupName string  `json:"rbacGroupName,omitempty"`
	RBACGroupID   int64   `json:"rbacGroupId,omitempty"`
}

type remediationTask struct {
	ID                                string   `json:"id"`
	Title                             string   `json:"title"`
	CreatedOn                         moment   `json:"createdOn"`
	RequesterID                       string   `json:"requesterId"`
	RequesterEmail                    string   `json:"requesterEmail"`
	Status                            string   `json:"status"`
	StatusLastModifiedOn              moment   `json:"statusLastModifiedOn"`
	Description                       string   `json:"description"`
	RelatedComponent                  string   `json:"relatedComponent"`
	TargetDevices                     int      `json:"targetDevices"`
	RBACGroupNames                    []string `json:"rbacGroupNames"`
	FixedDevices                      int      `json:"fixedDevices"`
	RequesterNotes                    string   `json:"requesterNotes"`
	DueOn                             moment   `json:"dueOn"`
	Category                          string   `json:"category"`
	ProductivityImpactRemediationType optional `json:"productivityImpactRemediationType"`
	Priority                          string   `json:"priority"`
	CompletionMethod                  optional `json:"completionMethod"`
	CompleterID                       optional `json:"completerId"`
	CompleterEmail                    optional `json:"completerEmail"`
	SCID                              optional `json:"scid"`
	Type                              string   `json:"type"`
	ProductID                         string   `json:"productId"`
	VendorID                          string   `json:"vendorId"`
	NameID                            string   `json:"nameId"`
	RecommendedVersion                optional `json:"recommendedVersion"`
	RecommendedVendor                 optional `json:"recommendedVendor"`
	RecommendedProgram                optional `json:"recommendedProgram"`
}

type baselineProfile struct {
	ID                     string   `json:"id"`
	Name                   string   `json:"name"`
	Description            string   `json:"description"`
	Benchmark              string   `json:"benchmark"`
	Version                string   `json:"version"`
	OperatingSystem        string   `json:"operatingSystem"`
	OperatingSystemVersion string   `json:"operatingSystemVersion"`
	Status                 bool     `json:"status"`
	ComplianceLevel        string   `json:"complianceLevel"`
	SettingsNumber         int      `json:"settingsNumber"`
	CreatedBy              string   `json:"createdBy"`
	LastUpdatedBy          optional `json:"lastUpdatedBy"`
	CreatedOn              moment   `json:"createdOnTimestampUTC"`
	LastUpdate             moment   `json:"lastUpdateTimestampUTC"`
	PassedDevices          int      `json:"passedDevices"`
	TotalDevices           int      `json:"totalDevices"`
}

type baselineConfiguration struct {
	ID               string   `json:"id"`
	UniqueID         string   `json:"uniqueId"`
	BenchmarkName    string   `json:"benchmarkName"`
	BenchmarkVersion string   `json:"benchmarkVersion"`
	Name             string   `json:"name"`
	Description      string   `json:"description"`
	Category         string   `json:"category"`
	ComplianceLevels []string `json:"complianceLevels"`
	CCE              string   `json:"cce"`
	Rationale        string   `json:"rationale"`
	Remediation      string   `json:"remediation"`
	RecommendedValue []string `json:"recommendedValue"`
	Source           []string `json:"source"`
	IsCustom         bool     `json:"isCustom"`
}

type deviceAVInfo struct {
	ID                     string   `json:"id"`
	MachineID              string   `json:"machineId"`
	ComputerDNSName        string   `json:"computerDnsName"`
	OSKind                 string   `json:"osKind"`
	OSPlatform             string   `json:"osPlatform"`
	OSVersion              string   `json:"osVersion"`
	AVMode                 string   `json:"avMode"`
	AVSignatureVersion     string   `json:"avSignatureVersion"`
	AVEngineVersion        string   `json:"avEngineVersion"`
	AVPlatformVersion      string   `json:"avPlatformVersion"`
	LastSeenTime           moment   `json:"lastSeenTime"`
	QuickScanResult        string   `json:"quickScanResult"`
	QuickScanError         string   `json:"quickScanError"`
	QuickScanTime          moment   `json:"quickScanTime"`
	FullScanResult         string   `json:"fullScanResult"`
	FullScanError          string   `json:"fullScanError"`
	FullScanTime           moment   `json:"fullScanTime"`
	DataRefreshTimestamp   moment   `json:"dataRefreshTimestamp"`
	AVEngineUpdateTime     moment   `json:"avEngineUpdateTime"`
	AVSignatureUpdateTime  moment   `json:"avSignatureUpdateTime"`
	AVPlatformUpdateTime   moment   `json:"avPlatformUpdateTime"`
	AVIsSignatureUpToDate  string   `json:"avIsSignatureUpToDate"`
	AVIsEngineUpToDate     string   `json:"avIsEngineUpToDate"`
	AVIsPlatformUpToDate   string   `json:"avIsPlatformUpToDate"`
	AVSignaturePublishTime moment   `json:"avSignaturePublishTime"`
	RBACGroupName          optional `json:"rbacGroupName"`
	RBACGroupID            int64    `json:"rbacGroupId"`
}
