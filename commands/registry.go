package commands

import "slices"

// Registry finds commands by their names.
type Registry struct {
	entries []entry // in the order of the documentation
	byName  map[string]func() Command
}

// entry pairs a command's name with the function that declares it. A declaration is made on demand, because an
// execution needs only one.
type entry struct {
	name    string
	declare func() Command
}

// NewRegistry returns the registry of all commands.
func NewRegistry() *Registry {
	entries := areas()
	registry := &Registry{entries: entries, byName: make(map[string]func() Command, len(entries))}
	for _, one := range entries {
		registry.byName[one.name] = one.declare
	}
	return registry
}

// areas joins the lists of the area files.
func areas() []entry {
	return slices.Concat(
		connectionCommands(),
		machineCommands(),
		machineActionCommands(),
		liveResponseCommands(),
		alertCommands(),
		entityCommands(),
		indicatorCommands(),
		oldIndicatorCommands(),
		investigationCommands(),
		huntingCommands(),
		softwareCommands(),
		fetchCommands(),
	)
}

// Find returns the command with the given name.
func (r *Registry) Find(name string) (Command, bool) {
	declare, known := r.byName[name]
	if !known {
		return Command{}, false
	}
	return declare(), true
}

// All returns all commands in the order of the documentation.
func (r *Registry) All() []Command {
	all := make([]Command, len(r.entries))
	for i, one := range r.entries {
		all[i] = one.declare()
	}
	return all
}
