package params

import (
	"slices"
	"time"
)

// Limits of the fetch parameters.
const (
	maxFetchLimit = 200
	// lookBackLimit is 180 days in minutes, the time for which Defender keeps alerts.
	// See https://learn.microsoft.com/en-us/defender-endpoint/data-storage-privacy.
	lookBackLimit = 180 * 24 * 60
)

// FetchType names the kind of objects of which an instance makes incidents.
type FetchType string

// The options of fetch_type.
const (
	FetchAlerts       FetchType = "Alerts"
	FetchXDRIncidents FetchType = "XDR incidents"
)

// IncidentFilter selects the XDR incidents that are fetched. Empty lists mean no restriction.
type IncidentFilter struct {
	// Statuses, Severities and ServiceSources hold values of Microsoft Graph.
	Statuses, Severities, ServiceSources []string
	// OData is a further condition as it is sent, or empty.
	OData string
}

// labelled are the options of a filter, as users see them, each with the API's value for it.
type labelled []struct{ label, value string }

// detectionSources are the options of fetch_detectionsource. The labels are those that existing instances hold.
// Microsoft documents the values at https://learn.microsoft.com/en-us/defender-endpoint/api/alerts.
var detectionSources = labelled{
	{"Antivirus", "WindowsDefenderAv"},
	{"Automated investigation", "AutomatedInvestigation"},
	{"Custom detection", "CustomDetection"},
	{"Custom TI", "CustomerTI"},
	{"EDR", "WindowsDefenderAtp"},
	{"Microsoft 365 Defender", "MTP"},
	{"Microsoft Defender for Office 365", "OfficeATP"},
	{"Microsoft Defender Experts", "ThreatExperts"},
	{"SmartScreen", "WindowsDefenderSmartScreen"},
	{"Third-party sensors", "ThirdPartySensors"},
}

// earlierDetectionSources are the options of fetch_detection_source, a hidden field.
var earlierDetectionSources = labelled{
	{"Antivirus", "WindowsDefenderAv"},
	{"CustomDetection", "CustomDetection"},
	{"CustomTI", "CustomerTI"},
	{"EDR", "WindowsDefenderAtp"},
	{"MDO", "OfficeATP"},
}

func (l labelled) labels() []string {
	labels := make([]string, len(l))
	for i, option := range l {
		labels[i] = option.label
	}
	return labels
}

// values returns the API's values for labels that the form has accepted.
func (l labelled) values(labels []string) []string {
	var values []string
	for _, option := range l {
		if slices.Contains(labels, option.label) {
			values = append(values, option.value)
		}
	}
	return values
}

// fetch reads the fields of the section Collect. It checks them even while fetching is off, so that switching it on works.
// A problem with one of them stops the fetch and the test of the instance, but no other command (see Decode).
func (f *form) fetch() Fetch {
	fetch := Fetch{
		Enabled:          f.checkbox(fieldIsFetch),
		Type:             FetchType(f.oneOf(fieldFetchType)),
		Statuses:         f.severalOf(fieldFetchStatus),
		Severities:       f.severalOf(fieldFetchSeverity),
		DetectionSources: f.detectionSources(),
		Evidence:         f.checkbox(fieldFetchEvidence),
		Max:              f.wholeNumber(fieldMaxFetch, 1, maxFetchLimit),
		LookBack:         time.Duration(f.wholeNumber(fieldLookBack, 0, lookBackLimit)) * time.Minute,
		Incidents: IncidentFilter{
			Statuses:       f.severalOf(fieldFetchIncidentStatus),
			Severities:     f.severalOf(fieldFetchIncidentSeverity),
			ServiceSources: f.severalOf(fieldFetchServiceSource),
			OData:          f.text(fieldFetchIncidentFilter),
		},
	}
	first, err := ParseDuration(f.text(fieldFirstFetch))
	if err != nil {
		f.refuse(fieldFirstFetch, "put a whole number and a unit there, for example 3 days, 12 hours or 1 week")
	}
	fetch.First = first
	return fetch
}

// detectionSources returns the API's values of the chosen detection sources. The earlier field counts only while nothing
// is chosen in the visible one, which replaced it; its problems are reported under the visible one's label.
func (f *form) detectionSources() []string {
	if chosen := f.severalOf(fieldFetchSource); len(chosen) > 0 {
		return detectionSources.values(chosen)
	}
	return earlierDetectionSources.values(f.severalOfAs(fieldFetchSource, fieldOldFetchSource))
}
