package manifest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/params"
)

// TestCountsInTheDocumentation counts what the pages claim: the numbers in them are those of the contract and of the
// declarations.
func TestCountsInTheDocumentation(t *testing.T) {
	var agreed struct {
		Commands []struct {
			Name            string
			Platform        bool
			DeprecatedLater bool `json:"deprecated_by_peer_later"`
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "testdata/commands.json")), &agreed); err != nil {
		t.Fatal(err)
	}
	served, deprecatedThere, modes := 0, 0, map[string]bool{}
	for _, one := range agreed.Commands {
		command, known := commands.NewRegistry().Find(one.Name)
		if !known {
			t.Errorf("%s: the command is missing", one.Name)
		}
		if !one.Platform {
			served++
		}
		if one.DeprecatedLater && command.Deprecated == "" {
			deprecatedThere++
		}
	}
	for mode := params.CortexApplication; mode.String() != "unknown sign-in mode"; mode++ {
		modes[mode.String()] = true
	}
	for _, claim := range []struct {
		page, pattern string
		want          int
	}{
		{"../../docs/migrating.md", `All (\d+) commands exist`, served},
		{"../../docs/migrating.md", `deprecates (\d+) of them`, deprecatedThere},
	} {
		found := regexp.MustCompile(claim.pattern).FindStringSubmatch(readFile(t, claim.page))
		if found == nil || found[1] != strconv.Itoa(claim.want) {
			t.Errorf("%s: got %q, want %q with %d", claim.page, found, claim.pattern, claim.want)
		}
	}
	numbers := []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	ways := regexp.MustCompile(`(?i)\b(\w+) ways to sign in`)
	for _, page := range []string{"../../README.md", "../../CHANGELOG.md", "../../docs/sign-in.md", "../../docs/migrating.md"} {
		for _, found := range ways.FindAllStringSubmatch(readFile(t, page), -1) {
			said := strings.ToLower(found[1])
			if (slices.Contains(numbers, said) || regexp.MustCompile(`^\d+$`).MatchString(said)) && said != numbers[len(modes)] && said != fmt.Sprint(len(modes)) {
				t.Errorf("%s: got %q, want %s", page, found[0], numbers[len(modes)])
			}
		}
	}
}
