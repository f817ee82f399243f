package simulator

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// listed is a request for an indicator; changes are names and values.
func listedIndicator(value, kind, action string, changes ...any) map[string]any {
	body := map[string]any{"indicatorValue": value, "indicatorType": kind, "action": action, "title": "t", "description": "d"}
	for i := 0; i+1 < len(changes); i += 2 {
		body[changes[i].(string)] = changes[i+1]
	}
	return body
}

func TestAnIndicatorIsCreatedThenUpdated(t *testing.T) {
	w := newWorld(t)
	made := w.post("/api/indicators", listedIndicator("192.0.2.7", "IpAddress", "Audit", "generateAlert", true, "severity", "High",
		"expirationTime", "2026-12-12T00:00:00Z", "rbacGroupNames", []string{"Workstations"}, "application", "playbook", "recommendedActions", "none"), 200)
	id := made.get("id").String()
	for name, want := range map[string]string{
		"indicatorValue": "192.0.2.7", "indicatorType": "IpAddress", "action": "Audit", "severity": "High", "title": "t", "description": "d",
		"application": "playbook", "recommendedActions": "none", "expirationTime": "2026-12-12T00:00:00Z", "generateAlert": "true",
		"rbacGroupNames": `["Workstations"]`, "createdBy": w.app.ID, "sourceType": "AadApp", "creationTimeDateTimeUtc": "2026-06-10T08:30:00Z",
		"lastUpdatedBy": "",
	} {
		w.same(name, made.get(name), want)
	}
	w.Advance(time.Hour)
	updated := w.post("/api/indicators", listedIndicator("192.0.2.7", "IpAddress", "Block", "title", "other"), 200)
	w.same("the id", updated.get("id"), id)
	w.same("the action", updated.get("action"), "Block")
	w.same("the time of creation", updated.get("creationTimeDateTimeUtc"), "2026-06-10T08:30:00Z")
	w.same("the time of the update", updated.get("lastUpdateTime"), "2026-06-10T09:30:00Z")
	w.same("by whom", updated.get("lastUpdatedBy"), w.app.ID)
	w.same("the application, which only the creation sets", updated.get("application"), "playbook")
	w.same("the indicator alone", w.get("/api/indicators/"+id).get("title"), "other")
	w.same("the indicators of the value", len(w.list("/api/indicators", "$filter", "indicatorValue eq '192.0.2.7'").all("value")), 1)
}

func TestWhatAnIndicatorMayBe(t *testing.T) {
	w := newWorld(t)
	md5, sha1, sha256 := strings.Repeat("a", 32), strings.Repeat("b", 40), strings.Repeat("c", 64)
	for _, c := range []struct {
		body map[string]any
		code string // empty: accepted
	}{
		{listedIndicator(md5, "FileMd5", "Block"), ""},
		{listedIndicator(sha1, "FileSha1", "BlockAndRemediate"), ""},
		{listedIndicator(sha256, "FileSha256", "Warn"), ""},
		{listedIndicator(sha1, "CertificateThumbprint", "Allowed"), ""},
		{listedIndicator("2001:db8::7", "IpAddress", "Allowed"), ""},
		{listedIndicator("evil.example", "DomainName", "Block"), ""},
		{listedIndicator("https://evil.example/a?b='c'", "Url", "Warn"), ""},
		{listedIndicator(sha1, "FileSha256", "Block"), "InvalidHashValue"},
		{listedIndicator("x", "FileMd5", "Block"), "InvalidHashValue"},
		{listedIndicator("192.0.2.0/24", "IpAddress", "Block"), "InvalidIpAddress"},
		{listedIndicator("evil", "DomainName", "Block"), "InvalidDomainName"},
		{listedIndicator("evil.example/a", "Url", "Block"), "InvalidUrl"},
		{listedIndicator(sha1, "FileSha1", "Alert"), "InvalidInput"},
		{listedIndicator(sha1, "FileSha1", "AlertAndBlock"), "InvalidInput"},
		{listedIndicator("192.0.2.7", "IpAddress", "BlockAndRemediate"), "InvalidInput"},
		{listedIndicator(sha1, "CertificateThumbprint", "Block"), "InvalidInput"},
		{listedIndicator("192.0.2.7", "IpAddress", "Audit"), "InvalidInput"},
		{listedIndicator("192.0.2.7", "Address", "Block"), "InvalidInput"},
		{listedIndicator("192.0.2.7", "IpAddress", "Block", "severity", "Huge"), "InvalidInput"},
		{listedIndicator("192.0.2.7", "IpAddress", "Block", "expirationTime", "2026-06-10T08:30:00Z"), "InvalidInput"},
		{listedIndicator("192.0.2.7", "IpAddress", "Block", "expirationTime", "soon"), "InvalidRequestBody"},
		{listedIndicator("192.0.2.7", "IpAddress", "Block", "title", ""), "MissingRequiredParameter"},
		{listedIndicator("192.0.2.7", "IpAddress", "Block", "description", nil), "MissingRequiredParameter"},
		{listedIndicator("192.0.2.7", "IpAddress", "Block", "rbacGroupNames", "Workstations"), "InvalidRequestBody"},
	} {
		if c.code == "" {
			w.post("/api/indicators", c.body, 200)
			continue
		}
		w.refused("POST", "/api/indicators", c.body, 400, c.code)
	}
	refusal := w.refused("POST", "/api/indicators", listedIndicator("192.0.2.0/24", "IpAddress", "Block"), 400, "InvalidIpAddress")
	w.same("what is wrong", refusal.get("error.message").String(), `The value "192.0.2.0/24" is not valid for the indicatorType IpAddress.`)
}

func TestIndicatorsAreImported(t *testing.T) {
	w := newWorld(t)
	before := len(w.get("/api/indicators").all("value"))
	answer := w.post("/api/indicators/import", map[string]any{"Indicators": []any{
		listedIndicator("192.0.2.7", "IpAddress", "Block"),
		listedIndicator("192.0.2.0/24", "IpAddress", "Block"),
		listedIndicator(controlHost, "DomainName", "Allowed"),
		map[string]any{"indicatorValue": "192.0.2.8"},
	}}, 200)
	w.same("which failed", answer.get("value.#.isFailed").Raw, "[false,true,false,true]")
	w.same("the values", answer.all("value.#.indicator"), []string{"192.0.2.7", "192.0.2.0/24", controlHost, "192.0.2.8"})
	w.same("the id of the one that was there", answer.get("value.2.id"), "995")
	if r := answer.get("value.1"); r.Get("id").Raw != "null" || !strings.Contains(r.Get("failureReason").String(), "not valid for the indicatorType IpAddress") {
		t.Errorf("the failure is %s, want no id and the reason", r)
	}
	w.same("the number of indicators", len(w.get("/api/indicators").all("value")), before+1)
	w.same("the updated one", w.get("/api/indicators/995").get("action"), "Allowed")

	many := make([]any, maxBatch+1)
	for i := range many {
		many[i] = listedIndicator(fmt.Sprintf("10.0.%d.%d", i/250, i%250), "IpAddress", "Block")
	}
	w.refused("POST", "/api/indicators/import", map[string]any{"Indicators": many}, 400, "MaximumBatchSizeExceeded")
	w.refused("POST", "/api/indicators/import", map[string]any{}, 400, "MissingRequiredParameter")
	w.same("the indicators of a full batch", len(w.post("/api/indicators/import", map[string]any{"Indicators": many[:maxBatch]}, 200).all("value")), maxBatch)
}

func TestIndicatorsAreDeleted(t *testing.T) {
	w := newWorld(t)
	deleted := w.ask("DELETE", "/api/indicators/995", nil)
	w.same("status and body", fmt.Sprintf("%d %q", deleted.status, deleted.body), `204 ""`)
	w.refused("DELETE", "/api/indicators/995", nil, 404, "ResourceNotFound")
	w.refused("GET", "/api/indicators/995", nil, 404, "ResourceNotFound")
	w.refused("POST", "/api/indicators/BatchDelete", map[string]any{"IndicatorIds": []string{"996", "995"}}, 404, "ResourceNotFound")
	w.get("/api/indicators/996")
	w.post("/api/indicators/BatchDelete", map[string]any{"IndicatorIds": []string{"996", "997"}}, 204)
	w.refused("GET", "/api/indicators/996", nil, 404, "ResourceNotFound")
	w.refused("POST", "/api/indicators/BatchDelete", map[string]any{"IndicatorIds": []string{"x"}}, 400, "InvalidInput")
	w.refused("POST", "/api/indicators/BatchDelete", map[string]any{"IndicatorIds": []string{}}, 400, "MissingRequiredParameter")
	w.refused("POST", "/api/indicators/BatchDelete", map[string]any{"IndicatorIds": slices.Repeat([]string{"998"}, maxBatch+1)}, 400, "MaximumBatchSizeExceeded")
}

func TestIndicatorsExpire(t *testing.T) {
	w := newWorld(t)
	id := w.post("/api/indicators", listedIndicator("192.0.2.7", "IpAddress", "Block", "expirationTime", "2026-06-10T09:30:00Z"), 200).get("id").String()
	w.Advance(time.Hour - time.Second)
	w.get("/api/indicators/" + id)
	w.Advance(time.Second)
	w.refused("GET", "/api/indicators/"+id, nil, 404, "ResourceNotFound")
}

func TestAnApplicationWithTheLesserPermissionSeesItsOwnIndicators(t *testing.T) {
	w := newWorld(t)
	all := len(w.get("/api/indicators").all("value"))
	w.app.Roles = []string{"Ti.ReadWrite"}
	w.same("the indicators at first", len(w.get("/api/indicators").all("value")), 0)
	w.refused("DELETE", "/api/indicators/995", nil, 404, "ResourceNotFound")
	id := w.post("/api/indicators", listedIndicator("192.0.2.7", "IpAddress", "Block"), 200).get("id").String()
	w.same("its own", w.get("/api/indicators").all("value.#.id"), []string{id})
	w.app = application{ID: w.app.ID, User: "analyst@contoso.example", Scopes: []string{"Ti.ReadWrite"}}
	w.same("those of a user", len(w.get("/api/indicators").all("value")), all+1)
	w.same("the source of an application's", w.get("/api/indicators/"+id).get("sourceType"), "AadApp")
	w.same("the source of a user's", w.post("/api/indicators", listedIndicator("192.0.2.8", "IpAddress", "Block"), 200).get("sourceType"), "User")
}
