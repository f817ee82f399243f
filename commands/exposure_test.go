package commands_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
)

// idsOf returns the IDs of the objects in a list of the context.
func idsOf(result commandstest.Entry, path, key string) []string {
	var ids []string
	for _, one := range result.At(path).Get("0." + key).Array() {
		ids = append(ids, one.Get("id").Str)
	}
	return ids
}

// TestTheMostUrgentComesFirst shows the exposure of a machine: each list has its own order, and is cut behind the most urgent.
func TestTheMostUrgentComesFirst(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", "/api/machines/m/vulnerabilities", 200, list(
		`{"id":"low","severity":"Low","cvssV3":3}`, `{"id":"public","severity":"High","cvssV3":8,"publicExploit":true}`, `{"id":"worse","severity":"High","cvssV3":9}`,
		`{"id":"bad","severity":"High","cvssV3":8}`, `{"id":"also-bad","severity":"High","cvssV3":8}`, `{"id":"kit","severity":"Medium","cvssV3":5,"exploitInKit":true,"publicExploit":true}`,
		`{"id":"verified","severity":"Critical","cvssV3":7,"exploitVerified":true,"publicExploit":true}`,
	))
	i.Answer("GET", "/api/machines/m/recommendations", 200, list(`{"id":"b","exposureImpact":1.5}`, `{"id":"c","exposureImpact":2}`, `{"id":"a","exposureImpact":1.5}`))
	i.Answer("GET", "/api/machines/m/getmissingkbs", 200, list(`{"id":"1","cveAddressed":2}`, `{"id":"2","cveAddressed":10}`))
	i.Answer("GET", "/api/machines/m/software", 200, list(`{"id":"few","weaknesses":2}`, `{"id":"many","weaknesses":10}`))
	show := func(args map[string]any) commandstest.Entry {
		args["machine_id"] = "m"
		return i.Run("microsoft-atp-get-machine-exposure", args).Entry()
	}
	whole := show(map[string]any{"include": "vulnerabilities,recommendations,missing_kbs,software"})
	for key, want := range map[string][]string{
		"vulnerabilities": {"kit", "verified", "public", "worse", "also-bad", "bad", "low"},
		"recommendations": {"c", "a", "b"}, "missingKbs": {"2", "1"}, "software": {"many", "few"},
	} {
		if got := idsOf(whole, "MicrosoftATP.MachineExposure(val.machineId && val.machineId == obj.machineId)", key); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	for _, test := range []struct {
		args map[string]any
		want []string
	}{
		{map[string]any{"include": "vulnerabilities", "min_severity": "High"}, []string{"verified", "public", "worse", "also-bad", "bad"}},
		{map[string]any{"include": "vulnerabilities", "exploitable_only": true}, []string{"kit", "verified", "public"}},
		{map[string]any{"include": "vulnerabilities", "limit": 2}, []string{"kit", "verified"}},
	} {
		entry := show(test.args)
		if got := idsOf(entry, "MicrosoftATP.MachineExposure(val.machineId && val.machineId == obj.machineId)", "vulnerabilities"); !slices.Equal(got, test.want) {
			t.Errorf("%v: got %q, want %q", test.args, got, test.want)
		}
		if cut := strings.Contains(entry.Readable(), "These are the first 2 of 7."); cut != (test.args["limit"] != nil) {
			t.Errorf("%v: got a note that the list is cut: %t", test.args, cut)
		}
	}
}

func TestOverdueTasks(t *testing.T) {
	i := commandstest.New(t)
	due := func(after time.Duration) string { return i.Clock.Now().Add(after).Format(time.RFC3339) }
	i.Answer("GET", "/api/remediationTasks", 200, list(
		`{"id":"future","status":"Active","dueOn":"`+due(time.Hour)+`"}`, `{"id":"late","status":"Active","dueOn":"`+due(-time.Hour)+`","targetDevices":8,"fixedDevices":3}`,
		`{"id":"done","status":"completed","dueOn":"`+due(-time.Hour)+`"}`, `{"id":"undated","status":"Active"}`, `{"id":"odd","status":"Active","dueOn":"soon"}`, `{"id":"unset","status":"Active","dueOn":"0001-01-01T00:00:00Z"}`, `{"id":"later","status":"Active","dueOn":"`+due(-2*time.Hour)+`"}`,
	))
	ids := func(args map[string]any) (shown, contents []string) {
		entry := i.Run("microsoft-atp-list-remediation-tasks", args).Entry()
		for _, one := range entry.At("MicrosoftATP.RemediationTask" + keyedByID).Array() {
			shown = append(shown, one.Get("id").Str)
		}
		for _, one := range entry.Raw().Get("value").Array() {
			contents = append(contents, one.Get("id").Str)
		}
		return shown, contents
	}
	for _, test := range []struct {
		args map[string]any
		want []string
	}{
		{nil, []string{"future", "late", "done", "undated", "odd", "unset", "later"}},
		{map[string]any{"overdue_only": true}, []string{"late", "later"}},
		{map[string]any{"overdue_only": true, "limit": 1}, []string{"late"}},
		{map[string]any{"overdue_only": true, "limit": 1, "offset": 1}, []string{"later"}},
		{map[string]any{"overdue_only": true, "offset": 2}, nil},
		{map[string]any{"overdue_only": true, "offset": 200}, nil},
	} {
		if got, contents := ids(test.args); !slices.Equal(got, test.want) || !slices.Equal(contents, test.want) {
			t.Errorf("%v: got %q and the contents %q, want %q", test.args, got, contents, test.want)
		}
	}
	entry := i.Run("microsoft-atp-list-remediation-tasks", map[string]any{"overdue_only": true}).Entry()
	if got := entry.Raw().Get("value.0"); got.Get("fixedPercent").Int() != 37 || !got.Get("overdue").Bool() {
		t.Errorf("got %s, want it 37 %% fixed and overdue", got)
	}
}

// TestFiltersOfSelections sends what selects objects to the service, as far as it filters by that.
func TestFiltersOfSelections(t *testing.T) {
	for _, test := range []struct {
		command string
		args    map[string]any
		want    string
	}{
		{"microsoft-atp-batch-update-alerts", map[string]any{"incident_id": "7", "created_after": "2026-11-19", "status": "New"}, "incidentId eq 7 and alertCreationTime ge 2026-11-19T00:00:00Z"},
		{"microsoft-atp-list-remediation-tasks", map[string]any{"status": "Active", "created_after": "2026-11-19"}, "status eq 'Active' and createdOn ge 2026-11-19T00:00:00Z"},
		{"microsoft-atp-cancel-machine-action", map[string]any{"machine_id": "m", "type": "Isolate", "comment": "c"}, "status eq 'Pending' and machineId eq 'm' and type eq 'Isolate'"},
		{
			"microsoft-atp-list-device-av-health",
			map[string]any{"av_mode": "Passive,EDRBlocked", "scan_failed": true, "outdated": "signature"},
			"(avMode eq '1' or avMode eq '4') and avIsSignatureUpToDate eq 'False' and (quickScanResult eq 'Failed' or fullScanResult eq 'Failed')",
		},
		{
			"microsoft-atp-list-machine-actions-details",
			map[string]any{"status": "Pending", "machine_id": "m,n", "type": "Isolate", "requestor": "nora"},
			"status eq 'Pending' and (machineId eq 'm' or machineId eq 'n') and type eq 'Isolate' and requestor eq 'nora'",
		},
		{"microsoft-atp-list-machine-actions-details", map[string]any{"status": "Pending", "filters": "type eq 'Unisolate'"}, "type eq 'Unisolate'"},
		{
			"microsoft-atp-incident-list",
			map[string]any{"status": "active", "created_after": "2026-11-19", "updated_after": "2026-11-20", "filter": "determination eq 'malware'"},
			"status eq 'active' and (determination eq 'malware') and createdDateTime gt 2026-11-19T00:00:00Z and lastUpdateDateTime gt 2026-11-20T00:00:00Z",
		},
		{"microsoft-atp-list-alerts", map[string]any{"creation_time": "2026-11-19"}, "alertCreationTime gt 2026-11-19T00:00:00Z"},
	} {
		result := commandstest.New(t).Run(test.command, test.args)
		if len(result.Requests) == 0 || result.Requests[0].Method != http.MethodGet {
			t.Errorf("%s: got %q and %v, want a list to be asked for", test.command, result.Asked(), result.Err)
			continue
		}
		if got := result.Requests[0].Query.Get("$filter"); got != test.want {
			t.Errorf("%s: got the filter %q, want %q", test.command, got, test.want)
		}
	}
}
