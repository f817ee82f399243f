//go:build !unix

package platform

import (
	"io"
	"os"
)

// Polled returns in: only Unix polls pipes.
func Polled(in *os.File) io.Reader { return in }
