package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/warroom"
)

// scheduler runs commands of one instance as the platform would: a command that asks to be run again later is run again.
type scheduler struct {
	runner runner
	now    func() time.Time
	host   *local.Host
	of     instance
	debug  bool
	// progress waits for the time of a run, and says what is waited for.
	progress waiter
	// show receives the result of every run.
	show func(execution.Result)
	// interrupted is the run that was waited for when the scheduler was interrupted, if any.
	interrupted execution.Request
	// commits save how far the runs came.
	commits []func(context.Context) error
}

// runner runs executions.
type runner interface {
	Run(ctx context.Context, request execution.Request, host commands.Host) execution.Result
}

// waiter waits for the time of a scheduled run.
type waiter interface {
	await(ctx context.Context, next scheduled) error
}

// newScheduler returns a scheduler that shows nothing.
func newScheduler(runner *execution.Runner, host *local.Host, of instance, progress waiter) *scheduler {
	return &scheduler{
		runner: runner, now: runner.Now, host: host, of: of, progress: progress,
		show: func(execution.Result) {},
	}
}

// shortestWait keeps a command that asks to be run again at once from running without a pause.
const shortestWait = time.Second

// scheduled is a run that is still due.
type scheduled struct {
	request execution.Request
	due     time.Time
	// end is the time after which the command gives up, counted from its first run; the zero time is never.
	end time.Time
	// done of all actions that the run polls have ended; both are zero if they are not counted.
	done, all int
}

// run runs a command with everything that it schedules. The error joins everything that failed; it was already shown.
func (s *scheduler) run(ctx context.Context, command string, args map[string]json.RawMessage) error {
	request := s.of.request(command, args)
	request.Debug = s.debug
	pending := []scheduled{{due: s.now(), request: request}}
	var errs []error
	for len(pending) > 0 {
		next := pending[0]
		result := s.runNext(ctx, next)
		errs = append(errs, failureOf(result))
		if result.Err == nil && result.Commit != nil {
			s.commits = append(s.commits, result.Commit)
		}
		if result.Err == nil {
			pending = append(pending, s.scheduledBy(next, result.Entries)...)
		}
		for i := range result.Entries {
			result.Entries[i].Poll = nil
		}
		s.show(result)
		pending = pending[1:]
		slices.SortStableFunc(pending, func(a, b scheduled) int { return a.due.Compare(b.due) })
	}
	return errors.Join(errs...)
}

// commit saves how far the runs came. As on the platform, what was not written out is fetched again.
func (s *scheduler) commit(ctx context.Context) error {
	for _, commit := range s.commits {
		if err := commit(ctx); err != nil {
			return fmt.Errorf("saving the progress: %w", err)
		}
	}
	return nil
}

// runNext waits until a run is due and runs it.
func (s *scheduler) runNext(ctx context.Context, next scheduled) execution.Result {
	if wait := next.due.Sub(s.now()); wait > 0 {
		if !next.end.IsZero() && next.due.After(next.end) {
			return execution.Failed(&OverdueError{Command: next.request.Command})
		}
		if err := s.progress.await(ctx, next); err != nil {
			s.interrupted = next.request
			return execution.Failed(fmt.Errorf("%s was interrupted: %w", next.request.Command, err))
		}
	}
	result := s.runner.Run(ctx, next.request, s.host)
	result.Err = errors.Join(result.Err, keepFiles(s.host, result.Entries))
	return result
}

// scheduledBy returns the runs that entries ask for.
func (s *scheduler) scheduledBy(after scheduled, entries []warroom.Entry) []scheduled {
	var more []scheduled
	for _, entry := range entries {
		if entry.Poll == nil {
			continue
		}
		now, next := s.now(), after
		next.request.Command, next.request.Args = entry.Poll.Command, encodeArguments(entry.Poll.Args)
		next.done, next.all = entry.Poll.Done, entry.Poll.All
		next.due = now.Add(max(entry.Poll.After, shortestWait))
		if next.end.IsZero() && entry.Poll.Limit > 0 {
			next.end = now.Add(entry.Poll.Limit)
		}
		more = append(more, next)
	}
	return more
}

// OverdueError reports that a command did not finish within its own time limit.
type OverdueError struct{ Command string }

func (e *OverdueError) Error() string {
	return e.Command + " did not finish within its time limit. What it started continues; look at it later."
}

// encodeArguments encodes plain values as arguments of an execution.
func encodeArguments(values map[string]any) map[string]json.RawMessage {
	args := make(map[string]json.RawMessage, len(values))
	for name, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err) // a bug of the command: its arguments come from JSON
		}
		args[name] = text
	}
	return args
}

// keepFiles renames the files of entries to their final names, and puts these names into the entries.
func keepFiles(host *local.Host, entries []warroom.Entry) error {
	var errs []error
	for i, entry := range entries {
		if entry.File == nil {
			continue
		}
		name, err := host.Keep(*entry.File)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		kept := *entry.File
		kept.Name = name
		entries[i].File = &kept
	}
	return errors.Join(errs...)
}
