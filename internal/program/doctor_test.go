package program_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/platform/platformtest"
)

// doctor runs the diagnosis in a terminal, looks for secrets in what it says, and returns its rows.
func (e *engine) doctor(wantFailure bool) gjson.Result {
	e.t.Helper()
	text, err := json.Marshal(map[string]any{"name": "instance", "params": e.params})
	if err != nil {
		e.t.Fatal(err)
	}
	file := filepath.Join(e.t.TempDir(), "instance.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		e.t.Fatal(err)
	}
	var out gjson.Result
	for _, format := range []string{"--json", "--json=false"} {
		said, err := program(e.t, "xsoar-defender", e.environment, "doctor", format, "--instance", file).CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); failed != wantFailure {
			e.t.Fatalf("doctor %s ended with %v, want a failure %t: %s", format, err, wantFailure, said)
		}
		for name, secret := range e.secrets() {
			for part := range strings.SplitSeq(secret, ".") {
				if len(part) >= 16 && strings.Contains(string(said), part) {
					e.t.Errorf("doctor %s shows a part of %s", format, name)
				}
			}
		}
		if format == "--json" {
			out = gjson.ParseBytes(said)
		}
	}
	return out
}

func rowOf(rows gjson.Result, check string) string {
	row := rows.Get(`Checks.#(Check=="` + check + `")`)
	return row.Get("Result").Str + ": " + row.Get("Found").Str
}

// diagnose runs the diagnosis in the War Room.
func (e *engine) diagnose() platformtest.Outcome {
	e.t.Helper()
	return e.run(platformtest.Request{Command: "microsoft-atp-test", Params: e.params})
}

func TestDiagnosisOfEveryWayToSignIn(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		// A login is continued where it was begun: in the War Room.
		if !e.needsLogin {
			rows := e.doctor(false)
			for check, want := range map[string]string{"Token": "ok: signed in again", "API": "ok: ", "Clock": "ok: ", "Tenant": "ok: " + e.tenant.TenantID()} {
				if got := rowOf(rows, check); !strings.HasPrefix(got, want) {
					t.Errorf("%s: got %q, want %q", check, got, want)
				}
			}
		}
		outcome := e.ready().diagnose()
		shown := outcome.Shown()
		if outcome.Failure() != "" || len(shown) != 1 || !strings.Contains(shown[0].HumanReadable, "| Token | ok | signed in again") {
			t.Errorf("got the failure %q and the entries %+v, want one with the checks", outcome.Failure(), shown)
		}
	})
}

func TestDiagnosisOfAWrongProof(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		e.spoil(e)
		outcome := e.ready().diagnose()
		if failure := outcome.Failure(); len(outcome.Shown()) != 1 || !strings.Contains(failure, e.refused) {
			t.Errorf("got %+v, want one error with %q", outcome.Entries, e.refused)
		}
		rows := e.doctor(true)
		// The token proxy is left alone for a while, and a thumbprint that does not fit is a matter of the configuration.
		if got := rowOf(rows, "Token") + rowOf(rows, "Configuration"); !strings.Contains(got, "failed: ") {
			t.Errorf("got the rows %s, want one that failed", rows)
		}
	})
}

func TestDiagnosisWithoutAConnection(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		e.ready()
		e.cutOff(e)
		outcome := e.diagnose()
		if failure := outcome.Failure(); len(outcome.Shown()) != 1 || !strings.HasPrefix(failure, "Sign-in") {
			t.Errorf("got %+v, want one error", outcome.Entries)
		}
		rows := e.doctor(true)
		if got := rowOf(rows, "Token"); !strings.HasPrefix(got, "failed: ") {
			t.Errorf("got the token %q, want that it failed", got)
		}
		for _, check := range []string{"Audience", "Tenant", "API", "Permissions"} {
			if got := rowOf(rows, check); !strings.HasPrefix(got, "not checked: ") {
				t.Errorf("%s: got %q, want that it was not checked", check, got)
			}
		}
	})
}
