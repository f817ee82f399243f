package commands

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
)

// remote is a kind of objects in Defender that incidents are made of.
type remote interface {
	// incidentType is the type of the incidents on the platform.
	incidentType() string
	// fields are the fields that mirroring sends.
	fields() []mirroredField
	// changed lists the objects whose last update is from since on and before until.
	changed(ctx context.Context, since, until time.Time) (defender.List, error)
	// get reads one object, with all that its incident shows.
	get(ctx context.Context, id string) (rawjson.Value, error)
	// whole reports whether the objects of a list are as get returns them.
	whole() bool
	read(object rawjson.Value) remoteState
	// show returns an object as the incident holds it.
	show(object rawjson.Value) rawjson.Value
	// update changes fields, those of an alert with a comment, and comment adds a comment alone.
	update(ctx context.Context, id string, change remoteChange) error
	comment(ctx context.Context, id, text string) error
}

// remoteState is an alert or an incident in one form: texts as the Defender for Endpoint API spells them.
type remoteState struct {
	ID string
	// Updated is the time of the last update as received.
	Updated string
	// Status is New, InProgress, Resolved, Redirected or another one of the service.
	Status                        string
	AssignedTo                    string
	Classification, Determination string
	Tags                          []string
	ResolvedAt                    time.Time
	// Resolving is why an incident was resolved, in the words of its analyst.
	Resolving string
	// MergedInto is the id of the incident that this one was merged into, or empty.
	MergedInto string
	Comments   []remoteComment
	// Alerts are those of an incident, and Link is its page in the portal.
	Alerts []rawjson.Value
	Link   string
}

type remoteComment struct {
	Text, By string
	// At is the time as received.
	At string
}

// resolved reports whether work on it has ended.
func (s remoteState) resolved() bool {
	return s.Status == statusResolved || s.Status == statusRedirected
}

// The statuses.
const (
	statusNew        = "New"
	statusInProgress = "InProgress"
	statusResolved   = "Resolved"
	statusRedirected = "Redirected"
	statusAwaiting   = "AwaitingAction" // of the customer, in an incident on which Microsoft's experts work
)

// canonicalStatus returns a status as the Defender for Endpoint API spells it. Microsoft Graph says active for New.
func canonicalStatus(text string) string {
	switch letters(text) {
	case "new", "active":
		return statusNew
	case "inprogress":
		return statusInProgress
	case "resolved":
		return statusResolved
	case "redirected":
		return statusRedirected
	case "awaitingaction":
		return statusAwaiting
	}
	return text
}

// letters returns the letters of a text in lower case. Names that differ only in the rest are the same: the API says
// FalsePositive, and the portal and analysts say "False positive".
func letters(text string) string {
	return strings.Map(func(char rune) rune {
		if !unicode.IsLetter(char) {
			return -1
		}
		return unicode.ToLower(char)
	}, text)
}

// standsForNone reports whether a classification or a determination says that nobody has set one.
func standsForNone(text string) bool {
	return slices.Contains([]string{"", "unknown", "none", "notset", "notavailable"}, letters(text))
}

// canonicalClassification returns a classification as the Defender for Endpoint API spells it, or "" for none.
func canonicalClassification(text string) string {
	for _, known := range []string{params.TruePositive, params.Expected, params.FalsePositive} {
		if letters(known) == letters(text) {
			return known
		}
	}
	return ""
}

// determination is one determination with its names: those of the Defender for Endpoint API and those of Microsoft Graph.
// Microsoft's pages differ (https://learn.microsoft.com/defender-endpoint/api/update-alert and
// https://learn.microsoft.com/graph/api/resources/security-alert); the first name is sent, and the second if the service refuses
// the first.
type determination struct{ endpoint, graph []string }

func determinations() []determination {
	return []determination{
		{[]string{"MultiStagedAttack"}, []string{"multiStagedAttack"}},
		{[]string{"MaliciousUserActivity"}, []string{"maliciousUserActivity"}},
		{[]string{"CompromisedUser"}, []string{"compromisedAccount", "compromisedUser"}},
		{[]string{"Malware"}, []string{"malware"}},
		{[]string{"Phishing"}, []string{"phishing"}},
		{[]string{"UnwantedSoftware"}, []string{"unwantedSoftware"}},
		{[]string{"SecurityTesting"}, []string{"securityTesting"}},
		{[]string{"LineOfBusinessApplication"}, []string{"lineOfBusinessApplication"}},
		{[]string{"ConfirmedActivity", "ConfirmedUserActivity"}, []string{"confirmedUserActivity", "confirmedActivity"}},
		{[]string{"NotMalicious", "Clean"}, []string{"notMalicious", "clean"}},
		{[]string{"InsufficientData"}, []string{"notEnoughDataToValidate", "insufficientData"}},
		{[]string{"Other"}, []string{"other"}},
	}
}

// namesOf finds a determination by any of its names.
func namesOf(text string) (determination, bool) {
	for _, one := range determinations() {
		if slices.ContainsFunc(slices.Concat(one.endpoint, one.graph), func(name string) bool { return letters(name) == letters(text) }) {
			return one, true
		}
	}
	return determination{}, false
}

// canonicalDetermination returns a determination as update-alert of the Defender for Endpoint API spells it, or "" for none.
func canonicalDetermination(text string) string {
	if found, known := namesOf(text); known {
		return found.endpoint[0]
	}
	return ""
}

// remoteChange holds the changes that an incident of the platform makes in Defender; empty fields change nothing.
type remoteChange struct {
	Status, AssignedTo, Classification, Determination, Comment string
	Tags                                                       []string
}

func (c remoteChange) empty() bool {
	return c.Status == "" && c.AssignedTo == "" && c.Classification == "" && c.Determination == "" && c.Comment == "" && c.Tags == nil
}

// from returns the part of the change that is not so already.
func (c remoteChange) from(now remoteState) remoteChange {
	if c.Status == now.Status {
		c.Status = ""
	}
	if strings.EqualFold(c.AssignedTo, now.AssignedTo) {
		c.AssignedTo = ""
	}
	if c.Classification == now.Classification {
		c.Classification = ""
	}
	if c.Determination == now.Determination && c.Classification == "" {
		c.Determination = ""
	}
	if slices.ContainsFunc(now.Comments, func(one remoteComment) bool { return sameComment(one.Text, c.Comment) }) {
		c.Comment = ""
	}
	if slices.Equal(slices.Sorted(slices.Values(c.Tags)), slices.Sorted(slices.Values(now.Tags))) {
		c.Tags = nil
	}
	return c
}

func sameComment(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// remoteOf returns the kind of object that an id names: incident ids are numbers, alert ids hold other characters too.
func remoteOf(run *Run, id string) remote {
	if id != "" && strings.Trim(id, "0123456789") == "" {
		return incidentRemote{run}
	}
	return alertRemote{run}
}

// fetchedRemote returns the kind of object that the instance fetches.
func fetchedRemote(run *Run) remote {
	if run.Instance.Fetch.Type == params.FetchXDRIncidents {
		return incidentRemote{run}
	}
	return alertRemote{run}
}

// The incident types of the pack.
const (
	alertIncidentType = "Microsoft Defender For Endpoint"
	xdrIncidentType   = "Microsoft Defender XDR Incident"
)

// alertRemote is an alert of Defender for Endpoint.
type alertRemote struct{ run *Run }

func (alertRemote) incidentType() string { return alertIncidentType }

func (alertRemote) whole() bool { return true }

func (r alertRemote) changed(ctx context.Context, since, until time.Time) (defender.List, error) {
	query := defender.Query{
		Filter: defender.And(defender.Since("lastUpdateTime", since), defender.Before("lastUpdateTime", until)),
		Limit:  defender.Everything,
	}
	if r.run.Instance.Fetch.Evidence {
		query.Expand = "evidence"
	}
	return r.run.API.Alerts(ctx, query)
}

func (r alertRemote) get(ctx context.Context, id string) (rawjson.Value, error) {
	return r.run.API.Alert(ctx, id)
}

func (r alertRemote) read(alert rawjson.Value) remoteState {
	seen := remoteState{
		ID: alert.Text("id"), Updated: alert.Text("lastUpdateTime"), Status: canonicalStatus(alert.Text("status")), AssignedTo: alert.Text("assignedTo"),
		Classification: canonicalClassification(alert.Text("classification")), Determination: canonicalDetermination(alert.Text("determination")),
		ResolvedAt: parseTime(alert.Text("resolvedTime")), Link: r.link(alert.Text("id")),
	}
	seen.Comments = commentsOf(alert)
	return seen
}

// commentsOf reads the comments of an alert or an incident, the oldest first. Microsoft's pages name their keys in two ways.
func commentsOf(object rawjson.Value) []remoteComment {
	var comments []remoteComment
	for _, one := range object.Items("comments") {
		read := remoteComment{
			Text: one.Text("comment"), By: one.Text("createdBy", "createdByDisplayName"), At: one.Text("createdTime", "createTime", "createdDateTime"),
		}
		if strings.TrimSpace(read.Text) != "" {
			comments = append(comments, read)
		}
	}
	slices.SortStableFunc(comments, func(a, b remoteComment) int { return parseTime(a.At).Compare(parseTime(b.At)) })
	return comments
}

// link is the page of an alert in Microsoft's portal.
func (r alertRemote) link(id string) string {
	return r.run.Instance.Cloud.Portal() + "/alerts/" + url.PathEscape(id)
}

func (r alertRemote) show(alert rawjson.Value) rawjson.Value {
	drop := func(key string) bool {
		return strings.HasPrefix(key, "@odata.") || (key == "evidence" && !r.run.Instance.Fetch.Evidence)
	}
	return extended(alert, drop, keyValue{"alertWebUrl", r.link(alert.Text("id"))})
}

func (r alertRemote) update(ctx context.Context, id string, change remoteChange) error {
	update := defender.AlertUpdate{
		Status: change.Status, AssignedTo: change.AssignedTo, Classification: change.Classification, Comment: change.Comment,
	}
	return withDetermination(change.Determination, func(d determination) []string { return d.endpoint }, func(name string) error {
		update.Determination = name
		_, err := r.run.API.UpdateAlert(ctx, id, update)
		return err
	})
}

// withDetermination sends a change with each name of a determination until the service accepts one.
func withDetermination(text string, names func(determination) []string, send func(name string) error) error {
	found, known := namesOf(text)
	if !known {
		return send("")
	}
	var err error
	for _, name := range names(found) {
		if err = send(name); defender.StatusOf(err) != http.StatusBadRequest {
			return err
		}
	}
	return err
}

func (r alertRemote) comment(ctx context.Context, id, text string) error {
	_, err := r.run.API.UpdateAlert(ctx, id, defender.AlertUpdate{Comment: text})
	return err
}

// keyValue is a key that is added to an object, with any value that JSON can hold, or a list of values as received.
type keyValue struct {
	key   string
	value any
}

// extended returns an object without some of its keys and with others added, which replace any of the same name.
func extended(object rawjson.Value, drop func(key string) bool, added ...keyValue) rawjson.Value {
	var text strings.Builder
	text.Grow(len(object) + 256)
	separator := "{"
	write := func(key string, value rawjson.Value) {
		text.WriteString(separator + string(rawjson.Make(key)) + ":" + string(value))
		separator = ","
	}
	object.Each(func(key string, value rawjson.Value) {
		if !drop(key) && !slices.ContainsFunc(added, func(one keyValue) bool { return one.key == key }) {
			write(key, value)
		}
	})
	for _, one := range added {
		if list, raw := one.value.([]rawjson.Value); raw {
			write(one.key, rawjson.Join(list))
			continue
		}
		write(one.key, rawjson.Make(one.value))
	}
	return rawjson.Value(cmp.Or(text.String(), "{")) + "}"
}
