//go:build unix

package platform

import (
	"io"
	"os"
	"syscall"
)

// Polled returns in so that waiting for a line blocks no thread: the runtime polls the pipe as it polls connections. Anything but
// a pipe is returned as it is, since others may share it.
func Polled(in *os.File) io.Reader {
	about, err := in.Stat()
	if err != nil || about.Mode()&os.ModeNamedPipe == 0 {
		return in
	}
	// A descriptor of its own: two files must not close the same one.
	own, err := syscall.Dup(int(in.Fd()))
	if err != nil || syscall.SetNonblock(own, true) != nil {
		return in
	}
	return os.NewFile(uintptr(own), in.Name())
}
