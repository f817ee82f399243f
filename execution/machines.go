package execution

import (
	"context"
	"strings"

	"xsoar-defender/commands"
	"xsoar-defender/defender"
)

// Machines finds machines whose names begin with a text or else those whose IDs do. Of the request only the
// parameters of the instance count. It returns at most mostMachines, in no order, for the completion of what a user types.
func (r *Runner) Machines(ctx context.Context, request Request, host commands.Host, beginning string) (defender.List, error) {
	instance, err := r.Decoded.decode(request.Params, r.Getenv)
	if err != nil {
		return defender.List{}, err
	}
	run := r.prepare(request, instance, newContextReads(host, r.Now), r.Limits)
	// The service spells names of machines in lower case.
	beginning = strings.ToLower(beginning)
	query := defender.Query{Limit: mostMachines}
	if beginning != "" {
		query.Filter = defender.StartsWith("computerDnsName", beginning)
	}
	found, err := run.API.Machines(ctx, query)
	if err != nil || beginning == "" || len(found.Items) > 0 || strings.Trim(beginning, "0123456789abcdef") != "" {
		return found, err
	}
	query.Filter = defender.Filter{}
	all, err := run.API.Machines(ctx, query)
	for _, machine := range all.Items {
		if strings.HasPrefix(machine.Text("id"), beginning) {
			found.Items = append(found.Items, machine)
		}
	}
	return found, err
}

// mostMachines is more than anybody picks one from.
const mostMachines = 1000
