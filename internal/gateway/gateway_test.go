package gateway_test

import (
	"errors"
	"fmt"
	"net"
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
		{
			"a page that is its title", 403, nil, "<title>Blocked</title>",
			"a gateway on the way (HTTP 403: Blocked)",
		},
		{
			"a letter that is longer as a small one", 403, nil, "<html><!-- İİİİ --><title>Blocked</title>",
			"a gateway on the way (HTTP 403: blocked)",
		},
		{
			"a title without an end", 403, nil, "<html><title",
			"a gateway on the way (HTTP 403: Forbidden)",
		},
		{
			"a proxy that signs with its name alone", 502,
			map[string]string{"Via": "1.1 proxy"},
			"<html>",
			"a gateway on the way, proxy (HTTP 502: Bad Gateway)",
		},
		{
			"a proxy that signs without a name", 502,
			map[string]string{"Via": "1.1", "Server": "squid"},
			"<html>",
			"a gateway on the way, squid (HTTP 502: Bad Gateway)",
		},
		{
			"a page that begins within the first KiB", 403, nil, "<!--" + strings.Repeat("-", 1<<10-len("<!--<html")) + "<html>",
			"a gateway on the way (HTTP 403: Forbidden)",
		},
		{"a text that turns to HTML later", 403, nil, "<!--" + strings.Repeat("-", 1+1<<10-len("<!--<html")) + "<html>", ""},
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
	for status, want := range map[int]string{407: "credentials", 404: "addresses", 500: "try again", 502: "try again", 403: "allow the engine"} {
		if got := (gateway.Answer{Status: status}).Remedy(); !strings.Contains(got, want) {
			t.Errorf("HTTP %d: got the remedy %q, want one that says %q", status, got, want)
		}
	}
}

func TestLinesAreCutAfter120Characters(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("ä", 120): strings.Repeat("ä", 120),
		strings.Repeat("ä", 121): strings.Repeat("ä", 120) + "…",
		"\na\tb\x00\n c\n":       "a b c",
	} {
		if got := gateway.Line(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestHandshakes tells the failures of the agreement on a TLS connection, at once or later, from others.
func TestHandshakes(t *testing.T) {
	alert := errors.New("tls: certificate required")
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&gateway.HandshakeError{Err: alert}, true},
		{fmt.Errorf("asking: %w", &gateway.HandshakeError{Err: alert}), true},
		{fmt.Errorf("asking: %w", &net.OpError{Op: "remote error", Err: alert}), true},
		{&net.OpError{Op: "read", Err: alert}, false},
		{alert, false},
	} {
		if got := gateway.IsHandshake(test.err); got != test.want {
			t.Errorf("%v: got %t, want %t", test.err, got, test.want)
		}
	}
	if err := (&gateway.HandshakeError{Err: alert}); !errors.Is(err, alert) || !strings.HasSuffix(err.Error(), alert.Error()) {
		t.Errorf("got %v, want it with its reason", err)
	}
}

func TestTitlesAreShortLines(t *testing.T) {
	got, _ := gateway.Detect(200, nil, "<html><title>"+strings.Repeat("İ", 300)+"\x00</title>")
	if runes := []rune(got.Title); len(runes) > 130 || strings.ContainsAny(got.Title, "\x00\n") {
		t.Errorf("got a title of %d characters, want at most about 120 printable ones", len(runes))
	}
}
