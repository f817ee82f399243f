package commands

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
)

// progress records how far fetches have come: a point in time, and the alerts shortly before it that have been handed
// over, because alerts may appear late and several may be created at the same instant.
type progress struct {
	// cursor is the time up to which alerts have been read.
	cursor time.Time
	// floor is the time before which nothing is read again.
	floor time.Time
	// seen holds the marks of alerts that have been handed over, by the second of their creation.
	seen map[int64]string
}

// The last run holds at most maxSeen marks of markLength characters, 220 kB in all, or more only if a single second has
// more alerts. If a storm brings more within the look-back, the look-back becomes shorter; nothing newer is ever
// forgotten.
const (
	maxSeen    = 20_000
	markLength = 11
)

// legacyLayout is the layout in which the older implementation writes the time in its last run.
const legacyLayout = "2006-01-02T15:04:05.000000Z"

// savedProgress is the last run. LastAlert lets the older implementation continue from here; its own last run has only
// this key.
type savedProgress struct {
	LastAlert string            `json:"last_alert_fetched_time,omitempty"`
	Cursor    string            `json:"xsoar_defender_cursor,omitempty"`
	Floor     string            `json:"xsoar_defender_floor,omitempty"`
	Seen      map[string]string `json:"xsoar_defender_seen,omitempty"`
}

// ProgressError reports that the last run cannot be read.
type ProgressError struct{ Key string }

func (e *ProgressError) Error() string {
	return fmt.Sprintf("The last run of the instance has no valid time in %s. Reset the last run of the instance to fetch again from its first fetch time.", e.Key)
}

func readProgress(kept json.RawMessage, now time.Time, settings params.Fetch) (*progress, error) {
	var saved savedProgress
	if text := strings.TrimSpace(string(kept)); text != "" && text != "null" {
		if err := json.Unmarshal(kept, &saved); err != nil {
			return nil, &ProgressError{"any key"}
		}
	}
	p := &progress{seen: map[int64]string{}}
	var err error
	switch {
	case saved.Cursor != "":
		if p.cursor, err = time.Parse(time.RFC3339Nano, saved.Cursor); err != nil {
			return nil, &ProgressError{"xsoar_defender_cursor"}
		}
		if p.floor, err = time.Parse(time.RFC3339Nano, saved.Floor); err != nil {
			return nil, &ProgressError{"xsoar_defender_floor"}
		}
	case saved.LastAlert != "":
		if p.cursor, err = time.Parse(time.RFC3339Nano, saved.LastAlert); err != nil {
			return nil, &ProgressError{"last_alert_fetched_time"}
		}
		// The older implementation truncated its time to microseconds: the alert that it read last is within the
		// microsecond after it, and was handed over.
		p.cursor = p.cursor.Add(time.Microsecond)
		p.floor = p.cursor
	default:
		p.cursor = now.Add(-settings.First)
		p.floor = p.cursor
	}
	p.cursor, p.floor = p.cursor.UTC(), p.floor.UTC()
	for second, marks := range saved.Seen {
		at, err := strconv.ParseInt(second, 10, 64)
		if err != nil {
			return nil, &ProgressError{"xsoar_defender_seen"}
		}
		p.seen[at] = marks
	}
	return p, nil
}

func (p *progress) encode() json.RawMessage {
	saved := savedProgress{
		LastAlert: p.cursor.Format(legacyLayout), Cursor: p.cursor.Format(time.RFC3339Nano), Floor: p.floor.Format(time.RFC3339Nano),
		Seen: map[string]string{},
	}
	for second, marks := range p.seen {
		saved.Seen[strconv.FormatInt(second, 10)] = marks
	}
	return json.RawMessage(rawjson.Make(saved))
}

// start returns the time from which alerts are requested.
func (p *progress) start(lookBack time.Duration) time.Time {
	start := p.cursor.Add(-lookBack).Truncate(serviceTick)
	if start.Before(p.floor) {
		return p.floor
	}
	return start
}

// mark returns a short substitute for an alert's id: 64 bits of its hash.
func mark(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

func (p *progress) handedOver(one dated) bool {
	marks, wanted := p.seen[one.at.Unix()], mark(one.id)
	for i := 0; i+markLength <= len(marks); i += markLength {
		if marks[i:i+markLength] == wanted {
			return true
		}
	}
	return false
}

func (p *progress) hand(one dated) {
	p.seen[one.at.Unix()] += mark(one.id)
}

// reach advances the cursor, but not beyond now: an alert from a clock that is ahead must not make the look-back miss
// those from clocks that are not.
func (p *progress) reach(at, now time.Time) {
	p.cursor = later(p.cursor, at)
	if p.cursor.After(now) {
		p.cursor = now.UTC()
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// forget drops the marks that no fetch needs again, and the oldest ones if there are too many.
func (p *progress) forget(lookBack time.Duration) {
	start := p.start(lookBack).Unix()
	seconds := slices.Sorted(maps.Keys(p.seen))
	count := 0
	for _, second := range seconds {
		count += len(p.seen[second]) / markLength
	}
	for _, second := range seconds {
		old := second < start
		crowded := count > maxSeen && second < p.cursor.Unix()
		if !old && !crowded {
			return
		}
		count -= len(p.seen[second]) / markLength
		delete(p.seen, second)
		// Whatever the clock does, alerts whose marks are dropped are not requested again.
		p.floor = later(p.floor, time.Unix(second+1, 0).UTC())
	}
}
