package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

const (
	// RefreshLife is how long a refresh token lives without being used, as Microsoft documents it: 90 days.
	RefreshLife = 90 * 24 * time.Hour
	// mostRedemptions bounds how often one sign-in tries when other processes are always faster.
	mostRedemptions = 16
)

// rereads are the pauses before the integration context is read again, when a token that works only once was refused:
// another process may have used it and not yet written its successor. All of them take three seconds.
var rereads = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond,
}

// session signs in with what lasts longer than an access token: the refresh token of a user's login, or that of the
// token proxy. Every process of the instance shares it, and each redemption may replace it.
type session struct {
	keep *contextKeep
	wire wire
	flow flow
}

// flow is what differs between the sign-ins that have a session.
type flow interface {
	// plan says what to redeem, best first, given what is kept.
	plan(kept contents) ([]ticket, error)
	// redeem asks for an access token once.
	redeem(ctx context.Context, x *exchange, kept contents, with ticket) (answer, error)
	// refused tells whether a refusal means that the ticket is of no use, and not that something else is wrong.
	refused(refusal *ServiceError) bool
}

// ticket is something that can be redeemed for an access token.
type ticket struct {
	kind   ticketKind
	value  string
	origin string // of the login that it continues or begins
}

type ticketKind int

const (
	keptToken   ticketKind = iota // the refresh token in the integration context
	legacyToken                   // the one that the older implementation left there
	pastedToken                   // a refresh token out of the instance
	pastedCode                    // an authorization code out of the instance
	proxyToken                    // the Token of the Cortex XSOAR application, which is never used up
)

// answer is what a ticket was redeemed for.
type answer struct {
	access  string // empty when the token that came is for another scope
	refresh string // the refresh token from now on; empty when the ticket is as good as before
	expires time.Time
}

// sign redeems the best ticket. When one is refused, what is kept is read again before anything else is tried: another
// process may have rotated the refresh token in the meantime, and then its successor, or the access token that came with
// it, is what to use.
func (s *session) sign(ctx context.Context) (azcore.AccessToken, error) {
	var token azcore.AccessToken
	err := s.wire.within(ctx, func(bounded context.Context) (err error) {
		a := attempt{session: s, refused: make(map[string]bool), pauses: rereads}
		for range mostRedemptions {
			if token, err = a.step(ctx, bounded); err != nil || token.Token != "" {
				return err
			}
		}
		return a.last
	})
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return token, nil
}

// attempt is one sign-in of a session.
type attempt struct {
	*session

	refused map[string]bool // by the value of the ticket
	last    error           // the last refusal
	pauses  []time.Duration // that are left
}

// step gives a token, or neither token nor error when another step may. The integration context is not part of what may
// take only so long, so it is read and written with ctx.
func (a *attempt) step(ctx, bounded context.Context) (azcore.AccessToken, error) {
	kept, err := a.keep.load(ctx)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	if other := a.keep.in(kept); a.last != nil && other.Value != "" {
		return azcore.AccessToken{Token: other.Value, ExpiresOn: other.Expires}, nil
	}
	tickets, err := a.flow.plan(kept)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	next := slices.IndexFunc(tickets, func(t ticket) bool { return !a.refused[t.value] })
	if next < 0 {
		return azcore.AccessToken{}, a.pause(bounded, tickets)
	}
	return a.try(ctx, bounded, kept, tickets[next])
}

// pause waits for another process to write what it got for one of the refused tickets, as often as that makes sense.
func (a *attempt) pause(bounded context.Context, tickets []ticket) error {
	if len(a.pauses) == 0 || !usedOnce(tickets) {
		return a.last
	}
	pause := a.pauses[0]
	a.pauses = a.pauses[1:]
	return a.keep.env.Sleep(bounded, pause)
}

func (a *attempt) try(ctx, bounded context.Context, kept contents, with ticket) (azcore.AccessToken, error) {
	x := a.wire.open()
	x.hide(with.value)
	got, err := a.flow.redeem(bounded, x, kept, with)
	if err == nil {
		return azcore.AccessToken{Token: got.access, ExpiresOn: got.expires}, a.save(ctx, kept, with, got)
	}
	failure := x.explain(err)
	if refusal, ok := errors.AsType[*ServiceError](failure); !ok || !a.flow.refused(refusal) {
		return azcore.AccessToken{}, failure
	}
	a.last, a.refused[with.value] = failure, true
	return azcore.AccessToken{}, nil
}

// usedOnce tells whether the refusal of one of the tickets can be because another process was faster.
func usedOnce(tickets []ticket) bool {
	return slices.ContainsFunc(tickets, func(t ticket) bool { return t.kind != proxyToken })
}

// save keeps the access token and the refresh token in one write, unless somebody has changed the login since it was
// read; the rules stand at contents. A failure ends the sign-in although there is a token: with a refresh token that is
// lost the login is lost, and that is better said now than by the next command.
func (s *session) save(ctx context.Context, seen contents, with ticket, got answer) error {
	now := s.keep.env.Now()
	access, err := s.keep.seal(newAccessToken(got.access, now, got.expires))
	if err != nil {
		return err
	}
	place := s.keep.key(refreshRecord)
	refresh, err := s.keep.record(place, []byte(with.successor(got)), now.Add(RefreshLife))
	if err != nil {
		return err
	}
	refresh.Origin = with.origin
	return s.keep.update(ctx, func(newest contents) (bool, error) {
		if !s.replaceable(newest, seen, with) {
			return false, nil
		}
		newest.dropLegacy(legacyAccessToken, legacyValidUntil, legacyRefreshToken, legacyCode)
		newest.remove(s.keep.key(backoffRecord))
		if login := s.keep.key(loginRecord); with.kind == pastedCode && newest.get(login) == seen.get(login) {
			newest.remove(login)
		}
		if got.access != "" {
			newest.set(s.keep.place, access)
		}
		newest.set(place, refresh)
		return true, nil
	})
}

// successor gives the refresh token to use after the ticket; empty when there is none.
func (t ticket) successor(got answer) string {
	switch {
	case got.refresh != "":
		return got.refresh
	case t.kind == keptToken || t.kind == legacyToken || t.kind == pastedToken:
		return t.value
	}
	return ""
}

// replaceable tells whether the login in the newest contents may be replaced by what came of a ticket, when seen is what
// the ticket was chosen from.
func (s *session) replaceable(newest, seen contents, with ticket) bool {
	place := s.keep.key(refreshRecord)
	current := newest.get(place)
	switch {
	case current == seen.get(place):
		// A reset removes the older implementation's token as well.
		return with.kind != legacyToken || newest.legacy(legacyRefreshToken) == with.value
	case current == record{}:
		// Reset in the meantime: only what is a new beginning may stand.
		return with.kind == pastedCode || with.kind == pastedToken || with.kind == proxyToken
	}
	return s.keep.refreshToken(newest) == with.value
}
