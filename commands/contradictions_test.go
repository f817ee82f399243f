package commands_test

import (
	"testing"

	"xsoar-defender/commands/commandstest"
)

// TestContradictoryArgumentsAskForNothing has every reason for which a command refuses arguments that are right on their own: the
// analyst is told, and no request is made.
func TestContradictoryArgumentsAskForNothing(t *testing.T) {
	const session = `[{"type":"RunScript","params":[{"key":"ScriptName","value":"a.ps1"}]},{"type":"RunScript","params":[{"key":"ScriptName","value":"b.ps1"}]}]`
	for _, test := range []struct {
		command string
		args    map[string]any
		want    string
	}{
		{"microsoft-atp-batch-update-alerts", map[string]any{"alert_id": "a", "title": "t", "status": "New"}, "alert_id and conditions that select alerts exclude each other"},
		{"microsoft-atp-batch-update-alerts", map[string]any{"status": "New"}, "alert_id is missing, or one of incident_id, title, machine_id and created_after"},
		{"microsoft-atp-batch-update-alerts", map[string]any{"alert_id": "a"}, "one of status, assigned_to, classification, determination and comment must be given"},
		{"microsoft-atp-update-alert", map[string]any{"alert_id": "a"}, "one of status, assigned_to, classification, determination and comment must be given"},
		{"microsoft-atp-bulk-machine-tag", map[string]any{"tag": "t", "action": "Add"}, "machine_id is missing, or entry_id with a file of machine IDs"},
		{"microsoft-atp-indicator-batch-delete", map[string]any{"indicator_id": "1", "title": "t"}, "indicator_id and conditions that select indicators exclude each other"},
		{"microsoft-atp-indicator-batch-delete", nil, "indicator_id is missing, or one of indicator_value, created_by_application and title"},
		{"microsoft-atp-cancel-machine-action", map[string]any{"machine_action_id": "a", "type": "Isolate", "comment": "c"}, "machine_action_id excludes machine_id and type"},
		{"microsoft-atp-cancel-machine-action", map[string]any{"machine_action_id": "a", "machine_id": "m", "comment": "c"}, "machine_action_id excludes machine_id and type"},
		{"microsoft-atp-cancel-machine-action", map[string]any{"comment": "c"}, "machine_action_id is missing, or one of machine_id and type"},
		{"microsoft-atp-generate-login-url", nil, "the instance does not sign in with an authorization code, so no login is needed"},
		{"microsoft-atp-get-machine-exposure", map[string]any{"machine_id": "m", "include": ","}, "include is missing"},
		{"microsoft-atp-advanced-hunting", map[string]any{"query": "DeviceInfo", "query_batch": `[{"query":"DeviceInfo"}]`}, "either query or query_batch must be given, but not both"},
		{"microsoft-atp-advanced-hunting", nil, "either query or query_batch must be given, but not both"},
		{"microsoft-atp-advanced-hunting", map[string]any{"query_batch": `[]`}, "query_batch must contain 1 to 10 queries; got 0"},
		{"microsoft-atp-advanced-hunting", map[string]any{"query_batch": `[{"name":"n"}]`}, "every query of query_batch needs the key query"},
		{"microsoft-atp-advanced-hunting", map[string]any{"query_batch": `[{"query":"DeviceInfo","timeout":"soon"}]`}, `the timeout of a query must be a number of seconds; got "soon"`},
		{"microsoft-atp-advanced-hunting", map[string]any{"query_batch": `[{"query":"DeviceInfo","time_range":"soon"}]`}, `the time_range of a query must be a time span such as "3 days"; got "soon"`},
		{"microsoft-atp-incident-update", map[string]any{"incident_id": "1", "assigned_to": "n", "unassign": true}, "assigned_to and unassign exclude each other"},
		{"microsoft-atp-incident-update", map[string]any{"incident_id": "1", "tags": "a", "add_tags": "b"}, "tags excludes add_tags and remove_tags"},
		{"microsoft-atp-incident-update", map[string]any{"incident_id": "1", "tags": "a", "remove_tags": "b"}, "tags excludes add_tags and remove_tags"},
		{"microsoft-atp-incident-update", map[string]any{"incident_id": "1"}, "at least one change must be given"},
		{"microsoft-atp-incident-alerts-move", map[string]any{"alert_id": "a", "comment": "c"}, "either incident_id or new_incident=true must be given"},
		{"microsoft-atp-incident-alerts-move", map[string]any{"alert_id": "a", "incident_id": "1", "new_incident": true, "comment": "c"}, "either incident_id or new_incident=true must be given"},
		{"microsoft-atp-incident-merge", map[string]any{"incident_id": "1,1", "comment": "c"}, "incident_id must hold at least two different IDs"},
		{"microsoft-atp-get-machines", map[string]any{"hostname": "a,b", "ip": "10.0.0.1,10.0.0.2"}, "hostname and ip cannot both have several values"},
		{"endpoint", nil, "one of id, ip and hostname must be given"},
		{"microsoft-atp-sc-indicator-create", map[string]any{
			"indicator_value": "a.example", "indicator_type": "DomainName", "action": "Block", "indicator_title": "t", "indicator_description": "d", "expiration_time": "0 days",
		}, "expiration_time must be longer than 0"},
		{"microsoft-atp-indicator-batch-update", map[string]any{"indicator_batch": `[]`}, "indicator_batch must contain 1 to 500 indicators; got 0"},
		{
			"microsoft-atp-live-response-run", on("m", "commands", `[{"type":"GetFile","params":[{"key":"Path","value":"a"}]},{"type":"PutFile","params":[{"key":"FileName","value":"b"}]}]`),
			"must have the service's order: first put, then run, then get",
		},
		{"microsoft-atp-live-response-run", on("m", "commands", `[]`), "has no command"},
		{"microsoft-atp-live-response-run", on("m", "commands", session, "script_sha256", "1234"), "script_sha256 must be the 64 hexadecimal digits of a SHA-256 hash"},
		{"microsoft-atp-live-response-run", on("m", "commands", session, "script_content", "x"), "for a session that runs one script; commands has 2"},
		{
			"microsoft-atp-live-response-run", on("m", "commands", "run a.ps1", "script_entry_id", "1@2", "script_content", "x"),
			"script_entry_id and script_content exclude each other",
		},
		{"microsoft-atp-live-response-library-upload", map[string]any{"entry_id": "1@2", "content": "x", "description": "d"}, "entry_id and content exclude each other"},
		{"microsoft-atp-live-response-library-upload", map[string]any{"content": "x", "description": "d"}, "file_name is missing: content has no name of its own"},
		{"microsoft-atp-live-response-library-upload", map[string]any{"file_name": "a.ps1", "description": "d"}, "entry_id or content is missing"},
	} {
		i := commandstest.New(t)
		result := i.Run(test.command, test.args)
		result.WantFailure("Invalid arguments for "+test.command, test.want)
		result.WantAsked()
	}
}
