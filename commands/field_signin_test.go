package commands_test

import (
	"net/http"
	"testing"
	"time"

	"xsoar-defender/commands/commandstest"
	"xsoar-defender/internal/simulator"
)

// The tests of this file sign in as the field does: with a token from an earlier command in the integration context, and a
// sign-in that no longer works, or something else that answers.

const page = "<html><head><title>Blocked by policy</title></head></html>"

func TestTestsNeverPassWithAStoredToken(t *testing.T) {
	for _, trouble := range []struct {
		name, mode string
		fault      simulator.Fault
		says       string
	}{
		{"a removed registration", "cortex", simulator.Fault{Kind: simulator.KindProxy, Status: http.StatusUnauthorized, Body: `{"title":"Unknown registration","detail":"The ID is not registered."}`}, "is not registered"},
		{"a token proxy that fails", "cortex", simulator.Fault{Kind: simulator.KindProxy, Status: http.StatusInternalServerError, Body: `{"detail":"Try later."}`}, "Try later"},
		{"the page of a gateway", "cortex", simulator.Fault{Kind: simulator.KindProxy, Status: http.StatusForbidden, Body: page, ContentType: "text/html"}, "Blocked by policy"},
		{"a secret that has expired", "client-secret", simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Code: "AADSTS7000222"}, "create a new client secret"},
		{"the page of a gateway", "client-secret", simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Status: http.StatusProxyAuthRequired, Body: page, ContentType: "text/html"}, "credentials that the proxy expects"},
		{"a page of success", "client-secret", simulator.Fault{Kind: simulator.KindAuthority, Method: http.MethodPost, Status: http.StatusOK, Body: page, ContentType: "text/html"}, "came from a gateway"},
		{"an identity that was removed", "managed-identity", simulator.Fault{Kind: simulator.KindIdentity, Status: http.StatusBadRequest}, "managed identity"},
	} {
		for _, command := range []string{"test-module", "microsoft-atp-test"} {
			t.Run(trouble.name+"/"+trouble.mode+"/"+command, func(t *testing.T) {
				i := commandstest.New(t)
				i.Params, i.Environment = i.Tenant.Instance(trouble.mode), i.Tenant.Environment(trouble.mode)
				if result := i.Run("microsoft-atp-get-machines", nil); result.Err != nil {
					t.Fatal(result.Err) // its token is stored now, and valid for an hour
				}
				i.Clock.Advance(time.Minute)
				i.Tenant.Script(trouble.fault)
				i.Run(command, nil).WantFailure(trouble.says)
				if trouble.mode == "managed-identity" {
					return // the library dates its tokens by the clock of the machine, not by that of the test
				}
				if result := i.Run("microsoft-atp-get-machines", nil); result.Err != nil {
					t.Errorf("got %v, want other commands to continue with the stored token", result.Err)
				}
			})
		}
	}
}

func TestEveryCommandNamesTheGateway(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired, http.StatusBadGateway} {
		for command, args := range map[string]map[string]any{
			"microsoft-atp-get-machines":      nil,
			"microsoft-atp-list-alerts":       nil,
			"microsoft-atp-advanced-hunting":  {"query": "DeviceInfo | take 1"},
			"microsoft-atp-sc-indicator-list": nil,
			"endpoint":                        {"hostname": "pc.contoso.test"},
		} {
			i := commandstest.New(t)
			i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: status, Body: page, ContentType: "text/html"})
			i.Run(command, args).WantFailure("Blocked by policy")
		}
	}
}

func TestADiagnosisBehindAGatewaySaysSo(t *testing.T) {
	i := commandstest.New(t)
	i.Tenant.Script(simulator.Fault{Kind: simulator.KindAPI, Status: http.StatusForbidden, Body: page, ContentType: "text/html"})
	i.Run("microsoft-atp-test", nil).WantFailure("came from a gateway")
}

func TestAResetOfTheSignInIsWhole(t *testing.T) {
	for _, mode := range []string{"client-secret", "managed-identity", "cortex"} {
		i := commandstest.New(t)
		i.Params, i.Environment = i.Tenant.Instance(mode), i.Tenant.Environment(mode)
		i.Run("microsoft-atp-get-machines", nil)
		i.Run("microsoft-atp-auth-reset", nil)
		i.Tenant.ResetRequests()
		i.Run("microsoft-atp-get-machines", nil)
		signIns := 0
		for _, request := range i.Tenant.Requests() {
			if request.Kind != simulator.KindAPI && request.Method != http.MethodGet || request.Kind == simulator.KindIdentity {
				signIns++
			}
		}
		if signIns == 0 {
			t.Errorf("%s: got no sign-in after the reset, want one", mode)
		}
	}
}
