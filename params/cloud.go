package params

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Cloud holds the addresses of the API, the authority and Microsoft Graph of a tenant, and the scopes of tokens for them.
type Cloud struct {
	Name      string   // as the endpoint_type parameter spells it
	API       *url.URL // base of the API: never ends in a slash or in /api
	Authority string   // for example https://login.microsoftonline.com; never ends in a slash
	Scope     string   // for example https://api.securitycenter.microsoft.com/.default
	// OtherScopes are tried in this order if the authority does not know the resource of Scope. Clouds for which Microsoft
	// documents the scope have none.
	OtherScopes []string
	Graph       *url.URL // base of Microsoft Graph; never ends in a slash
	GraphScope  string   // for example https://graph.microsoft.com/.default
}

// Names of endpoint_type that the rules below mention.
const (
	worldwide   = "Worldwide"
	usGCC       = "US GCC"
	customCloud = "Custom"
)

const (
	publicAuthority     = "https://login.microsoftonline.com"
	governmentAuthority = "https://login.microsoftonline.us"
	publicGraph         = "graph.microsoft.com"
	governmentGraph     = "graph.microsoft.us"
	dodGraph            = "dod-graph.microsoft.us"
	gccAPI              = "api-gcc.securitycenter.microsoft.us"
	governmentAPI       = "api-gov.securitycenter.microsoft.us"

	// publicScope names the older host on purpose: whichever host is called, parts of the API accept only tokens for
	// https://api.securitycenter.microsoft.com.
	// See https://learn.microsoft.com/en-us/defender-endpoint/api/exposed-apis-create-app-webapp.
	publicScope = "https://api.securitycenter.microsoft.com" + defaultScope

	// earlierScope and earlierGovernmentScope name the resource under which existing instances of the government clouds
	// have requested their tokens.
	earlierScope           = "https://securitycenter.onmicrosoft.com/windowsatpservice" + defaultScope
	earlierGovernmentScope = "https://securitycenter.onmicrosoft.us/windowsatpservice" + defaultScope

	// defaultScope asks for every permission that was granted to the application.
	defaultScope = "/.default"
)

// scopes are those of a cloud, the one to request first at the front.
type scopes []string

// The scopes of each cloud. Microsoft documents one for the public cloud and none for the government clouds
// (https://learn.microsoft.com/en-us/defender-endpoint/gov). There the API's own host comes first, which is what it is
// for the public cloud and what other clients of the government clouds request; the resource of earlier instances follows,
// then the documented resource of the public cloud. The token_scope parameter replaces them all.
var (
	publicScopes     = scopes{publicScope}
	gccScopes        = scopes{"https://" + gccAPI + defaultScope, earlierScope, publicScope}
	governmentScopes = scopes{"https://" + governmentAPI + defaultScope, earlierGovernmentScope, publicScope}
)

type cloudRow struct {
	name, api, authority string
	scopes               scopes
	graph                string
}

// cloudTable holds the hosts that Microsoft documents for its clouds and their geographies. See
// https://learn.microsoft.com/en-us/defender-endpoint/api/exposed-apis-list and
// https://learn.microsoft.com/en-us/defender-endpoint/gov.
var cloudTable = []cloudRow{
	{worldwide, "api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{"EU Geo Proximity", "eu.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{"UK Geo Proximity", "uk.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{"US Geo Proximity", "us.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{"AU Geo Proximity", "au.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	// Microsoft names these three hosts without saying which regions they are for.
	{"SWA Geo Proximity", "swa.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{"INA Geo Proximity", "ina.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{"AEA Geo Proximity", "aea.api.security.microsoft.com", publicAuthority, publicScopes, publicGraph},
	{usGCC, gccAPI, publicAuthority, gccScopes, publicGraph},
	{"US GCC-High", governmentAPI, governmentAuthority, governmentScopes, governmentGraph},
	{"DoD", governmentAPI, governmentAuthority, governmentScopes, dodGraph},
}

// endpointTypes returns the options of endpoint_type.
func endpointTypes() []string {
	names := make([]string, 0, len(cloudTable)+1)
	for _, row := range cloudTable {
		names = append(names, row.name)
	}
	return append(names, customCloud)
}

// nationalGraph returns the Microsoft Graph host that Microsoft documents for the authority of a national cloud, or "".
// GCC High and DoD share an authority; only their own rows of cloudTable tell them apart.
// See https://learn.microsoft.com/en-us/graph/deployments.
func nationalGraph(authority string) string {
	switch authority {
	case governmentAuthority:
		return governmentGraph
	case "https://login.partner.microsoftonline.cn", "https://login.chinacloudapi.cn":
		return "microsoftgraph.chinacloudapi.cn"
	}
	return ""
}

// hostFamilies lists hosts that serve the same API to the same tenants. The API's answers may point from one host to
// another, as links to a next page do. The hosts with a 3 are undocumented but appear in the API's own answers.
var hostFamilies = [][]string{
	{
		"api.security.microsoft.com", "us.api.security.microsoft.com", "eu.api.security.microsoft.com",
		"uk.api.security.microsoft.com", "au.api.security.microsoft.com", "swa.api.security.microsoft.com",
		"ina.api.security.microsoft.com", "aea.api.security.microsoft.com",
		"api.securitycenter.microsoft.com", "api-us.securitycenter.microsoft.com", "api-eu.securitycenter.microsoft.com",
		"api-uk.securitycenter.microsoft.com", "api-au.securitycenter.microsoft.com", "api-us3.securitycenter.microsoft.com",
		"api-eu3.securitycenter.microsoft.com", "api.securitycenter.windows.com",
	},
	{gccAPI, "api-gcc.security.microsoft.us"},
	{governmentAPI, "api-gov.security.microsoft.us"},
}

// Hosts returns every host that may receive a token of the API, without scheme and port, the API's own host first. A host
// that is not one of Microsoft's is the only one.
func (c Cloud) Hosts() []string {
	own := c.API.Hostname()
	hosts := []string{own}
	for _, family := range hostFamilies {
		if !slices.Contains(family, own) {
			continue
		}
		for _, host := range family {
			if host != own {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// Clouds returns the clouds that endpoint_type can name, except Custom, which has no hosts of its own.
func Clouds() []Cloud {
	clouds := make([]Cloud, len(cloudTable))
	for i, row := range cloudTable {
		clouds[i] = row.cloud()
	}
	return clouds
}

func (r cloudRow) cloud() Cloud {
	cloud := Cloud{Name: r.name, API: httpsURL(r.api), Authority: r.authority, Scope: r.scopes[0], OtherScopes: slices.Clone(r.scopes[1:])}
	cloud.setGraph(r.graph)
	return cloud
}

func (c *Cloud) setGraph(host string) {
	c.Graph = httpsURL(host)
	c.GraphScope = "https://" + host + defaultScope
}

func httpsURL(host string) *url.URL { return &url.URL{Scheme: "https", Host: host} }

// cloud reads endpoint_type and the fields that override parts of it. Its result is valid only while the form has no
// problem.
func (f *form) cloud(env func(string) string) Cloud {
	name := f.oneOf(fieldEndpointType)
	// Instances older than endpoint_type have is_gcc. They show the default type now, which their users never chose.
	if f.checkbox(fieldIsGCC) && name == worldwide {
		name = usGCC
	}
	cloud := namedCloud(name)
	if base := f.apiBase(); base != nil {
		cloud.API = base
	} else if name == customCloud {
		f.refuse(fieldURL, "put the https:// address of the API there, which Endpoint Type Custom requires")
	}
	if name == customCloud {
		cloud.OtherScopes = otherScopes(cloud)
		f.customAuthority(&cloud, env)
	}
	if scope := f.text(fieldTokenScope); scope != "" {
		cloud.Scope, cloud.OtherScopes = scope, nil
	}
	if strings.ContainsAny(cloud.Scope, " \t\r\n") {
		f.refuse(fieldTokenScope, "put one scope there, without spaces, for example "+publicScope+", or leave it empty")
	}
	if IsLoopback(cloud.API.Hostname()) {
		// A tenant simulated on this machine serves hunting at the same address. The real Graph does not know it.
		graph := *cloud.API
		cloud.Graph = &graph
	}
	return cloud
}

// namedCloud returns the cloud of that name. Custom starts from the public cloud, whose scope and authority hold until its
// own parameters override them.
func namedCloud(name string) Cloud {
	row := cloudTable[0]
	if at := slices.IndexFunc(cloudTable, func(row cloudRow) bool { return row.name == name }); at >= 0 {
		row = cloudTable[at]
	}
	cloud := row.cloud()
	cloud.Name = name
	return cloud
}

// otherScopes returns the scopes that are worth trying with the API of a Custom cloud, if its host is one of Microsoft's.
func otherScopes(cloud Cloud) []string {
	hosts := cloud.Hosts()
	at := slices.IndexFunc(cloudTable, func(row cloudRow) bool { return cloud.API != nil && slices.Contains(hosts, row.api) })
	if at < 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(cloudTable[at].scopes), func(scope string) bool { return scope == cloud.Scope })
}

// apiBase reads the url parameter. It returns nil if the parameter is empty or refused.
func (f *form) apiBase() *url.URL {
	text := f.text(fieldURL)
	if text == "" {
		return nil
	}
	given, ok := parseAddress(text)
	if !ok || given.RawQuery != "" {
		f.refuse(fieldURL, addressFix("https://api.security.microsoft.com"))
		return nil
	}
	path := strings.TrimRight(given.EscapedPath(), "/")
	if cut := len(path) - len("/api"); cut >= 0 && strings.EqualFold(path[cut:], "/api") {
		path = strings.TrimRight(path[:cut], "/")
	}
	base := &url.URL{Scheme: given.Scheme, Host: given.Host}
	if path == "" {
		return base
	}
	return base.JoinPath(path)
}

// customAuthority sets the authority of a Custom cloud, and the Microsoft Graph that belongs to it.
func (f *form) customAuthority(cloud *Cloud, env func(string) string) {
	text, source := f.text(fieldAuthority), ""
	if text == "" && env != nil {
		text, source = strings.TrimSpace(env("AZURE_AUTHORITY_HOST")), "; it is empty, so the environment variable AZURE_AUTHORITY_HOST was used"
	}
	if text == "" {
		return
	}
	given, ok := parseAddress(text)
	if !ok || given.RawQuery != "" || strings.Trim(given.Path, "/") != "" {
		f.refuse(fieldAuthority, addressFix(publicAuthority)+"; the tenant is not part of it"+source)
		return
	}
	cloud.Authority = given.Scheme + "://" + given.Host
	if graph := nationalGraph(cloud.Authority); graph != "" {
		cloud.setGraph(graph)
	}
}

// parseAddress reads an absolute URL that secrets may be sent to: https, or http to this machine itself.
func parseAddress(text string) (*url.URL, bool) {
	address, err := url.Parse(text)
	if err != nil || address.Hostname() == "" || address.User != nil || address.Fragment != "" {
		return nil, false
	}
	if port := address.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return nil, false
		}
	}
	address.Host = strings.TrimSuffix(strings.ToLower(address.Host), ":")
	secure := address.Scheme == "https" || address.Scheme == "http" && IsLoopback(address.Hostname())
	return address, secure
}

// addressFix describes what parseAddress accepts.
func addressFix(example string) string {
	return "put a whole https:// address there, for example " + example + ", without a user name, a query or a fragment" +
		" (http:// only for localhost)"
}

// IsLoopback reports whether a host, without its port, is this machine: the name localhost or a loopback address.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// Portal returns the base of Microsoft's Defender portal for the cloud, without a final slash. The addresses are those of
// https://learn.microsoft.com/defender-endpoint/gov.
func (c Cloud) Portal() string {
	switch {
	case c.Graph != nil && c.Graph.Hostname() == dodGraph:
		return "https://security.apps.mil"
	case c.Graph != nil && c.Graph.Hostname() == governmentGraph:
		return "https://security.microsoft.us"
	}
	return "https://security.microsoft.com"
}
