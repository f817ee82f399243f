package pack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
)

// platformFields are the incident fields that every server has: those of the pack CommonTypes 3.2.35, and the server's own. Only those
// are listed that the pack may name.
type platformFields struct {
	Common []struct {
		CLIName         string
		Name, Type      string
		Searchable, All bool
	}
	Server []struct {
		CLIName     string
		MapperNames []string
	}
}

// referenced holds the names that the items of a pack may refer to.
type referenced struct {
	types, layouts, playbooks []string
	// names are incident fields as incoming mappers know them, and machines as everything else does.
	names, machines []string
	// searchable are the fields that a query may have, by their machine names.
	searchable []string
	own        []string // machine names of the pack's own fields
	grids      []string
}

// reference reads what a pack and the platform provide.
func reference(t *testing.T, files map[string]string) referenced {
	t.Helper()
	text, err := os.ReadFile("testdata/platform_fields.json")
	if err != nil {
		t.Fatal(err)
	}
	var given platformFields
	if err := json.Unmarshal(text, &given); err != nil {
		t.Fatal(err)
	}
	var all referenced
	for _, field := range given.Common {
		if !field.All {
			t.Errorf("the standard field %s is not for all incident types", field.CLIName)
		}
		all.names, all.machines = append(all.names, field.Name), append(all.machines, field.CLIName)
		if field.Searchable {
			all.searchable = append(all.searchable, field.CLIName)
		}
	}
	for _, field := range given.Server {
		all.names, all.machines, all.searchable = append(all.names, field.MapperNames...), append(all.machines, field.CLIName), append(all.searchable, field.CLIName)
	}
	for name, text := range files {
		id := gjson.Get(text, "id").Str
		switch path.Dir(name) {
		case "IncidentTypes":
			all.types = append(all.types, id)
		case "Layouts":
			all.layouts = append(all.layouts, id)
		case "Playbooks":
			_, rest, _ := strings.Cut(text, "id: ")
			id, _, _ = strings.Cut(rest, "\n")
			all.playbooks = append(all.playbooks, id)
		case "IncidentFields":
			machine := gjson.Get(text, "cliName").Str
			all.names, all.machines, all.own = append(all.names, gjson.Get(text, "name").Str), append(all.machines, machine), append(all.own, machine)
			if !gjson.Get(text, "unsearchable").Bool() {
				all.searchable = append(all.searchable, machine)
			}
			if gjson.Get(text, "type").Str == "grid" {
				all.grids = append(all.grids, machine)
			}
		}
	}
	return all
}

// strings that are keys of incident fields in the platform's own form.
var (
	machineName = regexp.MustCompile(`^[a-z0-9]+$`)
	queried     = regexp.MustCompile(`-?([a-zA-Z]+):`)
	typeQueried = regexp.MustCompile(`type:"([^"]+)"`)
)

// strict decodes JSON into a type that has all keys which the platform's model of the item has, and tells the others.
func strict(text string, into any) []string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// missing returns a problem if a name is not one of those that exist.
func missing(what, name string, known []string) []string {
	if slices.Contains(known, name) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %q does not exist", what, name)}
}

// The items with the keys that demisto-sdk 1.39.7 knows of them.
type (
	fieldItem struct {
		ID, Name, CLIName, Type, Description, Modified, FromVersion                                                                              string
		Version, Group, SLA, Threshold                                                                                                           int
		OwnerOnly, CloseForm, EditForm, Required, NeverSetAsRequired, IsReadOnly, UseAsKPI, Locked, System, Content, Hidden, OpenEnded, Unmapped bool
		AssociatedToAll, Unsearchable, CaseInsensitive                                                                                           bool
		AssociatedTypes, SelectValues                                                                                                            []string
		Columns                                                                                                                                  []struct {
			Key, DisplayName, Type, Script, FieldCalcScript string
			Width                                           int
			IsDefault, IsReadOnly, Required                 bool
			SelectValues                                    []string
		}
		DefaultRows []map[string]any
	}
	typeItem struct {
		ID, Name, Color, Layout, FromVersion                           string
		Version, Hours, Days, Weeks, HoursR, DaysR, WeeksR             int
		ReputationCalc, OnChangeRepAlg                                 int
		Locked, System, ReadOnly, Default, Disabled, Detached, Autorun bool
		ExtractSettings                                                struct {
			Mode                          string
			FieldCLINameToExtractSettings map[string]struct {
				IsExtractingAllIndicatorTypes bool
				ExtractAsIsIndicatorTypeID    string
				ExtractIndicatorTypesIDs      []string
			}
		}
	}
	layoutItem struct {
		ID, Name, Group, Description, FromVersion string
		Version                                   int
		System                                    bool
		Close, Edit, QuickView                    layoutForm
		DetailsV2                                 struct{ Tabs []layoutTab }
	}
	layoutForm struct {
		Sections []struct {
			Name, Type, QueryType, Description string
			IsVisible, ReadOnly                bool
			Fields                             []struct {
				FieldID   string
				IsVisible bool
			}
		}
	}
	layoutTab struct {
		ID, Name, Type string
		Hidden         bool
		Sections       []layoutSection
	}
	layoutSection struct {
		I, Name, Type, DisplayType, QueryType, Description string
		X, Y, W, H, MinH, MinW, MaxW                       int
		Moved, Static, HideName, HideItemTitleOnlyOne      bool
		Query                                              any
		Items                                              []struct {
			ID, FieldID, SectionItemType, Name, ScriptID, ButtonClass string
			Index, StartCol, EndCol, Height                           int
			Args                                                      map[string]struct {
				Simple             string
				UserMarkedRequired bool
			}
		}
	}
	dashboardItem struct {
		ID, Name, Description, FromDate, ToDate, FromDateLicense, FromVersion string
		Version                                                               int
		IsPredefined                                                          bool
		Period                                                                map[string]any
		Layout                                                                []struct {
			ID, I      string
			ForceRange bool
			X, Y, W, H int
			Widget     struct {
				ID, Name, DataType, WidgetType, Query, Description, Category string
				Version, Size                                                int
				IsPredefined                                                 bool
				DateRange                                                    map[string]any
				Params                                                       struct {
					GroupBy      []string
					TableColumns []struct {
						Key             string
						Position, Width int
						IsDefault       bool
					}
				}
			}
		}
	}
)

func fieldProblems(text string, all referenced) []string {
	var read fieldItem
	problems := strict(text, &read)
	if !machineName.MatchString(read.CLIName) || read.ID != "incident_"+read.CLIName || !strings.HasPrefix(read.Name, "Defender ") {
		problems = append(problems, fmt.Sprintf("the field %q has the ID %q and the machine name %q", read.Name, read.ID, read.CLIName))
	}
	if regexp.MustCompile(`\b(incidents?|cases?|alerts?|events?|playbooks?|tickets?|issues?)\b`).MatchString(read.Name) {
		problems = append(problems, fmt.Sprintf("the name %q has a word that demisto-sdk refuses (IF100)", read.Name))
	}
	for _, one := range read.AssociatedTypes {
		problems = append(problems, missing("incident type", one, all.types)...)
	}
	if len(read.AssociatedTypes) == 0 || read.Description == "" || read.Version != -1 || read.System || !read.Content {
		problems = append(problems, "the field is for no type, has no description, or is not a field of a pack")
	}
	for _, column := range read.Columns {
		if !machineName.MatchString(column.Key) || column.DisplayName == "" || column.Width == 0 {
			problems = append(problems, fmt.Sprintf("the column %q of the grid has no machine name, header or width", column.Key))
		}
	}
	if (read.Type == "grid") != (len(read.Columns) > 0) || (read.Type == "singleSelect") != (len(read.SelectValues) > 0) {
		problems = append(problems, "the field has columns without being a grid, or values without being a selection")
	}
	return problems
}

func typeProblems(text string, all referenced) []string {
	var read typeItem
	problems := append(strict(text, &read), missing("layout", read.Layout, all.layouts)...)
	if read.ID != read.Name || !regexp.MustCompile(`^#[0-9A-F]{6}$`).MatchString(read.Color) || read.ExtractSettings.Mode != "Specific" {
		problems = append(problems, "the type has an ID of its own, no color, or extracts from every field")
	}
	indicators := []string{"File", "IP", "IPv6", "URL", "Host", "Account", "Domain", "Email"}
	for field, one := range read.ExtractSettings.FieldCLINameToExtractSettings {
		problems = append(problems, missing("extraction", field, all.machines)...)
		if (one.ExtractAsIsIndicatorTypeID == "") == (len(one.ExtractIndicatorTypesIDs) == 0) || one.IsExtractingAllIndicatorTypes {
			problems = append(problems, field+" is extracted in no way, or in two")
		}
		for _, indicator := range append(one.ExtractIndicatorTypesIDs, one.ExtractAsIsIndicatorTypeID) {
			if indicator != "" {
				problems = append(problems, missing("indicator type", indicator, indicators)...)
			}
		}
	}
	return problems
}

func layoutProblems(text string, all referenced) []string {
	var read layoutItem
	problems := strict(text, &read)
	ids := map[string]bool{}
	unique := func(id string) {
		if id == "" || ids[id] {
			problems = append(problems, fmt.Sprintf("the ID %q is not unique", id))
		}
		ids[id] = true
	}
	for _, form := range []layoutForm{read.Close, read.Edit, read.QuickView} {
		for _, section := range form.Sections {
			for _, field := range section.Fields {
				name, prefixed := strings.CutPrefix(field.FieldID, "incident_")
				if !prefixed {
					problems = append(problems, field.FieldID+" lacks the prefix that forms want")
				}
				problems = append(problems, missing("a form", name, all.machines)...)
			}
		}
	}
	for _, tab := range read.DetailsV2.Tabs {
		unique(tab.ID)
		taken := map[[2]int]string{}
		for _, section := range tab.Sections {
			unique(section.I)
			for x := section.X; x < section.X+section.W; x++ {
				for y := section.Y; y < section.Y+section.H; y++ {
					if x >= 3 || taken[[2]int{x, y}] != "" {
						problems = append(problems, fmt.Sprintf("%s: %s covers %q at %d,%d", tab.Name, section.Name, taken[[2]int{x, y}], x, y))
					}
					taken[[2]int{x, y}] = section.Name
				}
			}
			for _, item := range section.Items {
				unique(item.ID)
				if item.EndCol > 2*section.W || item.StartCol >= item.EndCol {
					problems = append(problems, fmt.Sprintf("%s: an item is wider than its section", section.Name))
				}
				if item.SectionItemType == "field" {
					problems = append(problems, missing(section.Name, item.FieldID, all.machines)...)
					if grid := slices.Contains(all.grids, item.FieldID); grid && (section.W != 3 || item.EndCol != 6) {
						problems = append(problems, item.FieldID+" is a grid that does not have the whole width")
					}
					continue
				}
				given := map[string]any{}
				for name, argument := range item.Args {
					given[name] = map[string]any{"simple": argument.Simple}
					if (argument.Simple == "") != argument.UserMarkedRequired {
						problems = append(problems, fmt.Sprintf("the button %s sets no %s and does not ask for it", item.Name, name))
					}
					for _, field := range regexp.MustCompile(`\$\{incident\.(\w+)\}`).FindAllStringSubmatch(argument.Simple, -1) {
						problems = append(problems, missing("the button "+item.Name, strings.ToLower(field[1]), append(all.machines, "id"))...)
					}
				}
				delete(given, "using") // of the platform: which instance runs it
				_, name, _ := strings.Cut(item.ScriptID, "|||")
				command, known := commands.NewRegistry().Find(name)
				if !known || command.Deprecated != "" || !strings.HasPrefix(item.ScriptID, "Microsoft Defender Advanced Threat Protection") {
					problems = append(problems, fmt.Sprintf("the button %s runs %s, which does not exist or is deprecated", item.Name, item.ScriptID))
					continue
				}
				problems = append(problems, argumentProblems("button "+item.Name, command, given)...)
			}
		}
	}
	return problems
}

func dashboardProblems(text string, all referenced) []string {
	var read dashboardItem
	problems := strict(text, &read)
	for _, cell := range read.Layout {
		widget := cell.Widget
		for _, found := range typeQueried.FindAllStringSubmatch(widget.Query, -1) {
			problems = append(problems, missing(widget.Name, found[1], all.types)...)
		}
		for _, found := range queried.FindAllStringSubmatch(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(widget.Query, ""), -1) {
			problems = append(problems, missing(widget.Name+" queries", found[1], all.searchable)...)
		}
		for _, group := range widget.Params.GroupBy {
			name, _, _ := strings.Cut(group, "(")
			problems = append(problems, missing(widget.Name+" groups by", name, all.searchable)...)
		}
		for _, column := range widget.Params.TableColumns {
			problems = append(problems, missing(widget.Name+" shows", column.Key, append(all.machines, "name"))...)
		}
		if cell.X+cell.W > 12 || cell.ID != cell.I || cell.ID != widget.ID {
			problems = append(problems, widget.Name+" is too far to the right, or has two IDs")
		}
	}
	return problems
}

// mapperProblems looks at the fields that a mapper names. What it takes them from is looked at with what is fetched.
func mapperProblems(text string, all referenced) []string {
	var read mapper
	problems := strict(text, &read)
	for of, mapping := range read.Mapping {
		problems = append(problems, missing("mapper", of, all.types)...)
		for target, source := range mapping.InternalMapping {
			if read.Type == "mapping-outgoing" {
				problems = append(problems, missing("the outgoing mapper", source.Simple, all.machines)...)
				continue
			}
			problems = append(problems, missing("the incoming mapper", target, all.names)...)
			if slices.Contains([]string{"name", "type", "owner"}, target) {
				problems = append(problems, "the incoming mapper maps "+target+", which mirroring would set back")
			}
		}
	}
	return problems
}

// problemsOf looks at every item of a pack.
func problemsOf(t *testing.T, files map[string]string) []string {
	t.Helper()
	all := reference(t, files)
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		var found []string
		switch folder, base := path.Split(name); {
		case folder == "IncidentFields/":
			found = fieldProblems(text, all)
		case folder == "IncidentTypes/":
			found = typeProblems(text, all)
		case folder == "Layouts/":
			found = layoutProblems(text, all)
		case folder == "Dashboards/":
			found = dashboardProblems(text, all)
		case strings.HasPrefix(base, "classifier-mapper-"):
			found = mapperProblems(text, all)
		case folder == "Playbooks/":
			for _, sub := range regexp.MustCompile(`playbookName: (.+)`).FindAllStringSubmatch(text, -1) {
				found = append(found, missing("sub-playbook", sub[1], all.playbooks)...)
			}
			for _, field := range regexp.MustCompile(`\n\s+(defender\w+):`).FindAllStringSubmatch(text, -1) {
				found = append(found, missing("setIncident", field[1], all.own)...)
			}
		}
		for _, one := range found {
			problems = append(problems, name+": "+one)
		}
	}
	return problems
}

// TestItemsReferToWhatExists holds for the pack and for a copy of it.
func TestItemsReferToWhatExists(t *testing.T) {
	for _, isCopy := range []bool{false, true} {
		of := source(t)
		of.Copy = isCopy
		_, files := unpack(t, of)
		for _, problem := range problemsOf(t, files) {
			t.Errorf("copy %t: %s", isCopy, problem)
		}
	}
}

// TestItemsThatReferToNothingAreFound keeps the test above honest: it reports each change.
func TestItemsThatReferToNothingAreFound(t *testing.T) {
	const layout = "Layouts/layoutscontainer-Defender_-_Alert_layout.json"
	_, whole := unpack(t, source(t))
	for _, test := range []struct{ file, from, to, want string }{
		{layout, `"fieldId": "defenderstatus"`, `"fieldId": "defenderstatusx"`, "defenderstatusx"},
		{layout, `"fieldId": "incident_closereason"`, `"fieldId": "closereason"`, "prefix"},
		{layout, "|||microsoft-atp-isolate-machine", "|||microsoft-atp-isolate-machines", "does not exist"},
		{layout, `"scan_type"`, `"scan_types"`, "scan_type"},
		{layout, `"y": 3`, `"y": 2`, "covers"},
		{layout, `"hidden"`, `"hiden"`, "unknown field"},
		{"IncidentTypes/incidenttype-Microsoft_Defender_XDR_Incident.json", `"filesha256"`, `"filesha255"`, "filesha255"},
		{"IncidentTypes/incidenttype-Microsoft_Defender_XDR_Incident.json", `"Defender - XDR`, `"Defender - X`, "layout"},
		{"IncidentFields/incidentfield-Defender_Status.json", `"Defender Status"`, `"The status of an alert"`, "IF100"},
		{"IncidentFields/incidentfield-Defender_Alerts.json", `"key": "link"`, `"key": "Link"`, "column"},
		{"Dashboards/dashboard-Defender.json", "defenderisolated:true", "isolatedx:true", "isolatedx"},
		{"Dashboards/dashboard-Defender.json", `"hostnames"`, `"deviceosname"`, "deviceosname"},
		{"Classifiers/classifier-mapper-Defender_-_Outgoing_mapper.json", `"defenderstatus"`, `"Defender Status"`, "outgoing"},
		{"Classifiers/classifier-mapper-Defender_-_Incoming_mapper.json", `"Device Id"`, `"Device ID"`, "Device ID"},
		{"Playbooks/playbook-Defender_-_Triage_an_alert.yml", "playbookName: Defender - Close", "playbookName: Defender - Closed", "sub-playbook"},
		{"Playbooks/playbook-Defender_-_Triage_an_alert.yml", "defenderisolated:", "defenderisolate:", "setIncident"},
	} {
		files := maps.Clone(whole)
		if !strings.Contains(files[test.file], test.from) {
			t.Errorf("%s has no %s", test.file, test.from)
		}
		files[test.file] = strings.ReplaceAll(files[test.file], test.from, test.to)
		if got := problemsOf(t, files); !slices.ContainsFunc(got, func(problem string) bool { return strings.Contains(problem, test.want) }) {
			t.Errorf("%s with %s: got the problems %q, want one of %q", test.file, test.to, got, test.want)
		}
	}
}

// TestACopySharesNoIDWithThePack wants every item renamed: whichever is uploaded last would replace the other one's.
func TestACopySharesNoIDWithThePack(t *testing.T) {
	ids := func(isCopy bool) (found []string) {
		of := source(t)
		of.Copy = isCopy
		_, files := unpack(t, of)
		gjson.Get(files["metadata.json"], "contentItems").ForEach(func(_, items gjson.Result) bool {
			for _, one := range items.Array() {
				found = append(found, one.Get("id").Str)
			}
			return true
		})
		return found
	}
	original, copies := ids(false), ids(true)
	if len(original) != len(copies) || len(copies) < 20 {
		t.Errorf("got %d items in a copy, want the %d of the pack", len(copies), len(original))
	}
	for _, id := range copies {
		if slices.Contains(original, id) {
			t.Errorf("%s is in both", id)
		}
	}
}
