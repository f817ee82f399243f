package program_test

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"xsoar-defender/internal/repository"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/platform/platformtest"
)

// demisto is the account that the platform's own images have for an operator who does not want root.
const demisto = 4000

// workFolder is where the platform finds the files of the image's program.
const workFolder = "/var/lib/xsoar-defender"

// TestImage is about the image that the Dockerfile makes.
func TestImage(t *testing.T) {
	t.Parallel()
	tree := folderOfImage(t)
	t.Run("holds the program and nothing else", func(t *testing.T) { wantOnlyTheProgram(t, tree) })
	t.Run("serves the platform", func(t *testing.T) { wantItServesThePlatform(t, tree) })
	t.Run("is what the Dockerfile makes", wantTheDockerfileToSaySo)
}

// wantOnlyTheProgram looks at every file of the image, and at the program in it.
func wantOnlyTheProgram(t *testing.T, tree string) {
	t.Helper()
	var found []string
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == tree {
			return err
		}
		about, err := entry.Info()
		if err != nil {
			return err
		}
		text := about.Mode().String() + " " + strings.TrimPrefix(path, tree)
		if about.Mode().Type() == fs.ModeSymlink {
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + target
		}
		found = append(found, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"drwxr-xr-x /etc", "-rw-r--r-- /etc/group", "-rw-r--r-- /etc/passwd", "drwxr-xr-x /etc/ssl", "drwxr-xr-x /etc/ssl/certs",
		"-rw-r--r-- /etc/ssl/certs/ca-certificates.crt", "dtrwxrwxrwx /tmp", "drwxr-xr-x /usr", "drwxr-xr-x /usr/local", "drwxr-xr-x /usr/local/bin",
		"Lrwxrwxrwx /usr/local/bin/python -> xsoar-defender", "Lrwxrwxrwx /usr/local/bin/python3 -> xsoar-defender",
		"-rwxr-xr-x /usr/local/bin/xsoar-defender", "drwxr-xr-x /var", "drwxr-xr-x /var/lib", "dtrwxrwxrwx /var/lib/xsoar-defender",
	}
	if !slices.Equal(found, want) {
		t.Errorf("the image holds\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}

	binary := filepath.Join(tree, "usr/local/bin/xsoar-defender")
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("the program is not static: it names an interpreter, which the image does not have")
		}
	}
	built, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []debug.BuildSetting{{Key: "-tags", Value: "timetzdata"}, {Key: "-trimpath", Value: "true"}, {Key: "CGO_ENABLED", Value: "0"}} {
		if !slices.Contains(built.Settings, setting) {
			t.Errorf("the program was not built with %s=%s", setting.Key, setting.Value)
		}
	}
	if out, err := exec.Command(binary, "version").Output(); err != nil || !strings.HasPrefix(string(out), "xsoar-defender "+versionOfImage+"\n") {
		t.Errorf("the program says %q (%v), want its version", out, err)
	}
}

// wantTheDockerfileToSaySo looks for what the other parts of the test take for granted: no engine is there to build it.
func wantTheDockerfileToSaySo(t *testing.T) {
	text := repository.Read(t, "Dockerfile")
	building, image, _ := strings.Cut(string(text), "\nFROM scratch\n")
	if !strings.HasSuffix(building, "\nRUN container/assemble /image\n\n# The image has only what was assembled. There is no entry point: the platform names the program to start, python, itself.") {
		t.Errorf("the image is not assembled by container/assemble alone:\n%s", building)
	}
	want := fmt.Sprintf("COPY --from=build /image/ /\nENV %s\nWORKDIR %s\nCMD [\"python\"]\n", strings.Join(environmentOfImage(), " "), workFolder)
	if image != want {
		t.Errorf("the image is made by\n%s\nwant\n%s", image, want)
	}
}

// environmentOfImage returns the variables that the image sets. A process that begins with one processor never pays for the others until an
// answer is large.
func environmentOfImage() []string { return []string{"PATH=/usr/local/bin", "GOMAXPROCS=1"} }

// inside runs a program of the image as demisto, with the image as all there is. An ordinary user needs a name space of
// users for that; where the system grants nobody one, the program runs from its place in the image, and sees the rest of
// the machine.
func inside(t *testing.T, tree string, name string, args ...string) *exec.Cmd {
	t.Helper()
	environment := append(environmentOfImage(), noPauseAtExit)
	attributes := &syscall.SysProcAttr{Chroot: tree, Credential: &syscall.Credential{Uid: demisto, Gid: demisto}}
	if os.Getuid() != 0 {
		attributes = &syscall.SysProcAttr{
			Chroot: tree, Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: demisto, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: demisto, HostID: os.Getgid(), Size: 1}},
		}
	}
	probe := exec.Command("/usr/local/bin/xsoar-defender", "version")
	probe.SysProcAttr, probe.Env, probe.Dir = attributes, environment, "/"
	command := exec.Command("/usr/local/bin/"+name, args...)
	command.Dir, command.Env, command.SysProcAttr = workFolder, environment, attributes
	if err := probe.Run(); errors.Is(err, fs.ErrPermission) {
		t.Logf("%s runs outside of its image: this system lets nobody but root change the root (%v)", name, err)
		command.Path, command.Dir, command.SysProcAttr = filepath.Join(tree, command.Path), filepath.Join(tree, workFolder), nil
	}
	return command
}

// wantItServesThePlatform starts the image's program as the platform does, in an empty root: it answers, signs in, works,
// and saves files where the platform looks for them.
func wantItServesThePlatform(t *testing.T, tree string) {
	t.Helper()
	tenant := startTenant(t, simulator.Options{})
	params := tenant.Instance("client-secret")
	for _, call := range [][]string{{"python", "-S", "loop.py"}, {"python3", "-c", "import sys; print(sys.version)"}, {"xsoar-defender"}} {
		plugin := platformtest.New().Start(t, inside(t, tree, call[0], call[1:]...))
		if err := plugin.Ping(); err != nil {
			t.Fatalf("%q: %v; it said %q", call, err, plugin.Errors())
		}
		outcome, err := plugin.Run(getMachines(params))
		if err != nil || outcome.Failure() != "" || len(outcome.Shown()) != 1 {
			t.Fatalf("%q: got %v, %q and %d entries", call, err, outcome.Failure(), len(outcome.Shown()))
		}
		if err := plugin.Close(); err != nil {
			t.Errorf("%q ended with %v", call, err)
		}
	}

	plugin := platformtest.New().Start(t, inside(t, tree, "python"))
	tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/machineactions/", Body: fmt.Sprintf(`{"value":"%s/download/result"}`, tenant.URL())})
	tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Body: "the result", ContentType: "application/octet-stream"})
	outcome, err := plugin.Run(platformtest.Request{
		Command: "microsoft-atp-live-response-result", Params: params, Args: map[string]any{"machine_action_id": "a1", "command_index": "0"},
	})
	if err != nil || outcome.Failure() != "" {
		t.Fatalf("got %v and %q", err, outcome.Failure())
	}
	saved, err := os.ReadFile(filepath.Join(tree, workFolder, platformtest.Investigation+"_"+outcome.Shown()[0].FileID))
	if err != nil || string(saved) != "the result" {
		t.Errorf("the file holds %q (%v), want what was downloaded", saved, err)
	}

	// It trusts what the image says, and nobody else.
	strict := tenant.Instance("client-secret")
	strict["insecure"] = false
	if outcome, err := plugin.Run(getMachines(strict)); err != nil || !strings.Contains(outcome.Failure(), "certificate") {
		t.Errorf("got %v and %q, want that the certificate is not trusted", err, outcome.Failure())
	}
	if err := plugin.Close(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}
