package commands

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

func exportCommands() []func() Command {
	return []func() Command{exportEverything, listVulnerabilityChanges}
}

// exportKind is a kind of export: its two variants, of which one may be missing, and the keys of its records that have
// other names in other kinds.
type exportKind struct {
	name         string
	pages, files defender.Operation
	severity     []string // the keys of the severity of a record; none where it has no severity
	product      []string // the keys of the product
	delta        bool     // it lists changes since a time
	cves         bool     // its records name a vulnerability
}

func exportKinds() []exportKind {
	software, severity := []string{"softwareName"}, []string{"vulnerabilitySeverityLevel"}
	return []exportKind{
		{name: "software_inventory", pages: defender.ExportSoftware, files: defender.ExportSoftwareFiles, product: software},
		{name: "software_vulnerabilities", pages: defender.ExportVulnerabilities, files: defender.ExportVulnerabilitiesFiles, product: software, severity: severity, cves: true},
		{name: "software_vulnerability_changes", pages: defender.ExportVulnerabilityChanges, product: software, severity: severity, delta: true, cves: true},
		{name: "secure_configuration", pages: defender.ExportSecureConfiguration, files: defender.ExportSecureConfigurationFiles, product: []string{"configurationName"}},
		{name: "non_cpe_software", pages: defender.ExportOtherSoftware, files: defender.ExportOtherSoftwareFiles, product: software},
		{name: "browser_extensions", pages: defender.ExportBrowserExtensions, files: defender.ExportBrowserExtensionsFiles, product: []string{"ExtensionName", "extensionName"}, severity: []string{"ExtensionRisk", "extensionRisk"}},
		{name: "certificates", pages: defender.ExportCertificates, files: defender.ExportCertificatesFiles, product: []string{"signatureAlgorithm", "SignatureAlgorithm"}},
		{name: "hardware_firmware", pages: defender.ExportHardware, files: defender.ExportHardwareFiles, product: []string{"componentName"}},
		{name: "information_gathering", files: defender.ExportInformationFiles},
		{name: "baseline_compliance", pages: defender.ExportBaselines, files: defender.ExportBaselinesFiles, product: []string{"configurationId"}},
		{name: "antivirus_health", pages: defender.ListDeviceAVInfo, product: []string{"avMode"}},
	}
}

// exportOperations returns the operations of all exports.
func exportOperations() []defender.Operation {
	var all []defender.Operation
	for _, kind := range exportKinds() {
		for _, operation := range []defender.Operation{kind.pages, kind.files} {
			if operation.Path != "" {
				all = append(all, operation)
			}
		}
	}
	return all
}

// The ways of an export.
const (
	viaAuto  = "auto"
	viaPages = "json"
	viaFiles = "files"
)

// recordFilter lets through the records of an export that are wanted.
type recordFilter struct {
	Machines    []string `arg:"machine_id" help:"The IDs of the machines whose records are kept."`
	Groups      []string `arg:"rbac_group" help:"The names of the device groups whose records are kept."`
	MinSeverity string   `arg:"min_severity" values:"Low,Medium,High,Critical" help:"The lowest severity of the records that are kept, of exports whose records have one."`
	CVEs        []string `arg:"cve" help:"The vulnerabilities whose records are kept, such as CVE-2026-12345, of exports whose records name one."`
	Product     string   `arg:"product" help:"The product whose records are kept; case does not matter. * stands for any characters, as in chrome*."`
}

func (f recordFilter) empty() bool {
	return len(f.Machines) == 0 && len(f.Groups) == 0 && f.MinSeverity == "" && len(f.CVEs) == 0 && f.Product == ""
}

// severityRank orders severities; 0 means none is given.
func severityRank(severity string) int {
	for i, one := range []string{"Low", "Medium", "High", "Critical"} {
		if strings.EqualFold(one, severity) {
			return i + 1
		}
	}
	return 0
}

func anyEqual(wanted []string, text string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(one string) bool { return strings.EqualFold(one, text) })
}

func (f recordFilter) matches(kind exportKind, record defender.Record) bool {
	return (len(f.Machines) == 0 || anyEqual(f.Machines, deviceOf(record))) &&
		(len(f.Groups) == 0 || anyEqual(f.Groups, record.Text("rbacGroupName", "RbacGroupName"))) &&
		(len(f.CVEs) == 0 || anyEqual(f.CVEs, record.Text("cveId"))) &&
		(f.MinSeverity == "" || severityRank(record.Text(kind.severity...)) >= severityRank(f.MinSeverity)) &&
		(f.Product == "" || wildcard(f.Product, record.Text(kind.product...)))
}

func deviceOf(record defender.Record) string {
	return record.Text("deviceId", "DeviceId", "machineId")
}

// exportSummary counts what an export holds. Parts that are read again count once: each has a summary of its own until it
// is complete.
type exportSummary struct {
	Read, Matched int64
	Severity      map[string]int64
	Product       map[string]int64
	// Others is the number of records of further products than Product may have.
	Others int64
}

func newSummary() exportSummary {
	return exportSummary{Severity: map[string]int64{}, Product: map[string]int64{}}
}

// mostProducts bounds the memory of a summary. The records of further products are counted together.
const (
	mostProducts  = 20_000
	otherProducts = "(others)"
)

func (s *exportSummary) count(kind exportKind, record defender.Record) {
	s.Matched++
	if len(kind.severity) > 0 {
		s.Severity[cmp.Or(record.Text(kind.severity...), "(none)")]++
	}
	if len(kind.product) > 0 {
		s.countProduct(cmp.Or(record.Text(kind.product...), "(none)"), 1)
	}
}

func (s *exportSummary) countProduct(product string, records int64) {
	if _, known := s.Product[product]; !known && len(s.Product) >= mostProducts {
		s.Others += records
		return
	}
	s.Product[product] += records
}

func (s *exportSummary) add(part exportSummary) {
	s.Read, s.Matched, s.Others = s.Read+part.Read, s.Matched+part.Matched, s.Others+part.Others
	for severity, count := range part.Severity {
		s.Severity[severity] += count
	}
	for product, count := range part.Product {
		s.countProduct(product, count)
	}
}

// summaryRow is a line of the summary.
type summaryRow struct {
	Key   string `json:"key"`
	Count int64  `json:"count"`
}

// mostSummaryRows is how many products a summary shows.
const mostSummaryRows = 20

func (s *exportSummary) rows() []summaryRow {
	var all []summaryRow
	for _, severity := range slices.SortedFunc(maps.Keys(s.Severity), func(a, b string) int {
		return cmp.Or(severityRank(b)-severityRank(a), strings.Compare(a, b))
	}) {
		all = append(all, summaryRow{"severity " + severity, s.Severity[severity]})
	}
	products := slices.SortedFunc(maps.Keys(s.Product), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Product[b], s.Product[a]), strings.Compare(a, b))
	})
	for _, product := range products[:min(mostSummaryRows, len(products))] {
		all = append(all, summaryRow{product, s.Product[product]})
	}
	if s.Others > 0 {
		all = append(all, summaryRow{otherProducts, s.Others})
	}
	return all
}

// exportState passes an export from one execution to the next: where the file is sound, and where the source continues. It is kept
// in a file, because links of the service do not go in arguments that everybody reads.
type exportState struct {
	Kind, Via string
	// File is the file of the export, Size and SHA256 its sound part.
	File    string
	Size    int64
	SHA256  string
	Columns []string
	Headed  bool
	// Further are keys that the columns lack, and Absent the columns that no record has had, which the end of the export reports.
	Further, Absent []string
	// Since is the time from which changes are exported.
	Since time.Time
	// Next is the link of the page to continue with. Parts is how many pages or files are complete.
	Next  string
	Parts int
	// Generated and Names identify the files of the service, which may be replaced by newer ones.
	Generated string
	Names     []string
	Summary   exportSummary
}

// exporter carries out an export.
type exporter struct {
	run    *Run
	kind   exportKind
	filter recordFilter
	// most is how many records are kept; 0 for all.
	most int64
	// newer is the time of a snapshot that is known already.
	newer time.Time
	// until is when this execution leaves the rest to the next one; zero for never.
	until time.Time

	state   exportState
	file    *exportFile // nil for a summary alone
	open    warroom.OutputFile
	part    exportSummary
	devices deviceSet
	seen    map[string]bool
	// columns are those that were asked for.
	columns []string
}

// deviceSet holds the hashes of the IDs of machines, which take less memory than the IDs.
type deviceSet struct {
	hashes map[uint64]struct{}
	last   string // the one before: records of a machine often follow each other
}

func newDevices() deviceSet { return deviceSet{hashes: map[uint64]struct{}{}} }

func (s *deviceSet) add(device string) {
	if device != s.last && device != "" {
		s.last = device
		s.hashes[hashOf(device)] = struct{}{}
	}
}

// hashOf is the 64-bit FNV-1a hash of a text, which is the same in every process.
func hashOf(text string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	hash := uint64(offset)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * prime
	}
	return hash
}

// errEnough ends reading once enough records have been kept.
var errEnough = errors.New("enough records")

// errPaused leaves the rest to the next execution.
var errPaused = errors.New("the rest is left to the next execution")

// take counts a record and writes it where it is wanted.
func (e *exporter) take(record []byte, copied bool) error {
	record = bytes.TrimPrefix(bytes.TrimRight(record, "\r\n"), []byte(rawjson.ByteOrderMark))
	e.part.Read++
	if e.part.Read%progressEvery == 0 {
		e.tell()
	}
	if !e.filter.matches(e.kind, record) {
		return nil
	}
	e.part.count(e.kind, record)
	e.devices.add(deviceOf(record))
	if e.file != nil && !copied {
		if err := e.file.write(record); err != nil {
			return err
		}
	}
	if e.most > 0 && e.state.Summary.Matched+e.part.Matched >= e.most {
		return errEnough
	}
	return nil
}

// progressEvery is the number of records between two reports of progress.
const progressEvery = 2048

func (e *exporter) tell() {
	operation, parts := e.kind.pages, 0
	if e.state.Via == viaFiles {
		operation, parts = e.kind.files, len(e.state.Names)
	}
	e.run.API.Exported(operation, e.state.Summary.Read+e.part.Read, e.state.Parts+1, parts)
}

// begin begins a part.
func (e *exporter) begin() error {
	e.part = newSummary()
	if e.file == nil {
		return nil
	}
	return e.file.begin()
}

// commit ends a part: from here on, a failure loses nothing of it.
func (e *exporter) commit(copied bool) error {
	if e.file != nil {
		end := e.file.end
		if copied {
			end = e.file.endCopy
		}
		if err := end(); err != nil {
			return err
		}
	}
	e.tell()
	e.state.Summary.add(e.part)
	e.part = newSummary()
	e.state.Parts++
	return nil
}

// pages reads the JSON variant. The boolean reports that the export is one for files, which the first page tells.
func (e *exporter) pages(ctx context.Context, auto bool) (tooLarge bool, err error) {
	e.state.Via = viaPages
	for {
		next, err := e.run.API.StreamPage(ctx, defender.ExportPage{Operation: e.kind.pages, Since: e.state.Since, Next: e.state.Next}, e.begin,
			func(record []byte) error { return e.take(record, false) })
		if errors.Is(err, errEnough) {
			return false, e.commit(false)
		}
		if err != nil {
			return false, err
		}
		if auto && next != "" && e.state.Parts == 0 && e.kind.files.Path != "" {
			return true, e.restart()
		}
		if err := e.commit(false); err != nil {
			return false, err
		}
		if next == "" || e.seen[next] { // links that repeat forever have been seen
			return false, nil
		}
		e.seen[next], e.state.Next = true, next
		if e.pauses() {
			return false, errPaused
		}
	}
}

func (e *exporter) pauses() bool { return !e.until.IsZero() && !e.run.Now().Before(e.until) }

// mostRenewals is how often the links of one file are asked for again.
const mostRenewals = 3

// AlreadyExportedError reports that the service has no newer snapshot than the one that is known.
type AlreadyExportedError struct{ Generated string }

func (e *AlreadyExportedError) Error() string {
	return fmt.Sprintf("The service has no newer snapshot: the newest was generated at %s.", e.Generated)
}

// files reads the variant that answers with files.
func (e *exporter) files(ctx context.Context) error {
	e.state.Via = viaFiles
	links, err := e.links(ctx)
	if err != nil {
		return err
	}
	if generated, err := time.Parse(time.RFC3339Nano, links.Generated); err == nil && !e.newer.IsZero() && !generated.After(e.newer) {
		return &AlreadyExportedError{links.Generated}
	}
	for renewals := 0; e.state.Parts < len(links.Links); {
		err := e.oneFile(ctx, links.Links[e.state.Parts])
		var failed *defender.DownloadError
		switch {
		case errors.Is(err, errEnough):
			return nil
		case errors.As(err, &failed) && failed.Expired() && renewals < mostRenewals:
			renewals++
			if links, err = e.links(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		renewals = 0
		if e.state.Parts < len(links.Links) && e.pauses() {
			return errPaused
		}
	}
	return nil
}

// links asks for the links of the export. When the service has another snapshot than the one that was begun, the export
// begins again.
func (e *exporter) links(ctx context.Context) (defender.ExportFiles, error) {
	links, err := e.run.API.ExportFiles(ctx, e.kind.files)
	if err != nil {
		return links, err
	}
	names := make([]string, len(links.Links))
	for i, link := range links.Links {
		if target, err := url.Parse(link); err == nil {
			names[i] = target.Path
		}
	}
	if e.state.Parts > 0 && (e.state.Generated != links.Generated || !slices.Equal(e.state.Names, names)) {
		if err := e.restart(); err != nil {
			return links, err
		}
	}
	e.state.Generated, e.state.Names = links.Generated, names
	return links, nil
}

// restart throws away what was exported so far.
func (e *exporter) restart() error {
	e.state.Parts, e.state.Next, e.state.Summary = 0, "", newSummary()
	e.devices = newDevices()
	if e.file == nil {
		return nil
	}
	if err := e.empty(e.file.format); err != nil {
		return err
	}
	return e.file.begin()
}

// empty has the file hold nothing.
func (e *exporter) empty(format string) (err error) {
	if e.file, err = newExportFile(e.open, format, e.columns, false, 0, ""); err == nil {
		e.file.named, e.file.absent = len(e.columns) > 0, slices.Clone(e.columns)
	}
	return err
}

// errMarked reports that a file has a byte order mark, which must not get between the records of the export.
var errMarked = errors.New("the file has a byte order mark")

func (e *exporter) oneFile(ctx context.Context, link string) error {
	copied := e.file != nil && e.file.copies() && e.filter.empty() && e.most == 0
	err := e.readFile(ctx, link, copied)
	if errors.Is(err, errMarked) {
		return e.readFile(ctx, link, false)
	}
	return err
}

// readFile reads a file of the service. With copied it is taken over as the store sends it.
func (e *exporter) readFile(ctx context.Context, link string, copied bool) error {
	into := io.Writer(nil)
	if copied {
		into = exportCopy{e}
	}
	ended := true
	err := e.run.API.StreamFile(ctx, link, e.begin, func(line []byte) error {
		if copied && bytes.HasPrefix(line, []byte(rawjson.ByteOrderMark)) {
			return errMarked
		}
		ended = line[len(line)-1] == '\n'
		return e.take(line, copied)
	}, into)
	enough := errors.Is(err, errEnough)
	if err != nil && !enough {
		return err
	}
	if copied && !ended {
		if err := e.file.lineBreak(); err != nil {
			return err
		}
	}
	if failed := e.commit(copied); failed != nil {
		return failed
	}
	return err
}

// exportCopy writes what the store sent to the part that is being written.
type exportCopy struct{ *exporter }

func (c exportCopy) Write(part []byte) (int, error) { return c.file.out.Write(part) }

// save keeps the state for the next execution, and returns the ID of the file with it.
func (e *exporter) save() (id string, err error) {
	if e.file != nil {
		e.state.Size, e.state.Headed = e.file.keptSize, e.file.keptHeaded
		// The hash of the sound part: what came after it is discarded.
		if err := e.file.begin(); err != nil {
			return "", err
		}
		e.state.SHA256, e.state.Columns = e.file.sum(), e.file.keptColumns
		e.state.Further, e.state.Absent = e.file.further, e.file.absent
	}
	id, file, err := e.run.Host.Create()
	if err != nil {
		return "", err
	}
	head, err := json.Marshal(e.state)
	if err == nil {
		packed := slices.Concat(head, []byte{'\n'})
		for device := range e.devices.hashes {
			packed = binary.LittleEndian.AppendUint64(packed, device)
		}
		_, err = file.Write(packed)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, e.run.Host.Discard(id))
	}
	return id, nil
}

// largestState bounds the file of the state, in bytes: some millions of machines.
const largestState = 64 << 20

// load reads the state that the execution before left, and opens the file of the export where it is sound. The file with
// the state is removed. After an error the export is still the new one that it was.
func (e *exporter) load(id, format string) error {
	kept, err := e.run.Host.Reopen(id)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(kept, largestState))
	if err := errors.Join(err, kept.Close(), e.run.Host.Discard(id)); err != nil {
		return err
	}
	head, hashes, _ := bytes.Cut(text, []byte{'\n'})
	state := exportState{Summary: newSummary()}
	if err := json.Unmarshal(head, &state); err != nil {
		return err
	}
	if state.Kind != e.kind.name {
		return errFileChanged
	}
	if state.File != "" {
		open, err := e.run.Host.Reopen(state.File)
		if err != nil {
			return err
		}
		file, err := newExportFile(open, format, state.Columns, state.Headed, state.Size, state.SHA256)
		if err != nil {
			return errors.Join(err, open.Close(), e.run.Host.Discard(state.File))
		}
		file.named, file.further, file.absent = len(e.columns) > 0, state.Further, state.Absent
		e.open, e.file = open, file
	}
	for ; len(hashes) >= 8; hashes = hashes[8:] {
		e.devices.hashes[binary.LittleEndian.Uint64(hashes)] = struct{}{}
	}
	e.state = state
	return nil
}

// create makes the file of the export.
func (e *exporter) create(format string) error {
	id, file, err := e.run.Host.Create()
	if err != nil {
		return err
	}
	e.state.File, e.open = id, file
	return e.empty(format)
}

// export reads the whole export, as far as this execution gets.
func (e *exporter) export(ctx context.Context, via string) error {
	if via == viaFiles || e.state.Via == viaFiles || e.kind.pages.Path == "" {
		return e.files(ctx)
	}
	tooLarge, err := e.pages(ctx, via == viaAuto && e.most == 0)
	if err != nil || !tooLarge {
		return err
	}
	return e.files(ctx)
}

// drop closes and removes the file of an export that failed.
func (e *exporter) drop(err error) error {
	if e.open == nil {
		return unsaved(err)
	}
	_ = e.open.Close() // what it could not save is not needed any more
	return errors.Join(unsaved(err), discard(e.run.Host, e.state.File))
}

// ExportLostError reports that an export could not continue where the execution before it stopped, time and again.
type ExportLostError struct{ Kind string }

func (e *ExportLostError) Error() string {
	return fmt.Sprintf("The export of %s could not be completed: what earlier executions wrote was gone each time. Run it on one engine, or with filters that make it smaller.", e.Kind)
}

const (
	// mostRestarts is how often an export begins again because its file is gone.
	mostRestarts = 3
	// exportTurn is how long one execution exports when it may leave the rest to the next: the platform ends a command
	// that takes much longer than five minutes.
	exportTurn = 4 * time.Minute
)

func exportEverything() Command {
	type args struct {
		Kind string `arg:"kind" required:"true" values:"software_inventory,software_vulnerabilities,software_vulnerability_changes,secure_configuration,non_cpe_software,browser_extensions,certificates,hardware_firmware,information_gathering,baseline_compliance,antivirus_health" help:"What to export."`
		Via  string `arg:"via" default:"auto" values:"auto,json,files" help:"How the service sends the records: as pages of JSON, or as files, which is the way for more than about 50,000 records. auto asks for a page, and for files when there are more."`
		recordFilter
		Since       Moment   `arg:"since" help:"The time from which changes are exported, at most 14 days back: a date, or a time span back from now. Required for software_vulnerability_changes. With it, software_vulnerabilities exports changes instead of everything."`
		NewerThan   Moment   `arg:"newer_than" help:"The generatedTime of the last export, for files. Nothing is exported if the service has no newer snapshot; it makes one about every six hours."`
		Columns     []string `arg:"columns" help:"The keys of the records that are kept; all by default."`
		Format      string   `arg:"format" default:"jsonl.gz" values:"jsonl.gz,jsonl,csv.gz,csv" help:"The format of the file: JSON lines or CSV, compressed with gzip or not."`
		SummaryOnly bool     `arg:"summary_only" default:"false" help:"Whether to count the records without a file."`
		MaxRecords  int      `arg:"max_records" min:"1" help:"The maximum number of records to keep."`
		Polling     bool     `arg:"polling" default:"false" help:"Whether to spread a long export over several executions of four minutes. An export that the service throttles always continues in a later one."`
		pause
		Resume   string `arg:"resume" hidden:"true" help:"Where the export continues; set by the command itself."`
		Restarts int    `arg:"restarts" hidden:"true" help:"How often the export began again; set by the command itself."`
	}
	out := Output{
		Path: "MicrosoftATP.Export", Key: "val.fileName && val.fileName == obj.fileName", Single: true, Title: "Export",
		Columns: []string{"kind", "via", "generatedTime", "records", "matched", "devices", "complete", "fileName"},
		Fields: []warroom.Field{
			{Name: "kind", Type: warroom.String, Help: "What was exported."},
			{Name: "via", Type: warroom.String, Help: "How the service sent the records: json or files."},
			{Name: "generatedTime", Type: warroom.Date, Help: "When the service made the snapshot; for json, when it was read."},
			{Name: "records", Type: warroom.Number, Help: "The number of records that were read."},
			{Name: "matched", Type: warroom.Number, Help: "The number of records that were kept."},
			{Name: "devices", Type: warroom.Number, Help: "The number of machines with records that were kept."},
			{Name: "fileName", Type: warroom.String, Help: "The name of the file."},
			{Name: "entryId", Type: warroom.String, Help: "Not filled: the platform puts the ID of the file's entry at File.EntryID.", Gone: true},
			{Name: "sha256", Type: warroom.String, Help: "The SHA-256 hash of the file."},
			{Name: "complete", Type: warroom.Boolean, Help: "Whether all records were read; false when max_records ended the export."},
			{Name: "summary.key", Type: warroom.String, Help: "A severity, or one of the 20 most frequent products, certificates or configurations."},
			{Name: "summary.count", Type: warroom.Number, Help: "The number of its records that were kept."},
		},
	}
	return declare(Command{
		Name: "microsoft-atp-export", Area: Exports, Polls: true, Saves: true,
		Help:    "Exports everything that the service knows of one kind about all machines to a file, whatever its size: software, vulnerabilities, configuration, extensions, certificates, hardware, baselines or antivirus health. The context has counts, the file has the records.",
		Uses:    exportOperations(),
		Outputs: []Output{out},
		Example: `kind=software_vulnerabilities min_severity=High format=csv.gz`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		kind, err := exportNamed(run, in.Kind, in.Via, &in.Since, in.recordFilter)
		if err != nil {
			return Report{}, err
		}
		e := &exporter{
			run: run, kind: kind, filter: in.recordFilter, most: int64(in.MaxRecords), newer: in.NewerThan.Time, columns: in.Columns,
			devices: newDevices(), seen: map[string]bool{},
			state: exportState{Kind: kind.name, Since: in.Since.Time, Summary: newSummary()},
		}
		if in.Polling {
			e.until = run.Now().Add(exportTurn)
		}
		restarts := in.Restarts
		if in.Resume != "" && e.load(in.Resume, in.Format) != nil {
			if restarts++; restarts > mostRestarts {
				return Report{}, &ExportLostError{kind.name}
			}
		}
		if e.open == nil && !in.SummaryOnly {
			if err := e.create(in.Format); err != nil {
				return Report{}, e.drop(err)
			}
		}
		err = e.export(ctx, in.Via)
		var throttled *defender.ThrottledError
		var known *AlreadyExportedError
		switch {
		case errors.As(err, &throttled) && e.state.Parts > 0:
			return e.leave(throttled.After, in.Timeout, restarts)
		case errors.Is(err, errPaused):
			return e.leave(warroom.LeastWait, in.Timeout, restarts)
		case errors.As(err, &known):
			return report(warroom.Say(known.Error())), e.drop(nil)
		case err != nil:
			return Report{}, e.drop(err)
		}
		return e.report(out, in.Format)
	})
}

// longestChange is how far back the service lists changes.
const longestChange = 14 * 24 * time.Hour

// exportNamed finds the kind of an export, and checks that it can do what is asked of it. It moves since within what the
// service accepts.
func exportNamed(run *Run, name, via string, since *Moment, filter recordFilter) (exportKind, error) {
	kinds := exportKinds()
	find := func(name string) exportKind {
		return kinds[slices.IndexFunc(kinds, func(kind exportKind) bool { return kind.name == name })]
	}
	kind := find(name)
	if name == "software_vulnerabilities" && !since.IsZero() {
		kind = find("software_vulnerability_changes")
	}
	switch {
	case kind.delta && since.IsZero():
		return kind, wrong(run, "since is missing: %s lists what changed since a time", kind.name)
	case !kind.delta && !since.IsZero():
		return kind, wrong(run, "since is only for software_vulnerabilities and software_vulnerability_changes")
	case kind.delta && !since.withinReach(run, longestChange, longestWait):
		return kind, wrong(run, "since must be at most 14 days back")
	case kind.delta && since.After(run.Now().Add(borderTime)):
		return kind, wrong(run, "since must not be in the future: nothing has changed since then")
	case via == viaFiles && kind.files.Path == "":
		return kind, wrong(run, "via must be json or auto: the service has no files for %s", kind.name)
	case via == viaPages && kind.pages.Path == "":
		return kind, wrong(run, "via must be files or auto: the service has no pages for %s", kind.name)
	case filter.MinSeverity != "" && len(kind.severity) == 0:
		return kind, wrong(run, "min_severity is not for %s, whose records have no severity", kind.name)
	case len(filter.CVEs) > 0 && !kind.cves:
		return kind, wrong(run, "cve is not for %s, whose records name no vulnerability", kind.name)
	case filter.Product != "" && len(kind.product) == 0:
		return kind, wrong(run, "product is not for %s, whose records have no product", kind.name)
	}
	return kind, nil
}

// longestExport is how long a throttled export continues in all where the arguments do not say so.
const longestExport = 6 * time.Hour

// leave leaves the rest to the next execution.
func (e *exporter) leave(after time.Duration, timeout, restarts int) (Report, error) {
	limit := longestExport
	if timeout > 0 {
		limit = time.Duration(timeout) * time.Second
	}
	after, until := max(after, warroom.LeastWait), e.run.deadline(limit)
	soFar := fmt.Sprintf("%s exported so far, in %s", countOf(int(e.state.Summary.Read), "record"), countOf(e.state.Parts, "part"))
	if e.run.began.Add(after).After(until) {
		return Report{}, e.drop(&GivenUpError{Until: until, Waits: soFar})
	}
	id, err := e.save()
	if err != nil {
		return Report{}, e.drop(err)
	}
	if e.open != nil {
		if err := e.open.Close(); err != nil {
			return Report{}, errors.Join(e.drop(err), discard(e.run.Host, id))
		}
	}
	poll := e.run.again(scheduled{
		changes: map[string]any{resumeArgument: id, "restarts": restarts}, after: after, until: until, done: e.state.Parts, whole: len(e.state.Names),
	})
	line := fmt.Sprintf("%s. The export continues in %s; it gives up at %s.", soFar, defender.Seconds(after), minute(until))
	return report(warroom.Entry{Blocks: []warroom.Block{warroom.Paragraph(line)}, Poll: poll}), nil
}

// exportResult is the context of an export.
type exportResult struct {
	Kind      string       `json:"kind"`
	Via       string       `json:"via"`
	Generated string       `json:"generatedTime"`
	Records   int64        `json:"records"`
	Matched   int64        `json:"matched"`
	Devices   int          `json:"devices"`
	File      string       `json:"fileName,omitempty"`
	SHA256    string       `json:"sha256,omitempty"`
	Complete  bool         `json:"complete"`
	Summary   []summaryRow `json:"summary,omitempty"`
}

// report shows an export that has ended.
func (e *exporter) report(out Output, format string) (Report, error) {
	now := e.run.Now().UTC()
	sum := e.state.Summary
	result := exportResult{
		Kind: e.kind.name, Via: e.state.Via, Generated: cmp.Or(e.state.Generated, now.Format(time.RFC3339)), Records: sum.Read, Matched: sum.Matched,
		Devices: len(e.devices.hashes), Complete: e.most == 0 || sum.Matched < e.most, Summary: sum.rows(),
	}
	var entries []warroom.Entry
	if e.file != nil {
		if err := e.file.begin(); err != nil { // takes back what is not of a complete part
			return Report{}, e.drop(err)
		}
		if err := e.open.Close(); err != nil {
			return Report{}, e.drop(err)
		}
		result.SHA256 = e.file.sum()
		// The hash tells exports of one kind and minute apart: the context merges those of one name.
		result.File = fmt.Sprintf("%s %s %s.%s", e.kind.name, now.Format("2006-01-02 1504Z"), result.SHA256[:8], format)
		entries = append(entries, warroom.Entry{
			Kind:   warroom.Download,
			Blocks: []warroom.Block{warroom.Paragraph(fmt.Sprintf("%s: %d bytes, SHA-256 %s", result.File, e.file.keptSize, result.SHA256))},
			File:   &warroom.File{Name: result.File, ID: e.state.File, Size: e.file.keptSize, SHA256: result.SHA256},
		})
	}
	object := rawjson.Make(result)
	entry := out.objectEntry(object)
	if rows := result.Summary; len(rows) > 0 {
		objects := make([]rawjson.Value, len(rows))
		for i, row := range rows {
			objects[i] = rawjson.Make(row)
		}
		entry.Blocks = append(entry.Blocks, warroom.Table{Title: "Records by severity and product", Columns: []string{"key", "count"}, Records: warroom.Records{Rows: objects}})
	}
	if !result.Complete {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph("The export ended at max_records; the service has or may have more."))
	}
	if e.file != nil && len(e.file.further) > 0 {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph(fmt.Sprintf(
			"The columns are the keys of the first record. Other records have further keys, which the file lacks: %s. Name all that you need in columns, or export to jsonl.gz.",
			strings.Join(e.file.further, ", "))))
	}
	if e.file != nil && sum.Matched > 0 && len(e.file.absent) > 0 {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph(fmt.Sprintf(
			"No record has a key that columns names: %s. Check how it is written.", strings.Join(e.file.absent, ", "))))
	}
	return report(append([]warroom.Entry{entry}, entries...)...), nil
}
