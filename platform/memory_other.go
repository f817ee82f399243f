//go:build !linux

package platform

import "io/fs"

// MemoryLimit returns 0: only Linux limits the memory of a container.
func MemoryLimit(fs.FS) int64 { return 0 }
