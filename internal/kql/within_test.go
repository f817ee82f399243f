package kql_test

import (
	"errors"
	"testing"
	"time"

	"xsoar-defender/internal/kql"
)

func TestWithin(t *testing.T) {
	const where = "| where Timestamp > ago(3600s)"
	for _, test := range []struct{ name, query, want string }{
		{"a table", "DeviceInfo", "DeviceInfo\n" + where},
		{"a table with steps", "DeviceInfo | take 5", "DeviceInfo\n" + where + "\n| take 5"},
		{"comments before the table", "// who\n// what\nDeviceInfo\n| take 5", "// who\n// what\nDeviceInfo\n" + where + "\n| take 5"},
		{"a comment after the table", "DeviceInfo // all\n| take 5", "DeviceInfo\n" + where + "\n// all\n| take 5"},
		{"a let statement", "let n = 5;\nDeviceInfo | take n", "let n = 5;\nDeviceInfo\n" + where + "\n| take n"},
		{
			"semicolons that end nothing", "let f = (x: string) { x; };\nlet a = \"\\\";\"; let b = @\"\\\"; // ;\nlet c = ';' ;\nDeviceInfo | count",
			"let f = (x: string) { x; };\nlet a = \"\\\";\"; let b = @\"\\\"; // ;\nlet c = ';' ;\nDeviceInfo\n" + where + "\n| count",
		},
		{"a let statement over lines", "let\n  n = 5;\nset notruncation;\nDeviceInfo | take n", "let\n  n = 5;\nset notruncation;\nDeviceInfo\n" + where + "\n| take n"},
		{"a let statement without an end", "let n = 5", "let n = 5\n" + where},
		{"a function", "FileProfile(\"x\") ;", "FileProfile(\"x\")\n" + where},
		{"a function with steps", "materialize(DeviceInfo | take 9) | take 5", "materialize(DeviceInfo | take 9)\n" + where + "\n| take 5"},
		{"a table in brackets", "let n = 5;\n[\"Device|Info\"] // a|b\n| summarize count()", "let n = 5;\n[\"Device|Info\"] // a|b\n" + where + "\n| summarize count()"},
		{"a union in brackets", "(union DeviceInfo, DeviceEvents | take 9) | count;", "(union DeviceInfo, DeviceEvents | take 9)\n" + where + "\n| count;"},
		{"a comment alone", "// nothing", "// nothing\n" + where},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := kql.Within(test.query, time.Hour); err != nil || got != test.want {
				t.Errorf("got\n%s\nand %v, want\n%s", got, err, test.want)
			}
			if got, err := kql.Within(test.query, 0); err != nil || got != test.query {
				t.Errorf("without a time range: got %q, want the query as it is", got)
			}
		})
	}
}

func TestQueriesThatNoTimeRangeFits(t *testing.T) {
	for query, operator := range map[string]string{
		"union DeviceInfo, DeviceEvents | count":       "union",
		"// all\nlet n = 5;\nUnion isfuzzy=true A, B":  "Union",
		"find in (DeviceInfo) where DeviceName == 'x'": "find",
		"search \"bad.example\"":                       "search",
		"search(\"bad.example\")":                      "search",
		"search in (DeviceEvents) \"x\" | take 5":      "search",
		"print x = 1":                               "print",
		"range x from 1 to 3 step 1":                "range",
		"let n = 1;\ndatatable(a:string)['x']":      "datatable",
		"externaldata(a:string)[@'https://x.test']": "externaldata",
	} {
		_, err := kql.Within(query, time.Hour)
		if unbounded, ok := errors.AsType[*kql.UnboundedError](err); !ok || unbounded.Operator != operator {
			t.Errorf("%s: got %v, want an error about %s", query, err, operator)
		}
		if got, err := kql.Within(query, 0); err != nil || got != query {
			t.Errorf("%s without a time range: got %q and %v, want it as it is", query, got, err)
		}
	}
}

func FuzzWithin(f *testing.F) {
	for _, seed := range []string{"DeviceInfo | take 5", "let a = @\"x\"\"\"; T", "// x", "let", "let f = {(;", "\"'", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if got, err := kql.Within(query, time.Hour); err == nil && len(got) < len("| where Timestamp > ago(3600s)") {
			t.Errorf("%q: got %q, want the restriction in it", query, got)
		}
	})
}
