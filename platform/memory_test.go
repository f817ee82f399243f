package platform

import (
	"runtime"
	"testing"
)

// TestOneProcessorUntilAnAnswerIsLarge follows what the process takes over two executions.
func TestOneProcessorUntilAnAnswerIsLarge(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	r := NewResources()
	t.Cleanup(func() { r.idle.Stop() })
	look := func(when string, want int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("got %d processors %s, want %d", got, when, want)
		}
	}
	look("at the start", 1)
	r.begin()
	r.Grow()
	r.Grow()
	look("with a large answer", before)
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
	r.Grow()
	r.end()
	if got := runtime.GOMAXPROCS(0); got != before {
		t.Errorf("got %d processors, want %d", got, before)
	}
}
