package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// alertCount is how many alerts the company starts with, over the last alertSpan.
	alertCount = 120
	alertSpan  = 14 * day
)

// scenario is a kind of detection. Its evidence is a list of entities.
type scenario struct {
	title, description string
	severity           string
	category           string
	source             string // detectionSource
	family, threat     string
	techniques         []string
	platforms          []string
	evidence           []entity
}

// entity is one piece of evidence; every text may name the user as {user}.
type entity struct {
	kind    string // entityType
	file    string // of a file or a process
	command string
	parent  string // file of the parent process
	ip      string
	url     string
	hive    string // of a registry value
	key     string
	value   string
}

// theUser is the user of the machine.
var theUser = entity{kind: "User"}

var scenarios = []scenario{
	{
		"Suspicious PowerShell command line", "A process started PowerShell with an encoded command, which is common for malware that wants to stay unread.",
		"Medium", "Execution", "WindowsDefenderAtp", "", "",
		[]string{"T1059.001", "T1027"},
		onWindows,
		[]entity{
			{kind: "Process", file: "powershell.exe", command: "powershell.exe -NoP -W Hidden -Enc SQBFAFgAIAAoAG4AZQB3AC0AbwBiAGoAZQBjAHQAKQA=", parent: "winword.exe"},
			{kind: "File", file: "invoice_8841.docm"},
			theUser,
			{kind: "Url", url: "https://" + payloadHost + "/s/stage1.ps1"},
		},
	},
	{
		"Document with macros starts a command shell", "Microsoft Word started a command shell shortly after a document from the internet was opened.",
		"High", "InitialAccess", "WindowsDefenderAtp", "", "",
		[]string{"T1566.001", "T1204.002"},
		onWindows,
		[]entity{
			{kind: "Process", file: "cmd.exe", command: `cmd.exe /c "powershell -w hidden -f %TEMP%\a.ps1"`, parent: "winword.exe"},
			{kind: "File", file: "invoice_8841.docm"},
			theUser,
		},
	},
	{
		"'Beacon' malware was prevented", "Microsoft Defender Antivirus removed a file of a family that gives an attacker control over the machine.",
		"Low", "Malware", "WindowsDefenderAv", "Beacon", "Trojan:Win64/Beacon.C!dha",
		[]string{},
		onWindows,
		[]entity{{kind: "File", file: "updater_helper.exe"}, theUser},
	},
	{
		"Connection to a command and control server", "A process connects to an address that is known to control infected machines.",
		"High", "CommandAndControl", "WindowsDefenderAtp", "Beacon", "",
		[]string{"T1071.001", "T1573"},
		onWindows,
		[]entity{
			{kind: "Process", file: "updater_helper.exe", command: `"C:\ProgramData\UpdateHelper\updater_helper.exe" /svc`, parent: "services.exe"},
			{kind: "Ip", ip: controlIP},
			{kind: "Url", url: "https://" + controlHost + "/v2/report"},
			theUser,
		},
	},
	{
		"Memory of LSASS was read", "A tool read the memory of the process that holds the credentials of everyone who is signed in.",
		"High", "CredentialAccess", "WindowsDefenderAtp", "", "",
		[]string{"T1003.001"},
		onWindows,
		[]entity{
			{kind: "Process", file: "procdump64.exe", command: `procdump64.exe -accepteula -ma lsass.exe C:\Windows\Temp\l.dmp`, parent: "cmd.exe"},
			{kind: "File", file: "mimi.dll"},
			theUser,
		},
	},
	{
		"Unusual scheduled task", "A scheduled task was made that starts a program from a folder which everyone may write to.",
		"Medium", "Persistence", "WindowsDefenderAtp", "", "",
		[]string{"T1053.005"},
		onWindows,
		[]entity{
			{kind: "Process", file: "schtasks.exe", command: `schtasks /create /sc minute /mo 15 /tn "Update Helper" /tr C:\ProgramData\UpdateHelper\updater_helper.exe /ru SYSTEM`, parent: "cmd.exe"},
			{kind: "File", file: "updater_helper.exe"},
			theUser,
		},
	},
	{
		"Program added to an autostart registry key", "A program was registered to start whenever the user signs in.",
		"Low", "Persistence", "WindowsDefenderAtp", "", "",
		[]string{"T1547.001"},
		onWindows,
		[]entity{
			{kind: "Process", file: "reg.exe", command: `reg add HKCU\Software\Microsoft\Windows\CurrentVersion\Run /v UpdateHelper /d C:\ProgramData\UpdateHelper\updater_helper.exe /f`, parent: "cmd.exe"},
			{kind: "Registry", hive: "CURRENT_USER", key: `SOFTWARE\Microsoft\Windows\CurrentVersion\Run`, value: `C:\ProgramData\UpdateHelper\updater_helper.exe`},
			theUser,
		},
	},
	{
		"Remote execution on another machine", "A tool for administrators started a process on another machine over the network.",
		"Medium", "LateralMovement", "WindowsDefenderAtp", "", "",
		[]string{"T1021.002", "T1569.002"},
		onWindows,
		[]entity{
			{kind: "Process", file: "PsExec64.exe", command: `PsExec64.exe \\fs-01 -s cmd.exe`, parent: "cmd.exe"},
			{kind: "Ip", ip: "10.20.2.32"},
			theUser,
		},
	},
	{
		"Volume shadow copies were deleted", "Backups of the system were deleted, as ransomware does before it encrypts.",
		"High", "Ransomware", "WindowsDefenderAtp", "LockData", "Ransom:Win64/LockData.A",
		[]string{"T1490", "T1486"},
		onWindows,
		[]entity{
			{kind: "Process", file: "vssadmin.exe", command: "vssadmin.exe delete shadows /all /quiet", parent: "cmd.exe"},
			{kind: "File", file: "lockdata.exe"},
			theUser,
		},
	},
	{
		"The security event log was cleared", "A process cleared an event log, which hides what happened before.",
		"Medium", "DefenseEvasion", "WindowsDefenderAtp", "", "",
		[]string{"T1070.001"},
		onWindows,
		[]entity{{kind: "Process", file: "wevtutil.exe", command: "wevtutil.exe cl Security", parent: "powershell.exe"}, theUser},
	},
	{
		"Control of user accounts was bypassed", "A process started another one with higher rights without the user being asked.",
		"Medium", "PrivilegeEscalation", "WindowsDefenderAtp", "", "",
		[]string{"T1548.002"},
		onWindows,
		[]entity{
			{kind: "Process", file: "fodhelper.exe", command: "fodhelper.exe", parent: "powershell.exe"},
			{kind: "Registry", hive: "CURRENT_USER", key: `SOFTWARE\Classes\ms-settings\Shell\Open\command`, value: `C:\ProgramData\UpdateHelper\updater_helper.exe`},
			theUser,
		},
	},
	{
		"Potentially unwanted program was blocked", "An installer that brings other programs along was blocked.",
		"Informational", "UnwantedSoftware", "WindowsDefenderAv", "FusionCore", "PUA:Win32/FusionCore",
		[]string{},
		onWindows,
		[]entity{{kind: "File", file: "pdfconvert_setup.exe"}, theUser},
	},
	{
		"Antivirus test file was detected", "A file that exists to test antivirus programs was found and removed.",
		"Informational", "Malware", "WindowsDefenderAv", "EICAR_Test_File", "Virus:DOS/EICAR_Test_File",
		[]string{},
		onWindows,
		[]entity{{kind: "File", file: "eicar.com"}, theUser},
	},
	{
		"Sign-in page that imitates the company", "A user opened a page that looks like the company's sign-in and asks for a password.",
		"Medium", "InitialAccess", "OfficeATP", "", "",
		[]string{"T1566.002"},
		onWindows,
		[]entity{{kind: "Url", url: "https://" + phishingHost + "/signin?u={user}"}, {kind: "Ip", ip: phishingIP}, theUser},
	},
	{
		"Administrators were counted (custom detection)", "The company's own rule: someone asked for the members of the group of domain administrators.",
		"Low", "Discovery", "CustomDetection", "", "",
		[]string{"T1069.002"},
		onWindows,
		[]entity{{kind: "Process", file: "net1.exe", command: `net1 group "Domain Admins" /domain`, parent: "cmd.exe"}, theUser},
	},
	{
		"Indicator of the company was seen", "A file or address that the company listed as an indicator was seen.",
		"Informational", "SuspiciousActivity", "CustomerTI", "", "",
		[]string{},
		onWindows,
		[]entity{{kind: "Ip", ip: payloadIP}, {kind: "Url", url: "http://" + payloadHost + "/"}, theUser},
	},
	{
		"Cryptocurrency miner", "A process uses the machine to mine a cryptocurrency and connects to a mining pool.",
		"Medium", "Malware", "WindowsDefenderAtp", "CoinMiner", "Trojan:Linux/CoinMiner.K",
		[]string{"T1496"},
		onLinux,
		[]entity{
			{kind: "Process", file: "kworkerd", command: "/var/tmp/.x/kworkerd -o " + miningHost + ":3333", parent: "bash"},
			{kind: "Ip", ip: miningIP},
			{kind: "Url", url: "stratum+tcp://" + miningHost + ":3333"},
			theUser,
		},
	},
	{
		"Many failed sign-ins over SSH", "Somebody tried many passwords over SSH, and one of them worked.",
		"High", "CredentialAccess", "WindowsDefenderAtp", "", "",
		[]string{"T1110.001", "T1021.004"},
		onLinux,
		[]entity{{kind: "Process", file: "sshd", command: "sshd: {user} [priv]", parent: "sshd"}, {kind: "Ip", ip: payloadIP}, theUser},
	},
	{
		"Program asks for the password with a window of its own", "A program showed a window that looks like the system's and asks for a password.",
		"Medium", "CredentialAccess", "WindowsDefenderAtp", "Sync", "Trojan:MacOS/Sync.B",
		[]string{"T1056.002"},
		onMac,
		[]entity{
			{kind: "Process", file: "osascript", command: `osascript -e 'display dialog "System update" default answer "" with hidden answer'`, parent: "AppSync"},
			{kind: "File", file: "AppSync"},
			theUser,
		},
	},
}

// raiseAlerts raises n alerts over the company's last two weeks, the newest close to now. Every eighth one has the
// time of creation of the one before it, to the last digit.
func (c *company) raiseAlerts(n int) {
	step := alertSpan / time.Duration(n)
	var previous time.Time
	for i := range n {
		created := c.started.Add(-alertSpan + time.Duration(i)*step + c.draws.span(step))
		if i%8 == 7 {
			created = previous
		}
		previous = created
		c.triage(c.raise(created, i))
	}
}

// raise makes an alert of the time, puts it in front of the list and leaves its traces in the company.
func (c *company) raise(created time.Time, n int) *alert {
	s := scenarios[(n*7+n/len(scenarios))%len(scenarios)]
	m := pick(c.draws, where(c.machines, func(m *machine) bool {
		return m.HealthStatus == "Active" && slices.Contains(s.platforms, m.OSPlatform)
	}))
	return c.raiseOn(m, s, created.UTC().Truncate(tick))
}

func (c *company) raiseOn(m *machine, s scenario, created time.Time) *alert {
	who := c.userOf(m)
	first := created.Add(-2*time.Minute - c.draws.span(20*time.Minute))
	last := first.Add(c.draws.span(time.Minute))
	a := &alert{
		ID:                 c.newAlertID(created),
		IncidentID:         c.incidentFor(m, created),
		Severity:           s.severity,
		Status:             "New",
		InvestigationState: "UnsupportedAlertType",
		DetectionSource:    s.source,
		DetectorID:         newSource(0, s.title).guid(),
		Category:           s.category,
		ThreatFamilyName:   optional(s.family),
		Title:              s.title,
		Description:        s.description,
		AlertCreationTime:  at(created),
		FirstEventTime:     at(first),
		LastEventTime:      at(last),
		LastUpdateTime:     at(created.Add(c.draws.span(2 * time.Second))),
		MachineID:          m.ID,
		ComputerDNSName:    m.ComputerDNSName,
		RBACGroupName:      m.RBACGroupName,
		AADTenantID:        c.tenantID,
		ThreatName:         optional(s.threat),
		MITRETechniques:    s.techniques,
		RelatedUser:        &relatedUser{who.AccountName, who.AccountDomain},
		LoggedOnUsers:      []loggedOnUser{{who.AccountName, who.AccountDomain}},
		Comments:           []alertComment{},
		Evidence:           []evidence{},
		Behaviors:          []string{},
	}
	for _, e := range s.evidence {
		a.Evidence = append(a.Evidence, c.evidenceOf(e, m, who, first))
	}
	m.raiseRisk(a)
	c.insertAlert(a)
	return a
}

// newAlertID is the id of an alert: the ticks of its creation, counted from the year 1, and a number.
func (c *company) newAlertID(created time.Time) string {
	const epoch = 62135596800 // seconds from the year 1 to 1970
	ticks := (created.Unix()+epoch)*int64(time.Second/tick) + int64(created.Nanosecond())/int64(tick)
	return fmt.Sprintf("da%d_%d", ticks, c.draws.Int32())
}

// incidentFor is the incident of an alert: that of an earlier one on the machine within a day, else a new one.
func (c *company) incidentFor(m *machine, created time.Time) int64 {
	for _, a := range c.alerts {
		if a.MachineID == m.ID && created.Sub(a.AlertCreationTime.Time).Abs() < day {
			return a.IncidentID
		}
	}
	c.nextIncident++
	return c.nextIncident
}

// insertAlert keeps the newest alert in front; of equal ones the later made is.
func (c *company) insertAlert(a *alert) {
	i := slices.IndexFunc(c.alerts, func(b *alert) bool { return !b.AlertCreationTime.After(a.AlertCreationTime.Time) })
	if i < 0 {
		i = len(c.alerts)
	}
	c.alerts = slices.Insert(c.alerts, i, a)
}

// userOf is who works on the machine, or the administrator of one that nobody works on.
func (c *company) userOf(m *machine) *user {
	if m.owner != nil {
		return m.owner
	}
	for _, l := range c.logons {
		if l.machine == m {
			return l.user
		}
	}
	return c.users[0]
}

// evidenceOf makes the evidence of an entity, and the traces that it left.
func (c *company) evidenceOf(of entity, m *machine, who *user, when time.Time) evidence {
	e := evidence{EntityType: of.kind, EvidenceCreationTime: at(when.Add(3 * time.Minute)), DetectionStatus: "Detected"}
	if of.kind == "User" || of.kind == "Process" {
		e.AccountName, e.DomainName, e.UserSID = optional(who.AccountName), optional(who.AccountDomain), optional(who.AccountSID)
		e.AADUserID, e.UserPrincipalName = optional(who.objectID), optional(who.principalName)
	}
	if of.file != "" {
		f := c.fileNamed(of.file)
		e.FileName, e.FilePath, e.SHA1, e.SHA256 = optional(f.name), optional(f.folder), optional(f.SHA1), optional(f.SHA256)
		c.sawFile(f, m, when, when)
	}
	if of.kind == "Process" {
		parent := c.fileNamed(of.parent)
		e.ProcessID, e.ParentProcessID = new(2000+c.draws.Int64N(30000)), new(600+c.draws.Int64N(30000))
		e.ProcessCommandLine = optional(strings.ReplaceAll(of.command, "{user}", who.AccountName))
		e.ProcessCreationTime, e.ParentProcessCreationTime = at(when), at(when.Add(-c.draws.span(3*time.Hour)))
		e.ParentProcessFileName, e.ParentProcessFilePath = optional(parent.name), optional(parent.folder)
		c.sawFile(parent, m, when, when)
	}
	if of.kind == "Registry" {
		e.RegistryHive, e.RegistryKey, e.RegistryValueType, e.RegistryValue = optional(of.hive), optional(of.key), "String", optional(of.value)
	}
	e.IPAddress, e.URL = optional(of.ip), optional(strings.ReplaceAll(of.url, "{user}", who.principalName))
	if host := e.host(); host != "" || of.ip != "" {
		c.connections = append(c.connections, connection{m, host, addressOf(host, of.ip), 443, m.client("powershell.exe"), when})
	}
	return e
}

// host is the host of a URL in the evidence.
func (e evidence) host() string { return hostOf(string(e.URL)) }

// hostOf returns the host of a URL, without its port.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	return rest[:strings.IndexAny(rest+"/", ":/?#")]
}

// addressOf is the address behind a host, where none is given.
func addressOf(host, ip string) string {
	known := map[string]string{controlHost: controlIP, phishingHost: phishingIP, miningHost: miningIP, payloadHost: payloadIP}
	if ip == "" {
		return known[host]
	}
	return ip
}

// triage brings an alert into the state that analysts left it in: the older it is, the more they did about it.
func (c *company) triage(a *alert) {
	age := c.started.Sub(a.AlertCreationTime.Time)
	if age < day || c.draws.chance(3) {
		return
	}
	analyst := "soc@" + domain
	a.AssignedTo, a.Status = optional(analyst), "InProgress"
	a.LastUpdateTime = at(a.AlertCreationTime.Add(time.Hour + c.draws.span(4*time.Hour)))
	a.Comments = append(a.Comments, alertComment{"Looked at the process tree.", analyst, a.LastUpdateTime})
	if age < 3*day || c.draws.chance(2) {
		return
	}
	a.Status, a.Classification, a.Determination = "Resolved", "TruePositive", "Malware"
	if a.Severity == "Informational" || a.Severity == "Low" {
		a.Classification, a.Determination = "InformationalExpectedActivity", "SecurityTesting"
	}
	a.LastUpdateTime = at(a.LastUpdateTime.Add(c.draws.span(8 * time.Hour)))
	a.ResolvedTime = a.LastUpdateTime
	a.Comments = append(a.Comments, alertComment{`Closed, see ticket "4711" | done.`, analyst, a.ResolvedTime})
}

// raiseRisk lets the risk of a machine follow its open alerts.
func (m *machine) raiseRisk(a *alert) {
	scale := []string{"None", "Informational", "Low", "Medium", "High"}
	if a.Status != "Resolved" && slices.Index(scale, a.Severity) > slices.Index(scale, m.RiskScore) {
		m.RiskScore = a.Severity
	}
}
