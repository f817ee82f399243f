package commands_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// Hashes of files.
const (
	unseenSHA1  = "0000000000000000000000000000000000000000"
	otherSHA1   = "4388963aaa83afe2042a46a3c017ad50bdcdafb3"
	aSHA256     = "413c58c8267d2c8648d8f6384bacc2ae9c929b2b96578b6860b5087cd1bd6462"
	anMD5       = "45309707b56e597de8c802214540cea4"
	fileInfo    = "microsoft-atp-get-file-info"
	fileMachine = "microsoft-atp-get-file-related-machines"
)

// seenFile is the context path of files with the key part that playbooks know.
const seenFile = "File(val.SHA1 && val.SHA1 == obj.SHA1 || val.SHA256 && val.SHA256 == obj.SHA256 || " +
	"val.Type && val.Type == obj.Type || val.Size && val.Size == obj.Size )"

// What belongs to an entity is in the context under a key next to the entity itself.
func TestWhatBelongsToOneThing(t *testing.T) {
	const (
		alerts = "Title,Description,IncidentID,Severity,Status,Classification,Category,ThreatFamilyName,MachineID"
		// machines and the columns of alerts come after the ID.
		machines = "ComputerDNSName,OSPlatform,LastIPAddress,LastExternalIPAddress,HealthStatus,RiskScore,ExposureLevel"
	)
	for _, test := range []struct {
		command, argument, name, asked string
		path, about, under, columns    string
	}{
		{"file-alerts", "file_hash", aSHA1, "files/" + aSHA1 + "/alerts", "FileAlert", "Sha1", "Alerts", alerts},
		{"domain-alerts", "domain", "bad.example", "domains/bad.example/alerts", "DomainAlert", "Domain", "Alerts", alerts},
		{"ip-alerts", "ip", "198.51.100.1", "ips/198.51.100.1/alerts", "IPAlert", "IPAddress", "Alerts", alerts},
		{"user-alerts", "username", "nora", "users/nora/alerts", "UserAlert", "Username", "Alerts", alerts},
		{"domain-machines", "domain", "bad.example", "domains/bad.example/machines", "DomainMachine", "Domain", "Machines", machines},
		{"user-machines", "username", "nora", "users/nora/machines", "UserMachine", "Username", "Machines", machines},
	} {
		t.Run(test.command, func(t *testing.T) {
			command, args := "microsoft-atp-get-"+test.command, map[string]any{test.argument: test.name}
			path := fmt.Sprintf("MicrosoftATP.%s(val.%s === obj.%[2]s)", test.path, test.about)
			object := map[string]string{"Alerts": fullAlert, "Machines": fullMachine}[test.under]

			i := commandstest.New(t)
			i.Answer(http.MethodGet, "/api/"+test.asked, http.StatusOK, list(object))
			result := i.Run(command, args)
			result.WantAsked("GET /api/" + test.asked)
			entry := result.Entry()
			entry.WantColumns(strings.Split("ID,"+test.columns, ",")...)
			entry.WantRaw(list(object))
			found := entry.At(path)
			if about, id := found.Get(test.about).Str, found.Get(test.under+".0.ID").Str; about != test.name || (id != "da1" && id != "m1") {
				t.Errorf("got %s, want the object of %s", found.Raw, test.name)
			}

			none := commandstest.New(t)
			none.Answer(http.MethodGet, "/api/"+test.asked, http.StatusOK, list())
			none.Run(command, args).Entry().WantAt(path, fmt.Sprintf(`{%q:%q,%q:[]}`, test.about, test.name, test.under))
		})
	}
}

// The manifest has always declared these in addition to the right keys.
func TestPathsThatSlipped(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/users/nora/machines", http.StatusOK, list(fullMachine))
	i.Answer(http.MethodGet, "/api/files/"+aSHA1+"/machines", http.StatusOK, list(fullMachine))
	i.Run("microsoft-atp-get-user-machines", map[string]any{"username": "nora"}).Entry().
		WantAt("MicrosoftATP.v.Machines", `[{"LastIPAddress":"10.2.0.17"}]`)
	machine := i.Run(fileMachine, map[string]any{"file_hash": aSHA1}).Entry().At("MicrosoftATP.FileMachine").Get("0.Machines.0")
	if got := machine.Get("HelathStatus").Str; got != "Active" || got != machine.Get("HealthStatus").Str {
		t.Errorf("got %s, want HelathStatus to be the same as HealthStatus", machine.Raw)
	}
}

func TestStatistics(t *testing.T) {
	for _, test := range []struct {
		name, command, argument, id, asked, answer string
		path, want                                 string
		columns                                    string
	}{
		{
			"a file, as the service answered once", "file-statistics", "file_hash", aSHA1, "files/" + aSHA1,
			`{"sha1":"` + aSHA1 + `","orgPrevalence":"14850","organizationPrevalence":14850,"orgFirstSeen":"2026-01-30T13:23:48Z","orgLastSeen":"2026-11-01T13:09:05Z",
				"globalPrevalence":"705012","globallyPrevalence":705012,"globalFirstObserved":"2018-03-19T12:20:49Z","globalLastObserved":"2026-11-05T20:42:35Z","topFileNames":["a.exe","x|y.exe"]}`,
			"FileStatistics(val.Sha1 === obj.Sha1)",
			`{"Sha1":"` + aSHA1 + `","Statistics":{"OrgPrevalence":"14850","OrgFirstSeen":"2026-01-30T13:23:48Z","OrgLastSeen":"2026-11-01T13:09:05Z","GlobalPrevalence":"705012","OrganizationPrevalence":14850,"GloballyPrevalence":705012,
				"GlobalFirstObserved":"2018-03-19T12:20:49Z","GlobalLastObserved":"2026-11-05T20:42:35Z","TopFileNames":["a.exe","x|y.exe"]}}`,
			"GlobalFirstObserved,GlobalLastObserved,GlobalPrevalence,GloballyPrevalence,OrgFirstSeen,OrgLastSeen,OrgPrevalence,OrganizationPrevalence,TopFileNames",
		},
		{
			"a file, as Microsoft documents the answer", "file-statistics", "file_hash", aSHA256, "files/" + aSHA256,
			`{"sha1":"` + aSHA1 + `","organizationPrevalence":14850,"globallyPrevalence":705012}`,
			"FileStatistics(val.Sha1 === obj.Sha1)",
			`{"Sha1":"` + aSHA256 + `","Statistics":{"OrgPrevalence":"14850","GlobalPrevalence":"705012","OrganizationPrevalence":14850,"GloballyPrevalence":705012}}`,
			"GlobalPrevalence,GloballyPrevalence,OrgPrevalence,OrganizationPrevalence",
		},
		{
			"a domain", "domain-statistics", "domain", "bad.example", "domains/bad.example",
			`{"host":"bad.example","organizationPrevalence":4070,"orgFirstSeen":"2026-01-30T13:23:48Z","orgLastSeen":"2026-11-01T13:09:05Z"}`,
			"DomainStatistics(val.Domain === obj.Domain)",
			`{"Domain":"bad.example","Statistics":{"Host":"bad.example","OrgPrevalence":"4070","OrgFirstSeen":"2026-01-30T13:23:48Z","OrgLastSeen":"2026-11-01T13:09:05Z"}}`,
			"Host,OrgFirstSeen,OrgLastSeen,OrgPrevalence",
		},
		{
			"an address that nobody reached", "ip-statistics", "ip", "2001:db8::1", "ips/2001:db8::1",
			`{"ipAddress":"2001:db8::1","organizationPrevalence":0,"orgFirstSeen":null,"orgLastSeen":null}`,
			"IPStatistics(val.IPAddress === obj.IPAddress)",
			`{"IPAddress":"2001:db8::1","Statistics":{"IPAddress":"2001:db8::1","OrgPrevalence":"0"}}`,
			"IPAddress,OrgPrevalence",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := commandstest.New(t)
			i.Answer(http.MethodGet, "/api/"+test.asked+"/stats", http.StatusOK, test.answer)
			result := i.Run("microsoft-atp-get-"+test.command, map[string]any{test.argument: test.id})
			result.WantAsked("GET /api/" + test.asked + "/stats")
			entry := result.Entry()
			entry.WantAt("MicrosoftATP."+test.path, test.want)
			entry.WantRaw(test.answer)
			entry.WantColumns(strings.Split(test.columns, ",")...)
		})
	}
}

func TestStatisticsOfAnUnseenFile(t *testing.T) {
	result := commandstest.New(t).Run("microsoft-atp-get-file-statistics", map[string]any{"file_hash": unseenSHA1})
	result.WantFailure("Not found: the service has not seen " + unseenSHA1)
	result.WantAsked("GET /api/files/" + unseenSHA1 + "/stats")
}

// The service finds alerts and machines of a file only by SHA-1, and its information and statistics by SHA-1 or
// SHA-256.
func TestHashesThatTheServiceTakes(t *testing.T) {
	hashes := map[string]string{"SHA-1": aSHA1, "upper case": strings.ToUpper(aSHA1), "SHA-256": aSHA256, "MD5": anMD5, "no hash": "evil.exe"}
	sha1, both := []string{"SHA-1", "upper case"}, []string{"SHA-1", "upper case", "SHA-256"}
	for _, test := range []struct {
		command, argument string
		taken             []string
		wanted            string
	}{
		{fileInfo, "hash", both, "hash must be a SHA-1 hash or a SHA-256 hash, but "},
		{"microsoft-atp-get-file-statistics", "file_hash", both, "file_hash must be a SHA-1 hash or a SHA-256 hash, but "},
		{"microsoft-atp-get-file-alerts", "file_hash", sha1, "file_hash must be a SHA-1 hash, but "},
		{fileMachine, "file_hash", sha1, "file_hash must be a SHA-1 hash, but "},
	} {
		for kind, hash := range hashes {
			t.Run(test.command+" "+kind, func(t *testing.T) {
				i := commandstest.New(t)
				i.Answer(http.MethodGet, "/api/files/", http.StatusOK, strings.TrimSuffix(strings.TrimSpace(fullFile), "}")+`,"value":[]}`)
				result := i.Run(test.command, map[string]any{test.argument: hash})
				if strings.Contains(strings.Join(test.taken, ","), kind) {
					result.Entry()
					return
				}
				result.WantFailure(test.wanted, hash)
				result.WantAsked()
			})
		}
	}
}

// One invalid hash keeps nobody from the others, and every invalid hash is named.
func TestSeveralWrongHashes(t *testing.T) {
	for command, argument := range map[string]string{fileInfo: "hash", fileMachine: "file_hash"} {
		t.Run(command, func(t *testing.T) {
			i := commandstest.New(t)
			i.Answer(http.MethodGet, "/api/files/"+aSHA1, http.StatusOK, fullFile)
			i.Answer(http.MethodGet, "/api/files/"+aSHA1+"/machines", http.StatusOK, list(fullMachine))
			entry := i.Run(command, map[string]any{argument: []string{aSHA1, anMD5, "evil.exe"}}).Entry()
			entry.WantReadable(anMD5, "is an MD5 hash", "evil.exe", "is not a hash", aSHA1)
		})
	}
}

func TestNamesThatTheServiceWouldRefuse(t *testing.T) {
	for _, test := range []struct{ command, argument, value, want string }{
		{"domain-statistics", "domain", "https://bad.example/x", "domain must be a domain name"},
		{"domain-alerts", "domain", "bad example", "domain must be a domain name"},
		{"domain-machines", "domain", "198.51.100.1", "domain must be a domain name"},
		{"ip-statistics", "ip", "198.51.100.0/24", "ip must be a single IP address"},
		{"ip-alerts", "ip", "bad.example", "ip must be a single IP address"},
		{"user-alerts", "username", `CONTOSO\`, "username must contain an account name"},
		{"user-machines", "username", "@contoso.example", "username must contain an account name"},
	} {
		t.Run(test.command+" "+test.value, func(t *testing.T) {
			result := commandstest.New(t).Run("microsoft-atp-get-"+test.command, map[string]any{test.argument: test.value})
			result.WantFailure(test.want)
			result.WantAsked()
		})
	}
}

// The service finds users by account name and not by user principal name.
func TestUsersAreAskedForByAccountName(t *testing.T) {
	for given, name := range map[string]string{
		"nora": "nora", `CONTOSO\nora`: "nora", "nora@contoso.example": "nora", `CONTOSO\nora@contoso.example`: "nora", "o neil/x?": "o neil/x?",
	} {
		for _, what := range []string{"alerts", "machines"} {
			t.Run(given+" "+what, func(t *testing.T) {
				result := commandstest.New(t).Run("microsoft-atp-get-user-"+what, map[string]any{"username": given})
				path := "MicrosoftATP." + map[string]string{"alerts": "UserAlert", "machines": "UserMachine"}[what] + "(val.Username === obj.Username)"
				if got := result.Entry().At(path).Get("Username").Str; got != name {
					t.Errorf("got %q, want the user %q in the context", got, name)
				}
				result.WantAsked("GET /api/users/" + name + "/" + what)
			})
		}
	}
}

func TestFileInfoShowsFilesInTheOrderAsked(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/files/"+aSHA1, http.StatusOK, fullFile)
	i.Answer(http.MethodGet, "/api/files/"+otherSHA1, http.StatusOK, `{"sha1":"`+otherSHA1+`","sha256":"`+aSHA256+`","size":7,"fileType":null}`)
	entry := i.Run(fileInfo, map[string]any{"hash": aSHA1 + "," + otherSHA1}).Entry()
	entry.WantAt("MicrosoftATP.File(val.Sha1 === obj.Sha1)", `[
		{"Sha1":"`+aSHA1+`","Size":22139496,"Sha256":"`+aSHA256+`","Md5":"e05917b2b5c5b2b5c5b2b5c5b2b5c5b2","MD5":"e05917b2b5c5b2b5c5b2b5c5b2b5c5b2",
		"GlobalPrevalence":180022,"GlobalFirstObserved":"2017-09-19T03:51:27Z","GlobalLastObserved":"2026-11-06T16:59:16Z","SizeInBytes":22139496,"FileType":"APP",
		"IsPeFile":true,"FilePublisher":"p","FileProductName":"n","Signer":"s","Issuer":"i","SignerHash":"h","IsValidCertificate":true,"DeterminationType":"Malware","DeterminationValue":"v"},
		{"Sha1":"`+otherSHA1+`","Size":7,"Sha256":"`+aSHA256+`","SizeInBytes":7}]`)
	entry.WantAt(seenFile, `[
		{"Sha1":"`+aSHA1+`","Sha256":"`+aSHA256+`","SHA1":"`+aSHA1+`","SHA256":"`+aSHA256+`","MD5":"e05917b2b5c5b2b5c5b2b5c5b2b5c5b2","Type":"APP","Size":22139496},
		{"Sha1":"`+otherSHA1+`","Sha256":"`+aSHA256+`","SHA1":"`+otherSHA1+`","SHA256":"`+aSHA256+`","Size":7}]`)
	entry.WantColumns("Sha1", "Sha256", "Size", "FileType", "Signer", "IsValidCertificate")
}

// That a file was never seen is a result, even if it is the only one.
func TestFileInfoOfUnseenFiles(t *testing.T) {
	const broken = "1111111111111111111111111111111111111111"
	start := func(t *testing.T) *commandstest.Instance {
		i := commandstest.New(t)
		i.Answer(http.MethodGet, "/api/files/"+aSHA1, http.StatusOK, fullFile)
		i.Answer(http.MethodGet, "/api/files/"+broken, http.StatusForbidden, `{"error":{"code":"Forbidden","message":"no"}}`)
		return i
	}
	for _, test := range []struct {
		name         string
		hashes       []string
		says, silent []string
		files        int64
	}{
		{"one alone", []string{unseenSHA1}, []string{"Not found: the service has not seen " + unseenSHA1 + "."}, []string{"Failed"}, 0},
		{"several alone", []string{unseenSHA1, otherSHA1}, []string{"Not found: the service has not seen " + unseenSHA1 + ", " + otherSHA1 + "."}, []string{"Failed"}, 0},
		{"among others", []string{unseenSHA1, aSHA1}, []string{"Not found: the service has not seen " + unseenSHA1 + ".", aSHA1}, []string{"Failed"}, 1},
		{"with a failure", []string{unseenSHA1, broken}, []string{"Not found: the service has not seen " + unseenSHA1 + ".", "Failed: 1", "| " + broken + " | Forbidden |"}, nil, 0},
		{"with both", []string{broken, aSHA1, unseenSHA1}, []string{"Not found: the service has not seen " + unseenSHA1 + ".", "Failed: 1", aSHA1}, nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			entry := start(t).Run(fileInfo, map[string]any{"hash": test.hashes}).Entry()
			entry.WantReadable(test.says...)
			for _, text := range test.silent {
				if strings.Contains(entry.Readable(), text) {
					t.Errorf("got\n%s\nwant nothing of %q", entry.Readable(), text)
				}
			}
			if got := entry.At(seenFile).Get("#").Int(); got != test.files {
				t.Errorf("got %d, want %d files in the context", got, test.files)
			}
		})
	}
}

func TestFileInfoGoesOnWithWhatTheServiceDidNotTake(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/files/"+aSHA1, http.StatusOK, fullFile)
	i.Tenant.Script(simulator.Fault{
		Kind: simulator.KindAPI, Path: "/api/files/" + otherSHA1, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: 10 * time.Minute,
	})
	i.Answer(http.MethodGet, "/api/files/"+otherSHA1, http.StatusOK, `{"sha1":"`+otherSHA1+`"}`)
	first := i.Run(fileInfo, map[string]any{"hash": otherSHA1 + "," + aSHA1}).Entry()
	if got := first.Poll.Args["hash"]; got == nil || !strings.Contains(fmt.Sprint(got), otherSHA1) {
		t.Fatalf("got %v, want the rest to be scheduled", got)
	}
	second := i.Again(first).Entry()
	if got := second.At(seenFile).Get("#(SHA1==" + otherSHA1 + ")").Raw; got == "" {
		t.Errorf("got %s, want the file that was left", second.At(seenFile).Raw)
	}
}

// TestAFileThatMustWaitHasNoVerdictYet has a service that accepts no more requests: a file is not unknown because of it.
func TestAFileThatMustWaitHasNoVerdictYet(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/files/"+aSHA1, http.StatusOK, fullFile)
	i.Tenant.Script(simulator.Fault{
		Kind: simulator.KindAPI, Path: "/api/files/" + otherSHA1, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: 10 * time.Minute,
	})
	i.Answer(http.MethodGet, "/api/files/"+otherSHA1, http.StatusOK, `{"sha1":"`+otherSHA1+`","determinationType":"Clean"}`)
	first := i.Run("file", map[string]any{"file": otherSHA1 + "," + aSHA1}).Entry()
	if first.Poll == nil || first.Poll.Args["file"] != otherSHA1 || at(first, "DBotScore").Get("#").Int() != 1 {
		t.Fatalf("got the scores %s and the next run %v, want one score and the other file left", at(first, "DBotScore").Raw, first.Poll)
	}
	if got := at(i.Again(first).Entry(), "DBotScore").Get("0"); got.Get("Indicator").String() != otherSHA1 || got.Get("Score").Int() != 1 {
		t.Errorf("got the score %s, want that of the file that was left", got.Raw)
	}
}

func TestMachinesOfSeveralFiles(t *testing.T) {
	i := commandstest.New(t)
	i.Answer(http.MethodGet, "/api/files/"+aSHA1+"/machines", http.StatusOK, list(fullMachine))
	i.Answer(http.MethodGet, "/api/files/"+otherSHA1+"/machines", http.StatusOK, list())
	i.Answer(http.MethodGet, "/api/files/"+unseenSHA1+"/machines", http.StatusForbidden, `{"error":{"code":"Forbidden","message":"no"}}`)
	entry := i.Run(fileMachine, map[string]any{"file_hash": []string{otherSHA1, unseenSHA1, aSHA1}}).Entry()
	entry.WantRaw("[" + list() + "," + list(fullMachine) + "]")
	files := entry.At("MicrosoftATP.FileMachine")
	for path, want := range map[string]string{"#": "2", "0.File": otherSHA1, "0.Machines.#": "0", "1.File": aSHA1, "1.Machines.#": "1", "1.Machines.0.ID": "m1"} {
		if got := files.Get(path).String(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	entry.WantReadable("No machine was found", "Machines with the file "+aSHA1, "Failed: 1", "| "+unseenSHA1+" | Forbidden |")
}

// The files, addresses and users in the tenant's alerts lead back to those alerts.
func TestWhatTheTenantsAlertsAreAbout(t *testing.T) {
	i := commandstest.New(t)
	found := map[string]int{}
	for _, id := range i.Tenant.AlertIDs() {
		alert := i.Run("microsoft-atp-get-alert-by-id", map[string]any{"alert_ids": id}).Entry().At("MicrosoftATP.Alert(val.ID && val.ID == obj.ID)").Get("0")
		for _, trace := range []struct{ key, command, argument, path string }{
			{"sha1", "microsoft-atp-get-file-alerts", "file_hash", "FileAlert(val.Sha1 === obj.Sha1)"},
			{"ipAddress", "microsoft-atp-get-ip-alerts", "ip", "IPAlert(val.IPAddress === obj.IPAddress)"},
			{"userPrincipalName", "microsoft-atp-get-user-alerts", "username", "UserAlert(val.Username === obj.Username)"},
		} {
			value := alert.Get(`Evidence.#(` + trace.key + `%"*").` + trace.key).Str
			if value == "" || found[trace.command] == 3 {
				continue
			}
			found[trace.command]++
			back := i.Run(trace.command, map[string]any{trace.argument: value}).Entry().At("MicrosoftATP." + trace.path)
			if !back.Get(`Alerts.#(ID=="` + id + `")`).Exists() {
				t.Errorf("%s of %s: got %s, want the alert %s", trace.command, value, back.Get("Alerts.#.ID").Raw, id)
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("got %v, want alerts with files, addresses and users", found)
	}
}
