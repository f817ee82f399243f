// Package kusto runs hunting queries, written in the Kusto Query Language, over tables in memory. It carries out the part of the
// language that hunting queries commonly use. Whatever it does not carry out is an error that names it: an answer is either
// right or refused.
//
// https://learn.microsoft.com/en-us/kusto/query/
package kusto

import (
	"fmt"
	"slices"
	"time"
)

// Type is the type of a column or of a value, by its name in the language.
type Type string

// The types of the language, except for decimal, which is refused.
const (
	String   Type = "string"
	Long     Type = "long"
	Int      Type = "int"
	Real     Type = "real"
	Bool     Type = "bool"
	DateTime Type = "datetime"
	TimeSpan Type = "timespan"
	Dynamic  Type = "dynamic"
	GUID     Type = "guid"
)

// Wire returns the name of the type in the answers of the hunting API.
func (t Type) Wire() string {
	return map[Type]string{
		String: "String", Long: "Int64", Int: "Int32", Real: "Double", Bool: "SByte", DateTime: "DateTime",
		TimeSpan: "TimeSpan", Dynamic: "Object", GUID: "Guid",
	}[t]
}

// system returns the .NET name of the type, as getschema shows it.
func (t Type) system() string {
	if t == Dynamic {
		return "System.Object"
	}
	return "System." + t.Wire()
}

// severalColumns is the type of an expression that makes several columns, such as arg_max(a, b). It is no type of the language:
// such an expression has a column for each of its values, and cannot be part of another expression.
const severalColumns Type = "several columns"

func (t Type) numeric() bool { return t == Long || t == Int || t == Real }

// Column is a column of a table.
type Column struct {
	Name string
	Type Type
}

// Table is a table, or what a query makes of one. A row has a value for each column: a string, int64, float64, bool,
// time.Time or time.Duration; []any or map[string]any in a dynamic column; and nil for null. A string is never null.
type Table struct {
	Columns []Column
	Rows    [][]any

	// ordered tables were sorted or serialized, so that functions which look at other rows may be used.
	ordered bool
}

// Tables returns the tables that a query may name.
type Tables interface {
	// Table returns a table by its name, or false if it does not exist.
	Table(name string) (Table, bool)
	// Names returns the names of all tables.
	Names() []string
}

// Enricher is implemented by Tables that have functions of their own for invoke, such as FileProfile.
type Enricher interface {
	// Enrich adds columns to a table by the values of one of its columns, of at most limit of them. It returns false if there is no
	// such function.
	Enrich(function string, t Table, column string, limit int) (Table, bool)
}

// The limits of a query. The service has others; these keep a query from taking the machine down.
const (
	// MaxRows is the number of rows that a table, and a result in between, may have. A query that needs more is refused.
	MaxRows = 1_000_000
	// maxDepth is how deep a query may nest.
	maxDepth = 64
)

// Run runs a query at a point in time over the tables. The error of a query that is wrong, or that needs what is not carried out
// here, says in one sentence what is the matter.
func Run(query string, now time.Time, tables Tables) (Table, error) {
	tokens, err := scan(query)
	if err != nil {
		return Table{}, err
	}
	p := &parser{tokens: tokens, run: &run{now: now.UTC(), tables: tables, read: map[string]Table{}}, scope: newScope(nil)}
	result, err := p.statements()
	if err != nil {
		return Table{}, err
	}
	return result, nil
}

// unsupported is the error of a part of the language that is not carried out.
func unsupported(kind, name string) error {
	return fmt.Errorf("the %s '%s' is not supported by this simulated service", kind, name)
}

// unresolvedTableError is the error of a name that no table has, which a fuzzy union leaves out.
type unresolvedTableError struct{ name string }

func (e *unresolvedTableError) Error() string {
	return fmt.Sprintf("failed to resolve table or column expression named '%s'", e.name)
}

// withinLimit refuses a number of rows that is larger than MaxRows.
func withinLimit(rows int, operator string) error {
	if rows > MaxRows {
		return fmt.Errorf("the query exceeds the limit of %d rows after the operator '%s'", MaxRows, operator)
	}
	return nil
}

func (t Table) column(name string) (int, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	return i, i >= 0
}

// unique returns the name, with a number behind it if it is taken.
func unique(columns []Column, name string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(columns, func(c Column) bool { return c.Name == name })
	}
	if !taken(name) {
		return name
	}
	for i := 1; ; i++ {
		if numbered := fmt.Sprint(name, i); !taken(numbered) {
			return numbered
		}
	}
}

// zero returns the value that means a missing one: null, or an empty text.
func zero(t Type) any {
	if t == String {
		return ""
	}
	return nil
}
