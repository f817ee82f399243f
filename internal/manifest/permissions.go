package manifest

import (
	"cmp"
	"slices"
	"strings"

	"xsoar-defender/commands"
)

// PermissionReference writes the page that tells which permissions are for what: for each of them the commands, and the
// smallest sets for usual purposes.
func PermissionReference(declared []commands.Command) []byte {
	page := &page{}
	page.line(generated)
	page.line("# Permissions")
	page.line("An application has application permissions; where a user logs in with an authorization code, it has delegated ones, " +
		"and the user's own role in Microsoft Defender must allow the same. They are permissions of WindowsDefenderATP, except where " +
		"Microsoft Graph is named. After every change an administrator grants consent again. `!microsoft-atp-test` shows what a sign-in " +
		"holds. How to add permissions is in [Signing in](sign-in.md).")
	page.line("## Smallest sets")
	page.line("Anyone who only hunts through Microsoft Graph, which the instance's Hunting API selects, needs its permission instead of the " +
		"one that begins with `AdvancedQuery`.")
	for _, one := range purposes() {
		page.line("### %s", one.name)
		page.line("%s", one.help)
		page.table([]string{"API", "Application permissions", "Delegated permissions"}, smallestSets(declared, one.covers))
	}
	page.line("## What each is for")
	page.line("Of several in one row each will do.")
	page.table([]string{"Application permission", "Delegated permission", "Commands"}, permissionRows(declared))
	page.line("## Operations")
	page.line("What the commands call, with Microsoft's documentation of it.")
	page.table([]string{"Operation", "Request", "Application permission", "Delegated permission"}, operationRows(declared))
	return page.bytes()
}

// operationRows are the rows of the operations that commands use, in the order of the commands.
func operationRows(declared []commands.Command) [][]string {
	var rows [][]string
	for _, one := range declared {
		for _, operation := range one.Uses {
			request := operation.Method + " " + operation.Path
			if operation.Graph {
				request += " of Microsoft Graph"
			}
			row := []string{source(operation), code(request), codes(operation.Application, " or "), codes(operation.Delegated, " or ")}
			if !slices.ContainsFunc(rows, func(known []string) bool { return slices.Equal(known, row) }) {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// purpose is something that an instance may be for.
type purpose struct {
	name, help string
	covers     func(commands.Command) bool
}

func purposes() []purpose {
	return []purpose{
		{
			"Read only", "Fetching incidents, and every command that changes nothing, except those that get what machine actions and " +
				"live response have brought. The API asks for permission to write indicators even of those who read them.",
			func(one commands.Command) bool { return onlyReads(one) && !actsOnMachines(one) },
		},
		{
			"Response", "What only reads, and machine actions, live response and investigations.",
			func(one commands.Command) bool {
				return onlyReads(one) || actsOnMachines(one) || one.Area == commands.Investigations
			},
		},
		{"Everything", "Every command.", func(commands.Command) bool { return true }},
	}
}

// onlyReads reports whether a command changes nothing.
func onlyReads(one commands.Command) bool {
	for _, operation := range one.Uses {
		if !operation.Repeatable() {
			return false
		}
	}
	return true
}

// actsOnMachines reports whether a command belongs to those that act on machines, or get what that has brought.
func actsOnMachines(one commands.Command) bool {
	return one.Area == commands.MachineActions || one.Area == commands.LiveResponse
}

// need is a set of permissions of which one is needed, with the commands that need it.
type need struct {
	commands.PermissionSet

	commands []commands.Command
}

// needsOf are the needs of commands, in the order of their names.
func needsOf(declared []commands.Command) []need {
	var needs []need
	for _, one := range declared {
		for _, set := range one.PermissionSets() {
			at := slices.IndexFunc(needs, func(known need) bool { return known.Equal(set) })
			if at < 0 {
				at = len(needs)
				needs = append(needs, need{PermissionSet: set})
			}
			needs[at].commands = append(needs[at].commands, one)
		}
	}
	slices.SortStableFunc(needs, func(a, b need) int {
		return cmp.Or(slices.Compare(a.Application, b.Application), slices.Compare(a.Delegated, b.Delegated))
	})
	return needs
}

func permissionRows(declared []commands.Command) [][]string {
	var rows [][]string
	for _, one := range needsOf(declared) {
		var names []string
		for _, command := range one.commands {
			if command.Platform {
				names = append(names, code(command.Name))
				continue
			}
			names = append(names, linkFrom(command.Name, "commands.md"))
		}
		mark := ""
		if one.Graph {
			mark = " of Microsoft Graph"
		}
		delegated := "none is documented"
		if len(one.Delegated) > 0 {
			delegated = codes(one.Delegated, " or ") + mark
		}
		rows = append(rows, []string{codes(one.Application, " or ") + mark, delegated, strings.Join(names, ", ")})
	}
	return rows
}

// smallestSets are the rows of a purpose, one for each API.
func smallestSets(declared []commands.Command, covers func(commands.Command) bool) [][]string {
	var covered []commands.Command
	for _, one := range declared {
		if covers(one) {
			covered = append(covered, one)
		}
	}
	var rows [][]string
	for _, api := range []struct {
		name  string
		graph bool
	}{{"WindowsDefenderATP", false}, {"Microsoft Graph", true}} {
		var application, delegated [][]string
		for _, one := range needsOf(covered) {
			if one.Graph == api.graph {
				application, delegated = append(application, one.Application), append(delegated, one.Delegated)
			}
		}
		rows = append(rows, []string{api.name, codes(smallest(application), ", "), codes(smallest(delegated), ", ")})
	}
	return rows
}

// smallest chooses one of each set: where there is only one to choose, that, and of the others the first, which allows
// the least, unless the set has one that is chosen already. An empty set needs none.
func smallest(sets [][]string) []string {
	var chosen []string
	bySize := slices.Clone(sets)
	slices.SortStableFunc(bySize, func(a, b []string) int { return cmp.Compare(len(a), len(b)) })
	for _, set := range bySize {
		if len(set) > 0 && !slices.ContainsFunc(set, func(name string) bool { return slices.Contains(chosen, name) }) {
			chosen = append(chosen, set[0])
		}
	}
	slices.Sort(chosen)
	return chosen
}
