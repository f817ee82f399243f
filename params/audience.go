package params

import (
	"slices"
	"strings"
)

// Fit says how the audience of a token goes with a cloud.
type Fit int

// The fits.
const (
	// Doubtful is an audience of which nothing says that the API takes it everywhere.
	Doubtful Fit = iota
	// Fitting is an audience that the API takes.
	Fitting
	// Unfitting is an audience of something else: of Microsoft Graph, or of another cloud.
	Unfitting
)

const (
	// defenderApplication is the ID of the API's own application, WindowsDefenderATP, which stands in the place of its
	// address in tokens of version 2. It is the same in every tenant.
	defenderApplication = "fc780465-2017-40d4-a0c5-307022471b92"
	// graphApplication is that of Microsoft Graph.
	graphApplication = "00000003-0000-0000-c000-000000000000"
)

// publicAudiences are those that Microsoft documents for the public cloud. https://api.security.microsoft.com, the API's
// newer host, is none of them on purpose: with it, parts of the API answer 403.
var publicAudiences = []string{"https://api.securitycenter.microsoft.com", "https://securitycenter.onmicrosoft.com/windowsatpservice"}

// familyAudiences are the audiences of the clouds of hostFamilies, in the same order. For the government clouds
// Microsoft documents none; theirs are what other clients of these clouds use.
var familyAudiences = [][]string{publicAudiences, {"https://" + gccAPI}, {"https://" + governmentAPI}}

// Fit says how the audience of a token goes with the cloud's API. Of an API that is none of Microsoft's nothing is known
// but what the instance asks for.
func (c Cloud) Fit(audience string) Fit {
	audience = plainAudience(audience)
	own := slices.IndexFunc(hostFamilies, func(family []string) bool { return slices.Contains(family, c.API.Hostname()) })
	ofFamily := slices.IndexFunc(familyAudiences, func(family []string) bool { return slices.Contains(family, audience) })
	const public = 0
	switch {
	case audience == defenderApplication, own >= 0 && own == ofFamily:
		return Fitting
	case own < 0 && audience == plainAudience(strings.TrimSuffix(c.Scope, defaultScope)):
		return Fitting
	case audience == graphApplication, audience == plainAudience(c.Graph.String()) && c.Graph.Host != c.API.Host:
		return Unfitting
	case own >= 0 && ofFamily > public:
		// The public audience, in a government cloud, some clients are seen to use as well.
		return Unfitting
	}
	return Doubtful
}

// plainAudience leaves out what does not tell audiences apart.
func plainAudience(audience string) string { return strings.ToLower(strings.TrimRight(audience, "/")) }
