package cli

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/execution"
	"xsoar-defender/internal/system"
	"xsoar-defender/internal/testclock"
)

// terminal is a terminal that keeps what it shows.
type terminal struct {
	lines  [][]rune
	column int
	// seen are the last lines after every write.
	seen []string
}

func (t *terminal) Write(part []byte) (int, error) {
	for _, r := range string(part) {
		if len(t.lines) == 0 || r == '\n' {
			t.lines = append(t.lines, nil)
		}
		last := &t.lines[len(t.lines)-1]
		switch {
		case r == '\n' || r == '\r':
			t.column = 0
		case t.column < len(*last):
			(*last)[t.column] = r
			t.column++
		default:
			*last = append(*last, r)
			t.column++
		}
	}
	t.seen = append(t.seen, t.last())
	return len(part), nil
}

func (t *terminal) last() string { return strings.TrimRight(string(t.lines[len(t.lines)-1]), " ") }

// playedProgress is a live progress on a terminal, whose clock advances when somebody sleeps.
func playedProgress(width int) (*progress, *terminal, *testclock.Clock) {
	clock := testclock.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	shown := &terminal{}
	p := &program{World: World{
		Runner: &execution.Runner{System: system.System{Clock: clock.Clock(), Getenv: func(string) string { return "" }}}, Errors: shown, Out: shown, ErrorsWidth: func() int { return width },
	}}
	_, live := p.withProgress(progressAuto)
	return live, shown, clock
}

func TestProgressSaysHowFarWorkIs(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	command := execution.Request{Command: "isolate"}
	for _, test := range []struct {
		name string
		tell func(p *progress, clock *testclock.Clock)
		want []string
	}{
		{
			"a list", func(p *progress, clock *testclock.Clock) {
				clock.Advance(time.Second)
				p.Listed("list machines", 10_000, 25_000, 1)
				clock.Advance(time.Second)
				p.Listed("list machines", 20_000, 25_000, 2)
			},
			[]string{
				"Continuing to list machines: 10000 of at most 25000 so far, in 1 request",
				"Continuing to list machines: 20000 of at most 25000 so far, in 2 requests",
			},
		},
		{
			"a download", func(p *progress, clock *testclock.Clock) {
				p.Downloaded(0, 10<<20)
				clock.Advance(2 * time.Second)
				p.Downloaded(4<<20, 10<<20)
				clock.Advance(3 * time.Second)
				p.Downloaded(10<<20, 10<<20)
			},
			[]string{"Downloading: 4.0 of 10.0 MB, 2.0 MB/s, 3s left", "Downloading: 10.0 of 10.0 MB, 2.0 MB/s"},
		},
		{
			"a download of unknown size", func(p *progress, clock *testclock.Clock) {
				p.Downloaded(0, -1)
				clock.Advance(time.Second)
				p.Downloaded(1<<19, -1)
			},
			[]string{"Downloading: 0.5 MB, 0.5 MB/s"},
		},
		{
			"a second download, which has its own time", func(p *progress, clock *testclock.Clock) {
				p.Downloaded(0, -1)
				clock.Advance(minute)
				p.Downloaded(0, 4<<20)
				clock.Advance(time.Second)
				p.Downloaded(2<<20, 4<<20)
			},
			[]string{"Downloading: 0.0 of 4.0 MB", "Downloading: 2.0 of 4.0 MB, 2.0 MB/s, 1s left"},
		},
		{
			"a wait that the service asks for", func(p *progress, _ *testclock.Clock) { p.Sleep(context.Background(), 2500*time.Millisecond) },
			[]string{
				"Waiting for the service, which accepts no requests for 3s", "Waiting for the service, which accepts no requests for 2s",
				"Waiting for the service, which accepts no requests for 1s",
			},
		},
		{"a pause that nobody notices", func(p *progress, _ *testclock.Clock) { p.Sleep(context.Background(), 500*time.Millisecond) }, nil},
		{
			"several actions", func(p *progress, clock *testclock.Clock) {
				p.await(context.Background(), scheduled{request: command, due: clock.Now().Add(2 * time.Second), end: clock.Now().Add(minute), done: 1, all: 3})
			},
			[]string{
				"1 of 3 actions done; asking again in 2s, giving up in 1m0s", "1 of 3 actions done; asking again in 1s, giving up in 59s",
			},
		},
		{
			"one action", func(p *progress, clock *testclock.Clock) {
				p.await(context.Background(), scheduled{request: command, due: clock.Now().Add(time.Second), all: 1})
			},
			[]string{"Not done yet; asking again in 1s"},
		},
		{
			"work that has just begun", func(p *progress, _ *testclock.Clock) { p.Listed("list machines", 1, 2, 1) }, nil,
		},
		{
			"work that tells all the time", func(p *progress, clock *testclock.Clock) {
				for range 100 {
					clock.Advance(10 * time.Millisecond)
					p.Downloaded(1<<20, 1<<20)
				}
			},
			slices.Repeat([]string{"Downloading: 1.0 of 1.0 MB"}, 5),
		},
	} {
		p, shown, clock := playedProgress(100)
		p.began = clock.Now().Add(time.Hour)
		test.tell(p, clock)
		if !slices.Equal(shown.seen, test.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", test.name, strings.Join(shown.seen, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

func TestProgressLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	live, shown, clock := playedProgress(30)
	clock.Advance(time.Second)
	live.Listed("list machines", 1, 2, 1)
	if got, want := shown.last(), "Continuing to list machines:…"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
	(&interruption{shown, live}).Write([]byte("a line\n"))
	live.Listed("list machines", 1, 2, 1) // too soon
	clock.Advance(time.Second)
	live.Listed("x", 1, 2, 1)
	live.clear()
	var lines []string
	for _, line := range shown.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	if want := []string{"a line", ""}; !slices.Equal(lines, want) {
		t.Errorf("the terminal shows %q, want %q", lines, want)
	}
}

func TestProgressIsLiveWhereItIsWanted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode  progressMode
		width func() int
		want  bool
	}{
		{progressAuto, nil, false},
		{progressAuto, func() int { return 0 }, false},
		{progressAuto, func() int { return 80 }, true},
		{progressAlways, func() int { return 0 }, true},
		{progressNever, func() int { return 80 }, false},
	} {
		var out bytes.Buffer
		clock := testclock.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		p := &program{World: World{Runner: &execution.Runner{System: system.System{Clock: clock.Clock(), Getenv: func(string) string { return "" }}}, Errors: &out, ErrorsWidth: test.width}}
		told, shown := p.withProgress(test.mode)
		err := shown.await(t.Context(), scheduled{request: execution.Request{Command: "isolate"}, due: clock.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "\r"); got != test.want {
			t.Errorf("%s: the line is written over: %t, want %t", test.mode, got, test.want)
		}
		if !test.want && out.String() != "isolate is not done yet; asking again in 1m0s.\n" {
			t.Errorf("%s: got %q, want the plain line", test.mode, &out)
		}
		if runner := told.progressRunner(shown); (runner.Progress != nil) != test.want {
			t.Errorf("%s: the runner tells its progress: %t, want %t", test.mode, runner.Progress != nil, test.want)
		}
	}
}

func TestWaitsOfTheProgressEndWithTheProgram(t *testing.T) {
	t.Parallel()
	p, _, _ := playedProgress(80)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupt := errors.New("interrupted")
	cancel(interrupt)
	if err := p.Sleep(ctx, time.Minute); !errors.Is(err, interrupt) {
		t.Errorf("got %v, want %v", err, interrupt)
	}
}

// TestTheLineGoesAwayWithWhatAnInterruptionShows interrupts a program, at which a terminal shows ^C behind the line.
func TestTheLineGoesAwayWithWhatAnInterruptionShows(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{80: "", 20: ""} {
		live, shown, clock := playedProgress(width)
		clock.Advance(time.Second)
		live.Downloaded(0, 10<<20)
		clock.Advance(time.Second)
		live.Downloaded(4<<20, 10<<20)
		if shown.last() == "" {
			t.Fatal("there is no line: the test shows nothing")
		}
		if room := width - 1 - len(shown.last()); room >= len("^C") { // else the terminal continues in the next line
			if _, err := shown.Write([]byte("^C")); err != nil {
				t.Fatal(err)
			}
		}
		live.clear()
		if got := shown.last(); got != want || shown.column != 0 {
			t.Errorf("on %d columns: got %q and the column %d, want an empty line", width, got, shown.column)
		}
	}
}
