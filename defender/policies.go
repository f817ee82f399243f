package defender

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"xsoar-defender/internal/gateway"
)

// attempts is how often a request is sent, at most.
const attempts = 4

// repeatPolicy sends a request again when that is safe and of use, and turns refusals into errors.
type repeatPolicy struct {
	patience *patience
	pace     *pace
	now      func() time.Time
	quota    Quota
	asked    *sync.Once
}

// Do sends the request until it is answered, refused for good or out of patience.
func (p *repeatPolicy) Do(req *policy.Request) (*http.Response, error) {
	call := callOf(req)
	var failed problem
	for attempt := 1; ; attempt++ {
		response, err := p.sendInTurn(req, call, &failed)
		if err != nil || response != nil {
			return response, err
		}
		if attempt == attempts || !failed.again || !p.pause(req.Raw().Context(), failed, attempt) {
			return nil, failed.final()
		}
	}
}

// sendInTurn makes one attempt when it is the request's turn. With neither an answer nor an error, failed says what became of
// the attempt.
func (p *repeatPolicy) sendInTurn(req *policy.Request, call *call, failed *problem) (*http.Response, error) {
	ctx := req.Raw().Context()
	p.readShare(ctx, call.operation)
	leave, err := p.pace.enter(ctx, call.operation)
	if err == nil {
		defer leave()
		err = p.turn(ctx, call.operation)
	}
	if err != nil {
		if failed.err != nil && !failed.throttled {
			return nil, failed.err // says more than that there is no time left to try again
		}
		return nil, err
	}
	response, err := p.send(req, call)
	if err == nil && response.StatusCode < 300 {
		return response, nil
	}
	*failed = p.judge(call, response, err)
	call.rest()
	return nil, nil
}

// longestShared is how long a refusal counts for other clients: the service counts the requests of an hour at most. A wait that is
// absurd must not silence every fetch and command of the instance for longer.
const longestShared = time.Hour

// readShare reads once, before the first request that counts, what the client's share of the quota is.
func (p *repeatPolicy) readShare(ctx context.Context, operation Operation) {
	if p.quota == nil || operation.Rate != usualRate {
		return
	}
	p.asked.Do(func() {
		until, share := p.quota.Share(ctx)
		if wait := until.Sub(p.now()); 0 < wait && wait <= longestShared { // a time further off comes from a wrong clock
			p.patience.shared(wait)
		}
		p.pace.limit(share)
	})
}

// turn waits until the request may be sent.
func (p *repeatPolicy) turn(ctx context.Context, operation Operation) error {
	for {
		after, err := p.patience.ready(ctx)
		if err != nil {
			return err
		}
		if after > 0 {
			return &ThrottledError{Operation: operation, After: after}
		}
		wait := p.pace.take(operation)
		if wait == 0 {
			return nil
		}
		p.patience.shared(wait)
	}
}

// send makes one attempt and reads the answer of one that succeeds, because that too can fail for a while.
func (p *repeatPolicy) send(req *policy.Request, call *call) (*http.Response, error) {
	call.attempt()
	response, err := req.Clone(req.Raw().Context()).Next()
	if err == nil && response.StatusCode < http.StatusOK {
		response.Body.Close()
		return response, &AnswerError{Operation: call.operation, Status: response.StatusCode, Problem: "a switch to another protocol, which nobody asked for"}
	}
	if err == nil && response.StatusCode < 300 {
		err = call.read(response)
	}
	return response, err
}

// problem is an attempt that failed.
type problem struct {
	err error
	// again reports whether the request may be sent again.
	again bool
	// named is the wait that the service asked for, or zero.
	named time.Duration
	// throttled reports whether the quota is exhausted, so that the command should run again later.
	throttled bool
}

// judge decides what a failed attempt means. A request that changes something is sent again only when the
// service certainly did not act: it was never sent, or refused with 429.
func (p *repeatPolicy) judge(call *call, response *http.Response, err error) problem {
	if err != nil {
		unsent := !call.sent.Load()
		return problem{err: err, again: call.ctx.Err() == nil && connectionFailed(err) && (unsent || call.operation.Repeatable())}
	}
	after := gateway.RetryAfter(response.Header, p.now())
	body := call.hide(drain(response.Body))
	refused := refusal(call.operation, response, body, after)
	result := problem{err: refused, named: after}
	if page, ok := gateway.Detect(response.StatusCode, response.Header, body); ok && response.StatusCode != http.StatusTooManyRequests {
		result.err = &GatewayError{Operation: call.operation, Answer: page}
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		result.again, result.throttled = true, true
		call.sent.Store(false) // nothing was done
		if p.quota != nil && after > 0 && call.operation.Rate == usualRate {
			p.patience.shared(after) // before the note is written, which takes a while
			p.pace.limit(p.quota.Refused(call.ctx, p.now().Add(min(after, longestShared))))
		}
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		result.again = call.operation.Repeatable()
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		result.err = &AnswerError{Operation: call.operation, Status: response.StatusCode, Problem: "a redirect, which is never followed with a token"}
	}
	return result
}

// connectionFailed reports whether an error is one of the network: net/http wraps every error of its own in url.Error.
// One that is behind a failed sign-in does not count, for the sign-in has tried again itself.
func connectionFailed(err error) bool {
	if _, signIn := errors.AsType[*SignInError](err); signIn {
		return false
	}
	var network *url.Error
	var broken *brokenBodyError
	return errors.As(err, &network) || errors.As(err, &broken)
}

// firstPause is the wait before the second attempt if the service named none; each further one is twice as long.
const firstPause = 500 * time.Millisecond

// pause waits before the next attempt; false means that no patience is left for it.
func (p *repeatPolicy) pause(ctx context.Context, failed problem, attempt int) bool {
	wait := firstPause << (attempt - 1)
	if failed.named > 0 {
		wait = failed.named
	}
	if failed.throttled {
		return p.patience.shared(wait)
	}
	return p.patience.alone(ctx, wait)
}

// defaultWait is how long a command waits after a refusal for quota without a time.
const defaultWait = time.Minute

func (p problem) final() error {
	if !p.throttled {
		return p.err
	}
	var refused *APIError
	errors.As(p.err, &refused)
	after := p.named
	if after == 0 {
		after = defaultWait
	}
	return &ThrottledError{Operation: refused.Operation, After: after, Err: refused}
}

// shortRefusals is a transport whose answers other than success have a short body that has been read already. The
// pipeline would read all of it, however much a broken gateway sends, and forget the status when that breaks off.
type shortRefusals struct{ policy.Transporter }

// Do sends.
func (t shortRefusals) Do(request *http.Request) (*http.Response, error) {
	response, err := t.Transporter.Do(request)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		response.Body = io.NopCloser(strings.NewReader(drain(response.Body)))
	}
	return response, err
}

// errorBody is how much of an error answer is read, in bytes.
const errorBody = 64 << 10

// drain reads an error answer as far as it can be read, so that its connection can be used again.
func drain(body io.ReadCloser) string {
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, errorBody))
	if err != nil {
		return "" // half a body says nothing
	}
	return string(text)
}

// signPolicy sets the token of a request and, if the service rejects it, once a fresh one.
type signPolicy struct{ tokens TokenSource }

// Do signs and sends.
func (p *signPolicy) Do(req *policy.Request) (*http.Response, error) {
	call := callOf(req)
	token, err := call.signedIn(func() (string, error) { return p.tokens.Token(req.Raw().Context(), req.Raw().URL) })
	if err != nil {
		return nil, &SignInError{err}
	}
	response, err := p.signed(req, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	fresh, err := call.signedIn(func() (string, error) { return p.tokens.Renew(req.Raw().Context(), req.Raw().URL, token) })
	switch {
	case err != nil:
		return nil, &SignInError{err}
	case fresh == token:
		return response, nil
	}
	return p.signed(req, fresh)
}

func (p *signPolicy) signed(req *policy.Request, token string) (*http.Response, error) {
	call := callOf(req)
	clone := req.Clone(call.traced(req.Raw().Context()))
	clone.Raw().Header.Set("Authorization", "Bearer "+token)
	call.tokens = append(call.tokens, token)
	call.attachBody(clone.Raw())
	return clone.Next()
}

// countPolicy counts how every request ended.
type countPolicy struct {
	metrics *Metrics
}

// Do sends and counts.
func (p *countPolicy) Do(req *policy.Request) (*http.Response, error) {
	response, err := req.Next()
	var outcome Outcome
	switch {
	case err == nil:
		outcome = outcomeOf(response.StatusCode)
	case errors.Is(context.Cause(req.Raw().Context()), errTooSlow), isTimeout(err):
		outcome = TimeoutError
	default:
		outcome = ConnectionFailed
	}
	p.metrics.add(outcome)
	return response, err
}

func isTimeout(err error) bool {
	var network *url.Error
	return errors.As(err, &network) && network.Timeout()
}

func outcomeOf(status int) Outcome {
	switch {
	case status < 300:
		return Successful
	case status == http.StatusUnauthorized:
		return AuthError
	case status == http.StatusTooManyRequests:
		return QuotaError
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return TimeoutError
	case status >= http.StatusInternalServerError:
		return ServiceError
	}
	return GeneralError
}
