package execution

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/params"
)

// network shows an execution the way to the hosts of its instance. It makes no requests of its own: it watches the others.
type network struct {
	transports *Transports
	instance   params.Instance
	getenv     func(name string) string

	signIn, api watch
}

var _ diagnosis.Network = (*network)(nil)

func newNetwork(transports *Transports, instance params.Instance, getenv func(string) string, now func() time.Time) *network {
	return &network{transports: transports, instance: instance, getenv: getenv, signIn: watch{now: now}, api: watch{now: now}}
}

// Resolve returns the addresses of a host, sorted.
func (n *network) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addresses, err := n.transports.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	for i, address := range addresses {
		addresses[i] = address.Unmap()
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses), nil
}

// Route returns the proxy that the transport of the instance uses for target.
func (n *network) Route(target *url.URL) (diagnosis.Route, error) {
	if !n.instance.UseProxy {
		return diagnosis.Route{}, nil
	}
	settings := proxySettings(n.getenv)
	proxy, err := proxyOf(settings)(&http.Request{URL: target})
	if err != nil || proxy == nil {
		// A proxy for http is for no target: every host beyond this machine is one of https.
		return diagnosis.Route{Exempt: settings.HTTPSProxy != ""}, err
	}
	return diagnosis.Route{Proxy: &url.URL{Scheme: proxy.Scheme, Host: proxy.Host}}, nil
}

// SignIn returns what the requests for tokens have shown.
func (n *network) SignIn() diagnosis.Contact { return n.signIn.seen() }

// API returns what the requests to the API have shown.
func (n *network) API() diagnosis.Contact { return n.api.seen() }

// watch records what the newest request to a service has shown.
type watch struct {
	now func() time.Time

	mu      sync.Mutex
	contact diagnosis.Contact
}

func (w *watch) seen() diagnosis.Contact {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.contact
}

// over watches the requests that a transport sends.
func (w *watch) over(transport policy.Transporter) policy.Transporter { return watched{transport, w} }

// watched is a transport that is watched.
type watched struct {
	policy.Transporter
	watch *watch
}

// Do sends.
func (t watched) Do(request *http.Request) (*http.Response, error) {
	response, err := t.Transporter.Do(request)
	t.watch.note(request.URL, response, err)
	return response, err
}

// note records the outcome of a request. Without a response it keeps what an earlier one has shown.
func (w *watch) note(target *url.URL, response *http.Response, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.contact.Target, w.contact.Err = target, err
	if err == nil {
		w.contact.Header, w.contact.At, w.contact.TLS = response.Header, w.now(), response.TLS
	}
}
