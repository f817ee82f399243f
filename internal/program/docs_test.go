package program_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/internal/repository"
)

// writeTranscripts writes the transcripts of the documentation instead of comparing them: .ci/transcripts.
var writeTranscripts = flag.Bool("transcripts", false, "write what the commands of the documentation show into its pages")

// The program runs for the documentation at a time of its own, on a terminal of its own.
const (
	documentedTime  = "2026-11-24T09:00:00Z"
	documentedWidth = "120"
)

// The pages have two kinds of blocks with shell lines. Each of these lines is run.
const (
	console = "console" // what a user types, behind a dollar sign, with what the program answers
	shell   = "sh"      // what a developer types in the repository
)

// block is a fenced block of a page.
type block struct {
	language string
	lines    []string
}

// page is a page as a row of blocks; the text between them is a block without a fence.
type page struct {
	name   string
	blocks []block
}

const fence = "```"

func readPage(t *testing.T, name string) page {
	t.Helper()
	text := repository.Read(t, name)
	read := page{name: name, blocks: []block{{}}}
	fenced := false
	for line := range strings.Lines(string(text)) {
		if language, is := strings.CutPrefix(strings.TrimSpace(line), fence); is {
			fenced = !fenced
			if fenced {
				read.blocks = append(read.blocks, block{language: language})
			} else {
				read.blocks = append(read.blocks, block{})
			}
			continue
		}
		last := &read.blocks[len(read.blocks)-1]
		last.lines = append(last.lines, line)
	}
	if fenced {
		t.Fatalf("%s: the last block does not end", name)
	}
	return read
}

// write is the page as a text.
func (p page) write() string {
	var text strings.Builder
	for i, one := range p.blocks {
		if fenced := i%2 == 1; fenced {
			text.WriteString(fence + one.language + "\n" + strings.Join(one.lines, "") + fence + "\n")
			continue
		}
		text.WriteString(strings.Join(one.lines, ""))
	}
	return text.String()
}

// written are the pages that people write, with what is generated left out.
func written(t *testing.T) []page {
	t.Helper()
	var pages []page
	for _, name := range repository.Files(t) {
		if strings.HasSuffix(name, ".md") && !strings.HasPrefix(name, "test_data/") {
			pages = append(pages, readPage(t, name))
		}
	}
	return pages
}

// TestShellLinesAreMarked keeps lines that somebody would type out of the blocks that no test runs.
func TestShellLinesAreMarked(t *testing.T) {
	t.Parallel()
	typed := regexp.MustCompile(`^\s*(\$ |(sudo |[A-Z_]+=\S+ )*(go|make|git|docker|openssl|xsoar-defender|demisto-sdk|python3?|apt-get|\.ci/\w+|\./\S+) )`)
	for _, page := range written(t) {
		for i, one := range page.blocks {
			if fenced := i%2 == 1; !fenced || one.language == console || one.language == shell {
				continue
			}
			for _, line := range one.lines {
				if typed.MatchString(line) {
					t.Errorf("%s: the line %q is in a block that no test runs: call it %s or %s", page.name, strings.TrimSpace(line), console, shell)
				}
			}
		}
	}
}

// TestTranscripts types what the pages show, page by page from top to bottom, in a folder with a simulated tenant, and
// compares what the program answers.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for _, page := range written(t) {
		if !slices.ContainsFunc(page.blocks, func(b block) bool { return b.language == console }) {
			continue
		}
		t.Run(page.name, func(t *testing.T) {
			t.Parallel()
			before := page.write()
			desk := newDesk(t)
			for i := range page.blocks {
				if page.blocks[i].language == console {
					page.blocks[i].lines = desk.transcript(page.blocks[i].lines)
				}
			}
			after := page.write()
			switch {
			case after == before:
			case *writeTranscripts:
				if err := os.WriteFile(repository.Path(t, page.name), []byte(after), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s shows something else than the program: run .ci/transcripts, and look at what changes\n%s", page.name, firstDifference(before, after))
			}
		})
	}
}

func firstDifference(before, after string) string {
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range min(len(old), len(now)) {
		if old[i] != now[i] {
			return fmt.Sprintf("line %d:\n%s\nthe program:\n%s", i+1, old[i], now[i])
		}
	}
	return fmt.Sprintf("the page has %d lines, with the program's answers %d", len(old), len(now))
}

// desk is where somebody follows a page: a folder with the instance files of a simulated tenant in lab.
type desk struct {
	t      *testing.T
	folder string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, folder: t.TempDir()}
	if err := os.CopyFS(filepath.Join(d.folder, "playbooks"), os.DirFS(repository.Path(t, "test_data/playbooks"))); err != nil {
		t.Fatal(err)
	}
	tenant := d.command(filepath.Join(folderOfLaterProgram(t), "xsoar-defender"), "simulate", "--out", "lab")
	if err := startSimulation(tenant, &scriptedTenant{needs: map[string][]string{}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tenant.Process.Signal(os.Interrupt), tenant.Wait()); err != nil {
			t.Errorf("ending the tenant: %v", err)
		}
	})
	return d
}

// command is a command typed at the desk.
func (d *desk) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...)
	command.Dir = d.folder
	command.Env = []string{
		"HOME=" + filepath.Join(d.folder, "home"), "PATH=" + folderOfLaterProgram(d.t) + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"NO_COLOR=1", nowVariable + "=" + documentedTime, widthVariable + "=" + documentedWidth, noPauseAtExit,
	}
	return command
}

// transcript types the lines of a block that begin with a dollar sign, and returns the block with their output.
func (d *desk) transcript(lines []string) []string {
	d.t.Helper()
	var shown []string
	for _, line := range lines {
		typed, is := strings.CutPrefix(line, "$ ")
		if !is {
			continue
		}
		shown = append(shown, line)
		out, err := d.command("sh", "-c", typed).CombinedOutput()
		if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || failed.ExitCode() > 2) { // a page may show what goes wrong
			d.t.Errorf("%s: %v\n%s", strings.TrimSpace(typed), err, out)
		}
		shown = append(shown, slices.Collect(strings.Lines(d.anonymous(out)))...)
	}
	return shown
}

// anonymous takes out of an answer what is another one at every desk.
func (d *desk) anonymous(out []byte) string {
	text := strings.ReplaceAll(string(out), d.folder, "~")
	text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "127.0.0.1:8443")
	if text = strings.TrimRight(text, "\n"); text != "" {
		text += "\n"
	}
	return regexp.MustCompile(`(?m)[ \t]+$`).ReplaceAllString(text, "")
}

// elsewhere are lines for developers that something else runs than TestShellLines, which would never end with some of
// them. A file is named that holds the line.
func elsewhere() map[string]string {
	return map[string]string{
		"go run . demo": ".ci/run",
		"go test ./...": ".ci/run",
		"go vet ./...":  ".ci/run",
	}
}

// TestShellLines types what the pages tell a developer to, in a copy of the repository, page by page from top to bottom.
func TestShellLines(t *testing.T) {
	t.Parallel()
	copied := t.TempDir()
	for _, name := range repository.Files(t) {
		copyFile(t, repository.Path(t, name), filepath.Join(copied, name))
	}
	folderOfImage(t) // before the lines, which are to find its packages compiled
	// A home of its own, but with what Go keeps, which is of use in another folder only without the folders' names.
	environment := append(os.Environ(), "HOME="+t.TempDir(), "CGO_ENABLED=0", "GOFLAGS="+flagsOfTheImage)
	for _, kept := range []string{"GOCACHE", "GOMODCACHE"} {
		folder, err := exec.Command("go", "env", kept).Output()
		if err != nil {
			t.Fatal(err)
		}
		environment = append(environment, kept+"="+strings.TrimSpace(string(folder)))
	}
	typed := map[string]bool{}
	for _, page := range written(t) {
		for line := range page.typed(shell) {
			if where, is := elsewhere()[line]; is {
				if !bytes.Contains(repository.Read(t, where), []byte(line)) {
					t.Errorf("%s: %q is said to be run by %s, which does not", page.name, line, where)
				}
				continue
			}
			if typed[line] {
				continue
			}
			typed[line] = true
			command := exec.Command("bash", "-c", line)
			command.Dir, command.Env = copied, environment
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%s: %q: %v\n%s", page.name, line, err, out)
			}
		}
	}
}

// typed are the lines of the blocks of a kind, without comments.
func (p page) typed(language string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, one := range p.blocks {
			for _, line := range one.lines {
				line = strings.TrimSpace(line)
				if one.language == language && line != "" && !strings.HasPrefix(line, "#") && !yield(line) {
					return
				}
			}
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	about, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, about.Mode().Perm())); err != nil {
		t.Fatal(err)
	}
}
