package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"xsoar-defender/execution"
	"xsoar-defender/platform"
	"xsoar-defender/warroom"
)

func (p *program) execCommand() *cobra.Command {
	var where storage
	command := &cobra.Command{
		Use: "exec", Short: "Run one execution object from the standard input", Args: noArgs, GroupID: groupPlatform,
		Long: `Reads one execution, the JSON object that the platform sends, from the standard input, and writes one JSON
document to the standard output: {"results": [ENTRY, ...]}, with the entries that the platform would get.

The state file keeps what the platform would keep for the instance, under its name in the execution.

The exit code is 0 on success, 1 if there is an error entry, and 2 if the execution is malformed.`,
		Example: `  xsoar-defender exec < execution.json`,
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.exec(cmd.Context(), where) },
	}
	where.flags(command)
	return command
}

func (p *program) exec(ctx context.Context, where storage) error {
	text, err := io.ReadAll(io.LimitReader(p.In, platform.MaxLine+1))
	if err != nil {
		return failed(fmt.Errorf("reading the execution: %w", err))
	}
	if len(text) > platform.MaxLine {
		return p.refuse(errors.New("the execution is longer than 64 MiB"))
	}
	request, _, err := platform.DecodeExecution(string(text))
	if err != nil {
		return p.refuse(err)
	}
	host, err := p.host(where, instance{name: request.Instance, identity: request.Instance, params: request.Params})
	if err != nil {
		return err
	}
	result := p.runner().Run(ctx, request, host)
	if err := keepFiles(host, result.Entries); err != nil {
		result.Err = errors.Join(result.Err, err)
	}
	if err := platform.EncodeResults(p.Out, result); err != nil {
		return failed(fmt.Errorf("writing the results: %w", err))
	}
	if result.Commit != nil && result.Err == nil {
		// As on the platform: what was not written out is fetched again.
		if err := result.Commit(ctx); err != nil {
			return failed(fmt.Errorf("saving the progress: %w", err))
		}
	}
	if err := failureOf(result); err != nil {
		return &exitError{code: exitFailed}
	}
	return nil
}

// refuse answers a malformed execution.
func (p *program) refuse(reason error) error {
	if err := platform.EncodeResults(p.Out, execution.Failed(reason)); err != nil {
		return failed(fmt.Errorf("writing the results: %w", err))
	}
	return &exitError{code: exitUsage}
}

// failureOf returns everything that failed in a result: its error and its error entries.
func failureOf(result execution.Result) error {
	errs := []error{result.Err}
	for _, entry := range result.Entries {
		if entry.Kind == warroom.Failure {
			errs = append(errs, errors.New(warroom.Plain(entry.Blocks)))
		}
	}
	return errors.Join(errs...)
}
