// Command generate writes the generated files of the repository: the manifest, the references, the tables of
// the README, the manual pages and the completion scripts. With -check it changes nothing and fails when one of them is not up to date.
//
//	go run ./internal/manifest/generate [-check] [REPOSITORY]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"xsoar-defender/commands"
	"xsoar-defender/internal/cli/pages"
	"xsoar-defender/internal/manifest"
	"xsoar-defender/params"
)

func main() {
	check := flag.Bool("check", false, "change nothing, and fail when a file is not up to date")
	flag.Parse()
	if err := run(cmp.Or(flag.Arg(0), "."), *check, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// run writes the files that are not up to date, or with check only tells them.
func run(root string, check bool, out io.Writer) error {
	files, err := manifest.Files(os.DirFS(root), commands.NewRegistry().All(), params.Parameters())
	if err != nil {
		return err
	}
	printed, err := pages.Files()
	if err != nil {
		return err
	}
	return update(root, append(files, manifest.Compare(os.DirFS(root), printed)...), check, out)
}

func update(root string, files []manifest.File, check bool, out io.Writer) error {
	stale := 0
	for _, file := range files {
		if file.Current {
			continue
		}
		stale++
		fmt.Fprintln(out, file.Path)
		if check {
			continue
		}
		if err := write(filepath.Join(root, filepath.FromSlash(file.Path)), file.Content); err != nil {
			return err
		}
	}
	if check && stale > 0 {
		return fmt.Errorf("%d of %d generated files are not up to date: run go generate ./internal/manifest", stale, len(files))
	}
	return nil
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the folder of a generated file: %w", err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("writing a generated file: %w", err)
	}
	return nil
}
