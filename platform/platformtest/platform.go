// Package platformtest is the platform's half of the conversation with a plugin, for tests. It starts the plugin
// as a process, or serves it within the test, sends executions, answers the callbacks as the platform does, and
// returns what was reported.
package platformtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// RefusedMark comes before the reason when the platform refuses a callback.
const RefusedMark = "[ERROR-fd5a7750-7182-4b38-90ba-091824478903]"

// Platform is a platform with the data that it keeps for one instance. Plugins that share it see the same integration context,
// as the processes and engines of an installation do. The zero value is not a platform; use New.
type Platform struct {
	mu      sync.Mutex
	context json.RawMessage
	number  int // of the context's version
	lastRun json.RawMessage
	// mirrorRun is the state that the last round of mirroring left behind.
	mirrorRun json.RawMessage
	release   string
	history   []json.RawMessage
	refused   int
	use       ContextUse
}

// ContextUse says how the platform treats the integration context.
type ContextUse int

const (
	// ContextKept is the usual: it is read and written.
	ContextKept ContextUse = iota
	// ContextIgnored finds nothing in it and accepts what is written without keeping it, as while an instance is tested that is
	// not saved.
	ContextIgnored
	// ContextRefused refuses to read and to write it.
	ContextRefused
	// ContextReadOnly refuses to write it.
	ContextReadOnly
)

// UseContext says what the platform does with the integration context from now on.
func (p *Platform) UseContext(use ContextUse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.use = use
}

// New makes a platform of a recent release that keeps nothing yet.
func New() *Platform {
	return &Platform{context: json.RawMessage(`{}`), number: 1, lastRun: json.RawMessage(`{}`), mirrorRun: json.RawMessage(`{}`), release: "8.9.0"}
}

// Context returns the integration context.
func (p *Platform) Context() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.context)
}

// SetContext replaces the integration context, as another process would.
func (p *Platform) SetContext(value json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.context = bytes.Clone(value)
	p.number++
}

// History returns every integration context that was written, the oldest first.
func (p *Platform) History() []json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]json.RawMessage{}, p.history...)
}

// Conflicts is how many writes were refused because somebody else had written in between.
func (p *Platform) Conflicts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// LastRun returns what the last fetch left behind.
func (p *Platform) LastRun() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.lastRun)
}

// SetLastRun replaces it.
func (p *Platform) SetLastRun(value json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastRun = bytes.Clone(value)
}

// answer returns the line with which the platform answers a callback.
func (p *Platform) answer(m message) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m.callback() {
	case "getIntegrationContext":
		switch p.use {
		case ContextIgnored:
			return `{}`
		case ContextRefused:
			return RefusedMark + "the integration context is not available"
		case ContextKept, ContextReadOnly:
		}
		return fmt.Sprintf(`{"context":%s,"version":{"version":%d,"sequenceNumber":%d,"primaryTerm":1}}`, p.context, p.number, p.number)
	case "setIntegrationContext":
		return p.write(m)
	case "getLastRun":
		return string(p.lastRun)
	case "setLastRun":
		p.lastRun = m.Args.Value
	case "getLastMirrorRun":
		return string(p.mirrorRun)
	case "setLastMirrorRun":
		p.mirrorRun = m.Args.Value
	case "findUser":
		return "null"
	case "demistoVersion":
		return fmt.Sprintf(`{"version":%q,"buildNumber":"1"}`, p.release)
	case "demistoUrls":
		return `{"server":"https://xsoar.example"}`
	case "getFilePath":
		return RefusedMark + "no such entry"
	}
	return "{}"
}

// unconditional is the version with which the context is written whatever it is.
const unconditional = -1

// write changes the integration context, unless it has another version than the one that the plugin has read.
func (p *Platform) write(m message) string {
	switch p.use {
	case ContextIgnored:
		return `{}`
	case ContextRefused, ContextReadOnly:
		return RefusedMark + "the integration context is not available"
	case ContextKept:
	}
	wanted, known := m.version()
	if !known || (wanted != unconditional && wanted != p.number) {
		p.refused++
		return RefusedMark + "object version conflict"
	}
	p.context = m.Args.Value
	p.history = append(p.history, m.Args.Value)
	p.number++
	return "{}"
}

// message is a line of the plugin.
type message struct {
	Type    string  `json:"type"`
	Command string  `json:"command"`
	Results []Entry `json:"results"`
	Args    struct {
		Value     json.RawMessage `json:"value"`
		Version   json.RawMessage `json:"version"`
		Exception []string        `json:"exception"`
		Args      []string        `json:"args"`
		Message   string          `json:"message"`
	} `json:"args"`
}

// callback returns the name of the callback that a message asks for.
func (m message) callback() string {
	if m.Type == "log" || m.Command == "" {
		return m.Type
	}
	return m.Command
}

// version is the one under which the plugin has read what it writes.
func (m message) version() (number int, known bool) {
	if json.Unmarshal(m.Args.Version, &number) == nil {
		return number, true
	}
	var version struct {
		Version *int `json:"version"`
	}
	if json.Unmarshal(m.Args.Version, &version) != nil || version.Version == nil {
		return 0, false
	}
	return *version.Version, true
}
