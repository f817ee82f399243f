package warroom

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// place is where in Markdown a text is written.
type place int

const (
	inCell place = iota
	inHeading
	inParagraph
	inLink
)

// special are the characters of ASCII that may mean something else than themselves. A text without them is written as it is.
const special = "\\`*_~|<&[]\n#"

// appendQuoted writes text so that a reader of CommonMark, with the tables, strikethrough and autolinks of GitHub
// (https://github.github.com/gfm), shows exactly this text. What needs no quoting is not quoted. Line breaks become <br>
// except in paragraphs, and hidden characters are spelled out.
func appendQuoted(dst []byte, text string, where place) []byte {
	text = Visible(text)
	if where != inParagraph && !strings.ContainsAny(text, special) {
		return append(dst, text...)
	}
	quoted := newQuoted(text, where)
	for i := range len(text) {
		b := text[i]
		switch {
		case quoted.marks[i]:
			dst = append(dst, '\\', b)
		case b == '&' && startsReference(text[i:]):
			dst = append(dst, "&amp;"...)
		case b == '<':
			dst = append(dst, "&lt;"...)
		case b == '\n' && where != inParagraph:
			dst = append(dst, "<br>"...)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// quoted is a text with the bytes before which a backslash is needed.
type quoted struct {
	text  string
	where place
	marks []bool
}

func newQuoted(text string, where place) *quoted {
	q := &quoted{text: text, where: where, marks: make([]bool, len(text))}
	q.single()
	for _, delimiter := range []byte("*_~") {
		q.emphasis(delimiter)
	}
	if where == inParagraph {
		for start := 0; start < len(text); {
			q.lineStart(start)
			next := strings.IndexByte(text[start:], '\n')
			if next < 0 {
				break
			}
			start += next + 1
		}
	}
	if where == inHeading {
		q.closingSequence()
	}
	q.codeSpans()
	q.links()
	return q
}

// single marks the characters whose meaning depends only on the one next to them: backslashes, pipes, and what would make
// brackets a link or the definition of one.
func (q *quoted) single() {
	for i := range len(q.text) {
		switch q.text[i] {
		case '\\':
			last := i+1 == len(q.text)
			q.marks[i] = last && q.where != inCell || !last && (isPunctuation(q.text[i+1]) || q.text[i+1] == '\n')
		case '|':
			q.marks[i] = true
		case '(':
			q.marks[i] = i > 0 && q.text[i-1] == ']'
		case ':':
			q.marks[i] = i > 0 && q.text[i-1] == ']' && q.where == inParagraph
		case '[', ']':
			q.marks[i] = q.where == inLink
		}
	}
}

// run is several equal characters in a row that may begin or end emphasis.
type run struct {
	start, end    int
	opens, closes bool
}

// emphasis marks the runs of a delimiter if one that may open is followed by one that may close. The rules are those of
// delimiter runs (https://spec.commonmark.org/0.31.2/#delimiter-run); where readers differ, in what is punctuation, the run
// counts.
func (q *quoted) emphasis(delimiter byte) {
	var runs []run
	var opened, matched bool
	for i := 0; i < len(q.text); i++ {
		if q.text[i] != delimiter {
			continue
		}
		end := i
		for end < len(q.text) && q.text[end] == delimiter {
			end++
		}
		one := q.delimit(i, end)
		matched = matched || opened && one.closes
		opened = opened || one.opens
		runs = append(runs, one)
		i = end - 1
	}
	for _, one := range runs {
		for i := one.start; matched && (one.opens || one.closes) && i < one.end; i++ {
			q.marks[i] = true
		}
	}
}

func (q *quoted) delimit(start, end int) run {
	before, _ := utf8.DecodeLastRuneInString(q.text[:start])
	after, _ := utf8.DecodeRuneInString(q.text[end:])
	if start == 0 {
		before = ' '
	}
	if end == len(q.text) {
		after = ' '
	}
	left := !isBlank(after) && (!unicode.IsPunct(after) || !isWord(before))
	right := !isBlank(before) && (!unicode.IsPunct(before) || !isWord(after))
	one := run{start: start, end: end, opens: left, closes: right}
	if q.text[start] == '_' && isWord(before) && isWord(after) {
		one.opens, one.closes = false, false
	}
	return one
}

// isBlank reports whether every reader of Markdown takes a character for a blank. A line break becomes a tag, so it is not.
func isBlank(r rune) bool { return r != '\n' && unicode.IsSpace(r) }

// isWord reports whether a character is neither blank nor punctuation for any reader.
func isWord(r rune) bool { return !unicode.IsSpace(r) && !unicode.IsPunct(r) && !unicode.IsSymbol(r) }

// isPunctuation reports whether a backslash before a character of ASCII would vanish.
func isPunctuation(b byte) bool {
	return '!' <= b && b <= '/' || ':' <= b && b <= '@' || '[' <= b && b <= '`' || '{' <= b && b <= '~'
}

// codeSpans marks all backticks if two runs of them have the same length, which makes the text between them code, or if one is
// marked for the beginning of its line: it divides a run, and ends code all the same.
func (q *quoted) codeSpans() {
	var lengths []int
	matched, divided := false, false
	for i := 0; i < len(q.text); i++ {
		if q.text[i] != '`' {
			continue
		}
		divided = divided || q.marks[i]
		end := i
		for end < len(q.text) && q.text[end] == '`' {
			end++
		}
		for _, length := range lengths {
			matched = matched || length == end-i
		}
		lengths = append(lengths, end-i)
		i = end - 1
	}
	matched = matched || divided && len(lengths) > 1
	for i := 0; matched && i < len(q.text); i++ {
		q.marks[i] = q.marks[i] || q.text[i] == '`'
	}
}

// lineStart marks what would make a line of a paragraph begin something else: a list, a heading, a quotation, a block of code
// that swallows everything after it, a rule, or the second row of a table.
func (q *quoted) lineStart(start int) {
	line, _, _ := strings.Cut(q.text[start:], "\n")
	if line == "" {
		return
	}
	if strings.IndexByte("#>-+*=~`_:", line[0]) >= 0 {
		q.marks[start] = true
		return
	}
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	if digits > 0 && digits < len(line) && (line[digits] == '.' || line[digits] == ')') {
		q.marks[start+digits] = digits+1 == len(line) || line[digits+1] == ' '
	}
}

// closingSequence marks the number signs at the end of a heading, which would be dropped.
func (q *quoted) closingSequence() {
	text := strings.TrimRight(q.text, " ")
	rest := strings.TrimRight(text, "#")
	if len(rest) < len(text) && (rest == "" || rest[len(rest)-1] == ' ') {
		q.marks[len(rest)] = true
	}
}

// links marks the beginning of an address in which something is quoted. Readers make links of addresses without looking at
// backslashes in them, which would be shown.
func (q *quoted) links() {
	for _, beginning := range []struct {
		text string
		mark int
	}{{"://", 0}, {"www.", len("www")}, {"WWW.", len("WWW")}} {
		for from := 0; ; {
			at := strings.Index(q.text[from:], beginning.text)
			if at < 0 {
				break
			}
			at += from
			end := at + len(beginning.text)
			for end < len(q.text) && q.text[end] != ' ' && q.text[end] != '<' && q.text[end] != '\n' {
				end++
			}
			from = at + len(beginning.text)
			for i := from; i < end; i++ {
				if q.marks[i] || q.text[i] == '&' && startsReference(q.text[i:]) {
					q.marks[at+beginning.mark] = true
				}
			}
		}
	}
}

// startsReference reports whether a text that begins with an ampersand begins with a character reference of HTML, which may be
// any character: a number after #, or a name of two letters or more.
func startsReference(text string) bool {
	const longest = len("&") + 32 + len(";")
	name, _, closed := strings.Cut(text[1:min(len(text), longest)], ";")
	number, numeric := strings.CutPrefix(name, "#")
	switch {
	case !closed || strings.ContainsFunc(number, func(r rune) bool { return !isLetter(r) && !isDigit(r) }):
		return false
	case numeric:
		return 1 <= len(number) && len(number) <= 9
	}
	return len(name) >= 2 && isLetter(rune(name[0]))
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// hidden reports whether a character is invisible or reverses the direction of writing. The joiners, which emoji and some
// scripts need, are not hidden, and neither are the format characters that show.
func hidden(r rune) bool {
	const nonJoiner, joiner = '\u200C', '\u200D'
	switch {
	case ' ' <= r && r <= '~': // nearly every character: the tables of Unicode need not be searched
		return false
	case r == unicode.ReplacementChar || unicode.IsControl(r):
		return true
	case r == nonJoiner || r == joiner || unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Visible spells out the hidden characters of a text, as U+ and their number: in a command line or a file name they hide an
// attack, and a terminal would obey some of them. Line breaks stay, tabs become spaces, and carriage returns are dropped.
func Visible(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && hidden(r) }) {
		return text
	}
	var shown []byte
	for _, r := range text {
		switch {
		case r == '\n':
			shown = append(shown, '\n')
		case r == '\t':
			shown = append(shown, ' ')
		case r == '\r':
		case hidden(r):
			shown = fmt.Appendf(shown, "U+%04X", r)
		default:
			shown = utf8.AppendRune(shown, r)
		}
	}
	return string(shown)
}
