package platform

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// refusedMark comes before the reason in the platform's answer to a callback that it refuses.
const refusedMark = "[ERROR-fd5a7750-7182-4b38-90ba-091824478903]"

// errInputEnded means that the platform closed the plugin's input while an execution ran.
var errInputEnded = errors.New("the platform closed the input in the middle of an execution")

// RefusedError is the platform's refusal of a callback.
type RefusedError struct{ Callback, Reason string }

func (e *RefusedError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("The platform refused %s and gave no reason.", e.Callback)
	}
	return fmt.Sprintf("The platform refused %s: %s.", e.Callback, strings.TrimRight(e.Reason, "."))
}

// host is the platform as a command sees it during one execution.
type host struct {
	loop          *loop
	investigation string
	// stopped is closed when the execution is cancelled because the process must end.
	stopped <-chan struct{}

	mu sync.Mutex // one callback at a time: answers come in the order of the questions
	// early is the question that Prefetch asked; nil if there is none, or once its answer has been used.
	early *question
}

// question is a callback that was asked before its answer is needed.
type question struct {
	asked    time.Time
	answered bool
	answer   rawjson.Value
	err      error
}

// earlyLife is how long the answer to an early question counts.
const earlyLife = time.Second

// Prefetch asks for the integration context, which the platform then looks up while the command is prepared. The next Load gets
// that answer, if it comes soon enough.
func (h *host) Prefetch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	if h.ask("executeCommand", "getIntegrationContext", map[string]any{"refresh": false}) == nil {
		h.early = &question{asked: h.loop.options.Now()}
	}
}

// settle waits for the answer to an early question, which comes before any other.
func (h *host) settle() {
	if h.early != nil && !h.early.answered {
		h.early.answer, h.early.err = h.answer("getIntegrationContext")
		h.early.answered = true
	}
}

// prefetched returns the early question with its answer, once; nil if there is none that still counts.
func (h *host) prefetched() *question {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	early := h.early
	h.early = nil
	if early != nil && h.loop.options.Now().Sub(early.asked) >= earlyLife {
		return nil
	}
	return early
}

// callback asks the platform and waits for its one line of answer.
func (h *host) callback(kind, command string, args any) (rawjson.Value, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settle()
	if err := h.ask(kind, command, args); err != nil {
		return "", h.loop.needed(err)
	}
	answer, err := h.answer(cmp.Or(command, kind))
	return answer, h.loop.needed(err)
}

// ask writes a question to the platform.
func (h *host) ask(kind, command string, args any) error {
	select {
	case <-h.loop.ended: // nobody would answer
		return errInputEnded
	default:
	}
	if h.loop.abandoned {
		return errStopped
	}
	message := h.loop.encoder
	fields := fieldWriter{encoder: message, separator: "{"}
	fields.text("type", kind)
	if command != "" {
		fields.text("command", command)
	}
	if args != nil {
		fields.json("args", args)
	}
	message.Raw("}")
	message.Line()
	if err := message.Flush(); err != nil {
		return fmt.Errorf("writing to the platform: %w", err)
	}
	return nil
}

// answer waits for the platform's line of answer to the question with this name. Only the end of the process ends the wait
// early: after any other end, an answer that comes late would be taken for that of the next callback.
func (h *host) answer(name string) (rawjson.Value, error) {
	reply, err := h.reply()
	for err == nil && isPing(reply) { // an answer never is: the platform asks while the question is on its way
		if err = h.loop.write(pong); err == nil {
			reply, err = h.reply()
		}
	}
	if err != nil {
		return "", fmt.Errorf("waiting for the answer to %s: %w", name, err)
	}
	if reply.err != nil {
		return "", fmt.Errorf("the answer to %s: %w", name, reply.err)
	}
	text := string(reply.text)
	if _, reason, refused := strings.Cut(text, refusedMark); refused {
		return "", &RefusedError{Callback: name, Reason: strings.TrimSpace(reason)}
	}
	if strings.TrimSpace(text) == "" {
		return "{}", nil
	}
	object, err := rawjson.Parse(text)
	if err != nil {
		return "", fmt.Errorf("the answer to %s: %w", name, err)
	}
	return object, nil
}

// reply returns the platform's next line. One that is there counts even if the process must end.
func (h *host) reply() (line, error) {
	select {
	case next, open := <-h.loop.lines:
		return next, endOfInput(open)
	case <-h.stopped:
	}
	select {
	case next, open := <-h.loop.lines:
		return next, endOfInput(open)
	case <-h.loop.ended:
		return line{}, errInputEnded
	default:
		h.loop.abandoned = true
		return line{}, errStopped
	}
}

func endOfInput(open bool) error {
	if !open {
		return errInputEnded
	}
	return nil
}

// needed passes on the error of a callback whose answer was needed, and notes if the input ended instead.
func (l *loop) needed(err error) error {
	if errors.Is(err, errInputEnded) {
		l.cut = true
	}
	return err
}

func (h *host) execute(command string, args any) (rawjson.Value, error) {
	return h.callback("executeCommand", command, args)
}

// versioned is the integration context with the version under which it was read.
type versioned struct {
	values  map[string]json.RawMessage
	version json.RawMessage
}

func (h *host) integrationContext(refresh bool) (versioned, error) {
	got, err := h.execute("getIntegrationContext", map[string]any{"refresh": refresh})
	if err != nil {
		return versioned{}, err
	}
	return readContext(got)
}

// errNoContext means that the platform's answer is not one to a question for the integration context. It does not count as an empty
// context: what is made of that would be written over what all processes of the instance keep there.
var errNoContext = errors.New("the platform's answer to getIntegrationContext has no context")

// readContext reads the platform's answer.
func readContext(got rawjson.Value) (versioned, error) {
	read := versioned{values: map[string]json.RawMessage{}, version: json.RawMessage("-1")}
	version, kept := got.Key("version"), got.Key("context")
	if !version.Exists() && !kept.Exists() || kept.Type != gjson.Null && !kept.IsObject() {
		return versioned{}, errNoContext
	}
	if version.Exists() {
		read.version = json.RawMessage(version.Raw)
	}
	rawjson.Value(kept.Raw).Each(func(key string, value rawjson.Value) {
		read.values[key] = json.RawMessage(value)
	})
	return read, nil
}

// Load reads the integration context.
func (h *host) Load(context.Context) (map[string]json.RawMessage, error) {
	early := h.prefetched()
	if early == nil {
		read, err := h.integrationContext(false)
		return read.values, err
	}
	if early.err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		return nil, h.loop.needed(early.err)
	}
	read, err := readContext(early.answer)
	return read.values, err
}

// writeTries is how often a write of the integration context is tried while other processes keep getting in first.
const writeTries = 32

// Update changes the integration context under its version, so that nothing that another process wrote in
// between is lost: after a conflict the newest context is read and changed again. A refusal after which the version
// is still the same is not a conflict, and another try would not help.
func (h *host) Update(ctx context.Context, change func(values map[string]json.RawMessage) (bool, error)) error {
	h.prefetched() // is not used: it may be older than what another process has written since
	read, err := h.integrationContext(false)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		changed, err := change(read.values)
		if err != nil || !changed {
			return err
		}
		_, err = h.execute("setIntegrationContext", map[string]any{"value": read.values, "version": read.version, "sync": true})
		if _, refused := errors.AsType[*RefusedError](err); !refused {
			return err
		}
		refusal := fmt.Errorf("writing the integration context: %w", err)
		if try == writeTries {
			return refusal
		}
		if err := h.loop.options.Sleep(ctx, conflictWait(h.loop.options.Random, try)); err != nil {
			return err
		}
		newest, err := h.integrationContext(true)
		if err != nil {
			return err
		}
		if string(newest.version) == string(read.version) {
			return refusal
		}
		read = newest
	}
}

// longestConflictWait bounds the wait after a conflict. With it two hundred processes that write at once, as many as a
// platform with several engines runs, are done within four seconds.
const longestConflictWait = time.Second

// conflictWait returns a short random wait, longer after every conflict, so that several processes do not meet again.
func conflictWait(random io.Reader, try int) time.Duration {
	most := min(10*time.Millisecond<<min(try, 10), longestConflictWait)
	drawn, err := rand.Int(random, big.NewInt(int64(most)))
	if err != nil {
		return most
	}
	return time.Duration(drawn.Int64())
}

// LastRun returns what the previous fetch left behind.
func (h *host) LastRun(context.Context) (json.RawMessage, error) {
	got, err := h.execute("getLastRun", map[string]any{})
	return json.RawMessage(got), err
}

// lastRunTries is how often saving the last run is tried if the platform refuses it.
const lastRunTries = 5

// SetLastRun leaves something behind for the next fetch. A refusal may pass, such as that of a database which is busy, and
// after one that does not the next fetch hands the same incidents over again.
func (h *host) SetLastRun(ctx context.Context, value json.RawMessage) error {
	for try := 1; ; try++ {
		_, err := h.execute("setLastRun", map[string]any{"value": value})
		if _, refused := errors.AsType[*RefusedError](err); !refused || try == lastRunTries {
			return err
		}
		if h.loop.options.Sleep(ctx, conflictWait(h.loop.options.Random, try)) != nil {
			return err
		}
	}
}

// MirrorRun returns the state that the previous round of mirroring saved. Platforms before 6.6 refuse it.
func (h *host) MirrorRun(context.Context) (json.RawMessage, error) {
	got, err := h.execute("getLastMirrorRun", map[string]any{})
	return json.RawMessage(got), err
}

// SetMirrorRun saves the state for the next round of mirroring.
func (h *host) SetMirrorRun(_ context.Context, value json.RawMessage) error {
	_, err := h.execute("setLastMirrorRun", map[string]any{"value": value})
	return err
}

// FindUser returns a user of the platform by name or by email address, or an empty object if it knows no such user.
func (h *host) FindUser(_ context.Context, username, email string) (rawjson.Value, error) {
	found, err := h.execute("findUser", map[string]any{"username": username, "email": email})
	if items := found.Items(""); len(items) > 0 {
		found = items[0] // some releases answer with a list
	}
	if err != nil || !found.Get("@this").IsObject() {
		return "{}", err
	}
	return found, nil
}

// Log writes a line to the platform's log of the integration.
func (h *host) Log(_ context.Context, text string) {
	if _, err := h.callback("log", "debug", map[string]any{"args": []string{text}}); err != nil {
		fmt.Fprintln(h.loop.options.Errors, "xsoar-defender: writing to the platform's log:", err)
	}
}

// version asks for the platform's version, such as "8.9.0".
func (h *host) version() (string, error) {
	got, err := h.callback("demistoVersion", "", nil)
	return got.Text("version"), err
}

// readable is the mode of files for the War Room, of which the umask takes away. The server that collects them may be
// another user than the container's.
const readable = 0o644

// Create opens a file where the platform looks for files of an investigation: in the working directory, under
// the investigation's and the file's id.
func (h *host) Create() (string, warroom.OutputFile, error) {
	drawn, err := uuid.NewRandomFromReader(h.loop.options.Random)
	if err != nil {
		return "", nil, fmt.Errorf("naming a file: %w", err)
	}
	file, err := os.OpenFile(h.file(drawn.String()), os.O_CREATE|os.O_EXCL|os.O_RDWR, readable)
	if err != nil {
		return "", nil, fmt.Errorf("creating a file for the War Room: %w", err)
	}
	return drawn.String(), file, nil
}

// Discard removes a file that was not completed.
func (h *host) Discard(id string) error { return os.Remove(h.file(id)) }

// Reopen opens a file that was created in an earlier execution of the same investigation.
func (h *host) Reopen(id string) (warroom.OutputFile, error) {
	if uuid.Validate(id) != nil {
		return nil, fmt.Errorf("opening a file for the War Room: %w", fs.ErrNotExist)
	}
	file, err := os.OpenFile(h.file(id), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a file for the War Room: %w", err)
	}
	return file, nil
}

// Open asks the platform where the file of an entry is.
func (h *host) Open(_ context.Context, entry string) (string, warroom.InputFile, error) {
	got, err := h.callback("getFileByEntryID", "getFilePath", map[string]any{"id": entry})
	if err != nil {
		return "", nil, &warroom.FileError{Entry: entry, Err: err}
	}
	path := got.Text("path")
	if path == "" {
		return "", nil, &warroom.FileError{Entry: entry, Err: errors.New("the platform knows no file of this entry")}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(h.loop.options.Files, path)
	}
	file, err := warroom.OpenInput(path)
	if err != nil {
		return "", nil, &warroom.FileError{Entry: entry, Err: err}
	}
	name := cmp.Or(got.Text("name"), path)
	return name[strings.LastIndexAny(name, `/\`)+1:], file, nil
}

func (h *host) file(id string) string {
	return filepath.Join(h.loop.options.Files, filepath.Base(h.investigation)+"_"+id)
}
