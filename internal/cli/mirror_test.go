package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/simulator"
)

// mirror plays one round of mirroring from the terminal.
func (l *lab) mirror(words ...string) (code int, out, errs string) {
	return l.execute(append([]string{"mirror", "--once", "--instance", l.instance}, words...)...)
}

func (l *lab) file(name string, content any) string {
	l.t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.folder, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// TestMirrorPlaysThePlatform fetches, changes an alert on both sides, and looks at what is shown and what is done.
func TestMirrorPlaysThePlatform(t *testing.T) {
	l := newLab(t)
	params := l.tenant.Instance("client-secret")
	params["max_fetch"], params["first_fetch_timestamp"] = "5", "12 hours"
	l.instance = l.file("mirrored.json", params)
	code, out, errs := l.mirror()
	_, first, named := strings.Cut(out, "new incident Microsoft Defender ATP Alert ")
	if code != 0 || !named {
		t.Fatalf("got %d, %s%s, want incidents", code, out, errs)
	}
	id, _, _ := strings.Cut(first, ":")
	before := l.tenant.AlertState(id)
	l.clock.Advance(time.Minute)
	l.tenant.ChangeAlert(id, simulator.Change{Comment: "from the portal"})
	edits := l.file("edits.json", []any{
		map[string]any{"incident": "1", "comment": "from the analyst", "close": map[string]string{"reason": "False Positive", "notes": "a test"}},
		map[string]any{"incident": "77", "reopen": true},
	})
	l.clock.Advance(time.Minute)
	code, out, errs = l.mirror("--edits", edits)
	if code != 1 || !strings.Contains(errs, `No mirrored incident has the number or the ID "77".`) {
		t.Errorf("got %d and %q, want the failure for the incident that does not exist", code, errs)
	}
	for _, text := range []string{"note: soc@", "from the portal", "comment: from the analyst", `closeReason: "False Positive"`} {
		if !strings.Contains(out, text) {
			t.Errorf("got\n%s\nwant %q", out, text)
		}
	}
	after := l.tenant.AlertState(id)
	if before.Status == "Resolved" || after.Status != "Resolved" || after.Classification != "FalsePositive" || len(after.Comments) != len(before.Comments)+3 {
		t.Errorf("got %+v after %+v, want it resolved with the notes and the comment", after, before)
	}
}

func TestMirrorRefusesEditsThatItCannotRead(t *testing.T) {
	l := newLab(t)
	for name, path := range map[string]string{
		"no file": filepath.Join(l.folder, "none.json"), "an unknown key": l.file("a.json", []any{map[string]any{"incident": "1", "delete": true}}),
		"an unknown field": l.file("b.json", []any{map[string]any{"incident": "1", "set": map[string]string{"staus": "InProgress"}}}),
	} {
		if code, _, errs := l.mirror("--edits", path); code != 2 || !strings.Contains(errs, "edits") {
			t.Errorf("%s: got %d and %q, want a usage error", name, code, errs)
		}
	}
}
