package commands

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// atOnce is how many requests of one command run at the same time.
const atOnce = 8

// done is what one of many gave.
type done[I, T any] struct {
	ID    I
	Value T
}

// failure is one of many that failed.
type failure struct {
	ID  string
	Err error
}

// outcome is how a command over many ids went, each part in the order asked.
type outcome[I fmt.Stringer, T any] struct {
	Done   []done[I, T]
	Failed []failure
	// Left are those that the service did not take any more, and After is when it will.
	Left  []I
	After time.Duration
}

// id names a thing by its text.
type id string

func (i id) String() string { return string(i) }

func idsOf(texts []string) []id {
	ids := make([]id, len(texts))
	for i, text := range texts {
		ids[i] = id(text)
	}
	return ids
}

// forEach asks for every id, atOnce at a time. One failure does not hide the others; what the service did not
// take is told apart, so that only that is asked for again.
func forEach[I fmt.Stringer, T any](ctx context.Context, ids []I, ask func(ctx context.Context, id I) (T, error)) outcome[I, T] {
	return forEachInLanes(ctx, ids, I.String, ask)
}

// forEachInLanes is forEach where ids of the same lane, such as files on one machine, are asked for one after
// another.
func forEachInLanes[I fmt.Stringer, T any](ctx context.Context, ids []I, lane func(I) string, ask func(ctx context.Context, id I) (T, error)) outcome[I, T] {
	values, errs := make([]T, len(ids)), make([]error, len(ids))
	lanes := map[string][]int{}
	var order []string
	for i, id := range ids {
		name := lane(id)
		if lanes[name] == nil {
			order = append(order, name)
		}
		lanes[name] = append(lanes[name], i)
	}
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, name := range order {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			for _, i := range lanes[name] {
				values[i], errs[i] = guarded(ctx, ids[i], ask)
			}
		})
	}
	group.Wait()
	var result outcome[I, T]
	for i, id := range ids {
		var throttled *defender.ThrottledError
		switch {
		case errs[i] == nil:
			result.Done = append(result.Done, done[I, T]{id, values[i]})
		case errors.As(errs[i], &throttled):
			result.Left, result.After = append(result.Left, id), max(result.After, throttled.After)
		default:
			result.Failed = append(result.Failed, failure{id.String(), errs[i]})
		}
	}
	return result
}

// PanicError is a mistake in the code that was caught so that the process goes on.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return "The command failed by a mistake in this integration; the log of the integration has the details."
}

// guarded turns a panic in one of many goroutines into an error: unlike in the handler itself nobody else
// could catch it.
func guarded[I, T any](ctx context.Context, id I, ask func(context.Context, I) (T, error)) (value T, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = &PanicError{Value: caught, Stack: debug.Stack()}
		}
	}()
	return ask(ctx, id)
}

// finish adds failures to an entry and schedules what is left. When nothing came of it, the failures are the
// error of the command.
func (o outcome[I, T]) finish(argument string, entries ...warroom.Entry) (Report, error) {
	if len(o.Done) == 0 && len(o.Left) == 0 {
		if err := failuresError(o.Failed); err != nil {
			return Report{}, err
		}
	}
	result := Report{Entries: entries}
	if len(o.Done) == 0 && len(o.Failed) == 0 {
		result.Entries = nil
	}
	if len(o.Failed) > 0 {
		result.Entries = withFailures(result.Entries, o.Failed)
	}
	if len(o.Left) > 0 {
		left := make([]string, len(o.Left))
		for i, id := range o.Left {
			left[i] = id.String()
		}
		result.Left, result.After = map[string]any{argument: strings.Join(left, ",")}, o.After
	}
	return result, nil
}

// values are the objects in the order asked.
func values[I any](all []done[I, rawjson.Value]) []rawjson.Value {
	objects := make([]rawjson.Value, len(all))
	for i, one := range all {
		objects[i] = one.Value
	}
	return objects
}

// failuresError joins failures to one error: a single one stands for itself.
func failuresError(failed []failure) error {
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0].Err
	}
	return &ManyError{failed}
}

// ManyError says that all of several things failed.
type ManyError struct{ failed []failure }

func (e *ManyError) Error() string {
	lines := make([]string, 0, len(e.failed)+1)
	lines = append(lines, fmt.Sprintf("All %d failed:", len(e.failed)))
	for _, one := range e.failed {
		lines = append(lines, one.ID+": "+one.Err.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the failures to errors.Is and errors.As.
func (e *ManyError) Unwrap() []error {
	errs := make([]error, len(e.failed))
	for i, one := range e.failed {
		errs[i] = one.Err
	}
	return errs
}

// withFailures adds a table of what failed behind what succeeded, in the first entry that has a text.
func withFailures(entries []warroom.Entry, failed []failure) []warroom.Entry {
	type row struct{ ID, Code, Reason string }
	rows := make([]rawjson.Value, len(failed))
	for i, one := range failed {
		rows[i] = rawjson.Make(row{one.ID, defender.Code(one.Err), one.Err.Error()})
	}
	table := warroom.Table{Title: fmt.Sprintf("Failed: %d", len(failed)), Columns: []string{"ID", "Code", "Reason"}, Records: warroom.Records{Rows: rows}}
	if len(entries) != 1 {
		return append(entries, warroom.Entry{Kind: warroom.Warning, Blocks: []warroom.Block{table}})
	}
	entries[0].Blocks = append(entries[0].Blocks, table)
	return entries
}
