package warroom_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	nethtml "golang.org/x/net/html"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// The tests of this file read what the War Room is sent with a reader of CommonMark and GitHub's extensions, and compare
// the text that users see with the value.

// rendered returns the elements of a page with their tags, and the text of each element of a kind, in which line breaks are
// those of <br>.
func rendered(t testing.TB, text, kind string) (texts []string, tags map[string]int) {
	t.Helper()
	var page bytes.Buffer
	// Unsafe renders tags of the text as tags, so that a tag that got through is found.
	reader := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := reader.Convert([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	root, err := nethtml.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	tags = map[string]int{}
	var visit func(node *nethtml.Node)
	visit = func(node *nethtml.Node) {
		if node.Type == nethtml.ElementNode {
			tags[node.Data]++
			if node.Data == kind {
				texts = append(texts, strings.TrimSpace(textOf(node)))
			}
		}
		for child := node.FirstChild; child != nil; child = child.NextSibling {
			visit(child)
		}
	}
	visit(root)
	return texts, tags
}

func textOf(node *nethtml.Node) string {
	switch {
	case node.Type == nethtml.TextNode:
		return node.Data
	case node.Type == nethtml.ElementNode && node.Data == "br":
		return "\n"
	}
	var text strings.Builder
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		text.WriteString(textOf(child))
	}
	return text.String()
}

// wantShown checks that a value is shown as it is: in a cell, next to another one, as a heading and as a paragraph.
func wantShown(t testing.TB, value string) {
	t.Helper()
	visible := warroom.Visible(value)
	want := strings.TrimSpace(visible)
	row := string(rawjson.Make(map[string]string{"a": value, "b": "next"}))
	table := markdown(warroom.Table{Columns: []string{"a", "b"}, Records: objects(row), KeepEmpty: true})
	cells, tags := rendered(t, table, "td")
	if len(cells) != 2 || cells[0] != want || cells[1] != "next" {
		t.Errorf("a cell shows %q, want %q and then next; sent was %q", cells, want, table)
	}
	checkTags(t, table, tags, "table", "thead", "tbody", "tr", "th", "td", "br", "a")
	heading := markdown(warroom.Heading(value))
	if shown, tags := rendered(t, heading, "h3"); len(shown) != 1 || shown[0] != want {
		t.Errorf("a heading shows %q, want %q; sent was %q", shown, want, heading)
	} else {
		checkTags(t, heading, tags, "h3", "br", "a")
	}
	paragraph := markdown(warroom.Paragraph(value))
	shown, tags := rendered(t, paragraph, "p")
	if inOneLine(strings.Join(shown, " ")) != inOneLine(want) { // an empty line begins another paragraph
		t.Errorf("a paragraph shows %q, want %q; sent was %q", shown, want, paragraph)
	}
	checkTags(t, paragraph, tags, "p", "br", "a")
}

func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func checkTags(t testing.TB, sent string, tags map[string]int, allowed ...string) {
	t.Helper()
	for _, name := range append(allowed, "html", "head", "body") {
		delete(tags, name)
	}
	if len(tags) > 0 {
		t.Errorf("got the tags %v from %q, want none of them", tags, sent)
	}
}

func TestValuesAreShownAsTheyAre(t *testing.T) {
	for _, value := range []string{
		`C:\Users\_a\.ssh\*`, `C:\Users\a_b\file_name_.txt`, `\\server\share$\*.*`, `*.exe *.dll`, `5 * 3 * 2`, `__init__`, `_a_ b`,
		`powershell.exe -NoP -W Hidden -Enc SQBFAFgA`, "powershell -c \"Get-Item `\"C:\\*`\" | % { $_.Name }\"", "a `b` c", "``x` y``", "lone ` tick",
		`cmd.exe /c "dir C:\ & echo ~~x~~ && whoami"`, `~~gone~~`, `C:\PROGRA~1\MICROS~2\`, `~a~ ~b~`, `~`,
		`reg add HKLM\Software\[x](javascript:alert(1)) /v "a|b" /d \|`, `a\`, `a\\`, `\`, `|`, `\|`, `\\|`, `||`,
		`<script>alert(1)</script>`, `a < b && c > d`, `&lt;b&gt; &amp; &#60; &copy;`, `![x](https://bad.example/a.png)`,
		`https://bad.example/a_b_c/*x*?a=1&b=2`, `http://bad.example/_x_/~y~`, `www.bad.example/_a_b_`, `see https://ok.example/path now`,
		`user_name_@contoso.test`, `a_b@contoso.test c_d@contoso.test`, `[x]: https://bad.example`, `[a][b]`, `[^1]`, `- [ ] task`, `# no heading`, `1. no list`, `2) no list`,
		`> no quote`, `+ x`, `- x`, `* x`, `***`, `---`, `___`, `===`, "```\ncode", `:--`, "a\n---", "a\n:--|--", "a | b\n--|--", "line one\nline two", "a \\\nb",
		"tab\there", "x\r\ny", "\u202egnp.exe", "zero\u200bwidth", "bell\x07", "ünïcödé_ß_", "文件_名_*字*", `**bold** __bold__ *it* _it_ ***both***`, `*a_b*c_`, `a*b*c`,
		`"C:\Windows\System32\cmd.exe" /c echo %PATH% > C:\Temp\~tmp*.log 2>&1`, `rundll32.exe javascript:"\..\mshtml,RunHTMLApplication ";`,
		`schtasks /create /tn "\Microsoft\Windows\_upd_" /tr "C:\*\x.exe"`, `curl -k https://10.0.0.1/x_y_z -o C:\Users\Public\*.bin`, `## closing ##`, `closing #`, `#`,
		`$x = @{a='*'}; $x.a * 2`, `(?i)^.*\.(exe|dll)$`, `{"a":"b\"c"}`, `'; DROP TABLE x; --`, `=cmd|' /C calc'!A0`, `mailto:a_b_@c.d`, `ftp://bad.example/_a_`,
	} {
		wantShown(t, value)
	}
}

// TestNothingIsQuotedWithoutNeed compares texts that mean nothing to Markdown with what is sent.
func TestNothingIsQuotedWithoutNeed(t *testing.T) {
	for _, value := range []string{
		"plain", "file_name.txt", "a_b_c", "5 * 3", "2 > 1", `C:\Users\alice\file.txt`, "lone ` tick", "C:\\PROGRA~1", "[x]", "(x)", "a: b", "a & b", "C#", "#1", "x - y",
		"https://ok.example/a?b=c", "alice@contoso.test", "1.5", "!", "x\\y", "*", "_",
	} {
		table := markdown(warroom.Table{Columns: []string{"a"}, Records: objects(string(rawjson.Make(map[string]string{"a": value})))})
		if want := "| " + value + " |"; !strings.Contains(table, want) {
			t.Errorf("got %q, want the row %q", table, want)
		}
	}
}

// TestAddressesInWhichSomethingIsQuotedAreNoLinks looks at what is sent: some readers make a link of everything up to a blank,
// with the backslashes.
func TestAddressesInWhichSomethingIsQuotedAreNoLinks(t *testing.T) {
	for value, want := range map[string]string{
		"http://bad.example/_x_":          `http\://bad.example/\_x\_`,
		"www.bad.example/*a*":             `www\.bad.example/\*a\*`,
		"http://ok.example/a_b *x*":       `http://ok.example/a_b \*x\*`,
		"http://bad.example/?a=1&lt;=b":   `http\://bad.example/?a=1&amp;lt;=b`,
		"http://a.example http://b/_c_/d": `http://a.example http\://b/\_c\_/d`,
		"http://bad.example/?a&aZ9;":      `http\://bad.example/?a&amp;aZ9;`,
		"http://bad.example/?a&zA0;":      `http\://bad.example/?a&amp;zA0;`,
		"http://ok.example/?a&_b;":        `http://ok.example/?a&_b;`,
		"http://ok.example/?a&a{b;":       `http://ok.example/?a&a{b;`,
	} {
		if got := markdown(warroom.Heading(value)); got != "### "+want {
			t.Errorf("got %q, want %q", got, "### "+want)
		}
	}
}

// TestOnlyWhatMayBeginOrEndEmphasisIsQuoted looks at what is sent: more backslashes than are needed would be shown by a reader
// that takes fewer characters for emphasis.
func TestOnlyWhatMayBeginOrEndEmphasisIsQuoted(t *testing.T) {
	for value, want := range map[string]string{
		"*a* *":   `\*a\* *`,
		"* *a*":   `* \*a\*`,
		"*a* * b": `\*a\* * b`,
		"a *b* c": `a \*b\* c`,
		"*a b *":  `*a b *`,
		"C#":      `C#`,
		"C #":     `C \#`,
		"##":      `\##`,
		"":        ``,
	} {
		if got := markdown(warroom.Heading(value)); got != "### "+want {
			t.Errorf("got %q, want %q", got, "### "+want)
		}
	}
}
