package simulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

var (
	softwareCollection      = collection{name: "Software", filterable: []string{"id", "name", "vendor"}}
	vulnerabilityCollection = collection{
		name:       "Vulnerabilities",
		filterable: []string{"id", "name", "description", "cvssV3", "publishedOn", "severity", "updatedOn"},
		maxTop:     8000,
	}
	machineVulnerabilityCollection = collection{
		name:       "Collection(microsoft.windowsDefenderATP.api.PublicAssetVulnerabilityDto)",
		filterable: []string{"id", "cveId", "machineId", "fixingKbId", "productName", "productVersion", "severity", "productVendor"},
	}
	recommendationCollection = collection{
		name: "Recommendations",
		filterable: []string{
			"id", "productName", "vendor", "recommendedVersion", "recommendationCategory", "subCategory",
			"severityScore", "remediationType", "recommendedProgram", "recommendedVendor", "status",
		},
	}
	machineReferences = collection{name: "MachineReferences"}
	missingKBs        = collection{name: "Collection(microsoft.windowsDefenderATP.api.PublicProductFixDto)"}
)

// ofProduct is the product as the API shows it.
func (c *company) ofProduct(p *product) software {
	exposed := c.exposed(p, anyFlaw)
	s := software{
		ID: p.id(), Name: p.name, Vendor: p.vendor, Weaknesses: len(p.flaws), Category: p.category, IsNormalized: true,
		ExposedMachines: len(exposed), InstalledMachines: len(c.with(p)), Distributions: p.versions,
		ImpactScore: float64(len(exposed)*len(p.flaws)) / 40,
	}
	for _, f := range p.flaws {
		s.PublicExploit = s.PublicExploit || f.PublicExploit
	}
	return s
}

func (c *company) listSoftware(call *call) (reply, *apiError) {
	return list(c, call, each(c.catalog, c.ofProduct), softwareCollection)
}

// each makes a list out of another one, item by item.
func each[T, U any](list []T, of func(T) U) []U {
	made := make([]U, len(list))
	for i, v := range list {
		made[i] = of(v)
	}
	return made
}

func (c *company) productWith(id string) (*product, *apiError) {
	for _, p := range c.catalog {
		if strings.EqualFold(p.id(), id) {
			return p, nil
		}
	}
	return nil, notFound("Software", id)
}

func (c *company) getSoftware(_ *call, p *product) (reply, *apiError) {
	return reply{http.StatusOK, c.single("Software", c.ofProduct(p))}, nil
}

func (c *company) listDistributions(call *call, p *product) (reply, *apiError) {
	rows := make([]softwareDistribution, len(p.versions))
	for i, version := range p.versions {
		rows[i] = softwareDistribution{
			Version: version,
			Installations: len(where(c.machines, func(m *machine) bool {
				return slices.Contains(m.installed, installation{p, i})
			})),
			Vulnerabilities: len(installation{p, i}.flaws()),
		}
	}
	return list(c, call, rows, collection{name: "Distributions"})
}

func referenceTo(m *machine) machineReference {
	return machineReference{m.ID, m.ComputerDNSName, m.OSPlatform, m.RBACGroupName, m.RBACGroupID}
}

func (c *company) listReferences(call *call, machines []*machine) (reply, *apiError) {
	return list(c, call, each(machines, referenceTo), machineReferences)
}

func (c *company) listSoftwareMachines(call *call, p *product) (reply, *apiError) {
	return c.listReferences(call, c.with(p))
}

func (c *company) listFlaws(call *call, flaws []flaw) (reply, *apiError) {
	return list(c, call, each(flaws, func(f flaw) vulnerability { return f.vulnerability }), vulnerabilityCollection)
}

func (c *company) listSoftwareVulnerabilities(call *call, p *product) (reply, *apiError) {
	return c.listFlaws(call, p.flaws)
}

// lacking returns the update that machines with an older version of the product lack, or nil if there is no update.
func (p *product) lacking(machines []*machine) *missingKB {
	without := 0
	for _, m := range machines {
		for _, i := range m.installed {
			if i.product == p && len(i.flaws()) > 0 {
				without++
			}
		}
	}
	if p.fix == "" || without == 0 {
		return nil
	}
	return &missingKB{
		ID: p.fix, Name: "Cumulative security update for " + p.title, ProductsNames: []string{p.name},
		URL:             "https://catalog.update.microsoft.com/v7/site/Search.aspx?q=KB" + p.fix,
		MachineMissedOn: without, CVEAddressed: len(p.flaws),
	}
}

func (c *company) listSoftwareMissingKBs(call *call, p *product) (reply, *apiError) {
	return c.listLacking(call, []*product{p}, c.machines)
}

func (c *company) listMachineMissingKBs(call *call, m *machine) (reply, *apiError) {
	return c.listLacking(call, c.catalog, []*machine{m})
}

func (c *company) listLacking(call *call, products []*product, machines []*machine) (reply, *apiError) {
	rows := []*missingKB{}
	for _, p := range products {
		if kb := p.lacking(machines); kb != nil {
			rows = append(rows, kb)
		}
	}
	return list(c, call, rows, missingKBs)
}

func (c *company) flaws() []flaw {
	var all []flaw
	for _, p := range c.catalog {
		all = append(all, p.flaws...)
	}
	return all
}

func (c *company) listVulnerabilities(call *call) (reply, *apiError) {
	return c.listFlaws(call, c.flaws())
}

// flawWith finds a vulnerability and the product that has it.
func (c *company) flawWith(id string) (*product, flaw, *apiError) {
	for _, p := range c.catalog {
		for _, f := range p.flaws {
			if strings.EqualFold(f.ID, id) {
				return p, f, nil
			}
		}
	}
	return nil, flaw{}, notFound("Vulnerability", id)
}

func (c *company) getVulnerability(call *call) (reply, *apiError) {
	_, f, failure := c.flawWith(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	return reply{http.StatusOK, c.single("Vulnerabilities", f.vulnerability)}, nil
}

func (c *company) listVulnerabilityMachines(call *call) (reply, *apiError) {
	p, f, failure := c.flawWith(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	return c.listReferences(call, c.exposed(p, func(g flaw) bool { return g.ID == f.ID }))
}

// vulnerabilitiesOf lists every flaw of every installation on the machine.
func vulnerabilitiesOf(m *machine) []machineVulnerability {
	var rows []machineVulnerability
	for _, i := range m.installed {
		p, version := i.product, i.product.versions[i.version]
		for _, f := range i.flaws() {
			rows = append(rows, machineVulnerability{
				ID:    strings.Join([]string{m.ID, f.ID, p.vendor, p.name, version, p.fix}, "-_-"),
				CVEID: f.ID, MachineID: m.ID, FixingKBID: optional(p.fix), Severity: f.Severity,
				ProductName: p.name, ProductVendor: p.vendor, ProductVersion: version,
			})
		}
	}
	return rows
}

func (c *company) listMachinesVulnerabilities(call *call) (reply, *apiError) {
	return list(c, call, slices.Concat(each(c.machines, vulnerabilitiesOf)...), machineVulnerabilityCollection)
}

func (c *company) listMachineVulnerabilities(call *call, m *machine) (reply, *apiError) {
	return c.listFlaws(call, slices.Concat(each(m.installed, installation.flaws)...))
}

func (c *company) listMachineSoftware(call *call, m *machine) (reply, *apiError) {
	return list(c, call, each(m.installed, func(i installation) software { return c.ofProduct(i.product) }), softwareCollection)
}

// recommendationPrefix comes before the ID of a product in the ID of a recommendation about it.
const recommendationPrefix = "va-_-"

// recommendation advises to update the product.
func (c *company) recommendation(p *product) recommendation {
	s := c.ofProduct(p)
	highest := 0.0
	for _, f := range p.flaws {
		highest = max(highest, f.CVSSV3)
	}
	return recommendation{
		ID: recommendationPrefix + p.id(), ProductName: p.name, Vendor: p.vendor, RecommendationName: "Update " + p.title,
		Weaknesses: s.Weaknesses, RecommendedVersion: p.versions[len(p.versions)-1], RecommendationCategory: "Application",
		SeverityScore: highest, PublicExploit: s.PublicExploit, AssociatedThreats: []string{}, RemediationType: "Update",
		Status: "Active", ExposureImpact: s.ImpactScore, TotalMachineCount: s.InstalledMachines,
		ExposedMachinesCount: s.ExposedMachines, RelatedComponent: p.title, Tags: []string{},
	}
}

func (c *company) recommendations(products []*product) []recommendation {
	return each(where(products, func(p *product) bool { return len(p.flaws) > 0 }), c.recommendation)
}

func (c *company) listRecommendations(call *call) (reply, *apiError) {
	return list(c, call, c.recommendations(c.catalog), recommendationCollection)
}

func (c *company) listMachineRecommendations(call *call, m *machine) (reply, *apiError) {
	outdated := where(m.installed, func(i installation) bool { return len(i.flaws()) > 0 })
	return list(c, call, c.recommendations(each(outdated, func(i installation) *product { return i.product })), recommendationCollection)
}

// recommended finds the product that a recommendation is about.
func (c *company) recommended(id string) (*product, *apiError) {
	p, failure := c.productWith(strings.TrimPrefix(id, recommendationPrefix))
	if failure != nil || len(p.flaws) == 0 || !strings.HasPrefix(id, recommendationPrefix) {
		return nil, notFound("Recommendation", id)
	}
	return p, nil
}

func (c *company) getRecommendation(_ *call, p *product) (reply, *apiError) {
	return reply{http.StatusOK, c.single("Recommendations", c.recommendation(p))}, nil
}

func (c *company) listRecommendationMachines(call *call, p *product) (reply, *apiError) {
	return c.listReferences(call, c.exposed(p, anyFlaw))
}

func (c *company) listRecommendationVulnerabilities(call *call, p *product) (reply, *apiError) {
	return c.listFlaws(call, p.flaws)
}

func (c *company) getRecommendationSoftware(_ *call, p *product) (reply, *apiError) {
	return reply{http.StatusOK, described{c.context("Analytics.Contracts.PublicAPI.PublicProductDto"), c.ofProduct(p)}}, nil
}

// exposure scores machines from 0 to 100 by the flaws that they have.
func exposure(machines []*machine) float64 {
	total := 0
	for _, m := range machines {
		for _, i := range m.installed {
			total += len(i.flaws())
		}
	}
	return min(100, float64(total)*4/float64(max(1, len(machines))))
}

// scored is when scores were last computed: at the last full hour.
func (c *call) scored() moment { return at(c.now.Truncate(time.Hour)) }

func (c *company) getExposureScore(call *call) (reply, *apiError) {
	return reply{http.StatusOK, c.single("ExposureScore", score{Time: call.scored(), Score: exposure(c.machines)})}, nil
}

func (c *company) listExposureScores(call *call) (reply, *apiError) {
	return list(c, call, each(deviceGroups, func(g deviceGroup) score {
		members := where(c.machines, func(m *machine) bool { return m.RBACGroupID == g.id })
		return score{call.scored(), exposure(members), g.name, g.id}
	}), collection{name: "ExposureScore"})
}

func (c *company) getConfigurationScore(call *call) (reply, *apiError) {
	return reply{http.StatusOK, c.single("ConfigurationScore", score{Time: call.scored(), Score: 340})}, nil
}

var taskCollection = collection{name: "RemediationTasks", filterable: []string{"createdOn", "status"}}

func (c *company) listRemediationTasks(call *call) (reply, *apiError) {
	return list(c, call, c.tasks, taskCollection)
}

func (c *company) taskWith(id string) (*remediationTask, *apiError) {
	i := slices.IndexFunc(c.tasks, func(t *remediationTask) bool { return t.ID == id })
	if i < 0 {
		return nil, notFound("Remediation task", id)
	}
	return c.tasks[i], nil
}

func (c *company) getRemediationTask(call *call) (reply, *apiError) {
	t, failure := c.taskWith(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	return reply{http.StatusOK, c.single("RemediationTasks", t)}, nil
}

func (c *company) listRemediationTaskMachines(call *call) (reply, *apiError) {
	t, failure := c.taskWith(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	p, failure := c.productWith(t.ProductID)
	if failure != nil {
		return reply{}, failure
	}
	return c.listReferences(call, c.exposed(p, anyFlaw))
}
