package commands_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"xsoar-defender/commands/commandstest"
)

// specialCase is a run of a command with an argument that changes what it does, or with an answer that does.
type specialCase struct {
	command string
	args    map[string]any
	// answers are those of the service, as "METHOD PATH STATUS BODY".
	answers []string
	// asked are the requests with their decoded query and their body, of which ... leaves something out; nil if they do not matter.
	asked []string
	// shown is in the War Room, and hidden is not; fails is in the error instead.
	shown, hidden, fails []string
}

// TestSpecialCases tries what commands do beyond their usual work.
func TestSpecialCases(t *testing.T) {
	t.Parallel()
	const retired = `{"error":{"code":"Gone","message":"retired"}}`
	for name, test := range map[string]specialCase{
		"a machine action by its ID": {
			command: "microsoft-atp-list-machine-actions-details", args: map[string]any{"id": "a1", "status": "Failed"},
			answers: []string{`GET /api/machineactions/a1 200 {"id":"a1","type":"Isolate","status":"Succeeded"}`},
			asked:   []string{"GET /api/machineactions/a1"}, shown: []string{"a1", "Isolate"},
		},
		"a filter of machine actions as it is": {
			command: "microsoft-atp-list-machine-actions-details", args: map[string]any{"filters": "status eq 'Failed'", "type": "Isolate"},
			answers: []string{`GET /api/machineactions 200 {"value":[]}`},
			asked:   []string{"GET /api/machineactions?$filter=status eq 'Failed'&$top=50"},
		},
		"all machines with an address": {
			command: "microsoft-atp-get-machine-by-ip", args: map[string]any{"ip": "10.0.0.1", "timestamp": "2 hours", "all_results": "true", "limit": 1},
			answers: []string{`GET /api/machines/* 200 {"value":[{"id":"m1"},{"id":"m2"}]}`}, shown: []string{"m1", "m2"},
		},
		"some machines with an address": {
			command: "microsoft-atp-get-machine-by-ip", args: map[string]any{"ip": "10.0.0.1", "timestamp": "2 hours", "limit": 1},
			answers: []string{`GET /api/machines/* 200 {"value":[{"id":"m1"},{"id":"m2"}]}`}, shown: []string{"m1"}, hidden: []string{"m2"},
		},
		"a hash that cannot be quarantined": {
			command: "microsoft-atp-stop-and-quarantine-file", args: map[string]any{"machine_id": "m1", "file_hash": "abc", "comment": "c"},
			asked: []string{}, fails: []string{"file_hash"},
		},
		"a query with a span of its own": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": `[{"query":"DeviceInfo","time_range":"2 days"},{"query":"AlertInfo"}]`, "time_range": "7 days"},
			answers: []string{`POST /api/advancedqueries/run 200 {"Schema":[],"Results":[]}`},
			asked:   []string{"POST /api/advancedqueries/run ... DeviceInfo ... ago(172800s)", "POST /api/advancedqueries/run ... AlertInfo ... ago(604800s)"},
		},
		"a span that cannot be read": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": `[{"query":"DeviceInfo","time_range":"long"}]`},
			asked: []string{}, fails: []string{"time_range", `got "long"`},
		},
		"a query that cannot be limited": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query": "", "query_batch": `[{"query":"union A, B","time_range":"2 days"}]`},
			asked: []string{}, fails: []string{"time_range does not fit a query of query_batch"},
		},
		"alerts of a selection that is empty": {
			command: "microsoft-atp-batch-update-alerts", args: map[string]any{"title": "t", "status": "Resolved", "expect": "0"},
			answers: []string{`GET /api/alerts 200 {"value":[]}`}, asked: []string{"GET /api/alerts?$top=10000"}, shown: []string{"No alert was updated."},
		},
		"actions of a selection that is empty": {
			command: "microsoft-atp-cancel-machine-action", args: map[string]any{"type": "Isolate", "comment": "c", "expect": "0"},
			answers: []string{`GET /api/machineactions 200 {"value":[]}`}, shown: []string{"No machine action was cancelled."},
		},
		"an investigation that may not be started": {
			command: "microsoft-atp-start-investigation", args: map[string]any{"machine_id": "m1", "comment": "c"},
			answers: []string{"POST /api/machines/m1/startInvestigation 410 " + retired},
			fails:   []string{"retired this operation in September 2026", "!microsoft-atp-run-antivirus-scan", "retired"},
		},
		"an investigation while the service is down": {
			command: "microsoft-atp-start-investigation", args: map[string]any{"machine_id": "m1", "comment": "c"},
			answers: []string{`POST /api/machines/m1/startInvestigation 401 {"error":{"code":"Unauthorized","message":"no token"}}`}, fails: []string{"no token"},
		},
		"a vulnerability that is not known": {
			command: "cve", args: map[string]any{"cve": "cve-2026-1,CVE-2026-0001,other"},
			answers: []string{
				`GET /api/vulnerabilities/CVE-2026-1 404 {"error":{"code":"ResourceNotFound","message":"no"}}`,
				`GET /api/vulnerabilities/OTHER 400 {"error":{"code":"ResourceNotFound","message":"no"}}`,
				"GET /api/vulnerabilities/CVE-2026-0001 200 " + strings.ReplaceAll(fullVulnerability, "\n", " "),
			},
			shown: []string{"The service does not know cve-2026-1.", "The service does not know other.", "CVE-2026-0001"},
		},
		"a vulnerability that is refused": {
			command: "cve", args: map[string]any{"cve": "CVE-2026-1"},
			answers: []string{`GET /api/vulnerabilities/CVE-2026-1 400 {"error":{"code":"BadRequest","message":"no"}}`}, fails: []string{"BadRequest"},
		},
		"a machine whose exposure fails": {
			command: "microsoft-atp-get-machine-exposure", args: map[string]any{"machine_id": "m1"},
			answers: []string{`GET /api/machines/m1/* 403 {"error":{"code":"Forbidden","message":"missing role"}}`}, fails: []string{"missing role"},
		},
		"a mode of the antivirus that is new": {
			command: "microsoft-atp-list-device-av-health", args: map[string]any{"limit": 10},
			answers: []string{`GET /api/deviceavinfo 200 {"value":[{"id":"m1","avMode":"5"},{"id":"m2","avMode":"17"},{"id":"m3"}]}`}, shown: []string{"PassiveAudit", "17"},
		},
		"indicators that are skipped": {
			command: "microsoft-atp-sc-indicator-list", args: map[string]any{"skip": 5, "limit": 3},
			answers: []string{`GET /api/indicators 404 {"error":{"code":"NotFound","message":"no"}}`},
			asked:   []string{"GET /api/indicators?$top=3&$skip=5"}, shown: []string{"No indicators were found."},
		},
		"an indicator that is not known": {
			command: "microsoft-atp-sc-indicator-get-by-id", args: map[string]any{"indicator_id": "996"},
			answers: []string{`GET /api/indicators/996 404 {"error":{"code":"NotFound","message":"no"}}`}, shown: []string{"The service does not know the ID 996."},
		},
		"an indicator of no kind": {
			command: "microsoft-atp-sc-indicator-create",
			args:    map[string]any{"indicator_value": "x", "indicator_type": "Smell", "action": "Alert", "indicator_title": "t", "indicator_description": "d"},
			asked:   []string{}, fails: []string{"Smell"},
		},
		"library files up to a limit": {
			command: "microsoft-atp-live-response-library-list", args: map[string]any{"limit": 1},
			answers: []string{`GET /api/libraryfiles 200 {"value":[{"fileName":"a.ps1"},{"fileName":"b.ps1"}]}`}, shown: []string{"a.ps1"}, hidden: []string{"b.ps1"},
		},
		"evidence of other kinds": {
			command: "microsoft-atp-alert-evidence", args: map[string]any{"alert_id": "da1"},
			answers: []string{`GET /v1.0/security/alerts_v2/da1 200 {"id":"da1","evidence":[` +
				`{"@odata.type":"#microsoft.graph.security.cloudApplicationEvidence","displayName":"Drive","roles":["attacked","source"]},` +
				`{"@odata.type":"#microsoft.graph.security.analyzedMessageEvidence","subject":"Invoice"},` +
				`{"@odata.type":"#microsoft.graph.security.registryValueEvidence","registryHive":"HKLM","registryKey":"Run","registryValueName":"evil","registryValue":"evil.exe"}]}`},
			shown: []string{"Drive", "attacked, source", "Invoice", "evil"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			for _, answer := range test.answers {
				parts := strings.SplitN(answer, " ", 4)
				status, err := strconv.Atoi(parts[2])
				if err != nil {
					t.Fatal(err)
				}
				i.Answer(parts[0], parts[1], status, parts[3])
			}
			result := i.Run(test.command, test.args)
			if test.asked != nil && len(result.Requests) != len(test.asked) {
				t.Fatalf("got the requests %q, want %q", result.Asked(), test.asked)
			}
			for n, want := range test.asked {
				request := result.Requests[n]
				query, err := url.QueryUnescape(request.URI)
				got := request.Method + " " + query + " " + string(request.Body)
				for part := range strings.SplitSeq(want, " ... ") {
					if err != nil || !strings.Contains(got, part) {
						t.Errorf("got the request %s (%v), want %s", got, err, want)
					}
				}
			}
			if test.fails != nil {
				result.WantFailure(test.fails...)
				return
			}
			text := ""
			for _, entry := range result.All() {
				text += entry.Readable() + "\n"
			}
			for _, want := range test.shown {
				if !strings.Contains(text, want) {
					t.Errorf("got\n%s\nwant it to show %q", text, want)
				}
			}
			for _, unwanted := range test.hidden {
				if strings.Contains(text, unwanted) {
					t.Errorf("got\n%s\nwant it without %q", text, unwanted)
				}
			}
		})
	}
}
