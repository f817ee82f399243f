package platform

import (
	"runtime/debug"
	"runtime/metrics"
)

// keptMemory is how much memory a process may keep for the next execution, in bytes. Beyond it, all that is free goes back to
// the system: the process may be idle for hours, next to hundreds of others.
const keptMemory = 24 << 20

// releaseMemory returns the memory of a large execution to the system, once nothing refers to it.
func releaseMemory() {
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(held)
	if held[0].Value.Uint64()-held[1].Value.Uint64() > keptMemory {
		debug.FreeOSMemory()
	}
}
