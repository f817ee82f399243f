package kusto

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	endToken     tokenKind = iota
	wordToken              // a name, or an operator that is a word
	signToken              // punctuation
	literalToken           // a value
)

type token struct {
	kind  tokenKind
	text  string
	value any  // of a literal
	typ   Type // of a literal
	at    int  // where the token begins in the query, in bytes
}

// scanner takes a query apart.
type scanner struct {
	query  string
	at     int
	tokens []token
}

func scan(query string) ([]token, error) {
	s := &scanner{query: query}
	for {
		s.space()
		if s.at >= len(s.query) {
			return append(s.tokens, token{kind: endToken, at: s.at}), nil
		}
		if err := s.one(); err != nil {
			return nil, err
		}
	}
}

func (s *scanner) rest() string { return s.query[s.at:] }

// space skips white space and comments.
func (s *scanner) space() {
	for {
		r, size := utf8.DecodeRuneInString(s.rest())
		switch {
		case unicode.IsSpace(r) || r == '\ufeff':
			s.at += size
		case strings.HasPrefix(s.rest(), "//"):
			comment, _, _ := strings.Cut(s.rest(), "\n")
			s.at += len(comment)
		default:
			return
		}
	}
}

// add takes a token of the length from the query.
func (s *scanner) add(length int, t token) {
	t.at = s.at
	if t.text == "" {
		t.text = s.query[s.at : s.at+length]
	}
	s.at += length
	s.tokens = append(s.tokens, t)
}

func (s *scanner) one() error {
	rest := s.rest()
	c := rest[0]
	switch {
	case c == '"' || c == '\'' || c == '@' || strings.HasPrefix(rest, "```"):
		return s.text(0)
	case (c == 'h' || c == 'H') && len(rest) > 1 && strings.ContainsRune(`"'@`, rune(rest[1])):
		return s.text(1)
	case c >= '0' && c <= '9':
		return s.number()
	case isNameStart(rune(c)) || c == '$':
		return s.word()
	case c == '!':
		if length := nameLength(rest[1:]); length > 0 {
			if strings.HasPrefix(rest[1+length:], "~") {
				length++
			}
			s.add(1+length, token{kind: wordToken})
			return nil
		}
	}
	for _, sign := range []string{"==", "!=", "=~", "!~", "<=", ">=", "<>", "..", "=>"} {
		if strings.HasPrefix(rest, sign) {
			s.add(2, token{kind: signToken})
			return nil
		}
	}
	if !strings.ContainsRune("-+*/%<>=|(),;.{}:[]", rune(c)) {
		return fmt.Errorf("syntax error at %.20q", rest)
	}
	s.add(1, token{kind: signToken})
	return nil
}

func isNameStart(r rune) bool { return r == '_' || r < utf8.RuneSelf && unicode.IsLetter(r) }

func nameLength(text string) int {
	for i, r := range text {
		if !isNameStart(r) && (i == 0 || r < '0' || r > '9') {
			return i
		}
	}
	return len(text)
}

// raw are the words whose parentheses hold a literal and not an expression.
var raw = []string{"datetime", "date", "timespan", "time", "dynamic", "guid"}

func (s *scanner) word() error {
	rest := s.rest()
	length := nameLength(strings.TrimPrefix(rest, "$")) + len(rest) - len(strings.TrimPrefix(rest, "$"))
	name := rest[:length]
	if length < len(rest) && rest[length] == '~' && name == "in" {
		length++
	}
	after := strings.TrimLeft(rest[length:], " \t\r\n")
	for _, known := range raw {
		if name != known || !strings.HasPrefix(after, "(") {
			continue
		}
		start := len(rest) - len(after)
		end, err := closing(rest, start)
		if err != nil {
			return err
		}
		return s.literal(name, rest[start+1:end], end+1)
	}
	s.add(length, token{kind: wordToken})
	return nil
}

// closing finds the parenthesis that closes the one at start.
func closing(text string, start int) (int, error) {
	depth, quote := 0, byte(0)
	for i := start; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth--
			if depth == 0 {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("syntax error: the parenthesis after %.20q is not closed", text)
}

// literal reads a value such as datetime(2026-01-01).
func (s *scanner) literal(name, body string, length int) error {
	inside := strings.Trim(strings.TrimSpace(body), `"'`)
	switch name {
	case "datetime", "date":
		if inside == "null" {
			s.add(length, token{kind: literalToken, typ: DateTime})
			return nil
		}
		t, ok := parseTime(inside)
		if !ok {
			return fmt.Errorf("%s(%s) is not a date", name, body)
		}
		s.add(length, token{kind: literalToken, value: t, typ: DateTime})
	case "timespan", "time":
		if inside == "null" {
			s.add(length, token{kind: literalToken, typ: TimeSpan})
			return nil
		}
		d, ok := parseSpan(inside)
		if !ok {
			return fmt.Errorf("%s(%s) is not a span of time", name, body)
		}
		s.add(length, token{kind: literalToken, value: d, typ: TimeSpan})
	case "guid":
		if !isGUID(inside) {
			return fmt.Errorf("guid(%s) is not a GUID", body)
		}
		s.add(length, token{kind: literalToken, value: strings.ToLower(inside), typ: GUID})
	case "dynamic":
		value, err := parseDynamic(body)
		if err != nil {
			return err
		}
		s.add(length, token{kind: literalToken, value: value, typ: Dynamic})
	}
	return nil
}

func isGUID(text string) bool {
	return len(text) == 36 && strings.Count(text, "-") == 4 && strings.Trim(text, "0123456789abcdefABCDEF-") == ""
}

// parseDynamic reads a dynamic literal: JSON that also takes single quotes and literals of the language.
func parseDynamic(body string) (any, error) {
	s := &scanner{query: body}
	for s.space(); s.at < len(s.query); s.space() {
		if err := s.one(); err != nil {
			return nil, err
		}
	}
	s.tokens = append(s.tokens, token{kind: endToken})
	value, rest, err := dynamicValue(s.tokens, 0)
	if err != nil || rest[0].kind != endToken {
		return nil, fmt.Errorf("dynamic(%.60s) is not a value", body)
	}
	return value, nil
}

func dynamicValue(tokens []token, depth int) (any, []token, error) {
	t := tokens[0]
	if depth > maxDepth {
		return nil, tokens, errIncomplete
	}
	switch {
	case t.kind == literalToken:
		return t.value, tokens[1:], nil
	case t.kind == wordToken && (t.text == "true" || t.text == "false"):
		return t.text == "true", tokens[1:], nil
	case t.kind == wordToken && t.text == "null":
		return nil, tokens[1:], nil
	case t.text == "-" && t.kind == signToken && tokens[1].kind == literalToken:
		return negate(tokens[1].value), tokens[2:], nil
	case t.kind == signToken && t.text == "[":
		return dynamicList(tokens[1:], depth)
	case t.kind == signToken && t.text == "{":
		return dynamicBag(tokens[1:], depth)
	}
	return nil, tokens, errIncomplete
}

// errIncomplete is the error of a dynamic value that does not end, or has something in it that is not one.
var errIncomplete = errors.New("a dynamic value is not complete")

// more reports whether the value continues: it drops a comma, or the sign that ends the value.
func more(tokens []token, end string) (rest []token, goesOn bool, err error) {
	if tokens[0].kind == signToken && tokens[0].text == end {
		return tokens[1:], false, nil
	}
	if tokens[0].kind != signToken || tokens[0].text != "," {
		return tokens, false, errIncomplete
	}
	tokens = tokens[1:]
	if tokens[0].kind == signToken && tokens[0].text == end {
		return tokens[1:], false, nil
	}
	return tokens, true, nil
}

func dynamicList(tokens []token, depth int) (any, []token, error) {
	list := []any{}
	goesOn := tokens[0].kind != signToken || tokens[0].text != "]"
	if !goesOn {
		return list, tokens[1:], nil
	}
	for goesOn {
		value, rest, err := dynamicValue(tokens, depth+1)
		if err != nil {
			return nil, tokens, err
		}
		list = append(list, value)
		if tokens, goesOn, err = more(rest, "]"); err != nil {
			return nil, tokens, err
		}
	}
	return list, tokens, nil
}

func dynamicBag(tokens []token, depth int) (any, []token, error) {
	bag := map[string]any{}
	goesOn := tokens[0].kind != signToken || tokens[0].text != "}"
	if !goesOn {
		return bag, tokens[1:], nil
	}
	for goesOn {
		name, ok := tokens[0].value.(string)
		if !ok || len(tokens) < 2 || tokens[1].text != ":" {
			return nil, tokens, errIncomplete
		}
		value, rest, err := dynamicValue(tokens[2:], depth+1)
		if err != nil {
			return nil, tokens, err
		}
		bag[name] = value
		if tokens, goesOn, err = more(rest, "}"); err != nil {
			return nil, tokens, err
		}
	}
	return bag, tokens, nil
}

var exponent = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[eE][-+]?[0-9]+`) })

func (s *scanner) number() error {
	rest := s.rest()
	digits := func(from int) int {
		for from < len(rest) && rest[from] >= '0' && rest[from] <= '9' {
			from++
		}
		return from
	}
	if strings.HasPrefix(rest, "0x") || strings.HasPrefix(rest, "0X") {
		end := 2
		for end < len(rest) && strings.IndexByte("0123456789abcdefABCDEF", rest[end]) >= 0 {
			end++
		}
		n, err := strconv.ParseInt(rest[2:end], 16, 64)
		if err != nil {
			return fmt.Errorf("the number %s is out of range", rest[:end])
		}
		s.add(end, token{kind: literalToken, value: n, typ: Long})
		return nil
	}
	end := digits(0)
	whole := true
	if end+1 < len(rest) && rest[end] == '.' && rest[end+1] >= '0' && rest[end+1] <= '9' {
		end, whole = digits(end+1), false
	}
	if length := nameLength(rest[end:]); length > 0 {
		if d, ok := parseSpan(rest[:end+length]); ok {
			s.add(end+length, token{kind: literalToken, value: d, typ: TimeSpan})
			return nil
		}
	}
	if found := exponent().FindString(rest[end:]); found != "" && nameLength(rest[end+len(found):]) == 0 {
		end, whole = end+len(found), false
	}
	if length := nameLength(rest[end:]); length > 0 {
		if !whole {
			return fmt.Errorf("syntax error at %.20q", rest)
		}
		// A name may begin with a digit: https://learn.microsoft.com/kusto/query/schema-entities/entity-names
		s.add(end+length, token{kind: wordToken})
		return nil
	}
	if whole {
		if n, err := strconv.ParseInt(rest[:end], 10, 64); err == nil {
			s.add(end, token{kind: literalToken, value: n, typ: Long})
			return nil
		}
		return fmt.Errorf("the number %s is out of range", rest[:end])
	}
	f, err := strconv.ParseFloat(rest[:end], 64)
	if err != nil {
		return fmt.Errorf("the number %s is out of range", rest[:end])
	}
	s.add(end, token{kind: literalToken, value: f, typ: Real})
	return nil
}

// text reads a text in quotes, which begins after a prefix of that number of bytes.
func (s *scanner) text(prefix int) error {
	body := s.rest()[prefix:]
	if strings.HasPrefix(body, "```") {
		end := strings.Index(body[3:], "```")
		if end < 0 {
			return fmt.Errorf("syntax error: the text %.20q is not closed", body)
		}
		s.add(prefix+end+6, token{kind: literalToken, value: body[3 : end+3], typ: String})
		return nil
	}
	if body[0] == '@' {
		if len(body) < 2 || body[1] != '"' && body[1] != '\'' {
			return fmt.Errorf("syntax error at %.20q", body)
		}
		quote := body[1:2]
		for from := 2; ; {
			end := strings.Index(body[from:], quote)
			if end < 0 {
				return fmt.Errorf("syntax error: the text %.20q is not closed", body)
			}
			end += from
			if strings.HasPrefix(body[end+1:], quote) {
				from = end + 2
				continue
			}
			value := strings.ReplaceAll(body[2:end], quote+quote, quote)
			s.add(prefix+end+1, token{kind: literalToken, value: value, typ: String})
			return nil
		}
	}
	for i := 1; i < len(body); i++ {
		switch {
		case body[i] == '\\':
			i++
		case body[i] == '\n':
			return fmt.Errorf("syntax error: the text %.20q is not closed", body)
		case body[i] == body[0]:
			value, err := unescape(body[1:i])
			if err != nil {
				return err
			}
			s.add(prefix+i+1, token{kind: literalToken, value: value, typ: String})
			return nil
		}
	}
	return fmt.Errorf("syntax error: the text %.20q is not closed", body)
}

// escapes are the characters that stand for others after a backslash: for those at the same place of meant.
const (
	escapes = `ntrabfv0\"'`
	meant   = "\n\t\r\a\b\f\v\x00\\\"'"
)

// unescape returns what a text means, in which no escape is the last character.
func unescape(body string) (string, error) {
	var value strings.Builder
	for {
		plain, rest, found := strings.Cut(body, `\`)
		value.WriteString(plain)
		if !found {
			return value.String(), nil
		}
		if digits := map[byte]int{'u': 4, 'x': 2, 'U': 8}[rest[0]]; digits > 0 && len(rest) > digits {
			if n, err := strconv.ParseUint(rest[1:1+digits], 16, 32); err == nil {
				value.WriteRune(rune(n))
				body = rest[1+digits:]
				continue
			}
		}
		place := strings.IndexByte(escapes, rest[0])
		if place < 0 {
			return "", fmt.Errorf("the text %.40q has an escape that is not known", body)
		}
		value.WriteByte(meant[place])
		body = rest[1:]
	}
}

func negate(v any) any {
	switch v := v.(type) {
	case int64:
		return -v
	case float64:
		return -v
	case time.Duration:
		return -v
	}
	return nil
}
