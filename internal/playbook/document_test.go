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
		"a zero byte alone":      {text: "\x00", line: 1, reason: "not text"},
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
		"a bracket too many":     {text: "]", line: 1, reason: "no YAML"},
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
	read, err := Read([]byte("tasks: {'10': {task: {}}, 'b': {task: {}}, '2000000000': {task: {}}, '-1': {task: {}}, '9': {task: {}}, '0': {task: {}}, 'a': {task: {}}}"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range read.tasks {
		got = append(got, one.id)
	}
	if want := "0 9 10 -1 2000000000 a b"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestTheLargestPlaybooksAreRead goes to each of the bounds; TestWhatIsNoPlaybookSaysWhere goes one beyond.
func TestTheLargestPlaybooksAreRead(t *testing.T) {
	t.Parallel()
	const tasks = "tasks: {}\n"
	for name, text := range map[string]string{
		"large":         tasks + "#" + strings.Repeat(" ", MaxSize-len(tasks)-1),
		"deep brackets": tasks + "a:\n  " + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1),
		"deep lists":    tasks + "a:\n" + strings.Repeat("- ", maxDepth-1) + "a",
		"deep blocks":   tasks + deep(maxDepth),
		"wide":          tasks + "a:\n" + entries(maxEntries),
		"wide brackets": tasks + "a: [" + strings.Repeat("1,", maxEntries) + "1]",
		"wide, twice":   tasks + "a:\n" + entries(maxEntries) + "b:\n" + entries(maxEntries),
		"many brackets": tasks + "a: [" + strings.Repeat("[{}],", maxDepth+1) + "1]",
	} {
		if _, err := Read([]byte(text)); err != nil {
			t.Errorf("%s: got %v, want a playbook", name, err)
		}
	}
}

// entries are those of a mapping.
func entries(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "  k%d: v\n", i)
	}
	return text.String()
}

func TestFormatErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                      "the file is empty",
		"a: 1\nb: \x00":         "line 2: this is not text",
		"- 1\n":                 "line 1: this is not a playbook: it has no tasks",
		"tasks:\n  '0':\n":      `line 2: this is not a playbook: the task "0" has no key task`,
		"a: *b\n":               "line 1: this alias refers to something that does not come before it",
		"tasks: {}\n---\n---\n": "",
	} {
		_, err := Read([]byte(text))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestEveryFormOfYAMLIsRead has the forms that the exports of the platform do not have, but people write.
func TestEveryFormOfYAMLIsRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a byte order mark": "\ufefftasks: {'1': {task: {name: One}}}",
		"a tag":             "tasks: {'1': {task: !!map {name: !!str One}}}",
		"explicit keys":     "? tasks\n: {'1': {task: {name: One}}}",
		"quotes":            `tasks: {"1": {"task": {'name': "\x4fne"}}}`,
		"a literal":         "tasks:\n  1:\n    task:\n      name: |\n        One\n",
		"an alias":          "x: &x {name: &n One}\ny: *n\ntasks: {1: {task: *x}}",
	} {
		read, err := Read([]byte(text))
		if err != nil || len(read.tasks) != 1 || read.tasks[0].id != "1" || read.tasks[0].name != "One" {
			t.Errorf("%s: got %+v and %v, want the task 1 with the name One", name, read, err)
		}
	}
}

func TestAPlaybookNamesItselfAndWhatItRuns(t *testing.T) {
	t.Parallel()
	read, err := Read([]byte(`{id: ' abc ', name: Main, tasks: {'1': {task: {playbookName: B}}, '2': {task: {playbookId: A}}, '3': {task: {playbookname: B}}}}`))
	if err != nil || read.ID != "abc" || read.Name != "Main" || strings.Join(read.SubPlaybooks, " ") != "B A" {
		t.Errorf("got %+v and %v, want the playbook abc with the name Main, which runs B and A", read, err)
	}
}

func TestArgumentsOfATask(t *testing.T) {
	t.Parallel()
	read, err := Read([]byte(`tasks:
  '1':
    task: {script: Brand|||command}
    scriptarguments:
      a: {simple: ' x '}
      b: {simple: '${y}'}
      c: {simple: ''}
      d: {complex: {root: z}}
      e: {}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := invocation{line: 3, brand: "Brand", command: "command", arguments: []argument{
		{line: 5, name: "a", given: true, fixed: true, value: "x"},
		{line: 6, name: "b", given: true, value: "${y}"},
		{line: 7, name: "c", fixed: true},
		{line: 8, name: "d", given: true},
		{line: 9, name: "e"},
	}}
	if got := read.tasks[0].invocations; len(got) != 1 || fmt.Sprintf("%+v", got[0]) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
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
