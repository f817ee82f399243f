package execution

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"xsoar-defender/params"
)

// Transports are the HTTP clients of a process, one for each way of reaching the network. They are kept across
// executions, so that connections and TLS sessions are used again; they hold no cookies and no credentials.
type Transports struct {
	// DialDirect, when set before the first use, makes the connections of Direct: a simulated tenant leads those
	// to the address of the managed identity endpoint to itself.
	DialDirect func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	kinds map[transportKind]*http.Client
}

// transportKind is what makes two instances need different connections. The cloud is part of it, so that
// instances of two clouds share nothing.
type transportKind struct {
	cloud           string
	insecure, proxy bool
}

// NewTransports makes an empty set.
func NewTransports() *Transports { return &Transports{kinds: map[transportKind]*http.Client{}} }

// For gives the client for the hosts of an instance.
func (t *Transports) For(instance params.Instance) *http.Client {
	return t.client(transportKind{cloud: instance.Cloud.API.String(), insecure: instance.Insecure, proxy: instance.UseProxy})
}

// Direct gives the client for the managed identity endpoint, which is never asked through a proxy.
func (t *Transports) Direct() *http.Client { return t.client(transportKind{}) }

func (t *Transports) client(kind transportKind) *http.Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.kinds[kind]; ok {
		return known
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: kind.insecure}, //nolint:gosec // the instance's own choice
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     idleTimeout,
		ReadBufferSize:      readBuffer,
	}
	if kind.proxy {
		transport.Proxy = http.ProxyFromEnvironment
	}
	if kind == (transportKind{}) && t.DialDirect != nil {
		transport.DialContext = t.DialDirect
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.kinds[kind] = client
	return client
}

const (
	connectTimeout = 10 * time.Second
	keepAlive      = 30 * time.Second
	idleTimeout    = 90 * time.Second
	// idleConnections fits the requests that one command makes at once.
	idleConnections = 8
	readBuffer      = 32 << 10
)
