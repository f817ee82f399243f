// Package platform speaks the Cortex XSOAR platform's protocol: lines of JSON come in, entries go out. Nothing
// outside this package knows what a line looks like.
package platform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/warroom"
)

// Runner carries executions out.
type Runner interface {
	Run(ctx context.Context, request execution.Request, host commands.Host) execution.Result
}

// Options are the loop's surroundings.
type Options struct {
	In  io.Reader
	Out io.Writer
	// Errors receives free text for an operator.
	Errors io.Writer
	// Files is the folder in which the platform looks for files; "" is the working directory.
	Files  string
	Runner Runner
	Random io.Reader
	Sleep  func(ctx context.Context, wait time.Duration) error
	// Grace is how long an execution may go on after the process was asked to end: 5 s when zero.
	Grace time.Duration
}

const defaultGrace = 5 * time.Second

// loop is one process that serves the platform.
type loop struct {
	options Options
	out     *output
	// encoder writes every message but pong; it is kept, for its buffer is the largest thing a small execution needs.
	encoder *warroom.Encoder
	lines   <-chan line
	// cut reports whether the input ended in the middle of a callback.
	cut bool
	// counts reports whether the platform takes metrics entries; nil until it was asked. It does not change
	// during the life of the process.
	counts *bool
}

// Serve answers the platform until its input ends, which is no error, or ctx does: then the execution that
// runs has the time of Grace to end, is cancelled otherwise, and is reported as completed in any case.
func Serve(ctx context.Context, o Options) error {
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	stop := make(chan struct{})
	defer close(stop)
	out := &output{to: o.Out}
	l := &loop{options: o, out: out, encoder: warroom.NewEncoder(out), lines: readLines(o.In, stop)}
	for {
		select {
		case <-ctx.Done():
			return nil
		case next, open := <-l.lines:
			if !open {
				return nil
			}
			last, err := l.serve(ctx, next)
			if l.cut {
				return errInputEnded
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
	case text == "ping":
		return false, l.write(`{"type":"pong"}`)
	case next.err != nil:
		return false, l.complete(ctx, execution.Failed(fmt.Errorf("the execution line could not be read: %w", next.err)), nil, false)
	}
	request, investigation, native, err := DecodeExecution(next.text)
	if err != nil {
		return native, l.complete(ctx, execution.Failed(err), nil, false)
	}
	running, end := l.running(ctx)
	defer end()
	host := &host{loop: l, investigation: investigation, stopped: running.Done()}
	result := l.options.Runner.Run(running, request, host)
	if l.cut {
		return true, errInputEnded
	}
	return native, l.complete(ctx, result, host, request.Command == commands.FetchCommand)
}

// running returns the context of an execution, which outlives ctx by the grace period.
func (l *loop) running(ctx context.Context) (running context.Context, end func()) {
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stopping := context.AfterFunc(ctx, func() {
		time.AfterFunc(l.options.Grace, func() { cancel(errStopped) })
	})
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
		if l.cut {
			return errInputEnded
		}
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
		if l.cut {
			return errInputEnded
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
