package platform

import (
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestMemoryLimitIsThatOfTheContainer(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, test := range map[string]struct {
		system fstest.MapFS
		want   int64
	}{
		"a container":                 {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("67108864\n")}, 64 << 20},
		"a container without a limit": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
		"a group with a limit above it": {fstest.MapFS{
			"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("max\n"), "sys/fs/cgroup/a/memory.max": file("134217728\n"),
		}, 128 << 20},
		"the least of several": {fstest.MapFS{
			"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("268435456\n"), "sys/fs/cgroup/a/memory.max": file("536870912\n"),
		}, 256 << 20},
		"a group with a colon in its name": {fstest.MapFS{"proc/self/cgroup": file("0::/a:b\n"), "sys/fs/cgroup/a:b/memory.max": file("67108864\n")}, 64 << 20},
		"version 1": {fstest.MapFS{
			"proc/self/cgroup": file("3:cpu,cpuacct:/x\n2:memory:/docker/1\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("67108864\n"),
		}, 64 << 20},
		"version 1 without a limit": {fstest.MapFS{"proc/self/cgroup": file("2:memory:/\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n")}, 0},
		"no control groups":         {fstest.MapFS{}, 0},
		"nonsense":                  {fstest.MapFS{"proc/self/cgroup": file("0:\n::\n"), "sys/fs/cgroup/memory.max": file("much\n")}, 0},
	} {
		if got := memoryLimit(test.system); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

// TestMemoryIsCollectedBeforeTheContainerIsFull looks at the limit of the process, which is far above what tests take.
func TestMemoryIsCollectedBeforeTheContainerIsFull(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	limited := func(text string) fstest.MapFS {
		return fstest.MapFS{"proc/self/cgroup": {Data: []byte("0::/\n")}, "sys/fs/cgroup/memory.max": {Data: []byte(text)}}
	}
	if got := LimitMemory(limited("max\n")); got != 0 || debug.SetMemoryLimit(-1) != before {
		t.Errorf("without a limit: got %d, and %d for the process, want neither", got, debug.SetMemoryLimit(-1))
	}
	if got, want := LimitMemory(limited("10000000000\n")), int64(9_000_000_000); got != 10_000_000_000 || debug.SetMemoryLimit(-1) != want {
		t.Errorf("got %d, and %d for the process, want %d", got, debug.SetMemoryLimit(-1), want)
	}
}
