package params_test

import (
	"slices"
	"testing"

	"xsoar-defender/params"
)

// cloudSummary is a Cloud as text, to compare and to read.
type cloudSummary struct{ name, api, authority, scope, graph, graphScope string }

func summary(cloud params.Cloud) cloudSummary {
	return cloudSummary{cloud.Name, cloud.API.String(), cloud.Authority, cloud.Scope, cloud.Graph.String(), cloud.GraphScope}
}

const (
	public      = "https://login.microsoftonline.com"
	government  = "https://login.microsoftonline.us"
	publicScope = "https://api.securitycenter.microsoft.com/.default"
	graph       = "https://graph.microsoft.com"
)

var wantClouds = []cloudSummary{
	{"Worldwide", "https://api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"EU Geo Proximity", "https://eu.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"UK Geo Proximity", "https://uk.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"US Geo Proximity", "https://us.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"AU Geo Proximity", "https://au.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"SWA Geo Proximity", "https://swa.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"INA Geo Proximity", "https://ina.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"AEA Geo Proximity", "https://aea.api.security.microsoft.com", public, publicScope, graph, graph + "/.default"},
	{"US GCC", "https://api-gcc.securitycenter.microsoft.us", public, "https://api-gcc.securitycenter.microsoft.us/.default", graph, graph + "/.default"},
	{"US GCC-High", "https://api-gov.securitycenter.microsoft.us", government, "https://api-gov.securitycenter.microsoft.us/.default", "https://graph.microsoft.us", "https://graph.microsoft.us/.default"},
	{"DoD", "https://api-gov.securitycenter.microsoft.us", government, "https://api-gov.securitycenter.microsoft.us/.default", "https://dod-graph.microsoft.us", "https://dod-graph.microsoft.us/.default"},
}

func TestCloudTable(t *testing.T) {
	var got []cloudSummary
	for _, cloud := range params.Clouds() {
		got = append(got, summary(cloud))
	}
	if !slices.Equal(got, wantClouds) {
		t.Errorf("want\n%v, got\n%v", wantClouds, got)
	}
	for _, want := range wantClouds {
		if got := summary(decode(t, ownApplication().with(fields{"endpoint_type": want.name})).Cloud); got != want {
			t.Errorf("endpoint_type %s: want %v, got %v", want.name, want, got)
		}
	}
}

func TestOtherScopesAreThoseOfEarlierInstances(t *testing.T) {
	const earlier, earlierGovernment = "https://securitycenter.onmicrosoft.com/windowsatpservice/.default", "https://securitycenter.onmicrosoft.us/windowsatpservice/.default"
	for _, test := range []struct {
		name  string
		given fields
		want  []string
	}{
		{"documented", fields{"endpoint_type": "EU Geo Proximity"}, nil},
		{"GCC", fields{"endpoint_type": "US GCC"}, []string{earlier, publicScope}},
		{"GCC High", fields{"endpoint_type": "US GCC-High"}, []string{earlierGovernment, publicScope}},
		{"DoD", fields{"endpoint_type": "DoD"}, []string{earlierGovernment, publicScope}},
		{"Custom with a host of a government cloud", fields{"endpoint_type": "Custom", "url": "https://api-gcc.security.microsoft.us"}, []string{"https://api-gcc.securitycenter.microsoft.us/.default", earlier}},
		{"Custom with another host", fields{"endpoint_type": "Custom", "url": "https://gateway.test"}, nil},
		{"a scope in the instance", fields{"endpoint_type": "DoD", "token_scope": "api://x/.default"}, nil},
	} {
		if got := decode(t, ownApplication().with(test.given)).Cloud.OtherScopes; !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestEveryEndpointTypeIsOffered(t *testing.T) {
	var want []string
	for _, cloud := range params.Clouds() {
		want = append(want, cloud.Name)
	}
	if got := params.Parameters()[0]; got.Name != "endpoint_type" || !slices.Equal(got.Options, append(want, "Custom")) {
		t.Errorf("want endpoint_type with the clouds of the table and Custom, got %s with %v", got.Name, got.Options)
	}
}

func TestTheTableCannotBeChangedFromOutside(t *testing.T) {
	params.Clouds()[0].API.Host = "changed.test"
	params.Parameters()[0].Options[0] = "changed"
	if got := params.Clouds()[0].API.Host; got != "api.security.microsoft.com" {
		t.Errorf("want the cloud as it was, got %q", got)
	}
	if got := params.Parameters()[0].Options[0]; got != "Worldwide" {
		t.Errorf("want the option as it was, got %q", got)
	}
}

func TestCloudOfAnInstance(t *testing.T) {
	worldwide, gcc := wantClouds[0], wantClouds[8]
	change := func(from cloudSummary, changes ...func(*cloudSummary)) cloudSummary {
		for _, apply := range changes {
			apply(&from)
		}
		return from
	}
	named := func(name string) func(*cloudSummary) { return func(c *cloudSummary) { c.name = name } }
	api := func(url string) func(*cloudSummary) { return func(c *cloudSummary) { c.api = url } }
	authority := func(url string) func(*cloudSummary) { return func(c *cloudSummary) { c.authority = url } }
	graphAt := func(url string) func(*cloudSummary) { return func(c *cloudSummary) { c.graph = url } }
	scope := func(text string) func(*cloudSummary) { return func(c *cloudSummary) { c.scope = text } }
	nationalGraph := func(url string) func(*cloudSummary) {
		return func(c *cloudSummary) { c.graph, c.graphScope = url, url+"/.default" }
	}
	custom := named("Custom")
	for _, test := range []struct {
		name        string
		given       fields
		environment string
		want        cloudSummary
	}{
		{"url overrides the host", fields{"url": "https://gateway.test"}, "", change(worldwide, api("https://gateway.test"))},
		{"final slash", fields{"url": "https://gateway.test/"}, "", change(worldwide, api("https://gateway.test"))},
		{"final /api", fields{"url": "https://gateway.test/api"}, "", change(worldwide, api("https://gateway.test"))},
		{"final /api/", fields{"url": "https://gateway.test/API//"}, "", change(worldwide, api("https://gateway.test"))},
		{"another path stays", fields{"url": "https://gateway.test:8443/defender/api"}, "", change(worldwide, api("https://gateway.test:8443/defender"))},
		{"a host named api", fields{"url": "https://api/"}, "", change(worldwide, api("https://api"))},
		{"a path with the same end", fields{"url": "https://gateway.test/myapi"}, "", change(worldwide, api("https://gateway.test/myapi"))},
		{"case of the host", fields{"url": "HTTPS://API.Securitycenter.Windows.com"}, "", change(worldwide, api("https://api.securitycenter.windows.com"))},
		{"an encoded path", fields{"url": "https://gateway.test/a%2Fb/api"}, "", change(worldwide, api("https://gateway.test/a%2Fb"))},
		{"scope", fields{"token_scope": "api://other/.default"}, "", change(worldwide, scope("api://other/.default"))},
		{"scope of a government cloud", fields{"endpoint_type": "US GCC", "token_scope": publicScope}, "", change(gcc, scope(publicScope))},
		{"authority of a type that is not Custom stays", fields{"azure_ad_endpoint": government}, government, worldwide},
		{"is_gcc with the default type", fields{"endpoint_type": "Worldwide", "is_gcc": true}, "", gcc},
		{"is_gcc without a type", fields{"is_gcc": "true"}, "", gcc},
		{"is_gcc with a type that was chosen", fields{"endpoint_type": "EU Geo Proximity", "is_gcc": true}, "", wantClouds[1]},
		{"Custom with URL only", fields{"endpoint_type": "Custom", "url": "https://gateway.test/api"}, "", change(worldwide, custom, api("https://gateway.test"))},
		{"Custom with authority", fields{"endpoint_type": "Custom", "url": "https://gateway.test", "azure_ad_endpoint": "https://login.test/"}, government, change(worldwide, custom, api("https://gateway.test"), authority("https://login.test"))},
		{"Custom with the environment's authority", fields{"endpoint_type": "Custom", "url": "https://gateway.test"}, "https://login.test/", change(worldwide, custom, api("https://gateway.test"), authority("https://login.test"))},
		{"Custom with a national authority", fields{"endpoint_type": "Custom", "url": "https://gateway.test", "azure_ad_endpoint": government + "/"}, "", change(worldwide, custom, api("https://gateway.test"), authority(government), nationalGraph("https://graph.microsoft.us"))},
		{"Custom in China", fields{"endpoint_type": "Custom", "url": "https://gateway.test", "azure_ad_endpoint": "https://login.partner.microsoftonline.cn"}, "", change(worldwide, custom, api("https://gateway.test"), authority("https://login.partner.microsoftonline.cn"), nationalGraph("https://microsoftgraph.chinacloudapi.cn"))},
		{"Custom with is_gcc", fields{"endpoint_type": "Custom", "url": "https://gateway.test", "is_gcc": true}, "", change(worldwide, custom, api("https://gateway.test"))},
		{"a tenant on this machine", fields{"endpoint_type": "Custom", "url": "https://127.0.0.1:8443/", "azure_ad_endpoint": "https://127.0.0.1:8443"}, "", change(worldwide, custom, api("https://127.0.0.1:8443"), authority("https://127.0.0.1:8443"), graphAt("https://127.0.0.1:8443"))},
		{"http on this machine", fields{"url": "http://LocalHost:8080"}, "", change(worldwide, api("http://localhost:8080"), graphAt("http://localhost:8080"))},
		{"http on this machine by IPv6", fields{"url": "http://[::1]/x"}, "", change(worldwide, api("http://[::1]/x"), graphAt("http://[::1]/x"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := func(name string) string {
				if name != "AZURE_AUTHORITY_HOST" {
					t.Errorf("want only AZURE_AUTHORITY_HOST looked up, got %q", name)
				}
				return test.environment
			}
			got, problems := decodeWith(t, ownApplication().with(test.given), env)
			if len(problems) > 0 {
				t.Fatalf("want no problems, got %v", problems)
			}
			if summary(got.Cloud) != test.want {
				t.Errorf("want\n%v, got\n%v", test.want, summary(got.Cloud))
			}
		})
	}
}

func TestCloudProblems(t *testing.T) {
	for _, test := range []struct {
		name        string
		given       fields
		environment string
		want        string
	}{
		{"Custom without URL", fields{"endpoint_type": "Custom"}, "", "Server URL"},
		{"a type of no cloud", fields{"endpoint_type": "US GCC High"}, "", "Endpoint Type"},
		{"http", fields{"url": "http://api.security.microsoft.com"}, "", "Server URL"},
		{"http to a name with the same beginning", fields{"url": "http://localhost.evil.test"}, "", "Server URL"},
		{"no scheme", fields{"url": "api.security.microsoft.com"}, "", "Server URL"},
		{"another scheme", fields{"url": "ftp://api.security.microsoft.com"}, "", "Server URL"},
		{"no host", fields{"url": "https:///api"}, "", "Server URL"},
		{"a user name", fields{"url": "https://user:pass@api.security.microsoft.com"}, "", "Server URL"},
		{"a query", fields{"url": "https://api.security.microsoft.com/?a=b"}, "", "Server URL"},
		{"a fragment", fields{"url": "https://api.security.microsoft.com/#a"}, "", "Server URL"},
		{"a port that is not one", fields{"url": "https://api.security.microsoft.com:99999"}, "", "Server URL"},
		{"a control character", fields{"url": "https://api.security.microsoft.com/a\nb"}, "", "Server URL"},
		{"authority with a tenant", fields{"endpoint_type": "Custom", "url": "https://a.test", "azure_ad_endpoint": public + "/" + tenantID}, "", "Authority URL"},
		{"authority over http", fields{"endpoint_type": "Custom", "url": "https://a.test", "azure_ad_endpoint": "http://login.test"}, "", "Authority URL"},
		{"the environment's authority over http", fields{"endpoint_type": "Custom", "url": "https://a.test"}, "http://login.test", "Authority URL"},
		{"several scopes", fields{"token_scope": publicScope + " offline_access"}, "", "Token Scope"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := decodeWith(t, ownApplication().with(test.given), func(string) string { return test.environment })
			if fieldsOf(problems) != test.want {
				t.Errorf("want a problem of %q, got %v", test.want, problems)
			}
		})
	}
}

func TestHostsThatMayReceiveAToken(t *testing.T) {
	gcc := []string{"api-gcc.securitycenter.microsoft.us", "api-gcc.security.microsoft.us"}
	government := []string{"api-gov.securitycenter.microsoft.us", "api-gov.security.microsoft.us"}
	for _, test := range []struct {
		name  string
		given fields
		want  []string
	}{
		{"GCC", fields{"endpoint_type": "US GCC"}, gcc},
		{"GCC High", fields{"endpoint_type": "US GCC-High"}, government},
		{"DoD", fields{"endpoint_type": "DoD"}, government},
		{"another server", fields{"url": "https://gateway.test:8443/x"}, []string{"gateway.test"}},
		{"this machine", fields{"url": "http://[::1]:8080"}, []string{"::1"}},
	} {
		if got := decode(t, ownApplication().with(test.given)).Cloud.Hosts(); !slices.Equal(got, test.want) {
			t.Errorf("%s: want %v, got %v", test.name, test.want, got)
		}
	}
	hosts := decode(t, ownApplication().with(fields{"endpoint_type": "EU Geo Proximity"})).Cloud.Hosts()
	if hosts[0] != "eu.api.security.microsoft.com" {
		t.Errorf("want the cloud's own host first, got %v", hosts)
	}
	for _, host := range []string{"api.security.microsoft.com", "api.securitycenter.microsoft.com", "api-eu3.securitycenter.microsoft.com"} {
		if !slices.Contains(hosts, host) {
			t.Errorf("want %s among the hosts of the public cloud, got %v", host, hosts)
		}
	}
	if slices.Contains(hosts, gcc[0]) || slices.Contains(hosts, "graph.microsoft.com") {
		t.Errorf("want no host of another cloud or API, got %v", hosts)
	}
	slices.Sort(hosts)
	if len(slices.Compact(hosts)) != len(decode(t, ownApplication()).Cloud.Hosts()) {
		t.Errorf("want every host once, got %v", hosts)
	}
}
