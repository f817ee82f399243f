package commands_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

const (
	cvePath      = "CVE(val.ID && val.ID == obj.ID)"
	keyedByID    = "(val.id && val.id == obj.id)"
	versionsPath = "MicrosoftATP.SoftwareVersion(val.version && val.version == obj.version && val.softwareId == obj.softwareId)"
)

// Every filter, with its query.
func TestFiltersOfLists(t *testing.T) {
	const (
		software        = "microsoft-atp-list-software"
		vulnerabilities = "microsoft-atp-list-vulnerabilities"
		byMachine       = "microsoft-atp-list-vulnerabilities-by-machine"
	)
	tests := []struct {
		name, command     string
		args              map[string]any
		filter, top, skip string
	}{
		{"all software", software, nil, "", "50", "0"},
		{"software by ID", software, map[string]any{"id": "a-_-b"}, "id eq 'a-_-b'", "50", "0"},
		{"software by several IDs", software, map[string]any{"id": "a-_-b,c-_-d"}, "id eq 'a-_-b' or id eq 'c-_-d'", "50", "0"},
		{
			"software by all conditions", software,
			map[string]any{"id": "a-_-b", "name": []string{"b"}, "vendor": `["a","O'Neil"]`, "limit": 2, "offset": 4},
			"id eq 'a-_-b' and name eq 'b' and (vendor eq 'a' or vendor eq 'O''Neil')", "2", "4",
		},
		{"all vulnerabilities", vulnerabilities, nil, "", "25", "0"},
		{"vulnerabilities by ID", vulnerabilities, map[string]any{"id": "CVE-2026-0001"}, "id eq 'CVE-2026-0001'", "25", "0"},
		{"vulnerabilities by name", vulnerabilities, map[string]any{"name_equal": "CVE-2026-0001,CVE-2026-0002"}, "name eq 'CVE-2026-0001' or name eq 'CVE-2026-0002'", "25", "0"},
		{"a part of the name", vulnerabilities, map[string]any{"name_contains": "2026"}, "contains(name,'2026')", "25", "0"},
		{"a part of the description", vulnerabilities, map[string]any{"description_contains": "it's bad"}, "contains(description,'it''s bad')", "25", "0"},
		{"a score", vulnerabilities, map[string]any{"cvss": "7.5"}, "cvssV3 ge 7.5", "25", "0"},
		{"severities", vulnerabilities, map[string]any{"severity": "high,Critical"}, "severity eq 'High' or severity eq 'Critical'", "25", "0"},
		{"all of it", vulnerabilities, map[string]any{"severity": "Low", "cvss": 0, "limit": "1", "offset": "9"}, "severity eq 'Low' and cvssV3 ge 0", "1", "9"},
		{"all rows", byMachine, nil, "", "25", "0"},
		{"rows of machines", byMachine, map[string]any{"machine_id": "m1,m2"}, "machineId eq 'm1' or machineId eq 'm2'", "25", "0"},
		{"rows of software", byMachine, map[string]any{"software_id": "contoso-_-vpn"}, "productVendor eq 'contoso' and productName eq 'vpn'", "25", "0"},
		{"a row by its ID", byMachine, map[string]any{"software_id": "m1-_-CVE-2026-0001-_-contoso-_-vpn-_-7.0-_-"}, "id eq 'm1-_-CVE-2026-0001-_-contoso-_-vpn-_-7.0-_-'", "25", "0"},
		{
			"rows of several products", byMachine,
			map[string]any{"software_id": "contoso-_-vpn,google-_-chrome", "severity": "High"},
			"((productVendor eq 'contoso' and productName eq 'vpn') or (productVendor eq 'google' and productName eq 'chrome')) and severity eq 'High'", "25", "0",
		},
		{
			"rows by everything else", byMachine,
			map[string]any{"cve_id": "CVE-2026-0001", "product_name": "vpn", "product_version": "7.0", "product_vendor": "contoso", "limit": 3, "offset": 6},
			"cveId eq 'CVE-2026-0001' and productName eq 'vpn' and productVersion eq '7.0' and productVendor eq 'contoso'", "3", "6",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := commandstest.New(t).Run(test.command, test.args)
			result.All()
			for name, want := range map[string]string{"$filter": test.filter, "$top": test.top, "$skip": test.skip} {
				if got := result.Requests[0].Query.Get(name); got != want {
					t.Errorf("got %q, want %s to be %q", got, name, want)
				}
			}
		})
	}
}

func TestTimesOfVulnerabilities(t *testing.T) {
	for argument, property := range map[string]string{"published_on": "publishedOn", "updated_on": "updatedOn"} {
		for given, want := range map[string]string{"2026-05-01": "2026-05-01T00:00:00", "30 days": "2026-10-21T10:15:00", "2026-05-01T12:30:00+02:00": "2026-05-01T10:30:00"} {
			t.Run(argument+" "+given, func(t *testing.T) {
				result := commandstest.New(t).Run("microsoft-atp-list-vulnerabilities", map[string]any{argument: given})
				result.All()
				if got := result.Requests[0].Query.Get("$filter"); !strings.HasPrefix(got, property+" ge "+want) {
					t.Errorf("got %q, want %s since %s", got, property, want)
				}
			})
		}
	}
}

func TestArgumentsThatListsDoNotTake(t *testing.T) {
	tests := []struct {
		command string
		args    map[string]any
		want    string
	}{
		{"microsoft-atp-list-vulnerabilities", map[string]any{"cvss": "11"}, "cvss must be 10 or less"},
		{"microsoft-atp-list-vulnerabilities", map[string]any{"severity": "Awful"}, "severity must be one of"},
		{"microsoft-atp-list-vulnerabilities", map[string]any{"published_on": "soon"}, "published_on must be a date"},
		{"microsoft-atp-list-software", map[string]any{"offset": "-1"}, "offset must be 0 or more"},
		{"microsoft-atp-list-software-version-distribution", nil, "id is missing"},
		{"microsoft-atp-list-machines-by-software", nil, "id is missing"},
		{"microsoft-atp-list-vulnerabilities-by-software", nil, "id is missing"},
		{"microsoft-atp-list-missing-kb-by-software", nil, "id is missing"},
		{"microsoft-atp-list-machines-by-vulnerability", nil, "cve_id is missing"},
	}
	for _, test := range tests {
		t.Run(test.command+" "+test.want, func(t *testing.T) {
			result := commandstest.New(t).Run(test.command, test.args)
			result.WantFailure(test.want)
			result.WantAsked()
		})
	}
}

// Rows of the service with every key.
const (
	softwareRow = `{"id": "contoso-_-vpn", "name": "vpn", "vendor": "contoso", "weaknesses": 3, "publicExploit": true, "activeAlert": false,
		"exposedMachines": 0, "installedMachines": 12, "impactScore": 0.25, "isNormalized": true, "category": "Network", "distributions": ["7.0.2"]}`
	missingKBRow = `{"id": "4540673", "name": "March 2026 Security Updates", "osBuild": 19045, "productsNames": ["edge"],
		"url": "https://catalog.update.microsoft.com/v7/site/Search.aspx?q=KB4540673", "machineMissedOn": 240, "cveAddressed": 14}`
	machineCVERow = `{"id": "%s-_-%s", "cveId": "%[2]s", "machineId": "%[1]s", "fixingKbId": "3185911", "productName": "vpn",
		"productVendor": "contoso", "productVersion": "7.0", "severity": "Low"}`
	referenceRow = `{"id": "m%d", "computerDnsName": "ws-%[1]d", "osPlatform": "Windows11", "rbacGroupName": "Group A", "rbacGroupId": 9}`
	versionRow   = `{"version": "1.0", "installations": 3, "vulnerabilities": 0}`
)

func TestListSoftware(t *testing.T) {
	instance := commandstest.New(t)
	instance.Answer(http.MethodGet, "/api/Software", 200, list(softwareRow))
	entry := instance.Run("microsoft-atp-list-software", nil).Entry()
	entry.WantAt("MicrosoftATP.Software"+keyedByID, "["+softwareRow+"]")
	entry.WantRaw(list(softwareRow))
	entry.WantColumns("id", "name", "vendor", "weaknesses", "activeAlert", "exposedMachines", "installedMachines", "publicExploit")
}

func TestListsOfTheTenantAreCutAtTheLimit(t *testing.T) {
	for command, path := range map[string]string{
		"microsoft-atp-list-software":                   "MicrosoftATP.Software" + keyedByID,
		"microsoft-atp-list-vulnerabilities":            "MicrosoftATP.Vulnerability" + keyedByID,
		"microsoft-atp-list-vulnerabilities-by-machine": "MicrosoftATP.MachineCVE" + keyedByID,
	} {
		t.Run(command, func(t *testing.T) {
			instance := commandstest.New(t)
			first := instance.Run(command, map[string]any{"limit": 3}).All()
			first[len(first)-1].WantReadable("the service may have more.")
			rows := rowsAt(path, first)
			rest := rowsAt(path, instance.Run(command, map[string]any{"limit": 2, "offset": 1}).All())
			if len(rows) != 3 || !slices.Equal(rest, rows[1:]) {
				t.Errorf("after one row got %q, want %q", rest, rows[1:])
			}
		})
	}
}

// rowsAt returns the objects at a context path of several entries.
func rowsAt(path string, entries []commandstest.Entry) []string {
	var rows []string
	for _, entry := range entries {
		for _, row := range entry.At(path).Array() {
			rows = append(rows, row.Raw)
		}
	}
	return rows
}

func TestLimitsAboveTheLargestPage(t *testing.T) {
	for command, want := range map[string]string{
		"microsoft-atp-list-software":                   "10000",
		"microsoft-atp-list-vulnerabilities":            "8000",
		"microsoft-atp-list-vulnerabilities-by-machine": "10000",
	} {
		result := commandstest.New(t).Run(command, map[string]any{"limit": 20_000})
		result.All()
		if got := result.Requests[0].Query.Get("$top"); got != want {
			t.Errorf("%s: got %s, want pages of %s, the largest that Microsoft documents", command, got, want)
		}
	}
}

func TestSoftwareVersions(t *testing.T) {
	const first, second = "/api/Software/contoso-_-vpn/distributions", "/api/Software/google-_-chrome/distributions"
	instance := commandstest.New(t)
	instance.Answer(http.MethodGet, first, 200, list(versionRow))
	instance.Answer(http.MethodGet, second, 200, list(versionRow))

	one := instance.Run("microsoft-atp-list-software-version-distribution", map[string]any{"id": "contoso-_-vpn"})
	one.WantAsked("GET " + first)
	one.Entry().WantColumns("version", "installations", "vulnerabilities")
	one.Entry().WantRaw(list(versionRow))
	one.Entry().WantAt(versionsPath, `[{"version": "1.0", "installations": 3, "vulnerabilities": 0, "softwareId": "contoso-_-vpn"}]`)

	both := instance.Run("microsoft-atp-list-software-version-distribution", map[string]any{"id": "contoso-_-vpn,google-_-chrome"}).Entry()
	both.WantColumns("softwareId", "version", "installations", "vulnerabilities")
	both.WantAt(versionsPath, `[
		{"version": "1.0", "installations": 3, "vulnerabilities": 0, "softwareId": "contoso-_-vpn"},
		{"version": "1.0", "installations": 3, "vulnerabilities": 0, "softwareId": "google-_-chrome"}]`)
}

func TestMachinesWithSoftware(t *testing.T) {
	rows := func(numbers ...int) string {
		var texts []string
		for _, number := range numbers {
			texts = append(texts, fmt.Sprintf(referenceRow, number))
		}
		return "[" + strings.Join(texts, ",") + "]"
	}
	instance := commandstest.New(t)
	instance.Answer(http.MethodGet, "/api/Software/a-_-b/machineReferences", 200, `{"value": `+rows(1, 2)+`}`)
	instance.Answer(http.MethodGet, "/api/Software/c-_-d/machineReferences", 200, `{"value": `+rows(2, 3)+`}`)
	entry := instance.Run("microsoft-atp-list-machines-by-software", map[string]any{"id": "a-_-b,c-_-d"}).Entry()
	entry.WantColumns("id", "computerDnsName", "osPlatform", "rbacGroupName", "rbacGroupId")
	entry.WantAt("MicrosoftATP.SoftwareMachine"+keyedByID, rows(1, 2, 3))
	entry.WantRaw(`[{"value": ` + rows(1, 2) + `}, {"value": ` + rows(2, 3) + `}]`)
}

func TestSoftwareThatIsNotKnownDoesNotHideTheRest(t *testing.T) {
	for _, command := range []string{
		"microsoft-atp-list-software-version-distribution", "microsoft-atp-list-machines-by-software", "microsoft-atp-list-vulnerabilities-by-software",
	} {
		t.Run(command, func(t *testing.T) {
			instance := commandstest.New(t)
			entries := instance.Run(command, map[string]any{"id": "contoso-_-vpn,no-_-such"}).All()
			entries[len(entries)-1].WantReadable("Failed: 1", "no-_-such", "NotFound")
			if len(entries[0].Context) == 0 {
				t.Error("got none, want the context of the software that is known")
			}
			instance.Run(command, map[string]any{"id": "no-_-such"}).WantFailure("NotFound")
		})
	}
}

func TestMissingUpdatesOfSoftware(t *testing.T) {
	instance := commandstest.New(t)
	instance.Answer(http.MethodGet, "/api/Software/microsoft-_-edge/getmissingkbs", 200, list(missingKBRow))
	entry := instance.Run("microsoft-atp-list-missing-kb-by-software", map[string]any{"id": "microsoft-_-edge"}).Entry()
	entry.WantAt("MicrosoftATP.SoftwareKB"+keyedByID, "["+missingKBRow+"]")
	entry.WantColumns("id", "name", "osBuild", "productsNames", "url", "machineMissedOn", "cveAddressed")
}

// aVulnerability is a vulnerability of the service with every key.
func aVulnerability(id string) string {
	return `{"id": "` + id + `", "name": "` + id + `", "description": "a flaw", "severity": "High", "cvssV3": 8.10, "cvssVector": "CVSS:3.1/AV:N",
		"exposedMachines": 2, "publishedOn": "2026-05-17T22:56:00Z", "updatedOn": "2026-06-17T22:56:00Z", "firstDetected": "2026-05-18T00:00:00Z",
		"publicExploit": false, "exploitVerified": false, "exploitInKit": false, "exploitTypes": ["Local"], "exploitUris": ["https://exploits.example/"],
		"cveSupportability": "Supported", "epss": 0.632, "tags": ["ZeroDay"], "status": "Active"}`
}

func standardCVE(id string) string {
	return `{"ID": "` + id + `", "CVSS": {"Score": 8.10}, "Published": "2026-05-17T22:56:00Z", "Modified": "2026-06-17T22:56:00Z", "Description": "a flaw"}`
}

func scoreOfCVE(id string) string {
	return fmt.Sprintf(`{"Indicator": %q, "Type": "cve", "Vendor": %q, "Score": 0, "Reliability": %q}`, id, commandstest.Brand, reliability)
}

func TestVulnerabilitiesStandAtTheStandardPathAsWell(t *testing.T) {
	const first, second = "CVE-2026-0001", "CVE-2026-0002"
	rows := aVulnerability(first) + "," + aVulnerability(second)
	// Every vulnerability has an entry of its own.
	wantEntries := func(t *testing.T, entries []commandstest.Entry, path string, columns ...string) {
		t.Helper()
		if len(entries) != 2 {
			t.Fatalf("got %d, want an entry for each of two vulnerabilities", len(entries))
		}
		for i, id := range []string{first, second} {
			entries[i].WantAt(path+keyedByID, "["+aVulnerability(id)+"]")
			entries[i].WantAt(cvePath, "["+standardCVE(id)+"]")
			entries[i].WantAt(scorePath, "["+scoreOfCVE(id)+"]")
			entries[i].WantColumns(columns...)
		}
	}
	t.Run("of the tenant", func(t *testing.T) {
		instance := commandstest.New(t)
		instance.Answer(http.MethodGet, "/api/vulnerabilities", 200, list(rows))
		wantEntries(t, instance.Run("microsoft-atp-list-vulnerabilities", nil).All(), "MicrosoftATP.Vulnerability",
			"id", "name", "description", "severity", "publishedOn", "updatedOn", "exposedMachines", "exploitVerified", "publicExploit", "cvssV3")
	})
	t.Run("of software, where each is once", func(t *testing.T) {
		instance := commandstest.New(t)
		instance.Answer(http.MethodGet, "/api/Software/a-_-b/vulnerabilities", 200, list(rows))
		instance.Answer(http.MethodGet, "/api/Software/c-_-d/vulnerabilities", 200, list(aVulnerability(second)))
		wantEntries(t, instance.Run("microsoft-atp-list-vulnerabilities-by-software", map[string]any{"id": "a-_-b,c-_-d"}).All(), "MicrosoftATP.SoftwareCVE",
			"id", "name", "description", "severity", "cvssV3", "publishedOn", "updatedOn", "exposedMachines", "exploitVerified", "publicExploit")
	})
	t.Run("by machine", func(t *testing.T) {
		instance := commandstest.New(t)
		row := fmt.Sprintf(machineCVERow, "m1", first)
		instance.Answer(http.MethodGet, "/api/vulnerabilities/machinesVulnerabilities", 200, list(row))
		entry := instance.Run("microsoft-atp-list-vulnerabilities-by-machine", nil).Entry()
		entry.WantAt("MicrosoftATP.MachineCVE"+keyedByID, "["+row+"]")
		entry.WantColumns("id", "cveId", "machineId", "productName", "productVendor", "productVersion", "severity")
		entry.WantAt(cvePath, `[{"ID": "`+first+`"}]`)
		entry.WantAt(scorePath, "["+scoreOfCVE(first)+"]")
	})
	t.Run("none", func(t *testing.T) {
		instance := commandstest.New(t)
		instance.Answer(http.MethodGet, "/api/vulnerabilities", 200, `{"value": []}`)
		entry := instance.Run("microsoft-atp-list-vulnerabilities", nil).Entry()
		entry.WantReadable("No vulnerability matches.")
		if len(entry.Context) > 0 {
			t.Errorf("got %q, want no context", entry.Paths())
		}
	})
}

func TestMachinesByVulnerabilityJoinsTheRowsOfAMachine(t *testing.T) {
	const (
		first, second = "CVE-2026-0001", "tvm-2026-0002"
		one           = `{"id": "m1", "computerDnsName": "ws-001", "osPlatform": "Windows11", "rbacGroupId": 1, "rbacGroupName": "Group A"}`
		two           = `{"id": "m2", "computerDnsName": "ws-002", "osPlatform": "Linux", "rbacGroupId": 2, "rbacGroupName": null}`
	)
	instance := commandstest.New(t)
	instance.Answer(http.MethodGet, "/api/vulnerabilities/"+first+"/machineReferences", 200, `{"value": [`+one+","+two+`]}`)
	instance.Answer(http.MethodGet, "/api/vulnerabilities/"+second+"/machineReferences", 200, `{"value": [`+one+`]}`)
	entry := instance.Run("microsoft-atp-list-machines-by-vulnerability", map[string]any{"cve_id": first + "," + second}).Entry()
	entry.WantColumns("ID", "ComputerDNSName", "OSPlatform", "RBACGroupID", "RBACGroupName", "CVE")
	entry.WantAt("MicrosoftATP.CveMachine(val.ID && val.ID == obj.ID)", `[
		{"ID": "m1", "ComputerDNSName": "ws-001", "OSPlatform": "Windows11", "RBACGroupID": 1, "RBACGroupName": "Group A", "CVE": ["`+first+`", "`+second+`"]},
		{"ID": "m2", "ComputerDNSName": "ws-002", "OSPlatform": "Linux", "RBACGroupID": 2, "CVE": ["`+first+`"]}]`)
	entry.WantRaw(`[{"value": [` + one + "," + two + `]}, {"value": [` + one + `]}]`)
	entry.WantReadable(first + ", " + second)
}

func TestThrottledSoftwareIsAskedForAgain(t *testing.T) {
	instance := commandstest.New(t)
	// Both are asked for at once, and the one that comes second is refused.
	instance.Tenant.Script(simulator.Fault{
		Kind: simulator.KindAPI, Path: "/api/Software/*/machineReferences", Status: 429, RetryAfter: 10 * time.Minute, After: 1,
	})
	instance.Answer(http.MethodGet, "/api/Software/a-_-b/machineReferences", 200, `{"value": [{"id": "m1"}]}`)
	instance.Answer(http.MethodGet, "/api/Software/c-_-d/machineReferences", 200, `{"value": [{"id": "m2"}]}`)
	entry := instance.Run("microsoft-atp-list-machines-by-software", map[string]any{"id": "a-_-b,c-_-d"}).Entry()
	got := entry.At("MicrosoftATP.SoftwareMachine" + keyedByID)
	later := map[string]string{"m1": "c-_-d", "m2": "a-_-b"}[got.Get("0.id").Str]
	if got.Get("#").Int() != 1 || later == "" || entry.Poll == nil || entry.Poll.Args["id"] != later {
		t.Errorf("got %s and %+v later, want the machines of the one, and the other to be asked for later", got, entry.Poll)
	}
}
