package program_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xsoar-defender/internal/repository"
)

// TestCompletionObeysNothingBehindTheCursor presses the key for completion in bash while there are words behind the cursor:
// the program receives the plain ones, and the shell obeys none of the others.
func TestCompletionObeysNothingBehindTheCursor(t *testing.T) {
	t.Parallel()
	script := repository.Path(t, "docs/completions/xsoar-defender.bash")
	if len(repository.Read(t, "docs/completions/xsoar-defender.bash")) == 0 { // so that a change of it runs the test again
		t.Fatal("the script is empty")
	}
	const before = "run microsoft-atp-isolate-machine"
	for behind, want := range map[string]string{
		"--instance lab/client-secret.json": "__complete " + before + " --instance lab/client-secret.json machine_id=43a",
		"--instance=~/prod.json comment=x":  "__complete " + before + " --instance=~/prod.json comment=x machine_id=43a",
		"--instance lab.json > kept.txt":    "__complete " + before + " --instance lab.json machine_id=43a",
		"2>kept.txt --instance lab.json":    "__complete " + before + " machine_id=43a",
		"comment=$(touch made.txt)":         "__complete " + before + " machine_id=43a",
		"comment=`touch made.txt`":          "__complete " + before + " machine_id=43a",
	} {
		folder := t.TempDir()
		kept := filepath.Join(folder, "kept.txt")
		if err := os.WriteFile(kept, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
		// What bash-completion passes to the script, and a program that writes down what it is asked.
		command := exec.Command("bash", "-c", `
			source "$1"
			xsoar-defender() { echo "$*" >asked.txt; }
			typed="xsoar-defender $2 machine_id=43a $3"
			_init_completion() { read -ra words <<<"$typed"; cword=3 cur="${words[3]}"; }
			__start_xsoar-defender xsoar-defender machine_id=43a microsoft-atp-isolate-machine
		`, "bash", script, before, behind)
		command.Dir = folder
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", behind, err, out)
			continue
		}
		asked, err := os.ReadFile(filepath.Join(folder, "asked.txt"))
		if got := strings.TrimSpace(string(asked)); err != nil || got != want {
			t.Errorf("%s: the program was asked %q (%v), want %q\n%s", behind, got, err, want, out)
		}
		if text, err := os.ReadFile(kept); err != nil || string(text) != "kept" {
			t.Errorf("%s: the file holds %q (%v)", behind, text, err)
		}
		if _, err := os.Stat(filepath.Join(folder, "made.txt")); err == nil {
			t.Errorf("%s: the shell ran a word behind the cursor", behind)
		}
	}
}

// TestCompletionNeedsNoPackage presses the key in a bash without the package bash-completion, whose words are cut at =,
// with a substitution in front of the cursor.
func TestCompletionNeedsNoPackage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	command := exec.Command("bash", "--norc", "-c", `
		source "$1"
		xsoar-defender() { echo "$*" >asked.txt; }
		COMP_LINE='xsoar-defender run microsoft-atp-isolate-machine comment=$(touch made.txt) machine_id=43a --instance lab.json'
		COMP_WORDS=(xsoar-defender run microsoft-atp-isolate-machine comment = '$(touch made.txt)' machine_id = 43a --instance lab.json)
		COMP_CWORD=8 COMP_POINT=96
		__start_xsoar-defender xsoar-defender 43a =
	`, "bash", repository.Path(t, "docs/completions/xsoar-defender.bash"))
	command.Dir = folder
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = "__complete run microsoft-atp-isolate-machine --instance lab.json machine_id=43a"
	asked, err := os.ReadFile(filepath.Join(folder, "asked.txt"))
	if got := strings.TrimSpace(string(asked)); err != nil || got != want {
		t.Errorf("the program was asked %q (%v), want %q\n%s", got, err, want, out)
	}
	if _, err := os.Stat(filepath.Join(folder, "made.txt")); err == nil {
		t.Error("the shell ran a word in front of the cursor")
	}
}

// TestCompletionKeepsWhatIsTyped presses the key in bash where the machines that a name finds have less in common than what is typed,
// which bash would replace: a blank among them keeps it. A comma stays one, so that the list is completed further.
func TestCompletionKeepsWhatIsTyped(t *testing.T) {
	t.Parallel()
	for found, want := range map[string]string{
		`machine_id=aa,43a\tfin-nb-01\nmachine_id=aa,897\tfin-nb-02`: "[aa,43a  (fin-nb-01)][aa,897  (fin-nb-02)][ ]",
		`machine_id=aa,43a\tfin-nb-01`:                               "[aa,43a]",
		`machine_id=aa,fin-1\tx\nmachine_id=aa,fin-2\ty`:             "[aa,fin-1  (x)][aa,fin-2  (y)]",
	} {
		command := exec.Command("bash", "--norc", "-c", `
			source "$1"
			xsoar-defender() { printf '%b\n:4\n' "$found"; }
			compopt() { :; }
			found=$2 COLUMNS=200 COMP_TYPE=9
			COMP_LINE='xsoar-defender run microsoft-atp-isolate-machine machine_id=aa,fin-'
			COMP_WORDS=(xsoar-defender run microsoft-atp-isolate-machine machine_id = aa,fin-)
			COMP_CWORD=5 COMP_POINT=${#COMP_LINE}
			__start_xsoar-defender xsoar-defender aa,fin- =
			printf '[%s]' "${COMPREPLY[@]}"
		`, "bash", repository.Path(t, "docs/completions/xsoar-defender.bash"), found)
		out, err := command.CombinedOutput()
		if got := string(out); err != nil || got != want {
			t.Errorf("%s: got %q (%v), want %q", found, got, err, want)
		}
	}
}
