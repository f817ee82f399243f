package program_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"xsoar-defender/platform/platformtest"
)

// backlog is a tenant whose alerts wait, the newest first, as many a minute as in a storm.
type backlog struct {
	*largeTenant

	alerts   []json.RawMessage // the oldest first
	created  []time.Time
	requests atomic.Int64
}

func newBacklog(b *testing.B, size int, every time.Duration) *backlog {
	b.Helper()
	tenant := &backlog{largeTenant: &largeTenant{}}
	begin := time.Now().UTC().Add(-time.Duration(size) * every).Add(-time.Hour).Truncate(time.Second)
	for i := range size {
		at := begin.Add(time.Duration(i) * every)
		tenant.created = append(tenant.created, at)
		tenant.alerts = append(tenant.alerts, oneLine(`{"id":"da63%d_%d","incidentId":%d,"severity":"High","status":"New","detectionSource":"WindowsDefenderAtp",
"category":"Execution","title":"Suspicious activity %d","description":"A script was started by a document and reached out to the internet.",
"alertCreationTime":%q,"machineId":"%040x","computerDnsName":"ws-%06d.contoso.example","mitreTechniques":["T1059.003","T1053"],"evidence":[]}`,
			i, i, i, i, at.Format("2006-01-02T15:04:05.0000000Z"), i, i))
	}
	server := httptest.NewTLSServer(tenant)
	b.Cleanup(server.Close)
	tenant.base = server.URL
	return tenant
}

var bound = regexp.MustCompile(`alertCreationTime (ge|lt) (\S+Z)`)

func (l *backlog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/alerts" {
		l.largeTenant.ServeHTTP(w, r)
		return
	}
	l.requests.Add(1)
	from, to := 0, len(l.alerts)
	for _, found := range bound.FindAllStringSubmatch(r.URL.Query().Get("$filter"), -1) {
		at, err := time.Parse(time.RFC3339Nano, found[2])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		place, _ := slices.BinarySearchFunc(l.created, at, time.Time.Compare)
		if found[1] == "ge" {
			from = place
		} else {
			to = place
		}
	}
	skip, _ := strconv.Atoi(r.URL.Query().Get("$skip")) // 0 if there is none
	top, err := strconv.Atoi(r.URL.Query().Get("$top"))
	if err != nil {
		http.Error(w, "$top is missing", http.StatusBadRequest)
		return
	}
	newest := max(from, to-skip)
	oldest := max(from, newest-top)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"value":[`)
	for i := newest - 1; i >= oldest; i-- {
		if i < newest-1 {
			fmt.Fprint(w, ",")
		}
		if _, err := w.Write(l.alerts[i]); err != nil {
			return // the client has gone
		}
	}
	fmt.Fprint(w, `]}`)
}

// BenchmarkBacklog fetches alerts that wait, 30 of each minute, until the last one is handed over, in one process.
func BenchmarkBacklog(b *testing.B) {
	for _, size := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("alerts=%d", size), func(b *testing.B) {
			for b.Loop() {
				tenant := newBacklog(b, size, 2*time.Second)
				command := program(b, "xsoar-defender", nil)
				plugin := platformtest.New().Start(b, command)
				settings := tenant.instance()
				settings["max_fetch"], settings["first_fetch_timestamp"] = "200", "30 days"
				fetches := 0
				for handed := 0; handed < size; fetches++ {
					if fetches > size/100 {
						b.Fatalf("got %d of %d alerts after %d fetches", handed, size, fetches)
					}
					outcome, err := plugin.Run(platformtest.Request{Command: "fetch-incidents", Args: map[string]any{}, Params: settings})
					if err != nil || outcome.Failure() != "" || len(outcome.Exception) > 0 {
						b.Fatalf("got %v, the error entry %q and %q", err, outcome.Failure(), outcome.Exception)
					}
					var incidents []json.RawMessage
					if err := json.Unmarshal([]byte(outcome.Entries[0].Text()), &incidents); err != nil {
						b.Fatal(err)
					}
					handed += len(incidents)
				}
				if err := plugin.Close(); err != nil {
					b.Fatal(err)
				}
				spent := command.ProcessState.UserTime() + command.ProcessState.SystemTime()
				b.ReportMetric(float64(spent.Microseconds())/1000/float64(size), "cpu-ms/alert")
				b.ReportMetric(float64(tenant.requests.Load())/float64(size), "requests/alert")
				b.ReportMetric(float64(fetches), "fetches")
			}
		})
	}
}
