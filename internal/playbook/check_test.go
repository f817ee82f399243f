package playbook_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/internal/playbook"
)

const brand = "Our Brand"

// newChecker returns a Checker for the commands of the program. Near is what differs in the case of its letters only.
func newChecker() *playbook.Checker {
	return playbook.NewChecker(commands.NewRegistry().All(), brand, func(name string, known []string) []string {
		at := slices.IndexFunc(known, func(one string) bool { return strings.EqualFold(one, name) })
		if at < 0 {
			return nil
		}
		return known[at : at+1]
	})
}

func checked(t *testing.T, text string) playbook.Result {
	t.Helper()
	read, err := playbook.Read([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return newChecker().Check(read)
}

// shown are findings in the form "kind: what".
func shown(found []playbook.Finding) []string {
	list := []string{}
	for _, one := range found {
		list = append(list, string(one.Kind)+": "+one.What)
	}
	return list
}

// withCommand is a playbook with one task, which runs a command with arguments as flow mappings.
func withCommand(script string, arguments ...string) string {
	return fmt.Sprintf("tasks: {'1': {task: {name: One, iscommand: true, script: %q}, scriptarguments: {%s}}}", script, strings.Join(arguments, ", "))
}

func TestCommandsAndArguments(t *testing.T) {
	t.Parallel()
	const isolate = "|||microsoft-atp-isolate-machine"
	given := func(more ...string) []string {
		return append([]string{"machine_id: {simple: m1}", "comment: {simple: why}", "isolation_type: {simple: Full}"}, more...)
	}
	for name, test := range map[string]struct {
		playbook string
		problems []string
		notes    []string
		commands int
	}{
		"served":                         {playbook: withCommand(isolate, given()...), commands: 1},
		"by our brand":                   {playbook: withCommand(brand+isolate, given()...), commands: 1},
		"of another brand, by its name":  {playbook: withCommand("A copy"+isolate, given()...), commands: 1},
		"of another integration":         {playbook: withCommand("|||ip-block", "x: {simple: y}")},
		"of the platform":                {playbook: withCommand("Builtin|||setIncident", "owner: {simple: y}")},
		"unknown":                        {playbook: withCommand("|||microsoft-atp-Test"), problems: []string{"unknown command: microsoft-atp-Test"}, commands: 1},
		"unknown of our brand":           {playbook: withCommand(brand + "|||domain"), problems: []string{"unknown command: domain"}, commands: 1},
		"unknown of a copy of ours":      {playbook: withCommand(brand + "_copy|||domain"), problems: []string{"unknown command: domain"}, commands: 1},
		"for the platform alone":         {playbook: withCommand(brand + "|||fetch-incidents"), problems: []string{"unknown command: fetch-incidents"}, commands: 1},
		"for every integration":          {playbook: withCommand("|||endpoint", "of_another: {simple: y}"), commands: 1},
		"for every, by another brand":    {playbook: withCommand("Another|||endpoint", "x: {simple: y}")},
		"for every, by our brand":        {playbook: withCommand(brand+"|||endpoint", "x: {simple: y}"), problems: []string{"unknown argument: endpoint x"}, commands: 1},
		"arguments of the platform":      {playbook: withCommand(isolate, given("using: {simple: one}", "retry-count: {simple: '3'}", "extend-context: {simple: a=b}")...), commands: 1},
		"arguments of a run by itself":   {playbook: withCommand(isolate, given("ran_once_flag: {simple: 'true'}")...), commands: 1},
		"an unknown argument":            {playbook: withCommand(isolate, given("Comment: {simple: x}")...), problems: []string{"unknown argument: microsoft-atp-isolate-machine Comment"}, commands: 1},
		"an unknown one without a value": {playbook: withCommand(isolate, given("reason: {}")...), commands: 1},
		"required ones":                  {playbook: withCommand(isolate, "machine_id: {}", "isolation_type: {simple: Full}"), problems: []string{"missing argument: microsoft-atp-isolate-machine without machine_id", "missing argument: microsoft-atp-isolate-machine without comment"}, commands: 1},
		"a required one from elsewhere":  {playbook: withCommand(isolate, "machine_id: {complex: {root: inputs.ID}}", "comment: {simple: '${x}'}", "isolation_type: {simple: '${y}'}"), commands: 1},
		"a value in other letters":       {playbook: withCommand(isolate, append(given()[:2], "isolation_type: {simple: full}")...), commands: 1},
		"a value that is not taken":      {playbook: withCommand(isolate, append(given()[:2], "isolation_type: {simple: Half}")...), problems: []string{"refused value: microsoft-atp-isolate-machine isolation_type"}, commands: 1},
		"a list with one that is not":    {playbook: withCommand("|||microsoft-atp-get-machines", "risk_score: {simple: 'Low,Huge'}"), problems: []string{"refused value: microsoft-atp-get-machines risk_score"}, commands: 1},
		"no number":                      {playbook: withCommand("|||microsoft-atp-get-machines", "page_size: {simple: many}"), problems: []string{"refused value: microsoft-atp-get-machines page_size"}, commands: 1},
		"a number too small":             {playbook: withCommand("|||microsoft-atp-get-machines", "page_size: {simple: '-1'}"), problems: []string{"refused value: microsoft-atp-get-machines page_size"}, commands: 1},
		"deprecated": {
			playbook: withCommand("|||microsoft-atp-indicator-list", "page_size: {simple: '50'}"), commands: 1,
			notes: []string{"deprecated command: microsoft-atp-indicator-list", "deprecated argument: microsoft-atp-indicator-list page_size"},
		},
		"refused": {
			playbook: withCommand(
				"|||microsoft-atp-indicator-create-file", "action: {simple: block}", "description: {simple: x}", "expiration_time: {simple: 1 day}",
				"threat_type: {simple: C2}", "file_name: {simple: x.exe}",
			),
			problems: []string{"refused argument: microsoft-atp-indicator-create-file file_name"},
			notes:    []string{"deprecated command: microsoft-atp-indicator-create-file"}, commands: 1,
		},
		"in JSON": {
			playbook: `{"tasks": {"1": {"task": {"scriptId": "|||microsoft-atp-test", "isCommand": true}, "scriptArguments": {"x": {"simple": "y"}}}}}`,
			problems: []string{"unknown argument: microsoft-atp-test x"}, commands: 1,
		},
		"with the brand next to it": {
			playbook: "tasks: {'1': {task: {iscommand: true, brand: " + brand + ", script: domain}}}",
			problems: []string{"unknown command: domain"}, commands: 1,
		},
		"in the condition of a loop": {
			playbook: "tasks: {'1': {task: {playbookName: x}, loop: {iscommand: true, scriptId: '|||microsoft-atp-none', max: 3}}}",
			problems: []string{"unknown command: microsoft-atp-none"}, commands: 1,
		},
		"handed to a sub-playbook": {
			playbook: "tasks: {'1': {task: {playbookName: GenericPolling}, scriptarguments: {PollingCommandName: {simple: microsoft-atp-list-machine-actions-details}, " +
				"PollingCommandArgName: {simple: ids}, AdditionalPollingCommandArgNames: {simple: 'limit, sort'}}}}",
			problems: []string{"unknown argument: microsoft-atp-list-machine-actions-details ids", "unknown argument: microsoft-atp-list-machine-actions-details sort"},
			commands: 1,
		},
		"in a command line": {
			playbook: "tasks: {'1': {task: {scriptName: ScheduleCommand}, scriptarguments: {command: {simple: '!microsoft-atp-none x=y'}}}}",
			problems: []string{"unknown command: microsoft-atp-none"}, commands: 1,
		},
	} {
		got := checked(t, test.playbook)
		if problems := shown(got.Problems); !slices.Equal(problems, append([]string{}, test.problems...)) {
			t.Errorf("%s: got the problems %q, want %q", name, problems, test.problems)
		}
		if notes := shown(got.Notes); !slices.Equal(notes, append([]string{}, test.notes...)) {
			t.Errorf("%s: got the notes %q, want %q", name, notes, test.notes)
		}
		if len(got.Commands) != test.commands {
			t.Errorf("%s: got the commands %q, want %d", name, got.Commands, test.commands)
		}
	}
}

func TestContextPaths(t *testing.T) {
	t.Parallel()
	const (
		unknown  = "unknown context path: "
		unfilled = "context path that nothing fills: "
	)
	printed := func(value string) string {
		return "tasks: {'1': {task: {scriptName: Print}, scriptarguments: {value: " + value + "}}}"
	}
	for name, test := range map[string]struct {
		playbook string
		problem  string
		paths    int
	}{
		"declared":              {playbook: printed("{simple: '${MicrosoftATP.Machine.ID}'}"), paths: 1},
		"above what is":         {playbook: printed("{simple: '${MicrosoftATP.Machine} ${MicrosoftATP}'}"), paths: 2},
		"in a text":             {playbook: printed("{simple: 'a ${MicrosoftATP.Machine.ID} and ${MicrosoftATP.Machine.Owner}'}"), problem: unknown + "MicrosoftATP.Machine.Owner", paths: 2},
		"in other letters":      {playbook: printed("{simple: '${MicrosoftATP.machine.ID}'}"), problem: unknown + "MicrosoftATP.machine.ID", paths: 1},
		"below a text":          {playbook: printed("{simple: '${MicrosoftATP.Machine.ID.Length}'}"), problem: unknown + "MicrosoftATP.Machine.ID.Length", paths: 1},
		"below what is unknown": {playbook: printed("{simple: '${MicrosoftATP.Machine.IPAddresses.subnet.mask}'}"), paths: 1},
		"below what is given as received": {
			playbook: printed("{simple: '${MicrosoftATP.Hunt.Result.mine.DeviceId} ${MicrosoftATP.LiveResponseResult.anything}'}"), paths: 2,
		},
		"that nothing fills any more":   {playbook: printed("{simple: '${MicrosoftATP.Indicators.threatType}'}"), problem: unfilled + "MicrosoftATP.Indicators.threatType", paths: 1},
		"that some command still does":  {playbook: printed("{simple: '${MicrosoftATP.Machine.OSProcessor}'}"), paths: 1},
		"of every integration":          {playbook: printed("{simple: '${File.Nonsense} ${Endpoint.Nonsense} ${DBotScore.Nonsense}'}")},
		"of root and accessor":          {playbook: printed("{complex: {root: MicrosoftATP.Machine, accessor: Owner}}"), problem: unknown + "MicrosoftATP.Machine.Owner", paths: 1},
		"of an accessor without a root": {playbook: printed("{complex: {accessor: MicrosoftATP.Owner}}")},
		"in a filter":                   {playbook: printed("{complex: {root: MicrosoftATP.Machine, filters: [[{operator: x, left: {value: {simple: MicrosoftATP.Machine.Owner}, iscontext: true}}]]}}"), problem: unknown + "MicrosoftATP.Machine.Owner", paths: 2},
		"in a transformer":              {playbook: printed("{complex: {root: inputs.x, transformers: [{operator: append, args: {item: {iscontext: true, value: {simple: MicrosoftATP.Machine.Owner}}}}]}}"), problem: unknown + "MicrosoftATP.Machine.Owner", paths: 1},
		"as a plain text in one":        {playbook: printed("{complex: {root: inputs.x, transformers: [{operator: append, args: {item: {value: {simple: MicrosoftATP.Machine.Owner}}}}]}}")},
		"in a condition":                {playbook: "tasks: {'1': {task: {}, conditions: [{label: 'yes', condition: [[{operator: x, left: {iscontext: true, value: {simple: MicrosoftATP.Owner}}}]]}]}}", problem: unknown + "MicrosoftATP.Owner", paths: 1},
		"in a question":                 {playbook: "tasks: {'1': {task: {}, message: {body: {simple: '${MicrosoftATP.Owner}'}}}}", problem: unknown + "MicrosoftATP.Owner", paths: 1},
		"in a description":              {playbook: "tasks: {'1': {task: {description: 'Reads ${MicrosoftATP.Owner}.'}}}"},
		"in an input":                   {playbook: "tasks: {}\ninputs: [{key: x, value: {complex: {root: MicrosoftATP, accessor: Owner}}}]", problem: unknown + "MicrosoftATP.Owner", paths: 1},
		"in an output":                  {playbook: "tasks: {}\noutputs: [{contextPath: MicrosoftATP.Owner}]", problem: unknown + "MicrosoftATP.Owner", paths: 1},
		"in an expression for a poll":   {playbook: "tasks: {'1': {task: {}, scriptarguments: {dt: {simple: MicrosoftATP.Owner(val.x).ID}}}}", problem: unknown + "MicrosoftATP.Owner.ID", paths: 1},
		"that the playbook fills": {
			playbook: "tasks: {'1': {task: {script: '|||microsoft-atp-get-machines', iscommand: true}, scriptarguments: {extend-context: {simple: 'a=b::MicrosoftATP.Mine.Deep=value'}}}, " +
				"'2': {task: {scriptName: Set}, scriptarguments: {key: {simple: MicrosoftATP.Count}, value: {simple: '${MicrosoftATP.Mine.Deep.ID} ${MicrosoftATP.Mine} ${MicrosoftATP.Count}'}}}}",
			paths: 3,
		},
	} {
		got := checked(t, test.playbook)
		var want []string
		if test.problem != "" {
			want = []string{test.problem}
		}
		if problems := shown(got.Problems); !slices.Equal(problems, want) {
			t.Errorf("%s: got the problems %q, want %q", name, problems, want)
		}
		if len(got.Paths) != test.paths {
			t.Errorf("%s: got the paths %q, want %d", name, got.Paths, test.paths)
		}
	}
}

// TestPlaybooksReadWhatOthersFill is about a sub-playbook and the playbook that runs it, in either direction.
func TestPlaybooksReadWhatOthersFill(t *testing.T) {
	t.Parallel()
	fills, err := playbook.Read([]byte("tasks: {'1': {task: {scriptName: SetAndHandleEmpty}, scriptarguments: {key: {simple: MicrosoftATP.Active}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	reads, err := playbook.Read([]byte("tasks: {'1': {task: {scriptName: Print}, scriptarguments: {value: {simple: '${MicrosoftATP.Active}'}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	checker := newChecker()
	if got := checker.Check(reads).Problems; len(got) != 1 {
		t.Errorf("alone: got %+v, want the path that nothing fills", got)
	}
	checker.Add(fills)
	if got := checker.Check(reads).Problems; len(got) != 0 {
		t.Errorf("together: got %+v, want none", got)
	}
}

// TestEveryDeclarationIsServed goes over all commands: what they declare is served, what they require is missed, and
// what they no longer fill is said.
func TestEveryDeclarationIsServed(t *testing.T) {
	t.Parallel()
	filled := map[string]bool{}
	for _, command := range commands.NewRegistry().All() {
		for _, output := range command.Outputs {
			for _, one := range output.Declared() {
				filled[one.Path] = filled[one.Path] || !one.Gone
			}
		}
	}
	for _, command := range commands.NewRegistry().All() {
		if command.Platform {
			continue
		}
		var arguments, required, refused, gone []string
		for _, one := range command.Arguments() {
			arguments = append(arguments, one.Name+": {simple: '${inputs.x}'}")
			if one.Required && one.Default == "" {
				required = append(required, "missing argument: "+command.Name+" without "+one.Name)
			}
			if one.Refused {
				refused = append(refused, "refused argument: "+command.Name+" "+one.Name)
			}
		}
		reads := ""
		for _, output := range command.Outputs {
			for _, one := range output.Declared() {
				reads += "${" + one.Path + "} "
				if problem := "context path that nothing fills: " + one.Path; !filled[one.Path] && strings.HasPrefix(one.Path, "MicrosoftATP.") {
					gone = append(gone, problem)
				}
			}
		}
		text := withCommand(brand+"|||"+command.Name, append(arguments, "execution-timeout: {simple: '"+reads+"'}")...)
		if got := shown(checked(t, text).Problems); !slices.Equal(got, slices.Concat([]string{}, refused, gone)) {
			t.Errorf("%s: got the problems %q, want %q and %q", command.Name, got, refused, gone)
		}
		if got := shown(checked(t, withCommand(brand+"|||"+command.Name)).Problems); !slices.Equal(got, append([]string{}, required...)) {
			t.Errorf("%s without arguments: got the problems %q, want %q", command.Name, got, required)
		}
	}
}

func TestAFindingSaysWhereItIsAndWhatIsNear(t *testing.T) {
	t.Parallel()
	got := checked(t, strings.Join([]string{
		"tasks:",
		"  '7':",
		"    task:",
		"      name: Look",
		"      script: '|||microsoft-atp-get-machines'",
		"    scriptarguments:",
		"      IP:",
		"        simple: ${MicrosoftATP.Machine.id}",
		"      other:",
		"        simple: ${MicrosoftATP.Machine.id}",
	}, "\n"))
	want := []playbook.Finding{
		{Kind: playbook.UnknownArgument, Task: "7", Name: "Look", Line: 8, What: "microsoft-atp-get-machines IP", Why: "the command has no such argument", Instead: "ip"},
		{
			Kind: playbook.UnknownArgument, Task: "7", Name: "Look", Line: 10, What: "microsoft-atp-get-machines other", Why: "the command has no such argument",
			Instead: "one of hostname, ip, risk_score, health_status, os_platform, page_size, page_num",
		},
		{Kind: playbook.UnknownPath, Task: "7", Name: "Look", Line: 8, What: "MicrosoftATP.Machine.id", Why: "no command declares it, and no task sets it", Instead: "MicrosoftATP.Machine.ID"},
	}
	if !slices.Equal(got.Problems, want) {
		t.Errorf("got  %+v\nwant %+v", got.Problems, want)
	}
}

// TestPlaybooksOfTheRepository are those that docs/migrating.md shows.
func TestPlaybooksOfTheRepository(t *testing.T) {
	t.Parallel()
	for folder, served := range map[string]bool{"served": true, "not-served": false} {
		files, err := filepath.Glob(filepath.Join("..", "..", "test_data", "playbooks", folder, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no playbooks: %v", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := checked(t, string(text)); (len(got.Problems) == 0) != served || len(got.Commands) == 0 {
				t.Errorf("%s: got %d commands and the problems %+v", file, len(got.Commands), got.Problems)
			}
		}
	}
}

// TestASubPlaybookThatIsNotThereMaySetAPath: what nobody looked into is no reason to refuse a playbook.
func TestASubPlaybookThatIsNotThereMaySetAPath(t *testing.T) {
	t.Parallel()
	read := func(text string) *playbook.Playbook {
		t.Helper()
		one, err := playbook.Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	main := read(`{name: Main, tasks: {'1': {task: {name: Look, playbookName: Inner}}, '2': {task: {name: Show}, scriptarguments: {value: {simple: '${MicrosoftATP.Ours}'}}}}}`)
	checker := newChecker()
	checker.Add(main)
	got := checker.Check(main)
	if len(got.Problems) != 0 || len(got.Notes) != 1 || got.Notes[0].Kind != playbook.UnknownPath || !strings.Contains(got.Notes[0].Why, "Inner") ||
		!slices.Equal(got.NotLookedInto, []string{"Inner"}) {
		t.Errorf("without the sub-playbook: got %+v, want a note about the path", got)
	}
	checker.Add(read(`{name: Inner, tasks: {'1': {task: {name: Nothing}}}}`))
	if got := checker.Check(main); len(got.Problems) != 1 || len(got.Notes) != 0 || len(got.NotLookedInto) != 0 {
		t.Errorf("with a sub-playbook that does not set it: got %+v, want a problem", got)
	}
}

// TestAFindingSaysWhatToDo has one finding of each kind, whole.
func TestAFindingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		playbook        string
		problems, notes []playbook.Finding
	}{
		"an unknown command": {
			playbook: withCommand("|||microsoft-atp-TEST"),
			problems: []playbook.Finding{{Kind: playbook.UnknownCommand, What: "microsoft-atp-TEST", Why: "there is no such command", Instead: "microsoft-atp-test"}},
		},
		"a missing argument": {
			playbook: withCommand("|||microsoft-atp-unisolate-machine", "machine_id: {simple: m1}"),
			problems: []playbook.Finding{{
				Kind: playbook.MissingArgument, What: "microsoft-atp-unisolate-machine without comment", Why: "the argument is required",
				Instead: "comment: a comment for the action, shown in Microsoft's action center",
			}},
		},
		"a value that is refused": {
			playbook: withCommand("|||microsoft-atp-get-machines", "page_size: {simple: many}"),
			problems: []playbook.Finding{{Kind: playbook.RefusedValue, What: "microsoft-atp-get-machines page_size", Why: `the value must be a number; got "many"`}},
		},
		"what is deprecated": {
			playbook: withCommand("|||microsoft-atp-indicator-list", "page_size: {simple: '50'}"),
			notes: []playbook.Finding{
				{Kind: playbook.DeprecatedCommand, What: "microsoft-atp-indicator-list", Why: "the command is deprecated", Instead: "microsoft-atp-sc-indicator-list"},
				{
					Kind: playbook.DeprecatedArgument, What: "microsoft-atp-indicator-list page_size",
					Why: "it is deprecated: no longer has any effect: pages are as large as the service allows",
				},
			},
		},
		"an argument that is refused": {
			playbook: withCommand(
				"|||microsoft-atp-indicator-create-file", "action: {simple: block}", "description: {simple: x}", "expiration_time: {simple: 1 day}",
				"threat_type: {simple: C2}", "file_name: {simple: x.exe}",
			),
			problems: []playbook.Finding{{
				Kind: playbook.RefusedArgument, What: "microsoft-atp-indicator-create-file file_name",
				Why: "the command refuses it: no longer supported: the file's name", Instead: "microsoft-atp-sc-indicator-create",
			}},
			notes: []playbook.Finding{{Kind: playbook.DeprecatedCommand, What: "microsoft-atp-indicator-create-file", Why: "the command is deprecated", Instead: "microsoft-atp-sc-indicator-create"}},
		},
		"a path that nothing fills": {
			playbook: withCommand("|||another", "x: {simple: '${MicrosoftATP.Indicators.threatType}'}"),
			problems: []playbook.Finding{{Kind: playbook.UnfilledPath, What: "MicrosoftATP.Indicators.threatType", Why: "no longer filled: the service has nothing to show here"}},
		},
		"a path with nothing near": {
			playbook: withCommand("|||another", "x: {simple: '${MicrosoftATP.Machine.Owner}'}"),
			problems: []playbook.Finding{{
				Kind: playbook.UnknownPath, What: "MicrosoftATP.Machine.Owner", Why: "no command declares it, and no task sets it", Instead: "what microsoft-atp-get-machines declares",
			}},
		},
		"a path at the root with nothing near": {
			playbook: withCommand("|||another", "x: {simple: '${MicrosoftATP.Owner}'}"),
			problems: []playbook.Finding{{Kind: playbook.UnknownPath, What: "MicrosoftATP.Owner", Why: "no command declares it, and no task sets it"}},
		},
	} {
		for _, all := range [][]playbook.Finding{test.problems, test.notes} {
			for i := range all {
				all[i].Task, all[i].Name, all[i].Line = "1", "One", 1
			}
		}
		got := checked(t, test.playbook)
		if !slices.Equal(got.Problems, test.problems) {
			t.Errorf("%s: got the problems\n%+v\nwant\n%+v", name, got.Problems, test.problems)
		}
		if !slices.Equal(got.Notes, test.notes) {
			t.Errorf("%s: got the notes\n%+v\nwant\n%+v", name, got.Notes, test.notes)
		}
	}
}

// TestResultsNameEachThingOnce has a playbook that uses the same things in two tasks and twice in one of them.
func TestResultsNameEachThingOnce(t *testing.T) {
	t.Parallel()
	got := checked(t, `tasks:
  '2':
    task: {name: Two, iscommand: true, script: '|||microsoft-atp-test'}
    scriptarguments: {using: {simple: '${MicrosoftATP.Owner} ${MicrosoftATP.Machine} ${MicrosoftATP.Owner}'}}
  '1':
    task: {name: One, iscommand: true, script: '|||microsoft-atp-test'}
    scriptarguments: {using: {simple: '${MicrosoftATP.Owner}'}}
  '3':
    task: {name: Three, iscommand: true, script: '|||endpoint'}
inputs:
- key: x
  value:
    simple: ${MicrosoftATP.Owner}
outputs:
- contextPath: MicrosoftATP.Other
  description: Not ${MicrosoftATP.This}.
`)
	if want := []string{"endpoint", "microsoft-atp-test"}; !slices.Equal(got.Commands, want) {
		t.Errorf("got the commands %q, want %q", got.Commands, want)
	}
	if want := []string{"MicrosoftATP.Machine", "MicrosoftATP.Other", "MicrosoftATP.Owner"}; !slices.Equal(got.Paths, want) {
		t.Errorf("got the paths %q, want %q", got.Paths, want)
	}
	var places []string
	for _, one := range got.Problems {
		places = append(places, fmt.Sprintf("%d %s %s %s", one.Line, one.Task, one.Name, one.What))
	}
	if want := []string{"13  the playbook's inputs MicrosoftATP.Owner", "15  the playbook's outputs MicrosoftATP.Other", "7 1 One MicrosoftATP.Owner", "4 2 Two MicrosoftATP.Owner"}; !slices.Equal(places, want) {
		t.Errorf("got the problems at %q, want %q", places, want)
	}
}

// TestSuggestionsEndBeforeTheyTakeTooLong has more problems than something near is looked for.
func TestSuggestionsEndBeforeTheyTakeTooLong(t *testing.T) {
	t.Parallel()
	var reads strings.Builder
	const problems = 1_001
	for i := range problems {
		fmt.Fprintf(&reads, "${MicrosoftATP.machine%d} ", i)
	}
	read, err := playbook.Read([]byte("tasks: {'1': {task: {}, scriptarguments: {x: {simple: '" + reads.String() + "'}}}}"))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	got := playbook.NewChecker(nil, brand, func(string, []string) []string { asked++; return []string{"Machine", "Machines"} }).Check(read)
	if len(got.Problems) != problems || asked != problems-1 {
		t.Fatalf("got %d problems and %d suggestions, want %d and one less", len(got.Problems), asked, problems)
	}
	if first, last := got.Problems[0].Instead, got.Problems[problems-1].Instead; first != "MicrosoftATP.Machine or MicrosoftATP.Machines" || last != "" {
		t.Errorf("got the suggestions %q for the first and %q for the last, want two names and none", first, last)
	}
}

func TestCommandsThatATaskHandsOn(t *testing.T) {
	t.Parallel()
	handed := func(arguments string) string {
		return "tasks: {'1': {task: {scriptName: Other}, scriptarguments: {" + arguments + "}}}"
	}
	for name, test := range map[string]struct {
		playbook string
		want     []string // the commands
		problems []string
	}{
		"by its name":                            {handed("a: {simple: microsoft-atp-test}"), []string{"microsoft-atp-test"}, nil},
		"of another integration":                 {handed("a: {simple: ip-block}"), nil, nil},
		"after one of another integration":       {handed("a: {simple: ip-block}, b: {simple: microsoft-atp-test}"), []string{"microsoft-atp-test"}, nil},
		"after nothing":                          {handed("a: {}, b: {simple: microsoft-atp-test}"), []string{"microsoft-atp-test"}, nil},
		"in a list":                              {handed("a: {simple: 'microsoft-atp-test,microsoft-atp-none'}"), nil, nil},
		"put together in a run":                  {handed("a: {simple: 'microsoft-atp-${x}'}"), nil, nil},
		"with arguments that are not looked at":  {handed("a: {simple: microsoft-atp-test}, PollingCommandArgName: {simple: ids}"), []string{"microsoft-atp-test"}, nil},
		"with an argument put together in a run": {handed("PollingCommandName: {simple: microsoft-atp-test}, PollingCommandArgName: {simple: '${x}'}, AdditionalPollingCommandArgNames: {simple: 'ids, '}"), []string{"microsoft-atp-test"}, []string{"unknown argument: microsoft-atp-test ids"}},
		"by a task that runs a command itself":   {withCommand("|||microsoft-atp-test", "using: {simple: microsoft-atp-none}"), []string{"microsoft-atp-test"}, nil},
		"as a script and not a command":          {"tasks: {'1': {task: {script: microsoft-atp-none}}}", nil, nil},
		"without a name":                         {"tasks: {'1': {task: {iscommand: true, script: '" + brand + "|||'}}}", nil, nil},
	} {
		got := checked(t, test.playbook)
		if !slices.Equal(got.Commands, append([]string{}, test.want...)) {
			t.Errorf("%s: got the commands %q, want %q", name, got.Commands, test.want)
		}
		if problems := shown(got.Problems); !slices.Equal(problems, append([]string{}, test.problems...)) {
			t.Errorf("%s: got the problems %q, want %q", name, problems, test.problems)
		}
	}
}
