package auth

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/sync/semaphore"

	"xsoar-defender/params"
)

// failureLife is how long a failure is the answer to further requests for a token.
const failureLife = time.Minute

// ErrSameToken reports that signing in returned the very token that the API had refused.
var ErrSameToken = errors.New("the authority returned the token that the service had refused")

// tokenCache holds the access token of one execution, in front of the token store and the credential.
type tokenCache struct {
	method

	mode params.Mode
	env  Environment

	// turn guards the fields below. It is a mutex that a context can interrupt: its holder may be waiting for the authority,
	// and those who wait find the token, or the failure, when their turn comes.
	turn     *semaphore.Weighted
	current  accessToken
	rejected string
	again    bool // sign in again, whatever is stored
	failure  error
	retry    time.Time // when failure no longer counts
}

var _ azcore.TokenCredential = (*tokenCache)(nil)

func newTokenCache(chosen method, mode params.Mode, env Environment) *tokenCache {
	return &tokenCache{method: chosen, mode: mode, env: env, turn: semaphore.NewWeighted(1)}
}

// GetToken returns the current token, a stored one, or a new one. Its error is an *Error.
func (c *tokenCache) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if err := c.turn.Acquire(ctx, 1); err != nil {
		return azcore.AccessToken{}, canceled(c.mode, err)
	}
	defer c.turn.Release(1)
	now := c.env.Now()
	if !c.current.usable(now) {
		if c.failure != nil && now.Before(c.retry) {
			return azcore.AccessToken{}, c.failure
		}
		token, err := c.acquire(ctx, options)
		if err != nil {
			// That this caller gave up says nothing about the next one's sign-in.
			if ctx.Err() == nil {
				c.remember(err)
			}
			return azcore.AccessToken{}, err
		}
		c.current, c.failure, c.again = token, nil, false
	}
	return azcore.AccessToken{Token: c.current.Value, ExpiresOn: c.current.Expires}, nil
}

func (c *tokenCache) acquire(ctx context.Context, options policy.TokenRequestOptions) (accessToken, error) {
	if !c.again {
		stored, err := c.store.find(ctx)
		if err != nil {
			// A stored token saves a request; a sign-in that cannot do without the store fails with the same error itself.
			c.env.warn(err)
		} else if stored.Value != "" {
			return stored, nil
		}
	}
	issued, err := c.credential.GetToken(ctx, options)
	if err != nil {
		return accessToken{}, err
	}
	switch issued.Token {
	case "":
		return accessToken{}, invalidAnswer(c.mode)
	case c.rejected:
		return accessToken{}, &Error{
			Mode: c.mode, Code: CodeSameToken, Message: "the service refused the token, and signing in returned the same one again",
			Remedy: "check which permissions were granted; those granted to a managed identity may take a day to reach its tokens",
			Err:    ErrSameToken,
		}
	}
	token := newAccessToken(issued.Token, c.env.Now(), issued.ExpiresOn)
	if err := c.store.put(ctx, token); err != nil {
		c.env.warn(err)
	}
	return token, nil
}

// remember keeps a failure for failureLife, or until the time that the failure itself names.
func (c *tokenCache) remember(failure error) {
	c.failure, c.retry = failure, c.env.Now().Add(failureLife)
	if own, ok := errors.AsType[*Error](failure); ok && !own.Until.IsZero() {
		c.retry = own.Until
	}
}

// reject drops a token that the API has refused, here and in the store. Its error is an *Error: ctx has ended.
func (c *tokenCache) reject(ctx context.Context, token string) error {
	if err := c.turn.Acquire(ctx, 1); err != nil {
		return canceled(c.mode, err)
	}
	defer c.turn.Release(1)
	c.rejected = token
	c.store.reject(token)
	if c.current.Value == token {
		c.current = accessToken{}
	}
	return nil
}

// forget waits for a sign-in in progress, which is bounded.
func (c *tokenCache) forget() {
	if c.turn.Acquire(context.Background(), 1) != nil {
		return // Acquire fails only when its context has ended
	}
	defer c.turn.Release(1)
	c.current, c.failure, c.again = accessToken{}, nil, true
}
