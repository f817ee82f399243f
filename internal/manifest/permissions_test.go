package manifest_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/defender"
	"xsoar-defender/internal/manifest"
)

// setOf reads a set of permissions of a purpose off the page: column 1 is the application's, 2 a user's.
func setOf(t *testing.T, page, purpose, api string, column int) []string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n### "+purpose+"\n")
	section, _, _ := strings.Cut(rest, "\n#")
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.Trim(line, "| \n"), " | "); found && len(cells) == 3 && strings.HasPrefix(cells[0], api) {
			return regexp.MustCompile("[A-Z][A-Za-z.]+").FindAllString(cells[column], -1)
		}
	}
	t.Fatalf("the page has no permissions of %s for %s", api, purpose)
	return nil
}

// uncovered are the commands that a set of permissions does not do for.
func uncovered(declared []commands.Command, held []string, graph bool, of func(defender.Operation) []string) []string {
	var names []string
	for _, one := range declared {
		for _, operation := range one.Uses {
			needed := of(operation)
			if operation.Graph == graph && len(needed) > 0 && !slices.ContainsFunc(needed, func(name string) bool { return slices.Contains(held, name) }) {
				names = append(names, one.Name)
			}
		}
	}
	return slices.Compact(names)
}

// TestPermissionSetsAreEnoughAndNotMore takes every permission out of each set in turn.
func TestPermissionSetsAreEnoughAndNotMore(t *testing.T) {
	all := commands.NewRegistry().All()
	page := string(manifest.PermissionReference(all))
	var reading, response []commands.Command
	for _, one := range all {
		acts := slices.Contains([]commands.Area{commands.MachineActions, commands.LiveResponse}, one.Area)
		changes := slices.ContainsFunc(one.Uses, func(used defender.Operation) bool { return !used.Repeatable() })
		if !acts && !changes {
			reading = append(reading, one)
		}
		if acts || !changes || one.Area == commands.Investigations {
			response = append(response, one)
		}
	}
	application := func(operation defender.Operation) []string { return operation.Application }
	delegated := func(operation defender.Operation) []string { return operation.Delegated }
	for purpose, declared := range map[string][]commands.Command{"Read only": reading, "Response": response, "Everything": all} {
		for column, of := range map[int]func(defender.Operation) []string{1: application, 2: delegated} {
			for api, graph := range map[string]bool{"WindowsDefenderATP": false, "Microsoft Graph": true} {
				set := setOf(t, page, purpose, api, column)
				if missing := uncovered(declared, set, graph, of); len(set) == 0 || len(missing) > 0 {
					t.Errorf("%s: %v of %s does not do for %v", purpose, set, api, missing)
				}
				for i, name := range set {
					rest := slices.Delete(slices.Clone(set), i, i+1)
					if len(uncovered(declared, rest, graph, of)) == 0 {
						t.Errorf("%s: %v of %s does without %s", purpose, set, api, name)
					}
				}
			}
		}
	}
	for _, name := range setOf(t, page, "Read only", "WindowsDefenderATP", 1) {
		if strings.Contains(name, "Write") && name != "Ti.ReadWrite" || strings.HasPrefix(name, "Machine.") && name != "Machine.Read.All" {
			t.Errorf("who only reads gets %s", name)
		}
	}
}

func TestPermissionsNameTheCommandsThatNeedThem(t *testing.T) {
	isolate := defender.Operation{Application: []string{"Machine.Isolate"}, Delegated: []string{"Machine.Isolate"}}
	read := defender.Operation{Method: "GET", Application: []string{"A.Read.All", "A.ReadWrite.All"}, Delegated: []string{"A.Read"}}
	hunt := defender.Operation{Application: []string{"Hunt"}, Delegated: []string{"Hunt"}, Graph: true}
	remove := defender.Operation{Application: []string{"Ti"}}
	free := defender.Operation{Method: "GET"}
	page := string(manifest.PermissionReference([]commands.Command{
		{Name: "isolate", Area: commands.MachineActions, Uses: []defender.Operation{isolate, read}},
		{Name: "list", Area: commands.Machines, Uses: []defender.Operation{read, read, free}},
		{Name: "hunt", Area: commands.Hunting, Uses: []defender.Operation{hunt}},
		{Name: "remove", Area: commands.Indicators, Uses: []defender.Operation{remove}},
		{Name: "fetch", Platform: true, Uses: []defender.Operation{read}},
	}))
	const want = "| `A.Read.All` or `A.ReadWrite.All` | `A.Read` | [`isolate`](commands.md#isolate), [`list`](commands.md#list), `fetch` |\n" +
		"| `Hunt` of Microsoft Graph | `Hunt` of Microsoft Graph | [`hunt`](commands.md#hunt) |\n" +
		"| `Machine.Isolate` | `Machine.Isolate` | [`isolate`](commands.md#isolate) |\n" +
		"| `Ti` | none is documented | [`remove`](commands.md#remove) |\n"
	if !strings.Contains(page, want) {
		t.Errorf("got the page\n%s\nwant it to have\n%s", page, want)
	}
	operation := defender.Operation{Purpose: "list things", Method: "GET", Path: "/api/things", Docs: "/defender-endpoint/api/get-things", Application: []string{"A"}}
	page = string(manifest.PermissionReference([]commands.Command{{Name: "things", Area: commands.Machines, Uses: []defender.Operation{operation, operation}}}))
	const row = "| [list things](https://learn.microsoft.com/defender-endpoint/api/get-things) | `GET /api/things` | `A` |  |\n"
	if !strings.HasSuffix(page, row) || strings.Count(page, row) != 1 {
		t.Errorf("got the page\n%s\nwant it to end with one row\n%s", page, row)
	}
}
