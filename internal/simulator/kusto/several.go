package kusto

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// union puts the rows of several tables together. A column that has different types in them becomes one column for each type, as
// the service does.
func (p *parser) union(before *Table) (Table, error) {
	parameters, err := p.parameters("kind", "withsource", "isfuzzy")
	if err != nil {
		return Table{}, err
	}
	var parts []part
	if before != nil {
		parts = append(parts, part{"union_arg0", *before})
	}
	for {
		begin := p.tokens
		some, err := p.unionPart(len(parts))
		_, unresolved := errors.AsType[*unresolvedTableError](err)
		switch {
		case unresolved && parameters["isfuzzy"] == "true":
			p.tokens = begin
			p.skip()
		case err != nil:
			return Table{}, err
		}
		parts = append(parts, some...)
		if !p.take(",") {
			break
		}
	}
	if len(parts) == 0 {
		return Table{}, errors.New("the union has no table")
	}
	label := parameters["withsource"]
	made, places := unionColumns(parts, label, parameters["kind"] == "inner")
	for _, one := range parts {
		if err := withinLimit(len(made.Rows)+len(one.table.Rows), "union"); err != nil {
			return Table{}, err
		}
		made.add(one, places, label != "")
	}
	return made, nil
}

// skip drops a name, or what is in parentheses.
func (p *parser) skip() {
	end := 0
	if p.is(signToken, "(") {
		end = matching(p.tokens)
	}
	p.tokens = p.tokens[end+1:]
}

// part is a table of a union, with its name.
type part struct {
	name  string
	table Table
}

// unionPart reads a table of a union, or the tables that a name with an asterisk means.
func (p *parser) unionPart(place int) ([]part, error) {
	if names := p.wildcard(); names != nil {
		var parts []part
		for _, name := range names {
			if t, ok := p.run.table(name); ok {
				parts = append(parts, part{name, t})
			}
		}
		return parts, nil
	}
	name := fmt.Sprint("union_arg", place)
	if p.peek().kind == wordToken && p.peekAt(1).text != "(" {
		name = p.peek().text
	}
	t, err := p.source()
	if err != nil {
		return nil, err
	}
	return []part{{name, t}}, nil
}

// unionColumns returns a table with the columns of the parts, and where each of them goes.
func unionColumns(parts []part, label string, inner bool) (Table, map[Column]int) {
	made := Table{}
	if label != "" {
		made.Columns = append(made.Columns, Column{label, String})
	}
	types := map[string][]Type{}
	var names []string
	for _, one := range parts {
		for _, c := range one.table.Columns {
			if types[c.Name] == nil {
				names = append(names, c.Name)
			}
			if !slices.Contains(types[c.Name], c.Type) {
				types[c.Name] = append(types[c.Name], c.Type)
			}
		}
	}
	taken := slices.Clone(made.Columns) // and the names of columns that have one type
	for _, name := range names {
		if len(types[name]) == 1 {
			taken = append(taken, Column{Name: name})
		}
	}
	places := map[Column]int{}
	for _, name := range names {
		if inner && slices.ContainsFunc(parts, func(one part) bool { _, has := one.table.column(name); return !has }) {
			continue
		}
		for _, typ := range types[name] {
			c := Column{name, typ}
			places[c] = len(made.Columns)
			if len(types[name]) > 1 {
				c.Name = unique(taken, name+"_"+string(typ))
				taken = append(taken, c)
			}
			made.Columns = append(made.Columns, c)
		}
	}
	return made, places
}

// add adds the rows of a part.
func (t *Table) add(one part, places map[Column]int, labelled bool) {
	for _, from := range one.table.Rows {
		row := t.blank()
		if labelled {
			row[0] = one.name
		}
		for i, c := range one.table.Columns {
			if at, kept := places[c]; kept {
				row[at] = from[i]
			}
		}
		t.Rows = append(t.Rows, row)
	}
}

// blank returns a row of missing values.
func (t Table) blank() []any {
	row := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		row[i] = zero(c.Type)
	}
	return row
}

// wildcard takes a name with asterisks, and returns the tables that it means; none if it has no asterisk.
func (p *parser) wildcard() []string {
	t := p.peek()
	star := t.kind == signToken && t.text == "*"
	if !star && (t.kind != wordToken || p.peekAt(1).text != "*" || p.peekAt(1).at != t.at+len(t.text)) {
		return nil
	}
	pattern, err := p.pattern()
	if err != nil {
		return nil
	}
	re := wild(pattern)
	return slices.DeleteFunc(slices.Clone(p.run.tables.Names()), func(name string) bool { return !re.MatchString(name) })
}

// joinKeys are the columns on which two tables are joined.
type joinKeys struct{ left, right []int }

// on reads the columns to join on: those of both sides, or $left.a == $right.b.
func (p *parser) on(left, right Table) (joinKeys, error) {
	var keys joinKeys
	if !p.takeWord("on") {
		return keys, p.unexpected()
	}
	for {
		names, err := p.onNames()
		if err != nil {
			return keys, err
		}
		a, found := left.column(names[0])
		if !found {
			return keys, fmt.Errorf("failed to resolve column named '%s' of the left side of the join", names[0])
		}
		b, found := right.column(names[1])
		if !found {
			return keys, fmt.Errorf("failed to resolve column named '%s' of the right side of the join", names[1])
		}
		x, y := left.Columns[a].Type, right.Columns[b].Type
		if x == Dynamic || y == Dynamic || !areComparable(x, y) {
			return keys, fmt.Errorf("the columns '%s' (%s) and '%s' (%s) cannot be joined on", names[0], x, names[1], y)
		}
		keys.left, keys.right = append(keys.left, a), append(keys.right, b)
		if !p.take(",") && !p.takeWord("and") {
			return keys, nil
		}
	}
}

// onNames reads the names of a column of the left side and of one of the right side.
func (p *parser) onNames() (names [2]string, err error) {
	for side := 0; ; side++ {
		name, err := p.name()
		if err != nil {
			return names, err
		}
		if name != "$left" && name != "$right" {
			if side > 0 {
				return names, errors.New("a join compares a column of $left with one of $right")
			}
			return [2]string{name, name}, nil
		}
		if err := p.expect("."); err != nil {
			return names, err
		}
		if names[map[string]int{"$left": 0, "$right": 1}[name]], err = p.name(); err != nil {
			return names, err
		}
		if side == 0 {
			if err := p.expect("=="); err != nil {
				return names, err
			}
			continue
		}
		if names[0] == "" || names[1] == "" {
			return names, errors.New("a join compares a column of $left with one of $right")
		}
		return names, nil
	}
}

// keyAt returns the text that rows share if they are joined; ok is false if a value is null, which equals nothing.
func keyAt(row []any, places []int) (text string, ok bool) {
	values := make([]any, len(places))
	for n, i := range places {
		if row[i] == nil {
			return "", false
		}
		values[n] = row[i]
	}
	return key(values...), true
}

// joinKinds are the kinds of a join, by their names.
var joinKinds = []string{
	"innerunique", "inner", "leftouter", "rightouter", "fullouter", "leftanti", "anti", "leftantisemi", "rightanti", "rightantisemi", "leftsemi", "rightsemi",
}

// rightSide reads the kind of a join or lookup, of which the first is the default, its right side and its keys.
func (p *parser) rightSide(operator string, kinds []string) (kind string, right Table, keys joinKeys, err error) {
	left := p.current
	parameters, err := p.parameters("kind")
	if err != nil {
		return "", Table{}, joinKeys{}, err
	}
	kind = cmp.Or(parameters["kind"], kinds[0])
	if !slices.Contains(kinds, kind) {
		return "", Table{}, joinKeys{}, fmt.Errorf("the %s kind '%s' is not known", operator, kind)
	}
	if right, err = p.source(); err == nil {
		keys, err = p.on(left, right)
	}
	return kind, right, keys, err
}

func (p *parser) join() (Table, error) {
	left := p.current
	kind, right, keys, err := p.rightSide("join", joinKinds)
	if err != nil {
		return Table{}, err
	}
	switch kind {
	case "leftanti", "anti", "leftantisemi", "leftsemi":
		return filtered(left, right, keys.left, keys.right, kind == "leftsemi"), nil
	case "rightanti", "rightantisemi", "rightsemi":
		return filtered(right, left, keys.right, keys.left, kind == "rightsemi"), nil
	case "innerunique":
		left = oncePer(left, keys.left)
	}
	columns := make([]int, len(right.Columns))
	for i := range columns {
		columns[i] = i
	}
	return combined(left, right, keys, columns, kind)
}

// lookup is a join that leaves out the columns of the right side that it joins on.
func (p *parser) lookup() (Table, error) {
	left := p.current
	kind, right, keys, err := p.rightSide("lookup", []string{"leftouter", "inner"})
	if err != nil {
		return Table{}, err
	}
	return combined(left, right, keys, right.keeping(func(i int) bool { return !slices.Contains(keys.right, i) }), kind)
}

// filtered keeps the rows that have, or have not, a row on the other side.
func filtered(t, other Table, own, others []int, having bool) Table {
	there := map[string]bool{}
	for _, row := range other.Rows {
		if k, ok := keyAt(row, others); ok {
			there[k] = true
		}
	}
	t.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(row []any) bool {
		k, ok := keyAt(row, own)
		return (ok && there[k]) != having
	})
	return t
}

// oncePer keeps the first row of each key.
func oncePer(t Table, places []int) Table {
	seen := map[string]bool{}
	t.Rows = slices.DeleteFunc(slices.Clone(t.Rows), func(row []any) bool {
		k, ok := keyAt(row, places)
		again := ok && seen[k]
		seen[k] = seen[k] || ok
		return again
	})
	return t
}

// combined puts the rows of both sides next to each other. Columns of the right side whose names the left side has get a number.
func combined(left, right Table, keys joinKeys, columns []int, kind string) (Table, error) {
	made := Table{Columns: slices.Clone(left.Columns)}
	for _, i := range columns {
		made.Columns = append(made.Columns, Column{unique(made.Columns, right.Columns[i].Name), right.Columns[i].Type})
	}
	matches := right.byKey(keys.right)
	blank := made.blank()
	nextTo := func(left, right []any) {
		row := slices.Clone(blank)
		copy(row, left)
		for n, i := range columns {
			if right != nil {
				row[len(row)-len(columns)+n] = right[i]
			}
		}
		made.Rows = append(made.Rows, row)
	}
	used := map[int]bool{}
	for _, row := range left.Rows {
		var found []int
		if k, ok := keyAt(row, keys.left); ok {
			found = matches[k]
		}
		for _, i := range found {
			used[i] = true
			nextTo(row, right.Rows[i])
		}
		if len(found) == 0 && (kind == "leftouter" || kind == "fullouter") {
			nextTo(row, nil)
		}
		if err := withinLimit(len(made.Rows), "join"); err != nil {
			return Table{}, err
		}
	}
	if kind == "rightouter" || kind == "fullouter" {
		for i, row := range right.Rows {
			if !used[i] {
				nextTo(nil, row)
			}
		}
	}
	return made, nil
}

// byKey returns the places of the rows by their keys; those with a null in it are left out.
func (t Table) byKey(places []int) map[string][]int {
	rows := map[string][]int{}
	for i, row := range t.Rows {
		if k, ok := keyAt(row, places); ok {
			rows[k] = append(rows[k], i)
		}
	}
	return rows
}

// search looks for texts in every column, of the table before it or of the tables that it names, or else of all.
func (p *parser) search(before *Table) (Table, error) {
	parameters, err := p.parameters("kind")
	if err != nil {
		return Table{}, err
	}
	cased := parameters["kind"] == "case_sensitive"
	var t Table
	switch {
	case before != nil && !p.is(wordToken, "in"):
		t = *before
	case p.takeWord("in"):
		if err := p.expect("("); err != nil {
			return Table{}, err
		}
		if t, err = p.searched(); err != nil {
			return Table{}, err
		}
		if err := p.expect(")"); err != nil {
			return Table{}, err
		}
	default:
		inner := &parser{run: p.run, scope: p.scope, tokens: []token{{kind: signToken, text: "*"}, {kind: endToken}}}
		if t, err = inner.searched(); err != nil {
			return Table{}, err
		}
	}
	p.current = t
	condition, err := p.anySearch(cased)
	if err != nil {
		return Table{}, err
	}
	kept := [][]any{}
	for i := range t.Rows {
		if condition(t.frame(i)) {
			kept = append(kept, t.Rows[i])
		}
	}
	t.Rows = kept
	return t, nil
}

// searched reads the tables to search, and adds a column with the table's name.
func (p *parser) searched() (Table, error) {
	p.tokens = append([]token{{kind: wordToken, text: "withsource"}, {kind: signToken, text: "="}, {kind: wordToken, text: "$table"}}, p.tokens...)
	return p.union(nil)
}

func (p *parser) anySearch(cased bool) (func(*frame) bool, error) {
	left, err := p.allSearch(cased)
	for err == nil && p.takeWord("or") {
		a := left
		var b func(*frame) bool
		if b, err = p.allSearch(cased); err == nil {
			left = func(f *frame) bool { return a(f) || b(f) }
		}
	}
	return left, err
}

func (p *parser) allSearch(cased bool) (func(*frame) bool, error) {
	left, err := p.oneSearch(cased)
	for err == nil && p.takeWord("and") {
		a := left
		var b func(*frame) bool
		if b, err = p.oneSearch(cased); err == nil {
			left = func(f *frame) bool { return a(f) && b(f) }
		}
	}
	return left, err
}

// oneSearch reads a text to look for, which may begin or end with an asterisk, or a condition on a column.
func (p *parser) oneSearch(cased bool) (func(*frame) bool, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer p.shallower()
	if p.is(wordToken, "not") && p.peekAt(1).text == "(" {
		p.next()
		inner, err := p.oneSearch(cased)
		if err != nil {
			return nil, err
		}
		return func(f *frame) bool { return !inner(f) }, nil
	}
	if p.take("(") {
		inner, err := p.anySearch(cased)
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	}
	if p.take("*") {
		return func(*frame) bool { return true }, nil
	}
	if term, ok := p.peek().value.(string); ok && p.peek().kind == literalToken {
		p.next()
		return searchTerm(p.current.Columns, term, cased), nil
	}
	if p.peek().kind == wordToken && p.peekAt(1).text == ":" {
		name := p.next().text
		p.next()
		i, found := p.current.column(name)
		term, ok := p.next().value.(string)
		if !found || !ok {
			return nil, fmt.Errorf("failed to resolve column named '%s'", name)
		}
		holds := searching(term, cased)
		return func(f *frame) bool { return holds(Text(f.row[i])) }, nil
	}
	e, err := single(p.comparison())
	if err != nil {
		return nil, err
	}
	return func(f *frame) bool { return e.eval(f) == true }, nil
}

// searchTerm looks for a term in all columns but the one that search adds.
func searchTerm(columns []Column, term string, cased bool) func(*frame) bool {
	holds := searching(term, cased)
	return func(f *frame) bool {
		for i, c := range columns {
			if c.Name != "$table" && holds(Text(f.row[i])) {
				return true
			}
		}
		return false
	}
}

// searching returns a function that looks for a term in a text. An asterisk stands for anything: at the start and the end of a
// term also for the rest of a word.
//
// https://learn.microsoft.com/en-us/kusto/query/search-operator
func searching(term string, cased bool) func(text string) bool {
	start, end := !strings.HasPrefix(term, "*"), !strings.HasSuffix(term, "*")
	bare := strings.Trim(term, "*")
	if strings.Contains(bare, "*") {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(bare), `\*`, ".*")
		if start {
			pattern = `\b` + pattern
		}
		if end {
			pattern += `\b`
		}
		if !cased {
			pattern = "(?i)" + pattern
		}
		return regexp.MustCompile(pattern).MatchString
	}
	look := func(a, b string) bool { return findTerm(a, b, start, end) }
	if !cased {
		look = folded(look)
	}
	return func(text string) bool { return look(text, bare) }
}

// parsePart is a part of the pattern of parse: a text, an asterisk or a column.
type parsePart struct {
	text   string
	column *Column
	star   bool
}

// parse takes columns out of a text by the texts around them.
func (p *parser) parse(only bool) (Table, error) {
	parameters, err := p.parameters("kind", "flags")
	if err != nil {
		return Table{}, err
	}
	kind := parameters["kind"]
	if kind != "" && kind != "simple" && kind != "relaxed" && kind != "regex" || parameters["flags"] != "" {
		return Table{}, unsupported("kind of parse", kind+parameters["flags"])
	}
	from, err := single(p.sum())
	if err != nil {
		return Table{}, err
	}
	if !p.takeWord("with") {
		return Table{}, p.unexpected()
	}
	parts, err := p.parseParts()
	if err != nil {
		return Table{}, err
	}
	re, columns, err := parsePattern(parts, kind)
	if err != nil {
		return Table{}, err
	}
	t := p.current
	made := Table{Columns: slices.Clone(t.Columns), ordered: t.ordered}
	places := make([]int, len(columns))
	for n, c := range columns {
		i, found := made.column(c.Name)
		if !found {
			i, made.Columns = len(made.Columns), append(made.Columns, c)
		}
		made.Columns[i] = c
		places[n] = i
	}
	for i := range t.Rows {
		row := made.blank()
		copy(row, t.Rows[i])
		found := re.FindStringSubmatch(Text(from.eval(t.frame(i))))
		values, ok := parsedValues(found, columns, kind == "relaxed")
		if !ok && only {
			continue
		}
		for n, at := range places {
			row[at] = zero(columns[n].Type)
			if ok {
				row[at] = values[n]
			}
		}
		made.Rows = append(made.Rows, row)
	}
	return made, nil
}

func (p *parser) parseParts() ([]parsePart, error) {
	var parts []parsePart
	for {
		t := p.peek()
		switch {
		case t.kind == signToken && t.text == "*":
			p.next()
			parts = append(parts, parsePart{star: true})
		case t.kind == literalToken && t.typ == String:
			p.next()
			parts = append(parts, parsePart{text: Text(t.value)})
		case t.kind == wordToken || t.kind == signToken && t.text == "[":
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			c := Column{name, String}
			if p.take(":") {
				if c.Type, err = p.typeName(); err != nil {
					return nil, err
				}
			}
			parts = append(parts, parsePart{column: &c})
		default:
			if len(parts) == 0 {
				return nil, p.unexpected()
			}
			return parts, nil
		}
	}
}

// parsePattern makes a regular expression of the parts.
func parsePattern(parts []parsePart, kind string) (*regexp.Regexp, []Column, error) {
	var columns []Column
	pattern := "(?s)^"
	if kind == "regex" {
		pattern = "(?s)"
	}
	for i, part := range parts {
		switch {
		case part.star:
			pattern += ".*?"
		case part.column != nil:
			columns = append(columns, *part.column)
			switch {
			case i == len(parts)-1:
				pattern += "(.*)"
			case kind != "relaxed" && (part.column.Type == Long || part.column.Type == Int):
				pattern += `\s*([-+]?[0-9]+)`
			default:
				pattern += "(.*?)"
			}
		case kind == "regex":
			pattern += "(?:" + part.text + ")"
		default:
			pattern += regexp.QuoteMeta(part.text)
		}
	}
	if kind != "regex" {
		pattern += "$"
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, nil, fmt.Errorf("invalid regular expression: %w", err)
	}
	if kind == "regex" && re.NumSubexp() != len(columns) {
		return nil, nil, unsupported("pattern of parse with groups of its own", pattern)
	}
	return re, columns, nil
}

// parsedValues converts what was found; without relaxed, all of it must fit.
func parsedValues(found []string, columns []Column, relaxed bool) ([]any, bool) {
	if found == nil {
		return nil, false
	}
	values := make([]any, len(columns))
	for n, c := range columns {
		values[n] = fitted(convert(found[n+1], c.Type), c.Type)
		if values[n] == nil && c.Type != String && !relaxed {
			return nil, false
		}
	}
	return values, true
}
