package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/warroom"
)

func (p *program) commandsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "commands [NAME]", Short: "List the War Room commands, or explain one",
		Long: `Lists the War Room commands, or shows what one does, its arguments, what it puts into the context, the
permissions that it needs and an example.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			registry := commands.NewRegistry()
			if len(args) == 0 {
				p.listCommands(registry.All())
				return nil
			}
			command, err := findCommand(registry, args[0])
			if err != nil {
				return err
			}
			p.explainCommand(command)
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeCommand(commands.NewRegistry())
		},
	}
}

// listCommands shows all commands under their areas.
func (p *program) listCommands(all []commands.Command) {
	screen := p.screen("")
	byArea := map[commands.Area][][]string{}
	var areas []commands.Area
	for _, command := range all {
		if byArea[command.Area] == nil {
			areas = append(areas, command.Area)
		}
		byArea[command.Area] = append(byArea[command.Area], []string{command.Name, summary(command)})
	}
	for i, area := range areas {
		if i > 0 {
			screen.line("")
		}
		screen.line(screen.strong(string(area)))
		screen.grid([]string{"Command", "What it does"}, byArea[area])
	}
}

// summary says what a command does in its first sentence.
func summary(command commands.Command) string {
	first, _, _ := strings.Cut(command.Help, ". ")
	first = strings.TrimSuffix(first, ".")
	if command.Deprecated != "" {
		return first + " (deprecated: use " + command.Deprecated + ")"
	}
	return first
}

// explainCommand shows everything that is declared of a command.
func (p *program) explainCommand(command commands.Command) {
	screen := p.screen("")
	screen.line(screen.strong(command.Name))
	screen.paragraph(command.Help)
	if command.Deprecated != "" {
		screen.paragraph("It is deprecated: use " + command.Deprecated + " in its place.")
	}
	if command.Platform {
		screen.paragraph("The platform runs it by itself.")
	}
	screen.section("Arguments", "It has none.", []string{"Name", "Form", "Default", "Values", "What it is"}, argumentRows(command))
	screen.section("Context", "It puts nothing there.", []string{"Path", "Type", "What it is"}, outputRows(command))
	screen.section("Permissions", "It needs none.", []string{"One of every line"}, permissionRows(command))
	screen.line("")
	screen.line(screen.strong("Example"))
	screen.line(exampleOf(command))
}

// section shows a titled table with an empty line before it.
func (s screen) section(title, none string, columns []string, rows [][]string) {
	s.line("")
	s.line(s.strong(title))
	if len(rows) == 0 {
		s.paragraph(none)
		return
	}
	s.grid(columns, rows)
}

func argumentRows(command commands.Command) [][]string {
	var rows [][]string
	for _, argument := range command.Arguments() {
		if argument.Hidden {
			continue
		}
		var notes []string
		if argument.Required {
			notes = append(notes, "required")
		}
		if argument.List {
			notes = append(notes, "list")
		}
		if argument.Deprecated {
			notes = append(notes, "deprecated")
		}
		rows = append(rows, []string{argument.Name, strings.Join(notes, ", "), argument.Default, strings.Join(argument.Values, ", "), argument.Help})
	}
	return rows
}

func outputRows(command commands.Command) [][]string {
	var rows [][]string
	seen := map[string]bool{}
	for _, output := range command.Outputs {
		for _, declared := range output.Declared() {
			if !seen[declared.Path] {
				rows = append(rows, []string{declared.Path, typeName(declared.Type), declared.Help})
			}
			seen[declared.Path] = true
		}
	}
	return rows
}

func typeName(of warroom.Type) string {
	if of == "" {
		return string(warroom.Unknown)
	}
	return string(of)
}

// permissionRows has a line for every set of which a sign-in needs one.
func permissionRows(command commands.Command) [][]string {
	var rows [][]string
	for _, set := range command.Permissions() {
		rows = append(rows, []string{strings.Join(slices.Sorted(slices.Values(set)), " or ")})
	}
	return rows
}

func exampleOf(command commands.Command) string {
	words := []string{programName, "run", command.Name}
	if command.Example != "" {
		words = append(words, command.Example)
	}
	return strings.Join(append(words, "--instance FILE"), " ")
}
