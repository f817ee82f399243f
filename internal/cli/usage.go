package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"xsoar-defender/commands"
)

// usageError reports a mistake in how the program was called. Nothing was asked of the service yet.
type usageError struct {
	err error
	// hint is a sentence that says where to look; "" means the help of the command.
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// usage returns a usage error.
func usage(format string, values ...any) error {
	return &usageError{err: fmt.Errorf(format, values...)}
}

// flagError explains what pflag refused, in words of this program.
func flagError(command *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = "-" + unknown.GetSpecifiedName()
		}
		var known []string
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden {
				known = append(known, "--"+flag.Name)
			}
		})
		return usage("unknown flag %s%s", name, orMeant(nearest(name, known)))
	}
	if empty, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--%s needs a value", empty.GetFlag().Name)
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage("--%s must be %s; got %q", invalid.GetFlag().Name, wantedBy(invalid), invalid.GetValue())
	}
	if malformed, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return usage("%q is not a flag: write --name or --name=value", malformed.GetSpecifiedFlag())
	}
	return usage("%w", err)
}

// wantedBy says what the value of a flag must be.
func wantedBy(invalid *pflag.InvalidValueError) string {
	switch invalid.GetFlag().Value.Type() {
	case "bool":
		return "true or false"
	case "duration":
		return "a time span such as 90s or 5m"
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number that is not negative"
	case "float64":
		return "a number"
	}
	return invalid.Unwrap().Error()
}

// pathOf returns the names that lead to a command, without that of the program, with which every error begins.
func pathOf(command *cobra.Command) string {
	return strings.TrimPrefix(command.CommandPath(), programName+" ")
}

// noArgs refuses arguments behind a command that takes none.
func noArgs(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage("%s takes no argument, but got %q", pathOf(command), args[0])
}

// between accepts from least to most arguments, which what names in the singular.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage("%s needs %s", pathOf(command), what)
		case most >= 0 && len(args) > most:
			return usage("%s takes one argument, but also got %q", pathOf(command), args[most])
		}
		return nil
	}
}

// exclusive refuses flags that cannot be given together.
func exclusive(command *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if command.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usage("%s cannot be given together: leave one out", strings.Join(given, " and "))
	}
	return nil
}

// unknownSubcommand names the nearest commands to one that does not exist: those of the program, and those of the War
// Room, which belong behind run.
func unknownSubcommand(root *cobra.Command, name string, registry *commands.Registry) error {
	meant := nearest(name, subcommandNames(root))
	for _, command := range nearestCommands(registry, name) {
		meant = append(meant, "run "+command)
	}
	return &usageError{
		err:  fmt.Errorf("unknown command %q%s", name, orMeant(meant)),
		hint: fmt.Sprintf("Run '%s --help' for the list.", programName),
	}
}

// unknownBelow refuses a command that a command of the program with commands of its own does not have.
func unknownBelow(command *cobra.Command, name string) error {
	return &usageError{
		err:  fmt.Errorf("%s has no command %q%s", pathOf(command), name, didYouMean(name, subcommandNames(command))),
		hint: fmt.Sprintf("Run '%s --help' for usage.", command.CommandPath()),
	}
}

func subcommandNames(command *cobra.Command) []string {
	var names []string
	for _, one := range command.Commands() {
		if one.IsAvailableCommand() {
			names = append(names, one.Name())
		}
	}
	return names
}

// findCommand finds a command of the War Room.
func findCommand(registry *commands.Registry, name string) (commands.Command, error) {
	command, known := registry.Find(name)
	if !known {
		return commands.Command{}, &usageError{
			err:  fmt.Errorf("unknown command %q%s", name, orMeant(nearestCommands(registry, name))),
			hint: fmt.Sprintf("Run '%s commands' for the list.", programName),
		}
	}
	return command, nil
}

// nearestCommands returns the War Room commands that a name may stand for: those that it is the short name of, such as
// isolate-machine, or else those with a similar spelling.
func nearestCommands(registry *commands.Registry, name string) []string {
	names := commandNames(registry)
	short := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	var ending []string
	for _, known := range names {
		if known != name && strings.HasSuffix(known, "-"+short) && len(short) > furthestGuess {
			ending = append(ending, known)
		}
	}
	if len(ending) > 0 && len(ending) <= few {
		slices.SortStableFunc(ending, func(a, b string) int { return len(a) - len(b) })
		return ending
	}
	if near := nearest(name, names); len(near) > 0 {
		return near
	}
	const prefix = "microsoft-atp-"
	return nearest(prefix+short, names)
}

// orMeant is the end of a sentence that names what may have been meant, if anything.
func orMeant(names []string) string {
	if len(names) == 0 {
		return ""
	}
	last := len(names) - 1
	if last == 0 {
		return "; did you mean " + names[0] + "?"
	}
	return "; did you mean " + strings.Join(names[:last], ", ") + " or " + names[last] + "?"
}
