package kusto

import (
	"strings"
	"testing"
	"time"
)

// example is a query or an expression, and what its user sees: values, or "error: " and a sentence.
type example struct{ query, want string }

// evening is the time at which the examples run.
func evening() time.Time { return time.Date(2026, 6, 1, 20, 0, 0, 0, time.UTC) }

// answer returns the rows of a query as text, or its error.
func answer(query string, tables Tables) string {
	got, err := Run(query, evening(), tables)
	if err != nil {
		return "error: " + err.Error()
	}
	return shown(got)
}

// answerWithHeader returns the names of the columns as well, as a first row.
func answerWithHeader(query string, tables Tables) string {
	got, err := Run(query, evening(), tables)
	if err != nil {
		return "error: " + err.Error()
	}
	names := make([]string, len(got.Columns))
	for i, c := range got.Columns {
		names[i] = c.Name
	}
	header := strings.Join(names, ",")
	if len(got.Rows) == 0 {
		return header
	}
	return header + ";" + shown(got)
}

// checkValues computes expressions. One that is null is empty, as in an answer of the service.
func checkValues(t *testing.T, examples []example) {
	t.Helper()
	for _, one := range examples {
		if got := answer("print Value = "+one.query, noTables{}); got != one.want {
			t.Errorf("%s\ngot  %q\nwant %q", one.query, got, one.want)
		}
	}
}

// checkTables runs queries over the ledger. The names of the columns are the first row.
func checkTables(t *testing.T, examples []example) {
	t.Helper()
	for _, one := range examples {
		if got := answerWithHeader(one.query, ledgers{}); got != one.want {
			t.Errorf("%s\ngot  %q\nwant %q", one.query, got, one.want)
		}
	}
}

// checkTypes looks at the types of the columns that expressions make.
func checkTypes(t *testing.T, examples []example) {
	t.Helper()
	for _, one := range examples {
		got, err := Run("print Value = "+one.query, evening(), noTables{})
		if err != nil {
			t.Errorf("%s: %v", one.query, err)
			continue
		}
		if typ := string(got.Columns[0].Type); typ != one.want {
			t.Errorf("%s: got the type %s, want %s", one.query, typ, one.want)
		}
	}
}

// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/
func TestLiteralsOfNumbers(t *testing.T) {
	checkValues(t, []example{
		{"1.", `error: syntax error: unexpected "."`},
		{"1.x", "error: a value of type long has no properties; use parse_json or todynamic"},
		{"1e", "error: failed to resolve scalar expression named '1e'"},
		{"1e+", "error: failed to resolve scalar expression named '1e'"},
		{"1.5e", `error: syntax error at "1.5e"`},
		{"1_0", "error: failed to resolve scalar expression named '1_0'"},
		{"90 + 09", "99"},
		{"0", "0"},
		{"9223372036854775807", "9223372036854775807"},
		{"-9223372036854775807", "-9223372036854775807"},
		{"9223372036854775808", "error: the number 9223372036854775808 is out of range"},
		{"0xff", "255"},
		{"0XFF", "255"},
		{"0x7fffffffffffffff", "9223372036854775807"},
		{"0x10000000000000000", "error: the number 0x10000000000000000 is out of range"},
		{"0x", "error: the number 0x is out of range"},
		{"1.25", "1.25"},
		{"1e2", "100"},
		{"1E2", "100"},
		{"1.5e-3", "0.0015"},
		{"2e+2", "200"},
		{"1e999", "error: the number 1e999 is out of range"},
		{"1.2.3", `error: syntax error: unexpected "."`},
		{"12abc", "error: failed to resolve scalar expression named '12abc'"},
		{"1e2x", "error: failed to resolve scalar expression named '1e2x'"},
		{"toscalar(print 3rdParty = 2 | extend 4_ = 3rdParty * 2 | project 4_)", "4"},
		{"- -3", "3"},
		{"+3", "3"},
		{"-+3", "-3"},
		{"long(5)", "5"},
		{"long(-5)", "-5"},
		{"long(0x1f)", "31"},
		{"long(null)", ""},
		{"int(7)", "7"},
		{"int(2147483647)", "2147483647"},
		{"int(2147483648)", "error: int() takes a literal; use toint"},
		{"int(null)", ""},
		{"int32(7)", "7"},
		{"int64(7)", "7"},
		{"real(2)", "2"},
		{"real(0.5)", "0.5"},
		{"double(-0.5)", "-0.5"},
		{"real(null)", ""},
		{"real(nan)", "NaN"},
		{"real(+inf)", "∞"},
		{"real(-inf)", "-∞"},
		{"long(nan)", "error: failed to resolve scalar expression named 'nan'"},
		{"long(+inf)", "error: failed to resolve scalar expression named 'inf'"},
		{"real(+nan)", "error: failed to resolve scalar expression named 'nan'"},
		{"real(-nan)", "error: failed to resolve scalar expression named 'nan'"},
		{"bool(true)", "true"},
		{"bool(false)", "false"},
		{"bool(1)", "true"},
		{"bool(0)", "false"},
		{"boolean(true)", "true"},
		{"bool(null)", ""},
		{"string(null)", ""},
		{"isempty(string(null))", "true"},
		{"true", "true"},
		{"false", "false"},
		{"long(5", `error: syntax error: expected ")" but found the end of the query`},
		{"decimal(5)", "error: the function 'decimal' is not supported by this simulated service"},
	})
	checkTypes(t, []example{
		{"1", "long"},
		{"0x1", "long"},
		{"1.0", "real"},
		{"1e2", "real"},
		{"long(1)", "long"},
		{"int64(1)", "long"},
		{"int(1)", "int"},
		{"int32(1)", "int"},
		{"real(1)", "real"},
		{"double(1)", "real"},
		{"real(nan)", "real"},
		{"bool(1)", "bool"},
		{"boolean(1)", "bool"},
		{"true", "bool"},
		{"'x'", "string"},
		{"string(null)", "string"},
		{"1h", "timespan"},
		{"time(1h)", "timespan"},
		{"timespan(null)", "timespan"},
		{"datetime(2026)", "datetime"},
		{"date(2026)", "datetime"},
		{"datetime(null)", "datetime"},
		{"dynamic(1)", "dynamic"},
		{"guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", "guid"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/timespan
func TestLiteralsOfSpans(t *testing.T) {
	checkValues(t, []example{
		{"time(1:x2)", "error: time(1:x2) is not a span of time"},
		{"time(1.x:2)", "error: time(1.x:2) is not a span of time"},
		{"time(x.1:22)", "error: time(x.1:22) is not a span of time"},
		{"time(1.22:22)", "1.22:22:00"},
		{"2d", "2.00:00:00"},
		{"1.5h", "01:30:00"},
		{"30m", "00:30:00"},
		{"10s", "00:00:10"},
		{"0.1s", "00:00:00.1000000"},
		{"100ms", "00:00:00.1000000"},
		{"10microsecond", "00:00:00.0000100"},
		{"10microseconds", "00:00:00.0000100"},
		{"1tick", "00:00:00.0000001"},
		{"3ticks", "00:00:00.0000003"},
		{"1day", "1.00:00:00"},
		{"2days", "2.00:00:00"},
		{"1hour", "01:00:00"},
		{"2hours", "02:00:00"},
		{"2hr", "02:00:00"},
		{"1minute", "00:01:00"},
		{"2minutes", "00:02:00"},
		{"2min", "00:02:00"},
		{"1second", "00:00:01"},
		{"2seconds", "00:00:02"},
		{"2sec", "00:00:02"},
		{"1millisecond", "00:00:00.0010000"},
		{"2milliseconds", "00:00:00.0020000"},
		{"25h", "1.01:00:00"},
		{"90m", "01:30:00"},
		{"3661s", "01:01:01"},
		{"-1h", "-01:00:00"},
		{"-25h", "-1.01:00:00"},
		{"1fortnight", "error: failed to resolve scalar expression named '1fortnight'"},
		{"time(15 seconds)", "00:00:15"},
		{"time(2)", "2.00:00:00"},
		{"timespan(-2)", "-2.00:00:00"},
		{"time(0.12:34:56.7)", "12:34:56.7000000"},
		{"time(3.12:34)", "3.12:34:00"},
		{"time(12:34)", "12:34:00"},
		{"time(12:34:56)", "12:34:56"},
		{"time(-1.02:03:04)", "-1.02:03:04"},
		{"time('1d')", "1.00:00:00"},
		{"time(null)", ""},
		{"timespan (1h)", "01:00:00"},
		{"time(1:2:3:4)", "error: time(1:2:3:4) is not a span of time"},
		{"time(x.1:2)", "error: time(x.1:2) is not a span of time"},
		{"time(1:x)", "error: time(1:x) is not a span of time"},
		{"time(x)", "error: time(x) is not a span of time"},
		{"time(xd)", "error: time(xd) is not a span of time"},
		{"time(", `error: syntax error: the parenthesis after "time(" is not closed`},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/datetime
func TestLiteralsOfDates(t *testing.T) {
	const afternoon = "2014-11-08T15:05:02.0000000Z"
	checkValues(t, []example{
		{"datetime(2014-05-25T08:20:03.123456Z)", "2014-05-25T08:20:03.1234560Z"},
		{"datetime(2014-05-25T08:20:03.123456)", "2014-05-25T08:20:03.1234560Z"},
		{"datetime(2014-05-25T08:20)", "2014-05-25T08:20:00.0000000Z"},
		{"datetime(2014-05-25T08:20Z)", "2014-05-25T08:20:00.0000000Z"},
		{"datetime(2014-11-08 15:55:55.123456Z)", "2014-11-08T15:55:55.1234560Z"},
		{"datetime(2014-11-08 15:55:55)", "2014-11-08T15:55:55.0000000Z"},
		{"datetime(2014-11-08 15:55)", "2014-11-08T15:55:00.0000000Z"},
		{"datetime(2014-11-08)", "2014-11-08T00:00:00.0000000Z"},
		{"datetime(2014-11)", "2014-11-01T00:00:00.0000000Z"},
		{"datetime(2014)", "2014-01-01T00:00:00.0000000Z"},
		{"datetime(2014-1-8)", "2014-01-08T00:00:00.0000000Z"},
		{"datetime(11/8/2014)", "2014-11-08T00:00:00.0000000Z"},
		{"datetime(11/8/2014 15:05:02)", afternoon},
		{"datetime(11/8/2014 3:05:02 PM)", afternoon},
		{"datetime('2014-11-08')", "2014-11-08T00:00:00.0000000Z"},
		{"datetime(2014-11-08T15:05:02+02:00)", "2014-11-08T13:05:02.0000000Z"},
		{"datetime(Sat, 8 Nov 14 15:05:02 GMT)", afternoon},
		{"datetime(Sat, 8 Nov 14 15:05:02)", afternoon},
		{"datetime(Sat, 8 Nov 2014 15:05:02 GMT)", afternoon},
		{"datetime(8 Nov 14 15:05:02 GMT)", afternoon},
		{"datetime(8 Nov 2014 15:05:02)", afternoon},
		{"datetime(8 Nov 14 15:05)", "2014-11-08T15:05:00.0000000Z"},
		{"datetime(8 Nov 14 15:05 GMT)", "2014-11-08T15:05:00.0000000Z"},
		{"datetime(Saturday, 08-Nov-14 15:05:02 GMT)", afternoon},
		{"datetime(08-Nov-14 15:05)", "2014-11-08T15:05:00.0000000Z"},
		{"datetime(2014-11-8 15:05:02 GMT)", afternoon},
		{"datetime(2014-11-8T15:05)", "2014-11-08T15:05:00.0000000Z"},
		{"datetime(2014-11-08T15:05:02.12345678)", "2014-11-08T15:05:02.1234567Z"},
		{"date(2014-11-08)", "2014-11-08T00:00:00.0000000Z"},
		{"datetime(null)", ""},
		{"date(null)", ""},
		{"datetime(2014-02-30)", "error: datetime(2014-02-30) is not a date"},
		{"datetime(tomorrow)", "error: datetime(tomorrow) is not a date"},
		{"guid(74BE27DE-1E4E-49D9-B579-FE0B331D3642)", "74be27de-1e4e-49d9-b579-fe0b331d3642"},
		{"guid(74be27de-1e4e-49d9-b579-fe0b331d364)", "error: guid(74be27de-1e4e-49d9-b579-fe0b331d364) is not a GUID"},
		{"guid(74be27de1e4e-49d9-b579-fe0b331d36422)", "error: guid(74be27de1e4e-49d9-b579-fe0b331d36422) is not a GUID"},
		{"guid(74be27dg-1e4e-49d9-b579-fe0b331d3642)", "error: guid(74be27dg-1e4e-49d9-b579-fe0b331d3642) is not a GUID"},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/string
func TestLiteralsOfTexts(t *testing.T) {
	checkValues(t, []example{
		{`"\u00e"`, `error: the text "\\u00e" has an escape that is not known`},
		{`"\U0001F60"`, `error: the text "\\U0001F60" has an escape that is not known`},
		{`"\u00e9"`, "é"},
		{`"\x411"`, "A1"},
		{`"it's"`, "it's"},
		{`'a "word"'`, `a "word"`},
		{`'it\'s'`, "it's"},
		{`"a \"word\""`, `a "word"`},
		{`"C:\\Temp\\"`, `C:\Temp\`},
		{`"\a\b\f\n\r\t\v\0\\"`, "\a\b\f\n\r\t\v\x00\\"},
		{`"\x41\u00e9\U0001F600"`, "Aé😀"},
		{`"\x41"`, "A"},
		{`"\u0041"`, "A"},
		{`"\x4"`, `error: the text "\\x4" has an escape that is not known`},
		{`"\xzz"`, `error: the text "\\xzz" has an escape that is not known`},
		{`"\q"`, `error: the text "\\q" has an escape that is not known`},
		{`@"C:\Temp\"`, `C:\Temp\`},
		{`@'C:\Temp\'`, `C:\Temp\`},
		{`@"a ""word"""`, `a "word"`},
		{`@'it''s'`, "it's"},
		{`@''`, ""},
		{`@""""`, `"`},
		{`@"a`, `error: syntax error: the text "@\"a" is not closed`},
		{`@"a""`, `error: syntax error: the text "@\"a\"\"" is not closed`},
		{`@`, `error: syntax error at "@"`},
		{`@a`, `error: syntax error at "@a"`},
		{`h"secret"`, "secret"},
		{`H'secret'`, "secret"},
		{`h@"C:\secret"`, `C:\secret`},
		{`H@'C:\secret'`, `C:\secret`},
		{"```a \"b\" 'c' \\d```", `a "b" 'c' \d`},
		{"```a\nb```", "a\nb"},
		{"``````", ""},
		{"```a", "error: syntax error: the text \"```a\" is not closed"},
		{`"Hello"', '@"world!"`, "Hello, world!"},
		{`"Hello" ', '  @"world!"`, "Hello, world!"},
		{"\"Hello\" // a comment\n', '@\"world!\"", "Hello, world!"},
		{`"https://contoso.com/?" h'sig=1'`, "https://contoso.com/?sig=1"},
		{"\"a\nb\"", "error: syntax error: the text \"\\\"a\\nb\\\"\" is not closed"},
		{`"a`, `error: syntax error: the text "\"a" is not closed`},
		{`"a\"`, `error: syntax error: the text "\"a\\\"" is not closed`},
		{`""`, ""},
		{`'\''`, "'"},
		{`strlen('')`, "0"},
		{`"ünïcödé"`, "ünïcödé"},
		{`?`, `error: syntax error at "?"`},
		{`1 # 2`, `error: syntax error at "# 2"`},
	})
}

// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/dynamic
func TestLiteralsOfDynamicValues(t *testing.T) {
	deepest := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	deep := "[" + deepest + "]"
	checkValues(t, []example{
		{"dynamic(null)", ""},
		{"dynamic(1)", "1"},
		{"dynamic(-1.5)", "-1.5"},
		{"dynamic('x')", "x"},
		{"dynamic(true)", "true"},
		{"dynamic(false)", "false"},
		{"dynamic([])", "[]"},
		{"dynamic({})", "{}"},
		{"dynamic([1, 'two', 3.5, null, true, false])", `[1,"two",3.5,null,true,false]`},
		{"dynamic([1, 2,])", "[1,2]"},
		{`dynamic({"a": 1, 'b': [2, {"c": null}],})`, `{"a":1,"b":[2,{"c":null}]}`},
		{"dynamic([1h, datetime(2026-06-01), guid(74be27de-1e4e-49d9-b579-fe0b331d3642)])", `["01:00:00","2026-06-01T00:00:00.0000000Z","74be27de-1e4e-49d9-b579-fe0b331d3642"]`},
		{"dynamic ([1])", "[1]"},
		{"dynamic([-1h])", `["-01:00:00"]`},
		{`dynamic([")", "(", '\')'])`, `[")","(","')"]`},
		{"dynamic([1 2])", "error: dynamic([1 2]) is not a value"},
		{"dynamic([1)", "error: dynamic([1) is not a value"},
		{"dynamic([,])", "error: dynamic([,]) is not a value"},
		{"dynamic({1: 2})", "error: dynamic({1: 2}) is not a value"},
		{"dynamic({'a' 2})", "error: dynamic({'a' 2}) is not a value"},
		{"dynamic({'a'})", "error: dynamic({'a'}) is not a value"},
		{"dynamic({'a': })", "error: dynamic({'a': }) is not a value"},
		{"dynamic({'a': 1 'b': 2})", "error: dynamic({'a': 1 'b': 2}) is not a value"},
		{"dynamic(1 2)", "error: dynamic(1 2) is not a value"},
		{"dynamic()", "error: dynamic() is not a value"},
		{"dynamic(-)", "error: dynamic(-) is not a value"},
		{"dynamic(word)", "error: dynamic(word) is not a value"},
		{`dynamic(["a)`, `error: syntax error: the parenthesis after "dynamic([\"a)" is not closed`},
		{"dynamic(#)", `error: syntax error at "#"`},
		{"dynamic(" + deep + ")", "error: dynamic(" + deep[:60] + ") is not a value"},
		{"dynamic(" + deepest + ")", deepest},
		{"dynamic([[[[1]]]])[0][0]", "[[1]]"},
	})
}

func TestCommentsAndWhiteSpace(t *testing.T) {
	checkValues(t, []example{
		{"1 // one", "1"},
		{"1 // one\n + // and\n 2", "3"},
		{"// nothing before it\n 1", "1"},
		{"\t1\r\n+\u00a02", "3"},
		{"\ufeff1", "1"},
		{"'// no comment'", "// no comment"},
		{"6 / 2", "3"},
	})
}
