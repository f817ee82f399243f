package kql_test

import (
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
		{"an operator", "union DeviceInfo, DeviceEvents", "union DeviceInfo, DeviceEvents\n" + where},
		{"a let statement without an end", "let n = 5", "let n = 5\n" + where},
		{"a function", "search(\"x\") ;", "search(\"x\")\n" + where},
		{"a comment alone", "// nothing", "// nothing\n" + where},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := kql.Within(test.query, time.Hour); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			if got := kql.Within(test.query, 0); got != test.query {
				t.Errorf("without a time range: got %q, want the query as it is", got)
			}
		})
	}
}

func FuzzWithin(f *testing.F) {
	for _, seed := range []string{"DeviceInfo | take 5", "let a = @\"x\"\"\"; T", "// x", "let", "let f = {(;", "\"'", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if got := kql.Within(query, time.Hour); len(got) < len("| where Timestamp > ago(3600s)") {
			t.Errorf("%q: got %q, want the restriction in it", query, got)
		}
	})
}
