package platformtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a plugin may take for a line before a test gives it up. No test waits for it unless the
// plugin hangs.
const Patience = 60 * time.Second

// Request is an execution.
type Request struct {
	Command string
	Args    map[string]any
	Params  map[string]any
	// Instance is the instance's name; "instance" when empty.
	Instance      string
	Native, Debug bool
}

// Line is the execution line of the request.
func (r Request) Line() string {
	instance := r.Instance
	if instance == "" {
		instance = "instance"
	}
	args := r.Args
	if args == nil {
		args = map[string]any{}
	}
	text, err := json.Marshal(map[string]any{
		"command": r.Command, "args": args, "params": r.Params, "integration": true, "native": r.Native, "script": "",
		"code_version": "1", "reset_code_cache": false, "is_running_heartbeat": false, "heartbeat_interval": 30,
		"context": map[string]any{
			"Inv": map[string]string{"id": Investigation}, "Incidents": []any{map[string]string{"id": "1"}},
			"ParentEntry": map[string]any{}, "ExecutionContext": map[string]any{}, "IntegrationInstance": instance,
			"IntegrationBrand": "Microsoft Defender Advanced Threat Protection", "IsDebug": r.Debug,
		},
	})
	if err != nil {
		panic(err) // a mistake in the test
	}
	return string(text)
}

// Investigation is the id of the investigation that executions belong to.
const Investigation = "1"

// Entry is a War Room entry as the platform reads it.
type Entry struct {
	Type           int
	ContentsFormat string
	Contents       json.RawMessage
	HumanReadable  string
	EntryContext   map[string]json.RawMessage
	File, FileID   string
	PollingCommand string
	NextRun        string
	PollingArgs    map[string]any
	Timeout        string
	Tags           []string
	Note           bool
}

// The types of entries.
const (
	NoteEntry    = 1
	ErrorEntry   = 4
	MetricsEntry = 19
)

// Text returns Contents when it is a text.
func (e Entry) Text() string {
	var text string
	if json.Unmarshal(e.Contents, &text) != nil {
		return ""
	}
	return text
}

// Outcome is the result of an execution.
type Outcome struct {
	Entries []Entry
	// Exception is how a fetch says that it has failed.
	Exception []string
	// Log are the lines for the platform's log, and Callbacks the names of what the plugin asked for, in order.
	Log, Callbacks []string
}

// Failure is the text of the first error entry, or empty if no entry is one.
func (o Outcome) Failure() string {
	for _, entry := range o.Entries {
		if entry.Type == ErrorEntry {
			return entry.Text()
		}
	}
	return ""
}

// Shown are the entries other than the one with metrics.
func (o Outcome) Shown() []Entry {
	var shown []Entry
	for _, entry := range o.Entries {
		if entry.Type != MetricsEntry {
			shown = append(shown, entry)
		}
	}
	return shown
}

// Hook may answer a callback instead of the platform. An empty answer sends nothing.
type Hook func(callback string) (answer string, taken bool)

// Plugin is a running plugin.
type Plugin struct {
	// Files is the working directory, where the plugin puts files.
	Files string
	// Hook, when set, sees every callback first.
	Hook Hook
	// Kill, when set, says at every callback whether the plugin is killed then: the platform has done what it was
	// asked for, but its answer finds nobody.
	Kill func(callback string) bool

	platform *Platform
	in       io.WriteCloser
	lines    chan string
	stdout   *transcript
	stderr   *transcript
	process  *os.Process
	ended    chan error // one value when the plugin has ended
	input    sync.Once
}

// Start starts a program as a plugin, in a new folder unless it has one. It is killed at the end of the test if it
// still runs.
func (p *Platform) Start(t testing.TB, command *exec.Cmd) *Plugin {
	t.Helper()
	if command.Dir == "" {
		command.Dir = t.TempDir()
	}
	plugin := p.plugin(command.Dir)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatalf("the plugin's input: %v", err)
	}
	// A pipe of our own: Wait would close the command's before all of it was read.
	out, outWriter, err := os.Pipe()
	if err != nil {
		t.Fatalf("the plugin's output: %v", err)
	}
	command.Stdout, command.Stderr = outWriter, plugin.stderr
	if err := command.Start(); err != nil {
		t.Fatalf("starting the plugin: %v", err)
	}
	if err := outWriter.Close(); err != nil {
		t.Errorf("the plugin's output: %v", err)
	}
	plugin.in, plugin.process = in, command.Process
	read := plugin.read(out)
	go func() {
		<-read
		plugin.ended <- errors.Join(command.Wait(), out.Close())
	}()
	t.Cleanup(func() {
		// It may have ended by itself, which is fine.
		_ = command.Process.Kill()
		_ = plugin.CloseInput()
	})
	return plugin
}

// Serve runs a plugin within the test: serve gets its input, its output and its standard error.
func (p *Platform) Serve(t testing.TB, serve func(in io.Reader, out, errs io.Writer, files string) error) *Plugin {
	t.Helper()
	plugin := p.plugin(t.TempDir())
	in, inWriter := io.Pipe()
	out, outWriter := io.Pipe()
	plugin.in = inWriter
	read := plugin.read(out)
	go func() {
		err := serve(in, outWriter, plugin.stderr, plugin.Files)
		err = errors.Join(err, in.Close(), outWriter.Close())
		<-read
		plugin.ended <- err
	}()
	t.Cleanup(func() {
		_ = plugin.CloseInput()
		_ = out.Close()
	})
	return plugin
}

func (p *Platform) plugin(files string) *Plugin {
	return &Plugin{
		Files: files, platform: p, stdout: &transcript{}, stderr: &transcript{},
		lines: make(chan string, 1024), ended: make(chan error, 1),
	}
}

// read passes the plugin's lines on until its output ends.
func (p *Plugin) read(out io.Reader) (done <-chan struct{}) {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer close(p.lines)
		reader := bufio.NewReader(io.TeeReader(out, p.stdout))
		for {
			text, err := reader.ReadString('\n')
			if text != "" {
				p.lines <- strings.TrimSuffix(text, "\n")
			}
			if err != nil {
				return
			}
		}
	}()
	return finished
}

// ErrEnded means that the plugin's output ended where a line was expected.
var ErrEnded = errors.New("the plugin has closed its output")

// Receive returns the plugin's next line.
func (p *Plugin) Receive() (string, error) {
	select {
	case text, open := <-p.lines:
		if !open {
			return "", ErrEnded
		}
		return text, nil
	case <-time.After(Patience):
		return "", fmt.Errorf("no line from the plugin within %s", Patience)
	}
}

// Send sends a line as it is.
func (p *Plugin) Send(text string) error {
	_, err := io.WriteString(p.in, text+"\n")
	return err
}

// Ping asks whether the plugin is there.
func (p *Plugin) Ping() error {
	if err := p.Send("ping"); err != nil {
		return err
	}
	got, err := p.Receive()
	if err != nil {
		return err
	}
	if want := `{"type":"pong"}`; got != want {
		return fmt.Errorf("the answer to ping is %s, not %s", got, want)
	}
	return nil
}

// Run sends an execution and answers callbacks until it is completed.
func (p *Plugin) Run(request Request) (Outcome, error) {
	if err := p.Send(request.Line()); err != nil {
		return Outcome{}, err
	}
	return p.Complete()
}

// Complete answers callbacks until the execution that was sent is completed.
func (p *Plugin) Complete() (Outcome, error) {
	var outcome Outcome
	for {
		text, err := p.Receive()
		if err != nil {
			return outcome, err
		}
		var m message
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return outcome, fmt.Errorf("the plugin's line %.200q is not a message: %w", text, err)
		}
		switch m.Type {
		case "completed":
			return outcome, nil
		case "result":
			outcome.Entries = append(outcome.Entries, m.Results...)
			continue
		case "exception":
			outcome.Exception = append(outcome.Exception, m.Args.Exception...)
			continue
		case "entryLog":
			outcome.Log = append(outcome.Log, m.Args.Message)
			continue
		case "log":
			outcome.Log = append(outcome.Log, m.Args.Args...)
		}
		if m.Command == "heartbeat" {
			continue
		}
		outcome.Callbacks = append(outcome.Callbacks, m.callback())
		if err := p.reply(m); err != nil {
			return outcome, err
		}
	}
}

func (p *Plugin) reply(m message) error {
	if p.Hook != nil {
		if answer, taken := p.Hook(m.callback()); taken {
			if answer == "" {
				return nil
			}
			return p.Send(answer)
		}
	}
	answer := p.platform.answer(m)
	if p.Kill != nil && p.Kill(m.callback()) {
		return errors.Join(ErrKilled, p.process.Kill())
	}
	return p.Send(answer)
}

// ErrKilled means that Kill ended the plugin.
var ErrKilled = errors.New("the plugin was killed")

// Signal sends the plugin's process a signal.
func (p *Plugin) Signal(signal os.Signal) error { return p.process.Signal(signal) }

// CloseInput ends the plugin's input.
func (p *Plugin) CloseInput() error {
	var err error
	p.input.Do(func() { err = p.in.Close() })
	return err
}

// Wait waits for the plugin to end. Of a process that did not end well the error is an *exec.ExitError.
func (p *Plugin) Wait() error {
	select {
	case err := <-p.ended:
		p.ended <- err // for the next one that waits
		return err
	case <-time.After(Patience):
		return fmt.Errorf("the plugin has not ended within %s", Patience)
	}
}

// Close ends the plugin's input and waits for its end.
func (p *Plugin) Close() error { return errors.Join(p.CloseInput(), p.Wait()) }

// Output is everything that the plugin has written to its standard output so far.
func (p *Plugin) Output() string { return p.stdout.String() }

// Errors is everything that the plugin has written to its standard error so far.
func (p *Plugin) Errors() string { return p.stderr.String() }

// transcript collects what is written to it.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
