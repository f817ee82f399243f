package kusto

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// ledgers has one table to query: five payments of three people.
type ledgers struct{}

func (ledgers) Names() []string { return []string{"Ledger"} }

func (ledgers) Table(name string) (Table, bool) {
	if name != "Ledger" {
		return Table{}, false
	}
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	row := func(hours int, who string, amount int64, note string, details string) []any {
		return []any{noon.Add(time.Duration(hours) * time.Hour), who, amount, note, details, nil}
	}
	return Table{
		Columns: []Column{{"Timestamp", DateTime}, {"Who", String}, {"Amount", Long}, {"Note", String}, {"Details", String}, {"Missing", Long}},
		Rows: [][]any{
			row(0, "Nora", 5, `C:\Tools\pay.exe -fast`, `{"Bank":"North","Fees":[1,9007199254740993]}`),
			row(1, "nora", 7, "refund for Tom's car", `{"Bank":"South"}`),
			row(2, "Tom", 9007199254740993, "", "not JSON"),
			row(3, "Tom", 9007199254740992, "tea", ""),
			row(4, "Ada", -1, "TEA party", `{"Bank":null}`),
		},
	}, true
}

func TestQueries(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"| where Who == 'Nora' | project Amount", "5"},
		{"| where Who =~ 'NORA' | project Amount", "5;7"},
		{"| where Who != 'Tom' and Amount > 0 | project Amount", "5;7"},
		{"| where Who in ('Tom', 'Ada') | project Amount", "9007199254740993;9007199254740992;-1"},
		{"| where Who !in~ ('tom', 'NORA') | project Who", "Ada"},
		{"| where Amount == 9007199254740993 | project Amount", "9007199254740993"},
		{"| where Note has 'tea' | project Who", "Tom;Ada"},
		{"| where Note has_cs 'tea' | project Who", "Tom"},
		{"| where Note has 'ref' | project Who", ""},
		{"| where Note contains 'REF' | project Who", "nora"},
		{"| where Note !contains 'e' | project Who", "Tom"},
		{"| where Note has_any ('pay.exe', 'party') | project Who", "Nora;Ada"},
		{"| where Note has_all ('tools', 'pay') | project Who", "Nora"},
		{`| where Note startswith @"c:\tools" | project Who`, "Nora"},
		{`| where Note startswith "C:\\Tools\\" | project Who`, "Nora"},
		{`| where Note endswith "CAR" | project Who`, "nora"},
		{`| where Note matches regex @"(?i)\btea\b" | project Who`, "Tom;Ada"},
		{`| where Note == "refund for Tom's car" | project Amount`, "7"},
		{"| where Timestamp between (datetime(2026-06-01T13:00:00Z) .. datetime(2026-06-01 14:00)) | project Who", "nora;Tom"},
		{"| where Timestamp > ago(7h) | project Who", "Tom;Tom;Ada"},
		{"| where not(Amount > 0) | project Who", "Ada"},
		{"| where isempty(Note) or Amount < 0 | project Who", "Tom;Ada"},
		{"| where isnull(Missing) | count", "5"},
		{"| take 1 // a comment | project Nothing\n| count", "1"},
		{"| project Who, Twice = Amount * 2 | take 1", "Nora,10"},
		{"| extend Rank = case(Amount > 6, 'high', Amount > 0, 'low', 'none') | project Rank", "low;high;high;high;none"},
		{"| extend Bank = tostring(parse_json(Details).Bank) | project Bank | take 3", "North;South;"},
		{"| extend Fee = parse_json(Details).Fees[1] | project Fee | take 1", "9007199254740993"},
		{"| project-away Timestamp, De*, Missing, Note | take 1", "Nora,5"},
		{"| summarize n = count(), Total = sum(Amount) by Who = tolower(Who) | sort by Who asc", "ada,1,-1;nora,2,12;tom,2,18014398509481985"},
		{"| summarize count(), dcount(Who), min(Amount), max(Amount), countif(Amount > 6)", "5,4,-1,9007199254740993,3"},
		{"| summarize arg_max(Amount, Who, Note)", "9007199254740993,Tom,"},
		{"| summarize arg_min(Amount, *) | project Who", "Ada"},
		{"| summarize Names = array_sort_asc(make_set(Who)), Some = make_list_if(Amount, Amount < 6, 1)", `["Ada","Nora","Tom","nora"],[5]`},
		{"| where Amount > 99999999999999999 | summarize count(), max(Amount)", "0,"},
		{"| where Amount > 99999999999999999 | summarize count() by Who", ""},
		{"| distinct Who | count", "4"},
		{"| union Ledger | distinct * | count", "5"},
		{"| summarize Average = avg(Amount), Any = take_any(Note), Late = maxif(Amount, Who == 'nora'), Early = minif(Amount, Amount > 5 and Amount < 99), Whose = dcountif(Who, Amount > 6), Set = make_set_if(Who, Amount < 6, 1)", "3.602879701896399e+15,C:\\Tools\\pay.exe -fast,7,7,2,[\"Nora\"]"},
		{"| sort by Amount | project Amount | limit 2", "9007199254740993;9007199254740992"},
		{"| order by Who asc, Amount desc | project Who, Amount | take 3", "Ada,-1;Nora,5;Tom,9007199254740993"},
		{"| top 2 by Amount asc | project Amount", "-1;5"},
		{"| serialize n = row_number() | where n between (2 .. 3) | project n, Who", "2,nora;3,Tom"},
		{"| sort by Timestamp asc | extend n = row_number() | where n > 4 | project Who", "Ada"},
		{"| union Ledger | count", "10"},
		{"| where * has 'tea' | project Who", "Tom;Ada"},
		{"| project Amount | where * has 'tea'", "error: there is no column of text to compare"},
		{"| summarize any(Who) | project any_Who", "Nora"},
		{"| project Who = tolower(Who), Amount | evaluate pivot(Who, sum(Amount))", "-1,12,18014398509481985"},
		{"| project Who = tolower(Who) | evaluate pivot(Who)", "1,2,2"},
		{"| project Who, Amount | evaluate pivot(Who) | where sum(Amount) > 1", "error: "},
		{"| take 1 | project A = array_concat(dynamic([1])), B = array_slice(dynamic([1, 2, 3]), 0, 0), C = array_slice(dynamic([1, 2, 3]), -2, -1), D = array_slice(dynamic([1]), 1, 5)", "[1],[1],[2,3],[]"},
		{"| project Gap = (Timestamp - datetime(2026-06-01T12:00:00Z)) / 1h | top 1 by Gap", "4"},
	} {
		got, err := Run("Ledger\n"+c.query, time.Date(2026, 6, 1, 20, 0, 0, 0, time.UTC), ledgers{})
		text := shown(got)
		if err != nil {
			text = "error: " + err.Error()
		}
		if wanted, failure := strings.CutPrefix(c.want, "error: "); text != c.want && !(failure && err != nil && strings.Contains(text, wanted)) {
			t.Errorf("%s: got %q, want %q", c.query, text, c.want)
		}
	}
}

// shown writes the rows with semicolons between them and commas between the values.
func shown(t Table) string {
	var rows []string
	for _, row := range t.Rows {
		rows = append(rows, strings.Join(textsOf(row), ","))
	}
	return strings.Join(rows, ";")
}

func TestExpressions(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"1 + 2 * 3 - 4 / 2", "5"},
		{"7 % 4", "3"},
		{"-(2 + 3)", "-5"},
		{"7 / 0", ""},
		{"7.5 % 2", "1.5"},
		{"1.0 / 0", "∞"},
		{"1 + 0.5", "1.5"},
		{"0.5 * 4 - 1.0", "1"},
		{"3.0 / 2", "1.5"},
		{"0x10", "16"},
		{"9007199254740993 - 1", "9007199254740992"},
		{"1e3", "1000"},
		{"1d + 2h - 30m", "1.01:30:00"},
		{"timespan(90s) / 1m", "1.5"},
		{"5ms < 1s", "true"},
		{"datetime(2026-06-01) + 1d > datetime(2026-06-01T23:00:00Z)", "true"},
		{"datetime(2026-06-01) - 1h", "2026-05-31T23:00:00.0000000Z"},
		{"true == false", "false"},
		{"'b' > 'a' and 2 >= 2 and 1.5 <= 1.5", "true"},
		{"1 between (1 .. 3) and 4 !between (1 .. 3)", "true"},
		{"Missing == 0", "false"},
		{"Missing != 0", "true"},
		{"'power shell' hasprefix 'SHE'", "true"},
		{"'powershell' hasprefix 'she'", "false"},
		{"'a-b_c' has 'b'", "true"},
		{"'über' has 'ber'", "false"},
		{"'x' has ''", "true"},
		{"h'secret' =~ 'SECRET'", "true"},
		{`"tab\tquote\" \u00e9 \x41"`, "tab\tquote\" é A"},
		{`@'it''s'`, "it's"},
		{"iff(1 > 2, 'a', 'b')", "b"},
		{"case(false, 1, false, 2, 3)", "3"},
		{"coalesce('', Missing, 'x', 'y')", "x"},
		{"coalesce(Missing, '')", ""},
		{"isempty('') and isnotempty('a') and isnotempty(0) and isnull(Missing) and isnotnull('')", "true"},
		{"strcat('a', 1, true)", "a1true"},
		{"strlen('über')", "4"},
		{"toupper(tolower('ÄB'))", "ÄB"},
		{"tolong('0x1f') + toint('12') + tolong(1.9) + tolong(true)", "45"},
		{"tolong('x')", ""},
		{"toreal('1.5') + todouble(2)", "3.5"},
		{"toreal('NaN')", "NaN"},
		{"extract('(b+)(c)', 1, 'abbc')", "bb"},
		{"extract('x', 0, 'abc')", ""},
		{"replace_regex('a1b22', @'[0-9]+', '-')", "a-b-"},
		{"trim_start('::ffff:', '::ffff:10.0.0.1')", "10.0.0.1"},
		{"split('a,b', ',')[1]", "b"},
		{"base64_decode_tostring('aGk=')", "hi"},
		{"base64_decode_tostring('*')", ""},
		{"ipv4_is_private('10.1.2.3')", "true"},
		{"ipv4_is_private('8.8.8.8')", "false"},
		{"ipv4_is_private('fe80::1')", ""},
		{"binary_and(0x1F, 0x10)", "16"},
		{"bin(17, 5)", "15"},
		{"bin(-1, 5)", "-5"},
		{"bin(datetime(2026-06-01T10:42:00Z), 1h)", "2026-06-01T10:00:00.0000000Z"},
		{"array_length(dynamic([1, 2, 3]))", "3"},
		{"array_sort_asc(dynamic([3, null, 1.5]))", "[1.5,3,null]"},
		{"array_slice(dynamic([1, 2, 3, 4]), 1, -1)", "[2,3,4]"},
		{"array_slice(dynamic([1, 2, 3, 4]), -2, 9)", "[3,4]"},
		{"array_slice(dynamic([1]), 1, 0)", "[]"},
		{"series_subtract(dynamic([5, 7]), dynamic([1, 2, 3]))", "[4,5,null]"},
		{"series_stats_dynamic(dynamic([2, 4, 6])).avg", "4"},
		{"series_stats_dynamic(dynamic([2, 4, 6])).stdev", "2"},
		{"series_stats_dynamic(dynamic([]))", ""},
		{"bag_keys(dynamic({'b': 1, 'a': 2}))", `["a","b"]`},
		{"dynamic({'a': [1, {'b': 2}]}).a[1].b", "2"},
		{"dynamic([1])[5]", ""},
		{"dynamic({'a': 1})['a']", "1"},
		{"parse_json('{').x", ""},
		{"todynamic(1)", "1"},
	} {
		got, err := Run("Ledger | take 1 | project Value = "+c.expression, time.Time{}, ledgers{})
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		if text := shown(got); text != c.want {
			t.Errorf("%s is %q, want %q", c.expression, text, c.want)
		}
	}
}

func TestTheTypesOfColumns(t *testing.T) {
	got, err := Run(`Ledger | take 1 | project Amount, Missing, Real = 1.5, Flag = true, When = now(), Span = 1h, List = dynamic([1]), Text = "x", Nothing = parse_json("")`, time.Time{}, ledgers{})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{Amount long} {Missing long} {Real real} {Flag bool} {When datetime} {Span timespan} {List dynamic} {Text string} {Nothing dynamic}]"
	if text := fmt.Sprint(got.Columns); text != want {
		t.Errorf("the types are %s, want %s", text, want)
	}
}

func TestWholeQueries(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"Ledger | count", "5"},
		{"let few = 2; Ledger | take few | project Who;", "Nora;nora"},
		{"let names = dynamic(['Tom', 'Ada']); Ledger | where Who in (names) | count", "3"},
		{"let toms = Ledger | where Who == 'Tom'; toms | count", "2"},
		{"let rich = materialize(Ledger | where Amount > 6 | project Who); Ledger | where Who in ((rich | distinct Who)) | count", "3"},
		{"union (Ledger | where Who == 'Ada'), Ledger | count", "6"},
		{"union withsource=From Ledger | summarize by From", "Ledger"},
		{"let totals = Ledger | summarize Total = count() by Who; Ledger | where Amount < 6 | join kind=leftouter totals on Who | project Who, Total", "Nora,1;Ada,1"},
		{"let a = Ledger | where Who == 'Tom' | take 1; a | join kind=inner (Ledger | project Name = Who, Note) on $left.Who == $right.Name | project Amount, Note1", "9007199254740993,;9007199254740993,tea"},
		{"Ledger | join kind=leftanti (Ledger | where Amount > 6) on Who | project Who", "Nora;Ada"},
		{"Ledger | join kind=leftsemi (Ledger | where Amount > 6) on Who | project Who", "nora;Tom;Tom"},
		{"Ledger | extend Most = toscalar(Ledger | summarize max(Amount)) | where Amount == Most | project Who", "Tom"},
	} {
		got, err := Run(c.query, time.Time{}, ledgers{})
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		if text := shown(got); text != c.want {
			t.Errorf("%s: got %q, want %q", c.query, text, c.want)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"Ledger | where Who has 'x' and Amount in (1, 2) | summarize n = count() by Who | sort by n asc",
		`let a = dynamic(["x"]); Ledger | where Note matches regex @"(?i)\bx" | extend b = parse_json(Details).Fees[0]`,
		"union Ledger, (Ledger | take 1) | join kind=leftouter (Ledger) on $left.Who == $right.Who", "Ledger | where Timestamp > ago(1d)", "((((", `"\`, "Ledger | top 1 by -Amount",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := Run(query, time.Time{}, ledgers{})
		if err != nil {
			return
		}
		if _, err := json.Marshal(plain(anyRows(got.Rows))); err != nil {
			t.Errorf("%q returns what cannot be written: %v", query, err)
		}
		for _, c := range got.Columns {
			if c.Name == "" || c.Type == "" {
				t.Errorf("%q returns a column %q of type %q", query, c.Name, c.Type)
			}
		}
	})
}

func anyRows(rows [][]any) []any {
	var all []any
	for _, row := range rows {
		all = append(all, row)
	}
	return all
}
