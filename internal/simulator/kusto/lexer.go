package kusto

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// tokenKind tells the parts of a hunting query apart.
type tokenKind int

const (
	endToken     tokenKind = iota
	wordToken              // a name or an operator that is a word
	signToken              // punctuation
	literalToken           // a value that is written out
)

type token struct {
	kind  tokenKind
	text  string
	value any // of a literal
}

// A lexeme is a form of token: its pattern, and how its text is read.
type lexeme struct {
	pattern *regexp.Regexp
	read    func(text string) (token, error)
}

// lexemes are the forms of token in the order they are tried. They are made for each query, so that a program that
// never simulates anything does not compile them when it starts.
func lexemes() []lexeme {
	return []lexeme{
		{regexp.MustCompile(`^(?:\s+|//[^\n]*)`), nil},
		{regexp.MustCompile(`^[hH]?@"(?:[^"]|"")*"`), verbatim},
		{regexp.MustCompile(`^[hH]?@'(?:[^']|'')*'`), verbatim},
		{regexp.MustCompile(`^[hH]?"(?:[^"\\\n]|\\.)*"`), escaped},
		{regexp.MustCompile(`^[hH]?'(?:[^'\\\n]|\\.)*'`), escaped},
		{regexp.MustCompile(`^datetime\([^)]*\)`), dateLiteral},
		{regexp.MustCompile(`^timespan\([^)]*\)`), spanLiteral},
		{regexp.MustCompile(`^dynamic\((?:"(?:[^"\\]|\\.)*"|[^")])*\)`), dynamicLiteral},
		{regexp.MustCompile(`^0[xX][0-9a-fA-F]+`), numberLiteral},
		{regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)?(?:microseconds?|ticks?|ms|[dhms])\b`), spanLiteral},
		{regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?`), numberLiteral},
		{regexp.MustCompile(`^!?[A-Za-z_$][A-Za-z0-9_]*~?`), word},
		{regexp.MustCompile(`^(?:==|!=|=~|!~|<=|>=|\.\.|[-+*/%<>=|(),;.{}:\[\]])`), sign},
	}
}

func tokensOf(query string) ([]token, error) {
	var tokens []token
	rest, forms := query, lexemes()
scan:
	for rest != "" {
		for _, l := range forms {
			text := l.pattern.FindString(rest)
			if text == "" {
				continue
			}
			rest = rest[len(text):]
			if l.read == nil {
				continue scan
			}
			t, err := l.read(text)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, t)
			continue scan
		}
		return nil, fmt.Errorf("syntax error at %.20q", rest)
	}
	return append(tokens, token{kind: endToken}), nil
}

func word(text string) (token, error) { return token{kind: wordToken, text: text}, nil }

func sign(text string) (token, error) { return token{kind: signToken, text: text}, nil }

func verbatim(text string) (token, error) {
	text = text[strings.IndexByte(text, '@')+1:]
	quote := text[:1]
	value := strings.ReplaceAll(text[1:len(text)-1], quote+quote, quote)
	return token{literalToken, text, value}, nil
}

// escapes are the characters that stand for others after a backslash: for those at the same place of meant.
const (
	escapes = `ntr0\"'`
	meant   = "\n\t\r\x00\\\"'"
)

func escaped(text string) (token, error) {
	body := strings.TrimLeft(text, "hH")
	body = body[1 : len(body)-1]
	var value strings.Builder
	for {
		plain, rest, found := strings.Cut(body, `\`)
		value.WriteString(plain)
		if !found {
			return token{literalToken, text, value.String()}, nil
		}
		if char, rest, ok := unicodeEscape(rest); ok {
			value.WriteRune(char)
			body = rest
			continue
		}
		place := strings.IndexByte(escapes, rest[0])
		if place < 0 {
			return token{}, fmt.Errorf("the text %s has an escape that is not known", text)
		}
		value.WriteByte(meant[place])
		body = rest[1:]
	}
}

// unicodeEscape reads \u followed by four digits, or \x by two.
func unicodeEscape(text string) (rune, string, bool) {
	digits := map[byte]int{'u': 4, 'x': 2}[text[0]]
	if digits == 0 || len(text) <= digits {
		return 0, "", false
	}
	n, err := strconv.ParseUint(text[1:1+digits], 16, 32)
	return rune(n), text[1+digits:], err == nil
}

func numberLiteral(text string) (token, error) {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return token{literalToken, text, n}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return token{}, fmt.Errorf("the number %s is out of range", text)
	}
	return token{literalToken, text, f}, nil
}

// inside is what stands in the parentheses of a literal such as datetime(...), without quotes.
func inside(text string) string {
	_, body, _ := strings.Cut(text, "(")
	return strings.Trim(strings.TrimSuffix(body, ")"), " \"'")
}

func dateLiteral(text string) (token, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, inside(text)); err == nil {
			return token{literalToken, text, t.UTC()}, nil
		}
	}
	return token{}, fmt.Errorf("%s is not a date", text)
}

// spanUnits are the units of a span of time, the longer names first.
var spanUnits = []struct {
	name string
	unit time.Duration
}{
	{"microseconds", time.Microsecond},
	{"microsecond", time.Microsecond},
	{"ticks", tick},
	{"tick", tick},
	{"ms", time.Millisecond},
	{"d", day},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
}

func spanLiteral(text string) (token, error) {
	body := text
	if strings.Contains(text, "(") {
		body = inside(text)
	}
	for _, u := range spanUnits {
		number, found := strings.CutSuffix(body, u.name)
		if !found {
			continue
		}
		if f, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil {
			return token{literalToken, text, time.Duration(f * float64(u.unit))}, nil
		}
	}
	return token{}, fmt.Errorf("%s is not a span of time", text)
}

// dynamicLiteral takes JSON, with single quotes as well as with double ones.
func dynamicLiteral(text string) (token, error) {
	_, body, _ := strings.Cut(text, "(")
	if !strings.Contains(body, `"`) {
		body = strings.ReplaceAll(body, "'", `"`)
	}
	value, ok := parseJSON(strings.TrimSuffix(body, ")"))
	if !ok {
		return token{}, fmt.Errorf("%s is not JSON", text)
	}
	return token{literalToken, text, value}, nil
}

// parseJSON reads JSON into the values that a query works with: whole numbers keep every digit.
func parseJSON(text string) (any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, false
	}
	return plainNumbers(value), true
}

func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return nil
		}
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainNumbers(v[name])
		}
	}
	return value
}
