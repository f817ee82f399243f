package playbook

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	"xsoar-defender/commands"
	"xsoar-defender/warroom"
)

// Kind says what a finding is about.
type Kind string

// What would not be served.
const (
	UnknownCommand  Kind = "unknown command"
	UnknownArgument Kind = "unknown argument"
	MissingArgument Kind = "missing argument"
	RefusedArgument Kind = "refused argument"
	RefusedValue    Kind = "refused value"
	UnknownPath     Kind = "unknown context path"
	UnfilledPath    Kind = "context path that nothing fills"
)

// Findings that are served, but should be changed.
const (
	DeprecatedCommand  Kind = "deprecated command"
	DeprecatedArgument Kind = "deprecated argument"
)

// Finding is one thing that a playbook uses.
type Finding struct {
	Kind Kind `json:"kind"`
	// Task is the number of the task, and Name its name; without a task, Name is the part of the playbook.
	Task string `json:"task,omitempty"`
	Name string `json:"name"`
	// Line is where it is in the file.
	Line int `json:"line"`
	// What is used, Why it is a finding, and what to use Instead, when something is near.
	What    string `json:"what"`
	Why     string `json:"why"`
	Instead string `json:"instead,omitempty"`
}

// Result lists the parts of the integration that a playbook uses.
type Result struct {
	// Commands and Paths are the integration's commands and context paths that the playbook uses, each once, in order.
	Commands []string `json:"commands"`
	Paths    []string `json:"contextPaths"`
	// Problems would not be served, Notes are served.
	Problems []Finding `json:"problems"`
	Notes    []Finding `json:"notes"`
	// NotLookedInto are its sub-playbooks that are not among those that are checked.
	NotLookedInto []string `json:"notLookedInto"`
}

// Checker compares playbooks with what the commands declare.
type Checker struct {
	brand    string
	nearest  func(name string, known []string) []string
	commands map[string]commands.Command
	names    []string
	places   map[string]*place
	fills    map[string]bool // context paths that the playbooks themselves fill
	added    map[string]bool // the playbooks, by ID and by name
}

// place is a context path that is declared, or what declared ones are below.
type place struct {
	// filled reports whether a command fills it, or something below it, and open whether everything the service returns is
	// below it.
	filled, open bool
	help         string
	below        []string // the keys that are declared below it
	by           string   // the first command that declares it, or something below it
}

// NewChecker makes a Checker. The platform knows the integration by its brand, and nearest returns those of the known
// names that a name which is not known may be meant for.
func NewChecker(declared []commands.Command, brand string, nearest func(name string, known []string) []string) *Checker {
	c := &Checker{
		brand: brand, nearest: nearest, commands: map[string]commands.Command{},
		places: map[string]*place{ownRoot: {filled: true}}, fills: map[string]bool{}, added: map[string]bool{},
	}
	for _, one := range declared {
		if one.Platform {
			continue // no playbook runs it
		}
		c.commands[one.Name] = one
		c.names = append(c.names, one.Name)
		for _, output := range one.Outputs {
			c.declare(one.Name, output)
		}
	}
	return c
}

func (c *Checker) declare(command string, output commands.Output) {
	declared := output.Declared()
	for _, one := range declared {
		at := c.reach(one.Path, command, !one.Gone)
		at.help = one.Help
		at.open = at.open || !one.Gone && one.Type == warroom.Unknown
	}
	asReceived := output.View == nil && slices.ContainsFunc(declared, func(one commands.Declared) bool { return !one.Gone })
	if asReceived && c.places[output.Path] != nil {
		c.places[output.Path].open = true
	}
}

// reach returns the place of a path, and makes it and those above it when they are new.
func (c *Checker) reach(path, command string, filled bool) *place {
	at := c.places[path]
	if at == nil {
		at = &place{by: command}
		c.places[path] = at
	}
	at.filled = at.filled || filled
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		above := c.reach(path[:dot], command, filled)
		if key := path[dot+1:]; !slices.Contains(above.below, key) {
			above.below = append(above.below, key)
		}
	}
	return at
}

// Add says that a playbook belongs to those that are checked: what one fills by its own means another may read, as a
// sub-playbook and the playbook that runs it do.
func (c *Checker) Add(of *Playbook) {
	maps.Copy(c.fills, of.fills)
	c.added[of.ID], c.added[of.Name] = true, true
}

// Check says what a playbook uses of the integration, and what of that would not be served.
func (c *Checker) Check(of *Playbook) Result {
	k := &check{Checker: c, playbook: of, found: map[Finding]bool{}, result: Result{
		Commands: []string{}, Paths: []string{}, Problems: []Finding{}, Notes: []Finding{}, NotLookedInto: []string{}, // not null in JSON
	}}
	for _, name := range of.SubPlaybooks {
		if !c.added[name] {
			k.result.NotLookedInto = append(k.result.NotLookedInto, name)
		}
	}
	for _, one := range of.reads {
		k.task, k.name = "", "the playbook's "+one.part
		k.read(one)
	}
	for _, one := range of.tasks {
		k.task, k.name = one.id, one.name
		for _, made := range slices.Concat(one.invocations, one.mentions) {
			k.invocation(made)
		}
		for _, one := range one.reads {
			k.read(one)
		}
	}
	k.result.Commands, k.result.Paths = once(k.result.Commands), once(k.result.Paths)
	return k.result
}

func once(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// check is one look at a playbook, and where it has come to.
type check struct {
	*Checker

	playbook   *Playbook
	task, name string
	found      map[Finding]bool
	result     Result
}

// mostSuggestions bounds for how many problems of a playbook something near is looked for, which takes far longer than
// all else.
const mostSuggestions = 1_000

func (k *check) near(name string, known []string) []string {
	if len(k.result.Problems)+len(k.result.Notes) >= mostSuggestions {
		return nil
	}
	return k.nearest(name, known)
}

// problem and note add what was found, each thing once for a task.
func (k *check) problem(found Finding) { k.result.Problems = k.added(k.result.Problems, found) }

func (k *check) note(found Finding) { k.result.Notes = k.added(k.result.Notes, found) }

func (k *check) added(to []Finding, found Finding) []Finding {
	found.Task, found.Name = k.task, k.name
	same := Finding{Kind: found.Kind, Task: found.Task, Name: found.Name, What: found.What}
	if k.found[same] {
		return to
	}
	k.found[same] = true
	return append(to, found)
}

// copied is the suffix that the platform adds to the brand of a copy of an integration.
const copied = "_copy"

// invocation looks at a command. It is the integration's when its brand or its name says so; a name that other integrations
// have as well also without a brand.
func (k *check) invocation(made invocation) {
	branded := made.brand == k.brand || made.brand == k.brand+copied
	named := strings.HasPrefix(made.command, commandPrefix)
	command, known := k.commands[made.command]
	if !branded && !named && (!known || made.brand != "") {
		return
	}
	k.result.Commands = append(k.result.Commands, made.command)
	if !known {
		k.problem(Finding{
			Kind: UnknownCommand, Line: made.line, What: made.command, Why: "there is no such command",
			Instead: strings.Join(k.near(made.command, k.names), " or "),
		})
		return
	}
	if command.Deprecated != "" {
		k.note(Finding{Kind: DeprecatedCommand, Line: made.line, What: made.command, Why: "the command is deprecated", Instead: command.Deprecated})
	}
	if !branded && !named {
		return // another integration may be the one that its arguments are for
	}
	for _, one := range made.arguments {
		if one.given {
			k.argument(command, one)
		}
	}
	if !made.partly {
		k.missing(command, made)
	}
}

// missing looks for arguments that have to be given.
func (k *check) missing(command commands.Command, made invocation) {
	for _, wanted := range command.Arguments() {
		given := slices.ContainsFunc(made.arguments, func(one argument) bool { return one.name == wanted.Name && one.given })
		if wanted.Required && wanted.Default == "" && !given {
			k.problem(Finding{
				Kind: MissingArgument, Line: made.line, What: made.command + " without " + wanted.Name, Why: "the argument is required",
				Instead: wanted.Name + ": " + lowerFirst(wanted.Help),
			})
		}
	}
}

func (k *check) argument(command commands.Command, given argument) {
	all := command.Arguments()
	at := slices.IndexFunc(all, func(one commands.Argument) bool { return one.Name == given.name })
	what := command.Name + " " + given.name
	if at < 0 {
		if !ofThePlatform(given.name) {
			k.problem(Finding{
				Kind: UnknownArgument, Line: given.line, What: what, Why: "the command has no such argument",
				Instead: cmp.Or(strings.Join(k.near(given.name, visible(all)), " or "), "one of "+strings.Join(visible(all), ", ")),
			})
		}
		return
	}
	declared := all[at]
	switch {
	case declared.Refused:
		k.problem(Finding{Kind: RefusedArgument, Line: given.line, What: what, Why: "the command refuses it: " + lowerFirst(declared.Help), Instead: command.Deprecated})
		return
	case declared.Deprecated:
		k.note(Finding{Kind: DeprecatedArgument, Line: given.line, What: what, Why: "it is deprecated: " + lowerFirst(declared.Help)})
	}
	if !given.fixed || declared.Hidden {
		return
	}
	if err := declared.Check(given.value); err != nil {
		k.problem(Finding{Kind: RefusedValue, Line: given.line, What: what, Why: "the value " + err.Error()})
	}
}

// visible returns the names of the arguments that a playbook may set.
func visible(all []commands.Argument) []string {
	var names []string
	for _, one := range all {
		if !one.Hidden {
			names = append(names, one.Name)
		}
	}
	return names
}

// ofThePlatform reports whether an argument is one that the platform takes for every command and does not pass on.
func ofThePlatform(name string) bool {
	switch name {
	case "using", "using-brand", "using-category", "extend-context", "ignore-outputs", "raw-response", "auto-extract", "debug-mode",
		"retry-count", "retry-interval", "execution-timeout":
		return true
	}
	return false
}

func (k *check) read(one reading) {
	k.result.Paths = append(k.result.Paths, one.path)
	above, path := k.places[ownRoot], ownRoot
	open := false
	for key := range strings.SplitSeq(strings.TrimPrefix(one.path[len(ownRoot):], "."), ".") {
		if key == "" {
			return // the root itself
		}
		path += "." + key
		if k.fills[path] || k.playbook.fills[path] {
			return
		}
		open = open || above.open
		at := k.places[path]
		if at == nil {
			if !open {
				k.undeclared(Finding{Kind: UnknownPath, Line: one.line, What: one.path, Instead: k.instead(path, above)})
			}
			return
		}
		above = at
	}
	if !above.filled {
		k.problem(Finding{Kind: UnfilledPath, Line: one.line, What: one.path, Why: lowerFirst(cmp.Or(above.help, "Nothing fills it."))})
	}
}

// undeclared adds a context path that no command declares. A sub-playbook that was not looked into may set it.
func (k *check) undeclared(found Finding) {
	const why = "no command declares it, and no task sets it"
	if left := k.result.NotLookedInto; len(left) > 0 {
		found.Why = why + ", unless a sub-playbook that is not among the files does: " + strings.Join(left, ", ")
		k.note(found)
		return
	}
	found.Why = why
	k.problem(found)
}

// instead names what is declared near a path that is not, or where to look for it.
func (k *check) instead(path string, above *place) string {
	dot := strings.LastIndexByte(path, '.')
	var near []string
	for _, key := range k.near(path[dot+1:], above.below) {
		near = append(near, path[:dot+1]+key)
	}
	if near == nil && above.by != "" {
		return "what " + above.by + " declares"
	}
	return strings.Join(near, " or ")
}

// lowerFirst makes a sentence a part of another. Abbreviations stay as they are.
func lowerFirst(sentence string) string {
	sentence = strings.TrimSuffix(sentence, ".")
	if len(sentence) < 2 || unicode.IsUpper(rune(sentence[1])) {
		return sentence
	}
	return strings.ToLower(sentence[:1]) + sentence[1:]
}
