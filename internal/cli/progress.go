package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"xsoar-defender/execution"
	"xsoar-defender/internal/system"
	"xsoar-defender/warroom"
)

// progressMode is when progress is shown in a changing line.
type progressMode string

const (
	progressAuto   progressMode = "auto" // on a terminal
	progressAlways progressMode = "always"
	progressNever  progressMode = "never"
)

// String returns the mode as it is typed.
func (m *progressMode) String() string { return string(*m) }

// Set reads the mode of a flag.
func (m *progressMode) Set(typed string) error {
	switch mode := progressMode(typed); mode {
	case progressAuto, progressAlways, progressNever:
		*m = mode
		return nil
	}
	return fmt.Errorf("%s, %s or %s", progressAuto, progressAlways, progressNever)
}

// Type names the values in the help.
func (*progressMode) Type() string { return "when" }

// flag adds the flag of the mode to a command.
func (m *progressMode) flag(command *cobra.Command) {
	*m = progressAuto
	command.Flags().Var(m, "progress", "show the progress of long work: auto (on a terminal), always or never")
	completeFlag(command, "progress", []string{string(progressAuto), string(progressAlways), string(progressNever)})
}

const (
	// drawEvery is the shortest time between two changes of the line: nobody reads faster. It is also how long work
	// takes before the line appears at all.
	drawEvery = 200 * time.Millisecond
	// longestTick is the longest time for which the remaining wait is shown unchanged.
	longestTick = time.Second
	// usualWidth is the assumed width if the standard error is not a terminal.
	usualWidth = 80
)

// progress shows how far work is: in one line of the standard error that is rewritten, or, if it is not live, with a
// line for every wait of a command. It does not use go-pretty's progress writer, which needs its own clock and
// goroutine.
type progress struct {
	out   io.Writer
	clock system.Clock
	// live is set if there is a changing line, of at most width columns.
	live     bool
	width    int
	ellipsis string

	mu sync.Mutex
	// shown is the number of columns that the line covers now.
	shown int
	// next is the earliest time of the next change.
	next time.Time
	// began is the start of the current download.
	began time.Time
}

// withProgress returns the progress of a command, and the program with all of its output written through it.
func (p *program) withProgress(mode progressMode) (*program, *progress) {
	width := 0
	if p.ErrorsWidth != nil {
		width = p.ErrorsWidth()
	}
	shown := &progress{
		out: p.Errors, clock: p.Clock, width: width,
		live:     mode == progressAlways || mode == progressAuto && width > 0 && !p.dumb(),
		ellipsis: screen{ascii: p.ascii()}.ellipsis(),
	}
	if width == 0 {
		shown.width = usualWidth
	}
	if !shown.live {
		return p, shown
	}
	shown.next = p.Now().Add(drawEvery)
	told := *p
	told.Out, told.Errors = &interruption{p.Out, shown}, &interruption{p.Errors, shown}
	return &told, shown
}

// progressRunner returns a runner that reports to the progress.
func (p *program) progressRunner(told *progress) *execution.Runner {
	runner := p.runner()
	if told.live {
		runner.Progress, runner.Sleep = told, told.Sleep
	}
	return runner
}

// interruption erases the line of the progress before it writes to a stream, which may be on the same terminal.
type interruption struct {
	to       io.Writer
	progress *progress
}

func (i *interruption) Write(part []byte) (int, error) {
	i.progress.mu.Lock()
	defer i.progress.mu.Unlock()
	i.progress.erase()
	return i.to.Write(part)
}

// Listed shows how far a list is.
func (p *progress) Listed(purpose string, items, limit, requests int) {
	p.draw("Continuing to %s: %d of at most %d so far, in %s", purpose, items, limit, counted(requests, "request"))
}

// Exported shows how far an export is.
func (p *progress) Exported(purpose string, records int64, part, parts int) {
	line := fmt.Sprintf("Continuing to %s: %d records so far, in part %d", purpose, records, part)
	if parts > 0 {
		line += fmt.Sprintf(" of %d", parts)
	}
	p.draw("%s", line)
}

// Downloaded shows how far a download is, its speed, and the time left.
func (p *progress) Downloaded(got, total int64) {
	taken := p.downloading(got)
	line := "Downloading: " + megabytes(got)
	if total > 0 {
		line += " of " + megabytes(total)
	}
	line += " MB"
	if rate := float64(got) / taken.Seconds(); taken > 0 {
		line += fmt.Sprintf(", %s MB/s", megabytes(int64(rate)))
		if total > got && got > 0 {
			line += ", " + roughly(time.Duration(float64(total-got)/rate*float64(time.Second))) + " left"
		}
	}
	p.draw("%s", line)
}

// downloading returns the time since the download began, which is when got is 0.
func (p *progress) downloading(got int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got == 0 {
		p.began = p.clock.Now()
	}
	return p.clock.Now().Sub(p.began)
}

// megabytes formats a size in bytes as megabytes.
func megabytes(size int64) string { return fmt.Sprintf("%.1f", float64(size)/(1<<20)) }

// counted returns a number with its noun, such as "2 requests".
func counted(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}

// roughly formats a duration in whole seconds, rounded up.
func roughly(span time.Duration) string {
	return (span + time.Second - 1).Truncate(time.Second).String()
}

// Sleep replaces the runner's sleep, which is only used to wait for the service or its rate limit.
func (p *progress) Sleep(ctx context.Context, wait time.Duration) error {
	if wait < longestTick {
		return p.clock.Sleep(ctx, wait)
	}
	return p.tick(ctx, wait, func(left time.Duration) string {
		return "Waiting for the service, which accepts no requests for " + roughly(left)
	})
}

// await waits until a scheduled run is due.
func (p *progress) await(ctx context.Context, next scheduled) error {
	wait := next.due.Sub(p.clock.Now())
	if !p.live {
		fmt.Fprintf(p.out, "%s is not done yet; asking again in %s.\n", next.request.Command, wait.Round(time.Second))
		return p.clock.Sleep(ctx, wait)
	}
	state := "Not done yet"
	if next.all > 1 {
		state = fmt.Sprintf("%d of %s done", next.done, counted(next.all, "action"))
	}
	return p.tick(ctx, wait, func(left time.Duration) string {
		line := state + "; asking again in " + roughly(left)
		if !next.end.IsZero() {
			line += ", giving up in " + roughly(next.end.Sub(p.clock.Now()))
		}
		return line
	})
}

// tick waits, and keeps showing the time that is left.
func (p *progress) tick(ctx context.Context, wait time.Duration, say func(left time.Duration) string) error {
	end := p.clock.Now().Add(wait)
	p.mu.Lock()
	p.next = p.clock.Now()
	p.mu.Unlock()
	for left := wait; left > 0; {
		p.draw("%s", say(left))
		step := min(left, longestTick)
		if err := p.clock.Sleep(ctx, step); err != nil {
			return err
		}
		left = min(left-step, end.Sub(p.clock.Now())) // the time that a machine was suspended counts as well
	}
	return nil
}

// draw writes the line, unless it changed a moment ago.
func (p *progress) draw(format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(drawEvery)
	// Some terminals wrap after a character in the last column.
	line := text.Snip(strings.Join(strings.Fields(warroom.Visible(fmt.Sprintf(format, values...))), " "), p.width-1, p.ellipsis)
	columns := text.StringWidthWithoutEscSequences(line)
	fmt.Fprint(p.out, "\r"+line+strings.Repeat(" ", max(0, p.shown-columns)))
	p.shown = columns
}

// clear erases the line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// erase overwrites the line with spaces, which every terminal understands, including the ^C that a terminal shows behind it
// when the user interrupts the program.
func (p *progress) erase() {
	const interrupted = "^C"
	if p.shown > 0 {
		fmt.Fprint(p.out, "\r"+strings.Repeat(" ", min(p.shown+len(interrupted), p.width-1))+"\r")
		p.shown = 0
	}
}
