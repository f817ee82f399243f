package commands

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"xsoar-defender/internal/rawjson"
)

// quotaKey is the key of the integration context under which processes that share an application's quota note until when
// the service refuses requests, and which commands are left with work.
const quotaKey = "xsoar_defender_quota"

// ticketArgument names a command in that note across its runs.
const ticketArgument = "quota_ticket"

const (
	// sharedPerMinute is the part that the commands in the note share of the 100 requests a minute that the service allows an
	// application (https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list). The rest is for commands that
	// make a few requests, and for the fetch.
	sharedPerMinute = 94
	// outsidePerMinute is how many requests a command of the platform, such as a fetch, may make while others share the quota.
	outsidePerMinute = 4
	// longestShare is how long a command stays in the note at most.
	longestShare = 3 * time.Hour
)

// quotaNote is the note in the integration context.
type quotaNote struct {
	// Until is when the service accepts requests again.
	Until time.Time `json:"until"`
	// Waiting are the commands that were refused, in the order in which they came.
	Waiting []quotaShare `json:"waiting,omitempty"`
}

// quotaShare is a command that waits for its share of the quota, with the number of requests that it was left with at a
// time.
type quotaShare struct {
	ID   string    `json:"id"`
	From time.Time `json:"from"`
	Left int       `json:"left"`
}

// shares computes what is left of the work of every waiting command at a time, and how many of them still have work. In
// each minute, those that have work share the quota equally, so that nobody needs to write how far it is.
func (n quotaNote) shares(now time.Time) (left map[string]int, active int) {
	left = make(map[string]int, len(n.Waiting))
	minute := now
	for _, one := range n.Waiting {
		left[one.ID] = one.Left
		if one.From.Before(minute) {
			minute = one.From
		}
	}
	at := func(minute time.Time) (ids []string) {
		for _, one := range n.Waiting {
			if !one.From.After(minute) && left[one.ID] > 0 {
				ids = append(ids, one.ID)
			}
		}
		return ids
	}
	for ; !minute.Add(time.Minute).After(now); minute = minute.Add(time.Minute) {
		ids := at(minute)
		for _, id := range ids {
			left[id] -= max(1, sharedPerMinute/len(ids))
		}
	}
	for id, rest := range left {
		if rest <= 0 {
			delete(left, id)
		}
	}
	return left, len(at(now.Add(longestShare)))
}

// Quota is a command's place in the quota of the application. It implements defender.Quota.
type Quota struct {
	host     Host
	now      func() time.Time
	random   io.Reader
	platform bool

	// pending is the number of requests left to make in this run, as far as is known.
	pending atomic.Int64

	mu    sync.Mutex
	id    string
	noted time.Time
}

// Share reads until when the service refuses requests, and how many requests a minute are this command's; 0 if there is no
// limit but the service's.
func (t *Quota) Share(ctx context.Context) (until time.Time, perMinute int) {
	values, err := t.host.Load(ctx)
	if err != nil {
		return time.Time{}, 0
	}
	note := readQuotaNote(values)
	return note.Until, t.share(note)
}

func (t *Quota) share(note quotaNote) int {
	left, active := note.shares(t.now())
	t.mu.Lock()
	defer t.mu.Unlock()
	switch _, waits := left[t.id]; {
	case active == 0:
		return 0
	case t.platform:
		return outsidePerMinute
	case !waits:
		active++
	}
	return max(1, sharedPerMinute/active)
}

// Refused notes that the service refuses requests until a time, and returns the command's share. A run writes once for
// each time that the service names.
func (t *Quota) Refused(ctx context.Context, until time.Time) int {
	t.mu.Lock()
	if t.id == "" {
		id := make([]byte, 8)
		if _, err := io.ReadFull(t.random, id); err == nil {
			t.id = hex.EncodeToString(id)
		}
	}
	again := until.Sub(t.noted).Abs() < 5*time.Second
	if !again {
		t.noted = until
	}
	t.mu.Unlock()
	if again {
		_, share := t.Share(ctx)
		return share
	}
	var note quotaNote
	// The note only spares requests: without it the service refuses them.
	_ = t.host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		note = t.noteOf(readQuotaNote(values), until)
		values[quotaKey] = json.RawMessage(rawjson.Make(note))
		return true, nil
	})
	return t.share(note)
}

// noteOf returns the note with this command in it, and without those that have finished.
func (t *Quota) noteOf(note quotaNote, until time.Time) quotaNote {
	now := t.now()
	left, _ := note.shares(now)
	kept := quotaNote{Until: later(note.Until, until).UTC()}
	if until.Before(note.Until) && note.Until.Sub(now) < time.Minute {
		kept.Until = until.UTC()
	}
	for _, one := range note.Waiting {
		if left[one.ID] > 0 && one.ID != t.id && now.Sub(one.From) < longestShare {
			kept.Waiting = append(kept.Waiting, one)
		}
	}
	if !t.platform {
		kept.Waiting = append(kept.Waiting, quotaShare{ID: t.id, From: until.UTC(), Left: max(1, int(t.pending.Load()))})
	}
	return kept
}

func readQuotaNote(values map[string]json.RawMessage) quotaNote {
	var note quotaNote
	if json.Unmarshal(values[quotaKey], &note) != nil {
		return quotaNote{}
	}
	return note
}

// ticketKey is the key of the command's place in the quota in the context of a run.
type ticketKey struct{}

// expect tells the ticket of the run that a number of requests are about to be made, or, if the number is negative, that they were.
func expect(ctx context.Context, requests int) {
	if t, ok := ctx.Value(ticketKey{}).(*Quota); ok {
		t.pending.Add(int64(requests))
	}
}

// SharesQuota reports whether a command has a place in the quota of the application, which other processes of the instance
// share. The Test button and the diagnosis have none: they show what the service says.
func SharesQuota(command string) bool { return command != TestCommand && command != DiagnosisCommand }

// NewQuota returns a command's place in the quota; nil if it has none.
func NewQuota(command string, host Host, now func() time.Time, random io.Reader) *Quota {
	if !SharesQuota(command) {
		return nil
	}
	return &Quota{host: host, now: now, random: random, platform: command == FetchCommand}
}
