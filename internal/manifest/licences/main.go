// Command licences writes docs/licences.md: the modules that are linked into the program, on the systems that it is built
// for, with the licence that the text of each module's licence file is. It fails when one has another licence than those
// that may be linked. With -check it changes nothing and fails when the file is not up to date.
//
//	go run ./internal/manifest/licences [-check] [REPOSITORY]
//
//go:generate go run . ../../..
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

func main() {
	check := flag.Bool("check", false, "change nothing, and fail when the file is not up to date")
	flag.Parse()
	if err := run(context.Background(), cmp.Or(flag.Arg(0), "."), *check); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// mayBeLinked are the licences, by their SPDX names, that allow what is done with the program and ask for no more than to
// be told along with it.
func mayBeLinked() []string {
	return []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}
}

// module is a linked module with the folder that its files are in.
type module struct{ path, version, folder string }

func run(ctx context.Context, root string, check bool) error {
	modules, err := linked(ctx, root)
	if err != nil {
		return err
	}
	scripts, err := scripts(root)
	if err != nil {
		return err
	}
	page, err := render(modules, scripts)
	if err != nil {
		return err
	}
	return update(root, page, check)
}

// update writes the page if it is another one, or fails then if it is only to check.
func update(root string, page []byte, check bool) error {
	name := filepath.Join(root, "docs", "licences.md")
	written, err := os.ReadFile(name)
	switch {
	case err == nil && bytes.Equal(written, page):
		return nil
	case check:
		return fmt.Errorf("%s is not up to date: run go generate ./internal/manifest/licences", name)
	}
	if err := os.WriteFile(name, page, 0o644); err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	return nil
}

// linked are the modules of the packages that the program consists of, on every system that it is built for.
func linked(ctx context.Context, root string) ([]module, error) {
	const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
	found := map[string]module{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		list := exec.CommandContext(ctx, "go", "list", "-deps", "-f", format, ".")
		list.Dir, list.Env, list.Stderr = root, append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0"), os.Stderr
		lines, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("listing the modules for %s: %w", system, err)
		}
		for line := range strings.Lines(string(lines)) {
			path, rest, ofModule := strings.Cut(strings.TrimSpace(line), "\t")
			version, folder, _ := strings.Cut(rest, "\t")
			if ofModule {
				found[path] = module{path, version, folder}
			}
		}
	}
	var modules []module
	for _, path := range slices.Sorted(maps.Keys(found)) {
		modules = append(modules, found[path])
	}
	return modules, nil
}

// scriptsFolder is where the scripts are that the program carries for its page in the browser, each in a folder of its own with its
// package.json and its licence files.
const scriptsFolder = "internal/cli/web/page"

// scripts returns the scripts that the program carries.
func scripts(root string) ([]module, error) {
	manifests, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(scriptsFolder), "*", "package.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for scripts: %w", err)
	}
	var found []module
	for _, name := range manifests {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading about a script: %w", err)
		}
		var about struct{ Name, Version string }
		if err := json.Unmarshal(text, &about); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		found = append(found, module{about.Name, about.Version, filepath.Dir(name)})
	}
	return found, nil
}

const scriptsHead = `
These scripts are part of the page that ` + "`xsoar-defender warroom`" + ` serves. They are those of the npm registry, unchanged, with the licences of what
they bundle.

| Script | Version | Licence |
| --- | --- | --- |
`

const head = `# Licences

<!-- Written by go generate ./internal/manifest/licences. -->

These modules are linked into the program, in addition to the standard library of Go, which is BSD-3-Clause. The licence is the one that
the text of the module's own licence file is. Only %s may be linked.

| Module | Version | Licence |
| --- | --- | --- |
`

func render(modules, scripts []module) ([]byte, error) {
	var page bytes.Buffer
	fmt.Fprintf(&page, head, strings.Join(mayBeLinked(), ", "))
	problems := rows(&page, modules)
	if len(scripts) > 0 {
		page.WriteString(scriptsHead)
		problems = errors.Join(problems, rows(&page, scripts))
	}
	return page.Bytes(), problems
}

// rows writes a row for each module.
func rows(page *bytes.Buffer, modules []module) error {
	var problems []error
	for _, module := range modules {
		names, err := licencesOf(module)
		problems = append(problems, err)
		fmt.Fprintf(page, "| `%s` | %s | %s |\n", module.path, module.version, strings.Join(names, ", "))
	}
	return errors.Join(problems...)
}

// mostlyLicence is how much of a licence file, in percent, must be text of a known licence: the rest may name the holders
// of the rights, and no further conditions.
const mostlyLicence = 80

// completed returns a text of a licence with the word that the BSD license of the npm package entities leaves out in two places: only
// with it is the text known.
func completed(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("THIS IS PROVIDED BY"), []byte("THIS SOFTWARE IS PROVIDED BY"))
	return bytes.ReplaceAll(text, []byte("OUT OF THE USE OF THIS,"), []byte("OUT OF THE USE OF THIS SOFTWARE,"))
}

// licencesOf reads the licence files at the root of a module.
func licencesOf(module module) ([]string, error) {
	file := regexp.MustCompile(`(?i)^(licen[cs]e|copying)([.-].*)?$`)
	entries, err := os.ReadDir(module.folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", module.path, err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() || !file.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(module.folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module.path, err)
		}
		coverage := licensecheck.Scan(completed(text))
		if coverage.Percent < mostlyLicence {
			return nil, fmt.Errorf("%s: only %.0f%% of %s is the text of a known licence", module.path, coverage.Percent, entry.Name())
		}
		for _, match := range coverage.Match {
			if !slices.Contains(mayBeLinked(), match.ID) {
				return nil, fmt.Errorf("%s: %s may not be linked", module.path, match.ID)
			}
			names = append(names, match.ID)
		}
	}
	if names == nil {
		return nil, fmt.Errorf("%s: there is no licence file", module.path)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
