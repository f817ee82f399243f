package simulator

import (
	"fmt"
	"strings"
)

// fleet describes the machines of a larger company beyond the inventory, as shares of a hundred machines.
var fleet = []struct {
	prefix string
	share  int
	system operatingSystem
	group  deviceGroup
	tag    string
}{
	{"ws", 52, windows11, workstations, "Office"},
	{"nb", 18, windows10, workstations, "Travels"},
	{"mac", 8, macOS, macAndLinux, "Marketing"},
	{"app", 9, server2022, servers, "Application"},
	{"srv", 5, server2019, servers, "File server"},
	{"lnx", 8, ubuntu, macAndLinux, "Engineering"},
}

// populate makes the machines of a larger company, the first time that somebody asks for them: a tenant of 100,000 machines starts
// as fast as a small one. They follow from the seed, and what is drawn for them disturbs no other draw.
func (c *company) populate() {
	if c.size <= len(c.machines) || c.populated {
		return
	}
	c.populated = true
	draws := c.draws
	c.draws = newSource(c.seed, "fleet")
	defer func() { c.draws = draws }()
	fitting := map[string][]*product{}
	for _, lot := range fleet {
		fitting[lot.prefix] = where(c.catalog, func(p *product) bool { return p.runsOn(lot.system.platform) })
	}
	owners := where(c.users, func(u *user) bool { return !u.IsDomainAdmin && !u.IsOnlyNetworkUser })
	for n := len(c.machines); n < c.size; n++ {
		m, prefix := c.anotherMachine(n, owners)
		for _, p := range fitting[prefix] {
			if p.spread == 0 || c.draws.chance(4) {
				m.installed = append(m.installed, installation{p, c.draws.IntN(len(p.versions))})
			}
		}
		c.machines = append(c.machines, m)
	}
	c.countExposed()
}

// anotherMachine draws the nth machine, and says of which lot of the fleet it is.
func (c *company) anotherMachine(n int, owners []*user) (made *machine, prefix string) {
	share, lot := c.draws.IntN(100), fleet[0]
	for _, lot = range fleet {
		if share -= lot.share; share < 0 {
			break
		}
	}
	m := c.newMachine(fmt.Sprintf("%s-%06d", lot.prefix, n+1), lot.system, lot.group)
	m.LastIPAddress = fmt.Sprintf("10.%d.%d.%d", 64+n/62500, n/250%250, 1+n%250)
	m.IPAddresses[0].IPAddress = m.LastIPAddress
	m.MachineTags = []string{lot.tag}
	switch {
	case c.draws.chance(25):
		m.HealthStatus, m.LastSeen = "Inactive", at(c.started.Add(-8*day-c.draws.span(20*day)))
	case c.draws.chance(100):
		m.HealthStatus = "ImpairedCommunication"
	}
	if lot.group == workstations || lot.system == macOS {
		m.owner = owners[n%len(owners)]
	}
	return m, lot.prefix
}

// find returns the machine of an id or of a name, both in small letters.
func (c *company) find(name string) *machine {
	if c.indexed != len(c.machines) {
		c.index = make(map[string]*machine, 2*len(c.machines))
		for _, m := range c.machines {
			c.index[strings.ToLower(m.ID)], c.index[strings.ToLower(m.ComputerDNSName)] = m, m
		}
		c.indexed = len(c.machines)
	}
	return c.index[name]
}

// Size returns the number of machines of the tenant.
func (t *Tenant) Size() int {
	t.company.mu.Lock()
	defer t.company.mu.Unlock()
	t.company.populate()
	return len(t.company.machines)
}
