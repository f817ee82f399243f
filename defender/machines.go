package defender

import (
	"context"
	"net/http"
	"time"

	"xsoar-defender/internal/rawjson"
)

// The operations on machines.
var (
	ListMachines       = Operation{Purpose: "list machines", Method: http.MethodGet, Path: "/api/machines", Docs: "/defender-endpoint/api/get-machines", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate, LargestPage: 10_000}
	GetMachine         = Operation{Purpose: "read the machine", Method: http.MethodGet, Path: "/api/machines/{}", Docs: "/defender-endpoint/api/get-machine-by-id", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
	ListMachineUsers   = Operation{Purpose: "list the users of the machine", Method: http.MethodGet, Path: "/api/machines/{}/logonusers", Docs: "/defender-endpoint/api/get-machine-log-on-users", Application: mayReadUsers, Delegated: mayReadUsers, Rate: usualRate}
	ListMachineAlerts  = Operation{Purpose: "list the alerts of the machine", Method: http.MethodGet, Path: "/api/machines/{}/alerts", Docs: "/defender-endpoint/api/get-machine-related-alerts", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
	TagMachine         = Operation{Purpose: "change the tags of the machine", Method: http.MethodPost, Path: "/api/machines/{}/tags", Docs: "/defender-endpoint/api/add-or-remove-machine-tags", Application: mayWriteMachines, Delegated: userWritesMachines, Rate: usualRate}
	FindMachinesByIP   = Operation{Purpose: "find machines by IP address", Method: http.MethodGet, Path: "/api/machines/findbyip(ip='{}',timestamp={})", Docs: "/defender-endpoint/api/find-machines-by-ip", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
	ListFileMachines   = Operation{Purpose: "list the machines with the file", Method: http.MethodGet, Path: "/api/files/{}/machines", Docs: "/defender-endpoint/api/get-file-related-machines", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
	ListDomainMachines = Operation{Purpose: "list the machines that reached the domain", Method: http.MethodGet, Path: "/api/domains/{}/machines", Docs: "/defender-endpoint/api/get-domain-related-machines", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
	ListUserMachines   = Operation{Purpose: "list the machines of the user", Method: http.MethodGet, Path: "/api/users/{}/machines", Docs: "/defender-endpoint/api/get-user-related-machines", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
)

// Machines lists machines.
func (c *Client) Machines(ctx context.Context, q Query) (List, error) {
	return c.emptyWhenMissing(c.list(ctx, ListMachines, q))
}

// emptyWhenMissing reads a 404 as an empty list: older editions of the service answer so when no machine fits.
func (c *Client) emptyWhenMissing(list List, err error) (List, error) {
	if NotFound(err) {
		return List{Whole: `{"value":[]}`}, nil
	}
	return list, err
}

// Machine reads one machine by its id or by its DNS name (https://learn.microsoft.com/defender-endpoint/api/get-machine-by-id).
func (c *Client) Machine(ctx context.Context, id string) (rawjson.Value, error) {
	return c.get(ctx, GetMachine, id)
}

// MachinesByID reads several machines at once and returns them by their ids in lower case. The ids must fit in one request
// (see SplitIDs). Machines that were not seen in the last 30 days are missing: only Machine reads those.
func (c *Client) MachinesByID(ctx context.Context, ids []string) (map[string]rawjson.Value, error) {
	return c.listed(ctx, ListMachines, ids, "")
}

// MachinesWithAny lists the machines that have any of the values of any of the properties. It takes as many requests as
// Split makes filters, and more with smaller filters if the service refuses those.
func (c *Client) MachinesWithAny(ctx context.Context, alternatives ...AnyOf) (List, error) {
	return c.withAny(ctx, ListMachines, Query{}, alternatives...)
}

// MachineUsers lists the users that logged on to a machine.
func (c *Client) MachineUsers(ctx context.Context, machine string) (List, error) {
	return c.list(ctx, ListMachineUsers, Query{}, machine)
}

// MachineAlerts lists the alerts of a machine.
func (c *Client) MachineAlerts(ctx context.Context, machine string) (List, error) {
	return c.list(ctx, ListMachineAlerts, Query{}, machine)
}

// TagMachine adds a tag to a machine or removes it; action is Add or Remove. It returns the new state of the machine.
func (c *Client) TagMachine(ctx context.Context, machine, action, tag string) (rawjson.Value, error) {
	return c.change(ctx, TagMachine, "id", map[string]string{"Value": tag, "Action": action}, machine)
}

// MachinesByIP finds machines that had an internal IP address within 15 minutes of a time at most 30 days ago.
func (c *Client) MachinesByIP(ctx context.Context, ip string, at time.Time, limit int) (List, error) {
	return c.emptyWhenMissing(c.list(ctx, FindMachinesByIP, Query{Limit: limit}, ip, at.UTC().Format(time.RFC3339)))
}

// FileMachines lists machines on which a file was seen. The service takes a SHA-1 hash only.
func (c *Client) FileMachines(ctx context.Context, sha1 string) (List, error) {
	return c.list(ctx, ListFileMachines, Query{}, sha1)
}

// DomainMachines lists machines that communicated with a domain, at most 500.
func (c *Client) DomainMachines(ctx context.Context, domain string) (List, error) {
	return c.list(ctx, ListDomainMachines, Query{}, domain)
}

// UserMachines lists machines of a user, named by account name without domain.
func (c *Client) UserMachines(ctx context.Context, user string) (List, error) {
	return c.list(ctx, ListUserMachines, Query{}, user)
}
