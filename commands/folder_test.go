package commands_test

import (
	"strings"
	"syscall"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// TestAFolderThatTakesNoFilesIsFoundBeforeAnythingIsSent tries every command that saves files, and the Test button, in a
// folder that takes none.
func TestAFolderThatTakesNoFilesIsFoundBeforeAnythingIsSent(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(*commandstest.Host)
		want  []string
	}{
		"not writable":          {func(h *commandstest.Host) { h.NoFiles = syscall.EACCES }, []string{"permission denied", "docker.run.internal.asuser"}},
		"read only":             {func(h *commandstest.Host) { h.NoFiles = syscall.EROFS }, []string{"read-only file system", "may write"}},
		"on a full disk":        {func(h *commandstest.Host) { h.Full = true }, []string{"no space left", "Free space"}},
		"without files to open": {func(h *commandstest.Host) { h.NoFiles = syscall.EMFILE }, []string{"too many open files", "nofile"}},
	} {
		for _, command := range triedCommands() {
			if !command.Saves && command.Name != commands.TestCommand {
				continue
			}
			t.Run(command.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				i := commandstest.New(t)
				row.spoil(i.Host)
				result := i.Run(command.Name, onARealMachine(i, trialsOf(command)[0].args))
				result.WantFailure(append(row.want, "Files for the War Room cannot be saved")...)
				if len(result.Requests) > 0 || strings.Contains(result.Failure(), t.TempDir()[:5]) {
					t.Errorf("got the requests %q and %q, want no request and no path", result.Asked(), result.Failure())
				}
			})
		}
	}
}

func TestTheDiagnosisLooksAtTheFolder(t *testing.T) {
	t.Parallel()
	i := commandstest.New(t)
	i.Run("microsoft-atp-test", nil).Entry().WantReadable("| Files | ok |")
	i.Host.NoFiles = syscall.EACCES
	i.Run("microsoft-atp-test", nil).Entry().WantReadable("| Files | failed | Files for the War Room cannot be saved: permission denied | Run the container as a user")
}

// TestADiskThatFillsUpSaysWhatToDo has the disk take the probe and then no more, or a quota that counts when a file is closed.
func TestADiskThatFillsUpSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(i *commandstest.Instance)
		want  string
	}{
		"a disk":  {func(i *commandstest.Instance) { i.Host.FullAfter = 1 }, "no space left on device"},
		"a quota": {func(i *commandstest.Instance) { failOn(i, "file-2", "close", 0) }, "quota exceeded"},
	} {
		i := commandstest.New(t)
		i.Answer("GET", "/api/machineactions/", 200, `{"value":"`+i.Tenant.URL()+`/download/result"}`)
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Body: strings.Repeat("x", 100), ContentType: "application/octet-stream"})
		test.spoil(i)
		result := i.Run("microsoft-atp-live-response-result", map[string]any{"machine_action_id": "a1", "command_index": 0})
		result.WantFailure(test.want, "Free space")
		if files, err := i.Host.Files(); err != nil || files != 0 {
			t.Errorf("%s: got %d files left behind (%v), want none", name, files, err)
		}
	}
}
