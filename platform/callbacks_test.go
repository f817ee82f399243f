package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/system"
	"xsoar-defender/platform"
	"xsoar-defender/platform/platformtest"
	"xsoar-defender/warroom"
)

// TestAnswersOfThePlatform asks the platform for something, and gives every answer that its releases are known to give.
func TestAnswersOfThePlatform(t *testing.T) {
	t.Parallel()
	user := func(host commands.Host) (string, error) {
		found, err := host.FindUser(t.Context(), "nora", "")
		return string(found), err
	}
	lastRun := func(host commands.Host) (string, error) {
		last, err := host.LastRun(t.Context())
		return string(last), err
	}
	mirrorRun := func(host commands.Host) (string, error) {
		last, err := host.MirrorRun(t.Context())
		return string(last), err
	}
	// change writes the integration context, unless it is not known.
	change := func(host commands.Host) (string, error) {
		kept := ""
		err := host.Update(t.Context(), func(values map[string]json.RawMessage) (bool, error) {
			kept = string(values["kept"])
			return true, nil
		})
		return kept, err
	}
	load := func(host commands.Host) (string, error) {
		values, err := host.Load(t.Context())
		return string(values["kept"]), err
	}
	const unreadable = " the platform's answer to getIntegrationContext has no context"
	for _, test := range []struct {
		name   string
		ask    func(commands.Host) (string, error)
		answer string
		want   string
	}{
		{"a user", user, `{"username":"nora"}`, `{"username":"nora"}`},
		{"a user in a list", user, `[{"username":"nora"},{"username":"noran"}]`, `{"username":"nora"}`},
		{"a user alone in a list", user, `[{"username":"nora"}]`, `{"username":"nora"}`},
		{"no user", user, `null`, `{}`},
		{"no user in a list", user, `[]`, `{}`},
		{"a text for a user", user, `"nora"`, `{}`},
		{"a refusal", user, platformtest.RefusedMark + " findUser is not for you", "{} findUser: findUser is not for you"},
		{"the state of a fetch", lastRun, `{"seen":1}`, `{"seen":1}`},
		{"an empty line", lastRun, " ", `{}`},
		{"half of an object", lastRun, `{"seen":`, " the answer to getLastRun: "},
		{"the state of mirroring", mirrorRun, `{"seen":1}`, `{"seen":1}`},
		{"a context", load, `{"context":{"kept":1},"version":{"version":1}}`, "1"},
		{"a context without a version", change, `{"context":{"kept":1}}`, "1"},
		{"no context yet", change, `{"context":null,"version":{"version":1}}`, ""},
		{"an empty object for a context", change, `{}`, unreadable},
		{"an empty line for a context", change, " ", unreadable},
		{"a list for a context", load, `[]`, unreadable},
		{"a text for a context", change, `{"context":"{}","version":{"version":1}}`, unreadable},
		{"a refusal without a reason", lastRun, platformtest.RefusedMark, " getLastRun: "},
		{"a release without mirroring", mirrorRun, platformtest.RefusedMark + "unknown command", " getLastMirrorRun: unknown command"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got string
			plugin := serve(t, func(_ context.Context, _ execution.Request, host commands.Host) execution.Result {
				answer, err := test.ask(host)
				if got = answer; err == nil {
					return execution.Result{}
				}
				got += " " + err.Error()
				if refused, is := errors.AsType[*platform.RefusedError](err); is {
					got = answer + " " + refused.Callback + ": " + refused.Reason
				}
				return execution.Result{}
			})
			plugin.Hook = func(callback string) (string, bool) { return test.answer, callback != "demistoVersion" }
			run(t, plugin, platformtest.Request{Command: "any"})
			closePlugin(t, plugin)
			if got != test.want && !(strings.HasSuffix(test.want, ": ") && strings.HasPrefix(got, test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestARefusalSaysWhatIsKnown(t *testing.T) {
	for reason, want := range map[string]string{"": "The platform refused getLastRun and gave no reason.", "it is late.": "The platform refused getLastRun: it is late."} {
		if got := (&platform.RefusedError{Callback: "getLastRun", Reason: reason}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestFileOfAnEntry opens the file of an entry where the platform says that it is.
func TestFileOfAnEntry(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, answer, want string }{
		{"next to the program", `{"path":"1_here","name":"triage.ps1"}`, "triage.ps1: here"},
		{"in another folder", fmt.Sprintf(`{"path":%q,"name":"triage.ps1"}`, elsewhere), "triage.ps1: there"},
		{"with the folders of its author", `{"path":"1_here","name":"C:\\scripts\\triage.ps1"}`, "triage.ps1: here"},
		{"without a name", fmt.Sprintf(`{"path":%q}`, elsewhere), "elsewhere: there"},
		{"without a place", `{"name":"triage.ps1"}`, "error: the platform knows no file of this entry"},
		{"that is gone", `{"path":"1_gone","name":"triage.ps1"}`, "error: no such file"},
		{"that nobody may have", platformtest.RefusedMark + "no such entry", "error: no such entry"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got string
			plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
				name, file, err := host.Open(ctx, "7@1")
				if err != nil {
					failed, is := errors.AsType[*warroom.FileError](err)
					if got = "error: " + err.Error(); !is || failed.Entry != "7@1" {
						got += ", of another entry"
					}
					return execution.Result{}
				}
				content, err := io.ReadAll(file)
				got = name + ": " + string(content)
				return execution.Result{Err: errors.Join(err, file.Close())}
			})
			if err := os.WriteFile(filepath.Join(plugin.Files, "1_here"), []byte("here"), 0o600); err != nil {
				t.Fatal(err)
			}
			plugin.Hook = func(callback string) (string, bool) { return test.answer, callback == "getFilePath" }
			if outcome := run(t, plugin, platformtest.Request{Command: "any"}); outcome.Failure() != "" {
				t.Error(outcome.Failure())
			}
			closePlugin(t, plugin)
			if wanted, failure := strings.CutPrefix(test.want, "error: "); got != test.want && !(failure && strings.HasPrefix(got, "error: ") && strings.Contains(got, wanted)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestAFileIsOpenedAgain finds a file of an earlier execution by its ID, and nothing by anything else.
func TestAFileIsOpenedAgain(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(_ context.Context, _ execution.Request, host commands.Host) execution.Result {
		id, file, err := host.Create()
		if err != nil {
			return execution.Failed(err)
		}
		_, err = io.WriteString(file, "first")
		err = errors.Join(err, file.Close())
		again, opened := host.Reopen(id)
		if opened != nil {
			return execution.Failed(opened)
		}
		content, read := io.ReadAll(again)
		if err := errors.Join(err, read, again.Close()); err != nil || string(content) != "first" {
			t.Errorf("got %q (%v), want what was written first", content, err)
		}
		for _, wrong := range []string{"", "../" + id, "7@1", "8b7e1f4e-0000-4000-8000-000000000001"} {
			if _, err := host.Reopen(wrong); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: got %v, want that there is no such file", wrong, err)
			}
		}
		return execution.Result{Err: host.Discard(id)}
	})
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if left, err := os.ReadDir(plugin.Files); err != nil || len(left) > 0 || outcome.Failure() != "" {
		t.Errorf("got %q, and %d files are left (%v), want none", outcome.Failure(), len(left), err)
	}
}

// TestALogThatCannotBeWrittenIsNoFailure tells the operator instead.
func TestALogThatCannotBeWrittenIsNoFailure(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		host.Log(ctx, "a line")
		return execution.Result{}
	})
	plugin.Hook = func(callback string) (string, bool) {
		return platformtest.RefusedMark + "the log is full", callback == "log"
	}
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if got := plugin.Errors(); outcome.Failure() != "" || !strings.Contains(got, "writing to the platform's log: ") || !strings.Contains(got, "the log is full") {
		t.Errorf("got %q and %q on the standard error, want success, and there the reason", outcome.Failure(), got)
	}
}

// TestTheLastRunIsSavedAlthoughThePlatformIsBusy refuses to save it a number of times.
func TestTheLastRunIsSavedAlthoughThePlatformIsBusy(t *testing.T) {
	t.Parallel()
	for refusals, saved := range map[int]bool{0: true, 1: true, 4: true, 5: false} {
		tries := 0
		plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
			return execution.Result{Err: host.SetLastRun(ctx, json.RawMessage(`{}`))}
		})
		plugin.Hook = func(callback string) (string, bool) {
			if callback == "setLastRun" {
				tries++
			}
			return platformtest.RefusedMark + "the database is busy", callback == "setLastRun" && tries <= refusals
		}
		outcome := run(t, plugin, platformtest.Request{Command: "any"})
		closePlugin(t, plugin)
		if got := outcome.Failure(); tries != min(refusals+1, 5) || (got == "") != saved || !saved && !strings.Contains(got, "The platform refused setLastRun: the database is busy.") {
			t.Errorf("%d refusals: got %d tries and %q, want it saved: %t", refusals, tries, got, saved)
		}
	}
}

// TestAWriteGivesUpAfterManyConflicts writes to a platform where another process is always faster. Without randomness every
// wait is the longest: each twice the one before, up to a second.
func TestAWriteGivesUpAfterManyConflicts(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	plugin := platformtest.New().Serve(t, func(in io.Reader, out, errs io.Writer, files string) error {
		return platform.Serve(t.Context(), platform.Options{
			System: system.System{
				Clock: system.Clock{Sleep: func(_ context.Context, wait time.Duration) error {
					waits = append(waits, wait)
					return nil
				}},
				Random: iotest.ErrReader(errors.New("no randomness")),
			},
			In: in, Out: out, Errors: errs, Files: files,
			Runner: runnerFunc(func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
				return execution.Result{Err: host.Update(ctx, increment("count"))}
			}),
		})
	})
	reads, writes := 0, 0
	plugin.Hook = func(callback string) (string, bool) {
		switch callback {
		case "getIntegrationContext":
			reads++
			return fmt.Sprintf(`{"context":{},"version":%d}`, reads), true
		case "setIntegrationContext":
			writes++
			return platformtest.RefusedMark + "object version conflict", true
		}
		return "", false
	}
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if got := outcome.Failure(); writes != 32 || !strings.Contains(got, "writing the integration context") || !strings.Contains(got, "object version conflict") {
		t.Errorf("got %d writes and the error %q, want 32 and the refusal", writes, got)
	}
	want := []time.Duration{20, 40, 80, 160, 320, 640, 1000}
	for i := range want {
		want[i] *= time.Millisecond
	}
	for len(want) < 31 {
		want = append(want, time.Second)
	}
	if !slices.Equal(waits, want) {
		t.Errorf("got the waits %v, want %v", waits, want)
	}
}

// TestTheIntegrationContextIsAskedForEarly asks for it before it is needed, and then does something else, reads or changes it.
func TestTheIntegrationContextIsAskedForEarly(t *testing.T) {
	t.Parallel()
	type step struct {
		name string
		do   func(ctx context.Context, host commands.Host) error
	}
	var now time.Time
	var on *platformtest.Platform
	early := step{"ask early", func(_ context.Context, host commands.Host) error {
		prefetch(host)
		return nil
	}}
	load := func(want string) step {
		return step{"read " + want, func(ctx context.Context, host commands.Host) error {
			values, err := host.Load(ctx)
			if err == nil && string(values["count"]) != want {
				err = fmt.Errorf("read %s, want %s", values["count"], want)
			}
			return err
		}}
	}
	change := step{"change", func(ctx context.Context, host commands.Host) error { return host.Update(ctx, increment("count")) }}
	ask := step{"ask for something else", func(ctx context.Context, host commands.Host) error {
		_, err := host.LastRun(ctx)
		return err
	}}
	others := step{"another process changes it", func(context.Context, commands.Host) error {
		on.SetContext(json.RawMessage(`{"count":7}`))
		return nil
	}}
	wait := step{"a second passes", func(context.Context, commands.Host) error { now = now.Add(time.Second); return nil }}
	const get, set, other = "getIntegrationContext", "setIntegrationContext", "getLastRun"
	for _, test := range []struct {
		steps []step
		want  []string
	}{
		{[]step{early, load("1")}, []string{get}},
		{[]step{early}, []string{get}},
		{[]step{early, load("1"), load("1")}, []string{get, get}},
		{[]step{early, ask, load("1")}, []string{get, other}},
		{[]step{early, ask}, []string{get, other}},
		{[]step{early, change, load("2")}, []string{get, get, set, get}},
		{[]step{early, wait, load("1")}, []string{get, get}},
		{[]step{early, ask, wait, others, load("7")}, []string{get, other, get}},
		{[]step{early, ask, others, change, load("8")}, []string{get, other, get, set, get}},
		{[]step{load("1"), early, load("1")}, []string{get, get}},
		{[]step{early, early, load("1"), ask}, []string{get, get, other}},
	} {
		on = platformtest.New()
		on.SetContext(json.RawMessage(`{"count":1}`))
		names := []string{}
		for _, step := range test.steps {
			names = append(names, step.name)
		}
		plugin := on.Serve(t, func(in io.Reader, out, errs io.Writer, files string) error {
			machine := atOnce()
			machine.Now = func() time.Time { return now }
			return platform.Serve(t.Context(), platform.Options{
				System: machine, In: in, Out: out, Errors: errs, Files: files,
				Runner: runnerFunc(func(ctx context.Context, request execution.Request, host commands.Host) execution.Result {
					for _, step := range test.steps {
						if err := step.do(ctx, host); err != nil || request.Command == "next" {
							return execution.Failed(err)
						}
					}
					return execution.Result{}
				}),
			})
		})
		outcome := run(t, plugin, platformtest.Request{Command: "any"})
		if outcome.Failure() != "" || !slices.Equal(outcome.Callbacks, test.want) {
			t.Errorf("%s: got %q and the callbacks %q, want %q", strings.Join(names, ", "), outcome.Failure(), outcome.Callbacks, test.want)
		}
		if outcome := run(t, plugin, platformtest.Request{Command: "next"}); len(outcome.Callbacks) != 1 || plugin.Ping() != nil {
			t.Errorf("%s: the next execution made the callbacks %q, want one, and a ping to be answered", strings.Join(names, ", "), outcome.Callbacks)
		}
		closePlugin(t, plugin)
	}
}

// TestAnEarlyQuestionIsRefused shows the refusal to the one who needs the answer, and to nobody else.
func TestAnEarlyQuestionIsRefused(t *testing.T) {
	t.Parallel()
	on := platformtest.New()
	on.UseContext(platformtest.ContextRefused)
	plugin := serveOn(t.Context(), t, on, func(ctx context.Context, request execution.Request, host commands.Host) execution.Result {
		prefetch(host)
		var err error
		if request.Command == "reads" {
			_, err = host.Load(ctx)
		}
		return execution.Result{Err: err}
	})
	if outcome := run(t, plugin, platformtest.Request{Command: "reads"}); !strings.Contains(outcome.Failure(), "refused getIntegrationContext") {
		t.Errorf("got %q, want the refusal", outcome.Failure())
	}
	if outcome := run(t, plugin, platformtest.Request{Command: "does not"}); outcome.Failure() != "" {
		t.Errorf("got %q, want a command that does not read it to succeed", outcome.Failure())
	}
	closePlugin(t, plugin)
}

// TestContextWithoutAVersion reads the context of a release that gives it no version: it is written whatever it is by then.
func TestContextWithoutAVersion(t *testing.T) {
	t.Parallel()
	on := platformtest.New()
	plugin := serveOn(t.Context(), t, on, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		return execution.Result{Err: host.Update(ctx, increment("count"))}
	})
	plugin.Hook = func(callback string) (string, bool) {
		return `{"context":{"count":1}}`, callback == "getIntegrationContext"
	}
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if got, want := on.Context(), json.RawMessage(`{"count":2}`); outcome.Failure() != "" || string(got) != string(want) {
		t.Errorf("got %s and the error %q, want %s", got, outcome.Failure(), want)
	}
}

// TestACallbackAfterTheEndOfTheInput gets no answer, and what the execution makes of it is not written.
func TestACallbackAfterTheEndOfTheInput(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		close(begun)
		<-ctx.Done()
		if _, err := host.LastRun(context.Background()); err == nil {
			t.Error("got an answer, want the end of the input")
		}
		return execution.Result{Entries: []warroom.Entry{warroom.Say("done")}}
	})
	if err := plugin.Send(platformtest.Request{Command: "any"}.Line()); err != nil {
		t.Fatal(err)
	}
	<-begun
	closePlugin(t, plugin)
	if got := plugin.Output(); got != "" {
		t.Errorf("got the output %q, want none", got)
	}
	if got := plugin.Errors(); !strings.Contains(got, "in the middle of an execution") {
		t.Errorf("got %q on the standard error, want what happened", got)
	}
}
