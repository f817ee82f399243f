package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// accountDomain is the name of the company's domain in account names.
const accountDomain = "CONTOSO"

// day is how time is counted in the company's past.
const day = 24 * time.Hour

// employees are the people of the company, by the department that their machine belongs to.
var employees = []struct{ department, name string }{
	{"fin", "Nora Lindqvist"},
	{"fin", "Pavel Novak"},
	{"fin", "Amina Haddad"},
	{"fin", "George Brandt"},
	{"sal", "Lucia Ferrari"},
	{"sal", "Tom Okafor"},
	{"sal", "Ingrid Solberg"},
	{"sal", "Marc Dubois"},
	{"sal", "Yuki Tanaka"},
	{"eng", "Priya Raman"},
	{"eng", "Owen Hughes"},
	{"eng", "Sofia Almeida"},
	{"eng", "Jan Kowalski"},
	{"eng", "Mei Chen"},
	{"eng", "Diego Castro"},
	{"eng", "Hanna Virtanen"},
	{"eng", "Ravi Menon"},
	{"hr", "Claire Fontaine"},
	{"hr", "Samuel Adeyemi"},
	{"ops", "Bjorn Eriksen"},
	{"ops", "Katarina Horvat"},
	{"ops", "Luis Moreno"},
	{"mkt", "Zoe Papadakis"},
	{"mkt", "Liam O'Brien"},
	{"mkt", "Anna Weiss"},
}

// accounts are those that no employee works with: administrators and services.
var accounts = []struct {
	name    string
	admin   bool
	network bool // only ever seen from the network
}{
	{"adm-eriksen", true, false}, {"adm-horvat", true, false}, {"svc-backup", false, true}, {"svc-sql", false, true},
}

// employ hires the people.
func (c *company) employ() {
	for _, e := range employees {
		first, last, _ := strings.Cut(e.name, " ")
		name := strings.ToLower(first[:1] + strings.ReplaceAll(last, "'", ""))
		c.users = append(c.users, c.newUser(name))
	}
	for _, a := range accounts {
		u := c.newUser(a.name)
		u.IsDomainAdmin, u.IsOnlyNetworkUser = a.admin, a.network
		c.users = append(c.users, u)
	}
}

func (c *company) newUser(name string) *user {
	return &user{
		ID:            strings.ToLower(accountDomain) + `\` + name,
		AccountName:   name,
		AccountDomain: accountDomain,
		AccountSID:    fmt.Sprintf("S-1-5-21-1745760036-109187956-72051607-%d", 1101+len(c.users)),
		principalName: name + "@" + domain,
		objectID:      c.draws.guid(),
	}
}

func (c *company) userNamed(name string) *user {
	i := slices.IndexFunc(c.users, func(u *user) bool { return strings.EqualFold(u.AccountName, name) })
	if i < 0 {
		return nil
	}
	return c.users[i]
}

// operatingSystem is one that machines of the tenant have.
type operatingSystem struct {
	platform, version string
	build             int64 // 0 where the service returns none
	product           string
}

var (
	windows11  = operatingSystem{"Windows11", "24H2", 26100, "microsoft-_-windows_11"}
	windows10  = operatingSystem{"Windows10", "22H2", 19045, "microsoft-_-windows_10"}
	server2022 = operatingSystem{"WindowsServer2022", "21H2", 20348, "microsoft-_-windows_server_2022"}
	server2019 = operatingSystem{"WindowsServer2019", "1809", 17763, "microsoft-_-windows_server_2019"}
	ubuntu     = operatingSystem{"Linux", "24.4", 0, "canonical-_-ubuntu_linux"}
	macOS      = operatingSystem{"macOS", "15.6", 0, "apple-_-macos"}
)

func (m *machine) isWindows() bool { return strings.HasPrefix(m.OSPlatform, "Windows") }

// deviceGroup is a device group, which access and indicators can be limited to.
type deviceGroup struct {
	id   int64
	name string
}

var (
	workstations = deviceGroup{140, "Workstations"}
	servers      = deviceGroup{141, "Servers"}
	tier0        = deviceGroup{142, "Tier 0"}
	macAndLinux  = deviceGroup{143, "Mac and Linux"}
	deviceGroups = []deviceGroup{workstations, servers, tier0, macAndLinux}
)

// inventory lists the machines of the company in the order of the API. Machines that do not report come last.
var inventory = []struct {
	prefix string
	count  int
	system operatingSystem
	group  deviceGroup
	value  string
	tags   []string
	health string
}{
	{"fin-nb", 4, windows11, workstations, "High", []string{"Finance"}, "Active"},
	{"sal-nb", 5, windows11, workstations, "Normal", []string{"Sales", "Travels"}, "Active"},
	{"eng-ws", 6, windows11, workstations, "Normal", []string{"Engineering"}, "Active"},
	{"hr-nb", 2, windows11, workstations, "High", []string{"HR"}, "Active"},
	{"ops-nb", 3, windows10, workstations, "Normal", []string{"Operations"}, "Active"},
	{"dc", 2, server2022, tier0, "High", []string{"Domain controller", "No automation"}, "Active"},
	{"fs", 1, server2022, servers, "High", []string{"File server"}, "Active"},
	{"sql", 1, server2022, servers, "High", []string{"Database"}, "Active"},
	{"rds", 1, server2022, servers, "Normal", []string{}, "Active"},
	{"backup", 1, server2022, servers, "High", []string{"Backup"}, "Active"},
	{"mail", 1, server2019, servers, "High", []string{"Internet facing"}, "Active"},
	{"print", 1, server2019, servers, "Low", []string{}, "Active"},
	{"web", 1, ubuntu, macAndLinux, "High", []string{"Internet facing"}, "Active"},
	{"git", 1, ubuntu, macAndLinux, "High", []string{"Engineering"}, "Active"},
	{"eng-lnx", 2, ubuntu, macAndLinux, "Normal", []string{"Engineering"}, "Active"},
	{"mkt-mac", 3, macOS, macAndLinux, "Normal", []string{"Marketing"}, "Active"},
	{"lab-ws", 2, windows10, workstations, "Low", []string{"Lab"}, "ImpairedCommunication"},
	{"spare-nb", 2, windows11, workstations, "Low", []string{"Spare"}, "Inactive"},
	{"kiosk", 1, windows10, workstations, "Low", []string{}, "NoSensorData"},
}

// equip buys the machines, and assigns each employee the next one of the department.
func (c *company) equip() {
	waiting := map[string][]*user{}
	for i, e := range employees {
		waiting[e.department] = append(waiting[e.department], c.users[i])
	}
	for _, lot := range inventory {
		for n := range lot.count {
			m := c.newMachine(fmt.Sprintf("%s-%02d", lot.prefix, n+1), lot.system, lot.group)
			m.DeviceValue, m.HealthStatus, m.MachineTags = lot.value, lot.health, slices.Clone(lot.tags)
			if lot.health == "Inactive" {
				m.LastSeen = at(c.started.Add(-12*day - c.draws.span(8*day)))
			}
			if department, _, _ := strings.Cut(lot.prefix, "-"); len(waiting[department]) > 0 && strings.Contains(lot.prefix, "-") {
				m.owner, waiting[department] = waiting[department][0], waiting[department][1:]
			}
			c.machines = append(c.machines, m)
		}
	}
	last := c.machines[len(c.machines)-1]
	last.OnboardingStatus, last.AgentVersion, last.RiskScore, last.ExposureLevel = "CanBeOnboarded", "", "None", "None"
}

// newMachine is a machine that reports, with no more risk than any other.
func (c *company) newMachine(name string, s operatingSystem, group deviceGroup) *machine {
	n := len(c.machines)
	local := fmt.Sprintf("10.20.%d.%d", group.id-139+int64(n/200), 10+n%200)
	mac := strings.ToUpper("8cec4b" + c.draws.hex(6))
	m := &machine{
		ID:                    c.draws.hex(40),
		ComputerDNSName:       name + "." + domain,
		FirstSeen:             at(c.started.Add(-90*day - c.draws.span(600*day))),
		LastSeen:              at(c.started.Add(-time.Minute - c.draws.span(20*time.Hour))),
		OSPlatform:            s.platform,
		OSProcessor:           "x64",
		Version:               s.version,
		LastIPAddress:         local,
		LastExternalIPAddress: officeIP,
		AgentVersion:          "10.8795.26100.5074",
		HealthStatus:          "Active",
		DeviceValue:           "Normal",
		RBACGroupID:           group.id,
		RBACGroupName:         optional(group.name),
		RiskScore:             "None",
		ExposureLevel:         pick(c.draws, []string{"Low", "Low", "Medium", "High"}),
		MachineTags:           []string{},
		OnboardingStatus:      "Onboarded",
		OSArchitecture:        "64-bit",
		ManagedBy:             "Unknown",
		ManagedByStatus:       "Unknown",
		IPAddresses: []ipAddress{
			{local, optional(mac), "Ethernet", "Up"},
			{"fe80::" + c.draws.hex(4) + ":4cf9:1", optional(mac), "Ethernet", "Up"},
			{"127.0.0.1", "", "SoftwareLoopback", "Up"},
		},
	}
	if s.build != 0 {
		m.OSBuild = new(s.build)
	}
	if s == windows11 || s == windows10 {
		m.IsAADJoined, m.AADDeviceID = true, optional(c.draws.guid())
		m.ManagedBy, m.ManagedByStatus = "Intune", "Success"
	}
	return m
}

// logon is who was seen on which machine, and how.
type logon struct {
	user        *user
	machine     *machine
	first, last time.Time
	kinds       string
}

// logOn has everyone work on their machine, administrators on the servers, and services connect to them.
func (c *company) logOn() {
	admins := where(c.users, func(u *user) bool { return u.IsDomainAdmin })
	services := where(c.users, func(u *user) bool { return u.IsOnlyNetworkUser })
	for _, m := range c.machines {
		switch {
		case m.owner != nil:
			c.sawLogon(m.owner, m, "Interactive")
			if c.draws.chance(4) {
				c.sawLogon(pick(c.draws, admins), m, "RemoteInteractive")
			}
		case m.isWindows():
			c.sawLogon(admins[0], m, "RemoteInteractive, Network")
			c.sawLogon(pick(c.draws, services), m, "Network")
		default:
			c.sawLogon(admins[1], m, "Network")
		}
	}
	for _, u := range c.users {
		mine := where(c.logons, func(l logon) bool { return l.user == u })
		u.LogOnMachinesCount = len(mine)
		kinds := ""
		for _, l := range mine {
			if u.FirstSeen.IsZero() || l.first.Before(u.FirstSeen.Time) {
				u.FirstSeen = at(l.first)
			}
			if l.last.After(u.LastSeen.Time) {
				u.LastSeen = at(l.last)
			}
			if len(l.kinds) > len(kinds) {
				kinds = l.kinds
			}
		}
		u.LogonTypes = kinds
		if len(mine) > 0 {
			u.MostPrevalentMachineID, u.LeastPrevalentMachine = mine[0].machine.ID, mine[len(mine)-1].machine.ID
		}
	}
}

func (c *company) sawLogon(u *user, m *machine, kinds string) {
	last := m.LastSeen.Add(-c.draws.span(6 * time.Hour))
	c.logons = append(c.logons, logon{u, m, last.Add(-day - c.draws.span(60*day)), last, kinds})
}
