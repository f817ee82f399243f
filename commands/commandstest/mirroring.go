package commandstest

import (
	"context"

	"xsoar-defender/commands"
	"xsoar-defender/internal/mirroring"
)

// Another returns another process of the same instance on the same platform: what is in memory is its own.
func (i *Instance) Another() *Instance {
	other, runner := *i, *i.runner
	runner.Mirrored = &commands.MirrorMemories{}
	other.runner = &runner
	return &other
}

// Execute runs a command for a mirroring.Server.
func (i *Instance) Execute(ctx context.Context, command string, args map[string]any) ([]mirroring.Entry, error) {
	result := i.Run(command, args)
	if result.Err != nil {
		return nil, result.Err
	}
	entries := mirroring.Read(result.Entries)
	if result.Commit != nil {
		return entries, result.Commit(ctx)
	}
	return entries, nil
}
