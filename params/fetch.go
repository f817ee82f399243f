package params

import (
	"fmt"
	"strconv"
	"time"
)

// Limits of the fetch parameters.
const (
	maxFetchLimit = 200
	// lookBackLimit is 180 days: Microsoft documents that Defender keeps alerts that long.
	lookBackLimit = 180 * 24 * 60
)

// detectionSource gives the API's name for an option of fetch_detection_source: Microsoft documents, for the renaming of
// values in advanced hunting, which value each product had. The API still uses the earlier ones.
func detectionSource(option string) string {
	switch option {
	case "Antivirus":
		return "WindowsDefenderAv"
	case "CustomTI":
		return "CustomerTI"
	case "EDR":
		return "WindowsDefenderAtp"
	case "MDO":
		return "OfficeATP"
	}
	return option // CustomDetection has kept its name
}

// fetch reads what makes incidents of alerts. It is checked even while fetching is off, so that switching it on works.
func (f *form) fetch() Fetch {
	fetch := Fetch{
		Enabled:    f.checkbox(fieldIsFetch),
		Statuses:   f.severalOf(fieldFetchStatus),
		Severities: f.severalOf(fieldFetchSeverity),
		Evidence:   f.checkbox(fieldFetchEvidence),
		Max:        f.wholeNumber(fieldMaxFetch, 1, maxFetchLimit),
		LookBack:   time.Duration(f.wholeNumber(fieldLookBack, 0, lookBackLimit)) * time.Minute,
	}
	for _, source := range f.severalOf(fieldFetchDetectionSource) {
		fetch.DetectionSources = append(fetch.DetectionSources, detectionSource(source))
	}
	first, err := ParseDuration(f.text(fieldFirstFetch))
	if err != nil {
		f.refuse(fieldFirstFetch, "put a whole number and a unit there, for example 3 days, 12 hours or 1 week")
	}
	fetch.First = first
	return fetch
}

// wholeNumber reads a number from least to most.
func (f *form) wholeNumber(at field, least, most int) int {
	number, err := strconv.Atoi(f.text(at))
	if err != nil || number < least || number > most {
		f.refuse(at, fmt.Sprintf("put a whole number from %d to %d there", least, most))
		return 0
	}
	return number
}
