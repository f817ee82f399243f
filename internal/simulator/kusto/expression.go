package kusto

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// frame is the input of an expression: a row, or a group of rows for an aggregate.
type frame struct {
	row   []any
	index int
	rows  [][]any // all rows of the table, or those of the group
}

// expression is a part of a query that has a value for each row, or for each group of rows.
type expression struct {
	typ  Type
	eval func(*frame) any
	// name is the name of its column if it is given none; "" numbers it.
	name string
	// column is the column that the expression merely names.
	column string
	// constant expressions do not look at the row.
	constant bool
	// several are the columns of a function that makes several, such as arg_max.
	several []namedExpression
}

type namedExpression struct {
	name  string
	value expression
	// star reports whether the column was not named: it came with an asterisk.
	star bool
}

// single refuses a function that makes several columns, where one value is needed.
func single(e expression, err error) (expression, error) {
	if err == nil && e.several != nil {
		err = errors.New("a function that makes several columns is used where one value is expected")
	}
	return e, err
}

// severally returns the expression of a function that makes several columns.
func severally(columns []namedExpression) expression {
	return expression{typ: severalColumns, several: columns, eval: func(*frame) any { return nil }}
}

func constant(v any, typ Type) expression {
	return expression{typ: typ, constant: true, eval: func(*frame) any { return v }}
}

// expression reads the weakest level of precedence; the methods after it read the stronger ones.
func (p *parser) expression() (expression, error) {
	if err := p.deeper(); err != nil {
		return expression{}, err
	}
	defer p.shallower()
	return p.joined("or", p.conjunction, func(a, b any) any {
		switch {
		case a == true || b == true:
			return true
		case a == nil || b == nil:
			return nil
		}
		return false
	})
}

func (p *parser) conjunction() (expression, error) {
	return p.joined("and", p.comparison, func(a, b any) any {
		switch {
		case a == false || b == false:
			return false
		case a == nil || b == nil:
			return nil
		}
		return true
	})
}

func (p *parser) joined(operator string, operand func() (expression, error), join func(a, b any) any) (expression, error) {
	left, err := operand()
	for err == nil && p.takeWord(operator) {
		var right expression
		if right, err = operand(); err != nil {
			break
		}
		for _, e := range []expression{left, right} {
			if e.typ != Bool && e.typ != Dynamic {
				return left, fmt.Errorf("the operator '%s' takes bool, not %s", operator, e.typ)
			}
		}
		a, b := left.eval, right.eval
		left = expression{typ: Bool, constant: left.constant && right.constant, eval: func(f *frame) any { return join(a(f), b(f)) }}
	}
	return left, err
}

// textOperators compare texts.
func textOperators() map[string]func(a, b string) bool {
	return map[string]func(a, b string) bool{
		"contains":      folded(strings.Contains),
		"contains_cs":   strings.Contains,
		"startswith":    folded(strings.HasPrefix),
		"startswith_cs": strings.HasPrefix,
		"endswith":      folded(strings.HasSuffix),
		"endswith_cs":   strings.HasSuffix,
		"has":           folded(func(a, b string) bool { return findTerm(a, b, true, true) }),
		"has_cs":        func(a, b string) bool { return findTerm(a, b, true, true) },
		"hasprefix":     folded(func(a, b string) bool { return findTerm(a, b, true, false) }),
		"hasprefix_cs":  func(a, b string) bool { return findTerm(a, b, true, false) },
		"hassuffix":     folded(func(a, b string) bool { return findTerm(a, b, false, true) }),
		"hassuffix_cs":  func(a, b string) bool { return findTerm(a, b, false, true) },
	}
}

func folded(f func(a, b string) bool) func(a, b string) bool {
	return func(a, b string) bool { return f(strings.ToLower(a), strings.ToLower(b)) }
}

// findTerm looks for a term in a text, which no letter or digit may adjoin at its start and end, as far as asked for.
func findTerm(text, term string, start, end bool) bool {
	head, _ := utf8.DecodeRuneInString(term)
	tail, _ := utf8.DecodeLastRuneInString(term)
	for from := 0; from <= len(text); {
		i := strings.Index(text[from:], term)
		if i < 0 {
			return false
		}
		at := from + i
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(term):])
		if !(start && inTerm(before) && inTerm(head)) && !(end && inTerm(after) && inTerm(tail)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from = at + max(1, size)
	}
	return false
}

func inTerm(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

func (p *parser) comparison() (expression, error) {
	if next := p.peekAt(1); p.is(signToken, "*") && (next.kind == wordToken || next.kind == signToken && slices.Contains(comparisonSigns(), next.text)) {
		return p.anyColumn()
	}
	left, err := p.sum()
	if err != nil {
		return left, err
	}
	return p.compared(left)
}

// comparisonSigns are the operators that compare values and are no words.
func comparisonSigns() []string {
	return []string{"==", "!=", "<>", "<", "<=", ">", ">=", "=~", "!~"}
}

// anyColumn reads "* has ..." and the like, which holds if it does for any column.
func (p *parser) anyColumn() (expression, error) {
	p.next()
	var all []expression
	tokens := p.tokens
	for i, c := range p.current.Columns {
		if c.Type != String && c.Type != Dynamic {
			continue
		}
		p.tokens = tokens
		one, err := p.compared(columnExpression(c, i))
		if err != nil {
			return one, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return expression{}, errors.New("there is no column of text to compare")
	}
	return expression{typ: Bool, eval: func(f *frame) any {
		return slices.ContainsFunc(all, func(e expression) bool { return e.eval(f) == true })
	}}, nil
}

// compared reads what a value is compared with, if anything.
func (p *parser) compared(left expression) (expression, error) {
	t := p.peek()
	switch {
	case t.kind == signToken && slices.Contains(comparisonSigns(), t.text):
		p.next()
		right, err := p.sum()
		if err != nil {
			return left, err
		}
		if t.text == "=~" || t.text == "!~" {
			return textual(left, right, t.text == "!~", strings.EqualFold)
		}
		return compareTyped(t.text, left, right)
	case t.kind == wordToken:
		name, negated := strings.CutPrefix(t.text, "!")
		if compare, ok := textOperators()[name]; ok {
			p.next()
			right, err := p.sum()
			if err != nil {
				return left, err
			}
			return textual(left, right, negated, compare)
		}
		switch name {
		case "in", "in~":
			p.next()
			return p.member(left, negated, name == "in~")
		case "has_any", "has_all":
			p.next()
			return p.hasSeveral(left, negated, name == "has_all")
		case "between":
			p.next()
			return p.between(left, negated)
		case "matches":
			p.next()
			return p.matches(left)
		case "like", "notlike", "hasprefix_any", "contains_any":
			return left, unsupported("operator", t.text)
		}
	}
	return left, nil
}

// textual compares texts. A dynamic value counts as its text.
func textual(left, right expression, negated bool, compare func(a, b string) bool) (expression, error) {
	for _, e := range []expression{left, right} {
		if e.typ != String && e.typ != Dynamic && e.typ != GUID {
			return left, fmt.Errorf("a text is compared with a value of type %s; use tostring", e.typ)
		}
	}
	a, b := left.eval, right.eval
	return expression{typ: Bool, constant: left.constant && right.constant, eval: func(f *frame) any {
		return compare(Text(a(f)), Text(b(f))) != negated
	}}, nil
}

// compareTyped compares values of types that can be compared.
func compareTyped(operator string, left, right expression) (expression, error) {
	equality := operator == "==" || operator == "!=" || operator == "<>"
	if !areComparable(left.typ, right.typ) {
		return left, fmt.Errorf("cannot compare values of types %s and %s; try adding explicit casts", left.typ, right.typ)
	}
	if !equality && (left.typ == Bool || right.typ == Bool) {
		return left, fmt.Errorf("the operator '%s' is not defined for bool", operator)
	}
	a, b := left.eval, right.eval
	return expression{typ: Bool, constant: left.constant && right.constant, eval: func(f *frame) any {
		return compareValues(operator, a(f), b(f))
	}}, nil
}

func areComparable(a, b Type) bool {
	if a == severalColumns || b == severalColumns {
		return false
	}
	text := func(t Type) bool { return t == String || t == GUID }
	number := func(t Type) bool { return t.numeric() || t == Bool } // a column of bool is one of numbers for the service
	return a == b || a == Dynamic || b == Dynamic || number(a) && number(b) || text(a) && text(b)
}

func compareValues(operator string, x, y any) any {
	negated := operator == "!=" || operator == "<>"
	if isNaN(x) || isNaN(y) { // which nothing equals, and nothing exceeds
		return negated
	}
	if operator == "==" || negated {
		if x == nil && y == nil {
			return nil
		}
		if x == nil || y == nil {
			return negated
		}
		order, ok := compare(x, y)
		return (ok && order == 0) != negated
	}
	order, ok := compare(x, y)
	if x == nil || y == nil || !ok {
		return nil
	}
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// list is the operand after in, has_any and has_all.
type list struct {
	of    func(*frame) []any
	fixed bool // the same for every row
}

// values reads a list in parentheses: values, lists, or the first column of a table.
func (p *parser) values(of Type) (list, error) {
	if err := p.expect("("); err != nil {
		return list{}, err
	}
	if p.isTabular() {
		t, err := p.pipeline()
		if err != nil {
			return list{}, err
		}
		if len(t.Columns) == 0 {
			return list{}, errors.New("a table without columns has no values")
		}
		var all []any
		for _, row := range t.Rows {
			all = append(all, row[0])
		}
		return list{func(*frame) []any { return all }, true}, p.expect(")")
	}
	made := list{fixed: true}
	var all []expression
	for !p.is(signToken, ")") {
		e, err := p.sum()
		if err != nil {
			return list{}, err
		}
		if !areComparable(e.typ, of) {
			return list{}, fmt.Errorf("cannot compare values of types %s and %s; try adding explicit casts", of, e.typ)
		}
		all = append(all, e)
		made.fixed = made.fixed && e.constant
		if !p.take(",") {
			break
		}
	}
	made.of = func(f *frame) []any {
		var values []any
		for _, e := range all {
			v := e.eval(f)
			if items, ok := v.([]any); ok {
				values = append(values, items...)
				continue
			}
			values = append(values, v)
		}
		return values
	}
	if made.fixed {
		values := made.of(&frame{})
		made.of = func(*frame) []any { return values }
	}
	return made, p.expect(")")
}

func (p *parser) member(left expression, negated, fold bool) (expression, error) {
	values, err := p.values(left.typ)
	if err != nil {
		return left, err
	}
	a := left.eval
	var prepared map[string]bool
	if values.fixed {
		prepared = setOf(values.of(&frame{}), fold)
	}
	return expression{typ: Bool, constant: left.constant && values.fixed, eval: func(f *frame) any {
		set := prepared
		if set == nil {
			set = setOf(values.of(f), fold)
		}
		v := a(f)
		if v == nil {
			return negated
		}
		if fold {
			v = strings.ToLower(Text(v))
		}
		return set[key(v)] != negated
	}}, nil
}

func setOf(values []any, fold bool) map[string]bool {
	set := make(map[string]bool, len(values))
	for _, v := range values {
		if fold {
			v = strings.ToLower(Text(v))
		}
		set[key(v)] = true
	}
	return set
}

func (p *parser) hasSeveral(left expression, negated, all bool) (expression, error) {
	values, err := p.values(String)
	if err != nil {
		return left, err
	}
	if left.typ != String && left.typ != Dynamic {
		return left, fmt.Errorf("a text is compared with a value of type %s; use tostring", left.typ)
	}
	a, has := left.eval, textOperators()["has"]
	return expression{typ: Bool, constant: left.constant && values.fixed, eval: func(f *frame) any {
		text := Text(a(f))
		holds := func(v any) bool { return has(text, Text(v)) }
		terms := values.of(f)
		if all {
			return !slices.ContainsFunc(terms, func(v any) bool { return !holds(v) }) != negated
		}
		return slices.ContainsFunc(terms, holds) != negated
	}}, nil
}

func (p *parser) between(left expression, negated bool) (expression, error) {
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
	if !areComparable(left.typ, low.typ) || !areComparable(left.typ, high.typ) && !(left.typ == DateTime && high.typ == TimeSpan) {
		return left, fmt.Errorf("cannot compare values of types %s, %s and %s; try adding explicit casts", left.typ, low.typ, high.typ)
	}
	a, b, c := left.eval, low.eval, high.eval
	return expression{typ: Bool, eval: func(f *frame) any {
		v, from, to := a(f), b(f), c(f)
		if span, ok := to.(time.Duration); ok {
			if start, ok := from.(time.Time); ok {
				to = start.Add(span)
			}
		}
		x, y := compareValues(">=", v, from), compareValues("<=", v, to)
		if x == nil || y == nil {
			return nil
		}
		return (x == true && y == true) != negated
	}}, p.expect(")")
}

func (p *parser) matches(left expression) (expression, error) {
	if !p.takeWord("regex") {
		return left, p.unexpected()
	}
	right, err := p.sum()
	if err != nil {
		return left, err
	}
	pattern, err := patternOf(right)
	if err != nil {
		return left, err
	}
	a := left.eval
	return expression{typ: Bool, eval: func(f *frame) any {
		re := pattern(f)
		return re != nil && re.MatchString(Text(a(f)))
	}}, nil
}

// patternOf compiles a regular expression, once if it is the same for every row.
func patternOf(e expression) (func(*frame) *regexp.Regexp, error) {
	if e.constant {
		re, err := regexp.Compile(Text(e.eval(&frame{})))
		if err != nil {
			return nil, fmt.Errorf("invalid regular expression: %w", err)
		}
		return func(*frame) *regexp.Regexp { return re }, nil
	}
	return func(f *frame) *regexp.Regexp {
		re, err := regexp.Compile(Text(e.eval(f)))
		if err != nil {
			return nil
		}
		return re
	}, nil
}

func (p *parser) sum() (expression, error) {
	return p.calculated(p.product, "+", "-")
}

func (p *parser) product() (expression, error) {
	return p.calculated(p.signed, "*", "/", "%")
}

func (p *parser) calculated(operand func() (expression, error), signs ...string) (expression, error) {
	left, err := operand()
	for err == nil && p.peek().kind == signToken && slices.Contains(signs, p.peek().text) {
		sign := p.next().text
		var right expression
		if right, err = operand(); err != nil {
			break
		}
		typ, ok := calculatedType(sign, left.typ, right.typ)
		if !ok {
			return left, fmt.Errorf("the operator '%s' cannot be applied to values of types %s and %s", sign, left.typ, right.typ)
		}
		a, b := left.eval, right.eval
		left = expression{typ: typ, constant: left.constant && right.constant, eval: func(f *frame) any {
			return calculate(sign, a(f), b(f))
		}}
	}
	return left, err
}

// calculatedType returns the type of a result of arithmetic, or false if it does not exist.
func calculatedType(sign string, a, b Type) (Type, bool) {
	switch {
	case a == Dynamic && (b == Dynamic || b.numeric()):
		if b == Real {
			return Real, true
		}
		return Long, true
	case b == Dynamic && a.numeric():
		return a, true
	case b == Dynamic || a == Dynamic:
		return "", false
	case a.numeric() && b.numeric():
		return widest(Long, widest(a, b)), true
	case a == DateTime && b == DateTime && sign == "-":
		return TimeSpan, true
	case a == DateTime && b == TimeSpan && (sign == "+" || sign == "-"):
		return DateTime, true
	case a == TimeSpan && b == DateTime && sign == "+":
		return DateTime, true
	case a == TimeSpan && b == TimeSpan:
		switch sign {
		case "+", "-", "%":
			return TimeSpan, true
		case "/":
			return Real, true
		}
	case a == TimeSpan && b.numeric() && (sign == "*" || sign == "/"):
		return TimeSpan, true
	case a.numeric() && b == TimeSpan && sign == "*":
		return TimeSpan, true
	}
	return "", false
}

func calculate(sign string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	switch x := a.(type) {
	case time.Time:
		switch y := b.(type) {
		case time.Time:
			return x.Sub(y)
		case time.Duration:
			if sign == "-" {
				y = -y
			}
			return withinCalendar(x.Add(y))
		}
		return nil
	case time.Duration:
		switch y := b.(type) {
		case time.Time:
			return withinCalendar(y.Add(x))
		case time.Duration:
			return calculateSpans(sign, x, y)
		}
		factor, ok := toFloat(b)
		if !ok || sign == "/" && factor == 0 {
			return nil
		}
		if sign == "/" {
			factor = 1 / factor
		}
		return time.Duration(float64(x) * factor).Truncate(tick)
	case int64:
		switch y := b.(type) {
		case int64:
			return calculateWhole(sign, x, y)
		case time.Duration:
			return time.Duration(x) * y
		}
	case float64:
		if y, ok := b.(time.Duration); ok {
			return time.Duration(x * float64(y)).Truncate(tick)
		}
	}
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	if !ok1 || !ok2 {
		return nil
	}
	switch sign {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	}
	return x - math.Abs(y)*math.Floor(x/math.Abs(y)) // never negative
}

func calculateSpans(sign string, x, y time.Duration) any {
	switch sign {
	case "+":
		return x + y
	case "-":
		return x - y
	}
	if y == 0 {
		return nil
	}
	if sign == "%" {
		return remainder(x, y)
	}
	return float64(x) / float64(y)
}

func calculateWhole(sign string, x, y int64) any {
	switch sign {
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
	if sign == "/" {
		return x / y
	}
	return remainder(x, y)
}

// remainder returns what is left of a division, which in the language is never negative: -14 % 12 is 10.
//
// https://learn.microsoft.com/en-us/kusto/query/numerical-operators
func remainder[T int64 | time.Duration](x, y T) T {
	if rest := x % y; rest < 0 {
		return rest + max(y, -y)
	}
	return x % y
}

func (p *parser) signed() (expression, error) {
	if p.take("-") {
		if err := p.deeper(); err != nil {
			return expression{}, err
		}
		defer p.shallower()
		e, err := p.signed()
		if err != nil {
			return e, err
		}
		if !e.typ.numeric() && e.typ != TimeSpan && e.typ != Dynamic {
			return e, fmt.Errorf("a value of type %s has no negative", e.typ)
		}
		inner := e.eval
		return expression{typ: e.typ, constant: e.constant, eval: func(f *frame) any { return negate(inner(f)) }}, nil
	}
	p.take("+")
	return p.postfix()
}

// postfix reads a value and what is taken from it: properties of a bag, and items of a list.
func (p *parser) postfix() (expression, error) {
	e, err := p.primary()
	for err == nil {
		switch {
		case p.is(signToken, ".") && (p.peekAt(1).kind == wordToken || p.peekAt(1).text == "["):
			p.next()
			var name string
			if name, err = p.name(); err == nil {
				e, err = property(e, constant(name, String), name)
			}
		case p.is(signToken, "["):
			p.next()
			var place expression
			if place, err = p.sum(); err == nil {
				if err = p.expect("]"); err == nil {
					label := ""
					if place.constant {
						label = Text(place.eval(&frame{}))
					}
					e, err = property(e, place, label)
				}
			}
		default:
			return e, nil
		}
	}
	return e, err
}

func property(of, name expression, label string) (expression, error) {
	if of.several != nil { // array_sort_asc(a, b)[1] is one of its columns
		n, ok := name.eval(&frame{}).(int64)
		if !name.constant || !ok || n < 0 || n >= int64(len(of.several)) {
			return of, fmt.Errorf("the function makes %d columns; a number below that chooses one", len(of.several))
		}
		return of.several[n].value, nil
	}
	if of.typ != Dynamic {
		return of, fmt.Errorf("a value of type %s has no properties; use parse_json or todynamic", of.typ)
	}
	inner, place := of.eval, name.eval
	made := expression{typ: Dynamic, constant: of.constant && name.constant, eval: func(f *frame) any {
		switch v := inner(f).(type) {
		case map[string]any:
			return v[Text(place(f))]
		case []any:
			n, ok := place(f).(int64)
			if n < 0 {
				n += int64(len(v))
			}
			if ok && n >= 0 && n < int64(len(v)) {
				return v[n]
			}
		}
		return nil
	}}
	if of.name != "" && label != "" {
		made.name = of.name + "_" + label
	}
	return made, nil
}

func columnExpression(c Column, i int) expression {
	return expression{typ: c.Type, name: c.Name, column: c.Name, eval: func(f *frame) any {
		if i >= len(f.row) {
			return zero(c.Type)
		}
		return f.row[i]
	}}
}

func (p *parser) primary() (expression, error) {
	t := p.peek()
	switch t.kind {
	case literalToken:
		p.next()
		value := t.value
		for t.typ == String && p.peek().kind == literalToken && p.peek().typ == String { // texts next to each other are one
			value = Text(value) + Text(p.next().value)
		}
		return constant(value, t.typ), nil
	case signToken:
		if p.take("(") {
			if p.isTabular() {
				return expression{}, errors.New("a table is used where a value is expected; use toscalar")
			}
			e, err := p.expression()
			if err != nil {
				return e, err
			}
			return e, p.expect(")")
		}
		if t.text == "[" {
			name, err := p.name()
			if err != nil {
				return expression{}, err
			}
			return p.named(name)
		}
	case wordToken:
		if strings.HasPrefix(t.text, "!") {
			return expression{}, p.unexpected()
		}
		p.next()
		if p.is(signToken, "(") {
			return p.call(t.text)
		}
		return p.named(t.text)
	}
	return expression{}, p.unexpected()
}

// named finds what a name means: a column, or a value by a let statement or a parameter.
func (p *parser) named(name string) (expression, error) {
	if name == "true" || name == "false" {
		return constant(name == "true", Bool), nil
	}
	if i, found := p.current.column(name); found {
		if p.grouping && !p.inside {
			return expression{}, fmt.Errorf("the column '%s' must be in an aggregate function or after 'by'", name)
		}
		return columnExpression(p.current.Columns[i], i), nil
	}
	if e, found := p.scope.scalar(name); found {
		return e, nil
	}
	return expression{}, fmt.Errorf("failed to resolve scalar expression named '%s'", name)
}

// call reads the arguments of a function and returns its value.
func (p *parser) call(name string) (expression, error) {
	switch name {
	case "toscalar":
		return p.toScalar()
	case "column_ifexists", "columnifexists":
		return p.columnIfExists()
	case "pack_all":
		return p.packAll()
	case "materialize", "view":
		return expression{}, errors.New("a table is used where a value is expected; use toscalar")
	}
	if f, known := p.scope.lambda(name); known {
		inner, err := p.bind(f, nil, p)
		if err != nil {
			return expression{}, err
		}
		return inner.scalarBody()
	}
	if typ, literal := typeNames()[name]; literal {
		return p.typedLiteral(name, typ)
	}
	if name == "extract" {
		return p.extract()
	}
	if p.grouping && !p.inside {
		if made, known := aggregates()[name]; known {
			return p.aggregate(name, made)
		}
	} else if _, known := aggregates()[name]; known {
		if _, scalar := functions()[name]; !scalar {
			return expression{}, fmt.Errorf("the aggregate function '%s' cannot be used here", name)
		}
	}
	f, known := functions()[name]
	if !known {
		return expression{}, unsupported("function", name)
	}
	arguments, err := p.arguments()
	if err != nil {
		return expression{}, err
	}
	return p.apply(name, f, arguments)
}

// scalarBody reads the body of a function that returns a value.
func (p *parser) scalarBody() (expression, error) {
	for p.is(wordToken, "let") {
		if err := p.let(); err != nil {
			return expression{}, err
		}
		if err := p.expect(";"); err != nil {
			return expression{}, err
		}
	}
	if p.isTabular() {
		return expression{}, errors.New("a function that returns a table is used where a value is expected")
	}
	e, err := p.expression()
	if err != nil {
		return e, err
	}
	p.take(";")
	if p.peek().kind != endToken {
		return e, p.unexpected()
	}
	e.name, e.column = "", ""
	return e, nil
}

// arguments reads a list of expressions in parentheses.
func (p *parser) arguments() ([]expression, error) {
	var list []expression
	err := p.listed(func(int) error {
		e, err := single(p.expression())
		list = append(list, e)
		return err
	})
	return list, err
}

// listed reads a list in parentheses: one reads what is at a place, counted from 0.
func (p *parser) listed(one func(place int) error) error {
	if err := p.expect("("); err != nil {
		return err
	}
	for place := 0; !p.take(")"); place++ {
		if place > 0 {
			if err := p.expect(","); err != nil {
				return err
			}
		}
		if err := one(place); err != nil {
			return err
		}
	}
	return nil
}

// typedLiteral reads a value such as long(5) or real(null).
func (p *parser) typedLiteral(name string, typ Type) (expression, error) {
	p.next()
	if p.takeWord("null") {
		return constant(zero(typ), typ), p.expect(")")
	}
	if typ == Real {
		if f, special := p.specialReal(); special {
			return constant(f, Real), p.expect(")")
		}
	}
	e, err := p.expression()
	if err != nil {
		return e, err
	}
	value := e.eval(&frame{})
	converted := convert(value, typ)
	if !e.constant || converted == nil && value != nil {
		return e, fmt.Errorf("%s() takes a literal; use to%s", name, name)
	}
	return constant(converted, typ), p.expect(")")
}

// specialReal takes nan, +inf or -inf, which only the parentheses of real() may hold.
func (p *parser) specialReal() (value any, special bool) {
	switch {
	case p.takeWord("nan"):
		return math.NaN(), true
	case p.is(signToken, "+") && p.peekAt(1).text == "inf":
		p.next()
		p.next()
		return math.Inf(1), true
	case p.is(signToken, "-") && p.peekAt(1).text == "inf":
		p.next()
		p.next()
		return math.Inf(-1), true
	}
	return nil, false
}

// extract reads the arguments of extract, of which the fourth names the type that the text it finds is converted to.
func (p *parser) extract() (expression, error) {
	const untyped = 3
	var a []expression
	to := String
	err := p.listed(func(place int) (err error) {
		if place == untyped && p.is(wordToken, "typeof") {
			to, err = p.typeOf()
			return err
		}
		e, err := p.expression()
		a = append(a, e)
		return err
	})
	if err != nil {
		return expression{}, err
	}
	made, err := p.apply("extract", functions()["extract"], a)
	if err != nil || to == String {
		return made, err
	}
	found := made.eval
	made.typ, made.eval = to, func(f *frame) any { return convert(found(f), to) }
	return made, nil
}

// typeOf reads "typeof(type)".
func (p *parser) typeOf() (Type, error) {
	if !p.takeWord("typeof") {
		return "", p.unexpected()
	}
	if err := p.expect("("); err != nil {
		return "", err
	}
	typ, err := p.typeName()
	if err != nil {
		return "", err
	}
	return typ, p.expect(")")
}

// toScalar reads a table and returns the first value of its first row.
func (p *parser) toScalar() (expression, error) {
	p.next()
	if !p.isTabular() {
		e, err := p.expression()
		if err != nil {
			return e, err
		}
		return e, p.expect(")")
	}
	inner := &parser{tokens: p.tokens, run: p.run, scope: p.scope, depth: p.depth}
	t, err := inner.pipeline()
	p.tokens = inner.tokens
	if err != nil {
		return expression{}, err
	}
	if len(t.Columns) == 0 {
		return expression{}, errors.New("toscalar takes a table with columns")
	}
	value := zero(t.Columns[0].Type)
	if len(t.Rows) > 0 {
		value = t.Rows[0][0]
	}
	return constant(value, t.Columns[0].Type), p.expect(")")
}

func (p *parser) columnIfExists() (expression, error) {
	p.next()
	name, ok := p.next().value.(string)
	if !ok {
		return expression{}, errors.New("column_ifexists takes the name of a column as a text")
	}
	if err := p.expect(","); err != nil {
		return expression{}, err
	}
	fallback, err := p.expression()
	if err != nil {
		return fallback, err
	}
	if err := p.expect(")"); err != nil {
		return fallback, err
	}
	if i, found := p.current.column(name); found {
		return columnExpression(p.current.Columns[i], i), nil
	}
	return fallback, nil
}

func (p *parser) packAll() (expression, error) {
	arguments, err := p.arguments()
	if err != nil {
		return expression{}, err
	}
	ignoring := len(arguments) == 1 && arguments[0].constant && arguments[0].eval(&frame{}) == true
	columns := p.current.Columns
	return expression{typ: Dynamic, eval: func(f *frame) any {
		bag := map[string]any{}
		for i, c := range columns {
			if v := f.row[i]; !ignoring || v != nil && v != "" {
				bag[c.Name] = v
			}
		}
		return bag
	}}, nil
}
