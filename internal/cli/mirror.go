package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/internal/mirroring"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// mirrorOptions are the flags of mirror.
type mirrorOptions struct {
	instance string
	once     bool
	edits    string
	interval time.Duration
	where    storage
}

func (p *program) mirrorCommand() *cobra.Command {
	var options mirrorOptions
	command := &cobra.Command{
		Use: "mirror", Short: "Play the platform's part of mirroring", Args: noArgs, GroupID: groupInstance,
		Long: `Fetches incidents and mirrors them as the platform does once a minute, and shows what changes on each side: to try
mirroring before it is turned on. The incidents are kept in the state file and nowhere else.

Without --edits nothing is changed in Defender. FILE is a JSON list of what analysts do to incidents; it is read once, and
its changes are sent in the first round:

    [{"incident": "da637...", "set": {"status": "InProgress"}},
     {"incident": "1", "comment": "looking at it"},
     {"incident": "2", "close": {"reason": "False Positive", "notes": "test"}},
     {"incident": "3", "reopen": true}]

An incident is named by its number or by the ID of its alert or incident in Defender. The settings of the instance
apply. If it mirrors nothing, both directions are tried, with closing on both sides.

The exit code is 0 on success, 1 if the last round failed, and 2 for a usage error.`,
		Example: `  xsoar-defender mirror --instance prod.json --once
  xsoar-defender mirror --instance prod.json --edits edits.json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.mirror(cmd.Context(), options) },
	}
	flags := command.Flags()
	p.instanceFlag(command, &options.instance)
	flags.BoolVar(&options.once, "once", false, "end after one round")
	flags.StringVar(&options.edits, "edits", "", "`file` with what analysts do to incidents")
	flags.DurationVar(&options.interval, "interval", time.Minute, "time between two rounds")
	options.where.stateFlag(command)
	return command
}

// edit is one analyst's work on an incident.
type edit struct {
	Incident string            `json:"incident"`
	Set      map[string]string `json:"set"`
	Comment  string            `json:"comment"`
	Close    *struct {
		Reason string `json:"reason"`
		Notes  string `json:"notes"`
	} `json:"close"`
	Reopen bool `json:"reopen"`
}

// largestEdits bounds the file of edits in bytes.
const largestEdits = 1 << 20

func readEdits(name string) ([]edit, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, invalid(fmt.Errorf("opening the edits: %w", err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, largestEdits))
	if err != nil {
		return nil, invalid(fmt.Errorf("reading the edits: %w", err))
	}
	var edits []edit
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&edits)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, invalid(fmt.Errorf("the edits in %s must be a JSON list of objects of text: %s is of the type %s",
			name, cmp.Or(wrong.Field, "the whole"), wrong.Value))
	}
	if err != nil {
		return nil, invalid(fmt.Errorf("reading the edits in %s: %w", name, err))
	}
	return edits, nil
}

func (p *program) mirror(ctx context.Context, options mirrorOptions) error {
	if options.interval <= 0 {
		return usage("--interval must be above 0; got %s", options.interval)
	}
	edits, err := readEdits(options.edits)
	if err != nil {
		return err
	}
	of, host, err := p.open(options.instance, options.where)
	if err != nil {
		return err
	}
	player := &mirrorPlayer{program: p, host: host, of: of, runner: p.runner()}
	if player.of.params, err = mirroringParams(of.params); err != nil {
		return invalid(err)
	}
	if len(edits) > 0 {
		if err := player.check(ctx, edits); err != nil {
			return err
		}
	}
	server := &mirroring.Server{Plugin: player, Now: p.Now, Tell: player.tell}
	kept, err := host.Mirrored(ctx)
	if err == nil && len(kept) > 0 {
		err = json.Unmarshal(kept, server)
	}
	if err != nil {
		return failed(fmt.Errorf("reading the incidents: %w", err))
	}
	for {
		err = player.round(ctx, server, edits)
		edits = nil
		if saveErr := host.SetMirrored(ctx, json.RawMessage(rawjson.Make(server))); saveErr != nil {
			return failed(fmt.Errorf("saving the incidents: %w", saveErr))
		}
		if err != nil {
			fmt.Fprintln(p.Errors, warroom.Visible(err.Error()))
		}
		// An interruption is how a longer play ends.
		if options.once || p.Sleep(ctx, options.interval) != nil {
			break
		}
	}
	if err != nil {
		return &exitError{code: exitFailed}
	}
	return nil
}

// mirroringParams returns the parameters of an instance that fetches and mirrors, also if it does neither so far.
func mirroringParams(given json.RawMessage) (json.RawMessage, error) {
	whole := map[string]json.RawMessage{}
	if err := json.Unmarshal(given, &whole); err != nil {
		return nil, errors.New("the parameters of the instance are not a JSON object")
	}
	whole["isFetch"] = json.RawMessage("true")
	var direction string
	// A value of another kind is refused when the instance is read.
	_ = json.Unmarshal(whole["mirror_direction"], &direction)
	if direction == "" || direction == "None" {
		whole["mirror_direction"] = json.RawMessage(`"Incoming And Outgoing"`)
		whole["close_incident"], whole["close_out"] = json.RawMessage("true"), json.RawMessage("true")
	}
	return json.RawMessage(rawjson.Make(whole)), nil
}

// mirrorPlayer carries out the platform's commands for the command line.
type mirrorPlayer struct {
	*program

	host    *local.Host
	of      instance
	runner  *execution.Runner
	changes int
	// fetched, if set, is given the entries of a fetch before it is committed.
	fetched func(entries []warroom.Entry) error
}

// Execute runs a command.
func (m *mirrorPlayer) Execute(ctx context.Context, command string, args map[string]any) ([]mirroring.Entry, error) {
	result := m.runner.Run(ctx, m.of.request(command, encodeArguments(args)), m.host)
	if result.Err != nil {
		return nil, result.Err
	}
	if command == commands.FetchCommand && m.fetched != nil {
		if err := m.fetched(result.Entries); err != nil {
			return nil, err
		}
	}
	entries := mirroring.Read(result.Entries)
	if result.Commit != nil {
		return entries, result.Commit(ctx)
	}
	return entries, nil
}

// check refuses edits of fields that mirroring does not send, which would be shown as sent.
func (m *mirrorPlayer) check(ctx context.Context, edits []edit) error {
	entries, err := m.Execute(ctx, "get-mapping-fields", nil)
	if err != nil {
		return failed(err)
	}
	var known []string
	for _, entry := range entries {
		var text string // the platform takes the schema as text
		var schema map[string]map[string]string
		err := json.Unmarshal([]byte(entry.Contents), &text)
		if err == nil {
			err = json.Unmarshal([]byte(text), &schema)
		}
		if err != nil {
			return failed(fmt.Errorf("reading the fields that mirroring sends: %w", err))
		}
		for _, fields := range schema {
			known = slices.AppendSeq(known, maps.Keys(fields))
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, one := range edits {
		for field := range one.Set {
			if !slices.Contains(known, field) {
				return invalid(fmt.Errorf("the edits set the field %q, which mirroring does not send; it sends %s", field, strings.Join(known, ", ")))
			}
		}
	}
	return nil
}

// tell shows a change.
func (m *mirrorPlayer) tell(event mirroring.Event) {
	m.changes++
	fmt.Fprintf(m.Out, "%-13s %s  %s\n", event.Where, warroom.Visible(event.ID), warroom.Visible(event.What))
}

// round plays one round: it fetches, brings the changes in Defender, and sends those of analysts.
func (m *mirrorPlayer) round(ctx context.Context, server *mirroring.Server, edits []edit) error {
	m.changes = 0
	// A fetch that fails does not keep the existing incidents from being mirrored.
	err := errors.Join(server.Fetch(ctx), server.Incoming(ctx), apply(server, edits))
	err = errors.Join(err, server.Outgoing(ctx))
	verb := "are"
	if len(server.Incidents) == 1 {
		verb = "is"
	}
	fmt.Fprintf(m.Out, "%s  %s %s mirrored; %s in this round.\n", m.Now().Format(time.TimeOnly), counted(len(server.Incidents), "incident"), verb, counted(m.changes, "change"))
	return err
}

// NoIncidentError reports an edit of an incident that is not mirrored.
type NoIncidentError struct{ Name string }

func (e *NoIncidentError) Error() string {
	return fmt.Sprintf("No mirrored incident has the number or the ID %q.", e.Name)
}

// apply applies edits to the incidents.
func apply(server *mirroring.Server, edits []edit) error {
	var errs []error
	for _, one := range edits {
		incident := server.Find(one.Incident)
		for _, known := range server.Incidents {
			if known.ID == one.Incident {
				incident = known
			}
		}
		if incident == nil {
			errs = append(errs, &NoIncidentError{one.Incident})
			continue
		}
		for field, value := range one.Set {
			server.Set(incident, field, value)
		}
		if one.Comment != "" {
			server.Comment(incident, one.Comment)
		}
		if one.Close != nil {
			server.Close(incident, one.Close.Reason, one.Close.Notes)
		}
		if one.Reopen {
			server.Reopen(incident)
		}
	}
	return errors.Join(errs...)
}
