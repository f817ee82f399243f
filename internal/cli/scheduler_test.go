package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/internal/testclock"
	"xsoar-defender/warroom"
)

// runnerFunc carries executions out in a test.
type runnerFunc func(request execution.Request) execution.Result

func (f runnerFunc) Run(_ context.Context, request execution.Request, _ commands.Host) execution.Result {
	return f(request)
}

// later is an entry that asks for a command to be run again.
func later(command, id string, after, limit time.Duration) warroom.Entry {
	return warroom.Entry{Poll: &warroom.Poll{Command: command, Args: map[string]any{"id": id}, After: after, Limit: limit}}
}

// playedScheduler is a scheduler over a runner, with a clock that advances when somebody sleeps, and what it has shown.
func playedScheduler(run runnerFunc) (s *scheduler, clock *testclock.Clock, shown *[]execution.Result) {
	shown = &[]execution.Result{}
	clock = testclock.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	s = &scheduler{
		runner: run, now: clock.Now, host: local.New(local.Options{}), progress: &progress{out: io.Discard, clock: clock.Clock()},
		show: func(result execution.Result) { *shown = append(*shown, result) },
	}
	return s, clock, shown
}

func TestScheduledRunsComeInTheirOrder(t *testing.T) {
	t.Parallel()
	answers := map[string][]warroom.Entry{
		"start":  {later("slow", "1", time.Minute, 0), later("fast", "2", 20*time.Second, 0), warroom.Say("started")},
		"fast 2": {later("fast", "3", 0, 0)},
		"fast 3": {warroom.Say("fast is done")},
		"slow 1": {warroom.Say("slow is done")},
	}
	var got []string
	s, clock, shown := playedScheduler(nil)
	start := clock.Now()
	s.runner = runnerFunc(func(request execution.Request) execution.Result {
		name := request.Command
		if id := request.Args["id"]; id != nil {
			name += " " + strings.Trim(string(id), `"`)
		}
		got = append(got, name+" after "+clock.Now().Sub(start).String())
		return execution.Result{Entries: slices.Clone(answers[name])}
	})
	if err := s.run(t.Context(), "start", nil); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	want := []string{"start after 0s", "fast 2 after 20s", "fast 3 after 21s", "slow 1 after 1m0s"}
	if !slices.Equal(got, want) {
		t.Errorf("got the runs %q, want %q", got, want)
	}
	for _, result := range *shown {
		for _, entry := range result.Entries {
			if entry.Poll != nil {
				t.Errorf("an entry was shown that still asks for %s", entry.Poll.Command)
			}
		}
	}
}

func TestScheduledRunsEnd(t *testing.T) {
	t.Parallel()
	failure := errors.New("failed")
	for _, test := range []struct {
		name  string
		run   runnerFunc
		check func(error) bool
		runs  int
	}{
		{
			"at the limit, which counts from the first run",
			func(execution.Request) execution.Result {
				return execution.Result{Entries: []warroom.Entry{later("again", "1", 30*time.Second, 100*time.Second)}}
			},
			func(err error) bool { _, ok := errors.AsType[*OverdueError](err); return ok }, 4,
		},
		{
			"with an error",
			func(execution.Request) execution.Result {
				return execution.Result{Err: failure, Entries: []warroom.Entry{later("again", "1", time.Second, 0)}}
			},
			func(err error) bool { return errors.Is(err, failure) }, 1,
		},
		{
			"with an error entry, after which what was asked for still runs",
			func(request execution.Request) execution.Result {
				if request.Args["id"] != nil {
					return execution.Result{}
				}
				return execution.Result{Entries: []warroom.Entry{warroom.Fail("failed"), later("again", "1", time.Second, 0)}}
			},
			func(err error) bool { return err != nil }, 2,
		},
	} {
		runs := 0
		s, _, _ := playedScheduler(func(request execution.Request) execution.Result {
			if runs++; runs > 2*test.runs {
				t.Fatalf("%s: got run %d, want %d in all", test.name, runs, test.runs)
			}
			return test.run(request)
		})
		if err := s.run(t.Context(), "start", nil); !test.check(err) || runs != test.runs {
			t.Errorf("%s: got %d runs and %v, want %d", test.name, runs, err, test.runs)
		}
	}
}

func TestWaitEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupt := errors.New("interrupted")
	runs := 0
	s, _, shown := playedScheduler(func(execution.Request) execution.Result {
		runs++
		cancel(interrupt)
		return execution.Result{Entries: []warroom.Entry{later("again", "1", time.Second, 0)}}
	})
	if err := s.run(ctx, "start", nil); !errors.Is(err, interrupt) || runs != 1 {
		t.Errorf("got %v after %d runs, want %v after 1", err, runs, interrupt)
	}
	if last := (*shown)[len(*shown)-1]; last.Err == nil {
		t.Errorf("the end was not shown")
	}
}

func TestArgumentsOfScheduledRunsAreJSON(t *testing.T) {
	t.Parallel()
	got := encodeArguments(map[string]any{"text": "a", "flag": true, "raw": json.RawMessage(`[1]`)})
	want := map[string]json.RawMessage{"text": json.RawMessage(`"a"`), "flag": json.RawMessage(`true`), "raw": json.RawMessage(`[1]`)}
	if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
		t.Errorf("got %s, want %s", got, want)
	}
}
