package kusto

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// run is one run of a query.
type run struct {
	now    time.Time
	tables Tables
	read   map[string]Table // those that were read
	calls  int              // of functions, so that none calls itself forever
}

// table returns a table by its name, and reads it once.
func (r *run) table(name string) (Table, bool) {
	t, known := r.read[name]
	if !known {
		if t, known = r.tables.Table(name); known {
			r.read[name] = t
		}
	}
	return t, known
}

// scope has what let statements and parameters named.
type scope struct {
	outer   *scope
	scalars map[string]expression
	tables  map[string]Table
	lambdas map[string]*lambda
}

func newScope(outer *scope) *scope {
	return &scope{outer, map[string]expression{}, map[string]Table{}, map[string]*lambda{}}
}

func (s *scope) scalar(name string) (expression, bool) {
	for ; s != nil; s = s.outer {
		if e, ok := s.scalars[name]; ok {
			return e, true
		}
	}
	return expression{}, false
}

func (s *scope) table(name string) (Table, bool) {
	for ; s != nil; s = s.outer {
		if t, ok := s.tables[name]; ok {
			return t, true
		}
	}
	return Table{}, false
}

func (s *scope) lambda(name string) (*lambda, bool) {
	for ; s != nil; s = s.outer {
		if f, ok := s.lambdas[name]; ok {
			return f, true
		}
	}
	return nil, false
}

// lambda is a function by a let statement.
type lambda struct {
	name       string
	parameters []parameter
	body       []token // without braces, with an end
	scope      *scope  // what was named before it
}

type parameter struct {
	name     string
	typ      Type
	tabular  bool
	columns  []Column    // of a tabular one; none takes any
	fallback *expression // nil for one that must be given
}

// parser carries out a query while it reads it: an operator is applied to the rows of the one before it as soon as it has been
// read.
type parser struct {
	tokens []token
	run    *run
	scope  *scope
	depth  int

	current  Table // what the expressions of an operator are about
	grouping bool  // whether aggregates may be used
	inside   bool  // within an aggregate's arguments
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) peekAt(n int) token { return p.tokens[min(n, len(p.tokens)-1)] }

// next takes a token; the one at the end stays.
func (p *parser) next() token {
	t := p.tokens[0]
	if len(p.tokens) > 1 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) is(kind tokenKind, text string) bool {
	return p.peek().kind == kind && p.peek().text == text
}

// take drops the sign if it comes next.
func (p *parser) take(sign string) bool {
	if !p.is(signToken, sign) {
		return false
	}
	p.next()
	return true
}

func (p *parser) takeWord(word string) bool {
	if !p.is(wordToken, word) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(sign string) error {
	if !p.take(sign) {
		return fmt.Errorf("syntax error: expected %q but found %s", sign, p.found())
	}
	return nil
}

func (p *parser) found() string {
	if p.peek().kind == endToken {
		return "the end of the query"
	}
	return fmt.Sprintf("%.40q", p.peek().text)
}

func (p *parser) unexpected() error {
	return fmt.Errorf("syntax error: unexpected %s", strings.TrimPrefix(p.found(), "the "))
}

func (p *parser) deeper() error {
	p.depth++
	if p.depth > maxDepth {
		return fmt.Errorf("the query nests deeper than %d levels", maxDepth)
	}
	return nil
}

func (p *parser) shallower() { p.depth-- }

// name takes a name, which may be in brackets and quotes.
func (p *parser) name() (string, error) {
	if p.is(signToken, "[") && p.peekAt(1).typ == String && p.peekAt(2).text == "]" {
		p.next()
		name, _ := p.next().value.(string)
		p.next()
		return name, nil
	}
	if p.peek().kind != wordToken || strings.HasPrefix(p.peek().text, "!") {
		return "", p.unexpected()
	}
	return p.next().text, nil
}

// statements reads let statements and the query after them.
func (p *parser) statements() (Table, error) {
	for {
		for p.take(";") {
		}
		switch {
		case p.is(wordToken, "let"):
			if err := p.let(); err != nil {
				return Table{}, err
			}
			if p.peek().kind == endToken {
				return Table{}, errors.New("the query has no tabular expression after its let statements")
			}
			if err := p.expect(";"); err != nil {
				return Table{}, err
			}
			continue
		case p.peek().kind == wordToken && slices.Contains([]string{"set", "declare", "alias", "restrict", "pattern"}, p.peek().text) && p.peekAt(1).kind == wordToken:
			return Table{}, unsupported("statement", p.peek().text)
		case p.peek().kind == endToken:
			return Table{}, errors.New("the query is empty")
		}
		result, err := p.pipeline()
		if err != nil {
			return Table{}, err
		}
		for p.take(";") {
		}
		if p.peek().kind != endToken {
			return Table{}, p.unexpected()
		}
		return result, nil
	}
}

// let reads "let name = " and a value, a table or a function.
func (p *parser) let() error {
	p.next()
	name, err := p.name()
	if err != nil {
		return err
	}
	if err := p.expect("="); err != nil {
		return err
	}
	if p.is(wordToken, "view") && p.peekAt(1).text == "(" {
		p.next()
	}
	if parameters, body, ok, err := p.lambda(); err != nil {
		return err
	} else if ok {
		// The function knows what was named before it, and not itself.
		f := &lambda{name, parameters, body, p.scope}
		p.scope = newScope(p.scope)
		p.scope.lambdas[name] = f
		return nil
	}
	if p.isTabular() {
		table, err := p.pipeline()
		if err != nil {
			return err
		}
		p.scope.tables[name] = table
		return nil
	}
	saved := p.current
	p.current = Table{}
	value, err := single(p.expression())
	p.current = saved
	if err != nil {
		return err
	}
	p.scope.scalars[name] = p.fixed(value)
	return nil
}

// fixed returns the value that an expression without columns has.
func (p *parser) fixed(e expression) expression {
	value := e.eval(&frame{})
	return expression{typ: e.typ, constant: true, eval: func(*frame) any { return value }}
}

// lambda reads a function, if one comes next: parameters in parentheses, and a body in braces.
func (p *parser) lambda() ([]parameter, []token, bool, error) {
	if !p.is(signToken, "(") {
		return nil, nil, false, nil
	}
	end := matching(p.tokens)
	if p.tokens[end+1].text != "{" {
		return nil, nil, false, nil
	}
	p.next()
	var parameters []parameter
	for !p.take(")") {
		one, err := p.parameter()
		if err != nil {
			return nil, nil, false, err
		}
		parameters = append(parameters, one)
		if !p.take(",") && !p.is(signToken, ")") {
			return nil, nil, false, p.unexpected()
		}
	}
	end = matching(p.tokens)
	if end == -1 {
		return nil, nil, false, errors.New("syntax error: the body of a function is not closed")
	}
	body := append(slices.Clone(p.tokens[1:end]), token{kind: endToken})
	p.tokens = p.tokens[end+1:]
	return parameters, body, true, nil
}

// matching returns the place of the bracket that closes the one at the start, or -1.
func matching(tokens []token) int {
	depth := 0
	for i, t := range tokens {
		if t.kind != signToken {
			continue
		}
		switch t.text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (p *parser) parameter() (parameter, error) {
	name, err := p.name()
	if err != nil {
		return parameter{}, err
	}
	if err := p.expect(":"); err != nil {
		return parameter{}, err
	}
	one := parameter{name: name}
	if p.take("(") {
		one.tabular = true
		if p.take("*") {
			return one, p.expect(")")
		}
		one.columns, err = p.columns()
		return one, err
	}
	if one.typ, err = p.typeName(); err != nil {
		return parameter{}, err
	}
	if p.take("=") {
		value, err := p.expression()
		if err != nil {
			return parameter{}, err
		}
		value = p.fixed(value)
		one.fallback = &value
	}
	return one, nil
}

// columns reads "name:type, ...)".
func (p *parser) columns() ([]Column, error) {
	var columns []Column
	for !p.take(")") {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		typ, err := p.typeName()
		if err != nil {
			return nil, err
		}
		columns = append(columns, Column{name, typ})
		if !p.take(",") && !p.is(signToken, ")") {
			return nil, p.unexpected()
		}
	}
	return columns, nil
}

// typeNames are the names of the types, with those that mean the same.
func typeNames() map[string]Type {
	return map[string]Type{
		"string": String, "long": Long, "int": Int, "real": Real, "double": Real, "bool": Bool, "boolean": Bool,
		"datetime": DateTime, "date": DateTime, "timespan": TimeSpan, "time": TimeSpan, "dynamic": Dynamic, "guid": GUID,
		"int64": Long, "int32": Int,
	}
}

func (p *parser) typeName() (Type, error) {
	name, err := p.name()
	if err != nil {
		return "", err
	}
	if typ, known := typeNames()[name]; known {
		return typ, nil
	}
	return "", unsupported("type", name)
}

// tabularWords begin a tabular expression, each before certain tokens: some are functions or names of columns, too.
func tabularWords() map[string]func(following token) bool {
	called := func(t token) bool { return t.kind == signToken && t.text == "(" }
	named := func(t token) bool { return t.kind == wordToken }
	notCompared := func(t token) bool { return t.kind != signToken || strings.Contains("([-*", t.text) }
	return map[string]func(token) bool{
		"datatable": called, "externaldata": called, "external_data": called, "materialize": called, "table": called, "view": called,
		"range": named, "find": named, "evaluate": named, "print": notCompared, "search": notCompared, "union": notCompared,
	}
}

// isTabular reports whether a tabular expression comes next.
func (p *parser) isTabular() bool { return p.tabularAt(p.tokens) }

func (p *parser) tabularAt(tokens []token) bool {
	i := 0
	for tokens[i].kind == signToken && tokens[i].text == "(" {
		i++
	}
	at := func(i int) token { return tokens[min(i, len(tokens)-1)] }
	t, following := at(i), at(i+1)
	if name, ok := following.value.(string); ok && t.text == "[" && at(i+2).text == "]" {
		t, following = token{kind: wordToken, text: name}, at(i+3)
	}
	if t.kind != wordToken {
		return false
	}
	if begins, special := tabularWords()[t.text]; special && begins(following) {
		return true
	}
	if f, ok := p.scope.lambda(t.text); ok && following.text == "(" {
		inner := &parser{tokens: f.body, run: p.run, scope: newScope(f.scope)}
		for _, one := range f.parameters {
			if one.tabular {
				inner.scope.tables[one.name] = Table{Columns: one.columns}
			} else {
				inner.scope.scalars[one.name] = expression{}
			}
		}
		return inner.bodyIsTabular()
	}
	if _, ok := p.scope.scalar(t.text); ok {
		return false
	}
	if _, ok := p.scope.table(t.text); ok {
		return true
	}
	if following.kind == signToken && following.text == "(" {
		return false
	}
	return slices.Contains(p.run.tables.Names(), t.text) || strings.HasSuffix(t.text, "*")
}

// bodyIsTabular looks past the let statements of the body of a function.
func (p *parser) bodyIsTabular() bool {
	for p.is(wordToken, "let") {
		name := p.peekAt(1).text
		tabular := (&parser{tokens: p.tokens[min(3, len(p.tokens)-1):], run: p.run, scope: p.scope}).isTabular()
		depth := 0
		for p.peek().kind != endToken {
			t := p.next()
			if t.kind == signToken && strings.Contains("([{", t.text) {
				depth++
			}
			if t.kind == signToken && strings.Contains(")]}", t.text) {
				depth--
			}
			if t.kind == signToken && t.text == ";" && depth == 0 {
				break
			}
		}
		if tabular {
			p.scope.tables[name] = Table{}
		} else {
			p.scope.scalars[name] = expression{}
		}
	}
	return p.isTabular()
}

// pipeline reads a source and the operators after it.
func (p *parser) pipeline() (Table, error) {
	if err := p.deeper(); err != nil {
		return Table{}, err
	}
	defer p.shallower()
	saved := p.current
	defer func() { p.current = saved }()
	source, err := p.source()
	if err != nil {
		return Table{}, err
	}
	return p.operators(source)
}

// operators applies what comes after pipes.
func (p *parser) operators(t Table) (Table, error) {
	for p.take("|") {
		p.current = t
		name := p.operatorName()
		carry, known := operators()[name]
		if !known {
			if slices.Contains(operatorsElsewhere, name) {
				return Table{}, unsupported("operator", name)
			}
			return Table{}, fmt.Errorf("syntax error: '%s' is not an operator", name)
		}
		result, err := carry(p)
		if err != nil {
			return Table{}, err
		}
		if err := withinLimit(len(result.Rows), name); err != nil {
			return Table{}, err
		}
		t = result
	}
	return t, nil
}

// operatorName takes the name of an operator, of which some have hyphens.
func (p *parser) operatorName() string {
	t := p.next()
	name, end := t.text, t.at+len(t.text)
	for p.is(signToken, "-") && p.peek().at == end && p.peekAt(1).kind == wordToken && p.peekAt(1).at == end+1 {
		p.next()
		t = p.next()
		name, end = name+"-"+t.text, t.at+len(t.text)
	}
	return name
}

// source reads what rows come from.
func (p *parser) source() (Table, error) {
	switch {
	case p.take("("):
		t, err := p.pipeline()
		if err != nil {
			return Table{}, err
		}
		return t, p.expect(")")
	case p.takeWord("union"):
		return p.union(nil)
	case p.is(wordToken, "print") && p.peekAt(1).text != "|":
		p.next()
		return p.print()
	case p.is(wordToken, "range") && p.peekAt(1).kind == wordToken:
		p.next()
		return p.rangeOf()
	case p.is(wordToken, "datatable") && p.peekAt(1).text == "(":
		p.next()
		return p.dataTable()
	case p.is(wordToken, "search") && p.peekAt(1).text != "|":
		p.next()
		return p.search(nil)
	case p.is(wordToken, "materialize") && p.peekAt(1).text == "(", p.is(wordToken, "view") && p.peekAt(1).text == "(":
		p.next()
		return p.source()
	case p.is(wordToken, "externaldata") || p.is(wordToken, "external_data") || p.is(wordToken, "find") && p.peekAt(1).kind == wordToken || p.is(wordToken, "evaluate"):
		return Table{}, unsupported("operator", p.peek().text)
	case p.is(wordToken, "table") && p.peekAt(1).text == "(":
		p.next()
		p.next()
		name, ok := p.next().value.(string)
		if !ok {
			return Table{}, errors.New("table() takes the name of a table")
		}
		if err := p.expect(")"); err != nil {
			return Table{}, err
		}
		return p.tableNamed(name)
	}
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	if p.is(signToken, "(") {
		return p.callTabular(name)
	}
	return p.tableNamed(name)
}

func (p *parser) tableNamed(name string) (Table, error) {
	if t, ok := p.scope.table(name); ok {
		return t, nil
	}
	if t, ok := p.run.table(name); ok {
		if len(t.Rows) > MaxRows {
			return Table{}, fmt.Errorf("the table '%s' has more than %d rows here", name, MaxRows)
		}
		return t, nil
	}
	if f, ok := p.scope.lambda(name); ok && len(f.parameters) == 0 {
		return p.callLambda(f, nil, nil)
	}
	return Table{}, &unresolvedTableError{name}
}

// callTabular calls a function that returns a table.
func (p *parser) callTabular(name string) (Table, error) {
	f, known := p.scope.lambda(name)
	if !known {
		if _, scalar := functions()[name]; scalar {
			return Table{}, fmt.Errorf("the function '%s' returns a value where a table is expected", name)
		}
		return Table{}, unsupported("function", name)
	}
	return p.callLambda(f, nil, p)
}

// callLambda runs the body of a function as a table. A first table may be given, as invoke does; further arguments are read by the
// caller.
func (p *parser) callLambda(f *lambda, first *Table, arguments *parser) (Table, error) {
	inner, err := p.bind(f, first, arguments)
	if err != nil {
		return Table{}, err
	}
	for name, value := range inner.scope.scalars {
		if !value.constant {
			return Table{}, fmt.Errorf("the argument '%s' of the function '%s', which returns a table, must be a constant", name, f.name)
		}
	}
	return inner.statements()
}

// bind reads the arguments of a call and returns a parser of the function's body that knows them.
func (p *parser) bind(f *lambda, first *Table, arguments *parser) (*parser, error) {
	p.run.calls++
	if p.run.calls > 10_000 || p.depth > maxDepth-2 {
		return nil, fmt.Errorf("the function '%s' is called too often", f.name)
	}
	inner := &parser{tokens: f.body, run: p.run, scope: newScope(f.scope), depth: p.depth + 1}
	parameters := f.parameters
	if first != nil {
		if len(parameters) == 0 || !parameters[0].tabular {
			return nil, fmt.Errorf("the function '%s' does not take a table first", f.name)
		}
		if err := fits(f, parameters[0], *first); err != nil {
			return nil, err
		}
		inner.scope.tables[parameters[0].name] = *first
		parameters = parameters[1:]
	}
	given := map[string]bool{}
	if arguments != nil {
		if err := p.given(f, parameters, inner, given, arguments); err != nil {
			return nil, err
		}
	}
	for _, one := range parameters {
		if given[one.name] {
			continue
		}
		if one.fallback == nil {
			return nil, fmt.Errorf("the function '%s' lacks the argument '%s'", f.name, one.name)
		}
		inner.scope.scalars[one.name] = *one.fallback
	}
	return inner, nil
}

// given reads the arguments of a call, in parentheses.
func (p *parser) given(f *lambda, parameters []parameter, inner *parser, given map[string]bool, from *parser) error {
	return from.listed(func(place int) error { return p.argument(f, parameters, place, inner, given, from) })
}

// argument reads one argument, by place or by name.
func (p *parser) argument(f *lambda, parameters []parameter, place int, inner *parser, given map[string]bool, from *parser) error {
	if from.peek().kind == wordToken && from.peekAt(1).text == "=" {
		name := from.next().text
		from.next()
		if place = slices.IndexFunc(parameters, func(one parameter) bool { return one.name == name }); place < 0 {
			return fmt.Errorf("the function '%s' has no parameter '%s'", f.name, name)
		}
	}
	if place >= len(parameters) {
		return fmt.Errorf("the function '%s' takes %d arguments", f.name, len(parameters))
	}
	one := parameters[place]
	given[one.name] = true
	if one.tabular {
		t, err := from.pipeline()
		if err != nil {
			return err
		}
		inner.scope.tables[one.name] = t
		return fits(f, one, t)
	}
	value, err := single(from.expression())
	if err != nil {
		return err
	}
	eval, to := value.eval, one.typ
	if to != Dynamic {
		value.eval = func(f *frame) any { return convert(eval(f), to) }
		value.typ = to
	}
	inner.scope.scalars[one.name] = value
	return nil
}

// fits checks that a table has the columns that a parameter wants.
func fits(f *lambda, one parameter, t Table) error {
	for _, c := range one.columns {
		i, found := t.column(c.Name)
		if !found || t.Columns[i].Type != c.Type {
			return fmt.Errorf("the function '%s' wants a table with the column '%s' of type %s", f.name, c.Name, c.Type)
		}
	}
	return nil
}
