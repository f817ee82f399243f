package gateway

import (
	"errors"
	"net"
)

// HandshakeError means that a host was reached and no TLS connection came of it.
type HandshakeError struct{ Err error }

func (e *HandshakeError) Error() string { return "no TLS connection was agreed on: " + e.Err.Error() }

// Unwrap returns the reason, such as a certificate that is not trusted.
func (e *HandshakeError) Unwrap() error { return e.Err }

// IsHandshake reports whether a request failed because the two sides did not agree on a TLS connection: on its version, or
// on a certificate of the client. With TLS 1.3 the host may say so only after the handshake, as an alert.
func IsHandshake(err error) bool {
	if _, failed := errors.AsType[*HandshakeError](err); failed {
		return true
	}
	alert, ok := errors.AsType[*net.OpError](err)
	return ok && alert.Op == "remote error" // as crypto/tls calls the alerts that it receives
}

// HandshakeRemedy says what to do about it; it is the middle of a sentence.
const HandshakeRemedy = "have the host, or the proxy that opens connections to it, offer TLS 1.2 or later and ask for no certificate of the client"
