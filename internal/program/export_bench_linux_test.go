package program_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xsoar-defender/platform/platformtest"
)

// exportTenant answers with an export of some megabytes, as pages of JSON and as files.
type exportTenant struct {
	largeTenant

	// page is a page of records, which is repeated, and packed the same as lines, compressed.
	page, packed []byte
	pages        int
}

// recordsInPage is how many records a page and a file have: some 10 MB.
const recordsInPage = 10_000

func newExportTenant(b testing.TB, megabytes int) *exportTenant {
	b.Helper()
	var records [][]byte
	draw := rand.New(rand.NewPCG(1, 2))
	var device [20]byte
	for i := range recordsInPage {
		if i%50 == 0 { // a machine has some 50 vulnerabilities
			device = sha1.Sum([]byte(strconv.Itoa(i)))
		}
		records = append(records, fmt.Appendf(nil, `{"id":"%[1]x_firefox_83.0.0.0_CVE-2026-%05[2]d_","deviceId":"%[1]x","rbacGroupName":"Workstations of the branch","deviceName":"ws-%[3]x.corp.contoso.example","osPlatform":"Windows11","osVersion":"10.0.26100.6584","osArchitecture":"x64","softwareVendor":"mozilla","softwareName":"firefox_%[4]d","softwareVersion":"83.0.%[5]d.0","cveId":"CVE-2026-%05[2]d","vulnerabilitySeverityLevel":"High","recommendedSecurityUpdate":"193220","recommendedSecurityUpdateId":null,"recommendedSecurityUpdateUrl":null,"diskPaths":["C:\\Program Files (x86)\\Mozilla Firefox\\firefox.exe"],"registryPaths":["HKEY_LOCAL_MACHINE\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Mozilla Firefox 83.0 (x86 en-US)"],"lastSeenTimestamp":"2026-11-%02[6]d 17:%02[7]d:%02[8]d","firstSeenTimestamp":"2026-05-%02[9]d 12:%02[10]d:%02[11]d","exploitabilityLevel":"NoExploit","recommendationReference":"va-_-mozilla-_-firefox","securityUpdateAvailable":true,"cvssScore":%[5]d.%[4]d}`,
			device, draw.IntN(100_000), device[:4], draw.IntN(40), draw.IntN(9), draw.IntN(28)+1, draw.IntN(60), draw.IntN(60), draw.IntN(28)+1, draw.IntN(60), draw.IntN(60)))
	}
	e := &exportTenant{page: bytes.Join(records, []byte(","))}
	e.pages = max(1, (megabytes<<20+len(e.page)/2)/len(e.page))
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	for _, record := range records {
		if _, err := writer.Write(append(record, '\n')); err != nil {
			b.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		b.Fatal(err)
	}
	e.packed = packed.Bytes()
	server := httptest.NewTLSServer(e)
	b.Cleanup(server.Close)
	e.base = server.URL
	return e
}

// ServeHTTP answers the requests of an export, and all others as the tenant with lists does.
func (e *exportTenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "ByMachine"):
		number, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")) // 0 if there is none
		next := ""
		if number+1 < e.pages {
			next = fmt.Sprintf(`,"@odata.nextLink":"%s%s?pageSize=50000&$skiptoken=%d"`, e.base, r.URL.Path, number+1)
		}
		fmt.Fprint(w, `{"@odata.context":"x","value":[`)
		w.Write(e.page)
		fmt.Fprintf(w, `]%s}`, next)
	case strings.HasSuffix(r.URL.Path, "Export"):
		links := make([]string, e.pages)
		for i := range links {
			links[i] = fmt.Sprintf("%s/part/%d", e.base, i)
		}
		text, _ := json.Marshal(links) //nolint:errchkjson // texts can always be encoded
		fmt.Fprintf(w, `{"exportFiles":%s,"generatedTime":"2026-11-20T06:00:00Z"}`, text)
	case strings.HasPrefix(r.URL.Path, "/part/"):
		w.Write(e.packed)
	default:
		e.largeTenant.ServeHTTP(w, r)
	}
}

// BenchmarkExport exports as much as is named, in processes of their own. To compare: naive is a program that reads the
// same pages into memory, takes them apart and writes them; floor decompresses the same files and copies them.
func BenchmarkExport(b *testing.B) {
	for _, megabytes := range []int{10, 100, 1000} {
		tenant := newExportTenant(b, megabytes)
		for _, way := range []struct{ via, format string }{{"json", "jsonl.gz"}, {"json", "csv"}, {"files", "jsonl.gz"}, {"files", "jsonl"}, {"files", "csv.gz"}} {
			b.Run(fmt.Sprintf("megabytes=%d/via=%s/format=%s", megabytes, way.via, way.format), func(b *testing.B) {
				grow(b, platformtest.Request{
					Command: "microsoft-atp-export", Params: tenant.instance(),
					Args: map[string]any{"kind": "software_vulnerabilities", "via": way.via, "format": way.format},
				})
			})
		}
		b.Run(fmt.Sprintf("megabytes=%d/floor", megabytes), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(floor(b, tenant).Milliseconds()), "cpu-ms/op")
			}
		})
		b.Run(fmt.Sprintf("megabytes=%d/naive", megabytes), func(b *testing.B) {
			for b.Loop() {
				naive(b, tenant)
			}
		})
	}
}

// floor decompresses the files of the export to a file, and returns the time that it takes.
func floor(b *testing.B, tenant *exportTenant) time.Duration {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime(b)
	for range tenant.pages {
		reader, err := gzip.NewReader(bytes.NewReader(tenant.packed))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(file, reader); err != nil {
			b.Fatal(err)
		}
	}
	return threadTime(b) - began
}

// threadTime is the CPU time of this thread.
func threadTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// naiveFrom is the first page of the export that the test binary reads naively when it is run for that.
var naiveFrom = flag.String("naive-export", "", "the first page of an export that TestNaiveExport reads")

// naive reads the export naively in a process of its own.
func naive(b *testing.B, tenant *exportTenant) {
	b.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestNaiveExport$", "-naive-export="+tenant.base+"/api/machines/SoftwareVulnerabilitiesByMachine")
	command.Dir = b.TempDir()
	out, err := command.CombinedOutput()
	if err != nil {
		b.Fatalf("got %v and %s", err, out)
	}
	var peak float64
	if _, err := fmt.Sscanf(string(out), "peak %f", &peak); err != nil {
		b.Fatalf("got %v and %s", err, out)
	}
	b.ReportMetric(peak, "peak-MB")
	b.ReportMetric(float64((command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Milliseconds()), "cpu-ms/op")
}

// TestNaiveExport reads an export as a script would that nobody measured; without the flag it has nothing to read.
func TestNaiveExport(t *testing.T) {
	if *naiveFrom == "" {
		return
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	var all []map[string]any
	for next := *naiveFrom; next != ""; {
		response, err := client.Get(next)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		var page struct {
			Value []map[string]any `json:"value"`
			Next  string           `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatal(err)
		}
		all, next = append(all, page.Value...), page.Next
	}
	file, err := os.Create("naive.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	encoder := json.NewEncoder(file)
	for _, record := range all {
		if err := encoder.Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("peak %f\n", megabytes(t, os.Getpid(), "status", "VmHWM:"))
}
