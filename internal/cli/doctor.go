package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// doctorOptions is what a call of doctor asks for.
type doctorOptions struct {
	instance string // the file
	asJSON   bool
	where    storage
}

func (p *program) doctorCommand() *cobra.Command {
	var options doctorOptions
	command := &cobra.Command{
		Use: "doctor --instance FILE", Short: "Say what is wrong with the connection of an instance", Args: cobra.NoArgs,
		Long: `Does what microsoft-atp-test does in the War Room, and shows every check of it also when the sign-in or the API
fails: the configuration, name servers, proxies, certificates, the sign-in and its token, the API, permissions,
clocks and rates. It signs in anew and makes one request to the API, which reads one alert.

FILE is a JSON object of instance parameters, or {"name": "...", "params": {...}}. No secret and no part of a token
is shown.

The exit code is 0 when all is well or there are warnings, 1 when a check failed, and 2 when the program was called
wrongly.`,
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
	diagnosis, err := diagnosisOf(p.runner().Run(ctx, execution.Request{
		Command: execution.DiagnosisCommand, Params: of.params, Instance: of.name, Brand: brand,
	}, host))
	if cause := context.Cause(ctx); cause != nil {
		err = cause // nothing that was found then means anything
	}
	if err != nil {
		return failed(err)
	}
	if options.asJSON {
		if err := p.writeDocument(diagnosis.JSON()); err != nil {
			return failed(fmt.Errorf("writing the checks: %w", err))
		}
	} else {
		entry := diagnosis.Entry()
		entry.Kind = warroom.Note // the results say how bad it is
		p.screen("").entry(entry)
	}
	if diagnosis.Failed() {
		return &exitError{code: exitFailed}
	}
	return nil
}

// diagnosisOf gives what an execution has found about the connection. The error is of one that found nothing.
func diagnosisOf(result execution.Result) (*commands.Diagnosis, error) {
	if result.Diagnosis != nil {
		return result.Diagnosis, nil
	}
	if problems, ok := errors.AsType[*params.Problems](result.Err); ok {
		return commands.DiagnoseConfiguration(problems), nil
	}
	return nil, result.Err
}
