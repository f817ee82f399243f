package defender

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
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
	whole, err := c.hunt(ctx, RunHuntingQuery, query, timeout)
	if err != nil || whole.Key("Results").IsArray() {
		return whole, err
	}
	return asHunt(RunHuntingQuery, whole)
}

// GraphHunt runs a query through Microsoft Graph. The answer has the shape of Hunt's.
func (c *Client) GraphHunt(ctx context.Context, query string, timeout time.Duration) (rawjson.Value, error) {
	whole, err := c.hunt(ctx, RunGraphHuntingQuery, query, timeout)
	if err != nil {
		return "", err
	}
	return asHunt(RunGraphHuntingQuery, whole)
}

// asHunt returns an answer in the shape of the Defender API, whose keys begin with capitals.
func asHunt(operation Operation, whole rawjson.Value) (rawjson.Value, error) {
	if !whole.Key("results").IsArray() && !whole.Key("Results").IsArray() {
		return "", lacks(operation, "without the results that it must have", whole)
	}
	type column struct{ Name, Type string }
	columns := []column{}
	for _, described := range append(whole.Items("schema"), whole.Items("Schema")...) {
		columns = append(columns, column{described.Text("name", "Name"), described.Text("type", "Type")})
	}
	rows := rawjson.Join(append(whole.Items("results"), whole.Items("Results")...))
	return rawjson.Value(`{"Schema":` + string(rawjson.Make(columns)) + `,"Results":` + string(rows) + `}`), nil
}

func (c *Client) hunt(ctx context.Context, operation Operation, query string, timeout time.Duration) (rawjson.Value, error) {
	return c.send(ctx, request{
		operation: operation,
		body:      map[string]string{"Query": query},
		patient:   min(max(timeout, 0), LongestHunt) + huntSlack,
	})
}

// HuntingRetired reports whether the Defender endpoint for hunting answers that it is gone, which Microsoft has announced
// for 31 January 2027 (https://learn.microsoft.com/defender-endpoint/api/run-advanced-query-api). How it will say so is not
// documented: 404, 410 and an error that names the retirement count.
func HuntingRetired(err error) bool {
	if page, ok := errors.AsType[*GatewayError](err); ok {
		return page.Status == http.StatusGone
	}
	refused, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	switch refused.Status {
	case http.StatusNotFound, http.StatusGone:
		return true
	case http.StatusTooManyRequests, http.StatusUnauthorized:
		return false
	}
	said := strings.ToLower(refused.Code + " " + withoutQuotations(refused.Message))
	words := []string{"retired", "retirement", "decommissioned", "deprecated", "sunset", "end of life", "no longer supported", "no longer available"}
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(said, word) })
}

// withoutQuotations leaves out what a message quotes, such as the part of a query that is wrong: a column may have any name.
func withoutQuotations(message string) string {
	return regexp.MustCompile(`(^|[\s(:])('[^']*'|"[^"]*")`).ReplaceAllString(message, "$1")
}
