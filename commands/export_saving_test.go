package commands_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/warroom"
)

// failingFile is a file of which one operation fails, and that counts itself among those that are open.
type failingFile struct {
	warroom.OutputFile
	fails string
	room  int // how many bytes the disk has left, where writing fails
	open  *int
}

// failed is the error of an operation of the file system, with a path that no analyst may see.
func failed(operation string, reason error) error {
	return &fs.PathError{Op: operation, Path: "/secret/folder/file", Err: reason}
}

func (f *failingFile) Write(part []byte) (int, error) {
	if f.fails != "write" || len(part) <= f.room {
		f.room -= len(part)
		return f.OutputFile.Write(part)
	}
	n, _ := f.OutputFile.Write(part[:f.room])
	f.room = 0
	return n, failed("write", syscall.ENOSPC)
}

func (f *failingFile) Read(into []byte) (int, error) {
	if f.fails == "read" {
		return 0, failed("read", syscall.EIO)
	}
	return f.OutputFile.Read(into)
}

func (f *failingFile) Truncate(size int64) error {
	if f.fails == "truncate" {
		return failed("truncate", syscall.EIO)
	}
	return f.OutputFile.Truncate(size)
}

func (f *failingFile) Seek(offset int64, whence int) (int64, error) {
	if f.fails == "seek" {
		return 0, failed("seek", syscall.EIO)
	}
	return f.OutputFile.Seek(offset, whence)
}

func (f *failingFile) Close() error {
	if f.open != nil {
		*f.open--
		f.open = nil
	}
	if err := f.OutputFile.Close(); err != nil || f.fails != "close" {
		return err
	}
	return failed("close", syscall.EDQUOT)
}

// failOn has an operation on the files with an ID fail, and returns the number of files that are open.
func failOn(i *commandstest.Instance, id, operation string, room int) (open *int) {
	open = new(int)
	i.Host.Wrap = func(opened string, file warroom.OutputFile) warroom.OutputFile {
		*open++
		wrapped := &failingFile{OutputFile: file, open: open}
		if opened == id {
			wrapped.fails, wrapped.room = operation, room
		}
		return wrapped
	}
	return open
}

// The files of an export in the order in which they are created: the first shows whether files can be saved.
const (
	savedExport = "file-2"
	savedState  = "file-3"
)

// wantNothingLeft checks that an export that failed has closed and removed its files.
func wantNothingLeft(t *testing.T, i *commandstest.Instance, open *int) {
	t.Helper()
	if files, err := i.Host.Files(); err != nil || files != 0 || *open != 0 {
		t.Errorf("got %d files left behind, %d of them open (%v), want none", files, *open, err)
	}
}

// TestAnExportThatCannotBeSavedSaysWhyAndLeavesNothing has the disk fail while an export is written. The service is not asked
// again: it is not its fault.
func TestAnExportThatCannotBeSavedSaysWhyAndLeavesNothing(t *testing.T) {
	onOnePage := func(i *commandstest.Instance) { onPages(i, pageOf(i, records(0, 2000), "")) }
	onOneFile := func(i *commandstest.Instance) {
		onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 2000), "\n")))
	}
	onAPause := func(i *commandstest.Instance) {
		onPages(i, pageOf(i, records(0, 10), "a"))
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour})
	}
	full, damaged, quota := []string{"no space left", "Free space"}, []string{"input/output error", "Check the disk"}, []string{"quota exceeded", "Free space"}
	for name, test := range map[string]struct {
		prepare       func(i *commandstest.Instance)
		args          map[string]any
		id, operation string
		room          int
		want          []string
		asked         int
	}{
		"a full disk, at the end of a page":       {onOnePage, map[string]any{"via": "json"}, savedExport, "write", 100, full, 1},
		"a full disk, in the middle of a page":    {onOnePage, map[string]any{"via": "json", "format": "jsonl"}, savedExport, "write", 100, full, 1},
		"a full disk, in the middle of a table":   {onOnePage, map[string]any{"via": "json", "format": "csv"}, savedExport, "write", 100, full, 1},
		"a full disk, at the end of a table":      {onOnePage, map[string]any{"via": "json", "format": "csv.gz"}, savedExport, "write", 100, full, 1},
		"a full disk, in the copy of a file":      {onOneFile, map[string]any{"via": "files"}, savedExport, "write", 100, full, 2},
		"a full disk, in the middle of a file":    {onOneFile, map[string]any{"via": "files", "format": "jsonl"}, savedExport, "write", 100, full, 2},
		"a full disk, while it is put off":        {onAPause, map[string]any{"via": "json"}, savedState, "write", 3, full, 2},
		"a file that cannot be cut":               {onOnePage, map[string]any{"via": "json"}, savedExport, "truncate", 0, damaged, 1},
		"a file without positions":                {onOneFile, map[string]any{"via": "files"}, savedExport, "seek", 0, damaged, 2},
		"a quota that counts when a file is done": {onOnePage, map[string]any{"via": "json"}, savedExport, "close", 0, quota, 1},
		"such a quota, while it is put off":       {onAPause, map[string]any{"via": "json"}, savedExport, "close", 0, quota, 2},
		"such a quota, for what is put off":       {onAPause, map[string]any{"via": "json"}, savedState, "close", 0, quota, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			test.prepare(i)
			open := failOn(i, test.id, test.operation, test.room)
			test.args["kind"] = "software_vulnerabilities"
			result := i.Run("microsoft-atp-export", test.args)
			result.WantFailure(append(test.want, "Files for the War Room cannot be saved")...)
			if strings.Contains(result.Failure(), "/secret") {
				t.Errorf("got %q, want no path", result.Failure())
			}
			if got := len(result.Requests); got != test.asked {
				t.Errorf("got the requests %q, want %d", result.Asked(), test.asked)
			}
			wantNothingLeft(t, i, open)
		})
	}
}

// TestAnExportGoesOnInTheNextExecution reads pages and files that take 90 seconds each. With polling, three are read in an
// execution, after which four minutes have passed; without it, everything is read in one. No part is read twice.
func TestAnExportGoesOnInTheNextExecution(t *testing.T) {
	t.Parallel()
	const parts = 6
	// part has ten records of seven machines of its own.
	part := func(n int) []string {
		all := records(10*n, 10*n+10)
		for i := range all {
			all[i] = strings.Replace(all[i], `"m`, fmt.Sprintf(`"part-%d-m`, n), 1)
		}
		return all
	}
	var whole []string
	for n := range parts {
		whole = append(whole, part(n)...)
	}
	for name, test := range map[string]struct {
		args map[string]any
		want []string
		// runs and parts are how many executions and requests for parts it takes, devices is the number of machines.
		runs, parts, devices int
	}{
		"pages":                      {map[string]any{"via": "json", "polling": true}, whole, 2, parts, 42},
		"pages at once":              {map[string]any{"via": "json"}, whole, 1, parts, 42},
		"pages as a table":           {map[string]any{"via": "json", "polling": true, "format": "csv"}, csvOf(t, whole), 2, parts, 42},
		"pages that are counted":     {map[string]any{"via": "json", "polling": true, "summary_only": true}, nil, 2, parts, 42},
		"files":                      {map[string]any{"via": "files", "polling": true}, whole, 2, parts, 42},
		"files at once":              {map[string]any{"via": "files"}, whole, 1, parts, 42},
		"files as a table":           {map[string]any{"via": "files", "polling": true, "format": "csv.gz"}, csvOf(t, whole), 2, parts, 42},
		"files instead of pages":     {map[string]any{"polling": true}, whole, 3, parts + 1, 42},
		"files that are counted":     {map[string]any{"via": "files", "polling": true, "summary_only": true}, nil, 2, parts, 42},
		"pages up to max_records":    {map[string]any{"via": "json", "polling": true, "max_records": 35}, whole[:35], 2, 4, 26},
		"files up to max_records":    {map[string]any{"via": "files", "polling": true, "max_records": 35}, whole[:35], 2, 4, 26},
		"pages of which some are it": {map[string]any{"via": "json", "polling": true, "cve": "CVE-1,CVE-59"}, []string{whole[1], whole[59]}, 2, parts, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			var pages, contents []string
			for n := range parts {
				pages = append(pages, pageOf(i, part(n), strings.Repeat("n", (n+1)%parts)))
				contents = append(contents, packedFile(t, strings.Join(part(n), "\n")))
			}
			onSlowPages(i, 90*time.Second, pages...)
			onSlowFiles(i, 90*time.Second, "snapshot", "2026-11-20T06:00:00Z", 0, contents...)
			open := failOn(i, "", "", 0)
			test.args["kind"] = "software_vulnerabilities"
			i.Tenant.ResetRequests()
			got, told, waits := exportedInTurns(t, i, test.args)
			wantLines(t, got, test.want)
			if got := len(waits) + 1; got != test.runs {
				t.Errorf("got %d executions, want %d", got, test.runs)
			}
			if got := told.Get("devices").Int(); got != int64(test.devices) {
				t.Errorf("got %s, want %d devices", told, test.devices)
			}
			if len(waits) > 0 && told.Get("via").Str == "json" {
				waits[0].WantReadable("30 records exported so far, in 3 parts. The export continues in 10 seconds")
			}
			asked := slices.DeleteFunc(i.Tenant.Requests(), func(r simulator.Request) bool { return r.Kind != simulator.KindDownload && r.Path != pagesOfExport })
			if len(asked) != test.parts {
				t.Errorf("got %d requests for parts, want %d", len(asked), test.parts)
			}
			if *open != 0 {
				t.Errorf("got %d files left open, want none", *open)
			}
		})
	}
}

// TestAnExportThatFillsTheDiskMakesRoom goes on with a disk that has become full, or in a folder that is gone: the file that fills
// it is removed, although it cannot be gone on with.
func TestAnExportThatFillsTheDiskMakesRoom(t *testing.T) {
	for want, spoil := range map[string]func(*commandstest.Host){
		"no space left on device": func(h *commandstest.Host) { h.Full = true },
		"no such file":            func(h *commandstest.Host) { h.NoFiles = errors.Join(syscall.ENOENT, h.Lose()) },
	} {
		i := commandstest.New(t)
		onSlowPages(i, 4*time.Minute, pageOf(i, records(0, 10), "a"), pageOf(i, records(10, 20), ""))
		began := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "json", "polling": true}).Entry()
		spoil(i.Host)
		i.Again(began).WantFailure("Files for the War Room cannot be saved: " + want)
		wantNothingLeft(t, i, new(int))
	}
}

// TestAFileThatStaysIsTold cannot remove the file of an export that failed.
func TestAFileThatStaysIsTold(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", pagesOfExport, 403, `{"error":{"code":"Forbidden","message":"missing role"}}`)
	i.Host.Wrap = func(id string, file warroom.OutputFile) warroom.OutputFile {
		if id == savedExport {
			i.Host.Stuck = failed("remove", syscall.EACCES)
		}
		return file
	}
	result := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "json"})
	result.WantFailure("missing role", "Files for the War Room cannot be saved: permission denied")
}
