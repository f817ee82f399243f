package kql_test

import (
	"testing"

	"xsoar-defender/internal/kql"
)

func TestNamesColumns(t *testing.T) {
	for query, want := range map[string]bool{
		"DeviceInfo | take 5":                                 false,
		"DeviceInfo\n| where DeviceName has 'project'":        false,
		"DeviceInfo | project Timestamp, DeviceName":          true,
		"DeviceInfo\n|summarize count() by DeviceName":        true,
		"DeviceInfo | distinct DeviceId":                      true,
		"DeviceInfo | project-away ReportId":                  false,
		"DeviceInfo | project-rename a = b":                   false,
		"DeviceInfo | project-reorder DeviceName":             true,
		"DeviceInfo | extend x = 1 | PROJECT x | sort by x":   true,
		"DeviceInfo | project-away ReportId | project a, b":   true,
		"union DeviceEvents, DeviceInfo | where x == 1":       false,
		"DeviceInfo | project-keep DeviceName, Timestamp | x": true,
	} {
		if got := kql.NamesColumns(query); got != want {
			t.Errorf("%s: got %t, want %t", query, got, want)
		}
	}
}
