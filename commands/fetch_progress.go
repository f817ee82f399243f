package commands

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
	// settled is the time before which everything has been read when no alert could appear late any longer; zero if that
	// is not known.
	settled time.Time
	// span is the span of time that was short enough to be read as a whole; zero if all of the feed was.
	span time.Duration
	// seen holds the marks of alerts that have been handed over, by the second of their creation.
	seen map[int64]*marks
	// incidents is the progress of Defender XDR incidents, as it was saved.
	incidents json.RawMessage
}

// marks are the marks of one second: as they were read, until one of them is looked for, and those added since.
type marks struct {
	saved string
	known map[string]struct{}
	added strings.Builder
}

// has reports whether a mark is known.
func (m *marks) has(mark string) bool {
	if m.known == nil {
		m.known = make(map[string]struct{}, len(m.saved)/markLength)
		for i := 0; i+markLength <= len(m.saved); i += markLength {
			m.known[m.saved[i:i+markLength]] = struct{}{}
		}
	}
	_, found := m.known[mark]
	return found
}

func (m *marks) add(mark string) {
	if !m.has(mark) {
		m.known[mark] = struct{}{}
		m.added.WriteString(mark)
	}
}

func (m *marks) text() string { return m.saved + m.added.String() }

func (m *marks) count() int { return (len(m.saved) + m.added.Len()) / markLength }

// The last run holds at most maxSeen marks of markLength characters, 220 kB in all, or more only if a single second has
// more alerts. If a storm brings more within the look-back, the look-back becomes shorter; nothing newer is ever
// forgotten.
const (
	maxSeen    = 20_000
	markLength = 11
)

// legacyLayout is the layout in which the older implementation writes the time in its last run.
const legacyLayout = "2006-01-02T15:04:05.000000Z"

// savedProgress is the last run. LastAlert lets the older implementation continue from here. Its own last run has this key,
// with and without fractions of a second and a zone, which is UTC. In its oldest form, which counts whole seconds,
// LastAlerts are the alerts of the last of them.
type savedProgress struct {
	LastAlert  string            `json:"last_alert_fetched_time,omitempty"`
	LastAlerts []string          `json:"existing_ids,omitempty"`
	Cursor     string            `json:"xsoar_defender_cursor,omitempty"`
	Floor      string            `json:"xsoar_defender_floor,omitempty"`
	Settled    string            `json:"xsoar_defender_settled,omitempty"`
	Span       string            `json:"xsoar_defender_span,omitempty"`
	Seen       map[string]string `json:"xsoar_defender_seen,omitempty"`
	// Incidents is the progress of Defender XDR incidents, for an instance that changes between the two.
	Incidents json.RawMessage `json:"xsoar_defender_incidents,omitempty"`
}

// ProgressError reports that the last run cannot be read: the value of a key, or all of it if Key is empty.
type ProgressError struct{ Key string }

func (e *ProgressError) Error() string {
	what := "cannot be read"
	if e.Key != "" {
		what = "has no valid value for " + e.Key
	}
	return "The last run of the instance " + what + ". Reset the last run of the instance to fetch again from its first fetch time."
}

func readProgress(kept json.RawMessage, now time.Time, settings params.Fetch) (*progress, error) {
	var saved savedProgress
	if text := strings.TrimSpace(string(kept)); text != "" && text != "null" {
		if err := json.Unmarshal(kept, &saved); err != nil {
			return nil, &ProgressError{}
		}
	}
	p := &progress{seen: map[int64]*marks{}, incidents: saved.Incidents}
	var err error
	switch {
	case saved.Cursor != "":
		if p.cursor, err = time.Parse(time.RFC3339Nano, saved.Cursor); err != nil {
			return nil, &ProgressError{"xsoar_defender_cursor"}
		}
		if p.floor, err = time.Parse(time.RFC3339Nano, saved.Floor); err != nil {
			return nil, &ProgressError{"xsoar_defender_floor"}
		}
		if settled, err := time.Parse(time.RFC3339Nano, saved.Settled); err == nil {
			p.settled = settled.UTC()
		}
		if span, err := time.ParseDuration(saved.Span); err == nil && span > 0 {
			p.span = span
		}
	case saved.LastAlert != "":
		if err := p.takeOver(saved); err != nil {
			return nil, err
		}
	default:
		p.cursor = now.Add(-settings.First)
		p.floor = p.cursor
	}
	p.cursor, p.floor = p.cursor.UTC(), p.floor.UTC()
	p.comeBack(now.UTC())
	for second, text := range saved.Seen {
		at, err := strconv.ParseInt(second, 10, 64)
		if err != nil {
			return nil, &ProgressError{"xsoar_defender_seen"}
		}
		p.seen[at] = &marks{saved: text}
	}
	return p, nil
}

// comeBack returns to now from a progress that is further ahead than clocks differ, such as one of a clock that was
// wrong. Otherwise nothing would be fetched until then.
func (p *progress) comeBack(now time.Time) {
	latest := now.Add(clockSkew)
	if p.cursor.After(latest) {
		p.cursor = now
	}
	if p.floor.After(latest) {
		p.floor = now
	}
	if p.settled.After(now) {
		p.settled = time.Time{}
	}
}

// takeOver continues from the last run of the older implementation.
func (p *progress) takeOver(saved savedProgress) error {
	for _, layout := range momentLayouts() {
		at, err := time.Parse(layout, strings.TrimSpace(saved.LastAlert))
		if err != nil {
			continue
		}
		p.cursor = at.UTC()
		if len(saved.LastAlerts) == 0 {
			// It truncated its time to microseconds: the alert that it read last is within the microsecond after it, and was
			// handed over.
			p.cursor = p.cursor.Add(time.Microsecond)
		}
		for _, id := range saved.LastAlerts {
			known := p.seen[p.cursor.Unix()]
			if known == nil {
				known = &marks{}
				p.seen[p.cursor.Unix()] = known
			}
			known.add(mark(id))
		}
		p.floor = p.cursor
		return nil
	}
	return &ProgressError{"last_alert_fetched_time"}
}

func (p *progress) encode() json.RawMessage {
	saved := savedProgress{
		LastAlert: p.cursor.Format(legacyLayout), Cursor: p.cursor.Format(time.RFC3339Nano), Floor: p.floor.Format(time.RFC3339Nano),
		Seen: map[string]string{}, Incidents: p.incidents,
	}
	if !p.settled.IsZero() {
		saved.Settled = p.settled.Format(time.RFC3339Nano)
	}
	if p.span > 0 {
		saved.Span = p.span.String()
	}
	for second, marks := range p.seen {
		saved.Seen[strconv.FormatInt(second, 10)] = marks.text()
	}
	return json.RawMessage(rawjson.Make(saved))
}

// start returns the time from which alerts are requested: what was read while alerts could still appear late is read
// again.
func (p *progress) start(lookBack time.Duration) time.Time {
	start := p.cursor.Add(-lookBack)
	if !p.settled.IsZero() {
		start = p.settled
	}
	return later(p.floor, start.Truncate(serviceTick))
}

// clockSkew is how far the clocks of the service and of this machine may be apart.
const clockSkew = 5 * time.Minute

// settle notes that everything before the cursor has been read now. Of that, alerts that are older than the look-back
// can no longer appear late. The clocks may differ in one direction now and in the other at the next fetch. A fetch that
// lags behind reads nothing twice. left is the time of the oldest alert that was read and not handed over, or zero: many that
// appeared late may be left behind the cursor if few are fetched at once.
func (p *progress) settle(now time.Time, lookBack time.Duration, left time.Time) {
	settled := p.cursor
	if !left.IsZero() && left.Before(settled) {
		settled = left
	}
	if young := now.Add(-lookBack - 2*clockSkew); lookBack > 0 && young.Before(settled) {
		settled = young
	}
	p.settled = later(p.settled, settled.UTC())
}

// widen notes that a span of a number of alerts could be read as a whole. After a dense time it grows again.
func (p *progress) widen(start, end time.Time, alerts int) {
	switch {
	case end.IsZero():
		p.span = 0
	case alerts < largestPage/4:
		p.span = 2 * end.Sub(start)
	default:
		p.span = end.Sub(start)
	}
}

// expected returns the number of alerts after a time that have been handed over.
func (p *progress) expected(start time.Time) int {
	count := 0
	for second, marks := range p.seen {
		if second >= start.Unix() {
			count += marks.count()
		}
	}
	return count
}

// isOldest reports whether an alert was handed over, and no older one after start was.
func (p *progress) isOldest(one dated, start time.Time) bool {
	for second := range p.seen {
		if second > start.Unix() && second < one.at.Unix() {
			return false
		}
	}
	return p.handedOver(one)
}

// mark returns a short substitute for an alert's id: 64 bits of its hash.
func mark(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

func (p *progress) handedOver(one dated) bool {
	if !one.found.IsZero() {
		return p.recognise(one)
	}
	marks := p.seen[one.at.Unix()]
	return marks != nil && marks.has(mark(one.id))
}

// recognise reports whether an alert without a time was handed over before, and marks it again as of now: the service may
// return it in every answer.
func (p *progress) recognise(one dated) bool {
	for _, marks := range p.seen {
		if marks.has(mark(one.id)) {
			p.hand(one)
			return true
		}
	}
	return false
}

func (p *progress) hand(one dated) {
	second := later(one.at, one.found).Unix()
	if p.seen[second] == nil {
		p.seen[second] = &marks{}
	}
	p.seen[second].add(mark(one.id))
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
		count += p.seen[second].count()
	}
	for _, second := range seconds {
		old := second < start
		crowded := count > maxSeen && second < p.cursor.Unix()
		if !old && !crowded {
			return
		}
		count -= p.seen[second].count()
		delete(p.seen, second)
		// Whatever the clock does, alerts whose marks are dropped are not requested again.
		p.floor = later(p.floor, time.Unix(second+1, 0).UTC())
	}
}
