// Package rawjson holds answers of the service as the text that was received: numbers keep their digits,
// unknown keys survive, and nothing is decoded that nobody asks for.
package rawjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Value is one valid JSON value, mostly an object.
type Value string

// MaxDepth is how many objects and lists may be nested, far more than the service nests. Whatever
// reads JSON calls itself for every level: without a limit, a text of brackets alone would use up the stack, which
// no Go program survives.
const MaxDepth = 1000

// What is wrong with an answer that Parse refuses.
var (
	ErrNotJSON = errors.New("not valid JSON")
	ErrTooDeep = fmt.Errorf("JSON that is nested deeper than %d levels", MaxDepth)
)

// ByteOrderMark begins texts in UTF-8 of some programs.
const ByteOrderMark = "\uFEFF"

// Parse checks text once as a whole, so that later reads need not. A byte order mark before it is dropped. Bytes that are
// not UTF-8 become the replacement character: a line of the platform's protocol must be UTF-8.
func Parse(text string) (Value, error) {
	text = clean(text)
	if err := newChecker(text).check(); err != nil {
		return "", err
	}
	return Value(text), nil
}

func clean(text string) string {
	text = strings.TrimPrefix(text, ByteOrderMark)
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	return text
}

// Page is an answer that holds a list, in the form of OData
// (https://docs.oasis-open.org/odata/odata-json-format/v4.01/odata-json-format-v4.01.html#sec_CollectionofEntities).
type Page struct {
	Whole Value
	// Items are the elements of the list; nil if the answer has none.
	Items []Value
	// Next is the link to the next page; "" without one.
	Next string
}

// ParsePage is Parse for an answer that holds a list, which is taken apart while it is checked.
func ParsePage(text string) (Page, error) {
	text = clean(text)
	items, next, err := newChecker(text).page()
	if err != nil {
		return Page{}, err
	}
	return Page{Whole: Value(text), Items: items, Next: next.String()}, nil
}

// Make encodes v, a struct, map or list of plain values. It panics on a value that JSON cannot hold,
// which is a mistake in the calling code.
func Make(v any) Value {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("rawjson: value cannot be JSON: %v", err))
	}
	return Value(strings.TrimSuffix(text.String(), "\n"))
}

// Get reads one value by its gjson path.
func (v Value) Get(path string) gjson.Result { return gjson.Get(string(v), path) }

// Key reads the value of one key, whatever characters the key has.
func (v Value) Key(name string) gjson.Result { return v.Get(gjson.Escape(name)) }

// Text reads the text at the first of the keys that holds a value, else "". The service has spelled
// some keys in several ways over the years.
func (v Value) Text(keys ...string) string {
	for _, key := range keys {
		if found := v.Key(key); found.Exists() && found.Type != gjson.Null {
			return strings.Clone(Plain(found))
		}
	}
	return ""
}

// String is the readable form of the value: a text without its quotes, anything else as JSON.
func (v Value) String() string { return Plain(gjson.Parse(string(v))) }

// Plain is the readable form of a value: a text without its quotes, anything else as JSON, a number with the digits
// that were received.
func Plain(value gjson.Result) string {
	if value.Type == gjson.Number {
		return value.Raw
	}
	return value.String()
}

// Has reports whether a key holds a value other than null.
func (v Value) Has(key string) bool {
	found := v.Key(key)
	return found.Exists() && found.Type != gjson.Null
}

// Items are the elements of the list at path; path "" is the value itself. Something that is not a list
// has no elements.
func (v Value) Items(path string) []Value {
	list := gjson.Parse(string(v))
	if path != "" {
		list = v.Get(path)
	}
	if !list.IsArray() {
		return nil
	}
	items := []Value{}
	list.ForEach(func(_, item gjson.Result) bool {
		items = append(items, Value(item.Raw))
		return true
	})
	return items
}

// Each goes over the keys of the object in the order received.
func (v Value) Each(visit func(key string, value Value)) {
	(*Shape)(nil).Members(v, func(m Member) { visit(m.Key.String(), m.Value) })
}

// Bare returns an object without the annotations of OData, such as @odata.context on objects that the service returns
// alone and severity@odata.type on any
// (https://learn.microsoft.com/odata/client/odata-annotations), and with one value for a repeated key: the last one, which
// is what JSON readers keep, in the place of the first.
func (v Value) Bare() Value {
	whole := gjson.Parse(string(v))
	if !whole.IsObject() {
		return v
	}
	type member struct{ key, value gjson.Result }
	members := make([]member, 0, usualKeys)
	same := true
	whole.ForEach(func(key, value gjson.Result) bool {
		if strings.Contains(key.Str, "@odata.") {
			same = false
			return true
		}
		if first := slices.IndexFunc(members, func(known member) bool { return known.key.Str == key.Str }); first >= 0 {
			members[first].value, same = value, false
			return true
		}
		members = append(members, member{key, value})
		return true
	})
	if same {
		return v
	}
	var bare strings.Builder
	bare.WriteByte('{')
	for i, one := range members {
		if i > 0 {
			bare.WriteByte(',')
		}
		bare.WriteString(one.key.Raw + ":" + one.value.Raw)
	}
	bare.WriteByte('}')
	return Value(bare.String())
}

// usualKeys is more than most objects of the service have.
const usualKeys = 48

// Join makes one list of the items.
func Join(items []Value) Value {
	size := len("[]") + len(items)
	for _, item := range items {
		size += len(item)
	}
	var text strings.Builder
	text.Grow(size)
	text.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(string(item))
	}
	text.WriteByte(']')
	return Value(text.String())
}
