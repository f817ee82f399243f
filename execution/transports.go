package execution

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"

	"xsoar-defender/auth"
	"xsoar-defender/internal/gateway"
	"xsoar-defender/params"
)

// Transports are the HTTP clients of a process, one for each way of reaching the network. They are kept across
// executions, so that connections and TLS sessions are used again; they hold no cookies and no credentials.
type Transports struct {
	// DialDirect, when set before the first use, makes the connections of Direct: a simulated tenant leads those
	// to the address of the managed identity endpoint to itself.
	DialDirect func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup, when set, looks up the addresses of a host for a diagnosis, instead of the machine's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	mu    sync.Mutex
	kinds map[transportKind]*http.Client
}

// transportKind has the settings in which two instances must differ to need different connections. The cloud is one, so that
// instances of two clouds share nothing.
type transportKind struct {
	cloud    string
	insecure bool
	proxy    httpproxy.Config // zero for none
}

// NewTransports makes an empty set.
func NewTransports() *Transports { return &Transports{kinds: map[transportKind]*http.Client{}} }

// For returns the client for the hosts of an instance. getenv looks up the proxy settings of the environment, for instances
// that use a proxy.
func (t *Transports) For(instance params.Instance, getenv func(name string) string) *http.Client {
	kind := transportKind{cloud: instance.Cloud.API.String(), insecure: instance.Insecure}
	if instance.UseProxy {
		kind.proxy = proxySettings(getenv)
	}
	return t.client(kind)
}

// proxySettings reads the variables that name proxies, in both of their usual spellings. Package net/http reads them once
// in the life of a process, and for every instance alike.
func proxySettings(getenv func(string) string) httpproxy.Config {
	return httpproxy.Config{
		HTTPProxy:  cmp.Or(getenv("http_proxy"), getenv("HTTP_PROXY")),
		HTTPSProxy: cmp.Or(getenv("https_proxy"), getenv("HTTPS_PROXY")),
		NoProxy:    cmp.Or(getenv("no_proxy"), getenv("NO_PROXY")),
	}
}

// proxyOf returns a function that finds the proxy of a request. A setting that is not an address is an error, for package
// httpproxy would connect directly then, which the instance must not.
func proxyOf(settings httpproxy.Config) func(*http.Request) (*url.URL, error) {
	find := settings.ProxyFunc()
	return func(request *http.Request) (*url.URL, error) {
		if settings.HTTPSProxy != "" && !isProxyAddress(settings.HTTPSProxy) {
			return nil, &gateway.UnusableProxyError{}
		}
		found, err := find(request.URL)
		if err == nil && found != nil && found.Host == "" { // package httpproxy reads addresses in ways of its own
			return nil, &gateway.UnusableProxyError{}
		}
		return found, err
	}
}

// refusedByProxy returns an error that names the proxy if it did not open a tunnel. The one of package net/http is only the
// text of the status.
func refusedByProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	_, reason, _ := strings.Cut(answer.Status, " ")
	return &gateway.ConnectError{Answer: gateway.Answer{Status: answer.StatusCode, Title: gateway.Line(reason)}, Proxy: proxy.Host}
}

// isProxyAddress reports whether a setting is an address, with or without a scheme, as is usual.
func isProxyAddress(setting string) bool {
	if !strings.Contains(setting, "://") {
		setting = "http://" + setting
	}
	address, err := url.Parse(setting)
	return err == nil && address.Host != ""
}

// lookup looks up the addresses of a host.
func (t *Transports) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if t.Lookup != nil {
		return t.Lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// Direct returns the client for the managed identity endpoint, which is never asked through a proxy.
func (t *Transports) Direct() *http.Client { return t.client(transportKind{}) }

func (t *Transports) client(kind transportKind) *http.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.kinds[kind]; ok {
		return known
	}
	transport := &http.Transport{
		DialContext:         promptly((&net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}).DialContext),
		TLSHandshakeTimeout: connectTimeout,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, InsecureSkipVerify: kind.insecure, //nolint:gosec // the instance's own choice
			ClientSessionCache: tls.NewLRUClientSessionCache(keptSessions),
		},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     idleTimeout,
		ReadBufferSize:      readBuffer,
	}
	if kind.proxy != (httpproxy.Config{}) {
		transport.Proxy = proxyOf(kind.proxy)
		transport.OnProxyConnectResponse = refusedByProxy
	}
	if kind == (transportKind{}) {
		transport.DialContext = promptly((&net.Dialer{Timeout: auth.ConnectTimeout, KeepAlive: keepAlive}).DialContext)
		if t.DialDirect != nil {
			transport.DialContext = t.DialDirect
		}
	}
	client := &http.Client{
		Transport:     neverSwitching{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.kinds[kind] = client
	return client
}

// neverSwitching is a transport that lets nobody switch to another protocol. With the answer that does so, 101, the
// connection is handed over, and reading from it ends when the peer likes, whatever the context of the request says.
type neverSwitching struct{ *http.Transport }

// RoundTrip sends a request. Where no TLS connection comes of it the error says so, as a *gateway.HandshakeError, and where
// there is no connection to the proxy, as a *gateway.UnusableProxyError.
func (t neverSwitching) RoundTrip(request *http.Request) (*http.Response, error) {
	var handshake atomic.Pointer[error]
	watched := httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
		if err != nil {
			handshake.Store(&err)
		}
	}})
	response, err := t.Transport.RoundTrip(request.WithContext(watched))
	if err == nil && response.StatusCode == http.StatusSwitchingProtocols {
		response.Body.Close()
		response.Body = http.NoBody
	}
	if failed := handshake.Load(); err != nil && failed != nil && request.Context().Err() == nil && !gateway.IsTimeout(err) {
		return nil, &gateway.HandshakeError{Err: err}
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "proxyconnect" {
		if proxy, unusable := t.Proxy(request); unusable == nil && proxy != nil {
			return nil, &gateway.UnusableProxyError{Proxy: proxy.Host, Err: err}
		}
	}
	return response, err
}

const (
	connectTimeout = 10 * time.Second
	keepAlive      = 30 * time.Second
	idleTimeout    = 90 * time.Second
	// keptSessions is enough for the hosts of one cloud. Resuming a session after an idle connection was closed saves sending
	// and checking certificates again; a session does not identify the client.
	keptSessions = 8
	// idleConnections is enough for the requests that one command makes at once.
	idleConnections = 8
	readBuffer      = 16 << 10
)
