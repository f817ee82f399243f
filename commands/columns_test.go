package commands_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/commands/commandstest"
)

// TestTheColumnsThatDecideComeFirst shows one object of each kind: when, what, where, who and how bad come before ids and
// long texts.
func TestTheColumnsThatDecideComeFirst(t *testing.T) {
	const when = "2026-11-25T10:00:05.1234567Z"
	for _, test := range []struct {
		command      string
		args         map[string]any
		path, answer string
		first, row   string
	}{
		{
			"microsoft-atp-list-alerts", nil, "/api/alerts",
			`{"value":[{"id":"da1","title":"T","severity":"High","status":"New","alertCreationTime":"` + when + `","computerDnsName":"pc","machineId":"m1"}]}`,
			"AlertCreationTime,Severity,Title,ComputerDNSName,Status,ID,MachineID", "2026-11-25 10:00:05 UTC | High | T | pc | New | da1 | m1",
		},
		{
			"microsoft-atp-get-machines", nil, "/api/machines",
			`{"value":[{"id":"m1","computerDnsName":"pc","healthStatus":"Active","riskScore":"High","lastSeen":"` + when + `"}]}`,
			"LastSeen,ComputerDNSName,HealthStatus,RiskScore,ID", "2026-11-25 10:00:05 UTC | pc | Active | High | m1",
		},
		{
			"microsoft-atp-list-machine-actions-details", nil, "/api/machineactions",
			`{"value":[{"id":"a1","type":"Isolate","status":"Pending","machineId":"m1","computerDnsName":"pc","creationDateTimeUtc":"` + when + `"}]}`,
			"CreationDateTimeUtc,Type,ComputerDNSName,Status,ID,MachineID", "2026-11-25 10:00:05 UTC | Isolate | pc | Pending | a1 | m1",
		},
		{
			"microsoft-atp-get-file-info",
			map[string]any{"hash": aSHA1},
			"/api/files/",
			`{"sha1":"` + aSHA1 + `","size":2048,"determinationType":"Malicious","determinationValue":"Trojan","globalPrevalence":3}`,
			"DeterminationType,DeterminationValue,GlobalPrevalence,Size,Sha1", "Malicious | Trojan | 3 | 2.0 KiB (2048 bytes) | " + aSHA1,
		},
	} {
		i := commandstest.New(t)
		i.Answer(http.MethodGet, test.path, http.StatusOK, test.answer)
		entry := i.Run(test.command, test.args).Entry()
		if got, want := entry.Columns(), strings.Split(test.first, ","); !slices.Equal(got, want) {
			t.Errorf("%s: got the columns %q, want %q", test.command, got, want)
		}
		entry.WantReadable("| " + test.row + " |")
	}
}

func TestColumnsOfAHunt(t *testing.T) {
	const schema = `"Schema":[{"Name":"Zulu","Type":"String"},{"Name":"Timestamp","Type":"DateTime"},{"Name":"Alpha","Type":"String"}]`
	const rows = `"Results":[{"Alpha":"a","severity@odata.type":"#T","Timestamp":"2026-11-25T10:00:05.1234567Z","Zulu":"z"}]`
	for query, want := range map[string]string{
		"T | project Zulu, Timestamp, Alpha": "Zulu,Timestamp,Alpha", // its own order
		"T | take 1":                         "Timestamp,Zulu,Alpha", // when first, then that of the tables
	} {
		i := commandstest.New(t)
		i.Answer(http.MethodPost, "/api/advancedqueries/run", http.StatusOK, "{"+schema+","+rows+"}")
		entry := i.Run("microsoft-atp-advanced-hunting", map[string]any{"query": query}).Entry()
		if got := strings.Join(entry.Columns(), ","); got != want {
			t.Errorf("%s: got the columns %s, want %s", query, got, want)
		}
		entry.WantReadable("2026-11-25 10:00:05.123 UTC")
		entry.WantAt("MicrosoftATP.Hunt.Result", `[{"Alpha":"a","Timestamp":"2026-11-25T10:00:05.1234567Z","Zulu":"z"}]`)
	}
}

func TestTableAndContextOfAHuntShowOneTruth(t *testing.T) {
	const rows = `[{"A":"one","A":"two","A@odata.type":"#String","@odata.id":"x","ReportId":9007199254740993,"N":null}]`
	for _, args := range []map[string]any{{"query": "T"}, {"query_batch": `[{"query":"T"}]`}} {
		for api, path := range map[string]string{"Defender": "/api/advancedqueries/run", "Graph": "/v1.0/security/runHuntingQuery"} {
			i := commandstest.New(t)
			i.Params["hunting_api"] = api
			i.Answer(http.MethodPost, path, http.StatusOK, `{"Schema":[{"Name":"A","Type":"String"},{"Name":"A","Type":"String"}],"Results":`+rows+`}`)
			entry := i.Run("microsoft-atp-advanced-hunting", args).Entry()
			if got := strings.Join(entry.Columns(), ","); got != "A,ReportId" {
				t.Errorf("%s: got the columns %s, want one of each", api, got)
			}
			entry.WantReadable("| two | 9007199254740993 |")
			if got := entry.At("MicrosoftATP.Hunt.Result").Raw; strings.Contains(got, "odata") || strings.Contains(got, "one") || !strings.Contains(got, `"A":"two"`) || !strings.Contains(got, `"ReportId":"9007199254740993"`) {
				t.Errorf("%s: got the context %s, want the values of the table and no annotation", api, got)
			}
		}
	}
}
