package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/platform"
	"xsoar-defender/warroom"
)

// runOptions are the flags and arguments of run.
type runOptions struct {
	command   string
	arguments map[string]json.RawMessage
	instance  string // a name, a file, or "-"
	asJSON    bool
	asContext bool
	output    outputFormat
	columns   []string
	query     string
	noPager   bool
	debug     bool
	progress  progressMode
	where     storage
}

func (p *program) runCommand() *cobra.Command {
	var options runOptions
	command := &cobra.Command{
		Use: "run COMMAND [NAME=VALUE ...]", Short: "Run a War Room command", GroupID: groupWork,
		Long: `Runs a War Room command with an integration instance, and shows its entries. 'run COMMAND --help' describes the
command and its arguments.

Arguments are written as NAME=VALUE. The argument that 'run COMMAND --help' marks with "needs no name" can be given as
its value alone, as in 'run endpoint 10.0.0.1'. NAME=@FILE reads the value from a file, and NAME=@- from the standard
input; write @@ for a value that begins with @.

--instance takes the name of an instance that 'instances add' keeps, a file of instance parameters, or - for such a
file on the standard input. Without it, the instance is that of XSOAR_DEFENDER_INSTANCE, or else the default
instance.

A command that asks to be run again later, such as one that waits for a machine action, is run again until it is done.
The state file keeps what the platform would keep for the instance, such as its sign-in.

--output writes the rows of the tables as data: json, jsonl with an object per line, yaml or csv. --columns selects
and orders their columns, and --query takes a GJSON path into them, such as #.ID for every ID. --json writes the
entries as the platform would get them, and --context the context that a playbook would find: objects at a path with a
key part are merged if they match, and a path without one holds the newest value. --query works on these two as well.

The exit code is 0 on success, 1 if there is an error entry, 2 for a mistake that was found before any request,
and 130 after Ctrl-C.`,
		Example: `  xsoar-defender run microsoft-atp-get-machines os_platform=Windows11 --instance prod
  xsoar-defender run microsoft-atp-list-alerts severity=High,Medium --output csv
  xsoar-defender run microsoft-atp-get-machines risk_score=High --query '#.ComputerDNSName'
  xsoar-defender run microsoft-atp-get-machines --columns ID,ComputerDNSName,RiskScore
  xsoar-defender run microsoft-atp-advanced-hunting query=@hunt.kql --output jsonl`,
		Args: between(1, -1, "the name of a War Room command"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(exclusive(cmd, "json", "context", "output"), exclusive(cmd, "json", "context", "columns")); err != nil {
				return err
			}
			if err := p.parseRun(&options, args); err != nil {
				return err
			}
			return p.run(cmd.Context(), options)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			registry := commands.NewRegistry()
			if len(args) == 0 {
				return completeCommand(registry)
			}
			chosen, known := registry.Find(args[0])
			if !known {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completeArgument(chosen, args[1:], typed, func(beginning string) []rawjson.Value {
				return p.machines(cmd.Context(), options, beginning)
			})
		},
	}
	flags := command.Flags()
	p.instanceFlag(command, &options.instance)
	options.output.flag(command)
	flags.StringSliceVar(&options.columns, "columns", nil, "show only these `columns`, in this order, separated by commas")
	flags.StringVar(&options.query, "query", "", "write only what a GJSON `path` finds in the data")
	flags.BoolVar(&options.asJSON, "json", false, "write the entries as one JSON document")
	flags.BoolVar(&options.asContext, "context", false, "write the context that the entries leave, as one JSON document")
	flags.BoolVar(&options.noPager, "no-pager", false, "do not show a long output in a pager")
	options.progress.flag(command)
	flags.BoolVar(&options.debug, "debug", false, "log every request on the standard error")
	options.where.flags(command)
	return command
}

// parseRun reads the command and its arguments, and checks what can be checked before anything is asked.
func (p *program) parseRun(o *runOptions, args []string) error {
	command, err := findCommand(commands.NewRegistry(), args[0])
	if err != nil {
		return err
	}
	o.command = command.Name
	if o.arguments, err = parseArguments(command, args[1:], p.valueOf); err != nil {
		return err
	}
	return checkColumns(command, o.columns)
}

func (p *program) run(ctx context.Context, options runOptions) error {
	// From here on all output goes through the progress, so that its line is erased first.
	told, progress := p.withProgress(options.progress)
	defer progress.clear()
	of, host, err := told.open(options.instance, options.where)
	if err != nil {
		return err
	}
	s := newScheduler(told.progressRunner(progress), host, of, progress)
	s.debug = options.debug
	results := told.results(options)
	s.show = results.show
	failures := s.run(ctx, options.command, options.arguments)
	if err := results.end(); err != nil {
		return failed(err)
	}
	if err := s.commit(ctx); err != nil {
		return failed(err)
	}
	if ctx.Err() != nil {
		told.sayWhatContinues(s, options.instance)
	}
	return codeOf(failures)
}

// codeOf ends the program after failures that were shown: with exitUsage if they were found before anything was asked.
func codeOf(failures error) error {
	if failures == nil {
		return nil
	}
	if _, ok := errors.AsType[*params.Problems](failures); ok {
		return &exitError{code: exitUsage}
	}
	if _, ok := errors.AsType[*commands.ArgumentError](failures); ok {
		return &exitError{code: exitUsage}
	}
	return &exitError{code: exitFailed}
}

// sayWhatContinues names, after an interruption, the commands that look at the machine actions which continue in the tenant.
func (p *program) sayWhatContinues(s *scheduler, instance string) {
	if s.interrupted.Command == "" {
		return
	}
	fmt.Fprintln(p.Errors, "What was started continues.")
	var ids []string
	for _, name := range []string{"machine_action_id", "action_ids", "action_id"} {
		value := gjson.ParseBytes(s.interrupted.Args[name])
		if value.IsArray() {
			for _, id := range value.Array() {
				ids = append(ids, id.String())
			}
			continue
		}
		ids = append(ids, strings.FieldsFunc(value.String(), func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	if len(ids) == 0 {
		return
	}
	fmt.Fprintln(p.Errors, "Look at it later with:")
	for _, id := range ids {
		fmt.Fprintln(p.Errors, "  "+warroom.Visible(commandLine(instance, "run", commands.ActionsCommand, "id="+id)))
	}
}

// commandLine returns what to type for a command of this program with the same instance; "" is the default one.
func commandLine(instance string, words ...string) string {
	if instance != "" {
		words = append(words, "--instance", instance)
	}
	for i, word := range words {
		words[i] = shellQuoted(word)
	}
	return strings.Join(append([]string{programName}, words...), " ")
}

// shellQuoted quotes a word for a shell where it needs that.
func shellQuoted(word string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./:=,@%+", r))
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// results collects and shows the results of all runs of a command.
type results interface {
	// show receives the result of every run; end is called after the last one.
	show(result execution.Result)
	end() error
}

func (p *program) results(options runOptions) results {
	switch {
	case options.asJSON:
		return &jsonResults{program: p, query: options.query}
	case options.asContext:
		return &contextResults{program: p, query: options.query}
	case options.output != outputTable || options.query != "":
		return &dataResults{program: p, options: options}
	}
	// The entries of a command that waits are shown at once.
	command, _ := commands.NewRegistry().Find(options.command)
	paged := p.paged(options.noPager || command.Polls)
	screen := paged.screen(options.where.files)
	screen.columns, screen.compact = options.columns, true
	return &textResults{program: p, screen: screen, finish: paged.finish}
}

// textResults shows the entries of every run at once.
type textResults struct {
	*program

	screen screen
	finish func() error
}

func (r *textResults) show(result execution.Result) {
	r.screen.entries(result.Entries)
	r.sayError(result.Err)
}

func (r *textResults) end() error { return r.finish() }

// jsonResults collects the entries of all runs and writes them as one document at the end.
type jsonResults struct {
	*program

	query string
	all   execution.Result
}

func (r *jsonResults) show(result execution.Result) {
	r.all.Entries = append(r.all.Entries, result.Entries...)
	if result.Err != nil {
		r.all.Entries = append(r.all.Entries, warroom.Fail(result.Err.Error()))
	}
}

func (r *jsonResults) end() error {
	if r.query == "" {
		return platform.EncodeResults(&visibleJSON{to: r.Out}, r.all)
	}
	var document strings.Builder
	if err := platform.EncodeResults(&document, r.all); err != nil {
		return err
	}
	return r.writeQueried(document.String(), r.query)
}

// sayFailures shows what failed where entries are not shown.
func (p *program) sayFailures(result execution.Result) {
	for _, entry := range result.Entries {
		if entry.Kind == warroom.Failure {
			sayFailure(p.Errors, warroom.Plain(entry.Blocks))
		}
	}
	p.sayError(result.Err)
}

func (p *program) sayError(err error) {
	if err == nil {
		return
	}
	sayFailure(p.Errors, err.Error())
	// The remedy of the error is for the War Room; in a terminal a user logs in differently.
	if refused, ok := errors.AsType[*auth.Error](err); ok && refused.Code == auth.CodeLoginRequired {
		fmt.Fprintf(p.Errors, "In a terminal, %s login --instance NAME logs a user in.\n", programName)
	}
}

func sayFailure(to io.Writer, text string) {
	fmt.Fprintf(to, "%s: %s\n", programName, warroom.Visible(text))
}
