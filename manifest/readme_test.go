package manifest_test

import (
	"errors"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/manifest"
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
	const page = "# Title\n" +
		"<!-- sign-in parameters: written by go generate ./manifest -->\nold\n<!-- sign-in parameters: end -->\nbetween\n" +
		"<!-- commands: written by go generate ./manifest -->\n<!-- commands: end -->\nlast\n"
	parameters := []params.Parameter{{Name: "url", Display: "URL | address", Section: params.SectionConnect, Help: "Where it is."}}
	declared := []commands.Command{
		{Name: "find", Area: commands.Machines},
		{Name: "seek", Area: commands.Machines, Deprecated: "find"},
		{Name: "ping", Area: commands.Machines, Platform: true},
	}
	got, err := manifest.Readme([]byte(page), declared, parameters)
	if err != nil {
		t.Fatal(err)
	}
	const want = "# Title\n" +
		"<!-- sign-in parameters: written by go generate ./manifest -->\n\n" +
		"| Field | Name | Default | What it is |\n| --- | --- | --- | --- |\n| URL \\| address | `url` |  | Where it is. |\n\n" +
		"<!-- sign-in parameters: end -->\nbetween\n" +
		"<!-- commands: written by go generate ./manifest -->\n\n" +
		"| Area | Commands |\n| --- | --- |\n| Machines | [`find`](docs/commands.md#find), [`seek`](docs/commands.md#seek) (deprecated) |\n\n" +
		"<!-- commands: end -->\nlast\n"
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestReadmeWithoutMarkersIsRefused(t *testing.T) {
	for name, page := range map[string]string{
		"no marker":     "# Title\n",
		"no end":        "<!-- sign-in parameters: written by go generate ./manifest -->\n",
		"only one pair": "<!-- sign-in parameters: written by go generate ./manifest -->\n<!-- sign-in parameters: end -->\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Readme([]byte(page), nil, nil)
			if missing, ok := errors.AsType[*manifest.MarkerError](err); !ok {
				t.Errorf("got the error %v, want a MarkerError", err)
			} else if missing.Section == "" {
				t.Error("the error does not name the section")
			}
		})
	}
}

// TestReadmeExplainsCodesThatAreGiven fails when the README names a code that no sign-in is explained by any more.
func TestReadmeExplainsCodesThatAreGiven(t *testing.T) {
	given := readFile(t, "../auth/remedies.go")
	for _, code := range regexp.MustCompile(`AADSTS\d+`).FindAllString(readFile(t, "../README.md"), -1) {
		if !strings.Contains(given, `"`+code+`"`) {
			t.Errorf("the README explains %s, for which there is no remedy", code)
		}
	}
}

// TestDocumentationNamesWhatExists looks at every command and every link that the pages written by hand name.
func TestDocumentationNamesWhatExists(t *testing.T) {
	registry := commands.NewRegistry()
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "docs/command-line.md"} {
		text := diffBlock().ReplaceAllString(readFile(t, "../"+page), "")
		for _, name := range regexp.MustCompile(`\bmicrosoft-atp-[a-z-]+\b`).FindAllString(text, -1) {
			if _, known := registry.Find(name); !known {
				t.Errorf("%s names the command %s, which does not exist", page, name)
			}
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(path.Join("..", path.Dir(page), link[1])); err != nil && !strings.Contains(link[1], "://") {
				t.Errorf("%s links to %s, which does not exist", page, link[1])
			}
		}
	}
}

func diffBlock() *regexp.Regexp { return regexp.MustCompile("(?s)```diff\n(.*?)```") }

// TestContributingShowsAChangeThatFits looks whether the change in CONTRIBUTING.md still applies.
func TestContributingShowsAChangeThatFits(t *testing.T) {
	block := diffBlock().FindStringSubmatch(readFile(t, "../CONTRIBUTING.md"))
	if block == nil {
		t.Fatal("CONTRIBUTING.md shows no change")
	}
	var text string // of the file that is changed
	var before strings.Builder
	hunks := 0
	look := func() {
		if before.Len() > 0 && !strings.Contains(text, before.String()) {
			t.Errorf("no file of the change holds what it expects:\n%s", before.String())
		}
		before.Reset()
	}
	for line := range strings.Lines(block[1]) {
		switch {
		case strings.HasPrefix(line, "--- a/"):
			look()
			text = readFile(t, "../"+strings.TrimSpace(strings.TrimPrefix(line, "--- a/")))
		case strings.HasPrefix(line, "@@"):
			look()
			hunks++
		case strings.HasPrefix(line, " "), strings.HasPrefix(line, "-"):
			before.WriteString(line[1:])
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

// TestExamplesCanBeRun looks whether the examples give what their commands need, and nothing else.
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
				t.Errorf("%s: the example gives %s, which is no argument", one.Name, name)
			}
		}
		if rest := strings.TrimSpace(argument.ReplaceAllString(one.Example, "")); rest != "" {
			t.Errorf("%s: the example has %q, which is no argument", one.Name, rest)
		}
	}
}
