package program_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/internal/simulator"
	"xsoar-defender/params"
	"xsoar-defender/platform/platformtest"
)

// canary is a secret that nothing but an answer holds.
func (e *engine) canary(name string) string {
	text := "canary-" + name + "-of-the-test-0123456789abcdef"
	e.canaries = append(e.canaries, text)
	return text
}

// debug runs an execution with debugging on, and returns the outcome.
func (e *engine) debug(plugin *platformtest.Plugin, request platformtest.Request) platformtest.Outcome {
	e.t.Helper()
	request.Params, request.Debug = e.params, true
	outcome, err := plugin.Run(request)
	if err != nil {
		e.t.Fatalf("running %s: %v; the process said %q", request.Command, err, plugin.Errors())
	}
	return outcome
}

// TestNoSecretIsWrittenAnywhere plants secrets in every parameter and in the answers of everybody who is asked, and
// has executions succeed and fail with debugging on. The engine then looks for each of them in everything that the
// processes wrote: their output, their errors, their files and the integration context.
func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		plugin := e.ready().start()
		machines := getMachines(e.params)
		if outcome := e.debug(plugin, machines); outcome.Failure() != "" || len(outcome.Log) == 0 {
			t.Fatalf("got the failure %q and the log %q, want success and a log", outcome.Failure(), outcome.Log)
		}
		e.tenant.ExpireTokens()
		if outcome := e.debug(plugin, machines); outcome.Failure() != "" {
			t.Fatal(outcome.Failure())
		}
		e.apiThatRepeats(plugin)
		e.linksWithSignatures(plugin)
		e.authorityThatTells(plugin)
		e.tenant.ClearFaults()
		// The token proxy asks to be left alone for a while after a failure.
		if outcome := e.debug(plugin, machines); outcome.Failure() != "" && e.mode != "cortex" {
			t.Errorf("after the failures: %s", outcome.Failure())
		}
		if err := plugin.Close(); err != nil {
			t.Errorf("the process ended with %v", err)
		}
	})
}

// TestNoParameterIsWrittenAnywhere plants a secret in every parameter that the platform keeps encrypted, those of older
// instances among them, and in the address of the proxy: one that is of no use, which errors are about, in addition to all that the
// instance needs. The engine then looks for each of them, as above.
func TestNoParameterIsWrittenAnywhere(t *testing.T) {
	eachWay(t, every, func(t *testing.T, e *engine) {
		e.environment["HTTPS_PROXY"] = "http://user:" + e.canary("proxy") + "@" + strings.TrimPrefix(nowhere("http"), "http://")
		plugin := e.ready().start()
		working, planted := e.params, 0
		for _, parameter := range params.Parameters() {
			e.params = maps.Clone(working)
			switch parameter.Type {
			case params.TypeCredentials:
				e.params[parameter.Name] = password(e.canary(parameter.Name))
			case params.TypeEncryptedText, params.TypeEncryptedMultiLine:
				e.params[parameter.Name] = e.canary(parameter.Name)
			default:
				continue
			}
			planted++
			e.tenant.ExpireTokens()
			e.debug(plugin, getMachines(e.params))
		}
		// Addresses elsewhere lead to the proxy, which does not answer.
		e.params = maps.Clone(working)
		e.params["proxy"], e.params["azure_ad_endpoint"], e.params["url"] = true, "https://login..example", "https://api..example"
		if outcome := e.debug(plugin, getMachines(e.params)); outcome.Failure() == "" {
			t.Error("a command worked whose proxy does not answer")
		}
		e.params = working
		if planted < 9 {
			t.Errorf("%d parameters are kept encrypted, want those of today and of older instances", planted)
		}
		if outcome := e.debug(plugin, getMachines(e.params)); outcome.Failure() != "" && e.mode != "cortex" {
			t.Errorf("with the instance as it was: %s", outcome.Failure())
		}
		if err := plugin.Close(); err != nil {
			t.Errorf("the process ended with %v", err)
		}
	})
}

// TestNothingUnaskedForIsWritten plays services that send more than they were asked for: an answer twice, an answer that is
// longer than it says, and something on a connection that nobody uses. net/http tells its log about it, with what came.
func TestNothingUnaskedForIsWritten(t *testing.T) {
	eachWay(t, func(w way) bool { return w.mode == "client-secret" }, func(t *testing.T, e *engine) {
		e.environment["AZURE_SDK_GO_LOGGING"], e.environment["GODEBUG"] = "all", "http2debug=2"
		e.work("the first sign-in", 1)
		surplus := `{"access_token":"` + e.canary("surplus") + `","machine":"ws-` + e.canary("machine") + `"}`
		for name, answer := range map[string]string{
			"twice":            strings.Repeat(response(`{"value":[]}`+surplus, len(`{"value":[]}`+surplus)), 2),
			"longer than said": response(`{"value":[]}`+surplus, len(`{"value":[]}`)),
		} {
			server := surplusServer(t, answer)
			params := e.params
			e.params = maps.Clone(params)
			e.params["endpoint_type"], e.params["url"] = "Custom", server
			plugin := e.start()
			for range 3 { // the surplus is noticed when the connection is used again
				e.debug(plugin, getMachines(e.params))
			}
			if err := plugin.Close(); err != nil {
				t.Errorf("%s: the process ended with %v", name, err)
			}
			if got := plugin.Errors(); !strings.Contains(got, "a library says: Unsolicited response") {
				t.Errorf("%s: got %q on the standard error, want what the library noticed: else the test shows nothing", name, got)
			}
			e.params = params
		}
	})
}

func response(body string, length int) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, body)
}

// surplusServer answers every request on a connection with the same bytes, and returns its address.
func surplusServer(t *testing.T, answer string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		for {
			if _, err := io.WriteString(connection, answer); err != nil {
				return // the client has gone
			}
			if _, err := http.ReadRequest(buffered.Reader); err != nil {
				return
			}
		}
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// apiThatRepeats has the API refuse requests with the token that came with them, and with the secrets of the instance.
func (e *engine) apiThatRepeats(plugin *platformtest.Plugin) {
	e.t.Helper()
	requests := e.tenant.Requests()
	repeated := []string{strings.TrimPrefix(requests[len(requests)-1].Header.Get("Authorization"), "Bearer ")}
	for _, name := range []string{"credentials", "creds_certificate", "auth_code"} {
		if value, ok := e.params[name].(map[string]any); ok {
			repeated = append(repeated, slices.Collect(strings.Lines(fmt.Sprint(value["password"])))...)
		}
	}
	if e.mode == "cortex" {
		repeated = append(repeated, fmt.Sprint(e.params["_tenant_id"]))
	}
	frame := func(line string) bool { return strings.HasPrefix(line, "-----") }
	repeated = slices.DeleteFunc(repeated, frame)
	for _, secret := range repeated[:min(len(repeated), mostRepeated)] {
		secret = strings.TrimSpace(secret)
		fault := simulator.Fault{Kind: simulator.KindAPI, Path: "/api/machines", Status: http.StatusForbidden, Code: secret, Message: "Not with " + secret}
		e.tenant.Script(fault)
		if outcome := e.debug(plugin, getMachines(e.params)); !strings.Contains(outcome.Failure(), "[redacted]") {
			e.t.Errorf("the refusal does not show that something was left out: %s", outcome.Failure())
		}
		e.tenant.ClearFaults()
	}
}

// mostRepeated bounds how many lines of a private key the API repeats.
const mostRepeated = 8

// linksWithSignatures downloads files by links that work for anyone who has them.
func (e *engine) linksWithSignatures(plugin *platformtest.Plugin) {
	e.t.Helper()
	link := e.tenant.URL() + "/download/result?sig=" + e.canary("signature")
	answer, err := json.Marshal(map[string]string{"value": link})
	if err != nil {
		e.t.Fatal(err)
	}
	request := platformtest.Request{Command: "microsoft-atp-live-response-result", Args: map[string]any{"machine_action_id": "a1", "command_index": "0"}}
	for _, fault := range []simulator.Fault{
		{Body: `{"script_name":"triage.ps1","exit_code":0}`, ContentType: "application/octet-stream"},
		{Status: http.StatusForbidden, Message: "The signature of " + link + " does not fit."},
		{Status: http.StatusNotFound, Body: "<Error>" + link + "</Error>"},
		{Location: link + "&again=1"},
		{Body: "half", Cut: simulator.CutMiddle},
		{Cut: simulator.CutBefore, Times: 1},
	} {
		e.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/machineactions/", Body: string(answer)})
		fault.Kind = simulator.KindDownload
		e.tenant.Script(fault)
		e.debug(plugin, request)
		e.tenant.ClearFaults()
	}
	// Nor do links that lead where nobody may be asked.
	for _, bad := range []string{"http://files.example/?sig=", "javascript:", "::"} {
		e.tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Path: "/api/machineactions/", Body: `{"value":"` + bad + e.canary("signature") + `"}`})
		e.debug(plugin, request)
		e.tenant.ClearFaults()
	}
}

// authorityThatTells has the authority, or whatever else issues tokens, refuse and repeat everything it was sent, and tokens.
func (e *engine) authorityThatTells(plugin *platformtest.Plugin) {
	e.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		sent := []string{"You sent", string(body), gjson.GetBytes(body, "encrypted_token").String()}
		if form, err := url.ParseQuery(string(body)); err == nil {
			for _, name := range secretsOfForms() {
				sent = append(sent, form.Get(name))
				e.canaries = append(e.canaries, form.Get(name))
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		// A client that is gone needs no answer.
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error": "invalid_client", "error_description": "AADSTS7000215: " + strings.Join(sent, " "), "error_codes": []int{7000215}, "message": strings.Join(sent, " "),
			"access_token": e.canary("access"), "refresh_token": e.canary("refresh"), "id_token": e.canary("identity"),
		})
	}))
	defer server.Close()
	params := e.params
	defer func() { e.params = params }()
	e.params = maps.Clone(params)
	e.params["azure_ad_endpoint"] = server.URL
	if e.mode == "cortex" {
		e.params["_auth_id"] = "registration@" + server.URL + "/obtain-token"
	}
	e.tenant.ExpireTokens()
	e.debug(plugin, getMachines(e.params))
	if _, own := e.environment["IDENTITY_ENDPOINT"]; !own && !e.needsLogin && len(e.canaries) == 0 {
		e.t.Error("nobody asked the authority for a token: the test shows nothing")
	}
	// What the tenant itself asks for a token repeats no secret, but may hold some.
	for _, kind := range []simulator.Kind{simulator.KindAuthority, simulator.KindIdentity, simulator.KindProxy} {
		e.tenant.Script(simulator.Fault{
			Kind: kind, Status: http.StatusBadRequest,
			Body: `{"error":"invalid_grant","error_description":"AADSTS70008: expired","access_token":"` + e.canary("access") + `","refresh_token":"` + e.canary("refresh") + `"}`,
		})
	}
	e.params = params
	e.tenant.ExpireTokens()
	if outcome := e.debug(plugin, getMachines(e.params)); outcome.Failure() == "" {
		e.t.Error("the sign-in that was refused did not fail")
	}
}
