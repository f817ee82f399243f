package defender

import (
	"context"
	"encoding/json"

	"xsoar-defender/answer"
)

// The operations on software and vulnerabilities, for which the service states no rates.
var (
	ListSoftware                = read("list software", "/api/Software", readSoftware()).rated(0, 0).paged(10_000)
	ListSoftwareVersions        = read("list the versions of the software", "/api/Software/{}/distributions", readSoftware()).rated(0, 0)
	ListSoftwareMachines        = read("list the machines with the software", "/api/Software/{}/machineReferences", readSoftware()).rated(0, 0)
	ListSoftwareVulnerabilities = read("list the vulnerabilities of the software", "/api/Software/{}/vulnerabilities", readVulnerabilities()).rated(0, 0)
	ListSoftwareMissingKBs      = read("list the missing security updates of the software", "/api/Software/{}/getmissingkbs", readSoftware()).rated(0, 0)
	ListVulnerabilities         = read("list vulnerabilities", "/api/vulnerabilities", readVulnerabilities()).rated(0, 0).paged(8_000)
	ListVulnerabilityMachines   = read("list the machines with the vulnerability", "/api/vulnerabilities/{}/machineReferences", readVulnerabilities()).rated(0, 0)
	ListMachineVulnerabilities  = read("list vulnerabilities by machine", "/api/vulnerabilities/machinesVulnerabilities", readVulnerabilities()).rated(0, 0).paged(10_000)
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
func rawList(objects []answer.Object) []json.RawMessage {
	list := make([]json.RawMessage, len(objects))
	for i, object := range objects {
		list[i] = json.RawMessage(object)
	}
	return list
}
