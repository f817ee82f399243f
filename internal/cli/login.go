package cli

import (
	"bufio"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/internal/cli/loopback"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// loginOptions are the flags of login.
type loginOptions struct {
	instance                string // a name, a file, or "-"
	store, paste, noBrowser bool
	timeout                 time.Duration
	where                   storage
}

// usualPatience is the default time for a user to log in.
const usualPatience = 5 * time.Minute

func (p *program) loginCommand() *cobra.Command {
	var options loginOptions
	command := &cobra.Command{
		Use: "login", Short: "Log a user in for an instance with an authorization code", Args: noArgs, GroupID: groupInstance,
		Long: `Opens the login page of an instance whose Authentication Type is Authorization Code, waits until a user has logged
in there, and writes the value for the instance's Authorization code: a refresh token. It is a secret, and it is not
kept here, unless --store keeps it for run instead of writing it.

If the redirect URI of the instance begins with http://localhost, the program waits there for the browser. Otherwise,
and with --paste, it reads the address of the browser's final page, or the code in it, from the standard input; the
browser can then be on another machine.

The exit code is 0 on success, 1 if nobody logged in, and 2 for a usage error.`,
		Example: `  xsoar-defender login --instance prod
  xsoar-defender login --instance prod --store
  xsoar-defender run microsoft-atp-test --instance prod`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.timeout <= 0 {
				return usage("--timeout is %s: give the user some time", options.timeout)
			}
			if options.store && options.where.state == noState {
				return usage("--store keeps the login in the state file, and --state none has it keep nothing: leave out one of them")
			}
			return p.login(cmd.Context(), options)
		},
	}
	flags := command.Flags()
	p.instanceFlag(command, &options.instance)
	flags.BoolVar(&options.store, "store", false, "keep the login in the state file for run, and write nothing")
	flags.BoolVar(&options.paste, "paste", false, "read the address of the browser's final page from the standard input")
	flags.BoolVar(&options.noBrowser, "no-browser", false, "only show the address of the login page")
	flags.DurationVar(&options.timeout, "timeout", usualPatience, "how long to wait for the user")
	options.where.stateFlag(command)
	return command
}

// LoginTimeoutError reports that nobody logged in in time.
type LoginTimeoutError struct{ After time.Duration }

func (e *LoginTimeoutError) Error() string {
	return fmt.Sprintf("Nobody logged in within %s: run it again, with a longer --timeout if necessary.", e.After)
}

var (
	errNothingPasted = errors.New("the input ended before the address or the code of a login: run it again and paste it")
	errHasGrant      = errors.New("the instance has an Authorization Code, which commands would use instead: remove it from the file," +
		" or leave out --store and replace it with the new value")
	errOtherLogin = errors.New("this address belongs to another login")
	errCutAddress = errors.New("this address has no state, so it was cut, or belongs to another login")
)

// login logs a user in. Everything but the refresh token goes to the standard error.
func (p *program) login(ctx context.Context, options loginOptions) error {
	of, err := p.readInstance(options.instance)
	if err != nil {
		return err
	}
	l := &login{program: p, options: options}
	if err := l.prepare(of); err != nil {
		return l.failed(err)
	}
	token, err := l.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("the login was interrupted: %w", cause)
	}
	if err != nil {
		return l.failed(err)
	}
	if options.store {
		l.say("You are logged in. Commands with this instance use this login. Try: %s",
			commandLine(options.instance, "run", commands.DiagnosisCommand))
		return nil
	}
	const day = 24 * time.Hour
	l.say("You are logged in. Put the whole line that begins with %s into Authorization code of the instance. It is a secret:"+
		" anyone who has it and the application's secret can act as you. It expires after %d days without use, or earlier if"+
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
	// address is the login page; state is the value that the browser must bring back from it.
	address, state string
}

// prepare reads the instance and decides where the login is kept.
func (l *login) prepare(of instance) (err error) {
	if l.instance, err = params.Decode(of.params, l.Getenv); err != nil {
		return err
	}
	var store auth.IntegrationContext = &passing{}
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

// run waits for the user to log in and returns the refresh token.
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

// patience returns a context that ends after the time for the user to log in.
func (l *login) patience(ctx context.Context) (waiting context.Context, end func()) {
	waiting, cancel := context.WithCancelCause(ctx)
	go func() {
		if l.Sleep(waiting, l.options.timeout) == nil {
			cancel(&LoginTimeoutError{l.options.timeout})
		}
	}()
	return waiting, func() { cancel(context.Canceled) }
}

// receive waits for the browser, and shows in it how the login ended.
func (l *login) receive(ctx, waiting context.Context, receiver *loopback.Receiver) (params.Secret, error) {
	opened := l.open()
	l.say("If the browser is on another machine, interrupt this and run it again with --paste.")
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
	answer.Show(loopback.Page{Title: "You are logged in", Text: "You can close this page. The terminal shows the next step."})
	return token, nil
}

// readPasted waits for the text that the user copies from the browser. It asks again for a text that is not an answer
// of this login.
func (l *login) readPasted(ctx, waiting context.Context) (params.Secret, error) {
	opened := l.open()
	l.say("The browser may then say that it cannot show a page. Paste the address of that page here, or the code in it:")
	echo := io.Discard
	if l.WithoutLines != nil {
		if restore, err := l.WithoutLines(); err == nil {
			defer func() { _ = restore() }()
			echo = l.Errors
		}
	}
	lines := &typedLines{in: bufio.NewReader(l.In), echo: echo}
	for {
		line, err := await(waiting, l, opened, func() (string, error) {
			line, err := lines.line()
			if errors.Is(err, io.EOF) {
				err = errNothingPasted
			}
			return line, err
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
		l.say("%v; paste the address of the final page of the login:", err)
	}
}

// read finds the code in the answer of a login. The error is an *auth.Error if the authority refused the login, and
// otherwise explains why the text is not an answer of this login.
func (l *login) read(text string) (params.Grant, error) {
	grant, err := params.ParseGrant(text)
	if refused, ok := errors.AsType[*params.RefusedLoginError](err); ok {
		return params.Grant{}, auth.RefusedLogin(refused)
	}
	switch {
	case err != nil || grant.Code == "":
		return params.Grant{}, params.ErrNoCode
	case grant.State == "" && strings.Contains(text, "code="):
		return params.Grant{}, errCutAddress
	case grant.State != "" && subtle.ConstantTimeCompare([]byte(grant.State), []byte(l.state)) != 1:
		return params.Grant{}, errOtherLogin
	}
	return grant, nil
}

// redeem redeems the code, within the time limit of every sign-in.
func (l *login) redeem(ctx context.Context, grant params.Grant) (params.Secret, error) {
	instance := l.instance
	instance.Grant = grant
	return auth.LogIn(ctx, instance, l.environment)
}

// open shows the address of the login page, and opens it in a browser if there is one. The channel gets the result
// later, or never: some browsers keep running.
func (l *login) open() <-chan error {
	l.say("Log in at this address:\n\n%s\n", l.address)
	if l.options.noBrowser || !l.hasDisplay() {
		return nil
	}
	opened := make(chan error, 1)
	go func() { opened <- l.OpenBrowser(l.address) }()
	return opened
}

// hasDisplay reports whether a browser can be shown. On systems with several kinds of displays, environment variables
// name the one in use; BROWSER names a program that knows better.
func (p *program) hasDisplay() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	return cmp.Or(p.Getenv("DISPLAY"), p.Getenv("WAYLAND_DISPLAY"), p.Getenv("BROWSER")) != ""
}

// await waits for something until ctx ends, and meanwhile reports a browser that could not be opened. something may
// keep running afterwards: nothing can interrupt the reading of a terminal.
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

// refused is the page that explains why nobody is logged in.
func (l *login) refused(err error) loopback.Page {
	return loopback.Page{Title: "You are not logged in", Text: l.instance.Redact(err.Error()), Failed: true}
}

// say shows a message on the standard error.
func (l *login) say(format string, values ...any) {
	fmt.Fprintln(l.Errors, warroom.Visible(fmt.Sprintf(format, values...)))
}

// failed shows why nobody is logged in.
func (l *login) failed(err error) error {
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	l.say("%s: %s", programName, l.instance.Redact(err.Error()))
	if _, ok := errors.AsType[*params.Problems](err); ok || errors.Is(err, errHasGrant) {
		return &exitError{code: exitUsage}
	}
	if wrong, ok := errors.AsType[*auth.Error](err); ok && wrong.Code == auth.CodeConfiguration {
		return &exitError{code: exitUsage}
	}
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
