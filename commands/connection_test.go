package commands_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/warroom"
)

const connectionTest = "microsoft-atp-test"

func TestTheConnectionWorks(t *testing.T) {
	i := commandstest.New(t)
	entry := i.Run(connectionTest, nil).Entry()
	if entry.Kind != warroom.Note {
		t.Errorf("got the kind %d, want a note", entry.Kind)
	}
	for _, want := range []string{
		"The sign-in works and the API answers.", "| Token | ok | signed in again", "Permissions of the token: AdvancedQuery.Read.All, ", "The permissions cover every command.",
	} {
		if !strings.Contains(entry.Readable(), want) {
			t.Errorf("got\n%s\nwant %q in the entry", entry.Readable(), want)
		}
	}
	checks := entry.At("MicrosoftATP.Diagnosis(val.Check === obj.Check)")
	if got := checks.Get(`#(Check=="API").Result`).Str; got != "ok" {
		t.Errorf("got %s, want the check of the API in the context", checks)
	}
}

// TestSignInWorksAndTheAPIRefuses is not a failure of the command: its report on permissions is needed then.
func TestSignInWorksAndTheAPIRefuses(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.SetPermissions("Machine.Read.All")
	result := i.Run(connectionTest, nil)
	entry := result.Entry()
	result.WantAsked("GET /api/alerts")
	if entry.Kind != warroom.Warning {
		t.Errorf("got the kind %d, want a warning", entry.Kind)
	}
	for _, want := range []string{
		"The sign-in works. The attempt to list alerts failed: Forbidden", "| API | failed | ", "Permissions of the token: Machine.Read.All.", "| microsoft-atp-list-alerts | ",
	} {
		if !strings.Contains(entry.Readable(), want) {
			t.Errorf("got\n%s\nwant %q in the entry", entry.Readable(), want)
		}
	}
}

func TestAClockThatIsWrongIsAWarning(t *testing.T) {
	i := commandstest.New(t)
	date := i.Clock.Now().Add(-time.Hour).Format(http.TimeFormat)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Header: http.Header{"Date": {date}}})
	entry := i.Run(connectionTest, nil).Entry()
	if want := "| Clock | failed | 1h0m0s ahead of the clock of the API | Set the clock"; entry.Kind != warroom.Warning || !strings.Contains(entry.Readable(), want) {
		t.Errorf("got the kind %d and\n%s, want a warning with %q", entry.Kind, entry.Readable(), want)
	}
}

func TestTheErrorOfAConnectionTellsOfTheClock(t *testing.T) {
	i := commandstest.New(t)
	date := i.Clock.Now().Add(time.Hour).Format(http.TimeFormat)
	i.Tenant.Script(
		simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Status: http.StatusUnauthorized, Code: "AADSTS700024", Message: "Not within its valid time.", Header: http.Header{"Date": {date}}},
	)
	got := i.Run(connectionTest, nil).Failure()
	for _, want := range []string{"Sign-in (client secret) failed: ", "(AADSTS700024)", ". Clock: 1h0m0s behind the clock of the authority. Set the clock of the engine"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in the error", got, want)
		}
	}
}

func TestTheConnectionIsTestedAgainWhenTheServiceIsBusy(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Minute, Times: 1})
	entry := i.Run(connectionTest, nil).Entry()
	if entry.Poll == nil || entry.Poll.After != 5*time.Minute {
		t.Fatalf("got %+v, want the command to be scheduled in five minutes", entry.Poll)
	}
	if got := i.Again(entry).Entry().Readable(); !strings.Contains(got, "The sign-in works and the API answers.") {
		t.Errorf("got\n%s\nwant the next run to succeed", got)
	}
}

// TestThePermissionsOfATokenAreListed has tokens with permissions, without any, and of a form that Microsoft alone reads.
func TestThePermissionsOfATokenAreListed(t *testing.T) {
	for token, want := range map[string]string{
		`{"roles":["Machine.Read.All","Alert.Read.All"],"scp":"Alert.Read.All User.Read"}`: "Alert.Read.All\nMachine.Read.All\nUser.Read",
		`{}`: "The token holds no permissions. Add permissions of WindowsDefenderATP to the application, and grant admin consent.",
		"":   "",
	} {
		i := commandstest.New(t)
		access := "opaque"
		if token != "" {
			access = "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(token)) + ".c2ln"
		}
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Status: http.StatusOK, Body: `{"token_type":"Bearer","expires_in":3599,"access_token":"` + access + `"}`})
		result := i.Run("microsoft-atp-list-auth-permissions", nil)
		if token == "" {
			result.WantFailure("The access token cannot be read, so its permissions are not known.")
			continue
		}
		result.Entry().WantReadable(want)
	}
}

// TestTheStoredSignInIsDeleted says how the instance signs in again.
func TestTheStoredSignInIsDeleted(t *testing.T) {
	for mode, want := range map[string]string{
		"client-secret": "The next command signs in again.", "authorization-code": "Run !microsoft-atp-generate-login-url to log in again.",
	} {
		i := commandstest.New(t)
		i.Params = i.Tenant.Instance(mode)
		i.Run("microsoft-atp-auth-reset", nil).Entry().WantReadable("The stored sign-in was deleted. " + want)
	}
}
