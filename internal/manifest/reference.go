package manifest

import (
	"slices"
	"strings"

	"xsoar-defender/commands"
	"xsoar-defender/defender"
)

const generated = "<!-- Written by go generate ./internal/manifest. Do not edit. -->"

// CommandReference writes the page that explains every command, under a heading for every area.
func CommandReference(declared []commands.Command) []byte {
	page := &page{}
	page.line(generated)
	page.line("# Commands")
	page.line("What is marked as a list takes values separated by commas, a JSON list, or a list of the context. The permissions are "+
		"those of the application; those of a user who signs in with an authorization code are in parentheses. Every command of the "+
		"War Room also runs in a terminal: `%s`. [Tables](tables.md) says what tables show first, and how.", "xsoar-defender run COMMAND name=value --instance FILE")
	for _, area := range areasOf(declared) {
		page.line("## %s", area.name)
		for _, one := range area.commands {
			page.command(one)
		}
	}
	return page.bytes()
}

func (p *page) bytes() []byte { return []byte(strings.TrimRight(p.String(), "\n") + "\n") }

func (p *page) command(declared commands.Command) {
	p.line("### %s", declared.Name)
	if declared.Deprecated != "" {
		p.line("Deprecated: use %s.", replacement(declared.Deprecated))
	}
	p.line("%s", strings.Join(append([]string{prose(declared.Help)}, notes(declared)...), " "))
	p.table([]string{"Argument", "Default", "What it is"}, argumentRows(declared))
	p.table([]string{"Context path", "Type", "What it is"}, outputRows(declared))
	p.permissions(declared)
	p.sources(declared)
	p.line("    !%s", strings.TrimSpace(declared.Name+" "+declared.Example))
}

// replacement links the command that takes the place of another.
func replacement(name string) string {
	if strings.Contains(name, " ") {
		return prose(name)
	}
	return link(name)
}

// link refers to a command on the page of commands.
func link(name string) string { return linkFrom(name, "") }

// linkFrom refers to a command on the page of commands, from a page where that is at path.
func linkFrom(name, path string) string { return "[" + code(name) + "](" + path + "#" + name + ")" }

// notes say what else is to know before a command is run.
func notes(declared commands.Command) []string {
	var notes []string
	if declared.Executes {
		notes = append(notes, "It is marked as harmful: the platform can be told to ask before it runs.")
	}
	if declared.Polls {
		notes = append(notes, "It can run again by itself until it is done.")
	}
	return notes
}

func argumentRows(declared commands.Command) [][]string {
	var rows [][]string
	for _, one := range declared.Arguments() {
		if one.Hidden {
			continue
		}
		text := described(one)
		if one.Name == declared.Unnamed {
			text += " Its value needs no name: `!" + declared.Name + " VALUE`."
		}
		rows = append(rows, []string{code(one.Name), fallback(one), text})
	}
	return rows
}

// fallback describes the value that counts when an argument is not given.
func fallback(one commands.Argument) string {
	if one.Required && one.Default == "" {
		return "*required*"
	}
	return code(one.Default)
}

func described(one commands.Argument) string {
	text := []string{prose(one.Help)}
	switch values := codes(one.Values, ", "); {
	case one.List && values != "":
		text = append(text, "A list of any of "+values+".")
	case one.List:
		text = append(text, "A list.")
	case values != "":
		text = append(text, "One of "+values+".")
	}
	if one.Deprecated {
		text = append(text, "Deprecated.")
	}
	return strings.Join(text, " ")
}

func outputRows(declared commands.Command) [][]string {
	var rows [][]string
	for _, one := range declared.Declared() {
		rows = append(rows, []string{code(one.Path), string(one.Type), prose(one.Help)})
	}
	return rows
}

// permissions lists what the operations of a command need, which is one of every set.
func (p *page) permissions(declared commands.Command) {
	var sets []string
	for _, needed := range declared.PermissionSets() {
		if set := permissionSet(needed); !slices.Contains(sets, set) {
			sets = append(sets, set)
		}
	}
	if len(sets) > 0 {
		p.line("Permissions: %s.", strings.Join(sets, "; "))
	}
}

// sources links the pages of Microsoft about the operations of a command.
func (p *page) sources(declared commands.Command) {
	var links []string
	for _, operation := range declared.Uses {
		if one := source(operation); !slices.Contains(links, one) {
			links = append(links, one)
		}
	}
	if len(links) > 0 {
		p.line("Microsoft's documentation: %s.", strings.Join(links, ", "))
	}
}

// source links the page of Microsoft about an operation.
func source(operation defender.Operation) string {
	return "[" + prose(operation.Purpose) + "](https://learn.microsoft.com" + operation.Docs + ")"
}

// area is a heading with the commands under it.
type area struct {
	name     commands.Area
	commands []commands.Command
}

// areasOf groups the commands that analysts see, in the order in which they are registered.
func areasOf(declared []commands.Command) []area {
	var areas []area
	for _, one := range listed(declared) {
		at := slices.IndexFunc(areas, func(known area) bool { return known.name == one.Area })
		if at < 0 {
			at = len(areas)
			areas = append(areas, area{name: one.Area})
		}
		areas[at].commands = append(areas[at].commands, one)
	}
	return areas
}
