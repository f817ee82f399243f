package playbook

import (
	"iter"
	"strings"
)

// ownRoot is where the commands put what only this integration has. Other roots, such as File, are filled by all
// integrations, and what a playbook reads there says nothing of this one.
const ownRoot = "MicrosoftATP"

// longestExpression is how much of an expression is looked at, in bytes.
const longestExpression = 2000

// templates are the expressions between ${ and } in a text, each with what follows it.
func templates(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			_, rest, found := strings.Cut(text, "${")
			if !found || !yield(rest) {
				return
			}
			text = rest
		}
	}
}

// ownPath reads the context path at the beginning of an expression: the keys that it goes through, without the
// conditions in parentheses and the positions in brackets. What follows a "=" is JavaScript and is left alone. It is
// false for what is not below the integration's own root.
func ownPath(expression string) (string, bool) {
	expression = strings.TrimSpace(expression)
	if !strings.HasPrefix(expression, ownRoot) {
		return "", false
	}
	expression = expression[:min(len(expression), longestExpression)]
	var keys []string
	for more := true; more; {
		end := strings.IndexAny(expression, `.([=}"' `+"\t\r\n,|")
		if end < 0 {
			end = len(expression)
		}
		if key := expression[:end]; key != "" && !isPosition(key) {
			keys = append(keys, key)
		}
		expression, more = afterKey(expression[end:])
	}
	if len(keys) == 0 || keys[0] != ownRoot {
		return "", false
	}
	return strings.Join(keys, "."), true
}

// afterKey returns what follows a key and its conditions; it is false at the end of the path.
func afterKey(rest string) (string, bool) {
	for rest != "" {
		switch rest[0] {
		case '.':
			return rest[1:], true
		case '(':
			rest = rest[closing(rest, '(', ')'):]
		case '[':
			rest = rest[closing(rest, '[', ']'):]
		default:
			return "", false
		}
	}
	return "", false
}

// closing is the place behind the bracket that closes the first one. Brackets in texts do not count.
func closing(text string, opens, closes byte) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == opens:
			depth++
		case c == closes:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// isPosition reports whether a text is a position in a list and not a key.
func isPosition(key string) bool { return strings.Trim(key, "0123456789") == "" }
