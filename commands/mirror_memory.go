package commands

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"xsoar-defender/internal/rawjson"
)

// MirrorMemories keep what the process has read in the last round of mirroring, so that the platform's questions about
// each change cost no request. Nothing of it is written anywhere, and nothing of one instance serves another. The zero
// value is ready for use.
type MirrorMemories struct {
	mu      sync.Mutex
	entries map[string]configuredMemory // by the name of the instance
}

// configuredMemory is the memory of an instance with one configuration.
type configuredMemory struct {
	configuration [sha256.Size]byte // hash of the parameters
	memory        *MirrorMemory
}

// The bounds of what is remembered of one instance.
const (
	mirrorMemoryTime    = 3 * time.Minute
	mirrorMemoryObjects = 5000
	mirrorMemoryBytes   = 32 << 20
)

// MirrorMemory remembers the objects of one round of one instance. Its methods accept a nil receiver, which remembers nothing.
type MirrorMemory struct {
	mu      sync.Mutex
	round   string
	until   time.Time
	objects map[string]rawjson.Value
	// state is the state as it was last saved or read, to be decoded only once.
	state *mirrorState
}

// Of returns the memory of an instance with these parameters. What was remembered with others is forgotten: an instance that
// was edited does not ask for it again.
func (m *MirrorMemories) Of(name string, params json.RawMessage) *MirrorMemory {
	if m == nil {
		return nil
	}
	configuration := sha256.Sum256(params)
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept, known := m.entries[name]; known && kept.configuration == configuration {
		return kept.memory
	}
	if m.entries == nil {
		m.entries = map[string]configuredMemory{}
	}
	memory := &MirrorMemory{}
	m.entries[name] = configuredMemory{configuration, memory}
	return memory
}

// keep replaces the remembered objects by those of a round, as many as the bounds allow.
func (m *MirrorMemory) keep(round string, now time.Time, objects map[string]rawjson.Value) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.round, m.until, m.objects = round, now.Add(mirrorMemoryTime), make(map[string]rawjson.Value, min(len(objects), mirrorMemoryObjects))
	size := 0
	for id, object := range objects {
		if size += len(object); size > mirrorMemoryBytes || len(m.objects) == mirrorMemoryObjects {
			return
		}
		// A copy: the object would keep the whole answer in memory.
		m.objects[id] = rawjson.Value(strings.Clone(string(object)))
	}
}

// recall returns an object of a round, if it is still remembered.
func (m *MirrorMemory) recall(round, id string, now time.Time) (rawjson.Value, bool) {
	if m == nil || round == "" {
		return "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.After(m.until) {
		m.objects = nil
	}
	if m.round != round {
		return "", false
	}
	object, found := m.objects[id]
	return object, found
}

// forget drops an object that changed since it was read.
func (m *MirrorMemory) forget(id string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, id)
}

// takeState returns the state that has a text, if it is remembered. It is given to one execution only.
func (m *MirrorMemory) takeState(text string) *mirrorState {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.state
	m.state = nil
	if state == nil || state.saved != text {
		return nil
	}
	return state
}

// putState remembers a state that equals the one that the platform keeps.
func (m *MirrorMemory) putState(state *mirrorState) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = state
}
