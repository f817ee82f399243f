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

// failureMemory is how long a failure answers for further attempts.
const failureMemory = time.Minute

// ErrSameToken says that signing in gives the very token that the API has refused.
var ErrSameToken = errors.New("the authority gives again the token that the service refused")

// source is a sign-in mode made ready: what signs in, and where its tokens are kept.
type source struct {
	credential azcore.TokenCredential
	keep       keep
}

// keeper puts what is kept before a credential. It holds state of one execution.
type keeper struct {
	source

	mode params.Mode
	env  Environment

	// turn guards what follows. It is a mutex that a context can interrupt: whoever holds it may be asking the authority,
	// and those who wait find the token, or the failure, when their turn comes.
	turn     *semaphore.Weighted
	current  accessToken
	rejected string
	anew     bool // take nothing that is kept
	failure  error
	retry    time.Time // when failure no longer answers
}

var _ azcore.TokenCredential = (*keeper)(nil)

func newKeeper(from source, mode params.Mode, env Environment) *keeper {
	return &keeper{source: from, mode: mode, env: env, turn: semaphore.NewWeighted(1)}
}

// GetToken gives the token at hand, a kept one, or a new one. Its error is an *Error.
func (k *keeper) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if err := k.turn.Acquire(ctx, 1); err != nil {
		return azcore.AccessToken{}, canceled(k.mode, err)
	}
	defer k.turn.Release(1)
	now := k.env.Now()
	if !k.current.usable(now) {
		if k.failure != nil && now.Before(k.retry) {
			return azcore.AccessToken{}, k.failure
		}
		token, err := k.acquire(ctx, options)
		if err != nil {
			// That this caller gave up says nothing about the next one's sign-in.
			if ctx.Err() == nil {
				k.remember(err)
			}
			return azcore.AccessToken{}, err
		}
		k.current, k.failure, k.anew = token, nil, false
	}
	return azcore.AccessToken{Token: k.current.Value, ExpiresOn: k.current.Expires}, nil
}

func (k *keeper) acquire(ctx context.Context, options policy.TokenRequestOptions) (accessToken, error) {
	if !k.anew {
		kept, err := k.keep.find(ctx)
		if err != nil {
			// What is kept saves a request; a sign-in that cannot do without it meets the same error by itself.
			k.env.warn(err)
		} else if kept.Value != "" {
			return kept, nil
		}
	}
	made, err := k.credential.GetToken(ctx, options)
	if err != nil {
		return accessToken{}, err
	}
	switch made.Token {
	case "":
		return accessToken{}, invalidAnswer(k.mode)
	case k.rejected:
		return accessToken{}, &Error{
			Mode: k.mode, Code: CodeSameToken, Message: "the service refused the token, and signing in gives the same one again",
			Remedy: "check which permissions were granted; those given to a managed identity may take a day to get into its tokens",
			Err:    ErrSameToken,
		}
	}
	token := newAccessToken(made.Token, k.env.Now(), made.ExpiresOn)
	if err := k.keep.put(ctx, token); err != nil {
		k.env.warn(err)
	}
	return token, nil
}

// remember makes a failure answer for a while, or for as long as it says itself that trying again is of no use.
func (k *keeper) remember(failure error) {
	k.failure, k.retry = failure, k.env.Now().Add(failureMemory)
	if own, ok := errors.AsType[*Error](failure); ok && !own.Until.IsZero() {
		k.retry = own.Until
	}
}

// reject drops the token that the API has refused, here and where it is kept. Its error is an *Error: ctx has ended.
func (k *keeper) reject(ctx context.Context, token string) error {
	if err := k.turn.Acquire(ctx, 1); err != nil {
		return canceled(k.mode, err)
	}
	defer k.turn.Release(1)
	k.rejected = token
	k.keep.reject(token)
	if k.current.Value == token {
		k.current = accessToken{}
	}
	return nil
}

// forget waits for a sign-in under way, which is bounded.
func (k *keeper) forget() {
	if k.turn.Acquire(context.Background(), 1) != nil {
		return // only a context that has ended makes Acquire fail
	}
	defer k.turn.Release(1)
	k.current, k.failure, k.anew = accessToken{}, nil, true
}
