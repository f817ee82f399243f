package commands

import (
	"slices"
	"strings"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// Views that several areas share. Existing playbooks read their keys.

// asGiven returns a field whose key is that of the object it is read from.
func asGiven(name string, kind warroom.Type, help string) warroom.Field {
	return warroom.Field{Name: name, From: name, Type: kind, Help: help}
}

func machineView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The machine's ID."},
		warroom.Field{Name: "ComputerDNSName", From: "computerDnsName", Type: warroom.String, Help: "The machine's fully qualified name."},
		warroom.Field{Name: "FirstSeen", From: "firstSeen", Type: warroom.Date, Help: "When the service first saw the machine."},
		warroom.Field{Name: "LastSeen", From: "lastSeen", Type: warroom.Date, Help: "When the machine last sent its full report, which it does about once a day."},
		warroom.Field{Name: "OSPlatform", From: "osPlatform", Type: warroom.String, Help: "The operating system."},
		warroom.Field{Name: "OSVersion", From: "osVersion|version", Type: warroom.String, Help: "The version of the operating system."},
		warroom.Field{Name: "OSProcessor", From: "osProcessor|osArchitecture", Type: warroom.String, Help: "The processor's architecture."},
		warroom.Field{Name: "LastIPAddress", From: "lastIpAddress", Type: warroom.String, Help: "The last internal IP address."},
		warroom.Field{Name: "LastExternalIPAddress", From: "lastExternalIpAddress", Type: warroom.String, Help: "The last address from which the machine connected to the internet."},
		warroom.Field{Name: "AgentVersion", From: "agentVersion", Type: warroom.String, Help: "The version of the sensor."},
		warroom.Field{Name: "OSBuild", From: "osBuild", Type: warroom.Number, Help: "The build of the operating system."},
		warroom.Field{Name: "HealthStatus", From: "healthStatus", Type: warroom.String, Help: "The health of the sensor."},
		warroom.Field{Name: "RBACGroupID", From: "rbacGroupId", Type: warroom.Number, Help: "The ID of the device group."},
		warroom.Field{Name: "RBACGroupName", From: "rbacGroupName", Type: warroom.String, Help: "The name of the device group."},
		warroom.Field{Name: "RiskScore", From: "riskScore", Type: warroom.String, Help: "The risk score."},
		warroom.Field{Name: "ExposureLevel", From: "exposureLevel", Type: warroom.String, Help: "How exposed the machine is."},
		warroom.Field{Name: "AADDeviceID", From: "aadDeviceId", Type: warroom.String, Help: "The device's ID in Microsoft Entra."},
		warroom.Field{Name: "IsAADJoined", From: "isAadJoined", Type: warroom.Boolean, Help: "Whether the machine is joined to Microsoft Entra."},
		warroom.Field{Name: "MachineTags", From: "machineTags", Type: warroom.String, Help: "The machine's tags."},
		warroom.Field{Name: "IPAddresses", From: "ipAddresses", Type: warroom.Unknown, Help: "The addresses of the machine's network adapters."},
	)
}

// machineColumns returns the columns of a table of machines.
func machineColumns(more ...string) []string {
	first := []string{"LastSeen", "ComputerDNSName", "HealthStatus", "RiskScore", "ExposureLevel", "OSPlatform", "LastIPAddress", "LastExternalIPAddress"}
	return append(append(first, more...), "ID")
}

// addressView shows the addresses of network adapters. The manifest has always declared the key MACAddress,
// while the key that was filled is macAddress.
func addressView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ipAddress", From: "ipAddress", Type: warroom.String, Help: "An IP address of the machine."},
		warroom.Field{Name: "macAddress", From: "macAddress", Type: warroom.String, Help: "The MAC address of its adapter."},
		warroom.Field{Name: "MACAddress", From: "macAddress", Type: warroom.String, Help: "The MAC address of its adapter."},
		warroom.Field{Name: "operationalStatus", From: "operationalStatus", Type: warroom.String, Help: "The state of its adapter."},
		warroom.Field{Name: "type", From: "type", Type: warroom.String, Help: "The kind of its adapter."},
	)
}

// detailedMachineView shows the addresses as objects with declared keys.
func detailedMachineView() *warroom.View {
	view := machineView()
	fields := view.Fields[:len(view.Fields)-1]
	return warroom.NewView(append(slices.Clip(fields),
		warroom.Field{Name: "IPAddresses", From: "ipAddresses", Of: addressView()},
	)...)
}

func alertView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The alert's ID."},
		warroom.Field{Name: "IncidentID", From: "incidentId", Type: warroom.Number, Help: "The ID of the incident that the alert belongs to."},
		warroom.Field{Name: "InvestigationID", From: "investigationId", Type: warroom.Number, Help: "The ID of the automated investigation."},
		warroom.Field{Name: "InvestigationState", From: "investigationState", Type: warroom.String, Help: "The state of the automated investigation."},
		warroom.Field{Name: "AssignedTo", From: "assignedTo", Type: warroom.String, Help: "The owner of the alert."},
		warroom.Field{Name: "Severity", From: "severity", Type: warroom.String, Help: "The severity of the alert."},
		warroom.Field{Name: "Status", From: "status", Type: warroom.String, Help: "New, InProgress or Resolved."},
		warroom.Field{Name: "Classification", From: "classification", Type: warroom.String, Help: "What the alert turned out to be."},
		warroom.Field{Name: "Determination", From: "determination", Type: warroom.String, Help: "What was behind the alert."},
		warroom.Field{Name: "DetectionSource", From: "detectionSource", Type: warroom.String, Help: "What raised the alert."},
		warroom.Field{Name: "Category", From: "category", Type: warroom.String, Help: "The attack stage that the alert belongs to."},
		warroom.Field{Name: "ThreatFamilyName", From: "threatFamilyName", Type: warroom.String, Help: "The malware family."},
		warroom.Field{Name: "Title", From: "title", Type: warroom.String, Help: "The alert's title."},
		warroom.Field{Name: "Description", From: "description", Type: warroom.String, Help: "What was seen."},
		warroom.Field{Name: "AlertCreationTime", From: "alertCreationTime", Type: warroom.Date, Help: "When the alert was raised."},
		warroom.Field{Name: "FirstEventTime", From: "firstEventTime", Type: warroom.Date, Help: "When the first event of the alert happened."},
		warroom.Field{Name: "LastEventTime", From: "lastEventTime", Type: warroom.Date, Help: "When the last event of the alert happened."},
		warroom.Field{Name: "LastUpdateTime", From: "lastUpdateTime", Type: warroom.Date, Help: "When the alert last changed."},
		warroom.Field{Name: "ResolvedTime", From: "resolvedTime", Type: warroom.Date, Help: "When the alert was resolved."},
		warroom.Field{Name: "MachineID", From: "machineId", Type: warroom.String, Help: "The ID of the machine that the alert is about."},
		warroom.Field{Name: "ComputerDNSName", From: "computerDnsName", Type: warroom.String, Help: "The name of that machine."},
		warroom.Field{Name: "AADTenantID", From: "aadTenantId", Type: warroom.String, Help: "The tenant in Microsoft Entra."},
		warroom.Field{Name: "Comments", From: "comments", Of: commentView()},
		warroom.Field{Name: "Evidence", From: "evidence", Type: warroom.Unknown, Help: "The files, processes, users, addresses and registry keys that the alert is based on."},
		warroom.Field{Name: "DetectorID", From: "detectorId", Type: warroom.String, Help: "The ID of the detector."},
		warroom.Field{Name: "ThreatName", From: "threatName", Type: warroom.String, Help: "The name of the threat."},
		warroom.Field{Name: "RelatedUser", From: "relatedUser", Type: warroom.String, Help: "The user that the alert is about."},
		warroom.Field{Name: "MitreTechniques", From: "mitreTechniques", Type: warroom.String, Help: "The techniques of MITRE ATT&CK."},
		warroom.Field{Name: "RBACGroupName", From: "rbacGroupName", Type: warroom.String, Help: "The device group of the machine."},
	)
}

func commentView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "Comment", From: "comment", Type: warroom.String, Help: "What an analyst wrote."},
		warroom.Field{Name: "CreatedBy", From: "createdBy", Type: warroom.String, Help: "Who wrote it."},
		warroom.Field{Name: "CreatedTime", From: "createdTime|createTime", Type: warroom.Date, Help: "When it was written."},
	)
}

// alertColumns returns the columns of a table of alerts.
func alertColumns() []string {
	return []string{
		"AlertCreationTime", "Severity", "Title", "ComputerDNSName", "Status", "Classification", "Category", "ThreatFamilyName",
		"ID", "IncidentID", "MachineID", "Description",
	}
}

// The pages of the portal about the objects of tables, by column.
func alertPages() map[string]string {
	return map[string]string{"ID": "/alerts/{}", "IncidentID": "/incidents/{}", "MachineID": machinePage}
}

func machinePages() map[string]string { return map[string]string{"ID": machinePage} }

func machineActionPages() map[string]string {
	return map[string]string{"MachineID": machinePage, "TriggeringAlertID": "/alerts/{}"}
}

const machinePage = "/machines/v2/{}"

func machineActionView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id", Type: warroom.String, Help: "The machine action's ID."},
		warroom.Field{Name: "Type", From: "type", Type: warroom.String, Help: "What the action does."},
		warroom.Field{Name: "Scope", From: "scope", Type: warroom.Unknown, Help: "The extent of the action: Full or Selective for isolation, Quick or Full for a scan."},
		warroom.Field{Name: "Requestor", From: "requestor", Type: warroom.String, Help: "Who requested it."},
		warroom.Field{Name: "RequestorComment", From: "requestorComment", Type: warroom.String, Help: "Why."},
		warroom.Field{Name: "Status", From: "status", Type: warroom.String, Help: "Pending, InProgress, Succeeded, Failed, TimeOut or Cancelled."},
		warroom.Field{Name: "MachineID", From: "machineId", Type: warroom.String, Help: "The ID of the machine."},
		warroom.Field{Name: "ComputerDNSName", From: "computerDnsName", Type: warroom.String, Help: "The name of the machine."},
		warroom.Field{Name: "CreationDateTimeUtc", From: "creationDateTimeUtc", Type: warroom.Date, Help: "When it was requested."},
		warroom.Field{Name: "LastUpdateTimeUtc", From: "lastUpdateDateTimeUtc|lastUpdateTimeUtc", Type: warroom.Date, Help: "When its status last changed."},
		warroom.Field{Name: "RelatedFileInfo", From: "relatedFileInfo", Of: warroom.NewView(
			warroom.Field{Name: "FileIdentifier", From: "fileIdentifier", Type: warroom.String, Help: "The hash of the file that the action is about."},
			warroom.Field{Name: "FileIdentifierType", From: "fileIdentifierType", Type: warroom.String, Help: "The kind of that hash."},
		)},
		warroom.Field{Name: "Commands", From: "commands", Type: warroom.Unknown, Help: "The commands of a live response session."},
	)
}

func machineActionColumns() []string {
	return []string{"CreationDateTimeUtc", "Type", "ComputerDNSName", "Status", "Requestor", "RequestorComment", "ID", "MachineID"}
}

// macOf returns the MAC address of the adapter that has the machine's last internal address, or "" without one.
func macOf(machine rawjson.Value) string {
	last := machine.Text("lastIpAddress")
	for _, address := range machine.Items("ipAddresses") {
		if mac := address.Text("macAddress"); mac != "" && last != "" && strings.EqualFold(address.Text("ipAddress"), last) {
			return mac
		}
	}
	return ""
}

// networkInterfaces groups the addresses of a machine by adapter.
func networkInterfaces(machine rawjson.Value) warroom.Value {
	type adapter struct {
		MACAddress   string
		IPAddresses  []string
		Type, Status string
	}
	var adapters []*adapter
	byMAC := map[string]*adapter{}
	for _, address := range machine.Items("ipAddresses") {
		mac := address.Text("macAddress")
		one := byMAC[mac]
		if one == nil || mac == "" {
			one = &adapter{MACAddress: mac, Type: address.Text("type"), Status: address.Text("operationalStatus")}
			byMAC[mac] = one
			adapters = append(adapters, one)
		}
		one.IPAddresses = append(one.IPAddresses, address.Text("ipAddress"))
	}
	if adapters == nil {
		return nil
	}
	return warroom.Raw(rawjson.Make(adapters))
}

func adapterView() *warroom.View {
	return warroom.NewView(
		warroom.Field{Name: "MACAddress", Type: warroom.String, Help: "The adapter's MAC address."},
		warroom.Field{Name: "IPAddresses", Type: warroom.String, Help: "The adapter's IP addresses."},
		warroom.Field{Name: "Type", Type: warroom.String, Help: "The kind of adapter."},
		warroom.Field{Name: "Status", Type: warroom.String, Help: "The state of the adapter."},
	)
}
