package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"xsoar-defender/internal/gateway"
)

func TestDetect(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   string // "" for an answer of the service itself
	}{
		{
			"a page with a title", 403,
			map[string]string{"Server": "Zscaler/6.2"},
			"<html><title>Access denied\n by policy</title></html>",
			"a gateway on the way, Zscaler/6.2 (HTTP 403: Access denied by policy)",
		},
		{
			"a proxy that signs", 502,
			map[string]string{"Via": "1.1 proxy.corp.test (squid/6.6)"},
			"<!DOCTYPE html><body>no</body>",
			"a gateway on the way, proxy.corp.test (HTTP 502: Bad Gateway)",
		},
		{
			"a page after a byte order mark and a comment", 200, nil, gateway.ByteOrderMark + " <!-- portal --><HTML><TITLE>Sign in to Wi-Fi</TITLE>",
			"a gateway on the way (HTTP 200: Sign in to Wi-Fi)",
		},
		{
			"a demand to sign in, without a page", 407,
			map[string]string{"Proxy-Authenticate": `Basic realm="Corp Proxy"`},
			"",
			"a gateway on the way, Corp Proxy (HTTP 407: Proxy Authentication Required)",
		},
		{"the service's refusal", 403, nil, `{"error":{"code":"Forbidden"}}`, ""},
		{"JSON that mentions HTML", 400, nil, `{"error":"<html>"}`, ""},
		{"an empty answer", 404, nil, "", ""},
		{"XML of a storage service", 403, nil, `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code></Error>`, ""},
	} {
		header := http.Header{}
		for name, value := range test.header {
			header.Set(name, value)
		}
		got, detected := gateway.Detect(test.status, header, test.body)
		if detected != (test.want != "") || detected && got.String() != test.want {
			t.Errorf("%s: got %q (%t), want %q", test.name, got, detected, test.want)
		}
	}
}

func TestRemedyFollowsTheStatus(t *testing.T) {
	for status, want := range map[int]string{407: "credentials", 404: "addresses", 502: "try again", 403: "allow the engine"} {
		if got := (gateway.Answer{Status: status}).Remedy(); !strings.Contains(got, want) {
			t.Errorf("HTTP %d: got the remedy %q, want one that says %q", status, got, want)
		}
	}
}

func TestTitlesAreShortLines(t *testing.T) {
	got, _ := gateway.Detect(200, nil, "<html><title>"+strings.Repeat("İ", 300)+"\x00</title>")
	if runes := []rune(got.Title); len(runes) > 130 || strings.ContainsAny(got.Title, "\x00\n") {
		t.Errorf("got a title of %d characters, want at most about 120 printable ones", len(runes))
	}
}
