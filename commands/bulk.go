package commands

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// bulkCommands change many objects with few requests.
func bulkCommands() []func() Command {
	return []func() Command{
		batchUpdateAlerts,
		bulkTagMachines,
		findMachinesByTag,
		setDeviceValue,
		batchDeleteIndicators,
		cancelMachineActions,
	}
}

// chunks lists the IDs that each request of a bulk operation changes, separated by commas as an argument holds them.
func chunks(ids []string, size int) []string {
	var all []string
	for part := range slices.Chunk(ids, size) {
		all = append(all, strings.Join(part, ","))
	}
	return all
}

// idsIn are the IDs of objects.
func idsIn(objects []rawjson.Value) []string {
	ids := make([]string, 0, len(objects))
	for _, object := range objects {
		if id := object.Text("id"); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// accepted joins the IDs of the chunks that the service accepted.
func accepted[T any](all []done[T]) []string {
	var ids []string
	for _, one := range all {
		ids = append(ids, strings.Split(one.ID, ",")...)
	}
	return ids
}

// eachID is an outcome that counts single IDs, and names those that failed and those that are left: what became of a chunk
// became of each of them.
func (o outcome[T]) eachID() outcome[T] {
	var failed []failure
	for _, one := range o.Failed {
		for id := range strings.SplitSeq(one.ID, ",") {
			failed = append(failed, failure{id, one.Err})
		}
	}
	o.Failed, o.Accepted = failed, len(accepted(o.Done))
	if len(o.Left) > 0 {
		o.Left = strings.Split(strings.Join(o.Left, ","), ",")
	}
	return o
}

// inChunks calls ask for the chunks of the IDs. When all of them fail, the error is that of the first.
func inChunks[T any](ctx context.Context, ids []string, size int, ask func(ctx context.Context, ids []string) (T, error)) (outcome[T], error) {
	asked := forEach(ctx, chunks(ids, size), func(ctx context.Context, chunk string) (T, error) { return ask(ctx, strings.Split(chunk, ",")) })
	if len(asked.Done) > 0 || len(asked.Left) > 0 || len(asked.Failed) == 0 {
		return asked.eachID(), nil
	}
	return asked, asked.Failed[0].Err
}

// alertSelection selects alerts by conditions. The service filters only by some of them; the others are looked at here.
type alertSelection struct {
	Incident     *int   `arg:"incident_id" min:"0" help:"The ID of the incident that the alerts belong to."`
	Title        string `arg:"title" help:"The whole title of the alerts; case does not matter."`
	Machine      string `arg:"machine_id" help:"The ID of the machine that the alerts are about."`
	CreatedAfter Moment `arg:"created_after" help:"The earliest creation time of the alerts: a date, or a time span back from now."`
}

func (s alertSelection) empty() bool {
	return s.Incident == nil && s.Title == "" && s.Machine == "" && s.CreatedAfter.IsZero()
}

func (s alertSelection) filter() defender.Filter {
	var parts []defender.Filter
	if s.Incident != nil {
		parts = append(parts, defender.Number("incidentId", "eq", float64(*s.Incident))) // the service refuses to compare a number with a text
	}
	if !s.CreatedAfter.IsZero() {
		parts = append(parts, defender.Since("alertCreationTime", s.CreatedAfter.Time))
	}
	return defender.And(parts...)
}

// matches looks at the filter's conditions as well: what changes many objects must not rely on a filter that may get lost.
func (s alertSelection) matches(alert rawjson.Value) bool {
	const created = "alertCreationTime"
	if alert.Key(created).Exists() && parseTime(alert.Text(created)).Before(s.CreatedAfter.Time) {
		return false
	}
	return (s.Title == "" || strings.EqualFold(alert.Text("title"), s.Title)) && (s.Machine == "" || alert.Text("machineId") == s.Machine) &&
		(s.Incident == nil || !differs(alert, "incidentId", []string{strconv.Itoa(*s.Incident)}))
}

// differs reports whether the value of a property is another one than the texts, whatever their case. Without texts, or the property, it is not.
func differs(object rawjson.Value, property string, texts []string) bool {
	value := object.Text(property)
	return len(texts) > 0 && object.Key(property).Exists() && !slices.ContainsFunc(texts, func(text string) bool { return strings.EqualFold(text, value) })
}

// TooManyError reports that the service has more objects than are looked at for a selection, so that the selection would be
// incomplete.
type TooManyError struct{ Thing string }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("Nothing was changed: the service has more than %d %ss to choose from. Narrow the selection.", defender.Everything, e.Thing)
}

// pick lists the alerts of the selection.
func (s alertSelection) pick(ctx context.Context, run *Run) ([]string, error) {
	list, err := run.API.Alerts(ctx, defender.Query{Filter: s.filter(), Limit: defender.Everything})
	if err != nil {
		return nil, err
	}
	if list.More {
		return nil, &TooManyError{"alert"}
	}
	return idsIn(slices.DeleteFunc(list.Items, func(alert rawjson.Value) bool { return !s.matches(alert) })), nil
}

func batchUpdateAlerts() Command {
	type args struct {
		IDs []string `arg:"alert_id" help:"The IDs of the alerts. Give these, or conditions that select alerts."`
		alertSelection
		Status         string `arg:"status" values:"New,InProgress,Resolved" help:"The new status."`
		AssignedTo     string `arg:"assigned_to" help:"The new owner of the alerts."`
		Classification string `arg:"classification" values:"TruePositive,FalsePositive,InformationalExpectedActivity" help:"The classification of the alerts."`
		Determination  string `arg:"determination" values:"NotAvailable,Apt,Malware,SecurityPersonnel,SecurityTesting,UnwantedSoftware,Other,MultiStagedAttack,MaliciousUserActivity,CompromisedAccount,CompromisedUser,Phishing,LineOfBusinessApplication,ConfirmedActivity,ConfirmedUserActivity,NotMalicious,Clean,InsufficientData" help:"The determination of the alerts. Apt became MultiStagedAttack, and SecurityPersonnel became SecurityTesting."`
		Comment        string `arg:"comment" help:"A comment to add to every alert."`
		expectation
		Left []string `arg:"left_to_update" list:"false" hidden:"true" help:"The alerts that are still to be updated; set by the command itself."`
	}
	out := Output{
		Path: "MicrosoftATP.AlertBatch", Single: true, Title: "Alerts updated",
		Fields: []warroom.Field{
			{Name: "alertIds", Type: warroom.Unknown, Help: "The IDs of the alerts that the service accepted for the update."},
			{Name: "updated", Type: warroom.Number, Help: "The number of those alerts."},
			{Name: "failed", Type: warroom.Unknown, Help: "The IDs of the alerts that could not be updated."},
		},
		Columns: []string{"updated", "alertIds"},
	}
	return declare(Command{
		Name: "microsoft-atp-batch-update-alerts", Area: Alerts, Polls: true,
		Help:    "Changes many alerts in the same way, 100 with each request. Alerts selected by conditions are counted first, and are changed only when their number is the one given in expect.",
		Uses:    []defender.Operation{defender.BatchUpdateAlerts, defender.ListAlerts},
		Outputs: []Output{out},
		Example: `title="Suspicious PowerShell" created_after="7 days" status=Resolved classification=FalsePositive expect=200`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		update, note, err := todaysUpdate(run, defender.AlertUpdate{
			Status: in.Status, AssignedTo: in.AssignedTo, Classification: in.Classification, Determination: in.Determination, Comment: in.Comment,
		})
		if err != nil {
			return Report{}, err
		}
		ids := in.Left
		if len(ids) == 0 {
			if ids, err = alertsToUpdate(ctx, run, in.IDs, in.alertSelection, in.expectation); err != nil {
				return Report{}, err
			}
		}
		if len(ids) == 0 {
			return report(warroom.Say("No alert was updated.")), nil
		}
		asked, err := inChunks(ctx, ids, defender.AlertsPerBatch, func(ctx context.Context, ids []string) (struct{}, error) {
			return struct{}{}, run.API.UpdateAlerts(ctx, ids, update)
		})
		if err != nil {
			return Report{}, err
		}
		entry := out.objectEntry(rawjson.Make(batchResult(accepted(asked.Done), asked.Failed)))
		entry.Blocks = append([]warroom.Block{warroom.Paragraph(batchSummary(ctx, run, accepted(asked.Done), update))}, note...)
		return asked.finish("left_to_update", entry)
	})
}

func alertsToUpdate(ctx context.Context, run *Run, ids []string, selection alertSelection, expect expectation) ([]string, error) {
	switch {
	case len(ids) > 0 && !selection.empty():
		return nil, wrong(run, "alert_id and conditions that select alerts exclude each other")
	case len(ids) > 0:
		return ids, expect.named(len(ids), "alert")
	case selection.empty():
		return nil, wrong(run, "alert_id is missing, or one of incident_id, title, machine_id and created_after")
	}
	ids, err := selection.pick(ctx, run)
	if err != nil {
		return nil, err
	}
	return ids, expect.selected(len(ids), "alert")
}

// alertBatch is the context of a batch update.
type alertBatch struct {
	IDs     []string `json:"alertIds"`
	Updated int      `json:"updated"`
	Failed  []string `json:"failed,omitempty"`
}

func batchResult(ids []string, failed []failure) alertBatch {
	result := alertBatch{IDs: ids, Updated: len(ids)}
	for _, one := range failed {
		result.Failed = append(result.Failed, one.ID)
	}
	return result
}

// sampleSize is how many of the updated alerts are read back: the service answers a batch without saying what it did.
const sampleSize = 10

// batchSummary says how many alerts were updated and, of some, whether the change can be seen.
func batchSummary(ctx context.Context, run *Run, ids []string, update defender.AlertUpdate) string {
	if len(ids) == 0 {
		return "No alert was updated."
	}
	text := fmt.Sprintf("The service accepted the update of %s.", countOf(len(ids), "alert"))
	sample := ids[:min(sampleSize, len(ids))]
	list, err := run.API.Alerts(ctx, defender.Query{Filter: defender.EqualAny("id", sample), Limit: len(sample)})
	if err != nil {
		return text + " Reading some of them back failed: " + inOneLine(err.Error())
	}
	changed := 0
	for _, alert := range list.Items {
		if shows(alert, update) {
			changed++
		}
	}
	if changed == len(sample) {
		return text + fmt.Sprintf(" All %d that were read back show it.", len(sample))
	}
	return text + fmt.Sprintf(" %d of %d that were read back show it so far; list them again in a minute.", changed, len(sample))
}

// shows reports whether an alert is as the update makes it. Comments are not compared.
func shows(alert rawjson.Value, update defender.AlertUpdate) bool {
	same := func(key, want string) bool { return want == "" || strings.EqualFold(alert.Text(key), want) }
	return same("status", update.Status) && same("assignedTo", update.AssignedTo) && same("classification", update.Classification) && same("determination", update.Determination)
}

// listedMachines are the arguments of commands that act on many machines.
type listedMachines struct {
	Machines []string `arg:"machine_id" help:"The IDs of the machines."`
	Entry    string   `arg:"entry_id" help:"The ID of a War Room entry with a text file that lists further machine IDs, separated by commas, spaces or line breaks, or as a JSON list. In the terminal, the path of such a file."`
}

// largestIDFile is how much of a file of IDs is read, in bytes: some 25,000 machines.
const largestIDFile = 1 << 20

// all are the machines of both arguments, each once.
func (m listedMachines) all(ctx context.Context, run *Run) ([]string, error) {
	ids := m.Machines
	if m.Entry != "" {
		text, err := smallFile(ctx, run, m.Entry, largestIDFile)
		if err != nil {
			return nil, err
		}
		for _, id := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", ;\t\r\n\"[]\ufeff", r) }) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil, wrong(run, "machine_id is missing, or entry_id with a file of machine IDs")
	}
	return ids, nil
}

// smallFile reads a file of the War Room of at most the given size in bytes.
func smallFile(ctx context.Context, run *Run, entry string, most int64) (string, error) {
	_, file, err := run.Host.Open(ctx, entry)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var text strings.Builder
	if _, err := copyAtMost(&text, file, most); err != nil {
		return "", &warroom.FileError{Entry: entry, Err: err}
	}
	return text.String(), nil
}

func bulkTagMachines() Command {
	type args struct {
		listedMachines
		Tags   []string `arg:"tag" required:"true" help:"The tags."`
		Action string   `arg:"action" required:"true" values:"Add,Remove" help:"Whether to add the tags or to remove them."`
		expectation
		Left []string `arg:"left_to_tag" list:"false" hidden:"true" help:"The machines that are still to be tagged; set by the command itself."`
	}
	out := Output{
		Path: "MicrosoftATP.Machine", Key: "val.ID === obj.ID", View: machineView(),
		Title: "Machines with changed tags", Columns: machineColumns("MachineTags"), Pages: machinePages(), Empty: "The service returned no machine.",
	}
	return declare(Command{
		Name: "microsoft-atp-bulk-machine-tag", Area: Machines, Polls: true,
		Help:    "Adds tags to many machines or removes them, up to 500 machines with each request.",
		Uses:    []defender.Operation{defender.TagMachines},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` tag=campaign-12 action=Add`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		ids := in.Left
		if len(ids) == 0 {
			var err error
			if ids, err = in.all(ctx, run); err != nil {
				return Report{}, err
			}
			if err := in.named(len(ids), "machine"); err != nil {
				return Report{}, err
			}
		}
		asked, err := inChunks(ctx, ids, defender.MachinesPerBatch, func(ctx context.Context, ids []string) (defender.List, error) {
			// A tag that is set again changes nothing, so a chunk that stopped at its second tag starts from the first.
			var last defender.List
			for _, tag := range in.Tags {
				var err error
				if last, err = run.API.TagMachines(ctx, ids, in.Action, tag); err != nil {
					return defender.List{}, err
				}
			}
			return last, nil
		})
		if err != nil {
			return Report{}, err
		}
		entry := taggedMachines(out, asked.Done)
		return asked.finish("left_to_tag", entry)
	})
}

// taggedMachines shows the machines that the service returned. Where it returned none, the IDs stand for them, and a
// sentence says that nothing shows the change; where it left some out, they are named.
func taggedMachines(out Output, all []done[defender.List]) warroom.Entry {
	var machines []rawjson.Value
	var missing, unshown []string
	for _, one := range all {
		returned, asked := one.Value.Items, strings.Split(one.ID, ",")
		if len(returned) == 0 {
			for _, id := range asked {
				returned = append(returned, rawjson.Make(map[string]string{"id": id}))
			}
			unshown = append(unshown, asked...)
		}
		machines = append(machines, returned...)
		changed := idsIn(returned)
		for _, id := range asked {
			if !slices.ContainsFunc(changed, func(one string) bool { return strings.EqualFold(one, id) }) {
				missing = append(missing, id)
			}
		}
	}
	entry := out.rowsEntry(machines, rawjson.Join(machines))
	if len(missing) > 0 {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph("The service did not return these machines, which are most likely unchanged: "+strings.Join(missing, ", ")))
	}
	entry.Blocks = append(entry.Blocks, unshownChanges(unshown)...)
	return entry
}

// unshownChanges names the machines whose change the service accepted with an answer that does not show it.
func unshownChanges(machines []string) []warroom.Block {
	if len(machines) == 0 {
		return nil
	}
	return []warroom.Block{warroom.Paragraph(
		"The service accepted the change without showing these machines; look at them to see whether it took effect: " + strings.Join(machines, ", "))}
}

func findMachinesByTag() Command {
	type args struct {
		Tag    string `arg:"tag" required:"true" help:"The tag, in its exact spelling."`
		Prefix bool   `arg:"starts_with" default:"false" help:"Whether the tag is only the beginning of the tags to look for."`
		Limit  int    `arg:"limit" default:"50" min:"1" max:"10000" help:"The maximum number of machines to return."`
	}
	out := Output{
		Path: "MicrosoftATP.Machine", Key: "val.ID === obj.ID", View: machineView(),
		Title: "Machines with the tag", Columns: machineColumns("MachineTags"), Pages: machinePages(), Empty: "No machine has the tag.",
	}
	return declare(Command{
		Name: "microsoft-atp-find-machines-by-tag", Area: Machines,
		Help:    "Finds the machines that have a tag.",
		Uses:    []defender.Operation{defender.FindMachinesByTag},
		Outputs: []Output{out},
		Example: `tag=campaign-12`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		return out.listReport(run.API.MachinesByTag(ctx, in.Tag, in.Prefix, in.Limit))
	})
}

func setDeviceValue() Command {
	type args struct {
		Machines []string `arg:"machine_id" required:"true" help:"The IDs of the machines."`
		Value    string   `arg:"device_value" required:"true" values:"Low,Normal,High" help:"How much the machine matters, which weighs its part of the exposure score."`
	}
	out := Output{
		Path: "MicrosoftATP.Machine", Key: "val.ID === obj.ID",
		View:  machineView().With(warroom.Field{Name: "DeviceValue", From: "deviceValue", Type: warroom.String, Help: "The value that was set."}),
		Title: "Machines with a new value", Columns: []string{"ID", "ComputerDNSName", "DeviceValue", "RiskScore", "ExposureLevel", "MachineTags"},
	}
	return declare(Command{
		Name: "microsoft-atp-set-device-value", Area: Machines, Polls: true,
		Help:    "Sets how much machines matter to the organization, which weighs their exposure.",
		Uses:    []defender.Operation{defender.SetDeviceValue},
		Outputs: []Output{out},
		Example: `machine_id=` + exampleMachine + ` device_value=High`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		asked := forEach(ctx, in.Machines, func(ctx context.Context, machine string) (rawjson.Value, error) {
			return run.API.SetDeviceValue(ctx, machine, in.Value)
		})
		found := make([]rawjson.Value, len(asked.Done))
		var unshown []string
		for i, one := range asked.Done {
			machine := one.Value
			if machine.Text("id") == "" {
				machine = rawjson.Make(map[string]string{"id": one.ID})
				unshown = append(unshown, one.ID)
			}
			found[i] = with(machine, "deviceValue", in.Value)
		}
		entry := out.rowsEntry(found, rawjson.Join(found))
		entry.Blocks = append(entry.Blocks, unshownChanges(unshown)...)
		return asked.finish("machine_id", entry)
	})
}

// indicatorSelection selects indicators by conditions.
type indicatorSelection struct {
	Values      []string `arg:"indicator_value" help:"The values of the indicators, such as hashes, IP addresses, domains or URLs."`
	Application string   `arg:"created_by_application" help:"The name of the application that created the indicators."`
	Title       string   `arg:"title" help:"The exact title of the indicators."`
}

func (s indicatorSelection) empty() bool {
	return len(s.Values) == 0 && s.Application == "" && s.Title == ""
}

// valuesPerLookup keeps the filter of one request short enough for every proxy on the way.
const valuesPerLookup = 20

// pick lists the indicators of the selection, and the values that the tenant has no indicator for.
func (s indicatorSelection) pick(ctx context.Context, run *Run) (ids, unknown []string, err error) {
	others := defender.And(defender.EqualAny("application", given(s.Application)), defender.EqualAny("title", given(s.Title)))
	if len(s.Values) == 0 {
		ids, _, err := s.look(ctx, run, others)
		return ids, nil, err
	}
	var found []string
	for part := range slices.Chunk(s.Values, valuesPerLookup) {
		more, values, err := s.look(ctx, run, defender.And(defender.EqualAny("indicatorValue", part), others))
		if err != nil {
			return nil, nil, err
		}
		ids, found = append(ids, more...), append(found, values...)
	}
	for _, value := range s.Values {
		if !slices.ContainsFunc(found, func(one string) bool { return strings.EqualFold(one, value) }) {
			unknown = append(unknown, value)
		}
	}
	return ids, unknown, nil
}

func (s indicatorSelection) look(ctx context.Context, run *Run, filter defender.Filter) (ids, values []string, err error) {
	list, err := run.API.Indicators(ctx, defender.Query{Filter: filter, Limit: mostIndicators})
	if err != nil {
		return nil, nil, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(indicator rawjson.Value) bool { return !s.matches(indicator) })
	for _, indicator := range list.Items {
		values = append(values, indicator.Text("indicatorValue"))
	}
	return idsIn(list.Items), values, nil
}

// matches looks at the filter's conditions again, because a filter that gets lost must not delete other indicators.
func (s indicatorSelection) matches(indicator rawjson.Value) bool {
	return !differs(indicator, "indicatorValue", s.Values) && !differs(indicator, "application", given(s.Application)) &&
		!differs(indicator, "title", given(s.Title))
}

// mostIndicators is how many active indicators a tenant can have, as Microsoft documents
// (https://learn.microsoft.com/defender-endpoint/indicators-overview).
const mostIndicators = 15_000

func batchDeleteIndicators() Command {
	type args struct {
		IDs []string `arg:"indicator_id" help:"The IDs of the indicators. Give these, values, or conditions that select indicators."`
		indicatorSelection
		expectation
		Left []string `arg:"left_to_delete" list:"false" hidden:"true" help:"The indicators that are still to be deleted; set by the command itself."`
	}
	out := Output{
		Path: "MicrosoftATP.IndicatorBatch", Single: true, Title: "Indicators deleted",
		Fields: []warroom.Field{
			{Name: "deleted", Type: warroom.Unknown, Help: "The IDs of the indicators that were deleted."},
			{Name: "notFound", Type: warroom.Unknown, Help: "The IDs or values that the tenant has no indicator for, or none that this application may delete."},
		},
	}
	return declare(Command{
		Name: "microsoft-atp-indicator-batch-delete", Area: Indicators, Executes: true, Polls: true,
		Help:    "Deletes many indicators, up to 500 with each request. Indicators selected by a title or an application are counted first, and are deleted only when their number is the one given in expect.",
		Uses:    []defender.Operation{defender.BatchDeleteIndicators, defender.ListIndicators},
		Outputs: []Output{out},
		Example: `indicator_value="198.51.100.1,bad.example"`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		ids, unknown := in.Left, []string(nil)
		if len(ids) == 0 {
			var err error
			if ids, unknown, err = indicatorsToDelete(ctx, run, in.IDs, in.indicatorSelection, in.expectation); err != nil {
				return Report{}, err
			}
		}
		if len(ids) == 0 {
			return report(indicatorBatch{NotFound: unknown}.entry(out)), nil
		}
		deleter := &indicatorDeleter{api: run.API}
		asked, err := inChunks(ctx, ids, defender.IndicatorsPerBatch, deleter.delete)
		if err != nil {
			return Report{}, err
		}
		result := indicatorBatch{NotFound: unknown}
		for _, one := range asked.Done {
			result.Deleted, result.NotFound = append(result.Deleted, one.Value.Deleted...), append(result.NotFound, one.Value.NotFound...)
		}
		return asked.finish("left_to_delete", result.entry(out))
	})
}

func indicatorsToDelete(ctx context.Context, run *Run, ids []string, selection indicatorSelection, expect expectation) (picked, unknown []string, err error) {
	switch {
	case len(ids) > 0 && !selection.empty():
		return nil, nil, wrong(run, "indicator_id and conditions that select indicators exclude each other")
	case len(ids) > 0:
		return ids, nil, expect.named(len(ids), "indicator")
	case selection.empty():
		return nil, nil, wrong(run, "indicator_id is missing, or one of indicator_value, created_by_application and title")
	}
	picked, unknown, err = selection.pick(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	// Values name what is deleted as IDs do, as long as each stands for one indicator.
	if len(selection.Values) > 0 && len(picked) <= len(selection.Values) {
		return picked, unknown, expect.named(len(picked), "indicator")
	}
	return picked, unknown, expect.selected(len(picked), "indicator")
}

// indicatorBatch is the context of a batch delete.
type indicatorBatch struct {
	Deleted  []string `json:"deleted,omitempty"`
	NotFound []string `json:"notFound,omitempty"`
}

func (b indicatorBatch) entry(out Output) warroom.Entry {
	object := rawjson.Make(b)
	text := fmt.Sprintf("%s deleted.", countOf(len(b.Deleted), "indicator"))
	entry := warroom.Entry{
		Blocks:   []warroom.Block{warroom.Heading(out.Title), warroom.Paragraph(text)},
		Contents: warroom.Raw(object), Context: []warroom.Context{out.context([]rawjson.Value{object})},
	}
	if len(b.NotFound) > 0 {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph(
			"Not found, or made by another application, which only the permission Ti.ReadWrite.All reaches: "+strings.Join(b.NotFound, ", ")))
	}
	return entry
}

// indicatorDeleter deletes chunks of indicators. The service deletes all of a chunk or none: when it does not know one of
// them, those that it lists are deleted without the others.
type indicatorDeleter struct{ api *defender.Client }

func (d *indicatorDeleter) delete(ctx context.Context, ids []string) (indicatorBatch, error) {
	err := d.api.DeleteIndicators(ctx, ids)
	if err == nil {
		return indicatorBatch{Deleted: ids}, nil
	}
	if !defender.NotFound(err) {
		return indicatorBatch{}, err
	}
	list, listErr := d.api.Indicators(ctx, defender.Query{Limit: mostIndicators})
	if listErr != nil {
		return indicatorBatch{}, listErr // which of them are known is all that is left to find out
	}
	known := map[string]bool{}
	for _, id := range idsIn(list.Items) {
		known[id] = true
	}
	var result indicatorBatch
	for _, id := range ids {
		if known[id] {
			result.Deleted = append(result.Deleted, id)
		} else {
			result.NotFound = append(result.NotFound, id)
		}
	}
	if len(result.Deleted) == 0 || len(result.NotFound) == 0 {
		return indicatorBatch{}, err
	}
	return result, d.api.DeleteIndicators(ctx, result.Deleted)
}

// actionSelection selects machine actions that have not ended.
type actionSelection struct {
	Machines []string `arg:"machine_id" help:"The IDs of machines whose actions are cancelled."`
	Types    []string `arg:"type" values:"RunAntiVirusScan,Offboard,CollectInvestigationPackage,Isolate,Unisolate,StopAndQuarantineFile,RestrictCodeExecution,UnrestrictCodeExecution,LiveResponse" help:"The kinds of actions that are cancelled."`
	Status   string   `arg:"status" default:"Pending" values:"Pending,InProgress" help:"The state of the actions that are cancelled, where they are selected by machine or kind."`
}

// matches looks at the filter's conditions again, because a filter that gets lost must not cancel other actions.
func (s actionSelection) matches(action rawjson.Value) bool {
	return !differs(action, "status", given(s.Status)) && !differs(action, "machineId", s.Machines) && !differs(action, "type", s.Types)
}

func cancelMachineActions() Command {
	type args struct {
		Actions []string `arg:"machine_action_id" help:"The IDs of the actions. Give these, or machines or kinds whose actions are cancelled."`
		actionSelection
		Comment string `arg:"comment" required:"true" help:"A comment for the cancellation, shown in Microsoft's action center."`
		expectation
		Left []string `arg:"left_to_cancel" list:"false" hidden:"true" help:"The actions that are still to be cancelled; set by the command itself."`
	}
	out := machineActionOutput("Cancelled machine actions")
	out.Empty = "No machine action was cancelled."
	return declare(Command{
		Name: "microsoft-atp-cancel-machine-action", Area: MachineActions, Executes: true, Polls: true,
		Help:    "Cancels machine actions of any kind that have not ended: by their IDs, or all of a machine or a kind. Selected actions are counted first, and are cancelled only when their number is the one given in expect.",
		Uses:    []defender.Operation{defender.ListMachineActions, defender.CancelMachineAction},
		Outputs: []Output{out},
		Example: `type=RunAntiVirusScan comment="the scans slow the shop down" expect=12`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		ids := in.Left
		if len(ids) == 0 {
			var err error
			if ids, err = actionsToCancel(ctx, run, in.Actions, in.actionSelection, in.expectation); err != nil {
				return Report{}, err
			}
		}
		if len(ids) == 0 {
			return report(out.rowsEntry(nil, "[]")), nil
		}
		return out.eachReport(ctx, "left_to_cancel", ids, func(ctx context.Context, id string) (rawjson.Value, error) {
			action, err := run.API.CancelMachineAction(ctx, id, in.Comment)
			return action.Value, err
		})
	})
}

func actionsToCancel(ctx context.Context, run *Run, ids []string, selection actionSelection, expect expectation) ([]string, error) {
	switch {
	case len(ids) > 0 && len(selection.Machines)+len(selection.Types) > 0:
		return nil, wrong(run, "machine_action_id excludes machine_id and type")
	case len(ids) > 0:
		return ids, expect.named(len(ids), "machine action")
	case len(selection.Machines) == 0 && len(selection.Types) == 0:
		return nil, wrong(run, "machine_action_id is missing, or one of machine_id and type")
	}
	list, err := run.API.MachineActions(ctx, defender.Query{
		Filter: defender.And(
			defender.Equal("status", selection.Status), defender.EqualAny("machineId", selection.Machines), defender.EqualAny("type", selection.Types),
		),
		Limit: defender.Everything,
	})
	if err != nil {
		return nil, err
	}
	if list.More {
		return nil, &TooManyError{"machine action"}
	}
	ids = idsIn(slices.DeleteFunc(list.Items, func(action rawjson.Value) bool { return !selection.matches(action) }))
	return ids, expect.selected(len(ids), "machine action")
}
