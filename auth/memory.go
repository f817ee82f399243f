package auth

import (
	"sync"
	"time"
)

// memoryLimit is how many tokens a Memory holds: far more than the instances that one process serves.
const memoryLimit = 256

// Memory keeps access tokens for the life of the process, for modes that have no secret to seal them with and so keep
// none in the Store. The zero value is ready, a nil *Memory keeps nothing, and it is safe for concurrent use.
type Memory struct {
	mu     sync.Mutex
	tokens map[memoryKey]accessToken
}

// memoryKey holds the name beside the fingerprint so that two instances never share a token, even when they are alike.
type memoryKey struct{ instance, fingerprint string }

func (m *Memory) find(key memoryKey) accessToken {
	if m == nil {
		return accessToken{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tokens[key]
}

func (m *Memory) put(key memoryKey, token accessToken, now time.Time) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = make(map[memoryKey]accessToken)
	}
	delete(m.tokens, key)
	m.makeRoom(now)
	m.tokens[key] = token
}

// drop removes the token at key if it is this one.
func (m *Memory) drop(key memoryKey, value string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens[key].Value == value {
		delete(m.tokens, key)
	}
}

// makeRoom drops what has ended and, when the memory is full all the same, what ends first.
func (m *Memory) makeRoom(now time.Time) {
	var first memoryKey
	var found bool
	for key, token := range m.tokens {
		if !now.Before(token.Expires) {
			delete(m.tokens, key)
			continue
		}
		if !found || token.Expires.Before(m.tokens[first].Expires) {
			first, found = key, true
		}
	}
	if len(m.tokens) >= memoryLimit {
		delete(m.tokens, first)
	}
}
