package commands

import "testing"

func TestNamesThatMatchAPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"a.ps1", "A.PS1", true},
		{"a.ps1", "a.ps12", false},
		{"*.ps1", "a.ps1", true},
		{"*.ps1", "a.ps1.txt", false},
		{"a*", "abc", true},
		{"a*", "bac", false},
		{"*", "", true},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "abc", true},
		{"a*b*c", "a-c-b", false},
		{"a*b*b", "a-b", false},
		{"a*a", "a", false},
		{"*x*", "a-b", false},
	} {
		if got := wildcard(test.pattern, test.name); got != test.want {
			t.Errorf("%q and %q: got %t, want %t", test.pattern, test.name, got, test.want)
		}
	}
}
