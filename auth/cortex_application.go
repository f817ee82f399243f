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
	// proxyApplication is the name that the token proxy knows this integration by.
	proxyApplication = "ms-defender-atp"
	// firstPause is how long the proxy is left alone after its first failure; each further one in a row doubles it, five
	// times.
	firstPause   = 2 * time.Second
	mostDoubling = 5
)

// cortexApplication signs in through the token proxy of Cortex XSOAR, with the registration that the tenant has there.
type cortexApplication struct {
	*vault

	session *session
}

var (
	_ azcore.TokenCredential = (*cortexApplication)(nil)
	_ flow                   = (*cortexApplication)(nil)
)

func newCortexApplication(s settings) (source, error) {
	vault, err := newVault(s)
	if err != nil {
		return source{}, err
	}
	c := &cortexApplication{vault: vault}
	keep := newContextKeep(vault, "")
	c.session = &session{keep: keep, wire: c.wire(), flow: c}
	return source{credential: c, keep: savedBySession{keep}}, nil
}

func (c *cortexApplication) wire() wire {
	w := c.tokenWire()
	w.address = c.instance.Proxy.URL
	// How long to wait before the proxy is asked again is the back-off's business.
	w.retry = policy.RetryOptions{MaxRetries: -1}
	w.secrets = []string{c.instance.Proxy.Token.Reveal(), c.instance.Proxy.Key.Reveal()}
	return w
}

// GetToken asks the proxy for a token, unless it has failed so recently that it is left alone.
func (c *cortexApplication) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.session.sign(ctx)
	if err == nil {
		return token, nil
	}
	failure, ok := errors.AsType[*Error](err)
	notAsked := []string{CodeBackOff, CodeContext, CodeConfiguration, CodeCanceled}
	// Another scope is tried at once.
	another := ok && failure.Code == codeUnknownResource && !c.lastScope
	if !ok || another || slices.Contains(notAsked, failure.Code) {
		return azcore.AccessToken{}, err
	}
	return azcore.AccessToken{}, c.backOff(ctx, failure)
}

// plan offers the refresh token that the proxy gave last, and then the Token of the registration, which works always.
func (c *cortexApplication) plan(kept contents) ([]ticket, error) {
	if err := c.leftAlone(kept); err != nil {
		return nil, err
	}
	registration := ticket{kind: proxyToken, value: c.instance.Proxy.Token.Reveal()}
	if token := c.refreshToken(kept); token != "" {
		return []ticket{{kind: keptToken, value: token}, registration}, nil
	}
	if token := kept.legacy(legacyRefreshToken); token != "" {
		return []ticket{{kind: legacyToken, value: token}, registration}, nil
	}
	return []ticket{registration}, nil
}

// refused tells whether another token may be let in.
func (c *cortexApplication) refused(refusal *ServiceError) bool {
	switch refusal.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return refusal.Status >= http.StatusBadRequest && refusal.Status < http.StatusInternalServerError
}

func (c *cortexApplication) redeem(ctx context.Context, x *exchange, _ contents, with ticket) (answer, error) {
	encrypted, err := c.encrypt(with.value)
	if err != nil {
		return answer{}, err
	}
	x.hide(encrypted)
	request, err := runtime.NewRequest(ctx, http.MethodPost, c.instance.Proxy.URL)
	if err != nil {
		return answer{}, err
	}
	err = runtime.MarshalAsJSON(request, struct {
		Application    string `json:"app_name"`
		Registration   string `json:"registration_id"`
		EncryptedToken string `json:"encrypted_token"`
		Scope          string `json:"scope"`
		Resource       string `json:"resource"`
	}{proxyApplication, c.instance.Proxy.ID, encrypted, c.scope, strings.TrimSuffix(c.scope, "/.default")})
	if err != nil {
		return answer{}, err
	}
	response, err := x.pipeline().Do(request)
	if err != nil {
		return answer{}, err
	}
	body, err := runtime.Payload(response)
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, &ServiceError{Status: response.StatusCode}
	}
	return parseProxyAnswer(body, c.env.Now())
}

// encrypt makes the proof that the proxy wants: the time and the token, under the Key.
func (c *cortexApplication) encrypt(token string) (string, error) {
	block, err := aes.NewCipher(c.instance.Proxy.KeyBytes)
	if err != nil {
		return "", c.fail(CodeConfiguration, "the Key is none of 16, 24 or 32 bytes", fallbackRemedies[c.instance.Mode], nil)
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

// parseProxyAnswer reads what the proxy answers when it gives a token.
func parseProxyAnswer(body []byte, now time.Time) (answer, error) {
	if !gjson.ValidBytes(body) {
		return answer{}, errNoToken
	}
	fields := gjson.GetManyBytes(body, "access_token", "refresh_token", "expires_in")
	if fields[0].Type != gjson.String || fields[0].Str == "" {
		return answer{}, errNoToken
	}
	got := answer{access: strings.Clone(fields[0].Str), expires: now.Add(defaultLife)}
	if fields[1].Type == gjson.String {
		got.refresh = strings.Clone(fields[1].Str)
	}
	// A number, or a number in a string.
	if seconds := fields[2].Int(); seconds > 0 {
		got.expires = now.Add(time.Duration(min(seconds, int64(longestLife.Seconds()))) * time.Second)
	}
	return got, nil
}

// leftAlone gives the error of a back-off that is not over.
func (c *cortexApplication) leftAlone(kept contents) error {
	place := c.key(backoffRecord)
	failures := kept.get(place)
	until := time.UnixMilli(failures.Until)
	// A time further off than any pause is of a clock that goes wrong.
	if wait := until.Sub(c.env.Now()); wait <= 0 || wait > firstPause<<mostDoubling {
		return nil
	}
	message := fmt.Sprintf("the token proxy has failed %d times in a row", failures.Failures)
	if failures.Failures == 1 {
		message = "the token proxy has just failed"
	}
	if reason, ok := c.open(kept, place); ok {
		message += ", last because of: " + string(reason)
	}
	waiting := c.fail(CodeBackOff, message, "wait until "+clock(until)+", then run the command again", nil)
	waiting.Until = until
	return waiting
}

// backOff counts a failure of the proxy for every process of the instance, and adds to it until when the proxy is left
// alone.
func (c *cortexApplication) backOff(ctx context.Context, failure *Error) *Error {
	place := c.key(backoffRecord)
	now := c.env.Now()
	counted, err := c.record(place, []byte(fmt.Sprintf("%s (%s)", failure.Message, failure.Code)), now)
	if err != nil {
		c.env.warn(err)
		return failure
	}
	err = c.update(ctx, func(newest contents) (bool, error) {
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
	told := *failure
	told.Until = time.UnixMilli(counted.Until)
	told.Remedy += "; the proxy is asked again after " + clock(told.Until)
	return &told
}

// clock gives the time of day as users read it, the second in which t lies being over.
func clock(t time.Time) string {
	return t.Add(time.Second-time.Nanosecond).UTC().Format("15:04:05") + " UTC"
}
