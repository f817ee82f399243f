package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// simulateOptions holds the flags of simulate.
type simulateOptions struct {
	listen, out string
	json        bool
	seed        uint64
	size        int
	scene       string
	speed       float64
	condition   string
	keep        string
	record      string
	where       storage
}

func (p *program) simulateCommand() *cobra.Command {
	var options simulateOptions
	command := &cobra.Command{
		Use: "simulate", Short: "Run a simulated tenant to try commands against", Args: noArgs, GroupID: groupTry,
		Long: `Starts a small company with its sign-in service and its Defender API inside this program, and writes an
instance file for each way to sign in. Under a file are the environment variables that it needs, if any. The
instance authorization-code is one at which nobody has logged in yet; at authorization-code-signed-in a user has,
unless --state none keeps no login.

It listens on loopback only. docs/simulator.md describes what is faithful and what is not, the scenes, the conditions
and the control endpoint.

The tenant runs until the program is interrupted. What is kept of its sign-ins in the state file, and the
instance files, are removed then. A file in the folder that is not of a simulated tenant is not overwritten.`,
		Example: `  xsoar-defender simulate --out lab &
  xsoar-defender run microsoft-atp-test --instance lab/client-secret.json
  xsoar-defender simulate --size 5000 --scene ransomware-day --speed 60 --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.simulate(cmd.Context(), options); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	command.Flags().StringVar(&options.listen, "listen", "127.0.0.1:0", "loopback address on which the tenant listens")
	command.Flags().BoolVar(&options.json, "json", false, "print what a client needs as one line of JSON, as soon as the tenant is ready")
	command.Flags().StringVar(&options.out, "out", "", "folder for the instance files (default: a new temporary one)")
	command.Flags().Uint64Var(&options.seed, "seed", 0, "number from which the identifiers and the data are made")
	command.Flags().IntVar(&options.size, "size", 40, "number of machines, 40 to 100000")
	command.Flags().StringVar(&options.scene, "scene", "", "scene that begins at once: "+strings.Join(slices.Sorted(maps.Keys(simulator.Scenes())), " or "))
	command.Flags().Float64Var(&options.speed, "speed", 1, "speed of the scene: with 60, an hour passes in a minute")
	command.Flags().StringVar(&options.condition, "condition", "", "condition that is on from the start: "+strings.Join(slices.Sorted(maps.Keys(simulator.Conditions())), ", "))
	command.Flags().StringVar(&options.keep, "keep", "", "file in which the tenant is kept over a restart, with its secrets (default: none)")
	command.Flags().StringVar(&options.record, "record", "", "file for a test case of the requests to the API, written at the end (default: none)")
	options.where.stateFlag(command)
	completeFlag(command, "scene", slices.Sorted(maps.Keys(simulator.Scenes())))
	completeFlag(command, "condition", slices.Sorted(maps.Keys(simulator.Conditions())))
	if err := command.MarkFlagDirname("out"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	return command
}

// tenant starts the tenant that the options ask for; end closes it and what belongs to it.
func (p *program) tenant(options simulateOptions) (started *simulator.Tenant, end func() error, err error) {
	if options.size < 40 || options.size > 100_000 {
		return nil, nil, usage("--size must be from 40 to 100000; got %d", options.size)
	}
	if !(options.speed > 0) { // which NaN is not either
		return nil, nil, usage("--speed must be above 0; got %v", options.speed)
	}
	if err := oneOf("--scene", options.scene, simulator.Scenes()); err != nil {
		return nil, nil, err
	}
	if err := oneOf("--condition", options.condition, simulator.Conditions()); err != nil {
		return nil, nil, err
	}
	settings := simulator.Options{
		Clock: p.Clock, Seed: options.seed, Random: p.Random, Listen: options.listen, Size: options.size, Record: options.record != "",
	}
	closeState := func() error { return nil }
	if options.keep != "" {
		state, err := os.OpenFile(options.keep, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("opening the tenant's state: %w", err)
		}
		settings.State, closeState = state, state.Close
	}
	started, err = simulator.Start(settings)
	if wrong, ok := errors.AsType[*simulator.AddressError](err); ok {
		return nil, nil, errors.Join(usage("--listen: %w", wrong), closeState())
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeState())
	}
	end = func() error { return errors.Join(started.Close(), closeState()) }
	if options.scene != "" {
		err = started.StartScene(options.scene, options.speed)
	}
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return started, end, nil
}

// oneOf checks that the value of a flag, if it has one, is among the names of descriptions.
func oneOf(flag, value string, known map[string]string) error {
	if _, found := known[value]; value != "" && !found {
		return usage("%s must be one of %s; got %q", flag, strings.Join(slices.Sorted(maps.Keys(known)), ", "), value)
	}
	return nil
}

// recorded writes what the tenant was asked as a test case.
func recorded(tenant *simulator.Tenant, file string) error {
	if file == "" {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if err := maybe.WriteFile(file, []byte(rawjson.Make(tenant.Case(name))+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the test case: %w", err)
	}
	return nil
}

func (p *program) simulate(ctx context.Context, options simulateOptions) (err error) {
	// The recording is written at the end, when it would be too late.
	for _, wanted := range []struct{ flag, file string }{{"--record", options.record}, {"--keep", options.keep}} {
		if err := folderExists(wanted.file, wanted.flag); err != nil {
			return invalid(err)
		}
	}
	tenant, end, err := p.tenant(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, recorded(tenant, options.record), end()) }()
	folder, remove, err := newFolder(options.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	l := &lab{program: p, tenant: tenant, folder: folder, where: options.where}
	// The context has ended by then, and what is removed takes no time.
	defer func() { err = errors.Join(err, l.forget(context.WithoutCancel(ctx))) }()
	if err := l.open(ctx); err != nil {
		return err
	}
	// Not before: at some of them no user could have logged in.
	if options.condition != "" {
		if err := tenant.Switch(options.condition, true, 0); err != nil {
			return err
		}
	}
	if options.json {
		fmt.Fprintln(l.Out, l.facts())
	} else {
		l.describe()
	}
	return l.renewWorkloadToken(ctx)
}

// newFolder makes a folder to put files with secrets into; remove removes it when it is a temporary one.
func newFolder(wanted string) (folder string, remove func() error, err error) {
	if wanted != "" {
		if err := os.MkdirAll(wanted, 0o700); err != nil {
			return "", nil, fmt.Errorf("making the folder for the instance files: %w", err)
		}
		return wanted, func() error { return nil }, nil
	}
	folder, err = os.MkdirTemp("", programName+"-")
	if err != nil {
		return "", nil, fmt.Errorf("making a folder for the instance files: %w", err)
	}
	return folder, func() error { return os.RemoveAll(folder) }, nil
}

// lab is a simulated tenant with its instances as files.
type lab struct {
	*program

	tenant    *simulator.Tenant
	folder    string
	where     storage
	instances []labInstance
	// files are those that the lab writes, and removes at the end.
	files []string
}

// labInstance is one way to sign in to the tenant.
type labInstance struct {
	name      string
	params    map[string]any
	variables map[string]string
	host      *local.Host
}

// signedIn is added to the name of an instance at which a user has logged in.
const signedIn = "-signed-in"

// ForeignFileError reports that a file which simulate would write already exists.
type ForeignFileError struct{ Path string }

func (e *ForeignFileError) Error() string {
	return e.Path + " already exists: name an empty folder with --out, or move the file away."
}

// left reports whether a file was left behind by a simulated tenant that was killed: an instance of a tenant on loopback, or a file next
// to one.
func (l *lab) left(file string) bool {
	if filepath.Ext(file) != ".json" {
		file = l.path(labInstance{name: simulator.Modes()[0]})
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	address, err := url.Parse(gjson.GetBytes(text, "params.url").Str)
	return err == nil && params.IsLoopback(address.Hostname())
}

// free makes sure that the folder holds none of the files that are written.
func (l *lab) free() error {
	files := []string{l.workloadToken(), l.certificate()}
	for _, mode := range slices.Concat(simulator.Modes(), simulator.Situations()) {
		files = append(files, l.path(labInstance{name: mode}), l.path(labInstance{name: mode + signedIn}))
	}
	for _, file := range files {
		if _, err := os.Lstat(file); err == nil && !l.left(file) {
			return &ForeignFileError{file}
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("looking into the folder for the instance files: %w", err)
		}
	}
	l.files = files
	return nil
}

// open writes the instance files.
func (l *lab) open(ctx context.Context) error {
	if err := l.free(); err != nil {
		return err
	}
	if err := l.writeWorkloadToken(); err != nil {
		return err
	}
	if err := maybe.WriteFile(l.certificate(), l.tenant.Certificate(), 0o600); err != nil {
		return fmt.Errorf("writing the tenant's certificate: %w", err)
	}
	for _, mode := range slices.Concat(simulator.Modes(), simulator.Situations()) {
		one, err := l.instance(mode, l.tenant.Instance(mode), l.variables(mode))
		if err != nil {
			return err
		}
		if !needsLogin(one.params) || l.where.state == noState { // where nothing is kept, nobody stays signed in
			continue
		}
		params := maps.Clone(one.params)
		after, err := l.instance(mode+signedIn, params, one.variables)
		if err != nil {
			return err
		}
		if err := l.logIn(ctx, after); err != nil {
			return err
		}
	}
	return nil
}

// needsLogin reports whether a user must log in at an instance: only such an instance has a redirect URI.
func needsLogin(params map[string]any) bool { return params["redirect_uri"] != nil }

// variables are the environment that a mode needs.
func (l *lab) variables(mode string) map[string]string {
	variables := l.tenant.Environment(mode)
	if variables["AZURE_CLIENT_ID"] != "" {
		variables["AZURE_FEDERATED_TOKEN_FILE"] = l.workloadToken()
	}
	return variables
}

// instance adds an instance and writes its file.
func (l *lab) instance(name string, params map[string]any, variables map[string]string) (labInstance, error) {
	added := labInstance{name: name, params: params, variables: variables}
	host, err := l.host(l.where, added.read())
	if err != nil {
		return labInstance{}, err
	}
	added.host = host
	l.instances = append(l.instances, added)
	return added, l.write(added)
}

func (l *lab) write(one labInstance) error {
	text := rawjson.Make(map[string]any{"name": one.name, "params": one.params})
	if err := maybe.WriteFile(l.path(one), []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing an instance file: %w", err)
	}
	return nil
}

func (l *lab) path(one labInstance) string { return filepath.Join(l.folder, one.name+".json") }

// read returns the instance as its file is read.
func (i labInstance) read() instance {
	return instance{name: i.name, identity: i.name, params: []byte(rawjson.Make(i.params))}
}

// scheduler runs commands with an instance.
func (l *lab) scheduler(one labInstance, runner *execution.Runner) *scheduler {
	runner.Getenv = func(name string) string { return one.variables[name] }
	return newScheduler(runner, one.host, one.read(), &progress{out: l.Errors, clock: runner.Clock})
}

// logInTo makes a login URL for an instance, logs in there as the tenant's test user, and pastes the address at which the
// browser ends up into the instance.
func (l *lab) logInTo(one labInstance, makeURL func() (execution.Result, error)) error {
	made, err := makeURL()
	if err != nil {
		return err
	}
	redirect, err := l.tenant.SignIn(loginURL(made))
	if err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	one.params["auth_code"] = map[string]any{"identifier": "", "password": redirect}
	return nil
}

// loginURL is the address that the command for it gave.
func loginURL(result execution.Result) string {
	for _, entry := range result.Entries {
		if address, ok := entry.Contents.(warroom.Text); ok {
			return string(address)
		}
	}
	return ""
}

// logIn logs a user in at an instance and uses the code at once, as it is valid for ten minutes only.
func (l *lab) logIn(ctx context.Context, one labInstance) error {
	err := l.logInTo(one, func() (made execution.Result, err error) {
		s := l.scheduler(one, l.runner())
		s.show = func(result execution.Result) { made = result }
		err = s.run(ctx, commands.LoginCommand, nil)
		return made, err
	})
	if err != nil {
		return err
	}
	if err := l.write(one); err != nil {
		return err
	}
	return l.scheduler(one, l.runner()).run(ctx, commands.DiagnosisCommand, nil)
}

// certificate returns the file with the certificate that clients must trust to reach the tenant.
func (l *lab) certificate() string { return filepath.Join(l.folder, "certificate.pem") }

// facts returns what a client of any kind needs to work with the tenant, as one line of JSON. Programs read it, so its names
// stay; docs/simulator.md describes them.
func (l *lab) facts() rawjson.Value {
	instances := map[string]any{}
	for _, one := range l.instances {
		instances[one.name] = map[string]any{"file": l.path(one), "environment": one.variables}
	}
	authority := l.tenant.URL() + "/" + l.tenant.TenantID()
	return rawjson.Make(map[string]any{
		"url":               l.tenant.URL(),
		"certificate":       string(l.tenant.Certificate()),
		"certificateFile":   l.certificate(),
		"tenantId":          l.tenant.TenantID(),
		"domain":            l.tenant.Domain(),
		"authority":         authority,
		"tokenEndpoint":     authority + "/oauth2/v2.0/token",
		"clientId":          l.tenant.ClientID(),
		"clientSecret":      l.tenant.Secret(),
		"clientCertificate": l.tenant.ApplicationCertificate(),
		"redirectUri":       l.tenant.RedirectURI(),
		"user":              l.tenant.User(),
		"scopes":            map[string]any{"defender": simulator.DefenderScope, "graph": simulator.GraphScope},
		"workloadTokenFile": l.workloadToken(),
		"identityEndpoint":  l.tenant.IdentityURL(),
		"identityHeader":    l.tenant.IdentityHeader(),
		"instances":         instances,
		"control":           map[string]any{"url": l.tenant.ControlURL(), "key": l.tenant.ControlKey()},
	})
}

// describe shows the tenant and its instances.
func (l *lab) describe() {
	fmt.Fprintf(l.Out, "The tenant is at %s. Clients must trust %s. Its instances, with the environment variables that they need:\n\n", l.tenant.URL(), l.certificate())
	for _, one := range l.instances {
		fmt.Fprintln(l.Out, l.path(one))
		for _, name := range slices.Sorted(maps.Keys(one.variables)) {
			fmt.Fprintf(l.Out, "    %s=%s\n", name, one.variables[name])
		}
	}
	fmt.Fprintf(l.Out, "\nThe tenant is controlled at %s with the bearer token %s.\n", l.tenant.ControlURL(), l.tenant.ControlKey())
	state := ""
	if l.where.state != "" {
		state = " --state " + l.where.state
	}
	fmt.Fprintf(l.Out, "\nTry: %s run microsoft-atp-test --instance %s%s\nInterrupt this program to end the tenant.\n",
		programName, l.path(l.instances[0]), state)
}

// forget removes what is kept of the tenant's instances, which are of no use without it.
func (l *lab) forget(ctx context.Context) error {
	var errs []error
	for _, one := range l.instances {
		errs = append(errs, one.host.Forget(ctx))
	}
	for _, file := range l.files {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("removing an instance file: %w", err))
		}
	}
	return errors.Join(errs...)
}

// workloadToken is the file that a workload identity reads its token from.
func (l *lab) workloadToken() string { return filepath.Join(l.folder, "workload-token") }

func (l *lab) writeWorkloadToken() error {
	if err := maybe.WriteFile(l.workloadToken(), []byte(l.tenant.WorkloadToken()), 0o600); err != nil {
		return fmt.Errorf("writing the workload's token: %w", err)
	}
	return nil
}

// workloadTokenRenewal is how often the workload's token is renewed, which is valid for an hour.
const workloadTokenRenewal = 30 * time.Minute

// renewWorkloadToken does what a cluster does, until ctx ends.
func (l *lab) renewWorkloadToken(ctx context.Context) error {
	for l.Sleep(ctx, workloadTokenRenewal) == nil {
		if err := l.writeWorkloadToken(); err != nil {
			return err
		}
	}
	return nil
}
