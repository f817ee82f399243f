// Package platform speaks the Cortex XSOAR platform's protocol: lines of JSON come in, entries go out. Nothing
// outside this package knows what a line looks like.
package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/system"
	"xsoar-defender/warroom"
)

// Runner carries executions out.
type Runner interface {
	Run(ctx context.Context, request execution.Request, host commands.Host) execution.Result
}

// Options are the loop's surroundings.
type Options struct {
	system.System

	In  io.Reader
	Out io.Writer
	// Errors receives free text for an operator.
	Errors io.Writer
	// Files is the folder in which the platform looks for files; "" is the working directory.
	Files  string
	Runner Runner
	// Resources limits what the process takes of the machine; nil leaves it as it is.
	Resources *Resources
	// Grace is how long an execution may continue after the process was asked to end: 5 s when zero.
	Grace time.Duration
}

const defaultGrace = 5 * time.Second

// lastWords is how long a process that must end waits, after Grace, for the platform to take its last lines.
const lastWords = time.Second

// loop is one process that serves the platform.
type loop struct {
	options Options
	out     *output
	// encoder writes every message but pong; it is kept, for its buffer is the largest thing a small execution needs.
	encoder *warroom.Encoder
	lines   <-chan line
	// ended is closed at the end of the input.
	ended <-chan struct{}
	// cut reports whether the input ended in the middle of a callback.
	cut bool
	// abandoned reports whether a question was given up because the process must end. Its answer may still come, so that no
	// further line can be told from it.
	abandoned bool
	// counts reports whether the platform takes metrics entries; nil until it was asked. It does not change
	// during the life of the process.
	counts *bool
}

// Serve answers the platform until its input ends or ctx does. Neither is an error. An execution that runs when ctx ends has
// the time of Grace; after it, or at the end of the input, after which nobody can answer callbacks, the execution is cancelled.
// Serve returns even if the platform no longer reads: then the error is ErrNotRead.
func Serve(ctx context.Context, o Options) error {
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	stop := make(chan struct{})
	defer close(stop)
	out := &output{to: o.Out}
	l := &loop{options: o, out: out, encoder: warroom.NewEncoder(out)}
	l.lines, l.ended = readLines(o.In, stop)
	served := make(chan error, 1)
	go func() { served <- l.serveAll(ctx) }()
	select {
	case err := <-served:
		return err
	case <-l.overdue(ctx, stop):
		return ErrNotRead
	}
}

// ErrNotRead means that the process had to end while the platform did not take what it had to say.
var ErrNotRead = errors.New("the platform did not read the output before the end of the process")

// overdue returns a channel that is closed when everything should have ended since ctx or the input did.
func (l *loop) overdue(ctx context.Context, stop <-chan struct{}) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-l.ended:
		case <-stop:
			return
		}
		time.AfterFunc(l.options.Grace+lastWords, func() { close(over) })
	}()
	return over
}

// serveAll answers line after line.
func (l *loop) serveAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case next, open := <-l.lines:
			if !open {
				return nil
			}
			l.options.Resources.begin()
			last, err := l.serve(ctx, next)
			l.options.Resources.end()
			if l.cut {
				fmt.Fprintln(l.options.Errors, "xsoar-defender:", errInputEnded)
				return nil
			}
			if err != nil || last {
				return err
			}
		}
	}
}

// serve answers one line; last reports whether the process must end then.
func (l *loop) serve(ctx context.Context, next line) (last bool, err error) {
	l.out.narrow()
	text := strings.TrimSpace(string(next.text))
	switch {
	case next.err == nil && text == "":
		return false, nil
	case isPing(next):
		return false, l.write(pong)
	case next.err != nil:
		return false, l.complete(ctx, execution.Failed(fmt.Errorf("the execution line could not be read: %w", next.err)), nil, false)
	}
	request, last, err := DecodeExecution(text)
	if err != nil {
		return last, l.complete(ctx, execution.Failed(err), nil, false)
	}
	running, end := l.running(ctx)
	defer end()
	host := &host{loop: l, investigation: request.Investigation, stopped: running.Done()}
	result := l.options.Runner.Run(running, request, host)
	host.prefetched() // so that no answer is left for the next execution
	if l.cut {
		return true, nil
	}
	err = l.complete(ctx, result, host, request.Command == commands.FetchCommand)
	return last || l.abandoned, err
}

// pong answers ping, with which the platform checks whether the process is there.
const pong = `{"type":"pong"}`

func isPing(l line) bool { return l.err == nil && string(bytes.TrimSpace(l.text)) == "ping" }

// running returns the context of an execution, which outlives ctx by the grace period and ends with the input.
func (l *loop) running(ctx context.Context) (running context.Context, end func()) {
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stopping := context.AfterFunc(ctx, func() {
		time.AfterFunc(l.options.Grace, func() { cancel(errStopped) })
	})
	go func() {
		select {
		case <-l.ended:
			cancel(errInputEnded)
		case <-running.Done():
		}
	}()
	return running, func() { stopping(); cancel(nil) }
}

var errStopped = errors.New("the platform stopped the integration before the command had ended")

// complete reports a result and the end of the execution.
func (l *loop) complete(ctx context.Context, result execution.Result, host *host, fetch bool) error {
	message := l.encoder
	if fetch && result.Err != nil {
		// The platform reads no entries of a failed fetch.
		fields := fieldWriter{encoder: message, separator: "{"}
		fields.text("type", "exception")
		fields.json("args", map[string][]string{"exception": {result.Err.Error()}})
		message.Raw("}")
	} else {
		counted := host != nil && result.Counted() && l.takesMetrics(host)
		message.Raw(`{"type":"result","results":`)
		writeResults(message, result, counted)
		message.Raw("}")
	}
	message.Line()
	if result.Commit != nil && result.Err == nil {
		if err := message.Flush(); err != nil {
			return err
		}
		if err := result.Commit(ctx); err != nil {
			fmt.Fprintln(l.options.Errors, "xsoar-defender: saving the progress of the fetch:", err)
		}
	}
	message.Raw(`{"type":"completed"}`)
	message.Line()
	return message.Flush()
}

// takesMetrics reports whether the platform understands metrics entries, which it does from 6.8 on.
func (l *loop) takesMetrics(host *host) bool {
	if l.counts == nil {
		version, err := host.version()
		if err != nil {
			return false
		}
		takes := atLeast(version, 6, 8)
		l.counts = &takes
	}
	return *l.counts
}

func atLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	gotMajor, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	gotMinor, err := strconv.Atoi(second)
	return gotMajor > major || (gotMajor == major && err == nil && gotMinor >= minor)
}

func (l *loop) write(text string) error {
	_, err := io.WriteString(l.out, text+"\n")
	return err
}
