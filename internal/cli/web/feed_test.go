package web

import (
	"slices"
	"strings"
	"testing"
	"time"
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

func TestACallWithoutEntriesSaysNothingOfThem(t *testing.T) {
	room := newRoom(t.Context(), nil, time.Now)
	(&Telling{room: room}).Entries(nil)
	if events, _, _ := room.feed.since(0); len(events) != 0 {
		t.Errorf("got the event %s %s, want none", events[0].kind, events[0].data)
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

// TestAFeedCountsTheBytesThatItKeeps fills a feed to its last byte, and one beyond.
func TestAFeedCountsTheBytesThatItKeeps(t *testing.T) {
	f := newFeed()
	const quotes = 2 // of the text as JSON
	quarter, rest := strings.Repeat("x", mostBytes/4-quotes), strings.Repeat("x", mostBytes/4*3-quotes)
	kept := func() (numbers []int) {
		events, _, _ := f.since(0)
		for _, one := range events {
			numbers = append(numbers, one.number)
		}
		return numbers
	}
	f.publish("entries", quarter)
	f.publish("entries", rest)
	if got, want := kept(), []int{1, 2}; !slices.Equal(got, want) {
		t.Errorf("got the events %v, want %v", got, want)
	}
	f.publish("entries", "")
	if got, want := kept(), []int{2, 3}; !slices.Equal(got, want) {
		t.Errorf("got the events %v after one that is too much, want %v", got, want)
	}
	f.publish("entries", quarter[quotes:])
	if got, want := kept(), []int{2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("got the events %v after what was left is filled, want %v", got, want)
	}
	f.publish("entries", "x")
	if got, want := kept(), []int{3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("got the events %v after one more, want %v", got, want)
	}
	if events, _, _ := f.since(4); len(events) != 1 || events[0].number != 5 {
		t.Errorf("got %d events since 4, want the fifth", len(events))
	}
}
