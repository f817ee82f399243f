package commands_test

import (
	"errors"
	"flag"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// soakFor is the number of executions of TestSoak: go test ./commands -run TestSoak -v -soak=20000.
var soakFor = flag.Int("soak", 400, "how many executions TestSoak makes")

// footprint is the resources that a process holds.
type footprint struct {
	goroutines, descriptors int
	heap                    uint64
}

// within reports whether a process holds no more of anything than most.
func (f footprint) within(most footprint) bool {
	return f.goroutines <= most.goroutines && f.descriptors <= most.descriptors && f.heap <= most.heap
}

// measure closes idle connections and collects garbage first, and allows a while for what ends by itself, such as the
// connections of a cut answer. It stops early when the process holds no more than enough.
func measure(t *testing.T, i *commandstest.Instance, enough footprint) footprint {
	t.Helper()
	i.CloseIdleConnections()
	var best footprint
	for round := 0; round == 0 || round < 50 && !best.within(enough); round++ {
		runtime.GC()
		now := footprint{goroutines: runtime.NumGoroutine(), descriptors: openDescriptors(t)}
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		now.heap = memory.HeapAlloc
		if round == 0 {
			best = now
		}
		best = footprint{min(best.goroutines, now.goroutines), min(best.descriptors, now.descriptors), min(best.heap, now.heap)}
	}
	return best
}

// openDescriptors returns the number of open files of the process, or 0 if the system does not list them.
func openDescriptors(t *testing.T) int {
	t.Helper()
	const listed = "/proc/self/fd"
	open, err := os.ReadDir(listed)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(open)
}

// The allowed growth after a quarter of the executions: a few connections that are about to end, and the actions that the
// simulated tenant, which is in the same process, remembers.
const (
	moreGoroutines  = 12
	moreDescriptors = 8
	moreHeap        = 2 << 20
)

// TestSoak runs commands of every kind in one process, every other one with a fault, and measures the resources that the
// process holds.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	const quarter = 4
	var before, most footprint
	began := time.Now()
	for number := range *soakFor {
		if number == *soakFor/quarter {
			before = measure(t, s.instance, footprint{})
			most = footprint{before.goroutines + moreGoroutines, before.descriptors + moreDescriptors, before.heap + moreHeap}
		}
		s.execute(number)
	}
	after := measure(t, s.instance, most)
	if after.goroutines > most.goroutines {
		t.Errorf("there are %d goroutines, after a quarter there were %d", after.goroutines, before.goroutines)
	}
	if after.descriptors > most.descriptors {
		t.Errorf("%d files are open, after a quarter there were %d", after.descriptors, before.descriptors)
	}
	if after.heap > most.heap {
		t.Errorf("the heap holds %d KiB, after a quarter there were %d", after.heap>>10, before.heap>>10)
	}
	t.Logf("%d executions in %s, %d of them with an error; after a quarter and at the end: goroutines %d and %d, files %d and %d, heap %d and %d KiB",
		*soakFor, time.Since(began).Round(time.Millisecond), s.failed, before.goroutines, after.goroutines, before.descriptors, after.descriptors, before.heap>>10, after.heap>>10)
}

// soak is a process that executes one command after another.
type soak struct {
	t        *testing.T
	instance *commandstest.Instance
	params   map[string]any
	commands []commands.Command
	troubles []trouble
	failed   int
	pause    time.Duration // before the next execution
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{t: t, instance: commandstest.New(t), commands: triedCommands()}
	s.params = s.instance.Params
	for _, trouble := range slices.Concat(troubles(), misshapen(anything)) {
		if trouble.breaks == nil {
			trouble.fault.Kind, trouble.fault.Path = simulator.KindAPI, "/api/"
			s.troubles = append(s.troubles, trouble)
		}
	}
	// The simulated tenant makes its events when they are first asked for, which is not to count as growth.
	s.instance.Run("microsoft-atp-advanced-hunting", map[string]any{"query": "DeviceProcessEvents | count"}).Entry()
	return s
}

// execute makes one execution. After as many rounds over the commands as there are troubles, every command has met
// every trouble.
func (s *soak) execute(number int) {
	s.t.Helper()
	i := s.instance
	round, at := number/2/len(s.commands), number/2%len(s.commands)
	command := s.commands[at]
	tries := trialsOf(command)
	try := tries[round%len(tries)]
	i.Params = s.params
	faulty := number%2 == 1
	i.Clock.Advance(s.pause)
	s.pause = 10 * time.Minute
	i.Tenant.ResetRequests()
	i.Tenant.ClearFaults()
	if faulty {
		fault := s.troubles[(round+at)%len(s.troubles)].fault
		i.Tenant.Script(fault)
		if fault.Status == http.StatusTooManyRequests { // it may name a day to wait, which commands remember
			s.pause = 25 * time.Hour
		}
	}
	try.script(i)
	result := i.Run(command.Name, resolve(i, try.args))
	if mistake, ok := errors.AsType[*commands.PanicError](result.Err); ok {
		s.t.Errorf("execution %d, %s, panicked: %v\n%s", number, command.Name, mistake.Value, mistake.Stack)
	}
	if result.Err != nil {
		s.failed++
	}
	// Once an answer says that hunting has moved, queries go where the trials have no answer.
	if result.Err != nil && !faulty && !strings.Contains(command.Name, "hunting") {
		s.t.Errorf("execution %d, %s, failed without a fault: %v", number, command.Name, result.Err)
	}
	for _, entry := range result.Entries {
		if entry.File != nil {
			if !command.Saves {
				s.t.Errorf("%s saves a file and does not say so: it would find a folder that takes none after the request", command.Name)
			}
			if err := i.Host.Discard(entry.File.ID); err != nil {
				s.t.Error(err)
			}
		}
	}
}
