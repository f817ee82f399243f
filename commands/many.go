package commands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// atOnce is the number of requests that a command for a number of ids makes at the same time. The quota is what limits one
// with many, and when the quota ends, the service refuses every request that is under way: of each process that shares it.
func atOnce(ids int) int {
	if ids <= 50 {
		return 8
	}
	return 4
}

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
	// Accepted is the number of things that are done, where one of Done stands for several; else 0.
	Accepted int
	// Left lists the ids that the service no longer accepted, and After is how long to wait until it does.
	Left  []string
	After time.Duration
}

// forEach calls ask for every id, several at a time. A failure does not affect the other ids. The ids that the service
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
	expect(ctx, len(ids))
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce(len(ids)))
	for _, name := range order {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			for _, i := range lanes[name] {
				if values[i], errs[i] = guarded(ctx, ids[i], ask); errs[i] == nil {
					expect(ctx, -1)
				}
			}
		})
	}
	group.Wait()
	at := 0
	return sortOut(ids, func(string) (T, error) {
		at++
		return values[at-1], errs[at-1]
	})
}

// sortOut makes the outcome of the results for each id, in the order of the ids.
func sortOut[T any](ids []string, resultOf func(id string) (T, error)) outcome[T] {
	var result outcome[T]
	for _, id := range ids {
		value, err := resultOf(id)
		var throttled *defender.ThrottledError
		switch {
		case err == nil:
			result.Done = append(result.Done, done[T]{id, value})
		case errors.As(err, &throttled):
			result.Left, result.After = append(result.Left, id), max(result.After, throttled.After)
		default:
			result.Failed = append(result.Failed, failure{id, err})
		}
	}
	return result
}

// leastListed is the number of ids from which a list of the service is asked instead of each id. For fewer ids the list
// saves little, and it may lag behind.
const leastListed = 5

// forEachListed is forEach for objects that a list of the service has: it takes one request for about 40 ids, and one more
// for each that the list does not know. If the service refuses to filter its list like this, every id is asked for.
func forEachListed[T any](
	ctx context.Context, ids []string,
	list func(ctx context.Context, ids []string) (map[string]T, error), ask func(ctx context.Context, id string) (T, error),
) outcome[T] {
	return someListed(ctx, ids, len(ids), list, ask)
}

// errNotAsked is the error of an id for which there was no request left.
var errNotAsked = errors.New("not asked for")

// someListed is forEachListed with a limit: of the ids that the list does not know, only the first most are asked for.
func someListed[T any](
	ctx context.Context, ids []string, most int,
	list func(ctx context.Context, ids []string) (map[string]T, error), ask func(ctx context.Context, id string) (T, error),
) outcome[T] {
	if len(ids) < leastListed {
		return forEach(ctx, ids, ask)
	}
	parts := defender.SplitIDs(ids)
	found, errs := map[string]T{}, map[string]error{}
	read := func(parts [][]string) {
		firsts := make([]string, len(parts))
		byFirst := map[string][]string{}
		for i, part := range parts {
			firsts[i], byFirst[part[0]] = part[0], part
		}
		// A panic of one goroutine must not end the process, so the parts are asked for like ids, named by their first.
		lists := forEach(ctx, firsts, func(ctx context.Context, first string) (map[string]T, error) { return list(ctx, byFirst[first]) })
		for _, one := range lists.Done {
			maps.Copy(found, one.Value)
		}
		for _, one := range lists.Failed {
			for _, id := range byFirst[one.ID] {
				errs[id] = one.Err
			}
		}
		for _, first := range lists.Left {
			for _, id := range byFirst[first] {
				errs[id] = &defender.ThrottledError{After: lists.After}
			}
		}
	}
	if read(parts[:1]); !defender.FormRefused(errs[parts[0][0]]) {
		read(parts[1:])
	} else {
		clear(errs)
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, known := found[strings.ToLower(id)]
		return known || errs[id] != nil && !defender.FormRefused(errs[id])
	})
	most = min(most, len(missing))
	for _, id := range missing[most:] {
		errs[id] = errNotAsked
	}
	asked := forEach(ctx, missing[:most], ask)
	for _, one := range asked.Done {
		found[strings.ToLower(one.ID)] = one.Value
	}
	for _, one := range asked.Failed {
		errs[one.ID] = one.Err
	}
	for _, id := range asked.Left {
		errs[id] = &defender.ThrottledError{After: asked.After}
	}
	return sortOut(ids, func(id string) (T, error) { return found[strings.ToLower(id)], errs[id] })
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
	return o.report(argument, entries...), nil
}

// report adds the failures to the entries, and schedules the ids that are left.
func (o outcome[T]) report(argument string, entries ...warroom.Entry) Report {
	result := Report{Entries: entries}
	if len(o.Done) == 0 && len(o.Failed) == 0 {
		result.Entries = nil
	}
	if len(o.Failed) > 0 {
		result.Entries = withFailures(result.Entries, o.Failed)
	}
	if len(o.Left) > 0 {
		result.Left, result.After = map[string]any{argument: asArgument(o.Left)}, o.After
		result.Done = max(o.Accepted, len(o.Done)) + len(o.Failed)
		result.Whole = result.Done + len(o.Left)
	}
	return result
}

// asArgument writes a list as the next run reads it: separated by commas or, where an item has a comma or quotes of its own,
// as JSON. Otherwise a file "a,b.ps1" that is left to delete would become the files "a" and "b.ps1".
func asArgument(items []string) string {
	if slices.ContainsFunc(items, func(item string) bool { return strings.ContainsAny(item, `,"[`) }) {
		return string(rawjson.Make(items))
	}
	return strings.Join(items, ",")
}

// eachOnce returns the objects without those whose value of the key an earlier one has. Objects without a value stay.
func eachOnce(objects []rawjson.Value, key string) []rawjson.Value {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(objects), func(one rawjson.Value) bool {
		value := one.Text(key)
		repeated := seen[value] && value != ""
		seen[value] = true
		return repeated
	})
}

// values returns the objects in the order in which their ids were given.
func values(all []done[rawjson.Value]) []rawjson.Value {
	objects := make([]rawjson.Value, len(all))
	for i, one := range all {
		objects[i] = one.Value
	}
	return objects
}

// singleError is the only failure of a run. Its text does not name the ID, which an analyst has just given.
type singleError struct{ failure }

func (e *singleError) Error() string { return e.Err.Error() }

func (e *singleError) Unwrap() error { return e.Err }

// restError is the only failure of a run for what an earlier run left. Of all IDs that the analyst gave, it names the one.
type restError struct{ failure }

func (e *restError) Error() string { return e.ID + ": " + e.Err.Error() }

func (e *restError) Unwrap() error { return e.Err }

// failuresError joins failures into one error.
func failuresError(failed []failure) error {
	switch len(failed) {
	case 0:
		return nil
	case 1:
		return &singleError{failed[0]}
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
func (e *ManyError) Unwrap() []error { return errorsOf(e.failed) }

func errorsOf(failed []failure) []error {
	errs := make([]error, len(failed))
	for i, one := range failed {
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
