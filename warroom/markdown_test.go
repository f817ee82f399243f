package warroom_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
	"xsoar-defender/warroom/warroomtest"
)

func markdown(blocks ...warroom.Block) string { return warroom.Markdown(blocks) }

func objects(texts ...string) warroom.Records {
	rows := make([]rawjson.Value, len(texts))
	for i, text := range texts {
		rows[i] = rawjson.Value(text)
	}
	return warroom.Records{Rows: rows}
}

func TestParagraphsAreText(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"plain", "The machine action 12 was started.", "The machine action 12 was started."},
		{"several lines", "a\nb", "a\nb"},
		{"a pipe", "a|b", `a\|b`},
		{"a backslash before a pipe", `a\|b`, `a\\\|b`},
		{"two backslashes before a pipe", `a\\|b`, `a\\\\\|b`},
		{"other backslashes", `C:\Windows\x`, `C:\Windows\x`},
		{"a tag", `<img src=x onerror="alert(1)">`, `&lt;img src=x onerror="alert(1)">`},
		{"a character reference", "&lt;b>&#x202e;&#60; R&D; a && b &", "&amp;lt;b>&amp;#x202e;&amp;#60; R&D; a && b &"},
		{"a link", "[open](javascript:alert(1))", `[open]\(javascript:alert(1))`},
		{"a picture", "![x](https://attacker.example/pixel)", `![x]\(https://attacker.example/pixel)`},
		{"a link definition", "[open]: javascript:alert(1)", `[open]\: javascript:alert(1)`},
		{"an autolink", "<javascript:alert(1)>", "&lt;javascript:alert(1)>"},
		{"brackets that are not a link", "[a] (b) c(d)", "[a] (b) c(d)"},
		{"a right-to-left override", "invoice\u202efdp.exe", "invoiceU+202Efdp.exe"},
		{"isolates and marks", "\u2066a\u2069\u200e\u200f\u061c", "U+2066aU+2069U+200EU+200FU+061C"},
		{"invisible characters", "a\u200b\ufeff\u00ad\u2060b\U000E0041", "aU+200BU+FEFFU+00ADU+2060bU+E0041"},
		{"line and paragraph separators", "a\u2028b\u2029c\u0085d", "aU+2028bU+2029cU+0085d"},
		{"control characters", "a\x00b\x1b[31mc\x7f", "aU+0000bU+001B[31mcU+007F"},
		{"tabs and carriage returns", "a\tb\r\nc", "a b\nc"},
		{"invalid UTF-8", "a\xffb", "aU+FFFDb"},
		{"joined emoji and scripts with joiners", "👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"},
		{"a heading", "# big", `\# big`},
		{"a list", "first\n- a\n* b\n+ c", "first\n\\- a\n\\* b\n\\+ c"},
		{"a code block", "```\nrest", "\\```\nrest"},
		{"another code block", "~~~", `\~~~`},
		{"an underlined heading", "a\n===\n---", "a\n\\===\n\\---"},
		{"a quotation", "> a", `\> a`},
		{"an indented code block", "    a\n\tb", "a\nb"},
		{"nothing", "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := markdown(warroom.Paragraph(row.text)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestBlocksStandApart(t *testing.T) {
	got := markdown(warroom.Heading("Found <1>\nmore"), warroom.Paragraph("a"), warroom.Paragraph("b"))
	if want := "### Found &lt;1><br>more\n\na\n\nb"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCodeCannotLeaveItsBlock(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"a query", "DeviceInfo\n| where a == \"<b>\"", "```kusto\nDeviceInfo\n| where a == \"<b>\"\n```"},
		{"a fence inside", "a\n```\nb", "````kusto\na\n```\nb\n````"},
		{"a longer fence inside", "`````", "``````kusto\n`````\n``````"},
		{"a right-to-left override", "a\u202eb", "```kusto\naU+202Eb\n```"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := markdown(warroom.Code{Language: "kusto", Text: row.text}); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestOnlyWebAddressesBecomeLinks(t *testing.T) {
	rows := []struct{ name, text, address, want string }{
		{"https", "Open", "https://login.example/a?b=c&d=e", "[Open](https://login.example/a?b=c&d=e)"},
		{"http", "Open", "http://127.0.0.1:80/", "[Open](http://127.0.0.1:80/)"},
		{"javascript", "Open", "javascript:alert(1)", "Open: javascript:alert(1)"},
		{"javascript in capitals", "Open", "JavaScript://x/%0aalert(1)", "Open: JavaScript://x/%0aalert(1)"},
		{"data", "Open", "data:text/html,<b>", "Open: data:text/html,&lt;b>"},
		{"no address", "Open", "a\nb", "Open: a\nb"},
		{"an address that leaves its parentheses", "Open", "https://x.example/a)b(<c> d", "[Open](https://x.example/a%29b%28%3Cc%3E%20d)"},
		{"a query that leaves its parentheses", "Open", "https://x.example/?a=) [x](javascript:y", "[Open](https://x.example/?a=%29%20[x]%28javascript:y)"},
		{"a text that is a link", "x](javascript:y", "https://x.example/", `[x\]\(javascript:y](https://x.example/)`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := markdown(warroom.Link{Text: row.text, Address: row.address}); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestTables(t *testing.T) {
	user := warroom.NewView(warroom.Field{Name: "Name", From: "accountName"}, warroom.Field{Name: "Domain", From: "domainName"})
	view := warroom.NewView(
		warroom.Field{Name: "ID", From: "id"},
		warroom.Field{Name: "Name", From: "name"},
		warroom.Field{Name: "Users", From: "users", Of: user},
		warroom.Field{Name: "Tags", From: "tags"},
		warroom.Field{Name: "Made", Make: func(o rawjson.Value) warroom.Value {
			if !o.Has("made") {
				return nil
			}
			return warroom.Group{{Key: "a", Value: warroom.Texts{"x", "y"}}, {Key: "b", Value: warroom.Values{warroom.Raw("1"), warroom.Raw("null")}}}
		}},
	)
	seen := func(texts ...string) warroom.Records {
		records := objects(texts...)
		records.View = view
		return records
	}
	rows := []struct {
		name  string
		table warroom.Table
		want  string
	}{
		{
			"columns in the order of the view",
			warroom.Table{Title: "Machines", Records: seen(`{"name":"a","id":"1"}`, `{"id":"2","name":"b"}`)},
			"### Machines\n| ID | Name |\n| --- | --- |\n| 1 | a |\n| 2 | b |\n",
		},
		{
			"named columns",
			warroom.Table{Columns: []string{"Name", "ID"}, Records: seen(`{"name":"a","id":"1"}`)},
			"| Name | ID |\n| --- | --- |\n| a | 1 |\n",
		},
		{
			"a column without a value is left out",
			warroom.Table{Columns: []string{"Name", "ID"}, Records: seen(`{"id":"1","name":null}`, `{"id":"2","name":""}`)},
			"| ID |\n| --- |\n| 1 |\n| 2 |\n",
		},
		{
			"a column with a value in one row stays",
			warroom.Table{Columns: []string{"ID", "Name"}, Records: seen(`{"id":"1"}`, `{"id":"2","name":"b"}`)},
			"| ID | Name |\n| --- | --- |\n| 1 |  |\n| 2 | b |\n",
		},
		{
			"empty columns are kept when wanted",
			warroom.Table{Columns: []string{"ID", "Name"}, KeepEmpty: true, Records: seen(`{"id":"1"}`)},
			"| ID | Name |\n| --- | --- |\n| 1 |  |\n",
		},
		{"no rows", warroom.Table{Title: "Alerts", Records: seen()}, "### Alerts\nNothing was found."},
		{"no rows in other words", warroom.Table{Records: seen(), Empty: "No alerts."}, "No alerts."},
		{"rows without any value", warroom.Table{Records: seen(`{}`, `{"id":null}`)}, "Nothing was found."},
		{
			"lists and objects are readable",
			warroom.Table{Records: seen(`{"id":1.50,"tags":["a","b",null,""],"users":[{"accountName":"eve","domainName":"d"},{"accountName":"bob"}]}`)},
			"| ID | Users | Tags |\n| --- | --- | --- |\n| 1.50 | Name: eve, Domain: d; Name: bob | a, b |\n",
		},
		{"computed values are readable", warroom.Table{Records: seen(`{"made":true}`)}, "| Made |\n| --- |\n| a: x, y, b: 1 |\n"},
		{
			"without a view all keys in alphabetical order",
			warroom.Table{Records: objects(`{"b":true,"a":1}`, `{"c":[1,[2,3]],"b":null}`)},
			"| a | b | c |\n| --- | --- | --- |\n| 1 | true |  |\n|  |  | 1, 2, 3 |\n",
		},
		{
			"without a view the named keys",
			warroom.Table{Columns: []string{"b", "missing"}, Records: objects(`{"b":{"x":1,"y":null},"a":1}`)},
			"| b |\n| --- |\n| x: 1 |\n",
		},
		{"without a view what is not an object is left out", warroom.Table{Records: objects(`{"a":1}`, `[1]`, `"x"`, ``)}, "| a |\n| --- |\n| 1 |\n|  |\n|  |\n|  |\n"},
		{"a key that comes twice", warroom.Table{Records: objects(`{"a":1,"a":2}`)}, "| a |\n| --- |\n| 2 |\n"},
		{
			"what is in cells cannot leave them",
			warroom.Table{Records: objects(`{"a|b\n":"x | y\\\n| z |\r\n<b>[q](javascript:0)\u202e"}`)},
			"| a\\|b<br> |\n| --- |\n| x \\| y\\\\<br>\\| z \\|<br>&lt;b>[q]\\(javascript:0)U+202E |\n",
		},
		{
			"carriage returns between what means something together",
			warroom.Table{Records: objects(`{"a":"\\\r|","b":"]\r(x","c":"&\r#60;"}`)},
			"| a | b | c |\n| --- | --- | --- |\n| \\\\\\| | ]\\(x | &amp;#60; |\n",
		},
		{"what ends in a backslash", warroom.Table{Records: objects(`{"a":"C:\\","b":"\\|"}`)}, "| a | b |\n| --- | --- |\n| C:\\ | \\\\\\| |\n"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := markdown(row.table); got != row.want {
				t.Errorf("wanted\n%q, got\n%q", row.want, got)
			}
		})
	}
}

func TestTableShowsDeepValuesAsJSON(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 12) + `[1, 2]` + strings.Repeat(`}`, 12)
	grid := warroom.Table{Records: objects(`{"deep":` + deep + `}`)}.Grid()
	want := strings.Repeat("a: ", 8) + strings.Repeat(`{"a":`, 4) + `[1, 2]` + strings.Repeat(`}`, 4)
	if got := grid.Rows[0][0]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTableIsCut(t *testing.T) {
	rows := make([]string, warroom.MaxTableRows+5)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	rows[warroom.MaxTableRows] = `{"beyond":1}`
	table := warroom.Table{Records: objects(rows...)}
	grid := table.Grid()
	if len(grid.Rows) != warroom.MaxTableRows || grid.Left != 5 || !slices.Equal(grid.Columns, []string{"n"}) {
		t.Errorf("got %d of %q and %d, want %d rows of the column n and 5 left", len(grid.Rows), grid.Columns, grid.Left, warroom.MaxTableRows)
	}
	const note = "The first 1000 rows are shown; the context holds the other 5 as well."
	if got := grid.Note(); got != note {
		t.Errorf("got %q, want the note %q", got, note)
	}
	if got := markdown(table); !strings.HasSuffix(got, "| 999 |\n\n"+note) {
		t.Errorf("got %q, want the table to end with the note", got[len(got)-100:])
	}
	whole := warroom.Table{Records: objects(rows[:warroom.MaxTableRows]...)}
	if got := whole.Grid(); got.Left != 0 || got.Note() != "" {
		t.Errorf("got %d and the note %q, want nothing left of %d rows", got.Left, got.Note(), warroom.MaxTableRows)
	}
	if got := encoded(t, table.Records); strings.Count(got, "{") != len(rows) {
		t.Errorf("got %d, want all %d rows in the context", strings.Count(got, "{"), len(rows))
	}
}

func TestTableWithAColumnThatTheViewLacksIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("wanted a panic, for it is a mistake in the calling code")
		}
	}()
	warroom.Table{Columns: []string{"X"}, Records: warroom.Records{View: warroom.NewView()}}.Grid()
}

func TestPlainIsForErrorsAndLogs(t *testing.T) {
	got := warroom.Plain([]warroom.Block{
		warroom.Heading("Failed"), warroom.Paragraph("a|b"),
		warroom.Code{Text: "q"},
		warroom.Link{Text: "Open", Address: "https://x"},
		warroom.Table{Title: "T", Records: objects(`{"a":1,"b":"x|y"}`)},
	})
	if want := "Failed\na|b\nq\nOpen: https://x\nT\na\tb\n1\tx|y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestVisibleIsForTerminals(t *testing.T) {
	if got, want := warroom.Visible("a\x1b]0;x\x07\tb\r\nc\u202e|<\xff"), "aU+001B]0;xU+0007 b\ncU+202E|<U+FFFD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEntriesOfOneParagraph(t *testing.T) {
	rows := []struct {
		name  string
		entry warroom.Entry
		kind  warroom.Kind
	}{
		{"a note", warroom.Say("Done."), warroom.Note},
		{"an error", warroom.Fail("Done."), warroom.Failure},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			want := warroom.Entry{Kind: row.kind, Blocks: []warroom.Block{warroom.Paragraph("Done.")}}
			if !reflect.DeepEqual(row.entry, want) {
				t.Errorf("got %+v, want %+v", row.entry, want)
			}
		})
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, seed := range []struct{ column, first, second string }{
		{"Name", "plain", "x"},
		{"a|b", `\|`, `\\|\`},
		{"\n", "| --- |\n| x |", "```\n# h"},
		{"<b>", "[x](javascript:alert(1))", "[x]: javascript:alert(1)"},
		{"\u202e", "\u2028\u2029\u0085\x00\xff", "&#x202e;"},
		{"", "   ", "\\"},
	} {
		f.Add(seed.column, seed.first, seed.second)
	}
	f.Fuzz(func(t *testing.T, column, first, second string) {
		type fields = map[string]any
		records := objects(
			string(rawjson.Make(fields{"fixed": first, column: second})),
			string(rawjson.Make(fields{"fixed": second, column: fields{first: []string{first, second}}})),
		)
		table := warroom.Table{Records: records, KeepEmpty: true}
		warroomtest.WantTable(t, table)
		if grid := table.Grid(); len(grid.Rows) != len(records.Rows) || len(grid.Columns) == 0 {
			t.Errorf("got %v, want every row and a column", grid)
		}
		whole := markdown(warroom.Heading(first), warroom.Paragraph(first), table, warroom.Link{Text: first, Address: second}, warroom.Code{Text: second})
		if strings.ContainsFunc(whole, func(r rune) bool { return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("got %q, want no control characters and no marks of direction", whole)
		}
		wantShown(t, first)
		wantShown(t, second)
	})
}
