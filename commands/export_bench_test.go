package commands

import (
	"os"
	"testing"
)

// BenchmarkExportRecords measures what an export does with each record: counting it and writing it as a line.
func BenchmarkExportRecords(b *testing.B) {
	record := []byte(`{"id":"00044f612345baf759462dbe6db733b6a9c59ab4_edge_10.0.17763.1637__","deviceId":"00044f612345daf756462bde6bd733b9a9c59ab4","rbacGroupName":"hhh","deviceName":"ws-1.corp.contoso.example","osPlatform":"Windows10","osVersion":"10.0.17763.1637","osArchitecture":"x64","softwareVendor":"microsoft","softwareName":"edge","softwareVersion":"10.0.17763.1637","cveId":"CVE-2026-0001","vulnerabilitySeverityLevel":"High","recommendedSecurityUpdate":null,"recommendedSecurityUpdateId":null,"recommendedSecurityUpdateUrl":null,"diskPaths":["C:\\Program Files (x86)\\Mozilla Firefox\\firefox.exe"],"registryPaths":["HKEY_LOCAL_MACHINE\\SOFTWARE\\Mozilla Firefox 83.0 (x86 en-US)"],"lastSeenTimestamp":"2020-12-30 14:17:26","firstSeenTimestamp":"2020-12-30 11:07:15","exploitabilityLevel":"NoExploit","recommendationReference":"va-_-microsoft-_-edge","securityUpdateAvailable":true}` + "\n")
	for _, format := range []string{formatJSONLines, formatJSONLinesPacked, formatCSV} {
		b.Run(format, func(b *testing.B) {
			file, err := os.CreateTemp(b.TempDir(), "")
			if err != nil {
				b.Fatal(err)
			}
			written, err := newExportFile(file, format, nil, false, 0, "")
			if err != nil {
				b.Fatal(err)
			}
			e := &exporter{kind: exportKinds()[1], file: written, devices: newDevices(), part: newSummary()}
			e.run = &Run{}
			if err := e.begin(); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			for b.Loop() {
				e.part.Read = 0 // there is no client here to report progress
				if err := e.take(record, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
