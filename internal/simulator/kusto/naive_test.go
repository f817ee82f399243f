package kusto

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// sale is a row of a table that is made at random.
type sale struct {
	who    string
	amount int64
	when   time.Time
}

type sales []sale

func (sales) Names() []string { return []string{"Sales"} }

func (s sales) Table(name string) (Table, bool) {
	t := Table{Columns: []Column{{"Who", String}, {"Amount", Long}, {"When", DateTime}}}
	for _, one := range s {
		t.Rows = append(t.Rows, []any{one.who, one.amount, one.when})
	}
	return t, name == "Sales"
}

// TestQueriesAgainstLoops compares queries over random rows with loops that say the same.
func TestQueriesAgainstLoops(t *testing.T) {
	draws := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for range 50 {
		var data sales
		for range draws.IntN(40) {
			data = append(data, sale{
				[]string{"ann", "Ann", "bo", "cy", ""}[draws.IntN(5)], draws.Int64N(20) - 5, begin.Add(time.Duration(draws.IntN(200)) * time.Hour),
			})
		}
		for query, loop := range map[string]func() []string{
			"Sales | where Amount > 3 and Who =~ 'ann' | project Who, Amount": func() (rows []string) {
				for _, s := range data {
					if s.amount > 3 && strings.EqualFold(s.who, "ann") {
						rows = append(rows, fmt.Sprint(s.who, ",", s.amount))
					}
				}
				return rows
			},
			"Sales | summarize sum(Amount), count(), max(When) by Who | sort by Who asc | project Who, sum_Amount, count_, max_When": func() (rows []string) {
				for _, who := range []string{"", "Ann", "ann", "bo", "cy"} {
					total, n, last := int64(0), 0, time.Time{}
					for _, s := range data {
						if s.who == who {
							total, n = total+s.amount, n+1
							if s.when.After(last) {
								last = s.when
							}
						}
					}
					if n > 0 {
						rows = append(rows, fmt.Sprint(who, ",", total, ",", n, ",", Text(last)))
					}
				}
				return rows
			},
			"Sales | join kind=inner (Sales | where Amount < 0) on Who | count": func() []string {
				n := 0
				for _, a := range data {
					for _, b := range data {
						if a.who == b.who && b.amount < 0 {
							n++
						}
					}
				}
				return []string{fmt.Sprint(n)}
			},
			"Sales | join kind=leftanti (Sales | where Amount < 0) on Who | project Who, Amount": func() (rows []string) {
				for _, a := range data {
					if !slices.ContainsFunc(data, func(b sale) bool { return a.who == b.who && b.amount < 0 }) {
						rows = append(rows, fmt.Sprint(a.who, ",", a.amount))
					}
				}
				return rows
			},
			"Sales | summarize dcount(Who), countif(Amount >= 0), min(Amount) by Day = bin(When, 1d) | order by Day asc | project Day, dcount_Who, countif_, min_Amount": func() (rows []string) {
				for day := range 9 {
					start := begin.Add(time.Duration(day) * 24 * time.Hour)
					names, n, some, least := map[string]bool{}, 0, 0, int64(99)
					for _, s := range data {
						if !s.when.Before(start) && s.when.Before(start.Add(24*time.Hour)) {
							names[s.who], least = true, min(least, s.amount)
							some++
							if s.amount >= 0 {
								n++
							}
						}
					}
					if some > 0 {
						rows = append(rows, fmt.Sprint(Text(start), ",", len(names), ",", n, ",", least))
					}
				}
				return rows
			},
			"Sales | top 5 by Amount desc | summarize sum(Amount)": func() []string {
				sorted := slices.Clone(data)
				slices.SortStableFunc(sorted, func(a, b sale) int { return int(b.amount - a.amount) })
				total := int64(0)
				for _, s := range sorted[:min(5, len(sorted))] {
					total += s.amount
				}
				return []string{fmt.Sprint(total)}
			},
			"Sales | extend Kind = case(Amount < 0, 'loss', Amount == 0, 'none', 'gain') | distinct Kind | count": func() []string {
				kinds := map[bool]map[bool]bool{}
				n := 0
				for _, s := range data {
					if kinds[s.amount < 0] == nil {
						kinds[s.amount < 0] = map[bool]bool{}
					}
					if !kinds[s.amount < 0][s.amount == 0] {
						kinds[s.amount < 0][s.amount == 0] = true
						n++
					}
				}
				return []string{fmt.Sprint(n)}
			},
		} {
			got, err := Run(query, begin, data)
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			if text, want := shown(got), strings.Join(loop(), ";"); text != want {
				t.Fatalf("%s over %v:\ngot  %s\nwant %s", query, data, text, want)
			}
		}
	}
}
