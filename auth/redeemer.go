package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

const (
	// RefreshLife is how long a refresh token lives without use: 90 days
	// (https://learn.microsoft.com/entra/identity-platform/refresh-tokens).
	RefreshLife = 90 * 24 * time.Hour
	// mostRedemptions bounds how often one sign-in tries when other processes are always faster.
	mostRedemptions = 16
)

// rereads are the pauses before the integration context is read again after a token that works only once was refused:
// another process may have used it and not yet written its successor. Together they take three seconds.
var rereads = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond,
}

// redeemer signs in by redeeming something that lasts longer than an access token: the refresh token of a user's login, or
// the Token of the Cortex XSOAR application. Every process of the instance shares it, and each redemption may replace it.
type redeemer struct {
	store *contextStore
	wire  wire
	flow  flow
	// reusable tickets are never used up, so a sign-in does not depend on the integration context: without it a warning
	// says that every command signs in again.
	reusable bool
}

// flow has the steps that differ between the modes that redeem.
type flow interface {
	// plan returns what to redeem, best first, given what is stored.
	plan(stored contents) ([]ticket, error)
	// redeem asks for an access token once.
	redeem(ctx context.Context, x *exchange, stored contents, with ticket) (grant, error)
	// refused reports whether a failure means that the ticket is of no use, so that another one may be.
	refused(failure *Error) bool
}

// ticket is something that can be redeemed for an access token.
type ticket struct {
	kind   ticketKind
	value  string
	origin string // of the login that it continues or begins
}

type ticketKind int

const (
	storedToken ticketKind = iota // the refresh token in the integration context
	legacyToken                   // the one that the earlier implementation left there
	pastedToken                   // a refresh token from the instance
	pastedCode                    // an authorization code from the instance
	proxyToken                    // the Token of the Cortex XSOAR application, which is never used up
)

// grant holds the tokens that a ticket was redeemed for.
type grant struct {
	access  string // empty if the token that came is for another scope
	refresh string // the refresh token from now on; empty if the ticket is as good as before
	expires time.Time
}

// sign redeems the best ticket. After a refusal the integration context is read again before anything else is tried:
// another process may have rotated the refresh token in the meantime, and then its successor, or the access token that
// came with it, is the one to use.
func (r *redeemer) sign(ctx context.Context) (azcore.AccessToken, error) {
	var token azcore.AccessToken
	err := r.wire.within(ctx, func(bounded context.Context) (err error) {
		s := signing{redeemer: r, refused: make(map[string]bool), pauses: rereads}
		for range mostRedemptions {
			if token, err = s.step(ctx, bounded); err != nil || token.Token != "" {
				return err
			}
		}
		return s.last
	})
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return token, nil
}

// signing is one sign-in of a redeemer.
type signing struct {
	*redeemer

	begun   bool
	first   string          // the access token that was stored when the sign-in began
	refused map[string]bool // by the value of the ticket
	last    error           // the last refusal
	pauses  []time.Duration // that are left
}

// step returns a token, or neither token nor error if another step may bring one. The time limit of a sign-in does not
// cover the integration context, so that is read and written with ctx.
func (s *signing) step(ctx, bounded context.Context) (azcore.AccessToken, error) {
	stored, err := s.stored(ctx)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	if other := s.ofAnotherProcess(stored); other.Value != "" {
		return azcore.AccessToken{Token: other.Value, ExpiresOn: other.Expires}, nil
	}
	tickets, err := s.flow.plan(stored)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	next := slices.IndexFunc(tickets, func(t ticket) bool { return !s.refused[t.value] })
	if next < 0 {
		return azcore.AccessToken{}, s.pause(bounded)
	}
	return s.try(ctx, bounded, stored, tickets[next])
}

func (s *signing) stored(ctx context.Context) (contents, error) {
	stored, err := s.store.load(ctx)
	if err != nil {
		if !s.reusable || ctx.Err() != nil {
			return contents{}, err
		}
		s.store.env.warn(err)
		stored = readContents(nil)
	}
	if !s.begun {
		s.begun, s.first = true, s.store.tokenIn(stored).Value
	}
	return stored, nil
}

// ofAnotherProcess returns the access token that another process has stored since this sign-in began, or an empty one. The
// token that was there at the first look says nothing after a refusal: a revoked login or a removed registration leaves
// it behind.
func (s *signing) ofAnotherProcess(stored contents) accessToken {
	if s.last == nil {
		return accessToken{}
	}
	token := s.store.usableIn(stored)
	if token.Value == s.first {
		return accessToken{}
	}
	return token
}

// pause waits for another process to write what it got for one of the refused tickets, as often as that makes sense. A
// reusable ticket was not refused because another process had used it.
func (s *signing) pause(bounded context.Context) error {
	if len(s.pauses) == 0 || s.reusable {
		return s.last
	}
	pause := s.pauses[0]
	s.pauses = s.pauses[1:]
	return s.store.env.Sleep(bounded, pause)
}

func (s *signing) try(ctx, bounded context.Context, stored contents, with ticket) (azcore.AccessToken, error) {
	x := s.wire.open()
	x.hide(with.value)
	got, err := s.flow.redeem(bounded, x, stored, with)
	if err == nil {
		err = s.save(ctx, stored, with, got)
		if err != nil && s.reusable && ctx.Err() == nil {
			s.store.env.warn(err)
			err = nil
		}
		return azcore.AccessToken{Token: got.access, ExpiresOn: got.expires}, err
	}
	failure := x.explain(err)
	if !s.flow.refused(failure) {
		return azcore.AccessToken{}, failure
	}
	s.last, s.refused[with.value] = failure, true
	return azcore.AccessToken{}, nil
}

// save stores the access token and the refresh token in one write, unless the login has been changed since it was read;
// the rules are at contents. Unless the ticket is reusable, a failure ends the sign-in although there is a token: with a
// refresh token that is lost the login is lost, and it is better to say so now than in the next command.
func (r *redeemer) save(ctx context.Context, seen contents, with ticket, got grant) error {
	now := r.store.env.Now()
	access, err := r.store.seal(newAccessToken(got.access, now, got.expires))
	if err != nil {
		return err
	}
	place := r.store.key(refreshRecord)
	refresh, err := r.store.record(place, []byte(with.successor(got)), now.Add(RefreshLife))
	if err != nil {
		return err
	}
	refresh.Origin = with.origin
	return r.store.update(ctx, func(newest contents) (bool, error) {
		if !r.replaceable(newest, seen, with) {
			return false, nil
		}
		newest.dropLegacy(legacyKeys()...)
		newest.remove(r.store.key(backoffRecord))
		if login := r.store.key(loginRecord); with.kind == pastedCode && newest.get(login) == seen.get(login) {
			newest.remove(login)
		}
		if got.access != "" {
			newest.set(r.store.place, access)
		}
		newest.set(place, refresh)
		return true, nil
	})
}

// successor returns the refresh token to use after the ticket, or "" without one.
func (t ticket) successor(got grant) string {
	switch {
	case got.refresh != "":
		return got.refresh
	case t.kind == storedToken || t.kind == legacyToken || t.kind == pastedToken:
		return t.value
	}
	return ""
}

// replaceable reports whether the login in the newest contents may be replaced by what a ticket was redeemed for, if the
// ticket was chosen from seen.
func (r *redeemer) replaceable(newest, seen contents, with ticket) bool {
	place := r.store.key(refreshRecord)
	current := newest.get(place)
	switch {
	case current == seen.get(place):
		// A reset removes the earlier implementation's token as well.
		return with.kind != legacyToken || newest.legacy(legacyRefreshToken) == with.value
	case current == record{}:
		// Reset in the meantime: only a new login may be written.
		return with.kind == pastedCode || with.kind == pastedToken || with.kind == proxyToken
	}
	return r.store.refreshToken(newest) == with.value
}

// savedByRedeemer is a token store whose tokens a redeemer has saved already, in one write with the refresh token.
type savedByRedeemer struct{ *contextStore }

func (savedByRedeemer) put(context.Context, accessToken) error { return nil }

// serviceErrorIn returns the refusal of a service in the chain of err, or an empty one.
func serviceErrorIn(err error) ServiceError {
	if refusal, ok := errors.AsType[*ServiceError](err); ok {
		return *refusal
	}
	return ServiceError{}
}
