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

// authorizationCode signs in as a user who has logged in once in a browser: the code that this gave is redeemed for a
// refresh token, and from then on the newest refresh token for access tokens, whatever their scope.
type authorizationCode struct {
	*vault

	session *session
	// origin is a fingerprint of what was pasted into the instance; empty before the first login.
	origin string
}

var (
	_ azcore.TokenCredential = (*authorizationCode)(nil)
	_ flow                   = (*authorizationCode)(nil)
)

func newAuthorizationCode(s settings) (source, error) {
	c, err := makeAuthorizationCode(s)
	if err != nil {
		return source{}, err
	}
	return source{credential: c, keep: savedBySession{c.session.keep}}, nil
}

func makeAuthorizationCode(s settings) (*authorizationCode, error) {
	vault, err := newVault(s)
	if err != nil {
		return nil, err
	}
	c := &authorizationCode{vault: vault}
	// The code or token itself is long, random and used up or sealed elsewhere, so its hash tells nothing. It is not keyed
	// with the instance's secret: that a code was used has to be known after the secret was changed, too.
	if pasted := s.instance.Grant.Code.Reveal() + s.instance.Grant.RefreshToken.Reveal(); pasted != "" {
		c.origin = digest(nil, pasted)
	}
	c.session = &session{keep: newContextKeep(vault, c.origin), wire: s.tokenWire(), flow: c}
	return c, nil
}

// GetToken redeems the refresh token of the login, or begins a login with what was pasted.
func (c *authorizationCode) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c.session.sign(ctx)
}

// plan prefers the login that is kept, as long as it came of what is pasted now, or nothing is pasted any more. Something
// new that was pasted begins a new login.
func (c *authorizationCode) plan(kept contents) ([]ticket, error) {
	login := kept.get(c.key(refreshRecord))
	legacy := ticket{kind: legacyToken, value: kept.legacy(legacyRefreshToken), origin: c.origin}
	if token := c.refreshToken(kept); token != "" && (c.origin == "" || c.origin == login.Origin) {
		tickets := []ticket{{kind: keptToken, value: token, origin: login.Origin}}
		if legacy.value != "" {
			// The older implementation has run again since.
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
	if kept.used(c.origin) {
		return nil, c.fail(CodeLoginRequired, "the login that the Authorization Code was for cannot be continued,"+
			" as it came without a refresh token or other values of the instance have changed since", remedyLoginAgain, nil)
	}
	begin := c.pasted()
	if legacy.value != "" && login == (record{}) && c.maybeOf(kept.legacy(legacyCode)) {
		return []ticket{legacy, begin}, nil
	}
	return []ticket{begin}, nil
}

func (c *authorizationCode) pasted() ticket {
	if token := c.instance.Grant.RefreshToken.Reveal(); token != "" {
		return ticket{kind: pastedToken, value: token, origin: c.origin}
	}
	return ticket{kind: pastedCode, value: c.instance.Grant.Code.Reveal(), origin: c.origin}
}

// maybeOf tells whether the older implementation's login can have come of the code that is pasted: it may have kept its
// code, and nobody pastes a refresh token without meaning it to be used.
func (c *authorizationCode) maybeOf(legacyCode string) bool {
	code := c.instance.Grant.Code.Reveal()
	return code != "" && (legacyCode == "" || legacyCode == code)
}

func (c *authorizationCode) refused(refusal *ServiceError) bool { return refusal.OAuth == invalidGrant }

// redeem asks the authority for an access token, in the tenant of the instance. The implementation that existing instances
// come from redeemed everything at params.AnyOrganization, whatever tenant the instance named. So where the tenant of the
// instance is the wrong one, that is tried as well.
func (c *authorizationCode) redeem(ctx context.Context, x *exchange, kept contents, with ticket) (answer, error) {
	got, err := c.redeemInTenant(ctx, x, kept, with)
	if err == nil || !slices.Contains(wrongTenant, x.explain(err).Code) || c.instance.TenantID == params.AnyOrganization {
		return got, err
	}
	elsewhere, again := *c.vault, c.session.wire.open()
	elsewhere.instance.TenantID = params.AnyOrganization
	again.hide(with.value)
	got, second := (&authorizationCode{vault: &elsewhere, session: c.session, origin: c.origin}).redeemInTenant(ctx, again, kept, with)
	if second != nil {
		return answer{}, err
	}
	return got, nil
}

// wrongTenant are the codes of a tenant that does not exist, that does not have the application or the user, or that the
// code was not issued for. See https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes.
var wrongTenant = []string{"AADSTS50020", "AADSTS90002", "AADSTS90072", "AADSTS900023", "AADSTS700005", "AADSTS700016"}

func (c *authorizationCode) redeemInTenant(ctx context.Context, x *exchange, kept contents, with ticket) (answer, error) {
	proof, err := c.proof()
	if err != nil {
		return answer{}, err
	}
	ctx = x.oauthContext(ctx)
	if with.kind != pastedCode {
		token, err := c.refresh(ctx, with.value, proof)
		if err != nil {
			return answer{}, err
		}
		return c.answer(token), nil
	}
	token, err := c.exchangeCode(ctx, x, kept, proof)
	if err != nil {
		return answer{}, err
	}
	got := c.answer(token)
	if c.scope != c.instance.Cloud.Scope {
		// This access token is for the scope of the login. The refresh token gives one for the scope that is wanted.
		got.access = ""
	}
	return got, nil
}

func (c *authorizationCode) answer(token *oauth2.Token) answer {
	got := answer{access: token.AccessToken, refresh: token.RefreshToken, expires: c.env.Now().Add(defaultLife)}
	if !token.Expiry.IsZero() {
		got.expires = c.byOurClock(token.Expiry)
	}
	return got
}

// exchangeCode redeems the pasted code. The state and the verifier are those of the login URL that was made last; without
// one the code may come from a URL that somebody wrote by hand, which has neither. The scope is always that of the login
// URL: a code works once, and asked for a scope that was not consented to it would be lost.
func (c *authorizationCode) exchangeCode(
	ctx context.Context, x *exchange, kept contents, proof url.Values,
) (*oauth2.Token, error) {
	var made login
	if plain, ok := c.open(kept, c.key(loginRecord)); ok && json.Unmarshal(plain, &made) != nil {
		made = login{}
	}
	state := c.instance.Grant.State
	if state != "" && subtle.ConstantTimeCompare([]byte(state), []byte(made.State)) != 1 {
		return nil, c.fail(CodeState, "what was pasted does not belong to the login URL that was made last", remedyLogin, nil)
	}
	config := c.config(c.instance.Cloud.Scope)
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("scope", strings.Join(config.Scopes, " "))}
	if made.Verifier != "" {
		x.hide(made.Verifier)
		options = append(options, oauth2.VerifierOption(made.Verifier))
	}
	for name := range proof {
		options = append(options, oauth2.SetAuthURLParam(name, proof.Get(name)))
	}
	return config.Exchange(ctx, c.instance.Grant.Code.Reveal(), options...)
}

// refresh redeems a refresh token for the scope. The code grant's own refresh sends no scope, which gives a token for
// whatever the login was made for; this configuration is the one of package oauth2 that sends a scope with any grant.
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

// proof gives what shows the token endpoint that it is the application that asks.
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

// savedBySession is a keep whose tokens a session has saved already, in one write with the refresh token.
type savedBySession struct{ *contextKeep }

func (savedBySession) put(context.Context, accessToken) error { return nil }
