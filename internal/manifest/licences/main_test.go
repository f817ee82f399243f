package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository writes a repository with two modules, of which one is linked on Windows only, and with a script.
func repository(t *testing.T) string {
	t.Helper()
	ours, err := os.ReadFile(filepath.Join("..", "..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	const script = "internal/cli/web/page/shown/"
	for name, text := range map[string]string{
		"go.mod": "module ours.example\n\ngo 1.24\n\nrequire (\n\ta.example v1.2.3\n\tw.example v0.4.0\n)\n\n" +
			"replace (\n\ta.example v1.2.3 => ./a\n\tw.example v0.4.0 => ./w\n)\n",
		"main.go":    "package main\n\nimport _ \"a.example\"\n\nfunc main() {}\n",
		"windows.go": "//go:build windows\n\npackage main\n\nimport _ \"w.example\"\n",
		"a/go.mod":   "module a.example\n", "a/a.go": "package a\n", "a/LICENSE": string(ours),
		"w/go.mod": "module w.example\n", "w/w.go": "package w\n", "w/LICENSE": string(ours),
		script + "package.json": `{"name":"shown","version":"5.6.7"}`, script + "LICENSE": string(ours),
		"docs/licences.md": "old\n",
	} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func pageIn(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "docs", "licences.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsLinkedOnAnySystemIsListed(t *testing.T) {
	folder := repository(t)
	if err := run(t.Context(), folder, false); err != nil {
		t.Fatal(err)
	}
	const line = "| --- | --- | --- |\n"
	modules, scripts, _ := strings.Cut(pageIn(t, folder), scriptsHead)
	if want := line + "| `a.example` | v1.2.3 | MIT |\n| `w.example` | v0.4.0 | MIT |\n"; !strings.HasSuffix(modules, want) {
		t.Errorf("got\n%s\nwant it to end with\n%s", modules, want)
	}
	if want := "| `shown` | 5.6.7 | MIT |\n"; scripts != want {
		t.Errorf("got the scripts\n%swant\n%s", scripts, want)
	}
}

func TestAPageThatIsNotUpToDateIsWrittenOrReported(t *testing.T) {
	folder := repository(t)
	if err := update(folder, []byte("new\n"), true); err == nil || !strings.Contains(err.Error(), "is not up to date") || pageIn(t, folder) != "old\n" {
		t.Errorf("got %v of the check and the page %q, want that it is not up to date", err, pageIn(t, folder))
	}
	if err := update(folder, []byte("new\n"), false); err != nil || pageIn(t, folder) != "new\n" {
		t.Errorf("got %v and the page %q, want the new one", err, pageIn(t, folder))
	}
	if err := update(folder, []byte("new\n"), true); err != nil {
		t.Errorf("got %v of the check, want that the page is up to date", err)
	}
	if err := update(t.TempDir(), nil, false); err == nil {
		t.Error("got no error without the folder of the page, want one")
	}
}

func TestWhatIsNotKnownOfALicenceIsAnError(t *testing.T) {
	for name, text := range map[string]string{"a/LICENSE": another, "internal/cli/web/page/shown/package.json": "no JSON", "go.mod": "no module\n"} {
		folder := repository(t)
		if err := os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), folder, false); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
		if page := pageIn(t, folder); page != "old\n" {
			t.Errorf("%s: got the page %q, want it left alone", name, page)
		}
	}
}

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

// TestEveryLicenceOfAModuleIsNamedOnce has a module with three licence files, of which two say the same.
func TestEveryLicenceOfAModuleIsNamedOnce(t *testing.T) {
	ours, err := os.ReadFile(filepath.Join("..", "..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	const condition = ", provided that the above copyright notice and this permission notice appear in all copies."
	isc := strings.Replace(another, " is hereby granted.", " is hereby granted"+condition, 1)
	folder := t.TempDir()
	for name, text := range map[string]string{"LICENSE": string(ours), "LICENSE.isc": isc, "LICENSE-docs": string(ours)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := licencesOf(module{"a.example/module", "v1.0.0", folder})
	if want := []string{"ISC", "MIT"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
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
