package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// The values that Microsoft Graph takes for incidents and their alerts.
var (
	incidentStatuses        = []string{"active", "inProgress", "resolved"}
	graphAlertStatuses      = []string{"new", "inProgress", "resolved"}
	graphClassifications    = []string{"unknown", "falsePositive", "truePositive", "informationalExpectedActivity"}
	graphDeterminationNames = []string{
		"unknown", "apt", "malware", "securityPersonnel", "securityTesting", "unwantedSoftware", "other", "multiStagedAttack", "compromisedAccount",
		"phishing", "maliciousUserActivity", "notMalicious", "notEnoughDataToValidate", "confirmedUserActivity", "lineOfBusinessApplication",
	}
)

// incidentPage is the largest page of incidents.
const incidentPage = 50

func (c *company) listIncidents(call *call) (reply, *apiError) {
	c.gatherIncidents()
	rows := []*xdrIncident{}
	for _, one := range c.incidents {
		if c.appeared(one.ID, call.now) {
			rows = append(rows, c.shown(one))
		}
	}
	return listPaged(c, call, rows, collection{
		name: "security/incidents", graph: true, maxTop: incidentPage,
		filterable: []string{"assignedTo", "classification", "createdDateTime", "determination", "lastUpdateDateTime", "severity", "status"},
	}, incidentPage)
}

func (c *company) getIncident(call *call, one *xdrIncident) (reply, *apiError) {
	if call.query.Get("$expand") == "alerts" {
		return reply{http.StatusOK, described{c.graphContext("security/incidents/$entity"), c.shown(one)}}, nil
	}
	return reply{http.StatusOK, described{c.graphContext("security/incidents/$entity"), c.shown(one).Collapsed()}}, nil
}

func (c *company) graphContext(set string) string { return c.base + "/v1.0/$metadata#" + set }

// choices checks the texts of a body that must be members of an enumeration.
func choices(body fields, allowed map[string][]string) (map[string]string, *apiError) {
	found := map[string]string{}
	for name, values := range allowed {
		var value *string
		if failure := body.read(name, &value); failure != nil {
			return nil, failure
		}
		if value == nil {
			continue
		}
		if !slices.Contains(values, *value) {
			return nil, badRequest("The value %q of %s is not one of %s.", *value, name, strings.Join(values, ", "))
		}
		found[name] = *value
	}
	return found, nil
}

func (c *company) updateIncident(call *call, one *xdrIncident, body fields) (reply, *apiError) {
	found, failure := choices(body, map[string][]string{"status": incidentStatuses, "classification": graphClassifications, "determination": graphDeterminationNames})
	if failure != nil {
		return reply{}, failure
	}
	if one.Status == "redirected" {
		return reply{}, badRequest("The incident was merged into incident %s and cannot be changed.", one.RedirectIncidentID)
	}
	tags := one.CustomTags
	if failure := body.read("customTags", &tags); failure != nil {
		return reply{}, failure
	}
	resolving := string(one.ResolvingComment)
	if failure := body.read("resolvingComment", &resolving); failure != nil {
		return reply{}, failure
	}
	assigned := string(one.AssignedTo)
	if failure := body.read("assignedTo", &assigned); failure != nil {
		return reply{}, failure
	}
	if string(body["assignedTo"]) == "null" {
		assigned = ""
	}
	for name, into := range map[string]*string{"status": &one.Status, "classification": &one.Classification, "determination": &one.Determination} {
		if value := found[name]; value != "" {
			*into = value
		}
	}
	one.CustomTags, one.ResolvingComment, one.AssignedTo = tags, optional(resolving), optional(assigned)
	one.LastModifiedBy, one.LastUpdateDateTime = optional(call.app.requestor()), at(call.now)
	c.changed(one.ID, call.now)
	return reply{http.StatusOK, described{c.graphContext("security/incidents/$entity"), c.shown(one).Collapsed()}}, nil
}

func (c *company) commentIncident(call *call, one *xdrIncident, body fields) (reply, *apiError) {
	text, failure := body.text("comment")
	if failure != nil {
		return reply{}, failure
	}
	one.Comments = append(one.Comments, incidentComment{text, call.app.requestor(), at(call.now)})
	one.LastModifiedBy, one.LastUpdateDateTime = optional(call.app.requestor()), at(call.now)
	c.changed(one.ID, call.now)
	return reply{http.StatusOK, record{{"@odata.context", c.graphContext("security/incidents('" + one.ID + "')/comments")}, {"value", one.Comments}}}, nil
}

func (c *company) getGraphAlert(_ *call, a *alert) (reply, *apiError) {
	return reply{http.StatusOK, described{c.graphContext("security/alerts_v2/$entity"), c.graphAlert(a)}}, nil
}

func (c *company) updateGraphAlert(call *call, a *alert, body fields) (reply, *apiError) {
	found, failure := choices(body, map[string][]string{"status": graphAlertStatuses, "classification": graphClassifications, "determination": graphDeterminationNames})
	if failure != nil {
		return reply{}, failure
	}
	var change alertChange
	if failure := body.read("assignedTo", &change.assignedTo); failure != nil {
		return reply{}, failure
	}
	for name, into := range map[string]**string{"status": &change.status, "classification": &change.classification, "determination": &change.determination} {
		if value := upperFirst(found[name]); value != "" {
			*into = &value
		}
	}
	a.apply(change, call.app.requestor(), call.now)
	c.changed(a.ID, call.now)
	return reply{http.StatusOK, described{c.graphContext("security/alerts_v2/$entity"), c.graphAlert(a)}}, nil
}

func (c *company) moveAlerts(call *call, body fields) (reply, *apiError) {
	var ids []string
	var target *string
	if failure := body.read("alertIds", &ids); failure != nil {
		return reply{}, failure
	}
	if failure := body.read("incidentId", &target); failure != nil {
		return reply{}, failure
	}
	if _, failure := body.text("alertComment"); failure != nil {
		return reply{}, failure
	}
	if len(ids) == 0 {
		return reply{}, badRequest("The property alertIds is required.")
	}
	var moved []*alert
	for _, id := range ids {
		a, failure := c.alertWith(id)
		if failure != nil {
			return reply{}, failure
		}
		moved = append(moved, a)
	}
	c.gatherIncidents()
	number := c.nextIncident + 1
	if target != nil {
		one, failure := c.incidentWith(*target)
		if failure != nil {
			return reply{}, failure
		}
		number = incidentNumber(one)
	} else {
		c.nextIncident = number
	}
	for _, a := range moved {
		a.IncidentID, a.LastUpdateTime = number, at(call.now)
	}
	one := c.incidentOf(number, moved[0])
	one.LastUpdateDateTime = at(call.now)
	return reply{http.StatusOK, record{{"@odata.context", c.graphContext("microsoft.graph.security.mergeResponse")}, {"targetIncidentId", one.ID}}}, nil
}

// mergeIncidents merges incidents into the oldest of them.
func (c *company) mergeIncidents(call *call, body fields) (reply, *apiError) {
	var ids []string
	if failure := body.read("incidentIds", &ids); failure != nil {
		return reply{}, failure
	}
	if _, failure := body.text("incidentComment"); failure != nil {
		return reply{}, failure
	}
	if len(ids) < 2 {
		return reply{}, badRequest("The property incidentIds must have two members or more.")
	}
	var found []*xdrIncident
	for _, id := range ids {
		one, failure := c.incidentWith(id)
		if failure != nil {
			return reply{}, failure
		}
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b *xdrIncident) int { return a.CreatedDateTime.Compare(b.CreatedDateTime.Time) })
	for _, one := range found[1:] {
		c.mergeInto(found[0], one, call.now)
	}
	return reply{http.StatusOK, record{{"@odata.context", c.graphContext("microsoft.graph.security.mergeResponse")}, {"targetIncidentId", found[0].ID}}}, nil
}
