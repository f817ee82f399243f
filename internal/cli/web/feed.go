package web

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// event is a message to the page.
type event struct {
	number int
	kind   string
	data   []byte
}

// The most that a feed keeps for a page that is loaded again.
const (
	mostEvents = 1000
	mostBytes  = 16 << 20
)

// feed tells pages what happens, in order. A page that comes late, or again, receives what is still kept.
type feed struct {
	mu      sync.Mutex
	kept    []event
	size    int
	last    int           // number of the newest event
	changed chan struct{} // closed with every event
	closed  bool
}

func newFeed() *feed { return &feed{changed: make(chan struct{})} }

// publish adds an event.
func (f *feed) publish(kind string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // a mistake in this package: it publishes its own plain values
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.kept = append(f.kept, event{f.last, kind, text})
	f.size += len(text)
	for len(f.kept) > mostEvents || f.size > mostBytes && len(f.kept) > 1 {
		f.size -= len(f.kept[0].data)
		f.kept[0] = event{} // not held by the list any longer
		f.kept = f.kept[1:]
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// since returns the events after a number that are still kept, and a channel that is closed when there are more. It is
// false when there will be none.
func (f *feed) since(number int) ([]event, <-chan struct{}, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := len(f.kept)
	for first > 0 && f.kept[first-1].number > number {
		first--
	}
	return append([]event(nil), f.kept[first:]...), f.changed, !f.closed
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// Telling reports the progress of one call to the page.
type Telling struct {
	room *room
	call int
}

// Entries reports entries of the call.
func (t *Telling) Entries(entries []Entry) {
	for i := range entries {
		if entries[i].File != nil {
			file := *entries[i].File
			file.ID = t.room.offer(file)
			entries[i].File = &file
		}
	}
	if len(entries) > 0 {
		t.room.feed.publish("entries", map[string]any{"call": t.call, "at": t.room.stamp(), "entries": entries})
	}
}

// Failed reports an error of the call.
func (t *Telling) Failed(text string) { t.Entries([]Entry{{Kind: "error", Text: text}}) }

// Waiting reports that the call runs again by itself, and when. Of All things that it waits for, Done have ended; both
// are 0 where they are not counted.
func (t *Telling) Waiting(command string, due time.Time, done, all int) {
	t.room.feed.publish("waiting", map[string]any{"call": t.call, "command": command, "due": due.UTC().Format(time.RFC3339), "done": done, "all": all})
}

// ContextChanged reports that the context has changed.
func (t *Telling) ContextChanged() { t.room.feed.publish("context", map[string]any{"call": t.call}) }

// IncidentsChanged reports that there are other incidents, or that some have changed.
func (t *Telling) IncidentsChanged() {
	t.room.feed.publish("incidents", map[string]any{"call": t.call})
}

// Mirrored reports a change that was carried from one side to the other.
func (t *Telling) Mirrored(format string, values ...any) {
	t.room.feed.publish("mirrored", map[string]any{"call": t.call, "at": t.room.stamp(), "text": fmt.Sprintf(format, values...)})
}
