package execution

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// requestLog writes a line about every request that an execution sends, those of the sign-in included: the method, the
// host, the path, the status, the time and, after a failure of the same request, the number of the attempt. It never
// writes a query, a header or a body.
type requestLog struct {
	now   func() time.Time
	write func(line string)

	mu sync.Mutex
	// failures counts how often in a row a request has failed, by its method, host and path.
	failures map[string]int
}

// over logs the requests that a transport sends. A nil log logs nothing.
func (l *requestLog) over(transport policy.Transporter) policy.Transporter {
	if l == nil {
		return transport
	}
	return logged{transport, l}
}

// logged is a transport whose requests are logged.
type logged struct {
	policy.Transporter

	log *requestLog
}

// Do sends a request and logs it.
func (t logged) Do(request *http.Request) (*http.Response, error) {
	began := t.log.now()
	response, err := t.Transporter.Do(request)
	t.log.note(request, response, err, t.log.now().Sub(began))
	return response, err
}

func (l *requestLog) note(request *http.Request, response *http.Response, err error, taken time.Duration) {
	what := request.Method + " " + request.URL.Host + request.URL.EscapedPath()
	l.mu.Lock()
	defer l.mu.Unlock()
	attempt := l.failures[what] + 1
	outcome := "no answer"
	if err == nil {
		outcome = fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
	} else if cause := errors.Unwrap(err); cause != nil {
		outcome = "no answer: " + cause.Error()
	}
	l.failures[what] = attempt
	if err == nil && response.StatusCode < http.StatusBadRequest {
		delete(l.failures, what)
	}
	line := fmt.Sprintf("%s: %s in %d ms", what, outcome, taken.Milliseconds())
	if attempt > 1 {
		line += fmt.Sprintf(", attempt %d", attempt)
	}
	l.write(line)
}
