package simulator

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"xsoar-defender/internal/simulator/kusto"
)

// The limits of a hunting query: how many rows it returns, and how far back its events go
// (https://learn.microsoft.com/defender-endpoint/api/run-advanced-query-api).
const (
	maxHuntingRows = 100_000
	huntingSpan    = 30 * day
)

// huntingSchema is how an answer describes a column.
type huntingSchema struct {
	Name string
	Type string
}

// runQuery answers a hunting query of the Defender API.
func (c *company) runQuery(call *call, body fields) (reply, *apiError) {
	text, failure := body.text("Query")
	if failure != nil {
		return reply{}, failure
	}
	found, failure := c.hunt(text, call.now, huntingSpan)
	if failure != nil {
		return reply{}, failure
	}
	stats := record{{"ExecutionTime", 0.015}, {"dataset_statistics", []any{record{{"table_row_count", len(found.Rows)}}}}}
	return reply{http.StatusOK, record{{"Stats", stats}, {"Schema", schemaOf(found)}, {"Results", resultsOf(found)}}}, nil
}

// runGraphQuery answers a hunting query of Microsoft Graph
// (https://learn.microsoft.com/graph/api/security-security-runhuntingquery). The names of its request are documented in one case and
// used in another; Graph takes both.
func (c *company) runGraphQuery(call *call, body fields) (reply, *apiError) {
	folded := fields{}
	for name, value := range body {
		folded[strings.ToLower(name)] = value
	}
	text, failure := folded.text("query")
	if failure != nil {
		return reply{}, failure
	}
	var span string
	if failure := folded.read("timespan", &span); failure != nil {
		return reply{}, failure
	}
	lookBack, failure := readTimespan(span, call.now)
	if failure != nil {
		return reply{}, failure
	}
	found, failure := c.hunt(text, call.now, lookBack)
	if failure != nil {
		return reply{}, failure
	}
	schema := each(schemaOf(found), func(s huntingSchema) record { return record{{"name", s.Name}, {"type", s.Type}} })
	return reply{http.StatusOK, record{
		{"@odata.context", c.base + "/v1.0/$metadata#microsoft.graph.security.huntingQueryResults"},
		{"schema", schema},
		{"results", resultsOf(found)},
	}}, nil
}

// readTimespan reads how far back a query of Microsoft Graph goes: a duration of ISO 8601, or the beginning of an
// interval. Without one it is 30 days
// (https://learn.microsoft.com/graph/api/security-security-runhuntingquery).
func readTimespan(text string, now time.Time) (time.Duration, *apiError) {
	if text == "" {
		return huntingSpan, nil
	}
	start, _, _ := strings.Cut(text, "/")
	if from, err := time.Parse(time.RFC3339, start); err == nil {
		return now.Sub(from), nil
	}
	span, ok := isoDuration(start)
	if !ok {
		return 0, invalid("The Timespan %q is not an ISO 8601 duration.", text)
	}
	return span, nil
}

// isoDuration reads the durations of ISO 8601 that have no months or years.
func isoDuration(text string) (time.Duration, bool) {
	rest, found := strings.CutPrefix(text, "P")
	if !found || rest == "" {
		return 0, false
	}
	var total time.Duration
	units := map[byte]time.Duration{'W': 7 * day, 'D': day}
	for rest != "" {
		if rest[0] == 'T' {
			units, rest = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}, rest[1:]
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 1 {
			return 0, false
		}
		n, err := strconv.Atoi(rest[:end])
		unit, known := units[rest[end]]
		if err != nil || !known {
			return 0, false
		}
		total, rest = total+time.Duration(n)*unit, rest[end+1:]
	}
	return total, true
}

// huntingTables are the tables of the company as a query sees them: with the events of a span up to now.
type huntingTables struct {
	company *company
	now     time.Time
	span    time.Duration
}

// Names implements kusto.Tables.
func (h huntingTables) Names() []string { return slices.Sorted(maps.Keys(huntingSchemas())) }

// Table implements kusto.Tables.
func (h huntingTables) Table(name string) (kusto.Table, bool) {
	rows, known := h.company.table(name)
	if !known {
		return kusto.Table{}, false
	}
	table := kusto.Table{Columns: columnsOf(name)}
	for t := range rows {
		if len(table.Rows) > kusto.MaxRows {
			break // which the query refuses
		}
		if when, ok := t["Timestamp"].(time.Time); ok && (h.now.Sub(when) > h.span || when.After(h.now)) {
			continue
		}
		row := make([]any, len(table.Columns))
		for i, c := range table.Columns {
			row[i] = t[c.Name]
			if row[i] == nil && c.Type == kusto.String {
				row[i] = ""
			}
		}
		table.Rows = append(table.Rows, row)
	}
	return table, true
}

// fileProfile are the columns that FileProfile adds.
//
// https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-fileprofile-function
var fileProfile = []kusto.Column{
	{Name: "SHA1", Type: kusto.String},
	{Name: "SHA256", Type: kusto.String},
	{Name: "MD5", Type: kusto.String},
	{Name: "FileSize", Type: kusto.Long},
	{Name: "GlobalPrevalence", Type: kusto.Long},
	{Name: "GlobalFirstSeen", Type: kusto.DateTime},
	{Name: "GlobalLastSeen", Type: kusto.DateTime},
	{Name: "Signer", Type: kusto.String},
	{Name: "Issuer", Type: kusto.String},
	{Name: "SignerHash", Type: kusto.String},
	{Name: "IsCertificateValid", Type: kusto.Bool},
	{Name: "IsRootSignerMicrosoft", Type: kusto.Bool},
	{Name: "SignatureState", Type: kusto.String},
	{Name: "IsExecutable", Type: kusto.Bool},
	{Name: "ThreatName", Type: kusto.String},
	{Name: "Publisher", Type: kusto.String},
	{Name: "SoftwareName", Type: kusto.String},
	{Name: "ProfileAvailability", Type: kusto.String},
}

// Enrich implements kusto.Enricher: it knows FileProfile, over the files of the company.
func (h huntingTables) Enrich(function string, t kusto.Table, column string, limit int) (kusto.Table, bool) {
	if function != "FileProfile" {
		return kusto.Table{}, false
	}
	if column == "" {
		column = "SHA1"
	}
	by := slices.IndexFunc(t.Columns, func(c kusto.Column) bool { return c.Name == column })
	if by < 0 {
		return t, true
	}
	added := slices.DeleteFunc(slices.Clone(fileProfile), func(c kusto.Column) bool {
		return slices.ContainsFunc(t.Columns, func(d kusto.Column) bool { return d.Name == c.Name })
	})
	made := kusto.Table{Columns: slices.Concat(t.Columns, added)}
	looked := map[string]bool{}
	for _, row := range t.Rows {
		hash := kusto.Text(row[by])
		values := tuple{"ProfileAvailability": "Missing"}
		if looked[hash] || len(looked) < limit {
			looked[hash] = true
			if f, failure := h.company.fileWith(hash); failure == nil {
				values = f.profile()
			}
		}
		full := slices.Clone(row)
		for _, c := range added {
			value := values[c.Name]
			if value == nil && c.Type == kusto.String {
				value = ""
			}
			full = append(full, value)
		}
		made.Rows = append(made.Rows, full)
	}
	return made, true
}

// profile are the columns of FileProfile for the file.
func (f *file) profile() tuple {
	state := "Unsigned"
	if f.Signer != "" {
		state = "SignedValid"
	}
	return tuple{
		"SHA1": f.SHA1, "SHA256": f.SHA256, "MD5": f.MD5, "FileSize": f.Size, "GlobalPrevalence": f.GlobalPrevalence,
		"GlobalFirstSeen": f.GlobalFirstObserved.Time, "GlobalLastSeen": f.GlobalLastObserved.Time, "Signer": string(f.Signer), "Issuer": string(f.Issuer),
		"SignerHash": string(f.SignerHash), "IsCertificateValid": f.Signer != "", "IsRootSignerMicrosoft": f.Signer == optional(microsoft.name),
		"SignatureState": state, "IsExecutable": f.IsPEFile, "ThreatName": string(f.DeterminationValue), "Publisher": string(f.FilePublisher),
		"SoftwareName": string(f.FileProductName), "ProfileAvailability": "Available",
	}
}

// hunt runs a query over the events of the span up to now.
func (c *company) hunt(text string, now time.Time, span time.Duration) (kusto.Table, *apiError) {
	found, err := kusto.Run(text, now, huntingTables{c, now, span})
	if err != nil {
		return kusto.Table{}, badRequest("Your query has an error: %v.", err)
	}
	if len(found.Rows) > maxHuntingRows {
		found.Rows = found.Rows[:maxHuntingRows]
	}
	return found, nil
}

func schemaOf(t kusto.Table) []huntingSchema {
	return each(t.Columns, func(c kusto.Column) huntingSchema { return huntingSchema{c.Name, c.Type.Wire()} })
}

// resultsOf returns the rows with their properties in the order of the columns.
func resultsOf(t kusto.Table) []record {
	return each(t.Rows, func(row []any) record {
		made := make(record, len(row))
		for i, c := range t.Columns {
			made[i] = property{c.Name, shown(row[i])}
		}
		return made
	})
}

// shown returns a value as an answer has it: numbers keep every digit, times have up to seven digits of a second, and what JSON
// has no form for is text.
func shown(value any) any {
	switch v := value.(type) {
	case time.Time:
		return at(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return kusto.Text(v)
		}
	case time.Duration:
		return kusto.Text(v)
	case []any:
		return each(v, shown)
	case map[string]any:
		made := make(map[string]any, len(v))
		for name, one := range v {
			made[name] = shown(one)
		}
		return made
	}
	return value
}

// hasEvent reports whether there is an event with the report id on the machine at that time.
func (c *company) hasEvent(machineID, reportID string, when time.Time) bool {
	id, err := strconv.ParseInt(reportID, 10, 64)
	if err != nil {
		return false
	}
	for _, rows := range c.happened() {
		for _, t := range rows {
			seen, ok := t["Timestamp"].(time.Time)
			if ok && t["ReportId"] == id && t["DeviceId"] == machineID && seen.Equal(when) {
				return true
			}
		}
	}
	return false
}
