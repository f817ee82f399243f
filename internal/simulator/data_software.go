package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// product is a piece of software with its flaws.
type product struct {
	vendor, name, title, category string
	// versions from the oldest to the newest.
	versions []string
	// platforms that it runs on, nil for all of them; spread is on how many machines, 0 for all that fit.
	platforms []string
	spread    int
	flaws     []flaw
	fix       string // the KB that brings the newest version
}

// id is how the API names the product.
func (p *product) id() string { return p.vendor + "-_-" + p.name }

func (p *product) runsOn(platform string) bool {
	return p.platforms == nil || slices.Contains(p.platforms, platform)
}

// flaw is a vulnerability of a product.
type flaw struct {
	vulnerability
	// fixed is the index of the first version without it.
	fixed int
}

// in reports whether the version has the flaw.
func (f flaw) in(version int) bool { return version < f.fixed }

// installation is a version of a product on a machine.
type installation struct {
	product *product
	version int
}

func (i installation) flaws() []flaw {
	return where(i.product.flaws, func(f flaw) bool { return f.in(i.version) })
}

// products are the software of the company: flaws lists, for each, the severity of its vulnerabilities by their
// first letter.
var products = []struct {
	vendor, name, title, category string
	versions                      []string
	platforms                     []string
	spread                        int
	flaws                         string
	fix                           string
}{
	{"microsoft", "windows_11", "Windows 11", "OperatingSystem", []string{"10.0.26100.4652", "10.0.26100.6584", "10.0.26100.7171"}, []string{"Windows11"}, 0, "HHMMMCL", "5068861"},
	{"microsoft", "windows_10", "Windows 10", "OperatingSystem", []string{"10.0.19045.6216", "10.0.19045.6575"}, []string{"Windows10"}, 0, "HHMMCL", "5068781"},
	{"microsoft", "windows_server_2022", "Windows Server 2022", "OperatingSystem", []string{"10.0.20348.4052", "10.0.20348.4405"}, []string{"WindowsServer2022"}, 0, "HHMC", "5068787"},
	{"microsoft", "windows_server_2019", "Windows Server 2019", "OperatingSystem", []string{"10.0.17763.7678", "10.0.17763.8027"}, []string{"WindowsServer2019"}, 0, "HHHMC", "5068791"},
	{"canonical", "ubuntu_linux", "Ubuntu Linux", "OperatingSystem", []string{"24.04.1", "24.04.3"}, onLinux, 0, "HM", ""},
	{"apple", "macos", "macOS", "OperatingSystem", []string{"15.5", "15.6.1"}, onMac, 0, "HMM", ""},
	{"microsoft", "edge_chromium-based", "Microsoft Edge", "Browser", []string{"141.0.3537.71", "142.0.3595.53", "142.0.3595.80"}, onWindows, 0, "HHM", ""},
	{"google", "chrome", "Google Chrome", "Browser", []string{"141.0.7390.108", "142.0.7444.60", "142.0.7444.176"}, nil, 16, "CHHM", ""},
	{"mozilla", "firefox", "Mozilla Firefox", "Browser", []string{"143.0.4", "145.0"}, nil, 9, "HM", ""},
	{"microsoft", "office", "Microsoft Office", "Productivity", []string{"16.0.19127.20302", "16.0.19328.20178"}, []string{"Windows11", "Windows10"}, 20, "HHM", ""},
	{"microsoft", "teams", "Microsoft Teams", "Communication", []string{"25275.2601.4002.2815", "25306.804.4102.7193"}, []string{"Windows11", "Windows10", "macOS"}, 22, "", ""},
	{"adobe", "acrobat_reader_dc", "Adobe Acrobat Reader", "Productivity", []string{"25.1.20643.0", "25.1.20844.0"}, []string{"Windows11", "Windows10", "macOS"}, 15, "CHM", ""},
	{"7-zip", "7-zip", "7-Zip", "Utility", []string{"24.08", "25.01"}, onWindows, 9, "HM", ""},
	{"contoso", "vpn", "Contoso VPN", "Network", []string{"7.0.1", "7.0.2", "7.1.0"}, nil, 24, "CH", ""},
	{"simon_tatham", "putty", "PuTTY", "Utility", []string{"0.80", "0.83"}, onWindows, 6, "M", ""},
	{"oracle", "java", "Java", "Runtime", []string{"8.0.4510.10", "21.0.9"}, nil, 7, "HM", ""},
	{"python", "python", "Python", "Runtime", []string{"3.11.9", "3.13.9"}, nil, 10, "L", ""},
	{"openssl", "openssl", "OpenSSL", "Library", []string{"3.0.13", "3.5.4"}, onLinux, 0, "HM", ""},
	{"microsoft", "sql_server_2022", "SQL Server 2022", "Database", []string{"16.0.4215.2"}, []string{"WindowsServer2022"}, 1, "", ""},
	{"microsoft", "exchange_server_2019", "Exchange Server 2019", "Server", []string{"15.2.1748.39"}, []string{"WindowsServer2019"}, 1, "C", "5066366"},
	{"git", "git", "Git", "Developer tool", []string{"2.44.0", "2.51.2"}, nil, 9, "HM", ""},
	{"docker", "docker_desktop", "Docker Desktop", "Developer tool", []string{"4.43.2", "4.50.0"}, nil, 5, "C", ""},
}

// severity is how bad a vulnerability is: what an attacker can do, and the lowest of its CVSS scores in tenths.
type severity struct {
	name, impact string
	tenths       int
}

// severities are those of a vulnerability by their first letter.
func severities() map[byte]severity {
	return map[byte]severity{
		'C': {"Critical", "run code without signing in", 90},
		'H': {"High", "run code as the user", 70},
		'M': {"Medium", "read data of others", 40},
		'L': {"Low", "stop the program", 21},
	}
}

// install puts the software on the machines.
func (c *company) install() {
	for _, d := range products {
		p := &product{
			vendor: d.vendor, name: d.name, title: d.title, category: d.category,
			versions: d.versions, platforms: d.platforms, spread: d.spread, fix: d.fix,
		}
		for i := range len(d.flaws) {
			p.flaws = append(p.flaws, c.newFlaw(p, d.flaws[i]))
		}
		c.catalog = append(c.catalog, p)
		fitting := where(c.machines, func(m *machine) bool {
			return m.OnboardingStatus == "Onboarded" && p.runsOn(m.OSPlatform)
		})
		for _, m := range some(c.draws, fitting, p.spread) {
			m.installed = append(m.installed, installation{p, c.draws.IntN(len(p.versions))})
		}
	}
	c.countExposed()
}

// countExposed sets how many machines each vulnerability is on.
func (c *company) countExposed() {
	for _, p := range c.catalog {
		for i := range p.flaws {
			p.flaws[i].ExposedMachines = len(c.exposed(p, func(f flaw) bool { return f.ID == p.flaws[i].ID }))
		}
	}
}

// newFlaw makes up a vulnerability of the product. Its number has no meaning outside this company.
func (c *company) newFlaw(p *product, letter byte) flaw {
	count := 0
	for _, q := range c.catalog {
		count += len(q.flaws)
	}
	number := count + len(p.flaws)
	severity := severities()[letter]
	id := fmt.Sprintf("CVE-2026-%d", 90001+7*number)
	published := c.started.Add(-20*day - c.draws.span(300*day)).Truncate(day)
	known := letter == 'C' || letter == 'H' && c.draws.chance(3)
	f := flaw{fixed: len(p.versions) - c.draws.IntN(2), vulnerability: vulnerability{
		ID: id, Name: id, Severity: severity.name,
		Description:       fmt.Sprintf("Summary: %s handles crafted input wrongly. Impact: an attacker can %s. Remediation: install the latest version.", p.title, severity.impact),
		CVSSV3:            float64(severity.tenths+c.draws.IntN(9)) / 10,
		CVSSVector:        "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H/E:P/RL:O/RC:C",
		PublishedOn:       at(published),
		UpdatedOn:         at(published.Add(day + c.draws.span(15*day))),
		FirstDetected:     at(published.Add(c.draws.span(2 * day))),
		PublicExploit:     known,
		ExploitVerified:   known && letter == 'C',
		ExploitTypes:      []string{},
		ExploitURIs:       []string{},
		CVESupportability: "Supported",
		EPSS:              float64(c.draws.IntN(900)+1) / 1000,
		Tags:              []string{},
		Status:            "Active",
	}}
	if f.fixed == 0 {
		f.fixed = 1
	}
	if known {
		f.ExploitTypes, f.ExploitURIs = []string{"Remote"}, []string{"https://exploits.example/" + strings.ToLower(id)}
	}
	return f
}

// exposed are the machines with a version of the product that has a flaw as wanted.
func (c *company) exposed(p *product, wanted func(flaw) bool) []*machine {
	return where(c.machines, func(m *machine) bool {
		return slices.ContainsFunc(m.installed, func(i installation) bool {
			return i.product == p && slices.ContainsFunc(p.flaws, func(f flaw) bool { return f.in(i.version) && wanted(f) })
		})
	})
}

// with are the machines that have the product.
func (c *company) with(p *product) []*machine {
	return where(c.machines, func(m *machine) bool {
		return slices.ContainsFunc(m.installed, func(i installation) bool { return i.product == p })
	})
}
