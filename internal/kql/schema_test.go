package kql_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// A column that is misspelled makes the service refuse the whole query, so every name with a capital must be a table of
// the query's head, a column of one of these tables, or made by the query itself.
func TestQueriesNameOnlyKnownTablesAndColumns(t *testing.T) {
	schema := readSchema(t)
	for _, query := range allQueries(t) {
		tables := slices.Concat(query.Tables, query.Lookups)
		text := build(t, query, narrowed(query, "value"))
		tokens := tokenize(t, text)

		known := make(map[string]bool)
		for _, table := range tables {
			if len(schema[table]) == 0 {
				t.Errorf("%s: table %s is not in the schema", goldenName(query), table)
			}
			known[table] = true
			for _, column := range schema[table] {
				known[column] = true
			}
		}
		next := func(i int) string {
			if i+1 < len(tokens) && !tokens[i+1].isString {
				return tokens[i+1].text
			}
			return ""
		}
		for i, token := range tokens { // "Name = ..." makes a column; "Name == ..." and "Name =~ ..." compare one
			if next(i) == "=" && next(i+1) != "=" && next(i+1) != "~" {
				known[token.text] = true
			}
			if token.text == "withsource" && next(i) == "=" {
				known[next(i+1)] = true
			}
		}
		for i, token := range tokens {
			property := i > 0 && !tokens[i-1].isString && tokens[i-1].text == "."
			if token.isString || property || !unicode.IsUpper([]rune(token.text)[0]) {
				continue
			}
			if !known[token.text] {
				t.Errorf("%s: %s is neither a table, a column nor made by the query", goldenName(query), token.text)
			}
		}
		for _, table := range tables {
			if !slices.ContainsFunc(tokens, func(token token) bool { return !token.isString && token.text == table }) {
				t.Errorf("%s: the head names table %s, which the query does not read", goldenName(query), table)
			}
		}
	}
}

func readSchema(t *testing.T) map[string][]string {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "schema.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	schema := make(map[string][]string)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if table, columns, found := strings.Cut(lines.Text(), ": "); found {
			schema[table] = strings.Fields(columns)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return schema
}
