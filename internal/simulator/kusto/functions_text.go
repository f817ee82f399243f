package kusto

import (
	"crypto/md5"  // a function of the language
	"crypto/sha1" // a function of the language
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// textFunction returns a function of texts that returns a text.
func textFunction(least, most int, f func(a []string) string) function {
	return function{takes: "x", min: least, max: most, result: String, call: func(_ time.Time, a []any) any {
		texts := make([]string, len(a))
		for i, v := range a {
			texts[i] = Text(v)
		}
		return f(texts)
	}}
}

// ofText returns a function of the text of any value that is not dynamic.
func ofText(f func(text string) string) function {
	return function{takes: "a", min: 1, max: 1, result: String, call: func(_ time.Time, a []any) any { return f(Text(a[0])) }}
}

// hashed returns the function that shows what f makes of the bytes of a text.
func hashed(f func(bytes []byte) []byte) function {
	return ofText(func(text string) string { return hex.EncodeToString(f([]byte(text))) })
}

// compiled returns a regular expression, or nil if the value is not one.
func compiled(v any) *regexp.Regexp {
	re, err := regexp.Compile(Text(v))
	if err != nil {
		return nil
	}
	return re
}

func texts() map[string]function {
	list := formed()
	maps.Copy(list, readTexts())
	list["make_string"] = list["unicode_codepoints_to_string"]
	list["to_utf8"] = list["unicode_codepoints_from_string"]
	return list
}

// formed are the functions that make a text of others, or measure one.
func formed() map[string]function {
	return map[string]function{
		"strcat": {min: 1, max: -1, result: String, call: func(_ time.Time, a []any) any {
			return strings.Join(textsOf(a), "")
		}},
		"strcat_delim": {min: 3, max: -1, result: String, call: func(_ time.Time, a []any) any {
			return strings.Join(textsOf(a[1:]), Text(a[0]))
		}},
		"strcat_array": {takes: "yx", min: 2, max: 2, result: String, call: func(_ time.Time, a []any) any {
			items, _ := a[0].([]any)
			return strings.Join(textsOf(items), Text(a[1]))
		}},
		"strlen":      {takes: "x", min: 1, max: 1, result: Long, call: func(_ time.Time, a []any) any { return int64(utf8.RuneCountInString(Text(a[0]))) }},
		"string_size": {takes: "x", min: 1, max: 1, result: Long, call: func(_ time.Time, a []any) any { return int64(len(Text(a[0]))) }},
		"tolower":     textFunction(1, 1, func(a []string) string { return strings.ToLower(a[0]) }),
		"toupper":     textFunction(1, 1, func(a []string) string { return strings.ToUpper(a[0]) }),
		"reverse": ofText(func(text string) string {
			runes := []rune(text)
			slices.Reverse(runes)
			return string(runes)
		}),
		"strrep": {takes: "ana", min: 2, max: 3, result: String, call: func(_ time.Time, a []any) any {
			const most = 1024
			n, _ := a[1].(int64)
			return strings.Join(slices.Repeat([]string{Text(a[0])}, int(min(most, max(0, n)))), Text(argument(a, 2)))
		}},
		"substring": {takes: "xn", min: 2, max: 3, result: String, call: func(_ time.Time, a []any) any {
			runes := []rune(Text(a[0]))
			start, ok := a[1].(int64)
			if !ok {
				return ""
			}
			if start < 0 {
				start += int64(len(runes))
			}
			start = min(max(0, start), int64(len(runes)))
			rest := runes[start:]
			if n, ok := argument(a, 2).(int64); ok {
				rest = rest[:min(max(0, n), int64(len(rest)))]
			}
			return string(rest)
		}},
		"indexof": {takes: "aan", min: 2, max: 5, result: Long, call: func(_ time.Time, a []any) any {
			text, part := []rune(Text(a[0])), []rune(Text(a[1]))
			return place(len(text), len(part), a[2:], func(i int) bool { return slices.Equal(text[i:i+len(part)], part) })
		}},
		"countof": {takes: "x", min: 2, max: 3, result: Long, call: func(_ time.Time, a []any) any {
			if Text(argument(a, 2)) == "regex" {
				if re := compiled(a[1]); re != nil {
					return int64(len(re.FindAllString(Text(a[0]), -1)))
				}
				return nil
			}
			return overlapping(Text(a[0]), Text(a[1]))
		}},
		"strcmp":         {takes: "x", min: 2, max: 2, result: Long, call: func(_ time.Time, a []any) any { return int64(strings.Compare(Text(a[0]), Text(a[1]))) }},
		"replace_string": textFunction(3, 3, func(a []string) string { return strings.ReplaceAll(a[0], a[1], a[2]) }),
		"replace_regex":  textFunction(3, 3, func(a []string) string { return replaceRegex(a[0], a[1], a[2]) }),
		"replace":        textFunction(3, 3, func(a []string) string { return replaceRegex(a[2], a[0], a[1]) }),
		"translate": textFunction(3, 3, func(a []string) string {
			from, to := []rune(a[0]), []rune(a[1])
			return strings.Map(func(r rune) rune {
				i := slices.Index(from, r)
				switch {
				case i < 0:
					return r
				case len(to) == 0:
					return -1
				}
				return to[min(i, len(to)-1)]
			}, a[2])
		}),
		"trim":       textFunction(2, 2, func(a []string) string { return trimEnd(a[0], trimStart(a[0], a[1])) }),
		"trim_start": textFunction(2, 2, func(a []string) string { return trimStart(a[0], a[1]) }),
	}
}

// readTexts are the functions that look into a text.
func readTexts() map[string]function {
	return map[string]function{
		"trim_end": textFunction(2, 2, func(a []string) string { return trimEnd(a[0], a[1]) }),
		"split": {takes: "xxn", min: 2, max: 3, result: Dynamic, call: func(_ time.Time, a []any) any {
			parts := []any{Text(a[0])}
			if Text(a[1]) != "" {
				parts = parts[:0]
				for part := range strings.SplitSeq(Text(a[0]), Text(a[1])) {
					parts = append(parts, part)
				}
			}
			if n, ok := argument(a, 2).(int64); ok {
				if n < 0 || n >= int64(len(parts)) {
					return []any{}
				}
				return parts[n : n+1]
			}
			return parts
		}},
		"extract": {takes: "xnx", min: 3, max: 3, result: String, call: func(_ time.Time, a []any) any {
			re := compiled(a[0])
			n, ok := a[1].(int64)
			if re == nil || !ok {
				return ""
			}
			if found := re.FindStringSubmatch(Text(a[2])); n >= 0 && n < int64(len(found)) {
				return found[n]
			}
			return ""
		}},
		"extract_all":            {takes: "xa", min: 2, max: 3, result: Dynamic, call: extractAll},
		"base64_encode_tostring": textFunction(1, 1, func(a []string) string { return base64.StdEncoding.EncodeToString([]byte(a[0])) }),
		"base64_decode_tostring": textFunction(1, 1, decodeBase64),
		"url_encode":             textFunction(1, 1, func(a []string) string { return encodeURL(a[0]) }),
		"url_decode":             textFunction(1, 1, decodeURL),
		"hash_md5":               hashed(func(b []byte) []byte { sum := md5.Sum(b); return sum[:] }),
		"hash_sha1":              hashed(func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] }),
		"hash_sha256":            hashed(func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }),
		"parse_csv":              {takes: "x", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any { return parseCSV(Text(a[0])) }},
		"parse_url":              {takes: "x", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any { return parseURL(Text(a[0])) }},
		"parse_urlquery":         {takes: "x", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any { return map[string]any{"Query Parameters": queryBag(Text(a[0]))} }},
		"parse_path":             {takes: "x", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any { return parsePath(Text(a[0])) }},
		"parse_version":          {takes: "x", min: 1, max: 1, result: Real, call: func(_ time.Time, a []any) any { return parseVersion(Text(a[0])) }},
		"unicode_codepoints_from_string": {takes: "x", min: 1, max: 1, result: Dynamic, call: func(_ time.Time, a []any) any {
			points := []any{}
			for _, r := range Text(a[0]) {
				points = append(points, int64(r))
			}
			return points
		}},
		"unicode_codepoints_to_string": {min: 1, max: -1, result: String, call: func(_ time.Time, a []any) any { return fromPoints(a) }},
		"format_bytes":                 {takes: "nnx", min: 1, max: 3, result: String, call: formatBytes},
		"has_any_index": {takes: "xy", min: 2, max: 2, result: Long, call: func(_ time.Time, a []any) any {
			terms, _ := a[1].([]any)
			return int64(slices.IndexFunc(terms, func(v any) bool { return textOperators()["has"](Text(a[0]), Text(v)) }))
		}},
	}
}

// place returns where something is in a text or list: the position, -1 if it is nowhere, or null for options that mean
// nothing. It takes width of the size positions. The options are where to begin, which is from the end if it is negative; how
// many positions to look at from there, and again behind each find; and which find counts.
//
// https://learn.microsoft.com/en-us/kusto/query/indexof-function
func place(size, width int, options []any, found func(i int) bool) any {
	option := func(i int, usual int64) int {
		n, ok := argument(options, i).(int64)
		if !ok {
			n = usual
		}
		return int(min(max(math.MinInt32, n), math.MaxInt32))
	}
	begin, length, which := option(0, 0), option(1, -1), option(2, 1)
	if length < -1 || which < 0 {
		return nil
	}
	if begin < 0 {
		begin = max(0, size+begin)
	}
	at := -1
	for range which {
		end := size
		if length >= 0 {
			end = min(size, begin+length)
		}
		at = begin
		for at+width <= end && !found(at) {
			at++
		}
		if at+width > end {
			return int64(-1)
		}
		begin = at + 1
	}
	return int64(at)
}

// overlapping counts where a text is found, also where one find reaches into the next.
func overlapping(text, part string) int64 {
	if part == "" {
		return 0
	}
	var n int64
	for i := range text {
		if strings.HasPrefix(text[i:], part) {
			n++
		}
	}
	return n
}

// encodeURL escapes with small letters, as the service does.
func encodeURL(text string) string {
	return regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(url.QueryEscape(text), strings.ToLower)
}

func textsOf(list []any) []string {
	made := make([]string, len(list))
	for i, v := range list {
		made[i] = Text(v)
	}
	return made
}

func fromPoints(a []any) any {
	var b strings.Builder
	for _, v := range a {
		items, ok := v.([]any)
		if !ok {
			items = []any{v}
		}
		for _, item := range items {
			if n, ok := item.(int64); ok {
				b.WriteRune(rune(n))
			}
		}
	}
	return b.String()
}

// replaceRegex replaces what a pattern matches; groups are \1, \2 and so on.
func replaceRegex(text, pattern, by string) string {
	re := compiled(pattern)
	if re == nil {
		return text
	}
	by = regexp.MustCompile(`\\([0-9])`).ReplaceAllString(strings.ReplaceAll(by, "$", "$$"), "$${$1}")
	return re.ReplaceAllString(text, by)
}

func trimStart(pattern, text string) string {
	if re := compiled("^(?:" + pattern + ")"); re != nil {
		return text[len(re.FindString(text)):]
	}
	return text
}

func trimEnd(pattern, text string) string {
	if re := compiled("(?:" + pattern + ")$"); re != nil {
		if found := re.FindStringIndex(text); found != nil {
			return text[:found[0]]
		}
	}
	return text
}

func extractAll(_ time.Time, a []any) any {
	re := compiled(a[0])
	if re == nil {
		return nil
	}
	var wanted []any
	if len(a) == 3 {
		wanted, _ = a[1].([]any)
	}
	all := []any{}
	for _, found := range re.FindAllStringSubmatch(Text(a[len(a)-1]), -1) {
		groups := []any{}
		for i, text := range found {
			named := slices.ContainsFunc(wanted, func(v any) bool { return v == int64(i) || v == re.SubexpNames()[i] && v != "" })
			if len(a) == 3 && named || len(a) == 2 && (i > 0 || len(found) == 1) {
				groups = append(groups, text)
			}
		}
		if len(groups) == 1 {
			all = append(all, groups[0])
		} else {
			all = append(all, groups)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

func decodeBase64(a []string) string {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if decoded, err := encoding.DecodeString(a[0]); err == nil && utf8.Valid(decoded) {
			return string(decoded)
		}
	}
	return ""
}

func decodeURL(a []string) string {
	if plain, err := url.QueryUnescape(a[0]); err == nil {
		return plain
	}
	return a[0]
}

func parseCSV(text string) any {
	reader := csv.NewReader(strings.NewReader(text))
	reader.LazyQuotes, reader.FieldsPerRecord = true, -1
	record, err := reader.Read()
	if err != nil {
		return []any{text}
	}
	fields := make([]any, len(record))
	for i, field := range record {
		fields[i] = field
	}
	return fields
}

func parseURL(text string) any {
	u, err := url.Parse(text)
	if err != nil {
		return map[string]any{}
	}
	password, _ := u.User.Password()
	return map[string]any{
		"Scheme": u.Scheme, "Host": u.Hostname(), "Port": u.Port(), "Path": u.Path, "Username": u.User.Username(), "Password": password,
		"Query Parameters": queryBag(u.RawQuery), "Fragment": u.Fragment,
	}
}

func queryBag(query string) map[string]any {
	bag := map[string]any{}
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" {
			bag[decodeURL([]string{name})] = decodeURL([]string{value})
		}
	}
	return bag
}

func parsePath(text string) any {
	scheme, path, found := strings.Cut(text, "://")
	if !found {
		scheme, path = "", text
	}
	folder, file := "", path
	if i := strings.LastIndexAny(path, `\/`); i >= 0 {
		folder, file = path[:i], path[i+1:]
	}
	root := ""
	if len(path) > 1 && path[1] == ':' {
		root = path[:2]
	}
	file, stream, _ := strings.Cut(file, ":")
	extension := ""
	if i := strings.LastIndex(file, "."); i >= 0 {
		extension = file[i+1:]
	}
	return map[string]any{
		"Scheme": scheme, "RootPath": root, "DirectoryPath": folder, "DirectoryName": folder[strings.LastIndexAny(folder, `\/`)+1:],
		"Filename": file, "Extension": extension, "AlternateDataStreamName": stream,
	}
}

// parseVersion returns a version of up to four parts as a number by which versions can be compared.
func parseVersion(text string) any {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return nil
	}
	value := 0.0
	for i := range 4 {
		n := 0
		if i < len(parts) {
			var err error
			if n, err = strconv.Atoi(parts[i]); err != nil || n < 0 || len(parts[i]) > 8 {
				return nil
			}
		}
		value = value*1e8 + float64(n)
	}
	return value
}

func formatBytes(_ time.Time, a []any) any {
	size, ok := toFloat(a[0])
	if !ok {
		return ""
	}
	digits, _ := argument(a, 1).(int64)
	units := []string{"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"}
	unit := slices.Index(units, Text(argument(a, 2)))
	if unit < 0 {
		for unit = 0; unit < len(units)-1 && size/float64(int64(1)<<(10*unit)) >= 1024; unit++ {
		}
	}
	text := strconv.FormatFloat(size/float64(int64(1)<<(10*unit)), 'f', int(min(max(0, digits), 10)), 64)
	return text + " " + units[unit]
}

// addresses are the functions of IP addresses.
func addresses() map[string]function {
	return map[string]function{
		"ipv4_is_private": {takes: "x", min: 1, max: 1, result: Bool, call: func(_ time.Time, a []any) any {
			address, _, _ := strings.Cut(Text(a[0]), "/")
			ip, err := netip.ParseAddr(address)
			if err != nil || !ip.Is4() {
				return nil
			}
			return ip.IsPrivate()
		}},
		"ipv4_is_in_range": {takes: "x", min: 2, max: 2, result: Bool, call: func(_ time.Time, a []any) any {
			return inRange(Text(a[0]), Text(a[1]))
		}},
		"ipv4_is_in_any_range": {takes: "xa", min: 2, max: -1, result: Bool, call: func(_ time.Time, a []any) any {
			for _, v := range a[1:] {
				ranges, ok := v.([]any)
				if !ok {
					ranges = []any{v}
				}
				for _, r := range ranges {
					if inRange(Text(a[0]), Text(r)) == true {
						return true
					}
				}
			}
			if _, err := netip.ParseAddr(Text(a[0])); err != nil {
				return nil
			}
			return false
		}},
		"ipv4_is_match": {takes: "xxn", min: 2, max: 3, result: Bool, call: func(_ time.Time, a []any) any {
			bits := int64(32)
			if n, ok := argument(a, 2).(int64); ok {
				bits = n
			}
			x, ok1 := maskedAddress(Text(a[0]))
			y, ok2 := maskedAddress(Text(a[1]))
			if !ok1 || !ok2 {
				return nil
			}
			shortest := int(min(bits, int64(x.Bits()), int64(y.Bits())))
			one, err1 := x.Addr().Prefix(shortest)
			two, err2 := y.Addr().Prefix(shortest)
			return err1 == nil && err2 == nil && one == two
		}},
		"parse_ipv4": {takes: "x", min: 1, max: 1, result: Long, call: func(_ time.Time, a []any) any {
			p, ok := maskedAddress(Text(a[0]))
			if !ok {
				return nil
			}
			b := p.Masked().Addr().As4()
			return int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
		}},
		"has_ipv4": {takes: "x", min: 2, max: 2, result: Bool, call: func(_ time.Time, a []any) any {
			return hasAddress(a, func(found, wanted string) bool { return found == wanted })
		}},
		"has_any_ipv4": {takes: "xa", min: 2, max: -1, result: Bool, call: func(_ time.Time, a []any) any {
			return hasAddress(a, func(found, wanted string) bool { return found == wanted })
		}},
		"has_ipv4_prefix": {takes: "x", min: 2, max: 2, result: Bool, call: func(_ time.Time, a []any) any {
			return hasAddress(a, hasPrefix)
		}},
	}
}

func maskedAddress(text string) (netip.Prefix, bool) {
	if !strings.Contains(text, "/") {
		text += "/32"
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil && p.Addr().Is4()
}

func inRange(address, prefix string) any {
	ip, err := netip.ParseAddr(address)
	p, ok := maskedAddress(prefix)
	if err != nil || !ok {
		return nil
	}
	return p.Contains(ip)
}

// dotted are letters and digits with dots between them.
var dotted = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[\p{L}\p{N}.]+`) })

// hasAddress looks for IPv4 addresses in a text, next to which no letter or digit may be.
//
// https://learn.microsoft.com/en-us/kusto/query/has-ipv4-function
func hasAddress(a []any, same func(found, wanted string) bool) any {
	found := dotted().FindAllString(Text(a[0]), -1)
	for i := range found {
		found[i] = strings.Trim(found[i], ".")
	}
	found = slices.DeleteFunc(found, func(text string) bool { return !isAddress(text) })
	for _, v := range a[1:] {
		wanted, ok := v.([]any)
		if !ok {
			wanted = []any{v}
		}
		for _, w := range wanted {
			if slices.ContainsFunc(found, func(text string) bool { return same(text, Text(w)) }) {
				return true
			}
		}
	}
	return false
}

// isAddress reports whether a text is an IPv4 address.
func isAddress(text string) bool {
	ip, err := netip.ParseAddr(text)
	return err == nil && ip.Is4()
}

// hasPrefix reports whether an address begins with a prefix, which ends in a dot, or is the address.
func hasPrefix(address, prefix string) bool {
	return strings.HasPrefix(address, prefix) && (strings.HasSuffix(prefix, ".") || address == prefix)
}

// times are the functions of dates and spans.
func times() map[string]function {
	of := func(typ Type, f func(t time.Time) any) function {
		return function{takes: "d", min: 1, max: 1, result: typ, call: func(_ time.Time, a []any) any {
			if t, ok := a[0].(time.Time); ok {
				return f(t)
			}
			return nil
		}}
	}
	edge := func(start func(t time.Time, n int) time.Time, end bool) function {
		return function{takes: "dn", min: 1, max: 2, result: DateTime, call: func(_ time.Time, a []any) any {
			t, ok := a[0].(time.Time)
			offset, _ := argument(a, 1).(int64)
			if !ok || offset > 1e6 || offset < -1e6 {
				return nil
			}
			if end {
				return withinCalendar(start(t, int(offset)+1).Add(-tick))
			}
			return withinCalendar(start(t, int(offset)))
		}}
	}
	day := func(t time.Time, n int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+n, 0, 0, 0, 0, time.UTC)
	}
	week := func(t time.Time, n int) time.Time { return day(t, 7*n-int(t.Weekday())) }
	month := func(t time.Time, n int) time.Time {
		return time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	}
	year := func(t time.Time, n int) time.Time { return time.Date(t.Year()+n, 1, 1, 0, 0, 0, 0, time.UTC) }
	since := func(unit time.Duration) function {
		return function{takes: "n", min: 1, max: 1, result: DateTime, call: func(_ time.Time, a []any) any {
			n, ok := toFloat(a[0])
			if !ok || n < -1e17 || n > 1e17 {
				return nil
			}
			whole := int64(n)
			perSecond := int64(time.Second / unit)
			return withinCalendar(time.Unix(whole/perSecond, (whole%perSecond)*int64(unit)).UTC())
		}}
	}
	list := map[string]function{
		"now": {takes: "s", min: 0, max: 1, result: DateTime, call: func(now time.Time, a []any) any {
			offset, _ := argument(a, 0).(time.Duration)
			return withinCalendar(now.Add(offset))
		}},
		"ago": {takes: "s", min: 1, max: 1, result: DateTime, call: func(now time.Time, a []any) any {
			span, ok := a[0].(time.Duration)
			if !ok {
				return nil
			}
			return withinCalendar(now.Add(-span))
		}},
		"startofday": edge(day, false), "startofweek": edge(week, false), "startofmonth": edge(month, false), "startofyear": edge(year, false),
		"endofday": edge(day, true), "endofweek": edge(week, true), "endofmonth": edge(month, true), "endofyear": edge(year, true),
		"dayofweek":   of(TimeSpan, func(t time.Time) any { return time.Duration(t.Weekday()) * 24 * time.Hour }),
		"dayofmonth":  of(Int, func(t time.Time) any { return int64(t.Day()) }),
		"dayofyear":   of(Int, func(t time.Time) any { return int64(t.YearDay()) }),
		"hourofday":   of(Int, func(t time.Time) any { return int64(t.Hour()) }),
		"getyear":     of(Int, func(t time.Time) any { return int64(t.Year()) }),
		"monthofyear": of(Int, func(t time.Time) any { return int64(t.Month()) }),
		"week_of_year": of(Long, func(t time.Time) any {
			_, n := t.ISOWeek()
			return int64(n)
		}),
		"datetime_add":  {takes: "xnd", min: 3, max: 3, result: DateTime, call: addTime},
		"datetime_diff": {takes: "xdd", min: 3, max: 3, result: Long, call: diffTime},
		"datetime_part": {takes: "xd", min: 2, max: 2, result: Long, call: partTime},
		"make_datetime": {takes: "n", min: 3, max: 6, result: DateTime, call: makeTime},
		"make_timespan": {takes: "n", min: 2, max: 4, result: TimeSpan, call: makeSpan},
		"format_datetime": {takes: "dx", min: 2, max: 2, result: String, call: func(_ time.Time, a []any) any {
			if t, ok := a[0].(time.Time); ok {
				return formatTime(t, Text(a[1]))
			}
			return ""
		}},
		"format_timespan": {takes: "sx", min: 2, max: 2, result: String, call: func(_ time.Time, a []any) any {
			if d, ok := a[0].(time.Duration); ok {
				return formatSpan(d, Text(a[1]))
			}
			return ""
		}},
		"unixtime_seconds_todatetime":      since(time.Second),
		"unixtime_milliseconds_todatetime": since(time.Millisecond),
		"unixtime_microseconds_todatetime": since(time.Microsecond),
	}
	list["getmonth"] = list["monthofyear"]
	return list
}

// unitOfTime returns the span of a unit that has always the same, or 0.
func unitOfTime(name string) time.Duration {
	return map[string]time.Duration{
		"week": 7 * 24 * time.Hour, "day": 24 * time.Hour, "hour": time.Hour, "minute": time.Minute, "second": time.Second,
		"millisecond": time.Millisecond, "microsecond": time.Microsecond, "nanosecond": time.Nanosecond,
	}[strings.ToLower(name)]
}

// isUnit reports whether a function that counts or takes parts of dates knows a unit.
func isUnit(function, name string) bool {
	name = strings.ToLower(name)
	if function == "datetime_part" {
		_, known := partsOf(time.Time{})[name]
		return known
	}
	return unitOfTime(name) > 0 || name == "year" || name == "quarter" || name == "month"
}

func addTime(_ time.Time, a []any) any {
	n, ok1 := a[1].(int64)
	t, ok2 := a[2].(time.Time)
	if !ok1 || !ok2 {
		return nil
	}
	switch strings.ToLower(Text(a[0])) {
	case "year":
		return withinCalendar(addMonths(t, 12*int(n)))
	case "quarter":
		return withinCalendar(addMonths(t, 3*int(n)))
	case "month":
		return withinCalendar(addMonths(t, int(n)))
	}
	if unit := unitOfTime(Text(a[0])); unit > 0 {
		return withinCalendar(t.Add(time.Duration(n) * unit).Truncate(tick))
	}
	return nil
}

// addMonths keeps to the last day of a month that is too short.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// diffTime counts the borders of a unit between two dates.
func diffTime(_ time.Time, a []any) any {
	x, ok1 := a[1].(time.Time)
	y, ok2 := a[2].(time.Time)
	if !ok1 || !ok2 {
		return nil
	}
	months := func(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }
	switch strings.ToLower(Text(a[0])) {
	case "year":
		return int64(x.Year() - y.Year())
	case "quarter":
		return months(x)/3 - months(y)/3
	case "month":
		return months(x) - months(y)
	case "week":
		sunday := func(t time.Time) int64 { return (t.Unix()/86400 + 4) / 7 }
		return sunday(x) - sunday(y)
	}
	unit := unitOfTime(Text(a[0]))
	switch {
	case unit == 0:
		return nil
	case unit < tick:
		return ticksBetween(y, x) * int64(tick/unit)
	}
	return ticksBetween(time.Time{}, x)/int64(unit/tick) - ticksBetween(time.Time{}, y)/int64(unit/tick)
}

func partTime(_ time.Time, a []any) any {
	t, ok := a[1].(time.Time)
	if !ok {
		return nil
	}
	if n, known := partsOf(t)[strings.ToLower(Text(a[0]))]; known {
		return int64(n)
	}
	return nil
}

// partsOf returns the parts of a date, by the names that datetime_part knows.
func partsOf(t time.Time) map[string]int {
	_, week := t.ISOWeek()
	return map[string]int{
		"year": t.Year(), "quarter": (int(t.Month())-1)/3 + 1, "month": int(t.Month()), "week_of_year": week, "day": t.Day(), "dayofyear": t.YearDay(),
		"hour": t.Hour(), "minute": t.Minute(), "second": t.Second(), "millisecond": t.Nanosecond() / 1e6, "microsecond": t.Nanosecond() / 1e3, "nanosecond": t.Nanosecond(),
	}
}

// makeTime makes a date of its parts, of which only the seconds may have a fraction; null of parts that make none.
//
// https://learn.microsoft.com/en-us/kusto/query/make-datetime-function
func makeTime(_ time.Time, a []any) any {
	parts := [5]int{}
	for i := range min(len(a), len(parts)) {
		n, ok := a[i].(int64)
		if !ok || n < 0 || n > 9999 {
			return nil
		}
		parts[i] = int(n)
	}
	rest, ok := makeSpan(time.Time{}, append([]any{int64(parts[3]), int64(parts[4])}, a[min(len(a), len(parts)):]...)).(time.Duration)
	made := time.Date(parts[0], time.Month(parts[1]), parts[2], 0, 0, 0, 0, time.UTC)
	if !ok || parts[0] == 0 || made.Month() != time.Month(parts[1]) || made.Day() != parts[2] {
		return nil
	}
	return made.Add(rest)
}

// makeSpan makes a span of hours and minutes, of seconds after them, and of days before them; null of parts that would make a
// larger one.
//
// https://learn.microsoft.com/en-us/kusto/query/make-timespan-function
func makeSpan(_ time.Time, a []any) any {
	units := []struct {
		unit time.Duration
		size float64
	}{{24 * time.Hour, 1e5}, {time.Hour, 24}, {time.Minute, 60}, {time.Second, 60}}
	if len(a) < len(units) {
		units = units[1:]
	}
	var total time.Duration
	for i, v := range a {
		f, ok := toFloat(v)
		if !ok || f < 0 || f >= units[i].size {
			return nil
		}
		total += time.Duration(math.Round(f * float64(units[i].unit)))
	}
	return total.Truncate(tick)
}

// formatTime writes a date by the letters that format_datetime knows.
func formatTime(t time.Time, format string) any {
	hour12 := (t.Hour()+11)%12 + 1
	return formatted(format, map[string]string{
		"yyyy": fmt.Sprintf("%04d", t.Year()), "yy": fmt.Sprintf("%02d", t.Year()%100), "y": fmt.Sprint(t.Year() % 100), "MM": fmt.Sprintf("%02d", t.Month()), "M": fmt.Sprint(int(t.Month())),
		"dd": fmt.Sprintf("%02d", t.Day()), "d": fmt.Sprint(t.Day()), "HH": fmt.Sprintf("%02d", t.Hour()), "H": fmt.Sprint(t.Hour()),
		"hh": fmt.Sprintf("%02d", hour12), "h": fmt.Sprint(hour12), "mm": fmt.Sprintf("%02d", t.Minute()), "m": fmt.Sprint(t.Minute()),
		"ss": fmt.Sprintf("%02d", t.Second()), "s": fmt.Sprint(t.Second()), "tt": t.Format("PM"),
	}, t.Nanosecond())
}

func formatSpan(d time.Duration, format string) any {
	d = d.Abs()
	days, hours, minutes, seconds := int(d/(24*time.Hour)), int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	letters := map[string]string{
		"HH": fmt.Sprintf("%02d", hours), "H": fmt.Sprint(hours), "hh": fmt.Sprintf("%02d", hours), "h": fmt.Sprint(hours),
		"mm": fmt.Sprintf("%02d", minutes), "m": fmt.Sprint(minutes), "ss": fmt.Sprintf("%02d", seconds), "s": fmt.Sprint(seconds),
	}
	for n := 1; n <= 8; n++ {
		letters[strings.Repeat("d", n)] = fmt.Sprintf("%0*d", n, days)
	}
	return formatted(format, letters, int(d%time.Second))
}

// formatted replaces runs of letters by what they stand for; f and F are fractions of a second.
func formatted(format string, letters map[string]string, nanoseconds int) any {
	var b strings.Builder
	fraction := fmt.Sprintf("%07d", nanoseconds/int(tick))
	for i := 0; i < len(format); {
		end := i + 1
		for end < len(format) && format[end] == format[i] {
			end++
		}
		run := format[i:end]
		switch text, known := letters[run]; {
		case known:
			b.WriteString(text)
		case run[0] == 'f' && len(run) <= 7:
			b.WriteString(fraction[:len(run)])
		case run[0] == 'F' && len(run) <= 7:
			b.WriteString(strings.TrimRight(fraction[:len(run)], "0"))
		case strings.ContainsRune(" /-:,._[]", rune(run[0])):
			b.WriteString(run)
		default:
			return nil
		}
		i = end
	}
	return b.String()
}
