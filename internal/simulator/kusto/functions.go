package kusto

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// function is a function of values.
type function struct {
	// takes has a letter for the type of each argument, of which the last one means all that follow: (a)ny, te(x)t, (n)umber,
	// (d)atetime, time(s)pan, d(y)namic, (b)ool; a (m)easure, which is a number or a timespan; d(y)namic (o)r bool.
	takes string
	// min and max are the numbers of arguments; a max of -1 means no limit.
	min, max int
	// result is the type of the value; typ computes it where it depends on the arguments.
	result Type
	typ    func(a []expression) Type
	// named reports whether the column of the value has the name of the first argument.
	named bool
	call  func(now time.Time, a []any) any
	// typed is called instead of call where the value depends on the types of the arguments.
	typed func(types []Type, a []any) any
	// several reports whether the value is a list of values, one for each dynamic argument, of which each becomes a column.
	several bool
}

// typeLetters are the letters of function.takes for types.
func typeLetters() map[Type]string {
	return map[Type]string{
		String: "xa", GUID: "xa", Long: "nam", Int: "nam", Real: "nam", DateTime: "da", TimeSpan: "sam", Dynamic: "axndsybmo", Bool: "bao",
	}
}

// wrongNumber is the error of a function that is given more or fewer arguments than it takes.
func wrongNumber(name string, arguments int) error {
	if arguments == 1 {
		return fmt.Errorf("the function '%s' does not take 1 argument", name)
	}
	return fmt.Errorf("the function '%s' does not take %d arguments", name, arguments)
}

// apply makes an expression of a function and its arguments.
func (p *parser) apply(name string, f function, a []expression) (expression, error) {
	if len(a) < f.min || f.max >= 0 && len(a) > f.max {
		return expression{}, wrongNumber(name, len(a))
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
		if p.grouping {
			return expression{}, fmt.Errorf("the function '%s' cannot be used in an aggregate", name)
		}
		made.constant = false
		made.eval = window(a)
		return made, nil
	}
	if err := checkArguments(name, a); err != nil {
		return expression{}, err
	}
	now, typ := p.run.now, made.typ
	types := make([]Type, len(a))
	for i := range a {
		types[i] = a[i].typ
	}
	made.eval = func(fr *frame) any {
		values := make([]any, len(a))
		for i := range a {
			values[i] = a[i].eval(fr)
		}
		if f.typed != nil {
			return f.typed(types, values)
		}
		return fitted(f.call(now, values), typ) // a whole number that is chosen instead of a real one is one
	}
	if made.constant {
		value := made.eval(&frame{})
		made.eval = func(*frame) any { return value }
	}
	if f.several {
		return made.split(a), nil
	}
	return made, nil
}

// split returns an expression with a column for each list among the arguments of a function whose value is a list of lists.
func (e expression) split(a []expression) expression {
	var columns []namedExpression
	for i, one := range a {
		if one.typ == Bool {
			continue
		}
		label := ""
		if one.name != "" {
			label = one.name + "_sorted"
		}
		columns = append(columns, namedExpression{name: label, value: expression{typ: e.typ, constant: e.constant, eval: func(f *frame) any {
			all, _ := e.eval(f).([]any)
			return argument(all, i)
		}}})
	}
	if len(columns) == 1 {
		return columns[0].value
	}
	return severally(columns)
}

// checkArguments looks at what the numbers and types of arguments leave open: regular expressions, units and formats of time
// that are written out, and that a date has minutes where it has hours.
func checkArguments(name string, a []expression) error {
	const untilHour = 4
	if name == "make_datetime" && len(a) == untilHour {
		return wrongNumber(name, len(a))
	}
	if len(a) > 0 && a[0].constant && slices.Contains([]string{"datetime_add", "datetime_diff", "datetime_part"}, name) {
		if unit := Text(a[0].eval(&frame{})); !isUnit(name, unit) {
			return fmt.Errorf("the function '%s' does not know the unit '%s'", name, unit)
		}
	}
	if format, checked := map[string]func(string) any{
		"format_datetime": func(format string) any { return formatTime(time.Time{}, format) },
		"format_timespan": func(format string) any { return formatSpan(0, format) },
	}[name]; checked && a[1].constant {
		if text := Text(a[1].eval(&frame{})); format(text) == nil {
			return fmt.Errorf("the function '%s' does not know the format '%s'", name, text)
		}
	}
	place := map[string]int{"extract": 0, "extract_all": 0, "replace_regex": 1, "replace": 0, "trim": 0, "trim_start": 0, "trim_end": 0}
	i, has := place[name]
	if !has || !a[i].constant {
		return nil
	}
	pattern, err := patternOf(a[i])
	if err == nil && name == "extract_all" && pattern(&frame{}).NumSubexp() == 0 {
		return errors.New("the regular expression of extract_all lacks a capture group")
	}
	return err
}

func ofFirst(a []expression) Type { return a[0].typ }

// ofBin is the type of a value that is rounded to steps: a whole number becomes real by steps that are not whole.
func ofBin(a []expression) Type {
	if a[0].typ.numeric() && a[1].typ.numeric() {
		return widest(a[0].typ, a[1].typ)
	}
	return a[0].typ
}

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
		"tohex": {takes: "n", min: 1, max: 2, result: String, typed: func(types []Type, a []any) any {
			n, ok := a[0].(int64)
			if !ok {
				return ""
			}
			bits := uint64(n)
			if types[0] == Int {
				bits = uint64(uint32(n))
			}
			width, _ := argument(a, 1).(int64)
			return fmt.Sprintf("%0*x", max(0, min(16, width)), bits)
		}},
		"gettype": {min: 1, max: 1, result: String, typed: func(types []Type, a []any) any {
			if a[0] != nil && (types[0] == GUID || types[0] == Int) {
				return string(types[0])
			}
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
	rounded := function{takes: "a", min: 2, max: 2, typ: ofBin, named: true, call: func(_ time.Time, a []any) any { return bin(a[0], a[1], nil) }}
	return map[string]function{
		"bin": rounded, "floor": rounded,
		"bin_at": {takes: "a", min: 3, max: 3, typ: ofBin, named: true, call: func(_ time.Time, a []any) any { return bin(a[0], a[1], a[2]) }},
		"abs": {takes: "m", min: 1, max: 1, typ: ofFirst, call: func(_ time.Time, a []any) any {
			if order, ok := compare(a[0], zeroOf(a[0])); ok && order < 0 {
				return negate(a[0])
			}
			return a[0]
		}},
		"round": {takes: "n", min: 1, max: 2, result: Real, call: func(_ time.Time, a []any) any {
			x, ok := toFloat(a[0])
			digits, _ := argument(a, 1).(int64)
			scale := math.Pow(10, float64(digits))
			switch {
			case !ok:
				return nil
			case math.IsInf(x*scale, 0): // more digits than the number has
				return x
			case scale == 0: // fewer digits than none
				return 0.0
			}
			return math.Round(x*scale) / scale
		}},
		"ceiling": ofReal(math.Ceil), "exp": ofReal(math.Exp),
		"sqrt": ofPositive(math.Sqrt), "log": ofPositive(math.Log), "log10": ofPositive(math.Log10), "log2": ofPositive(math.Log2),
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
		"min_of": extremeOf(false), "max_of": extremeOf(true),
	}
}

func bitwise() map[string]function {
	return map[string]function{
		"isfinite":   checkNumber(func(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }),
		"binary_and": ofBits(func(x, y int64) int64 { return x & y }), "binary_or": ofBits(func(x, y int64) int64 { return x | y }),
		"binary_xor":         ofBits(func(x, y int64) int64 { return x ^ y }),
		"binary_shift_left":  ofShift(func(x int64, by uint64) int64 { return x << by }),
		"binary_shift_right": ofShift(func(x int64, by uint64) int64 { return x >> by }),
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

// ofPositive returns a function of a number, which is null of a negative one.
func ofPositive(f func(float64) float64) function {
	return function{takes: "n", min: 1, max: 1, result: Real, call: func(_ time.Time, a []any) any {
		if x, ok := toFloat(a[0]); ok && !(x < 0) {
			return f(x)
		}
		return nil
	}}
}

// ofShift returns a function that shifts the bits of a whole number by another, which must not be negative.
func ofShift(f func(x int64, by uint64) int64) function {
	return function{takes: "n", min: 2, max: 2, result: Long, call: func(_ time.Time, a []any) any {
		x, ok1 := a[0].(int64)
		by, ok2 := a[1].(int64)
		if !ok1 || !ok2 || by < 0 {
			return nil
		}
		return f(x, uint64(by)%64)
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

// extremeOf returns the function that finds the largest or the smallest of its arguments.
func extremeOf(largest bool) function {
	return function{min: 2, max: -1, typ: ofAny, call: func(_ time.Time, a []any) any { return extreme(a, largest) }}
}

// extreme returns the largest or the smallest value that is not null.
func extreme(values []any, largest bool) any {
	var best any
	for _, v := range values {
		if order, ok := compare(v, best); v != nil && best == nil || ok && directed(order, largest) > 0 {
			best = v
		}
	}
	return best
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
	start := func(f *frame) int64 {
		if len(a) == 0 {
			return 1
		}
		n, _ := a[0].eval(f).(int64)
		return n
	}
	if len(a) < 2 {
		return func(f *frame) any { return start(f) + int64(f.index) }
	}
	return upTo(func(f *frame, before any) any {
		if n, counting := before.(int64); counting && a[1].eval(f) != true {
			return n + 1
		}
		return start(f)
	})
}

// runningSum adds up values, and again where a condition holds.
func runningSum(a []expression) func(*frame) any {
	return upTo(func(f *frame, before any) any {
		v := a[0].eval(f)
		switch {
		case before == nil || len(a) > 1 && a[1].eval(f) == true:
			return v
		case v == nil:
			return before
		}
		return calculate("+", before, v)
	})
}

// upTo returns a function of all rows up to the current one: next makes its value of the one before, which is null for the first
// row. It goes on from the row that it was last asked for, so that a table is gone through once.
func upTo(next func(f *frame, before any) any) func(*frame) any {
	var rows [][]any // that value is about, up to last
	var last int
	var value any
	return func(f *frame) any {
		if len(f.rows) == 0 { // where a literal is expected
			return nil
		}
		if len(rows) != len(f.rows) || &rows[0] != &f.rows[0] || last > f.index {
			rows, last, value = f.rows, -1, nil
		}
		for last < f.index {
			last++
			value = next(f.at(last), value)
		}
		return value
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
		"array_sort_asc": sortedBy(true), "array_sort_desc": sortedBy(false),
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
			path := bagPath(Text(a[1]))
			for i, name := range path {
				bag, _ := a[0].(map[string]any)
				value, has := bag[name]
				if !has || i == len(path)-1 {
					return has
				}
				a[0] = value
			}
			return false
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
			for _, name := range names {
				bag = without(bag, bagPath(Text(name)))
			}
			return bag
		}},
		"dynamic_to_json": {min: 1, max: 1, result: String, typed: func(types []Type, a []any) any {
			if types[0] == Dynamic {
				return jsonText(a[0])
			}
			return Text(a[0])
		}},
	}
}

// bagStep is a step of a path in a bag: .name, ['name'] or ["name"].
var bagStep = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:\.([^.\[\]]+)|\['([^']*)'\]|\["([^"]*)"\])`)
})

// bagPath returns the names that lead to a property of a bag, which is named itself or by a path such as $.a.b or $['a']['b'].
// Places in lists are no part of such a path: one that has any leads nowhere.
//
// https://learn.microsoft.com/en-us/kusto/query/jsonpath
func bagPath(text string) []string {
	rest, isPath := strings.CutPrefix(text, "$")
	if !isPath {
		return []string{text}
	}
	var path []string
	for rest != "" {
		found := bagStep().FindStringSubmatch(rest)
		if found == nil {
			return nil
		}
		path, rest = append(path, found[1]+found[2]+found[3]), rest[len(found[0]):]
	}
	return path
}

// without returns the bag without the property at the end of a path.
func without(bag map[string]any, path []string) map[string]any {
	left := maps.Clone(bag)
	if len(path) == 0 {
		return left
	}
	inner, isBag := left[path[0]].(map[string]any)
	switch {
	case len(path) == 1:
		delete(left, path[0])
	case isBag:
		left[path[0]] = without(inner, path[1:])
	}
	return left
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
				switch a[0].(type) {
				case time.Time, time.Duration:
					step = time.Hour
				}
			}
			const most = 1 << 20 // the values after these are left out
			list, _, err := rangeValues(a[0], a[1], step, most)
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
		"series_stats_dynamic": {takes: "yb", min: 1, max: 2, result: Dynamic, call: func(_ time.Time, a []any) any { return statistics(a[0], argument(a, 1) == true) }},
	}
}

// sortedBy returns a function that sorts a list and puts others in the same order, of which
// those of another length are null. Null comes last, unless the last argument is false.
//
// https://learn.microsoft.com/en-us/kusto/query/array-sort-asc-function
func sortedBy(ascending bool) function {
	return function{takes: "yo", min: 1, max: -1, result: Dynamic, several: true, call: func(_ time.Time, a []any) any {
		first, ok := a[0].([]any)
		if !ok {
			return nil
		}
		nullsLast := a[len(a)-1] != false
		places := make([]int, len(first))
		for i := range places {
			places[i] = i
		}
		slices.SortStableFunc(places, func(i, j int) int { return orderOfItems(first[i], first[j], ascending, nullsLast) })
		return mapped(a, func(v any) any {
			list, ok := v.([]any)
			if !ok || len(list) != len(first) {
				return nil
			}
			sorted := make([]any, len(list))
			for i, place := range places {
				sorted[i] = list[place]
			}
			return sorted
		})
	}}
}

// orderOfItems orders two items of a list: numbers and times before texts, and these before anything else, whatever the direction.
func orderOfItems(x, y any, ascending, nullsLast bool) int {
	if x == nil || y == nil {
		return directed(sorting(x, y), !nullsLast)
	}
	kind := func(v any) int {
		switch v.(type) {
		case int64, float64, time.Time, time.Duration:
			return 0
		case string:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(kind(x), kind(y)), directed(sorting(x, y), ascending))
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
		for i := range min(len(x), len(y)) {
			divisor := y[i]
			if f, ok := toFloat(divisor); ok && sign == "/" { // whole numbers are not divided as such
				divisor = f
			}
			made[i] = calculate(sign, x[i], divisor)
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

// statistics returns the statistics of series_stats_dynamic about a list of numbers.
//
// A list that holds anything but finite numbers has none, unless these are ignored.
//
// https://learn.microsoft.com/en-us/kusto/query/series-stats-dynamic-function
func statistics(v any, finiteOnly bool) any {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	var numbers []float64
	low, high := -1, -1
	var sum, least, most float64
	for i, item := range list {
		f, ok := toFloat(item)
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			if finiteOnly {
				continue
			}
			return nil
		}
		numbers = append(numbers, f)
		sum += f
		if low < 0 || f < least {
			low, least = i, f
		}
		if high < 0 || f > most {
			high, most = i, f
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	variance := varianceOf(numbers)
	return map[string]any{
		"min": least, "min_idx": int64(low), "max": most, "max_idx": int64(high), "sum": sum, "len": int64(len(numbers)),
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

// rangeValues returns the values from one to another by a step, of which there may be more than are returned.
func rangeValues(from, to, step any, most int) (list []any, more bool, err error) {
	typ, ok := calculatedType("+", typeOf(from), typeOf(step))
	if !ok || typ != typeOf(from) && !typ.numeric() {
		return nil, false, errRange
	}
	up, ok := compare(calculate("+", from, step), from)
	if !ok || up == 0 {
		return nil, false, errRange
	}
	list = []any{}
	for v := from; ; v = calculate("+", v, step) {
		order, ok := compare(v, to)
		if !ok || order*up > 0 {
			return list, false, nil
		}
		if len(list) == most {
			return list, true, nil
		}
		list = append(list, v)
	}
}

// tableRange is rangeValues for rows, of which there may not be more than MaxRows.
func tableRange(from, to, step any) ([]any, error) {
	list, more, err := rangeValues(from, to, step, MaxRows)
	if more {
		return nil, fmt.Errorf("a range exceeds the limit of %d values", MaxRows)
	}
	return list, err
}

var errRange = errors.New("a range needs values of one type, and a step that is not zero")
