package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func exposureCommands() []func() Command {
	return []func() Command{
		getMachineExposure, listRecommendations, getRecommendationDetails, getScores, listRemediationTasks, cve, listAntivirusHealth,
	}
}

// exposedSoftwareView shows software as the service lists it for a machine.
func exposedSoftwareView() *warroom.View {
	return warroom.NewView(
		asGiven("id", warroom.String, "The ID of the software."),
		asGiven("name", warroom.String, "The name of the software."),
		asGiven("vendor", warroom.String, "The vendor of the software."),
		asGiven("weaknesses", warroom.Number, "The number of known vulnerabilities of the software."),
		asGiven("publicExploit", warroom.Boolean, "Whether one of them has a public exploit."),
		asGiven("activeAlert", warroom.Boolean, "Whether the software has an active alert."),
		asGiven("exposedMachines", warroom.Number, "The number of machines that are exposed through it."),
		asGiven("impactScore", warroom.Number, "What the software adds to the exposure score."),
	)
}

func recommendationFields() []warroom.Field {
	return []warroom.Field{
		asGiven("id", warroom.String, "The ID of the recommendation."),
		asGiven("productName", warroom.String, "The product that it is about."),
		asGiven("recommendationName", warroom.String, "What to do."),
		asGiven("weaknesses", warroom.Number, "The number of vulnerabilities that it removes."),
		asGiven("vendor", warroom.String, "The vendor of the product."),
		asGiven("recommendedVersion", warroom.String, "The version to update to."),
		asGiven("recommendationCategory", warroom.String, "The category of the recommendation."),
		asGiven("subCategory", warroom.String, "The subcategory of the recommendation."),
		asGiven("severityScore", warroom.Number, "The severity, from 0 to 10."),
		asGiven("publicExploit", warroom.Boolean, "Whether one of the vulnerabilities has a public exploit."),
		asGiven("activeAlert", warroom.Boolean, "Whether there is an active alert."),
		asGiven("associatedThreats", warroom.Unknown, "The IDs of threats that use the vulnerabilities."),
		asGiven("remediationType", warroom.String, "The kind of remediation, such as Update or ConfigurationChange."),
		asGiven("status", warroom.String, "Active or Exception."),
		asGiven("configScoreImpact", warroom.Number, "What following it adds to the secure score for devices."),
		asGiven("exposureImpact", warroom.Number, "What following it takes from the exposure score."),
		asGiven("totalMachineCount", warroom.Number, "The number of machines with the product."),
		asGiven("exposedMachinesCount", warroom.Number, "The number of machines that are exposed."),
		asGiven("nonProductivityImpactedAssets", warroom.Number, "The number of machines that can be changed without disturbing anybody."),
		asGiven("relatedComponent", warroom.String, "The component that it is about."),
	}
}

func recommendationColumns() []string {
	return []string{"id", "recommendationName", "severityScore", "weaknesses", "publicExploit", "exposedMachinesCount", "exposureImpact", "remediationType", "status"}
}

func missingKBView() *warroom.View {
	return warroom.NewView(
		asGiven("id", warroom.String, "The number of the update."),
		asGiven("name", warroom.String, "The name of the update."),
		asGiven("productsNames", warroom.Unknown, "The products that it is for."),
		asGiven("url", warroom.String, "The address of the update."),
		asGiven("machineMissedOn", warroom.Number, "The number of machines that lack it."),
		asGiven("cveAddressed", warroom.Number, "The number of vulnerabilities that it fixes."),
	)
}

func machineReferenceView() *warroom.View {
	return warroom.NewView(
		asGiven("id", warroom.String, "The ID of the machine."),
		asGiven("computerDnsName", warroom.String, "The fully qualified DNS name of the machine."),
		asGiven("osPlatform", warroom.String, "The operating system."),
		asGiven("rbacGroupName", warroom.String, "The name of the device group."),
	)
}

// part is a list that belongs to something, with what the context and the War Room show of it.
type part struct {
	// name is how the argument calls it, and key where the context has it.
	name, key string
	operation defender.Operation
	view      *warroom.View
	title     string
	columns   []string
	// arrange, when set, filters and sorts the list.
	arrange func([]rawjson.Value) []rawjson.Value
}

func partNamed(parts []part, name string) part {
	return parts[max(0, slices.IndexFunc(parts, func(one part) bool { return one.name == name }))]
}

// blocks show as much of a list as is wanted, and say when that is not all.
func (p part) blocks(of string, items []rawjson.Value, limit int) []warroom.Block {
	shown := items[:min(limit, len(items))]
	blocks := []warroom.Block{warroom.Table{
		Title: fmt.Sprintf("%s of %s", p.title, of), Columns: p.columns, Records: warroom.Records{View: p.view, Rows: shown}, Empty: "None.",
	}}
	if len(shown) < len(items) {
		blocks = append(blocks, warroom.Paragraph(fmt.Sprintf("These are the first %d of %d.", len(shown), len(items))))
	}
	return blocks
}

// urgency orders vulnerabilities by what to fix first: those with an exploit in a kit, then with a verified and with a
// public one, then by score.
func urgency(a, b rawjson.Value) int {
	rank := func(vulnerability rawjson.Value) int {
		for i, key := range []string{"exploitInKit", "exploitVerified", "publicExploit"} {
			if vulnerability.Key(key).Bool() {
				return i
			}
		}
		return 3
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Key("cvssV3").Float(), a.Key("cvssV3").Float()), strings.Compare(a.Text("id"), b.Text("id")))
}

// byNumber orders objects by a number, the largest first.
func byNumber(key string) func(a, b rawjson.Value) int {
	return func(a, b rawjson.Value) int {
		return cmp.Or(cmp.Compare(b.Key(key).Float(), a.Key(key).Float()), strings.Compare(a.Text("id"), b.Text("id")))
	}
}

func sorted(items []rawjson.Value, order func(a, b rawjson.Value) int) []rawjson.Value {
	items = slices.Clone(items)
	slices.SortStableFunc(items, order)
	return items
}

// exposureParts are the parts of a machine's exposure.
func exposureParts(keep func(vulnerability rawjson.Value) bool) []part {
	order := func(key string) func([]rawjson.Value) []rawjson.Value {
		return func(items []rawjson.Value) []rawjson.Value { return sorted(items, byNumber(key)) }
	}
	return []part{
		{"vulnerabilities", "vulnerabilities", defender.ListVulnerabilitiesOfMachine, vulnerabilityOutput("").View, "Vulnerabilities", []string{"id", "severity", "cvssV3", "exploitInKit", "publicExploit", "epss", "publishedOn", "exposedMachines"}, func(items []rawjson.Value) []rawjson.Value {
			return sorted(slices.DeleteFunc(slices.Clone(items), func(one rawjson.Value) bool { return !keep(one) }), urgency)
		}},
		{"recommendations", "recommendations", defender.ListRecommendationsOfMachine, warroom.NewView(recommendationFields()...), "Recommendations", []string{"id", "recommendationName", "severityScore", "weaknesses", "publicExploit", "exposureImpact", "remediationType", "status"}, order("exposureImpact")},
		{"missing_kbs", "missingKbs", defender.ListMissingKBsOfMachine, missingKBView(), "Missing updates", []string{"id", "name", "productsNames", "cveAddressed", "url"}, order("cveAddressed")},
		{"software", "software", defender.ListSoftwareOfMachine, exposedSoftwareView(), "Software", []string{"id", "weaknesses", "publicExploit", "activeAlert", "impactScore"}, order("weaknesses")},
	}
}

func getMachineExposure() Command {
	type args struct {
		Machines    []string `arg:"machine_id" required:"true" help:"The IDs of the machines."`
		Include     []string `arg:"include" default:"vulnerabilities,recommendations,missing_kbs" values:"software,vulnerabilities,recommendations,missing_kbs" help:"What to show of each machine. Each choice is a request."`
		MinSeverity string   `arg:"min_severity" values:"Low,Medium,High,Critical" help:"The lowest severity of the vulnerabilities."`
		Exploitable bool     `arg:"exploitable_only" default:"false" help:"Whether to show only vulnerabilities with a known exploit."`
		Limit       int      `arg:"limit" default:"50" min:"1" help:"The maximum number of items of each list to return, the most urgent first."`
		Left        []string `arg:"left_to_read" list:"false" hidden:"true" help:"What is still to be read; set by the command itself."`
	}
	parts := exposureParts(nil)
	out := Output{Path: "MicrosoftATP.MachineExposure", Key: "val.machineId && val.machineId == obj.machineId", Fields: []warroom.Field{
		{Name: "machineId", Type: warroom.String, Help: "The ID of the machine."},
	}}
	for _, one := range parts {
		out.Fields = append(out.Fields, warroom.Field{Name: one.key, Of: one.view})
	}
	uses := make([]defender.Operation, len(parts))
	for i, one := range parts {
		uses[i] = one.operation
	}
	return declare(Command{
		Name: "microsoft-atp-get-machine-exposure", Area: Software, Polls: true,
		Help:    "Shows what is wrong with machines in one view: vulnerabilities, recommendations, missing updates and software, the most urgent first. A part that fails does not hide the others.",
		Uses:    uses,
		Outputs: []Output{out, cveOutput(), scoreOutput()},
		Example: `machine_id=` + exampleMachine + ` min_severity=High`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		parts := exposureParts(func(one rawjson.Value) bool {
			return severityRank(one.Text("severity")) >= severityRank(in.MinSeverity) &&
				(!in.Exploitable || one.Key("publicExploit").Bool() || one.Key("exploitVerified").Bool() || one.Key("exploitInKit").Bool())
		})
		if len(in.Include) == 0 {
			return Report{}, wrong(run, "include is missing")
		}
		wanted := in.Left
		if len(wanted) == 0 {
			for _, machine := range in.Machines {
				for _, name := range in.Include {
					wanted = append(wanted, machine+"/"+name)
				}
			}
		}
		asked := forEach(ctx, wanted, func(ctx context.Context, one string) ([]rawjson.Value, error) {
			machine, name := splitPair(one)
			list, err := run.API.All(ctx, partNamed(parts, name).operation, machine)
			return list.Items, err
		})
		return finishParts(asked, "left_to_read", exposureEntry(run, out, parts, asked.Done, in.Limit))
	})
}

// exposureEntry shows the parts of all machines.
func exposureEntry(run *Run, out Output, parts []part, all []done[[]rawjson.Value], limit int) warroom.Entry {
	var entry warroom.Entry
	var machines []string
	groups := map[string]warroom.Group{}
	wholes := map[string]map[string]any{}
	var found []rawjson.Value
	for _, one := range all {
		machine, name := splitPair(one.ID)
		of := partNamed(parts, name)
		items := of.arrange(one.Value)
		if groups[machine] == nil {
			machines = append(machines, machine)
			groups[machine] = warroom.Group{{Key: "machineId", Value: warroom.Text(machine)}}
			wholes[machine] = map[string]any{"machineId": machine}
		}
		entry.Blocks = append(entry.Blocks, of.blocks(machine, items, limit)...)
		items = items[:min(limit, len(items))]
		groups[machine] = append(groups[machine], warroom.Pair{Key: of.key, Value: warroom.Records{View: of.view, Rows: items}})
		wholes[machine][of.key] = rawMessages(one.Value)
		if name == "vulnerabilities" {
			found = append(found, items...)
		}
	}
	if len(machines) == 0 {
		return entry
	}
	var values warroom.Values
	contents := make([]any, len(machines))
	for i, machine := range machines {
		values, contents[i] = append(values, groups[machine]), wholes[machine]
	}
	entry.Contents = warroom.Raw(rawjson.Make(contents))
	entry.Context = append([]warroom.Context{{Path: out.path(), Value: values}}, vulnerabilityContext(run, found)...)
	return entry
}

// rawMessages makes a list of objects that encoding/json takes over as they are.
func rawMessages(items []rawjson.Value) any {
	return jsonText(rawjson.Join(items))
}

// jsonText is JSON that encoding/json takes over as it is.
type jsonText string

// MarshalJSON returns the text.
func (t jsonText) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return []byte(t), nil
}

// finishParts is finish for a view of several parts: when all of them fail, one error says enough.
func finishParts[T any](asked outcome[T], argument string, entry warroom.Entry) (Report, error) {
	if len(asked.Done) == 0 && len(asked.Left) == 0 {
		return Report{}, asked.Failed[0].Err
	}
	return asked.finish(argument, entry)
}

// vulnerabilityContext puts vulnerabilities at the platform's standard paths, each once.
func vulnerabilityContext(run *Run, all []rawjson.Value) []warroom.Context {
	var scores, unique []rawjson.Value
	for _, one := range eachOnce(all, "id") {
		if id := one.Text("id"); id != "" {
			unique = append(unique, one)
			scores = append(scores, unjudged(run, id, cveIndicator))
		}
	}
	if len(unique) == 0 {
		return nil
	}
	return []warroom.Context{cveOutput().context(unique), scoreOutput().context(scores)}
}

func recommendationOutput() Output {
	return Output{
		Path: "MicrosoftATP.Recommendation", Key: keyedByID, View: warroom.NewView(recommendationFields()...),
		Title: "Security recommendations", Columns: recommendationColumns(), Empty: "No recommendation matches.",
	}
}

func listRecommendations() Command {
	type args struct {
		IDs      []string `arg:"recommendation_id" help:"The IDs of the recommendations. Only those of them that match the other conditions are shown; limit, offset and sort_by are then ignored."`
		Category string   `arg:"category" help:"The category, such as Application or OS."`
		Product  string   `arg:"product_name" help:"The name of the product."`
		Vendor   string   `arg:"vendor" help:"The vendor of the product."`
		Type     string   `arg:"remediation_type" help:"The kind of remediation, such as Update or ConfigurationChange."`
		Status   string   `arg:"status" values:"Active,Exception" help:"The status of the recommendations."`
		Exploit  *bool    `arg:"has_public_exploit" help:"Whether a vulnerability of the recommendation has a public exploit."`
		Sort     string   `arg:"sort_by" default:"exposureImpact" values:"exposureImpact,configScoreImpact,severityScore,exposedMachinesCount" help:"The number by which to sort, the largest first."`
		Limit    int      `arg:"limit" default:"50" min:"1" max:"10000" help:"The maximum number of recommendations to return."`
		Offset   int      `arg:"offset" default:"0" min:"0" help:"The number of recommendations to skip."`
	}
	out := recommendationOutput()
	return declare(Command{
		Name: "microsoft-atp-list-recommendations", Area: Software, Polls: true,
		Help:    "Lists security recommendations, those that matter most first.",
		Uses:    []defender.Operation{defender.ListRecommendations, defender.GetRecommendation},
		Outputs: []Output{out},
		Example: `status=Active has_public_exploit=true limit=10`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		conditions := []struct{ property, value string }{
			{"recommendationCategory", in.Category}, {"productName", in.Product}, {"vendor", in.Vendor}, {"remediationType", in.Type}, {"status", in.Status},
		}
		exploitDiffers := func(one rawjson.Value) bool {
			return in.Exploit != nil && one.Key("publicExploit").Bool() != *in.Exploit
		}
		if len(in.IDs) > 0 {
			return out.eachReport(ctx, "recommendation_id", in.IDs, func(ctx context.Context, id string) (rawjson.Value, error) {
				one, err := run.API.One(ctx, defender.GetRecommendation, id)
				for _, wanted := range conditions {
					if wanted.value != "" && !strings.EqualFold(one.Text(wanted.property), wanted.value) {
						return "", err
					}
				}
				if exploitDiffers(one) {
					return "", err
				}
				return one, err
			})
		}
		filters := make([]defender.Filter, len(conditions))
		for i, wanted := range conditions {
			filters[i] = defender.EqualAny(wanted.property, given(wanted.value))
		}
		list, err := run.API.Recommendations(ctx, defender.Query{Filter: defender.And(filters...), Limit: defender.Everything})
		if err != nil {
			return Report{}, err
		}
		all := slices.DeleteFunc(slices.Clone(list.Items), exploitDiffers)
		all = sorted(all, byNumber(in.Sort))
		all = all[min(in.Offset, len(all)):]
		shown := all[:min(in.Limit, len(all))]
		entry := out.rowsEntry(shown, rawjson.Join(shown))
		if looked := fmt.Sprintf("%d of %s looked at.", len(shown), countOf(len(list.Items), "recommendation")); len(shown) < len(list.Items) {
			entry.Blocks = append(entry.Blocks, warroom.Paragraph(looked))
		}
		return report(entry), nil
	})
}

// detailParts are the lists that belong to a recommendation.
func detailParts() []part {
	return []part{
		{"machines", "machines", defender.ListRecommendationMachines, machineReferenceView(), "Machines", []string{"id", "computerDnsName", "osPlatform", "rbacGroupName"}, nil},
		{"vulnerabilities", "vulnerabilities", defender.ListRecommendationVulnerabilities, vulnerabilityOutput("").View, "Vulnerabilities", []string{"id", "severity", "cvssV3", "exploitInKit", "publicExploit", "epss", "publishedOn", "exposedMachines"}, func(items []rawjson.Value) []rawjson.Value { return sorted(items, urgency) }},
		{"software", "software", defender.GetRecommendationSoftware, exposedSoftwareView(), "Software", []string{"id", "weaknesses", "exposedMachines", "impactScore"}, nil},
	}
}

func getRecommendationDetails() Command {
	type args struct {
		ID      string   `arg:"recommendation_id" required:"true" help:"The ID of the recommendation, such as va-_-google-_-chrome."`
		Include []string `arg:"include" default:"machines,vulnerabilities" values:"machines,vulnerabilities,software" help:"What to show of the recommendation. Each choice is a request."`
		Limit   int      `arg:"limit" default:"50" min:"1" help:"The maximum number of items of each list to return."`
	}
	out := recommendationOutput()
	fields := append(recommendationFields(),
		asGiven("tags", warroom.Unknown, "The tags of the recommendation."),
		asGiven("exposedCriticalDevices", warroom.Number, "The number of exposed machines that are critical."),
	)
	for _, one := range detailParts() {
		fields = append(fields, warroom.Field{Name: one.key, From: one.key, Of: one.view})
	}
	out.View, out.Title = warroom.NewView(fields...), "Security recommendation"
	return declare(Command{
		Name: "microsoft-atp-get-recommendation-details", Area: Software, Polls: true,
		Help:    "Shows a security recommendation with the machines that need it, the vulnerabilities that it removes and the software that it is about. microsoft-atp-bulk-machine-tag accepts the machines.",
		Uses:    []defender.Operation{defender.GetRecommendation, defender.ListRecommendationMachines, defender.ListRecommendationVulnerabilities, defender.GetRecommendationSoftware},
		Outputs: []Output{out},
		Example: `recommendation_id=va-_-google-_-chrome`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		const itself = "itself"
		parts := detailParts()
		asked := forEach(ctx, append([]string{itself}, in.Include...), func(ctx context.Context, name string) ([]rawjson.Value, error) {
			switch operation := partNamed(parts, name).operation; {
			case name == itself:
				one, err := run.API.One(ctx, defender.GetRecommendation, in.ID)
				return []rawjson.Value{one}, err
			case operation.Path == defender.GetRecommendationSoftware.Path:
				one, err := run.API.One(ctx, operation, in.ID)
				if one.Text("id") == "" { // a list in one edition of the documentation
					return one.Items("value"), err
				}
				return []rawjson.Value{one}, err
			default:
				list, err := run.API.All(ctx, operation, in.ID)
				return list.Items, err
			}
		})
		if len(asked.Left) > 0 {
			return Report{Left: map[string]any{}, After: asked.After}, nil
		}
		object := rawjson.Make(map[string]string{"id": in.ID})
		var blocks []warroom.Block
		for _, one := range asked.Done {
			if one.ID == itself {
				object = one.Value[0].Bare()
				continue
			}
			of, items := partNamed(parts, one.ID), one.Value
			if of.arrange != nil {
				items = of.arrange(items)
			}
			blocks = append(blocks, of.blocks(in.ID, items, in.Limit)...)
			object = with(object, of.key, rawMessages(items[:min(in.Limit, len(items))]))
		}
		entry := out.objectEntry(object)
		entry.Blocks = append(entry.Blocks, blocks...)
		return finishParts(asked, "", entry)
	})
}

func getScores() Command {
	out := Output{Path: "MicrosoftATP.Score", Single: true, Title: "Scores", Fields: []warroom.Field{
		{Name: "exposure.score", Type: warroom.Number, Help: "The exposure score of the organization, from 0 to 100; lower is better."},
		{Name: "exposure.time", Type: warroom.Date, Help: "The time of the score."},
		{Name: "deviceSecure.score", Type: warroom.Number, Help: "The secure score for devices; higher is better."},
		{Name: "deviceSecure.time", Type: warroom.Date, Help: "The time of the score."},
		{Name: "groups.rbacGroupName", Type: warroom.String, Help: "The name of a device group."},
		{Name: "groups.rbacGroupId", Type: warroom.Number, Help: "The ID of the device group."},
		{Name: "groups.score", Type: warroom.Number, Help: "The exposure score of the device group."},
		{Name: "groups.time", Type: warroom.Date, Help: "The time of the score."},
	}}
	return declare(Command{
		Name: "microsoft-atp-get-scores", Area: Software, Polls: true,
		Help:    "Shows the exposure score of the organization and of its device groups, and the secure score for devices.",
		Uses:    []defender.Operation{defender.GetExposureScore, defender.ListGroupExposureScores, defender.GetDeviceSecureScore},
		Outputs: []Output{out},
	}, func(ctx context.Context, run *Run, _ struct{}) (Report, error) {
		const exposure, groups, secure = "exposure", "groups", "deviceSecure"
		asked := forEach(ctx, []string{exposure, secure, groups}, func(ctx context.Context, name string) (any, error) {
			switch name {
			case exposure:
				score, err := run.API.One(ctx, defender.GetExposureScore)
				return jsonText(score.Bare()), err
			case secure:
				score, err := run.API.One(ctx, defender.GetDeviceSecureScore)
				return jsonText(score.Bare()), err
			default:
				list, err := run.API.GroupExposureScores(ctx)
				return rawMessages(list.Items), err
			}
		})
		if len(asked.Left) > 0 {
			return Report{Left: map[string]any{}, After: asked.After}, nil
		}
		found := map[string]any{}
		for _, one := range asked.Done {
			found[one.ID] = one.Value
		}
		object := rawjson.Make(found)
		entry := warroom.Entry{Contents: warroom.Raw(object), Context: []warroom.Context{out.context([]rawjson.Value{object})}}
		entry.Blocks = scoreBlocks(object)
		return finishParts(asked, "", entry)
	})
}

func scoreBlocks(scores rawjson.Value) []warroom.Block {
	var rows []rawjson.Value
	add := func(what string, score gjson.Result) {
		if score.Exists() {
			rows = append(rows, rawjson.Make(map[string]any{"Score": what, "Value": score.Value()}))
		}
	}
	add("Exposure (less is better)", scores.Get("exposure.score"))
	add("Secure score for devices (more is better)", scores.Get("deviceSecure.score"))
	for _, group := range scores.Items("groups") {
		add("Exposure of the device group "+group.Text("rbacGroupName"), group.Key("score"))
	}
	return []warroom.Block{warroom.Table{Title: "Scores", Columns: []string{"Score", "Value"}, Records: warroom.Records{Rows: rows}, Empty: "The service has no score."}}
}

// remediationTaskArgs holds the arguments of microsoft-atp-list-remediation-tasks.
type remediationTaskArgs struct {
	IDs          []string `arg:"task_id" help:"The IDs of the tasks. Only those of them that match the other conditions are shown; limit and offset are then ignored."`
	Status       string   `arg:"status" values:"Active,Completed" help:"The status of the tasks."`
	CreatedAfter Moment   `arg:"created_after" help:"The earliest creation time of the tasks: a date, or a time span back from now."`
	Overdue      bool     `arg:"overdue_only" default:"false" help:"Whether to list only tasks that are past their due date and not completed."`
	Machines     bool     `arg:"include_machines" default:"false" help:"Whether to list the machines of each task, which takes a request for each."`
	Limit        int      `arg:"limit" default:"50" min:"1" max:"10000" help:"The maximum number of tasks to return."`
	Offset       int      `arg:"offset" default:"0" min:"0" help:"The number of tasks to skip."`
}

// matches reports whether a task that was asked for by its ID meets the conditions for tasks.
func (a remediationTaskArgs) matches(run *Run, task rawjson.Value) bool {
	return (a.Status == "" || strings.EqualFold(task.Text("status"), a.Status)) &&
		!parseTime(task.Text("createdOn")).Before(a.CreatedAfter.Time) &&
		(!a.Overdue || isOverdue(run, task))
}

func listRemediationTasks() Command {
	out := remediationTaskOutput()
	return declare(Command{
		Name: "microsoft-atp-list-remediation-tasks", Area: Software, Polls: true,
		Help:    "Lists remediation tasks with what part of their machines is fixed and whether they are overdue.",
		Uses:    []defender.Operation{defender.ListRemediationTasks, defender.GetRemediationTask, defender.ListRemediationTaskMachines},
		Outputs: []Output{out},
		Example: `status=Active overdue_only=true`,
	}, func(ctx context.Context, run *Run, in remediationTaskArgs) (Report, error) {
		withMachines := func(ctx context.Context, task rawjson.Value) (rawjson.Value, error) {
			task = withProgress(run, task)
			if !in.Machines {
				return task, nil
			}
			list, err := run.API.All(ctx, defender.ListRemediationTaskMachines, task.Text("id"))
			return with(task, "machines", rawMessages(list.Items)), err
		}
		if len(in.IDs) > 0 {
			return out.eachReport(ctx, "task_id", in.IDs, func(ctx context.Context, id string) (rawjson.Value, error) {
				task, err := run.API.One(ctx, defender.GetRemediationTask, id)
				if err != nil || !in.matches(run, task) {
					return "", err
				}
				return withMachines(ctx, task.Bare())
			})
		}
		query := defender.Query{Filter: defender.EqualAny("status", given(in.Status)), Limit: in.Limit, Skip: in.Offset}
		if !in.CreatedAfter.IsZero() {
			query.Filter = defender.And(query.Filter, defender.Since("createdOn", in.CreatedAfter.Time))
		}
		if in.Overdue { // which the service does not filter by
			query.Limit, query.Skip = defender.Everything, 0
		}
		list, err := run.API.RemediationTasks(ctx, query)
		if err != nil {
			return Report{}, err
		}
		tasks := list.Items
		if in.Overdue {
			tasks = slices.DeleteFunc(slices.Clone(tasks), func(task rawjson.Value) bool { return !isOverdue(run, task) })
			tasks = tasks[min(in.Offset, len(tasks)):]
			list.More = list.More || len(tasks) > in.Limit
			tasks = tasks[:min(in.Limit, len(tasks))]
			list.Whole, list.Skipped = "", in.Offset // the answer has the others as well
		}
		byID := map[string]rawjson.Value{}
		ids := idsIn(tasks)
		for _, task := range tasks {
			byID[task.Text("id")] = task
		}
		if len(ids) == 0 {
			list.Items = nil
			return report(out.listEntry(list)), nil
		}
		asked := forEach(ctx, ids, func(ctx context.Context, id string) (rawjson.Value, error) { return withMachines(ctx, byID[id]) })
		list.Items = values(asked.Done)
		result, err := asked.finish("task_id", out.listEntry(list))
		if result.Left != nil { // the tasks that are left match already; the conditions may come to exclude them
			result.Left["status"], result.Left["created_after"], result.Left["overdue_only"] = nil, nil, nil
		}
		return result, err
	})
}

// withProgress adds to a task whether it is overdue, and what part of its machines is fixed.
func withProgress(run *Run, task rawjson.Value) rawjson.Value {
	task = with(task, "overdue", isOverdue(run, task))
	if target := task.Key("targetDevices").Float(); target > 0 {
		task = with(task, "fixedPercent", int(task.Key("fixedDevices").Float()*100/target)) //nolint:mnd // percent
	}
	return task
}

func remediationTaskOutput() Output {
	return Output{
		Path: "MicrosoftATP.RemediationTask", Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The ID of the task."),
			asGiven("title", warroom.String, "The title of the task."),
			asGiven("createdOn", warroom.Date, "The time at which the task was created."),
			asGiven("requesterId", warroom.String, "The ID of the user who requested it."),
			asGiven("requesterEmail", warroom.String, "The email address of the user who requested it."),
			asGiven("status", warroom.String, "Active or Completed."),
			asGiven("statusLastModifiedOn", warroom.Date, "The time at which the status last changed."),
			asGiven("description", warroom.String, "The description of the task."),
			asGiven("relatedComponent", warroom.String, "The component that it is about."),
			asGiven("targetDevices", warroom.Number, "The number of machines to fix."),
			asGiven("rbacGroupNames", warroom.Unknown, "The names of the device groups."),
			asGiven("fixedDevices", warroom.Number, "The number of machines that are fixed."),
			asGiven("fixedPercent", warroom.Number, "The percentage of the machines that are fixed."),
			asGiven("overdue", warroom.Boolean, "Whether the task is past its due date and not completed."),
			asGiven("requesterNotes", warroom.String, "The notes of the user who requested it."),
			asGiven("dueOn", warroom.Date, "The due date."),
			asGiven("category", warroom.String, "The category of the task."),
			asGiven("productivityImpactRemediationType", warroom.String, "How the remediation disturbs the users of the machines."),
			asGiven("priority", warroom.String, "The priority of the task."),
			asGiven("completionMethod", warroom.String, "How the task was completed."),
			asGiven("completerId", warroom.String, "The ID of the user who completed it."),
			asGiven("completerEmail", warroom.String, "The email address of the user who completed it."),
			asGiven("scid", warroom.String, "The ID of the configuration that it changes."),
			asGiven("type", warroom.String, "The kind of remediation."),
			asGiven("productId", warroom.String, "The ID of the product."),
			asGiven("vendorId", warroom.String, "The vendor of the product."),
			asGiven("nameId", warroom.String, "The name of the product."),
			asGiven("recommendedVersion", warroom.String, "The version to update to."),
			asGiven("recommendedVendor", warroom.String, "The recommended vendor."),
			asGiven("recommendedProgram", warroom.String, "The recommended program."),
			warroom.Field{Name: "machines", From: "machines", Of: machineReferenceView()},
		),
		Title: "Remediation tasks", Columns: []string{"id", "title", "status", "priority", "dueOn", "overdue", "fixedDevices", "targetDevices", "fixedPercent"},
		Empty: "No remediation task matches.",
	}
}

// isOverdue reports whether a task is past its due date and not completed.
func isOverdue(run *Run, task rawjson.Value) bool {
	due := parseTime(task.Text("dueOn"))
	set := due.Year() > 1 // the service writes a time that nobody has set as one of the year 1
	return set && due.Before(run.Now()) && !strings.EqualFold(task.Text("status"), "Completed")
}

func cve() Command {
	type args struct {
		IDs []string `arg:"cve" required:"true" help:"The IDs of the vulnerabilities, such as CVE-2026-12345."`
	}
	out := vulnerabilityOutput("MicrosoftATP.Vulnerability", "id", "severity", "cvssV3", "exposedMachines", "publicExploit", "exploitInKit", "publishedOn", "description")
	return declare(Command{
		Name: "cve", Area: Software, Polls: true,
		Help:    "Enriches vulnerabilities: what they are, and how many machines of the organization have them. Their score is unknown, since a vulnerability is not malicious.",
		Uses:    []defender.Operation{defender.GetVulnerability},
		Outputs: []Output{out, cveOutput(), scoreOutput()},
		Example: `cve=CVE-2026-12345`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		asked := forEach(ctx, in.IDs, func(ctx context.Context, id string) (rawjson.Value, error) {
			vulnerability, err := run.API.One(ctx, defender.GetVulnerability, strings.ToUpper(id))
			if unknownVulnerability(err) {
				return "", nil
			}
			return vulnerability, err
		})
		var entries []warroom.Entry
		for _, one := range asked.Done {
			if one.Value.Text("id") == "" {
				entries = append(entries, warroom.Entry{
					Blocks:  []warroom.Block{warroom.Paragraph("The service does not know " + one.ID + ".")},
					Context: []warroom.Context{scoreOutput().context([]rawjson.Value{unjudged(run, one.ID, cveIndicator)})},
				})
				continue
			}
			entries = append(entries, vulnerabilityEntries(run, out.titled("%s", one.ID), cveOutput(), defender.List{Items: []rawjson.Value{one.Value}})...)
		}
		return asked.finish("cve", entries...)
	})
}

// unknownVulnerability reports whether the service does not know a vulnerability: it answers an ID that is of another form
// with 400.
func unknownVulnerability(err error) bool {
	refused, ok := errors.AsType[*defender.APIError](err)
	return defender.NotFound(err) || ok && refused.Status == http.StatusBadRequest && strings.EqualFold(refused.Code, "ResourceNotFound")
}

// antivirusModes are the modes of Microsoft Defender Antivirus by their numbers
// (https://learn.microsoft.com/defender-endpoint/api/device-health-export-antivirus-health-report-api).
func antivirusModes() []string {
	return []string{"Active", "Passive", "Disabled", "Others", "EDRBlocked", "PassiveAudit"}
}

func antivirusMode(number string) string {
	for i, name := range antivirusModes() {
		if number == fmt.Sprint(i) {
			return name
		}
	}
	return number
}

func listAntivirusHealth() Command {
	type args struct {
		Machines   []string `arg:"machine_id" help:"The IDs of the machines."`
		Name       string   `arg:"computer_dns_name" help:"The fully qualified DNS name of the machine."`
		OS         string   `arg:"os_kind" values:"windows,mac,linux" help:"The kind of operating system."`
		Modes      []string `arg:"av_mode" values:"Active,Passive,Disabled,Others,EDRBlocked,PassiveAudit,0,1,2,3,4,5" help:"The modes of the antivirus, by name or number."`
		Outdated   []string `arg:"outdated" values:"signature,engine,platform" help:"Only machines on which one of these is out of date."`
		ScanFailed bool     `arg:"scan_failed" default:"false" help:"Whether to list only machines whose last quick or full scan failed."`
		Limit      int      `arg:"limit" default:"50" min:"1" max:"10000" help:"The maximum number of machines to return."`
	}
	out := antivirusOutput()
	return declare(Command{
		Name: "microsoft-atp-list-device-av-health", Area: Machines, Polls: true,
		Help:    "Lists the health of Microsoft Defender Antivirus on machines: its mode, versions, updates and scans.",
		Uses:    []defender.Operation{defender.ListDeviceAVInfo},
		Outputs: []Output{out},
		Example: `outdated=signature limit=20`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		modes := make([]string, len(in.Modes))
		for i, mode := range in.Modes {
			modes[i] = mode
			if number := slices.Index(antivirusModes(), mode); number >= 0 {
				modes[i] = fmt.Sprint(number)
			}
		}
		var outdated []defender.Filter
		for _, what := range in.Outdated {
			outdated = append(outdated, defender.Equal("avIs"+strings.ToUpper(what[:1])+what[1:]+"UpToDate", "False"))
		}
		filters := []defender.Filter{
			defender.EqualAny("machineId", in.Machines), defender.EqualAny("computerDnsName", given(in.Name)), defender.EqualAny("osKind", given(in.OS)),
			defender.EqualAny("avMode", modes), defender.Or(outdated...),
		}
		if in.ScanFailed {
			filters = append(filters, defender.Or(defender.Equal("quickScanResult", "Failed"), defender.Equal("fullScanResult", "Failed")))
		}
		return out.listReport(run.API.DeviceAVInfo(ctx, defender.Query{Filter: defender.And(filters...), Limit: in.Limit}))
	})
}

func antivirusOutput() Output {
	return Output{
		Path: "MicrosoftATP.DeviceAV", Key: keyedByID,
		View: warroom.NewView(
			asGiven("id", warroom.String, "The ID of the record."),
			asGiven("machineId", warroom.String, "The ID of the machine."),
			asGiven("computerDnsName", warroom.String, "The fully qualified DNS name of the machine."),
			asGiven("osKind", warroom.String, "The kind of operating system."),
			asGiven("osPlatform", warroom.String, "The operating system."),
			asGiven("osVersion", warroom.String, "The version of the operating system."),
			asGiven("avMode", warroom.String, "The mode of the antivirus as the service's number."),
			warroom.Field{Name: "avModeName", Type: warroom.String, Help: "The mode of the antivirus: Active, Passive, Disabled, Others, EDRBlocked or PassiveAudit.", Make: func(object rawjson.Value) warroom.Value {
				if mode := object.Text("avMode"); mode != "" {
					return warroom.Text(antivirusMode(mode))
				}
				return nil
			}},
			asGiven("avSignatureVersion", warroom.String, "The version of the signatures."),
			asGiven("avEngineVersion", warroom.String, "The version of the engine."),
			asGiven("avPlatformVersion", warroom.String, "The version of the platform."),
			asGiven("lastSeenTime", warroom.Date, "The time at which the machine was last seen."),
			asGiven("quickScanResult", warroom.String, "The result of the last quick scan."),
			asGiven("quickScanError", warroom.String, "The error of the last quick scan."),
			asGiven("quickScanTime", warroom.Date, "The time of the last quick scan."),
			asGiven("fullScanResult", warroom.String, "The result of the last full scan."),
			asGiven("fullScanError", warroom.String, "The error of the last full scan."),
			asGiven("fullScanTime", warroom.Date, "The time of the last full scan."),
			asGiven("dataRefreshTimestamp", warroom.Date, "The time at which the record was refreshed."),
			asGiven("avEngineUpdateTime", warroom.Date, "The time of the last update of the engine."),
			asGiven("avSignatureUpdateTime", warroom.Date, "The time of the last update of the signatures."),
			asGiven("avPlatformUpdateTime", warroom.Date, "The time of the last update of the platform."),
			asGiven("avIsSignatureUpToDate", warroom.String, "Whether the signatures are up to date: True, False or Unknown."),
			asGiven("avIsEngineUpToDate", warroom.String, "Whether the engine is up to date: True, False or Unknown."),
			asGiven("avIsPlatformUpToDate", warroom.String, "Whether the platform is up to date: True, False or Unknown."),
			asGiven("avSignaturePublishTime", warroom.Date, "The time at which the signatures were published."),
			asGiven("rbacGroupName", warroom.String, "The name of the device group."),
			asGiven("rbacGroupId", warroom.Number, "The ID of the device group."),
		),
		Title:   "Antivirus health",
		Columns: []string{"machineId", "computerDnsName", "osKind", "avModeName", "avIsSignatureUpToDate", "avIsEngineUpToDate", "avIsPlatformUpToDate", "quickScanResult", "quickScanTime", "lastSeenTime"},
		Empty:   "No machine matches.",
	}
}
