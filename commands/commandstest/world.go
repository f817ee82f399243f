package commandstest

import (
	"math/rand/v2"
	"sync"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/internal/testclock"
)

// Brand is the vendor name of the instance's scores.
const Brand = commands.Brand

// Start is the time at which every test begins.
func Start() time.Time { return time.Date(2026, time.November, 20, 10, 15, 0, 0, time.UTC) }

// NewClock returns a clock that shows Start.
func NewClock() *testclock.Clock { return testclock.New(Start()) }

// Random is a source of pseudo-random bytes for several goroutines that is the same in every run.
type Random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// NewRandom returns a new source.
func NewRandom() *Random { return &Random{source: rand.NewChaCha8([32]byte{})} }

// Read fills into.
func (r *Random) Read(into []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(into)
}
