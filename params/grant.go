package params

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
)

// RefreshTokenPrefix marks a refresh token where a code is expected, for users who already have one.
const RefreshTokenPrefix = "refresh_token:"

// RefusedLoginError says that the authority has sent the browser back without a code.
type RefusedLoginError struct {
	// Code is of RFC 6749, such as access_denied, and Message is what the authority says about it. Both come out of an
	// address that anybody can make; they are short and in one line.
	Code, Message string
}

func (e *RefusedLoginError) Error() string {
	text := "the login was refused (" + e.Code
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text + ")"
}

// ErrNoCode says that a text is an address or a query, but none with a code in it.
var ErrNoCode = errors.New("there is no code in what was pasted")

var errNoRefreshToken = errors.New("put a refresh token behind " + RefreshTokenPrefix + ", or the authorization code in its place")

// ParseGrant reads what a user pasted after the login, or what a browser brought: the whole address that the browser
// ended at, its query, the code alone, or a refresh token behind its prefix. Line breaks that copying left in it do not
// matter. The error is a *RefusedLoginError, ErrNoCode, or a sentence that tells the user what to paste; it quotes at most
// what the authority said when it refused the login.
func ParseGrant(pasted string) (Grant, error) {
	pasted = withoutLineBreaks(pasted)
	if token, found := strings.CutPrefix(pasted, RefreshTokenPrefix); found {
		if token = strings.TrimSpace(token); token == "" {
			return Grant{}, errNoRefreshToken
		}
		return Grant{RefreshToken: Secret(token)}, nil
	}
	answer, isAnswer := loginAnswer(pasted)
	switch {
	case pasted == "":
		return Grant{}, nil
	case answer.Get("code") != "":
		return Grant{Code: Secret(answer.Get("code")), State: answer.Get("state")}, nil
	case answer.Has("error"):
		return Grant{}, refusal(answer)
	case isAnswer:
		return Grant{}, ErrNoCode
	default:
		return bareCode(pasted), nil
	}
}

// grantFix tells the user of an instance what to paste instead.
func grantFix(err error) string {
	if _, refused := errors.AsType[*RefusedLoginError](err); refused {
		return err.Error() + "; run !microsoft-atp-generate-login-url, log in again and paste the new address"
	}
	if errors.Is(err, ErrNoCode) {
		return err.Error() + "; paste the address that the browser shows after the login"
	}
	return err.Error()
}

// loginAnswer finds the values with which the authority sends a browser back: in the query, or in the fragment when the
// application asked for that. False means that the text is no address and no query, so a code alone.
func loginAnswer(pasted string) (url.Values, bool) {
	if values := pairs(pasted); values.Has("code") || values.Has("error") {
		return values, true
	}
	// No code holds one of these, so an address comes first, maybe without the scheme that browsers hide.
	if start := strings.IndexAny(pasted, "?#"); start >= 0 {
		return pairs(pasted[start:]), true
	}
	return nil, strings.Contains(pasted, "://")
}

// pairs reads a query, a fragment, or both. It leaves out malformed pairs, for which the parser's error stands.
func pairs(text string) url.Values {
	values, _ := url.ParseQuery(strings.ReplaceAll(strings.TrimLeft(text, "?#"), "#", "&"))
	return values
}

// bareCode reads a code that was copied out of an address: percent-encoded maybe, and maybe with what followed it.
func bareCode(pasted string) Grant {
	code, rest, _ := strings.Cut(strings.Join(strings.Fields(pasted), ""), "&")
	if decoded, err := url.PathUnescape(code); err == nil {
		code = decoded
	}
	// The state is a help only: without it the code is tried all the same.
	return Grant{Code: Secret(code), State: pairs(rest).Get("state")}
}

// refusal gives the authority's code and message. What follows the first sentences of its message, trace and correlation
// IDs, is of no use here.
func refusal(answer url.Values) *RefusedLoginError {
	message, _, _ := strings.Cut(answer.Get("error_description"), "Trace ID:")
	return &RefusedLoginError{
		Code: printable(answer.Get("error"), 60), Message: strings.TrimRight(printable(message, 300), ". "),
	}
}

// printable gives at most limit characters of a text in one line, without control characters.
func printable(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, text)
	short := []rune(strings.Join(strings.Fields(text), " "))
	if len(short) > limit {
		return string(short[:limit]) + "…"
	}
	return string(short)
}

func withoutLineBreaks(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(text))
}
