package params_test

import (
	"reflect"
	"strings"
	"testing"

	"xsoar-defender/params"
)

// TestDeclaredParameters holds what existing instances rely on: name, type, default, visibility.
func TestDeclaredParameters(t *testing.T) {
	type declaration struct {
		name                   string
		kind                   int
		standard               string
		hidden, hiddenUsername bool
	}
	want := []declaration{
		{"endpoint_type", 15, "Worldwide", false, false},
		{"url", 0, "", false, false},
		{"azure_ad_endpoint", 0, "", false, false},
		{"token_scope", 0, "", false, false},
		{"auth_type", 15, "Client Credentials", false, false},
		{"self_deployed", 8, "false", false, false},
		{"_auth_id_encrypted", 9, "", false, true},
		{"_tenant_id_encrypted", 9, "", false, true},
		{"credentials", 9, "", false, true},
		{"creds_certificate", 9, "", false, false},
		{"redirect_uri", 0, "", false, false},
		{"auth_code", 9, "", false, true},
		{"use_managed_identities", 8, "false", false, false},
		{"managed_identities_client_id", 9, "", false, true},
		{"hunting_api", 15, "Auto", false, false},
		{"Reliability", 15, "B - Usually reliable", false, false},
		{"insecure", 8, "false", false, false},
		{"proxy", 8, "false", false, false},
		{"largest_answer", 0, "", false, false},
		{"isFetch", 8, "false", false, false},
		{"incidentType", 13, "", false, false},
		{"fetch_status", 16, "New", false, false},
		{"fetch_severity", 16, "Informational,Low,Medium,High", false, false},
		{"fetch_detectionsource", 16, "", false, false},
		{"fetch_evidence", 8, "false", false, false},
		{"max_fetch", 0, "50", false, false},
		{"first_fetch_timestamp", 0, "3 days", false, false},
		{"look_back", 0, "15", false, false},
		{"fetch_type", 15, "Alerts", false, false},
		{"fetch_incident_status", 16, "active,inProgress", false, false},
		{"fetch_incident_severity", 16, "", false, false},
		{"fetch_service_source", 16, "", false, false},
		{"fetch_incident_filter", 0, "", false, false},
		{"mirror_direction", 15, "None", false, false},
		{"close_incident", 8, "false", false, false},
		{"close_out", 8, "false", false, false},
		{"close_alerts", 8, "false", false, false},
		{"reopen_statuses", 16, "New,InProgress", false, false},
		{"comment_tag_to", 0, "DefenderComment", false, false},
		{"comment_tag_from", 0, "DefenderCommentIn", false, false},
		{"sync_owners", 8, "false", false, false},
		{"close_reason_in", 0, "", false, false},
		{"close_reason_out", 0, "", false, false},
		{"mirror_look_back", 0, "5", false, false},
		{"is_gcc", 8, "false", true, false},
		{"_auth_id", 0, "", true, false},
		{"_tenant_id", 0, "", true, false},
		{"auth_id", 4, "", true, false},
		{"tenant_id", 4, "", true, false},
		{"enc_key", 4, "", true, false},
		{"certificate_thumbprint", 4, "", true, false},
		{"private_key", 14, "", true, false},
		{"fetch_detection_source", 16, "", true, false},
	}
	var got []declaration
	for _, p := range params.Parameters() {
		got = append(got, declaration{p.Name, p.Type, p.Default, p.Hidden, p.HiddenUsername})
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
}

func TestDeclarationsAreWhole(t *testing.T) {
	displays := map[string]string{}
	collecting := false
	for _, p := range params.Parameters() {
		if p.Display == "" || p.Help == "" || !strings.HasSuffix(p.Help, ".") {
			t.Errorf("%s: want a display name and help in sentences, got %q and %q", p.Name, p.Display, p.Help)
		}
		if displays[p.Display] != "" {
			t.Errorf("%s: want a display name of its own, got that of %s", p.Name, displays[p.Display])
		}
		displays[p.Display] = p.Name
		if (p.DisplayPassword != "") != (p.Type == params.TypeCredentials) {
			t.Errorf("%s: want a name of the password for credentials only, got %q", p.Name, p.DisplayPassword)
		}
		choice := p.Type == params.TypeOneOf || p.Type == params.TypeSeveralOf
		if choice != (len(p.Options) > 0) {
			t.Errorf("%s: want options for a choice only, got %v", p.Name, p.Options)
		}
		if p.Default != "" && choice {
			for part := range strings.SplitSeq(p.Default, ",") {
				if !strings.Contains("\n"+strings.Join(p.Options, "\n")+"\n", "\n"+part+"\n") {
					t.Errorf("%s: want a default among the options %v, got %q", p.Name, p.Options, part)
				}
			}
		}
		if p.Type == params.TypeSeveralOf && strings.Contains(strings.Join(p.Options, ""), ",") {
			t.Errorf("%s: want options without commas, because values are separated by them; got %q", p.Name, p.Options)
		}
		if p.Section != params.SectionConnect && p.Section != params.SectionCollect {
			t.Errorf("%s: want a section, got %q", p.Name, p.Section)
		}
		if !p.Hidden && collecting && p.Section == params.SectionConnect {
			t.Errorf("%s: want the section Connect before the section Collect", p.Name)
		}
		collecting = p.Section == params.SectionCollect
	}
}

// TestEveryDeclaredParameterIsRead changes each parameter in a configuration where it counts, and wants another outcome.
// The reverse, that nothing undeclared is read, holds by construction: a field is read by its place in the declarations.
func TestEveryDeclaredParameterIsRead(t *testing.T) {
	keys := testKeys()
	custom := ownApplication().with(fields{"endpoint_type": "Custom", "url": "https://gateway.test"})
	certificate := ownApplication().with(fields{"credentials": nil, "creds_certificate": fields{"identifier": keys.thumbprint}, "private_key": keys.pkcs8})
	changes := map[string]struct {
		base  fields
		value any
	}{
		"endpoint_type":                {ownApplication(), "DoD"},
		"url":                          {ownApplication(), "https://gateway.test"},
		"azure_ad_endpoint":            {custom, "https://login.test"},
		"token_scope":                  {ownApplication(), "api://x/.default"},
		"auth_type":                    {ownApplication(), "Azure Managed Identities"},
		"self_deployed":                {ownApplication(), false},
		"_auth_id_encrypted":           {ownApplication(), password("other")},
		"_tenant_id_encrypted":         {ownApplication(), password("contoso.com")},
		"_auth_id":                     {ownApplication(), "other"},
		"_tenant_id":                   {ownApplication(), "contoso.com"},
		"credentials":                  {ownApplication(), password("other")},
		"creds_certificate":            {ownApplication(), fields{"password": keys.pkcs8 + keys.certificate}},
		"redirect_uri":                 {userLogin(), "https://localhost/other"},
		"auth_code":                    {userLogin(), password("code")},
		"use_managed_identities":       {ownApplication(), true},
		"managed_identities_client_id": {fields{"use_managed_identities": true}, password(clientID)},
		"hunting_api":                  {ownApplication(), "Graph"},
		"Reliability":                  {ownApplication(), "E - Unreliable"},
		"insecure":                     {ownApplication(), true},
		"proxy":                        {ownApplication(), true},
		"largest_answer":               {ownApplication(), "64"},
		"isFetch":                      {ownApplication(), true},
		"fetch_status":                 {ownApplication(), "Resolved"},
		"fetch_severity":               {ownApplication(), "High"},
		"fetch_detectionsource":        {ownApplication(), "EDR"},
		"fetch_detection_source":       {ownApplication(), "EDR"},
		"fetch_evidence":               {ownApplication(), true},
		"max_fetch":                    {ownApplication(), "1"},
		"first_fetch_timestamp":        {ownApplication(), "1 day"},
		"look_back":                    {ownApplication(), "1"},
		"fetch_type":                   {ownApplication(), "XDR incidents"},
		"fetch_incident_status":        {ownApplication(), "resolved"},
		"fetch_incident_severity":      {ownApplication(), "high"},
		"fetch_service_source":         {ownApplication(), "microsoftSentinel"},
		"fetch_incident_filter":        {ownApplication(), "assignedTo eq 'soc@contoso.com'"},
		"mirror_direction":             {ownApplication(), "Incoming"},
		"close_incident":               {ownApplication(), true},
		"close_out":                    {ownApplication(), true},
		"close_alerts":                 {ownApplication(), true},
		"reopen_statuses":              {ownApplication(), "New"},
		"comment_tag_to":               {ownApplication(), "out"},
		"comment_tag_from":             {ownApplication(), "in"},
		"sync_owners":                  {ownApplication(), true},
		"close_reason_in":              {ownApplication(), "Unknown=Duplicate"},
		"close_reason_out":             {ownApplication(), "Duplicate=FalsePositive"},
		"mirror_look_back":             {ownApplication(), "0"},
		"is_gcc":                       {ownApplication(), true},
		"auth_id":                      {ownApplication().with(fields{"_auth_id": nil}), clientID},
		"tenant_id":                    {ownApplication().with(fields{"_tenant_id": nil}), tenantID},
		"enc_key":                      {ownApplication().with(fields{"credentials": nil}), "older"},
		"certificate_thumbprint":       {certificate.with(fields{"creds_certificate": nil}), keys.thumbprint},
		"private_key":                  {certificate.with(fields{"private_key": nil}), keys.pkcs8},
	}
	for _, parameter := range params.Parameters() {
		if parameter.Name == "incidentType" {
			continue // the platform's own: it sets the type of the incidents itself
		}
		change, known := changes[parameter.Name]
		if !known {
			t.Errorf("%s: want a case for it in this test", parameter.Name)
			continue
		}
		before, problemsBefore := decodeWith(t, change.base, noEnvironment)
		after, problemsAfter := decodeWith(t, change.base.with(fields{parameter.Name: change.value}), noEnvironment)
		if reflect.DeepEqual(before, after) && reflect.DeepEqual(problemsBefore, problemsAfter) {
			t.Errorf("%s: want another outcome with the value %v, got the same", parameter.Name, change.value)
		}
		delete(changes, parameter.Name)
	}
	for name := range changes {
		t.Errorf("%s: want it declared", name)
	}
}
