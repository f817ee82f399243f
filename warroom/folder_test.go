package warroom_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"xsoar-defender/warroom"
)

// folder is a folder for files that fails at some point.
type folder struct {
	creating, writing, closing, discarding error

	written   int
	discarded string
}

func (f *folder) Create() (string, warroom.OutputFile, error) {
	if f.creating != nil {
		return "", nil, f.creating
	}
	return "id", probe{folder: f}, nil
}

func (f *folder) Discard(id string) error {
	f.discarded = id
	return f.discarding
}

func (*folder) Reopen(string) (warroom.OutputFile, error) { return nil, fs.ErrNotExist }

func (*folder) Open(context.Context, string) (string, warroom.InputFile, error) {
	return "", nil, fs.ErrNotExist
}

// probe is a file of the folder.
type probe struct {
	io.ReadSeeker

	folder *folder
}

func (p probe) Write(text []byte) (int, error) {
	p.folder.written += len(text)
	return len(text), p.folder.writing
}

func (probe) Truncate(int64) error { return nil }

func (p probe) Close() error { return p.folder.closing }

// TestAFolderIsProbed saves a file and removes it, whatever goes wrong in between. The first thing that does is told, with
// what to do about it.
func TestAFolderIsProbed(t *testing.T) {
	for _, test := range []struct {
		name   string
		folder folder
		want   error
		remedy string
	}{
		{"a folder that takes files", folder{}, nil, ""},
		{"a folder that is gone", folder{creating: fs.ErrNotExist}, fs.ErrNotExist, "Restart the container"},
		{"a full disk", folder{writing: syscall.ENOSPC}, syscall.ENOSPC, "Free space"},
		{"a full quota", folder{writing: syscall.EDQUOT, closing: syscall.EIO}, syscall.EDQUOT, "Free space"},
		{"a disk that is full at the end", folder{closing: syscall.ENOSPC}, syscall.ENOSPC, "Free space"},
		{"a disk that fails", folder{writing: syscall.EIO}, syscall.EIO, "Check the disk"},
		{"too many open files", folder{creating: syscall.EMFILE}, syscall.EMFILE, "Raise the limit of open files"},
		{"a file that stays", folder{discarding: fs.ErrPermission}, fs.ErrPermission, "Run the container as a user who may write"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := warroom.ProbeFolder(&test.folder)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if problem, is := errors.AsType[*warroom.FolderError](err); is != (test.want != nil) || is && !strings.Contains(problem.Error(), test.remedy) {
				t.Errorf("got %v, want a FolderError that says %q", err, test.remedy)
			}
			if created := test.folder.creating == nil; created && (test.folder.discarded != "id" || test.folder.written < 4096) {
				t.Errorf("got %d bytes in a file and %q discarded, want some thousands, and the file", test.folder.written, test.folder.discarded)
			}
		})
	}
}
