package defender

import (
	"context"
	"net/http"

	"xsoar-defender/answer"
)

// The operations on alerts.
var (
	ListAlerts       = read("list alerts", "/api/alerts", readAlerts()).paged(10_000)
	GetAlert         = read("read the alert", "/api/alerts/{}", readAlerts())
	UpdateAlert      = change("update the alert", "/api/alerts/{}", writeAlerts()).by(http.MethodPatch)
	CreateAlert      = change("create the alert", "/api/alerts/CreateAlertByReference", writeAlerts()).rated(15, 0)
	GetAlertUser     = read("read the user of the alert", "/api/alerts/{}/user", same("User.Read.All"))
	ListAlertFiles   = read("list the files of the alert", "/api/alerts/{}/files", same("File.Read.All"))
	ListAlertIPs     = read("list the IP addresses of the alert", "/api/alerts/{}/ips", same("Ip.Read.All"))
	ListAlertDomains = read("list the domains of the alert", "/api/alerts/{}/domains", same("URL.Read.All"))
)

// Alerts lists alerts.
func (c *Client) Alerts(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListAlerts, q)
}

// Alert reads one alert.
func (c *Client) Alert(ctx context.Context, id string) (answer.Object, error) {
	return c.get(ctx, GetAlert, id)
}

// AlertUpdate is what can be changed of an alert; empty fields stay as they are.
type AlertUpdate struct {
	Status         string `json:"status,omitempty"`
	AssignedTo     string `json:"assignedTo,omitempty"`
	Classification string `json:"classification,omitempty"`
	Determination  string `json:"determination,omitempty"`
	Comment        string `json:"comment,omitempty"`
}

// UpdateAlert changes an alert and gives it as it is then.
func (c *Client) UpdateAlert(ctx context.Context, id string, update AlertUpdate) (answer.Object, error) {
	return c.post(ctx, UpdateAlert, update, id)
}

// NewAlert is an alert made from an event that advanced hunting found; the event is named by the machine,
// its time and its report id.
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

// CreateAlert makes an alert.
func (c *Client) CreateAlert(ctx context.Context, alert NewAlert) (answer.Object, error) {
	return c.post(ctx, CreateAlert, alert)
}

// AlertUser reads the user most related to an alert.
func (c *Client) AlertUser(ctx context.Context, id string) (answer.Object, error) {
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
