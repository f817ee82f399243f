package manifest

import (
	"net/url"
	"slices"
	"strings"

	"xsoar-defender/params"
)

// hostReference writes the page with the hosts that an engine must reach, which follow from the clouds of the program.
func hostReference(clouds []params.Cloud, tokenService string) []byte {
	page := &page{}
	page.line(generated)
	page.line("# Outbound hosts")
	page.line("An engine, or the server itself, opens HTTPS connections to port 443 of these hosts, and to nothing else. Which ones an " +
		"instance needs follows from its *Endpoint Type* and its way to sign in. Nothing connects to the engine.")
	page.line("## By cloud")
	var rows [][]string
	for _, cloud := range clouds {
		rows = append(rows, []string{cloud.Name, code(hostOf(cloud.Authority)), code(cloud.API.Hostname()), code(cloud.Graph.Hostname())})
	}
	page.table([]string{"Endpoint Type", "Sign-in", "Defender API", "Microsoft Graph"}, rows)
	page.line("Microsoft Graph runs hunting queries when *Hunting API* is Auto or Graph, and serves what only Defender XDR has. Endpoint " +
		"Type Custom asks the hosts that *Server URL* and *Authority URL* name.")
	page.line("A list can continue at another host of the same cloud, if Microsoft's answer leads there. Tokens go to these and no " +
		"others; allow them as well:")
	var families [][]string
	seen := map[string]bool{}
	for _, cloud := range clouds {
		hosts := cloud.Hosts()
		key := strings.Join(sorted(hosts), " ")
		if !seen[key] {
			families = append(families, []string{cloud.Name, codes(hosts, ", ")})
		}
		seen[key] = true
	}
	page.table([]string{"Cloud", "Hosts of the same API"}, families)
	page.line("## By what an instance does")
	page.table([]string{"When", "Host"}, [][]string{
		{"The Cortex XSOAR application signs in", code(tokenService) + ", or the host behind `@` in *ID*"},
		{"A managed identity signs in on a virtual machine", "`169.254.169.254` over HTTP, the instance metadata service of Azure, always without a proxy"},
		{"A managed identity signs in elsewhere in Azure", "the host of `IDENTITY_ENDPOINT`, which Azure sets"},
		{"An investigation package, a file or the result of a script is downloaded", "the storage that the service's link names, which is below `blob.core.windows.net`, or `blob.core.usgovcloudapi.net` for GCC High and DoD; no token goes there"},
	})
	page.line("The diagnosis, `!microsoft-atp-test` or `xsoar-defender doctor`, looks every host of an instance up and says how far it gets. " +
		"A proxy is used for all of them when *Use system proxy settings* is selected, except for managed identities.")
	return page.bytes()
}

func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	return parsed.Hostname()
}

func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }
