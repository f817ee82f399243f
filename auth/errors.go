package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/gateway"
	"xsoar-defender/params"
)

// Codes of failures for which no service has a code.
const (
	CodeCanceled      = "canceled"       // the execution ended first
	CodeTimeout       = "timeout"        // no answer within the time that a sign-in may take
	CodeUnreachable   = "unreachable"    // no connection
	CodeUnknownHost   = "unknown_host"   // the name has no address
	CodeTLS           = "tls"            // the certificate is not trusted, or no TLS connection was agreed on
	CodeGateway       = "gateway"        // a proxy or another gateway answered instead of the service, or the proxy cannot be used
	CodeInvalidAnswer = "invalid_answer" // the answer is not one to a request for a token
	CodeConfiguration = "configuration"  // the instance or the machine lacks what the mode needs
	CodeContext       = "context"        // the integration context cannot be read or written
	CodeLoginRequired = "login_required" // nobody has logged in
	CodeState         = "state_mismatch" // the authorization code belongs to another login
	CodeBackOff       = "back_off"       // the token proxy is left alone for a while
	CodeSameToken     = "same_token"     // a refused token was issued again
)

// Error is a sign-in that failed. Its text, one sentence, has no secret, whatever the service echoed.
type Error struct {
	Mode    params.Mode
	Code    string // of the service, such as AADSTS7000215 or invalid_grant, else one of the Code constants
	Message string // what is wrong, without a full stop
	Remedy  string // what to do, without a full stop
	// Until is when signing in is tried again; zero if it may be tried at once.
	Until time.Time
	// Err is the cause: of the network, a *ServiceError, or the error of a context.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("Sign-in (%s) failed: %s (%s); %s.", e.Mode, e.Message, e.Code, e.Remedy)
}

func (e *Error) Unwrap() error { return e.Err }

// ServiceError is the refusal of a service that was asked for a token.
type ServiceError struct {
	Status int    // of HTTP
	OAuth  string // the error of RFC 6749, such as invalid_grant; empty if the service answered in another form
}

func (e *ServiceError) Error() string {
	if e.OAuth == "" {
		return fmt.Sprintf("HTTP %d", e.Status)
	}
	return fmt.Sprintf("HTTP %d %s", e.Status, e.OAuth)
}

// Passes reports whether a sign-in failed for a reason that passes: the network, a wait, or a service in trouble. Words of the
// authority are those of RFC 6749 and of https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
func Passes(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok { // of the network
		return true
	}
	if failed, ok := errors.AsType[*Error](err); ok && (failed.Code == CodeTimeout || failed.Code == CodeBackOff) {
		return true
	}
	refused, ok := errors.AsType[*ServiceError](err)
	return ok && (inTrouble(refused.Status) || refused.OAuth == "temporarily_unavailable" || refused.OAuth == "server_error")
}

// inTrouble reports whether a service that answers with a status of HTTP may answer better later.
func inTrouble(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

var (
	errPlainHTTP = errors.New("secrets are sent over https only")
	errOtherHost = errors.New("secrets are sent to the host of the authority only")
)

func canceled(mode params.Mode, err error) *Error {
	return &Error{
		Mode: mode, Code: CodeCanceled, Message: "the command ended before the sign-in was complete",
		Remedy: "run it again", Err: err,
	}
}

// unprepared makes the error of a sign-in that failed before any request.
func unprepared(mode params.Mode, err error) *Error {
	return &Error{
		Mode: mode, Code: CodeConfiguration, Message: "the sign-in could not be prepared",
		Remedy: fallbackRemedies[mode], Err: err,
	}
}

func invalidAnswer(mode params.Mode) *Error {
	return &Error{
		Mode: mode, Code: CodeInvalidAnswer, Message: "the answer has no token",
		Remedy: strangeRemedy(mode),
	}
}

// strangeRemedy returns what to do about an answer in another form than the service has. The authority answers in one form
// only, so something else has answered instead, which has checked no credentials.
func strangeRemedy(mode params.Mode) string {
	switch mode {
	case params.CortexApplication, params.ManagedIdentity:
		return fallbackRemedies[mode]
	}
	return remedyElsewhere
}

func (w wire) timeout(err error) *Error {
	return &Error{
		Mode: w.mode, Code: CodeTimeout, Message: fmt.Sprintf("%s did not answer within %s", hostOf(w.address), w.patience),
		Remedy: w.reachRemedy(), Err: err,
	}
}

// reachRemedy returns what to do about a host that does not answer.
func (w wire) reachRemedy() string {
	if w.mode == params.ManagedIdentity {
		return fallbackRemedies[w.mode]
	}
	return "check that the engine reaches that host, and Use system proxy settings of the instance"
}

func hostOf(address string) string {
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		return parsed.Host
	}
	return "the sign-in service"
}

// explain turns the end of a sign-in into an *Error. The text of err itself is not used: azidentity's is a dump of the
// whole answer, in which a service may have echoed anything.
func (x *exchange) explain(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.failure != nil:
		return x.networkError()
	case x.status == 0:
		return unprepared(x.mode, err)
	}
	if page, ok := gateway.Detect(x.status, x.header, string(x.body)); ok {
		return x.gatewayError(page)
	}
	refusal := readRefusal(x.body)
	if !isSuccess(x.status) || refusal.oauth != "" {
		return x.serviceError(refusal)
	}
	return invalidAnswer(x.mode)
}

// gatewayError explains an answer that is not the service's. It blames no credentials: the service has not seen them.
func (x *exchange) gatewayError(page gateway.Answer) *Error {
	return &Error{
		Mode: x.mode, Code: CodeGateway,
		Message: x.hidden.clean("the answer to the request to " + x.host + " came from " + page.String()),
		Remedy:  page.Remedy(), Err: &ServiceError{Status: page.Status},
	}
}

// networkError explains a request that got no answer.
func (x *exchange) networkError() *Error {
	if refused, ok := errors.AsType[gateway.ProxyError](x.failure); ok {
		return &Error{Mode: x.mode, Code: CodeGateway, Message: refused.Error(), Remedy: refused.Remedy(), Err: x.failure}
	}
	e := &Error{
		Mode: x.mode, Code: CodeUnreachable, Message: x.host + " could not be reached",
		Remedy: x.reachRemedy(), Err: x.failure,
	}
	switch {
	case errors.Is(x.failure, unusableToken{}):
		e.Code, e.Message = CodeInvalidAnswer, "the token in the answer of "+x.host+" holds a line break or another character that cannot be sent"
		e.Remedy = "let the administrator of that service, or of the proxy before it, correct its answers"
	case errors.Is(x.failure, errPlainHTTP):
		e.Code, e.Message = CodeConfiguration, x.host+" would get the secret over plain http"
		e.Remedy = "enter an https:// address in the instance"
	case errors.Is(x.failure, errOtherHost):
		e.Code, e.Message = CodeConfiguration, "the secret would go to "+x.host+" instead of "+hostOf(x.address)
		e.Remedy = "remove AZURE_REGIONAL_AUTHORITY_NAME from the environment of the engine, and check that Endpoint Type" +
			" of the instance is the tenant's cloud"
	case isNoTLS(x.failure):
		e.Code, e.Message, e.Remedy = CodeTLS, x.host+" does not speak TLS", remedyAddress
	case isUntrusted(x.failure):
		e.Code, e.Message = CodeTLS, "the TLS certificate of "+x.host+" is not trusted"
		e.Remedy = "make the engine trust the authority that signed it, or select Trust any certificate (not secure) in the instance"
	case gateway.IsHandshake(x.failure):
		e.Code, e.Message, e.Remedy = CodeTLS, x.host+" and this program could not agree on a TLS connection", gateway.HandshakeRemedy
	case isTimeout(x.failure):
		e.Code, e.Message = CodeTimeout, x.host+" did not answer in time"
	case isUnknownHost(x.failure):
		e.Code, e.Message, e.Remedy = CodeUnknownHost, x.host+" has no address", remedyAddress
	}
	return e
}

func isUntrusted(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

func isNoTLS(err error) bool {
	_, header := errors.AsType[tls.RecordHeaderError](err)
	return header || errors.Is(err, http.ErrSchemeMismatch)
}

func isTimeout(err error) bool {
	return gateway.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded)
}

func isUnknownHost(err error) bool {
	lookup, ok := errors.AsType[*net.DNSError](err)
	return ok && lookup.IsNotFound
}

// serviceError explains an answer that refuses the token.
func (x *exchange) serviceError(r refusal) *Error {
	e := &Error{
		Mode: x.mode, Code: r.code, Message: brief(x.hidden.clean(r.message)),
		Err: &ServiceError{Status: x.status, OAuth: r.oauth},
	}
	if e.Code == "" {
		e.Code = fmt.Sprintf("HTTP %d", x.status)
	}
	if e.Message == "" {
		e.Message = x.host + " refused"
	}
	switch known := remedyFor(x.mode, e.Code); {
	case known != "":
		e.Remedy = known
	case inTrouble(x.status):
		e.Remedy = remedyLater
	case r.strange:
		e.Remedy = strangeRemedy(x.mode)
	default:
		e.Remedy = fallbackRemedies[x.mode]
	}
	if wait := gateway.RetryAfter(x.header, x.now()); e.Remedy == remedyLater && wait > 0 {
		back := x.now().Add(wait)
		e.Remedy = "try again after " + clock(back)
		if day := back.UTC().Format(time.DateOnly); day != x.now().UTC().Format(time.DateOnly) {
			e.Remedy = "try again after " + day + " " + clock(back)
		}
	}
	return e
}

// refusal is the reason that an answer has for issuing no token.
type refusal struct {
	code, oauth, message string
	// strange reports whether the answer is in another form than the authority's.
	strange bool
}

// readRefusal reads errors of Microsoft Entra ID, of the managed identity endpoints of Azure's services and of the token
// proxy, each of which has a form of its own.
func readRefusal(body []byte) refusal {
	if !gjson.ValidBytes(body) {
		return refusal{message: plainText(body), strange: true}
	}
	answer := gjson.ParseBytes(body)
	r := refusal{
		oauth: word(answer.Get("error")),
		message: text(answer, "error_description", "error.message", "detail", "message", "Message", "title",
			`odata\.error.message.value`, "error.innererror.message", "error.innerError.message", "innererror.message"),
		strange: answer.Get("error").Type != gjson.String,
	}
	r.code = r.oauth
	for _, name := range []string{"error.code", `odata\.error.code`, "error.innererror.code", "error.innerError.code", "innererror.code"} {
		if r.code == "" {
			r.code = word(answer.Get(name))
		}
	}
	if number := answer.Get("error_codes.0"); number.Int() > 0 {
		r.code = fmt.Sprintf("AADSTS%d", number.Int())
	} else if found := entraCode(r.message); found != "" {
		r.code = found
	}
	return r
}

// plainText returns a text that is neither JSON nor a page, or "" if it is not text.
func plainText(body []byte) string {
	if start := bytes.TrimSpace(body); len(start) == 0 || !utf8.Valid(body) || bytes.ContainsAny(start[:1], "{[<") {
		return ""
	}
	return string(body)
}

// entraCode returns the first code of Microsoft Entra ID in a text, such as AADSTS700016, or "" without one.
func entraCode(text string) string {
	const prefix, least, most = "AADSTS", 4, 9
	for {
		_, rest, found := strings.Cut(text, prefix)
		if !found {
			return ""
		}
		number := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if number >= least {
			return prefix + rest[:min(number, most)]
		}
		text = rest
	}
}

// word returns a value that is a code, else "".
func word(value gjson.Result) string {
	if value.Type != gjson.String || !isPlainCode(value.Str) {
		return ""
	}
	return value.Str
}

// isPlainCode reports whether a text can be shown as a code; anything longer may contain an echoed secret.
func isPlainCode(text string) bool {
	const longest = 64
	if text == "" || len(text) > longest {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		inCode := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.-", r)
		return !inCode
	})
}

func text(answer gjson.Result, names ...string) string {
	for _, name := range names {
		if value := answer.Get(name); value.Type == gjson.String && value.Str != "" {
			return value.Str
		}
	}
	return ""
}

// briefLimit is how many characters of a service's message are shown.
const briefLimit = 240

// brief returns the first sentence of a service's message, without the code before it and the trace after it.
func brief(message string) string {
	if code := entraCode(message); code != "" && strings.HasPrefix(message, code) {
		message = strings.TrimLeft(message[len(code):], ": ")
	}
	message, _, _ = strings.Cut(message, "Trace ID:")
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	message, _, _ = strings.Cut(message, ". ")
	message = strings.TrimRight(message, ". ")
	if runes := []rune(message); len(runes) > briefLimit {
		message = string(runes[:briefLimit]) + "…"
	}
	return message
}
