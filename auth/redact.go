package auth

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

const (
	redacted = "[redacted]"
	// shortestSecret is the length under which a value cannot be told from an ordinary word, or part of one.
	shortestSecret = 4
)

// redactor takes values that must not be shown out of texts that others wrote.
type redactor struct{ values []string }

func newRedactor(values ...string) redactor {
	var r redactor
	r.add(values...)
	return r
}

// add takes further values, each also as a URL would spell it.
func (r *redactor) add(values ...string) {
	for _, value := range values {
		for _, spelling := range []string{value, url.QueryEscape(value), url.PathEscape(value)} {
			if len(spelling) >= shortestSecret && !slices.Contains(r.values, spelling) {
				r.values = append(r.values, spelling)
			}
		}
	}
	// The longest goes first: what is left of it after a shorter one that it contains could be recognised.
	slices.SortFunc(r.values, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// clean gives text without the values.
func (r *redactor) clean(text string) string {
	for _, value := range r.values {
		text = strings.ReplaceAll(text, value, redacted)
	}
	return text
}
