package platform

import (
	"runtime"
	"testing"
)

// TestOneProcessorUntilAnAnswerIsLarge follows what the process takes over two executions.
func TestOneProcessorUntilAnAnswerIsLarge(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	r := NewResources(func() int64 { return 1 << 30 })
	t.Cleanup(r.begin)
	look := func(when string, want int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("got %d processors %s, want %d", got, when, want)
		}
	}
	look("at the start", 1)
	r.begin()
	for range 2 {
		if got := r.Grow(); got != 1<<30 {
			t.Errorf("got %d bytes of memory for a large answer, want those of the process", got)
		}
	}
	look("with a large answer", min(runtime.NumCPU(), 2))
	r.end()
	look("after it", 1)
	r.begin()
	look("in the next execution", 1)
	if r.idle.Stop() {
		t.Error("memory is given back during an execution")
	}
	r.end()
	if !r.idle.Stop() {
		t.Error("no memory is given back when the process stays idle")
	}
}

func TestWithoutResourcesNothingIsChanged(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	var r *Resources
	r.begin()
	r.end()
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("got %d processors, want %d", got, before)
	}
}
