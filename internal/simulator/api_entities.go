package simulator

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The numbers of digits of the hashes that the API knows.
const (
	md5Length    = 32
	sha1Length   = 40
	sha256Length = 64
)

// isHash returns a check for a hash with that number of digits.
func isHash(digits int) func(string) bool {
	return func(value string) bool {
		return len(value) == digits && strings.Trim(value, "0123456789abcdefABCDEF") == ""
	}
}

// isDomain reports whether a text is a domain name of at least two labels, the last of which is not a number.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	wrong := slices.ContainsFunc(labels, func(label string) bool {
		outside := strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' })
		return label == "" || len(label) > 63 || outside || label != strings.Trim(label, "-")
	})
	return len(labels) > 1 && !wrong && strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

// checkHash is for the operations that take a file by its SHA-1 or SHA-256, and not by its MD5
// (https://learn.microsoft.com/defender-endpoint/api/get-file-information).
func checkHash(hash string) *apiError {
	if !isHash(sha1Length)(hash) && !isHash(sha256Length)(hash) {
		return &apiError{http.StatusBadRequest, "InvalidHashValue", "The value " + strconv.Quote(hash) + " is not a SHA-1 or a SHA-256."}
	}
	return nil
}

// checkSHA1 is for the operations that take no other hash.
func checkSHA1(hash string) *apiError {
	if failure := checkHash(hash); failure != nil {
		return failure
	}
	if len(hash) != sha1Length {
		return &apiError{http.StatusBadRequest, "InvalidHashValue", "Only a SHA-1 is supported here."}
	}
	return nil
}

func checkDomain(name string) *apiError {
	if !isDomain(name) {
		return &apiError{http.StatusBadRequest, "InvalidDomainName", "The value " + strconv.Quote(name) + " is not a domain name."}
	}
	return nil
}

// fileWith finds a file by its SHA-1 or SHA-256.
func (c *company) fileWith(hash string) (*file, *apiError) {
	if failure := checkHash(hash); failure != nil {
		return nil, failure
	}
	for _, f := range c.files {
		if hash = strings.ToLower(hash); f.SHA1 == hash || f.SHA256 == hash {
			return f, nil
		}
	}
	return nil, notFound("File", hash)
}

func (c *company) getFile(call *call) (reply, *apiError) {
	f, failure := c.fileWith(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	return reply{http.StatusOK, c.single("Files", f)}, nil
}

func (c *company) listFileAlerts(call *call) (reply, *apiError) {
	if failure := checkSHA1(call.arguments["id"]); failure != nil {
		return reply{}, failure
	}
	f, failure := c.fileWith(call.arguments["id"])
	return c.alertsWhere(call, func(a *alert) bool { return failure == nil && a.mentions(f) })
}

func (c *company) listFileMachines(call *call) (reply, *apiError) {
	if failure := checkSHA1(call.arguments["id"]); failure != nil {
		return reply{}, failure
	}
	f, failure := c.fileWith(call.arguments["id"])
	machines := []*machine{}
	for _, s := range c.sightings {
		if failure == nil && s.file == f {
			machines = append(machines, s.machine)
		}
	}
	return list(c, call, machines, machineCollection)
}

// maxLookBack is the limit of lookBackHours, and its default (https://learn.microsoft.com/defender-endpoint/api/get-file-statistics).
const maxLookBack = 720

// lookBack reads how far back statistics go.
func (c *call) lookBack() (time.Time, *apiError) {
	hours := maxLookBack
	if text := c.query.Get("lookBackHours"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLookBack {
			return time.Time{}, invalid("lookBackHours is a number from 1 to %d, not %q.", maxLookBack, text)
		}
		hours = n
	}
	return c.now.Add(-time.Duration(hours) * time.Hour), nil
}

// presence sums up where and when something was seen.
type presence struct {
	since       time.Time // what was last seen before does not count as present
	machines    []*machine
	first, last time.Time
}

func (p *presence) add(m *machine, first, last time.Time) {
	if p.first.IsZero() || first.Before(p.first) {
		p.first = first
	}
	if last.After(p.last) {
		p.last = last
	}
	if !last.Before(p.since) && !slices.Contains(p.machines, m) {
		p.machines = append(p.machines, m)
	}
}

func (c *company) getFileStatistics(call *call) (reply, *apiError) {
	f, failure := c.fileWith(call.arguments["id"])
	if failure != nil {
		return reply{}, failure
	}
	since, failure := call.lookBack()
	if failure != nil {
		return reply{}, failure
	}
	seen := presence{since: since}
	for _, s := range c.sightings {
		if s.file == f {
			seen.add(s.machine, s.first, s.last)
		}
	}
	count := len(seen.machines)
	return reply{http.StatusOK, fileStatistics{
		Context: c.context("microsoft.windowsDefenderATP.api.InOrgFileStats"), SHA1: f.SHA1,
		OrgPrevalence: strconv.Itoa(count), OrganizationPrevalence: count,
		OrgFirstSeen: at(seen.first.Truncate(time.Second)), OrgLastSeen: at(seen.last.Truncate(time.Second)),
		GlobalPrevalence: strconv.FormatInt(f.GlobalPrevalence, 10), GloballyPrevalence: f.GlobalPrevalence,
		GlobalFirstObserved: f.GlobalFirstObserved, GlobalLastObserved: f.GlobalLastObserved,
		TopFileNames: []string{f.name},
	}}, nil
}

// connectionsTo are the connections to a host or to an address, the other one being empty.
func (c *company) connectionsTo(host, ip string) []connection {
	return where(c.connections, func(n connection) bool {
		return host != "" && strings.EqualFold(n.host, host) || ip != "" && n.ip == ip
	})
}

func (c *company) destinationStatistics(call *call, host, ip string) (reply, *apiError) {
	since, failure := call.lookBack()
	if failure != nil {
		return reply{}, failure
	}
	seen := presence{since: since}
	for _, n := range c.connectionsTo(host, ip) {
		seen.add(n.machine, n.time, n.time)
	}
	if seen.first.IsZero() {
		return reply{}, notFound("Destination", cmp.Or(host, ip))
	}
	kind := "InOrgIPStats"
	if host != "" {
		kind = "InOrgDomainStats"
	}
	return reply{http.StatusOK, destinationStatistics{
		Context: c.context("microsoft.windowsDefenderATP.api." + kind), Host: host, IPAddress: ip,
		OrgPrevalence: strconv.Itoa(len(seen.machines)), OrganizationPrevalence: len(seen.machines),
		OrgFirstSeen: at(seen.first.Truncate(time.Second)), OrgLastSeen: at(seen.last.Truncate(time.Second)),
	}}, nil
}

func (c *company) listDomainAlerts(call *call) (reply, *apiError) {
	host := call.arguments["domain"]
	if failure := checkDomain(host); failure != nil {
		return reply{}, failure
	}
	return c.alertsWhere(call, func(a *alert) bool {
		return slices.ContainsFunc(a.Evidence, func(e evidence) bool { return strings.EqualFold(e.host(), host) })
	})
}

// maxDomainMachines is how many machines of a domain are listed at most
// (https://learn.microsoft.com/defender-endpoint/api/get-domain-related-machines).
const maxDomainMachines = 500

func (c *company) listDomainMachines(call *call) (reply, *apiError) {
	host := call.arguments["domain"]
	if failure := checkDomain(host); failure != nil {
		return reply{}, failure
	}
	var seen presence
	for _, n := range c.connectionsTo(host, "") {
		seen.add(n.machine, n.time, n.time)
	}
	return list(c, call, seen.machines[:min(len(seen.machines), maxDomainMachines)], machineCollection)
}

func (c *company) getDomainStatistics(call *call) (reply, *apiError) {
	host := call.arguments["domain"]
	if failure := checkDomain(host); failure != nil {
		return reply{}, failure
	}
	return c.destinationStatistics(call, host, "")
}

func (c *company) listIPAlerts(call *call) (reply, *apiError) {
	ip, failure := readIP(call.arguments["ip"])
	if failure != nil {
		return reply{}, failure
	}
	return c.alertsWhere(call, func(a *alert) bool {
		return slices.ContainsFunc(a.Evidence, func(e evidence) bool { return string(e.IPAddress) == ip.String() })
	})
}

func (c *company) getIPStatistics(call *call) (reply, *apiError) {
	ip, failure := readIP(call.arguments["ip"])
	if failure != nil {
		return reply{}, failure
	}
	return c.destinationStatistics(call, "", ip.String())
}

// listUserAlerts knows a user by the account name; a user principal name finds nothing.
func (c *company) listUserAlerts(call *call) (reply, *apiError) {
	return c.alertsWhere(call, func(a *alert) bool {
		return a.RelatedUser != nil && strings.EqualFold(a.RelatedUser.UserName, call.arguments["id"])
	})
}

func (c *company) listUserMachines(call *call) (reply, *apiError) {
	machines := []*machine{}
	for _, l := range c.logons {
		if strings.EqualFold(l.user.AccountName, call.arguments["id"]) {
			machines = append(machines, l.machine)
		}
	}
	return list(c, call, machines, machineCollection)
}
