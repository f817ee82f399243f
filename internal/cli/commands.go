package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/rawjson"
)

// commandsOptions are the flags of commands.
type commandsOptions struct {
	area, search string
	asJSON       bool
}

func (p *program) commandsCommand() *cobra.Command {
	var options commandsOptions
	command := &cobra.Command{
		Use: "commands [NAME]", Short: "List the War Room commands, or describe one", GroupID: groupWork,
		Long: `Lists the War Room commands, or describes one: what it does, its arguments, the context paths that it writes, the
permissions that it needs, and an example.`,
		Example: `  xsoar-defender commands --area "Machine actions"
  xsoar-defender commands --search "quarantine file"
  xsoar-defender commands microsoft-atp-isolate-machine`,
		Args: between(0, 1, ""),
		RunE: func(_ *cobra.Command, args []string) error { return p.showCommands(args, options) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeCommand(commands.NewRegistry())
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.area, "area", "", "list only the commands of an area")
	flags.StringVar(&options.search, "search", "", "list only the commands whose names, texts and arguments contain every word")
	flags.BoolVar(&options.asJSON, "json", false, "write the declarations as one JSON document")
	err := command.RegisterFlagCompletionFunc("area", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return areaNames(commands.NewRegistry().All()), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // only if there is no such flag
	}
	return command
}

func (p *program) showCommands(args []string, options commandsOptions) error {
	registry := commands.NewRegistry()
	if len(args) == 0 {
		chosen, err := options.choose(registry.All())
		if err != nil {
			return err
		}
		if options.asJSON {
			return p.writeDocument(rawjson.Make(documented(chosen)))
		}
		p.listCommands(chosen)
		return nil
	}
	if options.area != "" || options.search != "" {
		return usage("--area and --search select from all commands: leave out NAME")
	}
	command, err := findCommand(registry, args[0])
	if err != nil {
		return err
	}
	if options.asJSON {
		return p.writeDocument(rawjson.Make(documented([]commands.Command{command})[0]))
	}
	p.explainCommand(command)
	return nil
}

// areaNames returns the areas in their declared order.
func areaNames(all []commands.Command) []string {
	var names []string
	for _, command := range all {
		if !slices.Contains(names, string(command.Area)) {
			names = append(names, string(command.Area))
		}
	}
	return names
}

// choose returns the commands that the flags select.
func (o commandsOptions) choose(all []commands.Command) ([]commands.Command, error) {
	names := areaNames(all)
	if o.area != "" && !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, o.area) }) {
		return nil, usage("unknown area %q%s", o.area, didYouMeanArea(o.area, names))
	}
	words := strings.Fields(strings.ToLower(o.search))
	chosen := []commands.Command{}
	for _, command := range all {
		text := searched(command)
		missing := slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
		if !missing && (o.area == "" || strings.EqualFold(string(command.Area), o.area)) {
			chosen = append(chosen, command)
		}
	}
	return chosen, nil
}

// didYouMeanArea names the areas that contain the text or are spelled almost like it, or else all of them.
func didYouMeanArea(area string, names []string) string {
	var meant []string
	for _, name := range names {
		if area != "" && strings.Contains(strings.ToLower(name), strings.ToLower(area)) {
			meant = append(meant, strconv.Quote(name))
		}
	}
	if len(meant) == 0 {
		for _, name := range nearest(area, names) {
			meant = append(meant, strconv.Quote(name))
		}
	}
	if len(meant) == 0 {
		return "; the areas are " + strings.Join(names, ", ")
	}
	return orMeant(meant)
}

// searched returns the text of a command that --search looks in.
func searched(command commands.Command) string {
	parts := []string{command.Name, command.Help, string(command.Area)}
	for _, argument := range command.Arguments() {
		if !argument.Hidden {
			parts = append(parts, argument.Name, argument.Help)
		}
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}

// listCommands shows all commands under their areas.
func (p *program) listCommands(all []commands.Command) {
	screen := p.screen("")
	if len(all) == 0 {
		screen.paragraph("No command matches.")
		return
	}
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

// summary returns the first sentence of a command's help.
func summary(command commands.Command) string {
	first, _, _ := strings.Cut(command.Help, ". ")
	first = strings.TrimSuffix(first, ".")
	if command.Deprecated != "" {
		return first + " (deprecated: use " + command.Deprecated + ")"
	}
	return first
}

// explainCommand shows the whole declaration of a command.
func (p *program) explainCommand(command commands.Command) {
	screen := p.screen("")
	screen.line(screen.strong(command.Name))
	screen.paragraph(command.Help)
	if command.Deprecated != "" {
		screen.paragraph("It is deprecated: use " + command.Deprecated + " instead.")
	}
	for _, note := range notes(command) {
		screen.paragraph(note)
	}
	screen.section("Arguments", "It takes none.", []string{"Name", "Form", "Default", "Values", "What it is"}, argumentRows(command))
	screen.section("Context", "It writes nothing there.", []string{"Path", "Type", "What it is"}, outputRows(command))
	if rows := placeRows(command); len(rows) > 0 {
		screen.section("What happens to existing context", "", []string{"Path", "Existing value"}, rows)
	}
	screen.section("Permissions", "It needs none.", []string{"For an application: one per row", "For a user who signs in", "API"}, permissionRows(command))
	screen.line("")
	screen.line(screen.strong("Example"))
	screen.line(exampleOf(command))
}

// notes lists what an analyst should know before running a command.
func notes(command commands.Command) []string {
	var notes []string
	if command.Executes {
		notes = append(notes, "It changes something that an analyst may not want to happen by accident. The platform can be set to ask before it runs.")
	}
	if command.Polls {
		notes = append(notes, "It can run again by itself until it is done; in a terminal it waits.")
	}
	if command.Platform {
		notes = append(notes, "The platform runs it by itself.")
	}
	return notes
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
		if argument.Name == command.Unnamed {
			notes = append(notes, "needs no name")
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
	for _, declared := range command.Declared() {
		rows = append(rows, []string{declared.Path, string(declared.Type), declared.Help})
	}
	return rows
}

// placeRows describes, for every context path that a command writes, what happens to the values that are already there.
func placeRows(command commands.Command) [][]string {
	var rows [][]string
	for _, place := range placesOf(command) {
		becomes := "is replaced"
		if place.Key != "" {
			becomes = "is merged if " + place.Key
		}
		rows = append(rows, []string{place.Path, becomes})
	}
	return rows
}

// placesOf returns the context paths that a command writes, each once.
func placesOf(command commands.Command) []placeDocument {
	places := []placeDocument{}
	for _, output := range command.Outputs {
		if place := (placeDocument{output.Path, output.Key}); place.Path != "" && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places
}

// permissionRows has a row for every set of permissions of which a sign-in needs one.
func permissionRows(command commands.Command) [][]string {
	var rows [][]string
	for _, set := range command.PermissionSets() {
		rows = append(rows, []string{strings.Join(set.Application, " or "), strings.Join(set.Delegated, " or "), apiName(set.Graph)})
	}
	return rows
}

func apiName(graph bool) string {
	if graph {
		return "Microsoft Graph"
	}
	return "WindowsDefenderATP"
}

func exampleOf(command commands.Command) string {
	words := []string{programName, "run", command.Name}
	if command.Example != "" {
		words = append(words, command.Example)
	}
	return strings.Join(append(words, "--instance FILE"), " ")
}

// commandDocument is the declaration of a command as JSON.
type commandDocument struct {
	Name        string               `json:"name"`
	Area        commands.Area        `json:"area"`
	Help        string               `json:"help"`
	Deprecated  string               `json:"deprecated,omitempty"`
	Executes    bool                 `json:"executes"`
	Polls       bool                 `json:"polls"`
	Platform    bool                 `json:"platform"`
	Example     string               `json:"example"`
	Arguments   []argumentDocument   `json:"arguments"`
	Context     []pathDocument       `json:"context"`
	Places      []placeDocument      `json:"places"`
	Permissions []permissionDocument `json:"permissions"`
}

type argumentDocument struct {
	Name       string        `json:"name"`
	Help       string        `json:"help"`
	Default    string        `json:"default,omitempty"`
	Values     []string      `json:"values,omitempty"`
	Holds      commands.Held `json:"holds,omitempty"`
	Required   bool          `json:"required"`
	Unnamed    bool          `json:"unnamed"`
	List       bool          `json:"list"`
	Deprecated bool          `json:"deprecated"`
}

type pathDocument struct {
	Path string `json:"path"`
	Type string `json:"type"`
	Help string `json:"help"`
}

type placeDocument struct {
	Path string `json:"path"`
	Key  string `json:"key,omitempty"`
}

type permissionDocument struct {
	Application []string `json:"application"`
	Delegated   []string `json:"delegated"`
	API         string   `json:"api"`
}

// documented describes commands with empty lists where there is nothing, so that a reader need not ask for both.
func documented(all []commands.Command) []commandDocument {
	documents := []commandDocument{}
	for _, command := range all {
		one := commandDocument{
			Name: command.Name, Area: command.Area, Help: command.Help, Deprecated: command.Deprecated, Executes: command.Executes,
			Polls: command.Polls, Platform: command.Platform, Example: exampleOf(command),
			Arguments: []argumentDocument{}, Context: []pathDocument{}, Places: placesOf(command), Permissions: []permissionDocument{},
		}
		for _, argument := range command.Arguments() {
			if !argument.Hidden {
				one.Arguments = append(one.Arguments, argumentDocument{
					argument.Name, argument.Help, argument.Default, argument.Values, argument.Holds, argument.Required,
					argument.Name == command.Unnamed, argument.List, argument.Deprecated,
				})
			}
		}
		for _, declared := range command.Declared() {
			one.Context = append(one.Context, pathDocument{declared.Path, string(declared.Type), declared.Help})
		}
		for _, set := range command.PermissionSets() {
			one.Permissions = append(one.Permissions, permissionDocument{set.Application, set.Delegated, apiName(set.Graph)})
		}
		documents = append(documents, one)
	}
	return documents
}
