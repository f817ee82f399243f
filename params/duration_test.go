package params_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"xsoar-defender/params"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"3 days": 3 * day, "1 day": day, "12 hours": 12 * time.Hour, "1 week": 7 * day, "90 minutes": 90 * time.Minute,
		"1 month": 30 * day, "1 year": 365 * day, "45 seconds": 45 * time.Second, "0 days": 0,
		" 2  Weeks ": 14 * day, "3days": 3 * day, "24h": 24 * time.Hour, "5 min": 5 * time.Minute, "7 d": 7 * day, "7 days ago": 7 * day,
		"292 years": 292 * 365 * day,
	} {
		got, err := params.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%q: want %v, got %v, %v", text, want, got, err)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "3", "days", "three days", "-3 days", "+3 days", "1.5 hours", "3 fortnights", "3 days and 2 hours", "3 ago",
		"2026-10-12", "293 years", "99999999999999999999 days", "٣ days", strings.Repeat("9", 1000),
	} {
		got, err := params.ParseDuration(text)
		var refused *params.DurationError
		if !errors.As(err, &refused) || refused.Text != text || got != 0 {
			t.Errorf("%q: want a *DurationError that names it, got %v, %v", text, got, err)
			continue
		}
		if len(err.Error()) > 300 || !strings.Contains(err.Error(), "3 days") {
			t.Errorf("%q: want a short error with an example, got %q", text, err)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"3 days", "1 week", "90min", "292 years", "9223372036854775807 s", "7 days ago", "-1 day", "1\x00day", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := params.ParseDuration(text)
		var refused *params.DurationError
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("want a *DurationError, got %T", err)
		}
		if got < 0 || got%time.Second != 0 {
			t.Errorf("want whole seconds, not negative, got %v", got)
		}
	})
}
