package defender

import (
	"context"
	"encoding/json"
	"net/http"

	"xsoar-defender/internal/rawjson"
)

// The operations on software and vulnerabilities, for which the service states no rates.
var (
	ListSoftware                = Operation{Purpose: "list software", Method: http.MethodGet, Path: "/api/Software", Docs: "/defender-endpoint/api/get-software", Application: mayReadSoftware, Delegated: userReadsSoftware, LargestPage: 10_000}
	ListSoftwareVersions        = Operation{Purpose: "list the versions of the software", Method: http.MethodGet, Path: "/api/Software/{}/distributions", Docs: "/defender-endpoint/api/get-software-ver-distribution", Application: mayReadSoftware, Delegated: userReadsSoftware}
	ListSoftwareMachines        = Operation{Purpose: "list the machines with the software", Method: http.MethodGet, Path: "/api/Software/{}/machineReferences", Docs: "/defender-endpoint/api/get-machines-by-software", Application: mayReadSoftware, Delegated: userReadsSoftware}
	ListSoftwareVulnerabilities = Operation{Purpose: "list the vulnerabilities of the software", Method: http.MethodGet, Path: "/api/Software/{}/vulnerabilities", Docs: "/defender-endpoint/api/get-vuln-by-software", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities}
	ListSoftwareMissingKBs      = Operation{Purpose: "list the missing security updates of the software", Method: http.MethodGet, Path: "/api/Software/{}/getmissingkbs", Docs: "/defender-endpoint/api/get-missing-kbs-software", Application: mayReadSoftware, Delegated: userReadsSoftware}
	ListVulnerabilities         = Operation{Purpose: "list vulnerabilities", Method: http.MethodGet, Path: "/api/vulnerabilities", Docs: "/defender-endpoint/api/get-all-vulnerabilities", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, LargestPage: 8_000}
	ListVulnerabilityMachines   = Operation{Purpose: "list the machines with the vulnerability", Method: http.MethodGet, Path: "/api/vulnerabilities/{}/machineReferences", Docs: "/defender-endpoint/api/get-machines-by-vulnerability", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities}
	ListMachineVulnerabilities  = Operation{Purpose: "list vulnerabilities by machine", Method: http.MethodGet, Path: "/api/vulnerabilities/machinesVulnerabilities", Docs: "/defender-endpoint/api/get-all-vulnerabilities-by-machines", Application: mayReadVulnerabilities, Delegated: userReadsVulnerabilities, LargestPage: 10_000}
)

// Software lists software.
func (c *Client) Software(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListSoftware, q)
}

// SoftwareVersions lists how many machines have which version of a software.
func (c *Client) SoftwareVersions(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListSoftwareVersions, Query{}, id)
}

// SoftwareMachines lists machines that have a software.
func (c *Client) SoftwareMachines(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListSoftwareMachines, Query{}, id)
}

// SoftwareVulnerabilities lists vulnerabilities of a software.
func (c *Client) SoftwareVulnerabilities(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListSoftwareVulnerabilities, Query{}, id)
}

// SoftwareMissingKBs lists security updates that machines with a software lack.
func (c *Client) SoftwareMissingKBs(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListSoftwareMissingKBs, Query{}, id)
}

// Vulnerabilities lists vulnerabilities.
func (c *Client) Vulnerabilities(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListVulnerabilities, q)
}

// VulnerabilityMachines lists machines that have a vulnerability.
func (c *Client) VulnerabilityMachines(ctx context.Context, cve string) (List, error) {
	return c.list(ctx, ListVulnerabilityMachines, Query{}, cve)
}

// MachineVulnerabilities lists which machine has which vulnerability through which software.
func (c *Client) MachineVulnerabilities(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListMachineVulnerabilities, q)
}

// rawList lets objects of the service be sent as they are.
func rawList(objects []rawjson.Value) []json.RawMessage {
	list := make([]json.RawMessage, len(objects))
	for i, object := range objects {
		list[i] = json.RawMessage(object)
	}
	return list
}
