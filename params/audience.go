package params

import (
	"slices"
	"strings"
)

// Fit is how well the audience of a token fits a cloud.
type Fit int

// The fits.
const (
	// Doubtful is an audience that the API may refuse in parts: nothing documents that it accepts it.
	Doubtful Fit = iota
	// Fitting is an audience that the API accepts.
	Fitting
	// Unfitting is the audience of another API, such as Microsoft Graph, or of another cloud.
	Unfitting
)

const (
	// defenderApplication is the ID of the API's own application, WindowsDefenderATP, which is the audience of tokens of
	// version 2. It is the same in every tenant.
	defenderApplication = "fc780465-2017-40d4-a0c5-307022471b92"
	// graphApplication is the ID of Microsoft Graph.
	graphApplication = "00000003-0000-0000-c000-000000000000"
)

// familyAudiences are the audiences that belong to the clouds of hostFamilies, in the same order. Those of the public cloud
// are documented. https://api.security.microsoft.com, the API's newer host, is not among them on purpose: with it, parts of
// the API answer 403. See https://learn.microsoft.com/en-us/defender-endpoint/api/exposed-apis-create-app-webapp.
var familyAudiences = [][]string{
	{"https://api.securitycenter.microsoft.com", audienceOf(earlierScope)},
	{"https://" + gccAPI, audienceOf(earlierScope)},
	{"https://" + governmentAPI, audienceOf(earlierGovernmentScope)},
}

// audienceOf returns the audience of tokens for a scope.
func audienceOf(scope string) string { return plainAudience(strings.TrimSuffix(scope, defaultScope)) }

// Fit returns how well the audience of a token fits the cloud's API. For an API that is not Microsoft's, only the audience
// that the instance requests fits.
func (c Cloud) Fit(audience string) Fit {
	audience = plainAudience(audience)
	own := slices.IndexFunc(hostFamilies, func(family []string) bool { return slices.Contains(family, c.API.Hostname()) })
	ofFamily := slices.IndexFunc(familyAudiences, func(family []string) bool { return slices.Contains(family, audience) })
	const public = 0
	switch {
	case audience == defenderApplication, own >= 0 && slices.Contains(familyAudiences[own], audience):
		return Fitting
	case own < 0 && audience == audienceOf(c.Scope):
		return Fitting
	case audience == graphApplication, audience == plainAudience(c.Graph.String()) && c.Graph.Host != c.API.Host:
		return Unfitting
	case own >= 0 && ofFamily > public:
		// In a government cloud, some clients use the public audience as well.
		return Unfitting
	}
	return Doubtful
}

// plainAudience removes differences that do not tell audiences apart.
func plainAudience(audience string) string { return strings.ToLower(strings.TrimRight(audience, "/")) }
