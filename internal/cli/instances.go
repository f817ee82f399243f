package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func (p *program) instancesCommand() *cobra.Command {
	command := &cobra.Command{
		Use: "instances", Short: "Keep instances by name: add, list, show, remove, default", GroupID: groupInstance,
		Long: `Keeps integration instances by name, so that other commands take --instance NAME. An instance is a file in the folder
of the user's configuration, which only its owner may read.`,
		Example: `  xsoar-defender instances add prod self_deployed=true _auth_id=11111111-2222-3333-4444-555555555555 _tenant_id=contoso.onmicrosoft.com
  xsoar-defender instances list
  xsoar-defender instances default prod`,
		Args: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownBelow(command, args[0])
		},
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(p.addInstanceCommand(), p.listInstancesCommand(), p.showInstanceCommand(), p.removeInstanceCommand(), p.defaultInstanceCommand())
	return command
}

// addInstanceOptions are the flags of instances add.
type addInstanceOptions struct {
	from                 string
	secretFile, secretIn []string // KEY=FILE and KEY=VARIABLE
	replace, asDefault   bool
}

func (p *program) addInstanceCommand() *cobra.Command {
	var options addInstanceOptions
	command := &cobra.Command{
		Use: "add NAME [PARAMETER=VALUE ...]", Short: "Add an instance, or replace one",
		Long: `Adds an instance with the parameters that are given, by their names or their labels: docs/parameters.md lists them.
What the way to sign in needs and is missing is asked for on a terminal.

A secret is never an argument, which other users of the machine and the history of the shell would see. It comes from
a file with --secret-file, from an environment variable with --secret-env, from the standard input with
--secret-file PARAMETER=-, or from a prompt. --from copies all parameters from a file, or with - from the standard
input.`,
		Example: `  xsoar-defender instances add prod self_deployed=true _auth_id=11111111-2222-3333-4444-555555555555 _tenant_id=contoso.onmicrosoft.com
  xsoar-defender instances add prod --from prod.json --replace
  xsoar-defender instances add ci self_deployed=true _auth_id=ID _tenant_id=contoso.onmicrosoft.com --secret-env credentials=CLIENT_SECRET`,
		Args: between(1, -1, "a name for the instance"),
		RunE: func(_ *cobra.Command, args []string) error { return p.addInstance(args[0], args[1:], options) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var completions []cobra.Completion
			for _, one := range params.Parameters() {
				if !one.Hidden && !isSecret(one) {
					completions = append(completions, cobra.CompletionWithDesc(one.Name+"=", one.Display))
				}
			}
			return completions, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.from, "from", "", "`file` with parameters to copy, or - for the standard input")
	flags.StringArrayVar(&options.secretFile, "secret-file", nil, "read a secret from a file, as `PARAMETER=FILE`, or - for the standard input")
	flags.StringArrayVar(&options.secretIn, "secret-env", nil, "read a secret from an environment variable, as `PARAMETER=VARIABLE`")
	flags.BoolVar(&options.replace, "replace", false, "replace an instance of that name")
	flags.BoolVar(&options.asDefault, "default", false, "make it the default instance")
	return command
}

func (p *program) addInstance(name string, pairs []string, options addInstanceOptions) error {
	if err := checkInstanceName(name); err != nil {
		return err
	}
	kept, err := p.keptInstances()
	if err != nil {
		return err
	}
	if kept.has(name) && !options.replace {
		return usage("there is already an instance %s: give --replace to replace it", name)
	}
	values := parameterValues{}
	if options.from != "" {
		if values, err = p.copyInstance(options.from); err != nil {
			return err
		}
	}
	if err := p.setParameters(values, pairs, options); err != nil {
		return err
	}
	if err := p.askForMissing(values, len(pairs) == 0 && options.from == ""); err != nil {
		return err
	}
	if _, err := params.Decode(json.RawMessage(rawjson.Make(values)), p.Getenv); err != nil {
		return invalid(err)
	}
	if err := kept.write(name, values); err != nil {
		return err
	}
	if options.asDefault {
		if err := kept.setDefault(name); err != nil {
			return err
		}
	}
	chosen, err := kept.defaultName()
	if err != nil {
		return err
	}
	use := ""
	if chosen != name {
		use = " --instance " + name
	}
	p.screen("").paragraph(fmt.Sprintf("Added the instance %s. Try: %s doctor%s", name, programName, use))
	return nil
}

// copyInstance reads the parameters of an instance file.
func (p *program) copyInstance(from string) (parameterValues, error) {
	input := p.In
	if from != "-" {
		file, err := os.Open(from)
		if err != nil {
			return nil, invalid(fmt.Errorf("reading the instance file: %w", err))
		}
		defer file.Close()
		input = file
	}
	content, err := io.ReadAll(io.LimitReader(input, largestInstance))
	if err != nil {
		return nil, invalid(fmt.Errorf("reading the instance file: %w", err))
	}
	of, err := p.parseInstance(content, "the instance file "+from, from, from)
	if err != nil {
		return nil, err
	}
	values := parameterValues{}
	if err := json.Unmarshal(of.params, &values); err != nil {
		return nil, invalid(fmt.Errorf("the instance file %s is not a JSON object of parameters", from))
	}
	return values, nil
}

// setParameters puts what was given on the command line at its parameters.
func (p *program) setParameters(values parameterValues, pairs []string, options addInstanceOptions) error {
	for _, pair := range pairs {
		one, key, value, err := splitParameter(pair)
		if err != nil {
			return err
		}
		if isSecret(one) && !isThumbprint(key) || strings.Contains(one.Name, "tenant_id") && !looksLikeTenant(value) {
			return &usageError{
				err: fmt.Errorf("%s (%s) is a secret, and an argument is seen by others: leave it out to be asked for it, or give --secret-file %s=FILE or --secret-env %s=VARIABLE",
					one.Name, one.Display, one.Name, one.Name),
			}
		}
		values.set(one, key, value)
	}
	for _, pair := range options.secretFile {
		one, key, file, err := splitParameter(pair)
		if err != nil {
			return err
		}
		secret, err := p.valueOf(one.Name, "@"+file)
		if err != nil {
			return err
		}
		values.set(one, key, secret)
	}
	for _, pair := range options.secretIn {
		one, key, variable, err := splitParameter(pair)
		if err != nil {
			return err
		}
		secret := p.Getenv(variable)
		if secret == "" {
			return usage("--secret-env: the environment variable %s is not set", variable)
		}
		values.set(one, key, secret)
	}
	return nil
}

// splitParameter reads PARAMETER=VALUE. A parameter is named by its name, its label, or what people call it.
func splitParameter(pair string) (one params.Parameter, key, value string, err error) {
	key, value, valued := strings.Cut(pair, "=")
	if !valued {
		return one, "", "", usage("%q is not a parameter: write PARAMETER=VALUE", pair)
	}
	one, known := parameterNamed(key)
	if known && !one.Hidden {
		return one, key, value, nil
	}
	meant, ok := parameterMeant(key)
	switch {
	case ok && (plainName(key) == plainName(meant.Display) || plainName(key) == plainName(meant.DisplayPassword) ||
		plainName(key) == plainName(meant.Name) || otherNames()[plainName(key)] == meant.Name):
		return meant, key, value, nil
	case ok:
		return one, "", "", usage("unknown parameter %q; did you mean %s (%s)?", key, meant.Name, meant.Display)
	}
	return one, "", "", &usageError{err: fmt.Errorf("unknown parameter %q", key), hint: "docs/parameters.md lists the parameters."}
}

// askForMissing asks for what a client secret needs, where somebody can be asked: for everything when nothing was given.
func (p *program) askForMissing(values parameterValues, everything bool) error {
	if p.ReadSecret == nil {
		return nil
	}
	ask := func(name, prompt string) error {
		one, _ := parameterNamed(name)
		if values[name] != nil {
			return nil
		}
		answer, err := p.ReadSecret(prompt + ": ")
		if err != nil {
			return failed(fmt.Errorf("reading the %s: %w", prompt, err))
		}
		if answer != "" {
			values.set(one, name, answer)
		}
		return nil
	}
	if everything {
		values["self_deployed"] = true
		for _, asked := range [][2]string{{"_auth_id", "Application (client) ID"}, {"_tenant_id", "Directory (tenant) ID"}} {
			if err := ask(asked[0], asked[1]); err != nil {
				return err
			}
		}
	}
	problems, ok := errors.AsType[*params.Problems](decodeError(values, p.Getenv))
	if !ok {
		return nil
	}
	key, _ := parameterNamed("credentials")
	if slices.ContainsFunc(problems.List, func(one params.Problem) bool { return strings.Contains(one.Field, key.Display) }) {
		return ask(key.Name, key.Display)
	}
	return nil
}

func decodeError(values parameterValues, getenv func(string) string) error {
	_, err := params.Decode(json.RawMessage(rawjson.Make(values)), getenv)
	return err
}

// instanceDocument is an instance without its secrets.
type instanceDocument struct {
	Name     string `json:"name"`
	Default  bool   `json:"default"`
	SignIn   string `json:"signIn"`
	Endpoint string `json:"endpointType"`
	Tenant   string `json:"tenant"`
	File     string `json:"file"`
}

func (p *program) listInstancesCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use: "list", Short: "List the instances", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return p.listInstances(asJSON) },
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write the instances as one JSON document, without their secrets")
	return command
}

func (p *program) listInstances(asJSON bool) error {
	kept, err := p.keptInstances()
	if err != nil {
		return err
	}
	chosen, err := kept.defaultName()
	if err != nil {
		return err
	}
	documents := []instanceDocument{}
	for _, name := range kept.names() {
		content, err := kept.read(name)
		if err != nil {
			return err
		}
		of := gjson.GetBytes(content, "params")
		one := instanceDocument{Name: name, Default: name == chosen, File: kept.path(name), Endpoint: cmp.Or(of.Get("endpoint_type").String(), "Worldwide")}
		if decoded, err := params.Decode(json.RawMessage(of.Raw), p.Getenv); err == nil {
			one.SignIn, one.Tenant = decoded.Mode.String(), decoded.TenantID
		} else {
			one.SignIn = "not usable"
		}
		documents = append(documents, one)
	}
	if asJSON {
		return p.writeDocument(rawjson.Make(documents))
	}
	screen := p.screen("")
	if len(documents) == 0 {
		screen.paragraph("There is no instance. Run 'xsoar-defender instances add NAME' to set one up.")
		return nil
	}
	var rows [][]string
	for _, one := range documents {
		mark := ""
		if one.Default {
			mark = "default"
		}
		rows = append(rows, []string{one.Name, mark, one.SignIn, one.Endpoint, one.Tenant})
	}
	screen.grid([]string{"Name", "Default", "Sign-in", "Endpoint type", "Tenant"}, rows)
	return nil
}

// oneKept completes and checks the name of an instance.
func (p *program) oneKept(command *cobra.Command) *cobra.Command {
	command.Args = between(1, 1, "the name of an instance")
	command.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		kept, err := p.keptInstances()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return kept.names(), cobra.ShellCompDirectiveNoFileComp
	}
	return command
}

// kept finds an instance that is kept.
func (p *program) kept(name string) (*keptInstances, error) {
	kept, err := p.keptInstances()
	if err != nil {
		return nil, err
	}
	if !kept.has(name) {
		return nil, &usageError{
			err:  fmt.Errorf("there is no instance %q%s", name, orMeant(nearest(name, kept.names()))),
			hint: fmt.Sprintf("Run '%s instances list' to list the instances.", programName),
		}
	}
	return kept, nil
}

func (p *program) showInstanceCommand() *cobra.Command {
	var asJSON bool
	command := p.oneKept(&cobra.Command{
		Use: "show NAME", Short: "Show an instance without its secrets",
		RunE: func(_ *cobra.Command, args []string) error { return p.showInstance(args[0], asJSON) },
	})
	command.Flags().BoolVar(&asJSON, "json", false, "write the parameters as one JSON document, without the secrets")
	return command
}

func (p *program) showInstance(name string, asJSON bool) error {
	kept, err := p.kept(name)
	if err != nil {
		return err
	}
	content, err := kept.read(name)
	if err != nil {
		return err
	}
	shown := warroom.Group{}
	var rows [][]string
	gjson.GetBytes(content, "params").ForEach(func(key, value gjson.Result) bool {
		text := shownValue(key.String(), value)
		shown = append(shown, warroom.Pair{Key: key.String(), Value: warroom.Text(text)})
		one, known := parameterNamed(key.String())
		if known && text != "" {
			rows = append(rows, []string{one.Name, one.Display, text})
		}
		return true
	})
	if asJSON {
		return p.writeDocument(warroom.JSON(warroom.Group{{Key: "name", Value: warroom.Text(name)}, {Key: "params", Value: shown}}))
	}
	screen := p.screen("")
	screen.grid([]string{"Parameter", "Label", "Value"}, rows)
	screen.line("")
	screen.paragraph("File: " + kept.path(name))
	return nil
}

// shownValue is a value of an instance as it can be shown: of a secret only that it is there.
func shownValue(key string, value gjson.Result) string {
	const hidden = "(set, not shown)"
	one, known := parameterNamed(key)
	text := value.String()
	if known && one.Type == params.TypeCredentials {
		text = value.Get("password").String()
		if !isSecret(one) {
			return text
		}
		if identifier := value.Get("identifier").String(); identifier != "" && !one.HiddenUsername {
			return strings.TrimSpace(identifier + " " + hidden)
		}
	}
	secret := !known || isSecret(one) || strings.Contains(one.Name, "tenant_id") && !looksLikeTenant(text)
	if secret && text != "" {
		return hidden
	}
	return text
}

func (p *program) removeInstanceCommand() *cobra.Command {
	return p.oneKept(&cobra.Command{
		Use: "remove NAME", Short: "Remove an instance and its stored sign-in",
		RunE: func(command *cobra.Command, args []string) error {
			kept, err := p.kept(args[0])
			if err != nil {
				return err
			}
			of, host, err := p.open(args[0], storage{})
			if err == nil {
				err = host.Forget(command.Context())
			}
			if err != nil {
				fmt.Fprintf(p.Errors, "%s: warning: the stored sign-in could not be removed: %s\n", programName, warroom.Visible(err.Error()))
			}
			if err := os.Remove(kept.path(args[0])); err != nil {
				return failed(fmt.Errorf("removing the instance: %w", err))
			}
			p.screen("").paragraph("Removed the instance " + cmp.Or(of.name, args[0]) + ".")
			return nil
		},
	})
}

func (p *program) defaultInstanceCommand() *cobra.Command {
	command := p.oneKept(&cobra.Command{
		Use: "default [NAME]", Short: "Show the default instance, or choose it",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				kept, err := p.kept(args[0])
				if err != nil {
					return err
				}
				return kept.setDefault(args[0])
			}
			kept, err := p.keptInstances()
			if err != nil {
				return err
			}
			name, err := kept.defaultName()
			if err != nil {
				return err
			}
			if name == "" {
				return failed(errors.New("no default instance is chosen"))
			}
			_, err = fmt.Fprintln(p.Out, name)
			return err
		},
	})
	command.Args = between(0, 1, "")
	return command
}
