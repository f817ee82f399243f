package commands_test

import (
	"net/http"
	"testing"

	"xsoar-defender/commands/commandstest"
)

// TestHuntingMovesToMicrosoftGraphOnce answers that the Defender endpoint is gone: the query runs in Graph, and so do all later ones.
func TestHuntingMovesToMicrosoftGraphOnce(t *testing.T) {
	const defender, graph = "POST /api/advancedqueries/run", "POST /v1.0/security/runHuntingQuery"
	query := map[string]any{"query": "DeviceInfo | take 1"}
	i := commandstest.New(t)
	i.Answer("POST", "/api/advancedqueries/run", http.StatusGone, `{"error":{"code":"Gone","message":"gone"}}`)
	first := i.Run("microsoft-atp-advanced-hunting", query)
	first.WantAsked(defender, graph)
	first.Entry()
	second := i.Run("microsoft-atp-advanced-hunting", query)
	second.WantAsked(graph)
	second.Entry()
	i.Params["hunting_api"] = "Defender"
	i.Run("microsoft-atp-advanced-hunting", query).WantAsked(defender)
	i.Tenant.ClearFaults()
	i.Params["hunting_api"] = "Graph"
	i.Run("microsoft-atp-advanced-hunting", query).WantAsked(graph)

	forgetful := commandstest.New(t)
	forgetful.Host.Forgetful = true
	forgetful.Answer("POST", "/api/advancedqueries/run", http.StatusGone, `{"error":{"code":"Gone","message":"gone"}}`)
	for range 2 { // a hunt does not fail because that is not kept
		again := forgetful.Run("microsoft-atp-advanced-hunting", query)
		again.WantAsked(defender, graph)
		again.Entry()
	}
	refused := commandstest.New(t)
	refused.Answer("POST", "/api/advancedqueries/run", http.StatusForbidden, `{"error":{"code":"Forbidden","message":"missing role"}}`)
	result := refused.Run("microsoft-atp-advanced-hunting", query)
	result.WantAsked(defender)
	result.WantFailure("missing role")
}
