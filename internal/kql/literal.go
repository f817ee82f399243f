package kql

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// literal returns the KQL string literal of a value.
//
// It is used instead of the builder of azure-kusto-go because that one writes a character beyond U+FFFF as \u and five
// digits, which Kusto reads as another character and a digit, and escapes every letter that is not Latin, so that an
// analyst could not read the query shown. Here what can be seen stays as it is; quotes, backslashes, control characters,
// and marks that would hide or reorder text are escaped.
func literal(value string) string {
	var text strings.Builder
	text.WriteByte('"')
	for _, char := range value {
		switch {
		case char == '"' || char == '\\':
			text.WriteByte('\\')
			text.WriteRune(char)
		case char == '\n':
			text.WriteString(`\n`)
		case char == '\r':
			text.WriteString(`\r`)
		case char == '\t':
			text.WriteString(`\t`)
		case unicode.IsPrint(char):
			text.WriteRune(char)
		default:
			for _, unit := range utf16.Encode([]rune{char}) {
				fmt.Fprintf(&text, `\u%04x`, unit)
			}
		}
	}
	text.WriteByte('"')
	return text.String()
}

// literals returns the literals of several values, separated by commas.
func literals(values []string) string {
	quoted := make([]string, 0, len(values))
	for _, value := range values {
		quoted = append(quoted, literal(value))
	}
	return strings.Join(quoted, ", ")
}

// timespan returns the exact KQL literal of a duration in whole milliseconds, in the largest unit that divides it.
func timespan(duration time.Duration) string {
	units := []struct {
		length time.Duration
		suffix string
	}{
		{24 * time.Hour, "d"},
		{time.Hour, "h"},
		{time.Minute, "m"},
		{time.Second, "s"},
	}
	for _, unit := range units {
		if duration%unit.length == 0 {
			return strconv.FormatInt(int64(duration/unit.length), 10) + unit.suffix
		}
	}
	return strconv.FormatInt(duration.Milliseconds(), 10) + "ms"
}
