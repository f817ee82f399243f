package web

import (
	"strings"
	"testing"
)

// TestAFeedKeepsTheNewest fills a feed beyond what it keeps.
func TestAFeedKeepsTheNewest(t *testing.T) {
	f := newFeed()
	for range mostEvents + 10 {
		f.publish("entries", "x")
	}
	events, _, open := f.since(0)
	if len(events) != mostEvents || events[0].number != 11 || !open {
		t.Errorf("got %d events from number %d, open %t; want %d from 11, open", len(events), events[0].number, open, mostEvents)
	}
	f.publish("entries", strings.Repeat("x", mostBytes))
	if events, _, _ := f.since(0); len(events) != 1 {
		t.Errorf("got %d events after a very large one, want that one", len(events))
	}
}

// TestAFeedWakesThoseWhoWait holds for every event and for the end.
func TestAFeedWakesThoseWhoWait(t *testing.T) {
	f := newFeed()
	_, more, _ := f.since(0)
	f.publish("call", 1)
	<-more
	_, more, open := f.since(1)
	if !open {
		t.Error("the feed is closed, want it open")
	}
	f.close()
	<-more
	f.close()
	if _, _, open := f.since(1); open {
		t.Error("the feed is open, want it closed")
	}
}
