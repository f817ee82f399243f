// Package odata carries out the query options of OData on lists of Go structs, as the Defender for Endpoint API does:
// $filter, $top, $skip, $orderby, $select, $expand and $count.
//
// https://learn.microsoft.com/en-us/defender-endpoint/api/exposed-apis-odata-samples
package odata

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Collection describes which query options a list accepts.
type Collection struct {
	// Filterable are the properties that $filter may name; nil allows all of them.
	Filterable []string
	// MaxTop is the largest $top, or 0 for 10,000.
	MaxTop int
	// TopIsPage has $top set the size of a page, which others follow. Otherwise it ends the list.
	TopIsPage bool
}

const defaultMaxTop = 10_000

// Expandable is a resource with a part that is only shown with $expand.
type Expandable interface {
	// Expansion returns the name that $expand wants.
	Expansion() string
	// Collapsed returns the resource without the part.
	Collapsed() any
}

// Page is the part of a list that the query options leave.
type Page struct {
	// Items are the resources, as $select and $expand leave them. They encode to JSON.
	Items []any
	// Count is the number of all resources that match, or nil if $count did not ask for it.
	Count *int
	// Next are the query options of the next page, or nil if this page is the last.
	Next url.Values
}

// listOptions are the query options of a list, checked.
type listOptions struct {
	filter  func(reflect.Value) bool
	top     int // -1: no limit of the client's
	skip    int
	orderBy []ordering
	selects []reflect.StructField
	expands bool
	count   bool
}

type ordering struct {
	key        term
	descending bool
}

// knownOptions are the system query options that the service documents. Another one that starts with "$" is refused.
var knownOptions = []string{"$filter", "$top", "$skip", "$orderby", "$select", "$expand", "$count"}

// List returns the page that the query options ask for, of at most pageSize resources. T is a struct, or a pointer to
// one, whose JSON names are the names of its properties. The error of an option that cannot be followed is for the client
// to read.
func List[T any](query url.Values, rows []T, of Collection, pageSize int) (Page, error) {
	resource := reflect.TypeFor[T]()
	if resource.Kind() == reflect.Pointer {
		resource = resource.Elem()
	}
	options, err := parseOptions(query, resource, of)
	if err != nil {
		return Page{}, err
	}
	if of.TopIsPage && options.top > 0 {
		pageSize, options.top = min(options.top, pageSize), -1
	}
	matching := options.matching(values(rows))
	page := Page{Items: []any{}}
	if options.count {
		page.Count = new(len(matching))
	}
	cut, more := options.cut(matching, pageSize)
	for _, v := range cut {
		page.Items = append(page.Items, options.shown(v))
	}
	if more {
		page.Next = options.next(query, len(cut))
	}
	return page, nil
}

// Count returns the number of the rows that $filter leaves.
func Count[T any](query url.Values, rows []*T, of Collection) (int, error) {
	options, err := parseOptions(query, reflect.TypeFor[T](), of)
	if err != nil {
		return 0, err
	}
	return len(options.matching(values(rows))), nil
}

// values looks through the pointers to the resources.
func values[T any](rows []T) []reflect.Value {
	list := make([]reflect.Value, len(rows))
	for i := range rows {
		list[i] = reflect.Indirect(reflect.ValueOf(&rows[i]).Elem())
	}
	return list
}

func parseOptions(query url.Values, resource reflect.Type, of Collection) (listOptions, error) {
	options := listOptions{top: -1}
	for name := range query {
		if strings.HasPrefix(name, "$") && !slices.Contains(knownOptions, name) {
			return options, fmt.Errorf("the query option %q is not known", name)
		}
	}
	var err error
	if query.Has("$top") {
		if options.top, err = natural(query, "$top", cmp.Or(of.MaxTop, defaultMaxTop)); err != nil {
			return options, err
		}
	}
	if query.Has("$skip") {
		if options.skip, err = natural(query, "$skip", 0); err != nil {
			return options, err
		}
	}
	if text := query.Get("$filter"); text != "" {
		if options.filter, err = parseFilter(text, resource, of.Filterable); err != nil {
			return options, err
		}
	}
	if options.orderBy, err = parseOrderBy(query.Get("$orderby"), resource); err != nil {
		return options, err
	}
	if options.selects, err = parseSelect(query.Get("$select"), resource); err != nil {
		return options, err
	}
	if options.expands, err = parseExpand(query.Get("$expand"), resource); err != nil {
		return options, err
	}
	if query.Has("$count") {
		if options.count, err = strconv.ParseBool(query.Get("$count")); err != nil {
			return options, fmt.Errorf("$count is true or false, not %q", query.Get("$count"))
		}
	}
	return options, nil
}

// natural reads a number that is not negative and not over the limit; 0 means no limit.
func natural(query url.Values, name string, limit int) (int, error) {
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("invalid value %q for %s", query.Get(name), name)
	}
	if limit > 0 && n > limit {
		return 0, fmt.Errorf("the limit of %d for %s has been exceeded: it is %d", limit, name, n)
	}
	return n, nil
}

// names splits a list of names at its commas. A plus sign in it is a space that was encoded twice.
func names(text string) []string {
	text = strings.ReplaceAll(text, "+", " ")
	if strings.TrimSpace(text) == "" {
		return nil
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func parseOrderBy(text string, resource reflect.Type) ([]ordering, error) {
	var list []ordering
	for _, item := range names(text) {
		words := strings.Fields(item)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
			return nil, fmt.Errorf("syntax error in $orderby at %q", item)
		}
		root := term{kind: compoundValue, element: resource, value: func(r row) any { return r.resource }}
		key, err := member(root, words[0])
		if err != nil {
			return nil, err
		}
		if key.kind == listValue || key.kind == compoundValue {
			return nil, fmt.Errorf("the property %q cannot be used in the $orderby query option", words[0])
		}
		list = append(list, ordering{key, len(words) == 2 && words[1] == "desc"})
	}
	return list, nil
}

func parseSelect(text string, resource reflect.Type) ([]reflect.StructField, error) {
	var fields []reflect.StructField
	for _, name := range names(text) {
		field, ok := fieldNamed(resource, name)
		if !ok {
			return nil, fmt.Errorf("could not find a property named %q on type %q", name, resource.Name())
		}
		fields = append(fields, field)
	}
	return fields, nil
}

func parseExpand(text string, resource reflect.Type) (bool, error) {
	expands := false
	for _, name := range names(text) {
		e, ok := reflect.TypeAssert[Expandable](reflect.Zero(reflect.PointerTo(resource)))
		if !ok || !strings.EqualFold(e.Expansion(), name) {
			return false, fmt.Errorf("the property %q cannot be used in the $expand query option", name)
		}
		expands = true
	}
	return expands, nil
}

// matching filters and orders.
func (o listOptions) matching(rows []reflect.Value) []reflect.Value {
	if o.filter != nil {
		rows = slices.DeleteFunc(rows, func(v reflect.Value) bool { return !o.filter(v) })
	}
	slices.SortStableFunc(rows, func(a, b reflect.Value) int {
		for _, by := range o.orderBy {
			x, y := by.key.value(row{resource: a}), by.key.value(row{resource: b})
			result := orderWithNull(x, y)
			if by.descending {
				result = -result
			}
			if result != 0 {
				return result
			}
		}
		return 0
	})
	return rows
}

// orderWithNull orders null before everything else.
func orderWithNull(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return order(a, b)
}

// cut takes the page out of the rows; more says that the page size, and not the client's $top, ended it.
func (o listOptions) cut(rows []reflect.Value, pageSize int) (cut []reflect.Value, more bool) {
	rows = rows[min(o.skip, len(rows)):]
	if o.top >= 0 {
		rows = rows[:min(o.top, len(rows))]
	}
	if len(rows) <= pageSize {
		return rows, false
	}
	return rows[:pageSize], true
}

// shown is the resource as $expand and $select leave it.
func (o listOptions) shown(v reflect.Value) any {
	if e, ok := reflect.TypeAssert[Expandable](v.Addr()); ok && !o.expands {
		v = reflect.ValueOf(e.Collapsed())
	}
	if o.selects != nil {
		return selection{v, o.selects}
	}
	return v.Interface()
}

// selection is a resource of which only some properties are written. A collapsed resource may be of another type than the fields, and
// lack the part that was not expanded.
type selection struct {
	resource reflect.Value
	fields   []reflect.StructField
}

func (s selection) MarshalJSON() ([]byte, error) {
	return Object(func(yield func(string, any) bool) {
		for _, selected := range s.fields {
			field, ok := fieldNamed(s.resource.Type(), jsonName(selected))
			if !ok {
				continue
			}
			value := s.resource.FieldByIndex(field.Index)
			if strings.HasSuffix(field.Tag.Get("json"), ",omitempty") && value.IsZero() {
				continue
			}
			if !yield(jsonName(field), value.Interface()) {
				return
			}
		}
	})
}

// Object encodes properties as a JSON object that keeps their order.
func Object(properties iter.Seq2[string, any]) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for key, value := range properties {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(encoded)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// next returns the query options of the rest of a list: $skip moved on, and what is left of $top.
func (o listOptions) next(query url.Values, given int) url.Values {
	query = maps.Clone(query)
	query.Set("$skip", strconv.Itoa(o.skip+given))
	if o.top >= 0 {
		query.Set("$top", strconv.Itoa(o.top-given))
	}
	return query
}
