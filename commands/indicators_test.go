package commands_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
)

const (
	indicatorPath    = "MicrosoftATP.Indicators(val.id && val.id == obj.id)"
	oldIndicatorPath = "MicrosoftATP.Indicators(val.id == obj.id)"
	scorePath        = "DBotScore(val.Indicator && val.Indicator == obj.Indicator && val.Vendor == obj.Vendor && val.Type == obj.Type)"
	filePath         = "File(val.MD5 && val.MD5 == obj.MD5 || val.SHA1 && val.SHA1 == obj.SHA1 || val.SHA256 && val.SHA256 == obj.SHA256 || " +
		"val.SHA512 && val.SHA512 == obj.SHA512 || val.CRC32 && val.CRC32 == obj.CRC32 || val.CTPH && val.CTPH == obj.CTPH || " +
		"val.SSDeep && val.SSDeep == obj.SSDeep)"
	ipPath     = "IP(val.Address && val.Address == obj.Address)"
	domainPath = "Domain(val.Name && val.Name == obj.Name)"
	urlPath    = "URL(val.Data && val.Data == obj.Data)"

	// reliability is the instance's setting for its vendor.
	reliability = "B - Usually reliable"

	sha1Value   = "fa82831cf379fb53fc353cae3a9c762934bfab29"
	sha256Value = "6e7c711c19474b284412aedd88eddcbc2aef27792ebca77889d00b1ae2a827d5"
	md5Value    = "45309707b56e597de8c802214540cea4"
)

// anIndicator is an indicator of the service with every key.
func anIndicator(kind, value, action, severity string) string {
	return fmt.Sprintf(`{
		"id": "996", "indicatorValue": %q, "indicatorType": %q, "action": %q, "severity": %q, "title": "beacon", "description": "seen",
		"application": "demo", "source": "soc", "sourceType": "AadApp", "createdBy": "107135d8", "createdByDisplayName": "SOC",
		"createdBySource": "PublicApi", "lastUpdatedBy": "soc", "creationTimeDateTimeUtc": "2026-10-24T11:15:35.3688259Z",
		"lastUpdateTime": "2026-10-25T10:54:23.2009016Z", "expirationTime": "2026-12-12T00:00:00Z", "recommendedActions": "look",
		"rbacGroupNames": ["Group A"], "rbacGroupIds": ["7"], "mitreTechniques": ["T1071"], "generateAlert": true,
		"historicalDetection": false, "notificationId": "n1", "externalId": "e1", "category": 1, "educateUrl": null
	}`, value, kind, action, severity)
}

// indicatorTypes lists the types of indicators, with a value of each and its object at the standard path.
var indicatorTypes = []struct{ kind, value, path, standard, score string }{
	{"FileSha1", sha1Value, filePath, `[{"SHA1": "` + sha1Value + `", "Hashes": [{"type": "SHA1", "value": "` + sha1Value + `"}]}]`, "file"},
	{"FileSha256", sha256Value, filePath, `[{"SHA256": "` + sha256Value + `", "Hashes": [{"type": "SHA256", "value": "` + sha256Value + `"}]}]`, "file"},
	{"FileMd5", md5Value, filePath, `[{"MD5": "` + md5Value + `", "Hashes": [{"type": "MD5", "value": "` + md5Value + `"}]}]`, "file"},
	{"IpAddress", "198.51.100.3", ipPath, `[{"Address": "198.51.100.3"}]`, "ip"},
	{"DomainName", "bad4.example", domainPath, `[{"Name": "bad4.example"}]`, "domain"},
	{"Url", "https://bad5.example/x?a=1&b=2", urlPath, `[{"Data": "https://bad5.example/x?a=1&b=2"}]`, "url"},
}

// showing starts an instance whose API answers every request for an indicator with the same one.
func showing(t *testing.T, kind, value, action, severity string) (instance *commandstest.Instance, indicator string) {
	t.Helper()
	instance, indicator = commandstest.New(t), anIndicator(kind, value, action, severity)
	instance.Answer(http.MethodGet, "/api/indicators/996", 200, indicator)
	instance.Answer(http.MethodGet, "/api/indicators", 200, list(indicator))
	instance.Answer(http.MethodPost, "/api/indicators", 200, indicator)
	return instance, indicator
}

func TestIndicatorStandsAtItsOwnPathAndAtTheStandardOne(t *testing.T) {
	for _, one := range indicatorTypes {
		instance, indicator := showing(t, one.kind, one.value, "Block", "High")
		submitted := indicatorArgs(map[string]any{"indicator_type": one.kind, "indicator_value": one.value})
		for command, args := range map[string]map[string]any{
			"microsoft-atp-sc-indicator-get-by-id": {"indicator_id": "996"},
			"microsoft-atp-sc-indicator-list":      nil,
			"microsoft-atp-sc-indicator-create":    submitted,
			"microsoft-atp-sc-indicator-update":    submitted,
		} {
			t.Run(command+" "+one.kind, func(t *testing.T) {
				entry := instance.Run(command, args).Entry()
				entry.WantColumns("id", "action", "indicatorValue", "indicatorType", "severity", "title", "description")
				entry.WantRaw(indicator)
				entry.WantAt(indicatorPath, strings.Replace(indicator, `, "educateUrl": null`, "", 1))
				entry.WantAt(one.path, one.standard)
				entry.WantAt(scorePath, fmt.Sprintf(`[{"Indicator": %q, "Type": %q, "Vendor": %q, "Score": 0, "Reliability": %q}]`,
					one.value, one.score, commandstest.Brand, reliability))
				if got := len(entry.Paths()); got != 3 {
					t.Errorf("got %q, want 3 context paths", entry.Paths())
				}
			})
		}
	}
}

func TestScoreOfAnIndicatorIsUnknownWhateverItsActionAndSeverity(t *testing.T) {
	instance := commandstest.New(t)
	var rows []string
	for _, action := range []string{"Allowed", "Audit", "Warn", "Block", "BlockAndRemediate", "Alert", "AlertAndBlock"} {
		for _, severity := range []string{"Informational", "Low", "Medium", "High"} {
			rows = append(rows, anIndicator("FileSha1", sha1Value, action, severity))
		}
	}
	instance.Answer(http.MethodGet, "/api/indicators", 200, list(rows...))
	entries := instance.Run("microsoft-atp-sc-indicator-list", nil).All()
	if len(entries) != len(rows) {
		t.Fatalf("got %d, want %d entries", len(entries), len(rows))
	}
	for i, entry := range entries {
		if score := entry.At(scorePath).Get("0.Score"); score.Raw != "0" {
			t.Errorf("got %s, want the score 0 for %s", score.Raw, rows[i])
		}
	}
}

func TestCertificateHasNoStandardContext(t *testing.T) {
	instance := commandstest.New(t)
	instance.Answer(http.MethodGet, "/api/indicators/996", 200, anIndicator("CertificateThumbprint", sha1Value, "Allowed", "Low"))
	entry := instance.Run("microsoft-atp-sc-indicator-get-by-id", map[string]any{"indicator_id": "996"}).Entry()
	if paths := entry.Paths(); !slices.Equal(paths, []string{indicatorPath}) {
		t.Errorf("got %q, want the indicator's own path alone", paths)
	}
}

func TestListIndicators(t *testing.T) {
	t.Run("each has an entry, and the last one says that there are more", func(t *testing.T) {
		instance := commandstest.New(t)
		result := instance.Run("microsoft-atp-sc-indicator-list", map[string]any{"limit": "3"})
		result.WantAsked("GET /api/indicators")
		if top := result.Requests[0].Query.Get("$top"); top != "3" {
			t.Errorf("got %q, want $top=3", top)
		}
		entries := result.All()
		if len(entries) != 3 {
			t.Fatalf("got %d, want 3 entries", len(entries))
		}
		for i, entry := range entries {
			said := strings.Contains(entry.Readable(), "the service may have more")
			if want := i == 2; said != want {
				t.Errorf("entry %d: got %t, want that there are more said: %t", i, said, want)
			}
		}
	})
	t.Run("all of them need no such note", func(t *testing.T) {
		entries := commandstest.New(t).Run("microsoft-atp-sc-indicator-list", nil).All()
		if last := entries[len(entries)-1].Readable(); strings.Contains(last, "more") {
			t.Errorf("got\n%s\nwant nothing said of more indicators", last)
		}
	})
	t.Run("a page is as large as the service allows", func(t *testing.T) {
		result := commandstest.New(t).Run("microsoft-atp-sc-indicator-list", map[string]any{"limit": 20_000})
		if top := result.Requests[0].Query.Get("$top"); top != "10000" {
			t.Errorf("got %q, want pages of 10000", top)
		}
	})
	t.Run("none", func(t *testing.T) {
		instance := commandstest.New(t)
		instance.Answer(http.MethodGet, "/api/indicators", 200, `{"value": []}`)
		entry := instance.Run("microsoft-atp-sc-indicator-list", nil).Entry()
		entry.WantReadable("No indicator was found.")
		if len(entry.Context) > 0 {
			t.Errorf("got %q, want no context", entry.Paths())
		}
	})
}

// indicatorArgs returns arguments that describe an indicator, with changes.
func indicatorArgs(changes map[string]any) map[string]any {
	args := map[string]any{
		"indicator_value": "198.51.100.7", "indicator_type": "IpAddress", "action": "Block",
		"indicator_title": "beacon", "indicator_description": "ticket 4711",
	}
	maps.Copy(args, changes)
	return args
}

func TestSubmittedIndicator(t *testing.T) {
	tests := []struct {
		name string
		args map[string]any
		want string
	}{
		{
			"what is not given is left to the service, but for the alert", nil,
			`{"indicatorValue": "198.51.100.7", "indicatorType": "IpAddress", "action": "Block", "title": "beacon", "description": "ticket 4711",
				"generateAlert": true}`,
		},
		{
			"everything",
			map[string]any{
				"indicator_type": "ipaddress", "action": "audit", "severity": "high", "expiration_time": "1 day", "indicator_application": "demo",
				"recommended_actions": "look", "rbac_group_names": "Group A,Group B", "generate_alert": "true",
			},
			`{"indicatorValue": "198.51.100.7", "indicatorType": "IpAddress", "action": "Audit", "title": "beacon", "description": "ticket 4711",
				"expirationTime": "2026-11-21T10:15:00Z", "generateAlert": true, "severity": "High", "application": "demo",
				"recommendedActions": "look", "rbacGroupNames": ["Group A", "Group B"]}`,
		},
		{
			"no alert",
			map[string]any{"action": "Allowed", "generate_alert": false},
			`{"indicatorValue": "198.51.100.7", "indicatorType": "IpAddress", "action": "Allowed", "title": "beacon", "description": "ticket 4711",
				"generateAlert": false}`,
		},
	}
	for _, command := range []string{"microsoft-atp-sc-indicator-create", "microsoft-atp-sc-indicator-update"} {
		for _, test := range tests {
			t.Run(command+" "+test.name, func(t *testing.T) {
				result := commandstest.New(t).Run(command, indicatorArgs(test.args))
				result.WantAsked("POST /api/indicators")
				commandstest.WantJSON(t, "the body", result.Body(), test.want)
				result.Entry().WantAt(ipPath, `[{"Address": "198.51.100.7"}]`)
			})
		}
	}
}

func TestRetiredActionsBecomeTheirSuccessors(t *testing.T) {
	tests := []struct{ action, kind, value, want string }{
		{"Alert", "IpAddress", "198.51.100.7", "Audit"},
		{"Alert", "FileSha1", sha1Value, "Audit"},
		{"AlertAndBlock", "IpAddress", "198.51.100.7", "Block"},
		{"AlertAndBlock", "DomainName", "bad.example", "Block"},
		{"AlertAndBlock", "Url", "https://bad.example/", "Block"},
		{"AlertAndBlock", "FileSha256", sha256Value, "BlockAndRemediate"},
		{"alertandblock", "FileMd5", md5Value, "BlockAndRemediate"},
	}
	for _, test := range tests {
		t.Run(test.action+" of "+test.kind, func(t *testing.T) {
			result := commandstest.New(t).Run("microsoft-atp-sc-indicator-create", indicatorArgs(map[string]any{
				"indicator_value": test.value, "indicator_type": test.kind, "action": test.action, "generate_alert": "false",
			}))
			body := gjson.Parse(result.Body())
			if got := body.Get("action").String(); got != test.want || !body.Get("generateAlert").Bool() {
				t.Errorf("got %s, want %s with an alert to be asked for", body, test.want)
			}
			result.Entry().WantReadable("The service no longer accepts the action", test.want+" with an alert")
		})
	}
}

func TestIndicatorsThatTheServiceWouldNotTake(t *testing.T) {
	tests := []struct {
		name string
		args map[string]any
		want string
	}{
		{"a range of addresses", map[string]any{"indicator_value": "198.51.100.0/24"}, "a single IP address: the service does not accept ranges"},
		{"an address with a zone", map[string]any{"indicator_value": "fe80::1%eth0"}, "a single IP address"},
		{"a domain as address", map[string]any{"indicator_value": "bad.example"}, "a single IP address"},
		{"a short SHA-1", map[string]any{"indicator_type": "FileSha1", "indicator_value": sha1Value[1:]}, "SHA1 hash"},
		{"a SHA-1 as SHA-256", map[string]any{"indicator_type": "FileSha256", "indicator_value": sha1Value}, "SHA256 hash"},
		{"an MD5 that is not hexadecimal", map[string]any{"indicator_type": "FileMd5", "indicator_value": strings.Repeat("g", 32)}, "MD5 hash"},
		{"an address as domain", map[string]any{"indicator_type": "DomainName", "indicator_value": "198.51.100.7"}, "a domain name"},
		{"a URL as domain", map[string]any{"indicator_type": "DomainName", "indicator_value": "https://bad.example/x"}, "a domain name"},
		{"a wildcard", map[string]any{"indicator_type": "DomainName", "indicator_value": "*.bad.example"}, "a domain name"},
		{"an empty label", map[string]any{"indicator_type": "DomainName", "indicator_value": "bad..example"}, "a domain name"},
		{"a long label", map[string]any{"indicator_type": "DomainName", "indicator_value": strings.Repeat("a", 64) + ".example"}, "a domain name"},
		{"a URL without a host", map[string]any{"indicator_type": "Url", "indicator_value": "https:///x"}, "a URL"},
		{"a URL with a space", map[string]any{"indicator_type": "Url", "indicator_value": "https://bad.example/a b"}, "a URL"},
		{"no URL", map[string]any{"indicator_type": "Url", "indicator_value": "bad"}, "a URL"},
		{"an unknown action", map[string]any{"action": "Explode"}, "action must be one of Audit, Warn, Block"},
		{"an unknown type", map[string]any{"indicator_type": "Mutex"}, "indicator_type must be one of FileSha1"},
		{"an audit without alert", map[string]any{"action": "Audit", "generate_alert": "false"}, "generate_alert must be true with the action Audit"},
		{"a date as expiration", map[string]any{"expiration_time": "2026-12-12"}, "expiration_time must be a time span"},
		{"no time at all", map[string]any{"expiration_time": "0 days"}, "expiration_time must be longer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := commandstest.New(t).Run("microsoft-atp-sc-indicator-create", indicatorArgs(test.args))
			result.WantFailure("microsoft-atp-sc-indicator-create", test.want)
			result.WantAsked()
		})
	}
}

func TestValuesThatTheServiceTakes(t *testing.T) {
	tests := []struct{ kind, value string }{
		{"FileSha1", strings.ToUpper(sha1Value)},
		{"IpAddress", "2001:db8::7"},
		{"DomainName", "bad.example."},
		{"DomainName", "bücher.example"},
		{"DomainName", "_dmarc.bad-one.example"},
		{"Url", "http://198.51.100.7:8080/x"},
		{"Url", "bad.example/x"},
		{"Url", "https://[2001:db8::7]/x"},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.value, func(t *testing.T) {
			instance := commandstest.New(t)
			instance.Answer(http.MethodPost, "/api/indicators", 200, anIndicator(test.kind, test.value, "Block", "Low"))
			result := instance.Run("microsoft-atp-sc-indicator-update", indicatorArgs(map[string]any{"indicator_type": test.kind, "indicator_value": test.value}))
			if got := gjson.Get(result.Body(), "indicatorValue").String(); got != test.value {
				t.Errorf("got %q, want the value %q to be submitted", got, test.value)
			}
		})
	}
}

func TestIndicatorFromItsMakingToItsEnd(t *testing.T) {
	instance := commandstest.New(t)
	made := instance.Run("microsoft-atp-sc-indicator-create", indicatorArgs(nil)).Entry().At(indicatorPath)
	changed := instance.Run("microsoft-atp-sc-indicator-update", indicatorArgs(map[string]any{"severity": "High"})).Entry().At(indicatorPath)
	if made.Get("id").String() == "" || changed.Get("id").String() != made.Get("id").String() {
		t.Fatalf("created %s and updated %s, want the same indicator", made, changed)
	}
	if got := changed.Get("severity").String(); got != "High" {
		t.Errorf("got %q, want the severity High", got)
	}
	id := made.Get("id").String()
	for _, command := range []string{"microsoft-atp-sc-indicator-delete", "microsoft-atp-indicator-delete"} {
		result := instance.Run(command, map[string]any{"indicator_id": id})
		result.WantAsked("DELETE /api/indicators/" + id)
		entry := result.Entry()
		entry.WantReadable("Indicator " + id + " was deleted.")
		if len(entry.Context) > 0 {
			t.Errorf("%s: got %q, want no context", command, entry.Paths())
		}
		instance.Run("microsoft-atp-sc-indicator-get-by-id", map[string]any{"indicator_id": id}).Entry().WantReadable("No indicators were found", id)
		id = instance.Run("microsoft-atp-sc-indicator-create", indicatorArgs(nil)).Entry().At(indicatorPath).Get("id").String()
	}
}

func TestBatchSaysOfEachHowItWent(t *testing.T) {
	instance := commandstest.New(t)
	result := instance.Run("microsoft-atp-indicator-batch-update", map[string]any{"indicator_batch": `[
		{"indicatorValue": "198.51.100.7", "indicatorType": "IpAddress", "action": "Block", "title": "x", "description": "y", "generateAlert": false},
		{"indicatorValue": "bad.example", "indicatorType": "DomainName", "action": "BlockAndRemediate", "title": "x", "description": "y"}]`})
	result.WantAsked("POST /api/indicators/import")
	entry := result.Entry()
	entry.WantColumns("ID", "Value", "IsFailed", "FailureReason")
	entry.WantReadable("Indicators: 1 accepted, 1 failed", "is not supported for DomainName")
	rows := entry.At(indicatorPath).Array()
	if len(rows) != 2 || rows[0].Get("ID").String() == "" || rows[0].Get("IsFailed").Bool() || !rows[1].Get("IsFailed").Bool() {
		t.Errorf("got %s, want the first to be taken and the second to fail", entry.At(indicatorPath))
	}
	entry.WantRaw(entry.At(indicatorPath).Raw)
}

func TestBatchIsPassedThroughAsGiven(t *testing.T) {
	const given = `{"indicatorValue": "bad.example", "indicatorType": "DomainName", "action": "Warn", "educateUrl": "https://intranet.example/why",
		"someday": {"n": 12345678901234567890}}`
	tests := []struct{ name, given, want, note string }{
		{"unknown keys stay", given, given, ""},
		{
			"a retired action is replaced", `{"indicatorValue": "bad.example", "indicatorType": "DomainName", "action": "AlertAndBlock", "generateAlert": false}`,
			`{"indicatorValue": "bad.example", "indicatorType": "DomainName", "action": "Block", "generateAlert": true}`, "no longer accepts the action AlertAndBlock; Block",
		},
		{
			"an audit raises alerts", `{"indicatorValue": "bad.example", "indicatorType": "DomainName", "action": "Audit"}`,
			`{"indicatorValue": "bad.example", "indicatorType": "DomainName", "action": "Audit", "generateAlert": true}`, "",
		},
		{
			"what was said of alerts stays", `{"indicatorType": "DomainName", "action": "Audit", "generateAlert": false}`,
			`{"indicatorType": "DomainName", "action": "Audit", "generateAlert": false}`, "",
		},
		{
			"a type that the commands do not know", `{"indicatorType": "CertificateThumbprint", "action": "AlertAndBlock"}`,
			`{"indicatorType": "CertificateThumbprint", "action": "AlertAndBlock"}`, "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			instance := commandstest.New(t)
			instance.Answer(http.MethodPost, "/api/indicators/import", 200, `{"value": [{"id": "2841", "indicator": "bad.example", "isFailed": false, "failureReason": null}]}`)
			var twice []json.RawMessage
			for range 2 {
				twice = append(twice, json.RawMessage(test.given))
			}
			result := instance.Run("microsoft-atp-indicator-batch-update", map[string]any{"indicator_batch": twice})
			commandstest.WantJSON(t, "the body", result.Body(), `{"Indicators": [`+test.want+","+test.want+`]}`)
			text := result.Entry().Readable()
			if said := strings.Count(text, "no longer accepts"); (said == 1) != (test.note != "") || !strings.Contains(text, test.note) {
				t.Errorf("got\n%s\nwant %q to be said once", text, test.note)
			}
		})
	}
}

func TestBatchesThatAreNotSent(t *testing.T) {
	many := "[" + strings.TrimSuffix(strings.Repeat("{},", 501), ",") + "]"
	for name, test := range map[string]struct{ batch, want string }{
		"too many":   {many, "1 to 500 indicators; got 501"},
		"none":       {"[]", "1 to 500 indicators; got 0"},
		"no JSON":    {"[{", "must be a JSON list of objects"},
		"no objects": {`["bad.example"]`, "must be a JSON list of objects"},
	} {
		t.Run(name, func(t *testing.T) {
			result := commandstest.New(t).Run("microsoft-atp-indicator-batch-update", map[string]any{"indicator_batch": test.batch})
			result.WantFailure(test.want)
			result.WantAsked()
		})
	}
}

func TestOldCommandsShowIndicatorsInTheirTerms(t *testing.T) {
	tests := []struct{ kind, value, action, severity, own string }{
		{"FileSha1", sha1Value, "BlockAndRemediate", "High", `"action": "block", "severity": "High", "fileHashType": "sha1", "fileHashValue": "` + sha1Value + `"`},
		{"FileSha256", sha256Value, "Alert", "Medium", `"action": "alert", "severity": "MediumHigh", "fileHashType": "sha256", "fileHashValue": "` + sha256Value + `"`},
		{"FileMd5", md5Value, "Warn", "Low", `"action": "unknown", "severity": "Low", "fileHashType": "md5", "fileHashValue": "` + md5Value + `"`},
		{"IpAddress", "198.51.100.3", "Allowed", "Informational", `"action": "allow", "severity": "Informational", "networkIPv4": "198.51.100.3"`},
		{"IpAddress", "2001:db8::7", "Audit", "Low", `"action": "alert", "severity": "Low", "networkIPv6": "2001:db8::7"`},
		{"DomainName", "bad4.example", "Block", "Low", `"action": "block", "severity": "Low", "domainName": "bad4.example"`},
		{"Url", "https://bad5.example/", "AlertAndBlock", "Low", `"action": "block", "severity": "Low", "url": "https://bad5.example/"`},
		{"CertificateThumbprint", sha1Value, "Allowed", "Low", `"action": "allow", "severity": "Low"`},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.action, func(t *testing.T) {
			instance, _ := showing(t, test.kind, test.value, test.action, test.severity)
			want := `{"id": "996", "description": "seen", "externalId": "e1", "expirationDateTime": "2026-12-12T00:00:00Z",
				"ingestedDateTime": "2026-10-24T11:15:35.3688259Z", "lastReportedDateTime": "2026-10-25T10:54:23.2009016Z",
				"isActive": true, "targetProduct": "Microsoft Defender ATP", ` + test.own + `}`
			for command, args := range map[string]map[string]any{
				"microsoft-atp-indicator-get-by-id": {"indicator_id": "996"},
				"microsoft-atp-indicator-update":    {"indicator_id": "996", "expiration_time": "7 days"},
			} {
				entry := instance.Run(command, args).Entry()
				entry.WantAt(oldIndicatorPath, want)
				if entry.At(scorePath).Exists() {
					t.Errorf("%s: got %s, want no score, which the old commands do not declare", command, entry.At(scorePath))
				}
			}
			listed := instance.Run("microsoft-atp-indicator-list", map[string]any{"limit": "5", "page_size": "2"}).Entry()
			listed.WantAt(oldIndicatorPath, "["+want+"]")
		})
	}
}

func TestOldListPutsAllKindsAtTheirStandardPaths(t *testing.T) {
	instance := commandstest.New(t)
	var rows []string
	for _, one := range indicatorTypes {
		rows = append(rows, anIndicator(one.kind, one.value, "Block", "Low"))
	}
	instance.Answer(http.MethodGet, "/api/indicators", 200, list(rows...))
	entry := instance.Run("microsoft-atp-indicator-list", nil).Entry()
	for path, want := range map[string]int{oldIndicatorPath: 6, filePath: 3, ipPath: 1, domainPath: 1, urlPath: 1} {
		if got := len(entry.At(path).Array()); got != want {
			t.Errorf("got %d, want %d objects at %s", got, want, path)
		}
	}
	entry.WantColumns("id", "action", "severity", "fileHashType", "fileHashValue", "domainName", "networkIPv4", "url")
}

// oldArgs returns arguments of an old command that creates an indicator, with changes.
func oldArgs(changes map[string]any) map[string]any {
	args := map[string]any{"action": "block", "description": "ticket 4711", "expiration_time": "7 days", "threat_type": "Malware"}
	maps.Copy(args, changes)
	return args
}

const (
	oldFile    = "microsoft-atp-indicator-create-file"
	oldNetwork = "microsoft-atp-indicator-create-network"
)

func TestOldCommandsMakeIndicators(t *testing.T) {
	tests := []struct {
		name, command string
		args          map[string]any
		want          map[string]string // keys that the body must contain
		path          string
	}{
		{"a SHA-1", oldFile, map[string]any{"file_hash_type": "sha1", "file_hash_value": sha1Value}, map[string]string{"indicatorType": "FileSha1", "indicatorValue": sha1Value}, filePath},
		{"a SHA-256", oldFile, map[string]any{"file_hash_type": "sha256", "file_hash_value": sha256Value}, map[string]string{"indicatorType": "FileSha256"}, filePath},
		{"an MD5", oldFile, map[string]any{"file_hash_type": "md5", "file_hash_value": md5Value}, map[string]string{"indicatorType": "FileMd5"}, filePath},
		{"a hash of a kind not said", oldFile, map[string]any{"file_hash_value": sha256Value}, map[string]string{"indicatorType": "FileSha256"}, filePath},
		{"a hash of unknown kind", oldFile, map[string]any{"file_hash_type": "unknown", "file_hash_value": md5Value}, map[string]string{"indicatorType": "FileMd5"}, filePath},
		{"a domain", oldNetwork, map[string]any{"domain_name": "bad.example"}, map[string]string{"indicatorType": "DomainName", "indicatorValue": "bad.example"}, domainPath},
		{"a URL", oldNetwork, map[string]any{"url": "https://bad.example/"}, map[string]string{"indicatorType": "Url", "indicatorValue": "https://bad.example/"}, urlPath},
		{"an IPv4 address", oldNetwork, map[string]any{"network_ipv4": "198.51.100.3"}, map[string]string{"indicatorType": "IpAddress", "indicatorValue": "198.51.100.3"}, ipPath},
		{"an IPv6 address", oldNetwork, map[string]any{"network_ipv6": "2001:db8::7"}, map[string]string{"indicatorType": "IpAddress", "indicatorValue": "2001:db8::7"}, ipPath},
		{"an IPv4 destination", oldNetwork, map[string]any{"network_destination_ipv4": "198.51.100.3"}, map[string]string{"indicatorType": "IpAddress"}, ipPath},
		{"an IPv6 destination", oldNetwork, map[string]any{"network_destination_ipv6": "2001:db8::7"}, map[string]string{"indicatorType": "IpAddress"}, ipPath},
		{"block", oldNetwork, map[string]any{"domain_name": "bad.example"}, map[string]string{"action": "Block", "generateAlert": "true", "description": "ticket 4711", "severity": "Medium", "title": "Malware", "expirationTime": "2026-11-27T10:15:00Z"}, domainPath},
		{"allow", oldNetwork, map[string]any{"domain_name": "bad.example", "action": "allow"}, map[string]string{"action": "Allowed"}, domainPath},
		{"alert", oldNetwork, map[string]any{"domain_name": "bad.example", "action": "alert"}, map[string]string{"action": "Audit", "generateAlert": "true"}, domainPath},
		{"a severity between", oldNetwork, map[string]any{"domain_name": "bad.example", "severity": "MediumLow"}, map[string]string{"severity": "Medium"}, domainPath},
		{"a high severity", oldNetwork, map[string]any{"domain_name": "bad.example", "severity": "High"}, map[string]string{"severity": "High"}, domainPath},
		{
			"what the service has no fields for", oldNetwork,
			map[string]any{"domain_name": "bad.example", "tlp_level": "amber", "confidence": "80", "tags": "red,blue"},
			map[string]string{"title": "Malware, TLP amber, confidence 80, red, blue"},
			domainPath,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := commandstest.New(t).Run(test.command, oldArgs(test.args))
			result.WantAsked("POST /api/indicators")
			for key, want := range test.want {
				if got := gjson.Get(result.Body(), key).String(); got != want {
					t.Errorf("got %q, want %s to be %q", got, key, want)
				}
			}
			entry := result.Entry()
			if !entry.At(oldIndicatorPath).IsObject() || !entry.At(test.path).IsArray() {
				t.Errorf("got %q, want an object at %s and a list at %s", entry.Paths(), oldIndicatorPath, test.path)
			}
		})
	}
}

func TestOldCommandsRefuseWhatHasNoEquivalent(t *testing.T) {
	file := map[string]any{"file_hash_type": "sha1", "file_hash_value": sha1Value}
	network := map[string]any{"network_ipv4": "198.51.100.3"}
	registry := commands.NewRegistry()
	for command, args := range map[string]map[string]any{oldFile: file, oldNetwork: network} {
		declared, _ := registry.Find(command)
		refused := 0
		for _, argument := range declared.Arguments() {
			if !argument.Deprecated {
				continue
			}
			refused++
			t.Run(argument.Name, func(t *testing.T) {
				args := oldArgs(args)
				args[argument.Name] = "1"
				result := commandstest.New(t).Run(command, args)
				result.WantFailure(argument.Name, "microsoft-atp-sc-indicator-create")
				result.WantAsked()
			})
		}
		if refused < 8 {
			t.Errorf("%s: got %d, want at least 8 arguments to be refused", command, refused)
		}
	}
}

func TestOldCommandsRefuseWhatTheyCannotMake(t *testing.T) {
	tests := []struct {
		name, command string
		args          map[string]any
		want          []string
	}{
		{"no hash", oldFile, map[string]any{"file_hash_type": "sha1"}, []string{"file_hash_value is missing"}},
		{"another hash", oldFile, map[string]any{"file_hash_type": "ctph", "file_hash_value": "3:abc:def"}, []string{"SHA-1, SHA-256 and MD5", "microsoft-atp-sc-indicator-create"}},
		{"a hash of another length", oldFile, map[string]any{"file_hash_type": "sha1", "file_hash_value": md5Value}, []string{"SHA1 hash"}},
		{"text for a hash", oldFile, map[string]any{"file_hash_value": "setup.exe"}, []string{"SHA-1, SHA-256 and MD5"}},
		{"nothing", oldNetwork, nil, []string{"exactly one domain, IP address or URL must be given; got 0"}},
		{"two values", oldNetwork, map[string]any{"domain_name": "bad.example", "url": "https://bad.example/"}, []string{"got 2"}},
		{"a range", oldNetwork, map[string]any{"network_ipv4": "198.51.100.0/24"}, []string{"does not accept ranges"}},
		{"an unknown action", oldNetwork, map[string]any{"domain_name": "bad.example", "action": "unknown"}, []string{"action unknown", "microsoft-atp-sc-indicator-create"}},
		{"too much confidence", oldNetwork, map[string]any{"domain_name": "bad.example", "confidence": "101"}, []string{"confidence must be 100 or less"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := commandstest.New(t).Run(test.command, oldArgs(test.args))
			result.WantFailure(test.want...)
			result.WantAsked()
		})
	}
}

func TestOldUpdateKeepsWhatIsNotGiven(t *testing.T) {
	tests := []struct{ name, action, args, want, note string }{
		{
			"the severity is MediumHigh unless said otherwise", "Block", `{}`,
			`"action": "Block", "severity": "Medium", "description": "seen"`, "",
		},
		{
			"severity and description", "Allowed", `{"severity": "High", "description": "new"}`,
			`"action": "Allowed", "severity": "High", "description": "new"`, "",
		},
		{
			"an action that was retired since", "AlertAndBlock", `{}`,
			`"action": "Block", "severity": "Medium", "description": "seen"`, "no longer accepts the action AlertAndBlock",
		},
		{
			"an audit", "Audit", `{}`,
			`"action": "Audit", "severity": "Medium", "description": "seen"`, "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			instance := commandstest.New(t)
			indicator := anIndicator("IpAddress", "198.51.100.3", test.action, "Low")
			instance.Answer(http.MethodGet, "/api/indicators/996", 200, indicator)
			instance.Answer(http.MethodPost, "/api/indicators", 200, indicator)
			args := map[string]any{"indicator_id": "996", "expiration_time": "7 days"}
			gjson.Parse(test.args).ForEach(func(name, value gjson.Result) bool {
				args[name.String()] = value.String()
				return true
			})
			result := instance.Run("microsoft-atp-indicator-update", args)
			result.WantAsked("GET /api/indicators/996", "POST /api/indicators")
			commandstest.WantJSON(t, "the body", string(result.Requests[1].Body), `{"indicatorValue": "198.51.100.3", "indicatorType": "IpAddress",
				"title": "beacon", "expirationTime": "2026-11-27T10:15:00Z", "application": "demo", "recommendedActions": "look",
				"rbacGroupNames": ["Group A"], "generateAlert": true, `+test.want+`}`)
			entry := result.Entry()
			entry.WantReadable("Indicator updated", test.note)
			if !entry.At(oldIndicatorPath).IsObject() || !entry.At(ipPath).IsArray() {
				t.Errorf("got %q, want the indicator and the address in the context", entry.Paths())
			}
		})
	}
	t.Run("an indicator that is not known", func(t *testing.T) {
		result := commandstest.New(t).Run("microsoft-atp-indicator-update", map[string]any{"indicator_id": "1", "expiration_time": "7 days"})
		result.WantFailure("NotFound")
		result.WantAsked("GET /api/indicators/1")
	})
	t.Run("no time at all", func(t *testing.T) {
		result := commandstest.New(t).Run("microsoft-atp-indicator-update", map[string]any{"indicator_id": "1", "expiration_time": "0 days"})
		result.WantFailure("expiration_time must be longer")
		result.WantAsked()
	})
	t.Run("an answer that is not an indicator", func(t *testing.T) {
		instance := commandstest.New(t)
		instance.Answer(http.MethodGet, "/api/indicators/996", 200, `{"id": "996", "title": ["x"]}`)
		result := instance.Run("microsoft-atp-indicator-update", map[string]any{"indicator_id": "996", "expiration_time": "7 days"})
		result.WantFailure("not an indicator")
		result.WantAsked("GET /api/indicators/996")
	})
}

func TestFieldsThatAreGoneAreNeverFilled(t *testing.T) {
	gone := 0
	for _, command := range commands.NewRegistry().All() {
		for _, out := range command.Outputs {
			if out.View == nil {
				continue
			}
			for _, field := range out.View.Fields {
				if !field.Gone {
					continue
				}
				gone++
				if field.From != "" || field.Make != nil || !strings.Contains(field.Help, "No longer filled") {
					t.Errorf("%s: %s.%s is gone, but is filled or does not say so: %q", command.Name, out.Path, field.Name, field.Help)
				}
				if command.Deprecated == "" {
					t.Errorf("%s: %s.%s is gone, but the command is not deprecated", command.Name, out.Path, field.Name)
				}
			}
		}
	}
	if gone == 0 {
		t.Error("got none, want the old commands to have fields that are gone")
	}
}

func TestOldCommandsNameTheirReplacement(t *testing.T) {
	registry := commands.NewRegistry()
	for old, want := range map[string]string{
		"microsoft-atp-indicator-list":           "microsoft-atp-sc-indicator-list",
		"microsoft-atp-indicator-get-by-id":      "microsoft-atp-sc-indicator-get-by-id",
		"microsoft-atp-indicator-create-file":    "microsoft-atp-sc-indicator-create",
		"microsoft-atp-indicator-create-network": "microsoft-atp-sc-indicator-create",
		"microsoft-atp-indicator-update":         "microsoft-atp-sc-indicator-update",
		"microsoft-atp-indicator-delete":         "microsoft-atp-sc-indicator-delete",
	} {
		command, _ := registry.Find(old)
		if command.Deprecated != want {
			t.Errorf("%s: got %q, want the replacement %q", old, command.Deprecated, want)
		}
		if _, known := registry.Find(want); !known {
			t.Errorf("%s: the replacement %s is not a command", old, want)
		}
	}
}
