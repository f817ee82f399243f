package defender

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/rawjson"
)

// call is the state of one operation on its way through the pipeline.
type call struct {
	operation Operation
	limits    Limits
	// body is the JSON that is sent; it is empty if there is no body.
	body string
	// form is sent as the body instead, unless it is nil.
	form *form
	// most returns how many bytes an answer may have that has a number of them, or turns out to have more.
	most func(size int64) int64
	// consume reads the answer while it comes; nil: the answer is kept.
	consume consumer
	// ctx ends with the caller's context or when the call takes too long.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// timer ends an attempt that takes too long, and the call with it.
	timer *time.Timer
	// tokens are those that the request was sent with, which no error may show.
	tokens []string
	// sent reports whether the headers of the request were written: from then on the service may have acted.
	sent atomic.Bool
	// answer is the body of the answer, checked to be JSON; it is empty for an empty body.
	answer rawjson.Page
}

// errTooSlow is the cause with which a call is ended that takes longer than its limits.
var errTooSlow = errors.New("the service did not answer in time")

func newCall(ctx context.Context, operation Operation, limits Limits, most func(size int64) int64) *call {
	c := &call{operation: operation, limits: limits, most: most}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// traced returns the context of one request to the service. The sign-in, which may make requests of its own on the way,
// is not seen by it: what it sends tells nothing of what the service may have done.
func (c *call) traced(ctx context.Context) context.Context {
	c.sent.Store(false)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Store(true) }})
}

// shortestToken is the length from which secrets are hidden: no service issues a shorter one, and it would be found in
// harmless words.
const shortestToken = 8

// hide removes the tokens from a text of the service, which may repeat what it was sent.
func (c *call) hide(text string) string {
	for _, token := range c.tokens {
		if len(token) >= shortestToken {
			text = strings.ReplaceAll(text, token, "[redacted]")
		}
	}
	return text
}

// attachBody sets the body of a request to a reader of its own: an answer can come, and the request be repeated, while net/http is
// still sending the body of the one before.
func (c *call) attachBody(request *http.Request) {
	if c.form != nil {
		c.form.attach(request)
		return
	}
	if c.body == "" {
		return
	}
	request.Body = io.NopCloser(strings.NewReader(c.body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(c.body)), nil }
	request.ContentLength = int64(len(c.body))
	request.Header.Set("Content-Type", "application/json")
	if c.operation.Graph {
		// Without the character set Graph reads other letters than were sent, and finds other rows. See
		// https://github.com/microsoftgraph/microsoft-graph-docs/pull/22166.
		request.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
}

func (c *call) end() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.cancel(nil)
}

// bodyShare is how many bytes of a body must come within the time of one attempt, so that the whole may take an attempt
// for each of them: 20 kB/s is the slowest connection that works.
const bodyShare = 512 << 10

// read reads the body of an answer, which may take longer than an attempt as long as it keeps coming.
func (c *call) read(response *http.Response) error {
	defer response.Body.Close()
	if response.StatusCode == http.StatusNoContent {
		if c.operation.Repeatable() {
			return c.nothing(response)
		}
		return nil
	}
	if c.consume != nil {
		return c.stream(response)
	}
	whole, err := c.readText(response)
	if err != nil {
		return err
	}
	if len(whole) < headSize { // small enough to be an error, which repeats what was sent
		whole = c.hide(whole)
	}
	if strings.TrimSpace(whole) != "" {
		c.answer, err = rawjson.ParsePage(whole)
	}
	page, isPage := gateway.Answer{}, false
	if err != nil {
		page, isPage = gateway.Detect(response.StatusCode, response.Header, c.hide(whole))
	}
	switch {
	case c.answer.Whole == "" && c.ctx.Err() != nil:
		// A service that learns that nobody is waiting may end the answer early as if it were whole.
		return &brokenBodyError{context.Cause(c.ctx)}
	case isPage:
		return &GatewayError{Operation: c.operation, Answer: page}
	case err != nil:
		return &AnswerError{Operation: c.operation, Status: response.StatusCode, Problem: err.Error(), Said: plainWords(c.hide(whole)), Err: err}
	case c.answer.Whole == "" && c.operation.Repeatable():
		return c.nothing(response)
	case c.answer.Whole != "" && !c.answer.Whole.Get("@this").IsObject():
		return &AnswerError{Operation: c.operation, Status: response.StatusCode, Problem: "no JSON object", Said: c.hide(Says(c.answer.Whole))}
	}
	if refused := errorIn(c.operation, response.StatusCode, c.answer.Whole); refused != nil {
		refused.Code, refused.Message, refused.Target = c.hide(refused.Code), c.hide(refused.Message), c.hide(refused.Target)
		c.answer = rawjson.Page{}
		return refused
	}
	return nil
}

// readText reads the text of a body within the limits. It holds no more of it than once.
func (c *call) readText(response *http.Response) (string, error) {
	body := &pacedBody{body: response.Body, progress: func() { c.timer.Reset(c.limits.Attempt) }}
	if known := response.ContentLength; known > 0 {
		if most := c.most(known); known > most {
			return "", c.tooLarge(response, most)
		}
		text := newTextPart(int(known) + 1)
		if err := text.fill(body); err != nil && !errors.Is(err, io.EOF) {
			return "", &brokenBodyError{err}
		}
		return text.text(), nil
	}
	parts, err := gather(body, c.most)
	if err != nil {
		parts.free()
		return "", &brokenBodyError{err}
	}
	if most := c.most(int64(parts.size)); int64(parts.size) > most {
		parts.free()
		return "", c.tooLarge(response, most)
	}
	return parts.text(), nil
}

func (c *call) tooLarge(response *http.Response, most int64) error {
	return &TooLargeError{Operation: c.operation, Status: response.StatusCode, Most: most}
}

// nothing is the error of an empty answer to a request that reads.
func (c *call) nothing(response *http.Response) error {
	return &AnswerError{Operation: c.operation, Status: response.StatusCode, Problem: "empty"}
}

// brokenBodyError reports that an answer began to arrive and broke off.
type brokenBodyError struct{ err error }

func (e *brokenBodyError) Error() string { return "the answer broke off: " + e.err.Error() }

func (e *brokenBodyError) Unwrap() error { return e.err }

// pacedBody calls progress for every share of a body that has arrived.
type pacedBody struct {
	body     io.Reader
	progress func()
	got      int
}

func (p *pacedBody) Read(into []byte) (int, error) {
	n, err := p.body.Read(into)
	if p.got += n; p.got >= bodyShare {
		p.got = 0
		p.progress()
	}
	return n, err
}

// attempt starts the clock of one attempt, and rest stops it: the wait between two attempts is part of neither.
func (c *call) attempt() {
	c.timer = time.AfterFunc(c.limits.Attempt, func() { c.cancel(errTooSlow) })
}

func (c *call) rest() { c.timer.Stop() }

// signedIn gets a token. A sign-in has bounds of its own, which may be longer than an attempt: that of a managed identity waits
// for its endpoint to be updated. If it took the attempt's time, the service would be blamed for it.
func (c *call) signedIn(signIn func() (string, error)) (string, error) {
	c.rest()
	defer c.attempt()
	return signIn()
}

// failure makes the error of a call that got no answer.
func (c *call) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil && (!c.sent.Load() || c.operation.Repeatable()) { // else it matters what became of the change
		return context.Cause(ctx)
	}
	var known interface{ defenderError() }
	if errors.As(err, &known) {
		return err
	}
	if cause := context.Cause(c.ctx); cause != nil {
		err = cause
	}
	return &ConnectionError{Operation: c.operation, Sent: c.sent.Load(), Slow: errors.Is(err, errTooSlow), Err: err}
}

// callOf finds the call that a request of the pipeline belongs to.
func callOf(req *policy.Request) *call {
	var found *call
	req.OperationValue(&found)
	return found
}
