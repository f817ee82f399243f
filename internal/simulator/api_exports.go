package simulator

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The exports of everything that the company knows of its machines: pages of JSON, and files behind links.

var (
	mayReadBaselines   = []string{"SecurityBaselinesAssessment.Read.All"}
	userReadsBaselines = []string{"SecurityBaselinesAssessment.Read"}
)

const (
	// exportPage and largestExportPage are the usual and the largest size of a page, in records
	// (https://learn.microsoft.com/defender-endpoint/api/get-assessment-software-inventory).
	exportPage, largestExportPage = 50_000, 200_000
	// snapshotEvery is how often the files of the exports are made again.
	snapshotEvery = 6 * time.Hour
	// exportParts is into how many files an export is cut, if it has enough machines.
	exportParts = 3
	// longestUsualHours is the longest time that links work which nobody named a time for.
	longestUsualHours = 3
	// longestDelta is how far back changes are listed.
	longestDelta = 14 * day
)

// exportOperations are the operations of all exports: pages of JSON, and links to files.
var exportOperations = []operation{
	{"GET", "/machines/SecureConfigurationsAssessmentByMachine", mayReadVulnerabilities, userReadsVulnerabilities, 30, 1000, exportPages((*company).configurationRows)},
	{"GET", "/machines/SecureConfigurationsAssessmentExport", mayReadVulnerabilities, userReadsVulnerabilities, 5, 20, exportFiles{"SecureConfigurationsAssessmentExport", 6, (*company).configurationRows}},
	{"GET", "/machines/SoftwareInventoryByMachine", mayReadSoftware, userReadsSoftware, 30, 1000, exportPages((*company).softwareRows)},
	{"GET", "/machines/SoftwareInventoryExport", mayReadSoftware, userReadsSoftware, 5, 20, exportFiles{"SoftwareInventoryExport", 6, (*company).softwareRows}},
	{"GET", "/machines/SoftwareVulnerabilitiesByMachine", mayReadVulnerabilities, userReadsVulnerabilities, 30, 1000, exportPages((*company).vulnerabilityRows)},
	{"GET", "/machines/SoftwareVulnerabilitiesExport", mayReadVulnerabilities, userReadsVulnerabilities, 5, 20, exportFiles{"SoftwareVulnerabilitiesExport", 6, (*company).vulnerabilityRows}},
	{"GET", "/machines/SoftwareInventoryNoProductCodeByMachine", mayReadSoftware, userReadsSoftware, 30, 1000, exportPages((*company).otherSoftwareRows)},
	{"GET", "/machines/SoftwareInventoryNonCpeExport", mayReadSoftware, userReadsSoftware, 5, 20, exportFiles{"SoftwareInventoryNonCpeExport", 24, (*company).otherSoftwareRows}},
	{"GET", "/machines/BrowserExtensionsInventoryByMachine", mayReadSoftware, userReadsSoftware, 30, 1000, exportPages((*company).extensionRows)},
	{"GET", "/machines/browserextensionsinventoryExport", mayReadSoftware, userReadsSoftware, 5, 20, exportFiles{"browserextensionsinventoryExport", 0, (*company).extensionRows}},
	{"GET", "/machines/InfoGatheringExport", mayReadVulnerabilities, userReadsVulnerabilities, 5, 20, exportFiles{"InfoGatheringExport", 24, (*company).informationRows}},
	{"GET", "/machines/certificateAssessmentByMachine", mayReadVulnerabilities, userReadsVulnerabilities, 30, 1000, exportPages((*company).certificateRows)},
	{"GET", "/machines/certificateAssessmentExport", mayReadVulnerabilities, userReadsVulnerabilities, 5, 20, exportFiles{"certificateAssessmentExport", 24, (*company).certificateRows}},
	{"GET", "/machines/HardwareFirmwareInventoryByMachine", mayReadSoftware, userReadsSoftware, 30, 1000, exportPages((*company).hardwareRows)},
	{"GET", "/machines/HardwareFirmwareInventoryExport", mayReadSoftware, userReadsSoftware, 5, 20, exportFiles{"HardwareFirmwareInventoryExport", 0, (*company).hardwareRows}},
	{"GET", "/machines/baselineComplianceAssessmentByMachine", mayReadBaselines, userReadsBaselines, 30, 1000, exportPages((*company).baselineRows)},
	{"GET", "/machines/BaselineComplianceAssessmentExport", mayReadBaselines, userReadsBaselines, 5, 20, exportFiles{"BaselineComplianceAssessmentExport", 6, (*company).baselineRows}},
	{"GET", "/machines/SoftwareVulnerabilityChangesByMachine", mayReadVulnerabilities, userReadsVulnerabilities, 30, 1000, plain((*company).exportChanges)},
}

// exportPages answers with pages of JSON. It makes the records of a machine.
type exportPages func(*company, *machine) []record

func (rows exportPages) run(c *company, asked *call) (reply, *apiError) {
	return c.pageOfExport(asked, c.rowsOf(rows))
}

// exportFiles answers with links to files.
type exportFiles struct {
	name string
	// hours is the most that links may work; 0 where nobody may say. Where it is a day, they work for three hours unless the client
	// says so, elsewhere for one (https://learn.microsoft.com/defender-endpoint/api/export-certificate-inventory-assessment).
	hours int
	rows  exportPages
}

// rowsOf are the records of all machines.
func (c *company) rowsOf(ofMachine exportPages) []record {
	var rows []record
	for _, m := range c.machines {
		rows = append(rows, ofMachine(c, m)...)
	}
	return rows
}

// pageOfExport cuts records into pages. $skiptoken says where to continue.
func (c *company) pageOfExport(call *call, rows []record) (reply, *apiError) {
	size, failure := intOption(call, "pageSize", exportPage, largestExportPage)
	if failure != nil {
		return reply{}, failure
	}
	top, failure := intOption(call, "$top", 0, largestExportPage)
	if failure != nil {
		return reply{}, failure
	}
	skip, err := strconv.Atoi(strings.TrimPrefix(call.query.Get("$skiptoken"), "at-"))
	if err != nil && call.query.Get("$skiptoken") != "" || skip < 0 {
		return reply{}, badRequest("The $skiptoken is not valid.")
	}
	rows = rows[min(skip, len(rows)):]
	answer := page{Context: c.context("Collection(microsoft.windowsDefenderATP.api.Asset)"), Value: anyOf(rows)}
	size = c.page(size)
	switch {
	case top > 0:
		answer.Value = anyOf(rows[:min(top, len(rows))])
	case len(rows) > size:
		answer.Value = anyOf(rows[:size])
		next := call.query
		next.Set("$skiptoken", fmt.Sprint("at-", skip+size))
		answer.NextLink = c.base + call.path + "?" + next.Encode()
	}
	return reply{http.StatusOK, answer}, nil
}

func anyOf(rows []record) []any {
	return each(rows, func(row record) any { return row })
}

// intOption reads an option that is a number from 1 to the most given.
func intOption(call *call, name string, usual, most int) (int, *apiError) {
	text := call.query.Get(name)
	if text == "" {
		return usual, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 || number > most {
		return 0, badRequest("The value %q of %s is not a number from 1 to %d.", text, name, most)
	}
	return number, nil
}

// run answers with links to the newest snapshot.
func (export exportFiles) run(c *company, call *call) (reply, *apiError) {
	usual := 1
	if export.hours == 24 {
		usual = longestUsualHours
	}
	hours, failure := intOption(call, "sasValidHours", usual, max(1, export.hours))
	if failure != nil {
		return reply{}, failure
	}
	generated := call.now.UTC().Truncate(snapshotEvery)
	rows := c.rowsOf(export.rows)
	size := max(1, c.page((len(rows)+exportParts-1)/exportParts))
	links := []string{}
	number := 0
	for part := range slices.Chunk(rows, size) {
		name := fmt.Sprintf("part-%05d-%s.c000.json.gz", number, strings.ToLower(export.name))
		folder := fmt.Sprintf("tvm-export/%s/%s/json", generated.Format("2006-01-02/1504"), export.name)
		lines := &content{name: name, data: packedLines(part)}
		links = append(links, c.linkFor(folder, lines, call.now, time.Duration(hours)*time.Hour))
		number++
	}
	return reply{http.StatusOK, record{
		{"@odata.context", c.context("microsoft.windowsDefenderATP.api.ExportFilesResponse")},
		{"exportFiles", links},
		{"generatedTime", generated.Format(time.RFC3339)},
	}}, nil
}

// packedLines is a JSON object on each line, compressed with gzip.
func packedLines(rows []record) []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	for _, row := range rows {
		must(writer.Write(append(must(json.Marshal(row)), '\n')))
	}
	must(0, writer.Close())
	return packed.Bytes()
}

func (c *company) exportChanges(call *call) (reply, *apiError) {
	text := call.query.Get("sinceTime")
	since, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return reply{}, badRequest("The value %q of sinceTime is not a time.", text)
	}
	if call.now.Sub(since) > longestDelta+time.Hour {
		return reply{}, badRequest("sinceTime is more than 14 days ago.")
	}
	var rows []record
	for _, m := range c.machines {
		for i, row := range c.vulnerabilityRows(m) {
			at := call.now.Add(-time.Duration(int(c.drawOf(m.ID, fmt.Sprint(i)))%28*12) * time.Hour)
			if at.Before(since) {
				continue
			}
			status := []string{"New", "Fixed", "Updated"}[int(c.drawOf(fmt.Sprint(i), m.ID))%3]
			rows = append(rows, append(row, property{"status", status}, property{"eventTimestamp", at.UTC().Format("2006-01-02 15:04:05.0000000")}))
		}
	}
	return c.pageOfExport(call, rows)
}

// drawOf is a number from 0 to 255 that follows from texts.
func (c *company) drawOf(texts ...string) byte {
	sum := sha1.Sum([]byte(fmt.Sprint(c.seed, texts)))
	return sum[0]
}

// deviceColumns returns the columns about the machine that every record of an export has.
func deviceColumns(m *machine) record {
	return record{{"deviceId", m.ID}, {"rbacGroupId", m.RBACGroupID}, {"rbacGroupName", m.RBACGroupName}, {"deviceName", m.ComputerDNSName}, {"osPlatform", m.OSPlatform}}
}

// seenAt is how the exports write times.
func seenAt(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") }

func (c *company) configurationRows(m *machine) []record {
	var rows []record
	for _, setting := range assessedSettings {
		rows = append(rows, append(deviceColumns(m), record{
			{"osVersion", m.Version},
			{"timestamp", seenAt(m.LastSeen.Time)},
			{"configurationId", setting.id},
			{"configurationCategory", setting.category},
			{"configurationSubcategory", setting.subcategory},
			{"configurationImpact", setting.impact},
			{"isCompliant", c.complies(m, setting)},
			{"isApplicable", true},
			{"isExpectedUserImpact", false},
			{"configurationName", setting.name},
			{"recommendationReference", "sca-_-" + setting.id},
		}...))
	}
	return rows
}

func (c *company) softwareRows(m *machine) []record {
	var rows []record
	for _, i := range m.installed {
		rows = append(rows, append(deviceColumns(m), record{
			{"softwareVendor", i.product.vendor},
			{"softwareName", i.product.name},
			{"softwareVersion", i.product.versions[i.version]},
			{"numberOfWeaknesses", len(i.flaws())},
			{"diskPaths", []string{}},
			{"registryPaths", []string{`HKEY_LOCAL_MACHINE\SOFTWARE\` + i.product.vendor + `\` + i.product.name}},
			{"softwareFirstSeenTimestamp", seenAt(m.FirstSeen.Time)},
			{"endOfSupportStatus", nil},
			{"endOfSupportDate", nil},
		}...))
	}
	return rows
}

func (c *company) vulnerabilityRows(m *machine) []record {
	var rows []record
	for _, i := range m.installed {
		p, version := i.product, i.product.versions[i.version]
		for _, f := range i.flaws() {
			exploit := "NoExploit"
			switch {
			case f.ExploitInKit:
				exploit = "ExploitIsInKit"
			case f.ExploitVerified:
				exploit = "ExploitIsVerified"
			case f.PublicExploit:
				exploit = "ExploitIsPublic"
			}
			rows = append(rows, append(record{{"id", strings.Join([]string{m.ID, p.name, version, f.ID, ""}, "_")}}, append(deviceColumns(m), record{
				{"osVersion", m.Version},
				{"osArchitecture", m.OSArchitecture},
				{"softwareVendor", p.vendor},
				{"softwareName", p.name},
				{"softwareVersion", version},
				{"cveId", f.ID},
				{"vulnerabilitySeverityLevel", f.Severity},
				{"cvssScore", f.CVSSV3},
				{"recommendedSecurityUpdate", optional(p.fix)},
				{"recommendedSecurityUpdateId", optional(p.fix)},
				{"recommendedSecurityUpdateUrl", nil},
				{"diskPaths", []string{}},
				{"registryPaths", []string{}},
				{"lastSeenTimestamp", seenAt(m.LastSeen.Time)},
				{"firstSeenTimestamp", seenAt(m.FirstSeen.Time)},
				{"exploitabilityLevel", exploit},
				{"recommendationReference", recommendationPrefix + p.id()},
				{"securityUpdateAvailable", p.fix != ""},
			}...)...))
		}
	}
	return rows
}

func (c *company) otherSoftwareRows(m *machine) []record {
	return []record{append(deviceColumns(m), record{
		{"softwareVendor", "contoso"}, {"softwareName", "label_printer"}, {"softwareVersion", "2.1.0"}, {"softwareLastSeenTimestamp", seenAt(m.LastSeen.Time)},
	}...)}
}

func (c *company) extensionRows(m *machine) []record {
	risk := []string{"Low", "Medium", "High"}[c.drawOf(m.ID)%3]
	return []record{{
		{"DeviceId", m.ID},
		{"DeviceName", m.ComputerDNSName},
		{"RbacGroupId", m.RBACGroupID},
		{"RbacGroupName", m.RBACGroupName},
		{"InstallationTime", m.FirstSeen},
		{"BrowserName", "edge"},
		{"ExtensionId", "dkpejdfnpdkhifgbancbammdijojoffk"},
		{"ExtensionName", "Smooth scrolling"},
		{"ExtensionDescription", "Scrolls smoothly."},
		{"ExtensionVersion", "6.65.62"},
		{"ExtensionRisk", risk},
		{"IsActivated", true},
		{"Permissions", []record{{{"Id", "tabs"}, {"IsRequired", true}, {"Risk", risk}}}},
	}}
}

func (c *company) informationRows(m *machine) []record {
	return []record{append(deviceColumns(m), record{{"osVersion", m.Version}, {"DeviceGatheredInfo", record{{"log4j_CVE_2021_44228", "NotVulnerable"}, {"Timestamp", seenAt(m.LastSeen.Time)}}}}...)}
}

func (c *company) certificateRows(m *machine) []record {
	thumbprint := digest(sha1.New(), m.ID)
	return []record{append(deviceColumns(m), record{
		{"thumbprint", thumbprint},
		{"path", `LocalMachine\My\` + thumbprint},
		{"signatureAlgorithm", "sha256RSA"},
		{"keyLength", 2048},
		{"notAfter", at(c.started.Add(200 * day))},
		{"notBefore", at(c.started.Add(-165 * day))},
		{"subjectType", "EndEntity"},
		{"serialNumber", thumbprint[:16]},
		{"subjectObject", nil},
		{"issuerObject", nil},
		{"keyUsageArray", nil},
		{"extendedKeyUsageArray", nil},
		{"isSelfSigned", false},
	}...)}
}

func (c *company) hardwareRows(m *machine) []record {
	return []record{append(deviceColumns(m), record{
		{"componentType", "Hardware"}, {"manufacturer", "contoso"}, {"componentName", "workstation_400"}, {"componentVersion", "7.04"}, {"additionalFields", `{"DeviceFamily":"Workstation"}`},
	}...)}
}

func (c *company) baselineRows(m *machine) []record {
	const profile = "9e1b90be-e83e-485b-a5ec-4a429412e734"
	var rows []record
	for _, setting := range []string{"1.1.1", "9.1.1", "18.4.1"} {
		rows = append(rows, append(record{{"id", m.ID + "_" + profile + "_" + setting}, {"configurationId", setting}, {"profileId", profile}}, append(deviceColumns(m), record{
			{"osVersion", m.Version},
			{"isApplicable", true},
			{"isCompliant", c.drawOf(m.ID, setting)%2 > 0},
			{"dataCollectionTimeOffset", m.LastSeen},
			{"recommendedValue", []string{"Greater than or equal '24'"}},
			{"currentValue", []string{"24"}},
			{"source", []string{"password_hist_len"}},
		}...)...))
	}
	return rows
}
