package commands

import (
	"net/url"
	"testing"

	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func TestPortalsOfClouds(t *testing.T) {
	for host, want := range map[string]string{
		"api.security.microsoft.com":    "https://security.microsoft.com",
		"eu.api.security.microsoft.com": "https://security.microsoft.com",
		"defender.internal.test":        "", // an address of its own
		"127.0.0.1":                     "",
	} {
		if got := portalOf(params.Cloud{API: &url.URL{Scheme: "https", Host: host}}); got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
	if got := portalOf(params.Cloud{}); got != "" {
		t.Errorf("got the portal %q of no cloud, want none", got)
	}
	government := params.Cloud{
		API: &url.URL{Scheme: "https", Host: "api-gov.securitycenter.microsoft.us"}, Graph: &url.URL{Scheme: "https", Host: "graph.microsoft.us"},
	}
	if got, want := portalOf(government), "https://security.microsoft.us"; got != want {
		t.Errorf("got the portal %q, want %q", got, want)
	}
}

func TestTablesWithPagesAreLinked(t *testing.T) {
	linked := warroom.Table{Style: warroom.Style{Pages: machinePages()}}
	entries := []warroom.Entry{{Blocks: []warroom.Block{warroom.Paragraph("p"), linked, warroom.Table{}}}}
	linkedTo("https://portal.example", entries)
	if got := entries[0].Blocks[1].(warroom.Table).Style.Portal; got != "https://portal.example" {
		t.Errorf("got the portal %q in a table with pages, want it set", got)
	}
	if got := entries[0].Blocks[2].(warroom.Table).Style.Portal; got != "" {
		t.Errorf("got the portal %q in a table without pages, want none", got)
	}
}
