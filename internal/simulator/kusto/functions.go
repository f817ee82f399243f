package kusto

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// scalarFunctions are the functions of the query language that are carried out here; any other gives null.
func scalarFunctions() map[string]func(at point, a []any) any {
	return map[string]func(at point, a []any) any{
		"ago":                    func(at point, a []any) any { return calculate("-", at.now, first(a)) },
		"now":                    func(at point, _ []any) any { return at.now },
		"row_number":             func(at point, _ []any) any { return int64(at.index + 1) },
		"not":                    func(_ point, a []any) any { return first(a) != true },
		"isempty":                func(_ point, a []any) any { return isEmpty(first(a)) },
		"isnotempty":             func(_ point, a []any) any { return !isEmpty(first(a)) },
		"notempty":               func(_ point, a []any) any { return !isEmpty(first(a)) },
		"isnull":                 func(_ point, a []any) any { return first(a) == nil },
		"isnotnull":              func(_ point, a []any) any { return first(a) != nil },
		"iff":                    func(_ point, a []any) any { return chosen(a) },
		"iif":                    func(_ point, a []any) any { return chosen(a) },
		"case":                   func(_ point, a []any) any { return chosen(a) },
		"coalesce":               func(_ point, a []any) any { return firstGiven(a) },
		"tostring":               func(_ point, a []any) any { return Text(first(a)) },
		"tolower":                func(_ point, a []any) any { return strings.ToLower(Text(first(a))) },
		"toupper":                func(_ point, a []any) any { return strings.ToUpper(Text(first(a))) },
		"strlen":                 func(_ point, a []any) any { return int64(utf8.RuneCountInString(Text(first(a)))) },
		"strcat":                 func(_ point, a []any) any { return strings.Join(each(a, Text), "") },
		"tolong":                 func(_ point, a []any) any { return toWhole(first(a)) },
		"toint":                  func(_ point, a []any) any { return toWhole(first(a)) },
		"toreal":                 func(_ point, a []any) any { return toReal(first(a)) },
		"todouble":               func(_ point, a []any) any { return toReal(first(a)) },
		"parse_json":             func(_ point, a []any) any { return parsed(first(a)) },
		"todynamic":              func(_ point, a []any) any { return parsed(first(a)) },
		"extract":                func(_ point, a []any) any { return extracted(a) },
		"replace_regex":          func(_ point, a []any) any { return replaced(a) },
		"trim_start":             func(_ point, a []any) any { return trimmed(a) },
		"split":                  func(_ point, a []any) any { return splitText(a) },
		"base64_decode_tostring": func(_ point, a []any) any { return decoded(first(a)) },
		"url_decode":             func(_ point, a []any) any { return unescaped(first(a)) },
		"ipv4_is_private":        func(_ point, a []any) any { return isPrivate(first(a)) },
		"binary_and":             func(_ point, a []any) any { return bothBits(a) },
		"bin":                    func(_ point, a []any) any { return rounded(a) },
		"format_datetime":        func(_ point, a []any) any { return Text(first(a)) },
		"array_length":           func(_ point, a []any) any { return lengthOf(first(a)) },
		"array_sort_asc":         func(_ point, a []any) any { return sorted(first(a)) },
		"array_slice":            func(_ point, a []any) any { return sliced(a) },
		"series_subtract":        func(_ point, a []any) any { return subtracted(a) },
		"series_stats_dynamic":   func(_ point, a []any) any { return statistics(first(a)) },
		"bag_keys":               func(_ point, a []any) any { return keysOf(first(a)) },
	}
}

// argument is the value at a place, null when there is none.
func argument(a []any, i int) any {
	if i >= len(a) {
		return nil
	}
	return a[i]
}

// unescaped returns a text without its percent-encoding, or as it is if that is malformed.
func unescaped(v any) any {
	text := Text(v)
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

func first(a []any) any { return argument(a, 0) }

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	}
	return false
}

// chosen is the value after the first condition that holds, or the last one.
func chosen(a []any) any {
	for i := 0; i+1 < len(a); i += 2 {
		if a[i] == true {
			return a[i+1]
		}
	}
	if len(a)%2 == 0 {
		return nil
	}
	return a[len(a)-1]
}

func firstGiven(a []any) any {
	for _, v := range a {
		if !isEmpty(v) {
			return v
		}
	}
	return argument(a, len(a)-1)
}

func toWhole(v any) any {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	case bool:
		return int64(numberOf(v))
	case string:
		if n, err := strconv.ParseInt(v, 0, 64); err == nil {
			return n
		}
	}
	return nil
}

func toReal(v any) any {
	if f, ok := toFloat(v); ok {
		return f
	}
	if f, err := strconv.ParseFloat(Text(v), 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	return nil
}

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

func parsed(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	if value, ok := parseJSON(text); ok {
		return value
	}
	return nil
}

// pattern compiles a regular expression given as a value; nil when it is none.
func pattern(v any) *regexp.Regexp {
	compiled, err := regexp.Compile(Text(v))
	if err != nil {
		return nil
	}
	return compiled
}

func extracted(a []any) any {
	re, group := pattern(first(a)), toWhole(argument(a, 1))
	n, ok := group.(int64)
	if re == nil || !ok {
		return ""
	}
	found := re.FindStringSubmatch(Text(argument(a, 2)))
	if n < 0 || n >= int64(len(found)) {
		return ""
	}
	return found[n]
}

func replaced(a []any) any {
	re := pattern(argument(a, 1))
	if re == nil {
		return first(a)
	}
	return re.ReplaceAllString(Text(first(a)), Text(argument(a, 2)))
}

// trimmed drops what a regular expression matches at the start.
func trimmed(a []any) any {
	text := Text(argument(a, 1))
	re := pattern("^(?:" + Text(first(a)) + ")")
	if re == nil {
		return text
	}
	return text[len(re.FindString(text)):]
}

func splitText(a []any) any {
	return each(strings.Split(Text(first(a)), Text(argument(a, 1))), func(s string) any { return s })
}

func decoded(v any) any {
	raw, err := base64.StdEncoding.DecodeString(Text(v))
	if err != nil || !utf8.Valid(raw) {
		return ""
	}
	return string(raw)
}

func isPrivate(v any) any {
	ip, err := netip.ParseAddr(Text(v))
	if err != nil || !ip.Is4() {
		return nil
	}
	return ip.IsPrivate()
}

func bothBits(a []any) any {
	x, ok1 := first(a).(int64)
	y, ok2 := argument(a, 1).(int64)
	if !ok1 || !ok2 {
		return nil
	}
	return x & y
}

// rounded rounds a value down to a multiple of another.
func rounded(a []any) any {
	switch v := first(a).(type) {
	case time.Time:
		if span, ok := argument(a, 1).(time.Duration); ok && span > 0 {
			return v.Truncate(span)
		}
	case int64:
		if step, ok := argument(a, 1).(int64); ok && step > 0 {
			return v - ((v%step)+step)%step
		}
	}
	return first(a)
}

func lengthOf(v any) any {
	if list, ok := v.([]any); ok {
		return int64(len(list))
	}
	return nil
}

func sorted(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, orderNullsFirst)
	return list
}

// orderNullsFirst orders what can be compared, and null before it.
func orderNullsFirst(a, b any) int {
	if a == nil || b == nil {
		return numberOf(a != nil) - numberOf(b != nil)
	}
	o, _ := orderOf(a, b)
	return o
}

// sliced is the part of a list between two places, both included; places below zero count from the end.
func sliced(a []any) any {
	list, ok := first(a).([]any)
	start, ok1 := argument(a, 1).(int64)
	end, ok2 := argument(a, 2).(int64)
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

func subtracted(a []any) any {
	x, ok1 := first(a).([]any)
	y, ok2 := argument(a, 1).([]any)
	if !ok1 || !ok2 {
		return nil
	}
	differences := make([]any, min(len(x), len(y)))
	for i := range differences {
		differences[i] = calculate("-", x[i], y[i])
	}
	return differences
}

// statistics are those of a series of numbers that queries ask for.
func statistics(v any) any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil
	}
	low, high, total := math.Inf(1), math.Inf(-1), 0.0
	for _, item := range list {
		f, _ := toFloat(item)
		low, high, total = min(low, f), max(high, f), total+f
	}
	average, squares := total/float64(len(list)), 0.0
	for _, item := range list {
		f, _ := toFloat(item)
		squares += (f - average) * (f - average)
	}
	variance := squares / float64(max(1, len(list)-1))
	return map[string]any{"min": low, "max": high, "avg": average, "variance": variance, "stdev": math.Sqrt(variance)}
}

func keysOf(v any) any {
	bag, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	return each(sortedKeys(bag), func(s string) any { return s })
}

// aggregates are the functions over the rows of a group.
func aggregates() map[string]func(at point, a []expression) any {
	return map[string]func(at point, a []expression) any{
		"count":          func(at point, _ []expression) any { return int64(len(at.group)) },
		"countif":        func(at point, a []expression) any { return int64(len(fulfilling(at, a, 0))) },
		"dcount":         func(at point, a []expression) any { return int64(len(distinct(over(at, at.group, a)))) },
		"count_distinct": func(at point, a []expression) any { return int64(len(distinct(over(at, at.group, a)))) },
		"dcountif":       func(at point, a []expression) any { return int64(len(distinct(over(at, fulfilling(at, a, 1), a)))) },
		"make_set":       func(at point, a []expression) any { return limited(at, a, 1, distinct(over(at, at.group, a))) },
		"make_set_if": func(at point, a []expression) any {
			return limited(at, a, 2, distinct(over(at, fulfilling(at, a, 1), a)))
		},
		"make_list":    func(at point, a []expression) any { return limited(at, a, 1, over(at, at.group, a)) },
		"make_list_if": func(at point, a []expression) any { return limited(at, a, 2, over(at, fulfilling(at, a, 1), a)) },
		"max":          func(at point, a []expression) any { return extreme(over(at, at.group, a), 1) },
		"min":          func(at point, a []expression) any { return extreme(over(at, at.group, a), -1) },
		"maxif":        func(at point, a []expression) any { return extreme(over(at, fulfilling(at, a, 1), a), 1) },
		"minif":        func(at point, a []expression) any { return extreme(over(at, fulfilling(at, a, 1), a), -1) },
		"sum":          func(at point, a []expression) any { return total(over(at, at.group, a)) },
		"avg":          func(at point, a []expression) any { return average(over(at, at.group, a)) },
		"any":          func(at point, a []expression) any { return first(over(at, at.group, a)) },
		"take_any":     func(at point, a []expression) any { return first(over(at, at.group, a)) },
		// These two give several columns; summarize reads the row that they choose.
		"arg_max": func(point, []expression) any { return nil },
		"arg_min": func(point, []expression) any { return nil },
	}
}

// over evaluates the first argument for each of the rows, leaving out null.
func over(at point, rows []Row, a []expression) []any {
	values := []any{}
	if len(a) == 0 {
		return values
	}
	for n, row := range rows {
		if v := a[0].eval(point{row: row, index: n, now: at.now}); v != nil {
			values = append(values, v)
		}
	}
	return values
}

// fulfilling are the rows of the group for which the argument holds.
func fulfilling(at point, a []expression, i int) []Row {
	return where(at.group, func(row Row) bool {
		return i < len(a) && a[i].eval(point{row: row, now: at.now}) == true
	})
}

// distinct keeps the first of equal values.
func distinct(values []any) []any {
	seen := map[string]bool{}
	return where(values, func(v any) bool {
		key := Text(v)
		if seen[key] {
			return false
		}
		seen[key] = true
		return true
	})
}

// limited cuts a list to the length that an argument gives.
func limited(at point, a []expression, i int, list []any) any {
	if i < len(a) {
		if n, ok := a[i].eval(at).(int64); ok && n >= 0 && n < int64(len(list)) {
			return list[:n]
		}
	}
	return list
}

// extreme is the largest of the values, or the smallest for a negative sign.
func extreme(values []any, sign int) any {
	var best any
	for _, v := range values {
		if o, ok := orderOf(v, best); best == nil || ok && o*sign > 0 {
			best = v
		}
	}
	return best
}

func total(values []any) any {
	var sum any = int64(0)
	for _, v := range values {
		sum = calculate("+", sum, v)
	}
	return sum
}

func average(values []any) any {
	sum, ok := toFloat(total(values))
	if !ok || len(values) == 0 {
		return nil
	}
	return sum / float64(len(values))
}
