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

// atOnce is the number of requests that one command makes at the same time.
const atOnce = 8

// done is the result for one of many ids.
type done[T any] struct {
	ID    string
	Value T
}

// failure is the error for one of many ids.
type failure struct {
	ID  string
	Err error
}

// outcome is the result of a command over many ids. Each list is in the order in which the ids were given.
type outcome[T any] struct {
	Done   []done[T]
	Failed []failure
	// Left lists the ids that the service no longer accepted, and After is how long to wait until it does.
	Left  []string
	After time.Duration
}

// forEach calls ask for every id, atOnce at a time. A failure does not affect the other ids. The ids that the service
// no longer accepted are reported separately, so that only they are asked for again.
func forEach[T any](ctx context.Context, ids []string, ask func(ctx context.Context, id string) (T, error)) outcome[T] {
	return forEachInLanes(ctx, ids, func(id string) string { return id }, ask)
}

// forEachInLanes is forEach where ids of the same lane, such as files on one machine, are asked for one after
// another.
func forEachInLanes[T any](ctx context.Context, ids []string, lane func(string) string, ask func(ctx context.Context, id string) (T, error)) outcome[T] {
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
	var result outcome[T]
	for i, id := range ids {
		var throttled *defender.ThrottledError
		switch {
		case errs[i] == nil:
			result.Done = append(result.Done, done[T]{id, values[i]})
		case errors.As(errs[i], &throttled):
			result.Left, result.After = append(result.Left, id), max(result.After, throttled.After)
		default:
			result.Failed = append(result.Failed, failure{id, errs[i]})
		}
	}
	return result
}

// PanicError is a panic that was caught so that the process continues.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return "The command failed because of a defect in this integration; see the integration log for the details."
}

// guarded turns a panic in one of many goroutines into an error, since nothing else could catch it there.
func guarded[T any](ctx context.Context, id string, ask func(context.Context, string) (T, error)) (value T, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = &PanicError{Value: caught, Stack: debug.Stack()}
		}
	}()
	return ask(ctx, id)
}

// finish adds the failures to the entries and schedules the ids that are left. If nothing succeeded, the failures are
// the error of the command.
func (o outcome[T]) finish(argument string, entries ...warroom.Entry) (Report, error) {
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
		result.Left, result.After = map[string]any{argument: strings.Join(o.Left, ",")}, o.After
	}
	return result, nil
}

// values returns the objects in the order in which their ids were given.
func values(all []done[rawjson.Value]) []rawjson.Value {
	objects := make([]rawjson.Value, len(all))
	for i, one := range all {
		objects[i] = one.Value
	}
	return objects
}

// failuresError joins failures into one error. A single failure is returned as it is.
func failuresError(failed []failure) error {
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return failed[0].Err
	}
	return &ManyError{failed}
}

// ManyError reports that every one of several ids failed.
type ManyError struct{ failed []failure }

func (e *ManyError) Error() string {
	lines := make([]string, 0, len(e.failed)+1)
	lines = append(lines, fmt.Sprintf("All %d failed:", len(e.failed)))
	for _, one := range e.failed {
		lines = append(lines, one.ID+": "+one.Err.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the failures for errors.Is and errors.As.
func (e *ManyError) Unwrap() []error {
	errs := make([]error, len(e.failed))
	for i, one := range e.failed {
		errs[i] = one.Err
	}
	return errs
}

// withFailures adds a table of the failures after the results: to the entry if there is exactly one, else as an
// entry of its own.
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
