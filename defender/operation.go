package defender

import "net/http"

// Operation is one call of the API: its purpose, its address, who may make it and how often. The facts are those of the page
// that Docs names, as of 2026.
//
// Operations are written as literals of constants, which the compiler lays out as data: each of the many processes that
// the platform starts would otherwise build all of them to use one or two.
type Operation struct {
	// Purpose completes the sentence "the attempt to ...".
	Purpose string
	Method  string
	// Path has {} for each argument.
	Path string
	// Docs is the path of the page of https://learn.microsoft.com that describes the operation.
	Docs string
	// Application and Delegated are the permissions of which one is needed, with an application's token
	// and with a user's.
	Application, Delegated []string
	Rate
	// LargestPage is the highest $top that the operation accepts, or zero if it accepts none.
	LargestPage int
	// ReadsOnly reports whether a POST changes nothing and may be sent again.
	ReadsOnly bool
	// Graph reports whether the operation is one of Microsoft Graph.
	Graph bool
	// Starts is the type of the machine action that the operation starts, as lists of actions spell it, or "".
	Starts string
}

// Rate is the number of calls that the service allows an application; zero if the page states none.
type Rate struct{ PerMinute, PerHour int }

// Repeatable reports whether sending the operation twice has the same effect as sending it once.
func (o Operation) Repeatable() bool { return o.Method == http.MethodGet || o.ReadsOnly }

// usualRate is the rate of most operations.
var usualRate = Rate{PerMinute: 100, PerHour: 1500}

// The permissions that several operations share. Where a user's differ from an application's they have their own name.
var (
	mayReadAlerts            = []string{"Alert.Read.All", "Alert.ReadWrite.All"}
	userReadsAlerts          = []string{"Alert.Read", "Alert.ReadWrite"}
	mayWriteAlerts           = []string{"Alert.ReadWrite.All"}
	userWritesAlerts         = []string{"Alert.ReadWrite"}
	mayReadUsers             = []string{"User.Read.All"}
	mayReadFiles             = []string{"File.Read.All"}
	mayReadIPs               = []string{"Ip.Read.All"}
	mayReadURLs              = []string{"URL.Read.All"}
	mayManageIndicators      = []string{"Ti.ReadWrite", "Ti.ReadWrite.All"}
	userManagesIndicators    = []string{"Ti.ReadWrite"}
	mayReadMachines          = []string{"Machine.Read.All", "Machine.ReadWrite.All"}
	userReadsMachines        = []string{"Machine.Read", "Machine.ReadWrite"}
	mayWriteMachines         = []string{"Machine.ReadWrite.All"}
	userWritesMachines       = []string{"Machine.ReadWrite"}
	mayIsolate               = []string{"Machine.Isolate"}
	mayScan                  = []string{"Machine.Scan"}
	mayRestrict              = []string{"Machine.RestrictExecution"}
	mayOffboard              = []string{"Machine.Offboard"}
	mayQuarantine            = []string{"Machine.StopAndQuarantine"}
	mayCollectForensics      = []string{"Machine.CollectForensics"}
	mayRespondLive           = []string{"Machine.LiveResponse"}
	mayReadSoftware          = []string{"Software.Read.All"}
	userReadsSoftware        = []string{"Software.Read"}
	mayReadVulnerabilities   = []string{"Vulnerability.Read.All"}
	userReadsVulnerabilities = []string{"Vulnerability.Read"}
	mayActAnyhow             = []string{
		"Machine.CollectForensics", "Machine.Isolate", "Machine.RestrictExecution", "Machine.Scan", "Machine.Offboard",
		"Machine.StopAndQuarantine", "Machine.LiveResponse",
	}
)

// allOperations returns the operations that the client knows, in the order of its files.
func allOperations() []Operation {
	return []Operation{
		ListAlerts, GetAlert, UpdateAlert, CreateAlert, GetAlertUser, ListAlertFiles, ListAlertIPs, ListAlertDomains,
		GetFile, GetFileStatistics, ListFileAlerts, GetDomainStatistics, ListDomainAlerts, GetIPStatistics, ListIPAlerts, ListUserAlerts,
		RunHuntingQuery, RunGraphHuntingQuery,
		ListIncidents, GetIncident, UpdateIncident, AddIncidentComment, GetGraphAlert, UpdateGraphAlert, MoveGraphAlerts, MergeIncidents,
		ListIndicators, GetIndicator, SubmitIndicator, ImportIndicators, DeleteIndicator,
		ListMachineActions, GetMachineAction, CancelMachineAction, Isolate, Unisolate, RunAntivirusScan, RestrictExecution, UnrestrictExecution,
		StopAndQuarantine, CollectPackage, GetPackageURI, Offboard, StartInvestigation, ListInvestigations, GetInvestigation,
		RunLiveResponse, GetLiveResponseLink,
		ListMachines, GetMachine, ListMachineUsers, ListMachineAlerts, TagMachine, FindMachinesByIP, ListFileMachines, ListDomainMachines, ListUserMachines,
		ListSoftware, ListSoftwareVersions, ListSoftwareMachines, ListSoftwareVulnerabilities, ListSoftwareMissingKBs,
		ListVulnerabilities, ListVulnerabilityMachines, ListMachineVulnerabilities,
		BatchUpdateAlerts, TagMachines, FindMachinesByTag, SetDeviceValue, BatchDeleteIndicators,
		ListLibraryFiles, UploadLibraryFile, DeleteLibraryFile,
		ExportSecureConfiguration, ExportSecureConfigurationFiles, ExportSoftware, ExportSoftwareFiles, ExportVulnerabilities, ExportVulnerabilitiesFiles,
		ExportVulnerabilityChanges, ExportOtherSoftware, ExportOtherSoftwareFiles, ExportBrowserExtensions, ExportBrowserExtensionsFiles,
		ExportInformationFiles, ExportCertificates, ExportCertificatesFiles, ExportHardware, ExportHardwareFiles, ExportBaselines, ExportBaselinesFiles,
		ListDeviceAVInfo,
		ListSoftwareOfMachine, ListVulnerabilitiesOfMachine, ListRecommendationsOfMachine, ListMissingKBsOfMachine, ListRecommendations, GetRecommendation,
		ListRecommendationMachines, ListRecommendationVulnerabilities, GetRecommendationSoftware, GetExposureScore, ListGroupExposureScores,
		GetDeviceSecureScore, ListRemediationTasks, GetRemediationTask, ListRemediationTaskMachines, GetVulnerability,
	}
}
