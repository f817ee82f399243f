package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/tidwall/gjson"

	"xsoar-defender/internal/gateway"
	"xsoar-defender/params"
)

const (
	// answerLimit bounds how many bytes of an answer are read; a token takes a few kilobytes. A longer answer is cut, so it is
	// no longer JSON.
	answerLimit = 1 << 20
	// applicationID begins the User-Agent of requests for tokens.
	applicationID = "xsoar-defender"
)

// wire describes how a mode talks to the service that issues its tokens.
type wire struct {
	mode      params.Mode
	transport policy.Transporter
	address   string // of the service: scheme and host count
	patience  time.Duration
	retry     policy.RetryOptions
	now       func() time.Time
	// plain is for the managed identity endpoint, which speaks http and is where azidentity finds it: on the machine or next
	// to it. Every other wire leads to the host of address over https, and nowhere else.
	plain   bool
	secrets []string
}

// tokenWire is the wire to the authority. All tries and the pauses between them take at most 20 s.
func (s settings) tokenWire() wire {
	return wire{
		mode:      s.instance.Mode,
		transport: s.env.Transport,
		address:   s.instance.Cloud.Authority,
		patience:  20 * time.Second,
		now:       s.env.Now,
		retry: policy.RetryOptions{
			MaxRetries: 2, TryTimeout: 9 * time.Second, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 4 * time.Second,
		},
		secrets: []string{
			s.instance.ClientSecret.Reveal(), s.instance.Grant.Code.Reveal(), s.instance.Grant.RefreshToken.Reveal(),
		},
	}
}

// within bounds the time of a sign-in. Its error is an *Error, which wraps the error of ctx if the caller gave up.
func (w wire) within(ctx context.Context, signIn func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	err := signIn(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return canceled(w.mode, ctx.Err())
	case bounded.Err() != nil:
		return w.timeout(bounded.Err())
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	return unprepared(w.mode, err)
}

// exchange is one sign-in over a wire. It records requests and answers, because azidentity's errors have neither the cause
// of a network failure nor, for managed identities, the answer; and it knows the secrets that no error may show.
type exchange struct {
	wire

	mu      sync.Mutex
	hidden  redactor
	host    string
	failure error // of the last request, if no answer came
	status  int   // of the last answer
	header  http.Header
	body    []byte
}

var _ policy.Transporter = (*exchange)(nil)

func (w wire) open() *exchange { return &exchange{wire: w, hidden: newRedactor(w.secrets...)} }

// hide adds values that no error of this sign-in may show.
func (x *exchange) hide(values ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hidden.add(values...)
}

// Do sends a request and records how it ended.
func (x *exchange) Do(request *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.host, x.status, x.header, x.body = request.URL.Host, 0, nil, nil
	var response *http.Response
	response, x.failure = x.send(request)
	return response, x.failure
}

func (x *exchange) send(request *http.Request) (*http.Response, error) {
	if err := x.mayGoTo(request.URL); err != nil {
		return nil, err
	}
	request, err := x.hideForm(request)
	if err != nil {
		return nil, err
	}
	response, err := x.transport.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return nil, err
	}
	body = bytes.TrimPrefix(body, []byte(gateway.ByteOrderMark))
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		x.hidden.add(gjson.GetBytes(body, name).String())
	}
	x.status, x.header, x.body = response.StatusCode, response.Header, body
	if isSuccess(response.StatusCode) {
		if body, err = readableAnswer(body, x.now()); err != nil {
			return nil, err
		}
		if gjson.GetBytes(body, "access_token").Exists() {
			response.StatusCode = http.StatusOK // of the others MSAL takes only some, and a proxy may send 203
		}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// mayGoTo returns an error unless a request may go to target. Libraries choose other hosts than the authority's own: by
// AZURE_REGIONAL_AUTHORITY_NAME, or because the authority's metadata name another cloud.
func (w wire) mayGoTo(target *url.URL) error {
	if w.plain {
		return nil
	}
	if target.Scheme != "https" && !params.IsLoopback(target.Hostname()) {
		return errPlainHTTP
	}
	if !strings.EqualFold(target.Host, hostOf(w.address)) {
		return errOtherHost
	}
	return nil
}

// hideForm hides the secrets in a token request, some of which only azidentity has seen before. The request must be
// copied: its body can be read once.
func (x *exchange) hideForm(request *http.Request) (*http.Request, error) {
	kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || request.Body == nil {
		return request, nil
	}
	defer request.Body.Close()
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, fmt.Errorf("read the token request: %w", err)
	}
	// ParseQuery returns the pairs it could read in addition to its error, and azidentity sends only such pairs.
	form, _ := url.ParseQuery(string(body))
	for _, name := range []string{"client_secret", "client_assertion", "code", "code_verifier", "refresh_token"} {
		x.hidden.add(form.Get(name))
	}
	copied := request.WithContext(request.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	return copied, nil
}

// options makes an azidentity credential use this exchange. Naming the cloud keeps AZURE_AUTHORITY_HOST out of it.
func (x *exchange) options(authority string) azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: authority},
		Transport: x,
		Retry:     x.retry,
		Telemetry: policy.TelemetryOptions{ApplicationID: applicationID},
	}
}

// pipeline sends this package's own requests over this exchange, as azidentity's are sent.
func (x *exchange) pipeline() runtime.Pipeline {
	return runtime.NewPipeline(applicationID, "v1", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: x,
		Retry:     x.retry,
		Telemetry: policy.TelemetryOptions{Disabled: true},
	})
}
