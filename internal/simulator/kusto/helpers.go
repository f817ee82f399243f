package kusto

import "time"

const (
	day  = 24 * time.Hour
	tick = 100 * time.Nanosecond
	// maxDepth bounds how deep a query may nest.
	maxDepth = 64
)

// each returns what of makes of each item.
func each[T, U any](list []T, of func(T) U) []U {
	made := make([]U, len(list))
	for i, v := range list {
		made[i] = of(v)
	}
	return made
}

// where returns the items that fulfil the condition, in a list of its own.
func where[T any](list []T, condition func(T) bool) []T {
	kept := []T{}
	for _, v := range list {
		if condition(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
