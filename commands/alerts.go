package commands

import (
	"context"
	"encoding/json"
	"fmt"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func alertCommands() []func() Command {
	return []func() Command{
		listAlerts,
		getAlertByID,
		updateAlert,
		createAlert,
		getAlertUser,
		getAlertFiles,
		getAlertIPs,
		getAlertDomains,
	}
}

func listAlerts() Command {
	type args struct {
		Severity []string `arg:"severity" list:"false" values:"High,Medium,Low,Informational" help:"The severities of the alerts."`
		Status   []string `arg:"status" list:"false" values:"New,InProgress,Resolved" help:"The statuses of the alerts."`
		Category []string `arg:"category" list:"false" help:"The categories of the alerts."`
		Limit    int      `arg:"limit" default:"50" min:"1" max:"100000" help:"The maximum number of alerts to return."`
		Created  Moment   `arg:"creation_time" help:"Only alerts created after this date, or within this time span back from now, such as 12 hours."`
	}
	out := Output{
		Path: "MicrosoftATP.Alert", Key: "val.ID === obj.ID", View: alertView(),
		Title: "Alerts", Columns: alertColumns(), Pages: alertPages(), Empty: "No alert matches.",
	}
	return declare(Command{
		Name: "microsoft-atp-list-alerts", Area: Alerts,
		Help:    "Lists alerts that match all the given conditions, with their evidence.",
		Uses:    []defender.Operation{defender.ListAlerts},
		Outputs: []Output{out},
		Example: `severity=High,Medium status=New limit=25`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		filters := []defender.Filter{
			defender.EqualAny("severity", in.Severity),
			defender.EqualAny("status", in.Status),
			defender.EqualAny("category", in.Category),
		}
		if !in.Created.IsZero() {
			filters = append(filters, defender.After("alertCreationTime", in.Created.Time))
		}
		return out.listReport(run.API.Alerts(ctx, defender.Query{Filter: defender.And(filters...), Limit: in.Limit, Expand: "evidence"}))
	})
}

func getAlertByID() Command {
	type args struct {
		IDs []string `arg:"alert_ids" required:"true" help:"The IDs of the alerts."`
	}
	out := Output{
		Path: "MicrosoftATP.Alert", Key: keyedByCapitalID, View: alertView(),
		Title: "Alerts", Columns: alertColumns(), Pages: alertPages(), Empty: "No alert was found.",
	}
	return declare(Command{
		Name: "microsoft-atp-get-alert-by-id", Area: Alerts,
		Help:    "Shows alerts by their IDs.",
		Uses:    []defender.Operation{defender.GetAlert, defender.ListAlerts},
		Outputs: []Output{out},
		Example: `alert_ids=` + exampleAlert,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		alerts := forEachListed(ctx, in.IDs, run.API.AlertsByID, run.API.Alert)
		missing, found := alerts.unknown(), values(alerts.Done)
		return alerts.finishKnown("alert_ids", missing, out.rowsEntry(found, rawjson.Join(found)))
	})
}

// exampleAlert is the alert ID of examples.
const exampleAlert = "da637472900382838869_1364969609"

// replacements maps values that the service once accepted to those that mean the same today.
type replacements map[string]string

// today returns the value to send for a given one, and a note for the analyst if it differs.
func (r replacements) today(argument, value string) (string, []warroom.Block) {
	replaced, found := r[value]
	if !found {
		return value, nil
	}
	return replaced, []warroom.Block{warroom.Paragraph(fmt.Sprintf("The service no longer accepts the %s %s; %s was sent instead.", argument, value, replaced))}
}

// retiredDeterminations maps the determinations that Microsoft retired in August 2022.
func retiredDeterminations() replacements {
	return replacements{"Apt": "MultiStagedAttack", "SecurityPersonnel": "SecurityTesting"}
}

func updateAlert() Command {
	type args struct {
		ID             string `arg:"alert_id" required:"true" help:"The ID of the alert."`
		Status         string `arg:"status" values:"New,InProgress,Resolved" help:"The new status."`
		AssignedTo     string `arg:"assigned_to" help:"The new owner of the alert."`
		Classification string `arg:"classification" values:"Unknown,FalsePositive,TruePositive,InformationalExpectedActivity" help:"What the alert turned out to be."`
		Determination  string `arg:"determination" values:"NotAvailable,Apt,Malware,SecurityPersonnel,SecurityTesting,UnwantedSoftware,Other,MultiStagedAttack,MaliciousUserActivity,CompromisedAccount,CompromisedUser,Phishing,LineOfBusinessApplication,ConfirmedActivity,ConfirmedUserActivity,NotMalicious,Clean,InsufficientData" help:"What was behind the alert. Apt became MultiStagedAttack, and SecurityPersonnel became SecurityTesting."`
		Comment        string `arg:"comment" help:"A comment to add."`
	}
	out := Output{
		Path: "MicrosoftATP.Alert", Key: "val.ID === obj.ID",
		View:  alertView().With(warroom.Field{Name: "Comment", From: "comment", Type: warroom.String, Help: "The comment that was added."}),
		Title: "Alert updated", Columns: []string{"ID", "Status", "AssignedTo", "Classification", "Determination", "Comment"},
	}
	return declare(Command{
		Name: "microsoft-atp-update-alert", Area: Alerts,
		Help:    "Changes the status, the owner or the verdict of an alert, or adds a comment to it.",
		Uses:    []defender.Operation{defender.UpdateAlert},
		Outputs: []Output{out},
		Example: `alert_id=` + exampleAlert + ` status=Resolved classification=TruePositive determination=Malware comment="cleaned"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		update, note, err := todaysUpdate(run, defender.AlertUpdate{
			Status: in.Status, AssignedTo: in.AssignedTo, Classification: in.Classification, Determination: in.Determination, Comment: in.Comment,
		})
		if err != nil {
			return Report{}, err
		}
		alert, err := run.API.UpdateAlert(ctx, in.ID, update)
		if err != nil {
			return Report{}, err
		}
		entry := out.objectEntry(updated(alert, in.ID, update))
		entry.Contents = warroom.Raw(alert)
		entry.Blocks = append(entry.Blocks, note...)
		return report(entry), nil
	})
}

// todaysUpdate replaces a retired determination of an update, which the note tells the analyst. An update that changes
// nothing is refused.
func todaysUpdate(run *Run, update defender.AlertUpdate) (_ defender.AlertUpdate, note []warroom.Block, err error) {
	if update == (defender.AlertUpdate{}) {
		return update, nil, wrong(run, "one of status, assigned_to, classification, determination and comment must be given")
	}
	update.Determination, note = retiredDeterminations().today("determination", update.Determination)
	return update, note, nil
}

// updated returns an alert with the changes applied to it, so that the context shows the change even if the service
// answered with the alert as it was before.
func updated(alert rawjson.Value, id string, update defender.AlertUpdate) rawjson.Value {
	fields := map[string]json.RawMessage{"id": json.RawMessage(rawjson.Make(id))}
	lay := func(object rawjson.Value) {
		object.Each(func(key string, value rawjson.Value) {
			if key != "id" {
				fields[key] = json.RawMessage(value)
			}
		})
	}
	lay(alert)
	lay(rawjson.Make(update))
	return rawjson.Make(fields)
}

// retiredCategories maps the categories from before the service adopted those of MITRE ATT&CK to the closest one of
// today.
func retiredCategories() replacements {
	return replacements{
		"None": "General", "NotApplicable": "General", "EnterprisePolicy": "General",
		"CredentialTheft": "CredentialAccess", "CredentialStealing": "CredentialAccess",
		"WebExploit": "Exploit", "DocumentExploit": "Exploit",
		"RemoteAccessTool": "CommandAndControl", "SuspiciousNetworkTraffic": "SuspiciousActivity",
		"MalwareDownload": "Malware", "Backdoor": "Malware", "Trojan": "Malware", "TrojanDownloader": "Malware",
		"Reconnaissance": "Discovery", "WebFingerprinting": "Discovery", "ExplorationEnumeration": "Discovery",
		"Weaponization": "InitialAccess", "Delivery": "InitialAccess", "SocialEngineering": "InitialAccess",
		"Installation": "Persistence", "NetworkPropagation": "LateralMovement",
	}
}

func createAlert() Command {
	type args struct {
		Machine     string `arg:"machine_id" required:"true" help:"The ID of the machine on which the event happened."`
		Severity    string `arg:"severity" required:"true" values:"Low,Medium,High" help:"The severity of the alert."`
		Title       string `arg:"title" required:"true" help:"The title of the alert."`
		Description string `arg:"description" required:"true" help:"The description of the alert."`
		Recommended string `arg:"recommended_action" required:"true" help:"What to do about the alert."`
		EventTime   string `arg:"event_time" required:"true" help:"The time of the event, exactly as advanced hunting returns it."`
		ReportID    string `arg:"report_id" required:"true" help:"The ReportId of the event, as advanced hunting returns it."`
		Category    string `arg:"category" required:"true" default:"None" values:"None,SuspiciousActivity,Malware,CredentialTheft,Exploit,WebExploit,DocumentExploit,PrivilegeEscalation,Persistence,RemoteAccessTool,CommandAndControl,SuspiciousNetworkTraffic,Ransomware,MalwareDownload,Reconnaissance,WebFingerprinting,Weaponization,Delivery,SocialEngineering,CredentialStealing,Installation,Backdoor,Trojan,TrojanDownloader,LateralMovement,ExplorationEnumeration,NetworkPropagation,Exfiltration,NotApplicable,EnterprisePolicy,General,Collection,CredentialAccess,DefenseEvasion,Discovery,Execution,InitialAccess" help:"The category of the alert. Categories that the service no longer accepts are replaced by the closest one that it accepts; None is sent as General."`
	}
	out := Output{
		Path: "MicrosoftATP.Alert", Key: "val.ID === obj.ID", View: alertView(),
		Title: "Alert created", Columns: alertColumns(), Pages: alertPages(),
	}
	return declare(Command{
		Name: "microsoft-atp-create-alert", Area: Alerts,
		Help:    "Creates an alert from an event that advanced hunting found. If the machine has an open alert with the same title, the service adds the event to it.",
		Uses:    []defender.Operation{defender.CreateAlert},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` severity=Low title="Odd logon" description="A logon at night." recommended_action="Ask the user." event_time=2026-11-20T03:12:45.7115183Z report_id=20776 category=SuspiciousActivity`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		category, note := retiredCategories().today("category", in.Category)
		alert, err := run.API.CreateAlert(ctx, defender.NewAlert{
			MachineID: in.Machine, Severity: in.Severity, Title: in.Title, Description: in.Description,
			RecommendedAction: in.Recommended, EventTime: in.EventTime, ReportID: in.ReportID, Category: category,
		})
		if err != nil {
			return Report{}, err
		}
		entry := out.objectEntry(alert)
		entry.Blocks = append(entry.Blocks, note...)
		return report(entry), nil
	})
}

func getAlertUser() Command {
	type args struct {
		ID string `arg:"id" required:"true" help:"The ID of the alert."`
	}
	view := userView()
	out := Output{
		Path: "MicrosoftATP.AlertUser", Key: "val.AlertID === obj.AlertID", View: view, Single: true, About: "AlertID", Under: "User",
		Title: "User of the alert", Columns: sortedColumns(view),
	}
	return declare(Command{
		Name: "microsoft-atp-get-alert-related-user", Area: Alerts,
		Help:    "Shows the user that an alert is mainly about.",
		Uses:    []defender.Operation{defender.GetAlertUser},
		Outputs: []Output{out},
		Example: `id=` + exampleAlert,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		user, err := run.API.AlertUser(ctx, in.ID)
		if err != nil {
			return Report{}, err
		}
		return report(out.aboutObjectEntry(in.ID, user)), nil
	})
}

// alertParts is a kind of object that the service lists for an alert. These lists have no limit and offset of their
// own.
type alertParts struct {
	list func(api *defender.Client, ctx context.Context, alert string) (defender.List, error)
	// text is the only key of a part, and column its name in the table. If set, the context holds a list of strings.
	text, column string
}

// listParts declares the command for one kind of object that belongs to an alert.
func listParts(command Command, out Output, parts alertParts) Command {
	type args struct {
		ID     string `arg:"id" required:"true" help:"The ID of the alert."`
		Limit  int    `arg:"limit" default:"50" min:"1" help:"The maximum number of items to return."`
		Offset int    `arg:"offset" default:"0" min:"0" help:"The number of items to skip."`
	}
	out.Key, out.About = "val.AlertID === obj.AlertID", "AlertID"
	declared := out
	if parts.text != "" {
		out.View = warroom.NewView(warroom.Field{Name: parts.column, From: parts.text})
		declared.Fields = []warroom.Field{
			{Type: warroom.String, Help: "What belongs to the alert, as a list of strings."},
			// The manifest has always declared objects with this key.
			{Name: parts.column, Type: warroom.String, Help: "Not filled: the values are directly in the list above.", Gone: true},
		}
	}
	command.Area, command.Outputs, command.Example = Alerts, []Output{declared}, `id=`+exampleAlert+` limit=10`
	return declare(command, func(ctx context.Context, run *Run, in args) (Report, error) {
		list, err := parts.list(run.API, ctx, in.ID)
		if err != nil {
			return Report{}, err
		}
		shown := list.Items[min(in.Offset, len(list.Items)):]
		left := max(0, len(shown)-in.Limit)
		shown = shown[:len(shown)-left]
		entry := out.aboutEntry(in.ID, defender.List{Items: shown, Whole: rawjson.Join(list.Items), More: left > 0 || list.More, Limited: true, Skipped: in.Offset})
		if parts.text != "" {
			entry.Context[0].Value = warroom.Group{{Key: out.About, Value: warroom.Text(in.ID)}, {Key: out.Under, Value: textsAt(parts.text, shown)}}
		}
		return report(entry), nil
	})
}

// textsAt returns the texts at one key of several objects.
func textsAt(key string, objects []rawjson.Value) warroom.Texts {
	texts := make(warroom.Texts, len(objects))
	for i, object := range objects {
		texts[i] = object.Text(key)
	}
	return texts
}

func getAlertFiles() Command {
	return listParts(Command{
		Name: "microsoft-atp-get-alert-related-files",
		Help: "Lists the files that belong to an alert.",
		Uses: []defender.Operation{defender.ListAlertFiles},
	}, Output{
		Path: "MicrosoftATP.AlertFile", Under: "Files", View: fileView(),
		Title: "Files of the alert", Columns: []string{"Sha1", "Sha256", "SizeInBytes", "FileType", "FilePublisher", "FileProductName"},
		Empty: "No file belongs to the alert.",
	}, alertParts{list: (*defender.Client).AlertFiles})
}

func getAlertIPs() Command {
	return listParts(Command{
		Name: "microsoft-atp-get-alert-related-ips",
		Help: "Lists the IP addresses that belong to an alert.",
		Uses: []defender.Operation{defender.ListAlertIPs},
	}, Output{
		Path: "MicrosoftATP.AlertIP", Under: "IPs",
		Title: "IP addresses of the alert", Empty: "No IP address belongs to the alert.",
	}, alertParts{list: (*defender.Client).AlertIPs, text: "id", column: "IpAddress"})
}

func getAlertDomains() Command {
	return listParts(Command{
		Name: "microsoft-atp-get-alert-related-domains",
		Help: "Lists the domains that belong to an alert.",
		Uses: []defender.Operation{defender.ListAlertDomains},
	}, Output{
		Path: "MicrosoftATP.AlertDomain", Under: "Domains",
		Title: "Domains of the alert", Empty: "No domain belongs to the alert.",
	}, alertParts{list: (*defender.Client).AlertDomains, text: "host", column: "Domain"})
}
