package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"xsoar-defender/commands"
)

// The groups in which the help of the program lists its commands.
const (
	groupWork     = "work"
	groupInstance = "instance"
	groupPlatform = "platform"
	groupTry      = "try"
	groupSelf     = "self"
)

func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: groupWork, Title: "Work with Microsoft Defender:"},
		{ID: groupInstance, Title: "Set up an instance:"},
		{ID: groupPlatform, Title: "For Cortex XSOAR:"},
		{ID: groupTry, Title: "Try it without a tenant:"},
		{ID: groupSelf, Title: "About this program:"},
	}
}

// The width of help texts, in columns: that of the terminal within these limits, and usualWidth without a terminal.
const (
	leastHelpWidth = 40
	mostHelpWidth  = 100
)

func (p *program) helpWidth() int {
	return max(leastHelpWidth, min(p.readingWidth(), mostHelpWidth))
}

// readingWidth is the width of texts that are fitted wherever they go: that of the terminal, or else the one that COLUMNS
// asks for, or else usualWidth.
func (p *program) readingWidth() int {
	asked, err := strconv.Atoi(p.Getenv("COLUMNS"))
	if err != nil || asked < leastHelpWidth {
		asked = usualWidth
	}
	return cmp.Or(p.Width(), asked)
}

// showHelp writes the help of a command. It is our own: cobra's goes through templates once it is changed, and does not
// fit its texts to the terminal.
func (p *program) showHelp(command *cobra.Command) {
	screen, width := p.screen(""), p.helpWidth()
	screen.width = width
	for i, paragraph := range strings.Split(cmp.Or(command.Long, command.Short), "\n\n") {
		if i > 0 {
			screen.line("")
		}
		if strings.HasPrefix(paragraph, " ") { // an example
			screen.line(paragraph)
			continue
		}
		screen.paragraph(strings.ReplaceAll(paragraph, "\n", " "))
	}
	section := func(title string) {
		screen.line("")
		screen.line(screen.strong(title))
	}
	section("Usage:")
	if command.HasParent() {
		screen.line("  " + command.UseLine())
	} else {
		screen.line("  " + programName + " COMMAND [flags]")
	}
	if command.Example != "" {
		section("Examples:")
		screen.line(command.Example)
	}
	list := func(title, group string) {
		longest := 0
		var listed []*cobra.Command
		for _, one := range command.Commands() {
			longest = max(longest, len(one.Name()))
			if one.GroupID == group && one.IsAvailableCommand() {
				listed = append(listed, one)
			}
		}
		if len(listed) == 0 {
			return
		}
		section(title)
		for _, one := range listed {
			screen.line(wrapHanging(fmt.Sprintf("  %-*s  ", longest, one.Name()), one.Short, width))
		}
	}
	for _, group := range command.Groups() {
		list(group.Title, group.ID)
	}
	if command.HasParent() {
		list("Commands:", "")
	} else {
		list("More:", "")
	}
	if flags := command.LocalFlags(); flags.HasAvailableFlags() {
		section("Flags:")
		screen.line(strings.TrimRight(flags.FlagUsagesWrapped(width), "\n"))
	}
	if command.HasAvailableSubCommands() {
		screen.line("")
		screen.paragraph(fmt.Sprintf("Run '%s COMMAND --help' for more about a command.", command.CommandPath()))
	}
}

// wrapHanging returns text behind a head, with further lines indented as far as the head is wide.
func wrapHanging(head, content string, width int) string {
	indent := text.StringWidthWithoutEscSequences(head)
	lines := strings.Split(text.WrapSoft(content, max(1, width-indent)), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return head + strings.Join(lines, "\n"+strings.Repeat(" ", indent))
}

// helpCommand replaces the one of cobra, which succeeds for a command that does not exist.
func (p *program) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command", GroupID: groupSelf,
		Long: `Shows the help of a command of this program, or describes a command of the War Room.`,
		Example: `  xsoar-defender help run
  xsoar-defender help microsoft-atp-isolate-machine`,
		RunE: func(command *cobra.Command, args []string) error { return p.help(command.Root(), args) },
		ValidArgsFunction: func(command *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			found, _, err := command.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var completions []cobra.Completion
			for _, one := range found.Commands() {
				if one.IsAvailableCommand() {
					completions = append(completions, cobra.CompletionWithDesc(one.Name(), one.Short))
				}
			}
			return completions, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// help shows the help that words name: of a command, of one of its subcommands, or of a War Room command.
func (p *program) help(root *cobra.Command, words []string) error {
	command := root
	for i, word := range words {
		below := subcommand(command, word)
		if below != nil {
			command = below
			continue
		}
		registry := commands.NewRegistry()
		if command.Name() == "run" || command.Name() == "commands" || command == root {
			if described, known := registry.Find(word); known && i == len(words)-1 {
				p.explainCommand(described)
				return nil
			}
		}
		if command.Name() == "run" || command.Name() == "commands" {
			_, err := findCommand(registry, word)
			return err
		}
		if command == root {
			return unknownSubcommand(root, word, registry)
		}
		return unknownBelow(command, word)
	}
	command.InitDefaultHelpFlag()
	p.showHelp(command)
	return nil
}

func subcommand(command *cobra.Command, name string) *cobra.Command {
	for _, one := range command.Commands() {
		if one.Name() == name && one.IsAvailableCommand() {
			return one
		}
	}
	return nil
}

// helpOf shows the help that --help asks for. Behind run and commands it is that of the War Room command that is named.
func (p *program) helpOf(command *cobra.Command) error {
	words := strings.Fields(command.CommandPath())[1:]
	if given := command.Flags().Args(); len(given) > 0 && (command.Name() == "run" || command.Name() == "commands") {
		words = append(words, given[0])
	}
	return p.help(command.Root(), words)
}
