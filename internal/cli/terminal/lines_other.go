//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package terminal

import "os"

// WithoutLines changes nothing: a console of Windows does not cut lines of that length.
func WithoutLines(*os.File) (restore func() error, err error) {
	return func() error { return nil }, nil
}
