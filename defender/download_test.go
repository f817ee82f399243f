package defender_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"xsoar-defender/defender"
)

const secretPart = "sig=hidden-signature"

// wantNoLink checks every error of a chain.
func wantNoLink(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "hidden-signature") {
			t.Errorf("got %s, want an error without the link", text)
		}
	}
}

func TestDownloadStreamsAFileWithoutAToken(t *testing.T) {
	content := bytes.Repeat([]byte{0, 255, '\n', 'x'}, 100_000)
	store := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	w := at(t, store)
	client := w.client()
	var file bytes.Buffer
	got, err := client.Download(t.Context(), store.URL+"/a/b%2Fc?"+secretPart, &file, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(content)
	if want := (defender.Downloaded{Size: int64(len(content)), SHA256: hex.EncodeToString(hash[:])}); got != want || !bytes.Equal(file.Bytes(), content) {
		t.Errorf("got %+v and %d bytes, want %+v and the content", got, file.Len(), want)
	}
	store.wantRequests(t, "GET /a/b%2Fc?"+secretPart)
	sent := store.requests()[0].Header
	if sent.Get("Authorization") != "" || len(w.tokens.targets) > 0 {
		t.Errorf("got %q for %q, want no token", sent.Get("Authorization"), w.tokens.targets)
	}
	if sent.Get("User-Agent") != "xsoar-defender/9.8.7" {
		t.Errorf("got %q, want to say who asks", sent.Get("User-Agent"))
	}
}

func TestDownloadsFail(t *testing.T) {
	cutFile := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	}
	rows := []struct {
		name    string
		answer  http.HandlerFunc
		most    int64
		status  int
		asked   int
		message string
	}{
		{"a link that has expired", status(403, ""), 10, 403, 1, "The download failed: the link has expired or was refused (HTTP 403: Code403: Said so). Ask for the result again."},
		{"a file that is gone", status(404, ""), 10, 404, 1, "The download failed: the file store answered HTTP 404: Code404: Said so. Try again later."},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://attacker.example/", http.StatusFound)
		}, 10, 302, 1, "The download failed: the file store answered HTTP 302. Try again later."},
		{"a store in trouble", status(503, ""), 10, 503, 4, "The download failed: the file store answered HTTP 503: Code503: Said so. Try again later."},
		{"a connection cut before the answer", cut(""), 10, 0, 4, "The download failed: EOF. Try again."},
		{"a connection cut in the file", cutFile, 1000, 0, 1, "The download failed: unexpected EOF. Try again."},
		{"a file that is too large", body(strings.Repeat("x", 3<<20+1)), 3 << 20, 0, 1, "The download failed: the file is larger than 3 MB. Raise max_size_in_mb."},
		{"nothing at all", cut("HTTP/1.1 200\r\n"), 10, 0, 4, "The download failed: unexpected EOF. Try again."},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store := serve(t, row.answer)
			got, err := at(t, store).client().Download(t.Context(), store.URL+"/a?"+secretPart, io.Discard, row.most)
			failed := as[*defender.DownloadError](t, err)
			if got != (defender.Downloaded{}) || failed.Status != row.status || err.Error() != row.message {
				t.Errorf("got %d and %q, want status %d and %q", failed.Status, err, row.status, row.message)
			}
			if len(store.requests()) != row.asked {
				t.Errorf("got %d, want %d requests", len(store.requests()), row.asked)
			}
			wantNoLink(t, err)
		})
	}
}

func TestAPageIsNoFile(t *testing.T) {
	page := "<html><head><title>Blocked: https://store.example/a?" + secretPart + "</title></head></html>"
	html := map[string]string{"Content-Type": "text/html; charset=utf-8", "Via": "1.1 proxy.corp.test"}
	for _, row := range []struct {
		status, asked int
		remedy        string
	}{{200, 1, "allow the engine"}, {403, 1, "allow the engine"}, {404, 1, "Check the addresses"}, {407, 1, "credentials that the proxy expects"}, {502, 4, "Try again"}} {
		store := serve(t, anAnswer(row.status, html, page))
		var file bytes.Buffer
		_, err := at(t, store).client().Download(t.Context(), store.URL+"/a?"+secretPart, &file, 1<<20)
		failed := as[*defender.DownloadError](t, err)
		for _, want := range []string{"proxy.corp.test", fmt.Sprintf("HTTP %d", row.status), "Blocked", row.remedy} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("HTTP %d: got %v, want %q in it", row.status, err, want)
			}
		}
		if failed.Expired() || file.Len() > 0 || len(store.requests()) != row.asked {
			t.Errorf("HTTP %d: got expired %t, %d bytes and %d requests, want neither and %d requests", row.status, failed.Expired(), file.Len(), len(store.requests()), row.asked)
		}
		wantNoLink(t, err)
	}
	// A file that is only said to be HTML, and is shorter than the part that is looked at.
	store := serve(t, anAnswer(200, html, "<x"))
	var file bytes.Buffer
	if _, err := at(t, store).client().Download(t.Context(), store.URL, &file, 1<<20); err != nil || file.String() != "<x" {
		t.Errorf("got %q and %v, want the file", file.String(), err)
	}
}

func TestTheReasonOfAFileStoreIsQuoted(t *testing.T) {
	for status, want := range map[int]string{
		403: "the link has expired or was refused (HTTP 403: AuthenticationFailed: Not in the time frame of [redacted])",
		404: "the file store answered HTTP 404: AuthenticationFailed",
	} {
		store := serve(t, anAnswer(status, map[string]string{"Content-Type": "application/xml"},
			"\uFEFF<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>Not in the time frame of "+secretPart+"</Message></Error>"))
		_, err := at(t, store).client().Download(t.Context(), store.URL+"/a?"+secretPart, io.Discard, 1<<20)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
		wantNoLink(t, err)
	}
}

func TestOtherWordsOfAFileStoreAreQuoted(t *testing.T) {
	for body, want := range map[string]string{`{"error":{"code":"X","message":"m"}}`: "HTTP 400: X: m.", "no such container": "HTTP 400: no such container.", "\x00\x01": "HTTP 400.", "": "HTTP 400."} {
		store := serve(t, anAnswer(400, nil, body))
		if _, err := at(t, store).client().Download(t.Context(), store.URL, io.Discard, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", body, err, want)
		}
	}
}

func TestDownloadsGetThroughInTheEnd(t *testing.T) {
	store := serve(t, following(cut(""), status(500, ""), body("content")))
	w := at(t, store)
	var file bytes.Buffer
	if _, err := w.client().Download(t.Context(), store.URL, &file, 100); err != nil || file.String() != "content" {
		t.Errorf("got %q and %v, want the content alone", file.String(), err)
	}
	if got := fmt.Sprint(w.clock.Waits()); got != "[500ms 1s]" {
		t.Errorf("got %s, want waits of half a second and one", got)
	}
}

func TestDownloadLinks(t *testing.T) {
	plain := httptest.NewServer(body("content"))
	t.Cleanup(plain.Close)
	rows := []struct {
		name, link string
		fine       bool
	}{
		{"https", "https://store.example/a?" + secretPart, true},
		{"http on this machine", plain.URL + "/a", true},
		{"http elsewhere", "http://store.example/a?" + secretPart, false},
		{"http to a name of this machine", "http://localhost/a?" + secretPart, false},
		{"a file", "file:///etc/passwd?" + secretPart, false},
		{"no address", "sig=hidden-signature", false},
		{"a broken address", "https://store.example/%zz?" + secretPart, false},
		{"a line break", "https://store.example/\n?" + secretPart, false},
		{"nothing", "", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			store := serve(t, body("content"))
			w := at(t, store)
			asked := 0
			w.Transport = plainClient(store, func(ctx context.Context, network, address string) (net.Conn, error) {
				asked++
				if strings.HasPrefix(address, "store.example") {
					return nil, errors.New("reached")
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			})
			_, err := w.client().Download(t.Context(), row.link, io.Discard, 100)
			if (asked > 0) != row.fine {
				t.Errorf("got %d and %v, want a connection %t", asked, err, row.fine)
			}
			if !row.fine {
				as[*defender.DownloadError](t, err)
			}
			wantNoLink(t, err)
		})
	}
}

func TestADownloadThatCannotBeSavedFails(t *testing.T) {
	full := errors.New("no space left on device")
	store := serve(t, body("content"))
	_, err := at(t, store).client().Download(t.Context(), store.URL, writerFunc(func([]byte) (int, error) { return 0, full }), 100)
	if got := as[*defender.DownloadError](t, err); !errors.Is(got, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestADownloadEndsWithItsCaller(t *testing.T) {
	stopped := errors.New("the platform stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	store := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel(stopped)
		<-r.Context().Done()
	})
	w := at(t, store)
	w.Limits.Attempt = time.Hour
	if _, err := w.client().Download(ctx, store.URL, io.Discard, 100); !errors.Is(err, stopped) {
		t.Errorf("got %v, want %v", err, stopped)
	}
	if len(w.clock.Waits()) > 0 {
		t.Errorf("got waits of %v, want no further attempt", w.clock.Waits())
	}
}
