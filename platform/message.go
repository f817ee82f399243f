package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/execution"
	"xsoar-defender/warroom"
)

// executionLine is the platform's request to run a command. Other keys are ignored.
type executionLine struct {
	Command string                     `json:"command"`
	Args    map[string]json.RawMessage `json:"args"`
	Params  json.RawMessage            `json:"params"`
	Native  bool                       `json:"native"`
	// Integration is false for a script that names the image of the integration as its own.
	Integration *bool `json:"integration"`
	Context     struct {
		Inv struct {
			ID string `json:"id"`
		} `json:"Inv"`
		IntegrationInstance string `json:"IntegrationInstance"`
		IntegrationBrand    string `json:"IntegrationBrand"`
		IsDebug             bool   `json:"IsDebug"`
	} `json:"context"`
}

// errScript answers a script that is sent to the image: there is no interpreter that could run it.
var errScript = errors.New("this image runs only the Microsoft Defender for Endpoint integration, and no scripts: " +
	"choose an image with Python for the script, such as demisto/python3")

// debugArgument is the argument that the platform adds to a run with debugging on.
const debugArgument = "debug-mode"

// DecodeExecution reads an execution line. It also returns the id of the investigation, which names files, and
// whether the process must end after this execution.
func DecodeExecution(text []byte) (request execution.Request, investigation string, native bool, err error) {
	var decoded executionLine
	if err := json.Unmarshal(text, &decoded); err != nil {
		if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			if wrongType.Field == "" {
				return execution.Request{}, "", false, errors.New("the execution line is not a JSON object")
			}
			return execution.Request{}, "", decoded.Native, fmt.Errorf("the execution line has a wrong value for %s", wrongType.Field)
		}
		// The text of a syntax error could quote the line, which holds the instance's secrets.
		return execution.Request{}, "", false, errors.New("the execution line is not JSON")
	}
	if decoded.Integration != nil && !*decoded.Integration {
		return execution.Request{}, "", decoded.Native, errScript
	}
	if decoded.Command == "" {
		return execution.Request{}, "", decoded.Native, errors.New("the execution line names no command")
	}
	delete(decoded.Args, debugArgument)
	return execution.Request{
		Command:  decoded.Command,
		Args:     decoded.Args,
		Params:   decoded.Params,
		Instance: decoded.Context.IntegrationInstance,
		Brand:    decoded.Context.IntegrationBrand,
		Debug:    decoded.Context.IsDebug,

		Investigation: decoded.Context.Inv.ID,
	}, decoded.Context.Inv.ID, decoded.Native, nil
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

// leastWait is the shortest time after which the platform runs a command again.
const leastWait = 10 * time.Second

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
	fields.text("NextRun", seconds(max(poll.After, leastWait)))
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
