package commands

import (
	"slices"
	"sync"
)

// Registry finds commands by their names. It is safe for concurrent use.
type Registry struct {
	declarations []func() Command // in the order of the documentation

	mu sync.Mutex
	// byName has the first declarations, up to the last one that was looked for. A command that was found is kept, for it will
	// be run again; of the others only how to declare them is, because a process needs few of them, and all of them together
	// would be half of what it allocates to start.
	byName map[string]func() Command
}

// NewRegistry returns the registry of all commands.
func NewRegistry() *Registry {
	return &Registry{declarations: areas(), byName: map[string]func() Command{}}
}

// areas joins the lists of the area files.
func areas() []func() Command {
	return slices.Concat(
		connectionCommands(),
		fetchCommands(),
		mirroringCommands(),
		machineCommands(),
		machineActionCommands(),
		liveResponseCommands(),
		alertCommands(),
		incidentCommands(),
		entityCommands(),
		indicatorCommands(),
		oldIndicatorCommands(),
		investigationCommands(),
		huntingCommands(),
		softwareCommands(),
		exposureCommands(),
		inventoryCommands(),
		libraryCommands(),
		bulkCommands(),
		exportCommands(),
	)
}

// Find returns the command with the given name.
func (r *Registry) Find(name string) (Command, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, declaration := range r.declarations[len(r.byName):] {
		if r.byName[name] != nil {
			break
		}
		r.byName[declaration().Name] = declaration
	}
	declaration, known := r.byName[name]
	if !known {
		return Command{}, false
	}
	command := declaration()
	r.byName[name] = func() Command { return command }
	return command, true
}

// All returns all commands in the order of the documentation.
func (r *Registry) All() []Command {
	all := make([]Command, len(r.declarations))
	for i, declaration := range r.declarations {
		all[i] = declaration()
	}
	return all
}
