//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// WithoutLines lets what is typed at a terminal be read as it comes, without echo, until restore is called. While a
// terminal collects lines itself, it cuts them: at 4,095 bytes on Linux and at 1,023 on macOS, and the address of a login
// may be longer. Ctrl-C keeps working.
func WithoutLines(file *os.File) (restore func() error, err error) {
	number := int(file.Fd())
	before, err := unix.IoctlGetTermios(number, getAttributes)
	if err != nil {
		return nil, fmt.Errorf("reading the mode of the terminal: %w", err)
	}
	changed := *before
	changed.Lflag &^= unix.ICANON | unix.ECHO
	changed.Cc[unix.VMIN], changed.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(number, setAttributes, &changed); err != nil {
		return nil, fmt.Errorf("changing the mode of the terminal: %w", err)
	}
	return func() error { return unix.IoctlSetTermios(number, setAttributes, before) }, nil
}
