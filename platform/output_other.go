//go:build !linux

package platform

import "io"

// pipeSize returns 0: only Linux tells a program the size of a pipe and lets it change it.
func pipeSize(io.Writer) int { return 0 }

func resizePipe(io.Writer, int) {}
