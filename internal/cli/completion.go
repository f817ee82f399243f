package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// shells lists the shells that have a completion script.
func shells() []string { return []string{"bash", "fish", "powershell", "zsh"} }

// completionCommand replaces the one of cobra, whose scripts ignore the words behind the cursor.
func (p *program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Write the completion script of a shell", GroupID: groupSelf,
		Long: `Writes the completion script of a shell: bash, fish, powershell or zsh.

Completes commands, arguments and their values. Arguments that hold machines are completed from the tenant, within
two seconds, if --instance is given: an ID by its own beginning or by that of the machine's name.`,
		Example: `  source <(xsoar-defender completion bash)
  xsoar-defender completion zsh > "${fpath[1]}/_xsoar-defender"
  xsoar-defender completion fish > ~/.config/fish/completions/xsoar-defender.fish`,
		Args: knownShell, ValidArgs: shells(),
		RunE: func(cmd *cobra.Command, args []string) error {
			script, err := Completion(cmd.Root(), args[0])
			if err != nil {
				return failed(err)
			}
			_, err = p.Out.Write(script)
			return err
		},
	}
}

// knownShell accepts one shell that has a completion script.
func knownShell(command *cobra.Command, args []string) error {
	if err := between(1, 1, "the name of a shell: "+strings.Join(shells(), ", "))(command, args); err != nil {
		return err
	}
	if !slices.Contains(shells(), args[0]) {
		return usage("there is no completion script for %q; the shells are %s", args[0], strings.Join(shells(), ", "))
	}
	return nil
}

// Completion returns the completion script of a shell: bash, fish, powershell or zsh.
func Completion(root *cobra.Command, shell string) ([]byte, error) {
	var script bytes.Buffer
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&script, true)
	case "fish":
		err = root.GenFishCompletion(&script, true)
	case "powershell":
		err = root.GenPowerShellCompletionWithDesc(&script)
	case "zsh":
		err = root.GenZshCompletion(&script)
	default:
		err = fmt.Errorf("there is no completion script for %q", shell)
	}
	if err != nil {
		return nil, fmt.Errorf("making the completion script: %w", err)
	}
	text := script.String()
	for _, change := range scriptChanges(shell) {
		if strings.Count(text, change.from) != 1 {
			return nil, fmt.Errorf("the completion script of %s has changed: there is no %q", shell, change.from)
		}
		text = strings.Replace(text, change.from, change.to, 1)
	}
	return []byte(text), nil
}

// scriptChange replaces a part of a script of cobra.
type scriptChange struct{ from, to string }

// scriptChanges make the scripts of cobra safe, and let them complete NAME=VALUE. Only plain words of the line reach the
// program: the shell reads them again, and would run a substitution among them, wherever it is. The words behind the
// cursor count as well for a value, since --instance mostly follows. And the program says which values match, so that the
// name of a machine can become its ID. bash does not need the package bash-completion.
func scriptChanges(shell string) []scriptChange {
	switch shell {
	case "bash":
		return []scriptChange{
			{
				`    _get_comp_words_by_ref "$@" cur prev words cword
`,
				`    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    # Without the package bash-completion: bash cuts words at = and :, so what has no space between is joined again.
    local rest=$COMP_LINE word i
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == 0)) || [[ -z $word || $rest == [[:space:]]* ]]; then
            words+=("$word")
        else
            words[${#words[@]}-1]+=$word
        fi
        ((i == COMP_CWORD)) && cword=$((${#words[@]} - 1))
        rest=${rest#"${rest%%[![:space:]]*}"}
        rest=${rest#"$word"}
    done
    cur=${words[cword]}
    prev=
    ((cword > 0)) && prev=${words[cword-1]}
    return 0
`,
			},
			{
				`    words=("${words[@]:0:$cword+1}")`,
				`    local -a before=("${words[0]}") behind=()
    local plain='^[[:alnum:]_./~:@%+,=-]+$' i
    [[ ${words[0]} =~ $plain && ( -z ${words[cword]} || ${words[cword]} =~ $plain ) ]] || return
    for ((i = 1; i < cword; i++)); do
        [[ ${words[i]} =~ $plain ]] && before+=("${words[i]}")
    done
    if [[ $cur == *=* ]]; then
        for ((i = cword + 1; i < ${#words[@]}; i++)); do
            [[ ${words[i]} =~ $plain ]] || break
            behind+=("${words[i]}")
        done
    fi
    words=("${before[@]}" "${behind[@]}" "${words[$cword]}")
    cword=$((${#words[@]} - 1))`,
			},
			{
				`        [[ $comp == "$cur"* ]] || continue`,
				`        [[ $comp == "$cur"* || ( $cur == *=* && $comp == "${cur%%=*}="* ) ]] || continue`,
			},
			{
				`    __xsoar-defender_handle_special_char "$cur" =
`,
				`    __xsoar-defender_handle_special_char "$cur" =

    # A comma needs no escape, with which the word would not be completed further.
    COMPREPLY=("${COMPREPLY[@]//\\,/,}")

    # What several machines that were found by their names have in common may be less than what was typed, which would be lost:
    # with a blank among them they have nothing in common, and bash inserts nothing.
    if [[ $cur == *=* && $COMP_TYPE != 37 && $COMP_TYPE != 42 ]] && ((${#COMPREPLY[@]} > 1)); then
        local typed=$cur common=${COMPREPLY[0]} one
        [[ $COMP_WORDBREAKS == *:* ]] && typed=${typed##*:}
        [[ $COMP_WORDBREAKS == *=* ]] && typed=${typed##*=}
        for one in "${COMPREPLY[@]}"; do
            while [[ $one != "$common"* ]]; do common=${common%?}; done
        done
        ((${#common} > 0 && ${#common} < ${#typed})) && COMPREPLY+=(' ')
    fi
`,
			},
		}
	case "zsh":
		return []scriptChange{
			{
				`    words=("${=words[1,CURRENT]}")`,
				`    local -a before behind
    local plain='^[A-Za-z0-9_./~:@%+,=-]*$' word matchAll=
    [[ "${words[1]}" =~ $plain && "${words[CURRENT]}" =~ $plain ]] || return 1
    for word in "${(@)words[2,CURRENT-1]}"; do
        [[ -n "$word" && "$word" =~ $plain ]] && before+=("$word")
    done
    if [[ ${words[CURRENT]} == *=* ]]; then
        for word in "${(@)words[CURRENT+1,-1]}"; do
            [[ -n "$word" && "$word" =~ $plain ]] || break
            behind+=("$word")
        done
        matchAll=-U
    fi
    words=("${words[1]}" "${before[@]}" "${behind[@]}" "${words[CURRENT]}")`,
			},
			{
				`        if eval _describe $keepOrder "completions" completions $flagPrefix $noSpace; then`,
				`        if eval _describe $keepOrder "completions" completions $flagPrefix $noSpace $matchAll; then`,
			},
			{
				`            __xsoar-defender_debug "_describe found some completions"
`,
				`            __xsoar-defender_debug "_describe found some completions"
            # What several machines that were found by their names have in common is less than what was typed, which would be
            # lost: they are listed, and the word stays.
            if [[ -n $matchAll && ${compstate[insert]} == *unambiguous && ${compstate[nmatches]} -gt 1 &&
                    ${(L)compstate[unambiguous]} != ${(L)lastParam}* ]]; then
                compstate[insert]= compstate[list]='list force'
            fi
`,
			},
		}
	case "powershell":
		return []scriptChange{{
			`    $Command = $CommandAst.CommandElements
`,
			`    # The line is read again below, which would run a substitution in it.
    if ($CommandAst.Extent.Text -match '[$;|&<>(){}` + "`" + `]') { return }
    $Command = $CommandAst.CommandElements
`,
		}}
	case "fish":
		return []scriptChange{
			{
				`    set -l args (commandline -opc)
`,
				`    # What is typed goes to the program as text: fish is going to read it again.
    set -l args (string escape -- (commandline -opc))
`,
			},
			{
				`    for comp in $comps
        printf "%s%s\n" "$flagPrefix" "$comp"
    end
`,
				`    # The program finds machines by their names, where fish shows only what begins as the word does: one machine
    # replaces the word, and of several the names are shown.
    set -l typed (commandline -ct)
    if string match -q -- '*=*' $typed; and test (count $comps) -gt 0; and not string match -q -- "$typed*" $comps
        if test (count $comps) -eq 1
            commandline -rt -- (string split -m 1 \t -- $comps)[1]
        else
            set -l before (string match -r -- '^[^=]*=(?:.*,)?' $typed)[1]
            set comps (string replace -r -- '^[^\t]*[=,]([^=,\t]*)\t([^,]*).*$' "$before\$2\t\$1" $comps)
        end
    end
    for comp in $comps
        printf "%s%s\n" "$flagPrefix" "$comp"
    end
`,
			},
		}
	}
	return nil
}

// completeCommand completes the name of a War Room command.
func completeCommand(registry *commands.Registry) ([]cobra.Completion, cobra.ShellCompDirective) {
	var completions []cobra.Completion
	for _, command := range registry.All() {
		completions = append(completions, cobra.CompletionWithDesc(command.Name, command.Help))
	}
	return completions, cobra.ShellCompDirectiveNoFileComp
}

// completeArgument completes an argument of a command: its name, and then the values that it accepts, for a list
// one after another. Those that are machines come from find, by their beginning.
func completeArgument(command commands.Command, given []string, typed string, find func(beginning string) []rawjson.Value) ([]cobra.Completion, cobra.ShellCompDirective) {
	name, value, valued := strings.Cut(typed, "=")
	var completions []cobra.Completion
	for _, argument := range command.Arguments() {
		taken := slices.ContainsFunc(given, func(pair string) bool { return strings.HasPrefix(pair, argument.Name+"=") })
		switch {
		case valued && argument.Name == name:
			return completeValue(argument, value, find), cobra.ShellCompDirectiveNoFileComp
		case !valued && !argument.Hidden && !argument.Deprecated && !taken:
			completions = append(completions, cobra.CompletionWithDesc(argument.Name+"=", argument.Help))
		}
	}
	return completions, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeFlag has completion offer the values of a flag.
func completeFlag(command *cobra.Command, flag string, values []string) {
	if err := command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only if there is no such flag
	}
}

func completeValue(argument commands.Argument, typed string, find func(beginning string) []rawjson.Value) []cobra.Completion {
	before := ""
	if comma := strings.LastIndex(typed, ","); argument.Many && comma >= 0 {
		before, typed = typed[:comma+1], typed[comma+1:]
	}
	var completions []cobra.Completion
	for _, value := range argument.Values {
		listed := slices.ContainsFunc(strings.Split(before, ","), func(one string) bool { return strings.EqualFold(one, value) })
		if strings.HasPrefix(strings.ToLower(value), strings.ToLower(typed)) && !listed {
			completions = append(completions, argument.Name+"="+before+value)
		}
	}
	if argument.Holds == "" {
		return completions
	}
	machines := find(typed)
	slices.SortStableFunc(machines, func(a, b rawjson.Value) int { return cmp.Compare(a.Text("computerDnsName"), b.Text("computerDnsName")) })
	for _, machine := range machines {
		if one := completeMachine(argument.Holds, machine); one != "" && !slices.Contains(strings.Split(before, ","), machine.Text(machineKey(argument.Holds))) {
			completions = append(completions, argument.Name+"="+before+one)
		}
	}
	return completions
}

// machineKey is the key of a machine that an argument holds.
func machineKey(held commands.Held) string {
	if held == commands.MachineNames {
		return "computerDnsName"
	}
	return "id"
}

// completeMachine is a machine as a completion, with other details that tell it apart; it is empty when the machine has
// no such value.
func completeMachine(held commands.Held, machine rawjson.Value) string {
	value := machine.Text(machineKey(held))
	if value == "" || strings.ContainsAny(value, " \t\n") || warroom.Visible(value) != value {
		return ""
	}
	var told []string
	for _, key := range []string{"computerDnsName", "osPlatform", "healthStatus"} {
		if text := machine.Text(key); text != "" && key != machineKey(held) {
			told = append(told, strings.Join(strings.Fields(warroom.Visible(text)), " "))
		}
	}
	return cobra.CompletionWithDesc(value, strings.Join(told, ", "))
}

// usualCompletionTime is how long a completion may take to look up machines: the user waits for it.
const usualCompletionTime = 2 * time.Second

// errNoPatience ends a completion that would have to wait.
var errNoPatience = errors.New("nobody waits for a completion")

// machines finds machines of an instance, for a completion. Without an instance, and when something fails, there are
// none: a line that is being typed is not a place for an error.
func (p *program) machines(ctx context.Context, options runOptions, beginning string) []rawjson.Value {
	if options.instance == "" {
		return nil
	}
	quiet := *p
	quiet.Errors = io.Discard
	of, host, err := quiet.open(options.instance, options.where)
	if err != nil {
		return nil
	}
	return quiet.machinesOf(ctx, of, host, beginning)
}

// machinesOf finds machines of an instance by the beginning of their name or ID, or none where that takes too long.
func (p *program) machinesOf(ctx context.Context, of instance, host *local.Host, beginning string) []rawjson.Value {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.CompletionTime, usualCompletionTime))
	defer cancel()
	runner := p.runner()
	runner.Sleep = func(context.Context, time.Duration) error { return errNoPatience }
	found, err := runner.Machines(ctx, of.request("", nil), host, beginning)
	if err != nil {
		return nil
	}
	return found.Items
}
