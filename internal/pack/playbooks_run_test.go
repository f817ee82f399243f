package pack_test

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
)

// TestPlaybooksRun runs the commands of playbooks as the platform does, task after task, against a simulated tenant: with
// the arguments that the playbook sets, the inputs of a user, and what the commands before left in the context. Questions
// are answered with Yes.
func TestPlaybooksRun(t *testing.T) {
	t.Parallel()
	_, files := unpack(t, source(t))
	for name, inputs := range map[string]map[string]string{
		"Defender - Contain a machine and its users": {"MachineID": "FIRST", "Username": "USER"},
		"Defender - Sweep an indicator":              {"Value": "DOMAIN", "Type": "DomainName"},
		"Defender - Weekly exposure report":          {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var read playbook
			if err := yaml.Unmarshal([]byte(files["Playbooks/playbook-"+strings.ReplaceAll(name, " ", "_")+".yml"]), &read); err != nil {
				t.Fatal(err)
			}
			run := &playbookRun{Instance: commandstest.New(t), t: t, playbook: read, inputs: map[string]string{}, context: map[string][]gjson.Result{}}
			for _, one := range read.Inputs {
				run.inputs[one.Key] = strings.ReplaceAll(one.Value["simple"], "${incident.id}", "7")
			}
			maps.Copy(run.inputs, inputs)
			first := run.Tenant.MachineIDs()[0]
			for key, value := range run.inputs {
				switch value {
				case "FIRST":
					run.inputs[key] = first
				case "DOMAIN":
					found := run.Run("microsoft-atp-list-alerts", map[string]any{"limit": 100}).Entry().Raw().Get(`value.#.evidence.#(url!="").url|0`).String()
					address, err := url.Parse(found)
					if err != nil || address.Hostname() == "" {
						t.Fatalf("the tenant has no alert with a URL: %q", found)
					}
					run.inputs[key] = address.Hostname()
				case "USER":
					run.inputs[key] = run.Run("microsoft-atp-get-machine-users", map[string]any{"machine_id": first}).Entry().Raw().Get("value.0.accountName").String()
				}
			}
			run.from(read.StartTaskID)
			if len(run.ran) == 0 || !run.ended {
				t.Errorf("ran %q and did not come to an end", run.ran)
			}
			t.Logf("ran %s", strings.Join(run.ran, ", "))
		})
	}
}

// playbookRun is a playbook on its way.
type playbookRun struct {
	*commandstest.Instance

	t        *testing.T
	playbook playbook
	inputs   map[string]string
	// context holds what commands left, by path without its key part.
	context map[string][]gjson.Result
	done    map[string]bool
	ran     []string
	ended   bool
}

func (p *playbookRun) from(start string) {
	p.done = map[string]bool{}
	for waiting := []string{start}; len(waiting) > 0; waiting = waiting[1:] {
		key := waiting[0]
		if p.done[key] {
			continue
		}
		p.done[key] = true
		one := p.playbook.Tasks[key]
		p.ended = p.ended || len(one.NextTasks) == 0
		if one.Task.IsCommand {
			p.command(one)
		}
		label := "#none#"
		switch {
		case one.Type == "condition" && len(one.Conditions) == 0:
			label = "Yes"
		case one.Type == "condition" && p.holds(one.Conditions[0].Condition):
			label = "yes"
		case one.Type == "condition":
			label = "#default#"
		}
		waiting = append(waiting, one.NextTasks[label]...)
	}
}

// command runs the command of a task, and what it schedules.
func (p *playbookRun) command(one task) {
	_, name, _ := strings.Cut(one.Task.Script, "|||")
	args := map[string]any{}
	for argument, value := range one.ScriptArguments {
		args[argument] = p.resolve(value.(map[string]any)["simple"].(string))
	}
	p.ran = append(p.ran, name)
	result := p.Run(name, args)
	if result.Err != nil && one.ContinueOnError {
		p.t.Logf("%s: %v", name, result.Err)
		return
	}
	for runs := 0; ; runs++ {
		var next *commandstest.Entry
		for _, entry := range result.All() {
			for _, path := range entry.Paths() {
				plain, _, _ := strings.Cut(path, "(")
				p.context[plain] = append(p.context[plain], entry.At(path))
			}
			if entry.Poll != nil {
				next = &entry
			}
		}
		if next == nil {
			return
		}
		if runs == 500 {
			p.t.Fatalf("%s does not stop running again", name)
		}
		result = p.Again(*next)
	}
}

var placeholders = regexp.MustCompile(`\$\{([^}]+)\}`)

// resolve puts inputs and context in the place of references. An argument that is one reference to a list is a list.
func (p *playbookRun) resolve(text string) any {
	if whole := placeholders.FindStringSubmatch(text); whole != nil && whole[0] == text {
		if found := p.values(whole[1]); len(found) != 1 {
			return found
		}
	}
	return placeholders.ReplaceAllStringFunc(text, func(found string) string {
		return strings.Join(p.values(placeholders.FindStringSubmatch(found)[1]), ",")
	})
}

// values returns the values of a reference.
func (p *playbookRun) values(name string) []string {
	if input, is := strings.CutPrefix(name, "inputs."); is {
		return []string{p.inputs[input]}
	}
	if name == "incident.id" {
		return []string{"7"}
	}
	var found []string
	for path, values := range p.context {
		rest, below := strings.CutPrefix(name, path+".")
		if !below {
			continue
		}
		for _, value := range values {
			found = append(found, textsBelow(value, strings.Split(rest, "."))...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// textsBelow are the texts at the end of a path, through lists.
func textsBelow(value gjson.Result, path []string) []string {
	if value.IsArray() {
		var all []string
		for _, item := range value.Array() {
			all = append(all, textsBelow(item, path)...)
		}
		return all
	}
	if len(path) > 0 {
		return textsBelow(value.Get(path[0]), path[1:])
	}
	if !value.Exists() {
		return nil
	}
	return []string{value.String()}
}

// holds decides a condition of the two kinds that these playbooks have.
func (p *playbookRun) holds(condition any) bool {
	one := condition.([]any)[0].([]any)[0].(map[string]any)
	side := func(name string) map[string]any {
		value, _ := one[name].(map[string]any)
		of, _ := value["value"].(map[string]any)
		return of
	}
	left := p.values(fmt.Sprint(side("left")["simple"]))
	switch one["operator"] {
	case "isNotEmpty":
		return len(left) > 0 && left[0] != ""
	case "isEqualString":
		return len(left) == 1 && left[0] == fmt.Sprint(side("right")["simple"])
	}
	p.t.Fatalf("the operator %v is not known here", one["operator"])
	return false
}
