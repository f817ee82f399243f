package params

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Cloud says where the API, the authority and Microsoft Graph of a tenant are, and which scopes tokens for them carry.
type Cloud struct {
	Name       string   // as the endpoint_type parameter spells it
	API        *url.URL // base of the API: never ends in a slash or in /api
	Authority  string   // for example https://login.microsoftonline.com; never ends in a slash
	Scope      string   // for example https://api.securitycenter.microsoft.com/.default
	Graph      *url.URL // base of Microsoft Graph; never ends in a slash
	GraphScope string   // for example https://graph.microsoft.com/.default
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

	// publicScope names the older host on purpose: Microsoft documents that parts of the API accept only tokens made for
	// https://api.securitycenter.microsoft.com, whichever host is called.
	publicScope = "https://api.securitycenter.microsoft.com" + defaultScope

	// defaultScope asks for every permission that was granted to the application.
	defaultScope = "/.default"
)

type cloudRow struct{ name, api, authority, scope, graph string }

// cloudTable holds the hosts that Microsoft documents for its clouds and their geographies. For the government clouds it
// documents no scope: tokens for them are asked for with the API's own host, as other clients of these clouds do; the
// token_scope parameter overrides it.
var cloudTable = []cloudRow{
	{worldwide, "api.security.microsoft.com", publicAuthority, publicScope, publicGraph},
	{"EU Geo Proximity", "eu.api.security.microsoft.com", publicAuthority, publicScope, publicGraph},
	{"UK Geo Proximity", "uk.api.security.microsoft.com", publicAuthority, publicScope, publicGraph},
	{"US Geo Proximity", "us.api.security.microsoft.com", publicAuthority, publicScope, publicGraph},
	{"AU Geo Proximity", "au.api.security.microsoft.com", publicAuthority, publicScope, publicGraph},
	{usGCC, gccAPI, publicAuthority, "https://" + gccAPI + defaultScope, publicGraph},
	{"US GCC-High", governmentAPI, governmentAuthority, "https://" + governmentAPI + defaultScope, governmentGraph},
	{"DoD", governmentAPI, governmentAuthority, "https://" + governmentAPI + defaultScope, dodGraph},
}

// nationalGraph gives the Microsoft Graph host that Microsoft documents for the authority of a national cloud, else "".
// GCC High and DoD share an authority; only their own rows of cloudTable tell them apart.
func nationalGraph(authority string) string {
	switch authority {
	case governmentAuthority:
		return governmentGraph
	case "https://login.partner.microsoftonline.cn", "https://login.chinacloudapi.cn":
		return "microsoftgraph.chinacloudapi.cn"
	}
	return ""
}

// hostFamilies lists hosts that serve the same API to the same tenants: the API's answers may point from one to another,
// as the links to a next page do. The hosts with a 3 are undocumented but appear in the API's own answers.
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

// Hosts gives every host that may receive a token of the API, without scheme and port, the API's own first. A host that
// is none of Microsoft's stands alone.
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

// Clouds gives the table of the clouds that endpoint_type can name. Custom is not among them: it has no hosts of its own.
func Clouds() []Cloud {
	clouds := make([]Cloud, len(cloudTable))
	for i, row := range cloudTable {
		clouds[i] = row.cloud()
	}
	return clouds
}

func (r cloudRow) cloud() Cloud {
	cloud := Cloud{Name: r.name, API: httpsURL(r.api), Authority: r.authority, Scope: r.scope}
	cloud.setGraph(r.graph)
	return cloud
}

func (c *Cloud) setGraph(host string) {
	c.Graph = httpsURL(host)
	c.GraphScope = "https://" + host + defaultScope
}

func httpsURL(host string) *url.URL { return &url.URL{Scheme: "https", Host: host} }

// cloud reads endpoint_type and what overrides parts of it. Its result is of use only while the form has no problem.
func (f *form) cloud(env func(string) string) Cloud {
	name := f.oneOf(fieldEndpointType)
	// Instances older than endpoint_type carry is_gcc; they show the default type since, which the user never chose.
	if f.checkbox(fieldIsGCC) && name == worldwide {
		name = usGCC
	}
	cloud := namedCloud(name)
	if base := f.apiBase(); base != nil {
		cloud.API = base
	} else if name == customCloud {
		f.refuse(fieldURL, "put the https:// address of the API there, because the type of the endpoint is Custom")
	}
	if name == customCloud {
		f.customAuthority(&cloud, env)
	}
	if scope := f.text(fieldTokenScope); scope != "" {
		cloud.Scope = scope
	}
	if strings.ContainsAny(cloud.Scope, " \t\r\n") {
		f.refuse(fieldTokenScope, "put one scope there, without spaces, for example "+publicScope+", or leave it empty")
	}
	if IsLoopback(cloud.API.Hostname()) {
		// A tenant simulated on this machine serves hunting at the same address; the real Graph does not know it.
		graph := *cloud.API
		cloud.Graph = &graph
	}
	return cloud
}

// namedCloud gives the row of that name. Custom starts from the public cloud, whose scope and authority hold for it until
// its own parameters override them.
func namedCloud(name string) Cloud {
	row := cloudTable[0]
	for _, candidate := range cloudTable {
		if candidate.name == name {
			row = candidate
		}
	}
	cloud := row.cloud()
	cloud.Name = name
	return cloud
}

// apiBase reads the url parameter; nil when it is empty or refused.
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
		text, source = strings.TrimSpace(env("AZURE_AUTHORITY_HOST")), "; it is empty, so AZURE_AUTHORITY_HOST of the environment was used"
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

// parseAddress reads an absolute URL that secrets may be sent to: https, or http when it does not leave this machine.
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

// addressFix says what parseAddress accepts.
func addressFix(example string) string {
	return "put a whole https:// address there, for example " + example + ", without a user name, a query or a fragment" +
		" (http:// only for localhost)"
}

// IsLoopback says whether a host, without its port, is this machine: the name localhost or a loopback address.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
