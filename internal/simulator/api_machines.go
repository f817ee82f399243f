package simulator

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

var machineCollection = collection{
	name: "Machines",
	filterable: []string{
		"computerDnsName", "id", "version", "deviceValue", "aadDeviceId", "machineTags", "lastSeen", "exposureLevel",
		"onboardingStatus", "lastIpAddress", "healthStatus", "osPlatform", "riskScore", "rbacGroupId",
	},
}

func (c *company) listMachines(call *call) (reply, *apiError) {
	return list(c, call, c.machines, machineCollection)
}

func (c *company) getMachine(_ *call, m *machine) (reply, *apiError) {
	return reply{http.StatusOK, c.single("Machines", m)}, nil
}

// The search by IP address looks at machines seen within seenWithin either side of the time, and no further back than
// searchable.
const (
	seenWithin = 15 * time.Minute
	searchable = 30 * day
)

func (c *company) findMachinesByIP(call *call) (reply, *apiError) {
	ip, failure := readIP(call.arguments["ip"])
	if failure != nil {
		return reply{}, failure
	}
	when, err := time.Parse(time.RFC3339Nano, call.arguments["time"])
	if err != nil {
		return reply{}, invalid("The timestamp %q is not a date and time.", call.arguments["time"])
	}
	if call.now.Sub(when) > searchable {
		return reply{}, invalid("The timestamp must not be older than 30 days.")
	}
	return list(c, call, where(c.machines, func(m *machine) bool {
		return m.LastSeen.Sub(when).Abs() <= seenWithin && m.hasAddress(ip)
	}), machineCollection)
}

func readIP(text string) (netip.Addr, *apiError) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, &apiError{http.StatusBadRequest, "InvalidIpAddress", "The value " + strconv.Quote(text) + " is not an IP address."}
	}
	return ip, nil
}

func (m *machine) hasAddress(ip netip.Addr) bool {
	return m.LastIPAddress == ip.String() || slices.ContainsFunc(m.IPAddresses, func(a ipAddress) bool { return a.IPAddress == ip.String() })
}

func (c *company) findMachinesByTag(call *call) (reply, *apiError) {
	tag, prefix := call.query.Get("tag"), false
	if tag == "" {
		return reply{}, missing("tag")
	}
	if text := call.query.Get("useStartsWithFilter"); text != "" {
		var err error
		if prefix, err = strconv.ParseBool(text); err != nil {
			return reply{}, invalid("The value %q of useStartsWithFilter is neither true nor false.", text)
		}
	}
	return list(c, call, where(c.machines, func(m *machine) bool {
		return slices.ContainsFunc(m.MachineTags, func(t string) bool {
			return t == tag || prefix && strings.HasPrefix(t, tag)
		})
	}), machineCollection)
}

// readTagging reads which tag to add or remove.
func readTagging(body fields) (tag string, remove bool, failure *apiError) {
	if tag, failure = body.text("Value"); failure != nil {
		return "", false, failure
	}
	action, failure := body.choice("Action", "", "Add", "Remove")
	return tag, action == "Remove", failure
}

func (m *machine) tag(tag string, remove bool) {
	// The list is replaced, not changed in place: an answer may still hold the old one.
	tags := where(m.MachineTags, func(t string) bool { return t != tag })
	if !remove {
		tags = append(tags, tag)
	}
	m.MachineTags = tags
}

func (c *company) tagMachine(_ *call, m *machine, body fields) (reply, *apiError) {
	tag, remove, failure := readTagging(body)
	if failure != nil {
		return reply{}, failure
	}
	m.tag(tag, remove)
	return reply{http.StatusOK, c.single("Machines", m)}, nil
}

// maxBatch is how many objects one call may have: machines to tag
// (https://learn.microsoft.com/defender-endpoint/api/add-or-remove-multiple-machine-tags), indicators to import
// (https://learn.microsoft.com/defender-endpoint/api/import-ti-indicators) or to delete
// (https://learn.microsoft.com/defender-endpoint/api/batch-delete-ti-indicators).
const maxBatch = 500

func (c *company) tagMachines(_ *call, body fields) (reply, *apiError) {
	tag, remove, failure := readTagging(body)
	if failure != nil {
		return reply{}, failure
	}
	ids, failure := body.batch("MachineIds")
	if failure != nil {
		return reply{}, failure
	}
	machines := make([]*machine, len(ids))
	for i, id := range ids {
		if machines[i], failure = c.machineNamed(id); failure != nil {
			return reply{}, failure
		}
	}
	for _, m := range machines {
		m.tag(tag, remove)
	}
	return reply{status: http.StatusOK}, nil
}

// batch reads a list of ids that is not empty and not longer than a call may have.
func (f fields) batch(name string) ([]string, *apiError) {
	var ids []string
	if failure := f.read(name, &ids); failure != nil {
		return nil, failure
	}
	return ids, checkBatch(name, len(ids))
}

func checkBatch(name string, count int) *apiError {
	if count == 0 {
		return missing(name)
	}
	if count > maxBatch {
		return &apiError{http.StatusBadRequest, "MaximumBatchSizeExceeded", fmt.Sprintf("%s has more than %d items.", name, maxBatch)}
	}
	return nil
}

var deviceValues = []string{"Normal", "Low", "High"}

// updateMachine sets tags and value. The tags given take the place of those there are.
func (c *company) updateMachine(_ *call, m *machine, body fields) (reply, *apiError) {
	tags := m.MachineTags
	if failure := body.read("machineTags", &tags); failure != nil {
		return reply{}, failure
	}
	value, failure := body.choice("deviceValue", m.DeviceValue, deviceValues...)
	if failure != nil {
		return reply{}, failure
	}
	m.MachineTags, m.DeviceValue = tags, value
	return reply{http.StatusOK, c.single("Machines", m)}, nil
}

func (c *company) setDeviceValue(_ *call, m *machine, body fields) (reply, *apiError) {
	value, failure := body.choice("DeviceValue", "", deviceValues...)
	if failure != nil {
		return reply{}, failure
	}
	m.DeviceValue = value
	return reply{http.StatusOK, c.single("Machines", m)}, nil
}

// listMachineUsers returns each user with what was seen on this machine.
func (c *company) listMachineUsers(call *call, m *machine) (reply, *apiError) {
	users := []*user{}
	for _, l := range c.logons {
		if l.machine == m {
			here := *l.user
			here.FirstSeen, here.LastSeen, here.LogonTypes = at(l.first), at(l.last), l.kinds
			users = append(users, &here)
		}
	}
	return list(c, call, users, collection{name: "Users"})
}

func (c *company) listMachineAlerts(call *call, m *machine) (reply, *apiError) {
	return c.alertsWhere(call, func(a *alert) bool { return a.MachineID == m.ID })
}

func (c *company) countMachineAlerts(call *call, m *machine) (reply, *apiError) {
	return countOf(call, where(c.alerts, func(a *alert) bool { return a.MachineID == m.ID }), alertCollection)
}
