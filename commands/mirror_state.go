package commands

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"xsoar-defender/internal/rawjson"
)

// mirrorState is the state that the platform keeps between the rounds of mirroring: its last mirror run. It is one small object
// for the whole instance, so all lists in it are bounded. The fields are in the order of their keys, which is the order
// in which the platform returns them.
type mirrorState struct {
	// Again holds the IDs of objects that could not be read when the platform asked for them, each with the time from which it
	// asked. They are reported until they are read: the platform is not known to ask again by itself.
	Again map[string]string `json:"again,omitempty"`
	// Cursor is the time of the newest change that was reported.
	Cursor string `json:"cursor,omitempty"`
	// Looks holds the last hand-over of each object, by id. Only that of the object that is asked for is decoded.
	Looks map[string]json.RawMessage `json:"looks,omitempty"`
	// Missing holds the day on which it was last reported that something no longer exists, by id.
	Missing map[string]string `json:"missing,omitempty"`
	// Reported holds the times of the changes within the look-back that were reported, by id.
	Reported map[string]string `json:"reported,omitempty"`
	// Fresh holds the ids that the last round reported, and Since the time from which the platform asked for them: if it
	// asks from there again, it did not receive them.
	Fresh []string `json:"reportedLast,omitempty"`
	// Resolved holds the marks of everything that was resolved when it was last read, the oldest first.
	Resolved string `json:"resolved,omitempty"`
	// Round names the last round. Only a process that read the objects of this round may use them.
	Round string `json:"round,omitempty"`
	Since string `json:"since,omitempty"`
	// Turned holds the changes between open and resolved that were not handed over yet, by id.
	Turned map[string]turn `json:"turned,omitempty"`

	// Unsent holds the IDs of what was not sent when the last round began, so that looking at others costs no callback.
	Unsent []string `json:"unsent,omitempty"`

	// saved is the text that the platform keeps of it.
	saved string
}

// turn is a change between open and resolved.
type turn string

const (
	closed   turn = "closed"
	reopened turn = "reopened"
	// ours is a resolution that came from the platform, which need not be told of it.
	ours turn = "ours"
)

// look records the last hand-over of one alert or incident. It is saved before it is handed over: if the platform then asks
// again from the same time, it did not receive it, and what was there before counts.
type look struct {
	// Alerts holds the marks of the alerts of an incident.
	Alerts string `json:"a,omitempty"`
	// Newest is the time of the newest comment, and Comments the marks of those within the look-back before it.
	Newest   string `json:"at,omitempty"`
	Before   *look  `json:"b,omitempty"`
	Comments string `json:"c,omitempty"`
	// Since is the time from which the platform asked.
	Since string `json:"l,omitempty"`
	Turn  turn   `json:"t,omitempty"`
}

// The bounds of a state. What is dropped first is the oldest; the time from which the platform asks then decides alone.
const (
	maxResolved = 5000
	maxLooks    = 1000
	maxTurned   = 1000
	maxMissing  = 500
	maxAgain    = 1000
)

func readMirrorState(kept json.RawMessage) *mirrorState {
	state := &mirrorState{}
	// A state that is not readable counts as empty: mirroring then goes by the times of the platform.
	if json.Unmarshal(kept, state) != nil {
		state = &mirrorState{}
	}
	for _, list := range []*map[string]string{&state.Again, &state.Missing, &state.Reported} {
		if *list == nil {
			*list = map[string]string{}
		}
	}
	if state.Looks == nil {
		state.Looks = map[string]json.RawMessage{}
	}
	if state.Turned == nil {
		state.Turned = map[string]turn{}
	}
	if len(state.Resolved)%markLength != 0 {
		state.Resolved = ""
	}
	return state
}

// encode writes the state within its bounds.
func (s *mirrorState) encode() json.RawMessage {
	if over := len(s.Resolved) - maxResolved*markLength; over > 0 {
		s.Resolved = s.Resolved[over:]
	}
	if len(s.Looks) > maxLooks+maxLooks/10 {
		since := make(map[string]string, len(s.Looks))
		for id := range s.Looks {
			since[id] = s.lookAt(id).Since
		}
		bound(since, maxLooks, cmp.Compare[string])
		maps.DeleteFunc(s.Looks, func(id string, _ json.RawMessage) bool { return since[id] == "" })
	}
	bound(s.Turned, maxTurned, func(turn, turn) int { return 0 })
	bound(s.Missing, maxMissing, cmp.Compare[string])
	bound(s.Again, maxAgain, cmp.Compare[string])
	return json.RawMessage(rawjson.Make(s))
}

// lookAt returns the last hand-over of an object, or the zero value if nothing is known.
func (s *mirrorState) lookAt(id string) look {
	var last look
	if text, known := s.Looks[id]; known && json.Unmarshal(text, &last) != nil {
		last = look{} // is not readable, which is as if nothing were known
	}
	return last
}

// bound drops the first values of a map, by order and then by key, until at most most are left.
func bound[V any](values map[string]V, most int, order func(a, b V) int) {
	if len(values) <= most {
		return
	}
	keys := slices.SortedFunc(maps.Keys(values), func(a, b string) int { return cmp.Or(order(values[a], values[b]), cmp.Compare(a, b)) })
	for _, key := range keys[:len(keys)-most] {
		delete(values, key)
	}
}

// marked reports whether marks contains a mark.
func marked(marks, mark string) bool { return markAt(marks, mark) >= 0 }

func markAt(marks, mark string) int {
	for from := 0; ; {
		at := strings.Index(marks[from:], mark)
		if at < 0 {
			return -1
		}
		if at += from; at%markLength == 0 {
			return at
		}
		from = at + 1
	}
}

// observe takes note of whether something is resolved, and of a change since it was last read. A status that is neither
// changes nothing.
func (s *mirrorState) observe(seen remoteState) (changed bool) {
	if !slices.Contains([]string{statusNew, statusInProgress, statusResolved, statusRedirected}, seen.Status) {
		return false // on the way between open and resolved
	}
	own := mark(seen.ID)
	at := markAt(s.Resolved, own)
	switch {
	case seen.resolved() && at < 0:
		s.Resolved += own
		s.Turned[seen.ID] = closed
	case !seen.resolved() && at >= 0:
		s.Resolved = s.Resolved[:at] + s.Resolved[at+markLength:]
		s.Turned[seen.ID] = reopened
	default:
		return false
	}
	return true
}

// reports reports whether a change must be reported, and takes note of it.
func (s *mirrorState) reports(seen remoteState) bool {
	if s.Reported[seen.ID] == seen.Updated && seen.Updated != "" {
		return false
	}
	s.Reported[seen.ID] = seen.Updated
	return true
}

// maxFresh is how many ids of a round are kept to be reported again.
const maxFresh = 1000

// unreceived returns what the last round reported if the platform asks from the same time again.
func (s *mirrorState) unreceived(since string) []string {
	if since == "" || since != s.Since {
		return []string{}
	}
	return slices.Clone(s.Fresh)
}

// forget drops the reports before the look-back of the next round.
func (s *mirrorState) forget(lookBack time.Duration) {
	cursor := parseTime(s.Cursor)
	for id, updated := range s.Reported {
		if at := parseTime(updated); at.Before(cursor.Add(-lookBack)) {
			delete(s.Reported, id)
		}
	}
}

// newRound names the round, so that no process takes another one for it.
func (s *mirrorState) newRound(random io.Reader) {
	var drawn [9]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		s.Round = "" // no process may then use what it remembers
		return
	}
	s.Round = base64.RawURLEncoding.EncodeToString(drawn[:])
}

// parseTime reads a time of the service or of the platform; the zero time stands for none.
func parseTime(text string) time.Time {
	for _, layout := range momentLayouts() {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// platformTime reads the time from which the platform asks. A person who tries mirroring may give a span back from now, such
// as 2 hours; the zero time stands for none.
func platformTime(text string, now time.Time) time.Time {
	at := parseTime(text)
	var moment Moment
	if at.IsZero() && text != "" && setMoment(&moment, text, now) == nil {
		return moment.Time
	}
	return at
}

// loadMirrorState reads the state. Without one, such as on a platform before 6.6, known is false.
func loadMirrorState(ctx context.Context, run *Run) (state *mirrorState, known bool) {
	kept, err := run.Host.MirrorRun(ctx)
	if err != nil {
		return readMirrorState(nil), false
	}
	if state := run.Mirrored.takeState(string(kept)); state != nil {
		return state, true
	}
	state = readMirrorState(kept)
	state.saved = string(kept)
	return state, true
}

// save saves the state, if it was known.
func (s *mirrorState) save(ctx context.Context, run *Run) error {
	text := s.encode()
	if err := run.Host.SetMirrorRun(ctx, text); err != nil {
		return err
	}
	s.saved = string(text)
	run.Mirrored.putState(s)
	return nil
}
