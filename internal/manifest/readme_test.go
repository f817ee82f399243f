package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/internal/manifest"
	"xsoar-defender/params"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeKeepsWhatIsWrittenByHand(t *testing.T) {
	const page = "# Title\n<!-- commands: written by go generate ./internal/manifest -->\nold\n<!-- commands: end -->\nlast\n"
	declared := []commands.Command{
		{Name: "find", Area: commands.Machines},
		{Name: "seek", Area: commands.Machines, Deprecated: "find"},
		{Name: "ping", Area: commands.Machines, Platform: true},
	}
	got, err := manifest.Readme([]byte(page), declared)
	if err != nil {
		t.Fatal(err)
	}
	const want = "# Title\n<!-- commands: written by go generate ./internal/manifest -->\n\n" +
		"| Area | Commands |\n| --- | --- |\n| Machines | [`find`](docs/commands.md#find), [`seek`](docs/commands.md#seek) (deprecated) |\n\n" +
		"<!-- commands: end -->\nlast\n"
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestReadmeWithoutMarkersIsRefused(t *testing.T) {
	for name, page := range map[string]string{
		"no marker": "# Title\n",
		"no end":    "<!-- commands: written by go generate ./internal/manifest -->\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Readme([]byte(page), nil)
			if missing, ok := errors.AsType[*manifest.MarkerError](err); !ok {
				t.Errorf("got the error %v, want a MarkerError", err)
			} else if missing.Section == "" {
				t.Error("the error does not name the section")
			}
		})
	}
}

// TestCodesThatAreExplainedAreGiven fails when a page names a code that no sign-in is explained by any more, or when the
// page for trouble leaves out one of those that are our own.
func TestCodesThatAreExplainedAreGiven(t *testing.T) {
	given := readFile(t, "../../auth/remedies.go")
	for _, page := range handwritten(t) {
		for _, code := range regexp.MustCompile(`AADSTS\d+`).FindAllString(readFile(t, page), -1) {
			if !strings.Contains(given, `"`+code+`"`) {
				t.Errorf("%s explains %s, for which there is no remedy", page, code)
			}
		}
	}
	page := readFile(t, "../../docs/troubleshooting.md")
	for _, code := range []string{
		auth.CodeTimeout, auth.CodeUnreachable, auth.CodeUnknownHost, auth.CodeTLS, auth.CodeConfiguration, auth.CodeLoginRequired, auth.CodeState, auth.CodeBackOff, auth.CodeGateway,
	} {
		if !strings.Contains(page, "`"+code+"`") {
			t.Errorf("the page does not explain %s", code)
		}
	}
}

// handwritten are the pages of the repository that people write, by their paths in it.
func handwritten(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(append(pages, docs...), func(page string) bool {
		return strings.HasPrefix(readFile(t, page), "<!-- Written by ")
	})
}

// signInPath is the page about the ways to sign in.
const signInPath = "docs/sign-in.md"

// TestSignInPageNamesFieldsOfTheInstance looks at the tables of what to fill in, whose first column has fields of the
// instance.
func TestSignInPageNamesFieldsOfTheInstance(t *testing.T) {
	var fields []string
	for _, one := range params.Parameters() {
		fields = append(fields, one.Display, one.DisplayPassword)
	}
	named := 0
	for _, table := range regexp.MustCompile(`\| Field(?: of the instance)? \| Value \|\n\| --- \| --- \|\n((?:\|.*\n)+)`).FindAllStringSubmatch(readFile(t, "../../"+signInPath), -1) {
		for line := range strings.Lines(table[1]) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
			for _, field := range regexp.MustCompile(`, or |, `).Split(strings.TrimSuffix(cell, ", or the certificate"), -1) {
				named++
				if !slices.Contains(fields, field) {
					t.Errorf("the page names the field %q, which no instance has", field)
				}
			}
		}
	}
	if named < 20 {
		t.Errorf("the page names %d fields, want those of every way", named)
	}
}

// TestSignInPageHasTheHostsOfEveryCloud compares the table of the government clouds with what the program uses.
func TestSignInPageHasTheHostsOfEveryCloud(t *testing.T) {
	_, section, _ := strings.Cut(readFile(t, "../../"+signInPath), "\n## Government clouds\n")
	rows := map[string][]string{}
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.Trim(line, "|\n "), " | "); len(cells) == 4 {
			rows[cells[0]] = cells[1:]
		} else if cells := strings.Split(strings.Trim(line, "|\n "), " | "); len(cells) == 3 && strings.HasPrefix(line, "| |") {
			rows["cloud"] = cells
		}
	}
	for column, name := range rows["cloud"] {
		clouds := params.Clouds()
		at := slices.IndexFunc(clouds, func(one params.Cloud) bool { return one.Name == name })
		if at < 0 {
			t.Errorf("the page has a cloud %q, which no instance can choose", name)
			continue
		}
		for row, want := range map[string]string{
			"Sign-in": strings.TrimPrefix(clouds[at].Authority, "https://"), "API": clouds[at].API.Host,
			"Microsoft Graph": clouds[at].Graph.Host,
		} {
			if cells := rows[row]; len(cells) != 3 || cells[column] != want {
				t.Errorf("%s: the row %s has %q, want %s", name, row, cells, want)
			}
		}
	}
	if len(rows["cloud"]) != 3 {
		t.Errorf("the page has the clouds %q, want three", rows["cloud"])
	}
}

// TestDocumentationNamesWhatExists looks at every command and every link that the pages written by hand name.
func TestDocumentationNamesWhatExists(t *testing.T) {
	registry := commands.NewRegistry()
	anchors := map[string][]string{} // of the pages that have been linked to, as they are read once
	for _, page := range handwritten(t) {
		text := diffBlock().ReplaceAllString(readFile(t, page), "")
		for _, name := range regexp.MustCompile(`\bmicrosoft-atp-[a-z-]+\b`).FindAllString(text, -1) {
			if _, known := registry.Find(name); !known {
				t.Errorf("%s names the command %s, which does not exist", page, name)
			}
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]+)?\)`).FindAllStringSubmatch(text, -1) {
			target, anchor := link[1], strings.TrimPrefix(link[2], "#")
			if strings.Contains(target, "://") {
				continue
			}
			linked := page
			if target != "" {
				linked = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(linked); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, target)
				continue
			}
			if anchor == "" {
				continue
			}
			if _, read := anchors[linked]; !read {
				anchors[linked] = anchorsOf(readFile(t, linked))
			}
			if !slices.Contains(anchors[linked], anchor) {
				t.Errorf("%s links to the heading %s of %s, which does not exist", page, anchor, linked)
			}
		}
	}
}

// anchorsOf are the names under which links find the headings of a page.
func anchorsOf(text string) []string {
	var anchors []string
	outside := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := outside.ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(name, " ", "-"))
	}
	return anchors
}

func diffBlock() *regexp.Regexp { return regexp.MustCompile("(?s)```diff\n(.*?)```") }

// TestContributingShowsAChangeThatFits checks that the change in CONTRIBUTING.md still applies, or was applied by somebody
// who follows the page.
func TestContributingShowsAChangeThatFits(t *testing.T) {
	block := diffBlock().FindStringSubmatch(readFile(t, "../../CONTRIBUTING.md"))
	if block == nil {
		t.Fatal("CONTRIBUTING.md shows no change")
	}
	var text string // of the file that is changed
	var before, after strings.Builder
	hunks := 0
	look := func() {
		if before.Len() > 0 && !strings.Contains(text, before.String()) && !strings.Contains(text, after.String()) {
			t.Errorf("no file of the change holds what it expects:\n%s", before.String())
		}
		before.Reset()
		after.Reset()
	}
	for line := range strings.Lines(block[1]) {
		switch {
		case strings.HasPrefix(line, "--- a/"):
			look()
			text = readFile(t, "../../"+strings.TrimSpace(strings.TrimPrefix(line, "--- a/")))
		case strings.HasPrefix(line, "@@"):
			look()
			hunks++
		case strings.HasPrefix(line, "+"):
			after.WriteString(line[1:])
		case strings.HasPrefix(line, "-"):
			before.WriteString(line[1:])
		case strings.HasPrefix(line, " "):
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		}
	}
	look()
	if hunks != 3 {
		t.Errorf("got %d hunks, want 3: the registration, the declaration and the trial", hunks)
	}
}

func TestReferenceShowsEveryCommandWithAnExample(t *testing.T) {
	declared := commands.NewRegistry().All()
	reference := strings.Split(string(manifest.CommandReference(declared)), "\n")
	for _, one := range declared {
		shown := slices.Contains(reference, "### "+one.Name)
		example := slices.Contains(reference, strings.TrimRight("    !"+one.Name+" "+one.Example, " "))
		if one.Platform == shown || one.Platform == example {
			t.Errorf("%s: is shown %t with an example %t, want both %t", one.Name, shown, example, !one.Platform)
		}
	}
}

// TestExamplesCanBeRun checks that the examples set the arguments that their commands need, and no unknown one.
func TestExamplesCanBeRun(t *testing.T) {
	argument := regexp.MustCompile(`(?:^|\s)([A-Za-z_0-9]+)=("(?:[^"\\]|\\.)*"|\S+)`)
	for _, one := range commands.NewRegistry().All() {
		var given []string
		for _, match := range argument.FindAllStringSubmatch(one.Example, -1) {
			given = append(given, match[1])
		}
		var known []string
		for _, declared := range one.Arguments() {
			known = append(known, declared.Name)
			if declared.Required && declared.Default == "" && !slices.Contains(given, declared.Name) {
				t.Errorf("%s: the example %q lacks %s", one.Name, one.Example, declared.Name)
			}
		}
		for _, name := range given {
			if !slices.Contains(known, name) {
				t.Errorf("%s: the example sets %s, which is not an argument", one.Name, name)
			}
		}
		if rest := strings.TrimSpace(argument.ReplaceAllString(one.Example, "")); rest != "" {
			t.Errorf("%s: the example has %q, which is not an argument", one.Name, rest)
		}
	}
}
