package cli

import (
	"strings"
	"testing"
)

// TestAnUnknownNameIsMetWithTheKnownOnes names what looks alike, or all that there are if they are few.
func TestAnUnknownNameIsMetWithTheKnownOnes(t *testing.T) {
	t.Parallel()
	many := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike")
	for _, test := range []struct {
		name  string
		known []string
		want  string
	}{
		{"bravp", many, "; did you mean bravo?"},
		{"zzzzzzzz", many, ""},
		{"zzzzzzzz", many[:few], "; one of " + strings.Join(many[:few], ", ")},
		{"zzzzzzzz", many[:few+1], ""},
		{"zzzzzzzz", nil, "; it takes none"},
	} {
		if got := didYouMean(test.name, test.known); got != test.want {
			t.Errorf("%s among %q: got %q, want %q", test.name, test.known, got, test.want)
		}
	}
}
