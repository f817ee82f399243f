package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"xsoar-defender/internal/simulator/kusto"
)

// The documented limits of a hunting query: how many rows it gives, and how far back its events go.
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

// runGraphQuery answers a hunting query of Microsoft Graph. The names of its request are documented in one case and
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
// interval. Without one it is the 30 days that Microsoft documents.
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

// hunt runs a query over the events of the span up to now.
func (c *company) hunt(text string, now time.Time, span time.Duration) (kusto.Table, *apiError) {
	found, err := kusto.Run(text, now, func(name string) (kusto.Table, bool) {
		table, known := c.table(name)
		if !known {
			return kusto.Table{}, false
		}
		table.Rows = where(table.Rows, func(t kusto.Row) bool {
			when, ok := t["Timestamp"].(time.Time)
			return !ok || now.Sub(when) <= span && !when.After(now)
		})
		return table, true
	})
	if err != nil {
		return kusto.Table{}, badRequest("Your query has an error: %v.", err)
	}
	if len(found.Rows) > maxHuntingRows {
		found.Rows = found.Rows[:maxHuntingRows]
	}
	return found, nil
}

func schemaOf(t kusto.Table) []huntingSchema {
	return each(t.Columns, func(c kusto.Column) huntingSchema { return huntingSchema{c.Name, c.Kind} })
}

// resultsOf returns the rows with their properties in the order of the columns.
func resultsOf(t kusto.Table) []record {
	return each(t.Rows, func(row kusto.Row) record {
		return each(t.Columns, func(c kusto.Column) property { return property{c.Name, shown(c.Of(row))} })
	})
}

// shown returns a value as an answer has it: numbers keep every digit, times have up to seven digits of a second.
func shown(value any) any {
	switch v := value.(type) {
	case time.Time:
		return at(v)
	case time.Duration:
		return fmt.Sprintf("%02d:%02d:%02d", int(v.Hours()), int(v.Minutes())%60, int(v.Seconds())%60)
	default:
		return v
	}
}

// hasEvent tells whether there is an event with the report id on the machine at that time.
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
