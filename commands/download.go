package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"xsoar-defender/warroom"
)

// head keeps the beginning of what is written to it.
type head struct {
	most int
	text bytes.Buffer
	cut  bool
}

func (h *head) Write(part []byte) (int, error) {
	room := h.most - h.text.Len()
	if room < len(part) {
		h.cut = true
	}
	h.text.Write(part[:min(room, len(part))])
	return len(part), nil
}

// defaultLargestFile is the largest file that is downloaded, in bytes, unless the arguments say otherwise: the
// largest that live response gets from a machine.
const defaultLargestFile = 3 << 30

// fileSize is the argument that bounds a download.
type fileSize struct {
	Megabytes int `arg:"max_size_in_mb" min:"1" max:"102400" help:"How many megabytes to download at the most; 3072 by default."`
}

func (f fileSize) most() int64 {
	if f.Megabytes == 0 {
		return defaultLargestFile
	}
	return int64(f.Megabytes) << 20
}

// download streams the file behind a link to the War Room and, if beside is not nil, beside. Nothing is left
// behind of a download that failed.
func download(ctx context.Context, run *Run, link, name string, kind warroom.Kind, most int64, beside io.Writer) (warroom.Entry, error) {
	id, file, err := run.Host.Create()
	if err != nil {
		return warroom.Entry{}, err
	}
	into := io.Writer(file)
	if beside != nil {
		into = io.MultiWriter(file, beside)
	}
	got, err := run.API.Download(ctx, link, into, most)
	if closed := file.Close(); err == nil && closed != nil {
		err = fmt.Errorf("saving the file: %w", closed)
	}
	if err != nil {
		return warroom.Entry{}, errors.Join(err, run.Host.Discard(id))
	}
	return warroom.Entry{
		Kind:   kind,
		Blocks: []warroom.Block{warroom.Paragraph(fmt.Sprintf("%s: %d bytes, SHA-256 %s", name, got.Size, got.SHA256))},
		File:   &warroom.File{Name: name, ID: id, Size: got.Size, SHA256: got.SHA256},
	}, nil
}
