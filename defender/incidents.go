package defender

import (
	"context"
	"net/http"
	"slices"

	"xsoar-defender/internal/rawjson"
)

// The permissions of Microsoft Graph for incidents and alerts of Defender XDR. An application's and a user's have the same
// names; a user also needs the Entra role Security Operator or Security Administrator to change anything
// (https://learn.microsoft.com/graph/api/security-incident-update).
var (
	mayReadIncidents    = []string{"SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"}
	mayWriteIncidents   = []string{"SecurityIncident.ReadWrite.All"}
	mayReadGraphAlerts  = []string{"SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All"}
	mayWriteGraphAlerts = []string{"SecurityAlert.ReadWrite.All"}
	mayManageSecurity   = []string{"SecurityData.Manage.All"}
)

// graphAlertRate is documented for alerts; Microsoft names no figure for incidents.
// See https://learn.microsoft.com/graph/throttling-limits.
var graphAlertRate = Rate{PerMinute: 150}

// preferUnknownMembers is the value of the header Prefer with which Microsoft Graph names the members of its enumerations
// that are newer than its version 1.0, such as awaitingAction, instead of unknownFutureValue.
const preferUnknownMembers = "include-unknown-enum-members"

// The operations on incidents and alerts of Defender XDR, which Microsoft Graph serves in its version 1.0.
var (
	// ListIncidents takes pages of 50, which is the most that other clients are known to get; Microsoft names no figure.
	ListIncidents = Operation{
		Purpose: "list Defender XDR incidents", Method: http.MethodGet, Path: "/v1.0/security/incidents", Docs: "/graph/api/security-list-incidents",
		Application: mayReadIncidents, Delegated: mayReadIncidents, LargestPage: 50, Graph: true,
	}
	GetIncident = Operation{
		Purpose: "read the Defender XDR incident", Method: http.MethodGet, Path: "/v1.0/security/incidents/{}", Docs: "/graph/api/security-incident-get",
		Application: mayReadIncidents, Delegated: mayReadIncidents, Graph: true,
	}
	UpdateIncident = Operation{
		Purpose: "update the Defender XDR incident", Method: http.MethodPatch, Path: "/v1.0/security/incidents/{}", Docs: "/graph/api/security-incident-update",
		Application: mayWriteIncidents, Delegated: mayWriteIncidents, Graph: true,
	}
	AddIncidentComment = Operation{
		Purpose: "comment on the Defender XDR incident", Method: http.MethodPost, Path: "/v1.0/security/incidents/{}/comments", Docs: "/graph/api/security-incident-post-comments",
		Application: mayWriteIncidents, Delegated: mayWriteIncidents, Graph: true,
	}
	GetGraphAlert = Operation{
		Purpose: "read the alert through Microsoft Graph", Method: http.MethodGet, Path: "/v1.0/security/alerts_v2/{}", Docs: "/graph/api/security-alert-get",
		Application: mayReadGraphAlerts, Delegated: mayReadGraphAlerts, Rate: graphAlertRate, Graph: true,
	}
	UpdateGraphAlert = Operation{
		Purpose: "update the alert through Microsoft Graph", Method: http.MethodPatch, Path: "/v1.0/security/alerts_v2/{}", Docs: "/graph/api/security-alert-update",
		Application: mayWriteGraphAlerts, Delegated: mayWriteGraphAlerts, Rate: graphAlertRate, Graph: true,
	}
	MoveGraphAlerts = Operation{
		Purpose: "move alerts to another Defender XDR incident", Method: http.MethodPost, Path: "/v1.0/security/alerts_v2/moveAlerts", Docs: "/graph/api/security-alert-movealerts",
		Application: mayManageSecurity, Delegated: mayManageSecurity, Rate: graphAlertRate, Graph: true,
	}
	MergeIncidents = Operation{
		Purpose: "merge Defender XDR incidents", Method: http.MethodPost, Path: "/v1.0/security/incidents/mergeIncidents", Docs: "/graph/api/security-incident-mergeincidents",
		Application: mayManageSecurity, Delegated: mayManageSecurity, Graph: true,
	}
)

// IncidentAlerts is the value of Query.Expand that adds the alerts to every incident.
const IncidentAlerts = "alerts"

// Incidents lists incidents of Defender XDR. Microsoft Graph filters them by assignedTo, classification, createdDateTime,
// determination, lastUpdateDateTime, severity and status. Each incident is in the list once, although a page may begin with
// those that ended the page before: the list moves when an incident changes while it is read, and it has no order among
// incidents of the same time.
func (c *Client) Incidents(ctx context.Context, q Query) (List, error) {
	found, err := c.list(ctx, ListIncidents, q)
	if err != nil || found.Whole != "" {
		return found, err
	}
	known := map[string]bool{}
	found.Items = slices.DeleteFunc(found.Items, func(incident rawjson.Value) bool {
		id := incident.Text("id")
		repeated := known[id] && id != ""
		known[id] = true
		found.Repeated = found.Repeated || repeated
		return repeated
	})
	return found, nil
}

// Incident reads one incident with its alerts.
func (c *Client) Incident(ctx context.Context, id string) (rawjson.Value, error) {
	return c.object(ctx, request{operation: GetIncident, args: []string{id}, query: Query{Expand: IncidentAlerts}})
}

// IncidentUpdate holds the changes to an incident; empty fields stay as they are. Values are spelled as Microsoft Graph
// does, such as inProgress.
type IncidentUpdate struct {
	Status         string
	Classification string
	Determination  string
	// AssignedTo is the new assignee; a pointer to the empty text leaves the incident without one.
	AssignedTo *string
	// CustomTags replaces all tags if it is not nil.
	CustomTags []string
	// ResolvingComment explains why the incident is resolved.
	ResolvingComment string
}

// Empty reports whether nothing would change.
func (u IncidentUpdate) Empty() bool {
	return u.Status == "" && u.Classification == "" && u.Determination == "" && u.AssignedTo == nil && u.CustomTags == nil && u.ResolvingComment == ""
}

// body returns the update as it is sent.
func (u IncidentUpdate) body() map[string]any {
	body := map[string]any{}
	for name, value := range map[string]string{
		"status": u.Status, "classification": u.Classification, "determination": u.Determination, "resolvingComment": u.ResolvingComment,
	} {
		if value != "" {
			body[name] = value
		}
	}
	switch {
	case u.AssignedTo == nil:
	case *u.AssignedTo == "":
		body["assignedTo"] = nil
	default:
		body["assignedTo"] = *u.AssignedTo
	}
	if u.CustomTags != nil {
		body["customTags"] = u.CustomTags
	}
	return body
}

// UpdateIncident changes an incident and returns the changed incident, without its alerts.
func (c *Client) UpdateIncident(ctx context.Context, id string, update IncidentUpdate) (rawjson.Value, error) {
	return c.change(ctx, UpdateIncident, "id", update.body(), id)
}

// comment is a comment as Microsoft Graph takes it.
func comment(text string) map[string]string {
	return map[string]string{"@odata.type": "microsoft.graph.security.alertComment", "comment": text}
}

// CommentIncident adds a comment to an incident and returns all of its comments.
func (c *Client) CommentIncident(ctx context.Context, id, text string) ([]rawjson.Value, error) {
	whole, err := c.change(ctx, AddIncidentComment, "value", comment(text), id)
	return whole.Items("value"), err
}

// GraphAlert reads an alert of any product of Defender XDR, with its evidence.
func (c *Client) GraphAlert(ctx context.Context, id string) (rawjson.Value, error) {
	return c.get(ctx, GetGraphAlert, id)
}

// UpdateGraphAlert changes an alert of any product and returns the changed alert. Values are spelled as Microsoft Graph
// does; an alert's status is new, inProgress or resolved.
func (c *Client) UpdateGraphAlert(ctx context.Context, id string, update IncidentUpdate) (rawjson.Value, error) {
	return c.change(ctx, UpdateGraphAlert, "id", update.body(), id)
}

// MoveAlerts moves alerts to an incident, or to a new one if incident is empty. It returns the answer, whose
// targetIncidentId names the incident. Reasons are members of Microsoft's correlationReason, or empty.
func (c *Client) MoveAlerts(ctx context.Context, alerts []string, incident, reason, reasons string) (rawjson.Value, error) {
	body := map[string]any{"alertIds": alerts, "incidentId": nil, "alertComment": reason}
	if incident != "" {
		body["incidentId"] = incident
	}
	if reasons != "" {
		body["newCorrelationReasons"] = reasons
	}
	return c.change(ctx, MoveGraphAlerts, "targetIncidentId", body)
}

// MergeIncidents merges incidents into one, which cannot be undone. It returns the answer, whose targetIncidentId names
// the incident that is left. Reasons are members of Microsoft's incidentMergeReason, or empty.
func (c *Client) MergeIncidents(ctx context.Context, incidents []string, reason, reasons string) (rawjson.Value, error) {
	body := map[string]any{"incidentIds": incidents, "incidentComment": reason}
	if reasons != "" {
		body["mergeReasons"] = reasons
	}
	return c.change(ctx, MergeIncidents, "targetIncidentId", body)
}
