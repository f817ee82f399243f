package commands

import (
	"slices"
	"testing"

	"xsoar-defender/internal/rawjson"
)

func TestDomainsOfURLs(t *testing.T) {
	for text, want := range map[string]string{
		"https://WWW.Example.com:8443/a?b": "www.example.com", "www.example.com/a": "www.example.com", "http://192.0.2.1/a": "", "[2001:db8::1]:80/a": "",
		"http://localhost/a": "", "http://user@host.example/": "host.example", "": "", "http://[::1": "",
	} {
		if got := domainOf(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestNamesOfAccounts(t *testing.T) {
	for text, want := range map[string]string{
		`{"userPrincipalName":"nora@contoso.example","accountName":"nora","domainName":"contoso"}`: "nora@contoso.example",
		`{"accountName":"nora","domainName":"contoso"}`:                                            `contoso\nora`,
		`{"accountName":"nora"}`:   "nora",
		`{"domainName":"contoso"}`: "",
		`{}`:                       "",
	} {
		if got := accountName(rawjson.Value(text)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestFilesOfAnIncidentAreShownOnce(t *testing.T) {
	s := &incidentSummary{}
	for _, file := range []string{
		`{"fileName":"a.exe","filePath":"c:\\x","sha1":"1"}`, `{"fileName":"a.exe","filePath":"c:\\y","sha1":"1"}`, `{"fileName":"a.exe","sha1":"2"}`,
		`{"fileName":"b.exe","sha1":"1"}`, `{"fileName":"a.exe","sha1":"1","sha256":"3"}`, `{"filePath":"c:\\z"}`, `{"sha256":"4"}`,
	} {
		s.addFile(rawjson.Value(file), "malicious")
	}
	var got []string
	for _, file := range s.Files {
		got = append(got, file.Name+"|"+file.Path+"|"+file.SHA1+"|"+file.SHA256)
	}
	if want := []string{`a.exe|c:\x|1|`, "a.exe||2|", "b.exe||1|", "a.exe||1|3", "|||4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want each file once: %q", got, want)
	}
}

// TestTheWorstVerdictOfTheEvidenceCounts has an address that two alerts judge differently, and a file that is the image of a process.
func TestTheWorstVerdictOfTheEvidenceCounts(t *testing.T) {
	got := evidenceVerdicts([]rawjson.Value{
		`{"evidence":[{"verdict":"malicious","ipAddress":"192.0.2.1"},{"verdict":"Suspicious","imageFile":{"sha1":"AB"}},{"verdict":"suspicious","url":"http://A.example"}]}`,
		`{"evidence":[{"verdict":"suspicious","ipAddress":"192.0.2.1"},{"verdict":"noThreatsFound","ipAddress":"192.0.2.2"},{"verdict":"Malicious","fileDetails":{"sha256":"CD"}}]}`,
	})
	for indicator, want := range map[string]verdict{
		"192.0.2.1": verdictBad, "192.0.2.2": verdictUnknown, "ab": verdictSuspicious, "cd": verdictBad, "http://a.example": verdictSuspicious, "another": verdictUnknown,
	} {
		if got[indicator] != want {
			t.Errorf("%s: got the verdict %v, want %v", indicator, got[indicator], want)
		}
	}
}

// TestAlertsNameTheirFirstMachine leaves out evidence of other kinds, and machines without a name.
func TestAlertsNameTheirFirstMachine(t *testing.T) {
	const device = `{"@odata.type":"#microsoft.graph.security.deviceEvidence",`
	for evidence, want := range map[string]string{
		``: "", `{"@odata.type":"#microsoft.graph.security.fileEvidence","hostName":"no"}`: "",
		device + `"hostName":"ws-1"},` + device + `"hostName":"ws-2"}`: "ws-1", device + `"mdeDeviceId":"m1"},` + device + `"deviceDnsName":"ws-2"}`: "ws-2",
	} {
		if got := alertRows([]rawjson.Value{rawjson.Value(`{"id":"da1","evidence":[` + evidence + `]}`)})[0].Machine; got != want {
			t.Errorf("%s: got the machine %q, want %q", evidence, got, want)
		}
	}
}

// TestTheIndexOfACommand is the service's where it has one, and else the position.
func TestTheIndexOfACommand(t *testing.T) {
	for command, want := range map[rawjson.Value]string{`{"index":3}`: "3", `{"index":0}`: "0", `{"index":-1}`: "7", `{"index":"3"}`: "7", `{}`: "7"} {
		if got := indexOf(command, 7); got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
	}
}

// TestTheLayoutOfAnIncidentHasEveryList shows empty lists, and that an incident was merged.
func TestTheLayoutOfAnIncidentHasEveryList(t *testing.T) {
	for incident, status := range map[rawjson.Value]string{`{"id":"7","status":"active"}`: statusNew, `{"id":"7","status":"resolved","redirectIncidentId":"8"}`: statusRedirected} {
		got := extended(incident, func(string) bool { return false }, summaryKeys(incident, incidentSummary{})...)
		if got.Text("summary_status") != status {
			t.Errorf("%s: got the status %q, want %q", incident, got.Text("summary_status"), status)
		}
		for _, list := range []string{"summary_devices", "summary_users", "summary_files"} {
			if raw := got.Key(list).Raw; raw != "[]" {
				t.Errorf("%s: got %s %s, want an empty list", incident, list, raw)
			}
		}
	}
}
