// Package auth signs an instance in to Microsoft Entra ID, in each of the modes that the integration has, and hands out
// access tokens: only to the hosts of the instance's cloud, and stored between executions so that most of them ask for none.
package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	kiota "github.com/microsoft/kiota-authentication-azure-go"

	"xsoar-defender/internal/system"
	"xsoar-defender/params"
)

// IntegrationContext is the platform's JSON object for what must outlive an execution. Every process and engine that runs
// the instance shares it.
type IntegrationContext interface {
	// Load returns the newest values. The caller may change the map.
	Load(ctx context.Context) (map[string]json.RawMessage, error)
	// Update lets change edit the newest values. If change returns true they are written back, versioned, and change runs
	// again with newer values after a conflict. So change may run several times and must depend only on its argument.
	Update(ctx context.Context, change func(values map[string]json.RawMessage) (bool, error)) error
}

// Environment holds everything that signing in needs from its surroundings.
type Environment struct {
	// System's environment variables are those that the workload identity webhook of Kubernetes sets.
	system.System

	IntegrationContext IntegrationContext
	// Transport sends to the authority and the token proxy: an *http.Client that honours the instance's TLS and proxy
	// settings and follows no redirect.
	Transport policy.Transporter
	// Direct sends to the managed identity endpoint: never through a proxy.
	Direct policy.Transporter
	// Process stores the tokens of modes that store none in the integration context; nil limits them to the Signer's life.
	Process *ProcessTokens
	// InstanceName separates instances in Process.
	InstanceName string
	// Warn receives what went wrong without stopping the sign-in, such as a token that could not be stored for the next
	// execution. If it is nil, warnings are dropped.
	Warn func(error)
}

func (e Environment) warn(err error) {
	if e.Warn != nil {
		e.Warn(err)
	}
}

// Signer hands out access tokens of one instance for one scope. It is safe for concurrent use: however many goroutines
// ask, one request is made. It is meant to live as long as one execution.
type Signer struct {
	cache    *tokenCache
	provider *kiota.AzureIdentityAccessTokenProvider
}

// New returns the signer of an instance for one scope. An empty scope is that of the instance's cloud; if the tenant does
// not know its resource, the other scopes of the cloud are tried. Only hosts, written without scheme and port, receive a
// token. No request is made before the first Token.
func New(instance params.Instance, scope string, hosts []string, env Environment) (*Signer, error) {
	// Kiota takes an empty list as permission to send the token anywhere.
	if len(hosts) == 0 {
		return nil, errors.New("auth: no host is allowed to receive the token")
	}
	scopes := []string{scope}
	if scope == "" {
		scope = instance.Cloud.Scope
		scopes = append([]string{scope}, instance.Cloud.OtherScopes...)
	}
	chosen, err := newSearchingMethod(settings{instance: instance, env: env}, scopes)
	if err != nil {
		return nil, err
	}
	cache := newTokenCache(chosen, instance.Mode, env)
	// Without continuous access evaluation: it needs a client that answers the API's claims challenges.
	const continuousAccessEvaluation = false
	provider, err := kiota.NewAzureIdentityAccessTokenProviderWithScopesAndValidHostsAndObservabilityOptionsAndIsCaeEnabled(
		cache, []string{scope}, hosts, kiota.ObservabilityOptions{}, continuousAccessEvaluation)
	if err != nil {
		return nil, fmt.Errorf("auth: allowed hosts: %w", err)
	}
	return &Signer{cache: cache, provider: provider}, nil
}

// Token returns an access token for a request to target: the current one, one stored by an earlier execution, or a new
// one. It returns a *HostError if target must not receive it, and an *Error if signing in fails. A failure is remembered
// for a minute, so that the requests of one command do not each wait for the same one.
func (s *Signer) Token(ctx context.Context, target *url.URL) (string, error) {
	token, err := s.provider.GetAuthorizationToken(ctx, target, nil)
	if err != nil {
		if own, ok := errors.AsType[*Error](err); ok {
			return "", own
		}
		// Other errors come from kiota itself, which refuses http to any host but this machine.
		return "", &HostError{Target: target, Err: err}
	}
	if token == "" {
		// Kiota returns neither a token nor an error for a host that is not allowed.
		return "", &HostError{Target: target}
	}
	return token, nil
}

// Renew returns an access token after the API has answered 401 to rejected: the one that another goroutine or process has
// got since, or else a new one. If signing in returns the rejected token again, the *Error wraps ErrSameToken.
func (s *Signer) Renew(ctx context.Context, target *url.URL, rejected string) (string, error) {
	if err := s.cache.reject(ctx, rejected); err != nil {
		return "", err
	}
	return s.Token(ctx, target)
}

// Forget makes the next Token sign in again, whatever is stored, as the test of an instance needs it.
func (s *Signer) Forget() { s.cache.forget() }

// HostError reports a request that was about to carry a token to a host outside the instance's cloud, or over http.
type HostError struct {
	Target *url.URL
	Err    error
}

func (e *HostError) Error() string {
	where := "an address without a host"
	if e.Target != nil && e.Target.Host != "" {
		where = strings.ToLower(e.Target.Scheme) + "://" + e.Target.Host
	}
	return "No token is sent to " + where + ": it is not https, or not a host of this instance's cloud;" +
		" check Endpoint Type and Server URL of the instance."
}

func (e *HostError) Unwrap() error { return e.Err }
