package auth

import (
	"maps"
	"sync"
	"time"
)

// processLimit is the maximum number of tokens in a ProcessTokens: far more than the instances that one process serves.
const processLimit = 256

// ProcessTokens stores access tokens for the life of the process, for modes without a secret to seal them with. The zero
// value is ready, a nil *ProcessTokens stores nothing, and it is safe for concurrent use.
type ProcessTokens struct {
	mu     sync.Mutex
	tokens map[processKey]accessToken
}

// processKey has the name of the instance in addition to the fingerprint so that two instances never share a token, even
// if their configuration is the same.
type processKey struct{ instance, fingerprint string }

func (p *ProcessTokens) find(key processKey) accessToken {
	if p == nil {
		return accessToken{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokens[key]
}

func (p *ProcessTokens) put(key processKey, token accessToken, now time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens == nil {
		p.tokens = make(map[processKey]accessToken)
	}
	delete(p.tokens, key)
	p.makeRoom(now)
	p.tokens[key] = token
}

// drop removes the token at key if it is this one.
func (p *ProcessTokens) drop(key processKey, value string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens[key].Value == value {
		delete(p.tokens, key)
	}
}

// clear removes every token of an instance.
func (p *ProcessTokens) clear(instance string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.tokens, func(key processKey, _ accessToken) bool { return key.instance == instance })
}

// makeRoom drops expired tokens and, if the limit is reached all the same, the one that expires first.
func (p *ProcessTokens) makeRoom(now time.Time) {
	var first processKey
	var found bool
	for key, token := range p.tokens {
		if !now.Before(token.Expires) {
			delete(p.tokens, key)
			continue
		}
		if !found || token.Expires.Before(p.tokens[first].Expires) {
			first, found = key, true
		}
	}
	if len(p.tokens) >= processLimit {
		delete(p.tokens, first)
	}
}
