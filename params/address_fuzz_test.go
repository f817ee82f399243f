package params_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// FuzzAddresses tries any texts as the addresses of a custom cloud: what is accepted is https or this machine, without
// credentials, query or fragment, and means the same host to anyone who reads it again.
func FuzzAddresses(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://api.security.microsoft.com", "https://login.microsoftonline.us"},
		{"https://api.example/x/api/", "https://login.example/"},
		{"http://localhost:8080/api", "http://127.0.0.1"},
		{"http://api.example", "https://user:password@login.example"},
		{"https://[::1]:8443//", "https://login.example/tenant"},
		{"https://api.example\\@attacker.example", "https://login.example#@attacker.example"},
		{"HTTPS://API.example:", "javascript:alert(1)"},
		{"https://api.example/%2e%2e/%00", "https://login.example?x=/"},
		{" https://api.example ", "https://login.example:99999"},
		{"//api.example", "https://\u202e"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, api, authority string) {
		config := ownApplication().with(fields{"endpoint_type": "Custom", "url": api, "azure_ad_endpoint": authority})
		instance, problems := decodeWith(t, config, noEnvironment)
		if len(problems) > 0 {
			if strings.ContainsAny(problems[0].Fix, "\r\n") {
				t.Errorf("want one line, got %q", problems)
			}
			return
		}
		for _, address := range []string{instance.Cloud.API.String(), instance.Cloud.Authority, instance.Cloud.Graph.String()} {
			wantSafeAddress(t, address)
		}
		if hosts := instance.Cloud.Hosts(); len(hosts) == 0 || hosts[0] == "" {
			t.Errorf("want the hosts that tokens may go to, got %q", hosts)
		}
	})
}

func wantSafeAddress(t *testing.T, address string) {
	t.Helper()
	read, err := url.Parse(address)
	if err != nil {
		t.Fatalf("want an address, got %q: %v", address, err)
	}
	numbers, notNumbers := netip.ParseAddr(read.Hostname())
	here := strings.EqualFold(read.Hostname(), "localhost") || notNumbers == nil && numbers.Unmap().IsLoopback()
	if read.Scheme != "https" && (read.Scheme != "http" || !here) {
		t.Errorf("want https or this machine, got %q", address)
	}
	if read.Hostname() == "" || read.User != nil || read.RawQuery != "" || read.Fragment != "" {
		t.Errorf("want a host alone, got %q", address)
	}
}
