package warroom

import (
	"bufio"
	"io"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/rawjson"
)

// Value is anything that the context or the contents of an entry can hold.
type Value interface {
	// EncodeJSON writes the value as JSON without line breaks.
	EncodeJSON(e *Encoder)
}

// JSON returns a value as the text of its JSON.
func JSON(value Value) rawjson.Value {
	var text strings.Builder
	encoder := NewEncoder(&text)
	value.EncodeJSON(encoder)
	// A builder takes everything that is written to it.
	_ = encoder.Flush()
	return rawjson.Value(text.String())
}

// Raw is an answer of the service as received.
type Raw rawjson.Value

// EncodeJSON writes the answer as received. The answer without a body becomes null.
func (r Raw) EncodeJSON(e *Encoder) {
	if r == "" {
		r = "null"
	}
	e.Raw(string(r))
}

// Text is a text value.
type Text string

// EncodeJSON writes the text as a JSON string.
func (t Text) EncodeJSON(e *Encoder) { e.Text(string(t)) }

// Texts is a list of text values.
type Texts []string

// EncodeJSON writes the list as a JSON array of strings.
func (t Texts) EncodeJSON(e *Encoder) {
	encodeList(e, t, e.Text)
}

// encodeList writes items as a JSON array.
func encodeList[T any](e *Encoder, items []T, encode func(T)) {
	e.Raw("[")
	for i, item := range items {
		if i > 0 {
			e.Raw(",")
		}
		encode(item)
	}
	e.Raw("]")
}

// Values is a list of any values.
type Values []Value

// EncodeJSON writes the list as a JSON array.
func (v Values) EncodeJSON(e *Encoder) {
	encodeList(e, v, func(item Value) { item.EncodeJSON(e) })
}

// Pair is one key of a Group.
type Pair struct {
	Key   string
	Value Value
}

// Group is an object whose keys keep the order given.
type Group []Pair

// EncodeJSON writes the group as a JSON object.
func (g Group) EncodeJSON(e *Encoder) {
	e.Raw("{")
	for i, pair := range g {
		if i > 0 {
			e.Raw(",")
		}
		e.Text(pair.Key)
		e.Raw(":")
		pair.Value.EncodeJSON(e)
	}
	e.Raw("}")
}

// Encoder writes JSON straight to an output, so that a large answer is never held a second time.
// The first write error is kept and returned by Flush.
type Encoder struct {
	out     *bufio.Writer
	scratch []byte
}

// encoderBuffer is the size of one write to the output in bytes.
const encoderBuffer = 32 << 10

// cellBuffer is that of an Encoder for one cell of a table.
const cellBuffer = 256

// NewEncoder returns an Encoder that writes to out.
func NewEncoder(out io.Writer) *Encoder { return newEncoder(out, encoderBuffer) }

func newEncoder(out io.Writer, buffer int) *Encoder {
	return &Encoder{out: bufio.NewWriterSize(out, buffer)}
}

// Raw writes JSON as it is. A line break in it, which in valid JSON is only between tokens, becomes
// a space: one message is one line.
func (e *Encoder) Raw(raw string) {
	for more := true; more; {
		var line string
		line, raw, more = strings.Cut(raw, "\n")
		e.rawLine(line)
		if more {
			e.write(" ")
		}
	}
}

// rawLine writes the text between two line feeds; the other half of a line break becomes a space as well.
func (e *Encoder) rawLine(line string) {
	for more := true; more; {
		var part string
		part, line, more = strings.Cut(line, "\r")
		e.write(part)
		if more {
			e.write(" ")
		}
	}
}

// Text writes text as a JSON string. Invalid UTF-8 becomes the replacement character.
func (e *Encoder) Text(text string) {
	e.scratch = gjson.AppendJSONString(e.scratch[:0], text)
	e.out.Write(e.scratch) //nolint:errcheck // bufio keeps the first error for Flush
	if cap(e.scratch) > maxScratch {
		e.scratch = nil
	}
}

// maxScratch bounds the memory that an Encoder keeps between texts, in bytes.
const maxScratch = 1 << 20

// JSON writes any plain Go value. Bytes of JSON in it that are no UTF-8, such as those of an argument that is passed on,
// become the replacement character.
func (e *Encoder) JSON(v any) { e.Raw(strings.ToValidUTF8(string(rawjson.Make(v)), "\uFFFD")) }

// Line ends a message.
func (e *Encoder) Line() { e.write("\n") }

// Flush hands everything written to the output and returns the first error.
func (e *Encoder) Flush() error { return e.out.Flush() }

// begin returns a buffer for JSON that is put together by appending to it, which takes half the time of writing each part. end
// writes it; nothing else may be written in between.
func (e *Encoder) begin() []byte { return e.out.AvailableBuffer() }

func (e *Encoder) end(text []byte) {
	e.out.Write(text) //nolint:errcheck // bufio keeps the first error for Flush
}

func (e *Encoder) write(text string) {
	e.out.WriteString(text) //nolint:errcheck // bufio keeps the first error for Flush
}
