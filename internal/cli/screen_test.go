package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

var update = flag.Bool("update", false, "rewrite the golden files; the run fails so that they are looked at")

// wideTable has what tables go wrong on: long IDs, wide and combining characters, text of several lines, and much of it.
func wideTable() warroom.Table {
	type row struct{ ID, ComputerDNSName, Severity, Status, Title, Tags string }
	return warroom.Table{
		Title: "Alerts", Columns: []string{"ID", "ComputerDNSName", "Severity", "Status", "Title", "Tags"},
		Records: warroom.Records{Rows: []rawjson.Value{
			rawjson.Make(row{"da637308392288907382_-880718168", "fin-nb-01.contoso.example", "High", "New", "Suspicious PowerShell command line", ""}),
			rawjson.Make(row{"da637308392288907382_-880718169", "東京-端末-一号.contoso.example", "Medium", "InProgress", "見知らぬ端末からの不審なサインイン", "急ぎ"}),
			rawjson.Make(row{"e\u0301te\u0301", "ws", "Low", "Resolved", "Two\nlines", "👩‍💻, VIP"}),
			rawjson.Make(row{"43a36115136341721a9b2acca648fa12a9898368", "srv", "Informational", "Failed", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", "\u202ehidden"}),
		}},
	}
}

func TestTablesLookTheSameAtEveryWidth(t *testing.T) {
	t.Parallel()
	for _, width := range []int{0, 40, 80, 120, 160, 200} {
		var plain, coloured strings.Builder
		screen{out: &plain, width: width}.block(wideTable())
		screen{out: &coloured, width: width, styled: true}.block(wideTable())
		if got := text.StripEscape(coloured.String()); got != plain.String() {
			t.Errorf("at %d columns the coloured table is\n%s\nwant\n%s", width, got, &plain)
		}
		for line := range strings.Lines(plain.String()) {
			if got := text.StringWidth(strings.TrimSuffix(line, "\n")); width > 0 && got > width {
				t.Errorf("at %d columns there is a line of %d: %q", width, got, line)
			}
		}
		golden(t, fmt.Sprintf("table-%d.txt", width), plain.String())
	}
}

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	want, err := os.ReadFile(path)
	if err == nil && string(want) == got {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
}

func TestStatesAreColouredByWhatTheySay(t *testing.T) {
	t.Parallel()
	const red, yellow, green = "\x1b[31m", "\x1b[33m", "\x1b[32m"
	for _, test := range []struct{ column, cell, want string }{
		{"Severity", "High", red},
		{"RiskScore", "High", red},
		{"Status", "Failed", red},
		{"Severity", "Medium", yellow},
		{"Status", "InProgress", yellow},
		{"HealthStatus", "Inactive", yellow},
		{"Status", "Succeeded", green},
		{"HealthStatus", "Active", green},
		{"Result", "failed", red},
		{"Result", "warning", yellow},
		{"Result", "ok", green},
		{"Result", "not checked", ""},
		{"ExposureLevel", "Low", ""},
		{"Status", "Highly unusual", ""},
		{"ComputerDNSName", "High", ""},
		{"Status", "", ""},
	} {
		rows := [][]string{{test.cell}}
		colourStates([]string{test.column}, rows)
		want := test.cell
		if test.want != "" {
			want = test.want + test.cell + "\x1b[0m"
		}
		if got := rows[0][0]; got != want {
			t.Errorf("%s %q: got %q, want %q", test.column, test.cell, got, want)
		}
	}
}
