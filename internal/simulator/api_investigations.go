package simulator

import (
	"net/http"
	"slices"
	"time"
)

var investigationCollection = collection{
	name:       "Investigations",
	filterable: []string{"startTime", "id", "state", "machineId", "triggeringAlertId"},
}

// listInvestigations returns the newest ones first.
func (c *company) listInvestigations(call *call) (reply, *apiError) {
	return list(c, call, c.investigations, investigationCollection)
}

// getInvestigation takes the id of the investigation or of the alert that it started from.
func (c *company) getInvestigation(call *call) (reply, *apiError) {
	id := call.arguments["id"]
	i := slices.IndexFunc(c.investigations, func(i *investigation) bool {
		return i.ID == id || i.TriggeringAlertID != "" && string(i.TriggeringAlertID) == id
	})
	if i < 0 {
		return reply{}, notFound("Investigation", id)
	}
	return reply{http.StatusOK, c.single("Investigations", c.investigations[i])}, nil
}

// investigationsEnd is when Microsoft ended that investigations can be started by hand.
func investigationsEnd() time.Time { return time.Date(2026, time.September, 1, 0, 0, 0, 0, time.UTC) }

// investigationTime is how long an investigation takes here.
const investigationTime = 10 * time.Minute

// startInvestigation is refused once it has been retired. Microsoft documents the date
// (https://learn.microsoft.com/defender-endpoint/api/initiate-autoir-investigation), not the answer: what the
// service says of features that are off is taken for it.
func (c *company) startInvestigation(call *call) (reply, *apiError) {
	if !call.now.Before(investigationsEnd()) {
		return reply{}, &apiError{http.StatusForbidden, "DisabledFeature", "Starting an automated investigation manually has been retired. Run a full antivirus scan instead."}
	}
	m, failure := c.machineNamed(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	body, failure := call.fields()
	if failure != nil {
		return reply{}, failure
	}
	if _, failure := body.text("Comment"); failure != nil {
		return reply{}, failure
	}
	for _, i := range c.investigations {
		if i.MachineID == m.ID && !i.ends.IsZero() && i.State == "Running" {
			return reply{}, badRequest("Action is already in progress: investigation %s on machine %s since %s.", i.ID, m.ID, i.StartTime.Format(time.RFC3339))
		}
	}
	i := c.newInvestigation(m, call.now)
	i.ends = call.now.Add(investigationTime)
	return reply{http.StatusCreated, c.single("Investigations", i)}, nil
}
