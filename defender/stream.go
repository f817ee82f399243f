package defender

import (
	"context"
	"errors"
	"io"
	"net/http"

	"xsoar-defender/internal/gateway"
	"xsoar-defender/internal/rawjson"
)

// consumer reads an answer while it comes, from its beginning each time that the request is sent again. Its own errors,
// such as a disk that is full, end the call; those of reading may lead to another try.
type consumer func(body io.Reader) error

// badAnswerError is the error of a consumer for an answer that is not of the form it should have.
type badAnswerError struct{ problem string }

func (e *badAnswerError) Error() string { return e.problem }

// stream hands the body of an answer to the consumer.
func (c *call) stream(response *http.Response) error {
	body := &markedReader{body: &pacedBody{body: response.Body, progress: func() { c.timer.Reset(c.limits.Attempt) }}}
	err := c.consume(body)
	if c.ctx.Err() != nil {
		// A service that learns that nobody is waiting may end the answer early as if it were whole.
		return &brokenBodyError{context.Cause(c.ctx)}
	}
	head := c.hide(string(body.head))
	bad, isBad := errors.AsType[*badAnswerError](err)
	whole, failed := rawjson.Parse(head)
	if (err == nil || isBad) && body.err == nil && failed == nil && len(body.head) < headSize {
		if refused := errorIn(c.operation, response.StatusCode, whole); refused != nil {
			return refused
		}
	}
	if isBad && body.err == nil {
		if page, is := gateway.Detect(response.StatusCode, response.Header, head); is {
			return &GatewayError{Operation: c.operation, Answer: page}
		}
		said := plainWords(head)
		if failed == nil {
			said = Says(whole)
		}
		return &AnswerError{Operation: c.operation, Status: response.StatusCode, Problem: bad.problem, Said: said, Err: err}
	}
	if body.err != nil {
		return &brokenBodyError{body.err}
	}
	return err
}

// headSize is how much of an answer is remembered, in bytes: enough for an error, or for the page of a gateway.
const headSize = 8 << 10

// markedReader remembers why reading ended early, which the consumer may have wrapped or replaced, and how the answer began.
type markedReader struct {
	body io.Reader
	err  error
	head []byte
}

func (m *markedReader) Read(into []byte) (int, error) {
	n, err := m.body.Read(into)
	if room := headSize - len(m.head); room > 0 {
		m.head = append(m.head, into[:min(n, room)]...)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// streamed makes a call whose answer is consumed while it comes.
func (c *Client) streamed(ctx context.Context, r request, consume consumer) error {
	r.consume = consume
	_, err := c.send(ctx, r)
	return err
}
