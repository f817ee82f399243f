package defender

import (
	"context"
	"errors"
	"net/http"
	"time"

	"xsoar-defender/internal/rawjson"
)

// The operations of advanced hunting.
var (
	RunHuntingQuery = Operation{
		Purpose: "run the hunting query", Method: http.MethodPost, Path: "/api/advancedqueries/run", Docs: "/defender-endpoint/api/run-advanced-query-api",
		Application: []string{"AdvancedQuery.Read.All"}, Delegated: []string{"AdvancedQuery.Read"},
		Rate: Rate{PerMinute: 45, PerHour: 1500}, ReadsOnly: true,
	}
	RunGraphHuntingQuery = Operation{
		Purpose: "run the hunting query through Microsoft Graph", Method: http.MethodPost, Path: "/v1.0/security/runHuntingQuery", Docs: "/graph/api/security-security-runhuntingquery",
		Application: []string{"ThreatHunting.Read.All"}, Delegated: []string{"ThreatHunting.Read.All"},
		Rate: Rate{PerMinute: 45}, ReadsOnly: true, Graph: true,
	}
)

// LongestHunt is how long the service lets one query run.
const LongestHunt = 200 * time.Second

// huntSlack is how much longer than the query itself its answer may take.
const huntSlack = 15 * time.Second

// Hunt runs a query. timeout bounds it; the service's own bound is LongestHunt. The answer has Schema and
// Results.
func (c *Client) Hunt(ctx context.Context, query string, timeout time.Duration) (rawjson.Value, error) {
	return c.hunt(ctx, RunHuntingQuery, query, timeout)
}

// GraphHunt runs a query through Microsoft Graph. The answer has the shape of Hunt's.
func (c *Client) GraphHunt(ctx context.Context, query string, timeout time.Duration) (rawjson.Value, error) {
	whole, err := c.hunt(ctx, RunGraphHuntingQuery, query, timeout)
	if err != nil {
		return "", err
	}
	type column struct{ Name, Type string }
	columns := []column{}
	for _, described := range whole.Items("schema") {
		columns = append(columns, column{described.Text("name", "Name"), described.Text("type", "Type")})
	}
	rows := rawjson.Join(whole.Items("results"))
	return rawjson.Value(`{"Schema":` + string(rawjson.Make(columns)) + `,"Results":` + string(rows) + `}`), nil
}

func (c *Client) hunt(ctx context.Context, operation Operation, query string, timeout time.Duration) (rawjson.Value, error) {
	return c.send(ctx, request{
		operation: operation,
		body:      map[string]string{"Query": query},
		patient:   min(max(timeout, 0), LongestHunt) + huntSlack,
	})
}

// HuntingRetired says that the Defender endpoint for hunting answers that it is gone. Microsoft has announced
// its end for early 2027.
func HuntingRetired(err error) bool {
	var refused *APIError
	return errors.As(err, &refused) && refused.Status == http.StatusGone
}
