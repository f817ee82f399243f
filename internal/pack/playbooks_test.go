package pack_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/uuid"

	"xsoar-defender/commands"
)

// playbook is a playbook with the keys that demisto-sdk's schema of them knows (playbook.yml), as far as ours use them.
// Decoding is strict.
type (
	playbook struct {
		ID, Name, Description, View string
		Version                     int
		StartTaskID                 string          `yaml:"starttaskid"`
		Tasks                       map[string]task `yaml:"tasks"`
		Inputs                      []input
		Outputs                     []output
		Tests                       []string
		FromVersion                 string `yaml:"fromversion"`
	}
	task struct {
		ID, Type string
		TaskID   string `yaml:"taskid"`
		Task     struct {
			ID, Name, Description, Script, Type, Brand string
			PlaybookName                               string `yaml:"playbookName"`
			ScriptName                                 string `yaml:"scriptName"`
			Version                                    int
			IsCommand                                  bool `yaml:"iscommand"`
		}
		NextTasks           map[string][]string `yaml:"nexttasks"`
		ScriptArguments     map[string]any      `yaml:"scriptarguments"`
		Conditions          []condition
		View                string
		ContinueOnError     bool     `yaml:"continueonerror"`
		SeparateContext     bool     `yaml:"separatecontext"`
		Note                bool     `yaml:"note"`
		TimerTriggers       []string `yaml:"timertriggers"`
		IgnoreWorker        bool     `yaml:"ignoreworker"`
		SkipUnavailable     bool     `yaml:"skipunavailable"`
		QuietMode           int      `yaml:"quietmode"`
		IsOversize          bool     `yaml:"isoversize"`
		IsAutoSwitchedQuiet bool     `yaml:"isautoswitchedtoquietmode"`
		Loop                any
	}
	condition struct {
		Label     string
		Condition any
	}
	input struct {
		Key, Description   string
		Value              map[string]string
		Required           bool
		PlaybookInputQuery any `yaml:"playbookInputQuery"`
	}
	output struct {
		ContextPath string `yaml:"contextPath"`
		Description string
		Type        string
	}
)

func TestPlaybooksAreWellFormed(t *testing.T) {
	names, files := unpack(t, source(t))
	tasks, outputs := map[string]bool{}, map[string][]output{}
	for _, name := range names {
		var read playbook
		if strings.HasPrefix(name, "Playbooks/") {
			if err := yaml.Unmarshal([]byte(files[name]), &read); err != nil {
				t.Fatal(err)
			}
			outputs[read.Name] = read.Outputs
		}
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "Playbooks/") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var read playbook
			if err := yaml.UnmarshalWithOptions([]byte(files[name]), &read, yaml.Strict()); err != nil {
				t.Fatal(err)
			}
			for _, problem := range slices.Concat(read.tasks(tasks), read.flow(), read.places(), read.uses(files[name], outputs)) {
				t.Error(problem)
			}
		})
	}
}

// tasks says what is wrong with the identity of the tasks; seen has the ids of all playbooks.
func (p playbook) tasks(seen map[string]bool) []string {
	var problems []string
	for _, key := range slices.Sorted(maps.Keys(p.Tasks)) {
		one := p.Tasks[key]
		if _, err := uuid.Parse(one.TaskID); err != nil || seen[one.TaskID] || one.Task.ID != one.TaskID {
			problems = append(problems, fmt.Sprintf("task %s: %s is no UUID of its own", key, one.TaskID))
		}
		seen[one.TaskID] = true
		if one.ID != key || (one.Type == "start") != (key == p.StartTaskID) || (one.Type != "start" && one.Type != one.Task.Type) {
			problems = append(problems, fmt.Sprintf("task %s: is %s of the type %s and %s", key, one.ID, one.Type, one.Task.Type))
		}
		if one.Type != "start" && one.Task.Name == "" || one.Type != "start" && one.Type != "title" && one.Task.Description == "" {
			problems = append(problems, fmt.Sprintf("task %s: says not what it is for", key))
		}
	}
	return problems
}

// flow says what is wrong with the way through the tasks.
func (p playbook) flow() []string {
	var problems []string
	reached := map[string]bool{p.StartTaskID: true}
	for waiting := []string{p.StartTaskID}; len(waiting) > 0; waiting = waiting[1:] {
		for _, label := range slices.Sorted(maps.Keys(p.Tasks[waiting[0]].NextTasks)) {
			for _, next := range p.Tasks[waiting[0]].NextTasks[label] {
				if _, exists := p.Tasks[next]; !exists {
					problems = append(problems, fmt.Sprintf("task %s: leads to %s, which does not exist", waiting[0], next))
				}
				if !reached[next] {
					reached[next], waiting = true, append(waiting, next)
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.Tasks)) {
		one := p.Tasks[key]
		labels := slices.Sorted(maps.Keys(one.NextTasks))
		switch {
		case !reached[key]:
			problems = append(problems, fmt.Sprintf("task %s: is never reached", key))
		case len(labels) == 0 && one.Type != "title":
			problems = append(problems, fmt.Sprintf("task %s: ends the playbook without a title that says how", key))
		case one.Type == "condition" && len(one.Conditions) > 0 && !slices.Equal(labels, []string{"#default#", one.Conditions[0].Label}):
			problems = append(problems, fmt.Sprintf("task %s: leads on for %q, want one for its condition and one for all else", key, labels))
		case one.Type == "condition" && len(one.Conditions) == 0 && len(labels) != 2:
			problems = append(problems, fmt.Sprintf("task %s: leaves %d choices, want 2", key, len(labels)))
		case one.Type != "condition" && len(labels) > 0 && !slices.Equal(labels, []string{"#none#"}):
			problems = append(problems, fmt.Sprintf("task %s: leads on for %q, want always", key, labels))
		}
	}
	return problems
}

// The size of a task in the editor, in its own units.
const (
	taskWidth  = 380
	taskHeight = 95
)

// places says which tasks would cover each other in the editor, and which lead upwards.
func (p playbook) places() []string {
	var problems []string
	at := map[string][2]int{}
	for _, key := range slices.Sorted(maps.Keys(p.Tasks)) {
		found := regexp.MustCompile(`"x": (-?\d+),\s+"y": (-?\d+)`).FindStringSubmatch(p.Tasks[key].View)
		if found == nil {
			problems = append(problems, fmt.Sprintf("task %s: has no place", key))
			continue
		}
		x, _ := strconv.Atoi(found[1]) // digits only
		y, _ := strconv.Atoi(found[2])
		for other, place := range at {
			if max(x-place[0], place[0]-x) < taskWidth && max(y-place[1], place[1]-y) < taskHeight {
				problems = append(problems, fmt.Sprintf("task %s: covers task %s", key, other))
			}
		}
		at[key] = [2]int{x, y}
	}
	for key, one := range p.Tasks {
		for _, next := range slices.Concat(slices.Collect(maps.Values(one.NextTasks))...) {
			if at[next][1] <= at[key][1] {
				problems = append(problems, fmt.Sprintf("task %s: leads up to task %s", key, next))
			}
		}
	}
	return problems
}

// uses returns which commands, arguments, context paths and inputs a playbook relies on that do not exist. What a sub-playbook leaves in
// the context are its outputs.
func (p playbook) uses(text string, outputs map[string][]output) []string {
	var problems []string
	registry := commands.NewRegistry()
	paths := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(p.Tasks)) {
		one := p.Tasks[key]
		for _, left := range outputs[one.Task.PlaybookName] {
			for path := left.ContextPath; path != ""; path = path[:max(0, strings.LastIndexByte(path, '.'))] {
				paths[path] = true
			}
		}
		brand, name, isCommand := strings.Cut(one.Task.Script, "|||")
		if isCommand != one.Task.IsCommand || isCommand && brand != one.Task.Brand {
			problems = append(problems, fmt.Sprintf("task %s: runs %q, which is a command of the integration: %t", key, one.Task.Script, one.Task.IsCommand))
		}
		if !isCommand || brand == "Builtin" && slices.Contains([]string{"setIncident", "closeInvestigation"}, name) {
			continue
		}
		command, known := registry.Find(name)
		if !known || command.Deprecated != "" {
			problems = append(problems, fmt.Sprintf("task %s: runs %s, which does not exist or is deprecated", key, name))
			continue
		}
		problems = append(problems, argumentProblems(key, command, one.ScriptArguments)...)
		for _, declared := range command.Outputs {
			for _, one := range declared.Declared() {
				paths[one.Path] = true
				for parent := one.Path; strings.Contains(parent, "."); parent = parent[:strings.LastIndexByte(parent, '.')] {
					paths[parent] = true
				}
			}
		}
	}
	for _, one := range p.Outputs {
		if !paths[one.ContextPath] || one.Description == "" || one.Type == "" {
			problems = append(problems, fmt.Sprintf("the output %s is in the context of no command that is run, or not described", one.ContextPath))
		}
	}
	for _, path := range regexp.MustCompile(`(?:root|simple): ((?:MicrosoftATP|File)\.[\w.]+)`).FindAllStringSubmatch(text, -1) {
		if !paths[path[1]] {
			problems = append(problems, fmt.Sprintf("%s is in the context of no command that is run", path[1]))
		}
	}
	var used []string
	for _, name := range regexp.MustCompile(`\binputs\.(\w+)`).FindAllStringSubmatch(text, -1) {
		used = append(used, name[1])
	}
	for _, one := range p.Inputs {
		if !slices.Contains(used, one.Key) || one.Description == "" {
			problems = append(problems, fmt.Sprintf("the input %s is not used or not described", one.Key))
		}
		used = slices.DeleteFunc(used, func(name string) bool { return name == one.Key })
	}
	if len(used) > 0 {
		problems = append(problems, fmt.Sprintf("the inputs %q do not exist", slices.Compact(used)))
	}
	for _, name := range regexp.MustCompile(`\bmicrosoft-atp-[a-z-]+\b`).FindAllString(text, -1) {
		if _, known := registry.Find(name); !known {
			problems = append(problems, fmt.Sprintf("the command %s does not exist", name))
		}
	}
	return problems
}

func argumentProblems(task string, command commands.Command, given map[string]any) []string {
	var problems []string
	declared := command.Arguments()
	for _, one := range declared {
		if _, isGiven := given[one.Name]; one.Required && !isGiven {
			problems = append(problems, fmt.Sprintf("task %s: does not set %s", task, one.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := slices.IndexFunc(declared, func(one commands.Argument) bool { return one.Name == name })
		if at < 0 || declared[at].Hidden || declared[at].Deprecated {
			problems = append(problems, fmt.Sprintf("task %s: sets %s, which does not exist or must not be set", task, name))
			continue
		}
		value, fixed := given[name].(map[string]any)["simple"].(string)
		if fixed && !strings.Contains(value, "${") && len(declared[at].Values) > 0 && !slices.Contains(declared[at].Values, value) {
			problems = append(problems, fmt.Sprintf("task %s: sets %s to %s, which it does not accept", task, name, value))
		}
	}
	return problems
}

// TestSuccessIsThatOfTheActionThatWasStarted wants every check for a machine action to leave out those that were there before: a playbook
// that runs twice in an incident must not take the success of the first run for its own.
func TestSuccessIsThatOfTheActionThatWasStarted(t *testing.T) {
	names, files := unpack(t, source(t))
	checks := 0
	for _, name := range names {
		for _, condition := range strings.Split(files[name], "conditions:")[1:] {
			condition, _, _ = strings.Cut(condition, "separatecontext:")
			if !strings.Contains(condition, "root: MicrosoftATP.MachineAction\n") {
				continue
			}
			checks++
			if !strings.Contains(condition, "operator: notIn") || !strings.Contains(condition, "simple: DefenderEarlierActions") {
				t.Errorf("%s: a check for a machine action counts earlier ones", name)
			}
			if before, _, found := strings.Cut(files[name], "scriptName: Set"); !found || strings.Contains(before, condition) {
				t.Errorf("%s: the earlier actions are not noted before the check", name)
			}
		}
	}
	if checks < 3 {
		t.Errorf("got %d checks for machine actions, want those of three playbooks at least", checks)
	}
}
