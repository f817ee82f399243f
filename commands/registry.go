package commands

import "slices"

// Registry finds commands by their names.
type Registry struct {
	entries []entry // in the order of the documentation
	byName  map[string]func() Command
}

// entry names a command beside the function that declares it: a declaration is made when it is asked for,
// because an execution needs one of them.
type entry struct {
	name    string
	declare func() Command
}

// NewRegistry makes the registry of all commands.
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

// Find gives the command of a name.
func (r *Registry) Find(name string) (Command, bool) {
	declare, known := r.byName[name]
	if !known {
		return Command{}, false
	}
	return declare(), true
}

// All gives all commands in the order of the documentation.
func (r *Registry) All() []Command {
	all := make([]Command, len(r.entries))
	for i, one := range r.entries {
		all[i] = one.declare()
	}
	return all
}
