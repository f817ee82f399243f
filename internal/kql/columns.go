package kql

import (
	"regexp"
	"sync"
)

// naming finds the operators that say which columns a query returns, and in which order
// (https://learn.microsoft.com/kusto/query/project-operator).
var naming = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\|\s*(project|project-keep|project-reorder|summarize|distinct|count|make-series|evaluate|getschema|print)\b`)
})

// away finds project-away and project-rename, which only take columns away or rename them.
var away = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\|\s*project-(away|rename)\b`) })

// NamesColumns reports whether a query names the columns of its results. Otherwise they are those of its tables.
func NamesColumns(query string) bool { return naming().MatchString(away().ReplaceAllString(query, "")) }
