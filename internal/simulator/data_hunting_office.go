package simulator

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// The addresses that the company is reached from and works from.
const (
	officeIP   = "203.0.113.10"
	attackerIP = "198.51.100.23"
	mailIP     = "192.0.2.25"
)

// asAccount are the columns of a user who did something.
func (u *user) asAccount() tuple {
	return tuple{
		"AccountName": u.AccountName, "AccountDomain": u.AccountDomain, "AccountUpn": u.principalName, "AccountSid": u.AccountSID,
		"AccountObjectId": u.objectID, "AccountDisplayName": u.displayName(),
	}
}

// displayName returns the name of an employee, or that of the account.
func (u *user) displayName() string {
	for _, e := range employees {
		if first, last, _ := strings.Cut(e.name, " "); strings.ToLower(first[:1]+strings.ReplaceAll(last, "'", "")) == u.AccountName {
			return e.name
		}
	}
	return u.AccountName
}

func (u *user) department() string {
	for _, e := range employees {
		if e.name == u.displayName() {
			return map[string]string{"fin": "Finance", "sal": "Sales", "eng": "Engineering", "hr": "Human Resources", "ops": "Operations", "mkt": "Marketing"}[e.department]
		}
	}
	return ""
}

// append adds a row to a table of what happened beyond the machines, with those of the details that the table has columns for.
func (h *history) append(table string, when time.Time, details ...tuple) {
	t := tuple{"Timestamp": when.UTC().Truncate(tick)}
	for _, some := range details {
		maps.Copy(t, some)
	}
	if _, given := t["ReportId"]; !given {
		t["ReportId"] = h.draws.guid()
	}
	columns := h.columns[table]
	if columns == nil {
		columns = map[string]bool{}
		for _, c := range columnsOf(table) {
			columns[c.Name] = true
		}
		h.columns[table] = columns
	}
	maps.DeleteFunc(t, func(name string, _ any) bool { return !columns[name] })
	h.events[table] = append(h.events[table], t)
}

// office records what happens in mail and in the cloud, every day and in the attack: the message that brought the document which
// intrusion begins with, the page that asked for a password, and what was done with it.
func (h *history) office() {
	c := h.company
	for i, u := range c.users {
		h.identity(u)
		if u.IsOnlyNetworkUser {
			continue
		}
		for n := range 4 {
			when := c.started.Add(-time.Duration(n*3+1)*day - h.draws.span(10*time.Hour))
			h.mail(when, message{
				from: "news@partner.example", name: "Partner News", to: u, subject: fmt.Sprintf("Weekly news %d", n+1), url: "https://www.partner.example/news",
			})
			h.signIn(when.Add(-time.Hour), u, officeIP, "NL", 0)
			h.cloud(when.Add(time.Minute), u, officeIP, "FileAccessed", "Microsoft SharePoint Online", fmt.Sprintf("Report %d.xlsx", (i+n)%7))
		}
	}
	for _, l := range c.logons {
		protocol := "Kerberos"
		if !l.machine.isWindows() {
			protocol = "Ntlm"
		}
		h.append("IdentityLogonEvents", l.last, l.user.asAccount(), tuple{
			"ActionType": "LogonSuccess", "Application": "Active Directory", "LogonType": "Resource access", "Protocol": protocol,
			"DeviceName": l.machine.ComputerDNSName, "OSPlatform": l.machine.OSPlatform, "IPAddress": l.machine.LastIPAddress,
			"DestinationDeviceName": "dc-01." + domain, "TargetDeviceName": l.machine.ComputerDNSName,
		})
	}
	h.phished()
	h.programs()
	h.sensed()
}

// sensed records what the agents of machines report by themselves.
func (h *history) sensed() {
	c := h.company
	for _, m := range c.machines[:min(len(c.machines), len(inventory)*3)] {
		if m.HealthStatus == "Active" && m.isWindows() {
			h.record("DeviceEvents", m, m.LastSeen.Add(-h.draws.span(3*day)), "AntivirusScanCompleted", nil, tuple{
				"AdditionalFields": jsonText(record{{"ScanTypeIndex", "Quick"}, {"ScanId", h.draws.guid()}, {"User", "NT AUTHORITY\\SYSTEM"}}),
			})
		}
	}
	for _, name := range []string{"mail-01", "web-01"} {
		m := c.hostNamed(name)
		h.record("DeviceNetworkEvents", m, m.LastSeen.Add(-2*day), "InboundInternetScanInspected", nil, tuple{
			"LocalIP": m.LastIPAddress, "LocalPort": int64(443), "Protocol": "Tcp",
			"AdditionalFields": jsonText(record{{"PublicScannedIp", officeIP}, {"PublicScannedPort", 443}}),
		})
	}
}

// identity describes a user.
func (h *history) identity(u *user) {
	first, last, _ := strings.Cut(u.displayName(), " ")
	roles := []any{}
	if u.IsDomainAdmin {
		roles = append(roles, "Global Administrator")
	}
	h.append("IdentityInfo", h.company.started.Add(-time.Hour), u.asAccount(), tuple{
		"OnPremSid": u.AccountSID, "EmailAddress": u.principalName, "GivenName": first, "Surname": last, "Department": u.department(),
		"Country": "NL", "Type": "User", "SourceProvider": "ActiveDirectory", "IsAccountEnabled": true, "AssignedRoles": roles,
		"Tags": []any{}, "TenantId": h.company.tenantID, "CreatedDateTime": h.company.started.Add(-500 * day),
	})
}

// message is a mail to somebody of the company.
type message struct {
	from, name, subject string
	to                  *user
	url                 string
	attachment          *file
	threat              string // what it was found to be, at once
	delivered           string
}

// mail records a message with its link and its attachment, and returns its identifier.
func (h *history) mail(when time.Time, m message) string {
	id := h.draws.guid()
	_, sender, _ := strings.Cut(m.from, "@")
	if m.delivered == "" {
		m.delivered = "Inbox/folder"
	}
	action := "Delivered"
	if m.delivered == "Quarantine" {
		action = "Blocked"
	}
	count := func(given bool) int64 {
		if given {
			return 1
		}
		return 0
	}
	h.append("EmailEvents", when, tuple{
		"NetworkMessageId": id, "InternetMessageId": "<" + id + "@" + sender + ">", "SenderMailFromAddress": m.from, "SenderFromAddress": m.from,
		"SenderDisplayName": m.name, "SenderMailFromDomain": sender, "SenderFromDomain": sender, "SenderIPv4": mailIP,
		"RecipientEmailAddress": m.to.principalName, "RecipientObjectId": m.to.objectID, "RecipientDomain": domain, "Subject": m.subject,
		"EmailDirection": "Inbound", "DeliveryAction": action, "DeliveryLocation": m.delivered, "LatestDeliveryLocation": m.delivered,
		"LatestDeliveryAction": action, "ThreatTypes": m.threat, "AttachmentCount": count(m.attachment != nil), "UrlCount": count(m.url != ""),
		"EmailLanguage": "en", "AuthenticationDetails": jsonText(record{{"SPF", "pass"}, {"DKIM", "pass"}, {"DMARC", "pass"}}),
		"To": []any{m.to.principalName}, "EmailSize": int64(40_000), "IsFirstContact": sender != "partner.example",
	})
	if m.url != "" {
		h.append("EmailUrlInfo", when, tuple{"NetworkMessageId": id, "Url": m.url, "UrlDomain": hostOf(m.url), "UrlLocation": "Body"})
	}
	if m.attachment != nil {
		extension := m.attachment.name[strings.LastIndexByte(m.attachment.name, '.')+1:]
		h.append("EmailAttachmentInfo", when, tuple{
			"NetworkMessageId": id, "SenderFromAddress": m.from, "SenderDisplayName": m.name, "RecipientEmailAddress": m.to.principalName,
			"RecipientObjectId": m.to.objectID, "FileName": m.attachment.name, "FileType": extension, "FileExtension": extension,
			"SHA256": m.attachment.SHA256, "FileSize": m.attachment.Size, "ThreatTypes": m.threat,
		})
	}
	return id
}

// signIn records a sign-in to the cloud; an error code other than 0 says why it failed.
func (h *history) signIn(when time.Time, u *user, ip, country string, failure int64) {
	h.append("AADSignInEventsBeta", when, u.asAccount(), tuple{
		"Application": "Office 365 Exchange Online", "ApplicationId": "00000002-0000-0ff1-ce00-000000000000", "LogonType": `["interactiveUser"]`,
		"ErrorCode": failure, "IPAddress": ip, "Country": country, "UserAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "ClientAppUsed": "Browser",
		"ResourceTenantId": h.company.tenantID, "IsExternalUser": int64(0), "IsGuestUser": false, "CorrelationId": h.draws.guid(),
		"AuthenticationRequirement": "singleFactorAuthentication", "OSPlatform": "Windows",
	})
}

// cloud records something done in a cloud application.
func (h *history) cloud(when time.Time, u *user, ip, action, application, object string) {
	h.append("CloudAppEvents", when, tuple{
		"ActionType": action, "Application": application, "AccountObjectId": u.objectID, "AccountId": u.principalName,
		"AccountDisplayName": u.displayName(), "IPAddress": ip, "CountryCode": "NL", "ObjectName": object, "ObjectType": "File", "ActivityType": "Basic",
		"IsAdminOperation": false, "AccountType": "Regular", "UserAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "IsExternalUser": false,
		"RawEventData": map[string]any{"Operation": action, "UserId": u.principalName, "Workload": application, "ClientIP": ip},
	})
}

// phished is the part of the attack that began in the mailbox.
func (h *history) phished() {
	c := h.company
	laptop := c.machines[0]
	who := c.userOf(laptop)
	begin := c.started.Add(-4*day - time.Hour).Truncate(time.Hour)
	document := c.fileNamed("invoice_8841.docm")
	id := h.mail(begin, message{from: "billing@invoices-partner.example", name: "Billing", to: who, subject: "Invoice 8841 is overdue", attachment: document})
	page := "https://" + phishingHost + "/signin?u=" + who.principalName
	for i, u := range c.users[:9] {
		delivered := "Inbox/folder"
		if i%3 == 2 {
			delivered = "Quarantine"
		}
		message := message{
			from: "it-support@contoso-helpdesk.example", name: "IT Support", to: u, subject: "Your password expires today", threat: "Phish", delivered: delivered,
			url: "https://" + phishingHost + "/signin?u=" + u.principalName,
		}
		if u == who {
			message.threat = "" // found out later
		}
		sent := h.mail(begin.Add(2*time.Hour), message)
		if u == who {
			h.append("UrlClickEvents", begin.Add(150*time.Minute), tuple{
				"Url": page, "ActionType": "ClickAllowed", "AccountUpn": who.principalName, "Workload": "Email", "NetworkMessageId": sent,
				"IPAddress": officeIP, "IsClickedThrough": false, "UrlChain": jsonText([]string{page}), "ThreatTypes": "Phish",
			})
			h.append("EmailPostDeliveryEvents", begin.Add(9*time.Hour), tuple{
				"NetworkMessageId": sent, "Action": "Moved to quarantine", "ActionType": "Phish ZAP", "ActionTrigger": "SpecialAction", "ActionResult": "Success",
				"RecipientEmailAddress": who.principalName, "DeliveryLocation": "Quarantine", "ThreatTypes": "Phish",
			})
		}
	}
	h.append("EmailPostDeliveryEvents", begin.Add(30*time.Hour), tuple{
		"NetworkMessageId": id, "Action": "Moved to quarantine", "ActionType": "Malware ZAP", "ActionTrigger": "SpecialAction", "ActionResult": "Success",
		"RecipientEmailAddress": who.principalName, "DeliveryLocation": "Quarantine", "ThreatTypes": "Malware",
	})
	for n := range 6 {
		h.signIn(begin.Add(3*time.Hour+time.Duration(n)*10*time.Second), who, attackerIP, "RU", 50126)
	}
	h.signIn(begin.Add(3*time.Hour+2*time.Minute), who, attackerIP, "RU", 0)
	h.cloud(begin.Add(3*time.Hour+5*time.Minute), who, attackerIP, "New-InboxRule", "Microsoft Exchange Online", "RSS")
	h.cloud(begin.Add(3*time.Hour+9*time.Minute), who, attackerIP, "MailItemsAccessed", "Microsoft Exchange Online", "Inbox")
	h.cloud(begin.Add(3*time.Hour+15*time.Minute), who, attackerIP, "FileDownloaded", "Microsoft OneDrive for Business", "salaries.xlsx")
	h.append("IdentityQueryEvents", begin.Add(4*time.Hour), who.asAccount(), tuple{
		"ActionType": "LDAP query", "Application": "Active Directory", "QueryType": "AllUsers", "QueryTarget": "Domain Admins",
		"Query": "(&(objectCategory=group)(cn=Domain Admins))", "Protocol": "Ldap", "DeviceName": laptop.ComputerDNSName, "IPAddress": laptop.LastIPAddress,
		"DestinationDeviceName": "dc-01." + domain,
	})
	h.append("IdentityDirectoryEvents", begin.Add(5*time.Hour), who.asAccount(), tuple{
		"ActionType": "Group Membership changed", "Application": "Active Directory", "TargetAccountDisplayName": "helpdesk2", "DeviceName": "dc-01." + domain,
		"DestinationDeviceName": "dc-01." + domain, "AdditionalFields": map[string]any{"TO.GROUP": "Domain Admins", "ACTOR.ACCOUNT": who.AccountName, "TARGET_OBJECT.USER": "helpdesk2"},
	})
	behavior := tuple{
		"BehaviorId": "bh" + h.draws.guid(), "ActionType": "MassDownload", "Categories": `["Exfiltration"]`, "AttackTechniques": `["Exfiltration Over Web Service (T1567)"]`,
		"ServiceSource": "Microsoft Defender for Cloud Apps", "DetectionSource": "Microsoft Defender for Cloud Apps", "DataSources": `["CloudAppEvents"]`,
	}
	h.append("BehaviorInfo", begin.Add(6*time.Hour), behavior, tuple{
		"Description": "A user downloaded many files.", "AccountUpn": who.principalName, "AccountObjectId": who.objectID,
		"StartTime": begin.Add(3 * time.Hour), "EndTime": begin.Add(4 * time.Hour),
	})
	h.append("BehaviorEntities", begin.Add(6*time.Hour), behavior, tuple{
		"EntityType": "User", "EntityRole": "Impacted", "AccountName": who.AccountName, "AccountDomain": who.AccountDomain, "AccountUpn": who.principalName,
		"AccountObjectId": who.objectID, "AccountSid": who.AccountSID,
	})
}

// programs are the applications of the company that sign in by themselves.
func (h *history) programs() {
	for i, name := range []string{"Backup service", "xsoar-defender"} {
		for n := range 5 {
			h.append("AADSpnSignInEventsBeta", h.company.started.Add(-time.Duration(n)*day-h.draws.span(8*time.Hour)), tuple{
				"Application": name, "ApplicationId": newSource(uint64(i), name).guid(), "ServicePrincipalName": name, "ServicePrincipalId": newSource(uint64(i), "principal "+name).guid(),
				"ErrorCode": int64(0), "IPAddress": officeIP, "Country": "NL", "ResourceTenantId": h.company.tenantID, "ResourceDisplayName": "Microsoft Graph", "IsManagedIdentity": false,
			})
		}
	}
}

// setting is a setting for which machines are assessed.
type setting struct {
	id, name, category, subcategory string
	impact                          float64
}

var assessedSettings = []setting{
	{"scid-10000", "Disable insecure administration protocol - Telnet", "Network", "Protocols", 5},
	{"scid-2010", "Turn on Microsoft Defender Antivirus", "Security controls", "Antivirus", 9},
	{"scid-2012", "Turn on real-time protection", "Security controls", "Antivirus", 9},
	{"scid-2500", "Block executable content from email client and webmail", "Security controls", "Attack Surface Reduction", 9},
	{"scid-3011", "Set the minimum length of passwords to 14", "Accounts", "Password policy", 5},
}

// complies reports whether a machine fulfils a setting. The answer follows from the machine, so that it stays.
func (c *company) complies(m *machine, one setting) bool { return c.drawOf(m.ID, one.id)%3 > 0 }

// settingRows say which machine fulfils what.
func (c *company) settingRows(m *machine) []tuple {
	var rows []tuple
	for _, one := range assessedSettings {
		rows = append(rows, tuple{
			"DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "OSPlatform": m.OSPlatform, "Timestamp": m.LastSeen.Time, "ConfigurationId": one.id,
			"ConfigurationCategory": one.category, "ConfigurationSubcategory": one.subcategory, "ConfigurationImpact": one.impact,
			"IsCompliant": c.complies(m, one), "IsApplicable": true, "IsExpectedUserImpact": false,
		})
	}
	return rows
}

// knownSettings describe what machines are assessed for.
func knownSettings() []tuple {
	var rows []tuple
	for _, one := range assessedSettings {
		rows = append(rows, tuple{
			"ConfigurationId": one.id, "ConfigurationImpact": one.impact, "ConfigurationName": one.name, "ConfigurationDescription": one.name + ".",
			"ConfigurationCategory": one.category, "ConfigurationSubcategory": one.subcategory, "Tags": []any{}, "RemediationOptions": "Set it by policy.",
		})
	}
	return rows
}

// gathered returns what the agent of a machine reports about its protection.
func (c *company) gathered(m *machine) tuple {
	state := func(name string) string {
		return map[bool]string{true: "Block", false: "Audit"}[c.drawOf(m.ID, name)%4 > 0]
	}
	return tuple{
		"Timestamp": m.LastSeen.Time, "LastSeenTime": m.LastSeen.Time, "DeviceId": m.ID, "DeviceName": m.ComputerDNSName, "OSPlatform": m.OSPlatform,
		"AdditionalFields": map[string]any{
			"AvEngineVersion": "1.1.26090.1", "AvMode": "0",
			"AsrConfigurationStates": map[string]any{"BlockExecutableFilesFromEmail": state("mail"), "BlockPsexecAndWmi": state("psexec")},
		},
	}
}

// knownGathering describe the fields of gathered.
func knownGathering() []tuple {
	return []tuple{
		{"IgId": "ig-1", "FieldName": "AvMode", "Description": "Mode of Microsoft Defender Antivirus", "Categories": []any{"Antivirus"}, "DataStructure": "string"},
		{"IgId": "ig-2", "FieldName": "AsrConfigurationStates", "Description": "State of each attack surface reduction rule", "Categories": []any{"ASR"}, "DataStructure": "bag"},
	}
}

// knownVulnerabilities describe the vulnerabilities of the products that the company has.
func (c *company) knownVulnerabilities() []tuple {
	var rows []tuple
	for _, p := range c.catalog {
		for _, f := range p.flaws {
			rows = append(rows, tuple{
				"CveId": f.ID, "CvssScore": f.CVSSV3, "CvssVector": f.CVSSVector, "IsExploitAvailable": f.PublicExploit,
				"VulnerabilitySeverityLevel": f.Severity, "LastModifiedTime": f.UpdatedOn.Time, "PublishedDate": f.PublishedOn.Time,
				"VulnerabilityDescription": f.Description, "AffectedSoftware": []any{p.vendor + ":" + p.name}, "EpssScore": f.EPSS,
			})
		}
	}
	return rows
}
