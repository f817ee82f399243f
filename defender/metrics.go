package defender

import "sync/atomic"

// Outcome is how a request ended, in the terms in which the platform counts.
type Outcome int

// The outcomes of requests.
const (
	Successful Outcome = iota
	GeneralError
	QuotaError
	AuthError
	TimeoutError
	ConnectionFailed
	ServiceError
	outcomes
)

// String is the outcome's name in the platform's protocol.
func (o Outcome) String() string {
	return [...]string{"Successful", "GeneralError", "QuotaError", "AuthError", "TimeoutError", "ConnectionError", "ServiceError"}[o]
}

// Metrics counts the requests of a client by how they ended.
type Metrics struct{ counts [outcomes]atomic.Int64 }

func (m *Metrics) add(outcome Outcome) { m.counts[outcome].Add(1) }

// Each goes over the outcomes that happened.
func (m *Metrics) Each(visit func(outcome Outcome, requests int)) {
	for outcome := range outcomes {
		if n := m.counts[outcome].Load(); n > 0 {
			visit(outcome, int(n))
		}
	}
}
