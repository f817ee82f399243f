package warroom

import (
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
)

// Type is the type of a context path in the platform's manifest.
type Type string

// The types of context paths.
const (
	String  Type = "String"
	Number  Type = "Number"
	Boolean Type = "Boolean"
	Date    Type = "Date"
	Unknown Type = "Unknown"
)

// Field is one key of an object in the context: its source and its meaning.
type Field struct {
	// Name is the key in the context and the header in a table.
	Name string
	// From are the keys of the object, separated by "|"; the first that holds a value is taken, for the
	// service has spelled some keys in several ways over the years. Empty with Make.
	From string
	Type Type
	Help string
	// Of describes the object, or each object of the list, that the field holds; nil for plain values
	// and for objects that are shown as received.
	Of *View
	// Make computes the value from the object; nil means no value.
	Make func(rawjson.Value) Value
	// Gone reports whether the service no longer has anything that the field could show: it stays declared, because
	// playbooks name it, but is never filled. It goes without From and Make.
	Gone bool
}

// View lists the fields of one kind of object in the context. Make one with NewView.
type View struct {
	Fields []Field

	filled bool // fields that hold an empty text or an empty list are left out

	// layout prepares the rest when the first object is shown: most views are declared and never used.
	layout sync.Once
	laid   []laidField    // for each field
	slots  map[string]int // slot of each key of the object
}

// laidField holds what it takes to show a Field.
type laidField struct {
	prefix string // a comma and its name as JSON with the colon
	from   []int  // the slots to look at, in order
	plain  bool   // it is shown as received, and needs no Value, which for thousands of objects would take its time
}

// NewView returns a view of the fields in the order in which they are shown.
func NewView(fields ...Field) *View { return &View{Fields: fields} }

// prepare lays out the slots into which an object is taken apart.
func (v *View) prepare() {
	v.slots = make(map[string]int, len(v.Fields))
	for _, field := range v.Fields {
		var from []int
		for key := range strings.SplitSeq(field.From, "|") {
			if key == "" {
				continue
			}
			slot, known := v.slots[key]
			if !known {
				slot = len(v.slots)
				v.slots[key] = slot
			}
			from = append(from, slot)
		}
		prefix := "," + string(gjson.AppendJSONString(nil, field.Name)) + ":"
		v.laid = append(v.laid, laidField{prefix, from, field.Make == nil && field.Of == nil})
	}
}

// Names returns the names of the fields; a nil view has none.
func (v *View) Names() []string {
	if v == nil {
		return nil
	}
	names := make([]string, len(v.Fields))
	for i, field := range v.Fields {
		names[i] = field.Name
	}
	return names
}

// With returns the view with further fields after its own.
func (v *View) With(fields ...Field) *View {
	return NewView(append(slices.Clip(v.Fields), fields...)...)
}

// Filled returns the view without fields that hold an empty text or an empty list, as if the object lacked them.
func (v *View) Filled() *View { return &View{Fields: v.Fields, filled: true} }

// Only returns the view restricted to the named fields, in that order.
func (v *View) Only(names ...string) *View {
	var fields []Field
	for _, name := range names {
		for _, field := range v.Fields {
			if field.Name == name {
				fields = append(fields, field)
			}
		}
	}
	return NewView(fields...)
}

// row is one object taken apart in a single pass.
type row struct {
	view   *View
	object rawjson.Value
	slots  []rawjson.Value // as received; "" for a key that the object lacks
	// shape remembers the keys of the object before, and places are their slots: to find a key where it was costs less than to
	// look it up. It is nil for a few objects.
	shape  *rawjson.Shape
	places []int
}

// leastShaped is for how many objects a shape is worth while.
const leastShaped = 16

func (r *row) read(o rawjson.Value) {
	r.object = o
	clear(r.slots)
	r.shape.Members(o, func(m rawjson.Member) {
		// Of a key that comes twice the first value counts, as for code that decides by the object itself.
		if slot := r.slot(m); slot >= 0 && r.slots[slot] == "" {
			r.slots[slot] = m.Value
		}
	})
}

// slot returns the slot of a member; it is negative when the view has no use for the key.
func (r *row) slot(m rawjson.Member) int {
	if m.Same {
		return r.places[m.Number]
	}
	slot, wanted := r.view.slots[m.Key.String()]
	if !wanted {
		slot = -1
	}
	switch {
	case m.Number < len(r.places):
		r.places[m.Number] = slot
	case r.shape != nil:
		r.places = append(r.places, slot)
	}
	return slot
}

// field returns the value of a field, or nil if it has none.
func (r *row) field(i int) Value {
	field := &r.view.Fields[i]
	if field.Make != nil {
		return field.Make(r.object)
	}
	found := r.received(&r.view.laid[i])
	switch {
	case found == "":
		return nil
	case field.Of == nil:
		return Raw(found)
	}
	return nested(found, field.Of)
}

// received returns what the object holds for a field, or "". Nulls count as nothing, because the platform does not tell
// a null from a missing key.
func (r *row) received(field *laidField) rawjson.Value {
	for _, slot := range field.from {
		if found := r.slots[slot]; found != "" && found != "null" && !(r.view.filled && isEmpty(found)) {
			return found
		}
	}
	return ""
}

// isEmpty reports whether a value is an empty text or an empty list.
func isEmpty(found rawjson.Value) bool {
	if found[0] != '"' && found[0] != '[' {
		return false
	}
	return strings.TrimSpace(string(found[1:len(found)-1])) == ""
}

func nested(found rawjson.Value, view *View) Value {
	switch found[0] {
	case '{':
		return Records{View: view, Rows: []rawjson.Value{found}, Single: true}
	case '[':
		rows := slices.DeleteFunc(found.Items(""), func(item rawjson.Value) bool { return item[0] != '{' })
		if len(rows) == 0 {
			return nil
		}
		return Records{View: view, Rows: rows}
	}
	return Raw(found)
}

// Records are objects seen through a view. Without a view they are shown as received.
type Records struct {
	View *View
	Rows []rawjson.Value
	// Single shows the first object alone instead of a list.
	Single bool
}

// EncodeJSON writes the objects with the keys of the view. Keys without a value are left out, and so are the objects of a
// list that have no other keys: nulls of the service make no empty objects.
func (r Records) EncodeJSON(e *Encoder) {
	rows := r.Rows
	if r.Single {
		if len(rows) == 0 {
			e.Raw("{}")
			return
		}
		rows = rows[:1]
	} else {
		e.Raw("[")
	}
	lead := ""
	r.each(rows, func(_ int, row *row, object rawjson.Value) {
		switch {
		case row == nil:
			e.write(lead)
			Raw(object).EncodeJSON(e)
			lead = ","
		case row.encode(e, lead):
			lead = ","
		case r.Single:
			e.write("{}")
		}
	})
	if !r.Single {
		e.Raw("]")
	}
}

// each goes over the objects; row is nil if there is no view.
func (r Records) each(rows []rawjson.Value, visit func(i int, row *row, object rawjson.Value)) {
	var current *row
	if r.View != nil {
		r.View.layout.Do(r.View.prepare)
		current = &row{view: r.View, slots: make([]rawjson.Value, len(r.View.slots))}
		if len(rows) >= leastShaped {
			current.shape = &rawjson.Shape{}
		}
	}
	for i, object := range rows {
		if current != nil {
			current.read(object)
		}
		visit(i, current, object)
	}
}

// encode writes the object behind lead, unless it has no value for any field.
func (r *row) encode(e *Encoder, lead string) bool {
	text := e.begin()
	empty := true
	for i := range r.view.laid {
		field := &r.view.laid[i]
		var found rawjson.Value
		var made Value
		if field.plain {
			found = r.received(field)
		} else {
			made = r.field(i)
		}
		if found == "" && made == nil {
			continue
		}
		prefix := field.prefix
		if empty {
			text = append(append(text, lead...), '{')
			prefix = prefix[len(","):]
			empty = false
		}
		text = append(text, prefix...)
		switch {
		case made != nil:
			e.end(text)
			made.EncodeJSON(e)
			text = e.begin()
		case found[0] == '{' || found[0] == '[':
			e.end(text)
			e.Raw(string(found))
			text = e.begin()
		default: // one token, in which JSON has no line break
			text = append(text, found...)
		}
	}
	if !empty {
		e.end(append(text, '}'))
	}
	return !empty
}
