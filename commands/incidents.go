package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func incidentCommands() []func() Command {
	return []func() Command{
		listXDRIncidents,
		getXDRIncidents,
		updateXDRIncidents,
		commentXDRIncidents,
		moveIncidentAlerts,
		mergeXDRIncidents,
		getAlertEvidence,
	}
}

// exampleIncident is the incident ID of examples.
const exampleIncident = "2972395"

// incidentOutput shows incidents through a view.
func incidentOutput(title string, view *warroom.View) Output {
	return Output{
		Path: "MicrosoftATP.Incident", Key: "val.id === obj.id", View: view, Title: title, Empty: "No incident matches.",
		Columns: []string{"createdDateTime", "severity", "displayName", "status", "assignedTo", "classification", "determination", "lastUpdateDateTime", "id", "incidentWebUrl"},
	}
}

func listXDRIncidents() Command {
	type args struct {
		Status         []string `arg:"status" values:"active,inProgress,resolved,redirected,awaitingAction" help:"The statuses of the incidents. Redirected ones were merged into others."`
		Severity       []string `arg:"severity" values:"informational,low,medium,high" help:"The severities of the incidents."`
		AssignedTo     string   `arg:"assigned_to" help:"The owner of the incidents, usually a user principal name."`
		Classification string   `arg:"classification" values:"truePositive,informationalExpectedActivity,falsePositive,unknown" help:"What the incidents turned out to be."`
		Created        Moment   `arg:"created_after" help:"Only incidents created after this date, or within this time span back from now, such as 12 hours."`
		Updated        Moment   `arg:"updated_after" help:"Only incidents that changed after this date, or within this time span back from now."`
		Machine        string   `arg:"machine_id" help:"Only incidents with evidence of this machine, by its ID or name. Microsoft Graph cannot filter by it: up to 1,000 incidents that meet the other conditions are read and looked through."`
		Alerts         bool     `arg:"include_alerts" default:"false" values:"true,false" help:"Whether to return the alerts of each incident with it."`
		Filter         string   `arg:"filter" help:"A further condition in OData, for example determination eq 'malware'."`
		Limit          int      `arg:"limit" default:"50" min:"1" max:"10000" help:"The maximum number of incidents to return."`
	}
	out := incidentOutput("Defender XDR incidents", wholeIncidentView())
	return declare(Command{
		Name: "microsoft-atp-incident-list", Area: Incidents,
		Help:    "Lists incidents of Defender XDR that match all the given conditions.",
		Uses:    []defender.Operation{defender.ListIncidents},
		Outputs: []Output{out},
		Example: `status=active,inProgress severity=high updated_after="12 hours"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		filters := []defender.Filter{
			defender.EqualAny("status", in.Status), defender.EqualAny("severity", in.Severity), defender.EqualAny("assignedTo", given(in.AssignedTo)),
			defender.EqualAny("classification", given(in.Classification)), defender.Condition(in.Filter),
		}
		if !in.Created.IsZero() {
			filters = append(filters, defender.After("createdDateTime", in.Created.Time))
		}
		if !in.Updated.IsZero() {
			filters = append(filters, defender.After("lastUpdateDateTime", in.Updated.Time))
		}
		query := defender.Query{Filter: defender.And(filters...), Limit: in.Limit}
		if in.Alerts || in.Machine != "" {
			query.Expand = defender.IncidentAlerts
		}
		if in.Machine == "" {
			return out.listReport(run.API.Incidents(ctx, query))
		}
		query.Limit = maxIncidents
		list, err := run.API.Incidents(ctx, query)
		if err != nil {
			return Report{}, err
		}
		return report(out.ofMachine(list, in.Machine, in.Limit, in.Alerts)), nil
	})
}

// ofMachine returns the entry for those incidents of a list that have evidence of a machine.
func (o Output) ofMachine(list defender.List, machine string, limit int, alerts bool) warroom.Entry {
	looked := countOf(len(list.Items), "incident") + " looked through for the machine."
	if list.More {
		looked = fmt.Sprintf("The newest %d incidents were looked through for the machine. Narrow the conditions to look further.", len(list.Items))
	}
	found := slices.DeleteFunc(slices.Clone(list.Items), func(incident rawjson.Value) bool {
		return !slices.ContainsFunc(summarize("", incident.Items("alerts")).Devices, func(device deviceSummary) bool {
			return strings.EqualFold(device.ID, machine) || strings.EqualFold(device.Name, machine)
		})
	})
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	if !alerts {
		for i, incident := range found {
			found[i] = extended(incident, func(key string) bool { return key == "alerts" })
		}
	}
	entry := o.listEntry(defender.List{Items: found, Whole: rawjson.Join(found), More: more, Limited: true})
	entry.Blocks = append(entry.Blocks, warroom.Paragraph(looked))
	return entry
}

func getXDRIncidents() Command {
	type args struct {
		IDs    []string `arg:"incident_id" required:"true" help:"The IDs of the incidents."`
		Follow bool     `arg:"follow_merge" default:"true" values:"true,false" help:"Whether to show the incident that an incident was merged into, instead of what is left of it."`
	}
	out := incidentOutput("Defender XDR incidents", wholeIncidentView())
	summary := incidentSummaryOutput()
	return declare(Command{
		Name: "microsoft-atp-incident-get", Area: Incidents,
		Help:    "Shows incidents of Defender XDR with their alerts, and sums up the devices, users, files and addresses in their evidence.",
		Uses:    []defender.Operation{defender.GetIncident},
		Outputs: append([]Output{out, summary}, incidentStandards()...),
		Example: `incident_id=` + exampleIncident,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		read := forEach(ctx, in.IDs, func(ctx context.Context, id string) (mergedIncident, error) {
			return readIncident(ctx, run, id, in.Follow)
		})
		var incidents, summaries, alerts []rawjson.Value
		var notes []warroom.Block
		for _, one := range read.Done {
			incidents = append(incidents, one.Value.incident)
			if one.Value.note != "" {
				notes = append(notes, warroom.Paragraph(one.Value.note))
			}
		}
		incidents = eachOnce(incidents, "id") // several may be merged into one
		for _, incident := range incidents {
			alerts = append(alerts, incident.Items("alerts")...)
			summaries = append(summaries, rawjson.Make(summarize(incident.Text("id"), incident.Items("alerts")).filled()))
		}
		entry := out.rowsEntry(incidents, rawjson.Join(incidents))
		if len(summaries) > 0 {
			entry.Context = append(append(entry.Context, summary.context(summaries)), incidentContext(run, alerts)...)
			entry.Blocks = append(entry.Blocks, summary.table(summaries))
		}
		entry.Blocks = append(entry.Blocks, notes...)
		return read.finish("incident_id", entry)
	})
}

// filled returns the summary with empty lists instead of missing ones.
func (s incidentSummary) filled() incidentSummary {
	for _, list := range []*[]string{&s.Users, &s.IPs, &s.URLs, &s.Mailboxes, &s.Techniques} {
		if *list == nil {
			*list = []string{}
		}
	}
	return s
}

func incidentSummaryOutput() Output {
	return Output{
		Path: "MicrosoftATP.IncidentSummary", Key: "val.id === obj.id", Title: "What the evidence shows",
		Columns: []string{"id", "alertsActive", "alertsTotal", "devices", "users", "files", "ips", "urls", "mailboxes", "mitreTechniques"},
		View: warroom.NewView(
			asGiven("id", warroom.String, "The incident's ID."),
			warroom.Field{Name: "devices", From: "devices", Of: warroom.NewView(
				asGiven("mdeDeviceId", warroom.String, "The machine ID that the machine commands take."),
				asGiven("deviceDnsName", warroom.String, "The name of a device."),
				asGiven("riskScore", warroom.String, "The risk score of a device."),
				asGiven("healthStatus", warroom.String, "The health of the sensor of a device."),
				asGiven("onboardingStatus", warroom.String, "Whether a device is onboarded."),
				asGiven("osPlatform", warroom.String, "The operating system of a device."),
			)},
			asGiven("users", warroom.Unknown, "The users, by their user principal names where those are known."),
			warroom.Field{Name: "files", From: "files", Of: warroom.NewView(
				asGiven("fileName", warroom.String, "The name of a file."),
				asGiven("filePath", warroom.String, "The folder of a file."),
				asGiven("sha1", warroom.String, "The SHA-1 hash of a file."),
				asGiven("sha256", warroom.String, "The SHA-256 hash of a file."),
				asGiven("verdict", warroom.String, "What the service found a file to be."),
			)},
			asGiven("ips", warroom.Unknown, "The IP addresses."),
			asGiven("urls", warroom.Unknown, "The URLs."),
			asGiven("mailboxes", warroom.Unknown, "The mailboxes."),
			asGiven("alertsActive", warroom.Number, "The number of alerts that are not resolved."),
			asGiven("alertsTotal", warroom.Number, "The number of alerts."),
			asGiven("mitreTechniques", warroom.Unknown, "The techniques of MITRE ATT&CK."),
		),
	}
}

// mergedIncident is an incident, with a note if another one was asked for.
type mergedIncident struct {
	incident rawjson.Value
	note     string
}

// maxMerges is how many merges are followed from an incident to the one that is left.
const maxMerges = 5

// mergedInto says which incident was merged into which, as a sentence without its end.
func mergedInto(ids []string) string {
	return "Incident " + ids[0] + " was merged into " + strings.Join(ids[1:], ", which was merged into ")
}

// readIncident reads an incident, or the one that it was merged into.
func readIncident(ctx context.Context, run *Run, asked string, follow bool) (mergedIncident, error) {
	incident, err := run.API.Incident(ctx, asked)
	seen := []string{asked}
	for err == nil && follow {
		next := incident.Text("redirectIncidentId")
		if next == "" || slices.Contains(seen, next) || len(seen) > maxMerges {
			break
		}
		target, targetErr := run.API.Incident(ctx, next)
		if defender.NotFound(targetErr) { // no longer there, or not for this application to see
			return mergedIncident{incident, mergedInto(append(seen, next)) + ", which the service does not show."}, nil
		}
		seen = append(seen, next)
		incident, err = target, targetErr
	}
	found := mergedIncident{incident: incident}
	if len(seen) > 1 {
		found.note = mergedInto(seen) + "."
	}
	return found, err
}

func updateXDRIncidents() Command {
	type args struct {
		IDs            []string `arg:"incident_id" required:"true" help:"The IDs of the incidents."`
		Status         string   `arg:"status" values:"active,inProgress,resolved" help:"The new status."`
		AssignedTo     string   `arg:"assigned_to" help:"The new owner, usually a user principal name."`
		Unassign       bool     `arg:"unassign" default:"false" values:"true,false" help:"Whether to leave the incidents without an owner."`
		Classification string   `arg:"classification" values:"truePositive,informationalExpectedActivity,falsePositive" help:"What the incidents turned out to be."`
		Determination  string   `arg:"determination" values:"multiStagedAttack,maliciousUserActivity,compromisedAccount,compromisedUser,malware,phishing,unwantedSoftware,securityTesting,lineOfBusinessApplication,confirmedUserActivity,confirmedActivity,notMalicious,clean,notEnoughDataToValidate,insufficientData,other" help:"What was behind the incidents. It must fit the classification. compromisedUser is another name of compromisedAccount, confirmedActivity of confirmedUserActivity, clean of notMalicious, and insufficientData of notEnoughDataToValidate."`
		AddTags        []string `arg:"add_tags" help:"Tags to add to those that the incidents have."`
		RemoveTags     []string `arg:"remove_tags" help:"Tags to remove from those that the incidents have."`
		Tags           []string `arg:"tags" help:"Tags that replace those that the incidents have."`
		Comment        string   `arg:"comment" help:"A comment to add."`
		Resolving      string   `arg:"resolving_comment" help:"Why the incidents are resolved, as the portal shows it."`
		CloseAlerts    bool     `arg:"close_alerts" default:"false" values:"true,false" help:"Whether to also resolve the alerts of the incidents that are still open, with the same verdict."`
	}
	out := incidentOutput("Incidents updated", incidentView())
	out.Columns = []string{"id", "displayName", "status", "assignedTo", "classification", "determination", "customTags", "incidentWebUrl"}
	return declare(Command{
		Name: "microsoft-atp-incident-update", Area: Incidents,
		Help:    "Changes the status, the owner, the verdict or the tags of Defender XDR incidents, or adds a comment to them.",
		Uses:    []defender.Operation{defender.UpdateIncident, defender.GetIncident, defender.AddIncidentComment, defender.UpdateGraphAlert},
		Outputs: []Output{out},
		Example: `incident_id=` + exampleIncident + ` status=resolved classification=truePositive determination=malware comment="cleaned"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		update := incidentUpdate{
			IncidentUpdate: defender.IncidentUpdate{Status: in.Status, Classification: in.Classification, ResolvingComment: in.Resolving, CustomTags: in.Tags},
			determination:  in.Determination, comment: in.Comment, add: in.AddTags, remove: in.RemoveTags, closeAlerts: in.CloseAlerts,
		}
		if in.AssignedTo != "" || in.Unassign {
			update.AssignedTo = &in.AssignedTo
		}
		switch {
		case in.AssignedTo != "" && in.Unassign:
			return Report{}, wrong(run, "assigned_to and unassign exclude each other")
		case len(in.Tags) > 0 && len(in.AddTags)+len(in.RemoveTags) > 0:
			return Report{}, wrong(run, "tags excludes add_tags and remove_tags")
		case update.empty():
			return Report{}, wrong(run, "at least one change must be given")
		}
		if err := checkVerdict(run, in.Classification, in.Determination); err != nil {
			return Report{}, err
		}
		return out.eachReport(ctx, "incident_id", in.IDs, func(ctx context.Context, id string) (rawjson.Value, error) { return update.apply(ctx, run, id) })
	})
}

// checkVerdict returns an error if a determination does not fit its classification.
func checkVerdict(run *Run, classification, determination string) error {
	if classification == "" || determination == "" {
		return nil
	}
	allowed := params.Determinations(canonicalClassification(classification))
	if slices.Contains(allowed, canonicalDetermination(determination)) {
		return nil
	}
	names := make([]string, len(allowed))
	for i, one := range allowed {
		found, _ := namesOf(one)
		names[i] = found.graph[0]
	}
	return wrong(run, "determination must be one of %s for the classification %s; got %q", strings.Join(names, ", "), classification, determination)
}

// incidentUpdate holds the changes that microsoft-atp-incident-update makes.
type incidentUpdate struct {
	defender.IncidentUpdate

	determination string
	comment       string
	add, remove   []string
	closeAlerts   bool
}

func (u incidentUpdate) empty() bool {
	return u.IncidentUpdate.Empty() && u.determination == "" && u.comment == "" && len(u.add)+len(u.remove) == 0 && !u.closeAlerts
}

// apply makes the changes to one incident and returns it.
func (u incidentUpdate) apply(ctx context.Context, run *Run, incidentID string) (rawjson.Value, error) {
	var before, changed rawjson.Value
	var err error
	if len(u.add)+len(u.remove) > 0 || u.closeAlerts {
		if before, err = run.API.Incident(ctx, incidentID); err != nil {
			return "", err
		}
	}
	if len(u.add)+len(u.remove) > 0 {
		u.CustomTags = u.tags(before)
	}
	if !u.Empty() || u.determination != "" {
		err = withDetermination(u.determination, func(d determination) []string { return d.graph }, func(name string) error {
			u.Determination = name
			changed, err = run.API.UpdateIncident(ctx, incidentID, u.IncidentUpdate)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	var unclosed error
	if u.closeAlerts {
		closed := closeAlerts(ctx, run, before, remoteChange{Classification: canonicalClassification(u.Classification), Determination: canonicalDetermination(u.determination)})
		if len(closed.Left) > 0 {
			return "", &defender.ThrottledError{Operation: defender.UpdateGraphAlert, After: closed.After}
		}
		if len(closed.Failed) > 0 {
			unclosed = &OpenAlertsError{closed.Failed}
		}
	}
	if u.comment != "" {
		comments, err := run.API.CommentIncident(ctx, incidentID, u.comment)
		if err != nil {
			return "", errors.Join(unclosed, err)
		}
		if len(comments) > 0 {
			return withComments(changed, incidentID, comments), unclosed
		}
	}
	if changed == "" && unclosed == nil {
		return run.API.Incident(ctx, incidentID)
	}
	return changed, unclosed
}

// OpenAlertsError reports that an incident was changed as asked, but that alerts of it could not be resolved.
type OpenAlertsError struct{ failed []failure }

func (e *OpenAlertsError) Error() string {
	texts := make([]string, len(e.failed))
	for i, one := range e.failed {
		texts[i] = "alert " + one.ID + ": " + one.Err.Error()
	}
	return "The incident was changed, but some of its alerts are still open: " + strings.Join(texts, "; ")
}

// Unwrap returns the failures for errors.Is and errors.As.
func (e *OpenAlertsError) Unwrap() []error { return errorsOf(e.failed) }

// withComments returns an incident with all of its comments, of which nothing else may be known.
func withComments(incident rawjson.Value, incidentID string, comments []rawjson.Value) rawjson.Value {
	if incident == "" {
		incident = rawjson.Make(map[string]string{"id": incidentID})
	}
	return extended(incident, func(string) bool { return false }, keyValue{"comments", comments})
}

// tags returns the tags of an incident with some added and others removed: the service replaces all of them.
func (u incidentUpdate) tags(incident rawjson.Value) []string {
	tags := []string{}
	for _, tag := range incident.Items("customTags") {
		if !slices.Contains(u.remove, tag.String()) {
			tags = once(tags, tag.String())
		}
	}
	for _, tag := range u.add {
		tags = once(tags, tag)
	}
	return tags
}

func commentXDRIncidents() Command {
	type args struct {
		IDs     []string `arg:"incident_id" required:"true" help:"The IDs of the incidents."`
		Comment string   `arg:"comment" required:"true" help:"The comment."`
	}
	out := Output{
		Path: "MicrosoftATP.Incident", Key: "val.id === obj.id", View: incidentView().Only("id", "comments"),
		Title: "Comment added", Columns: []string{"id", "comments"},
	}
	return declare(Command{
		Name: "microsoft-atp-incident-comment-add", Area: Incidents,
		Help:    "Adds a comment to Defender XDR incidents.",
		Uses:    []defender.Operation{defender.AddIncidentComment},
		Outputs: []Output{out},
		Example: `incident_id=` + exampleIncident + ` comment="Contained by the playbook."`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.eachReport(ctx, "incident_id", in.IDs, func(ctx context.Context, id string) (rawjson.Value, error) {
			comments, err := run.API.CommentIncident(ctx, id, in.Comment)
			if err != nil {
				return "", err
			}
			return withComments("", id, comments), nil
		})
	})
}

func moveIncidentAlerts() Command {
	type args struct {
		Alerts   []string `arg:"alert_id" required:"true" help:"The IDs of the alerts."`
		Incident string   `arg:"incident_id" help:"The ID of the incident to move them to."`
		New      bool     `arg:"new_incident" default:"false" values:"true,false" help:"Whether to move them to an incident of their own instead."`
		Comment  string   `arg:"comment" required:"true" help:"Why they are moved."`
		Reasons  []string `arg:"correlation_reasons" help:"Why they belong together, as Microsoft's correlationReason names it, such as sameActor."`
	}
	out := targetOutput("MicrosoftATP.IncidentMove", "Alerts moved", "The ID of the incident that the alerts are in now.")
	return declare(Command{
		Name: "microsoft-atp-incident-alerts-move", Area: Incidents, Executes: true,
		Help:    "Moves alerts from their Defender XDR incidents to another one, or to a new one.",
		Uses:    []defender.Operation{defender.MoveGraphAlerts},
		Outputs: []Output{out},
		Example: `alert_id=` + exampleAlert + ` incident_id=` + exampleIncident + ` comment="Same actor."`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if (in.Incident == "") != in.New {
			return Report{}, wrong(run, "either incident_id or new_incident=true must be given")
		}
		return out.objectReport(run.API.MoveAlerts(ctx, in.Alerts, in.Incident, in.Comment, strings.Join(in.Reasons, ",")))
	})
}

// targetOutput shows the incident that a move or a merge leads to.
func targetOutput(path, title, help string) Output {
	return Output{Path: path, Single: true, Title: title, View: warroom.NewView(asGiven("targetIncidentId", warroom.String, help))}
}

func mergeXDRIncidents() Command {
	type args struct {
		IDs     []string `arg:"incident_id" required:"true" help:"The IDs of the incidents, two or more."`
		Comment string   `arg:"comment" required:"true" help:"Why they are merged."`
		Reasons []string `arg:"merge_reasons" help:"Why they belong together, as Microsoft's incidentMergeReason names it, such as sameCampaign."`
	}
	out := targetOutput("MicrosoftATP.IncidentMerge", "Incidents merged", "The ID of the incident that is left.")
	return declare(Command{
		Name: "microsoft-atp-incident-merge", Area: Incidents, Executes: true,
		Help:    "Merges Defender XDR incidents into one. Microsoft documents no way to undo it.",
		Uses:    []defender.Operation{defender.MergeIncidents},
		Outputs: []Output{out},
		Example: `incident_id=` + exampleIncident + `,2972396 comment="One campaign."`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if len(in.IDs) < 2 {
			return Report{}, wrong(run, "incident_id must hold at least two different IDs")
		}
		return out.objectReport(run.API.MergeIncidents(ctx, in.IDs, in.Comment, strings.Join(in.Reasons, ",")))
	})
}

func getAlertEvidence() Command {
	type args struct {
		IDs []string `arg:"alert_id" required:"true" help:"The IDs of the alerts."`
	}
	out := Output{
		Path: "MicrosoftATP.Incident.alerts", Key: "val.id === obj.id", View: graphAlertView(), Title: "Alerts",
		Columns: []string{"severity", "title", "status", "serviceSource", "category", "assignedTo", "id", "alertWebUrl"},
	}
	return declare(Command{
		Name: "microsoft-atp-alert-evidence", Area: Incidents,
		Help:    "Shows alerts of any product of Defender XDR with their evidence and what was done about it. It works without permissions of the Defender for Endpoint API.",
		Uses:    []defender.Operation{defender.GetGraphAlert},
		Outputs: []Output{out},
		Example: `alert_id=` + exampleAlert,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		read := forEach(ctx, in.IDs, run.API.GraphAlert)
		found := values(read.Done)
		entry := out.rowsEntry(found, rawjson.Join(found))
		var rows []rawjson.Value
		for _, alert := range found {
			for _, one := range alert.Items("evidence") {
				rows = append(rows, evidenceRow(one))
			}
		}
		entry.Blocks = append(entry.Blocks, warroom.Table{
			Title: "Evidence", Columns: []string{"Kind", "What", "Verdict", "Remediation", "Roles", "Details"}, Records: warroom.Records{Rows: rows}, Empty: "The alerts have no evidence.",
		})
		return read.finish("alert_id", entry)
	})
}

// evidenceRow is a piece of evidence of any kind as a row of a table.
func evidenceRow(one rawjson.Value) rawjson.Value {
	file := rawjson.Value(one.Key("fileDetails").Raw)
	if evidenceKind(one) == "process" {
		file = rawjson.Value(one.Key("imageFile").Raw)
	}
	var what, details string
	switch evidenceKind(one) {
	case "device":
		what, details = one.Text("deviceDnsName", "hostName"), one.Text("mdeDeviceId")
	case "user":
		what = accountName(rawjson.Value(one.Key("userAccount").Raw))
	case "file", "process":
		what, details = file.Text("fileName"), cmp.Or(one.Text("processCommandLine"), file.Text("sha256"), file.Text("sha1"))
	case "ip":
		what = one.Text("ipAddress")
	case "url":
		what = one.Text("url")
	case "mailbox":
		what = one.Text("primaryAddress")
	case "registrykey", "registryvalue":
		what, details = one.Text("registryHive")+`\`+one.Text("registryKey"), one.Text("registryValueName", "registryValue")
	default:
		what = cmp.Or(one.Text("displayName"), one.Text("name"), one.Text("subject"))
	}
	roles := make([]string, 0, 1)
	for _, role := range one.Items("roles") {
		roles = append(roles, role.String())
	}
	return rawjson.Make(map[string]string{
		"Kind": evidenceKind(one), "What": what, "Verdict": one.Text("verdict"), "Remediation": one.Text("remediationStatus"),
		"Roles": strings.Join(roles, ", "), "Details": details,
	})
}
