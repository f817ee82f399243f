package kusto

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// function is a function of values.
type function struct {
	// takes has a letter for the type of each argument, of which the last one means all that follow: (a)ny, te(x)t, (n)umber,
	// (d)atetime, time(s)pan, d(y)namic, (b)ool.
	takes string
	// min and max are the numbers of arguments; a max of -1 means no limit.
	min, max int
	// result is the type of the value; typ computes it where it depends on the arguments.
	result Type
	typ    func(a []expression) Type
	// named reports whether the column of the value has the name of the first argument.
	named bool
	call  func(now time.Time, a []any) any
}

// typeLetters are the letters of function.takes for types.
func typeLetters() map[Type]string {
	return map[Type]string{
		String: "xa", GUID: "xa", Long: "na", Int: "na", Real: "na", DateTime: "da", TimeSpan: "sa", Dynamic: "axndsyb", Bool: "ba",
	}
}

// apply makes an expression of a function and its arguments.
func (p *parser) apply(name string, f function, a []expression) (expression, error) {
	if len(a) < f.min || f.max >= 0 && len(a) > f.max {
		return expression{}, fmt.Errorf("the function '%s' does not take %d arguments", name, len(a))
	}
	letters := typeLetters()
	made := expression{typ: f.result, constant: true}
	for i, one := range a {
		made.constant = made.constant && one.constant
		if f.takes == "" {
			continue
		}
		wanted := f.takes[min(i, len(f.takes)-1):][:1]
		if !strings.Contains(letters[one.typ], wanted) {
			return expression{}, fmt.Errorf("the function '%s' does not take a value of type %s as argument %d", name, one.typ, i+1)
		}
	}
	if f.typ != nil {
		made.typ = f.typ(a)
	}
	if f.named && len(a) > 0 {
		made.name = a[0].name
	}
	if window, ok := windows()[name]; ok {
		if !p.current.ordered {
			return expression{}, fmt.Errorf("the function '%s' needs rows in order; use sort or serialize first", name)
		}
		made.constant = false
		made.eval = window(a)
		return made, nil
	}
	if checked := checkConstant(name, a); checked != nil {
		return expression{}, checked
	}
	now := p.run.now
	made.eval = func(fr *frame) any {
		values := make([]any, len(a))
		for i := range a {
			values[i] = a[i].eval(fr)
		}
		return f.call(now, values)
	}
	if made.constant {
		value := made.eval(&frame{})
		made.eval = func(*frame) any { return value }
	}
	return made, nil
}

// checkConstant looks at regular expressions that are written out.
func checkConstant(name string, a []expression) error {
	place := map[string]int{"extract": 0, "extract_all": 0, "replace_regex": 1, "replace": 0, "trim": 0, "trim_start": 0, "trim_end": 0}
	i, has := place[name]
	if !has || i >= len(a) || !a[i].constant {
		return nil
	}
	_, err := patternOf(a[i])
	return err
}

func ofFirst(a []expression) Type { return a[0].typ }

// ofAny returns the type of a value that is one of the arguments.
func ofAny(a []expression) Type {
	typ := Dynamic
	for _, one := range a {
		switch {
		case typ == Dynamic || typ == one.typ:
			typ = one.typ
		case typ.numeric() && one.typ.numeric():
			typ = widest(typ, one.typ)
		case one.typ != Dynamic:
			return Dynamic
		}
	}
	return typ
}

func widest(a, b Type) Type {
	if a == Real || b == Real {
		return Real
	}
	if a == Long || b == Long {
		return Long
	}
	return Int
}

// chosenType returns the type of iff and case: of what may be chosen.
func chosenType(a []expression) Type {
	var choices []expression
	for i := 1; i < len(a); i += 2 {
		choices = append(choices, a[i])
	}
	return ofAny(append(choices, a[len(a)-1]))
}

// functions are the functions of values that are carried out.
func functions() map[string]function {
	all := map[string]function{}
	for _, some := range []map[string]function{logic(), conversions(), texts(), numbers(), times(), dynamics(), addresses(), window()} {
		maps.Copy(all, some)
	}
	return all
}

func logic() map[string]function {
	empty := func(v any) bool { return v == nil || v == "" }
	list := map[string]function{
		"not": {takes: "b", min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any {
			if a[0] == nil {
				return nil
			}
			return a[0] == false
		}},
		"isempty":    {min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any { return empty(a[0]) }},
		"isnotempty": {min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any { return !empty(a[0]) }},
		"isnull":     {min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any { return a[0] == nil }},
		"isnotnull":  {min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any { return a[0] != nil }},
		"iff":        {takes: "baa", min: 3, max: 3, typ: chosenType, call: chosen},
		"case":       {min: 3, max: -1, typ: chosenType, call: chosen},
		"coalesce": {min: 2, max: -1, typ: ofAny, call: func(_ time.Time, a []any) any {
			for _, v := range a {
				if !empty(v) {
					return v
				}
			}
			return a[len(a)-1]
		}},
	}
	list["notempty"], list["notnull"], list["iif"] = list["isnotempty"], list["isnotnull"], list["iff"]
	return list
}

// chosen returns the value after the first condition that holds, or the last one.
func chosen(_ time.Time, a []any) any {
	for i := 0; i+1 < len(a); i += 2 {
		if a[i] == true {
			return a[i+1]
		}
	}
	return a[len(a)-1]
}

func conversions() map[string]function {
	to := func(typ Type) function {
		return function{min: 1, max: 1, result: typ, named: true, call: func(_ time.Time, a []any) any { return convert(a[0], typ) }}
	}
	parse := function{min: 1, max: 1, result: Dynamic, named: true, call: func(_ time.Time, a []any) any {
		text, ok := a[0].(string)
		if !ok {
			return a[0]
		}
		if value, ok := parseJSON(text); ok {
			return value
		}
		if text == "" {
			return nil
		}
		return text
	}}
	return map[string]function{
		"tostring": to(String), "tolong": to(Long), "toint": to(Int), "todouble": to(Real), "toreal": to(Real), "tobool": to(Bool),
		"toboolean": to(Bool), "todatetime": to(DateTime), "totimespan": to(TimeSpan),
		"parse_json": parse, "todynamic": parse, "toobject": parse,
		"toguid": {takes: "x", min: 1, max: 1, result: GUID, named: true, call: func(_ time.Time, a []any) any {
			if text := Text(a[0]); isGUID(text) {
				return strings.ToLower(text)
			}
			return nil
		}},
		"tohex": {takes: "n", min: 1, max: 2, result: String, call: func(_ time.Time, a []any) any {
			n, ok := a[0].(int64)
			if !ok {
				return ""
			}
			text := fmt.Sprintf("%x", uint64(n))
			if width, ok := argument(a, 1).(int64); ok && width < 1000 {
				text = strings.Repeat("0", max(0, int(width)-len(text))) + text
			}
			return text
		}},
		"gettype": {min: 1, max: 1, result: String, call: func(_ time.Time, a []any) any {
			switch a[0].(type) {
			case nil:
				return "null"
			case []any:
				return "array"
			case map[string]any:
				return "dictionary"
			}
			return string(typeOf(a[0]))
		}},
	}
}

// argument returns the value at a place, or null if it is missing.
func argument(a []any, i int) any {
	if i >= len(a) {
		return nil
	}
	return a[i]
}

func numbers() map[string]function {
	all := map[string]function{}
	for _, some := range []map[string]function{rounding(), arithmetic(), bitwise()} {
		maps.Copy(all, some)
	}
	return all
}

func rounding() map[string]function {
	rounded := function{min: 2, max: 2, typ: ofFirst, named: true, call: func(_ time.Time, a []any) any { return bin(a[0], a[1], nil) }}
	return map[string]function{
		"bin": rounded, "floor": rounded,
		"bin_at": {min: 3, max: 3, typ: ofFirst, named: true, call: func(_ time.Time, a []any) any { return bin(a[0], a[1], a[2]) }},
		"abs": {takes: "a", min: 1, max: 1, typ: ofFirst, call: func(_ time.Time, a []any) any {
			if order, ok := compare(a[0], zeroOf(a[0])); ok && order < 0 {
				return negate(a[0])
			}
			return a[0]
		}},
		"round": {takes: "n", min: 1, max: 2, result: Real, call: func(_ time.Time, a []any) any {
			x, ok := toFloat(a[0])
			digits, _ := argument(a, 1).(int64)
			if !ok || digits < -300 || digits > 300 {
				return nil
			}
			scale := math.Pow(10, float64(digits))
			return math.Round(x*scale) / scale
		}},
		"ceiling": ofReal(math.Ceil), "sqrt": ofReal(math.Sqrt), "exp": ofReal(math.Exp), "log": ofReal(math.Log), "log10": ofReal(math.Log10), "log2": ofReal(math.Log2),
	}
}

func arithmetic() map[string]function {
	return map[string]function{
		"sign": {takes: "n", min: 1, max: 1, result: Long, call: func(_ time.Time, a []any) any {
			x, ok := toFloat(a[0])
			if !ok {
				return nil
			}
			return asInt(x > 0) - asInt(x < 0)
		}},
		"pow": {takes: "n", min: 2, max: 2, result: Real, call: func(_ time.Time, a []any) any {
			x, ok1 := toFloat(a[0])
			y, ok2 := toFloat(a[1])
			if !ok1 || !ok2 {
				return nil
			}
			return math.Pow(x, y)
		}},
		"pi":     {min: 0, max: 0, result: Real, call: func(time.Time, []any) any { return math.Pi }},
		"isnan":  checkNumber(math.IsNaN),
		"isinf":  checkNumber(func(x float64) bool { return math.IsInf(x, 0) }),
		"min_of": extremeOf(-1), "max_of": extremeOf(1),
	}
}

func bitwise() map[string]function {
	return map[string]function{
		"isfinite":   checkNumber(func(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }),
		"binary_and": ofBits(func(x, y int64) int64 { return x & y }), "binary_or": ofBits(func(x, y int64) int64 { return x | y }),
		"binary_xor":         ofBits(func(x, y int64) int64 { return x ^ y }),
		"binary_shift_left":  ofBits(func(x, y int64) int64 { return x << (uint64(y) % 64) }),
		"binary_shift_right": ofBits(func(x, y int64) int64 { return x >> (uint64(y) % 64) }),
		"binary_not": {takes: "n", min: 1, max: 1, result: Long, call: func(_ time.Time, a []any) any {
			if x, ok := a[0].(int64); ok {
				return ^x
			}
			return nil
		}},
	}
}

// ofReal returns a function of a number.
func ofReal(f func(float64) float64) function {
	return function{takes: "n", min: 1, max: 1, result: Real, call: func(_ time.Time, a []any) any {
		if x, ok := toFloat(a[0]); ok {
			return f(x)
		}
		return nil
	}}
}

// ofBits returns a function of the bits of two whole numbers.
func ofBits(f func(x, y int64) int64) function {
	return function{takes: "n", min: 2, max: 2, result: Long, call: func(_ time.Time, a []any) any {
		x, ok1 := a[0].(int64)
		y, ok2 := a[1].(int64)
		if !ok1 || !ok2 {
			return nil
		}
		return f(x, y)
	}}
}

// extremeOf returns the function that finds the largest (1) or the smallest (-1) of its arguments.
func extremeOf(sign int) function {
	return function{min: 2, max: -1, typ: ofAny, call: func(_ time.Time, a []any) any {
		var best any
		for _, v := range a {
			if v == nil {
				continue
			}
			if order, ok := compare(v, best); best == nil || ok && order*sign > 0 {
				best = v
			}
		}
		return best
	}}
}

// checkNumber returns a function that asks something of a number.
func checkNumber(f func(float64) bool) function {
	return function{takes: "n", min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any {
		x, ok := toFloat(a[0])
		return ok && f(x)
	}}
}

// zeroOf returns the zero of a value's type.
func zeroOf(v any) any {
	switch v.(type) {
	case time.Duration:
		return time.Duration(0)
	case float64:
		return float64(0)
	}
	return int64(0)
}

// bin rounds a value down to a multiple of a step, counted from a point, or from zero.
func bin(v, step, from any) any {
	switch v := v.(type) {
	case time.Time:
		span, ok := step.(time.Duration)
		if !ok || span <= 0 {
			return nil
		}
		start := time.Time{} // the year 1, where the language counts from
		if at, ok := from.(time.Time); ok {
			start = at
		}
		return v.Add(-modulo(ticksBetween(start, v), int64(span/tick)))
	case time.Duration:
		span, ok := step.(time.Duration)
		if !ok || span <= 0 {
			return nil
		}
		start, _ := from.(time.Duration)
		return v - modulo(int64((v-start)/tick), int64(span/tick))
	case int64:
		if n, ok := step.(int64); ok {
			if n <= 0 {
				return nil
			}
			start, _ := from.(int64)
			return v - (((v-start)%n)+n)%n
		}
	}
	x, ok1 := toFloat(v)
	width, ok2 := toFloat(step)
	if !ok1 || !ok2 || width <= 0 {
		return nil
	}
	start, _ := toFloat(from)
	return start + math.Floor((x-start)/width)*width
}

// ticksBetween counts steps of 100 ns, since a Duration cannot hold the time since the year 1.
func ticksBetween(from, to time.Time) int64 {
	return (to.Unix()-from.Unix())*int64(time.Second/tick) + int64((to.Nanosecond()-from.Nanosecond())/int(tick))
}

func modulo(ticks, span int64) time.Duration {
	if span == 0 {
		return 0
	}
	return time.Duration(((ticks%span)+span)%span) * tick
}

// window are the functions that look at other rows, without what they do.
func window() map[string]function {
	return map[string]function{
		"row_number": {takes: "na", min: 0, max: 2, result: Long},
		"prev":       {min: 1, max: 3, typ: ofFirst},
		"next":       {min: 1, max: 3, typ: ofFirst},
		"row_cumsum": {takes: "nb", min: 1, max: 2, typ: ofFirst},
	}
}

// windows returns the functions that look at other rows.
func windows() map[string]func(a []expression) func(*frame) any {
	return map[string]func(a []expression) func(*frame) any{
		"row_number": rowNumber, "prev": neighborBy(-1), "next": neighborBy(1), "row_cumsum": runningSum,
	}
}

// neighborBy returns the function that looks at a row before (-1) or after (1) the current one.
func neighborBy(direction int) func(a []expression) func(*frame) any {
	return func(a []expression) func(*frame) any {
		return func(f *frame) any {
			offset := 1
			if len(a) > 1 {
				n, _ := a[1].eval(f).(int64)
				offset = int(n)
			}
			i := f.index + direction*offset
			if i >= 0 && i < len(f.rows) {
				return a[0].eval(f.at(i))
			}
			if len(a) > 2 {
				return a[2].eval(f)
			}
			return zero(a[0].typ)
		}
	}
}

// at returns the frame of another row.
func (f *frame) at(i int) *frame { return &frame{row: f.rows[i], index: i, rows: f.rows} }

// rowNumber counts rows from a start, and again where a condition holds.
func rowNumber(a []expression) func(*frame) any {
	return func(f *frame) any {
		start := int64(1)
		if len(a) > 0 {
			start, _ = a[0].eval(f).(int64)
		}
		if len(a) < 2 {
			return start + int64(f.index)
		}
		n := start
		for i := 1; i <= f.index; i++ {
			n++
			if a[1].eval(f.at(i)) == true {
				n = start
			}
		}
		return n
	}
}

// runningSum adds up values, and again where a condition holds.
func runningSum(a []expression) func(*frame) any {
	return func(f *frame) any {
		var sum any
		for i := range f.index + 1 {
			if len(a) > 1 && a[1].eval(f.at(i)) == true {
				sum = nil
			}
			v := a[0].eval(f.at(i))
			switch {
			case sum == nil:
				sum = v
			case v != nil:
				sum = calculate("+", sum, v)
			}
		}
		return sum
	}
}

// mapped applies a function to every item of a list.
func mapped(list []any, f func(any) any) []any {
	made := make([]any, len(list))
	for i, v := range list {
		made[i] = f(v)
	}
	return made
}

// dynamics are the functions of lists and bags.
func dynamics() map[string]function {
	all := map[string]function{}
	for _, some := range []map[string]function{lists(), moreLists(), bags(), sets(), seriesFunctions()} {
		maps.Copy(all, some)
	}
	return all
}

func lists() map[string]function {
	return map[string]function{
		"array_length": {takes: "y", min: 1, max: 1, result: Long, call: func(_ time.Time, a []any) any {
			if list, ok := a[0].([]any); ok {
				return int64(len(list))
			}
			return nil
		}},
		"array_sort_asc": sortedBy(1), "array_sort_desc": sortedBy(-1),
		"array_slice": {takes: "yn", min: 3, max: 3, result: Dynamic, call: func(_ time.Time, a []any) any { return sliced(a) }},
		"array_concat": {takes: "y", min: 1, max: -1, result: Dynamic, call: func(_ time.Time, a []any) any {
			all := []any{}
			for _, v := range a {
				list, ok := v.([]any)
				if !ok {
					return nil
				}
				all = append(all, list...)
			}
			return all
		}},
	}
}

func moreLists() map[string]function {
	return map[string]function{
		"array_index_of": {takes: "yan", min: 2, max: 5, result: Long, call: func(_ time.Time, a []any) any {
			list, ok := a[0].([]any)
			if !ok {
				return nil
			}
			return place(len(list), 1, a[2:], func(i int) bool { return key(list[i]) == key(a[1]) })
		}},
		"array_reverse": {takes: "y", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any {
			list, ok := a[0].([]any)
			if !ok {
				return nil
			}
			list = slices.Clone(list)
			slices.Reverse(list)
			return list
		}},
		"array_sum": {takes: "y", min: 1, max: 1, result: Real, call: func(_ time.Time, a []any) any {
			list, ok := a[0].([]any)
			if !ok {
				return nil
			}
			sum := 0.0
			for _, v := range list {
				f, ok := toFloat(v)
				if !ok {
					return nil
				}
				sum += f
			}
			return sum
		}},
	}
}

func bags() map[string]function {
	pack := function{min: 0, max: -1, result: Dynamic, call: func(_ time.Time, a []any) any {
		bag := map[string]any{}
		for i := 0; i+1 < len(a); i += 2 {
			bag[Text(a[i])] = a[i+1]
		}
		return bag
	}}
	return map[string]function{
		"pack_array": {min: 1, max: -1, result: Dynamic, call: func(_ time.Time, a []any) any { return slices.Clone(a) }},
		"pack":       pack, "bag_pack": pack,
		"bag_keys": {takes: "y", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any {
			bag, ok := a[0].(map[string]any)
			if !ok {
				return nil
			}
			names := []any{}
			for _, name := range sortedNames(bag) {
				names = append(names, name)
			}
			return names
		}},
		"bag_has_key": {takes: "yx", min: 2, max: 2, result: Bool, call: func(_ time.Time, a []any) any {
			bag, ok := a[0].(map[string]any)
			_, has := bag[Text(a[1])]
			return ok && has
		}},
		"bag_merge": {takes: "y", min: 2, max: -1, result: Dynamic, call: func(_ time.Time, a []any) any {
			merged := map[string]any{}
			for _, v := range slices.Backward(a) { // the first one to have a name keeps it
				bag, _ := v.(map[string]any)
				maps.Copy(merged, bag)
			}
			return merged
		}},
		"bag_remove_keys": {takes: "y", min: 2, max: 2, result: Dynamic, call: func(_ time.Time, a []any) any {
			bag, ok := a[0].(map[string]any)
			names, _ := a[1].([]any)
			if !ok {
				return nil
			}
			left := map[string]any{}
			for name, value := range bag {
				if !holdsValue(names, name) {
					left[name] = value
				}
			}
			return left
		}},
		"dynamic_to_json": {takes: "y", min: 1, max: 1, result: String, call: func(_ time.Time, a []any) any { return jsonText(a[0]) }},
	}
}

func sets() map[string]function {
	return map[string]function{
		"set_union": ofSets(func(s [][]any) []any { return slices.Concat(s...) }),
		"set_intersect": ofSets(func(s [][]any) []any {
			kept := s[0]
			for _, other := range s[1:] {
				kept = slices.DeleteFunc(slices.Clone(kept), func(v any) bool { return !holdsValue(other, v) })
			}
			return kept
		}),
		"set_difference": ofSets(func(s [][]any) []any {
			others := slices.Concat(s[1:]...)
			return slices.DeleteFunc(slices.Clone(s[0]), func(v any) bool { return holdsValue(others, v) })
		}),
		"set_has_element": {takes: "ya", min: 2, max: 2, result: Bool, call: func(_ time.Time, a []any) any {
			list, ok := a[0].([]any)
			if !ok {
				return nil
			}
			return holdsValue(list, a[1])
		}},
	}
}

func seriesFunctions() map[string]function {
	return map[string]function{
		"zip": {takes: "y", min: 2, max: -1, result: Dynamic, call: func(_ time.Time, a []any) any {
			longest := 0
			for _, v := range a {
				list, _ := v.([]any)
				longest = max(longest, len(list))
			}
			rows := make([]any, longest)
			for i := range rows {
				rows[i] = mapped(a, func(v any) any {
					list, _ := v.([]any)
					return argument(list, i)
				})
			}
			return rows
		}},
		"range": {min: 2, max: 3, result: Dynamic, call: func(_ time.Time, a []any) any {
			step := argument(a, 2)
			if len(a) == 2 {
				step = int64(1)
				if _, ok := a[0].(time.Time); ok {
					step = time.Hour
				}
			}
			list, err := rangeValues(a[0], a[1], step)
			if err != nil {
				return nil
			}
			return list
		}},
		"repeat": {takes: "an", min: 2, max: 2, result: Dynamic, call: func(_ time.Time, a []any) any {
			n, ok := a[1].(int64)
			if !ok || n < 0 || n > MaxRows {
				return nil
			}
			return slices.Repeat([]any{a[0]}, int(n))
		}},
		"series_add": elementwise("+"), "series_subtract": elementwise("-"), "series_multiply": elementwise("*"), "series_divide": elementwise("/"),
		"series_stats_dynamic": {takes: "yb", min: 1, max: 2, result: Dynamic, call: func(_ time.Time, a []any) any { return statistics(a[0]) }},
	}
}

// sortedBy returns a function that sorts a list: ascending by 1, descending by -1. Null comes last.
func sortedBy(sign int) function {
	return function{takes: "y", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any {
		list, ok := a[0].([]any)
		if !ok {
			return nil
		}
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(x, y any) int {
			if x == nil || y == nil { // null comes last, whatever the order
				return -sorting(x, y)
			}
			return sign * sorting(x, y)
		})
		return list
	}}
}

// ofSets returns a function of lists that are taken for sets.
func ofSets(f func(sets [][]any) []any) function {
	return function{takes: "y", min: 2, max: -1, result: Dynamic, call: func(_ time.Time, a []any) any {
		all := make([][]any, len(a))
		for i, v := range a {
			list, ok := v.([]any)
			if !ok {
				return nil
			}
			all[i] = list
		}
		return distinctValues(f(all))
	}}
}

// holdsValue reports whether a list has a value.
func holdsValue(list []any, v any) bool {
	return slices.ContainsFunc(list, func(w any) bool { return key(v) == key(w) })
}

// elementwise returns a function that calculates with two lists, item by item.
func elementwise(sign string) function {
	return function{takes: "y", min: 2, max: 2, result: Dynamic, call: func(_ time.Time, a []any) any {
		x, ok1 := a[0].([]any)
		y, ok2 := a[1].([]any)
		if !ok1 || !ok2 {
			return nil
		}
		made := make([]any, max(len(x), len(y)))
		for i := range made {
			if i < len(x) && i < len(y) {
				made[i] = calculate(sign, x[i], y[i])
			}
		}
		return made
	}}
}

func distinctValues(list []any) []any {
	seen, kept := map[string]bool{}, []any{}
	for _, v := range list {
		if k := key(v); !seen[k] {
			seen[k], kept = true, append(kept, v)
		}
	}
	return kept
}

// sliced returns the part of a list between two places, both included; places below zero count from the end.
func sliced(a []any) any {
	list, ok := a[0].([]any)
	start, ok1 := a[1].(int64)
	end, ok2 := a[2].(int64)
	if !ok || !ok1 || !ok2 {
		return nil
	}
	size := int64(len(list))
	if start < 0 {
		start += size
	}
	if end < 0 {
		end += size
	}
	start, end = max(0, start), min(size-1, end)
	if start > end {
		return []any{}
	}
	return slices.Clone(list[start : end+1])
}

// statistics returns what series_stats_dynamic does about a list of numbers.
func statistics(v any) any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil
	}
	var numbers []float64
	low, high := -1, -1
	sum := 0.0
	for i, item := range list {
		f, ok := toFloat(item)
		if !ok {
			return nil
		}
		numbers = append(numbers, f)
		sum += f
		if low < 0 || f < numbers[low] {
			low = i
		}
		if high < 0 || f > numbers[high] {
			high = i
		}
	}
	variance := varianceOf(numbers)
	return map[string]any{
		"min": numbers[low], "min_idx": int64(low), "max": numbers[high], "max_idx": int64(high),
		"avg": sum / float64(len(numbers)), "variance": variance, "stdev": math.Sqrt(variance),
	}
}

// varianceOf returns the variance of a sample.
func varianceOf(numbers []float64) float64 {
	if len(numbers) < 2 {
		return 0
	}
	average := 0.0
	for _, f := range numbers {
		average += f / float64(len(numbers))
	}
	squares := 0.0
	for _, f := range numbers {
		squares += (f - average) * (f - average)
	}
	return squares / float64(len(numbers)-1)
}

// rangeValues returns the values from one to another by a step.
func rangeValues(from, to, step any) ([]any, error) {
	if order, ok := compare(calculate("+", from, step), from); !ok || order == 0 {
		return nil, fmt.Errorf("a range needs values of one type, and a step that is not zero")
	}
	up, _ := compare(calculate("+", from, step), from)
	list := []any{}
	for v := from; ; v = calculate("+", v, step) {
		order, ok := compare(v, to)
		if !ok || order*up > 0 {
			return list, nil
		}
		if len(list) >= MaxRows {
			return nil, fmt.Errorf("a range exceeds the limit of %d values", MaxRows)
		}
		list = append(list, v)
	}
}
