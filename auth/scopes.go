package auth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"xsoar-defender/params"
)

// codeUnknownResource is the authority's code for a scope whose resource the tenant does not have.
// See https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes.
const codeUnknownResource = "AADSTS500011"

// scopeLife is how long a scope is remembered that was found by trying. The tenant may be given the first one in between.
const scopeLife = 90 * 24 * time.Hour

// scopeSearch signs in with the first of several scopes whose resource the tenant knows. It serves the clouds for which no
// scope is documented. The scope that works is remembered in the integration context, so that later sign-ins request it
// at once. A scopeSearch holds the state of one Signer, whose tokenCache calls it in turns.
type scopeSearch struct {
	settings

	scopes   []string
	methods  []method // by scope
	chosen   int
	recalled bool
}

var (
	_ azcore.TokenCredential = (*scopeSearch)(nil)
	_ tokenStore             = (*scopeSearch)(nil)
)

// newSearchingMethod returns the sign-in mode of an instance for the first of scopes that works.
func newSearchingMethod(s settings, scopes []string) (method, error) {
	// The token proxy of the Cortex XSOAR application chooses the scope itself.
	if len(scopes) == 1 || s.instance.Mode == params.CortexApplication {
		s.scope = scopes[0]
		return newMethod(s)
	}
	search := &scopeSearch{settings: s, scopes: scopes}
	for _, scope := range scopes {
		s.scope = scope
		one, err := newMethod(s)
		if err != nil {
			return method{}, err
		}
		search.methods = append(search.methods, one)
	}
	return method{credential: search, store: search}, nil
}

// GetToken requests a token for the remembered scope, then for the others, until the tenant knows the resource of one.
func (c *scopeSearch) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.recall(ctx)
	order := append([]int{c.chosen}, slices.DeleteFunc(indices(c.scopes), func(i int) bool { return i == c.chosen })...)
	var first error
	for _, i := range order {
		options.Scopes = []string{c.scopes[i]}
		token, err := c.methods[i].credential.GetToken(ctx, options)
		if err == nil {
			c.remember(ctx, i)
			return token, nil
		}
		if first == nil {
			first = err
		}
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Code != codeUnknownResource {
			return azcore.AccessToken{}, err
		}
	}
	return azcore.AccessToken{}, first
}

func indices(of []string) []int {
	all := make([]int, len(of))
	for i := range all {
		all[i] = i
	}
	return all
}

func (c *scopeSearch) find(ctx context.Context) (accessToken, error) {
	c.recall(ctx)
	return c.methods[c.chosen].store.find(ctx)
}

func (c *scopeSearch) put(ctx context.Context, token accessToken) error {
	return c.methods[c.chosen].store.put(ctx, token)
}

func (c *scopeSearch) reject(token string) { c.methods[c.chosen].store.reject(token) }

// key is that of the record of the scope that works for the configuration.
func (c *scopeSearch) key() string { return scopeRecord + ":" + c.fingerprint() }

// recall chooses the scope that an earlier sign-in found. Without one the first stays chosen.
func (c *scopeSearch) recall(ctx context.Context) {
	if c.recalled {
		return
	}
	c.recalled = true
	values, err := c.env.IntegrationContext.Load(ctx)
	if err != nil {
		c.env.warn(err)
		return
	}
	known := readContents(values).get(c.key())
	if at := slices.Index(c.scopes, known.Scope); at >= 0 && c.env.Now().Unix() < known.Expires {
		c.chosen = at
	}
}

// remember chooses a scope for later sign-ins as well, of whatever process. There is nothing to remember about the first:
// every sign-in begins with it.
func (c *scopeSearch) remember(ctx context.Context, at int) {
	if at == c.chosen {
		return
	}
	c.chosen = at
	now := c.env.Now()
	err := c.env.IntegrationContext.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		newest := readContents(values)
		newest.set(c.key(), record{Expires: now.Add(scopeLife).Unix(), Scope: c.scopes[at]})
		return true, newest.write(now, refreshRecord+":"+c.fingerprint())
	})
	if err != nil {
		c.env.warn(err)
	}
}
