package simulator

import (
	"bufio"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"xsoar-defender/internal/simulator/kusto"
)

// huntingShape is a query of the sample.
type huntingShape struct {
	name, expected, query string
}

// huntingShapes reads the sample.
func huntingShapes(t *testing.T) []huntingShape {
	t.Helper()
	file, err := os.Open("testdata/hunts/hunts.kql")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var shapes []huntingShape
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if title, found := strings.CutPrefix(lines.Text(), "//# "); found {
			name, expected, _ := strings.Cut(title, ": ")
			shapes = append(shapes, huntingShape{name, expected, ""})
		} else if len(shapes) > 0 {
			shapes[len(shapes)-1].query += lines.Text() + "\n"
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return shapes
}

// TestShapesOfHuntingQueries runs the sample: at least two queries in three run, most of them find something in the company, and
// the others are refused by name.
func TestShapesOfHuntingQueries(t *testing.T) {
	w := newWorld(t)
	ran, total := 0, 0
	for _, shape := range huntingShapes(t) {
		total++
		answer := w.ask("POST", queryPath, map[string]string{"Query": shape.query})
		switch shape.expected {
		case "rows", "runs":
			if answer.status != 200 {
				t.Errorf("%s: %d %s", shape.name, answer.status, answer.body)
				continue
			}
			ran++
			if rows := answer.get("Results.#").Int(); shape.expected == "rows" && rows == 0 {
				t.Errorf("%s: found nothing", shape.name)
			}
		default:
			if answer.status != 400 || !strings.Contains(answer.get("error.message").String(), shape.expected) {
				t.Errorf("%s: got %d %.300s, want 400 and the name of %s", shape.name, answer.status, answer.body, shape.expected)
			}
		}
	}
	if 3*ran < 2*total {
		t.Errorf("%d of %d queries run, want two in three", ran, total)
	}
}

// TestTheAttackAgreesAcrossTables follows the attack from the mailbox to the device.
func TestTheAttackAgreesAcrossTables(t *testing.T) {
	w := newWorld(t)
	for question, query := range map[string]string{
		"the attachment is a file of the alerts":                "EmailAttachmentInfo | where SHA256 in ((AlertEvidence | where isnotempty(SHA256) | project SHA256)) | count",
		"the one who clicked got the message":                   "UrlClickEvents | join kind=inner EmailEvents on NetworkMessageId | where AccountUpn == RecipientEmailAddress | count",
		"the link of the message was the one clicked":           "UrlClickEvents | join kind=inner EmailUrlInfo on NetworkMessageId, Url | count",
		"the user of the sign-ins is known":                     "AADSignInEventsBeta | join kind=inner IdentityInfo on AccountObjectId | count",
		"the user of the cloud is known":                        "CloudAppEvents | join kind=inner IdentityInfo on AccountObjectId | count",
		"a process has its file":                                "DeviceProcessEvents | join kind=inner (DeviceFileCertificateInfo) on SHA1, DeviceId | count",
		"a process that connects was started, by the same user": "DeviceNetworkEvents | join kind=inner DeviceProcessEvents on DeviceId, $left.InitiatingProcessId == $right.ProcessId | where InitiatingProcessAccountName == AccountName | count",
		"a vulnerability is described":                          "DeviceTvmSoftwareVulnerabilities | join kind=inner DeviceTvmSoftwareVulnerabilitiesKB on CveId | where VulnerabilitySeverityLevel == VulnerabilitySeverityLevel1 | count",
		"the device of a logon is known":                        "IdentityLogonEvents | join kind=inner DeviceInfo on DeviceName | count",
		"the behavior is of a user with a suspicious sign-in":   "BehaviorInfo | join kind=inner (AADSignInEventsBeta | where ErrorCode != 0) on AccountUpn | count",
		"the machine of an alert is an entity of it":            "AlertInfo | join kind=inner (AlertEvidence | where EntityType == 'Machine') on AlertId | join kind=inner DeviceInfo on DeviceId | count",
		"the user of a machine is in a list":                    "DeviceInfo | where tostring(parse_json(LoggedOnUsers)[0].UserName) in ((IdentityInfo | project AccountName)) | count",
		"a file has a profile, by the name of its column":       "DeviceFileEvents | where isnotempty(SHA1) | invoke FileProfile('SHA1', 500) | where ProfileAvailability == 'Available' | count",
		"guessed passwords are failed sign-ins":                 "DeviceLogonEvents | where ActionType == 'LogonFailed' | summarize Failed=count() by DeviceId, RemoteIP | where Failed > 10 | join kind=inner (AlertEvidence | where Title has 'failed sign-ins' and EntityType == 'Ip') on DeviceId, RemoteIP | count",
	} {
		if n := w.hunts(query).get("Results.0.Count").Int(); n == 0 {
			t.Errorf("%s: nothing found", question)
		}
	}
}

// TestColumnsOfTheTables wants names and types of the schema, each name once.
func TestColumnsOfTheTables(t *testing.T) {
	name := regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	for table := range huntingSchemas() {
		columns := columnsOf(table)
		for i, c := range columns {
			if !name.MatchString(c.Name) || c.Type.Wire() == "" {
				t.Errorf("%s: the column %q of type %q is not in form", table, c.Name, c.Type)
			}
			if j := slices.IndexFunc(columns, func(d kusto.Column) bool { return d.Name == c.Name }); j != i {
				t.Errorf("%s: has the column %s twice", table, c.Name)
			}
		}
	}
}
