package defender

import (
	"fmt"
	"strings"
	"testing"
)

// split returns the filters that a client sends at first.
func split(alternatives ...AnyOf) []Filter {
	var filters []Filter
	for _, part := range pack(alternatives, mostWithIn) {
		filters = append(filters, anyFilter(part))
	}
	return filters
}

// TestSplitKeepsWithinTheLimits counts the filters for many values, and checks that each value is in one of them.
func TestSplitKeepsWithinTheLimits(t *testing.T) {
	machine := func(i int) string { return fmt.Sprintf("%040x", i) }
	action := func(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i) }
	name := func(i int) string { return fmt.Sprintf("ws-%04d.contoso.example", i) }
	hostile := func(i int) string { return fmt.Sprintf("o'brien & söhne %d", i) }
	for _, test := range []struct {
		name   string
		value  func(int) string
		number int
		most   int
	}{
		{"one machine", machine, 1, 1},
		{"twenty machines", machine, 20, 1},
		{"300 machines", machine, 300, 8},
		{"500 machines", machine, 500, 12},
		{"300 actions", action, 300, 8},
		{"1000 actions", action, 1000, 23},
		{"500 names", name, 500, 12},
		{"100 names to be escaped", hostile, 100, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := make([]string, test.number)
			for i := range values {
				values[i] = test.value(i)
			}
			filters := split(AnyOf{"id", append(values, values...)})
			if len(filters) > test.most {
				t.Errorf("got %d filters, want at most %d", len(filters), test.most)
			}
			sent := ""
			for _, filter := range filters {
				if length := len(encodeOption(filter.String())); length > longestFilter {
					t.Errorf("got a filter of %d characters, want at most %d", length, longestFilter)
				}
				if alternatives := strings.Count(filter.String(), " or "); alternatives >= mostWithOr {
					t.Errorf("got %d alternatives, want at most %d", alternatives+1, mostWithOr)
				}
				sent += filter.String() + "\n"
			}
			for _, value := range values {
				if got := strings.Count(sent, quote(value)); got != 1 {
					t.Errorf("got %s %d times, want once", value, got)
				}
			}
		})
	}
}

func TestSplitJoinsProperties(t *testing.T) {
	got := fmt.Sprint(split(AnyOf{"id", []string{"1", "2"}}, AnyOf{"computerDnsName", nil}, AnyOf{"lastIpAddress", []string{"10.0.0.1"}}))
	if want := "[(id eq '1' or id eq '2') or lastIpAddress eq '10.0.0.1']"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	got = fmt.Sprint(split(AnyOf{"id", many}, AnyOf{"lastIpAddress", []string{"10.0.0.1"}}))
	if want := "[id in ('0','1',"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "'20') or lastIpAddress in ('10.0.0.1')]") {
		t.Errorf("got %s, want one filter with in", got)
	}
	if filters := split(); len(filters) > 0 {
		t.Errorf("got %v, want no filters", filters)
	}
}

// FuzzSplit checks that no value breaks a filter, or makes it longer than the limit unless the value alone is.
func FuzzSplit(f *testing.F) {
	f.Add("a", 3)
	f.Add("'%&,", 200)
	f.Fuzz(func(t *testing.T, value string, times int) {
		values := make([]string, max(0, min(times, 300)))
		for i := range values {
			values[i] = fmt.Sprint(value, i)
		}
		for _, filter := range split(AnyOf{"id", values}, AnyOf{"name", values}) {
			length := len(encodeOption(filter.String()))
			if alone := len(encodeOption(quote(value))); length > longestFilter && alone < 200 {
				t.Fatalf("got a filter of %d characters, want at most %d", length, longestFilter)
			}
		}
	})
}
