package kql_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/kql"
)

var update = flag.Bool("update", false, "rewrite the golden files; the run fails so that they are looked at")

// The purposes and the narrowing arguments of the commands: a contract with existing playbooks.
var contract = []struct {
	family    kql.Family
	purposes  []string
	arguments []kql.Condition
}{
	{
		"lateral-movement-evidence",
		[]string{"network_connections", "smb_connections", "credential_dumping", "management_connection"},
		[]kql.Condition{"device_name", "device_id", "file_name", "sha1", "sha256", "md5", "remote_ip_count"},
	},
	{
		"persistence-evidence",
		[]string{
			"scheduled_job", "registry_entry", "startup_folder_changes", "new_service_created", "service_updated",
			"file_replaced", "new_user", "new_group", "group_user_change", "local_firewall_change", "host_file_change",
		},
		[]kql.Condition{"device_name", "device_id", "file_name", "sha1", "sha256", "md5", "process_cmd"},
	},
	{"file-origin", nil, []kql.Condition{"device_name", "device_id", "file_name", "sha1", "sha256", "md5"}},
	{
		"process-details",
		[]string{
			"parent_process", "grandparent_process", "process_details", "beaconing_evidence",
			"powershell_execution_unsigned_files", "process_excecution_powershell",
		},
		[]kql.Condition{"device_name", "device_id", "file_name", "sha1", "sha256", "md5"},
	},
	{
		"network-connections",
		[]string{"external_addresses", "dns_query", "encoded_commands"},
		[]kql.Condition{"device_name", "device_id", "file_name", "sha1", "sha256", "md5"},
	},
	{"privilege-escalation", nil, []kql.Condition{"device_name", "device_id"}},
	{"tampering", nil, []kql.Condition{"device_name", "device_id"}},
	{
		"cover-up",
		[]string{
			"file_deleted", "event_log_cleared", "compromised_information", "connected_devices", "action_types", "common_files",
		},
		[]kql.Condition{"device_name", "device_id", "file_name", "sha1", "sha256", "md5", "username"},
	},
}

func TestFamiliesHaveThePurposesOfTheCommands(t *testing.T) {
	var families []kql.Family
	for _, command := range contract {
		families = append(families, command.family)
		if got := command.family.Purposes(); !slices.Equal(got, command.purposes) {
			t.Errorf("purposes of %s: got %q, want %q", command.family, got, command.purposes)
		}
	}
	if got := kql.Families(); !slices.Equal(got, families) {
		t.Errorf("families: got %q, want %q", got, families)
	}
}

func TestEveryArgumentOfACommandIsHonouredOrKnownToBeOfNoUse(t *testing.T) {
	for _, command := range contract {
		for _, query := range queries(t, command.family) {
			want := slices.DeleteFunc(slices.Clone(command.arguments), func(c kql.Condition) bool { return slices.Contains(query.Ignores, c) })
			if got := query.Conditions(); !slices.Equal(got, want) {
				t.Errorf("%s %s: honours %q, want %q", command.family, query.Purpose, got, want)
			}
		}
	}
}

func TestQueryTextsAllBelongToAPurpose(t *testing.T) {
	var want []string
	for _, query := range allQueries(t) {
		want = append(want, goldenName(query))
	}
	for _, folder := range []string{"queries", filepath.Join("testdata", "golden")} {
		got := filesUnder(t, folder)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("files in %s: got %q, want %q", folder, got, want)
		}
	}
}

func TestQueriesAgainstGoldenFiles(t *testing.T) {
	for _, query := range allQueries(t) {
		t.Run(goldenName(query), func(t *testing.T) {
			conditions := narrowed(query, "first", "second")
			conditions.And = true
			conditions.TimeRange = 7 * 24 * time.Hour
			got := build(t, query, conditions) + "\n"
			checkBalance(t, got)

			path := filepath.Join("testdata", "golden", goldenName(query))
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				t.Fatalf("%s rewritten: look at the change and run again without -update", path)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("query differs from %s: got\n%s\nwant\n%s", path, got, want)
			}
		})
	}
}

// A query ends with the columns that its head promises, and pages rows that it has just sorted.
func TestQueriesEndWithTheirColumns(t *testing.T) {
	for _, query := range allQueries(t) {
		text := build(t, query, narrowed(query, "value"))
		_, last, _ := cutLast(text, "| project ")
		if got := strings.Join(strings.Fields(last), " "); got != strings.Join(query.Columns, ", ") {
			t.Errorf("%s: the rows have the columns\n%s\nwant\n%s", goldenName(query), got, strings.Join(query.Columns, ", "))
		}
		before, _, _ := strings.Cut(text, "\n| take ")
		_, step, found := cutLast(before, "\n| ")
		if !found || !strings.HasPrefix(step, "sort by ") {
			t.Errorf("%s: rows are paged after %q, want them sorted", goldenName(query), step)
		}
	}
}

// Every table that is searched is bound to the time range; a table for details is not.
func TestTimeRangeBindsEverySearchedTable(t *testing.T) {
	for _, query := range allQueries(t) {
		conditions := narrowed(query, "value")
		conditions.TimeRange = time.Hour
		text := build(t, query, conditions)
		for _, table := range query.Tables {
			pattern := table + "\n| where Timestamp > ago(1h)\n"
			if query.Purpose == "action_types" || query.Purpose == "compromised_information" { // one union of all tables
				pattern = "DeviceRegistryEvents\n| where Timestamp > ago(1h)\n"
			}
			if !strings.Contains(text, pattern) {
				t.Errorf("%s: the time range does not follow table %s in\n%s", goldenName(query), table, text)
			}
		}
		conditions.TimeRange = 0
		if text := build(t, query, conditions); strings.Contains(text, "ago(") {
			t.Errorf("%s: a time range nobody asked for in\n%s", goldenName(query), text)
		}
	}
}

func TestTimeRangeIsExact(t *testing.T) {
	tests := []struct {
		duration time.Duration
		want     string
	}{
		{30 * 24 * time.Hour, "ago(30d)"},
		{36 * time.Hour, "ago(36h)"},
		{90 * time.Minute, "ago(90m)"},
		{61 * time.Second, "ago(61s)"},
		{1500 * time.Millisecond, "ago(1500ms)"},
	}
	for _, test := range tests {
		text, err := kql.Tampering.Build("", kql.Conditions{Limit: 1, Page: 1, TimeRange: test.duration})
		if err != nil || !strings.Contains(text, "| where Timestamp > "+test.want+"\n") {
			t.Errorf("%v: got %v and\n%s\nwant %s", test.duration, err, text, test.want)
		}
	}
}

func TestConditions(t *testing.T) {
	tests := []struct {
		name       string
		family     kql.Family
		purpose    string
		conditions kql.Conditions
		want       string // what stands for the conditions
	}{
		{
			"none", kql.ProcessDetails, "powershell_execution_unsigned_files",
			kql.Conditions{},
			"",
		},
		{
			"a device by its short or its full name", kql.ProcessDetails, "parent_process",
			kql.Conditions{DeviceNames: []string{"ws-001", "ws-002"}},
			`| where (DeviceName in~ ("ws-001", "ws-002") or DeviceName startswith "ws-001." or DeviceName startswith "ws-002.")`,
		},
		{
			"kinds of condition joined by or", kql.ProcessDetails, "parent_process",
			kql.Conditions{DeviceIDs: []string{"d1"}, FileNames: []string{"evil.exe"}, SHA1: []string{"s1"}},
			"| where (DeviceId in~ (\"d1\"))\n    or (FileName in~ (\"evil.exe\"))\n    or (SHA1 in~ (\"s1\"))",
		},
		{
			"kinds of condition joined by and", kql.ProcessDetails, "parent_process",
			kql.Conditions{DeviceIDs: []string{"d1"}, FileNames: []string{"evil.exe", "bad.exe"}, MD5: []string{"m1"}, And: true},
			"| where (DeviceId in~ (\"d1\"))\n    and (FileName in~ (\"evil.exe\", \"bad.exe\"))\n    and (MD5 in~ (\"m1\"))",
		},
		{
			"a file of a network event is the acting process", kql.NetworkConnections, "dns_query",
			kql.Conditions{FileNames: []string{"evil.exe"}, MD5: []string{"m1"}},
			"| where (InitiatingProcessFileName in~ (\"evil.exe\"))\n    or (InitiatingProcessMD5 in~ (\"m1\"))",
		},
		{
			"a script is a word of a command line", kql.ProcessDetails, "process_excecution_powershell",
			kql.Conditions{FileNames: []string{"evil.ps1"}, DeviceIDs: []string{"d1"}},
			"| where (DeviceId in~ (\"d1\"))\n    or (FileName in~ (\"evil.ps1\") or ProcessCommandLine has_any (\"evil.ps1\") or InitiatingProcessCommandLine has_any (\"evil.ps1\"))",
		},
		{
			"a part of a command", kql.PersistenceEvidence, "registry_entry",
			kql.Conditions{ProcessCommands: []string{"reg add"}, DeviceIDs: []string{"d1"}},
			"| where (DeviceId in~ (\"d1\"))\n    or (InitiatingProcessCommandLine contains \"reg add\" or RegistryValueData contains \"reg add\")",
		},
		{
			"an account by name", kql.CoverUp, "connected_devices",
			kql.Conditions{Usernames: []string{"nora"}},
			`| where (AccountName =~ "nora")`,
		},
		{
			"an account by domain and name", kql.CoverUp, "connected_devices",
			kql.Conditions{Usernames: []string{`CONTOSO\nora`, "ben"}},
			`| where ((AccountDomain =~ "CONTOSO" and AccountName =~ "nora") or AccountName =~ "ben")`,
		},
		{
			"an account by user principal name", kql.CoverUp, "action_types",
			kql.Conditions{Usernames: []string{"nora@contoso.com"}},
			`| where (AccountUpn =~ "nora@contoso.com" or InitiatingProcessAccountUpn =~ "nora@contoso.com")`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.conditions.Limit, test.conditions.Page = 50, 1
			got, err := test.family.Build(test.purpose, test.conditions)
			if err != nil {
				t.Fatal(err)
			}
			texts, err := os.ReadFile(filepath.Join("queries", string(test.family), test.purpose+".kql"))
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(string(texts), "\n\n")
			want := strings.ReplaceAll(strings.TrimSpace(body), "//@time\n", "")
			want = strings.ReplaceAll(want, "//@page", "| take 50")
			want = strings.ReplaceAll(want, "//@where\n", strings.TrimPrefix(test.want+"\n", "\n"))
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRemoteIPCountIsAThresholdWhateverTheOperation(t *testing.T) {
	for _, and := range []bool{false, true} {
		count := 10
		text, err := kql.LateralMovementEvidence.Build("smb_connections", kql.Conditions{
			DeviceNames: []string{"ws-001"}, RemoteIPCount: &count, And: and, Limit: 50, Page: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, "\n| where RemoteIPCount > 10\n") {
			t.Errorf("and = %v: want more than 10 addresses in\n%s", and, text)
		}
	}
}

func TestPages(t *testing.T) {
	tests := []struct {
		page, limit int
		want        string
	}{
		{1, 50, "\n| take 50\n"},
		{2, 50, "\n| extend RowNumber = row_number()\n| where RowNumber > 1 * 50 and RowNumber <= 2 * 50\n"},
		{3, 7, "\n| extend RowNumber = row_number()\n| where RowNumber > 2 * 7 and RowNumber <= 3 * 7\n"},
		{1, kql.MaxLimit, "\n| take 100000\n"},
	}
	for _, test := range tests {
		text, err := kql.FileOrigin.Build("", kql.Conditions{SHA1: []string{"s1"}, Page: test.page, Limit: test.limit})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, test.want) {
			t.Errorf("page %d of %d rows: want %q in\n%s", test.page, test.limit, test.want, text)
		}
	}
}

// What playbooks rely on: the query mentions what it was given.
func TestQueriesMentionWhatTheyWereGiven(t *testing.T) {
	devices := kql.Conditions{DeviceNames: []string{"ws-001"}}
	devicesAndFile := kql.Conditions{DeviceNames: []string{"ws-001", "ws-002"}, FileNames: []string{"evil.exe"}, And: true}
	tests := []struct {
		family     kql.Family
		purpose    string
		conditions kql.Conditions
		mentions   []string
	}{
		{kql.CoverUp, "action_types", kql.Conditions{Usernames: []string{"nora"}}, []string{"nora"}},
		{kql.CoverUp, "event_log_cleared", devices, []string{"ws-001"}},
		{kql.CoverUp, "file_deleted", devicesAndFile, []string{"ws-001", "ws-002", "evil.exe"}},
		{kql.LateralMovementEvidence, "management_connection", devices, []string{"ws-001"}},
		{kql.LateralMovementEvidence, "network_connections", devicesAndFile, []string{"ws-001", "ws-002", "evil.exe"}},
		{kql.LateralMovementEvidence, "smb_connections", devices, []string{"ws-001"}},
		{kql.NetworkConnections, "dns_query", devices, []string{"ws-001"}},
		{kql.NetworkConnections, "external_addresses", devicesAndFile, []string{"ws-001", "ws-002", "evil.exe"}},
		{kql.PersistenceEvidence, "group_user_change", devices, []string{"ws-001"}},
		{kql.PersistenceEvidence, "host_file_change", devices, []string{"ws-001"}},
		{kql.PersistenceEvidence, "new_user", devices, []string{"ws-001"}},
		{kql.PersistenceEvidence, "scheduled_job", devicesAndFile, []string{"ws-001", "ws-002", "evil.exe"}},
		{kql.PersistenceEvidence, "service_updated", devices, []string{"ws-001"}},
		{kql.PersistenceEvidence, "startup_folder_changes", devices, []string{"ws-001"}},
		{
			kql.PersistenceEvidence, "registry_entry",
			kql.Conditions{DeviceNames: []string{"ws-001"}, ProcessCommands: []string{"reg add"}},
			[]string{"ws-001", "reg add"},
		},
		{
			kql.PrivilegeEscalation, "",
			kql.Conditions{DeviceIDs: []string{"356a192b7913b04c54574d18c28d46e6395428ab"}},
			[]string{"356a192b7913b04c54574d18c28d46e6395428ab"},
		},
		{kql.ProcessDetails, "beaconing_evidence", devices, []string{"ws-001"}},
		{kql.ProcessDetails, "grandparent_process", devices, []string{"ws-001"}},
		{kql.ProcessDetails, "parent_process", devicesAndFile, []string{"ws-001", "ws-002", "evil.exe"}},
	}
	for _, test := range tests {
		for _, page := range []int{1, 2} {
			test.conditions.Limit, test.conditions.Page = 50, page
			text, err := test.family.Build(test.purpose, test.conditions)
			if err != nil {
				t.Errorf("%s %s: %v", test.family, test.purpose, err)
			}
			for _, want := range append(test.mentions, "50") {
				if !strings.Contains(text, want) {
					t.Errorf("%s %s, page %d: want %q in\n%s", test.family, test.purpose, page, want, text)
				}
			}
		}
	}
}

func TestValuesAreEscaped(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"plain", "evil.exe", `"evil.exe"`},
		{"spaces", "a  b ", `"a  b "`},
		{"double quote", `a"b`, `"a\"b"`},
		{"single quote", "O'Brien", `"O'Brien"`},
		{"backslash", `C:\Temp\`, `"C:\\Temp\\"`},
		{"backslash before a quote", `\"`, `"\\\""`},
		{"a way out", `") or true //`, `"\") or true //"`},
		{"line breaks", "a\nb\r\nc", `"a\nb\r\nc"`},
		{"tab", "a\tb", `"a\tb"`},
		{"zero byte before a digit", "a\x007", `"a\u00007"`},
		{"control characters", "\a\b\f\v\x1b\x7f", `"\u0007\u0008\u000c\u000b\u001b\u007f"`},
		{"next line and line separators", "\u0085\u2028\u2029", `"\u0085\u2028\u2029"`},
		{"no-break space", "a\u00a0b", `"a\u00a0b"`},
		{"right-to-left override", "exe\u202egpj", `"exe\u202egpj"`},
		{"marks and invisible spaces", "\u200f\u200b\ufeff", `"\u200f\u200b\ufeff"`},
		{"letters of all scripts", "büro Łódź 東京 مكتب", `"büro Łódź 東京 مكتب"`},
		{"a character beyond the first plane", "🐈.exe", `"🐈.exe"`},
		{"an invisible one there", "\U000e0041", `"\udb40\udc41"`},
		{"a marker", "\n//@where", `"\n//@where"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text, err := kql.FileOrigin.Build("", kql.Conditions{SHA1: []string{test.value}, Limit: 50, Page: 1})
			if err != nil {
				t.Fatal(err)
			}
			if want := "\n| where (SHA1 in~ (" + test.want + "))\n"; !strings.Contains(text, want) {
				t.Errorf("want %s in\n%s", want, text)
			}
			if !slices.Contains(tokenize(t, text), token{isString: true, text: test.value}) {
				t.Errorf("no literal of the query stands for %q in\n%s", test.value, text)
			}
		})
	}
}

func TestUnknownPurposesAreRefused(t *testing.T) {
	tests := []struct {
		family  kql.Family
		purpose string
		want    string
	}{
		{kql.CoverUp, "nonsense", `the hunt cover-up has no query_purpose "nonsense": choose file_deleted, event_log_cleared, ` +
			"compromised_information, connected_devices, action_types or common_files"},
		{kql.ProcessDetails, "process_excecution", `the hunt process-details has no query_purpose "process_excecution": choose ` +
			"parent_process, grandparent_process, process_details, beaconing_evidence, powershell_execution_unsigned_files " +
			"or process_excecution_powershell"},
		{kql.NetworkConnections, "", `the hunt network-connections has no query_purpose "": choose external_addresses, ` +
			"dns_query or encoded_commands"},
		{kql.NetworkConnections, "../cover-up/file_deleted", `the hunt network-connections has no query_purpose ` +
			`"../cover-up/file_deleted": choose external_addresses, dns_query or encoded_commands`},
		{kql.Tampering, "any", `the hunt tampering has no purpose "any" to choose`},
		{kql.Family("other"), "", `the hunt other has no purpose "" to choose`},
	}
	for _, test := range tests {
		_, err := test.family.Build(test.purpose, kql.Conditions{Limit: 50, Page: 1})
		var unknown *kql.UnknownPurposeError
		if !errors.As(err, &unknown) || unknown.Family != test.family || unknown.Purpose != test.purpose {
			t.Errorf("%s %q: got %#v, want an UnknownPurposeError", test.family, test.purpose, err)
			continue
		}
		if err.Error() != test.want {
			t.Errorf("%s %q: got %q, want %q", test.family, test.purpose, err, test.want)
		}
	}
}

func TestMissingConditionsAreNamed(t *testing.T) {
	tests := []struct {
		family     kql.Family
		purpose    string
		conditions kql.Conditions
		want       string
	}{
		{
			kql.PersistenceEvidence, "registry_entry",
			kql.Conditions{DeviceNames: []string{"ws-001"}, FileNames: []string{"evil.exe"}, And: true},
			"the hunt persistence-evidence registry_entry would search the whole tenant: give process_cmd",
		},
		{
			kql.PersistenceEvidence, "registry_entry",
			kql.Conditions{ProcessCommands: []string{"reg add"}},
			"the hunt persistence-evidence registry_entry would search the whole tenant: " +
				"give device_name, device_id, file_name, sha1, sha256 or md5",
		},
		{
			kql.CoverUp, "common_files",
			kql.Conditions{DeviceNames: []string{"ws-001"}},
			"the hunt cover-up common_files would search the whole tenant: give username",
		},
		{
			kql.ProcessDetails, "process_excecution_powershell",
			kql.Conditions{FileNames: []string{"a.exe"}},
			"the hunt process-details process_excecution_powershell would search the whole tenant: give device_name or device_id",
		},
		{
			kql.ProcessDetails, "process_excecution_powershell",
			kql.Conditions{DeviceNames: []string{"ws-001"}},
			"the hunt process-details process_excecution_powershell would search the whole tenant: " +
				"give file_name, sha1, sha256 or md5",
		},
	}
	for _, test := range tests {
		test.conditions.Limit, test.conditions.Page = 50, 1
		_, err := test.family.Build(test.purpose, test.conditions)
		var missing *kql.MissingConditionError
		if !errors.As(err, &missing) || err.Error() != test.want {
			t.Errorf("%s: got %v, want a MissingConditionError %q", test.purpose, err, test.want)
		}
	}
	for _, conditions := range []kql.Conditions{
		{FileNames: []string{"evil.ps1"}}, {SHA1: []string{"s"}}, {SHA256: []string{"s"}}, {MD5: []string{"m"}},
	} {
		conditions.Limit, conditions.Page, conditions.DeviceNames = 50, 1, []string{"ws-001"}
		if _, err := kql.ProcessDetails.Build("process_excecution_powershell", conditions); err != nil {
			t.Errorf("%+v: got %v, want one of them to be enough", conditions, err)
		}
	}
}

// The conditions that the deployed implementation demands before it sends a query.
func TestEveryPurposeNamesWhatItMustBeGiven(t *testing.T) {
	devices := []kql.Condition{kql.DeviceName, kql.DeviceID}
	files := []kql.Condition{kql.FileName, kql.SHA1, kql.SHA256, kql.MD5}
	any6, username := slices.Concat(devices, files), []kql.Condition{kql.Username}
	special := map[string][][]kql.Condition{
		"persistence-evidence/registry_entry.kql":                 {{kql.ProcessCommand}, any6},
		"process-details/process_excecution_powershell.kql":       {files, devices},
		"process-details/powershell_execution_unsigned_files.kql": nil,
		"tampering.kql": nil,
		"network-connections/encoded_commands.kql": {devices},
		"privilege-escalation.kql":                 {devices},
		"cover-up/event_log_cleared.kql":           {devices},
		"cover-up/compromised_information.kql":     {username},
		"cover-up/connected_devices.kql":           {username},
		"cover-up/action_types.kql":                {username},
		"cover-up/common_files.kql":                {username},
	}
	for _, query := range allQueries(t) {
		want, known := special[goldenName(query)]
		if !known {
			want = [][]kql.Condition{any6}
		}
		if !reflect.DeepEqual(query.Requires, want) {
			t.Errorf("%s: got %v, want %v", goldenName(query), query.Requires, want)
		}
	}
}

func TestConditionsOfNoUseAreLeftOutAndNamed(t *testing.T) {
	conditions := kql.Conditions{Usernames: []string{"nora"}, DeviceNames: []string{"ws-001"}, SHA1: []string{"s1"}, Limit: 50, Page: 1}
	text, err := kql.CoverUp.Build("common_files", conditions)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "ws-001") || !strings.Contains(text, "nora") {
		t.Errorf("got\n%s\nwant it narrowed by the user alone", text)
	}
	got, err := kql.CoverUp.Ignored("common_files", conditions)
	if want := []kql.Condition{kql.DeviceName, kql.SHA1}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := kql.CoverUp.Ignored("nonsense", conditions); err == nil {
		t.Error("got no error for an unknown purpose")
	}
}

// The columns of the deployed implementation's rows that playbooks read.
func TestRowsHaveTheColumnsThatPlaybooksRead(t *testing.T) {
	columns := map[string]string{
		"lateral-movement-evidence/network_connections.kql":       "TotalConnections DeviceName RemoteIP RemotePort InitiatingProcessFileName",
		"lateral-movement-evidence/smb_connections.kql":           "RemoteIPCount DeviceName InitiatingProcessFileName InitiatingProcessId InitiatingProcessCreationTime",
		"lateral-movement-evidence/management_connection.kql":     "TotalCount DeviceName LocalIP RemoteIP RemotePort",
		"lateral-movement-evidence/credential_dumping.kql":        "Timestamp DeviceName ActionType FileName ProcessCommandLine AccountName InitiatingProcessIntegrityLevel InitiatingProcessTokenElevation",
		"network-connections/external_addresses.kql":              "TotalConnections DeviceName RemoteIP RemotePort InitiatingProcessFileName InitiatingProcessFolderPath",
		"network-connections/dns_query.kql":                       "Timestamp DeviceName ActionType RemoteIP Packetinfo",
		"cover-up/event_log_cleared.kql":                          "LogClearCount ClearedLogList DeviceId DeviceName Timestamp FileName InitiatingProcessFileName",
		"cover-up/connected_devices.kql":                          "DeviceName",
		"cover-up/action_types.kql":                               "Number_of_actions ActionType DeviceName",
		"cover-up/common_files.kql":                               "Number_of_accoiated_events FileName MD5 SHA1 SHA256",
		"cover-up/compromised_information.kql":                    "Timestamp DeviceId DeviceName ActionType FileName FolderPath SHA1 SHA256 MD5 InitiatingProcessFileName",
		"persistence-evidence/group_user_change.kql":              "AccountSid",
		"persistence-evidence/registry_entry.kql":                 "Timestamp DeviceName RegistryKey RegistryValueType PreviousRegistryValueData RegistryValueName PreviousRegistryValueName PreviousRegistryKey InitiatingProcessFileName",
		"process-details/process_details.kql":                     "FileName SHA1 SHA256 IsSigned Signer SignatureType Issuer CertificateExpirationTime IsTrusted IsRootSignerMicrosoft",
		"process-details/beaconing_evidence.kql":                  "Timestamp DeviceId DeviceName ActionType RemoteIP RemotePort RemoteUrl LocalIP LocalPort Protocol LocalIPType RemoteIPType InitiatingProcessSHA1 InitiatingProcessSHA256 InitiatingProcessMD5 InitiatingProcessFileName",
		"process-details/powershell_execution_unsigned_files.kql": "InitiatingProcessFolderPath InitiatingProcessFileName InitiatingProcessParentFileName InitiatingProcessVersionInfoOriginalFileName InitiatingProcessVersionInfoProductName InitiatingProcessCommandLine InitiatingProcessSignerType InitiatingProcessSignatureStatus",
		"privilege-escalation.kql":                                "Timestamp DeviceId DeviceName ActionType LogonType AccountDomain AccountName IsLocalAdmin InitiatingProcessFileName",
		"tampering.kql":                                           "Timestamp Computer Account AccountDomain ProcessName ProcessNameFullPath Activity CommandLine InitiatingProcessParentFileName",
		"file-origin.kql":                                         "Timestamp FileName FolderPath ActionType DeviceName MD5 SHA1 SHA256 FileSize FileOriginUrl FileOriginIP InitiatingProcessCommandLine InitiatingProcessFileName InitiatingProcessParentFileName",
	}
	for _, query := range allQueries(t) {
		for column := range strings.FieldsSeq(columns[goldenName(query)]) {
			if !slices.Contains(query.Columns, column) {
				t.Errorf("%s: the rows have no column %s", goldenName(query), column)
			}
		}
		delete(columns, goldenName(query))
	}
	for name := range columns {
		t.Errorf("%s: there is no such query", name)
	}
}

func TestConditionsThatCannotBeHonouredAreRefused(t *testing.T) {
	tests := []struct {
		family     kql.Family
		purpose    string
		conditions kql.Conditions
		condition  kql.Condition
		want       string
	}{
		{
			kql.Tampering, "",
			kql.Conditions{MD5: []string{"m"}},
			kql.MD5,
			"the hunt tampering cannot be narrowed by md5: leave it out, or use device_name or device_id",
		},
		{
			kql.PrivilegeEscalation, "",
			kql.Conditions{Usernames: []string{"nora"}},
			kql.Username,
			"the hunt privilege-escalation cannot be narrowed by username: leave it out, or use device_name or device_id",
		},
		{
			kql.FileOrigin, "",
			kql.Conditions{ProcessCommands: []string{"reg add"}},
			kql.ProcessCommand,
			"the hunt file-origin cannot be narrowed by process_cmd: leave it out, " +
				"or use device_name, device_id, file_name, sha1, sha256 or md5",
		},
	}
	for _, test := range tests {
		test.conditions.Limit, test.conditions.Page = 50, 1
		_, err := test.family.Build(test.purpose, test.conditions)
		var unsupported *kql.UnsupportedConditionError
		if !errors.As(err, &unsupported) || unsupported.Condition != test.condition || err.Error() != test.want {
			t.Errorf("%s %s: got %v, want an UnsupportedConditionError %q", test.family, test.purpose, err, test.want)
		}
	}
}

func TestValuesThatFitNoQueryAreRefused(t *testing.T) {
	negative := -1
	tests := []struct {
		name       string
		conditions kql.Conditions
		argument   string
		want       string
	}{
		{"no limit", kql.Conditions{Page: 1}, "limit", `limit cannot be "0": give a number from 1 to 100000`},
		{"too great a limit", kql.Conditions{Page: 1, Limit: kql.MaxLimit + 1}, "limit", `limit cannot be "100001": give a number from 1 to 100000`},
		{"no page", kql.Conditions{Limit: 1}, "page", `page cannot be "0": give a number from 1 to 100000`},
		{"a page without end", kql.Conditions{Limit: 1, Page: kql.MaxPage + 1}, "page", `page cannot be "100001": give a number from 1 to 100000`},
		{
			"the future",
			kql.Conditions{Limit: 1, Page: 1, TimeRange: -time.Hour},
			"time_range",
			`time_range cannot be "-1h0m0s": give a span of whole milliseconds that is not negative`,
		},
		{
			"a part of a millisecond",
			kql.Conditions{Limit: 1, Page: 1, TimeRange: time.Microsecond},
			"time_range",
			`time_range cannot be "1µs": give a span of whole milliseconds that is not negative`,
		},
		{
			"a negative count",
			kql.Conditions{Limit: 1, Page: 1, RemoteIPCount: &negative},
			"remote_ip_count",
			`remote_ip_count cannot be "-1": give a number that is not negative`,
		},
		{
			"an empty value",
			kql.Conditions{Limit: 1, Page: 1, DeviceNames: []string{"ws-001", ""}},
			"device_name",
			`device_name cannot be "": give a text in UTF-8 that is not empty`,
		},
		{
			"bytes that are not text",
			kql.Conditions{Limit: 1, Page: 1, FileNames: []string{"a\xff"}},
			"file_name",
			`file_name cannot be "a\xff": give a text in UTF-8 that is not empty`,
		},
		{
			"a domain without an account",
			kql.Conditions{Limit: 1, Page: 1, Usernames: []string{`CONTOSO\`}},
			"username",
			`username cannot be "CONTOSO\\": give a name, or a domain and a name as DOMAIN\name`,
		},
		{
			"a principal name where there are none",
			kql.Conditions{Limit: 1, Page: 1, Usernames: []string{"nora@contoso.com"}},
			"username",
			`username cannot be "nora@contoso.com": give an account name, as the events searched have no user principal names`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := kql.CoverUp.Build("connected_devices", test.conditions)
			var invalid *kql.InvalidValueError
			if !errors.As(err, &invalid) || invalid.Argument != test.argument || err.Error() != test.want {
				t.Errorf("got %v, want an InvalidValueError %q", err, test.want)
			}
		})
	}
}

// narrowed hands the values to every condition that a query honours.
func narrowed(query kql.Query, values ...string) kql.Conditions {
	conditions := kql.Conditions{Limit: 50, Page: 1}
	for _, condition := range query.Conditions() {
		switch condition {
		case kql.DeviceName:
			conditions.DeviceNames = values
		case kql.DeviceID:
			conditions.DeviceIDs = values
		case kql.FileName:
			conditions.FileNames = values
		case kql.SHA1:
			conditions.SHA1 = values
		case kql.SHA256:
			conditions.SHA256 = values
		case kql.MD5:
			conditions.MD5 = values
		case kql.Username:
			conditions.Usernames = values
		case kql.ProcessCommand:
			conditions.ProcessCommands = values
		case kql.RemoteIPCount:
			count := 10
			conditions.RemoteIPCount = &count
		}
	}
	return conditions
}

func build(t *testing.T, query kql.Query, conditions kql.Conditions) string {
	t.Helper()
	text, err := query.Family.Build(query.Purpose, conditions)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func queries(t testing.TB, family kql.Family) []kql.Query {
	t.Helper()
	queries, err := family.Queries()
	if err != nil {
		t.Fatal(err)
	}
	return queries
}

func allQueries(t testing.TB) []kql.Query {
	t.Helper()
	var all []kql.Query
	for _, family := range kql.Families() {
		all = append(all, queries(t, family)...)
	}
	return all
}

func goldenName(query kql.Query) string {
	if query.Purpose == "" {
		return fmt.Sprintf("%s.kql", query.Family)
	}
	return fmt.Sprintf("%s/%s.kql", query.Family, query.Purpose)
}

func filesUnder(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func cutLast(text, separator string) (before, after string, found bool) {
	index := strings.LastIndex(text, separator)
	if index < 0 {
		return text, "", false
	}
	return text[:index], text[index+len(separator):], true
}
