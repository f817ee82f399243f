package cli

import (
	"bytes"
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
		Use: "check-playbook FILE...", Short: "Find what playbooks use that this integration does not serve", GroupID: groupPlatform,
		Long: `Reads playbooks as the platform exports them, and lists the commands, arguments and context paths that
this integration does not serve, with the nearest ones that it does. Nothing is sent anywhere.

A FILE is a playbook as YAML or JSON, or a folder, in which all *.yml, *.yaml and *.json files at any depth are
read; those that are not playbooks are ignored. Deprecated commands and arguments are served and noted. Automations,
and sub-playbooks that are not among the files, are not checked; a context path that only such a sub-playbook may set
is noted.

The exit code is 0 if everything is served, 1 if something is not, and 2 for a usage error or a file that is not a
playbook.`,
		Example: `  xsoar-defender check-playbook playbook-Isolate_Endpoint.yml
  xsoar-defender check-playbook Packs/ --json`,
		Args: between(1, -1, "a playbook or a folder of playbooks"),
		RunE: func(_ *cobra.Command, args []string) error { return p.checkPlaybooks(args, asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write the findings as one JSON document")
	return command
}

// checkedPlaybook is a playbook with the findings about it.
type checkedPlaybook struct {
	File string `json:"file"`
	Name string `json:"name"`
	playbook.Result

	read *playbook.Playbook
}

func (p *program) checkPlaybooks(paths []string, asJSON bool) error {
	checker := playbook.NewChecker(commands.NewRegistry().All(), commands.Brand, nearest)
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

// readPlaybooks reads a playbook, or all playbooks of a folder. With an error it also returns those that it could read.
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
		if err != nil || !entry.Type().IsRegular() || !maybePlaybook(name) {
			return err
		}
		if !likePlaybook(name) {
			return nil
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
		faults = append(faults, fmt.Errorf("%s contains no playbook", path))
	}
	return found, errors.Join(faults...)
}

// maybePlaybook reports whether a file of a folder is of a kind that the platform exports playbooks as.
func maybePlaybook(name string) bool {
	return slices.Contains([]string{".yml", ".yaml", ".json"}, strings.ToLower(filepath.Ext(name)))
}

// likePlaybook reports whether a file of a folder must be read: a JSON file only if it has the keys of a playbook, because a
// folder may hold broken JSON of any other kind. What cannot be opened is read, so that the failure is reported.
func likePlaybook(name string) bool {
	if !strings.EqualFold(filepath.Ext(name), ".json") {
		return true
	}
	file, err := os.Open(name)
	if err != nil {
		return true
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, playbook.MaxSize+1))
	return err != nil || bytes.Contains(text, []byte(`"tasks"`))
}

func readPlaybook(path string) (checkedPlaybook, error) {
	file, err := os.Open(path)
	if err != nil {
		return checkedPlaybook{}, fmt.Errorf("reading the playbook: %w", err)
	}
	defer file.Close()
	// One byte more is enough to notice that a file is too large.
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

func (p *program) showPlaybooks(checked []checkedPlaybook, asJSON bool) error {
	if asJSON {
		if err := p.writeDocument(rawjson.Make(checked)); err != nil {
			return failed(fmt.Errorf("writing the findings: %w", err))
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

// playbook shows the findings about a playbook.
func (s screen) playbook(one checkedPlaybook) {
	uses := fmt.Sprintf("(%s, %s)", counted(len(one.Commands), "command"), counted(len(one.Paths), "context path"))
	switch {
	case len(one.Problems) == 0 && len(one.NotLookedInto) > 0:
		s.paragraph(one.File + ": everything that was checked is served " + uses)
	case len(one.Problems) == 0:
		s.paragraph(one.File + ": everything is served " + uses)
	default:
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
		s.paragraph("Sub-playbooks that were not checked: " + strings.Join(one.NotLookedInto, ", "))
	}
}
