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
	"xsoar-defender/warroom"
)

// progressMode says when progress is shown in a line that changes.
type progressMode string

const (
	progressAuto   progressMode = "auto" // on a terminal
	progressAlways progressMode = "always"
	progressNever  progressMode = "never"
)

// String gives the mode as it is typed.
func (m *progressMode) String() string { return string(*m) }

// Set reads the mode of a flag.
func (m *progressMode) Set(typed string) error {
	switch mode := progressMode(typed); mode {
	case progressAuto, progressAlways, progressNever:
		*m = mode
		return nil
	}
	return fmt.Errorf("it is one of %s, %s and %s", progressAuto, progressAlways, progressNever)
}

// Type names the values in the help.
func (*progressMode) Type() string { return "when" }

// flag gives a command the flag of the mode.
func (m *progressMode) flag(command *cobra.Command) {
	*m = progressAuto
	command.Flags().Var(m, "progress", "show how far long work is: auto (on a terminal), always or never")
	err := command.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(
		[]cobra.Completion{string(progressAuto), string(progressAlways), string(progressNever)}, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // only for a flag that is not there
	}
}

const (
	// drawEvery is how often the line of the progress changes at the most: more nobody reads. It is also how long work
	// takes before there is a line at all.
	drawEvery = 200 * time.Millisecond
	// longestTick is how long a wait goes on before what is left of it is said anew.
	longestTick = time.Second
	// usualWidth is that of a terminal that is none.
	usualWidth = 80
)

// progress says how far work is: in one line of the standard error that is written over and over, or, when it is not
// live, with a line for every wait of a command. It is a writer of our own, because that of go-pretty counts on a
// clock of its own, in a goroutine of its own.
type progress struct {
	out   io.Writer
	now   func() time.Time
	sleep func(ctx context.Context, wait time.Duration) error
	// live has the line, which is as wide as the terminal at the most.
	live  bool
	width int

	mu sync.Mutex
	// shown is how many columns of the line stand there.
	shown int
	// next is when the line may change.
	next time.Time
	// began is when the download began that is under way.
	began time.Time
}

// withProgress makes the progress of a command, and the program with everything written through it.
func (p *program) withProgress(mode progressMode) (*program, *progress) {
	width := 0
	if p.ErrorsWidth != nil {
		width = p.ErrorsWidth()
	}
	shown := &progress{
		out: p.Errors, now: p.Now, sleep: p.Sleep, width: width,
		live: mode == progressAlways || mode == progressAuto && width > 0,
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

// progressRunner is the runner that tells the progress what it does.
func (p *program) progressRunner(told *progress) *execution.Runner {
	runner := p.runner()
	if told.live {
		runner.Progress, runner.Sleep = told, told.Sleep
	}
	return runner
}

// interruption writes to a stream after the line of the progress was taken away, which may stand on the same terminal.
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

// Listed says how far a list is.
func (p *progress) Listed(purpose string, items, limit, requests int) {
	p.draw("Going on to %s: %d of at most %d so far, in %s", purpose, items, limit, counted(requests, "request"))
}

// Downloaded says how far a download is, how fast it is, and what time it still needs.
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

// downloading gives how long a download has been under way, which begins when nothing has come.
func (p *progress) downloading(got int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got == 0 {
		p.began = p.now()
	}
	return p.now().Sub(p.began)
}

// megabytes is a size in megabytes.
func megabytes(size int64) string { return fmt.Sprintf("%.1f", float64(size)/(1<<20)) }

// counted is a number of things.
func counted(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}

// roughly is a time span in whole seconds, of which one that has begun counts.
func roughly(span time.Duration) string {
	return (span + time.Second - 1).Truncate(time.Second).String()
}

// Sleep waits in place of the runner, which waits only because the service, or its rate, asks for it.
func (p *progress) Sleep(ctx context.Context, wait time.Duration) error {
	if wait < longestTick {
		return p.sleep(ctx, wait)
	}
	return p.tick(ctx, wait, func(left time.Duration) string {
		return "Waiting for the service, which takes no request for " + roughly(left)
	})
}

// await waits for the time of a run.
func (p *progress) await(ctx context.Context, next scheduled) error {
	wait := next.due.Sub(p.now())
	if !p.live {
		fmt.Fprintf(p.out, "%s is not done yet; asking again in %s.\n", next.request.Command, wait.Round(time.Second))
		return p.sleep(ctx, wait)
	}
	state := "Not done yet"
	if next.all > 1 {
		state = fmt.Sprintf("%d of %s done", next.done, counted(next.all, "action"))
	}
	return p.tick(ctx, wait, func(left time.Duration) string {
		line := state + "; asking again in " + roughly(left)
		if !next.end.IsZero() {
			line += ", giving up in " + roughly(next.end.Sub(p.now()))
		}
		return line
	})
}

// tick waits, and says at once and then again and again what is left.
func (p *progress) tick(ctx context.Context, wait time.Duration, say func(left time.Duration) string) error {
	end := p.now().Add(wait)
	p.mu.Lock()
	p.next = p.now()
	p.mu.Unlock()
	for left := wait; left > 0; {
		p.draw("%s", say(left))
		step := min(left, longestTick)
		if err := p.sleep(ctx, step); err != nil {
			return err
		}
		left = min(left-step, end.Sub(p.now())) // a machine that slept meanwhile has waited as well
	}
	return nil
}

// draw writes the line, unless it has changed a moment ago.
func (p *progress) draw(format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(drawEvery)
	// In the last column some terminals go to the next line.
	line := text.Snip(strings.Join(strings.Fields(warroom.Visible(fmt.Sprintf(format, values...))), " "), p.width-1, "…")
	columns := text.StringWidthWithoutEscSequences(line)
	fmt.Fprint(p.out, "\r"+line+strings.Repeat(" ", max(0, p.shown-columns)))
	p.shown = columns
}

// clear takes the line away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// erase does it with spaces, which every terminal understands, and takes along what a terminal shows behind the line
// when the user interrupts the program.
func (p *progress) erase() {
	const interrupted = "^C"
	if p.shown > 0 {
		fmt.Fprint(p.out, "\r"+strings.Repeat(" ", min(p.shown+len(interrupted), p.width-1))+"\r")
		p.shown = 0
	}
}
