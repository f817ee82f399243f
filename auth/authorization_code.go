package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"xsoar-defender/params"
)

const (
	invalidGrant  = "invalid_grant"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// authorizationCode signs in as a user who has logged in once in a browser: the code from that login is redeemed for a
// refresh token, and from then on the newest refresh token for access tokens of every scope.
type authorizationCode struct {
	*sealedRecords

	redeemer *redeemer
	// origin is a fingerprint of the code or token in the instance; empty before the first login.
	origin string
}

var (
	_ azcore.TokenCredential = (*authorizationCode)(nil)
	_ flow                   = (*authorizationCode)(nil)
)

func newAuthorizationCode(s settings) (method, error) {
	c, err := makeAuthorizationCode(s)
	if err != nil {
		return method{}, err
	}
	return method{credential: c, store: savedByRedeemer{c.redeemer.store}}, nil
}

func makeAuthorizationCode(s settings) (*authorizationCode, error) {
	sealed, err := newSealedRecords(s)
	if err != nil {
		return nil, err
	}
	c := &authorizationCode{sealedRecords: sealed}
	// The code or token itself is long, random and used up or sealed elsewhere, so its hash reveals nothing. It is not keyed
	// with the instance's secret: that a code was used must be known after the secret was changed, too.
	if pasted := s.instance.Grant.Code.Reveal() + s.instance.Grant.RefreshToken.Reveal(); pasted != "" {
		c.origin = digest(nil, pasted)
	}
	c.redeemer = &redeemer{store: newContextStore(sealed, c.origin), wire: s.tokenWire(), flow: c}
	return c, nil
}

// GetToken redeems the refresh token of the login, or begins a login with the code or token of the instance.
func (c *authorizationCode) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c.redeemer.sign(ctx)
}

// plan prefers the stored login, as long as it began with what the instance holds now, or the instance holds nothing any
// more. A new code or token in the instance begins a new login.
func (c *authorizationCode) plan(stored contents) ([]ticket, error) {
	login := stored.get(c.key(refreshRecord))
	legacy := ticket{kind: legacyToken, value: stored.legacy(legacyRefreshToken), origin: c.origin}
	if token := c.refreshToken(stored); token != "" && (c.origin == "" || c.origin == login.Origin) {
		tickets := []ticket{{kind: storedToken, value: token, origin: login.Origin}}
		if legacy.value != "" {
			// The earlier implementation has run again since.
			legacy.origin = login.Origin
			tickets = append(tickets, legacy)
		}
		return tickets, nil
	}
	if c.origin == "" {
		if legacy.value != "" {
			return []ticket{legacy}, nil
		}
		return nil, c.fail(CodeLoginRequired, "no user has logged in yet", remedyLogin, nil)
	}
	begin := c.pasted()
	if begin.kind == pastedCode && stored.used(c.origin) {
		return nil, c.fail(CodeLoginRequired, "the login that the Authorization Code was for cannot be continued,"+
			" because it came without a refresh token or other values of the instance have changed since", remedyLoginAgain, nil)
	}
	if legacy.value != "" && login == (record{}) && c.maybeOf(stored.legacy(legacyCode)) {
		return []ticket{legacy, begin}, nil
	}
	return []ticket{begin}, nil
}

// pasted returns the code or refresh token of the instance. A code works once. A refresh token may be tried again, after
// the secret was changed for example: Microsoft does not revoke one when it issues its successor
// (https://learn.microsoft.com/entra/identity-platform/refresh-tokens).
func (c *authorizationCode) pasted() ticket {
	if token := c.instance.Grant.RefreshToken.Reveal(); token != "" {
		return ticket{kind: pastedToken, value: token, origin: c.origin}
	}
	return ticket{kind: pastedCode, value: c.instance.Grant.Code.Reveal(), origin: c.origin}
}

// maybeOf reports whether the earlier implementation's login may have begun with the code of the instance: it may have
// stored its code. A refresh token in the instance is always meant to be used.
func (c *authorizationCode) maybeOf(legacyCode string) bool {
	code := c.instance.Grant.Code.Reveal()
	return code != "" && (legacyCode == "" || legacyCode == code)
}

// refused reports whether a refusal is about the token or code, which another process may have used and replaced. The
// answer invalid_grant is also that of a missing consent, a policy or the user's account, which no other token mends.
func (c *authorizationCode) refused(failure *Error) bool {
	return serviceErrorIn(failure).OAuth == invalidGrant &&
		(failure.Code == invalidGrant || slices.Contains(uselessGrants(), failure.Code))
}

// uselessGrants are the codes of a refresh token or authorization code that is expired, revoked, used or malformed
// (https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
func uselessGrants() []string {
	return []string{
		"AADSTS70000", "AADSTS70008", "AADSTS70043", "AADSTS700082", "AADSTS700084", "AADSTS700003", "AADSTS54005",
		"AADSTS50089", "AADSTS50132", "AADSTS50133", "AADSTS50173", "AADSTS9002313",
	}
}

// redeem asks the authority for an access token, in the tenant of the instance. The earlier implementation redeemed
// everything at params.AnyOrganization, whatever tenant the instance named. So if the tenant of the instance is wrong, that
// is tried as well.
func (c *authorizationCode) redeem(ctx context.Context, x *exchange, stored contents, with ticket) (grant, error) {
	got, err := c.redeemInTenant(ctx, x, stored, with)
	if err == nil || !slices.Contains(wrongTenant, x.explain(err).Code) || c.instance.TenantID == params.AnyOrganization {
		return got, err
	}
	elsewhere, again := *c.sealedRecords, c.redeemer.wire.open()
	elsewhere.instance.TenantID = params.AnyOrganization
	again.hide(with.value)
	got, second := (&authorizationCode{sealedRecords: &elsewhere, redeemer: c.redeemer, origin: c.origin}).redeemInTenant(ctx, again, stored, with)
	if second != nil {
		return grant{}, err
	}
	return got, nil
}

// wrongTenant are the codes of a tenant that does not exist, that does not have the application or the user, or that the
// code was not issued for. See https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes.
var wrongTenant = []string{"AADSTS50020", "AADSTS90002", "AADSTS90072", "AADSTS900023", "AADSTS700005", "AADSTS700016"}

func (c *authorizationCode) redeemInTenant(ctx context.Context, x *exchange, stored contents, with ticket) (grant, error) {
	proof, err := c.proof()
	if err != nil {
		return grant{}, err
	}
	ctx = x.oauthContext(ctx)
	if with.kind != pastedCode {
		token, err := c.refresh(ctx, with.value, proof)
		if err != nil {
			return grant{}, err
		}
		return c.grant(token), nil
	}
	token, err := c.exchangeCode(ctx, x, stored, proof)
	if err != nil {
		return grant{}, err
	}
	got := c.grant(token)
	if c.scope != c.instance.Cloud.Scope {
		// This access token is for the scope of the login. The refresh token is redeemed for the scope that is asked for.
		got.access = ""
	}
	return got, nil
}

func (c *authorizationCode) grant(token *oauth2.Token) grant {
	got := grant{access: token.AccessToken, refresh: token.RefreshToken, expires: c.env.Now().Add(defaultLife)}
	if !token.Expiry.IsZero() {
		got.expires = c.byOurClock(token.Expiry)
	}
	return got
}

// exchangeCode redeems the code of the instance. The state and the verifier are those of the newest login URL; without one
// the code may come from a URL that somebody wrote by hand, which has neither. The scope is always that of the login URL: a
// code works once, and it would be lost on a scope without consent.
func (c *authorizationCode) exchangeCode(
	ctx context.Context, x *exchange, stored contents, proof url.Values,
) (*oauth2.Token, error) {
	var newest login
	if plain, ok := c.open(stored, c.key(loginRecord)); ok && json.Unmarshal(plain, &newest) != nil {
		newest = login{}
	}
	state := c.instance.Grant.State
	if state != "" && subtle.ConstantTimeCompare([]byte(state), []byte(newest.State)) != 1 {
		return nil, c.fail(CodeState, "the Authorization Code does not belong to the newest login URL", remedyLogin, nil)
	}
	config := c.config(c.instance.Cloud.Scope)
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("scope", strings.Join(config.Scopes, " "))}
	if newest.Verifier != "" {
		x.hide(newest.Verifier)
		options = append(options, oauth2.VerifierOption(newest.Verifier))
	}
	for name := range proof {
		options = append(options, oauth2.SetAuthURLParam(name, proof.Get(name)))
	}
	return config.Exchange(ctx, c.instance.Grant.Code.Reveal(), options...)
}

// refresh redeems a refresh token for the scope. The code grant's own refresh sends no scope, so the token would be for the
// scope of the login; this configuration is the one of package oauth2 that sends a scope with any grant.
func (c *authorizationCode) refresh(ctx context.Context, refreshToken string, proof url.Values) (*oauth2.Token, error) {
	config := c.config(c.scope)
	parameters := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	maps.Copy(parameters, proof)
	grant := clientcredentials.Config{
		ClientID:       config.ClientID,
		TokenURL:       config.Endpoint.TokenURL,
		AuthStyle:      config.Endpoint.AuthStyle,
		Scopes:         config.Scopes,
		EndpointParams: parameters,
	}
	return grant.Token(ctx)
}

// proof returns the parameters that prove to the token endpoint which application asks.
func (c *authorizationCode) proof() (url.Values, error) {
	if c.instance.Certificate == nil {
		return url.Values{"client_secret": {c.instance.ClientSecret.Reveal()}}, nil
	}
	assertion, err := c.assertion()
	if err != nil {
		return nil, unprepared(c.instance.Mode, err)
	}
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion}}, nil
}

// config describes the application and the authority to package oauth2.
func (s settings) config(scope string) *oauth2.Config {
	return &oauth2.Config{
		ClientID:    s.instance.ClientID,
		RedirectURL: s.instance.RedirectURI,
		Scopes:      []string{"offline_access", scope},
		Endpoint: oauth2.Endpoint{
			AuthURL:   s.endpoint("authorize"),
			TokenURL:  s.endpoint("token"),
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}
