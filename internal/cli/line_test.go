package cli

import (
	"slices"
	"testing"
)

// TestALineIsSplitAsInTheWarRoom goes by what the platform does with quotes.
func TestALineIsSplitAsInTheWarRoom(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"  ", nil},
		{"a", []string{"a"}},
		{"a b=c\td=e\nf", []string{"a", "b=c", "d=e", "f"}},
		{`a b="two words" c=""`, []string{"a", "b=two words", "c="}},
		{`a b="a \"quote\" and C:\\x"`, []string{"a", `b=a "quote" and C:\x`}},
		{"a b=`C:\\Windows\\x \"y\"`", []string{"a", `b=C:\Windows\x "y"`}},
		{`a b=C:\Windows`, []string{"a", `b=C:\Windows`}},
		{`a b=it's`, []string{"a", `b=it's`}},
		{"a b=ü", []string{"a", "b=ü"}},
	} {
		if got, err := splitLine(test.line); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q (%v), want %q", test.line, got, err, test.want)
		}
	}
	for _, line := range []string{`a b="c`, "a b=`c", `a b="c\"`} {
		if got, err := splitLine(line); err == nil {
			t.Errorf("%q: got %q, want an error", line, got)
		}
	}
}
