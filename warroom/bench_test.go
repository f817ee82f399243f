package warroom_test

import (
	"fmt"
	"io"
	"testing"

	"xsoar-defender/internal/rawjson"
	"xsoar-defender/warroom"
)

// benchmarkMachines are machines as the API returns them, about 1.4 kB each.
func benchmarkMachines(count int) []rawjson.Value {
	machines := make([]rawjson.Value, count)
	for i := range machines {
		machines[i] = rawjson.Value(fmt.Sprintf(`{"id":"%040x","mergedIntoMachineId":null,"isPotentialDuplication":false,"isExcluded":false,"exclusionReason":null,`+
			`"computerDnsName":"workstation-%d.contoso.example","firstSeen":"2026-08-02T14:55:03.7791856Z","lastSeen":"2026-11-02T14:55:03.7791856Z",`+
			`"osPlatform":"Windows11","osVersion":null,"osProcessor":"x64","version":"24H2","lastIpAddress":"172.17.230.209","lastExternalIpAddress":"203.0.113.71",`+
			`"agentVersion":"10.8760.26100.1150","osBuild":26100,"healthStatus":"Active","deviceValue":"Normal","rbacGroupId":140,"rbacGroupName":"The-A-Team",`+
			`"riskScore":"Low","exposureLevel":"Medium","isAadJoined":true,"aadDeviceId":"80fe8ff8-2624-418e-9591-41f0491218f9","machineTags":["test tag 1","test tag 2"],`+
			`"onboardingStatus":"Onboarded","osArchitecture":"64-bit","managedBy":"Intune","managedByStatus":"Success","vmMetadata":null,"ipAddresses":[`+
			`{"ipAddress":"172.17.230.209","macAddress":"00155DAABBCC","type":"Ethernet","operationalStatus":"Up"},`+
			`{"ipAddress":"fe80::a1b2:c3d4:e5f6:1234","macAddress":"00155DAABBCC","type":"Ethernet","operationalStatus":"Up"},`+
			`{"ipAddress":"127.0.0.1","macAddress":"","type":"SoftwareLoopback","operationalStatus":"Up"}]}`, i, i))
	}
	return machines
}

// benchmarkView shows about as much of a machine as the commands do.
func benchmarkView() *warroom.View {
	address := warroom.NewView(
		warroom.Field{Name: "ipAddress", From: "ipAddress"}, warroom.Field{Name: "MACAddress", From: "macAddress"},
		warroom.Field{Name: "operationalStatus", From: "operationalStatus"}, warroom.Field{Name: "type", From: "type"},
	)
	return warroom.NewView(
		warroom.Field{Name: "ID", From: "id"}, warroom.Field{Name: "ComputerDNSName", From: "computerDnsName"},
		warroom.Field{Name: "FirstSeen", From: "firstSeen"}, warroom.Field{Name: "LastSeen", From: "lastSeen"},
		warroom.Field{Name: "OSPlatform", From: "osPlatform"}, warroom.Field{Name: "OSVersion", From: "osVersion|version"},
		warroom.Field{Name: "OSProcessor", From: "osProcessor|osArchitecture"}, warroom.Field{Name: "LastIPAddress", From: "lastIpAddress"},
		warroom.Field{Name: "LastExternalIPAddress", From: "lastExternalIpAddress"}, warroom.Field{Name: "AgentVersion", From: "agentVersion"},
		warroom.Field{Name: "OSBuild", From: "osBuild"}, warroom.Field{Name: "HealthStatus", From: "healthStatus"},
		warroom.Field{Name: "RBACGroupID", From: "rbacGroupId"}, warroom.Field{Name: "RBACGroupName", From: "rbacGroupName"},
		warroom.Field{Name: "RiskScore", From: "riskScore"}, warroom.Field{Name: "ExposureLevel", From: "exposureLevel"},
		warroom.Field{Name: "IsAADJoined", From: "isAadJoined"}, warroom.Field{Name: "AADDeviceID", From: "aadDeviceId"},
		warroom.Field{Name: "MachineTags", From: "machineTags"}, warroom.Field{Name: "IPAddresses", From: "ipAddresses", Of: address},
	)
}

func eachSize(b *testing.B, run func(b *testing.B, records warroom.Records)) {
	for _, count := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("%d_machines", count), func(b *testing.B) {
			records := warroom.Records{View: benchmarkView(), Rows: benchmarkMachines(count)}
			size := 0
			for _, row := range records.Rows {
				size += len(row)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			run(b, records)
		})
	}
}

func BenchmarkRecordsEncodeJSON(b *testing.B) {
	eachSize(b, func(b *testing.B, records warroom.Records) {
		encoder := warroom.NewEncoder(io.Discard)
		for b.Loop() {
			records.EncodeJSON(encoder)
		}
	})
}

// A table shows at most MaxTableRows, so that the larger size takes no longer.
func BenchmarkTableGrid(b *testing.B) {
	eachSize(b, func(b *testing.B, records warroom.Records) {
		table := warroom.Table{Title: "Machines", Columns: []string{"ID", "ComputerDNSName", "OSPlatform", "LastIPAddress", "LastExternalIPAddress", "HealthStatus", "RiskScore", "ExposureLevel"}, Records: records}
		for b.Loop() {
			table.Grid()
		}
	})
}

func BenchmarkTableGridWithoutView(b *testing.B) {
	eachSize(b, func(b *testing.B, records warroom.Records) {
		records.View = nil
		table := warroom.Table{Title: "Results", Records: records}
		for b.Loop() {
			table.Grid()
		}
	})
}

// An entry is readable text, context and contents as received, as the platform is handed them.
func BenchmarkEntryEncode(b *testing.B) {
	eachSize(b, func(b *testing.B, records warroom.Records) {
		whole := warroom.Raw(`{"value":` + string(rawjson.Join(records.Rows)) + `}`)
		entry := warroom.Entry{
			Blocks:   []warroom.Block{warroom.Table{Title: "Machines", Columns: []string{"ID", "ComputerDNSName", "HealthStatus", "RiskScore"}, Records: records}},
			Context:  []warroom.Context{{Path: "MicrosoftATP.Machine(val.ID === obj.ID)", Value: records}},
			Contents: whole,
		}
		encoder := warroom.NewEncoder(io.Discard)
		for b.Loop() {
			warroom.Group{
				{Key: "HumanReadable", Value: warroom.Text(warroom.Markdown(entry.Blocks))},
				{Key: "EntryContext", Value: warroom.Group{{Key: entry.Context[0].Path, Value: entry.Context[0].Value}}},
				{Key: "Contents", Value: entry.Contents},
			}.EncodeJSON(encoder)
			encoder.Line()
		}
	})
}
