// Mutate changes the code of packages in one place at a time and runs their tests, to find what no test would notice.
//
//	go run .ci/mutate.go [-file REGEXP] [-run REGEXP] [-skip REGEXP] [-timeout DURATION] PACKAGE ...
//
// It prints every change that the tests of its own package survive, as FILE:LINE: what was changed. A change whose tests run
// out of time counts as found, and is printed too. Nothing in the work tree is written to: the changed file is built through
// an overlay. It ends with the numbers, and with exit code 0 whatever it has found: a survivor needs a test or a reason.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	only := flag.String("file", ".", "change only files whose name matches")
	run := flag.String("run", ".", "run only the tests whose name matches")
	skip := flag.String("skip", "^$", "leave out the tests whose name matches: those that are slow and show nothing of the package alone")
	limit := flag.Duration("timeout", time.Minute, "how long the tests of one change may take")
	jobs := flag.Int("jobs", max(1, runtime.NumCPU()/2), "how many changes are tried at once")
	flag.Parse()
	files := regexp.MustCompile(*only)
	tried, survived, late := 0, 0, 0
	var mu sync.Mutex
	for _, folder := range flag.Args() {
		var group sync.WaitGroup
		places := make(chan struct{}, *jobs)
		for _, one := range changesOf(folder, files) {
			places <- struct{}{}
			group.Go(func() {
				defer func() { <-places }()
				outcome := try(folder, one, *run, *skip, *limit)
				mu.Lock()
				defer mu.Unlock()
				tried++
				switch outcome {
				case "survived":
					survived++
					fmt.Printf("%s: survived: %s\n", one.where, one.what)
				case "late":
					late++
					fmt.Printf("%s: found only by its time: %s\n", one.where, one.what)
				}
			})
		}
		group.Wait()
	}
	fmt.Printf("%d changes, %d survived, %d found only by their time\n", tried, survived, late)
}

// change is one change of one file.
type change struct {
	file, where, what string
	text              []byte
}

// changesOf returns all changes of a package. Each is made in the syntax tree, printed, and undone.
func changesOf(folder string, only *regexp.Regexp) []change {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		panic(err)
	}
	var all []change
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || !only.MatchString(filepath.Base(name)) {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			panic(err)
		}
		original, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		if strings.Contains(string(original), "//go:build !linux") {
			continue
		}
		note := func(at token.Pos, format_ string, values ...any) {
			var text bytes.Buffer
			if format.Node(&text, set, file) == nil {
				all = append(all, change{name, fmt.Sprintf("%s:%d", name, set.Position(at).Line), fmt.Sprintf(format_, values...), text.Bytes()})
			}
		}
		ast.Inspect(file, func(node ast.Node) bool { return visit(node, note) })
	}
	return all
}

// swaps are the operators that are changed into one another.
var swaps = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND, token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
}

func visit(node ast.Node, note func(token.Pos, string, ...any)) bool {
	switch typed := node.(type) {
	case *ast.GenDecl:
		return typed.Tok != token.IMPORT && typed.Tok != token.TYPE
	case *ast.BinaryExpr:
		if other, ok := swaps[typed.Op]; ok {
			before := typed.Op
			typed.Op = other
			note(typed.OpPos, "%s instead of %s", other, before)
			typed.Op = before
		}
	case *ast.BasicLit:
		if number, err := strconv.Atoi(typed.Value); err == nil && typed.Kind == token.INT {
			before := typed.Value
			typed.Value = strconv.Itoa(number + 1)
			note(typed.Pos(), "%s instead of %s", typed.Value, before)
			typed.Value = before
		}
	case *ast.IfStmt:
		before := typed.Cond
		typed.Cond = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: before}}
		note(typed.Pos(), "the opposite of the condition")
		typed.Cond = before
	case *ast.BlockStmt:
		without(&typed.List, note)
	case *ast.CaseClause:
		without(&typed.Body, note)
	case *ast.CommClause:
		without(&typed.Body, note)
	}
	return true
}

// without leaves out statements that the code compiles without: calls, increments, and assignments to what is there.
func without(list *[]ast.Stmt, note func(token.Pos, string, ...any)) {
	for i, statement := range *list {
		switch typed := statement.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt:
		case *ast.AssignStmt:
			if typed.Tok == token.DEFINE {
				continue
			}
		default:
			continue
		}
		(*list)[i] = &ast.EmptyStmt{Semicolon: statement.Pos()}
		note(statement.Pos(), "without the statement")
		(*list)[i] = statement
	}
}

// try builds and tests a change: "survived", "found", "late" if only the time limit found it, or "" if it does not build.
func try(folder string, one change, run, skip string, limit time.Duration) string {
	scratch, err := os.MkdirTemp("", "mutate")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	changed, overlay := filepath.Join(scratch, "changed.go"), filepath.Join(scratch, "overlay.json")
	full, err := filepath.Abs(one.file)
	if err != nil {
		panic(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{full: changed}})
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(changed, one.text, 0o600); err != nil {
		panic(err)
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		panic(err)
	}
	out, err := exec.Command("go", "test", "-overlay", overlay, "-vet=off", "-failfast", "-run", run, "-skip", skip, "-timeout", limit.String(), "./"+filepath.ToSlash(folder)).CombinedOutput()
	switch {
	case err == nil:
		return "survived"
	case bytes.Contains(out, []byte("[build failed]")):
		return ""
	case bytes.Contains(out, []byte("test timed out")):
		return "late"
	}
	return "found"
}
