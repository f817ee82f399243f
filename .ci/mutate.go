// Mutate changes the code of packages in one place at a time and runs their tests, to find what no test would notice.
//
//	go run .ci/mutate.go [-sample N] [-seed N] [-file REGEXP] [-run REGEXP] [-skip REGEXP] [-timeout DURATION] [-jobs N] [-tests PACKAGE] PACKAGE ...
//
// A package is its folder. It prints every change that survives the package's own tests, or with -tests those of another
// package, as FILE:LINE: what was changed. A change whose tests run out of time counts as found, and is printed too; one that
// does not build is no change. With -sample it tries that many changes of a package, which the seed chooses: the same in every
// run. Nothing in the work tree is written to: the changed file is built through an overlay. It ends with a line of numbers for
// each package, and with exit code 0 whatever it has found: a survivor needs a test, simpler code or a reason.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"go/parser"
	"go/token"
	"math/rand/v2"
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
	var m mutation
	flag.IntVar(&m.sample, "sample", 0, "how many changes of each package are tried; 0 is all")
	flag.Uint64Var(&m.seed, "seed", 1, "what chooses the changes of a sample")
	file := flag.String("file", ".", "change only files whose name matches")
	flag.StringVar(&m.run, "run", ".", "run only the tests whose name matches")
	flag.StringVar(&m.skip, "skip", "^$", "leave out the tests whose name matches: those that are slow and show nothing of the package alone")
	flag.DurationVar(&m.limit, "timeout", 0, "how long the tests of one change may take; 0 is four times as long as without a change")
	flag.IntVar(&m.jobs, "jobs", max(1, runtime.NumCPU()/2), "how many changes are tried at once")
	flag.StringVar(&m.tests, "tests", "", "the package whose tests are run instead of the changed package's own: they may build and run the changed program")
	flag.Parse()
	m.flags = os.Getenv("GOFLAGS")
	m.files = regexp.MustCompile(*file)
	var summary []string
	for _, folder := range flag.Args() {
		line, err := m.mutate(filepath.ToSlash(filepath.Clean(folder)))
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", folder, err)
			os.Exit(1)
		}
		summary = append(summary, line)
	}
	fmt.Println(strings.Join(summary, "\n"))
}

// mutation says which changes are tried, and how.
type mutation struct {
	sample, jobs int
	seed         uint64
	files        *regexp.Regexp
	run, skip    string
	tests, flags string
	limit        time.Duration
}

// mutate tries the changes of a package, and returns their numbers as a line.
func (m mutation) mutate(folder string) (string, error) {
	all := changesOf(folder, m.files)
	possible := len(all)
	random := rand.New(rand.NewPCG(m.seed, 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if m.sample == 0 {
		m.sample = len(all)
	}
	began := time.Now()
	if out, err := m.test(folder); err != nil {
		return "", fmt.Errorf("the tests fail without a change: %w\n%s", err, out)
	}
	if m.limit == 0 {
		const times, least = 4, 20 * time.Second
		m.limit = max(least, times*time.Since(began))
	}
	var mu sync.Mutex
	tried := map[string]int{}
	var group sync.WaitGroup
	for range m.jobs {
		group.Go(func() {
			for {
				mu.Lock()
				if len(all) == 0 || tried[survived]+tried[late]+tried[found] >= m.sample {
					mu.Unlock()
					return
				}
				one := all[0]
				all = all[1:]
				mu.Unlock()
				outcome := m.try(folder, one)
				mu.Lock()
				tried[outcome]++
				if outcome == survived || outcome == late {
					fmt.Printf("%s: %s: %s\n", one.where, outcome, one.what)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return fmt.Sprintf("%s: %d of %d changes tried, %d found, %d found by their time alone, %d survived, %d did not build", folder,
		tried[survived]+tried[late]+tried[found], possible, tried[found], tried[late], tried[survived], tried[unbuilt]), nil
}

// The outcomes of a change.
const (
	survived = "survived"
	found    = "found"
	late     = "found only by its time"
	unbuilt  = "does not build"
)

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
		built, err := build.Default.MatchFile(folder, filepath.Base(name)) // on this system
		if err != nil {
			panic(err)
		}
		if !built || strings.HasSuffix(name, "_test.go") || !only.MatchString(filepath.Base(name)) {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			panic(err)
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

// try builds and tests a change.
func (m mutation) try(folder string, one change) string {
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
	if err := errors.Join(err, os.WriteFile(changed, one.text, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		panic(err)
	}
	// A program that the tests build is the changed one as well.
	m.flags = os.Getenv("GOFLAGS") + " -overlay=" + overlay
	if m.tests != "" && m.command("build", "-o", os.DevNull, "./"+folder).Run() != nil {
		return unbuilt
	}
	out, err := m.test(folder, "-timeout", m.limit.String())
	switch {
	case err == nil:
		return survived
	case bytes.Contains(out, []byte("[build failed]")):
		return unbuilt
	case bytes.Contains(out, []byte("test timed out")):
		return late
	}
	return found
}

// test runs the tests of a package. What debuggers need is left out: it takes the linker as long as all else.
func (m mutation) test(folder string, flags ...string) ([]byte, error) {
	args := append([]string{"test", "-vet=off", "-ldflags=-w", "-failfast", "-count=1", "-run", m.run, "-skip", m.skip}, flags...)
	return m.command(append(args, "./"+cmp.Or(m.tests, folder))...).CombinedOutput()
}

func (m mutation) command(args ...string) *exec.Cmd {
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "GOFLAGS="+m.flags)
	return command
}
