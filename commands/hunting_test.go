package commands_test

import (
	"net/http"
	"strings"
	"testing"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// TestHuntingMovesToMicrosoftGraphOnce answers that the Defender endpoint is gone: the query runs in Graph, and so do all later ones.
func TestHuntingMovesToMicrosoftGraphOnce(t *testing.T) {
	const defender, graph = "POST /api/advancedqueries/run", "POST /v1.0/security/runHuntingQuery"
	query := map[string]any{"query": "DeviceInfo | take 1"}
	i := commandstest.New(t)
	i.Answer("POST", "/api/advancedqueries/run", http.StatusGone, `{"error":{"code":"Gone","message":"gone"}}`)
	first := i.Run("microsoft-atp-advanced-hunting", query)
	first.WantAsked(defender, graph)
	first.Entry()
	second := i.Run("microsoft-atp-advanced-hunting", query)
	second.WantAsked(graph)
	second.Entry()
	i.Params["hunting_api"] = "Defender"
	i.Run("microsoft-atp-advanced-hunting", query).WantAsked(defender)
	i.Tenant.ClearFaults()
	i.Params["hunting_api"] = "Graph"
	i.Run("microsoft-atp-advanced-hunting", query).WantAsked(graph)

	forgetful := commandstest.New(t)
	forgetful.Host.Forgetful = true
	forgetful.Answer("POST", "/api/advancedqueries/run", http.StatusGone, `{"error":{"code":"Gone","message":"gone"}}`)
	for range 2 { // a hunt does not fail because that is not kept
		again := forgetful.Run("microsoft-atp-advanced-hunting", query)
		again.WantAsked(defender, graph)
		again.Entry()
	}
	refused := commandstest.New(t)
	refused.Answer("POST", "/api/advancedqueries/run", http.StatusForbidden, `{"error":{"code":"Forbidden","message":"missing role"}}`)
	result := refused.Run("microsoft-atp-advanced-hunting", query)
	result.WantAsked(defender)
	result.WantFailure("missing role")
}

// TestATimeoutBeyondThatOfTheServiceIsCut has the numbers of existing playbooks, which the deployed integration takes.
func TestATimeoutBeyondThatOfTheServiceIsCut(t *testing.T) {
	for _, timeout := range []any{"601", 3600, "0"} {
		i := commandstest.New(t)
		i.Run("microsoft-atp-advanced-hunting", map[string]any{"query": "DeviceInfo | take 1", "timeout": timeout}).Entry()
		i.Run("microsoft-atp-advanced-hunting-tampering", map[string]any{"timeout": timeout}).Entry()
	}
}

// TestQueriesOfABatchAreToldByTheirNames has a query that fails between two that do not, and is then refused all.
func TestQueriesOfABatchAreToldByTheirNames(t *testing.T) {
	const path, rows = "/api/advancedqueries/run", `{"Schema":[{"Name":"A","Type":"String"}],"Results":[{"A":"1"}]}`
	answers := func(i *commandstest.Instance, bodies ...string) {
		for _, body := range bodies {
			fault := simulator.Fault{Kind: simulator.KindAPI, Method: "POST", Path: path, Status: 200, Body: body, Times: 1}
			if body != rows {
				fault.Status, fault.Body = http.StatusBadRequest, `{"error":{"code":"BadRequest","message":"`+body+`"}}`
			}
			i.Tenant.Script(fault)
		}
	}
	batch := map[string]any{"query_batch": `[{"query":"A","name":"first"},{"query":"B","name":"second"},{"query":"C"},{"query":"D"}]`}
	i := commandstest.New(t)
	answers(i, rows, "no such table", rows, "no such column")
	entry := i.Run("microsoft-atp-advanced-hunting", batch).Entry()
	entry.WantReadable("Hunting results: first", "Failed: 2", "Query second: ", "no such table", "Query 4: ", "no such column")
	if got := entry.At("MicrosoftATP.Hunt.Result"); len(got.Array()) != 2 || !got.Get("0.first").Exists() {
		t.Errorf("got %s, want the results of two queries, the first by its name", got)
	}
	i = commandstest.New(t)
	answers(i, "a", "b", "c", "d")
	i.Run("microsoft-atp-advanced-hunting", batch).WantFailure("All 4 failed:", "first: Query first: ", "second: Query second: ", "3: Query 3: ", "4: Query 4: ")
}

func TestAHuntForAPurposeIsNamedAfterIt(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/advancedqueries/run", 200, `{"Schema":[{"Name":"DeviceName","Type":"String"}],"Results":[{"DeviceName":"ws-1"}]}`)
	for command, want := range map[string]struct{ purpose, title, path string }{
		"microsoft-atp-advanced-hunting-lateral-movement-evidence": {"network_connections", "Hunting results: network_connections", "MicrosoftATP.HuntLateralMovementEvidence.Result.network_connections"},
		"microsoft-atp-advanced-hunting-privilege-escalation":      {"", "Hunting results", "MicrosoftATP.HuntPrivilegeEscalation.Result"},
	} {
		args := map[string]any{"device_name": "ws-1"}
		if want.purpose != "" {
			args["query_purpose"] = want.purpose
		}
		entry := i.Run(command, args).Entry()
		if got := entry.At(want.path); got.Get("0.DeviceName").String() != "ws-1" {
			t.Errorf("%s: got %s at %s of %q, want the row", command, got.Raw, want.path, entry.Paths())
		}
		if title, _, _ := strings.Cut(entry.Readable(), "\n"); !strings.HasSuffix(title, want.title) {
			t.Errorf("%s: got the title %q, want %q", command, title, want.title)
		}
	}
}

func TestAPurposeIsAcceptedInAnyCase(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("POST", "/api/advancedqueries/run", 200, `{"Results":[{"DeviceName":"ws-1"}]}`)
	entry := i.Run("microsoft-atp-advanced-hunting-cover-up", map[string]any{"device_name": "ws-1", "query_purpose": " File_Deleted"}).Entry()
	if got := entry.At("MicrosoftATP.HuntCoverUp.Result.file_deleted"); got.Get("0.DeviceName").String() != "ws-1" {
		t.Errorf("got %s of %q, want the row", got.Raw, entry.Paths())
	}
}
