package params

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
)

// RefreshTokenPrefix marks a refresh token where a code is expected, for users who already have one.
const RefreshTokenPrefix = "refresh_token:"

// RefusedLoginError is the error of a login after which the authority sent the browser back without a code.
type RefusedLoginError struct {
	// Code is one of RFC 6749, such as access_denied, and Message the authority's explanation. Both come from an address
	// that anyone can write, and are cut to short texts of one line.
	Code, Message string
}

func (e *RefusedLoginError) Error() string {
	text := "the login was refused (" + e.Code
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text + ")"
}

// ErrNoCode is the error of an address or a query that holds no code.
var ErrNoCode = errors.New("the pasted address holds no code")

var errNoRefreshToken = errors.New("put a refresh token after " + RefreshTokenPrefix + ", or the authorization code instead")

// ParseGrant reads the text that a user pasted after the login, or that a browser sent: the whole address that the browser
// ended at, its query, the code alone, or a refresh token after its prefix. Line breaks in it do not matter. The error is a
// *RefusedLoginError, ErrNoCode, or a sentence that tells the user what to paste; it quotes nothing but the authority's
// explanation of a refused login.
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

// grantFix returns the sentence that tells the user of an instance what to paste instead.
func grantFix(err error) string {
	if _, refused := errors.AsType[*RefusedLoginError](err); refused {
		return err.Error() + "; run !microsoft-atp-generate-login-url, log in again and paste the new address"
	}
	if errors.Is(err, ErrNoCode) {
		return err.Error() + "; paste the address that the browser shows after the login"
	}
	return err.Error()
}

// loginAnswer returns the values with which the authority sends a browser back: those of the query, or of the fragment if
// the application asked for that. False means that the text is neither an address nor a query, but a code alone.
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

// pairs reads a query, a fragment, or both. It leaves out malformed pairs, for which the parser returns an error.
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
	// The state is optional: without it the code is tried as well.
	return Grant{Code: Secret(code), State: pairs(rest).Get("state")}
}

// refusal returns the authority's code and message, without the trace and correlation IDs at the end of the message.
func refusal(answer url.Values) *RefusedLoginError {
	message, _, _ := strings.Cut(answer.Get("error_description"), "Trace ID:")
	return &RefusedLoginError{
		Code: printable(answer.Get("error"), 60), Message: strings.TrimRight(printable(message, 300), ". "),
	}
}

// printable returns at most limit characters of a text in one line, without control characters.
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
