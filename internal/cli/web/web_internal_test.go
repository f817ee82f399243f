package web

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsNoJSONIsNotAnswered(t *testing.T) {
	answered := httptest.NewRecorder()
	answer(answered, http.StatusOK, json.RawMessage("{"))
	if answered.Code != http.StatusInternalServerError {
		t.Errorf("got %d %s, want 500", answered.Code, answered.Body)
	}
}

// listener accepts the connections that are sent to it: a bubble of synctest has no others.
type listener chan net.Conn

func (l listener) Accept() (net.Conn, error) {
	if one, open := <-l; open {
		return one, nil
	}
	return nil, net.ErrClosed
}

func (l listener) Close() error {
	close(l)
	return nil
}

func (listener) Addr() net.Addr { return &net.TCPAddr{} }

// TestTheEndCutsOffAnAnswerThatIsNotSentInTime has a handler that sends nothing as long as somebody waits for it.
func TestTheEndCutsOffAnAnswerThatIsNotSentInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}
		connections := make(listener)
		go func() { _ = server.Serve(connections) }()
		browser, accepted := net.Pipe()
		connections <- accepted
		if _, err := browser.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		if err := end(t.Context(), server, shutdownPeriod); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		if took := time.Since(began); took != shutdownPeriod {
			t.Errorf("the end took %s, want %s", took, shutdownPeriod)
		}
		if text, err := io.ReadAll(browser); err != nil || len(text) > 0 {
			t.Errorf("got %q, %v, want the end of the connection", text, err)
		}
	})
}
