package commands_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

const libraryPath = "MicrosoftATP.LibraryFile(val.fileName && val.fileName == obj.fileName)"

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestAFileIsUploadedByteForByte uploads a file of the War Room with a text that would end a form, and a text.
func TestAFileIsUploadedByteForByte(t *testing.T) {
	content := "\xff\x00--boundary\r\n\r\n" + strings.Repeat("Write-Output 'ü'\r\n", 40_000) + "\n\n"
	i := commandstest.New(t)
	i.Host.Put("12@34", "triage 2.ps1", content)
	result := i.Run("microsoft-atp-live-response-library-upload", map[string]any{"entry_id": "12@34", "description": `says "x"`, "parameters_description": "-Days"})
	result.WantAsked("GET /api/libraryfiles", "POST /api/libraryfiles")
	got := result.Entry().At(libraryPath)
	if got.Get("sha256").String() != sha256Of(content) || got.Get("fileName").String() != "triage 2.ps1" || !got.Get("hasParameters").Bool() {
		t.Errorf("got %s, want the hash %s", got, sha256Of(content))
	}
	listed := i.Run("microsoft-atp-live-response-library-list", map[string]any{"file_name": "TRIAGE*2.ps1"}).Entry().At(libraryPath).Get("0")
	if listed.Get("sha256").String() != sha256Of(content) || listed.Get("description").String() != `says "x"` {
		t.Errorf("the library lists %s, want the hash %s", listed, sha256Of(content))
	}
	again := i.Run("microsoft-atp-live-response-library-upload", map[string]any{"entry_id": "12@34"})
	again.WantAsked("GET /api/libraryfiles")
	again.Entry().WantReadable("nothing was sent")

	text := "\n  Get-Process\n"
	kept := i.Run("microsoft-atp-live-response-library-upload", map[string]any{"content": text, "file_name": "text.ps1"}).Entry().At(libraryPath).Get("sha256").String()
	if kept != sha256Of(text) {
		t.Errorf("the text was not uploaded as it is: got the hash %s, want %s", kept, sha256Of(text))
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		args map[string]any
		want []string
		asks int
	}{
		"another file of the name": {map[string]any{"content": "x", "file_name": "triage.ps1"}, []string{"Nothing was sent", "triage.ps1", "override=true"}, 1},
		"no file":                  {map[string]any{}, []string{"entry_id or content is missing"}, 0},
		"both":                     {map[string]any{"entry_id": "1@1", "content": "x"}, []string{"exclude each other"}, 0},
		"a text without a name":    {map[string]any{"content": "x"}, []string{"file_name is missing"}, 0},
		"an entry without a file":  {map[string]any{"entry_id": "9@9"}, []string{"could not be read"}, 0},
		"a name with a folder":     {map[string]any{"content": "x", "file_name": `..\x.ps1`}, []string{"plain name"}, 0},
		"a file that is too large": {map[string]any{"entry_id": "large"}, []string{"at most 20 MB"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			i.Host.Put("large", "large.bin", strings.Repeat("x", 20<<20+1))
			result := i.Run("microsoft-atp-live-response-library-upload", test.args)
			result.WantFailure(test.want...)
			if len(result.Requests) != test.asks {
				t.Errorf("got the requests %q, want %d", result.Asked(), test.asks)
			}
		})
	}
}

// TestAFileThatIsThereIsSentAgainOnlyInItsPlace uploads the same file twice, though nothing changed.
func TestAFileThatIsThereIsSentAgainOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	i := commandstest.New(t)
	args := map[string]any{"content": "Get-Process", "file_name": "a.ps1", "only_if_changed": false}
	i.Run("microsoft-atp-live-response-library-upload", args).WantAsked("GET /api/libraryfiles", "POST /api/libraryfiles")
	again := i.Run("microsoft-atp-live-response-library-upload", args)
	again.WantFailure("the library has the file a.ps1 already", "override must be true")
	again.WantAsked("GET /api/libraryfiles")
	args["override"] = true
	i.Run("microsoft-atp-live-response-library-upload", args).WantAsked("GET /api/libraryfiles", "POST /api/libraryfiles")
}

// TestTheReviewedScriptRuns runs a session with a script that the playbook carries, in all ways in which the script in the
// library may differ from it.
func TestTheReviewedScriptRuns(t *testing.T) {
	const script = "Get-Process\n"
	session := func(more ...string) map[string]any {
		return on("FIRST", append([]string{"commands", "run carried.ps1 -Days 3"}, more...)...)
	}
	i := commandstest.New(t)
	first, second := i.Tenant.MachineIDs()[0], i.Tenant.MachineIDs()[1]

	missing := i.Run("microsoft-atp-live-response-run", resolve(i, session("script_sha256", sha256Of(script))))
	missing.WantFailure("Nothing was run", "has no file carried.ps1")

	uploads := i.Run("microsoft-atp-live-response-run", resolve(i, session("script_content", script, "script_sha256", sha256Of(script))))
	uploads.WantAsked("GET /api/libraryfiles", "POST /api/libraryfiles", "POST /api/machines/"+first+"/runliveresponse")

	args := session("script_sha256", sha256Of(script))
	args["machine_id"] = second
	pinned := i.Run("microsoft-atp-live-response-run", args)
	pinned.WantAsked("GET /api/libraryfiles", "POST /api/machines/"+second+"/runliveresponse")

	i.Run("microsoft-atp-live-response-library-upload", map[string]any{"content": "evil", "file_name": "carried.ps1", "override": true}).Entry()
	replaced := i.Run("microsoft-atp-live-response-run", args)
	replaced.WantFailure("Nothing was run", sha256Of("evil"), sha256Of(script))
	replaced.WantAsked("GET /api/libraryfiles")

	other := i.Run("microsoft-atp-live-response-run", resolve(i, session("script_content", "other", "script_sha256", sha256Of(script))))
	other.WantFailure("not the one that was reviewed")
	other.WantAsked()
}

// TestPutRunAndGetAreOneSession follows a session on two machines, of which one fails, to its results.
func TestPutRunAndGetAreOneSession(t *testing.T) {
	i := commandstest.New(t)
	machines := strings.Join(i.Tenant.MachineIDs()[:2], ",")
	args := map[string]any{"machine_id": machines, "comment": "c", "polling": true, "commands": []string{"put cleanup-tool.exe", "run triage.ps1 -Days 3", `get C:\Temp\out file.zip`}}
	result := i.Run("microsoft-atp-live-response-run", args)
	sessions := 0
	for _, request := range result.Requests {
		if request.Method == http.MethodPost {
			sessions++
		}
	}
	if sessions != 2 {
		t.Fatalf("got %d sessions, want one for each machine: %q", sessions, result.Asked())
	}
	entries := result.All()
	for runs := 0; entries[0].Poll != nil; runs++ {
		if runs == 20 {
			t.Fatal("the session does not end")
		}
		result = i.Again(entries[0])
		entries = result.All()
	}
	scripts, files := 0, 0
	for _, entry := range entries {
		for _, one := range entry.At("MicrosoftATP.LiveResponseResult(val.actionId && val.actionId == obj.actionId && val.index == obj.index)").Array() {
			if one.Get("script_name").String() == "triage.ps1" {
				scripts++
			}
		}
		if entry.File != nil {
			files++
		}
	}
	if scripts != 2 || files != 4 {
		t.Errorf("got %d results of the script and %d files, want 2 and 4", scripts, files)
	}
	for _, request := range result.Requests {
		if request.Kind == simulator.KindDownload && request.Header.Get("Authorization") != "" {
			t.Error("a download carries the token")
		}
	}
}

func TestCommandsOfASessionThatAreRefused(t *testing.T) {
	for commands, want := range map[string]string{
		"get C:\\x\nput tool.exe":            "first put, then run, then get",
		"delete C:\\x":                       "must have commands such as",
		"run":                                "must have commands such as",
		"[1, 2":                              "not valid JSON",
		"[7]":                                "must have commands such as",
		`[{"type":"RunScript","params":[]}]`: "must have commands such as",
		`[{"type":"Format","params":[{"key":"a"}]}]`: "must have commands such as",
		"[]": "has no command",
	} {
		t.Run(commands, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			result := i.Run("microsoft-atp-live-response-run", on("m1", "commands", commands))
			result.WantFailure(want)
			result.WantAsked()
		})
	}
}

func TestCommandsOfASessionInAllForms(t *testing.T) {
	want := `[{"type":"RunScript","params":[{"key":"ScriptName","value":"my script.ps1"},{"key":"Args","value":"-Path \"C:\\a b\""}]},{"type":"GetFile","params":[{"key":"Path","value":"C:\\a b\\c.txt"}]}]`
	for name, commands := range map[string]any{
		"lines":               "run \"my script.ps1\" -Path \"C:\\a b\"\r\n\r\n  get C:\\a b\\c.txt",
		"a list":              []string{`RUN "my script.ps1" -Path "C:\a b"`, `get "C:\a b\c.txt"`},
		"a JSON list":         `["run \"my script.ps1\" -Path \"C:\\a b\"","get C:\\a b\\c.txt"]`,
		"the service's words": want,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			i.Answer("POST", "/api/machines/m1/runliveresponse", 201, fullAction)
			args := on("m1")
			args["commands"] = commands
			if got := i.Run("microsoft-atp-live-response-run", args).Body(); !strings.Contains(got, want) {
				t.Errorf("got %s, want the commands %s", got, want)
			}
		})
	}
}

func TestDeletingWhatIsNotThereIsNoError(t *testing.T) {
	i := commandstest.New(t)
	got := i.Run("microsoft-atp-live-response-library-delete", map[string]any{"file_name": "triage.ps1,none.ps1"}).Entry().At(libraryPath)
	if want := `[{"fileName":"triage.ps1","deleted":true},{"fileName":"none.ps1","deleted":false}]`; got.Raw != want {
		t.Errorf("got %s, want %s", got.Raw, want)
	}
}

// TestAnUploadWhoseLibraryCannotBeReadIsTold has a service that accepts a file without showing it, and then refuses its library.
func TestAnUploadWhoseLibraryCannotBeReadIsTold(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Method: "GET", Path: "/api/libraryfiles", Status: 200, Body: `{"value":[]}`, Times: 1})
	i.Answer("GET", "/api/libraryfiles", 403, `{"error":{"code":"Forbidden","message":"missing role"}}`)
	i.Answer("POST", "/api/libraryfiles", 200, "")
	i.Run("microsoft-atp-live-response-library-upload", map[string]any{"content": "x", "file_name": "x.ps1"}).
		WantFailure("The service accepted the file x.ps1 without showing it, and the library could not be looked at: ", "missing role", "list the library before you try again")
}
