package kusto

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Row is a row of a table by column; what is missing is null, or empty in a column of text.
type Row map[string]any

// Column is a column of a table; Kind is the name of its type in an answer.
type Column struct{ Name, Kind string }

// Of returns the value of the column in a row.
func (c Column) Of(t Row) any {
	if v, ok := t[c.Name]; ok && v != nil {
		return v
	}
	if c.Kind == "String" {
		return ""
	}
	return nil
}

// Table is a table, or what a query makes of one.
type Table struct {
	Columns []Column
	Rows    []Row
	// open relations went through an operator that is not carried out here: a column that is not known is then null
	// and not a mistake.
	open bool
}

func (r Table) column(name string) (Column, bool) {
	i := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return r.Columns[i], true
}

// with puts columns at the end, those of the same name taking the place of the ones there are.
func (r Table) with(columns ...Column) Table {
	r.Columns = slices.Clone(r.Columns)
	for _, c := range columns {
		if i := slices.IndexFunc(r.Columns, func(d Column) bool { return d.Name == c.Name }); i >= 0 {
			r.Columns[i] = c
			continue
		}
		r.Columns = append(r.Columns, c)
	}
	return r
}

// point is where an expression is evaluated: a row and its number, or a group of rows for an aggregate.
type point struct {
	row   Row
	index int
	group []Row
	now   time.Time
}

// expression is a parsed part of a query.
type expression struct {
	// name is what the column is called if it gets no name.
	name string
	// of is the column that the expression merely names; it may be given another name.
	of   string
	eval func(point) any
	// call is the function that the expression is the call of, with its arguments, if it is one.
	call      string
	arguments []expression
}

func constant(v any) expression { return expression{eval: func(point) any { return v }} }

// kindOfColumn is the type of a column, told from its first value.
func kindOfColumn(rows []Row, name string) string {
	for _, t := range rows {
		switch t[name].(type) {
		case nil:
			continue
		case int64:
			return "Int64"
		case float64:
			return "Double"
		case bool:
			return "SByte"
		case time.Time:
			return "DateTime"
		case time.Duration:
			return "TimeSpan"
		case []any, map[string]any:
			return "Object"
		}
		return "String"
	}
	return "String"
}

// disjunction, and the methods after it, read one level of precedence each, the weakest first.
func (p *kqlParser) disjunction() (expression, error) {
	return p.joined("or", p.allOf, func(a, b bool) bool { return a || b })
}

func (p *kqlParser) allOf() (expression, error) {
	return p.joined("and", p.compared, func(a, b bool) bool { return a && b })
}

func (p *kqlParser) joined(operator string, operand func() (expression, error), join func(a, b bool) bool) (expression, error) {
	left, err := operand()
	for err == nil && p.takeWord(operator) {
		a := left
		var b expression
		b, err = operand()
		left = expression{eval: func(at point) any { return join(a.eval(at) == true, b.eval(at) == true) }}
	}
	return left, err
}

// infix are the operators that compare, by their text.
func infix() map[string]func(a, b any) bool {
	return map[string]func(a, b any) bool{
		"==":            equal,
		"!=":            not(equal),
		"=~":            exact(strings.EqualFold),
		"!~":            not(exact(strings.EqualFold)),
		"<":             ordered(func(o int) bool { return o < 0 }),
		"<=":            ordered(func(o int) bool { return o <= 0 }),
		">":             ordered(func(o int) bool { return o > 0 }),
		">=":            ordered(func(o int) bool { return o >= 0 }),
		"contains":      folded(strings.Contains),
		"!contains":     not(folded(strings.Contains)),
		"contains_cs":   exact(strings.Contains),
		"startswith":    folded(strings.HasPrefix),
		"!startswith":   not(folded(strings.HasPrefix)),
		"startswith_cs": exact(strings.HasPrefix),
		"endswith":      folded(strings.HasSuffix),
		"!endswith":     not(folded(strings.HasSuffix)),
		"has":           folded(hasTerm),
		"!has":          not(folded(hasTerm)),
		"has_cs":        exact(hasTerm),
		"hasprefix":     folded(hasTermPrefix),
	}
}

func not(f func(a, b any) bool) func(a, b any) bool {
	return func(a, b any) bool { return !f(a, b) }
}

func exact(f func(a, b string) bool) func(a, b any) bool {
	return func(a, b any) bool { return f(Text(a), Text(b)) }
}

func folded(f func(a, b string) bool) func(a, b any) bool {
	return func(a, b any) bool { return f(strings.ToLower(Text(a)), strings.ToLower(Text(b))) }
}

func ordered(holds func(order int) bool) func(a, b any) bool {
	return func(a, b any) bool {
		o, ok := orderOf(a, b)
		return ok && holds(o)
	}
}

// hasTerm tells whether the text has the term with no letter or digit before or after it.
func hasTerm(text, term string) bool { return findTerm(text, term, true) }

func hasTermPrefix(text, term string) bool { return findTerm(text, term, false) }

func findTerm(text, term string, whole bool) bool {
	head, _ := utf8.DecodeRuneInString(term)
	tail, _ := utf8.DecodeLastRuneInString(term)
	for from := 0; ; {
		i := strings.Index(text[from:], term)
		if i < 0 {
			return false
		}
		start := from + i
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[start+len(term):])
		if !(inTerm(before) && inTerm(head)) && !(whole && inTerm(after) && inTerm(tail)) {
			return true
		}
		from = start + 1
	}
}

func inTerm(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// membership is an operator that looks a value up in a list: whether the list holds when any of its values does, or
// only when all do.
type membership struct {
	holds   func(a, b any) bool
	negated bool
	all     bool
}

// memberships are those operators by their text.
func memberships() map[string]membership {
	alike, has := exact(strings.EqualFold), folded(hasTerm)
	return map[string]membership{
		"in":       {equal, false, false},
		"!in":      {equal, true, false},
		"in~":      {alike, false, false},
		"!in~":     {alike, true, false},
		"has_any":  {has, false, false},
		"!has_any": {has, true, false},
		"has_all":  {has, false, true},
	}
}

func (p *kqlParser) compared() (expression, error) {
	left, err := p.sum()
	if err != nil {
		return left, err
	}
	operator := p.peek().text
	if p.peek().kind == literalToken {
		return left, nil
	}
	if m, found := memberships()[operator]; found {
		p.next()
		return p.listed(left, m)
	}
	switch operator {
	case "matches":
		p.next()
		return p.matches(left)
	case "between", "!between":
		p.next()
		return p.between(left, operator == "!between")
	}
	holds, found := infix()[operator]
	if !found {
		return left, nil
	}
	p.next()
	right, err := p.sum()
	return expression{eval: func(at point) any { return holds(left.eval(at), right.eval(at)) }}, err
}

// listed reads the list that a value is looked up in: written out, a named one, or the first column of a query.
func (p *kqlParser) listed(left expression, m membership) (expression, error) {
	items, err := p.list()
	if err != nil {
		return left, err
	}
	return expression{eval: func(at point) any {
		value := left.eval(at)
		fits := func(item any) bool { return m.holds(value, item) }
		list := items(at)
		held := slices.ContainsFunc(list, fits)
		if m.all {
			held = !slices.ContainsFunc(list, func(item any) bool { return !fits(item) })
		}
		return held != m.negated
	}}, nil
}

func (p *kqlParser) list() (func(point) []any, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.startsTable() {
		found, err := p.pipeline()
		if err != nil {
			return nil, err
		}
		var values []any
		if len(found.Columns) > 0 {
			values = each(found.Rows, found.Columns[0].Of)
		}
		return func(point) []any { return values }, p.expect(")")
	}
	items, err := p.commaSeparated()
	return func(at point) []any {
		var values []any
		for _, item := range items {
			value := item.eval(at)
			if inner, ok := value.([]any); ok {
				values = append(values, inner...)
				continue
			}
			values = append(values, value)
		}
		return values
	}, err
}

// commaSeparated reads expressions up to the closing parenthesis.
func (p *kqlParser) commaSeparated() ([]expression, error) {
	var list []expression
	for !p.take(")") {
		if len(list) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		if p.take("*") {
			list = append(list, expression{name: "*", eval: func(point) any { return nil }})
			continue
		}
		item, err := p.named()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func (p *kqlParser) matches(left expression) (expression, error) {
	if !p.takeWord("regex") {
		return left, p.unexpected()
	}
	t := p.next()
	text, ok := t.value.(string)
	if !ok {
		return left, fmt.Errorf("matches regex takes a text, not %q", t.text)
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return left, fmt.Errorf("%q is not a regular expression", text)
	}
	return expression{eval: func(at point) any { return pattern.MatchString(Text(left.eval(at))) }}, nil
}

func (p *kqlParser) between(left expression, negated bool) (expression, error) {
	if err := p.expect("("); err != nil {
		return left, err
	}
	low, err := p.sum()
	if err != nil {
		return left, err
	}
	if err := p.expect(".."); err != nil {
		return left, err
	}
	high, err := p.sum()
	if err != nil {
		return left, err
	}
	return expression{eval: func(at point) any {
		value := left.eval(at)
		from, ok1 := orderOf(value, low.eval(at))
		to, ok2 := orderOf(value, high.eval(at))
		return ok1 && ok2 && (from >= 0 && to <= 0) != negated
	}}, p.expect(")")
}

func (p *kqlParser) sum() (expression, error) { return p.calculated(p.product, "+", "-") }

func (p *kqlParser) product() (expression, error) { return p.calculated(p.postfix, "*", "/", "%") }

func (p *kqlParser) calculated(operand func() (expression, error), operators ...string) (expression, error) {
	left, err := operand()
	for err == nil && p.peek().kind == signToken && slices.Contains(operators, p.peek().text) {
		operator := p.next().text
		a := left
		var b expression
		b, err = operand()
		left = expression{eval: func(at point) any { return calculate(operator, a.eval(at), b.eval(at)) }}
	}
	return left, err
}

// postfix reads a value with the properties or items that are taken of it.
func (p *kqlParser) postfix() (expression, error) {
	value, err := p.primary()
	for err == nil {
		of := value
		switch {
		case p.take("."):
			t := p.next()
			if t.kind != wordToken {
				return value, fmt.Errorf("a property must follow the dot, not %q", t.text)
			}
			value = expression{name: strings.TrimPrefix(of.name+"_"+t.text, "_"), eval: func(at point) any { return memberOf(of.eval(at), t.text) }}
		case p.take("["):
			var key expression
			if key, err = p.disjunction(); err == nil {
				err = p.expect("]")
			}
			value = expression{eval: func(at point) any { return memberOf(of.eval(at), key.eval(at)) }}
		default:
			return value, nil
		}
	}
	return value, err
}

// memberOf is a property of a bag or an item of a list.
func memberOf(of, key any) any {
	switch of := of.(type) {
	case map[string]any:
		return of[Text(key)]
	case []any:
		if i, ok := key.(int64); ok && i >= 0 && i < int64(len(of)) {
			return of[i]
		}
	}
	return nil
}

func (p *kqlParser) primary() (expression, error) {
	if err := p.deeper(); err != nil {
		return expression{}, err
	}
	defer p.shallower()
	t := p.next()
	switch {
	case t.kind == literalToken:
		return constant(t.value), nil
	case t.text == "(" && p.startsTable():
		return p.toScalar()
	case t.text == "(":
		inner, err := p.disjunction()
		if err != nil {
			return inner, err
		}
		return inner, p.expect(")")
	case t.text == "-" && t.kind == signToken:
		of, err := p.postfix()
		return expression{eval: func(at point) any { return calculate("-", int64(0), of.eval(at)) }}, err
	case t.kind != wordToken || strings.HasPrefix(t.text, "!"):
		return expression{}, fmt.Errorf("syntax error at %q", t.text)
	case t.text == "true" || t.text == "false":
		return constant(t.text == "true"), nil
	case p.take("("):
		return p.function(t.text)
	}
	return p.columnNamed(t.text)
}

// toScalar reads a query in parentheses as the first value of its first row.
func (p *kqlParser) toScalar() (expression, error) {
	found, err := p.pipeline()
	if err != nil {
		return expression{}, err
	}
	if len(found.Rows) == 0 || len(found.Columns) == 0 {
		return constant(nil), p.expect(")")
	}
	return constant(found.Columns[0].Of(found.Rows[0])), p.expect(")")
}

// columnNamed is the column or the let statement of the name.
func (p *kqlParser) columnNamed(name string) (expression, error) {
	if c, found := p.current.column(name); found {
		return expression{name: name, of: name, eval: func(at point) any { return c.Of(at.row) }}, nil
	}
	if value, found := p.scalars[name]; found {
		return constant(value), nil
	}
	if p.current.open {
		return expression{name: name, eval: func(at point) any { return at.row[name] }}, nil
	}
	return expression{}, fmt.Errorf("failed to resolve column or scalar expression named '%s'", name)
}

func (p *kqlParser) function(name string) (expression, error) {
	if name == "toscalar" && p.startsTable() {
		return p.toScalar()
	}
	arguments, err := p.commaSeparated()
	if err != nil {
		return expression{}, err
	}
	e := expression{name: name + "_", call: name, arguments: arguments}
	if len(arguments) > 0 && arguments[0].name != "" && arguments[0].name != "*" {
		e.name = name + "_" + arguments[0].name
	}
	if aggregate, found := aggregates()[name]; found {
		e.eval = func(at point) any { return aggregate(at, arguments) }
		return e, nil
	}
	apply, found := scalarFunctions()[name]
	e.eval = func(at point) any {
		if !found {
			return nil // a function that is not carried out here
		}
		return apply(at, each(arguments, func(a expression) any { return a.eval(at) }))
	}
	return e, nil
}

// equal compares two values; null equals only null, and an empty text.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return (a == nil || a == "") && (b == nil || b == "")
	}
	o, ok := orderOf(a, b)
	return ok && o == 0
}

// orderOf orders two values of one kind; ok is false when they cannot be compared.
func orderOf(a, b any) (int, bool) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y), true
		}
	case bool:
		if y, ok := b.(bool); ok {
			return cmp.Compare(numberOf(x), numberOf(y)), true
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return cmp.Compare(x, y), true
		}
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), true
		}
	}
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	return cmp.Compare(x, y), ok1 && ok2
}

func numberOf(b bool) int {
	if b {
		return 1
	}
	return 0
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

// Text writes a value as text.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.0000000Z")
	case []any, map[string]any:
		return encoded(v)
	}
	return fmt.Sprint(v)
}

// calculate carries out an operator of arithmetic; null when it makes no sense for the values.
func calculate(operator string, a, b any) any {
	switch x := a.(type) {
	case time.Time:
		switch y := b.(type) {
		case time.Time:
			if operator == "-" {
				return x.Sub(y)
			}
		case time.Duration:
			if operator == "-" {
				y = -y
			}
			return x.Add(y)
		}
		return nil
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return calculateSpans(operator, x, y)
		}
	case int64:
		if y, ok := b.(int64); ok {
			return calculateWhole(operator, x, y)
		}
	}
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	if !ok1 || !ok2 {
		return nil
	}
	return calculateReal(operator, x, y)
}

func calculateReal(operator string, x, y float64) any {
	var result float64
	switch operator {
	case "+":
		result = x + y
	case "-":
		result = x - y
	case "*":
		result = x * y
	case "/":
		result = x / y
	case "%":
		result = math.Mod(x, y)
	}
	if math.IsNaN(result) || math.IsInf(result, 0) {
		return nil
	}
	return result
}

func calculateSpans(operator string, x, y time.Duration) any {
	switch operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "/":
		if y != 0 {
			return float64(x) / float64(y)
		}
	}
	return nil
}

func calculateWhole(operator string, x, y int64) any {
	switch operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	}
	if y == 0 {
		return nil
	}
	if operator == "/" {
		return x / y
	}
	return x % y
}

// sortedKeys are the names in a bag, in order.
func sortedKeys(bag map[string]any) []string { return slices.Sorted(maps.Keys(bag)) }

// encoded returns the JSON of a value of a query; there is none that JSON cannot hold.
func encoded(v any) string {
	raw, err := jsonOf(v)
	if err != nil {
		return ""
	}
	return string(raw)
}
