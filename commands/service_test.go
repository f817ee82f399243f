package commands

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/testclock"
)

// service is a service with machines, alerts and machine actions that filters its lists by id as the real one does, and
// counts its requests. Its clock moves only when a test or a command waits.
type service struct {
	mu    sync.Mutex
	clock *testclock.Clock
	// known reports whether the lists have an object.
	known func(id string) bool
	// refuse, if set, may answer a request instead of the service: it returns a status and a body, or 0.
	refuse func(request *http.Request) (status int, body string)
	// quota, if set, is the quota that requests count against.
	quota *quota
	// lasts returns how long the action on a machine takes, and its status at the end.
	lasts func(machine string) (time.Duration, string)

	asked   []string // "METHOD path" of every request
	refused int
	actions map[string]runningAction // by id
	started map[string]int           // by machine
}

type runningAction struct {
	machine, kind, end string
	at                 time.Time
	ends               time.Time
}

func newService() *service {
	return &service{
		clock: testclock.New(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), known: func(string) bool { return true },
		lasts:   func(string) (time.Duration, string) { return time.Minute, "Succeeded" },
		actions: map[string]runningAction{}, started: map[string]int{},
	}
}

// quota is the quota of an application: requests in fixed windows of a minute and an hour.
type quota struct {
	perMinute, perHour int
	minute, hour       time.Time
	inMinute, inHour   int
	granted, refused   int
	lastGrant          time.Time
}

// take counts a request at a time. It returns how long the application must wait if the request is refused.
func (q *quota) take(now time.Time) time.Duration {
	if now.Sub(q.minute) >= time.Minute {
		q.minute, q.inMinute = now.Truncate(time.Minute), 0
	}
	if now.Sub(q.hour) >= time.Hour {
		q.hour, q.inHour = now.Truncate(time.Hour), 0
	}
	switch {
	case q.perHour > 0 && q.inHour >= q.perHour:
		q.refused++
		return q.hour.Add(time.Hour).Sub(now)
	case q.perMinute > 0 && q.inMinute >= q.perMinute:
		q.refused++
		return q.minute.Add(time.Minute).Sub(now)
	}
	q.inMinute, q.inHour, q.granted, q.lastGrant = q.inMinute+1, q.inHour+1, q.granted+1, now
	return 0
}

// quoted matches a literal of a filter.
var quoted = regexp.MustCompile(`'((?:[^']|'')*)'`)

// quotedValues returns the literals of a filter.
func quotedValues(filter string) []string {
	var values []string
	for _, found := range quoted.FindAllStringSubmatch(filter, -1) {
		values = append(values, strings.ReplaceAll(found[1], "''", "'"))
	}
	return values
}

// Do answers a request as the service would.
func (s *service) Do(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, request.Method+" "+request.URL.Path)
	if s.quota != nil {
		if left := s.quota.take(s.clock.Now()); left > 0 {
			s.refused++
			return respond(request, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests","message":"quota"}}`,
				http.Header{"Retry-After": {fmt.Sprint(int(left.Seconds()) + 1)}}), nil
		}
	}
	if s.refuse != nil {
		if status, body := s.refuse(request); status != 0 {
			return respond(request, status, body, http.Header{}), nil
		}
	}
	status, body := s.answer(request)
	return respond(request, status, body, http.Header{}), nil
}

func (s *service) answer(request *http.Request) (int, string) {
	collection, id, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/api/"), "/")
	if request.Method == http.MethodPost {
		return s.start(path.Dir(id), path.Base(id))
	}
	if id != "" {
		if object := s.object(collection, id); object != "" {
			return http.StatusOK, string(object)
		}
		return http.StatusNotFound, `{"error":{"code":"ResourceNotFound","message":"not found"}}`
	}
	var objects []rawjson.Value
	if filter := request.URL.Query().Get("$filter"); strings.HasPrefix(filter, "id ") || strings.HasPrefix(filter, "computerDnsName ") {
		for _, value := range quotedValues(filter) {
			if object := s.object(collection, value); object != "" && s.known(value) {
				objects = append(objects, object)
			}
		}
	}
	return http.StatusOK, `{"value":` + string(rawjson.Join(objects)) + `}`
}

func (s *service) object(collection, id string) rawjson.Value {
	if strings.Contains(id, "/") { // what belongs to an object
		return `{"value":[]}`
	}
	if collection != "machineactions" {
		return rawjson.Make(map[string]string{"id": id, "computerDnsName": id})
	}
	action, found := s.actions[id]
	if !found {
		return ""
	}
	status := "Pending"
	if !s.clock.Now().Before(action.ends) {
		status = action.end
	}
	return rawjson.Make(map[string]string{
		"id": id, "type": action.kind, "status": status, "machineId": action.machine,
		"creationDateTimeUtc": action.at.Format(time.RFC3339Nano),
	})
}

func (s *service) start(machine, kind string) (int, string) {
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", len(s.actions), len(s.actions))
	lasts, end := s.lasts(machine)
	s.started[machine]++
	s.actions[id] = runningAction{machine: machine, kind: kind, end: end, at: s.clock.Now(), ends: s.clock.Now().Add(lasts)}
	return http.StatusCreated, string(s.object("machineactions", id))
}

// count returns the number of requests for a path, or for all paths if it is empty.
func (s *service) count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked) - len(slices.DeleteFunc(slices.Clone(s.asked), func(asked string) bool { return strings.HasPrefix(asked, prefix) }))
}

// numbered returns ids of a form.
func numbered(format string, number int) []string {
	ids := make([]string, number)
	for i := range ids {
		ids[i] = fmt.Sprintf(format, i)
	}
	return ids
}
