package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xsoar-defender/internal/cli"
)

// browserRoom is a War Room in the browser, as the browser sees it.
type browserRoom struct {
	t       *testing.T
	address string // without the token
	client  *http.Client
}

// newBrowserRoom runs warroom with some flags for the time of the test, and opens its page.
func newBrowserRoom(t *testing.T, w *world, flags ...string) *browserRoom {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	w.Args, w.Out = append([]string{"xsoar-defender", "warroom"}, flags...), write
	ended := make(chan int, 1)
	go func() { ended <- cli.Execute(ctx, w.World) }()
	t.Cleanup(func() {
		stop()
		if got := <-ended; got != 0 {
			t.Errorf("warroom ended with the exit code %d, want 0: %s", got, &w.errs)
		}
	})
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	_, opened, found := strings.Cut(strings.TrimSpace(line), " is at ")
	if !found {
		t.Fatalf("got %q, want the address of the page", line)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(opened, "/?")
	room := &browserRoom{t, address, &http.Client{Jar: jar}}
	if _, page := room.ask(http.MethodGet, strings.TrimPrefix(opened, address), ""); !strings.Contains(page, "<title>War Room</title>") {
		t.Fatalf("got %s at %s, want the page", page, opened)
	}
	return room
}

func (r *browserRoom) ask(method, path, body string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.address+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// run runs a line, or asks another path that begins a call, and returns the events of the call until it ends.
func (r *browserRoom) run(path, body string) string {
	r.t.Helper()
	status, begun := r.ask(http.MethodPost, path, body)
	if status != http.StatusAccepted {
		r.t.Fatalf("got %d %s, want the call to begin", status, begun)
	}
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.address+"/api/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var events strings.Builder
	call := strings.Trim(begun, "{}") // "call":N
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if is && strings.Contains(data, call+",") || strings.Contains(data, call+"}") {
			events.WriteString(data + "\n")
		}
		if strings.HasPrefix(data, `{"at"`) && strings.HasSuffix(data, call+"}") {
			return events.String()
		}
	}
	r.t.Fatalf("the events ended before the call did: %s", events.String())
	return ""
}

func line(text string) string {
	body, err := json.Marshal(map[string]string{"line": text})
	if err != nil {
		panic(err) // a text can always be encoded
	}
	return string(body)
}

// TestWarRoomInTheBrowser goes from machines to an isolation that has ended, a file, and incidents.
func TestWarRoomInTheBrowser(t *testing.T) {
	room := newBrowserRoom(t, newWorld(t))
	if _, about := room.ask(http.MethodGet, "/api/about", ""); !strings.Contains(about, `"simulated":true`) || !strings.Contains(about, `"name":"microsoft-atp-isolate-machine"`) {
		t.Errorf("got %.300s, want a simulated tenant and the commands", about)
	}
	if got := room.run("/api/run", line("!microsoft-atp-get-machines page_size=1")); !strings.Contains(got, "### Machines") {
		t.Errorf("got %s, want a table of machines", got)
	}
	if got := room.run("/api/run", line("!endpoint 10.20.1.10")); !strings.Contains(got, "fin-nb-01") {
		t.Errorf("got %s, want the machine with the address of the default argument", got)
	}
	_, text := room.ask(http.MethodGet, "/api/context", "")
	var context struct {
		MicrosoftATP struct{ Machine []struct{ ID string } }
	}
	if err := json.Unmarshal([]byte(text), &context); err != nil || len(context.MicrosoftATP.Machine) != 1 {
		t.Fatalf("got the context %s (%v), want one machine", text, err)
	}
	machine := context.MicrosoftATP.Machine[0].ID
	if _, found := room.ask(http.MethodPost, "/api/complete", `{"command":"microsoft-atp-isolate-machine","argument":"machine_id","typed":"`+machine[:6]+`"}`); !strings.Contains(found, machine) {
		t.Errorf("got the completions %s, want %s among them", found, machine)
	}
	got := room.run("/api/run", line("!microsoft-atp-isolate-machine machine_id="+machine+` comment="two words" isolation_type=Full polling=true`))
	if !strings.Contains(got, `"due":`) || !strings.Contains(got, "Succeeded") || !strings.Contains(got, "two words") {
		t.Errorf("got %s, want a wait and then an isolation that succeeded", got)
	}
	if _, portal := room.ask(http.MethodGet, "/api/portal", ""); !strings.Contains(portal, `"isolated":true`) {
		t.Errorf("got the portal %s, want an isolated machine", portal)
	}
	if got := room.run("/api/run", line("!microsoft-atp-live-response-get-file machine_id="+machine+" comment=c path=`C:\\Windows\\notepad.exe`")); !strings.Contains(got, `"file":{"name":"Response Result.gz"`) {
		t.Errorf("got %s, want a file", got)
	}
	if status, file := room.ask(http.MethodGet, "/files/1", ""); status != http.StatusOK || file == "" {
		t.Errorf("got %d and %d bytes, want the file", status, len(file))
	}
	room.run("/api/fetch", `{}`)
	_, text = room.ask(http.MethodGet, "/api/incidents", "")
	var incidents []struct {
		ID     string
		Closed bool
	}
	if err := json.Unmarshal([]byte(text), &incidents); err != nil || len(incidents) == 0 {
		t.Fatalf("got the incidents %.300s (%v), want some", text, err)
	}
	room.run("/api/incidents/"+incidents[0].ID+"/close", `{}`)
	if _, text = room.ask(http.MethodGet, "/api/incidents", ""); !strings.Contains(text, `"closed":true`) {
		t.Errorf("got %.300s, want a closed incident", text)
	}
	closed := func() int {
		_, portal := room.ask(http.MethodGet, "/api/portal", "")
		return strings.Count(portal, `"status":"Resolved"`)
	}
	before := closed()
	if got := room.run("/api/mirror", `{}`); !strings.Contains(got, "Defender, "+incidents[0].ID) {
		t.Errorf("got %s, want the close to be taken to Defender", got)
	}
	if got := closed(); got != before+1 {
		t.Errorf("got %d resolved alerts in the portal, want %d", got, before+1)
	}
	for _, wrong := range []string{"", "!nonsense", "!microsoft-atp-get-machines nonsense=1", `!microsoft-atp-get-machines page_size="1`} {
		if status, body := room.ask(http.MethodPost, "/api/run", line(wrong)); status != http.StatusBadRequest || !strings.Contains(body, `"error":"`) {
			t.Errorf("%q: got %d %s, want it to be refused with a reason", wrong, status, body)
		}
	}
}

// TestWarRoomOfARealTenantAsksOnce takes a tenant that the program did not start for a real one.
func TestWarRoomOfARealTenantAsksOnce(t *testing.T) {
	w := newWorld(t)
	tenant := w.tenant(t)
	text, err := json.Marshal(tenant.Instance("client-secret"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "prod.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	room := newBrowserRoom(t, w, "--instance", file, "--files", folder)
	if _, about := room.ask(http.MethodGet, "/api/about", ""); !strings.Contains(about, `"instance":"prod","tenant":"`+strings.TrimPrefix(tenant.URL(), "https://")+`","simulated":false`) {
		t.Errorf("got %.200s, want the instance and its tenant", about)
	}
	before := len(tenant.Actions())
	isolate := `!microsoft-atp-isolate-machine machine_id=` + tenant.MachineIDs()[0] + ` comment=c isolation_type=Full`
	if status, body := room.ask(http.MethodPost, "/api/run", line(isolate)); status != http.StatusConflict {
		t.Errorf("got %d %s, want it to be confirmed first", status, body)
	}
	if got := len(tenant.Actions()); got != before {
		t.Errorf("got %d actions before it was confirmed, want %d", got, before)
	}
	room.run("/api/run", `{"line":"`+isolate+`","confirmed":true}`)
	if got := len(tenant.Actions()); got != before+1 {
		t.Errorf("got %d actions, want %d", got, before+1)
	}
}
