package kql

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Within restricts a query that an analyst wrote to the events of a time span back from now. If the query begins with the
// name of a table, after comments and let statements, the restriction directly follows the name, so that later steps may
// drop the Timestamp column or rows; otherwise it precedes the first step of the last statement. A query that begins with union, find, search or print has no
// one table, and its results need not have a Timestamp: that is an *UnboundedError. A span of zero leaves the query as it is.
func Within(query string, span time.Duration) (string, error) {
	if span <= 0 {
		return query, nil
	}
	if operator := leadingOperator(query); operator != "" {
		return "", &UnboundedError{Operator: operator}
	}
	restriction := "| where Timestamp > ago(" + strconv.FormatInt(int64(span/time.Second), 10) + "s)"
	before, table, rest := leadingTable(query)
	if table == "" {
		start := skipLets(query)
		if step := endAt(query[start:], '|'); step > 0 {
			start += step - len("|")
			return strings.TrimRightFunc(query[:start], unicode.IsSpace) + "\n" + restriction + "\n" + query[start:], nil
		}
		return strings.TrimRight(query, " \t\r\n;") + "\n" + restriction, nil
	}
	return before + table + "\n" + restriction + rest, nil
}

// UnboundedError reports a query that cannot be restricted to a time span from outside.
type UnboundedError struct{ Operator string }

func (e *UnboundedError) Error() string {
	return "a query that begins with " + e.Operator + " cannot be limited by a time range; put a condition such as" +
		" where Timestamp > ago(1d) after each of its tables instead"
}

// leadingOperator returns the operator that a query begins with instead of a table, or "".
func leadingOperator(query string) string {
	word := leadingWord(query[skipLets(query):])
	switch strings.ToLower(word) {
	case "union", "find", "search", "print", "range", "datatable", "externaldata", "evaluate":
		return word
	}
	return ""
}

// leadingWord returns the name that a text begins with, which may be empty.
func leadingWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		return text
	}
	return text[:end]
}

// leadingTable splits a query at the table that it begins with. Operators such as union leave the table empty. Comments
// between the table and the next step go after the restriction.
func leadingTable(query string) (before, table, rest string) {
	start := skipLets(query)
	text := query[start:]
	table = leadingWord(text)
	rest = text[len(table):]
	next := rest[skipBlank(rest):]
	if table == "" || (next != "" && next[0] != '|') {
		return "", "", query
	}
	if next == "" {
		return query[:start], table, ""
	}
	return query[:start], table, "\n" + strings.TrimLeftFunc(rest, unicode.IsSpace)
}

// skipBlank returns the length of the white space and comments that a text begins with.
func skipBlank(text string) int {
	at := 0
	for {
		at += len(text[at:]) - len(strings.TrimLeftFunc(text[at:], unicode.IsSpace))
		if !strings.HasPrefix(text[at:], "//") {
			return at
		}
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			return len(text)
		}
		at += end
	}
}

// skipLets returns the length of the white space, comments and statements before the last one: let, set, alias and the
// others that have no result.
func skipLets(query string) int {
	at := skipBlank(query)
	for {
		end := endAt(query[at:], ';')
		switch leadingWord(query[at:]) {
		case "let", "set", "alias", "declare", "restrict", "pattern":
		default:
			return at
		}
		if end < 0 {
			return at
		}
		at += end
		at += skipBlank(query[at:])
	}
}

// endAt returns the length of a text up to a character that ends a statement or a step, and with it, or -1 without one. Those in
// texts, in comments, in brackets and in the bodies of functions do not count.
func endAt(text string, end byte) int {
	depth := 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '{', '(', '[':
			depth++
		case '}', ')', ']':
			depth--
		case end:
			if depth == 0 {
				return at + 1
			}
		case '/':
			if strings.HasPrefix(text[at:], "//") {
				at += skipBlank(text[at:]) - 1
			}
		case '"', '\'':
			at += literalEnd(text[at:], at > 0 && (text[at-1] == '@'))
		}
	}
	return -1
}

// literalEnd returns the distance from the opening to the closing quote of a text, or to the end if it is not closed. In a
// verbatim text a backslash is one, and two quotes are one.
func literalEnd(text string, verbatim bool) int {
	quote := text[0]
	for at := 1; at < len(text); at++ {
		switch {
		case text[at] == '\\' && !verbatim:
			at++
		case text[at] != quote:
		case verbatim && at+1 < len(text) && text[at+1] == quote:
			at++
		default:
			return at
		}
	}
	return len(text)
}
