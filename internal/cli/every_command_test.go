package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/auth"
	"xsoar-defender/commands"
	"xsoar-defender/commands/commandstest"
	"xsoar-defender/execution"
	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/simulator"
	"xsoar-defender/internal/system"
	"xsoar-defender/internal/testclock"
)

// lab is a simulated tenant, an instance file for it, and a terminal at which nobody waits: time passes when a
// command waits.
type lab struct {
	t        *testing.T
	tenant   *simulator.Tenant
	folder   string
	instance string
	machine  int // the last one that was taken
	clock    *testclock.Clock
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, folder: t.TempDir(), clock: testclock.New(time.Date(2026, 8, 22, 10, 15, 0, 0, time.UTC))}
	tenant, err := simulator.Start(simulator.Options{Clock: l.clock.Clock(), Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tenant.Close(); err != nil {
			t.Errorf("closing the tenant: %v", err)
		}
	})
	l.tenant = tenant
	l.instance = l.write("client-secret")
	return l
}

func (l *lab) write(mode string) string {
	l.t.Helper()
	text, err := json.Marshal(l.tenant.Instance(mode))
	if err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.folder, mode+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// run runs a command from the terminal and returns its exit code and its output.
func (l *lab) run(instance string, words ...string) (code int, out, errs string) {
	return l.execute(append(append([]string{"run"}, words...), "--instance", instance, "--files", l.folder)...)
}

// execute runs the program with the lab's state, and returns its exit code and its output.
func (l *lab) execute(args ...string) (code int, out, errs string) {
	var written, said bytes.Buffer
	args = append(append([]string{"xsoar-defender"}, args...), "--state", filepath.Join(l.folder, "state.json"))
	code = cli.Execute(context.Background(), cli.World{
		Args: args, In: strings.NewReader(""), Out: &written, Errors: &said, Width: func() int { return 0 },
		ConfigDir: func() (string, error) { return "", errors.New("not used") },
		Runner: &execution.Runner{
			System:   system.System{Clock: l.clock.Clock(), Random: repeating{}, Getenv: func(string) string { return "" }},
			Commands: commands.NewRegistry(), Version: "1.0.0", Transports: commandstest.OfflineTransports(), Process: &auth.ProcessTokens{},
		},
	})
	return code, written.String(), said.String()
}

// repeating is randomness that a test can do with: every read differs from the one before in nothing that matters.
type repeating struct{}

func (repeating) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = byte(len(into) + i)
	}
	return len(into), nil
}

// ask runs a command and returns its entries as JSON.
func (l *lab) ask(words ...string) gjson.Result {
	l.t.Helper()
	code, out, errs := l.run(l.instance, append(words, "--json")...)
	if code != 0 {
		l.t.Fatalf("%q ended with %d: %s%s", words, code, errs, out)
	}
	return gjson.Parse(out)
}

// find is a value out of what the tenant answers to a command.
func (l *lab) find(path string, words ...string) string {
	l.t.Helper()
	found := l.ask(words...).Get(path)
	if !found.Exists() || found.String() == "" {
		l.t.Fatalf("the answer to %q has no %s", words, path)
	}
	return found.String()
}

// value returns the text of an argument at the terminal: something that the tenant knows, made again for each command.
func (l *lab) value(argument string) string {
	l.t.Helper()
	const alerts = "results.0.Contents.value.#."
	switch argument {
	case "machine_id":
		// Every command gets its own machine: one with a pending action of the same kind accepts no other.
		l.machine++
		return l.find("results.0.Contents.value."+strconv.Itoa(l.machine)+".id", "microsoft-atp-get-machines", "health_status=Active", "page_size=50")
	case "hostname":
		return l.find("results.0.Contents.value.0.computerDnsName", "microsoft-atp-get-machines")
	case "incident_id":
		return l.find("results.0.Contents.value.0.id", "microsoft-atp-incident-list", "limit=1")
	case "alert_id", "alert_ids", "id":
		return l.find("results.0.Contents.value.0.id", "microsoft-atp-list-alerts")
	case "file", "file_hash", "hash", "file_hash_value":
		return l.find(alerts+"evidence.#(sha1!=\"\").sha1|0", "microsoft-atp-list-alerts", "limit=100")
	case "ip", "network_ipv4":
		return l.find("results.0.Contents.Results.0.RemoteIP", "microsoft-atp-advanced-hunting", `query=DeviceNetworkEvents | where RemoteIPType == "Public" | take 1`)
	case "domain":
		address, err := url.Parse(l.find(alerts+"evidence.#(url!=\"\").url|0", "microsoft-atp-list-alerts", "limit=100"))
		if err != nil {
			l.t.Fatal(err)
		}
		return address.Hostname()
	case "indicator_id":
		return l.find("results.0.Contents.id", "microsoft-atp-sc-indicator-list", "limit=1")
	case "recommendation_id":
		return l.find("results.0.Contents.0.id", "microsoft-atp-list-recommendations")
	case "cve_id", "cve":
		return l.find("results.0.Contents.id", "microsoft-atp-list-vulnerabilities", "limit=1")
	case "action_id":
		return l.find("results.0.Contents.id", "microsoft-atp-collect-investigation-package", "polling=true", "comment=drill", "machine_id="+l.value("machine_id"))
	case "machine_action_id":
		return l.find("results.0.EntryContext.MicrosoftATP\\.LiveResponseAction.action_id",
			"microsoft-atp-live-response-run-script", "comment=drill", "scriptName=triage.ps1", "machine_id="+l.value("machine_id"))
	}
	return map[string]string{
		"since": "3 days", "kind": "software_inventory",
		"commands": `get C:\Windows\System32\cmd.exe`,
		"comment":  "drill", "isolation_type": "Full", "scan_type": "Quick", "scriptName": "triage.ps1", "file_name": "triage.ps1",
		"path": `C:\Windows\System32\cmd.exe`, "timestamp": "1 minute", "username": "nora", "action": "Add", "tag": "drill", "command_index": "0",
		"title": "t", "description": "d", "recommended_action": "r", "indicator_value": "203.0.113.99", "indicator_type": "IpAddress",
		"indicator_title": "t", "indicator_description": "d", "expiration_time": "7 days", "threat_type": "Malware", "process_cmd": "reg",
		"indicator_batch": `[{"indicatorValue":"203.0.113.98","indicatorType":"IpAddress","action":"Audit","title":"t","description":"d"}]`,
	}[argument]
}

// more are arguments beyond the required ones that a command needs to do something, or other values for them.
func (l *lab) more(command string) []string {
	l.t.Helper()
	software := func() []string {
		return []string{"id=" + l.find("results.0.Contents.value.0.id", "microsoft-atp-list-software", "limit=1")}
	}
	switch command {
	case "microsoft-atp-advanced-hunting-lateral-movement-evidence", "microsoft-atp-advanced-hunting-file-origin",
		"microsoft-atp-advanced-hunting-process-details", "microsoft-atp-advanced-hunting-network-connections",
		"microsoft-atp-advanced-hunting-privilege-escalation", "microsoft-atp-advanced-hunting-tampering", "microsoft-atp-advanced-hunting-cover-up":
		return []string{"device_name=" + l.value("hostname")}
	case "fetch-incidents": // for the platform, which shows nothing of it to a reader
		return []string{"--json"}
	case "microsoft-atp-live-response-cancel-action":
		return []string{"machine_action_id=" + l.find("results.0.Contents.0.id", "microsoft-atp-isolate-machine", "comment=drill",
			"isolation_type=Full", "machine_id="+l.value("machine_id"))}
	case "microsoft-atp-incident-update":
		return []string{"status=inProgress"}
	case "microsoft-atp-incident-alerts-move":
		return []string{"new_incident=true"}
	case "microsoft-atp-incident-merge":
		incidents := l.ask("microsoft-atp-incident-list", "limit=2").Get("results.0.Contents.value.#.id").Array()
		return []string{"incident_id=" + incidents[0].String() + "," + incidents[1].String()}
	case "microsoft-atp-live-response-library-upload":
		return []string{"content=Get-Process", "file_name=new.ps1"}
	case "microsoft-atp-batch-update-alerts":
		return []string{"alert_id=" + l.value("alert_id"), "status=InProgress"}
	case "microsoft-atp-bulk-machine-tag":
		return []string{"machine_id=" + l.value("machine_id")}
	case "microsoft-atp-indicator-batch-delete":
		return []string{"indicator_id=" + l.value("indicator_id")}
	case "microsoft-atp-cancel-machine-action":
		return []string{"machine_action_id=" + l.find("results.0.Contents.0.id", "microsoft-atp-run-antivirus-scan", "comment=drill",
			"scan_type=Quick", "machine_id="+l.value("machine_id"))}
	case "endpoint":
		return []string{"hostname=" + l.value("hostname")}
	case "microsoft-atp-update-alert":
		return []string{"status=InProgress"}
	case "microsoft-atp-create-alert":
		event := l.ask("microsoft-atp-advanced-hunting", "query=DeviceProcessEvents | take 1").Get("results.0.Contents.Results.0")
		return []string{
			"machine_id=" + event.Get("DeviceId").String(), "event_time=" + event.Get("Timestamp").String(), "report_id=" + event.Get("ReportId").String(),
		}
	case "microsoft-atp-advanced-hunting":
		return []string{"query=DeviceInfo | take 1"}
	case "microsoft-atp-advanced-hunting-persistence-evidence":
		return []string{"process_cmd=reg", "device_name=" + l.value("hostname")}
	case "microsoft-atp-indicator-create-file":
		return []string{"action=block", "file_hash_type=sha1", "file_hash_value=" + l.value("file_hash_value")}
	case "microsoft-atp-indicator-create-network":
		return []string{"action=block", "network_ipv4=" + l.value("network_ipv4")}
	case "microsoft-atp-list-software-version-distribution", "microsoft-atp-list-machines-by-software",
		"microsoft-atp-list-missing-kb-by-software", "microsoft-atp-list-vulnerabilities-by-software":
		return software()
	}
	return nil
}

// TestEveryCommandRunsFromTheTerminal runs every command with its required arguments against the tenant.
func TestEveryCommandRunsFromTheTerminal(t *testing.T) {
	l := newLab(t)
	login := l.write("authorization-code")
	for _, command := range commands.NewRegistry().All() {
		t.Run(command.Name, func(t *testing.T) {
			words := []string{command.Name}
			more := l.more(command.Name)
			for _, argument := range command.Arguments() {
				given := slices.ContainsFunc(more, func(word string) bool { return strings.HasPrefix(word, argument.Name+"=") })
				if !argument.Required || given {
					continue
				}
				value := l.value(argument.Name)
				if len(argument.Values) > 0 && !slices.Contains(argument.Values, value) {
					value = argument.Values[0]
				}
				words = append(words, argument.Name+"="+value)
			}
			instance := l.instance
			if command.Name == "microsoft-atp-generate-login-url" {
				instance = login
			}
			code, out, errs := l.run(instance, append(words, more...)...)
			if code != 0 {
				t.Errorf("%q ended with %d:\n%s%s", append(words, more...), code, errs, out)
			}
			if out == "" {
				t.Errorf("%q shows nothing", words)
			}
		})
	}
}
