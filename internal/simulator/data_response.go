package simulator

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"
)

// assess opens an investigation for every antivirus alert and every third other one on a machine that supports them.
// Those of the last day are still running.
func (c *company) assess() {
	for i, a := range slices.Backward(c.alerts) {
		m, failure := c.machineNamed(a.MachineID)
		if failure != nil || !m.isWindows() || a.DetectionSource != "WindowsDefenderAv" && i%3 != 0 {
			continue
		}
		start := a.AlertCreationTime.Add(time.Minute)
		inquiry := c.newInvestigation(m, start)
		inquiry.TriggeringAlertID = optional(a.ID)
		if c.started.Sub(start) > day {
			inquiry.State = pick(c.draws, []string{"SuccessfullyRemediated", "SuccessfullyRemediated", "Benign", "PartiallyRemediated", "TerminatedBySystem"})
			inquiry.EndTime = at(start.Add(5*time.Minute + c.draws.span(3*time.Hour)))
		}
		a.InvestigationID, a.InvestigationState = new(c.nextInquiry-1), inquiry.State
	}
}

// newInvestigation starts an investigation of a machine and puts it in front of the list.
func (c *company) newInvestigation(m *machine, start time.Time) *investigation {
	inquiry := &investigation{
		ID: fmt.Sprint(c.nextInquiry), StartTime: at(start.Truncate(time.Second)), State: "Running",
		MachineID: m.ID, ComputerDNSName: m.ComputerDNSName,
	}
	c.nextInquiry++
	c.investigations = slices.Insert(c.investigations, 0, inquiry)
	return inquiry
}

// seedIndicators makes the indicators that the company has already.
func (c *company) seedIndicators() {
	for _, s := range []struct{ kind, value, action, title, severity string }{
		{"DomainName", controlHost, "Block", "Command and control of the Beacon family", "High"},
		{"IpAddress", controlIP, "Block", "Command and control of the Beacon family", "High"},
		{"FileSha256", c.fileNamed("lockdata.exe").SHA256, "BlockAndRemediate", "LockData ransomware", "High"},
		{"FileSha1", c.fileNamed("pdfconvert_setup.exe").SHA1, "Warn", "Unwanted installer", "Low"},
		{"Url", "https://" + phishingHost + "/signin", "Block", "Imitated sign-in page", "Medium"},
		{"IpAddress", payloadIP, "Audit", "Watched address", "Informational"},
		{"CertificateThumbprint", c.draws.hex(40), "Allowed", "Certificate of an internal tool", "Informational"},
	} {
		created := at(c.started.Add(-2*day - c.draws.span(90*day)))
		c.indicators = append(c.indicators, &indicator{
			ID: fmt.Sprint(c.nextIndicator), IndicatorValue: s.value, IndicatorType: s.kind, Action: s.action,
			Source: "soc@" + domain, SourceType: "User", Title: s.title, Description: s.title + ", listed by the security team.",
			CreationTimeDateTimeUTC: created, CreatedBy: "soc@" + domain, CreatedByDisplayName: "Security Operations",
			ExpirationTime: at(c.started.Add(200 * day).Truncate(day)), LastUpdateTime: created,
			Severity: s.severity, RecommendedActions: "Look for other machines that know it.",
			RBACGroupNames: []string{}, RBACGroupIDs: []string{}, MITRETechniques: []string{},
			GenerateAlert: s.action == "Audit", Category: 1,
		})
		c.nextIndicator++
	}
}

// script is a file of the live response library that can be run, with the result of running it.
type script struct {
	name, description, parameters string
	output, errors                string
	exitCode                      int
}

var scripts = []script{
	{"triage.ps1", "Lists processes, services and connections", "-Days: how far to look back", "Processes: 143\nServices running: 87\nConnections: 31 | 4 outside\n", "", 0},
	{"memdump.ps1", "Dumps the memory of a process", "Name of the process", "Transcript started.\nC:\\windows\\TEMP\\process.dmp.zip\n51 MB\n\x00\x00\x00", "", 0},
	{"check-compliance.ps1", "Compares settings with the company's rules", "", "Checked 42 rules.\n", "Rule 17 failed: the local guest account is enabled.\n", 1},
	{"list-users.sh", "Lists local accounts with a shell", "", "root\nadmin\n", "", 0},
	{"collect-logs.sh", "Packs the logs of a service", "Name of the service", "/var/tmp/logs.tar.gz\n", "", 0},
	{"cleanup-tool.exe", "Removes what is left of the Beacon family", "", "", "", 0},
}

// seedLibrary fills the live response library.
func (c *company) seedLibrary() {
	for _, s := range scripts {
		created := at(c.started.Add(-30*day - c.draws.span(200*day)))
		c.library = append(c.library, &libraryFile{
			FileName: s.name, SHA256: digest(sha256.New(), s.name), Description: optional(s.description),
			CreationTime: created, LastUpdatedTime: created, CreatedBy: "soc@" + domain,
			HasParameters: s.parameters != "", ParametersDescription: s.parameters,
		})
	}
}

// seedActions records what analysts did in the last week.
func (c *company) seedActions() {
	kinds := []string{"RunAntiVirusScan", "CollectInvestigationPackage", "Isolate", "Unisolate", "RunAntiVirusScan", "RestrictCodeExecution"}
	windows := where(c.machines, (*machine).isWindows)
	for i, kind := range kinds {
		created := c.started.Add(-7*day + time.Duration(i)*day + c.draws.span(8*time.Hour))
		a := c.newAction(kind, windows[i%len(windows)], "soc@"+domain, fmt.Sprintf("Ticket %d", 4700+i), created)
		a.Scope = optional(actionKinds()[kind].defaultScope)
	}
	c.advance(c.started)
}

// seedTasks makes the work of the IT department: an update for each of the products that most machines are exposed by.
func (c *company) seedTasks() {
	work := where(c.catalog, func(p *product) bool { return len(p.flaws) > 0 })
	machines := map[*product]int{}
	for _, p := range work {
		machines[p] = len(c.exposed(p, anyFlaw))
	}
	slices.SortStableFunc(work, func(a, b *product) int { return machines[b] - machines[a] })
	for i, p := range work[:4] {
		created := at(c.started.Add(-time.Duration(20-4*i)*day - c.draws.span(day)))
		exposed := machines[p]
		task := &remediationTask{
			ID: c.draws.guid(), Title: "Update " + p.title, CreatedOn: created,
			RequesterID: c.userNamed("adm-eriksen").objectID, RequesterEmail: "soc@" + domain,
			Status: "Active", StatusLastModifiedOn: created,
			Description:      fmt.Sprintf("Update %s to a later version. %d machines have a version with known flaws.", p.title, exposed),
			RelatedComponent: p.title, TargetDevices: exposed + 2, RBACGroupNames: []string{"Workstations"}, FixedDevices: 2,
			RequesterNotes: "Please roll out with the next maintenance.", DueOn: at(created.Add(30 * day).Truncate(day)),
			Category: "Software", Priority: []string{"High", "Medium", "Medium", "Low"}[i], Type: "Update",
			ProductID: p.id(), VendorID: p.vendor, NameID: p.name,
		}
		if i == 3 {
			task.Status, task.CompletionMethod, task.FixedDevices = "Completed", "Automatic", task.TargetDevices
			task.StatusLastModifiedOn = at(created.Add(3 * day))
		}
		c.tasks = append(c.tasks, task)
	}
}

func anyFlaw(flaw) bool { return true }
