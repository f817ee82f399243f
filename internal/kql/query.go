package kql

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Query is the hunting query of one purpose.
type Query struct {
	Family  Family
	Purpose string // empty for a family without purposes

	Question string   // what the rows answer
	Tables   []string // the tables whose events are searched
	Lookups  []string // the tables read for details, whatever the time range
	Columns  []string // the columns of the rows, in order
	// Requires are groups of conditions, of each of which at least one must be given. They keep an argument that a playbook
	// left empty from hunting the whole tenant.
	Requires [][]Condition
	// Ignores are conditions that the command takes, but that the question has no use for.
	Ignores []Condition

	lookedUpIn map[Condition][]string // the columns of each condition
	body       []string               // the lines of the query with its markers
}

// Conditions returns the conditions that the query honours, in the order of the commands' arguments.
func (q Query) Conditions() []Condition {
	var supported []Condition
	for _, condition := range allConditions {
		if len(q.lookedUpIn[condition]) > 0 {
			supported = append(supported, condition)
		}
	}
	return supported
}

// The markers of a query's body.
const (
	markerPrefix    = "//@"
	timeMarker      = "//@time"
	whereMarker     = "//@where"
	thresholdMarker = "//@remote_ip_count"
	pageMarker      = "//@page"
)

var markers = []string{timeMarker, whereMarker, thresholdMarker, pageMarker}

// parse reads the text of a query file.
func parse(text string) (Query, error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	query := Query{lookedUpIn: make(map[Condition][]string)}
	for len(lines) > 0 && strings.HasPrefix(lines[0], "//") {
		if err := query.readHead(lines[0]); err != nil {
			return Query{}, err
		}
		lines = lines[1:]
	}
	query.body = strings.Split(strings.TrimSpace(strings.Join(lines, "\n")), "\n")
	if err := query.check(); err != nil {
		return Query{}, err
	}
	return query, nil
}

// readHead reads one "// key: value, value" line.
func (q *Query) readHead(line string) error {
	key, value, found := strings.Cut(strings.TrimPrefix(line, "//"), ":")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if !found || value == "" {
		return fmt.Errorf("head line %q is not of the form \"// key: value\"", line)
	}
	values := strings.Split(value, ", ")
	switch key {
	case "question":
		q.Question = value
	case "tables":
		q.Tables = append(q.Tables, values...)
	case "lookup":
		q.Lookups = append(q.Lookups, values...)
	case "columns":
		q.Columns = append(q.Columns, values...)
	case "requires":
		q.Requires = append(q.Requires, conditionsOf(values))
	case "ignores":
		q.Ignores = append(q.Ignores, conditionsOf(values)...)
	default:
		condition := Condition(key)
		if !slices.Contains(allConditions, condition) {
			return fmt.Errorf("head key %q is unknown", key)
		}
		q.lookedUpIn[condition] = append(q.lookedUpIn[condition], values...)
	}
	return nil
}

func conditionsOf(names []string) []Condition {
	conditions := make([]Condition, len(names))
	for i, name := range names {
		conditions[i] = Condition(name)
	}
	return conditions
}

// check reports whether the parts of a query fit together, so that nothing an analyst asks for can get lost.
func (q *Query) check() error {
	if q.Question == "" || len(q.Tables) == 0 || len(q.Columns) == 0 {
		return errors.New("the head lacks a question, tables or columns")
	}
	for _, condition := range slices.Concat(q.Requires...) {
		if len(q.lookedUpIn[condition]) == 0 {
			return fmt.Errorf("the required condition %q has no column", condition)
		}
	}
	for _, condition := range q.Ignores {
		if !slices.Contains(allConditions, condition) || len(q.lookedUpIn[condition]) > 0 {
			return fmt.Errorf("the ignored condition %q is unknown or has a column", condition)
		}
	}
	count := make(map[string]int)
	for _, line := range q.body {
		if !strings.Contains(line, markerPrefix) {
			continue
		}
		if !slices.Contains(markers, line) {
			return fmt.Errorf("the line %q has a marker that is unknown or not alone in its line", line)
		}
		count[line]++
	}
	thresholds := min(1, len(q.lookedUpIn[RemoteIPCount]))
	switch {
	case count[timeMarker] == 0:
		return fmt.Errorf("the marker %s is missing", timeMarker)
	case count[whereMarker] != 1:
		return fmt.Errorf("the marker %s appears %d times instead of once", whereMarker, count[whereMarker])
	case count[thresholdMarker] != thresholds:
		return fmt.Errorf("the marker %s appears %d times instead of %d", thresholdMarker, count[thresholdMarker], thresholds)
	case count[pageMarker] != 1:
		return fmt.Errorf("the marker %s appears %d times instead of once", pageMarker, count[pageMarker])
	}
	return nil
}

// build returns the query's text with the conditions put in.
func (q Query) build(c Conditions) (string, error) {
	if err := c.validate(); err != nil {
		return "", err
	}
	if err := q.accepts(c); err != nil {
		return "", err
	}
	where, err := q.where(c)
	if err != nil {
		return "", err
	}
	put := map[string][]string{
		timeMarker:      timeLines(c),
		whereMarker:     where,
		thresholdMarker: q.thresholdLines(c),
		pageMarker:      pageLines(c),
	}
	var text []string
	for _, line := range q.body {
		if lines, marked := put[line]; marked {
			text = append(text, lines...)
		} else {
			text = append(text, line)
		}
	}
	return strings.Join(text, "\n"), nil
}

// accepts reports whether the query honours all conditions given and has those it needs.
func (q Query) accepts(c Conditions) error {
	given := c.given()
	for _, condition := range given {
		if len(q.lookedUpIn[condition]) == 0 && !slices.Contains(q.Ignores, condition) {
			return &UnsupportedConditionError{
				Family: q.Family, Purpose: q.Purpose, Condition: condition, Supported: q.Conditions(),
			}
		}
	}
	for _, anyOf := range q.Requires {
		if !slices.ContainsFunc(given, func(condition Condition) bool { return slices.Contains(anyOf, condition) }) {
			return &MissingConditionError{Family: q.Family, Purpose: q.Purpose, AnyOf: slices.Clone(anyOf)}
		}
	}
	return nil
}

// where returns the lines of the conditions. The operation joins the kinds of condition; the values of one kind, and the
// columns it is looked up in, are alternatives always.
func (q Query) where(c Conditions) ([]string, error) {
	operation := "or"
	if c.And {
		operation = "and"
	}
	var lines []string
	for _, kind := range kinds {
		values := kind.values(c)
		if len(values) == 0 || slices.Contains(q.Ignores, kind.condition) {
			continue
		}
		alternatives, err := kind.match(q.lookedUpIn[kind.condition], values)
		if err != nil {
			return nil, err
		}
		start := "| where"
		if len(lines) > 0 {
			start = "    " + operation
		}
		lines = append(lines, start+" ("+strings.Join(alternatives, " or ")+")")
	}
	return lines, nil
}

func (q Query) thresholdLines(c Conditions) []string {
	if c.RemoteIPCount == nil {
		return nil
	}
	var lines []string
	for _, column := range q.lookedUpIn[RemoteIPCount] {
		lines = append(lines, "| where "+column+" > "+strconv.Itoa(*c.RemoteIPCount))
	}
	return lines
}

func timeLines(c Conditions) []string {
	if c.TimeRange == 0 {
		return nil
	}
	return []string{"| where Timestamp > ago(" + timespan(c.TimeRange) + ")"}
}

// pageLines keep the rows of one page. Numbering needs all rows, so the first page is not numbered.
func pageLines(c Conditions) []string {
	if c.Page == 1 {
		return []string{"| take " + strconv.Itoa(c.Limit)}
	}
	return []string{
		"| extend RowNumber = row_number()",
		fmt.Sprintf("| where RowNumber > %d * %d and RowNumber <= %d * %d", c.Page-1, c.Limit, c.Page, c.Limit),
	}
}
