// Package loopback receives the answer that a browser brings at the end of a login. The authority sends the browser to
// the redirect URI of the application; if that is an address of this machine, a Receiver waits for it there.
package loopback

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"xsoar-defender/params"
)

// Error reports why this program cannot receive the answer at a redirect URI.
type Error struct {
	URI string
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("This program cannot receive what the browser brings to %s: %v.", e.URI, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrElsewhere reports that a redirect URI is not an address of this machine.
	ErrElsewhere = errors.New("it is not an address of this machine")
	// ErrNeedsTLS reports an https redirect URI: browsers would want a certificate for this machine, which nobody can get.
	ErrNeedsTLS = errors.New("with https it would need a certificate")
)

// Receiver waits on this machine for the browser of one login. It is not reachable from other machines.
type Receiver struct {
	path, state string

	server *http.Server
	serve  sync.WaitGroup
	taken  atomic.Bool
	// answers gets the one accepted answer, and failures gets the errors that end a listener.
	answers  chan *Answer
	failures chan error
}

// Limits of a browser's request. A code and a state have a few kilobytes.
const (
	largestRequest = 64 << 10
	headerTimeout  = 10 * time.Second
)

// Listen starts to wait at a redirect URI for the login with this state. It listens at exactly the port of the URI,
// where the browser goes; the default is 80. Microsoft documents ("Redirect URI restrictions and
// limitations", localhost exceptions) that its authority ignores the port of such a URI when it compares it with those
// that are registered, on every platform of the application: another port needs no other registration
// (https://learn.microsoft.com/entra/identity-platform/reply-url). The error is an *Error.
func Listen(ctx context.Context, uri, state string) (*Receiver, error) {
	address, err := url.Parse(uri)
	switch {
	case err != nil || !params.IsLoopback(address.Hostname()):
		return nil, &Error{uri, ErrElsewhere}
	case address.Scheme != "http":
		return nil, &Error{uri, ErrNeedsTLS}
	}
	listeners, err := listen(ctx, address.Hostname(), cmp.Or(address.Port(), "80"))
	if err != nil {
		return nil, &Error{uri, err}
	}
	r := &Receiver{
		// A browser asks for / if the URI has no path.
		path: cmp.Or(address.EscapedPath(), "/"), state: state,
		answers: make(chan *Answer, 1), failures: make(chan error, len(listeners)),
	}
	r.server = &http.Server{
		Handler: r, ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: largestRequest,
		ErrorLog: log.New(io.Discard, "", 0), // the user is not interested in other requests
	}
	// A browser keeps connections open, and opens spare ones. Nothing must wait for them.
	r.server.SetKeepAlivesEnabled(false)
	for _, listener := range listeners {
		r.serve.Go(func() { r.failures <- r.server.Serve(listener) })
	}
	return r, nil
}

// listen opens a port of this machine on each of the addresses that browsers try for localhost: a program that had the
// other address would get the answer instead.
func listen(ctx context.Context, host, port string) (listeners []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, listener := range listeners {
				listener.Close()
			}
		}
	}()
	if port == "0" {
		return nil, errors.New("no browser goes to port 0")
	}
	hosts := []string{host}
	if _, err := netip.ParseAddr(host); err != nil {
		hosts = []string{"127.0.0.1"}
		if hasIPv6(ctx) {
			hosts = append(hosts, "::1")
		}
	}
	for _, host := range hosts {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
		if err != nil {
			return listeners, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

// hasIPv6 reports whether the machine has the loopback address of IPv6.
func hasIPv6(ctx context.Context) bool {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "[::1]:0")
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

// Receive waits for the browser until ctx ends, and then returns its cause. There is at most one answer.
func (r *Receiver) Receive(ctx context.Context) (*Answer, error) {
	select {
	case answer := <-r.answers:
		return answer, nil
	case err := <-r.failures:
		return nil, fmt.Errorf("waiting for the browser: %w", err)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Close stops waiting. Pages that were shown have been sent by then.
func (r *Receiver) Close() error {
	err := r.server.Close()
	r.serve.Wait()
	return err
}

// Answer is the answer that the browser brought. The browser waits for a page.
type Answer struct {
	// Query holds either a code or an error, and the state, which was verified. It is secret.
	Query string

	page  chan Page
	shown chan struct{}
}

// Show shows in the browser how the login ended, unless the browser is gone. It must be called once.
func (a *Answer) Show(page Page) {
	a.page <- page
	<-a.shown
}

// ServeHTTP accepts the answer of the login and nothing else: requests of other pages or programs change nothing.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	switch {
	case request.Method != http.MethodGet || request.URL.EscapedPath() != r.path:
		pageNothing.write(w, http.StatusNotFound)
		return
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(r.state)) != 1:
		pageOther.write(w, http.StatusBadRequest)
		return
	case query.Get("code") == "" && !query.Has("error"):
		pageEmpty.write(w, http.StatusBadRequest)
		return
	case !r.taken.CompareAndSwap(false, true):
		pageSecond.write(w, http.StatusBadRequest)
		return
	}
	answer := &Answer{Query: request.URL.RawQuery, page: make(chan Page, 1), shown: make(chan struct{})}
	defer close(answer.shown)
	r.answers <- answer
	select {
	case page := <-answer.page:
		page.write(w, page.status())
	case <-request.Context().Done(): // the browser is gone
	}
}
