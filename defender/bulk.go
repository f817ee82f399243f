package defender

import (
	"context"
	"net/http"
	"strconv"

	"xsoar-defender/internal/rawjson"
)

// The operations that change many objects at once, and those that go with them.
var (
	BatchUpdateAlerts     = Operation{Purpose: "update the alerts", Method: http.MethodPost, Path: "/api/alerts/batchUpdate", Docs: "/defender-endpoint/api/batch-update-alerts", Application: mayWriteAlerts, Delegated: userWritesAlerts, Rate: Rate{PerMinute: 10, PerHour: 500}}
	TagMachines           = Operation{Purpose: "change the tags of the machines", Method: http.MethodPost, Path: "/api/machines/AddOrRemoveTagForMultipleMachines", Docs: "/defender-endpoint/api/add-or-remove-multiple-machine-tags", Application: mayWriteMachines, Delegated: userWritesMachines, Rate: usualRate}
	FindMachinesByTag     = Operation{Purpose: "find machines by tag", Method: http.MethodGet, Path: "/api/machines/findbytag", Docs: "/defender-endpoint/api/find-machines-by-tag", Application: mayReadMachines, Delegated: userReadsMachines, Rate: usualRate}
	SetDeviceValue        = Operation{Purpose: "set the value of the machine", Method: http.MethodPost, Path: "/api/machines/{}/setDeviceValue", Docs: "/defender-endpoint/api/set-device-value", Application: mayWriteMachines, Delegated: userWritesMachines, Rate: usualRate}
	BatchDeleteIndicators = Operation{Purpose: "delete the indicators", Method: http.MethodPost, Path: "/api/indicators/BatchDelete", Docs: "/defender-endpoint/api/batch-delete-ti-indicators", Application: mayManageIndicators, Rate: Rate{PerMinute: 30, PerHour: 1500}}
)

const (
	// AlertsPerBatch is how many alerts one call changes. Microsoft documents no limit
	// (https://learn.microsoft.com/defender-endpoint/api/batch-update-alerts); this one keeps a call that fails small.
	AlertsPerBatch = 100
	// MachinesPerBatch is the documented number of machines in one call
	// (https://learn.microsoft.com/defender-endpoint/api/add-or-remove-multiple-machine-tags).
	MachinesPerBatch = 500
	// IndicatorsPerBatch is the documented number of indicators in one call
	// (https://learn.microsoft.com/defender-endpoint/api/batch-delete-ti-indicators).
	IndicatorsPerBatch = 500
)

// UpdateAlerts changes up to AlertsPerBatch alerts in the same way. The service answers without a body.
func (c *Client) UpdateAlerts(ctx context.Context, ids []string, update AlertUpdate) error {
	body := struct {
		IDs []string `json:"alertIds"`
		AlertUpdate
	}{ids, update}
	_, err := c.post(ctx, BatchUpdateAlerts, body)
	return err
}

// TagMachines adds a tag to up to MachinesPerBatch machines, or removes it; action is Add or Remove. The list holds the
// machines as the service returns them, which may be none: not every tenant's service answers with a body.
func (c *Client) TagMachines(ctx context.Context, ids []string, action, tag string) (List, error) {
	body := struct {
		Tag     string   `json:"Value"`
		Action  string   `json:"Action"`
		Machine []string `json:"MachineIds"`
	}{tag, action, ids}
	whole, err := c.post(ctx, TagMachines, body)
	return List{Items: whole.Items("value"), Whole: whole}, err
}

// MachinesByTag finds the machines with a tag, or with any tag that begins so.
func (c *Client) MachinesByTag(ctx context.Context, tag string, prefix bool, limit int) (List, error) {
	return c.emptyWhenMissing(c.list(ctx, FindMachinesByTag, Query{
		Limit: limit, Options: []Option{{"tag", tag}, {"useStartsWithFilter", strconv.FormatBool(prefix)}},
	}))
}

// SetDeviceValue sets the value of a machine, which weighs its part of the exposure score: Low, Normal or High. It
// returns the machine, or nothing where the service answers without a body.
func (c *Client) SetDeviceValue(ctx context.Context, machine, value string) (rawjson.Value, error) {
	return c.post(ctx, SetDeviceValue, map[string]string{"DeviceValue": value}, machine)
}

// DeleteIndicators deletes up to IndicatorsPerBatch indicators: all of them, or none when one of them does not exist or is
// out of reach of the application.
func (c *Client) DeleteIndicators(ctx context.Context, ids []string) error {
	_, err := c.post(ctx, BatchDeleteIndicators, map[string][]string{"IndicatorIds": ids})
	return err
}
