package simulator

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Cut is where a connection breaks.
type Cut string

// The places where a connection breaks.
const (
	CutBefore  Cut = "before"  // before a byte of the answer
	CutMiddle  Cut = "middle"  // in the middle of the body
	CutTrickle Cut = "trickle" // after half of the body a byte comes every second, and after 10,000 the connection breaks
)

// Fault is something that goes wrong, for the requests that it fits. The first scripted one that fits is used.
//
// With a Status, Code, Body, Empty or Location the fault answers instead of the tenant, which does nothing
// unless Act says so. Otherwise the tenant acts, and the rest of the fault is done to its answer; only
// CutBefore without Act keeps the request from it altogether.
type Fault struct {
	// Kind, Method and Path choose the requests; what is empty fits all. Path is a prefix when it ends in "/",
	// else a pattern of path.Match, against the unescaped path.
	Kind   Kind
	Method string
	Path   string
	// After is the number of requests that are left alone at first, Times the number of those that meet the fault; 0 means no end.
	After, Times int

	// Act has the tenant carry the request out although its answer is then replaced or lost.
	Act bool
	// Delay passes before anything else.
	Delay time.Duration

	// Status of the answer. The default is 302 with a Location, 400 with a Code, else 200.
	Status int
	// Code and Message make the error body that this part of the tenant returns; the default code follows from
	// Status. At the authority, the code is a number with or without "AADSTS" before it.
	Code, Message string
	// Body takes the place of the error body, as text of ContentType, the default of which is application/json.
	Body, ContentType string
	// Empty answers without a body.
	Empty bool
	// Location is where a redirect leads.
	Location string
	// RetryAfter becomes the header of that name, in seconds, rounded up. 0 leaves it out.
	RetryAfter time.Duration
	// Header has further headers of the answer.
	Header http.Header

	// Truncate drops the second half of the body, and the length given fits what is left.
	Truncate bool
	// Cut breaks the connection.
	Cut Cut
}

// faultScript holds the faults that are not used up.
type faultScript struct {
	mu     sync.Mutex
	faults []*Fault
}

// Script adds faults to come. It panics when a path is not a pattern of path.Match.
func (t *Tenant) Script(faults ...Fault) {
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	for _, f := range faults {
		if _, err := path.Match(f.Path, ""); err != nil {
			panic(fmt.Sprintf("simulator: the path %q of a fault: %v", f.Path, err))
		}
		t.faults.faults = append(t.faults.faults, &f)
	}
}

// ClearFaults drops the faults still to come.
func (t *Tenant) ClearFaults() {
	t.faults.mu.Lock()
	defer t.faults.mu.Unlock()
	t.faults.faults = nil
}

// take returns the fault for a request, and counts it.
func (s *faultScript) take(kind Kind, r *http.Request) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.fits(kind, r) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		used := *f
		if f.Times == 1 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		f.Times = max(0, f.Times-1)
		return used, true
	}
	return Fault{}, false
}

func (f *Fault) fits(kind Kind, r *http.Request) bool {
	if f.Kind != "" && f.Kind != kind || f.Method != "" && f.Method != r.Method {
		return false
	}
	if f.Path == "" || strings.HasSuffix(f.Path, "/") {
		return strings.HasPrefix(r.URL.Path, f.Path)
	}
	matched, err := path.Match(f.Path, r.URL.Path)
	return err == nil && matched
}

// scripted reports whether the fault has an answer of its own.
func (f *Fault) scripted() bool {
	return f.Status != 0 || f.Code != "" || f.Body != "" || f.Empty || f.Location != ""
}

// heldAnswer is an answer that is not sent yet.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *heldAnswer) Header() http.Header { return a.header }

func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *heldAnswer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// fail answers as the fault says; serve is the tenant's own answer. It ends by panicking with
// http.ErrAbortHandler when the connection is to break.
func (t *Tenant) fail(w http.ResponseWriter, r *http.Request, kind Kind, f Fault, serve func(http.ResponseWriter)) {
	if f.Delay > 0 {
		if err := t.sleep(r.Context(), f.Delay); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	answer := &heldAnswer{header: w.Header().Clone()}
	if f.Act || !f.scripted() && f.Cut != CutBefore {
		serve(answer)
	}
	if f.Cut == CutBefore {
		panic(http.ErrAbortHandler)
	}
	if f.scripted() {
		answer = &heldAnswer{header: w.Header().Clone()}
		t.scriptedAnswer(answer, r, kind, f)
	}
	f.adorn(answer.header)
	t.send(r.Context(), w, answer, f)
}

// scriptedAnswer is the fault's own answer, with a body as this part of the tenant returns it.
func (t *Tenant) scriptedAnswer(w http.ResponseWriter, r *http.Request, kind Kind, f Fault) {
	switch {
	case f.Status != 0:
	case f.Location != "":
		f.Status = http.StatusFound
	case f.Code != "":
		f.Status = http.StatusBadRequest
	default:
		f.Status = http.StatusOK
	}
	if f.Body != "" || f.Empty || f.Status < http.StatusBadRequest {
		if f.Body != "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(f.Status)
		// A held answer takes every byte.
		_, _ = w.Write([]byte(f.Body))
		return
	}
	code := f.Code
	if code == "" {
		code = strings.ReplaceAll(http.StatusText(f.Status), " ", "")
	}
	switch kind {
	case KindAuthority:
		number, err := strconv.Atoi(strings.TrimPrefix(code, "AADSTS"))
		if err != nil {
			// What Entra answers while it is not available for the moment
			// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
			number = 90033
		}
		answerJSON(w, f.Status, t.refusalBody(r, refuse(number, "%s", f.Message)))
	case KindProxy:
		answerProxyProblem(w, &proxyProblem{f.Status, code, f.Message})
	case KindIdentity:
		answerJSON(w, f.Status, map[string]any{"error": code, "error_description": f.Message})
	case KindAPI, KindGraph, KindDownload:
		writeError(w, f.Status, code, f.Message)
	}
}

// adorn sets the headers that the fault asks for.
func (f *Fault) adorn(h http.Header) {
	maps.Copy(h, f.Header)
	if f.ContentType != "" {
		h.Set("Content-Type", f.ContentType)
	}
	if f.Location != "" {
		h.Set("Location", f.Location)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", wholeSeconds(f.RetryAfter))
	}
}

// A trickle is trickleLength bytes with tricklePause before each.
const (
	trickleLength = 10_000
	tricklePause  = time.Second
)

// send sends the answer, as far as the fault lets it through.
func (t *Tenant) send(ctx context.Context, w http.ResponseWriter, answer *heldAnswer, f Fault) {
	answer.WriteHeader(http.StatusOK)
	maps.Copy(w.Header(), answer.header)
	body := answer.body.Bytes()
	half := body[:len(body)/2]
	length := len(body)
	switch {
	case f.Cut == CutMiddle:
		length = max(length, 1)
	case f.Cut == CutTrickle:
		length = len(half) + trickleLength + 1 // so that the body never gets whole
	case f.Truncate:
		body, length = half, len(half)
	}
	if answer.status != http.StatusNoContent && answer.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(length))
	}
	w.WriteHeader(answer.status)
	if f.Cut == "" {
		// A client that is gone needs no answer.
		_, _ = w.Write(body)
		return
	}
	err := write(w, half)
	for i := 0; f.Cut == CutTrickle && i < trickleLength && err == nil; i++ {
		if err = t.sleep(ctx, tricklePause); err == nil {
			err = write(w, []byte("x"))
		}
	}
	panic(http.ErrAbortHandler)
}

// write sends bytes at once.
func write(w http.ResponseWriter, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
