package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// another is the text of 0BSD, which nobody has decided about.
const another = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY
DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

func TestWhatMayBeLinked(t *testing.T) {
	ours, err := os.ReadFile(filepath.Join("..", "..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file, text string
		want             []string
		wrong            string
	}{
		{"a licence of the list", "LICENSE", string(ours), []string{"MIT"}, ""},
		{"under another name", "Licence.txt", string(ours), []string{"MIT"}, ""},
		{"another licence", "COPYING", another, nil, "may not be linked"},
		{"conditions of its own", "LICENSE", string(ours) + strings.Repeat("\nThe software shall be used for good, and not for evil, by nobody else.", 20), nil, "of a known licence"},
		{"no licence", "README.md", string(ours), nil, "no licence file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, test.file), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := licencesOf(module{"a.example/module", "v1.0.0", folder})
			if !slices.Equal(got, test.want) || (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("got %q and %v, want %q and %q", got, err, test.want, test.wrong)
			}
		})
	}
}

func TestLicencesAreListed(t *testing.T) {
	page, err := render([]module{{"a.example/module", "v1.2.3", filepath.Join("..", "..", "..")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "| `a.example/module` | v1.2.3 | MIT |\n"; !strings.HasSuffix(string(page), want) {
		t.Errorf("got\n%s\nwant it to end with %s", page, want)
	}
}
