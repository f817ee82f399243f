package odata

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kindOfValue is the type of a value in a $filter: the comparison of two different kinds is an error.
type kindOfValue string

const (
	nullValue     kindOfValue = "null"
	textValue     kindOfValue = "Edm.String"
	numberValue   kindOfValue = "Edm.Decimal"
	timeValue     kindOfValue = "Edm.DateTimeOffset"
	booleanValue  kindOfValue = "Edm.Boolean"
	listValue     kindOfValue = "Collection"
	compoundValue kindOfValue = "Edm.ComplexType"
)

// maxDepth bounds how deep a $filter may nest. A client that sends more is told so with a 400, as OData services do.
const maxDepth = 64

// term is a part of a $filter with its kind known before any row is looked at, so that a mistake is found even when
// there are no rows.
type term struct {
	kind kindOfValue
	// element is the type of the items of a list, and the type of a compound value.
	element reflect.Type
	// value computes the term; nil is null.
	value func(row) any
}

// row is the input of a $filter: the resource, and the variables of the any() around the term.
type row struct {
	resource  reflect.Value
	variables []variable
}

type variable struct {
	name  string
	value reflect.Value
}

// scopedName is a variable of any() while the filter is parsed.
type scopedName struct {
	name    string
	element reflect.Type
}

// parseFilter reads a $filter over resources of the type. With filterable set, only those properties may be named.
func parseFilter(text string, resource reflect.Type, filterable []string) (func(reflect.Value) bool, error) {
	tokens, err := filterTokens(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{tokens: tokens, resource: resource, filterable: filterable}
	condition, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.peek() != "" {
		return nil, fmt.Errorf("syntax error at %q in %q", p.peek(), text)
	}
	if condition.kind != booleanValue {
		return nil, fmt.Errorf("the $filter expression must evaluate to a single boolean value")
	}
	return func(v reflect.Value) bool { return condition.value(row{resource: v}) == true }, nil
}

// filterToken matches one token: a quoted text, a number or date, a word, or a sign. A plus sign belongs to a token only in an
// exponent and in an offset from UTC: everywhere else it is a space that a client encoded twice.
const filterToken = `^(?:'(?:[^']|'')*'|-?[0-9](?:[0-9.]+[eE]\+[0-9]|[0-9A-Za-z:.-])*(?:\+[0-9]{2}:[0-9]{2})?|[A-Za-z_][A-Za-z0-9_.]*|[(),:/])`

// spaces are the characters that separate tokens. The service takes a filter that was encoded twice, with plus signs for its spaces.
const spaces = " +"

func filterTokens(text string) ([]string, error) {
	var tokens []string
	// Compiled for each filter, so that a program that never simulates anything does not do it when it starts.
	pattern := regexp.MustCompile(filterToken)
	rest := strings.TrimLeft(text, spaces)
	for rest != "" {
		token := pattern.FindString(rest)
		if token == "" {
			return nil, fmt.Errorf("syntax error at position %d in %q", len(text)-len(rest), text)
		}
		tokens = append(tokens, token)
		rest = strings.TrimLeft(rest[len(token):], spaces)
	}
	return tokens, nil
}

// filterParser is a recursive descent parser; every method reads one level of precedence, the weakest first.
type filterParser struct {
	tokens     []string
	depth      int
	resource   reflect.Type
	filterable []string
	scope      []scopedName
}

func (p *filterParser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

// take drops the next token if it is the one given.
func (p *filterParser) take(token string) bool {
	if p.peek() != token {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *filterParser) expect(token string) error {
	if !p.take(token) {
		return fmt.Errorf("expected %q but found %q", token, p.peek())
	}
	return nil
}

func (p *filterParser) alternatives() (term, error) {
	return p.chain("or", p.conjunction, func(a, b any) any { return a == true || b == true })
}

func (p *filterParser) conjunction() (term, error) {
	return p.chain("and", p.negation, func(a, b any) any { return a == true && b == true })
}

// chain reads operands joined by a logical operator.
func (p *filterParser) chain(operator string, operand func() (term, error), join func(a, b any) any) (term, error) {
	left, err := operand()
	if err != nil {
		return term{}, err
	}
	for p.take(operator) {
		right, err := operand()
		if err != nil {
			return term{}, err
		}
		if left.kind != booleanValue || right.kind != booleanValue {
			return term{}, fmt.Errorf("the operands of %q must be boolean", operator)
		}
		a, b := left.value, right.value
		left = term{kind: booleanValue, value: func(r row) any { return join(a(r), b(r)) }}
	}
	return left, nil
}

func (p *filterParser) negation() (term, error) {
	if !p.take("not") {
		return p.comparison()
	}
	if err := p.deeper(); err != nil {
		return term{}, err
	}
	defer p.shallower()
	operand, err := p.negation()
	if err != nil {
		return term{}, err
	}
	if operand.kind != booleanValue {
		return term{}, fmt.Errorf("the operand of not must be boolean")
	}
	return term{kind: booleanValue, value: func(r row) any { return operand.value(r) != true }}, nil
}

// comparisons are the operators that order two values; null is neither below nor above anything.
func comparisons() map[string]func(order int) bool {
	return map[string]func(order int) bool{
		"eq": func(order int) bool { return order == 0 },
		"ne": func(order int) bool { return order != 0 },
		"gt": func(order int) bool { return order > 0 },
		"ge": func(order int) bool { return order >= 0 },
		"lt": func(order int) bool { return order < 0 },
		"le": func(order int) bool { return order <= 0 },
	}
}

func (p *filterParser) comparison() (term, error) {
	left, err := p.operand()
	if err != nil {
		return term{}, err
	}
	operator := p.peek()
	if p.take("in") {
		return p.membership(left)
	}
	holds, ok := comparisons()[operator]
	if !ok {
		return left, nil
	}
	p.take(operator)
	right, err := p.operand()
	if err != nil {
		return term{}, err
	}
	equality := operator == "eq" || operator == "ne"
	if err := checkComparable(left, right, equality); err != nil {
		return term{}, fmt.Errorf("%w for operator %q", err, operator)
	}
	return term{kind: booleanValue, value: func(r row) any {
		a, b := left.value(r), right.value(r)
		if a == nil || b == nil {
			return equality && (a == b) == (operator == "eq")
		}
		return holds(order(a, b))
	}}, nil
}

// membership reads the list of in.
func (p *filterParser) membership(left term) (term, error) {
	items, err := p.arguments()
	if err != nil {
		return term{}, err
	}
	for _, item := range items {
		if err := checkComparable(left, item, true); err != nil {
			return term{}, fmt.Errorf("%w for operator \"in\"", err)
		}
	}
	return term{kind: booleanValue, value: func(r row) any {
		a := left.value(r)
		return slices.ContainsFunc(items, func(item term) bool {
			b := item.value(r)
			if a == nil || b == nil {
				return a == b
			}
			return order(a, b) == 0
		})
	}}, nil
}

func checkComparable(a, b term, equality bool) error {
	simple := []kindOfValue{textValue, numberValue, timeValue}
	if equality {
		simple = append(simple, booleanValue, nullValue)
	}
	same := a.kind == b.kind || equality && (a.kind == nullValue || b.kind == nullValue)
	if same && slices.Contains(simple, a.kind) && slices.Contains(simple, b.kind) {
		return nil
	}
	return fmt.Errorf("a binary operator with incompatible types was detected: found operand types %s and %s", a.kind, b.kind)
}

// order compares two values of one kind.
func order(a, b any) int {
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case time.Time:
		return a.Compare(b.(time.Time))
	case bool:
		if a == b.(bool) {
			return 0
		}
		return 1
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(float64(a), b.(float64))
	case float64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, float64(b))
		}
		return cmp.Compare(a, b.(float64))
	}
	return 0
}

func (p *filterParser) deeper() error {
	p.depth++
	if p.depth > maxDepth {
		return fmt.Errorf("the expression nests deeper than %d levels", maxDepth)
	}
	return nil
}

func (p *filterParser) shallower() { p.depth-- }

// operand reads a literal, a function, a property or an expression in parentheses.
func (p *filterParser) operand() (term, error) {
	if err := p.deeper(); err != nil {
		return term{}, err
	}
	defer p.shallower()
	token := p.peek()
	if token == "" {
		return term{}, fmt.Errorf("the expression ends too early")
	}
	p.tokens = p.tokens[1:]
	switch {
	case token == "(":
		inner, err := p.alternatives()
		if err != nil {
			return term{}, err
		}
		return inner, p.expect(")")
	case token == "null":
		return term{kind: nullValue, value: func(row) any { return nil }}, nil
	case token == "true" || token == "false":
		return literal(booleanValue, token == "true"), nil
	case token[0] == '\'':
		return literal(textValue, strings.ReplaceAll(token[1:len(token)-1], "''", "'")), nil
	case token[0] == '-' || token[0] >= '0' && token[0] <= '9':
		return numberOrDate(token)
	case token == strings.Trim(token, "(),:/") && p.peek() == "(":
		return p.function(token)
	case token == strings.Trim(token, "(),:/"):
		return p.path(token)
	}
	return term{}, fmt.Errorf("syntax error at %q", token)
}

func literal(kind kindOfValue, value any) term {
	return term{kind: kind, value: func(row) any { return value }}
}

func numberOrDate(token string) (term, error) {
	if n, err := strconv.ParseInt(token, 10, 64); err == nil {
		return literal(numberValue, n), nil
	}
	if f, err := strconv.ParseFloat(token, 64); err == nil {
		return literal(numberValue, f), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, token); err == nil {
			return literal(timeValue, t), nil
		}
	}
	return term{}, fmt.Errorf("the literal %q is neither a number nor a date", token)
}

// filterFunction is a function over text.
type filterFunction struct {
	arguments int
	result    kindOfValue
	apply     func(texts []string) any
}

// filterFunctions are those that the service documents in its samples, with tolower and toupper.
func filterFunctions() map[string]filterFunction {
	return map[string]filterFunction{
		"contains":   {2, booleanValue, func(t []string) any { return strings.Contains(t[0], t[1]) }},
		"startswith": {2, booleanValue, func(t []string) any { return strings.HasPrefix(t[0], t[1]) }},
		"endswith":   {2, booleanValue, func(t []string) any { return strings.HasSuffix(t[0], t[1]) }},
		"tolower":    {1, textValue, func(t []string) any { return strings.ToLower(t[0]) }},
		"toupper":    {1, textValue, func(t []string) any { return strings.ToUpper(t[0]) }},
	}
}

func (p *filterParser) function(name string) (term, error) {
	function, ok := filterFunctions()[name]
	if !ok {
		return term{}, fmt.Errorf("an unknown function with name %q was found", name)
	}
	arguments, err := p.arguments()
	if err != nil {
		return term{}, err
	}
	if len(arguments) != function.arguments {
		return term{}, fmt.Errorf("the function %q takes %d arguments, not %d", name, function.arguments, len(arguments))
	}
	for _, a := range arguments {
		if a.kind != textValue {
			return term{}, fmt.Errorf("the function %q takes text, not %s", name, a.kind)
		}
	}
	return term{kind: function.result, value: func(r row) any {
		texts := make([]string, len(arguments))
		for i, a := range arguments {
			text, ok := a.value(r).(string)
			if !ok {
				return nil
			}
			texts[i] = text
		}
		return function.apply(texts)
	}}, nil
}

// arguments reads a list in parentheses that is not empty.
func (p *filterParser) arguments() ([]term, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var list []term
	for {
		item, err := p.alternatives()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		if !p.take(",") {
			return list, p.expect(")")
		}
	}
}

// path reads a property, or a variable of any(), with what follows after slashes.
func (p *filterParser) path(first string) (term, error) {
	current, err := p.start(first)
	if err != nil {
		return term{}, err
	}
	for p.take("/") {
		name := p.peek()
		if name == "" {
			return term{}, fmt.Errorf("the path ends too early")
		}
		p.tokens = p.tokens[1:]
		if current.kind == listValue {
			if name != "any" {
				return term{}, fmt.Errorf("a Collection takes any(), not %q", name)
			}
			return p.any(current)
		}
		if current, err = member(current, name); err != nil {
			return term{}, err
		}
	}
	return current, nil
}

func (p *filterParser) start(name string) (term, error) {
	for i, variable := range slices.Backward(p.scope) {
		if variable.name != name {
			continue
		}
		return typed(variable.element, func(r row) reflect.Value { return r.variables[i].value }), nil
	}
	root := term{kind: compoundValue, element: p.resource, value: func(r row) any { return r.resource }}
	property, err := member(root, name)
	if err != nil {
		return term{}, err
	}
	if p.filterable != nil && !containsFold(p.filterable, name) {
		return term{}, fmt.Errorf("the property %q cannot be used in the $filter query option", name)
	}
	return property, nil
}

// member is a property of a compound value.
func member(of term, name string) (term, error) {
	if of.kind != compoundValue {
		return term{}, fmt.Errorf("%s has no property %q", of.kind, name)
	}
	field, ok := fieldNamed(of.element, name)
	if !ok {
		return term{}, fmt.Errorf("could not find a property named %q on type %q", name, of.element.Name())
	}
	return typed(field.Type, func(r row) reflect.Value {
		v, ok := of.value(r).(reflect.Value)
		if !ok {
			return reflect.Value{}
		}
		return v.FieldByIndex(field.Index)
	}), nil
}

// any reads any(x: condition): whether an item of the Collection fulfils it.
func (p *filterParser) any(list term) (term, error) {
	if err := p.expect("("); err != nil {
		return term{}, err
	}
	name := p.peek()
	if name == "" || strings.Trim(name, "(),:/'") != name {
		return term{}, fmt.Errorf("any() takes a variable, not %q", name)
	}
	p.tokens = p.tokens[1:]
	if err := p.expect(":"); err != nil {
		return term{}, err
	}
	if err := p.deeper(); err != nil {
		return term{}, err
	}
	defer p.shallower()
	p.scope = append(p.scope, scopedName{name, list.element})
	condition, err := p.alternatives()
	p.scope = p.scope[:len(p.scope)-1]
	if err != nil {
		return term{}, err
	}
	if condition.kind != booleanValue {
		return term{}, fmt.Errorf("the condition of any() must be boolean")
	}
	return term{kind: booleanValue, value: func(r row) any {
		items, ok := list.value(r).(reflect.Value)
		if !ok {
			return false
		}
		for i := range items.Len() {
			inner := row{r.resource, append(slices.Clip(r.variables), variable{name, items.Index(i)})}
			if condition.value(inner) == true {
				return true
			}
		}
		return false
	}}, p.expect(")")
}

// typed makes a term of a field of the type.
func typed(t reflect.Type, get func(row) reflect.Value) term {
	if t.Kind() == reflect.Pointer {
		inner := typed(t.Elem(), func(r row) reflect.Value {
			v := get(r)
			if !v.IsValid() || v.IsNil() {
				return reflect.Value{}
			}
			return v.Elem()
		})
		return inner
	}
	of := func(kind kindOfValue, convert func(reflect.Value) any) term {
		return term{kind: kind, element: t, value: func(r row) any {
			if v := get(r); v.IsValid() {
				return convert(v)
			}
			return nil
		}}
	}
	switch {
	case t == reflect.TypeFor[Time]():
		return of(timeValue, func(v reflect.Value) any {
			if at := v.Interface().(Time); !at.IsZero() {
				return at.Time
			}
			return nil
		})
	case t.Kind() == reflect.Bool:
		return of(booleanValue, func(v reflect.Value) any { return v.Bool() })
	case t.Kind() == reflect.String:
		nullable := t == reflect.TypeFor[Text]()
		return of(textValue, func(v reflect.Value) any {
			if nullable && v.String() == "" {
				return nil
			}
			return v.String()
		})
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return of(numberValue, func(v reflect.Value) any { return v.Int() })
	case t.Kind() == reflect.Float64:
		return of(numberValue, func(v reflect.Value) any { return v.Float() })
	case t.Kind() == reflect.Slice:
		list := of(listValue, func(v reflect.Value) any { return v })
		list.element = t.Elem()
		return list
	}
	return of(compoundValue, func(v reflect.Value) any { return v })
}

// fieldNamed finds the field of a resource by its name in JSON. The service takes property names in any case.
func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, field := range jsonFields(t) {
		if strings.EqualFold(jsonName(field), name) {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// jsonFields are the fields of a resource that appear in its JSON, those of embedded parts included.
func jsonFields(t reflect.Type) []reflect.StructField {
	if t.Kind() != reflect.Struct {
		return nil
	}
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
		return f.Anonymous || !f.IsExported() || jsonName(f) == ""
	})
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.TrimPrefix(name, "-")
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}
