package commands

import (
	"slices"
	"sync"
)

// Registry finds commands by their names.
type Registry struct {
	declarations []func() Command // in the order of the documentation
	// byName is made when the first command is looked up. A declaration is made again whenever it is needed, because an
	// execution needs only one, and all of them together would stay in the memory of every process.
	byName func() map[string]func() Command
}

// NewRegistry returns the registry of all commands.
func NewRegistry() *Registry {
	declarations := areas()
	return &Registry{declarations: declarations, byName: sync.OnceValue(func() map[string]func() Command {
		byName := make(map[string]func() Command, len(declarations))
		for _, declaration := range declarations {
			byName[declaration().Name] = declaration
		}
		return byName
	})}
}

// areas joins the lists of the area files.
func areas() []func() Command {
	return slices.Concat(
		connectionCommands(),
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
		fetchCommands(),
		mirroringCommands(),
	)
}

// Find returns the command with the given name.
func (r *Registry) Find(name string) (Command, bool) {
	declaration, known := r.byName()[name]
	if !known {
		return Command{}, false
	}
	return declaration(), true
}

// All returns all commands in the order of the documentation.
func (r *Registry) All() []Command {
	all := make([]Command, len(r.declarations))
	for i, declaration := range r.declarations {
		all[i] = declaration()
	}
	return all
}
