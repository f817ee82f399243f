package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/warroom"
)

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	instance string // the file
	asJSON   bool
	where    storage
}

func (p *program) doctorCommand() *cobra.Command {
	var options doctorOptions
	command := &cobra.Command{
		Use: "doctor --instance FILE", Short: "Diagnose the connection of an instance", Args: cobra.NoArgs,
		Long: `Runs the checks of microsoft-atp-test, and shows all of them even if the sign-in or the API fails: the configuration,
name servers, proxies, certificates, the sign-in and its token, the API, permissions, clocks and rates. It signs in
again and makes one request to the API, which reads one alert.

FILE is a JSON object of instance parameters, or {"name": "...", "params": {...}}. It shows no secret and no
part of a token.

The exit code is 0 if no check failed, 1 if one did, and 2 for a usage error.`,
		Example: `  xsoar-defender doctor --instance prod.json
  xsoar-defender doctor --instance prod.json --json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context(), options) },
	}
	flags := command.Flags()
	instanceFlag(command, &options.instance)
	flags.BoolVar(&options.asJSON, "json", false, "write the checks as one JSON document")
	options.where.stateFlag(command)
	return command
}

func (p *program) doctor(ctx context.Context, options doctorOptions) error {
	of, host, err := p.open(options.instance, options.where)
	if err != nil {
		return err
	}
	found, err := p.runner().Diagnose(ctx, execution.Request{Params: of.params, Instance: of.name, Brand: commands.Brand}, host)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // an interrupted diagnosis means nothing
	}
	if err != nil {
		return failed(err)
	}
	if options.asJSON {
		if err := p.writeDocument(found.JSON()); err != nil {
			return failed(fmt.Errorf("writing the checks: %w", err))
		}
	} else {
		entry := commands.DiagnosisEntry(found)
		entry.Kind = warroom.Note // the results say how bad it is
		p.screen("").entry(entry)
	}
	if found.Failed() {
		return &exitError{code: exitFailed}
	}
	return nil
}
