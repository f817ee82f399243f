package simulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// xdrIncident is an incident of Defender XDR, as Microsoft Graph shows it:
// https://learn.microsoft.com/en-us/graph/api/resources/security-incident
type xdrIncident struct {
	ID                 string            `json:"id"`
	TenantID           string            `json:"tenantId"`
	Status             string            `json:"status"`
	IncidentWebURL     string            `json:"incidentWebUrl"`
	RedirectIncidentID optional          `json:"redirectIncidentId"`
	DisplayName        string            `json:"displayName"`
	CreatedDateTime    moment            `json:"createdDateTime"`
	LastUpdateDateTime moment            `json:"lastUpdateDateTime"`
	AssignedTo         optional          `json:"assignedTo"`
	Classification     string            `json:"classification"`
	Determination      string            `json:"determination"`
	Severity           string            `json:"severity"`
	CustomTags         []string          `json:"customTags"`
	SystemTags         []string          `json:"systemTags"`
	Description        string            `json:"description"`
	Summary            optional          `json:"summary"`
	LastModifiedBy     optional          `json:"lastModifiedBy"`
	ResolvingComment   optional          `json:"resolvingComment"`
	Comments           []incidentComment `json:"comments"`
	Alerts             []graphAlert      `json:"alerts"`

	members []*alert
}

func (*xdrIncident) Expansion() string { return "alerts" }

// Collapsed is the incident as a list shows it, which has no alerts unless they are asked for.
func (i *xdrIncident) Collapsed() any {
	type bare xdrIncident
	return struct {
		bare

		Alerts *struct{} `json:"alerts,omitempty"`
	}{bare: bare(*i)}
}

type incidentComment struct {
	Comment              string `json:"comment"`
	CreatedByDisplayName string `json:"createdByDisplayName"`
	CreatedDateTime      moment `json:"createdDateTime"`
}

// graphAlert is an alert as Microsoft Graph shows it: https://learn.microsoft.com/en-us/graph/api/resources/security-alert
type graphAlert struct {
	ID                    string            `json:"id"`
	ProviderAlertID       string            `json:"providerAlertId"`
	IncidentID            string            `json:"incidentId"`
	Status                string            `json:"status"`
	Severity              string            `json:"severity"`
	Classification        string            `json:"classification"`
	Determination         string            `json:"determination"`
	ServiceSource         string            `json:"serviceSource"`
	DetectionSource       string            `json:"detectionSource"`
	ProductName           string            `json:"productName"`
	TenantID              string            `json:"tenantId"`
	Title                 string            `json:"title"`
	Description           string            `json:"description"`
	RecommendedActions    string            `json:"recommendedActions"`
	Category              string            `json:"category"`
	AssignedTo            optional          `json:"assignedTo"`
	AlertWebURL           string            `json:"alertWebUrl"`
	ActorDisplayName      optional          `json:"actorDisplayName"`
	ThreatDisplayName     optional          `json:"threatDisplayName"`
	ThreatFamilyName      optional          `json:"threatFamilyName"`
	InvestigationState    string            `json:"investigationState"`
	MITRETechniques       []string          `json:"mitreTechniques"`
	CreatedDateTime       moment            `json:"createdDateTime"`
	LastUpdateDateTime    moment            `json:"lastUpdateDateTime"`
	ResolvedDateTime      moment            `json:"resolvedDateTime"`
	FirstActivityDateTime moment            `json:"firstActivityDateTime"`
	LastActivityDateTime  moment            `json:"lastActivityDateTime"`
	Comments              []incidentComment `json:"comments"`
	Evidence              []record          `json:"evidence"`
}

// incidentOf finds the incident of a number, or opens it with its first alert.
func (c *company) incidentOf(number int64, first *alert) *xdrIncident {
	id := strconv.FormatInt(number, 10)
	if known := c.incidentIndex[id]; known != nil {
		return known
	}
	opened := &xdrIncident{
		ID: id, TenantID: c.tenantID, Status: "active", IncidentWebURL: "https://security.microsoft.com/incidents/" + id + "?tid=" + c.tenantID,
		DisplayName: first.Title + " on one endpoint", CreatedDateTime: first.AlertCreationTime, LastUpdateDateTime: first.AlertCreationTime,
		Classification: "unknown", Determination: "unknown", CustomTags: []string{}, SystemTags: []string{},
		Description: first.Description, Comments: []incidentComment{},
	}
	if c.incidentIndex == nil {
		c.incidentIndex = map[string]*xdrIncident{}
	}
	c.incidents, c.incidentIndex[id] = append(c.incidents, opened), opened
	return opened
}

// gatherIncidents puts every alert in its incident. An alert that joins, or changes, is a change of the incident.
func (c *company) gatherIncidents() {
	for _, one := range c.incidents {
		one.members = one.members[:0]
	}
	for _, a := range slices.Backward(c.alerts) {
		one := c.incidentOf(a.IncidentID, a)
		one.members = append(one.members, a)
		if a.LastUpdateTime.After(one.LastUpdateDateTime.Time) {
			one.LastUpdateDateTime = a.LastUpdateTime
		}
	}
	for _, one := range c.incidents {
		one.Severity = "unknown"
		scale := []string{"unknown", "informational", "low", "medium", "high"}
		for _, a := range one.members {
			if severity := strings.ToLower(a.Severity); slices.Index(scale, severity) > slices.Index(scale, one.Severity) {
				one.Severity = severity
			}
		}
	}
	slices.SortStableFunc(c.incidents, func(a, b *xdrIncident) int {
		return cmp.Or(b.LastUpdateDateTime.Compare(a.LastUpdateDateTime.Time), cmp.Compare(b.ID, a.ID))
	})
}

// shown is an incident with its alerts as they are now.
func (c *company) shown(one *xdrIncident) *xdrIncident {
	whole := *one
	whole.Alerts = []graphAlert{}
	for _, a := range one.members {
		whole.Alerts = append(whole.Alerts, c.graphAlert(a))
	}
	return &whole
}

// graphAlert is an alert as Microsoft Graph shows it.
func (c *company) graphAlert(a *alert) graphAlert {
	shown := graphAlert{
		ID: a.ID, ProviderAlertID: a.ID, IncidentID: strconv.FormatInt(a.IncidentID, 10), Status: lowerFirst(a.Status), Severity: lowerFirst(a.Severity),
		Classification: cmp.Or(lowerFirst(string(a.Classification)), "unknown"), Determination: cmp.Or(lowerFirst(string(a.Determination)), "unknown"),
		ServiceSource: "microsoftDefenderForEndpoint", DetectionSource: lowerFirst(a.DetectionSource), ProductName: "Microsoft Defender for Endpoint",
		TenantID: a.AADTenantID, Title: a.Title, Description: a.Description, RecommendedActions: "Look at the process tree of the machine.",
		Category: a.Category, AssignedTo: a.AssignedTo, AlertWebURL: "https://security.microsoft.com/alerts/" + a.ID + "?tid=" + c.tenantID,
		ThreatDisplayName: a.ThreatName, ThreatFamilyName: a.ThreatFamilyName, InvestigationState: lowerFirst(a.InvestigationState),
		MITRETechniques: a.MITRETechniques, CreatedDateTime: a.AlertCreationTime, LastUpdateDateTime: a.LastUpdateTime,
		ResolvedDateTime: a.ResolvedTime, FirstActivityDateTime: a.FirstEventTime, LastActivityDateTime: a.LastEventTime,
		Comments: []incidentComment{}, Evidence: []record{},
	}
	if a.DetectionSource == "OfficeATP" {
		shown.ServiceSource, shown.ProductName = "microsoftDefenderForOffice365", "Microsoft Defender for Office 365"
	}
	for _, comment := range a.Comments {
		shown.Comments = append(shown.Comments, incidentComment{comment.Comment, comment.CreatedBy, comment.CreatedTime})
	}
	if m, failure := c.machineNamed(a.MachineID); failure == nil {
		shown.Evidence = append(shown.Evidence, graphEvidence("device", a.AlertCreationTime, record{
			{"mdeDeviceId", m.ID},
			{"azureAdDeviceId", m.AADDeviceID},
			{"deviceDnsName", m.ComputerDNSName},
			{"osPlatform", m.OSPlatform},
			{"healthStatus", lowerFirst(m.HealthStatus)},
			{"riskScore", lowerFirst(m.RiskScore)},
			{"onboardingStatus", "onboarded"},
		}...))
	}
	for _, e := range a.Evidence {
		if piece := graphEvidenceOf(e); piece != nil {
			shown.Evidence = append(shown.Evidence, piece)
		}
	}
	return shown
}

func graphEvidence(kind string, seen moment, properties ...property) record {
	return append(record{
		{"@odata.type", "#microsoft.graph.security." + kind + "Evidence"},
		{"createdDateTime", seen},
		{"verdict", "suspicious"},
		{"remediationStatus", "none"},
		{"remediationStatusDetails", nil},
		{"roles", []string{}},
		{"tags", []string{}},
	}, properties...)
}

// graphEvidenceOf is a piece of evidence as Microsoft Graph shows it; nil for a kind that it does not have.
func graphEvidenceOf(e evidence) record {
	file := record{{"sha1", e.SHA1}, {"sha256", e.SHA256}, {"fileName", e.FileName}, {"filePath", e.FilePath}}
	account := record{{"accountName", e.AccountName}, {"domainName", e.DomainName}, {"userSid", e.UserSID}, {"azureAdUserId", e.AADUserID}, {"userPrincipalName", e.UserPrincipalName}}
	switch e.EntityType {
	case "User":
		return graphEvidence("user", e.EvidenceCreationTime, property{"userAccount", account})
	case "File":
		return graphEvidence("file", e.EvidenceCreationTime, property{"fileDetails", file})
	case "Process":
		return graphEvidence("process", e.EvidenceCreationTime, property{"processId", e.ProcessID}, property{"processCommandLine", e.ProcessCommandLine},
			property{"imageFile", file}, property{"userAccount", account})
	case "Ip":
		return graphEvidence("ip", e.EvidenceCreationTime, property{"ipAddress", e.IPAddress})
	case "Url":
		return graphEvidence("url", e.EvidenceCreationTime, property{"url", e.URL})
	case "Registry":
		return graphEvidence("registryValue", e.EvidenceCreationTime, property{"registryHive", e.RegistryHive}, property{"registryKey", e.RegistryKey},
			property{"registryValue", e.RegistryValue})
	}
	return nil
}

// lowerFirst turns a value of the Defender for Endpoint API into that of Microsoft Graph.
func lowerFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func (c *company) incidentWith(id string) (*xdrIncident, *apiError) {
	c.gatherIncidents()
	if one := c.incidentIndex[id]; one != nil {
		return one, nil
	}
	return nil, notFound("Incident", id)
}

// appeared reports whether the last change of something is visible in lists: the service takes a while to show some.
func (c *company) appeared(id string, now time.Time) bool { return !c.late[id].After(now) }

// changed takes note of a change that lists show only after the time that SetLateness names.
func (c *company) changed(id string, now time.Time) {
	if c.lateness == 0 {
		return
	}
	if c.late == nil {
		c.late = map[string]time.Time{}
	}
	c.late[id] = now.Add(c.lateness)
}

// mergeInto leaves of an incident only that it was merged into another one.
func (c *company) mergeInto(target, one *xdrIncident, now time.Time) {
	for _, a := range one.members {
		a.IncidentID = incidentNumber(target)
	}
	one.members = nil
	one.Status, one.RedirectIncidentID = "redirected", optional(target.ID)
	one.LastUpdateDateTime, target.LastUpdateDateTime = at(now), at(now)
}
