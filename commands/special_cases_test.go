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
	// stored is in the context, as "PATH=JSON", and raw in the contents.
	stored, raw []string
}

// TestSpecialCases tries what commands do beyond their usual work.
func TestSpecialCases(t *testing.T) {
	t.Parallel()
	const (
		retired   = `{"error":{"code":"Gone","message":"retired"}}`
		otherSHA1 = "0123456789012345678901234567890123456789"
	)
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
		"a span of nothing": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": `[{"query":"DeviceInfo","time_range":"0 days"}]`},
			asked: []string{}, fails: []string{"time_range", `got "0 days"`},
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
			answers: []string{`GET /api/machines/m1/* 403 {"error":{"code":"Forbidden","message":"missing role"}}`}, fails: []string{"missing role"}, hidden: []string{"All 3 failed"},
		},
		"a mode of the antivirus that is new": {
			command: "microsoft-atp-list-device-av-health", args: map[string]any{"limit": 10},
			answers: []string{`GET /api/deviceavinfo 200 {"value":[{"id":"m1","avMode":"5"},{"id":"m2","avMode":"17"},{"id":"m3"}]}`}, shown: []string{"PassiveAudit", "17"},
		},
		"a tag that no machine has": {
			command: "microsoft-atp-find-machines-by-tag", args: map[string]any{"tag": "none"},
			answers: []string{`GET /api/machines/findbytag 404 {"error":{"code":"ResourceNotFound","message":"no"}}`}, shown: []string{"No machine has the tag."},
		},
		"an address that no machine has": {
			command: "microsoft-atp-get-machine-by-ip", args: map[string]any{"ip": "10.0.0.1", "timestamp": "2 hours"},
			answers: []string{`GET /api/machines/* 404 {"error":{"code":"ResourceNotFound","message":"no"}}`}, shown: []string{"No machine"},
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
		"alerts of one machine": {
			command: "microsoft-atp-batch-update-alerts", args: map[string]any{"machine_id": "m1", "status": "Resolved", "expect": "1"},
			answers: []string{`GET /api/alerts 200 {"value":[{"id":"da1","machineId":"m1","title":"t"},{"id":"da2","machineId":"m2","title":"t"}]}`, "POST /api/alerts/batchUpdate 200 "},
			shown:   []string{"The service accepted the update of 1 alert."},
		},
		"as many alerts as need no number": {
			command: "microsoft-atp-batch-update-alerts", args: map[string]any{"alert_id": many("a", 500), "status": "Resolved"},
			answers: []string{"POST /api/alerts/batchUpdate 200 "}, shown: []string{"The service accepted the update of 500 alerts."},
		},
		"indicators of a selection that is empty": {
			command: "microsoft-atp-indicator-batch-delete", args: map[string]any{"title": "t"},
			answers: []string{`GET /api/indicators 200 {"value":[]}`}, fails: []string{"would act on 0 indicators"},
		},
		"indicators with their values": {
			command: "microsoft-atp-indicator-batch-delete", args: map[string]any{"indicator_value": "a.example,b.example"},
			answers: []string{
				`GET /api/indicators 200 {"value":[{"id":"1","indicatorValue":"a.example"},{"id":"2","indicatorValue":"b.example"}]}`, "POST /api/indicators/BatchDelete 204 ",
			},
			shown: []string{"2 indicators deleted."}, hidden: []string{"Not found"},
		},
		"a value that stands for several indicators": {
			command: "microsoft-atp-indicator-batch-delete", args: map[string]any{"indicator_value": "a.example"},
			answers: []string{`GET /api/indicators 200 {"value":[{"id":"1","indicatorValue":"a.example"},{"id":"2","indicatorValue":"a.example"}]}`},
			fails:   []string{"would act on 2 indicators"},
		},
		"a tag that the answer does not show": {
			command: "microsoft-atp-bulk-machine-tag", args: map[string]any{"machine_id": "m1,m2", "tag": "t", "action": "Add"},
			answers: []string{`POST /api/machines/AddOrRemoveTagForMultipleMachines 200 {"value":[]}`}, stored: []string{`{"ID":"m1"}`, `{"ID":"m2"}`},
		},
		"an isolation that is refused for itself": {
			command: "microsoft-atp-isolate-machine", args: map[string]any{"machine_id": "m1", "isolation_type": "Full", "comment": "c"},
			answers: []string{`POST /api/machines/m1/isolate 400 {"error":{"code":"InvalidRequestBody","message":"malformed"}}`},
			asked:   []string{"POST /api/machines/m1/isolate"}, fails: []string{"malformed"},
		},
		"an isolation that nothing is in the way of": {
			command: "microsoft-atp-isolate-machine", args: map[string]any{"machine_id": "m1", "isolation_type": "Full", "comment": "c"},
			answers: []string{`POST /api/machines/m1/isolate 400 {"error":{"code":"BadRequest","message":"malformed"}}`, `GET /api/machineactions 200 {"value":[]}`},
			fails:   []string{"malformed"},
		},
		"an isolation whose answer says something else": {
			command: "microsoft-atp-isolate-machine", args: map[string]any{"machine_id": "m1", "isolation_type": "Full", "comment": "c"},
			answers: []string{`POST /api/machines/m1/isolate 201 {"message":"queued for later"}`},
			fails:   []string{"its answer is not a machine action and says: queued for later."},
		},
		"an export without products": {
			command: "microsoft-atp-export", args: map[string]any{"kind": "information_gathering", "summary_only": true},
			shown: []string{"information_gathering"}, hidden: []string{"Records by severity", "(none)"},
		},
		"a second page of recommendations": {
			command: "microsoft-atp-list-recommendations", args: map[string]any{"limit": 1, "offset": 1, "has_public_exploit": "true"},
			answers: []string{`GET /api/recommendations 200 {"value":[{"id":"r1","exposureImpact":1,"publicExploit":true},{"id":"r4","exposureImpact":4},` +
				`{"id":"r5","exposureImpact":5,"publicExploit":true},{"id":"r3","exposureImpact":3,"publicExploit":true}]}`},
			shown: []string{"r3", "1 of 4 recommendations looked at."}, hidden: []string{"r1", "r4", "r5"},
		},
		"all recommendations": {
			command: "microsoft-atp-list-recommendations", args: map[string]any{"limit": 1},
			answers: []string{`GET /api/recommendations 200 {"value":[{"id":"r1"}]}`}, shown: []string{"r1"}, hidden: []string{"looked at"},
		},
		"a device value that the answer does not show": {
			command: "microsoft-atp-set-device-value", args: map[string]any{"machine_id": "m1", "device_value": "High"},
			answers: []string{"POST /api/machines/m1/setDeviceValue 200 "}, stored: []string{`"ID":"m1"`},
		},
		"a second page of investigations": {
			command: "microsoft-atp-list-investigations", args: map[string]any{"limit": 1, "offset": 1},
			answers: []string{`GET /api/investigations 200 {"value":[{"id":"41"},{"id":"42"},{"id":"43"}]}`},
			stored:  []string{`{"ID":"42"`}, shown: []string{"42", "These are numbers 2 to 2", "Ask for the next page"}, hidden: []string{"41", "43"}, raw: []string{`[{"id":"41"},{"id":"42"},{"id":"43"}]` + "\n"},
		},
		"the first files of the library": {
			command: "microsoft-atp-live-response-library-list", args: map[string]any{"limit": 1},
			answers: []string{`GET /api/libraryfiles 200 {"value":[{"fileName":"a.ps1"},{"fileName":"b.ps1"}]}`}, shown: []string{"a.ps1", "These are the first 1", "Raise the limit"},
		},
		"the first incidents of a machine": {
			command: "microsoft-atp-incident-list", args: map[string]any{"limit": 1, "machine_id": "m1"},
			answers: []string{`GET /v1.0/security/incidents 200 {"value":[` +
				`{"id":"1","alerts":[{"evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1"}]}]},` +
				`{"id":"2","alerts":[{"evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1"}]}]}]}`},
			shown: []string{"These are the first 1", "Raise the limit"},
		},
		"a second page of overdue tasks": {
			command: "microsoft-atp-list-remediation-tasks", args: map[string]any{"limit": 1, "offset": 1, "overdue_only": true},
			answers: []string{`GET /api/remediationTasks 200 {"value":[{"id":"r1","status":"Active","dueOn":"2020-01-01T00:00:00Z"},` +
				`{"id":"r2","status":"Active","dueOn":"2020-01-01T00:00:00Z"},{"id":"r3","status":"Active","dueOn":"2020-01-01T00:00:00Z"}]}`},
			shown: []string{"r2", "These are numbers 2 to 2", "Ask for the next page"},
		},
		"the last page of investigations": {
			command: "microsoft-atp-list-investigations", args: map[string]any{"limit": 2, "offset": 1},
			answers: []string{`GET /api/investigations 200 {"value":[{"id":"41"},{"id":"42"},{"id":"43"}]}`}, shown: []string{"42", "43"}, hidden: []string{"41", "These are the first"},
		},
		"recommendations without an exploit": {
			command: "microsoft-atp-list-recommendations", args: map[string]any{"has_public_exploit": "false", "sort_by": "severityScore"},
			answers: []string{`GET /api/recommendations 200 {"value":[{"id":"r1","severityScore":1},{"id":"r2","publicExploit":true},{"id":"r3","severityScore":3}]}`},
			stored:  []string{`[{"id":"r3","severityScore":3},{"id":"r1","severityScore":1}]`}, hidden: []string{"r2"},
		},
		"recommendations by their IDs, of which some match": {
			command: "microsoft-atp-list-recommendations", args: map[string]any{"recommendation_id": "r1,r2,r3", "has_public_exploit": true, "vendor": "Contoso"},
			answers: []string{
				`GET /api/recommendations/r1 200 {"id":"r1","vendor":"contoso","publicExploit":false}`, `GET /api/recommendations/r2 200 {"id":"r2","vendor":"contoso","publicExploit":true}`,
				`GET /api/recommendations/r3 200 {"id":"r3","vendor":"fabrikam","publicExploit":true}`,
			},
			stored: []string{`[{"id":"r2","vendor":"contoso","publicExploit":true}]`}, hidden: []string{"r1", "r3"},
		},
		"recommendations by their IDs, of which none matches": {
			command: "microsoft-atp-list-recommendations", args: map[string]any{"recommendation_id": "r1", "status": "Exception"},
			answers: []string{`GET /api/recommendations/r1 200 {"id":"r1","status":"Active"}`}, shown: []string{"No recommendation matches."}, hidden: []string{"r1"},
		},
		"tasks by their IDs, of which some match": {
			command: "microsoft-atp-list-remediation-tasks",
			args:    map[string]any{"task_id": "t1,t2,t3,t4", "overdue_only": true, "status": "active", "created_after": "2026-01-01", "include_machines": true},
			answers: []string{
				`GET /api/remediationTasks/t1 200 {"id":"t1","status":"Active","createdOn":"2026-01-02T00:00:00Z","dueOn":"2026-02-01T00:00:00Z"}`,
				`GET /api/remediationTasks/t1/machineReferences 200 {"value":[]}`,
				`GET /api/remediationTasks/t2 200 {"id":"t2","status":"Completed","createdOn":"2026-01-02T00:00:00Z","dueOn":"2026-02-01T00:00:00Z"}`,
				`GET /api/remediationTasks/t3 200 {"id":"t3","status":"Active","createdOn":"2025-12-31T00:00:00Z","dueOn":"2026-02-01T00:00:00Z"}`,
				`GET /api/remediationTasks/t4 200 {"id":"t4","status":"Active","createdOn":"2026-01-02T00:00:00Z","dueOn":"2099-02-01T00:00:00Z"}`,
			},
			shown: []string{"t1"}, hidden: []string{"t2", "t3", "t4"},
		},
		"all investigations, however many": {
			command: "microsoft-atp-list-investigations", args: map[string]any{"limit": "100000"},
			answers: []string{`GET /api/investigations 200 {"value":[{"id":"41"}]}`}, shown: []string{"41"},
		},
		"all machines of an address, however many": {
			command: "microsoft-atp-get-machine-by-ip", args: map[string]any{"ip": "10.0.0.1", "timestamp": "2 hours", "limit": "100000"},
			answers: []string{`GET /api/machines/* 200 {"value":[{"id":"m1"}]}`}, shown: []string{"m1"},
		},
		"incidents that were merged into one": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "1,2,3"},
			answers: []string{
				`GET /v1.0/security/incidents/1 200 {"id":"1","redirectIncidentId":"2"}`, `GET /v1.0/security/incidents/2 200 {"id":"2","redirectIncidentId":"3"}`,
				`GET /v1.0/security/incidents/3 200 {"id":"3"}`,
			},
			shown: []string{"Incident 1 was merged into 2, which was merged into 3.", "Incident 2 was merged into 3."}, raw: []string{`[{"id":"3"}]`},
		},
		"a file by both of its hashes": {
			command: "microsoft-atp-get-file-info", args: map[string]any{"hash": aSHA1 + "," + otherSHA1 + "," + sha256Of("a")},
			answers: []string{
				`GET /api/files/` + aSHA1 + ` 200 {"sha1":"` + aSHA1 + `"}`, `GET /api/files/` + sha256Of("a") + ` 200 {"sha1":"` + aSHA1 + `"}`,
				`GET /api/files/` + otherSHA1 + ` 200 {"sha1":"` + otherSHA1 + `"}`,
			},
			raw: []string{`[{"sha1":"` + aSHA1 + `"},{"sha1":"` + otherSHA1 + `"}]`},
		},
		"a determination of many alerts that one alert takes": {
			command: "microsoft-atp-batch-update-alerts", args: map[string]any{"alert_id": "da1", "determination": "compromisedaccount"},
			answers: []string{"POST /api/alerts/batchUpdate 200 ", `GET /api/alerts 200 {"value":[]}`},
			asked:   []string{`POST ... "determination":"CompromisedAccount"`, "GET"},
		},
		"a determination of incidents by its other name": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "classification": "falsePositive", "determination": "Clean"},
			answers: []string{`PATCH /v1.0/security/incidents/7 200 {"id":"7"}`}, asked: []string{`"determination":"notMalicious"`},
		},
		"users of a machine, which the service does not name": {
			command: "microsoft-atp-get-machine-users", args: map[string]any{"machine_id": "m1"},
			answers: []string{`GET /api/machines/m1/logonusers 200 {"value":[{"id":"contoso\\\\u1"}]}`},
			stored:  []string{`"MachineID":"m1"`},
		},
		"a task for no machine": {
			command: "microsoft-atp-list-remediation-tasks", args: map[string]any{"task_id": "t1"},
			answers: []string{`GET /api/remediationTasks/t1 200 {"id":"t1","targetDevices":0,"fixedDevices":0}`},
			stored:  []string{`{"id":"t1","targetDevices":0,"fixedDevices":0,"overdue":false}`},
		},
		"more tasks that are overdue": {
			command: "microsoft-atp-list-remediation-tasks", args: map[string]any{"overdue_only": "true", "limit": 1, "offset": 1},
			answers: []string{`GET /api/remediationTasks 200 {"value":[{"id":"t1","status":"Active","dueOn":"2026-11-01T00:00:00Z"},{"id":"t2","status":"Active","dueOn":"2026-11-02T00:00:00Z"},` +
				`{"id":"t3","status":"Active","dueOn":"2026-11-03T00:00:00Z"}]}`},
			shown: []string{"t2", "more"}, hidden: []string{"t1", "t3"},
		},
		"all tasks that are overdue": {
			command: "microsoft-atp-list-remediation-tasks", args: map[string]any{"overdue_only": "true", "limit": 1},
			answers: []string{`GET /api/remediationTasks 200 {"value":[{"id":"t1","status":"Active","dueOn":"2026-11-01T00:00:00Z"}]}`},
			shown:   []string{"t1"}, hidden: []string{"more"},
		},
		"modes of the antivirus by name and number": {
			command: "microsoft-atp-list-device-av-health", args: map[string]any{"av_mode": "Active,4"},
			answers: []string{`GET /api/deviceavinfo 200 {"value":[]}`}, asked: []string{"GET ... avMode eq '0' or avMode eq '4'"},
		},
		"a file that is not known": {
			command: "file", args: map[string]any{"file": "87662bc3d60e4200ceaf7aae249d1c343f4b83c9"},
			answers: []string{`GET /api/files/* 404 {"error":{"code":"ResourceNotFound","message":"no"}}`}, stored: []string{`{"SHA1":"87662bc3d60e4200ceaf7aae249d1c343f4b83c9"}`},
		},
		"ten queries": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": "[" + strings.Repeat(`{"query":"T"},`, 9) + `{"query":"T | project B, A"}]`},
			answers: []string{`POST /api/advancedqueries/run 200 {"Schema":[{"Name":"B","Type":"Int64"},{"Name":"A","Type":"Int64"}],"Results":[{"A":11,"B":22}]}`},
			shown:   []string{"| B | A |", "| 22 | 11 |"}, raw: []string{`"A":11`},
		},
		"eleven queries": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": "[" + strings.Repeat(`{"query":"T"},`, 10) + `{"query":"T"}]`},
			asked: []string{}, fails: []string{"must contain 1 to 10 queries; got 11"},
		},
		"a query with less than no time": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": `[{"query":"T","timeout":-5}]`}, asked: []string{}, fails: []string{`must be a number of seconds; got "-5"`},
		},
		"a query without time": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query_batch": `[{"query":"T","timeout":0}]`}, asked: []string{}, fails: []string{`must be a number of seconds; got "0"`},
		},
		"the query of a purpose": {
			command: "microsoft-atp-advanced-hunting-persistence-evidence", args: map[string]any{"query_purpose": "scheduled_job", "device_name": "ws-001", "show_query": "true"},
			answers: []string{`POST /api/advancedqueries/run 200 {"Schema":[],"Results":[]}`}, shown: []string{"```kusto", "ws-001"},
		},
		"evidence of one device and of others": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "7"},
			answers: []string{`GET /v1.0/security/incidents/7 200 {"id":"7","alerts":[{"id":"da1","evidence":[` +
				`{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1","deviceDnsName":"ws","healthStatus":"inactive"},` +
				`{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1","deviceDnsName":"ws","healthStatus":"active"},` +
				`{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m2","deviceDnsName":"ws"},` +
				`{"@odata.type":"#microsoft.graph.security.deviceEvidence","deviceDnsName":"ws"}]}]}`},
			stored: []string{
				`"devices":[{"mdeDeviceId":"m1","deviceDnsName":"ws","healthStatus":"inactive"},{"mdeDeviceId":"m2","deviceDnsName":"ws"},{"mdeDeviceId":"","deviceDnsName":"ws"}]`, `"Status":"Offline"`,
			},
		},
		"an incident without alerts": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "7"},
			answers: []string{`GET /v1.0/security/incidents/7 200 {"id":"7"}`}, stored: []string{`{"id":"7","users":[],"ips":[],"urls":[],"mailboxes":[],"alertsActive":0,"alertsTotal":0,"mitreTechniques":[]}`},
		},
		"incidents that were merged too often": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "1"},
			answers: []string{
				`GET /v1.0/security/incidents/1 200 {"id":"1","redirectIncidentId":"2"}`, `GET /v1.0/security/incidents/2 200 {"id":"2","redirectIncidentId":"3"}`,
				`GET /v1.0/security/incidents/3 200 {"id":"3","redirectIncidentId":"4"}`, `GET /v1.0/security/incidents/4 200 {"id":"4","redirectIncidentId":"5"}`,
				`GET /v1.0/security/incidents/5 200 {"id":"5","redirectIncidentId":"6"}`, `GET /v1.0/security/incidents/6 200 {"id":"6","redirectIncidentId":"7"}`,
			},
			asked: []string{"incidents/1", "incidents/2", "incidents/3", "incidents/4", "incidents/5", "incidents/6"},
		},
		"a determination of another classification": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "classification": "falsePositive", "determination": "malware"},
			asked: []string{}, fails: []string{"determination must be one of ", "notMalicious", "for the classification falsePositive"},
		},
		"a tag for another": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "add_tags": "a", "remove_tags": "b"},
			answers: []string{`GET /v1.0/security/incidents/7 200 {"id":"7","customTags":["b","c"]}`, `PATCH /v1.0/security/incidents/7 200 {"id":"7","customTags":["c","a"]}`},
			asked:   []string{"GET ... incidents/7", `PATCH ... ["c","a"]`}, shown: []string{"7"},
		},
		"no tags": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "tags": []string{}, "status": "active"},
			answers: []string{`PATCH /v1.0/security/incidents/7 200 {"id":"7"}`}, asked: []string{`PATCH ... {"status":"active"}`},
		},
		"a comment that is refused": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "comment": "c"},
			answers: []string{`POST /v1.0/security/incidents/7/comments 403 {"error":{"code":"Forbidden","message":"no comments"}}`}, fails: []string{"no comments"},
		},
		"a comment that the answer does not show": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "comment": "c"},
			answers: []string{`POST /v1.0/security/incidents/7/comments 200 {"value":[]}`, `GET /v1.0/security/incidents/7 200 {"id":"7","displayName":"Storm"}`}, shown: []string{"Storm"},
		},
		"an incident with all its alerts": {
			command: "microsoft-atp-incident-update", args: map[string]any{"incident_id": "7", "status": "resolved", "close_alerts": "true"},
			answers: []string{
				`GET /v1.0/security/incidents/7 200 {"id":"7","alerts":[{"id":"da1","status":"new"}]}`, `PATCH /v1.0/security/incidents/7 200 {"id":"7","displayName":"Storm"}`,
				`PATCH /v1.0/security/alerts_v2/da1 200 {"id":"da1","status":"resolved"}`,
			},
			shown: []string{"Storm"}, hidden: []string{"still open"},
		},
		"a quarantine that does not name its machine": {
			command: "microsoft-atp-stop-and-quarantine-file", args: map[string]any{"machine_id": "m1", "file_hash": "87662bc3d60e4200ceaf7aae249d1c343f4b83c9", "comment": "c"},
			answers: []string{`POST /api/machines/m1/StopAndQuarantineFile 201 {"id":"a1","type":"StopAndQuarantineFile","status":"Pending"}`}, stored: []string{`"MachineID":"m1"`},
		},
		"two names and an address": {
			command: "microsoft-atp-get-machines", args: map[string]any{"hostname": "a,b", "ip": "10.0.0.1"}, answers: []string{`GET /api/machines 200 {"value":[]}`}, shown: []string{"No machine matches."},
		},
		"a name and two addresses": {
			command: "microsoft-atp-get-machines", args: map[string]any{"hostname": "a", "ip": "10.0.0.1,10.0.0.2"}, answers: []string{`GET /api/machines 200 {"value":[]}`}, shown: []string{"No machine matches."},
		},
		"adapters without addresses of their own": {
			command: "microsoft-atp-get-machine-details", args: map[string]any{"machine_id": "m1"},
			answers: []string{`GET /api/machines/m1 200 {"id":"m1","ipAddresses":[{"ipAddress":"10.0.0.1","macAddress":"AA"},{"ipAddress":"fe80::1","macAddress":"AA"},{"ipAddress":"10.0.0.2"},{"ipAddress":"10.0.0.3"}]}`},
			stored:  []string{`["10.0.0.1","fe80::1"]`, `["10.0.0.2"]`, `["10.0.0.3"]`},
		},
		"a path that is a quotation mark": {
			command: "microsoft-atp-live-response-run", args: map[string]any{"machine_id": "m1", "commands": "get \"", "comment": "c"},
			answers: []string{`POST /api/machines/m1/runliveresponse 201 {"id":"a1","type":"LiveResponse","status":"Pending"}`}, asked: []string{`POST ... "value":"\""`},
		},
		"changes on two pages": {
			command: "microsoft-atp-list-vulnerability-changes", args: map[string]any{"since": "1 day", "min_severity": "High"},
			answers: []string{`GET /api/machines/SoftwareVulnerabilityChangesByMachine 200 {"@odata.nextLink":"https://x.example/api/machines/SoftwareVulnerabilityChangesByMachine?p=2","value":[` +
				`{"deviceId":"m1","cveId":"CVE-1","status":"New","vulnerabilitySeverityLevel":"High"},{"deviceId":"m1","cveId":"CVE-2","status":"New","vulnerabilitySeverityLevel":"Medium"},` +
				`{"deviceId":"m1","cveId":"CVE-3","status":"New","vulnerabilitySeverityLevel":"Critical"}]}`},
			asked: []string{"pageSize", "p=2"}, shown: []string{"CVE-1", "CVE-3"}, hidden: []string{"CVE-2"},
		},
		"changes that can be exploited": {
			command: "microsoft-atp-list-vulnerability-changes", args: map[string]any{"since": "1 day", "exploitable_only": "true"},
			answers: []string{`GET /api/machines/SoftwareVulnerabilityChangesByMachine 200 {"value":[{"deviceId":"m1","cveId":"CVE-1","status":"New"},` +
				`{"deviceId":"m1","cveId":"CVE-2","status":"New","exploitabilityLevel":"NoExploit"},{"deviceId":"m1","cveId":"CVE-3","status":"New","exploitabilityLevel":"ExploitIsPublic"}]}`},
			shown: []string{"CVE-3"}, hidden: []string{"CVE-1", "CVE-2"},
		},
		"scores": {
			command: "microsoft-atp-get-scores",
			answers: []string{
				`GET /api/exposureScore 200 {"score":33.5}`, `GET /api/configurationScore 200 {"score":500}`,
				`GET /api/exposureScore/ByMachineGroups 200 {"value":[{"rbacGroupName":"Servers","score":12}]}`,
			},
			shown: []string{"| Exposure (less is better) | 33.5 |", "| Secure score for devices (more is better) | 500 |", "| Exposure of the device group Servers | 12 |"},
		},
		"scores without that of the organization": {
			command: "microsoft-atp-get-scores",
			answers: []string{
				`GET /api/exposureScore 403 {"error":{"code":"Forbidden","message":"missing role"}}`, `GET /api/configurationScore 200 {"score":500}`, `GET /api/exposureScore/ByMachineGroups 200 {"value":[]}`,
			},
			shown: []string{"| Secure score for devices (more is better) | 500 |", "missing role"}, hidden: []string{"Exposure (less is better)"},
		},
		"a recommendation with its vulnerabilities": {
			command: "microsoft-atp-get-recommendation-details", args: map[string]any{"recommendation_id": "r1", "include": "vulnerabilities", "limit": 1},
			answers: []string{
				`GET /api/recommendations/r1 200 {"id":"r1"}`, `GET /api/recommendations/r1/vulnerabilities 200 {"value":[{"id":"CVE-1","cvssV3":9},{"id":"CVE-2","exploitInKit":true}]}`,
			},
			shown: []string{"r1", "CVE-2"}, hidden: []string{"CVE-1"},
		},
		"a task that is not known": {
			command: "microsoft-atp-list-remediation-tasks", args: map[string]any{"task_id": "t1"},
			answers: []string{`GET /api/remediationTasks/t1 404 {"error":{"code":"ResourceNotFound","message":"no such task"}}`}, fails: []string{"no such task"},
		},
		"a purpose that makes no use of conditions": {
			command: "microsoft-atp-advanced-hunting-lateral-movement-evidence", args: map[string]any{"query_purpose": "network_connections", "device_name": "ws-001", "remote_ip_count": "3"},
			answers: []string{`POST /api/advancedqueries/run 200 {"Schema":[],"Results":[]}`}, shown: []string{"network_connections makes no use of remote_ip_count."},
		},
		"incidents of a machine": {
			command: "microsoft-atp-incident-list", args: map[string]any{"machine_id": "WS-1", "limit": 2},
			answers: []string{`GET /v1.0/security/incidents 200 {"value":[` +
				`{"id":"31","alerts":[{"id":"da1","evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1","deviceDnsName":"ws-1"}]}]},{"id":"32","alerts":[]},` +
				`{"id":"33","alerts":[{"id":"da3","evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"ws-1"}]}]},` +
				`{"id":"34","alerts":[{"id":"da4","evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1","deviceDnsName":"ws-1"}]}]}]}`},
			asked: []string{"GET ... $expand=alerts"}, stored: []string{`=[{"id":"31"},{"id":"33"}]`}, shown: []string{"4 incidents looked through for the machine.", "These are the first"},
		},
		"the incidents of a machine with their alerts": {
			command: "microsoft-atp-incident-list", args: map[string]any{"machine_id": "m1", "limit": 1, "include_alerts": "true"},
			answers: []string{`GET /v1.0/security/incidents 200 {"value":[` +
				`{"id":"31","alerts":[{"id":"da1","evidence":[{"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"m1"}]}]}]}`},
			stored: []string{`"alerts":[{"id":"da1"`}, shown: []string{"1 incident looked through for the machine."}, hidden: []string{"These are the first"},
		},
		"evidence of every kind": {
			command: "microsoft-atp-alert-evidence", args: map[string]any{"alert_id": "da1"}, answers: []string{"GET /v1.0/security/alerts_v2/da1 200 " + strings.ReplaceAll(fullGraphAlert, "\n", " ")},
			shown: []string{
				"| device | ws-001.contoso.example | suspicious |", "| user | nora@contoso.example |", "| file | evil.exe | malicious |", "| process | evil.exe |", "evil.exe /x", "| ip | 198.51.100.1 |",
				"bad.example", "| registrykey |", "| mailbox | nora@contoso.example |",
			},
		},
		"the exposure of two machines": {
			command: "microsoft-atp-get-machine-exposure", args: map[string]any{"machine_id": "m1,m2", "include": "vulnerabilities", "limit": 2},
			answers: []string{
				`GET /api/machines/m1/vulnerabilities 200 {"value":[{"id":"CVE-1","cvssV3":1},{"id":"CVE-2","cvssV3":2}]}`,
				`GET /api/machines/m2/vulnerabilities 200 {"value":[{"id":"CVE-2","cvssV3":2}]}`,
			},
			raw:    []string{`"vulnerabilities":[{"id":"CVE-1","cvssV3":1},{"id":"CVE-2","cvssV3":2}]`, `"machineId":"m2"`},
			stored: []string{`"vulnerabilities":[{"id":"CVE-2","cvssV3":2},{"id":"CVE-1","cvssV3":1}]`, `=[{"ID":"CVE-2","CVSS":{"Score":2}},{"ID":"CVE-1","CVSS":{"Score":1}}]`}, hidden: []string{"These are the first"},
		},
		"as many changes as are wanted": {
			command: "microsoft-atp-list-vulnerability-changes", args: map[string]any{"since": "1 day", "exploitable_only": "true", "min_severity": "High", "limit": 1},
			answers: []string{`GET /api/machines/SoftwareVulnerabilityChangesByMachine 200 {"value":[` +
				`{"deviceId":"m1","cveId":"CVE-1","status":"New","exploitabilityLevel":"ExploitIsPublic","vulnerabilitySeverityLevel":"Low"},` +
				`{"deviceId":"m1","cveId":"CVE-2","status":"New","exploitabilityLevel":"NoExploit","vulnerabilitySeverityLevel":"High"},` +
				`{"deviceId":"m1","cveId":"CVE-3","status":"New","exploitabilityLevel":"ExploitIsPublic","vulnerabilitySeverityLevel":"High"}]}`},
			shown: []string{"CVE-3", "1 new, 0 fixed, 0 updated."}, hidden: []string{"CVE-1", "CVE-2", "These are the first"},
		},
		"indicators of which none is known": {
			command: "microsoft-atp-indicator-batch-delete", args: map[string]any{"indicator_id": "1,2"},
			answers: []string{`POST /api/indicators/BatchDelete 404 {"error":{"code":"NotFound","message":"no such indicator"}}`, `GET /api/indicators 200 {"value":[{"id":"3"}]}`},
			asked:   []string{"POST", "GET"}, fails: []string{"no such indicator"},
		},
		"an upload that nothing shows": {
			command: "microsoft-atp-live-response-library-upload", args: map[string]any{"content": "x", "file_name": "x.ps1"},
			answers: []string{`GET /api/libraryfiles 200 {"value":[]}`, "POST /api/libraryfiles 200 "},
			fails:   []string{"The service accepted the file x.ps1 without showing it, and the library does not show it so far."},
		},
		"an adapter without an address": {
			command: "endpoint", args: map[string]any{"id": "m1"},
			answers: []string{`GET /api/machines 200 {"value":[{"id":"m1","computerDnsName":"ws","ipAddresses":[{"macAddress":"AA0000000001"}]}]}`},
			stored:  []string{`"ID":"m1"`}, hidden: []string{"AA"},
		},
		"an address of two adapters": {
			command: "endpoint", args: map[string]any{"id": "m1"},
			answers: []string{`GET /api/machines 200 {"value":[{"id":"m1","lastIpAddress":"10.0.0.1","osVersion":"10","osProcessor":"64-bit","ipAddresses":[{"ipAddress":"10.0.0.1"},` +
				`{"ipAddress":"10.0.0.2","macAddress":"BB0000000002"},{"ipAddress":"10.0.0.1","macAddress":"AA0000000001"}]}]}`},
			stored: []string{`"MACAddress":"AA0000000001"`, `"OSVersion":"10 64-bit"`},
		},
		"indicators of which one is not known": {
			command: "microsoft-atp-indicator-batch-delete", args: map[string]any{"indicator_value": "a.example,b.example"},
			answers: []string{`GET /api/indicators 200 {"value":[{"id":"1","indicatorValue":"a.example"}]}`, "POST /api/indicators/BatchDelete 204 "},
			shown:   []string{"1 indicator deleted.", "b.example"}, hidden: []string{"a.example"},
		},
		"all library files": {
			command: "microsoft-atp-live-response-library-list", args: map[string]any{"limit": 1},
			answers: []string{`GET /api/libraryfiles 200 {"value":[{"fileName":"a.ps1"}]}`}, shown: []string{"a.ps1"}, hidden: []string{"These are the first"},
		},
		"a batch of indicators of which one is refused": {
			command: "microsoft-atp-indicator-batch-update", args: map[string]any{"indicator_batch": `[{"indicatorValue":"a.example"},{"indicatorValue":"b.example"},{"indicatorValue":"c.example"}]`},
			answers: []string{`POST /api/indicators/import 200 {"value":[{"indicator":"a.example","isFailed":false},{"indicator":"b.example","isFailed":true,"failureReason":"no"},{"indicator":"c.example","isFailed":false}]}`},
			shown:   []string{"Indicators: 2 accepted, 1 failed"},
		},
		"verdicts of the evidence": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "7"}, answers: []string{"GET /v1.0/security/incidents/7 200 " + strings.ReplaceAll(fullIncident, "\n", " ")},
			stored: []string{
				`{"Indicator":"413c58c8267d2c8648d8f6384bacc2ae9c929b2b96578b6860b5087cd1bd6462","Type":"file","Vendor":"Microsoft Defender ATP"`,
				`{"Indicator":"198.51.100.1","Type":"ip","Vendor":"Microsoft Defender Advanced Threat Protection"`,
			},
		},
		"a query with a name": {
			command: "microsoft-atp-advanced-hunting", args: map[string]any{"query": "T", "name": "mine"},
			answers: []string{`POST /api/advancedqueries/run 200 {"Schema":[],"Results":[{"A":11}]}`}, stored: []string{`MicrosoftATP.Hunt.Result={"mine":[{"A":11}]}`},
		},
		"a machine of nothing": {
			command: "endpoint", asked: []string{}, fails: []string{"one of id, ip and hostname must be given"},
		},
		"a machine by its ID or name": {
			command: "endpoint", args: map[string]any{"id": "m1", "hostname": "ws"}, answers: []string{`GET /api/machines 200 {"value":[{"id":"m1"}]}`}, shown: []string{"m1"},
		},
		"a machine by its ID or address": {
			command: "endpoint", args: map[string]any{"id": "m1", "ip": "10.0.0.1"}, answers: []string{`GET /api/machines 200 {"value":[{"id":"m1"}]}`}, shown: []string{"m1"},
		},
		"the software of a machine": {
			command: "microsoft-atp-get-machine-exposure", args: map[string]any{"machine_id": "m1", "include": "software"},
			answers: []string{`GET /api/machines/m1/software 200 {"value":[{"id":"a","weaknesses":1},{"id":"b","weaknesses":2}]}`},
			raw:     []string{`"software":[{"id":"a","weaknesses":1},{"id":"b","weaknesses":2}]`}, stored: []string{`"software":[{"id":"b","weaknesses":2},{"id":"a","weaknesses":1}]`},
		},
		"evidence of users and processes": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "7"},
			answers: []string{`GET /v1.0/security/incidents/7 200 {"id":"7","alerts":[{"id":"da1","evidence":[` +
				`{"@odata.type":"#microsoft.graph.security.userEvidence","userAccount":{"userPrincipalName":"nora@contoso.example"}},` +
				`{"@odata.type":"#microsoft.graph.security.userEvidence","userAccount":{"userPrincipalName":"nora@contoso.example"}},` +
				`{"@odata.type":"#microsoft.graph.security.userEvidence","userAccount":{}},` +
				`{"@odata.type":"#microsoft.graph.security.processEvidence","imageFile":{"fileName":"evil.exe","sha1":"87662bc3d60e4200ceaf7aae249d1c343f4b83c9"}}]}]}`},
			stored: []string{`"users":["nora@contoso.example"]`, `"files":[{`, `"evil.exe"`},
		},
		"the third page of machines": {
			command: "microsoft-atp-get-machines", args: map[string]any{"page_size": 10, "page_num": 3}, answers: []string{`GET /api/machines 200 {"value":[]}`},
			asked: []string{"GET /api/machines?$top=10&$skip=20"},
		},
		"machines of page 0": {
			command: "microsoft-atp-get-machines", args: map[string]any{"page_size": 10, "page_num": "0"}, answers: []string{`GET /api/machines 200 {"value":[]}`},
			asked: []string{"GET /api/machines?$top=10&$skip=0"},
		},
		"as many machines as there are": {
			command: "microsoft-atp-get-machines", args: map[string]any{"page_size": "1000000"}, answers: []string{`GET /api/machines 200 {"value":[]}`},
			asked: []string{"GET /api/machines?$top=10000&$skip=0"},
		},
		"as many rows as the service returns": {
			command: "microsoft-atp-advanced-hunting-tampering", args: map[string]any{"device_name": "ws-001", "limit": "100000"},
			answers: []string{`POST /api/advancedqueries/run 200 {"Results":[]}`}, asked: []string{"| take 100000"},
		},
		"the changes of two weeks": {
			command: "microsoft-atp-list-vulnerability-changes", args: map[string]any{"since": "14 days"},
			answers: []string{`GET /api/machines/SoftwareVulnerabilityChangesByMachine 200 {"value":[{"deviceId":"m1","cveId":"CVE-1","status":"New","vulnerabilitySeverityLevel":"Low"}]}`},
			asked:   []string{"GET ... sinceTime=2026-11-06T10:15:00Z"}, shown: []string{"| CVE-1 | Low | 1 | 0 |"},
		},
		"alerts of which one is resolved": {
			command: "microsoft-atp-incident-get", args: map[string]any{"incident_id": "7"},
			answers: []string{`GET /v1.0/security/incidents/7 200 {"id":"7","alerts":[{"id":"da1","status":"new"},{"id":"da2","status":"resolved"}]}`},
			stored:  []string{`"alertsActive":1,"alertsTotal":2`}, shown: []string{"alertsActive"}, hidden: []string{"Incident 7."},
		},
		"an export that is counted": {
			command: "microsoft-atp-export", args: map[string]any{"kind": "software_vulnerabilities", "via": "json", "summary_only": true},
			answers: []string{`GET /api/machines/SoftwareVulnerabilitiesByMachine 200 {"value":[{"deviceId":"m1","softwareName":"chrome","vulnerabilitySeverityLevel":"High"}]}`},
			shown:   []string{"| severity High | 1 |", "| chrome | 1 |"}, stored: []string{`"via":"json"`, `"devices":1`},
		},
		"tags that the answer shows": {
			command: "microsoft-atp-bulk-machine-tag", args: map[string]any{"machine_id": "m1,m2", "tag": "t", "action": "Add"},
			answers: []string{`POST /api/machines/AddOrRemoveTagForMultipleMachines 200 {"value":[{"id":"m1"},{"id":"m2"}]}`}, shown: []string{"m1", "m2"}, hidden: []string{"without", "not "},
		},
		"tags of which the answer leaves one out": {
			command: "microsoft-atp-bulk-machine-tag", args: map[string]any{"machine_id": "m1,m2", "tag": "t", "action": "Add"},
			answers: []string{`POST /api/machines/AddOrRemoveTagForMultipleMachines 200 {"value":[{"id":"m1"}]}`}, shown: []string{"m1", "m2"},
		},
		"an architecture without its bits": {
			command: "endpoint", args: map[string]any{"id": "m1"},
			answers: []string{`GET /api/machines 200 {"value":[{"id":"m1","osVersion":"10","osProcessor":"x64"}]}`}, stored: []string{`"OSVersion":"10 x64 bit"`},
		},
		"a machine without an architecture": {
			command: "endpoint", args: map[string]any{"id": "m1"},
			answers: []string{`GET /api/machines 200 {"value":[{"id":"m1","osVersion":"10"}]}`}, stored: []string{`"OSVersion":"10"`},
		},
		"the versions of one software": {
			command: "microsoft-atp-list-software-version-distribution", args: map[string]any{"id": "s1"},
			answers: []string{`GET /api/Software/ 200 {"value":[{"version":"1","installations":2}]}`}, shown: []string{"version"}, hidden: []string{"softwareId"},
		},
		"the versions of two": {
			command: "microsoft-atp-list-software-version-distribution", args: map[string]any{"id": "s1,s2"},
			answers: []string{`GET /api/Software/ 200 {"value":[{"version":"1","installations":2}]}`}, shown: []string{"softwareId"},
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
				for _, unwanted := range test.hidden {
					if strings.Contains(result.Failure(), unwanted) {
						t.Errorf("got %q, want it without %q", result.Failure(), unwanted)
					}
				}
				return
			}
			text, stored, raw := "", "", ""
			for _, entry := range result.All() {
				text, raw = text+entry.Readable()+"\n", raw+entry.Raw().Raw+"\n"
				for _, path := range entry.Paths() {
					stored += path + "=" + entry.At(path).Raw + "\n"
				}
			}
			for _, want := range test.raw {
				if !strings.Contains(raw, want) {
					t.Errorf("got the contents\n%s\nwant them to have %q", raw, want)
				}
			}
			for _, want := range test.stored {
				if !strings.Contains(stored, want) {
					t.Errorf("got\n%s\nwant the context to have %q", stored, want)
				}
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
