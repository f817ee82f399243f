package platform_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/system"
	"xsoar-defender/platform"
	"xsoar-defender/platform/platformtest"
	"xsoar-defender/warroom"
)

// runnerFunc carries executions out in a test.
type runnerFunc func(ctx context.Context, request execution.Request, host commands.Host) execution.Result

func (f runnerFunc) Run(ctx context.Context, request execution.Request, host commands.Host) execution.Result {
	return f(ctx, request, host)
}

// atOnce is a machine on which nobody waits.
func atOnce() system.System {
	return system.System{
		Clock:  system.Clock{Now: time.Now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }},
		Random: rand.Reader,
	}
}

// serve runs the loop over a runner, with a platform of its own.
func serve(t *testing.T, run runnerFunc) *platformtest.Plugin {
	t.Helper()
	return serveOn(context.Background(), t, platformtest.New(), run)
}

func serveOn(ctx context.Context, t *testing.T, on *platformtest.Platform, run runnerFunc) *platformtest.Plugin {
	t.Helper()
	return on.Serve(t, func(in io.Reader, out, errs io.Writer, files string) error {
		return platform.Serve(ctx, platform.Options{
			System: atOnce(), In: in, Out: out, Errors: errs, Files: files, Runner: run, Grace: time.Millisecond,
		})
	})
}

// say answers every execution with one paragraph.
func say(text string) runnerFunc {
	return func(context.Context, execution.Request, commands.Host) execution.Result {
		return execution.Result{Entries: []warroom.Entry{warroom.Say(text)}}
	}
}

// prefetch asks the platform early for the integration context.
func prefetch(host commands.Host) { host.(interface{ Prefetch() }).Prefetch() }

func run(t *testing.T, plugin *platformtest.Plugin, request platformtest.Request) platformtest.Outcome {
	t.Helper()
	outcome, err := plugin.Run(request)
	if err != nil {
		t.Fatalf("running %s: %v", request.Command, err)
	}
	return outcome
}

func closePlugin(t *testing.T, plugin *platformtest.Plugin) {
	t.Helper()
	if err := plugin.Close(); err != nil {
		t.Errorf("at the end of the input the loop gave %v, want no error", err)
	}
}

func TestLoopServesUntilItsInputEnds(t *testing.T) {
	t.Parallel()
	plugin := serve(t, say("done"))
	for range 2 {
		if err := plugin.Ping(); err != nil {
			t.Fatal(err)
		}
		outcome := run(t, plugin, platformtest.Request{Command: "any"})
		if len(outcome.Entries) != 1 || outcome.Entries[0].HumanReadable != "done" || outcome.Entries[0].Type != platformtest.NoteEntry {
			t.Errorf("got the entries %+v, want one note that says done", outcome.Entries)
		}
	}
	if err := plugin.Send(""); err != nil {
		t.Fatal(err)
	}
	closePlugin(t, plugin)
}

func TestLoopHandsTheExecutionOver(t *testing.T) {
	t.Parallel()
	var got execution.Request
	plugin := serve(t, func(_ context.Context, request execution.Request, _ commands.Host) execution.Result {
		got = request
		return execution.Result{}
	})
	run(t, plugin, platformtest.Request{
		Command: "isolate", Args: map[string]any{"id": "a", "debug-mode": "true", "flags": []string{"x"}}, Params: map[string]any{"url": "u"},
		Instance: "prod", Debug: true,
	})
	closePlugin(t, plugin)
	if got.Command != "isolate" || got.Instance != "prod" || !got.Debug || got.Brand == "" || string(got.Params) != `{"url":"u"}` {
		t.Errorf("got %+v", got)
	}
	want := map[string]json.RawMessage{"id": json.RawMessage(`"a"`), "flags": json.RawMessage(`["x"]`)}
	if !maps.EqualFunc(got.Args, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Errorf("got the arguments %s, want %s, without debug-mode", got.Args, want)
	}
}

func TestLoopOutlivesBadLines(t *testing.T) {
	t.Parallel()
	if platform.MaxLine != 64<<20 {
		t.Errorf("got %d as the longest line, want 64 MiB, as the error says", platform.MaxLine)
	}
	plugin := serve(t, say("done"))
	for _, test := range []struct{ name, line, want string }{
		{"no JSON", `{"command":`, "not JSON"},
		{"a list", `[1]`, "not a JSON object"},
		{"no command", `{}`, "names no command"},
		{"a wrong type", `{"command":7}`, "wrong value for command"},
		{"arguments that are a list", `{"command":"endpoint","args":[]}`, "wrong value for args"},
		{"a text for a switch", `{"command":"endpoint","context":{"IsDebug":"yes"}}`, "wrong value for context.IsDebug"},
		{"brackets without end", `{"command":"endpoint","args":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, "nested deeper than"},
		{"a secret in bad JSON", `{"params":{"credentials":{"password":"hunter2"}}`, "not JSON"},
		{"over the cap", strings.Repeat("x", platform.MaxLine+1), "longer than 64 MiB"},
	} {
		if err := plugin.Send(test.line); err != nil {
			t.Fatal(err)
		}
		outcome, err := plugin.Complete()
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := outcome.Failure(); len(outcome.Entries) != 1 || !strings.Contains(got, test.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: got the entries %+v, want one error that says %q", test.name, outcome.Entries, test.want)
		}
	}
	if err := plugin.Ping(); err != nil {
		t.Errorf("after the bad lines: %v", err)
	}
	closePlugin(t, plugin)
}

func TestNativeExecutionIsTheLast(t *testing.T) {
	t.Parallel()
	plugin := serve(t, say("done"))
	run(t, plugin, platformtest.Request{Command: "any", Native: true})
	if err := plugin.Wait(); err != nil {
		t.Errorf("after a native execution the loop gave %v, want no error", err)
	}
}

func TestFailedFetchIsAnException(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(context.Context, execution.Request, commands.Host) execution.Result {
		return execution.Failed(errors.New("no sign-in"))
	})
	fetch := run(t, plugin, platformtest.Request{Command: commands.FetchCommand})
	if len(fetch.Entries) != 0 || !slices.Equal(fetch.Exception, []string{"no sign-in"}) {
		t.Errorf("a failed fetch gave the entries %v and the exception %q, want only the exception", fetch.Entries, fetch.Exception)
	}
	other := run(t, plugin, platformtest.Request{Command: "other"})
	if other.Failure() != "no sign-in" || other.Exception != nil {
		t.Errorf("another command gave %q and the exception %q, want an error entry", other.Failure(), other.Exception)
	}
	closePlugin(t, plugin)
}

func TestResultsAreTheSameAsOneDocument(t *testing.T) {
	t.Parallel()
	result := execution.Result{
		Entries: []warroom.Entry{
			{Blocks: []warroom.Block{warroom.Heading("Title")}, Contents: warroom.Raw("{\n\"a\": 1}"), Context: []warroom.Context{{Path: "Path", Value: warroom.Text("x\ny")}}},
			{Kind: warroom.Download, File: &warroom.File{Name: "a.gz", ID: "1"}},
			{Kind: warroom.Warning, Poll: &warroom.Poll{Command: "again", Args: map[string]any{"id": "1"}, After: 90 * time.Second, Limit: time.Hour}},
		},
		Err: errors.New("in the end it failed"),
	}
	var document bytes.Buffer
	if err := platform.EncodeResults(&document, result); err != nil {
		t.Fatal(err)
	}
	plugin := serve(t, func(context.Context, execution.Request, commands.Host) execution.Result { return result })
	run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	want := `{"type":"result",` + strings.TrimPrefix(document.String(), "{") + `{"type":"completed"}` + "\n"
	if got := plugin.Output(); got != want {
		t.Errorf("the loop wrote\n%s\nwant\n%s", got, want)
	}
	if len(result.Entries) != 3 {
		t.Errorf("encoding changed the result: it has %d entries", len(result.Entries))
	}
}

func TestPollingKeys(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		after, limit       time.Duration
		nextRun, timeLimit string
	}{
		{0, 0, "10", ""},
		{11500 * time.Millisecond, 10 * time.Minute, "12", "600"},
	} {
		plugin := serve(t, func(context.Context, execution.Request, commands.Host) execution.Result {
			poll := &warroom.Poll{Command: "again", Args: map[string]any{"id": "1"}, After: test.after, Limit: test.limit}
			return execution.Result{Entries: []warroom.Entry{{Poll: poll}}}
		})
		got := run(t, plugin, platformtest.Request{Command: "any"}).Entries[0]
		closePlugin(t, plugin)
		if got.PollingCommand != "again" || got.NextRun != test.nextRun || got.Timeout != test.timeLimit || got.PollingArgs["id"] != "1" {
			t.Errorf("after %s within %s: got %+v, want NextRun %q and Timeout %q", test.after, test.limit, got, test.nextRun, test.timeLimit)
		}
	}
}

// increment counts a key of the integration context up.
func increment(key string) func(values map[string]json.RawMessage) (bool, error) {
	return func(values map[string]json.RawMessage) (bool, error) {
		count, _ := strconv.Atoi(string(values[key]))
		values[key] = json.RawMessage(strconv.Itoa(count + 1))
		return true, nil
	}
}

func TestPluginsAtOnceLoseNothingOfTheContext(t *testing.T) {
	t.Parallel()
	const plugins, each = 4, 5
	on := platformtest.New()
	on.SetContext(json.RawMessage(`{"foreign":{"kept":true}}`))
	var group sync.WaitGroup
	for range plugins {
		plugin := serveOn(context.Background(), t, on, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
			return execution.Result{Err: host.Update(ctx, increment("count"))}
		})
		group.Go(func() {
			for range each {
				if outcome, err := plugin.Run(platformtest.Request{Command: "count"}); err != nil || outcome.Failure() != "" {
					t.Errorf("got %v %s", err, outcome.Failure())
				}
			}
			closePlugin(t, plugin)
		})
	}
	group.Wait()
	want := fmt.Sprintf(`{"count":%d,"foreign":{"kept":true}}`, plugins*each)
	if got := string(on.Context()); got != want {
		t.Errorf("the integration context is %s, want %s", got, want)
	}
}

// TestTwoHundredProcessesLoseNothingOfTheContext has two hundred processes of one instance, on several engines, change its
// integration context at the same moment, each another key. The platform takes a while for every callback, so that nearly
// every first write is a conflict.
func TestTwoHundredProcessesLoseNothingOfTheContext(t *testing.T) {
	t.Parallel()
	const processes, callbackTakes = 200, 5 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		on := platformtest.New()
		failed := make(chan error, processes)
		began := time.Now()
		for number := range processes {
			plugin := on.Serve(t, func(in io.Reader, out, errs io.Writer, files string) error {
				return platform.Serve(t.Context(), platform.Options{
					System: system.System{Clock: system.Clock{Sleep: system.Sleep}, Random: rand.Reader},
					In:     in, Out: out, Errors: errs, Files: files,
					Runner: runnerFunc(func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
						return execution.Result{Err: host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
							values[strconv.Itoa(number)] = json.RawMessage(`true`)
							return true, nil
						})}
					}),
				})
			})
			plugin.Hook = func(string) (string, bool) { time.Sleep(callbackTakes); return "", false }
			go func() {
				outcome, err := plugin.Run(platformtest.Request{Command: "any"})
				if failure := outcome.Failure(); err == nil && failure != "" {
					err = errors.New(failure)
				}
				failed <- errors.Join(err, plugin.Close())
			}()
		}
		for range processes {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		var kept map[string]bool
		if err := json.Unmarshal(on.Context(), &kept); err != nil || len(kept) != processes {
			t.Errorf("got %d keys (%v), want those of all %d processes", len(kept), err, processes)
		}
		t.Logf("%d writes were refused, and all were done after %s", on.Conflicts(), time.Since(began))
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("got all writes after %s, want them within the time of an execution", took)
		}
	})
}

func TestConflictIsMergedWithTheNewestContext(t *testing.T) {
	t.Parallel()
	on := platformtest.New()
	var refreshed []bool
	plugin := serveOn(context.Background(), t, on, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		first := true
		err := host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
			if first {
				on.SetContext(json.RawMessage(`{"other":1}`))
			}
			first = false
			_, seen := values["other"]
			refreshed = append(refreshed, seen)
			values["own"] = json.RawMessage(`2`)
			return true, nil
		})
		return execution.Result{Err: err}
	})
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if outcome.Failure() != "" {
		t.Errorf("got the error %q", outcome.Failure())
	}
	if got, want := string(on.Context()), `{"other":1,"own":2}`; got != want || on.Conflicts() != 1 {
		t.Errorf("the integration context is %s after %d conflicts, want %s after 1", got, on.Conflicts(), want)
	}
	if !slices.Equal(refreshed, []bool{false, true}) {
		t.Errorf("the other's value was seen %v, want it in the second try", refreshed)
	}
}

func TestRefusalThatIsNoConflictIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		return execution.Result{Err: host.Update(ctx, increment("count"))}
	})
	writes := 0
	plugin.Hook = func(callback string) (string, bool) {
		if callback != "setIntegrationContext" {
			return "", false
		}
		writes++
		return platformtest.RefusedMark + " the disk is full", true
	}
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if writes != 1 || !strings.Contains(outcome.Failure(), "the disk is full") {
		t.Errorf("got %d writes and %q, want one write and the reason", writes, outcome.Failure())
	}
}

func TestLastRunIsReadAndWritten(t *testing.T) {
	t.Parallel()
	on := platformtest.New()
	on.SetLastRun(json.RawMessage(`{"seen":1}`))
	var got string
	plugin := serveOn(context.Background(), t, on, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		last, err := host.LastRun(ctx)
		got = string(last)
		return execution.Result{Err: errors.Join(err, host.SetLastRun(ctx, json.RawMessage(`{"seen":2}`)))}
	})
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if outcome.Failure() != "" || got != `{"seen":1}` || string(on.LastRun()) != `{"seen":2}` {
		t.Errorf("read %s, left %s, failed with %q", got, on.LastRun(), outcome.Failure())
	}
}

func TestFilesAreWhereThePlatformLooksForThem(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(_ context.Context, _ execution.Request, host commands.Host) execution.Result {
		id, file, err := host.Create()
		if err != nil {
			return execution.Failed(err)
		}
		_, err = io.WriteString(file, "bytes")
		return execution.Result{
			Entries: []warroom.Entry{{Kind: warroom.Download, File: &warroom.File{Name: "a.gz", ID: id}}},
			Err:     errors.Join(err, file.Close()),
		}
	})
	entry := run(t, plugin, platformtest.Request{Command: "any"}).Entries[0]
	closePlugin(t, plugin)
	path := filepath.Join(plugin.Files, platformtest.Investigation+"_"+entry.FileID)
	if got, err := os.ReadFile(path); err != nil || string(got) != "bytes" {
		t.Errorf("the file %s holds %q, %v", entry.FileID, got, err)
	}
	if found, err := os.Stat(path); err != nil || found.Mode().Perm()|0o044 != 0o644 {
		t.Errorf("got a file with %v (%v), want one that others may read, as far as the umask lets them", found.Mode(), err)
	}
}

// TestFilesStayInTheirFolder plays a platform, or anyone who speaks for it, that names investigations that lead elsewhere.
func TestFilesStayInTheirFolder(t *testing.T) {
	for _, investigation := range []string{"../../x", "..", ".", "", "/", "a/b", "..%2fx", "\u0000", "\n", "\u202e"} {
		line := strings.Replace(platformtest.Request{Command: "any"}.Line(), `"Inv":{"id":"1"}`, `"Inv":{"id":`+string(rawjson.Make(investigation))+`}`, 1)
		files := filepath.Join(t.TempDir(), "files")
		if err := os.Mkdir(files, 0o700); err != nil {
			t.Fatal(err)
		}
		create := runnerFunc(func(_ context.Context, _ execution.Request, host commands.Host) execution.Result {
			_, file, err := host.Create()
			if err == nil {
				err = file.Close()
			}
			return execution.Result{Entries: []warroom.Entry{warroom.Say("done")}, Err: err}
		})
		err := platform.Serve(t.Context(), platform.Options{System: atOnce(), In: strings.NewReader(line + "\n{}\n{}\n"), Out: io.Discard, Errors: io.Discard, Files: files, Runner: create})
		if err != nil {
			t.Fatal(err)
		}
		there, err := os.ReadDir(filepath.Dir(files))
		if err != nil || len(there) != 1 {
			t.Errorf("%q: %d things are next to the folder for files (%v), want none", investigation, len(there)-1, err)
		}
		inside, err := os.ReadDir(files)
		if refused := strings.Contains(investigation, "\x00"); err != nil || len(inside) != 1 && !refused {
			t.Errorf("%q: there are %d files (%v), want one", investigation, len(inside), err)
		}
	}
}

func TestInputEndsInTheMiddleOfACallback(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		_, err := host.Load(ctx)
		return execution.Result{Err: err}
	})
	plugin.Hook = func(string) (string, bool) { return "", plugin.CloseInput() == nil }
	if _, err := plugin.Run(platformtest.Request{Command: "any"}); !errors.Is(err, platformtest.ErrEnded) {
		t.Errorf("got %v, want the end of the output", err)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the loop gave %v, want no error: the end of the input is how a process ends", err)
	}
	if got := plugin.Errors(); !strings.Contains(got, "in the middle of an execution") {
		t.Errorf("got %q on the standard error, want what happened", got)
	}
}

func TestAPingIsNoAnswer(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		last, err := host.LastRun(ctx)
		return execution.Result{Entries: []warroom.Entry{warroom.Say(string(last))}, Err: err}
	})
	if err := plugin.Send(platformtest.Request{Command: "any"}.Line()); err != nil {
		t.Fatal(err)
	}
	if question, err := plugin.Receive(); err != nil || !strings.Contains(question, "getLastRun") {
		t.Fatalf("got %s, %v, want the question for the last run", question, err)
	}
	for range 2 {
		if err := plugin.Ping(); err != nil {
			t.Fatal(err)
		}
	}
	if err := plugin.Send(`{"at":1}`); err != nil {
		t.Fatal(err)
	}
	outcome, err := plugin.Complete()
	if err != nil || len(outcome.Entries) != 1 || outcome.Entries[0].Text() != `{"at":1}` {
		t.Errorf("got %v, %v, want the answer that came after the pings", outcome.Entries, err)
	}
	if err := plugin.Ping(); err != nil {
		t.Error(err)
	}
	closePlugin(t, plugin)
}

// TestInputEndsBehindAnEarlyQuestion ends the input before and after the question, whose answer some executions need.
func TestInputEndsBehindAnEarlyQuestion(t *testing.T) {
	t.Parallel()
	for _, needed := range []bool{false, true} {
		for _, endsFirst := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				in, platformsEnd := io.Pipe()
				go io.WriteString(platformsEnd, platformtest.Request{Command: "any"}.Line()+"\n")
				var out, errs strings.Builder
				err := platform.Serve(t.Context(), platform.Options{
					System: atOnce(), In: in, Out: &out, Errors: &errs,
					Runner: runnerFunc(func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
						if endsFirst {
							platformsEnd.Close()
							<-ctx.Done()
						}
						prefetch(host)
						platformsEnd.Close()
						if needed {
							_, err := host.Load(ctx)
							return execution.Result{Err: err}
						}
						return execution.Result{Entries: []warroom.Entry{warroom.Say("done")}}
					}),
				})
				completed := strings.Contains(out.String(), "done") && strings.Contains(out.String(), `"completed"`)
				if err != nil || completed == needed || strings.Contains(errs.String(), "in the middle of an execution") != needed {
					t.Errorf("needed %t, the input ends first %t: got %v, %q and the error output %q, want the result where no answer is needed",
						needed, endsFirst, err, &out, &errs)
				}
			})
		}
	}
}

// TestAnAnswerThatComesWhenTheProcessMustEnd belongs to its question, and begins no other execution. It comes before and after
// the process was stopped; what the loop finds first is a matter of luck.
func TestAnAnswerThatComesWhenTheProcessMustEnd(t *testing.T) {
	t.Parallel()
	const answer = `{"context":{"of":"the early question"},"version":{"version":1}}` + "\n"
	for _, late := range []bool{false, true} {
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				in, platformsEnd := io.Pipe()
				t.Cleanup(func() { platformsEnd.Close() })
				go func() {
					io.WriteString(platformsEnd, platformtest.Request{Command: "any"}.Line()+"\n")
					if late {
						time.Sleep(time.Minute)
					}
					io.WriteString(platformsEnd, answer)
				}()
				var out strings.Builder
				var lastRun json.RawMessage
				err := platform.Serve(ctx, platform.Options{
					System: atOnce(), In: in, Out: &out, Errors: io.Discard,
					Runner: runnerFunc(func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
						prefetch(host)
						stop()
						<-ctx.Done()
						synctest.Wait()
						lastRun, _ = host.LastRun(context.WithoutCancel(ctx))
						return execution.Failed(context.Cause(ctx))
					}),
				})
				time.Sleep(2 * time.Minute) // for an answer that is late
				if err != nil || len(lastRun) > 0 || strings.Count(out.String(), `"type":"result"`) != 1 || strings.Count(out.String(), `"type":"completed"`) != 1 {
					t.Errorf("late %t: got %v, the last run %s and %s, want one result and no last run", late, err, lastRun, &out)
				}
			})
		}
	}
}

func TestInputEndsInTheMiddleOfAnExecution(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	plugin := serve(t, func(ctx context.Context, _ execution.Request, _ commands.Host) execution.Result {
		close(begun)
		<-ctx.Done() // a request to a service that does not answer
		return execution.Result{Err: context.Cause(ctx)}
	})
	if err := plugin.Send(platformtest.Request{Command: "any"}.Line()); err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := plugin.CloseInput(); err != nil {
		t.Fatal(err)
	}
	outcome, err := plugin.Complete()
	if err != nil || !strings.Contains(outcome.Failure(), "closed the input") {
		t.Errorf("got %v and %q, want an error entry that says why it ended", err, outcome.Failure())
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the loop gave %v, want no error", err)
	}
}

// TestAnExecutionHasTheTimeOfGrace runs executions that end before and after the time that a process has that was told to end.
func TestAnExecutionHasTheTimeOfGrace(t *testing.T) {
	t.Parallel()
	for takes, want := range map[time.Duration]string{4900 * time.Millisecond: "done", 5100 * time.Millisecond: "stopped the integration"} {
		t.Run(takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				var out bytes.Buffer
				began := time.Now()
				err := platform.Serve(ctx, platform.Options{
					System: atOnce(), In: neverEnding(t, platformtest.Request{Command: "any"}.Line()+"\n"), Out: &out, Errors: io.Discard,
					Runner: runnerFunc(func(ctx context.Context, _ execution.Request, _ commands.Host) execution.Result {
						stop()
						select {
						case <-time.After(takes):
							return execution.Result{Entries: []warroom.Entry{warroom.Say("done")}}
						case <-ctx.Done():
							return execution.Result{Err: context.Cause(ctx)}
						}
					}),
				})
				if err != nil || !strings.Contains(out.String(), want) || time.Since(began) != min(takes, 5*time.Second) {
					t.Errorf("got %v after %s and %s, want %q", err, time.Since(began), &out, want)
				}
			})
		})
	}
}

// neverEnding is an input that does not end before the test.
func neverEnding(t *testing.T, text string) io.Reader {
	t.Helper()
	in, end := io.Pipe()
	t.Cleanup(func() { end.Close() })
	return io.MultiReader(strings.NewReader(text), in)
}

// TestEndComesThoughNobodyReads has a platform that no longer reads, so that the output blocks, end the process in each way.
func TestEndComesThoughNobodyReads(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(stop func(), in io.Closer){
		"by a signal":              func(stop func(), _ io.Closer) { stop() },
		"by the end of the input":  func(_ func(), in io.Closer) { _ = in.Close() },
		"by a signal and then EOF": func(stop func(), in io.Closer) { stop(); _ = in.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				in, platformsEnd := io.Pipe()
				unread, out := io.Pipe()
				defer unread.Close() // both let go what is left behind
				defer platformsEnd.Close()
				served := make(chan error, 1)
				go func() {
					served <- platform.Serve(ctx, platform.Options{System: atOnce(), In: in, Out: out, Errors: io.Discard, Runner: say("done")})
				}()
				if _, err := io.WriteString(platformsEnd, platformtest.Request{Command: "any"}.Line()+"\n"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				began := time.Now()
				end(stop, platformsEnd)
				if err := <-served; !errors.Is(err, platform.ErrNotRead) {
					t.Errorf("the loop gave %v, want %v", err, platform.ErrNotRead)
				}
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("got the end after %s, want the grace and a second", took)
				}
			})
		})
	}
}

func TestStopLetsAnExecutionEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	plugin := serveOn(ctx, t, platformtest.New(), func(context.Context, execution.Request, commands.Host) execution.Result {
		stop()
		return execution.Result{Entries: []warroom.Entry{warroom.Say("done")}}
	})
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	if len(outcome.Entries) != 1 || outcome.Entries[0].HumanReadable != "done" {
		t.Errorf("got %+v, want the result of the execution", outcome.Entries)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the loop gave %v, want no error", err)
	}
}

func TestStopCancelsAnExecutionThatGoesOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		run  func(ctx context.Context, host commands.Host) error
		hook platformtest.Hook
	}{
		{"at work", func(ctx context.Context, _ commands.Host) error { <-ctx.Done(); return context.Cause(ctx) }, nil},
		{
			"in a callback that nobody answers",
			func(ctx context.Context, host commands.Host) error { _, err := host.Load(ctx); return err },
			func(string) (string, bool) { return "", true },
		},
	} {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		plugin := serveOn(ctx, t, platformtest.New(), func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
			stop()
			return execution.Result{Err: test.run(ctx, host)}
		})
		plugin.Hook = test.hook
		outcome := run(t, plugin, platformtest.Request{Command: "any"})
		if !strings.Contains(outcome.Failure(), "stopped the integration") {
			t.Errorf("%s: got %q, want an error that says that it was stopped", test.name, outcome.Failure())
		}
		if err := plugin.Wait(); err != nil {
			t.Errorf("%s: the loop gave %v, want no error", test.name, err)
		}
	}
}

func TestLogIsAnsweredAndKept(t *testing.T) {
	t.Parallel()
	plugin := serve(t, func(ctx context.Context, _ execution.Request, host commands.Host) execution.Result {
		host.Log(ctx, "a line")
		return execution.Result{}
	})
	outcome := run(t, plugin, platformtest.Request{Command: "any"})
	closePlugin(t, plugin)
	if !slices.Equal(outcome.Log, []string{"a line"}) {
		t.Errorf("got the log %q", outcome.Log)
	}
}

func FuzzExecutionLine(f *testing.F) {
	f.Add([]byte(platformtest.Request{Command: "any", Args: map[string]any{"a": 1}}.Line()))
	for _, seed := range []string{`{}`, `[]`, `null`, `{"command":1}`, `{"command":"x","args":[]}`, `{"command":"x","context":{"Inv":7}}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		request, _, err := platform.DecodeExecution(string(line))
		if err == nil && request.Command == "" {
			t.Errorf("%q was taken for an execution without a command", line)
		}
	})
}
