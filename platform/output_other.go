//go:build !linux

package platform

import "io"

// resizePipe does nothing: only Linux lets a program ask for it.
func resizePipe(io.Writer, int) {}
