// Package auth signs an instance in to Microsoft Entra ID, in each of the ways that the integration knows, and hands out
// access tokens: only for the hosts of the instance's cloud, and kept between executions so that most of them ask for none.
package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	kiota "github.com/microsoft/kiota-authentication-azure-go"

	"xsoar-defender/params"
)

// Store keeps what must outlive an execution: the platform's integration context.
type Store interface {
	// Load gives the newest values. The caller may change the map.
	Load(ctx context.Context) (map[string]json.RawMessage, error)
	// Update gives change the newest values; when it returns true they are written back, versioned, and tried again with
	// newer values on a conflict. So change may run several times and must depend on nothing but the values it is given.
	Update(ctx context.Context, change func(values map[string]json.RawMessage) (bool, error)) error
}

// Environment is what signing in needs from the world around it.
type Environment struct {
	Store Store
	// Transport sends to the authority and the token proxy: an *http.Client that honours the instance's TLS and proxy
	// settings and follows no redirect.
	Transport policy.Transporter
	// Direct sends to the managed identity endpoint: never through a proxy.
	Direct policy.Transporter
	Now    func() time.Time
	Random io.Reader
	Sleep  func(context.Context, time.Duration) error
	// Getenv looks up what the workload identity webhook of Kubernetes sets.
	Getenv func(string) string
	// Memory keeps the tokens of modes that keep none in the Store; nil keeps them for the Signer's own life only.
	Memory *Memory
	// InstanceName keeps instances apart in Memory.
	InstanceName string
	// Warn is told what went wrong without stopping the sign-in: a token that could not be kept for the next execution.
	// nil tells nobody.
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
	keeper   *keeper
	provider *kiota.AzureIdentityAccessTokenProvider
}

// New returns the signer of an instance for one scope. An empty scope is that of the instance's cloud; if the tenant does
// not know its resource, the other scopes of the cloud are tried. Only hosts, written without scheme and port, receive a
// token. No request is made before the first Token.
func New(instance params.Instance, scope string, hosts []string, env Environment) (*Signer, error) {
	// Kiota takes an empty list as leave to send the token anywhere.
	if len(hosts) == 0 {
		return nil, errors.New("auth: no host is allowed to receive the token")
	}
	scopes := []string{scope}
	if scope == "" {
		scope = instance.Cloud.Scope
		scopes = append([]string{scope}, instance.Cloud.OtherScopes...)
	}
	source, err := newSearchingSource(settings{instance: instance, env: env}, scopes)
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(source, instance.Mode, env)
	// Without continuous access evaluation: it needs a client that answers the API's claims challenges.
	const continuousAccessEvaluation = false
	provider, err := kiota.NewAzureIdentityAccessTokenProviderWithScopesAndValidHostsAndObservabilityOptionsAndIsCaeEnabled(
		keeper, []string{scope}, hosts, kiota.ObservabilityOptions{}, continuousAccessEvaluation)
	if err != nil {
		return nil, fmt.Errorf("auth: allowed hosts: %w", err)
	}
	return &Signer{keeper: keeper, provider: provider}, nil
}

// Token gives an access token for a request to target: the one at hand, one kept by an earlier execution, or a new one.
// A target that must not receive it gives a *HostError, a sign-in that fails an *Error. A failure is remembered for a
// minute, so that the requests of one command do not each wait for the same one.
func (s *Signer) Token(ctx context.Context, target *url.URL) (string, error) {
	token, err := s.provider.GetAuthorizationToken(ctx, target, nil)
	if err != nil {
		if own, ok := errors.AsType[*Error](err); ok {
			return "", own
		}
		// What is not ours comes from kiota itself, which refuses http to any host but this machine.
		return "", &HostError{Target: target, Err: err}
	}
	if token == "" {
		// Kiota gives a host that is not allowed neither a token nor an error.
		return "", &HostError{Target: target}
	}
	return token, nil
}

// Renew gives an access token after the API has answered 401 to rejected: the one that another goroutine or process has
// got since, or else a new one. When signing in gives the rejected token once more, the *Error wraps ErrSameToken.
func (s *Signer) Renew(ctx context.Context, target *url.URL, rejected string) (string, error) {
	if err := s.keeper.reject(ctx, rejected); err != nil {
		return "", err
	}
	return s.Token(ctx, target)
}

// Forget makes the next Token sign in anew, whatever is kept, as the test of an instance wants it.
func (s *Signer) Forget() { s.keeper.forget() }

// HostError says that a request was about to carry a token to a host that is none of the instance's cloud, or over http.
type HostError struct {
	Target *url.URL
	Err    error
}

func (e *HostError) Error() string {
	where := "an address without a host"
	if e.Target != nil && e.Target.Host != "" {
		where = strings.ToLower(e.Target.Scheme) + "://" + e.Target.Host
	}
	return "No token is sent to " + where + ": it is not https, or none of the hosts of this instance's cloud;" +
		" check the type and the URL of the endpoint in the instance."
}

func (e *HostError) Unwrap() error { return e.Err }
