package commands

import (
	"fmt"
	"testing"

	"xsoar-defender/defender"
)

// TestASummaryIsBounded counts more products than a summary has names for, in one part and in several. No record is lost, and
// what has a name keeps it: the 20 most frequent products are shown.
func TestASummaryIsBounded(t *testing.T) {
	t.Parallel()
	kind := exportKind{product: []string{"p"}}
	count := func(records int, product string, into *exportSummary) {
		for range records {
			into.count(kind, defender.Record(`{"p":"`+product+`"}`))
		}
	}
	whole := newSummary()
	for part, others := range []int64{10, 20 + 20_000} {
		summary := newSummary()
		count(30, "0-00000", &summary)
		for i := range 20_010 {
			count(1, fmt.Sprintf("%d-%05d", part, i), &summary)
		}
		whole.add(summary)
		rows := whole.rows()
		if len(rows) != 21 {
			t.Fatalf("got %v, want 20 products and the others", rows)
		}
		for at, want := range map[int]summaryRow{0: {"0-00000", 31 + 30*int64(part)}, 20: {"(others)", others}} {
			if rows[at] != want {
				t.Errorf("part %d: got row %d %v, want %v", part, at, rows[at], want)
			}
		}
	}
}
