package commands_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
)

// What customers of the deployed integration rely on beyond the recorded cases.

// at returns what an entry puts at a context path, whatever the condition behind it.
func at(entry commandstest.Entry, path string) gjson.Result {
	for _, full := range entry.Paths() {
		if bare, _, _ := strings.Cut(full, "("); bare == path {
			return entry.At(full)
		}
	}
	return gjson.Result{}
}

func TestLastRunsOfTheDeployedIntegration(t *testing.T) {
	for _, test := range []struct{ name, lastRun, since string }{
		{"with a zone", `{"last_alert_fetched_time":"2026-11-20T10:01:00.123456Z"}`, "2026-11-20T10:01:00.123457Z"},
		{"without a zone", `{"last_alert_fetched_time":"2026-11-20T10:01:00.123456"}`, "2026-11-20T10:01:00.123457Z"},
		{"with seconds", `{"last_alert_fetched_time":"2026-11-20T10:01:00"}`, "2026-11-20T10:01:00.000001Z"},
		{"with the alerts of the last second", `{"last_alert_fetched_time":"2026-11-20T10:01:00","existing_ids":["da1"]}`, "2026-11-20T10:01:00Z"},
		{"with no alerts of the last second", `{"last_alert_fetched_time":"2026-11-20T10:01:00Z","existing_ids":[]}`, "2026-11-20T10:01:00.000001Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := commandstest.New(t)
			i.Answer(http.MethodGet, "/api/alerts", http.StatusOK, list(
				`{"id":"da0","title":"handed over","severity":"Low","alertCreationTime":"2026-11-20T09:59:00Z"}`,
				`{"id":"da1","title":"known","severity":"Low","alertCreationTime":"2026-11-20T10:01:00.7Z"}`,
				`{"id":"da2","title":"new","severity":"High","alertCreationTime":"2026-11-20T10:02:00Z"}`,
			))
			if err := i.Host.SetLastRun(t.Context(), []byte(test.lastRun)); err != nil {
				t.Fatal(err)
			}
			result := i.Run("fetch-incidents", nil)
			incidents := gjson.Parse(result.Entry().Raw().String())
			asked := i.Tenant.Requests()
			if got := asked[len(asked)-1].Query.Get("$filter"); !strings.Contains(got, "ge "+test.since) {
				t.Errorf("got the filter %s, want one since %s", got, test.since)
			}
			if got, want := incidents.Get("#(dbotMirrorId==da2).name").String(), "Microsoft Defender ATP Alert da2: new"; got != want {
				t.Errorf("got the name %q, want %q, in %s", got, want, incidents.Raw)
			}
			if strings.Contains(incidents.Raw, "da0") {
				t.Errorf("got %s, want no alert older than the last run", incidents.Raw)
			}
			known := strings.Contains(incidents.Raw, "da1")
			if repeated := strings.Contains(test.lastRun, "da1"); known == repeated {
				t.Errorf("got %s, want the alert of the last second only if it was not handed over", incidents.Raw)
			}
		})
	}
}

func TestVerdictsOnFiles(t *testing.T) {
	const sha1 = "327ed5f79a8b22e4763e5deca517ed8a9801a44e"
	for _, test := range []struct {
		determination string
		score         int64
		malicious     bool
	}{
		{`"Clean"`, 1, false}, {`"Unknown"`, 0, false}, {`null`, 0, false}, {`""`, 0, false}, {`"Malware"`, 3, true}, {`"PUA"`, 3, true},
	} {
		i := commandstest.New(t)
		i.Answer(http.MethodGet, "/api/files/"+sha1, http.StatusOK, `{"sha1":"`+sha1+`","determinationType":`+test.determination+`,"determinationValue":"v"}`)
		entry := i.Run("file", map[string]any{"file": sha1}).Entry()
		if got := at(entry, "DBotScore").Get("0.Score").Int(); got != test.score {
			t.Errorf("%s: got the score %d, want %d", test.determination, got, test.score)
		}
		if got := at(entry, "File").Get("0.Malicious.Vendor").Exists(); got != test.malicious {
			t.Errorf("%s: got malicious %t, want %t", test.determination, got, test.malicious)
		}
	}
}

func TestEveryFileHasAnEntryWhateverHappensToTheOthers(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/files/"+aSHA1, http.StatusOK, fullFile)
	i.Answer(http.MethodGet, "/api/files/"+anMD5, http.StatusBadRequest, `{"error":{"code":"InvalidInput","message":"no MD5"}}`)
	entries := i.Run("file", map[string]any{"file": []string{anMD5, unseenSHA1, aSHA1}}).All()
	if len(entries) != 3 {
		t.Fatalf("got %d entries, want one for each hash", len(entries))
	}
	entries[0].WantReadable(anMD5, "no MD5")
	entries[1].WantReadable(unseenSHA1, "not known")
	for n, want := range map[int]string{0: anMD5, 1: unseenSHA1, 2: aSHA1} {
		score := at(entries[n], "DBotScore").Get("0")
		if score.Get("Indicator").String() != want || score.Get("Vendor").String() != "Microsoft Defender ATP" {
			t.Errorf("got the score %s, want one of %s", score.Raw, want)
		}
	}
}

func TestStatesOfSensors(t *testing.T) {
	for state, want := range map[string]string{
		"Active": "Online", "ImpairedCommunication": "Online", "NoSensorData": "Online", "NoSensorDataImpairedCommunication": "Online",
		"Inactive": "Offline", "Unknown": "", "Something new": "",
	} {
		i := commandstest.New(t)
		i.Answer(http.MethodGet, "/api/machines", http.StatusOK, list(`{"id":"m1","computerDnsName":"ws","healthStatus":"`+state+`","version":"22H2","osProcessor":"64-bit"}`))
		endpoint := at(i.Run("endpoint", map[string]any{"id": "m1"}).Entry(), "Endpoint").Get("0")
		if got := endpoint.Get("Status").String(); got != want {
			t.Errorf("%s: got the status %q, want %q", state, got, want)
		}
		if got, want := endpoint.Get("OSVersion").String(), "22H2 64-bit"; got != want {
			t.Errorf("got the version %q, want %q", got, want)
		}
	}
}

func TestEndpointsShowTheWholeAnswerOnlyIfItIsSmall(t *testing.T) {
	for machines, want := range map[int]int{1: 1, 50: 50, 51: 1} {
		var all []string
		for n := range machines {
			all = append(all, fmt.Sprintf(`{"id":"m%d","computerDnsName":"ws"}`, n))
		}
		i := commandstest.New(t)
		i.Answer(http.MethodGet, "/api/machines", http.StatusOK, list(all...))
		entries := i.Run("endpoint", map[string]any{"hostname": "ws"}).All()
		if len(entries) != machines {
			t.Fatalf("got %d entries for %d machines, want one for each", len(entries), machines)
		}
		for _, entry := range entries {
			if got := len(entry.Raw().Get("value").Array()); got != want {
				t.Fatalf("%d machines: got %d of them in an entry, want %d", machines, got, want)
			}
		}
	}
}

func TestAQuarantineShowsThePairsThatFailed(t *testing.T) {
	i := commandstest.New(t)
	machine := i.Tenant.MachineIDs()[0]
	entry := i.Run("microsoft-atp-stop-and-quarantine-file", map[string]any{
		"machine_id": machine + ",none", "file_hash": aSHA1, "comment": "ticket 4711",
	}).Entry()
	failed := at(entry, "MicrosoftATP.MachineAction").Get("1")
	if failed.Get("Status").String() != "Failed" || failed.Get("MachineID").String() != "none" || failed.Get("RelatedFileInfo.FileIdentifier").String() != aSHA1 {
		t.Errorf("got %s, want the pair that failed", failed.Raw)
	}
	for _, polling := range []bool{false, true} {
		entry = i.Run("microsoft-atp-stop-and-quarantine-file", map[string]any{
			"machine_id": "none,nobody", "file_hash": aSHA1, "comment": "ticket 4711", "polling": polling,
		}).Entry()
		entry.WantReadable("Failed: 2", "NotFound")
		if got := at(entry, "MicrosoftATP.MachineAction"); got.Get("#").Int() != 2 || got.Get("1.Status").String() != "Failed" || entry.Poll != nil {
			t.Errorf("got %s and the next run %v, want two pairs that failed and no next run", got.Raw, entry.Poll)
		}
	}
}

// TestAQuarantineThatIsWaitedForIsOneList looks at actions of which one runs, and at ones that have all ended, none of them well.
func TestAQuarantineThatIsWaitedForIsOneList(t *testing.T) {
	look := func(second string) commandstest.Entry {
		i := commandstest.New(t)
		for id, status := range map[string]string{"a1": "Failed", "a2": second} {
			i.Answer("GET", "/api/machineactions/"+id, 200, `{"id":"`+id+`","type":"StopAndQuarantineFile","machineId":"m-`+id+`","status":"`+status+`"}`)
		}
		return i.Run("microsoft-atp-stop-and-quarantine-file", map[string]any{
			"machine_id": "m-a1,m-a2", "file_hash": aSHA1, "comment": "ticket 4711", "polling": true, "action_ids": []string{"a1", "a2"},
		}).Entry()
	}
	entry := look("InProgress")
	if entry.Poll == nil || !slices.Equal(entry.Poll.Args["action_ids"].([]string), []string{"a1", "a2"}) || entry.Context != nil {
		t.Fatalf("got %q and the next run %v, want only a next run for a1 and a2", entry.Readable(), entry.Poll)
	}
	entry = look("TimeOut")
	entry.WantReadable("Failed: 2", "ended as Failed", "ended as TimeOut")
	if got := at(entry, "MicrosoftATP.MachineAction"); got.Get("0.ID").String() != "a1" || got.Get("1.Status").String() != "TimeOut" || entry.Poll != nil {
		t.Errorf("got %s and the next run %v, want both actions and no next run", got.Raw, entry.Poll)
	}
}

func TestAnIsolationThatIsRefusedNamesTheOtherKind(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodPost, "/api/machines/m1/isolate", http.StatusBadRequest, `{"error":{"code":"InvalidInput","message":"Machine m1 is not onboarded."}}`)
	args := map[string]any{"machine_id": "m1", "comment": "c", "isolation_type": "Full"}
	i.Run("microsoft-atp-isolate-machine", args).WantFailure("is not onboarded", "isolation_type=UnManagedDevice")
	for _, code := range []string{"ActiveRequestAlreadyExists", "OsPlatformNotSupported", "ClientVersionNotSupported"} {
		i := commandstest.New(t)
		i.Answer(http.MethodPost, "/api/machines/m1/isolate", http.StatusBadRequest, `{"error":{"code":"`+code+`","message":"no"}}`)
		i.Answer(http.MethodGet, "/api/machineactions", http.StatusOK, list())
		got := i.Run("microsoft-atp-isolate-machine", args).Failure()
		if strings.Contains(got, "UnManagedDevice") || strings.Contains(got, "session") {
			t.Errorf("%s: got %q, want no word about devices that are not onboarded, or about sessions", code, got)
		}
	}
}

func TestTheTestButtonNeverUsesALogInUp(t *testing.T) {
	i := commandstest.New(t)
	i.Params = i.Tenant.Instance("authorization-code")
	result := i.Run("test-module", nil)
	result.WantFailure("!microsoft-atp-test", "!microsoft-atp-generate-login-url")
	if asked := i.Tenant.Requests(); len(asked) > 0 {
		t.Errorf("got the requests %v, want none", asked)
	}
}

func TestAFilterThatCannotBeReadStopsTheFetchAndTheTestAlone(t *testing.T) {
	i := commandstest.New(t)
	i.Params["fetch_detectionsource"] = "Carrier pigeon"
	for _, command := range []string{"fetch-incidents", "test-module"} {
		i.Run(command, nil).WantFailure("Alert detection sources to fetch")
	}
	i.Run("microsoft-atp-get-machines", nil).Entry()
}

// TestWhatTheServiceLeavesEmptyIsNotInTheContext is for the commands of which playbooks know it: null, empty texts and empty lists
// are left out, while false and 0 stay.
func TestWhatTheServiceLeavesEmptyIsNotInTheContext(t *testing.T) {
	for command, test := range map[string]struct{ path, answer, want string }{
		"microsoft-atp-get-machine-software": {
			"MicrosoftATP.Software", `{"value":[{"id":"a-_-b","vendor":"","category":null,"distributions":[],"weaknesses":0,"publicExploit":false}]}`,
			`[{"ID":"a-_-b","Weaknesses":0,"Weakness":0,"PublicExploit":false}]`,
		},
		"microsoft-atp-get-machine-missing-kbs": {
			"MicrosoftATP.PublicProductFix", `{"value":[{"id":"1","name":"","productsNames":[],"cveAddressed":0}]}`, `[{"ID":"1","CVEAddressed":0}]`,
		},
		"microsoft-atp-get-machine-vulnerabilities": {
			"MicrosoftATP.PublicVulnerability", `{"value":[{"id":"CVE-1","description":"","tags":[],"exploitUris":[],"epss":0}]}`, `[{"ID":"CVE-1","EPSS":0}]`,
		},
		"file": {"MicrosoftATP.File", `{"sha1":"` + aSHA1 + `","signer":"","size":0,"isPeFile":false}`, `{"Sha1":"` + aSHA1 + `","Size":0,"SizeInBytes":0,"IsPeFile":false}`},
	} {
		i := commandstest.New(t)
		i.Answer("GET", "/api/", http.StatusOK, test.answer)
		entry := i.Run(command, map[string]any{"machine_id": "m1", "file": aSHA1}).Entry()
		commandstest.WantJSON(t, command, at(entry, test.path).Raw, test.want)
	}
}
