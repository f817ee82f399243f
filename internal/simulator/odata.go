package simulator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// collection says what the query options of a list may do. Microsoft documents both per operation.
type collection struct {
	// name is the entity set in @odata.context.
	name string
	// filterable are the properties that $filter may name; nil is all of them, where nothing is documented.
	filterable []string
	// maxTop is the largest $top, defaultMaxTop when 0.
	maxTop int
}

const (
	defaultMaxTop   = 10_000
	defaultPageSize = 10_000
)

// expandable is a resource with a part that is only shown with $expand.
type expandable interface {
	// expansion is the name that $expand wants.
	expansion() string
	// collapsed is the resource without the part.
	collapsed() any
}

// page is the answer to a list operation.
type page struct {
	Context  string `json:"@odata.context"`
	Count    *int   `json:"@odata.count,omitempty"`
	Value    []any  `json:"value"`
	NextLink string `json:"@odata.nextLink,omitempty"`
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

// list answers with the rows that the query options ask for.
func list[T any](c *company, call *call, rows []T, of collection) (reply, *apiError) {
	return listPaged(c, call, rows, of, c.pageSize)
}

// listPaged is list with a page size of its own.
func listPaged[T any](c *company, call *call, rows []T, of collection, pageSize int) (reply, *apiError) {
	resource := reflect.TypeFor[T]()
	if resource.Kind() == reflect.Pointer {
		resource = resource.Elem()
	}
	options, err := parseOptions(call.query, resource, of)
	if err != nil {
		return reply{}, &apiError{http.StatusBadRequest, "BadRequest", fmt.Sprintf("The query specified in the URI is not valid: %v.", err)}
	}
	matching := options.matching(values(rows))
	answer := page{Context: c.context(of.name), Value: []any{}}
	if options.count {
		answer.Count = new(len(matching))
	}
	cut, more := options.cut(matching, pageSize)
	for _, v := range cut {
		answer.Value = append(answer.Value, options.shown(v))
	}
	if more {
		answer.NextLink = c.nextLink(call, options, len(cut))
	}
	return reply{http.StatusOK, answer}, nil
}

// countOf answers with the bare number of the rows that $filter leaves.
func countOf[T any](call *call, rows []*T, of collection) (reply, *apiError) {
	options, err := parseOptions(call.query, reflect.TypeFor[T](), of)
	if err != nil {
		return reply{}, &apiError{http.StatusBadRequest, "BadRequest", fmt.Sprintf("The query specified in the URI is not valid: %v.", err)}
	}
	return reply{http.StatusOK, len(options.matching(values(rows)))}, nil
}

// values looks through the pointers to the resources.
func values[T any](rows []T) []reflect.Value {
	list := make([]reflect.Value, len(rows))
	for i := range rows {
		list[i] = reflect.Indirect(reflect.ValueOf(&rows[i]).Elem())
	}
	return list
}

func parseOptions(query url.Values, resource reflect.Type, of collection) (listOptions, error) {
	options := listOptions{top: -1}
	for name := range query {
		if strings.HasPrefix(name, "$") && !slices.Contains(knownOptions, name) {
			return options, fmt.Errorf("the query option %q is not known", name)
		}
	}
	var err error
	if query.Has("$top") {
		if options.top, err = natural(query, "$top", cmp.Or(of.maxTop, defaultMaxTop)); err != nil {
			return options, err
		}
	}
	if query.Has("$skip") {
		if options.skip, err = natural(query, "$skip", 0); err != nil {
			return options, err
		}
	}
	if text := query.Get("$filter"); text != "" {
		if options.filter, err = parseFilter(text, resource, of.filterable); err != nil {
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

// natural reads a number that is not negative and not over the limit; a limit of 0 is none.
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

// names splits a list of names at its commas.
func names(text string) []string {
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
		e, ok := reflect.TypeAssert[expandable](reflect.Zero(reflect.PointerTo(resource)))
		if !ok || !strings.EqualFold(e.expansion(), name) {
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
	if e, ok := reflect.TypeAssert[expandable](v.Addr()); ok && !o.expands {
		v = reflect.ValueOf(e.collapsed())
	}
	if o.selects != nil {
		return selection{v, o.selects}
	}
	return v.Interface()
}

// selection is a resource of which only some properties are written.
type selection struct {
	resource reflect.Value
	fields   []reflect.StructField
}

func (s selection) MarshalJSON() ([]byte, error) {
	object := make(record, len(s.fields))
	for i, field := range s.fields {
		object[i] = property{jsonName(field), s.resource.FieldByIndex(field.Index).Interface()}
	}
	return object.MarshalJSON()
}

// record is a JSON object whose properties keep their order.
type record []property

type property struct {
	name  string
	value any
}

func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(p.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// nextLink leads to the rest of a list: the same request with $skip moved on, and what is left of $top.
func (c *company) nextLink(call *call, o listOptions, given int) string {
	query := maps.Clone(call.query)
	query.Set("$skip", strconv.Itoa(o.skip+given))
	if o.top >= 0 {
		query.Set("$top", strconv.Itoa(o.top-given))
	}
	return c.base + call.path + "?" + query.Encode()
}

func (c *company) context(set string) string { return c.base + "/api/$metadata#" + set }
