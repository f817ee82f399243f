package commands

import (
	"strings"
	"testing"
)

func TestADocumentIsKeptAndOtherFilesAreNot(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		parts []string
		want  string
	}{
		"an object":                 {[]string{`{"a":`, `1}`}, `{"a":1}`},
		"behind a byte order mark":  {[]string{"\uFEFF{", "}"}, "\uFEFF{}"},
		"a list behind a break":     {[]string{"\r\n", `[1]`}, "\r\n[1]"},
		"a program":                 {[]string{"MZ\x90", `{"a":1}`}, ""},
		"text that begins later":    {[]string{"", "log {", "}"}, ""},
		"as much as is kept":        {[]string{"{" + strings.Repeat(" ", 8), "}"}, "{        }"},
		"more than is kept":         {[]string{"{" + strings.Repeat(" ", 9), "}"}, ""},
		"what comes after too much": {[]string{strings.Repeat("{", 11), "{}"}, ""},
	} {
		kept := &document{most: 10}
		for _, part := range test.parts {
			if n, err := kept.Write([]byte(part)); n != len(part) || err != nil {
				t.Errorf("%s: wrote %d of %d bytes: %v", name, n, len(part), err)
			}
		}
		if got := kept.text.String(); got != test.want {
			t.Errorf("%s: kept %q, want %q", name, got, test.want)
		}
	}
}
