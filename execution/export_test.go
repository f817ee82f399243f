package execution

import (
	"net/http"
	"time"

	"xsoar-defender/commands"
)

// TransportOf returns the transport of a client behind its rule about protocols.
func TransportOf(client *http.Client) *http.Transport {
	return client.Transport.(neverSwitching).Transport
}

// ContextOf returns the platform as a command sees it, and as the quota or the sign-in does.
func ContextOf(host commands.Host, now func() time.Time) (command, part commands.Host) {
	reads := newContextReads(host, now)
	return reads, &contextShare{contextReads: reads}
}
