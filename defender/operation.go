package defender

import "net/http"

// Operation is one call of the API: what it is for, where it is, who may make it and how often. The facts are
// Microsoft's documentation of the API as of 2026.
type Operation struct {
	// Purpose completes the sentence "the attempt to ...".
	Purpose string
	Method  string
	// Path has {} where an argument stands.
	Path string
	// Application and Delegated are the permissions of which one is needed, with an application's token
	// and with a user's.
	Application, Delegated []string
	// PerMinute and PerHour are the calls that the service allows an application; zero: not stated.
	PerMinute, PerHour int
	// LargestPage is the highest $top that the operation takes; zero: it takes none.
	LargestPage int
	// ReadsOnly says that a POST changes nothing and may be sent again.
	ReadsOnly bool
	// Graph says that the operation is Microsoft Graph's.
	Graph bool
}

// Repeatable says that sending the operation twice does no more than sending it once.
func (o Operation) Repeatable() bool { return o.Method == http.MethodGet || o.ReadsOnly }

// The rates that the service states for most operations.
const (
	usualPerMinute = 100
	usualPerHour   = 1500
)

// read is an operation that fetches something at the usual rates.
func read(purpose, path string, permissions permissionPair) Operation {
	return Operation{
		Purpose: purpose, Method: http.MethodGet, Path: path,
		Application: permissions.application, Delegated: permissions.delegated,
		PerMinute: usualPerMinute, PerHour: usualPerHour,
	}
}

// change is an operation that posts something at the usual rates.
func change(purpose, path string, permissions permissionPair) Operation {
	operation := read(purpose, path, permissions)
	operation.Method = http.MethodPost
	return operation
}

// by gives the operation with another method.
func (o Operation) by(method string) Operation {
	o.Method = method
	return o
}

// rated gives the operation with other rates.
func (o Operation) rated(perMinute, perHour int) Operation {
	o.PerMinute, o.PerHour = perMinute, perHour
	return o
}

// paged gives the operation with the largest page that it takes.
func (o Operation) paged(largest int) Operation {
	o.LargestPage = largest
	return o
}

// readingOnly marks an operation that posts but changes nothing.
func (o Operation) readingOnly() Operation {
	o.ReadsOnly = true
	return o
}

// permissionPair are the permissions of which one is needed, by kind of token.
type permissionPair struct{ application, delegated []string }

func same(names ...string) permissionPair { return permissionPair{names, names} }

func readAlerts() permissionPair {
	return permissionPair{[]string{"Alert.Read.All", "Alert.ReadWrite.All"}, []string{"Alert.Read", "Alert.ReadWrite"}}
}

func writeAlerts() permissionPair {
	return permissionPair{[]string{"Alert.ReadWrite.All"}, []string{"Alert.ReadWrite"}}
}

func readMachines() permissionPair {
	return permissionPair{[]string{"Machine.Read.All", "Machine.ReadWrite.All"}, []string{"Machine.Read", "Machine.ReadWrite"}}
}

func writeMachines() permissionPair {
	return permissionPair{[]string{"Machine.ReadWrite.All"}, []string{"Machine.ReadWrite"}}
}

func readSoftware() permissionPair {
	return permissionPair{[]string{"Software.Read.All"}, []string{"Software.Read"}}
}

func readVulnerabilities() permissionPair {
	return permissionPair{[]string{"Vulnerability.Read.All"}, []string{"Vulnerability.Read"}}
}

func writeIndicators() permissionPair {
	return permissionPair{[]string{"Ti.ReadWrite", "Ti.ReadWrite.All"}, []string{"Ti.ReadWrite"}}
}

// allOperations are the operations that the client knows, in the order of its files.
func allOperations() []Operation {
	return []Operation{
		ListAlerts, GetAlert, UpdateAlert, CreateAlert, GetAlertUser, ListAlertFiles, ListAlertIPs, ListAlertDomains,
		GetFile, GetFileStatistics, ListFileAlerts, GetDomainStatistics, ListDomainAlerts, GetIPStatistics, ListIPAlerts, ListUserAlerts,
		RunHuntingQuery, RunGraphHuntingQuery,
		ListIndicators, GetIndicator, SubmitIndicator, ImportIndicators, DeleteIndicator,
		ListMachineActions, GetMachineAction, CancelMachineAction, Isolate, Unisolate, RunAntivirusScan, RestrictExecution, UnrestrictExecution,
		StopAndQuarantine, CollectPackage, GetPackageURI, Offboard, StartInvestigation, ListInvestigations, GetInvestigation,
		RunLiveResponse, GetLiveResponseLink,
		ListMachines, GetMachine, ListMachineUsers, ListMachineAlerts, TagMachine, FindMachinesByIP, ListFileMachines, ListDomainMachines, ListUserMachines,
		ListSoftware, ListSoftwareVersions, ListSoftwareMachines, ListSoftwareVulnerabilities, ListSoftwareMissingKBs,
		ListVulnerabilities, ListVulnerabilityMachines, ListMachineVulnerabilities,
	}
}
