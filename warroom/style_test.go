package warroom_test

import (
	"strings"
	"testing"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func TestStylesOfValues(t *testing.T) {
	long := strings.Repeat("é", 12)
	for _, row := range []struct {
		name, value, want string
		style             warroom.Style
	}{
		{"no style", "2026-11-25T10:00:05.1234567Z", "2026-11-25T10:00:05.1234567Z", warroom.Style{}},
		{"seven digits of a second", "2026-11-25T10:00:05.1234567Z", "2026-11-25 10:00:05 UTC", warroom.Style{Times: true}},
		{"milliseconds of an event", "2026-11-25T10:00:05.1234567Z", "2026-11-25 10:00:05.123 UTC", warroom.Style{Times: true, Fractions: true}},
		{"an event on the second", "2026-11-25T10:00:05Z", "2026-11-25 10:00:05 UTC", warroom.Style{Times: true, Fractions: true}},
		{"another zone", "2026-11-25T12:00:05+02:00", "2026-11-25 10:00:05 UTC", warroom.Style{Times: true}},
		{"not a time", "2026-11-25Tomorrow: it rains", "2026-11-25Tomorrow: it rains", warroom.Style{Times: true}},
		{"a size", "5242880", "5.0 MiB (5242880 bytes)", warroom.Style{Bytes: []string{"a"}}},
		{"the size of nothing", "0", "0 bytes", warroom.Style{Bytes: []string{"a"}}},
		{"a size in bytes", "1023", "1023 bytes", warroom.Style{Bytes: []string{"a"}}},
		{"a size of one unit", "1024", "1.0 KiB (1024 bytes)", warroom.Style{Bytes: []string{"a"}}},
		{"less than nothing", "-1", "-1", warroom.Style{Bytes: []string{"a"}}},
		{"a small size", "1", "1 byte", warroom.Style{Bytes: []string{"a"}}},
		{"no size", "unknown", "unknown", warroom.Style{Bytes: []string{"a"}}},
		{"a long value", long, strings.Repeat("é", 10) + "… (2 more characters)", warroom.Style{Most: 10}},
		{"a value that fits", long, long, warroom.Style{Most: 12}},
		{"a page", "da1 (x)|y", `[da1 (x)\|y](https://portal.example/alerts/da1%20%28x%29%7Cy)`, warroom.Style{Portal: "https://portal.example", Pages: map[string]string{"a": "/alerts/{}"}}},
		{"a page without a portal", "da1", "da1", warroom.Style{Pages: map[string]string{"a": "/alerts/{}"}}},
		{"a page of another column", "da1", "da1", warroom.Style{Portal: "https://portal.example", Pages: map[string]string{"b": "/alerts/{}"}}},
		{"what leaves the link", "a](javascript:x)", `[a\]\(javascript:x)](https://portal.example/x/a%5D%28javascript:x%29)`, warroom.Style{Portal: "https://portal.example", Pages: map[string]string{"a": "/x/{}"}}},
	} {
		records := objects(string(rawjson.Make(map[string]string{"a": row.value})))
		got := markdown(warroom.Table{Columns: []string{"a"}, Records: records, Style: row.style})
		if want := "\n| " + row.want + " |\n"; !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %q, want the row %q", row.name, got, want)
		}
	}
}
