package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli/local"
	"xsoar-defender/internal/cli/web"
	"xsoar-defender/internal/mirroring"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

// warroomOptions are the flags of the warroom command.
type warroomOptions struct {
	instance string
	port     int
	open     bool
	where    storage
}

func (p *program) warroomCommand() *cobra.Command {
	var options warroomOptions
	command := &cobra.Command{
		Use: "warroom", Short: "Open a War Room in the browser", Args: noArgs, GroupID: groupWork,
		Long: `Serves a page with a War Room to the browser of this machine, and prints its address: a command line with completion, entries as
the platform shows them, the context with its paths, scheduled runs that come back by themselves, and fetched incidents.

Without --instance it works on a simulated tenant inside this program and shows its portal next to the entries; nothing outside
this program is contacted or changed. With an instance, the commands run on its tenant, and a command that executes something asks
for confirmation.

The page is served on 127.0.0.1 only. Its address works in one browser. The program runs until it is interrupted.`,
		Example: `  xsoar-defender warroom --open
  xsoar-defender warroom --instance prod`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.warroom(cmd.Context(), options); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	flags := command.Flags()
	p.instanceFlag(command, &options.instance)
	flags.Lookup("instance").Usage += " (default: a simulated tenant)"
	flags.IntVar(&options.port, "port", 0, "port of 127.0.0.1 to serve the page on (default: any free one)")
	flags.BoolVar(&options.open, "open", false, "open the page in the browser")
	options.where.flags(command)
	return command
}

func (p *program) warroom(ctx context.Context, options warroomOptions) (err error) {
	if options.port < 0 || options.port > math.MaxUint16 {
		return usage("--port must be from 0 to %d; got %d", math.MaxUint16, options.port)
	}
	d := &webDesk{program: p, files: options.where.files}
	if options.instance == "" {
		tenant, folder, remove, err := p.ownTenant()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, tenant.Close(), remove()) }()
		d.tenant, d.files = tenant, folder
		options.where = storage{state: filepath.Join(folder, "state.json"), files: folder}
		given := labInstance{name: "simulated", params: tenant.Instance(simulator.Modes()[0])}.read()
		if given.params, err = mirroringParams(given.params); err != nil {
			return err
		}
		d.of = given
		if d.host, err = p.host(options.where, d.of); err != nil {
			return err
		}
	} else if d.of, d.host, err = p.open(options.instance, options.where); err != nil {
		return err
	}
	d.platform = &mirroring.Server{Plugin: &mirrorPlayer{program: p, host: d.host, of: d.of, runner: p.runner(), fetched: d.remember}, Now: p.Now}
	return web.Serve(ctx, web.Options{
		Desk: d, Port: options.port, Now: p.Now, Random: p.Random,
		Ready: func(address string) {
			fmt.Fprintf(p.Out, "The War Room is at %s\nThe address works in one browser. Interrupt this program to end it.\n", address)
			if options.open {
				if err := p.OpenBrowser(address); err != nil {
					fmt.Fprintf(p.Errors, "%s: the browser could not be opened (%v): open the address yourself.\n", programName, err)
				}
			}
		},
	})
}

// ownTenant starts a simulated tenant, and makes a folder for what its commands save.
func (p *program) ownTenant() (tenant *simulator.Tenant, folder string, remove func() error, err error) {
	folder, remove, err = newFolder("")
	if err != nil {
		return nil, "", nil, err
	}
	tenant, err = simulator.Start(simulator.Options{Clock: p.Clock, Random: p.Random})
	if err != nil {
		return nil, "", nil, errors.Join(err, remove())
	}
	return tenant, folder, remove, nil
}

// webDesk runs the commands of the page in the browser, on one instance.
type webDesk struct {
	*program

	of     instance
	host   *local.Host
	files  string
	tenant *simulator.Tenant // nil for a tenant that is not simulated

	mu      sync.Mutex
	context incidentContext

	// mirroring guards what follows: the platform does one thing at a time with its incidents.
	mirroring sync.Mutex
	platform  *mirroring.Server
	fetched   []web.Incident // as the page was last told, the newest first
}

// About implements web.Desk.
func (d *webDesk) About() web.About {
	about := web.About{Instance: d.of.name, Simulated: d.tenant != nil}
	if decoded, err := params.Decode(d.of.params, d.Getenv); err == nil && decoded.Cloud.API != nil {
		about.Tenant = decoded.Cloud.API.Host
	}
	return about
}

// Commands implements web.Desk.
func (d *webDesk) Commands() []web.Command {
	var all []web.Command
	for _, command := range commands.NewRegistry().All() {
		if command.Platform {
			continue
		}
		shown := web.Command{Name: command.Name, Help: summary(command), Arguments: []web.Argument{}}
		for _, argument := range command.Arguments() {
			if !argument.Hidden && !argument.Deprecated {
				shown.Arguments = append(shown.Arguments, web.Argument{
					Name: argument.Name, Help: argument.Help, Values: argument.Values, Looked: argument.Holds != "",
				})
			}
		}
		all = append(all, shown)
	}
	return all
}

// Understand implements web.Desk.
func (d *webDesk) Understand(line string) (web.Call, error) {
	words, err := splitLine(strings.TrimPrefix(strings.TrimSpace(line), "!"))
	if err != nil {
		return web.Call{}, err
	}
	if len(words) == 0 {
		return web.Call{}, errors.New("type a command, such as !microsoft-atp-get-machines")
	}
	command, err := findCommand(commands.NewRegistry(), words[0])
	if err != nil {
		return web.Call{}, err
	}
	args, err := parseArguments(command, words[1:], asTyped)
	if err != nil {
		return web.Call{}, err
	}
	return web.Call{
		Line: line, Executes: command.Executes,
		Run: func(ctx context.Context, told *web.Telling) { d.run(ctx, told, command.Name, args) },
	}, nil
}

// run runs a command with everything that it schedules.
func (d *webDesk) run(ctx context.Context, told *web.Telling, command string, args map[string]json.RawMessage) {
	s := newScheduler(d.runner(), d.host, d.of, &webWait{d.program, told})
	s.show = func(result execution.Result) { d.show(told, result) }
	// What failed was shown.
	_ = s.run(ctx, command, args)
	if err := s.commit(ctx); err != nil {
		told.Failed(warroom.Visible(err.Error()))
	}
}

// show tells the page the result of a run, and keeps what it leaves in the context.
func (d *webDesk) show(told *web.Telling, result execution.Result) {
	var entries []web.Entry
	for _, entry := range result.Entries {
		entries = append(entries, d.entry(entry))
	}
	told.Entries(entries)
	if result.Err != nil {
		told.Failed(warroom.Visible(result.Err.Error()))
	}
	d.mu.Lock()
	err := d.context.add(result.Entries)
	d.mu.Unlock()
	if err != nil {
		told.Failed(err.Error())
	}
	if slices.ContainsFunc(result.Entries, func(entry warroom.Entry) bool { return len(entry.Context) > 0 }) {
		told.ContextChanged()
	}
}

// entry is an entry as the page shows it.
func (d *webDesk) entry(entry warroom.Entry) web.Entry {
	shown := web.Entry{Kind: "note", Markdown: warroom.Markdown(entry.Blocks)}
	switch entry.Kind {
	case warroom.Failure:
		return web.Entry{Kind: "error", Text: warroom.Visible(warroom.Plain(entry.Blocks))}
	case warroom.Warning:
		shown.Kind = "warning"
	}
	if file := entry.File; file != nil {
		shown.Kind = "file"
		saved := filepath.Join(d.files, file.Name)
		shown.File = &web.File{
			Name: file.Name, Size: file.Size, SHA256: file.SHA256,
			Open: func() (io.ReadCloser, error) { return os.Open(saved) },
		}
	}
	return shown
}

// webWait tells the page when a scheduled run is due.
type webWait struct {
	*program

	told *web.Telling
}

func (w *webWait) await(ctx context.Context, next scheduled) error {
	w.told.Waiting(next.request.Command, next.due, next.done, next.all)
	return w.Sleep(ctx, next.due.Sub(w.Now()))
}

// Complete implements web.Desk.
func (d *webDesk) Complete(ctx context.Context, name, argument, typed string) []web.Completion {
	command, known := commands.NewRegistry().Find(name)
	if !known {
		return nil
	}
	at := slices.IndexFunc(command.Arguments(), func(one commands.Argument) bool { return one.Name == argument && one.Holds != "" })
	if at < 0 {
		return nil
	}
	key := machineKey(command.Arguments()[at].Holds)
	found := []web.Completion{}
	for _, machine := range d.machinesOf(ctx, d.of, d.host, typed) {
		if value := machine.Text(key); value != "" {
			found = append(found, web.Completion{
				Value: value, Help: strings.Join([]string{machine.Text("computerDnsName"), machine.Text("osPlatform"), machine.Text("healthStatus")}, ", "),
			})
		}
	}
	slices.SortFunc(found, func(a, b web.Completion) int { return cmp.Compare(a.Help, b.Help) })
	return found
}

// remember keeps the alerts and incidents of a fetch as they were received.
func (d *webDesk) remember(entries []warroom.Entry) error {
	for _, entry := range entries {
		text, ok := entry.Contents.(warroom.Text)
		if !ok {
			continue
		}
		var incidents []struct {
			Name, Occurred, RawJSON, DBotMirrorID string
			Severity                              float64
		}
		if err := json.Unmarshal([]byte(text), &incidents); err != nil {
			return fmt.Errorf("reading the incidents of the fetch: %w", err)
		}
		for _, one := range incidents {
			d.fetched = slices.Insert(d.fetched, 0, web.Incident{
				ID: one.DBotMirrorID, Name: one.Name, Occurred: one.Occurred, Severity: one.Severity, Fields: json.RawMessage(one.RawJSON),
			})
		}
	}
	return nil
}

// Fetch implements web.Desk.
func (d *webDesk) Fetch(ctx context.Context, told *web.Telling) {
	d.mirroring.Lock()
	defer d.mirroring.Unlock()
	before := len(d.platform.Incidents)
	if err := d.platform.Fetch(ctx); err != nil {
		told.Failed(warroom.Visible(err.Error()))
		return
	}
	d.tell(told, fmt.Sprintf("Fetched %s.", counted(len(d.platform.Incidents)-before, "incident")))
}

// Mirror implements web.Desk: it brings what changed in Defender, and sends what changed here.
func (d *webDesk) Mirror(ctx context.Context, told *web.Telling) {
	d.mirroring.Lock()
	defer d.mirroring.Unlock()
	changes := 0
	d.platform.Tell = func(event mirroring.Event) {
		changes++
		told.Mirrored("%s, %s: %s", event.Where, event.ID, warroom.Visible(event.What))
	}
	if err := errors.Join(d.platform.Incoming(ctx), d.platform.Outgoing(ctx)); err != nil {
		told.Failed(warroom.Visible(err.Error()))
	}
	d.platform.Tell = nil
	d.tell(told, fmt.Sprintf("Mirrored %s.", counted(changes, "change")))
}

// tell tells the page of incidents that may have changed, with a note.
func (d *webDesk) tell(told *web.Telling, note string) {
	for i := range d.fetched {
		mirrored := d.platform.Find(d.fetched[i].ID)
		if mirrored == nil {
			continue
		}
		d.fetched[i].Closed, d.fetched[i].Mirrored, d.fetched[i].Notes = mirrored.State == mirroring.Closed, maps.Clone(mirrored.Fields), slices.Clone(mirrored.Notes)
	}
	told.IncidentsChanged()
	told.Entries([]web.Entry{{Kind: "note", Markdown: note}})
}

// CloseIncident implements web.Desk. The next round of mirroring closes the alert as well, if the instance says so.
func (d *webDesk) CloseIncident(_ context.Context, id string, told *web.Telling) error {
	d.mirroring.Lock()
	defer d.mirroring.Unlock()
	mirrored := d.platform.Find(id)
	if mirrored == nil {
		return &NoIncidentError{id}
	}
	d.platform.Close(mirrored, "Resolved", "Closed in the War Room in the browser.")
	d.tell(told, "Closed "+mirrored.Name+".")
	return nil
}

// Incidents implements web.Desk.
func (d *webDesk) Incidents() []web.Incident {
	d.mirroring.Lock()
	defer d.mirroring.Unlock()
	return slices.Clone(d.fetched)
}

// Context implements web.Desk.
func (d *webDesk) Context() json.RawMessage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return json.RawMessage(d.context.root.value())
}

// Portal implements web.Desk.
func (d *webDesk) Portal() json.RawMessage {
	if d.tenant == nil {
		return nil
	}
	return json.RawMessage(rawjson.Make(d.tenant.Portal()))
}

// splitLine splits a command line of the War Room into its words. As on the platform, spaces belong to a word between double
// quotes, where a backslash escapes the next character, and between backticks, where nothing is escaped.
func splitLine(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun := false
	for rest := line; rest != ""; {
		switch quote := rest[0]; quote {
		case ' ', '\t', '\n', '\r':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
			rest = rest[1:]
		case '"', '`':
			text, after, err := quoted(rest, quote)
			if err != nil {
				return nil, err
			}
			word.WriteString(text)
			rest, begun = after, true
		default:
			word.WriteByte(quote)
			rest, begun = rest[1:], true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// quoted reads a text that begins with a quote, and returns what follows it.
func quoted(text string, quote byte) (inner, rest string, err error) {
	var read strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return read.String(), text[i+1:], nil
		case quote == '"' && text[i] == '\\' && i+1 < len(text):
			i++
			read.WriteByte(text[i])
		default:
			read.WriteByte(text[i])
		}
	}
	return "", "", fmt.Errorf("the %c of %.20s… is not closed", quote, text)
}
