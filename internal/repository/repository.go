// Package repository finds what the repository holds, for tests that look at all of it.
package repository

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Module is the path under which the packages import each other.
const Module = "xsoar-defender"

// Root returns the repository's folder, that of go.mod.
func Root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		above := filepath.Dir(folder)
		if above == folder {
			t.Fatal("no folder above the test holds go.mod")
		}
		folder = above
	}
}

// Path returns where a file of the repository is; name is relative to Root, with slashes.
func Path(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(Root(t), filepath.FromSlash(name))
}

// Read returns the text of a file of the repository; name is relative to Root, with slashes.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Files returns the paths of all files, relative to Root, except what git keeps for itself and what a build leaves.
func Files(t testing.TB) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(Root(t)), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == ".git" || name == "dist" { // in a second work tree, git keeps a file of its own
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() && name != Module {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Source is a Go file of the repository.
type Source struct {
	// Path is the file's and Folder its folder's, relative to Root; the folder of the root itself is ".".
	Path, Folder string
	IsTest       bool
	File         *ast.File
	Set          *token.FileSet
}

// At says where a place is, for a message.
func (s Source) At(place token.Pos) string {
	return fmt.Sprintf("%s:%d", s.Path, s.Set.Position(place).Line)
}

// Imports reports whether the file imports a package.
func (s Source) Imports(imported string) bool {
	return slices.ContainsFunc(s.File.Imports, func(one *ast.ImportSpec) bool { return ImportPath(one) == imported })
}

// ImportPath returns the path that an import names.
func ImportPath(of *ast.ImportSpec) string {
	plain, err := strconv.Unquote(of.Path.Value)
	if err != nil {
		panic(err) // the parser has read it
	}
	return plain
}

// Sources parses all Go files, with their comments, except scripts in .ci and those that tests read as data.
func Sources(t testing.TB) []Source {
	t.Helper()
	var found []Source
	set := token.NewFileSet()
	for _, name := range Files(t) {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") || strings.HasPrefix(name, ".ci/") {
			continue
		}
		file, err := parser.ParseFile(set, name, Read(t, name), parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, Source{Path: name, Folder: path.Dir(name), IsTest: strings.HasSuffix(name, "_test.go"), File: file, Set: set})
	}
	return found
}

// Packages returns the files of each package without its tests, by folder.
func Packages(t testing.TB) map[string][]Source {
	t.Helper()
	found := map[string][]Source{}
	for _, source := range Sources(t) {
		if !source.IsTest {
			found[source.Folder] = append(found[source.Folder], source)
		}
	}
	return found
}
