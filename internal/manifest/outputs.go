package manifest

import (
	"cmp"

	"xsoar-defender/commands"
	"xsoar-defender/warroom"
)

// outputsOf are the context paths of a command, each once, in the order of the declaration: two outputs of a
// command can fill the same path.
func outputsOf(declared commands.Command) []commands.Declared {
	var paths []commands.Declared
	seen := map[string]bool{}
	for _, one := range declared.Outputs {
		for _, path := range one.Declared() {
			if seen[path.Path] {
				continue
			}
			seen[path.Path] = true
			path.Type = cmp.Or(path.Type, warroom.Unknown)
			paths = append(paths, path)
		}
	}
	return paths
}
