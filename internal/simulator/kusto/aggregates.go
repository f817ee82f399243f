package kusto

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// aggregate is a function of a group of rows.
type aggregate struct {
	min, max int
	// prefix of the name of the column; the first argument's name follows.
	prefix string
	result func(a []expression) Type
	// condition is the place of the argument that chooses rows, or -1.
	condition int
	call      func(values []any, a []expression) any
}

func always(t Type) func([]expression) Type { return func([]expression) Type { return t } }

// summed is the type of a sum: int becomes long.
func summed(a []expression) Type {
	if a[0].typ == Int || a[0].typ == Dynamic {
		return Long
	}
	return a[0].typ
}

// averaged is the type of an average: numbers become real.
func averaged(a []expression) Type {
	if a[0].typ.numeric() || a[0].typ == Dynamic {
		return Real
	}
	return a[0].typ
}

// aggregates are the functions of a group of rows that are carried out. count, arg_max, arg_min, take_any and percentiles have a shape
// of their own, and only their numbers of arguments here, if these are fixed.
func aggregates() map[string]aggregate {
	count := func(values []any, _ []expression) any { return int64(len(values)) }
	different := func(values []any, _ []expression) any { return int64(len(distinctValues(values))) }
	list := func(values []any, a []expression) any { return limited(slices.Clone(values), a) }
	set := func(values []any, a []expression) any {
		var flat []any
		for _, v := range values {
			if items, ok := v.([]any); ok {
				flat = append(flat, items...)
				continue
			}
			flat = append(flat, v)
		}
		return limited(distinctValues(flat), a)
	}
	least := func(values []any, _ []expression) any { return extreme(values, false) }
	most := func(values []any, _ []expression) any { return extreme(values, true) }
	bag := func(values []any, a []expression) any {
		merged, size := map[string]any{}, limitOf(a)
		for _, v := range values {
			properties, _ := v.(map[string]any)
			for _, name := range sortedNames(properties) {
				if _, taken := merged[name]; !taken && len(merged) < size {
					merged[name] = properties[name]
				}
			}
		}
		return merged
	}
	deviation := func(values []any, _ []expression) any { return math.Sqrt(varianceOf(floats(values))) }
	variance := func(values []any, _ []expression) any { return varianceOf(floats(values)) }
	return map[string]aggregate{
		"count":            {},
		"countif":          {1, 1, "countif", always(Long), 0, count},
		"dcount":           {1, 2, "dcount", always(Long), -1, different},
		"dcountif":         {2, 3, "dcountif", always(Long), 1, different},
		"count_distinct":   {1, 1, "count_distinct", always(Long), -1, different},
		"count_distinctif": {2, 2, "count_distinctif", always(Long), 1, different},
		"sum":              {1, 1, "sum", summed, -1, sum},
		"sumif":            {2, 2, "sumif", summed, 1, sum},
		"avg":              {1, 1, "avg", averaged, -1, average},
		"avgif":            {2, 2, "avgif", averaged, 1, average},
		"min":              {1, 1, "min", ofFirst, -1, least},
		"max":              {1, 1, "max", ofFirst, -1, most},
		"minif":            {2, 2, "minif", ofFirst, 1, least},
		"maxif":            {2, 2, "maxif", ofFirst, 1, most},
		"stdev":            {1, 1, "stdev", always(Real), -1, deviation},
		"stdevif":          {2, 2, "stdevif", always(Real), 1, deviation},
		"variance":         {1, 1, "variance", always(Real), -1, variance},
		"varianceif":       {2, 2, "varianceif", always(Real), 1, variance},
		"make_set":         {1, 2, "set", always(Dynamic), -1, set},
		"makeset":          {1, 2, "set", always(Dynamic), -1, set},
		"make_set_if":      {2, 3, "set", always(Dynamic), 1, set},
		"make_list":        {1, 2, "list", always(Dynamic), -1, list},
		"makelist":         {1, 2, "list", always(Dynamic), -1, list},
		"make_list_if":     {2, 3, "list", always(Dynamic), 1, list},
		"make_bag":         {1, 2, "bag", always(Dynamic), -1, bag},
		"make_bag_if":      {2, 3, "bag", always(Dynamic), 1, bag},
		"percentile":       {min: 2, max: 2},
		"percentiles":      {min: 2, max: -1},
		"arg_max":          {},
		"arg_min":          {},
		"take_any":         {},
		"any":              {},
	}
}

func floats(values []any) []float64 {
	var numbers []float64
	for _, v := range values {
		if f, ok := toFloat(v); ok {
			numbers = append(numbers, f)
		}
	}
	return numbers
}

func sum(values []any, a []expression) any {
	total := zeroSum(a[0].typ)
	for _, v := range values {
		if next := calculate("+", total, v); next != nil {
			total = next
		}
	}
	return total
}

func zeroSum(t Type) any {
	switch t {
	case Real:
		return 0.0
	case TimeSpan:
		return time.Duration(0)
	}
	return int64(0)
}

func average(values []any, a []expression) any {
	switch first := argument(values, 0).(type) {
	case time.Duration:
		total, _ := sum(values, a).(time.Duration)
		return total / time.Duration(len(values))
	case time.Time:
		var total time.Duration
		for _, v := range values {
			if t, ok := v.(time.Time); ok {
				total += t.Sub(first) / time.Duration(len(values))
			}
		}
		return first.Add(total)
	}
	if averaged(a) != Real {
		return nil
	}
	total, numbers := 0.0, floats(values)
	for _, f := range numbers {
		total += f
	}
	return total / float64(len(numbers)) // NaN of none
}

// limited cuts a list to the size in the last argument, if it is one.
func limited(values []any, a []expression) any {
	if values == nil {
		values = []any{}
	}
	return values[:min(len(values), limitOf(a))]
}

// limitOf returns the largest number of elements that the last argument allows, which is MaxRows without one.
func limitOf(a []expression) int {
	last := a[len(a)-1]
	if n, ok := last.eval(&frame{}).(int64); ok && len(a) > 1 && last.constant && n >= 0 {
		return int(min(n, MaxRows))
	}
	return MaxRows
}

// aggregate reads the arguments of a function of a group.
func (p *parser) aggregate(name string, made aggregate) (expression, error) {
	p.inside = true
	defer func() { p.inside = false }()
	if name == "arg_max" || name == "arg_min" || name == "take_any" || name == "any" {
		return p.choosing(name)
	}
	a, err := p.arguments()
	if err != nil {
		return expression{}, err
	}
	if len(a) < made.min || made.max >= 0 && len(a) > made.max {
		return expression{}, wrongNumber(name, len(a))
	}
	if name == "count" {
		return expression{typ: Long, name: "count_", eval: func(f *frame) any { return int64(len(f.rows)) }}, nil
	}
	if strings.HasPrefix(name, "percentile") {
		return percentiles(name, a)
	}
	if numeric := strings.TrimSuffix(name, "if"); slices.Contains([]string{"sum", "avg", "stdev", "variance"}, numeric) {
		if t := a[0].typ; t == String || t == Bool || t == GUID || numeric != "avg" && t == DateTime {
			return expression{}, fmt.Errorf("the function '%s' does not take a value of type %s", name, t)
		}
	}
	if made.condition >= 0 && a[made.condition].typ != Bool && a[made.condition].typ != Dynamic {
		return expression{}, fmt.Errorf("the function '%s' does not take a condition of type %s", name, a[made.condition].typ)
	}
	label := made.prefix + "_"
	if made.condition != 0 {
		label += a[0].name
	}
	return expression{typ: made.result(a), name: label, eval: func(f *frame) any { return made.call(made.values(f, a), a) }}, nil
}

// values returns the values of the group that the condition chooses, without null.
func (made aggregate) values(f *frame, a []expression) []any {
	var values []any
	for i, row := range f.rows {
		at := &frame{row: row, index: i, rows: f.rows}
		if made.condition >= 0 && a[made.condition].eval(at) != true {
			continue
		}
		if v := a[0].eval(at); v != nil {
			values = append(values, v)
		}
	}
	return values
}

// percentiles are computed by nearest rank.
func percentiles(name string, a []expression) (expression, error) {
	at := func(values []any, rank float64) any {
		if len(values) == 0 {
			return nil
		}
		place := int(math.Ceil(rank/100*float64(len(values)))) - 1
		return values[min(max(0, place), len(values)-1)]
	}
	collect := func(f *frame) []any {
		var values []any
		for i, row := range f.rows {
			if v := a[0].eval(&frame{row: row, index: i, rows: f.rows}); v != nil {
				values = append(values, v)
			}
		}
		slices.SortStableFunc(values, sorting)
		return values
	}
	typ := a[0].typ
	if typ == Int {
		typ = Long
	}
	var all []namedExpression
	for _, one := range a[1:] {
		rank, ok := toFloat(one.eval(&frame{}))
		if !ok || !one.constant {
			return expression{}, fmt.Errorf("the function '%s' takes numbers that are written out", name)
		}
		label := strings.ReplaceAll(fmt.Sprintf("percentile_%s_%v", a[0].name, rank), ".", "_")
		all = append(all, namedExpression{name: label, value: expression{typ: typ, eval: func(f *frame) any { return at(collect(f), rank) }}})
	}
	if len(all) == 1 {
		made := all[0].value
		made.name = all[0].name
		return made, nil
	}
	return severally(all), nil
}

// choosing reads arg_max, arg_min and take_any, which choose a row of the group.
func (p *parser) choosing(name string) (expression, error) {
	a, err := p.choices(name)
	if err != nil {
		return expression{}, err
	}
	chosen := chooser(a[0].value, map[string]func(order int) bool{
		"arg_max": func(order int) bool { return order > 0 },
		"arg_min": func(order int) bool { return order < 0 },
	}[name])
	for i := range a {
		eval, typ := a[i].value.eval, a[i].value.typ
		a[i].value.eval = func(f *frame) any {
			if row := chosen(f); row != nil {
				return eval(&frame{row: row})
			}
			return zero(typ)
		}
	}
	if name == "any" {
		for i := range a {
			a[i].name = "any_" + a[i].name
		}
	}
	if len(a) == 1 {
		made := a[0].value
		made.name, made.column = a[0].name, ""
		return made, nil
	}
	return severally(a), nil
}

// choices reads the arguments of a function that chooses a row: what it chooses by, and what is taken of the row.
func (p *parser) choices(name string) ([]namedExpression, error) {
	var a []namedExpression
	err := p.listed(func(int) error {
		if p.take("*") {
			a = append(a, p.otherColumns(a)...)
			return nil
		}
		e, err := p.expression()
		a = append(a, namedExpression{name: cmp.Or(e.name, nameless(name, a)), value: e})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(a) == 0 {
		return nil, fmt.Errorf("the function '%s' lacks an argument", name)
	}
	return a, nil
}

// chooser returns a function that chooses the row of a group whose value is better than that of any other, by the order of the two,
// or without a better the first row that has a value, also not an empty text. Null is never chosen while another row has a value.
func chooser(by expression, better func(order int) bool) func(*frame) []any {
	return func(f *frame) []any {
		var best []any
		var bestValue any
		for i, row := range f.rows {
			v := by.eval(&frame{row: row, index: i, rows: f.rows})
			if v == "" && better == nil {
				v = nil
			}
			order, ok := compare(v, bestValue)
			if best == nil || v != nil && bestValue == nil || ok && better != nil && better(order) {
				best, bestValue = row, v
			}
		}
		return best
	}
}

// nameless returns the name of an argument of a function that chooses a row, where the argument has none of its own.
func nameless(function string, before []namedExpression) string {
	prefix, found := strings.CutPrefix(function, "arg_")
	switch {
	case !found:
		return fmt.Sprint("any_arg", len(before))
	case len(before) == 0:
		return prefix + "_"
	}
	return fmt.Sprint(prefix, "_", before[0].name, "_arg", len(before))
}

// otherColumns returns the columns that are not named yet.
func (p *parser) otherColumns(named []namedExpression) []namedExpression {
	var others []namedExpression
	for i, c := range p.current.Columns {
		if !slices.ContainsFunc(named, func(n namedExpression) bool { return n.name == c.Name }) {
			others = append(others, namedExpression{c.Name, columnExpression(c, i), true})
		}
	}
	return others
}
