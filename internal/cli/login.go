package cli

import (
	"bufio"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"xsoar-defender/auth"
	"xsoar-defender/internal/cli/loopback"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// loginOptions is what a call of login asks for.
type loginOptions struct {
	instance                string // the file
	store, paste, noBrowser bool
	timeout                 time.Duration
	where                   storage
}

// usualPatience is how long a user may take to log in, unless told otherwise.
const usualPatience = 5 * time.Minute

func (p *program) loginCommand() *cobra.Command {
	var options loginOptions
	command := &cobra.Command{
		Use: "login --instance FILE", Short: "Log in at an instance with an authorization code", Args: cobra.NoArgs,
		Long: `Opens the login page of an instance whose Authentication Type is Authorization Code, waits until a user has logged
in there, and writes what belongs into Authorization Code of the instance: a refresh token. It is a secret. Nothing
of it stays here, unless --store keeps it for run in place of writing it.

Where the redirect URI of the instance begins with http://localhost, the program waits there for the browser.
Otherwise, and with --paste, it reads from the standard input the address of the page that the browser ends at, or
the code in it; the browser need not be on this machine then.

The exit code is 0, 1 when nobody has logged in, and 2 when the program was called wrongly.`,
		Example: `  xsoar-defender login --instance prod.json
  xsoar-defender login --instance prod.json --store
  xsoar-defender run microsoft-atp-test --instance prod.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.timeout <= 0 {
				return fmt.Errorf("--timeout is %s: give the user some time", options.timeout)
			}
			return p.login(cmd.Context(), options)
		},
	}
	flags := command.Flags()
	instanceFlag(command, &options.instance)
	flags.BoolVar(&options.store, "store", false, "keep the login in the state file, where run finds it, and write nothing")
	flags.BoolVar(&options.paste, "paste", false, "read the address that the browser ends at from the standard input")
	flags.BoolVar(&options.noBrowser, "no-browser", false, "only show the address of the login page")
	flags.DurationVar(&options.timeout, "timeout", usualPatience, "how long to wait for the user")
	options.where.stateFlag(command)
	return command
}

// LoginTimeoutError says that nobody has logged in.
type LoginTimeoutError struct{ After time.Duration }

func (e *LoginTimeoutError) Error() string {
	return fmt.Sprintf("Nobody has logged in within %s: run it again, with a longer --timeout if that was too short.", e.After)
}

var (
	errNothingPasted = errors.New("the input ended before the address or the code of a login came: run it again and paste it")
	errHasGrant      = errors.New("the instance has an Authorization Code, which commands would go on with: empty it in the file," +
		" or leave out --store and replace it with what is written then")
	errOtherLogin = errors.New("this belongs to another login")
)

// login logs a user in. Everything but the refresh token goes to the standard error.
func (p *program) login(ctx context.Context, options loginOptions) error {
	of, err := readInstance(options.instance)
	if err != nil {
		return err
	}
	l := &login{program: p, options: options}
	if err := l.prepare(of); err != nil {
		return l.failed(err)
	}
	token, err := l.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("the login was ended before it was done: %w", cause)
	}
	if err != nil {
		return l.failed(err)
	}
	if options.store {
		l.say("You have logged in. Commands with this instance go on with that login. Try: %s run microsoft-atp-test --instance %s",
			programName, options.instance)
		return nil
	}
	const day = 24 * time.Hour
	l.say("You have logged in. Put the whole line that begins with %s into Authorization Code of the instance. It is a secret:"+
		" whoever has it and the application's secret can act as you. It ends when it is not used for %d days, or before that when"+
		" your password changes or an administrator revokes it.", params.RefreshTokenPrefix, auth.RefreshLife/day)
	if _, err := fmt.Fprintln(p.Out, params.RefreshTokenPrefix+token.Reveal()); err != nil {
		return failed(fmt.Errorf("writing the refresh token: %w", err))
	}
	return nil
}

// login is one login of a user.
type login struct {
	*program

	options     loginOptions
	instance    params.Instance
	environment auth.Environment
	// address is the login page, and state what the browser brings back of it.
	address, state string
}

// prepare reads the instance and decides where the login is kept.
func (l *login) prepare(of instance) (err error) {
	if l.instance, err = params.Decode(of.params, l.Getenv); err != nil {
		return err
	}
	var store auth.Store = &passing{}
	if l.options.store {
		if l.instance.Grant != (params.Grant{}) {
			return errHasGrant
		}
		if store, err = l.host(l.options.where, of); err != nil {
			return err
		}
	}
	l.environment = l.runner().Environment(l.instance, of.name, store)
	return nil
}

// run has the user log in and gives the refresh token.
func (l *login) run(ctx context.Context) (params.Secret, error) {
	var err error
	if l.address, err = auth.LoginURL(ctx, l.instance, l.environment); err != nil {
		return "", err
	}
	made, err := url.Parse(l.address)
	if err != nil {
		return "", fmt.Errorf("reading the login URL: %w", err)
	}
	l.state = made.Query().Get("state")
	waiting, end := l.patience(ctx)
	defer end()
	if !l.options.paste {
		receiver, err := loopback.Listen(waiting, l.instance.RedirectURI, l.state)
		if err == nil {
			defer receiver.Close()
			return l.receive(ctx, waiting, receiver)
		}
		l.say("%v", err)
	}
	return l.readPasted(ctx, waiting)
}

// patience gives a context that ends when the user has had enough time.
func (l *login) patience(ctx context.Context) (waiting context.Context, end func()) {
	waiting, cancel := context.WithCancelCause(ctx)
	go func() {
		if l.Sleep(waiting, l.options.timeout) == nil {
			cancel(&LoginTimeoutError{l.options.timeout})
		}
	}()
	return waiting, func() { cancel(context.Canceled) }
}

// receive waits for the browser, and has it show how the login ended.
func (l *login) receive(ctx, waiting context.Context, receiver *loopback.Receiver) (params.Secret, error) {
	opened := l.open()
	l.say("If the browser is on another machine, end this and run it again with --paste.")
	answer, err := await(waiting, l, opened, func() (*loopback.Answer, error) { return receiver.Receive(waiting) })
	if err != nil {
		return "", err
	}
	grant, err := l.read(answer.Query)
	if err != nil {
		answer.Show(l.refused(err))
		return "", err
	}
	token, err := l.redeem(ctx, grant)
	if err != nil {
		answer.Show(l.refused(err))
		return "", err
	}
	answer.Show(loopback.Page{Title: "You are logged in", Text: "You can close this page. What there is to do next stands in the terminal."})
	return token, nil
}

// readPasted waits for what the user copies out of the browser. What is no answer of this login is asked for again.
func (l *login) readPasted(ctx, waiting context.Context) (params.Secret, error) {
	opened := l.open()
	l.say("The browser may say then that it cannot show a page. Paste the address of that page here, or the code in it:")
	lines := bufio.NewScanner(l.In)
	for {
		line, err := await(waiting, l, opened, func() (string, error) {
			if lines.Scan() {
				return lines.Text(), nil
			}
			return "", cmp.Or(lines.Err(), errNothingPasted)
		})
		if err != nil {
			return "", err
		}
		grant, err := l.read(line)
		if _, refused := errors.AsType[*auth.Error](err); refused {
			return "", err
		}
		if err == nil {
			return l.redeem(ctx, grant)
		}
		l.say("%v; paste the address of the page that you ended at after the login:", err)
	}
}

// read finds the code in what came of the login. The error is an *auth.Error when the authority has refused the login,
// and else says why this is not an answer of it.
func (l *login) read(text string) (params.Grant, error) {
	grant, err := params.ParseGrant(text)
	if refused, ok := errors.AsType[*params.RefusedLoginError](err); ok {
		return params.Grant{}, auth.RefusedLogin(refused)
	}
	switch {
	case err != nil || grant.Code == "":
		return params.Grant{}, params.ErrNoCode
	case grant.State != "" && subtle.ConstantTimeCompare([]byte(grant.State), []byte(l.state)) != 1:
		return params.Grant{}, errOtherLogin
	}
	return grant, nil
}

// redeem redeems the code, for which its user waits no longer than for any sign-in.
func (l *login) redeem(ctx context.Context, grant params.Grant) (params.Secret, error) {
	instance := l.instance
	instance.Grant = grant
	return auth.LogIn(ctx, instance, l.environment)
}

// open shows the address of the login page, and opens it in a browser where there is one. What that came to, if it comes
// to anything, is given later: some browsers go on running.
func (l *login) open() <-chan error {
	l.say("Log in at this address:\n\n%s\n", l.address)
	if l.options.noBrowser || !l.hasDisplay() {
		return nil
	}
	opened := make(chan error, 1)
	go func() { opened <- l.OpenBrowser(l.address) }()
	return opened
}

// hasDisplay says whether a browser can be shown. Where several systems for that exist, variables of the environment
// say which one is there; BROWSER names a program that knows better.
func (p *program) hasDisplay() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	return cmp.Or(p.Getenv("DISPLAY"), p.Getenv("WAYLAND_DISPLAY"), p.Getenv("BROWSER")) != ""
}

// await waits for something until ctx ends, and says meanwhile that no browser was opened. What it waits for may go on
// waiting afterwards: nothing can interrupt the reading of a terminal.
func await[T any](ctx context.Context, l *login, opened <-chan error, something func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	come := make(chan result, 1)
	go func() {
		value, err := something()
		come <- result{value, err}
	}()
	for {
		select {
		case got := <-come:
			return got.value, got.err
		case err := <-opened:
			if err != nil {
				l.say("No browser could be opened (%v): open the address yourself.", err)
			}
			opened = nil
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
	}
}

// refused is the page that says why nobody is logged in.
func (l *login) refused(err error) loopback.Page {
	return loopback.Page{Title: "You are not logged in", Text: l.instance.Redact(err.Error()), Failed: true}
}

// say tells the user something.
func (l *login) say(format string, values ...any) {
	fmt.Fprintln(l.Errors, warroom.Visible(fmt.Sprintf(format, values...)))
}

// failed says why nobody is logged in.
func (l *login) failed(err error) error {
	l.say("%s: %s", programName, l.instance.Redact(err.Error()))
	return &exitError{code: exitFailed}
}

// passing is an integration context that ends with the process.
type passing struct{ values map[string]json.RawMessage }

func (p *passing) Load(context.Context) (map[string]json.RawMessage, error) {
	return maps.Clone(p.values), nil
}

func (p *passing) Update(_ context.Context, change func(values map[string]json.RawMessage) (bool, error)) error {
	values := map[string]json.RawMessage{}
	maps.Copy(values, p.values)
	changed, err := change(values)
	if err == nil && changed {
		p.values = values
	}
	return err
}
