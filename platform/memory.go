package platform

import (
	"io/fs"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// keptMemory is how much memory a process may keep after a large execution, in bytes. Beyond it, all that is free goes back
	// to the system at once: the process may be idle for hours, next to hundreds of others. Lists of 10,000 machines, the most
	// that the service sends in one answer, settle at 31 MB: without it, the system clears 11 MB for each, a fourteenth of its
	// time.
	keptMemory = 36 << 20
	// idleAfter is how long a process waits for another execution before it returns all free memory to the system. Doing so with
	// every execution would cost more than most of them do.
	idleAfter = time.Minute
	// grownProcessors is how many processors an execution with a large answer may use. More would not help it, and a container
	// with a small share of a large machine would use it up at once.
	grownProcessors = 2
)

// LimitMemory has the process collect memory before it uses more than the limit of its container, and returns the limit in
// bytes; 0 if there is none.
func LimitMemory(system fs.FS) int64 {
	limit := memoryLimit(system)
	if limit > 0 {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
	return limit
}

// Resources limits what the process takes of the machine: one processor, because a small command is a chain of waits in which
// several only hand over to each other, and two for an execution with a large answer, of which one collects memory. Make it
// with NewResources. The methods of a nil *Resources that prepare for an execution and end it do nothing.
type Resources struct {
	memory func() int64
	grown  atomic.Bool
	idle   *time.Timer // nil until an execution has ended: before, a timer would only wake up a thread
}

// NewResources limits the process to one processor, and returns what lifts the limit. A process that begins with one, as
// those of the image do, is spared what it costs to give up the others. How much memory the process may use, memory is asked
// for a large answer only: reading it takes a fiftieth of the time in which a process starts and answers.
func NewResources(memory func() int64) *Resources {
	if runtime.GOMAXPROCS(0) > 1 {
		runtime.GOMAXPROCS(1)
	}
	return &Resources{memory: memory}
}

// Grow lets the rest of the execution use a second processor, and returns how much memory the process may use in bytes; 0 if
// that is not limited.
func (r *Resources) Grow() int64 {
	if !r.grown.Swap(true) {
		runtime.GOMAXPROCS(min(runtime.NumCPU(), grownProcessors))
	}
	return r.memory()
}

// begin prepares for an execution.
func (r *Resources) begin() {
	if r != nil && r.idle != nil {
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
		var held runtime.MemStats // runtime/metrics would have every process sort its list when it starts
		runtime.ReadMemStats(&held)
		if held.Sys-held.HeapReleased > keptMemory {
			debug.FreeOSMemory()
		}
	}
	if r.idle == nil {
		r.idle = time.AfterFunc(idleAfter, debug.FreeOSMemory)
		return
	}
	r.idle.Reset(idleAfter)
}
