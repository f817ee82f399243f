package playbook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xsoar-defender/commands"
)

// TestWhatIsNoPlaybookSaysWhere has the files that a folder may hold in addition to playbooks, and those that somebody made to
// keep a program busy.
func TestWhatIsNoPlaybookSaysWhere(t *testing.T) {
	t.Parallel()
	wide := strings.Repeat("  k: v\n", maxEntries+1)
	for name, test := range map[string]struct {
		text   string
		line   int
		reason string
		other  bool
	}{
		"nothing":                {text: "", reason: "empty"},
		"only comments":          {text: "# nothing\n\n", reason: "empty"},
		"bytes":                  {text: "a: 1\nb: \x00\x01", line: 2, reason: "not text"},
		"broken characters":      {text: "a: 1\nb: \xff", line: 2, reason: "not text"},
		"too large":              {text: strings.Repeat(" ", MaxSize+1), reason: "4 MiB"},
		"broken":                 {text: "a: 1\nb: [1, 2\n", line: 2, reason: "no YAML"},
		"an unknown start":       {text: "a: @b\n", line: 1, reason: "no YAML"},
		"a key twice":            {text: "tasks: {}\ntasks: {}\n", line: 2, reason: "no YAML"},
		"two documents":          {text: "tasks: {}\n---\ntasks: {}\n", line: 3, reason: "second document"},
		"an integration":         {text: "commonfields:\n  id: x\nscript:\n  commands: []\n", line: 1, reason: "no tasks", other: true},
		"a list":                 {text: "- 1\n- 2\n", line: 1, reason: "no tasks", other: true},
		"a text":                 {text: "hello\n", line: 1, reason: "no tasks", other: true},
		"tasks in a list":        {text: "id: x\ntasks:\n- task: {}\n", line: 1, reason: "no tasks", other: true},
		"a task without one":     {text: "tasks:\n  '0':\n    type: start\n", line: 3, reason: `the task "0"`},
		"a task that is one":     {text: "tasks:\n  '0': start\n", line: 2, reason: `the task "0"`},
		"deep brackets":          {text: "a:\n  " + strings.Repeat("[", maxDepth+1), line: 2, reason: "deep"},
		"deep lists":             {text: strings.Repeat("- ", maxDepth+1) + "a", line: 1, reason: "deep"},
		"deep blocks":            {text: deep(maxDepth + 1), line: maxDepth + 1, reason: "deep"},
		"deep tags":              {text: "a: " + strings.Repeat("!b ", maxDepth+2) + "c", line: 1, reason: "deep"},
		"wide":                   {text: "a:\n" + wide, line: maxEntries + 2, reason: "entries"},
		"wide brackets":          {text: "a: [" + strings.Repeat("1,", maxEntries+1) + "1]", line: 1, reason: "entries"},
		"many parts":             {text: strings.Repeat("#\n", maxTokens+1), line: maxTokens + 1, reason: "parts"},
		"aliases of aliases":     {text: bomb(), line: 6, reason: "expands to more"},
		"an alias of itself":     {text: "a: &a [*a]\n", line: 1, reason: "alias"},
		"a merge key":            {text: "a: &a {b: 1}\nc:\n  <<: *a\n", line: 3, reason: "merge key"},
		"a key that is not text": {text: "a: &a [1]\n*a : c\n", line: 2, reason: "not text"},
	} {
		_, err := Read([]byte(test.text))
		got, ok := errors.AsType[*FormatError](err)
		if !ok {
			t.Errorf("%s: got %v, want a FormatError", name, err)
			continue
		}
		if got.Line != test.line || !strings.Contains(got.Reason, test.reason) || got.Other != test.other {
			t.Errorf("%s: got line %d %q (other %t), want line %d and %q", name, got.Line, got.Reason, got.Other, test.line, test.reason)
		}
	}
}

func deep(levels int) string {
	var text strings.Builder
	for i := range levels {
		fmt.Fprintf(&text, "%sa:\n", strings.Repeat(" ", i))
	}
	return text.String()
}

// bomb stands for ten to the power of nine texts.
func bomb() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return text
}

func TestAliasesStandForWhatTheyName(t *testing.T) {
	t.Parallel()
	read, err := Read([]byte("x-task: &task\n  name: Get\n  script: '|||microsoft-atp-test'\ntasks:\n  '1':\n    task: *task\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(read.tasks) != 1 || len(read.tasks[0].invocations) != 1 || read.tasks[0].invocations[0].command != "microsoft-atp-test" {
		t.Errorf("got %+v, want the task with its command", read.tasks)
	}
}

func TestTasksComeInTheOrderOfTheirNumbers(t *testing.T) {
	t.Parallel()
	read, err := Read([]byte("tasks: {'10': {task: {}}, 'b': {task: {}}, '9': {task: {}}, 'a': {task: {}}}"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range read.tasks {
		got = append(got, one.id)
	}
	if want := "9 10 a b"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// FuzzRead holds that every file is either a playbook that can be checked or says where it is not one.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"*.yml", "*.json"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "test_data", "playbooks", "*", pattern))
		if err != nil || files == nil {
			f.Fatalf("no playbooks: %v", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	for _, text := range []string{"", "a: [", "&a [*a]", "? ? :", "tasks: {'0': {task: {script: '|||endpoint'}}}", "a: !!binary |\n  x\n", "\ufeffa", "a: |\n\t\n", "\rc", bomb()} {
		f.Add([]byte(text))
	}
	checker := NewChecker(commands.NewRegistry().All(), "brand", func(string, []string) []string { return nil })
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + 1
		read, err := Read(text)
		if err != nil {
			if found, ok := errors.AsType[*FormatError](err); !ok || found.Line < 0 || found.Line > lines || found.Reason == "" {
				t.Fatalf("got %#v for %d lines", err, lines)
			}
			return
		}
		result := checker.Check(read)
		for _, found := range append(result.Problems, result.Notes...) {
			if found.What == "" || found.Why == "" || found.Line < 0 || found.Line > lines {
				t.Fatalf("got %+v for %d lines", found, lines)
			}
		}
	})
}
