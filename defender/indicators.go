package defender

import (
	"context"
	"encoding/json"
	"net/http"

	"xsoar-defender/internal/rawjson"
)

// The operations on indicators.
var (
	ListIndicators   = Operation{Purpose: "list indicators", Method: http.MethodGet, Path: "/api/indicators", Docs: "/defender-endpoint/api/get-ti-indicators-collection", Application: mayManageIndicators, Delegated: userManagesIndicators, Rate: usualRate, LargestPage: 10_000}
	GetIndicator     = Operation{Purpose: "read the indicator", Method: http.MethodGet, Path: "/api/indicators/{}", Docs: "/defender-endpoint/api/get-ti-indicators-collection", Application: mayManageIndicators, Delegated: userManagesIndicators, Rate: usualRate, LargestPage: 10_000}
	SubmitIndicator  = Operation{Purpose: "submit the indicator", Method: http.MethodPost, Path: "/api/indicators", Docs: "/defender-endpoint/api/post-ti-indicator", Application: mayManageIndicators, Delegated: userManagesIndicators, Rate: usualRate}
	ImportIndicators = Operation{Purpose: "import indicators", Method: http.MethodPost, Path: "/api/indicators/import", Docs: "/defender-endpoint/api/import-ti-indicators", Application: mayManageIndicators, Delegated: userManagesIndicators, Rate: Rate{PerMinute: 30}}
	DeleteIndicator  = Operation{Purpose: "delete the indicator", Method: http.MethodDelete, Path: "/api/indicators/{}", Docs: "/defender-endpoint/api/delete-ti-indicator-by-id", Application: mayManageIndicators, Rate: usualRate}
)

// MostImported is how many indicators one import takes.
const MostImported = 500

// Indicator is a request to the service about one file, address, domain or URL. Empty fields are not sent.
type Indicator struct {
	Value              string   `json:"indicatorValue"`
	Type               string   `json:"indicatorType"`
	Action             string   `json:"action"`
	Title              string   `json:"title,omitempty"`
	Description        string   `json:"description,omitempty"`
	ExpirationTime     string   `json:"expirationTime,omitempty"`
	Severity           string   `json:"severity,omitempty"`
	Application        string   `json:"application,omitempty"`
	RecommendedActions string   `json:"recommendedActions,omitempty"`
	RBACGroupNames     []string `json:"rbacGroupNames,omitempty"`
	GenerateAlert      *bool    `json:"generateAlert,omitempty"`
}

// IndicatorOf reads an indicator of the service, so that it can be submitted again with changes.
func IndicatorOf(object rawjson.Value) (Indicator, error) {
	var indicator Indicator
	if err := json.Unmarshal([]byte(object), &indicator); err != nil {
		return Indicator{}, &AnswerError{Operation: GetIndicator, Status: http.StatusOK, Problem: "not an indicator", Err: err}
	}
	return indicator, nil
}

// Indicators lists indicators.
func (c *Client) Indicators(ctx context.Context, q Query) (List, error) {
	return c.list(ctx, ListIndicators, q)
}

// Indicator reads one indicator. It sends a page size as older clients do; the service ignores it.
func (c *Client) Indicator(ctx context.Context, id string) (rawjson.Value, error) {
	return c.object(ctx, request{operation: GetIndicator, args: []string{id}, query: Query{top: 50}})
}

// SubmitIndicator creates an indicator, or changes the one with the same value and type.
func (c *Client) SubmitIndicator(ctx context.Context, indicator Indicator) (rawjson.Value, error) {
	return c.change(ctx, SubmitIndicator, "id", indicator)
}

// ImportIndicators submits up to MostImported indicators at once, given as the API writes them. The answer has
// one result for each, in which isFailed and failureReason tell how it went.
func (c *Client) ImportIndicators(ctx context.Context, indicators []rawjson.Value) (List, error) {
	body := map[string]any{"Indicators": rawList(indicators)}
	whole, err := c.change(ctx, ImportIndicators, "value", body)
	return List{Items: whole.Items("value"), Whole: whole}, err
}

// DeleteIndicator deletes an indicator. Only the application that made it may, without Ti.ReadWrite.All.
func (c *Client) DeleteIndicator(ctx context.Context, id string) error {
	_, err := c.get(ctx, DeleteIndicator, id)
	return err
}
