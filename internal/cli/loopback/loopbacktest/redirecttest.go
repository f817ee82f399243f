// Package loopbacktest gives tests addresses of this machine at which they can wait for a browser.
package loopbacktest

import (
	"errors"
	"net"
	"strconv"
	"testing"
)

// The ports that are tried are below those that systems assign to connections, so that none takes one in between.
const (
	firstPort = 20000
	ports     = 10000
)

// URI returns a redirect URI of localhost with a free port and the path /callback.
func URI(t testing.TB) string {
	t.Helper()
	uri, err := FreeURI()
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// FreeURI is URI where there is no test.
func FreeURI() (string, error) {
	// The port that the system assigns makes each call start elsewhere.
	begin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer begin.Close()
	offset := begin.Addr().(*net.TCPAddr).Port
	for i := range ports {
		port := strconv.Itoa(firstPort + (offset+i)%ports)
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			continue
		}
		return "http://localhost:" + port + "/callback", listener.Close()
	}
	return "", errors.New("no port is free")
}
