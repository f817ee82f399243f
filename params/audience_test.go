package params_test

import (
	"testing"

	"xsoar-defender/params"
)

func TestAudiencesAndClouds(t *testing.T) {
	const (
		older       = "https://api.securitycenter.microsoft.com"
		oldest      = "https://securitycenter.onmicrosoft.com/windowsatpservice"
		newer       = "https://api.security.microsoft.com"
		gcc         = "https://api-gcc.securitycenter.microsoft.us"
		gov         = "https://api-gov.securitycenter.microsoft.us"
		application = "fc780465-2017-40d4-a0c5-307022471b92"
	)
	cloud := func(endpointType string, more fields) params.Cloud {
		changes := fields{"endpoint_type": endpointType}
		return decode(t, ownApplication().with(changes).with(more)).Cloud
	}
	own := func(more fields) params.Cloud {
		return cloud("Custom", fields{"url": "https://defender.example"}.with(more))
	}
	for _, test := range []struct {
		name     string
		cloud    params.Cloud
		audience string
		want     params.Fit
	}{
		{"the documented one", cloud("Worldwide", nil), older, params.Fitting},
		{"with a slash and in capitals", cloud("Worldwide", nil), "https://API.securitycenter.microsoft.com/", params.Fitting},
		{"that of older examples", cloud("Worldwide", nil), oldest, params.Fitting},
		{"the API's own application", cloud("Worldwide", nil), application, params.Fitting},
		{"in a region", cloud("EU Geo Proximity", nil), older, params.Fitting},
		{"the newer host", cloud("Worldwide", nil), newer, params.Doubtful},
		{"the newer host, as the instance asks for", cloud("Worldwide", fields{"token_scope": newer + "/.default"}), newer, params.Doubtful},
		{"none that is known", cloud("Worldwide", nil), "api://something", params.Doubtful},
		{"Microsoft Graph", cloud("Worldwide", nil), "https://graph.microsoft.com", params.Unfitting},
		{"Microsoft Graph by its ID", cloud("US GCC", nil), "00000003-0000-0000-c000-000000000000", params.Unfitting},
		{"a government's Graph", cloud("US GCC-High", nil), "https://graph.microsoft.us/", params.Unfitting},
		{"a government cloud's", cloud("Worldwide", nil), gov, params.Unfitting},
		{"GCC", cloud("US GCC", nil), gcc, params.Fitting},
		{"GCC High", cloud("US GCC-High", nil), gov, params.Fitting},
		{"DoD", cloud("DoD", nil), gov, params.Fitting},
		{"GCC with that of GCC High", cloud("US GCC", nil), gov, params.Unfitting},
		{"GCC with the public one", cloud("US GCC", nil), older, params.Doubtful},
		{"GCC's address in the cloud Worldwide", cloud("Worldwide", fields{"url": gcc}), gcc, params.Fitting},
		{"another API with the public scope", own(nil), older, params.Fitting},
		{"another API with its own scope", own(fields{"token_scope": "https://defender.example/.default"}), "https://defender.example", params.Fitting},
		{"another API with another audience", own(nil), gcc, params.Doubtful},
		{"a simulated tenant that is its own Graph", cloud("Custom", fields{"url": "https://127.0.0.1:8443"}), "https://127.0.0.1:8443", params.Doubtful},
		{"none", cloud("Worldwide", nil), "", params.Doubtful},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.cloud.Fit(test.audience); got != test.want {
				t.Errorf("got %d for %q at %s, want %d", got, test.audience, test.cloud.API, test.want)
			}
		})
	}
}
