// Package loopback receives what a browser brings at the end of a login. The authority sends the browser to the redirect
// URI of the application; where that is an address of this machine, a Receiver waits for it there.
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

// Error says that nothing on this machine can receive what is sent to a redirect URI.
type Error struct {
	URI string
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("This program cannot receive what the browser brings to %s: %v.", e.URI, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrElsewhere says that a redirect URI is not one of this machine.
	ErrElsewhere = errors.New("it is not an address of this machine")
	// ErrNeedsTLS says that browsers would want a certificate for a redirect URI of this machine, which nobody can have.
	ErrNeedsTLS = errors.New("with https it would need a certificate")
)

// Receiver waits on this machine for the browser of one login. Nobody beyond this machine reaches it.
type Receiver struct {
	path, state string

	server *http.Server
	serve  sync.WaitGroup
	taken  atomic.Bool
	// answers gets the one answer that is taken, and failures what ends one of the listeners.
	answers  chan *Answer
	failures chan error
}

// Limits of what a browser may send, of which a code and a state are a few kilobytes.
const (
	largestRequest = 64 << 10
	headerTimeout  = 10 * time.Second
)

// Listen begins to wait at a redirect URI for the login with this state. It listens at exactly the port of the URI, as
// that is where the browser goes; without one that is 80. Microsoft documents ("Redirect URI restrictions and
// limitations", localhost exceptions) that its authority ignores the port of such a URI when it compares it with those
// that are registered, on whatever platform of the application: another port needs no other registration. The error is
// an *Error.
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
		// A browser asks for / where the URI has no path.
		path: cmp.Or(address.EscapedPath(), "/"), state: state,
		answers: make(chan *Answer, 1), failures: make(chan error, len(listeners)),
	}
	r.server = &http.Server{
		Handler: r, ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: largestRequest,
		ErrorLog: log.New(io.Discard, "", 0), // what others send is of no interest to the user
	}
	// A browser keeps connections, and opens some that it may need. Nothing is to wait for them.
	r.server.SetKeepAlivesEnabled(false)
	for _, listener := range listeners {
		r.serve.Go(func() { r.failures <- r.server.Serve(listener) })
	}
	return r, nil
}

// listen opens a port of this machine, under each of the addresses that browsers take for localhost: a program that had
// the other one would get what is meant for this one.
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

// hasIPv6 says whether the machine has the loopback address of IPv6, at which then some port is free.
func hasIPv6(ctx context.Context) bool {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "[::1]:0")
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

// Receive waits for the browser, until ctx ends, which gives its cause. Only one answer ever comes.
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

// Close ends the waiting. Pages that were shown have left by then.
func (r *Receiver) Close() error {
	err := r.server.Close()
	r.serve.Wait()
	return err
}

// Answer is what the browser brought. It is waiting for a page.
type Answer struct {
	// Query holds either a code or an error, beside the state, which is right. It is secret.
	Query string

	page  chan Page
	shown chan struct{}
}

// Show shows the browser how the login has ended, unless its user has gone. To be called once.
func (a *Answer) Show(page Page) {
	a.page <- page
	<-a.shown
}

// ServeHTTP takes the answer of the login, and nothing else: whatever another page or program sends changes nothing.
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
	case <-request.Context().Done(): // nobody is looking any more
	}
}
