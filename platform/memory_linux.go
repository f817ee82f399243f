package platform

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// memoryLimit returns how much memory the process may use in bytes, as its control group or one above it says, or 0 if none
// does. system is the root of the file system.
//
// Version 2 of control groups is described at https://docs.kernel.org/admin-guide/cgroup-v2.html, version 1 at
// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html.
func memoryLimit(system fs.FS) int64 {
	groups, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	look := func(folder, group, file string) {
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			text, err := fs.ReadFile(system, path.Join(folder, group, file))
			limit, wrong := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // it is a word where there is no limit
			if err == nil && wrong == nil && limit < noLimit && (least == 0 || limit < least) {
				least = limit
			}
			if group == "/" {
				return
			}
		}
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // a number, controllers, the group
		switch {
		case len(parts) != 3:
		case parts[1] == "":
			look("sys/fs/cgroup", parts[2], "memory.max")
		case parts[1] == "memory":
			look("sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
	}
	return least
}

// noLimit is from how many bytes on version 1 means that there is no limit: it then says the largest number of pages.
const noLimit = 1 << 60
