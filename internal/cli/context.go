package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// incidentContext is the context of an incident after a command, merged as the platform merges it: at a path with a
// key part, an object that matches an existing one is merged into it and any other is appended; a path without a key
// part holds the newest value.
type incidentContext struct{ root contextNode }

// contextNode is a key of the context: its value, and the keys below it in order of arrival.
type contextNode struct {
	put   *contextValue
	names []string
	below map[string]*contextNode
}

// contextValue is the value at a path.
type contextValue struct {
	items []rawjson.Value
	// single reports whether the value is one object instead of a list.
	single bool
	// places find the items that match a new one, by key part.
	places map[string]*places
}

// add merges the context of entries.
func (c *incidentContext) add(entries []warroom.Entry) error {
	for _, entry := range entries {
		for _, put := range entry.Context {
			if err := c.put(put.Path, warroom.JSON(put.Value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *incidentContext) put(path string, value rawjson.Value) error {
	path, key, keyed := strings.Cut(path, "(")
	node := &c.root
	for name := range strings.SplitSeq(path, ".") {
		node = node.child(name)
	}
	list := gjson.Parse(string(value)).IsArray()
	items := []rawjson.Value{value}
	if list {
		items = value.Items("")
	}
	if !keyed {
		*node = contextNode{put: &contextValue{items: items, single: !list}}
		return nil
	}
	same, err := parseCondition(strings.TrimSuffix(key, ")"))
	if err != nil {
		return fmt.Errorf("merging %s into the context: %w", path, err)
	}
	if node.put == nil {
		node.put = &contextValue{single: !list}
	}
	known := node.put.placesBy(key, same)
	for _, item := range items {
		node.put.merge(item, known)
	}
	return nil
}

func (n *contextNode) child(name string) *contextNode {
	if n.below[name] == nil {
		if n.below == nil {
			n.below = map[string]*contextNode{}
		}
		n.names = append(n.names, name)
		n.below[name] = &contextNode{}
	}
	return n.below[name]
}

// places index the items of a value by the keys that a condition compares: comparing every pair would take minutes for
// a list of ten thousand.
type places struct {
	same condition
	at   map[string]int
}

func (v *contextValue) placesBy(key string, same condition) *places {
	if v.places == nil {
		v.places = map[string]*places{}
	}
	if v.places[key] == nil {
		v.places[key] = &places{same, map[string]int{}}
		for at, item := range v.items {
			v.places[key].note(item, at)
		}
	}
	return v.places[key]
}

// note records the place of an item; of several equal ones the first counts.
func (p *places) note(item rawjson.Value, at int) {
	for _, mark := range p.same.marks(item, true) {
		if _, taken := p.at[mark]; !taken {
			p.at[mark] = at
		}
	}
}

// merge merges an item into the first one that it matches, or appends it.
func (v *contextValue) merge(item rawjson.Value, known *places) {
	at := len(v.items)
	for _, mark := range known.same.marks(item, false) {
		if one, ok := known.at[mark]; ok {
			at = min(at, one)
		}
	}
	if at < len(v.items) {
		v.items[at] = merged(v.items[at], item)
	} else {
		v.items = append(v.items, item)
	}
	for _, every := range v.places {
		every.note(v.items[at], at)
	}
	v.single = v.single && len(v.items) == 1
}

// merged returns an object with the keys of another one added; on equal keys the values of the other win.
func merged(object, with rawjson.Value) rawjson.Value {
	if !gjson.Parse(string(object)).IsObject() || !gjson.Parse(string(with)).IsObject() {
		return with
	}
	fresh := map[string]rawjson.Value{}
	with.Each(func(key string, value rawjson.Value) { fresh[key] = value })
	var all warroom.Group
	object.Each(func(key string, value rawjson.Value) {
		if newer, ok := fresh[key]; ok {
			value = newer
			delete(fresh, key)
		}
		all = append(all, warroom.Pair{Key: key, Value: warroom.Raw(value)})
	})
	with.Each(func(key string, value rawjson.Value) {
		if _, left := fresh[key]; left {
			all = append(all, warroom.Pair{Key: key, Value: warroom.Raw(value)})
		}
	})
	return warroom.JSON(all)
}

// value returns the node with everything below it.
func (n *contextNode) value() rawjson.Value {
	var put rawjson.Value
	if n.put != nil {
		if put = rawjson.Join(n.put.items); n.put.single {
			put = n.put.items[0]
		}
	}
	if n.names == nil && put != "" {
		return put
	}
	below := warroom.Group{}
	for _, name := range n.names {
		below = append(below, warroom.Pair{Key: name, Value: warroom.Raw(n.below[name].value())})
	}
	if put == "" {
		return warroom.JSON(below)
	}
	return merged(put, warroom.JSON(below))
}

// condition is the key part of a path, such as "val.ID && val.ID == obj.ID": val is the existing object, obj the new
// one. All terms of at least one alternative must hold.
type condition [][]term

// term compares a key of the existing object with one of the new object, or wants it to be truthy if obj is empty.
type term struct {
	val, obj string
	// strict compares types as well, as === does.
	strict bool
}

// ConditionError reports a key part in a form that this program does not know.
type ConditionError struct{ Term string }

func (e *ConditionError) Error() string {
	return fmt.Sprintf("the key part %q is not understood", e.Term)
}

func parseCondition(text string) (condition, error) {
	var all condition
	for alternative := range strings.SplitSeq(text, "||") {
		var terms []term
		for part := range strings.SplitSeq(alternative, "&&") {
			parsed, err := parseTerm(strings.TrimSpace(part))
			if err != nil {
				return nil, err
			}
			terms = append(terms, parsed)
		}
		all = append(all, terms)
	}
	return all, nil
}

func parseTerm(text string) (term, error) {
	val, obj, compared := strings.Cut(text, "==")
	name, there := strings.CutPrefix(strings.TrimSpace(val), "val.")
	if !compared {
		if !there || strings.ContainsAny(name, " =!<>") {
			return term{}, &ConditionError{text}
		}
		return term{val: name}, nil
	}
	obj, strict := strings.CutPrefix(obj, "=")
	other, comes := strings.CutPrefix(strings.TrimSpace(obj), "obj.")
	if !there || !comes || other == "" {
		return term{}, &ConditionError{text}
	}
	return term{name, other, strict}, nil
}

// marks returns one mark of an object for every alternative: an existing and a new object match if they have a mark in
// common. An existing object has no mark for an alternative that wants a key which it does not hold.
func (c condition) marks(object rawjson.Value, there bool) []string {
	var marks []string
	for number, terms := range c {
		if there && slices.ContainsFunc(terms, func(one term) bool { return one.obj == "" && !truthy(object.Key(one.val)) }) {
			continue
		}
		mark := []string{strconv.Itoa(number)}
		for _, one := range terms {
			key := one.obj
			if there {
				key = one.val
			}
			if one.obj != "" {
				mark = append(mark, identity(object.Key(key), one.strict))
			}
		}
		marks = append(marks, string(rawjson.Make(mark)))
	}
	return marks
}

// truthy reports whether a value satisfies a condition that wants a key. As in JavaScript, a missing value, null, an
// empty text, zero and false do not.
func truthy(value gjson.Result) bool {
	switch value.Type {
	case gjson.String:
		return value.Str != ""
	case gjson.Number:
		return value.Num != 0
	}
	return value.Exists() && value.Type != gjson.Null && value.Type != gjson.False
}

// identity returns the same text for equal values. Strict equality includes the type.
func identity(value gjson.Result, strict bool) string {
	switch {
	case strict:
		return value.Type.String() + " " + value.String()
	case !value.Exists() || value.Type == gjson.Null:
		return ""
	}
	return "=" + value.String()
}

// contextResults collects the context of every run and writes it as one document at the end.
type contextResults struct {
	*program

	query string
	all   incidentContext
	err   error
}

func (r *contextResults) show(result execution.Result) {
	if err := r.all.add(result.Entries); r.err == nil {
		r.err = err
	}
	r.sayFailures(result)
}

func (r *contextResults) end() error {
	if r.err != nil {
		return r.err
	}
	if r.query != "" {
		return r.writeQueried(string(r.all.root.value()), r.query)
	}
	return r.writeDocument(r.all.root.value())
}

// writeDocument writes a JSON document, indented on a terminal and else on one line.
func (p *program) writeDocument(document rawjson.Value) error {
	shown := string(document)
	if p.Width() > 0 {
		var indented bytes.Buffer
		if err := json.Indent(&indented, []byte(document), "", "  "); err != nil {
			return fmt.Errorf("indenting the document: %w", err)
		}
		shown = indented.String()
	}
	_, err := fmt.Fprintln(&visibleJSON{to: p.Out}, shown)
	return err
}
