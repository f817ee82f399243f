package execution

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestAFailedRequestKeepsWhatAnEarlierOneHasShown looks at what is known of a service in between and at the end.
func TestAFailedRequestKeepsWhatAnEarlierOneHasShown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 26, 10, 0, 0, 0, time.UTC)
	w := watch{now: func() time.Time { return now }}
	if got := w.seen(); got.Target != nil {
		t.Errorf("got the target %s before any request, want none", got.Target)
	}
	first, second := &url.URL{Path: "/first"}, &url.URL{Path: "/second"}
	w.note(first, &http.Response{Header: http.Header{"Date": {"today"}}}, nil)
	if got := w.seen(); got.Target != first || got.Err != nil || !got.At.Equal(now) {
		t.Errorf("got %+v, want the answer to the first request", got)
	}
	failure := errors.New("no route")
	w.note(second, nil, failure)
	if got := w.seen(); got.Target != second || !errors.Is(got.Err, failure) || got.Header.Get("Date") != "today" || !got.At.Equal(now) {
		t.Errorf("got %+v, want the failure of the second request, and what the first one has shown", got)
	}
}
