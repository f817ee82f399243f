package warroom

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Style is how a table shows values. The context always has them as the service returned them.
type Style struct {
	// Times shows times as "2026-11-25 10:00:05 UTC", which can be read and sorts. With Fractions, milliseconds are shown
	// where there are any: of events, the order within a second matters.
	Times, Fractions bool
	// Most is how many characters of a value are shown; zero shows all of them.
	Most int
	// Bytes are the columns whose numbers are sizes in bytes.
	Bytes []string
	// Pages are the pages of the portal about a column's values, as paths with {} for the value.
	Pages map[string]string
	// Portal is the base address of the portal, without a final slash. Without it there are no links.
	Portal string
}

// shown returns a value as its column shows it.
func (s Style) shown(column, text string) string {
	if s.Times && looksLikeTime(text) {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return s.time(at.UTC())
		}
	}
	if slices.Contains(s.Bytes, column) {
		return size(text)
	}
	if s.Most > 0 && len(text) > s.Most && utf8.RuneCountInString(text) > s.Most {
		return cut(text, s.Most)
	}
	return text
}

// looksLikeTime reports whether a value may be a time. It rules out nearly all others at little cost.
func looksLikeTime(text string) bool {
	const shortest = len("2026-11-25T10:00:05Z")
	return len(text) >= shortest && text[4] == '-' && text[7] == '-' && text[10] == 'T' && text[13] == ':'
}

func (s Style) time(at time.Time) string {
	layout := "2006-01-02 15:04:05"
	if s.Fractions && at.Nanosecond() >= int(time.Millisecond) {
		layout += ".000"
	}
	return at.Format(layout) + " UTC"
}

// size returns a number of bytes with its unit, and the larger unit that people read.
func size(text string) string {
	bytes, err := strconv.ParseInt(text, 10, 64)
	if err != nil || bytes < 0 {
		return text
	}
	const step = 1024
	exact := fmt.Sprintf("%d bytes", bytes)
	if bytes == 1 {
		exact = "1 byte"
	}
	if bytes < step {
		return exact
	}
	value, unit := float64(bytes)/step, 0
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	for value >= step && unit < len(units)-1 {
		value, unit = value/step, unit+1
	}
	return fmt.Sprintf("%.1f %s (%s)", value, units[unit], exact)
}

// cut returns the beginning of a text, with the number of characters that are left.
func cut(text string, most int) string {
	whole := utf8.RuneCountInString(text)
	end := 0
	for range most {
		_, width := utf8.DecodeRuneInString(text[end:])
		end += width
	}
	return fmt.Sprintf("%s… (%d more characters)", text[:end], whole-most)
}

// address returns the address of the page about a value, or "" without one.
func (s Style) address(column, text string) string {
	page := s.Pages[column]
	if page == "" || text == "" {
		return ""
	}
	part := strings.ReplaceAll(strings.ReplaceAll(url.PathEscape(text), "(", "%28"), ")", "%29")
	return s.Portal + strings.ReplaceAll(page, "{}", part)
}
