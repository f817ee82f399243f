package kusto

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tick is the finest step of time in the language.
const tick = 100 * time.Nanosecond

// Text returns a value as tostring does.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.0000000Z")
	case time.Duration:
		return spanText(v)
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 1):
			return "∞"
		case math.IsInf(v, -1):
			return "-∞"
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any, map[string]any:
		return jsonText(v)
	}
	return fmt.Sprint(v)
}

// spanText writes a span of time as [-][d.]hh:mm:ss[.fffffff].
func spanText(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	days := ""
	if n := d / (24 * time.Hour); n > 0 {
		days, d = fmt.Sprintf("%d.", n), d%(24*time.Hour)
	}
	text := fmt.Sprintf("%s%s%02d:%02d:%02d", sign, days, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	if rest := d % time.Second / tick; rest > 0 {
		text += fmt.Sprintf(".%07d", rest)
	}
	return text
}

// jsonText writes a dynamic value as JSON, with the properties of a bag in order of their names.
func jsonText(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(plain(v)); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plain returns a dynamic value as JSON has it: dates, spans and numbers that JSON cannot hold as text.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case map[string]any:
		bag := make(map[string]any, len(v))
		for name, value := range v {
			bag[name] = plain(value)
		}
		return bag
	case time.Time, time.Duration:
		return Text(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Text(v)
		}
	}
	return v
}

// parseJSON reads JSON into the values of the language: whole numbers keep every digit.
func parseJSON(text string) (any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return nil, false
	}
	return ofJSON(value), true
}

func ofJSON(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return nil
		}
		return f
	case []any:
		for i := range v {
			v[i] = ofJSON(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = ofJSON(v[name])
		}
	}
	return value
}

// typeOf returns the type of a value, Dynamic for null.
func typeOf(v any) Type {
	switch v.(type) {
	case string:
		return String
	case int64:
		return Long
	case float64:
		return Real
	case bool:
		return Bool
	case time.Time:
		return DateTime
	case time.Duration:
		return TimeSpan
	}
	return Dynamic
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// isNaN reports whether a value is NaN.
func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

// compare orders two values; ok is false if they cannot be ordered.
func compare(a, b any) (order int, ok bool) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y), true
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return cmp.Compare(x, y), true
		}
	case bool:
		if y, ok := b.(bool); ok {
			return cmp.Compare(asInt(x), asInt(y)), true
		}
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), true
		}
	case []any, map[string]any:
		switch b.(type) {
		case []any, map[string]any:
			return strings.Compare(jsonText(a), jsonText(b)), true
		}
	}
	x, ok1 := toFloat(asNumber(a))
	y, ok2 := toFloat(asNumber(b))
	return cmp.Compare(x, y), ok1 && ok2
}

// asNumber returns a bool as a number, and anything else as it is.
func asNumber(v any) any {
	if b, ok := v.(bool); ok {
		return asInt(b)
	}
	return v
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// sorting orders values of any kind, for sort and the like: null before everything else.
func sorting(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(asInt(a != nil), asInt(b != nil))
	}
	if order, ok := compare(a, b); ok {
		return order
	}
	return strings.Compare(Text(a), Text(b))
}

// key returns a text that two values share if they are equal, for groups, joins and sets.
func key(values ...any) string {
	var b strings.Builder
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b.WriteByte('0')
		case string: // the only one that begins with a number and a colon
			b.WriteString(strconv.Itoa(len(v)))
			b.WriteByte(':')
			b.WriteString(v)
		case int64:
			b.WriteByte('n')
			b.WriteString(strconv.FormatInt(v, 10))
		case float64:
			b.WriteByte('n')
			if whole := int64(v); float64(whole) == v && math.Abs(v) < 1<<53 {
				b.WriteString(strconv.FormatInt(whole, 10))
			} else {
				b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
			}
		default: // whose texts show where they end
			b.WriteString(string(typeOf(v)))
			b.WriteString(Text(v))
		}
		b.WriteByte(',')
	}
	return b.String()
}

func sortedNames(bag map[string]any) []string { return slices.Sorted(maps.Keys(bag)) }

// convert returns the value as the type, as its conversion function does: null if it cannot be converted.
func convert(v any, to Type) any {
	if v == nil {
		return zero(to)
	}
	switch to {
	case String, GUID:
		return Text(v)
	case Long, Int:
		return toWhole(v, to)
	case Real:
		return toReal(v)
	case Bool:
		return toBool(v)
	case DateTime:
		return toTime(v)
	case TimeSpan:
		return toSpan(v)
	}
	return v
}

func toWhole(v any, to Type) any {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case float64:
		if math.IsNaN(v) || math.Abs(v) >= 1<<63 {
			return nil
		}
		n = int64(v)
	case bool:
		n = asInt(v)
	case time.Duration:
		n = int64(v / tick)
	case time.Time:
		n = ticksBetween(time.Time{}, v)
	case string:
		parsed, err := parseWhole(strings.TrimSpace(v))
		if err != nil {
			return nil
		}
		n = parsed
	default:
		return nil
	}
	if to == Int && int64(int32(n)) != n {
		return nil
	}
	return n
}

// parseWhole reads a whole number; a fraction is cut off, as tolong does.
func parseWhole(text string) (int64, error) {
	if strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X") {
		return strconv.ParseInt(text[2:], 16, 64)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return n, nil
	}
	f, floatErr := strconv.ParseFloat(text, 64)
	if floatErr != nil || math.IsNaN(f) || math.Abs(f) >= 1<<63 || strings.ContainsAny(text, "xXpP_iIn") {
		return 0, err
	}
	return int64(f), nil
}

func toReal(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case bool:
		return float64(asInt(v))
	case string:
		text := strings.TrimSpace(v)
		if f, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xXpP_") {
			return f
		}
	}
	return nil
}

func toBool(v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
	}
	return nil
}

// timeLayouts are the forms of a date that are read: those of ISO 8601 and what comes close, those of RFC 822 and RFC 850, and
// that of the United States.
//
// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/datetime
var timeLayouts = sync.OnceValue(func() []string {
	return slices.Concat(
		[]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"},
		[]string{"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "2006-01", "2006", "2006-1-2"},
		[]string{"1/2/2006", "1/2/2006 15:04:05", "1/2/2006 3:04:05 PM"},
		timesOfDay("Mon, 2 Jan 06 "), timesOfDay("Mon, 2 Jan 2006 "), timesOfDay("2 Jan 06 "), timesOfDay("2 Jan 2006 "),
		timesOfDay("Monday, 02-Jan-06 "), timesOfDay("02-Jan-06 "), timesOfDay("2006-1-2 "), timesOfDay("2006-1-2T"),
	)
})

// timesOfDay are the forms of a date with a time of day.
func timesOfDay(date string) []string {
	return []string{date + "15:04:05", date + "15:04:05 GMT", date + "15:04", date + "15:04 GMT"}
}

func parseTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range timeLayouts() {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Truncate(tick), true
		}
	}
	return time.Time{}, false
}

// withinCalendar returns a date, or null if the language has none so early or so late.
//
// https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/datetime
func withinCalendar(t time.Time) any {
	if t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	return t
}

func toTime(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v
	case string:
		if t, ok := parseTime(v); ok {
			return t
		}
	}
	return nil
}

func toSpan(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return v
	case string:
		if d, ok := parseSpan(v); ok {
			return d
		}
	}
	return nil
}

// spanUnits are the units of a span of time, by their names.
func spanUnits() map[string]time.Duration {
	return map[string]time.Duration{
		"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
		"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
		"s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
		"ms": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
		"microsecond": time.Microsecond, "microseconds": time.Microsecond,
		"tick": tick, "ticks": tick,
	}
}

// parseSpan reads a span of time: days, a number with a unit, or [-][d.]hh:mm[:ss[.fffffff]].
func parseSpan(text string) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	positive, negative := strings.CutPrefix(text, "-")
	if negative {
		d, ok := parseSpan(positive)
		return -d, ok && !strings.HasPrefix(positive, "-")
	}
	if number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz"); number != text {
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		unit, known := spanUnits()[text[len(number):]]
		return time.Duration(f * float64(unit)).Truncate(tick), err == nil && known
	}
	parts := strings.Split(text, ":")
	if len(parts) == 1 {
		days, err := strconv.Atoi(text)
		return time.Duration(days) * 24 * time.Hour, err == nil
	}
	var total time.Duration
	if len(parts) > 3 {
		return total, false
	}
	if days, hours, found := strings.Cut(parts[0], "."); found {
		n, err := strconv.Atoi(days)
		if err != nil {
			return total, false
		}
		total, parts[0] = time.Duration(n)*24*time.Hour, hours
	}
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second}[:len(parts)] {
		f, err := strconv.ParseFloat(parts[i], 64)
		if err != nil {
			return total, false
		}
		total += time.Duration(f * float64(unit))
	}
	return total.Truncate(tick), true
}
