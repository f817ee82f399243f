package auth

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

const (
	redacted = "[redacted]"
	// shortestSecret is the length under which a value is indistinguishable from an ordinary word, or part of one.
	shortestSecret = 4
)

// redactor removes values that must not be shown from texts that a service wrote.
type redactor struct{ values []string }

func newRedactor(values ...string) redactor {
	var r redactor
	r.add(values...)
	return r
}

// add adds further values, each also as a URL spells it.
func (r *redactor) add(values ...string) {
	for _, value := range values {
		for _, spelling := range []string{value, url.QueryEscape(value), url.PathEscape(value)} {
			if len(spelling) >= shortestSecret && !slices.Contains(r.values, spelling) {
				r.values = append(r.values, spelling)
			}
		}
	}
	// The longest goes first: its remainder after the removal of a shorter one that it contains could be recognised.
	slices.SortFunc(r.values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// clean returns text without the values.
func (r *redactor) clean(text string) string {
	for _, value := range r.values {
		text = strings.ReplaceAll(text, value, redacted)
	}
	return text
}
