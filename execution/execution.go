// Package execution carries one execution out: it reads the instance's parameters, signs in with the mode that
// they select, makes the API client and runs the command.
package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime/debug"
	"strings"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/defender"
	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/internal/system"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// Request is one execution: a command with its arguments, at an instance.
type Request struct {
	Command string
	Args    map[string]json.RawMessage
	// Params are the instance's parameters.
	Params json.RawMessage
	// Instance is the name of the instance, and Brand the vendor name of its scores.
	Instance, Brand string
	// Investigation is the ID of the incident that the command runs in.
	Investigation string
	// Debug asks for more lines in the log.
	Debug bool
}

// Result is the outcome of an execution. With an error there may be entries of the parts that succeeded before it.
type Result struct {
	Entries []warroom.Entry
	Err     error
	Metrics *defender.Metrics
	// Commit, when set, must be called once the entries have been handed over.
	Commit func(ctx context.Context) error

	command string
	// uncounted reports whether the platform expects nothing but the answer itself.
	uncounted bool
}

// Counted reports whether there are requests to tell the platform about. It does not want those of its own commands.
func (r Result) Counted() bool {
	counted := false
	if r.Metrics != nil && !r.uncounted && r.command != commands.FetchCommand && r.command != commands.TestCommand {
		r.Metrics.Each(func(defender.Outcome, int) { counted = true })
	}
	return counted
}

// Failed is the result of an execution that could not begin.
func Failed(err error) Result { return Result{Err: err} }

// Runner carries executions out, one after another, for any instances. Nothing of one instance is kept for
// another.
type Runner struct {
	system.System

	// Commands finds a command by its name.
	Commands *commands.Registry
	// Version is the program's version.
	Version string
	// Errors receives the details of a mistake in the code.
	Errors io.Writer
	// Limits bound the requests; zero values mean the client's defaults.
	Limits defender.Limits
	// Progress, when set, receives the progress of long requests.
	Progress defender.Progress
	// Large, when set, is called when an answer turns out to be large: then there is work for several processors. It returns how
	// much memory the process may use in bytes, or 0 if that is not limited.
	Large      func() (memory int64)
	Transports *Transports
	// Process stores the tokens of sign-in modes that do not write them to the integration context.
	Process *auth.ProcessTokens
	// Mirrored keeps what was read for mirroring from one execution to the next; nil keeps nothing.
	Mirrored *commands.MirrorMemories
	// Decoded keeps the instance of one execution for the next; nil keeps nothing.
	Decoded *Instances
}

// answersWithin returns how many bytes of answers an execution may hold in a process that may use the given memory in bytes. The text of
// an answer is held once; what is made of it on its way to the platform takes less than a third as much again.
func answersWithin(memory int64) int64 {
	return min(max((memory-ownMemory)*3/4, leastAnswer), defender.LargestAnswer)
}

const (
	// ownMemory is how much the process takes without an answer, with some room.
	ownMemory = 24 << 20
	// leastAnswer is the least that every command can work with.
	leastAnswer = 4 << 20
)

// UnknownCommandError means that the integration has no such command.
type UnknownCommandError struct{ Name string }

func (e *UnknownCommandError) Error() string {
	return fmt.Sprintf("There is no command %q: update the integration, or check the name.", e.Name)
}

// shownError is an error with a text fit for people, whatever its source: without secrets of the instance, without hidden
// characters, and without endless lines.
type shownError struct {
	err  error
	text string
}

// longestLine is the largest number of characters shown of a line of an error. The middle of a longer one is left out: its
// end says what to do.
const longestLine = 1000

// readable makes a text fit to be shown.
func readable(text string) string {
	lines := strings.Split(warroom.Visible(text), "\n")
	for i, line := range lines {
		if characters := []rune(line); len(characters) > longestLine {
			const begin, end = longestLine * 2 / 3, longestLine / 3
			lines[i] = string(characters[:begin]) + " […] " + string(characters[len(characters)-end:])
		}
	}
	return strings.Join(lines, "\n")
}

func (e *shownError) Error() string { return e.text }

func (e *shownError) Unwrap() error { return e.err }

// Run carries an execution out. A panic is reported as an error, with its details on Errors.
func (r *Runner) Run(ctx context.Context, request Request, host commands.Host) (result Result) {
	result.command = request.Command
	var instance params.Instance
	defer func() {
		if caught := recover(); caught != nil {
			result.Err = &commands.PanicError{Value: caught, Stack: debug.Stack()}
		}
		r.explain(result.Err, instance)
		if result.Err != nil {
			result.Err = &shownError{result.Err, readable(instance.Redact(result.Err.Error()))}
		}
	}()
	command, known := r.Commands.Find(request.Command)
	if !known {
		result.Err = &UnknownCommandError{request.Command}
		return result
	}
	instance, err := r.Decoded.decode(request.Params, r.Getenv)
	if err != nil {
		result.Err = err
		return result
	}
	result.uncounted = command.Mirrors
	limits := r.Limits
	if command.Mirrors {
		limits.Patience = commands.MirrorPatience
	}
	reads := newContextReads(host, r.Now)
	if len(command.Uses) > 0 && commands.SharesQuota(request.Command) {
		reads.prefetch() // the quota reads it before the first request
	}
	run := r.prepare(request, instance, reads, limits)
	result.Metrics = run.API.Metrics()
	done, err := command.Execute(ctx, run, request.Args)
	result.Entries, result.Commit, result.Err = done.Entries, done.Commit, err
	if request.Debug {
		host.Log(ctx, command.Name+" spent "+spent(result.Metrics))
	}
	if cause := context.Cause(ctx); cause != nil && result.Err != nil && !defender.MayHaveActed(result.Err) {
		result.Err = cause
	}
	return result
}

// spent says how many requests a command made, and how they ended.
func spent(metrics *defender.Metrics) string {
	total := 0
	var outcomes []string
	metrics.Each(func(outcome defender.Outcome, requests int) {
		total += requests
		outcomes = append(outcomes, fmt.Sprintf("%d %s", requests, outcome))
	})
	if total == 0 {
		return "no requests"
	}
	return fmt.Sprintf("%d of the application's requests: %s", total, strings.Join(outcomes, ", "))
}

// Diagnose examines the connection of the request's instance, also if its parameters are not usable.
func (r *Runner) Diagnose(ctx context.Context, request Request, host commands.Host) (*diagnosis.Diagnosis, error) {
	instance, err := r.Decoded.decode(request.Params, r.Getenv)
	if problems, ok := errors.AsType[*params.Problems](err); ok {
		return diagnosis.OfConfiguration(problems), nil
	}
	if err != nil {
		return nil, &shownError{err, readable(err.Error())}
	}
	return r.prepare(request, instance, newContextReads(host, r.Now), r.Limits).Diagnose(ctx), nil
}

// explain writes the details of a mistake in the code to the operator.
func (r *Runner) explain(err error, instance params.Instance) {
	if mistake, ok := errors.AsType[*commands.PanicError](err); ok {
		fmt.Fprintf(r.Errors, "xsoar-defender: panic: %s\n%s\n", instance.Redact(fmt.Sprint(mistake.Value)), instance.Redact(string(mistake.Stack)))
	}
}

// large returns what the client calls for a large answer. The memory of the process does not limit what the instance does.
func (r *Runner) large(limited bool) func() int64 {
	if r.Large == nil {
		return nil
	}
	return func() int64 {
		memory := r.Large()
		if limited || memory == 0 {
			return 0
		}
		return answersWithin(memory)
	}
}

// prepare makes the sign-in and the API client of an instance for a command.
func (r *Runner) prepare(request Request, instance params.Instance, reads *contextReads, limits defender.Limits) *commands.Run {
	way := newNetwork(r.Transports, instance, r.Getenv, r.Now)
	environment := r.Environment(instance, request.Instance, &contextShare{contextReads: reads})
	var log *requestLog
	if request.Debug {
		log = &requestLog{now: r.Now, failures: map[string]int{}, write: func(line string) {
			reads.Log(context.Background(), readable(instance.Redact(line)))
		}}
	}
	transport := log.over(environment.Transport)
	environment.Transport, environment.Direct = way.signIn.over(transport), way.signIn.over(log.over(environment.Direct))
	signer := newSigner(instance, "", instance.Cloud.Hosts(), environment)
	if instance.LargestAnswer > 0 {
		limits.Body = instance.LargestAnswer
	}
	options := defender.Options{
		API: instance.Cloud.API, Tokens: tokens{signer}, Graph: instance.Cloud.Graph, Transport: way.api.over(transport),
		Clock: r.Clock, Version: r.Version, Limits: limits, Progress: r.Progress, Large: r.large(instance.LargestAnswer > 0),
		GraphTokens: func() (defender.TokenSource, error) {
			return tokens{newSigner(instance, instance.Cloud.GraphScope, []string{instance.Cloud.Graph.Hostname()}, environment)}, nil
		},
	}
	quota := commands.NewQuota(request.Command, &contextShare{contextReads: reads}, r.Now, r.Random)
	if quota != nil {
		options.Quota = quota
	}
	api := defender.New(options)
	access := &signIn{signer: signer, instance: instance, environment: environment, target: instance.Cloud.API}
	return &commands.Run{
		Instance: instance, API: api, Host: reads, SignIn: access, Now: r.Now, Random: r.Random, Brand: request.Brand, Quota: quota,
		Diagnose: func(ctx context.Context) *diagnosis.Diagnosis {
			return diagnosis.Diagnose(ctx, diagnosis.Subject{
				Instance: instance, API: api, SignIn: access, Network: way, Now: r.Now, Gaps: r.Commands.Gaps,
				Files: func() error { return warroom.ProbeFolder(reads) },
			})
		},
		InstanceName: request.Instance, Investigation: request.Investigation, Mirrored: r.Mirrored.Of(request.Instance, request.Params),
	}
}

// Environment returns what the instance of this name needs to sign in. The sign-in stores its tokens in integrationContext.
func (r *Runner) Environment(instance params.Instance, name string, integrationContext auth.IntegrationContext) auth.Environment {
	return auth.Environment{
		System: r.System, IntegrationContext: integrationContext, Transport: r.Transports.For(instance, r.Getenv),
		Direct: r.Transports.Direct(), Process: r.Process, InstanceName: name,
		Warn: func(err error) { fmt.Fprintln(r.Errors, "xsoar-defender: warning:", instance.Redact(err.Error())) },
	}
}

// signer hands out tokens, as *auth.Signer does.
type signer interface {
	Token(ctx context.Context, target *url.URL) (string, error)
	Renew(ctx context.Context, target *url.URL, rejected string) (string, error)
	Forget()
}

// newSigner makes a signer. If that fails, the error comes with the first token, as for any other failed sign-in: a diagnosis
// can still look at the rest of the instance.
func newSigner(instance params.Instance, scope string, hosts []string, environment auth.Environment) signer {
	made, err := auth.New(instance, scope, hosts, environment)
	if err != nil {
		return noSigner{err}
	}
	return made
}

// noSigner fails every request for a token.
type noSigner struct{ err error }

func (s noSigner) Token(context.Context, *url.URL) (string, error) { return "", s.err }

func (s noSigner) Renew(context.Context, *url.URL, string) (string, error) { return "", s.err }

func (noSigner) Forget() {}

// tokens adapts a signer to the client of the API.
type tokens struct{ signer }

// Renew returns the refused token if another sign-in yields the same one, so that the analyst sees the API's own refusal.
func (t tokens) Renew(ctx context.Context, target *url.URL, rejected string) (string, error) {
	fresh, err := t.signer.Renew(ctx, target, rejected)
	if errors.Is(err, auth.ErrSameToken) {
		return rejected, nil
	}
	return fresh, err
}

// signIn is the sign-in of the instance, for commands about the connection.
type signIn struct {
	signer      signer
	instance    params.Instance
	environment auth.Environment
	target      *url.URL
}

func (s *signIn) Forget() { s.signer.Forget() }

func (s *signIn) Claims(ctx context.Context) (auth.Claims, bool, error) {
	token, err := s.signer.Token(ctx, s.target)
	if err != nil {
		return auth.Claims{}, false, err
	}
	claims, readable := auth.ReadClaims(token)
	return claims, readable, nil
}

func (s *signIn) LoginURL(ctx context.Context) (string, error) {
	return auth.LoginURL(ctx, s.instance, s.environment)
}

func (s *signIn) Reset(ctx context.Context) error { return auth.Reset(ctx, s.environment) }
