package kusto

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// kqlParser carries out a query in the Kusto query language while it reads it. It knows the operators and functions
// that hunting queries commonly use. An operator that is part of the language but not known here leaves the rows as
// they are; what is no operator, table or column is a mistake, as it is for the service.
type kqlParser struct {
	tokens  []token
	depth   int
	now     time.Time
	table   func(name string) (Table, bool)
	tables  map[string]Table // by let statement
	scalars map[string]any
	current Table // what the expressions of an operator are about
}

// Run runs a query over the tables.
func Run(query string, now time.Time, table func(string) (Table, bool)) (Table, error) {
	tokens, err := tokensOf(query)
	if err != nil {
		return Table{}, err
	}
	p := &kqlParser{tokens: tokens, now: now, table: table, tables: map[string]Table{}, scalars: map[string]any{}}
	return p.statements()
}

func (p *kqlParser) peek() token { return p.tokens[0] }

func (p *kqlParser) peekAt(n int) token { return p.tokens[min(n, len(p.tokens)-1)] }

// next takes a token; the one at the end stays.
func (p *kqlParser) next() token {
	t := p.tokens[0]
	if len(p.tokens) > 1 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *kqlParser) is(kind tokenKind, text string) bool {
	return p.peek().kind == kind && p.peek().text == text
}

// take drops the sign if it comes next.
func (p *kqlParser) take(sign string) bool {
	if !p.is(signToken, sign) {
		return false
	}
	p.next()
	return true
}

func (p *kqlParser) takeWord(word string) bool {
	if !p.is(wordToken, word) {
		return false
	}
	p.next()
	return true
}

func (p *kqlParser) expect(sign string) error {
	if p.take(sign) {
		return nil
	}
	return p.unexpected()
}

func (p *kqlParser) unexpected() error {
	if p.peek().kind == endToken {
		return errors.New("syntax error: the query ends too early")
	}
	return fmt.Errorf("syntax error at %q", p.peek().text)
}

func (p *kqlParser) deeper() error {
	p.depth++
	if p.depth > maxDepth {
		return fmt.Errorf("the query nests deeper than %d levels", maxDepth)
	}
	return nil
}

func (p *kqlParser) shallower() { p.depth-- }

// name takes a token that names something.
func (p *kqlParser) name() (string, error) {
	if p.peek().kind != wordToken {
		return "", p.unexpected()
	}
	return p.next().text, nil
}

// statements reads let statements and the query itself, of which the last one counts.
func (p *kqlParser) statements() (Table, error) {
	var result Table
	found := false
	for {
		for p.take(";") {
		}
		switch {
		case p.peek().kind == endToken && !found:
			return result, errors.New("the query is empty")
		case p.peek().kind == endToken:
			return result, nil
		case p.takeWord("let"):
			if err := p.let(); err != nil {
				return result, err
			}
		default:
			var err error
			if result, err = p.pipeline(); err != nil {
				return result, err
			}
			found = true
		}
		if !p.is(signToken, ";") && p.peek().kind != endToken {
			return result, p.unexpected()
		}
	}
}

func (p *kqlParser) let() error {
	name, err := p.name()
	if err != nil {
		return err
	}
	if err := p.expect("="); err != nil {
		return err
	}
	if p.startsTable() {
		p.tables[name], err = p.pipeline()
		return err
	}
	value, err := p.disjunction()
	if err == nil {
		p.scalars[name] = value.eval(point{now: p.now})
	}
	return err
}

// startsTable tells whether a table comes next, in parentheses or not, rather than a value.
func (p *kqlParser) startsTable() bool {
	i := 0
	for p.peekAt(i).kind == signToken && p.peekAt(i).text == "(" {
		i++
	}
	t := p.peekAt(i)
	if t.kind != wordToken {
		return false
	}
	if t.text == "union" || t.text == "materialize" {
		return true
	}
	if _, let := p.tables[t.text]; let {
		return true
	}
	_, known := p.table(t.text)
	return known
}

// pipeline reads a source and the operators that follow it.
func (p *kqlParser) pipeline() (Table, error) {
	outer := p.current
	defer func() { p.current = outer }()
	if err := p.deeper(); err != nil {
		return Table{}, err
	}
	defer p.shallower()
	r, err := p.source()
	for err == nil && p.take("|") {
		p.current = r
		r, err = p.operator()
	}
	return r, err
}

// source reads where the rows come from.
func (p *kqlParser) source() (Table, error) {
	switch {
	case p.take("("):
		r, err := p.pipeline()
		if err != nil {
			return r, err
		}
		return r, p.expect(")")
	case p.takeWord("union"):
		return p.union(Table{})
	case p.is(wordToken, "materialize"):
		p.next()
		if err := p.expect("("); err != nil {
			return Table{}, err
		}
		r, err := p.pipeline()
		if err != nil {
			return r, err
		}
		return r, p.expect(")")
	}
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	if r, let := p.tables[name]; let {
		return r, nil
	}
	if r, known := p.table(name); known {
		return r, nil
	}
	return Table{}, fmt.Errorf("failed to resolve table or column expression named '%s'", name)
}

// carriedOut is the operator of the name; nil for one that is not carried out.
func (p *kqlParser) carriedOut(name string) func() (Table, error) {
	switch name {
	case "where", "filter":
		return p.where
	case "extend", "serialize":
		return p.extend
	case "project":
		return p.project
	case "project-away":
		return p.projectAway
	case "summarize":
		return p.summarize
	case "distinct":
		return p.distinct
	case "count":
		return p.count
	case "take", "limit":
		return p.limit
	case "top":
		return p.top
	case "sort", "order":
		return p.sort
	case "join", "lookup":
		return p.join
	case "union":
		return func() (Table, error) { return p.union(p.current) }
	}
	return nil
}

// passedOperators belong to the language but change nothing here.
var passedOperators = []string{
	"as", "consume", "evaluate", "facet", "fork", "invoke", "make-series", "mv-apply", "mv-expand", "parse",
	"parse-where", "parse-kv", "partition", "project-keep", "project-rename", "project-reorder", "reduce", "render",
	"sample", "sample-distinct", "scan", "search", "top-hitters", "top-nested", "getschema",
}

func (p *kqlParser) operator() (Table, error) {
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	for p.is(signToken, "-") && p.peekAt(1).kind == wordToken {
		p.next()
		name += "-" + p.next().text
	}
	if run := p.carriedOut(name); run != nil {
		return run()
	}
	if !slices.Contains(passedOperators, name) {
		return Table{}, fmt.Errorf("syntax error: '%s' is not an operator", name)
	}
	p.skip()
	r := p.current
	r.open = true
	return r, nil
}

// skip passes over the rest of an operator.
func (p *kqlParser) skip() {
	depth := 0
	for p.peek().kind != endToken {
		t := p.peek()
		if t.kind == signToken {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
			if depth < 0 || depth == 0 && (t.text == "|" || t.text == ";") {
				return
			}
		}
		p.next()
	}
}

// at is the place of a row of the current Table.
func (p *kqlParser) at(i int) point { return point{row: p.current.Rows[i], index: i, now: p.now} }

func (p *kqlParser) where() (Table, error) {
	condition, err := p.disjunction()
	if err != nil {
		return Table{}, err
	}
	r := p.current
	r.Rows = nil
	for i, row := range p.current.Rows {
		if condition.eval(p.at(i)) == true {
			r.Rows = append(r.Rows, row)
		}
	}
	return r, nil
}

// assignment is "name = expression".
type assignment struct {
	name  string
	value expression
}

// named reads an expression that may be given a name.
func (p *kqlParser) named() (expression, error) {
	if p.peek().kind == wordToken && p.peekAt(1).kind == signToken && p.peekAt(1).text == "=" {
		name := p.next().text
		p.next()
		e, err := p.disjunction()
		e.name = name
		return e, err
	}
	return p.disjunction()
}

// assignments reads a list of expressions with their names.
func (p *kqlParser) assignments() ([]assignment, error) {
	var list []assignment
	for {
		e, err := p.named()
		if err != nil {
			return nil, err
		}
		if e.name == "" {
			e.name = fmt.Sprintf("Column%d", len(list)+1)
		}
		list = append(list, assignment{e.name, e})
		if !p.take(",") {
			return list, nil
		}
	}
}

// endsHere tells whether the operator has nothing more.
func (p *kqlParser) endsHere() bool {
	t := p.peek()
	return t.kind == endToken || t.kind == signToken && (t.text == "|" || t.text == ";" || t.text == ")")
}

func (p *kqlParser) extend() (Table, error) {
	if p.endsHere() {
		return p.current, nil // serialize alone
	}
	list, err := p.assignments()
	if err != nil {
		return Table{}, err
	}
	r := p.current
	r.Rows = make([]Row, len(p.current.Rows))
	for i, row := range p.current.Rows {
		r.Rows[i] = maps.Clone(row)
		for _, a := range list {
			r.Rows[i][a.name] = a.value.eval(p.at(i))
		}
	}
	return r.with(computed(r.Rows, list)...), nil
}

// computed are the columns that expressions made.
func computed(rows []Row, list []assignment) []Column {
	return each(list, func(a assignment) Column { return Column{a.name, kindOfColumn(rows, a.name)} })
}

func (p *kqlParser) project() (Table, error) {
	list, err := p.assignments()
	if err != nil {
		return Table{}, err
	}
	r := Table{Rows: make([]Row, len(p.current.Rows))}
	for i := range p.current.Rows {
		r.Rows[i] = Row{}
		for _, a := range list {
			r.Rows[i][a.name] = a.value.eval(p.at(i))
		}
	}
	for _, a := range list {
		kind := kindOfColumn(r.Rows, a.name)
		if c, found := p.current.column(a.value.of); found {
			kind = c.Kind
		}
		r.Columns = append(r.Columns, Column{a.name, kind})
	}
	return r, nil
}

func (p *kqlParser) projectAway() (Table, error) {
	var away []string
	for {
		name, err := p.name()
		if err != nil {
			return Table{}, err
		}
		if p.take("*") {
			name += "*"
		}
		away = append(away, name)
		if !p.take(",") {
			break
		}
	}
	r := p.current
	r.Columns = where(r.Columns, func(c Column) bool {
		return !slices.ContainsFunc(away, func(name string) bool {
			prefix, wild := strings.CutSuffix(name, "*")
			return c.Name == name || wild && strings.HasPrefix(c.Name, prefix)
		})
	})
	return r, nil
}

func (p *kqlParser) summarize() (Table, error) {
	var list, keys []assignment
	var err error
	if !p.is(wordToken, "by") {
		if list, err = p.assignments(); err != nil {
			return Table{}, err
		}
	}
	if p.takeWord("by") {
		if keys, err = p.assignments(); err != nil {
			return Table{}, err
		}
	}
	r := Table{open: p.current.open}
	groups := p.groups(keys)
	for _, group := range groups {
		row := Row{}
		for _, k := range keys {
			row[k.name] = k.value.eval(point{row: group[0], now: p.now})
		}
		for _, a := range list {
			if chosen, ok := a.value.chosenRow(group, p.now); ok {
				maps.Copy(row, a.value.several(chosen, p.current, p.now))
				continue
			}
			row[a.name] = a.value.eval(point{group: group, now: p.now})
		}
		r.Rows = append(r.Rows, row)
	}
	if len(keys) == 0 && len(groups) == 0 {
		r.Rows = []Row{p.ofNothing(list)}
	}
	for _, k := range keys {
		kind := kindOfColumn(r.Rows, k.name)
		if c, found := p.current.column(k.value.of); found {
			kind = c.Kind
		}
		r.Columns = append(r.Columns, Column{k.name, kind})
	}
	for _, a := range list {
		r = r.with(a.columns(r.Rows, p.current)...)
	}
	return r, nil
}

// ofNothing are the aggregates over no rows.
func (p *kqlParser) ofNothing(list []assignment) Row {
	row := Row{}
	for _, a := range list {
		row[a.name] = a.value.eval(point{now: p.now})
	}
	return row
}

// groups puts the rows with the same keys together, in the order that they come.
func (p *kqlParser) groups(keys []assignment) [][]Row {
	var groups [][]Row
	place := map[string]int{}
	for i, row := range p.current.Rows {
		var key strings.Builder
		for _, k := range keys {
			fmt.Fprintf(&key, "%q,", Text(k.value.eval(p.at(i))))
		}
		n, found := place[key.String()]
		if !found {
			n = len(groups)
			place[key.String()] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], row)
	}
	return groups
}

// chosenRow is the row that arg_max or arg_min chooses from a group.
func (e expression) chosenRow(group []Row, now time.Time) (Row, bool) {
	sign := map[string]int{"arg_max": 1, "arg_min": -1}[e.call]
	if sign == 0 || len(e.arguments) == 0 {
		return nil, false
	}
	best, bestValue := group[0], any(nil)
	for i, row := range group {
		value := e.arguments[0].eval(point{row: row, index: i, now: now})
		if o, ok := orderOf(value, bestValue); value != nil && (bestValue == nil || ok && o*sign > 0) {
			best, bestValue = row, value
		}
	}
	return best, true
}

// several are the columns of the row that arg_max or arg_min chose.
func (e expression) several(row Row, from Table, now time.Time) Row {
	values := Row{}
	for _, a := range e.arguments {
		if a.name == "*" {
			for _, c := range from.Columns {
				values[c.Name] = c.Of(row)
			}
			continue
		}
		values[a.name] = a.eval(point{row: row, now: now})
	}
	return values
}

// columns are those that an assignment of summarize makes.
func (a assignment) columns(rows []Row, from Table) []Column {
	if a.value.call != "arg_max" && a.value.call != "arg_min" {
		return computed(rows, []assignment{a})
	}
	var list []Column
	for _, e := range a.value.arguments {
		if e.name == "*" {
			list = append(list, from.Columns...)
			continue
		}
		kind := kindOfColumn(rows, e.name)
		if c, found := from.column(e.of); found {
			kind = c.Kind
		}
		list = append(list, Column{e.name, kind})
	}
	return list
}

func (p *kqlParser) distinct() (Table, error) {
	if p.take("*") {
		keys := each(p.current.Columns, func(c Column) assignment {
			return assignment{c.Name, expression{name: c.Name, of: c.Name, eval: func(at point) any { return c.Of(at.row) }}}
		})
		r := p.current
		r.Rows = each(p.groups(keys), func(group []Row) Row { return group[0] })
		return r, nil
	}
	r, err := p.project()
	if err != nil {
		return r, err
	}
	p.current = r
	keys := each(r.Columns, func(c Column) assignment {
		return assignment{c.Name, expression{eval: func(at point) any { return c.Of(at.row) }}}
	})
	r.Rows = each(p.groups(keys), func(group []Row) Row { return group[0] })
	return r, nil
}

func (p *kqlParser) count() (Table, error) {
	return Table{
		Columns: []Column{{"Count", "Int64"}},
		Rows:    []Row{{"Count": int64(len(p.current.Rows))}},
	}, nil
}

// size reads how many rows are wanted.
func (p *kqlParser) size() (int, error) {
	e, err := p.sum()
	if err != nil {
		return 0, err
	}
	n, ok := e.eval(point{now: p.now}).(int64)
	if !ok || n < 0 {
		return 0, errors.New("the number of rows must be a number that is not negative")
	}
	return int(min(n, int64(len(p.current.Rows)))), nil
}

func (p *kqlParser) limit() (Table, error) {
	n, err := p.size()
	if err != nil {
		return Table{}, err
	}
	r := p.current
	r.Rows = r.Rows[:n]
	return r, nil
}

func (p *kqlParser) top() (Table, error) {
	n, err := p.size()
	if err != nil {
		return Table{}, err
	}
	r, err := p.sort()
	if err != nil {
		return r, err
	}
	r.Rows = r.Rows[:n]
	return r, nil
}

// sort reads "by" and the keys; without a direction the largest comes first.
func (p *kqlParser) sort() (Table, error) {
	if !p.takeWord("by") {
		return Table{}, p.unexpected()
	}
	type key struct {
		value expression
		sign  int
	}
	var keys []key
	for {
		e, err := p.disjunction()
		if err != nil {
			return Table{}, err
		}
		k := key{e, -1}
		if p.takeWord("asc") {
			k.sign = 1
		} else {
			p.takeWord("desc")
		}
		if p.takeWord("nulls") && !p.takeWord("first") && !p.takeWord("last") {
			return Table{}, p.unexpected()
		}
		keys = append(keys, k)
		if !p.take(",") {
			break
		}
	}
	r := p.current
	r.Rows = slices.Clone(r.Rows)
	slices.SortStableFunc(r.Rows, func(a, b Row) int {
		for _, k := range keys {
			if o := orderNullsFirst(k.value.eval(point{row: a, now: p.now}), k.value.eval(point{row: b, now: p.now})); o != 0 {
				return o * k.sign
			}
		}
		return 0
	})
	return r, nil
}

// parameters reads "name=value" before the operands of an operator.
func (p *kqlParser) parameters(known ...string) map[string]string {
	found := map[string]string{}
	for p.peek().kind == wordToken && slices.Contains(known, p.peek().text) && p.peekAt(1).text == "=" {
		name := p.next().text
		p.next()
		found[name] = p.next().text
	}
	return found
}

func (p *kqlParser) union(with Table) (Table, error) {
	parameters := p.parameters("kind", "withsource", "isfuzzy")
	result := with
	for {
		name := p.peek().text
		r, err := p.source()
		if err != nil {
			return Table{}, err
		}
		if to := parameters["withsource"]; to != "" {
			r = labelled(r, to, name)
		}
		for _, c := range r.Columns {
			if _, there := result.column(c.Name); !there {
				result = result.with(c)
			}
		}
		result.Rows = slices.Concat(result.Rows, r.Rows)
		result.open = result.open || r.open
		if !p.take(",") {
			return result, nil
		}
	}
}

// labelled adds the name of the source to every row.
func labelled(r Table, name, source string) Table {
	r.Rows = each(r.Rows, func(t Row) Row {
		t = maps.Clone(t)
		t[name] = source
		return t
	})
	r.Columns = append([]Column{{name, "String"}}, r.Columns...)
	return r
}

// join reads the other side and the columns to join on. Every kind but the inner ones and the ones that filter keeps
// the rows of the left side.
func (p *kqlParser) join() (Table, error) {
	kind := p.parameters("kind", "hint")["kind"]
	left := p.current
	right, err := p.source()
	if err != nil {
		return Table{}, err
	}
	if !p.takeWord("on") {
		return Table{}, p.unexpected()
	}
	var keys []joinKey
	for {
		k, err := p.joinKey()
		if err != nil {
			return Table{}, err
		}
		keys = append(keys, k)
		if !p.take(",") {
			break
		}
	}
	return joined(left, right, kind, keys)
}

type joinKey struct{ left, right string }

// joinKey reads a column of both sides, or $left.a == $right.b.
func (p *kqlParser) joinKey() (joinKey, error) {
	var k joinKey
	for {
		side, err := p.name()
		if err != nil {
			return k, err
		}
		name := side
		if p.take(".") {
			if name, err = p.name(); err != nil {
				return k, err
			}
		}
		switch side {
		case "$left":
			k.left = name
		case "$right":
			k.right = name
		default:
			k = joinKey{name, name}
		}
		if !p.take("==") {
			return k, nil
		}
	}
}

func joined(left, right Table, kind string, keys []joinKey) (Table, error) {
	for _, k := range keys {
		for _, side := range []struct {
			name string
			of   Table
		}{{k.left, left}, {k.right, right}} {
			if _, found := side.of.column(side.name); !found && !side.of.open {
				return Table{}, fmt.Errorf("failed to resolve column named '%s' of a join", side.name)
			}
		}
	}
	key := func(r Table, t Row, name func(joinKey) string) string {
		return fmt.Sprintf("%q", each(keys, func(k joinKey) string {
			c, _ := r.column(name(k))
			return Text(c.Of(t))
		}))
	}
	matches := map[string][]Row{}
	for _, t := range right.Rows {
		k := key(right, t, func(k joinKey) string { return k.right })
		matches[k] = append(matches[k], t)
	}
	result := left
	result.Rows = nil
	filters := kind == "leftanti" || kind == "leftsemi" || kind == "anti"
	rename := map[string]string{}
	if !filters {
		result, rename = widened(left, right)
	}
	inner := kind == "" || kind == "inner" || kind == "innerunique"
	for _, t := range left.Rows {
		found := matches[key(left, t, func(k joinKey) string { return k.left })]
		switch {
		case filters && (len(found) > 0) == (kind == "leftsemi"), !filters && len(found) == 0 && !inner:
			result.Rows = append(result.Rows, t)
		case !filters:
			for _, other := range found {
				row := maps.Clone(t)
				for from, to := range rename {
					row[to] = other[from]
				}
				result.Rows = append(result.Rows, row)
			}
		}
	}
	return result, nil
}

// widened adds the columns of the right side; those that the left side has too get a number.
func widened(left, right Table) (Table, map[string]string) {
	result := Table{Columns: slices.Clone(left.Columns), open: left.open || right.open}
	rename := map[string]string{}
	for _, c := range right.Columns {
		to := c.Name
		if _, taken := result.column(to); taken {
			to += "1"
		}
		rename[c.Name] = to
		result = result.with(Column{to, c.Kind})
	}
	return result, rename
}
