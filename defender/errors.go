package defender

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"xsoar-defender/internal/gateway"
)

// explained is an error whose text consists of a problem, without a full stop, and a remedy, which may be empty.
type explained interface {
	problem() string
	remedy() string
}

// sentence is the text of such an error.
func sentence(e explained) string {
	if remedy := e.remedy(); remedy != "" {
		return e.problem() + ". " + remedy
	}
	return e.problem() + "."
}

// Explain splits the text of an error of this package into what is wrong, without a full stop, and what to do, which is ""
// if the text has no advice of its own.
func Explain(err error) (problem, remedy string) {
	if found, ok := errors.AsType[interface {
		error
		explained
	}](err); ok {
		return found.problem(), found.remedy()
	}
	return strings.TrimSuffix(err.Error(), "."), ""
}

// APIError is a refusal of the service.
type APIError struct {
	Operation Operation
	Status    int
	// Decide by Code; Message is free text that may change; Target helps Microsoft's support.
	Code, Message, Target string
	// RetryAfter is the wait that the service asked for, or zero.
	RetryAfter time.Duration
	// Foreign reports whether the answer is not JSON, as all of the service is: something on the way may have sent it.
	Foreign bool
}

func (*APIError) defenderError() {}

// Error is one sentence: what failed, the service's words, and what to do.
func (e *APIError) Error() string { return sentence(e) }

func (e *APIError) problem() string {
	said := strings.TrimRight(e.Message, ". \n")
	switch {
	case e.Code != "" && said != "":
		said = e.Code + ": " + said
	case e.Code != "":
		said = e.Code
	case said == "":
		said = cmp.Or(http.StatusText(e.Status), "refused")
	}
	text := fmt.Sprintf("The attempt to %s failed: %s (HTTP %d)", e.Operation.Purpose, said, e.Status)
	if e.Target != "" && e.Status >= http.StatusInternalServerError {
		text += ", correlation " + e.Target
	}
	return text
}

func (e *APIError) remedy() string {
	switch {
	case e.mayHaveActed():
		return mayHaveActed
	case e.Status >= http.StatusMultipleChoices && e.Status < http.StatusBadRequest:
		return "A proxy or a cache on the way answered instead of the service: check the URL of the instance, and exempt it there."
	case e.Status == http.StatusUnauthorized:
		return "Microsoft does not accept the token: run !microsoft-atp-test, and check the tenant and the cloud of the instance."
	case e.Status == http.StatusForbidden:
		return e.forbidden()
	case e.Status == http.StatusNotFound && !isNotFoundCode(e.Code):
		return "Check Server URL and Endpoint Type of the instance: there is no such function at this address."
	case e.Status == http.StatusNotFound:
		return "Check the value: the service does not know it, or the application may not see it."
	case e.Status == http.StatusTooManyRequests:
		return "Try again in " + Seconds(e.RetryAfter) + "."
	case e.Status == http.StatusRequestTimeout:
		return "The service did not get the request in time: try again later."
	case e.Status == http.StatusGone:
		return "Microsoft has retired this function."
	case e.Status >= http.StatusInternalServerError:
		return "The service has trouble: try again later."
	}
	return ""
}

// forbidden says what to do about a 403, of which a missing permission is only one reason. The codes are those of
// https://learn.microsoft.com/defender-endpoint/api/common-errors and of Microsoft Graph, at
// https://learn.microsoft.com/graph/errors.
func (e *APIError) forbidden() string {
	switch strings.ToLower(e.Code) {
	case "":
		if e.Foreign || e.Message == "" {
			return "The service gives its reasons in another form: check that no gateway on the way refuses the request, and that the application has " +
				strings.Join(e.Operation.Application, " or ") + e.owner() + " with admin consent."
		}
		fallthrough
	case "forbidden", "accessdenied", "unauthorized", "authorization_requestdenied", "insufficientprivileges", "insufficientpermissions",
		"missingpermission", "missingpermissions", "authorizationfailed", "generic_authenticationerror":
		return "Grant the application " + strings.Join(e.Operation.Application, " or ") + e.owner() + " and admin consent" + e.delegated() +
			", and check the device groups it may reach."
	case "disabledfeature":
		return "The tenant has turned this feature off: turn it on in the settings of Microsoft Defender, under Endpoints, Advanced features."
	case "disallowedoperation":
		return "The tenant does not allow this operation: check its settings and licenses in Microsoft Defender."
	}
	return "This is not a missing permission: check the settings and licenses of the tenant."
}

// mayHaveActed reports whether the refusal of a change may be that of a gateway, which has passed the change on before it
// gave up waiting for the service, or that of a service which failed after the change.
func (e *APIError) mayHaveActed() bool { return e.Operation.mayHaveActed(e.Status) }

// mayHaveActed reports whether the service may have carried out the operation although the answer has this status.
func (o Operation) mayHaveActed(status int) bool {
	if o.Repeatable() {
		return false
	}
	switch status {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return status < http.StatusMultipleChoices || status > lastKnownStatus // those of gateways that no standard has
}

// lastKnownStatus is the last status of HTTP.
const lastKnownStatus = http.StatusNetworkAuthenticationRequired

// owner names the API that the permissions belong to where it is not the obvious one.
func (e *APIError) owner() string {
	if e.Operation.Graph {
		return " of Microsoft Graph (not of WindowsDefenderATP)"
	}
	return ""
}

// delegated names the permissions of a user's sign-in, which not every operation takes.
func (e *APIError) delegated() string {
	if len(e.Operation.Delegated) == 0 {
		return ""
	}
	return " (for a user's sign-in " + strings.Join(e.Operation.Delegated, " or ") + ")"
}

// NotFound reports whether the service itself says that it does not know the object that was asked for. A 404 without such
// a code is that of a wrong address.
func NotFound(err error) bool {
	refused, ok := errors.AsType[*APIError](err)
	return ok && refused.Status == http.StatusNotFound && isNotFoundCode(refused.Code)
}

// isNotFoundCode reports whether a code is ResourceNotFound, NotFound or one of those of single functions, such as Request_ResourceNotFound.
func isNotFoundCode(code string) bool { return strings.HasSuffix(strings.ToLower(code), "notfound") }

// GatewayError reports that a proxy or another gateway answered instead of the service.
type GatewayError struct {
	Operation Operation
	gateway.Answer
}

func (*GatewayError) defenderError() {}

// Error is one sentence about the gateway, and one about what to do.
func (e *GatewayError) Error() string { return sentence(e) }

func (e *GatewayError) problem() string {
	return fmt.Sprintf("The attempt to %s failed: the answer came from %s, not from the service", e.Operation.Purpose, e.Answer)
}

func (e *GatewayError) remedy() string {
	if e.mayHaveActed() {
		return mayHaveActed
	}
	return capitalized(e.Remedy()) + "."
}

func (e *GatewayError) mayHaveActed() bool { return e.Operation.mayHaveActed(e.Status) }

func capitalized(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// Code returns the service's error code, or "" if err is not a refusal of the service.
func Code(err error) string {
	if refused, ok := errors.AsType[*APIError](err); ok {
		return refused.Code
	}
	return ""
}

// ThrottledError reports that the service asked for a longer wait than an execution may take. The operation was not carried
// out.
type ThrottledError struct {
	Operation Operation
	// After is how long to wait before asking again.
	After time.Duration
	// Err is the service's refusal, or nil if the request was not sent because another one of the same execution had been
	// refused.
	Err *APIError
}

func (*ThrottledError) defenderError() {}

func (e *ThrottledError) Error() string {
	return "The attempt to " + e.Operation.Purpose + " must wait: the service accepts no more requests for " + Seconds(e.After) + "."
}

// Seconds returns a wait in words, rounded up to whole seconds and at least one: anyone who asks too early is refused again.
func Seconds(wait time.Duration) string {
	seconds := int((wait + time.Second - 1) / time.Second)
	if seconds <= 1 {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", seconds)
}

func (e *ThrottledError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// ConnectionError reports that no answer came.
type ConnectionError struct {
	Operation Operation
	// Sent reports whether the request had reached the service, which may have acted on it.
	Sent bool
	// Slow reports whether the service did not answer in time.
	Slow bool
	Err  error
}

func (*ConnectionError) defenderError() {}

func (e *ConnectionError) Error() string { return sentence(e) }

func (e *ConnectionError) problem() string {
	what := "no connection to the service (" + innermost(e.Err) + ")"
	refused, ok := errors.AsType[gateway.ProxyError](e.Err)
	switch {
	case ok:
		what = refused.Error()
	case e.Slow:
		what = errTooSlow.Error()
	case e.Sent:
		what = "the connection broke before the answer was complete (" + innermost(e.Err) + ")"
	}
	return fmt.Sprintf("The attempt to %s failed: %s", e.Operation.Purpose, what)
}

func (e *ConnectionError) remedy() string {
	if refused, ok := errors.AsType[gateway.ProxyError](e.Err); ok {
		return capitalized(refused.Remedy()) + "."
	}
	switch {
	case e.mayHaveActed():
		return mayHaveActed
	case gateway.IsHandshake(e.Err):
		return "Check the certificate settings of the instance, or " + gateway.HandshakeRemedy + "."
	case e.Slow:
		return "Try again later."
	case e.Sent:
		return "Try again."
	case tooManyFiles(e.Err):
		return moreFiles
	}
	return "Check the URL, the proxy and the certificate settings of the instance."
}

// moreFiles is the remedy when the process may not open another connection.
const moreFiles = "Raise the limit of open files of the container (nofile)."

func tooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// mayHaveActed says what to do if the answer to a change is lost.
const mayHaveActed = "The service may have acted on it: look before you try again."

func (e *ConnectionError) mayHaveActed() bool { return e.Sent && !e.Operation.Repeatable() }

func (e *ConnectionError) Unwrap() error { return e.Err }

// MayHaveActed reports whether a change was sent whose answer was lost or invalid, so that nobody knows whether the service
// carried it out.
func MayHaveActed(err error) bool {
	var unknown interface{ mayHaveActed() bool }
	return errors.As(err, &unknown) && unknown.mayHaveActed()
}

// SignInError reports that there was no token for a request. Its text is that of the sign-in.
type SignInError struct{ Err error }

func (*SignInError) defenderError() {}

func (e *SignInError) Error() string { return e.Err.Error() }

func (e *SignInError) Unwrap() error { return e.Err }

// innermost returns the text of the error at the end of the chain, without the lists of addresses around it.
func innermost(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner.Error() == "" {
			return err.Error()
		}
		err = inner
	}
}

// AnswerError reports an answer that is not in the form of the API.
type AnswerError struct {
	Operation Operation
	Status    int
	// Problem completes the sentence "the answer is ...".
	Problem string
	// Said quotes the answer, or is "" if nothing in it can be read.
	Said string
	Err  error
}

func (*AnswerError) defenderError() {}

func (e *AnswerError) Error() string { return sentence(e) }

func (e *AnswerError) problem() string {
	text := fmt.Sprintf("The attempt to %s failed: the answer (HTTP %d) is %s", e.Operation.Purpose, e.Status, e.Problem)
	if said := strings.TrimRight(e.Said, ". "); said != "" {
		text += ", and says: " + said
	}
	return text
}

func (e *AnswerError) remedy() string {
	if e.mayHaveActed() {
		return mayHaveActed
	}
	return "Check that Server URL of the instance is the address of the Defender API and not that of a proxy."
}

func (e *AnswerError) mayHaveActed() bool { return e.Operation.mayHaveActed(e.Status) }

func (e *AnswerError) Unwrap() error { return e.Err }

// TooLargeError means that an answer, or the answers of a list together, are larger than the memory that they may take.
type TooLargeError struct {
	Operation Operation
	Status    int
	// Most is the limit in bytes.
	Most int64
}

func (*TooLargeError) defenderError() {}

func (e *TooLargeError) Error() string { return sentence(e) }

func (e *TooLargeError) problem() string {
	return fmt.Sprintf("The attempt to %s failed: the answer is larger than %d MB, which is more than this integration may hold in memory", e.Operation.Purpose, e.Most>>20)
}

func (e *TooLargeError) remedy() string {
	if e.mayHaveActed() {
		return mayHaveActed
	}
	return "Ask for less: set a smaller limit or a narrower filter. Or give the container more memory, and raise \"Largest answer\" of the instance."
}

func (e *TooLargeError) mayHaveActed() bool { return e.Operation.mayHaveActed(e.Status) }

// ArgumentError reports a value that cannot be an ID, so that no request was sent.
type ArgumentError struct {
	Operation Operation
	Value     string
}

func (*ArgumentError) defenderError() {}

func (e *ArgumentError) Error() string {
	return fmt.Sprintf("The attempt to %s failed: %q is not an ID. Check the value.", e.Operation.Purpose, e.Value)
}

// StatusOf returns the HTTP status of a refusal of the service, or 0 if err is not a refusal.
func StatusOf(err error) int {
	if refused, ok := errors.AsType[*APIError](err); ok {
		return refused.Status
	}
	return 0
}
