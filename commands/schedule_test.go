package commands

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// scheduling returns a command whose runs have a result.
func scheduling(result Report) Command {
	type args struct {
		IDs []string `arg:"ids" help:"The IDs."`
	}
	return declare(Command{Name: "test"}, func(context.Context, *Run, args) (Report, error) { return result, nil })
}

// runAt runs a command at a time with what an earlier run has set.
func runAt(t *testing.T, now time.Time, command Command, set map[string]any) (Report, error) {
	t.Helper()
	raw := map[string]json.RawMessage{}
	for name, value := range set {
		raw[name] = json.RawMessage(rawjson.Make(value))
	}
	return command.Execute(t.Context(), &Run{Now: func() time.Time { return now }}, raw)
}

func TestACommandSchedulesItselfForADay(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	refused := scheduling(Report{Left: map[string]any{"ids": "b"}, After: time.Hour})
	for name, test := range map[string]struct {
		set   any
		until time.Time
	}{
		"the first run":                       {nil, now.Add(24 * time.Hour)},
		"the next one":                        {"2026-11-23T11:59:50Z", now.Add(24*time.Hour - 10*time.Second)},
		"one near the end":                    {"2026-11-22T13:00:00Z", now.Add(time.Hour)},
		"one that another clock was ahead of": {"2026-11-23T12:30:00Z", now.Add(24*time.Hour + 30*time.Minute)},
		"a time that no run has set":          {"2099-01-01T00:00:00Z", now.Add(24 * time.Hour)},
		"what is not a time":                  {"tomorrow", now.Add(24 * time.Hour)},
		"an object":                           {map[string]any{}, now.Add(24 * time.Hour)},
		"an empty text":                       {"", now.Add(24 * time.Hour)},
	} {
		done, err := runAt(t, now, refused, map[string]any{untilArgument: test.set, "ids": "a,b"})
		entry := only(t, done, err)
		if entry.Poll == nil || entry.Poll.Args["ids"] != "b" || entry.Poll.Args[untilArgument] != test.until.Format(time.RFC3339) || entry.Poll.Args[ranOnceArgument] != true {
			t.Errorf("%s: got %+v, want a next run for b until %s", name, entry.Poll, test.until)
			continue
		}
		if entry.Poll.After != time.Hour || entry.Poll.Limit != test.until.Sub(now) {
			t.Errorf("%s: got a poll after %s for %s, want 1h and %s", name, entry.Poll.After, entry.Poll.Limit, test.until.Sub(now))
		}
	}
}

func TestACommandGivesUpWhenTheServiceTakesNothingBeforeItsEnd(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	const want = "2 of 3 are done; the service accepts no more requests at the moment. The command gave up at 2026-11-22 12:59:59 UTC: run it again later for the rest."
	set := map[string]any{untilArgument: "2026-11-22T12:59:59Z", wholeArgument: 3}
	left := Report{Left: map[string]any{"ids": "c"}, After: time.Hour, Done: 0, Whole: 1}

	_, err := runAt(t, now, scheduling(left), set)
	var over *GivenUpError
	if !errors.As(err, &over) || err.Error() != want {
		t.Errorf("got %v in a run without results, want the error %q", err, want)
	}

	shown := warroom.Entry{Blocks: []warroom.Block{warroom.Paragraph("b is done")}}
	left.Entries = []warroom.Entry{shown}
	done, err := runAt(t, now, scheduling(left), set)
	if err != nil || len(done.Entries) != 2 {
		t.Fatalf("got %d entries and %v in a run with results, want them and a warning", len(done.Entries), err)
	}
	last := done.Entries[1]
	if got := strings.TrimSpace(warroom.Plain(last.Blocks)); got != want || last.Kind != warroom.Warning || done.Entries[0].Poll != nil {
		t.Errorf("got %q, want the warning %q and no next run", got, want)
	}

	set[untilArgument] = "2026-11-22T13:00:00Z" // just late enough
	done, err = runAt(t, now, scheduling(left), set)
	if entry := only(t, done, err); entry.Poll == nil || entry.Poll.After != time.Hour {
		t.Errorf("got the next run %+v, want one at the very end", entry.Poll)
	}
}

// TestTheFirstRunIsAlwaysFollowedByAnother has a service that accepts nothing for longer than a command schedules itself.
func TestTheFirstRunIsAlwaysFollowedByAnother(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	done, err := runAt(t, now, scheduling(Report{Left: map[string]any{}, After: 25 * time.Hour}), nil)
	if entry := only(t, done, err); entry.Poll == nil || entry.Poll.After != 24*time.Hour {
		t.Errorf("got the next run %+v, want it at the end of the day", entry.Poll)
	}
}
