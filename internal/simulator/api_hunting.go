package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
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
func (c *company) runQuery(call *call) (reply, *apiError) {
	body, failure := call.fields()
	if failure != nil {
		return reply{}, failure
	}
	text, failure := body.text("Query")
	if failure != nil {
		return reply{}, failure
	}
	found, failure := c.hunt(text, call.now, huntingSpan)
	if failure != nil {
		return reply{}, failure
	}
	stats := record{{"ExecutionTime", 0.015}, {"dataset_statistics", []any{record{{"table_row_count", len(found.rows)}}}}}
	return reply{http.StatusOK, record{{"Stats", stats}, {"Schema", found.schema()}, {"Results", found.results()}}}, nil
}

// runGraphQuery answers a hunting query of Microsoft Graph. The names of its request are documented in one case and
// used in another; Graph takes both.
func (c *company) runGraphQuery(call *call) (reply, *apiError) {
	body, failure := call.fields()
	if failure != nil {
		return reply{}, failure
	}
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
	schema := each(found.schema(), func(s huntingSchema) record { return record{{"name", s.Name}, {"type", s.Type}} })
	return reply{http.StatusOK, record{
		{"@odata.context", c.base + "/v1.0/$metadata#microsoft.graph.security.huntingQueryResults"},
		{"schema", schema},
		{"results", found.results()},
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
func (c *company) hunt(text string, now time.Time, span time.Duration) (relation, *apiError) {
	found, err := runKQL(text, now, func(name string) (relation, bool) {
		table, known := c.table(name)
		if !known {
			return relation{}, false
		}
		table.rows = where(table.rows, func(t tuple) bool {
			when, ok := t["Timestamp"].(time.Time)
			return !ok || now.Sub(when) <= span && !when.After(now)
		})
		return table, true
	})
	if err != nil {
		return relation{}, badRequest("Your query has an error: %v.", err)
	}
	if len(found.rows) > maxHuntingRows {
		found.rows = found.rows[:maxHuntingRows]
	}
	return found, nil
}

func (r relation) schema() []huntingSchema {
	return each(r.columns, func(c column) huntingSchema { return huntingSchema{c.name, c.kind} })
}

// results writes the rows in the order of the columns.
func (r relation) results() []record {
	return each(r.rows, func(t tuple) record {
		return each(r.columns, func(c column) property { return property{c.name, c.shown(t)} })
	})
}

// shown is a value as an answer has it: numbers keep every digit, times have up to seven digits of a second.
func (c column) shown(t tuple) any {
	switch v := c.of(t).(type) {
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
