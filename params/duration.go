package params

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// durationUnits are the units of ParseDuration, with the forms that users type.
var durationUnits = []struct {
	names  []string
	length time.Duration
}{
	{[]string{"second", "seconds", "sec", "secs", "s"}, time.Second},
	{[]string{"minute", "minutes", "min", "mins", "m"}, time.Minute},
	{[]string{"hour", "hours", "hr", "hrs", "h"}, time.Hour},
	{[]string{"day", "days", "d"}, day},
	{[]string{"week", "weeks", "w"}, 7 * day},
	{[]string{"month", "months"}, 30 * day},
	{[]string{"year", "years", "y"}, 365 * day},
}

// DurationError is the error of a text that is not a time span which ParseDuration understands.
type DurationError struct{ Text string }

// Error quotes the start of the text and describes what to write.
func (e *DurationError) Error() string {
	text := []rune(e.Text)
	if len(text) > 40 {
		text = append(text[:40:40], '…')
	}
	return fmt.Sprintf("%q is not a span of time: write a whole number and a unit, for example 3 days, 12 hours or 90 minutes", string(text))
}

// ParseDuration reads a span of time written as a whole number and a unit: "3 days", "12 hours", "90 minutes", "1 week".
// A month has 30 days and a year 365. Case, the space between the two and a final "ago" do not matter. The error is a
// *DurationError, also for spans longer than a time.Duration can hold, about 292 years.
func ParseDuration(text string) (time.Duration, error) {
	trimmed := strings.ToLower(strings.TrimSpace(text))
	digits := len(trimmed) - len(strings.TrimLeft(trimmed, "0123456789"))
	number, err := strconv.ParseInt(trimmed[:digits], 10, 64)
	if err != nil {
		return 0, &DurationError{Text: text}
	}
	name := strings.TrimSpace(trimmed[digits:])
	if before, found := strings.CutSuffix(name, " ago"); found {
		name = strings.TrimSpace(before)
	}
	for _, unit := range durationUnits {
		if slices.Contains(unit.names, name) && number <= math.MaxInt64/int64(unit.length) {
			return time.Duration(number) * unit.length, nil
		}
	}
	return 0, &DurationError{Text: text}
}
