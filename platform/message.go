package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// errScript answers a script that is sent to the image: there is no interpreter that could run it.
var errScript = errors.New("this image runs only the Microsoft Defender for Endpoint integration, and no scripts: " +
	"choose an image with Python for the script, such as demisto/python3")

// debugArgument is the argument that the platform adds to a run with debugging on.
const debugArgument = "debug-mode"

// DecodeExecution reads an execution line, an object whose unknown keys are ignored. last reports whether the process must
// end after this execution.
func DecodeExecution(text string) (request execution.Request, last bool, err error) {
	parsed, err := rawjson.Parse(text)
	switch { // no text may quote the line, which holds the instance's secrets
	case errors.Is(err, rawjson.ErrTooDeep):
		return execution.Request{}, false, fmt.Errorf("the execution line is %w", err)
	case err != nil:
		return execution.Request{}, false, errors.New("the execution line is not JSON")
	case !parsed.Get("@this").IsObject():
		return execution.Request{}, false, errors.New("the execution line is not a JSON object")
	}
	l := executionLine{text: parsed}
	request = execution.Request{
		Command:  l.string("command"),
		Args:     l.object("args"),
		Params:   json.RawMessage(parsed.Key("params").Raw),
		Instance: l.string("context.IntegrationInstance"),
		Brand:    l.string("context.IntegrationBrand"),
		Debug:    l.flag("context.IsDebug", false),

		Investigation: l.string("context.Inv.id"),
	}
	last = l.flag("native", false)
	integration := l.flag("integration", true)
	switch {
	case l.wrong != "":
		return execution.Request{}, last, fmt.Errorf("the execution line has a wrong value for %s", l.wrong)
	case !integration: // a script that names the image of the integration as its own
		return execution.Request{}, last, errScript
	case request.Command == "":
		return execution.Request{}, last, errors.New("the execution line names no command")
	}
	delete(request.Args, debugArgument)
	return request, last, nil
}

// executionLine reads the platform's request to run a command. A value that is missing or null is the fallback.
type executionLine struct {
	text rawjson.Value
	// wrong names a value of another type than it must have.
	wrong string
}

func (l *executionLine) string(path string) string {
	return l.read(path, gjson.String, gjson.String).Str
}

func (l *executionLine) flag(path string, fallback bool) bool {
	value := l.read(path, gjson.True, gjson.False)
	return value.Type == gjson.True || value.Type == gjson.Null && fallback
}

func (l *executionLine) object(path string) map[string]json.RawMessage {
	value := l.read(path, gjson.JSON, gjson.JSON)
	if value.IsArray() {
		l.wrong = path
	}
	if !value.IsObject() {
		return nil
	}
	members := make(map[string]json.RawMessage)
	rawjson.Value(value.Raw).Each(func(key string, member rawjson.Value) { members[key] = json.RawMessage(member) })
	return members
}

// read reads a value that has one of two types.
func (l *executionLine) read(path string, one, other gjson.Type) gjson.Result {
	value := l.text.Get(path)
	if value.Type == gjson.Null || value.Type == one || value.Type == other {
		return value
	}
	l.wrong = path
	return gjson.Result{}
}

// EncodeResults writes the entries of a result, those that the platform gets, as one JSON document.
func EncodeResults(out io.Writer, result execution.Result) error {
	document := warroom.NewEncoder(out)
	document.Raw(`{"results":`)
	writeResults(document, result, result.Counted())
	document.Raw("}")
	document.Line()
	return document.Flush()
}

// writeResults writes the list of the entries of a result.
func writeResults(e *warroom.Encoder, result execution.Result, counted bool) {
	entries := result.Entries
	if result.Err != nil {
		entries = append(slices.Clip(entries), warroom.Fail(result.Err.Error()))
	}
	e.Raw("[")
	for i, entry := range entries {
		if i > 0 {
			e.Raw(",")
		}
		writeEntry(e, entry)
	}
	if counted {
		if len(entries) > 0 {
			e.Raw(",")
		}
		writeMetrics(e, result.Metrics)
	}
	e.Raw("]")
}

// The types of entries in the protocol.
const (
	typeNote    = 1
	typeFile    = 3
	typeError   = 4
	typeInfo    = 9
	typeWarning = 11
	typeMetrics = 19
)

// writeEntry writes an entry straight to the output, so that a large answer is not held a second time.
func writeEntry(e *warroom.Encoder, entry warroom.Entry) {
	fields := fieldWriter{encoder: e, separator: "{"}
	fields.raw("Type", strconv.Itoa(typeOf(entry.Kind)))
	readable := warroom.Markdown(entry.Blocks)
	switch {
	case entry.Kind == warroom.Failure:
		fields.text("ContentsFormat", "text")
		fields.text("Contents", warroom.Plain(entry.Blocks))
	case entry.File != nil:
		fields.text("ContentsFormat", "text")
		fields.text("Contents", "")
	case entry.Literal != "":
		fields.text("ContentsFormat", "text")
		fields.text("Contents", entry.Literal)
	case entry.Contents != nil && entry.Contents != warroom.Raw(""):
		fields.text("ContentsFormat", "json")
		fields.value("Contents", entry.Contents)
	default:
		fields.text("ContentsFormat", "text")
		fields.text("Contents", readable)
	}
	if entry.Kind != warroom.Failure && readable != "" {
		fields.text("HumanReadable", readable)
		fields.text("ReadableContentsFormat", "markdown")
	}
	writeContext(&fields, entry.Context)
	if entry.File != nil {
		fields.text("File", entry.File.Name)
		fields.text("FileID", entry.File.ID)
	}
	writePoll(&fields, entry.Poll)
	fields.raw("IgnoreAutoExtract", "false")
	fields.raw("Note", strconv.FormatBool(entry.Pinned))
	if len(entry.Tags) > 0 {
		fields.json("Tags", entry.Tags)
	}
	fields.raw("IndicatorTimeline", "[]")
	fields.raw("Relationships", "[]")
	e.Raw("}")
}

func typeOf(kind warroom.Kind) int {
	switch kind {
	case warroom.Warning:
		return typeWarning
	case warroom.Failure:
		return typeError
	case warroom.Download:
		return typeFile
	case warroom.Info:
		return typeInfo
	}
	return typeNote
}

func writeContext(fields *fieldWriter, context []warroom.Context) {
	if len(context) == 0 {
		return
	}
	paths := make(warroom.Group, len(context))
	for i, one := range context {
		paths[i] = warroom.Pair{Key: one.Path, Value: one.Value}
	}
	fields.value("EntryContext", paths)
}

func writePoll(fields *fieldWriter, poll *warroom.Poll) {
	if poll == nil {
		return
	}
	fields.text("PollingCommand", poll.Command)
	fields.text("NextRun", seconds(max(poll.After, warroom.LeastWait)))
	fields.json("PollingArgs", poll.Args)
	if poll.Limit > 0 {
		fields.text("Timeout", seconds(poll.Limit))
	}
}

// seconds rounds up: asked again too early, the service refuses again.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// writeMetrics writes the entry that counts requests by outcome.
func writeMetrics(e *warroom.Encoder, metrics *defender.Metrics) {
	type count struct {
		Type          string
		APICallsCount int
	}
	counts := []count{}
	metrics.Each(func(outcome defender.Outcome, requests int) {
		counts = append(counts, count{outcome.String(), requests})
	})
	fields := fieldWriter{encoder: e, separator: "{"}
	fields.raw("Type", strconv.Itoa(typeMetrics))
	fields.text("ContentsFormat", "text")
	fields.text("Contents", "Requests made to the Defender API.")
	fields.json("APIExecutionMetrics", counts)
	e.Raw("}")
}

// fieldWriter writes the keys of one object.
type fieldWriter struct {
	encoder   *warroom.Encoder
	separator string
}

func (f *fieldWriter) key(name string) {
	f.encoder.Raw(f.separator + `"` + name + `":`)
	f.separator = ","
}

func (f *fieldWriter) raw(name, value string)  { f.key(name); f.encoder.Raw(value) }
func (f *fieldWriter) text(name, value string) { f.key(name); f.encoder.Text(value) }
func (f *fieldWriter) json(name string, v any) { f.key(name); f.encoder.JSON(v) }

func (f *fieldWriter) value(name string, v warroom.Value) { f.key(name); v.EncodeJSON(f.encoder) }
