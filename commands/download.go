package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// document keeps what is written to it as long as that can be a JSON object or list of at most the given size, and
// discards anything else: a file may have gigabytes.
type document struct {
	most  int
	text  bytes.Buffer
	other bool // it is not JSON, or too large
}

func (d *document) Write(part []byte) (int, error) {
	begins := d.text.Len() == 0 && len(part) > 0
	d.other = d.other || begins && strings.IndexByte("{[ \t\r\n"+rawjson.ByteOrderMark, part[0]) < 0 || d.text.Len()+len(part) > d.most
	if d.other {
		d.text = bytes.Buffer{}
		return len(part), nil
	}
	return d.text.Write(part)
}

// defaultLargestFile is the maximum size of a download in bytes unless the arguments set another: the maximum that
// live response can collect from a machine.
const defaultLargestFile = 3 << 30

// fileSize holds the argument that limits a download.
type fileSize struct {
	Megabytes int `arg:"max_size_in_mb" min:"1" max:"102400" help:"The maximum size of the download in megabytes; 3072 by default."`
}

func (f fileSize) most() int64 {
	if f.Megabytes == 0 {
		return defaultLargestFile
	}
	return int64(f.Megabytes) << 20
}

// fileReport returns the report of an action that ended with a file behind a link: the file and the action.
func (f fileSize) fileReport(ctx context.Context, run *Run, out Output, action defender.MachineAction, link string, err error) (Report, error) {
	if err != nil {
		return Report{}, err
	}
	file, err := download(ctx, run, link, resultFile+".gz", warroom.Download, f.most(), nil)
	if err != nil {
		return Report{}, err
	}
	return report(file, sessionEntry(out, action)), nil
}

// download streams the file behind a link to the War Room and, if tee is not nil, to tee as well. A failed download
// leaves no file behind.
func download(ctx context.Context, run *Run, link, name string, kind warroom.Kind, most int64, tee io.Writer) (warroom.Entry, error) {
	id, file, err := run.Host.Create()
	if err != nil {
		return warroom.Entry{}, unsaved(err)
	}
	into := io.Writer(file)
	if tee != nil {
		into = io.MultiWriter(file, tee)
	}
	got, err := run.API.Download(ctx, link, into, most)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return warroom.Entry{}, errors.Join(unsaved(err), discard(run.Host, id))
	}
	return warroom.Entry{
		Kind:   kind,
		Blocks: []warroom.Block{warroom.Paragraph(fmt.Sprintf("%s: %d bytes, SHA-256 %s", name, got.Size, got.SHA256))},
		File:   &warroom.File{Name: name, ID: id, Size: got.Size, SHA256: got.SHA256},
	}, nil
}

// unsaved returns an error of the file system as a *warroom.FolderError, which says what to do about it and keeps the path to
// itself, and any other error as it is.
func unsaved(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return &warroom.FolderError{Err: failed}
	}
	return err
}

// discard removes a file that was not completed, if it is still there.
func discard(store warroom.FileStore, id string) error {
	if err := store.Discard(id); !errors.Is(err, fs.ErrNotExist) {
		return unsaved(err)
	}
	return nil
}
