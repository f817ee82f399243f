// Package defender is the client of the Microsoft Defender for Endpoint API: one file per area, one method
// per operation. It knows how requests are built, signed, repeated, paced and counted, and nothing of the
// platform that asks.
package defender

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/system"
)

// TokenSource provides the access tokens that sign requests.
type TokenSource interface {
	// Token returns a token for the host of target, or an error if that host may not have one.
	Token(ctx context.Context, target *url.URL) (string, error)
	// Renew returns a token other than the one that the service rejected.
	Renew(ctx context.Context, target *url.URL, rejected string) (string, error)
}

// Options configure a client.
type Options struct {
	system.Clock

	// API is the base of the API without a final slash, such as https://api.security.microsoft.com.
	API    *url.URL
	Tokens TokenSource
	// Graph and GraphTokens serve Microsoft Graph, which has the Defender XDR incidents, and hunting. GraphTokens is
	// called when the first such request is made.
	Graph       *url.URL
	GraphTokens func() (TokenSource, error)
	// Transport sends requests. It must not follow redirects.
	Transport policy.Transporter
	// Version goes in the User-Agent header.
	Version string
	Limits  Limits
	// Quota, if set, is what the client shares with others that use the same application.
	Quota Quota
	// Progress, when set, receives the progress of long work.
	Progress Progress
	// Large, when set, is called before more than 1 MiB of an answer is read, or of a list held, and returns the largest answer
	// in bytes that there is memory for; 0 leaves it to the limits.
	Large func() int64
}

// Progress receives how far long work has come, for anyone who waits for it. Its methods return at once, and
// may be called by several goroutines.
type Progress interface {
	// Listed reports that a number of requests, whose purpose completes "the attempt to ...", have brought items of at
	// most limit, and that more is asked for.
	Listed(purpose string, items, limit, requests int)
	// Downloaded reports how many bytes of a file have arrived; 0 when it begins. The total is negative if it is unknown.
	Downloaded(got, total int64)
	// Exported reports how many records of an export have come, and which of its parts is being read; parts is 0 when
	// their number is not known.
	Exported(purpose string, records int64, part, parts int)
}

// Limits bound how long a request may take. A zero value is the default given.
type Limits struct {
	// Attempt is how long one request may take: 25 s, and as long again for every 512 KiB of the answer. A
	// request that took too long is not repeated.
	Attempt time.Duration
	// Patience is how long all requests of a client together wait because the service asked for it or did
	// not answer: 30 s.
	Patience time.Duration
	// Body is the largest answer that is read, in bytes after decompression, and the largest list of several answers: 128 MiB.
	Body int64
}

// LargestAnswer is the limit of an answer in bytes unless the instance sets another or the memory is too small for it.
const LargestAnswer = 128 << 20

func (l Limits) withDefaults() Limits {
	if l.Attempt == 0 {
		l.Attempt = 25 * time.Second
	}
	if l.Patience == 0 {
		l.Patience = 30 * time.Second
	}
	if l.Body == 0 {
		l.Body = LargestAnswer
	}
	return l
}

// Client calls the API for one execution of a command. Its methods may be called concurrently.
type Client struct {
	options  Options
	limits   Limits
	metrics  *Metrics
	patience *patience
	pace     *pace
	asked    sync.Once // whether the quota was asked for the client's share
	api      runtime.Pipeline
	graph    func() (runtime.Pipeline, error)
}

// New returns a client. Nothing is sent before the first call.
func New(o Options) *Client {
	limits := o.Limits.withDefaults()
	client := &Client{options: o, limits: limits, metrics: &Metrics{}, patience: newPatience(limits.Patience, o.Clock), pace: newPace(o.Now)}
	client.api = client.pipeline(o.Tokens)
	client.graph = sync.OnceValues(func() (runtime.Pipeline, error) {
		tokens, err := o.GraphTokens()
		if err != nil {
			return runtime.Pipeline{}, err
		}
		return client.pipeline(tokens), nil
	})
	return client
}

// Metrics returns the counts so far.
func (c *Client) Metrics() *Metrics { return c.metrics }

func (c *Client) pipeline(tokens TokenSource) runtime.Pipeline {
	return runtime.NewPipeline("xsoar-defender", c.options.Version, runtime.PipelineOptions{
		PerCall: []policy.Policy{&repeatPolicy{patience: c.patience, pace: c.pace, now: c.options.Now, quota: c.options.Quota, asked: &c.asked}},
		PerRetry: []policy.Policy{
			&signPolicy{tokens: tokens},
			&countPolicy{metrics: c.metrics},
		},
	}, &policy.ClientOptions{
		Transport: shortRefusals{c.options.Transport},
		Telemetry: policy.TelemetryOptions{Disabled: true},
		// The pipeline's own repetition sends a POST again after a lost answer, which would isolate a
		// machine twice, and knows neither our patience nor our clock.
		Retry: policy.RetryOptions{MaxRetries: -1},
	})
}

// request is one call of an operation.
type request struct {
	operation Operation
	// args fill the placeholders of the operation's path, in order.
	args  []string
	query Query
	// body is sent as JSON unless it is nil.
	body any
	// link, when set, is the whole URL, instead of path and query: a next page.
	link string
	// patient is how long one request may take; zero for the limit of the client.
	patient time.Duration
	// form, when set, is sent as the body.
	form *form
	// consume, when set, reads the answer while it comes, which is then not kept.
	consume consumer
}

// most returns how many bytes an answer or a list may have, of which size are known or expected. Large is asked when that makes
// it a large one.
func (c *Client) most(size int64) int64 {
	if size <= largeAnswer || c.options.Large == nil {
		return c.limits.Body
	}
	return min(cmp.Or(c.options.Large(), c.limits.Body), c.limits.Body)
}

// send makes the call and returns the answer's body, checked to be JSON. An empty body is "".
func (c *Client) send(ctx context.Context, r request) (rawjson.Value, error) {
	answer, err := c.answer(ctx, r)
	return answer.Whole, err
}

// answer makes the call and returns the answer's body, checked to be JSON and with what it holds if it is a list.
func (c *Client) answer(ctx context.Context, r request) (rawjson.Page, error) {
	base, pipeline := c.options.API, c.api
	if r.operation.Graph {
		graph, err := c.graph()
		if err != nil {
			return rawjson.Page{}, err
		}
		base, pipeline = c.options.Graph, graph
	}
	target, err := r.url(base)
	if err != nil {
		return rawjson.Page{}, err
	}
	limits := c.limits
	if r.patient > 0 {
		limits.Attempt = r.patient
	}
	call := newCall(ctx, r.operation, limits, c.most)
	call.form, call.consume = r.form, r.consume
	defer call.end()
	req, err := runtime.NewRequest(call.ctx, r.operation.Method, target)
	if err != nil {
		return rawjson.Page{}, fmt.Errorf("building the request to %s: %w", r.operation.Purpose, err)
	}
	header := req.Raw().Header
	header.Set("User-Agent", "xsoar-defender/"+c.options.Version)
	header.Set("Accept", "application/json")
	if r.operation.Graph {
		header.Set("Prefer", preferUnknownMembers)
	}
	if r.body != nil {
		if call.body, err = encodeBody(r.body); err != nil {
			return rawjson.Page{}, fmt.Errorf("building the request to %s: %w", r.operation.Purpose, err)
		}
	}
	req.SetOperationValue(call)
	runtime.SkipBodyDownload(req)
	if _, err := pipeline.Do(req); err != nil {
		return rawjson.Page{}, call.failure(ctx, err)
	}
	return call.answer, nil
}

func encodeBody(body any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(body)
	return text.String(), err
}

func (r request) url(base *url.URL) (string, error) {
	if r.link != "" {
		return r.link, nil
	}
	path, err := r.operation.path(r.args)
	if err != nil {
		return "", err
	}
	target := strings.TrimSuffix(base.String(), "/") + path
	if query := r.query.encode(); query != "" {
		target += "?" + query
	}
	return target, nil
}

// get calls an operation that answers with one object.
func (c *Client) get(ctx context.Context, operation Operation, args ...string) (rawjson.Value, error) {
	return c.object(ctx, request{operation: operation, args: args})
}

// object makes a call whose answer is an object, unless it changes something: then the status may be all that it says.
func (c *Client) object(ctx context.Context, r request) (rawjson.Value, error) {
	object, err := c.send(ctx, r)
	if err == nil && r.operation.Repeatable() && holdsNothing(object) {
		return "", lacks(r.operation, "without the object that it must have", object)
	}
	return object, err
}

// post calls an operation with a body.
func (c *Client) post(ctx context.Context, operation Operation, body any, args ...string) (rawjson.Value, error) {
	return c.send(ctx, request{operation: operation, args: args, body: body})
}

// change calls an operation that answers with the object that it has changed or made, of which key is a part. Without it the
// status says nothing about the change.
func (c *Client) change(ctx context.Context, operation Operation, key string, body any, args ...string) (rawjson.Value, error) {
	object, err := c.post(ctx, operation, body, args...)
	if err == nil && !object.Has(key) {
		return "", lacks(operation, "without the object that would show the change", object)
	}
	return object, err
}

// path fills the placeholders of the operation's path. Every value is escaped, so that an id can neither
// leave its segment nor add a query; quotes are doubled where OData wants that, inside of quoted function arguments.
func (o Operation) path(args []string) (string, error) {
	var path strings.Builder
	rest := o.Path
	for _, arg := range args {
		before, after, _ := strings.Cut(rest, "{}")
		path.WriteString(before)
		// Nothing but dots would lead to another place: servers resolve such a segment, escaped or not. Without
		// any character it would be the list of all things instead of one of them.
		if strings.Trim(arg, ".") == "" {
			return "", &ArgumentError{Operation: o, Value: arg}
		}
		if strings.HasSuffix(before, "'") {
			arg = strings.ReplaceAll(arg, "'", "''")
		}
		path.WriteString(url.PathEscape(arg))
		rest = after
	}
	path.WriteString(rest)
	return path.String(), nil
}
