// Package browser drives the War Room page in a headless Chromium, as a person would. It is a module of its own, so that nobody needs
// its libraries to build or test the program. `.ci/run` runs it where there is a Chromium.
//
//	go test . [-pictures FOLDER]
package browser

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var pictures = flag.String("pictures", "", "folder in which pictures of the page are saved")

// patience is how long the whole story may take.
const patience = 4 * time.Minute

// serve builds the program, starts its War Room and returns the address of the page.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "xsoar-defender")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	command := exec.Command(program, append([]string{"warroom"}, args...)...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Errorf("the program ended with %v after an interrupt, want no error", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, found := strings.Cut(lines.Text(), " is at "); found {
			return address
		}
	}
	t.Fatal("the program printed no address")
	return ""
}

// tab opens a browser.
func tab(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // the tests may run as root
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1500, 900),
	)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// do runs steps, and fails the test with what was shown when one of them does not come about.
func do(ctx context.Context, t *testing.T, what string, steps ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, steps...); err != nil {
		var shown string
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = chromedp.Run(last, chromedp.Text("body", &shown))
		t.Fatalf("%s: %v; the page shows\n%s", what, err, shown)
	}
}

// typed types a line and runs it.
func typed(line string) chromedp.Action {
	return chromedp.Tasks{chromedp.SendKeys("#line", line), chromedp.SendKeys("#line", kb.Escape), chromedp.SendKeys("#line", kb.Enter)}
}

// shows waits until an element holds a text.
func shows(selector, text string) chromedp.Action {
	return chromedp.Poll("Array.from(document.querySelectorAll("+quote(selector)+")).some((one) => one.textContent.includes("+quote(text)+"))", nil, chromedp.WithPollingTimeout(time.Minute))
}

func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

func picture(t *testing.T, name string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if *pictures == "" {
			return nil
		}
		var png []byte
		if err := chromedp.CaptureScreenshot(&png).Do(ctx); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644)
	})
}

// TestAStoryInTheWarRoom types, completes, runs, follows a wait to its end, downloads a file, and sees an incident arrive and close.
func TestAStoryInTheWarRoom(t *testing.T) {
	address, ctx, downloads := serve(t), tab(t), t.TempDir()
	do(ctx, t, "opening the page",
		chromedp.Navigate(address), shows("#tenant", "simulated tenant"), chromedp.WaitVisible("#line"),
		chromedp.Poll(`location.search === ""`, nil))
	do(ctx, t, "completing a command",
		chromedp.SendKeys("#line", "!get-machi"), shows("#choices li", "!microsoft-atp-get-machines"),
		chromedp.SendKeys("#line", kb.Tab), chromedp.SendKeys("#line", "health_st"), shows("#choices li", "health_status="), picture(t, "completion"),
		chromedp.SendKeys("#line", kb.Tab), chromedp.SendKeys("#line", "Act"), shows("#choices li", "health_status=Active"),
		chromedp.SendKeys("#line", kb.Tab), chromedp.SendKeys("#line", kb.Escape))
	var line string
	do(ctx, t, "reading the line", chromedp.Value("#line", &line))
	if want := "!microsoft-atp-get-machines health_status=Active"; strings.TrimSpace(line) != want {
		t.Errorf("completion wrote %q, want %q", line, want)
	}
	do(ctx, t, "running it", chromedp.SendKeys("#line", kb.Enter), shows("#entries table td", "fin-nb-01"), picture(t, "machines"))

	var machine string
	do(ctx, t, "reading a machine's ID from the context",
		chromedp.Evaluate(`fetch("/api/context").then((r) => r.json()).then((c) => c.MicrosoftATP.Machine[0].ID)`, &machine, chromedp.EvalAsValue, awaited))
	do(ctx, t, "isolating it and following the wait to its end",
		typed("!microsoft-atp-isolate-machine machine_id="+machine+" comment=story isolation_type=Full"),
		shows("#entries td", "Isolate"), shows("#portal td.isolated", "Isolated"), picture(t, "portal"))
	do(ctx, t, "downloading a file of the machine",
		cdp.SetDownloadBehavior(cdp.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(downloads),
		typed("!microsoft-atp-live-response-get-file machine_id="+machine+" comment=story path=`C:\\Windows\\notepad.exe`"),
		shows(".waiting:not([hidden])", "get-file runs again by itself"), picture(t, "waiting"), chromedp.WaitVisible("#entries a[download]"), chromedp.Click("#entries a[download]"))
	var href string
	var offered int
	do(ctx, t, "reading the download",
		chromedp.AttributeValue("#entries a[download]", "href", &href, nil),
		chromedp.Evaluate(`fetch("`+"/files/1"+`").then((r) => r.arrayBuffer()).then((b) => b.byteLength)`, &offered, chromedp.EvalAsValue, awaited))
	if offered == 0 || href != "/files/1" {
		t.Errorf("the download at %s has %d bytes, want some at /files/1", href, offered)
	}
	do(ctx, t, "fetching incidents", chromedp.Click("#fetch"), chromedp.WaitVisible("#incident-list summary"), picture(t, "incidents"))
	do(ctx, t, "closing one",
		chromedp.Click("#incident-list summary"), chromedp.Click("#incident-list .buttons button"), chromedp.WaitVisible("#incident-list details.closed"))
	do(ctx, t, "seeing mirroring take it to Defender", chromedp.Click("#mirror"), shows(".entry.mirrored", "Defender, "), picture(t, "mirrored"))
	do(ctx, t, "hostile text stays text",
		typed("!microsoft-atp-add-remove-machine-tag machine_id="+machine+" action=Add tag=\"<img src=x onerror=document.title='owned'><script>document.title='owned'</script>**b**[l](javascript:alert(1))\""),
		shows("#entries td", "<img src=x onerror"))
	var title string
	var images int
	do(ctx, t, "reading the page", chromedp.Title(&title),
		chromedp.Evaluate(`document.querySelectorAll("#entries img, #entries script, #entries a[href^=javascript]").length`, &images))
	if strings.Contains(title, "owned") || images > 0 {
		t.Errorf("hostile text became part of the page: title %q and %d elements", title, images)
	}
	do(ctx, t, "loading the page again", chromedp.Reload(), shows("#entries td", "<img src=x onerror"), shows("#incident-list small", "Closed"))
}

// TestThePageFitsAndCanBeUsedByKeyboard looks at the page from 400 to 2,000 pixels, light and dark.
func TestThePageFitsAndCanBeUsedByKeyboard(t *testing.T) {
	address, ctx := serve(t), tab(t)
	do(ctx, t, "opening the page", chromedp.Navigate(address), chromedp.WaitVisible("#line"),
		typed("!microsoft-atp-list-alerts limit=5"), chromedp.WaitVisible("#entries table"))
	for _, width := range []int64{400, 800, 1280, 2000} {
		for _, scheme := range []string{"light", "dark"} {
			var over int
			do(ctx, t, "resizing", emulation.SetDeviceMetricsOverride(width, 800, 1, false),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &over), picture(t, pictureOf(scheme, width)))
			if over > 0 {
				t.Errorf("at %d pixels the page is %d pixels too wide", width, over)
			}
		}
	}
	var focus string
	do(ctx, t, "going back to the command line by keyboard", chromedp.KeyEvent(kb.Escape), chromedp.Focus("#line"),
		chromedp.Evaluate(`document.activeElement.id`, &focus))
	if focus != "line" {
		t.Errorf("the focus is on %q, want line", focus)
	}
}

// pictureOf names the picture of a width in a color scheme; docs has that of a narrow dark screen.
func pictureOf(scheme string, width int64) string {
	if scheme == "dark" && width == 400 {
		return "narrow"
	}
	return fmt.Sprintf("%s-%d", scheme, width)
}

// TestAnotherBrowserIsRefused opens the address a second time.
func TestAnotherBrowserIsRefused(t *testing.T) {
	address := serve(t)
	do(tab(t), t, "opening the page", chromedp.Navigate(address), chromedp.WaitVisible("#line"))
	do(tab(t), t, "opening it elsewhere", chromedp.Navigate(address), shows("body", "used already"))
}

// awaited waits for the promise that an expression returns.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
