package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/rawjson"
)

func commandNames(registry *commands.Registry) []string {
	var names []string
	for _, command := range registry.All() {
		names = append(names, command.Name)
	}
	return names
}

// parseArguments reads arguments of a command written as NAME=VALUE, and a value without a name as that of the command's default
// argument, as the platform does with !endpoint 10.0.0.1. A value is text, as an analyst types it into the War Room; the
// command reads lists, numbers and dates out of it. valueOf returns the value of what was typed.
func parseArguments(command commands.Command, words []string, valueOf func(name, typed string) (string, error)) (map[string]json.RawMessage, error) {
	args := make(map[string]json.RawMessage, len(words))
	known := argumentNames(command)
	for _, word := range words {
		name, value, named := strings.Cut(word, "=")
		if !named && slices.Contains(known, word) {
			return nil, argumentUsage(command, "the argument %s has no value: write %s=VALUE", word, word)
		}
		if !named || !isName(name) {
			name, value = command.Unnamed, word
		}
		switch {
		case name == "":
			return nil, argumentUsage(command, "%q is not an argument: write NAME=VALUE", word)
		case !slices.Contains(known, name):
			return nil, argumentUsage(command, "%s has no argument %q%s", command.Name, name, didYouMean(name, known))
		case args[name] != nil:
			if slices.ContainsFunc(command.Arguments(), func(one commands.Argument) bool { return one.Name == name && one.Many }) {
				return nil, argumentUsage(command, "the argument %s is given twice: write a list as %s=ONE,TWO", name, name)
			}
			return nil, argumentUsage(command, "the argument %s is given twice; quote a value with spaces", name)
		}
		value, err := valueOf(name, value)
		if err != nil {
			return nil, err
		}
		args[name] = json.RawMessage(rawjson.Make(value))
	}
	return args, nil
}

// isName reports whether a text may be the name of an argument, rather than the beginning of a value that has = in it.
func isName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// asTyped takes a value as it was typed: what comes from elsewhere than a terminal reads no file.
func asTyped(_, typed string) (string, error) { return typed, nil }

// largestValue is the size in bytes of the largest value that is read from a file.
const largestValue = 4 << 20

// valueOf returns the value of an argument: the content of a file behind @, without the line break at its end, and else
// the text itself, in which @@ at the beginning is one @.
func (p *program) valueOf(name, typed string) (string, error) {
	file, isFile := strings.CutPrefix(typed, "@")
	if !isFile || strings.HasPrefix(file, "@") {
		return strings.TrimPrefix(typed, "@"), nil
	}
	from := p.In
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return "", invalid(fmt.Errorf("reading the value of %s: %w; write @@ for a value that begins with @", name, err))
		}
		defer opened.Close()
		from = opened
	}
	content, err := io.ReadAll(io.LimitReader(from, largestValue+1))
	switch {
	case err != nil:
		return "", invalid(fmt.Errorf("reading the value of %s: %w", name, err))
	case len(content) > largestValue:
		return "", invalid(fmt.Errorf("the value of %s in %s is larger than %d MiB", name, file, largestValue>>20))
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

// argumentUsage reports a mistake in the arguments of a command, with the place where they are described.
func argumentUsage(command commands.Command, format string, values ...any) error {
	return &usageError{
		err:  fmt.Errorf(format, values...),
		hint: fmt.Sprintf("Run '%s run %s --help' for its arguments.", programName, command.Name),
	}
}

// argumentNames returns the names of the arguments that a user may set.
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
		longest = 200 // in bytes: what is longer is not a name
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
		return orMeant(near)
	case len(known) == 0:
		return "; it has none"
	case len(known) <= few:
		return "; it has " + strings.Join(known, ", ")
	}
	return ""
}
