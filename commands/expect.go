package commands

import (
	"fmt"
)

// expectation is the argument of commands that select what they change. A selection is counted before anything is sent,
// and the command continues only when the analyst has said how many things that should be.
type expectation struct {
	Expect *int `arg:"expect" min:"0" help:"The number of objects that the command is expected to act on. Required when they are selected by conditions, or when more than 500 are named; the command does nothing and returns the count when the number is missing or differs."`
}

// mostUnasked is how many things a command acts on without an expected number, when each was named.
const mostUnasked = 500

// named checks the number of things that were each named.
func (e expectation) named(count int, thing string) error {
	if e.Expect == nil && count <= mostUnasked {
		return nil
	}
	return e.selected(count, thing)
}

// selected checks the number of things that conditions selected.
func (e expectation) selected(count int, thing string) error {
	if e.Expect != nil && *e.Expect == count {
		return nil
	}
	return &ExpectationError{Count: count, Expected: e.Expect, Thing: thing}
}

// ExpectationError reports that a command would have acted on another number of things than was expected. Nothing was
// changed.
type ExpectationError struct {
	// Count is how many things the command would have acted on, and Expected how many were expected; nil when nothing
	// was said.
	Count    int
	Expected *int
	// Thing names one of them.
	Thing string
}

func (e *ExpectationError) Error() string {
	found := countOf(e.Count, e.Thing)
	if e.Expected == nil {
		return fmt.Sprintf("Nothing was changed: the command would act on %s. Run it again with expect=%d if that is the intention.", found, e.Count)
	}
	return fmt.Sprintf("Nothing was changed: the command would act on %s, and expect is %d. Look at what is selected, then run it again with expect=%d if that is the intention.",
		found, *e.Expected, e.Count)
}

// countOf is a number of things in words.
func countOf(count int, thing string) string {
	if count == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", count, thing)
}
