// Package rules_test checks the source files by the rules of CONTRIBUTING.md that a linter does not know.
package rules_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/internal/repository"
)

// arrows say which packages a package may import. They all point one way: from lines of the platform to requests
// of the API.
func arrows() map[string][]string {
	return map[string][]string{
		".":         {"auth", "commands", "execution", "internal/cli", "internal/cli/terminal", "internal/system", "platform"},
		"platform":  {"internal/rawjson", "internal/system", "commands", "defender", "execution", "warroom"},
		"execution": {"auth", "commands", "defender", "internal/diagnosis", "internal/gateway", "internal/system", "params", "warroom"},
		"commands":  {"internal/rawjson", "auth", "defender", "internal/diagnosis", "internal/kql", "params", "warroom"},
		"defender":  {"internal/gateway", "internal/rawjson", "internal/system"},
		"warroom":   {"internal/rawjson"},
		"auth":      {"internal/gateway", "internal/system", "params"},
		"params":    {},

		"internal/cli": {
			"internal/rawjson", "auth", "commands", "execution", "internal/cli/local", "internal/pack", "params", "platform",
			"internal/playbook", "internal/cli/loopback", "internal/cli/web", "internal/diagnosis", "internal/mirroring", "internal/simulator", "internal/system", "warroom",
		},
		"internal/cli/local":         {"internal/rawjson", "params", "warroom"},
		"internal/cli/loopback":      {"params"},
		"internal/cli/terminal":      {},
		"internal/cli/web":           {},
		"internal/cli/pages":         {"internal/cli", "internal/manifest"},
		"internal/manifest":          {"commands", "defender", "params"},
		"internal/manifest/generate": {"internal/cli/pages", "commands", "internal/manifest", "params"},
		"internal/manifest/licences": {},
		"internal/program/floor":     {},
		"internal/pack":              {"commands"},
		"internal/playbook":          {"commands", "warroom"},
		"internal/diagnosis":         {"internal/gateway", "internal/rawjson", "auth", "defender", "params"},
		"internal/gateway":           {},
		"internal/kql":               {},
		"internal/mirroring":         {"warroom"},
		"internal/rawjson":           {},
		".ci/release":                {}, // a module of its own
		"internal/simulator":         {"internal/simulator/kusto", "internal/simulator/odata", "internal/system"},
		"internal/simulator/kusto":   {},
		"internal/simulator/odata":   {},
		"internal/system":            {},
	}
}

// helpers are the packages that only tests use.
func helpers() []string {
	return []string{"commands/commandstest", "internal/repository", "internal/manifest/manifesttest", "internal/testclock", "platform/platformtest", "internal/cli/loopback/loopbacktest", "internal/cli/terminal/terminaltest", "warroom/warroomtest"}
}

// TestImportsFollowTheArrows leaves tests and their helpers free: they look at packages from outside. An arrow that no
// import follows fails as well.
func TestImportsFollowTheArrows(t *testing.T) {
	allowed := arrows()
	for folder, files := range repository.Packages(t) {
		own, known := allowed[folder]
		if slices.Contains(helpers(), folder) {
			continue
		}
		if !known {
			t.Errorf("the package %s is not in the table of arrows", folder)
		}
		followed := map[string]bool{}
		for _, source := range files {
			for _, imported := range source.File.Imports {
				target, ours := strings.CutPrefix(repository.ImportPath(imported), repository.Module+"/")
				followed[target] = followed[target] || !source.IsTest
				if ours && !slices.Contains(own, target) {
					t.Errorf("%s: the package %s may not import %s", source.At(imported.Pos()), folder, target)
				}
			}
		}
		for _, target := range own {
			if !followed[target] {
				t.Errorf("the package %s does not import %s: take it out of the table of arrows", folder, target)
			}
		}
	}
}

// TestTheArchitectureHasTheArrows compares the table of packages in docs/architecture.md with the table of arrows.
func TestTheArchitectureHasTheArrows(t *testing.T) {
	rows := map[string][]string{}
	name := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(repository.Read(t, "docs/architecture.md"))) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		var imports []string
		for _, found := range name.FindAllStringSubmatch(cells[3], -1) {
			imports = append(imports, found[1])
		}
		rows[name.FindStringSubmatch(cells[1])[1]] = imports
	}
	for folder, imported := range arrows() {
		if folder == "." || folder == ".ci/release" { // the first is above the table, the second a module of its own
			continue
		}
		var want []string
		for _, target := range imported {
			want = append(want, path.Base(target))
		}
		slices.Sort(want)
		if got, ok := rows[folder]; !ok || !slices.Equal(got, want) {
			t.Errorf("docs/architecture.md says that %s imports %q, want %q", folder, got, want)
		}
		delete(rows, folder)
	}
	for folder := range rows {
		t.Errorf("docs/architecture.md has a package %s, which is not in the table of arrows", folder)
	}
}

// TestProgramHasNoTemplates looks at what is imported: with one template in the program the linker keeps every method of
// every type, which makes it 4 MB larger and each idle process 3 MB.
func TestProgramHasNoTemplates(t *testing.T) {
	for folder, files := range repository.Packages(t) {
		if folder == "internal/cli/pages" { // a part of the generator alone
			continue
		}
		for _, source := range files {
			for _, forbidden := range []string{"text/template", "html/template", "github.com/spf13/cobra/doc"} {
				if source.Imports(forbidden) {
					t.Errorf("%s imports %s", source.Path, forbidden)
				}
			}
		}
	}
}

// fromOutside lists what belongs to the outside of the program and must be passed in.
func fromOutside() map[string][]string {
	return map[string][]string{
		"os":          {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Stdin", "Stdout", "Stderr", "Args", "Exit", "UserHomeDir", "UserConfigDir", "UserCacheDir"},
		"syscall":     {"Getenv", "Environ", "Exit"},
		"time":        {"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker"},
		"net/http":    {"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
		"crypto/rand": {"Reader", "Read", "Text"},
	}
}

// mayTakeFromOutside are the files that wire the program, and the one use that has no other way.
func mayTakeFromOutside() map[string][]string {
	return map[string][]string{
		"main.go":                     {"os", "time", "crypto/rand"},
		".ci/release/":                {"os"},
		"internal/manifest/generate/": {"os"},
		"internal/manifest/licences/": {"os"},
		"internal/program/floor/":     {"os"},
		"internal/simulator/":         {"time", "crypto/rand"}, // its defaults, and keys of no worth
		"internal/system/":            {"time"},                // waits in real time
		"auth/azidentity.go":          {"time"},                // azidentity counts a token's life on its own clock
		"platform/platformtest/":      {"os", "time"},
	}
}

func TestTheOutsideIsPassedIn(t *testing.T) {
	outside, allowed := fromOutside(), mayTakeFromOutside()
	for _, source := range repository.Sources(t) {
		if source.IsTest {
			continue
		}
		for _, use := range uses(source) {
			taken := slices.Contains(outside[use.path], use.name)
			for prefix, packages := range allowed {
				if strings.HasPrefix(source.Path, prefix) && slices.Contains(packages, use.path) {
					taken = false
				}
			}
			if taken {
				t.Errorf("%s: takes %s.%s, which must be passed in", source.At(use.at), use.path, use.name)
			}
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, source := range repository.Sources(t) {
		for _, declared := range source.File.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				t.Errorf("%s: has a function init", source.At(function.Pos()))
			}
		}
	}
}

// TestTestsNeitherWaitNorSkip lets only those sleep that have synctest, whose time passes at once.
func TestTestsNeitherWaitNorSkip(t *testing.T) {
	inBubble := map[string]bool{}
	for _, source := range repository.Sources(t) {
		inBubble[source.Folder] = inBubble[source.Folder] || source.Imports("testing/synctest")
	}
	for _, source := range repository.Sources(t) {
		if !source.IsTest {
			continue
		}
		ast.Inspect(source.File, func(node ast.Node) bool {
			if call, ok := node.(*ast.SelectorExpr); ok && strings.HasPrefix(call.Sel.Name, "Skip") && isName(call.X, "t", "b", "f") {
				t.Errorf("%s: skips", source.At(call.Pos()))
			}
			return true
		})
		for _, use := range uses(source) {
			if use.path == "time" && use.name == "Sleep" && !inBubble[source.Folder] {
				t.Errorf("%s: sleeps", source.At(use.at))
			}
		}
	}
}

// TestPackageVariablesAreConstant looks at every package for variables that are written after they were declared, or
// that are made to be written.
func TestPackageVariablesAreConstant(t *testing.T) {
	for folder, files := range repository.Packages(t) {
		information := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		// Imports are left out: only names of the package itself are looked at, and they resolve without it.
		config := types.Config{Importer: nothing{}, Error: func(error) {}}
		var parsed []*ast.File
		for _, file := range files {
			parsed = append(parsed, file.File)
		}
		checked, _ := config.Check(folder, files[0].Set, parsed, information) // its errors are of what was left out
		if checked == nil {
			t.Fatalf("%s: cannot be looked at", folder)
		}
		for _, file := range files {
			shared := func(expression ast.Expr) (string, bool) { return packageVariable(expression, checked, information) }
			for _, fault := range writes(file.File, shared) {
				t.Errorf("%s: writes %s, a variable of the package", file.At(fault.at), fault.name)
			}
			for _, fault := range mutable(file) {
				t.Errorf("%s: declares %s, a variable of the package that is made to be written", file.At(fault.at), fault.name)
			}
		}
	}
}

// TestRulesSeeWhatTheyForbid keeps the rule about variables honest.
func TestRulesSeeWhatTheyForbid(t *testing.T) {
	const before = "package p\nimport \"sync\"\ntype s struct{ n int; m map[string]int }\nvar v s\nvar list []int\nvar _ sync.Mutex\nfunc set(*s) {}\n"
	for _, test := range []struct {
		statement string
		want      int
	}{
		{"v = s{}", 1},
		{"v.n = 1", 1},
		{"v.n++", 1},
		{`v.m["a"] = 1`, 1},
		{`delete(v.m, "a")`, 1},
		{"clear(v.m)", 1},
		{"list[0], list[1] = 1, 2", 2},
		{"set(&v)", 1},
		{"for v.n = range 3 {}", 1},
		{"copy(list, nil)", 1},
		{"v := v; v.n = 1", 0},
		{"_ = v.n + len(list)", 0},
		{"{ list := list[:1]; list = nil; _ = list }", 0},
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "p.go", before+"func f() { "+test.statement+" }\n", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		information := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		config := types.Config{Importer: nothing{}, Error: func(error) {}}
		checked, _ := config.Check("p", set, []*ast.File{file}, information) // sync is left out
		got := writes(file, func(expression ast.Expr) (string, bool) { return packageVariable(expression, checked, information) })
		if len(got) != test.want {
			t.Errorf("%s: got %d writes, want %d", test.statement, len(got), test.want)
		}
		if made := mutable(repository.Source{File: file, Set: set}); len(made) != 1 {
			t.Errorf("got %d variables made to be written, want the mutex", len(made))
		}
	}
}

// TestFilesNameNoMachine looks in all files of the repository for folders of a machine and for hosts that packages
// or images come from: what is here must work anywhere.
func TestFilesNameNoMachine(t *testing.T) {
	folders := regexp.MustCompile(`(^|[^\w.])/(work|tmp|root)/`)
	hosts := regexp.MustCompile(`(?i)\b(docker|ghcr|quay|gcr|mcr\.microsoft|pkg\.dev|proxy\.golang|goproxy|sum\.golang|pypi|npmjs)\.(io|com|org|cn|dev)\b`)
	for _, name := range repository.Files(t) {
		text := repository.Read(t, name)
		if bytes.IndexByte(text, 0) >= 0 { // not a text
			continue
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			if found := folders.Find(line); found != nil {
				t.Errorf("%s:%d: names the folder %s of a machine", name, number, bytes.TrimSpace(found))
			}
			if found := hosts.Find(line); found != nil {
				t.Errorf("%s:%d: names the host %s", name, number, found)
			}
		}
	}
}

// use is a name of an imported package where it is used.
type use struct {
	path, name string
	at         token.Pos
}

// uses are the names that a file uses of the packages that it imports, under whatever name.
func uses(s repository.Source) []use {
	byName := map[string]string{}
	for _, imported := range s.File.Imports {
		full := repository.ImportPath(imported)
		name := path.Base(full)
		if imported.Name != nil {
			name = imported.Name.Name
		}
		byName[name] = full
	}
	var found []use
	ast.Inspect(s.File, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if name, ok := selector.X.(*ast.Ident); ok && byName[name.Name] != "" {
			found = append(found, use{byName[name.Name], selector.Sel.Name, selector.Pos()})
		}
		return true
	})
	return found
}

func isName(expression ast.Expr, names ...string) bool {
	name, ok := expression.(*ast.Ident)
	return ok && slices.Contains(names, name.Name)
}

// nothing returns an empty package for every import.
type nothing struct{}

func (nothing) Import(imported string) (*types.Package, error) {
	empty := types.NewPackage(imported, path.Base(imported))
	empty.MarkComplete()
	return empty, nil
}

// packageVariable says which variable of the package an expression is, or is a part of.
func packageVariable(expression ast.Expr, of *types.Package, information *types.Info) (string, bool) {
	switch typed := ast.Unparen(expression).(type) {
	case *ast.SelectorExpr:
		return packageVariable(typed.X, of, information)
	case *ast.IndexExpr:
		return packageVariable(typed.X, of, information)
	case *ast.StarExpr:
		return packageVariable(typed.X, of, information)
	case *ast.SliceExpr:
		return packageVariable(typed.X, of, information)
	case *ast.Ident:
		variable, ok := information.Uses[typed].(*types.Var)
		return typed.Name, ok && variable.Parent() == of.Scope()
	}
	return "", false
}

// fault is a variable of a package where something is wrong with it.
type fault struct {
	name string
	at   token.Pos
}

// writes are the places at which a file changes a variable, or hands it out to be changed.
func writes(file *ast.File, shared func(ast.Expr) (string, bool)) []fault {
	var found []fault
	look := func(expressions ...ast.Expr) {
		for _, expression := range expressions {
			if expression == nil {
				continue
			}
			if name, ok := shared(expression); ok {
				found = append(found, fault{name, expression.Pos()})
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch typed := node.(type) {
		case *ast.AssignStmt:
			look(typed.Lhs...)
		case *ast.IncDecStmt:
			look(typed.X)
		case *ast.RangeStmt:
			look(typed.Key, typed.Value)
		case *ast.UnaryExpr:
			if typed.Op == token.AND {
				look(typed.X)
			}
		case *ast.CallExpr:
			if isName(typed.Fun, "delete", "clear", "copy") {
				look(typed.Args[0])
			}
		}
		return true
	})
	return found
}

// mutable are the variables of a package whose declaration makes sense only when they are written: locks, counters,
// pools, and what is made empty.
func mutable(of repository.Source) []fault {
	var found []fault
	for _, declared := range of.File.Decls {
		general, ok := declared.(*ast.GenDecl)
		if !ok || general.Tok != token.VAR {
			continue
		}
		for _, specification := range general.Specs {
			value := specification.(*ast.ValueSpec)
			written := value.Type != nil && ofPackage(value.Type, "sync", "atomic")
			for _, initial := range value.Values {
				switch typed := initial.(type) {
				case *ast.CompositeLit:
					written = written || ofPackage(typed.Type, "sync", "atomic")
				case *ast.CallExpr:
					written = written || isName(typed.Fun, "make", "new")
				}
			}
			if written {
				found = append(found, fault{value.Names[0].Name, value.Pos()})
			}
		}
	}
	return found
}

// ofPackage reports whether a type is one of the packages named.
func ofPackage(expression ast.Expr, names ...string) bool {
	if star, ok := expression.(*ast.StarExpr); ok {
		expression = star.X
	}
	selector, ok := expression.(*ast.SelectorExpr)
	return ok && isName(selector.X, names...)
}
