package execution

import "net/http"

// TransportOf returns the transport of a client behind its rule about protocols.
func TransportOf(client *http.Client) *http.Transport {
	return client.Transport.(neverSwitching).Transport
}
