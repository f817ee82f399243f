package simulator

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// company is the organization behind the simulated Defender API: its machines, users and software, what was seen and
// detected there, and what was done about it. Everything follows from the seed and the clock.
type company struct {
	base string // of the links in answers, without a final slash
	now  func() time.Time
	seed uint64

	mu       sync.Mutex // guards what follows
	tenantID string
	draws    source
	started  time.Time // when the data was made, by the clock

	machines       []*machine
	users          []*user
	logons         []logon
	files          []*file
	sightings      []sighting
	connections    []connection
	alerts         []*alert // newest first
	incidents      []*xdrIncident
	incidentIndex  map[string]*xdrIncident // by id
	investigations []*investigation
	indicators     []*indicator
	actions        []*machineAction // oldest first
	library        []*libraryFile
	catalog        []*product
	tasks          []*remediationTask

	// lateness is how long lists leave out what changed, and late holds until when they do, by id.
	lateness time.Duration
	late     map[string]time.Time

	size      int // of a larger company; machines are made when they are first asked for
	populated bool
	index     map[string]*machine // by id and by name, of the first indexed machines
	indexed   int
	scenes    []*runningScene
	// keep keeps what is done to the company, for a tenant with a state.
	keep func(stateLine)

	pageSize      int // the largest page that a test wants; 0 for the documented ones
	nextIndicator int
	nextIncident  int64
	nextInquiry   int64 // the id of the next investigation
	failing       []string
	haltedAt      time.Time       // zero while machine actions move on
	blobs         map[string]blob // by the path of their links
	events        events          // made when first asked for
}

// newCompany makes the company of a seed as it is at this moment of the clock. Links in its answers start with base.
func newCompany(seed uint64, now func() time.Time, base string) *company {
	c := &company{
		base: strings.TrimRight(base, "/"), now: now, seed: seed,
		draws: newSource(seed, "company"), started: now().UTC().Truncate(tick),
		nextIndicator: 995, nextIncident: 1126091, nextInquiry: 63001,
		blobs: map[string]blob{}, keep: func(stateLine) {},
	}
	c.tenantID = tenantIDOf(seed)
	c.employ()
	c.equip()
	c.install()
	c.logOn()
	c.store()
	c.connect()
	c.raiseAlerts(alertCount)
	c.assess()
	c.seedIndicators()
	c.seedLibrary()
	c.seedActions()
	c.seedTasks()
	return c
}

// tenantIDOf is the identifier of the tenant of a seed, drawn as Start draws it.
func tenantIDOf(seed uint64) string {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	t := &Tenant{}
	t.random.source = rand.NewChaCha8(key)
	return t.newRegistration().tenantID
}

// source draws what is not written down in the data, always in the same way for the same seed.
type source struct{ *rand.Rand }

// newSource is the stream of draws of a seed for one purpose, so that one purpose does not disturb another.
func newSource(seed uint64, purpose string) source {
	var key [32]byte
	copy(key[:], fmt.Sprintf("%016x %s", seed, purpose))
	return source{rand.New(rand.NewChaCha8(key))}
}

// hex draws n hexadecimal digits.
func (s source) hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[s.IntN(len(digits))]
	}
	return string(b)
}

// guid draws an identifier in the form of a random UUID.
func (s source) guid() string {
	return strings.Join([]string{s.hex(8), s.hex(4), "4" + s.hex(3), pick(s, []string{"8", "9", "a", "b"}) + s.hex(3), s.hex(12)}, "-")
}

// span draws a duration below the one given, in steps of 100 ns.
func (s source) span(below time.Duration) time.Duration {
	return time.Duration(s.Int64N(int64(below))).Truncate(tick)
}

// chance reports true once in of times.
func (s source) chance(of int) bool { return s.IntN(of) == 0 }

func pick[T any](s source, list []T) T { return list[s.IntN(len(list))] }

// some shuffles a list and returns count of its items, or all if there are fewer. With a count of 0 it returns the list as it is.
func some[T any](s source, list []T, count int) []T {
	if count == 0 {
		return list
	}
	s.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(count, len(list))]
}

// machineNamed finds a machine by its id, or by its name as the API allows for some operations.
func (c *company) machineNamed(id string) (*machine, *apiError) {
	if m := c.find(strings.ToLower(id)); m != nil {
		return m, nil
	}
	return nil, notFound("Machine", id)
}

func (c *company) alertWith(id string) (*alert, *apiError) {
	i := slices.IndexFunc(c.alerts, func(a *alert) bool { return a.ID == id })
	if i < 0 {
		return nil, notFound("Alert", id)
	}
	return c.alerts[i], nil
}

// where keeps what fulfils the condition, in a list of its own.
func where[T any](list []T, condition func(T) bool) []T {
	kept := []T{}
	for _, v := range list {
		if condition(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
