package commands

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The views of what Microsoft Graph returns have the names of the service.

func incidentView() *warroom.View {
	return warroom.NewView(
		asGiven("id", warroom.String, "The incident's ID."),
		asGiven("displayName", warroom.String, "The incident's name."),
		asGiven("description", warroom.String, "What happened."),
		asGiven("summary", warroom.String, "A summary of the attack."),
		asGiven("severity", warroom.String, "informational, low, medium or high. It changes as alerts join or leave the incident."),
		asGiven("status", warroom.String, "active, inProgress, resolved, redirected (merged into another incident) or awaitingAction."),
		asGiven("assignedTo", warroom.String, "The owner of the incident."),
		asGiven("classification", warroom.String, "What the incident turned out to be."),
		asGiven("determination", warroom.String, "What was behind the incident."),
		asGiven("customTags", warroom.Unknown, "The tags that people or rules gave it."),
		asGiven("systemTags", warroom.Unknown, "The tags that the service gave it."),
		asGiven("incidentWebUrl", warroom.String, "The incident's page in the portal."),
		asGiven("redirectIncidentId", warroom.String, "The ID of the incident that it was merged into."),
		asGiven("tenantId", warroom.String, "The tenant in Microsoft Entra."),
		asGiven("createdDateTime", warroom.Date, "When the incident began."),
		asGiven("lastUpdateDateTime", warroom.Date, "When the incident last changed."),
		asGiven("lastModifiedBy", warroom.String, "Who changed it last."),
		asGiven("resolvingComment", warroom.String, "Why it was resolved."),
		warroom.Field{Name: "comments", From: "comments", Of: incidentCommentView()},
	)
}

// incidentCommentView shows comments. Microsoft's pages name their keys in two ways.
func incidentCommentView() *warroom.View {
	return warroom.NewView(
		asGiven("comment", warroom.String, "The text of a comment."),
		warroom.Field{Name: "createdByDisplayName", From: "createdByDisplayName|createdBy", Type: warroom.String, Help: "Who wrote it."},
		warroom.Field{Name: "createdDateTime", From: "createdDateTime|createdTime", Type: warroom.Date, Help: "When it was written."},
	)
}

// wholeIncidentView also shows the alerts.
func wholeIncidentView() *warroom.View {
	return incidentView().With(warroom.Field{Name: "alerts", From: "alerts", Of: graphAlertView()})
}

func graphAlertView() *warroom.View {
	return warroom.NewView(
		asGiven("id", warroom.String, "The alert's ID, which is the same in every API of Defender."),
		asGiven("providerAlertId", warroom.String, "The alert's ID at the product that raised it."),
		asGiven("title", warroom.String, "The alert's title."),
		asGiven("severity", warroom.String, "The severity of the alert."),
		asGiven("status", warroom.String, "new, inProgress or resolved."),
		asGiven("classification", warroom.String, "What the alert turned out to be."),
		asGiven("determination", warroom.String, "What was behind the alert."),
		asGiven("serviceSource", warroom.String, "The service that raised the alert."),
		asGiven("detectionSource", warroom.String, "The sensor or technology that detected it."),
		asGiven("productName", warroom.String, "The product that raised the alert."),
		asGiven("category", warroom.String, "The attack stage that the alert belongs to."),
		asGiven("assignedTo", warroom.String, "The owner of the alert."),
		asGiven("alertWebUrl", warroom.String, "The alert's page in the portal."),
		asGiven("mitreTechniques", warroom.Unknown, "The techniques of MITRE ATT&CK."),
		asGiven("createdDateTime", warroom.Date, "When the alert was raised."),
		asGiven("lastUpdateDateTime", warroom.Date, "When the alert last changed."),
		asGiven("resolvedDateTime", warroom.Date, "When the alert was resolved."),
		asGiven("firstActivityDateTime", warroom.Date, "When the activity of the alert began."),
		asGiven("lastActivityDateTime", warroom.Date, "When the latest activity of the alert happened."),
		asGiven("threatDisplayName", warroom.String, "The name of the threat."),
		asGiven("threatFamilyName", warroom.String, "The malware family."),
		asGiven("actorDisplayName", warroom.String, "The group behind the threat."),
		asGiven("investigationState", warroom.String, "The state of the automated investigation."),
		asGiven("recommendedActions", warroom.String, "What Microsoft recommends."),
		asGiven("evidence", warroom.Unknown, "The devices, files, processes, users, addresses, mailboxes and registry keys that the alert is based on."),
	)
}

// incidentSummary sums up the evidence of an incident, naming each thing once.
type incidentSummary struct {
	ID           string          `json:"id"`
	Devices      []deviceSummary `json:"devices"`
	Users        []string        `json:"users"`
	Files        []fileSummary   `json:"files"`
	IPs          []string        `json:"ips"`
	URLs         []string        `json:"urls"`
	Mailboxes    []string        `json:"mailboxes"`
	AlertsActive int             `json:"alertsActive"`
	AlertsTotal  int             `json:"alertsTotal"`
	Techniques   []string        `json:"mitreTechniques"`

	// accounts and machines are the objects of Users and Devices.
	accounts, machines []rawjson.Value
}

// deviceSummary is a device; its ID is the machine ID of the Defender for Endpoint API.
type deviceSummary struct {
	ID        string `json:"mdeDeviceId"`
	Name      string `json:"deviceDnsName"`
	Risk      string `json:"riskScore,omitempty"`
	Health    string `json:"healthStatus,omitempty"`
	Onboarded string `json:"onboardingStatus,omitempty"`
	Platform  string `json:"osPlatform,omitempty"`
}

type fileSummary struct {
	Name    string `json:"fileName,omitempty"`
	Path    string `json:"filePath,omitempty"`
	SHA1    string `json:"sha1,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Verdict string `json:"verdict,omitempty"`
}

// summarize reads the evidence of the alerts of an incident.
func summarize(id string, alerts []rawjson.Value) incidentSummary {
	all := incidentSummary{ID: id, AlertsTotal: len(alerts)}
	for _, alert := range alerts {
		if canonicalStatus(alert.Text("status")) != statusResolved {
			all.AlertsActive++
		}
		for _, technique := range alert.Items("mitreTechniques") {
			all.Techniques = once(all.Techniques, technique.String())
		}
		for _, one := range alert.Items("evidence") {
			all.add(one)
		}
	}
	return all
}

func (s *incidentSummary) add(one rawjson.Value) {
	switch evidenceKind(one) {
	case "device":
		device := deviceSummary{
			one.Text("mdeDeviceId"), one.Text("deviceDnsName", "hostName"), one.Text("riskScore"), one.Text("healthStatus"), one.Text("onboardingStatus"), one.Text("osPlatform"),
		}
		if !slices.ContainsFunc(s.Devices, func(known deviceSummary) bool { return known.ID == device.ID && known.Name == device.Name }) {
			s.Devices, s.machines = append(s.Devices, device), append(s.machines, one)
		}
	case "user":
		account := rawjson.Value(one.Key("userAccount").Raw)
		if name := accountName(account); name != "" && !slices.Contains(s.Users, name) {
			s.Users, s.accounts = append(s.Users, name), append(s.accounts, account)
		}
	case "file":
		s.addFile(rawjson.Value(one.Key("fileDetails").Raw), one.Text("verdict"))
	case "process":
		s.addFile(rawjson.Value(one.Key("imageFile").Raw), one.Text("verdict"))
	case "ip":
		s.IPs = once(s.IPs, one.Text("ipAddress"))
	case "url":
		s.URLs = once(s.URLs, one.Text("url"))
	case "mailbox":
		s.Mailboxes = once(s.Mailboxes, one.Text("primaryAddress"))
	}
}

func (s *incidentSummary) addFile(file rawjson.Value, verdict string) {
	found := fileSummary{file.Text("fileName"), file.Text("filePath"), file.Text("sha1"), file.Text("sha256"), verdict}
	if found.Name+found.SHA1+found.SHA256 == "" {
		return
	}
	if !slices.ContainsFunc(s.Files, func(known fileSummary) bool {
		return known.Name == found.Name && known.SHA1 == found.SHA1 && known.SHA256 == found.SHA256
	}) {
		s.Files = append(s.Files, found)
	}
}

// accountName is the name by which a user is found: the user principal name, or the name in its domain.
func accountName(account rawjson.Value) string {
	if name := account.Text("userPrincipalName"); name != "" {
		return name
	}
	if domain := account.Text("domainName"); domain != "" && account.Text("accountName") != "" {
		return domain + `\` + account.Text("accountName")
	}
	return account.Text("accountName")
}

// evidenceKind is the kind of a piece of evidence, such as device, from its type, such as
// #microsoft.graph.security.deviceEvidence.
func evidenceKind(one rawjson.Value) string {
	kind := one.Text("@odata.type")
	return strings.ToLower(strings.TrimSuffix(kind[strings.LastIndex(kind, ".")+1:], "Evidence"))
}

func once(list []string, text string) []string {
	if text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// The bounds of what an incident of the platform holds of a Defender XDR incident.
const (
	maxIncidentBytes = 4 << 20
	maxKeptAlerts    = 100
)

// incidentShown returns an incident as the platform's incident holds it: as received, with what mapper and layout need in
// the form in which they take it. The keys of summary_devices, summary_users and summary_alerts are those of grid fields.
func incidentShown(incident rawjson.Value, evidence bool) rawjson.Value {
	alerts := incident.Items("alerts")
	sum := summarize(incident.Text("id"), alerts)
	added := append(summaryKeys(incident, sum), keyValue{"summary_alerts", alertRows(alerts)})
	if !evidence {
		for i, alert := range alerts {
			alerts[i] = extended(alert, isEvidence)
		}
	}
	size := 0
	for _, alert := range alerts {
		size += len(alert)
	}
	if size > maxIncidentBytes {
		slices.SortStableFunc(alerts, func(a, b rawjson.Value) int {
			return cmp.Compare(graphSeverity(b.Text("severity")), graphSeverity(a.Text("severity")))
		})
		alerts = fitting(alerts[:min(len(alerts), maxKeptAlerts)])
		added = append(added, keyValue{"alertsCut", true}, keyValue{"alertsCutNote", cutNote(sum.AlertsTotal, len(alerts))})
	}
	if incident.Has("alerts") {
		added = append(added, keyValue{"alerts", alerts})
	}
	return extended(incident, func(key string) bool { return strings.HasPrefix(key, "@odata.") || strings.HasPrefix(key, "alerts@") }, added...)
}

// fitting drops the evidence of alerts, from the last one on, until the rest is not too large.
func fitting(alerts []rawjson.Value) []rawjson.Value {
	size := 0
	for i, alert := range alerts {
		if size+len(alert) > maxIncidentBytes {
			alerts[i] = extended(alert, isEvidence)
		}
		size += len(alerts[i])
	}
	return alerts
}

func summaryKeys(incident rawjson.Value, sum incidentSummary) []keyValue {
	type device struct {
		ID         string `json:"machineid"`
		Name       string `json:"hostname"`
		Risk       string `json:"risk"`
		Health     string `json:"health"`
		Onboarding string `json:"onboarding"`
		Platform   string `json:"osplatform"`
	}
	type user struct {
		Name   string `json:"upn"`
		Domain string `json:"domain"`
		SID    string `json:"sid"`
	}
	devices, users, files := []device{}, []user{}, sum.Files
	for _, one := range sum.Devices {
		devices = append(devices, device{one.ID, one.Name, one.Risk, one.Health, one.Onboarded, one.Platform})
	}
	for i, one := range sum.accounts {
		users = append(users, user{sum.Users[i], one.Text("domainName"), one.Text("userSid")})
	}
	if files == nil {
		files = []fileSummary{}
	}
	status := canonicalStatus(incident.Text("status"))
	if incident.Text("redirectIncidentId") != "" {
		status = statusRedirected
	}
	return []keyValue{
		{"incident_type", "XDR incident"},
		{"summary_status", status},
		{"summary_classification", cmp.Or(canonicalClassification(incident.Text("classification")), "Unknown")},
		{"summary_determination", canonicalDetermination(incident.Text("determination"))},
		{"summary_devices", devices},
		{"summary_users", users},
		{"summary_files", files},
		{"summary_alertsTotal", sum.AlertsTotal},
		{"summary_alertsActive", sum.AlertsActive},
	}
}

// alertRow is a row of the table of alerts in the layout.
type alertRow struct {
	ID       string `json:"alertid"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	Status   string `json:"status"`
	Category string `json:"category"`
	Machine  string `json:"machine"`
	First    string `json:"firstactivity"`
	Link     string `json:"link"`
}

func alertRows(alerts []rawjson.Value) []alertRow {
	rows := []alertRow{}
	for _, alert := range alerts {
		row := alertRow{
			ID: alert.Text("id"), Title: alert.Text("title"), Severity: alert.Text("severity"), Status: alert.Text("status"),
			Category: alert.Text("category"), First: alert.Text("firstActivityDateTime"), Link: alert.Text("alertWebUrl"),
		}
		for _, one := range alert.Items("evidence") {
			if row.Machine == "" && evidenceKind(one) == "device" {
				row.Machine = one.Text("deviceDnsName", "hostName")
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// graphSeverity maps a severity of Microsoft Graph to the platform's scale; unknown is below informational here.
func graphSeverity(text string) int {
	switch strings.ToLower(text) {
	case "low":
		return 1
	case "medium":
		return 2
	case "high":
		return 3
	}
	return 0
}

func isEvidence(key string) bool { return key == "evidence" }

// cutNote says what was left out of a large incident.
func cutNote(all, kept int) string {
	return fmt.Sprintf("The incident has %d alerts. It holds the %d most severe ones, some without their evidence, because it would be too large otherwise; microsoft-atp-incident-get shows all of them.", all, kept)
}
