package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func indicatorCommands() []func() Command {
	return []func() Command{
		listIndicators,
		getIndicator,
		createIndicator,
		updateIndicator,
		deleteIndicator,
		importIndicators,
	}
}

// indicatorKind describes one type of indicator.
type indicatorKind struct {
	// name is the service's name of the type, and score the platform's.
	name  string
	score indicatorType
	// object is the platform's standard object for a value.
	object func(value string) rawjson.Value
	// problem returns the end of the sentence "the value ..." if the service would reject the value, or "".
	problem func(value string) string
	// block is the action that replaces AlertAndBlock.
	block string
}

// indicatorKinds returns the types of indicators that the commands handle. The service has one more, certificates,
// for which the platform has no standard object.
func indicatorKinds() []indicatorKind {
	hash := func(name string, kind hashKind) indicatorKind {
		return indicatorKind{
			name: name, score: fileIndicator, block: blockAndRemediate,
			object:  func(value string) rawjson.Value { return fileObject(kind, value) },
			problem: func(value string) string { return hashProblem(value, kind) },
		}
	}
	return []indicatorKind{
		hash("FileSha1", sha1Hash),
		hash("FileSha256", sha256Hash),
		hash("FileMd5", md5Hash),
		{"IpAddress", ipIndicator, ipObject, addressProblem, "Block"},
		{"DomainName", domainIndicator, domainObject, domainProblem, "Block"},
		{"Url", urlIndicator, urlObject, urlProblem, "Block"},
	}
}

func kindOf(name string) (indicatorKind, bool) {
	for _, kind := range indicatorKinds() {
		if strings.EqualFold(kind.name, name) {
			return kind, true
		}
	}
	return indicatorKind{}, false
}

func hashProblem(value string, kind hashKind) string {
	if hashKindOf(value) == kind {
		return ""
	}
	return "must be the hexadecimal digits of the file's " + string(kind) + " hash"
}

func addressProblem(value string) string {
	address, err := netip.ParseAddr(value)
	if err == nil && address.Zone() == "" {
		return ""
	}
	return "must be a single IP address: the service does not accept ranges"
}

// longestDomain and longestLabel are the maximum lengths of domain names in bytes (RFC 1035).
const (
	longestDomain = 253
	longestLabel  = 63
)

func domainProblem(value string) string {
	const problem = "must be a domain name such as bad.example"
	labels := strings.Split(strings.TrimSuffix(value, "."), ".")
	if len(value) > longestDomain || len(labels) < 2 || addressProblem(value) == "" {
		return problem
	}
	for _, label := range labels {
		if label == "" || len(label) > longestLabel || strings.ContainsFunc(label, outsideDomains) {
			return problem
		}
	}
	return ""
}

// outsideDomains reports whether a character cannot occur in a domain name of any script.
func outsideDomains(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
}

func urlProblem(value string) string {
	const problem = "must be a URL such as https://bad.example/path"
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return problem
	}
	if !strings.Contains(value, "://") {
		value = "//" + value // the service decides whether a scheme may be missing
	}
	address, err := url.Parse(value)
	if err != nil || (addressProblem(address.Hostname()) != "" && domainProblem(address.Hostname()) != "") {
		return problem
	}
	return ""
}

// The actions that have rules of their own.
const (
	audit             = "Audit"
	blockAndRemediate = "BlockAndRemediate"
)

// actionToday returns the action that replaced one that the service retired, and whether it was retired. Alert and
// AlertAndBlock were supported until January 2022; each became another action that raises an alert.
func (k indicatorKind) actionToday(action string) (string, bool) {
	switch action {
	case "Alert":
		return audit, true
	case "AlertAndBlock":
		return k.block, true
	}
	return action, false
}

// replacedNote tells the analyst which action was sent instead of a retired one.
func replacedNote(retired, today string) warroom.Block {
	return warroom.Paragraph(fmt.Sprintf("The service no longer accepts the action %s; %s with an alert was sent instead.", retired, today))
}

// indicatorView shows indicators with the service's own keys.
func indicatorView() *warroom.View {
	return warroom.NewView(
		asGiven("id", warroom.String, "The indicator's ID."),
		asGiven("action", warroom.String, "What the service does on a match: Allowed, Audit, Warn, Block or BlockAndRemediate."),
		asGiven("description", warroom.String, "What the indicator is about."),
		asGiven("expirationTime", warroom.Date, "When the indicator expires."),
		asGiven("severity", warroom.String, "The severity of the alerts that it raises."),
		asGiven("indicatorValue", warroom.String, "The hash, address, domain or URL."),
		asGiven("recommendedActions", warroom.String, "What to do about an alert."),
		asGiven("generateAlert", warroom.Boolean, "Whether it raises alerts."),
		asGiven("rbacGroupNames", warroom.Unknown, "The device groups that it applies to; empty means all groups."),
		asGiven("rbacGroupIds", warroom.Unknown, "The IDs of these device groups."),
		asGiven("mitreTechniques", warroom.Unknown, "The techniques of MITRE ATT&CK."),
		asGiven("indicatorType", warroom.String, "The kind of value."),
		asGiven("lastUpdateTime", warroom.Date, "When it last changed."),
		asGiven("createdByDisplayName", warroom.String, "The name of its creator."),
		asGiven("application", warroom.String, "The application that it was created for."),
		asGiven("title", warroom.String, "The title of the alerts that it raises."),
		asGiven("createdBySource", warroom.String, "What it was created with."),
		asGiven("historicalDetection", warroom.Boolean, "Whether past events are matched as well."),
		asGiven("lastUpdatedBy", warroom.String, "Who last changed it."),
		asGiven("creationTimeDateTimeUtc", warroom.Date, "When it was created."),
		asGiven("category", warroom.Number, "The category of the alerts that it raises."),
		asGiven("createdBy", warroom.String, "The ID of its creator."),
		asGiven("source", warroom.String, "Where it came from."),
		asGiven("sourceType", warroom.String, "Whether a user or an application created it."),
		asGiven("notificationId", warroom.String, "The ID of the notification that users see."),
		warroom.Field{Name: "externalId", From: "externalId|externalID", Type: warroom.String, Help: "The ID that its source assigned."},
	)
}

func indicatorOutput(title string) Output {
	return Output{
		Path: "MicrosoftATP.Indicators", Key: keyedByID, View: indicatorView(), Single: true,
		Title: title, Columns: []string{"action", "indicatorValue", "indicatorType", "severity", "title", "description", "id"},
		Empty: "No indicator was found.",
	}
}

// standardOutput is the platform's standard path of a kind of indicator.
type standardOutput struct {
	kind indicatorType
	out  Output
}

func standardOutputs() []standardOutput {
	return []standardOutput{
		{fileIndicator, fileOutput()},
		{ipIndicator, ipOutput()},
		{domainIndicator, domainOutput()},
		{urlIndicator, urlOutput()},
	}
}

// indicatorPaths holds the context paths that a command about indicators fills.
type indicatorPaths struct {
	own      Output
	standard []standardOutput
	// scores is nil for commands that have no scores.
	scores *Output
}

func pathsOf(own Output) indicatorPaths {
	return indicatorPaths{own: own, standard: standardOutputs(), scores: new(scoreOutput())}
}

func (p indicatorPaths) outputs() []Output {
	outputs := []Output{p.own}
	for _, standard := range p.standard {
		outputs = append(outputs, standard.out)
	}
	if p.scores != nil {
		outputs = append(outputs, *p.scores)
	}
	return outputs
}

// entry shows one indicator. Its score is unknown whatever its action and severity are: a tenant's own rule defines
// what to do with a value, and not what the vendor knows about it.
func (p indicatorPaths) entry(run *Run, indicator rawjson.Value) warroom.Entry {
	entry := p.own.objectEntry(indicator)
	entry.Context = append(entry.Context, p.standardContext(indicator)...)
	if kind, known := kindOf(indicator.Text("indicatorType")); known && p.scores != nil && indicator.Text("indicatorValue") != "" {
		score := unjudged(run, indicator.Text("indicatorValue"), kind.score)
		entry.Context = append(entry.Context, p.scores.context([]rawjson.Value{score}))
	}
	return entry
}

// standardContext puts indicators of the service where playbooks look for files, addresses, domains and URLs of
// any vendor.
func (p indicatorPaths) standardContext(indicators ...rawjson.Value) []warroom.Context {
	objects := map[indicatorType][]rawjson.Value{}
	for _, indicator := range indicators {
		if kind, known := kindOf(indicator.Text("indicatorType")); known && indicator.Text("indicatorValue") != "" {
			objects[kind.score] = append(objects[kind.score], kind.object(indicator.Text("indicatorValue")))
		}
	}
	var contexts []warroom.Context
	for _, standard := range p.standard {
		if found := objects[standard.kind]; found != nil {
			contexts = append(contexts, standard.out.context(found))
		}
	}
	return contexts
}

// noIndicators is a message, and not an error, for when the service knows none of the requested indicators.
const noIndicators = "No indicators were found."

func listIndicators() Command {
	type args struct {
		Limit int    `arg:"limit" default:"50" min:"1" help:"The maximum number of indicators to return."`
		Skip  *int   `arg:"skip" min:"0" help:"The number of indicators to skip."`
		Value string `arg:"indicator_value" help:"A part of the value."`
		Title string `arg:"indicator_title" help:"A part of the title."`
		Type  string `arg:"indicator_type" values:"FileSha1,FileSha256,FileMd5,CertificateThumbprint,IpAddress,DomainName,Url" help:"The type of the indicators."`
	}
	paths := pathsOf(indicatorOutput("Indicator"))
	return declare(Command{
		Name: "microsoft-atp-sc-indicator-list", Area: Indicators,
		Help:    "Lists the indicators of the tenant that have not expired and match all the given conditions. Without the permission Ti.ReadWrite.All only those that the application created itself are listed.",
		Uses:    []defender.Operation{defender.ListIndicators},
		Outputs: paths.outputs(),
		Example: `limit=10`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		query := defender.Query{
			Filter: defender.And(containing("title", in.Title), containing("indicatorValue", in.Value), defender.EqualAny("indicatorType", given(in.Type))),
			Limit:  in.Limit,
		}
		if in.Skip != nil {
			query.Skip, query.FromStart = *in.Skip, true
		}
		indicators, err := run.API.Indicators(ctx, query)
		if defender.NotFound(err) {
			return report(warroom.Say(noIndicators)), nil
		}
		if err != nil {
			return Report{}, err
		}
		return report(paths.own.objectEntries(indicators, func(indicator rawjson.Value) warroom.Entry {
			return paths.entry(run, indicator)
		})...), nil
	})
}

func getIndicator() Command {
	return showsIndicator(Command{Name: "microsoft-atp-sc-indicator-get-by-id"}, pathsOf(indicatorOutput("Indicator")))
}

// showsIndicator completes the declaration of a command that shows an indicator by its ID.
func showsIndicator(command Command, paths indicatorPaths) Command {
	type args struct {
		ID string `arg:"indicator_id" required:"true" help:"The ID of an indicator."`
	}
	command.Area, command.Help, command.Example = Indicators, "Shows an indicator by its ID.", `indicator_id=996`
	command.Uses, command.Outputs, command.Unnamed = []defender.Operation{defender.GetIndicator}, paths.outputs(), "indicator_id"
	return declare(command, func(ctx context.Context, run *Run, in args) (Report, error) {
		indicator, err := run.API.Indicator(ctx, in.ID)
		if defender.NotFound(err) {
			return report(warroom.Say(fmt.Sprintf("%s The service does not know the ID %s.", noIndicators, in.ID))), nil
		}
		if err != nil {
			return Report{}, err
		}
		return report(paths.entry(run, indicator)), nil
	})
}

func createIndicator() Command {
	return submitIndicator("microsoft-atp-sc-indicator-create", "Indicator created",
		"Creates an indicator for a file, an IP address, a domain or a URL. An existing indicator with the same value and type is updated.")
}

func updateIndicator() Command {
	return submitIndicator("microsoft-atp-sc-indicator-update", "Indicator updated",
		"Updates the indicator with the given value and type, or creates it if it does not exist.")
}

// indicatorArguments describes an indicator.
type indicatorArguments struct {
	Value         string         `arg:"indicator_value" required:"true" help:"The hash, IP address, domain or URL."`
	Type          string         `arg:"indicator_type" required:"true" values:"FileSha1,FileSha256,FileMd5,IpAddress,DomainName,Url" help:"The type of the value."`
	Action        string         `arg:"action" required:"true" values:"Audit,Warn,Block,BlockAndRemediate,Allowed,Alert,AlertAndBlock" help:"What the service does on a match. BlockAndRemediate is for files, Block for everything else. Alert and AlertAndBlock, which the service has retired, are sent as Audit and as blocking with an alert."`
	Severity      string         `arg:"severity" values:"Informational,Low,Medium,High" help:"The severity of the alerts."`
	Expiration    *time.Duration `arg:"expiration_time" help:"The time span after which the indicator expires, such as 30 days. Without one it never expires."`
	Description   string         `arg:"indicator_description" required:"true" help:"What the indicator is about."`
	Title         string         `arg:"indicator_title" required:"true" help:"The title of the alerts."`
	Application   string         `arg:"indicator_application" help:"The application that the indicator is created for; it cannot be changed later."`
	Recommended   string         `arg:"recommended_actions" help:"What to do about an alert."`
	Groups        []string       `arg:"rbac_group_names" help:"The device groups that the indicator applies to; all groups if empty."`
	GenerateAlert *bool          `arg:"generate_alert" values:"true,false" help:"Whether a match raises an alert; true by default, and required by the action Audit."`
}

// submitIndicator declares a command that submits an indicator. For the service, creating and updating one are the
// same operation.
func submitIndicator(name, title, help string) Command {
	paths := pathsOf(indicatorOutput(title))
	return declare(Command{
		Name: name, Area: Indicators, Policies: []string{quarantinePolicy},
		Help:    help,
		Uses:    []defender.Operation{defender.SubmitIndicator},
		Outputs: paths.outputs(),
		Example: `indicator_value=198.51.100.3 indicator_type=IpAddress action=Block severity=High expiration_time="30 days" indicator_title="Command and control" indicator_description="Seen in ticket 4711"`,
	}, func(ctx context.Context, run *Run, in indicatorArguments) (Report, error) {
		wanted, notes, err := in.indicator(run)
		if err != nil {
			return Report{}, err
		}
		return paths.submit(ctx, run, wanted, notes)
	})
}

// submit creates or replaces an indicator and shows it with notes for the analyst.
func (p indicatorPaths) submit(ctx context.Context, run *Run, wanted defender.Indicator, notes []warroom.Block) (Report, error) {
	indicator, err := run.API.SubmitIndicator(ctx, wanted)
	if err != nil {
		return Report{}, err
	}
	entry := p.entry(run, indicator)
	entry.Blocks = append(entry.Blocks, notes...)
	return report(entry), nil
}

// indicator checks the arguments against the service's rules, and returns the indicator to submit and notes for the
// analyst.
func (in indicatorArguments) indicator(run *Run) (defender.Indicator, []warroom.Block, error) {
	kind, known := kindOf(in.Type)
	if !known {
		return defender.Indicator{}, nil, wrong(run, "unknown indicator type %q", in.Type)
	}
	if problem := kind.problem(in.Value); problem != "" {
		return defender.Indicator{}, nil, wrong(run, "%q is not a valid %s: it %s", in.Value, kind.name, problem)
	}
	action, retired := kind.actionToday(in.Action)
	alert := retired || in.GenerateAlert == nil || *in.GenerateAlert
	if action == audit && !alert {
		return defender.Indicator{}, nil, wrong(run, "generate_alert must be true with the action %s", audit)
	}
	var notes []warroom.Block
	if retired {
		notes = append(notes, replacedNote(in.Action, action))
	}
	return defender.Indicator{
		Value: in.Value, Type: kind.name, Action: action, Title: in.Title, Description: in.Description,
		ExpirationTime: expiry(run, in.Expiration), Severity: in.Severity, Application: in.Application,
		RecommendedActions: in.Recommended, RBACGroupNames: in.Groups, GenerateAlert: &alert,
	}, notes, nil
}

// expiry returns the time after a span in the service's format, or "" without a span.
func expiry(run *Run, span *time.Duration) string {
	if span == nil {
		return ""
	}
	return run.Now().UTC().Add(*span).Format(time.RFC3339)
}

func deleteIndicator() Command {
	return indicatorDeletion(Command{Name: "microsoft-atp-sc-indicator-delete", Policies: []string{quarantinePolicy}})
}

// indicatorDeletion declares a command that deletes an indicator.
func indicatorDeletion(command Command) Command {
	type args struct {
		ID string `arg:"indicator_id" required:"true" help:"The ID of an indicator."`
	}
	command.Area, command.Uses, command.Example = Indicators, []defender.Operation{defender.DeleteIndicator}, `indicator_id=996`
	command.Help = "Deletes an indicator. Without the permission Ti.ReadWrite.All only an indicator that the application created itself can be deleted."
	return declare(command, func(ctx context.Context, run *Run, in args) (Report, error) {
		if err := run.API.DeleteIndicator(ctx, in.ID); err != nil {
			return Report{}, err
		}
		return report(warroom.Say("Indicator " + in.ID + " was deleted.")), nil
	})
}

// importView shows the result for each indicator of a batch. Its keys differ from those of other indicators, so that
// the condition on id, by which playbooks know the path, does not merge them.
func importView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The indicator's ID."},
		warroom.Field{Name: "Value", From: "indicator", Type: warroom.String, Help: "The hash, address, domain or URL."},
		warroom.Field{Name: "FailureReason", From: "failureReason", Type: warroom.String, Help: "Why the service rejected it."},
		warroom.Field{Name: "IsFailed", From: "isFailed", Type: warroom.Boolean, Help: "Whether the service rejected it."},
	)
}

func importIndicators() Command {
	type args struct {
		Batch []rawjson.Value `arg:"indicator_batch" required:"true" help:"Up to 500 indicators as a JSON list, with the keys of the API: indicatorValue, indicatorType, action, title and description, and optionally expirationTime, severity and others."`
	}
	out := Output{
		Path: "MicrosoftATP.Indicators", Key: keyedByID, View: importView(),
		Columns: []string{"ID", "Value", "IsFailed", "FailureReason"}, Empty: "The service returned no result for the indicators.",
	}
	return declare(Command{
		Name: "microsoft-atp-indicator-batch-update", Area: Indicators,
		Help:    "Creates or updates up to 500 indicators at once and shows the result of each.",
		Uses:    []defender.Operation{defender.ImportIndicators},
		Outputs: []Output{out},
		Example: `indicator_batch="[{\"indicatorValue\":\"bad.example\",\"indicatorType\":\"DomainName\",\"action\":\"Block\",\"title\":\"Phishing\",\"description\":\"ticket 4711\"}]"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if len(in.Batch) == 0 || len(in.Batch) > defender.MostImported {
			return Report{}, wrong(run, "indicator_batch must contain 1 to %d indicators; got %d", defender.MostImported, len(in.Batch))
		}
		batch, notes := todaysActions(in.Batch)
		results, err := run.API.ImportIndicators(ctx, batch)
		if err != nil {
			return Report{}, err
		}
		failed := 0
		for _, result := range results.Items {
			if result.Key("isFailed").Bool() {
				failed++
			}
		}
		entry := out.titled("Indicators: %d accepted, %d failed", len(results.Items)-failed, failed).rowsEntry(results.Items, results.Whole)
		entry.Contents = out.records(results.Items)
		entry.Blocks = append(entry.Blocks, notes...)
		return report(entry), nil
	})
}

// todaysActions returns the indicators of a batch with actions that the service accepts today, and one note for each
// replacement.
func todaysActions(batch []rawjson.Value) ([]rawjson.Value, []warroom.Block) {
	var notes []warroom.Block
	changed := make([]rawjson.Value, len(batch))
	for i, indicator := range batch {
		given := indicator.Text("action")
		kind, known := kindOf(indicator.Text("indicatorType"))
		action, retired := kind.actionToday(given)
		switch {
		case known && retired:
			indicator = with(with(indicator, "action", action), "generateAlert", true)
			if note := replacedNote(given, action); !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		case action == audit && !indicator.Has("generateAlert"):
			indicator = with(indicator, "generateAlert", true)
		}
		changed[i] = indicator
	}
	return changed, notes
}

// with returns the object with one key set to a plain value.
func with(object rawjson.Value, key string, value any) rawjson.Value {
	keys := map[string]json.RawMessage{}
	object.Each(func(name string, value rawjson.Value) { keys[name] = json.RawMessage(value) })
	keys[key] = json.RawMessage(rawjson.Make(value))
	return rawjson.Make(keys)
}
