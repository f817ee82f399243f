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
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/tidwall/gjson"

	"xsoar-defender/params"
)

const (
	// answerLimit bounds what is read of an answer; a token takes a few kilobytes. What is cut off is no JSON any more.
	answerLimit = 1 << 20
	// applicationID begins the User-Agent of requests for tokens.
	applicationID = "xsoar-defender"
)

// wire says how a mode talks to whoever gives it tokens.
type wire struct {
	mode      params.Mode
	transport policy.Transporter
	address   string // whom it asks: scheme and host count
	patience  time.Duration
	retry     policy.RetryOptions
	// plain allows http, which only the managed identity endpoint speaks: it does not leave the machine's own host.
	plain   bool
	secrets []string
}

// tokenWire is the wire to the authority. All tries and the pauses between them take 20 s at most.
func (s settings) tokenWire() wire {
	return wire{
		mode:      s.instance.Mode,
		transport: s.env.Transport,
		address:   s.instance.Cloud.Authority,
		patience:  20 * time.Second,
		retry: policy.RetryOptions{
			MaxRetries: 2, TryTimeout: 9 * time.Second, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 4 * time.Second,
		},
		secrets: []string{
			s.instance.ClientSecret.Reveal(), s.instance.Grant.Code.Reveal(), s.instance.Grant.RefreshToken.Reveal(),
		},
	}
}

// within bounds a sign-in in time. Its error is an *Error, which wraps that of ctx when the caller gave up.
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

// exchange is one sign-in over a wire. It sees what is sent and what comes, because azidentity's errors carry neither the
// cause of a network failure nor, for managed identities, the answer; and it knows the secrets that no error may show.
type exchange struct {
	wire

	mu      sync.Mutex
	hidden  redactor
	host    string
	failure error // of the last request, when no answer came
	status  int   // of the last answer
	body    []byte
}

var _ policy.Transporter = (*exchange)(nil)

func (w wire) open() *exchange { return &exchange{wire: w, hidden: newRedactor(w.secrets...)} }

// hide keeps values out of the error that may come.
func (x *exchange) hide(values ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hidden.add(values...)
}

// Do sends a request and remembers how it ended.
func (x *exchange) Do(request *http.Request) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.host, x.status, x.body = request.URL.Host, 0, nil
	var response *http.Response
	response, x.failure = x.send(request)
	return response, x.failure
}

func (x *exchange) send(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" && !x.plain && !params.IsLoopback(request.URL.Hostname()) {
		return nil, errPlainHTTP
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
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		x.hidden.add(gjson.GetBytes(body, name).String())
	}
	x.status, x.body = response.StatusCode, body
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// hideForm notes the secrets that a token request carries, some of which only azidentity has seen before. The request has
// to be copied: its body can be read once.
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
	// ParseQuery gives what it could read beside its error, and what it could not read is not what azidentity sends.
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

// pipeline sends requests of our own over this exchange, as azidentity's are sent.
func (x *exchange) pipeline() runtime.Pipeline {
	return runtime.NewPipeline(applicationID, "v1", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: x,
		Retry:     x.retry,
		Telemetry: policy.TelemetryOptions{Disabled: true},
	})
}
