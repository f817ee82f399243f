package platform

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	// keptMemory is how much memory a process may keep after a large execution, in bytes. Beyond it, all that is free goes back
	// to the system at once: the process may be idle for hours, next to hundreds of others.
	keptMemory = 24 << 20
	// idleAfter is how long a process waits for another execution before it returns all free memory to the system. Doing so with
	// every execution would cost more than most of them do.
	idleAfter = time.Minute
)

// Resources limits what the process takes of the machine: one processor, because a small command is a chain of waits in which
// several only hand over to each other, and all of them for an execution with a large answer. Make it with NewResources. The
// methods of a nil *Resources do nothing.
type Resources struct {
	grown atomic.Bool
	idle  *time.Timer
}

// NewResources limits the process to one processor, and returns what lifts the limit. A process that begins with one, as
// those of the image do, is spared what it costs to give up the others.
func NewResources() *Resources {
	if runtime.GOMAXPROCS(0) > 1 {
		runtime.GOMAXPROCS(1)
	}
	r := &Resources{idle: time.AfterFunc(idleAfter, debug.FreeOSMemory)}
	r.idle.Stop()
	return r
}

// Grow lets the rest of the execution use all processors.
func (r *Resources) Grow() {
	if r != nil && !r.grown.Swap(true) {
		runtime.SetDefaultGOMAXPROCS()
	}
}

// begin prepares for an execution.
func (r *Resources) begin() {
	if r != nil {
		r.idle.Stop()
	}
}

// end releases what an execution has taken.
func (r *Resources) end() {
	if r == nil {
		return
	}
	if r.grown.Swap(false) {
		runtime.GOMAXPROCS(1)
		held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(held)
		if held[0].Value.Uint64()-held[1].Value.Uint64() > keptMemory {
			debug.FreeOSMemory()
		}
	}
	r.idle.Reset(idleAfter)
}
