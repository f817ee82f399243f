package simulator

import (
	"strings"
	"time"
)

var (
	profileCollection = collection{
		name: "Collection(microsoft.windowsDefenderATP.api.PublicBaselineProfileDto)",
		filterable: []string{
			"id", "name", "operatingSystem", "operatingSystemVersion", "status", "settingsNumber", "passedDevices",
			"totalDevices",
		},
	}
	configurationCollection = collection{name: "BaselineConfigurations", filterable: []string{"id", "category", "name", "cce"}}
	antivirusCollection     = collection{
		name: "DeviceAvInfo",
		filterable: []string{
			"machineId", "computerDnsName", "osKind", "osPlatform", "osVersion", "avMode", "avSignatureVersion",
			"avEngineVersion", "avPlatformVersion", "quickScanResult", "quickScanError", "fullScanResult",
			"fullScanError", "avIsSignatureUpToDate", "avIsEngineUpToDate", "avIsPlatformUpToDate", "rbacGroupId",
		},
	}
)

func (c *company) listBaselineProfiles(call *call) (reply, *apiError) {
	draws := newSource(c.seed, "baseline")
	profile := func(name, platform, version string) baselineProfile {
		total := len(where(c.machines, func(m *machine) bool { return m.OSPlatform == strings.ReplaceAll(platform, " ", "") }))
		return baselineProfile{
			ID: draws.guid(), Name: name, Description: "The company's rules for " + platform, Benchmark: "CIS", Version: "3.0.0",
			OperatingSystem: platform, OperatingSystemVersion: version, Status: true,
			ComplianceLevel: "Level 1 (L1)", SettingsNumber: 51, CreatedBy: "soc@" + domain,
			CreatedOn: at(c.started.Add(-200 * day)), LastUpdate: at(c.started.Add(-40 * day)),
			PassedDevices: total / 3, TotalDevices: total,
		}
	}
	return list(c, call, []baselineProfile{
		profile("Windows 11 workstations", "Windows 11", "24H2"),
		profile("Windows Server 2022", "Windows Server 2022", "21H2"),
	}, profileCollection)
}

func (c *company) listBaselineConfigurations(call *call) (reply, *apiError) {
	setting := func(id, name, category, source, value string) baselineConfiguration {
		return baselineConfiguration{
			ID: id, UniqueID: "CIS_3.0.0-windows_11_" + id, BenchmarkName: "CIS", BenchmarkVersion: "3.0.0-windows_11",
			Name: name, Description: "<p>" + name + "</p>", Category: category, ComplianceLevels: []string{"Level 1 (L1)"},
			CCE: "CCE-9" + strings.ReplaceAll(id, ".", "0"), Rationale: "<p>It leaves less to attack.</p>",
			Remediation: "<p>Set it with a group policy.</p>", RecommendedValue: []string{"Equals '" + value + "'"}, Source: []string{source},
		}
	}
	return list(c, call, []baselineConfiguration{
		setting("9.1.1", "Firewall of the domain profile is on", "Domain Profile", `hkey_local_machine\software\policies\microsoft\windowsfirewall\domainprofile\enablefirewall`, "1"),
		setting("9.3.9", "Dropped packets are logged", "Public Profile", `hkey_local_machine\software\policies\microsoft\windowsfirewall\publicprofile\logging\logdroppedpackets`, "1"),
		setting("18.4.1", "Old file sharing protocol is off", "MS Security Guide", `hkey_local_machine\system\currentcontrolset\services\lanmanserver\parameters\smb1`, "0"),
	}, configurationCollection)
}

// antivirusPageSize is the page of the antivirus health without pageSize, which may be as large as that of an export, and without $top
// (https://learn.microsoft.com/defender-endpoint/api/device-health-export-antivirus-health-report-api).
const antivirusPageSize = 20

func (c *company) listDeviceAVInfo(call *call) (reply, *apiError) {
	size, failure := intOption(call, "pageSize", antivirusPageSize, largestExportPage)
	if failure != nil {
		return reply{}, failure
	}
	if call.query.Has("$top") { // which may be as large as a page elsewhere, and is not divided
		size = max(size, defaultPageSize)
	}
	reporting := where(c.machines, func(m *machine) bool { return m.OnboardingStatus == "Onboarded" })
	return listPaged(c, call, each(reporting, c.antivirusOf), antivirusCollection, size)
}

func (c *company) antivirusOf(m *machine) deviceAVInfo {
	seen := m.LastSeen
	info := deviceAVInfo{
		ID: m.ID, MachineID: m.ID, ComputerDNSName: m.ComputerDNSName, OSKind: "windows", OSPlatform: m.OSPlatform,
		OSVersion: m.Version, AVMode: "0", AVSignatureVersion: "1.441.210.0", AVEngineVersion: "1.1.25100.3",
		AVPlatformVersion: "4.18.25100.9", LastSeenTime: seen, QuickScanResult: "Completed",
		QuickScanTime: at(seen.Add(-5 * time.Hour)), DataRefreshTimestamp: seen,
		AVEngineUpdateTime: at(seen.Add(-8 * day)), AVSignatureUpdateTime: at(seen.Add(-3 * time.Hour)),
		AVPlatformUpdateTime: at(seen.Add(-20 * day)), AVSignaturePublishTime: at(seen.Add(-4 * time.Hour)),
		AVIsSignatureUpToDate: "True", AVIsEngineUpToDate: "True", AVIsPlatformUpToDate: "True",
		RBACGroupName: m.RBACGroupName, RBACGroupID: m.RBACGroupID,
	}
	switch {
	case m.OSPlatform == ubuntu.platform:
		info.OSKind = "linux"
	case m.OSPlatform == macOS.platform:
		info.OSKind = "mac"
	}
	if m.HealthStatus != "Active" {
		info.AVIsSignatureUpToDate, info.AVIsEngineUpToDate, info.QuickScanResult = "Unknown", "Unknown", "Failed"
		info.QuickScanError = "0x80508023"
	}
	return info
}
