package kql

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Within restricts a query that an analyst wrote to the events of a time span up to now. Where the query begins with
// the name of a table the restriction stands right behind it, so that later steps may drop the Timestamp column;
// anywhere else it becomes the last step. A span of zero leaves the query as it is.
func Within(query string, span time.Duration) string {
	if span <= 0 {
		return query
	}
	restriction := "| where Timestamp > ago(" + strconv.FormatInt(int64(span/time.Second), 10) + "s)"
	table, rest := leadingTable(query)
	if table == "" {
		return strings.TrimRight(query, " \t\r\n;") + "\n" + restriction
	}
	return table + "\n" + restriction + rest
}

// leadingTable splits off the table with which a query begins. Comments before it, let statements and operators such
// as union leave the table empty.
func leadingTable(query string) (table, rest string) {
	trimmed := strings.TrimLeftFunc(query, unicode.IsSpace)
	end := strings.IndexFunc(trimmed, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		end = len(trimmed)
	}
	table, rest = trimmed[:end], trimmed[end:]
	next := strings.TrimLeftFunc(rest, unicode.IsSpace)
	if table == "" || (next != "" && next[0] != '|') {
		return "", query
	}
	if next == "" {
		return table, ""
	}
	return table, "\n" + next
}
