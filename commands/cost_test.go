package commands

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"
)

// cost is a command over ids: how many requests it makes for them.
type cost struct {
	command  string
	argument string
	form     string // of an id
	more     map[string]any
}

// costs are the commands whose requests grow with the number of ids that they are given.
func costs() []cost {
	const machine, sha1 = "%040x", "%040x"
	action := map[string]any{"comment": "c"}
	return []cost{
		{"microsoft-atp-get-machine-details", "machine_id", machine, nil},
		{"endpoint", "id", machine, nil},
		{"endpoint", "hostname", "ws-%04d.contoso.example", nil},
		{"endpoint", "ip", "10.1.2.%d", nil},
		{"microsoft-atp-get-alert-by-id", "alert_ids", "da637472900382838869_%09d", nil},
		{"microsoft-atp-isolate-machine", "machine_id", machine, map[string]any{"comment": "c", "isolation_type": "Full"}},
		{"microsoft-atp-unisolate-machine", "machine_id", machine, action},
		{"microsoft-atp-run-antivirus-scan", "machine_id", machine, map[string]any{"comment": "c", "scan_type": "Quick"}},
		{"microsoft-atp-offboard-machine", "machine_id", machine, action},
		{"microsoft-atp-stop-and-quarantine-file", "file_hash", sha1, map[string]any{"comment": "c", "machine_id": fmt.Sprintf(machine, 1)}},
		{"microsoft-atp-get-file-info", "hash", sha1, nil},
		{"microsoft-atp-get-file-related-machines", "file_hash", sha1, nil},
		{"microsoft-atp-list-machines-by-vulnerability", "cve_id", "CVE-2026-%04d", nil},
		{"microsoft-atp-list-machines-by-software", "id", "contoso-_-app%d", nil},
		{"microsoft-atp-list-vulnerabilities-by-software", "id", "contoso-_-app%d", nil},
		{"microsoft-atp-list-software-version-distribution", "id", "contoso-_-app%d", nil},
	}
}

// spent returns the number of requests that a command makes for a number of ids, in all its runs.
func (c cost) spent(t *testing.T, number int) int {
	t.Helper()
	command, known := NewRegistry().Find(c.command)
	if !known {
		t.Fatalf("there is no command %s", c.command)
	}
	s := newService()
	args := map[string]any{c.argument: strings.Join(numbered(c.form, number), ",")}
	maps.Copy(args, c.more)
	for runs := 0; args != nil; runs++ {
		done, err := execute(t.Context(), command, s, s.clock, args)
		if err != nil || runs > 50 {
			t.Fatalf("%s with %d: run %d: %v", c.command, number, runs, err)
		}
		args = nil
		for _, entry := range done.Entries {
			if entry.Poll != nil {
				args = passed(t, entry.Poll.Args)
				if err := s.clock.Sleep(t.Context(), max(entry.Poll.After, 10*time.Second)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return len(s.asked)
}

// TestCostsAreThoseOfTheDocumentation counts the requests of every command over 1, 10, 100 and 1,000 ids, and of a look at
// as many actions, and compares them with the table in docs/limits.md.
func TestCostsAreThoseOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	numbers := []int{1, 10, 100, 1000}
	line := func(name string, spent func(number int) int) {
		row := "| " + name + " |"
		for _, number := range numbers {
			row += fmt.Sprintf(" %d |", spent(number))
		}
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/limits.md lacks the row %s", row)
		}
	}
	for _, one := range costs() {
		line(fmt.Sprintf("`%s` with `%s`", one.command, one.argument), func(number int) int { return one.spent(t, number) })
	}
	line("A look at actions that a command waits for", func(number int) int {
		s := newService()
		ids := make([]string, number)
		for i := range ids {
			s.start(fmt.Sprintf("m%d", i), "Isolate")
			ids[i] = fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i)
		}
		args := map[string]any{
			"machine_id": "m0", "comment": "c", "isolation_type": "Full", "polling": true, "machine_action_id": strings.Join(ids, ","),
		}
		if _, err := execute(t.Context(), isolateMachine(), s, s.clock, args); err != nil {
			t.Fatal(err)
		}
		return len(s.asked)
	})
}
