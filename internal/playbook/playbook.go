package playbook

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Playbook is the part of a playbook that matters for the commands that it runs.
type Playbook struct {
	// Other playbooks refer to it by ID or Name.
	ID, Name string
	// SubPlaybooks are the names of the playbooks that it runs, each once.
	SubPlaybooks []string

	tasks []task
	reads []reading // of its inputs and outputs
	// fills are context paths that its tasks fill by their own means, and those above them.
	fills map[string]bool
}

// task is a step of a playbook.
type task struct {
	id, name    string
	invocations []invocation
	// mentions are commands that a task hands to something else, which runs them.
	mentions []invocation
	reads    []reading
}

// invocation is a command with its arguments.
type invocation struct {
	line      int
	brand     string // empty when any integration may run it
	command   string
	arguments []argument
	// partly reports whether only some of the arguments are known.
	partly bool
}

// argument is an argument as a playbook sets it.
type argument struct {
	line int
	name string
	// given reports whether there is a value, and fixed whether it is the same in every run.
	given, fixed bool
	value        string
}

// reading is a context path that is read.
type reading struct {
	line int
	path string
	part string // of the playbook, when it is not a task
}

// Read reads a playbook as the platform exports it, as YAML or JSON. Its error is a *FormatError.
func Read(text []byte) (*Playbook, error) {
	whole, err := parse(text)
	if err != nil {
		return nil, err
	}
	tasks := whole.get("tasks")
	if tasks == nil || tasks.kind != mapping {
		return nil, &FormatError{Line: max(1, whole.line), Reason: "this is not a playbook: it has no tasks", Other: true}
	}
	found := &Playbook{ID: whole.get("id").word(), Name: whole.get("name").word(), fills: map[string]bool{}}
	for _, one := range tasks.pairs {
		if one.value.kind != mapping || one.value.get("task") == nil {
			return nil, &FormatError{Line: max(1, one.value.line), Reason: "this is not a playbook: the task " + strconv.Quote(one.key) + " has no key task"}
		}
		found.add(one.key, one.value)
	}
	slices.SortStableFunc(found.tasks, func(a, b task) int { return cmp.Or(number(a.id)-number(b.id), strings.Compare(a.id, b.id)) })
	for _, part := range []string{"inputs", "outputs"} {
		for _, one := range readings(whole.get(part)) {
			one.part = part
			found.reads = append(found.reads, one)
		}
	}
	return found, nil
}

// number is that of a task by which the platform's editor shows it. Others come last.
func number(id string) int {
	const last = 1 << 30
	if n, err := strconv.Atoi(id); err == nil && n >= 0 {
		return min(n, last)
	}
	return last
}

// The keys that differ between exports.
func scriptOf(n *node) *node    { return n.get("script", "scriptid") }
func argumentsIn(n *node) *node { return n.get("scriptarguments") }

func (p *Playbook) add(id string, whole *node) {
	inner, arguments := whole.get("task"), argumentsIn(whole)
	one := task{id: id, name: inner.get("name").word(), reads: readings(whole)}
	if name := inner.get("playbookname", "playbookid").word(); name != "" && !slices.Contains(p.SubPlaybooks, name) {
		p.SubPlaybooks = append(p.SubPlaybooks, name)
	}
	if made, ok := invocationOf(inner, arguments); ok {
		one.invocations = append(one.invocations, made)
	} else {
		one.mentions = mentions(arguments)
	}
	// A loop can ask a command whether to continue.
	if loop := whole.get("loop"); loop != nil {
		if made, ok := invocationOf(loop, argumentsIn(loop)); ok {
			one.invocations = append(one.invocations, made)
		}
	}
	for _, path := range fills(inner, arguments) {
		for ; path != ownRoot; path = path[:strings.LastIndexByte(path, '.')] {
			p.fills[path] = true
		}
	}
	p.tasks = append(p.tasks, one)
}

// invocationOf is the command that a task runs: "brand|||command", where the brand may be empty or next to it.
func invocationOf(inner, arguments *node) (invocation, bool) {
	script := scriptOf(inner)
	brand, name, cut := strings.Cut(script.word(), "|||")
	if !cut {
		brand, name = "", script.word()
		if inner.get("iscommand").word() != "true" {
			return invocation{}, false
		}
	}
	if name == "" {
		return invocation{}, false
	}
	made := invocation{line: script.line, brand: cmp.Or(brand, inner.get("brand").word()), command: name}
	if arguments != nil {
		for _, one := range arguments.pairs {
			made.arguments = append(made.arguments, argumentOf(one))
		}
	}
	return made, true
}

func argumentOf(of pair) argument {
	read := argument{line: of.value.line, name: of.key}
	simple := of.value.get("simple")
	switch {
	case of.value.get("complex") != nil:
		read.given = true
	case simple != nil:
		read.value = simple.word()
		read.given = read.value != ""
		read.fixed = !strings.Contains(read.value, "${")
	}
	return read
}

// commandPrefix is the beginning of the names of the integration's own commands.
const commandPrefix = "microsoft-atp-"

// mentions are commands of the integration whose names, or whose command lines, are arguments of an automation or of a
// sub-playbook. The playbook GenericPolling, which polls with a command, also names arguments of it.
func mentions(arguments *node) []invocation {
	if arguments == nil {
		return nil
	}
	var found []invocation
	for _, one := range arguments.pairs {
		words := strings.Fields(strings.TrimPrefix(one.value.get("simple").word(), "!"))
		if len(words) == 0 || !strings.HasPrefix(words[0], commandPrefix) || strings.ContainsAny(words[0], "${},") {
			continue
		}
		made := invocation{line: one.value.line, command: words[0], partly: true}
		if strings.EqualFold(one.key, "PollingCommandName") {
			made.arguments = polledWith(arguments)
		}
		found = append(found, made)
	}
	return found
}

func polledWith(arguments *node) []argument {
	var found []argument
	for _, key := range []string{"PollingCommandArgName", "AdditionalPollingCommandArgNames"} {
		simple := arguments.get(key).get("simple")
		if strings.Contains(simple.word(), "${") {
			continue
		}
		for name := range strings.SplitSeq(simple.word(), ",") {
			if name = strings.TrimSpace(name); name != "" {
				found = append(found, argument{line: simple.line, name: name, given: true})
			}
		}
	}
	return found
}

// fills are the context paths that a task fills by its own means: by extending the context with parts of an answer, or
// with one of the platform's automations that set a key.
func fills(inner, arguments *node) []string {
	var found []string
	for extension := range strings.SplitSeq(arguments.get("extend-context").get("simple").word(), "::") {
		if key, _, set := strings.Cut(extension, "="); set {
			found = append(found, key)
		}
	}
	if strings.HasPrefix(inner.get("scriptname").word(), "Set") {
		found = append(found, arguments.get("key").get("simple").word())
	}
	var own []string
	for _, key := range found {
		if path, ok := ownPath(key); ok {
			own = append(own, path)
		}
	}
	return own
}

// readings are the context paths of the integration that a part of a playbook reads.
func readings(of *node) []reading {
	var found []reading
	note := func(n *node, expression string) {
		if path, ok := ownPath(expression); ok {
			found = append(found, reading{line: n.line, path: path})
		}
	}
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil {
			return
		}
		for expression := range templates(n.text) {
			note(n, expression)
		}
		for _, item := range n.items {
			visit(item)
		}
		if n.get("iscontext").word() == "true" {
			bare := n.get("value").get("simple")
			note(n, bare.word())
		}
		for _, one := range n.pairs {
			switch {
			case strings.EqualFold(one.key, "complex"):
				noteComplex(one.value, note)
			case strings.EqualFold(one.key, "contextpath"):
				note(one.value, one.value.word())
			case strings.EqualFold(one.key, "dt"): // an argument that takes an expression
				note(one.value, one.value.get("simple").word())
			case isProse(one):
				continue
			}
			visit(one.value)
		}
	}
	visit(of)
	return found
}

// noteComplex notes the path of a value that is put together from a root and an accessor below it.
func noteComplex(value *node, note func(*node, string)) {
	root := value.get("root")
	if root == nil {
		return
	}
	expression := strings.TrimSuffix(strings.TrimPrefix(root.word(), "${"), "}")
	if accessor := value.get("accessor").word(); accessor != "" {
		expression += "." + accessor
	}
	note(root, expression)
}

// isProse reports whether a text is only for the readers of a playbook, or for its picture.
func isProse(of pair) bool {
	return of.value.kind == scalar && (strings.EqualFold(of.key, "description") || strings.EqualFold(of.key, "view"))
}
