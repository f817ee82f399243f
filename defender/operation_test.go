package defender

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented is an operation as Microsoft documents it.
type documented struct {
	Method      string   `json:"method"`
	Path        string   `json:"path"`
	Application []string `json:"application"`
	Delegated   []string `json:"delegated"`
	PerMinute   int      `json:"per_minute"`
	PerHour     int      `json:"per_hour"`
	LargestPage int      `json:"top_max"`
}

// undocumented are operations that Microsoft does not document as part of this API, with the reason for calling them.
func undocumented() map[string]string {
	return map[string]string{
		"GET /api/indicators/{}":              "existing playbooks read single indicators so, and the service answers",
		"POST /v1.0/security/runHuntingQuery": "it belongs to Microsoft Graph",
	}
}

// deviation is where an operation differs from its documentation on purpose.
type deviation struct {
	reason string
	apply  func(*documented)
}

func deviations() map[string]deviation {
	return map[string]deviation{
		"POST /api/machines/{}/StopAndQuarantineFile": {
			"the permissions to read machines, which one edition lists as well, do not let anybody stop a file",
			func(d *documented) { d.Application = []string{"Machine.StopAndQuarantine"} },
		},
	}
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

func readDocumented(t *testing.T) map[string]documented {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "operations.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []documented
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	byPath := make(map[string]documented, len(list))
	for _, one := range list {
		path, _, _ := strings.Cut(one.Path, "?") // options are not part of an operation's path
		byPath[one.Method+" "+placeholder.ReplaceAllString(path, "{}")] = one
	}
	return byPath
}

func TestOperationsAreAsDocumented(t *testing.T) {
	facts, unknown, changes := readDocumented(t), undocumented(), deviations()
	used := map[string]bool{}
	for _, operation := range allOperations() {
		name := operation.Method + " " + operation.Path
		used[name] = true
		want, known := facts[name]
		if known == (unknown[name] != "") {
			t.Errorf("%s: wanted it either documented or among the reasons why it is not", name)
		}
		if !known {
			continue
		}
		if change, differs := changes[name]; differs {
			change.apply(&want)
		}
		for _, row := range []struct {
			what      string
			want, got []string
		}{
			{"application permissions", want.Application, operation.Application},
			{"delegated permissions", want.Delegated, operation.Delegated},
		} {
			if !slices.Equal(row.want, row.got) {
				t.Errorf("%s: got %q, want the %s %q", name, row.got, row.what, row.want)
			}
		}
		for _, row := range []struct {
			what      string
			want, got int
		}{
			{"calls per minute", want.PerMinute, operation.PerMinute},
			{"calls per hour", want.PerHour, operation.PerHour},
			{"largest page", want.LargestPage, operation.LargestPage},
		} {
			if row.want != row.got {
				t.Errorf("%s: got %d, want the %s %d", name, row.got, row.what, row.want)
			}
		}
	}
	for name := range changes {
		if !used[name] {
			t.Errorf("%s: a deviation of an unknown operation", name)
		}
	}
	for name := range unknown {
		if !used[name] {
			t.Errorf("%s: a reason for an unknown operation", name)
		}
	}
}

func TestOperationsAreWellFormed(t *testing.T) {
	purposes := map[string]bool{}
	for _, operation := range allOperations() {
		if operation.Purpose == "" || purposes[operation.Purpose] {
			t.Errorf("%s %s: got %q, want a purpose of its own", operation.Method, operation.Path, operation.Purpose)
		}
		purposes[operation.Purpose] = true
		if len(operation.Application) == 0 {
			t.Errorf("%s: got none, want the permissions that a refusal names", operation.Purpose)
		}
		if want := operation.Method == http.MethodGet || operation.ReadsOnly; operation.Repeatable() != want {
			t.Errorf("%s: wanted Repeatable %t", operation.Purpose, want)
		}
	}
}

// documentation is the form of the path of a page of https://learn.microsoft.com.
var documentation = regexp.MustCompile(`^/(defender-endpoint/api|defender-xdr|graph/api)/[a-z0-9]+(-[a-z0-9]+)*$`)

func TestOperationsNameTheirDocumentation(t *testing.T) {
	// Pages that describe several operations. Those of exports describe each of them as JSON and as files.
	shared := []string{
		"/defender-endpoint/api/get-ti-indicators-collection", "/defender-endpoint/api/get-assessment-software-vulnerabilities",
	}
	seen := map[string]string{}
	for _, operation := range allOperations() {
		page, _, _ := strings.Cut(operation.Docs, "?")
		if !documentation.MatchString(page) {
			t.Errorf("%s: got the page %q, want a path on learn.microsoft.com", operation.Purpose, operation.Docs)
		}
		if other, repeated := seen[operation.Docs]; repeated && !slices.Contains(shared, page) && operation.Purpose != other+" as files" {
			t.Errorf("%s: got the page of %q, want one of its own", operation.Purpose, other)
		}
		seen[operation.Docs] = operation.Purpose
	}
}

func TestOnlyHuntingPostsAndChangesNothing(t *testing.T) {
	var got []string
	for _, operation := range allOperations() {
		if operation.Method != http.MethodGet && operation.Repeatable() {
			got = append(got, operation.Path)
		}
	}
	if want := []string{"/api/advancedqueries/run", "/v1.0/security/runHuntingQuery"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want only %q to be sent again without harm", got, want)
	}
}

// TestAllOperationsHasAll finds the operations in the source: a variable that is made by one of the functions for
// operations, or is a literal.
func TestAllOperationsHasAll(t *testing.T) {
	declared, listed := map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			collect(declaration, declared, listed)
		}
	}
	if len(declared) == 0 {
		t.Error("got none, want to find operations in the source")
	}
	for name := range declared {
		if !listed[name] {
			t.Errorf("wanted %s among all operations", name)
		}
	}
	if len(listed) != len(allOperations()) {
		t.Errorf("got %d, want each of the %d operations once", len(allOperations()), len(listed))
	}
}

func collect(declaration ast.Decl, declared, listed map[string]bool) {
	if function, ok := declaration.(*ast.FuncDecl); ok && function.Name.Name == "allOperations" {
		ast.Inspect(function.Body, func(node ast.Node) bool {
			if list, ok := node.(*ast.CompositeLit); ok {
				for _, element := range list.Elts {
					listed[root(element)] = true
				}
			}
			return true
		})
	}
	general, ok := declaration.(*ast.GenDecl)
	if !ok || general.Tok != token.VAR {
		return
	}
	for _, spec := range general.Specs {
		variables, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, value := range variables.Values {
			if slices.Contains([]string{"read", "change", "Operation"}, root(value)) {
				declared[variables.Names[i].Name] = true
			}
		}
	}
}

// root is the name with which an expression begins.
func root(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name
	case *ast.CallExpr:
		return root(expression.Fun)
	case *ast.SelectorExpr:
		return root(expression.X)
	case *ast.CompositeLit:
		return root(expression.Type)
	}
	return ""
}
