package params

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// direction is an option of mirror_direction.
type direction string

const (
	mirrorNone     direction = "None"
	mirrorIncoming direction = "Incoming"
	mirrorOutgoing direction = "Outgoing"
	mirrorBoth     direction = "Incoming And Outgoing"
)

// Mirror is how fetched incidents are kept equal to what they were made of in Defender.
type Mirror struct {
	// Direction is the platform's word for the direction: In, Out, Both, or empty if nothing is mirrored.
	Direction string
	// CloseIncident closes and reopens incidents as Defender does, and CloseRemote the other way around.
	CloseIncident, CloseRemote bool
	// CloseAlerts resolves the open alerts of an XDR incident that is resolved from the platform.
	CloseAlerts bool
	// Reopen lists the statuses, New and InProgress, that reopen an incident whose alert was resolved.
	Reopen []string
	// TagTo marks War Room entries that go to Defender, and TagFrom those that came from there.
	TagTo, TagFrom string
	// Owners keeps the owner and the assignee the same.
	Owners bool
	// ReasonsIn holds the close reason of each classification.
	ReasonsIn map[string]string
	// ReasonsOut holds the verdict of each close reason, whose key is as ReasonKey returns it.
	ReasonsOut map[string]Verdict
	// LookBack is how far a round looks back behind the last one.
	LookBack time.Duration
}

// Verdict is a classification with its determination, in the names of the Defender for Endpoint API.
type Verdict struct{ Classification, Determination string }

// The classifications. Unknown stands for none.
const (
	TruePositive  = "TruePositive"
	FalsePositive = "FalsePositive"
	Expected      = "InformationalExpectedActivity"
	Unclassified  = "Unknown"
)

// Determinations returns what may be behind an alert of a classification, as
// https://learn.microsoft.com/defender-endpoint/api/update-alert lists it.
func Determinations(classification string) []string {
	switch classification {
	case TruePositive:
		return []string{"MultiStagedAttack", "MaliciousUserActivity", "CompromisedUser", "Malware", "Phishing", "UnwantedSoftware", "Other"}
	case Expected:
		return []string{"SecurityTesting", "LineOfBusinessApplication", "ConfirmedActivity", "Other"}
	case FalsePositive:
		return []string{"NotMalicious", "InsufficientData", "Other"}
	}
	return nil
}

// ReasonKey returns a close reason without what people write differently: case, spaces and hyphens, and the "Resolved - "
// that some servers put before a reason.
func ReasonKey(reason string) string {
	key := strings.ToLower(strings.Map(func(char rune) rune {
		if strings.ContainsRune(" -_", char) {
			return -1
		}
		return char
	}, reason))
	if rest, found := strings.CutPrefix(key, "resolved"); found && rest != "" {
		return rest
	}
	return key
}

const maxMirrorLookBack = 60 // minutes

// mirror reads how incidents are mirrored. It is checked even while mirroring is off, so that switching it on works.
func (f *form) mirror() Mirror {
	m := Mirror{
		CloseIncident: f.checkbox(fieldCloseIncident), CloseRemote: f.checkbox(fieldCloseOut), CloseAlerts: f.checkbox(fieldCloseAlerts),
		Reopen: f.severalOf(fieldReopenStatuses), TagTo: f.text(fieldCommentTagTo), TagFrom: f.text(fieldCommentTagFrom),
		Owners: f.checkbox(fieldSyncOwners), LookBack: time.Duration(f.wholeNumber(fieldMirrorLookBack, 0, maxMirrorLookBack)) * time.Minute,
		ReasonsIn:  map[string]string{TruePositive: "Resolved", Expected: "Resolved", FalsePositive: "False Positive", Unclassified: "Other"},
		ReasonsOut: map[string]Verdict{ReasonKey("Resolved"): {TruePositive, "Other"}, ReasonKey("False Positive"): {FalsePositive, "Other"}},
	}
	switch direction(f.oneOf(fieldMirrorDirection)) {
	case mirrorIncoming:
		m.Direction = "In"
	case mirrorOutgoing:
		m.Direction = "Out"
	case mirrorBoth:
		m.Direction = "Both"
	}
	if strings.EqualFold(m.TagTo, m.TagFrom) {
		f.refuse(fieldCommentTagFrom, "put another tag there than the one for comments to Defender; otherwise comments go around in circles")
	}
	for classification, reason := range f.pairs(fieldCloseReasonIn) {
		found := spelled(slices.Concat(classifications(), []string{Unclassified}), classification)
		if found == "" {
			f.refuse(fieldCloseReasonIn, fmt.Sprintf("replace %q with one of %s, or Unknown", classification, strings.Join(classifications(), ", ")))
			continue
		}
		m.ReasonsIn[found] = reason
	}
	for reason, text := range f.pairs(fieldCloseReasonOut) {
		verdict, problem := readVerdict(text)
		if problem != "" {
			f.refuse(fieldCloseReasonOut, problem)
		}
		m.ReasonsOut[ReasonKey(reason)] = verdict
	}
	return m
}

func classifications() []string { return []string{TruePositive, Expected, FalsePositive} }

// readVerdict reads CLASSIFICATION or CLASSIFICATION/DETERMINATION; Unknown stands for no verdict.
func readVerdict(text string) (verdict Verdict, problem string) {
	first, second, both := strings.Cut(text, "/")
	first, second = strings.TrimSpace(first), strings.TrimSpace(second)
	if strings.EqualFold(first, Unclassified) && !both {
		return Verdict{}, ""
	}
	verdict.Classification = spelled(classifications(), first)
	if verdict.Classification == "" {
		return verdict, fmt.Sprintf("replace %q with one of %s, or Unknown for no verdict", first, strings.Join(classifications(), ", "))
	}
	allowed := Determinations(verdict.Classification)
	if verdict.Determination = "Other"; both {
		verdict.Determination = spelled(allowed, second)
	}
	if verdict.Determination == "" {
		return verdict, fmt.Sprintf("replace %q with a determination of %s: %s", second, verdict.Classification, strings.Join(allowed, ", "))
	}
	return verdict, ""
}

// spelled returns an option as it is spelled, or "" if there is none like the text.
func spelled(options []string, text string) string {
	at := slices.IndexFunc(options, func(option string) bool { return strings.EqualFold(option, text) })
	if at < 0 {
		return ""
	}
	return options[at]
}

// pairs goes over a text of the form A=B,C=D.
func (f *form) pairs(at field) func(yield func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for item := range strings.SplitSeq(f.text(at), ",") {
			if strings.TrimSpace(item) == "" {
				continue
			}
			key, value, found := strings.Cut(item, "=")
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			if !found || key == "" || value == "" {
				f.refuse(at, fmt.Sprintf("write each pair as NAME=VALUE, separated by commas; %q is not one", strings.TrimSpace(item)))
				return
			}
			if !yield(key, value) {
				return
			}
		}
	}
}
