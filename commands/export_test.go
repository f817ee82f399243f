package commands_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

const (
	exportContext = "MicrosoftATP.Export(val.fileName && val.fileName == obj.fileName)"
	pagesOfExport = "/api/machines/SoftwareVulnerabilitiesByMachine"
	filesOfExport = "/api/machines/SoftwareVulnerabilitiesExport"
)

// records are records of an export with the numbers from one to another.
func records(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		severity := []string{"Low", "Medium", "High", "Critical"}[i%4]
		all = append(all, fmt.Sprintf(`{"deviceId":"m%d","deviceName":"ws-%d","rbacGroupName":"g%d","softwareName":"p%d","cveId":"CVE-%d","vulnerabilitySeverityLevel":%q}`, i%7, i%7, i%2, i%3, i, severity))
	}
	return all
}

// pageOf is a page of an export; next is empty on the last.
func pageOf(i *commandstest.Instance, all []string, next string) string {
	if next == "" {
		return list(all...)
	}
	return `{"@odata.nextLink":"` + i.Tenant.URL() + pagesOfExport + `?pageSize=50000&$skiptoken=` + next + `","value":[` + strings.Join(all, " ,\n") + `]}`
}

// onPages answers with pages, one after another.
func onPages(i *commandstest.Instance, pages ...string) { onSlowPages(i, 0, pages...) }

// onSlowPages answers with pages that take a time each.
func onSlowPages(i *commandstest.Instance, each time.Duration, pages ...string) {
	for _, page := range pages {
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 200, Body: page, Times: 1, Delay: each})
	}
}

// packedFile is a file of an export.
func packedFile(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write([]byte(text))
	if err != nil || writer.Close() != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// exported runs an export to its end, and returns what it saved, unpacked, and its context.
func exported(t *testing.T, i *commandstest.Instance, args map[string]any) (lines []string, told gjson.Result) {
	t.Helper()
	lines, told, _ = exportedInTurns(t, i, args)
	return lines, told
}

// exportedInTurns returns the entries of the executions that left the rest to the next one, too.
func exportedInTurns(t *testing.T, i *commandstest.Instance, args map[string]any) (lines []string, told gjson.Result, waits []commandstest.Entry) {
	t.Helper()
	result := i.Run("microsoft-atp-export", args)
	entries := result.All()
	for entries[0].Poll != nil {
		if waits = append(waits, entries[0]); len(waits) > 20 {
			t.Fatal("the export does not end")
		}
		entries = i.Again(entries[0]).All()
	}
	told = entries[0].At(exportContext)
	if len(entries) < 2 || entries[1].File == nil {
		return nil, told, waits
	}
	saved, err := i.Host.File(entries[1].File.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := sha256Of(string(saved)); got != entries[1].File.SHA256 || got != told.Get("sha256").String() || int64(len(saved)) != entries[1].File.Size {
		t.Errorf("the file has the hash %s and %d bytes, and is said to have %s and %d", got, len(saved), entries[1].File.SHA256, entries[1].File.Size)
	}
	if strings.HasSuffix(entries[1].File.Name, ".gz") {
		reader, err := gzip.NewReader(bytes.NewReader(saved))
		if err != nil {
			t.Fatal(err)
		}
		if saved, err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := i.Host.Files(); err != nil || files != 1 {
		t.Errorf("got %d files in the War Room's folder (%v), want the export alone", files, err)
	}
	return strings.Split(strings.TrimSuffix(string(saved), "\n"), "\n"), told, waits
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d lines, want %d:\n%.600s", len(got), len(want), strings.Join(got, "\n"))
	}
}

func TestAnExportJoinsPages(t *testing.T) {
	for _, format := range []string{"jsonl.gz", "jsonl"} {
		i := commandstest.New(t)
		onPages(i, pageOf(i, records(0, 10), "a"), pageOf(i, records(10, 20), "b c"), pageOf(i, records(20, 25), ""))
		got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": format})
		wantLines(t, got, records(0, 25))
		if told.Get("records").Int() != 25 || told.Get("devices").Int() != 7 || !told.Get("complete").Bool() || told.Get("summary.#(key==\"severity Critical\").count").Int() != 6 {
			t.Errorf("got %s, want 25 records of 7 devices, 6 of them critical", told)
		}
		if got, want := told.Get("summary.#.key").String(), `["severity Critical","severity High","severity Medium","severity Low","p0","p1","p2"]`; got != want {
			t.Errorf("got a summary of %s, want %s", got, want)
		}
	}
}

// TestAPageThatBreaksOffIsReadAgain cuts a page in the middle of a record: nothing of it is there twice.
func TestAPageThatBreaksOffIsReadAgain(t *testing.T) {
	for format, want := range map[string][]string{
		"jsonl.gz": records(0, 2000), "jsonl": records(0, 2000), "csv": csvOf(t, records(0, 2000)), "csv.gz": csvOf(t, records(0, 2000)),
	} {
		i := commandstest.New(t)
		onPages(i, pageOf(i, records(0, 10), "a"))
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 200, Body: pageOf(i, records(10, 2000), ""), Cut: simulator.CutMiddle, Times: 2})
		onPages(i, pageOf(i, records(10, 2000), ""))
		got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": format})
		wantLines(t, got, want)
		if told.Get("matched").Int() != 2000 {
			t.Errorf("%s: got %s, want 2000 records", format, told)
		}
	}
}

// TestAThrottledExportGoesOnWhereItWas is refused a page for an hour: the next execution asks for that page alone.
func TestAThrottledExportGoesOnWhereItWas(t *testing.T) {
	for _, format := range []string{"jsonl.gz", "jsonl", "csv", "csv.gz"} {
		t.Run(format, func(t *testing.T) {
			i := commandstest.New(t)
			onPages(i, pageOf(i, records(0, 10), "a"))
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour, Times: 1})
			onPages(i, pageOf(i, records(10, 20), "b"), pageOf(i, records(20, 25), ""))
			i.Tenant.ResetRequests()
			got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": format})
			want := records(0, 25)
			if strings.HasPrefix(format, "csv") {
				want = csvOf(t, want)
			}
			wantLines(t, got, want)
			if told.Get("records").Int() != 25 || told.Get("devices").Int() != 7 {
				t.Errorf("got %s, want 25 records of 7 devices", told)
			}
			asked := 0
			for _, request := range i.Tenant.Requests() {
				if request.Path == pagesOfExport {
					asked++
				}
			}
			if asked != 4 {
				t.Errorf("got %d requests for pages, want 4: three pages and one refusal", asked)
			}
		})
	}
}

// TestAnExportThatIsThrottledAtOnceBeginsLater is refused its first page: it leaves no file until the next execution.
func TestAnExportThatIsThrottledAtOnceBeginsLater(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour, Times: 1})
	onPages(i, pageOf(i, records(0, 10), ""))
	args := map[string]any{"kind": "software_vulnerabilities", "via": "json"}
	first := i.Run("microsoft-atp-export", args).Entry()
	if files, err := i.Host.Files(); err != nil || files != 0 || first.Poll == nil {
		t.Fatalf("got %d files (%v) and the next run %+v, want none, and a run that begins", files, err, first.Poll)
	}
	if got := i.Again(first).All()[0].At(exportContext).Get("records").Int(); got != 10 {
		t.Errorf("got %d records, want 10", got)
	}
}

// csvOf returns the CSV file of records.
func csvOf(t *testing.T, all []string) []string {
	t.Helper()
	var text strings.Builder
	writer := csv.NewWriter(&text)
	rows := [][]string{{"deviceId", "deviceName", "rbacGroupName", "softwareName", "cveId", "vulnerabilitySeverityLevel"}}
	for _, one := range all {
		var row []string
		for _, key := range rows[0] {
			row = append(row, gjson.Get(one, key).String())
		}
		rows = append(rows, row)
	}
	if err := writer.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
}

// TestAnExportWhoseFileIsGoneBeginsAgain loses or damages the files of an export between two executions, as when the next runs in
// another container. Nothing of what was read before counts any more. An export that finds its file damaged every time ends.
func TestAnExportWhoseFileIsGoneBeginsAgain(t *testing.T) {
	t.Parallel()
	overwrite := func(i *commandstest.Instance, id string) error {
		file, err := i.Host.Reopen(id)
		if err != nil {
			return err
		}
		_, err = file.Write([]byte("otherwise"))
		return errors.Join(err, file.Close())
	}
	everything := func(i *commandstest.Instance) error { return i.Host.Lose() }
	for name, test := range map[string]struct {
		harm   func(i *commandstest.Instance) error
		losses int
		want   string
	}{
		"everything":          {everything, 1, ""},
		"the export":          {func(i *commandstest.Instance) error { return i.Host.Discard(savedExport) }, 1, ""},
		"bytes of the export": {func(i *commandstest.Instance) error { return overwrite(i, savedExport) }, 1, ""},
		"the end of the export": {func(i *commandstest.Instance) error {
			file, err := i.Host.Reopen(savedExport)
			return errors.Join(err, file.Truncate(20), file.Close())
		}, 1, ""},
		"what cannot be read": {func(i *commandstest.Instance) error { failOn(i, savedExport, "read", 0); return nil }, 1, ""},
		"everything thrice":   {everything, 3, ""},
		"everything always":   {everything, 9, "gone each time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			for range test.losses {
				onPages(i, pageOf(i, []string{`{"deviceId":"retired","softwareName":"p1"}`}, "a"))
				i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour, Times: 1})
			}
			onPages(i, pageOf(i, records(0, 10), "a"), pageOf(i, records(10, 20), ""))
			result := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": "jsonl"})
			for result.Err == nil && result.All()[0].Poll != nil {
				if err := test.harm(i); err != nil {
					t.Fatal(err)
				}
				result = i.Again(result.All()[0])
			}
			if test.want != "" {
				result.WantFailure(test.want)
				return
			}
			told := result.All()[0].At(exportContext)
			if told.Get("records").Int() != 20 || told.Get("devices").Int() != 7 || told.Get("summary.#(key==p1).count").Int() != 7 {
				t.Errorf("got %s, want 20 records of 7 devices, 7 of them of p1", told)
			}
			saved, err := i.Host.File(result.All()[1].File.ID)
			if err != nil {
				t.Fatal(err)
			}
			wantLines(t, strings.Split(strings.TrimSuffix(string(saved), "\n"), "\n"), records(0, 20))
		})
	}
}

// onFiles answers with the links to files, and with the files.
func onFiles(i *commandstest.Instance, generated string, times int, contents ...string) {
	onSlowFiles(i, 0, generated, generated, times, contents...)
}

// onSlowFiles answers with the links to files in a folder that take a time each, and with the files.
func onSlowFiles(i *commandstest.Instance, each time.Duration, folder, generated string, times int, contents ...string) {
	var links []string
	for number, content := range contents {
		path := fmt.Sprintf("/download/%s/part-%d", folder, number)
		links = append(links, fmt.Sprintf("%q", i.Tenant.URL()+path+"?sig=secret-signature"))
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Path: path, Status: 200, ContentType: "application/gzip", Body: content, Delay: each})
	}
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: filesOfExport, Status: 200, Times: times, Body: `{"exportFiles":[` + strings.Join(links, ",") + `],"generatedTime":"` + generated + `"}`})
}

// TestAnExportJoinsFiles joins files as they are, one of which lacks the last line break, and one of which is empty.
func TestAnExportJoinsFiles(t *testing.T) {
	for _, format := range []string{"jsonl.gz", "jsonl"} {
		i := commandstest.New(t)
		onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 10), "\n")), packedFile(t, ""), packedFile(t, strings.Join(records(10, 15), "\n")+"\n"))
		got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "files", "format": format})
		wantLines(t, got, records(0, 15))
		if told.Get("generatedTime").String() != "2026-11-20T06:00:00Z" || told.Get("via").String() != "files" {
			t.Errorf("got %s, want the snapshot of 06:00 from files", told)
		}
	}
}

// TestAFileOfTheServiceIsKeptAsItIs saves the service's own compressed bytes, unless records or columns of it are left out.
func TestAFileOfTheServiceIsKeptAsItIs(t *testing.T) {
	content := packedFile(t, strings.Join(records(0, 10), "\n")+"\n")
	for name, test := range map[string]struct {
		args map[string]any
		want bool
	}{
		"everything":     {map[string]any{}, true},
		"some records":   {map[string]any{"product": "p*"}, false},
		"a first record": {map[string]any{"max_records": 10}, false},
		"some columns":   {map[string]any{"columns": "deviceId"}, false},
	} {
		i := commandstest.New(t)
		onFiles(i, "2026-11-20T06:00:00Z", 0, content)
		test.args["kind"], test.args["via"] = "software_vulnerabilities", "files"
		if _, told := exported(t, i, test.args); (told.Get("sha256").Str == sha256Of(content)) != test.want {
			t.Errorf("%s: got the hash %s of a file with %s, want the file itself: %t", name, told.Get("sha256"), sha256Of(content), test.want)
		}
	}
}

func TestAnExportFiltersRecords(t *testing.T) {
	for name, test := range map[string]struct {
		args map[string]any
		keep func(record gjson.Result) bool
	}{
		"machines": {map[string]any{"machine_id": "M1,m3"}, func(r gjson.Result) bool { id := r.Get("deviceId").Str; return id == "m1" || id == "m3" }},
		"severity": {map[string]any{"min_severity": "High"}, func(r gjson.Result) bool {
			s := r.Get("vulnerabilitySeverityLevel").Str
			return s == "High" || s == "Critical"
		}},
		"a product":  {map[string]any{"product": "P1"}, func(r gjson.Result) bool { return r.Get("softwareName").Str == "p1" }},
		"groups":     {map[string]any{"rbac_group": "none,G1"}, func(r gjson.Result) bool { return r.Get("rbacGroupName").Str == "g1" }},
		"a CVE":      {map[string]any{"cve": "cve-3"}, func(r gjson.Result) bool { return r.Get("cveId").Str == "CVE-3" }},
		"everything": {map[string]any{"product": "*"}, func(gjson.Result) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 20), "\n")), packedFile(t, strings.Join(records(20, 40), "\n")))
			test.args["kind"], test.args["via"] = "software_vulnerabilities", "files"
			got, _ := exported(t, i, test.args)
			wantLines(t, got, slices.DeleteFunc(records(0, 40), func(r string) bool { return !test.keep(gjson.Parse(r)) }))
		})
	}
}

// TestLinksThatExpireAreAskedForAgain lets the link to the second file expire: it continues with a new one.
func TestLinksThatExpireAreAskedForAgain(t *testing.T) {
	i := commandstest.New(t)
	second := "/download/2026-11-20T06:00:00Z/part-1"
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Path: second, Status: 403, Body: "<Error/>", Times: 1})
	onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 10), "\n")), packedFile(t, strings.Join(records(10, 20), "\n")))
	i.Tenant.ResetRequests()
	got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "files"})
	wantLines(t, got, records(0, 20))
	if told.Get("records").Int() != 20 {
		t.Errorf("got %s, want 20 records", told)
	}
	var asked []string
	for _, request := range i.Tenant.Requests() {
		if request.Kind != simulator.KindAuthority {
			asked = append(asked, request.Path[strings.LastIndexByte(request.Path, '/')+1:])
		}
		if request.Kind == simulator.KindDownload && request.Header.Get("Authorization") != "" {
			t.Error("a download carries the token")
		}
	}
	if want := []string{"SoftwareVulnerabilitiesExport", "part-0", "part-1", "SoftwareVulnerabilitiesExport", "part-1"}; !slices.Equal(asked, want) {
		t.Errorf("got the requests %q, want %q", asked, want)
	}
}

// TestLinksMayExpireThreeTimes refuses links to two files: each is asked for with three new ones, and then no more.
func TestLinksMayExpireThreeTimes(t *testing.T) {
	for name, test := range map[string]struct {
		refused [2]int // 0: always
		fails   bool
	}{
		"twice each":  {[2]int{2, 2}, false},
		"three times": {[2]int{3, 1}, false},
		"always":      {[2]int{0, 1}, true},
	} {
		i := commandstest.New(t)
		for part, times := range test.refused {
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Path: fmt.Sprintf("/download/2026-11-20T06:00:00Z/part-%d", part), Status: 403, Body: "<Error/>", Times: times})
		}
		onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, "{}"), packedFile(t, "{}"))
		result := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "files"})
		if !test.fails {
			if got := result.All()[0].At(exportContext).Get("records").Int(); got != 2 {
				t.Errorf("%s: got %d records, want those of both files", name, got)
			}
			continue
		}
		result.WantFailure("The download failed")
		if got := len(result.Requests); got != 8 {
			t.Errorf("%s: got the requests %q, want four for links and four for the first file", name, result.Asked())
		}
	}
}

// TestANewSnapshotBeginsAgain lets the service make a new snapshot while the links of the first expire: of another time, or of
// other files.
func TestANewSnapshotBeginsAgain(t *testing.T) {
	for folder, generated := range map[string]string{"another time": "2026-11-20T12:00:00Z", "other files": "2026-11-20T06:00:00Z"} {
		i := commandstest.New(t)
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindDownload, Path: "/download/2026-11-20T06:00:00Z/part-1", Status: 403})
		retired := packedFile(t, `{"deviceId":"retired","softwareName":"p1"}`)
		onFiles(i, "2026-11-20T06:00:00Z", 1, retired, retired)
		onSlowFiles(i, 0, folder, generated, 0, packedFile(t, strings.Join(records(0, 10), "\n")), packedFile(t, strings.Join(records(10, 20), "\n")))
		got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "files"})
		wantLines(t, got, records(0, 20))
		if told.Get("records").Int() != 20 || told.Get("devices").Int() != 7 || told.Get("summary.#(key==p1).count").Int() != 7 || told.Get("generatedTime").String() != generated {
			t.Errorf("%s: got %s, want 20 records of 7 devices of the new snapshot, 7 of them of p1", folder, told)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	whole := packedFile(t, strings.Join(records(0, 5000), "\n"))
	for name, content := range map[string]string{
		"no gzip": "<html>", "half of a file": whole[:len(whole)/2], "a damaged file": whole[:100] + strings.Repeat("\xff", 50) + whole[150:],
		"no JSON": packedFile(t, "a,b,c\n"), "half of a record": packedFile(t, "{\"a\":1}\n{\"a\":"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := commandstest.New(t)
			onFiles(i, "2026-11-20T06:00:00Z", 0, content)
			result := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "files"})
			result.WantFailure("The download failed")
			if strings.Contains(result.Failure(), "secret-signature") {
				t.Errorf("the error shows the link: %s", result.Failure())
			}
			if files, err := i.Host.Files(); err != nil || files != 0 {
				t.Errorf("%d files were left behind (%v)", files, err)
			}
		})
	}
}

// TestALargeExportComesAsFiles lets the first page tell that there is more.
func TestALargeExportComesAsFiles(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", pagesOfExport, 200, pageOf(i, []string{`{"deviceId":"retired"}`}, "a"))
	onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 20), "\n")))
	got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities"})
	wantLines(t, got, records(0, 20))
	if told.Get("via").String() != "files" || told.Get("devices").Int() != 7 {
		t.Errorf("got %s, want 7 devices from files, without the one of the page", told)
	}
	if again := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "files", "newer_than": told.Get("generatedTime").String()}); !strings.Contains(again.Entry().Readable(), "no newer snapshot") {
		t.Errorf("got %s, want that there is no newer snapshot", again.Entry().Readable())
	}
}

// TestOnlyANewerSnapshotIsExported compares the service's snapshot with the one that is known. A time that cannot be read keeps
// nothing from being exported.
func TestOnlyANewerSnapshotIsExported(t *testing.T) {
	for name, test := range map[string]struct {
		generated, known string
		lines            int
	}{
		"the same": {"2026-11-20T06:00:00Z", "2026-11-20T06:00:00Z", 0}, "an older one": {"2026-11-20T06:00:00Z", "2026-11-20T06:00:01Z", 0},
		"a newer one": {"2026-11-20T06:00:00Z", "2026-11-20T05:59:59Z", 10}, "one of no time": {"lately", "2026-11-20T06:00:00Z", 10}, "any": {"2026-11-20T06:00:00Z", "", 10},
	} {
		i := commandstest.New(t)
		onFiles(i, test.generated, 0, packedFile(t, strings.Join(records(0, 10), "\n")))
		got, _ := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "files", "newer_than": test.known})
		if len(got) != test.lines {
			t.Errorf("%s: got %d lines, want %d", name, len(got), test.lines)
		}
		if files, err := i.Host.Files(); err != nil || files != min(1, test.lines) {
			t.Errorf("%s: got %d files (%v), want only what was exported", name, files, err)
		}
	}
}

// TestTheTokenStaysOnItsHost returns a link to a next page on another host: its query is used, and its host is not.
func TestTheTokenStaysOnItsHost(t *testing.T) {
	i := commandstest.New(t)
	foreign := strings.Replace(pageOf(i, records(0, 10), "a"), i.Tenant.URL(), "https://wpatdadi-luna-stg.example", 1)
	onPages(i, foreign, pageOf(i, records(10, 20), ""))
	got, _ := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json"})
	wantLines(t, got, records(0, 20))
}

// TestPagesThatRepeatEnd returns the same link again and again.
func TestPagesThatRepeatEnd(t *testing.T) {
	i := commandstest.New(t)
	i.Answer("GET", pagesOfExport, 200, pageOf(i, records(0, 10), "a"))
	got, _ := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json"})
	if len(got) > 30 {
		t.Errorf("got %d lines of a page that repeats", len(got))
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	i := commandstest.New(t)
	onPages(i, list(`{"deviceId":"m1","softwareName":"=cmd|'/C calc'!A0","cveId":null,"cvssScore":-7.5,"diskPaths":["a,\"b"],"@key":""}`))
	got, _ := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": "csv"})
	want := []string{`deviceId,softwareName,cveId,cvssScore,diskPaths,'@key`, `m1,'=cmd|'/C calc'!A0,,-7.5,"[""a,\""b""]",`}
	wantLines(t, got, want)
}

func TestExportsThatAreRefused(t *testing.T) {
	for want, args := range map[string]map[string]any{
		"since is missing":          {"kind": "software_vulnerability_changes"},
		"since is only for":         {"kind": "certificates", "since": "1 day"},
		"at most 14 days back":      {"kind": "software_vulnerabilities", "since": "15 days"},
		"via must be json or auto":  {"kind": "antivirus_health", "via": "files"},
		"via must be files or auto": {"kind": "information_gathering", "via": "json"},
		"min_severity is not for":   {"kind": "certificates", "min_severity": "High"},
		"product is not for":        {"kind": "information_gathering", "product": "x"},
		"cve is not for":            {"kind": "software_inventory", "cve": "CVE-2026-1"},
	} {
		i := commandstest.New(t)
		result := i.Run("microsoft-atp-export", args)
		result.WantFailure(want)
		result.WantAsked()
	}
}

// TestEveryExportHasRecords exports every kind from the simulated tenant, both ways.
func TestEveryExportHasRecords(t *testing.T) {
	for _, kind := range []string{
		"software_inventory", "software_vulnerabilities", "software_vulnerability_changes", "secure_configuration", "non_cpe_software", "browser_extensions",
		"certificates", "hardware_firmware", "information_gathering", "baseline_compliance", "antivirus_health",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for _, via := range []string{"auto", "files"} {
				if via == "files" && (kind == "software_vulnerability_changes" || kind == "antivirus_health") {
					continue
				}
				i := commandstest.New(t)
				args := map[string]any{"kind": kind, "via": via}
				if kind == "software_vulnerability_changes" {
					args["since"] = "13 days"
				}
				got, told := exported(t, i, args)
				if len(got) < 30 || int64(len(got)) != told.Get("records").Int() || told.Get("devices").Int() < 20 {
					t.Errorf("via %s: got %d lines and %.300s, want at least 30 of 20 devices", via, len(got), told)
				}
			}
		})
	}
}

// TestMachinesThatMovedAreNoChange lists a machine that moved to another device group, one that is fixed, and one that is
// new; and the time from which to continue.
func TestMachinesThatMovedAreNoChange(t *testing.T) {
	change := func(machine, group, status, at string) string {
		return fmt.Sprintf(`{"id":"%s_x","deviceId":%q,"rbacGroupName":%q,"softwareVendor":"v","softwareName":"s","softwareVersion":"1","cveId":"CVE-1","vulnerabilitySeverityLevel":"High","exploitabilityLevel":"ExploitIsInKit","status":%q,"eventTimestamp":%q}`, machine, machine, group, status, at)
	}
	i := commandstest.New(t)
	i.Answer("GET", "/api/machines/SoftwareVulnerabilityChangesByMachine", 200, list(
		change("m1", "A", "Fixed", "2026-11-19 10:00:00.0000000"), change("m1", "B", "New", "2026-11-19 10:00:00.0000000"),
		change("m2", "A", "Fixed", "2026-11-19 11:00:00.0000000"), change("m3", "A", "New", "2026-11-19 12:00:00.5000000"),
	))
	entry := i.Run("microsoft-atp-list-vulnerability-changes", map[string]any{"since": "2026-11-18T00:00:00Z", "exploitable_only": true}).Entry()
	told := entry.At("MicrosoftATP.VulnerabilityChanges")
	for path, want := range map[string]string{"new": "1", "fixed": "1", "moved": "2", "until": "2026-11-19T12:00:00.5Z", "cves.0.id": "CVE-1", "cves.0.new": "1"} {
		if got := told.Get(path).String(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if got := len(entry.Raw().Array()); got != 2 {
		t.Errorf("got %d changes, want 2", got)
	}
}

// TestAPageOfChangesThatBreaksOffIsReadAgain cuts a page in the middle: no change of it is counted twice.
func TestAPageOfChangesThatBreaksOffIsReadAgain(t *testing.T) {
	const path = "/api/machines/SoftwareVulnerabilityChangesByMachine"
	i := commandstest.New(t)
	var all []string
	for n := range 2000 {
		all = append(all, fmt.Sprintf(`{"deviceId":"m%d","cveId":"CVE-1","status":"New","eventTimestamp":"2026-11-20 10:00:00"}`, n))
	}
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: path, Status: 200, Body: list(all...), Cut: simulator.CutMiddle, Times: 2})
	i.Answer("GET", path, 200, list(all...))
	entry := i.Run("microsoft-atp-list-vulnerability-changes", map[string]any{"since": "1 day", "limit": 10}).Entry()
	if got := entry.At("MicrosoftATP.VulnerabilityChanges").Get("new").Int(); got != 2000 {
		t.Errorf("got %d new vulnerabilities, want 2000", got)
	}
	entry.WantReadable("These are the first 10")
}

// TestAnExportGivesUpAtItsDeadline is refused a page for an hour: an export that may take less gives up, and leaves nothing behind.
func TestAnExportGivesUpAtItsDeadline(t *testing.T) {
	for _, timeout := range []int{1800, 3599, 3601} {
		i := commandstest.New(t)
		onPages(i, pageOf(i, records(0, 10), "a"))
		i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour})
		result := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "json", "timeout_in_seconds": timeout})
		if timeout > 3600 {
			result.Entry().WantReadable("10 records exported so far, in 1 part. The export continues in 3600 seconds")
			continue
		}
		result.WantFailure("10 records exported so far")
		if files, err := i.Host.Files(); err != nil || files != 0 {
			t.Errorf("%d files were left behind (%v)", files, err)
		}
	}
}

// exportProgress keeps what is told of an export.
type exportProgress struct{ told []string }

func (*exportProgress) Listed(string, int, int, int) {}
func (*exportProgress) Downloaded(int64, int64)      {}
func (p *exportProgress) Exported(purpose string, records int64, part, parts int) {
	p.told = append(p.told, fmt.Sprintf("%s: %d, %d of %d", purpose, records, part, parts))
}

// TestAnExportTellsHowFarItIs tells it every 2,048 records, and after each part.
func TestAnExportTellsHowFarItIs(t *testing.T) {
	for via, want := range map[string][]string{
		"json": {
			"export the software vulnerabilities: 2048, 1 of 0", "export the software vulnerabilities: 2500, 1 of 0",
			"export the software vulnerabilities: 4548, 2 of 0", "export the software vulnerabilities: 4600, 2 of 0",
		},
		"files": {
			"export the software vulnerabilities as files: 2048, 1 of 2", "export the software vulnerabilities as files: 2500, 1 of 2",
			"export the software vulnerabilities as files: 4548, 2 of 2", "export the software vulnerabilities as files: 4600, 2 of 2",
		},
	} {
		i := commandstest.New(t)
		progress := &exportProgress{}
		i.Progress = progress
		onPages(i, pageOf(i, records(0, 2500), "a"), pageOf(i, records(2500, 4600), ""))
		onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 2500), "\n")), packedFile(t, strings.Join(records(2500, 4600), "\n")))
		exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": via, "summary_only": true})
		if !slices.Equal(progress.told, want) {
			t.Errorf("%s: got %q, want %q", via, progress.told, want)
		}
	}
}

func TestAnExportEndsAtMaxRecords(t *testing.T) {
	onTwoPages := func(i *commandstest.Instance) {
		onPages(i, pageOf(i, records(0, 10), "a"), pageOf(i, records(10, 20), "b"))
	}
	onTwoFiles := func(i *commandstest.Instance) {
		onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, strings.Join(records(0, 10), "\n")), packedFile(t, strings.Join(records(10, 20), "\n")))
	}
	for name, test := range map[string]struct {
		prepare func(i *commandstest.Instance)
		args    map[string]any
		want    []string
	}{
		"pages":                     {onTwoPages, map[string]any{"via": "json", "max_records": 12}, records(0, 12)},
		"one page":                  {onTwoPages, map[string]any{"via": "json", "max_records": 10}, records(0, 10)},
		"files":                     {onTwoFiles, map[string]any{"via": "files", "max_records": 12}, records(0, 12)},
		"the first file":            {onTwoFiles, map[string]any{"via": "files", "max_records": 10}, records(0, 10)},
		"records that match":        {onTwoPages, map[string]any{"via": "json", "max_records": 2, "machine_id": "m3"}, []string{records(3, 4)[0], records(10, 11)[0]}},
		"without a file of records": {onTwoPages, map[string]any{"via": "json", "max_records": 12, "summary_only": true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			i := commandstest.New(t)
			test.prepare(i)
			test.args["kind"] = "software_vulnerabilities"
			got, told := exported(t, i, test.args)
			wantLines(t, got, test.want)
			if told.Get("complete").Bool() || told.Get("matched").Int() != int64(test.args["max_records"].(int)) {
				t.Errorf("got %s, want it incomplete with max_records", told)
			}
		})
	}
	i := commandstest.New(t)
	onTwoPages(i)
	i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "json", "max_records": 12}).All()[0].
		WantReadable("The export ended at max_records; the service has or may have more.")
}

func TestAnExportKeepsTheFirstColumnAlone(t *testing.T) {
	i := commandstest.New(t)
	onPages(i, pageOf(i, records(0, 2), ""))
	got, _ := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": "jsonl", "columns": "deviceId"})
	wantLines(t, got, []string{`{"deviceId":"m0"}`, `{"deviceId":"m1"}`})
}

// TestAnExportKeepsTheColumnsThatAreWanted names columns in another order and case than the service, and one that no record has.
func TestAnExportKeepsTheColumnsThatAreWanted(t *testing.T) {
	for format, want := range map[string][]string{
		"jsonl": {`{"CVEID":"CVE-0","deviceId":"m0"}`, `{"CVEID":"CVE-1","deviceId":"m1"}`},
		"csv":   {"CVEID,missing,deviceId", "CVE-0,,m0", "CVE-1,,m1"},
	} {
		i := commandstest.New(t)
		onPages(i, pageOf(i, records(0, 2), ""))
		got, told := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "json", "format": format, "columns": "CVEID,missing,deviceId"})
		wantLines(t, got, want)
		if !told.Get("complete").Bool() || told.Get("records").Int() != 2 {
			t.Errorf("got %s, want 2 records", told)
		}
	}
}

// TestAnExportTellsOfColumnsThatNoRecordHas has columns of which one is only in a record that another execution than the first exports,
// and one in none.
func TestAnExportTellsOfColumnsThatNoRecordHas(t *testing.T) {
	for name, test := range map[string]struct {
		args map[string]any
		want bool
	}{
		"CSV":                  {map[string]any{"format": "csv", "columns": "deviceId,CVEID,devicename"}, true},
		"JSON lines":           {map[string]any{"format": "jsonl", "columns": "deviceId,CVEID,devicename"}, true},
		"columns that are met": {map[string]any{"format": "csv", "columns": "deviceId,CVEID"}, false},
		"all columns":          {map[string]any{"format": "csv"}, false},
		"no record":            {map[string]any{"format": "csv", "columns": "devicename", "machine_id": "m9"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := commandstest.New(t)
			onPages(i, pageOf(i, []string{`{"deviceId":"m1"}`, `{"deviceId":"m2"}`}, "a"))
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour, Times: 1})
			onPages(i, list(`{"deviceId":"m3","cveId":"CVE-1"}`))
			test.args["kind"], test.args["via"] = "software_vulnerabilities", "json"
			last := i.Again(i.Run("microsoft-atp-export", test.args).Entry()).All()[0]
			got := strings.Contains(last.Readable(), "No record has a key that columns names: devicename. Check how it is written.")
			if got != test.want || !test.want && strings.Contains(last.Readable(), "No record has") {
				t.Errorf("got %q, want it to name devicename: %t", last.Readable(), test.want)
			}
		})
	}
}

// TestExportsOfOneMinuteHaveNamesOfTheirOwn has two exports of one kind at once, which must not merge in the context.
func TestExportsOfOneMinuteHaveNamesOfTheirOwn(t *testing.T) {
	i := commandstest.New(t)
	names := map[string]bool{}
	for _, severity := range []string{"High", "Critical"} {
		onPages(i, pageOf(i, records(0, 4), ""))
		entry := i.Run("microsoft-atp-export", map[string]any{"kind": "software_vulnerabilities", "via": "json", "min_severity": severity}).All()[0]
		names[entry.At(exportContext).Get("fileName").String()] = true
	}
	if len(names) != 2 {
		t.Errorf("got the names %v, want two", names)
	}
}

// TestChangesAreNotOfTheFuture lets the clocks of two engines differ by a little.
func TestChangesAreNotOfTheFuture(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		30 * time.Second: "",
		time.Hour:        "since must not be in the future: nothing has changed since then",
	} {
		for command, args := range map[string]map[string]any{
			"microsoft-atp-export":                     {"kind": "software_vulnerabilities"},
			"microsoft-atp-list-vulnerability-changes": {},
		} {
			i := commandstest.New(t)
			args["since"] = i.Clock.Now().Add(ahead).Format(time.RFC3339)
			if result := i.Run(command, args); want != "" {
				result.WantFailure(want)
			} else {
				result.All()
			}
		}
	}
}

// TestAnExportTellsOfKeysThatItsColumnsLack has a key that the first record lacks, as files leave out what is empty, on a page that is
// exported by another execution than the first.
func TestAnExportTellsOfKeysThatItsColumnsLack(t *testing.T) {
	for name, test := range map[string]struct {
		args map[string]any
		told bool
	}{
		"CSV":                     {map[string]any{"format": "csv"}, true},
		"CSV with columns":        {map[string]any{"format": "csv", "columns": "deviceId"}, false},
		"JSON lines":              {map[string]any{"format": "jsonl"}, false},
		"JSON lines with columns": {map[string]any{"format": "jsonl", "columns": "deviceId"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := commandstest.New(t)
			onPages(i, pageOf(i, []string{`{"deviceId":"m1"}`, `{"DeviceID":"m2","cveId":"CVE-1"}`, `{"deviceId":"m3","cveId":"CVE-2"}`}, "a"))
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: pagesOfExport, Status: 429, RetryAfter: time.Hour, Times: 1})
			onPages(i, list(`{"deviceId":"m4","product":"p"}`))
			test.args["kind"], test.args["via"] = "software_vulnerabilities", "json"
			last := i.Again(i.Run("microsoft-atp-export", test.args).Entry()).All()[0]
			got := strings.Contains(last.Readable(), "which the file lacks: cveId, product.")
			if got != test.told {
				t.Errorf("got %q, want it to name further keys: %t", last.Readable(), test.told)
			}
		})
	}
}

// TestAnExportHasNoByteOrderMarks has files of the service that begin with one, which would end up between the records.
func TestAnExportHasNoByteOrderMarks(t *testing.T) {
	for _, format := range []string{"jsonl.gz", "jsonl", "csv"} {
		i := commandstest.New(t)
		onFiles(i, "2026-11-20T06:00:00Z", 0, packedFile(t, "\ufeff"+records(0, 1)[0]+"\n"), packedFile(t, "\ufeff"+records(1, 2)[0]))
		got, _ := exported(t, i, map[string]any{"kind": "software_vulnerabilities", "via": "files", "format": format})
		want := records(0, 2)
		if format == "csv" {
			want = csvOf(t, want)
		}
		wantLines(t, got, want)
	}
}
