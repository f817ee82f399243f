package odata

import (
	"encoding/json"
	"time"
)

// Tick is the finest step of time in the API.
const Tick = 100 * time.Nanosecond

// Time is an instant as the API writes it: UTC, in steps of 100 ns, without trailing zeros; null if it is zero.
type Time struct{ time.Time }

// At returns the instant in the API's precision.
func At(t time.Time) Time { return Time{t.UTC().Truncate(Tick)} }

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.Format("2006-01-02T15:04:05.9999999Z"))
}

// Text is a text that is null if it is empty.
type Text string

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}
