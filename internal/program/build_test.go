package program_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"xsoar-defender/internal/repository"
)

// TestMain builds nothing: what a test needs is built when it is first asked for, and removed at the end.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		// Tests that wait for processes, which wait for one another and for time to pass, leave the processors idle.
		if err := flag.Set("test.parallel", strconv.Itoa(8*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	code := func() int {
		folder, err := os.MkdirTemp("", "program")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		builds.folder = folder
		return m.Run()
	}()
	os.Exit(code)
}

// builds are the programs that the tests run, each built once.
var builds struct {
	folder                         string
	program, later, image          sync.Once
	programErr, laterErr, imageErr error
}

// folderOfProgram returns the folder with the program under the names that it is started by.
func folderOfProgram(t testing.TB) string {
	t.Helper()
	folder := filepath.Join(builds.folder, "program")
	builds.program.Do(func() { builds.programErr = build(t, folder, []string{"python", "python3"}) })
	if builds.programErr != nil {
		t.Fatal(builds.programErr)
	}
	return folder
}

// folderOfLaterProgram returns the folder with the program at another time, which aheadVariable or nowVariable says, under its
// name and, for scripts that use both, as xsoar-defender-later. Only what main.go takes for the clock and for the width of the terminal is another: the
// program itself has nothing for tests.
func folderOfLaterProgram(t testing.TB) string {
	t.Helper()
	folderOfProgram(t) // the packages of both are compiled once
	folder := filepath.Join(builds.folder, "later")
	builds.later.Do(func() { builds.laterErr = buildLater(t, folder) })
	if builds.laterErr != nil {
		t.Fatal(builds.laterErr)
	}
	return folder
}

func buildLater(t testing.TB, folder string) error {
	text := string(repository.Read(t, "main.go"))
	for taken, instead := range map[string]string{"Now: time.Now": "Now: clockOfTheTest()", "Width: widthOf(os.Stdout)": "Width: widthOfTheTest"} {
		if strings.Count(text, taken) != 1 {
			t.Fatalf("main.go does not say %q once", taken)
		}
		text = strings.Replace(text, taken, instead, 1)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	changed, overlay := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json")
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{
		repository.Path(t, "main.go"):  changed,
		repository.Path(t, "later.go"): repository.Path(t, "internal/program/testdata/later.go"),
	}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(overlay, replaced, 0o600); err != nil {
		return err
	}
	return build(t, folder, []string{"xsoar-defender-later"}, "-overlay", overlay)
}

// build builds the program into a folder, with further names, and with the race detector if the test has it. No debugger
// looks at it: what one needs takes the linker as long as all else.
func build(t testing.TB, folder string, names []string, flags ...string) error {
	t.Helper()
	readSources(t)
	if raceDetector {
		flags = append(flags, "-race")
	}
	file := filepath.Join(folder, "xsoar-defender")
	command := exec.Command("go", append([]string{"build", "-buildvcs=false", "-ldflags=-w", "-o", file}, append(flags, ".")...)...)
	command.Dir = repository.Root(t)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("building the program: %s", out)
		return err
	}
	for _, name := range names {
		if err := os.Symlink("xsoar-defender", filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// flagsOfTheImage are the build flags of the image's program. With them, a test shares the packages of that program,
// which are compiled once.
const flagsOfTheImage = "-trimpath -tags=timetzdata"

// versionOfImage is the version that the image is assembled with.
const versionOfImage = "1.2.3"

// folderOfImage returns the file tree of the image, as its Dockerfile makes it.
func folderOfImage(t testing.TB) string {
	t.Helper()
	tree := filepath.Join(builds.folder, "image")
	builds.image.Do(func() {
		readSources(t)
		command := exec.Command(repository.Path(t, "container/assemble"), tree)
		command.Env = append(os.Environ(), "VERSION="+versionOfImage)
		out, err := command.CombinedOutput()
		if err != nil {
			builds.imageErr = fmt.Errorf("assembling the image: %w\n%s", err, out)
		}
	})
	if builds.imageErr != nil {
		t.Fatal(builds.imageErr)
	}
	return tree
}

// readSources looks at every file of the program, so that go test runs the tests again when one has changed: it does not
// see what the go command reads.
func readSources(t testing.TB) {
	t.Helper()
	for _, name := range repository.Files(t) {
		if strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "go.") || strings.HasPrefix(name, "internal/kql/queries/") || name == "integration.yml" {
			if _, err := os.Stat(repository.Path(t, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
