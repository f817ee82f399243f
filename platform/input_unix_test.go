//go:build unix

package platform_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"xsoar-defender/platform"
)

// TestAPipeIsPolled reads a pipe as a process finds it: one on which a read blocks its thread.
func TestAPipeIsPolled(t *testing.T) {
	t.Parallel()
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	read, write := os.NewFile(uintptr(ends[0]), "read"), os.NewFile(uintptr(ends[1]), "write")
	t.Cleanup(func() { read.Close(); write.Close() })
	polled, ok := platform.Polled(read).(*os.File)
	if !ok {
		t.Fatal("got no file")
	}
	defer polled.Close()
	if err := polled.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatalf("the pipe has no deadline, as what is polled does: %v", err)
	}
	if _, err := polled.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if err := polled.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := write.WriteString("ping\n"); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 10)
	if n, err := polled.Read(text); err != nil || string(text[:n]) != "ping\n" {
		t.Errorf("got %q and %v, want the line", text[:n], err)
	}
}

func TestAFileIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "lines"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := platform.Polled(file); got != file {
		t.Errorf("got another reader, want the file itself")
	}
}
