package params_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/params"
)

func TestAMissingParameterHasItsDefault(t *testing.T) {
	for _, config := range []struct {
		name string
		rest fields
	}{
		{"absent", fields{}},
		{"empty texts", fields{
			"endpoint_type": "", "url": " ", "azure_ad_endpoint": "", "token_scope": "", "auth_type": "", "self_deployed": "",
			"hunting_api": "", "Reliability": "", "isFetch": "", "max_fetch": "", "first_fetch_timestamp": "", "look_back": "",
			"insecure": "", "proxy": "", "fetch_evidence": "", "use_managed_identities": "", "managed_identities_client_id": "", "is_gcc": "",
		}},
	} {
		t.Run(config.name, func(t *testing.T) {
			got := decode(t, cortexApplication().with(config.rest))
			if got.Mode != params.CortexApplication || got.Cloud.Name != "Worldwide" || got.HuntingAPI != params.HuntingAuto ||
				got.Reliability != "B - Usually reliable" || got.Insecure || got.UseProxy {
				t.Errorf("want the defaults, got %+v", got)
			}
			want := params.Fetch{
				Statuses: []string{"New"}, Severities: []string{"Informational", "Low", "Medium", "High"},
				Max: 50, First: 72 * time.Hour, LookBack: 15 * time.Minute,
				Type: params.FetchAlerts, Incidents: params.IncidentFilter{Statuses: []string{"active", "inProgress"}},
			}
			if !reflect.DeepEqual(got.Fetch, want) {
				t.Errorf("Fetch: want %+v, got %+v", want, got.Fetch)
			}
		})
	}
}

func TestNullCountsAsMissing(t *testing.T) {
	raw := []byte(`{"_auth_id":"id","_tenant_id":"token","credentials":{"identifier":null,"password":"MDEyMzQ1Njc4OWFiY2RlZg=="}`)
	for _, parameter := range params.Parameters() {
		if parameter.Name != "_auth_id" && parameter.Name != "_tenant_id" && parameter.Name != "credentials" {
			raw = fmt.Appendf(raw, `,%q:null`, parameter.Name)
		}
	}
	got, problems := decodeRaw(t, append(raw, '}'), nil)
	if len(problems) > 0 {
		t.Fatalf("want no problems, got %v", problems)
	}
	if want := decode(t, fields{"_auth_id": "id", "_tenant_id": "token", "credentials": password("MDEyMzQ1Njc4OWFiY2RlZg==")}); !reflect.DeepEqual(got, want) {
		t.Errorf("want the same as without the parameters\n%+v, got\n%+v", want, got)
	}
}

func TestAnObjectIsWanted(t *testing.T) {
	for _, raw := range []string{`[]`, `"x"`, `7`, `{`, `{"a":}`, `{} {}`, strings.Repeat("[", 1_000_000)} {
		_, problems := decodeRaw(t, []byte(raw), noEnvironment)
		if fieldsOf(problems) != "Instance configuration" {
			t.Errorf("%.20s: want one problem of the whole configuration, got %v", raw, problems)
		}
	}
	for _, raw := range []string{``, `null`, `{}`} {
		_, problems := decodeRaw(t, []byte(raw), noEnvironment)
		if want := "ID|Token|Key"; fieldsOf(problems) != want {
			t.Errorf("%q: want %s, got %v", raw, want, problems)
		}
	}
}

func TestOfARepeatedKeyTheLastCounts(t *testing.T) {
	raw := `{"_auth_id":"first","_auth_id":"second","_tenant_id":"token","credentials":{"password":"x","password":"MDEyMzQ1Njc4OWFiY2RlZg=="}}`
	got, problems := decodeRaw(t, []byte(raw), noEnvironment)
	if len(problems) > 0 || got.Proxy.ID != "second" {
		t.Errorf("want the ID second and no problems, got %q and %v", got.Proxy.ID, problems)
	}
}

func TestCheckboxes(t *testing.T) {
	for _, test := range []struct {
		value    any
		want     bool
		problems string
	}{
		{true, true, ""},
		{false, false, ""},
		{"true", true, ""},
		{" True ", true, ""},
		{"false", false, ""},
		{"False", false, ""},
		{"yes", false, "Use system proxy settings"},
		{1, false, "Use system proxy settings"},
		{[]string{"true"}, false, "Use system proxy settings"},
	} {
		got, problems := decodeWith(t, ownApplication().with(fields{"proxy": test.value}), noEnvironment)
		if got.UseProxy != test.want || fieldsOf(problems) != test.problems {
			t.Errorf("%#v: want %v and problems %q, got %v and %v", test.value, test.want, test.problems, got.UseProxy, problems)
		}
	}
	got := decode(t, ownApplication().with(fields{"insecure": true, "isFetch": "true", "fetch_evidence": true}))
	if !got.Insecure || !got.Fetch.Enabled || !got.Fetch.Evidence || got.UseProxy {
		t.Errorf("want insecure, fetching with evidence and no proxy, got %+v", got)
	}
}

func TestTextIsTrimmed(t *testing.T) {
	got := decode(t, fields{
		"endpoint_type": " dod ", "self_deployed": " true", "_auth_id": " " + clientID + "\n", "_tenant_id": "\t" + tenantID,
		"credentials": password(" s3cret~value\n"), "hunting_api": "graph ", "Reliability": " a+ - 3rd party enrichment",
	})
	if got.ClientID != clientID || got.TenantID != tenantID || got.ClientSecret.Reveal() != "s3cret~value" ||
		got.Cloud.Name != "DoD" || got.HuntingAPI != params.HuntingGraph || got.Reliability != "A+ - 3rd party enrichment" {
		t.Errorf("want every text trimmed and every choice spelled as its option, got %+v", got)
	}
}

func TestWhatCannotBeReadIsAProblemOfItsField(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	for _, test := range []struct{ name, raw, want string }{
		{"a list for text", `{"url":["https://api.test"]}`, "Server URL"},
		{"a checkbox for text", `{"max_fetch":true}`, "Maximum alerts per fetch"},
		{"an object for a choice", `{"hunting_api":{}}`, "Hunting API"},
		{"text for credentials", `{"credentials":"MDEyMzQ1Njc4OWFiY2RlZg=="}`, "Key"},
		{"a list for credentials", `{"credentials":[]}`, "Key"},
		{"a list for a password", `{"credentials":{"password":["x"]}}`, "Key"},
		{"an object for an old name", `{"_auth_id":"","auth_id":{}}`, "ID"},
		{"an object for an old password", `{"credentials":null,"enc_key":{}}`, "Key"},
		{"a list within a list", `{"fetch_status":[["New"]]}`, "Alert statuses to fetch"},
		{"invalid UTF-8", "{\"_tenant_id\":\"a\xffb\"}", "Token"},
		{"a long text", `{"_auth_id":"` + long + `"}`, "ID"},
		{"a long password", `{"credentials":{"password":"` + long + `"}}`, "Key"},
		{"a long list", `{"fetch_status":["` + long + `"]}`, "Alert statuses to fetch"},
		{"a long number", `{"look_back":1` + strings.Repeat("0", 1<<20) + `}`, "Look back (minutes)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, err := json.Marshal(cortexApplication())
			if err != nil {
				t.Fatal(err)
			}
			_, problems := decodeRaw(t, []byte(strings.TrimSuffix(string(base), "}")+","+test.raw[1:]), noEnvironment)
			if fieldsOf(problems) != test.want {
				t.Errorf("want a problem of %q, got %.300v", test.want, problems)
			}
		})
	}
}

func TestANumberIsText(t *testing.T) {
	got := decode(t, cortexApplication().with(fields{"max_fetch": 7, "look_back": 30, "_auth_id": 12345}))
	if got.Fetch.Max != 7 || got.Fetch.LookBack != 30*time.Minute || got.Proxy.ID != "12345" {
		t.Errorf("want 7 alerts, 30 minutes and the ID 12345, got %+v and %q", got.Fetch, got.Proxy.ID)
	}
}

func TestOneOfWantsAnOption(t *testing.T) {
	for name, want := range map[string]string{
		"endpoint_type": "Endpoint Type", "auth_type": "Authentication Type",
		"hunting_api": "Hunting API", "Reliability": "Source Reliability",
	} {
		_, problems := decodeWith(t, ownApplication().with(fields{name: "Mars"}), noEnvironment)
		if fieldsOf(problems) != want {
			t.Errorf("%s: want a problem of %q, got %v", name, want, problems)
			continue
		}
		for _, parameter := range params.Parameters() {
			if parameter.Name == name && !strings.Contains(problems[0].Fix, strings.Join(parameter.Options, ", ")) {
				t.Errorf("%s: want the options in the fix, got %q", name, problems[0].Fix)
			}
		}
	}
}

func TestFetch(t *testing.T) {
	for _, test := range []struct {
		name  string
		given fields
		want  params.Fetch
	}{
		{
			"lists",
			fields{"fetch_status": []string{"new", "InProgress"}, "fetch_severity": []string{"High"}, "fetch_detectionsource": []string{"EDR"}},
			params.Fetch{Statuses: []string{"New", "InProgress"}, Severities: []string{"High"}, DetectionSources: []string{"WindowsDefenderAtp"}},
		},
		{
			"texts",
			fields{"fetch_status": "New, InProgress,,New", "fetch_severity": "high,low", "fetch_detectionsource": "Antivirus,Custom detection,custom ti,EDR,Microsoft Defender for Office 365"},
			params.Fetch{
				Statuses: []string{"New", "InProgress"}, Severities: []string{"High", "Low"},
				DetectionSources: []string{"WindowsDefenderAv", "CustomDetection", "CustomerTI", "WindowsDefenderAtp", "OfficeATP"},
			},
		},
		{
			"the earlier field of detection sources counts while nothing is chosen in the visible one",
			fields{"fetch_status": "", "fetch_severity": "", "fetch_detectionsource": "", "fetch_detection_source": "Antivirus,CustomDetection,CustomTI,EDR,MDO"},
			params.Fetch{DetectionSources: []string{"WindowsDefenderAv", "CustomDetection", "CustomerTI", "WindowsDefenderAtp", "OfficeATP"}},
		},
		{
			"the visible field of detection sources takes precedence",
			fields{"fetch_status": "", "fetch_severity": "", "fetch_detectionsource": []string{"SmartScreen"}, "fetch_detection_source": "EDR"},
			params.Fetch{DetectionSources: []string{"WindowsDefenderSmartScreen"}},
		},
		{"nothing chosen is not a restriction", fields{"fetch_status": "", "fetch_severity": []string{}}, params.Fetch{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, ownApplication().with(test.given)).Fetch
			test.want.Max, test.want.First, test.want.LookBack = 50, 72*time.Hour, 15*time.Minute
			test.want.Type, test.want.Incidents = params.FetchAlerts, params.IncidentFilter{Statuses: []string{"active", "inProgress"}}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("want %+v, got %+v", test.want, got)
			}
		})
	}
	got := decode(t, ownApplication().with(fields{"max_fetch": "200", "first_fetch_timestamp": "12 hours", "look_back": "0"})).Fetch
	if got.Max != 200 || got.First != 12*time.Hour || got.LookBack != 0 {
		t.Errorf("want 200 alerts, 12 hours, no look back, got %+v", got)
	}
	if got := decode(t, ownApplication().with(fields{"look_back": "259200"})).Fetch; got.LookBack != 180*24*time.Hour {
		t.Errorf("got a look back of %s, want all 180 days for which alerts are kept", got.LookBack)
	}
}

func TestFetchProblems(t *testing.T) {
	for name, values := range map[string][]any{
		"Maximum alerts per fetch":         {fields{"max_fetch": "0"}, fields{"max_fetch": "201"}, fields{"max_fetch": "-1"}, fields{"max_fetch": "many"}, fields{"max_fetch": "99999999999999999999"}},
		"First fetch time span":            {fields{"first_fetch_timestamp": "soon"}, fields{"first_fetch_timestamp": "3"}, fields{"first_fetch_timestamp": "2026-01-01"}},
		"Look back (minutes)":              {fields{"look_back": "-1"}, fields{"look_back": "15 minutes"}, fields{"look_back": "259201"}, fields{"look_back": "999999999999"}},
		"Alert statuses to fetch":          {fields{"fetch_status": "New,Old"}, fields{"fetch_status": true}},
		"Alert severities to fetch":        {fields{"fetch_severity": []string{"Critical"}}},
		"Alert detection sources to fetch": {fields{"fetch_detectionsource": "WindowsDefenderAv"}, fields{"fetch_detection_source": "Custom TI"}},
	} {
		for _, given := range values {
			_, problems := decodeWith(t, ownApplication().with(given.(fields)), noEnvironment)
			if fieldsOf(problems) != name {
				t.Errorf("%v: want a problem of %q, got %v", given, name, problems)
			}
		}
	}
}

func TestAProblemOfTheFetchStopsNoOtherCommand(t *testing.T) {
	raw, err := json.Marshal(ownApplication().with(fields{"fetch_detectionsource": "Carrier pigeon", "max_fetch": "many"}))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := params.Decode(raw, noEnvironment)
	if err != nil {
		t.Fatalf("got %v, want an instance that every other command can use", err)
	}
	if got, want := fieldsOf(instance.Fetch.Problems.List), "Alert detection sources to fetch|Maximum alerts per fetch"; got != want {
		t.Errorf("got problems of %s, want %s", got, want)
	}
}

func TestEveryLabelOfADetectionSourceHasItsValue(t *testing.T) {
	for label, value := range map[string]string{
		"Antivirus": "WindowsDefenderAv", "Automated investigation": "AutomatedInvestigation", "Custom detection": "CustomDetection",
		"Custom TI": "CustomerTI", "EDR": "WindowsDefenderAtp", "Microsoft 365 Defender": "MTP", "Microsoft Defender for Office 365": "OfficeATP",
		"Microsoft Defender Experts": "ThreatExperts", "SmartScreen": "WindowsDefenderSmartScreen", "Third-party sensors": "ThirdPartySensors",
	} {
		got := decode(t, ownApplication().with(fields{"fetch_detectionsource": []string{label}})).Fetch.DetectionSources
		if !slices.Equal(got, []string{value}) {
			t.Errorf("%s: got %v, want %s", label, got, value)
		}
	}
}

func TestTheVisibleIDAndTokenTakePrecedence(t *testing.T) {
	visible := fields{"_auth_id_encrypted": password("a"), "_tenant_id_encrypted": password("a.test")}
	hidden := fields{"_auth_id": "b", "_tenant_id": "b.test", "auth_id": "c", "tenant_id": "c.test"}
	for _, test := range []struct {
		name                 string
		given                fields
		wantID, wantTenantID string
	}{
		{"all of them", hidden.with(visible), "a", "a.test"},
		{"the visible ones are empty", hidden.with(fields{"_auth_id_encrypted": nil, "_tenant_id_encrypted": fields{"identifier": "", "password": ""}}), "b", "b.test"},
		{"the oldest alone", fields{"_auth_id": "", "_tenant_id": nil, "auth_id": "c", "tenant_id": "c.test"}, "c", "c.test"},
		{"one of each", fields{"_auth_id_encrypted": password("a"), "_auth_id": "b", "_tenant_id": nil, "tenant_id": "c.test"}, "a", "c.test"},
	} {
		if got := decode(t, ownApplication().with(test.given)); got.ClientID != test.wantID || got.TenantID != test.wantTenantID {
			t.Errorf("%s: got %q and %q, want %q and %q", test.name, got.ClientID, got.TenantID, test.wantID, test.wantTenantID)
		}
	}
}

func TestAUserMayLogInWithoutATenant(t *testing.T) {
	for given, want := range map[string]string{
		"organizations": "organizations", "Common": "common", "consumers": "organizations", "my company": "organizations",
		tenantID: tenantID, "contoso.com": "contoso.com",
	} {
		got := decode(t, userLogin().with(fields{"_tenant_id": given}))
		if got.TenantID != want {
			t.Errorf("%s: got the tenant %q, want %q", given, got.TenantID, want)
		}
		if warned := len(got.Warnings) > 0; warned != (given != want || given == "organizations") {
			t.Errorf("%s: got the warnings %v", given, got.Warnings)
		}
	}
	for _, config := range []fields{ownApplication(), userLogin()} {
		given := "organizations"
		if config["auth_type"] == "Authorization Code" {
			given = ""
		}
		if _, problems := decodeWith(t, config.with(fields{"_tenant_id": given}), noEnvironment); fieldsOf(problems) != "Token" {
			t.Errorf("%q: got the problems %v, want one of the Token", given, problems)
		}
	}
}

func TestAllProblemsAreToldAtOnceInTheOrderOfTheFields(t *testing.T) {
	_, problems := decodeWith(t, fields{
		"look_back": "x", "max_fetch": "0", "self_deployed": "true", "_tenant_id": "common", "endpoint_type": "Custom",
		"creds_certificate": fields{"identifier": "12"}, "hunting_api": "Bing", "proxy": "maybe",
	}, noEnvironment)
	want := "Server URL|ID|Token|Certificate Thumbprint|Private Key|Hunting API|Use system proxy settings|Maximum alerts per fetch|Look back (minutes)"
	if got := fieldsOf(problems); got != want {
		t.Errorf("want\n%s, got\n%s", want, got)
	}
	for _, problem := range problems {
		if len(problem.Fix) < 20 || !strings.HasSuffix(problem.Fix, ".") || strings.HasSuffix(problem.Fix, "..") {
			t.Errorf("%s: want a sentence that says what to put there, got %q", problem.Field, problem.Fix)
		}
	}
	text := (&params.Problems{List: problems}).Error()
	for _, problem := range problems {
		if !strings.Contains(text, "\n- "+problem.String()) {
			t.Errorf("want a line %q in the error, got %q", problem, text)
		}
	}
	one := (&params.Problems{List: problems[:1]}).Error()
	if strings.Contains(one, "\n") || !strings.Contains(one, problems[0].String()) {
		t.Errorf("want one line for one problem, got %q", one)
	}
}

func FuzzDecode(f *testing.F) {
	for _, config := range []fields{
		ownApplication(), cortexApplication(), userLogin().with(fields{"auth_code": password("code=abc&state=def")}),
		{"auth_type": "Azure Managed Identities"},
		{"endpoint_type": "Custom", "url": "http://[::1]:8080/x/api/", "azure_ad_endpoint": "https://login.microsoftonline.us/"},
		ownApplication().with(fields{"credentials": nil, "creds_certificate": fields{"identifier": "aa:bb", "password": "-----BEGIN PRIVATE KEY----- AA== -----END PRIVATE KEY-----"}}),
	} {
		raw, err := json.Marshal(config)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("{\"_auth_id\":\"\xff\",\"url\":\"https://\\ud800\"}"))
	f.Add([]byte(`{"url":"https://a@b","url":{},"credentials":{"password":{"password":1}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		instance, problems := decodeRaw(t, raw, noEnvironment)
		if len(problems) > 0 {
			return
		}
		base := instance.Cloud.API
		if base.Scheme != "https" && base.Hostname() != "localhost" && !strings.HasPrefix(base.Hostname(), "127.") && !strings.Contains(base.Hostname(), ":") {
			t.Errorf("want tokens sent over https, got %q", base)
		}
		if strings.HasSuffix(base.Path, "/") {
			t.Errorf("want a base without a final slash, got %q", base)
		}
		if instance.Cloud.Scope == "" || instance.Cloud.Authority == "" || instance.Cloud.Graph == nil {
			t.Errorf("want a whole cloud, got %+v", instance.Cloud)
		}
		if instance.Fetch.Max < 1 || instance.Fetch.Max > 200 || instance.Fetch.First < 0 || instance.Fetch.LookBack < 0 {
			t.Errorf("want limits that make sense, got %+v", instance.Fetch)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name   string
		config fields
	}{
		{"secret", ownApplication().with(fields{"endpoint_type": "Custom", "url": "https://127.0.0.1:8443", "azure_ad_endpoint": "https://127.0.0.1:8443", "insecure": true, "proxy": false, "fetch_status": "New,InProgress"})},
		{"certificate", ownApplication().with(fields{"creds_certificate": fields{"password": testKeys().pkcs8 + testKeys().certificate}})},
	} {
		raw, err := json.Marshal(bench.config)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := params.Decode(raw, noEnvironment); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
