package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/platform"
	"xsoar-defender/platform/platformtest"
	"xsoar-defender/warroom"
)

// FuzzLoop sends any lines to the loop, with a runner that asks the platform for something and repeats what it was asked:
// what comes out is lines of JSON, and every result is followed by its end.
func FuzzLoop(f *testing.F) {
	request := platformtest.Request{Command: "a", Args: map[string]any{"x": "y"}}.Line()
	for _, seed := range [][2]string{
		{request, `{"context":{},"version":{"version":1}}`},
		{request, "[ERROR-fd5a7750-7182-4b38-90ba-091824478903]no"},
		{request, ""},
		{request, "null"},
		{request, "ping"},
		{"ping", "ping"},
		{"", " "},
		{"\r", "{}"},
		{`{"command":"a","native":true}`, "{"},
		{`{"command":"\u2028\ud800"}`, "\xff"},
		{`{"command":"a","args":{"a":1,"a":2}}`, "[]"},
		{"{\"command\":\"\x00\"}", "\x00"},
	} {
		f.Add(seed[0], seed[1])
	}
	runner := runnerFunc(func(ctx context.Context, request execution.Request, host commands.Host) execution.Result {
		values, err := host.Load(ctx)
		entries := []warroom.Entry{warroom.Say(request.Command), {Contents: warroom.Text(request.Instance), Context: []warroom.Context{{Path: request.Brand, Value: warroom.Text(request.Command)}}}}
		for name, value := range values {
			entries = append(entries, warroom.Say(name+string(value)))
		}
		return execution.Result{Entries: entries, Err: err}
	})
	f.Fuzz(func(t *testing.T, first, second string) {
		var out bytes.Buffer
		input := first + "\n" + second + "\nping\nping\n"
		// A callback in the middle of which the input ends is an error of the loop.
		_ = platform.Serve(t.Context(), platform.Options{
			System: atOnce(), In: strings.NewReader(input), Out: &out, Errors: io.Discard, Files: t.TempDir(), Runner: runner, Grace: time.Millisecond,
		})
		results, completed := 0, 0
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) || !utf8.ValidString(line) {
				t.Fatalf("got %q, want lines of JSON", line)
			}
			var message struct{ Type string }
			if err := json.Unmarshal([]byte(line), &message); err != nil {
				t.Fatalf("got %q: %v, want messages", line, err)
			}
			switch message.Type {
			case "result", "exception":
				results++
			case "completed":
				completed++
			}
		}
		if results != completed {
			t.Errorf("got %d results and %d ends in %q, want every execution to be completed", results, completed, out.String())
		}
	})
}
