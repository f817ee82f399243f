package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/playbook"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func (p *program) checkPlaybookCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use: "check-playbook FILE...", Short: "Say what playbooks use that would not be served",
		Long: `Reads playbooks as the platform exports them, and says which commands, arguments and context paths they use that
this integration does not serve, with what comes nearest. Nothing is sent anywhere.

A FILE is a playbook as YAML or JSON, or a folder, of which all files *.yml at any depth are read; those of them that
are no playbooks are left out. What is deprecated is noted and is served. Automations, and sub-playbooks that are not
among the files, are not looked into.

The exit code is 0 when everything is served, 1 when something is not, and 2 when the program was called wrongly or a
file is no playbook.`,
		Example: `  xsoar-defender check-playbook playbook-Isolate_Endpoint.yml
  xsoar-defender check-playbook Packs/ --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.checkPlaybooks(args, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write what was found as one JSON document")
	return command
}

// checkedPlaybook is a playbook with what was found in it.
type checkedPlaybook struct {
	File string `json:"file"`
	Name string `json:"name"`
	playbook.Result
	// NotLookedInto are its sub-playbooks that are not among the files.
	NotLookedInto []string `json:"notLookedInto"`

	read *playbook.Playbook
}

func (p *program) checkPlaybooks(paths []string, asJSON bool) error {
	checker := playbook.NewChecker(commands.NewRegistry().All(), brand, nearest)
	checked := []checkedPlaybook{}
	var faults []error
	for _, path := range paths {
		found, err := readPlaybooks(path)
		checked, faults = append(checked, found...), append(faults, err)
	}
	for _, one := range checked {
		checker.Add(one.read)
	}
	for i := range checked {
		checked[i].Result = checker.Check(checked[i].read)
	}
	notLookedInto(checked)
	if err := p.showPlaybooks(checked, asJSON); err != nil {
		return err
	}
	if fault := errors.Join(faults...); fault != nil {
		return &exitError{code: exitUsage, err: errors.New(warroom.Visible(fault.Error()))}
	}
	if slices.ContainsFunc(checked, func(one checkedPlaybook) bool { return len(one.Problems) > 0 }) {
		return &exitError{code: exitFailed}
	}
	return nil
}

// readPlaybooks reads a playbook, or all of a folder. What can be read is given beside an error.
func readPlaybooks(path string) ([]checkedPlaybook, error) {
	about, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the playbook: %w", err)
	}
	if !about.IsDir() {
		one, err := readPlaybook(path)
		if err != nil {
			return nil, err
		}
		return []checkedPlaybook{one}, nil
	}
	var found []checkedPlaybook
	var faults []error
	err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.EqualFold(filepath.Ext(name), ".yml") {
			return err
		}
		one, err := readPlaybook(name)
		if other, ok := errors.AsType[*playbook.FormatError](err); ok && other.Other {
			return nil
		}
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		found = append(found, one)
		return nil
	})
	if err != nil {
		faults = append(faults, fmt.Errorf("reading the folder: %w", err))
	}
	if found == nil && faults == nil {
		faults = append(faults, fmt.Errorf("%s has no playbook in it", path))
	}
	return found, errors.Join(faults...)
}

func readPlaybook(path string) (checkedPlaybook, error) {
	file, err := os.Open(path)
	if err != nil {
		return checkedPlaybook{}, fmt.Errorf("reading the playbook: %w", err)
	}
	defer file.Close()
	// What is too large is too large by one byte as well.
	text, err := io.ReadAll(io.LimitReader(file, playbook.MaxSize+1))
	if err != nil {
		return checkedPlaybook{}, fmt.Errorf("reading the playbook: %w", err)
	}
	read, err := playbook.Read(text)
	if err != nil {
		return checkedPlaybook{}, fmt.Errorf("%s: %w", path, err)
	}
	return checkedPlaybook{File: path, Name: read.Name, read: read}, nil
}

// notLookedInto says of every playbook which of its sub-playbooks are not among them.
func notLookedInto(checked []checkedPlaybook) {
	known := map[string]bool{}
	for _, one := range checked {
		known[one.read.ID], known[one.read.Name] = true, true
	}
	for i := range checked {
		left := []string{}
		for _, name := range checked[i].read.SubPlaybooks {
			if !known[name] {
				left = append(left, name)
			}
		}
		checked[i].NotLookedInto = left
	}
}

func (p *program) showPlaybooks(checked []checkedPlaybook, asJSON bool) error {
	if asJSON {
		if err := p.writeDocument(rawjson.Make(checked)); err != nil {
			return failed(fmt.Errorf("writing what was found: %w", err))
		}
		return nil
	}
	screen := p.screen("")
	for i, one := range checked {
		if i > 0 && (len(one.Problems) > 0 || len(checked[i-1].Problems) > 0) {
			screen.line("")
		}
		screen.playbook(one)
	}
	return nil
}

// playbook shows what was found in a playbook.
func (s screen) playbook(one checkedPlaybook) {
	uses := fmt.Sprintf("(%s, %s)", counted(len(one.Commands), "command"), counted(len(one.Paths), "context path"))
	if len(one.Problems) == 0 {
		s.paragraph(one.File + ": everything is served " + uses)
	} else {
		s.line(s.strong(warroom.Visible(one.File + ": not everything is served " + uses)))
		var rows [][]string
		for _, found := range one.Problems {
			rows = append(rows, []string{found.Task, found.Name, found.What, found.Why, found.Instead})
		}
		s.grid([]string{"Task", "Name", "What", "Why", "Instead"}, rows)
	}
	for _, found := range one.Notes {
		where := ""
		if found.Task != "" {
			where = "task " + found.Task + ", "
		}
		note := "Note: " + where + found.What + ": " + found.Why
		if found.Instead != "" {
			note += "; use " + found.Instead
		}
		s.paragraph(note)
	}
	if len(one.NotLookedInto) > 0 {
		s.paragraph("Sub-playbooks that were not looked into: " + strings.Join(one.NotLookedInto, ", "))
	}
}
