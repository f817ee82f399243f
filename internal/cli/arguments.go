package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/rawjson"
)

// findCommand finds a command of the War Room.
func findCommand(registry *commands.Registry, name string) (commands.Command, error) {
	command, known := registry.Find(name)
	if !known {
		return commands.Command{}, fmt.Errorf("unknown command %q%s", name, didYouMean(name, commandNames(registry)))
	}
	return command, nil
}

func commandNames(registry *commands.Registry) []string {
	var names []string
	for _, command := range registry.All() {
		names = append(names, command.Name)
	}
	return names
}

// parseArguments reads arguments of a command written as NAME=VALUE. A value is text, as an analyst types it into
// the War Room; the command reads lists, numbers and dates out of it.
func parseArguments(command commands.Command, pairs []string) (map[string]json.RawMessage, error) {
	args := make(map[string]json.RawMessage, len(pairs))
	for _, pair := range pairs {
		name, value, valued := strings.Cut(pair, "=")
		switch {
		case !valued:
			return nil, fmt.Errorf("%q is not an argument: write NAME=VALUE", pair)
		case !slices.Contains(argumentNames(command), name):
			return nil, fmt.Errorf("%s has no argument %q%s", command.Name, name, didYouMean(name, argumentNames(command)))
		case args[name] != nil:
			return nil, fmt.Errorf("the argument %s is given twice: write a list as %s=ONE,TWO", name, name)
		}
		args[name] = json.RawMessage(rawjson.Make(value))
	}
	return args, nil
}

// argumentNames are the arguments that a user may give.
func argumentNames(command commands.Command) []string {
	var names []string
	for _, argument := range command.Arguments() {
		if !argument.Hidden {
			names = append(names, argument.Name)
		}
	}
	return names
}

// furthestGuess is the largest number of letters in which a name may differ from the one that was meant.
const furthestGuess = 3

// few is the number of names that can be read at a glance.
const few = 12

// nearest returns the known names that are spelled almost like an unknown one.
func nearest(name string, known []string) []string {
	const (
		longest = 200 // in bytes: what is longer is no name
		share   = 3   // of the letters of a name that may differ
	)
	if len(name) > longest {
		return nil
	}
	// Cobra compares names for its own subcommands only, so the names become some.
	lookalikes := &cobra.Command{SuggestionsMinimumDistance: max(1, min(furthestGuess, len(name)/share))}
	for _, one := range known {
		lookalikes.AddCommand(&cobra.Command{Use: one, Run: func(*cobra.Command, []string) {}})
	}
	near := lookalikes.SuggestionsFor(name)
	if len(near) > few {
		return nil
	}
	return near
}

// didYouMean names the known names nearest to an unknown one, or all of them if they are few.
func didYouMean(name string, known []string) string {
	switch near := nearest(name, known); {
	case len(near) > 0:
		return "; did you mean " + strings.Join(near, " or ") + "?"
	case len(known) == 0:
		return "; it takes none"
	case len(known) <= few:
		return "; one of " + strings.Join(known, ", ")
	}
	return ""
}
