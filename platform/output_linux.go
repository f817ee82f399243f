package platform

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// resizePipe says how much a pipe may hold. What is no pipe, or may not be resized, stays as it is.
func resizePipe(out io.Writer, size int) {
	file, ok := out.(*os.File)
	if !ok {
		return
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(descriptor uintptr) {
		_, _ = unix.FcntlInt(descriptor, unix.F_SETPIPE_SZ, size)
	})
}
