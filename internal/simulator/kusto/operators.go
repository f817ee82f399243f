package kusto

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// operators are the ones that are carried out, by their names. Each reads what follows its name.
func operators() map[string]func(*parser) (Table, error) {
	return map[string]func(*parser) (Table, error){
		"where": (*parser).where, "filter": (*parser).where,
		"extend":          (*parser).extend,
		"project":         (*parser).project,
		"project-away":    (*parser).projectAway,
		"project-keep":    (*parser).projectKeep,
		"project-rename":  (*parser).projectRename,
		"project-reorder": (*parser).projectReorder,
		"summarize":       (*parser).summarize,
		"distinct":        (*parser).distinct,
		"count":           (*parser).count,
		"take":            (*parser).limit, "limit": (*parser).limit, "sample": (*parser).limit,
		"top":  (*parser).top,
		"sort": (*parser).sort, "order": (*parser).sort,
		"union":       func(p *parser) (Table, error) { return p.union(&p.current) },
		"join":        (*parser).join,
		"lookup":      (*parser).lookup,
		"mv-expand":   func(p *parser) (Table, error) { return p.expand(-1) },
		"mvexpand":    func(p *parser) (Table, error) { return p.expand(legacyExpansion) },
		"mv-apply":    (*parser).expandApply,
		"parse":       func(p *parser) (Table, error) { return p.parse(false) },
		"parse-where": func(p *parser) (Table, error) { return p.parse(true) },
		"serialize":   (*parser).serialize,
		"as":          (*parser).as,
		"render":      (*parser).render,
		"getschema":   (*parser).getSchema,
		"evaluate":    (*parser).evaluate,
		"invoke":      (*parser).invoke,
		"search":      func(p *parser) (Table, error) { return p.search(&p.current) },
		"make-series": (*parser).makeSeries,
	}
}

// operatorsElsewhere are the operators of the language that are not carried out.
var operatorsElsewhere = []string{
	"reduce", "top-nested", "top-hitters", "partition", "scan", "facet", "fork", "find", "consume", "externaldata", "sample-distinct",
	"parse-kv", "make-graph", "graph-match", "graph-to-table", "graph-shortest-paths", "graph-mark-components", "assert-schema",
	"execute-and-cache", "macro-expand", "range", "print", "datatable", "project-by-names", "nest",
}

// parameters reads "name=value" before the operands of an operator. Hints say how the service is to work, and change nothing.
func (p *parser) parameters(known ...string) (map[string]string, error) {
	found := map[string]string{}
	for p.peek().kind == wordToken {
		if p.peek().text == "hint" && p.peekAt(1).text == "." {
			p.next()
			p.next()
			p.next()
			if err := p.expect("="); err != nil {
				return nil, err
			}
			p.next()
			continue
		}
		if !slices.Contains(known, p.peek().text) || p.peekAt(1).text != "=" {
			return found, nil
		}
		name := p.next().text
		p.next()
		found[name] = p.next().text
	}
	return found, nil
}

func (t Table) frame(i int) *frame { return &frame{row: t.Rows[i], index: i, rows: t.Rows} }

func (p *parser) where() (Table, error) {
	condition, err := p.expression()
	if err != nil {
		return Table{}, err
	}
	if condition.typ != Bool && condition.typ != Dynamic {
		return Table{}, fmt.Errorf("the condition of where has the type %s, not bool", condition.typ)
	}
	t := p.current
	kept := [][]any{}
	for i := range t.Rows {
		if condition.eval(t.frame(i)) == true {
			kept = append(kept, t.Rows[i])
		}
	}
	t.Rows = kept
	return t, nil
}

// assignments reads "name = expression, ...". A column without a name of its own is numbered.
func (p *parser) assignments() ([]namedExpression, error) {
	var list []namedExpression
	for {
		one, err := p.assignment()
		if err != nil {
			return nil, err
		}
		list = append(list, one...)
		if !p.take(",") {
			return list, nil
		}
	}
}

func (p *parser) assignment() ([]namedExpression, error) {
	if p.is(signToken, "(") {
		if after := p.tokens[matching(p.tokens)+1]; after.kind == signToken && after.text == "=" {
			return p.severalNames()
		}
	}
	name := ""
	if (p.peek().kind == wordToken && p.peekAt(1).kind == signToken && p.peekAt(1).text == "=") ||
		(p.is(signToken, "[") && p.peekAt(1).typ == String && p.peekAt(3).text == "=") {
		var err error
		if name, err = p.name(); err != nil {
			return nil, err
		}
		p.next()
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if e.several != nil {
		several := slices.Clone(e.several)
		if name != "" {
			several[0].name = name
		}
		return several, nil
	}
	if name == "" {
		name = e.name
	}
	return []namedExpression{{name: name, value: e}}, nil
}

// oneAssignment reads "name = expression" of one value.
func (p *parser) oneAssignment() (namedExpression, error) {
	list, err := p.assignment()
	if err != nil {
		return namedExpression{}, err
	}
	if len(list) > 1 {
		_, err = single(severally(list), nil)
	}
	return list[0], err
}

// severalNames reads "(a, b) = function", of a function that makes several columns.
func (p *parser) severalNames() ([]namedExpression, error) {
	p.next()
	var names []string
	for !p.take(")") {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		p.take(",")
	}
	p.next()
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if len(names) > max(1, len(e.several)) {
		return nil, errors.New("there are more names than the function makes columns")
	}
	several := slices.Clone(e.several)
	if several == nil {
		several = []namedExpression{{value: e}}
	}
	for i, name := range names {
		several[i].name = name
	}
	return several, nil
}

// numbered names the columns that have no name.
func numbered(list []namedExpression, columns []Column) []namedExpression {
	list = slices.Clone(list)
	n := 0
	for i := range list {
		if list[i].name != "" {
			continue
		}
		for {
			n++
			name := fmt.Sprint("Column", n)
			_, taken := Table{Columns: columns}.column(name)
			if !taken && !slices.ContainsFunc(list, func(e namedExpression) bool { return e.name == name }) {
				list[i].name = name
				break
			}
		}
	}
	return list
}

func (p *parser) extend() (Table, error) {
	list, err := p.assignments()
	if err != nil {
		return Table{}, err
	}
	t := p.current
	list = numbered(list, t.Columns)
	made := Table{Columns: slices.Clone(t.Columns), ordered: t.ordered}
	places := make([]int, len(list))
	for n, one := range list {
		c := Column{one.name, one.value.typ}
		i, found := made.column(one.name)
		if found {
			made.Columns[i] = c
		} else {
			i, made.Columns = len(made.Columns), append(made.Columns, c)
		}
		places[n] = i
	}
	made.Rows = make([][]any, len(t.Rows))
	for i := range t.Rows {
		row := make([]any, len(made.Columns))
		copy(row, t.Rows[i])
		f := t.frame(i)
		for n, one := range list {
			row[places[n]] = fitted(one.value.eval(f), one.value.typ)
		}
		made.Rows[i] = row
	}
	return made, nil
}

// fitted returns a value in the form that it has in a column of the type, also a missing one.
func fitted(v any, t Type) any {
	if v == nil {
		return zero(t)
	}
	if n, ok := v.(int64); ok && t == Real {
		return float64(n)
	}
	return v
}

func (p *parser) project() (Table, error) {
	list, err := p.assignments()
	if err != nil {
		return Table{}, err
	}
	return p.current.shaped(numbered(list, nil)), nil
}

// shaped returns a table of expressions over the rows.
func (t Table) shaped(list []namedExpression) Table {
	made := Table{ordered: t.ordered, Rows: make([][]any, len(t.Rows))}
	for _, one := range list {
		made.Columns = append(made.Columns, Column{unique(made.Columns, one.name), one.value.typ})
	}
	for i := range t.Rows {
		row, f := make([]any, len(list)), t.frame(i)
		for n, one := range list {
			row[n] = fitted(one.value.eval(f), one.value.typ)
		}
		made.Rows[i] = row
	}
	return made
}

// pick returns the table with the columns at the places.
func (t Table) pick(places []int) Table {
	made := Table{ordered: t.ordered, Rows: make([][]any, len(t.Rows))}
	for _, i := range places {
		made.Columns = append(made.Columns, t.Columns[i])
	}
	for r, row := range t.Rows {
		cut := make([]any, len(places))
		for n, i := range places {
			cut[n] = row[i]
		}
		made.Rows[r] = cut
	}
	return made
}

// pattern reads a name in which an asterisk matches anything.
func (p *parser) pattern() (string, error) {
	text, end := "", -1
	for {
		t := p.peek()
		part := t.text
		if t.kind == signToken && t.text == "[" {
			name, err := p.name()
			return name, err
		}
		if t.kind != wordToken && (t.kind != signToken || t.text != "*") && t.typ != Long || end >= 0 && t.at != end {
			break
		}
		p.next()
		text, end = text+part, t.at+len(part)
	}
	if text == "" {
		return "", p.unexpected()
	}
	return text, nil
}

// wild returns the expression of a name in which an asterisk matches anything.
func wild(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// fitting returns the places of the columns that a pattern names.
func (t Table) fitting(pattern string) []int {
	re := wild(pattern)
	var places []int
	for i, c := range t.Columns {
		if re.MatchString(c.Name) {
			places = append(places, i)
		}
	}
	return places
}

// patterns reads a list of names with asterisks. visit gets the places of the columns that each means, and may read what follows
// the name.
func (p *parser) patterns(visit func(places []int)) error {
	for {
		pattern, err := p.pattern()
		if err != nil {
			return err
		}
		places := p.current.fitting(pattern)
		if len(places) == 0 && !strings.Contains(pattern, "*") {
			return fmt.Errorf("failed to resolve column named '%s'", pattern)
		}
		visit(places)
		if !p.take(",") {
			return nil
		}
	}
}

func (p *parser) projectAway() (Table, error) { return p.projectNamed(false) }

func (p *parser) projectKeep() (Table, error) { return p.projectNamed(true) }

// projectNamed keeps the columns that fit the patterns, or all others, in their order.
func (p *parser) projectNamed(keep bool) (Table, error) {
	named := map[int]bool{}
	err := p.patterns(func(places []int) {
		for _, i := range places {
			named[i] = true
		}
	})
	if err != nil {
		return Table{}, err
	}
	return p.current.pick(p.current.keeping(func(i int) bool { return named[i] == keep })), nil
}

func (t Table) keeping(keep func(i int) bool) []int {
	var places []int
	for i := range t.Columns {
		if keep(i) {
			places = append(places, i)
		}
	}
	return places
}

func (p *parser) projectReorder() (Table, error) {
	var first []int
	by := func(a, b int) int { return strings.Compare(p.current.Columns[a].Name, p.current.Columns[b].Name) }
	err := p.patterns(func(places []int) {
		switch {
		case p.takeWord("asc"):
			slices.SortFunc(places, by)
		case p.takeWord("desc"):
			slices.SortFunc(places, func(a, b int) int { return by(b, a) })
		}
		for _, i := range places {
			if !slices.Contains(first, i) {
				first = append(first, i)
			}
		}
	})
	if err != nil {
		return Table{}, err
	}
	rest := p.current.keeping(func(i int) bool { return !slices.Contains(first, i) })
	return p.current.pick(append(first, rest...)), nil
}

func (p *parser) projectRename() (Table, error) {
	t := p.current
	t.Columns = slices.Clone(t.Columns)
	for {
		to, err := p.name()
		if err != nil {
			return Table{}, err
		}
		if err := p.expect("="); err != nil {
			return Table{}, err
		}
		from, err := p.name()
		if err != nil {
			return Table{}, err
		}
		i, found := p.current.column(from)
		if !found {
			return Table{}, fmt.Errorf("failed to resolve column named '%s'", from)
		}
		t.Columns[i].Name = to
		if !p.take(",") {
			return t, nil
		}
	}
}

// group is a group of rows of which summarize makes one.
type group struct {
	keys []any
	rows [][]any
}

// groups puts the rows with the same keys together, in the order in which they come.
func (t Table) groups(keys []namedExpression) []*group {
	var groups []*group
	places := map[string]*group{}
	for i := range t.Rows {
		f := t.frame(i)
		values := make([]any, len(keys))
		for n, k := range keys {
			values[n] = fitted(k.value.eval(f), k.value.typ)
		}
		text := key(values...)
		g, found := places[text]
		if !found {
			g = &group{keys: values}
			places[text] = g
			groups = append(groups, g)
		}
		g.rows = append(g.rows, t.Rows[i])
	}
	return groups
}

func (p *parser) summarize() (Table, error) {
	if _, err := p.parameters(); err != nil {
		return Table{}, err
	}
	var list, keys []namedExpression
	var err error
	if !p.is(wordToken, "by") {
		p.grouping = true
		list, err = p.assignments()
		p.grouping = false
		if err != nil {
			return Table{}, err
		}
	}
	if p.takeWord("by") {
		if _, err = p.parameters(); err != nil {
			return Table{}, err
		}
		if keys, err = p.assignments(); err != nil {
			return Table{}, err
		}
	}
	if len(list) == 0 && len(keys) == 0 {
		return Table{}, p.unexpected()
	}
	// The columns of the keys are not repeated by arg_max(x, *).
	list = slices.DeleteFunc(list, func(one namedExpression) bool {
		return one.star && slices.ContainsFunc(keys, func(k namedExpression) bool { return k.value.column == one.value.column })
	})
	all := numbered(slices.Concat(keys, list), nil)
	made := Table{}
	for _, one := range all {
		made.Columns = append(made.Columns, Column{unique(made.Columns, one.name), one.value.typ})
	}
	groups := p.current.groups(keys)
	if len(keys) == 0 && len(groups) == 0 {
		groups = []*group{{}}
	}
	for _, g := range groups {
		row := slices.Clone(g.keys)
		for _, one := range list {
			row = append(row, fitted(one.value.eval(&frame{rows: g.rows}), one.value.typ))
		}
		made.Rows = append(made.Rows, row)
	}
	return made, nil
}

func (p *parser) distinct() (Table, error) {
	if _, err := p.parameters(); err != nil {
		return Table{}, err
	}
	t := p.current
	if !p.take("*") {
		list, err := p.assignments()
		if err != nil {
			return Table{}, err
		}
		t = t.shaped(numbered(list, nil))
	}
	seen := map[string]bool{}
	t.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(row []any) bool {
		text := key(row...)
		again := seen[text]
		seen[text] = true
		return again
	})
	t.ordered = false
	return t, nil
}

func (p *parser) count() (Table, error) {
	name := "Count"
	if p.takeWord("as") {
		var err error
		if name, err = p.name(); err != nil {
			return Table{}, err
		}
	}
	return Table{Columns: []Column{{name, Long}}, Rows: [][]any{{int64(len(p.current.Rows))}}}, nil
}

// size reads how many rows are wanted.
func (p *parser) size() (int, error) {
	saved := p.current
	p.current = Table{}
	e, err := p.sum()
	p.current = saved
	if err != nil {
		return 0, err
	}
	n, ok := e.eval(&frame{}).(int64)
	if !ok || n < 0 {
		return 0, errors.New("the number of rows must be a whole number that is not negative")
	}
	return int(min(n, int64(len(p.current.Rows)))), nil
}

func (p *parser) limit() (Table, error) {
	n, err := p.size()
	if err != nil {
		return Table{}, err
	}
	t := p.current
	t.Rows = t.Rows[:n]
	return t, nil
}

func (p *parser) top() (Table, error) {
	n, err := p.size()
	if err != nil {
		return Table{}, err
	}
	t, err := p.sort()
	if err != nil {
		return t, err
	}
	t.Rows = t.Rows[:n]
	return t, nil
}

// sortKey is a key of sort, by which the smallest comes first if it ascends.
type sortKey struct {
	value                 expression
	ascending, nullsFirst bool
}

// sort reads "by" and the keys; without a direction the largest comes first. Null comes last where the largest comes first, and
// first where it comes last.
func (p *parser) sort() (Table, error) {
	if _, err := p.parameters(); err != nil {
		return Table{}, err
	}
	if !p.takeWord("by") {
		return Table{}, p.unexpected()
	}
	var keys []sortKey
	for {
		k, err := p.sortKey()
		if err != nil {
			return Table{}, err
		}
		keys = append(keys, k)
		if !p.take(",") {
			break
		}
	}
	t := p.current
	type sortable struct{ row, keys []any }
	rows := make([]sortable, len(t.Rows))
	for i := range t.Rows {
		values := make([]any, len(keys))
		for n, k := range keys {
			values[n] = k.value.eval(t.frame(i))
		}
		rows[i] = sortable{t.Rows[i], values}
	}
	slices.SortStableFunc(rows, func(a, b sortable) int {
		for n, k := range keys {
			if order := k.order(a.keys[n], b.keys[n]); order != 0 {
				return order
			}
		}
		return 0
	})
	t.Rows = make([][]any, len(rows))
	for i := range rows {
		t.Rows[i] = rows[i].row
	}
	t.ordered = true
	return t, nil
}

func (p *parser) sortKey() (sortKey, error) {
	e, err := single(p.expression())
	if err != nil {
		return sortKey{}, err
	}
	if e.typ == Dynamic {
		return sortKey{}, errors.New("rows cannot be sorted by a dynamic value; use tostring or another conversion")
	}
	k := sortKey{value: e}
	if p.takeWord("asc") {
		k.ascending, k.nullsFirst = true, true
	} else {
		p.takeWord("desc")
	}
	if p.takeWord("nulls") {
		switch {
		case p.takeWord("first"):
			k.nullsFirst = true
		case p.takeWord("last"):
			k.nullsFirst = false
		default:
			return sortKey{}, p.unexpected()
		}
	}
	return k, nil
}

// order puts null at the end where it belongs, and NaN next to it.
//
// https://learn.microsoft.com/en-us/kusto/query/sort-operator
func (k sortKey) order(x, y any) int {
	rank := func(v any) int64 { return 2*asInt(v == nil) + asInt(isNaN(v)) }
	if rank(x) > 0 || rank(y) > 0 {
		return directed(cmp.Compare(rank(x), rank(y)), !k.nullsFirst)
	}
	return directed(sorting(x, y), k.ascending)
}

// directed returns an order, or the opposite one.
func directed(order int, ascending bool) int {
	if ascending {
		return order
	}
	return -order
}

func (p *parser) serialize() (Table, error) {
	p.current.ordered = true
	if p.peek().kind == endToken || p.peek().kind == signToken && p.peek().text != "[" {
		return p.current, nil
	}
	return p.extend()
}

func (p *parser) as() (Table, error) {
	if _, err := p.parameters(); err != nil {
		return Table{}, err
	}
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	p.scope.tables[name] = p.current
	return p.current, nil
}

// render says how a result is drawn, which does not depend on the rows.
func (p *parser) render() (Table, error) {
	if _, err := p.name(); err != nil {
		return Table{}, err
	}
	if p.takeWord("with") {
		end := matching(p.tokens)
		if end == -1 {
			return Table{}, p.unexpected()
		}
		p.tokens = p.tokens[end+1:]
	}
	return p.current, nil
}

func (p *parser) getSchema() (Table, error) {
	t := Table{Columns: []Column{{"ColumnName", String}, {"ColumnOrdinal", Int}, {"DataType", String}, {"ColumnType", String}}}
	for i, c := range p.current.Columns {
		t.Rows = append(t.Rows, []any{c.Name, int64(i), c.Type.system(), string(c.Type)})
	}
	return t, nil
}

// invoke calls a function with the table before it.
func (p *parser) invoke() (Table, error) {
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	f, known := p.scope.lambda(name)
	if !known {
		return p.enrich(name)
	}
	table := p.current
	return p.callLambda(f, &table, p)
}

// enrich calls a function of the service: with a column or its name as text, and how many values of it are looked up.
func (p *parser) enrich(name string) (Table, error) {
	enricher, ok := p.run.tables.(Enricher)
	if !ok {
		return Table{}, unsupported("function", name)
	}
	if err := p.expect("("); err != nil {
		return Table{}, err
	}
	column, limit := "", 100
	for !p.take(")") {
		e, err := p.sum()
		if err != nil {
			return Table{}, err
		}
		value := e.eval(&frame{})
		n, isNumber := value.(int64)
		named, isText := value.(string)
		switch {
		case e.column != "":
			column = e.column
		case e.constant && isText:
			if !slices.ContainsFunc(p.current.Columns, func(c Column) bool { return c.Name == named }) {
				return Table{}, fmt.Errorf("failed to resolve column named '%s'", named)
			}
			column = named
		case e.constant && isNumber && n > 0 && n <= 1000:
			limit = int(n)
		default:
			return Table{}, fmt.Errorf("the function '%s' takes a column and a number up to 1000", name)
		}
		if !p.take(",") && !p.is(signToken, ")") {
			return Table{}, p.unexpected()
		}
	}
	made, known := enricher.Enrich(name, p.current, column, limit)
	if !known {
		return Table{}, unsupported("function", name)
	}
	return made, nil
}

func (p *parser) print() (Table, error) {
	p.current = Table{}
	list, err := p.assignments()
	if err != nil {
		return Table{}, err
	}
	for i := range list {
		if list[i].name == "" {
			list[i].name = fmt.Sprint("print_", i)
		}
	}
	t := Table{Rows: [][]any{{}}}.shaped(list)
	t.ordered = true
	return t, nil
}

func (p *parser) rangeOf() (Table, error) {
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	p.current = Table{}
	var values [3]expression
	for i, word := range []string{"from", "to", "step"} {
		if !p.takeWord(word) {
			return Table{}, p.unexpected()
		}
		if values[i], err = p.sum(); err != nil {
			return Table{}, err
		}
	}
	typ := values[0].typ
	if typ == Int || typ == Long && values[2].typ == Real {
		typ = widest(Long, values[2].typ)
	}
	list, err := tableRange(values[0].eval(&frame{}), values[1].eval(&frame{}), values[2].eval(&frame{}))
	if err != nil {
		return Table{}, err
	}
	t := Table{Columns: []Column{{name, typ}}, ordered: true}
	for _, v := range list {
		t.Rows = append(t.Rows, []any{fitted(v, typ)})
	}
	return t, nil
}

func (p *parser) dataTable() (Table, error) {
	if err := p.expect("("); err != nil {
		return Table{}, err
	}
	columns, err := p.columns()
	if err != nil {
		return Table{}, err
	}
	if len(columns) == 0 {
		return Table{}, errors.New("the datatable has no column")
	}
	if err := p.expect("["); err != nil {
		return Table{}, err
	}
	p.current = Table{}
	t := Table{Columns: columns}
	var row []any
	for !p.take("]") {
		e, err := p.expression()
		if err != nil {
			return Table{}, err
		}
		typ := columns[len(row)].Type
		if !e.constant || e.typ != Dynamic && !areComparable(e.typ, typ) && typ != Dynamic {
			return Table{}, fmt.Errorf("the column '%s' of the datatable takes a literal of type %s", columns[len(row)].Name, typ)
		}
		row = append(row, fitted(convert(e.eval(&frame{}), typ), typ))
		if len(row) == len(columns) {
			t.Rows, row = append(t.Rows, row), nil
		}
		if !p.take(",") && !p.is(signToken, "]") {
			return Table{}, p.unexpected()
		}
	}
	if len(row) > 0 {
		return Table{}, errors.New("the values of the datatable do not fill its rows")
	}
	return t, nil
}

// legacyExpansion is how many rows mvexpand makes of one, unless it is told.
//
// https://learn.microsoft.com/en-us/kusto/query/mv-expand-operator
const legacyExpansion = 128

// expand makes a row of each item of a list, or of each property of a bag: at most a number of rows of one row, where it is not
// negative and the query has no limit of its own.
func (p *parser) expand(usual int) (Table, error) {
	parameters, err := p.parameters("bagexpansion", "kind", "with_itemindex")
	if err != nil {
		return Table{}, err
	}
	lists, most, err := p.expansions()
	if err != nil {
		return Table{}, err
	}
	if most < 0 {
		most = usual
	}
	return p.current.expanded(lists, parameters, most)
}

// expansion is a value to expand, and the column that its items go to.
type expansion struct {
	namedExpression
	to Type
}

// expansions reads "name = list to typeof(type), ... limit n".
func (p *parser) expansions() ([]expansion, int, error) {
	var lists []expansion
	for {
		value, err := p.oneAssignment()
		if err != nil {
			return nil, 0, err
		}
		one := expansion{value, Dynamic}
		if one.value.typ != Dynamic {
			return nil, 0, fmt.Errorf("a value of type %s cannot be expanded; use todynamic", one.value.typ)
		}
		if p.takeWord("to") {
			if one.to, err = p.typeOf(); err != nil {
				return nil, 0, err
			}
		}
		lists = append(lists, one)
		if !p.take(",") {
			break
		}
	}
	most := -1
	if p.takeWord("limit") {
		n, ok := p.next().value.(int64)
		if !ok {
			return nil, 0, errors.New("limit takes a number")
		}
		most = int(n)
	}
	for i, one := range numbered(namesOf(lists), p.current.Columns) {
		lists[i].name = one.name
	}
	return lists, most, nil
}

func namesOf(lists []expansion) []namedExpression {
	made := make([]namedExpression, len(lists))
	for i, one := range lists {
		made[i] = one.namedExpression
	}
	return made
}

func (t Table) expanded(lists []expansion, parameters map[string]string, most int) (Table, error) {
	made := Table{Columns: slices.Clone(t.Columns), ordered: t.ordered}
	places := make([]int, len(lists))
	for n, one := range lists {
		i, found := made.column(one.name)
		if !found {
			i, made.Columns = len(made.Columns), append(made.Columns, Column{one.name, one.to})
		}
		made.Columns[i].Type = one.to
		places[n] = i
	}
	indexed := parameters["with_itemindex"]
	if indexed != "" {
		made.Columns = append(made.Columns, Column{indexed, Long})
	}
	asArray := parameters["bagexpansion"] == "array" || parameters["kind"] == "array"
	for r := range t.Rows {
		f := t.frame(r)
		items := make([][]any, len(lists))
		longest := 0
		for n, one := range lists {
			items[n] = itemsOf(one.value.eval(f), asArray)
			longest = max(longest, len(items[n]))
		}
		if most >= 0 {
			longest = min(longest, most)
		}
		for i := range longest {
			row := make([]any, len(made.Columns))
			copy(row, t.Rows[r])
			for n, one := range lists {
				row[places[n]] = fitted(cast(argument(items[n], i), one.to), one.to)
			}
			if indexed != "" {
				row[len(row)-1] = int64(i)
			}
			made.Rows = append(made.Rows, row)
		}
		if err := withinLimit(len(made.Rows), "mv-expand"); err != nil {
			return Table{}, err
		}
	}
	return made, nil
}

// cast returns an item as the type of its column. A text is not read for the value that it may name: it becomes null.
func cast(v any, to Type) any {
	if _, isText := v.(string); isText && to != String && to != GUID && to != Dynamic {
		return nil
	}
	return convert(v, to)
}

// itemsOf returns the items of a list, or a bag for each property of a bag; anything else is one item.
func itemsOf(v any, asArray bool) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		var items []any
		for _, name := range sortedNames(v) {
			if asArray {
				items = append(items, []any{name, v[name]})
			} else {
				items = append(items, map[string]any{name: v[name]})
			}
		}
		return items
	}
	return []any{v}
}

// expandApply runs a query over the items of each row.
func (p *parser) expandApply() (Table, error) {
	parameters, err := p.parameters("with_itemindex")
	if err != nil {
		return Table{}, err
	}
	lists, most, err := p.expansions()
	if err != nil {
		return Table{}, err
	}
	if !p.takeWord("on") || !p.is(signToken, "(") {
		return Table{}, p.unexpected()
	}
	end := matching(p.tokens)
	if end == -1 {
		return Table{}, errors.New("syntax error: the query of mv-apply is not closed")
	}
	body := append([]token{{kind: signToken, text: "|"}}, p.tokens[1:end]...)
	body = append(body, token{kind: endToken})
	p.tokens = p.tokens[end+1:]
	before := p.current
	apply := func(t Table) (Table, error) {
		items, err := t.expanded(lists, parameters, most)
		if err != nil {
			return Table{}, err
		}
		items.ordered = true
		inner := &parser{tokens: body, run: p.run, scope: newScope(p.scope), depth: p.depth + 1}
		result, err := inner.operators(items)
		if err == nil && inner.peek().kind != endToken {
			err = inner.unexpected()
		}
		return result, err
	}
	shape, err := apply(Table{Columns: before.Columns})
	if err != nil {
		return Table{}, err
	}
	kept := before.keeping(func(i int) bool {
		name := before.Columns[i].Name
		_, again := shape.column(name)
		return !again && !slices.ContainsFunc(lists, func(one expansion) bool { return one.name == name })
	})
	made := Table{}
	for _, i := range kept {
		made.Columns = append(made.Columns, before.Columns[i])
	}
	made.Columns = append(made.Columns, shape.Columns...)
	for _, row := range before.Rows {
		result, err := apply(Table{Columns: before.Columns, Rows: [][]any{row}})
		if err != nil {
			return Table{}, err
		}
		for _, added := range result.Rows {
			full := make([]any, 0, len(made.Columns))
			for _, i := range kept {
				full = append(full, row[i])
			}
			made.Rows = append(made.Rows, append(full, added...))
		}
	}
	return made, nil
}

// evaluate runs a plugin.
func (p *parser) evaluate() (Table, error) {
	if _, err := p.parameters(); err != nil {
		return Table{}, err
	}
	name, err := p.name()
	if err != nil {
		return Table{}, err
	}
	switch name {
	case "bag_unpack":
		return p.bagUnpack()
	case "pivot":
		return p.pivot()
	}
	return Table{}, unsupported("plugin", name)
}

// bagUnpack makes a column of each property of a bag. What types they have follows from the values.
func (p *parser) bagUnpack() (Table, error) {
	if err := p.expect("("); err != nil {
		return Table{}, err
	}
	from, err := p.name()
	if err != nil {
		return Table{}, err
	}
	prefix := ""
	if p.take(",") {
		t := p.next()
		given, ok := t.value.(string)
		if !ok {
			return Table{}, unsupported("argument of bag_unpack", t.text)
		}
		prefix = given
	}
	if err := p.expect(")"); err != nil {
		return Table{}, err
	}
	t := p.current
	place, found := t.column(from)
	if !found || t.Columns[place].Type != Dynamic {
		return Table{}, fmt.Errorf("failed to resolve dynamic column named '%s'", from)
	}
	types := map[string]any{} // null as long as all values are
	for _, row := range t.Rows {
		bag, _ := row[place].(map[string]any)
		for name, value := range bag {
			switch known := types[name]; {
			case value == nil:
				types[name] = known
			case known == nil:
				types[name] = typeOf(value)
			case known != typeOf(value):
				types[name] = Dynamic
			}
		}
	}
	made := t.pick(t.keeping(func(i int) bool { return i != place }))
	for _, name := range sortedNames(types) {
		if _, taken := made.column(prefix + name); taken {
			return Table{}, fmt.Errorf("bag_unpack would make a second column '%s'", prefix+name)
		}
		typ, known := types[name].(Type)
		if !known {
			typ = Dynamic
		}
		made.Columns = append(made.Columns, Column{prefix + name, typ})
		for i, row := range t.Rows {
			bag, _ := row[place].(map[string]any)
			made.Rows[i] = append(made.Rows[i], fitted(bag[name], typ))
		}
	}
	return made, nil
}

// pivot makes a column of each value of a column.
func (p *parser) pivot() (Table, error) {
	if err := p.expect("("); err != nil {
		return Table{}, err
	}
	by, err := p.name()
	if err != nil {
		return Table{}, err
	}
	place, found := p.current.column(by)
	if !found {
		return Table{}, fmt.Errorf("failed to resolve column named '%s'", by)
	}
	count := expression{typ: Long, eval: func(f *frame) any { return int64(len(f.rows)) }}
	var over []int
	var aggregated []token // what the aggregate is made of
	if p.take(",") {
		before := p.tokens
		p.grouping = true
		count, err = single(p.expression())
		p.grouping = false
		if err != nil {
			return Table{}, err
		}
		aggregated = before[:len(before)-len(p.tokens)]
	}
	for p.take(",") {
		name, err := p.name()
		if err != nil {
			return Table{}, err
		}
		i, found := p.current.column(name)
		if !found {
			return Table{}, fmt.Errorf("failed to resolve column named '%s'", name)
		}
		over = append(over, i)
	}
	if err := p.expect(")"); err != nil {
		return Table{}, err
	}
	t := p.current
	if over == nil {
		over = t.keeping(func(i int) bool {
			return i != place && !slices.ContainsFunc(aggregated, func(one token) bool { return one.text == t.Columns[i].Name })
		})
	}
	var keys []namedExpression
	for _, i := range over {
		keys = append(keys, namedExpression{name: t.Columns[i].Name, value: columnExpression(t.Columns[i], i)})
	}
	names := map[string]any{}
	for _, row := range t.Rows {
		names[Text(row[place])] = true
	}
	made := Table{}
	for _, k := range keys {
		made.Columns = append(made.Columns, Column{k.name, k.value.typ})
	}
	for _, name := range sortedNames(names) {
		made.Columns = append(made.Columns, Column{unique(made.Columns, name), count.typ})
	}
	for _, g := range t.groups(keys) {
		row := slices.Clone(g.keys)
		for _, name := range sortedNames(names) {
			some := slices.DeleteFunc(slices.Clone(g.rows), func(r []any) bool { return Text(r[place]) != name })
			row = append(row, fitted(count.eval(&frame{rows: some}), count.typ))
		}
		made.Rows = append(made.Rows, row)
	}
	return made, nil
}

// series is an aggregate of make-series, and what it is where there are no rows.
type series struct {
	namedExpression

	fallback any
}

// makeSeries makes lists of aggregates over steps of an axis.
func (p *parser) makeSeries() (Table, error) {
	parameters, err := p.parameters("kind")
	if err != nil {
		return Table{}, err
	}
	list, err := p.seriesList()
	if err != nil {
		return Table{}, err
	}
	if !p.takeWord("on") {
		return Table{}, p.unexpected()
	}
	axis, err := single(p.sum())
	if err != nil {
		return Table{}, err
	}
	from, step, steps, err := p.seriesSteps()
	if err != nil {
		return Table{}, err
	}
	var keys []namedExpression
	if p.takeWord("by") {
		if keys, err = p.assignments(); err != nil {
			return Table{}, err
		}
	}
	keys = numbered(keys, nil)
	made := Table{}
	for _, k := range keys {
		made.Columns = append(made.Columns, Column{k.name, k.value.typ})
	}
	for i := range list {
		made.Columns = append(made.Columns, Column{unique(made.Columns, list[i].name), Dynamic})
	}
	axisName := axis.name
	if axisName == "" {
		axisName = "Column1"
	}
	made.Columns = append(made.Columns, Column{unique(made.Columns, axisName), Dynamic})
	groups := p.current.groups(keys)
	if len(groups) == 0 && len(keys) == 0 && parameters["kind"] == "nonempty" {
		groups = []*group{{}}
	}
	for _, g := range groups {
		bins := map[string][][]any{}
		for i, row := range g.rows {
			k := key(bin(axis.eval(&frame{row: row, index: i, rows: g.rows}), step, from))
			bins[k] = append(bins[k], row)
		}
		row := slices.Clone(g.keys)
		for _, one := range list {
			row = append(row, one.over(steps, bins))
		}
		made.Rows = append(made.Rows, append(row, slices.Clone(steps)))
	}
	return made, nil
}

// over returns the aggregate of each step.
func (s series) over(steps []any, bins map[string][][]any) []any {
	return mapped(steps, func(step any) any {
		if rows := bins[key(step)]; len(rows) > 0 {
			return s.value.eval(&frame{rows: rows})
		}
		return s.fallback
	})
}

// seriesList reads "name = aggregate default = value, ...".
func (p *parser) seriesList() ([]series, error) {
	var list []series
	for {
		p.grouping = true
		value, err := p.oneAssignment()
		p.grouping = false
		if err != nil {
			return nil, err
		}
		one := series{value, int64(0)}
		if p.takeWord("default") {
			if err := p.expect("="); err != nil {
				return nil, err
			}
			value, err := p.sum()
			if err != nil {
				return nil, err
			}
			one.fallback = value.eval(&frame{})
		}
		list = append(list, one)
		if !p.take(",") {
			return list, nil
		}
	}
}

// seriesSteps reads "from a to b step c" and returns the steps, of which b is not one.
func (p *parser) seriesSteps() (from, step any, steps []any, err error) {
	var values [3]any
	for i, word := range []string{"from", "to", "step"} {
		if !p.takeWord(word) {
			if i < 2 {
				return nil, nil, nil, errors.New("make-series without 'from' and 'to' is not supported by this simulated service")
			}
			return nil, nil, nil, p.unexpected()
		}
		e, err := p.sum()
		if err != nil {
			return nil, nil, nil, err
		}
		values[i] = e.eval(&frame{})
	}
	if steps, err = tableRange(values[0], values[1], values[2]); err != nil {
		return nil, nil, nil, err
	}
	if n := len(steps); n > 0 {
		if order, ok := compare(steps[n-1], values[1]); ok && order == 0 {
			steps = steps[:n-1]
		}
	}
	return values[0], values[2], steps, nil
}
