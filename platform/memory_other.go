//go:build !linux

package platform

import "io/fs"

// memoryLimit returns 0: only Linux limits the memory of a container.
func memoryLimit(fs.FS) int64 { return 0 }
