package platform

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/warroom"
)

// TestThePipeIsWideForALargeMessageOnly looks at what the pipe holds before, during and after messages.
func TestThePipeIsWideForALargeMessageOnly(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	go io.Copy(io.Discard, reader) // until the pipe ends
	holds := func() int {
		size, err := unix.FcntlInt(writer.Fd(), unix.F_GETPIPE_SZ, 0)
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	out := &output{to: writer}
	for _, step := range []struct {
		what string
		do   func() error
		want int
	}{
		{"a small message", func() error { _, err := out.Write([]byte("{}\n")); return err }, holds()},
		{"a large one, in parts", func() error {
			var err error
			for range largeMessage / 4096 {
				_, err = out.Write(bytes.Repeat([]byte("x"), 4096))
			}
			return err
		}, widePipe},
		{"another one, at once", func() error { _, err := out.WriteString(strings.Repeat("x", largeMessage)); return err }, widePipe},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := holds(); got != step.want {
			t.Errorf("after %s the pipe holds %d bytes, want %d", step.what, got, step.want)
		}
	}
	for before := out.narrowed; holds() != before; out.narrow() { // until the reader has read all
		out.narrowed = before
	}
	if out.written != 0 {
		t.Errorf("the next message begins with %d bytes", out.written)
	}
	if _, err := unix.FcntlInt(writer.Fd(), unix.F_SETPIPE_SZ, 2*widePipe); err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteString(strings.Repeat("x", largeMessage)); err != nil {
		t.Fatal(err)
	}
	if out.narrow(); holds() != 2*widePipe {
		t.Errorf("a pipe that was wider holds %d bytes now, want %d", holds(), 2*widePipe)
	}
}

func TestWhatIsNoPipeIsWrittenToAsItIs(t *testing.T) {
	t.Parallel()
	var kept strings.Builder
	out := &output{to: &kept}
	if n, err := out.WriteString(strings.Repeat("x", 2*largeMessage)); n != 2*largeMessage || err != nil {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
	out.narrow()
	if kept.Len() != 2*largeMessage {
		t.Errorf("got %d bytes", kept.Len())
	}
}

// largeRunner answers with more than a megabyte.
type largeRunner struct{}

func (largeRunner) Run(context.Context, execution.Request, commands.Host) execution.Result {
	return execution.Result{Entries: []warroom.Entry{warroom.Say(strings.Repeat("x", 2*largeMessage))}}
}

// TestTheLoopMakesThePipeNarrowAgain looks at the pipe to the platform after a large message, and after the next line of the
// platform, of each kind.
func TestTheLoopMakesThePipeNarrowAgain(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{"a ping": "ping", "an execution that is malformed": "{", "an empty line": "\nping"} {
		in, platformsEnd := io.Pipe()
		reader, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		holds := func() int {
			size, err := unix.FcntlInt(out.Fd(), unix.F_GETPIPE_SZ, 0)
			if err != nil {
				t.Fatal(err)
			}
			return size
		}
		narrow := holds()
		served := make(chan error, 1)
		go func() {
			served <- Serve(t.Context(), Options{In: in, Out: out, Errors: io.Discard, Runner: largeRunner{}})
		}()
		said := bufio.NewReader(reader)
		wait := func(until string) {
			for {
				if text, err := said.ReadString('\n'); err != nil || strings.Contains(text, until) {
					return
				}
			}
		}
		io.WriteString(platformsEnd, `{"command":"any"}`+"\n")
		wait(`"completed"`)
		if got := holds(); got != widePipe {
			t.Errorf("%s: after a large message the pipe holds %d bytes, want %d", name, got, widePipe)
		}
		io.WriteString(platformsEnd, line+"\n")
		wait(`"type":"`)
		if got := holds(); got != narrow {
			t.Errorf("%s: after the next line the pipe holds %d bytes, want %d again", name, got, narrow)
		}
		platformsEnd.Close()
		go io.Copy(io.Discard, said)
		if err := <-served; err != nil {
			t.Errorf("%s: got %v", name, err)
		}
		out.Close()
		reader.Close()
	}
}
