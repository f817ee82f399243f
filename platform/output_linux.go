package platform

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize returns the size of a pipe in bytes, or 0 if out is not a pipe.
func pipeSize(out io.Writer) int { return pipe(out, unix.F_GETPIPE_SZ, 0) }

// resizePipe sets the size of a pipe. If the system does not allow it, the pipe stays as it is.
func resizePipe(out io.Writer, size int) { pipe(out, unix.F_SETPIPE_SZ, size) }

func pipe(out io.Writer, command, argument int) (result int) {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(descriptor uintptr) {
		if result, err = unix.FcntlInt(descriptor, command, argument); err != nil {
			result = 0
		}
	})
	return result
}
