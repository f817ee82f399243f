package defender

import (
	"context"
	"errors"
	"io"
	"net/http"
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
		// A service that learns that nobody waits any more may end the answer early as if it were whole.
		return &brokenBodyError{context.Cause(c.ctx)}
	}
	if bad, ok := errors.AsType[*badAnswerError](err); ok && body.err == nil {
		return &AnswerError{Operation: c.operation, Status: response.StatusCode, Problem: bad.problem, Err: err}
	}
	if body.err != nil {
		return &brokenBodyError{body.err}
	}
	return err
}

// markedReader remembers why reading ended early, which the consumer may have wrapped or replaced.
type markedReader struct {
	body io.Reader
	err  error
}

func (m *markedReader) Read(into []byte) (int, error) {
	n, err := m.body.Read(into)
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
