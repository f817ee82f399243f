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
	}
}
