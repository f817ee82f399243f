package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// doctorOptions are the flags of doctor.
type doctorOptions struct {
	instance string // a name, a file, or "-"
	asJSON   bool
	debug    bool
	where    storage
}

func (p *program) doctorCommand() *cobra.Command {
	var options doctorOptions
	command := &cobra.Command{
		Use: "doctor", Short: "Diagnose the connection of an instance", Args: noArgs, GroupID: groupInstance,
		Long: `Runs the checks of microsoft-atp-test, and shows all of them even if the sign-in or the API fails: the configuration,
name servers, proxies, certificates, the sign-in and its token, the API, permissions, clocks and rates. It signs in
again and reads one alert from the API, or one incident if the instance fetches Defender XDR incidents. The verdict is
the last line.

No secret and no part of a token is shown. The output of --json can be attached to a problem report.

The exit code is 0 if no check failed, 1 if one did, and 2 for a usage error or an instance that is not usable.`,
		Example: `  xsoar-defender doctor --instance prod
  xsoar-defender doctor --instance prod.json --json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context(), options) },
	}
	flags := command.Flags()
	p.instanceFlag(command, &options.instance)
	flags.BoolVar(&options.asJSON, "json", false, "write the checks as one JSON document")
	flags.BoolVar(&options.debug, "debug", false, "log every request on the standard error")
	options.where.stateFlag(command)
	return command
}

func (p *program) doctor(ctx context.Context, options doctorOptions) error {
	of, host, err := p.open(options.instance, options.where)
	if err != nil {
		return err
	}
	request := of.request("", nil)
	request.Debug = options.debug
	found, err := p.runner().Diagnose(ctx, request, host)
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
		p.showDiagnosis(found)
	}
	if _, err := params.Decode(of.params, p.Getenv); err != nil {
		return &exitError{code: exitUsage}
	}
	if found.Failed() {
		return &exitError{code: exitFailed}
	}
	return nil
}

// showDiagnosis shows every check as a line or a few, what else the entry of the War Room says, and the verdict at
// the end, where a terminal shows it without scrolling.
func (p *program) showDiagnosis(found *diagnosis.Diagnosis) {
	screen := p.screen("")
	screen.width = p.readingWidth()
	longestResult, longestCheck := 0, 0
	for _, check := range found.Checks {
		longestResult = max(longestResult, len(check.Result))
		longestCheck = max(longestCheck, len(check.Check))
	}
	for _, check := range found.Checks {
		head := fmt.Sprintf("%-*s  %-*s  ", longestCheck, check.Check, longestResult, check.Result)
		shown := wrapHanging(warroom.Visible(head), warroom.Visible(check.Found), screen.width)
		if colour := stateColour(string(check.Result)); screen.styled && colour != text.Reset {
			at := longestCheck + columnGap
			shown = shown[:at] + text.Escape(string(check.Result), colour.EscapeSeq()) + shown[at+len(check.Result):]
		}
		screen.line(shown)
		if check.Remedy != "" {
			screen.line(wrapHanging(strings.Repeat(" ", longestCheck+columnGap)+"To do: ", warroom.Visible(check.Remedy), screen.width))
		}
	}
	// What follows the heading, the verdict and the table of checks.
	for _, block := range commands.DiagnosisEntry(found).Blocks {
		switch shown := block.(type) {
		case warroom.Paragraph:
			if string(shown) != found.Verdict {
				screen.line("")
				screen.block(shown)
			}
		case warroom.Table:
			if shown.Title != "Checks" && len(shown.Records.Rows) > 0 {
				screen.line("")
				screen.block(shown)
			}
		}
	}
	screen.line("")
	screen.paragraph(found.Verdict)
	screen.line(screen.strong(lastWord(found)))
}

// lastWord says in a few words how a diagnosis ended.
func lastWord(found *diagnosis.Diagnosis) string {
	warnings := 0
	for _, check := range found.Checks {
		switch check.Result {
		case diagnosis.Failed:
			return "Verdict: does not work. Start with: " + check.Check
		case diagnosis.Warning:
			warnings++
		}
	}
	if warnings > 0 {
		return "Verdict: works, with " + counted(warnings, "warning")
	}
	return "Verdict: works"
}
