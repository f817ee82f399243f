package program_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"xsoar-defender/platform/platformtest"
)

// largeTenant answers with as many machines and alerts as it is asked for, page by page, and with a token.
type largeTenant struct {
	base     string
	machines []json.RawMessage
	alerts   []json.RawMessage
}

func newLargeTenant(b testing.TB, size int) *largeTenant {
	b.Helper()
	tenant := &largeTenant{}
	for i := range size {
		tenant.machines = append(tenant.machines, oneLine(`{"id":"%040x","computerDnsName":"ws-%06d.contoso.example","firstSeen":"2026-01-11T08:00:07.5931413Z",
"lastSeen":"2026-10-10T18:10:20.0316331Z","osPlatform":"Windows11","osVersion":null,"osProcessor":"x64","version":"23H2","lastIpAddress":"10.2.%d.%d",
"lastExternalIpAddress":"203.0.113.7","agentVersion":"10.8760.26100.1","osBuild":22631,"healthStatus":"Active","deviceValue":"Normal","rbacGroupId":140,
"rbacGroupName":"Group A","riskScore":"Low","exposureLevel":"Low","isAadJoined":true,"aadDeviceId":"80fe8ff8-2624-418e-9591-41f0491218f9","machineTags":["tag 1","prod"],
"ipAddresses":[{"ipAddress":"10.2.0.17","macAddress":"8C005AA1B2C3","type":"Ethernet","operationalStatus":"Up"}]}`, i, i, i/250%250, i%250))
		tenant.alerts = append(tenant.alerts, oneLine(`{"id":"da63%d_%d","incidentId":%d,"severity":"High","status":"New","detectionSource":"WindowsDefenderAtp",
"category":"Execution","title":"Suspicious activity %d","description":"A script was started by a document and reached out to the internet.",
"alertCreationTime":"2026-10-12T10:03:00.1234567Z","machineId":"%040x","computerDnsName":"ws-%06d.contoso.example","mitreTechniques":["T1059.003","T1053"],
"evidence":[{"entityType":"Process","fileName":"cmd.exe","filePath":"C:\\Windows\\System32","processCommandLine":"cmd.exe /c \"whoami | more\""}]}`, i, i, i, i, i, i))
	}
	server := httptest.NewTLSServer(tenant)
	b.Cleanup(server.Close)
	tenant.base = server.URL
	return tenant
}

// oneLine formats an object as the service sends it, without line breaks.
func oneLine(format string, values ...any) json.RawMessage {
	return fmt.Appendf(nil, strings.ReplaceAll(format, "\n", ""), values...)
}

// bytes returns the size of the list of machines in MB.
func (l *largeTenant) bytes() float64 {
	sum := 0
	for _, machine := range l.machines {
		sum += len(machine) + 1
	}
	return float64(sum) / (1 << 20)
}

// ServeHTTP answers as the authority and as the API.
func (l *largeTenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	page := func(all []json.RawMessage) {
		query := r.URL.Query()
		top, err := strconv.Atoi(query.Get("$top"))
		if err != nil {
			http.Error(w, "$top is missing", http.StatusBadRequest)
			return
		}
		skip, _ := strconv.Atoi(query.Get("$skip")) // 0 if there is none
		all = all[min(skip, len(all)):]
		body := bytes.Join(unraw(all[:min(top, len(all))]), []byte(","))
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+len(`{"value":[]}`)))
		fmt.Fprintf(w, `{"value":[%s]}`, body)
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/download/"):
		l.download(w, strings.TrimPrefix(r.URL.Path, "/download/"))
	case strings.HasPrefix(r.URL.Path, "/api/machineactions/"):
		// The ID of the action is the size of its file in MB.
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/machineactions/"), "/")
		fmt.Fprintf(w, `{"id":%q,"status":"Succeeded","type":"LiveResponse","value":"%s/download/%s"}`, id, l.base, id)
	case strings.HasSuffix(r.URL.Path, "/token"):
		fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"token"}`)
	case strings.Contains(r.URL.Path, "openid-configuration"):
		fmt.Fprintf(w, `{"issuer":"%[1]s/t/v2.0","authorization_endpoint":"%[1]s/t/oauth2/v2.0/authorize","token_endpoint":"%[1]s/t/oauth2/v2.0/token"}`, l.base)
	case r.URL.Path == "/api/alerts":
		page(l.alerts)
	default:
		page(l.machines)
	}
}

// download answers with a file of the given size in megabytes.
func (l *largeTenant) download(w http.ResponseWriter, megabytes string) {
	left, err := strconv.Atoi(megabytes)
	if err != nil {
		http.Error(w, "the file has no size", http.StatusBadRequest)
		return
	}
	for part := make([]byte, 1<<20); left > 0; left-- {
		if _, err := w.Write(part); err != nil {
			return // the client has gone
		}
	}
}

func unraw(items []json.RawMessage) [][]byte {
	texts := make([][]byte, len(items))
	for i, item := range items {
		texts[i] = item
	}
	return texts
}

// BenchmarkGrowth runs lists of growing size in processes of their own, through the platform's loop, and reports
// their CPU time and their largest resident memory, as Linux shows it, in addition to the time that the platform waits.
func BenchmarkGrowth(b *testing.B) {
	for _, size := range []int{1000, 10_000, 100_000} {
		tenant := newLargeTenant(b, size)
		for _, list := range []struct{ name, command, limit string }{
			{"machines", "microsoft-atp-get-machines", "page_size"},
			{"alerts", "microsoft-atp-list-alerts", "limit"},
		} {
			b.Run(fmt.Sprintf("%s=%d", list.name, size), func(b *testing.B) {
				grow(b, platformtest.Request{Command: list.command, Args: map[string]any{list.limit: size}, Params: tenant.instance()})
			})
		}
	}
}

// BenchmarkDownload saves files of growing size, which must not take more memory.
func BenchmarkDownload(b *testing.B) {
	tenant := newLargeTenant(b, 0)
	for _, megabytes := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("megabytes=%d", megabytes), func(b *testing.B) {
			grow(b, platformtest.Request{
				Command: "microsoft-atp-live-response-result", Params: tenant.instance(),
				Args: map[string]any{"machine_action_id": strconv.Itoa(megabytes), "command_index": 0},
			})
		})
	}
}

// instance are the parameters of an instance at the tenant.
func (l *largeTenant) instance() map[string]any {
	return map[string]any{
		"endpoint_type": "Custom", "url": l.base, "azure_ad_endpoint": l.base, "insecure": true, "self_deployed": true,
		"_auth_id": "8b7e1f4e-0000-4000-8000-000000000001", "_tenant_id": "8b7e1f4e-0000-4000-8000-0000000000aa",
		"credentials": map[string]any{"password": "secret-of-the-benchmark"},
	}
}

// grow measures an execution in processes of their own.
func grow(b *testing.B, request platformtest.Request) {
	b.Helper()
	var peak, cpu float64
	for b.Loop() {
		p, c := measure(b, request)
		peak, cpu = max(peak, p), cpu+c
	}
	b.ReportMetric(peak, "peak-MB")
	b.ReportMetric(cpu/float64(b.N), "cpu-ms/op")
}

// measure runs an execution in a process and returns its largest resident memory in MB and its CPU time in ms.
func measure(b *testing.B, request platformtest.Request) (peak, cpu float64) {
	b.Helper()
	command := program(b, "xsoar-defender", nil)
	plugin := platformtest.New().Start(b, command)
	outcome, err := plugin.Run(request)
	if err != nil || outcome.Failure() != "" {
		b.Fatalf("got %v and the error entry %q", err, outcome.Failure())
	}
	peak = megabytes(b, command.Process.Pid, "status", "VmHWM:")
	if err := plugin.Close(); err != nil {
		b.Fatal(err)
	}
	spent := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	return peak, float64(spent.Milliseconds())
}

// megabytes returns an amount of memory that Linux shows of a process in a file.
func megabytes(b testing.TB, process int, file, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", process, file))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+name)
	if !found {
		b.Fatalf("%s does not show %s", file, name)
	}
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1024
}

// BenchmarkIdle has processes of the program that wait for the platform after a small command, and reports what each of them
// costs the machine: its proportional set size (PSS), in which pages that all of them share count once.
func BenchmarkIdle(b *testing.B) {
	tenant := newLargeTenant(b, 10)
	for _, processes := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("processes=%d", processes), func(b *testing.B) {
			for b.Loop() {
				var running []int
				for range processes {
					command := program(b, "xsoar-defender", nil)
					plugin := platformtest.New().Start(b, command)
					outcome, err := plugin.Run(getMachines(tenant.instance()))
					if err != nil || outcome.Failure() != "" {
						b.Fatalf("got %v and the error entry %q", err, outcome.Failure())
					}
					running = append(running, command.Process.Pid)
				}
				sum := 0.0
				for _, process := range running {
					sum += megabytes(b, process, "smaps_rollup", "Pss:")
				}
				b.ReportMetric(sum/float64(processes), "PSS-MB/process")
			}
		})
	}
}

// memoryOf runs lists in one process and returns how much memory it holds afterwards, and the most that it held, in MB.
func memoryOf(t *testing.T, params map[string]any, lists int, wantFailure string) (idle, peak float64) {
	t.Helper()
	command := program(t, "xsoar-defender", nil)
	plugin := platformtest.New().Start(t, command)
	for range lists {
		outcome, err := plugin.Run(platformtest.Request{Command: "microsoft-atp-get-machines", Args: map[string]any{"page_size": 40_000}, Params: params})
		if err != nil || wantFailure == "" && outcome.Failure() != "" || !strings.Contains(outcome.Failure(), wantFailure) {
			t.Fatalf("got %v and the error entry %q, want %q", err, outcome.Failure(), wantFailure)
		}
	}
	if err := plugin.Ping(); err != nil { // answered after the execution has been tidied up
		t.Fatal(err)
	}
	idle, peak = megabytes(t, command.Process.Pid, "status", "VmRSS:"), megabytes(t, command.Process.Pid, "status", "VmHWM:")
	if err := plugin.Close(); err != nil {
		t.Error(err)
	}
	return idle, peak
}

// The memory of a process built with the race detector says nothing about that of the program.
const raceFactor = 12

func most(megabytes float64) float64 {
	if raceDetector {
		return megabytes * raceFactor
	}
	return megabytes
}

func TestMemoryOfALargeListIsGivenBack(t *testing.T) {
	t.Parallel()
	tenant := newLargeTenant(t, 40_000)
	idle, peak := memoryOf(t, tenant.instance(), 2, "")
	if size := tenant.bytes(); idle > most(30) || peak > most(30+1.5*size) {
		t.Errorf("got %.0f MB afterwards and %.0f MB at most for lists of %.0f MB, want 30 and one and a half times the list more", idle, peak, size)
	}
}

// TestAnAnswerWithoutAnEndIsRefused has the API send more than there is memory for: without an end, and compressed to almost
// nothing.
func TestAnAnswerWithoutAnEndIsRefused(t *testing.T) {
	t.Parallel()
	tenant := newLargeTenant(t, 0)
	part := bytes.Repeat([]byte(" "), 1<<20)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"without an end": func(w http.ResponseWriter) {
			for {
				if _, err := w.Write(part); err != nil {
					return // the client has seen enough
				}
			}
		},
		"a bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			bomb, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
			for range 200 {
				if err == nil {
					_, err = bomb.Write(part)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			defer server.Close()
			params := tenant.instance()
			params["url"], params["largest_answer"] = server.URL, "20"
			idle, peak := memoryOf(t, params, 2, "larger than 20 MB")
			if idle > most(30) || peak > most(60) {
				t.Errorf("got %.0f MB afterwards and %.0f MB at most, want 30 and 60", idle, peak)
			}
		})
	}
}

// BenchmarkContainer runs lists of growing size in processes whose memory is limited, as that of a container is, and reports the
// most that they took, or 0 where the list was refused because it does not fit. It needs the right to make control groups.
func BenchmarkContainer(b *testing.B) {
	for _, limit := range []int{64, 128, 256} {
		for _, size := range []int{1000, 10_000, 50_000, 100_000} {
			tenant := newLargeTenant(b, size)
			b.Run(fmt.Sprintf("megabytes=%d/machines=%d", limit, size), func(b *testing.B) {
				group := newGroup(b, limit)
				for b.Loop() {
					command := program(b, "xsoar-defender", nil)
					command.Args = []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$1"`, group, command.Path}
					command.Path = "/bin/sh"
					plugin := platformtest.New().Start(b, command)
					outcome, err := plugin.Run(platformtest.Request{Command: "microsoft-atp-get-machines", Args: map[string]any{"page_size": size}, Params: tenant.instance()})
					if err != nil {
						b.Fatalf("got %v: the process was killed", err)
					}
					peak := 0.0
					if outcome.Failure() == "" {
						peak = megabytes(b, command.Process.Pid, "status", "VmHWM:")
					}
					b.ReportMetric(peak, "peak-MB")
					b.ReportMetric(tenant.bytes(), "list-MB")
					if err := plugin.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// newGroup makes a control group with a limit of memory in MB, in either version of control groups.
func newGroup(b *testing.B, limit int) string {
	b.Helper()
	parent, file := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err == nil {
		parent, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	}
	group, err := os.MkdirTemp(parent, "xsoar-defender-") //nolint:usetesting // a control group is only made in its own file system
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.Remove(group) })
	if err := os.WriteFile(filepath.Join(group, file), fmt.Append(nil, limit<<20), 0o600); err != nil {
		b.Fatal(err)
	}
	return group
}
