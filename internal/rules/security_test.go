package rules_test

import (
	"go/ast"
	"os"
	"regexp"
	"strings"
	"testing"

	"xsoar-defender/internal/repository"
)

// TestPromisesAreShown compares SECURITY.md with the repository: every promise names an existing test or script that shows it.
func TestPromisesAreShown(t *testing.T) {
	tests := map[string]bool{}
	for _, source := range repository.Sources(t) {
		for _, declared := range source.File.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok && source.IsTest && function.Recv == nil {
				tests[function.Name.Name] = true
			}
		}
	}
	_, promised, _ := strings.Cut(string(repository.Read(t, "SECURITY.md")), "## What is promised")
	promised, _, _ = strings.Cut(promised, "\n## ")
	promises, named := 0, regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(promised) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 2 || !strings.HasSuffix(strings.TrimSpace(cells[0]), ".") {
			continue // a heading of the table
		}
		promises++
		shown := named.FindAllStringSubmatch(cells[1], -1)
		if len(shown) == 0 {
			t.Errorf("nothing shows: %s", cells[0])
		}
		for _, one := range shown {
			_, err := os.Stat(repository.Path(t, one[1]))
			if script := strings.HasPrefix(one[1], ".ci/") && err == nil; !script && !tests[one[1]] {
				t.Errorf("there is no %s, which is to show: %s", one[1], cells[0])
			}
		}
	}
	if promises < 15 {
		t.Errorf("%d promises were found: the page is not read as it is written", promises)
	}
}
