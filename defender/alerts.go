package defender

import (
	"context"
	"net/http"

	"xsoar-defender/internal/rawjson"
)

// The operations on alerts.
var (
	ListAlerts       = Operation{Purpose: "list alerts", Method: http.MethodGet, Path: "/api/alerts", Docs: "/defender-endpoint/api/get-alerts", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate, LargestPage: 10_000}
	GetAlert         = Operation{Purpose: "read the alert", Method: http.MethodGet, Path: "/api/alerts/{}", Docs: "/defender-endpoint/api/get-alert-info-by-id", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
	UpdateAlert      = Operation{Purpose: "update the alert", Method: http.MethodPatch, Path: "/api/alerts/{}", Docs: "/defender-endpoint/api/update-alert", Application: mayWriteAlerts, Delegated: userWritesAlerts, Rate: usualRate}
	CreateAlert      = Operation{Purpose: "create the alert", Method: http.MethodPost, Path: "/api/alerts/CreateAlertByReference", Docs: "/defender-endpoint/api/create-alert-by-reference", Application: mayWriteAlerts, Delegated: userWritesAlerts, Rate: Rate{PerMinute: 15}}
	GetAlertUser     = Operation{Purpose: "read the user of the alert", Method: http.MethodGet, Path: "/api/alerts/{}/user", Docs: "/defender-endpoint/api/get-alert-related-user-info", Application: mayReadUsers, Delegated: mayReadUsers, Rate: usualRate}
	ListAlertFiles   = Operation{Purpose: "list the files of the alert", Method: http.MethodGet, Path: "/api/alerts/{}/files", Docs: "/defender-endpoint/api/get-alert-related-files-info", Application: mayReadFiles, Delegated: mayReadFiles, Rate: usualRate}
	ListAlertIPs     = Operation{Purpose: "list the IP addresses of the alert", Method: http.MethodGet, Path: "/api/alerts/{}/ips", Docs: "/defender-endpoint/api/get-alert-related-ip-info", Application: mayReadIPs, Delegated: mayReadIPs, Rate: usualRate}
	ListAlertDomains = Operation{Purpose: "list the domains of the alert", Method: http.MethodGet, Path: "/api/alerts/{}/domains", Docs: "/defender-endpoint/api/get-alert-related-domain-info", Application: mayReadURLs, Delegated: mayReadURLs, Rate: usualRate}
)

// Alerts lists alerts.
func (c *Client) Alerts(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListAlerts, q)
}

// Alert reads one alert.
func (c *Client) Alert(ctx context.Context, id string) (rawjson.Value, error) {
	return c.get(ctx, GetAlert, id)
}

// AlertsByID reads several alerts at once, with their evidence, and returns them by their ids in lower case. The ids must
// fit in one request (see SplitIDs). Alerts that the list does not have are missing.
func (c *Client) AlertsByID(ctx context.Context, ids []string) (map[string]rawjson.Value, error) {
	return c.listed(ctx, ListAlerts, ids, "evidence")
}

// AlertUpdate are changes of an alert; empty fields stay as they are.
type AlertUpdate struct {
	Status         string `json:"status,omitempty"`
	AssignedTo     string `json:"assignedTo,omitempty"`
	Classification string `json:"classification,omitempty"`
	Determination  string `json:"determination,omitempty"`
	Comment        string `json:"comment,omitempty"`
}

// UpdateAlert changes an alert and returns it as it is then.
func (c *Client) UpdateAlert(ctx context.Context, id string, update AlertUpdate) (rawjson.Value, error) {
	return c.change(ctx, UpdateAlert, "id", update, id)
}

// NewAlert is an alert created from an event that advanced hunting found; the machine, the time and the report ID name the
// event.
type NewAlert struct {
	MachineID         string `json:"machineId"`
	Severity          string `json:"severity"`
	Title             string `json:"title"`
	Description       string `json:"description"`
	RecommendedAction string `json:"recommendedAction"`
	EventTime         string `json:"eventTime"`
	ReportID          string `json:"reportId"`
	Category          string `json:"category"`
}

// CreateAlert creates an alert.
func (c *Client) CreateAlert(ctx context.Context, alert NewAlert) (rawjson.Value, error) {
	return c.change(ctx, CreateAlert, "id", alert)
}

// AlertUser reads the user most related to an alert.
func (c *Client) AlertUser(ctx context.Context, id string) (rawjson.Value, error) {
	return c.get(ctx, GetAlertUser, id)
}

// AlertFiles lists the files of an alert.
func (c *Client) AlertFiles(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListAlertFiles, Query{}, id)
}

// AlertIPs lists the IP addresses of an alert.
func (c *Client) AlertIPs(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListAlertIPs, Query{}, id)
}

// AlertDomains lists the domains of an alert.
func (c *Client) AlertDomains(ctx context.Context, id string) (List, error) {
	return c.list(ctx, ListAlertDomains, Query{}, id)
}
