package simulator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/simulator/kusto"
)

const queryPath = "/api/advancedqueries/run"

// hunts runs a query that must succeed.
func (w *world) hunts(query string) told {
	w.Helper()
	return w.post(queryPath, map[string]string{"Query": query}, 200)
}

func TestQueriesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, query := range []string{
		"// nothing", ";", "Devices | take 1", "DeviceInfo |", "DeviceInfo | where", "DeviceInfo | where DeviceName ==",
		`DeviceInfo | where DeviceName == "a`, `DeviceInfo | where DeviceName == "a" or"`, "DeviceInfo | where (DeviceName == 'a'", "DeviceInfo | where DeviceName == 'a')",
		"DeviceInfo | where Nothing == 1", "DeviceInfo | project Nothing", "DeviceInfo | summarize count() by Nothing", "DeviceInfo | frobnicate",
		"DeviceInfo | take -1", "DeviceInfo | take DeviceName", "DeviceInfo take 1", "DeviceInfo | sort DeviceName", "DeviceInfo | where DeviceName matches regex '('",
		"DeviceInfo | join kind=inner (AlertInfo) on DeviceId", "let x = ; DeviceInfo", "DeviceInfo | where DeviceName in 'a'", "DeviceInfo | where Timestamp > datetime(yesterday)",
		`DeviceInfo | where DeviceName == "\q"`, "DeviceInfo | where " + strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100), "#",
	} {
		w.refused("POST", queryPath, map[string]string{"Query": query}, 400, "BadRequest")
	}
	w.refused("POST", queryPath, map[string]string{"Query": ""}, 400, "MissingRequiredParameter")
	w.refused("POST", queryPath, map[string]string{"query": "DeviceInfo"}, 400, "MissingRequiredParameter")
	w.refused("POST", queryPath, "", 400, "InvalidRequestBody")
}

func TestTheShapeOfAnAnswer(t *testing.T) {
	w := newWorld(t)
	const query = "DeviceProcessEvents | where FileName =~ 'winword.exe' | project Timestamp, FileName, LogonId, DeviceId | take 2"
	defender := w.hunts(query)
	w.same("the schema", defender.get("Schema").Raw, `[{"Name":"Timestamp","Type":"DateTime"},{"Name":"FileName","Type":"String"},{"Name":"LogonId","Type":"Int64"},{"Name":"DeviceId","Type":"String"}]`)
	w.same("the number of rows", len(defender.all("Results")), 2)
	w.same("the properties of a row", defender.get("Results.0.@keys").Raw, `["Timestamp","FileName","LogonId","DeviceId"]`)
	w.same("a number beyond 2 to the power of 53", defender.get("Results.0.LogonId").Raw, "9007199254740993")
	every := w.hunts(`DeviceInfo | take 1 | project Missing = toint("x"), Real = 1.5, Flag = true, Span = 1h, List = dynamic([1]), Text = "x"`).get("Results.0")
	w.same("values of every type", every.Raw, `{"Missing":null,"Real":1.5,"Flag":true,"Span":"01:00:00","List":[1],"Text":"x"}`)
	graph := w.post("/v1.0/security/runHuntingQuery", map[string]string{"Query": query}, 200)
	w.same("the rows of Microsoft Graph", graph.get("results").Raw, defender.get("Results").Raw)
	w.same("a column of Microsoft Graph", graph.get("schema.2").Raw, `{"name":"LogonId","type":"Int64"}`)
	w.same("a query in lower case", w.post("/v1.0/security/runHuntingQuery", map[string]string{"query": query}, 200).get("results").Raw, defender.get("Results").Raw)
	w.refused("POST", "/v1.0/security/runHuntingQuery", map[string]string{"Query": "Nothing"}, 400, "BadRequest")
	w.refused("POST", "/v1.0/security/runHuntingQuery", map[string]string{}, 400, "MissingRequiredParameter")
}

func TestHowFarAQueryLooksBack(t *testing.T) {
	w := newWorld(t)
	oldest := func(body map[string]string) time.Duration {
		body["Query"] = "DeviceNetworkEvents | summarize min(Timestamp)"
		answer := w.post("/v1.0/security/runHuntingQuery", body, 200)
		when, err := time.Parse(time.RFC3339Nano, answer.get("results.0.min_Timestamp").String())
		if err != nil {
			t.Fatal(err)
		}
		return w.Now().Sub(when)
	}
	for span, most := range map[string]time.Duration{"P1D": day, "P1DT12H": 36 * time.Hour, "P2W": 14 * day, "2026-06-08T00:00:00Z/P1D": 57 * time.Hour, "": huntingSpan} {
		if got := oldest(map[string]string{"Timespan": span}); got > most || got < most/2 {
			t.Errorf("a timespan of %q looks %v back, want up to %v", span, got, most)
		}
	}
	for _, span := range []string{"1D", "P", "P1X", "PD", "P1", "yesterday"} {
		w.refused("POST", "/v1.0/security/runHuntingQuery", map[string]string{"Query": "DeviceInfo", "Timespan": span}, 400, "InvalidInput")
	}
	w.Advance(60 * day)
	w.same("the events of a company two months later", w.hunts("DeviceNetworkEvents | count").get("Results.0.Count"), 0)
}

func TestEveryTableHasRows(t *testing.T) {
	w := newWorld(t)
	for name := range huntingSchemas() {
		rows := w.hunts(name + " | take 3")
		if len(rows.all("Results")) == 0 {
			t.Errorf("%s has no rows", name)
		}
		known := each(columnsOf(name), func(c kusto.Column) string { return c.Name })
		table, _ := w.company.table(name)
		for row := range table {
			for column := range row {
				if !slices.Contains(known, column) {
					t.Fatalf("%s has a value of %s, which is not a column of it", name, column)
				}
			}
		}
	}
}

func TestEventsAgreeWithTheAPI(t *testing.T) {
	w := newWorld(t)
	w.same("the machines", w.hunts("DeviceInfo | count").get("Results.0.Count"), 40)
	w.same("the alerts", w.hunts("AlertInfo | where Severity == 'High' | count").get("Results.0.Count"), len(w.list("/api/alerts", "$filter", "severity eq 'High'").all("value")))
	machines := w.hunts(fmt.Sprintf("DeviceNetworkEvents | where RemoteUrl == '%s' | distinct DeviceId", controlHost)).all("Results.#.DeviceId")
	for _, id := range w.get("/api/domains/" + controlHost + "/machines").all("value.#.id") {
		if !slices.Contains(machines, id) {
			t.Errorf("machine %s talked to %s, and no event says so", id, controlHost)
		}
	}
	known := w.tenant.MachineIDs()
	gjson.Get(w.hunts("DeviceProcessEvents | distinct DeviceId, DeviceName").body, "Results").ForEach(func(_, row gjson.Result) bool {
		w.same("the name of "+row.Get("DeviceId").String(), w.get("/api/machines/"+row.Get("DeviceId").String()).get("computerDnsName"), row.Get("DeviceName"))
		return slices.Contains(known, row.Get("DeviceId").String())
	})
}
