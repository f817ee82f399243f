package program_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/mirroring"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/platform/platformtest"
)

// whole has every death tried, as .ci/run does. Without it one in three is, or one in two of the shorter rows, which are the
// same in every run.
var whole = flag.Bool("whole", false, "try the long matrices whole, not a fixed sample of each")

// mortal is a plugin of which one execution is killed at one of its callbacks.
type mortal struct {
	e *engine
	// executions counts down to the execution that is killed, and death says how.
	executions int
	death      death
	// killed reports whether it came to that.
	killed bool
}

var errKilled = fmt.Errorf("the process was killed: %w", mirroring.ErrNoAnswer)

func (m *mortal) Execute(_ context.Context, command string, args map[string]any) ([]mirroring.Entry, error) {
	request := platformtest.Request{Command: command, Args: args, Params: m.e.params}
	var outcome platformtest.Outcome
	if m.executions--; m.executions == 0 {
		var alive bool
		if outcome, alive = m.e.die(request, m.death); !alive {
			// The platform reads the entries of an execution that did not complete neither whole nor in part.
			m.killed = true
			return nil, errKilled
		}
	} else {
		outcome = m.e.succeed(request)
	}
	var entries []mirroring.Entry
	for _, entry := range outcome.Shown() {
		read := mirroring.Entry{Contents: string(entry.Contents), IsJSON: entry.ContentsFormat == "json", Tags: entry.Tags}
		if !read.IsJSON {
			read.Contents = entry.Text()
		}
		entries = append(entries, read)
	}
	if text := outcome.Failure(); text != "" {
		return nil, errors.New(text)
	}
	return entries, nil
}

// TestMirroringSurvivesDeathAtEveryCallback kills the process of each execution of mirroring at each of its callbacks: no
// comment comes twice or is lost in either direction, and both sides end equal. A sample of the executions is enough here:
// .ci/run tries all.
func TestMirroringSurvivesDeathAtEveryCallback(t *testing.T) {
	t.Parallel()
	for execution := 1; execution <= 5; execution++ {
		for _, done := range []bool{false, true} {
			for callback, alive := 1, false; !alive && callback < 12; callback++ {
				if !*whole && (execution+callback)%3 != 0 {
					continue
				}
				e := newEngine(t, ways()[0])
				e.params["max_fetch"], e.params["first_fetch_timestamp"] = "3", "1 hour"
				e.params["mirror_direction"], e.params["close_incident"], e.params["close_out"] = "Incoming And Outgoing", true, true
				e.tenant.AddAlerts(2, time.Now().Add(-20*time.Minute), time.Minute)
				plugin := &mortal{e: e, death: death{callback, done}}
				server := &mirroring.Server{Plugin: plugin, Now: time.Now}
				if err := server.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				minute := func() {
					for _, step := range []func(context.Context) error{server.Incoming, server.Outgoing} {
						if err := step(t.Context()); err != nil && !errors.Is(err, errKilled) {
							t.Errorf("execution %d, callback %d (done %t): %v", execution, callback, done, err)
						}
					}
				}
				minute()
				one := server.Incidents[0]
				e.tenant.ChangeAlert(one.RemoteID, simulator.Change{Status: "Resolved", Comment: "from the portal"})
				server.Comment(one, "from the War Room")
				plugin.executions = execution
				for range 3 {
					minute()
				}
				alive = !plugin.killed
				got := e.tenant.AlertState(one.RemoteID)
				sent := 0
				for _, text := range got.Comments {
					if strings.Contains(text, "from the War Room") {
						sent++
					}
				}
				notes := slices.DeleteFunc(slices.Clone(one.Notes), func(text string) bool { return !strings.HasSuffix(text, "from the portal") })
				if sent != 1 || len(notes) != 1 || one.State != mirroring.Closed || one.Pending() {
					t.Errorf("execution %d, callback %d (done %t): the comment came %d times and went %d times, the state is %d, want each once and closed",
						execution, callback, done, len(notes), sent, one.State)
				}
			}
		}
	}
}
