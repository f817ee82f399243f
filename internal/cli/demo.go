package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/warroom"
)

func (p *program) demoCommand() *cobra.Command {
	open, verbose := false, false
	command := &cobra.Command{
		Use: "demo", Short: "Show every way to sign in and a few commands with a simulated tenant", Args: noArgs, GroupID: groupTry,
		Long: `Starts a simulated tenant inside this program, signs in to it in every way, and then lists machines, isolates one
and waits for it, lists alerts and hunts. Nothing outside this program is read or changed. --verbose also shows every
check of the sign-ins and every look at the isolation.

The exit code is 0 if everything worked, and else 1.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			demonstrate := func(ctx context.Context) error { return p.demo(ctx, verbose) }
			if open {
				demonstrate = func(ctx context.Context) error { return p.warroom(ctx, warroomOptions{open: true}) }
			}
			if err := demonstrate(cmd.Context()); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "show everything that the commands answer")
	command.Flags().BoolVar(&open, "open", false, "open a War Room in the browser instead, to try commands on the simulated tenant")
	return command
}

func (p *program) demo(ctx context.Context, verbose bool) (err error) {
	began := p.Now()
	clock := &movableClock{now: p.Now}
	tenant, err := simulator.Start(simulator.Options{Clock: clock.Clock(), Random: p.Random})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tenant.Close()) }()
	folder, remove, err := newFolder("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	d := &demo{
		lab:    &lab{program: p, tenant: tenant, folder: folder, where: storage{state: folder + "/state.json", files: folder}},
		clock:  clock,
		screen: p.screen(folder), verbose: verbose,
	}
	d.screen.compact = true
	// It is for people to read wherever it goes, and not for a script.
	d.screen.width = cmp.Or(d.screen.width, demoWidth)
	if d.transports, err = directTo(tenant); err != nil {
		return err
	}
	if err := d.writeWorkloadToken(); err != nil {
		return err
	}
	err = d.signIns(ctx)
	if ctx.Err() == nil {
		err = errors.Join(err, d.work(ctx))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the demonstration was interrupted: %w", context.Cause(ctx))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "Everything worked: %d ways to sign in and %d commands in %s.\n",
		len(simulator.Modes()), d.commands, p.Now().Sub(began).Round(time.Millisecond))
	return nil
}

// demoWidth is how wide the demonstration is where the output is not a terminal, in columns.
const demoWidth = 120

// directTo redirects requests to the managed identity endpoint, whose address is the same everywhere, to a tenant.
func directTo(tenant *simulator.Tenant) (*execution.Transports, error) {
	endpoint, err := url.Parse(tenant.IdentityURL())
	if err != nil {
		return nil, fmt.Errorf("finding the managed identity endpoint: %w", err)
	}
	transports := execution.NewTransports()
	transports.DialDirect = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, endpoint.Host)
	}
	return transports, nil
}

// demo is the demonstration.
type demo struct {
	*lab

	clock      *movableClock
	screen     screen
	verbose    bool
	quiet      bool // while the same is asked again
	transports *execution.Transports
	commands   int // how many were run
}

// movableClock is a running clock that can be moved forward, so that nobody must wait.
type movableClock struct {
	now   func() time.Time
	ahead atomic.Int64 // nanoseconds
}

func (c *movableClock) Now() time.Time { return c.now().Add(time.Duration(c.ahead.Load())) }

// Sleep moves the clock instead of waiting, unless the context has ended.
func (c *movableClock) Sleep(ctx context.Context, wait time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.ahead.Add(int64(wait))
	return nil
}

// Clock returns c as a runner and a tenant take it.
func (c *movableClock) Clock() system.Clock { return system.Clock{Now: c.Now, Sleep: c.Sleep} }

// argument is an argument of a command as a user types it.
type argument struct{ name, value string }

// run shows a command and its entries, and returns its result.
func (d *demo) run(ctx context.Context, one labInstance, command string, arguments ...argument) (execution.Result, error) {
	call, args := command, map[string]any{}
	for _, given := range arguments {
		call += fmt.Sprintf(" %s=%q", given.name, given.value)
		args[given.name] = given.value
	}
	d.commands++
	if !d.quiet {
		d.screen.line("> !" + call)
	}
	runner := d.runner()
	runner.Clock, runner.Transports = d.clock.Clock(), d.transports
	s := d.scheduler(one, runner)
	var last execution.Result
	s.show = func(result execution.Result) {
		last = result
		switch {
		case d.quiet:
		case command == commands.DiagnosisCommand && !d.verbose:
			d.verdict(result.Entries)
		default:
			d.screen.entries(result.Entries)
		}
	}
	if err := s.run(ctx, command, encodeArguments(args)); err != nil {
		return last, fmt.Errorf("%s with %s: %w", command, one.name, err)
	}
	return last, nil
}

// verdict shows the conclusion of a diagnosis.
func (d *demo) verdict(entries []warroom.Entry) {
	for _, entry := range entries {
		first := true
		for _, block := range entry.Blocks {
			switch shown := block.(type) {
			case warroom.Paragraph:
				if first {
					d.screen.paragraph(string(shown))
				}
				first = false
			case warroom.Table:
				if len(shown.Records.Rows) == 0 {
					d.screen.paragraph(shown.EmptyText())
				}
			}
		}
	}
	d.screen.line("")
}

// signIns goes through every way to sign in. A failure of one does not hide those of others.
func (d *demo) signIns(ctx context.Context) error {
	var errs []error
	for _, mode := range simulator.Modes() {
		if ctx.Err() != nil {
			break
		}
		d.screen.line(d.screen.strong("Sign-in: " + mode))
		errs = append(errs, d.signIn(ctx, mode))
	}
	return errors.Join(errs...)
}

func (d *demo) signIn(ctx context.Context, mode string) error {
	one, err := d.instance(mode, d.tenant.Instance(mode), d.variables(mode))
	if err != nil {
		return err
	}
	names := []string{commands.TestCommand, commands.DiagnosisCommand}
	if needsLogin(one.params) {
		if err := d.logIn(ctx, one); err != nil {
			return err
		}
		// The Test button cannot test a login.
		names = names[1:]
	}
	for _, command := range names {
		// The diagnosis says more than the Test button.
		d.quiet = command == commands.TestCommand && !d.verbose
		_, err := d.run(ctx, one, command)
		d.quiet = false
		if err != nil {
			return err
		}
	}
	return nil
}

// logIn logs the tenant's test user in, without a browser.
func (d *demo) logIn(ctx context.Context, one labInstance) error {
	err := d.logInTo(one, func() (execution.Result, error) { return d.run(ctx, one, commands.LoginCommand) })
	if err != nil {
		return err
	}
	d.screen.paragraph(d.tenant.User() + " logs in there and pastes the address of the final page into the instance.")
	d.screen.line("")
	return nil
}

// work goes through a few commands with the first of the instances.
func (d *demo) work(ctx context.Context) error {
	one := d.instances[0]
	d.screen.line(d.screen.strong("Work: list machines, isolate one, list alerts, hunt"))
	machines, err := d.run(ctx, one, "microsoft-atp-get-machines", argument{"page_size", "5"}, argument{"health_status", "Active"})
	if err != nil {
		return err
	}
	machine := contextText(machines, "MicrosoftATP.Machine", "ID")
	isolated, err := d.run(ctx, one, "microsoft-atp-isolate-machine",
		argument{"machine_id", machine}, argument{"comment", "demonstration"}, argument{"isolation_type", "Full"})
	if err != nil {
		return err
	}
	if err := d.await(ctx, one, contextText(isolated, machineActionPath, "ID")); err != nil {
		return err
	}
	if _, err := d.run(ctx, one, "microsoft-atp-list-alerts", argument{"limit", "5"}); err != nil {
		return err
	}
	_, err = d.run(ctx, one, "microsoft-atp-advanced-hunting",
		argument{"query", "DeviceInfo | project Timestamp, DeviceName, OSPlatform | take 3"})
	return err
}

const (
	machineActionPath = "MicrosoftATP.MachineAction"
	// askEvery is the time between two looks at a machine action, by the tenant's clock.
	askEvery = 30 * time.Second
	// mostAsks is the largest number of looks: more are needed only if something is wrong.
	mostAsks = 20
)

// await polls a machine action until it has succeeded, and shows it then.
func (d *demo) await(ctx context.Context, one labInstance, action string) error {
	var status string
	for range mostAsks {
		d.quiet = !d.verbose
		result, err := d.run(ctx, one, commands.ActionsCommand, argument{"id", action})
		d.quiet = false
		if err != nil {
			return err
		}
		if status = contextText(result, machineActionPath, "Status"); status == "Succeeded" {
			if !d.verbose {
				d.screen.line(fmt.Sprintf("> !%s id=%q", commands.ActionsCommand, action))
				d.screen.entries(result.Entries)
			}
			return nil
		}
		if err := d.clock.Sleep(ctx, askEvery); err != nil {
			return err
		}
	}
	return fmt.Errorf("the machine action %s is %s and not Succeeded", action, status)
}

// contextText returns a key of the first object that a result writes at a context path.
func contextText(result execution.Result, path, key string) string {
	for _, entry := range result.Entries {
		for _, put := range entry.Context {
			name, _, _ := strings.Cut(put.Path, "(")
			if name != path {
				continue
			}
			value := gjson.Parse(string(warroom.JSON(put.Value)))
			if value.IsArray() {
				value = value.Get("0")
			}
			return value.Get(gjson.Escape(key)).String()
		}
	}
	return ""
}
