package platform

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestThePipeIsWideForALargeMessageOnly looks at what the pipe holds before, during and after messages.
func TestThePipeIsWideForALargeMessageOnly(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	go io.Copy(io.Discard, reader) // until the pipe ends
	holds := func() int {
		size, err := unix.FcntlInt(writer.Fd(), unix.F_GETPIPE_SZ, 0)
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	out := &output{to: writer}
	for _, step := range []struct {
		what string
		do   func() error
		want int
	}{
		{"a small message", func() error { _, err := out.Write([]byte("{}\n")); return err }, holds()},
		{"a large one, in parts", func() error {
			var err error
			for range largeMessage / 4096 {
				_, err = out.Write(bytes.Repeat([]byte("x"), 4096))
			}
			return err
		}, widePipe},
		{"another one, at once", func() error { _, err := out.WriteString(strings.Repeat("x", largeMessage)); return err }, widePipe},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := holds(); got != step.want {
			t.Errorf("after %s the pipe holds %d bytes, want %d", step.what, got, step.want)
		}
	}
	for before := out.narrowed; holds() != before; out.narrow() { // until the reader has read all
		out.narrowed = before
	}
	if out.written != 0 {
		t.Errorf("the next message begins with %d bytes", out.written)
	}
	if _, err := unix.FcntlInt(writer.Fd(), unix.F_SETPIPE_SZ, 2*widePipe); err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteString(strings.Repeat("x", largeMessage)); err != nil {
		t.Fatal(err)
	}
	if out.narrow(); holds() != 2*widePipe {
		t.Errorf("a pipe that was wider holds %d bytes now, want %d", holds(), 2*widePipe)
	}
}

func TestWhatIsNoPipeIsWrittenToAsItIs(t *testing.T) {
	t.Parallel()
	var kept strings.Builder
	out := &output{to: &kept}
	if n, err := out.WriteString(strings.Repeat("x", 2*largeMessage)); n != 2*largeMessage || err != nil {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
	out.narrow()
	if kept.Len() != 2*largeMessage {
		t.Errorf("got %d bytes", kept.Len())
	}
}
