package simulator

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Kind is the part of the tenant that a request was for.
type Kind string

// The parts of a tenant.
const (
	KindAuthority Kind = "authority" // sign-in and tokens, and every path that nothing else claims
	KindAPI       Kind = "api"       // the Defender API
	KindGraph     Kind = "graph"     // Microsoft Graph
	KindIdentity  Kind = "identity"  // the managed identity endpoint
	KindProxy     Kind = "proxy"     // the token proxy of the Cortex XSOAR application
	KindDownload  Kind = "download"  // download links, outside the API
	KindControl   Kind = "control"   // the tenant's own control endpoint, which is not recorded
)

// Request is something that was asked of the tenant.
type Request struct {
	Kind   Kind
	Method string
	// URI is the request target as it was sent, Path its unescaped path.
	URI, Path string
	Query     url.Values
	Header    http.Header
	Body      []byte
	// At is when it came, by the tenant's clock.
	At time.Time
	// Status of the answer; 0 while there is no answer, and for a connection that was cut before one.
	Status int
	// Answer is the body of the answer, if the tenant records.
	Answer []byte
}

func newRequest(kind Kind, r *http.Request, body []byte, at time.Time) Request {
	return Request{
		Kind: kind, Method: r.Method, URI: r.RequestURI, Path: r.URL.Path, Query: r.URL.Query(),
		Header: r.Header.Clone(), Body: body, At: at,
	}
}

// maxRequests bounds what a tenant that runs for long remembers; the oldest are forgotten first.
const maxRequests = 100_000

// requestLog keeps what was asked, in order.
type requestLog struct {
	mu      sync.Mutex
	entries []*Request
}

func (l *requestLog) add(r Request) *Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) >= maxRequests {
		l.entries = slices.Delete(l.entries, 0, maxRequests/10)
	}
	l.entries = append(l.entries, &r)
	return &r
}

func (l *requestLog) answered(r *Request, answer *statusWriter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Status, r.Answer = answer.status, answer.body
}

// Requests returns everything that was asked, in the order it came. The newest 100,000 are kept.
func (t *Tenant) Requests() []Request {
	t.requests.mu.Lock()
	defer t.requests.mu.Unlock()
	list := make([]Request, len(t.requests.entries))
	for i, r := range t.requests.entries {
		list[i] = *r
		list[i].Query = maps.Clone(r.Query)
		list[i].Header = r.Header.Clone()
		list[i].Body = slices.Clone(r.Body)
	}
	return list
}

// ResetRequests forgets everything that was asked.
func (t *Tenant) ResetRequests() {
	t.requests.mu.Lock()
	defer t.requests.mu.Unlock()
	t.requests.entries = nil
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status    int
	recording bool
	body      []byte // as far as it is recorded
}

// maxRecorded bounds what is recorded of an answer, in bytes.
const maxRecorded = 1 << 20

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.recording {
		w.body = append(w.body, b[:min(len(b), maxRecorded-len(w.body))]...)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answerJSON answers with a value as JSON.
func answerJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that is gone needs no answer.
	_, _ = w.Write(body)
}

// wholeSeconds writes a duration as Retry-After wants it, rounded up.
func wholeSeconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}
