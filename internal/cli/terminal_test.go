package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"xsoar-defender/internal/cli"
)

// TestExamplesOfTheHelpWork runs what the help shows, with an instance of the name that it uses, on a simulated tenant. What
// needs more than one program, a user or a playbook is left to the scripts.
func TestExamplesOfTheHelpWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := instance(t, w.tenant(t))
	w.Args = []string{"xsoar-defender", "instances", "add", "prod", "--from", path}
	w.run(t, 0)
	query := filepath.Join(t.TempDir(), "hunt.kql")
	if err := os.WriteFile(query, []byte("DeviceInfo\n| take 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	var try func(command *cobra.Command)
	try = func(command *cobra.Command) {
		for line := range strings.Lines(command.Example) {
			words := wordsOf(strings.TrimSpace(line))
			if len(words) < 2 || words[0] != "xsoar-defender" {
				continue
			}
			switch words[1] {
			case "run", "commands", "version", "help", "doctor", "completion":
			default:
				continue
			}
			for i := range words {
				words[i] = strings.ReplaceAll(strings.ReplaceAll(words[i], "@hunt.kql", "@"+query), "prod.json", path)
				words[i] = strings.ReplaceAll(words[i], "lab/client-secret.json", path)
			}
			if i := strings.IndexAny(line, "><"); i >= 0 {
				continue // what a shell does with it
			}
			ran++
			w.out.Reset()
			w.errs.Reset()
			w.Args = words
			if code := cli.Execute(t.Context(), w.World); code != 0 || w.out.Len() == 0 {
				t.Errorf("the example %q ended with %d\n%s%s", strings.TrimSpace(line), code, &w.out, &w.errs)
			}
		}
		for _, below := range command.Commands() {
			try(below)
		}
	}
	try(cli.Tree())
	if ran < 15 {
		t.Errorf("got %d examples, want those of the help", ran)
	}
}

// wordsOf cuts a line as a shell does, as far as the examples need it.
func wordsOf(line string) []string {
	var words []string
	for _, word := range regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+`).FindAllString(line, -1) {
		words = append(words, strings.NewReplacer(`"`, "", "'", "").Replace(word))
	}
	return words
}

// TestListsAreOneLinePerRow shows lists of machines and of alerts on terminals of many widths.
func TestListsAreOneLinePerRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := instance(t, w.tenant(t))
	for _, list := range []string{"microsoft-atp-get-machines page_size=6", "microsoft-atp-list-alerts limit=6"} {
		for _, width := range []int{80, 100, 132, 200} {
			w.out.Reset()
			w.Args = append(append([]string{"xsoar-defender", "run"}, strings.Fields(list)...), "--instance", path)
			w.Width = func() int { return width }
			w.run(t, 0)
			rows := 0
			for line := range strings.Lines(w.out.String()) {
				shown := escapes().ReplaceAllString(strings.TrimRight(line, "\n"), "")
				if got := utf8.RuneCountInString(shown); got > width {
					t.Errorf("%s at %d columns: a line has %d: %q", list, width, got, shown)
				}
				if regexp.MustCompile(`(^|\s)([0-9a-f]{40}|da\d+_-?\d+)(\s|$)`).MatchString(shown) {
					rows++
				}
			}
			if rows != 6 {
				t.Errorf("%s at %d columns: got %d rows of one line, want 6\n%s", list, width, rows, &w.out)
			}
		}
	}
}

// TestInterruptedWaitSaysWhereToLook presses Ctrl-C while a command waits for its action.
func TestInterruptedWaitSaysWhereToLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := w.tenant(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	w.Sleep = func(ctx context.Context, _ time.Duration) error {
		cancel(errors.New("interrupt"))
		return context.Cause(ctx)
	}
	w.Args = append(w.Args, "run", "microsoft-atp-isolate-machine", "machine_id="+tenant.MachineIDs()[0], "comment=test", "isolation_type=Full",
		"polling=true", "--instance", instance(t, tenant))
	if got := cli.Execute(ctx, w.World); got != 130 {
		t.Errorf("the exit code is %d, want 130\n%s", got, &w.errs)
	}
	_, told, _ := strings.Cut(w.errs.String(), "Look at it later with:\n")
	words := wordsOf(strings.TrimSpace(told))
	if len(words) < 3 || words[0] != "xsoar-defender" {
		t.Fatalf("the standard error says %q, want the command that looks at the action", &w.errs)
	}
	again := newWorld(t)
	again.Runner, again.Args = w.Runner, words
	again.Sleep = func(ctx context.Context, wait time.Duration) error {
		w.ahead.Add(int64(wait))
		return context.Cause(ctx)
	}
	again.run(t, 0)
	if !strings.Contains(again.out.String(), "Isolate") {
		t.Errorf("the command that was named shows %q, want the action", &again.out)
	}
}

// TestLongOutputIsPaged shows on a terminal what does not fit it.
func TestLongOutputIsPaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := instance(t, w.tenant(t))
	paged := ""
	w.Width, w.Height = func() int { return 100 }, func() int { return 24 }
	w.Page = func(_ []string, text string) error {
		paged = text
		return nil
	}
	for _, test := range []struct {
		args []string
		want bool
	}{
		{[]string{"page_size=40"}, true},
		{[]string{"page_size=2"}, false},
		{[]string{"page_size=40", "--no-pager"}, false},
		{[]string{"page_size=40", "--output", "csv"}, false},
	} {
		paged = ""
		w.out.Reset()
		w.Args = append([]string{"xsoar-defender", "run", "microsoft-atp-get-machines", "--instance", path}, test.args...)
		w.run(t, 0)
		if got := paged != ""; got != test.want || got == (w.out.Len() > 0) {
			t.Errorf("%q: paged is %t with %d bytes elsewhere, want %t", test.args, got, w.out.Len(), test.want)
		}
	}
}
