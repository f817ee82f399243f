package simulator

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stateLine is a line of a tenant's state: the first says how the tenant was made, each other one what was done to it. A tenant that
// starts with the state does it all again, as of the time at which it was done, and so becomes what it was.
type stateLine struct {
	At time.Time `json:"at"`
	Do string    `json:"do"`

	// Of the first line.
	Seed   uint64 `json:"seed,omitempty"`
	Key    []byte `json:"key,omitempty"`
	Listen string `json:"listen,omitempty"`
	Size   int    `json:"size,omitempty"`

	// Of a request to the API.
	Method  string       `json:"method,omitempty"`
	URI     string       `json:"uri,omitempty"`
	Content string       `json:"content,omitempty"`
	Body    []byte       `json:"body,omitempty"`
	By      *application `json:"by,omitempty"`

	// Of what the control endpoint was told, and of a refresh token.
	Name  string        `json:"name,omitempty"`
	Speed float64       `json:"speed,omitempty"`
	Count int           `json:"count,omitempty"`
	Ahead time.Duration `json:"ahead,omitempty"`
	Token *keptToken    `json:"token,omitempty"`
}

// keptToken is a refresh token that is still good after a restart.
type keptToken struct {
	Token    string   `json:"token"`
	Client   string   `json:"client"`
	User     string   `json:"user"`
	Audience string   `json:"audience"`
	Names    []string `json:"names"`
	OpenID   []string `json:"openId"`
}

// state is where a tenant keeps what is done to it.
type state struct {
	mu    sync.Mutex
	out   io.Writer   // nil if nothing is kept
	lines []stateLine // as they were read
}

// readState reads the state of the options, and sets them to those of the tenant that it is of.
func (t *Tenant) readState(o *Options) (err error) {
	if t.state.lines, err = readLines(o.State); err != nil {
		return err
	}
	t.state.out = o.State
	if len(t.state.lines) == 0 {
		return nil
	}
	first := &t.state.lines[0]
	o.Seed, o.Size, o.Random = first.Seed, first.Size, bytes.NewReader(first.Key)
	if o.Listen == "" || strings.HasSuffix(o.Listen, ":0") {
		o.Listen = first.Listen
	}
	t.replaying.Store(&first.At)
	return nil
}

// readLines reads the lines of a state, of which an unfinished last one is left out.
func readLines(in io.Reader) ([]stateLine, error) {
	var read []stateLine
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err != nil {
			return nil, fmt.Errorf("simulator: reading the state: %w", err)
		}
		var e stateLine
		if err := json.Unmarshal(line, &e); err != nil || len(read) == 0 && e.Do != "start" {
			return nil, errors.New("simulator: the state is not one of a simulated tenant")
		}
		read = append(read, e)
	}
}

// journal keeps what is done, if anything is kept. The line has the very moment as of which it is done: what follows from that
// moment, such as the IDs of alerts, must be the same when it is done again.
func (t *Tenant) journal(e stateLine) {
	if t.state.out == nil || t.replaying.Load() != nil {
		return
	}
	line := append(must(json.Marshal(e)), '\n')
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	// A state that cannot be written is no reason to stop: the tenant is for trying things.
	_, _ = t.state.out.Write(line)
}

// kept reports whether a request to the API is kept: it changes something, or makes links that work for a while.
func (o operation) kept() bool {
	path := strings.ToLower(o.path)
	if o.method == http.MethodGet {
		return strings.Contains(path, "getpackageuri") || strings.Contains(path, "getliveresponse") || strings.Contains(path, "export")
	}
	return !strings.Contains(path, "advancedqueries") && !strings.Contains(path, "huntingquery")
}

// expired reports whether a line is a request for links that do not work any more, and so need not be made again: an export of a
// large company takes seconds.
func (e stateLine) expired(now time.Time) bool {
	if e.Method != http.MethodGet {
		return false
	}
	_, query, _ := strings.Cut(e.URI, "?")
	options, _ := url.ParseQuery(query) // as far as it can be read, like the request
	hours, _ := strconv.Atoi(options.Get("sasValidHours"))
	return now.Sub(e.At) > time.Duration(max(hours, longestUsualHours))*time.Hour
}

// resume does again what the state has.
func (t *Tenant) resume() error {
	t.replaying.Store(nil)
	now := t.now()
	for _, e := range t.state.lines {
		now = now.Add(e.Ahead)
	}
	for _, e := range t.state.lines[1:] {
		if e.expired(now) {
			continue
		}
		t.replaying.Store(&e.At)
		switch e.Do {
		case "api":
			r, err := http.NewRequestWithContext(context.Background(), e.Method, t.base+e.URI, bytes.NewReader(e.Body))
			if err != nil || e.By == nil {
				return errors.New("simulator: the state has a request that cannot be read")
			}
			r.Header.Set("Content-Type", e.Content)
			// A request that the service refused then is refused again.
			_, _, _ = t.company.answer(r, e.Body, *e.By)
		case "scene":
			// So is a scene, which earlier versions kept as well.
			_ = t.StartScene(e.Name, e.Speed)
		case "alerts":
			t.AddAlerts(e.Count, e.At, time.Second)
		case "clock":
			t.ahead.Add(int64(e.Ahead))
		case "token":
			t.grants.refresh[e.Token.Token] = &refreshGrant{
				who: holder{e.Token.Client, e.Token.User}, given: e.At,
				scope: scope{audience: e.Token.Audience, names: e.Token.Names, openID: e.Token.OpenID, offline: true},
			}
		}
	}
	t.replaying.Store(nil)
	t.state.lines = nil
	// The draws from now on must differ from the earlier ones.
	sum := sha256.Sum256(fmt.Append(t.key[:], t.now().UnixNano()))
	t.random.source = rand.NewChaCha8(sum)
	return nil
}
