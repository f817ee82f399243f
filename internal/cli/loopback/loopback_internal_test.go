package loopback

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// TestABrowserHasLimits looks at the limits of the server, which protect the wait for one request from endless others.
func TestABrowserHasLimits(t *testing.T) {
	t.Parallel()
	receiver, err := Listen(t.Context(), "http://127.0.0.1:"+freePort(t)+"/callback", "state")
	if err != nil {
		t.Fatal(err)
	}
	if got := receiver.server; got.ReadHeaderTimeout != headerTimeout || headerTimeout <= 0 || got.MaxHeaderBytes != 64<<10 {
		t.Errorf("got %s for the header and %d bytes, want some seconds and 64 KiB", got.ReadHeaderTimeout, got.MaxHeaderBytes)
	}
	if err := receiver.Close(); err != nil {
		t.Error(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address.Port()
}

// browser takes a page and holds the writer at the end of it.
type browser struct {
	*httptest.ResponseRecorder

	flushing, flushed chan struct{}
}

// Flush ends when the test lets it.
func (b browser) Flush() {
	close(b.flushing)
	<-b.flushed
}

// TestShowEndsWhenThePageIsSent keeps the caller, who closes the server next, until the browser has all of the page.
func TestShowEndsWhenThePageIsSent(t *testing.T) {
	t.Parallel()
	receiver := &Receiver{path: "/", state: "state", answers: make(chan *Answer, 1)}
	slow := browser{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	go receiver.ServeHTTP(slow, httptest.NewRequest(http.MethodGet, "/?state=state&code=c", http.NoBody))
	answer := <-receiver.answers
	shown := make(chan struct{})
	go func() {
		answer.Show(Page{Title: "Done"})
		close(shown)
	}()
	<-slow.flushing
	select {
	case <-shown:
		t.Error("got the end of Show while the page was being sent, want it afterwards")
	default:
	}
	close(slow.flushed)
	<-shown
}
