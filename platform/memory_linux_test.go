package platform

import (
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
