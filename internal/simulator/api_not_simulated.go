package simulator

import "net/http"

// notSimulated is the name of an operation that the service has and the tenant does not carry out. It says so, since any other
// answer would be taken for the service's.
type notSimulated string

func (name notSimulated) run(*company, *call) (reply, *apiError) {
	return reply{}, &apiError{
		http.StatusNotImplemented, "NotSimulated",
		"The simulated tenant does not carry out this operation: " + string(name) + ". It exists in the service only.",
	}
}

// operationsElsewhere are the operations of https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list that the tenant
// does not carry out. Permissions and rates are checked all the same. One that operations has too is carried out.
var operationsElsewhere = []operation{
	{"GET", "/machines/find(timestamp={time},key={ip})", []string{"Machine.Read.All", "Machine.ReadWrite.All"}, nil, 0, 0, notSimulated("find machine info by ip")},
	{"GET", "/browserextensions/permissionsinfo", []string{"Software.Read.All"}, []string{"Software.Read"}, 0, 0, notSimulated("list browser extension permissions")},
	{"GET", "/DeviceAuthenticatedScanDefinitions", []string{"Machine.Read.All"}, []string{"Machine.Read.All"}, 100, 1500, notSimulated("list scan definitions")},
	{"POST", "/DeviceAuthenticatedScanDefinitions", []string{"Machine.ReadWrite.All"}, []string{"Machine.ReadWrite"}, 100, 1500, notSimulated("add scan definition")},
	{"PATCH", "/DeviceAuthenticatedScanDefinitions/{id}", []string{"Machine.ReadWrite.All"}, []string{"Machine.ReadWrite"}, 100, 1500, notSimulated("update scan definition")},
	{"POST", "/DeviceAuthenticatedScanDefinitions/BatchDelete", []string{"Machine.ReadWrite.All"}, []string{"Machine.ReadWrite"}, 100, 1500, notSimulated("batch delete scan definitions")},
	{"GET", "/DeviceAuthenticatedScanAgents", []string{"Machine.Read.All"}, []string{"Machine.Read.All"}, 100, 1500, notSimulated("list scan agents")},
	{"GET", "/DeviceAuthenticatedScanAgents/{id}", []string{"Machine.Read.All"}, []string{"Machine.Read.All"}, 100, 1500, notSimulated("get scan agent")},
	{"POST", "/DeviceAuthenticatedScanDefinitions/GetScanHistoryByScanDefinitionId", []string{"Machine.Read.All"}, []string{"Machine.Read.All"}, 100, 1500, notSimulated("scan history by definition")},
	{"POST", "/DeviceAuthenticatedScanDefinitions/GetScanHistoryBySessionId", []string{"Machine.Read.All"}, []string{"Machine.Read.All"}, 100, 1500, notSimulated("scan history by session")},
}
