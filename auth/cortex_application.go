package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/tidwall/gjson"
)

const (
	// proxyApplication is the token proxy's name for this integration.
	proxyApplication = "ms-defender-atp"
	// firstPause is how long the proxy is left alone after its first failure. Each further failure in a row doubles it, up
	// to mostDoubling times.
	firstPause   = 2 * time.Second
	mostDoubling = 5
)

// cortexApplication signs in through the token proxy of Cortex XSOAR, with the tenant's registration there.
type cortexApplication struct {
	*sealedRecords

	redeemer *redeemer
	// seen is the record of the back-off when the proxy was last asked.
	seen record
}

var (
	_ azcore.TokenCredential = (*cortexApplication)(nil)
	_ flow                   = (*cortexApplication)(nil)
)

func newCortexApplication(s settings) (method, error) {
	sealed, err := newSealedRecords(s)
	if err != nil {
		return method{}, err
	}
	c := &cortexApplication{sealedRecords: sealed}
	store := newContextStore(sealed, "")
	c.redeemer = &redeemer{store: store, wire: c.wire(), flow: c, reusable: true}
	return method{credential: c, store: savedByRedeemer{store}}, nil
}

func (c *cortexApplication) wire() wire {
	w := c.tokenWire()
	w.address = c.instance.Proxy.URL
	// The back-off decides when the proxy is asked again.
	w.retry = policy.RetryOptions{MaxRetries: -1}
	w.secrets = []string{c.instance.Proxy.Token.Reveal(), c.instance.Proxy.Key.Reveal()}
	return w
}

// GetToken asks the proxy for a token, unless it has failed so recently that it is left alone.
func (c *cortexApplication) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.redeemer.sign(ctx)
	if err == nil {
		return token, nil
	}
	failure, ok := errors.AsType[*Error](err)
	notAsked := []string{CodeBackOff, CodeContext, CodeConfiguration, CodeCanceled}
	if !ok || slices.Contains(notAsked, failure.Code) {
		return azcore.AccessToken{}, err
	}
	return azcore.AccessToken{}, c.backOff(ctx, failure)
}

// plan offers the Token of the registration, which the working client sends every time, and then the refresh token that
// the proxy issued last, for a proxy that accepts a Token only once.
func (c *cortexApplication) plan(stored contents) ([]ticket, error) {
	if err := c.leftAlone(stored); err != nil {
		return nil, err
	}
	c.seen = stored.get(c.key(backoffRecord))
	tickets := []ticket{{kind: proxyToken, value: c.instance.Proxy.Token.Reveal()}}
	if token := c.refreshToken(stored); token != "" {
		return append(tickets, ticket{kind: storedToken, value: token}), nil
	}
	if token := stored.legacy(legacyRefreshToken); token != "" {
		return append(tickets, ticket{kind: legacyToken, value: token}), nil
	}
	return tickets, nil
}

// refused reports whether another token may be accepted. A proxy that answers anything at all has read the token: it is
// known to refuse a used one with 500, too.
func (c *cortexApplication) refused(failure *Error) bool {
	status := serviceErrorIn(failure).Status
	return status >= http.StatusBadRequest && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

func (c *cortexApplication) redeem(ctx context.Context, x *exchange, _ contents, with ticket) (grant, error) {
	encrypted, err := c.encrypt(with.value)
	if err != nil {
		return grant{}, err
	}
	x.hide(encrypted)
	request, err := runtime.NewRequest(ctx, http.MethodPost, c.instance.Proxy.URL)
	if err != nil {
		return grant{}, err
	}
	body := struct {
		Application    string  `json:"app_name"`
		Registration   string  `json:"registration_id"`
		EncryptedToken string  `json:"encrypted_token"`
		Scope          *string `json:"scope"`
		Resource       string  `json:"resource"`
	}{Application: proxyApplication, Registration: c.instance.Proxy.ID, EncryptedToken: encrypted}
	// The working client names neither for the API of the instance: the proxy knows what its application is for.
	if c.scope != c.instance.Cloud.Scope {
		body.Scope, body.Resource = &c.scope, strings.TrimSuffix(c.scope, "/.default")
	}
	err = runtime.MarshalAsJSON(request, body)
	if err != nil {
		return grant{}, err
	}
	response, err := x.pipeline().Do(request)
	if err != nil {
		return grant{}, err
	}
	answer, err := runtime.Payload(response)
	if err != nil {
		return grant{}, err
	}
	if !isSuccess(response.StatusCode) {
		return grant{}, &ServiceError{Status: response.StatusCode}
	}
	return parseProxyGrant(answer, c.env.Now())
}

// isSuccess reports whether a status is 2xx.
func isSuccess(status int) bool {
	return status >= http.StatusOK && status < http.StatusMultipleChoices
}

// encrypt makes the proof that the proxy expects: the time and the token, under the Key.
func (c *cortexApplication) encrypt(token string) (string, error) {
	block, err := aes.NewCipher(c.instance.Proxy.KeyBytes)
	if err != nil {
		return "", c.fail(CodeConfiguration, "the Key is not 16, 24 or 32 bytes long", fallbackRemedies[c.instance.Mode], nil)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return "", fmt.Errorf("encrypt for the token proxy: %w", err)
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(c.env.Random, nonce); err != nil {
		return "", fmt.Errorf("random nonce: %w", err)
	}
	plain := fmt.Appendf(nil, "%d:%s", c.env.Now().Unix(), token)
	return base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, nil)), nil
}

var errNoToken = errors.New("the answer has no access token")

// parseProxyGrant reads a readable answer that has a token.
func parseProxyGrant(body []byte, now time.Time) (grant, error) {
	if !gjson.ValidBytes(body) {
		return grant{}, errNoToken
	}
	answer := gjson.ParseBytes(body)
	token := answer.Get("access_token")
	if token.Type != gjson.String || token.Str == "" {
		return grant{}, errNoToken
	}
	got := grant{access: strings.Clone(token.Str), expires: now.Add(lifeIn(answer, token.Str, now))}
	if refresh := answer.Get("refresh_token"); refresh.Type == gjson.String {
		got.refresh = strings.Clone(refresh.Str)
	}
	return got, nil
}

// leftAlone returns the error of a back-off that is not over.
func (c *cortexApplication) leftAlone(stored contents) error {
	place := c.key(backoffRecord)
	failures := stored.get(place)
	until := time.UnixMilli(failures.Until)
	// A time further off than any pause comes from a wrong clock.
	if wait := until.Sub(c.env.Now()); wait <= 0 || wait > firstPause<<mostDoubling {
		return nil
	}
	message := fmt.Sprintf("the token proxy has failed %d times in a row", failures.Failures)
	if failures.Failures == 1 {
		message = "the token proxy has just failed"
	}
	if reason, ok := c.open(stored, place); ok {
		message += ", last with: " + string(reason)
	}
	waiting := c.fail(CodeBackOff, message, "wait until "+clock(until)+", then run the command again", nil)
	waiting.Until = until
	return waiting
}

// backOff counts a failure of the proxy for every process of the instance, and adds to it when the proxy is asked again.
// Commands that run at the same time meet one outage: once one of them has counted it, the others do not.
func (c *cortexApplication) backOff(ctx context.Context, failure *Error) *Error {
	place := c.key(backoffRecord)
	now := c.env.Now()
	counted, err := c.record(place, fmt.Appendf(nil, "%s (%s)", failure.Message, failure.Code), now)
	if err != nil {
		c.env.warn(err)
		return failure
	}
	err = c.update(ctx, func(newest contents) (bool, error) {
		if current := newest.get(place); current != c.seen && current.Failures > 0 {
			counted.Until = current.Until
			return false, nil
		}
		counted.Failures = newest.get(place).Failures + 1
		until := now.Add(firstPause << min(counted.Failures-1, mostDoubling))
		counted.Until, counted.Expires = until.UnixMilli(), until.Unix()
		newest.set(place, counted)
		return true, nil
	})
	if err != nil {
		c.env.warn(err)
		return failure
	}
	extended := *failure
	extended.Until = time.UnixMilli(counted.Until)
	extended.Remedy += "; the proxy is asked again after " + clock(extended.Until)
	return &extended
}

// clock returns the time of day for users, rounded up to the next second.
func clock(t time.Time) string {
	return t.Add(time.Second-time.Nanosecond).UTC().Format("15:04:05") + " UTC"
}
