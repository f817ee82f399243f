// Package mirroring plays the platform's part of mirroring: it fetches incidents, brings changes of Defender to them, and
// takes their changes to Defender, with the commands that the platform calls. With it, the command line shows what mirroring
// would do, and tests check what mirroring does.
package mirroring

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/warroom"
)

// Plugin carries out the platform's commands.
type Plugin interface {
	// Execute runs a command. The error is the one that the platform would show for the command.
	Execute(ctx context.Context, command string, args map[string]any) ([]Entry, error)
}

// Entry is an entry of the War Room as the platform reads it.
type Entry struct {
	// Contents is a text, or JSON if IsJSON says so.
	Contents string
	IsJSON   bool
	Tags     []string
	Warning  bool
}

// The states of an incident on the platform.
const (
	Active = 1
	Closed = 2
)

// Incident is an incident of the platform that is mirrored.
type Incident struct {
	ID, RemoteID, Name, Direction string
	// Fields are the mapped fields: status, assignedTo, classification and determination.
	Fields                  map[string]string
	State                   int
	CloseReason, CloseNotes string
	// Notes are the comments that came from Defender, and Entries those of analysts.
	Notes   []string
	Entries []Note
	// Problem is the error that Defender or the mirroring reports, or empty.
	Problem string

	// Tags are those of entries that go out, and Synced is the time up to which changes were received.
	Tags   []string
	Synced time.Time
	// Delta holds the changes to send, and Unsent the entries.
	Delta  map[string]any
	Unsent []Note
}

// Note is an entry that an analyst wrote.
type Note struct{ ID, Text string }

// Event describes a change. Where is the side that changes.
type Event struct{ Where, ID, What string }

// Server is the part of the platform. Everything that it keeps encodes to JSON.
type Server struct {
	Plugin Plugin           `json:"-"`
	Now    func() time.Time `json:"-"`
	// Tell, if set, is called for every change.
	Tell func(Event) `json:"-"`
	// Echo sends back what has just come in, as some releases of the platform do.
	Echo bool `json:"-"`

	Incidents []*Incident
	// Round is the time of the last round.
	Round time.Time
	// Queue holds the IDs of what changed and was not brought yet: after a failure the platform continues there.
	Queue []string
	// Written counts the entries of analysts.
	Written int
}

func (s *Server) tell(where, id, format string, values ...any) {
	if s.Tell != nil {
		s.Tell(Event{where, id, fmt.Sprintf(format, values...)})
	}
}

// Find returns the incident of an alert or an incident in Defender, or nil.
func (s *Server) Find(remoteID string) *Incident {
	at := slices.IndexFunc(s.Incidents, func(one *Incident) bool { return one.RemoteID == remoteID })
	if at < 0 {
		return nil
	}
	return s.Incidents[at]
}

// Fetch fetches incidents.
func (s *Server) Fetch(ctx context.Context) error {
	entries, err := s.Plugin.Execute(ctx, "fetch-incidents", nil)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		for _, one := range gjson.Parse(gjson.Parse(entry.Contents).String()).Array() {
			if one.Get("dbotMirrorId").Str == "" || s.Find(one.Get("dbotMirrorId").Str) != nil {
				continue
			}
			made := &Incident{
				ID: strconv.Itoa(len(s.Incidents) + 1), RemoteID: one.Get("dbotMirrorId").Str, Name: one.Get("name").Str, Direction: one.Get("dbotMirrorDirection").Str,
				Fields: map[string]string{}, State: Active, Synced: s.Now(), Delta: map[string]any{},
			}
			for _, tag := range one.Get("dbotMirrorTags").Array() {
				made.Tags = append(made.Tags, tag.Str)
			}
			s.Incidents = append(s.Incidents, made)
			s.tell("Cortex XSOAR", made.ID, "new incident %s", made.Name)
			s.apply(made, gjson.Parse(one.Get("rawJSON").Str), false)
		}
	}
	return nil
}

// mapped are the fields of an incident, each with the keys of an alert and of an XDR incident.
func mapped() map[string][]string {
	return map[string][]string{
		"status": {"summary_status", "status"}, "assignedTo": {"assignedTo"},
		"classification": {"summary_classification", "classification"}, "determination": {"summary_determination", "determination"},
	}
}

// apply takes the fields of an object, but for those that the analyst changed meanwhile.
func (s *Server) apply(one *Incident, object gjson.Result, tell bool) {
	all := mapped()
	for _, field := range slices.Sorted(maps.Keys(all)) {
		value := ""
		for _, key := range slices.Backward(all[field]) {
			value = cmp.Or(object.Get(key).String(), value)
		}
		if _, dirty := one.Delta[field]; dirty || one.Fields[field] == value || !object.Get("id").Exists() {
			continue
		}
		if tell {
			s.tell("Cortex XSOAR", one.ID, "%s: %q becomes %q", field, one.Fields[field], value)
		}
		one.Fields[field] = value
		if s.Echo && tell {
			one.Delta[field] = value
		}
	}
	one.Problem = object.Get("mirror_error").String()
}

// Incoming brings the changes in Defender to the incidents. After an error the platform skips an incident, unless it continues
// there in the next round.
func (s *Server) Incoming(ctx context.Context) error {
	began := s.Now()
	if s.Round.IsZero() {
		s.Round = began
	}
	entries, err := s.Plugin.Execute(ctx, "get-modified-remote-data", map[string]any{"lastUpdate": s.Round.Format(time.RFC3339Nano)})
	if err != nil {
		return err
	}
	s.Round = began
	for _, entry := range entries {
		for _, id := range gjson.Parse(entry.Contents).Array() {
			if !slices.Contains(s.Queue, id.Str) {
				s.Queue = append(s.Queue, id.Str)
			}
		}
	}
	var problems []error
	for len(s.Queue) > 0 {
		one := s.Find(s.Queue[0])
		if one != nil && one.Direction != "" && one.Direction != "Out" {
			began := s.Now()
			if err := s.bring(ctx, one); err != nil && goesOn(err) {
				return err
			} else if err != nil {
				one.Synced = began
				problems = append(problems, err)
			}
		}
		s.Queue = s.Queue[1:]
	}
	return errors.Join(problems...)
}

// ErrNoAnswer is the error of a plugin whose answer did not arrive, such as that of a process that ended.
var ErrNoAnswer = errors.New("no answer came")

// goesOn reports whether the platform asks for the same incident again after an error: when it got no answer, and after the words
// that are documented to have that effect.
func goesOn(err error) bool {
	return errors.Is(err, ErrNoAnswer) || strings.Contains(err.Error(), "API rate limit")
}

// bring brings the changes of one incident. Only if the answer arrives does the platform ask from a later time.
func (s *Server) bring(ctx context.Context, one *Incident) error {
	began := s.Now()
	entries, err := s.Plugin.Execute(ctx, "get-remote-data", map[string]any{"id": one.RemoteID, "lastUpdate": one.Synced.Format(time.RFC3339Nano)})
	if err != nil || len(entries) == 0 {
		return err
	}
	one.Synced = began
	s.apply(one, gjson.Parse(gjson.Parse(entries[0].Contents).String()), true)
	for _, entry := range entries[1:] {
		special := gjson.Parse(entry.Contents)
		switch {
		case entry.IsJSON && special.Get("dbotIncidentClose").Bool():
			if one.State != Closed {
				one.State, one.CloseReason, one.CloseNotes = Closed, special.Get("closeReason").Str, special.Get("closeNotes").Str
				s.tell("Cortex XSOAR", one.ID, "closed as %s: %s", one.CloseReason, strings.ReplaceAll(one.CloseNotes, "\n", " / "))
				if s.Echo {
					maps.Copy(one.Delta, map[string]any{"closeReason": one.CloseReason, "closeNotes": one.CloseNotes, "closingUserId": "DBot"})
				}
			}
		case entry.IsJSON && special.Get("dbotIncidentReopen").Bool():
			if one.State != Active {
				one.State = Active
				s.tell("Cortex XSOAR", one.ID, "reopened")
				if s.Echo {
					maps.Copy(one.Delta, map[string]any{"closeReason": "", "closeNotes": "", "closingUserId": ""})
				}
			}
		default:
			one.Notes = append(one.Notes, entry.Contents)
			s.tell("Cortex XSOAR", one.ID, "note: %s", entry.Contents)
		}
	}
	return nil
}

// Set changes a field, as an analyst does.
func (s *Server) Set(one *Incident, field, value string) {
	one.Fields[field], one.Delta[field] = value, value
}

// Close closes an incident, as an analyst does.
func (s *Server) Close(one *Incident, reason, notes string) {
	one.State, one.CloseReason, one.CloseNotes = Closed, reason, notes
	maps.Copy(one.Delta, map[string]any{"closeReason": reason, "closeNotes": notes, "closingUserId": "analyst"})
}

// Reopen reopens an incident, as an analyst does.
func (s *Server) Reopen(one *Incident) {
	one.State, one.CloseReason, one.CloseNotes = Active, "", ""
	maps.Copy(one.Delta, map[string]any{"closeReason": "", "closeNotes": "", "closingUserId": ""})
}

// Comment writes an entry that is to become a comment in Defender.
func (s *Server) Comment(one *Incident, text string) {
	s.Written++
	note := Note{strconv.Itoa(s.Written) + "@" + one.ID, text}
	one.Entries, one.Unsent = append(one.Entries, note), append(one.Unsent, note)
}

// Pending reports whether an incident has changes that were not sent.
func (one *Incident) Pending() bool { return len(one.Delta) > 0 || len(one.Unsent) > 0 }

// Outgoing takes the changes of the incidents to Defender. They are sent again in the next round only if no answer comes, or an
// error; a warning is an answer.
func (s *Server) Outgoing(ctx context.Context) error {
	for _, one := range s.Incidents {
		if !one.Pending() || one.Direction == "" || one.Direction == "In" {
			continue
		}
		entries, err := s.Plugin.Execute(ctx, "update-remote-system", s.request(one))
		if err != nil {
			return err
		}
		if len(entries) == 0 || entries[0].Contents != one.RemoteID {
			return fmt.Errorf("update-remote-system did not answer with the ID %s", one.RemoteID)
		}
		one.Problem = ""
		for _, entry := range entries[1:] {
			one.Problem = entry.Contents
		}
		if one.Problem != "" {
			s.tell("Defender", one.RemoteID, "failed: %s", one.Problem)
			one.Delta, one.Unsent = map[string]any{}, nil // the platform takes what was answered for sent
			continue
		}
		s.sent(one)
	}
	return nil
}

// request returns the arguments of update-remote-system.
func (s *Server) request(one *Incident) map[string]any {
	data := map[string]any{"id": one.ID}
	for field, value := range one.Fields {
		data[field] = value
	}
	var entries []any
	for _, note := range one.Unsent {
		entries = append(entries, map[string]any{"id": note.ID, "type": 1, "format": "text", "contents": note.Text, "tags": one.Tags, "user": "analyst"})
	}
	return map[string]any{
		"data": data, "delta": maps.Clone(one.Delta), "entries": entries, "incidentChanged": len(one.Delta) > 0, "remoteId": one.RemoteID, "status": one.State,
	}
}

// sent takes note that everything was sent.
func (s *Server) sent(one *Incident) {
	for _, field := range slices.Sorted(maps.Keys(one.Delta)) {
		text, err := json.Marshal(one.Delta[field])
		if err == nil {
			s.tell("Defender", one.RemoteID, "%s: %s", field, text)
		}
	}
	for _, note := range one.Unsent {
		s.tell("Defender", one.RemoteID, "comment: %s", note.Text)
	}
	one.Delta, one.Unsent = map[string]any{}, nil
}

// Read returns entries as the platform reads them.
func Read(entries []warroom.Entry) []Entry {
	read := make([]Entry, len(entries))
	for at, entry := range entries {
		read[at] = Entry{Contents: entry.Literal, Tags: entry.Tags, Warning: entry.Kind == warroom.Warning}
		if entry.Literal == "" && entry.Contents != nil {
			read[at].Contents, read[at].IsJSON = string(warroom.JSON(entry.Contents)), true
		} else if entry.Literal == "" {
			read[at].Contents = warroom.Plain(entry.Blocks)
		}
	}
	return read
}
