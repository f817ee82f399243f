package simulator

import (
	"strconv"
	"time"
)

// Change holds an analyst's changes in the portal; empty fields change nothing. Values are those of the Defender for
// Endpoint API, for incidents too, such as InProgress.
type Change struct {
	Status, AssignedTo, Classification, Determination, Comment string
	// Tags replaces the tags of an incident if it is not nil.
	Tags []string
	// By is who changes it; the security team if it is empty.
	By string
}

// State is the state of an alert or an incident as a test sees it.
type State struct {
	Status, AssignedTo, Classification, Determination string
	Tags, Comments                                    []string
	MergedInto                                        string
	// Updated is the time of the last update.
	Updated time.Time
}

func (change Change) by() string {
	if change.By == "" {
		return "soc@" + domain
	}
	return change.By
}

// SetLateness lets lists leave out what changes from now on for some time after each change, as the service does now and
// then. What is read by its ID is always up to date.
func (t *Tenant) SetLateness(lateness time.Duration) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lateness = lateness
}

// ChangeAlert changes an alert as an analyst would in the portal. It reports whether there is such an alert.
func (t *Tenant) ChangeAlert(id string, change Change) bool {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	a, failure := c.alertWith(id)
	if failure != nil {
		return false
	}
	given := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	now := c.now()
	a.apply(alertChange{given(change.Status), given(change.AssignedTo), given(change.Classification), given(change.Determination), given(change.Comment)}, change.by(), now)
	c.changed(id, now)
	return true
}

// AlertState returns an alert as it is now; the zero State if it does not exist.
func (t *Tenant) AlertState(id string) State {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	a, failure := c.alertWith(id)
	if failure != nil {
		return State{}
	}
	state := State{Status: a.Status, AssignedTo: string(a.AssignedTo), Classification: string(a.Classification), Determination: string(a.Determination), Updated: a.LastUpdateTime.Time}
	for _, comment := range a.Comments {
		state.Comments = append(state.Comments, comment.Comment)
	}
	return state
}

// RemoveAlert removes an alert, as the service does after 180 days.
func (t *Tenant) RemoveAlert(id string) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alerts = where(c.alerts, func(a *alert) bool { return a.ID != id })
}

// OpenIncidents opens n incidents with one alert of a severity each, at from, from+every and so on, and returns their ids.
func (t *Tenant) OpenIncidents(n int, severity string, from time.Time, every time.Duration) []string {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]string, n)
	for i := range n {
		c.nextIncident++
		a := c.raise(from.Add(time.Duration(i)*every), i)
		a.IncidentID, a.Severity, a.LastUpdateTime = c.nextIncident, severity, a.AlertCreationTime
		ids[i] = strconv.FormatInt(c.nextIncident, 10)
		c.changed(ids[i], a.AlertCreationTime.Time)
	}
	c.gatherIncidents()
	return ids
}

// JoinIncident raises an alert of a severity that joins an incident now, and returns its id.
func (t *Tenant) JoinIncident(id, severity string) string {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	one, failure := c.incidentWith(id)
	if failure != nil {
		return ""
	}
	now := c.now()
	a := c.raise(now, len(c.alerts))
	a.IncidentID, a.Severity, a.LastUpdateTime = incidentNumber(one), severity, at(now)
	one.LastUpdateDateTime = at(now)
	c.changed(id, now)
	return a.ID
}

// incidentNumber is the id of an incident, which is always a number.
func incidentNumber(one *xdrIncident) int64 {
	number, err := strconv.ParseInt(one.ID, 10, 64)
	if err != nil {
		panic(err) // they are counted
	}
	return number
}

// ChangeIncident changes an incident as an analyst would in the portal. It reports whether there is such an incident.
func (t *Tenant) ChangeIncident(id string, change Change) bool {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	one, failure := c.incidentWith(id)
	if failure != nil {
		return false
	}
	now := c.now()
	status := lowerFirst(change.Status)
	if status == "new" {
		status = "active"
	}
	assigned := string(one.AssignedTo)
	for value, into := range map[*string]*string{
		&status: &one.Status, &change.AssignedTo: &assigned, new(lowerFirst(change.Classification)): &one.Classification, new(lowerFirst(change.Determination)): &one.Determination,
	} {
		if *value != "" {
			*into = *value
		}
	}
	one.AssignedTo = optional(assigned)
	if change.Tags != nil {
		one.CustomTags = change.Tags
	}
	if change.Comment != "" {
		one.Comments = append(one.Comments, incidentComment{change.Comment, change.by(), at(now)})
	}
	one.LastModifiedBy, one.LastUpdateDateTime = optional(change.by()), at(now)
	c.changed(id, now)
	return true
}

// MergeIncident merges an incident into another one, as the service does when it finds that they belong together.
func (t *Tenant) MergeIncident(id, into string) {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	one, failure := c.incidentWith(id)
	target, other := c.incidentWith(into)
	if failure == nil && other == nil {
		c.mergeInto(target, one, c.now())
		c.changed(id, c.now())
	}
}

// IncidentState returns an incident as it is now; the zero State if it does not exist.
func (t *Tenant) IncidentState(id string) State {
	c := t.company
	c.mu.Lock()
	defer c.mu.Unlock()
	one, failure := c.incidentWith(id)
	if failure != nil {
		return State{}
	}
	state := State{
		Status: upperFirst(one.Status), AssignedTo: string(one.AssignedTo), Classification: upperFirst(one.Classification),
		Determination: upperFirst(one.Determination), Tags: one.CustomTags, MergedInto: string(one.RedirectIncidentID), Updated: one.LastUpdateDateTime.Time,
	}
	if state.Status == "Active" {
		state.Status = "New"
	}
	for _, comment := range one.Comments {
		state.Comments = append(state.Comments, comment.Comment)
	}
	return state
}
