package kql

import (
	"strings"
	"testing"
)

const wellFormed = `// question: What happened?
// tables: DeviceEvents
// columns: Timestamp, RemoteIPCount
// device_name: DeviceName
// remote_ip_count: RemoteIPCount
// requires: device_name

DeviceEvents
//@time
//@where
| summarize RemoteIPCount = count_distinct(RemoteIP) by Timestamp
//@remote_ip_count
| sort by Timestamp desc
//@page
| project Timestamp, RemoteIPCount
`

func TestParseRefusesQueriesThatWouldLoseACondition(t *testing.T) {
	if _, err := parse(wellFormed); err != nil {
		t.Fatalf("well formed: %v", err)
	}
	tests := []struct{ name, old, new, want string }{
		{"no question", "// question: What happened?\n", "", "the head lacks a question, tables or columns"},
		{"no tables", "// tables: DeviceEvents\n", "", "the head lacks a question, tables or columns"},
		{"no columns", "// columns: Timestamp, RemoteIPCount\n", "", "the head lacks a question, tables or columns"},
		{"an empty value", "// device_name: DeviceName", "// device_name:", `head line "// device_name:" is not of the form "// key: value"`},
		{"no key", "// device_name: DeviceName", "// device name", `head line "// device name" is not of the form "// key: value"`},
		{"an unknown key", "// device_name:", "// device:", `head key "device" is unknown`},
		{"a requirement without a column", "requires: device_name", "requires: md5", `the required condition "md5" has no column`},
		{"an unknown condition to ignore", "// requires: device_name", "// ignores: shoe_size\n// requires: device_name", `the ignored condition "shoe_size" is unknown or has a column`},
		{"a condition to ignore that has a column", "// requires: device_name", "// ignores: device_name\n// requires: device_name", `the ignored condition "device_name" is unknown or has a column`},
		{"no time", "//@time\n", "", "the marker //@time is missing"},
		{"no conditions", "//@where\n", "", "the marker //@where appears 0 times instead of once"},
		{"conditions twice", "//@where\n", "//@where\n//@where\n", "the marker //@where appears 2 times instead of once"},
		{"no threshold", "//@remote_ip_count\n", "", "the marker //@remote_ip_count appears 0 times instead of 1"},
		{"a threshold for nothing", "// remote_ip_count: RemoteIPCount\n", "", "the marker //@remote_ip_count appears 1 times instead of 0"},
		{"no page", "//@page\n", "", "the marker //@page appears 0 times instead of once"},
		{"an unknown marker", "//@where\n", "//@where\n//@limit\n", `the line "//@limit" has a marker that is unknown or not alone in its line`},
		{"a marker not alone", "//@time\n", "| take 1 //@time\n", `the line "| take 1 //@time" has a marker that is unknown or not alone in its line`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse(strings.Replace(wellFormed, test.old, test.new, 1))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Whatever the text, a query that is accepted has a place for everything that can be put into it.
func FuzzParse(f *testing.F) {
	f.Add(wellFormed)
	f.Add("// question: a\n// tables: b\n// columns: c\n\n//@time\n//@where\n//@page")
	f.Add("//")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		query, err := parse(text)
		if err != nil {
			return
		}
		const value = "value to find"
		conditions := Conditions{DeviceIDs: []string{value}, Limit: 12345, Page: 2}
		query.lookedUpIn[DeviceID] = []string{"DeviceId"}
		query.Requires = nil
		got, err := query.build(conditions)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{literal(value), "12345"} {
			if !strings.Contains(got, want) {
				t.Errorf("want %s in\n%s", want, got)
			}
		}
	})
}
