package simulator

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

var alertCollection = collection{
	name: "Alerts",
	filterable: []string{
		"alertCreationTime", "lastUpdateTime", "incidentId", "investigationId", "id", "assignedTo", "detectionSource",
		"lastEventTime", "status", "severity", "category",
	},
}

// described is a single resource with its @odata.context before its own properties.
type described struct {
	context  string
	resource any
}

func (d described) MarshalJSON() ([]byte, error) {
	head, err := record{{"@odata.context", d.context}}.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d.resource); err != nil {
		return nil, err
	}
	head[len(head)-1] = ','
	return append(head, bytes.TrimSpace(body.Bytes())[1:]...), nil
}

// single is the answer that consists of one resource.
func (c *company) single(set string, resource any) any {
	return described{c.context(set + "/$entity"), resource}
}

// listAlerts returns the newest alerts first.
func (c *company) listAlerts(call *call) (reply, *apiError) {
	return list(c, call, where(c.alerts, func(a *alert) bool { return c.appeared(a.ID, call.now) }), alertCollection)
}

// alertsWhere lists the alerts that fulfil the condition.
func (c *company) alertsWhere(call *call, condition func(*alert) bool) (reply, *apiError) {
	return list(c, call, where(c.alerts, condition), alertCollection)
}

// getAlert shows its evidence without being asked to, as Microsoft's sample does.
func (c *company) getAlert(_ *call, a *alert) (reply, *apiError) {
	return reply{http.StatusOK, c.single("Alerts", a)}, nil
}

// alertChange holds the properties that an update sets; those that are nil stay.
type alertChange struct {
	status, assignedTo, classification, determination, comment *string
}

// The values that an update takes. Microsoft's pages name two determinations in two ways each; both are taken.
var (
	alertStatuses   = []string{"New", "InProgress", "Resolved"}
	classifications = []string{"TruePositive", "InformationalExpectedActivity", "FalsePositive"}
	determinations  = []string{
		"MultiStagedAttack", "MaliciousUserActivity", "CompromisedUser", "Malware", "Phishing", "UnwantedSoftware",
		"SecurityTesting", "LineOfBusinessApplication", "ConfirmedActivity", "ConfirmedUserActivity", "NotMalicious",
		"Clean", "InsufficientData", "Other",
	}
)

func readAlertChange(body fields) (alertChange, *apiError) {
	var change alertChange
	given := false
	for _, p := range []struct {
		name    string
		into    **string
		allowed []string
	}{
		{"status", &change.status, alertStatuses},
		{"assignedTo", &change.assignedTo, nil},
		{"classification", &change.classification, classifications},
		{"determination", &change.determination, determinations},
		{"comment", &change.comment, nil},
	} {
		if failure := body.read(p.name, p.into); failure != nil {
			return change, failure
		}
		value := *p.into
		if value == nil {
			continue
		}
		given = true
		if p.allowed != nil && !slices.Contains(p.allowed, *value) {
			return change, invalid("The value %q of %s is not one of %s.", *value, p.name, strings.Join(p.allowed, ", "))
		}
	}
	if !given {
		return change, invalidBody("The request changes nothing: give status, assignedTo, classification, determination or comment.")
	}
	return change, nil
}

func (a *alert) apply(change alertChange, by string, now time.Time) {
	if change.status != nil {
		a.Status, a.ResolvedTime = *change.status, moment{}
		if a.Status == "Resolved" {
			a.ResolvedTime = at(now)
		}
	}
	for _, p := range []struct {
		value *string
		into  *optional
	}{{change.assignedTo, &a.AssignedTo}, {change.classification, &a.Classification}, {change.determination, &a.Determination}} {
		if p.value != nil {
			*p.into = optional(*p.value)
		}
	}
	if change.comment != nil && *change.comment != "" {
		a.Comments = append(a.Comments, alertComment{*change.comment, by, at(now)})
	}
	a.LastUpdateTime = at(now)
}

func (c *company) updateAlert(call *call, a *alert, body fields) (reply, *apiError) {
	change, failure := readAlertChange(body)
	if failure != nil {
		return reply{}, failure
	}
	a.apply(change, call.app.requestor(), call.now)
	c.changed(a.ID, call.now)
	return reply{http.StatusOK, c.single("Alerts", a)}, nil
}

// updateAlerts changes several alerts in the same way; it answers without a body.
func (c *company) updateAlerts(call *call, body fields) (reply, *apiError) {
	var ids []string
	if failure := body.read("alertIds", &ids); failure != nil {
		return reply{}, failure
	}
	if len(ids) == 0 {
		return reply{}, missing("alertIds")
	}
	change, failure := readAlertChange(body)
	if failure != nil {
		return reply{}, failure
	}
	alerts := make([]*alert, len(ids))
	for i, id := range ids {
		if alerts[i], failure = c.alertWith(id); failure != nil {
			return reply{}, failure
		}
	}
	for _, a := range alerts {
		a.apply(change, call.app.requestor(), call.now)
	}
	return reply{status: http.StatusOK}, nil
}

// alertCategories are those that CreateAlertByReference takes.
var alertCategories = []string{
	"General", "CommandAndControl", "Collection", "CredentialAccess", "DefenseEvasion", "Discovery", "Exfiltration",
	"Exploit", "Execution", "InitialAccess", "LateralMovement", "Malware", "Persistence", "PrivilegeEscalation",
	"Ransomware", "SuspiciousActivity",
}

// createAlert raises an alert from an event that a hunting query found. One with the same title on the same machine
// that is still open takes it up instead.
func (c *company) createAlert(call *call, body fields) (reply, *apiError) {
	var failure *apiError
	texts := map[string]string{}
	for _, name := range []string{"machineId", "title", "description", "recommendedAction", "eventTime", "reportId"} {
		if texts[name], failure = body.text(name); failure != nil {
			return reply{}, failure
		}
	}
	severity, failure := body.choice("severity", "", "Low", "Medium", "High")
	if failure != nil {
		return reply{}, failure
	}
	category, failure := body.choice("category", "", alertCategories...)
	if failure != nil {
		return reply{}, failure
	}
	when, failure := readEventTime(texts["eventTime"])
	if failure != nil {
		return reply{}, failure
	}
	m, failure := c.machineNamed(texts["machineId"])
	if failure != nil {
		return reply{}, failure
	}
	if !c.hasEvent(m.ID, texts["reportId"], when) {
		return reply{}, notFound("Event", texts["reportId"]+" of "+texts["eventTime"]+" on machine "+m.ID)
	}
	a := c.openAlert(m, texts["title"])
	if a == nil {
		a = c.raiseOn(m, scenario{
			title: texts["title"], description: texts["description"], severity: severity, category: category,
			source: "CustomerTI", techniques: []string{}, evidence: []entity{theUser},
		}, call.now)
		a.FirstEventTime = at(when)
	}
	a.LastEventTime, a.LastUpdateTime = at(when), at(call.now)
	return reply{http.StatusOK, c.single("Alerts", a)}, nil
}

// readEventTime reads a time with or without its zone; without one it is UTC.
func readEventTime(text string) (time.Time, *apiError) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if when, err := time.Parse(layout, text); err == nil {
			return when.UTC(), nil
		}
	}
	return time.Time{}, invalid("The eventTime %q is not a date and time.", text)
}

func (c *company) openAlert(m *machine, title string) *alert {
	for _, a := range c.alerts {
		if a.MachineID == m.ID && a.Title == title && a.Status != "Resolved" {
			return a
		}
	}
	return nil
}

func (c *company) listAlertFiles(call *call, a *alert) (reply, *apiError) {
	return list(c, call, where(c.files, func(f *file) bool { return a.mentions(f) }), collection{name: "Files"})
}

// mentions reports whether the file is in the evidence.
func (a *alert) mentions(f *file) bool {
	return slices.ContainsFunc(a.Evidence, func(e evidence) bool { return string(e.SHA1) == f.SHA1 })
}

func (c *company) listAlertDomains(call *call, a *alert) (reply, *apiError) {
	return listEvidence(c, call, a, "Domains", func(e evidence) string { return e.host() }, func(host string) domainName { return domainName{host} })
}

func (c *company) listAlertIPs(call *call, a *alert) (reply, *apiError) {
	return listEvidence(c, call, a, "Ips", func(e evidence) string { return string(e.IPAddress) }, func(ip string) remoteAddress { return remoteAddress{ip} })
}

// listEvidence lists a detail of an alert's evidence, each one once.
func listEvidence[T any](c *company, call *call, a *alert, set string, detail func(evidence) string, resource func(string) T) (reply, *apiError) {
	var seen []string
	var rows []T
	for _, e := range a.Evidence {
		if value := detail(e); value != "" && !slices.Contains(seen, value) {
			seen, rows = append(seen, value), append(rows, resource(value))
		}
	}
	return list(c, call, rows, collection{name: set})
}

func (c *company) getAlertMachine(_ *call, a *alert) (reply, *apiError) {
	m, failure := c.machineNamed(a.MachineID)
	if failure != nil {
		return reply{}, failure
	}
	return reply{http.StatusOK, c.single("Machines", m)}, nil
}

func (c *company) getAlertUser(_ *call, a *alert) (reply, *apiError) {
	if u := c.userNamed(a.RelatedUser.UserName); u != nil {
		return reply{http.StatusOK, c.single("Users", u)}, nil
	}
	return reply{}, notFound("User", "of alert "+a.ID)
}
