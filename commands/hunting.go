package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/defender"
	"xsoar-defender/internal/kql"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func huntingCommands() []func() Command {
	return []func() Command{
		advancedHunting,
		huntLateralMovement,
		huntPersistence,
		huntFileOrigin,
		huntProcessDetails,
		huntNetworkConnections,
		huntPrivilegeEscalation,
		huntTampering,
		huntCoverUp,
	}
}

// mostQueries is the maximum number of queries in a batch: each takes one of the tenant's 45 calls a minute.
const mostQueries = 10

// hunt is one query with its name and its time limit.
type hunt struct {
	Query, Name string
	Timeout     time.Duration
}

// huntFields declares the rows of a hunt, whose keys are those of the query.
func huntFields() []warroom.Field {
	return []warroom.Field{{Type: warroom.String, Help: "The rows that the query found."}}
}

func advancedHunting() Command {
	type args struct {
		Query   string          `arg:"query" help:"The query, in Kusto Query Language."`
		Timeout int             `arg:"timeout" default:"10" min:"0" max:"604800" help:"The number of seconds that a query may take; the service's own limit is 200."`
		Range   time.Duration   `arg:"time_range" help:"Only events within this time span back from now, such as 3 days."`
		Batch   []rawjson.Value `arg:"query_batch" help:"Up to ten queries as a JSON list of objects with the key query and optionally name, timeout and time_range."`
		Name    string          `arg:"name" help:"The context key under which the rows are stored."`
	}
	out := Output{Path: "MicrosoftATP.Hunt.Result", Title: "Hunting results", Empty: "The query found nothing.", Fields: huntFields(), Events: true}
	return declare(Command{
		Name: "microsoft-atp-advanced-hunting", Unnamed: "query", Area: Hunting,
		Help:    "Runs hunting queries over the events of the last 30 days.",
		Uses:    []defender.Operation{defender.RunHuntingQuery, defender.RunGraphHuntingQuery},
		Outputs: []Output{out},
		Example: `query="DeviceInfo | take 5" timeout=30`,
	}, func(ctx context.Context, run *Run, in args) (Report, error) {
		if (in.Query == "") == (in.Batch == nil) {
			return Report{}, wrong(run, "either query or query_batch must be given, but not both")
		}
		timeout := time.Duration(in.Timeout) * time.Second
		if in.Query != "" {
			query, err := kql.Within(in.Query, in.Range)
			if err != nil {
				return Report{}, wrong(run, "time_range does not fit the query: %s", err)
			}
			rows, whole, err := huntRows(ctx, run, hunt{query, in.Name, timeout})
			if err != nil {
				return Report{}, err
			}
			out := out
			out.Columns = huntColumns(in.Query, whole, rows)
			entry := out.rowsEntry(rows, whole)
			entry.Context = []warroom.Context{{Path: out.Path, Value: named(in.Name, rows)}}
			return report(entry), nil
		}
		return huntBatch(ctx, run, out, in.Batch, timeout, in.Range)
	})
}

// named puts the rows under their name, if there is one.
func named(name string, rows []rawjson.Value) warroom.Value {
	found := warroom.Records{Rows: rows}
	if name == "" {
		return found
	}
	return warroom.Group{{Key: name, Value: found}}
}

// huntBatch runs several queries one after another, since they share the tenant's quota, and shows them in one entry. A
// query that fails does not affect the others. If the service accepts no more queries, those that are left are scheduled.
func huntBatch(ctx context.Context, run *Run, out Output, batch []rawjson.Value, timeout, within time.Duration) (Report, error) {
	if len(batch) == 0 || len(batch) > mostQueries {
		return Report{}, wrong(run, "query_batch must contain 1 to %d queries; got %d", mostQueries, len(batch))
	}
	hunts := make([]hunt, len(batch))
	for i, described := range batch {
		var err error
		if hunts[i], err = huntOf(run, described, timeout, within); err != nil {
			return Report{}, err
		}
	}
	before := run.wholeOf(len(batch)) - len(batch)
	var entry warroom.Entry
	var found warroom.Values
	var failed []failure
	for i, one := range hunts {
		rows, whole, err := huntRows(ctx, run, one)
		var throttled *defender.ThrottledError
		switch {
		case errors.As(err, &throttled):
			return huntRest(entry, out, found, failed, batch[i:], before+i, throttled.After), nil
		case err != nil && ctx.Err() != nil:
			return Report{}, err
		case err != nil:
			err = &HuntError{Number: before + i + 1, Name: one.Name, Err: err}
			failed = append(failed, failure{cmp.Or(one.Name, strconv.Itoa(before+i+1)), err})
			continue
		}
		shown := out
		shown.Columns = huntColumns(one.Query, whole, rows)
		if one.Name != "" {
			shown = shown.titled("Hunting results: %s", one.Name)
		}
		entry.Blocks = append(entry.Blocks, shown.table(rows))
		entry.Contents = warroom.Raw(whole)
		found = append(found, named(one.Name, rows))
	}
	if len(found) == 0 && before == 0 {
		return Report{}, failuresError(failed)
	}
	return report(huntEntries(entry, out, found, failed)...), nil
}

// huntRest reports the queries of a batch that were run, and leaves the others to the next run.
func huntRest(entry warroom.Entry, out Output, found warroom.Values, failed []failure, rest []rawjson.Value, done int, after time.Duration) Report {
	whole := done + len(rest)
	return Report{
		Entries: huntEntries(entry, out, found, failed), Left: map[string]any{"query_batch": json.RawMessage(rawjson.Join(rest))},
		After: after, Done: done, Whole: whole,
		Waits: fmt.Sprintf("%d of %d queries were run; the service accepts no more at the moment", done, whole),
	}
}

func huntEntries(entry warroom.Entry, out Output, found warroom.Values, failed []failure) []warroom.Entry {
	var entries []warroom.Entry
	if found != nil {
		entry.Context = []warroom.Context{{Path: out.Path, Value: found}}
		entries = append(entries, entry)
	}
	if failed != nil {
		entries = withFailures(entries, failed)
	}
	return entries
}

// HuntError reports which query of a batch failed.
type HuntError struct {
	Number int
	Name   string
	Err    error
}

func (e *HuntError) Error() string {
	if e.Name != "" {
		return "Query " + e.Name + ": " + e.Err.Error()
	}
	return "Query " + strconv.Itoa(e.Number) + ": " + e.Err.Error()
}

func (e *HuntError) Unwrap() error { return e.Err }

// huntOf reads one query of a batch. The command's arguments are the defaults.
func huntOf(run *Run, described rawjson.Value, timeout, within time.Duration) (hunt, error) {
	query := described.Text("query")
	if strings.TrimSpace(query) == "" {
		return hunt{}, wrong(run, "every query of query_batch needs the key query")
	}
	if text := described.Text("timeout"); text != "" {
		seconds, err := time.ParseDuration(text + "s")
		if err != nil || seconds <= 0 {
			return hunt{}, wrong(run, "the timeout of a query must be a number of seconds; got %q", text)
		}
		timeout = seconds
	}
	if text := described.Text("time_range"); text != "" {
		span, err := params.ParseDuration(text)
		if err != nil || span == 0 {
			return hunt{}, wrong(run, `the time_range of a query must be a time span such as "3 days"; got %q`, text)
		}
		within = span
	}
	limited, err := kql.Within(query, within)
	if err != nil {
		return hunt{}, wrong(run, "time_range does not fit a query of query_batch: %s", err)
	}
	return hunt{limited, described.Text("name"), timeout}, nil
}

// huntRows runs one query and returns its rows, bare of annotations and repeated columns, and the whole answer.
func huntRows(ctx context.Context, run *Run, one hunt) ([]rawjson.Value, rawjson.Value, error) {
	whole, err := huntAnywhere(ctx, run, one)
	rows := whole.Items("Results")
	for i, row := range rows {
		rows[i] = withTextReportID(row.Bare())
	}
	return rows, whole, err
}

// huntColumns returns the columns of a hunt in the order of the query: that of the answer's schema, or of its rows. Where the
// query leaves the columns to the tables, those that decide come first.
func huntColumns(query string, whole rawjson.Value, rows []rawjson.Value) []string {
	var columns []string
	add := func(name string) {
		if name != "" && !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	held := map[string]bool{}
	for _, row := range rows {
		row.Each(func(name string, _ rawjson.Value) { held[name] = true })
	}
	if !kql.NamesColumns(query) {
		for _, name := range decidingColumns() {
			if held[name] {
				add(name)
			}
		}
	}
	for _, described := range whole.Items("Schema") {
		if name := described.Text("Name", "name"); held[name] {
			add(name)
		}
	}
	for _, row := range rows {
		if len(columns) == len(held) {
			break
		}
		row.Each(func(name string, _ rawjson.Value) { add(name) })
	}
	return columns
}

// decidingColumns are the columns of advanced hunting that decide: when, what, where, who and how bad
// (https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables).
func decidingColumns() []string {
	return []string{
		"Timestamp", "Title", "Severity", "ActionType", "DeviceName", "AccountDomain", "AccountName", "FileName", "FolderPath",
		"ProcessCommandLine", "RemoteUrl", "RemoteIP", "RemotePort", "RegistryKey", "RegistryValueName", "RegistryValueData",
		"InitiatingProcessFileName", "InitiatingProcessCommandLine", "InitiatingProcessAccountName", "SHA256", "SHA1", "DeviceId",
	}
}

// withTextReportID returns a row whose ReportId is text. The numbers go beyond 2^53, where the platform, which reads them
// as JavaScript does, would round them: a report built from a rounded one is about no event.
func withTextReportID(row rawjson.Value) rawjson.Value {
	id := row.Key("ReportId")
	if id.Type != gjson.Number || id.Index <= 0 {
		return row
	}
	return row[:id.Index] + rawjson.Value(strconv.Quote(id.Raw)) + row[id.Index+len(id.Raw):]
}

// huntingKey is the key of the integration context that remembers where hunting queries run.
const huntingKey = "xsoar_defender_hunting"

// huntAnywhere runs a query on the API that the instance selects. With Auto that is Defender until Defender answers
// that its endpoint is gone, and Microsoft Graph from then on.
func huntAnywhere(ctx context.Context, run *Run, one hunt) (rawjson.Value, error) {
	switch run.Instance.HuntingAPI {
	case params.HuntingDefender:
		return run.API.Hunt(ctx, one.Query, one.Timeout)
	case params.HuntingGraph:
		return run.API.GraphHunt(ctx, one.Query, one.Timeout)
	}
	// The note about Graph saves a request. A hunt must not fail because it cannot be read or saved.
	kept, err := run.Host.Load(ctx)
	if err == nil && string(kept[huntingKey]) == `"graph"` {
		return run.API.GraphHunt(ctx, one.Query, one.Timeout)
	}
	whole, err := run.API.Hunt(ctx, one.Query, one.Timeout)
	if !defender.HuntingRetired(err) {
		return whole, err
	}
	whole, err = run.API.GraphHunt(ctx, one.Query, one.Timeout)
	if err != nil {
		return "", err
	}
	if err := run.Host.Update(ctx, func(values map[string]json.RawMessage) (bool, error) {
		values[huntingKey] = json.RawMessage(`"graph"`)
		return true, nil
	}); err != nil {
		run.Host.Log(ctx, "hunting has moved to Microsoft Graph; this could not be saved: "+err.Error())
	}
	return whole, nil
}
