package defender

import (
	"context"
	"net/http"

	"xsoar-defender/internal/rawjson"
)

// The operations of vulnerability management: what is wrong with machines, and what to do about it.
var (
	ListSoftwareOfMachine             = Operation{Purpose: "list the software of the machine", Method: http.MethodGet, Path: "/api/machines/{}/software", Docs: "/defender-endpoint/api/get-installed-software", Application: mayReadSoftware, Delegated: userReadsSoftware}
	ListVulnerabilitiesOfMachine      = Operation{Purpose: "list the vulnerabilities of the machine", Method: http.MethodGet, Path: "/api/machines/{}/vulnerabilities", Docs: "/defender-endpoint/api/get-discovered-vulnerabilities", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, Rate: Rate{PerMinute: 50, PerHour: 1500}}
	ListRecommendationsOfMachine      = Operation{Purpose: "list the security recommendations for the machine", Method: http.MethodGet, Path: "/api/machines/{}/recommendations", Docs: "/defender-endpoint/api/get-security-recommendations", Application: mayReadRecommendations, Delegated: userReadsRecommendations}
	ListMissingKBsOfMachine           = Operation{Purpose: "list the missing security updates of the machine", Method: http.MethodGet, Path: "/api/machines/{}/getmissingkbs", Docs: "/defender-endpoint/api/get-missing-kbs-machine", Application: mayReadSoftware}
	ListRecommendations               = Operation{Purpose: "list security recommendations", Method: http.MethodGet, Path: "/api/recommendations", Docs: "/defender-endpoint/api/get-all-recommendations", Application: mayReadRecommendations, Delegated: userReadsRecommendations, LargestPage: 10_000}
	GetRecommendation                 = Operation{Purpose: "read the security recommendation", Method: http.MethodGet, Path: "/api/recommendations/{}", Docs: "/defender-endpoint/api/get-recommendation-by-id", Application: mayReadRecommendations, Delegated: userReadsRecommendations}
	ListRecommendationMachines        = Operation{Purpose: "list the machines of the security recommendation", Method: http.MethodGet, Path: "/api/recommendations/{}/machineReferences", Docs: "/defender-endpoint/api/get-recommendation-machines", Application: mayReadRecommendations, Delegated: userReadsRecommendations}
	ListRecommendationVulnerabilities = Operation{Purpose: "list the vulnerabilities of the security recommendation", Method: http.MethodGet, Path: "/api/recommendations/{}/vulnerabilities", Docs: "/defender-endpoint/api/get-recommendation-vulnerabilities", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities}
	GetRecommendationSoftware         = Operation{Purpose: "read the software of the security recommendation", Method: http.MethodGet, Path: "/api/recommendations/{}/software", Docs: "/defender-endpoint/api/list-recommendation-software", Application: mayReadSoftware, Delegated: userReadsRecommendations}
	GetExposureScore                  = Operation{Purpose: "read the exposure score", Method: http.MethodGet, Path: "/api/exposureScore", Docs: "/defender-endpoint/api/get-exposure-score", Application: mayReadScores, Delegated: userReadsScores}
	ListGroupExposureScores           = Operation{Purpose: "list the exposure scores of device groups", Method: http.MethodGet, Path: "/api/exposureScore/ByMachineGroups", Docs: "/defender-endpoint/api/get-machine-group-exposure-score", Application: mayReadScores, Delegated: userReadsScores}
	GetDeviceSecureScore              = Operation{Purpose: "read the secure score for devices", Method: http.MethodGet, Path: "/api/configurationScore", Docs: "/defender-endpoint/api/get-device-secure-score", Application: mayReadScores, Delegated: userReadsScores}
	ListRemediationTasks              = Operation{Purpose: "list remediation tasks", Method: http.MethodGet, Path: "/api/remediationTasks", Docs: "/defender-endpoint/api/get-remediation-all-activities", Application: mayReadTasks, Delegated: userReadsTasks, LargestPage: 10_000}
	GetRemediationTask                = Operation{Purpose: "read the remediation task", Method: http.MethodGet, Path: "/api/remediationTasks/{}", Docs: "/defender-endpoint/api/get-remediation-one-activity", Application: mayReadTasks, Delegated: userReadsTasks}
	ListRemediationTaskMachines       = Operation{Purpose: "list the machines of the remediation task", Method: http.MethodGet, Path: "/api/remediationTasks/{}/machineReferences", Docs: "/defender-endpoint/api/get-remediation-exposed-devices-activities", Application: mayReadTasks, Delegated: userReadsTasks}
	GetVulnerability                  = Operation{Purpose: "read the vulnerability", Method: http.MethodGet, Path: "/api/vulnerabilities/{}", Docs: "/defender-endpoint/api/get-vulnerability-by-id", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities}
)

var (
	mayReadRecommendations   = []string{"SecurityRecommendation.Read.All"}
	userReadsRecommendations = []string{"SecurityRecommendation.Read"}
	mayReadScores            = []string{"Score.Read.All"}
	userReadsScores          = []string{"Score.Read"}
	mayReadTasks             = []string{"RemediationTasks.Read.All"}
	userReadsTasks           = []string{"RemediationTask.Read"}
)

// All reads a list of the service that belongs to one thing, such as the software of a machine, as far as there are
// Everything items.
func (c *Client) All(ctx context.Context, operation Operation, id string) (List, error) {
	return c.list(ctx, operation, Query{}, id)
}

// One reads one object of an operation; without an ID where the tenant has only one, such as the exposure score.
func (c *Client) One(ctx context.Context, operation Operation, id ...string) (rawjson.Value, error) {
	return c.get(ctx, operation, id...)
}

// Recommendations lists security recommendations.
func (c *Client) Recommendations(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListRecommendations, q)
}

// RemediationTasks lists remediation tasks.
func (c *Client) RemediationTasks(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListRemediationTasks, q)
}

// GroupExposureScores lists the exposure scores of device groups.
func (c *Client) GroupExposureScores(ctx context.Context) (List, error) {
	return c.list(ctx, ListGroupExposureScores, Query{})
}
