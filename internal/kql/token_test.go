package kql_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
)

// A token of a KQL query: a string literal with the value it stands for, a name or number, or a single other character.
type token struct {
	isString bool
	text     string
}

func (t token) String() string {
	if t.isString {
		return strconv.Quote(t.text)
	}
	return t.text
}

// tokenize splits a query as Kusto does, leaving out spaces and comments. It fails for a literal that does not end.
func tokenize(t *testing.T, query string) []token {
	t.Helper()
	var tokens []token
	rest := []rune(query)
	for len(rest) > 0 {
		switch {
		case unicode.IsSpace(rest[0]):
			rest = rest[1:]
		case strings.HasPrefix(string(rest), "//"):
			length := strings.IndexRune(string(rest), '\n')
			if length < 0 {
				return tokens
			}
			rest = []rune(string(rest)[length:])
		case len(rest) > 1 && rest[0] == '@' && (rest[1] == '"' || rest[1] == '\''):
			value, after, err := verbatimString(rest[2:], rest[1])
			if err != nil {
				t.Fatalf("%v in query:\n%s", err, query)
			}
			tokens, rest = append(tokens, token{true, value}), after
		case rest[0] == '"' || rest[0] == '\'':
			value, after, err := escapedString(rest[1:], rest[0])
			if err != nil {
				t.Fatalf("%v in query:\n%s", err, query)
			}
			tokens, rest = append(tokens, token{true, value}), after
		case isWord(rest[0]):
			length := 1
			for length < len(rest) && isWord(rest[length]) {
				length++
			}
			tokens, rest = append(tokens, token{false, string(rest[:length])}), rest[length:]
		default:
			tokens, rest = append(tokens, token{false, string(rest[:1])}), rest[1:]
		}
	}
	return tokens
}

func isWord(char rune) bool {
	return char == '_' || unicode.IsLetter(char) || unicode.IsDigit(char)
}

// verbatimString reads the rest of a @"..." literal, where a doubled quote is the only escape.
func verbatimString(rest []rune, quote rune) (string, []rune, error) {
	var value []rune
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] != quote:
			value = append(value, rest[i])
		case i+1 < len(rest) && rest[i+1] == quote:
			value = append(value, quote)
			i++
		default:
			return string(value), rest[i+1:], nil
		}
	}
	return "", nil, fmt.Errorf("verbatim string without an end")
}

// escapedString reads the rest of a "..." literal. A line break must be escaped in it.
func escapedString(rest []rune, quote rune) (string, []rune, error) {
	var units []uint16
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case quote:
			return string(utf16.Decode(units)), rest[i+1:], nil
		case '\n', '\r', '\u2028', '\u2029':
			return "", nil, fmt.Errorf("line break inside a string")
		case '\\':
			i++
			if i == len(rest) {
				return "", nil, fmt.Errorf("escape at the end of the query")
			}
			simple := map[rune]uint16{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\'': '\'', '\\': '\\'}
			if unit, ok := simple[rest[i]]; ok {
				units = append(units, unit)
				continue
			}
			if rest[i] != 'u' || i+4 >= len(rest) {
				return "", nil, fmt.Errorf("escape \\%c is unknown", rest[i])
			}
			unit, err := strconv.ParseUint(string(rest[i+1:i+5]), 16, 16)
			if err != nil {
				return "", nil, fmt.Errorf("escape \\u%s: %w", string(rest[i+1:i+5]), err)
			}
			units = append(units, uint16(unit))
			i += 4
		default:
			units = utf16.AppendRune(units, rest[i])
		}
	}
	return "", nil, fmt.Errorf("string without an end")
}

// checkBalance fails for a bracket that is not closed or was not opened.
func checkBalance(t *testing.T, query string) {
	t.Helper()
	closing := map[string]string{"(": ")", "[": "]", "{": "}"}
	var open []string
	for _, token := range tokenize(t, query) {
		if token.isString {
			continue
		}
		if end, ok := closing[token.text]; ok {
			open = append(open, end)
		}
		if strings.Contains(")]}", token.text) {
			if len(open) == 0 || open[len(open)-1] != token.text {
				t.Fatalf("%s closes what was not opened in query:\n%s", token.text, query)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Fatalf("%v is missing in query:\n%s", open, query)
	}
}
